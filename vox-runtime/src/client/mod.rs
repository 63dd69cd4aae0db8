//! Calling: clients, the builders of calls and connections, sessions.

mod budget;
mod call;
mod caller;
mod client_connection;
mod closing;
mod config;
mod connect;
mod credentials;
mod keeper;
mod opening;
mod phase;
mod remote;
mod session;
mod state;
mod writer;
mod written;

pub use crate::driver::ConnectError;
pub use call::Call;
pub use caller::{Caller, Client, NoopClient};
pub use closing::Closing;
pub use connect::{Connect, Connected, Target, connect};
pub(crate) use connect::{InProcess, TargetKind};
pub use credentials::Credentials;
pub use session::{OpenError, Session};
pub use state::{SessionState, SessionWatch};
pub use writer::CallWriter;
