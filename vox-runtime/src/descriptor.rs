//! What is known of a service before anything runs: names, shapes, policies. All of it is static.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use facet::{Def, Shape};

use crate::codec::{self, PlanError};
use crate::schema::{Argument, Contract, Described, Method, Optional};

pub use crate::policy::RetryPolicy;

pub use crate::ids::MethodId;
pub use crate::schema::{Schema, SchemaHash};

/// A service, as its trait describes it.
#[derive(Debug)]
#[allow(clippy::exhaustive_structs, reason = "generated code makes one")]
pub struct ServiceDescriptor {
    /// The name that a connection is opened by.
    pub name: &'static str,
    /// The trait's documentation.
    pub docs: &'static str,
    /// Its methods, in the order of the trait.
    pub methods: &'static [MethodDescriptor],
}

/// By the address of the descriptor, which is a static.
static CONTRACTS: Mutex<BTreeMap<usize, Arc<Contract>>> = Mutex::new(BTreeMap::new());

impl ServiceDescriptor {
    /// Says what the contract of this service is, of whose types no shapes are known. Called before anybody asks for it.
    pub(crate) fn has_contract(&'static self, contract: Arc<Contract>) {
        let key = std::ptr::from_ref(self) as usize;
        CONTRACTS.lock().unwrap_or_else(PoisonError::into_inner).insert(key, contract);
    }

    /// The method with this id, if the service has one.
    pub fn method(&self, id: MethodId) -> Option<&'static MethodDescriptor> {
        self.methods.iter().find(|method| method.id == id)
    }

    /// Checks that every argument and every response of every method can cross the wire, that no response carries
    /// channels, and no argument of a `persist` method. Done once per service when it is first served or called, before any data.
    pub fn check(&'static self) -> Result<(), ServiceError> {
        for method in self.methods {
            let fault = |place, fault| ServiceError::Type { service: self.name, method: method.name, place, fault };
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
            let response = codec::response_type_of(method.response);
            response.map_err(|e| fault("the response".to_owned(), e.to_string()))?;
        }
        let len = self.contract().bytes().len();
        if len > Contract::MAX_BYTES {
            return Err(ServiceError::TooLong { service: self.name, len });
        }
        Ok(())
    }

    /// The hash of the service's contract: of its methods, with their arguments, the schemas of all types, and their policies. Equal hashes are one
    /// version of the service. See [`Offer::contract`](crate::Offer::contract).
    pub fn contract_hash(&'static self) -> [u8; 32] {
        self.contract().hash().0
    }

    /// What both ends of a connection to this service must agree on. Made once per service. Types that cannot cross the wire
    /// have an empty schema in it; [`check`](Self::check) refuses them.
    pub(crate) fn contract(&'static self) -> Arc<Contract> {
        let key = std::ptr::from_ref(self) as usize;
        let known = CONTRACTS.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        known.unwrap_or_else(|| {
            let methods = self.methods.iter().map(|method| (method.id, method.contract())).collect();
            let contract = Arc::new(Contract::new(methods));
            CONTRACTS.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&contract));
            contract
        })
    }
}

/// A method, as its trait describes it.
#[derive(Debug)]
#[allow(clippy::exhaustive_structs, reason = "generated code makes one")]
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
    /// Writes a kept outcome that another version of the method sealed, with this schema, as one of this version.
    #[doc(hidden)]
    pub carried: fn(&Bytes, &Schema) -> Result<Bytes, String>,
    /// The schema of what its handlers can return, where that is all that is known of it.
    pub described: Option<&'static Schema>,
    /// What its types are called, where that was told.
    #[doc(hidden)]
    pub told_names: Option<&'static (Vec<Vec<String>>, Vec<String>)>,
}

impl MethodDescriptor {
    /// Whether any argument carries a channel. Found by shape: aliases and structs do not hide one.
    pub fn has_channels(&self) -> bool {
        self.args.iter().any(|argument| (argument.plan)() == Ok(true))
    }

    /// The schema of what its handlers can return, `Result<T, E>`; an empty one if that cannot cross the wire. Made once per
    /// type.
    pub fn schema(&self) -> Schema {
        if let Some(schema) = self.described {
            return schema.clone();
        }
        codec::response_type_of(self.response).map_or_else(|_| Schema::from_bytes([]), |(schema, _)| schema)
    }

    /// What the types of each argument are called, and those of the response, as [`names_in`](codec::names_in) says it. Nothing where
    /// they are known by their schemas alone, but for what was told with them.
    pub(crate) fn type_names(&self, known: &Method) -> (Vec<Vec<String>>, Vec<String>) {
        if self.described.is_some() {
            return self.told_names.cloned().unwrap_or_default();
        }
        let named = self.args.iter().zip(&known.arguments);
        let named = named.map(|(argument, known)| codec::names_in(argument.shape, &known.ty.schema));
        (named.collect(), codec::names_in_response(self.response, &known.response.schema))
    }

    fn contract(&self) -> Method {
        let described = |known: Result<(Schema, Optional), PlanError>| {
            known.map_or_else(
                |_| Described::default(),
                |(schema, optional)| Described { schema: schema.bytes().to_vec().into(), optional },
            )
        };
        let argument = |argument: &ArgDescriptor| Argument {
            name: argument.name.to_owned(),
            may_miss: argument.may_miss(),
            ty: described(codec::type_of(argument.shape)),
        };
        Method {
            name: self.name.to_owned(),
            policy: u8::from(self.policy.idem) | u8::from(self.policy.persist) << 1,
            arguments: self.args.iter().map(argument).collect(),
            response: described(codec::response_type_of(self.response)),
        }
    }
}

/// An argument, as its trait describes it.
#[allow(clippy::exhaustive_structs, reason = "generated code makes one")]
pub struct ArgDescriptor {
    /// Its name.
    pub name: &'static str,
    /// Its shape. `&str` and `&[u8]` have the shapes of `String` and `Vec<u8>`.
    pub shape: &'static Shape,
    /// Compiles its plan, once: whether it carries channels, or why it cannot cross the wire.
    pub plan: fn() -> Result<bool, &'static PlanError>,
    /// Its handler is given a default where the caller does not have it, `#[vox(default)]`.
    pub has_default: bool,
}

impl ArgDescriptor {
    /// The same, with a default.
    #[doc(hidden)]
    #[must_use]
    pub const fn defaulted(self) -> Self {
        Self { has_default: true, ..self }
    }

    /// Whether a handler does without it, where its caller does not have it: it has a default, or is an `Option`, which is
    /// `None` then.
    pub fn may_miss(&self) -> bool {
        self.has_default || matches!(self.shape.def, Def::Option(_))
    }
}

impl fmt::Debug for ArgDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.shape)
    }
}

/// Why a service cannot be served or called.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServiceError {
    /// A type of it cannot cross the wire.
    Type {
        /// The service.
        service: &'static str,
        /// Its method.
        method: &'static str,
        /// Where in the method.
        place: String,
        /// Why not.
        fault: String,
    },
    /// The description of its types is too long for one connection.
    TooLong {
        /// The service.
        service: &'static str,
        /// How many bytes the description has.
        len: usize,
    },
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type { service, method, place, fault } => {
                write!(f, "{place} of `{service}::{method}` cannot cross the wire: {fault}")
            }
            Self::TooLong { service, len } => {
                let most = Contract::MAX_BYTES;
                write!(
                    f,
                    "the types of the service `{service}` take {len} bytes to describe, over the limit of {most}: \
                     divide it into two services"
                )
            }
        }
    }
}

impl std::error::Error for ServiceError {}
