//! The script, the link between the ends, and the checks of each output.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::super::calling::{Made, Recalled};
use super::super::outbox::LongId;
use super::super::testing::{PERSIST, Pot, SERVICE, VOLATILE, epoch};
use super::super::{
    CallEnd, ChannelEnd, Gate, HandlerEnd, NewCall, Output, Patience, Request, Run, RunRoom, Sent, Token,
};
use super::Rng;
use super::end::{End, Half, Handler, small_limits};
use super::link::Link;
use super::model::{CallModel, ChannelModel, HandlerModel, bytes, failure, widest};
use crate::error::{EndReason, Refusal, RefusalCode, Short};
use crate::ids::{ConnectionId, Role};
use crate::limits::Refused;
use crate::metadata::Metadata;
use crate::schema::{Contract, Method};
use crate::wire::{
    ChannelDirection, Failure, Frame, Kind, LongHead, MAX_PART, PART, PartHead, Payload, Reader, Reset, SLACK, WHOLE,
};

/// The service as an opener of this version knows it; 0: as all acceptors do.
fn version(version: usize) -> Arc<Contract> {
    let ours = SERVICE.contract();
    let mut methods: BTreeMap<_, Method> =
        ours.methods().iter().map(|(id, method)| (*id, (**method).clone())).collect();
    if let Some(method) = methods.get_mut(&VOLATILE).filter(|_| version > 0) {
        method.response.schema = [&b"\x01\x01\x03u16"[..], b"\x01\x01\x03i16"][version - 1].to_vec().into();
    }
    Arc::new(Contract::new(methods))
}

/// Both ends, what is between them, and what they promised.
pub(super) struct World {
    pub(super) rng: Rng,
    epoch: Instant,
    pub(super) now: Instant,
    /// How much later it is taken to be by those who wait for memory.
    hurry: Duration,
    pub(super) ends: [End; 2],
    pub(super) link: Link,
    /// How often the link is cut, in a hundred steps.
    cuts: u64,
    /// What was read into may stay in use.
    pins: bool,
    /// How often the session was resumed by both ends.
    pub(super) resumed: u64,
    /// Connections that either end closed; `None`: the session, with all of them.
    lost: BTreeSet<Option<ConnectionId>>,
    /// Long replies under way, by the end that they come to: which call's.
    long_replies: BTreeMap<(usize, u64), usize>,
    calls: Vec<CallModel>,
    channels: Vec<ChannelModel>,
    trace: u64,
    log: bool,
}

impl World {
    pub(super) fn new(seed: u64, log: bool) -> Self {
        let mut rng = Rng(seed);
        let limits = [small_limits(&mut rng), small_limits(&mut rng)];
        let now = epoch();
        let ends = [
            End::new(Role::Initiator, &limits[0], &limits[1], now),
            End::new(Role::Acceptor, &limits[1], &limits[0], now),
        ];
        let mut ends = ends;
        for (number, end) in ends.iter_mut().enumerate() {
            end.tight = !rng.0.is_multiple_of(3);
            end.session.takes_from(Pot::purse(number, if end.tight { 256 << 10 } else { 1 << 30 }));
        }
        let window = Duration::from_millis(*rng.pick(&[1, 20, 100_000]));
        let resumes = rng.percent(75);
        if resumes {
            for end in &mut ends {
                end.session.resumes(window);
                end.resumes = true;
            }
        }
        let cuts = if resumes { *rng.pick(&[0, 1, 5, 20]) } else { 0 };
        let mut world = Self {
            rng,
            epoch: now,
            now,
            hurry: Duration::ZERO,
            ends,
            link: Link::default(),
            cuts,
            pins: true,
            resumed: 0,
            lost: BTreeSet::new(),
            long_replies: BTreeMap::new(),
            calls: Vec::new(),
            channels: Vec::new(),
            trace: 0xcbf2_9ce4_8422_2325,
            log,
        };
        if world.rng.percent(70) {
            let connection = world.ends[0].session.opened_in_handshake(None, None, None);
            world.ends[1].session.accepted_in_handshake(0, &SERVICE, None, None).expect("there is nothing to compare");
            world.ends[0].calling.insert(connection);
            world.ends[1].serving.insert(connection);
        }
        world
    }

    /// Runs the script, then lets everything come to its end. Gives the trace, and how often the session was resumed.
    pub(super) fn run(mut self) -> (u64, u64) {
        let steps = 20 + self.rng.below(250);
        for _ in 0..steps {
            self.step();
        }
        self.pins = false;
        (0..2).for_each(|e| self.pin(e, 0));
        if self.mend() {
            self.settle();
        }
        self.tear_down();
        (self.trace, self.resumed)
    }

