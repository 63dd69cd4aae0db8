//! Types of other crates: each is encoded as serde encodes it, comes back, and is refused when
//! serde refuses it. `cargo test -p vox-runtime --test codec --features foreign-oracle`.

use std::fmt::Debug;

use proptest::prelude::*;

use super::differential::{agrees, each};
use super::support::{check, check_bytes, decode, encode};

/// What both say of texts that are values, nearly values, and none.
fn texts<T>(texts: &[&str])
where
    T: facet::Facet<'static> + serde::Serialize + serde::de::DeserializeOwned + PartialEq + Debug,
{
    let mut taken = 0;
    for text in texts {
        let bytes = encode(&(*text).to_owned());
        check_bytes::<T>(&bytes);
        for at in 0..bytes.len() {
            check_bytes::<T>(&bytes[..at]);
            for xor in [1, 2, 4, 0x10, 0x20, 0x80] {
                let mut flipped = bytes.clone();
                flipped[at] ^= xor;
                check_bytes::<T>(&flipped);
            }
        }
        if let Ok(value) = decode::<T>(&bytes) {
            check(value);
            taken += 1;
        }
    }
    assert!(taken > 0 && taken < texts.len(), "{taken} of {texts:?} are values");
}

#[test]
fn uuids_agree() {
    agrees(any::<u128>().prop_map(uuid::Uuid::from_u128));
    for len in [0, 15, 16, 17] {
        check_bytes::<uuid::Uuid>(&encode(&vec![7u8; len]));
    }
    agrees(proptest::collection::vec(any::<u128>().prop_map(uuid::Uuid::from_u128), 0..4));
}

#[test]
fn ulids_agree() {
    agrees(any::<u128>().prop_map(ulid::Ulid::from));
    texts::<ulid::Ulid>(&[
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "01arz3ndektsv4rrffq69g5fav",
        "81ARZ3NDEKTSV4RRFFQ69G5FAV",
        "01ARZ3NDEKTSV4RRFFQ69G5FA",
        "01ARZ3NDEKTSV4RRFFQ69G5FAVV",
        "",
    ]);
}

const TIMES: &[&str] = &[
    "2024-02-29T12:34:56Z",
    "2024-02-29T12:34:56.5Z",
    "2024-02-29T12:34:56.123456789+05:30",
    "2024-02-30T12:34:56Z",
    "2024-02-29 12:34:56 +01:00",
    "2024-02-29T23:59:60Z",
    "2024-02-29T12:34:56",
    "2024-02-29T12:34",
    "2024-02-29",
    "-0044-03-15",
    "+12345-06-07T01:02:03Z",
    "12:34:56",
    "12:34:56.789",
    "23:59:60.5",
    "24:00:00",
    "2024-06-01T10:00:00-04:00[America/New_York]",
    "2024-06-01T10:00:00+00:00[UTC]",
    "2024-06-01T10:00:00+05:00[+05:00]",
    "2024-06-01T10:00:00+09:00[America/New_York]",
    "noon",
    "",
];

