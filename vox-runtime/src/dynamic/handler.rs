//! Methods that are served by closures.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use super::channels::{Channels, RawChannel, relay};
use super::client::DynamicClient;
use super::service::{MethodType, ServiceType};
use crate::descriptor::{MethodId, ServiceDescriptor};
use crate::driver::HandlerFuture;
use crate::error::VoxError;
use crate::escaped::Escaped;
use crate::server::{Args, Context, Dispatcher, Incoming, Outcome};
use crate::value::Value;

/// Serves a service whose trait is not known here, by a closure for each method. A method that has none is answered as unknown.
#[derive(Clone)]
pub struct DynamicDispatcher {
    service: ServiceType,
    handlers: BTreeMap<MethodId, (MethodType, Handler)>,
}

#[derive(Clone)]
enum Handler {
    OfValues(Arc<dyn Fn(ValueRequest) -> Running<Value, Value> + Send + Sync>),
    OfBytes(Arc<dyn Fn(RawRequest) -> Running<Bytes, VoxError<Bytes>> + Send + Sync>),
}

type Running<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// What a handler of values is given: the arguments of a call, and its context.
pub struct ValueRequest {
    args: Arc<Args>,
    method: MethodType,
    values: Vec<Value>,
    channels: Channels,
}

/// What a handler of bytes is given: the arguments of a call as they came, and its context.
pub struct RawRequest {
    args: Arc<Args>,
    method: MethodType,
    bytes: Bytes,
    channels: Vec<RawChannel>,
}

impl DynamicDispatcher {
    /// Serves this service, of which no method has a handler yet.
    pub fn new(service: ServiceType) -> Self {
        Self { service, handlers: BTreeMap::new() }
    }

    /// Serves every method by a client of the same service: a call goes on as it came, with its metadata, its deadline and its channels, and what comes of
    /// it goes back, errors included. Its arguments, its items and its outcome are not looked at. Each channel has a task that gives its items on as there is
    /// credit for them, and its end, until it is over.
    ///
    /// A call that could not be sent on has not run: it is answered `Busy`, or `InvalidPayload` where it would be the same tried again. A `persist` method goes on under the id of its operation, so it runs
    /// once at the end, however often and through whatever forwarders it is tried. For a caller who is not anonymous the id is
    /// [another](crate::Operation::forwarded_id), the same each time.
    pub fn forwarding(client: &DynamicClient) -> Self {
        let service = client.service().clone();
        let methods = service.methods().to_vec();
        methods.into_iter().fold(Self::new(service), |dispatcher, method| {
            let client = client.clone();
            dispatcher.raw_method(method.name(), move |mut request| {
                let channels = request.take_channels();
                let senders: Vec<_> = channels.iter().map(RawChannel::sender).collect();
                let name = request.method().name();
                let call = client.call_raw_with_channels(name, request.arguments().clone(), &senders);
                async move {
                    let Ok((call, further)) = call else { return Err(VoxError::UnknownMethod) };
                    for (near, far) in channels.into_iter().zip(further) {
                        tokio::spawn(relay(near, far));
                    }
                    let call = call.forward_all(request.context().metadata());
                    match request.context().operation() {
                        Some(operation) => call.operation(operation.forwarded_id()).await,
                        None => call.await,
                    }
                }
            })
        })
    }

    /// Serves a method by this closure, which returns what the method does, or its own error. What it returns has to be of the method's
    /// types: the caller gets `InvalidResponse` otherwise.
    ///
    /// # Panics
    ///
    /// If the service has no method of this name.
    #[must_use]
    pub fn method<F, R>(self, name: &str, handler: F) -> Self
    where
        F: Fn(ValueRequest) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Value, Value>> + Send + 'static,
    {
        self.with(name, Handler::OfValues(Arc::new(move |request| Box::pin(handler(request)))))
    }

