//! The tables of the documentation, each cell of which is run.

use std::collections::BTreeMap;

use super::*;

const SOURCE: &str = include_str!("../../wake_plan.rs");

/// The cells, by table, event and state. `None`: the event does not occur in it.
pub(super) fn cells() -> BTreeMap<(String, String, String), Option<(String, String)>> {
    let mut cells = BTreeMap::new();
    let mut head: Option<Vec<String>> = None;
    for line in SOURCE.lines() {
        let Some(row) = line.strip_prefix("/// |").and_then(|row| row.strip_suffix('|')) else {
            head = None;
            continue;
        };
        let row: Vec<String> = row.split('|').map(|cell| cell.trim().replace('`', "")).collect();
        let Some(head) = &head else {
            head = Some(row);
            continue;
        };
        assert_eq!(row.len(), head.len(), "{row:?}");
        if row[0].starts_with("---") {
            continue;
        }
        for (state, cell) in head.iter().zip(&row).skip(1) {
            let (to, effect) = cell.split_once(", ").unwrap_or((cell, ""));
            let to = (cell != "–").then(|| (to.to_owned(), effect.to_owned()));
            cells.insert((head[0].clone(), row[0].clone(), state.clone()), to);
        }
    }
    cells
}

/// A plan in this state of this table, in which this event can occur.
fn plan_in(table: &str, state: &str, event: &str) -> WakePlan {
    let mut plan = new();
    match event {
        "on_change: due before the timer" => plan.timer = Some(at(LATE)),
        "on_change: the link has failed" => plan.on_failed(error()),
        "on_change: the link is unwatched" | "on_turn_end: the link is unwatched" => plan.writing = Writing::Unwatched,
        _ => {}
    }
    match (table, state) {
        ("task", _) => plan.is_awake = state == "Awake",
        ("timer", "Unset") => {}
        ("timer", _) => plan.timer = Some(at(if state == "Soon" { SOON } else { LATE })),
        ("writing", "Failed") => plan.on_failed(error()),
        ("writing", _) => {
            let all = [Writing::Idle, Writing::Busy, Writing::Blocked, Writing::Unwatched, Writing::Broken];
            plan.writing = all.into_iter().find(|one| format!("{one:?}") == state).expect("a state of the writing");
        }
        ("stalled", _) => plan.stalled = (state == "Since").then(|| at(0)),
        ("reading", _) => plan.is_held_off = state == "HeldOff",
        ("senders", _) => {
            (plan.is_full, plan.is_laden) = (["Full", "Both"].contains(&state), ["Laden", "Both"].contains(&state));
        }
        _ => panic!("no table is called `{table}`"),
    }
    assert!(states(&plan).contains(&(table, state)), "{table}: {state}");
    plan
}

#[test]
fn every_event_does_in_every_state_what_the_tables_say() {
    let cells = cells();
    for ((table, event, state), expected) in &cells {
        let Some((to, effect)) = expected else { continue };
        let mut plan = plan_in(table, state, event);
        let (told_in, had) = apply(&mut plan, event);
        let is = states(&plan).into_iter().find(|(name, _)| name == table).expect("a table").1;
        assert_eq!(is, to, "{table}: `{event}` in {state}");
        let had = if told_in == table { had } else { "" };
        assert_eq!(had, effect, "{table}: `{event}` in {state}");
    }
    assert!(cells.len() > 100, "{} cells were found", cells.len());
}

#[test]
fn every_event_is_in_a_table() {
    let cells = cells();
    let events = SOURCE.split("fn ").skip(1).filter_map(|method| method.split('(').next());
    let events: Vec<&str> = events.filter(|name| name.starts_with("on_")).collect();
    assert!(events.len() > 15, "{events:?}");
    for event in events {
        // These only put a value in the place of another.
        let is_value = ["on_waker", "on_link"].contains(&event);
        let has_row = cells.keys().any(|(_, name, _)| name.split(':').next() == Some(event));
        assert!(has_row != is_value, "`{event}`");
    }
}
