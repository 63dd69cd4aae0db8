//! A call's error with the place of the call: its service, method and address.

use std::fmt;

use super::{MethodError, Never, Place, Ran, VoxError};

/// How a call ended, other than well, and which call it was: what [`Call::with_place`](crate::Call::with_place) gives.
///
/// Printed, it says the service, the method and the peer's address, also of a method's own error, which by itself says none of them. `?` makes
/// it a [`VoxError`] again.
///
/// ```
/// # extern crate vox_runtime as vox;
/// use vox::{CallError, Place, VoxError};
///
/// let place = Place::new("Bank", "withdraw", "tcp://10.0.0.7:9000");
/// let error = CallError::new(place, VoxError::User("too little money".to_owned()));
/// assert_eq!(error.to_string(), "Bank.withdraw at tcp://10.0.0.7:9000: too little money");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct CallError<E = Never> {
    place: Place,
    error: VoxError<E>,
}

impl<E> CallError<E> {
    /// This error, of this call.
    pub fn new(place: Place, error: VoxError<E>) -> Self {
        Self { error: error.placed(|| place.clone()), place }
    }

    /// Which call it was.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// How it ended.
    pub fn error(&self) -> &VoxError<E> {
        &self.error
    }

    /// How it ended, by itself.
    pub fn into_error(self) -> VoxError<E> {
        self.error
    }

    /// Whether the handler ran.
    pub fn ran(&self) -> Ran {
        self.error.ran()
    }
}

impl<E> From<CallError<E>> for VoxError<E> {
    fn from(error: CallError<E>) -> Self {
        error.error
    }
}

impl<E: MethodError> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of the others each says it already.
        if let VoxError::User(_) = self.error {
            self.place.introduce(f)?;
        }
        fmt::Display::fmt(&self.error, f)
    }
}

impl<E: fmt::Debug> fmt::Debug for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallError").field("place", &self.place).field("error", &self.error).finish()
    }
}

impl<E: MethodError> std::error::Error for CallError<E> {}
