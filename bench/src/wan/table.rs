//! The results of a cell, as a table and as lines of JSON.

use std::fmt;

use super::cells::Cell;
use crate::far::Figures;
use crate::json;
use crate::measure::Summary;

/// How the columns are called, by the names of figures, and in how many of their units a column counts.
const COLUMNS: &[(&str, &str, f64)] = &[
    ("p50_us", "p50 ms", 1e3),
    ("p99_us", "p99 ms", 1e3),
    ("calls_s", "calls/s", 1.0),
    ("connected_us", "ms", 1e3),
    ("rtts", "round trips", 1.0),
    ("first_items_s", "items/s, 1st s", 1.0),
    ("items_s", "from 2 s on", 1.0),
    ("first_bytes_s", "MB/s, 1st s", 1e6),
    ("bytes_s", "from 2 s on", 1e6),
    ("share", "% of the link", 1.0),
    ("first_us", "first, ms", 1e3),
    ("second_us", "second, ms", 1e3),
    ("took_us", "took, ms", 1e3),
    ("next_us", "after cut, ms", 1e3),
    ("after_us", "link back, ms", 1e3),
    ("failed", "calls failed", 1.0),
    ("cpu_us", "cpu µs", 1.0),
];

/// The result of one cell.
pub(super) struct Table {
    name: String,
    title: String,
    rounds: usize,
    rows: Vec<(&'static str, Vec<Figures>)>,
}

impl Table {
    pub(super) fn new(cell: &Cell, rounds: usize) -> Self {
        Self { name: cell.name.clone(), title: cell.title.clone(), rounds, rows: Vec::new() }
    }

    /// Adds what a round of this contender came to.
    pub(super) fn add(&mut self, contender: &'static str, figures: Figures) {
        match self.rows.iter_mut().find(|(name, _)| *name == contender) {
            Some((_, rounds)) => rounds.push(figures),
            None => self.rows.push((contender, vec![figures])),
        }
    }

    /// Puts the rows in this order.
    pub(super) fn sort(&mut self, names: &[&str]) {
        self.rows.sort_by_key(|(name, _)| names.iter().position(|of| of == name));
    }

    /// Every round, a line each.
    pub(super) fn json_lines(&self) -> String {
        let mut lines = String::new();
        for (contender, rounds) in &self.rows {
            for (round, figures) in rounds.iter().enumerate() {
                let mut numbers = vec![("round", round as f64)];
                numbers.extend(figures);
                lines += &json::line(&[("wan", self.name.as_str()), ("contender", contender)], &numbers);
            }
        }
        lines
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} ({} rounds, medians)", self.name, self.title, self.rounds)?;
        let has = |name: &str| self.rows.iter().flat_map(|(_, rounds)| rounds).flatten().any(|(of, _)| *of == name);
        let columns: Vec<_> = COLUMNS.iter().filter(|(name, ..)| has(name)).collect();
        write!(f, "{:<12}", "")?;
        for (_, title, _) in &columns {
            write!(f, " {title:>14}")?;
        }
        writeln!(f)?;
        for (contender, rounds) in &self.rows {
            write!(f, "{contender:<12}")?;
            for (name, _, unit) in &columns {
                let values = rounds.iter().flatten().filter(|(of, _)| of == name).map(|(_, value)| value / unit);
                let values: Vec<f64> = values.collect();
                // Where it was so in most rounds.
                match values.len() * 2 > rounds.len() {
                    true => write!(f, " {:>14}", shown(Summary::of(values.into_iter()).median))?,
                    false => write!(f, " {:>14}", "–")?,
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// With three digits that count, and no more behind the point than help.
fn shown(value: f64) -> String {
    match value {
        1000.0.. => format!("{value:.0}"),
        100.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wan::cells;

    #[test]
    fn a_table_has_a_column_for_each_figure_and_medians() {
        let cell = cells::named("=cut-10ms").remove(0);
        let mut table = Table::new(&cell, 3);
        for next in [130_000.0, 110_000.0, 120_000.0] {
            table.add("b", vec![("next_us", next), ("failed", 0.0)]);
        }
        table.add("a", vec![("failed", 7.0)]);
        table.sort(&["a", "b"]);
        let text = table.to_string();
        let rows: Vec<Vec<&str>> = text.lines().skip(2).map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows, [vec!["a", "–", "7.00"], vec!["b", "120.0", "0.00"]]);
        assert_eq!(table.json_lines().lines().count(), 4);
    }
}
