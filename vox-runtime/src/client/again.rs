//! Making a call again, on the next session, when the one it was made on is lost.
//!
//! A call that never left is made again, whatever its method; one that may have run, if its method may run again, or keeps its
//! outcome under the call's operation. Only so often, and within its one deadline.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::call::{CallFuture, CallState};
use super::caller::CallerHandle;
use super::station::NoPlace;
use crate::driver::now;
use crate::error::{NotSent, Ran, VoxError};
use crate::proto::CallEnd;

/// How often a call is made at most.
const ATTEMPTS: u32 = 5;

type Moving = Pin<Box<dyn Future<Output = Result<Arc<CallerHandle>, NoPlace>> + Send>>;

/// What is known of a call's attempts so far.
#[derive(Default)]
pub(super) struct Again {
    /// Attempts that were sent and lost with their sessions.
    lost: u32,
    /// One of them may have run.
    may_have_run: bool,
    /// It went out with channels, which it cannot take back.
    pub(super) channels: bool,
    /// Long arguments, which the attempt took.
    pub(super) payload: Option<Bytes>,
    moving: Option<Moving>,
}

impl Again {
    /// What the last attempt came to, and what that makes of all of them: none says that nothing ran unless that holds for
    /// every one.
    pub(super) fn judge<T, E>(&self, result: Result<T, VoxError<E>>) -> Result<T, VoxError<E>> {
        match result {
            Err(VoxError::NotSent(NotSent::DeadlineExceeded)) if self.may_have_run => Err(VoxError::DeadlineExceeded),
            Err(error) if self.may_have_run && error.ran() == Ran::No => Err(VoxError::Indeterminate),
            result => result,
        }
    }
}

impl<T, E> CallFuture<T, E> {
    pub(super) fn may_try_again(&mut self, end: &CallEnd) -> bool {
        let Some(remote) = self.call.station.remote() else { return false };
        let policy = self.call.method.policy;
        let may = match end {
            CallEnd::Reply(_) => {
                if self.again.lost > 0 {
                    remote.refund();
                }
                return false;
            }
            CallEnd::DeadlineExceeded => false,
            CallEnd::NeverLeft(reason) => remote.may_follow(reason),
            CallEnd::Indeterminate => policy.idem || policy.persist,
        };
        let may = may && !self.again.channels && self.again.lost + 1 < ATTEMPTS;
        may && (matches!(end, CallEnd::NeverLeft(_)) || remote.spend())
    }

    /// Makes the call again, once there is a session.
    pub(super) fn try_again(&mut self, cx: &mut Context<'_>, end: &CallEnd) -> Poll<Result<T, VoxError<E>>> {
        self.again.lost += 1;
        self.again.may_have_run |= *end == CallEnd::Indeterminate;
        if let Some(payload) = self.again.payload.take() {
            self.call.payload = payload.into();
        }
        tracing::debug!(attempt = self.again.lost + 1, "the call is made again");
        self.begin_move(cx)
    }

    /// Leaves a connection that is over for the next.
    pub(super) fn begin_move(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, VoxError<E>>> {
        let dead = Arc::clone(self.call.line());
        self.again.moving = Some(Box::pin(Arc::clone(&self.call.station).leave(dead, self.deadline)));
        self.state = CallState::Moving;
        self.poll_move(cx)
    }

    pub(super) fn poll_move(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, VoxError<E>>> {
        let Some(moving) = &mut self.again.moving else { return Poll::Ready(Err(VoxError::Indeterminate)) };
        let Poll::Ready(place) = moving.as_mut().poll(cx) else { return Poll::Pending };
        self.again.moving = None;
        match place {
            Ok(line) => {
                self.call.line = Some(line);
                match self.check() {
                    Some(fault) => Poll::Ready(Err(VoxError::NotSent(fault))),
                    None => self.poll_send(cx, now(), None),
                }
            }
            Err(NoPlace::Closed(how)) => Poll::Ready(Err(VoxError::NotSent(NotSent::Closed(how)))),
            Err(NoPlace::TooLate) => Poll::Ready(Err(VoxError::NotSent(NotSent::DeadlineExceeded))),
        }
    }
}

impl fmt::Debug for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Again").field("lost", &self.lost).finish_non_exhaustive()
    }
}
