//! The script: what may happen next, and how everything ends.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::super::super::testing::epoch;
use super::super::Rng;
use super::client::Client;
use super::link::Link;
use super::model::Model;
use super::server::{Process, Served, Where};
use super::store::{Disk, Wall};
use crate::operation::Principal;

/// All processes, clients, links and the store.
pub(super) struct World {
    pub(super) rng: Rng,
    pub(super) now: Instant,
    pub(super) wall: Wall,
    /// How often somebody has set the clock.
    pub(super) jumped: u64,
    pub(super) epoch_millis: u64,
    pub(super) disk: Disk,
    /// The store's answers are there at once, where they can be.
    pub(super) prompt: bool,
    /// How often the store fails to do one thing, and to commit, in a hundred times.
    pub(super) store_failures: u64,
    pub(super) commit_failures: u64,
    /// Things go wrong.
    pub(super) chaos: bool,
    /// Nobody connects any more.
    pub(super) closing: bool,
    pub(super) processes: Vec<Process>,
    pub(super) clients: Vec<Client>,
    pub(super) links: BTreeMap<u64, Link>,
    pub(super) model: Model,
    /// Every session, link, token and secret has another number.
    pub(super) numbers: u64,
    /// How likely cuts and kills are, in ten thousand steps.
    cuts: u64,
    kills: u64,
    /// How likely it is that the clock is set, where it may be, in a hundred.
    jumps: u64,
    trace: u64,
    log: bool,
}

const DAY: u64 = 86_400_000;

impl World {
    pub(super) fn new(seed: u64, log: bool) -> Self {
        let mut rng = Rng(seed);
        let epoch_millis = 1_700_000_000_000;
        let wall: Wall = Arc::new(AtomicU64::new(epoch_millis));
        let disk = Disk::new(&mut rng, &wall);
        let processes = (0..1 + rng.below(2)).map(|_| Process { alive: true, ..Process::default() }).collect();
        let mut world = Self {
            prompt: rng.percent(20),
            store_failures: *rng.pick(&[0, 2, 10]),
            commit_failures: *rng.pick(&[0, 0, 10, 40]),
            cuts: *rng.pick(&[0, 100, 400, 1_500]),
            kills: *rng.pick(&[0, 30, 150]),
            jumps: *rng.pick(&[0, 5, 70]),
            rng,
            now: epoch(),
            wall,
            jumped: 0,
            epoch_millis,
            disk,
            chaos: true,
            closing: false,
            processes,
            clients: Vec::new(),
            links: BTreeMap::new(),
            model: Model::default(),
            numbers: 0,
            trace: 0xcbf2_9ce4_8422_2325,
            log,
        };
        for _ in 0..1 + world.rng.below(3) {
            let principal = Principal::new(*world.rng.pick(&["a", "a", "b"]));
            let skew = world.skew();
            world.clients.push(Client { principal, skew, clock: None, session: None, queue: Vec::new() });
        }
        world
    }

    /// Runs the script, then lets everything come to its end. Gives the trace, and what happened.
    pub(super) fn run(mut self) -> (u64, BTreeMap<&'static str, u64>) {
        for _ in 0..30 + self.rng.below(250) {
            self.step();
        }
        self.chaos = false;
        self.settle();
        self.tear_down();
        (self.trace, self.model.events)
    }

    pub(super) fn note(&mut self, what: &'static str, numbers: &[u64], more: &dyn Debug) {
        let mut mix = |value: u64| self.trace = (self.trace ^ value).wrapping_mul(0x0100_0000_01b3);
        mix(what.len() as u64 + u64::from(what.as_bytes()[0]) * 256);
        numbers.iter().for_each(|number| mix(*number));
        if self.log {
            println!("{what} {numbers:?} {more:?}");
        }
    }

    pub(super) fn wall_millis(&self) -> u64 {
        self.wall.load(Ordering::Relaxed)
    }

    fn step(&mut self) {
        let (c, p) = (self.rng.below(self.clients.len()), self.rng.below(self.processes.len()));
        let chance = self.rng.next() % 10_000;
        if chance < self.cuts {
            let links: Vec<u64> = self.links.iter().filter(|(_, link)| !link.cut).map(|(id, _)| *id).collect();
            if !links.is_empty() {
                let id = *self.rng.pick(&links);
                self.cut(id);
            }
            return;
        }
        if chance < self.cuts + self.kills {
            return match self.rng.below(4) {
                0 => self.kill_client(c),
                _ => self.kill(p),
            };
        }
        match self.rng.below(100) {
            0..10 => self.new_call(c),
            10..13 => self.abandon_some(),
            13..16 => self.connect(c),
            16..22 => self.ask_to_resume(c),
            22..30 => self.send(c),
            30..62 => self.link_step(),
            62..70 => self.host_some(p),
            70..77 => self.handler_step(p),
            77..85 => self.store_step(p),
            85 if self.kills > 0 => self.kill_in_a_write(),
            86..92 => self.hear(p),
            92..95 => self.pass_time(),
            95 => self.half_open(c),
            96 if self.rng.percent(self.jumps) => self.jump(),
            97 if self.rng.percent(20) => self.goodbye(p),
            98 | 99 => self.restart(p),
            _ => {}
        }
    }

