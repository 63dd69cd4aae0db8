//! The receive window of a channel: it lets the sender send, and grows to what the link carries.
//!
//! The window is counted in items and in bytes, which grow and shrink in proportion. What the sender may still send and what has come and is not
//! consumed make the window together, so it grows by a grant of more than was consumed, and shrinks where what was consumed is not granted.
//! It grows while its reader keeps up, up to a bound and to the memory that the session may promise; how far, [`Rounds`] says.

use std::time::Instant;

use super::memory_ledger::ITEM;
use super::send_credit::CREDIT_CEILING;
use super::window_size::{Rounds, Verdict};

/// A window grants once an eighth of it is free: sooner, and grants are many; later, and the sender stands still for that part of it at each round.
const GRANTS: i64 = 8;

/// What the memory of the session says to a window that has consumed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// Windows may promise so many bytes more.
    For(usize),
    /// Windows go back to what they were at first.
    Little,
    /// As well, and those whose readers have not read everything are granted nothing.
    None,
}

/// The receiver's side: what the sender may still send, and what came and is not consumed.
#[derive(Debug)]
pub(crate) struct Window {
    /// What it was at first and never falls below, and how many bytes it may grow to.
    base: (i64, i64),
    most: i64,
    size: (i64, i64),
    left: (i64, i64),
    kept: (i64, i64),
    /// A channel over which little comes never has it.
    rounds: Option<Box<Rounds>>,
}

impl Window {
    pub(crate) fn new(items: u32, bytes: u32, most: u32) -> Self {
        let base = (i64::from(items.max(1)), i64::from(bytes.max(1)));
        let most = i64::from(most).max(base.1);
        Self { base, most, size: base, left: base, kept: (0, 0), rounds: None }
    }

    /// Whether the sender has credit for so many items.
    #[inline]
    pub(crate) fn has_credit(&self, items: i64) -> bool {
        items <= self.left.0
    }

    /// Counts a run of items that arrived, the last of which had so many bytes. `Err` where the sender had no credit for one of them, with what
    /// it had in items and bytes. The last item may overdraw what those before it left, so that is the one to look at.
    #[inline]
    pub(crate) fn receive(&mut self, now: Instant, items: i64, bytes: i64, last: i64) -> Result<(), (i64, i64)> {
        if self.left.0 < items || self.left.1 <= bytes - last {
            return Err(self.left);
        }
        self.left.0 -= items;
        self.left.1 -= bytes;
        self.kept.0 += items;
        self.kept.1 += bytes;
        self.note_run(now, items, bytes, last);
        Ok(())
    }

    #[inline]
    fn note_run(&mut self, now: Instant, items: i64, bytes: i64, last: i64) {
        if let Some(rounds) = &mut self.rounds {
            let weight = bytes.max(items * self.base.1 / self.base.0);
            rounds.note(now, (items, bytes), last, weight, self.size.1);
        }
    }

