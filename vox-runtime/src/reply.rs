//! A method's response: `Result<T, VoxError<E>>`, however the call ended.

use std::fmt;
use std::sync::Arc;

use crate::codec::{
    Budget, DecodeError, DecodeErrorKind, Decoder, EncodeError, Encoder, Plan, Rest, Translation, Weight,
};
use crate::descriptor::{ArgDescriptor, Schema};
use crate::error::VoxError;
use crate::evidence::Wire;
use crate::limits::{Fits, Limits};
use crate::operation::{Operation, Outcome};
use crate::terms::{MethodTerms, Misread, translation_of_response};
use crate::wire::{ERR, Failure, OK, Payload, USER};
use bytes::Bytes;
use facet::Facet;

/// What a response may be: so many bytes, which decode to so many.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) bytes: usize,
    pub(crate) decoded: usize,
}

/// The plans of one method's response, for both ends. Compiled on first use.
pub struct Reply<T, E> {
    ok: Plan<T>,
    err: Plan<E>,
}

impl Reply<Rest, Rest> {
    /// Of a method whose types are not known here: what it returns is had as bytes.
    pub(crate) const fn untyped() -> Self {
        Self { ok: Plan::new(), err: Plan::new() }
    }
}

impl<T, E> Reply<T, E> {
    /// For a `static`. Stops the compilation where there is no evidence.
    pub const fn new(ok: Wire<T>, err: Wire<E>) -> Self {
        Self { ok: ok.plan(), err: err.plan() }
    }

    /// Appends the response. Says why where it cannot be encoded.
    fn encode(&self, result: &Result<T, E>, out: &mut Vec<u8>, room: Room) -> Result<(), EncodeError> {
        self.encode_with(result.as_ref(), |value, encoder| self.ok.encode(value, encoder), out, room)
    }

