//! The channels of one connection. One entry per channel, whatever its state.

mod credit_grants;
mod full;
mod lookup;
mod sending;

use std::time::Instant;

use bytes::Bytes;

pub(crate) use self::sending::{Run, RunRoom};
use super::memory_ledger::{CHANNEL, Charge, ITEM, Promise};
use super::outbox::LongId;
use super::receive_window::Window;
use super::send_credit::SendCredit;
use super::table::IdTable;
use super::{Effects, Output, Token, WORDS_HEAD};
use crate::error::{EndReason, ProtocolViolation, Rule, Scarce, Short};
use crate::ids::{ChannelId, ConnectionId, RequestId};
use crate::metadata::Metadata;
use crate::wire::{Frame, Reader, Reset, WHOLE, metadata_len};

/// How a channel ended, for the half that did not end it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ChannelEnd {
    /// The sender closed it: every item arrived.
    Closed(Metadata),
    /// The other half ended at once, or the call ended before it was bound.
    Reset(Reset),
    /// The connection or the session ended.
    Lost(EndReason),
}

impl ChannelEnd {
    /// What it has allocated, in bytes, until the holder of the other half has been told.
    fn memory(&self) -> usize {
        match self {
            Self::Closed(metadata) => metadata.memory(),
            Self::Reset(Reset::Aborted(why) | Reset::Full(why)) => why.len(),
            Self::Reset(Reset::Gone | Reset::Dropped) | Self::Lost(_) => 0,
        }
    }
}

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    Yes,
    /// No credit: wait for `GrantPermits`.
    Wait,
    /// The channel has ended.
    Gone,
}

#[derive(Debug)]
struct Channel {
    half: Half,
    /// A long item of the peer's is under way.
    arriving: bool,
    /// For its entry, where the peer has opened it, and for how it ended, until somebody is told.
    entry: Charge,
}

/// This end's half.
#[derive(Debug)]
enum Half {
    Sender {
        credit: SendCredit,
        state: SenderState,
    },
    /// `charge`: for the items that are not consumed. `promise`: for what its window has grown by.
    Receiver {
        window: Window,
        state: ReceiverState,
        charge: Charge,
        promise: Promise,
    },
}

#[derive(Debug)]
enum SenderState {
    /// The handler has not taken it up yet. `true`: the peer has already reset it.
    Unbound {
        reset: bool,
    },
    Live(Token),
}

#[derive(Debug)]
enum ReceiverState {
    /// Keeps what arrives until the handler takes it up. Bounded by the window. `full`: this end has ended it, and what still comes is
    /// dropped.
    Buffering {
        runs: Vec<Bytes>,
        end: Option<ChannelEnd>,
        full: bool,
    },
    Live(Token),
}

/// Windows of new channels, each way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Windows {
    /// What the peer grants this end's senders at the start.
    pub(crate) send: (u64, u64),
    /// What this end grants the peer's senders at the start.
    pub(crate) receive: (u32, u32),
    /// How many bytes the latter may grow to.
    pub(crate) most: u32,
}

/// All channels of one connection.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    table: IdTable<Channel>,
    /// Of the peer's calls, those under way that came with channels.
    calls: IdTable<Opened>,
    /// Those that the peer has ended and nobody has taken up yet, and the bytes of their items.
    untaken: usize,
    untaken_bytes: usize,
}

/// So many channels that the peer has ended may wait to be taken up, or four times `max_channels`, if that is more.
const MOST_UNTAKEN: usize = 1024;

/// The channels of one call, whose ids follow one another.
#[derive(Debug)]
struct Opened {
    first: ChannelId,
    last: ChannelId,
}

impl Channels {
    pub(crate) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// How many there are, those among them that the peer has ended and nobody has taken up yet.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// What is short for so many `more`, if as much is kept of channels that the peer has ended as of open ones may be.
    pub(crate) fn keeps_too_much(&self, more: usize, max_channels: usize, windows: &Windows) -> Option<Short> {
        let window = windows.receive.1 as usize;
        let (most_bytes, most) =
            (max_channels.saturating_mul(window), MOST_UNTAKEN.max(max_channels.saturating_mul(4)));
        if self.untaken_bytes >= most_bytes {
            return Some(Short::new(Scarce::EndedItems, self.untaken_bytes + window, most_bytes));
        }
        (self.untaken >= most).then(|| Short::new(Scarce::EndedChannels, self.untaken + more, most))
    }

    /// How many there are as their opener counts, who may not know that those it has ended are still kept.
    pub(crate) fn open_count(&self) -> usize {
        self.table.len() - self.untaken
    }

