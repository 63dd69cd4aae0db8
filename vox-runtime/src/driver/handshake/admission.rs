//! Decides whether a peer gets a session: who it is, what serves it, and whether there is room.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::ask_accept_with::{Found, shutting_down};
use super::super::ask_authenticate::patience;
use super::super::clock::now;
use super::super::dispatch::Dispatcher;
use super::super::offer::Offer;
use super::super::peer::Peer;
use super::super::peer_shares::Seat;
use super::{Acceptor, no_common_version};
use crate::error::{Refusal, RefusalCode};
use crate::ids::{Role, ServiceIndex};
use crate::operation::Principal;
use crate::proto::Session;
use crate::transport::Party;
use crate::wire::{Hello, Open, Telling, common_version};

/// A session that may begin.
pub(super) struct Considered {
    pub(super) session: Session,
    pub(super) peer: Peer,
    pub(super) seat: Seat,
    /// The peer knows the service that it asks for otherwise than this end.
    pub(super) differs: Option<Telling>,
    /// What serves its first connection, and nothing else.
    pub(super) chosen: Option<Arc<dyn Dispatcher>>,
}

impl Acceptor {
    pub(super) async fn consider(
        &self,
        hello: &Hello,
        address: &str,
        party: Option<&Party>,
    ) -> Result<Considered, Refusal> {
        if common_version(hello.versions).is_none() {
            return Err(no_common_version(hello.versions));
        }
        if self.seats.available_permits() == 0 {
            return Err(self.full());
        }
        let patience = patience(&self.limits);
        let until = Instant::now() + patience;
        let peer = Peer::new(address.to_owned(), hello.metadata.clone());
        let principal = self.authenticate(&peer).await?;
        let peer = peer.authenticated(principal.clone());
        let mut session = Session::new(Role::Acceptor, Arc::clone(&self.limits), hello.limits, now());
        session.takes_from(Arc::clone(&self.memory));
        let (mut differs, mut chosen) = (None, None);
        if let Some(Open { service, contract, metadata }) = &hello.service {
            let offer = || Offer::new(service, contract.map(|named| named.hash), metadata.clone(), peer.clone(), None);
            let (index, descriptor) = match self.choose(offer, service, until, patience).await? {
                Found::Own(index, descriptor) => (index, descriptor),
                Found::Chosen(dispatcher, descriptor) => {
                    chosen = Some(dispatcher);
                    (self.router.len() as ServiceIndex, descriptor)
                }
            };
            differs = session.accepted_in_handshake(
                index,
                descriptor,
                *contract,
                self.router.heard().recall(descriptor, *contract),
            )?;
        }
        // Only now, so that nobody who is refused takes a seat meanwhile.
        let account = self.accounts.of(&principal, party);
        let most = self.limits.max_peer_sessions;
        let of_peer = account.as_ref().map(|account| account.take_session(most).ok_or_else(|| too_many_of(most)));
        let of_peer = of_peer.transpose()?;
        let of_server = Arc::clone(&self.seats).try_acquire_owned().map_err(|_| self.full())?;
        let seat = Seat { _of_server: of_server, _of_peer: of_peer };
        Ok(Considered { session, peer: peer.counted(account), seat, differs, chosen })
    }

    /// What serves the connection that comes with a session. Nobody waits for the answer when the server shuts down.
    async fn choose(
        &self,
        offer: impl FnOnce() -> Offer,
        service: &str,
        until: Instant,
        patience: Duration,
    ) -> Result<Found, Refusal> {
        tokio::select! {
            biased;
            () = self.closing.cancelled() => Err(shutting_down()),
            found = self.router.choose(offer, service, until, patience) => found,
        }
    }

    /// Who this peer is. Nobody waits for the answer when the server shuts down.
    pub(super) async fn authenticate(&self, peer: &Peer) -> Result<Principal, Refusal> {
        tokio::select! {
            biased;
            () = self.closing.cancelled() => Err(shutting_down()),
            answer = self.router.authenticate(peer, &self.limits) => answer,
        }
    }

    fn full(&self) -> Refusal {
        let why = format!(
            "the server has as many sessions as it takes: {} (`Limits::max_sessions`)",
            self.limits.max_sessions
        );
        Refusal::new(RefusalCode::Busy, why)
    }
}

fn too_many_of(most: usize) -> Refusal {
    let why = format!(
        "the peer has as many sessions as one principal or address may have: {most} (`Limits::max_peer_sessions`)"
    );
    Refusal::new(RefusalCode::Busy, why)
}
