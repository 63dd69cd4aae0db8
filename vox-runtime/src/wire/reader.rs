//! A cursor over one frame. Everything it gives out is checked against the bytes that are there.

use crate::error::{ProtocolViolation, Rule};
use crate::escaped::cleaned;
use crate::limits::AnnouncedLimits;
use crate::metadata::Metadata;

/// The most characters that are kept of a reason.
const MAX_REASON: usize = 512;

/// Reads one frame from its start to its end.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

pub(super) type Read<T> = Result<T, ProtocolViolation>;

/// So much of a reason as is kept, with no character that steers a terminal.
pub(super) fn clean(text: &str) -> String {
    cleaned(text, MAX_REASON)
}

/// So much of a text for a person as its reader keeps, and as is no longer than so many bytes.
pub(crate) fn words(text: &str, most: usize) -> &str {
    let kept = text.char_indices().take(MAX_REASON).map(|(at, c)| at + c.len_utf8());
    &text[..kept.take_while(|end| *end <= most).last().unwrap_or(0)]
}

impl<'a> Reader<'a> {
    #[inline]
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes were read.
    #[inline]
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    #[inline]
    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    #[inline]
    pub(crate) fn byte(&mut self, what: &str) -> Read<u8> {
        let Some(&byte) = self.bytes.get(self.at) else {
            return Err(self.fault(what, "the frame ends before it"));
        };
        self.at += 1;
        Ok(byte)
    }

