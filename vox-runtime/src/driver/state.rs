//! The state of a session, under its lock. Its methods are in the files below, by subject.

mod backlogs;
mod dispatchers;
mod driver_wakes;
mod ending;
mod endpoints;
mod hosted;
mod idle_channels;
mod inline_reads;
mod link_loss;
mod observers;
mod offers;
mod opens;
mod outputs;
mod refusals;
mod replies;
mod send_runs;
mod suspending;
#[cfg(test)]
mod test_trap;
mod wait_warnings;
mod waiting_calls;
mod withdrawals;
mod writes;

#[cfg(test)]
pub(super) use test_trap::Trap;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use tokio::task::AbortHandle;

use super::call_queue::Queue;
use super::connection_dispatchers::ChosenTable;
use super::deferred::Deferred;
use super::endpoint::Endpoint;
use super::inline_reader::{InlineReader, ReadWaker};
use super::item_runs::Runs;
use super::link_state::LinkState;
use super::method_pace::Handlers;
use super::peer_shares::Seat;
use super::refusal_log::Refusing;
use super::slab::Slab;
use super::wait_warnings::Patience;
use super::wake_plan::WakePlan;
use super::writer::Writer;
use crate::error::Refusal;
use crate::ids::{ConnectionId, RequestId};
use crate::proto::{CallEnd, Request, Session, Token, WaitingRequests};

/// What the lock guards.
pub(crate) struct State {
    pub(crate) session: Session,
    pub(crate) waiters: Slab<Waiter>,
    pub(crate) endpoints: Slab<Endpoint>,
    /// Those who ask for a connection. Most sessions never have any.
    pub(crate) opens: Option<Box<Slab<OpenWaiter>>>,
    /// Senders that have something to send once the outbox has room.
    pub(super) backlogs: Vec<Token>,
    /// What senders gather without the lock.
    pub(super) runs: Runs,
    /// Calls that wait for their turn.
    pub(super) queue: Queue,
    pub(super) next_ticket: u64,
    /// Who waits for a limit to make room. Most sessions never have any.
    pub(super) patience: Option<Box<Patience>>,
    /// No later than the earliest deadline of a call in the queue, or than something is to be said of a channel that waits.
    pub(super) queue_deadline: Option<Instant>,
    /// Handlers that have a task of their own. Many sessions never have any.
    pub(super) tasks: Tasks,
    /// Requests for the driver to host.
    pub(super) requests: WaitingRequests,
    /// `None` while somebody writes.
    pub(super) writer: Option<Box<Writer>>,
    pub(super) link: LinkState,
    /// Whether the driver, or a sender, has to be woken.
    pub(super) wake_plan: WakePlan,
    /// Which call reads the link itself.
    pub(super) inline_reader: InlineReader,
    pub(super) watch: Arc<ReadWaker>,
    /// What the task that was relieved knows of methods, for the one in charge.
    pub(super) left: Option<Handlers>,
    /// Who keeps the session open though nothing is open on it.
    pub(crate) holders: usize,
    /// New calls and connections are refused: the server is shutting down.
    pub(super) draining: bool,
    pub(super) suspended: Suspended,
    pub(super) refusing: Refusing,
    /// The session's task has ended: its last words are said, or never will be.
    pub(crate) over: bool,
    /// Its place among the sessions of a server, until it ends.
    pub(super) seat: Option<Seat>,
    /// What serves single connections. Most sessions never have any.
    pub(super) chosen: Option<Box<ChosenTable>>,
    /// Who waits for the session's end, or for its last handler.
    pub(super) observers: BTreeMap<u64, Waker>,
    /// What is done once the lock is free.
    pub(crate) deferred: Deferred,
    #[cfg(test)]
    pub(super) trap: Option<Trap>,
}

/// What aborts the tasks of handlers.
#[allow(clippy::box_collection, reason = "idle sessions are many")]
pub(super) type Tasks = Option<Box<HashMap<(ConnectionId, RequestId), AbortHandle>>>;

/// A call's waiting end.
#[derive(Debug)]
pub(crate) enum Waiter {
    Waiting(Option<Waker>),
    Done(CallEnd),
}

impl Waiter {
    /// Its waker, for a while in which it is not to be woken.
    pub(super) fn take_waker(&mut self) -> Option<Waker> {
        match self {
            Self::Waiting(waker) => waker.take(),
            Self::Done(_) => None,
        }
    }
}

/// An `open` that waits for its answer.
#[derive(Debug)]
pub(crate) enum OpenWaiter {
    Waiting(Option<Waker>),
    /// Nobody waits any more: an accepted connection is closed at once.
    Abandoned,
    Done(Result<ConnectionId, Refusal>),
}

/// A request to host.
pub(super) struct Next {
    pub(super) request: Request,
    /// No other waits. One that a call reads inline meanwhile the driver finds before its turn ends.
    pub(super) last: bool,
}

/// Who writes what a change put into the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flush {
    /// The one who made the change, here and now.
    Here,
    /// The driver, together with whatever else comes up until then.
    Driver,
}

impl State {
    pub(super) fn new(session: Session, writer: Box<Writer>, watch: Arc<ReadWaker>) -> Self {
        Self {
            session,
            waiters: Slab::default(),
            endpoints: Slab::default(),
            opens: None,
            backlogs: Vec::new(),
            runs: Runs::default(),
            queue: Queue::default(),
            next_ticket: 0,
            patience: None,
            queue_deadline: None,
            tasks: None,
            requests: WaitingRequests::default(),
            writer: Some(writer),
            link: LinkState::default(),
            wake_plan: WakePlan::new(),
            inline_reader: InlineReader::default(),
            watch,
            left: None,
            holders: 0,
            draining: false,
            suspended: None,
            refusing: Refusing::default(),
            over: false,
            seat: None,
            chosen: None,
            observers: BTreeMap::new(),
            deferred: Deferred::default(),
            #[cfg(test)]
            trap: None,
        }
    }
}

/// Tasks of handlers that are not polled, so that they make no replies. Most sessions never have any.
#[allow(clippy::box_collection, reason = "idle sessions are many")]
pub(super) type Suspended = Option<Box<Vec<Waker>>>;
