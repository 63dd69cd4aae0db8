//! The halves of channels that somebody holds, as the session's state knows them.

use std::collections::VecDeque;
use std::task::Waker;

use bytes::Bytes;

use crate::proto::ChannelEnd;

/// A held half.
#[derive(Debug)]
pub(crate) enum Endpoint {
    Sender(SenderState),
    Receiver(ReceiverState),
}

/// A held sender.
#[derive(Debug, Default)]
pub(crate) struct SenderState {
    /// Sends that wait for credit.
    pub(crate) wakers: Vec<Waker>,
    /// How the receiver ended it.
    pub(crate) end: Option<ChannelEnd>,
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

impl ReceiverState {
    /// Keeps a run of items until they are received.
    pub(crate) fn push(&mut self, items: Bytes) {
        let waits = !self.queue.is_empty() && items.len() < COPIED;
        self.queue.push_back(if waits { Bytes::copy_from_slice(&items) } else { items });
    }
}

impl Endpoint {
    pub(crate) fn sender() -> Self {
        Self::Sender(SenderState::default())
    }

    pub(crate) fn receiver() -> Self {
        Self::Receiver(ReceiverState::default())
    }

    pub(crate) fn as_sender(&mut self) -> Option<&mut SenderState> {
        match self {
            Self::Sender(sender) => Some(sender),
            Self::Receiver(_) => None,
        }
    }

    pub(crate) fn as_receiver(&mut self) -> Option<&mut ReceiverState> {
        match self {
            Self::Receiver(receiver) => Some(receiver),
            Self::Sender(_) => None,
        }
    }

    /// Takes up what the session says last, and wakes whoever waits.
    pub(crate) fn end(&mut self, end: ChannelEnd, wakes: &mut Vec<Waker>) {
        match self {
            Self::Sender(sender) => {
                sender.end.get_or_insert(end);
                wakes.append(&mut sender.wakers);
            }
            Self::Receiver(receiver) => {
                receiver.end.get_or_insert(end);
                wakes.extend(receiver.waker.take());
            }
        }
    }
}
