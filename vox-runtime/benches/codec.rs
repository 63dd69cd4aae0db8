//! The codec against serde and postcard: `cargo bench -p vox-runtime --bench codec`, with a part of
//! a name after `--` for that one only.
//!
//! Each figure is the median of many rounds; a round runs each side as often as takes about a
//! millisecond, one side after the other, so that a busy machine slows both.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use facet::Facet;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use vox_runtime::codec::{Budget, Decoder, Encoder, Plan, schema_of};

#[derive(Facet, Serialize, Deserialize, Clone)]
struct Small {
    a: u32,
    b: u64,
    c: i32,
}

#[derive(Facet, Serialize, Deserialize, Clone)]
struct Rpc {
    id: u64,
    method: String,
    trace: [u8; 16],
    deadline: Option<u64>,
    metadata: Vec<(String, String)>,
    body: Vec<u8>,
    retries: u8,
    idempotent: bool,
}

#[derive(Facet, Serialize, Deserialize, Clone)]
struct Record {
    id: u64,
    name: String,
    score: f64,
    tags: Vec<String>,
    active: bool,
    at: i64,
}

#[derive(Facet, Serialize, Deserialize, Clone)]
#[repr(u8)]
enum Tree {
    Leaf(i64),
    Pair(#[facet(recursive_type)] Box<Tree>, #[facet(recursive_type)] Box<Tree>),
}

/// [`Record`], in another order.
#[derive(Facet)]
struct Reordered {
    at: i64,
    tags: Vec<String>,
    active: bool,
    name: String,
    score: f64,
    id: u64,
}

/// As [`Record`], and more.
#[derive(Facet)]
struct Grown {
    id: u64,
    name: String,
    score: f64,
    tags: Vec<String>,
    active: bool,
    at: i64,
    note: Option<String>,
    #[facet(default)]
    rank: u32,
}

/// As [`Record`], and wider.
#[derive(Facet)]
struct Wider {
    id: u128,
    name: String,
    score: f64,
    tags: Vec<String>,
    active: bool,
    at: i128,
}

/// As [`Record`], and less.
#[derive(Facet)]
struct Shrunk {
    id: u64,
    name: String,
    active: bool,
}

/// All of it at once.
#[derive(Facet)]
struct Mixed {
    active: bool,
    note: Option<String>,
    name: String,
    tags: Vec<String>,
    #[facet(default = 7)]
    rank: u32,
    score: f64,
    id: u128,
}

fn main() {
    println!("{:<22} {:>9} {:>28} {:>28}", "", "bytes", "encode: vox / postcard", "decode: vox / postcard");
    compare("small (3 ints)", &Small { a: 7, b: 300, c: -70_000 });
    compare("rpc", &rpc());
    compare("1,000 records", &(0..1000).map(record).collect::<Vec<_>>());
    compare("1 MiB bytes", &vec![7u8; 1 << 20]);
    compare("100k u64", &(0..100_000u64).map(|n| n.wrapping_mul(0x9e37_79b9) >> (n % 40)).collect::<Vec<_>>());
    compare("1M f32", &(0..1_000_000).map(|n| n as f32).collect::<Vec<_>>());
    compare("boxed enum tree", &tree(10));
    compare("map (1,000)", &(0..1000u32).map(|n| (n.to_string(), n)).collect::<BTreeMap<_, _>>());
    println!("\n{:<22} {:>38}", "1,000 records, as", "decode: translated / by itself");
    translate::<Record>("written");
    translate::<Reordered>("reordered");
    translate::<Grown>("with two fields more");
    translate::<Wider>("with wider integers");
    translate::<Shrunk>("with three fields less");
    translate::<Mixed>("all of it at once");
}

/// Reads records as another version has them, and as they were written.
fn translate<T: Facet<'static>>(name: &str) {
    if std::env::args().skip(1).any(|arg| !arg.starts_with("--") && !"1,000 records, translated".contains(&arg)) {
        return;
    }
    let records: Vec<_> = (0..1000).map(record).collect();
    let frame = Bytes::from(postcard::to_allocvec(&records).expect("plain data"));
    let (written, plan) = (Plan::<Vec<Record>>::new(), Plan::<Vec<T>>::new());
    let schema = schema_of(<Vec<Record>>::SHAPE).expect("it can cross");
    let translated = plan.reading(&schema).expect("it can be read");
    let decode = duel(
        || {
            let mut from = Decoder::new(black_box(&frame), Budget::new(usize::MAX, 64));
            black_box(translated(&mut from).expect("the bytes are whole"));
        },
        || {
            let mut from = Decoder::new(black_box(&frame), Budget::new(usize::MAX, 64));
            black_box(written.decode(&mut from).expect("as above"));
        },
    );
    println!("{name:<22} {decode:>38}");
}