    /// As [`Reply::encode`], of a result that nobody looks at again: long bytes are taken out of it.
    pub(crate) fn encode_last(
        &self,
        result: &mut Result<T, E>,
        out: &mut Payload,
        room: Room,
    ) -> Result<(), EncodeError>
    where
        T: 'static,
    {
        let Payload { encoded, last } = out;
        let encode = |value: &mut T, encoder: &mut Encoder<'_>| {
            *last = encoder.take_long(value)?;
            if last.is_none() { self.ok.encode(value, encoder) } else { Ok(()) }
        };
        self.encode_with(result.as_mut().map_err(|error| &*error), encode, encoded, room)?;
        match last.as_ref().map_or(0, Bytes::len) {
            needed if needed > room.decoded => Err(EncodeError::OverBudget { needed, limit: room.decoded }),
            _ => Ok(()),
        }
    }

    /// As [`Reply::encode`], of a success that is not a `T` but has its encoding.
    pub(crate) fn encode_with<B>(
        &self,
        result: Result<B, &E>,
        encode: impl FnOnce(B, &mut Encoder<'_>) -> Result<(), EncodeError>,
        out: &mut Vec<u8>,
        room: Room,
    ) -> Result<(), EncodeError> {
        let mut encoder = Encoder::new(out, room.bytes);
        let (rate, head) = match result {
            Ok(value) => {
                encoder.byte(OK)?;
                encode(value, &mut encoder)?;
                (self.ok.rate(), 1)
            }
            Err(error) => {
                encoder.raw(&[ERR, USER])?;
                self.err.encode(error, &mut encoder)?;
                (self.err.rate(), 2)
            }
        };
        match rate.saturating_mul(out.len()) <= room.decoded {
            true => Ok(()),
            false => self.measure(out, head, room.decoded),
        }
    }

    /// Whether the response is within what the caller lets a message decode to.
    #[cold]
    fn measure(&self, response: &[u8], head: usize, limit: usize) -> Result<(), EncodeError> {
        let program = if head == 1 { self.ok.program() } else { self.err.program() };
        program.map_or(Ok(()), |program| program.check_cost(&response[head..], limit))
    }

    /// An outcome that another version of the service sealed, with this schema, as this one writes it. `Err`: why that cannot be.
    #[cold]
    pub fn carried(&self, response: &Bytes, schema: &Schema) -> Result<Bytes, String> {
        let schema = Bytes::copy_from_slice(schema.bytes());
        match response[..] {
            [OK, ..] => carry(&self.ok, translation_of_response(&self.ok, &schema, 0, &Weight::default()), response, 1),
            [ERR, USER, ..] => {
                carry(&self.err, translation_of_response(&self.err, &schema, 1, &Weight::default()), response, 2)
            }
            // What the runtime says is the same in every version.
            _ => Ok(response.clone()),
        }
    }

    /// Why a response cannot be had where the peer knows the method otherwise; `None`: it can.
    #[cold]
    pub(crate) fn refusal(&self, terms: &MethodTerms, args: &[ArgDescriptor]) -> Option<Arc<str>> {
        match self.is_untyped() {
            true => terms.untyped_refusal(),
            false => terms.refusal(&self.ok, &self.err, args.iter().map(|argument| argument.shape)),
        }
    }

    /// Whether what the method returns is had as bytes.
    #[cold]
    fn is_untyped(&self) -> bool {
        self.ok.program().is_ok_and(|program| program.shape().id == Rest::SHAPE.id)
    }

    /// Reads a response. `terms`: where the peer knows the method otherwise.
    pub(crate) fn decode(
        &self,
        payload: &Bytes,
        limits: &Limits,
        terms: Option<&MethodTerms>,
    ) -> Result<T, VoxError<E>> {
        let mut decoder = Decoder::new(payload, budget(limits));
        let invalid = |error: &dyn fmt::Display| VoxError::InvalidResponse(error.to_string().into());
        let result = match decoder.byte().map_err(|error| invalid(&error))? {
            OK => {
                let value = match terms {
                    None => self.ok.decode(&mut decoder).map_err(Misread::Decode),
                    Some(terms) if self.is_untyped() => carried(&self.ok, terms.carried_response(0, &mut decoder)),
                    Some(terms) => translate(&self.ok, terms.ok(&self.ok), &mut decoder),
                };
                Ok(value.map_err(|error| invalid(&unreadable(&error)))?)
            }
            ERR if payload.get(1) == Some(&USER) => {
                decoder.byte().map_err(|error| invalid(&error))?;
                let value = match terms {
                    None => self.err.decode(&mut decoder).map_err(Misread::Decode),
                    Some(terms) if self.is_untyped() => carried(&self.err, terms.carried_response(1, &mut decoder)),
                    Some(terms) => translate(&self.err, terms.err(&self.err), &mut decoder),
                };
                Err(value.map_err(|error| invalid(&unreadable(&error)))?)
            }
            ERR => {
                return Err(match Failure::read(&payload[1..]) {
                    Ok(failure) => failure.into(),
                    Err(violation) => invalid(&violation),
                });
            }
            tag => return Err(invalid(&format_args!("the tag {tag} is neither Ok nor Err"))),
        };
        decoder.finish().map_err(|error| invalid(&error))?;
        result.map_err(VoxError::User)
    }
}

/// Writes a response whose value, after so many bytes, is of another version of the type, as one of this version.
fn carry<T>(plan: &Plan<T>, by: Result<Translation, Arc<str>>, response: &Bytes, head: usize) -> Result<Bytes, String> {
    let by = by.map_err(|why| why.to_string())?;
    let mut decoder = Decoder::new(response, Budget::default_for(response.len()));
    decoder.go_to(head);
    let value = plan.decode_by(&by, &mut decoder).map_err(|error| error.to_string())?;
    decoder.finish().map_err(|error| error.to_string())?;
    let mut out = response[..head].to_vec();
    plan.encode(&value, &mut Encoder::new(&mut out, usize::MAX)).map_err(|error| error.to_string())?;
    Ok(out.into())
}

/// What another version wrote, as this end's bytes, of which there are all.
#[cold]
fn carried<T>(plan: &Plan<T>, bytes: Result<Bytes, Misread>) -> Result<T, Misread> {
    let bytes = bytes?;
    Ok(plan.decode(&mut Decoder::new(&bytes, Budget::new(bytes.len() + Budget::DEPTH as usize, Budget::DEPTH)))?)
}

/// Reads what another version of this end's type wrote.
#[cold]
fn translate<T>(plan: &Plan<T>, by: Result<&Translation, Arc<str>>, decoder: &mut Decoder<'_>) -> Result<T, Misread> {
    Ok(plan.decode_by(by?, decoder)?)
}

