//! The metadata and the credentials that this end shows in each handshake. Credentials are asked for anew each time.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::catch_panic::Contained;
use crate::driver::ConnectError;
use crate::metadata::Metadata;

/// What a closure given to [`Connect::credentials`](super::Connect::credentials) gives: metadata, or the reason why there
/// is none.
pub trait Credentials {
    /// The metadata, or the error's text.
    fn into_metadata(self) -> Result<Metadata, String>;
}

impl Credentials for Metadata {
    fn into_metadata(self) -> Result<Metadata, String> {
        Ok(self)
    }
}

impl<E: fmt::Display> Credentials for Result<Metadata, E> {
    fn into_metadata(self) -> Result<Metadata, String> {
        self.map_err(|error| error.to_string())
    }
}

type Asked = Pin<Box<dyn Future<Output = Result<Metadata, String>> + Send>>;

/// What this end says of itself.
#[derive(Clone, Default)]
pub(crate) struct Introduction {
    pub(super) metadata: Metadata,
    ask: Option<Arc<dyn Fn() -> Asked + Send + Sync>>,
}

impl Introduction {
    pub(super) fn ask<F, A>(&mut self, ask: F)
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output: Credentials> + Send + 'static,
    {
        self.ask = Some(Arc::new(move || {
            let asked = ask();
            Box::pin(async move { asked.await.into_metadata() })
        }));
    }

    /// What is said in the handshake that is made now.
    pub(crate) async fn make(&self, within: Duration) -> Result<Metadata, ConnectError> {
        let mut metadata = self.metadata.clone();
        let Some(ask) = &self.ask else { return Ok(metadata) };
        let given = match tokio::time::timeout(within, Contained::new(|| ask())).await {
            Ok(Some(given)) => given,
            Ok(None) => Err("the closure that gives them panicked".to_owned()),
            Err(_) => Err(format!("they took longer than {within:?} (`Limits::handshake_timeout`)")),
        };
        let given = given.map_err(ConnectError::no_credentials)?;
        for (key, value) in given.iter() {
            metadata.insert_sensitive(key, value);
        }
        metadata.check().map_err(ConnectError::metadata)?;
        Ok(metadata)
    }
}
