//! The cells of the table: what is measured over which link, in how many processes, on how many threads.

use crate::contender::{Item, Link, Setting, Work};

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// What it is called on the command line.
    pub name: String,
    /// What is measured, in words.
    pub title: String,
    /// What the contenders are set up for.
    pub setting: Setting,
    /// Client and server in processes of their own; otherwise on one runtime.
    pub two_processes: bool,
    /// How many threads each runtime has.
    pub threads: usize,
}

const LONE: Work = Work::Echo { calls: 20_000, in_flight: 1 };
const MANY: Work = Work::Echo { calls: 64_000, in_flight: 64 };

/// What is measured over TCP and over Unix sockets, in one process and in two, on one thread and on two.
const CALLS: &[(&str, &str, Work)] = &[
    ("s1", "echo of a u64, one in flight", LONE),
    ("s2", "echo of a u64, 64 in flight", MANY),
    ("s2-256", "echo of a u64, 256 in flight", Work::Echo { calls: 64_000, in_flight: 256 }),
    ("s3", "echo of 1 MiB", Work::Blob { calls: 200, bytes: 1 << 20 }),
    ("s4", "u64 from server to client", Work::Stream { items: 1_000_000, item: Item::Number }),
    ("s4-structs", "structs of 100 bytes from server to client", Work::Stream { items: 1_000_000, item: Item::Struct }),
    ("s5", "echo of 1,000 records", Work::Records { calls: 200, records: 1_000 }),
];

/// Every cell there is.
pub fn scenarios() -> Vec<Scenario> {
    let mut all = Vec::new();
    for &(name, title, work) in CALLS {
        for link in [Link::Tcp, Link::Unix] {
            for threads in [1, 2] {
                for two_processes in [false, true] {
                    all.push(cell(name, title, Setting { link, work, kept: false }, two_processes, threads));
                }
            }
        }
        if work == LONE || work == MANY {
            let setting = Setting { link: Link::Tcp, work, kept: true };
            let title = format!("{title}, and as calls whose outcomes are kept in memory");
            all.push(cell(&format!("{name}-persist"), &title, setting, false, 1));
        }
    }
    for (name, title, work) in [("s6", CALLS[0].1, LONE), ("s6-64", CALLS[1].1, MANY)] {
        for threads in [1, 2] {
            all.push(cell(name, title, Setting { link: Link::Memory, work, kept: false }, false, threads));
        }
    }
    all
}

fn cell(name: &str, title: &str, setting: Setting, two_processes: bool, threads: usize) -> Scenario {
    let (link, over) = match setting.link {
        Link::Tcp => ("", "TCP"),
        Link::Unix => ("-unix", "Unix socket"),
        Link::Memory => ("", "in memory"),
    };
    let (processes, places) = if two_processes { ("-two", "two processes") } else { ("", "one process") };
    let (many, workers) = match (threads, two_processes) {
        (1, false) => ("", "one thread"),
        (1, true) => ("", "one thread each"),
        (_, false) => ("-mt", "two threads"),
        (_, true) => ("-mt", "two threads each"),
    };
    let name = format!("{name}{link}{processes}{many}");
    Scenario { name, title: format!("{title}, {over}, {places}, {workers}"), setting, two_processes, threads }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_cell_has_a_name_of_its_own() {
        let names: BTreeSet<String> = scenarios().into_iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), scenarios().len());
    }
}
