//! Calls by name.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;

use super::service::{MethodType, ServiceType};
use crate::client::{Call, Caller, OpenError, Session};
use crate::codec::{Encoder, Rest};
use crate::error::VoxError;
use crate::metadata::Metadata;
use crate::operation::OperationId;
use crate::reply::{self, Reply};
use crate::shown::{Shown, show};
use crate::value::{Value, ValueError, ValueType, nearest, slots};

/// A client of a service whose trait is not known here. Clones share their connection.
#[derive(Clone)]
pub struct DynamicClient {
    caller: Caller,
    service: ServiceType,
}

/// Why there is no such call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DynamicError {
    /// The service has no method of this name.
    NoMethod {
        /// The service.
        service: String,
        /// The method.
        method: String,
        /// The method that was probably meant.
        nearest: Option<String>,
    },
    /// The method takes channels, which cannot be given to it without its types.
    Channels {
        /// The service.
        service: String,
        /// The method.
        method: String,
    },
    /// The arguments are not those of the method.
    Arguments {
        /// The service.
        service: String,
        /// The method.
        method: String,
        /// Which, and why.
        error: ValueError,
    },
}

impl Session {
    /// Opens a connection to a service whose trait is not known here.
    pub async fn open_dynamic(&self, service: &ServiceType) -> Result<DynamicClient, OpenError> {
        self.open_dynamic_with(service, Metadata::new()).await
    }

    /// As [`open_dynamic`](Self::open_dynamic), with metadata for the peer.
    pub async fn open_dynamic_with(
        &self,
        service: &ServiceType,
        metadata: Metadata,
    ) -> Result<DynamicClient, OpenError> {
        let caller = self.open_caller(service.descriptor(), metadata).await?;
        Ok(DynamicClient { caller, service: service.clone() })
    }
}

impl DynamicClient {
    /// The service that it calls.
    pub fn service(&self) -> &ServiceType {
        &self.service
    }

    /// The connection.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Calls a method with these arguments, in any order. One that is an `Option` may be left out.
    pub fn call(
        &self,
        method: &str,
        arguments: impl IntoIterator<Item = (impl AsRef<str>, Value)>,
    ) -> Result<ValueCall, DynamicError> {
        let method = self.callable(method)?;
        let given: Vec<_> = arguments.into_iter().collect();
        let given = given.iter().map(|(name, value)| (name.as_ref(), value));
        let encoded = encode(method, given).map_err(|error| self.arguments(method, error))?;
        Ok(self.value_call(method, encoded))
    }

    /// Calls a method with its arguments in a JSON object, in any order; nothing is as good as an empty object.
    pub fn call_json(&self, method: &str, arguments: &str) -> Result<ValueCall, DynamicError> {
        let method = self.callable(method)?;
        let types = method.arguments().iter().map(|argument| (argument.name(), argument.ty()));
        let values = ValueType::read_object(arguments, types).map_err(|error| self.arguments(method, error))?;
        let given = values.iter().map(|(name, value)| (&**name, value));
        let encoded = encode(method, given).map_err(|error| self.arguments(method, error))?;
        Ok(self.value_call(method, encoded))
    }

    /// Calls a method with its arguments as they are encoded, one after the other. What it returns is had as bytes too.
    pub fn call_raw(&self, method: &str, arguments: impl Into<Bytes>) -> Result<RawCall, DynamicError> {
        Ok(RawCall { call: self.send(self.callable(method)?, arguments.into()) })
    }

    fn callable(&self, name: &str) -> Result<&MethodType, DynamicError> {
        let (service, method) = (self.service.name().to_owned(), name.to_owned());
        match self.service.method(name) {
            None => {
                let nearest = nearest(name, self.service.methods().iter().map(MethodType::name)).map(str::to_owned);
                Err(DynamicError::NoMethod { service, method, nearest })
            }
            Some(known) if known.has_channels() => Err(DynamicError::Channels { service, method }),
            Some(known) => Ok(known),
        }
    }

    fn arguments(&self, method: &MethodType, error: ValueError) -> DynamicError {
        let service = self.service.name().to_owned();
        DynamicError::Arguments { service, method: method.name().to_owned(), error }
    }

    fn value_call(&self, method: &MethodType, arguments: Bytes) -> ValueCall {
        ValueCall { call: self.send(method, arguments), method: method.clone() }
    }

    fn send(&self, method: &MethodType, arguments: Bytes) -> Call<Rest, Rest> {
        static REPLY: Reply<Rest, Rest> = Reply::untyped();
        let mut writer = self.caller.call(method.descriptor());
        writer.rest(arguments);
        writer.finish(&REPLY)
    }
}

