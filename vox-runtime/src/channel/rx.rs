//! The receiving half.

use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use facet::{Facet, Shape};

use super::bound::Bound;
use super::cell::{Found, Half};
use super::errors::{RecvError, TryRecvError};
use super::local::Patience;
use crate::codec::{ChannelKind, DecodeError, Decoder, channel_shape};
use crate::driver::{Endpoint, HalfEnd, State, now};
use crate::error::Reason;
use crate::metadata::Metadata;
use crate::proto::ChannelEnd;
use crate::wire::{self, Reset};

/// Consumed items are reported in batches of this many, or as soon as a run is used up.
const REPORT: u32 = 64;

/// Receives items of type `T` from the other peer, in order.
///
/// Only a sender that was closed makes a clean end. Everything else is an error: a sender that was dropped or that aborted, a handler that
/// was stopped, a lost connection. Dropping an `Rx` tells the sender to stop.
#[repr(C)]
pub struct Rx<T> {
    pub(super) half: Half,
    pub(super) reader: Reader,
    pub(super) item: PhantomData<fn() -> T>,
}

#[allow(unsafe_code, reason = "a shape made by hand, which is what marks a channel")]
// SAFETY: the shape is made for this type, and `HalfEncoder` and `HalfDecoder` know its layout.
unsafe impl<T: Facet<'static> + 'static> Facet<'static> for Rx<T> {
    const SHAPE: &'static Shape = &const {
        // SAFETY: this is the crate's own half of this kind.
        unsafe { channel_shape::<Self, T>(ChannelKind::Rx, "Rx") }
    };
}

/// What was received and not yet handed out.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// A run of items, each with its length before it, and how far it is read.
    run: Bytes,
    at: usize,
    items: u32,
    bytes: u64,
    end: Option<End>,
    patience: Patience,
}

#[derive(Debug)]
enum End {
    Closed(Metadata),
    Failed(RecvError),
}

impl<T: Facet<'static> + 'static> Rx<T> {
    /// The next item; `None` once the sender has closed the channel and every item was received.
    ///
    /// Cancel-safe: where the future is dropped before it is ready, no item is lost.
    pub async fn recv(&mut self) -> Result<Option<T>, RecvError> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// The next items, at most so many: waits for the first, and takes those that came with it. They are added to `items`, and their number is
    /// given; 0 once the sender has closed the channel and every item was received, or where `most` is 0.
    ///
    /// Cancel-safe: where the future is dropped before it is ready, no item is lost. An error that comes after items is the next one's.
    ///
    /// ```
    /// # extern crate vox_runtime as vox;
    /// # async fn sum(mut rx: vox::Rx<u64>) -> Result<u64, vox::RecvError> {
    /// let (mut sum, mut items) = (0, Vec::new());
    /// while rx.recv_many(&mut items, 1_000).await? > 0 {
    ///     sum += items.drain(..).sum::<u64>();
    /// }
    /// # Ok(sum)
    /// # }
    /// ```
    pub async fn recv_many(&mut self, items: &mut Vec<T>, most: usize) -> Result<usize, RecvError> {
        if most == 0 {
            return Ok(0);
        }
        let Some(first) = self.recv().await? else { return Ok(0) };
        items.push(first);
        let mut count = 1;
        while count < most && self.reader.has_items() && self.reader.end.is_none() {
            // What is wrong with it is kept for the next call.
            let Ok(item) = self.next_in_run() else { break };
            items.push(item);
            count += 1;
        }
        Ok(count)
    }

    /// An item that is here already. It waits for nothing.
    ///
    /// ```
    /// # extern crate vox_runtime as vox;
    /// # fn drain(mut rx: vox::Rx<u64>) {
    /// while let Ok(n) = rx.try_recv() {
    ///     println!("{n}");
    /// }
    /// # }
    /// ```
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        match self.poll_next_item(Waker::noop(), false) {
            Poll::Pending => Err(TryRecvError::Empty),
            Poll::Ready(Ok(None)) => Err(TryRecvError::Closed),
            Poll::Ready(Ok(Some(item))) => Ok(item),
            Poll::Ready(Err(error)) => Err(TryRecvError::Failed(error)),
        }
    }

    /// As [`recv`](Self::recv), for those who poll.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<T>, RecvError>> {
        let polled = self.poll_next_item(cx.waker(), true);
        if polled.is_pending() && self.half.get().is_none() {
            self.reader.patience.wait(cx, "`recv`", || self.half.waits_for());
        }
        polled
    }

    /// The next item. Pending, it wakes this waker, if it `waits`; else whatever waits already is left alone.
    fn poll_next_item(&mut self, waker: &Waker, waits: bool) -> Poll<Result<Option<T>, RecvError>> {
        loop {
            if let Some(end) = &self.reader.end {
                return Poll::Ready(match end {
                    End::Closed(_) => Ok(None),
                    End::Failed(error) => Err(error.clone()),
                });
            }
            if self.reader.has_items() {
                return Poll::Ready(self.next_in_run().map(Some));
            }
            match self.half.poll_take(waker) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Found::Bound | Found::Kept) => {}
                // Of this type, for the halves are a pair.
                Poll::Ready(Found::Item(item)) => match item.into_value() {
                    Some(item) => return Poll::Ready(Ok(Some(item))),
                    None => self.fail(RecvError::Reset { at: self.half.place() }),
                },
                Poll::Ready(Found::Orphaned(HalfEnd::Close(metadata))) => self.reader.end = Some(End::Closed(metadata)),
                Poll::Ready(Found::Orphaned(HalfEnd::Reset(why))) => {
                    self.fail(RecvError::reset(why, self.half.place()));
                }
                Poll::Ready(Found::Dead(why)) => {
                    self.fail(RecvError::NotBound(Reason::new(&*why, self.half.place())));
                }
            }
            if self.reader.end.is_none() && self.poll_run(waits.then_some(waker)).is_pending() {
                return Poll::Pending;
            }
        }
    }

    #[inline]
    fn next_in_run(&mut self) -> Result<T, RecvError> {
        let Some(bound) = self.half.get() else { return Err(RecvError::Reset { at: self.half.place() }) };
        let item = self.reader.next_item();
        let decoded = decode::<T>(bound, &self.reader.run, item.clone());
        if self.reader.items >= REPORT || !self.reader.has_items() {
            self.report();
        }
        decoded.map_err(|mut error| {
            error.offset = error.offset.saturating_sub(item.start);
            let error = RecvError::BadItem { error, at: self.half.place() };
            self.half.end(HalfEnd::Reset(Reset::Gone));
            self.fail(error.clone());
            error
        })
    }
}

