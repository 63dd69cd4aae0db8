//! Services as they are known without their traits.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use facet::Facet;

use super::invalid_service::InvalidService;
use crate::codec::{PlanError, schema_of};
use crate::descriptor::{MethodDescriptor, MethodId, RetryPolicy, Schema, ServiceDescriptor, ServiceError};
use crate::escaped::Escaped;
use crate::evidence;
use crate::schema::{Argument, Container, Contract, Described, Field, Method, Optional, SchemaFault, Type, Types};
use crate::value::{ValueError, ValueType};

/// What the types of the arguments of a method and of its response are called.
pub(super) type TypeNames = (Vec<Vec<String>>, Vec<String>);

/// What is said of each method beside the contract.
pub(super) type Beside = BTreeMap<MethodId, MethodBeside>;

/// What is said of a method beside the contract.
#[derive(Debug, Default)]
pub(super) struct MethodBeside {
    /// Where among the others it is listed.
    pub(super) place: usize,
    pub(super) docs: String,
    pub(super) timeout: Option<Duration>,
    pub(super) names: TypeNames,
}

impl MethodBeside {
    /// What it takes to keep it.
    fn bytes(&self) -> usize {
        let (of_arguments, of_response) = &self.names;
        let names = of_arguments.iter().flatten().chain(of_response).map(|name| size_of::<String>() + name.len());
        self.docs.len() + size_of_val(&**of_arguments) + names.sum::<usize>()
    }
}

/// A service as it is known without its trait. Cheap to clone.
#[derive(Clone)]
pub struct ServiceType(Arc<Known>);

struct Known {
    descriptor: &'static ServiceDescriptor,
    methods: Vec<MethodType>,
}

/// A method of a [`ServiceType`].
#[derive(Clone)]
pub struct MethodType(Arc<KnownMethod>);

struct KnownMethod {
    descriptor: &'static MethodDescriptor,
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

impl ServiceType {
    /// How many services a process may know without their traits: what is told of each is kept while the process lives, once for
    /// all that are told the same.
    pub const MAX_KEPT: usize = 1024;
    /// How many bytes all of that may have: 16 MiB.
    pub const MAX_KEPT_BYTES: usize = 16 << 20;

    /// A service that is made up here.
    pub fn builder(name: impl Into<String>) -> ServiceBuilder {
        ServiceBuilder { name: name.into(), docs: String::new(), methods: Vec::new() }
    }

    /// The service of this trait: `ServiceType::of(BankClient::SERVICE)`.
    pub fn of(descriptor: &'static ServiceDescriptor) -> Result<Self, InvalidService> {
        let invalid = |error: ServiceError| InvalidService::new(descriptor.name, error.to_string());
        descriptor.check().map_err(invalid)?;
        let contract = descriptor.contract();
        let names = descriptor.methods.iter().filter_map(|method| {
            let known = contract.methods().get(&method.id)?;
            Some((method.id, method.type_names(known)))
        });
        Self::known(descriptor, &names.collect())
    }

    /// The service of this name and contract, and what is said of it beside that.
    pub(super) fn described(name: &str, docs: &str, contract: &Bytes, beside: &Beside) -> Result<Self, InvalidService> {
        let contract = Contract::read_all(contract);
        let contract = contract.map_err(|SchemaFault(fault)| InvalidService::new(name, fault))?;
        for (id, method) in contract.methods() {
            if MethodId::of(name, &method.name) != *id {
                let why =
                    format!("the method `{}` has an id that is not that of its name", Escaped::name(&method.name));
                return Err(InvalidService::new(name, why));
            }
        }
        // Before anything is kept.
        for method in contract.methods().values() {
            let types = MethodType::types(method, &Default::default());
            let (arguments, ..) = types.map_err(|why| InvalidService::new(name, why))?;
            if method.policy & 2 != 0 && arguments.iter().any(|argument| argument.ty.has_channels()) {
                let method = Escaped::name(&method.name);
                let why =
                    format!("`{method}` is `persist` and takes channels: an outcome can be replayed, a stream cannot");
                return Err(InvalidService::new(name, why));
            }
        }
        let descriptor = kept(name, docs, contract, beside)?;
        let names = beside.iter().map(|(id, beside)| (*id, beside.names.clone()));
        Self::known(descriptor, &names.collect())
    }

