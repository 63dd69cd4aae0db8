//! Items that senders have gathered without the lock.

use std::sync::{Arc, OnceLock};

use super::super::buffers::take_buffer;
use super::super::endpoint::Endpoint;
use super::super::item_runs::{Open, SendRun};
use super::super::state::State;
use crate::ids::{ChannelId, ConnectionId};
use crate::proto::{RunRoom, Token};

impl State {
    /// An item was put into the outbox by itself: where that is the second, what follows is gathered.
    pub(crate) fn open_run(
        &mut self,
        (connection, channel, token): (ConnectionId, ChannelId, Token),
        own: &OnceLock<Arc<SendRun>>,
    ) {
        let Self { runs, session, endpoints, .. } = self;
        let sender = endpoints.get_mut(token).and_then(Endpoint::as_sender);
        // One that is alone leaves alone.
        if !sender.is_some_and(|sender| sender.follows(runs.taken)) {
            return;
        }
        let Some(RunRoom { credit, len }) = session.room_for_run(connection, channel, runs.open.len()) else {
            return;
        };
        let run = Arc::clone(own.get_or_init(Arc::default));
        let mut gathered = run.lock();
        (gathered.credit, gathered.most) = (credit, len);
        gathered.items = take_buffer();
        drop(gathered);
        runs.open.push(Open { connection, channel, token, run });
    }

    /// Puts what was gathered into the outbox. Once that is full nothing more is gathered.
    #[cold]
    pub(in crate::driver) fn gather_up(&mut self) {
        let Self { runs, session, endpoints, .. } = self;
        runs.open.retain(|open| {
            let is_there = open.gather_up(&mut open.run.lock(), session, endpoints);
            if !is_there {
                open.close(session, endpoints);
            }
            is_there
        });
        if session.outbox_is_full() {
            self.close_all();
        }
    }

    /// The outbox is taken: who sends next says that there is more to write.
    #[inline]
    pub(in crate::driver) fn close_runs(&mut self) {
        self.runs.taken += 1;
        if !self.runs.is_empty() {
            self.close_all();
        }
    }

    #[cold]
    fn close_all(&mut self) {
        let Self { runs, session, endpoints, .. } = self;
        for open in runs.open.drain(..) {
            open.close(session, endpoints);
        }
    }

    /// Nothing more is gathered of this half, if anything was.
    #[inline]
    pub(crate) fn close_run(&mut self, token: Token) {
        if !self.runs.is_empty() {
            self.close_one(token);
        }
    }

    #[cold]
    fn close_one(&mut self, token: Token) {
        if let Some(at) = self.runs.open.iter().position(|open| open.token == token) {
            let open = self.runs.open.swap_remove(at);
            open.close(&mut self.session, &mut self.endpoints);
        }
    }
}
