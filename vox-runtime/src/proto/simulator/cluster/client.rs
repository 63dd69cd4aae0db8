//! Clients: the calls they make, the sessions they make them over, and what they do when one is lost.

use std::collections::BTreeMap;
use std::time::Duration;

use super::link::{Link, Shake};
use super::model::{Effect, Intention, Place, SERVICE};
use super::server::Served;
use super::world::World;
use crate::error::EndReason;
use crate::ids::{ConnectionId, Role};
use crate::limits::Limits;
use crate::metadata::Metadata;
use crate::operation::{OperationId, Principal};
use crate::proto::testing::next_output;
use crate::proto::{Batch, CallEnd, Gate, NewCall, Output, PeerClock, Session, Token, Verdict};
use crate::store::StoreLimits;
use crate::wire::is_outcome;

/// One caller.
pub(super) struct Client {
    pub(super) principal: Principal,
    /// How much its clock is ahead, or behind, in milliseconds.
    pub(super) skew: i64,
    /// What a server has told it of the time, and how often somebody had set the clock by then.
    pub(super) clock: Option<(PeerClock, u64)>,
    pub(super) session: Option<Own>,
    /// Calls that wait to be sent.
    pub(super) queue: Vec<usize>,
}

/// What a handshake says of the time, and how often somebody had set the clock by then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    millis: u64,
    jumps: u64,
}

/// A session at the end that calls.
pub(super) struct Own {
    pub(super) number: u64,
    pub(super) session: Session,
    pub(super) process: usize,
    connection: ConnectionId,
    /// The link that it has, or asks for.
    pub(super) link: Option<u64>,
    pub(super) secret: u64,
    pub(super) batch: Batch,
    calls: BTreeMap<Token, usize>,
}

const HOUR: i64 = 3_600_000;

impl World {
    /// A session with some server, if the handshake comes through.
    pub(super) fn connect(&mut self, c: usize) {
        let alive: Vec<usize> = (0..self.processes.len()).filter(|p| self.processes[*p].alive).collect();
        if self.clients[c].session.is_some() || alive.is_empty() || self.closing {
            return;
        }
        let p = *self.rng.pick(&alive);
        let heard = if self.chaos { self.rng.below(10) } else { 9 };
        if heard == 0 {
            return;
        }
        self.numbers += 2;
        let (number, id, now) = (self.numbers, self.numbers - 1, self.now);
        let (ours, theirs) = (self.limits(), self.limits());
        let window = Duration::from_millis(*self.rng.pick(&[2, 20, 100_000]));
        let resumes = self.rng.percent(85);
        let mut session = Session::new(Role::Initiator, ours.clone(), theirs.announced(), now);
        let mut served = Session::new(Role::Acceptor, theirs, ours.announced(), now);
        if resumes {
            session.resumes(window);
            served.resumes(window);
        }
        let connection = session.opened_in_handshake(None, None, None);
        served.accepted_in_handshake(0, &SERVICE, None, None).expect("there is nothing to compare");
        let mut served = Served::new(served, self.clients[c].principal.clone(), number, &self.wall);
        served.link = Some(id);
        self.processes[p].sessions.insert(number, served);
        let mut link = Link::new(c, p, number, Shake::Done);
        // The server has a session that its client never heard of.
        link.cut = heard == 1;
        self.links.insert(id, link);
        self.note("connects", &[c as u64, p as u64, number, id, heard as u64], &());
        if heard > 1 {
            let (link, batch, calls) = (Some(id), Batch::default(), BTreeMap::new());
            let own = Own { number, session, process: p, connection, link, secret: number, batch, calls };
            self.clients[c].session = Some(own);
            self.hears_time(c, self.told());
        }
    }

    fn limits(&mut self) -> Limits {
        Limits {
            max_message_bytes: 64 << 10,
            max_calls: 1 + self.rng.below(4),
            outbox_bytes: *self.rng.pick(&[200, 400 << 10]),
            replay_bytes: *self.rng.pick(&[0, 16 << 20]),
            max_detached: *self.rng.pick(&[1, 3, 1024, 1024]),
            keepalive: Duration::from_millis(*self.rng.pick(&[50, 30_000])),
            idle_keepalive: Duration::MAX,
            keepalive_timeout: Duration::from_millis(*self.rng.pick(&[50, 20_000])),
            ..Limits::default()
        }
    }

