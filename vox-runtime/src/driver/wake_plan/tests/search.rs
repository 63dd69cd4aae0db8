//! All states that a session can reach, as far as wakes go: its task, one more who writes, the link, and what others ask for.

use std::collections::{HashMap, HashSet};

use super::table::cells;
use super::*;

/// Where the task is in its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Turn {
    Asleep,
    Begun,
    /// It has read.
    Read,
    Writes(Write),
    /// It has written.
    Ends,
    /// It takes up another link.
    Follows,
    /// vox has panicked: the end of this search.
    Over,
}

/// What was taken is being written, without the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Write {
    link: u64,
    by_task: bool,
    outcome: Option<Outcome>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Outcome {
    All,
    Some,
    Nothing,
    Error,
}

/// What is around the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Around {
    /// The task was woken, and has not had its turn since.
    is_woken: bool,
    turn: Turn,
    /// Who writes beside the task.
    other: Option<Write>,
    has_output: bool,
    /// The link would take something.
    takes: bool,
    /// The link wakes the task once it takes something.
    tells: bool,
    link: u64,
    has_next: bool,
    has_link: bool,
    /// When something falls due, but for a link that takes nothing.
    due: Option<u64>,
    /// What the task's timer is really set to.
    sleep: Option<u64>,
    is_elapsed: bool,
    /// What was read can be kept.
    has_memory: bool,
}

struct World {
    plan: WakePlan,
    around: Around,
}

