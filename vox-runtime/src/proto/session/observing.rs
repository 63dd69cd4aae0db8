//! Figures of a session: how much is under way, and what the peer takes.

use super::super::calling::Calling;
use super::Session;
use crate::error::EndReason;
use crate::ids::{ConnectionId, RequestId, Role};
use crate::limits::{HEAD_ROOM, Limits};

impl Session {
    /// Why the session ended, if it has.
    #[inline]
    pub(crate) fn end_reason(&self) -> Option<&EndReason> {
        self.ended.as_ref()
    }

    /// How a connection ended that this end opened and has not closed, if it has.
    pub(crate) fn connection_end(&self, connection: ConnectionId) -> Option<EndReason> {
        match (&self.ended, self.calling.get(connection.0)) {
            (Some(reason), _) => Some(reason.clone()),
            (None, None) => Some(Calling::shut_by_peer()),
            (None, Some(_)) => None,
        }
    }

    /// Whether this end spoke first.
    pub(crate) fn is_initiator(&self) -> bool {
        self.role == Role::Initiator
    }

    /// Whether so much waits to be written that calls and items wait too.
    #[inline]
    pub(crate) fn outbox_is_full(&self) -> bool {
        self.fx.outbox.pending() > self.limits.outbox_bytes || self.fx.outbox.kept() > self.max_kept()
    }

    /// Whether so much waits to be written that long items wait too, and no more is asked for by starting handlers.
    #[inline]
    pub(crate) fn outbox_is_laden(&self) -> bool {
        self.outbox_is_full() || self.fx.outbox.pending_long() > self.limits.outbox_long_bytes
    }

    /// Whether another handler may be started: there is room for what it will answer. What is written will be kept where it must be
    /// acknowledged, so that it counts for that already.
    #[inline]
    pub(crate) fn may_answer_more(&self) -> bool {
        let outbox = &self.fx.outbox;
        let will_be_kept = || outbox.kept() + outbox.pending() + outbox.pending_long();
        !self.outbox_is_laden() && (self.resuming.is_none() || will_be_kept() <= self.max_kept())
    }

    /// Whether those who found it full may go on: with some way to go until it is full again.
    pub(crate) fn outbox_has_room(&self) -> bool {
        self.fx.outbox.pending() <= self.limits.outbox_bytes / 2 && self.fx.outbox.kept() <= self.max_kept() / 2
    }

    /// The same, of those who found it laden.
    pub(crate) fn outbox_has_long_room(&self) -> bool {
        self.outbox_has_room() && self.fx.outbox.pending_long() <= self.limits.outbox_long_bytes / 2
    }

    /// The most that is kept before calls and items wait. A peer acknowledges only so often.
    #[inline]
    pub(super) fn max_kept(&self) -> usize {
        self.limits.replay_bytes.max(Limits::LEAST_REPLAY)
    }

    /// How much the session's links have carried from the peer: calls, replies, items and credit. A peer that only opens and closes
    /// links, sessions or connections carries nothing.
    pub(crate) fn carried(&self) -> u64 {
        self.carried
    }

    /// Whether calls or channels are under way.
    pub(crate) fn is_live(&self) -> bool {
        self.calling.iter().any(|(_, c)| c.is_live()) || self.serving.iter().any(|(_, s)| s.is_live())
    }

    /// Whether any connection is open, of either side, or asked for by the peer.
    pub(crate) fn has_connections(&self) -> bool {
        !self.calling.is_empty() || !self.serving.is_empty() || self.offered > 0
    }

    /// Whether something that is to be sent has not left yet.
    pub(crate) fn has_unwritten(&self) -> bool {
        !self.fx.outbox.is_written() || !self.fx.outbox.is_empty()
    }

    /// Whether somebody waits for the reply to this request.
    pub(crate) fn waits_for_reply(&self, connection: ConnectionId, request: RequestId) -> bool {
        self.calling.get(connection.0).is_some_and(|calling| calling.waits_for(request))
    }

