//! The end of what was open on a connection that is gone.

use super::super::memory_ledger::Charge;
use super::super::reassembly::Reassembly;
use super::super::{Effects, Output};
use super::{Detached, Running, RunningState, Serving, runs_to_its_end};
use crate::error::EndReason;
use crate::ids::RequestId;
use crate::wire::Failure;

/// Where handlers are kept whose connection is gone: those that run on, and those that were told to end.
pub(in super::super) type Rooms<'a> = (&'a mut Detached, &'a mut Detached);

impl Serving {
    /// So many requests and channels end. Nobody is left to answer; handlers of `persist` methods run on, and the others until they
    /// notice. `true`: that was all.
    pub(in super::super) fn end_some(
        &mut self,
        reason: &EndReason,
        room: &mut usize,
        (detached, aborting): Rooms<'_>,
        reassembly: &mut Reassembly,
        fx: &mut Effects,
    ) -> bool {
        while *room > 0
            && let Some(request) = self.running.first()
        {
            *room -= 1;
            self.end_one(RequestId(request), (&mut *detached, &mut *aborting), reassembly, fx);
        }
        self.running.is_empty() && self.channels.end_some(reason, room, fx)
    }

    /// The same of one request.
    pub(in super::super) fn end_one(
        &mut self,
        request: RequestId,
        (detached, aborting): Rooms<'_>,
        reassembly: &mut Reassembly,
        fx: &mut Effects,
    ) {
        let Some(Running { method, nth, as_operation, state, charge, .. }) = self.running.remove(request.0) else {
            return;
        };
        if let RunningState::Arrives { number, .. } = state {
            self.arriving -= 1;
            reassembly.disown(number);
            return fx.ledger.release(charge);
        }
        let (connection, runs_on) = (self.id, runs_to_its_end(self.descriptor, method));
        let room = if runs_on { detached } else { aborting };
        if let Some(before) = room.insert((connection, request), charge) {
            fx.ledger.release(before);
        }
        match state {
            RunningState::Runs if as_operation => {
                fx.emit(Output::Withdraw { connection, request, nth, failure: Failure::Cancelled, runs_on });
            }
            RunningState::Runs => fx.emit(Output::AbortHandler { connection, request, nth }),
            RunningState::Arrives { .. }
            | RunningState::Aborting(_)
            | RunningState::Withdrawn
            | RunningState::Unwanted => {}
        }
    }

    /// A handler has ended by itself. Gives what was charged for it.
    pub(in super::super) fn forget_running(&mut self, request: RequestId) -> Option<Charge> {
        let running = self.running.remove(request.0)?;
        self.arriving -= u32::from(matches!(running.state, RunningState::Arrives { .. }));
        Some(running.charge)
    }

    /// Whether the handler of this request runs on when its turn to end comes.
    pub(in super::super) fn leaves_running(&self, request: RequestId) -> bool {
        self.running.get(request.0).is_some_and(|running| runs_to_its_end(self.descriptor, running.method))
    }
}
