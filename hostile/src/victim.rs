//! A server on a thread of its own, whose memory and processor time are counted.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use vox::store::{MemoryStore, StoreLimits};
use vox::{Limits, Peer, Principal, Refusal, RefusalCode, Server};

use crate::log::Log;
use crate::meter::Meter;
use crate::prey::{Deer, PreyDispatcher};
use crate::watch::Sentinel;

/// How a server is set up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Setting {
    pub(crate) limits: Limits,
    pub(crate) store: StoreLimits,
    /// It asks its peers who they are, and believes what they say.
    pub(crate) asks: bool,
    /// Everything that it traces is kept.
    pub(crate) logs: bool,
}

/// The name of a peer about whom a server that asks thinks for so long.
pub(crate) const SLOW: &str = "slow";
pub(crate) const THINKS: Duration = Duration::from_secs(1);

/// Where peers come from that are not the honest client.
pub(crate) const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// A server that listens on the loopback, on one thread.
pub(crate) struct Victim {
    pub(crate) address: SocketAddr,
    pub(crate) meter: &'static Meter,
    pub(crate) server: Arc<Server>,
    pub(crate) log: Log,
    pub(crate) watch: Arc<Sentinel>,
    runtime: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Victim {
    pub(crate) fn start(setting: Setting) -> Self {
        let (tell, told) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let (log, of_thread) = (Log::default(), setting.logs);
        let kept = log.clone();
        let watch = Arc::new(Sentinel::default());
        let looks = Arc::clone(&watch);
        let thread = std::thread::spawn(move || {
            let meter = Meter::of_this_thread();
            let _guard = of_thread.then(|| kept.listen());
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                tokio::spawn(looks.look(meter));
                let store = Arc::new(MemoryStore::with_limits(setting.store).expect("limits that can be"));
                let deer = PreyDispatcher::new(Deer::default());
                let builder = Server::builder().service(deer).limits(setting.limits).store(store);
                let builder = if setting.asks { builder.authenticate(believe) } else { builder };
                let server = Arc::new(builder.bind("tcp://127.0.0.1:0").await.expect("a port is free"));
                tell.send((meter, server, Handle::current())).expect("somebody waits");
                let _ = stopped.await;
            });
        });
        let (meter, server, runtime) = told.recv().expect("a server that starts");
        let address = server.address();
        let address = address.trim_start_matches("tcp://").parse().expect("the address of a socket");
        Self { address, meter, server, log, watch, runtime, stop: Some(stop), thread: Some(thread) }
    }

    /// A stream on which nothing was said yet.
    pub(crate) async fn stream(&self) -> TcpStream {
        self.stream_from(Ipv4Addr::LOCALHOST).await
    }

    /// As [`stream`](Self::stream), from an address of this machine's.
    pub(crate) async fn stream_from(&self, address: Ipv4Addr) -> TcpStream {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::new(IpAddr::V4(address), 0)).expect("an address of the loopback");
        let stream = socket.connect(self.address).await.expect("the server listens");
        stream.set_nodelay(true).expect("a socket");
        stream
    }

    /// Does something in the victim's process, on its thread: what it costs counts.
    pub(crate) async fn does<T: Send + 'static>(&self, what: impl Future<Output = T> + Send + 'static) -> T {
        self.runtime.spawn(what).await.expect("it does not panic")
    }

    /// How many sessions have a link.
    pub(crate) fn linked(&self) -> usize {
        self.server.sessions().saturating_sub(self.server.detached_sessions())
    }

    /// Waits until no more sessions than these have a link.
    pub(crate) async fn rests(&self, sessions: usize) -> bool {
        for _ in 0..2_000 {
            if self.linked() <= sessions {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        false
    }
}

/// Who a peer says that it is; the honest client says nothing.
async fn believe(peer: Peer) -> Result<Principal, Refusal> {
    match peer.metadata().get("name") {
        Some("") => Err(Refusal::new(RefusalCode::Unauthorized, "an empty name")),
        Some(SLOW) => {
            tokio::time::sleep(THINKS).await;
            Ok(Principal::new(SLOW))
        }
        name => Ok(Principal::new(name.unwrap_or("honest"))),
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
