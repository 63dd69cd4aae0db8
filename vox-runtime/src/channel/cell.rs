//! The state that two halves of a channel share until a call binds them.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use super::bound::Bound;
use super::local::{Item, Patience};
use crate::catch_panic::wake_all;
use crate::descriptor::MethodDescriptor;
use crate::driver::HalfEnd;
use crate::error::Place;
use crate::wire::Reset;

/// How many items a channel keeps that no call carries: as many as a call's channel does by default.
const LOCAL_ITEMS: usize = 256;

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
    Unbound(Unbound),
    Bound(Arc<Bound>),
    /// The call that took a half was never sent; of which method it was, and why.
    Dead(Option<&'static MethodDescriptor>, Arc<str>),
}

/// No call carries the channel. Both halves may be used here, as those of any bounded channel within a process.
#[derive(Default)]
struct Unbound {
    /// Of which method the call is that took a half. From then on nothing is kept: it will be sent before long, and says what its peer takes.
    given: Option<&'static MethodDescriptor>,
    /// What that call waits for, where it is awaited.
    waits: Option<CallWaits>,
    /// One half was dropped, or closed in this way.
    end: Option<HalfEnd>,
    /// What was sent and not received, at most [`LOCAL_ITEMS`].
    items: VecDeque<Item>,
    /// Of whichever half waits.
    wakers: Vec<Waker>,
    /// Of a sender that is a `Sink`, and so has no future to keep it in.
    patience: Patience,
}

/// What a call waits for that took a half and is not sent yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallWaits {
    /// Its turn, of which it says itself that it waits for it.
    Turn,
    /// A session to be sent on.
    Session,
}

impl Unbound {
    fn has_room(&self) -> bool {
        self.given.is_none() && self.items.len() < LOCAL_ITEMS
    }
}

/// What a half finds.
pub(crate) enum Found {
    Bound,
    /// The other half ended in this way, before a call bound it.
    Orphaned(HalfEnd),
    Dead(Arc<str>),
    /// The item was kept for the other half.
    Kept,
    /// The item came from the other half, which is in this process.
    Item(Item),
}

/// Why a half cannot be given to a call.
const GIVEN: &str = "its other half is in a call already";
const USED: &str = "items were sent on it before the call; give its `Rx` to a call, or send in the handler";