    // ---- calls ----

    /// Somebody calls: something new, something again, or something else under the same id.
    pub(super) fn new_call(&mut self, c: usize) {
        let principal = self.clients[c].principal.clone();
        let known: Vec<usize> = (0..self.model.intentions.len())
            .filter(|i| self.model.intentions[*i].principal == principal && self.model.intentions[*i].id.is_some())
            .collect();
        let again = !known.is_empty() && self.rng.percent(40);
        let (intention, auto_id) = if again {
            let intention = *self.rng.pick(&known);
            match self.rng.percent(25) {
                true => (self.new_intention(c, self.model.intentions[intention].id), false),
                false => (intention, false),
            }
        } else {
            // Both principals may choose the same.
            let chosen = self.rng.percent(40).then(|| OperationId::from_u128(u128::from(self.epoch_millis) << 80 | 7));
            let intention = self.new_intention(c, chosen);
            (intention, chosen.is_none())
        };
        let deadline = self.rng.percent(25).then(|| self.now + Duration::from_micros(self.rng.below(20_000) as u64));
        let call = self.model.new_call(c, intention, auto_id, deadline);
        self.clients[c].queue.push(call);
        self.note("calls", &[c as u64, call as u64], &self.model.intentions[intention].method.name);
    }

    fn new_intention(&mut self, c: usize, chosen: Option<OperationId>) -> usize {
        let number = self.model.intentions.len();
        let method = &SERVICE.methods[*self.rng.pick(&[0, 1, 2, 2, 2, 3, 3])];
        let named = method.policy.persist || (!method.policy.idem && self.rng.percent(50));
        let id = chosen.filter(|_| named || self.rng.percent(50)).or_else(|| named.then(|| self.new_id(c)));
        let mut payload = (number as u32).to_le_bytes().to_vec();
        let len = if self.rng.percent(95) { self.rng.below(50) } else { 20_000 };
        payload.resize(4 + len, number as u8);
        let effect = *self.rng.pick(&[Effect::None, Effect::Apart, Effect::WithSeal]);
        let principal = self.clients[c].principal.clone();
        self.model.intentions.push(Intention { principal, id, method, payload, effect });
        number
    }

    fn new_id(&mut self, c: usize) -> OperationId {
        self.numbers += 1;
        let wall = self.wall_millis();
        let millis = match self.clients[c].clock {
            None => wall.saturating_add_signed(self.clients[c].skew),
            Some((clock, jumps)) => {
                let millis = clock.since_epoch(self.now).as_millis() as u64;
                let limits = StoreLimits::default();
                let timely = wall - limits.retention.as_millis() as u64..=wall + limits.clock_slack.as_millis() as u64;
                let is_timely = timely.contains(&millis);
                assert!(is_timely || jumps != self.jumped, "a client that was told the time makes ids of another");
                millis
            }
        };
        OperationId::from_u128(u128::from(millis) << 80 | u128::from(self.numbers) << 8)
    }

    /// A handshake says what time it is at the server.
    pub(super) fn hears_time(&mut self, c: usize, told: Told) {
        self.clients[c].clock = Some((PeerClock::told(told.millis, self.now), told.jumps));
    }

    /// What a server says now of the time.
    pub(super) fn told(&self) -> Told {
        Told { millis: self.wall_millis(), jumps: self.jumped }
    }

    /// Sends the call that has waited longest, if it may.
    pub(super) fn send(&mut self, c: usize) {
        let (now, client) = (self.now, &mut self.clients[c]);
        let Some(own) = &mut client.session else { return };
        if client.queue.is_empty() || own.session.gate(own.connection, 0) != Gate::Open {
            return;
        }
        let call = client.queue.remove(0);
        let model = &self.model.calls[call];
        if model.deadline.is_some_and(|deadline| deadline <= now) {
            return self.out_of_time(call);
        }
        let intention = &self.model.intentions[model.intention];
        self.numbers += 1;
        let token = Token(self.numbers);
        let new = NewCall {
            method: intention.method.id,
            operation: intention.id,
            deadline: model.deadline,
            patience: None,
            metadata: Metadata::new(),
            channels: Vec::new(),
        };
        let mut payload = intention.payload.clone().into();
        let made = own.session.call(now, own.connection, token, new, &mut payload);
        let request = made.expect("the gate was open").request;
        own.calls.insert(token, call);
        let number = own.number;
        self.note("sends", &[c as u64, call as u64, number, request.0], &());
        self.model.sent(call, number, token, request);
        self.drain_client(c);
    }

