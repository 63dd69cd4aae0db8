//! Asks the application who a peer is: within a deadline, and without harm if it panics.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::peer::Peer;
use crate::catch_panic::{Contained, catch_panic};
use crate::error::{Refusal, RefusalCode};
use crate::limits::Limits;
use crate::operation::Principal;

type Answer = Result<Principal, Refusal>;
type Asked = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// The application's answer to who a peer is, or that it is nobody to be served.
#[derive(Clone)]
pub(crate) struct Authenticate(Arc<dyn Fn(Peer) -> Asked + Send + Sync>);

impl Authenticate {
    pub(crate) fn new<F, A>(ask: F) -> Self
    where
        F: Fn(Peer) -> A + Send + Sync + 'static,
        A: Future<Output = Answer> + Send + 'static,
    {
        Self(Arc::new(move |peer| Box::pin(ask(peer))))
    }

    /// Who this peer is. What keeps the application from an answer is `Busy`: the peer may ask again.
    pub(super) async fn ask(&self, peer: Peer, limits: &Limits) -> Answer {
        let patience = patience(limits);
        let cannot = |why: String| {
            catch_panic(|| tracing::warn!(why, "a peer could not be authenticated"));
            Err(Refusal::new(RefusalCode::Busy, why))
        };
        match tokio::time::timeout(patience, Contained::new(|| (self.0)(peer))).await {
            Ok(Some(Ok(principal))) if principal.is_nameless() => {
                Err(Refusal::new(RefusalCode::Unauthorized, "the server gave the peer a principal with an empty name"))
            }
            Ok(Some(answer)) => answer,
            Ok(None) => cannot("the server cannot say who the peer is: its `authenticate` panicked".to_owned()),
            Err(_) => cannot(format!(
                "the server did not say within {patience:?} who the peer is (nine tenths of `Limits::handshake_timeout`)"
            )),
        }
    }
}

/// Less than the whole handshake may take, so that the peer is still told.
pub(super) fn patience(limits: &Limits) -> Duration {
    limits.handshake_timeout.mul_f64(0.9)
}
