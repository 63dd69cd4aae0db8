//! Calls of the peer: finds their connection, and takes or refuses them.

use std::time::Instant;

use bytes::Bytes;

use super::super::Output;
use super::super::memory_ledger::{CHANNEL, request_cost};
use super::super::serving::HandlerEnd;
use super::{Session, earlier};
use crate::error::{ProtocolViolation, Scarce, Short};
use crate::ids::{ConnectionId, RequestId};
use crate::limits::Refused;
use crate::operation::OperationId;
use crate::wire::{CallHead, Failure};

impl Session {
    #[inline]
    pub(super) fn on_call(&mut self, now: Instant, head: CallHead, payload: Bytes) -> Result<(), ProtocolViolation> {
        self.acknowledges()?;
        let (connection, request, method) = (head.connection, head.request, head.method);
        let kept = request_cost(&head, self.fx.frame_len()) + head.channels.len() * CHANNEL;
        let (limits, windows) = ((self.limits.max_calls, self.limits.max_channels), self.windows());
        let Some(serving) = self.serving.get_mut(connection.0) else {
            return self.stray(connection, "a call", self.role.peer());
        };
        let deadline = head.timeout.and_then(|left| now.checked_add(left));
        if !serving.on_call(now, head, payload, limits, &windows, &mut self.fx)? {
            return Ok(());
        }
        self.deadline = earlier(self.deadline, deadline);
        let detaches = serving.detaches(method);
        self.keep_house(connection, request, detaches, kept);
        Ok(())
    }

    /// A call has come in parts, whose time began at `since`.
    pub(super) fn on_call_whole(
        &mut self,
        since: Instant,
        head: CallHead,
        payload: Bytes,
    ) -> Result<(), ProtocolViolation> {
        let (connection, request, method) = (head.connection, head.request, head.method);
        let Some(serving) = self.serving.get_mut(connection.0) else { return Ok(()) };
        let deadline = head.timeout.and_then(|left| since.checked_add(left));
        let kept = serving.charge_of(request) + payload.len() + head.channels.len() * CHANNEL;
        if !serving.on_call_whole(head, payload, deadline, &mut self.fx) {
            return Ok(());
        }
        self.deadline = earlier(self.deadline, deadline);
        let detaches = serving.detaches(method);
        self.keep_house(connection, request, detaches, kept);
        Ok(())
    }

    /// The call that was just taken is answered where it is one too many for this end.
    #[inline]
    fn keep_house(&mut self, connection: ConnectionId, request: RequestId, detaches: bool, kept: usize) {
        let short = self.is_full_house(detaches).or_else(|| self.is_over_memory(kept, 0));
        // The newest output is this call's dispatch: a full house answers for it instead.
        if let Some(short) = short
            && self.fx.take_back_dispatch()
        {
            self.handler_ended(connection, request, HandlerEnd::Failed(Failure::Busy(short)));
            self.fx.refused(Refused::Call, short);
        }
    }

    /// What is short, if the call that was just taken is one too many for this end, though not for what it announced.
    #[inline]
    fn is_full_house(&self, detaches: bool) -> Option<Short> {
        // Most of the time no handler runs but those that are waited for.
        if !self.aborting.is_empty() {
            // A peer that opens, calls and shuts again and again would otherwise have any number of handlers running.
            let most = self.limits.max_connections.saturating_mul(self.limits.max_calls);
            let running = self.attached_running() + self.aborting.len();
            if running > most {
                return Some(Short::new(Scarce::Handlers, running, most));
            }
        }
        let most = self.limits.max_detached;
        (detaches && self.detached.len() >= most).then(|| Short::new(Scarce::Detached, self.detached.len() + 1, most))
    }

    pub(super) fn on_cancel(&mut self, connection: ConnectionId, request: RequestId) -> Result<(), ProtocolViolation> {
        let Some(serving) = self.serving.get_mut(connection.0) else {
            return self.stray(connection, "a cancel", self.role.peer());
        };
        serving.on_cancel(request, &mut self.fx)?;
        self.expect_room();
        self.acknowledges()
    }

    pub(super) fn on_acknowledge(
        &mut self,
        connection: ConnectionId,
        operation: OperationId,
    ) -> Result<(), ProtocolViolation> {
        if self.serving.get(connection.0).is_none() {
            return self.stray(connection, "an acknowledgement", self.role.peer());
        }
        self.fx.emit(Output::Acknowledged { operation });
        Ok(())
    }
}