    fn link_step(&mut self) {
        if self.links.is_empty() {
            return;
        }
        let ids: Vec<u64> = self.links.keys().copied().collect();
        let id = *self.rng.pick(&ids);
        match self.rng.below(10) {
            0..3 => self.write(id, true),
            3..5 => self.write(id, false),
            5..7 => self.server_reads(id),
            7..9 => self.client_reads(id),
            _ => {
                let client = self.rng.percent(60);
                self.notice(id, client);
            }
        }
    }

    fn abandon_some(&mut self) {
        let waiting: Vec<usize> = (0..self.model.calls.len())
            .filter(|call| !self.model.calls[*call].gone && self.model.calls[*call].outcome.is_none())
            .collect();
        if !waiting.is_empty() {
            let call = *self.rng.pick(&waiting);
            self.abandon(call);
        }
    }

    fn host_some(&mut self, p: usize) {
        let sessions: Vec<u64> =
            self.processes[p].sessions.iter().filter(|(_, s)| !s.requests.is_empty()).map(|(n, _)| *n).collect();
        if !sessions.is_empty() {
            let session = *self.rng.pick(&sessions);
            self.host(p, session);
        }
    }

    // ---- processes ----

    pub(super) fn kill(&mut self, p: usize) {
        if !self.processes[p].alive {
            return;
        }
        self.note("kill", &[p as u64], &());
        self.model.event("killed");
        self.crash_store(p);
        for handler in &self.processes[p].handlers {
            if let Some(execution) = handler.execution {
                self.model.stopped(execution);
            }
        }
        for operation in self.model.operations.values_mut() {
            operation.stuck = operation.stuck.filter(|process| *process != p);
        }
        self.processes[p] = Process::default();
        let links: Vec<u64> = self.links.iter().filter(|(_, link)| link.process == p).map(|(id, _)| *id).collect();
        for id in links {
            self.cut(id);
        }
    }

    /// A process dies between a write and its sync.
    fn kill_in_a_write(&mut self) {
        let writes = |p: &usize| {
            let writer = &self.processes[*p].writer;
            !writer.queue.is_empty() || writer.group.is_some()
        };
        let writing: Vec<usize> = (0..self.processes.len()).filter(writes).collect();
        if writing.is_empty() {
            return;
        }
        let p = *self.rng.pick(&writing);
        if self.processes[p].writer.group.is_none() {
            self.store_step(p);
        }
        if self.processes[p].writer.group.is_some() {
            self.kill(p);
        }
    }

    fn restart(&mut self, p: usize) {
        if self.processes[p].alive && self.processes[p].writer.poisoned && self.rng.percent(50) {
            self.kill(p);
        }
        if !self.processes[p].alive {
            self.note("restart", &[p as u64], &());
            self.processes[p].alive = true;
        }
    }

    /// A server says goodbye to a session.
    fn goodbye(&mut self, p: usize) {
        let sessions: Vec<u64> = self.processes[p].sessions.keys().copied().collect();
        if sessions.is_empty() {
            return;
        }
        let number = *self.rng.pick(&sessions);
        self.note("goodbye", &[p as u64, number], &());
        let link = self.served(p, number).link;
        self.served(p, number).session.goodbye("enough");
        if let Some(link) = link {
            self.last_words(link);
        }
        self.pump(p);
    }

    // ---- time ----

    fn pass_time(&mut self) {
        let soon = Duration::from_micros(1 + self.rng.below(5_000) as u64);
        let next = self.next_timeout().filter(|_| self.rng.percent(20));
        let before = self.now;
        self.now = next.map_or(before + soon, |at| at.max(before));
        self.wall.fetch_add((self.now - before).as_millis() as u64, Ordering::Relaxed);
        self.time_out();
    }

    fn next_timeout(&self) -> Option<Instant> {
        let ours = self.clients.iter().filter_map(|client| client.session.as_ref()?.session.poll_timeout());
        let theirs = self.processes.iter().flat_map(|process| process.sessions.values());
        ours.chain(theirs.filter_map(|served| served.session.poll_timeout())).min()
    }

    fn time_out(&mut self) {
        let now = self.now;
        self.note("time", &[], &());
        for c in 0..self.clients.len() {
            if let Some(own) = &mut self.clients[c].session {
                own.session.handle_timeout(now);
                self.drain_client(c);
            }
            let due = |call: &usize| self.model.calls[*call].deadline.is_some_and(|deadline| deadline <= now);
            let (late, queue) = std::mem::take(&mut self.clients[c].queue).into_iter().partition(due);
            self.clients[c].queue = queue;
            let late: Vec<usize> = late;
            late.into_iter().for_each(|call| self.out_of_time(call));
        }
        for p in 0..self.processes.len() {
            for served in self.processes[p].sessions.values_mut() {
                served.session.handle_timeout(now);
            }
            self.pump(p);
        }
    }