impl Half {
    /// Two halves with one cell.
    pub(crate) fn pair() -> (Self, Self) {
        let cell = Arc::new(Cell { state: Mutex::new(CellState::Unbound(Unbound::default())) });
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

    /// Gives this half to a call. `Err` says why it cannot be.
    pub(crate) fn give(&self, method: &'static MethodDescriptor, sends: bool) -> Result<Arc<Cell>, &'static str> {
        let mut state = self.cell.lock();
        match &mut *state {
            CellState::Unbound(unbound) if unbound.given.is_none() && !self.gone.load(Ordering::Relaxed) => {
                if sends && !unbound.items.is_empty() {
                    return Err(USED);
                }
                unbound.given = Some(method);
            }
            CellState::Unbound(_) | CellState::Bound(_) | CellState::Dead(..) => return Err(GIVEN),
        }
        drop(state);
        self.gone.store(true, Ordering::Relaxed);
        Ok(Arc::clone(&self.cell))
    }

    /// Where the items go, once that is known and until this half is let go of.
    #[inline]
    pub(crate) fn get(&self) -> Option<&Arc<Bound>> {
        self.bound.get().filter(|_| !self.gone.load(Ordering::Relaxed)).map(latest)
    }

    /// Waits for a call to bind the channel, or for its end.
    pub(crate) fn poll_bound(&self, waker: &Waker) -> Poll<Found> {
        self.poll_with(waker, |unbound| unbound.end.clone().map(Found::Orphaned))
    }

    /// As [`poll_bound`](Self::poll_bound), or keeps the item here, which is then taken, once there is room for it.
    pub(crate) fn poll_keep(&self, waker: &Waker, item: impl FnOnce() -> Item) -> Poll<Found> {
        self.poll_with(waker, |unbound| {
            if let Some(end) = &unbound.end {
                return Some(Found::Orphaned(end.clone()));
            }
            unbound.has_room().then(|| {
                unbound.items.push_back(item());
                Found::Kept
            })
        })
    }

    /// As [`poll_bound`](Self::poll_bound), or says `Kept` once an item could be kept here.
    pub(crate) fn poll_room(&self, waker: &Waker) -> Poll<Found> {
        self.poll_with(waker, |unbound| match &unbound.end {
            Some(end) => Some(Found::Orphaned(end.clone())),
            None => unbound.has_room().then_some(Found::Kept),
        })
    }

    /// As [`poll_bound`](Self::poll_bound), or takes an item that was kept here.
    pub(crate) fn poll_take(&self, waker: &Waker) -> Poll<Found> {
        self.poll_with(waker, |unbound| {
            let item = unbound.items.pop_front().map(Found::Item);
            item.or_else(|| unbound.end.clone().map(Found::Orphaned))
        })
    }

    fn poll_with(&self, waker: &Waker, look: impl FnOnce(&mut Unbound) -> Option<Found>) -> Poll<Found> {
        if self.gone.load(Ordering::Relaxed) {
            return Poll::Ready(Found::Orphaned(HalfEnd::Reset(Reset::Gone)));
        }
        if self.bound.get().is_some() {
            return Poll::Ready(Found::Bound);
        }
        let mut state = self.cell.lock();
        match &mut *state {
            CellState::Unbound(unbound) => match look(unbound) {
                Some(found) => {
                    // What was put in or taken out, the other half may wait for.
                    let wakers = std::mem::take(&mut unbound.wakers);
                    drop(state);
                    wake_all(wakers);
                    Poll::Ready(found)
                }
                None => {
                    if !unbound.wakers.iter().any(|known| known.will_wake(waker)) {
                        unbound.wakers.push(waker.clone());
                    }
                    Poll::Pending
                }
            },
            CellState::Dead(_, why) => Poll::Ready(Found::Dead(Arc::clone(why))),
            CellState::Bound(bound) => {
                let _ = self.bound.set(Arc::clone(bound));
                Poll::Ready(Found::Bound)
            }
        }
    }

    /// The call that the channel comes with, for errors; without an address where it was not sent.
    #[cold]
    pub(crate) fn place(&self) -> Place {
        let method = match &*self.cell.lock() {
            CellState::Unbound(Unbound { given, .. }) | CellState::Dead(given, _) => *given,
            CellState::Bound(bound) => return latest(bound).place(),
        };
        method.map_or(Place::UNKNOWN, |method| Place::new(method.service, method.name, ""))
    }

    /// What this half waits for while it is not bound. `None`: it is, or its call says it.
    pub(crate) fn waits_for(&self) -> Option<String> {
        match &*self.cell.lock() {
            CellState::Unbound(Unbound { waits: Some(CallWaits::Turn), .. }) => None,
            CellState::Unbound(Unbound { waits: Some(CallWaits::Session), given: Some(method), .. }) => Some(format!(
                "the call of `{}::{}` that took the other half waits for a link to its peer",
                method.service, method.name
            )),
            CellState::Unbound(Unbound { given: Some(method), .. }) => Some(format!(
                "the call of `{}::{}` that took the other half has not been sent: await it beside this half, in a task or by `join!`",
                method.service, method.name
            )),
            CellState::Unbound(_) => Some(format!(
                "no call took the other half, and nobody uses it here (such a channel keeps {LOCAL_ITEMS} items)"
            )),
            CellState::Bound(_) | CellState::Dead(..) => None,
        }
    }

    /// As [`waits_for`](Self::waits_for), of a half that may wait for ever where no call took the other.
    pub(crate) fn waits_for_its_call(&self) -> Option<String> {
        let is_given = matches!(&*self.cell.lock(), CellState::Unbound(Unbound { given: Some(_), .. }));
        if is_given { self.waits_for() } else { None }
    }

    /// The half, which is not bound, waits as a `Sink`. Says so once.
    pub(crate) fn wait_as_sink(&self, cx: &mut Context<'_>) {
        // What is dropped of it, and what it logs by, is others' code, so it is done without the lock.
        let mut patience = match &mut *self.cell.lock() {
            CellState::Unbound(unbound) => std::mem::take(&mut unbound.patience),
            CellState::Bound(_) | CellState::Dead(..) => return,
        };
        patience.wait(cx, "`Sink`", || self.waits_for());
        if let CellState::Unbound(unbound) = &mut *self.cell.lock() {
            std::mem::swap(&mut unbound.patience, &mut patience);
        }
    }

    /// Ends this half, now or once the other is bound. The first time only, for then that is over.
    pub(crate) fn end(&self, end: HalfEnd) {
        if self.gone.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut state = self.cell.lock();
        match &mut *state {
            CellState::Unbound(unbound) => {
                unbound.end.get_or_insert(end);
                let wakers = std::mem::take(&mut unbound.wakers);
                drop(state);
                wake_all(wakers);
            }
            CellState::Bound(bound) => {
                let bound = Arc::clone(bound);
                drop(state);
                bound.end(end);
            }
            CellState::Dead(..) => {}
        }
    }
}

/// Where it has gone since its call was made again.
#[inline]
fn latest(mut bound: &Arc<Bound>) -> &Arc<Bound> {
    while let Some(next) = bound.next.get() {
        bound = next;
    }
    bound
}

impl Cell {
    fn lock(&self) -> MutexGuard<'_, CellState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The call that took the other half was sent. What was kept here goes first; where the kept half has ended before, the channel
    /// ends then.
    pub(crate) fn bind(&self, bound: Arc<Bound>) {
        loop {
            let mut state = self.lock();
            let CellState::Unbound(unbound) = &mut *state else { return };
            if unbound.items.is_empty() {
                let Unbound { wakers, end, patience: _later, .. } = std::mem::take(unbound);
                *state = CellState::Bound(Arc::clone(&bound));
                drop(state);
                wake_all(wakers);
                if let Some(end) = end {
                    bound.end(end);
                }
                return;
            }
            // Encoding is the user's code, so it is done without the lock. Meanwhile nothing is put in.
            let items = std::mem::take(&mut unbound.items);
            drop(state);
            bound.send_kept(items);
        }
    }

    /// The call that took the other half is awaited, and waits itself.
    pub(crate) fn call_waits(&self, what: CallWaits) {
        if let CellState::Unbound(unbound) = &mut *self.lock() {
            unbound.waits = Some(what);
        }
    }

    /// The call that took the other half was not sent.
    pub(crate) fn kill(&self, why: &str) {
        let mut state = self.lock();
        if let CellState::Unbound(unbound) = &mut *state
            && unbound.end.is_none()
        {
            let Unbound { wakers, items, given, patience: _later, .. } = std::mem::take(unbound);
            *state = CellState::Dead(given, why.into());
            drop(state);
            drop(items);
            wake_all(wakers);
        }
    }
}

impl fmt::Debug for Unbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unbound").field("items", &self.items.len()).field("end", &self.end).finish_non_exhaustive()
    }
}
