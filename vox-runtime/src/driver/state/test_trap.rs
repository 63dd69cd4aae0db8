//! Where a test lets vox panic.

use super::State;

/// Where vox panics next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::driver) enum Trap {
    /// Something was read and is to be handled: the reader and the state are locked.
    Frame,
    /// A call has ended, and nobody is told yet.
    Finish,
    /// What is to be written was taken, and is not written.
    Take,
    /// The session is to end for a fault.
    End,
}

impl State {
    pub(in crate::driver) fn spring(&mut self, trap: Trap) {
        if self.trap.take_if(|set| *set == trap).is_some() {
            panic!("on purpose: {trap:?}");
        }
    }
}
