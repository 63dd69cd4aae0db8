//! The charges of requests.

use super::super::Effects;
use super::super::memory_ledger::Charge;
use super::{Running, RunningState, Serving};
use crate::error::Short;
use crate::ids::RequestId;

impl Serving {
    /// There is no room for a long request that has begun.
    pub(in super::super) fn arrives_in_vain(&mut self, request: RequestId, short: Short) {
        if let Some(Running { state: RunningState::Arrives { in_vain, .. }, .. }) = self.running.get_mut(request.0) {
            *in_vain = Some(Box::new(short));
        }
    }

    /// Nothing is left of a request.
    pub(super) fn drop_running(&mut self, request: RequestId, fx: &mut Effects) -> Option<RunningState> {
        let running = self.running.remove(request.0)?;
        fx.ledger.release(running.charge);
        Some(running.state)
    }

    /// What is charged for a request.
    pub(in super::super) fn charge_of(&self, request: RequestId) -> usize {
        self.running.get(request.0).map_or(0, |running| running.charge.bytes())
    }

    /// The same, to charge more for it.
    pub(in super::super) fn charge_mut(&mut self, request: RequestId) -> Option<&mut Charge> {
        self.running.get_mut(request.0).map(|running| &mut running.charge)
    }

    /// What a walk finds that is charged.
    #[cfg(test)]
    pub(in super::super) fn walk(&self) -> usize {
        self.channels.walk() + self.running.iter().map(|(_, running)| running.charge.bytes()).sum::<usize>()
    }
}
