//! Lends the reader of the link.

use std::sync::TryLockError;

use super::super::clock::now;
use super::super::reading::Reader;
use super::super::shared::Shared;
use super::super::sync::MutexGuard;
use crate::error::EndReason;

impl Shared {
    /// The reader. What is wrong with one that somebody panicked with is not known, so that ends the session.
    pub(in crate::driver) fn reader(&self) -> MutexGuard<'_, Reader> {
        self.reader.lock().unwrap_or_else(|poisoned| {
            self.mend_reader(poisoned.into_inner());
            self.reader()
        })
    }

    #[cold]
    fn mend_reader(&self, mut reader: MutexGuard<'_, Reader>) {
        self.reader.clear_poison();
        // The memory is the session's, which does not need it any more.
        let lent = reader.clear();
        drop(reader);
        drop(lent);
        self.fail();
    }

    /// The reader, unless it is in use or was until a panic.
    pub(in crate::driver) fn try_reader(&self) -> Option<MutexGuard<'_, Reader>> {
        match self.reader.try_lock() {
            Ok(reader) => Some(reader),
            Err(TryLockError::Poisoned(poisoned)) => {
                self.mend_reader(poisoned.into_inner());
                None
            }
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// The link numbered `link` gave its last.
    pub(in crate::driver) fn link_ended(&self, link: u64, reason: EndReason) {
        self.change(|state| {
            if state.link.number == link {
                state.session.link_lost(now(), reason);
            }
        });
    }
}
