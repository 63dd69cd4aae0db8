//! Channels on which nothing is sent for long.

use std::time::{Duration, Instant};

use super::super::channel_warnings::{LOOK, Upload};
use super::super::deferred::LogEvent;
use super::super::endpoint::Endpoint;
use super::super::state::State;
use crate::descriptor::MethodDescriptor;
use crate::ids::{ChannelId, ConnectionId, RequestId};
use crate::proto::{Token, earlier};

impl State {
    /// The call that this sender came with was sent, and should not wait for long for an item of it, or for its end.
    pub(crate) fn expect_items(
        &mut self,
        half: Token,
        now: Instant,
        method: &'static MethodDescriptor,
        (connection, request, channel): (ConnectionId, RequestId, ChannelId),
    ) {
        if let Some(sender) = self.endpoints.get_mut(half).and_then(Endpoint::as_sender) {
            let (is_used, was_used, pause) = (false, false, Duration::ZERO);
            let upload = Upload { since: now, is_used, was_used, pause, method, connection, request, channel };
            sender.upload = Some(Box::new(upload));
            let uploads = &mut self.patience.get_or_insert_default().uploads;
            uploads.look = earlier(uploads.look, Some(now + LOOK));
        }
    }

    /// A send waits for credit. `true`: that is to be said.
    pub(crate) fn wait_for_credit(&mut self, half: Token) -> bool {
        let Some(sender) = self.endpoints.get_mut(half).and_then(Endpoint::as_sender) else { return false };
        let tell = sender.waits.on(super::super::now());
        self.queue_deadline = earlier(self.queue_deadline, sender.waits.due());
        tell
    }

    /// Sees to the sends that have waited for long.
    pub(in crate::driver) fn expire_sends(&mut self, now: Instant) {
        let mut next = None;
        for endpoint in self.endpoints.iter_mut() {
            let Some(sender) = endpoint.as_sender() else { continue };
            if let Some(due) = sender.waits.due() {
                // The sender says what is to be said.
                match due <= now {
                    true => self.deferred.wakes.append(&mut sender.wakers),
                    false => next = earlier(next, Some(due)),
                }
            }
        }
        self.queue_deadline = earlier(self.queue_deadline, next);
    }

    /// Looks at the uploads, and says of one that stands still what may be the matter.
    ///
    /// One whose holder has forgotten to close it looks like one whose next item is yet to come. So what is said is true of both, and of each
    /// method once.
    pub(in crate::driver) fn look_at_uploads(&mut self, now: Instant) {
        let Some(uploads) = self.patience.as_mut().map(|patience| &mut patience.uploads) else { return };
        if uploads.look.is_none_or(|look| look > now) {
            return;
        }
        uploads.look = None;
        // What has not left yet, nobody can have taken.
        let is_busy = self.session.is_detached() || self.session.has_unwritten();
        for endpoint in self.endpoints.iter_mut() {
            let Some(sender) = endpoint.as_sender() else { continue };
            let is_busy = is_busy || !sender.wakers.is_empty() || sender.backlog.is_some();
            let Some(upload) = sender.upload.as_deref_mut() else { continue };
            if !self.session.waits_for_reply(upload.connection, upload.request) {
                sender.upload = None;
                continue;
            }
            let Some(idle) = upload.stands(now, is_busy) else {
                uploads.look = Some(now + LOOK);
                continue;
            };
            let Upload { method, channel, was_used, .. } = *upload;
            sender.upload = None;
            let is_told = uploads.told.iter().any(|told| std::ptr::eq(*told, method));
            match was_used {
                false => self.deferred.notes.push(LogEvent::Unused(method, channel)),
                true if is_told => {}
                true => {
                    uploads.told.push(method);
                    self.deferred.notes.push(LogEvent::LeftOpen(method, channel, idle));
                }
            }
        }
    }
}
