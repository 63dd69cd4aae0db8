//! Counts the entries of tables that are looked at, for tests of what a frame costs.

use std::cell::Cell;

std::thread_local! {
    static VISITS: Cell<usize> = const { Cell::new(0) };
}

/// So many more were.
pub(super) fn visit(entries: usize) {
    VISITS.set(VISITS.get() + entries);
}

/// How many are while this runs.
pub(super) fn visits(what: impl FnOnce()) -> usize {
    let before = VISITS.get();
    what();
    VISITS.get() - before
}
