//! Calls and the handlers of calls, and the connections that they are made on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::super::calling::{Made, Recalled};
use super::super::super::outbox::LongId;
use super::super::super::testing::{PERSIST, SERVICE, VOLATILE};
use super::super::super::{Gate, HandlerEnd, NewCall, Patience, Token};
use super::super::end::Half;
use super::super::model::{CallModel, ChannelModel, HandlerModel, bytes, failure, widest};
use super::World;
use crate::ids::ConnectionId;
use crate::metadata::Metadata;
use crate::schema::{Contract, Method};
use crate::wire::{ChannelDirection, Failure, Payload, WHOLE};

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

impl World {
    pub(super) fn open(&mut self, e: usize) {
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

    pub(super) fn call(&mut self, e: usize) {
        let connections: Vec<_> = self.ends[e].calling.iter().copied().collect();
        if connections.is_empty() {
            return;
        }
        let connection = *self.rng.pick(&connections);
        let count = if self.rng.percent(50) { 0 } else { 1 + self.rng.below(2) };
        let count = count.min(self.ends[e].session.max_channels());
        self.try_call(e, connection, count);
    }

    pub(super) fn try_call(&mut self, e: usize, connection: ConnectionId, count: usize) -> Gate {
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
    pub(super) fn handler_step(&mut self, e: usize) {
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

    pub(super) fn bind(&mut self, e: usize, key: (ConnectionId, crate::ids::RequestId)) -> bool {
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

    pub(super) fn end_handler(&mut self, e: usize, key: (ConnectionId, crate::ids::RequestId)) {
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

    pub(super) fn abandon(&mut self, e: usize) {
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

    pub(super) fn shut(&mut self, e: usize) {
        let connections: Vec<_> = self.ends[e].calling.iter().copied().collect();
        if !connections.is_empty() {
            let connection = *self.rng.pick(&connections);
            self.shut_this(e, connection);
        }
    }

    pub(super) fn shut_this(&mut self, e: usize, connection: ConnectionId) {
        self.lose(Some(connection));
        self.ends[e].calling.remove(&connection);
        self.ends[e].session.shut(connection);
        self.note(e, "shut", &[connection.0]);
        self.drain(e);
    }

    pub(super) fn goodbye(&mut self, e: usize) {
        self.lose(None);
        self.ends[e].session.goodbye("enough");
        self.note(e, "goodbye", &[]);
        self.drain(e);
    }
}