/// Reads the item that stands there in a run.
#[inline]
fn decode<T: Facet<'static>>(bound: &Bound, run: &Bytes, item: Range<usize>) -> Result<T, DecodeError> {
    let budget = crate::reply::budget(&bound.shared.limits);
    let mut decoder = Decoder::of_part(run, item, budget);
    let value = match &bound.items.by {
        None => bound.items.program.decode(&mut decoder)?,
        Some(by) => by.decode(&mut decoder)?,
    };
    decoder.finish()?;
    Ok(value)
}

impl<T> Rx<T> {
    /// The metadata that the sender closed the channel with, once [`recv`](Self::recv) has said `None`.
    pub fn close_metadata(&self) -> Option<&Metadata> {
        match &self.reader.end {
            Some(End::Closed(metadata)) => Some(metadata),
            Some(End::Failed(_)) | None => None,
        }
    }

    pub(super) fn fail(&mut self, error: RecvError) {
        self.reader.run = Bytes::new();
        self.reader.end = Some(End::Failed(error));
    }

    /// Tells the session what was consumed, so that the sender may go on.
    fn report(&mut self) {
        let (items, bytes) = (std::mem::take(&mut self.reader.items), std::mem::take(&mut self.reader.bytes));
        if let Some(bound) = self.half.get() {
            let (now, channel) = (now(), (bound.channel, bound.token));
            bound.shared.change(|state| state.session.consumed(now, bound.connection, channel, items, bytes));
        }
    }

    /// Fetches the next run, or the end.
    fn poll_run(&mut self, waker: Option<&Waker>) -> Poll<()> {
        loop {
            let Some(bound) = self.half.get() else { return Poll::Pending };
            let reader = &mut self.reader;
            if let Some(polled) = bound.change(|state| reader.poll_run(bound, state, waker)) {
                return polled;
            }
        }
    }
}

impl Reader {
    #[inline]
    fn has_items(&self) -> bool {
        self.at < self.run.len()
    }

    /// Where in the run the next item is, which counts as consumed. The session has checked that the run is whole items.
    #[inline]
    fn next_item(&mut self) -> Range<usize> {
        let rest = &self.run[self.at..];
        let (len, head) = match rest.first() {
            Some(&len) if len < 0x80 => (len.into(), 1),
            _ => long_head(rest),
        };
        let start = self.at + head;
        let end = start.saturating_add(len).min(self.run.len());
        self.at = end;
        self.items += 1;
        self.bytes += (end - start) as u64;
        start..end
    }

    fn poll_run(&mut self, bound: &Bound, state: &mut State, waker: Option<&Waker>) -> Poll<()> {
        let Self { run, at, end, .. } = self;
        let endpoint = state.endpoints.get_mut(bound.token);
        let Some(receiver) = endpoint.and_then(Endpoint::as_receiver) else {
            *end = Some(End::Failed(RecvError::Reset { at: bound.place() }));
            return Poll::Ready(());
        };
        if let Some(next) = receiver.queue.pop_front() {
            (*run, *at) = (next, 0);
            return Poll::Ready(());
        }
        match receiver.end.take() {
            Some(ChannelEnd::Closed(metadata)) => *end = Some(End::Closed(metadata)),
            Some(ChannelEnd::Reset(why)) => *end = Some(End::Failed(RecvError::reset(why, bound.place()))),
            Some(ChannelEnd::Lost(reason)) => {
                let how = Reason::new(reason.to_string(), bound.place());
                *end = Some(End::Failed(RecvError::ConnectionLost(how)));
            }
            // Or it was lost, and the call has yet to decide whether to take it along.
            None => {
                match (&mut receiver.waker, waker) {
                    (_, None) => {}
                    (Some(known), Some(waker)) if known.will_wake(waker) => {}
                    (place, Some(waker)) => state.deferred.keep(place, waker),
                }
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }
}

/// The length that a run begins with, and its own length.
fn long_head(run: &[u8]) -> (usize, usize) {
    let mut reader = wire::Reader::new(run);
    let len = reader.varint("item length").unwrap_or_default();
    (len as usize, reader.position())
}

impl<T> Drop for Rx<T> {
    fn drop(&mut self) {
        self.half.end(HalfEnd::Reset(Reset::Gone));
    }
}

impl<T: Facet<'static> + 'static> futures_core::Stream for Rx<T> {
    type Item = Result<T, RecvError>;

    /// Items, then at most one error, then the end.
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let failed_before = matches!(this.reader.end, Some(End::Failed(_)));
        match this.poll_recv(cx) {
            Poll::Ready(Err(_)) if failed_before => Poll::Ready(None),
            Poll::Ready(result) => Poll::Ready(result.transpose()),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T> Unpin for Rx<T> {}

impl<T> fmt::Debug for Rx<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rx").field(&self.half.get()).finish()
    }
}
