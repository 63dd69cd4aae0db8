//! Writes the arguments of a call as they are given.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::call::Call;
use super::caller::Caller;
use super::written::Written;
use crate::channel::{HalfEncoder, OutgoingHalf, RawHalf};
use crate::codec::{ChannelKind, EncodeError, Encoder, LONG, check_cost_of};
use crate::descriptor::MethodDescriptor;
use crate::driver::{CallerHandle, take_buffer};
use crate::error::NotSent;
use crate::evidence::ArgPlan;
use crate::reply::{Reply, too_large_for_peer};
use crate::wire::Payload;

/// Writes the arguments of a call, one after the other. For generated code.
pub struct CallWriter<'a> {
    caller: &'a Caller,
    handle: Option<Arc<CallerHandle>>,
    method: &'static MethodDescriptor,
    payload: Payload,
    channels: Vec<OutgoingHalf>,
    written: usize,
    /// The most that the receiver is charged for each byte of them.
    rate: usize,
    fault: Option<Box<NotSent>>,
}

impl Caller {
    /// Starts writing a call. For generated code.
    #[inline]
    pub fn call(&self, method: &'static MethodDescriptor) -> CallWriter<'_> {
        CallWriter::new(self, method)
    }
}

impl<'a> CallWriter<'a> {
    #[inline]
    fn new(caller: &'a Caller, method: &'static MethodDescriptor) -> Self {
        let handle = caller.client_connection().moved();
        Self {
            caller,
            handle,
            method,
            payload: Payload::from(take_buffer()),
            channels: Vec::new(),
            written: 0,
            rate: 1,
            fault: None,
        }
    }

    /// Writes the next argument.
    pub fn arg<T>(&mut self, plan: &'static ArgPlan<T>, mut value: T) {
        let is_last = self.written + 1 == self.method.args.len();
        self.write(|encoder| {
            if is_last && let Some(taken) = encoder.take_long(&mut value)? {
                return Ok(Some(taken));
            }
            plan.plan().encode(&value, encoder).map(|()| None)
        });
        self.rate = self.rate.max(plan.plan().rate());
    }

    /// Writes the next argument, a `&str`.
    pub fn str(&mut self, value: &str) {
        self.write(|encoder| encoder.str(value).map(|()| None));
    }

    /// Writes the next argument, a `&[u8]`.
    pub fn bytes(&mut self, value: &[u8]) {
        self.write(|encoder| encoder.bytes(value).map(|()| None));
    }

    /// Writes all arguments, which are encoded already.
    pub(crate) fn rest(&mut self, bytes: Bytes) {
        let handle = self.handle.as_ref().unwrap_or(self.caller.client_connection().first());
        let (needed, limit) = (bytes.len(), handle.shared().max_payload);
        if needed > limit {
            let MethodDescriptor { service, name, .. } = self.method;
            let why = too_large_for_peer(&EncodeError::TooLarge { needed, limit });
            return self.fail(NotSent::TooLarge(format!("the arguments of `{service}::{name}`: {why}").into()));
        }
        match bytes.len() < LONG {
            true => self.payload.encoded.extend_from_slice(&bytes),
            false => self.payload.last = Some(bytes),
        }
    }

    /// Gives the call a channel for each of these, in their order, whose items are bytes: the halves that are kept.
    pub(crate) fn raw_channels(&mut self, kinds: impl IntoIterator<Item = ChannelKind>) -> Vec<RawHalf> {
        let mut encoder = HalfEncoder { given: &mut self.channels, method: self.method, argument: 0 };
        kinds.into_iter().map(|kind| encoder.give_raw(kind).expect("both halves are new")).collect()
    }

    /// Something keeps the call from being sent.
    pub(crate) fn fail(&mut self, why: NotSent) {
        self.fault.get_or_insert_with(|| Box::new(why));
    }

    /// Writes an argument, and takes up what is left of the last one to send as it is.
    fn write(&mut self, write: impl FnOnce(&mut Encoder<'_>) -> Result<Option<Bytes>, EncodeError>) {
        if self.fault.is_some() {
            return;
        }
        let handle = self.handle.as_ref().unwrap_or(self.caller.client_connection().first());
        let max_len = handle.shared().max_payload;
        let mut encoder = HalfEncoder { given: &mut self.channels, method: self.method, argument: self.written };
        let mut encoder = Encoder::new(&mut self.payload.encoded, max_len).with_channels(&mut encoder);
        let written = write(&mut encoder).map(|last| self.payload.last = last);
        if let Err(error) = written {
            let argument = self.method.args.get(self.written).map_or("?", |argument| argument.name);
            let MethodDescriptor { service, name, .. } = self.method;
            let what = format!("argument `{argument}` of `{service}::{name}`: {}", too_large_for_peer(&error));
            self.fault = Some(Box::new(match error {
                EncodeError::TooLarge { .. } => NotSent::TooLarge(what.into()),
                _ => NotSent::InvalidArgument(what.into()),
            }));
        }
        self.written += 1;
    }

    /// The call, ready to be made.
    pub fn finish<T, E>(mut self, reply: &'static Reply<T, E>) -> Call<T, E> {
        let handle = self.handle.as_ref().unwrap_or(self.caller.client_connection().first());
        let most = self.rate.saturating_add(1).saturating_mul(self.payload.len());
        if most > handle.shared().max_decoded && self.fault.is_none() {
            self.measure(handle.shared().max_decoded);
        }
        let written =
            Written { handle: self.handle, payload: self.payload, channels: self.channels, fault: self.fault };
        Call::new(Arc::clone(self.caller.client_connection()), self.method, written, reply)
    }
}

impl CallWriter<'_> {
    /// Whether the arguments are within what the peer lets a message decode to, with their frame, which is there meanwhile.
    #[cold]
    fn measure(&mut self, limit: usize) {
        let Payload { encoded, last } = &self.payload;
        let shapes = self.method.args.iter().map(|argument| argument.shape);
        let frame = self.payload.len();
        let checked = check_cost_of(shapes, encoded, last.as_ref().map_or(0, Bytes::len), limit.saturating_sub(frame));
        if let Err(error) = checked {
            let error = match error {
                EncodeError::OverBudget { needed, .. } => EncodeError::OverBudget { needed: needed + frame, limit },
                other => other,
            };
            let what = format!("the arguments of `{}::{}`: {error}", self.method.service, self.method.name);
            self.fault = Some(Box::new(NotSent::TooLarge(what.into())));
        }
    }
}

impl fmt::Debug for CallWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallWriter({}::{})", self.method.service, self.method.name)
    }
}
