//! Reads the arguments of a request, one after the other, out of its frame.

use std::fmt;
use std::mem;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::answer::Answer;
use super::context::Context;
use crate::channel::{HalfDecoder, RawHalf};
use crate::codec::{Budget, ChannelKind, DecodeError, DecodeErrorKind, Decoder, EncodeError, Encoder};
use crate::descriptor::MethodDescriptor;
use crate::driver::{Granted, Shared, give_buffer, take_buffer};
use crate::evidence::ArgPlan;
use crate::ids::{ConnectionId, RequestId};
use crate::proto::{NoTerms, Request, SHORT};
use crate::reply::{self, Reply, Room};
use crate::terms::{Arriving, Misread};
use crate::wire::{ChannelDirection, ChannelOpen, Failure, Payload};

/// The arguments of one request. Keeps the frame, so that `&str` and `&[u8]` arguments borrow from it.
pub struct Args {
    frame: Bytes,
    position: usize,
    budget: Budget,
    connection: ConnectionId,
    channels: Vec<Option<ChannelOpen>>,
    context: Context,
    /// How many were read, to name the one that cannot be.
    read: usize,
    /// An argument stands in the frame.
    borrows: bool,
    /// What of the budget was spent for arguments that stand in the frame.
    lent: usize,
    /// The peer knows the method otherwise.
    arriving: Option<Box<Arriving>>,
}

/// Where a borrowed argument stands in the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    start: usize,
    end: usize,
}

/// Arguments that cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidArgs {
    method: &'static str,
    /// `None`: what comes after the last.
    argument: Option<&'static str>,
    error: Misread,
}

impl Args {
    #[inline]
    pub(crate) fn new(
        shared: Arc<Shared>,
        method: &'static MethodDescriptor,
        request: &mut Request,
        granted: Option<Arc<Granted>>,
    ) -> Self {
        let (connection, id, deadline) = (request.connection, request.request, request.deadline);
        let (metadata, channels) = (mem::take(&mut request.metadata), mem::take(&mut request.channels));
        let payload = mem::take(&mut request.payload);
        let arriving = if request.has_terms { arriving(&shared, (connection, id), method) } else { None };
        Self {
            position: 0,
            // The request is charged for what is short, and for its frame, which is not kept where nothing stands in it.
            budget: reply::budget(&shared.limits).with_first(payload.len() + SHORT),
            frame: payload,
            connection,
            channels: channels.iter().copied().map(Some).collect(),
            context: Context::new(shared, method, connection, id, deadline, metadata, granted),
            read: 0,
            borrows: false,
            lent: 0,
            arriving,
        }
    }

    /// Reads the next argument.
    pub fn read<T>(&mut self, plan: &'static ArgPlan<T>) -> Result<T, InvalidArgs> {
        self.read_by(plan, None)
    }

    /// Reads the next argument, which is made by `default` where its caller does not have it.
    pub fn read_or<T>(&mut self, plan: &'static ArgPlan<T>, default: fn() -> T) -> Result<T, InvalidArgs> {
        self.read_by(plan, Some(default))
    }

    #[inline]
    fn read_by<T>(&mut self, plan: &'static ArgPlan<T>, default: Option<fn() -> T>) -> Result<T, InvalidArgs> {
        self.with_decoder(
            |decoder| plan.plan().decode(decoder),
            |arriving, ours, decoder| arriving.read(plan.plan(), ours, decoder, default),
        )
    }

    /// Reads the last argument. There must be no bytes left after it.
    pub fn last<T>(&mut self, plan: &'static ArgPlan<T>) -> Result<T, InvalidArgs> {
        let value = self.read(plan)?;
        self.finish()?;
        Ok(value)
    }

    /// As [`Args::read_or`], of the last argument.
    pub fn last_or<T>(&mut self, plan: &'static ArgPlan<T>, default: fn() -> T) -> Result<T, InvalidArgs> {
        let value = self.read_or(plan, default)?;
        self.finish()?;
        Ok(value)
    }

    /// Reads the next argument, a `&str`: where it stands.
    pub fn read_str(&mut self) -> Result<Span, InvalidArgs> {
        let found = self.find_str()?;
        found.ok_or_else(|| self.not_sent())
    }

