//! Types of other crates, each behind the feature of its crate's name.
//!
//! Most cross as their text. What is parsed is charged for by the length of its text, and where it
//! may grow by what it may grow to.

use super::Table;

pub(super) fn register(table: &mut Table) {
    #[cfg(feature = "camino")]
    table.add::<camino::Utf8PathBuf>();
    #[cfg(feature = "compact_str")]
    table.add::<compact_str::CompactString>();
    #[cfg(feature = "rust_decimal")]
    table.add::<rust_decimal::Decimal>();
    #[cfg(feature = "smol_str")]
    table.add::<smol_str::SmolStr>();
    #[cfg(feature = "ulid")]
    table.add::<ulid::Ulid>();
    #[cfg(feature = "uuid")]
    table.add::<uuid::Uuid>();
    #[cfg(feature = "chrono")]
    of_chrono::register(table);
    #[cfg(feature = "jiff")]
    of_jiff::register(table);
    #[cfg(feature = "ordered-float")]
    of_ordered_float::register(table);
    #[cfg(feature = "semver")]
    of_semver::register(table);
    #[cfg(feature = "time")]
    of_time::register(table);
    #[cfg(feature = "url")]
    of_url::register(table);
    let _ = table;
}

/// Leaves that cross as their text, read by an expression of the text that gives an `Option`, and
/// charged for by an expression of its length.
#[allow(unused_macros)]
macro_rules! text {
    ($($ty:ty, $name:literal, |$value:ident| $shown:expr, |$text:ident| $parsed:expr, $charge:expr;)*) => {$(
        impl $crate::codec::leaf::Leaf for $ty {
            const NAME: &'static str = $name;
            const MIN: usize = 1;

            fn put(&self, to: &mut $crate::codec::Encoder<'_>) -> Result<(), $crate::codec::EncodeError> {
                let $value = self;
                $crate::codec::leaf::foreign::put_text(&$shown, to)
            }

            fn take(from: &mut $crate::codec::Decoder<'_>) -> Result<Self, $crate::codec::DecodeError> {
                let $text = from.str_slice()?;
                let charge: fn(&str) -> usize = $charge;
                from.charge(charge($text))?;
                $parsed.ok_or_else(|| from.error($crate::codec::DecodeErrorKind::BadValue($name)))
            }
        }
    )*};
}

#[cfg(feature = "camino")]
text! {
    camino::Utf8PathBuf, "string", |path| path.as_str(), |text| Some(text.into()), str::len;
}

#[cfg(feature = "compact_str")]
text! {
    compact_str::CompactString, "string", |string| string.as_str(), |text| Some(text.into()), str::len;
}

#[cfg(feature = "smol_str")]
text! {
    smol_str::SmolStr, "string", |string| string.as_str(), |text| Some(text.into()), str::len;
}

#[cfg(feature = "rust_decimal")]
text! {
    rust_decimal::Decimal, "Decimal", |number| number,
        |text| text.parse().or_else(|_| Self::from_scientific(text)).ok(), |_| 0;
}

#[cfg(feature = "ulid")]
text! {
    ulid::Ulid, "Ulid", |id| id, |text| Self::from_string(text).ok(), |_| 0;
}

/// A byte string of 16 bytes.
#[cfg(feature = "uuid")]
impl super::Leaf for uuid::Uuid {
    const NAME: &'static str = "Uuid";
    const MIN: usize = 17;

    fn put(&self, to: &mut super::Encoder<'_>) -> Result<(), super::EncodeError> {
        to.bytes(self.as_bytes())
    }

    fn take(from: &mut super::Decoder<'_>) -> Result<Self, super::DecodeError> {
        let bytes = from.bytes_slice()?;
        Self::from_slice(bytes).map_err(|_| from.error(crate::codec::DecodeErrorKind::BadValue("Uuid")))
    }
}

#[cfg(feature = "chrono")]
mod of_chrono {
    use chrono::{DateTime, FixedOffset, Local, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeDelta, Utc};

    use super::super::super::varint::{unzigzag, zigzag};
    use super::super::super::{DecodeError, DecodeErrorKind, Decoder, EncodeError, Encoder};
    use super::super::{Leaf, Table};

    pub(super) fn register(table: &mut Table) {
        table.add::<DateTime<Utc>>();
        table.add::<DateTime<FixedOffset>>();
        table.add::<DateTime<Local>>();
        table.add::<NaiveDate>();
        table.add::<NaiveDateTime>();
        table.add::<NaiveTime>();
        table.add::<TimeDelta>();
    }

