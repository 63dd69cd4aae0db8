//! Waiting for something about the session as a whole: its end, its last handler.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use super::shared::{Shared, State};

/// Waits until `look` finds something. It looks again when the session loses its link or gets one, ends, when its task does and,
/// while the server is shutting down, when a handler does.
pub(crate) async fn observe<R>(shared: &Shared, look: impl Fn(&State) -> Option<R>) -> R {
    let mut place = Place { shared, key: None };
    poll_fn(|cx| {
        let Place { shared, key } = &mut place;
        shared.change(|state| match look(state) {
            Some(found) => Poll::Ready(found),
            None => {
                state.watch(key, cx.waker());
                Poll::Pending
            }
        })
    })
    .await
}

/// A place among the observers, given up with the wait.
struct Place<'a> {
    shared: &'a Shared,
    key: Option<u64>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.shared.change(|state| state.unwatch(key));
        }
    }
}

/// Runs what a user has a part in. `None`: it panicked.
pub(crate) async fn caught<R>(what: impl Future<Output = R>) -> Option<R> {
    let mut what = pin!(what);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| what.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}
