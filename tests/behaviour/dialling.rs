//! Making links: to names with several addresses, to peers that are silent, and what errors say of it.

use std::io::{Error, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use tokio::net::TcpListener;
use vox::transport::{Connector, Link};
use vox::{Client, ConnectError, Limits, Metadata, Server};

use crate::lab::{Bench, LabClient, LabDispatcher};
use crate::support::cable::Cable;
use crate::support::settle;

fn lab() -> LabDispatcher<Bench> {
    LabDispatcher::new(Bench::default())
}

async fn failure(target: impl Into<vox::Target>) -> ConnectError {
    vox::connect::<LabClient>(target).await.expect_err("nobody is there")
}

#[tokio::test]
async fn errors_name_the_address() {
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("tcp://{}", free.local_addr().expect("bound"));
    drop(free);
    assert_eq!(failure(&address).await.to_string(), format!("no link to {address}: connection refused"));
    let nobody = failure("mem://nobody").await.to_string();
    assert_eq!(nobody, "no link to mem://nobody: nobody listens");
    let connector = Connector::new("the moon", async || Err(Error::from(ErrorKind::HostUnreachable)));
    assert_eq!(failure(connector).await.to_string(), "no link to the moon: host unreachable");
    #[cfg(unix)]
    {
        let missing = failure("unix:///no/such/folder/socket").await.to_string();
        assert_eq!(missing, "no link to unix:///no/such/folder/socket: no such file");
    }
}

#[tokio::test]
async fn what_cannot_be_an_address_is_told_and_not_looked_up() {
    for (address, fault) in [
        ("tcp://[::1:80", "its host is no name and no number; an IPv6 address is written in brackets"),
        ("::1]:80", "its host is no name and no number; an IPv6 address is written in brackets"),
        ("tcp://user@bank:80", "its host is no name and no number; an IPv6 address is written in brackets"),
        ("bank/path:80", "its host is no name and no number; an IPv6 address is written in brackets"),
        ("tcp://bank\r\n:80", "it has control characters"),
        ("unix:///run/\u{1b}[31m", "it has control characters"),
        ("mem://a\0b", "it has control characters"),
    ] {
        let error = failure(address).await;
        assert!(matches!(error, ConnectError::Address(_)), "{address:?}: {error:?}");
        let text = error.to_string();
        assert!(text.contains(fault) && !text.contains(char::is_control), "{address:?}: {text:?}");
    }
}

/// Nothing is printed twice where the chain of causes is printed.
#[tokio::test]
async fn errors_say_what_they_say_once() {
    let error = failure("mem://nobody").await;
    assert!(std::error::Error::source(&error).is_none(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_connector_that_never_returns_is_given_up() {
    let connector = Connector::new("a black hole", async || std::future::pending().await);
    let before = tokio::time::Instant::now();
    let error = failure(connector).await;
    assert_eq!(before.elapsed(), Limits::default().handshake_timeout);
    assert_eq!(error.to_string(), "no link to a black hole: no answer in 10s");
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_the_users_own_names_the_address_too() {
    let connector = Connector::new("a black hole", async || std::future::pending().await);
    let connecting = vox::connect::<LabClient>(connector).timeout(Duration::from_secs(2));
    let error = connecting.await.expect_err("nobody is there");
    assert_eq!(error.to_string(), "no session with a black hole within 2s");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_the_first_attempt_says_so() {
    let connector = Connector::new("a black hole", async || std::future::pending().await);
    let lab: LabClient = vox::connect(connector).lazy().expect("it dials later");
    let error = lab.echo(1).timeout(Duration::from_secs(2)).await.expect_err("nobody is there");
    assert_eq!(
        error.to_string(),
        "Lab.echo at a black hole: the call was not sent: no link to a black hole: not connected yet, and no attempt to \
         make one has ended yet"
    );
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_the_link_and_says_nothing_is_given_up() {
    let connector = Connector::new("a wall", async || {
        let (ours, theirs) = tokio::io::duplex(1024);
        tokio::spawn(async move {
            let _theirs = theirs;
            std::future::pending::<()>().await
        });
        Ok(Link::new(ours, "a wall"))
    });
    let before = tokio::time::Instant::now();
    let error = failure(connector).await;
    assert_eq!(before.elapsed(), Limits::default().handshake_timeout);
    assert_eq!(error.to_string(), "no link to a wall: no answer in 10s");
}

/// More links at once than the listener's backlog holds, before the server has taken one.
#[tokio::test]
async fn a_burst_over_memory_waits() {
    let server = Server::builder().service(lab()).bind("mem://burst").await.expect("free");
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..500 {
        calls.spawn(async move {
            let lab: LabClient = vox::connect("mem://burst").await.expect("it waits");
            lab.echo(n).await.expect("an answer")
        });
    }
    let mut sum = 0;
    while let Some(answer) = calls.join_next().await {
        sum += answer.expect("no panic");
    }
    assert_eq!(sum, 499 * 250);
    drop(server);
}

/// One name, two addresses: nobody listens at one of them, or somebody who says nothing.
#[tokio::test]
async fn a_name_with_a_dead_and_a_live_address_is_reached() {
    let found: Vec<_> = tokio::net::lookup_host("localhost:1").await.expect("a name").collect();
    let both = found.iter().any(|found| found.is_ipv4()) && found.iter().any(|found| found.is_ipv6());
    for (live, dead) in [("127.0.0.1", "[::1]"), ("[::1]", "127.0.0.1")] {
        let Ok(server) = Server::builder().service(lab()).bind(format!("tcp://{live}:0")).await else { continue };
        let address = server.address();
        let port = address.rsplit(':').next().expect("a port");
        let name = format!("tcp://localhost:{port}");
        if !both && found.iter().all(|found| found.is_ipv6() != live.starts_with('[')) {
            continue;
        }
        let client: LabClient = vox::connect(&name).await.expect("the other address is refused");
        assert_eq!(client.echo(1).await, Ok(1));
        // From here on somebody takes links at the other address, and says nothing.
        let Ok(silent) = TcpListener::bind(format!("{dead}:{port}")).await else { continue };
        let taken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&taken);
        let silence = tokio::spawn(async move {
            let mut links = Vec::new();
            while let Ok(link) = silent.accept().await {
                count.fetch_add(1, SeqCst);
                links.push(link);
            }
        });
        let client: LabClient = vox::connect(&name).await.expect("the other address is silent");
        assert_eq!(client.echo(2).await, Ok(2));
        silence.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn credentials_are_asked_for_in_every_handshake() {
    let shown = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&shown);
    let authenticate = move |peer: vox::Peer| {
        seen.lock().expect("no panic").push(peer.metadata().get("token").map(str::to_owned));
        assert_eq!(peer.metadata().get("who"), Some("me"));
        assert!(!format!("{:?}", peer.metadata()).contains("token-"));
        async { Ok(vox::Principal::new("somebody")) }
    };
    let server = Server::builder().service(lab()).authenticate(authenticate).start().expect("a server");
    let cable = Cable::to(server);
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let connecting = vox::connect(cable.connector()).metadata("who", "me").credentials(move || {
        let number = asked.fetch_add(1, SeqCst);
        async move {
            let mut metadata = Metadata::new();
            metadata.insert("token", format!("token-{number}"));
            metadata
        }
    });
    assert!(!format!("{connecting:?}").contains("token"));
    let lab: LabClient = connecting.await.expect("a session");
    let session = lab.caller().session();
    // Resumed twice, then lost and made anew.
    for n in 0..2 {
        cable.cut();
        assert_eq!(lab.echo(n).await, Ok(n));
    }
    let fresh = Server::builder().service(LabDispatcher::new(Bench::default()));
    let seen = Arc::clone(&shown);
    let fresh = fresh.authenticate(move |peer: vox::Peer| {
        seen.lock().expect("no panic").push(peer.metadata().get("token").map(str::to_owned));
        async { Ok(vox::Principal::new("somebody")) }
    });
    let old = cable.unplug();
    settle().await;
    cable.plug(Arc::new(fresh.start().expect("a server")));
    assert_eq!(lab.echo(7).await, Ok(7));
    let shown = shown.lock().expect("no panic").clone();
    assert!(shown.iter().all(Option::is_some) && shown.is_sorted_by(|a, b| a < b), "each is fresh: {shown:?}");
    assert!(shown.len() >= 4, "connect, two resumes, a new session: {shown:?}");
    let asked = counted.load(SeqCst);
    assert!(
        asked > shown.len(),
        "and one resume of a session that is not known, whose peer nobody is asked about: {asked}"
    );
    drop((old, session));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_told_no_credentials_is_not_reached_and_the_error_says_why() {
    let server = Server::builder().service(lab()).start().expect("a server");
    let cable = Cable::to(server);
    let connecting = vox::connect::<LabClient>(cable.connector());
    let none = async || Err::<Metadata, _>("the vault is sealed");
    let error = connecting.credentials(none).await.expect_err("none to show");
    assert_eq!(error.to_string(), "no credentials for cable: the vault is sealed");
    let connecting = vox::connect::<LabClient>(cable.connector()).sensitive_metadata("token", "hunter2");
    let error = connecting.credentials(async || std::future::pending::<Metadata>().await).await.expect_err("none");
    assert_eq!(error.to_string(), "no credentials for cable: they took longer than 10s (`Limits::handshake_timeout`)");
    assert_eq!(cable.attempts(), 0);
}
