//! Memory that the sessions of a server have in common, as those see it who take of it.

use std::fmt::Debug;
use std::task::Waker;

use super::{Refusals, Refused};

/// Memory that sessions have in common.
pub(crate) trait Purse: Debug + Send + Sync {
    /// Takes so much. `false`: there is not so much left. `at_any_rate`: it is kept already.
    fn take(&self, bytes: usize, at_any_rate: bool) -> bool;
    fn give_back(&self, bytes: usize);
    /// Whether there is hardly any left.
    fn is_low(&self) -> bool;
    /// Who has hardly any left waits in a line from now on, at the place of this ticket if it has one, and is woken in its turn once there is more.
    /// Gives its ticket.
    fn wait(&self, ticket: Option<u64>, waker: &Waker) -> u64;
    /// Who has this ticket waits no more. `true`: it was in the line, and not woken yet.
    fn leave(&self, ticket: u64) -> bool;
    /// Wakes who has waited longest, if there is more. Who is woken calls the next, once it has taken what it needs.
    fn call_next(&self);
    /// How much is taken, and how much there is.
    fn sums(&self) -> (usize, usize);
    /// Something was turned down in a session that takes from it, or has to wait.
    fn note(&self, what: Refused);
    fn refusals(&self) -> Refusals;
}
