//! The ledger of what is kept because of the peer, in bytes: arguments and metadata of requests until their
//! handlers have ended, items until they are consumed, the channels that they come on, and long replies until their callers take them.
//!
//! One sum, which only charges change. The owner of something keeps its [`Charge`] with it, and gives the charge back when it lets go.

use std::collections::BTreeMap;

use super::Token;
use crate::wire::CallHead;

/// What a request is charged beside its frame: the entries, the handler's task, and what of its arguments is short.
pub(super) const REQUEST: usize = 1 << 10;
/// How much of its arguments is short: what they decode to beyond their frame and this is charged beside.
pub(crate) const SHORT: usize = 512;
/// What an item is charged beside its bytes.
pub(super) const ITEM: usize = 64;

/// What a channel that the peer has opened is charged, in whatever state, while it has an entry: that one and what a handler has of it.
pub(super) const CHANNEL: usize = 512;

/// So long a reply is not charged: this end has made its call, and calls are few.
pub(crate) const REPLY: usize = 1 << 10;

/// What is charged for a request that came with a frame of so many bytes: without its channels, and what else comes of it.
#[inline]
pub(super) fn request_cost(head: &CallHead, frame: usize) -> usize {
    REQUEST + frame + head.metadata.memory()
}

/// What is charged for items.
#[inline]
pub(super) fn items_cost(items: u32, bytes: u64) -> usize {
    items as usize * ITEM + bytes as usize
}

/// The sum of all charges.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    sum: usize,
    /// The same of what is kept as long as its connection is. Nobody gives that back by reading or by ending a handler, so it is no reason
    /// to wait for room.
    standing: usize,
    /// Most sessions never have any of it.
    rare: Option<Box<Rare>>,
}

#[derive(Debug, Default)]
struct Rare {
    /// What windows have promised beyond what each has at first. Nothing of it has come.
    promised: usize,
    /// Of channels that have ended, what their holders have not consumed yet.
    tails: BTreeMap<Token, Charge>,
    /// Of replies that are longer than [`REPLY`] and that their callers have not taken.
    replies: BTreeMap<Token, Charge>,
}

/// So many bytes in a [`Ledger`], which are given back by [`Ledger::release`] alone. One that is dropped stays charged, which a walk finds.
#[derive(Debug, Default)]
#[must_use]
pub(super) struct Charge(usize);

/// So many bytes of what a ledger has as standing. One that is dropped stays charged, as a [`Charge`] does.
#[derive(Debug, Default)]
#[must_use]
pub(super) struct Standing(usize);

/// So many bytes of what a ledger has as promised. One that is dropped stays promised, as a [`Charge`] stays charged.
#[derive(Debug, Default)]
#[must_use]
pub(super) struct Promise(usize);

impl Promise {
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.0
    }
}

impl Standing {
    pub(super) fn bytes(&self) -> usize {
        self.0
    }
}

impl Ledger {
    /// All that is charged but for what stands.
    #[inline]
    pub(super) fn sum(&self) -> usize {
        self.sum
    }

    /// What stands.
    #[inline]
    pub(super) fn standing(&self) -> usize {
        self.standing
    }

    /// So much stands there from now on.
    pub(super) fn stand(&mut self, standing: &mut Standing, bytes: usize) {
        self.standing = self.standing - standing.0 + bytes;
        standing.0 = bytes;
    }

    /// Nothing stands there any more.
    pub(super) fn end_standing(&mut self, standing: Standing) {
        self.standing -= standing.0;
    }

    /// What windows have promised.
    #[inline]
    pub(super) fn promised(&self) -> usize {
        self.rare.as_ref().map_or(0, |rare| rare.promised)
    }

    /// A window has promised so much from now on.
    #[inline]
    pub(super) fn promise(&mut self, promise: &mut Promise, bytes: usize) {
        if bytes != promise.0 {
            let rare = self.rare.get_or_insert_default();
            rare.promised = rare.promised - promise.0 + bytes;
            promise.0 = bytes;
        }
    }

    /// Something is kept.
    #[inline]
    pub(super) fn charge(&mut self, bytes: usize) -> Charge {
        self.sum += bytes;
        Charge(bytes)
    }

    /// More of it is kept.
    #[inline]
    pub(super) fn raise(&mut self, charge: &mut Charge, bytes: usize) {
        self.sum += bytes;
        charge.0 += bytes;
    }

    /// Less of it is kept.
    #[inline]
    pub(super) fn lower(&mut self, charge: &mut Charge, bytes: usize) {
        debug_assert!(bytes <= charge.0, "{bytes} bytes are released, of {}", charge.0);
        let bytes = bytes.min(charge.0);
        self.sum -= bytes;
        charge.0 -= bytes;
    }

    /// Nothing of it is kept any more.
    #[inline]
    pub(super) fn release(&mut self, charge: Charge) {
        self.sum -= charge.0;
    }

    /// A channel has ended, and its holder has yet to consume what came on it.
    pub(super) fn leave(&mut self, token: Token, charge: Charge) {
        if charge.0 > 0
            && let Some(before) = self.rare.get_or_insert_default().tails.insert(token, charge)
        {
            self.release(before);
        }
    }

    /// The holder of a channel that has ended consumed so much.
    pub(super) fn consume(&mut self, token: Token, bytes: usize) {
        let Some(mut charge) = self.tail(token) else { return };
        self.lower(&mut charge, bytes);
        self.leave(token, charge);
    }

    /// The holder of a channel lets go of it.
    #[inline]
    pub(super) fn let_go(&mut self, token: Token) {
        if let Some(charge) = self.tail(token) {
            self.release(charge);
        }
    }

    #[inline]
    fn tail(&mut self, token: Token) -> Option<Charge> {
        self.rare.as_mut()?.tails.remove(&token)
    }

    /// A reply of so many bytes waits for its caller to take it.
    #[inline]
    pub(super) fn keep_reply(&mut self, token: Token, len: usize) {
        if len > REPLY {
            let charge = self.charge(len);
            self.rare.get_or_insert_default().replies.insert(token, charge);
        }
    }

    /// A caller has taken its reply, or will not.
    pub(super) fn take_reply(&mut self, token: Token) {
        if let Some(charge) = self.rare.as_mut().and_then(|rare| rare.replies.remove(&token)) {
            self.release(charge);
        }
    }

    /// Whether a long reply waits for its caller.
    pub(super) fn keeps_replies(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| !rare.replies.is_empty())
    }

    /// What a walk over the tails and the replies finds.
    #[cfg(test)]
    pub(super) fn left_behind(&self) -> usize {
        self.rare.iter().flat_map(|rare| rare.tails.values().chain(rare.replies.values())).map(Charge::bytes).sum()
    }
}

impl Charge {
    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    pub(super) fn bytes(&self) -> usize {
        self.0
    }
}