    /// Somebody sets the clock.
    fn jump(&mut self) {
        self.model.event("clock jumps");
        let to = match self.rng.below(6) {
            0 | 1 => self.epoch_millis + DAY + DAY / 24,
            2 => self.epoch_millis + DAY / 2,
            3 => self.epoch_millis - DAY / 4,
            _ => self.epoch_millis + 1_000,
        };
        self.note("jump", &[to], &());
        self.jumped += 1;
        self.wall.store(to, Ordering::Relaxed);
    }

    // ---- the end ----

    /// Nothing goes wrong any more: everything that was begun ends.
    fn settle(&mut self) {
        for p in 0..self.processes.len() {
            if self.processes[p].writer.poisoned {
                self.kill(p);
            }
            self.processes[p].alive = true;
        }
        for round in 0.. {
            if self.is_settled() {
                return;
            }
            assert!(round < 2_000, "it never ends: {:?}", self.unsettled());
            if round > 200 {
                self.lose_patience();
            }
            if round % 8 == 7 {
                self.now += Duration::from_millis(1);
                self.time_out();
            }
            self.settle_once();
        }
    }

    fn settle_once(&mut self) {
        for c in 0..self.clients.len() {
            self.connect(c);
            if let Some(link) = self.clients[c].session.as_ref().and_then(|own| own.link)
                && self.links.get(&link).is_none_or(|link| link.cut && link.is_empty())
            {
                self.notice(link, true);
            }
            self.ask_to_resume(c);
            self.send(c);
        }
        let ids: Vec<u64> = self.links.keys().copied().collect();
        for id in ids {
            self.write(id, true);
            self.server_reads(id);
            self.write(id, false);
            self.client_reads(id);
            self.notice(id, false);
        }
        self.forget_links();
        for p in 0..self.processes.len() {
            self.host_some(p);
            self.handler_step(p);
            self.store_step(p);
            self.store_step(p);
            self.hear(p);
        }
    }

    /// Callers of what the store believes to run for ever give up in the end.
    fn lose_patience(&mut self) {
        for call in 0..self.model.calls.len() {
            let key = self.model.intentions[self.model.calls[call].intention].key();
            if key.and_then(|key| self.model.operations.get(&key)).is_some_and(|operation| operation.stuck.is_some()) {
                self.abandon(call);
            }
        }
    }

    /// Links that neither end has and that nothing is on.
    fn forget_links(&mut self) {
        let Self { links, clients, processes, .. } = self;
        links.retain(|id, link| {
            let ours = clients[link.client].session.as_ref().is_some_and(|own| own.link == Some(*id));
            let theirs = processes[link.process].sessions.get(&link.session).is_some_and(|s| s.link == Some(*id));
            ours || theirs
        });
    }

    fn unsettled(&self) -> Vec<usize> {
        let calls = self.model.calls.iter().enumerate();
        calls.filter(|(_, call)| call.outcome.is_none() && !call.gone).map(|(call, _)| call).collect()
    }

    fn is_settled(&self) -> bool {
        // Without a link a full outbox stays so, and until the session has ended nothing is taken up.
        let waits = |served: &Served| served.session.outbox_is_full() && served.session.end_reason().is_none();
        let is_quiet = |served: &Served| (served.requests.is_empty() || waits(served)) && !served.session.has_output();
        let quiet = |process: &Process| {
            let writer = &process.writer;
            let store = writer.queue.is_empty() && writer.group.is_none() && writer.heard.is_empty();
            store && process.handlers.is_empty() && process.sessions.values().all(is_quiet)
        };
        self.unsettled().is_empty() && self.processes.iter().all(quiet)
    }

    /// All sessions end. Nothing is left of anything.
    fn tear_down(&mut self) {
        self.closing = true;
        for c in 0..self.clients.len() {
            self.kill_client(c);
        }
        let ids: Vec<u64> = self.links.keys().copied().collect();
        for id in ids {
            self.cut(id);
            self.notice(id, false);
        }
        // A session that is resumed waits for its window.
        self.now += Duration::from_secs(1_000);
        self.time_out();
        for _ in 0..10_000 {
            if self.is_settled() {
                break;
            }
            self.settle_once();
        }
        for p in 0..self.processes.len() {
            self.pump(p);
            self.check_empty(p);
        }
    }

    fn check_empty(&mut self, p: usize) {
        let sessions: Vec<u64> = self.processes[p].sessions.keys().copied().collect();
        for place in sessions.iter().map(|session| Where::Session(*session)).chain([Where::Process]) {
            let table = self.table(p, place);
            assert_eq!(table.operations.len(), 0, "operations are left at {place:?}");
            assert!(table.attempts.is_empty(), "attempts are left at {place:?}");
        }
        for (number, served) in &mut self.processes[p].sessions {
            assert!(served.session.end_reason().is_some(), "session {number} never ends");
            assert_eq!(served.session.handlers_running(), 0, "handlers of session {number} are miscounted");
            assert_eq!(served.session.outbox().kept(), 0, "session {number} keeps what nobody will read");
        }
    }
}
