//! What two halves of a channel have in common until a call binds them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Poll, Waker};

use super::bound::Bound;
use crate::driver::HalfEnd;
use crate::wire::Reset;

/// A half of a channel. The codec hands out pointers to it, so `Tx` and `Rx` begin with it.
#[derive(Debug)]
pub(crate) struct Half {
    cell: Arc<Cell>,
    bound: OnceLock<Arc<Bound>>,
    /// It went into a call's arguments, or its channel was ended here: what remains of it means nothing.
    gone: AtomicBool,
}

/// Shared by two halves.
#[derive(Debug)]
pub(crate) struct Cell {
    state: Mutex<CellState>,
}

#[derive(Debug)]
enum CellState {
    /// No call has taken a half yet. The kept half may be waiting.
    Unbound {
        given: bool,
        wakers: Vec<Waker>,
    },
    /// As before, and one half was dropped, or closed in this way.
    Orphaned(HalfEnd),
    Bound(Arc<Bound>),
    /// The call that took a half was never sent.
    Dead(Arc<str>),
}

/// What a kept half finds.
pub(crate) enum Found {
    Bound,
    /// The other half ended in this way, before a call bound it.
    Orphaned(HalfEnd),
    Dead(Arc<str>),
}

impl Half {
    /// Two halves with one cell.
    pub(crate) fn pair() -> (Self, Self) {
        let cell = Arc::new(Cell { state: Mutex::new(CellState::Unbound { given: false, wakers: Vec::new() }) });
        (Self::of(Arc::clone(&cell)), Self::of(cell))
    }

    /// The half of a handler: bound from the start.
    pub(crate) fn bound_to(bound: Arc<Bound>) -> Self {
        let half = Self::of(Arc::new(Cell { state: Mutex::new(CellState::Bound(Arc::clone(&bound))) }));
        let _ = half.bound.set(bound);
        half
    }

    fn of(cell: Arc<Cell>) -> Self {
        Self { cell, bound: OnceLock::new(), gone: AtomicBool::new(false) }
    }

    /// Gives this half to a call. `None`: the other half is in a call already, or this one is bound.
    pub(crate) fn give(&self) -> Option<Arc<Cell>> {
        let mut state = self.cell.lock();
        match &mut *state {
            CellState::Unbound { given, .. } if !*given => *given = true,
            CellState::Orphaned(_) if !self.gone.load(Ordering::Relaxed) => {}
            CellState::Unbound { .. } | CellState::Orphaned(_) | CellState::Bound(_) | CellState::Dead(_) => {
                return None;
            }
        }
        drop(state);
        self.gone.store(true, Ordering::Relaxed);
        Some(Arc::clone(&self.cell))
    }

    /// Where the items go, once that is known and until this half is let go of.
    pub(crate) fn get(&self) -> Option<&Arc<Bound>> {
        let mut bound = self.bound.get().filter(|_| !self.gone.load(Ordering::Relaxed))?;
        while let Some(next) = bound.next.get() {
            bound = next;
        }
        Some(bound)
    }

    /// Waits for a call to bind the channel.
    pub(crate) fn poll_bound(&self, waker: &Waker) -> Poll<Found> {
        if self.gone.load(Ordering::Relaxed) {
            return Poll::Ready(Found::Orphaned(HalfEnd::Reset(Reset::Gone)));
        }
        if self.bound.get().is_some() {
            return Poll::Ready(Found::Bound);
        }
        match &mut *self.cell.lock() {
            CellState::Unbound { wakers, .. } => {
                if !wakers.iter().any(|known| known.will_wake(waker)) {
                    wakers.push(waker.clone());
                }
                Poll::Pending
            }
            CellState::Orphaned(end) => Poll::Ready(Found::Orphaned(end.clone())),
            CellState::Dead(why) => Poll::Ready(Found::Dead(Arc::clone(why))),
            CellState::Bound(bound) => {
                let _ = self.bound.set(Arc::clone(bound));
                Poll::Ready(Found::Bound)
            }
        }
    }

    /// Ends this half, now or once the other is bound. The first time only, for then that is over.
    pub(crate) fn end(&self, end: HalfEnd) {
        if self.gone.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut state = self.cell.lock();
        match &mut *state {
            CellState::Unbound { wakers, .. } => {
                let wakers = std::mem::take(wakers);
                *state = CellState::Orphaned(end);
                drop(state);
                wakers.into_iter().for_each(Waker::wake);
            }
            CellState::Bound(bound) => {
                let bound = Arc::clone(bound);
                drop(state);
                bound.end(end);
            }
            CellState::Orphaned(_) | CellState::Dead(_) => {}
        }
    }
}

impl Cell {
    fn lock(&self) -> MutexGuard<'_, CellState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The call that took the other half was sent. Where the kept half has ended before, the channel ends at once.
    pub(crate) fn bind(&self, bound: Arc<Bound>) {
        let mut state = self.lock();
        let before = std::mem::replace(&mut *state, CellState::Bound(Arc::clone(&bound)));
        drop(state);
        match before {
            CellState::Unbound { wakers, .. } => wakers.into_iter().for_each(Waker::wake),
            CellState::Orphaned(end) => bound.end(end),
            CellState::Bound(_) | CellState::Dead(_) => {}
        }
    }

    /// The call that took the other half was not sent.
    pub(crate) fn kill(&self, why: &str) {
        let mut state = self.lock();
        if let CellState::Unbound { wakers, .. } = &mut *state {
            let wakers = std::mem::take(wakers);
            *state = CellState::Dead(why.into());
            drop(state);
            wakers.into_iter().for_each(Waker::wake);
        }
    }
}
