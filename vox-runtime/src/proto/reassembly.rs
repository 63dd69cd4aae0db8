//! Reassembly: long messages of the peer are put together from their parts.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;

use super::outbox::Segment;
use super::spent::Spent;
use crate::error::{ProtocolViolation, Rule};
use crate::limits::Limits;
use crate::metadata::Metadata;
use crate::wire::{LongHead, MAX_PART};

/// Where memory for long payloads comes from, and what they become when they are whole.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    /// An empty block. Where one is used again it may have room for so many bytes; a new one has none.
    pub(crate) take: fn(usize) -> Vec<u8>,
    pub(crate) finish: fn(Vec<u8>) -> Bytes,
}

impl Default for Memory {
    fn default() -> Self {
        Self { take: |_| Vec::new(), finish: Bytes::from }
    }
}

/// The memory of a message, lent to the reader of the link, which reads a part straight into it.
#[derive(Debug)]
pub(crate) struct PartMemory {
    pub(crate) number: u64,
    /// What of the message has come, then what of the part has.
    pub(crate) bytes: Vec<u8>,
    /// Where in it the part begins, and where it ends.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// What the whole message has. 0: nobody wants it, and nothing of it is kept.
    pub(crate) total: usize,
}

impl PartMemory {
    pub(crate) fn is_unwanted(&self) -> bool {
        self.total == 0
    }
}

/// What is charged for a message that came for nobody: its entry. What somebody waits for is charged with that.
pub(super) const STRAY: usize = 256;

/// One long message.
#[derive(Debug)]
pub(super) struct PartialMessage {
    pub(super) head: LongHead,
    pub(super) total: usize,
    /// How much has come.
    filled: usize,
    /// What has come. Elsewhere while it is lent.
    pub(super) bytes: Vec<u8>,
    /// When it was announced.
    pub(super) since: Instant,
    /// Its first part has come.
    begun: bool,
    /// Nobody wants it any more: its bytes are counted and dropped.
    unwanted: bool,
    /// Its connection or its channel was gone when it was announced, or its connection is since.
    stray: bool,
}

impl PartialMessage {
    /// It is for nobody, and only its numbers are kept.
    fn disown(&mut self) {
        self.stray = true;
        if let LongHead::Call(head) = &mut self.head {
            (head.metadata, head.channels) = (Metadata::new(), Box::default());
        }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    table: BTreeMap<u64, PartialMessage>,
    newest: u64,
    /// Those that have begun, and their bytes as announced.
    begun: usize,
    bytes: usize,
    /// The bytes of those among them that somebody wants, and what is charged for strays.
    kept: usize,
    /// Calls and items that were announced and have not ended.
    announced: usize,
    pub(super) memory: Memory,
}

impl Reassembly {
    /// Whether a message has begun and not ended.
    pub(super) fn has_begun(&self) -> bool {
        self.begun > 0
    }

    /// The bytes of those that have begun and are wanted, as they were announced, and what is charged for strays.
    #[inline]
    pub(super) fn kept(&self) -> usize {
        self.kept
    }

    /// The message whose first part is yet to come, and how long it is.
    pub(super) fn that_begins(&self, number: u64) -> Option<(&LongHead, usize)> {
        let arrival = self.table.get(&number).filter(|arrival| !arrival.begun)?;
        Some((&arrival.head, arrival.total))
    }

    /// How many messages are under way, how many have begun, and how many bytes those have.
    #[cfg(test)]
    pub(super) fn sums(&self) -> (usize, usize, usize) {
        (self.table.len(), self.begun, self.bytes)
    }

    /// The sums are those of the table, and nothing is kept but what has come.
    #[cfg(test)]
    pub(super) fn check_sums(&self) {
        let begun = || self.table.values().filter(|arrival| arrival.begun);
        let bytes: usize = begun().map(|arrival| arrival.total).sum();
        let kept: usize = begun().filter(|arrival| !arrival.unwanted).map(|arrival| arrival.total).sum();
        let strays = self.table.values().filter(|arrival| arrival.stray).count();
        let sums = (begun().count(), bytes, kept + strays * STRAY);
        assert_eq!((self.begun, self.bytes, self.kept), sums, "the sums have drifted");
        let announced = self.table.values().filter(|arrival| !is_reply(&arrival.head)).count();
        assert_eq!(self.announced, announced, "the number of those announced has drifted");
        for arrival in self.table.values() {
            assert!(arrival.bytes.len() <= arrival.filled && arrival.filled < arrival.total);
        }
    }

