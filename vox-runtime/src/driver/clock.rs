//! The clock that the driver goes by.

use std::time::Instant;

/// Now, as tokio's clock has it, so that tests can pause it.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
