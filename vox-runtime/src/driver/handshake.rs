//! The handshake turns a link into a session, within one deadline, and starts the session's task.

mod admission;

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use self::admission::Considered;
use super::ask_accept_with::shutting_down;
use super::clock::now;
use super::connect_error::ConnectError;
use super::handshake_io::{read_handshake, write_handshake};
use super::peer::Peer;
use super::peer_shares::Accounts;
use super::pending_handshakes::{Entrance, InRoom};
use super::reading::Reader;
use super::registry::{Claim, Registry, new_ticket};
use super::router::Router;
use super::server_memory::ServerMemory;
use super::session_task::Driver;
use super::shared::Shared;
use super::writer::Writer;
use crate::descriptor::ServiceDescriptor;
use crate::error::{EndReason, Refusal, RefusalCode};
use crate::ids::{ConnectionId, Role};
use crate::limits::{Limits, Purse, Refusals, Refused};
use crate::metadata::Metadata;
use crate::operation::Principal;
use crate::proto::{Recalled, Session};
use crate::transport::{DialTarget, Failure, Greeter, Link, Party, WriteHalf, dial, memory_pair_at};
use crate::wire::{
    Greeting, Hello, Named, Open, RESUME, Resume, Resumed, SessionId, Ticket, VERSION, Welcome, common_version,
    differs_by, features_of, words,
};

/// The longest reason of a refusal in a handshake, in bytes: a peer may take few of a handshake.
const MAX_WORDS: usize = 4 << 10;

/// What a handshake does.
type Phases<'a, T> = Pin<Box<dyn Future<Output = Result<T, ConnectError>> + Send + 'a>>;

/// A session that is up.
pub(crate) struct Established {
    pub(crate) shared: Arc<Shared>,
    /// The connection that the handshake opened for this end to call.
    pub(crate) connection: Option<ConnectionId>,
}

/// What the end that connects brings along.
pub(crate) struct Asking {
    pub(crate) limits: Arc<Limits>,
    pub(crate) router: Router,
    /// What it says of itself in this handshake.
    pub(crate) metadata: Metadata,
    /// The service to open a connection to in the same breath.
    pub(crate) service: Option<(&'static ServiceDescriptor, Metadata)>,
    /// The session is to be resumed.
    pub(crate) resumes: bool,
}

/// What the end that accepts has.
pub(crate) struct Acceptor {
    pub(crate) limits: Arc<Limits>,
    pub(crate) router: Router,
    /// Where its sessions are found again, if they can be resumed.
    pub(crate) registry: Option<Arc<Registry>>,
    /// How many sessions there may yet be. A new one takes its seat before it is welcomed, and keeps it to its end.
    pub(crate) seats: Arc<Semaphore>,
    /// What each peer has of them.
    accounts: Accounts,
    /// What all of them may keep of their peers.
    memory: Arc<Box<dyn Purse>>,
    /// Nobody is welcomed any more.
    pub(crate) closing: CancellationToken,
}

/// What a link turned out to be for.
pub(crate) enum AcceptedLink {
    New(Established, Option<SessionId>),
    /// An old session has it.
    Resumed,
}

/// Speaks first, over this link: asks for a session and, in the same breath, for a connection.
pub(crate) async fn initiate(link: Link, asking: Asking) -> Result<Established, ConnectError> {
    let address = link.address().to_owned();
    let greeting = Box::pin(asking.greet(link));
    let (link, welcome, recalled) = within(&asking.limits, greeting).await.map_err(|error| error.at(&address))?;
    Ok(asking.establish(link, welcome, recalled))
}

/// As [`initiate`], over the first link to a target whose peer answers.
pub(crate) async fn initiate_at(target: &dyn DialTarget, asking: Asking) -> Result<Established, ConnectError> {
    let dialling = Box::pin(dial(target, asking.limits.handshake_timeout, &asking));
    let (link, welcome, recalled) = dialling.await.map_err(|failure| match failure {
        Failure::NoLink(why) => ConnectError::NoLink(why),
        Failure::Greeting(error) => error,
    })?;
    Ok(asking.establish(link, welcome, recalled))
}

impl Greeter for Asking {
    /// The link, what its peer said, and which contract it was asked whether it is its own.
    type Met = (Link, Welcome, Option<Recalled>);
    type Error = ConnectError;