    /// What is charged for the channels of a call, and what came on them.
    pub(crate) fn charges_of(&self, request: RequestId) -> usize {
        let of_call = self.calls.get(request.0).map(|call| self.table.range(call.first.0, call.last.0));
        of_call.into_iter().flatten().map(|(_, channel)| channel.charged()).sum()
    }

    /// The channels of a call are open: this one to that, as ids follow one another.
    pub(crate) fn note_call(&mut self, request: RequestId, first: ChannelId, last: ChannelId) {
        self.calls.push_rare(request.0, Opened { first, last });
    }

    /// Takes a channel out, and its items. `false`: it is gone.
    fn remove(&mut self, id: ChannelId, fx: &mut Effects) -> bool {
        let Some(channel) = self.table.remove(id.0) else { return false };
        self.untaken -= usize::from(channel.is_untaken());
        self.untaken_bytes -= channel.kept();
        channel.release(fx);
        true
    }

    /// A channel that this end's call opens: `token` already holds the half that stays.
    pub(crate) fn open_live(&mut self, id: ChannelId, sends: bool, token: Token, windows: &Windows) {
        let half = match sends {
            true => Half::Sender {
                credit: SendCredit::new(windows.send.0, windows.send.1),
                state: SenderState::Live(token),
            },
            false => Half::Receiver {
                window: Window::new(windows.receive.0, windows.receive.1, windows.most),
                state: ReceiverState::Live(token),
                charge: Charge::default(),
                promise: Promise::default(),
            },
        };
        self.table.push(id.0, Channel { half, arriving: false, entry: Charge::default() });
    }

    /// A channel that the peer's call opens; the handler binds it when it decodes its arguments.
    pub(crate) fn open_unbound(&mut self, id: ChannelId, sends: bool, windows: &Windows, fx: &mut Effects) {
        let half = match sends {
            true => Half::Sender {
                credit: SendCredit::new(windows.send.0, windows.send.1),
                state: SenderState::Unbound { reset: false },
            },
            false => Half::Receiver {
                window: Window::new(windows.receive.0, windows.receive.1, windows.most),
                state: ReceiverState::Buffering { runs: Vec::new(), end: None, full: false },
                charge: Charge::default(),
                promise: Promise::default(),
            },
        };
        self.table.push(id.0, Channel { half, arriving: false, entry: fx.ledger.charge(CHANNEL) });
    }

    /// Gives a channel its holder. What was kept is delivered first, in order. `false`: it is gone, or has a
    /// holder already, as where a peer's arguments name one channel twice.
    pub(crate) fn bind(&mut self, id: ChannelId, token: Token, fx: &mut Effects) -> bool {
        let Some(channel) = self.table.get_mut(id.0) else { return false };
        if !channel.is_unbound() {
            return false;
        }
        let kept = channel.kept();
        let over = match &mut channel.half {
            Half::Sender { state, .. } => match std::mem::replace(state, SenderState::Live(token)) {
                SenderState::Unbound { reset } => {
                    if reset {
                        fx.emit(Output::SenderEnded { token, end: ChannelEnd::Reset(Reset::Gone) });
                    }
                    reset
                }
                SenderState::Live(_) => false,
            },
            Half::Receiver { state, .. } => match std::mem::replace(state, ReceiverState::Live(token)) {
                ReceiverState::Buffering { runs, end, .. } => {
                    for items in runs {
                        fx.emit(Output::Deliver { token, items });
                    }
                    let over = end.is_some();
                    if let Some(end) = end {
                        fx.emit(Output::ReceiverEnded { token, end });
                    }
                    over
                }
                ReceiverState::Live(_) => false,
            },
        };
        if over {
            if let Some(channel) = self.table.remove(id.0) {
                channel.leave_to(token, fx);
            }
            self.untaken -= 1;
            self.untaken_bytes -= kept;
        }
        true
    }

    /// Ends a sender gracefully. Needs no credit.
    pub(crate) fn close(&mut self, connection: ConnectionId, id: ChannelId, metadata: Metadata, fx: &mut Effects) {
        let len = metadata_len(&metadata) + WORDS_HEAD;
        if len > fx.max_frame() {
            let why =
                format!("metadata of {len} bytes came with the channel's end, over the limit of {}", fx.max_frame());
            return self.reset(connection, id, Reset::aborted(&why), fx);
        }
        if self.remove(id, fx) {
            let item = LongId::Items(connection, id);
            fx.outbox.put_after(&Frame::Close { connection, channel: id, metadata }, item);
            fx.emit(Output::Room);
        }
    }

