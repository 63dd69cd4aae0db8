//! Runs deferred work once the lock is free.

use std::panic::resume_unwind;

use super::super::blocking_watchdog::has_woken;
use super::super::channel_warnings::PATIENCE;
use super::super::deferred::{Deferred, LogEvent, OPERATION_EVENTS, WAKES};
use super::super::shared::Shared;
use crate::catch_panic::{catch_panic, wake_all};
use crate::error::Scarce;
use crate::escaped::Escaped;

impl Shared {
    /// Does it. The lock is free: those who are woken may take it.
    pub(in crate::driver) fn run_deferred(&self, mut deferred: Deferred) {
        if !deferred.wakes.is_empty() {
            has_woken(true);
            wake_all(deferred.wakes.drain(..));
        }
        for waker in deferred.spent {
            catch_panic(move || drop(waker));
        }
        let mut thrown = None;
        for note in deferred.notes {
            match note {
                LogEvent::Abort(task) => task.abort(),
                LogEvent::Thrown(payload) => thrown = Some(payload),
                LogEvent::Choose(waiting) => self.ask_what_serves(waiting),
                LogEvent::LetGo(dispatcher) => catch_panic(move || drop(dispatcher)),
                note => catch_panic(move || note.log(self.peer.address(), self.number)),
            }
        }
        if !deferred.operations.is_empty() {
            // What is done about them may be a task. Who does it may be a call that is awaited elsewhere.
            let _runtime = self.runtime.enter();
            for notice in deferred.operations.drain(..) {
                self.notice(notice);
            }
            let _ = OPERATION_EVENTS.try_with(|stock| stock.set(deferred.operations));
        }
        let _ = WAKES.try_with(|stock| stock.set(deferred.wakes));
        if let Some(payload) = thrown {
            resume_unwind(payload);
        }
    }
}

impl LogEvent {
    fn log(self, peer: &str, session: u64) {
        match self {
            Self::Offered(connection, service, metadata) => {
                let service = Escaped::name(&service);
                tracing::debug!(connection = connection.0, %service, ?metadata, "the peer asks for a connection");
            }
            Self::LinkDown(reason) => tracing::debug!(%reason, "the session has no link"),
            Self::LinkUp => tracing::debug!("the session has a new link"),
            Self::WaitsLong(what, 1, long) => tracing::warn!(peer = %Escaped::new(peer), "{what}, for {long:?} so far"),
            Self::WaitsLong(what, count, long) => {
                tracing::warn!(peer = %Escaped::new(peer), count, "{what}, and {} more do so, for {long:?} so far", count - 1);
            }
            Self::Ended(reason) => tracing::debug!(%reason, "the session ended"),
            Self::Refused(what, short) => {
                let limit = short.of().and_then(Scarce::field).unwrap_or_default();
                let (needed, most, what) = (short.needed, short.limit, what.words().unwrap_or_default());
                let peer = Escaped::new(peer);
                tracing::warn!(%peer, session, limit, needed, most, "{what}, for this end is past a limit: {short}; others are not logged for a minute");
            }
            Self::Abort(_) | Self::Thrown(_) | Self::Choose(_) | Self::LetGo(_) => {}
            Self::Fault => tracing::error!(
                peer,
                session,
                "vox has a bug: it panicked in this session, which ends for that. Please report it, with the panic's message"
            ),
            Self::Unused(method, channel) => tracing::warn!(
                "the call of `{}::{}` has waited for {} s, and nothing was sent on channel {channel} that it came with: if its handler \
                 waits for items, send them beside the call, in a task or by `join!`",
                method.service,
                method.name,
                PATIENCE.as_secs(),
            ),
            Self::LeftOpen(method, channel, idle) => tracing::warn!(
                peer = %Escaped::new(peer),
                "the call of `{}::{}` has not been answered, and for {} s nothing was sent on channel {channel} that it came with, which is \
                 still open: if that was all, close it by `Tx::close`, for a handler that reads to the end waits for that; if more \
                 comes later, nothing is wrong. This is said once for each method of a session",
                method.service,
                method.name,
                idle.as_secs(),
            ),
        }
    }
}