    async fn greet(&self, mut link: Link) -> Result<Self::Met, ConnectError> {
        let (welcome, recalled) = self.ask(&mut link).await.map_err(|error| error.at(link.address()))?;
        Ok((link, welcome, recalled))
    }

    fn is_final(&self, error: &ConnectError) -> bool {
        !error.passes()
    }
}

impl Asking {
    async fn ask(&self, link: &mut Link) -> Result<(Welcome, Option<Recalled>), ConnectError> {
        let features = if self.resumes { RESUME } else { 0 };
        let (versions, limits, time) = ((VERSION, VERSION), self.limits.announced(), self.router.millis());
        let metadata = self.metadata.clone();
        let recalled = self.service.as_ref().and_then(|(service, _)| self.router.likely(&service.contract()));
        let service = self.service.as_ref().map(|(service, metadata)| Open {
            service: service.name.to_owned(),
            metadata: metadata.clone(),
            contract: Some(Named::new(service.contract().hash(), recalled.as_ref().map(|told| told.hash))),
        });
        write_handshake(link, &Greeting::Hello(Hello { versions, features, limits, time, metadata, service })).await?;
        match read_handshake(&mut link.read, &self.limits).await? {
            Greeting::Rejected(refusal) => Err(ConnectError::refused(refusal)),
            Greeting::Welcome(welcome) if welcome.version != VERSION => {
                let why = format!("the peer chose version {}, which was not offered", welcome.version);
                Err(ConnectError::handshake(why))
            }
            Greeting::Welcome(welcome) => Ok((welcome, recalled)),
            Greeting::Hello(_) | Greeting::Resume(_) | Greeting::Resumed(_) | Greeting::Confirm => {
                Err(ConnectError::handshake("the peer did not say what it should have answered"))
            }
        }
    }

    fn establish(self, link: Link, welcome: Welcome, recalled: Option<Recalled>) -> Established {
        let Self { limits, router, service, resumes, .. } = self;
        let mut session = Session::new(Role::Initiator, Arc::clone(&limits), welcome.limits, now());
        let redial = welcome.ticket.filter(|_| resumes).map(|ticket| {
            session.resumes(limits.resume_window);
            Box::new(Mutex::new(ticket))
        });
        let differs = differs_by(welcome.features);
        let connection =
            service.map(|(service, _)| session.opened_in_handshake(Some(service.contract()), recalled, differs));
        let peer = Peer::new(link.address().to_owned(), Metadata::new());
        Established { shared: start(session, link, router, limits, (peer, welcome.time), redial), connection }
    }
}

/// The session of a client that is not connected yet: one that has ended. What the peer takes is not known, so it is taken for
/// what this end does.
pub(crate) fn unconnected(limits: Arc<Limits>, address: String) -> Arc<Shared> {
    let mut session = Session::new(Role::Initiator, Arc::clone(&limits), limits.announced(), now());
    session.abandoned(EndReason::LinkLost("not connected yet".into()));
    let (read, write) = (Reader::new(Box::new(tokio::io::empty())), Writer::new(WriteHalf::nowhere(), 0));
    // Nor is its time, so this end's stands for it.
    let router = Router::default();
    let peer = (Peer::new(address, Metadata::new()), router.millis());
    let shared = Shared::new(session, write, read, router, limits, peer, None);
    shared.change(|state| state.finish());
    shared
}

/// Answers: refuses what cannot be served, with a reason.
pub(crate) async fn accept(
    mut link: Link,
    acceptor: &Acceptor,
    mut entrance: Entrance,
) -> Result<AcceptedLink, ConnectError> {
    let address = link.address().to_owned();
    let welcoming = Box::pin(async {
        entrance.waits_for_word(link.party.as_ref());
        let heard = tokio::select! {
            biased;
            () = acceptor.closing.cancelled() => None,
            () = entrance.sent_away() => return Err(sent_away()),
            heard = read_handshake(&mut link.read, &acceptor.limits) => Some(heard?),
        };
        let Some(greeting) = heard else { return reject(link, shutting_down()).await };
        entrance.has_spoken();
        match greeting {
            Greeting::Hello(hello) => {
                let place = tokio::select! {
                    biased;
                    () = acceptor.closing.cancelled() => Err(shutting_down()),
                    place = acceptor.admit(link.party.as_ref(), entrance) => place,
                };
                match place {
                    Ok(_place) => acceptor.welcome(link, hello).await,
                    Err(refusal) => reject(link, refusal).await,
                }
            }
            Greeting::Resume(resume) => acceptor.resume(link, resume, entrance).await,
            Greeting::Welcome(_) | Greeting::Rejected(_) | Greeting::Resumed(_) | Greeting::Confirm => {
                Err(ConnectError::handshake("the peer answered where it should have said hello"))
            }
        }
    });
    let welcomed = within(&acceptor.limits, welcoming).await;
    if let Err(error) = &welcomed {
        acceptor.note_missed(error);
    }
    welcomed.map_err(|error| error.at(&address))
}

fn sent_away() -> ConnectError {
    ConnectError::handshake("the peer had said nothing while others waited (`max_pending_handshakes`)")
}

fn outnumbered() -> ConnectError {
    ConnectError::handshake("the peer has asked for its session over several links since")
}

impl Acceptor {
    /// The right to ask for a session. Who the peer is, is not known yet: what counts is where its link comes from.
    async fn admit(&self, party: Option<&Party>, entrance: Entrance) -> Result<InRoom, Refusal> {
        let account = self.accounts.of(&Principal::anonymous(), party);
        entrance.wants_session(account, self.limits.max_peer_handshakes).await
    }

