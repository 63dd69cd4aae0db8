//! The shell: one tokio task per session, and the handles that share its state.
//!
//! Session state has one owner: a mutex around [`State`], which holds the protocol's `Session` and, under the
//! tokens it was given, those who wait. A caller encodes in its own task, takes the lock to append its frame, and
//! writes to the link itself when no other call is in flight; otherwise the session's task writes, so that many
//! calls share one write. That task reads frames, hosts handlers and keeps the time. A lone call of many in a row reads
//! its reply itself ([`inline_reader`]). A task that reads holds the reader, and handlers run when none does.
//!
//! Nothing here decides anything about the protocol, and no lock is held while user code, a wake or an abort runs.

mod accepting;
mod accounts;
mod alarm;
mod attempts;
mod authenticating;
mod backlog;
mod backoff;
mod buffers;
mod caller_handle;
mod chosen;
mod claimants;
mod clock;
mod connect;
mod connect_error;
mod deferred;
mod dispatch;
mod doorway;
mod endpoint;
mod half_open;
mod handlers;
mod handshake;
mod heard;
mod inline_reader;
mod link_state;
mod long_part;
mod lookout;
mod method_pace;
mod offer;
mod operation_runner;
mod pace;
mod patience;
mod peer;
mod pins;
mod queue;
mod reading;
mod redial;
mod refusing;
mod registry;
mod router;
mod runs;
mod scope;
mod server_memory;
mod shared;
mod slab;
mod state;
mod task;
mod time;
mod turn;
mod unused;
mod waiting;
mod writer;

pub(crate) use accepting::AcceptWith;
pub(crate) use alarm::Alarm;
pub(crate) use authenticating::Authenticate;
pub(crate) use backlog::{Backlog, HalfEnd};
pub use backoff::Backoff;
pub(crate) use backoff::{ConnectAttempts, Missed};
pub(crate) use buffers::{give_buffer, take_buffer};
pub(crate) use caller_handle::CallerHandle;
pub(crate) use clock::now;
pub(crate) use connect::{
    AcceptedLink, Acceptor, Asking, Established, accept, face_to_face, initiate, initiate_at, unconnected,
};
pub use connect_error::ConnectError;
pub(crate) use deferred::Deferred;
pub use dispatch::{Dispatcher, HandlerFuture, Incoming};
pub(crate) use doorway::{Doorway, Entrance};
pub(crate) use endpoint::Endpoint;
pub(crate) use method_pace::ReusableFuture;

pub use offer::{Choice, Offer};
pub(crate) use operation_runner::Granted;
pub use peer::Peer;
pub(crate) use redial::{Resumption, resume};
pub(crate) use registry::Registry;
pub(crate) use router::Router;
pub(crate) use runs::SendRun;
pub(crate) use scope::{Scope, is_cut};
pub(crate) use shared::{Shared, observe};
pub(crate) use slab::Slab;
pub(crate) use state::{Flush, OpenWaiter, State, Waiter};
pub(crate) use task::LAST_WORDS;
pub(crate) use unused::PATIENCE;
pub(crate) use waiting::Sent;
pub(crate) use writer::LINK_PANICKED;
