//! What a change of the state asks for that must not be done under its lock.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use tokio::task::AbortHandle;

use super::accepting::Waiting;
use super::lookout::has_woken;
use super::patience::Waiting as WaitsFor;
use super::shared::Shared;
use super::unused::PATIENCE;
use crate::contained::{catch_panic, wake_all};
use crate::descriptor::MethodDescriptor;
use crate::error::{EndReason, Scarce, Short};
use crate::ids::{ChannelId, ConnectionId, RequestId};
use crate::limits::Refused;
use crate::metadata::Metadata;
use crate::operation::OperationId;
use crate::server::Dispatcher;
use crate::shown::Shown;
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
    static WAKES: Cell<Vec<Waker>> = const { Cell::new(Vec::new()) };
    static OPERATION_EVENTS: Cell<Vec<OperationEvent>> = const { Cell::new(Vec::new()) };
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

    /// Does it. The lock is free: those who are woken may take it.
    pub(super) fn run(mut self, shared: &Shared) {
        if !self.wakes.is_empty() {
            has_woken(true);
            wake_all(self.wakes.drain(..));
        }
        for waker in self.spent {
            catch_panic(move || drop(waker));
        }
        let mut thrown = None;
        for note in self.notes {
            match note {
                LogEvent::Abort(task) => task.abort(),
                LogEvent::Thrown(payload) => thrown = Some(payload),
                LogEvent::Choose(waiting) => shared.ask_what_serves(waiting),
                LogEvent::LetGo(dispatcher) => catch_panic(move || drop(dispatcher)),
                note => catch_panic(move || note.log(shared.peer.address(), shared.number)),
            }
        }
        if !self.operations.is_empty() {
            // What is done about them may be a task. Who does it may be a call that is awaited elsewhere.
            let _runtime = shared.runtime.enter();
            for notice in self.operations.drain(..) {
                shared.notice(notice);
            }
            let _ = OPERATION_EVENTS.try_with(|stock| stock.set(self.operations));
        }
        let _ = WAKES.try_with(|stock| stock.set(self.wakes));
        if let Some(payload) = thrown {
            resume_unwind(payload);
        }
    }
}

impl LogEvent {
    fn log(self, peer: &str, session: u64) {
        match self {
            Self::Offered(connection, service, metadata) => {
                let service = Shown::name(&service);
                tracing::debug!(connection = connection.0, %service, ?metadata, "the peer asks for a connection");
            }
            Self::LinkDown(reason) => tracing::debug!(%reason, "the session has no link"),
            Self::LinkUp => tracing::debug!("the session has a new link"),
            Self::WaitsLong(what, 1, long) => tracing::warn!(peer = %Shown::new(peer), "{what}, for {long:?} so far"),
            Self::WaitsLong(what, count, long) => {
                tracing::warn!(peer = %Shown::new(peer), count, "{what}, and {} more do so, for {long:?} so far", count - 1);
            }
            Self::Ended(reason) => tracing::debug!(%reason, "the session ended"),
            Self::Refused(what, short) => {
                let limit = short.of().and_then(Scarce::field).unwrap_or_default();
                let (needed, most, what) = (short.needed, short.limit, what.words().unwrap_or_default());
                let peer = Shown::new(peer);
                tracing::warn!(%peer, session, limit, needed, most, "{what}, for this end is past a limit: {short}; others are not logged for a minute");
            }
            Self::Abort(_) | Self::Thrown(_) | Self::Choose(_) | Self::LetGo(_) => {}
            Self::Fault => tracing::error!(
                peer,
                session,
                "vox has a bug: it panicked in this session, which ends for that. Please report it, with the panic's message"
            ),
            Self::Unused(method, channel) => tracing::warn!(
                "the call of `{}::{}` has waited for {} s, and nothing was sent on channel {channel} that it came with: if its handler \
                 waits for items, send them beside the call, in a task or by `join!`",
                method.service,
                method.name,
                PATIENCE.as_secs(),
            ),
            Self::LeftOpen(method, channel, idle) => tracing::warn!(
                peer = %Shown::new(peer),
                "the call of `{}::{}` has not been answered, and for {} s nothing was sent on channel {channel} that it came with, which is \
                 still open: if that was all, close it by `Tx::close`, for a handler that reads to the end waits for that; if more \
                 comes later, nothing is wrong. This is said once for each method of a session",
                method.service,
                method.name,
                idle.as_secs(),
            ),
        }
    }
}
