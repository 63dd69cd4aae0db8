//! The head of a call: all of it but the arguments.

use std::time::Duration;

use super::frame::{Kind, channel, connection, operation, put_operation, request};
use super::{Reader, begin, finish, put_metadata, put_varint};
use crate::error::{ProtocolViolation, Rule};
use crate::ids::{ChannelId, ConnectionId, MethodId, RequestId};
use crate::limits::Limits;
use crate::metadata::Metadata;
use crate::operation::OperationId;

/// A call, without its arguments.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CallHead {
    pub(crate) connection: ConnectionId,
    pub(crate) request: RequestId,
    pub(crate) method: MethodId,
    /// What the attempt is one at, where that has a name.
    pub(crate) operation: Option<OperationId>,
    /// The time left, in whole microseconds on the wire.
    pub(crate) timeout: Option<Duration>,
    /// The time left is counted from when the whole call has arrived.
    pub(crate) patient: bool,
    pub(crate) metadata: Metadata,
    pub(crate) channels: Box<[ChannelOpen]>,
}

/// A channel that a call opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChannelOpen {
    pub(crate) id: ChannelId,
    pub(crate) direction: ChannelDirection,
}

/// Who sends the items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChannelDirection {
    CallerSends,
    HandlerSends,
}

const HAS_TIMEOUT: u8 = 1;
const HAS_METADATA: u8 = 2;
const HAS_CHANNELS: u8 = 4;
const HAS_OPERATION: u8 = 8;
const IS_PATIENT: u8 = 16;

impl CallHead {
    /// Appends the head of a call whose arguments, `payload_len` bytes, follow.
    #[inline]
    pub(crate) fn put(&self, out: &mut Vec<u8>, payload_len: usize) {
        let start = begin(out, Kind::Call);
        self.put_fields(out);
        finish(out, start, payload_len);
    }

    /// Appends what follows the kind.
    #[inline]
    pub(super) fn put_fields(&self, out: &mut Vec<u8>) {
        put_varint(out, self.connection.0);
        put_varint(out, self.request.0);
        out.extend_from_slice(&self.method.0.to_le_bytes());
        let mut flags = 0;
        if self.patient {
            flags |= IS_PATIENT;
        }
        if self.timeout.is_some() {
            flags |= HAS_TIMEOUT;
        }
        if !self.metadata.is_empty() {
            flags |= HAS_METADATA;
        }
        if !self.channels.is_empty() {
            flags |= HAS_CHANNELS;
        }
        if self.operation.is_some() {
            flags |= HAS_OPERATION;
        }
        out.push(flags);
        if let Some(timeout) = self.timeout {
            put_varint(out, u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX));
        }
        if !self.metadata.is_empty() {
            put_metadata(out, &self.metadata);
        }
        if !self.channels.is_empty() {
            put_varint(out, self.channels.len() as u64);
            for channel in &*self.channels {
                put_varint(out, channel.id.0);
                out.push(channel.direction as u8);
            }
        }
        if let Some(operation) = self.operation {
            put_operation(out, operation);
        }
    }
}

impl CallHead {
    #[inline]
    pub(super) fn read(r: &mut Reader<'_>, limits: &Limits) -> Result<Self, ProtocolViolation> {
        let connection = connection(r)?;
        let request = request(r)?;
        let method = MethodId(u64::from_le_bytes(r.fixed("method")?));
        let flags = r.byte("call flags")?;
        if flags & !(HAS_TIMEOUT | HAS_METADATA | HAS_CHANNELS | HAS_OPERATION | IS_PATIENT) != 0 {
            return Err(r.fault("call flags", "unknown flags"));
        }
        let timeout = match flags & HAS_TIMEOUT {
            0 => None,
            _ => match r.varint("timeout")? {
                0 => return Err(r.fault("timeout", "no time is left")),
                left => Some(Duration::from_micros(left)),
            },
        };
        let metadata = match flags & HAS_METADATA {
            0 => Metadata::new(),
            _ => r.metadata()?,
        };
        let channels = match flags & HAS_CHANNELS {
            0 => Box::default(),
            _ => read_channels(r, limits)?,
        };
        let operation = match flags & HAS_OPERATION {
            0 => None,
            _ => Some(operation(r)?),
        };
        let patient = flags & IS_PATIENT != 0;
        Ok(Self { connection, request, method, operation, timeout, patient, metadata, channels })
    }
}

fn read_channels(r: &mut Reader<'_>, limits: &Limits) -> Result<Box<[ChannelOpen]>, ProtocolViolation> {
    let count = r.varint("channel count")?;
    if count > limits.max_channels as u64 {
        return Err(ProtocolViolation::new(
            Rule::TooManyChannels,
            format!("a call with {count} channels, over the limit of {}", limits.max_channels),
        ));
    }
    let mut channels = Vec::new();
    for _ in 0..count {
        let id = channel(r)?;
        let direction = match r.byte("channel direction")? {
            0 => ChannelDirection::CallerSends,
            1 => ChannelDirection::HandlerSends,
            _ => return Err(r.fault("channel direction", "neither 0 nor 1")),
        };
        channels.push(ChannelOpen { id, direction });
    }
    Ok(channels.into())
}
