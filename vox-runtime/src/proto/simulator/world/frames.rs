//! What is written to the link and read from it.

use std::time::Duration;

use bytes::Bytes;

use super::super::model::CallModel;
use super::World;
use crate::wire::{Frame, Kind, LongHead, MAX_PART, PART, PartHead, SLACK};

impl World {
    /// Writes a part of what is there, or reports what was written.
    pub(super) fn write(&mut self, e: usize) {
        self.write_some(e, false);
    }

    pub(super) fn write_some(&mut self, e: usize, settles: bool) {
        let end = &mut self.ends[e];
        if !self.link.attached[e] {
            return;
        }
        if end.unreported > 0 {
            self.report(e);
            return;
        }
        let budget = if settles { 1 << 20 } else { *self.rng.pick(&[3000, 16 << 10, PART, 4 * PART, 16 * PART]) };
        let (before, long) = (end.batch.len(), end.session.outbox().pending_long());
        let (short, pending) = (end.unwritten() - before, end.session.outbox().pending());
        match end.session.has_long() {
            true => end.session.take_parts(self.now, &mut end.batch, budget),
            false => end.session.take(&mut end.batch),
        }
        let parts = long - end.session.outbox().pending_long();
        end.parts_put += parts as u64;
        // What is put from now on waits for this, and nothing else of the long.
        assert!(parts == 0 || before <= budget / 2, "parts are taken before those that were have left");
        assert!(
            parts <= budget + SLACK && end.batch.len() - before - short <= budget + SLACK + 2000,
            "a batch of {parts} bytes of parts"
        );
        if before == 0 {
            end.leaving = 0;
        }
        end.leaving += parts;
        let now_pending = end.session.outbox().pending();
        assert!(now_pending <= pending + 2000, "calls wait for {parts} bytes of parts that are being written");
        assert!(now_pending + end.leaving >= end.unwritten(), "what is short is not counted");
        let there: usize = end.batch.len();
        if there == 0 {
            return;
        }
        let count = if self.rng.percent(60) { there } else { 1 + self.rng.below(there) };
        let mut written = Vec::new();
        for slice in end.batch.slices() {
            let left = count - written.len();
            written.extend_from_slice(&slice[..left.min(slice.len())]);
        }
        self.link.write(e, &written);
        end.batch.advance(count);
        end.unreported = count;
        self.note(e, "write", &[there as u64, count as u64]);
        if self.rng.percent(60) {
            self.report(e);
        }
    }

    fn report(&mut self, e: usize) {
        let end = &mut self.ends[e];
        end.session.on_written(std::mem::take(&mut end.unreported));
        if end.batch.is_empty() {
            assert_eq!(end.session.outbox().pending(), end.unwritten(), "all parts are written");
        }
        self.drain(e);
    }

    pub(super) fn read(&mut self, e: usize) {
        if !self.link.attached[e] || (self.link.pipes[1 - e].is_empty() && self.ends[e].held_off.is_none()) {
            return;
        }
        let pipe = &mut self.link.pipes[1 - e];
        let all = pipe.is_empty() || self.rng.percent(60);
        let count = if all { pipe.len() } else { 1 + self.rng.below(pipe.len()) };
        let mut bytes: Vec<u8> = pipe.drain(..count).collect();
        self.note(e, "read", &[count as u64]);
        self.fill_part(e, &mut bytes);
        if self.ends[e].part.is_some() || self.ends[e].ended.is_some() || !self.link.attached[e] {
            return;
        }
        self.ends[e].incoming.append(&mut bytes);
        let incoming = std::mem::take(&mut self.ends[e].incoming);
        let mut rest = incoming.as_slice();
        while let Some((length, after)) = rest.split_first_chunk() {
            let length = u32::from_le_bytes(*length) as usize;
            let limit = self.ends[e].limits.max_message_bytes.min(MAX_PART + PART);
            assert!(length <= limit, "a frame of {length} bytes");
            let Some((body, after)) = after.split_at_checked(length) else {
                if self.rng.percent(70) && self.begin_part(e, rest, length) {
                    rest = &[];
                }
                break;
            };
            const BRINGS: [u8; 4] = [Kind::Call as u8, Kind::Items as u8, Kind::Long as u8, Kind::Part as u8];
            if BRINGS.contains(&body[0]) && self.is_held_off(e) {
                break;
            }
            self.frame(e, Bytes::copy_from_slice(body));
            rest = after;
            if self.ends[e].ended.is_some() {
                return;
            }
        }
        self.ends[e].incoming = rest.to_vec();
    }

