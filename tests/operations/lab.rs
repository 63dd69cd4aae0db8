//! The service that these tests call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Semaphore;
use vox::store::OperationStore;
use vox::{OperationId, Rx, Server};

use crate::support::Count;

#[derive(Debug, Clone, PartialEq, Eq, facet::Facet)]
#[repr(u8)]
pub enum Refused {
    NoCover { missing: u64 },
}

#[vox::service]
pub trait Ledger {
    /// Waits for a permit, and gives back which of the runs it is: odd amounts are refused.
    #[vox(persist)]
    async fn transfer(&self, cents: u64) -> Result<u64, Refused>;
    /// As `transfer`, but at once.
    #[vox(persist)]
    async fn at_once(&self, cents: u64) -> u64;
    #[vox(persist)]
    async fn unit(&self);
    #[vox(persist)]
    async fn text(&self, len: u64) -> String;
    #[vox(persist)]
    async fn explode(&self);
    /// Panics in its first run.
    #[vox(idem, persist)]
    async fn explode_once(&self) -> u64;
    #[vox(persist)]
    async fn what_it_hears(&self, cx: &vox::Context) -> String;
    /// Waits for a permit.
    async fn plain(&self, n: u64) -> u64;
    async fn plain_explode(&self);
    async fn plain_text(&self, len: u64) -> String;
    #[vox(idem)]
    async fn again(&self, n: u64) -> u64;
    #[vox(idem)]
    async fn idem_explode(&self, numbers: Rx<u64>);
}

/// What tests see and steer of the handlers.
#[derive(Clone)]
pub struct Bench {
    pub started: Count,
    pub finished: Count,
    pub stopped: Count,
    /// One permit lets one `transfer` or one `plain` go on.
    pub gate: Arc<Semaphore>,
}

impl Default for Bench {
    fn default() -> Self {
        let (started, finished, stopped) = Default::default();
        Self { started, finished, stopped, gate: Arc::new(Semaphore::new(0)) }
    }
}

impl Bench {
    /// Counts a run: which one it is.
    fn run(&self) -> u64 {
        self.started.add();
        self.started.get() as u64
    }

    async fn pass(&self) {
        self.gate.acquire().await.expect("never closed").forget();
    }
}

impl Ledger for Bench {
    async fn transfer(&self, cents: u64) -> Result<u64, Refused> {
        let run = self.run();
        self.pass().await;
        self.finished.add();
        if cents % 2 == 1 { Err(Refused::NoCover { missing: run }) } else { Ok(run) }
    }
    async fn at_once(&self, _cents: u64) -> u64 {
        self.run()
    }
    async fn unit(&self) {
        self.run();
    }
    async fn text(&self, len: u64) -> String {
        self.run();
        "x".repeat(len as usize)
    }
    async fn explode(&self) {
        self.run();
        tokio::task::yield_now().await;
        panic!("on purpose")
    }
    async fn explode_once(&self) -> u64 {
        let run = self.run();
        assert!(run > 1, "on purpose, the first time");
        run
    }
    async fn what_it_hears(&self, cx: &vox::Context) -> String {
        self.run();
        let operation = cx.operation().expect("it is kept");
        assert_eq!(operation.method().name, "what_it_hears");
        format!("{:?} {} {}", cx.time_left(), operation.id(), cx.principal())
    }
    async fn plain(&self, n: u64) -> u64 {
        let run = self.run();
        let _stopped = self.stopped.on_drop();
        self.pass().await;
        self.finished.add();
        n + run
    }
    async fn plain_explode(&self) {
        self.run();
        panic!("on purpose")
    }
    async fn plain_text(&self, len: u64) -> String {
        self.run();
        "x".repeat(len as usize)
    }
    async fn again(&self, n: u64) -> u64 {
        n + self.run()
    }
    async fn idem_explode(&self, _numbers: Rx<u64>) {
        self.run();
        panic!("on purpose")
    }
}

/// A server of a bench, in memory, that any number of clients can connect to.
pub struct Lab {
    pub server: Server,
    pub bench: Bench,
}

impl Lab {
    pub async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    pub async fn on(store: Arc<dyn OperationStore>) -> Self {
        Self::with(|builder| builder.store(store)).await
    }

    pub async fn with(set_up: impl FnOnce(vox::ServerBuilder) -> vox::ServerBuilder) -> Self {
        static NAMES: AtomicU64 = AtomicU64::new(0);
        let name = format!("mem://operations-{}", NAMES.fetch_add(1, Ordering::Relaxed));
        let bench = Bench::default();
        let builder = set_up(Server::builder().service(LedgerDispatcher::new(bench.clone())));
        Self { server: builder.bind(name).await.expect("a name of its own"), bench }
    }

    /// A client with a session of its own.
    /// A client that comes from this address, as far as the server knows.
    pub async fn client_of(&self, peer: &str) -> LedgerClient {
        let (ours, theirs) = vox::transport::memory_pair();
        let (accepted, client) = tokio::join!(self.server.accept(theirs.of_peer(peer)), vox::connect(ours));
        accepted.expect("a session");
        client.expect("a session")
    }

    pub async fn client(&self) -> LedgerClient {
        vox::connect(self.server.address()).await.expect("a session")
    }
}

/// A lab and one client.
pub async fn lab() -> (Lab, LedgerClient) {
    let lab = Lab::new().await;
    let client = lab.client().await;
    (lab, client)
}

/// As [`lab`], on this store.
pub async fn lab_on(store: &Arc<impl OperationStore>) -> (Lab, LedgerClient) {
    let lab = Lab::on(Arc::clone(store) as Arc<dyn OperationStore>).await;
    let client = lab.client().await;
    (lab, client)
}

pub fn id() -> OperationId {
    OperationId::new()
}