    text! {
        DateTime<Utc>, "DateTime", |time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true),
            |text| at(text).map(|time| time.with_timezone(&Utc)), |_| 0;
        DateTime<FixedOffset>, "DateTime", |time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true),
            |text| at(text), |_| 0;
        DateTime<Local>, "DateTime", |time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true),
            |text| at(text).map(|time| time.with_timezone(&Local)), |_| 0;
        NaiveDate, "NaiveDate", |date| format_args!("{date:?}"), |text| text.parse().ok(), |_| 0;
        NaiveDateTime, "NaiveDateTime", |time| format_args!("{time:?}"), |text| text.parse().ok(), |_| 0;
        NaiveTime, "NaiveTime", |time| time, |text| text.parse().ok(), |_| 0;
    }

    fn at(text: &str) -> Option<DateTime<FixedOffset>> {
        text.parse().ok()
    }

    const BILLION: i32 = 1_000_000_000;

    /// Whole seconds, rounded down, and the nanoseconds after them.
    impl Leaf for TimeDelta {
        const NAME: &'static str = "TimeDelta";
        const MIN: usize = 2;

        fn put(&self, to: &mut Encoder<'_>) -> Result<(), EncodeError> {
            let (seconds, nanos) = match (self.num_seconds(), self.subsec_nanos()) {
                (seconds, nanos) if nanos < 0 => (seconds - 1, nanos + BILLION),
                both => both,
            };
            to.varint(zigzag(seconds))?;
            to.varint(zigzag(nanos.into()))
        }

        fn take(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
            let seconds = unzigzag(from.varint()?);
            let nanos = unzigzag(from.varint_of(32)? as u64);
            let nanos = u32::try_from(nanos).ok();
            let delta = nanos.and_then(|nanos| Self::new(seconds, nanos));
            delta.ok_or_else(|| from.error(DecodeErrorKind::BadValue("TimeDelta")))
        }
    }
}

#[cfg(feature = "jiff")]
mod of_jiff {
    use jiff::civil::{Date, DateTime, Time};
    use jiff::{Timestamp, Zoned};

    use super::super::Table;

    pub(super) fn register(table: &mut Table) {
        table.add::<Timestamp>();
        table.add::<Zoned>();
        table.add::<DateTime>();
        table.add::<Date>();
        table.add::<Time>();
    }

    text! {
        Timestamp, "Timestamp", |time| time, |text| text.parse().ok(), |_| 0;
        // A time zone that is not in the database is an allocation of its own.
        Zoned, "Zoned", |time| time, |text| text.parse().ok(), |text| text.len() + 256;
        // `DateTime` is another one, of chrono.
        DateTime, "civil.DateTime", |time| time, |text| text.parse().ok(), |_| 0;
        Date, "civil.Date", |date| date, |text| text.parse().ok(), |_| 0;
        Time, "civil.Time", |time| time, |text| text.parse().ok(), |_| 0;
    }
}

#[cfg(feature = "ordered-float")]
mod of_ordered_float {
    use ordered_float::{NotNan, OrderedFloat};

    use super::super::super::{DecodeError, DecodeErrorKind, Decoder, EncodeError, Encoder};
    use super::super::{Leaf, Table};

    pub(super) fn register(table: &mut Table) {
        table.add::<OrderedFloat<f32>>();
        table.add::<OrderedFloat<f64>>();
        table.add::<NotNan<f32>>();
        table.add::<NotNan<f64>>();
    }

    macro_rules! float {
        ($($ty:ty),*) => {$(
            impl Leaf for OrderedFloat<$ty> {
                const NAME: &'static str = concat!("OrderedFloat<", stringify!($ty), ">");
                const MIN: usize = size_of::<$ty>();

                fn put(&self, to: &mut Encoder<'_>) -> Result<(), EncodeError> {
                    to.raw(&self.0.to_le_bytes())
                }

                fn take(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                    Ok(Self(<$ty>::from_le_bytes(from.array()?)))
                }
            }

            impl Leaf for NotNan<$ty> {
                const NAME: &'static str = concat!("NotNan<", stringify!($ty), ">");
                const MIN: usize = size_of::<$ty>();

                fn put(&self, to: &mut Encoder<'_>) -> Result<(), EncodeError> {
                    to.raw(&self.into_inner().to_le_bytes())
                }

                fn take(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                    let float = <$ty>::from_le_bytes(from.array()?);
                    Self::new(float).map_err(|_| from.error(DecodeErrorKind::BadValue("NotNan")))
                }
            }
        )*};
    }

    float!(f32, f64);
}

#[cfg(feature = "semver")]
mod of_semver {
    use semver::{Comparator, Version, VersionReq};

    use super::super::Table;

    pub(super) fn register(table: &mut Table) {
        table.add::<Version>();
        table.add::<VersionReq>();
    }

    text! {
        Version, "Version", |version| version, |text| text.parse().ok(), str::len;
        VersionReq, "VersionReq", |versions| versions, |text| text.parse().ok(),
            |text| text.len() + text.split(',').count() * size_of::<Comparator>();
    }
}

