//! How many bytes of long messages a link gets at a time, by how fast it takes them.

use std::time::Duration;

use crate::transport::LEAST_UNSENT;
use crate::wire::PART;

/// How long a link should take for what it is given at a time, in microseconds.
const TIME: u32 = 5_000;
/// How many bytes of long messages a batch has: at first, and at least. And at most, which is the most that the kernel keeps unsent too.
const BATCH: u32 = PART as u32;
const FEWEST: u32 = BATCH / 4;
const MOST: u32 = 16 * BATCH;
/// At most where long messages take turns: the kernel has others of them to send meanwhile, and what is short waits for less.
const MOST_IN_TURNS: u32 = 4 * BATCH;

/// The pace of one link.
pub(super) struct Pace {
    /// How many bytes of long messages the next batch has. What is short and comes up meanwhile waits for those.
    batch: u32,
    /// How many bytes the kernel is to keep that it has not sent. What is short, and other long messages, wait for those as well.
    unsent: u32,
    /// How many bytes were written since the two were last fitted to the link, and for how many microseconds it took none meanwhile.
    written: u32,
    waited: u32,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { batch: BATCH, unsent: LEAST_UNSENT, written: 0, waited: 0 }
    }

    pub(super) fn batch(&self) -> usize {
        self.batch as usize
    }

    /// So much was written, after the link had taken nothing for so long. `turns`: of messages that take turns. Tells what the kernel is
    /// to keep from now on, if that changes.
    pub(super) fn note(&mut self, written: usize, waited: Duration, turns: bool) -> Option<u32> {
        self.written = self.written.saturating_add(u32::try_from(written).unwrap_or(u32::MAX));
        self.waited = self.waited.saturating_add(u32::try_from(waited.as_micros()).unwrap_or(u32::MAX));
        let mut unsent = if turns { LEAST_UNSENT } else { self.unsent };
        // By less than some times what the kernel keeps one does not see how fast it sends.
        if self.written >= self.batch.max(4 * unsent) || self.waited >= TIME {
            let in_time = u64::from(self.written) * u64::from(TIME) / u64::from(self.waited.max(1));
            let in_time = u32::try_from(in_time).unwrap_or(u32::MAX);
            // What the kernels of both ends take at first tells nothing of the link, and what is short waits for a whole batch.
            let most = if turns { MOST_IN_TURNS } else { MOST };
            self.batch = in_time.clamp(FEWEST, most.min(2 * self.batch));
            if !turns {
                unsent = self.fitting_unsent(in_time);
            }
            (self.written, self.waited) = (0, 0);
        }
        let changes = unsent != self.unsent;
        self.unsent = unsent;
        changes.then_some(unsent)
    }

    /// Less at once where the link has slowed. Twice as much where it was full, and is fast all the same: one that never was has enough.
    fn fitting_unsent(&self, in_time: u32) -> u32 {
        let fitting = in_time.clamp(LEAST_UNSENT, MOST);
        match fitting / self.unsent {
            0 => LEAST_UNSENT.max(1 << fitting.ilog2()),
            1 => self.unsent,
            _ if self.waited == 0 => self.unsent,
            _ => self.unsent * 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{BATCH, FEWEST, MOST, MOST_IN_TURNS, Pace, TIME};
    use crate::transport::LEAST_UNSENT;

    /// Writes so much through a link that takes it at so many bytes a second. Gives every mark that the kernel was told.
    fn write(pace: &mut Pace, mut bytes: usize, per_second: u64) -> Vec<u32> {
        let mut told = Vec::new();
        while bytes > 0 {
            let some = bytes.min(pace.batch());
            let took = Duration::from_nanos(some as u64 * 1_000_000_000 / per_second);
            told.extend(pace.note(some, took, false));
            bytes -= some;
        }
        told
    }

    #[test]
    fn a_full_and_fast_link_has_twice_as_much_each_time_up_to_the_most() {
        let mut pace = Pace::new();
        let told = write(&mut pace, 64 << 20, 2 << 30);
        let doubled: Vec<u32> = std::iter::successors(Some(2 * LEAST_UNSENT), |mark| Some(mark * 2))
            .take_while(|mark| *mark <= MOST)
            .collect();
        assert_eq!(told, doubled);
        assert_eq!(pace.batch, MOST);
    }

    #[test]
    fn a_link_has_what_it_sends_in_the_time_and_not_twice_that() {
        let mut pace = Pace::new();
        let per_second = 100 << 20;
        let told = write(&mut pace, 64 << 20, per_second);
        let last = *told.last().unwrap() as u64 * 1_000_000 / u64::from(TIME);
        assert!(last <= per_second && per_second < 2 * last, "{told:?}");
    }

    #[test]
    fn a_link_that_has_slowed_has_the_least_after_two_batches() {
        let mut pace = Pace::new();
        write(&mut pace, 64 << 20, 2 << 30);
        let told = write(&mut pace, 2 * MOST as usize, 50_000);
        assert_eq!((told, pace.batch), (vec![LEAST_UNSENT], FEWEST));
    }

    /// Over loopback the buffers of both ends take 300 KiB before the reader's speed shows.
    #[test]
    fn what_buffers_took_at_first_makes_no_batch_that_is_longer_than_all_of_it() {
        let mut pace = Pace::new();
        let mut taken = 0;
        while taken < 300 << 10 {
            assert!(pace.batch() <= taken.max(BATCH as usize), "{} after {taken}", pace.batch());
            taken += pace.batch();
            pace.note(pace.batch(), Duration::from_micros(20), false);
        }
    }

    #[test]
    fn a_link_that_was_never_full_has_enough() {
        let mut pace = Pace::new();
        let told: Vec<u32> = (0..1_000).filter_map(|_| pace.note(100 << 10, Duration::ZERO, false)).collect();
        assert_eq!(told, []);
    }

    #[test]
    fn little_that_a_fast_link_took_tells_nothing_of_its_speed() {
        let mut pace = Pace::new();
        // The kernel had room for it: it need not have sent any of it.
        assert_eq!(pace.note(3 * LEAST_UNSENT as usize, Duration::from_micros(1), false), None);
    }

    #[test]
    fn messages_that_take_turns_have_the_least_at_once() {
        let mut pace = Pace::new();
        write(&mut pace, 64 << 20, 2 << 30);
        assert_eq!(pace.note(1, Duration::from_micros(1), true), Some(LEAST_UNSENT));
        assert_eq!(pace.note(64 << 20, Duration::from_millis(1), true), None);
        assert_eq!(pace.batch, MOST_IN_TURNS);
    }
}
