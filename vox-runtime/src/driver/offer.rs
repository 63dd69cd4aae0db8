//! A connection that a peer asks for, and the answer to it.

use std::fmt;
use std::sync::Arc;

use super::dispatch::Dispatcher;
use super::peer::Peer;
use super::shared::Shared;
use crate::metadata::Metadata;
use crate::operation::Principal;
use crate::schema::SchemaHash;

/// A connection that a peer asks for: which service, and who asks. [`ServerBuilder::accept_with`](crate::ServerBuilder::accept_with) is given one.
#[derive(Clone)]
pub struct Offer {
    service: Arc<str>,
    contract: Option<SchemaHash>,
    metadata: Metadata,
    peer: Peer,
    /// The session, where there is one yet.
    pub(crate) shared: Option<Arc<Shared>>,
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

    /// What the peer sent to open the connection: [`Session::open_with`](crate::Session::open_with). It may say anything.
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
}

impl Choice {
    /// What was given to [`ServerBuilder::service`](crate::ServerBuilder::service) under the name that is asked for. Where there is no such service, the peer is refused as
    /// without [`accept_with`](crate::ServerBuilder::accept_with).
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

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offer")
            .field("service", &crate::escaped::Escaped::name(&self.service))
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
                write!(f, "Choice::serve({})", crate::escaped::Escaped::name(dispatcher.service().name))
            }
        }
    }
}
