//! Channels of calls without types: their items are bytes, or values by their schema.

use std::fmt;

use bytes::Bytes;

use crate::channel::{RawHalf, RecvError, Rx, SendError, Tx};
use crate::codec::{ChannelKind, DecodeError, DecodeErrorKind, Rest};
use crate::error::Reason;
use crate::escaped::Escaped;
use crate::metadata::Metadata;
use crate::value::{Placed, Value, ValueError, ValueType};

/// Who sends on a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a call has two ends")]
pub enum Sender {
    /// The caller: the method takes an `Rx`.
    Caller,
    /// The handler: the method takes a `Tx`.
    Handler,
}

/// Sends items as they are encoded. Credit, and its ends, are those of a [`Tx`](crate::Tx): one that is dropped aborts.
pub struct RawTx(Tx<Rest>);

/// Receives items as they are encoded. Credit, and its ends, are those of an [`Rx`](crate::Rx).
pub struct RawRx(Rx<Rest>);

/// Sends items that are values of the channel's type. Credit, and its ends, are those of a [`Tx`](crate::Tx): one that is dropped aborts.
pub struct ValueTx {
    raw: RawTx,
    item: ValueType,
}

/// Receives items that are values of the channel's type. Credit, and its ends, are those of an [`Rx`](crate::Rx).
pub struct ValueRx {
    raw: RawRx,
    item: ValueType,
}

/// This end of a channel of a call, whose items are bytes.
#[derive(Debug)]
#[allow(clippy::exhaustive_enums, reason = "a channel has two ends")]
pub enum RawChannel {
    /// This end sends.
    Tx(RawTx),
    /// This end receives.
    Rx(RawRx),
}

/// The channels of a call, of which this end has not taken all yet: each by where it stands in the arguments.
///
/// That is the name of the argument, or the way below it: `events`, `parts.numbers`, `pair[1]`.
#[derive(Default)]
pub struct Channels(Vec<(String, RawChannel, ValueType)>);

impl RawTx {
    /// As [`Tx::send`].
    pub async fn send(&self, item: impl Into<Bytes>) -> Result<(), SendError> {
        self.0.send(Rest(item.into())).await
    }

    /// As [`Tx::close`].
    pub fn close(self) {
        self.0.close();
    }

    /// As [`Tx::close_with`].
    pub fn close_with(self, metadata: Metadata) -> Result<(), SendError> {
        self.0.close_with(metadata)
    }

    /// As [`Tx::abort`].
    pub fn abort(self, reason: impl AsRef<str>) {
        self.0.abort(reason);
    }

    /// As [`Tx::closed`].
    pub async fn closed(&self) -> SendError {
        self.0.closed().await
    }
}

impl RawRx {
    /// As [`Rx::recv`].
    pub async fn recv(&mut self) -> Result<Option<Bytes>, RecvError> {
        Ok(self.0.recv().await?.map(|Rest(item)| item))
    }

    /// As [`Rx::close_metadata`].
    pub fn close_metadata(&self) -> Option<&Metadata> {
        self.0.close_metadata()
    }
}

impl ValueTx {
    /// The type of the items.
    pub fn item(&self) -> &ValueType {
        &self.item
    }

    /// Sends an item once there is credit for it, as [`Tx::send`]. One of another type is not sent: [`SendError::InvalidItem`].
    pub async fn send(&self, item: &Value) -> Result<(), SendError> {
        let bytes = self.item.encode(item).map_err(|error| self.invalid(&error))?;
        self.raw.send(bytes).await
    }

    /// As [`send`](Self::send), of an item in JSON.
    pub async fn send_json(&self, item: &str) -> Result<(), SendError> {
        let bytes = self.item.json_to_bytes(item).map_err(|error| self.invalid(&error))?;
        self.raw.send(bytes).await
    }

    /// As [`Tx::close`].
    pub fn close(self) {
        self.raw.close();
    }

    /// As [`Tx::close_with`].
    pub fn close_with(self, metadata: Metadata) -> Result<(), SendError> {
        self.raw.close_with(metadata)
    }

    /// As [`Tx::abort`].
    pub fn abort(self, reason: impl AsRef<str>) {
        self.raw.abort(reason);
    }

    /// As [`Tx::closed`].
    pub async fn closed(&self) -> SendError {
        self.raw.closed().await
    }

    fn invalid(&self, error: &ValueError) -> SendError {
        SendError::InvalidItem(Reason::new(error.to_string(), self.raw.0.place()))
    }
}

impl ValueRx {
    /// The type of the items.
    pub fn item(&self) -> &ValueType {
        &self.item
    }

    /// The next item, as [`Rx::recv`]. One that is of another type ends the channel: [`RecvError::BadItem`].
    pub async fn recv(&mut self) -> Result<Option<Value>, RecvError> {
        let Some(bytes) = self.raw.recv().await? else { return Ok(None) };
        match self.item.decode(&bytes, self.raw.0.budget()) {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(self.bad(&error)),
        }
    }