    /// Ends either half at once: a receiver was dropped, or a sender is not to end cleanly. What was sent before goes before.
    pub(crate) fn reset(&mut self, connection: ConnectionId, id: ChannelId, why: Reset, fx: &mut Effects) {
        if self.remove(id, fx) {
            let item = LongId::Items(connection, id);
            let why = match why {
                Reset::Aborted(reason) => Reset::Aborted(fx.words(&reason).into()),
                Reset::Gone | Reset::Dropped | Reset::Full(_) => why,
            };
            fx.outbox.put_after(&Frame::Reset { connection, channel: id, why }, item);
            fx.emit(Output::Room);
        }
    }

    /// The call ended: channels that nobody took up end with it; bound ones are their holders'.
    pub(crate) fn reset_unbound(&mut self, connection: ConnectionId, request: RequestId, fx: &mut Effects) {
        if self.calls.is_empty() {
            return;
        }
        let Some(Opened { first, last }) = self.calls.remove(request.0) else { return };
        let of_call = self.table.range(first.0, last.0);
        let unbound: Vec<u64> = of_call.filter(|(_, channel)| channel.is_unbound()).map(|(id, _)| id).collect();
        for id in unbound {
            self.reset(connection, ChannelId(id), Reset::Gone, fx);
        }
    }

    /// The connection is gone: so many channels end, first to last. `true`: that was all.
    pub(crate) fn end_some(&mut self, reason: &EndReason, room: &mut usize, fx: &mut Effects) -> bool {
        while *room > 0
            && let Some(channel) = self.table.pop_first()
        {
            *room -= 1;
            channel.end(reason, fx);
        }
        self.table.is_empty()
    }

    /// The same of one channel.
    pub(crate) fn end_one(&mut self, id: ChannelId, reason: &EndReason, fx: &mut Effects) {
        if let Some(channel) = self.table.remove(id.0) {
            channel.end(reason, fx);
        }
    }

    /// The same of one that nobody holds.
    pub(crate) fn forget(&mut self, id: ChannelId, fx: &mut Effects) {
        self.remove(id, fx);
    }

    /// Whether the channel is there, and takes what comes.
    pub(crate) fn has(&self, id: ChannelId) -> bool {
        self.table.get(id.0).is_some_and(|channel| !channel.is_full())
    }

    /// The long item that was sent last has left: the next may be sent.
    pub(crate) fn on_item_left(&mut self, id: ChannelId, fx: &mut Effects) {
        if let Some(Channel { half: Half::Sender { state: SenderState::Live(token), .. }, .. }) = self.table.get(id.0) {
            fx.emit(Output::GrantPermits { token: *token });
        }
    }

    /// A long item begins to arrive.
    pub(crate) fn on_items_begun(&mut self, id: ChannelId) -> Result<bool, ProtocolViolation> {
        let Some(channel) = self.table.get_mut(id.0).filter(|channel| !channel.is_full()) else { return Ok(false) };
        match channel.half {
            Half::Sender { .. } => return Err(wrong_direction("items", id)),
            Half::Receiver { state: ReceiverState::Buffering { end: Some(_), .. }, .. } => {
                let why = format!("items on channel {id} after its end");
                return Err(ProtocolViolation::new(Rule::UnknownChannel, why));
            }
            Half::Receiver { .. } => {}
        }
        channel.check_order(id)?;
        channel.arriving = true;
        Ok(true)
    }

    /// No long item arrives any more.
    pub(crate) fn on_items_forgotten(&mut self, id: ChannelId) {
        if let Some(channel) = self.table.get_mut(id.0) {
            channel.arriving = false;
        }
    }

