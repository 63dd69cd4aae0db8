//! How long a message may be, and the words for one that is longer.

use std::fmt;

/// What a message's head may take at most beside its payload, metadata and channels.
pub(crate) const HEAD_ROOM: usize = 64;

/// How many bytes of payload fit into a message to an end, and which setting of that end says so.
pub(crate) struct Fits {
    pub(crate) limit: usize,
    /// Whose limit it is: "the peer", or, in words that the peer is to read, what it is to itself.
    pub(crate) whose: &'static str,
}

impl fmt::Display for Fits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, whose } = self;
        let setting = limit.saturating_add(HEAD_ROOM);
        write!(
            f,
            "{limit} bytes fit: `Limits::max_message_bytes` of {whose} is {setting}, of which the message's head may take \
             {HEAD_ROOM}"
        )
    }
}
