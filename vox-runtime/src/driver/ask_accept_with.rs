//! Asks the server's own code which dispatcher serves a connection: with no lock held, within a deadline, and without harm if it panics.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::dispatch::Dispatcher;
use super::offer::{Choice, Offer};
use crate::catch_panic::{Contained, catch_panic};
use crate::descriptor::ServiceDescriptor;
use crate::error::{Refusal, RefusalCode};
use crate::escaped::Escaped;
use crate::ids::{ConnectionId, ServiceIndex};
use crate::metadata::Metadata;
use crate::wire::{MAX_NAME, Named};

/// What a connection that waits for its answer is charged beside its name and its metadata: the task.
pub(super) const WAITING: usize = 1 << 10;

type Answer = Result<Choice, Refusal>;
type Asked = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// The application's answer to what serves a connection.
#[derive(Clone)]
pub(crate) struct AcceptWith(Arc<dyn Fn(Offer) -> Asked + Send + Sync>);

/// What serves a connection: a service of the server's own, or a dispatcher for that connection alone.
pub(super) enum Found {
    Own(ServiceIndex, &'static ServiceDescriptor),
    Chosen(Arc<dyn Dispatcher>, &'static ServiceDescriptor),
}

/// A connection for which the application is to be asked.
pub(super) struct Waiting {
    pub(super) connection: ConnectionId,
    pub(super) service: String,
    pub(super) contract: Option<Named>,
    pub(super) metadata: Metadata,
}

impl AcceptWith {
    pub(crate) fn new<F, A, C>(choose: F) -> Self
    where
        F: Fn(Offer) -> A + Send + Sync + 'static,
        A: Future<Output = Result<C, Refusal>> + Send + 'static,
        C: Into<Choice>,
    {
        Self(Arc::new(move |offer| {
            let chosen = choose(offer);
            Box::pin(async move { chosen.await.map(Into::into) })
        }))
    }

    /// What the application says, until then. What keeps it from an answer is `Busy`: the peer may ask again.
    pub(super) async fn ask(&self, offer: Offer, until: Instant, patience: Duration) -> Answer {
        let service = Escaped::name(offer.service()).to_string();
        let cannot = |why: String| {
            catch_panic(|| tracing::warn!(why, "a connection could not be accepted"));
            Err(Refusal::new(RefusalCode::Busy, why))
        };
        match tokio::time::timeout_at(until, Contained::new(|| (self.0)(offer))).await {
            Ok(Some(answer)) => answer,
            Ok(None) => cannot(format!("the server cannot say what serves `{service}`: its `accept_with` panicked")),
            Err(_) => cannot(format!(
                "the server did not say within {patience:?} what serves `{service}` (nine tenths of `Limits::handshake_timeout`)"
            )),
        }
    }
}

pub(super) fn shutting_down() -> Refusal {
    Refusal::new(RefusalCode::ShuttingDown, "the server is shutting down")
}

pub(super) fn too_long(service: &str) -> Option<Refusal> {
    (service.len() > MAX_NAME).then(|| {
        let why = format!("the name of the service has more than {MAX_NAME} bytes");
        Refusal::new(RefusalCode::UnknownService, why)
    })
}