#[test]
fn times_of_chrono_agree() {
    use chrono::{DateTime, FixedOffset, Local, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
    texts::<DateTime<Utc>>(TIMES);
    texts::<DateTime<FixedOffset>>(TIMES);
    texts::<DateTime<Local>>(TIMES);
    texts::<NaiveDate>(TIMES);
    texts::<NaiveDateTime>(TIMES);
    texts::<NaiveTime>(TIMES);
    let utc = || (-8_000_000_000_000i64..8_000_000_000_000, 0..2_000_000_000u32);
    agrees(utc().prop_filter_map("range", |(seconds, nanos)| DateTime::from_timestamp(seconds, nanos)));
    agrees(utc().prop_filter_map("range", |(s, n)| Some(DateTime::from_timestamp(s, n)?.naive_utc())));
    agrees(utc().prop_filter_map("range", |(s, n)| Some(DateTime::from_timestamp(s, n)?.date_naive())));
    agrees(utc().prop_filter_map("range", |(s, n)| Some(DateTime::from_timestamp(s, n)?.time())));
    agrees((utc(), -86_399..86_399i32).prop_filter_map("range", |((s, n), offset)| {
        Some(DateTime::from_timestamp(s, n)?.with_timezone(&FixedOffset::east_opt(offset / 60 * 60)?))
    }));
    agrees((any::<i64>(), 0..1_000_000_000u32).prop_filter_map("range", |(s, n)| TimeDelta::new(s / 1000, n)));
    agrees((-3..3i64, 0..1_000_000_000u32).prop_filter_map("range", |(s, n)| TimeDelta::new(s, n)));
    check(TimeDelta::MIN);
    check(TimeDelta::MAX);
    for pair in [(0i64, -1i32), (0, 1_000_000_000), (i64::MAX, 0), (i64::MIN, 0), (-1, 999_999_999)] {
        check_bytes::<TimeDelta>(&encode(&pair));
    }
}

#[test]
fn times_of_jiff_agree() {
    use jiff::civil::{Date, DateTime, Time};
    use jiff::{Timestamp, Zoned, tz};
    texts::<Timestamp>(TIMES);
    texts::<Zoned>(TIMES);
    texts::<DateTime>(TIMES);
    texts::<Date>(TIMES);
    texts::<Time>(TIMES);
    let times = || (-300_000_000_000i64..250_000_000_000, -999_999_999..999_999_999i32);
    agrees(times().prop_filter_map("range", |(s, n)| Timestamp::new(s, n).ok()));
    agrees((times(), -90_000..90_000i32).prop_filter_map("range", |((s, n), offset)| {
        let zone = tz::TimeZone::fixed(tz::Offset::from_seconds(offset / 60 * 60).ok()?);
        Some(Timestamp::new(s, n).ok()?.to_zoned(zone))
    }));
    agrees(
        times()
            .prop_filter_map("range", |(s, n)| Some(Timestamp::new(s, n).ok()?.to_zoned(tz::TimeZone::UTC).datetime())),
    );
    // A zone without a name has no text.
    let nameless = tz::TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").unwrap();
    let zoned = Timestamp::UNIX_EPOCH.to_zoned(nameless);
    check_encodes_alike(&zoned);
}

#[test]
fn times_of_time_agree() {
    use time::{OffsetDateTime, UtcDateTime, UtcOffset};
    let times = || -377_705_116_800i64..=253_402_300_799;
    agrees((times(), 0..1_000_000_000i128).prop_map(|(seconds, nanos)| {
        UtcDateTime::from_unix_timestamp_nanos(i128::from(seconds) * 1_000_000_000 + nanos).unwrap()
    }));
    let offset = (-25..=25i8, 0..=59i8, 0..=59i8);
    agrees((times(), offset).prop_filter_map("range", |(seconds, (h, m, s))| {
        let offset = UtcOffset::from_hms(h, m * h.signum(), s * h.signum()).ok()?;
        let time = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
        time.checked_to_offset(offset)
    }));
    let parts = (-10_100..10_100i32, 0..400u16, 0..26u8, 0..62u8, 0..62u8, 0..1_100_000_000u32);
    each((parts, any::<[i8; 3]>()), |(time, offset)| {
        let near = [offset[0] % 30, offset[1] % 64, offset[2] % 64];
        check_bytes::<UtcDateTime>(&encode(&time));
        check_bytes::<OffsetDateTime>(&encode(&(time, near)));
        check_bytes::<OffsetDateTime>(&encode(&(time, offset)));
    });
}

#[test]
fn urls_agree() {
    use url::{Host, Url};
    texts::<Url>(&[
        "https://user:pass@example.org:8443/a/b?c=d&e#f",
        "http://EXAMPLE.org",
        "https://grüße.example/straße?q=ü",
        "file:///tmp/x",
        "mailto:a@example.org",
        "http://[::1]:80/",
        "http://1.2.3.4/",
        "http://",
        "//example.org",
        "no url",
        "",
    ]);
    agrees(prop_oneof![
        "[a-zé.]{0,9}".prop_map(Host::Domain),
        any::<u32>().prop_map(|ip| Host::Ipv4(ip.into())),
        any::<u128>().prop_map(|ip| Host::Ipv6(ip.into())),
    ]);
    check_bytes::<Host<String>>(&[3, 0]);
}

#[test]
fn owners_of_text_agree() {
    let text = || proptest::string::string_regex("[a-z/ß😀]{0,40}").unwrap();
    agrees(text().prop_map(camino::Utf8PathBuf::from));
    agrees(text().prop_map(compact_str::CompactString::from));
    agrees(text().prop_map(smol_str::SmolStr::from));
    check_bytes::<camino::Utf8PathBuf>(&[1, 0xff]);
    check_bytes::<compact_str::CompactString>(&[1, 0xff]);
    check_bytes::<smol_str::SmolStr>(&[1, 0xff]);
}

#[test]
fn decimals_agree() {
    use rust_decimal::Decimal;
    agrees((any::<i64>(), 0..=28u32).prop_map(|(number, scale)| Decimal::new(number, scale)));
    texts::<Decimal>(&[
        "0",
        "-0",
        "-0.00",
        "+1.50",
        "1e5",
        "1.5E-7",
        "79228162514264337593543950335",
        "79228162514264337593543950336",
        "0.00000000000000000000000000001",
        "1_000",
        ".5",
        "5.",
        "1,5",
        "e",
        "",
    ]);
}

#[test]
fn ordered_floats_agree() {
    use ordered_float::{NotNan, OrderedFloat};
    agrees((-1e30..1e30f64).prop_map(OrderedFloat));
    agrees((-1e30..1e30f32).prop_map(OrderedFloat));
    agrees((-1e30..1e30f64).prop_map(|float| NotNan::new(float).unwrap()));
    agrees((-1e30..1e30f32).prop_map(|float| NotNan::new(float).unwrap()));
    for float in [f64::NAN, -f64::NAN, f64::INFINITY, -0.0] {
        check_bytes::<NotNan<f64>>(&encode(&float));
        check_bytes::<OrderedFloat<f64>>(&encode(&float));
        check_bytes::<NotNan<f32>>(&encode(&(float as f32)));
        check_bytes::<OrderedFloat<f32>>(&encode(&(float as f32)));
    }
}

#[test]
fn versions_agree() {
    let versions = ["1.2.3", "1.2.3-alpha.1+build.5", "0.0.0", "1.2", "01.2.3", "v1.2.3", ""];
    texts::<semver::Version>(&versions);
    texts::<semver::VersionReq>(&["^1.2", ">=1.2.3, <2", "*", "1.*", "~1", "=1.2.3-rc.1", ">= 1", "1 || 2", "x", ""]);
}

#[test]
fn they_stand_in_other_types() {
    #[derive(facet::Facet, serde::Serialize, serde::Deserialize, Debug, PartialEq)]
    struct Order {
        id: uuid::Uuid,
        at: Option<chrono::DateTime<chrono::Utc>>,
        price: rust_decimal::Decimal,
        pages: Vec<url::Url>,
        tags: Box<[smol_str::SmolStr]>,
    }
    let bytes = encode(&Order {
        id: uuid::Uuid::from_u128(7),
        at: chrono::DateTime::from_timestamp(1_700_000_000, 5),
        price: rust_decimal::Decimal::new(1999, 2),
        pages: vec![url::Url::parse("http://example.org/").unwrap(); 3],
        tags: vec!["a tag that is too long to stand inline".into(), "b".into()].into(),
    });
    check(decode::<Order>(&bytes).unwrap());
    for len in 0..bytes.len() {
        check_bytes::<Order>(&bytes[..len]);
    }
}

/// Both encode the value to the same bytes, or both refuse it.
fn check_encodes_alike<T: facet::Facet<'static> + serde::Serialize>(value: &T) {
    use vox_runtime::codec::{Encoder, Plan};
    let mut ours = Vec::new();
    let result = Plan::new().encode(value, &mut Encoder::new(&mut ours, usize::MAX));
    assert_eq!(result.ok().map(|()| ours), postcard::to_allocvec(value).ok());
}
