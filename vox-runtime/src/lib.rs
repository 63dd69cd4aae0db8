//! The driver runtime of vox: a pure protocol core in a thin tokio shell.
//!
//! Users depend on the facade crate `vox`, which re-exports what is theirs. The rooms, and which way
//! imports point, are described in `ARCHITECTURE.md`.

#![deny(unsafe_code)]
#![warn(clippy::exhaustive_enums, clippy::exhaustive_structs)]

pub mod codec;
pub mod compat;
pub mod descriptor;
pub mod dynamic;
pub mod store;
pub mod transport;
pub mod value;

#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;

mod catch_panic;
mod channel;
mod client;
mod driver;
mod error;
mod escaped;
mod evidence;
mod ids;
mod limits;
mod metadata;
mod operation;
mod policy;
mod proto;
mod reply;
mod schema;
mod server;
mod sorted;
mod terms;
mod type_advice;
mod wire;

pub use channel::{RecvError, Rx, SendError, TryRecvError, TrySendError, Tx, channel};
pub use client::{
    Call, Caller, Client, Closing, Connect, ConnectError, Connected, Credentials, NoopClient, OpenError, Session,
    SessionState, SessionWatch, Target, connect,
};
pub use descriptor::{RetryPolicy, ServiceError};
pub use driver::{Backoff, HandlerFuture};
pub use error::{
    CallError, Cause, Clocks, EndReason, MethodError, Never, NotSent, Place, ProtocolViolation, Ran, Reason, Refusal,
    RefusalCode, Rule, Shortage, VoxError,
};
pub use ids::{ConnectionId, RequestId};
pub use limits::{LimitError, Limits, Refusals};
pub use metadata::Metadata;
pub use operation::{InvalidOperationId, Operation, OperationId, Principal};
pub use server::{
    Choice, Context, ContextBuilder, Dispatcher, Incoming, Offer, Peer, ServeError, Server, ServerBuilder,
    ShutdownReport, TestContext, serve,
};

pub use facet;

/// Fails where a service does not go with its releases, or is not what its snapshot says.
///
/// The first argument is the service of a client; the second is the path of the snapshot, from the crate's own directory. What was
/// released is beside it: all snapshots of the service in the directory `released` there, and in those below. As long as there are
/// none, the snapshot itself is what counts. With `VOX_BLESS=1` in the environment the snapshot is written, if nothing breaks.
///
/// ```no_run
/// # extern crate vox_runtime as vox;
/// # #[vox_macros::service(crate = vox)]
/// # trait Bank {
/// #     async fn balance(&self, account: u64) -> u64;
/// # }
/// # fn main() {
/// // In a test:
/// vox::assert_compatible!(BankClient::SERVICE, "schemas/bank.vox");
/// # }
/// ```
#[macro_export]
macro_rules! assert_compatible {
    ($service:expr, $path:expr $(,)?) => {
        $crate::compat::assert_compatible($service, ::core::env!("CARGO_MANIFEST_DIR"), $path)
    };
}

/// What generated code names. Not for anyone else: it changes with the macro.
#[doc(hidden)]
pub mod __private {
    pub use crate::client::{Call, CallWriter, Caller, Client, Connect};
    pub use crate::descriptor::{self, ArgDescriptor, MethodDescriptor, RetryPolicy, ServiceDescriptor};
    pub use crate::driver::HandlerFuture;
    pub use crate::error::Never;
    pub use crate::evidence::{
        ArgPlan as Plan, IsResult, IsSend, NotFacet, NotResult, NotSend, Outcome, ReplyWire, Returned, SendFuture,
        SendOutcome, Wire, listed, method,
    };
    pub use crate::ids::MethodId;
    pub use crate::reply::Reply;
    pub use crate::server::over_memory;
    pub use crate::server::{
        Accepted, Answer, Args, Dispatcher, Incoming, IntoHandler, InvalidArgs, Serves, Slot, Span,
    };
    pub use facet::Facet;
}
