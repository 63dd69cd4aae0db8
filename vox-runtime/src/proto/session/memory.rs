//! How much is kept because of the peer, and how much may be.

use bytes::Bytes;

use super::super::Token;
use super::super::memory_ledger::{REPLY, REQUEST};
use super::super::receive_window::Room;
use super::super::serving::Serving;
use super::Session;
use crate::error::{ProtocolViolation, Rule, Scarce, Short};
use crate::ids::{ChannelId, ConnectionId, RequestId};
use crate::limits::Refused;
use crate::wire::Failure;

impl Session {
    /// The bytes that are kept because of the peer: its messages that are not whole, its requests until their handlers have ended, its
    /// items until they are consumed, its long replies until they are taken, the terms of connections whose ends know their service otherwise, and
    /// what is written to it until it has read it, or acknowledged it where that is asked for.
    #[inline]
    pub(crate) fn memory(&self) -> usize {
        self.fx.ledger.sum()
            + self.fx.ledger.standing()
            + self.reassembly.kept()
            + self.fx.outbox.held()
            + self.growing as usize
    }

    /// So much has come of a frame that is not whole, though it is so long that it should have come in parts; 0: of none. `Err`: that is too
    /// much. One that is alone always fits into the session's own memory.
    #[cold]
    pub(crate) fn keep_growing(&mut self, bytes: usize) -> Result<(), ProtocolViolation> {
        let before = std::mem::replace(&mut self.growing, u32::try_from(bytes).unwrap_or(u32::MAX));
        let kept = self.memory();
        let is_within = kept <= self.limits.session_memory || self.fx.ledger.sum() == 0;
        if bytes <= before as usize || (is_within && self.has_share(kept)) {
            return Ok(());
        }
        let why = format!("{bytes} bytes of a frame that should have come in parts: {}", self.kept_too_much());
        Err(ProtocolViolation::new(Rule::FrameTooLarge, why))
    }

    /// What is short, if a request that was just charged this, and is to be charged so much more, is one too many. One that is alone always fits
    /// into the session's own memory.
    #[inline]
    pub(super) fn is_over_memory(&mut self, charge: usize, more: usize) -> Option<Short> {
        let kept = self.memory() + more;
        let is_over = kept > self.limits.session_memory && self.fx.ledger.sum() > charge;
        if is_over || !self.has_share(kept) { Some(self.short_of(is_over, kept)) } else { None }
    }

    /// What is short: the session's own memory, or what it has in common with others.
    #[cold]
    fn short_of(&self, own: bool, kept: usize) -> Short {
        if own {
            Short::new(Scarce::SessionMemory, kept, self.limits.session_memory)
        } else {
            self.short_of_shares(kept)
        }
    }

    /// What is short, if so much more, which cannot be refused before it is there, is too much: what is kept already is, or others have the rest.
    #[inline]
    pub(super) fn is_past_memory(&mut self, more: usize) -> Option<Short> {
        let kept = self.memory();
        let is_over = kept > self.limits.session_memory;
        let needed = if is_over { kept } else { kept + more };
        if is_over || !self.has_share(needed) { Some(self.short_of(is_over, needed)) } else { None }
    }

    /// Charges this request for `bytes` more, which its arguments take as they are decoded. `Err`: what is short for that.
    ///
    /// A request that is alone may pass the session's memory. Then all that is kept, with these bytes and the `frame`, stays within
    /// `Limits::max_decoded_bytes`.
    pub(crate) fn keep_decoded(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        bytes: usize,
        frame: usize,
    ) -> Result<(), Short> {
        let (memory, limit) = (self.memory(), self.limits.session_memory);
        let has_share = self.has_share(memory + bytes);
        let Self { serving, leaving, detached, aborting, fx, .. } = self;
        // Where there is room, nobody asks what else is the same request's.
        let of_channels = |serving: &Serving| serving.channels.charges_of(request);
        let beside = if memory + bytes > limit { serving.get(connection.0).map_or(0, of_channels) } else { 0 };
        let key = (connection, request);
        let unattached = detached.get_mut(&key).or_else(|| aborting.get_mut(&key));
        let charge = match unattached {
            None => {
                let serving = serving.get_mut(connection.0).or_else(|| leaving.serving(connection));
                serving.and_then(|serving| serving.charge_mut(request))
            }
            some => some,
        };
        // Its request may be over, as that of an attempt that was answered.
        let Some(charge) = charge else { return Ok(()) };
        let is_alone = || fx.ledger.sum() <= charge.bytes() + beside;
        let is_over =
            memory + bytes > limit && !(is_alone() && memory + bytes + frame <= self.limits.max_decoded_bytes);
        if is_over || !has_share {
            let short = self.short_of(is_over, memory + bytes);
            self.fx.refused(Refused::Call, short);
            return Err(short);
        }
        fx.ledger.raise(charge, bytes);
        Ok(())
    }

