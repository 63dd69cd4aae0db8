//! Reads the bytes of schemas and contracts, which may be a peer's: everything is checked against the bytes that are there.

/// What is wrong with the bytes of a schema or a contract, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SchemaFault(pub(crate) String);

type Read<T> = Result<T, SchemaFault>;

/// A place in the bytes.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) fn fault(&self, what: &str) -> SchemaFault {
        SchemaFault(format!("at byte {}: {what}", self.at))
    }

    pub(super) fn byte(&mut self) -> Read<u8> {
        let byte = *self.bytes.get(self.at).ok_or_else(|| self.fault("the bytes end too early"))?;
        self.at += 1;
        Ok(byte)
    }

    pub(super) fn number(&mut self) -> Read<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.fault("a number past 64 bits"))
    }

    /// How many things follow, each of at least `least` bytes.
    pub(super) fn count(&mut self, least: usize) -> Read<usize> {
        let count = self.number()?;
        if count > (self.remaining() / least) as u64 {
            return Err(self.fault("a count of more than there are bytes for"));
        }
        Ok(count as usize)
    }

    pub(super) fn take(&mut self, len: u64) -> Read<&'a [u8]> {
        if len > self.remaining() as u64 {
            return Err(self.fault("longer than the bytes that are there"));
        }
        let start = self.at;
        self.at += len as usize;
        Ok(&self.bytes[start..self.at])
    }

    /// A length, and so many bytes.
    pub(super) fn bytes(&mut self) -> Read<&'a [u8]> {
        let len = self.number()?;
        self.take(len)
    }

    pub(super) fn text(&mut self) -> Read<&'a str> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|_| self.fault("a name that is not UTF-8"))
    }

    pub(super) fn end(&self) -> Read<()> {
        if self.remaining() == 0 { Ok(()) } else { Err(self.fault("bytes past the end")) }
    }
}
