mod search;
mod table;

use std::sync::{Arc, OnceLock};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use super::{WakePlan, Writing};

/// What a method returned, as a cell of a table says it.
type Effect = &'static str;

struct Named;

impl Wake for Named {
    fn wake(self: Arc<Self>) {}
}

/// The wakers of two tasks that one after the other have charge of the session.
fn tasks() -> &'static [Waker; 2] {
    static TASKS: OnceLock<[Waker; 2]> = OnceLock::new();
    TASKS.get_or_init(|| [Waker::from(Arc::new(Named)), Waker::from(Arc::new(Named))])
}

/// A time, in seconds.
fn at(seconds: u64) -> Instant {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    *BEGAN.get_or_init(Instant::now) + Duration::from_secs(seconds)
}

const SOON: u64 = 1;
const LATE: u64 = 2;

fn error() -> std::io::Error {
    std::io::Error::other("the link failed")
}

/// The state of each table.
fn states(plan: &WakePlan) -> [(&'static str, &'static str); 6] {
    let timer = match plan.timer {
        None => "Unset",
        Some(timer) if timer == at(SOON) => "Soon",
        Some(_) => "Late",
    };
    let writing = match plan.writing {
        Writing::Idle => "Idle",
        Writing::Busy => "Busy",
        Writing::Blocked => "Blocked",
        Writing::Unwatched => "Unwatched",
        Writing::Failed => "Failed",
        Writing::Broken => "Broken",
    };
    let senders = match (plan.is_full, plan.is_laden) {
        (false, false) => "None",
        (true, false) => "Full",
        (false, true) => "Laden",
        (true, true) => "Both",
    };
    [
        ("task", if plan.is_awake { "Awake" } else { "Asleep" }),
        ("timer", timer),
        ("writing", writing),
        ("stalled", if plan.stalled.is_some() { "Since" } else { "No" }),
        ("reading", if plan.is_held_off { "HeldOff" } else { "On" }),
        ("senders", senders),
    ]
}

/// Does what a row of a table names. Gives the table that its effect is told in, and the effect.
fn apply(plan: &mut WakePlan, event: &str) -> (&'static str, Effect) {
    let change = |plan: &mut WakePlan, link: u64, due: Option<u64>, has_work: bool| {
        let woken = plan.on_change(link, due.map(at), has_work);
        ("task", woken.map_or("", |woken| who(plan, &woken)))
    };
    let link = plan.known_link;
    match event {
        "on_turn" => plan.on_turn(),
        "on_change: the session has work" => return change(plan, link, None, true),
        "on_change: due before the timer" => return change(plan, link, Some(SOON), false),
        "on_change: another link" => return change(plan, link + 1, None, false),
        "on_change: nothing to do" | "on_change: the link has failed" | "on_change: the link is unwatched" => {
            return change(plan, link, None, false);
        }
        "on_turn_end" | "on_turn_end: the link is unwatched" => assert_eq!(plan.on_turn_end(), !plan.is_awake),
        "on_missed" => return ("task", who(plan, &plan.on_missed())),
        "on_charge" => {
            let other = tasks().iter().find(|task| !task.will_wake(&plan.task)).expect("there are two");
            let before = plan.on_charge(other);
            return ("task", who(plan, &before));
        }
        "on_fault" | "on_fault: within a frame" => {
            let woken = plan.on_fault(false);
            return ("task", who(plan, &woken));
        }
        "on_fault: between frames" => {
            let woken = plan.on_fault(true);
            return ("task", who(plan, &woken));
        }
        "on_due: soon" => return ("timer", if plan.on_due(at(SOON)) { "sets it" } else { "" }),
        "on_due: late" => return ("timer", if plan.on_due(at(LATE)) { "sets it" } else { "" }),
        "on_timer: elapsed" => return ("timer", if plan.on_timer(|| true) { "fires" } else { "" }),
        "on_timer: not yet" => return ("timer", if plan.on_timer(|| false) { "fires" } else { "" }),
        "on_write" => plan.on_write(),
        "on_written" => plan.on_written(),
        "on_full" | "on_full: the task wrote" => plan.on_full(true, || at(0)),
        "on_full: another wrote" => plan.on_full(false, || at(0)),
        "on_failed" => plan.on_failed(error()),
        "take_error" => return ("writing", plan.take_error().map_or("", |_| "gives the error")),
        "on_link_down" => plan.on_link_down(),
        "on_link_up" => plan.on_link_up(),
        "on_taken" => return ("stalled", plan.on_taken().map_or("", |_| "gives the time")),
        "on_stall_due" => plan.on_stall_due(),
        "on_read" => plan.on_read(),
        "on_held_off" => plan.on_held_off(),
        "on_no_room: full" => plan.on_no_room(true, true),
        "on_no_room: laden" => plan.on_no_room(false, true),
        "on_no_room: for another reason" => plan.on_no_room(false, false),
        "on_room: none" => return room(plan, false, false),
        "on_room: for any" => return room(plan, true, false),
        "on_room: for long" => return room(plan, false, true),
        event => panic!("no event is called `{event}`"),
    }
    ("", "")
}

fn who(plan: &WakePlan, woken: &Waker) -> Effect {
    if plan.task.will_wake(woken) { "wakes the task" } else { "wakes the task before" }
}

fn room(plan: &mut WakePlan, has_room: bool, has_long_room: bool) -> (&'static str, Effect) {
    ("senders", if plan.on_room(|| has_room, || has_long_room) { "wakes senders" } else { "" })
}

fn new() -> WakePlan {
    let mut plan = WakePlan::new();
    plan.on_waker(&tasks()[0]);
    plan
}
