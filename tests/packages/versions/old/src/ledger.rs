//! The older version of a service whose ends talk while links are cut.

use facet::Facet;
use package_versions_case::ledger;

/// Which way money goes.
#[derive(Debug, Clone, PartialEq, Facet)]
#[repr(u8)]
pub enum Flow {
    /// It comes.
    In,
    /// It goes.
    Out {
        /// Where.
        to: String,
    },
}

/// A line of a ledger.
#[derive(Debug, Clone, PartialEq, Facet)]
pub struct Entry {
    /// Which line.
    pub number: u32,
    /// It is gone in the newer version.
    pub page: Option<u8>,
    /// Which way.
    pub way: Flow,
    /// Why.
    pub note: String,
}

/// One of many.
pub fn entry(number: u32) -> Entry {
    let way = if number.is_multiple_of(2) { Flow::In } else { Flow::Out { to: format!("account {number}") } };
    Entry { number, page: Some(7), way, note: "n".repeat(number as usize % 50) }
}

ledger!(Entry, entry, ());

/// What the newer version makes of it, as that prints it.
pub fn entry_there(number: u32) -> String {
    let way = match entry(number).way {
        Flow::In => "In".to_owned(),
        Flow::Out { to } => format!("Out {{ at: None, to: {to:?} }}"),
    };
    format!("Entry {{ note: {:?}, currency: \"EUR\", way: {way}, number: {number} }}", entry(number).note)
}

/// What comes of it when the newer version has read it and sent it back.
pub fn entry_back(number: u32) -> String {
    format!("{:?}", Entry { page: None, ..entry(number) })
}
