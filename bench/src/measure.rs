//! Clocks, and figures made of what they say.

use std::io;
use std::time::{Duration, Instant};

/// What one batch took, per operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// Nanoseconds on the wall.
    pub(crate) wall: f64,
    /// Nanoseconds of processor time, of both ends together.
    pub(crate) cpu: f64,
}

/// The value below which that part of a hundred lies; 0 of none. Sorts them.
pub(crate) fn percentile(times: &mut [u32], percent: usize) -> u32 {
    times.sort_unstable();
    times.get((times.len().max(1) - 1) * percent / 100).copied().unwrap_or(0)
}

/// A measurement under way.
pub(crate) struct Stopwatch {
    clocks: Vec<libc::clockid_t>,
    wall: Instant,
    cpu: Duration,
}

impl Stopwatch {
    /// Starts; counts the processor time of this process and, where there is one, of the other.
    pub(crate) fn start(other: Option<u32>) -> io::Result<Self> {
        let mut clocks = vec![libc::CLOCK_PROCESS_CPUTIME_ID];
        if let Some(process) = other {
            clocks.push(clock_of(process)?);
        }
        let cpu = total(&clocks)?;
        Ok(Self { clocks, wall: Instant::now(), cpu })
    }

    /// What it took, by so many operations.
    pub(crate) fn stop(self, operations: u64) -> io::Result<Sample> {
        let wall = self.wall.elapsed();
        let cpu = total(&self.clocks)? - self.cpu;
        let each = |time: Duration| time.as_nanos() as f64 / operations as f64;
        Ok(Sample { wall: each(wall), cpu: each(cpu) })
    }
}

fn total(clocks: &[libc::clockid_t]) -> io::Result<Duration> {
    clocks.iter().map(|clock| read(*clock)).sum()
}

fn clock_of(process: u32) -> io::Result<libc::clockid_t> {
    let mut clock = 0;
    // SAFETY: the pointer is to a live clock id.
    match unsafe { libc::clock_getcpuclockid(process as libc::pid_t, &raw mut clock) } {
        0 => Ok(clock),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

fn read(clock: libc::clockid_t) -> io::Result<Duration> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live timespec.
    match unsafe { libc::clock_gettime(clock, &raw mut time) } {
        0 => Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The median, and where the middle half lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Summary {
    /// Of at least one value.
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let at = |quarters: usize| {
            let place = (values.len() - 1) * quarters;
            let (below, part) = (place / 4, (place % 4) as f64 / 4.0);
            let above = values.get(below + 1).copied().unwrap_or(values[below]);
            values[below] + part * (above - values[below])
        };
        Self { median: at(2), low: at(1), high: at(3) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        let mut times: Vec<u32> = (0..=100).rev().collect();
        assert_eq!((percentile(&mut times, 50), percentile(&mut times, 99)), (50, 99));
        assert_eq!((percentile(&mut [], 50), percentile(&mut [3], 99)), (0, 3));
    }

    #[test]
    fn a_summary_is_the_median_and_the_quartiles() {
        let summary = Summary::of([5.0, 1.0, 3.0, 2.0, 4.0].into_iter());
        assert_eq!((summary.low, summary.median, summary.high), (2.0, 3.0, 4.0));
        let summary = Summary::of([7.0].into_iter());
        assert_eq!((summary.low, summary.median, summary.high), (7.0, 7.0, 7.0));
    }
}
