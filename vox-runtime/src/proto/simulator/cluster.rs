//! Servers, clients and a store, all at once, from a seed.
//!
//! One or two server processes, each with its operations and its sessions, share a store. Clients of two principals call
//! them over links that are cut, replaced and late. Where a session is lost a client opens a fresh one, and the table of
//! policies says which calls are sent again. What goes wrong is in the script: see `docs/internals/simulator.md`.
//!
//! The sessions, the operations, the policy and the records of the store are the ones that vox runs. What is around them is a
//! model of the shell: the [`server`] does in steps what `driver` does in tasks, and the [`store`] puts the records of
//! `MemoryStore` on a disk that syncs in groups, fails and loses what was not synced.
//!
//! The [`model`] is what was promised, and is held against every start of a handler, every commit and every answer.
//!
//! `VOX_SEEDS=1000000 cargo test --release …` runs more, `VOX_SEED=17` one, with its log.

mod client;
mod handlers;
mod link;
mod model;
mod server;
mod serving;
mod store;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::variable;
use world::World;

/// How many seeds a plain test run tries.
const SEEDS: u64 = 5_000;

#[test]
fn servers_clients_and_a_store_keep_every_promise_whatever_fails() {
    if let Some(seed) = variable("VOX_SEED") {
        World::new(seed, true).run();
        return;
    }
    let first = variable("VOX_FIRST_SEED").unwrap_or(0);
    for seed in first..first + variable("VOX_SEEDS").unwrap_or(SEEDS) {
        if catch_unwind(AssertUnwindSafe(|| World::new(seed, false).run())).is_err() {
            let _ = catch_unwind(AssertUnwindSafe(|| World::new(seed, true).run()));
            panic!("seed {seed} fails: run it again with VOX_SEED={seed}");
        }
    }
}

#[test]
fn a_seed_is_the_same_run_every_time_and_everything_happens_in_some() {
    let mut seen = std::collections::BTreeMap::new();
    for seed in 0..400 {
        let (trace, events) = World::new(seed, false).run();
        if seed < 50 {
            assert_eq!(trace, World::new(seed, false).run().0, "seed {seed}");
        }
        for (event, times) in events {
            *seen.entry(event).or_insert(0) += times;
        }
    }
    for event in EVENTS {
        assert!(seen.contains_key(event), "{event} never happens, of {seen:?}");
    }
}

/// What must happen in some run, or the rest says little.
const EVENTS: &[&str] = &[
    "resumed",
    "stale bytes",
    "resume refused",
    "session lost",
    "sent again",
    "killed",
    "group lost",
    "commit failed",
    "attached",
    "replay",
    "conflict",
    "indeterminate",
    "expired",
    "store unavailable",
    "busy",
    "never left",
    "panicked",
    "sealed in a transaction",
    "acknowledged",
    "clock jumps",
];
