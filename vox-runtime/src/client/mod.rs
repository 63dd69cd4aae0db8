//! Calling: clients, the builders of calls and connections, sessions.

mod budget;
mod call;
mod caller;
mod client_connection;
mod closing;
mod config;
mod connect;
mod connect_error;
mod credentials;
mod keeper;
mod opening;
mod phase;
mod remote;
mod session;
mod state;
mod writer;
mod written;

pub use call::Call;
pub use caller::{Caller, Client, NoopClient};
pub use closing::Closing;
pub(crate) use connect::TargetKind;
pub use connect::{Connect, Connected, Target, connect, over_memory};
pub use connect_error::ConnectError;
pub use credentials::Credentials;
pub(crate) use credentials::Introduction;
pub use session::{OpenError, Session};
pub use state::{SessionState, SessionWatch};
pub use writer::CallWriter;
