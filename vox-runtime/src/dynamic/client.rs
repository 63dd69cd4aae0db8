//! Calls by name.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;

use super::channels::{Channels, RawChannel, Sender};
use super::service::{MethodType, ServiceType};
use crate::channel::RawHalf;
use crate::client::{Call, Caller, OpenError, Session};
use crate::codec::{ChannelKind, Encoder, Rest};
use crate::error::VoxError;
use crate::escaped::{Escaped, show};
use crate::metadata::Metadata;
use crate::operation::OperationId;
use crate::reply::{self, Reply};
use crate::value::{Placed, Value, ValueError, ValueType, nearest, slots};

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
    /// The method takes channels, and was called in a way that gives it none.
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
        Ok(self.write(self.callable(method)?, arguments)?.0)
    }

    /// As [`call`](Self::call), of a method that takes channels. What stands for a channel is left out, or given as [`Value::NONE`]; the
    /// ends that stay here come back.
    ///
    /// ```
    /// # extern crate vox_runtime as vox;
    /// # use vox::dynamic::DynamicClient;
    /// # use vox::value::Value;
    /// # async fn example(client: DynamicClient) -> Result<(), Box<dyn std::error::Error>> {
    /// // async fn sum(&self, from: u64, numbers: Rx<u64>) -> u64
    /// let (call, mut channels) = client.call_with_channels("sum", [("from", Value::from(7u64))])?;
    /// let numbers = channels.sender("numbers").expect("the caller sends on it");
    /// let call = tokio::spawn(call);
    /// numbers.send(&Value::from(1u64)).await?;
    /// numbers.send_json("2").await?;
    /// numbers.close();
    /// assert_eq!(call.await??, Value::from(10u64));
    /// # Ok(())
    /// # }
    /// ```
    pub fn call_with_channels(
        &self,
        method: &str,
        arguments: impl IntoIterator<Item = (impl AsRef<str>, Value)>,
    ) -> Result<(ValueCall, Channels), DynamicError> {
        self.write(self.known(method)?, arguments)
    }

    fn write(
        &self,
        method: &MethodType,
        arguments: impl IntoIterator<Item = (impl AsRef<str>, Value)>,
    ) -> Result<(ValueCall, Channels), DynamicError> {
        let given: Vec<_> = arguments.into_iter().collect();
        let given = given.iter().map(|(name, value)| (name.as_ref(), value));
        let encoded = encode(method, given).map_err(|error| self.arguments(method, error))?;
        Ok(self.value_call(method, encoded))
    }

    /// Calls a method with its arguments in a JSON object, in any order; nothing is as good as an empty object.
    pub fn call_json(&self, method: &str, arguments: &str) -> Result<ValueCall, DynamicError> {
        Ok(self.write_json(self.callable(method)?, arguments)?.0)
    }

    /// As [`call_json`](Self::call_json), of a method that takes channels, each of which is left out or `null`. The ends that stay here
    /// come back.
    pub fn call_json_with_channels(
        &self,
        method: &str,
        arguments: &str,
    ) -> Result<(ValueCall, Channels), DynamicError> {
        self.write_json(self.known(method)?, arguments)
    }

    fn write_json(&self, method: &MethodType, arguments: &str) -> Result<(ValueCall, Channels), DynamicError> {
        let types = method.arguments().iter().map(|argument| (argument.name(), argument.ty()));
        let values = ValueType::read_object(arguments, types).map_err(|error| self.arguments(method, error))?;
        let given = values.iter().map(|(name, value)| (&**name, value));
        let encoded = encode(method, given).map_err(|error| self.arguments(method, error))?;
        Ok(self.value_call(method, encoded))
    }

    /// Calls a method with its arguments as they are encoded, one after the other. What it returns is had as bytes too.
    pub fn call_raw(&self, method: &str, arguments: impl Into<Bytes>) -> Result<RawCall, DynamicError> {
        Ok(self.send_raw(self.callable(method)?, arguments.into(), &[]).0)
    }

    /// As [`call_raw`](Self::call_raw), with these channels: in the arguments each stands as its number among them. The ends that stay
    /// here come back, in their order.
    pub fn call_raw_with_channels(
        &self,
        method: &str,
        arguments: impl Into<Bytes>,
        channels: &[Sender],
    ) -> Result<(RawCall, Vec<RawChannel>), DynamicError> {
        Ok(self.send_raw(self.known(method)?, arguments.into(), channels))
    }

    fn send_raw(&self, method: &MethodType, arguments: Bytes, channels: &[Sender]) -> (RawCall, Vec<RawChannel>) {
        let (call, kept) = self.send(method, arguments, channels.iter().map(|sender| sender.kind()));
        (RawCall { call }, kept.into_iter().map(RawChannel::new).collect())
    }

    fn known(&self, name: &str) -> Result<&MethodType, DynamicError> {
        self.service.method(name).ok_or_else(|| {
            let nearest = nearest(name, self.service.methods().iter().map(MethodType::name)).map(str::to_owned);
            DynamicError::NoMethod { service: self.service.name().to_owned(), method: name.to_owned(), nearest }
        })
    }

    /// The method of this name, which takes no channels.
    fn callable(&self, name: &str) -> Result<&MethodType, DynamicError> {
        let known = self.known(name)?;
        match known.has_channels() {
            true => {
                let (service, method) = (self.service.name().to_owned(), name.to_owned());
                Err(DynamicError::Channels { service, method })
            }
            false => Ok(known),
        }
    }

    fn arguments(&self, method: &MethodType, error: ValueError) -> DynamicError {
        let service = self.service.name().to_owned();
        DynamicError::Arguments { service, method: method.name().to_owned(), error }
    }

    fn value_call(&self, method: &MethodType, (arguments, placed): (Bytes, Vec<Placed>)) -> (ValueCall, Channels) {
        let (call, kept) = self.send(method, arguments, placed.iter().map(|placed| placed.kind));
        (ValueCall { call, method: method.clone() }, Channels::new(placed, kept))
    }

    fn send(
        &self,
        method: &MethodType,
        arguments: Bytes,
        channels: impl IntoIterator<Item = ChannelKind>,
    ) -> (Call<Rest, Rest>, Vec<RawHalf>) {
        static REPLY: Reply<Rest, Rest> = Reply::untyped();
        let mut writer = self.caller.call(method.descriptor());
        let kept = writer.raw_channels(channels);
        writer.rest(arguments);
        (writer.finish(&REPLY), kept)
    }
}

