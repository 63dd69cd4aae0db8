//! Whether the session's task is awake or has to be woken, and who waits for room.

use std::io;
use std::task::Waker;
use std::time::Instant;

/// The flags that say whether the session's task has to be woken, and whether senders wait for room. Events are methods
/// `on_…`: each changes the flags by these tables, and returns what has to be woken for it. `–`: the event does not
/// occur in that state. The tests run every cell of the tables, and go through all states that a session can reach.
///
/// The task is asleep or awake. Awake, it is in its turn or was woken for one, and looks at everything before it sleeps.
///
/// | task | `Asleep` | `Awake` |
/// |---|---|---|
/// | `on_turn` | `Awake` | `Awake` |
/// | `on_change`: nothing to do | `Asleep` | `Awake` |
/// | `on_change`: the session has work | `Awake`, wakes the task | `Awake` |
/// | `on_change`: due before the timer | `Awake`, wakes the task | `Awake` |
/// | `on_change`: another link | `Awake`, wakes the task | `Awake` |
/// | `on_change`: the link has failed | `Awake`, wakes the task | `Awake` |
/// | `on_change`: the link is unwatched | `Awake`, wakes the task | `Awake` |
/// | `on_turn_end` | – | `Asleep` |
/// | `on_turn_end`: the link is unwatched | – | `Awake` |
/// | `on_missed` | `Asleep`, wakes the task | `Awake`, wakes the task |
/// | `on_charge` | `Awake`, wakes the task before | `Awake`, wakes the task before |
/// | `on_fault` | `Awake`, wakes the task | `Awake`, wakes the task |
///
/// Its timer is set when it goes to sleep, and never for later: one that fires too early costs less than setting it anew.
///
/// | timer | `Unset` | `Soon` | `Late` |
/// |---|---|---|---|
/// | `on_due`: soon | `Soon`, sets it | `Soon` | `Soon`, sets it |
/// | `on_due`: late | `Late`, sets it | `Soon` | `Late` |
/// | `on_timer`: elapsed | – | `Unset`, fires | `Unset`, fires |
/// | `on_timer`: not yet | `Unset` | `Soon` | `Late` |
/// | `on_charge` | `Unset` | `Unset` | `Unset` |
///
/// One at a time writes to the link: the task, or somebody else who has something to send. See [`Writing`].
///
/// | writing | `Idle` | `Busy` | `Blocked` | `Unwatched` | `Failed` | `Broken` |
/// |---|---|---|---|---|---|---|
/// | `on_write` | `Busy` | `Busy` | `Busy` | `Busy` | – | – |
/// | `on_written` | – | `Idle` | – | – | – | – |
/// | `on_full`: the task wrote | – | `Blocked` | – | – | – | – |
/// | `on_full`: another wrote | – | `Unwatched` | – | – | – | – |
/// | `on_failed` | – | `Failed` | – | – | – | – |
/// | `take_error` | `Idle` | `Busy` | `Blocked` | `Unwatched` | `Broken`, gives the error | `Broken` |
/// | `on_link_down` | `Broken` | `Broken` | `Broken` | `Broken` | `Broken` | `Broken` |
/// | `on_link_up` | – | – | – | – | – | `Idle` |
/// | `on_fault`: between frames | `Idle` | – | – | – | – | – |
/// | `on_fault`: within a frame | – | `Broken` | `Broken` | `Broken` | `Broken` | `Broken` |
///
/// While the link takes nothing, the time since when is kept.
///
/// | stalled | `No` | `Since` |
/// |---|---|---|
/// | `on_full` | `Since` | `Since` |
/// | `on_taken` | `No` | `No`, gives the time |
/// | `on_stall_due` | – | `No` |
/// | `on_link_down` | `No` | `No` |
/// | `on_fault` | `No` | `No` |
///
/// What was read is left for later while there is no memory for it.
///
/// | reading | `On` | `HeldOff` |
/// |---|---|---|
/// | `on_read` | `On` | `On` |
/// | `on_held_off` | `HeldOff` | – |
///
/// Senders wait for the outbox to shrink, or for what it has of long messages. Woken, those who still wait say so again.
///
/// | senders | `None` | `Full` | `Laden` | `Both` |
/// |---|---|---|---|---|
/// | `on_no_room`: full | `Full` | `Full` | `Both` | `Both` |
/// | `on_no_room`: laden | `Laden` | `Both` | `Laden` | `Both` |
/// | `on_no_room`: for another reason | `None` | `Full` | `Laden` | `Both` |
/// | `on_room`: none | `None` | `Full` | `Laden` | `Both` |
/// | `on_room`: for any | `None` | `None`, wakes senders | `Laden` | `None`, wakes senders |
/// | `on_room`: for long | `None` | `Full` | `None`, wakes senders | `None`, wakes senders |
pub(super) struct WakePlan {
    /// The session's task, as everybody else knows it.
    task: Waker,
    is_awake: bool,
    /// When the task's timer is set to.
    timer: Option<Instant>,
    /// The number of the link that the task knows of.
    known_link: u64,
    writing: Writing,
    /// Since when the link has taken nothing, if it does not.
    stalled: Option<Instant>,
    /// The link's own failure, for the task to take up. There is one while the writing has `Failed`.
    error: Option<io::Error>,
    /// What was read is left for later.
    is_held_off: bool,
    /// Somebody waits for the outbox to shrink.
    is_full: bool,
    /// Somebody waits for what the outbox has of long messages.
    is_laden: bool,
}

