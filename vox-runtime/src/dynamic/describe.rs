//! `vox.Describe`: a service that says what others a server has.
//!
//! | method | returns |
//! |---|---|
//! | `list()` | the services: the name, the documentation and the hash of the contract of each; and the limits that bind a client |
//! | `describe(service)` | the name, documentation and contract of a service; of each method its id, its documentation, its timeout, and what its types are called |

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use facet::Facet;

use super::client::{DynamicClient, DynamicError};
use super::handler::DynamicDispatcher;
use super::invalid_service::InvalidService;
use super::service::{Beside, MethodBeside, MethodSpec, ServiceType};
use crate::client::{OpenError, Session};
use crate::codec::{Budget, Decoder, Encoder, Plan};
use crate::descriptor::{MethodId, RetryPolicy, ServiceDescriptor};
use crate::error::VoxError;
use crate::escaped::Escaped;
use crate::limits::Limits;
use crate::server::Dispatcher;
use crate::server::ServerBuilder;
use crate::value::nearest;

/// What the service is called.
const NAME: &str = "vox.Describe";

/// What `list` returns.
#[derive(Debug, Clone, PartialEq, Facet)]
struct Listing {
    services: Vec<ListedService>,
    /// The limits that bind a client, by their names.
    limits: Vec<(String, u64)>,
}

/// A service of a server that describes itself.
#[derive(Debug, Clone, PartialEq, Eq, Facet)]
#[non_exhaustive]
pub struct ListedService {
    /// Its name.
    pub name: String,
    /// What is said of it.
    pub docs: String,
    /// The hash of its contract: as long as that is the same, so is what `describe` says of its types.
    pub contract: [u8; 32],
}

/// What `describe` returns.
#[derive(Debug, Clone, PartialEq, Facet)]
struct Description {
    name: String,
    docs: String,
    /// As a connection's ends tell it each other.
    contract: Bytes,
    methods: Vec<DescribedMethod>,
}

#[derive(Debug, Clone, PartialEq, Facet)]
struct DescribedMethod {
    id: u64,
    docs: String,
    timeout: Option<Duration>,
    /// Of each argument, what its types are called but for those with an encoding of their own, in the order in which they begin in its schema.
    argument_names: Vec<Vec<String>>,
    response_names: Vec<String>,
}

/// Why `describe` describes nothing.
#[derive(Debug, Clone, PartialEq, Facet)]
#[repr(u8)]
enum Undescribed {
    /// There is no such service; these are there.
    Unknown(Vec<String>),
}

impl Description {
    fn of(service: &'static ServiceDescriptor) -> Self {
        let contract = service.contract();
        let method = |method: &crate::descriptor::MethodDescriptor| {
            let (argument_names, response_names) =
                contract.methods().get(&method.id).map(|known| method.type_names(known)).unwrap_or_default();
            let (docs, timeout) = (method.docs.to_owned(), method.timeout);
            DescribedMethod { id: method.id.0, docs, timeout, argument_names, response_names }
        };
        Self {
            name: service.name.to_owned(),
            docs: service.docs.to_owned(),
            contract: contract.bytes().clone(),
            methods: service.methods.iter().map(method).collect(),
        }
    }
}

/// The service itself.
fn service() -> ServiceType {
    let list = MethodSpec::new("list").docs("The services of this server, and the limits that bind a client.");
    let list = list.returns::<Listing, std::convert::Infallible>();
    let describe = MethodSpec::new("describe").docs("A service: its contract, and what is said beside it.");
    let describe = describe.argument::<String>("service").and_then(|spec| spec.returns::<Description, Undescribed>());
    let (list, describe) = (list.expect("its types cross"), describe.expect("its types cross"));
    let built = ServiceType::builder(NAME)
        .docs("Says what services a server has, for programs that do not have their traits.")
        .method(list.policy(RetryPolicy::IDEM))
        .method(describe.policy(RetryPolicy::IDEM))
        .build();
    built.expect("it is the first of its name, and small")
}

/// Serves the description of these services.
fn describing(services: &[Arc<dyn Dispatcher>], limits: &Limits) -> DynamicDispatcher {
    let services: Arc<[&'static ServiceDescriptor]> = services.iter().map(|dispatcher| dispatcher.service()).collect();
    let listing = Listing {
        services: services
            .iter()
            .map(|service| ListedService {
                name: service.name.to_owned(),
                docs: service.docs.to_owned(),
                contract: service.contract().hash().0,
            })
            .collect(),
        limits: limits.binding().into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    };
    let listing = encoded(&listing);
    DynamicDispatcher::new(service())
        .raw_method("list", move |_| {
            let listing = listing.clone();
            async move { Ok(listing) }
        })
        .raw_method("describe", move |request| {
            let described = describe(&services, request.arguments());
            async move { described }
        })
}

fn describe(services: &[&'static ServiceDescriptor], arguments: &Bytes) -> Result<Bytes, VoxError<Bytes>> {
    let name: String = decoded(arguments).map_err(|why| VoxError::<Bytes>::InvalidPayload(why.into()))?;
    match services.iter().find(|service| service.name == name) {
        Some(service) => Ok(encoded(&Description::of(service))),
        None => {
            let names = services.iter().map(|service| service.name.to_owned()).collect();
            Err(VoxError::User(encoded(&Undescribed::Unknown(names))))
        }
    }
}

fn encoded<T: Facet<'static>>(value: &T) -> Bytes {
    let mut out = Vec::new();
    let plan = Plan::<T>::new();
    plan.encode(value, &mut Encoder::new(&mut out, usize::MAX)).expect("it has no end to pass and no channels");
    out.into()
}

fn decoded<T: Facet<'static>>(bytes: &Bytes) -> Result<T, String> {
    let mut from = Decoder::new(bytes, Budget::new(Describer::MAX_BYTES, Budget::DEPTH));
    let value = Plan::new().decode(&mut from).map_err(|error| error.to_string())?;
    from.finish().map_err(|error| error.to_string())?;
    Ok(value)
}

