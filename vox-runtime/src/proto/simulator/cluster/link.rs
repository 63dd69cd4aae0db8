//! Links: bytes each way, which may be late, cut at any byte, and belong to a session that has long had another.

use std::collections::VecDeque;

use bytes::Bytes;

use super::client::Told;
use super::world::World;
use crate::error::EndReason;
use crate::proto::{Batch, ClaimRound};

/// One link, from a client to a process.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) client: usize,
    pub(super) process: usize,
    pub(super) session: u64,
    pub(super) shake: Shake,
    /// To the server and to the client: on the way, and read but no whole frame yet.
    up: Pipe,
    down: Pipe,
    /// What is written from here on gets lost.
    pub(super) cut: bool,
}

#[derive(Debug, Default)]
pub(super) struct Pipe {
    way: VecDeque<u8>,
    read: Vec<u8>,
}

/// How far the handshake that gives a session a link has come: which message is on its way.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shake {
    Resume { received: u64, secret: u64 },
    Resumed { asked: u64, received: u64, time: Told, secret: u64, round: ClaimRound },
    Confirm { asked: u64, secret: u64, round: ClaimRound },
    Refused,
    Done,
}

impl Pipe {
    /// Bytes arrive: gives the frames that are whole.
    fn arrive(&mut self, count: usize) -> Vec<Bytes> {
        self.read.extend(self.way.drain(..count));
        let (mut frames, mut at) = (Vec::new(), 0);
        while let Some((length, rest)) = self.read[at..].split_first_chunk() {
            let length = u32::from_le_bytes(*length) as usize;
            let Some(body) = rest.get(..length) else { break };
            frames.push(Bytes::copy_from_slice(body));
            at += 4 + length;
        }
        self.read.drain(..at);
        frames
    }
}

impl Link {
    pub(super) fn new(client: usize, process: usize, session: u64, shake: Shake) -> Self {
        Self { client, process, session, shake, up: Pipe::default(), down: Pipe::default(), cut: false }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.up.way.is_empty() && self.down.way.is_empty() && matches!(self.shake, Shake::Done)
    }
}

impl World {
    pub(super) fn lost() -> EndReason {
        EndReason::LinkLost("cut".into())
    }

    /// A link breaks, somewhere in what is on its way.
    pub(super) fn cut(&mut self, id: u64) {
        let Some(link) = self.links.get_mut(&id).filter(|link| !link.cut) else { return };
        link.cut = true;
        for pipe in [&mut link.up, &mut link.down] {
            let left = self.rng.below(pipe.way.len() + 1);
            pipe.way.truncate(left);
        }
        self.note("cut", &[id], &());
    }

    /// A client loses its link, and its server does not know yet: all that is on its way still arrives.
    pub(super) fn half_open(&mut self, c: usize) {
        let Some(id) = self.clients[c].session.as_ref().and_then(|own| own.link) else { return };
        if self.links.get(&id).is_none_or(|link| link.cut || !matches!(link.shake, Shake::Confirm { .. } | Shake::Done))
        {
            return;
        }
        self.note("half open", &[id], &());
        self.write(id, true);
        if let Some(link) = self.links.get_mut(&id) {
            link.cut = true;
        }
        self.notice(id, true);
        self.ask_to_resume(c);
    }

    /// One end writes a part of what it has, or all.
    pub(super) fn write(&mut self, id: u64, up: bool) {
        let Some(link) = self.links.get(&id) else { return };
        let (c, p, number) = (link.client, link.process, link.session);
        if up && !matches!(link.shake, Shake::Confirm { .. } | Shake::Done) {
            return;
        }
        let (session, batch) = match up {
            true => match self.clients[c].session.as_mut().filter(|s| s.link == Some(id)) {
                Some(own) => (&mut own.session, &mut own.batch),
                None => return,
            },
            false => match self.processes[p].sessions.get_mut(&number).filter(|s| s.link == Some(id)) {
                Some(served) => (&mut served.session, &mut served.batch),
                None => return,
            },
        };
        session.take(batch);
        let there: usize = batch.slices().map(<[u8]>::len).sum();
        if there == 0 {
            return;
        }
        let count = if self.rng.percent(70) { there } else { 1 + self.rng.below(there) };
        let mut written = Vec::with_capacity(count);
        for slice in batch.slices() {
            let left = count - written.len();
            written.extend_from_slice(&slice[..left.min(slice.len())]);
        }
        batch.advance(count);
        session.on_written(count);
        let link = self.links.get_mut(&id).expect("a link");
        if !link.cut {
            let pipe = if up { &mut link.up } else { &mut link.down };
            pipe.way.extend(written);
        }
        self.note("writes", &[id, up.into(), count as u64], &());
        if !up {
            self.pump(p);
        }
    }

