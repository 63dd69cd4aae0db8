//! Cleans up after a panic of vox itself in the table of operations. The store still knows what began, so nothing runs twice.

use std::mem;
use std::sync::MutexGuard;
use std::sync::atomic::Ordering;

use super::{OperationRunner, OperationTable, Place, reply};
use crate::catch_panic::catch_panic;
use crate::proto::Answer;
use crate::sorted::Sorted;
use crate::wire::Failure;

impl OperationRunner {
    /// Answers every attempt that waits as indeterminate, and begins with an empty table.
    #[cold]
    pub(super) fn give_up_all<'a>(
        &'a self,
        mut table: MutexGuard<'a, OperationTable>,
    ) -> MutexGuard<'a, OperationTable> {
        self.table.clear_poison();
        let mut attempts: Sorted<_, Place, 64> = mem::take(&mut *table).attempts;
        // None of their handlers is heard of again.
        self.detached.store(0, Ordering::Relaxed);
        drop(table);
        let given_up = attempts.len();
        catch_panic(|| {
            tracing::error!(
                attempts = given_up,
                "vox has a bug: it panicked among the operations. Those under way are indeterminate. Please report it, with the panic's message"
            );
        });
        while let Some((attempt, Place { shared, .. })) = attempts.pop_first() {
            let answer = Answer::Failure(Failure::Indeterminate);
            reply(&*shared, attempt, answer, false);
        }
        self.lock()
    }

    #[cfg(test)]
    pub(in super::super) fn panic_at_the_table(&self) {
        let _desk = self.table.lock().expect("nobody panicked");
        panic!("on purpose, at the table");
    }
}
