//! Who writes to the link.

use std::io::{self};
use std::task::Poll;

use super::super::clock::now;
use super::super::state::{Flush, State};
use super::super::writer::{PARTS_PER_TURN, Writer};

impl State {
    /// Whether there is something to write and nobody who writes.
    #[inline]
    pub(in crate::driver) fn may_write(&mut self) -> bool {
        self.wake_plan.is_idle() && self.session.has_output()
    }

    /// Takes the outbox and the duty to write it, unless somebody else has that.
    #[inline]
    pub(in crate::driver) fn begin_write(&mut self) -> Option<Box<Writer>> {
        let mut writer = self.writer.take()?;
        if !writer.waker.will_wake(self.wake_plan.task()) {
            writer.waker = self.wake_plan.task().clone();
        }
        self.take_output(&mut writer);
        Some(writer)
    }

    #[inline]
    fn take_output(&mut self, writer: &mut Writer) {
        self.wake_plan.on_write();
        self.close_runs();
        let longs = self.session.longs() as u32;
        writer.begin_batch(longs);
        if longs > 0 {
            self.session.take_parts(now(), &mut writer.batch, writer.pace.batch());
        } else {
            self.session.take(&mut writer.batch);
        }
        #[cfg(test)]
        self.spring(super::Trap::Take);
    }

    /// Takes up the result of a write. Gives the writer back, if the one who wrote is to go on.
    pub(in crate::driver) fn end_write(
        &mut self,
        mut writer: Box<Writer>,
        (written, outcome): (usize, Poll<io::Result<()>>),
        by: Flush,
    ) -> Result<Box<Writer>, Option<Box<Writer>>> {
        if self.link.number != writer.link || self.over {
            // That link is gone. What was on its way the session keeps.
            return Err(Some(writer));
        }
        self.session.on_written(written);
        if written > 0 || outcome.is_ready() {
            let stalled = self.wake_plan.on_taken();
            if writer.longs > 0 {
                writer.note(written, stalled);
            }
        }
        match outcome {
            // What others have put in meanwhile is the driver's, who is woken for it: a caller is not kept.
            Poll::Ready(Ok(())) if by == Flush::Here || !self.session.has_output() => self.wake_plan.on_written(),
            // It has to read as well.
            Poll::Ready(Ok(())) if writer.spent >= PARTS_PER_TURN => self.wake_plan.on_written(),
            Poll::Ready(Ok(())) => {
                self.take_output(&mut writer);
                return Ok(writer);
            }
            Poll::Pending => self.wake_plan.on_full(by == Flush::Driver, now),
            Poll::Ready(Err(error)) => self.wake_plan.on_failed(error),
        }
        self.writer = Some(writer);
        Err(None)
    }
}
