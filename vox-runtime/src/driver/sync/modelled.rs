//! The same locks and atomic, which are loom's where a model makes them.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering;
use std::sync::{LockResult, PoisonError, TryLockError, TryLockResult, atomic};

thread_local! {
    /// A model runs on this thread: what it makes is loom's.
    static IS_MODEL: Cell<bool> = const { Cell::new(false) };
}

/// Runs all orders of steps that `model` allows, but for those in which threads are interrupted more often than `preemptions` in all.
/// Gives how many there were.
pub(crate) fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) -> usize {
    struct Unset;
    impl Drop for Unset {
        fn drop(&mut self) {
            IS_MODEL.set(false);
        }
    }
    let count = std::sync::Arc::new(atomic::AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&count);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(move || {
        IS_MODEL.set(true);
        let _unset = Unset;
        counted.fetch_add(1, Ordering::Relaxed);
        model();
    });
    count.load(Ordering::Relaxed)
}

pub(crate) enum Mutex<T> {
    Plain(std::sync::Mutex<T>),
    Modelled(loom::sync::Mutex<T>),
}

pub(crate) enum MutexGuard<'a, T> {
    Plain(std::sync::MutexGuard<'a, T>),
    Modelled(loom::sync::MutexGuard<'a, T>),
}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        match IS_MODEL.get() {
            true => Self::Modelled(loom::sync::Mutex::new(value)),
            false => Self::Plain(std::sync::Mutex::new(value)),
        }
    }

    #[track_caller]
    pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        match self {
            Self::Plain(mutex) => mutex.lock().map(MutexGuard::Plain).map_err(poisoned),
            Self::Modelled(mutex) => Ok(MutexGuard::Modelled(mutex.lock().expect("a model that panics is over"))),
        }
    }

    #[track_caller]
    pub(crate) fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        match self {
            Self::Plain(mutex) => mutex.try_lock().map(MutexGuard::Plain).map_err(|error| match error {
                TryLockError::Poisoned(error) => TryLockError::Poisoned(poisoned(error)),
                TryLockError::WouldBlock => TryLockError::WouldBlock,
            }),
            Self::Modelled(mutex) => mutex.try_lock().map(MutexGuard::Modelled).map_err(|_| TryLockError::WouldBlock),
        }
    }

    pub(crate) fn clear_poison(&self) {
        if let Self::Plain(mutex) = self {
            mutex.clear_poison();
        }
    }
}

fn poisoned<'a, T>(error: PoisonError<std::sync::MutexGuard<'a, T>>) -> PoisonError<MutexGuard<'a, T>> {
    PoisonError::new(MutexGuard::Plain(error.into_inner()))
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Plain(guard) => guard,
            Self::Modelled(guard) => guard,
        }
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        match self {
            Self::Plain(guard) => guard,
            Self::Modelled(guard) => guard,
        }
    }
}

pub(crate) enum AtomicU8 {
    Plain(atomic::AtomicU8),
    Modelled(loom::sync::atomic::AtomicU8),
}

/// The same method of either.
macro_rules! either {
    ($self:ident.$method:ident($($argument:expr),*)) => {
        match $self {
            Self::Plain(atomic) => atomic.$method($($argument),*),
            Self::Modelled(atomic) => atomic.$method($($argument),*),
        }
    };
}

impl AtomicU8 {
    pub(crate) fn new(value: u8) -> Self {
        match IS_MODEL.get() {
            true => Self::Modelled(loom::sync::atomic::AtomicU8::new(value)),
            false => Self::Plain(atomic::AtomicU8::new(value)),
        }
    }

    #[track_caller]
    pub(crate) fn load(&self, order: Ordering) -> u8 {
        either!(self.load(order))
    }

    #[track_caller]
    pub(crate) fn store(&self, value: u8, order: Ordering) {
        either!(self.store(value, order));
    }

    #[track_caller]
    pub(crate) fn swap(&self, value: u8, order: Ordering) -> u8 {
        either!(self.swap(value, order))
    }

    #[track_caller]
    pub(crate) fn compare_exchange(&self, old: u8, new: u8, done: Ordering, not: Ordering) -> Result<u8, u8> {
        either!(self.compare_exchange(old, new, done, not))
    }

    #[track_caller]
    pub(crate) fn fetch_update(
        &self,
        done: Ordering,
        not: Ordering,
        change: impl FnMut(u8) -> Option<u8>,
    ) -> Result<u8, u8> {
        either!(self.fetch_update(done, not, change))
    }
}
