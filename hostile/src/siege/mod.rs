//! A thousand clients at once, each of which makes the server keep what it can.
//!
//! All of a kind do the same. What the server has allocated is measured against what it may keep, `Limits::server_memory` and what
//! each session has of its own beside. An honest client makes its calls before; while they come and send all they can, which one thread
//! serves, so that all wait their turn; and beside them, when they hold what they have and try for more, each once a second.

mod client;
mod kinds;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

use self::client::{Phase, Tally};
use self::kinds::{Kind, Manner};
use crate::honest::Honest;
use crate::run::{TRIES, WAIT, bytes, grouped, runtime, time};
use crate::victim::{Setting, Victim};

/// How many there are, and how many in the short form.
const MANY: usize = 1_000;
const FEW: usize = 100;

/// What a session may keep that counts for no server, as `Limits::server_memory` says; and what else one takes: its read buffers, which
/// items may hold, its tasks, what is not kept but just being read.
const FREE: isize = 64 << 10;
const OVERHEAD: isize = 256 << 10;

/// How long the honest client is watched.
const WATCHED: Duration = Duration::from_millis(500);

/// How long the clients are waited for to have said all. Those that are read more slowly say the rest meanwhile.
const PATIENCE: Duration = Duration::from_secs(12);

/// Plays all kinds. Whether all hold.
pub(crate) fn run_alone(short: bool) -> bool {
    let began = Instant::now();
    let (held, failed) = run(short, &[]);
    println!("\n{held} kinds hold, {failed} failed; {} s", began.elapsed().as_secs());
    failed == 0
}

/// Plays the kinds whose names have one of these words, or all. How many hold, and how many do not.
pub(crate) fn run(short: bool, words: &[&str]) -> (usize, usize) {
    let (many, limit) = (if short { FEW } else { MANY }, setting(short).limits.server_memory);
    let (mut held, mut failed) = (0, 0);
    for kind in crowds() {
        if !words.is_empty() && !words.iter().any(|word| kind.name.contains(word)) {
            continue;
        }
        if held + failed == 0 {
            println!("\n{} clients at once, at a `server_memory` of {}\n", grouped(many as u64), bytes(limit as isize));
            println!(
                "{:<32} {:<66} {:>8} {:>8} {:>8} {:>9} {:>6} {:>8} {:>9} {:>8}",
                "kind", "each sends", "memory", "at most", "counted", "Busy", "ended", "p99", "meanwhile", "beside"
            );
        }
        match play(kind, many, short) {
            Ok(()) => held += 1,
            Err(fault) => {
                failed += 1;
                println!("{:<32}   FAILED: {fault}", "");
            }
        }
    }
    (held, failed)
}

/// Clients that are at a server together.
struct Crowd {
    name: &'static str,
    sends: &'static str,
    /// They take turns.
    kinds: Vec<Arc<Kind>>,
}

/// One of each kind, and one of all that have a session and keep it.
fn crowds() -> Vec<Crowd> {
    let kinds: Vec<_> = kinds::all().into_iter().map(Arc::new).collect();
    let alone = |kind: &Arc<Kind>| Crowd { name: kind.name, sends: kind.sends, kinds: vec![Arc::clone(kind)] };
    let mut crowds: Vec<_> = kinds.iter().map(alone).collect();
    let stay = |kind: &Arc<Kind>| matches!(kind.manner, Manner::Reads | Manner::Quiet | Manner::NeverReads);
    crowds.push(Crowd {
        name: "all of these",
        sends: "what one of these does",
        kinds: kinds.into_iter().filter(stay).collect(),
    });
    crowds
}

/// The limits by default. In the short form, what sessions share is in proportion to their number.
fn setting(short: bool) -> Setting {
    let mut setting = Setting::default();
    if short {
        setting.limits.server_memory = setting.limits.server_memory / MANY * FEW;
    }
    setting
}

fn play(crowd: Crowd, many: usize, short: bool) -> Result<(), String> {
    let Crowd { name, sends, kinds } = crowd;
    let setting = setting(short);
    let most = setting.limits.server_memory as isize + many as isize * (FREE + OVERHEAD);
    let victim = Victim::start(setting);
    let honest = Honest::start(victim.address);
    std::thread::sleep(WATCHED);
    let before = honest.stop()?;
    let begun = victim.meter.mark();
    runtime().block_on(async {
        let (tally, (phase, _)) = (Arc::new(Tally::default()), watch::channel(Phase::Sends));
        let honest = Honest::start(victim.address);
        let mut clients = JoinSet::new();
        for n in 0..many {
            let kind = Arc::clone(&kinds[n % kinds.len()]);
            let greeted = client::greet(&victim, &kind, n).await?;
            clients.spawn(client::hold(greeted, kind, Arc::clone(&tally), phase.subscribe()));
        }
        let began = Instant::now();
        while tally.said.load(Ordering::SeqCst) < many && began.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let meanwhile = honest.stop()?;
        phase.send_replace(Phase::Stays);
        let beside = beside(&victim, before).await?;
        let (peak, taken) = (victim.meter.peak() - begun, victim.server.memory_taken());
        phase.send_replace(Phase::Ends);
        while clients.join_next().await.is_some() {}
        println!(
            "{name:<32} {sends:<66} {:>8} {:>8} {:>8} {:>9} {:>6} {:>8} {:>9} {:>8}",
            bytes(peak),
            bytes(most),
            bytes(taken as isize),
            grouped(tally.busy.load(Ordering::SeqCst)),
            grouped(tally.ended.load(Ordering::SeqCst)),
            time(before),
            time(meanwhile),
            time(beside),
        );
        let mut faults = Vec::new();
        if peak > most {
            faults.push(format!("{} of memory, of {}", bytes(peak), bytes(most)));
        }
        if !short && beside > WAIT.max(2 * before) {
            faults.push(format!("an honest p99 of {} became {}", time(before), time(beside)));
        }
        // Sessions that lost their links wait for others.
        if kinds.iter().all(|kind| kind.manner != Manner::Leaves) && !victim.rests(0).await {
            faults.push(format!("{} sessions are left", victim.linked()));
        }
        if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
    })
}

/// The best of some p99s of an honest client, beside those who hold what they have: what others do on the machine only ever adds.
async fn beside(victim: &Victim, before: Duration) -> Result<Duration, String> {
    let mut best = Duration::MAX;
    for _ in 0..TRIES {
        let honest = Honest::start(victim.address);
        tokio::time::sleep(WATCHED).await;
        best = best.min(honest.stop()?);
        if best <= WAIT.max(2 * before) {
            break;
        }
    }
    Ok(best)
}
