//! Connecting: the builder and what it may fail with.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::caller::{Caller, Client};
use super::config::ConnectConfig;
use super::credentials::{Credentials, Introduction};
use super::remote::Remote;
use crate::descriptor::ServiceDescriptor;
use crate::driver::{
    Asking, Backoff, ConnectAttempts, ConnectError, Dispatcher, Established, Router, initiate, unconnected,
};
use crate::limits::Limits;
use crate::metadata::Metadata;
use crate::transport::{Address, AddressError, Connector, DialTarget, Link};

/// Connects to a peer and opens the service that the client `C` calls.
///
/// The target is an address (`tcp://host:port`, `host:port`, `unix://path`, `mem://name`), a
/// [`Connector`](crate::transport::Connector) or a [`Link`](crate::transport::Link). Of the first two further links can be
/// made, so their sessions survive the loss of one; a `Link` is all there is.
pub fn connect<C: Connected>(target: impl Into<Target>) -> Connect<C> {
    Connect::new(target.into())
}

/// What a connection can become: any [`Client`], or a [`Session`](super::Session).
pub trait Connected: Sized + Send + 'static {
    /// The service that is opened with the session.
    const SERVICE: Option<&'static ServiceDescriptor>;

    /// Wraps the connection; without a service, the session.
    fn connected(caller: Caller) -> Self;
}

impl<C: Client> Connected for C {
    const SERVICE: Option<&'static ServiceDescriptor> = <C as Client>::SERVICE;

    fn connected(caller: Caller) -> Self {
        C::from_caller(caller)
    }
}

/// What is connected to, or served on.
#[derive(Debug)]
pub struct Target(pub(crate) TargetKind);

#[derive(Debug)]
pub(crate) enum TargetKind {
    Text(String),
    Address(Address),
    Connector(Connector),
    Link(Link),
    /// A server in this process, to be connected to over memory.
    Here(Box<dyn InProcess>),
}

/// A server in this process, that is not started yet.
pub(crate) trait InProcess: fmt::Debug + Send {
    /// Starts it, and gives the link to it, which has this address.
    fn start(self: Box<Self>, address: &str) -> Result<Link, ConnectError>;
}

impl From<&str> for Target {
    fn from(address: &str) -> Self {
        Self(TargetKind::Text(address.to_owned()))
    }
}

impl From<String> for Target {
    fn from(address: String) -> Self {
        Self(TargetKind::Text(address))
    }
}

impl From<&String> for Target {
    fn from(address: &String) -> Self {
        Self(TargetKind::Text(address.clone()))
    }
}

impl From<Address> for Target {
    fn from(address: Address) -> Self {
        Self(TargetKind::Address(address))
    }
}

impl From<Connector> for Target {
    fn from(connector: Connector) -> Self {
        Self(TargetKind::Connector(connector))
    }
}

impl From<Link> for Target {
    fn from(link: Link) -> Self {
        Self(TargetKind::Link(link))
    }
}

impl Target {
    /// The address. A link is made already and is nothing to listen at.
    pub(crate) fn address(self) -> Result<Address, AddressError> {
        match self.0 {
            TargetKind::Text(text) => text.parse(),
            TargetKind::Address(address) => Ok(address),
            TargetKind::Connector(connector) => Err(AddressError::is_a_link(&format!("{connector:?}"))),
            TargetKind::Link(link) => Err(AddressError::is_a_link(link.address())),
            TargetKind::Here(_) => Err(AddressError::is_a_link(HERE)),
        }
    }

    /// What makes links, or the one that there is.
    fn dial_target(self) -> Result<Result<Arc<dyn DialTarget>, Link>, ConnectError> {
        Ok(match self.0 {
            TargetKind::Text(text) => Ok(Arc::new(text.parse::<Address>()?)),
            TargetKind::Address(address) => Ok(Arc::new(address)),
            TargetKind::Connector(connector) => Ok(Arc::new(connector)),
            TargetKind::Link(link) => Err(link),
            TargetKind::Here(server) => Err(server.start(HERE)?),
        })
    }
}

/// What a server in this process is called.
const HERE: &str = "mem://here";

/// A connection to be made: a future, which connects when it is polled. What it is told after its first poll comes too late, and
/// changes nothing.
#[must_use = "a connection is made when it is awaited"]
pub struct Connect<C> {
    target: Target,
    limits: Limits,
    services: Vec<Arc<dyn Dispatcher>>,
    introduction: Introduction,
    timeout: Option<Duration>,
    /// `Some`: instead of what the limits say.
    window: Option<Duration>,
    resumes: bool,
    reconnects: bool,
    waits: bool,
    backoff: Backoff,
    /// Once it is polled.
    begun: Option<Connecting<C>>,
}

type Connecting<C> = Pin<Box<dyn Future<Output = Result<C, ConnectError>> + Send>>;

