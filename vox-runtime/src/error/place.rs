//! What an error says beside its kind: the call that it is about, and why.

use std::fmt;
use std::ops::Deref;

use facet::Facet;

use crate::escaped::Escaped;

/// The call that an error is about: its service, its method and the peer's address.
///
/// The caller's end fills it in when a call fails; it is empty in an error that was made by hand. It counts for nothing when errors are
/// compared. No reply carries it; it travels only inside a [`VoxError`](crate::VoxError) that a method returns as its own error.
#[derive(Clone, Default, Facet)]
pub struct Place(Option<Box<Spot>>);

#[derive(Clone, Facet)]
struct Spot {
    service: String,
    method: String,
    address: String,
}

impl Place {
    /// No place.
    pub const UNKNOWN: Self = Self(None);

    /// A method of a service, at a peer.
    pub fn new(service: impl Into<String>, method: impl Into<String>, address: impl Into<String>) -> Self {
        let spot = Spot { service: service.into(), method: method.into(), address: address.into() };
        Self(Some(Box::new(spot)))
    }

    /// Whether it says anything.
    pub fn is_known(&self) -> bool {
        self.0.is_some()
    }

    /// The service's name on the wire; empty where it is not known.
    pub fn service(&self) -> &str {
        self.0.as_ref().map_or("", |spot| &spot.service)
    }

    /// The method's name on the wire; empty where it is not known.
    pub fn method(&self) -> &str {
        self.0.as_ref().map_or("", |spot| &spot.method)
    }

    /// The peer's address; empty where it is not known.
    pub fn address(&self) -> &str {
        self.0.as_ref().map_or("", |spot| &spot.address)
    }

    /// Takes `other` where it is not known.
    pub(super) fn or(&mut self, other: impl FnOnce() -> Self) {
        if self.0.is_none() {
            *self = other();
        }
    }

    /// Begins an error's text.
    pub(super) fn introduce(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_known() { write!(f, "{self}: ") } else { Ok(()) }
    }
}

/// As in `Bank.transfer at tcp://10.0.0.7:9000`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(spot) => {
                write!(f, "{}.{}", Escaped::name(&spot.service), Escaped::name(&spot.method))?;
                if spot.address.is_empty() { Ok(()) } else { write!(f, " at {}", Escaped::new(&spot.address)) }
            }
            None => f.write_str("a call"),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_known() { fmt::Display::fmt(self, f) } else { f.write_str("_") }
    }
}

/// All places are equal, so that errors are compared by what happened and not by where.
impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Place {}

/// Why a call failed, in words, and which call that was. It reads, compares and prints as the words alone.
#[derive(Clone, PartialEq, Eq, Facet)]
pub struct Reason {
    why: Box<str>,
    pub(super) at: Place,
}

impl Reason {
    pub(crate) fn new(why: impl Into<Box<str>>, at: Place) -> Self {
        Self { why: why.into(), at }
    }

    /// The words.
    pub fn as_str(&self) -> &str {
        &self.why
    }

    /// The call.
    pub fn place(&self) -> &Place {
        &self.at
    }
}

impl Deref for Reason {
    type Target = str;

    fn deref(&self) -> &str {
        &self.why
    }
}

impl AsRef<str> for Reason {
    fn as_ref(&self) -> &str {
        &self.why
    }
}

impl From<String> for Reason {
    fn from(why: String) -> Self {
        Self { why: why.into(), at: Place::UNKNOWN }
    }
}

impl From<&str> for Reason {
    fn from(why: &str) -> Self {
        Self { why: why.into(), at: Place::UNKNOWN }
    }
}

impl PartialEq<str> for Reason {
    fn eq(&self, other: &str) -> bool {
        *self.why == *other
    }
}

impl PartialEq<&str> for Reason {
    fn eq(&self, other: &&str) -> bool {
        *self.why == **other
    }
}

impl PartialEq<String> for Reason {
    fn eq(&self, other: &String) -> bool {
        *self.why == **other
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Escaped::new(&self.why), f)
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", Escaped::new(&self.why))?;
        if self.at.is_known() { write!(f, ", {:?}", self.at) } else { Ok(()) }
    }
}
