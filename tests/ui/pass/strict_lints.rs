//! The expansion raises no lint in a crate that denies them.

#![deny(
    warnings,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    unused_lifetimes,
    single_use_lifetimes,
    elided_lifetimes_in_paths,
    missing_debug_implementations,
    missing_copy_implementations,
    trivial_casts,
    unsafe_code,
    rust_2018_idioms,
    let_underscore_drop
)]

/// Keeps files.
#[vox::service]
pub trait Files {
    /// Opens one.
    #[vox(idem, timeout = "2s")]
    async fn open(&self, cx: &vox::Context, name: &str, bytes: &[u8], number: u64) -> Result<u64, String>;
    /// Lends one.
    async fn lent(&self, text: &str) -> &str;
    /// Watches.
    async fn watch(&self, events: vox::Tx<u64>);
}

fn main() {}