    /// Items arrived. `Ok` and nothing done where the channel is gone: the peer could not know yet.
    pub(crate) fn on_items(
        &mut self,
        now: Instant,
        id: ChannelId,
        items: Bytes,
        fx: &mut Effects,
    ) -> Result<(), ProtocolViolation> {
        let Some(channel) = self.table.get_mut(id.0).filter(|channel| !channel.is_full()) else { return Ok(()) };
        channel.check_order(id)?;
        let Half::Receiver { window, state, charge, .. } = &mut channel.half else {
            return Err(wrong_direction("items", id));
        };
        let mut reader = Reader::new(&items);
        if items.is_empty() {
            // It takes no credit, so nothing else would bound how many are kept.
            return Err(reader.fault("items", "a run of none"));
        }
        let (mut count, mut total, mut last) = (0, 0, 0);
        // No more are counted than there may be.
        while reader.remaining() > 0 && window.has_credit(count) {
            let len = reader.skip_bytes("item")?;
            (count, total, last) = (count + 1, total + len as i64, len as i64);
        }
        window.receive(now, count, total, last).map_err(|(items, bytes)| {
            let bytes = bytes.max(0);
            let why = format!(
                "channel {id}: {count} items of {total} bytes, with credit for {items} items and {bytes} bytes"
            );
            ProtocolViolation::new(Rule::CreditOverrun, why)
        })?;
        fx.ledger.raise(charge, count as usize * ITEM + total as usize);
        match state {
            ReceiverState::Live(token) => fx.emit(Output::Deliver { token: *token, items }),
            // A long item has memory of its own.
            ReceiverState::Buffering { runs, end: None, .. } if items.len() > WHOLE => runs.push(items),
            // Copied, since a slice of a read buffer would keep all of that for as long as nobody takes the channel up.
            ReceiverState::Buffering { runs, end: None, .. } => runs.push(Bytes::copy_from_slice(&items)),
            ReceiverState::Buffering { end: Some(_), .. } => {
                return Err(ProtocolViolation::new(
                    Rule::UnknownChannel,
                    format!("items on channel {id} after its end"),
                ));
            }
        }
        Ok(())
    }

    pub(crate) fn on_close(
        &mut self,
        id: ChannelId,
        metadata: Metadata,
        fx: &mut Effects,
    ) -> Result<(), ProtocolViolation> {
        self.on_end(id, ChannelEnd::Closed(metadata), fx)
    }

    pub(crate) fn on_reset(&mut self, id: ChannelId, why: Reset, fx: &mut Effects) -> Result<(), ProtocolViolation> {
        self.on_end(id, ChannelEnd::Reset(why), fx)
    }

    fn on_end(&mut self, id: ChannelId, end: ChannelEnd, fx: &mut Effects) -> Result<(), ProtocolViolation> {
        let Some(channel) = self.table.get_mut(id.0).filter(|channel| !channel.is_full()) else { return Ok(()) };
        channel.check_order(id)?;
        let len = end.memory();
        match &mut channel.half {
            Half::Sender { .. } if matches!(end, ChannelEnd::Closed(_)) => return Err(wrong_direction("close", id)),
            Half::Sender { state: SenderState::Unbound { reset }, .. } => {
                self.untaken += usize::from(!std::mem::replace(reset, true));
                return Ok(());
            }
            Half::Receiver { state: ReceiverState::Buffering { end: kept, .. }, .. } => {
                if kept.is_some() {
                    return Err(ProtocolViolation::new(Rule::UnknownChannel, format!("channel {id} ended twice")));
                }
                fx.ledger.raise(&mut channel.entry, len);
                *kept = Some(end);
                self.untaken += 1;
                self.untaken_bytes += channel.kept();
                return Ok(());
            }
            Half::Sender { state: SenderState::Live(token), .. } => fx.emit(Output::SenderEnded { token: *token, end }),
            Half::Receiver { state: ReceiverState::Live(token), .. } => {
                fx.emit(Output::ReceiverEnded { token: *token, end });
            }
        }
        if let Some(mut channel) = self.table.remove(id.0) {
            match channel.half {
                Half::Receiver { state: ReceiverState::Live(token), .. } => {
                    fx.ledger.raise(&mut channel.entry, len);
                    channel.leave_to(token, fx);
                }
                Half::Receiver { .. } | Half::Sender { .. } => channel.release(fx),
            }
        }
        fx.emit(Output::Room);
        Ok(())
    }

    pub(crate) fn on_credit(
        &mut self,
        id: ChannelId,
        items: u32,
        bytes: u32,
        fx: &mut Effects,
    ) -> Result<(), ProtocolViolation> {
        let Some(channel) = self.table.get_mut(id.0) else { return Ok(()) };
        let Half::Sender { credit, state } = &mut channel.half else {
            return Err(wrong_direction("credit", id));
        };
        credit.grant(items, bytes).map_err(|()| {
            let why = format!("a grant of {items} items and {bytes} bytes on channel {id} takes its credit past 2³¹");
            ProtocolViolation::new(Rule::CreditOverflow, why)
        })?;
        if let SenderState::Live(token) = state {
            fx.emit(Output::GrantPermits { token: *token });
        }
        Ok(())
    }
}

fn wrong_direction(what: &str, id: ChannelId) -> ProtocolViolation {
    ProtocolViolation::new(Rule::WrongDirection, format!("{what} on channel {id} from its other half"))
}