    /// One action of one end.
    fn step(&mut self) {
        let e = self.rng.below(2);
        if self.ends[e].ended.is_some() {
            // What was put before a goodbye is still written; nothing is read any more.
            return match self.rng.below(2) {
                0 => self.write(e),
                _ => self.handler_step(e),
            };
        }
        if self.rng.percent(self.cuts) {
            self.cut();
        }
        if self.link.is_cut() && self.rng.percent(20) {
            return match self.rng.below(3) {
                0 => self.notice(e),
                _ => self.reconnect(),
            };
        }
        match self.rng.below(100) {
            0..4 => self.open(e),
            4..20 => self.call(e),
            20..32 => self.handler_step(e),
            32..44 => self.send(e),
            44..52 => self.consume(e),
            52..55 => self.end_half(e, true),
            55..57 => self.end_half(e, false),
            57..60 => self.abandon(e),
            60..65 => self.pass_time(),
            65..66 => self.shut(e),
            66..82 => self.write(e),
            82..98 => self.read(e),
            98 if self.rng.percent(20) => self.goodbye(e),
            99 if self.rng.percent(60) => self.cut(),
            99 => self.reconnect(),
            _ => {}
        }
    }

    // ---- actions ----

    fn open(&mut self, e: usize) {
        let known = self.rng.percent(75);
        let end = &mut self.ends[e];
        let token = end.token();
        let full = (end.calling.len() + end.opening.len()) >= end.peer.max_connections;
        let ours = self.rng.percent(40).then(|| version(self.rng.below(3)));
        let recalled = ours.as_ref().and_then(|ours| end.heard.likely(ours.hash()));
        let recalled = recalled.map(|(hash, contract)| Recalled { hash, contract });
        let service = if known { SERVICE.name } else { "beta" };
        let result = end.session.open(service, Metadata::new(), ours, recalled, token);
        assert_eq!(result.is_err(), full, "opening: {result:?}");
        if result.is_ok() {
            end.opening.insert(token, known);
        }
        self.note(e, "open", &[known.into(), full.into()]);
        self.drain(e);
    }

    fn call(&mut self, e: usize) {
        let connections: Vec<_> = self.ends[e].calling.iter().copied().collect();
        if connections.is_empty() {
            return;
        }
        let connection = *self.rng.pick(&connections);
        let count = if self.rng.percent(50) { 0 } else { 1 + self.rng.below(2) };
        let count = count.min(self.ends[e].session.max_channels());
        self.try_call(e, connection, count);
    }

    fn try_call(&mut self, e: usize, connection: ConnectionId, count: usize) -> Gate {
        let gate = self.ends[e].session.gate(connection, count);
        let has_room = self.ends[e].outbox_has_room(0);
        match &gate {
            Gate::Open => {
                assert_ne!(self.ends[e].waits, Some((connection, count)), "there is room, and nobody was told");
                self.make_call(e, connection, count);
            }
            Gate::Wait if has_room => self.ends[e].waits = Some((connection, count)),
            Gate::Wait => {}
            Gate::Closed(reason) => panic!("connection {connection} is closed: {reason}"),
        }
        gate
    }

