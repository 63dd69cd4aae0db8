//! Times and spans of time, as text and as they are encoded.

use std::fmt;
use std::str::FromStr;

use crate::codec::{DecodeError, DecodeErrorKind, Decoder, EncodeError, Encoder, unzigzag, zigzag};

/// The nanoseconds of a second.
pub(super) const BILLION: u64 = 1_000_000_000;

/// A span of time, written as `1.5s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) negative: bool,
    pub(super) seconds: u64,
    pub(super) nanos: u64,
}

impl Span {
    /// Of whole seconds, rounded down, and the nanoseconds after them.
    pub(super) fn of(seconds: i128, nanos: i128) -> Option<Self> {
        if !(0..BILLION as i128).contains(&nanos) {
            return None;
        }
        let all = seconds * BILLION as i128 + nanos;
        let size = all.unsigned_abs();
        let seconds = u64::try_from(size / u128::from(BILLION)).ok()?;
        Some(Self { negative: all < 0, seconds, nanos: (size % u128::from(BILLION)) as u64 })
    }

    /// The whole seconds, rounded down, and the nanoseconds after them.
    pub(super) fn floor(self) -> Option<(i64, u32)> {
        let size = i128::from(self.seconds) * BILLION as i128 + i128::from(self.nanos);
        let all = if self.negative { -size } else { size };
        let (seconds, nanos) = (all.div_euclid(BILLION as i128), all.rem_euclid(BILLION as i128));
        Some((seconds.try_into().ok()?, nanos as u32))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        write!(f, "{sign}{}{}s", self.seconds, Fraction(self.nanos))
    }
}

impl FromStr for Span {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let text = text.strip_suffix('s').ok_or(())?;
        let (negative, size) = text.strip_prefix('-').map_or((false, text), |size| (true, size));
        let (seconds, nanos) = with_fraction(size)?;
        Ok(Self { negative: negative && (seconds, nanos) != (0, 0), seconds, nanos })
    }
}

/// A date and a time of day, and how far they are from UTC: `2026-11-30T16:45:15.5+01:00`, or `Z` for UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time {
    year: i32,
    /// The day of the year, from 1.
    day: u16,
    hour: u8,
    minute: u8,
    second: u8,
    nanos: u64,
    /// Hours, minutes and seconds, all of one sign.
    offset: Option<[i8; 3]>,
}

/// The furthest years from 0.
const MOST_YEARS: i32 = 999_999;

impl Time {
    pub(super) fn read(from: &mut Decoder<'_>, offset: bool) -> Result<Self, DecodeError> {
        let year = unzigzag(from.varint_of(32)?) as i32;
        let day = from.varint_of(16)? as u16;
        let [hour, minute, second] = from.array()?;
        let nanos = from.varint_of(32)? as u64;
        let offset = if offset { Some(one_sign(from.array()?.map(|byte: u8| byte as i8))) } else { None };
        let time = Self { year, day, hour, minute, second, nanos, offset };
        match time.is_one() {
            true => Ok(time),
            false => Err(from.error(DecodeErrorKind::BadValue("date and time"))),
        }
    }

    /// `None`: it has an offset and must have none, or the other way about.
    pub(super) fn write(self, offset: bool, to: &mut Encoder<'_>) -> Option<Result<(), EncodeError>> {
        let offset = match (self.offset, offset) {
            (None | Some([0, 0, 0]), false) => None,
            (Some(_), false) => return None,
            (own, true) => Some(own.unwrap_or_default()),
        };
        let put = |to: &mut Encoder<'_>| {
            to.varint128(zigzag(self.year.into()))?;
            to.varint(self.day.into())?;
            to.raw(&[self.hour, self.minute, self.second])?;
            to.varint(self.nanos)?;
            offset.map_or(Ok(()), |offset| to.raw(&offset.map(|part| part as u8)))
        };
        Some(put(to))
    }

    fn is_one(&self) -> bool {
        let offset = self.offset.is_none_or(|parts| {
            let [hours, minutes, seconds] = parts.map(i8::unsigned_abs);
            hours <= 25 && minutes < 60 && seconds < 60
        });
        (-MOST_YEARS..=MOST_YEARS).contains(&self.year)
            && (1..=days_of(self.year)).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second < 60
            && self.nanos < BILLION
            && offset
    }
}

/// The parts of an offset with the sign of its largest, as the crate `time` takes them.
fn one_sign(parts: [i8; 3]) -> [i8; 3] {
    let negative = parts.iter().find(|part| **part != 0).is_some_and(|part| *part < 0);
    parts.map(|part| match part.checked_abs() {
        Some(size) => {
            if negative {
                -size
            } else {
                size
            }
        }
        // Of no offset.
        None => part,
    })
}

fn is_leap(year: i32) -> bool {
    year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0)
}

fn days_of(year: i32) -> u16 {
    if is_leap(year) { 366 } else { 365 }
}