impl<C: Connected> Connect<C> {
    pub(super) fn new(target: Target) -> Self {
        Self {
            target,
            limits: Limits::default(),
            services: Vec::new(),
            introduction: Introduction::default(),
            timeout: None,
            window: None,
            resumes: true,
            reconnects: true,
            waits: false,
            backoff: Backoff::default(),
            begun: None,
        }
    }

    /// Serves a service on the same session, for the peer to call.
    pub fn serving(mut self, dispatcher: impl Dispatcher) -> Self {
        self.services.push(Arc::new(dispatcher));
        self
    }

    /// How long connecting may take, all of it. The handshake alone is bounded by `Limits::handshake_timeout`.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The limits of this end.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How long the session may be without a link until it is lost, whatever `Limits::resume_window` says.
    pub fn resume(mut self, window: Duration) -> Self {
        (self.resumes, self.window) = (true, Some(window));
        self
    }

    /// Lets the session end with its link. Calls then go on in the next one, as far as their methods allow.
    pub fn no_resume(mut self) -> Self {
        self.resumes = false;
        self
    }

    /// Makes one link and one session, and no other after them: once it is lost, calls fail at once.
    pub fn no_reconnect(mut self) -> Self {
        (self.resumes, self.reconnects) = (false, false);
        self
    }

