//! The halves of channels that users hold, as the session's state knows them.

use std::collections::VecDeque;
use std::task::Waker;

use bytes::Bytes;

use super::backlog::{Backlog, HalfEnd};
use super::channel_warnings::{Upload, Wait};
use super::deferred::Deferred;
use crate::error::EndReason;
use crate::proto::ChannelEnd;

/// A held half.
#[derive(Debug)]
pub(crate) struct Endpoint {
    side: Side,
    /// Its call may yet be made again, on another session, and takes the channel along.
    pub(super) retry_hold: Option<RetryHold>,
}

#[derive(Debug)]
enum Side {
    Sender(SenderState),
    Receiver(ReceiverState),
}

/// What a call has to know of a half before it takes the channel along.
#[derive(Debug, Default)]
pub(super) struct RetryHold {
    /// Something went over the channel, in either direction, or its peer ended it: that cannot be taken back.
    pub(super) touched: bool,
    /// The channel was lost before, which nobody is told until the call has decided.
    pub(super) lost: Option<EndReason>,
    /// Its holder let go of it.
    pub(super) half_end: Option<HalfEnd>,
}

/// A held sender.
#[derive(Debug, Default)]
pub(crate) struct SenderState {
    /// Sends that wait for credit.
    pub(crate) wakers: Vec<Waker>,
    /// How the receiver ended it.
    pub(crate) end: Option<ChannelEnd>,
    /// What was sent before the call and has not left.
    pub(crate) backlog: Option<Box<Backlog>>,
    /// Its call is under way, and it is looked after.
    pub(super) upload: Option<Box<Upload>>,
    /// A send waits for credit.
    pub(super) waits: Wait,
    /// How often the outbox had been taken when an item was put into it, and one more.
    sent_at: u64,
}

/// A held receiver.
#[derive(Debug, Default)]
pub(crate) struct ReceiverState {
    /// Runs of items, each item with its length before it. Bounded by the credit that was granted.
    pub(crate) queue: VecDeque<Bytes>,
    /// How it ended, once the queue is empty.
    pub(crate) end: Option<ChannelEnd>,
    pub(crate) waker: Option<Waker>,
}

/// Runs shorter than this are copied when they have to wait: a slice of a read buffer keeps all of it.
const COPIED: usize = 4 << 10;

impl SenderState {
    /// An item was put into the outbox, which was taken so often. Whether another was since that was last done.
    #[inline]
    pub(super) fn follows(&mut self, taken: u64) -> bool {
        std::mem::replace(&mut self.sent_at, taken + 1) == taken + 1
    }

    /// A send waits.
    pub(crate) fn wait(&mut self, waker: &Waker, deferred: &mut Deferred) {
        if !self.wakers.iter().any(|known| known.will_wake(waker)) {
            self.wakers.extend(deferred.kept(waker));
        }
    }
}

impl ReceiverState {
    /// Keeps a run of items until they are received.
    pub(crate) fn push(&mut self, items: Bytes) {
        let waits = !self.queue.is_empty() && items.len() < COPIED;
        self.queue.push_back(if waits { Bytes::copy_from_slice(&items) } else { items });
    }
}

impl Endpoint {
    pub(crate) fn sender() -> Self {
        Self { side: Side::Sender(SenderState::default()), retry_hold: None }
    }

    pub(crate) fn receiver() -> Self {
        Self { side: Side::Receiver(ReceiverState::default()), retry_hold: None }
    }

    /// The same, for a call that may be made again.
    pub(crate) fn held_for_retry(self, held_for_retry: bool) -> Self {
        Self { retry_hold: held_for_retry.then(RetryHold::default), ..self }
    }

    #[inline]
    pub(crate) fn as_sender(&mut self) -> Option<&mut SenderState> {
        match &mut self.side {
            Side::Sender(sender) => Some(sender),
            Side::Receiver(_) => None,
        }
    }

    #[inline]
    pub(crate) fn as_receiver(&mut self) -> Option<&mut ReceiverState> {
        match &mut self.side {
            Side::Receiver(receiver) => Some(receiver),
            Side::Sender(_) => None,
        }
    }

    /// Something went over the channel.
    #[inline]
    pub(crate) fn touch(&mut self) {
        if let Some(retry_hold) = &mut self.retry_hold {
            retry_hold.touched = true;
        }
        if let Side::Sender(sender) = &mut self.side
            && let Some(upload) = &mut sender.upload
        {
            upload.is_used = true;
        }
    }

    /// Its holder watches it, and has not forgotten it; or it has ended.
    #[inline]
    pub(crate) fn look_no_more(&mut self) {
        if let Side::Sender(sender) = &mut self.side {
            sender.upload = None;
        }
    }

    /// Whether a call that is made again cannot take the channel along.
    pub(crate) fn is_touched(&self) -> bool {
        self.retry_hold.as_ref().is_none_or(|retry_hold| retry_hold.touched)
    }

    /// Its call takes the channel along no more.
    pub(super) fn unpledge(&mut self) {
        self.touch();
        self.retry_hold = None;
    }

    /// Why the channel was lost, while the call may yet take it along.
    pub(crate) fn lost(&self) -> Option<&EndReason> {
        self.retry_hold.as_ref()?.lost.as_ref()
    }

    /// Its holder lets go of it. `false`: nobody needs to know, and it is to be forgotten.
    pub(super) fn let_go(&mut self, end: &HalfEnd) -> bool {
        self.look_no_more();
        let Some(retry_hold) = &mut self.retry_hold else { return false };
        retry_hold.half_end.get_or_insert_with(|| end.clone());
        if let Side::Receiver(receiver) = &mut self.side {
            receiver.queue.clear();
        }
        true
    }

    /// Takes up what the session says last, and wakes those who wait.
    pub(crate) fn end(&mut self, end: ChannelEnd, wakes: &mut Vec<Waker>) {
        match (&mut self.retry_hold, end) {
            (Some(retry_hold), ChannelEnd::Lost(reason)) if !retry_hold.touched => retry_hold.lost = Some(reason),
            (_, end) => {
                self.touch();
                self.look_no_more();
                match &mut self.side {
                    Side::Sender(sender) => drop(sender.end.get_or_insert(end)),
                    Side::Receiver(receiver) => drop(receiver.end.get_or_insert(end)),
                }
                self.wake(wakes);
            }
        }
    }

    pub(super) fn wake(&mut self, wakes: &mut Vec<Waker>) {
        match &mut self.side {
            Side::Sender(sender) => wakes.append(&mut sender.wakers),
            Side::Receiver(receiver) => wakes.extend(receiver.waker.take()),
        }
    }
}
