//! Breaks that somebody has accepted, each bound to one change and for a time.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use super::code::Code;
use super::parse::SnapshotError;
use super::text::quoted;
use super::tokens::Tokens;

/// A line of a snapshot that accepts one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Accepted {
    pub(super) code: Code,
    pub(super) place: String,
    /// What was there before, and what is there now.
    pub(super) before: String,
    pub(super) after: String,
    pub(super) until: Date,
    pub(super) because: String,
}

/// A day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(clippy::exhaustive_structs, reason = "a date is these three")]
pub struct Date {
    /// The year.
    pub year: u16,
    /// From 1.
    pub month: u8,
    /// From 1.
    pub day: u8,
}

impl Accepted {
    pub(super) fn read(tokens: &mut Tokens<'_>) -> Result<Self, SnapshotError> {
        tokens.word("accept")?;
        let mut fault = tokens.fault(String::new());
        let code = tokens.raw("a code, like `VX-302`")?;
        let Some(code) = Code::of(code) else {
            fault.fault = format!("there is no code `{code}`");
            return Err(fault);
        };
        let place = tokens.quotation("the place of the change in quotation marks")?;
        tokens.word("from")?;
        let before = tokens.raw("what was there before")?.to_owned();
        tokens.word("to")?;
        let after = tokens.raw("what is there now")?.to_owned();
        tokens.word("until")?;
        let mut fault = tokens.fault(String::new());
        let until = tokens.raw("a day, like `2027-01-31`")?;
        let Some(until) = Date::of(until) else {
            fault.fault = format!("`{until}` is no day; one is like `2027-01-31`");
            return Err(fault);
        };
        tokens.word("because")?;
        let because = tokens.quotation("the reason in quotation marks")?;
        Ok(Self { code, place, before, after, until, because })
    }
}

impl fmt::Display for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "accept {} ", self.code)?;
        quoted(&self.place, f)?;
        write!(f, " from {} to {} until {} because ", self.before, self.after, self.until)?;
        quoted(&self.because, f)
    }
}

impl Date {
    /// Reads one that is written like `2027-01-31`.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let mut part = |len: usize| {
            let digits = parts.next().filter(|part| part.len() == len && part.bytes().all(|b| b.is_ascii_digit()))?;
            digits.parse::<u16>().ok()
        };
        let (year, month, day) = (part(4)?, part(2)?, part(2)?);
        let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            2 => 28 + u16::from(is_leap),
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        (parts.next().is_none() && (1..=days).contains(&day)).then_some(Self {
            year,
            month: month as u8,
            day: day as u8,
        })
    }

    /// What day it is in UTC, by the clock of this machine.
    #[must_use]
    pub fn today() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::after(since.as_secs() / 86_400)
    }

    /// The day so many days after 1970-01-01.
    fn after(days: u64) -> Self {
        // Eras of 400 years from March on, so that a leap day is the last of its year.
        let days = days + 719_468;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day_of_year = day - (365 * year + year / 4 - year / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = year + era * 400 + u64::from(month <= 2);
        Self { year: year.try_into().unwrap_or(u16::MAX), month: month as u8, day: day as u8 }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}
