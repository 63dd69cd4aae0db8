//! The end of a run: all that was begun ends, and nothing is left.

use std::collections::VecDeque;
use std::time::Duration;

use super::super::super::testing::Pot;
use super::super::super::{Gate, Sent};
use super::World;
use crate::error::EndReason;

impl World {
    /// Lets all that was begun come to its end while the link holds, and looks for what is left.
    pub(super) fn settle(&mut self) {
        self.come_to_rest(true);
        // Everything sent is consumed, so every sender that is left has credit.
        for e in 0..2 {
            for token in self.ends[e].halves.iter().filter(|(_, half)| half.sends).map(|(t, _)| *t).collect::<Vec<_>>()
            {
                assert_eq!(self.try_send(e, token, 1), Sent::Yes, "credit has leaked");
            }
        }
        self.come_to_rest(true);
        self.end_all_halves();
        self.come_to_rest(true);
        for e in 0..2 {
            let end = &self.ends[e];
            assert!(end.calls.is_empty() && end.opening.is_empty() && end.halves.is_empty() && end.handlers.is_empty());
            assert!(!end.session.is_live(), "calls or channels are left");
            assert_eq!(end.session.handlers_running(), 0);
        }
        self.fill_up();
        for e in 0..2 {
            for connection in self.ends[e].calling.clone() {
                self.shut_this(e, connection);
            }
        }
        self.come_to_rest(false);
        for e in 0..2 {
            assert!(!self.ends[e].session.has_connections(), "connections are left");
            self.expect_nothing_long(e);
            self.expect_idle(e);
        }
        let e = self.rng.below(2);
        self.goodbye(e);
        self.come_to_rest(false);
        assert!(matches!(self.ends[1 - e].ended, Some(EndReason::Goodbye(_))), "nobody heard the goodbye");
    }

    /// Writes, reads, runs handlers to their end and consumes, until nothing moves any more.
    fn come_to_rest(&mut self, connected: bool) {
        for _ in 0..200 {
            for e in 0..2 {
                self.write_some(e, true);
                self.read(e);
                if let Some(key) = self.ends[e].handlers.keys().next().copied() {
                    while self.rng.percent(70) && self.bind(e, key) {}
                    self.end_handler(e, key);
                }
                let receivers = self.ends[e].halves.iter().filter(|(_, half)| !half.sends).map(|(token, _)| *token);
                for token in receivers.collect::<Vec<_>>() {
                    // What one of them gives back may let a frame in that ends another.
                    let Some(half) = self.ends[e].halves.get(&token) else { continue };
                    let channel = &self.channels[half.channel];
                    let kept = channel.delivered - channel.consumed;
                    self.consume_from(e, token, kept);
                }
            }
            if self.at_rest() {
                self.hurry = Duration::ZERO;
                return;
            }
            self.hurry +=
                Duration::from_millis(if self.ends.iter().any(|end| end.held_off.is_some()) { 500 } else { 0 });
        }
        assert!(!connected || self.ends.iter().any(|end| end.ended.is_some()), "it never rests");
    }

    fn at_rest(&mut self) -> bool {
        let pipes = self.link.pipes.iter().all(VecDeque::is_empty);
        pipes
            && self.ends.iter_mut().all(|end| {
                end.held_off.is_none()
                    && end.unreported == 0
                    && end.batch.is_empty()
                    && !end.session.has_output()
                    && end.handlers.is_empty()
            })
    }

    fn end_all_halves(&mut self) {
        for e in 0..2 {
            for token in self.ends[e].halves.keys().copied().collect::<Vec<_>>() {
                let sends = self.ends[e].halves[&token].sends;
                // A receiver whose sender is alive is left to hear of its end.
                if sends {
                    let close = self.rng.percent(80);
                    self.end_this_half(e, token, close);
                }
            }
        }
    }

    /// Every connection takes as many calls as it ever did, and gives them all back.
    fn fill_up(&mut self) {
        for e in 0..2 {
            for connection in self.ends[e].calling.clone() {
                let mut made = 0;
                for _ in 0..100 {
                    if self.try_call(e, connection, 0) == Gate::Open {
                        made += 1;
                    } else if self.ends[e].outbox_has_room(0) {
                        break;
                    } else {
                        self.write(e);
                    }
                }
                assert_eq!(made, self.ends[e].peer.max_calls, "slots have leaked");
            }
        }
        self.come_to_rest(true);
        for end in &self.ends {
            assert!(end.calls.is_empty() && end.handlers.is_empty() && !end.session.is_live());
        }
    }

    /// No timer runs, but for those of calls that have ended since, which go off once.
    fn expect_idle(&mut self, e: usize) {
        for _ in 0..3 {
            let Some(at) = self.ends[e].session.poll_timeout() else { return };
            self.now = self.now.max(at);
            self.ends[e].session.handle_timeout(self.now);
            self.drain(e);
        }
        panic!("a timer runs while nothing is under way");
    }

    /// As [`expect_nothing_kept`](Self::expect_nothing_kept), and nothing waits for its turn to leave.
    fn expect_nothing_long(&mut self, e: usize) {
        let session = &mut self.ends[e].session;
        assert_eq!((session.has_long(), session.outbox().pending_long()), (false, 0), "long messages are left");
        self.expect_nothing_kept(e);
    }

    /// Nothing of the peer's is kept, or being put together.
    fn expect_nothing_kept(&mut self, e: usize) {
        let session = &mut self.ends[e].session;
        assert_eq!(session.reassembly().sums(), (0, 0, 0), "something is still being put together");
        session.check_memory();
        assert_eq!(session.kept_of_peer(), 0, "something of the peer's is still charged");
        session.settle_lease_now();
        assert!(Pot::taken(e) <= session.memory().next_multiple_of(64 << 10), "something is taken that is not kept");
    }

    /// The link goes, if it has not; handlers end; nothing is left.
    pub(super) fn tear_down(&mut self) {
        for _ in 0..20 {
            // What was put before a goodbye or with it still arrives.
            for e in 0..2 {
                self.write(e);
                if self.ends[e].ended.is_none() {
                    self.read(e);
                }
            }
        }
        self.cut_for_good();
        for e in 0..2 {
            for key in self.ends[e].handlers.keys().copied().collect::<Vec<_>>() {
                while self.bind(e, key) {}
                self.end_handler(e, key);
            }
            let end = &self.ends[e];
            assert!(end.ended.is_some());
            assert!(end.calls.is_empty() && end.opening.is_empty() && end.halves.is_empty());
            assert!(!end.session.has_connections() && !end.session.is_live());
            assert_eq!(end.session.handlers_running(), 0, "handlers are counted that have ended");
            assert_eq!(end.session.poll_timeout(), None);
            // What a goodbye let leave first may have had no link any more, where the peer held off reading. It goes with the session.
            if matches!(end.ended, Some(EndReason::ClosedHere)) {
                self.expect_nothing_kept(e);
            } else {
                self.expect_nothing_long(e);
            }
        }
        for (index, call) in self.calls.iter().enumerate() {
            assert_eq!(call.end.is_some(), !call.abandoned, "call {index} has no end, or one too many");
        }
    }
}