    pub(crate) fn new(limits: Limits, router: Router, registry: Option<Arc<Registry>>) -> Self {
        let seats = Arc::new(Semaphore::new(limits.max_sessions.min(Semaphore::MAX_PERMITS)));
        let memory: Box<dyn Purse> = Box::new(ServerMemory::new(limits.server_memory));
        Self {
            limits: limits.into(),
            router,
            registry,
            seats,
            memory: memory.into(),
            accounts: Accounts::default(),
            closing: CancellationToken::new(),
        }
    }

    /// How much all sessions have taken of what they may keep of their peers.
    pub(crate) fn memory_taken(&self) -> usize {
        self.memory.sums().0
    }

    /// What all sessions turned down so far.
    pub(crate) fn refusals(&self) -> Refusals {
        self.memory.refusals()
    }

    /// A handshake has failed. Those that a shutdown ends do not count.
    fn note_missed(&self, error: &ConnectError) {
        let shuts_down =
            matches!(error, ConnectError::Refused { refusal, .. } if refusal.code == RefusalCode::ShuttingDown);
        if !shuts_down {
            self.memory.note(Refused::Link);
        }
    }

    /// How many sessions have not ended. Sessions that are being welcomed count too.
    pub(crate) fn seated(&self) -> usize {
        self.limits.max_sessions.min(Semaphore::MAX_PERMITS) - self.seats.available_permits()
    }

    async fn welcome(&self, mut link: Link, hello: Hello) -> Result<AcceptedLink, ConnectError> {
        let considered = match self.consider(&hello, link.address(), link.party.as_ref()).await {
            Ok(considered) => considered,
            Err(refusal) => return reject(link, refusal).await,
        };
        let Considered { mut session, peer, seat, differs, chosen } = considered;
        let resumable = self.registry.as_ref().filter(|_| hello.features & RESUME != 0);
        let ticket = resumable.and_then(|_| new_ticket());
        if ticket.is_some() {
            session.resumes(self.limits.resume_window);
        }
        let (limits, time) = (self.limits.announced(), self.router.millis());
        let welcome =
            Welcome { version: VERSION, features: features_of(differs), limits, time, ticket: ticket.clone() };
        write_handshake(&mut link, &Greeting::Welcome(welcome)).await?;
        let router = self.router.clone();
        let shared = prepared(session, link, router, Arc::clone(&self.limits), (peer, hello.time), None);
        shared.serve_first_by(chosen);
        tokio::spawn(Driver::new(Arc::clone(&shared)));
        if let (Some(registry), Some(ticket)) = (resumable, &ticket) {
            registry.insert(ticket, &shared);
        }
        shared.change(|state| state.take_seat(seat));
        Ok(AcceptedLink::New(Established { shared, connection: None }, ticket.map(|ticket| ticket.session)))
    }

