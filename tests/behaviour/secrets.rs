//! Nothing that is a secret is ever printed: not by `Debug`, not by an error, a span or an event, at either end.

use std::fmt::Write;

use vox::transport::Link;
use vox::{Client, Metadata, Peer, Principal, Refusal, RefusalCode, Server, Session};

use crate::support::log::Log;
use crate::support::raw::{self, Raw};
use crate::support::settle;

const PLANTED: &str = "planted-hunter2";

#[vox::service]
trait Shown {
    /// What a handler may print, whether it finds the secret in its call, and the same of the one behind it.
    async fn shown(&self, cx: &vox::Context) -> String;
}

#[derive(Default)]
struct Shows {
    next: Option<ShownClient>,
}

impl Shown for Shows {
    async fn shown(&self, cx: &vox::Context) -> String {
        let mut shown = format!("{cx:?} {:?} {:?} {:?}", cx.peer(), cx.peer().metadata(), cx.metadata());
        let found = |metadata: &Metadata| metadata.iter().filter(|(_, value)| value.contains(PLANTED)).count();
        let _ = write!(shown, " call: {} peer: {};", found(cx.metadata()), found(cx.peer().metadata()));
        if let Some(next) = &self.next {
            shown += &next.shown().await.expect("it answers");
        }
        shown
    }
}

fn clean(text: &str) {
    assert!(!text.contains(PLANTED), "a secret is printed: {text}");
}

/// A peer that shows the secret under any key.
async fn ask(peer: Peer) -> Result<Principal, Refusal> {
    clean(&format!("{peer:?}"));
    match peer.metadata().iter().any(|(_, value)| value == PLANTED) {
        true => Ok(Principal::new("acme")),
        false => Err(Refusal::new(RefusalCode::Unauthorized, "the token is unknown")),
    }
}

async fn server(address: &str, next: Option<ShownClient>) -> Server {
    let builder = Server::builder().service(ShownDispatcher::new(Shows { next })).authenticate(ask);
    builder.bind(address).await.expect("it is free")
}

/// A client, a service, and another behind it: a secret goes wherever metadata goes.
async fn nothing_is_printed(near: &str, far: &str) {
    let (log, _guard) = Log::new();
    let far = server(far, None).await;
    let next = vox::connect(far.address()).sensitive_metadata("name", PLANTED).await.expect("a session");
    let near = server(near, Some(next)).await;
    let shown_by: Vec<ShownClient> = {
        let to = || vox::connect::<ShownClient>(near.address());
        let credentials = || {
            let mut metadata = Metadata::new();
            metadata.insert("who", PLANTED);
            async { metadata }
        };
        let connecting = [
            to().metadata("token", PLANTED),
            to().metadata("X-Api-Key", PLANTED),
            to().sensitive_metadata("name", PLANTED),
            to().credentials(credentials),
        ];
        let mut clients = Vec::new();
        for connecting in connecting {
            clean(&format!("{connecting:?}"));
            clients.push(connecting.await.expect("a session"));
        }
        clients
    };
    for client in shown_by {
        // Under keys that name secrets, marked, and marked under a key that travels on.
        let call = client.shown().metadata("authorization", PLANTED).metadata("Set-Cookie", PLANTED);
        let call = call.sensitive_metadata("tenant", PLANTED).sensitive_metadata("baggage", PLANTED);
        clean(&format!("{call:?}"));
        let shown = call.await.expect("it answers");
        clean(&shown);
        assert!(shown.contains("call: 4 peer: 1;") && shown.contains("call: 1 peer: 1;"), "it arrives: {shown}");
        let caller = client.caller();
        clean(&format!("{client:?} {caller:?} {:?} {:?}", caller.session(), caller.session().peer()));
        let session: Session = caller.session();
        let mut metadata = Metadata::new();
        metadata.insert("password", PLANTED);
        let opened: ShownClient = session.open_with(metadata).await.expect("it is served");
        clean(&format!("{opened:?}"));
        let error = opened.shown().metadata("secret", PLANTED.repeat(1000)).await.expect_err("it is too long");
        clean(&format!("{error:?} {error}"));
    }
    let wrong = format!("{PLANTED}?");
    let refused = vox::connect::<ShownClient>(near.address()).metadata("token", wrong).await.expect_err("wrong");
    clean(&format!("{refused:?} {refused:#}"));
    let long = vox::connect::<ShownClient>(near.address()).metadata("token", PLANTED.repeat(1000));
    let long = long.await.expect_err("it is too long");
    clean(&format!("{long:?} {long:#}"));
    clean(&format!("{near:?} {:?}", near.shutdown(std::time::Duration::ZERO).await));
    let traced = log.text();
    clean(&traced);
    for needed in ["vox.call", "vox.serve", "the peer asks for a connection", "[redacted]", "handshake failed"] {
        assert!(traced.contains(needed), "`{needed}` was not traced: {traced}");
    }
}

