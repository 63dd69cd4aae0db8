//! Serving: dispatchers, what a handler is told, and the server that accepts links.

mod args;
mod context;
mod describing;
mod detached;
mod for_test;
mod handler;
mod incoming;
mod listen;
mod offer;
mod session_table;
mod untyped;

pub use args::{Args, InvalidArgs, Span};
pub use context::{Context, Peer};
pub use for_test::{ContextBuilder, TestContext};
pub use handler::{IntoHandler, Serves};
pub use incoming::{Accepted, Answer, Dispatcher, Incoming, Slot};
pub use listen::{ServeError, Server, ServerBuilder, ShutdownReport, serve};
pub(crate) use offer::Chosen;
pub use offer::{Choice, Offer};
pub(crate) use untyped::Outcome;
