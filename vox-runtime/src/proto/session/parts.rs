//! Long messages in both directions: what their parts cause here.

use std::time::Instant;

use bytes::Bytes;

use super::super::Batch;
use super::super::Output;
use super::super::memory_ledger::CHANNEL;
use super::super::outbox::{LongId, Segment};
use super::super::reassembly::{Memory, PartMemory, PartialMessage};
use super::Session;
use crate::error::{ProtocolViolation, Rule};
use crate::wire::{LENGTH_BYTES, LongHead, PartHead};

impl Session {
    /// Where memory for long payloads comes from.
    pub(crate) fn puts_together_in(&mut self, memory: Memory) {
        self.reassembly.memory = memory;
    }

    // ---- what leaves ----

    /// Whether parts of long messages wait for their turn.
    #[inline]
    pub(crate) fn has_long(&self) -> bool {
        self.fx.outbox.has_long()
    }

    /// How many messages have parts that wait for their turn.
    #[inline]
    pub(crate) fn longs(&self) -> usize {
        self.fx.outbox.longs()
    }

    /// As [`take`](Self::take), with parts of long messages behind what is short, so that the batch has about `budget` bytes of
    /// them.
    pub(crate) fn take_parts(&mut self, now: Instant, batch: &mut Batch, budget: usize) {
        if self.is_detached() {
            return;
        }
        self.acknowledge();
        self.acknowledge_due();
        self.fx.outbox.put_parts(batch, budget);
        self.fx.outbox.take(batch);
        while let Some(id) = self.fx.outbox.poll_moved() {
            if let LongId::Call(connection, request) = id
                && let Some(calling) = self.calling.get_mut(connection.0)
            {
                calling.on_progress(now, request);
            }
        }
        while let Some((id, end)) = self.fx.outbox.poll_whole() {
            self.on_left(id, end);
        }
    }

    /// The last part of a long message has left. It ends there in the stream.
    fn on_left(&mut self, id: LongId, end: u64) {
        match id {
            LongId::Call(connection, request) => {
                if let Some(calling) = self.calling.get_mut(connection.0) {
                    calling.on_left(request, end);
                }
            }
            LongId::Reply(connection, _) => {
                if let Some(serving) = self.serving.get_mut(connection.0) {
                    serving.on_reply_left(end);
                }
            }
            LongId::Items(connection, channel) => {
                // The channel's end may have waited for it.
                if self.ended.is_none() {
                    self.fx.emit(Output::Room);
                }
                if let (Some(channels), fx) = self.channels(connection) {
                    channels.on_item_left(channel, fx);
                }
            }
        }
    }

    // ---- what comes ----

    pub(super) fn on_long(
        &mut self,
        now: Instant,
        number: u64,
        total: u64,
        head: LongHead,
    ) -> Result<(), ProtocolViolation> {
        self.reassembly.check(number, total, &head, &self.limits)?;
        let is_wanted = match &head {
            LongHead::Call(call) => {
                self.acknowledges()?;
                let (limits, windows) = ((self.limits.max_calls, self.limits.max_channels), self.windows());
                match self.serving.get_mut(call.connection.0) {
                    Some(serving) => {
                        serving.on_call_begun(number, call, limits, &windows, &mut self.fx).map(|()| true)?
                    }
                    None => self.stray(call.connection, "a call", self.role.peer()).map(|()| false)?,
                }
            }
            LongHead::Reply { connection, request } => match self.calling.get_mut(connection.0) {
                Some(calling) => calling.on_reply_begun(*request, &mut self.fx).map(|()| true)?,
                None => self.stray(*connection, "a reply", self.role).map(|()| false)?,
            },
            LongHead::Items { connection, channel } => match self.channels_for(*connection, *channel)? {
                (Some(channels), _) => channels.on_items_begun(*channel)?,
                (None, _) => false,
            },
        };
        self.reassembly.announce(number, total, head, now, !is_wanted);
        Ok(())
    }

    /// The rest of a long message does not come.
    pub(super) fn on_forget(&mut self, number: u64) -> Result<(), ProtocolViolation> {
        let Some(arrival) = self.reassembly.remove(number) else {
            let why = format!("long message {number} is forgotten, which is not under way");
            return Err(ProtocolViolation::new(Rule::WrongPart, why));
        };
        self.fx.outbox.spent.put(Segment::Own(arrival.bytes));
        match arrival.head {
            LongHead::Call(call) => {
                if let Some(serving) = self.serving.get_mut(call.connection.0) {
                    serving.on_call_forgotten(call.request, &call.channels, &mut self.fx);
                }
            }
            LongHead::Reply { connection, request } => {
                if let Some(calling) = self.calling.get_mut(connection.0) {
                    calling.on_reply_forgotten(request);
                }
            }
            LongHead::Items { connection, channel } => {
                if let (Some(channels), _) = self.channels(connection) {
                    channels.on_items_forgotten(channel);
                }
            }
        }
        Ok(())
    }

