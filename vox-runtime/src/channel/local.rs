//! Items that wait in this process, for a call that will carry them or for a receiver in the same process.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio::time::Sleep;

use super::bound::Bound;
use crate::codec::EncodeError;
use crate::driver::{Backlog, HalfEnd, PATIENCE};
use crate::wire::Reset;

/// An item of any type.
pub(crate) struct Item {
    value: Box<dyn Any + Send>,
    encode: fn(&dyn Any, &Bound) -> Result<Vec<u8>, EncodeError>,
}

impl Item {
    /// An item, and how it is encoded once a call carries the channel.
    pub(super) fn new<T: Send + 'static>(
        value: T,
        encode: fn(&dyn Any, &Bound) -> Result<Vec<u8>, EncodeError>,
    ) -> Self {
        Self { value: Box::new(value), encode }
    }

    /// The item, if it is of this type. Both halves of a channel have one.
    pub(super) fn into_value<T: 'static>(self) -> Option<T> {
        self.value.downcast().ok().map(|value| *value)
    }
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Item")
    }
}

impl Bound {
    /// Sends what was kept before its call was sent, as credit for it comes. One that cannot be encoded aborts the channel.
    pub(super) fn send_kept(&self, kept: VecDeque<Item>) {
        let mut items = VecDeque::with_capacity(kept.len());
        let mut then = None;
        for item in &kept {
            match (item.encode)(&*item.value, self) {
                Ok(encoded) => items.push_back(encoded),
                Err(error) => {
                    let why = format!("an item that was sent before the call cannot be sent: {error}");
                    then = Some(HalfEnd::Reset(Reset::aborted(&why)));
                    break;
                }
            }
        }
        self.change(|state| state.hold_back(self.token, Backlog::new(self.connection, self.channel, items, then)));
    }
}

/// Says once that a half waits and nothing will come of it.
#[derive(Debug, Default)]
pub(super) struct Patience {
    sleep: Option<Pin<Box<Sleep>>>,
    over: bool,
}

impl Patience {
    /// A half waits and is not bound; `why`, where it should be told.
    pub(super) fn wait(&mut self, cx: &mut Context<'_>, what: &str, why: impl FnOnce() -> Option<String>) {
        // Outside of a runtime there is no time.
        if self.over || Handle::try_current().is_err() {
            return;
        }
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(PATIENCE)));
        if let Poll::Ready(()) = sleep.as_mut().poll(cx) {
            self.over = true;
            if let Some(why) = why() {
                tracing::warn!("a channel's {what} has waited for {} s: {why}", PATIENCE.as_secs());
            }
        }
    }
}
