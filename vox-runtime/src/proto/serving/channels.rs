//! The channels that come with a request.

use super::super::Effects;
use super::super::channels::Windows;
use super::{Serving, id_violation};
use crate::error::{ProtocolViolation, Rule, Short};
use crate::ids::RequestId;
use crate::wire::{ChannelDirection, ChannelOpen};

impl Serving {
    #[inline]
    pub(super) fn open_channels(
        &mut self,
        request: RequestId,
        opens: &[ChannelOpen],
        max_channels: usize,
        windows: &Windows,
        fx: &mut Effects,
    ) -> Result<Option<Short>, ProtocolViolation> {
        if opens.is_empty() {
            return Ok(None);
        }
        let short = self.channels.keeps_too_much(opens.len(), max_channels, windows);
        if short.is_some() || self.channels.open_count() + opens.len() > max_channels {
            self.pass_over_channels(opens, max_channels)?;
            return Ok(short);
        }
        for open in opens {
            self.channel_ids.open(open.id.0).map_err(|fault| id_violation("channel", open.id.0, fault))?;
            let sends = open.direction == ChannelDirection::HandlerSends;
            self.channels.open_unbound(open.id, sends, windows, fx);
        }
        if let (Some(first), Some(last)) = (opens.first(), opens.last()) {
            self.channels.note_call(request, first.id, last.id);
        }
        Ok(None)
    }

    /// There is no room for these channels: by the caller's fault, or because it cannot know (`Ok`).
    #[cold]
    fn pass_over_channels(&mut self, opens: &[ChannelOpen], max_channels: usize) -> Result<(), ProtocolViolation> {
        for (index, open) in opens.iter().enumerate() {
            self.channel_ids.open(open.id.0).map_err(|fault| id_violation("channel", open.id.0, fault))?;
            if self.channels.open_count() + index >= max_channels {
                let why = format!("channel {} is over the limit of {max_channels}", open.id);
                return Err(ProtocolViolation::new(Rule::TooManyChannels, why));
            }
        }
        Ok(())
    }
}
