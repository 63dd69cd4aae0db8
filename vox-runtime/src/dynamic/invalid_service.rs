//! Why a service that is known without its trait cannot be one.

use std::fmt;

use crate::escaped::{Escaped, show};
use crate::value::ValueError;

/// Why there is no such [`ServiceType`](super::ServiceType).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidService {
    service: String,
    why: String,
}

impl InvalidService {
    pub(crate) fn new(service: &str, why: impl Into<String>) -> Self {
        Self { service: service.to_owned(), why: why.into() }
    }
}

impl fmt::Display for InvalidService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(
            f,
            format_args!(
                "the service `{}` cannot be known without its trait: {}",
                Escaped::name(&self.service),
                self.why
            ),
        )
    }
}

impl std::error::Error for InvalidService {}

impl From<ValueError> for InvalidService {
    fn from(error: ValueError) -> Self {
        Self::new("?", error.to_string())
    }
}
