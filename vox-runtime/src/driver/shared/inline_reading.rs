//! A lone call reads the link for its reply.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Context;

use super::super::clock::now;
use super::super::reading::{READS_PER_TURN, Read, Reader};
use super::super::shared::Shared;
use super::super::state::{State, Waiter};
use crate::catch_panic::catch_panic;
use crate::proto::Token;

impl Shared {
    /// Reads the link for the call that reads inline, and hands out what `take` finds of its end. What the peer sends is for others as well, so
    /// a fault in handling it is not the call's.
    pub(in crate::driver) fn read_for<R>(&self, token: Token, take: impl FnMut(&mut State) -> Option<R>) -> Option<R> {
        let read = catch_unwind(AssertUnwindSafe(|| self.read_link_for(token, take)));
        read.unwrap_or_else(|payload| {
            catch_panic(move || drop(payload));
            self.fail();
            None
        })
    }

    fn read_link_for<R>(&self, token: Token, mut take: impl FnMut(&mut State) -> Option<R>) -> Option<R> {
        let Some(mut reader) = self.try_reader() else {
            // The session's task reads, and may be past its last look.
            self.wake_driver();
            return None;
        };
        let mut cx = Context::from_waker(&self.watch_waker);
        let mut taken = None;
        for turn in 0..READS_PER_TURN {
            match reader.read(turn, &mut cx) {
                Read::Some(_) => while self.handle_for(token, &mut reader, &mut taken, &mut take) {},
                Read::Nothing => return taken,
                Read::Lost(reason) => {
                    self.link_ended(reader.link(), reason);
                    return taken;
                }
            }
        }
        drop(reader);
        self.wake_driver();
        taken
    }

    /// Handles frames that were read. `true`: there may be more.
    fn handle_for<R>(
        &self,
        token: Token,
        reader: &mut Reader,
        taken: &mut Option<R>,
        take: &mut impl FnMut(&mut State) -> Option<R>,
    ) -> bool {
        // A reply needs no time but for when the peer was last heard of; when the call was made is near enough for that.
        let clock = if reader.has_one_reply() { None } else { Some(now()) };
        // It is not woken for its own end. Its waker, then, goes without the lock.
        let mut own = None;
        let more = self.change(|state| {
            let clock = clock.or(state.inline_reader.last).unwrap_or_else(now);
            own = if taken.is_none() { state.waiters.get_mut(token).and_then(Waiter::take_waker) } else { None };
            let more = reader.handle_frames(state, clock, self.limits.max_message_bytes);
            state.settle(&self.router);
            if own.is_some()
                && let Some(Waiter::Waiting(waker)) = state.waiters.get_mut(token)
            {
                *waker = own.take();
            }
            if taken.is_none() {
                *taken = take(state);
            }
            more
        });
        if own.is_some() {
            catch_panic(move || drop(own));
        }
        more
    }

    pub(in crate::driver) fn wake_driver(&self) {
        let driver = self.lock().wake_plan.on_missed();
        driver.wake();
    }
}

#[cfg(test)]
mod models;
