//! The sending half.

use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use facet::{Facet, Shape};
use futures_core::Stream;

use super::bound::Bound;
use super::cell::{Found, Half};
use super::errors::{SendError, TrySendError};
use super::items::Items;
use super::local::{Item, Patience};
use super::slow::Slow;
use crate::codec::{ChannelKind, EncodeError, Encoder, Program, channel_shape};
use crate::driver::{Deferred, Endpoint, HalfEnd, Slab, State, give_buffer, is_cut, take_buffer};
use crate::error::{Place, Reason};
use crate::limits::Fits;
use crate::metadata::Metadata;
use crate::proto::{ChannelEnd, Sent};
use crate::reply::too_large_for_peer;
use crate::wire::Reset;

/// Sends items of type `T` to the other peer, in order.
///
/// Items wait for credit, so a slow reader slows the sender and nothing is lost in between. Once the `Rx` at the other end is dropped,
/// the next send fails.
///
/// **A dropped `Tx` is an abort**, as a dropped database transaction is a rollback. The receiver gets a clean end only by
/// [`close`](Self::close), [`close_with`](Self::close_with), [`send_all`](Self::send_all), or the `close` of the `Sink` that this is. So a
/// `?` between two sends never makes half a stream look like a whole one:
///
/// ```
/// # extern crate vox_runtime as vox;
/// # async fn send_file(tx: vox::Tx<String>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// tx.send("the first line".to_owned()).await?;
/// let rest = std::fs::read_to_string("/no/such/file")?; // the receiver gets `Err(Dropped)`
/// tx.send(rest).await?;
/// tx.close();
/// # Ok(())
/// # }
/// ```
#[repr(C)]
pub struct Tx<T> {
    pub(super) half: Half,
    pub(super) item: PhantomData<fn(T)>,
}

#[allow(unsafe_code, reason = "a shape made by hand, which is what marks a channel")]
// SAFETY: the shape is made for this type, and `HalfEncoder` and `HalfDecoder` know its layout.
unsafe impl<T: Facet<'static> + 'static> Facet<'static> for Tx<T> {
    const SHAPE: &'static Shape = &const {
        // SAFETY: this is the crate's own half of this kind.
        unsafe { channel_shape::<Self, T>(ChannelKind::Tx, "Tx") }
    };
}

impl<T: Facet<'static> + Send + 'static> Tx<T> {
    /// Sends an item once there is credit for it.
    ///
    /// Cancel-safe: where the future is dropped before it is ready, the item was not sent and no credit is gone.
    pub async fn send(&self, item: T) -> Result<(), SendError> {
        let item = match self.half.get() {
            Some(_) => item,
            None => match self.keep(item).await? {
                Some(item) => item,
                None => return Ok(()),
            },
        };
        let Some(mut encoded) = self.gather(&item)? else { return Ok(()) };
        drop(item);
        poll_fn(|cx| self.poll_send(&mut encoded.0, Some(cx.waker()))).await
    }

    /// Keeps the item for the call that is to take the `Rx`, or gives it back once one has.
    async fn keep(&self, item: T) -> Result<Option<T>, SendError> {
        let mut item = Some(item);
        let mut patience = Patience::default();
        poll_fn(|cx| {
            let polled = self.poll_keep(&mut item, cx.waker());
            if polled.is_pending() {
                patience.wait(cx, "`send`", || self.half.waits_for());
            }
            polled
        })
        .await?;
        Ok(item)
    }

    /// Sends all items of an iterator or of a stream, each once there is credit for it, and then [closes](Self::close) the channel.
    ///
    /// Where an item is not sent, or the future is dropped before it is ready, the channel is aborted.
    ///
    /// ```
    /// # extern crate vox_runtime as vox;
    /// # async fn example(tx: vox::Tx<u64>) -> Result<(), vox::SendError> {
    /// tx.send_all(0..1_000).await
    /// # }
    /// ```
    pub async fn send_all<K>(self, items: impl Items<T, K>) -> Result<(), SendError> {
        let mut items = pin!(items.into_stream());
        while let Some(item) = poll_fn(|cx| items.as_mut().poll_next(cx)).await {
            self.send(item).await?;
        }
        self.close();
        Ok(())
    }

    /// Sends an item if there is credit for it now.
    pub fn try_send(&self, item: T) -> Result<(), TrySendError<T>> {
        let mut unsent = Some(item);
        let polled = self.poll_keep(&mut unsent, Waker::noop());
        let Some(item) = unsent else { return Ok(()) };
        match polled {
            Poll::Pending => return Err(TrySendError::Full(item)),
            Poll::Ready(Err(error)) => return Err(TrySendError::Closed(error)),
            Poll::Ready(Ok(())) => {}
        }
        let Some(mut encoded) = self.gather(&item).map_err(TrySendError::Closed)? else { return Ok(()) };
        match self.poll_send(&mut encoded.0, None) {
            Poll::Ready(Ok(())) => Ok(()),
            Poll::Ready(Err(error)) => Err(TrySendError::Closed(error)),
            Poll::Pending => Err(TrySendError::Full(item)),
        }
    }