    /// The server reads what has arrived on a link, its session's or one that its session had.
    pub(super) fn server_reads(&mut self, id: u64) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let (p, number) = (link.process, link.session);
        match link.shake {
            Shake::Resume { received, secret } => return self.on_resume(id, received, secret),
            Shake::Confirm { asked, secret, round } => return self.on_confirm(id, asked, secret, round),
            Shake::Resumed { .. } | Shake::Refused => return,
            Shake::Done => {}
        }
        if link.up.way.is_empty() {
            return;
        }
        let there = link.up.way.len();
        let count = if self.rng.percent(70) { there } else { 1 + self.rng.below(there) };
        let frames = link.up.arrive(count);
        self.note("server reads", &[id, count as u64], &());
        for frame in frames {
            let now = self.now;
            let Some(served) = self.processes[p].sessions.get_mut(&number) else { return };
            if served.link != Some(id) {
                if !served.session.is_detached() {
                    // Its session has another: the reader of this one finds out before it tells the session.
                    return;
                }
                self.model.event("stale bytes");
            }
            let served = self.served(p, number);
            if let Err(violation) = served.session.handle(now, frame) {
                panic!("a violation between honest ends: {violation}");
            }
            self.pump(p);
        }
    }

    /// The client reads what has arrived on its link.
    pub(super) fn client_reads(&mut self, id: u64) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let c = link.client;
        if self.clients[c].session.as_ref().is_none_or(|own| own.link != Some(id)) {
            return;
        }
        match link.shake {
            Shake::Resumed { asked, received, time, secret, round } => {
                link.shake = Shake::Confirm { asked, secret, round };
                self.hears_time(c, time);
                return self.on_resumed(c, received, secret);
            }
            Shake::Refused => {
                self.links.remove(&id);
                return self.on_refused(c);
            }
            Shake::Resume { .. } | Shake::Confirm { .. } => return,
            Shake::Done => {}
        }
        if link.down.way.is_empty() {
            return;
        }
        let there = link.down.way.len();
        let count = if self.rng.percent(70) { there } else { 1 + self.rng.below(there) };
        let frames = link.down.arrive(count);
        self.note("client reads", &[id, count as u64], &());
        for frame in frames {
            let now = self.now;
            let Some(own) = self.clients[c].session.as_mut().filter(|own| own.link == Some(id)) else { return };
            if let Err(violation) = own.session.handle(now, frame) {
                panic!("a violation between honest ends: {violation}");
            }
            self.drain_client(c);
        }
    }

    /// An end finds out that its link is gone.
    pub(super) fn notice(&mut self, id: u64, client: bool) {
        let Some(link) = self.links.get(&id).filter(|link| link.cut) else { return };
        let (c, p, number, now) = (link.client, link.process, link.session, self.now);
        self.note("operation_events", &[id, client.into()], &());
        if client {
            let Some(own) = self.clients[c].session.as_mut().filter(|own| own.link == Some(id)) else { return };
            own.link = None;
            own.batch = Batch::default();
            own.session.link_lost(now, Self::lost());
            self.drain_client(c);
        } else {
            let Some(served) = self.processes[p].sessions.get_mut(&number) else { return };
            if served.link == Some(id) {
                served.session.link_lost(now, Self::lost());
                self.pump(p);
            }
        }
    }

    /// The server's session has no use for its link any more. What is on its way to the client still arrives.
    pub(super) fn server_lets_go(&mut self, id: u64) {
        if let Some(link) = self.links.get_mut(&id) {
            link.cut = true;
        }
    }

    /// A server writes all that it has to say, and closes the link.
    pub(super) fn last_words(&mut self, id: u64) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let Some(served) = self.processes[link.process].sessions.get_mut(&link.session) else { return };
        served.session.take(&mut served.batch);
        if !link.cut {
            served.batch.slices().for_each(|slice| link.down.way.extend(slice));
        }
        served.batch = Batch::default();
        link.cut = true;
    }

    // ---- resuming ----

    /// A client's session asks for a link.
    pub(super) fn ask_to_resume(&mut self, c: usize) {
        let Some(own) = self.clients[c].session.as_mut() else { return };
        if !own.session.is_detached() || own.link.is_some() {
            return;
        }
        self.numbers += 1;
        let id = self.numbers;
        let shake = Shake::Resume { received: own.session.received(), secret: own.secret };
        own.link = Some(id);
        self.links.insert(id, Link::new(c, own.process, own.number, shake));
        self.note("asks to resume", &[c as u64, id], &shake);
    }

    fn on_resume(&mut self, id: u64, asked: u64, secret: u64) {
        self.numbers += 1;
        let (next, now, time) = (self.numbers, self.now, self.told());
        let link = &self.links[&id];
        let (p, number) = (link.process, link.session);
        let served = self.processes[p].sessions.get_mut(&number).filter(|served| served.session.end_reason().is_none());
        let claimed = served.and_then(|served| Some((served.secrets.claim(secret, next)?, served)));
        let answer = match claimed {
            Some((round, served)) => {
                assert!(!served.spent.contains(&secret), "session {number} is resumed with a secret that is spent");
                served.sent.push(next);
                served.session.link_lost(now, Self::lost());
                match served.session.continues_from(asked) {
                    true => {
                        let received = served.session.received();
                        Shake::Resumed { asked, received, time, secret: next, round }
                    }
                    false => Shake::Refused,
                }
            }
            None => Shake::Refused,
        };
        self.note("is asked to resume", &[id], &answer);
        if let Some(link) = self.links.get_mut(&id) {
            link.shake = answer;
        }
        self.pump(p);
    }

    fn on_resumed(&mut self, c: usize, received: u64, secret: u64) {
        self.note("is resumed", &[c as u64, received], &());
        let now = self.now;
        let own = self.clients[c].session.as_mut().expect("a session");
        own.secret = secret;
        own.session.resume(now, received).expect("the server says what it has");
        self.drain_client(c);
    }

    fn on_refused(&mut self, c: usize) {
        self.note("is refused", &[c as u64], &());
        self.model.event("resume refused");
        let own = self.clients[c].session.as_mut().expect("a session");
        let served = self.processes[own.process].sessions.get(&own.number);
        let is_there = served.is_some_and(|served| served.session.end_reason().is_none());
        assert!(!is_there, "session {} is refused to its own client", own.number);
        own.link = None;
        own.session.lost("the server does not know it");
        self.drain_client(c);
    }

    fn on_confirm(&mut self, id: u64, asked: u64, secret: u64, round: ClaimRound) {
        let now = self.now;
        let link = self.links.get_mut(&id).expect("a link");
        let (p, number) = (link.process, link.session);
        let served = self.processes[p].sessions.get_mut(&number);
        let served = served.filter(|s| s.session.end_reason().is_none() && s.session.is_detached());
        let Some(served) = served.and_then(|served| served.secrets.confirm(secret, round).then_some(served)) else {
            link.cut = true;
            link.shake = Shake::Done;
            link.up = Pipe::default();
            return self.note("confirms too late", &[id], &());
        };
        link.shake = Shake::Done;
        served.link = Some(id);
        served.spent = served.sent.iter().copied().filter(|sent| *sent != secret).collect();
        served.session.resume(now, asked).expect("the client says what it has");
        self.model.event("resumed");
        self.note("is confirmed", &[id], &());
        self.pump(p);
    }
}
