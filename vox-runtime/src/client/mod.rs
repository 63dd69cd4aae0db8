//! Calling: clients, the builders of calls and connections, sessions.

mod argument_writer;
mod call;
mod caller;
mod client_connection;
mod config;
mod connect;
mod credentials;
mod opening;
mod phase;
mod reconnector;
mod remote;
mod retry_budget;
mod session;
mod state;
mod wait_closed;
mod written;

pub use crate::driver::ConnectError;
pub use argument_writer::CallWriter;
pub use call::Call;
pub use caller::{Caller, Client, NoopClient};
pub use connect::{Connect, Connected, Target, connect};
pub(crate) use connect::{InProcess, TargetKind};
pub use credentials::Credentials;
pub use session::{OpenError, Session};
pub use state::{SessionState, SessionWatch};
pub use wait_closed::Closing;