    fn make_call(&mut self, e: usize, connection: ConnectionId, count: usize) {
        let persist = count == 0 && self.rng.percent(25);
        let len = self.length(self.ends[e].payload_room()).max(8);
        let index = self.calls.len();
        let mut payload = bytes(index as u8, len);
        payload[..8].copy_from_slice(&(index as u64).to_le_bytes());
        let deadline = self.rng.percent(30).then(|| self.now + Duration::from_micros(self.rng.below(20_000) as u64));
        let mut halves = Vec::new();
        for _ in 0..count {
            let direction = *self.rng.pick(&[ChannelDirection::CallerSends, ChannelDirection::HandlerSends]);
            halves.push((direction, self.ends[e].token()));
        }
        let patience = self.rng.percent(20).then(|| Duration::from_millis(1 + self.rng.below(20) as u64));
        let patience = patience.filter(|_| deadline.is_some()).map(|each| Patience { each, latest: None });
        let new = NewCall {
            method: if persist { PERSIST } else { VOLATILE },
            operation: None,
            deadline,
            patience,
            metadata: Metadata::new(),
            channels: halves.clone(),
        };
        let token = self.ends[e].token();
        let mut taken = self.payload(payload.clone());
        let parts_before = self.ends[e].parts_put;
        let made = self.ends[e].session.call(self.now, connection, token, new, &mut taken);
        let Made { request, channels: ids, .. } = made.expect("the gate was open");
        let mut channels = Vec::new();
        for ((direction, token), id) in halves.into_iter().zip(ids) {
            let sends = direction == ChannelDirection::CallerSends;
            let receiver = if sends { &self.ends[1 - e].limits } else { &self.ends[e].limits };
            channels.push(self.channels.len());
            self.ends[e].halves.insert(token, Half { channel: self.channels.len(), sends, waits: false });
            self.channels.push(ChannelModel {
                call: index,
                id,
                direction,
                sender: if sends { e } else { 1 - e },
                window: widest(receiver),
                sent: Vec::new(),
                delivered: 0,
                consumed: 0,
                closed: None,
                given_up: None,
                left: false,
                bound: false,
                full: receiver.session_memory <= 200 << 10 || self.ends[if sends { 1 - e } else { e }].tight,
                lost: self.lost.contains(&None) || self.lost.contains(&Some(connection)),
            });
        }
        self.ends[e].calls.insert(token, index);
        self.note(e, "call", &[index as u64, connection.0, request.0, len as u64, count as u64, persist.into()]);
        self.calls.push(CallModel {
            by: e,
            connection,
            request,
            persist,
            deadline,
            payload,
            channels,
            handler: HandlerModel::NotDispatched,
            abandoned: false,
            taken_back: false,
            parts_before: (len <= WHOLE).then_some(parts_before),
            patient: patience.is_some(),
            end: None,
            unkept: false,
            replies_seen: 0,
        });
        let flying = self.ends[e].session.calls_in_flight(connection);
        assert!(flying <= self.ends[e].peer.max_calls, "{flying} calls in flight");
        self.drain(e);
    }

    /// The same bytes, of which some may stand beside the others.
    fn payload(&mut self, mut bytes: Vec<u8>) -> Payload {
        let last = self.rng.percent(20).then(|| bytes.split_off(self.rng.below(bytes.len() + 1)).into());
        Payload { encoded: bytes, last }
    }

    /// Some handler takes up a channel, or ends.
    fn handler_step(&mut self, e: usize) {
        let handlers: Vec<_> = self.ends[e].handlers.keys().copied().collect();
        if handlers.is_empty() {
            return;
        }
        let key = *self.rng.pick(&handlers);
        if self.rng.percent(60) && self.bind(e, key) {
            return;
        }
        self.end_handler(e, key);
    }

    fn bind(&mut self, e: usize, key: (ConnectionId, crate::ids::RequestId)) -> bool {
        let Some(index) = self.ends[e].handlers.get_mut(&key).and_then(|handler| handler.unbound.pop()) else {
            return false;
        };
        let channel = &mut self.channels[index];
        let end = &mut self.ends[e];
        let token = end.token();
        let expected = end.serving.contains(&key.0) && end.ended.is_none();
        let bound = end.session.bind(key.0, channel.id, token);
        assert_eq!(bound, expected, "binding channel {} of {}", channel.id, key.0);
        if bound {
            channel.bound = true;
            end.halves.insert(token, Half { channel: index, sends: channel.sender == e, waits: false });
            assert!(!end.session.bind(key.0, channel.id, Token(u64::MAX)), "a channel was taken up twice");
        }
        self.note(e, "bind", &[index as u64, bound.into()]);
        self.drain(e);
        true
    }

    fn end_handler(&mut self, e: usize, key: (ConnectionId, crate::ids::RequestId)) {
        let handler = self.ends[e].handlers.remove(&key).expect("a handler that runs");
        let how = self.rng.below(10);
        let len =
            if how == 9 { self.ends[e].session.max_payload() + 1 } else { self.length(self.ends[e].payload_room()) };
        let len = if how == 9 && len > 500_000 { 1 } else { len };
        let mut payload = self.payload(bytes(how as u8, len));
        let (end, expected) = match how {
            _ if handler.aborted => (HandlerEnd::Aborted, None),
            0 => (HandlerEnd::Failed(Failure::Panicked), Some(failure(&Failure::Panicked))),
            1 => (HandlerEnd::Failed(Failure::UnknownMethod), Some(failure(&Failure::UnknownMethod))),
            2 => (HandlerEnd::Aborted, None),
            _ if len > self.ends[e].session.max_payload() => {
                let limit = self.ends[e].session.max_payload();
                (HandlerEnd::Returned(&mut payload), Some(failure(&Failure::response_too_large(len, limit))))
            }
            _ => {
                let expected = bytes(how as u8, len);
                (HandlerEnd::Returned(&mut payload), Some(expected))
            }
        };
        let call = &mut self.calls[handler.call];
        call.unkept =
            len > 1 << 10 && (self.ends[e].tight || self.ends[e].session.memory() > self.ends[e].limits.session_memory);
        call.handler = expected.map_or(HandlerModel::Aborted, HandlerModel::Ended);
        self.ends[e].session.handler_ended(key.0, key.1, end);
        self.note(e, "handler ended", &[handler.call as u64, how as u64, len as u64]);
        self.drain(e);
    }

