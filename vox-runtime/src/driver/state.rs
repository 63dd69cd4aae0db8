//! What the lock of a session guards. Its methods are in the files below, by what they are about.

mod backlogs;
mod dispatchers;
mod driver_wakes;
mod ending;
mod endpoints;
mod hosted;
mod idle_channels;
mod inline_reads;
mod link_loss;
mod long_waits;
mod observers;
mod offers;
mod opens;
mod outputs;
mod refusals;
mod replies;
mod send_runs;
mod suspending;
#[cfg(test)]
mod trap;
mod waiting_calls;
mod withdrawals;
mod writes;

#[cfg(test)]
pub(super) use trap::Trap;

use std::collections::{BTreeMap, HashMap};
use std::io;
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
use super::writer::{Writer, Writing};
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
    pub(super) writing: Writing,
    /// `None` while somebody writes.
    pub(super) writer: Option<Box<Writer>>,
    pub(super) link: LinkState,
    /// The number of the link that the driver knows of.
    pub(super) known_link: u64,
    /// Somebody else than the driver found the link full. The driver tries again: the wake for it may have come
    /// while that other was still at it.
    pub(super) unwatched: bool,
    /// Since when the link has taken nothing, if it does not.
    pub(super) stalled: Option<Instant>,
    /// Somebody waits for the outbox to shrink, or for what it has of long messages.
    pub(super) outbox_full: bool,
    pub(super) outbox_laden: bool,
    /// The link's own failure, for the driver to take up.
    pub(super) link_error: Option<io::Error>,
    pub(super) driver: Waker,
    /// Which call reads the link itself.
    pub(super) inline_reader: InlineReader,
    pub(super) watch: Arc<ReadWaker>,
    /// The driver is being polled and will look at everything before it sleeps.
    pub(super) driver_awake: bool,
    /// When the driver's timer is set to.
    pub(super) armed: Option<Instant>,
    /// What the task that was relieved knows of methods, for the one in charge.
    pub(super) left: Option<Handlers>,
    /// Who keeps the session open though nothing is open on it.
    pub(crate) holders: usize,
    /// New calls and connections are refused: the server is shutting down.
    pub(super) draining: bool,
    pub(super) suspended: Suspended,
    pub(super) refusing: Refusing,
    /// What was read is left for later.
    pub(super) held_off: bool,
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
            writing: Writing::default(),
            writer: Some(writer),
            link: LinkState::default(),
            known_link: 0,
            unwatched: false,
            stalled: None,
            outbox_full: false,
            outbox_laden: false,
            link_error: None,
            driver: Waker::noop().clone(),
            inline_reader: InlineReader::default(),
            watch,
            driver_awake: false,
            armed: None,
            left: None,
            holders: 0,
            draining: false,
            suspended: None,
            refusing: Refusing::default(),
            held_off: false,
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