/// Asks a server that describes itself what services it has: [`Session::describe`].
///
/// ```
/// # extern crate vox_runtime as vox;
/// # use vox::dynamic::{DynamicDispatcher, MethodSpec, ServiceType};
/// # use vox::value::Value;
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// # let now = MethodSpec::new("now").docs("What time it is.").returns::<u64, String>()?;
/// # let clock = ServiceType::builder("Clock").method(now).build()?;
/// # let dispatcher = DynamicDispatcher::new(clock).method("now", async |_| Ok(Value::from(7u64)));
/// let server = vox::Server::builder().service(dispatcher).describe().bind("mem://described").await?;
///
/// // All that this end knows is the address.
/// let session = vox::Session::connect("mem://described").await?;
/// let describer = session.describe().await?;
/// assert_eq!(describer.services().await?[0].name, "Clock");
/// let clock = describer.service("Clock").await?;
/// assert_eq!(clock.methods()[0].to_string(), "now() -> Result<u64, string>");
/// let client = session.open_dynamic(&clock).await?;
/// assert_eq!(client.call_json("now", "{}")?.await?, Value::from(7u64));
/// # drop(server);
/// # Ok(())
/// # }
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Describer {
    client: DynamicClient,
}

impl Session {
    /// Opens a connection to the peer's description of itself. Refused where it has none: see
    /// [`ServerBuilder::describe`](crate::ServerBuilder::describe).
    pub async fn describe(&self) -> Result<Describer, OpenError> {
        Ok(Describer { client: self.open_dynamic(&service()).await? })
    }
}

impl Describer {
    /// What an answer may take in memory: 8 MiB.
    pub const MAX_BYTES: usize = 8 << 20;

    /// The services of the server.
    pub async fn services(&self) -> Result<Vec<ListedService>, DescribeError> {
        Ok(self.list().await?.services)
    }

    /// The limits of the server that bind its clients, by their names in [`Limits`].
    pub async fn limits(&self) -> Result<Vec<(String, u64)>, DescribeError> {
        Ok(self.list().await?.limits)
    }

    async fn list(&self) -> Result<Listing, DescribeError> {
        let answer = self.client.call_raw("list", Bytes::new()).map_err(DescribeError::Request)?.await;
        let listing = answer.map_err(|error| DescribeError::Call(error.map_user(|_| String::new())))?;
        decoded(&listing).map_err(|why| self.invalid("?", why))
    }

    /// The service of this name, to call it.
    pub async fn service(&self, name: &str) -> Result<ServiceType, DescribeError> {
        let arguments = encoded(&name.to_owned());
        let answer = self.client.call_raw("describe", arguments).map_err(DescribeError::Request)?.await;
        let description = match answer {
            Ok(bytes) => decoded::<Description>(&bytes).map_err(|why| self.invalid(name, why))?,
            Err(VoxError::User(bytes)) => {
                let Undescribed::Unknown(served) = decoded(&bytes).map_err(|why| self.invalid(name, why))?;
                let address = self.client.caller().peer().address().to_owned();
                return Err(DescribeError::NotServed { address, service: name.to_owned(), served });
            }
            Err(error) => return Err(DescribeError::Call(error.map_user(|_| String::new()))),
        };
        if description.name != name {
            return Err(self.invalid(name, format!("the server describes `{}`", Escaped::name(&description.name))));
        }
        let beside: Beside = description
            .methods
            .into_iter()
            .enumerate()
            .map(|(place, method)| {
                let names = (method.argument_names, method.response_names);
                (MethodId(method.id), MethodBeside { place, docs: method.docs, timeout: method.timeout, names })
            })
            .collect();
        ServiceType::described(name, &description.docs, &description.contract, &beside).map_err(DescribeError::Invalid)
    }

    fn invalid(&self, service: &str, why: String) -> DescribeError {
        DescribeError::Invalid(InvalidService::new(service, why))
    }
}

/// Why a service is not described.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum DescribeError {
    /// The server does not have it.
    NotServed {
        /// The server's address.
        address: String,
        /// What was asked for.
        service: String,
        /// What the server has.
        served: Vec<String>,
    },
    /// The call failed.
    Call(VoxError<String>),
    /// The call could not be made.
    Request(DynamicError),
    /// What the server says of it cannot be true, or is over a limit.
    Invalid(InvalidService),
}

impl fmt::Display for DescribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotServed { address, service, served } => {
                write!(f, "the server at {} has no service `{}`", Escaped::new(address), Escaped::name(service))?;
                if let Some(nearest) = nearest(service, served.iter().map(String::as_str)) {
                    return write!(f, "; did you mean `{}`?", Escaped::name(nearest));
                }
                f.write_str("; it has:")?;
                served.iter().take(32).try_for_each(|name| write!(f, " {}", Escaped::name(name)))
            }
            Self::Call(error) => error.fmt(f),
            Self::Request(error) => error.fmt(f),
            Self::Invalid(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DescribeError {}

impl ServerBuilder {
    /// Adds the description of the services, if it is wanted and not there yet.
    pub(crate) fn add_description(&mut self) {
        if std::mem::take(&mut self.describes) {
            let description = describing(&self.services, &self.limits);
            self.services.push(Arc::new(description));
        }
    }
}