/// Where the writing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    /// Nobody writes, and nothing that was taken is left.
    Idle,
    /// Somebody does, and will look again before it stops.
    Busy,
    /// The link takes no more for now. The task goes on once it does.
    Blocked,
    /// The same, but somebody else than the task found it so. The task tries again: the wake for it may have come while that other
    /// was still at it.
    Unwatched,
    /// The link has failed, which the task is to take up.
    Failed,
    /// The link is lost, or there is none.
    Broken,
}

/// What the flags say.
impl WakePlan {
    pub(super) fn new() -> Self {
        Self {
            task: Waker::noop().clone(),
            is_awake: false,
            timer: None,
            known_link: 0,
            writing: Writing::Idle,
            stalled: None,
            error: None,
            is_held_off: false,
            is_full: false,
            is_laden: false,
        }
    }

    /// The session's task.
    #[inline]
    pub(super) fn task(&self) -> &Waker {
        &self.task
    }

    /// Whether the task was woken or is in its turn, and will look at everything before it sleeps.
    #[inline]
    pub(super) fn is_awake(&self) -> bool {
        self.is_awake
    }

    /// Whether the timer fires no later than this.
    #[inline]
    pub(super) fn fires_by(&self, due: Instant) -> bool {
        self.timer.is_some_and(|timer| timer <= due)
    }

    #[inline]
    pub(super) fn known_link(&self) -> u64 {
        self.known_link
    }

    /// Whether nobody writes, and the link may take more.
    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        self.writing == Writing::Idle
    }

    /// Whether the link took no more when it was last tried.
    #[inline]
    pub(super) fn is_blocked(&self) -> bool {
        matches!(self.writing, Writing::Blocked | Writing::Unwatched)
    }

    /// Whether nobody writes, nor has to go on.
    pub(super) fn has_stopped(&self) -> bool {
        matches!(self.writing, Writing::Idle | Writing::Failed | Writing::Broken)
    }

    #[inline]
    pub(super) fn has_failed(&self) -> bool {
        self.writing == Writing::Failed
    }

    /// Whether the task has to try again to write.
    #[inline]
    pub(super) fn is_unwatched(&self) -> bool {
        self.writing == Writing::Unwatched
    }

    /// Since when the link has taken nothing, if it does not.
    #[inline]
    pub(super) fn stalled(&self) -> Option<Instant> {
        self.stalled
    }

    #[inline]
    pub(super) fn is_held_off(&self) -> bool {
        self.is_held_off
    }

    /// Whether somebody waits for room.
    #[inline]
    pub(super) fn has_senders(&self) -> bool {
        self.is_full || self.is_laden
    }
}

/// The task and its timer.
impl WakePlan {
    /// The task is in its turn: whatever others ask for from here on is seen to before the turn ends.
    #[inline]
    pub(super) fn on_turn(&mut self) {
        self.is_awake = true;
    }

    /// The state was changed. `link` is the number of the session's link, `due` when something falls due, if the timer may be later
    /// than that, and `has_work` whether there is something to do at once. Gives the task, if it has to be woken.
    #[must_use]
    pub(super) fn on_change(&mut self, link: u64, due: Option<Instant>, has_work: bool) -> Option<Waker> {
        let is_sooner = due.is_some_and(|due| self.timer.is_none_or(|timer| due < timer));
        let has_work = has_work || is_sooner || link != self.known_link || self.has_failed() || self.is_unwatched();
        if self.is_awake || !has_work {
            return None;
        }
        // Once woken it will look at everything; until then nobody need wake it again.
        self.is_awake = true;
        Some(self.task.clone())
    }

    /// The task has found nothing more to do. `false`: it has to try to write again.
    #[inline]
    #[must_use]
    pub(super) fn on_turn_end(&mut self) -> bool {
        self.is_awake = self.is_unwatched();
        !self.is_awake
    }

    /// Something is for the task which it may have looked for already, and not found. Gives the task, which has to be woken even in its
    /// turn.
    #[must_use]
    pub(super) fn on_missed(&self) -> Waker {
        self.task.clone()
    }

