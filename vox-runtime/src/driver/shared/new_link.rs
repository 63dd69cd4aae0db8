//! Gives the session a new link.

use tokio::io::AsyncRead;

use super::super::clock::now;
use super::super::deferred::LogEvent;
use super::super::shared::Shared;
use super::super::writer::Writer;
use crate::catch_panic::catch_panic;
use crate::proto::Discontinuity;
use crate::transport::{Link, WriteHalf};

impl Shared {
    /// Tells the session from others of this process, in logs.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Gives a session that waits for one a new link, whose other end has received this much, if that is still `wanted`.
    pub(in crate::driver) fn attach(
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
    pub(in crate::driver) fn read_from(&self, io: Option<Box<dyn AsyncRead + Send + Unpin>>, link: u64) {
        let mut reader = self.reader();
        // The task that follows a link may have been relieved meanwhile, and another may be further.
        let lent = if reader.link() <= link { reader.change(io, link) } else { None };
        drop(reader);
        if let Some(lent) = lent {
            self.change(|state| state.session.take_back(lent));
        }
    }

    /// Lets go of the writing half that there is, for this one. `link` is its number.
    pub(in crate::driver) fn write_to(&self, io: WriteHalf, link: u64) {
        // A writer of the one before finds, when done, that it is gone.
        let mut state = self.lock();
        if state.link.number == link {
            let old = state.writer.replace(Writer::new(io, link));
            drop(state);
            catch_panic(move || drop(old));
        }
    }

    /// Lets go of the writing half.
    pub(in crate::driver) fn write_nowhere(&self, link: u64) {
        self.write_to(WriteHalf::nowhere(), link);
    }
}
