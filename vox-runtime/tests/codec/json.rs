//! Values without types: whatever can cross the wire is shown as JSON by its schema alone, and read to the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::time::Duration;

use bytes::Bytes;
use facet::Facet;
use vox_runtime::codec::{Budget, schema_of};
use vox_runtime::value::{Value, ValueType};

use super::support::{encode, fewer, peak_of};
use super::types::*;

fn value_type<T: Facet<'static>>() -> ValueType {
    ValueType::new(&schema_of(T::SHAPE).expect("it can cross")).expect("its types are known")
}

/// The bytes come back from JSON, on one line and on many.
#[track_caller]
pub(crate) fn comes_back<T: Facet<'static>>(bytes: &[u8]) {
    if cfg!(miri) {
        return;
    }
    let ty = value_type::<T>();
    let value = ty.decode(&Bytes::copy_from_slice(bytes), Budget::default_for(bytes.len())).expect("it is a value");
    assert_eq!(ty.encode(&value).as_deref(), Ok(bytes), "{value:?}");
    let json = ty.write_json(&value).expect("it has a JSON");
    assert_eq!(ty.json_to_bytes(&json).as_deref(), Ok(bytes), "{json}");
    let pretty = ty.write_json_pretty(&value).expect("it has a JSON");
    assert_eq!(ty.json_to_bytes(&pretty).as_deref(), Ok(bytes), "{pretty}");
}

/// Bytes that were changed: what the type accepts is accepted without it, and its JSON is read to the same value.
#[track_caller]
pub(crate) fn is_accepted_alike<T: Facet<'static>>(bytes: &[u8], accepted: bool) {
    if cfg!(miri) {
        return;
    }
    let ty = value_type::<T>();
    let decoded = ty.decode(&Bytes::copy_from_slice(bytes), Budget::default_for(bytes.len()));
    assert!(decoded.is_ok() || !accepted, "{decoded:?} of {bytes:?}");
    if let Ok(value) = decoded {
        let again = ty.encode(&value).expect("what was read can be written");
        let json = ty.write_json(&value).expect("it has a JSON");
        // Text of a type that is not looked into may be none.
        assert_eq!(ty.json_to_bytes(&json).as_ref(), Ok(&again), "{json}");
    }
}

/// How a value stands in JSON, which is read to the same bytes.
#[track_caller]
fn is<T: Facet<'static>>(value: &T, json: &str) {
    let (ty, bytes) = (value_type::<T>(), encode(value));
    assert_eq!(ty.bytes_to_json(&bytes.clone().into()).as_deref(), Ok(json));
    assert_eq!(ty.json_to_bytes(json), Ok(bytes), "{json}");
}

/// Other JSON of the same value.
#[track_caller]
fn is_also<T: Facet<'static>>(value: &T, others: &[&str]) {
    for json in others {
        assert_eq!(value_type::<T>().json_to_bytes(json), Ok(encode(value)), "{json}");
    }
}

/// What is said of JSON that is none of the type.
#[track_caller]
fn refused<T: Facet<'static>>(json: &str, words: &str) {
    let error = value_type::<T>().read_json(json).expect_err("no value");
    assert_eq!(error.to_string(), words);
}