fn months(year: i32) -> [u16; 12] {
    let february = if is_leap(year) { 29 } else { 28 };
    [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, day, hour, minute, second, nanos, offset } = *self;
        let (mut month, mut left) = (1, day);
        for days in months(year) {
            if left <= days {
                break;
            }
            left -= days;
            month += 1;
        }
        let sign = match year {
            ..0 => "-",
            10_000.. => "+",
            _ => "",
        };
        write!(f, "{sign}{:04}-{month:02}-{left:02}T{hour:02}:{minute:02}:{second:02}", year.unsigned_abs())?;
        write!(f, "{}", Fraction(nanos))?;
        match offset {
            None | Some([0, 0, 0]) => f.write_str("Z"),
            Some(parts) => {
                let sign = if parts.iter().any(|part| *part < 0) { '-' } else { '+' };
                let [hours, minutes, seconds] = parts.map(i8::unsigned_abs);
                write!(f, "{sign}{hours:02}:{minutes:02}")?;
                if seconds == 0 { Ok(()) } else { write!(f, ":{seconds:02}") }
            }
        }
    }
}

impl FromStr for Time {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (date, time) = text.split_once(['T', 't', ' ']).ok_or(())?;
        let (negative, date) = match date.strip_prefix('-') {
            Some(date) => (true, date),
            None => (false, date.strip_prefix('+').unwrap_or(date)),
        };
        let [year, month, day] = parts(date, '-')?;
        let year = i32::try_from(year).map_err(|_| ())?;
        let year = if negative { -year } else { year };
        let before = (month as usize).checked_sub(1).filter(|before| *before < 12).ok_or(())?;
        let months = months(year);
        if year.abs() > MOST_YEARS || day == 0 || day > u64::from(months[before]) {
            return Err(());
        }
        let day = months[..before].iter().sum::<u16>() + day as u16;
        let place = time.find(['Z', 'z', '+', '-']).ok_or(())?;
        let (clock, offset) = time.split_at(place);
        let (clock, fraction) = clock.split_at(clock.find('.').unwrap_or(clock.len()));
        let (_, nanos) = with_fraction(&format!("0{fraction}"))?;
        let [hour, minute, second] = parts(clock, ':')?;
        let small = |number: u64| u8::try_from(number).map_err(|_| ());
        let time = Self {
            year,
            day,
            hour: small(hour)?,
            minute: small(minute)?,
            second: small(second)?,
            nanos,
            offset: Some(offset_of(offset)?),
        };
        if time.is_one() { Ok(time) } else { Err(()) }
    }
}

fn offset_of(text: &str) -> Result<[i8; 3], ()> {
    if ["Z", "z"].contains(&text) {
        return Ok([0; 3]);
    }
    let (sign, size) = text.split_at(1);
    let [hours, minutes, seconds] = match size.len() {
        5 => parts(&format!("{size}:00"), ':')?,
        _ => parts(size, ':')?,
    };
    let signed = |part: u64| i8::try_from(part).map(|part| if sign == "-" { -part } else { part }).map_err(|_| ());
    Ok([signed(hours)?, signed(minutes)?, signed(seconds)?])
}

/// Three numbers with something between.
fn parts(text: &str, between: char) -> Result<[u64; 3], ()> {
    let mut parts = text.split(between).map(digits);
    let three = [parts.next().ok_or(())??, parts.next().ok_or(())??, parts.next().ok_or(())??];
    if parts.next().is_none() { Ok(three) } else { Err(()) }
}

/// Digits alone, and not none.
fn digits(text: &str) -> Result<u64, ()> {
    match !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => text.parse().map_err(|_| ()),
        false => Err(()),
    }
}

/// A whole number, and the billionths of a fraction of at most nine digits.
fn with_fraction(text: &str) -> Result<(u64, u64), ()> {
    let Some((whole, fraction)) = text.split_once('.') else { return Ok((digits(text)?, 0)) };
    let places = u32::try_from(fraction.len()).ok().and_then(|len| 9u32.checked_sub(len)).ok_or(())?;
    Ok((digits(whole)?, digits(fraction)? * 10u64.pow(places)))
}

/// Billionths as a fraction, as short as it may be.
struct Fraction(u64);

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            nanos => write!(f, ".{}", format!("{nanos:09}").trim_end_matches('0')),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_come_back() {
        for text in ["0s", "1.5s", "-0.000000001s", "18446744073709551615.999999999s", "-1.5s"] {
            assert_eq!(text.parse::<Span>().map(|span| span.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("-1.5s".parse::<Span>().ok().and_then(Span::floor), Some((-2, 500_000_000)));
        assert_eq!(Span::of(-2, 500_000_000).map(|span| span.to_string()).as_deref(), Some("-1.5s"));
        for bad in ["", "s", "1", "1.s", ".5s", "1.0000000001s", "+1s", "1e3s", "--1s", "18446744073709551616s"] {
            assert_eq!(bad.parse::<Span>(), Err(()), "{bad}");
        }
    }

    #[test]
    fn times_come_back() {
        for text in [
            "2026-11-30T16:45:15Z",
            "2024-02-29T00:00:00.000000001Z",
            "-0044-03-15T12:00:00+01:00",
            "+12345-12-31T23:59:59-00:30:15",
            "0000-01-01T00:00:00Z",
        ] {
            assert_eq!(text.parse::<Time>().map(|time| time.to_string()).as_deref(), Ok(text));
        }
        for bad in [
            "2025-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:60Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00+26:00",
            "2026-01-01T00:00:00+é0:00",
            "1000000-01-01T00:00:00Z",
            "2026-01-01",
            "",
        ] {
            assert_eq!(bad.parse::<Time>(), Err(()), "{bad}");
        }
    }
}
