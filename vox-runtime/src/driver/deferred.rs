//! Work that a change of the state asks for and that must not be done under its lock.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use tokio::task::AbortHandle;

use super::ask_accept_with::Waiting;
use super::dispatch::Dispatcher;
use super::wait_warnings::Waiting as WaitsFor;
use crate::descriptor::MethodDescriptor;
use crate::error::{EndReason, Short};
use crate::ids::{ChannelId, ConnectionId, RequestId};
use crate::limits::Refused;
use crate::metadata::Metadata;
use crate::operation::OperationId;
use crate::wire::Failure;

/// What is done once the lock is free again.
#[derive(Default)]
pub(crate) struct Deferred {
    pub(super) wakes: Vec<Waker>,
    /// Wakers that are let go of. With the last one a task may go, and whatever it holds of the session.
    pub(super) spent: Vec<Waker>,
    pub(super) notes: Vec<LogEvent>,
    pub(super) operations: Vec<OperationEvent>,
}

/// What the operations are told.
pub(super) enum OperationEvent {
    Withdrawn(ConnectionId, RequestId, Failure, bool),
    Acknowledged(OperationId),
}

/// What is done seldom: mostly something is logged, and a subscriber may call anything.
pub(super) enum LogEvent {
    /// A handler's task is told to end.
    Abort(AbortHandle),
    /// The application is asked what serves a connection.
    Choose(Waiting),
    /// A dispatcher is let go of.
    LetGo(Arc<dyn Dispatcher>),
    Offered(ConnectionId, String, Metadata),
    LinkDown(EndReason),
    LinkUp,
    Ended(EndReason),
    /// vox panicked in this session.
    Fault,
    /// How many wait so, and how long the first of them has.
    WaitsLong(WaitsFor, usize, Duration),
    Unused(&'static MethodDescriptor, ChannelId),
    Refused(Refused, Short),
    LeftOpen(&'static MethodDescriptor, ChannelId, Duration),
    /// A waker has panicked when it was cloned. That is told to nobody but the task that brought it.
    Thrown(Box<dyn Any + Send>),
}

thread_local! {
    /// Lists that this thread used before, so that waking a call or acknowledging one allocates nothing.
    pub(super) static WAKES: Cell<Vec<Waker>> = const { Cell::new(Vec::new()) };
    pub(super) static OPERATION_EVENTS: Cell<Vec<OperationEvent>> = const { Cell::new(Vec::new()) };
}

impl Deferred {
    /// Takes what there is to do, if anything.
    #[inline]
    pub(super) fn take(&mut self) -> Option<Self> {
        let quiet = self.notes.is_empty() && self.operations.is_empty();
        if self.wakes.is_empty() && self.spent.is_empty() && quiet {
            return None;
        }
        Some(self.take_some())
    }

    /// A clone of a waker, to be kept. `None`: it panicked, which goes on in the task that brought it once the lock is free.
    pub(crate) fn kept(&mut self, waker: &Waker) -> Option<Waker> {
        catch_unwind(AssertUnwindSafe(|| waker.clone()))
            .map_err(|payload| self.notes.push(LogEvent::Thrown(payload)))
            .ok()
    }

    /// A waker that is needed no more: it goes once the lock is free.
    pub(crate) fn spend(&mut self, waker: Waker) {
        self.spent.push(waker);
    }

    /// Keeps a clone of a waker in a place where another may be.
    pub(crate) fn keep(&mut self, place: &mut Option<Waker>, waker: &Waker) {
        if let Some(kept) = self.kept(waker) {
            self.spent.extend(place.replace(kept));
        }
    }

    fn take_some(&mut self) -> Self {
        let wakes = WAKES.try_with(Cell::take).unwrap_or_default();
        let operations = match self.operations.is_empty() {
            true => Vec::new(),
            false => OPERATION_EVENTS.try_with(Cell::take).unwrap_or_default(),
        };
        let next = Self { wakes, spent: Vec::new(), notes: Vec::new(), operations };
        std::mem::replace(self, next)
    }
}
