//! The terms of an end that does not have the types of a method: what the other version wrote is read by its schema, and had as this end's bytes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::{Arriving, MethodTerms, Misread};
use crate::codec::{ChannelKind, DecodeError, DecodeErrorKind, Decoder, Encoder};
use crate::escaped::Escaped;
use crate::schema::Argument;
use crate::value::{Carried, Value, ValueError, ValueType};

/// What an argument takes beside its name and its type.
const ENTRY: usize = 256;

const UNCARRIED: &str = "it has channels, and the caller has another version of the arguments: those a handler without types does not translate";

/// How an end without types reads what the other version returns.
pub(super) struct Untyped {
    ok: Carried,
    err: Carried,
}

/// How an end without types reads the arguments that the other version sends, in the other's order; and which of its own it makes up.
pub(super) struct UntypedArguments {
    arrive: Vec<(String, Arrives)>,
    ours: Vec<(String, ValueType, Fills)>,
}

/// What an argument is where it is not sent.
enum Fills {
    /// It is sent, or can be `None`.
    Can,
    Cannot,
}

/// One of the peer's arguments, in its order: which of this end's it is, and how it is read.
enum Arrives {
    Read(usize, Carried),
    /// This end does not have it.
    Passed(ValueType),
}

impl MethodTerms {
    /// Why this end, which does not have its types, cannot call the method; `None` where it can.
    pub(crate) fn untyped_refusal(&self) -> Option<Arc<str>> {
        let refusal =
            self.refusal.get_or_init(|| self.ours.refusal(&self.theirs).map(|words| self.noted(words.into())));
        let channels = || match self.changes_channels() {
            true => Some("its channels differ, which only an end that has their types can translate".into()),
            false => None,
        };
        let unread =
            || self.untyped().as_ref().err().map(|why| format!("the response cannot be read here: {why}").into());
        refusal.clone().or_else(channels).or_else(unread)
    }

    /// A response, its `Ok` (0) or its `Err` (1), as this end writes it.
    pub(crate) fn carried_response(&self, part: usize, from: &mut Decoder<'_>) -> Result<Bytes, Misread> {
        let untyped = self.untyped().as_ref().map_err(Arc::clone)?;
        let by = if part == 0 { &untyped.ok } else { &untyped.err };
        let value = by.read(from).map_err(misread)?;
        by.ty().encode(&value).map(Bytes::from).map_err(misread)
    }

    fn untyped(&self) -> &Result<Untyped, Arc<str>> {
        self.untyped.get_or_init(|| {
            let outcomes = |schema: &Bytes| {
                let ty = ValueType::read(schema).map_err(|error| error.to_string())?;
                ty.outcomes().ok_or_else(|| "it is no `Result`".to_owned())
            };
            let (ok, err) = outcomes(&self.theirs.response.schema)?;
            let (our_ok, our_err) = outcomes(&self.ours.response.schema)?;
            let made = Untyped { ok: Carried::between(ok, our_ok)?, err: Carried::between(err, our_err)? };
            self.weight.add(made.ok.weight() + made.err.weight());
            Ok(made)
        })
    }

    /// Whether an argument that has a `Tx`, whose items the caller reads, is not the same on both ends.
    fn changes_channels(&self) -> bool {
        let reads = |argument: &&Argument| {
            ValueType::read(&argument.ty.schema).is_ok_and(|ty| ty.has_channel_of(|kind| kind == ChannelKind::Tx))
        };
        let theirs = |ours: &Argument| self.theirs.arguments.iter().find(|theirs| theirs.name == ours.name);
        let differs = |ours: &Argument| theirs(ours).is_none_or(|theirs| theirs.ty.schema != ours.ty.schema);
        self.ours.arguments.iter().filter(reads).any(differs)
    }

    /// All arguments that the peer wrote, as this end would write them.
    fn carried_arguments(&self, from: &mut Decoder<'_>) -> Result<Bytes, Misread> {
        let known = self.untyped_arguments.get_or_init(|| self.arguments_untyped());
        let UntypedArguments { arrive, ours } = known.as_ref().map_err(Arc::clone)?;
        let mut values: Vec<Option<Value>> = ours.iter().map(|_| None).collect();
        for (name, arrives) in arrive {
            let named = |error: ValueError| misread(error.in_field(name));
            match arrives {
                Arrives::Read(at, by) => values[*at] = Some(by.read(from).map_err(named)?),
                Arrives::Passed(ty) => drop(ty.decode_from(from, None).map_err(named)?),
            }
        }
        let mut out = Vec::new();
        for ((name, ty, fills), value) in ours.iter().zip(values) {
            let value = match (value, fills) {
                (Some(value), _) => value,
                (None, Fills::Can) => Value::NONE,
                (None, Fills::Cannot) => {
                    let name = Escaped::name(name);
                    let why = format!(
                        "the caller sends no `{name}`, and without its type no other default can be made than `None`"
                    );
                    return Err(Misread::Incompatible(why.into()));
                }
            };
            let written = ty.encode_to(&value, &mut Encoder::new(&mut out, usize::MAX), None);
            written.map_err(|error| misread(error.in_field(name)))?;
        }
        Ok(out.into())
    }

    /// Found out once for each method: a caller's types may be many.
    fn arguments_untyped(&self) -> Result<UntypedArguments, Arc<str>> {
        let read = |argument: &Argument| {
            let ty = ValueType::read(&argument.ty.schema).map_err(|error| of(&argument.name, &error))?;
            if ty.has_channels() { Err(of(&argument.name, &UNCARRIED)) } else { Ok(ty) }
        };
        let mut ours = Vec::new();
        for argument in &self.ours.arguments {
            let ty = read(argument)?;
            let fills = if argument.may_miss && ty.is_option() { Fills::Can } else { Fills::Cannot };
            self.weight.add(ENTRY + argument.name.len() + ty.weight());
            ours.push((argument.name.clone(), ty, fills));
        }
        let mut arrive = Vec::new();
        for argument in &self.theirs.arguments {
            let written = read(argument)?;
            let arrives = match ours.iter().position(|(name, ..)| *name == argument.name) {
                Some(at) => {
                    let carried = Carried::between(written, ours[at].1.clone());
                    Arrives::Read(at, carried.map_err(|why| of(&argument.name, &why))?)
                }
                None => Arrives::Passed(written),
            };
            self.weight.add(ENTRY + argument.name.len() + arrives.weight());
            arrive.push((argument.name.clone(), arrives));
        }
        Ok(UntypedArguments { arrive, ours })
    }
}

/// Why an argument cannot be read.
fn of(argument: &str, why: &dyn fmt::Display) -> Arc<str> {
    format!("argument `{}`: {why}", Escaped::name(argument)).into()
}

impl Arrives {
    fn weight(&self) -> usize {
        match self {
            Self::Read(_, by) => by.weight(),
            Self::Passed(ty) => ty.weight(),
        }
    }
}

impl Arriving {
    /// All arguments that the peer wrote, as this end would write them.
    pub(crate) fn carried(&self, from: &mut Decoder<'_>) -> Result<Bytes, Misread> {
        let terms = self.terms.clone()?;
        let carried = terms.carried_arguments(from)?;
        terms.was_read.store(true, Ordering::Release);
        Ok(carried)
    }
}

/// What is wrong, in whose words: of bytes that are none, or of a type that does not fit.
fn misread(error: ValueError) -> Misread {
    match error.cause() {
        Some(cause @ DecodeError { kind: DecodeErrorKind::OverMemory { .. }, .. }) => Misread::Decode(cause.clone()),
        _ => Misread::Incompatible(error.to_string().into()),
    }
}
