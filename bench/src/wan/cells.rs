//! The cells: what is measured over which link.

use std::time::Duration;

use super::line::Line;
use crate::far::Large;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// Echoes of a `u64`, so many in flight.
    Echo(u64),
    Numbers,
    Chunks,
    Put,
    Beside(Large),
    /// Connecting, and the first call.
    Connect,
    Cut,
}

/// One cell.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) measure: Measure,
    pub(super) line: Line,
}

type Network = (&'static str, u64, u64);

/// Names, microseconds there and back, Mbit in a second.
const LOCAL: Network = ("0.2ms", 200, 0);
const LOCAL_1G: Network = ("0.2ms-1g", 200, 1000);
const NEAR: Network = ("10ms", 10_000, 0);
const NEAR_100M: Network = ("10ms-100m", 10_000, 100);
const FAR: Network = ("50ms", 50_000, 0);
const FAR_100M: Network = ("50ms-100m", 50_000, 100);
const FAR_10M: Network = ("50ms-10m", 50_000, 10);
const FARTHEST_100M: Network = ("150ms-100m", 150_000, 100);
const FARTHEST_10M: Network = ("150ms-10m", 150_000, 10);

const MEASURES: &[(&str, &str, Measure, &[Network])] = &[
    ("unary", "echo of a u64, one in flight", Measure::Echo(1), &[LOCAL, NEAR, FAR_100M, FARTHEST_10M]),
    (
        "unary-64",
        "echo of a u64, 64 in flight",
        Measure::Echo(64),
        &[LOCAL, LOCAL_1G, NEAR_100M, FAR_100M, FARTHEST_100M],
    ),
    ("connect", "connecting and the first call, in round trips", Measure::Connect, &[NEAR, FAR]),
    (
        "numbers",
        "u64 from server to client",
        Measure::Numbers,
        &[LOCAL, NEAR, NEAR_100M, FAR_100M, FAR_10M, FARTHEST_100M],
    ),
    (
        "chunks",
        "items of 16 KiB from server to client",
        Measure::Chunks,
        &[LOCAL, LOCAL_1G, NEAR, NEAR_100M, FAR_100M, FAR_10M, FARTHEST_100M, FARTHEST_10M],
    ),
    (
        "put",
        "a call of 4 MiB less 1 KiB up, the first and the second",
        Measure::Put,
        &[NEAR, NEAR_100M, FAR_100M, FARTHEST_100M, FARTHEST_10M],
    ),
    ("beside-stream", "a small call every 25 ms beside 8 MiB of items", Measure::Beside(Large::Stream), &[FAR_10M]),
    ("beside-calls", "a small call every 25 ms beside calls of 1 MiB", Measure::Beside(Large::Calls), &[FAR_10M]),
    ("beside-replies", "a small call every 25 ms beside replies of 1 MiB", Measure::Beside(Large::Replies), &[FAR_10M]),
    ("cut", "from a cut, and from when the link is back, to the next good call", Measure::Cut, &[NEAR]),
];

/// Every cell there is.
pub(super) fn all() -> Vec<Cell> {
    let mut cells = Vec::new();
    for &(name, title, measure, ways) in MEASURES {
        for &(way, micros, mbit) in ways {
            let rate = if mbit == 0 { "any rate".to_owned() } else { format!("{mbit} Mbit/s") };
            let title = format!("{title}; {} ms there and back, {rate}", micros as f64 / 1e3);
            let line = Line { rtt: Duration::from_micros(micros), rate: mbit * 1_000_000 };
            cells.push(Cell { name: format!("{name}-{way}"), title, measure, line });
        }
    }
    cells
}

/// Those that a word means: `all`, one by its full name with a `=` before it, or all whose name begins or ends so.
pub(super) fn named(word: &str) -> Vec<Cell> {
    let is_meant = |name: &str| match word.strip_prefix('=') {
        Some(exact) => name == exact,
        None => {
            word == "all"
                || name.starts_with(&format!("{word}-"))
                || name.ends_with(&format!("-{word}"))
                || name == word
        }
    };
    all().into_iter().filter(|cell| is_meant(&cell.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_found_by_what_is_measured_and_by_their_link() {
        let names = |word: &str| named(word).into_iter().map(|cell| cell.name).collect::<Vec<_>>();
        assert_eq!(names("cut"), ["cut-10ms"]);
        assert_eq!(names("=put-10ms"), ["put-10ms"]);
        assert_eq!(names("150ms-10m"), ["unary-150ms-10m", "chunks-150ms-10m", "put-150ms-10m"]);
        assert_eq!(names("all").len(), all().len());
        assert!(names("nothing").is_empty());
    }
}
