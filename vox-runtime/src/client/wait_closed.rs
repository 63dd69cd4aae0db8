//! Waits until a closed session is gone.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::driver::{Shared, observe};

/// A session's end, which has begun. Await it to know that the link has taken everything, as a program does before it ends.
pub struct Closing {
    gone: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Closing {
    /// Waits for the tasks of these sessions to end.
    pub(super) fn of(sessions: Vec<Arc<Shared>>) -> Self {
        let gone = async move {
            for session in sessions {
                observe(&session, |state| state.over.then_some(())).await;
            }
        };
        Self { gone: Box::pin(gone) }
    }
}

impl Future for Closing {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.gone.as_mut().poll(cx)
    }
}

impl fmt::Debug for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Closing")
    }
}
