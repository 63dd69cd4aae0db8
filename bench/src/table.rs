//! The results of a cell, as a table and as lines of JSON.

use std::fmt;

use crate::json;
use crate::measure::{Sample, Summary};

/// One round of one contender.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    pub(crate) sample: Sample,
    /// How long a call took in the middle, in nanoseconds; 0 where there are no single calls.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// The result of one cell. The first row is what the others are measured in.
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) rows: Vec<(String, Vec<Round>)>,
    /// Who failed, and why.
    pub(crate) faults: Vec<String>,
}

type Figure = fn(&Round) -> f64;

impl Table {
    /// Every round, a line each.
    pub(crate) fn json_lines(&self) -> String {
        let mut lines = String::new();
        for (contender, rounds) in &self.rows {
            for (index, round) in rounds.iter().enumerate() {
                let texts = [("scenario", self.name.as_str()), ("contender", contender.as_str())];
                let numbers = [
                    ("round", index as f64),
                    ("wall_ns", round.sample.wall),
                    ("cpu_ns", round.sample.cpu),
                    ("p50_ns", round.p50),
                    ("p99_ns", round.p99),
                ];
                lines += &json::line(&texts, &numbers);
            }
        }
        lines
    }

    /// How many times the first contender's figure of the same round this is.
    fn ratio(&self, rounds: &[Round], figure: Figure) -> f64 {
        Summary::of(rounds.iter().zip(&self.rows[0].1).map(|(own, first)| figure(own) / figure(first))).median
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, rounds)) = self.rows.first() else { return Ok(()) };
        writeln!(f, "{}: {} ({} rounds, µs per operation)", self.name, self.title, rounds.len())?;
        writeln!(
            f,
            "{:<12} {:>9} {:>19} {:>8}   {:>9} {:>19} {:>8}   {:>9} {:>9}",
            "",
            "wall",
            "middle half",
            format!("÷ {first}"),
            "cpu",
            "middle half",
            format!("÷ {first}"),
            "p50",
            "p99"
        )?;
        for (name, rounds) in &self.rows {
            write!(f, "{name:<12}")?;
            for figure in [(|round| round.sample.wall) as Figure, |round| round.sample.cpu] {
                let Summary { median, low, high } = Summary::of(rounds.iter().map(figure));
                let half = format!("{:.3}..{:.3}", low / 1e3, high / 1e3);
                write!(f, " {:>9.3} {half:>19} {:>7.2}x  ", median / 1e3, self.ratio(rounds, figure))?;
            }
            for figure in [(|round| round.p50) as Figure, |round| round.p99] {
                write!(f, " {:>9.3}", Summary::of(rounds.iter().map(figure)).median / 1e3)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
