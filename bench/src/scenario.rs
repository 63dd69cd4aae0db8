//! The cells of the table: what is measured over which link, in how many processes.

use crate::contender::{Link, Work};

/// One cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scenario {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) link: Link,
    /// Client and server in processes of their own; otherwise on one thread.
    pub(crate) two_processes: bool,
    pub(crate) work: Work,
}

const fn cell(name: &'static str, title: &'static str, link: Link, two_processes: bool, work: Work) -> Scenario {
    Scenario { name, title, link, two_processes, work }
}

const LONE: Work = Work::Echo { calls: 10_000, in_flight: 1 };
const MANY: Work = Work::Echo { calls: 64_000, in_flight: 64 };
const CROWD: Work = Work::Echo { calls: 64_000, in_flight: 256 };
const BLOB: Work = Work::Blob { calls: 100, bytes: 1 << 20 };
const STREAM: Work = Work::Stream { items: 1_000_000 };

/// Every cell there is.
pub(crate) const SCENARIOS: &[Scenario] = &[
    cell("s1", "echo of a u64, one in flight, TCP, one thread", Link::Tcp, false, LONE),
    cell("s1-persist", "as s1, and as calls whose outcomes are kept in memory", Link::Tcp, false, LONE),
    cell("s1-two", "echo of a u64, one in flight, TCP, two processes", Link::Tcp, true, LONE),
    cell("s1-unix-two", "echo of a u64, one in flight, Unix socket, two processes", Link::Unix, true, LONE),
    cell("s2", "echo of a u64, 64 in flight, TCP, one thread", Link::Tcp, false, MANY),
    cell("s2-persist", "as s2, and as calls whose outcomes are kept in memory", Link::Tcp, false, MANY),
    cell("s2-two", "echo of a u64, 64 in flight, TCP, two processes", Link::Tcp, true, MANY),
    cell("s2-256", "echo of a u64, 256 in flight, TCP, one thread", Link::Tcp, false, CROWD),
    cell("s3", "echo of 1 MiB, TCP, one thread", Link::Tcp, false, BLOB),
    cell("s3-two", "echo of 1 MiB, TCP, two processes", Link::Tcp, true, BLOB),
    cell("s4", "1,000,000 u64 from server to client, TCP, one thread", Link::Tcp, false, STREAM),
    cell("s4-two", "1,000,000 u64 from server to client, TCP, two processes", Link::Tcp, true, STREAM),
    cell("s6", "echo of a u64, one in flight, memory link", Link::Memory, false, LONE),
    cell("s6-64", "echo of a u64, 64 in flight, memory link", Link::Memory, false, MANY),
];