    fn send(&mut self, e: usize) {
        if let Some(token) = self.half(e, |half| half.sends) {
            let len = if self.rng.percent(90) { self.rng.below(40) } else { self.length(self.ends[e].payload_room()) };
            self.try_send(e, token, len);
        }
    }

    fn try_send(&mut self, e: usize, token: Token, len: usize) -> Sent {
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

    fn consume(&mut self, e: usize) {
        if let Some(token) = self.half(e, |half| !half.sends) {
            let channel = &self.channels[self.ends[e].halves[&token].channel];
            let kept = channel.delivered - channel.consumed;
            let count = if kept == 0 { 0 } else { 1 + self.rng.below(kept) };
            self.consume_from(e, token, count);
        }
    }

    fn consume_from(&mut self, e: usize, token: Token, count: usize) {
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
    fn end_half(&mut self, e: usize, close: bool) {
        if let Some(token) = self.half(e, |half| half.sends || !close) {
            self.end_this_half(e, token, close);
        }
    }

    fn end_this_half(&mut self, e: usize, token: Token, close: bool) {
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

    fn abandon(&mut self, e: usize) {
        let waiting: Vec<_> = self.ends[e].calls.keys().copied().collect();
        if waiting.is_empty() {
            return;
        }
        let index = self.ends[e].calls.remove(self.rng.pick(&waiting)).expect("a call that waits");
        let call = &mut self.calls[index];
        call.abandoned = true;
        call.taken_back = self.ends[e].session.outbox().holds(LongId::Call(call.connection, call.request));
        self.ends[e].session.abandon(call.connection, call.request);
        self.note(e, "abandon", &[index as u64]);
        self.drain(e);
    }

    fn pass_time(&mut self) {
        let e = self.rng.below(2);
        let to_timeout = self.ends[e].session.poll_timeout().filter(|_| self.rng.percent(20));
        let step = Duration::from_micros(1 + self.rng.below(5000) as u64);
        self.now = to_timeout.map_or(self.now + step, |at| at.max(self.now));
        self.note(e, "time", &[(self.now - self.epoch).as_micros() as u64]);
        for e in 0..2 {
            // A driver may be late.
            if self.rng.percent(80) {
                self.time_out(e);
            }
        }
    }

    fn time_out(&mut self, e: usize) {
        if self.ends[e].ended.is_none() && self.ends[e].session.poll_timeout().is_some_and(|at| at <= self.now) {
            self.ends[e].session.handle_timeout(self.now);
            self.drain(e);
            let next = self.ends[e].session.poll_timeout();
            assert!(next.is_none_or(|at| at > self.now), "a timeout that does not go away");
            if self.ends[e].ended == Some(EndReason::KeepaliveTimeout) {
                self.cut_for_good();
            }
        }
        self.check_deadlines(e);
    }

    /// Nothing goes on past its deadline on an end that looks at the time.
    fn check_deadlines(&self, e: usize) {
        let over = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= self.now);
        for index in self.ends[e].calls.values() {
            let call = &self.calls[*index];
            assert!(call.patient || !over(call.deadline), "call {index} waits past its deadline");
        }
        for handler in self.ends[e].handlers.values() {
            let stopped = handler.aborted || self.calls[handler.call].persist;
            assert!(stopped || !over(handler.deadline), "the handler of call {} runs past its deadline", handler.call);
        }
    }

    fn shut(&mut self, e: usize) {
        let connections: Vec<_> = self.ends[e].calling.iter().copied().collect();
        if !connections.is_empty() {
            let connection = *self.rng.pick(&connections);
            self.shut_this(e, connection);
        }
    }

    fn shut_this(&mut self, e: usize, connection: ConnectionId) {
        self.lose(Some(connection));
        self.ends[e].calling.remove(&connection);
        self.ends[e].session.shut(connection);
        self.note(e, "shut", &[connection.0]);
        self.drain(e);
    }

    fn goodbye(&mut self, e: usize) {
        self.lose(None);
        self.ends[e].session.goodbye("enough");
        self.note(e, "goodbye", &[]);
        self.drain(e);
    }

    /// From here on channels may be lost.
    pub(super) fn lose(&mut self, connection: Option<ConnectionId>) {
        self.lost.insert(connection);
        for channel in &mut self.channels {
            channel.lost |= connection.is_none_or(|connection| self.calls[channel.call].connection == connection);
        }
    }

    // ---- the link ----

    /// Writes a part of what is there, or reports what was written.
    fn write(&mut self, e: usize) {
        self.write_some(e, false);
    }

    fn write_some(&mut self, e: usize, settles: bool) {
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

    fn read(&mut self, e: usize) {
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
    fn pin(&mut self, e: usize, bytes: usize) {
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

    // ---- outputs ----

    pub(super) fn drain(&mut self, e: usize) {
        while let Some(output) = self.ends[e].session.poll_output() {
            assert_eq!(self.ends[e].ended, None, "{output:?} after the end");
            self.on_output(e, output);
        }
        let end = &self.ends[e];
        assert_eq!(end.session.handlers_running(), end.handlers.len(), "handlers are miscounted");
    }

    fn on_output(&mut self, e: usize, output: Output) {
        let end = &mut self.ends[e];
        match output {
            Output::Opened { token, result } => {
                let known = end.opening.remove(&token).expect("an open that waits");
                self.note(e, "opened", &[known.into(), result.is_ok().into()]);
                match result {
                    Ok(connection) => {
                        assert!(known, "a service that does not exist");
                        self.ends[e].calling.insert(connection);
                    }
                    Err(refusal) => {
                        assert!(!known || matches!(refusal.code, RefusalCode::Other | RefusalCode::Busy), "{refusal}");
                    }
                }
            }
            Output::Offered { connection, service, contract, .. } => {
                if service == SERVICE.name {
                    let heard = contract.and_then(|named| end.heard.get(SERVICE.contract().hash(), named.hash));
                    end.session.accept(connection, 0, &SERVICE, contract, heard);
                    end.serving.insert(connection);
                } else {
                    end.session.refuse(connection, Refusal::new(RefusalCode::UnknownService, "no"));
                }
                self.note(e, "offered", &[connection.0]);
            }
            Output::Dispatch(request) => self.on_dispatch(e, request),
            Output::AbortHandler { connection, request, nth } => {
                let handler = end.handlers.get_mut(&(connection, request)).expect("a handler that runs");
                assert_eq!(nth, handler.nth, "another dispatch");
                assert!(!std::mem::replace(&mut handler.aborted, true), "a handler was aborted twice");
                assert!(!self.calls[handler.call].persist, "a handler that runs to its end was aborted");
                let noted = handler.call as u64;
                self.note(e, "abort", &[noted]);
            }
            Output::Withdraw { connection, request, nth, failure, runs_on } => {
                let handler = &end.handlers[&(connection, request)];
                assert_eq!(nth, handler.nth, "another dispatch");
                assert!(self.calls[handler.call].persist && runs_on, "it is no operation");
                let noted = handler.call as u64;
                end.session.detach(connection, request, HandlerEnd::Failed(failure));
                self.note(e, "withdraw", &[noted]);
            }
            Output::Acknowledged { .. } => panic!("nobody acknowledges anything"),
            Output::Finish { token, end } => self.on_finish(e, token, end),
            Output::Deliver { token, items } => self.on_deliver(e, token, &items),
            Output::ReceiverEnded { token, end: how } => self.on_half_ended(e, token, &how, false),
            Output::SenderEnded { token, end: how } => self.on_half_ended(e, token, &how, true),
            Output::GrantPermits { token } => match end.halves.get_mut(&token) {
                Some(half) => {
                    assert!(half.sends, "credit for a receiver");
                    half.waits = false;
                }
                // What a long item that has left gives back is told once the write is over.
                None => assert!(end.let_go.contains(&token), "credit for a half that nobody holds"),
            },
            Output::ConnectionEnded { connection } => {
                assert!(end.calling.remove(&connection) || end.serving.remove(&connection));
                let handlers = end.handlers.iter().filter(|((on, _), _)| *on == connection);
                for (_, handler) in handlers {
                    assert!(handler.aborted || self.calls[handler.call].persist, "a handler was forgotten");
                }
                self.note(e, "connection ended", &[connection.0]);
            }
            Output::Refused { what, short } => self.on_refused(e, what, short),
            Output::Heard { ours, theirs } => {
                end.heard.keep(ours, &theirs);
                self.note(e, "heard", &[theirs.bytes().len() as u64]);
            }
            Output::Room => end.waits = None,
            Output::LinkDown(_) => self.detach(e),
            Output::Ended(reason) => self.on_ended(e, reason),
        }
    }

    /// It is said which limit is short, and that it is.
    fn on_refused(&mut self, e: usize, what: Refused, short: Short) {
        assert!(short.of().is_some(), "{what:?} for no limit");
        let waits = matches!(what, Refused::Reading | Refused::Handlers);
        assert!(waits || short.needed > short.limit, "{what:?} though {short}");
        self.note(e, "refused", &[what as u64, short.needed]);
    }

    fn on_dispatch(&mut self, e: usize, request: Request) {
        let (index, _) = request.payload.split_first_chunk().expect("a payload with a call's index");
        let index = u64::from_le_bytes(*index) as usize;
        let call = &mut self.calls[index];
        call.dispatch();
        assert_eq!((call.by, call.connection, call.request), (1 - e, request.connection, request.request));
        assert_eq!(call.payload, request.payload);
        assert_eq!(request.method, if call.persist { PERSIST } else { VOLATILE });
        assert_eq!(request.deadline.is_some(), call.deadline.is_some());
        let ids = call.channels.iter().map(|c| (self.channels[*c].id, self.channels[*c].direction));
        assert!(ids.eq(request.channels.iter().map(|open| (open.id, open.direction))), "other channels");
        let handler = Handler {
            call: index,
            nth: self.ends[e].dispatched,
            unbound: call.channels.iter().rev().copied().collect(),
            deadline: request.deadline,
            aborted: false,
        };
        let end = &mut self.ends[e];
        end.dispatched += 1;
        assert!(end.serving.contains(&request.connection), "a call on a connection that is not served");
        end.handlers.insert((request.connection, request.request), handler);
        let volatile =
            |key: &&(ConnectionId, _)| key.0 == request.connection && !self.calls[end.handlers[*key].call].persist;
        let running = end.handlers.keys().filter(volatile).count();
        assert!(running <= end.limits.max_calls, "{running} handlers, over {}", end.limits.max_calls);
        self.note(e, "dispatch", &[index as u64]);
    }

    fn on_finish(&mut self, e: usize, token: Token, end: CallEnd) {
        let index = self.ends[e].calls.remove(&token).expect("a call that waits");
        self.ends[e].session.reply_taken(token);
        let how = match &end {
            CallEnd::Reply(_) => 0,
            CallEnd::DeadlineExceeded => 1,
            CallEnd::Indeterminate => 2,
            CallEnd::NeverLeft(_) => 3,
            CallEnd::NeverLeftInTime => 4,
        };
        self.note(e, "finish", &[index as u64, how]);
        self.calls[index].finish(end, self.now);
    }

    fn on_deliver(&mut self, e: usize, token: Token, items: &[u8]) {
        let half = self.ends[e].halves.get(&token).expect("a half that is held");
        assert!(!half.sends, "items for a sender");
        let channel = &mut self.channels[half.channel];
        assert_eq!(channel.sender, 1 - e);
        let mut reader = Reader::new(items);
        assert!(reader.remaining() > 0, "a run of no items");
        while reader.remaining() > 0 {
            let item = reader.varint("length").and_then(|len| reader.take(len, "item")).expect("a whole item");
            channel.deliver(item);
        }
        let noted = [half.channel as u64, items.len() as u64];
        self.note(e, "deliver", &noted);
    }

    fn on_half_ended(&mut self, e: usize, token: Token, how: &ChannelEnd, sends: bool) {
        let half = self.ends[e].halves.remove(&token).expect("a half that is held");
        assert_eq!(half.sends, sends);
        if !sends {
            self.take_rest(e, token, half.channel);
        }
        let channel = &self.channels[half.channel];
        if sends {
            channel.sender_ended(how)
        } else {
            channel.receiver_ended(how)
        }
        let how = match how {
            ChannelEnd::Closed(_) => 0,
            ChannelEnd::Reset(_) => 1,
            ChannelEnd::Lost(_) => 2,
        };
        self.note(e, "half ended", &[half.channel as u64, how]);
    }

    /// The holder of a receiver that has ended takes some of what came on it, and lets go of it.
    fn take_rest(&mut self, e: usize, token: Token, index: usize) {
        let channel = &mut self.channels[index];
        let end = channel.consumed + self.rng.below(channel.delivered - channel.consumed + 1);
        let bytes: usize = channel.sent[channel.consumed..end].iter().sum();
        let (connection, count) = (self.calls[channel.call].connection, (end - channel.consumed) as u32);
        let session = &mut self.ends[e].session;
        session.consumed(self.now, connection, (channel.id, token), count, bytes as u64);
        session.check_memory();
        session.let_go(token);
        session.check_memory();
    }

    fn on_ended(&mut self, e: usize, reason: EndReason) {
        let end = &mut self.ends[e];
        assert!(end.calls.is_empty(), "calls without an end: {:?}", end.calls);
        assert!(end.opening.is_empty() && end.halves.is_empty(), "somebody was not told of the end");
        for handler in end.handlers.values() {
            assert!(handler.aborted || self.calls[handler.call].persist, "a handler was forgotten");
        }
        end.ended = Some(reason);
        assert_eq!(end.session.poll_timeout(), None, "a timer runs after the end");
        assert!(!end.session.has_connections());
        self.note(e, "ended", &[]);
    }

    // ---- the end of a run ----

    /// Lets all that was begun come to its end while the link holds, and looks for what is left.
    fn settle(&mut self) {
        self.come_to_rest(true);
        // Everything sent is consumed, so every sender that is left has credit.
        for e in 0..2 {
            for token in self.ends[e].halves.iter().filter(|(_, half)| half.sends).map(|(t, _)| *t).collect::<Vec<_>>()
            {
                assert_eq!(self.try_send(e, token, 1), Sent::Yes, "credit has leaked");
            }
        }
        self.come_to_rest(true);
        self.end_all_halves();
        self.come_to_rest(true);
        for e in 0..2 {
            let end = &self.ends[e];
            assert!(end.calls.is_empty() && end.opening.is_empty() && end.halves.is_empty() && end.handlers.is_empty());
            assert!(!end.session.is_live(), "calls or channels are left");
            assert_eq!(end.session.handlers_running(), 0);
        }
        self.fill_up();
        for e in 0..2 {
            for connection in self.ends[e].calling.clone() {
                self.shut_this(e, connection);
            }
        }
        self.come_to_rest(false);
        for e in 0..2 {
            assert!(!self.ends[e].session.has_connections(), "connections are left");
            self.expect_nothing_long(e);
            self.expect_idle(e);
        }
        let e = self.rng.below(2);
        self.goodbye(e);
        self.come_to_rest(false);
        assert!(matches!(self.ends[1 - e].ended, Some(EndReason::Goodbye(_))), "nobody heard the goodbye");
    }

    /// Writes, reads, runs handlers to their end and consumes, until nothing moves any more.
    fn come_to_rest(&mut self, connected: bool) {
        for _ in 0..200 {
            for e in 0..2 {
                self.write_some(e, true);
                self.read(e);
                if let Some(key) = self.ends[e].handlers.keys().next().copied() {
                    while self.rng.percent(70) && self.bind(e, key) {}
                    self.end_handler(e, key);
                }
                let receivers = self.ends[e].halves.iter().filter(|(_, half)| !half.sends).map(|(token, _)| *token);
                for token in receivers.collect::<Vec<_>>() {
                    // What one of them gives back may let a frame in that ends another.
                    let Some(half) = self.ends[e].halves.get(&token) else { continue };
                    let channel = &self.channels[half.channel];
                    let kept = channel.delivered - channel.consumed;
                    self.consume_from(e, token, kept);
                }
            }
            if self.at_rest() {
                self.hurry = Duration::ZERO;
                return;
            }
            self.hurry +=
                Duration::from_millis(if self.ends.iter().any(|end| end.held_off.is_some()) { 500 } else { 0 });
        }
        assert!(!connected || self.ends.iter().any(|end| end.ended.is_some()), "it never rests");
    }

    fn at_rest(&mut self) -> bool {
        let pipes = self.link.pipes.iter().all(VecDeque::is_empty);
        pipes
            && self.ends.iter_mut().all(|end| {
                end.held_off.is_none()
                    && end.unreported == 0
                    && end.batch.is_empty()
                    && !end.session.has_output()
                    && end.handlers.is_empty()
            })
    }

    fn end_all_halves(&mut self) {
        for e in 0..2 {
            for token in self.ends[e].halves.keys().copied().collect::<Vec<_>>() {
                let sends = self.ends[e].halves[&token].sends;
                // A receiver whose sender is alive is left to hear of its end.
                if sends {
                    let close = self.rng.percent(80);
                    self.end_this_half(e, token, close);
                }
            }
        }
    }

    /// Every connection takes as many calls as it ever did, and gives them all back.
    fn fill_up(&mut self) {
        for e in 0..2 {
            for connection in self.ends[e].calling.clone() {
                let mut made = 0;
                for _ in 0..100 {
                    if self.try_call(e, connection, 0) == Gate::Open {
                        made += 1;
                    } else if self.ends[e].outbox_has_room(0) {
                        break;
                    } else {
                        self.write(e);
                    }
                }
                assert_eq!(made, self.ends[e].peer.max_calls, "slots have leaked");
            }
        }
        self.come_to_rest(true);
        for end in &self.ends {
            assert!(end.calls.is_empty() && end.handlers.is_empty() && !end.session.is_live());
        }
    }

    /// No timer runs, but for those of calls that have ended since, which go off once.
    fn expect_idle(&mut self, e: usize) {
        for _ in 0..3 {
            let Some(at) = self.ends[e].session.poll_timeout() else { return };
            self.now = self.now.max(at);
            self.ends[e].session.handle_timeout(self.now);
            self.drain(e);
        }
        panic!("a timer runs while nothing is under way");
    }

    /// As [`expect_nothing_kept`](Self::expect_nothing_kept), and nothing waits for its turn to leave.
    fn expect_nothing_long(&mut self, e: usize) {
        let session = &mut self.ends[e].session;
        assert_eq!((session.has_long(), session.outbox().pending_long()), (false, 0), "long messages are left");
        self.expect_nothing_kept(e);
    }

    /// Nothing of the peer's is kept, or being put together.
    fn expect_nothing_kept(&mut self, e: usize) {
        let session = &mut self.ends[e].session;
        assert_eq!(session.reassembly().sums(), (0, 0, 0), "something is still being put together");
        session.check_memory();
        assert_eq!(session.kept_of_peer(), 0, "something of the peer's is still charged");
        session.settle_lease_now();
        assert!(Pot::taken(e) <= session.memory().next_multiple_of(64 << 10), "something is taken that is not kept");
    }

    /// The link goes, if it has not; handlers end; nothing is left.
    fn tear_down(&mut self) {
        for _ in 0..20 {
            // What was put before a goodbye or with it still arrives.
            for e in 0..2 {
                self.write(e);
                if self.ends[e].ended.is_none() {
                    self.read(e);
                }
            }
        }
        self.cut_for_good();
        for e in 0..2 {
            for key in self.ends[e].handlers.keys().copied().collect::<Vec<_>>() {
                while self.bind(e, key) {}
                self.end_handler(e, key);
            }
            let end = &self.ends[e];
            assert!(end.ended.is_some());
            assert!(end.calls.is_empty() && end.opening.is_empty() && end.halves.is_empty());
            assert!(!end.session.has_connections() && !end.session.is_live());
            assert_eq!(end.session.handlers_running(), 0, "handlers are counted that have ended");
            assert_eq!(end.session.poll_timeout(), None);
            // What a goodbye let leave first may have had no link any more, where the peer held off reading. It goes with the session.
            if matches!(end.ended, Some(EndReason::ClosedHere)) {
                self.expect_nothing_kept(e);
            } else {
                self.expect_nothing_long(e);
            }
        }
        for (index, call) in self.calls.iter().enumerate() {
            assert_eq!(call.end.is_some(), !call.abandoned, "call {index} has no end, or one too many");
        }
    }

    // ---- small things ----

    fn half(&mut self, e: usize, wanted: impl Fn(&Half) -> bool) -> Option<Token> {
        let halves: Vec<_> = self.ends[e].halves.iter().filter(|(_, half)| wanted(half)).map(|(t, _)| *t).collect();
        if halves.is_empty() { None } else { Some(*self.rng.pick(&halves)) }
    }

    /// Mostly short, sometimes long enough to be handed over instead of copied.
    fn length(&mut self, room: usize) -> usize {
        let len = match self.rng.below(20) {
            0 if self.rng.percent(60) => WHOLE - 2 + self.rng.below(4 * PART),
            0 => 17_000 + self.rng.below(3000),
            1..4 => self.rng.below(2000),
            _ => self.rng.below(50),
        };
        len.min(room)
    }

    pub(super) fn note(&mut self, e: usize, what: &str, values: &[u64]) {
        let bytes = what.bytes().map(u64::from).chain(values.iter().copied()).chain([e as u64]);
        self.trace = bytes.fold(self.trace, |trace, value| (trace ^ value).wrapping_mul(0x0100_0000_01b3));
        if self.log {
            println!("{:>8} {e} {what} {values:?}", (self.now - self.epoch).as_micros());
        }
    }
}