    fn known(
        descriptor: &'static ServiceDescriptor,
        names: &BTreeMap<MethodId, TypeNames>,
    ) -> Result<Self, InvalidService> {
        let (contract, none) = (descriptor.contract(), TypeNames::default());
        let mut methods = Vec::new();
        for method in descriptor.methods {
            let Some(known) = contract.methods().get(&method.id) else { continue };
            let types = MethodType::types(known, names.get(&method.id).unwrap_or(&none));
            let (arguments, ok, error) = types.map_err(|why| InvalidService::new(descriptor.name, why))?;
            let has_channels = arguments.iter().any(|argument| argument.ty.has_channels());
            let known = KnownMethod { descriptor: method, arguments, ok, error, has_channels };
            methods.push(MethodType(Arc::new(known)));
        }
        Ok(Self(Arc::new(Known { descriptor, methods })))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.0.descriptor.name
    }

    /// What is said of it.
    pub fn docs(&self) -> &str {
        self.0.descriptor.docs
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
    /// The types of its arguments, of what it returns and of its error.
    fn types(
        method: &Method,
        (of_arguments, of_response): &TypeNames,
    ) -> Result<(Vec<ArgumentType>, ValueType, ValueType), String> {
        let at = |place: &dyn fmt::Display, error: ValueError| {
            format!("{place} of the method `{}`: {error}", Escaped::name(&method.name))
        };
        let mut arguments = Vec::new();
        for (index, argument) in method.arguments.iter().enumerate() {
            let names = of_arguments.get(index).map_or(&[][..], Vec::as_slice);
            let ty = ValueType::read_named(&argument.ty.schema, names);
            let ty =
                ty.map_err(|error| at(&format_args!("the argument `{}`", Escaped::name(&argument.name)), error))?;
            arguments.push(ArgumentType { name: argument.name.as_str().into(), ty, may_miss: argument.may_miss });
        }
        let response = ValueType::read_named(&method.response.schema, of_response);
        let response = response.map_err(|error| at(&"the response", error))?;
        let no_result = || at(&"the response", ValueError::new("it is no `Result`"));
        let (ok, error) = response.outcomes().ok_or_else(no_result)?;
        Ok((arguments, ok, error))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.0.descriptor.name
    }

    /// What is said of it.
    pub fn docs(&self) -> &str {
        self.0.descriptor.docs
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

    /// Whether an argument carries a channel: then it is called by [`call_with_channels`](super::DynamicClient::call_with_channels).
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
        let described = |schema: &Schema| Described {
            schema: schema.bytes().to_vec().into(),
            optional: options_of(schema.bytes()),
        };
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
                    format!("two methods are called `{}`", Escaped::name(&spec.name)),
                ));
            }
            let (docs, timeout) = (spec.docs, spec.timeout);
            let place = beside.len();
            beside.insert(id, MethodBeside { place, docs, timeout, names: TypeNames::default() });
        }
        let contract = Contract::new(methods);
        ServiceType::described(&name, &docs, contract.bytes(), &beside)
    }
}

/// The fields of a type that may be missing: those that can be `None`, for nothing else can be made without its type.
fn options_of(schema: &[u8]) -> Optional {
    let Ok(types) = Types::read(schema) else { return Optional::default() };
    let is_option = |field: &&Field<'_>| matches!(types.get(field.ty), Type::Of(Container::Option, _));
    let mut numbers: Vec<u32> = Vec::new();
    for at in 0..types.len() {
        match types.get(at) {
            Type::Struct(fields) => numbers.extend(fields.iter().filter(is_option).map(|field| field.number)),
            Type::Enum(variants) => {
                let fields = variants.iter().flat_map(|variant| &variant.fields);
                numbers.extend(fields.filter(is_option).map(|field| field.number));
            }
            _ => {}
        }
    }
    numbers.sort_unstable();
    Optional::new(numbers)
}

