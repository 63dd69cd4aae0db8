//! How often this end turned down what its peers asked for.

/// How often a session, or a server in all its sessions, turned its peers down for a limit of its own.
///
/// [`Session::refusals`](crate::Session::refusals) counts from the session's start, [`Server::refusals`](crate::Server::refusals) from the
/// server's. The first refused call, channel or reply of each minute of a session is logged as a WARN too, with the peer, the limit and both numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusals {
    /// Calls that got `Busy`, and did not run. Those are not counted that come while a server shuts down.
    pub calls: u64,
    /// Channels that were ended because items came for which there was no memory.
    pub channels: u64,
    /// Replies that were not kept because there was no memory.
    pub replies: u64,
    /// How often the peer was read no further, to wait for memory.
    pub pauses: u64,
    /// How often handlers were made to wait until replies before theirs were read.
    pub holds: u64,
    /// Links that ended in their handshake, without a session: they were refused or sent away, they were too slow or not understood, or their
    /// peers closed them. Only a server counts these, and no longer once it shuts down.
    pub handshakes: u64,
    /// Sessions that were ended because their peer broke a rule of the protocol, such as an announced limit.
    pub violations: u64,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Call,
    Channel,
    Reply,
    Reading,
    Handlers,
    Session,
    Link,
}

impl Refused {
    pub(crate) const COUNT: usize = 7;

    /// What happens to it, for a log. `None` where nobody loses anything.
    pub(crate) fn words(self) -> Option<&'static str> {
        Some(match self {
            Self::Call => "a call of the peer is answered `Busy`",
            Self::Channel => "a channel on which the peer sends is ended",
            Self::Reply => "a reply is not kept, and its caller gets `InvalidResponse` instead",
            Self::Reading | Self::Handlers | Self::Session | Self::Link => return None,
        })
    }
}

impl Refusals {
    pub(crate) fn add(&mut self, what: Refused) {
        *match what {
            Refused::Call => &mut self.calls,
            Refused::Channel => &mut self.channels,
            Refused::Reply => &mut self.replies,
            Refused::Reading => &mut self.pauses,
            Refused::Handlers => &mut self.holds,
            Refused::Session => &mut self.violations,
            Refused::Link => &mut self.handshakes,
        } += 1;
    }
}

/// The counts in the order of `Refused`.
impl From<[u64; Refused::COUNT]> for Refusals {
    fn from([calls, channels, replies, pauses, holds, violations, handshakes]: [u64; Refused::COUNT]) -> Self {
        Self { calls, channels, replies, pauses, holds, handshakes, violations }
    }
}
