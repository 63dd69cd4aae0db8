//! Requests that wait for their handlers.

use super::serving::Request;
use super::table::IdTable;

/// Requests that were dispatched and whose handlers are not started, in the order of their dispatch. A session's driver
/// keeps one and tells it of each [`Dispatch`](super::Output::Dispatch): both count them, so a request is found by its
/// number.
#[derive(Debug, Default)]
pub(crate) struct WaitingRequests {
    table: IdTable<Request>,
    /// The number of the next dispatch.
    next: u64,
}

impl WaitingRequests {
    /// A request was dispatched, and waits.
    #[inline]
    pub(crate) fn push(&mut self, request: Request) {
        self.table.push_rare(self.next, request);
        self.next += 1;
    }

    /// A request was dispatched, and does not wait.
    pub(crate) fn pass(&mut self) {
        self.next += 1;
    }

    /// Takes out the request that has waited longest.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Request> {
        self.table.pop_first()
    }

    /// Takes out the request of the `nth` dispatch, if it still waits.
    pub(crate) fn take(&mut self, nth: u64) -> Option<Request> {
        self.table.remove(nth)
    }

    /// Whether the request of the `nth` dispatch still waits.
    pub(crate) fn holds(&self, nth: u64) -> bool {
        self.table.get(nth).is_some()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// None of them will be started.
    pub(crate) fn clear(&mut self) {
        self.table = IdTable::default();
    }
}