    /// A variable-length integer: at most ten bytes, no bits past the 64th.
    #[inline]
    pub(crate) fn varint(&mut self, what: &str) -> Read<u64> {
        // Ids, lengths and timeouts are mostly of one to four bytes, and mostly more bytes follow: those are read at once.
        let Some(word) = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<4>()) else {
            return self.long_varint(what);
        };
        let word = u32::from_le_bytes(*word);
        let last = (!word & 0x8080_8080).trailing_zeros();
        if last == u32::BITS {
            return self.long_varint(what);
        }
        self.at += (last as usize + 1) / 8;
        let kept = word & (u32::MAX >> (31 - last));
        let value = (kept & 0x7f) | (kept >> 1 & 0x3f80) | (kept >> 2 & 0x1f_c000) | (kept >> 3 & 0xfe0_0000);
        Ok(u64::from(value))
    }

    #[cold]
    fn long_varint(&mut self, what: &str) -> Read<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte(what)?;
            if shift == 63 && byte > 1 {
                return Err(self.fault(what, "an integer past 64 bits"));
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.fault(what, "an integer past 64 bits"))
    }

    pub(crate) fn varint32(&mut self, what: &str) -> Read<u32> {
        let value = self.varint(what)?;
        u32::try_from(value).map_err(|_| self.fault(what, "an integer past 32 bits"))
    }

    #[inline]
    pub(crate) fn take(&mut self, len: u64, what: &str) -> Read<&'a [u8]> {
        if len > self.remaining() as u64 {
            return Err(self.fault(what, "longer than the frame"));
        }
        let start = self.at;
        self.at += len as usize;
        Ok(&self.bytes[start..self.at])
    }

    /// Passes over bytes with their length before them, and says how many they are.
    #[inline]
    pub(crate) fn skip_bytes(&mut self, what: &str) -> Read<u64> {
        let len = match self.bytes.get(self.at) {
            Some(&len) if len < 0x80 => {
                self.at += 1;
                u64::from(len)
            }
            _ => self.varint(what)?,
        };
        self.take(len, what)?;
        Ok(len)
    }

    #[inline]
    pub(crate) fn fixed<const N: usize>(&mut self, what: &str) -> Read<[u8; N]> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N as u64, what)?);
        Ok(out)
    }

    /// A text of metadata. One that is too long is not looked at.
    fn short_text(&mut self, what: &str) -> Read<&'a str> {
        let len = self.varint(what)?;
        let bytes = self.take(len, what)?;
        if bytes.len() > Metadata::MAX_BYTES {
            let why = format!("over the limit of {} bytes", Metadata::MAX_BYTES);
            return Err(ProtocolViolation::new(Rule::MetadataTooLarge, why));
        }
        std::str::from_utf8(bytes).map_err(|_| self.fault(what, "not UTF-8"))
    }

    /// The beginning of a text, of so many bytes at most. What comes behind is passed over, and need not even be text.
    pub(super) fn text_within(&mut self, most: usize, what: &str) -> Read<&'a str> {
        let len = self.varint(what)?;
        let bytes = self.take(len, what)?;
        let start = &bytes[..most.min(bytes.len())];
        match std::str::from_utf8(start) {
            Ok(text) => Ok(text),
            // The last character is cut.
            Err(cut) if cut.error_len().is_none() && start.len() < bytes.len() => {
                Ok(std::str::from_utf8(&start[..cut.valid_up_to()]).unwrap_or_default())
            }
            Err(_) => Err(self.fault(what, "not UTF-8")),
        }
    }

    /// Text for a person, as the peer has it: cut, and without what is not printed, since it ends up in logs.
    pub(crate) fn reason(&mut self, what: &str) -> Read<String> {
        self.text_within(MAX_REASON * 4, what).map(clean)
    }

    pub(crate) fn metadata(&mut self) -> Read<Metadata> {
        let count = self.varint("metadata count")?;
        let over = |detail: String| ProtocolViolation::new(Rule::MetadataTooLarge, detail);
        if count > Metadata::MAX_ENTRIES as u64 {
            return Err(over(format!("{count} entries, over the limit of {}", Metadata::MAX_ENTRIES)));
        }
        let mut metadata = Metadata::new();
        let mut total = 0;
        for _ in 0..count {
            let key = self.short_text("metadata key")?;
            let sensitive = match self.byte("metadata flags")? {
                0 => false,
                1 => true,
                _ => return Err(self.fault("metadata flags", "unknown flags")),
            };
            let value = self.short_text("metadata value")?;
            if key.is_empty() || key.len() > Metadata::MAX_KEY {
                return Err(over(format!("a key of {} bytes, outside 1..={}", key.len(), Metadata::MAX_KEY)));
            }
            total += key.len() + value.len();
            if total > Metadata::MAX_BYTES {
                return Err(over(format!("over the limit of {} bytes", Metadata::MAX_BYTES)));
            }
            if metadata.is_empty() {
                // As if all were alike.
                let room = (key.len() + value.len()).saturating_mul(count as usize);
                let most = room.min(Metadata::MAX_BYTES).min(self.remaining() + key.len() + value.len());
                metadata = Metadata::with_room(count as usize, most);
            }
            metadata.push(key, value, sensitive);
        }
        Ok(metadata)
    }

    pub(crate) fn limits(&mut self) -> Read<AnnouncedLimits> {
        Ok(AnnouncedLimits {
            max_message_bytes: self.varint("max_message_bytes")?,
            max_connections: self.varint("max_connections")?,
            max_calls: self.varint("max_calls")?,
            max_channels: self.varint("max_channels")?,
            channel_items: self.varint("channel_items")?,
            channel_bytes: self.varint("channel_bytes")?,
            max_decoded_bytes: self.varint("max_decoded_bytes")?,
            max_partial_messages: self.varint("max_partial_messages")?,
            max_partial_bytes: self.varint("max_partial_bytes")?,
        })
    }

    /// The frame must end here.
    pub(crate) fn end(&self) -> Read<()> {
        match self.remaining() {
            0 => Ok(()),
            n => Err(self.fault("frame", &format!("{n} bytes past its end"))),
        }
    }

    #[cold]
    pub(crate) fn fault(&self, what: &str, fault: &str) -> ProtocolViolation {
        ProtocolViolation::new(Rule::MalformedFrame, format!("{what} at byte {}: {fault}", self.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_integers_are_read_alike() {
        let ends = (0..64).flat_map(|bits| [(1u64 << bits) - 1, 1 << bits, (1 << bits) + 1]);
        for value in ends.chain([u64::MAX]) {
            let mut bytes = Vec::new();
            super::super::put_varint(&mut bytes, value);
            let len = bytes.len();
            for more in 0..4 {
                let mut reader = Reader::new(&bytes);
                assert_eq!((reader.varint("it"), reader.position()), (Ok(value), len), "{value} and {more} bytes more");
                bytes.push(0xff);
            }
        }
    }
}