    /// The task has another waker.
    pub(super) fn on_waker(&mut self, task: &Waker) {
        self.task = task.clone();
    }

    /// This task has taken charge, in a turn of its own. Gives the one before, which has to be woken: if it is not held up itself, it ends.
    #[must_use]
    pub(super) fn on_charge(&mut self, task: &Waker) -> Waker {
        // That was the timer of the one before.
        self.timer = None;
        self.is_awake = true;
        std::mem::replace(&mut self.task, task.clone())
    }

    /// The task goes to sleep until this is due. `true`: the timer is to be set to that.
    #[inline]
    #[must_use]
    pub(super) fn on_due(&mut self, due: Instant) -> bool {
        let is_sooner = self.timer.is_none_or(|timer| due < timer);
        if is_sooner {
            self.timer = Some(due);
        }
        is_sooner
    }

    /// The task looks at its timer. `true`: it has fired.
    #[inline]
    #[must_use]
    pub(super) fn on_timer(&mut self, is_elapsed: impl FnOnce() -> bool) -> bool {
        let fired = self.timer.is_some() && is_elapsed();
        if fired {
            self.timer = None;
        }
        fired
    }

    /// vox has panicked in this session, which ends. `is_between_frames`: the link can still take the session's last words. Gives the
    /// task, which has to be woken.
    #[must_use]
    pub(super) fn on_fault(&mut self, is_between_frames: bool) -> Waker {
        if !is_between_frames {
            self.writing = Writing::Broken;
        }
        (self.stalled, self.error) = (None, None);
        self.is_awake = true;
        self.task.clone()
    }
}

/// The link.
impl WakePlan {
    /// The task has taken up this link, or the loss of the one before.
    pub(super) fn on_link(&mut self, number: u64) {
        self.known_link = number;
    }

    /// Somebody has taken what there is to write.
    #[inline]
    pub(super) fn on_write(&mut self) {
        self.writing = Writing::Busy;
    }

    /// The link has taken something of it. Gives since when it had taken nothing.
    #[inline]
    pub(super) fn on_taken(&mut self) -> Option<Instant> {
        self.stalled.take()
    }

    /// The link has taken all of it, and the one who wrote stops. What others have put in meanwhile is the task's, which is woken
    /// for it: a caller is not kept, and the task has to read as well.
    #[inline]
    pub(super) fn on_written(&mut self) {
        self.writing = Writing::Idle;
    }

    /// The link takes no more for now.
    pub(super) fn on_full(&mut self, by_task: bool, now: impl FnOnce() -> Instant) {
        self.stalled.get_or_insert_with(now);
        self.writing = if by_task { Writing::Blocked } else { Writing::Unwatched };
    }

    /// The link has failed.
    pub(super) fn on_failed(&mut self, error: io::Error) {
        self.error = Some(error);
        self.writing = Writing::Failed;
    }

    /// Why the link has failed, if that is not taken up yet.
    pub(super) fn take_error(&mut self) -> Option<io::Error> {
        if self.has_failed() {
            self.writing = Writing::Broken;
        }
        self.error.take()
    }

    /// The link has taken nothing for too long, which counts once: a time that has passed would be due again and again.
    pub(super) fn on_stall_due(&mut self) {
        self.stalled = None;
    }

    /// The link is lost.
    pub(super) fn on_link_down(&mut self) {
        self.writing = Writing::Broken;
        (self.stalled, self.error) = (None, None);
    }

    /// Another link can be written to.
    pub(super) fn on_link_up(&mut self) {
        self.writing = Writing::Idle;
    }

    /// What was read is about to be handled.
    #[inline]
    pub(super) fn on_read(&mut self) {
        self.is_held_off = false;
    }

    /// There is no memory for what was read.
    pub(super) fn on_held_off(&mut self) {
        self.is_held_off = true;
    }
}

/// Senders.
impl WakePlan {
    /// Somebody waits, and the outbox is over one of its marks, or neither.
    pub(super) fn on_no_room(&mut self, is_full: bool, is_laden: bool) {
        self.is_full |= is_full;
        // A long item waits for less than a short one.
        self.is_laden |= is_laden && !is_full;
    }

    /// The outbox has this much room. `true`: those who wait for room have to be woken.
    #[must_use]
    pub(super) fn on_room(&mut self, has_room: impl FnOnce() -> bool, has_long_room: impl FnOnce() -> bool) -> bool {
        let wakes = self.is_full && has_room() || self.is_laden && has_long_room();
        if wakes {
            (self.is_full, self.is_laden) = (false, false);
        }
        wakes
    }
}

#[cfg(test)]
mod tests;
