//! What may be done with a call whose outcome is not known.

/// Whether a method may run again, and whether its outcome is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::exhaustive_structs, reason = "a policy is these two")]
pub struct RetryPolicy {
    /// Running it again is harmless.
    pub idem: bool,
    /// The handler runs to its end even when the caller goes away.
    pub persist: bool,
}

impl RetryPolicy {
    /// At most once; lives and dies with the session.
    pub const VOLATILE: Self = Self { idem: false, persist: false };
    /// May run again.
    pub const IDEM: Self = Self { idem: true, persist: false };
    /// At most once; runs to its end.
    pub const PERSIST: Self = Self { idem: false, persist: true };
    /// May run again; runs to its end.
    pub const IDEM_PERSIST: Self = Self { idem: true, persist: true };
}
