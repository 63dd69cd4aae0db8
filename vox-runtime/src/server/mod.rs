//! Serving: dispatchers, what a handler is told, and the server that accepts links.

mod args;
mod context;
mod hall;
mod incoming;
mod listen;

pub use args::{Args, InvalidArgs, Span};
pub use context::{Context, Peer};
pub use incoming::{Accepted, Answer, Dispatcher, Incoming, Slot};
pub use listen::{Builder, ServeError, Server, ShutdownReport, serve};
