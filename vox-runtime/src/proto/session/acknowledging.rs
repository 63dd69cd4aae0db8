//! Tells the peer which operations' outcomes are known here.

use super::Session;
use crate::ids::ConnectionId;
use crate::operation::OperationId;
use crate::wire::Frame;

/// Acknowledgements that may wait for something else to be written. As many calls must have ended meanwhile without one.
const MAX_DUE: usize = 128;

impl Session {
    /// Tells the peer that an operation's outcome is known here and will not be asked for again.
    pub(crate) fn acknowledge_operation(&mut self, connection: ConnectionId, operation: OperationId) {
        if self.ended.is_none() && self.calling.get(connection.0).is_some() {
            self.fx.send(&Frame::Acknowledge { connection, operation });
        }
    }

    /// The same, with whatever is written next: nothing is written for it alone.
    pub(crate) fn acknowledge_with_next(&mut self, connection: ConnectionId, operation: OperationId) {
        let due = self.due.get_or_insert_default();
        due.push((connection, operation));
        if due.len() >= MAX_DUE {
            self.acknowledge_due();
        }
    }

    /// Puts what is due after everything that was put before.
    #[inline]
    pub(super) fn acknowledge_due(&mut self) {
        if self.due.as_ref().is_none_or(|due| due.is_empty()) {
            return;
        }
        let mut due = std::mem::take(&mut self.due).unwrap_or_default();
        for (connection, operation) in due.drain(..) {
            self.acknowledge_operation(connection, operation);
        }
        self.due = Some(due);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{Bench, OURS};
    use super::*;
    use crate::limits::Limits;

    fn id(id: u128) -> OperationId {
        OperationId::from_u128(id)
    }

    fn said(id: u128) -> Frame {
        Frame::Acknowledge { connection: OURS, operation: OperationId::from_u128(id) }
    }

    #[test]
    fn an_acknowledgement_leaves_with_whatever_is_written_next_and_only_once() {
        let mut bench = Bench::resumable(Limits::default());
        bench.change(|session| session.acknowledge_with_next(OURS, id(1)));
        assert!(!bench.session.has_output());
        bench.change(|session| session.acknowledge_operation(OURS, id(2)));
        assert!(bench.session.has_output());
        assert_eq!(bench.sent(), [said(2), said(1)]);
        assert_eq!(bench.sent(), []);
    }

    #[test]
    fn the_last_acknowledgements_leave_before_their_connection_or_session_ends() {
        let ends: [fn(&mut Session); 2] = [|session| session.shut(OURS), |session| session.goodbye("")];
        for end in ends {
            let mut bench = Bench::new(Limits::default());
            bench.change(|session| session.acknowledge_with_next(OURS, id(1)));
            bench.change(end);
            let sent = bench.sent();
            assert!(sent.len() == 2 && sent[0] == said(1), "{sent:?}");
        }
    }

    #[test]
    fn only_so_many_acknowledgements_wait() {
        let mut bench = Bench::new(Limits::default());
        for number in 1..=MAX_DUE {
            assert!(!bench.session.has_output());
            bench.change(|session| session.acknowledge_with_next(OURS, id(number as u128)));
        }
        assert!(bench.session.has_output());
        assert_eq!(bench.sent().len(), MAX_DUE);
    }
}