    /// Whether no head of a call has metadata or channels.
    #[cfg(test)]
    pub(super) fn heads_are_short(&self) -> bool {
        self.table.values().all(|arrival| match &arrival.head {
            LongHead::Call(head) => head.metadata.is_empty() && head.channels.is_empty(),
            LongHead::Reply { .. } | LongHead::Items { .. } => true,
        })
    }

    /// Whether a message may be announced so.
    pub(super) fn check(
        &self,
        number: u64,
        total: u64,
        head: &LongHead,
        limits: &Limits,
    ) -> Result<(), ProtocolViolation> {
        if number <= self.newest {
            let why = format!("long message {number} after {}", self.newest);
            return Err(ProtocolViolation::new(Rule::IdReused, why));
        }
        if total == 0 {
            return Err(ProtocolViolation::new(Rule::MalformedFrame, "a long message of no bytes"));
        }
        if total > limits.max_message_bytes as u64 {
            let why = format!("a message of {total} bytes, over the limit of {}", limits.max_message_bytes);
            return Err(ProtocolViolation::new(Rule::FrameTooLarge, why));
        }
        let most = most_announced(limits);
        if self.announced >= most && !is_reply(head) {
            let why =
                format!("long message {number} is announced beside {most} others, which is the most there may be");
            return Err(ProtocolViolation::new(Rule::TooManyParts, why));
        }
        Ok(())
    }

    /// A message is announced, which was [checked](Self::check). `stray`: what it is for is gone.
    pub(super) fn announce(&mut self, number: u64, total: u64, head: LongHead, now: Instant, stray: bool) {
        self.newest = number;
        self.announced += usize::from(!is_reply(&head));
        let (total, bytes) = (total as usize, Vec::new());
        let (begun, unwanted) = (false, false);
        self.table.insert(
            number,
            PartialMessage { head, total, filled: 0, bytes, since: now, begun, unwanted, stray: false },
        );
        if stray {
            self.disown(number);
        }
    }

    /// What this message is for is gone. It has to end all the same.
    pub(super) fn disown(&mut self, number: u64) {
        if let Some(arrival) = self.table.get_mut(&number).filter(|arrival| !arrival.stray) {
            arrival.disown();
            self.kept += STRAY;
        }
    }

    /// What message this is, if it is under way.
    pub(super) fn head(&self, number: u64) -> Option<&LongHead> {
        self.table.get(&number).map(|arrival| &arrival.head)
    }

    /// A part of so many bytes comes. `unwanted`: nobody waits for its message.
    pub(super) fn admit(
        &mut self,
        number: u64,
        len: usize,
        unwanted: bool,
        limits: &Limits,
        spent: &mut Spent,
    ) -> Result<(), ProtocolViolation> {
        let wrong = |why: String| ProtocolViolation::new(Rule::WrongPart, why);
        let Some(arrival) = self.table.get_mut(&number) else {
            return Err(wrong(format!("a part of long message {number}, which is not under way")));
        };
        if len == 0 || len > MAX_PART {
            return Err(wrong(format!("a part of {len} bytes of long message {number}, outside 1..={MAX_PART}")));
        }
        let missing = arrival.total - arrival.filled;
        if len > missing {
            return Err(wrong(format!(
                "a part of {len} bytes of long message {number}, of which {missing} are missing"
            )));
        }
        if !arrival.begun {
            let (most, most_bytes) = (limits.announced().max_partial_messages, limits.announced().max_partial_bytes);
            if self.begun as u64 >= most || (self.bytes + arrival.total) as u64 > most_bytes {
                let why = format!(
                    "long message {number} of {} bytes begins beside {} of {} bytes, over the limits of {most} and {most_bytes}",
                    arrival.total, self.begun, self.bytes,
                );
                return Err(ProtocolViolation::new(Rule::TooManyParts, why));
            }
            arrival.begun = true;
            self.begun += 1;
            self.bytes += arrival.total;
            self.kept += arrival.total;
            arrival.bytes = (self.memory.take)(arrival.total);
        }
        if unwanted && !arrival.unwanted {
            arrival.unwanted = true;
            self.kept -= arrival.total;
            spent.put(Segment::Own(std::mem::take(&mut arrival.bytes)));
        }
        Ok(())
    }

