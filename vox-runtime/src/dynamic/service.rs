//! Services as they are known without their traits.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use facet::Facet;

use crate::codec::{PlanError, schema_of};
use crate::descriptor::{MethodDescriptor, MethodId, RetryPolicy, Schema, ServiceDescriptor, ServiceError};
use crate::evidence;
use crate::schema::{Argument, Contract, Described, Method, Optional, SchemaFault};
use crate::shown::{Shown, show};
use crate::value::{ValueError, ValueType};

/// A service as it is known without its trait. Cheap to clone.
#[derive(Clone)]
pub struct ServiceType(Arc<Known>);

struct Known {
    descriptor: &'static ServiceDescriptor,
    docs: String,
    methods: Vec<MethodType>,
}

/// A method of a [`ServiceType`].
#[derive(Clone)]
pub struct MethodType(Arc<KnownMethod>);

struct KnownMethod {
    descriptor: &'static MethodDescriptor,
    docs: String,
    arguments: Vec<ArgumentType>,
    ok: ValueType,
    error: ValueType,
    has_channels: bool,
}

/// An argument of a [`MethodType`].
#[derive(Debug, Clone)]
pub struct ArgumentType {
    name: Arc<str>,
    ty: ValueType,
    may_miss: bool,
}

/// Why there is no such [`ServiceType`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidService {
    service: String,
    why: String,
}

impl ServiceType {
    /// How many services a process may know without their traits: what is told of each is kept while the process lives, once for
    /// all that are told the same.
    pub const MAX_KEPT: usize = 1024;

    /// A service that is made up here.
    pub fn builder(name: impl Into<String>) -> ServiceBuilder {
        ServiceBuilder { name: name.into(), docs: String::new(), methods: Vec::new() }
    }

    /// The service of this trait: `ServiceType::of(BankClient::SERVICE)`.
    pub fn of(descriptor: &'static ServiceDescriptor) -> Result<Self, InvalidService> {
        let invalid = |error: ServiceError| InvalidService::new(descriptor.name, error.to_string());
        descriptor.check().map_err(invalid)?;
        let docs = descriptor.methods.iter().map(|method| (method.id, method.docs.to_owned())).collect();
        Self::known(descriptor, descriptor.docs.to_owned(), docs)
    }

    /// The service of this name and contract, which a peer described.
    pub(crate) fn described(
        name: &str,
        docs: String,
        contract: &Bytes,
        beside: BTreeMap<MethodId, (String, Option<Duration>)>,
    ) -> Result<Self, InvalidService> {
        let contract = Contract::read_all(contract);
        let contract = contract.map_err(|SchemaFault(fault)| InvalidService::new(name, fault))?;
        let timeouts = beside.iter().map(|(id, (_, timeout))| (*id, *timeout)).collect();
        let descriptor = kept(name, contract, timeouts)?;
        Self::known(descriptor, docs, beside.into_iter().map(|(id, (docs, _))| (id, docs)).collect())
    }

    fn known(
        descriptor: &'static ServiceDescriptor,
        docs: String,
        mut of_methods: BTreeMap<MethodId, String>,
    ) -> Result<Self, InvalidService> {
        let contract = descriptor.contract();
        let mut methods = Vec::new();
        for method in descriptor.methods {
            let Some(known) = contract.methods().get(&method.id) else { continue };
            let docs = of_methods.remove(&method.id).unwrap_or_default();
            let known = MethodType::known(method, docs, known);
            methods.push(known.map_err(|why| {
                InvalidService::new(descriptor.name, format!("method `{}`: {why}", Shown::name(method.name)))
            })?);
        }
        Ok(Self(Arc::new(Known { descriptor, docs, methods })))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.0.descriptor.name
    }

    /// What is said of it.
    pub fn docs(&self) -> &str {
        &self.0.docs
    }

    /// Its methods.
    pub fn methods(&self) -> &[MethodType] {
        &self.0.methods
    }

    /// The method of this name.
    pub fn method(&self, name: &str) -> Option<&MethodType> {
        self.0.methods.iter().find(|method| method.name() == name)
    }

    pub(crate) fn descriptor(&self) -> &'static ServiceDescriptor {
        self.0.descriptor
    }
}