    /// Whether so much is kept that channels are granted less, and the peer is read more slowly: three quarters of what may be.
    #[inline]
    pub(crate) fn is_short_of_memory(&self) -> bool {
        self.memory() > self.limits.session_memory / 4 * 3
    }

    /// What there is for windows to grow by: half of what may be kept, less what is kept and what others have grown by. Where memory is short
    /// they shrink.
    #[inline]
    pub(super) fn room_for_windows(&self) -> Room {
        if self.is_short_of_memory() {
            Room::None
        } else if self.shares_are_low() {
            Room::Little
        } else {
            let taken = self.memory() + self.fx.ledger.promised();
            Room::For((self.limits.session_memory / 2).saturating_sub(taken))
        }
    }

    /// Items arrived. Where more is kept than may be, their channel ends, whatever its window: what windows allow a peer is no violation.
    #[inline]
    pub(super) fn on_items(
        &mut self,
        connection: ConnectionId,
        channel: ChannelId,
        items: Bytes,
    ) -> Result<(), ProtocolViolation> {
        if let Some(short) = self.is_past_memory(items.len()) {
            self.end_full(connection, channel, short);
        }
        let now = self.last_heard;
        match self.channels_for(connection, channel)? {
            (Some(channels), fx) => channels.on_items(now, channel, items, fx),
            (None, _) => Ok(()),
        }
    }

    /// Whether a long item begins for which there is no memory: then its channel ends.
    pub(super) fn has_no_memory_for(&mut self, connection: ConnectionId, channel: ChannelId, total: usize) -> bool {
        let short = self.is_past_memory(total);
        if let Some(short) = short {
            self.end_full(connection, channel, short);
        }
        short.is_some()
    }

    #[cold]
    fn end_full(&mut self, connection: ConnectionId, channel: ChannelId, short: Short) {
        let why = self.kept_too_much();
        if let (Some(channels), fx) = self.channels(connection)
            && channels.end_full(connection, channel, &why, fx)
        {
            fx.refused(Refused::Channel, short);
        }
    }

    /// Whether a reply of so many bytes, to a request that was charged this, is one too many. Short ones, and one that is alone, always fit.
    #[inline]
    pub(super) fn has_no_memory_to_answer(&mut self, len: usize) -> bool {
        len > REQUEST && self.is_past_memory(len).is_some() && (self.fx.outbox.held() > len || self.shares().is_some())
    }

    /// A reply has come in one frame.
    #[inline]
    pub(super) fn on_reply(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        payload: Bytes,
    ) -> Result<(), ProtocolViolation> {
        self.has_no_memory_for_reply(connection, request, payload.len());
        match self.calling.get_mut(connection.0) {
            Some(calling) => calling.on_reply(request, payload, &mut self.fx),
            None => self.stray(connection, "a reply", self.role),
        }
    }

    /// Whether a reply of so many bytes comes, or begins, for which there is no memory, because callers do not take those before it. Its
    /// caller is told so. Short ones always fit, and so does one beside which no other long one waits.
    #[inline]
    pub(super) fn has_no_memory_for_reply(&mut self, connection: ConnectionId, request: RequestId, len: usize) -> bool {
        len > REPLY && self.fx.ledger.keeps_replies() && self.refuses_reply(connection, request, len)
    }