    /// Encodes an item, and puts it to those that were sent before it and have not left, if there is credit for it and the link is busy.
    /// Otherwise it is given back, to go by the session.
    #[inline]
    fn gather(&self, item: &T) -> Result<Option<Encoded>, SendError> {
        let Some(bound) = self.half.get() else { return Err(self.let_go()) };
        let encoded = match encode(item, &bound.items.program, limits(bound)) {
            Ok(encoded) => Encoded(encoded),
            Err(error) => return Err(invalid(&error, bound)),
        };
        Ok(if bound.gathers(&encoded.0) { None } else { Some(encoded) })
    }

    /// Waits until the channel is bound. Before its `Rx` is given to a call the item is kept here, and taken, once there is room for it.
    fn poll_keep(&self, item: &mut Option<T>, waker: &Waker) -> Poll<Result<(), SendError>> {
        let keep = || {
            let item = item.take().expect("it is taken once");
            Item::new(item, |item, bound| match item.downcast_ref::<T>() {
                Some(item) => encode(item, &bound.items.program, limits(bound)),
                None => Err(EncodeError::Channel("it is of another type".into())),
            })
        };
        self.half.poll_keep(waker, keep).map(|found| self.found(found))
    }
}

#[cold]
fn invalid(error: &EncodeError, bound: &Bound) -> SendError {
    SendError::InvalidItem(Reason::new(too_large_for_peer(error), bound.place()))
}

/// An item's bytes, if the peer takes so long and so costly a one.
#[inline]
fn encode<T: Facet<'static>>(
    item: &T,
    program: &Program,
    (max_len, max_decoded): (usize, usize),
) -> Result<Vec<u8>, EncodeError> {
    let mut buffer = take_buffer();
    program.encode(item, &mut Encoder::new(&mut buffer, max_len))?;
    program.check_cost(&buffer, max_decoded)?;
    Ok(buffer)
}

#[inline]
fn limits(bound: &Bound) -> (usize, usize) {
    (bound.shared.max_payload, bound.shared.max_decoded)
}

/// An encoded item whose buffer goes back to the stock.
struct Encoded(Vec<u8>);

impl Drop for Encoded {
    #[inline]
    fn drop(&mut self) {
        give_buffer(std::mem::take(&mut self.0));
    }
}

impl<T> Tx<T> {
    /// Closes the channel: the receiver gets every item that was sent, then the end.
    pub fn close(self) {
        self.half.end(HalfEnd::Close(Metadata::new()));
    }

    /// Ends the channel without a clean end: the receiver gets every item that was sent, then
    /// [`RecvError::Aborted`](crate::RecvError::Aborted) with this reason, of which it keeps 512 characters.
    ///
    /// ```
    /// # extern crate vox_runtime as vox;
    /// # fn copy(tx: vox::Tx<String>) {
    /// match std::fs::read_to_string("/no/such/file") {
    ///     Ok(_) => tx.close(),
    ///     Err(error) => tx.abort(error.to_string()),
    /// }
    /// # }
    /// ```
    pub fn abort(self, reason: impl AsRef<str>) {
        self.half.end(HalfEnd::Reset(Reset::aborted(reason.as_ref())));
    }

    /// As [`close`](Self::close), with metadata that the receiver finds once it is at the end.
    ///
    /// Metadata over a limit does not travel: the channel is aborted, for an end without it would look like a clean one.
    pub fn close_with(self, metadata: Metadata) -> Result<(), SendError> {
        let most = self.half.get().map_or(usize::MAX, |bound| bound.shared.max_payload);
        let checked = metadata.check().and_then(|()| match crate::wire::metadata_len(&metadata) {
            len if len > most => {
                Err(format!("the metadata takes {len} bytes, where {}", Fits { limit: most, whose: "the peer" }))
            }
            _ => Ok(()),
        });
        let checked = checked.map_err(|what| SendError::InvalidItem(Reason::new(what, self.half.place())));
        self.half.end(match &checked {
            Ok(()) => HalfEnd::Close(metadata),
            Err(SendError::InvalidItem(what)) => HalfEnd::Reset(Reset::aborted(what)),
            Err(_) => HalfEnd::Reset(Reset::Gone),
        });
        checked
    }

