//! A handler's panic becomes its call's error, `VoxError::Panicked`. It harms nothing else.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::catch_panic::catch_panic;
use crate::proto::HandlerEnd;
use crate::wire::Failure;

/// Runs code of a handler or around it. `Err`: it panicked, and its call ends so. What was thrown may throw again as it is dropped.
#[inline]
pub(super) fn catch_handler_panic<R>(run: impl FnOnce() -> R) -> Result<R, HandlerEnd<'static>> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| {
        catch_panic(move || drop(payload));
        HandlerEnd::Failed(Failure::Panicked)
    })
}
