//! What the end-to-end tests have in common.

#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod cable;
pub mod heap;
#[path = "../../hostile/src/log.rs"]
pub mod log;
#[path = "../../hostile/src/raw.rs"]
pub mod raw;
pub mod undescribed;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::task::AbortHandle;
use vox::transport::Link;

/// Runs everything until nobody has anything left to do: with a paused clock, time moves only then.
pub async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// Polls this on the thread that it is called on, which is none of the runtime's.
pub fn block_on<F: Future>(what: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut what = std::pin::pin!(what);
    loop {
        if let Poll::Ready(done) = what.as_mut().poll(&mut Context::from_waker(&waker)) {
            return done;
        }
        std::thread::park();
    }
}

/// Counts what happens in handlers.
#[derive(Debug, Clone, Default)]
pub struct Count(Arc<AtomicUsize>);

impl Count {
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    pub fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// Counts when it is dropped.
    pub fn on_drop(&self) -> impl Drop + Send + Sync + use<> {
        struct OnDrop(Count);
        impl Drop for OnDrop {
            fn drop(&mut self) {
                self.0.add();
            }
        }
        OnDrop(self.clone())
    }
}

/// A link between two peers that can be cut.
pub struct Wire(AbortHandle);

impl Wire {
    pub fn new() -> (Link, Link, Self) {
        Self::with_capacity(64 << 10)
    }

    pub fn with_capacity(capacity: usize) -> (Link, Link, Self) {
        let (ours, mut near) = tokio::io::duplex(capacity);
        let (theirs, mut far) = tokio::io::duplex(capacity);
        let pump = tokio::spawn(async move {
            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            let _ = near.shutdown().await;
            let _ = far.shutdown().await;
        });
        (Link::new(ours, "wire"), Link::new(theirs, "wire"), Self(pump.abort_handle()))
    }

    /// Cuts it: both ends see the stream end.
    pub fn cut(&self) {
        self.0.abort();
    }
}
