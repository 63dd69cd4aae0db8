//! What a talk of two versions, while links are cut, has in common: who waits for whom.

use std::fmt;
use std::sync::Arc;

use tokio::sync::Semaphore;

/// How many items each stream carries.
pub const ITEMS: u32 = 40;

/// Lets the handlers of one server wait for each other, so that one call and two streams are under way at once.
#[derive(Clone)]
pub struct Stage(Arc<Gates>);

struct Gates {
    begun: Semaphore,
    released: Semaphore,
    half: Box<dyn Fn() + Send + Sync>,
}

impl Stage {
    /// `half` is called when half of the items have come to the handler.
    pub fn new(half: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(Gates { begun: Semaphore::new(0), released: Semaphore::new(0), half: Box::new(half) }))
    }

    /// The call has come. It waits until the stream to the server has ended.
    pub async fn hold(&self) {
        self.0.begun.add_permits(1);
        self.0.released.acquire().await.expect("it is never closed").forget();
    }

    /// Waits until the call has come.
    pub async fn begun(&self) {
        self.0.begun.acquire().await.expect("it is never closed").forget();
    }

    /// An item has come, after so many.
    pub fn received(&self, before: u32) {
        if before == ITEMS / 2 {
            (self.0.half)();
        }
    }

    /// Lets the call go on.
    pub fn release(&self) {
        self.0.released.add_permits(1);
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stage")
    }
}

/// Writes the service of one version, its handler `Book` and its client's part, from what the versions have in common: an entry is made by
/// `entry`, and `post` has other arguments beside it.
#[macro_export]
macro_rules! ledger {
    ($Entry:ty, $entry:path, ($($(#[$attr:meta])* $more:ident: $More:ty = $given:expr),*)) => {
        /// A call that waits, and a stream each way.
        #[vox::service]
        pub trait Ledger {
            /// Answers when a stream to the server has ended.
            async fn post(&self, $($(#[$attr])* $more: $More,)* entry: $Entry) -> $Entry;
            /// Gives back what it has read, as it prints it.
            async fn import(&self, entries: ::vox::Rx<$Entry>) -> Vec<String>;
            /// Sends so many.
            async fn watch(&self, count: u32, entries: ::vox::Tx<$Entry>);
        }

        /// The handler.
        #[derive(Debug)]
        pub struct Book(pub $crate::Stage);

        impl Ledger for Book {
            async fn post(&self, $($more: $More,)* entry: $Entry) -> $Entry {
                $(assert_eq!($more, $given);)*
                self.0.hold().await;
                entry
            }

            async fn import(&self, mut entries: ::vox::Rx<$Entry>) -> Vec<String> {
                self.0.begun().await;
                let mut read = Vec::new();
                while let Some(entry) = entries.recv().await.expect("the stream does not break") {
                    self.0.received(read.len() as u32);
                    read.push(format!("{entry:?}"));
                }
                self.0.release();
                read
            }

            async fn watch(&self, count: u32, entries: ::vox::Tx<$Entry>) {
                entries.send_all((0..count).map($entry)).await.expect("the stream does not break");
            }
        }

        /// Has a call and two streams under way at once, of which each carries [`ITEMS`]($crate::ITEMS). `half` is called when half of them
        /// were received. Gives what was answered and received here, and what was received there, as the readers print it.
        pub async fn talk(ledger: LedgerClient, half: impl Fn()) -> [Vec<String>; 3] {
            let posted = ::tokio::spawn(ledger.post($($given,)* $entry(1000)).into_future());
            let ((sent, rx), (tx, mut watched)) = (::vox::channel(), ::vox::channel());
            let imported = ::tokio::spawn(ledger.import(rx).into_future());
            let watching = ::tokio::spawn(ledger.watch($crate::ITEMS, tx).into_future());
            let mut read = Vec::new();
            for number in 0..$crate::ITEMS {
                sent.send($entry(number)).await.expect("the stream does not break");
                let entry = watched.recv().await.expect("the stream does not break").expect("it has not ended");
                read.push(format!("{entry:?}"));
                if number == $crate::ITEMS / 2 {
                    half();
                }
            }
            sent.close();
            assert_eq!(watched.recv().await, Ok(None));
            watching.await.expect("no panic").expect("it is answered");
            let imported = imported.await.expect("no panic").expect("it is answered");
            let posted = posted.await.expect("no panic").expect("it is answered");
            [vec![format!("{posted:?}")], read, imported]
        }
    };
}
