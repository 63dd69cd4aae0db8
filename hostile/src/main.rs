//! Peers that do not mean well, against live servers and clients on this machine.
//!
//! ```text
//! cargo run --release -p vox-hostile                 every limit and threat from both sides, as a table: about four minutes
//! cargo run --release -p vox-hostile -- --short      the same without an honest client's times beside it
//! cargo run --release -p vox-hostile -- channel      the rows whose names say so
//! cargo run --release -p vox-hostile -- siege        a thousand clients at once, each with all that it can make a server keep: 2 GB of memory
//! cargo run --release -p vox-hostile -- fuzz --seconds 60 --seed 1      live sessions, spoilt in both directions
//! ```
//!
//! The run fails where a row does not hold. A row says what was sent, what the server answered (taken from the wire), how much more
//! memory the server had at most, what a frame cost of its processor's time, and within which time 99 of 100 calls of an honest
//! client were answered, before the attack and beside it. `SECURITY.md` explains the figures.

mod answer;
mod attack;
mod fuzz;
mod honest;
#[allow(dead_code, unreachable_pub, reason = "the tests of vox use it too")]
mod log;
mod meter;
mod peers;
mod prey;
#[allow(dead_code, unreachable_pub, reason = "the tests of vox use it too")]
mod raw;
mod row;
mod rows;
mod run;
mod siege;
mod victim;
mod watch;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: meter::Counting = meter::Counting;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "fuzz") {
        let number = |name: &str, otherwise| {
            let mut after = arguments.iter().skip_while(|argument| *argument != name).skip(1);
            after.next().and_then(|number| number.parse().ok()).unwrap_or(otherwise)
        };
        let held = fuzz::run(number("--seconds", 60), number("--seed", 1));
        return if held { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let short = arguments.iter().any(|argument| argument == "--short");
    if arguments.first().is_some_and(|first| first == "siege") {
        return if siege::run_alone(short) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let words: Vec<&str> = arguments.iter().map(String::as_str).filter(|word| !word.starts_with("--")).collect();
    if run::run(short, &words) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
