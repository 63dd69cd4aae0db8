//! The newer version of a service whose ends talk while links are cut.

use facet::Facet;
use package_versions_case::ledger;

/// Which way money goes.
#[derive(Debug, Clone, PartialEq, Facet)]
#[repr(u8)]
pub enum Flow {
    /// It goes.
    Out {
        /// When.
        at: Option<u64>,
        /// Where.
        to: String,
    },
    /// It is taken. The older version does not have it.
    Fee,
    /// It comes.
    In,
}

/// A line of a ledger.
#[derive(Debug, Clone, PartialEq, Facet)]
pub struct Entry {
    /// Why.
    pub note: String,
    /// The older version does not have it.
    #[facet(default = "EUR".to_owned())]
    pub currency: String,
    /// Which way.
    pub way: Flow,
    /// Which line.
    pub number: u32,
}

/// One of many.
pub fn entry(number: u32) -> Entry {
    let way =
        if number.is_multiple_of(2) { Flow::In } else { Flow::Out { at: Some(9), to: format!("account {number}") } };
    Entry { note: "n".repeat(number as usize % 50), currency: "CHF".to_owned(), way, number }
}

ledger!(Entry, entry, (#[vox(default = 3)] rank: u8 = 3));

/// What the older version makes of it, as that prints it.
pub fn entry_there(number: u32) -> String {
    let way = match entry(number).way {
        Flow::Out { to, .. } => format!("Out {{ to: {to:?} }}"),
        Flow::In | Flow::Fee => "In".to_owned(),
    };
    format!("Entry {{ number: {number}, page: None, way: {way}, note: {:?} }}", entry(number).note)
}

/// What comes of it when the older version has read it and sent it back.
pub fn entry_back(number: u32) -> String {
    let way = match entry(number).way {
        Flow::Out { to, .. } => Flow::Out { at: None, to },
        way => way,
    };
    format!("{:?}", Entry { currency: "EUR".to_owned(), way, ..entry(number) })
}
