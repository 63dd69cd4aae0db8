//! Pauses reading and handlers until less is kept.

use std::task::Waker;
use std::time::{Duration, Instant};

use super::super::pause::Pause;
use super::leasing::FREE;
use super::{Session, earlier};
use crate::error::{Scarce, Short};
use crate::limits::Refused;

/// How long the peer is not read at most. What comes behind the message that waits, such as cancels, waits as well, and the peer must not take
/// the link for dead.
const READING: Duration = Duration::from_secs(5);
/// How long a handler may have to wait for replies before it to be read.
const REPLIES: Duration = Duration::from_secs(30);

/// Most sessions never wait for either.
#[derive(Debug, Default)]
pub(super) struct Pauses(Option<Box<Both>>);

#[derive(Debug, Default)]
struct Both {
    reading: Pause,
    replies: Pause,
    /// The place in the line of those who wait for others to give back what they have in common.
    ticket: Option<u64>,
}

impl Pauses {
    /// The peer is not read, so that it cannot be heard.
    #[inline]
    pub(super) fn is_unheard(&self) -> bool {
        self.0.as_ref().is_some_and(|both| both.reading.is_on())
    }

    #[inline]
    fn are_held(&self) -> bool {
        self.0.as_ref().is_some_and(|both| both.replies.is_on())
    }

    #[inline]
    pub(super) fn due(&self) -> Option<Instant> {
        self.0.as_ref().and_then(|both| earlier(both.reading.due(), both.replies.due()))
    }

    fn both(&mut self) -> &mut Both {
        self.0.get_or_insert_default()
    }
}

impl Session {
    /// Whether what has come of the peer is left for later: the next message might not fit, and handlers and receivers may give back
    /// enough for it. To be asked before each frame that brings something to keep.
    #[inline]
    pub(crate) fn holds_off(&mut self, now: Instant) -> bool {
        // Most of the time there is room.
        (self.memory() > self.mark() || self.pauses.is_unheard() || self.shares_are_low()) && self.look_at_reading(now)
    }

    /// Whether the peer was left for later, and there is still no room. Time is not looked at.
    #[inline]
    pub(crate) fn stays_held_off(&self) -> bool {
        self.pauses.is_unheard() && self.is_over_mark()
    }

    /// What has come is left for later: waits in the line of those who wait for others to give something back, if that is what it waits for. To be
    /// said at each look at it, by the task that is to be woken. `true`: it is in the line.
    #[cold]
    pub(crate) fn stay_in_line(&mut self, waker: &Waker) -> bool {
        let waits = self.pauses.is_unheard() && self.shares_are_low();
        if !waits && self.leave_line() {
            self.call_next_in_line();
        }
        if waits && let Some(purse) = &self.purse {
            let both = self.pauses.both();
            both.ticket = Some(purse.wait(both.ticket, waker));
        }
        waits
    }

    /// Waits there no more. `true`: it was woken, and is to call the next once it has taken what it needs.
    #[inline]
    pub(crate) fn leave_line(&mut self) -> bool {
        let ticket = self.pauses.0.as_mut().and_then(|both| both.ticket.take());
        ticket.is_some_and(|ticket| self.purse.as_ref().is_some_and(|purse| !purse.leave(ticket)))
    }

    #[cold]
    pub(crate) fn call_next_in_line(&self) {
        if let Some(purse) = &self.purse {
            purse.call_next();
        }
    }

    /// Whether handlers wait with what they do next, for replies wait that the peer has not read or not acknowledged.
    pub(crate) fn holds_replies(&mut self, now: Instant) -> bool {
        let (is_over, held, was_on) = (self.is_laden_with_replies(), self.fx.outbox.held(), self.pauses.are_held());
        let is_on = self.pauses.both().replies.look(is_over, held, REPLIES, now);
        if is_on && !was_on {
            let short = Short::new(Scarce::SessionMemory, held, self.limits.session_memory / 2);
            self.fx.refused(Refused::Handlers, short);
        }
        is_on
    }

    /// The same, of handlers that wait already. Time is not looked at.
    #[inline]
    pub(crate) fn stays_holding_replies(&self) -> bool {
        self.pauses.are_held() && self.is_laden_with_replies()
    }

    /// Whether replies wait that take half of what may be kept. Once there are, it is so until half of them are gone.
    pub(crate) fn is_laden_with_replies(&self) -> bool {
        let most = self.limits.session_memory / if self.pauses.are_held() { 4 } else { 2 };
        self.ended.is_none() && self.fx.outbox.held() > most
    }

    /// So much must be kept before reading waits: the next message fits surely where it is less, or three quarters.
    #[inline]
    fn mark(&self) -> usize {
        let most = self.limits.session_memory;
        (most / 4 * 3).max(most.saturating_sub(self.limits.max_message_bytes))
    }

    /// Whether so much is kept that the peer waits, of which a good part is what handlers and receivers give back without it.
    fn is_over_mark(&self) -> bool {
        let most = self.limits.session_memory;
        let mark = self.mark() - if self.pauses.is_unheard() { most / 16 } else { 0 };
        let has_link = self.ended.is_none() && !self.is_detached();
        let of_peer = self.fx.ledger.sum() + self.growing as usize;
        let is_over = self.memory() > mark && of_peer > most / 2;
        has_link && (is_over || (self.shares_are_low() && of_peer > FREE))
    }

    fn look_at_reading(&mut self, now: Instant) -> bool {
        let (is_over, kept, was_on) = (self.is_over_mark(), self.memory(), self.pauses.is_unheard());
        let is_on = self.pauses.both().reading.look(is_over, kept, READING, now);
        if was_on && !is_on {
            // It was not asked to say anything meanwhile.
            self.heard(now);
        }
        if is_on && !was_on {
            let is_own = kept > self.mark();
            let short =
                if is_own { Short::new(Scarce::SessionMemory, kept, self.mark()) } else { self.short_of_shares(kept) };
            self.fx.refused(Refused::Reading, short);
        }
        is_on
    }

    /// A handler is told to end, so that something will be given back: it is waited for, though the peer has waited long enough before.
    pub(super) fn expect_room(&mut self) {
        if let Some(both) = &mut self.pauses.0
            && let Pause::Over = both.reading
        {
            both.reading = Pause::Off;
        }
    }

    /// Time has passed.
    pub(super) fn look_at_pauses(&mut self, now: Instant) {
        if self.pauses.is_unheard() {
            self.look_at_reading(now);
        }
        if self.pauses.are_held() {
            self.holds_replies(now);
        }
    }
}