    /// A part has come with the frames around it.
    pub(super) fn on_part(&mut self, now: Instant, number: u64, bytes: &Bytes) -> Result<(), ProtocolViolation> {
        self.admit_part(number, bytes.len())?;
        self.on_progress(now, number);
        match self.reassembly.append(number, bytes) {
            Some(whole) => self.on_whole(now, whole),
            None => Ok(()),
        }
    }

    fn admit_part(&mut self, number: u64, len: usize) -> Result<(), ProtocolViolation> {
        let unwanted =
            self.reassembly.head(number).is_some_and(|head| !self.wants_long(head)) || self.turns_away(number);
        self.reassembly.admit(number, len, unwanted, &self.limits, &mut self.fx.outbox.spent)
    }

    /// Whether a long message begins for which there is no memory. A call is refused when it is whole, and its bytes are not kept until
    /// then; the channel of an item ends; who waits for a reply does so no more.
    fn turns_away(&mut self, number: u64) -> bool {
        let (connection, (request, channels), total) = match self.reassembly.that_begins(number) {
            Some((LongHead::Call(head), total)) => (head.connection, (head.request, head.channels.len()), total),
            Some((&LongHead::Items { connection, channel }, total)) => {
                return self.has_no_memory_for(connection, channel, total);
            }
            Some((&LongHead::Reply { connection, request }, total)) => {
                return self.has_no_memory_for_reply(connection, request, total);
            }
            None => return false,
        };
        let Some(serving) = self.serving.get(connection.0) else { return false };
        let charge = serving.charge_of(request) + channels * CHANNEL;
        let Some(short) = self.is_over_memory(charge, total) else { return false };
        if let Some(serving) = self.serving.get_mut(connection.0) {
            serving.arrives_in_vain(request, short);
        }
        true
    }

    /// Whether somebody waits for this message. If not, it is not kept.
    fn wants_long(&self, head: &LongHead) -> bool {
        match head {
            LongHead::Call(call) => self.serving.get(call.connection.0).is_some(),
            LongHead::Reply { connection, request } => {
                self.calling.get(connection.0).is_some_and(|calling| calling.waits_for(*request))
            }
            LongHead::Items { connection, channel } => {
                let of_calling = self.calling.get(connection.0).map(|calling| &calling.channels);
                let channels = of_calling.or_else(|| self.serving.get(connection.0).map(|serving| &serving.channels));
                channels.is_some_and(|channels| channels.has(*channel))
            }
        }
    }

    /// A part's frame has begun to come in: lends the memory that its bytes belong into. `None`: they are to be read with the whole frame, which
    /// nobody handles. A violation is answered and ends the session.
    pub(crate) fn lend(&mut self, part: PartHead) -> Result<Option<PartMemory>, ProtocolViolation> {
        if self.ended.is_some() || self.is_detached() {
            return Ok(None);
        }
        self.admit_part(part.number, part.len)?;
        Ok(self.reassembly.lend(part.number, part.len))
    }

    /// The link was lost in the middle of a part: what of it has come counts for nothing.
    pub(crate) fn take_back(&mut self, lent: PartMemory) {
        self.reassembly.take_back(lent, &mut self.fx.outbox.spent);
    }

    /// A part has come that was read into lent memory. A violation is answered and ends the session.
    pub(crate) fn handle_part(
        &mut self,
        now: Instant,
        lent: PartMemory,
        part: PartHead,
    ) -> Result<(), ProtocolViolation> {
        if self.ended.is_some() || self.is_detached() {
            self.take_back(lent);
            return Ok(());
        }
        self.heard(now);
        self.carried += 1;
        let body = part.at - LENGTH_BYTES + part.len;
        self.count_received(body);
        self.on_progress(now, part.number);
        let handled = match self.reassembly.fill(lent) {
            Some(whole) => self.on_whole(now, whole),
            None => Ok(()),
        };
        self.handled(body, handled)
    }

    /// What waits for this message waits anew.
    fn on_progress(&mut self, now: Instant, number: u64) {
        if let Some(&LongHead::Reply { connection, request }) = self.reassembly.head(number)
            && let Some(calling) = self.calling.get_mut(connection.0)
        {
            calling.on_progress(now, request);
        }
    }

    fn on_whole(&mut self, now: Instant, mut arrival: PartialMessage) -> Result<(), ProtocolViolation> {
        let payload = self.reassembly.payload(&mut arrival);
        match arrival.head {
            LongHead::Call(head) => {
                // The time of a patient call begins now.
                let since = if head.patient { now } else { arrival.since };
                self.on_call_whole(since, head, payload)
            }
            LongHead::Reply { connection, request } => match self.calling.get_mut(connection.0) {
                Some(calling) => calling.on_reply_whole(request, payload, &mut self.fx),
                None => self.stray(connection, "a reply", self.role),
            },
            LongHead::Items { connection, channel } => {
                if let (Some(channels), _) = self.channels_for(connection, channel)? {
                    channels.on_items_forgotten(channel);
                }
                self.on_items(connection, channel, payload)
            }
        }
    }
}