/// Which events were seen in which states. The keys are where their names are.
type Seen = HashMap<(usize, [usize; 6]), (&'static str, [(&'static str, &'static str); 6])>;

impl World {
    fn new() -> Self {
        let around = Around {
            is_woken: true,
            turn: Turn::Asleep,
            other: None,
            has_output: false,
            takes: true,
            tells: false,
            link: 0,
            has_next: false,
            has_link: true,
            due: None,
            sleep: None,
            is_elapsed: false,
            has_memory: true,
        };
        Self { plan: new(), around }
    }

    fn copy(&self) -> Self {
        let WakePlan { is_awake, timer, known_link, writing, stalled, is_held_off, is_full, is_laden, .. } = self.plan;
        let (task, error) = (self.plan.task.clone(), self.plan.error.as_ref().map(|_| error()));
        let plan =
            WakePlan { task, is_awake, timer, known_link, writing, stalled, error, is_held_off, is_full, is_laden };
        Self { plan, around: self.around }
    }

    fn key(&self) -> impl Eq + std::hash::Hash + use<> {
        let WakePlan { is_awake, timer, known_link, writing, stalled, is_held_off, .. } = self.plan;
        (self.around, is_awake, timer, known_link, writing as u8, stalled, is_held_off)
    }

    fn event(&mut self, seen: &mut Seen, event: &'static str) -> Effect {
        self.note(seen, event);
        apply(&mut self.plan, event).1
    }

    fn note(&self, seen: &mut Seen, event: &'static str) {
        let states = states(&self.plan);
        let place = |text: &str| text.as_ptr() as usize;
        seen.entry((place(event), states.map(|(_, state)| place(state)))).or_insert((event, states));
    }

    /// The state was changed, as every change of it ends that writes nothing itself.
    fn change(&mut self, seen: &mut Seen) {
        let Around { link, due, .. } = self.around;
        let has_work = self.may_write() || self.may_read_on();
        let is_sooner = due.is_some_and(|due| self.plan.timer.is_none_or(|timer| at(due) < timer));
        let reasons = [
            ("on_change: the session has work", has_work),
            ("on_change: due before the timer", is_sooner),
            ("on_change: another link", link != self.plan.known_link),
            ("on_change: the link has failed", self.plan.has_failed()),
            ("on_change: the link is unwatched", self.plan.is_unwatched()),
        ];
        for (reason, _) in reasons.iter().filter(|(_, is_one)| *is_one) {
            self.note(seen, reason);
        }
        let any = reasons.iter().any(|(_, is_one)| *is_one);
        if !any {
            self.note(seen, "on_change: nothing to do");
        }
        let was_awake = self.plan.is_awake;
        let woken = self.plan.on_change(link, due.map(at), has_work).is_some();
        assert_eq!(woken, any && !was_awake);
        self.around.is_woken |= woken;
    }

    fn may_write(&self) -> bool {
        self.plan.is_idle() && self.around.has_output
    }

    fn may_read_on(&self) -> bool {
        self.plan.is_held_off && self.around.has_memory
    }

    fn begin_write(&mut self, seen: &mut Seen, by_task: bool) -> Write {
        self.event(seen, "on_write");
        self.around.has_output = false;
        Write { link: self.around.link, by_task, outcome: None }
    }

    /// The link is asked to take what was taken. It may do so, or not, or fail.
    fn writes(&self, write: Write, put: impl Fn(&mut Around, Write)) -> Vec<Self> {
        let link = self.around.takes && write.link == self.around.link;
        let outcomes: &[Outcome] =
            if link { &[Outcome::All, Outcome::Error] } else { &[Outcome::Some, Outcome::Nothing, Outcome::Error] };
        let with = |outcome: &Outcome| {
            let mut next = self.copy();
            if matches!(outcome, Outcome::Some | Outcome::Nothing) && write.link == next.around.link {
                next.around.tells = true;
            }
            put(&mut next.around, Write { outcome: Some(*outcome), ..write });
            next
        };
        outcomes.iter().map(with).collect()
    }

    /// The result of a write is taken up. Gives the next one, if the one who wrote goes on.
    fn end_write(&mut self, seen: &mut Seen, write: Write, goes_on: bool) -> Option<Write> {
        if write.link != self.around.link {
            return None;
        }
        let outcome = write.outcome.expect("it has written");
        if outcome != Outcome::Nothing {
            self.event(seen, "on_taken");
        }
        match outcome {
            Outcome::All if write.by_task && self.around.has_output && goes_on => {
                return Some(self.begin_write(seen, true));
            }
            Outcome::All => self.event(seen, "on_written"),
            Outcome::Some | Outcome::Nothing if write.by_task => self.event(seen, "on_full: the task wrote"),
            Outcome::Some | Outcome::Nothing => self.event(seen, "on_full: another wrote"),
            Outcome::Error => self.event(seen, "on_failed"),
        };
        None
    }

    fn lose_link(&mut self, seen: &mut Seen) {
        self.around.link += 1;
        (self.around.has_link, self.around.has_next, self.around.tells) = (false, false, false);
        // What another writes to it counts for nothing. It ends by a change, as any may at any time.
        self.around.other = None;
        self.event(seen, "on_link_down");
    }

    /// The next step of the task.
    fn task(&self, seen: &mut Seen) -> Vec<Self> {
        let mut next = self.copy();
        match self.around.turn {
            Turn::Asleep if self.around.is_woken => {
                next.around.is_woken = false;
                next.around.turn = Turn::Begun;
            }
            Turn::Asleep | Turn::Over => return Vec::new(),
            Turn::Begun => {
                next.event(seen, "on_turn");
                next.event(seen, "on_read");
                next.around.turn = Turn::Read;
                let (mut without, mut held_off) = (self.copy(), next.copy());
                without.around.turn = Turn::Read;
                held_off.event(seen, "on_held_off");
                held_off.around.has_memory = false;
                return vec![next, without, held_off];
            }
            Turn::Read => {
                next.event(seen, "on_turn");
                // What there is may be an acknowledgement alone, which is put off.
                let mut puts_off = next.copy();
                puts_off.around.turn = Turn::Ends;
                next.around.turn = match next.may_write() || next.plan.is_blocked() {
                    true => Turn::Writes(next.begin_write(seen, true)),
                    false => Turn::Ends,
                };
                if self.may_write() {
                    return vec![next, puts_off];
                }
            }
            Turn::Writes(write) if write.outcome.is_none() => {
                return self.writes(write, |around, write| around.turn = Turn::Writes(write));
            }
            Turn::Writes(write) => {
                let mut stops = self.copy();
                for (world, goes_on) in [(&mut next, true), (&mut stops, false)] {
                    world.around.turn = world.end_write(seen, write, goes_on).map_or(Turn::Ends, Turn::Writes);
                }
                return vec![next, stops];
            }
            Turn::Ends => return self.end_turn(seen),
            Turn::Follows => {
                if self.around.link == self.plan.known_link {
                    next.event(seen, "on_link_up");
                    next.around.takes = true;
                    next.change(seen);
                }
                (next.around.turn, next.around.is_woken) = (Turn::Asleep, true);
            }
        }
        vec![next]
    }

    fn end_turn(&self, seen: &mut Seen) -> Vec<Self> {
        let mut next = self.copy();
        if self.around.link != self.plan.known_link {
            next.plan.on_link(self.around.link);
            match std::mem::take(&mut next.around.has_next) {
                true => next.around.turn = Turn::Follows,
                false => (next.around.turn, next.around.is_woken) = (Turn::Asleep, true),
            }
            return vec![next];
        }
        let timer = self.plan.timer;
        let fired = match self.around.is_elapsed {
            true => next.event(seen, "on_timer: elapsed"),
            false => next.event(seen, "on_timer: not yet"),
        };
        if fired == "fires" {
            (next.around.sleep, next.around.is_elapsed) = (None, false);
        }
        if fired == "fires" || self.plan.has_failed() {
            let mut is_lost = !next.event(seen, "take_error").is_empty();
            if fired == "fires" && next.plan.stalled.is_some() && timer == Some(at(LATE)) {
                next.event(seen, "on_stall_due");
                is_lost = true;
            }
            if is_lost && next.around.has_link {
                next.lose_link(seen);
            }
            if fired == "fires" && next.around.due.is_some_and(|due| Some(at(due)) <= timer) {
                next.around.due = None;
            }
            next.change(seen);
            next.around.turn = Turn::Read;
            return vec![next];
        }
        if self.may_read_on() {
            next.around.turn = Turn::Begun;
            return vec![next];
        }
        next.around.turn = Turn::Read;
        if self.may_write() {
            let mut puts_off = next.copy();
            (puts_off.around.turn, puts_off.around.is_woken) = (Turn::Asleep, true);
            return vec![next, puts_off];
        }
        let event = if self.plan.is_unwatched() { "on_turn_end: the link is unwatched" } else { "on_turn_end" };
        next.event(seen, event);
        if next.plan.is_awake {
            return vec![next];
        }
        let stall_due = next.plan.stalled.map(|_| LATE);
        let due = [next.around.due, stall_due].into_iter().flatten().min();
        let event = due.map(|due| if due == SOON { "on_due: soon" } else { "on_due: late" });
        let sets = event.map(|event| next.event(seen, event)) == Some("sets it");
        let mut goes_on = next.copy();
        if sets {
            (next.around.sleep, next.around.is_elapsed) = (due, false);
            // It was due by the time that the timer was set.
            (goes_on.around.sleep, goes_on.around.is_elapsed) = (due, true);
            goes_on.event(seen, "on_turn");
        }
        next.around.turn = Turn::Asleep;
        if sets { vec![next, goes_on] } else { vec![next] }
    }

    /// What others do.
    fn others(&self, seen: &mut Seen) -> Vec<Self> {
        if self.around.turn == Turn::Over {
            return Vec::new();
        }
        let mut all = Vec::new();
        let mut add = |step: &mut dyn FnMut(&mut Self)| {
            let mut next = self.copy();
            step(&mut next);
            all.push(next);
        };
        add(&mut |next| next.change(seen));
        add(&mut |next| {
            next.around.has_output = true;
            next.change(seen);
        });
        if self.plan.is_idle() {
            add(&mut |next| next.around.other = Some(next.begin_write(seen, false)));
        }
        for due in [SOON, LATE] {
            add(&mut |next| {
                next.around.due = Some(due);
                next.change(seen);
            });
        }
        add(&mut |next| {
            next.around.has_memory = true;
            next.change(seen);
        });
        add(&mut |next| next.around.is_woken |= next.event(seen, "on_missed") == "wakes the task");
        if self.around.sleep.is_some() {
            add(&mut |next| (next.around.is_elapsed, next.around.is_woken) = (true, true));
        }
        add(&mut |next| {
            next.around.takes = !next.around.takes;
            if next.around.takes {
                next.around.is_woken |= std::mem::take(&mut next.around.tells);
            }
        });
        if self.around.has_link && self.around.link < 2 {
            add(&mut |next| {
                next.lose_link(seen);
                next.change(seen);
            });
        }
        if !self.around.has_link && self.around.link < 2 {
            add(&mut |next| {
                next.around.link += 1;
                (next.around.has_link, next.around.has_next) = (true, true);
                next.change(seen);
            });
        }
        if let Some(write) = self.around.other {
            if write.outcome.is_none() {
                all.extend(self.writes(write, |around, write| around.other = Some(write)));
            } else {
                let mut next = self.copy();
                next.around.other = None;
                next.end_write(seen, write, false);
                match write.by_task {
                    true => next.around.is_woken = true,
                    false => next.change(seen),
                }
                all.push(next);
            }
        }
        all.extend(self.charge(seen));
        all.extend(self.fault(seen));
        all
    }

    /// Another task takes charge. The one before may be about to write.
    fn charge(&self, seen: &mut Seen) -> Option<Self> {
        let mut next = self.copy();
        match self.around.turn {
            Turn::Writes(write) if write.link == self.around.link => next.around.other = Some(write),
            // It takes the link up first, or finds that it is not the one in charge.
            Turn::Follows | Turn::Over => return None,
            _ => {}
        }
        next.event(seen, "on_charge");
        // It has a timer of its own.
        (next.around.turn, next.around.sleep, next.around.is_elapsed) = (Turn::Begun, None, false);
        Some(next)
    }

    fn fault(&self, seen: &mut Seen) -> Option<Self> {
        let mut next = self.copy();
        let event = if self.plan.is_idle() { "on_fault: between frames" } else { "on_fault: within a frame" };
        assert_eq!(next.event(seen, event), "wakes the task");
        (next.around.turn, next.around.is_woken) = (Turn::Over, true);
        Some(next)
    }

    /// What does not matter just now is the same in all states.
    fn forget(&mut self) {
        self.around.has_memory |= !self.plan.is_held_off;
        self.around.tells &= !self.plan.has_stopped();
    }

    /// What holds in every state.
    fn check(&self) -> Result<(), &'static str> {
        let Self { plan, around } = self;
        let holds = |holds: bool, what| if holds { Ok(()) } else { Err(what) };
        holds(
            plan.error.is_some() == (plan.writing == Writing::Failed),
            "the link's error is there once it has failed",
        )?;
        let may_stall = matches!(plan.writing, Writing::Busy | Writing::Blocked | Writing::Unwatched);
        holds(plan.stalled.is_none() || may_stall, "only a link that is written to can be stalled")?;
        let is_resting = around.turn == Turn::Asleep && !around.is_woken;
        holds(!(plan.is_awake && is_resting), "the task counts as awake, and nobody has woken it")?;
        if !is_resting || around.other.is_some() {
            return Ok(());
        }
        holds(!self.may_write(), "something is to be written, and the task sleeps")?;
        holds(!self.may_read_on(), "something is to be read, and the task sleeps")?;
        holds(around.link == plan.known_link, "the link is another, and the task sleeps")?;
        holds(!plan.has_failed(), "the link has failed, and the task sleeps")?;
        holds(plan.writing != Writing::Busy, "nobody writes, and the task waits for that")?;
        let is_told = around.tells && !around.takes;
        holds(!plan.is_blocked() || is_told, "the link is full, and nobody tells the task when it is not")?;
        let fires_by = |due: u64| around.sleep.is_some_and(|sleep| sleep <= due);
        holds(around.due.is_none_or(fires_by), "something falls due, and the timer is later")?;
        holds(plan.stalled.is_none() || fires_by(LATE), "the link is stalled, and there is no timer for it")
    }
}

