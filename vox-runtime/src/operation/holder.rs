//! Who holds the room that records take.

use std::fmt;
use std::sync::Arc;

use super::Principal;
use crate::escaped::Escaped;

/// What the links of one peer have in common, where nobody is asked who he is: its address, the network of an IPv6 address, its user on this
/// host, or the name that [`Link::of_peer`](crate::transport::Link::of_peer) gave.
///
/// ```
/// # extern crate vox_runtime as vox;
/// assert_eq!(vox::store::PeerKey::new("203.0.113.7").to_string(), "203.0.113.7");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerKey(Arc<str>);

impl PeerKey {
    /// The key of these words.
    pub fn new(key: impl AsRef<str>) -> Self {
        Self(key.as_ref().into())
    }

    /// Its words.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the two are one, and not only alike.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Display for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Escaped::name(&self.0), f)
    }
}

impl fmt::Debug for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&Escaped::name(&self.0), f)
    }
}

/// Whose records fill a store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Holder {
    /// Those of all together.
    All,
    /// Those of one principal. The anonymous one is all of whom nobody knows who they are.
    Principal(Principal),
    /// Those of one peer of whom nobody knows who he is.
    Peer(PeerKey),
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all together"),
            Self::Principal(principal) => write!(f, "the principal {principal}"),
            Self::Peer(peer) => write!(f, "the peer {peer}"),
        }
    }
}
