//! Saying once that a channel waits, and for what: no channel waits for ever in silence. Calls that wait for a limit are in `patience`.

use std::time::{Duration, Instant};

use super::after::Note;
use super::endpoint::Endpoint;
use super::shared::State;
use crate::descriptor::MethodDescriptor;
use crate::ids::{ChannelId, ConnectionId, RequestId};
use crate::proto::{Token, earlier};

/// How long a half of a channel, or a call for its turn, waits before that is said.
pub(crate) const PATIENCE: Duration = Duration::from_secs(4);

/// How a wait stands that says so once.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) enum Wait {
    #[default]
    Not,
    Since(Instant),
    /// It was said.
    Told,
}

/// A sender that was not used since its call was sent. The handler may wait for it, and its holder for the call.
#[derive(Debug)]
pub(super) struct Unused {
    since: Instant,
    method: &'static MethodDescriptor,
    connection: ConnectionId,
    request: RequestId,
    channel: ChannelId,
}

impl Wait {
    /// It waits, now too. `true`: for so long that it is to be said, which it is not again.
    pub(crate) fn on(&mut self, now: Instant) -> bool {
        match *self {
            Self::Not => *self = Self::Since(now),
            Self::Since(since) if since + PATIENCE <= now => {
                *self = Self::Told;
                return true;
            }
            Self::Since(_) | Self::Told => {}
        }
        false
    }

    /// When it is to be said.
    pub(crate) fn due(self) -> Option<Instant> {
        match self {
            Self::Since(since) => Some(since + PATIENCE),
            Self::Not | Self::Told => None,
        }
    }

    /// It got on.
    pub(crate) fn off(&mut self) {
        if let Self::Since(_) = self {
            *self = Self::Not;
        }
    }
}

impl State {
    /// The call that this sender came with was sent, and should not wait for long for an item of it.
    pub(crate) fn expect_items(
        &mut self,
        half: Token,
        now: Instant,
        method: &'static MethodDescriptor,
        (connection, request, channel): (ConnectionId, RequestId, ChannelId),
    ) {
        if let Some(sender) = self.endpoints.get_mut(half).and_then(Endpoint::as_sender) {
            sender.unused = Some(Box::new(Unused { since: now, method, connection, request, channel }));
            self.queue_deadline = earlier(self.queue_deadline, Some(now + PATIENCE));
        }
    }

    /// A send waits for credit. `true`: that is to be said.
    pub(crate) fn wait_for_credit(&mut self, half: Token) -> bool {
        let Some(sender) = self.endpoints.get_mut(half).and_then(Endpoint::as_sender) else { return false };
        let tell = sender.waits.on(super::now());
        self.queue_deadline = earlier(self.queue_deadline, sender.waits.due());
        tell
    }

    /// Sees to the channels that have waited for long.
    pub(super) fn expire_channels(&mut self, now: Instant) {
        let mut next = None;
        for endpoint in self.endpoints.iter_mut() {
            let Some(sender) = endpoint.as_sender() else { continue };
            if let Some(due) = sender.waits.due() {
                // The sender says what is to be said.
                match due <= now {
                    true => self.after.wakes.append(&mut sender.wakers),
                    false => next = earlier(next, Some(due)),
                }
            }
            let Some(Unused { since, method, connection, request, channel }) = sender.unused.as_deref() else {
                continue;
            };
            if *since + PATIENCE > now {
                next = earlier(next, Some(*since + PATIENCE));
                continue;
            }
            if self.session.waits_for_reply(*connection, *request) {
                self.after.notes.push(Note::Unused(method, *channel));
            }
            sender.unused = None;
        }
        self.queue_deadline = earlier(self.queue_deadline, next);
    }
}