#[test]
fn every_row_of_the_table_of_the_docs() {
    is(&true, "true");
    is(&200u8, "200");
    is(&u64::MAX, "18446744073709551615");
    is(&u128::MAX, "340282366920938463463374607431768211455");
    is(&i128::MIN, "-170141183460469231731687303715884105728");
    is_also(&u128::MAX, &[r#""340282366920938463463374607431768211455""#]);
    is(&NonZero::new(-7i64).expect("not zero"), "-7");
    is(&1.5f64, "1.5");
    is(&0.1f32, "0.1");
    is(&-0.0f64, "-0.0");
    is(&f64::MAX, "1.7976931348623157e308");
    is(&f64::NAN, r#""NaN""#);
    is(&f32::NEG_INFINITY, r#""-Infinity""#);
    is(&f32::from_bits(0xffc0_0001), r#""NaN:0xffc00001""#);
    is_also(&2.0f32, &["2", "2e0", "0.2e+1", r#""2.0""#]);
    is(&'ß', r#""ß""#);
    is(&"a\"\\\n\u{1}\u{202e}".to_owned(), r#""a\"\\\n\u0001\u202e""#);
    is(&"😀\u{e0001}".to_owned(), r#""😀\udb40\udc01""#);
    is(&vec![0u8, 255, 16], r#""AP8Q""#);
    is(&[1u8, 2], r#""AQI=""#);
    is_also(&vec![0u8, 255, 16], &["[0, 255, 16]"]);
    is_also(&[1u8, 2], &["[1,2]", r#""AQI""#]);
    is(&(), "null");
    is_also(&(), &["{}"]);
    is(&Newtype("x".into()), r#""x""#);
    is(&(1u8, "x".to_owned(), None::<u8>), r#"[1,"x",null]"#);
    is(&Point { x: 1, y: -2 }, r#"{"x":1,"y":-2}"#);
    is(&vec![1u16, 2], "[1,2]");
    is(&BTreeSet::from([3u8]), "[3]");
    is(&Some(7u8), "7");
    is(&None::<u8>, "null");
    is(&None::<Option<u8>>, "null");
    is(&Some(None::<u8>), r#"{"Some":null}"#);
    is(&Some(Some(7u8)), r#"{"Some":7}"#);
    is(&Some(()), r#"{"Some":null}"#);
    is(&Ok::<u8, String>(1), r#"{"Ok":1}"#);
    is(&Err::<u8, String>("no".into()), r#"{"Err":"no"}"#);
    is(&Event::Nothing, r#""Nothing""#);
    is_also(&Event::Nothing, &[r#"{"Nothing": null}"#]);
    is(&Event::One(7), r#"{"One":7}"#);
    is(&Event::Two("x".into(), None), r#"{"Two":["x",null]}"#);
    is(&Event::Named { at: Point { x: 1, y: 2 }, tags: vec![] }, r#"{"Named":{"at":{"x":1,"y":2},"tags":[]}}"#);
    is(&BTreeMap::from([("a".to_owned(), 1u8)]), r#"{"a":1}"#);
    is_also(&BTreeMap::from([("a".to_owned(), 1u8)]), &[r#"[["a", 1]]"#]);
    is(&BTreeMap::from([(-7i32, 1u8)]), r#"{"-7":1}"#);
    is(&BTreeMap::from([(true, 1u8)]), r#"{"true":1}"#);
    is(&BTreeMap::from([(Level::Low, 1u8)]), r#"{"Low":1}"#);
    is(&BTreeMap::from([((1u8, 2u8), 3u8)]), "[[[1,2],3]]");
    is(&BTreeMap::from([(Some(1u8), 3u8)]), "[[1,3]]");
    is(&Duration::new(1, 500_000_000), r#""1.5s""#);
    is(&std::net::IpAddr::from([127, 0, 0, 1]), r#""127.0.0.1""#);
    is(&"[::1]:80".parse::<std::net::SocketAddr>().expect("an address"), r#""[::1]:80""#);
    is(&std::path::PathBuf::from("/x"), r#""/x""#);
    is(&List { value: 1, next: None }, r#"{"value":1,"next":null}"#);
    is_also(&List { value: 1, next: None }, &[r#"{"value":1}"#]);
}

#[cfg(feature = "foreign-oracle")]
#[test]
fn types_of_other_crates() {
    is(&uuid::Uuid::from_u128(1 << 120 | 2), r#""01000000-0000-0000-0000-000000000002""#);
    is_also(&uuid::Uuid::from_u128(1 << 120 | 2), &[r#""01000000000000000000000000000002""#]);
    is(&chrono::TimeDelta::milliseconds(-1500), r#""-1.5s""#);
    is(&url::Host::<String>::Domain("1.2.3.4".into()), r#"{"Domain":"1.2.3.4"}"#);
    is(&url::Host::<String>::Ipv4([1, 2, 3, 4].into()), r#"{"Ipv4":"1.2.3.4"}"#);
    is(&time::UtcDateTime::UNIX_EPOCH, r#""1970-01-01T00:00:00Z""#);
    let offset = time::UtcOffset::from_hms(-1, -30, 0).expect("an offset");
    let noon = time::OffsetDateTime::UNIX_EPOCH.to_offset(offset);
    is(&noon, r#""1969-12-31T22:30:00-01:30""#);
    refused::<ordered_float::NotNan<f32>>(r#""NaN""#, r#"$: expected NotNan<f32>, got "NaN""#);
}

#[derive(Facet)]
struct Order {
    id: u32,
    lines: Vec<Line>,
    prices: BTreeMap<String, i8>,
}

#[derive(Facet)]
struct Line {
    sku: String,
    amount: u32,
    note: Option<String>,
}

#[test]
fn errors_say_where_and_what() {
    let line = |amount: &str| {
        format!(r#"{{"id":1,"prices":{{}},"lines":[{{"sku":"a","amount":1}},{{"sku":"b","amount":{amount}}}]}}"#)
    };
    refused::<Order>(&line(r#""x""#), r#"$.lines[1].amount: expected u32, got "x""#);
    refused::<Order>(&line("4294967296"), "$.lines[1].amount: expected u32, got 4294967296");
    refused::<Order>(&line("-1"), "$.lines[1].amount: expected u32, got -1");
    refused::<Order>(&line("1.0"), "$.lines[1].amount: expected u32, got 1.0");
    refused::<Order>(&line("01"), "$.lines[1].amount: 01 is no number");
    refused::<Order>(&line("null"), "$.lines[1].amount: expected u32, got null");
    refused::<Order>(&line("[1]"), "$.lines[1].amount: expected u32, got an array");
    refused::<Order>(&line(r#"1,"amout":2"#), "$.lines[1]: there is no field `amout`; did you mean `amount`?");
    refused::<Order>(&line(r#"1,"amount":2"#), "$.lines[1].amount: given twice");
    refused::<Order>(r#"{"id":1,"lines":[]}"#, "$.prices: missing, expected a map");
    refused::<Order>(r#"{"id":1,"lines":[],"prices":{"a":200}}"#, r#"$.prices["a"]: expected i8, got 200"#);
    refused::<Order>(r#"{"id":1,"lines":[],"prices":{"a":1,"a":2}}"#, r#"$.prices["a"]: given twice"#);
    refused::<Order>("{\"id\":1,\n \"lines\":[}", "$.lines[0]: expected a struct of 3 fields, got `}`");
    refused::<Order>("{\"id\":1,\n \"lines\":[] 7}", "$: at line 2, column 13: expected `,` or `}`, got 7");
    refused::<u8>("1 2", "$: at line 1, column 3: expected the end, got 2");
    refused::<u8>("", "$: expected u8, got the end of the text");
    refused::<BTreeMap<u8, u8>>(r#"{"300":1}"#, r#"$["300"]: expected u8 as the key, got "300""#);
    refused::<BTreeMap<u8, u8>>(r#"{"+1":1}"#, r#"$["+1"]: expected u8 as the key, got "+1""#);
    refused::<BTreeMap<u8, u8>>("[[1]]", "$[0]: expected an array of a key and a value");
    refused::<(u8, u8)>("[1]", "$: expected a struct of 2 fields: 2 items, got 1");
    refused::<[u16; 3]>("[1,2]", "$: expected [u16; 3]: 3 items, got 2");
    refused::<Vec<u8>>("[256]", "$[0]: expected a byte, got 256");
    refused::<Event>(r#""One""#, r#"$: the variant "One" holds something: expected {"One": …}"#);
    refused::<Event>(r#""Onee""#, "$: there is no variant `Onee`; did you mean `One`?");
    refused::<Event>(r#"{"One":1,"Nothing":null}"#, "$: more than one variant is given");
    refused::<Event>("{}", "$: no variant is given");
    refused::<Option<Option<u8>>>("7", "$: expected Option<an option>, got 7");
    refused::<Option<Option<u8>>>(r#"{"some":7}"#, r#"$: expected Option<an option>: one entry, `Some`, got "some""#);
    refused::<std::net::Ipv4Addr>(r#""1.2.3""#, r#"$: expected Ipv4Addr, got "1.2.3""#);
    refused::<NonZero<u8>>("0", "$: expected NonZero<u8>, got 0");
    refused::<f32>("1e39", "$: expected f32, got 1e39");
    refused::<f32>("inf", "$: expected f32, got inf");
    refused::<f32>(r#""NaN:0x1""#, r#"$: expected f32, got "NaN:0x1""#);
    refused::<char>(r#""ab""#, r#"$: expected char, got "ab""#);
    refused::<String>("\"a\nb\"", "$: at line 1, column 3: a control character in a text must be escaped, got b");
    refused::<String>(r#""\ud800x""#, "$: at line 1, column 8: an escape that is half a character, got x");
}

#[test]
fn values_are_built_by_hand() {
    let ty = value_type::<Order>();
    let line = Value::structure([("amount", 3u8.into()), ("sku", "a".into())]);
    let order = Value::structure([
        ("id", 7u64.into()),
        ("prices", Value::Map(vec![("a".into(), (-1i64).into())])),
        ("lines", Value::List(vec![line])),
    ]);
    let bytes = ty.encode(&order).expect("an order");
    let read = ty.decode(&bytes.into(), Budget::default_for(0)).expect("an order");
    assert_eq!(read.get("lines").and_then(|lines| lines.item(0)?.get("amount")?.as_u64()), Some(3));
    let wrong = |value: Value, words: &str| assert_eq!(ty.encode(&value).expect_err("no order").to_string(), words);
    wrong(Value::structure([("id", "x".into())]), "$.lines: missing, expected a list of a struct of 3 fields");
    wrong(Value::Unit, "$: expected a struct of 3 fields, got ()");
    wrong(
        Value::structure([("id", "x".into()), ("lines", Value::List(vec![])), ("prices", Value::Map(vec![]))]),
        r#"$.id: expected u32, got "x""#,
    );
    let event = value_type::<Event>();
    assert_eq!(event.encode(&Value::variant("One", 1u8.into())), Ok(vec![1, 1]));
    let error = event.encode(&Value::variant("Two", 1u8.into())).expect_err("no event");
    assert_eq!(error.to_string(), "$.Two: expected a tuple of 2 in the variant, got an integer");
}

#[test]
fn ten_thousand_hostile_texts_are_refused_or_read() {
    let texts = [
        r#"{"id":1,"lines":[{"sku":"\ud83d\ude00","amount":4294967295,"note":null}],"prices":{"a":-128}}"#,
        r#"{"Named":{"at":{"x":1,"y":-2},"tags":["a","\u0000"]}}"#,
        r#"{"Pair":[{"Leaf":-9223372036854775808},{"Node":[{"Leaf":1},{"Node":[]}]}]}"#,
        r#"[["AP8Q",340282366920938463463374607431768211455,"NaN:0x7ff8000000000001",1e308,null],[]]"#,
    ];
    let odd = [
        "\"",
        "\\",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "null",
        "1e999",
        "\\u12",
        "\\udfff",
        "é",
        "\u{0}",
        "-",
        "\n",
        "\"id\":1,",
    ];
    let types = [
        value_type::<Order>(),
        value_type::<Event>(),
        value_type::<Tree>(),
        value_type::<Vec<(Vec<u8>, u128, f64, f32, Option<()>)>>(),
    ];
    let mut seed = 0x5eed_0f5e_ed0f_5eed_u64;
    let mut below = |most: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % most.max(1) as u64) as usize
    };
    let mut refused = 0;
    for round in 0..fewer(10_000, 20) {
        let mut text: Vec<char> = texts[round % texts.len()].chars().collect();
        for _ in 0..=below(3) {
            let (at, end) = (below(text.len()), below(text.len() + 1));
            match below(3) {
                0 => drop(text.drain(at.min(end)..at.max(end).min(at + 8).max(at.min(end)))),
                1 => drop(text.splice(at..at, odd[below(odd.len())].chars()).collect::<Vec<_>>()),
                _ => text.truncate(end),
            }
        }
        let text = String::from_iter(text);
        for ty in &types {
            match ty.read_json(&text) {
                Ok(value) => {
                    let bytes = ty.encode(&value).expect("what was read can be written");
                    let again = ty.bytes_to_json(&bytes.clone().into()).expect("it has a JSON");
                    assert_eq!(ty.json_to_bytes(&again), Ok(bytes), "{text}");
                }
                Err(error) => {
                    refused += 1;
                    assert!(error.path().starts_with('$') && !error.reason().is_empty(), "{error:?}");
                    assert!(error.to_string().len() < 4096, "{error}");
                }
            }
        }
    }
    assert!(refused > fewer(20_000, 20), "{refused}");
}

#[test]
fn depth_and_memory_are_bounded() {
    let deep = |depth: usize| [r#"{"Deep":"#.repeat(depth), r#""Nothing""#.to_owned(), "}".repeat(depth)].concat();
    let ty = value_type::<Event>();
    assert!(ty.read_json(&deep(100)).is_ok());
    let error = ty.read_json(&deep(100_000)).expect_err("too deep");
    assert!(error.reason().contains("over the limit of 128"), "{error}");
    let deep = [vec![4; 100_000], vec![0]].concat();
    let error = ty.decode(&deep.into(), Budget::default_for(0)).expect_err("too deep");
    assert!(error.reason().contains("over the limit of 128"), "{error}");

    let list = value_type::<Vec<Option<u8>>>();
    let many = [&[0x80, 0x80, 0x80, 0x01][..], &vec![0; 1 << 21]].concat();
    let (error, peak) = peak_of(|| list.decode(&many.into(), Budget::default_for(0)).expect_err("too large"));
    assert!(error.reason().contains("over the limit of 67108864 bytes"), "{error}");
    assert!(peak < 1 << 20, "{peak}");
    let claims = Bytes::from_static(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0]);
    assert!(list.decode(&claims, Budget::default_for(0)).is_err());
    let text = format!("[{}0]", "0,".repeat(1 << 20));
    let (error, peak) = peak_of(|| list.read_json(&text).expect_err("too large"));
    assert!(error.reason().contains("over the limit of 67108864 bytes"), "{error}");
    assert!(peak <= 64 << 20, "{peak}");

    let nothing = value_type::<Vec<()>>();
    let error = nothing.decode(&Bytes::from_static(&[0x81, 0x80, 0x04]), Budget::default_for(0)).expect_err("too many");
    assert!(error.reason().contains("passes the limit of 65536 such items"), "{error}");
}

#[test]
fn a_schema_that_would_explode_is_bounded() {
    // Thirty structs, each with the one before in it twice, of which the first is empty: 2³⁰ values in no bytes.
    let mut schema = vec![1u8];
    for _ in 0..30 {
        schema.extend(b"\x02\x02\x01a");
    }
    schema.extend(b"\x02\x00");
    for level in (0..30u8).rev() {
        schema.extend([1, b'b', 12, level + 1]);
    }
    let ty = ValueType::new(&vox_runtime::descriptor::Schema::from_bytes(schema)).expect("a schema");
    let error = ty.decode(&Bytes::new(), Budget::default_for(0)).expect_err("too much");
    assert!(error.reason().contains("over the limit of 67108864 bytes"), "{error}");
    // An array of as many items as there are numbers.
    let array = b"\x01\x07\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\x00";
    let ty = ValueType::new(&vox_runtime::descriptor::Schema::from_bytes(&array[..])).expect("a schema");
    let error = ty.decode(&Bytes::new(), Budget::default_for(0)).expect_err("too many");
    assert!(error.reason().contains("passes the limit of 65536 such items"), "{error}");
    let unknown = vox_runtime::descriptor::Schema::from_bytes(&b"\x01\x01\x05Later"[..]);
    let error = ValueType::new(&unknown).expect_err("not known");
    assert_eq!(error.to_string(), "$: the encoding of `Later` is not known here");
}