    /// As [`recv`](Self::recv), in JSON.
    pub async fn recv_json(&mut self) -> Result<Option<String>, RecvError> {
        let Some(value) = self.recv().await? else { return Ok(None) };
        self.item.write_json(&value).map(Some).map_err(|error| self.bad(&error))
    }

    /// As [`Rx::close_metadata`].
    pub fn close_metadata(&self) -> Option<&Metadata> {
        self.raw.close_metadata()
    }

    fn bad(&mut self, error: &ValueError) -> RecvError {
        let at = error.cause().map_or(0, |cause| cause.offset);
        let kind = match error.cause() {
            Some(cause) => cause.kind.clone(),
            None => DecodeErrorKind::Value(error.to_string().into()),
        };
        self.raw.0.refuse(DecodeError::new(kind, at))
    }
}

impl RawChannel {
    pub(crate) fn new(half: RawHalf) -> Self {
        match half {
            RawHalf::Tx(tx) => Self::Tx(RawTx(tx)),
            RawHalf::Rx(rx) => Self::Rx(RawRx(rx)),
        }
    }
}

impl RawChannel {
    /// Who sends on it, of a channel that a handler was given.
    pub(super) fn sender(&self) -> Sender {
        match self {
            Self::Tx(_) => Sender::Handler,
            Self::Rx(_) => Sender::Caller,
        }
    }
}

impl Sender {
    pub(super) fn kind(self) -> ChannelKind {
        match self {
            Self::Caller => ChannelKind::Rx,
            Self::Handler => ChannelKind::Tx,
        }
    }
}

impl Channels {
    /// Each of these channels stands in the place that it was found in.
    pub(super) fn new(placed: Vec<Placed>, halves: impl IntoIterator<Item = RawHalf>) -> Self {
        let halves = halves.into_iter().map(RawChannel::new);
        Self(placed.into_iter().zip(halves).map(|(placed, half)| (placed.path(), half, placed.item)).collect())
    }

    /// Where those stand that were not taken yet.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(path, ..)| &**path)
    }

    /// The channel in this place, if this end sends on it. Once.
    pub fn sender(&mut self, path: &str) -> Option<ValueTx> {
        match self.take(path, |channel| matches!(channel, RawChannel::Tx(_)))? {
            (RawChannel::Tx(raw), item) => Some(ValueTx { raw, item }),
            (RawChannel::Rx(_), _) => None,
        }
    }

    /// The channel in this place, if this end receives on it. Once.
    pub fn receiver(&mut self, path: &str) -> Option<ValueRx> {
        match self.take(path, |channel| matches!(channel, RawChannel::Rx(_)))? {
            (RawChannel::Rx(raw), item) => Some(ValueRx { raw, item }),
            (RawChannel::Tx(_), _) => None,
        }
    }

    fn take(&mut self, path: &str, is_it: impl Fn(&RawChannel) -> bool) -> Option<(RawChannel, ValueType)> {
        let place = self.0.iter().position(|(known, channel, _)| known == path && is_it(channel))?;
        let (_, channel, item) = self.0.remove(place);
        Some((channel, item))
    }
}

/// Gives everything that comes on one channel to another, and how it ends. Who leaves the one end is told of at the other.
pub(super) async fn relay(from: RawChannel, to: RawChannel) {
    let (mut from, to) = match (from, to) {
        (RawChannel::Rx(from), RawChannel::Tx(to)) | (RawChannel::Tx(to), RawChannel::Rx(from)) => (from, to),
        // The one call was made after the other.
        (RawChannel::Rx(_), RawChannel::Rx(_)) | (RawChannel::Tx(_), RawChannel::Tx(_)) => return,
    };
    loop {
        let next = tokio::select! {
            biased;
            _left = to.closed() => return,
            next = from.recv() => next,
        };
        match next {
            Ok(Some(item)) => {
                if to.send(item).await.is_err() {
                    return;
                }
            }
            Ok(None) => {
                let metadata = from.close_metadata().cloned().unwrap_or_default();
                let _ = to.close_with(metadata);
                return;
            }
            Err(RecvError::Aborted(why)) => return to.abort(why.as_str()),
            // It is dropped too.
            Err(RecvError::Dropped { .. }) => return,
            Err(error) => return to.abort(error.to_string()),
        }
    }
}

impl fmt::Debug for RawTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawTx({:?})", self.0)
    }
}

impl fmt::Debug for RawRx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawRx({:?})", self.0)
    }
}

impl fmt::Debug for ValueTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ValueTx({}, {:?})", self.item.words(), self.raw.0)
    }
}

impl fmt::Debug for ValueRx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ValueRx({}, {:?})", self.item.words(), self.raw.0)
    }
}

impl fmt::Debug for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.paths().map(Escaped::new)).finish()
    }
}
