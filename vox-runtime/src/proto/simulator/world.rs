//! The script of a run. Its actions, and what is checked of each, are in the files below, by what they are about.

mod calls;
mod frames;
mod items;
mod outputs;
mod rest;
mod time;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::super::Token;
use super::super::testing::{Pot, SERVICE, epoch};
use super::Rng;
use super::end::{End, Half, small_limits};
use super::link::Link;
use super::model::{CallModel, ChannelModel};
use crate::ids::{ConnectionId, Role};
use crate::wire::{PART, WHOLE};

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

    /// From here on channels may be lost.
    pub(super) fn lose(&mut self, connection: Option<ConnectionId>) {
        self.lost.insert(connection);
        for channel in &mut self.channels {
            channel.lost |= connection.is_none_or(|connection| self.calls[channel.call].connection == connection);
        }
    }

    pub(super) fn drain(&mut self, e: usize) {
        loop {
            while let Some(output) = self.ends[e].session.poll_output() {
                assert_eq!(self.ends[e].ended, None, "{output:?} after the end");
                self.on_output(e, output);
            }
            if !self.ends[e].session.is_behind() {
                break;
            }
            if self.rng.percent(50) {
                self.meanwhile(e);
            }
            self.ends[e].session.go_on();
        }
        let end = &self.ends[e];
        assert_eq!(end.session.handlers_running(), end.handlers.len(), "handlers are miscounted");
    }

    /// What this end's user may do while not all has ended that is to end: a handler ends by itself, or a half of a channel is let go of.
    fn meanwhile(&mut self, e: usize) {
        self.ends[e].session.check_memory();
        let handlers: Vec<_> = self.ends[e].handlers.keys().copied().collect();
        if self.rng.percent(50) && !handlers.is_empty() {
            let key = *self.rng.pick(&handlers);
            return self.end_handler(e, key);
        }
        match self.rng.below(2) {
            0 => self.consume(e),
            _ => self.end_half(e, false),
        }
    }

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
