//! A server shuts down in good order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::listen::{Accepting, Server};
use super::session_table::{SessionTable, idle};
use crate::driver::{Shared, observe};

/// What a shutdown ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// The sessions that were open.
    pub sessions: usize,
    /// The handlers that had not ended when time was up, those included whose sessions had ended before. They were aborted, except
    /// those of `persist` methods, which run on while the process does.
    pub aborted_calls: usize,
}

impl Server {
    /// Stops taking links and calls, gives running handlers `grace` to end, then ends every session. Links that are in their
    /// handshake are refused at once.
    ///
    /// It may be called more than once, by several tasks, and while others use the server. Each call reports the sessions that it
    /// found open and the handlers that it cut. The future does not borrow the server, so it may be spawned; a server that is
    /// dropped meanwhile ends at once.
    pub fn shutdown(&self, grace: Duration) -> impl Future<Output = ShutdownReport> + Send + use<> {
        let (session_table, accepting) = (Arc::clone(&self.session_table), self.accepting.clone());
        async move {
            session_table.close();
            if let Some(accepting) = accepting {
                accepting.stop().await;
            }
            session_table.shutdown(grace).await
        }
    }
}

impl Accepting {
    async fn stop(&self) {
        self.task.abort();
        let mut end = self.end.lock().await;
        if let Some(task) = end.as_mut() {
            let _ = task.await;
            *end = None;
        }
    }
}

impl SessionTable {
    /// Lets what runs in the sessions come to its end, and ends them.
    async fn shutdown(&self, grace: Duration) -> ShutdownReport {
        let (open, leaving) = {
            let table = self.lock();
            let all = |sessions: &BTreeMap<u64, Arc<Shared>>| sessions.values().cloned().collect::<Vec<_>>();
            (all(&table.open), all(&table.leaving))
        };
        // A session that is being welcomed counts: its client may know of it before the table does.
        let mut report = ShutdownReport { sessions: self.sessions(), aborted_calls: 0 };
        for shared in &open {
            shared.change(|state| state.drain());
        }
        let _ = tokio::time::timeout(grace, async {
            for shared in open.iter().chain(&leaving) {
                idle(shared).await;
            }
        })
        .await;
        for shared in open.iter().chain(&leaving) {
            report.aborted_calls += shared.change(|state| {
                let running = state.session.handlers_running();
                state.session.goodbye("the server is shutting down");
                running
            });
        }
        // A program that stops a server often ends next, and the peers are to hear of it before. Each session's
        // task waits for its peer for a second at most.
        for shared in &open {
            observe(shared, |state| state.over.then_some(())).await;
        }
        report
    }
}
