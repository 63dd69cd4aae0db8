//! What a call inherits from the handler that makes it.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Instant;

use crate::metadata::Metadata;

/// Metadata keys of a trace context (W3C), copied from a handler's call to the calls it makes.
const TRACE_KEYS: [&str; 3] = ["traceparent", "tracestate", "baggage"];

/// What is inherited.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// The handler's own deadline.
    pub(crate) deadline: Option<Instant>,
    /// The trace context that its call came with.
    pub(crate) trace: Option<Arc<Metadata>>,
}

thread_local! {
    static CURRENT: RefCell<Option<Scope>> = const { RefCell::new(None) };
    /// A handler that did not return is being dropped on this thread.
    static CUT: Cell<bool> = const { Cell::new(false) };
}

/// Drops what is left of a handler that did not return.
pub(super) fn drop_cut(future: impl Sized) {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            CUT.set(self.0);
        }
    }
    let _restore = Restore(CUT.replace(true));
    drop(future);
}

/// Whether what is dropped now is dropped by a panic or an abort: its owner did not mean to end it.
pub(crate) fn is_cut() -> bool {
    std::thread::panicking() || CUT.try_with(Cell::get).unwrap_or(false)
}

impl Scope {
    /// The scope of a handler whose call came with this metadata.
    #[inline]
    pub(crate) fn of_call(deadline: Option<Instant>, metadata: &Metadata) -> Self {
        let mut trace = Metadata::new();
        if !metadata.is_empty() {
            for key in TRACE_KEYS {
                // The first of this key, and as secret as the caller says.
                if let Some((key, value, sensitive)) = metadata.entries().find(|(name, ..)| *name == key) {
                    trace.push(key, value, sensitive);
                }
            }
        }
        Self { deadline, trace: (!trace.is_empty()).then(|| Arc::new(trace)) }
    }

    /// The scope of the handler that is being polled on this thread.
    #[inline]
    pub(crate) fn current() -> Self {
        CURRENT.try_with(|current| current.borrow().clone()).ok().flatten().unwrap_or_default()
    }

    /// Runs `f` inside this scope. The scope before it comes back however `f` ends.
    pub(crate) fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Restore(Option<Scope>);
        impl Drop for Restore {
            fn drop(&mut self) {
                let before = self.0.take();
                CURRENT.with(|current| *current.borrow_mut() = before);
            }
        }
        let _restore = Restore(CURRENT.with(|current| current.borrow_mut().replace(self.clone())));
        f()
    }
}
