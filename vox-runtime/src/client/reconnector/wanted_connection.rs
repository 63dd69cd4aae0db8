//! The connection that a call waits for along with the next session. The handshake asks for it, so it takes no round trip of its own.

use std::sync::{Arc, Mutex};

use super::lock;
use crate::descriptor::ServiceDescriptor;
use crate::driver::{CallerHandle, Shared};
use crate::metadata::Metadata;

/// At most one connection that is waited for. Others are opened once there is a session.
#[derive(Default)]
pub(in crate::client) struct Wishes(Mutex<State>);

#[derive(Default)]
struct State {
    last: u64,
    wanted: Option<Wanted>,
    granted: Option<(u64, CallerHandle)>,
}

/// What the next handshake is to ask for.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) wish: u64,
    pub(super) service: (&'static ServiceDescriptor, Metadata),
}

impl Wishes {
    /// Wishes for a connection to this service, if no other is wished for. It is forgotten with what is returned.
    pub(in crate::client) fn wish(&self, service: (&'static ServiceDescriptor, Metadata)) -> Option<Wish<'_>> {
        let mut state = lock(&self.0);
        if state.wanted.is_some() || state.granted.is_some() {
            return None;
        }
        state.last += 1;
        let wish = state.last;
        state.wanted = Some(Wanted { wish, service });
        Some(Wish { wishes: self, wish })
    }

    pub(super) fn wanted(&self) -> Option<Wanted> {
        lock(&self.0).wanted.clone()
    }

    /// There is the connection. It is closed if nobody wishes for it any longer.
    pub(super) fn grant(&self, wish: u64, handle: CallerHandle) {
        let mut state = lock(&self.0);
        if state.wanted.take_if(|wanted| wanted.wish == wish).is_some() {
            state.granted = Some((wish, handle));
        } else {
            // Closing it takes a lock of its session.
            drop(state);
            drop(handle);
        }
    }

    /// The handshake that asked for it was refused, which may be for the service alone: it is opened once there is a session.
    pub(super) fn refused(&self, wish: u64) {
        lock(&self.0).wanted.take_if(|wanted| wanted.wish == wish);
    }

    fn take(&self, wish: u64) -> Option<CallerHandle> {
        lock(&self.0).granted.take_if(|(of, _)| *of == wish).map(|(_, handle)| handle)
    }
}

/// Somebody's wish for a connection.
pub(in crate::client) struct Wish<'a> {
    wishes: &'a Wishes,
    wish: u64,
}

impl Wish<'_> {
    /// The connection, if it came with this session.
    pub(in crate::client) fn granted(&self, shared: &Arc<Shared>) -> Option<CallerHandle> {
        self.wishes.take(self.wish).filter(|handle| Arc::ptr_eq(handle.shared(), shared))
    }
}

impl Drop for Wish<'_> {
    fn drop(&mut self) {
        self.wishes.refused(self.wish);
        drop(self.wishes.take(self.wish));
    }
}