    /// Lends the memory that an admitted part belongs into.
    pub(super) fn lend(&mut self, number: u64, len: usize) -> Option<PartMemory> {
        let arrival = self.table.get_mut(&number)?;
        let bytes = std::mem::take(&mut arrival.bytes);
        let (start, end) = (arrival.filled, arrival.filled + len);
        let total = if arrival.unwanted { 0 } else { arrival.total };
        Some(PartMemory { number, bytes, start, end, total })
    }

    /// Takes lent memory back, without what of the part has come.
    pub(super) fn take_back(&mut self, lent: PartMemory, spent: &mut Spent) {
        match self.table.get_mut(&lent.number).filter(|arrival| !arrival.unwanted) {
            Some(arrival) => {
                arrival.bytes = lent.bytes;
                arrival.bytes.truncate(lent.start);
            }
            None => spent.put(Segment::Own(lent.bytes)),
        }
    }

    /// An admitted part has come, in lent memory.
    pub(super) fn fill(&mut self, lent: PartMemory) -> Option<PartialMessage> {
        let (number, len) = (lent.number, lent.end - lent.start);
        if let Some(arrival) = self.table.get_mut(&number).filter(|arrival| !arrival.unwanted) {
            arrival.bytes = lent.bytes;
        }
        self.count(number, len)
    }

    /// An admitted part has come, and is copied.
    pub(super) fn append(&mut self, number: u64, bytes: &[u8]) -> Option<PartialMessage> {
        if let Some(arrival) = self.table.get_mut(&number).filter(|arrival| !arrival.unwanted) {
            arrival.bytes.extend_from_slice(bytes);
        }
        self.count(number, bytes.len())
    }

    /// Gives the message, if it is whole.
    fn count(&mut self, number: u64, len: usize) -> Option<PartialMessage> {
        let arrival = self.table.get_mut(&number)?;
        arrival.filled += len;
        if arrival.filled < arrival.total { None } else { self.remove(number) }
    }

    /// A message is whole, or will never be.
    pub(super) fn remove(&mut self, number: u64) -> Option<PartialMessage> {
        let arrival = self.table.remove(&number)?;
        self.announced -= usize::from(!is_reply(&arrival.head));
        self.kept -= if arrival.stray { STRAY } else { 0 };
        if arrival.begun {
            self.begun -= 1;
            self.bytes -= arrival.total;
            self.kept -= if arrival.unwanted { 0 } else { arrival.total };
        }
        Some(arrival)
    }

    /// The payload of one that is whole. Empty where nobody wants it.
    pub(super) fn payload(&self, arrival: &mut PartialMessage) -> Bytes {
        (self.memory.finish)(std::mem::take(&mut arrival.bytes))
    }

    /// There is nothing more to put together.
    pub(super) fn clear(&mut self, spent: &mut Spent) {
        let table = std::mem::take(&mut self.table).into_values();
        spent.put_all(table.map(|arrival| Segment::Own(arrival.bytes)));
        (self.begun, self.bytes, self.kept, self.announced) = (0, 0, 0, 0);
    }
}

/// A reply is for a call of this end's, of which there is one for each.
fn is_reply(head: &LongHead) -> bool {
    matches!(head, LongHead::Reply { .. })
}

/// How many calls and items may be announced: one for each call and each channel that there may be, and as many of what ended meanwhile, which
/// the peer forgets when it hears of that.
pub(super) fn most_announced(limits: &Limits) -> usize {
    limits.max_connections.saturating_mul(limits.max_calls.saturating_add(limits.max_channels)).saturating_mul(2)
}
