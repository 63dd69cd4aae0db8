//! Each kind of frame goes to the method that handles it.

use std::time::Instant;

use bytes::Bytes;

use super::Session;
use crate::error::{EndReason, ProtocolViolation};
use crate::wire::Frame;

impl Session {
    /// A frame arrived: its body, without the length. A violation is answered and ends the session.
    pub(crate) fn handle(&mut self, now: Instant, body: Bytes) -> Result<(), ProtocolViolation> {
        if self.ended.is_some() || self.is_detached() {
            return Ok(());
        }
        self.heard(now);
        let len = body.len();
        self.fx.frame_len = super::super::in_bytes(len);
        self.count_received(len);
        let result = match Frame::parse(body, &self.limits) {
            Ok(frame) => {
                self.carried += u64::from(frame.is_work());
                self.on_frame(now, frame)
            }
            Err(violation) => Err(violation),
        };
        self.handled(len, result)
    }

    /// A frame of so many bytes was handled so.
    #[inline]
    pub(super) fn handled(
        &mut self,
        len: usize,
        result: Result<(), ProtocolViolation>,
    ) -> Result<(), ProtocolViolation> {
        match &result {
            Ok(()) => self.acknowledge_if_long(len),
            Err(violation) => self.on_violation(violation),
        }
        self.settle_lease();
        result
    }

    /// Always part of its one caller: a frame is large to pass on.
    #[inline(always)]
    fn on_frame(&mut self, now: Instant, frame: Frame) -> Result<(), ProtocolViolation> {
        match frame {
            Frame::Call { head, payload } => self.on_call(now, head, payload),
            Frame::Reply { connection, request, payload } => self.on_reply(connection, request, payload),
            Frame::Cancel { connection, request } => self.on_cancel(connection, request),
            Frame::Acknowledge { connection, operation } => self.on_acknowledge(connection, operation),
            Frame::Items { connection, channel, items } => self.on_items(connection, channel, items),
            Frame::Close { connection, channel, metadata } => match self.channels_for(connection, channel)? {
                (Some(channels), fx) => channels.on_close(channel, metadata, fx),
                (None, _) => Ok(()),
            },
            Frame::Reset { connection, channel, why } => self.on_reset(connection, channel, why),
            Frame::Credit { connection, channel, items, bytes } => match self.channels_for(connection, channel)? {
                (Some(channels), fx) => channels.on_credit(channel, items, bytes, fx),
                (None, _) => Ok(()),
            },
            Frame::Ping { nonce } => self.on_ping(nonce),
            Frame::Pong { .. } => Ok(()),
            Frame::Ack { received } => self.on_ack(received),
            Frame::Part { number, bytes } => self.on_part(now, number, &bytes),
            Frame::Long { number, total, head } => self.on_long(now, number, total, head),
            Frame::Forget { number } => self.on_forget(number),
            Frame::Open { connection, open } => self.on_open(connection, open),
            Frame::Accept { connection, differs } => self.on_answer(connection, Ok(differs)),
            Frame::Refuse { connection, refusal } => self.on_answer(connection, Err(refusal)),
            Frame::Contract { connection, hash, contract } => self.on_contract(connection, hash, contract),
            Frame::Shut { connection } => self.on_shut(connection),
            Frame::Goodbye { reason } => self.on_end(EndReason::Goodbye(reason.into())),
            Frame::Violation(violation) => self.on_end(EndReason::AccusedByPeer(violation.into())),
        }
    }
}