    /// The items that arrived and were not consumed, and their bytes.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> (i64, i64) {
        self.kept
    }

    /// Counts items that were consumed. Gives back a grant once an eighth of the window is free, so that grants are few and the sender never
    /// runs dry while its reader keeps up; or, where memory is short, once all that came is consumed.
    pub(crate) fn consume(&mut self, now: Instant, items: u32, bytes: u64, room: Room) -> Option<(u32, u32)> {
        self.kept.0 -= i64::from(items);
        self.kept.1 -= i64::try_from(bytes).unwrap_or(CREDIT_CEILING);
        self.fit(now, room);
        if room == Room::None && self.kept.0 > 0 {
            return None;
        }
        let free = |size: i64, left: i64, kept: i64| (size - left - kept).max(0);
        let grant = (free(self.size.0, self.left.0, self.kept.0), free(self.size.1, self.left.1, self.kept.1));
        if grant == (0, 0) || (grant.0 * GRANTS < self.size.0 && grant.1 * GRANTS < self.size.1) {
            return None;
        }
        self.rounds.get_or_insert_with(|| Box::new(Rounds::new(now))).granted(now, self.left);
        self.left.0 += grant.0;
        self.left.1 += grant.1;
        let narrow = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
        Some((narrow(grant.0), narrow(grant.1)))
    }

    /// What is promised beyond the window that each channel has at first, as it would be charged if it came.
    pub(crate) fn promised(&self) -> usize {
        let most = |size: i64, left: i64, kept: i64| size.max(left + kept);
        let (items, bytes) = (most(self.size.0, self.left.0, self.kept.0), most(self.size.1, self.left.1, self.kept.1));
        // One item may overdraw a window, and that is charged when it comes.
        ((items - self.base.0).max(0) as usize) * ITEM + (bytes.min(self.most) - self.base.1).max(0) as usize
    }

    /// Grows or shrinks, by what the last round said and the memory allows.
    fn fit(&mut self, now: Instant, room: Room) {
        let Some(rounds) = &self.rounds else { return };
        let verdict = rounds.verdict(now);
        let to = match (room, verdict) {
            (Room::Little | Room::None, _) => self.base.1,
            (Room::For(_), None) => return,
            (Room::For(_), Some(Verdict::Shrink(to))) => to.clamp(self.base.1, self.size.1),
            // Who has yet to read what has come gets more once that is read, and no more if it never is.
            (Room::For(_), Some(Verdict::Grow(_))) if self.is_behind() => return,
            (Room::For(more), Some(Verdict::Grow(to))) => to.min(self.most).min(self.affordable(more)).max(self.size.1),
        };
        if let Some(rounds) = &mut self.rounds {
            rounds.settle();
        }
        self.resize(to);
    }

    /// Whether half of the window has come and is not read.
    fn is_behind(&self) -> bool {
        self.kept.0 * 2 > self.size.0 || self.kept.1 * 2 > self.size.1
    }

    /// How many bytes the window may have where so much more may be promised.
    fn affordable(&self, more: usize) -> i64 {
        let promised = i128::from((self.promised() + more) as u64);
        let (items, bytes) = (i128::from(self.base.0), i128::from(self.base.1));
        let beyond = promised * bytes / (bytes + items * ITEM as i128);
        self.base.1.saturating_add(i64::try_from(beyond).unwrap_or(CREDIT_CEILING))
    }

    fn resize(&mut self, bytes: i64) {
        let items = i128::from(bytes) * i128::from(self.base.0) / i128::from(self.base.1);
        self.size = (i64::try_from(items).unwrap_or(CREDIT_CEILING).clamp(self.base.0, CREDIT_CEILING), bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::send_credit::SendCredit;
    use super::*;
    use crate::proto::testing::epoch;

    const PLENTY: Room = Room::For(1 << 30);

    /// An item arrives by itself.
    fn one(window: &mut Window, now: Instant, len: usize) -> Result<(), (i64, i64)> {
        window.receive(now, 1, len as i64, len as i64)
    }

    /// Pitfall 31: what a sender has, and what is under way and kept, are never more than the window, and the same once all is granted.
    #[test]
    fn pitfall_31_grants_never_exceed_what_the_window_allows() {
        let now = epoch();
        let mut window = Window::new(16, 1000, 1000);
        let mut credit = SendCredit::new(16, 1000);
        let mut seed = 7u64;
        let mut queue = std::collections::VecDeque::new();
        for _ in 0..100_000 {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let len = (seed >> 33) as usize % 300;
            let room = if seed & 64 == 0 { Room::None } else { PLENTY };
            if seed >> 63 == 0 && credit.may_send() {
                credit.charge(len);
                one(&mut window, now, len).expect("a sender with credit is never refused");
                queue.push_back(len);
            } else if let Some(len) = queue.pop_front()
                && let Some((items, bytes)) = window.consume(now, 1, len as u64, room)
            {
                credit.grant(items, bytes).expect("honest grants stay under the ceiling");
            }
            assert!(queue.len() <= 16);
            let queued: usize = queue.iter().sum();
            assert_eq!(window.kept, (queue.len() as i64, queued as i64));
            assert!(window.left.0 + window.kept.0 <= 16 && window.left.1 + window.kept.1 <= 1000);
            assert!(!queue.is_empty() || credit.may_send(), "a sender whose items are all consumed may send");
            assert_eq!(credit.left(), window.left);
        }
    }

    #[test]
    fn where_memory_is_short_only_who_has_read_everything_is_granted_more() {
        let now = epoch();
        let mut window = Window::new(4, 100, 100);
        (0..4).for_each(|_| one(&mut window, now, 10).expect("credit"));
        assert_eq!([window.consume(now, 2, 20, Room::None), window.consume(now, 1, 10, Room::None)], [None, None]);
        assert_eq!(window.consume(now, 1, 10, Room::None), Some((4, 40)));
        (0..4).for_each(|_| one(&mut window, now, 10).expect("credit"));
        assert_eq!([window.consume(now, 2, 20, Room::None), window.consume(now, 1, 10, PLENTY)], [None, Some((3, 30))]);
    }

    // proves: credit.overdraw
    #[test]
    fn one_item_may_overdraw_the_window_and_the_next_may_not() {
        let now = epoch();
        let mut window = Window::new(4, 100, 100);
        assert_eq!(one(&mut window, now, 5000), Ok(()));
        assert_eq!(one(&mut window, now, 1), Err((3, -4900)));
        assert_eq!(window.consume(now, 1, 5000, Room::None), Some((1, 5000)));
        assert_eq!(one(&mut window, now, 1), Ok(()));
    }

    #[test]
    fn a_run_needs_credit_for_every_item_but_for_the_bytes_of_the_last() {
        let window = || Window::new(3, 100, 100);
        let run = |items, bytes, last| window().receive(epoch(), items, bytes, last);
        assert_eq!([run(3, 99 + 5000, 5000), run(3, 99, 0), run(1, 5000, 5000)], [Ok(()); 3]);
        assert_eq!([run(4, 4, 1), run(2, 100 + 1, 1), run(3, 150, 50)], [Err((3, 100)); 3]);
    }

    /// A sender that always has something to send, over a link with a rate and a delay, to a reader that takes what comes, at so many bytes a
    /// second at most.
    struct Stream {
        began: Instant,
        now: Instant,
        window: Window,
        credit: SendCredit,
        /// Grants and items under way, by when they come.
        grants: std::collections::VecDeque<(Instant, (u32, u32))>,
        items: std::collections::VecDeque<Instant>,
        /// Until when the link is busy, and the reader.
        busy: Instant,
        reading: Instant,
        unread: std::collections::VecDeque<Instant>,
        read: usize,
        queue: Duration,
    }

    struct SimulatedLink {
        delay: Duration,
        rate: f64,
        item: usize,
        reader: f64,
        room: Room,
        /// What comes within so long is read from the link at once.
        burst: Duration,
    }

    impl Stream {
        fn new(window: Window) -> Self {
            let (now, credit) = (epoch(), SendCredit::new(window.left.0 as u64, window.left.1 as u64));
            Self {
                began: now,
                now,
                window,
                credit,
                grants: [].into(),
                items: [].into(),
                busy: now,
                reading: now,
                unread: [].into(),
                read: 0,
                queue: Duration::ZERO,
            }
        }

        /// Runs for so long. Gives how many bytes were read, and the longest queue at the link.
        fn run(&mut self, way: &SimulatedLink, time: Duration) -> (usize, Duration) {
            let end = self.now + time;
            (self.read, self.queue) = (0, Duration::ZERO);
            loop {
                while self.credit.may_send() {
                    self.credit.charge(way.item);
                    self.busy = self.busy.max(self.now) + Duration::from_secs_f64(way.item as f64 / way.rate);
                    self.queue = self.queue.max(self.busy - self.now);
                    let (comes, burst) = (self.busy + way.delay, way.burst.as_nanos().max(1) as u64);
                    let since = (comes - self.began).as_nanos() as u64;
                    self.items.push_back(self.began + Duration::from_nanos(since.next_multiple_of(burst)));
                }
                let next = [
                    self.grants.front().map(|grant| grant.0),
                    self.items.front().copied(),
                    self.unread.front().copied(),
                ];
                let Some(next) = next.into_iter().flatten().min().filter(|next| *next <= end) else { break };
                self.now = next;
                if self.grants.front().is_some_and(|grant| grant.0 == next) {
                    let (_, (items, bytes)) = self.grants.pop_front().expect("a grant");
                    self.credit.grant(items, bytes).expect("within the ceiling");
                } else if self.items.front() == Some(&next) {
                    self.items.pop_front();
                    one(&mut self.window, next, way.item).expect("credit");
                    self.reading = self.reading.max(next) + Duration::from_secs_f64(way.item as f64 / way.reader);
                    self.unread.push_back(self.reading);
                } else {
                    self.unread.pop_front();
                    self.read += way.item;
                    let grant = self.window.consume(next, 1, way.item as u64, way.room);
                    self.grants.extend(grant.map(|grant| (next + way.delay, grant)));
                }
                assert!(self.window.size.1 <= self.window.most, "the window passes its bound");
            }
            self.now = end;
            (self.read, self.queue)
        }
    }

    fn way(round_trip: u64, rate: f64, item: usize) -> SimulatedLink {
        SimulatedLink {
            delay: Duration::from_millis(round_trip) / 2,
            rate,
            item,
            reader: 1e9,
            room: PLENTY,
            burst: Duration::ZERO,
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_window_grows_within_a_second_to_what_the_link_holds_and_little_more() {
        for (round_trip, rate) in [(10, 12.5e6), (50, 12.5e6), (50, 1.25e6), (150, 12.5e6), (150, 1.25e6), (10, 200e6)]
        {
            for item in [20, 1000, 16 << 10] {
                if rate / item as f64 > 1e6 {
                    continue;
                }
                let way = way(round_trip, rate, item);
                let mut stream = Stream::new(Window::new(4096, 64 << 10, 4 << 20));
                let (first, _) = stream.run(&way, SECOND);
                let (then, queue) = stream.run(&way, 2 * SECOND);
                let what = format!(
                    "{round_trip} ms, {rate} B/s, items of {item}: {first}, {then}, {queue:?}, {:?}",
                    stream.window
                );
                assert!(then as f64 >= 1.96 * rate, "{what}");
                let item = Duration::from_secs_f64(item as f64 / rate);
                assert!(queue <= way.delay + item + Duration::from_millis(30), "{what}");
            }
        }
    }

    /// A reader finds all that came since it looked last, so that much is kept when it begins to read that.
    #[test]
    fn a_window_grows_where_what_comes_is_found_in_lumps() {
        // In the last of them a lump is more than the window at first, and the window stops short of all that the link carries.
        let links = [(50, 1e7, 2, 16, 0.96), (50, 1e7, 4, 1000, 0.96), (10, 1e8, 1, 160, 0.8)];
        for (round_trip, rate, burst, item, share) in links {
            let way = SimulatedLink { burst: Duration::from_millis(burst), ..way(round_trip, rate, item) };
            let mut stream = Stream::new(Window::new(4096, 64 << 10, 4 << 20));
            stream.run(&way, SECOND);
            let (read, _) = stream.run(&way, SECOND);
            assert!(read as f64 >= share * rate, "{burst} ms, {item}: {read} bytes by {:?}", stream.window);
        }
    }

    #[test]
    fn a_window_grows_to_its_bound_and_no_further() {
        let mut stream = Stream::new(Window::new(4096, 64 << 10, 200_000));
        stream.run(&way(50, 1e8, 1000), SECOND);
        assert_eq!(stream.window.size, (12_500, 200_000));
    }

    #[test]
    fn a_slow_reader_has_the_window_that_it_had_at_first() {
        // Of the longer items one fills the window, so that nothing is kept when it is read.
        for item in [1000, 66_000] {
            let mut stream = Stream::new(Window::new(4096, 64 << 10, 4 << 20));
            let way = SimulatedLink { reader: 1e5, ..way(10, 1e8, item) };
            stream.run(&way, 5 * SECOND);
            assert_eq!(stream.window.size, (4096, 64 << 10), "items of {item}");
        }
    }

    #[test]
    fn windows_grow_by_no_more_than_there_is_room_for() {
        let mut stream = Stream::new(Window::new(4096, 64 << 10, 4 << 20));
        let way = SimulatedLink { room: Room::For(0), ..way(50, 1e8, 1000) };
        stream.run(&way, SECOND);
        assert_eq!((stream.window.size, stream.window.promised()), ((4096, 64 << 10), 0));
    }

    // proves: memory.credit
    #[test]
    fn a_grown_window_shrinks_where_memory_is_short_and_where_little_comes() {
        // So short that they take their share of the window in items and in bytes.
        let fast = |room| SimulatedLink { room, ..way(50, 1e7, 16) };
        let grown = || {
            let mut stream = Stream::new(Window::new(4096, 64 << 10, 4 << 20));
            stream.run(&fast(PLENTY), SECOND);
            assert!(stream.window.size.1 > 500_000 && stream.window.promised() > 2_000_000, "{:?}", stream.window);
            stream
        };
        for room in [Room::Little, Room::None] {
            let mut stream = grown();
            stream.run(&fast(room), SECOND / 2);
            assert_eq!((stream.window.size, stream.window.promised()), ((4096, 64 << 10), 0), "{room:?}");
        }
        let mut stream = grown();
        stream.run(&way(50, 1e5, 16), 20 * SECOND);
        assert_eq!((stream.window.size, stream.window.promised()), ((4096, 64 << 10), 0));
    }
}
