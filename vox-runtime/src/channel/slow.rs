//! A sender warns once about a reader that takes nothing.

use std::task::Waker;

use super::bound::Bound;
use crate::descriptor::MethodDescriptor;
use crate::driver::{Endpoint, PATIENCE, State};
use crate::ids::ChannelId;

/// A reader that has taken nothing for long.
pub(super) struct Slow {
    method: &'static MethodDescriptor,
    channel: ChannelId,
    /// In items and bytes.
    window: (u64, u64),
}

impl Slow {
    /// The sender waits for credit. `Some`: for so long that it is to be told, which it is not again.
    pub(super) fn wait(bound: &Bound, state: &mut State, waker: &Waker) -> Option<Self> {
        let sender = state.endpoints.get_mut(bound.token).and_then(Endpoint::as_sender)?;
        sender.wait(waker, &mut state.deferred);
        let window = state.wait_for_credit(bound.token).then(|| state.session.send_window())?;
        Some(Self { method: bound.method, channel: bound.channel, window })
    }

    /// To be called without the session's lock.
    pub(super) fn tell(&self) {
        let Self { method, channel, window: (items, bytes) } = self;
        tracing::warn!(
            "a `send` on channel {channel} of `{}::{}` has waited for {} s: its reader takes nothing, and {items} items or {bytes} bytes \
             (the peer's `Limits::channel_items` and `channel_bytes`) are under way",
            method.service,
            method.name,
            PATIENCE.as_secs(),
        );
    }
}
