//! What the user's code may do on the store's thread, and that it costs itself alone: closures, what they hold and give back, clocks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};

use super::testing::{Directory, grant, operation};
use super::{SqliteStore, TransactionError};
use crate::store::{OperationStore, StoreError};

/// Panics when it is dropped, without a sound: no hook is asked.
struct Mine(Arc<AtomicUsize>);

impl Mine {
    fn new() -> (Self, Arc<AtomicUsize>) {
        let dropped = Arc::new(AtomicUsize::new(0));
        (Self(Arc::clone(&dropped)), dropped)
    }
}

impl Drop for Mine {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        std::panic::resume_unwind(Box::new("on purpose, in a drop"));
    }
}

async fn works(store: &SqliteStore) {
    let two = store.transaction(|tx| tx.query_row("SELECT 1 + 1", (), |row| row.get(0))).await;
    assert_eq!(two, Ok(2));
    grant(store, &operation()).await;
    assert_eq!(store.failure(), None);
}

/// Polls a transaction once, so that it is asked for, and leaves before it has run.
fn ask_and_leave<R: Send + 'static>(
    store: &SqliteStore,
    work: impl FnOnce(&super::Transaction<'_>) -> Result<R, String> + Send + 'static,
) {
    let (go_on, may) = std::sync::mpsc::channel();
    let mut asked = Box::pin(store.transaction(move |tx| {
        let _ = may.recv();
        work(tx)
    }));
    assert!(asked.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(asked);
    go_on.send(()).expect("it waits");
}

#[tokio::test]
async fn what_a_transaction_throws_may_throw_again() {
    let directory = Directory::new();
    let store = directory.open().await;
    let (mine, dropped) = Mine::new();
    let thrown = store.transaction(move |_| -> Result<(), String> { std::panic::resume_unwind(Box::new(mine)) });
    assert_eq!(thrown.await, Err(TransactionError::Panicked));
    works(&store).await;
    assert_eq!(dropped.load(Ordering::SeqCst), 0, "it is left alone");
}

#[tokio::test]
async fn what_a_transaction_gives_back_to_nobody_may_panic_when_it_is_dropped() {
    let directory = Directory::new();
    let store = directory.open().await;
    let (mine, dropped) = Mine::new();
    ask_and_leave(&store, move |_| Ok(mine));
    works(&store).await;
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_a_transaction_holds_may_panic_when_it_is_dropped() {
    let directory = Directory::new();
    let store = directory.open().await;
    let (mine, _) = Mine::new();
    let held = store.transaction(move |_| {
        let _mine = &mine;
        Ok::<_, String>(())
    });
    assert_eq!(held.await, Err(TransactionError::Panicked));
    works(&store).await;
    // One that does not get its turn is dropped unused: here behind one that stops the store, while both wait for a third.
    let (mine, dropped) = Mine::new();
    let (go_on, may) = std::sync::mpsc::channel();
    let (begins, begun) = tokio::sync::oneshot::channel();
    let third = store.transaction(move |_| {
        begins.send(()).expect("it is waited for");
        may.recv()
    });
    let (_, (ended, unused, ())) = tokio::join!(third, async {
        // From here on the store's thread takes nothing until it is told to go on, and then both at once.
        begun.await.expect("it begins");
        tokio::join!(
            store.transaction(|tx| tx.execute_batch("ROLLBACK")),
            store.transaction(move |_| {
                let _mine = &mine;
                Ok::<_, String>(())
            }),
            async { go_on.send(()).expect("it waits") }
        )
    });
    assert!(matches!(ended, Err(TransactionError::Store(_))), "{ended:?}");
    let Err(TransactionError::Store(StoreError::Unavailable(why))) = unused else { panic!("{unused:?}") };
    assert!(why.contains("ended by its own closure"), "the thread goes on to say so: {why}");
    store.close().await;
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_clock_that_panics_costs_what_was_asked() {
    let directory = Directory::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let times = Arc::clone(&asked);
    let clock = move || {
        if times.fetch_add(1, Ordering::SeqCst) == 1 {
            std::panic::resume_unwind(Box::new("on purpose, in a clock"));
        }
        std::time::SystemTime::now()
    };
    let store = SqliteStore::open(directory.path("a.db")).clock(clock).await.expect("it opens");
    grant(&store, &operation()).await;
    let refused = store.admit(&operation()).await;
    assert!(matches!(&refused, Err(StoreError::Unavailable(why)) if why.contains("clock")), "{refused:?}");
    works(&store).await;
}
