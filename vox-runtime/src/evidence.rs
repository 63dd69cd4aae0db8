//! What generated code asks of the types in a trait: does it cross the wire, is it a `Result`.
//!
//! The answers are constants, and asking is no error. So the expansion asks once, at the user's own token, and says in its
//! own words what is missing, where a bound would have the compiler say it once for every use of the type.

use std::convert::Infallible;
use std::marker::PhantomData;

use facet::{Facet, Shape};

use crate::codec::{Plan, PlanError};
use crate::descriptor::ArgDescriptor;
use crate::error::VoxError;

/// Constant evidence that `T` is `Facet`, or that it is not.
pub struct Wire<T> {
    shape: Option<&'static Shape>,
    of: PhantomData<fn(T) -> T>,
}

/// As [`Wire`], of a response: `Result<T, VoxError<E>>`.
pub struct ReplyWire<T, E> {
    shape: &'static Shape,
    of: PhantomData<fn() -> (T, E)>,
}

/// What a type has to show that is not `Facet`. An inherent constant of the same name comes first where it exists.
pub trait Stranded: Sized {
    /// Evidence to the contrary.
    const CROSSES: Self;
}

impl<T: Facet<'static>> Wire<T> {
    /// Evidence that `T` crosses the wire.
    pub const CROSSES: Self = Self { shape: Some(T::SHAPE), of: PhantomData };
}

impl<T> Stranded for Wire<T> {
    const CROSSES: Self = Self { shape: None, of: PhantomData };
}

impl<T> Wire<T> {
    /// Whether `T` crosses the wire.
    pub const fn crosses(self) -> bool {
        self.shape.is_some()
    }

    /// The shape of `T`; of `()` where `T` has none, which is complained of elsewhere.
    pub const fn shape(self) -> &'static Shape {
        match self.shape {
            Some(shape) => shape,
            None => <() as Facet<'static>>::SHAPE,
        }
    }

    /// The plan of `T`. Panics, at compile time where it is for a `static`, if there is no evidence.
    pub(crate) const fn plan(self) -> Plan<T> {
        match self.shape {
            // SAFETY: the evidence holds the shape of just this type.
            Some(shape) => unsafe { Plan::of_shape(shape) },
            None => panic!("the type cannot cross the wire"),
        }
    }

    /// Stops the compilation with `message` unless `T` crosses the wire.
    #[track_caller]
    pub const fn expect(self, message: &'static str) -> Self {
        if self.shape.is_none() {
            panic!("{}", message);
        }
        self
    }

    /// Stops the compilation with `message` if `T` does not cross the wire and this part of it is to blame.
    #[track_caller]
    pub const fn blame(self, innocent: bool, message: &'static str) -> Self {
        if self.shape.is_none() && !innocent {
            panic!("{}", message);
        }
        self
    }

    /// Stops the compilation with `message` if `refused`.
    #[track_caller]
    pub const fn refuse_if(self, refused: bool, message: &'static str) -> Self {
        if refused {
            panic!("{}", message);
        }
        self
    }
}

impl<T: Facet<'static>, E: Facet<'static>> ReplyWire<T, E> {
    /// Evidence that the response crosses the wire.
    pub const CROSSES: Self = Self { shape: <Result<T, VoxError<E>> as Facet<'static>>::SHAPE, of: PhantomData };
}

impl<T, E> Stranded for ReplyWire<T, E> {
    const CROSSES: Self = Self { shape: <() as Facet<'static>>::SHAPE, of: PhantomData };
}

impl<T, E> ReplyWire<T, E> {
    /// The response's shape.
    pub const fn shape(self) -> &'static Shape {
        self.shape
    }
}

impl<T> Clone for Wire<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Wire<T> {}

impl<T, E> Clone for ReplyWire<T, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, E> Copy for ReplyWire<T, E> {}

/// The plan of one argument.
pub struct ArgPlan<T>(Plan<T>);

impl<T> ArgPlan<T> {
    /// For a `static`. Stops the compilation where there is no evidence.
    pub const fn new(wire: Wire<T>) -> Self {
        Self(wire.plan())
    }

    /// Compiles the plan: whether the argument carries channels, or why it cannot cross the wire.
    pub fn channels(&'static self) -> Result<bool, &'static PlanError> {
        self.0.program().map(|program| program.has_channels())
    }

    pub(crate) fn plan(&self) -> &Plan<T> {
        &self.0
    }
}

/// The descriptor of one argument.
pub const fn argument<T>(
    name: &'static str,
    wire: Wire<T>,
    plan: fn() -> Result<bool, &'static PlanError>,
) -> ArgDescriptor {
    ArgDescriptor { name, shape: wire.shape(), plan }
}

/// Whether `R` is a `Result`, by type: aliases do not hide one.
pub struct IsResult<R>(PhantomData<fn() -> R>);

impl<T, E> IsResult<Result<T, E>> {
    /// It is.
    pub const VALUE: bool = true;
}

/// What a type has to show that is no `Result`.
pub trait NotResult {
    /// It is not.
    const VALUE: bool = false;
}

impl<R> NotResult for IsResult<R> {}

/// The outcome of a method that is declared to return `R`.
pub struct Outcome<R, const IS_RESULT: bool>(PhantomData<fn() -> R>);

/// A declared return type, taken apart.
pub trait Returned {
    /// What the handler returns.
    type Declared;
    /// The success.
    type Ok;
    /// The method's own error.
    type Err;

    /// What was returned, as a result.
    fn into_result(declared: Self::Declared) -> Result<Self::Ok, Self::Err>;
}

impl<T, E> Returned for Outcome<Result<T, E>, true> {
    type Declared = Result<T, E>;
    type Ok = T;
    type Err = E;

    fn into_result(declared: Result<T, E>) -> Result<T, E> {
        declared
    }
}

impl<T> Returned for Outcome<T, false> {
    type Declared = T;
    type Ok = T;
    type Err = Infallible;

    fn into_result(declared: T) -> Result<T, Infallible> {
        Ok(declared)
    }
}
