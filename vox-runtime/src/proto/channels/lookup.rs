//! Looks up one channel and its state.

use bytes::Bytes;

#[cfg(test)]
use super::super::memory_ledger::ITEM;
use super::super::memory_ledger::{CHANNEL, Charge};
use super::super::spent::Spent;
use super::super::{Effects, Output, Token};
use super::{Channel, ChannelEnd, Half, ReceiverState, SenderState};
use crate::error::{EndReason, ProtocolViolation, Rule};
use crate::ids::ChannelId;

impl Channel {
    /// Nothing overtakes a long item on its own channel.
    #[inline]
    pub(super) fn check_order(&self, id: ChannelId) -> Result<(), ProtocolViolation> {
        match self.arriving {
            true => Err(ProtocolViolation::new(
                Rule::WrongPart,
                format!("something on channel {id} before the long item is whole"),
            )),
            false => Ok(()),
        }
    }

    fn into_charge(self, spent: &mut Spent) -> Charge {
        match self.half {
            Half::Receiver { charge, state, .. } => {
                if let ReceiverState::Buffering { runs, .. } = state {
                    spent.put_runs(runs);
                }
                charge.and(self.entry)
            }
            Half::Sender { .. } => self.entry,
        }
    }

    /// Nothing is kept of it any more.
    #[inline]
    pub(super) fn release(mut self, fx: &mut Effects) {
        self.promise_nothing(fx);
        let charge = self.into_charge(&mut fx.outbox.spent);
        fx.ledger.release(charge);
    }

    /// Its sender is promised nothing any more.
    #[inline]
    fn promise_nothing(&mut self, fx: &mut Effects) {
        if let Half::Receiver { promise, .. } = &mut self.half {
            fx.ledger.promise(promise, 0);
        }
    }

    /// It has no entry any more. What is kept of it else is its holder's to consume, and to let go of.
    pub(super) fn leave_to(mut self, token: Token, fx: &mut Effects) {
        self.promise_nothing(fx);
        let of_entry = self.entry.bytes().min(CHANNEL);
        fx.ledger.lower(&mut self.entry, of_entry);
        let charge = self.into_charge(&mut fx.outbox.spent);
        fx.ledger.leave(token, charge);
    }

    /// Its connection is gone.
    pub(super) fn end(self, reason: &EndReason, fx: &mut Effects) {
        let end = ChannelEnd::Lost(reason.clone());
        match self.half {
            Half::Sender { state: SenderState::Live(token), .. } => {
                self.release(fx);
                fx.emit(Output::SenderEnded { token, end });
            }
            Half::Receiver { state: ReceiverState::Live(token), .. } => {
                self.leave_to(token, fx);
                fx.emit(Output::ReceiverEnded { token, end });
            }
            Half::Receiver { .. } | Half::Sender { .. } => self.release(fx),
        }
    }

    /// What is charged for it, and what came on it.
    pub(super) fn charged(&self) -> usize {
        let items = match &self.half {
            Half::Receiver { charge, .. } => charge.bytes(),
            Half::Sender { .. } => 0,
        };
        self.entry.bytes() + items
    }

    /// Whether the peer has ended it, and nobody has taken it up.
    pub(super) fn is_untaken(&self) -> bool {
        matches!(
            self.half,
            Half::Sender { state: SenderState::Unbound { reset: true }, .. }
                | Half::Receiver { state: ReceiverState::Buffering { end: Some(_), .. }, .. }
        )
    }

    /// The bytes of items that are kept of it, if the peer has ended it.
    pub(super) fn kept(&self) -> usize {
        match &self.half {
            Half::Receiver { state: ReceiverState::Buffering { runs, end: Some(_), .. }, .. } => {
                runs.iter().map(Bytes::len).sum()
            }
            Half::Receiver { .. } | Half::Sender { .. } => 0,
        }
    }

    pub(super) fn is_unbound(&self) -> bool {
        matches!(
            self.half,
            Half::Sender { state: SenderState::Unbound { .. }, .. }
                | Half::Receiver { state: ReceiverState::Buffering { .. }, .. }
        )
    }
}

#[cfg(test)]
impl super::Channels {
    /// What a walk finds that is charged for channels and items.
    pub(in super::super) fn walk(&self) -> usize {
        let of = |(_, channel): (u64, &Channel)| {
            let (items, end) = match &channel.half {
                Half::Receiver { window, charge, state, promise } => {
                    let (items, bytes) = window.kept();
                    let kept = items as usize * ITEM + bytes as usize;
                    assert_eq!(charge.bytes(), kept, "a channel is charged for what it does not keep");
                    assert_eq!(promise.bytes(), window.promised(), "a window promises what nobody counts");
                    match state {
                        ReceiverState::Buffering { end: Some(end), full: false, .. } => (kept, end.memory()),
                        ReceiverState::Buffering { .. } | ReceiverState::Live(_) => (kept, 0),
                    }
                }
                Half::Sender { .. } => (0, 0),
            };
            let entry = channel.entry.bytes();
            let is_own = entry == 0 && !channel.is_unbound();
            assert!(is_own || entry == CHANNEL + end, "a channel's entry is charged {entry}, with an end of {end}");
            entry + items
        };
        self.table.iter().map(of).sum()
    }

    /// What a walk finds that windows promise.
    pub(in super::super) fn promised(&self) -> usize {
        let of = |(_, channel): (u64, &Channel)| match &channel.half {
            Half::Receiver { promise, .. } => promise.bytes(),
            Half::Sender { .. } => 0,
        };
        self.table.iter().map(of).sum()
    }
}
