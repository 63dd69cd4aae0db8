//! Figures of a server: how many sessions, how much memory, how many refusals.

use super::listen::Server;
use crate::limits::Refusals;

impl Server {
    /// The bytes that are kept because of peers, in all sessions together. Sessions count that wait for a new link, or have ended while
    /// handlers of theirs run on. See [`Session::memory`](crate::Session::memory) for what counts.
    pub fn memory(&self) -> usize {
        self.session_table.memory()
    }

    /// The bytes that sessions have taken of [`Limits::server_memory`](crate::Limits::server_memory): what they keep because of their peers, without
    /// the first 64 KiB of each, in pieces of 64 KiB.
    pub fn memory_taken(&self) -> usize {
        self.session_table.memory_taken()
    }

    /// How often the server's sessions, those that have ended included, turned down or held up what their peers asked for.
    ///
    /// ```no_run
    /// # extern crate vox_runtime as vox;
    /// # fn show(server: &vox::Server) {
    /// let refusals = server.refusals();
    /// println!("{} calls were answered `Busy`, {} sessions broke a rule", refusals.calls, refusals.violations);
    /// # }
    /// ```
    pub fn refusals(&self) -> Refusals {
        self.session_table.refusals()
    }
}