impl Operation {
    /// What becomes of `result` when the operation's handler returns it: its method's response, in at most `max_len` bytes.
    /// Says why where there is none, as when the method returns something else.
    ///
    /// This is for stores, whose users seal an outcome together with its effect. A handler's return value is sealed by the
    /// runtime.
    pub fn outcome<T, E>(&self, result: &Result<T, E>, max_len: usize) -> Result<Outcome, String>
    where
        T: Facet<'static>,
        E: Facet<'static>,
    {
        let method = self.method;
        if <Result<T, VoxError<E>>>::SHAPE.id != method.response.id {
            let given = <Result<T, E>>::SHAPE;
            return Err(format!("`{}::{}` does not return a `{given}`", method.service, method.name));
        }
        let reply = Reply { ok: Plan::<T>::new(), err: Plan::<E>::new() };
        let mut bytes = Vec::new();
        let room = Room { bytes: max_len, decoded: usize::MAX };
        reply.encode(result, &mut bytes, room).map_err(|error| too_large_to_keep(&error))?;
        Ok(Outcome { bytes: bytes.into(), schema: method.schema() })
    }
}

/// Why a caller cannot be given a response, in words for the caller, which is the peer of the end that finds it out.
pub(crate) fn too_large_for_caller(error: &EncodeError) -> String {
    match error {
        EncodeError::OverBudget { needed, limit } => over_budget(*needed, *limit),
        error => too_large_for(error, "the caller"),
    }
}

/// Why a peer cannot be sent something.
pub(crate) fn too_large_for_peer(error: &EncodeError) -> String {
    too_large_for(error, "the peer")
}

fn too_large_for(error: &EncodeError, whose: &'static str) -> String {
    match *error {
        EncodeError::TooLarge { needed, limit } => {
            format!("the encoding takes {needed} bytes or more, where {}", Fits { limit, whose })
        }
        _ => error.to_string(),
    }
}

/// Why a caller cannot take a response that has arrived.
fn unreadable(error: &Misread) -> String {
    match error {
        Misread::Decode(DecodeError { kind: DecodeErrorKind::OverBudget { needed, limit }, .. }) => {
            over_budget(*needed, *limit)
        }
        error => error.to_string(),
    }
}

fn over_budget(needed: usize, limit: usize) -> String {
    format!(
        "the value takes {needed} bytes of memory or more when it is decoded, over the caller's limit of {limit} bytes; \
         `Limits::max_decoded_bytes` of the caller raises it"
    )
}

/// Why an outcome cannot be kept.
pub(crate) fn too_large_to_keep(error: &EncodeError) -> String {
    match error {
        EncodeError::TooLarge { needed, limit } => format!(
            "{needed} bytes or more, over the limit of {limit} bytes that the store keeps of an outcome; \
             `StoreLimits::max_outcome_bytes` raises it"
        ),
        error => error.to_string(),
    }
}

/// What one message may decode to.
#[inline]
pub(crate) fn budget(limits: &Limits) -> Budget {
    Budget::new(limits.max_decoded_bytes, u32::try_from(limits.max_depth).unwrap_or(u32::MAX))
}

impl<T, E> fmt::Debug for Reply<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reply")
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::descriptor::MethodDescriptor;
    use crate::evidence;
    use crate::operation::{Fence, OperationId, OperationKey, Principal};

    static DESCRIPTOR: MethodDescriptor = MethodDescriptor {
        response: <Result<u32, VoxError<String>>>::SHAPE,
        ..evidence::method(7, "Bank", "transfer")
    };

    fn operation() -> Operation {
        let key = OperationKey { id: OperationId::new(), principal: Principal::anonymous() };
        Operation { key, fence: Fence(1), method: &DESCRIPTOR }
    }

    #[test]
    fn an_operations_outcome_is_its_methods_response() {
        let paid = operation().outcome(&Ok::<_, String>(300u32), 100).expect("it fits");
        assert_eq!(&paid.bytes[..], [OK, 0xac, 2]);
        assert_eq!(paid.schema, DESCRIPTOR.schema());
        let refused = operation().outcome(&Err::<u32, _>("no".to_owned()), 100).expect("it fits");
        assert_eq!(&refused.bytes[..], [ERR, USER, 2, b'n', b'o']);
        assert!(operation().outcome(&Ok::<_, String>(300u32), 2).is_err());
    }

    #[test]
    fn an_outcome_of_another_type_is_refused() {
        let fault = operation().outcome(&Ok::<_, Infallible>(300u32), 100).expect_err("another error");
        assert_eq!(fault, "`Bank::transfer` does not return a `Result<u32, Infallible>`");
        assert!(operation().outcome(&Ok::<_, String>(300u64), 100).is_err());
    }
}
