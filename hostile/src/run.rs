//! Plays every row and prints the table.

use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::answer::Answer;
use crate::attack::{Seen, play};
use crate::honest::{Honest, is_served};
use crate::meter::Meter;
use crate::prey::PreyClient;
use crate::row::{Case, Play, Row};
use crate::rows;
use crate::siege;
use crate::victim::Victim;
use crate::watch::Attention;

/// How long an honest client is watched, alone and beside an attack.
const WATCHED: Duration = Duration::from_millis(300);

/// What an honest client may have to wait beside an attack, if not twice as long as alone.
pub(crate) const WAIT: Duration = Duration::from_millis(1);

/// A machine that others use is slow at times: how often times are taken before they count.
pub(crate) const TRIES: usize = 4;

/// Plays the rows whose names have one of these words, or all. Whether all hold.
pub(crate) fn run(short: bool, words: &[&str]) -> bool {
    let began = Instant::now();
    let meter = Meter::of_this_thread();
    let (mut held, mut failed) = (0, 0);
    for (title, rows) in rows::tables() {
        let chosen: Vec<Row> = rows
            .into_iter()
            .filter(|row| words.is_empty() || words.iter().any(|word| row.name.contains(word)))
            .collect();
        if chosen.is_empty() {
            continue;
        }
        println!("\n{title}\n");
        println!(
            "{:<36} {:<62} {:<20} {:>10} {:>10} {:>10}",
            "row", "sent", "answered", "memory", "a frame", "at once"
        );
        for row in chosen {
            match judge(&row, short, meter) {
                Ok(()) => held += 1,
                Err(fault) => {
                    failed += 1;
                    println!("{:<36}   FAILED: {fault}", "");
                }
            }
        }
    }
    let (besieged, overrun) = siege::run(short, words);
    (held, failed) = (held + besieged, failed + overrun);
    println!("\n{held} rows hold, {failed} failed; {} s", began.elapsed().as_secs());
    failed == 0
}

