//! What a server or a client has refused in this session.

use super::super::shared::Shared;
use crate::limits::Refusals;

impl Shared {
    /// What the session turned down so far.
    pub(crate) fn refusals(&self) -> Refusals {
        self.lock().refusing.get()
    }
}