    /// The same of a long reply beside which another waits.
    #[cold]
    fn refuses_reply(&mut self, connection: ConnectionId, request: RequestId, len: usize) -> bool {
        let Some(short) = self.is_past_memory(len) else { return false };
        let why = format!(
            "it takes {len} bytes, and this end has not taken the replies to other calls of the session: {}",
            self.kept_too_much()
        );
        if let Some(calling) = self.calling.get_mut(connection.0)
            && calling.refuse_reply(request, &Failure::InvalidResponse(why), &mut self.fx)
        {
            self.fx.refused(Refused::Reply, short);
        }
        true
    }

    /// The caller of this name has taken the reply to its call, or is gone.
    #[inline]
    pub(crate) fn reply_taken(&mut self, token: Token) {
        if self.fx.ledger.keeps_replies() {
            self.fx.ledger.take_reply(token);
            self.settle_lease();
        }
    }

    /// What is answered instead of such a reply. Its handler has run.
    #[cold]
    pub(super) fn cannot_keep_reply(&mut self, len: usize) -> Failure {
        let kept = self.kept_too_much();
        if let Some(short) = self.is_past_memory(len) {
            self.fx.refused(Refused::Reply, short);
        }
        Failure::InvalidResponse(format!(
            "it takes {len} bytes, and waits for a caller that neither reads nor acknowledges enough: {kept}"
        ))
    }

    /// Why something is not taken, in words for the peer.
    #[cold]
    pub(super) fn kept_too_much(&self) -> String {
        if let Some((kept, limit)) = self.shares() {
            return format!(
                "{kept} bytes are kept of all peers, and no more than {limit} may be (`Limits::server_memory`)"
            );
        }
        let (kept, limit) = (self.memory(), self.limits.session_memory);
        format!("{kept} bytes are kept of the peer, over the limit of {limit} (`Limits::session_memory`)")
    }

    /// Whether anything is charged.
    #[inline]
    pub(crate) fn keeps_of_peer(&self) -> bool {
        self.fx.ledger.sum() > 0
    }

    /// What is charged for requests and items.
    #[cfg(test)]
    pub(in super::super) fn kept_of_peer(&self) -> usize {
        self.fx.ledger.sum()
    }

    /// What is charged for one request.
    #[cfg(test)]
    pub(in super::super) fn charge_of(&self, connection: ConnectionId, request: u64) -> usize {
        self.serving.get(connection.0).map_or(0, |serving| serving.charge_of(RequestId(request)))
    }

    /// The sum of all charges is what a walk finds.
    #[cfg(test)]
    pub(in super::super) fn check_memory(&self) {
        self.reassembly.check_sums();
        let serving: usize = self.serving.iter().map(|(_, serving)| serving.walk()).sum();
        let calling: usize = self.calling.iter().map(|(_, calling)| calling.channels.walk()).sum();
        let unattached = self.detached.values().chain(self.aborting.values());
        let unattached: usize = unattached.map(super::Charge::bytes).sum();
        let held: usize = self.held.iter().flat_map(|held| held.values()).map(super::Charge::bytes).sum();
        let (leaving, leaving_promised) = self.leaving.walk();
        let found = leaving + held + serving + calling + unattached + self.fx.ledger.left_behind() + self.pins.bytes();
        assert_eq!(self.fx.ledger.sum(), found, "the sum of what is kept has drifted");
        let standing: usize = self.serving.iter().map(|(_, serving)| serving.standing()).sum();
        let standing = standing + self.calling.iter().map(|(_, calling)| calling.standing()).sum::<usize>();
        assert_eq!(self.fx.ledger.standing(), standing, "the sum of what stands has drifted");
        let promised: usize = self.serving.iter().map(|(_, serving)| serving.channels.promised()).sum();
        let promised = promised + self.calling.iter().map(|(_, calling)| calling.channels.promised()).sum::<usize>();
        let promised = promised + leaving_promised;
        assert_eq!(self.fx.ledger.promised(), promised, "the sum of what windows promise has drifted");
        assert!(promised <= self.limits.session_memory / 2, "windows promise {promised} bytes");
    }
}
