//! What is asked of a client over a network, and how it is timed: the same loops for all contenders.

use std::fmt;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::calls::Calls;
use crate::contender::{Fault, expect};

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Far {
    /// A stream of `u64` from the server, for so long.
    Numbers(Duration),
    /// A stream of items of [`CHUNK`] bytes from the server, for so long.
    Chunks(Duration),
    /// Two calls, one after the other, which bring so many bytes up.
    Put(usize),
    /// A small call every [`EVERY`] beside a large transfer.
    Beside(Large),
}

/// What small calls are beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Large {
    /// A stream of 8 MiB from the server, in items of [`CHUNK`] bytes.
    Stream,
    /// Eight calls, one after the other, that bring 1 MiB up.
    Calls,
    /// Eight calls, one after the other, whose replies bring 1 MiB down.
    Replies,
}

/// How long an item of a stream of large ones is.
pub const CHUNK: usize = 16 << 10;
/// How often a small call is made.
pub const EVERY: Duration = Duration::from_millis(25);
/// A large call, and how many of them there are.
const LARGE: usize = 1 << 20;
const LARGE_CALLS: usize = 8;
/// How many items of a stream there are between looks at the clock, where they are small.
const STRIDE: u64 = 64;

/// Figures by their names. Times are in microseconds.
pub type Figures = Vec<(&'static str, f64)>;

/// This contender has nothing of the kind.
#[derive(Debug)]
pub struct NotOffered;

impl fmt::Display for NotOffered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it has nothing of the kind")
    }
}

impl std::error::Error for NotOffered {}

/// Counts the items of a stream, and says when there were enough.
#[derive(Debug)]
pub struct Meter {
    began: Instant,
    length: Duration,
    stride: u64,
    most: u64,
    count: u64,
    /// The first looks at the clock after one second and after two, and the last: how many there were, and when.
    marks: [Option<(u64, Duration)>; 3],
}

impl Meter {
    fn new(length: Duration, most: u64, stride: u64) -> Self {
        Self { began: Instant::now(), length, stride, most, count: 0, marks: [None; 3] }
    }

    /// How many there were. The next of a stream of numbers is this one.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// One more was taken. `false`: there were enough.
    pub fn took(&mut self) -> bool {
        self.count += 1;
        let is_last = self.count >= self.most;
        if !is_last && !self.count.is_multiple_of(self.stride) {
            return true;
        }
        let mark = Some((self.count, self.began.elapsed()));
        let elapsed = self.began.elapsed();
        for (at, mark_at) in [Duration::from_secs(1), Duration::from_secs(2)].into_iter().enumerate() {
            if elapsed >= mark_at && self.marks[at].is_none() {
                self.marks[at] = mark;
            }
        }
        self.marks[2] = mark;
        !is_last && elapsed < self.length
    }

    /// Items in a second: over the first, and from two on, or of all where it was over by then.
    fn rates(&self) -> (f64, f64) {
        let last = self.marks[2].unwrap_or((self.count, self.began.elapsed()));
        let rate = |from: (u64, Duration), to: (u64, Duration)| {
            (to.0 - from.0) as f64 / (to.1.saturating_sub(from.1)).as_secs_f64().max(1e-9)
        };
        let start = (0, Duration::ZERO);
        let later = self.marks[1].filter(|mark| mark.0 < last.0).unwrap_or(start);
        (rate(start, self.marks[0].unwrap_or(last)), rate(later, last))
    }
}

/// Does it.
pub(crate) async fn drive<C: Calls>(client: &mut C, far: Far) -> Result<Figures, Fault> {
    match far {
        Far::Numbers(length) => {
            let mut meter = Meter::new(length, u64::MAX, STRIDE);
            client.numbers_into(u64::MAX, &mut meter).await?;
            let (first, later) = meter.rates();
            Ok(vec![("first_items_s", first), ("items_s", later), ("operations", meter.count() as f64)])
        }
        Far::Chunks(length) => {
            let mut meter = Meter::new(length, u64::MAX, 1);
            client.chunks_into(u64::MAX, &mut meter).await?;
            let (first, later) = meter.rates();
            let (first, later) = (first * CHUNK as f64, later * CHUNK as f64);
            Ok(vec![("first_bytes_s", first), ("bytes_s", later), ("operations", meter.count() as f64)])
        }
        Far::Put(bytes) => {
            let mut took = [0.0; 2];
            for took in &mut took {
                let began = Instant::now();
                expect(client.put(vec![7; bytes]).await?, bytes as u64)?;
                *took = micros(began.elapsed());
            }
            Ok(vec![("first_us", took[0]), ("second_us", took[1]), ("operations", 2.0)])
        }
        Far::Beside(large) => beside(client, large).await,
    }
}

async fn beside<C: Calls>(client: &C, large: Large) -> Result<Figures, Fault> {
    let mut other = client.clone();
    let began = Instant::now();
    let transfer = tokio::spawn(async move {
        transfer(&mut other, large).await?;
        Ok::<f64, Fault>(micros(began.elapsed()))
    });
    let mut small = JoinSet::new();
    let mut ticks = tokio::time::interval(EVERY);
    while !transfer.is_finished() {
        ticks.tick().await;
        let mut client = client.clone();
        small.spawn(async move {
            let began = Instant::now();
            expect(client.echo(1).await?, 1)?;
            Ok::<f64, Fault>(micros(began.elapsed()))
        });
    }
    let took = transfer.await??;
    let mut times = Vec::new();
    while let Some(time) = small.join_next().await {
        times.push(time??);
    }
    times.sort_unstable_by(f64::total_cmp);
    let at = |percent: usize| times.get((times.len().max(1) - 1) * percent / 100).copied().unwrap_or(0.0);
    Ok(vec![("p50_us", at(50)), ("p99_us", at(99)), ("took_us", took), ("operations", 1.0)])
}

async fn transfer<C: Calls>(client: &mut C, large: Large) -> Result<(), Fault> {
    match large {
        Large::Stream => {
            let items = (LARGE * LARGE_CALLS / CHUNK) as u64;
            client.chunks_into(items, &mut Meter::new(Duration::MAX, items, 1)).await
        }
        Large::Calls => {
            for _ in 0..LARGE_CALLS {
                expect(client.put(vec![7; LARGE]).await?, LARGE as u64)?;
            }
            Ok(())
        }
        Large::Replies => {
            for _ in 0..LARGE_CALLS {
                expect(client.get(LARGE as u64).await?, LARGE)?;
            }
            Ok(())
        }
    }
}

pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meter_gives_the_rates_before_one_second_and_after_two() {
        let mut meter = Meter::new(Duration::from_secs(60), 1_000, 1);
        let since = |seconds: u64| Instant::now().checked_sub(Duration::from_secs(seconds)).expect("long up");
        for count in 1..=400_u64 {
            // 100 in each second.
            meter.began = since((count - 1) / 100);
            assert!(meter.took());
        }
        let (first, later) = meter.rates();
        assert!((95.0..=101.5).contains(&first), "{first}");
        assert!((190.0..=199.5).contains(&later), "{later}");
    }

    #[test]
    fn a_meter_ends_with_its_items() {
        let mut meter = Meter::new(Duration::MAX, 3, 64);
        assert_eq!([meter.took(), meter.took(), meter.took()], [true, true, false]);
        assert!(meter.rates().1 > 0.0);
    }
}