fn rpc() -> Rpc {
    Rpc {
        id: 123_456_789,
        method: "inventory.reserve".into(),
        trace: [9; 16],
        deadline: Some(1_700_000_000),
        metadata: vec![("tenant".into(), "acme".into()), ("region".into(), "eu-west-1".into())],
        body: vec![1; 140],
        retries: 2,
        idempotent: true,
    }
}

fn record(n: u64) -> Record {
    Record {
        id: n * 7919,
        name: format!("record number {n}"),
        score: n as f64 / 3.0,
        tags: vec!["red".into(), format!("tag{}", n % 10)],
        active: n.is_multiple_of(3),
        at: 1_700_000_000 + n as i64,
    }
}

fn tree(depth: i64) -> Tree {
    match depth {
        0 => Tree::Leaf(-5),
        _ => Tree::Pair(Box::new(tree(depth - 1)), Box::new(tree(depth - 1))),
    }
}

fn compare<T: Facet<'static> + Serialize + DeserializeOwned>(name: &str, value: &T) {
    let mut wanted = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).peekable();
    if wanted.peek().is_some() && !wanted.any(|part| name.contains(&part)) {
        return;
    }
    let plan = Plan::<T>::new();
    let frame = Bytes::from(postcard::to_allocvec(value).expect("the value is plain data"));
    let mut out = Vec::with_capacity(frame.len() * 2 + 64);
    let encode = duel(
        || {
            out.clear();
            let result = plan.encode(black_box(value), &mut Encoder::new(&mut out, usize::MAX));
            result.expect("the type can be sent");
            black_box(&out);
        },
        || {
            black_box(postcard::to_allocvec(black_box(value)).expect("as above"));
        },
    );
    let decode = duel(
        || {
            let budget = Budget::new(usize::MAX, 64);
            let mut from = Decoder::new(black_box(&frame), budget);
            black_box(plan.decode(&mut from).expect("the bytes are whole"));
        },
        || {
            black_box(postcard::from_bytes::<T>(black_box(&frame)).expect("as above"));
        },
    );
    println!("{name:<22} {:>9} {encode:>28} {decode:>28}", frame.len());
}

/// The medians of two ways to do one thing, and their ratio.
fn duel(mut ours: impl FnMut(), mut theirs: impl FnMut()) -> String {
    let times = (times_for(&mut ours), times_for(&mut theirs));
    let (mut our_rounds, mut their_rounds) = (Vec::new(), Vec::new());
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(400) || our_rounds.len() < 15 {
        our_rounds.push(round(times.0, &mut ours));
        their_rounds.push(round(times.1, &mut theirs));
    }
    let (ours, theirs) = (median(our_rounds), median(their_rounds));
    format!("{} / {} = {:.2}", show(ours), show(theirs), ours / theirs)
}

/// How often to run `f` for about a millisecond.
fn times_for(f: &mut impl FnMut()) -> u32 {
    let once = round(3, f).max(1.0);
    (1e6 / once).clamp(1.0, 100_000.0) as u32
}

/// Nanoseconds that one of `times` runs takes.
fn round(times: u32, f: &mut impl FnMut()) -> f64 {
    let began = Instant::now();
    for _ in 0..times {
        f();
    }
    began.elapsed().as_nanos() as f64 / f64::from(times)
}

fn median(mut rounds: Vec<f64>) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}

fn show(nanos: f64) -> String {
    match nanos {
        n if n < 10_000.0 => format!("{n:.0} ns"),
        n => format!("{:.0} µs", n / 1000.0),
    }
}
