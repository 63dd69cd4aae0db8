//! What every store must do, as checks that any store can be put to.
//!
//! Each rule gets a store of its own. The first that is broken is told by its name. It needs a tokio runtime, best one
//! with several threads, and no test framework:
//!
//! ```
//! # extern crate vox_runtime as vox;
//! use vox::store::{MemoryStore, conformance};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), conformance::Violation> {
//!     conformance::check(async || MemoryStore::new()).await
//! }
//! ```
//!
//! A store that outlives its process is also put to [`check_durable`].

mod admission;
mod durable;
mod ending;
mod subject;

use std::fmt;

use self::subject::Subject;
use super::OperationStore;

/// Puts stores to every rule. `make` makes an empty one.
pub async fn check<S: OperationStore>(make: impl AsyncFn() -> S) -> Result<(), Violation> {
    violations(make).await.into_iter().next().map_or(Ok(()), Err)
}

/// All the rules that a store breaks.
async fn violations<S: OperationStore>(make: impl AsyncFn() -> S) -> Vec<Violation> {
    let mut broken = Vec::new();
    macro_rules! rules {
        ($($room:ident::$rule:ident;)*) => {$(
            if let Err(what) = $room::$rule(&Subject::new(make().await)).await {
                broken.push(Violation { rule: stringify!($rule), what });
            }
        )*};
    }
    rules! {
        admission::a_first_attempt_is_granted;
        admission::a_duplicate_of_what_runs_is_told_so;
        admission::of_many_at_once_one_is_granted;
        admission::an_admission_that_nobody_heard_of_does_not_stay;
        admission::another_method_or_other_arguments_conflict;
        admission::ids_out_of_time_are_expired;
        admission::principals_do_not_see_each_other;
        ending::a_sealed_outcome_is_replayed;
        ending::sealing_is_absorbing;
        ending::an_outcome_that_is_too_long_is_refused;
        ending::an_outcome_of_another_schema_is_replayed_with_it;
        ending::a_released_id_is_free;
        ending::what_was_granted_anew_and_released_is_given_up;
        ending::what_was_given_up_is_not_run_again_unless_it_may;
        ending::giving_up_what_is_sealed_gives_the_outcome;
        ending::every_end_asks_for_the_fence;
        ending::an_older_fence_no_longer_counts;
        ending::an_acknowledged_operation_is_expired;
        ending::acknowledging_what_is_not_ended_does_nothing;
        ending::a_forgotten_operation_is_not_replayed;
    }
    broken
}

/// Puts a store that keeps its records somewhere to what must be true when it is opened again. `open` opens the same
/// records each time, in a file for instance, which are none at first; `close` ends a store as its process's end would.
///
/// ```
/// # extern crate vox_runtime as vox;
/// # use std::sync::Arc;
/// # use vox::store::{MemoryStore, conformance};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// // A store in memory is not durable.
/// let checked = conformance::check_durable(async || MemoryStore::new(), async |store| drop(store)).await;
/// assert!(checked.unwrap_err().to_string().starts_with("durable_"));
/// # }
/// ```
pub async fn check_durable<S: OperationStore>(
    open: impl AsyncFn() -> S,
    close: impl AsyncFn(S),
) -> Result<(), Violation> {
    let ids = durable::Ids::new();
    let store = open().await;
    durable::prepare(&store, &ids).await.map_err(|what| Violation { rule: "durable_prepare", what })?;
    close(store).await;
    // Twice: what was decided at the first opening must be so at the second.
    for _ in 0..2 {
        let store = open().await;
        macro_rules! rules {
            ($($rule:ident;)*) => {$(
                let rule = stringify!($rule);
                durable::$rule(&store, &ids).await.map_err(|what| Violation { rule, what })?;
            )*};
        }
        rules! {
            durable_outcomes_are_replayed;
            durable_admissions_of_a_dead_owner_are_indeterminate;
            durable_ends_stay;
        }
        close(store).await;
    }
    let store = open().await;
    durable::durable_runs_again_where_it_may(&store, &ids)
        .await
        .map_err(|what| Violation { rule: "durable_runs_again_where_it_may", what })?;
    close(store).await;
    Ok(())
}

/// A rule that a store broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    rule: &'static str,
    what: String,
}

impl Violation {
    /// The rule's name.
    pub fn rule(&self) -> &'static str {
        self.rule
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.what)
    }
}

impl std::error::Error for Violation {}

#[cfg(test)]
mod tests;