/// Every state that can be reached, and the cells seen on the way.
fn search() -> (usize, Seen) {
    let (mut seen, mut known) = (Seen::new(), HashSet::new());
    let first = World::new();
    known.insert(first.key());
    let mut pending = vec![first];
    while let Some(world) = pending.pop() {
        if let Err(what) = world.check() {
            panic!("{what}: {:?} {:?}", states(&world.plan), world.around);
        }
        for mut next in world.task(&mut seen).into_iter().chain(world.others(&mut seen)) {
            next.forget();
            if known.insert(next.key()) {
                pending.push(next);
            }
        }
    }
    (known.len(), seen)
}

#[test]
fn in_no_state_that_can_be_reached_does_the_task_sleep_on_something_to_do() {
    let (count, seen) = search();
    assert!(count > 10_000, "{count} states were reached");

    let mut reached = HashSet::new();
    for (event, states) in seen.into_values() {
        for (table, state) in states {
            reached.extend([event, event.split(':').next().unwrap_or(event)].map(|name| (table, name, state)));
        }
    }
    for ((table, event, state), to) in &cells() {
        // Senders wait, and get room, at any time.
        let is_seen = table == "senders" || reached.contains(&(table.as_str(), event.as_str(), state.as_str()));
        assert_eq!(is_seen, to.is_some(), "{table}: `{event}` in {state} is reached, or the table says so");
    }
}
