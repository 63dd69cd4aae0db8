//! Runs a cell: all contenders connected at once, one batch of each per round, in turn.

use std::time::Duration;

use crate::contender::{Contender, Fault, Work};
use crate::lane::Lane;
use crate::measure::{Sample, percentile};
use crate::scenario::Scenario;
use crate::table::{Round, Table};

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) rounds: usize,
    /// How long a batch takes, roughly: it has as many operations as a contender does in that time.
    pub(crate) batch: Duration,
}

/// One contender, and what it did so far.
struct Runner {
    lane: Lane,
    work: Work,
    rounds: Vec<Round>,
}

impl Runner {
    /// Connects, warms up, and finds out how much work makes a batch.
    fn start(contender: &dyn Contender, scenario: &Scenario, extent: Extent) -> Result<Self, Fault> {
        let mut lane = Lane::start(contender, scenario)?;
        let most = scenario.setting.work.operations();
        let mut operations = (most / 200).max(1);
        for _ in 0..3 {
            let work = scenario.setting.work.of(operations);
            let Sample { wall, .. } = lane.batch(work)?;
            let fitting = extent.batch.as_nanos() as f64 / wall.max(1.0);
            // What was slow only because it was new may be tenfold faster.
            operations = (fitting as u64).clamp(1, operations.saturating_mul(10)).min(most);
        }
        Ok(Self { lane, work: scenario.setting.work.of(operations), rounds: Vec::new() })
    }

    fn round(&mut self) -> Result<(), Fault> {
        let sample = self.lane.batch(self.work)?;
        // Looking at the clock costs something, so the times of single calls come from calls of their own.
        let mut times = match self.work {
            Work::Stream { .. } => Vec::new(),
            work => self.lane.timed(work.of(work.operations() / 2))?,
        };
        let (p50, p99) = (percentile(&mut times, 50), percentile(&mut times, 99));
        self.rounds.push(Round { sample, p50: f64::from(p50), p99: f64::from(p99) });
        Ok(())
    }
}

/// Measures one cell. A contender that fails is left out of it, and what became of it is in the table's faults.
pub(crate) fn run(scenario: &Scenario, contenders: &[Box<dyn Contender>], extent: Extent) -> Table {
    let (mut runners, mut faults) = (Vec::new(), Vec::new());
    for contender in contenders.iter().filter(|contender| contender.takes_part(scenario.setting)) {
        match Runner::start(&**contender, scenario, extent) {
            Ok(runner) => runners.push(runner),
            Err(fault) => faults.push(format!("{}: {}: {fault}", scenario.name, contender.name())),
        }
    }
    for round in 0..extent.rounds {
        // Who goes first changes, so that nobody always follows the same neighbour's noise.
        for turn in 0..runners.len() {
            let index = (round + turn) % runners.len();
            let runner = &mut runners[index];
            if let Err(fault) = runner.round() {
                faults.push(format!("{}: {}: {fault}", scenario.name, runner.lane.name));
            }
        }
        runners.retain(|runner| runner.rounds.len() == round + 1);
    }
    let rows = runners.into_iter().map(|runner| (runner.lane.name.to_owned(), runner.rounds)).collect();
    Table { name: scenario.name.clone(), title: scenario.title.clone(), rows, faults }
}