    /// How long to wait between attempts to reach the peer again.
    pub fn reconnect(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Tells the peer something about this end, which handlers find in `cx.peer().metadata()`.
    pub fn metadata(mut self, key: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        self.introduction.metadata.insert(key, value);
        self
    }

    /// As [`metadata`](Self::metadata), of a value that is never printed: a token, a password.
    pub fn sensitive_metadata(mut self, key: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        self.introduction.metadata.insert_sensitive(key, value);
        self
    }

    /// Asks for credentials in every handshake: to connect, to resume the session, to make the next one. So a token may expire.
    /// What the closure gives goes along with the metadata, and is never printed. It gives a [`Metadata`], or a `Result` with
    /// one; an error is a failed attempt. It has `Limits::handshake_timeout` to do so.
    ///
    /// ```no_run
    /// # extern crate vox_runtime as vox;
    /// # use vox::{ConnectError, Metadata, Session, connect};
    /// # async fn fresh_token() -> Result<String, std::io::Error> { Ok(String::new()) }
    /// # async fn run() -> Result<(), ConnectError> {
    /// let session: Session = connect("tcp://bank.example:9000")
    ///     .credentials(async || {
    ///         let mut metadata = Metadata::new();
    ///         metadata.insert("token", fresh_token().await?);
    ///         Ok::<_, std::io::Error>(metadata)
    ///     })
    ///     .await?;
    /// # drop(session);
    /// # Ok(())
    /// # }
    /// ```
    pub fn credentials<F, A>(mut self, ask: F) -> Self
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output: Credentials> + Send + 'static,
    {
        self.introduction.ask(ask);
        self
    }

    /// Waits for a server that is not there yet: tries again, as after a lost link, until it is there, or until
    /// [`timeout`](Self::timeout) has passed. A peer that refuses for good, as for want of the service, ends the wait.
    pub fn wait(mut self) -> Self {
        self.waits = true;
        self
    }

    /// Gives a client at once. It connects when it is first used, and its first calls wait for that, up to their deadlines.
    ///
    /// `Err` where the address cannot be read, where the target is a [`Link`](crate::transport::Link), which is made already,
    /// with [`no_reconnect`](Self::no_reconnect), and outside of a tokio runtime.
    ///
    /// ```
    /// # extern crate vox_runtime as vox;
    /// # use vox::{ConnectError, NoopClient, SessionState, Client, connect};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ConnectError> {
    /// let client: NoopClient = connect("tcp://bank.example:9000").lazy()?;
    /// assert_eq!(client.state(), SessionState::Idle);
    /// # Ok(())
    /// # }
    /// ```
    pub fn lazy(self) -> Result<C, ConnectError> {
        let reconnects = self.reconnects;
        let (ways, limits) = self.prepare()?;
        match ways {
            Ways::Redial(config) if reconnects => {
                let none = unconnected(limits, config.target.name());
                let remote = Remote::lazy(config, Arc::clone(&none));
                let service = C::SERVICE.map(|service| (service, Metadata::new()));
                Ok(C::connected(Caller::unconnected(none, remote, service)))
            }
            Ways::Redial(config) => {
                Err(ConnectError::not_lazy(&config.target.name(), "it is to connect once, with `no_reconnect`"))
            }
            Ways::Once(link, ..) => Err(ConnectError::not_lazy(link.address(), "a `Link` is made already")),
        }
    }

    /// Checks what can be checked here.
    fn prepare(self) -> Result<(Ways, Arc<Limits>), ConnectError> {
        for service in self.services.iter().map(|dispatcher| dispatcher.service()).chain(C::SERVICE) {
            service.check().map_err(ConnectError::Service)?;
        }
        if let Some(name) = Router::duplicate(&self.services) {
            return Err(ConnectError::DuplicateService(name));
        }
        let target = self.target.dial_target()?;
        let address = || target.as_ref().map_or_else(|link| link.address().to_owned(), |target| target.name());
        self.introduction.metadata.check().map_err(|why| ConnectError::metadata(why).at(&address()))?;
        let (mut limits, router) = (self.limits, Router::new(self.services));
        limits.resume_window = self.window.unwrap_or(limits.resume_window);
        limits.check().map_err(ConnectError::Limit)?;
        if Handle::try_current().is_err() {
            return Err(ConnectError::no_runtime(&address()));
        }
        let limits = Arc::new(limits);
        let (introduction, resumes, backoff) = (self.introduction, self.resumes, self.backoff);
        let ways = match target {
            Ok(target) => Ways::Redial(ConnectConfig {
                target,
                limits: Arc::clone(&limits),
                router,
                introduction,
                resumes,
                backoff,
            }),
            Err(link) => Ways::Once(link, router, introduction),
        };
        Ok((ways, limits))
    }

    async fn run(self) -> Result<C, ConnectError> {
        let (reconnects, waits, timeout) = (self.reconnects, self.waits, self.timeout);
        let (ways, limits) = self.prepare()?;
        let service = C::SERVICE.map(|service| (service, Metadata::new()));
        let patience =
            Patience { timeout, until: timeout.and_then(|timeout| Instant::now().checked_add(timeout)), waits };
        let (established, remote) = match ways {
            Ways::Once(link, router, introduction) => {
                let address = link.address().to_owned();
                let connecting = async {
                    let made = introduction.make(limits.handshake_timeout).await;
                    let metadata = made.map_err(|error| error.at(&address))?;
                    initiate(link, Asking { limits, router, metadata, service, resumes: false }).await
                };
                (patience.in_time(&address, None, connecting).await?, None)
            }
            Ways::Redial(config) => {
                let established = patience.connect(&config, service).await?;
                let remote = reconnects.then(|| Remote::new(config, Arc::clone(&established.shared)));
                (established, remote)
            }
        };
        Ok(C::connected(match (established.connection, C::SERVICE) {
            (Some(connection), Some(service)) => {
                Caller::on(established.shared, connection, remote, (service, Metadata::new()))
            }
            (_, _) => Caller::holding(established.shared, remote),
        }))
    }
}

/// How links are made.
enum Ways {
    /// Others can be dialled.
    Redial(ConnectConfig),
    /// There is one, and no other.
    Once(Link, Router, Introduction),
}

/// How long connecting may take, and whether it is tried again meanwhile.
struct Patience {
    timeout: Option<Duration>,
    until: Option<Instant>,
    waits: bool,
}

impl Patience {
    async fn connect(
        &self,
        config: &ConnectConfig,
        service: Option<(&'static ServiceDescriptor, Metadata)>,
    ) -> Result<Established, ConnectError> {
        let address = config.target.name();
        let (mut attempts, mut last) = (ConnectAttempts::default(), None);
        loop {
            let attempt = async {
                if let Some(at) = attempts.due(true) {
                    tokio::time::sleep_until(at.into()).await;
                }
                attempts.begin(&config.backoff);
                Ok(config.connect(service.clone()).await)
            };
            match self.in_time(&address, last.take(), attempt).await? {
                Err(error) if self.waits && error.passes() => {
                    attempts.failed(&config.backoff, error.missed());
                    tracing::debug!(address, %error, "no session yet");
                    last = Some(error);
                }
                result => return result,
            }
        }
    }

    async fn in_time<T>(
        &self,
        address: &str,
        last: Option<ConnectError>,
        what: impl Future<Output = Result<T, ConnectError>>,
    ) -> Result<T, ConnectError> {
        let (Some(after), Some(until)) = (self.timeout, self.until) else { return what.await };
        let late = || Err(ConnectError::Timeout { address: address.to_owned(), after, last: last.map(Box::new) });
        tokio::time::timeout_at(until, what).await.unwrap_or_else(|_| late())
    }
}

impl<C: Connected> Future for Connect<C> {
    type Output = Result<C, ConnectError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if this.begun.is_none() {
            let whole = std::mem::replace(this, Self::new(Target(TargetKind::Text(String::new()))));
            this.begun = Some(Box::pin(whole.run()));
        }
        this.begun.as_mut().map_or(Poll::Pending, |connecting| connecting.as_mut().poll(cx))
    }
}

impl<C> fmt::Debug for Connect<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.begun {
            None => f.debug_struct("Connect").field("target", &self.target).finish_non_exhaustive(),
            Some(_) => f.write_str("Connect { begun, .. }"),
        }
    }
}
