//! What is a peer's reaches no log and no terminal as it came: whatever prints it, `Display`, `Debug`, a span or an event, escapes and cuts it.

use std::fmt::{Debug, Display};
use std::io;
use std::sync::Mutex;
use std::time::Duration;

use vox::transport::{Connector, Link};
use vox::{
    Client as _, Limits, Metadata, MethodError, Peer, Principal, Refusal, RefusalCode, Rx, ServeError, Server, Tx,
    VoxError,
};

use crate::lab::{Bench, LabClient, LabDispatcher};
use crate::support::log::Log;
use crate::support::raw::{self, Raw, frame};
use crate::support::settle;

/// Colours, lines of its own, a NUL, a C1 control, text from right to left, and separators.
const HOSTILE: &str = "\x1b[31mred\r\nFAKE LOG LINE\0\u{9b}2J\u{202e}txt.exe\u{2066}\u{2028}\u{2029}end";

/// The most that one error or one event may print. What a peer said in it has a bound below that.
const MOST: usize = 8 << 10;

/// Half of it printable, half not, as long as a peer likes.
fn long() -> String {
    HOSTILE.repeat(100)
}

#[track_caller]
fn printable(text: &str) {
    // The log ends its own lines.
    let hazard = |c: char| {
        c.is_control() && c != '\n' || ('\u{2028}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c)
    };
    assert!(!text.contains(hazard), "{text:?}");
    let forged = text.lines().find(|line| line.starts_with("FAKE"));
    assert_eq!(forged, None, "a line of the peer's own");
    let longest = text.lines().map(str::len).max().unwrap_or_default();
    assert!(longest <= MOST, "{longest} bytes in one line");
}

#[track_caller]
fn prints(what: &(impl Display + Debug)) -> String {
    let shown = what.to_string();
    assert!(!shown.contains('\n'), "{shown}");
    for text in [format!("{what:?}"), format!("{what:#}"), shown.clone()] {
        printable(&text);
    }
    shown
}

/// Refuses everybody, and says whom.
async fn refuse(peer: Peer) -> Result<Principal, Refusal> {
    let name = peer.metadata().get("name").unwrap_or_default();
    let principal = Principal::new(name);
    prints(&principal);
    Err(Refusal::new(RefusalCode::Unauthorized, format!("nobody knows {name}")))
}

#[tokio::test(start_paused = true)]
async fn what_a_peer_says_in_its_handshake() {
    let (log, _guard) = Log::new();
    let server = Server::builder().service(LabDispatcher::new(Bench::default())).start().expect("a server");
    let picky = Server::builder().service(LabDispatcher::new(Bench::default())).authenticate(refuse).start();
    let picky = picky.expect("a server");
    for text in [HOSTILE.to_owned(), long()] {
        let hello = raw::hello(Some(&text), raw::LIMITS);
        let named = raw::hello_with(&[("name", 0, &text)], raw::LIMITS);
        for (server, hello) in [(&server, hello), (&picky, named)] {
            let (ours, theirs) = tokio::io::duplex(64 << 10);
            let mut peer = Raw::new(ours);
            peer.send(&hello).await;
            let error = server.accept(Link::new(theirs, "raw")).await.expect_err("it is refused");
            let shown = prints(&error);
            assert!(shown.contains("\\u{1b}[31mred\\r\\nFAKE LOG LINE\\u{0}"), "{shown}");
        }
    }
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let mut peer = Raw::new(ours);
    peer.send(&raw::hello_with(&[(&"\x1b".repeat(128), 0, &"\x1b".repeat(8000))], raw::LIMITS)).await;
    server.accept(Link::new(theirs, "raw")).await.expect("a session");
    peer.send(&raw::open_with(1, &long(), &[(HOSTILE, 0, &long())])).await;
    assert_eq!(peer.read().await.map(|read| read.kind), Some(raw::WELCOME));
    peer.read_kind(raw::REFUSE).await;
    peer.send(&raw::open_with(3, "Lab", &[(HOSTILE, 0, HOSTILE)])).await;
    peer.read_kind(raw::ACCEPT).await;
    let entries: Vec<(&str, u8, &str)> = (0..60).map(|_| ("\x1b", 0, HOSTILE)).collect();
    let call = frame(raw::CALL).var(3).var(1).method("Lab.printed").u8(2).metadata(&entries);
    peer.send(&call).await;
    let printed = peer.read_kind(raw::REPLY).await.body;
    printable(std::str::from_utf8(&printed[5..]).expect("text after ids, a tag and a length"));
    let text = log.text();
    printable(&text);
    for needed in ["the peer asks for a connection", "FAKE LOG LINE", "vox.serve"] {
        assert!(text.contains(needed), "`{needed}` was not traced: {text}");
    }
}

#[derive(Debug, facet::Facet)]
struct Angry {
    why: String,
}

#[vox::service]
trait Liar {
    async fn text(&self) -> Result<u8, String>;
    async fn value(&self) -> Result<u8, Angry>;
    async fn passed_on(&self) -> Result<u8, VoxError<String>>;
    async fn channel(&self, bytes: Tx<u8>);
}

/// A client of a server that answers every call with this.
async fn liar(reply: Vec<u8>) -> LiarClient {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    tokio::spawn(async move {
        let mut peer = Raw::accept(theirs, raw::LIMITS).await;
        while let Some(read) = peer.read().await {
            if read.kind == raw::CALL {
                let mut fields = read.reader();
                let (connection, request) = (fields.var(), fields.var());
                peer.send(&frame(raw::REPLY).var(connection).var(request).bytes(&reply)).await;
            }
        }
    });
    vox::connect(Link::new(ours, "a liar")).no_resume().await.expect("a session")
}

/// `Err`, and the variant; then what it holds.
fn failed(variant: u8, rest: &raw::Frame) -> Vec<u8> {
    [&[1, variant], &rest.wire()[5..]].concat()
}

#[track_caller]
fn failure<T: Debug, E: MethodError>(result: Result<T, VoxError<E>>) -> String {
    prints(&result.expect_err("it fails"))
}

#[tokio::test(start_paused = true)]
async fn what_a_server_says_of_a_call() {
    let (log, _guard) = Log::new();
    for text in [HOSTILE.to_owned(), long()] {
        let said = frame(0).text(&text);
        let own = liar(failed(0, &said)).await;
        let shown = failure(own.text().await);
        assert!(shown.contains("\\u{1b}[31mred\\r\\nFAKE LOG LINE"), "{shown}");
        failure(own.value().await);
        // Reasons of the runtime's own.
        for variant in [2, 8] {
            failure(liar(failed(variant, &said)).await.text().await);
        }
        // An error that was passed on by the server, with a place: `Err(User(NotSent(TooLarge(reason))))` and the like.
        let place = frame(0).u8(1).text(&text).text(&text).text(&text);
        for reason in [frame(0).u8(2), frame(0).u8(8), frame(0).u8(3)] {
            let rest = match reason.wire()[5] {
                3 => reason.bytes(&place.wire()[5..]).u8(0),
                _ => reason.text(&text).bytes(&place.wire()[5..]),
            };
            let shown = failure(liar(failed(0, &rest)).await.passed_on().await);
            assert!(shown.contains("FAKE LOG LINE"), "{shown}");
        }
    }
    printable(&log.text());
}

#[tokio::test(start_paused = true)]
async fn what_a_server_says_of_a_session() {
    let (log, _guard) = Log::new();
    let last: [fn(&str) -> raw::Frame; 3] = [
        |text| frame(raw::GOODBYE).text(text),
        |text| frame(raw::VIOLATION).u8(1).text(text),
        |text| frame(raw::REFUSE).var(3).u8(255).text(text),
    ];
    for (at, last) in last.iter().enumerate() {
        for text in [HOSTILE.to_owned(), long()] {
            let (ours, theirs) = tokio::io::duplex(1 << 20);
            let client = vox::connect::<LabClient>(Link::new(ours, "a liar")).no_resume();
            let (client, mut peer) = tokio::join!(client, Raw::accept(theirs, raw::LIMITS));
            let session = client.expect("a session").caller().session();
            if at == 2 {
                let opening = tokio::spawn(async move { session.open::<LabClient>().await });
                peer.read_kind(raw::OPEN).await;
                peer.send(&last(&text)).await;
                prints(&opening.await.expect("no panic").expect_err("refused"));
            } else {
                peer.send(&last(&text)).await;
                prints(&session.closed().await);
            }
        }
    }
    for text in [HOSTILE.to_owned(), long()] {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let client = vox::connect::<LabClient>(Link::new(ours, "a liar")).no_resume();
        let rejected = frame(raw::REJECTED).bytes(raw::MAGIC).u8(255).text(&text);
        let mut peer = Raw::new(theirs);
        peer.send(&rejected).await;
        prints(&client.await.expect_err("rejected"));
    }
    printable(&log.text());
}

/// It may be a name that came from elsewhere: from a proxy, or out of a directory.
#[tokio::test(start_paused = true)]
async fn what_a_link_is_called() {
    let (log, _guard) = Log::new();
    for name in [HOSTILE.to_owned(), HOSTILE.repeat(10)] {
        let links = Mutex::new(Vec::new());
        let mut peers = Vec::new();
        for _ in 0..2 {
            let (ours, theirs) = tokio::io::duplex(1 << 20);
            links.lock().expect("no panic").push(Link::new(ours, name.clone()));
            peers.push(theirs);
        }
        let connector = Connector::new(&name, move || {
            let link = links.lock().expect("no panic").pop();
            std::future::ready(link.ok_or_else(|| io::Error::other("there is no other")))
        });
        let accept = Raw::accept(peers.pop().expect("two"), raw::LIMITS);
        let (client, mut peer) = tokio::join!(vox::connect::<LabClient>(connector), accept);
        let client = client.expect("a session");
        let session = client.caller().session();
        let mut too_much = Metadata::new();
        too_much.insert("k", "v".repeat(9_000));
        prints(&session.open_with::<LabClient>(too_much).await.expect_err("too much"));
        let opening = tokio::spawn(async move { session.open::<LabClient>().await });
        peer.read_kind(raw::OPEN).await;
        peer.send(&frame(raw::REFUSE).var(3).u8(255).text("no")).await;
        prints(&opening.await.expect("no panic").expect_err("refused"));
        drop(peer);
        // The next link is there, and says nothing; then there is none.
        settle().await;
        drop(peers);
        prints(&client.echo(1).timeout(Duration::from_secs(60)).await.expect_err("no link"));
        let address = || name.clone();
        prints(&ServeError::Listen { address: address(), error: io::Error::other("taken") });
        prints(&ServeError::NoRuntime { address: address() });
        prints(&ServeError::Stopped { address: address() });
        prints(&ServeError::LinkPanicked { address: address() });
        prints(&ServeError::Fault { address: address() });
    }
    assert!(log.text().contains("lost the link to"), "{}", log.text());
    printable(&log.text());
}

#[tokio::test(start_paused = true)]
async fn why_a_channel_was_aborted() {
    for text in [HOSTILE.to_owned(), long()] {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let client = vox::connect::<LiarClient>(Link::new(ours, "a liar")).no_resume();
        let (client, mut peer) = tokio::join!(client, Raw::accept(theirs, raw::LIMITS));
        let client = client.expect("a session");
        let (tx, mut rx): (Tx<u8>, Rx<u8>) = vox::channel();
        let call = tokio::spawn(client.channel(tx));
        peer.read_kind(raw::CALL).await;
        peer.send(&frame(raw::RESET).var(1).var(1).u8(2).text(&text)).await;
        prints(&rx.recv().await.expect_err("it was aborted"));
        call.abort();
    }
}

/// What this end makes by hand prints no worse.
#[test]
fn what_an_application_passes_on() {
    for text in [HOSTILE.to_owned(), long()] {
        prints(&Refusal::new(RefusalCode::Other, text.clone()));
        prints(&vox::EndReason::Goodbye(text.as_str().into()));
        prints(&vox::EndReason::LinkLost(text.as_str().into()));
        prints(&vox::Place::new(text.as_str(), text.as_str(), text.as_str()));
        prints(&vox::RecvError::Aborted(text.as_str().into()));
        prints(&VoxError::<vox::Never>::InvalidPayload(text.into()));
    }
}

#[vox::service]
trait Relay {
    /// Calls the next with so much metadata of its own; gives back what trace context that one got.
    async fn relay(&self, own: u64) -> u64;
    async fn baggage(&self, cx: &vox::Context) -> u64;
    /// Passes the tenant on, and prints what comes of it.
    async fn tenant(&self, cx: &vox::Context) -> String;
}

#[derive(Default)]
struct Hop {
    next: Option<RelayClient>,
}

impl Relay for Hop {
    async fn relay(&self, own: u64) -> u64 {
        let next = self.next.as_ref().expect("a next service");
        next.baggage().metadata("own", "m".repeat(own as usize)).await.expect("no call fails of what it inherits")
    }
    async fn baggage(&self, cx: &vox::Context) -> u64 {
        cx.metadata().get("baggage").map_or(0, |baggage| baggage.len() as u64)
    }
    async fn tenant(&self, cx: &vox::Context) -> String {
        match &self.next {
            Some(next) => next.tenant().forward(cx.metadata(), "tenant").await.expect("an answer"),
            None => format!("{:?} {}", cx.metadata(), cx.metadata().get("tenant").unwrap_or_default().len()),
        }
    }
}

/// A client of a service that calls another, which takes messages of so many bytes.
async fn hops(max_message_bytes: usize) -> RelayClient {
    let mut next = None;
    for max_message_bytes in [max_message_bytes, Limits::default().max_message_bytes] {
        let (ours, theirs) = vox::transport::memory_pair();
        let limits = Limits { max_message_bytes, ..Limits::default() };
        let hop = RelayDispatcher::new(Hop { next });
        tokio::spawn(Server::builder().service(hop).limits(limits).serve_link(theirs));
        next = Some(vox::connect(ours).await.expect("a session"));
    }
    next.expect("two of them")
}

#[tokio::test(start_paused = true)]
async fn what_is_passed_on_by_hand_is_as_sensitive_as_it_was() {
    let client = hops(4 << 20).await;
    let printed = client.tenant().sensitive_metadata("tenant", "hunter2").await;
    assert_eq!(printed.as_deref(), Ok("{\"tenant\": \"[redacted]\"} 7"));
    let printed = client.tenant().metadata("tenant", "acme").await;
    assert_eq!(printed.as_deref(), Ok("{\"tenant\": \"acme\"} 4"));
}

/// What a handler's calls inherit is not theirs: they are made without what does not fit.
#[tokio::test(start_paused = true)]
async fn baggage_that_is_too_long_is_left_behind_and_the_call_is_made() {
    let (log, _guard) = Log::new();
    let client = hops(4 << 20).await;
    let full = Metadata::MAX_BYTES - "baggage".len() - "own".len();
    let relayed = |own: usize, len: usize| client.relay(own as u64).metadata("baggage", "b".repeat(len));
    for (own, len) in [(0, full), (full - 10, 10), (10, full - 10)] {
        assert_eq!(relayed(own, len).await, Ok(len as u64), "it fits just so");
    }
    assert!(!log.text().contains("goes without it"), "{}", log.text());
    for (own, len) in [(1, full), (full - 10, 11), (1000, full)] {
        assert_eq!(relayed(own, len).await, Ok(0), "it does not fit");
    }
    assert_eq!(log.text().matches("does not fit into a call of `Relay::baggage`, which goes without it").count(), 3);
    // Nor does it where the next peer takes only short messages.
    let client = hops(4 << 10).await;
    assert_eq!(client.relay(10).metadata("baggage", "b".repeat(4 << 10)).await, Ok(0));
    assert_eq!(client.relay(10).metadata("baggage", "b".repeat(3 << 10)).await, Ok(3 << 10));
}

/// A call that moves to a session whose peer takes less leaves what it inherited, and nothing of its own.
#[tokio::test(start_paused = true)]
async fn so_is_baggage_that_is_too_long_for_the_session_that_a_call_moves_to() {
    let (log, _guard) = Log::new();
    let limits = Limits { max_message_bytes: 4 << 10, ..Limits::default() };
    let narrow = Server::builder().service(RelayDispatcher::new(Hop::default())).limits(limits);
    let _narrow = narrow.bind("mem://printed-narrow").await.expect("a server");
    // Until it is connected it takes its peer for one of the default limits.
    let lazy = || vox::connect::<RelayClient>("mem://printed-narrow").lazy().expect("a client");
    for (own, len, found) in [(10, 3 << 10, 3 << 10), (10, 4 << 10, 0), (3 << 10, 2 << 10, 0)] {
        let client = RelayClient::over_memory(Hop { next: Some(lazy()) }).await.expect("a client");
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let relayed = client.relay(own).metadata("traceparent", trace).metadata("baggage", "b".repeat(len));
        assert_eq!(relayed.await, Ok(found));
    }
    let text = log.text();
    assert_eq!(text.matches("`baggage` of").count(), 2, "{text}");
    assert!(!text.contains("`traceparent` of"), "it still fits: {text}");
    let error = lazy().baggage().metadata("own", "m".repeat(4 << 10)).await.expect_err("its own is not left behind");
    assert!(matches!(error, VoxError::NotSent(vox::NotSent::TooLarge(_))), "{error:?}");
}
