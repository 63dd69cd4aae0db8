//! A connection that a peer asks for, and what the server's own code gives it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use super::context::Peer;
use super::incoming::Dispatcher;
use super::listen::ServerBuilder;
use crate::client::Session;
use crate::driver::{AcceptWith, Shared};
use crate::error::Refusal;
use crate::metadata::Metadata;
use crate::operation::Principal;
use crate::schema::SchemaHash;

/// A connection that a peer asks for: which service, and who asks. [`ServerBuilder::accept_with`] is given one.
#[derive(Clone)]
pub struct Offer {
    service: Arc<str>,
    contract: Option<SchemaHash>,
    metadata: Metadata,
    peer: Peer,
    shared: Option<Arc<Shared>>,
}

/// What serves one connection.
pub struct Choice(pub(crate) Chosen);

pub(crate) enum Chosen {
    /// What the server serves under this name.
    Own,
    Other(Arc<dyn Dispatcher>),
}

impl Offer {
    pub(crate) fn new(
        service: &str,
        contract: Option<SchemaHash>,
        metadata: Metadata,
        peer: Peer,
        shared: Option<Arc<Shared>>,
    ) -> Self {
        Self { service: service.into(), contract, metadata, peer, shared }
    }

    /// The service that is asked for, as the peer says it.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The hash of the peer's contract of the service, as [`ServiceDescriptor::contract_hash`](crate::descriptor::ServiceDescriptor::contract_hash)
    /// gives this end's: equal hashes are one version. `None`: the peer does not tell.
    pub fn contract(&self) -> Option<[u8; 32]> {
        self.contract.map(|hash| hash.0)
    }

    /// What the peer sent to open the connection: [`Session::open_with`]. It may say anything.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The peer: where it is, and what it said of itself in the handshake.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Who the peer was authenticated as; anonymous where the server does not ask.
    pub fn principal(&self) -> &Principal {
        self.peer.principal()
    }

    /// The session that asks, to call the peer back. `None` where the connection is asked for together with the session, by
    /// [`connect`](fn@crate::connect): there is a session only once the answer is known. Holding it keeps the session open.
    pub fn session(&self) -> Option<Session> {
        self.shared.as_ref().map(|shared| Session::hold(shared, None))
    }
}

impl Choice {
    /// What was given to [`ServerBuilder::service`] under the name that is asked for. Where there is no such service, the peer is refused as
    /// without [`accept_with`](ServerBuilder::accept_with).
    pub fn usual() -> Self {
        Self(Chosen::Own)
    }

    /// This dispatcher, for this connection alone. It has to be of the service that is asked for.
    pub fn serve(dispatcher: impl Dispatcher) -> Self {
        Self(Chosen::Other(Arc::new(dispatcher)))
    }
}

impl<D: Dispatcher> From<D> for Choice {
    fn from(dispatcher: D) -> Self {
        Self::serve(dispatcher)
    }
}

impl ServerBuilder {
    /// Asks, of every connection that a peer asks for, what serves it: a dispatcher of the server's own
    /// ([`Choice::usual`]), one for that connection alone, or nothing, with a reason that the peer reads. Without this every peer gets the
    /// services that were given to [`service`](Self::service).
    ///
    /// ```
    /// # extern crate vox_runtime as vox;
    /// use vox::dynamic::{DynamicDispatcher, MethodSpec, ServiceType};
    /// use vox::value::Value;
    /// use vox::{Choice, Refusal, RefusalCode, Server};
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let whose = MethodSpec::new("whose").returns::<String, String>()?;
    /// let till = ServiceType::builder("Till").method(whose).build()?;
    /// let known = till.clone();
    /// let server = Server::builder()
    ///     .accept_with(move |offer| {
    ///         let till = known.clone();
    ///         async move {
    ///             if offer.service() != till.name() {
    ///                 return Ok(Choice::usual());
    ///             }
    ///             let Some(tenant) = offer.metadata().get("tenant").map(str::to_owned) else {
    ///                 return Err(Refusal::new(RefusalCode::Unauthorized, "name a `tenant` in the metadata"));
    ///             };
    ///             let whose = move |_| std::future::ready(Ok(Value::from(&*tenant)));
    ///             Ok(Choice::serve(DynamicDispatcher::new(till).method("whose", whose)))
    ///         }
    ///     })
    ///     .bind("mem://tenants")
    ///     .await?;
    ///
    /// let session = vox::Session::connect("mem://tenants").await?;
    /// let refused = session.open_dynamic(&till).await.expect_err("it names no tenant");
    /// assert_eq!(refused.to_string(), "mem://tenants refused: name a `tenant` in the metadata");
    /// let mut metadata = vox::Metadata::new();
    /// metadata.insert("tenant", "acme");
    /// let client = session.open_dynamic_with(&till, metadata).await?;
    /// assert_eq!(client.call_json("whose", "{}")?.await?, Value::from("acme"));
    /// # drop(server);
    /// # Ok(())
    /// # }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
    /// ```
    ///
    /// The closure runs in a task of its own, and holds up nothing of the session but that one connection. The answer may take nine tenths of
    /// `Limits::handshake_timeout`, in a handshake together with that of [`authenticate`](Self::authenticate). A connection for which it takes
    /// longer, or for which the closure panics, is refused as `Busy`. One whose dispatcher cannot be served is refused as `Other`. A connection that
    /// waits for its answer counts for `Limits::max_connections` of its session, and what is kept of it counts for `Limits::session_memory`. A
    /// service whose name has more than 1,024 bytes is refused, and the closure is not asked.
    ///
    /// A dispatcher is dropped when its connection is closed and its handlers have ended. [`describe`](Self::describe) tells of what was given
    /// to [`service`](Self::service) alone.
    pub fn accept_with<F, A, C>(mut self, choose: F) -> Self
    where
        F: Fn(Offer) -> A + Send + Sync + 'static,
        A: Future<Output = Result<C, Refusal>> + Send + 'static,
        C: Into<Choice>,
    {
        self.accept_with = Some(AcceptWith::new(choose));
        self
    }
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offer")
            .field("service", &crate::shown::Shown::name(&self.service))
            .field("metadata", &self.metadata)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Chosen::Own => f.write_str("Choice::usual"),
            Chosen::Other(dispatcher) => {
                write!(f, "Choice::serve({})", crate::shown::Shown::name(dispatcher.service().name))
            }
        }
    }
}
