//! A half of a channel after its call: it belongs to one channel of one connection.

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::codec::{Program, Translation};
use crate::descriptor::MethodDescriptor;
use crate::driver::{CallerHandle, Endpoint, HalfEnd, SendRun, Shared, State};
use crate::error::Place;
use crate::ids::{ChannelId, ConnectionId};
use crate::proto::Token;
use crate::terms::MethodTerms;
use crate::wire::ChannelDirection;

/// Where a half's items go or come from.
pub(crate) struct Bound {
    pub(crate) shared: Arc<Shared>,
    /// Keeps the caller's connection open while the channel lives.
    pub(crate) _hold: Option<Arc<CallerHandle>>,
    pub(crate) connection: ConnectionId,
    pub(crate) channel: ChannelId,
    pub(crate) token: Token,
    pub(crate) items: ItemPlan,
    pub(crate) direction: ChannelDirection,
    /// Whose call it came with.
    pub(crate) method: &'static MethodDescriptor,
    /// Where they go since its call was made again. Set under the lock of `shared`, and from then on the token means nothing.
    pub(crate) next: OnceLock<Arc<Bound>>,
    /// What its sender gathers. Only a channel over which much is sent has one.
    pub(crate) run: OnceLock<Arc<SendRun>>,
}

/// How the items of a channel are written and read.
#[derive(Clone)]
pub(crate) struct ItemPlan {
    pub(crate) program: Arc<Program>,
    /// How they are read, where another version of their type wrote them.
    pub(crate) by: Option<Arc<Translation>>,
    /// The number of the argument that brought the channel, where it was given to a call.
    pub(crate) argument: usize,
}

impl ItemPlan {
    /// The same where the channel is given to a call on these terms.
    pub(super) fn under(&self, terms: Option<&MethodTerms>) -> Self {
        let by = terms.and_then(|terms| terms.item(self.argument, self.program.shape()));
        Self { by, ..self.clone() }
    }
}

impl Bound {
    /// The half that stays with the caller.
    pub(crate) fn of_call(
        caller: &Arc<CallerHandle>,
        channel: ChannelId,
        token: Token,
        items: ItemPlan,
        direction: ChannelDirection,
        method: &'static MethodDescriptor,
    ) -> Self {
        let (shared, connection) = (Arc::clone(caller.shared()), caller.connection());
        let hold = Some(Arc::clone(caller));
        let (next, run) = (OnceLock::new(), OnceLock::new());
        Self { shared, _hold: hold, connection, channel, token, items, direction, method, next, run }
    }

    /// The call that it came with, for errors.
    #[cold]
    pub(crate) fn place(&self) -> Place {
        Place::new(self.method.service, self.method.name, self.shared.peer.address())
    }

    /// Changes the state of the session, unless the half has gone on to another: then `None`, and it is to be looked for
    /// there.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> Option<R> {
        self.shared.change(|state| self.next.get().is_none().then(|| change(state)))
    }

    /// Ends this half and forgets it, as far as its call lets that be.
    pub(crate) fn end(&self, end: HalfEnd) {
        let mut end = Some(end);
        self.change(|state| {
            let Some(end) = end.take() else { return };
            if state.end_after_backlog(self.token, &end) {
                return;
            }
            state.let_go(self.token, &end);
            match end {
                HalfEnd::Close(metadata) => state.session.close_channel(self.connection, self.channel, metadata),
                HalfEnd::Reset(why) => state.session.reset_channel(self.connection, self.channel, why),
            }
        });
        if let (Some(end), Some(next)) = (end, self.next.get()) {
            next.end(end);
        }
    }

    /// Gathers an item with those before it. `false`: it goes by the session.
    #[inline]
    pub(super) fn gathers(&self, item: &[u8]) -> bool {
        self.run.get().is_some_and(|run| run.push(item))
    }

    /// What the half finds where its call is made again.
    pub(crate) fn endpoint_again(&self) -> Endpoint {
        endpoint(self.direction).held_for_retry(true)
    }

    /// Its call was made again, there: sends the half after it.
    pub(crate) fn follow(
        &self,
        caller: &Arc<CallerHandle>,
        channel: ChannelId,
        token: Token,
        terms: Option<&MethodTerms>,
    ) -> Arc<Self> {
        let items = self.items.under(terms);
        let next = Arc::new(Self::of_call(caller, channel, token, items, self.direction, self.method));
        let let_go = self.change(|state| {
            let _ = self.next.set(Arc::clone(&next));
            state.move_half(self.token)
        });
        if let Some(end) = let_go.flatten() {
            next.end(end);
        }
        next
    }
}

/// The state that the half of a caller finds.
pub(super) fn endpoint(direction: ChannelDirection) -> Endpoint {
    match direction {
        ChannelDirection::CallerSends => Endpoint::sender(),
        ChannelDirection::HandlerSends => Endpoint::receiver(),
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "channel {} of connection {}", self.channel, self.connection)
    }
}