/// Plays one row and prints its lines.
fn judge(row: &Row, short: bool, meter: &'static Meter) -> Result<(), String> {
    let mut faults = Vec::new();
    for (n, case) in row.cases.iter().enumerate() {
        let seen = try_case(row, *case, short, meter);
        let sent = row.sends.replace("{n}", &grouped(case.n));
        let name = if n == 0 { row.name } else { "" };
        let sent = if case.place.is_empty() { sent } else { format!("{}: {sent}", case.place) };
        match seen {
            Ok(seen) => {
                println!(
                    "{name:<36} {sent:<62} {:<20} {:>10} {:>10} {:>10}",
                    seen.answer,
                    bytes(seen.memory),
                    if seen.cpu.is_zero() { "-".to_owned() } else { time(seen.cpu) },
                    seen.held.map_or_else(String::new, time),
                );
                if seen.answer != case.expected {
                    faults.push(format!("{} was to be answered: {}", case.place, case.expected));
                }
                if seen.memory > row.memory {
                    faults.push(format!("{} of memory, of {}", bytes(seen.memory), bytes(row.memory)));
                }
                if let Some(most) = row.cost
                    && seen.cpu > most
                    && !short
                {
                    faults.push(format!("{} a frame, of {}", time(seen.cpu), time(most)));
                }
                if let (Some(most), Some(held)) = (row.held, seen.held)
                    && held > most
                    && !short
                {
                    faults.push(format!("{} at once, of {}", time(held), time(most)));
                }
            }
            Err(fault) => {
                println!("{name:<36} {sent:<62}");
                faults.push(fault);
            }
        }
    }
    if !short && let Err(fault) = beside(row) {
        faults.push(fault);
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
}

fn try_case(row: &Row, case: Case, short: bool, meter: &'static Meter) -> Result<Seen, String> {
    if let Play::Paused(play) = row.play {
        let begun = meter.mark();
        let answer = paused().block_on(play(case.n));
        return Ok(Seen { answer, memory: meter.peak() - begun, cpu: Duration::ZERO, held: None });
    }
    let victim = Victim::start(row.setting.clone());
    runtime().block_on(async {
        let honest: PreyClient =
            vox::connect(format!("tcp://{}", victim.address)).await.map_err(|error| error.to_string())?;
        is_served(&honest).await?;
        let mut best: Option<Seen> = None;
        // The least of three: what others do on the machine only ever adds. Scenes leave something behind, and are played once.
        let rounds = if let Ok(n) = std::env::var("ROUNDS") {
            n.parse().unwrap()
        } else if short || matches!(row.play, Play::Scene(_)) {
            1
        } else {
            3
        };
        let before = victim.meter.live();
        // What is watched costs more, so it is played again for that.
        let watched = if row.held.is_some() { 3 * rounds } else { 0 };
        for round in 0..rounds + watched {
            victim.watch.pay(match row.held {
                None => Attention::Answer,
                Some(_) if round < rounds => Attention::Rest,
                Some(_) => Attention::Others,
            });
            let seen = attack(row, &victim, case.n).await;
            if !victim.rests(1).await {
                return Err(format!("{} of its sessions are left", victim.linked() - 1));
            }
            is_served(&honest).await?;
            // In a scene the victim may be a client, which counts for itself.
            if matches!(row.play, Play::Frames(_)) || matches!(seen.answer, Answer::Rejected(_)) {
                counts(&victim, seen.answer)?;
            }
            let worst = best.map_or(seen.memory, |best| best.memory.max(seen.memory));
            let least = best.filter(|_| seen.held.is_some()).map_or(seen.cpu, |best| best.cpu);
            let least = best.map_or(least, |best| best.cpu.min(least));
            let held = match (best.and_then(|best| best.held), seen.held) {
                (Some(before), Some(held)) => Some(before.min(held)),
                (before, held) => before.or(held),
            };
            best = Some(Seen { memory: worst, cpu: least, held, ..seen });
            if seen.answer != case.expected {
                break;
            }
        }
        // Scenes leave what is kept on purpose: sessions that may be resumed, outcomes.
        let left = if matches!(row.play, Play::Scene(_)) { 0 } else { left(&victim, before, row.left).await };
        if left > row.left {
            return Err(format!("{} are left of it", bytes(left)));
        }
        best.ok_or_else(|| "nothing was played".to_owned())
    })
}

/// What was turned down is counted.
fn counts(victim: &Victim, answer: Answer) -> Result<(), String> {
    const BUSY: u8 = 3;
    let refusals = victim.server.refusals();
    let is_counted = match answer {
        Answer::Violation(_) => refusals.violations > 0,
        Answer::Failed(BUSY) => refusals.calls > 0,
        Answer::Rejected(_) => refusals.handshakes > 0,
        Answer::Fine => refusals.violations == 0,
        _ => true,
    };
    if is_counted { Ok(()) } else { Err(format!("after {answer} it counts {refusals:?}")) }
}

/// How much more memory than before the server still has, once it has had the time to end what has ended.
async fn left(victim: &Victim, before: isize, most: isize) -> isize {
    for _ in 0..1_000 {
        if victim.meter.live() - before <= most {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    victim.meter.live() - before
}

async fn attack(row: &Row, victim: &Victim, n: u64) -> Seen {
    match row.play {
        Play::Frames(attack) => play(victim, &attack(n)).await,
        Play::Scene(scene) => scene(victim, n).await,
        Play::Paused(_) => Seen { answer: Answer::Silent, memory: 0, cpu: Duration::ZERO, held: None },
    }
}

/// Watches an honest client alone and beside the attack.
fn beside(row: &Row) -> Result<(), String> {
    if matches!(row.play, Play::Paused(_)) {
        return Ok(());
    }
    let mut fault = String::new();
    for _ in 0..TRIES {
        let victim = Victim::start(row.setting.clone());
        let honest = Honest::start(victim.address);
        std::thread::sleep(WATCHED);
        let before = honest.stop()?;
        let honest = Honest::start(victim.address);
        runtime().block_on(async {
            let began = Instant::now();
            while began.elapsed() < WATCHED {
                for case in row.cases.iter().rev() {
                    attack(row, &victim, case.n).await;
                }
            }
        });
        let during = honest.stop()?;
        let holds = during <= WAIT.max(2 * before);
        if holds || row.slow.is_some() {
            let why = row.slow.map_or(String::new(), |why| format!(" ({why})"));
            println!("{:<36}   an honest p99: {}, beside it {}{why}", "", time(before), time(during));
            return Ok(());
        }
        fault = format!("an honest p99 of {} became {}", time(before), time(during));
    }
    Err(fault)
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn paused() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime")
}

/// A number with its thousands set apart.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

pub(crate) fn bytes(n: isize) -> String {
    match n {
        n if n >= 10 << 20 => format!("{} MiB", n >> 20),
        n if n >= 10 << 10 => format!("{} KiB", n >> 10),
        n => format!("{} B", n.max(0)),
    }
}

pub(crate) fn time(of: Duration) -> String {
    match of.as_nanos() {
        n if n >= 10_000_000 => format!("{} ms", n / 1_000_000),
        n if n >= 10_000 => format!("{} µs", n / 1_000),
        n => format!("{:.1} µs", n as f64 / 1_000.0),
    }
}