impl MethodType {
    fn known(descriptor: &'static MethodDescriptor, docs: String, method: &Method) -> Result<Self, String> {
        let mut arguments = Vec::new();
        for argument in &method.arguments {
            let ty = ValueType::read(&argument.ty.schema);
            let ty = ty.map_err(|error| format!("argument `{}`: {error}", Shown::name(&argument.name)))?;
            arguments.push(ArgumentType { name: argument.name.as_str().into(), ty, may_miss: argument.may_miss });
        }
        let response = ValueType::read(&method.response.schema).map_err(|error| format!("the response: {error}"))?;
        let (ok, error) = response.outcomes().ok_or("the response is no `Result`")?;
        let has_channels = arguments.iter().any(|argument| argument.ty.has_channels());
        Ok(Self(Arc::new(KnownMethod { descriptor, docs, arguments, ok, error, has_channels })))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.0.descriptor.name
    }

    /// What is said of it.
    pub fn docs(&self) -> &str {
        &self.0.docs
    }

    /// What it takes.
    pub fn arguments(&self) -> &[ArgumentType] {
        &self.0.arguments
    }

    /// What it returns.
    pub fn ok(&self) -> &ValueType {
        &self.0.ok
    }

    /// Its own error. `Infallible`: it has none.
    pub fn error(&self) -> &ValueType {
        &self.0.error
    }

    /// Whether it may run again, and whether its outcome is kept.
    pub fn policy(&self) -> RetryPolicy {
        self.0.descriptor.policy
    }

    /// The deadline of a call that sets none.
    pub fn timeout(&self) -> Option<Duration> {
        self.0.descriptor.timeout
    }

    /// Whether an argument carries a channel. It cannot be called without its types then.
    pub fn has_channels(&self) -> bool {
        self.0.has_channels
    }

    pub(crate) fn descriptor(&self) -> &'static MethodDescriptor {
        self.0.descriptor
    }
}

impl ArgumentType {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its type.
    pub fn ty(&self) -> &ValueType {
        &self.ty
    }

    /// Whether its handler does without it, where its caller does not know it.
    pub fn may_be_missing(&self) -> bool {
        self.may_miss
    }
}

/// Makes a [`ServiceType`].
#[derive(Debug)]
#[must_use = "a service is made by `build`"]
pub struct ServiceBuilder {
    name: String,
    docs: String,
    methods: Vec<MethodSpec>,
}

/// A method of a service that is made up: what it takes, what it returns and what it promises.
#[derive(Debug, Clone)]
#[must_use = "a method is given to a service"]
pub struct MethodSpec {
    name: String,
    docs: String,
    arguments: Vec<(String, Schema)>,
    response: Option<Schema>,
    policy: RetryPolicy,
    timeout: Option<Duration>,
}

impl MethodSpec {
    /// A method of this name that takes nothing yet.
    pub fn new(name: impl Into<String>) -> Self {
        let (docs, arguments, response) = (String::new(), Vec::new(), None);
        Self { name: name.into(), docs, arguments, response, policy: RetryPolicy::VOLATILE, timeout: None }
    }

    /// What is said of it.
    pub fn docs(self, docs: impl Into<String>) -> Self {
        Self { docs: docs.into(), ..self }
    }

    /// It takes one more argument, of the type `T`.
    pub fn argument<T: Facet<'static>>(self, name: impl Into<String>) -> Result<Self, PlanError> {
        Ok(self.argument_of(name, schema_of(T::SHAPE)?))
    }

    /// It takes one more argument, of the type of this schema.
    pub fn argument_of(mut self, name: impl Into<String>, schema: Schema) -> Self {
        self.arguments.push((name.into(), schema));
        self
    }

    /// It returns a `T`, or fails with an `E`: `Infallible` where it does not fail.
    pub fn returns<T: Facet<'static>, E: Facet<'static>>(self) -> Result<Self, PlanError> {
        Ok(self.returns_of(schema_of(<Result<T, E>>::SHAPE)?))
    }

    /// It returns what is of the type of this schema, which is that of a `Result`.
    pub fn returns_of(self, response: Schema) -> Self {
        Self { response: Some(response), ..self }
    }

    /// Whether it may run again, and whether its outcome is kept.
    pub fn policy(self, policy: RetryPolicy) -> Self {
        Self { policy, ..self }
    }

    /// The deadline of a call that sets none.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }
}

impl ServiceBuilder {
    /// What is said of it.
    pub fn docs(self, docs: impl Into<String>) -> Self {
        Self { docs: docs.into(), ..self }
    }

    /// It has one more method.
    pub fn method(mut self, method: MethodSpec) -> Self {
        self.methods.push(method);
        self
    }