#[tokio::test]
async fn a_secret_is_not_printed_on_its_way_through_memory() {
    nothing_is_printed("mem://secrets-near", "mem://secrets-far").await;
}

#[tokio::test]
async fn a_secret_is_not_printed_on_its_way_over_tcp() {
    nothing_is_printed("tcp://127.0.0.1:0", "tcp://127.0.0.1:0").await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_secret_is_not_printed_on_its_way_over_unix_sockets() {
    let path =
        |name: &str| format!("unix://{}/vox-secrets-{}-{name}", std::env::temp_dir().display(), std::process::id());
    nothing_is_printed(&path("near"), &path("far")).await;
}

/// A peer of another version, or in another language, marks nothing.
#[tokio::test(start_paused = true)]
async fn a_secret_that_the_peer_did_not_mark_is_not_printed() {
    let (log, _guard) = Log::new();
    let builder = Server::builder().service(ShownDispatcher::new(Shows::default())).authenticate(ask);
    let server = builder.start().expect("a server");
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let mut peer = Raw::new(ours);
    peer.send(&raw::hello_with(&[("Access-Token", 0, PLANTED)], raw::LIMITS)).await;
    server.accept(Link::new(theirs, "a pipe")).await.expect("the token is known");
    peer.send(&raw::open_with(1, "Shown", &[("api_key", 0, PLANTED)])).await;
    settle().await;
    clean(&log.text());
    assert!(log.text().contains("api_key"), "{}", log.text());
}

/// What this end marks, and what names a secret by itself, is marked on the wire: the other end's own logs keep it too.
#[tokio::test(start_paused = true)]
async fn the_peer_is_told_what_is_a_secret() {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let connecting = vox::connect::<ShownClient>(Link::new(ours, "a pipe"))
        .metadata("token", "named")
        .sensitive_metadata("tenant", "marked")
        .metadata("language", "open");
    let (client, mut peer) = tokio::join!(connecting, async {
        let mut peer = Raw::new(theirs);
        let hello = peer.read().await.expect("a hello");
        for (entry, flag) in [("\x05token", 1), ("\x06tenant", 1), ("\x08language", 0)] {
            assert_eq!(flag_behind(&hello.body, entry), flag, "{entry}");
        }
        peer.send(&raw::welcome(raw::LIMITS)).await;
        peer
    });
    let client = client.expect("a session");
    let call = tokio::spawn(client.shown().metadata("Cookie", "named").metadata("lang", "open"));
    let frame = peer.read_kind(raw::CALL).await;
    assert_eq!((flag_behind(&frame.body, "\x06Cookie"), flag_behind(&frame.body, "\x04lang")), (1, 0));
    call.abort();
}

/// The byte behind a key with its length, in a frame.
fn flag_behind(body: &[u8], key: &str) -> u8 {
    let at = body.windows(key.len()).position(|window| window == key.as_bytes()).expect("the key is there");
    body[at + key.len()]
}
