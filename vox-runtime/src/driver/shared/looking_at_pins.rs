//! Looks after read buffers that something still uses.

use super::super::shared::Shared;

impl Shared {
    /// Looks whether buffers are free again.
    #[cold]
    pub(in crate::driver) fn look_at_pins(&self) {
        let mut reader = self.reader();
        self.change(|state| reader.look_at_pins(&mut state.session));
    }
}