    /// The time of a call that waits to be sent is over.
    pub(super) fn out_of_time(&mut self, call: usize) {
        let end = self.model.calls[call].attempts.outcome(CallEnd::NeverLeft(EndReason::ClosedHere));
        self.model.ended(call, end);
    }

    /// Nobody waits any more for some call.
    pub(super) fn abandon(&mut self, call: usize) {
        let model = &mut self.model.calls[call];
        if model.gone || model.outcome.is_some() {
            return;
        }
        model.gone = true;
        let (c, place) = (model.client, std::mem::replace(&mut model.place, Place::Over));
        self.note("abandons", &[call as u64], &place);
        match place {
            Place::Queued => self.clients[c].queue.retain(|queued| *queued != call),
            Place::Flying { token, request } => {
                let own = self.clients[c].session.as_mut().expect("a call that flies has a session");
                own.calls.remove(&token);
                own.session.abandon(own.connection, request);
                self.drain_client(c);
            }
            Place::Over => {}
        }
    }

    /// A client's process dies. Another one, of the same principal, takes its place.
    pub(super) fn kill_client(&mut self, c: usize) {
        self.note("dies", &[c as u64], &());
        self.clients[c].queue.clear();
        if let Some(link) = self.clients[c].session.take().and_then(|own| own.link) {
            self.cut(link);
        }
        for call in &mut self.model.calls {
            if call.client == c && call.outcome.is_none() {
                call.gone = true;
                call.place = Place::Over;
            }
        }
    }

    // ---- what a session tells ----

    pub(super) fn drain_client(&mut self, c: usize) {
        while let Some(own) = self.clients[c].session.as_mut()
            && let Some(output) = next_output(&mut own.session)
        {
            let number = own.number;
            self.note("client", &[c as u64, number], &output);
            let own = self.clients[c].session.as_mut().expect("as before");
            match output {
                Output::Finish { token, end } => {
                    let call = own.calls.remove(&token).expect("a call that waits");
                    own.session.reply_taken(token);
                    self.attempt_ended(c, call, end);
                }
                Output::LinkDown(_) => {
                    own.batch = Batch::default();
                    if let Some(link) = own.link.take() {
                        self.cut(link);
                    }
                }
                Output::Ended(reason) => {
                    assert!(own.calls.is_empty(), "calls are left behind");
                    let link = own.link.take();
                    self.on_ended(c, &reason);
                    if let Some(link) = link {
                        self.cut(link);
                    }
                }
                Output::Room | Output::ConnectionEnded { .. } => {}
                output => panic!("a client that only calls is told {output:?}"),
            }
        }
    }

    fn on_ended(&mut self, c: usize, reason: &EndReason) {
        match reason {
            EndReason::PeerViolation(_) | EndReason::AccusedByPeer(_) | EndReason::ClosedHere => {
                panic!("a session ended with {reason}")
            }
            EndReason::Lost(_) => self.model.event("session lost"),
            _ => {}
        }
        self.clients[c].session = None;
    }

    fn attempt_ended(&mut self, c: usize, call: usize, end: CallEnd) {
        let own = self.clients[c].session.as_mut().expect("a session");
        let intention = &self.model.intentions[self.model.calls[call].intention];
        if let CallEnd::Reply(payload) = &end
            && self.model.calls[call].auto_id
            && let Some(id) = intention.id
            && is_outcome(payload)
        {
            own.session.acknowledge_with_next(own.connection, id);
        }
        let number = own.number;
        self.model.attempt_ended(call, number, &end, self.now);
        match self.model.calls[call].attempts.ended(end, false) {
            Verdict::End(end) => self.model.ended(call, end),
            Verdict::Again { or } => {
                self.model.calls[call].or = Some(or);
                self.model.calls[call].place = Place::Queued;
                self.clients[c].queue.push(call);
            }
        }
    }

    /// How far apart clocks may be.
    pub(super) fn skew(&mut self) -> i64 {
        *self.rng.pick(&[0, 0, 0, 0, 60_000, -60_000, HOUR, -HOUR, 9 * HOUR, -23 * HOUR, -48 * HOUR])
    }
}
