//! Asking the application who a peer is: within a deadline, and without harm if it panics.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::hosting::quietly;
use crate::error::{Refusal, RefusalCode};
use crate::limits::Limits;
use crate::operation::Principal;
use crate::server::Peer;

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
            tracing::warn!(why, "a peer could not be authenticated");
            Err(Refusal::new(RefusalCode::Busy, why))
        };
        match tokio::time::timeout(patience, self.contained(peer)).await {
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

    /// The answer; `None` if the application panics.
    async fn contained(&self, peer: Peer) -> Option<Answer> {
        let asked = catch_unwind(AssertUnwindSafe(|| (self.0)(peer)));
        let mut asked = match asked {
            Ok(asked) => Contained(Some(asked)),
            Err(payload) => {
                quietly(move || drop(payload));
                return None;
            }
        };
        poll_fn(move |cx| {
            let Some(future) = &mut asked.0 else { return Poll::Ready(None) };
            match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
                Ok(poll) => poll.map(Some),
                Err(payload) => {
                    quietly(move || drop(payload));
                    Poll::Ready(None)
                }
            }
        })
        .await
    }
}

/// A future of the application's, whose drop may panic too.
struct Contained(Option<Asked>);

impl Drop for Contained {
    fn drop(&mut self) {
        let asked = self.0.take();
        quietly(move || drop(asked));
    }
}

/// Less than the whole handshake may take, so that the peer is still told.
fn patience(limits: &Limits) -> Duration {
    limits.handshake_timeout.mul_f64(0.9)
}
