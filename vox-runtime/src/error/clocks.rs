//! What an expired operation's error says beside its place: what time the id says, and what time it is by the server's clock.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use facet::Facet;

/// The time that an operation's id says, and the server's time, by which the server judges the id.
///
/// The caller's end fills it in when a call ends with [`OperationExpired`](enum@crate::VoxError); it is empty in an error that was made
/// by hand. It counts for nothing when errors are compared.
#[derive(Clone, Default, Facet)]
pub struct Clocks(Option<Box<Times>>);

/// In milliseconds since 1970.
#[derive(Clone, Facet)]
struct Times {
    id: u64,
    server: u64,
}

impl Clocks {
    /// No times.
    pub const UNKNOWN: Self = Self(None);

    /// An id's time and the server's, each to the millisecond.
    pub fn new(id: SystemTime, server: SystemTime) -> Self {
        Self(Some(Box::new(Times { id: millis(id), server: millis(server) })))
    }

    /// The time that the id says.
    pub fn id(&self) -> Option<SystemTime> {
        self.0.as_ref().and_then(|times| UNIX_EPOCH.checked_add(Duration::from_millis(times.id)))
    }

    /// What time it was by the server's clock when the call ended, as far as this end can tell: what the server said in the last handshake,
    /// and the time since.
    pub fn server(&self) -> Option<SystemTime> {
        self.0.as_ref().and_then(|times| UNIX_EPOCH.checked_add(Duration::from_millis(times.server)))
    }

    /// Takes `other` where nothing is known.
    pub(super) fn or(&mut self, other: impl FnOnce() -> Self) {
        if self.0.is_none() {
            *self = other();
        }
    }
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// As in `it says 2026-11-28 09:30:00 UTC, and by the server's clock it is 2026-11-29 11:20:03 UTC`.
impl fmt::Display for Clocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(times) = &self.0 else { return f.write_str("its time and the server's are not known") };
        f.write_str("it says ")?;
        write_utc(f, times.id)?;
        f.write_str(", and by the server's clock it is ")?;
        write_utc(f, times.server)
    }
}

impl fmt::Debug for Clocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_some() { fmt::Display::fmt(self, f) } else { f.write_str("_") }
    }
}

/// All are equal, so that errors are compared by what happened and not by when.
impl PartialEq for Clocks {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Clocks {}

/// Writes a time, in milliseconds since 1970, by the calendar.
fn write_utc(f: &mut fmt::Formatter<'_>, millis: u64) -> fmt::Result {
    let seconds = millis / 1000;
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// The year, month and day of the Gregorian calendar, so many days after the first of January 1970.
///
/// It counts from the first of March of year 0: then the leap day is a year's last, and 153 days are five months.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(seconds: u64) -> String {
        let time = UNIX_EPOCH + Duration::from_secs(seconds);
        let text = Clocks::new(time, UNIX_EPOCH).to_string();
        text.strip_prefix("it says ").and_then(|rest| rest.split_once(',')).expect("two times").0.to_owned()
    }

    #[test]
    fn times_are_told_by_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (951_868_800, "2000-03-01 00:00:00 UTC"),
            (1_700_000_000, "2023-11-14 22:13:20 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(utc(seconds), text);
        }
        // The last time that an id can say.
        assert_eq!(utc(((1 << 48) - 1) / 1000), "10889-08-02 05:31:50 UTC");
    }

    #[test]
    fn any_number_is_a_time() {
        let last = Clocks(Some(Box::new(Times { id: u64::MAX, server: u64::MAX })));
        assert!(!last.to_string().is_empty());
        assert_eq!((Clocks::UNKNOWN.id(), Clocks::UNKNOWN.server()), (None, None));
        assert_eq!(last, Clocks::UNKNOWN);
    }
}
