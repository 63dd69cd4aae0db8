//! A session between links: the old one is let go, the next one taken up.
//!
//! Every link of a session has a number, which grows when it is lost and when another takes its place. A task that writes or
//! reads for a link that is no longer the session's finds another number under the lock, and what it did counts for nothing.
//! Only the session's task lets a link go or takes one up, so that its halves are changed by nobody while in use.

use tokio::io::AsyncRead;

use super::clock::now;
use super::deferred::LogEvent;
use super::shared::{Shared, State};
use super::writer::{Writer, Writing};
use crate::contained::catch_panic;
use crate::error::EndReason;
use crate::proto::Discontinuity;
use crate::transport::{Link, WriteHalf};

/// Which link the session has, or that it has none.
#[derive(Debug, Default)]
pub(super) struct LinkState {
    /// Grows with every change.
    pub(super) number: u64,
    /// The next link, until the session's task takes it up.
    pub(super) next: Option<Box<Link>>,
}

impl State {
    /// The link is gone: nothing is written until there is another.
    pub(super) fn on_link_down(&mut self, reason: EndReason) {
        self.link.number += 1;
        let next = self.link.next.take();
        catch_panic(move || drop(next));
        self.writing = Writing::Broken;
        self.stalled = None;
        self.link_error = None;
        self.unwatched = false;
        self.stop_leading();
        self.deferred.notes.push(LogEvent::LinkDown(reason));
        self.wake_observers();
    }

    /// Whether a call or a channel of this session waits for something.
    pub(crate) fn waits_for_anything(&self) -> bool {
        self.session.end_reason().is_none() && (self.session.is_live() || !self.queue.is_empty())
    }

    /// Whether the session waits for a new link.
    pub(crate) fn waits_for_link(&self) -> bool {
        self.session.is_detached() && self.session.end_reason().is_none()
    }
}

impl Shared {
    /// Tells the session from others of this process, in logs.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Gives a session that waits for one a new link, whose other end has received this much, if that is still `wanted`.
    pub(super) fn attach(
        &self,
        link: Link,
        peer_received: u64,
        wanted: impl FnOnce() -> bool,
    ) -> Result<(), Discontinuity> {
        self.change(|state| {
            if !state.waits_for_link() || !wanted() {
                return Err(Discontinuity);
            }
            state.session.resume(now(), peer_received)?;
            state.link.number += 1;
            state.link.next = Some(Box::new(link));
            state.deferred.notes.push(LogEvent::LinkUp);
            state.wake_observers();
            // Calls that were made meanwhile have waited for this.
            state.wake_heads(usize::MAX);
            Ok(())
        })
    }

    /// Lets go of the reading half that there is, for this one, if there is another. `link` is its number.
    pub(super) fn read_from(&self, io: Option<Box<dyn AsyncRead + Send + Unpin>>, link: u64) {
        let mut reader = self.reader();
        // The task that follows a link may have been relieved meanwhile, and another may be further.
        let lent = if reader.link() <= link { reader.change(io, link) } else { None };
        drop(reader);
        if let Some(lent) = lent {
            self.change(|state| state.session.take_back(lent));
        }
    }

    /// Lets go of the writing half that there is, for this one. `link` is its number.
    pub(super) fn write_to(&self, io: WriteHalf, link: u64) {
        // A writer of the one before finds, when done, that it is gone.
        let mut state = self.lock();
        if state.link.number == link {
            let old = state.writer.replace(Writer::new(io, link));
            drop(state);
            catch_panic(move || drop(old));
        }
    }

    /// Lets go of the writing half.
    pub(super) fn write_nowhere(&self, link: u64) {
        self.write_to(WriteHalf::nowhere(), link);
    }
}
