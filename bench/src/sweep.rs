//! How cost grows: with what is in flight, with the payload, with connections.

use std::time::Duration;

use crate::command::Options;
use crate::contender::{Client, Contender, Fault, Link, Setting, Work};
use crate::json;
use crate::lane::{Other, runtime};
use crate::measure::{Sample, Stopwatch, Summary};
use crate::patience;
use crate::runner::{self, Extent};
use crate::scenario::Scenario;

/// What can be swept here.
pub(crate) const ALL: [&str; 3] = ["in-flight", "payload", "connections"];

/// How many callers there are where there are as many connections.
const CALLERS: usize = 64;
/// The sizes of payloads.
const PAYLOADS: [usize; 12] = [
    0,
    16,
    256,
    1 << 10,
    4 << 10,
    16 << 10,
    64 << 10,
    256 << 10,
    1 << 20,
    // The largest that fits into the default of 4 MiB; what is larger, needs limits that are raised.
    (4 << 20) - (64 << 10),
    8 << 20,
    16 << 20,
];

/// Runs the sweep of that name.
pub(crate) fn run(name: &str, options: &mut Options) -> Result<(), Fault> {
    match name {
        "in-flight" => {
            let points = (0..=12).map(|power| 1 << power);
            over(name, options, points.map(|in_flight| (in_flight, Work::Echo { calls: 64_000, in_flight })))
        }
        "payload" => {
            over(name, options, PAYLOADS.map(|bytes| (bytes as u64, Work::Blob { calls: 20_000, bytes })).into_iter())
        }
        "connections" => connections(options),
        _ => Err(format!("no sweep `{name}`; there are: all, {}, methods", ALL.join(", ")).into()),
    }
}

/// A cell for each point, all contenders interleaved.
fn over(name: &str, options: &mut Options, points: impl Iterator<Item = (u64, Work)>) -> Result<(), Fault> {
    for (x, work) in points {
        let setting = Setting { link: Link::Tcp, work, kept: false };
        let title = format!("{name} {x}");
        let scenario = Scenario { name: title.clone(), title, setting, two_processes: false, threads: 1 };
        let table = runner::run(&scenario, &options.contenders, options.extent);
        println!("{table}");
        for (contender, rounds) in &table.rows {
            for (round, of) in rounds.iter().enumerate() {
                options.write(&line(name, contender, x, round, of.sample))?;
            }
        }
        options.faults.extend(table.faults);
    }
    Ok(())
}

/// One line of a sweep.
pub(crate) fn line(sweep: &str, contender: &str, x: u64, round: usize, sample: Sample) -> String {
    json::line(
        &[("sweep", sweep), ("contender", contender)],
        &[("x", x as f64), ("round", round as f64), ("wall_ns", sample.wall), ("cpu_ns", sample.cpu)],
    )
}

/// Calls that go round many connections of a server in another process, one on each at a time.
///
/// The contenders take turns after each other: all of their connections at once would be more than a machine has files.
fn connections(options: &mut Options) -> Result<(), Fault> {
    crate::memory::raise_file_limit();
    println!("connections: µs per call, medians of {} rounds", options.extent.rounds);
    println!("{:<12} {:>11} {:>9} {:>9}", "", "connections", "wall", "cpu");
    for count in [1, 10, 100, 1_000, 10_000] {
        let mut lines = String::new();
        for contender in &options.contenders {
            let setting = Setting { link: Link::Tcp, work: Work::Echo { calls: 1, in_flight: 1 }, kept: false };
            if !contender.takes_part(setting) {
                continue;
            }
            let samples = match connected(&**contender, setting, count, options.extent) {
                Ok(samples) => samples,
                Err(fault) => {
                    options.faults.push(format!("{count} connections: {}: {fault}", contender.name()));
                    continue;
                }
            };
            let name = contender.name();
            for (round, sample) in samples.iter().enumerate() {
                lines += &line("connections", name, count as u64, round, *sample);
            }
            let median = |figure: fn(&Sample) -> f64| Summary::of(samples.iter().map(figure)).median / 1e3;
            println!(
                "{name:<12} {count:>11} {:>9.3} {:>9.3}",
                median(|sample| sample.wall),
                median(|sample| sample.cpu)
            );
        }
        options.write(&lines)?;
    }
    Ok(())
}

fn connected(contender: &dyn Contender, setting: Setting, count: usize, extent: Extent) -> Result<Vec<Sample>, Fault> {
    let other = Other::start(contender.name(), setting, 1)?;
    let runtime = runtime(1)?;
    let name = contender.name();
    let callers = count.min(CALLERS);
    let mut shares = patience::block_on(&runtime, name, async {
        let mut shares: Vec<Vec<Box<dyn Client>>> = (0..callers).map(|_| Vec::new()).collect();
        for index in 0..count {
            shares[index % callers].push(contender.connect(other.address.clone(), setting).await?);
        }
        Ok(shares)
    })?;
    // Every connection has its call at least once in a batch.
    let (mut calls, mut samples) = (count.max(64) as u64, Vec::new());
    for round in 0..=extent.rounds {
        let watch = Stopwatch::start(Some(other.process.id()))?;
        shares = patience::block_on(&runtime, name, go_round(shares, calls / callers as u64))?;
        let sample = watch.stop(calls / callers as u64 * callers as u64)?;
        if round > 0 {
            samples.push(sample);
        } else {
            // The first was the warming up.
            let fitting = extent.batch.as_nanos() as f64 / sample.wall.max(1.0);
            calls = (fitting as u64).clamp(calls, 64_000.max(calls));
        }
    }
    // Some connections want their runtime when they end.
    let within = runtime.enter();
    drop(shares);
    drop(within);
    runtime.shutdown_timeout(Duration::from_millis(100));
    Ok(samples)
}

/// Each caller makes so many calls, over one of its connections after the other.
async fn go_round(shares: Vec<Vec<Box<dyn Client>>>, calls: u64) -> Result<Vec<Vec<Box<dyn Client>>>, Fault> {
    let callers = shares.into_iter().map(|mut share| {
        tokio::spawn(async move {
            for call in 0..calls as usize {
                let index = call % share.len();
                share[index].run(Work::Echo { calls: 1, in_flight: 1 }, None).await?;
            }
            Ok::<_, Fault>(share)
        })
    });
    let mut back = Vec::new();
    for caller in callers.collect::<Vec<_>>() {
        back.push(caller.await??);
    }
    Ok(back)
}
