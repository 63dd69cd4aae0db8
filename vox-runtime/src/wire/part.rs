//! Long messages travel in parts: how one begins, and what a part looks like.

use super::call::CallHead;
use super::frame::{Kind, channel, connection, request};
use super::{LENGTH_BYTES, Reader, begin, finish, put_varint};
use crate::error::{ProtocolViolation, Rule};
use crate::ids::{ChannelId, ConnectionId, RequestId};
use crate::limits::Limits;

/// The usual part, in bytes.
pub(crate) const PART: usize = 64 << 10;
/// How much longer a part, or a payload in one frame, may be than a round number of bytes: what a value of such a size is encoded with
/// goes along, rather than in a part of its own.
pub(crate) const SLACK: usize = 4 << 10;
/// A payload longer than this makes its message a long one.
pub(crate) const WHOLE: usize = PART + SLACK;
/// The longest part, which a fast link may have.
pub(crate) const MAX_PART: usize = 16 * PART + SLACK;

/// The message that a long payload belongs to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum LongHead {
    Call(CallHead),
    Reply {
        connection: ConnectionId,
        request: RequestId,
    },
    /// A run of items, mostly of one.
    Items {
        connection: ConnectionId,
        channel: ChannelId,
    },
}

impl LongHead {
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Call(head) => {
                out.push(Kind::Call as u8);
                head.put_fields(out);
            }
            Self::Reply { connection, request } => {
                out.push(Kind::Reply as u8);
                put_varint(out, connection.0);
                put_varint(out, request.0);
            }
            Self::Items { connection, channel } => {
                out.push(Kind::Items as u8);
                put_varint(out, connection.0);
                put_varint(out, channel.0);
            }
        }
    }

    pub(super) fn read(r: &mut Reader<'_>, limits: &Limits) -> Result<Self, ProtocolViolation> {
        let code = r.byte("kind of the long message")?;
        Ok(match Kind::from_code(code) {
            Some(Kind::Call) => Self::Call(CallHead::read(r, limits)?),
            Some(Kind::Reply) => Self::Reply { connection: connection(r)?, request: request(r)? },
            Some(Kind::Items) => Self::Items { connection: connection(r)?, channel: channel(r)? },
            _ => {
                let why = format!("a long message of kind {code:#04x}: only calls, replies and items are long");
                return Err(ProtocolViolation::new(Rule::MalformedFrame, why));
            }
        })
    }
}

/// Appends the head of a part whose bytes, so many, follow.
pub(crate) fn put_part_head(out: &mut Vec<u8>, number: u64, len: usize) {
    let start = begin(out, Kind::Part);
    put_varint(out, number);
    finish(out, start, len);
}

/// A part whose frame has begun to come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PartHead {
    pub(crate) number: u64,
    /// How many bytes the part has.
    pub(crate) len: usize,
    /// How many bytes of the frame come before them, its length included.
    pub(crate) at: usize,
}

impl PartHead {
    /// The head of the part that `bytes`, the beginning of a frame of `length` bytes, begin with, if they do.
    pub(crate) fn find(bytes: &[u8], length: usize) -> Option<Self> {
        let body = bytes.get(LENGTH_BYTES..)?;
        if body.first() != Some(&(Kind::Part as u8)) {
            return None;
        }
        // Where not even the number is whole, there will soon be more.
        let mut reader = Reader::new(&body[..body.len().min(length)]);
        reader.byte("kind").ok()?;
        let number = reader.varint("number").ok()?;
        Some(Self { number, len: length.checked_sub(reader.position())?, at: LENGTH_BYTES + reader.position() })
    }
}