/// The most channels that the arguments of one call are given: more than any peer takes by default. Past what the peer takes the call is not sent.
const MOST_CHANNELS: usize = 1 << 16;

/// The arguments of a method, encoded, and the channels that they take.
fn encode<'n>(
    method: &MethodType,
    given: impl Iterator<Item = (&'n str, &'n Value)>,
) -> Result<(Bytes, Vec<Placed>), ValueError> {
    let types = method.arguments().iter().map(|argument| (argument.name(), argument.ty()));
    let (mut out, mut placed) = (Vec::new(), Vec::new());
    let slots = slots(types, given)?;
    for (argument, value) in method.arguments().iter().zip(slots) {
        let encoder = &mut Encoder::new(&mut out, usize::MAX);
        let before = placed.len();
        let written =
            argument.ty().encode_to(value.unwrap_or(&Value::NONE), encoder, Some((&mut placed, MOST_CHANNELS)));
        written.map_err(|error| error.in_field(argument.name()))?;
        placed.iter_mut().skip(before).for_each(|placed| placed.in_argument(argument.name()));
    }
    Ok((out.into(), placed))
}

macro_rules! builder {
    () => {
        /// As [`Call::timeout`].
        pub fn timeout(mut self, timeout: Duration) -> Self {
            self.call = self.call.timeout(timeout);
            self
        }

        /// As [`Call::metadata`].
        pub fn metadata(mut self, key: impl AsRef<str>, value: impl AsRef<str>) -> Self {
            self.call = self.call.metadata(key, value);
            self
        }

        /// As [`Call::sensitive_metadata`].
        pub fn sensitive_metadata(mut self, key: impl AsRef<str>, value: impl AsRef<str>) -> Self {
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
            let why = format!("`{}`: {error}", Escaped::name(self.method.name()));
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
        write!(f, "DynamicClient({}, {:?})", Escaped::name(self.service.name()), self.caller)
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
                let (service, method) = (Escaped::name(service), Escaped::name(method));
                write!(f, "`{service}` has no method `{method}`")?;
                match nearest {
                    Some(nearest) => write!(f, "; did you mean `{}`?", Escaped::name(nearest)),
                    None => Ok(()),
                }
            }
            Self::Channels { service, method } => write!(
                f,
                "`{}.{}` takes channels: call it by `call_with_channels`, `call_json_with_channels` or `call_raw_with_channels`",
                Escaped::name(service),
                Escaped::name(method)
            ),
            Self::Arguments { service, method, error } => {
                show(f, format_args!("`{}.{}`: {error}", Escaped::name(service), Escaped::name(method)))
            }
        }
    }
}

impl std::error::Error for DynamicError {}
