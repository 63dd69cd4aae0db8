//! A client that means well, beside an attack.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::prey::PreyClient;

/// One that makes a call after the other, on a thread of its own.
pub(crate) struct Honest {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Duration, String>>,
}

impl Honest {
    pub(crate) fn start(address: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(call(address, &stopped))
        });
        Self { stop, thread }
    }

    /// The time that 99 of 100 calls kept within, or what went wrong.
    pub(crate) fn stop(self) -> Result<Duration, String> {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap_or_else(|_| Err("the honest client panicked".to_owned()))
    }
}

async fn call(address: SocketAddr, stop: &AtomicBool) -> Result<Duration, String> {
    let client: PreyClient = vox::connect(format!("tcp://{address}")).await.map_err(|error| error.to_string())?;
    let mut times = Vec::new();
    let mut n = 0;
    while !stop.load(Ordering::SeqCst) || times.is_empty() {
        let began = Instant::now();
        let answer = client.echo(n).await;
        times.push(began.elapsed());
        if answer != Ok(n) {
            return Err(format!("an honest call of {n} was answered {answer:?}"));
        }
        n += 1;
    }
    times.sort_unstable();
    Ok(times[times.len() * 99 / 100])
}

/// An honest call is answered right, now.
pub(crate) async fn is_served(client: &PreyClient) -> Result<(), String> {
    match client.echo(7).await {
        Ok(7) => Ok(()),
        other => Err(format!("an honest call of 7 was answered {other:?}")),
    }
}
