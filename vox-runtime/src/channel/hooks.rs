//! Halves leave with a call's arguments and arrive with a request's.

use std::alloc::Layout;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};

use super::bound::{self, Bound, ItemPlan};
use super::cell::{CallWaits, Cell, Half};
use super::rx::{Reader, Rx};
use super::tx::Tx;
use crate::codec::{
    ChannelDecoder, ChannelEncoder, ChannelKind, DecodeError, DecodeErrorKind, EncodeError, Program, Translation,
};
use crate::descriptor::MethodDescriptor;
use crate::driver::{CallerHandle, Endpoint, Shared};
use crate::ids::{ChannelId, ConnectionId, RequestId};
use crate::proto::Token;
use crate::terms::MethodTerms;
use crate::wire::{ChannelDirection, ChannelOpen, Reset};

/// A half that a call took.
pub(crate) struct OutgoingHalf {
    cell: Arc<Cell>,
    pub(crate) direction: ChannelDirection,
    items: ItemPlan,
    method: &'static MethodDescriptor,
    sent: bool,
}

/// Collects the halves in a call's arguments.
pub(crate) struct HalfEncoder<'a> {
    pub(crate) given: &'a mut Vec<OutgoingHalf>,
    pub(crate) method: &'static MethodDescriptor,
    /// The number of the argument.
    pub(crate) argument: usize,
}

/// The layout of the halves of a kind, which is the same for every item type: an item stands in no field.
fn layout_of(kind: ChannelKind) -> Layout {
    match kind {
        ChannelKind::Tx => Layout::new::<Tx<()>>(),
        ChannelKind::Rx => Layout::new::<Rx<()>>(),
    }
}

// SAFETY: `Tx` and `Rx` are the only types that `channel_shape` is called for.
unsafe impl ChannelEncoder for HalfEncoder<'_> {
    fn layout(&self, kind: ChannelKind) -> Layout {
        layout_of(kind)
    }

    unsafe fn give(&mut self, half: *const u8, kind: ChannelKind, item: &Arc<Program>) -> Result<u32, EncodeError> {
        // SAFETY: `channel_shape` is called for `Tx` and `Rx` alone, and the codec has compared the layout. Both begin
        // with their `Half` (`repr(C)`). The caller promises a live value for the length of this call.
        let half = unsafe { &*half.cast::<Half>() };
        self.give_half(half, kind, item)
    }
}

impl HalfEncoder<'_> {
    /// Gives a half to the call: its number there.
    pub(super) fn give_half(
        &mut self,
        half: &Half,
        kind: ChannelKind,
        item: &Arc<Program>,
    ) -> Result<u32, EncodeError> {
        let given = half.give(self.method, kind == ChannelKind::Tx);
        let cell = given.map_err(|why| EncodeError::Channel(why.into()))?;
        let direction = match kind {
            ChannelKind::Tx => ChannelDirection::HandlerSends,
            ChannelKind::Rx => ChannelDirection::CallerSends,
        };
        let index = self.given.len() as u32;
        let items = ItemPlan { program: Arc::clone(item), by: None, argument: self.argument };
        self.given.push(OutgoingHalf { cell, direction, items, method: self.method, sent: false });
        Ok(index)
    }
}

impl OutgoingHalf {
    /// The state that the kept half will find.
    pub(crate) fn endpoint(&self) -> Endpoint {
        bound::endpoint(self.direction)
    }

    /// The call is not sent yet, for it waits for this.
    pub(crate) fn call_waits(&self, what: CallWaits) {
        self.cell.call_waits(what);
    }

    /// The call was sent, on these terms: binds the kept half.
    pub(crate) fn bind(
        mut self,
        caller: &Arc<CallerHandle>,
        channel: ChannelId,
        token: Token,
        terms: Option<&MethodTerms>,
    ) -> Arc<Bound> {
        self.sent = true;
        let items = self.items.under(terms);
        let bound = Arc::new(Bound::of_call(caller, channel, token, items, self.direction, self.method));
        self.cell.bind(Arc::clone(&bound));
        bound
    }
}

impl Drop for OutgoingHalf {
    fn drop(&mut self) {
        if !self.sent {
            self.cell.kill("the call that carried the other half was not sent");
        }
    }
}

/// Hands a request's channels to the handler's arguments.
pub(crate) struct HalfDecoder<'a> {
    pub(crate) shared: &'a Arc<Shared>,
    pub(crate) connection: ConnectionId,
    pub(crate) request: RequestId,
    pub(crate) method: &'static MethodDescriptor,
    /// The bytes of the message that is decoded, which are there meanwhile.
    pub(crate) frame: usize,
    /// In the order of their indices; `None` once taken.
    pub(crate) opens: &'a mut [Option<ChannelOpen>],
}

// SAFETY: as above. A half is written last, after everything that can fail.
unsafe impl ChannelDecoder for HalfDecoder<'_> {
    fn layout(&self, kind: ChannelKind) -> Layout {
        layout_of(kind)
    }

    unsafe fn take(
        &mut self,
        index: u32,
        kind: ChannelKind,
        item: &Arc<Program>,
        by: Option<&Arc<Translation>>,
        dst: *mut u8,
    ) -> Result<(), DecodeError> {
        let half = self.take_half(index, kind, item, by)?;
        match kind {
            // SAFETY: `dst` is valid for a write of a `Tx`, whose layout is the same for every item type.
            ChannelKind::Tx => unsafe { dst.cast::<Tx<()>>().write(Tx { half, item: PhantomData }) },
            // SAFETY: as above, of an `Rx`.
            ChannelKind::Rx => unsafe {
                dst.cast::<Rx<()>>().write(Rx { half, reader: Reader::default(), item: PhantomData });
            },
        }
        Ok(())
    }

    fn keep(&mut self, bytes: usize) -> Result<(), DecodeErrorKind> {
        self.shared.keep_decoded(self.connection, self.request, bytes, self.frame)
    }
}

impl HalfDecoder<'_> {
    /// The half of this number, which is bound from here on.
    pub(super) fn take_half(
        &mut self,
        index: u32,
        kind: ChannelKind,
        item: &Arc<Program>,
        by: Option<&Arc<Translation>>,
    ) -> Result<Half, DecodeError> {
        let bad = |why: &str| DecodeError::new(DecodeErrorKind::Channel(format!("channel {index}: {why}").into()), 0);
        let open = self.opens.get_mut(index as usize).ok_or_else(|| bad("the call opened no such channel"))?;
        let (endpoint, direction) = match kind {
            ChannelKind::Tx => (Endpoint::sender(), ChannelDirection::HandlerSends),
            ChannelKind::Rx => (Endpoint::receiver(), ChannelDirection::CallerSends),
        };
        let channel = match open {
            None => return Err(bad("it was taken before")),
            Some(open) if open.direction != direction => return Err(bad("its direction is the other one")),
            Some(open) => open.id,
        };
        *open = None;
        let connection = self.connection;
        let token = self.shared.change(|state| {
            let token = state.endpoints.insert(endpoint);
            if !state.session.bind(connection, channel, token)
                && let Some(endpoint) = state.endpoints.get_mut(token)
            {
                endpoint.end(crate::proto::ChannelEnd::Reset(Reset::Gone), &mut Vec::new());
            }
            token
        });
        let bound = Arc::new(Bound {
            shared: Arc::clone(self.shared),
            _hold: None,
            connection,
            channel,
            token,
            items: ItemPlan { program: Arc::clone(item), by: by.cloned(), argument: 0 },
            direction,
            method: self.method,
            next: OnceLock::new(),
            run: OnceLock::new(),
        });
        Ok(Half::bound_to(bound))
    }
}
