//! Waits for something about the whole session: its end, its last handler.

use std::future::poll_fn;
use std::task::Poll;

use super::super::shared::Shared;
use super::super::state::State;

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
