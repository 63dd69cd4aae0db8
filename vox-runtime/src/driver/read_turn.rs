//! The reading part of a session's turn: reads the link, handles the frames, hosts what they ask for.

use std::task::Context;
use std::time::{Duration, Instant};

use super::blocking_watchdog::in_user_code;
use super::clock::now;
use super::handler_panic::catch_handler_panic;
use super::reading::{READS_PER_TURN, Read, Reader};
use super::session_task::{Driver, flush};
use super::shared::Shared;
use super::state::Next;
use crate::wire::PART;

/// How many bytes are read in one turn before the answers to them are written: a short answer does not wait until a whole turn of long
/// messages is read.
const ANSWERED_AFTER: usize = 4 * PART;
/// How long a turn reads and handles what came, before others on its thread have theirs: a peer that sends much holds up nobody else.
const TURN: Duration = Duration::from_micros(250);

impl Driver {
    /// Reads and serves. `true`: there may be more, and the turn is over all the same.
    #[inline]
    pub(super) fn read_turn(&mut self, cx: &mut Context<'_>) -> bool {
        let mut ends = None;
        if std::mem::take(&mut self.is_fresh) | std::mem::take(&mut self.has_more) {
            let mut first = None;
            let handled = self.shared.handle_some(&mut self.shared.reader(), &mut first);
            if self.host_all(handled, &mut first, &mut ends, cx) {
                return true;
            }
        }
        let mut unanswered = 0;
        for turn in 0..READS_PER_TURN {
            let mut reader = self.shared.reader();
            match reader.read(turn, &mut Context::from_waker(&self.shared.watch_waker)) {
                Read::Some(bytes) => {
                    let mut first = None;
                    let handled = self.shared.handle_some(&mut reader, &mut first);
                    let clock = handled.clock;
                    drop(reader);
                    if self.host_all(handled, &mut first, &mut ends, cx) {
                        return true;
                    }
                    if self.is_relieved() {
                        return false;
                    }
                    if ends.is_some_and(|ends| clock >= ends) {
                        return true;
                    }
                    unanswered += bytes;
                    if unanswered >= ANSWERED_AFTER {
                        unanswered = 0;
                        drop(flush(&self.shared, self.puts_off_acks));
                    }
                }
                Read::Nothing => return false,
                Read::Lost(reason) => {
                    let link = reader.link();
                    drop(reader);
                    self.shared.link_ended(link, reason);
                    return false;
                }
            }
        }
        true
    }

    /// Hosts what is asked for, and handles what was read, while there is more. `true`: the turn `ends` before there is no more.
    #[inline]
    fn host_all(
        &mut self,
        mut handled: Handled,
        first: &mut Option<Next>,
        ends: &mut Option<Instant>,
        cx: &mut Context<'_>,
    ) -> bool {
        let ends = *ends.get_or_insert(handled.clock + TURN);
        loop {
            if self.host(first, ends, cx) {
                return true;
            }
            if !handled.more || self.is_relieved() {
                return false;
            }
            if handled.clock >= ends {
                self.has_more = true;
                return true;
            }
            handled = self.shared.handle_some(&mut self.shared.reader(), first);
        }
    }

    /// Hosts what had to wait for room in the outbox.
    #[cold]
    pub(super) fn host_waiting(&mut self, waiting: Next, cx: &mut Context<'_>) {
        if self.host(&mut Some(waiting), now() + TURN, cx) {
            cx.waker().wake_by_ref();
        }
    }

    /// Starts handlers, until none is asked for or their replies fill the outbox: the rest wait until there is room. User code runs
    /// here, and while it does, another task may take over: the rest is that one's. `true`: the turn `ends` before all are started.
    #[inline]
    fn host(&mut self, next: &mut Option<Next>, ends: Instant, cx: &mut Context<'_>) -> bool {
        while let Some(Next { request, last }) = next {
            let Self { handlers, shared, .. } = self;
            let (connection, id, last) = (request.connection, request.request, *last);
            let hosted = || in_user_code(shared.watched(), || handlers.host(shared, next, cx));
            let clock = catch_handler_panic(hosted).unwrap_or_else(|end| {
                // What was around the handler: what it was polled by is told of it, if anybody still waits.
                shared.handler_ended(connection, id, end);
                None
            });
            if last || self.is_relieved() {
                return false;
            }
            if clock.is_some_and(|clock| clock >= ends) {
                self.has_more = true;
                return true;
            }
            *next = self.shared.lock().next_request();
        }
        false
    }
}

impl Shared {
    /// Handles whole frames that were read, for the session's task. What to host `first` is put in its place: it is large to pass on.
    fn handle_some(&self, reader: &mut Reader, first: &mut Option<Next>) -> Handled {
        let clock = now();
        self.change(|state| {
            // Whatever this asks for is seen to at the end of the turn.
            state.wake_plan.on_turn();
            // Handlers that the turn before did not get to start first.
            let more = state.may_host() || reader.handle_frames(state, clock, self.limits.max_message_bytes);
            state.settle(&self.router);
            *first = state.next_request();
            Handled { clock, more }
        })
    }
}

/// Frames were handled.
struct Handled {
    /// When that began.
    clock: Instant,
    /// There may be more.
    more: bool,
}
