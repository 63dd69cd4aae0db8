//! Links that a user makes, again and again.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;

use super::Link;
use super::dial_target::DialFuture;
use crate::catch_panic::Contained;

/// Makes links to one peer, the first and every later one: a target for `connect` over a transport of one's own.
///
/// ```
/// # extern crate vox_runtime as vox;
/// use vox::transport::{Connector, Link};
///
/// let connector = Connector::new("a pipe", || async {
///     let (ours, theirs) = tokio::io::duplex(1024);
///     # drop(theirs);
///     Ok(Link::new(ours, "a pipe"))
/// });
/// # drop(connector);
/// ```
#[derive(Clone)]
pub struct Connector {
    name: Arc<str>,
    make: Arc<dyn Fn() -> DialFuture + Send + Sync>,
}

impl Connector {
    /// One that makes links in this way. `name` is what the peer is called in errors and logs. Where `make` or its future panics, that attempt has
    /// failed.
    pub fn new<F, L>(name: impl AsRef<str>, make: F) -> Self
    where
        F: Fn() -> L + Send + Sync + 'static,
        L: Future<Output = io::Result<Link>> + Send + 'static,
    {
        let make = Arc::new(make);
        let link = move || -> DialFuture {
            let make = Arc::clone(&make);
            let made = Contained::new(move || Box::pin(make()));
            Box::pin(async move { made.await.unwrap_or_else(|| Err(io::Error::other("the connector panicked"))) })
        };
        Self { name: name.as_ref().into(), make: Arc::new(link) }
    }

    pub(super) fn called(&self) -> &str {
        &self.name
    }

    pub(super) fn link(&self) -> DialFuture {
        (self.make)()
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connector({})", self.name)
    }
}