    /// Reads the next argument, a `&[u8]`: where it stands.
    pub fn read_bytes(&mut self) -> Result<Span, InvalidArgs> {
        let found = self.find_bytes()?;
        found.ok_or_else(|| self.not_sent())
    }

    /// As [`Args::read_str`]. `None`: the caller does not have it, and it has a default.
    pub fn find_str(&mut self) -> Result<Option<Span>, InvalidArgs> {
        self.find_lent(|decoder| decoder.str())
    }

    /// As [`Args::read_bytes`]. `None`: the caller does not have it, and it has a default.
    pub fn find_bytes(&mut self) -> Result<Option<Span>, InvalidArgs> {
        self.find_lent(|decoder| decoder.bytes())
    }

    #[inline]
    fn find_lent(
        &mut self,
        read: impl Fn(&mut Decoder<'_>) -> Result<Range<usize>, DecodeError>,
    ) -> Result<Option<Span>, InvalidArgs> {
        self.borrows = true;
        let read = |decoder: &mut Decoder<'_>| read(decoder).and_then(|range| decoder.charged(range));
        let found = self.with_decoder(
            |decoder| read(decoder).map(Some),
            |arriving, ours, decoder| arriving.borrow(ours, decoder, read),
        )?;
        self.lent += found.as_ref().map_or(0, |range| range.len());
        Ok(found.map(Span::from))
    }

    /// Reads the next of arguments whose types are not known here: by `read`, from any writer.
    pub(super) fn untyped<R>(
        &mut self,
        read: impl Fn(&mut Decoder<'_>) -> Result<R, Misread>,
        argument: Option<&str>,
    ) -> Result<R, InvalidArgs> {
        let read = self.with_decoder(|decoder| Ok(read(decoder)), |_, _, decoder| Ok(read(decoder)))?;
        read.map_err(|error| {
            let error = match (error, argument) {
                (Misread::Incompatible(why), Some(argument)) => {
                    Misread::Incompatible(format!("argument `{argument}`: {why}").into())
                }
                (error, _) => error,
            };
            InvalidArgs { method: self.context.method().name, argument: None, error }
        })
    }

    /// Arguments of another version are had as this end would write them from here on, for a handler that does not have their types.
    pub(super) fn carry(&mut self) -> Result<(), InvalidArgs> {
        let (shared, name) = (self.context.shared(), self.context.method().name);
        let failed = |error| InvalidArgs { method: name, argument: None, error };
        let differ = match &self.arriving {
            Some(arriving) => !arriving.are_same().map_err(failed)?,
            None => false,
        };
        let Some(mut arriving) = self.arriving.take_if(|_| differ) else { return Ok(()) };
        let request = self.context.request_id();
        let method = self.context.method();
        let mut taking = HalfDecoder {
            shared,
            connection: self.connection,
            request,
            method,
            frame: self.frame.len(),
            opens: &mut self.channels,
        };
        // Values take more than their bytes, and what they take is asked for.
        let mut decoder = Decoder::resume(&self.frame, self.position, self.budget).with_channels(&mut taking);
        let carried = arriving.carried(&mut decoder);
        if arriving.has_grown() {
            shared.settle_terms(self.connection);
        }
        let carried = carried.and_then(|bytes| decoder.finish().map(|()| bytes).map_err(Misread::Decode));
        let carried = carried.map_err(failed)?;
        let more = carried.len().saturating_sub(self.frame.len());
        self.frame = carried;
        self.position = 0;
        if more == 0 {
            return Ok(());
        }
        self.keep_beside(more)?;
        // So much is charged for the frame now.
        self.budget = reply::budget(&shared.limits).with_first(self.frame.len() + SHORT);
        Ok(())
    }

    #[cold]
    fn not_sent(&self) -> InvalidArgs {
        let argument = self.context.method().args.get(self.read - 1).map(|argument| argument.name);
        let error = Misread::Incompatible("the peer does not send it".into());
        InvalidArgs { method: self.context.method().name, argument, error }
    }

    /// The channel of this number, if it is of this kind, whose items are bytes.
    pub(super) fn raw_channel(&mut self, index: u32, kind: ChannelKind) -> Result<RawHalf, InvalidArgs> {
        let method = self.context.method();
        let (shared, request) = (self.context.shared(), self.context.request_id());
        let mut taking = HalfDecoder {
            shared,
            connection: self.connection,
            request,
            method,
            frame: self.frame.len(),
            opens: &mut self.channels,
        };
        let taken = taking.take_raw(index, kind);
        taken.map_err(|error| InvalidArgs { method: method.name, argument: None, error: Misread::Decode(error) })
    }

    /// What the request has of channels, in their order.
    pub(super) fn channel_kinds(&self) -> Vec<ChannelKind> {
        let kind = |open: &ChannelOpen| match open.direction {
            ChannelDirection::HandlerSends => ChannelKind::Tx,
            ChannelDirection::CallerSends => ChannelKind::Rx,
        };
        self.channels.iter().flatten().map(kind).collect()
    }

    /// Reads by `read`, or where the peer knows the method otherwise by `translate`, which is given the argument's number.
    fn with_decoder<R>(
        &mut self,
        read: impl FnOnce(&mut Decoder<'_>) -> Result<R, DecodeError>,
        translate: impl FnOnce(&mut Arriving, usize, &mut Decoder<'_>) -> Result<R, Misread>,
    ) -> Result<R, InvalidArgs> {
        let method = self.context.method();
        let (shared, request) = (self.context.shared(), self.context.request_id());
        let mut taking = HalfDecoder {
            shared,
            connection: self.connection,
            request,
            method,
            frame: self.frame.len(),
            opens: &mut self.channels,
        };
        let mut decoder = Decoder::resume(&self.frame, self.position, self.budget).with_channels(&mut taking);
        let result = match &mut self.arriving {
            None => read(&mut decoder).map_err(Misread::Decode),
            Some(arriving) => {
                let result = translate(arriving, self.read, &mut decoder);
                if arriving.has_grown() {
                    shared.settle_terms(self.connection);
                }
                result
            }
        };
        self.position = decoder.position();
        self.budget = decoder.budget();
        self.borrows |= decoder.shares();
        let argument = method.args.get(self.read).map(|argument| argument.name);
        self.read += 1;
        result.map_err(|error| InvalidArgs { method: method.name, argument, error })
    }

    /// The text of a `&str` argument.
    pub fn str(&self, span: Span) -> &str {
        // Checked when the span was made; the frame never changes.
        std::str::from_utf8(&self.frame[span.start..span.end]).unwrap_or_default()
    }

    /// The bytes of a `&[u8]` argument.
    pub fn bytes(&self, span: Span) -> &[u8] {
        &self.frame[span.start..span.end]
    }

    /// As [`Args::str`], of an argument that is made by `default` where its caller does not have it.
    pub fn str_or(&self, span: Option<Span>, default: fn() -> &'static str) -> &str {
        span.map_or_else(default, |span| self.str(span))
    }

    /// As [`Args::bytes`], of an argument that is made by `default` where its caller does not have it.
    pub fn bytes_or(&self, span: Option<Span>, default: fn() -> &'static [u8]) -> &[u8] {
        span.map_or_else(default, |span| self.bytes(span))
    }

    /// There must be no bytes left. The frame is not kept where no argument borrows from it.
    pub fn finish(&mut self) -> Result<(), InvalidArgs> {
        let mut decoder = Decoder::resume(&self.frame, self.position, self.budget);
        // They may be the last of a connection that is gone.
        let come = self.arriving.take().map_or(Ok(()), |mut arriving| {
            let come = arriving.finish(&mut decoder);
            if arriving.has_grown() {
                self.context.shared().settle_terms(self.connection);
            }
            come
        });
        come.and_then(|()| decoder.finish().map_err(Misread::Decode)).map_err(|error| InvalidArgs {
            method: self.context.method().name,
            argument: None,
            error,
        })?;
        if !self.borrows {
            self.frame = Bytes::new();
            return Ok(());
        }
        // The frame is kept, and what is made beside it as well.
        let asked = self.budget.asked(self.frame.len() + SHORT);
        match (self.budget.spent() - self.lent).saturating_sub(asked) {
            ..=SHORT => Ok(()),
            beside => self.keep_beside(beside - SHORT),
        }
    }

    #[cold]
    fn keep_beside(&self, bytes: usize) -> Result<(), InvalidArgs> {
        let (shared, request) = (self.context.shared(), self.context.request_id());
        shared.keep_decoded(self.connection, request, bytes, 0).map_err(|kind| InvalidArgs {
            method: self.context.method().name,
            argument: None,
            error: Misread::Decode(DecodeError::new(kind, self.position)),
        })
    }

    /// What was returned is the answer.
    pub fn answer<T, E>(
        &self,
        reply: &'static Reply<T, E>,
        mut result: Result<T, E>,
    ) -> Result<Answer<Result<T, E>>, InvalidArgs> {
        let payload = self.encoded(|out, room| reply.encode_last(&mut result, out, room));
        Ok(Answer { payload, kept: result })
    }

    /// What was returned is the answer, and a success.
    pub fn answer_ok<T, E>(&self, reply: &'static Reply<T, E>, value: T) -> Result<Answer<Result<T, E>>, InvalidArgs> {
        self.answer(reply, Ok(value))
    }

    /// Text that the handler lends is the answer.
    pub fn answer_str<E>(
        &self,
        reply: &Reply<String, E>,
        result: Result<&str, E>,
    ) -> Result<Answer<Option<E>>, InvalidArgs> {
        self.answer_lent(reply, result, |text, encoder| encoder.str(text))
    }

    /// Bytes that the handler lends are the answer.
    pub fn answer_bytes<E>(
        &self,
        reply: &Reply<Vec<u8>, E>,
        result: Result<&[u8], E>,
    ) -> Result<Answer<Option<E>>, InvalidArgs> {
        self.answer_lent(reply, result, |bytes, encoder| encoder.bytes(bytes))
    }

    fn answer_lent<T, E, B: ?Sized>(
        &self,
        reply: &Reply<T, E>,
        result: Result<&B, E>,
        encode: impl FnOnce(&B, &mut Encoder<'_>) -> Result<(), EncodeError>,
    ) -> Result<Answer<Option<E>>, InvalidArgs> {
        let payload = self
            .encoded(|out, room| reply.encode_with(result.as_ref().map(|lent| *lent), encode, &mut out.encoded, room));
        Ok(Answer { payload, kept: result.err() })
    }

    pub(super) fn encoded(
        &self,
        encode: impl FnOnce(&mut Payload, Room) -> Result<(), EncodeError>,
    ) -> Result<Payload, Failure> {
        let mut payload = Payload::from(take_buffer());
        match encode(&mut payload, self.context.room()) {
            Ok(()) => Ok(payload),
            Err(error) => {
                give_buffer(payload.encoded);
                Err(Failure::InvalidResponse(match self.context.is_kept() {
                    true => reply::too_large_to_keep(&error),
                    false => reply::too_large_for_caller(&error),
                }))
            }
        }
    }

    /// What the handler may know of its call.
    pub fn context(&self) -> &Context {
        &self.context
    }
}

/// How the arguments are read where the peer knows the method otherwise.
#[cold]
fn arriving(
    shared: &Shared,
    (connection, request): (ConnectionId, RequestId),
    method: &MethodDescriptor,
) -> Option<Box<Arriving>> {
    let terms = shared.change(|state| state.session.serving_terms(connection, request, method.id));
    let terms = terms.map_err(|none| match none {
        NoTerms::Gone(how) => Misread::Incompatible(how.to_string().into()),
        NoTerms::Short(short) => {
            Misread::Decode(DecodeError::new(DecodeErrorKind::OverMemory { short: short.into() }, 0))
        }
    });
    terms.transpose().map(|terms| Box::new(Arriving::new(terms)))
}

impl From<Range<usize>> for Span {
    fn from(range: Range<usize>) -> Self {
        Self { start: range.start, end: range.end }
    }
}

impl fmt::Debug for Args {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Args")
            .field("bytes", &self.frame.len())
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

impl InvalidArgs {
    /// What the caller is answered.
    pub(super) fn into_failure(self) -> Failure {
        match self.error {
            Misread::Decode(DecodeError { kind: DecodeErrorKind::OverMemory { ref short }, .. }) => {
                Failure::Busy(short.short())
            }
            _ => Failure::InvalidPayload(self.to_string()),
        }
    }
}

impl fmt::Display for InvalidArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.argument {
            Some(argument) => write!(f, "argument `{argument}` of `{}`: {}", self.method, self.error),
            None => write!(f, "the arguments of `{}`: {}", self.method, self.error),
        }
    }
}

impl std::error::Error for InvalidArgs {}