#[cfg(feature = "time")]
mod of_time {
    use time::{Date, OffsetDateTime, PrimitiveDateTime, UtcDateTime, UtcOffset};

    use super::super::super::varint::{unzigzag, zigzag};
    use super::super::super::{DecodeError, DecodeErrorKind, Decoder, EncodeError, Encoder};
    use super::super::{Leaf, Table};

    pub(super) fn register(table: &mut Table) {
        table.add::<UtcDateTime>();
        table.add::<OffsetDateTime>();
    }

    impl Leaf for UtcDateTime {
        const NAME: &'static str = "time.UtcDateTime";
        const MIN: usize = 6;

        fn put(&self, to: &mut Encoder<'_>) -> Result<(), EncodeError> {
            put(PrimitiveDateTime::new(self.date(), self.time()), to)
        }

        fn take(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
            let time = take(from)?;
            Ok(Self::new(time.date(), time.time()))
        }
    }

    impl Leaf for OffsetDateTime {
        const NAME: &'static str = "time.OffsetDateTime";
        const MIN: usize = 9;

        fn put(&self, to: &mut Encoder<'_>) -> Result<(), EncodeError> {
            put(PrimitiveDateTime::new(self.date(), self.time()), to)?;
            let (hours, minutes, seconds) = self.offset().as_hms();
            to.raw(&[hours as u8, minutes as u8, seconds as u8])
        }

        fn take(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
            let time = take(from)?;
            let [hours, minutes, seconds] = from.array()?.map(|byte: u8| byte as i8);
            match UtcOffset::from_hms(hours, minutes, seconds) {
                Ok(offset) => Ok(time.assume_offset(offset)),
                Err(_) => Err(from.error(DecodeErrorKind::BadValue("UtcOffset"))),
            }
        }
    }

    fn put(time: PrimitiveDateTime, to: &mut Encoder<'_>) -> Result<(), EncodeError> {
        to.varint(zigzag(time.year().into()))?;
        to.varint(time.ordinal().into())?;
        to.raw(&[time.hour(), time.minute(), time.second()])?;
        to.varint(time.nanosecond().into())
    }

    fn take(from: &mut Decoder<'_>) -> Result<PrimitiveDateTime, DecodeError> {
        let year = unzigzag(from.varint_of(32)? as u64) as i32;
        let ordinal = from.varint_of(16)? as u16;
        let [hour, minute, second] = from.array()?;
        let nanosecond = from.varint_of(32)? as u32;
        Date::from_ordinal_date(year, ordinal)
            .and_then(|date| date.with_hms_nano(hour, minute, second, nanosecond))
            .map_err(|_| from.error(DecodeErrorKind::BadValue("date and time")))
    }
}

#[cfg(feature = "url")]
mod of_url {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use url::{Host, Url};

    use super::super::super::{DecodeError, DecodeErrorKind, Decoder, EncodeError, Encoder};
    use super::super::{Leaf, Table};

    pub(super) fn register(table: &mut Table) {
        table.add::<Url>();
        table.add::<Host<String>>();
    }

    text! {
        // What is not ASCII is escaped, each byte by three.
        Url, "Url", |url| url.as_str(), |text| Self::parse(text).ok(), |text| text.len() * 3;
    }

    impl Leaf for Host<String> {
        const NAME: &'static str = "Host";
        const MIN: usize = 2;

        fn put(&self, to: &mut Encoder<'_>) -> Result<(), EncodeError> {
            match self {
                Self::Domain(domain) => to.byte(0).and_then(|()| to.str(domain)),
                Self::Ipv4(ip) => to.byte(1).and_then(|()| ip.put(to)),
                Self::Ipv6(ip) => to.byte(2).and_then(|()| ip.put(to)),
            }
        }

        fn take(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
            match from.varint_of(32)? as u32 {
                0 => {
                    let domain = from.str_slice()?;
                    from.charge(domain.len())?;
                    Ok(Self::Domain(domain.to_owned()))
                }
                1 => Ipv4Addr::take(from).map(Self::Ipv4),
                2 => Ipv6Addr::take(from).map(Self::Ipv6),
                other => Err(from.error(DecodeErrorKind::BadVariant(other))),
            }
        }
    }
}

/// Appends what a value is shown as.
#[allow(dead_code)]
fn put_text(shown: &dyn std::fmt::Display, to: &mut super::Encoder<'_>) -> Result<(), super::EncodeError> {
    use std::fmt::Write;
    let mut text = String::new();
    match write!(text, "{shown}") {
        Ok(()) => to.str(&text),
        Err(_) => Err(super::EncodeError::Unrepresentable("a value that has no text")),
    }
}
