//! A server on a thread of its own, whose memory and processor time are counted.

use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::oneshot;
use vox::store::{MemoryStore, StoreLimits};
use vox::{Limits, Server};

use crate::meter::Meter;
use crate::prey::{Deer, PreyDispatcher};

/// How a server is set up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Setting {
    pub(crate) limits: Limits,
    pub(crate) store: StoreLimits,
}

/// A server that listens on the loopback, on one thread.
pub(crate) struct Victim {
    pub(crate) address: SocketAddr,
    pub(crate) meter: &'static Meter,
    pub(crate) server: Arc<Server>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Victim {
    pub(crate) fn start(setting: Setting) -> Self {
        let (tell, told) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let meter = Meter::of_this_thread();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let store = Arc::new(MemoryStore::with_limits(setting.store).expect("limits that can be"));
                let builder = Server::builder().service(PreyDispatcher::new(Deer)).limits(setting.limits).store(store);
                let server = Arc::new(builder.bind("tcp://127.0.0.1:0").await.expect("a port is free"));
                tell.send((meter, server)).expect("somebody waits");
                let _ = stopped.await;
            });
        });
        let (meter, server) = told.recv().expect("a server that starts");
        let address = server.address();
        let address = address.trim_start_matches("tcp://").parse().expect("the address of a socket");
        Self { address, meter, server, stop: Some(stop), thread: Some(thread) }
    }

    /// A stream on which nothing was said yet.
    pub(crate) async fn stream(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).await.expect("the server listens");
        stream.set_nodelay(true).expect("a socket");
        stream
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

impl Drop for Victim {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
