//! The peer of a session, as this end knows it.

use std::sync::Arc;

use super::peer_shares::Account;
use crate::metadata::Metadata;
use crate::operation::Principal;

/// The other end of a session.
#[derive(Debug, Clone)]
pub struct Peer {
    address: String,
    metadata: Metadata,
    principal: Principal,
    /// What it takes of the server.
    account: Option<Arc<Account>>,
}

impl Peer {
    pub(crate) fn new(address: String, metadata: Metadata) -> Self {
        Self { address, metadata, principal: Principal::anonymous(), account: None }
    }

    /// The same peer, as who it was authenticated.
    pub(crate) fn authenticated(self, principal: Principal) -> Self {
        Self { principal, ..self }
    }

    /// The same peer, whose share is counted there.
    pub(crate) fn counted(self, account: Option<Arc<Account>>) -> Self {
        Self { account, ..self }
    }

    pub(crate) fn account(&self) -> Option<&Arc<Account>> {
        self.account.as_ref()
    }

    /// Where the link leads, as this end's own transport says: the peer has no part in it.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Who it was authenticated as; anonymous where this end does not ask.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// What the peer said of itself in the handshake. It may say anything.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}
