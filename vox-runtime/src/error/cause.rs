//! Why nobody knows whether a call ran.

use std::fmt;

use facet::Facet;

use crate::escaped::Escaped;

/// Why nobody knows whether a call ran: how its session or its connection ended, or that the server has no outcome on record.
///
/// The caller's end fills it in when a call ends with [`Indeterminate`](enum@crate::VoxError); it is empty in an error that was made by
/// hand. It counts for nothing when errors are compared.
#[derive(Clone, Default, Facet)]
pub struct Cause(Option<Box<str>>);

impl Cause {
    /// No cause.
    pub const UNKNOWN: Self = Self(None);

    /// This cause, in words.
    pub fn new(why: impl Into<Box<str>>) -> Self {
        Self(Some(why.into()))
    }

    /// The words, as far as there are any.
    pub fn as_str(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(why) => fmt::Display::fmt(&Escaped::new(why), f),
            None => f.write_str("the session was lost, or no outcome is on record"),
        }
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(why) => fmt::Debug::fmt(&Escaped::new(why), f),
            None => f.write_str("_"),
        }
    }
}

/// All are equal, so that errors are compared by what happened and not by why.
impl PartialEq for Cause {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Cause {}