/// Services by all that is told of them, and how many bytes that is.
type Kept = (BTreeMap<[u8; 32], &'static ServiceDescriptor>, usize);

/// The descriptor of a service that is not known by its trait: the one made before, if there is one. It lives as long as the process, as those
/// of traits do.
fn kept(
    name: &str,
    docs: &str,
    contract: Contract,
    beside: &Beside,
) -> Result<&'static ServiceDescriptor, InvalidService> {
    static KEPT: Mutex<Kept> = Mutex::new((BTreeMap::new(), 0));
    let mut key = blake3::Hasher::new();
    key.update(&contract.hash().0);
    let told = |(id, beside): (&MethodId, &MethodBeside)| format!("{id:?} {beside:?}");
    let told = beside.iter().map(told).collect::<Vec<_>>();
    key.update(format!("{name:?} {docs:?} {told:?}").as_bytes());
    let key = *key.finalize().as_bytes();
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = kept.0.get(&key) {
        return Ok(known);
    }
    let docs_len = docs.len() + beside.values().map(MethodBeside::bytes).sum::<usize>();
    let bytes = kept.1 + name.len() + docs_len + 4 * contract.bytes().len();
    let full = match () {
        () if kept.0.len() >= ServiceType::MAX_KEPT => Some((ServiceType::MAX_KEPT, "services", "MAX_KEPT")),
        () if bytes > ServiceType::MAX_KEPT_BYTES => Some((ServiceType::MAX_KEPT_BYTES, "bytes", "MAX_KEPT_BYTES")),
        () => None,
    };
    if let Some((most, what, limit)) = full {
        let why =
            format!("with it more than {most} {what} would be known without their traits (`ServiceType::{limit}`)");
        return Err(InvalidService::new(name, why));
    }
    let service: &'static str = String::leak(name.to_owned());
    let mut methods: Vec<_> = contract.methods().iter().collect();
    methods.sort_by_key(|(id, _)| beside.get(id).map_or(usize::MAX, |beside| beside.place));
    let methods = methods.into_iter().map(|(id, method)| {
        let beside = beside.get(id);
        MethodDescriptor {
            docs: String::leak(beside.map(|beside| beside.docs.clone()).unwrap_or_default()),
            policy: RetryPolicy { idem: method.policy & 1 != 0, persist: method.policy & 2 != 0 },
            timeout: beside.and_then(|beside| beside.timeout),
            carried: |_, _| Err("a handler without types cannot translate what another version returned".to_owned()),
            described: Some(Box::leak(Box::new(Schema::from_bytes(&method.response.schema[..])))),
            told_names: beside.map(|beside| &*Box::leak(Box::new(beside.names.clone()))),
            ..evidence::method(id.0, service, String::leak(method.name.clone()))
        }
    });
    let methods = Vec::leak(methods.collect());
    let docs = String::leak(docs.to_owned());
    let descriptor: &'static ServiceDescriptor =
        Box::leak(Box::new(ServiceDescriptor { name: service, docs, methods }));
    descriptor.has_contract(Arc::new(contract));
    *kept = (std::mem::take(&mut kept.0), bytes);
    kept.0.insert(key, descriptor);
    Ok(descriptor)
}

/// `balance(account: u64) -> Result<u64, BankError>`.
impl fmt::Display for MethodType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", Escaped::name(self.name()))?;
        for (index, argument) in self.arguments().iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{}: {}", Escaped::name(argument.name()), argument.ty().words())?;
        }
        f.write_str(")")?;
        match (self.ok().words(), self.error().words()) {
            ("()", "Infallible") => Ok(()),
            (ok, "Infallible") => write!(f, " -> {ok}"),
            (ok, error) => write!(f, " -> Result<{ok}, {error}>"),
        }
    }
}

impl fmt::Debug for ServiceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceType({}, {} methods)", Escaped::name(self.name()), self.methods().len())
    }
}

impl fmt::Debug for MethodType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MethodType({})", Escaped::name(self.name()))
    }
}
