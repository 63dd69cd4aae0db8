//! The messages of an established session.

use bytes::{Buf, Bytes};

use super::call::CallHead;
use super::open::{Open, Telling, put_refusal, read_refusal, read_telling, telling_code};
use super::part::LongHead;
use super::{Reader, Reset, begin, finish, put_metadata, put_str, put_varint};
use crate::error::{ProtocolViolation, Refusal, Rule};
use crate::ids::{ChannelId, ConnectionId, RequestId};
use crate::limits::Limits;
use crate::metadata::Metadata;
use crate::operation::OperationId;
use crate::schema::SchemaHash;

macro_rules! kinds {
    ($($variant:ident = $code:literal;)*) => {
        /// The first byte of a frame's body.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Kind { $($variant = $code,)* }

        impl Kind {
            /// Every kind.
            #[cfg(test)]
            pub(super) const ALL: &'static [Self] = &[$(Self::$variant),*];

            pub(super) fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

kinds! {
    Hello = 0x01;
    Welcome = 0x02;
    Rejected = 0x03;
    Resume = 0x04;
    Resumed = 0x05;
    Confirm = 0x06;
    Ping = 0x08;
    Pong = 0x09;
    Ack = 0x0a;
    Forget = 0x0b;
    Long = 0x0c;
    Part = 0x0d;
    Goodbye = 0x0e;
    Violation = 0x0f;
    Open = 0x10;
    Accept = 0x11;
    Refuse = 0x12;
    Shut = 0x13;
    Contract = 0x14;
    Call = 0x20;
    Reply = 0x21;
    Cancel = 0x22;
    Acknowledge = 0x23;
    Items = 0x30;
    Close = 0x31;
    Reset = 0x32;
    Credit = 0x33;
}

/// A message of an established session. Payloads are slices of the frame they came in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Frame {
    Ping {
        nonce: u64,
    },
    Pong {
        nonce: u64,
    },
    /// How much of the session's stream this end has received.
    Ack {
        received: u64,
    },
    /// The rest of a long message does not come, and its reader forgets what it has of it.
    Forget {
        number: u64,
    },
    /// A long message begins: its payload, of `total` bytes, comes in parts.
    Long {
        number: u64,
        total: u64,
        head: LongHead,
    },
    /// The next bytes of a long message's payload.
    Part {
        number: u64,
        bytes: Bytes,
    },
    Goodbye {
        reason: String,
    },
    Violation(ProtocolViolation),
    Open {
        connection: ConnectionId,
        open: Open,
    },
    Accept {
        connection: ConnectionId,
        /// The acceptor knows the service otherwise than the opener says: who tells how in a `Contract`.
        differs: Option<Telling>,
    },
    Refuse {
        connection: ConnectionId,
        refusal: Refusal,
    },
    /// Closes a connection: the opener has no more handles, or the acceptor serves it no longer.
    Shut {
        connection: ConnectionId,
    },
    /// The service of a connection, as its acceptor knows it.
    Contract {
        connection: ConnectionId,
        /// What names the bytes.
        hash: SchemaHash,
        contract: Bytes,
    },
    Call {
        head: CallHead,
        payload: Bytes,
    },
    Reply {
        connection: ConnectionId,
        request: RequestId,
        payload: Bytes,
    },
    Cancel {
        connection: ConnectionId,
        request: RequestId,
    },
    /// The caller has the operation's outcome and will not ask again.
    Acknowledge {
        connection: ConnectionId,
        operation: OperationId,
    },
    /// One or more items, each with its length before it.
    Items {
        connection: ConnectionId,
        channel: ChannelId,
        items: Bytes,
    },
    Close {
        connection: ConnectionId,
        channel: ChannelId,
        metadata: Metadata,
    },
    Reset {
        connection: ConnectionId,
        channel: ChannelId,
        why: Reset,
    },
    Credit {
        connection: ConnectionId,
        channel: ChannelId,
        items: u32,
        bytes: u32,
    },
}

/// Appends the head of a reply whose payload, `payload_len` bytes, follows.
#[inline]
pub(crate) fn put_reply_head(out: &mut Vec<u8>, connection: ConnectionId, request: RequestId, payload_len: usize) {
    let start = begin(out, Kind::Reply);
    put_varint(out, connection.0);
    put_varint(out, request.0);
    finish(out, start, payload_len);
}

/// Starts a run of items, which lasts until its length is filled in.
pub(crate) fn put_items_head(out: &mut Vec<u8>, connection: ConnectionId, channel: ChannelId) -> usize {
    let start = begin(out, Kind::Items);
    put_varint(out, connection.0);
    put_varint(out, channel.0);
    start
}

impl Frame {
    /// Appends the whole message.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        let kind = match self {
            Self::Call { head, payload } => {
                head.put(out, payload.len());
                out.extend_from_slice(payload);
                return;
            }
            Self::Reply { connection, request, payload } => {
                put_reply_head(out, *connection, *request, payload.len());
                out.extend_from_slice(payload);
                return;
            }
            Self::Ping { .. } => Kind::Ping,
            Self::Pong { .. } => Kind::Pong,
            Self::Ack { .. } => Kind::Ack,
            Self::Forget { .. } => Kind::Forget,
            Self::Long { .. } => Kind::Long,
            Self::Part { .. } => Kind::Part,
            Self::Goodbye { .. } => Kind::Goodbye,
            Self::Violation(_) => Kind::Violation,
            Self::Open { .. } => Kind::Open,
            Self::Accept { .. } => Kind::Accept,
            Self::Refuse { .. } => Kind::Refuse,
            Self::Shut { .. } => Kind::Shut,
            Self::Contract { .. } => Kind::Contract,
            Self::Cancel { .. } => Kind::Cancel,
            Self::Acknowledge { .. } => Kind::Acknowledge,
            Self::Items { .. } => Kind::Items,
            Self::Close { .. } => Kind::Close,
            Self::Reset { .. } => Kind::Reset,
            Self::Credit { .. } => Kind::Credit,
        };
        let start = begin(out, kind);
        self.put_body(out);
        finish(out, start, 0);
    }

    fn put_body(&self, out: &mut Vec<u8>) {
        match self {
            Self::Ping { nonce } | Self::Pong { nonce } => put_varint(out, *nonce),
            Self::Ack { received } => put_varint(out, *received),
            Self::Forget { number } => put_varint(out, *number),
            Self::Long { number, total, head } => {
                put_varint(out, *number);
                put_varint(out, *total);
                head.put(out);
            }
            Self::Part { number, bytes } => {
                put_varint(out, *number);
                out.extend_from_slice(bytes);
            }
            Self::Goodbye { reason } => put_str(out, reason),
            Self::Violation(violation) => {
                out.push(violation.rule.code());
                put_str(out, &violation.detail);
            }
            Self::Open { connection, open } => {
                put_varint(out, connection.0);
                open.put(out);
            }
            Self::Refuse { connection, refusal } => {
                put_varint(out, connection.0);
                put_refusal(out, refusal);
            }
            Self::Accept { connection, differs } => {
                put_varint(out, connection.0);
                out.push(telling_code(*differs));
            }
            Self::Shut { connection } => put_varint(out, connection.0),
            Self::Contract { connection, hash, contract } => {
                put_varint(out, connection.0);
                out.extend_from_slice(&hash.0);
                out.extend_from_slice(contract);
            }
            Self::Cancel { connection, request } => {
                put_varint(out, connection.0);
                put_varint(out, request.0);
            }
            Self::Acknowledge { connection, operation } => {
                put_varint(out, connection.0);
                put_operation(out, *operation);
            }
            Self::Items { connection, channel, items } => {
                put_varint(out, connection.0);
                put_varint(out, channel.0);
                out.extend_from_slice(items);
            }
            Self::Close { connection, channel, metadata } => {
                put_varint(out, connection.0);
                put_varint(out, channel.0);
                put_metadata(out, metadata);
            }
            Self::Reset { connection, channel, why } => {
                put_varint(out, connection.0);
                put_varint(out, channel.0);
                why.put(out);
            }
            Self::Credit { connection, channel, items, bytes } => {
                put_varint(out, connection.0);
                put_varint(out, channel.0);
                put_varint(out, u64::from(*items));
                put_varint(out, u64::from(*bytes));
            }
            Self::Call { .. } | Self::Reply { .. } => {}
        }
    }

    /// Reads the body of one frame, its length removed.
    #[inline]
    pub(crate) fn parse(mut body: Bytes, limits: &Limits) -> Result<Self, ProtocolViolation> {
        let mut reader = Reader::new(&body);
        let code = reader.byte("kind")?;
        let kind = Kind::from_code(code)
            .ok_or_else(|| ProtocolViolation::new(Rule::MalformedFrame, format!("unknown kind {code:#04x}")))?;
        let r = &mut reader;
        let frame = match kind {
            Kind::Hello | Kind::Welcome | Kind::Rejected | Kind::Resume | Kind::Resumed | Kind::Confirm => {
                return Err(ProtocolViolation::new(Rule::MalformedFrame, "a handshake message after the handshake"));
            }
            Kind::Call => {
                let head = CallHead::read(r, limits)?;
                let at = r.position();
                body.advance(at);
                return Ok(Self::Call { head, payload: body });
            }
            Kind::Reply => {
                let (connection, request) = (connection(r)?, request(r)?);
                let at = r.position();
                body.advance(at);
                return Ok(Self::Reply { connection, request, payload: body });
            }
            Kind::Items => {
                let (connection, channel) = (connection(r)?, channel(r)?);
                let at = r.position();
                body.advance(at);
                return Ok(Self::Items { connection, channel, items: body });
            }
            Kind::Contract => {
                let (connection, hash) = (connection(r)?, SchemaHash(r.fixed("hash")?));
                let at = r.position();
                body.advance(at);
                return Ok(Self::Contract { connection, hash, contract: body });
            }
            Kind::Ping => Self::Ping { nonce: r.varint("nonce")? },
            Kind::Pong => Self::Pong { nonce: r.varint("nonce")? },
            Kind::Ack => Self::Ack { received: r.varint("received")? },
            Kind::Forget => Self::Forget { number: r.varint("number")? },
            Kind::Long => {
                let (number, total) = (r.varint("number")?, r.varint("total")?);
                Self::Long { number, total, head: LongHead::read(r, limits)? }
            }
            Kind::Part => {
                let number = r.varint("number")?;
                let at = r.position();
                body.advance(at);
                return Ok(Self::Part { number, bytes: body });
            }
            Kind::Goodbye => Self::Goodbye { reason: r.reason("reason")? },
            Kind::Violation => {
                let code = r.byte("rule")?;
                let rule = Rule::from_code(code).unwrap_or(Rule::MalformedFrame);
                Self::Violation(ProtocolViolation::new(rule, r.reason("detail")?))
            }
            Kind::Open => Self::Open { connection: connection(r)?, open: Open::read(r)? },
            Kind::Accept => Self::Accept { connection: connection(r)?, differs: read_telling(r)? },
            Kind::Refuse => Self::Refuse { connection: connection(r)?, refusal: read_refusal(r)? },
            Kind::Shut => Self::Shut { connection: connection(r)? },
            Kind::Cancel => Self::Cancel { connection: connection(r)?, request: request(r)? },
            Kind::Acknowledge => Self::Acknowledge { connection: connection(r)?, operation: operation(r)? },
            Kind::Close => Self::Close { connection: connection(r)?, channel: channel(r)?, metadata: r.metadata()? },
            Kind::Reset => Self::Reset { connection: connection(r)?, channel: channel(r)?, why: Reset::read(r)? },
            Kind::Credit => Self::Credit {
                connection: connection(r)?,
                channel: channel(r)?,
                items: r.varint32("items")?,
                bytes: r.varint32("bytes")?,
            },
        };
        reader.end()?;
        Ok(frame)
    }

    /// Whether it does something for a call or a channel, and is more than the upkeep of links, sessions and connections.
    pub(crate) fn is_work(&self) -> bool {
        matches!(
            self,
            Self::Call { .. } | Self::Reply { .. } | Self::Items { .. } | Self::Credit { .. } | Self::Part { .. }
        )
    }
}

#[inline]
pub(super) fn connection(r: &mut Reader<'_>) -> Result<ConnectionId, ProtocolViolation> {
    r.varint("connection").map(ConnectionId)
}

#[inline]
pub(super) fn request(r: &mut Reader<'_>) -> Result<RequestId, ProtocolViolation> {
    r.varint("request").map(RequestId)
}

pub(super) fn operation(r: &mut Reader<'_>) -> Result<OperationId, ProtocolViolation> {
    r.fixed("operation").map(|bytes| OperationId::from_u128(u128::from_be_bytes(bytes)))
}

pub(super) fn put_operation(out: &mut Vec<u8>, operation: OperationId) {
    out.extend_from_slice(&operation.to_u128().to_be_bytes());
}

pub(super) fn channel(r: &mut Reader<'_>) -> Result<ChannelId, ProtocolViolation> {
    r.varint("channel").map(ChannelId)
}
