//! How a command reaches its server.

use std::time::Duration;

use clap::Args;
use vox::dynamic::{DescribeError, Describer, DynamicClient, ServiceType};
use vox::{OpenError, Session};

use crate::failure::Failure;
use crate::text;

/// Where the server is, and what it is told of this end.
#[derive(Args)]
pub(crate) struct Target {
    /// Where the server is: `tcp://host:port`, `host:port` or `unix://path`
    address: String,
    /// Tell the server this of the client, as `key=value`; a value may be `@file` or `@env:NAME`
    #[arg(long = "client-metadata", id = "client_metadata", value_name = "KEY=VALUE")]
    metadata: Vec<String>,
    /// How long connecting may take
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = text::duration)]
    connect_timeout: Duration,
}

impl Target {
    /// Makes a session.
    pub(crate) async fn connect(&self) -> Result<Session, Failure> {
        let mut connect = Session::connect(self.address.as_str()).no_reconnect().timeout(self.connect_timeout);
        for entry in &self.metadata {
            let (key, value) = text::entry(entry).map_err(Failure::Usage)?;
            // Whatever is told on a command line may be a secret.
            connect = connect.sensitive_metadata(key, value);
        }
        connect.await.map_err(|error| Failure::Connect(error.to_string()))
    }
}

/// The service that describes the others.
pub(crate) async fn describer(session: &Session) -> Result<Describer, Failure> {
    session.describe().await.map_err(|error| match &error {
        OpenError::Refused { refusal, .. } if refusal.code == vox::RefusalCode::UnknownService => Failure::Connect(
            format!("{error}; it can be described once it is served with `Server::builder().describe()`"),
        ),
        _ => Failure::Connect(error.to_string()),
    })
}

/// A service by its name.
pub(crate) async fn service(describer: &Describer, name: &str) -> Result<ServiceType, Failure> {
    describer.service(name).await.map_err(|error| match error {
        DescribeError::NotServed { .. } => Failure::Usage(error.to_string()),
        _ => Failure::Connect(error.to_string()),
    })
}

/// A connection to a service.
pub(crate) async fn open(session: &Session, service: &ServiceType) -> Result<DynamicClient, Failure> {
    session.open_dynamic(service).await.map_err(|error| Failure::Connect(error.to_string()))
}
