//! Requests and answers of handlers without types.

use std::cell::RefCell;

use bytes::Bytes;

use super::answer::Answer;
use super::args::{Args, InvalidArgs};
use crate::channel::RawHalf;
use crate::codec::{DecodeError, DecodeErrorKind, Decoder, EncodeError, Encoder, LONG as LONG_REST};
use crate::error::VoxError;
use crate::terms::Misread;
use crate::value::{Placed, Value, ValueError, ValueType};
use crate::wire::{ERR, Failure, OK, Payload, USER};

/// What a handler without types ends with: bytes of what its method returns, of its error, or an outcome of the runtime's own.
pub(crate) enum Outcome {
    Ok(Bytes),
    User(Bytes),
    /// What it returned cannot be sent.
    Invalid(String),
    Failed(Failure),
}

impl Outcome {
    /// The value that a method returns, or its error, as it is sent.
    pub(crate) fn of(types: (&ValueType, &ValueType), result: Result<Value, Value>) -> Self {
        let encoded = match &result {
            Ok(value) => types.0.encode(value).map(|bytes| Self::Ok(bytes.into())),
            Err(error) => types.1.encode(error).map(|bytes| Self::User(bytes.into())),
        };
        encoded.unwrap_or_else(|error| Self::Invalid(error.to_string()))
    }

    /// How a call ended that was made for the caller.
    pub(crate) fn forwarded(result: Result<Bytes, VoxError<Bytes>>) -> Self {
        match result {
            Ok(bytes) => Self::Ok(bytes),
            Err(error) => match Failure::forwarded(error) {
                Ok(failure) => Self::Failed(failure),
                Err(error) => Self::User(error),
            },
        }
    }
}

impl Args {
    /// All arguments as they came.
    pub(crate) fn rest(&mut self) -> Result<Bytes, InvalidArgs> {
        self.carry()?;
        let rest = self.untyped(|decoder| Ok(decoder.rest_of_frame()), None)?;
        self.finish()?;
        Ok(rest)
    }

    /// The next argument, by its schema. The channels in it are put to the others.
    pub(crate) fn value(
        &mut self,
        name: &str,
        ty: &ValueType,
        channels: &mut Vec<Placed>,
    ) -> Result<Value, InvalidArgs> {
        self.carry()?;
        let (before, most) = (channels.len(), self.channel_kinds().len());
        let placed = RefCell::new(channels);
        let read = |decoder: &mut Decoder<'_>| {
            ty.decode_from(decoder, Some((&mut placed.borrow_mut(), most))).map_err(misread)
        };
        let value = self.untyped(read, Some(name))?;
        placed.into_inner().iter_mut().skip(before).for_each(|placed| placed.in_argument(name));
        Ok(value)
    }

    /// The channels in these places.
    pub(crate) fn channels(&mut self, placed: &[Placed]) -> Result<Vec<RawHalf>, InvalidArgs> {
        placed.iter().map(|placed| self.raw_channel(placed.index, placed.kind)).collect()
    }

    /// All channels of the call, in their order.
    pub(crate) fn all_channels(&mut self) -> Result<Vec<RawHalf>, InvalidArgs> {
        let kinds = self.channel_kinds().into_iter().zip(0..);
        kinds.map(|(kind, index)| self.raw_channel(index, kind)).collect()
    }

    /// What a handler without types ended with is the answer.
    pub(crate) fn answer_untyped(&self, outcome: Outcome) -> Answer<()> {
        let bytes = match outcome {
            Outcome::Ok(bytes) => self.encoded(|out, room| put(out, room.bytes, &[OK], bytes)),
            Outcome::User(bytes) => self.encoded(|out, room| put(out, room.bytes, &[ERR, USER], bytes)),
            Outcome::Invalid(why) => Err(Failure::InvalidResponse(why)),
            Outcome::Failed(failure) => Err(failure),
        };
        Answer { payload: bytes, kept: () }
    }
}

fn put(out: &mut Payload, most: usize, head: &[u8], bytes: Bytes) -> Result<(), EncodeError> {
    let needed = head.len() + bytes.len();
    if needed > most {
        return Err(EncodeError::TooLarge { needed, limit: most });
    }
    let mut encoder = Encoder::new(&mut out.encoded, most);
    encoder.raw(head)?;
    match bytes.len() < LONG_REST {
        true => encoder.raw(&bytes),
        false => {
            out.last = Some(bytes);
            Ok(())
        }
    }
}

fn misread(error: ValueError) -> Misread {
    match error.cause() {
        Some(DecodeError { kind: DecodeErrorKind::OverMemory { .. }, .. }) => {
            Misread::Decode(error.cause().cloned().expect("there is a cause"))
        }
        _ => Misread::Incompatible(error.to_string().into()),
    }
}
