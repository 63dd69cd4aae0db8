//! Calling: clients, the builders of calls and connections, sessions.

mod again;
mod budget;
mod call;
mod caller;
mod connect;
mod remote;
mod session;
mod station;
mod writer;

pub use call::Call;
pub(crate) use caller::CallerHandle;
pub use caller::{Caller, Client, NoopClient};
pub(crate) use connect::TargetKind;
pub use connect::{Connect, ConnectError, Connected, Target, connect};
pub use session::{OpenError, Session};
pub use writer::CallWriter;