    /// Reads a part that is cut short into the memory of its message.
    fn begin_part(&mut self, e: usize, rest: &[u8], length: usize) -> bool {
        let Some(head) = PartHead::find(rest, length) else { return false };
        let lent =
            self.ends[e].session.lend(head).unwrap_or_else(|violation| panic!("between honest ends: {violation}"));
        // Where there is no memory for an item, its channel ends.
        self.drain(e);
        self.check_sums(e);
        let Some(mut lent) = lent else { return false };
        if lent.is_unwanted() {
            // What came before it is not there.
            lent.bytes.resize(lent.start, 0);
        }
        lent.bytes.extend_from_slice(&rest[head.at..]);
        self.ends[e].part = Some((head, lent));
        true
    }

    fn fill_part(&mut self, e: usize, bytes: &mut Vec<u8>) {
        let Some((head, mut lent)) = self.ends[e].part.take() else { return };
        let missing = lent.end - lent.bytes.len();
        lent.bytes.extend(bytes.drain(..missing.min(bytes.len())));
        if lent.bytes.len() < lent.end {
            self.ends[e].part = Some((head, lent));
            return;
        }
        self.note(e, "part", &[head.number, head.len as u64]);
        self.ends[e].parts_handled += head.len as u64;
        if let Err(violation) = self.ends[e].session.handle_part(self.now, lent, head) {
            panic!("a violation between honest ends: {violation}");
        }
        self.drain(e);
        self.check_sums(e);
    }

    /// What is being put together is what is in the table.
    fn check_sums(&mut self, e: usize) {
        let end = &self.ends[e];
        end.session.check_memory();
        let pinned = if end.ended.is_some() { 0 } else { end.pinned };
        assert_eq!(end.session.pinned(), pinned, "what is not free is charged wrongly");
    }

    /// Sees what a frame means for the model.
    fn watch(&mut self, e: usize, body: &Bytes) {
        let find = |calls: &mut Vec<CallModel>, connection, request| {
            calls.iter().position(|call| (call.connection, call.request) == (connection, request)).expect("a call")
        };
        match Frame::parse(body.clone(), &self.ends[e].limits) {
            Ok(Frame::Long { number, head: LongHead::Reply { connection, request }, .. }) => {
                let call = find(&mut self.calls, connection, request);
                self.calls[call].reply_arrives();
                self.long_replies.insert((e, number), call);
            }
            Ok(Frame::Forget { number }) => {
                if let Some(call) = self.long_replies.remove(&(e, number)) {
                    self.calls[call].replies_seen -= 1;
                }
            }
            Ok(Frame::Part { bytes, .. }) => self.ends[e].parts_handled += bytes.len() as u64,
            Ok(Frame::Call { head, .. }) => {
                let call = find(&mut self.calls, head.connection, head.request);
                let handled = self.ends[e].parts_handled;
                let before = self.calls[call].parts_before.expect("a short call");
                assert!(handled <= before, "{handled} bytes of parts came before a call that was put after {before}");
            }
            _ => {}
        }
    }

    fn frame(&mut self, e: usize, body: Bytes) {
        self.watch(e, &body);
        if body[0] == Kind::Reply as u8
            && let Ok(Frame::Reply { connection, request, .. }) = Frame::parse(body.clone(), &self.ends[e].limits)
        {
            let call = self.calls.iter_mut().find(|call| (call.connection, call.request) == (connection, request));
            call.expect("a reply to a call").reply_arrives();
        }
        self.note(e, "frame", &[u64::from(body[0]), body.len() as u64]);
        if self.pins && self.rng.percent(10) {
            let bytes = if self.rng.percent(50) { 0 } else { self.rng.below(72 << 10) };
            self.pin(e, bytes);
        }
        if let Err(violation) = self.ends[e].session.handle(self.now, body) {
            panic!("a violation between honest ends: {violation}");
        }
        self.ends[e].session.check_lease();
        self.drain(e);
        self.check_sums(e);
    }

    /// So much of what was read into is in use by now.
    pub(super) fn pin(&mut self, e: usize, bytes: usize) {
        let end = &mut self.ends[e];
        end.session.pin(bytes, self.now);
        end.pinned = bytes;
    }

    /// Whether what was read is left for later. It ends in time, and there is something to wait for.
    fn is_held_off(&mut self, e: usize) -> bool {
        let (now, end) = (self.now + self.hurry, &mut self.ends[e]);
        if !end.session.holds_off(now) {
            end.held_off = None;
            return false;
        }
        let since = *end.held_off.get_or_insert(now);
        assert!(now < since + Duration::from_secs(5), "what was read is left for ever");
        assert!(end.session.kept_of_peer() > 0, "nothing will be given back");
        true
    }
}
