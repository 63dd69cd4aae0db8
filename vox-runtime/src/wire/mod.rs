//! Bytes to messages and back. `docs/protocol.md` describes every byte.
//!
//! This room owns the framing, the layout of each message and of the handshake. It keeps no state and does
//! no IO: bytes come in as one whole frame and leave as a [`Frame`] or a violation that says what is wrong;
//! messages leave by being appended to a buffer.

mod call;
mod frame;
mod frame_header;
mod handshake;
mod open;
mod outcome;
mod part;
mod payload;
mod reader;
mod reset;
mod resume;
#[cfg(test)]
mod tests;

pub(crate) use call::{CallHead, ChannelDirection, ChannelOpen};
pub(crate) use frame::{Frame, Kind, put_items_head, put_reply_head};
pub(crate) use frame_header::{LENGTH_BYTES, begin, body_length, finish};
#[cfg(any(test, fuzzing))]
pub(crate) use handshake::MAGIC;
pub(crate) use handshake::{Greeting, Hello, VERSION, Welcome, common_version, differs_by, features_of};
pub(crate) use open::{MAX_NAME, Named, Open, Recalls, Telling};
pub(crate) use outcome::{ERR, Failure, OK, USER, is_outcome};
pub(crate) use part::{LongHead, MAX_PART, PART, PartHead, SLACK, WHOLE, put_part_head};
pub(crate) use payload::Payload;
pub(crate) use reader::{Reader, words};
pub(crate) use reset::Reset;
pub(crate) use resume::{RESUME, Resume, Resumed, Secret, SessionId, Ticket};

use crate::limits::AnnouncedLimits;
use crate::metadata::Metadata;

/// The most bytes that a variable-length integer takes.
const MAX_VARINT: usize = 10;

/// Appends a variable-length integer: seven bits a byte, the lowest first.
#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, value: u64) {
    match value {
        0..0x80 => out.push(value as u8),
        0x80..0x4000 => out.extend_from_slice(&[value as u8 | 0x80, (value >> 7) as u8]),
        0x4000..0x1000_0000 => put_varint_of_four(out, value as u32),
        _ => put_long_varint(out, value),
    }
}

/// As [`put_varint`], of a value that takes three bytes or four: most ids, and times of up to four minutes in microseconds.
fn put_varint_of_four(out: &mut Vec<u8>, value: u32) {
    let spread = value & 0x7f | (value & 0x3f80) << 1 | (value & 0x1f_c000) << 2 | (value & 0xfe0_0000) << 3;
    let is_longer = value >= 0x20_0000;
    let marks = if is_longer { 0x0080_8080 } else { 0x8080 };
    let len = out.len() + 3 + usize::from(is_longer);
    out.extend_from_slice(&(spread | marks).to_le_bytes());
    out.truncate(len);
}

/// As [`put_varint`], of any value.
fn put_long_varint(out: &mut Vec<u8>, mut value: u64) {
    let (mut bytes, mut len) = ([0; MAX_VARINT], out.len());
    for byte in &mut bytes {
        len += 1;
        if value < 0x80 {
            *byte = value as u8;
            break;
        }
        *byte = value as u8 | 0x80;
        value >>= 7;
    }
    // A copy of so many bytes as the compiler knows is no call.
    out.extend_from_slice(&bytes);
    out.truncate(len);
}

/// Appends a length and the text.
pub(crate) fn put_str(out: &mut Vec<u8>, text: &str) {
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn put_metadata(out: &mut Vec<u8>, metadata: &Metadata) {
    put_varint(out, metadata.len() as u64);
    for (key, value, sensitive) in metadata.entries() {
        put_str(out, key);
        out.push(u8::from(sensitive));
        put_str(out, value);
    }
}

/// How many bytes this metadata takes at most on the wire.
pub(crate) fn metadata_len(metadata: &Metadata) -> usize {
    metadata.iter().map(|(key, value)| key.len() + value.len() + 11).sum()
}

fn put_limits(out: &mut Vec<u8>, limits: &AnnouncedLimits) {
    for value in [
        limits.max_message_bytes,
        limits.max_connections,
        limits.max_calls,
        limits.max_channels,
        limits.channel_items,
        limits.channel_bytes,
        limits.max_decoded_bytes,
        limits.max_partial_messages,
        limits.max_partial_bytes,
    ] {
        put_varint(out, value);
    }
}