    /// How many items, and bytes of them, the peer takes on a channel before it has read any.
    pub(crate) fn send_window(&self) -> (u64, u64) {
        self.windows().send
    }

    /// How many calls of this end wait for an answer on the connection.
    #[inline]
    pub(crate) fn calls_in_flight(&self, connection: ConnectionId) -> usize {
        self.calling.get(connection.0).map_or(0, Calling::in_flight)
    }

    /// Whether the handler of this request is still wanted.
    pub(crate) fn wants(&self, connection: ConnectionId, request: RequestId) -> bool {
        self.detached.contains_key(&(connection, request))
            || self.leaving.wants(connection, request)
            || self.serving.get(connection.0).is_some_and(|serving| serving.wants(request))
    }

    /// Whether the caller of this request still waits for its answer.
    pub(crate) fn awaits(&self, connection: ConnectionId, request: RequestId) -> bool {
        self.serving.get(connection.0).is_some_and(|serving| serving.awaits(request))
    }

    /// How many handlers run for the peer, those whose connection is gone included.
    #[inline]
    pub(crate) fn handlers_running(&self) -> usize {
        self.attached_running() + self.aborting.len() + self.detached.len() + self.leaving.running()
    }

    #[inline]
    pub(super) fn attached_running(&self) -> usize {
        self.serving.iter().map(|(_, s)| s.running()).sum()
    }

    /// The longest payload that the peer takes.
    pub(crate) fn max_payload(&self) -> usize {
        let announced = usize::try_from(self.peer.max_message_bytes).unwrap_or(usize::MAX);
        announced.min(Limits::MESSAGE_CEILING).saturating_sub(HEAD_ROOM)
    }

    /// The most memory that the peer lets one message decode to.
    pub(crate) fn max_decoded(&self) -> usize {
        usize::try_from(self.peer.max_decoded_bytes).unwrap_or(usize::MAX)
    }

    /// The largest number of channels that one call can ever have.
    pub(crate) fn max_channels(&self) -> usize {
        usize::try_from(self.peer.max_channels).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{Bench, OURS};
    use super::super::Gate;
    use crate::limits::Limits;
    use crate::proto::Batch;
    use crate::wire::PART;

    #[test]
    fn nothing_short_waits_for_the_mark_of_parts_that_are_being_written() {
        let mut bench = Bench::new(Limits { outbox_bytes: 1000, ..Limits::default() });
        bench.write();
        bench.call_with(1, &[], None, 16 * PART);
        let (mut batch, now) = (Batch::default(), bench.now);
        bench.change(|session| session.take_parts(now, &mut batch, 8 * PART));
        let there = batch.len();
        assert!(there >= 8 * PART);
        // In pieces that end within a part, too.
        for written in [0, 1000, PART, there - PART - 1000] {
            assert_eq!(bench.session.gate(OURS, 0), Gate::Open);
            assert!(bench.session.outbox().pending() < 100);
            bench.change(|session| session.on_written(written));
        }
        assert!(bench.session.outbox().is_written());
        assert_eq!(bench.session.outbox().pending(), 0);
        // What is short counts, in front of parts and behind them.
        bench.call_with(2, &[], None, 1100);
        bench.change(|session| session.take_parts(now, &mut batch, 8 * PART));
        assert_eq!(bench.session.gate(OURS, 0), Gate::Wait);
    }

    #[test]
    fn who_waits_for_room_for_what_is_short_waits_for_no_long_message() {
        let mut bench = Bench::new(Limits { outbox_long_bytes: 2 * PART, ..Limits::default() });
        bench.call_with(1, &[], None, 16 * PART);
        let seen = |bench: &mut Bench| {
            let session = &bench.session;
            (
                session.outbox_is_full(),
                session.outbox_is_laden(),
                session.outbox_has_room(),
                session.outbox_has_long_room(),
            )
        };
        assert_eq!(seen(&mut bench), (false, true, true, false));
        bench.write();
        assert_eq!(seen(&mut bench), (false, false, true, true));
    }
}
