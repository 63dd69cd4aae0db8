//! What a busy server was short of: which limit, and the numbers.

use std::fmt;

use facet::Facet;

/// The limit that kept a server from running a call, how much there would have been with the call, and how much may be.
///
/// The server says so with its answer. It is empty in an error that was made by hand. It counts for nothing when errors are compared.
#[derive(Clone, Default, Facet)]
pub struct Shortage(Option<Box<Short>>);

/// The same, as a reply has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Facet)]
pub(crate) struct Short {
    /// The code of a [`Scarce`]. One that is not known here says nothing.
    pub(crate) code: u8,
    /// How much there would have been.
    pub(crate) needed: u64,
    /// How much may be.
    pub(crate) limit: u64,
}

/// Each limit that makes a server busy, by its code in the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Scarce {
    ShuttingDown = 1,
    SessionMemory = 2,
    ServerMemory = 3,
    Handlers = 4,
    EndedChannels = 5,
    EndedItems = 6,
    Detached = 7,
    ServerDetached = 8,
    PeerDetached = 9,
}

impl Scarce {
    pub(crate) const ALL: [Self; 9] = [
        Self::ShuttingDown,
        Self::SessionMemory,
        Self::ServerMemory,
        Self::Handlers,
        Self::EndedChannels,
        Self::EndedItems,
        Self::Detached,
        Self::ServerDetached,
        Self::PeerDetached,
    ];

    /// The field of `Limits`; none where nothing is short.
    pub(crate) fn field(self) -> Option<&'static str> {
        Some(match self {
            Self::ShuttingDown => return None,
            Self::SessionMemory => "session_memory",
            Self::ServerMemory => "server_memory",
            Self::Handlers => "max_calls",
            Self::EndedChannels => "max_channels",
            Self::EndedItems => "channel_bytes",
            Self::Detached => "max_detached",
            Self::ServerDetached => "max_server_detached",
            Self::PeerDetached => "max_peer_detached",
        })
    }
}

impl Short {
    pub(crate) const SHUTTING_DOWN: Self = Self { code: Scarce::ShuttingDown as u8, needed: 0, limit: 0 };

    pub(crate) fn new(of: Scarce, needed: usize, limit: usize) -> Self {
        Self { code: of as u8, needed: needed as u64, limit: limit as u64 }
    }

    pub(crate) fn of(self) -> Option<Scarce> {
        Scarce::ALL.into_iter().find(|scarce| *scarce as u8 == self.code)
    }
}

impl Shortage {
    /// Nothing is said.
    pub const UNKNOWN: Self = Self(None);

    /// What is said, to be passed on.
    pub(crate) fn short(&self) -> Short {
        self.0.as_deref().copied().unwrap_or(Short { code: 0, needed: 0, limit: 0 })
    }

    fn scarce(&self) -> Option<Scarce> {
        self.0.as_ref().and_then(|short| short.of())
    }

    /// The field of the server's [`Limits`](crate::Limits) that the call was past, such as `session_memory`. `None` where the server shuts down, or
    /// has a limit that is not known here.
    pub fn limit(&self) -> Option<&'static str> {
        self.scarce().and_then(Scarce::field)
    }

    /// How much there would have been with the call, in what the limit counts: bytes, handlers or channels.
    pub fn needed(&self) -> Option<u64> {
        self.limit().and(self.0.as_ref()).map(|short| short.needed)
    }

    /// How much there may be. For `max_calls` it is that of all the connections of a session together, for `channel_bytes` that of all the
    /// channels of a connection, and for `max_channels` it is four times that, or 1,024.
    pub fn most(&self) -> Option<u64> {
        self.limit().and(self.0.as_ref()).map(|short| short.limit)
    }

    /// Whether the server takes no further calls because it shuts down.
    pub fn is_shutdown(&self) -> bool {
        self.scarce() == Some(Scarce::ShuttingDown)
    }
}

impl From<Short> for Shortage {
    fn from(short: Short) -> Self {
        Self(Some(Box::new(short)))
    }
}

/// As in `it would keep 50400000 bytes of this peer, and its Limits::session_memory is 50331648`.
impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { needed, limit, .. } = self;
        match self.of() {
            None => f.write_str("it is past a limit of its own"),
            Some(Scarce::ShuttingDown) => f.write_str("it shuts down"),
            Some(Scarce::SessionMemory) => {
                write!(f, "it would keep {needed} bytes of this peer, and its `Limits::session_memory` is {limit}")
            }
            Some(Scarce::ServerMemory) => {
                write!(f, "it would keep {needed} bytes of all its peers, and its `Limits::server_memory` is {limit}")
            }
            Some(Scarce::Handlers) => write!(
                f,
                "{needed} handlers of this session would run, those of closed connections included, and its `Limits::max_connections` and \
                 `Limits::max_calls` allow {limit}"
            ),
            Some(Scarce::EndedChannels) => write!(
                f,
                "{needed} channels have ended that no handler has taken up, and its `Limits::max_channels` allows {limit}"
            ),
            Some(Scarce::EndedItems) => write!(
                f,
                "it keeps {needed} bytes of channels that have ended and no handler has taken up, and its `Limits::channel_bytes` and \
                 `Limits::max_channels` allow {limit}"
            ),
            Some(Scarce::Detached) => write!(
                f,
                "{needed} handlers of this session would run on without their callers, and its `Limits::max_detached` is {limit}"
            ),
            Some(Scarce::ServerDetached) => write!(
                f,
                "{needed} of its handlers would run on without their callers, and its `Limits::max_server_detached` is {limit}"
            ),
            Some(Scarce::PeerDetached) => write!(
                f,
                "{needed} handlers of this peer would run on without their callers, and its `Limits::max_peer_detached` is {limit}"
            ),
        }
    }
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(short) => fmt::Display::fmt(short, f),
            None => f.write_str("it is past a limit of its own, or shuts down"),
        }
    }
}

impl fmt::Debug for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_some() { fmt::Display::fmt(self, f) } else { f.write_str("_") }
    }
}

/// All are equal, so that errors are compared by what happened and not by how much there was.
impl PartialEq for Shortage {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Shortage {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_named_with_both_numbers_and_a_code_that_is_not_known_says_nothing() {
        for scarce in Scarce::ALL {
            let shortage = Shortage::from(Short::new(scarce, 1_234, 567));
            let text = shortage.to_string();
            match scarce.field() {
                Some(field) => {
                    assert!(text.contains(&format!("`Limits::{field}`")), "{text}");
                    assert!(text.contains("1234") && text.contains("567"), "{text}");
                    let found = (shortage.limit(), shortage.needed(), shortage.most());
                    assert_eq!(found, (Some(field), Some(1_234), Some(567)));
                }
                None => assert!(shortage.is_shutdown() && shortage.needed().is_none(), "{text}"),
            }
        }
        let later = Shortage::from(Short { code: 200, needed: 5, limit: 4 });
        assert_eq!((later.limit(), later.needed(), later.most()), (None, None, None));
        assert_eq!(later.to_string(), "it is past a limit of its own");
        assert!(!later.is_shutdown() && !Shortage::UNKNOWN.is_shutdown());
    }
}
