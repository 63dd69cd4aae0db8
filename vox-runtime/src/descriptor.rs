//! What is known of a service before anything runs: names, shapes, policies. All of it is static.

use std::fmt;
use std::time::Duration;

use facet::Shape;

use crate::codec::{self, PlanError};
use crate::ids::MethodId;
use crate::schema::Schema;

/// A service, as its trait describes it.
#[derive(Debug)]
pub struct ServiceDescriptor {
    /// The name that a connection is opened by.
    pub name: &'static str,
    /// The trait's documentation.
    pub docs: &'static str,
    /// Its methods, in the order of the trait.
    pub methods: &'static [MethodDescriptor],
}

impl ServiceDescriptor {
    /// The method with this id, if the service has one.
    pub fn method(&self, id: MethodId) -> Option<&'static MethodDescriptor> {
        self.methods.iter().find(|method| method.id == id)
    }

    /// Checks that every argument and every response of every method can cross the wire, that no response carries
    /// channels, and no argument of a `persist` method. Done once per service when it is first served or called, before any data.
    pub fn check(&self) -> Result<(), ServiceError> {
        for method in self.methods {
            let fault =
                |place: String, fault: String| ServiceError { service: self.name, method: method.name, place, fault };
            for argument in method.args {
                let place = format!("argument `{}`", argument.name);
                let has_channels = (argument.plan)().map_err(|e| fault(place.clone(), e.to_string()))?;
                if has_channels && method.policy.persist {
                    return Err(fault(
                        place,
                        "a `persist` method cannot carry channels: an outcome can be replayed, a stream cannot"
                            .to_owned(),
                    ));
                }
            }
            let response = codec::response_schema_of(method.response);
            response.map_err(|e| fault("the response".to_owned(), e.to_string()))?;
        }
        Ok(())
    }
}

/// A method, as its trait describes it.
#[derive(Debug)]
pub struct MethodDescriptor {
    /// What the wire calls it.
    pub id: MethodId,
    /// The name of its service.
    pub service: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its documentation.
    pub docs: &'static str,
    /// Its arguments, without the receiver and the context.
    pub args: &'static [ArgDescriptor],
    /// The shape of every reply to it: `Result<T, VoxError<E>>`.
    pub response: &'static Shape,
    /// Whether it may run again, and whether its outcome is kept.
    pub policy: RetryPolicy,
    /// The deadline of a call that sets none.
    pub timeout: Option<Duration>,
}

impl MethodDescriptor {
    /// Whether any argument carries a channel. Found by shape: aliases and structs do not hide one.
    pub fn has_channels(&self) -> bool {
        self.args.iter().any(|argument| (argument.plan)() == Ok(true))
    }

    /// The schema of what its handlers can return, `Result<T, E>`; an empty one if that cannot cross the wire. Made once per
    /// type.
    pub fn schema(&self) -> Schema {
        codec::response_schema_of(self.response).unwrap_or_else(|_| Schema::from_bytes([]))
    }
}

/// An argument, as its trait describes it.
pub struct ArgDescriptor {
    /// Its name.
    pub name: &'static str,
    /// Its shape. `&str` and `&[u8]` have the shapes of `String` and `Vec<u8>`.
    pub shape: &'static Shape,
    /// Compiles its plan, once: whether it carries channels, or why it cannot cross the wire.
    pub plan: fn() -> Result<bool, &'static PlanError>,
}

impl fmt::Debug for ArgDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.shape)
    }
}

/// Whether a method may run again, and whether its outcome is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RetryPolicy {
    /// Running it again is harmless.
    pub idem: bool,
    /// The handler runs to its end even when the caller goes away.
    pub persist: bool,
}

impl RetryPolicy {
    /// At most once; lives and dies with the session.
    pub const VOLATILE: Self = Self { idem: false, persist: false };
    /// May run again.
    pub const IDEM: Self = Self { idem: true, persist: false };
    /// At most once; runs to its end.
    pub const PERSIST: Self = Self { idem: false, persist: true };
    /// May run again; runs to its end.
    pub const IDEM_PERSIST: Self = Self { idem: true, persist: true };
}

/// A service that cannot be served or called: one of its types cannot cross the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceError {
    service: &'static str,
    method: &'static str,
    place: String,
    fault: String,
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, method, place, fault } = self;
        write!(f, "{place} of `{service}::{method}` cannot cross the wire: {fault}")
    }
}

impl std::error::Error for ServiceError {}
