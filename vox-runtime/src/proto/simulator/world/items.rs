//! Items, and the ends of channels.

use super::super::super::{Run, RunRoom, Sent, Token};
use super::super::model::bytes;
use super::World;
use crate::metadata::Metadata;
use crate::wire::{Reset, WHOLE};

impl World {
    pub(super) fn send(&mut self, e: usize) {
        if let Some(token) = self.half(e, |half| half.sends) {
            let len = if self.rng.percent(90) { self.rng.below(40) } else { self.length(self.ends[e].payload_room()) };
            self.try_send(e, token, len);
        }
    }

    pub(super) fn try_send(&mut self, e: usize, token: Token, len: usize) -> Sent {
        let has_room = self.ends[e].outbox_has_room(len);
        let end = &mut self.ends[e];
        let half = end.halves.get_mut(&token).expect("a half that is held");
        let channel = &mut self.channels[half.channel];
        let connection = self.calls[channel.call].connection;
        let mut item = bytes(channel.fill(channel.sent.len()), len);
        let sent = end.session.send_item(connection, channel.id, &mut item);
        match sent {
            Sent::Yes => {
                assert!(!half.waits, "there is credit, and nobody was told");
                channel.send(len);
            }
            Sent::Wait => half.waits |= has_room,
            Sent::Gone => panic!("channel {} is gone, and its sender was not told", channel.id),
        }
        let noted = [half.channel as u64, len as u64, sent as u64];
        self.note(e, "send", &noted);
        if sent == Sent::Yes && len <= WHOLE && self.rng.percent(30) {
            self.gather(e, token);
        }
        self.drain(e);
        sent
    }

    /// Gathers items, and puts them into the outbox together.
    fn gather(&mut self, e: usize, token: Token) {
        let others = self.rng.below(2);
        let end = &mut self.ends[e];
        let half = end.halves.get_mut(&token).expect("a half that is held");
        let channel = &mut self.channels[half.channel];
        let connection = self.calls[channel.call].connection;
        let Some(RunRoom { credit: (mut items, mut left), len }) =
            end.session.room_for_run(connection, channel.id, others)
        else {
            return;
        };
        let (mut run, mut count, mut sum) = (Vec::new(), 0, 0);
        while items > 0 && left > 0 && self.rng.percent(60) {
            let item = self.rng.below(40);
            if run.len() + item + 1 > len {
                break;
            }
            run.push(item as u8);
            run.extend(bytes(channel.fill(channel.sent.len()), item));
            channel.send(item);
            (items, left) = (items - 1, left - item as i64);
            (count, sum) = (count + 1, sum + item);
        }
        if count > 0 {
            let run = Run { items: &run, count, bytes: sum };
            assert!(end.session.send_run(connection, channel.id, &run), "it is gone, and its sender was not told");
            let noted = [half.channel as u64, u64::from(count), sum as u64];
            self.note(e, "send a run", &noted);
        }
    }

    pub(super) fn consume(&mut self, e: usize) {
        if let Some(token) = self.half(e, |half| !half.sends) {
            let channel = &self.channels[self.ends[e].halves[&token].channel];
            let kept = channel.delivered - channel.consumed;
            let count = if kept == 0 { 0 } else { 1 + self.rng.below(kept) };
            self.consume_from(e, token, count);
        }
    }

    pub(super) fn consume_from(&mut self, e: usize, token: Token, count: usize) {
        let index = self.ends[e].halves[&token].channel;
        let channel = &mut self.channels[index];
        let bytes: usize = channel.sent[channel.consumed..channel.consumed + count].iter().sum();
        channel.consumed += count;
        let connection = self.calls[channel.call].connection;
        if count > 0 {
            self.ends[e].session.consumed(self.now, connection, (channel.id, token), count as u32, bytes as u64);
        }
        self.note(e, "consume", &[index as u64, count as u64]);
        self.drain(e);
    }

    /// A half's holder ends it: a sender closes, aborts or is dropped; a receiver is dropped.
    pub(super) fn end_half(&mut self, e: usize, close: bool) {
        if let Some(token) = self.half(e, |half| half.sends || !close) {
            self.end_this_half(e, token, close);
        }
    }

    pub(super) fn end_this_half(&mut self, e: usize, token: Token, close: bool) {
        let end = &mut self.ends[e];
        let half = end.halves.remove(&token).expect("a half that is held");
        if end.session.has_outputs() {
            end.let_go.insert(token);
        }
        let channel = &mut self.channels[half.channel];
        let connection = self.calls[channel.call].connection;
        if close {
            let mut metadata = Metadata::new();
            if self.rng.percent(50) {
                metadata.insert("rows", channel.sent.len().to_string());
            }
            channel.closed = Some(metadata.clone());
            self.ends[e].session.close_channel(connection, channel.id, metadata);
        } else {
            let reasons = [Reset::Gone, Reset::Dropped, Reset::aborted("the disk failed")];
            let why = if half.sends { reasons[self.rng.below(3)].clone() } else { Reset::Gone };
            match half.sends {
                true => channel.given_up = Some(why.clone()),
                false => channel.left = true,
            }
            self.ends[e].session.reset_channel(connection, channel.id, why);
        }
        self.note(e, "end half", &[half.channel as u64, close.into()]);
        self.drain(e);
    }
}
