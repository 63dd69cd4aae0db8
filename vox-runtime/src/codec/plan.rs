//! Plans: the compiled program of a type, found without a lookup.

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use facet::{Facet, Shape};

use super::description::Description;
use super::translation::MAX_WORK;
use super::weight::Weight;
use super::{
    Budget, DecodeError, DecodeErrorKind, Decoder, EncodeError, Encoder, PlanError, Program, Translation, execute,
};
use crate::schema::{Graph, Schema, SchemaFault, Types};

/// How values of type `T` cross the wire.
///
/// A plan is made for a `static`: it costs nothing until it is first used, and finds its program
/// with one load after that.
///
/// ```
/// # extern crate vox_runtime as vox;
/// use vox::codec::{Budget, Decoder, Encoder, Plan};
/// static PLAN: Plan<(u32, String)> = Plan::new();
///
/// let mut out = Vec::new();
/// PLAN.encode(&(7, "seven".to_owned()), &mut Encoder::new(&mut out, 1024))?;
/// assert_eq!(out, b"\x07\x05seven");
///
/// let frame = out.into();
/// let mut from = Decoder::new(&frame, Budget::default_for(frame.len()));
/// assert_eq!(PLAN.decode(&mut from)?, (7, "seven".to_owned()));
/// from.finish()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Plan<T> {
    shape: &'static Shape,
    program: OnceLock<Result<Arc<Program>, Arc<PlanError>>>,
    of: PhantomData<fn(T) -> T>,
}

impl<T: Facet<'static>> Plan<T> {
    /// A plan that is not compiled yet.
    #[must_use]
    pub const fn new() -> Self {
        // SAFETY: the shape is the type's own.
        unsafe { Self::of_shape(T::SHAPE) }
    }
}

impl<T> Plan<T> {
    /// A plan by a shape, for code that has lost the bound on `T` on the way.
    ///
    /// # Safety
    ///
    /// `shape` is the shape of `T`.
    #[must_use]
    pub const unsafe fn of_shape(shape: &'static Shape) -> Self {
        Self { shape, program: OnceLock::new(), of: PhantomData }
    }

    /// The program of `T`, compiled now if it is not yet.
    pub fn program(&self) -> Result<&Arc<Program>, &PlanError> {
        self.compiled().as_ref().map_err(|error| &**error)
    }

    /// The most that an encoding is charged for each of its bytes when it is decoded.
    #[inline]
    pub(crate) fn rate(&self) -> usize {
        self.compiled().as_ref().map_or(0, |program| program.rate())
    }

    /// Appends `value`. On an error, what was appended of it is taken away again.
    pub fn encode(&self, value: &T, to: &mut Encoder<'_>) -> Result<(), EncodeError> {
        match self.compiled() {
            // SAFETY: the program was compiled for `T`, of which `value` is one.
            Ok(program) => unsafe { execute::encode(program, (&raw const *value).cast(), to) },
            Err(error) => Err(EncodeError::Plan(Arc::clone(error))),
        }
    }

    /// How to read what was written as the type numbered `at` of a peer's schema. `Err`: why that cannot be.
    pub(crate) fn translation(
        &self,
        schema: &Bytes,
        types: &Types<'_>,
        at: usize,
        weight: &Weight,
    ) -> Result<Translation, String> {
        Translation::of(self.shape, schema, types, at, weight)
    }