    fn found(&self, found: Found) -> Result<(), SendError> {
        match found {
            Found::Bound | Found::Kept | Found::Item(_) => Ok(()),
            Found::Orphaned(_) => Err(SendError::Reset { at: self.half.place() }),
            Found::Dead(why) => Err(SendError::NotBound(Reason::new(&*why, self.half.place()))),
        }
    }

    /// The error of a half that was let go of.
    #[cold]
    fn let_go(&self) -> SendError {
        SendError::NotBound(Reason::new("this half was closed before", self.half.place()))
    }

    /// Takes credit and appends the item in one step, so neither is ever without the other.
    fn poll_send(&self, item: &mut Vec<u8>, waker: Option<&Waker>) -> Poll<Result<(), SendError>> {
        let mut slow = None;
        let polled = self.on_bound(|bound, state| {
            // What was gathered goes first, and a long item cannot be followed at once.
            state.close_run(bound.token);
            let endpoint = match live(&mut state.endpoints, &mut state.deferred, bound, waker) {
                Ok(endpoint) => endpoint,
                Err(polled) => return polled,
            };
            // Only where it was encoded for another session, before its call was made again.
            if item.len() > bound.shared.max_payload {
                let (needed, limit) = (item.len(), bound.shared.max_payload);
                return Poll::Ready(Err(invalid(&EncodeError::TooLarge { needed, limit }, bound)));
            }
            match state.session.send_item(bound.connection, bound.channel, item) {
                Sent::Yes => {
                    endpoint.touch();
                    state.open_run((bound.connection, bound.channel, bound.token), &bound.run);
                    Poll::Ready(Ok(()))
                }
                Sent::Gone => Poll::Ready(Err(SendError::Reset { at: bound.place() })),
                Sent::Wait => {
                    state.note_full_outbox();
                    slow = waker.and_then(|waker| Slow::wait(bound, state, waker));
                    Poll::Pending
                }
            }
        });
        slow.inspect(Slow::tell);
        polled
    }

    /// Waits until a send can get on: there is credit, or an end.
    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        match self.half.poll_room(cx.waker()) {
            Poll::Ready(Found::Kept) => return Poll::Ready(Ok(())),
            Poll::Ready(found) => self.found(found)?,
            Poll::Pending => {
                self.half.wait_as_sink(cx);
                return Poll::Pending;
            }
        }
        let mut slow = None;
        let polled = self.on_bound(|bound, state| {
            if let Err(polled) = live(&mut state.endpoints, &mut state.deferred, bound, Some(cx.waker())) {
                return polled;
            }
            if state.session.may_send_item(bound.connection, bound.channel) {
                return Poll::Ready(Ok(()));
            }
            state.note_full_outbox();
            slow = Slow::wait(bound, state, cx.waker());
            Poll::Pending
        });
        slow.inspect(Slow::tell);
        polled
    }

    /// Does this where the channel is bound now.
    fn on_bound(
        &self,
        mut poll: impl FnMut(&Bound, &mut State) -> Poll<Result<(), SendError>>,
    ) -> Poll<Result<(), SendError>> {
        loop {
            let Some(bound) = self.half.get() else {
                return Poll::Ready(Err(self.let_go()));
            };
            if let Some(polled) = bound.change(|state| poll(bound, state)) {
                return polled;
            }
        }
    }

    /// Waits until nothing can be sent any more, and says why: the reader was dropped, the connection is lost, or the call that carries the
    /// other half will never be sent. A feed of rare events learns so that its reader left.
    ///
    /// Cancel-safe, and ready at once where that has happened before.
    ///
    /// ```
    /// # extern crate vox_runtime as vox;
    /// # async fn feed(events: vox::Tx<u64>, mut source: tokio::sync::mpsc::Receiver<u64>) {
    /// loop {
    ///     tokio::select! {
    ///         why = events.closed() => return println!("the reader left: {why}"),
    ///         event = source.recv() => match event {
    ///             Some(event) => drop(events.send(event).await),
    ///             None => return events.close(),
    ///         },
    ///     }
    /// }
    /// # }
    /// ```
    pub async fn closed(&self) -> SendError {
        let mut patience = Patience::default();
        poll_fn(|cx| {
            let polled = self.poll_closed(cx.waker(), Some(cx.waker()));
            if polled.is_pending() && self.half.get().is_none() {
                patience.wait(cx, "`closed`", || self.half.waits_for_its_call());
            }
            polled
        })
        .await
    }

    /// Whether [`closed`](Self::closed) would be ready at once: no item can be sent any more.
    pub fn is_closed(&self) -> bool {
        self.poll_closed(Waker::noop(), None).is_ready()
    }

    fn poll_closed(&self, waker: &Waker, waits: Option<&Waker>) -> Poll<SendError> {
        let polled = match self.half.poll_bound(waker).map(|found| self.found(found)) {
            Poll::Ready(Ok(())) => {
                self.on_bound(|bound, state| match live(&mut state.endpoints, &mut state.deferred, bound, waits) {
                    Err(polled) => polled,
                    Ok(endpoint) => {
                        if let (Some(waker), Some(sender)) = (waits, endpoint.as_sender()) {
                            sender.wait(waker, &mut state.deferred);
                        }
                        endpoint.look_no_more();
                        Poll::Pending
                    }
                })
            }
            other => other,
        };
        match polled {
            Poll::Ready(Err(why)) => Poll::Ready(why),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }

    /// Why there is no room for an item that was promised some. `None`: there is, by now. Where the channel was lost, the item
    /// cannot wait for the call to be made again, and the channel ends here whatever becomes of that.
    fn no_room(&self) -> Option<SendError> {
        let mut lost = None;
        let room = self.on_bound(|bound, state| {
            let Some(endpoint) = state.endpoints.get_mut(bound.token) else { return Poll::Ready(Ok(())) };
            lost = endpoint.lost().map(ToString::to_string);
            let waits = endpoint.as_sender().is_some_and(|sender| sender.backlog.is_some());
            if lost.is_some() {
                endpoint.touch();
            } else if !waits && state.session.may_send_item(bound.connection, bound.channel) {
                return Poll::Ready(Ok(()));
            }
            Poll::Pending
        });
        match lost {
            Some(how) => {
                self.half.end(HalfEnd::Reset(Reset::aborted("an item was lost with the connection")));
                Some(SendError::ConnectionLost(Reason::new(how, self.half.place())))
            }
            None if room.is_ready() => None,
            None => Some(self.not_ready()),
        }
    }

    #[cold]
    fn not_ready(&self) -> SendError {
        let why = "it was sent without readiness: share a `Tx` by `send`";
        SendError::InvalidItem(Reason::new(why, self.half.place()))
    }
}

