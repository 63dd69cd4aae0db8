//! What a user has a part in, run so that its panic harms nothing else: wakers, logs, drops, futures.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Runs something of the user's, and survives its panic.
pub(crate) fn catch_panic(what: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(what)) {
        // Whatever is thrown may throw again when it is dropped.
        std::mem::forget(payload);
    }
}

/// Wakes all of these. One that panics keeps no other from being woken.
pub(crate) fn wake_all(wakers: impl IntoIterator<Item = Waker>) {
    let mut wakers = wakers.into_iter();
    while let Err(payload) = catch_unwind(AssertUnwindSafe(|| wakers.by_ref().for_each(Waker::wake))) {
        std::mem::forget(payload);
    }
}

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A future of the user's. It gives `None` where it panics, and its drop does not.
pub(crate) struct Contained<T>(Option<Boxed<T>>);

impl<T> Contained<T> {
    /// The future that this makes. That may panic as well.
    pub(crate) fn new(make: impl FnOnce() -> Boxed<T>) -> Self {
        Self(catch_unwind(AssertUnwindSafe(make)).map_or_else(forgotten, Some))
    }
}

fn forgotten<T>(payload: Box<dyn std::any::Any + Send>) -> Option<T> {
    std::mem::forget(payload);
    None
}

impl<T> Future for Contained<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let Some(future) = &mut self.0 else { return Poll::Ready(None) };
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(polled) => polled.map(Some),
            Err(payload) => Poll::Ready(forgotten(payload)),
        }
    }
}

impl<T> Drop for Contained<T> {
    fn drop(&mut self) {
        let future = self.0.take();
        catch_panic(move || drop(future));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    struct Woken(AtomicUsize, bool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
            assert!(!self.1, "on purpose");
        }
    }

    #[test]
    fn a_waker_that_panics_keeps_no_other_from_being_woken() {
        let woken: Vec<_> = (0..6).map(|n| Arc::new(Woken(AtomicUsize::new(0), n % 2 == 0))).collect();
        wake_all(woken.iter().map(|woken| Waker::from(Arc::clone(woken))));
        assert!(woken.iter().all(|woken| woken.0.load(Ordering::SeqCst) == 1));
    }

    /// Panics when it is dropped.
    struct Mine;

    impl Drop for Mine {
        fn drop(&mut self) {
            panic!("on purpose, in a drop");
        }
    }

    #[test]
    fn a_future_that_panics_wherever_it_does_gives_nothing() {
        let mut cx = Context::from_waker(Waker::noop());
        let mut unmade = Contained::<()>::new(|| panic!("on purpose"));
        assert_eq!(Pin::new(&mut unmade).poll(&mut cx), Poll::Ready(None));
        let mut polled = Contained::<()>::new(|| Box::pin(async { panic!("on purpose") }));
        assert_eq!(Pin::new(&mut polled).poll(&mut cx), Poll::Ready(None));
        let mut dropped = Contained::new(|| {
            Box::pin(async {
                let _mine = Mine;
                std::future::pending::<()>().await;
            })
        });
        assert_eq!(Pin::new(&mut dropped).poll(&mut cx), Poll::Pending);
        drop(dropped);
        let mut thrown = Contained::<()>::new(|| Box::pin(async { std::panic::panic_any(Mine) }));
        assert_eq!(Pin::new(&mut thrown).poll(&mut cx), Poll::Ready(None));
    }
}
