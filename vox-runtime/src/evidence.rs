//! What generated code asks of the types in a trait: does it cross the wire, is it a `Result`.
//!
//! The answers are constants, and asking is no error. So the expansion asks once, at the user's own token, and says in its
//! own words what is missing, where a bound would have the compiler say it once for every use of the type.

use std::convert::Infallible;
use std::marker::PhantomData;

use facet::{Facet, Shape};

use crate::codec::{Plan, PlanError, evident_channel};
use crate::descriptor::{ArgDescriptor, MethodDescriptor, RetryPolicy};
use crate::error::{Never, VoxError};
use crate::ids::MethodId;
use crate::type_advice::help;

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
pub trait NotFacet: Sized {
    /// Evidence to the contrary.
    const CROSSES: Self;
}

impl<T: Facet<'static>> Wire<T> {
    /// Evidence that `T` crosses the wire.
    pub const CROSSES: Self = Self { shape: Some(T::SHAPE), of: PhantomData };
}

impl Wire<Never> {
    /// Evidence that there is nothing to send. It has the shape of another type without values, and is a type of the wire in no other way.
    pub const CROSSES: Self = Self { shape: Some(<Infallible as Facet<'static>>::SHAPE), of: PhantomData };
}

impl<T> NotFacet for Wire<T> {
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

    #[allow(unsafe_code, reason = "a plan is made of the shape that the evidence holds")]
    /// The plan of `T`. Panics, at compile time where it is for a `static`, if there is no evidence.
    pub(crate) const fn plan(self) -> Plan<T> {
        match self.shape {
            // SAFETY: the evidence holds the shape of just this type; that of `Never` one that has no values either, of which nothing is ever
            // read or written.
            Some(shape) => unsafe { Plan::of_shape(shape) },
            None => panic!("the type cannot cross the wire"),
        }
    }

    /// The descriptor of an argument. `channels` is [`ArgPlan::channels`] of its plan.
    pub const fn arg(self, name: &'static str, channels: fn() -> Result<bool, &'static PlanError>) -> ArgDescriptor {
        ArgDescriptor { name, shape: self.shape(), plan: channels, has_default: false }
    }

    /// The plan of the argument `name` of `method`, which is spelt `ty`. Stops the compilation without evidence.
    #[track_caller]
    pub const fn argument(self, name: &str, method: &str, ty: &str) -> ArgPlan<T> {
        if self.shape.is_none() {
            let [help, unless] = help(ty);
            complain(&["argument `", name, "` of `", method, NO_SHAPE, ty, NOT_FACET, help, unless]);
        }
        ArgPlan(self.plan())
    }

    /// As [`Wire::argument`], of a type that may have parts which stay in their thread.
    #[track_caller]
    pub const fn sent(self, is_send: bool, name: &str, method: &str, ty: &str) -> ArgPlan<T> {
        if self.shape.is_some() && !is_send {
            complain(&["argument `", name, "` of `", method, NOT_SENT, ty, NOT_SEND]);
        }
        self.argument(name, method, ty)
    }

    /// Stops the compilation unless `T`, which is what `method` returns when it succeeds, crosses the wire.
    #[track_caller]
    pub const fn result(self, method: &str, ty: &str) -> Self {
        if self.shape.is_none() {
            let [help, unless] = help(ty);
            complain(&["the result of `", method, NO_SHAPE, ty, NOT_FACET, help, unless]);
        }
        self.returned("result", method)
    }

    /// Stops the compilation unless `T`, which is what `method` returns when it fails, crosses the wire.
    #[track_caller]
    pub const fn error(self, method: &str, ty: &str) -> Self {
        if self.shape.is_none() {
            let [help, unless] = help(ty);
            complain(&["the error of `", method, NO_SHAPE, ty, NOT_FACET, help, unless]);
        }
        self.returned("error", method)
    }

    /// As [`Wire::result`], of a type that is not spelt like a `Result` and must not be one: its errors would look like
    /// successes.
    #[track_caller]
    pub const fn plain(self, is_result: bool, method: &str, ty: &str) -> Self {
        if is_result {
            complain(&["`", method, "` returns an alias of `Result`", ALIAS_OF_RESULT]);
        }
        self.result(method, ty)
    }

    /// As [`Wire::result`] or [`Wire::error`], of what an `alias` of `Result` holds.
    #[track_caller]
    pub const fn inside(self, part: &str, method: &str, alias: &str) -> Self {
        if self.shape.is_none() {
            complain(&["the ", part, " of `", method, NO_SHAPE, alias, HOLDS_NOT_FACET]);
        }
        self.returned(part, method)
    }

    /// Stops the compilation if `T`, the `part` of what `method` returns, is seen to hold a channel.
    #[track_caller]
    const fn returned(self, part: &str, method: &str) -> Self {
        if let Some(shape) = self.shape
            && let Some(channel) = evident_channel(shape)
        {
            complain(&["the ", part, " of `", method, HOLDS_CHANNEL, channel, NO_ARGUMENT]);
        }
        self
    }

    /// Stops the compilation if `whole`, of which `T` is a part that is spelt `ty`, does not cross the wire and `T` is to blame.
    #[track_caller]
    pub const fn require<W>(self, whole: Wire<W>, place: &str, method: &str, ty: &str) {
        if self.shape.is_none() && whole.shape.is_none() {
            let [help, unless] = help(ty);
            complain(&[place, " of `", method, NO_SHAPE, ty, NOT_FACET, help, unless]);
        }
    }
}

/// Stops the compilation in words made of `parts`.
#[track_caller]
const fn complain(parts: &[&str]) -> ! {
    let mut text = [0; MAX_COMPLAINT];
    let mut len = 0;
    let mut part = 0;
    while part < parts.len() {
        let bytes = parts[part].as_bytes();
        let mut at = 0;
        while at < bytes.len() && len < text.len() {
            text[len] = bytes[at];
            len += 1;
            at += 1;
        }
        part += 1;
    }
    match std::str::from_utf8(text.split_at(len).0) {
        Ok(text) => panic!("{}", text),
        Err(_) => panic!("a type cannot cross the wire"),
    }
}

const NO_SHAPE: &str = "` cannot cross the wire: `";
const NOT_FACET: &str = "` is not `Facet`\nhelp: ";
const NOT_SENT: &str = "` cannot reach a handler: `";
const NOT_SEND: &str = "` is not `Send`\nhelp: write `Arc` for `Rc`, and leave out what stays in its thread";
const HOLDS_NOT_FACET: &str = "` holds a type that is not `Facet`\nhelp: write a `Result<T, E>` of types with `#[derive(facet::Facet)]`; another crate's error can be sent as its text, in an error type of yours";
const HOLDS_CHANNEL: &str = "` contains the channel `";
const NO_ARGUMENT: &str =
    "`\nhelp: take the channel as an argument: `vox::Tx<T>` to send to the caller, `vox::Rx<T>` to receive from it";
const ALIAS_OF_RESULT: &str = "\nhelp: write `Result<T, E>`, or give the alias a name that ends in `Result`";
/// A complaint is cut off here: it names an argument, a method and a type.
const MAX_COMPLAINT: usize = 2048;

impl<T: Facet<'static>, E: Facet<'static>> ReplyWire<T, E> {
    /// Evidence that the response crosses the wire.
    pub const CROSSES: Self = Self { shape: <Result<T, VoxError<E>> as Facet<'static>>::SHAPE, of: PhantomData };
}

impl<T: Facet<'static>> ReplyWire<T, Never> {
    /// Evidence that the response crosses the wire.
    pub const CROSSES: Self = Self { shape: ReplyWire::<T, Infallible>::CROSSES.shape, of: PhantomData };
}

impl<T, E> NotFacet for ReplyWire<T, E> {
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

/// The plan of one argument, for a `static`.
pub struct ArgPlan<T>(Plan<T>);

impl<T> ArgPlan<T> {
    /// Compiles the plan: whether the argument carries channels, or why it cannot cross the wire.
    pub fn channels(&'static self) -> Result<bool, &'static PlanError> {
        self.0.program().map(|program| program.has_channels())
    }

    pub(crate) fn plan(&self) -> &Plan<T> {
        &self.0
    }
}

/// The descriptor of a method that takes and returns nothing, is documented nowhere and promises nothing: what a method
/// says beyond its name is written over it.
pub const fn method(id: u64, service: &'static str, name: &'static str) -> MethodDescriptor {
    MethodDescriptor {
        id: MethodId(id),
        service,
        name,
        docs: "",
        args: &[],
        response: ReplyWire::<(), Never>::CROSSES.shape(),
        policy: RetryPolicy::VOLATILE,
        timeout: None,
        carried: |_, _| Err("the method's outcomes are not kept".to_owned()),
        described: None,
        told_names: None,
    }
}

/// A copy of `method`, to list it in its service.
pub const fn listed(method: &MethodDescriptor) -> MethodDescriptor {
    MethodDescriptor { ..*method }
}

/// Whether `T` may move between threads.
pub struct IsSend<T>(PhantomData<fn() -> T>);

impl<T: Send> IsSend<T> {
    /// It may.
    pub const VALUE: bool = true;
}

/// What a type has to show that may not move between threads.
pub trait NotSend {
    /// It may not.
    const VALUE: bool = false;
}

impl<T> NotSend for IsSend<T> {}

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
    type Err = Never;

    fn into_result(declared: T) -> Result<T, Never> {
        Ok(declared)
    }
}

/// What a method of a service returns: a future that may move between threads. Where one may not, the compiler says which value it
/// holds across which `.await`.
pub trait SendFuture: Future + Send {}

impl<F: Awaited + Send> SendFuture for F {}

/// A future. With this between them, the compiler says that a type "is not a future" and does not speak of [`SendFuture`].
pub trait Awaited: Future {}

#[diagnostic::do_not_recommend]
impl<F: Future> Awaited for F {}

/// What a handler ends with: it waits for its turn to be written, perhaps in another thread.
#[diagnostic::on_unimplemented(
    message = "this method does not return a type that is `Send`, so no server can run it",
    label = "contains what must stay in its thread",
    note = "write `Arc` for `Rc`, and leave out what stays in its thread"
)]
pub trait SendOutcome: Send {}

#[diagnostic::do_not_recommend]
impl<T: Send> SendOutcome for T {}