    /// Gives an old session its new link. Whatever is wrong with the ticket, the answer is the same. A wrong secret is found before anybody is
    /// asked who the peer is. A link that shows the right one leaves its place at the door.
    async fn resume(&self, link: Link, resume: Resume, entrance: Entrance) -> Result<AcceptedLink, ConnectError> {
        if common_version(resume.versions).is_none() {
            return reject(link, no_common_version(resume.versions)).await;
        }
        let come = self.registry.as_ref().and_then(|registry| Some((registry, registry.come(&resume.ticket)?)));
        let Some((registry, claimant)) = come else { return reject(link, session_lost()).await };
        drop(entrance);
        tokio::select! {
            biased;
            () = claimant.sent_away() => Err(outnumbered()),
            resumed = self.resume_from(registry, link, resume) => resumed,
        }
    }

    /// As [`resume`](Self::resume), of one that has shown a good ticket.
    async fn resume_from(
        &self,
        registry: &Registry,
        mut link: Link,
        resume: Resume,
    ) -> Result<AcceptedLink, ConnectError> {
        let peer = Peer::new(link.address().to_owned(), resume.metadata);
        let principal = match self.authenticate(&peer).await {
            Ok(principal) => principal,
            // This tells the peer that its ticket is good. Only one with the secret gets here.
            Err(refusal) => return reject(link, refusal).await,
        };
        let claim = registry.claim(&resume.ticket, &principal);
        let Some(claim) = claim else { return reject(link, session_lost()).await };
        let shared = Arc::clone(&claim.shared);
        let Some(received) = make_way(registry, &claim, resume.received) else {
            return reject(link, session_lost()).await;
        };
        let resumed = Resumed { received, time: self.router.millis(), secret: claim.secret.clone() };
        write_handshake(&mut link, &Greeting::Resumed(resumed)).await?;
        match read_handshake(&mut link.read, &self.limits).await? {
            Greeting::Confirm => {}
            Greeting::Rejected(refusal) => {
                shared.change(|state| state.session.lost("the peer cannot go on from where this end is"));
                return Err(ConnectError::refused(refusal));
            }
            Greeting::Hello(_) | Greeting::Welcome(_) | Greeting::Resume(_) | Greeting::Resumed(_) => {
                return Err(ConnectError::handshake("the peer did not confirm"));
            }
        }
        let gone = || ConnectError::handshake("the session has another link, or has ended");
        shared.hear_time(resume.time);
        // Under the session's lock, so that no later claim is answered in between.
        shared.attach(link, resume.received, || registry.confirm(&claim)).map_err(|_| gone())?;
        Ok(AcceptedLink::Resumed)
    }
}

/// Lets go of the link that the session has, for the one that is asked for by a peer that has received so much. Gives back how
/// much this end has. `None`: it is not to have the session.
fn make_way(registry: &Registry, claim: &Claim, peer_received: u64) -> Option<u64> {
    claim.shared.change(|state| {
        // Another may have been confirmed since the claim was looked at: that one is not to be lost for this.
        if !registry.stands(claim) {
            return None;
        }
        // A link that there still is leads nowhere: its other end has given it up.
        state.session.link_lost(now(), EndReason::LinkLost("the peer has made another".into()));
        state.session.continues_from(peer_received).then(|| state.session.received())
    })
}

async fn reject(mut link: Link, refusal: Refusal) -> Result<AcceptedLink, ConnectError> {
    // The reason may be the application's, and the peer reads no more of it.
    let refusal = Refusal { reason: words(&refusal.reason, MAX_WORDS).to_owned(), ..refusal };
    write_handshake(&mut link, &Greeting::Rejected(refusal.clone())).await?;
    let _ = link.write.shutdown().await;
    Err(ConnectError::refused(refusal))
}

fn no_common_version(versions: (u64, u64)) -> Refusal {
    let why = format!("this end speaks version {VERSION}, the peer {} to {}", versions.0, versions.1);
    Refusal::new(RefusalCode::Other, why)
}

fn session_lost() -> Refusal {
    Refusal::new(RefusalCode::SessionLost, "there is no such session for this peer")
}

/// A session of two ends in this process, made without a handshake, whose peer is said to be `peer` and serves what `router` finds: the end
/// that accepted, and the peer's. The peer's end is the initiator, so it ends the session when nobody holds it.
pub(crate) fn face_to_face(peer: Peer, router: Router) -> (Arc<Shared>, Arc<Shared>) {
    let limits = Arc::new(Limits::default());
    let (ours, theirs) = memory_pair_at(peer.address());
    let far = Peer::new(peer.address().to_owned(), Metadata::new());
    let end = |role| Session::new(role, Arc::clone(&limits), limits.announced(), now());
    let (near_time, far_time) = (Router::default().millis(), router.millis());
    let far = start(end(Role::Initiator), theirs, router, Arc::clone(&limits), (far, near_time), None);
    let near = start(end(Role::Acceptor), ours, Router::default(), Arc::clone(&limits), (peer, far_time), None);
    (near, far)
}

fn start(
    session: Session,
    link: Link,
    router: Router,
    limits: Arc<Limits>,
    peer: (Peer, u64),
    ticket: Option<Box<Mutex<Ticket>>>,
) -> Arc<Shared> {
    let shared = prepared(session, link, router, limits, peer, ticket);
    tokio::spawn(Driver::new(Arc::clone(&shared)));
    shared
}

/// A session that nobody runs yet.
fn prepared(
    session: Session,
    link: Link,
    router: Router,
    limits: Arc<Limits>,
    peer: (Peer, u64),
    ticket: Option<Box<Mutex<Ticket>>>,
) -> Arc<Shared> {
    let Link { read, write, .. } = link;
    Shared::new(session, Writer::new(write, 0), Reader::new(read), router, limits, peer, ticket)
}

/// The phases have memory of their own, which is free again when they are over: what comes after them may last for long.
async fn within<T>(limits: &Limits, phases: Phases<'_, T>) -> Result<T, ConnectError> {
    match tokio::time::timeout(limits.handshake_timeout, phases).await {
        Ok(result) => result,
        Err(_) => Err(ConnectError::timeout(limits.handshake_timeout)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::memory_pair;

    /// Two threads have looked at the same secret, and one of them was quicker all the way.
    #[tokio::test(start_paused = true)]
    async fn a_link_that_was_confirmed_is_not_lost_for_one_that_was_claimed_before() {
        let (limits, registry) = (Limits::default(), Arc::new(Registry::default()));
        let acceptor = Acceptor::new(limits.clone(), Router::default(), Some(Arc::clone(&registry)));
        let (mut near, far) = memory_pair();
        let (versions, announced) = ((VERSION, VERSION), limits.announced());
        let hello =
            Hello { versions, features: RESUME, limits: announced, time: 0, metadata: Metadata::new(), service: None };
        write_handshake(&mut near, &Greeting::Hello(hello)).await.expect("heard");
        let Ok(AcceptedLink::New(Established { shared, .. }, _)) = accept(far, &acceptor, Entrance::open()).await
        else {
            panic!("it is let in");
        };
        let Ok(Greeting::Welcome(Welcome { ticket: Some(ticket), .. })) = read_handshake(&mut near.read, &limits).await
        else {
            panic!("it may be resumed");
        };
        let claim = || registry.claim(&ticket, &Principal::anonymous()).expect("its own secret");
        let (slow, quick) = (claim(), claim());
        assert_eq!(make_way(&registry, &quick, 0), Some(0));
        assert!(shared.lock().waits_for_link(), "the first link is gone");
        let (_client, next) = memory_pair();
        shared.attach(next, 0, || registry.confirm(&quick)).expect("the session is its own");
        assert_eq!(make_way(&registry, &slow, 0), None);
        assert!(!shared.lock().waits_for_link(), "it keeps its link");
        let (_other, late) = memory_pair();
        assert!(shared.attach(late, 0, || registry.confirm(&slow)).is_err());
        assert_eq!(shared.lock().session.end_reason(), None);
    }
}
