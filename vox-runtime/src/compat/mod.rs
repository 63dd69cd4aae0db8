//! Whether a service goes with what is deployed: snapshots of services as text, and what has changed between them.
//!
//! A [`Snapshot`] is a service at one time, as a text that is kept in git. [`compare`] says what has changed from one to another,
//! change by change: whether old and new ends go together, and which of them is to be upgraded first. It asks the rules by
//! which a client judges a server before its first call, so what is said here is what happens then. [`check`] compares with all
//! releases. [`assert_compatible!`](crate::assert_compatible) is all of that as one line of a test.

mod accepted;
mod beside;
mod change;
mod code;
mod compare;
mod files;
mod names;
#[cfg(test)]
mod pairs;
mod parse;
mod report;
mod snapshot;
mod states;
mod text;
mod tokens;
mod witness;

pub use accepted::Date;
pub use change::{Change, Order, Position};
pub use code::Code;
pub use compare::compare;
#[doc(hidden)]
pub use files::assert_compatible;
pub use files::{Failure, hold};
pub use parse::SnapshotError;
pub use report::{Judged, Release, Report, check};
pub use snapshot::Snapshot;
pub use witness::Witness;
