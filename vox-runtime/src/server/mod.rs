//! Serving: dispatchers, what a handler is told, and the server that accepts links.

mod accept_with;
mod answer;
mod args;
mod context;
mod counters;
mod describing;
mod detached_sessions;
mod handler;
mod in_process;
mod incoming;
mod listen;
mod session_table;
mod shutdown;
mod test_context;
mod untyped;

pub use crate::driver::{Choice, Dispatcher, Incoming, Offer, Peer};
pub use answer::Answer;
pub use args::{Args, InvalidArgs, Span};
pub use context::Context;
pub use handler::{IntoHandler, Serves};
pub use in_process::over_memory;
pub use incoming::{Accepted, Slot};
pub use listen::{ServeError, Server, ServerBuilder, serve};
pub use shutdown::ShutdownReport;
pub use test_context::{ContextBuilder, TestContext};
pub(crate) use untyped::Outcome;
