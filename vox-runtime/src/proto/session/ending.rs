//! The end of connections and of sessions. What is open may be much, so it ends a piece at a time: [`Session::go_on`].

use std::collections::VecDeque;

use super::super::Output;
use super::super::calling::{Calling, is_said};
use super::super::serving::Serving;
use super::Session;
use crate::error::{EndReason, ProtocolViolation, Refusal, RefusalCode};
use crate::ids::{ChannelId, ConnectionId, RequestId};

/// How many calls and channels end at a time.
const PIECE: usize = if cfg!(test) { 2 } else { 32 };

/// A session that has more than so much to say is behind.
const BEHIND: usize = 128;

/// Connections that are gone. Most sessions never have any that does not end at once.
#[derive(Debug, Default)]
#[allow(clippy::box_collection, reason = "idle sessions are many")]
pub(super) struct Leaving(Option<Box<VecDeque<Gone>>>);

/// A connection that is gone, with whatever was open on it and has not ended.
#[derive(Debug)]
struct Gone {
    connection: ConnectionId,
    reason: EndReason,
    of: Of,
    /// Its end is told by itself: the session goes on.
    alone: bool,
}

#[derive(Debug)]
enum Of {
    /// This end, which sent so much of its stream.
    Ours(Box<Calling>, u64),
    Theirs(Box<Serving>),
}

impl Leaving {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn push(&mut self, gone: Gone) {
        self.0.get_or_insert_default().push_back(gone);
    }

    fn iter(&self) -> impl Iterator<Item = &Gone> {
        self.0.iter().flat_map(|all| all.iter())
    }

    fn find(&mut self, connection: ConnectionId) -> Option<&mut Gone> {
        self.0.as_mut()?.iter_mut().find(|gone| gone.connection == connection)
    }

    /// One that the peer had opened.
    pub(super) fn serving(&mut self, connection: ConnectionId) -> Option<&mut Serving> {
        match &mut self.find(connection)?.of {
            Of::Theirs(serving) => Some(serving),
            Of::Ours(..) => None,
        }
    }

    /// Whether the handler of this request is still wanted: it is of a method that runs on.
    pub(super) fn wants(&self, connection: ConnectionId, request: RequestId) -> bool {
        self.iter().any(|gone| match &gone.of {
            Of::Theirs(serving) => gone.connection == connection && serving.leaves_running(request),
            Of::Ours(..) => false,
        })
    }

    pub(super) fn has(&self, connection: ConnectionId) -> bool {
        self.iter().any(|gone| gone.connection == connection)
    }

    pub(super) fn running(&self) -> usize {
        let running = |gone: &Gone| match &gone.of {
            Of::Theirs(serving) => serving.running(),
            Of::Ours(..) => 0,
        };
        self.iter().map(running).sum()
    }

    /// What a walk finds that is charged, and what windows have promised.
    #[cfg(test)]
    pub(super) fn walk(&self) -> (usize, usize) {
        let of = |gone: &Gone| match &gone.of {
            Of::Theirs(serving) => (serving.walk(), serving.channels.promised()),
            Of::Ours(calling, _) => (calling.channels.walk(), calling.channels.promised()),
        };
        self.iter().map(of).fold((0, 0), |sums, these| (sums.0 + these.0, sums.1 + these.1))
    }
}

impl Session {
    /// The peer ends a connection.
    #[cold]
    pub(super) fn on_shut(&mut self, connection: ConnectionId) -> Result<(), ProtocolViolation> {
        if !self.leave(connection, Calling::shut_by_peer(), true) {
            return self.stray(connection, "a shut", self.owner(connection));
        }
        self.fx.outbox.forget_connection(connection);
        self.end_some();
        Ok(())
    }

    /// The peer ends the session.
    #[cold]
    pub(super) fn on_end(&mut self, reason: EndReason) -> Result<(), ProtocolViolation> {
        self.end(reason);
        Ok(())
    }

    pub(super) fn end(&mut self, reason: EndReason) {
        let said = is_said(&reason);
        self.end_by(reason, said);
    }

