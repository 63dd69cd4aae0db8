//! Calling: clients, the builders of calls and connections, sessions.

mod about;
mod again;
mod budget;
mod call;
mod caller;
mod closing;
mod connect;
mod connect_error;
mod credentials;
mod deadline;
mod differing;
mod keeper;
mod outage;
mod remote;
mod session;
mod state;
mod station;
mod writer;

pub use call::Call;
pub(crate) use caller::CallerHandle;
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
