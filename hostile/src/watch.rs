//! How long a server's thread is held up at once: what any other task on it has to wait for.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::Notify;

use crate::meter::Meter;

/// What comes of a frame later than its answer is over by then.
const SETTLED: Duration = Duration::from_millis(5);

/// How the next attacks are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attention {
    /// Until it is answered.
    Answer,
    /// Until nothing comes of it any more.
    Rest,
    /// And how long it holds up others. The clock is looked at often, so what it costs is not to be counted.
    Others,
}

/// A task of the server's thread that is always ready. The processor time between two of its turns is what it had to wait for
/// the others, each of which had one turn at most.
#[derive(Default)]
pub(crate) struct Sentinel {
    attention: AtomicU8,
    on: AtomicBool,
    begun: Notify,
    most: AtomicU64,
}

impl Sentinel {
    /// Looks at the clock of this thread, whenever somebody watches.
    pub(crate) async fn look(self: Arc<Self>, meter: &'static Meter) {
        loop {
            self.begun.notified().await;
            let mut before = meter.cpu();
            while self.on.load(Ordering::Acquire) {
                give_way().await;
                let now = meter.cpu();
                self.most.fetch_max((now - before).as_nanos() as u64, Ordering::AcqRel);
                before = now;
            }
        }
    }

    pub(crate) fn pay(&self, attention: Attention) {
        self.attention.store(attention as u8, Ordering::Release);
    }

    fn pays(&self, attention: Attention) -> bool {
        self.attention.load(Ordering::Acquire) == attention as u8
    }

    pub(crate) fn begin(&self) {
        if self.pays(Attention::Others) {
            self.most.store(0, Ordering::Release);
            self.on.store(true, Ordering::Release);
            self.begun.notify_one();
        }
    }

    /// The attack is answered.
    pub(crate) async fn end(&self) -> Option<Duration> {
        if self.pays(Attention::Answer) {
            return None;
        }
        tokio::time::sleep(SETTLED).await;
        let watched = self.on.swap(false, Ordering::AcqRel);
        watched.then(|| Duration::from_nanos(self.most.load(Ordering::Acquire)))
    }
}

/// Lets each of the other tasks that are ready have a turn.
async fn give_way() {
    let mut gave = false;
    poll_fn(|cx| match std::mem::replace(&mut gave, true) {
        true => Poll::Ready(()),
        false => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}
