//! The errors of methods: of those that have one, and of those that have none.

use std::fmt;

/// What a method may fail with: any type that crosses the wire and is `Debug`, and [`Never`].
///
/// It is the bound for functions over the errors of any call:
///
/// ```
/// # extern crate vox_runtime as vox;
/// fn report<T, E: vox::MethodError>(result: Result<T, vox::VoxError<E>>) {
///     if let Err(error) = result {
///         eprintln!("{error} ({})", error.ran());
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is nothing that a method can fail with, so a `VoxError` of it cannot be printed or passed on with `?`",
    note = "write `#[derive(Debug, facet::Facet)]` above the type"
)]
pub trait MethodError: fmt::Debug {
    /// Prints it: as its `Display`, or as its `Debug` where it has none. What crosses the wire has this of the codec, which knows shapes.
    #[doc(hidden)]
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

impl MethodError for Never {
    fn show(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

/// The error of a method that returns no `Result`: there is no such value.
///
/// It is a type of vox's own and not [`Infallible`](std::convert::Infallible), so that a [`VoxError`](crate::VoxError) of it becomes one of any other
/// error by `?`.
// It must not be `Facet`: that is what tells it from all others, so that `From<VoxError<Never>>` is not also the `From` of a type for itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_enums, reason = "that it has no variants is all it is for")]
pub enum Never {}

impl fmt::Debug for Never {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl fmt::Display for Never {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl std::error::Error for Never {}
