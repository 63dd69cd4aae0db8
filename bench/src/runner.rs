//! Runs a scenario: all contenders connected at once, one batch of each per round, in turn.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use tokio::runtime::Runtime;

use crate::contender::{Client, Contender, Fault, Link};
use crate::measure::{Sample, Stopwatch, Summary};
use crate::scenario::Scenario;

/// A batch in `--quick`, and before the first round, is this much shorter.
const SHORTER: u64 = 20;

/// One contender, connected.
struct Lane {
    name: &'static str,
    // Before the runtime, which its connection needs.
    client: Box<dyn Client>,
    runtime: Runtime,
    other: Option<Other>,
    samples: Vec<Sample>,
}

impl Lane {
    fn start(contender: &dyn Contender, scenario: Scenario) -> Result<Self, Fault> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut other = None;
        let client = runtime.block_on(async {
            if scenario.link == Link::Memory {
                return contender.in_memory(scenario.work).await;
            }
            let address = match scenario.two_processes {
                false => contender.serve(scenario.link).await?,
                true => other.insert(Other::start(contender.name(), scenario.link)?).address.clone(),
            };
            contender.connect(address, scenario.work).await
        })?;
        Ok(Self { name: contender.name(), client, runtime, other, samples: Vec::new() })
    }

    fn batch(&mut self, work: crate::contender::Work) -> Result<Sample, Fault> {
        let watch = Stopwatch::start(self.other.as_ref().map(|other| other.process.id()))?;
        self.runtime.block_on(self.client.run(work))?;
        Ok(watch.stop(work.operations())?)
    }
}

/// The process that serves.
struct Other {
    process: Child,
    address: String,
}

impl Other {
    fn start(name: &str, link: Link) -> Result<Self, Fault> {
        let link = if link == Link::Unix { "unix" } else { "tcp" };
        let mut process = Command::new(std::env::current_exe()?)
            .args(["serve", name, link])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let said = process.stdout.take().map(BufReader::new);
        let mut other = Self { process, address: String::new() };
        said.ok_or("no standard output")?.read_line(&mut other.address)?;
        other.address.truncate(other.address.trim_end().len());
        Ok(other)
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(path) = self.address.strip_prefix("unix://") {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Measures one scenario.
pub(crate) fn run(
    scenario: Scenario,
    contenders: &[Box<dyn Contender>],
    rounds: usize,
    quick: bool,
) -> Result<Table, Fault> {
    let mut lanes = Vec::new();
    for contender in contenders.iter().filter(|contender| contender.takes_part(&scenario)) {
        lanes.push(Lane::start(&**contender, scenario).map_err(|fault| format!("{}: {fault}", contender.name()))?);
    }
    let work = if quick { scenario.work.shorter(SHORTER) } else { scenario.work };
    for lane in &mut lanes {
        for _ in 0..3 {
            lane.batch(scenario.work.shorter(SHORTER))?;
        }
    }
    for round in 0..rounds {
        // Who goes first changes, so that nobody always follows the same neighbour's noise.
        for turn in 0..lanes.len() {
            let index = (round + turn) % lanes.len();
            let lane = &mut lanes[index];
            let sample = lane.batch(work).map_err(|fault| format!("{}: {fault}", lane.name))?;
            lane.samples.push(sample);
        }
    }
    Ok(Table { scenario, rows: lanes.into_iter().map(|lane| (lane.name, lane.samples)).collect() })
}

/// What came of one scenario.
pub(crate) struct Table {
    scenario: Scenario,
    rows: Vec<(&'static str, Vec<Sample>)>,
}

impl Table {
    /// Every sample, a line each.
    pub(crate) fn json_lines(&self) -> String {
        let mut lines = String::new();
        for (name, samples) in &self.rows {
            for (round, Sample { wall, cpu }) in samples.iter().enumerate() {
                lines += &format!(
                    "{{\"scenario\":\"{}\",\"contender\":\"{name}\",\"round\":{round},\"wall_ns\":{wall:.1},\"cpu_ns\":{cpu:.1}}}\n",
                    self.scenario.name
                );
            }
        }
        lines
    }

    /// How many times the first contender's figure of the same round this is.
    fn ratio(&self, samples: &[Sample], figure: fn(&Sample) -> f64) -> f64 {
        Summary::of(samples.iter().zip(&self.rows[0].1).map(|(own, first)| figure(own) / figure(first))).median
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, rows } = self;
        let Some((first, samples)) = rows.first() else { return Ok(()) };
        writeln!(f, "{}: {} ({} rounds, µs per operation)", scenario.name, scenario.title, samples.len())?;
        writeln!(
            f,
            "{:<10} {:>9} {:>17} {:>8}   {:>9} {:>17} {:>8}",
            "", "wall", "middle half", first, "cpu", "middle half", first
        )?;
        for (name, samples) in rows {
            write!(f, "{name:<10}")?;
            for figure in [(|sample| sample.wall) as fn(&Sample) -> f64, |sample| sample.cpu] {
                let Summary { median, low, high } = Summary::of(samples.iter().map(figure));
                let half = format!("{:.3}..{:.3}", low / 1e3, high / 1e3);
                write!(f, " {:>9.3} {half:>17} {:>7.2}x  ", median / 1e3, self.ratio(samples, figure))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