/// The arguments of a method, encoded.
fn encode<'n>(method: &MethodType, given: impl Iterator<Item = (&'n str, &'n Value)>) -> Result<Bytes, ValueError> {
    let types = method.arguments().iter().map(|argument| (argument.name(), argument.ty()));
    let mut out = Vec::new();
    let slots = slots(types, given)?;
    for (argument, value) in method.arguments().iter().zip(slots) {
        let encoder = &mut Encoder::new(&mut out, usize::MAX);
        let written = argument.ty().encode_to(value.unwrap_or(&Value::NONE), encoder);
        written.map_err(|error| error.in_field(argument.name()))?;
    }
    Ok(out.into())
}

macro_rules! builder {
    () => {
        /// As [`Call::timeout`].
        pub fn timeout(mut self, timeout: Duration) -> Self {
            self.call = self.call.timeout(timeout);
            self
        }

        /// As [`Call::metadata`].
        pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
            self.call = self.call.metadata(key, value);
            self
        }

        /// As [`Call::sensitive_metadata`].
        pub fn sensitive_metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
            self.call = self.call.sensitive_metadata(key, value);
            self
        }

        /// Adds every entry, as sensitive as it is: to pass on what a handler was sent.
        pub fn forward_all(mut self, from: &Metadata) -> Self {
            self.call = from.entries().fold(self.call, |call, (key, value, sensitive)| match sensitive {
                true => call.sensitive_metadata(key, value),
                false => call.metadata(key, value),
            });
            self
        }

        /// As [`Call::operation`].
        pub fn operation(mut self, id: OperationId) -> Self {
            self.call = self.call.operation(id);
            self
        }
    };
}

/// A call whose outcome is a value. Sent when it is first polled; dropping it cancels it.
#[must_use = "a call is made when it is awaited"]
pub struct ValueCall {
    call: Call<Rest, Rest>,
    method: MethodType,
}

impl ValueCall {
    builder!();

    /// The method.
    pub fn method(&self) -> &MethodType {
        &self.method
    }
}

impl Future for ValueCall {
    type Output = Result<Value, VoxError<Value>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = ready!(Pin::new(&mut self.call).poll(cx));
        let budget = reply::budget(self.call.limits());
        let decode = |ty: &ValueType, Rest(bytes)| ty.decode(&bytes, budget);
        let decoded = match outcome {
            Ok(rest) => decode(self.method.ok(), rest).map(Ok),
            Err(VoxError::User(rest)) => decode(self.method.error(), rest).map(|error| Err(VoxError::User(error))),
            Err(error) => return Poll::Ready(Err(error.map_user(|_| Value::Unit))),
        };
        Poll::Ready(decoded.unwrap_or_else(|error| {
            let why = format!("`{}`: {error}", Shown::name(self.method.name()));
            Err(VoxError::InvalidResponse(why.into()))
        }))
    }
}

/// A call whose outcome is bytes. Sent when it is first polled; dropping it cancels it.
#[must_use = "a call is made when it is awaited"]
pub struct RawCall {
    call: Call<Rest, Rest>,
}

impl RawCall {
    builder!();
}

impl Future for RawCall {
    type Output = Result<Bytes, VoxError<Bytes>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = ready!(Pin::new(&mut self.call).poll(cx));
        Poll::Ready(outcome.map(|Rest(bytes)| bytes).map_err(|error| error.map_user(|Rest(bytes)| bytes)))
    }
}

impl fmt::Debug for DynamicClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DynamicClient({}, {:?})", Shown::name(self.service.name()), self.caller)
    }
}

impl fmt::Debug for ValueCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ValueCall({:?})", self.method)
    }
}

impl fmt::Debug for RawCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawCall")
    }
}

impl fmt::Display for DynamicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMethod { service, method, nearest } => {
                let (service, method) = (Shown::name(service), Shown::name(method));
                write!(f, "`{service}` has no method `{method}`")?;
                match nearest {
                    Some(nearest) => write!(f, "; did you mean `{}`?", Shown::name(nearest)),
                    None => Ok(()),
                }
            }
            Self::Channels { service, method } => write!(
                f,
                "`{}.{}` takes channels, which cannot be given to it without its types",
                Shown::name(service),
                Shown::name(method)
            ),
            Self::Arguments { service, method, error } => {
                show(f, format_args!("`{}.{}`: {error}", Shown::name(service), Shown::name(method)))
            }
        }
    }
}

impl std::error::Error for DynamicError {}
