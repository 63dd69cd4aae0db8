//! The driver: one tokio task for each session, and the handles that share its state.
//!
//! Session state has one owner: a mutex around [`State`], which holds the protocol's `Session` and, under the
//! tokens it was given, those who wait. A caller encodes in its own task, takes the lock to append its frame, and
//! writes to the link itself when no other call is in flight; otherwise the session's task writes, so that many
//! calls share one write. That task reads frames, hosts handlers and keeps the time. A lone call of many in a row reads
//! its reply itself ([`inline_reader`]). A task that reads holds the reader, and handlers run when none does.
//!
//! Nothing here decides anything about the protocol, and no lock is held while user code, a wake or an abort runs.

mod ask_accept_with;
mod ask_authenticate;
mod attempts;
mod backlog;
mod backoff;
mod blocking_watchdog;
mod buffers;
mod call_queue;
mod caller_handle;
mod channel_warnings;
mod clock;
mod connect_error;
mod connection_dispatchers;
mod deadline_alarm;
mod deferred;
mod dispatch;
mod endpoint;
mod handler_panic;
mod handlers;
mod handshake;
mod handshake_io;
mod inherited;
mod inline_reader;
mod item_runs;
mod link_state;
mod method_pace;
mod offer;
mod operation_runner;
mod part_reader;
mod peer;
mod peer_shares;
mod pending_handshakes;
mod pending_resumes;
mod pinned_buffers;
mod read_turn;
mod reading;
mod redial;
mod refusal_log;
mod registry;
mod router;
mod server_memory;
mod session_task;
mod shared;
mod shared_contracts;
mod silent_links;
mod slab;
mod state;
mod sync;
mod time;
mod wait_warnings;
mod waiting;
mod wake_plan;
mod write_pace;
mod writer;

pub(crate) use ask_accept_with::AcceptWith;
pub(crate) use ask_authenticate::Authenticate;
pub(crate) use backlog::{Backlog, HalfEnd};
pub use backoff::Backoff;
pub(crate) use backoff::{ConnectAttempts, Missed};
pub(crate) use buffers::{give_buffer, take_buffer};
pub(crate) use caller_handle::CallerHandle;
pub(crate) use clock::now;
pub use connect_error::ConnectError;
pub(crate) use deadline_alarm::Alarm;
pub(crate) use deferred::Deferred;
pub use dispatch::{Dispatcher, HandlerFuture, Incoming};
pub(crate) use endpoint::Endpoint;
pub(crate) use handshake::{
    AcceptedLink, Acceptor, Asking, Established, accept, face_to_face, initiate, initiate_at, unconnected,
};
pub(crate) use method_pace::ReusableFuture;
pub(crate) use pending_handshakes::{Doorway, Entrance};

pub(crate) use channel_warnings::PATIENCE;
pub(crate) use inherited::{Scope, is_cut};
pub(crate) use item_runs::SendRun;
pub use offer::{Choice, Offer};
pub(crate) use operation_runner::Granted;
pub use peer::Peer;
pub(crate) use redial::{Resumption, resume};
pub(crate) use registry::Registry;
pub(crate) use router::Router;
pub(crate) use session_task::LAST_WORDS;
pub(crate) use shared::{Shared, observe};
pub(crate) use slab::Slab;
pub(crate) use state::{Flush, OpenWaiter, State, Waiter};
pub(crate) use waiting::Sent;
pub(crate) use writer::LINK_PANICKED;