/// The sending half's endpoint, if the channel goes on. `Err`: it has ended, or was lost and its call has yet to decide whether to take it
/// along.
#[inline]
fn live<'a>(
    endpoints: &'a mut Slab<Endpoint>,
    deferred: &mut Deferred,
    bound: &Bound,
    waker: Option<&Waker>,
) -> Result<&'a mut Endpoint, Poll<Result<(), SendError>>> {
    let gone = || Err(Poll::Ready(Err(SendError::Reset { at: bound.place() })));
    let Some(endpoint) = endpoints.get_mut(bound.token) else { return gone() };
    let lost = endpoint.lost().is_some();
    let Some(sender) = endpoint.as_sender() else { return gone() };
    match &sender.end {
        Some(end) => return Err(Poll::Ready(Err(ended(end, bound.place())))),
        // What was sent before the call goes first.
        None if lost || sender.backlog.is_some() => {
            waker.into_iter().for_each(|waker| sender.wait(waker, deferred));
            return Err(Poll::Pending);
        }
        None => {}
    }
    Ok(endpoint)
}

fn ended(end: &ChannelEnd, at: Place) -> SendError {
    match end {
        ChannelEnd::Reset(Reset::Full(why)) => SendError::Full(Reason::new(why.clone(), at)),
        ChannelEnd::Reset(_) | ChannelEnd::Closed(_) => SendError::Reset { at },
        ChannelEnd::Lost(reason) => SendError::ConnectionLost(Reason::new(reason.to_string(), at)),
    }
}

impl<T> Drop for Tx<T> {
    fn drop(&mut self) {
        self.half.end(HalfEnd::Reset(if is_cut() { Reset::Gone } else { Reset::Dropped }));
    }
}

impl<T: Facet<'static> + Send + 'static> futures_sink::Sink<T> for Tx<T> {
    type Error = SendError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Tx::poll_ready(&self, cx)
    }

    fn start_send(self: Pin<&mut Self>, item: T) -> Result<(), SendError> {
        let mut unsent = Some(item);
        let polled = self.poll_keep(&mut unsent, Waker::noop());
        let Some(item) = unsent else { return Ok(()) };
        match polled {
            Poll::Pending => return Err(self.not_ready()),
            Poll::Ready(found) => found?,
        }
        let Some(mut encoded) = self.gather(&item)? else { return Ok(()) };
        loop {
            if let Poll::Ready(result) = self.poll_send(&mut encoded.0, None) {
                return result;
            }
            // Another task used the credit that `poll_ready` saw, or the session was lost.
            if let Some(error) = self.no_room() {
                return Err(error);
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.half.end(HalfEnd::Close(Metadata::new()));
        Poll::Ready(Ok(()))
    }
}

impl<T> fmt::Debug for Tx<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tx").field(&self.half.get()).finish()
    }
}