    /// The service.
    pub fn build(self) -> Result<ServiceType, InvalidService> {
        let Self { name, docs, methods: specs } = self;
        let (mut methods, mut beside) = (BTreeMap::new(), BTreeMap::new());
        let described =
            |schema: &Schema| Described { schema: schema.bytes().to_vec().into(), optional: Optional::default() };
        let nothing = schema_of(<Result<(), std::convert::Infallible>>::SHAPE);
        let nothing = nothing.map_err(|error| InvalidService::new(&name, error.to_string()))?;
        for spec in specs {
            let id = MethodId::of(&name, &spec.name);
            let arguments = spec.arguments.iter().map(|(name, schema)| Argument {
                name: name.clone(),
                may_miss: schema.bytes().get(1) == Some(&4),
                ty: described(schema),
            });
            let method = Method {
                name: spec.name.clone(),
                policy: u8::from(spec.policy.idem) | u8::from(spec.policy.persist) << 1,
                arguments: arguments.collect(),
                response: described(spec.response.as_ref().unwrap_or(&nothing)),
            };
            if methods.insert(id, method).is_some() {
                return Err(InvalidService::new(
                    &name,
                    format!("two methods are called `{}`", Shown::name(&spec.name)),
                ));
            }
            beside.insert(id, (spec.docs, spec.timeout));
        }
        let contract = Contract::new(methods);
        ServiceType::described(&name, docs, contract.bytes(), beside)
    }
}

impl InvalidService {
    pub(crate) fn new(service: &str, why: impl Into<String>) -> Self {
        Self { service: service.to_owned(), why: why.into() }
    }
}

/// Services by their names, contracts and timeouts.
type Kept = BTreeMap<[u8; 32], &'static ServiceDescriptor>;

/// The descriptor of a service that is not known by its trait: the one made before, if there is one. It lives as long as the process, as those
/// of traits do.
fn kept(
    name: &str,
    contract: Contract,
    timeouts: BTreeMap<MethodId, Option<Duration>>,
) -> Result<&'static ServiceDescriptor, InvalidService> {
    static KEPT: Mutex<Kept> = Mutex::new(BTreeMap::new());
    /// The longest name of a service.
    const LONGEST_NAME: usize = 1024;
    if name.len() > LONGEST_NAME {
        return Err(InvalidService::new(name, format!("its name is over the limit of {LONGEST_NAME} bytes")));
    }
    let mut key = blake3::Hasher::new();
    key.update(&contract.hash().0);
    key.update(format!("{timeouts:?}").as_bytes());
    key.update(name.as_bytes());
    let key = *key.finalize().as_bytes();
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = kept.get(&key) {
        return Ok(known);
    }
    if kept.len() >= ServiceType::MAX_KEPT {
        let most = ServiceType::MAX_KEPT;
        let why =
            format!("{most} services are known without their traits, which is the limit (`ServiceType::MAX_KEPT`)");
        return Err(InvalidService::new(name, why));
    }
    let service: &'static str = String::leak(name.to_owned());
    let methods = contract.methods().iter().map(|(id, method)| MethodDescriptor {
        policy: RetryPolicy { idem: method.policy & 1 != 0, persist: method.policy & 2 != 0 },
        timeout: timeouts.get(id).copied().flatten(),
        carried: |_, _| Err("a handler without types cannot translate what another version returned".to_owned()),
        described: Some(Box::leak(Box::new(Schema::from_bytes(&method.response.schema[..])))),
        ..evidence::method(id.0, service, String::leak(method.name.clone()))
    });
    let methods = Vec::leak(methods.collect());
    let descriptor: &'static ServiceDescriptor =
        Box::leak(Box::new(ServiceDescriptor { name: service, docs: "", methods }));
    descriptor.has_contract(Arc::new(contract));
    kept.insert(key, descriptor);
    Ok(descriptor)
}

impl fmt::Debug for ServiceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceType({}, {} methods)", Shown::name(self.name()), self.methods().len())
    }
}

impl fmt::Debug for MethodType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MethodType({})", Shown::name(self.name()))
    }
}

impl fmt::Display for InvalidService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(
            f,
            format_args!(
                "the service `{}` cannot be known without its trait: {}",
                Shown::name(&self.service),
                self.why
            ),
        )
    }
}

impl std::error::Error for InvalidService {}

impl From<ValueError> for InvalidService {
    fn from(error: ValueError) -> Self {
        Self::new("?", error.to_string())
    }
}
