//! Errors of values, with the place in the value.

use std::fmt;

use crate::codec::DecodeError;
use crate::escaped::{Escaped, show};

/// What is wrong with a value, with its JSON or with its bytes, and where.
///
/// It prints as `$.lines[3].amount: expected u32, got "x"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueError(Box<Fault>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    /// The way to it, from the end.
    steps: Vec<Box<str>>,
    reason: String,
    /// What was wrong with the bytes, if they were bytes.
    cause: Option<DecodeError>,
}

impl ValueError {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(Box::new(Fault { steps: Vec::new(), reason: reason.into(), cause: None }))
    }

    pub(super) fn decoding(error: DecodeError) -> Self {
        let reason = error.to_string();
        Self(Box::new(Fault { steps: Vec::new(), reason, cause: Some(error) }))
    }

    /// What was wrong with the bytes, if they were bytes.
    pub(crate) fn cause(&self) -> Option<&DecodeError> {
        self.0.cause.as_ref()
    }

    /// Where in the value: `$` is all of it.
    pub fn path(&self) -> String {
        self.0.steps.iter().rev().fold("$".to_owned(), |path, step| path + step)
    }

    /// What is wrong there.
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// It stands in the field or the variant of this name.
    pub(crate) fn in_field(self, name: &str) -> Self {
        self.below(format!(".{}", Escaped::name(name)))
    }

    /// It stands in the item of this number.
    pub(super) fn in_item(self, index: usize) -> Self {
        self.below(format!("[{index}]"))
    }

    /// It stands at this key.
    pub(super) fn at_key(self, key: &str) -> Self {
        self.below(format!("[{:?}]", Escaped::name(key)))
    }

    pub(super) fn below(mut self, step: String) -> Self {
        self.0.steps.push(step.into());
        self
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, format_args!("{}: {}", self.path(), self.0.reason))
    }
}

impl std::error::Error for ValueError {}
