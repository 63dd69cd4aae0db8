//! What reading another version's records costs beside reading one's own, by the instructions of both.

use std::hint::black_box;

use bytes::Bytes;
use facet::Facet;
use vox::codec::{Budget, Decoder, Encoder, Plan, schema_of};

use crate::calls::Record;
use crate::contender::Fault;
use crate::instructions::{bound, valgrind};

/// Reads the records so often, translated or as they were written.
type Reads = fn(How, u64) -> Result<(), Fault>;

/// How the reader's version differs.
const CASES: &[(&str, Reads)] = &[
    ("reordered", read_as::<Reordered>),
    ("with two fields more", read_as::<Grown>),
    ("with wider integers", read_as::<Wider>),
    ("with two fields less", read_as::<Shrunk>),
    ("all of it at once", read_as::<Mixed>),
];

/// What the bound of all cases is called: per cent of reading records as they were written.
pub(crate) const BOUND: &str = "% of straight decoding, 1,000 records of another version";
const RECORDS: u64 = 1_000;
const READINGS: u64 = 4;

#[derive(Clone, Copy)]
enum How {
    Straight,
    Translated,
}

#[derive(Facet)]
struct Reordered {
    flag: bool,
    score: f64,
    tags: Vec<String>,
    name: String,
    id: u64,
}

#[derive(Facet)]
struct Grown {
    id: u64,
    note: Option<String>,
    name: String,
    tags: Vec<String>,
    score: f64,
    flag: bool,
    #[facet(default = 7)]
    rank: u32,
}

#[derive(Facet)]
struct Wider {
    id: u128,
    name: String,
    tags: Vec<String>,
    score: f64,
    flag: bool,
}

#[derive(Facet)]
struct Shrunk {
    id: u64,
    tags: Vec<String>,
    flag: bool,
}

#[derive(Facet)]
struct Mixed {
    flag: bool,
    note: Option<String>,
    tags: Vec<String>,
    name: String,
    #[facet(default = 7)]
    rank: u32,
    id: u128,
}

/// Counts all cases: those that are over the bound.
pub(crate) fn over() -> Result<Vec<&'static str>, Fault> {
    let most = bound(BOUND)?;
    println!("{:<38} {:>12} {:>12} {:>6} {:>8}", "1,000 records, read as", "translated", "straight", "%", "at most");
    let mut over = Vec::new();
    for (index, (title, _)) in CASES.iter().enumerate() {
        let (translated, straight) = (count(index, "translated")?, count(index, "straight")?);
        let percent = 100.0 * translated / straight;
        println!("{title:<38} {translated:>12.0} {straight:>12.0} {percent:>6.0} {most:>8}");
        if percent > most as f64 {
            over.push(*title);
        }
    }
    Ok(over)
}

/// Instructions of one reading of all records: what more readings take beside fewer.
fn count(case: usize, how: &str) -> Result<f64, Fault> {
    let run = |readings: u64| valgrind(&["translating", &case.to_string(), how, &readings.to_string()]);
    let (fewer, more) = (run(READINGS)?, run(3 * READINGS)?);
    Ok((more as f64 - fewer as f64) / (2 * READINGS) as f64)
}

/// What runs under valgrind.
pub(crate) fn child(arguments: &[String]) -> Result<(), Fault> {
    let [case, how, readings] = arguments else {
        return Err("translating <case> straight|translated <readings>".into());
    };
    let how = match how.as_str() {
        "straight" => How::Straight,
        "translated" => How::Translated,
        other => return Err(format!("`{other}` is neither straight nor translated").into()),
    };
    let (_, read) = CASES.get(case.parse::<usize>()?).ok_or("no such case")?;
    read(how, readings.parse()?)
}

/// Reads records so often, as they were written or as `T` has them.
fn read_as<T: Facet<'static>>(how: How, readings: u64) -> Result<(), Fault> {
    let (written, plan) = (Plan::<Vec<Record>>::new(), Plan::<Vec<T>>::new());
    let mut bytes = Vec::new();
    written.encode(&(0..RECORDS).map(Record::of).collect(), &mut Encoder::new(&mut bytes, usize::MAX))?;
    let (frame, schema) = (Bytes::from(bytes), schema_of(<Vec<Record>>::SHAPE)?);
    let translated = plan.reading(&schema)?;
    for _ in 0..readings {
        let mut from = Decoder::new(black_box(&frame), Budget::new(usize::MAX, 64));
        match how {
            How::Straight => drop(black_box(written.decode(&mut from)?)),
            How::Translated => drop(black_box(translated(&mut from)?)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_reads_the_records() {
        for (title, read) in CASES {
            for how in [How::Straight, How::Translated] {
                assert!(read(how, 1).is_ok(), "{title}");
            }
        }
    }
}
