//! The replies that the runtime makes itself, in the shape of every reply: `Result<T, VoxError<E>>`.
//!
//! The bytes are the same whatever `T` and `E` are: the tag of `Err`, the variant of `VoxError`, and for some
//! a text. So no reply is ever of another shape than its method's.

use super::{Reader, put_str, put_varint, words};
use crate::error::{NotSent, Place, ProtocolViolation, Ran, Short, Shortage, VoxError};
use crate::limits::Fits;

/// The tag of `Ok` in a response.
pub(crate) const OK: u8 = 0;
/// The tag of `Err` in a response.
pub(crate) const ERR: u8 = 1;
/// The variant `VoxError::User`.
pub(crate) const USER: u8 = 0;

/// Whether this response is what a handler made of its call, and not the runtime.
pub(crate) fn is_outcome(payload: &[u8]) -> bool {
    matches!(payload, [OK, ..] | [ERR, USER, ..])
}

/// An outcome of the runtime's own that travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    UnknownMethod,
    InvalidPayload(String),
    Busy(Short),
    Cancelled,
    DeadlineExceeded,
    Panicked,
    Indeterminate,
    InvalidResponse(String),
    OperationConflict,
    OperationExpired,
    StoreUnavailable(Ran),
}

impl Failure {
    /// A response of `len` bytes to a caller that takes `limit`.
    pub(crate) fn response_too_large(len: usize, limit: usize) -> Self {
        Self::InvalidResponse(format!("it takes {len} bytes, where {}", Fits { limit, whose: "the caller" }))
    }

    /// The same, with words of at most so many bytes.
    pub(crate) fn within(self, most: usize) -> Self {
        match self {
            Self::InvalidPayload(why) => Self::InvalidPayload(words(&why, most).to_owned()),
            Self::InvalidResponse(why) => Self::InvalidResponse(words(&why, most).to_owned()),
            other => other,
        }
    }

    /// Appends the whole response payload.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        out.push(ERR);
        match self {
            Self::UnknownMethod => out.push(1),
            Self::InvalidPayload(why) => {
                out.push(2);
                put_str(out, why);
            }
            Self::Busy(Short { code, needed, limit }) => {
                out.extend_from_slice(&[3, *code]);
                put_varint(out, *needed);
                put_varint(out, *limit);
            }
            Self::Cancelled => out.push(4),
            Self::DeadlineExceeded => out.push(5),
            Self::Panicked => out.push(6),
            Self::Indeterminate => out.push(7),
            Self::InvalidResponse(why) => {
                out.push(8);
                put_str(out, why);
            }
            Self::OperationConflict => out.push(9),
            Self::OperationExpired => out.push(10),
            Self::StoreUnavailable(ran) => out.extend_from_slice(&[11, *ran as u8]),
        }
    }

    /// Reads what follows the tag `Err`, where it is not `VoxError::User`.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, ProtocolViolation> {
        let mut r = Reader::new(bytes);
        let failure = match r.byte("outcome")? {
            1 => Self::UnknownMethod,
            2 => Self::InvalidPayload(r.reason("reason")?),
            3 => {
                let code = r.byte("limit")?;
                Self::Busy(Short { code, needed: r.varint("needed")?, limit: r.varint("limit")? })
            }
            4 => Self::Cancelled,
            5 => Self::DeadlineExceeded,
            6 => Self::Panicked,
            7 => Self::Indeterminate,
            8 => Self::InvalidResponse(r.reason("reason")?),
            9 => Self::OperationConflict,
            10 => Self::OperationExpired,
            11 => match r.byte("ran")? {
                0 => Self::StoreUnavailable(Ran::No),
                2 => Self::StoreUnavailable(Ran::Unknown),
                _ => return Err(r.fault("ran", "neither no nor unknown")),
            },
            other => return Err(r.fault("outcome", &format!("{other} is none that travels"))),
        };
        r.end()?;
        Ok(failure)
    }
}

impl Failure {
    /// What a caller is answered where a call that was made for it ended so. `Err`: the method's own error.
    pub(crate) fn forwarded<E>(error: VoxError<E>) -> Result<Self, E> {
        Ok(match error {
            VoxError::User(error) => return Err(error),
            VoxError::UnknownMethod { .. } => Self::UnknownMethod,
            VoxError::InvalidPayload(why) => Self::InvalidPayload(why.to_string()),
            VoxError::Busy { short, .. } => Self::Busy(short.short()),
            VoxError::Cancelled { .. } => Self::Cancelled,
            VoxError::DeadlineExceeded { .. } => Self::DeadlineExceeded,
            VoxError::Panicked { .. } => Self::Panicked,
            VoxError::Indeterminate { .. } => Self::Indeterminate,
            VoxError::InvalidResponse(why) => Self::InvalidResponse(why.to_string()),
            VoxError::OperationConflict { .. } => Self::OperationConflict,
            VoxError::OperationExpired { .. } => Self::OperationExpired,
            VoxError::StoreUnavailable { ran, .. } => Self::StoreUnavailable(ran),
            // It has not run. Tried again it would be the same call, which cannot be sent.
            VoxError::NotSent(
                why @ (NotSent::Incompatible(_) | NotSent::TooLarge(_) | NotSent::InvalidArgument(_)),
            ) => Self::InvalidPayload(format!("the call could not be sent on: {}", why.words())),
            // It may be tried again.
            VoxError::NotSent(_) => Self::Busy(Shortage::UNKNOWN.short()),
        })
    }
}

impl<E> From<Failure> for VoxError<E> {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::UnknownMethod => Self::UnknownMethod,
            Failure::InvalidPayload(why) => Self::InvalidPayload(why.into()),
            Failure::Busy(short) => Self::Busy { at: Place::UNKNOWN, short: short.into() },
            Failure::Cancelled => Self::Cancelled,
            Failure::DeadlineExceeded => Self::DeadlineExceeded,
            Failure::Panicked => Self::Panicked,
            Failure::Indeterminate => Self::indeterminate("the server has no outcome of it on record"),
            Failure::InvalidResponse(why) => Self::InvalidResponse(why.into()),
            Failure::OperationConflict => Self::OperationConflict,
            Failure::OperationExpired => Self::OperationExpired,
            Failure::StoreUnavailable(ran) => Self::StoreUnavailable(ran),
        }
    }
}
