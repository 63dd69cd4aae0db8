//! What can be said of one channel.

use bytes::Bytes;

use super::super::ledger::Charge;
#[cfg(test)]
use super::super::ledger::ITEM;
use super::{Channel, Half, ReceiverState, SenderState};
use crate::error::{ProtocolViolation, Rule};
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

    pub(super) fn into_charge(self) -> Charge {
        match self.half {
            Half::Receiver { charge, .. } => charge,
            Half::Sender { .. } => Charge::default(),
        }
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
    /// What a walk finds that is charged for items.
    pub(in super::super) fn walk(&self) -> usize {
        let of = |(_, channel): (u64, &Channel)| match &channel.half {
            Half::Receiver { window, charge, .. } => {
                let (items, bytes) = window.kept();
                let kept = items as usize * ITEM + bytes as usize;
                assert_eq!(charge.bytes(), kept, "a channel is charged for what it does not keep");
                kept
            }
            Half::Sender { .. } => 0,
        };
        self.table.iter().map(of).sum()
    }
}
