//! Serving: dispatchers, what a handler is told, and the server that accepts links.

mod answer;
mod args;
mod context;
mod describing;
mod detached;
mod figures;
mod for_test;
mod handler;
mod in_process;
mod incoming;
mod listen;
mod offer;
mod session_table;
mod untyped;

pub use crate::driver::{Choice, Dispatcher, Incoming, Offer, Peer};
pub use answer::Answer;
pub use args::{Args, InvalidArgs, Span};
pub use context::Context;
pub use for_test::{ContextBuilder, TestContext};
pub use handler::{IntoHandler, Serves};
pub use in_process::over_memory;
pub use incoming::{Accepted, Slot};
pub use listen::{ServeError, Server, ServerBuilder, ShutdownReport, serve};
pub(crate) use untyped::Outcome;
