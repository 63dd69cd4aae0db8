//! A server in the process of its client.

use super::listen::{ServeError, Server, ServerBuilder};
use crate::client::{Client, Connect, InProcess, Target, TargetKind, connect};
use crate::driver::{ConnectError, Dispatcher};
use crate::transport::Link;

/// Connects to a server in this process that serves just this client, over memory. For generated code.
pub fn over_memory<C: Client>(dispatcher: impl Dispatcher) -> Connect<C> {
    connect(Server::builder().service(dispatcher))
}

/// A server that serves the one who connects to it, in this process and over memory. It runs until the session ends.
impl From<ServerBuilder> for Target {
    fn from(server: ServerBuilder) -> Self {
        Self(TargetKind::Here(Box::new(server)))
    }
}

impl InProcess for ServerBuilder {
    fn start(self: Box<Self>, address: &str) -> Result<Link, ConnectError> {
        self.over_memory(address).map_err(|error| match error {
            ServeError::Service(error) => ConnectError::Service(error),
            ServeError::Limit(error) => ConnectError::Limit(error),
            ServeError::NoRuntime { address } => ConnectError::NoRuntime { address },
            error => ConnectError::handshake(error.to_string()).at(address),
        })
    }
}