    /// How to read what was written by another version of the type, whose schema this is. `Err`: why that cannot be. For measurements: a
    /// connection knows by itself what its peer writes.
    #[doc(hidden)]
    pub fn reading(
        &self,
        schema: &Schema,
    ) -> Result<impl Fn(&mut Decoder<'_>) -> Result<T, DecodeError> + use<'_, T>, String> {
        let bytes = Bytes::copy_from_slice(schema.bytes());
        let types = Types::read(&bytes).map_err(|SchemaFault(fault)| fault)?;
        let by = self.translation(&bytes, &types, 0, &Weight::default())?;
        Ok(move |from: &mut Decoder<'_>| self.decode_by(&by, from))
    }

    /// Reads a value that was written by another version of the type.
    pub(crate) fn decode_by(&self, translation: &Translation, from: &mut Decoder<'_>) -> Result<T, DecodeError> {
        let program = translation.program();
        if program.shape().id != self.shape.id {
            return Err(from.error(DecodeErrorKind::BadValue("value of this type")));
        }
        // SAFETY: the program was compiled for the type of this shape, which is `T`.
        unsafe { decode(program, from) }
    }

    /// Reads a value.
    pub fn decode(&self, from: &mut Decoder<'_>) -> Result<T, DecodeError> {
        let program = match self.compiled() {
            Ok(program) => program,
            Err(error) => return Err(from.error(DecodeErrorKind::Plan(Arc::clone(error)))),
        };
        // SAFETY: the program was compiled for `T`.
        unsafe { decode(program, from) }
    }

    #[inline(always)]
    fn compiled(&self) -> &Result<Arc<Program>, Arc<PlanError>> {
        self.program.get_or_init(|| Program::of(self.shape).map_err(Arc::new))
    }
}

impl Program {
    /// Appends `value`, as [`Plan::encode`] does, if the program was compiled for its type.
    #[inline]
    pub fn encode<T: Facet<'static>>(&self, value: &T, to: &mut Encoder<'_>) -> Result<(), EncodeError> {
        if !self.is_of::<T>() {
            return Err(EncodeError::Channel("its items are of another type".into()));
        }
        // SAFETY: the program was compiled for `T`, of which `value` is one.
        unsafe { execute::encode(self, (&raw const *value).cast(), to) }
    }

    /// Reads a value, as [`Plan::decode`] does, if the program was compiled for its type.
    #[inline]
    pub fn decode<T: Facet<'static>>(&self, from: &mut Decoder<'_>) -> Result<T, DecodeError> {
        if !self.is_of::<T>() {
            return Err(from.error(DecodeErrorKind::Channel("its items are of another type".into())));
        }
        // SAFETY: the program was compiled for `T`.
        unsafe { decode(self, from) }
    }

    /// Whether it was compiled for this type.
    #[inline]
    fn is_of<T: Facet<'static>>(&self) -> bool {
        // A shape may be there several times; to be told its id takes calls.
        std::ptr::eq(self.shape(), T::SHAPE) || self.shape().id == T::SHAPE.id
    }
}

impl Translation {
    /// Reads a value, as [`Plan::decode_by`] does, if it was compiled for its type.
    pub(crate) fn decode<T: Facet<'static>>(&self, from: &mut Decoder<'_>) -> Result<T, DecodeError> {
        if self.program().shape().id != T::SHAPE.id {
            return Err(from.error(DecodeErrorKind::Channel("its items are of another type".into())));
        }
        // SAFETY: the program was compiled for `T`.
        unsafe { decode(self.program(), from) }
    }
}

/// Reads a value as a version reads it that is not compiled in, by a type that stands in for that version's, and lets go of it. Both
/// types are at the roots of graphs without rings. `Err`: why the value cannot be read; `None`: no type can stand in for the reader's.
pub(crate) fn read_as(frame: &Bytes, written: (&Graph, usize), read: (&Graph, usize)) -> Option<Result<(), String>> {
    let (schema, _) = written.0.schema(written.1, &written.0.classes());
    let schema = Bytes::from(schema);
    let types = Types::read(&schema).ok()?;
    let description = Description::of_stand_in(read.0, read.1)?;
    let by = match Translation::into(&description, <()>::SHAPE, MAX_WORK, &schema, (&types, 0), &Weight::default()) {
        Ok(by) => by,
        Err(why) => return Some(Err(why)),
    };
    let layout = description.layout();
    if layout.align() > align_of::<u128>() {
        return None;
    }
    let mut room = vec![MaybeUninit::<u128>::uninit(); layout.size().div_ceil(size_of::<u128>()) + 1];
    let value = room.as_mut_ptr().cast::<u8>();
    let mut from = Decoder::new(frame, Budget::default_for(frame.len()));
    // SAFETY: there is room for a value of the type that is described at `value`, aligned; the translation is into that type.
    if let Err(error) = unsafe { execute::decode(by.program(), value, &mut from) } {
        return Some(Err(error.kind.to_string()));
    }
    if let Some(glue) = description.glue(description.root()) {
        // SAFETY: the value is whole, and is given up.
        unsafe { glue.run(value) };
    }
    Some(from.finish().map_err(|error| error.kind.to_string()))
}

/// Reads a value.
///
/// # Safety
///
/// The program was compiled for `T`.
unsafe fn decode<T>(program: &Program, from: &mut Decoder<'_>) -> Result<T, DecodeError> {
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: there is room for a `T` at `value`, which has been initialised once the call returns `Ok`.
    unsafe {
        execute::decode(program, value.as_mut_ptr().cast(), from)?;
        Ok(value.assume_init())
    }
}

impl<T: Facet<'static>> Default for Plan<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> std::fmt::Debug for Plan<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plan").field("program", &self.program.get()).finish()
    }
}