    /// Serves a method by this closure, which gets its arguments as they came and returns what the method does as it is encoded, or any
    /// outcome that a call may have.
    ///
    /// # Panics
    ///
    /// If the service has no method of this name.
    #[must_use]
    pub fn raw_method<F, R>(self, name: &str, handler: F) -> Self
    where
        F: Fn(RawRequest) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Bytes, VoxError<Bytes>>> + Send + 'static,
    {
        self.with(name, Handler::OfBytes(Arc::new(move |request| Box::pin(handler(request)))))
    }

    fn with(mut self, name: &str, handler: Handler) -> Self {
        let service = Escaped::name(self.service.name());
        let Some(method) = self.service.method(name) else {
            panic!("`{service}` has no method `{}`", Escaped::name(name))
        };
        self.handlers.insert(method.descriptor().id, (method.clone(), handler));
        self
    }
}

impl Dispatcher for DynamicDispatcher {
    fn service(&self) -> &'static ServiceDescriptor {
        self.service.descriptor()
    }

    fn dispatch(&self, call: Incoming<'_>) -> HandlerFuture {
        let (id, slot, call) = call.accept();
        let Some((method, handler)) = self.handlers.get(&id) else { return slot.unknown_method() };
        let mut args = call.args(method.descriptor());
        let (method, handler) = (method.clone(), handler.clone());
        slot.host(async move {
            let (outcome, args) = match handler {
                Handler::OfValues(handler) => {
                    let (mut values, mut placed) = (Vec::with_capacity(method.arguments().len()), Vec::new());
                    for argument in method.arguments() {
                        values.push(args.value(argument.name(), argument.ty(), &mut placed)?);
                    }
                    args.finish()?;
                    let halves = args.channels(&placed)?;
                    let channels = Channels::new(placed, halves);
                    let args = Arc::new(args);
                    let request = ValueRequest { args: Arc::clone(&args), method: method.clone(), values, channels };
                    (Outcome::of((method.ok(), method.error()), handler(request).await), args)
                }
                Handler::OfBytes(handler) => {
                    let bytes = args.rest()?;
                    let channels = args.all_channels()?.into_iter().map(RawChannel::new).collect();
                    let args = Arc::new(args);
                    let request = RawRequest { args: Arc::clone(&args), method, bytes, channels };
                    (Outcome::forwarded(handler(request).await), args)
                }
            };
            Ok(args.answer_untyped(outcome))
        })
    }
}

impl ValueRequest {
    /// The method.
    pub fn method(&self) -> &MethodType {
        &self.method
    }

    /// What the handler may know of its call.
    pub fn context(&self) -> &Context {
        self.args.context()
    }

    /// The argument of this name.
    pub fn argument(&self, name: &str) -> Option<&Value> {
        let index = self.method.arguments().iter().position(|argument| argument.name() == name)?;
        self.values.get(index)
    }

    /// All arguments, in the order of the method.
    pub fn arguments(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.method.arguments().iter().map(super::ArgumentType::name).zip(&self.values)
    }
}

impl ValueRequest {
    /// The channels of the call: the handler takes those that it needs. The others end with the request.
    pub fn channels(&mut self) -> &mut Channels {
        &mut self.channels
    }
}

impl RawRequest {
    /// The channels of the call, in the order by whose numbers they stand in the arguments. Once. Those that are not taken end with the
    /// request.
    pub fn take_channels(&mut self) -> Vec<RawChannel> {
        std::mem::take(&mut self.channels)
    }

    /// The method.
    pub fn method(&self) -> &MethodType {
        &self.method
    }

    /// What the handler may know of its call.
    pub fn context(&self) -> &Context {
        self.args.context()
    }

    /// The arguments, one after the other as they came.
    pub fn arguments(&self) -> &Bytes {
        &self.bytes
    }
}

impl fmt::Debug for DynamicDispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DynamicDispatcher({}, {} methods)", Escaped::name(self.service.name()), self.handlers.len())
    }
}

impl fmt::Debug for ValueRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValueRequest").field("method", &self.method).finish_non_exhaustive()
    }
}

impl fmt::Debug for RawRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawRequest").field("method", &self.method).finish_non_exhaustive()
    }
}
