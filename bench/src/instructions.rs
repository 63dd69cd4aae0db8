//! How many instructions operations take, in user mode, both ends together: a guard against getting slower that no clock and no
//! neighbour on the machine disturbs.
//!
//! Each case runs twice under callgrind, once with more operations; the difference belongs to them alone. `instructions.txt` has the
//! most that each may take.

use std::process::Command;

use crate::contender::{Contender, Fault, Item, Link, Setting, Work};
use crate::lane::runtime;
use crate::translating;

/// What is counted: what it is called, what it runs over, the work, and how many operations the shorter run has.
const CASES: &[(&str, Link, Work, u64)] = &[
    ("call, memory link", Link::Memory, Work::Echo { calls: 0, in_flight: 1 }, 500),
    ("call, TCP", Link::Tcp, Work::Echo { calls: 0, in_flight: 1 }, 500),
    ("echo of 64 KiB, memory link", Link::Memory, Work::Blob { calls: 0, bytes: 64 << 10 }, 50),
    ("echo of 1,000 records, memory link", Link::Memory, Work::Records { calls: 0, records: 1_000 }, 5),
    ("item, u64, memory link", Link::Memory, Work::Stream { items: 0, item: Item::Number }, 5_000),
    ("item, 100 bytes, memory link", Link::Memory, Work::Stream { items: 0, item: Item::Struct }, 5_000),
];

/// The most that each case may take.
const BOUNDS: &str = include_str!("../instructions.txt");

/// Counts all cases of this contender, and fails where one is over its bound. Only vox has bounds.
pub(crate) fn run(contenders: &[Box<dyn Contender>], arguments: &[String]) -> Result<(), Fault> {
    let name = arguments.first().map_or("vox", String::as_str);
    find(contenders, name)?;
    let mut over = Vec::new();
    println!("{:<38} {:>12} {:>12}", name, "instructions", "at most");
    for (index, (title, ..)) in CASES.iter().enumerate() {
        let counted = count(name, index)?;
        let bound = bound(title)?;
        println!("{title:<38} {counted:>12.0} {bound:>12}");
        if name == "vox" && counted > bound as f64 {
            over.push(*title);
        }
    }
    if name == "vox" {
        over.extend(translating::over()?);
    }
    match over.is_empty() {
        true => Ok(()),
        false => Err(format!("over the bound of bench/instructions.txt: {}", over.join("; ")).into()),
    }
}

/// The bound of a case: its line is the number, then what it is called.
pub(crate) fn bound(title: &str) -> Result<u64, Fault> {
    let lines = BOUNDS.lines().filter_map(|line| line.trim().split_once(' '));
    let mut found = lines.filter(|(_, name)| name.trim() == title).map(|(number, _)| number.replace(',', "").parse());
    Ok(found.next().ok_or_else(|| format!("no bound for `{title}` in bench/instructions.txt"))??)
}

/// Instructions per operation.
fn count(name: &str, case: usize) -> Result<f64, Fault> {
    let (_, _, _, operations) = CASES[case];
    let run = |operations: u64| valgrind(&["operations", name, &case.to_string(), &operations.to_string()]);
    let (fewer, more) = (run(operations)?, run(3 * operations)?);
    Ok((more as f64 - fewer as f64) / (2 * operations) as f64)
}

/// The instructions of this program, run so.
pub(crate) fn valgrind(arguments: &[&str]) -> Result<u64, Fault> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(arguments)
        // Not the instruction that moves any number of bytes at once, which some processors have and callgrind counts by the byte.
        .env(
            "GLIBC_TUNABLES",
            "glibc.cpu.x86_rep_movsb_threshold=2000000000:glibc.cpu.x86_rep_stosb_threshold=2000000000",
        )
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split("Collected : ").nth(1)?.trim().parse().ok());
    match (output.status.success(), collected) {
        (true, Some(collected)) => Ok(collected),
        _ => Err(format!("valgrind: {said}").into()),
    }
}

/// What runs under valgrind: so many operations of a case, on one thread, and as many before them so that everything is warm.
pub(crate) fn child(contenders: &[Box<dyn Contender>], arguments: &[String]) -> Result<(), Fault> {
    let [name, case, operations] = arguments else { return Err("operations <contender> <case> <count>".into()) };
    let contender = find(contenders, name)?;
    let (_, link, work, warm) = *CASES.get(case.parse::<usize>()?).ok_or("no such case")?;
    let setting = Setting { link, work, kept: false };
    runtime(1)?.block_on(async {
        let mut client = match link {
            Link::Memory => contender.in_memory(setting).await?,
            Link::Tcp | Link::Unix => contender.connect(contender.serve(setting).await?, setting).await?,
        };
        client.run(work.of(warm), None).await?;
        client.run(work.of(operations.parse()?), None).await
    })
}

fn find<'a>(contenders: &'a [Box<dyn Contender>], name: &str) -> Result<&'a dyn Contender, Fault> {
    let found = contenders.iter().find(|contender| contender.name() == name);
    Ok(&**found.ok_or_else(|| format!("no contender `{name}`"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_has_a_bound_and_every_bound_a_case() {
        for (title, ..) in CASES {
            assert!(bound(title).is_ok_and(|bound| bound > 0), "{title}");
        }
        assert_eq!(BOUNDS.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).count(), CASES.len() + 1);
        assert!(bound(translating::BOUND).is_ok_and(|bound| bound == 150));
    }
}
