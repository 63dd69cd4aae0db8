//! Memory that the sessions of a server have in common, as those see it who take of it.

use std::fmt::Debug;

use super::{Refusals, Refused};

/// Memory that sessions have in common.
pub(crate) trait Purse: Debug + Send + Sync {
    /// Takes so much. `false`: there is not so much left. `at_any_rate`: it is kept already.
    fn take(&self, bytes: usize, at_any_rate: bool) -> bool;
    fn give_back(&self, bytes: usize);
    /// Whether there is hardly any left.
    fn is_low(&self) -> bool;
    /// How much is taken, and how much there is.
    fn sums(&self) -> (usize, usize);
    /// Something was turned down in a session that takes from it, or has to wait.
    fn note(&self, what: Refused);
    fn refusals(&self) -> Refusals;
}
