//! From a link to a session: the handshake, within one deadline, and the task that runs what comes of it.

use std::io;
use std::sync::Arc;
use std::task::Waker;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use super::router::Router;
use super::shared::Shared;
use super::task::Driver;
use super::writer::{Writer, now};
use crate::client::ConnectError;
use crate::error::{Refusal, RefusalCode};
use crate::ids::{ConnectionId, Role};
use crate::limits::Limits;
use crate::metadata::Metadata;
use crate::proto::Session;
use crate::server::Peer;
use crate::transport::Link;
use crate::wire::{Greeting, Hello, LENGTH_BYTES, VERSION, Welcome, common_version};

/// A session that is up.
pub(crate) struct Established {
    pub(crate) shared: Arc<Shared>,
    /// The connection that the handshake opened for this end to call.
    pub(crate) connection: Option<ConnectionId>,
}

/// Speaks first: asks for a session and, in the same breath, for a connection.
pub(crate) async fn initiate(
    mut link: Link,
    limits: Limits,
    router: Router,
    metadata: Metadata,
    service: Option<(String, Metadata)>,
) -> Result<Established, ConnectError> {
    let asks = service.is_some();
    let hello = Hello { versions: (VERSION, VERSION), features: 0, limits: limits.announced(), metadata, service };
    let answer = within(&limits, async {
        say(&mut link, &Greeting::Hello(hello)).await?;
        hear(&mut link.read, &limits).await
    })
    .await?;
    match answer {
        Greeting::Rejected(refusal) => Err(ConnectError::Refused(refusal)),
        Greeting::Hello(_) | Greeting::Resume(_) | Greeting::Resumed(_) | Greeting::Confirm => {
            Err(ConnectError::Handshake("the peer said hello where it should have answered".to_owned()))
        }
        Greeting::Welcome(welcome) if welcome.version != VERSION => {
            Err(ConnectError::Handshake(format!("the peer chose version {}, which was not offered", welcome.version)))
        }
        Greeting::Welcome(welcome) => {
            let mut session = Session::new(Role::Initiator, limits.clone(), welcome.limits, now());
            let connection = asks.then(|| session.opened_in_handshake());
            let peer = Peer::new(link.address().to_owned(), Metadata::new());
            Ok(Established { shared: start(session, link, router, limits, peer), connection })
        }
    }
}

/// Answers: refuses what cannot be served, with a reason.
pub(crate) async fn accept(mut link: Link, limits: Limits, router: Router) -> Result<Established, ConnectError> {
    let (session, peer) = within(&limits, async {
        let greeting = hear(&mut link.read, &limits).await?;
        let Greeting::Hello(hello) = greeting else {
            return Err(ConnectError::Handshake("the peer answered where it should have said hello".to_owned()));
        };
        let (session, welcome, peer) = match consider(hello, link.address(), &limits, &router) {
            Ok(welcome) => welcome,
            Err(refusal) => {
                say(&mut link, &Greeting::Rejected(refusal.clone())).await?;
                let _ = link.write.shutdown().await;
                return Err(ConnectError::Refused(refusal));
            }
        };
        say(&mut link, &Greeting::Welcome(welcome)).await?;
        Ok((session, peer))
    })
    .await?;
    Ok(Established { shared: start(session, link, router, limits, peer), connection: None })
}

fn consider(
    hello: Hello,
    address: &str,
    limits: &Limits,
    router: &Router,
) -> Result<(Session, Welcome, Peer), Refusal> {
    let Some(version) = common_version(hello.versions) else {
        let why = format!("this end speaks version {VERSION}, the peer {} to {}", hello.versions.0, hello.versions.1);
        return Err(Refusal::new(RefusalCode::Other, why));
    };
    let peer = Peer::new(address.to_owned(), hello.metadata);
    let principal = router.authenticate(&peer)?;
    let mut session = Session::new(Role::Acceptor, limits.clone(), hello.limits, now());
    if let Some((service, _)) = &hello.service {
        let (index, descriptor) = router.find(service).ok_or_else(|| router.refusal(service))?;
        session.accepted_in_handshake(index, descriptor);
    }
    let welcome = Welcome { version, features: 0, limits: limits.announced(), ticket: None };
    Ok((session, welcome, peer.authenticated(principal)))
}

fn start(session: Session, link: Link, router: Router, limits: Limits, peer: Peer) -> Arc<Shared> {
    let Link { read, write, address: _ } = link;
    let writer = Writer { io: write, waker: Waker::noop().clone() };
    let shared = Shared::new(session, writer, router, limits, peer);
    tokio::spawn(Driver::new(Arc::clone(&shared), read));
    shared
}

async fn within<T>(limits: &Limits, phases: impl Future<Output = Result<T, ConnectError>>) -> Result<T, ConnectError> {
    match tokio::time::timeout(limits.handshake_timeout, phases).await {
        Ok(result) => result,
        Err(_) => Err(ConnectError::Timeout),
    }
}

async fn say(link: &mut Link, greeting: &Greeting) -> Result<(), ConnectError> {
    let mut bytes = Vec::new();
    greeting.put(&mut bytes);
    link.write.write_all(&bytes).await?;
    link.write.flush().await?;
    Ok(())
}

async fn hear(read: &mut (dyn AsyncRead + Send + Unpin), limits: &Limits) -> Result<Greeting, ConnectError> {
    let mut length = [0; LENGTH_BYTES];
    read.read_exact(&mut length).await.map_err(closed_early)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > limits.max_handshake_bytes {
        let why =
            format!("a handshake of {length} bytes, over the limit of {}: not a vox peer?", limits.max_handshake_bytes);
        return Err(ConnectError::Handshake(why));
    }
    let mut body = vec![0; length];
    read.read_exact(&mut body).await.map_err(closed_early)?;
    Greeting::parse(&Bytes::from(body)).map_err(|violation| ConnectError::Handshake(violation.to_string()))
}

fn closed_early(error: io::Error) -> ConnectError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            ConnectError::Handshake("the peer closed the link during the handshake".to_owned())
        }
        _ => ConnectError::Io(error),
    }
}