    /// `said`: the peer is told.
    pub(super) fn end_by(&mut self, reason: EndReason, said: bool) {
        if self.ended.is_some() {
            return;
        }
        self.reassembly.clear(&mut self.fx.outbox.spent);
        self.unpin();
        if self.leave_line() {
            self.call_next_in_line();
        }
        // Without a link nothing is said.
        if said && !self.is_detached() {
            self.fx.outbox.keep_no_more();
        } else {
            // Whatever was said to have never left must not leave after all.
            self.fx.outbox.clear();
        }
        while let Some(id) = self.calling.first().or_else(|| self.serving.first()) {
            self.leave(ConnectionId(id), reason.clone(), false);
        }
        (self.ended, self.ending) = (Some(reason), true);
        self.end_some();
        self.settle_lease();
    }

    /// This connection is gone: what is open on it is yet to end. `false`: there is none.
    fn leave(&mut self, connection: ConnectionId, reason: EndReason, alone: bool) -> bool {
        let of = if let Some(mut serving) = self.serving.remove(connection.0) {
            serving.end_terms(&mut self.fx);
            Of::Theirs(Box::new(serving))
        } else if let Some(mut calling) = self.calling.remove(connection.0) {
            calling.end_terms(&mut self.fx);
            self.abort_opening(&mut calling, &reason);
            // Of a session that has ended, what is left in the outbox leaves as well.
            let left = if alone { self.fx.outbox.taken() } else { self.fx.outbox.end() };
            Of::Ours(Box::new(calling), left)
        } else {
            return false;
        };
        self.leaving.push(Gone { connection, reason, of, alone });
        true
    }

    fn abort_opening(&mut self, calling: &mut Calling, reason: &EndReason) {
        if let Some(token) = calling.opening.take() {
            let refusal = Refusal::new(RefusalCode::Other, reason.to_string());
            self.fx.emit(Output::Opened { token, result: Err(refusal) });
        }
    }

    /// Whether so much is left to do that others should have their turn before [`go_on`](Self::go_on) does more of it. No frame of the
    /// peer should be handled until then.
    #[inline]
    pub(crate) fn is_behind(&self) -> bool {
        !self.leaving.is_empty() || !self.fx.outbox.spent.is_empty() || self.fx.outputs.len() > BEHIND
    }

    /// Does a piece of what is left to do.
    #[cold]
    pub(crate) fn go_on(&mut self) {
        self.fx.outbox.spent.free_some();
        if !self.leaving.is_empty() {
            self.end_some();
            self.settle_lease();
        }
    }

    /// Ends all that was open on connections that are gone.
    pub(crate) fn end_rest(&mut self) {
        while !self.leaving.is_empty() {
            self.end_some();
        }
        self.settle_lease();
    }

    /// Ends some of it. Once there is none, a session that has ended says so.
    fn end_some(&mut self) {
        let mut room = PIECE;
        while let Some(all) = &mut self.leaving.0 {
            let Some(gone) = all.front_mut() else {
                self.leaving.0 = None;
                break;
            };
            let Gone { connection, reason, of, alone } = gone;
            let is_over = match of {
                Of::Ours(calling, left) => calling.end_some(reason, *left, &mut room, &mut self.fx),
                Of::Theirs(serving) => {
                    let (detached, aborting) = (&mut self.detached, &mut self.aborting);
                    let reassembly = &mut self.reassembly;
                    serving.end_some(reason, &mut room, (detached, aborting), reassembly, &mut self.fx)
                }
            };
            if !is_over {
                return;
            }
            if *alone {
                self.fx.emit(Output::ConnectionEnded { connection: *connection });
            }
            all.pop_front();
        }
        if std::mem::take(&mut self.ending)
            && let Some(reason) = self.ended.clone()
        {
            self.fx.emit(Output::Ended(reason));
        }
    }

    /// This call of a connection that is gone ends before its time.
    pub(super) fn end_leaving_call(&mut self, connection: ConnectionId, request: RequestId) {
        if let Some(serving) = self.leaving.serving(connection) {
            serving.end_one(request, (&mut self.detached, &mut self.aborting), &mut self.reassembly, &mut self.fx);
        }
    }

    /// The same of a channel, for its holder says something of it. `gone`: nobody holds it any more.
    pub(super) fn end_leaving_channel(&mut self, connection: ConnectionId, channel: ChannelId, gone: bool) {
        let Some(Gone { reason, of, .. }) = self.leaving.find(connection) else { return };
        let channels = match of {
            Of::Ours(calling, _) => &mut calling.channels,
            Of::Theirs(serving) => &mut serving.channels,
        };
        match gone {
            true => channels.forget(channel, &mut self.fx),
            false => channels.end_one(channel, reason, &mut self.fx),
        }
        self.settle_lease();
    }
}
