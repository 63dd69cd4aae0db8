//! Reads the arguments of a request whose caller has another version of the method.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::{MethodTerms, Misread};
use crate::codec::{DecodeError, Decoder, Plan};

/// The arguments of one request of a peer that knows the method otherwise: where each of them stands.
pub(crate) struct Arriving {
    /// `Err`: there are none, for the connection is gone, or for want of memory.
    pub(super) terms: Result<Arc<MethodTerms>, Misread>,
    /// What they and their like took when that was settled.
    weight: usize,
    /// Where the arguments begin that were come to, in the peer's order, and where the next does.
    begins: Vec<usize>,
}

impl Arriving {
    pub(crate) fn new(terms: Result<Arc<MethodTerms>, Misread>) -> Self {
        let weight = terms.as_ref().map_or(0, |terms| terms.made());
        Self { terms, weight, begins: vec![0] }
    }

    /// Whether something was made meanwhile that is kept with the connection's terms.
    pub(crate) fn has_grown(&mut self) -> bool {
        let weight = self.terms.as_ref().map_or(0, |terms| terms.made());
        std::mem::replace(&mut self.weight, weight) < weight
    }

    /// Reads the argument of this number, by this end's count. One that the peer does not send is its default.
    pub(crate) fn read<T>(
        &mut self,
        plan: &Plan<T>,
        ours: usize,
        decoder: &mut Decoder<'_>,
        default: Option<fn() -> T>,
    ) -> Result<T, Misread> {
        let terms = self.terms.clone()?;
        let Some(theirs) = self.find(ours, decoder)? else {
            if let Some(default) = default {
                return Ok(default());
            }
            // `None`, as it is written.
            let absent = Bytes::from_static(&[0]);
            return Ok(plan.decode(&mut Decoder::new(&absent, decoder.budget()))?);
        };
        let value = plan.decode_by(terms.argument(plan, ours, theirs)?, decoder)?;
        self.passed(theirs, decoder);
        Ok(value)
    }

    /// Reads the argument of this number, which is borrowed: text, or bytes. It is the same on both ends. `None`: the peer
    /// does not send it, and it has a default.
    pub(crate) fn borrow<R>(
        &mut self,
        ours: usize,
        decoder: &mut Decoder<'_>,
        read: impl FnOnce(&mut Decoder<'_>) -> Result<R, DecodeError>,
    ) -> Result<Option<R>, Misread> {
        let terms = self.terms.clone()?;
        let Some(theirs) = self.find(ours, decoder)? else { return Ok(None) };
        if terms.ours.arguments[ours].ty.schema != terms.theirs.arguments[theirs].ty.schema {
            return Err(Misread::Incompatible("the peer sends another type".into()));
        }
        let value = read(decoder)?;
        self.passed(theirs, decoder);
        Ok(Some(value))
    }

    /// Whether the peer writes the arguments as this end would.
    pub(crate) fn are_same(&self) -> Result<bool, Misread> {
        self.terms.as_ref().map(|terms| terms.ours.takes_same(&terms.theirs)).map_err(Misread::clone)
    }

    /// Reads to the end of the arguments.
    pub(crate) fn finish(&mut self, decoder: &mut Decoder<'_>) -> Result<(), Misread> {
        let terms = self.terms.clone()?;
        self.come_to(terms.theirs.arguments.len(), decoder)?;
        terms.was_read.store(true, Ordering::Release);
        Ok(())
    }

    /// Goes to the argument of this number, by this end's count: its number by the peer's. `None`: the peer does not have it,
    /// and this end does without.
    fn find(&mut self, ours: usize, decoder: &mut Decoder<'_>) -> Result<Option<usize>, Misread> {
        let terms = self.terms.clone()?;
        let Some(argument) = terms.ours.arguments.get(ours) else { return Err(terms.missing(ours)) };
        let theirs = terms.theirs.arguments.iter().position(|theirs| theirs.name == argument.name);
        match theirs {
            Some(theirs) => self.come_to(theirs, decoder)?,
            None if argument.may_miss => {}
            None => return Err(terms.missing(ours)),
        }
        Ok(theirs)
    }

    /// Moves to the argument of this number, by the peer's count, and passes over those before it that were not read.
    fn come_to(&mut self, theirs: usize, decoder: &mut Decoder<'_>) -> Result<(), Misread> {
        let terms = self.terms.clone()?;
        while self.begins.len() <= theirs {
            let last = self.begins.len() - 1;
            decoder.go_to(self.begins[last]);
            terms.pass(last, decoder)?;
            self.begins.push(decoder.position());
        }
        decoder.go_to(self.begins[theirs]);
        Ok(())
    }

    /// The argument of this number, by the peer's count, was read.
    fn passed(&mut self, theirs: usize, decoder: &Decoder<'_>) {
        if self.begins.len() == theirs + 1 {
            self.begins.push(decoder.position());
        }
    }
}

impl fmt::Debug for Arriving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Arriving({:?})", self.terms)
    }
}
