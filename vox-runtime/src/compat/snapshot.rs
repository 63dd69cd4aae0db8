//! A service as it was at some time: what its contract says, and the names beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::accepted::Accepted;
use super::text::PLAIN;
use crate::codec::NamedTypes;
use crate::descriptor::{ArgDescriptor, MethodDescriptor, MethodId, ServiceDescriptor, ServiceError};
use crate::schema::{Argument, Contract, Described, Graph, Method, NodeKind, SchemaHash, Types};

/// A service at one time: its methods, their arguments, types and policies.
///
/// Made of a service that is compiled in ([`of`](Self::of)), or read from text ([`parse`](Self::parse)), which is what its `Display` writes.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(super) service: String,
    /// By name.
    pub(super) methods: BTreeMap<String, SnapshotMethod>,
    pub(super) graph: Graph,
    pub(super) accepted: Vec<Accepted>,
    pub(super) contract: Contract,
}

/// A method, its types by their indices in the graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SnapshotMethod {
    pub(super) idem: bool,
    pub(super) persist: bool,
    pub(super) timeout: Option<Duration>,
    pub(super) arguments: Vec<SnapshotArgument>,
    pub(super) response: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SnapshotArgument {
    pub(super) name: String,
    /// The handler does without it.
    pub(super) may_miss: bool,
    pub(super) ty: usize,
}

impl Snapshot {
    /// What a service is now.
    pub fn of(service: &'static ServiceDescriptor) -> Result<Self, ServiceError> {
        service.check()?;
        let mut types = NamedTypes::default();
        let mut sorted: Vec<_> = service.methods.iter().collect();
        sorted.sort_by_key(|method| method.name);
        let mut methods = BTreeMap::new();
        for method in sorted {
            methods.insert(method.name.to_owned(), SnapshotMethod::of(service, method, &mut types)?);
        }
        let mut graph = types.into_graph();
        name_apart(&mut graph, &methods);
        let contract = contract_of(service.name, &methods, &graph);
        Ok(Self { service: service.name.to_owned(), methods, graph, accepted: Vec::new(), contract })
    }

    /// The name of the service.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The hash of the service: two ends whose services have the same one need to tell each other nothing.
    #[must_use]
    pub fn hash(&self) -> SchemaHash {
        self.contract.hash()
    }

    /// Whether every type of it can be read as a peer's, which is bounded.
    pub(super) fn fault(&self) -> Option<String> {
        if self.contract.bytes().len() > Contract::MAX_BYTES {
            let (len, most) = (self.contract.bytes().len(), Contract::MAX_BYTES);
            return Some(format!("its contract has {len} bytes, over the limit of {most}"));
        }
        for (name, method) in self.methods.keys().zip(self.contract_methods()) {
            let types = method.arguments.iter().map(|argument| &argument.ty).chain([&method.response]);
            for ty in types {
                if let Err(fault) = Types::read(&ty.schema) {
                    return Some(format!("a type of the method `{name}` is none: {}", fault.0));
                }
            }
        }
        None
    }

    /// The methods as the contract has them, in the order of their names.
    pub(super) fn contract_methods(&self) -> impl Iterator<Item = &Method> {
        self.methods.keys().filter_map(|name| self.contract_method(name))
    }

    pub(super) fn contract_method(&self, name: &str) -> Option<&Method> {
        self.contract.methods().get(&method_id(&self.service, name)).map(|method| &**method)
    }
}

impl SnapshotMethod {
    fn of(
        service: &ServiceDescriptor,
        method: &'static MethodDescriptor,
        types: &mut NamedTypes,
    ) -> Result<Self, ServiceError> {
        let fault = |place: String, fault: crate::codec::PlanError| ServiceError::Type {
            service: service.name,
            method: method.name,
            place,
            fault: fault.to_string(),
        };
        let argument = |argument: &ArgDescriptor| {
            let ty = types.add(argument.shape);
            let ty = ty.map_err(|why| fault(format!("argument `{}`", argument.name), why))?;
            Ok(SnapshotArgument { name: argument.name.to_owned(), may_miss: argument.may_miss(), ty })
        };
        let arguments = method.args.iter().map(argument).collect::<Result<_, _>>()?;
        let response = types.add_response(method.response).map_err(|why| fault("the response".to_owned(), why))?;
        let (idem, persist) = (method.policy.idem, method.policy.persist);
        Ok(Self { idem, persist, timeout: method.timeout, arguments, response })
    }

    /// The types that it names: those of its arguments, then that of its response.
    pub(super) fn roots(&self) -> impl Iterator<Item = usize> {
        self.arguments.iter().map(|argument| argument.ty).chain([self.response])
    }
}

/// What the wire calls a method: FNV-1a of its dotted name.
pub(super) fn method_id(service: &str, method: &str) -> MethodId {
    let name = service.bytes().chain([b'.']).chain(method.bytes());
    MethodId(name.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)))
}

/// The contract of these methods: the one that their ends would tell each other.
pub(super) fn contract_of(service: &str, methods: &BTreeMap<String, SnapshotMethod>, graph: &Graph) -> Contract {
    let classes = graph.classes();
    let described = |ty: usize| {
        let (schema, optional) = graph.schema(ty, &classes);
        Described { schema: schema.into(), optional }
    };
    let argument =
        |of: &SnapshotArgument| Argument { name: of.name.clone(), may_miss: of.may_miss, ty: described(of.ty) };
    let method = |name: &String, method: &SnapshotMethod| Method {
        name: name.clone(),
        policy: u8::from(method.idem) | u8::from(method.persist) << 1,
        arguments: method.arguments.iter().map(argument).collect(),
        response: described(method.response),
    };
    Contract::new(methods.iter().map(|(name, of)| (method_id(service, name), method(name, of))).collect())
}

/// Gives each type that has a name one of its own: of several with one name, all but the first that the methods come to are
/// numbered.
fn name_apart(graph: &mut Graph, methods: &BTreeMap<String, SnapshotMethod>) {
    let mut taken: BTreeSet<String> = RESERVED.iter().chain(PLAIN).map(|&name| name.to_owned()).collect();
    for at in 0..graph.len() {
        if let NodeKind::Named(name) = &graph.get(at).kind {
            taken.insert(name.clone());
        }
    }
    let mut seen = BTreeSet::new();
    let mut todo: Vec<_> = methods.values().flat_map(SnapshotMethod::roots).collect();
    todo.reverse();
    while let Some(at) = todo.pop() {
        if !seen.insert(at) {
            continue;
        }
        todo.extend(graph.get(at).parts().into_iter().rev());
        let Some(name) = graph.get(at).name.clone() else { continue };
        let numbered = (2..).map(|number| format!("{name}_{number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !taken.contains(name));
        let Some(free) = free else { continue };
        taken.insert(free.clone());
        graph.rename(at, free);
    }
}

/// What the text has words of its own for.
pub(super) const RESERVED: &[&str] =
    &["Option", "Result", "List", "Map", "Set", "Tx", "Rx", "method", "struct", "enum", "wire", "accept", "service"];
