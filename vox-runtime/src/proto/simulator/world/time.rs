//! The time, and what falls due.

use std::time::{Duration, Instant};

use super::World;
use crate::error::EndReason;

impl World {
    pub(super) fn pass_time(&mut self) {
        let e = self.rng.below(2);
        let to_timeout = self.ends[e].session.poll_timeout().filter(|_| self.rng.percent(20));
        let step = Duration::from_micros(1 + self.rng.below(5000) as u64);
        self.now = to_timeout.map_or(self.now + step, |at| at.max(self.now));
        self.note(e, "time", &[(self.now - self.epoch).as_micros() as u64]);
        for e in 0..2 {
            // A driver may be late.
            if self.rng.percent(80) {
                self.time_out(e);
            }
        }
    }

    fn time_out(&mut self, e: usize) {
        if self.ends[e].ended.is_none() && self.ends[e].session.poll_timeout().is_some_and(|at| at <= self.now) {
            self.ends[e].session.handle_timeout(self.now);
            self.drain(e);
            let next = self.ends[e].session.poll_timeout();
            assert!(next.is_none_or(|at| at > self.now), "a timeout that does not go away");
            if self.ends[e].ended == Some(EndReason::KeepaliveTimeout) {
                self.cut_for_good();
            }
        }
        self.check_deadlines(e);
    }

    /// Nothing goes on past its deadline on an end that looks at the time.
    fn check_deadlines(&self, e: usize) {
        let over = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= self.now);
        for index in self.ends[e].calls.values() {
            let call = &self.calls[*index];
            assert!(call.patient || !over(call.deadline), "call {index} waits past its deadline");
        }
        for handler in self.ends[e].handlers.values() {
            let stopped = handler.aborted || self.calls[handler.call].persist;
            assert!(stopped || !over(handler.deadline), "the handler of call {} runs past its deadline", handler.call);
        }
    }
}
