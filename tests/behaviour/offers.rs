//! A server that chooses what serves each connection, by `accept_with`.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;
use vox::dynamic::{DynamicDispatcher, MethodSpec, ServiceType};
use vox::value::Value;
use vox::{
    Choice, ConnectError, Dispatcher, HandlerFuture, Incoming, Limits, Metadata, Offer, OpenError, OperationId,
    Principal, Refusal, RefusalCode, Server, ServerBuilder, Session,
};

use crate::support::{Count, settle};

#[derive(Debug, Clone, PartialEq, facet::Facet)]
pub struct Receipt {
    cents: u64,
}

#[vox::service]
trait Till {
    async fn whose(&self) -> String;
    async fn gate(&self);
    #[vox(persist)]
    async fn pay(&self, cents: u64) -> Receipt;
}

/// The same service, in another version.
mod newer {
    #[derive(Debug, Clone, PartialEq, facet::Facet)]
    pub struct Receipt {
        pub by: Option<String>,
        pub cents: u64,
    }

    #[vox::service]
    pub trait Till {
        async fn whose(&self) -> String;
        #[vox(persist)]
        async fn pay(&self, cents: u64) -> Receipt;
    }

    pub struct Mine;

    impl Till for Mine {
        async fn whose(&self) -> String {
            "newer".to_owned()
        }
        async fn pay(&self, cents: u64) -> Receipt {
            Receipt { by: Some("newer".to_owned()), cents }
        }
    }
}

#[derive(Clone)]
struct Mine {
    name: &'static str,
    gate: Arc<Semaphore>,
    paid: Count,
    _held: Arc<dyn Send + Sync>,
}

impl Mine {
    fn called(name: &'static str) -> Self {
        Self { name, gate: Arc::new(Semaphore::new(0)), paid: Count::default(), _held: Arc::new(()) }
    }

    fn served(&self) -> TillDispatcher<Self> {
        TillDispatcher::new(self.clone())
    }
}

impl Till for Mine {
    async fn whose(&self) -> String {
        self.name.to_owned()
    }
    async fn gate(&self) {
        self.gate.acquire().await.expect("it stays").forget();
    }
    async fn pay(&self, cents: u64) -> Receipt {
        self.paid.add();
        self.gate.acquire().await.expect("it stays").forget();
        Receipt { cents }
    }
}

fn till() -> ServiceType {
    ServiceType::of(TillClient::SERVICE).expect("it is known")
}

fn metadata(how: &str) -> Metadata {
    let mut metadata = Metadata::new();
    metadata.insert("how", how);
    metadata
}

fn how(offer: &Offer) -> &str {
    offer.metadata().get("how").unwrap_or_default()
}

async fn start(name: &str, builder: ServerBuilder) -> Server {
    builder.bind(format!("mem://offers-{name}")).await.expect("it listens")
}

/// A server that gives as the metadata of the connection says, and a session with it.
async fn choosing<F, A, C>(name: &str, choose: F) -> (Server, Session)
where
    F: Fn(Offer) -> A + Send + Sync + 'static,
    A: Future<Output = Result<C, Refusal>> + Send + 'static,
    C: Into<Choice>,
{
    let builder = Server::builder().service(Mine::called("usual").served()).accept_with(choose);
    let server = start(name, builder).await;
    let session = Session::connect(server.address()).await.expect("it answers");
    (server, session)
}

async fn open(session: &Session, how: &str) -> Result<TillClient, OpenError> {
    session.open_with(metadata(how)).await
}

fn refused(opened: Result<TillClient, OpenError>) -> (RefusalCode, String) {
    match opened {
        Err(OpenError::Refused { refusal, .. }) => (refusal.code, refusal.reason),
        other => panic!("it was not refused: {other:?}"),
    }
}

async fn whose(client: &TillClient) -> String {
    client.whose().await.expect("it is served")
}

/// As the metadata of the connection says.
async fn by_metadata(offer: Offer) -> Result<Choice, Refusal> {
    Ok(match how(&offer) {
        "typed" => Choice::serve(Mine::called("typed").served()),
        "boxed" => {
            let dispatcher: Box<dyn Dispatcher> = Box::new(Mine::called("boxed").served());
            dispatcher.into()
        }
        "dynamic" => DynamicDispatcher::new(till()).method("whose", async |_| Ok(Value::from("dynamic"))).into(),
        "refused" => return Err(Refusal::new(RefusalCode::Unauthorized, "not for you")),
        "panics" => panic!("on purpose"),
        "hangs" => pending().await,
        "another" => {
            let other = ServiceType::builder("Other").build().expect("a service");
            DynamicDispatcher::new(other).into()
        }
        "broken" => Choice::serve(Broken),
        "long" => return Err(Refusal::new(RefusalCode::Other, "née".repeat(100_000))),
        _ => Choice::usual(),
    })
}

/// A dispatcher of a user's that does not even say what it serves, when it is asked again.
struct Broken;

impl Dispatcher for Broken {
    fn service(&self) -> &'static vox::descriptor::ServiceDescriptor {
        panic!("on purpose")
    }
    fn dispatch(&self, _: Incoming<'_>) -> HandlerFuture {
        panic!("on purpose")
    }
}

impl Drop for Broken {
    fn drop(&mut self) {
        panic!("on purpose, in a drop");
    }
}

#[tokio::test]
async fn each_connection_has_what_was_chosen_for_it() {
    let (_server, session) = choosing("each", by_metadata).await;
    let mut clients = Vec::new();
    for how in ["typed", "boxed", "dynamic", "usual"] {
        clients.push((how, open(&session, how).await.expect("it is accepted")));
    }
    for (how, client) in &clients {
        assert_eq!(whose(client).await, *how);
    }
    assert_eq!(refused(open(&session, "refused").await), (RefusalCode::Unauthorized, "not for you".to_owned()));
    let unknown: Result<newer_unknown::NobodyClient, _> = session.open().await;
    let Err(OpenError::Refused { refusal, .. }) = unknown else { panic!("{unknown:?}") };
    assert_eq!(refusal.code, RefusalCode::UnknownService);
    assert!(refusal.reason.ends_with("served: Till"), "{refusal}");
    assert_eq!(whose(&clients[0].1).await, "typed");
}

mod newer_unknown {
    #[vox::service]
    pub trait Nobody {
        async fn nothing(&self);
    }
}

#[tokio::test]
async fn the_connection_of_a_handshake_is_chosen_for_too() {
    let builder = || Server::builder().service(Mine::called("usual").served());
    let choose = async |offer: Offer| {
        assert!(offer.session().is_none() && !format!("{offer:?}").is_empty());
        match offer.peer().metadata().get("how") {
            Some("long") => Err(Refusal::new(RefusalCode::Other, "née".repeat(100_000))),
            Some(_) => Err(Refusal::new(RefusalCode::Unauthorized, "not for you")),
            None => Ok(Mine::called("chosen").served()),
        }
    };
    let server = start("handshake", builder().accept_with(choose)).await;
    let client: TillClient = vox::connect(server.address()).await.expect("it is accepted");
    assert_eq!(whose(&client).await, "chosen");
    for (how, said) in [("refused", "not for you"), ("long", "née")] {
        let connected: Result<TillClient, _> = vox::connect(server.address()).metadata("how", how).await;
        let Err(ConnectError::Refused { refusal, .. }) = connected else { panic!("{connected:?}") };
        assert!(refusal.reason.starts_with(said) && refusal.reason.len() <= 4096, "{refusal}");
    }
    assert_eq!(server.sessions(), 1, "no seat is taken by those that were refused");
}

#[tokio::test]
async fn an_offer_says_what_is_asked_for_and_by_whom() {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let note = Arc::clone(&seen);
    let choose = move |offer: Offer| {
        let version = match offer.contract() {
            hash if hash == Some(TillClient::SERVICE.contract_hash()) => "this",
            hash if hash == Some(newer::TillClient::SERVICE.contract_hash()) => "newer",
            _ => "no",
        };
        let said = format!("{} {version} {} {}", offer.service(), how(&offer), offer.principal());
        note.lock().expect("a lock").push(said);
        async { Ok(Choice::usual()) }
    };
    let builder = Server::builder().service(Mine::called("usual").served()).accept_with(choose);
    let builder = builder.authenticate(async |_| Ok(Principal::new("acme")));
    let server = start("says", builder).await;
    let session = Session::connect(server.address()).await.expect("it answers");
    let _this = open(&session, "typed").await.expect("it is accepted");
    let _newer: newer::TillClient = session.open().await.expect("it is accepted");
    assert_eq!(*seen.lock().expect("a lock"), ["Till this typed acme", "Till newer  acme"]);
}

/// Which it could not if it ran under the lock of the session.
#[tokio::test]
async fn the_closure_may_use_the_session_that_asks() {
    let choose = async |offer: Offer| {
        let session = offer.session().expect("there is a session");
        let back: TillClient = session.open().await.expect("the peer serves it too");
        let name = whose(&back).await;
        match &*name {
            "of the peer" => Ok(Mine::called("asked").served()),
            _ => Err(Refusal::new(RefusalCode::Other, name)),
        }
    };
    let server = start("back", Server::builder().accept_with(choose)).await;
    let serving = Session::connect(server.address()).serving(Mine::called("of the peer").served());
    let session = serving.await.expect("it answers");
    let client = open(&session, "").await.expect("it is accepted");
    assert_eq!(whose(&client).await, "asked");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_takes_too_long_costs_that_connection_alone() {
    let (_server, session) = choosing("slow", by_metadata).await;
    let client = open(&session, "typed").await.expect("it is accepted");
    let begun = tokio::time::Instant::now();
    let hanging = tokio::spawn({
        let session = session.clone();
        async move { open(&session, "hangs").await }
    });
    settle().await;
    assert_eq!(whose(&client).await, "typed", "calls go on");
    assert_eq!(whose(&open(&session, "boxed").await.expect("it is accepted")).await, "boxed", "and other connections");
    let (code, reason) = refused(hanging.await.expect("it ends"));
    assert_eq!((code, begun.elapsed().as_secs()), (RefusalCode::Busy, 9));
    assert_eq!(
        reason,
        "the server did not say within 9s what serves `Till` (nine tenths of `Limits::handshake_timeout`)"
    );
    assert_eq!(whose(&client).await, "typed");
}

#[tokio::test]
async fn what_the_application_does_wrong_costs_that_connection_alone() {
    let (_server, session) = choosing("wrong", by_metadata).await;
    let client = open(&session, "typed").await.expect("it is accepted");
    for (how, code, said) in [
        ("panics", RefusalCode::Busy, "the server cannot say what serves `Till`: its `accept_with` panicked"),
        ("another", RefusalCode::Other, "the server's `accept_with` chose `Other` for a connection to `Till`"),
        ("broken", RefusalCode::Other, "the server cannot serve `Till`: its dispatcher panicked"),
    ] {
        assert_eq!(refused(open(&session, how).await), (code, said.to_owned()));
    }
    let (_, long) = refused(open(&session, "long").await);
    assert!(long.starts_with("née") && long.len() < 5000, "{} bytes", long.len());
    assert_eq!(whose(&client).await, "typed");
}

#[tokio::test]
async fn a_name_that_is_too_long_is_refused_without_asking() {
    let asked = Count::default();
    let counts = asked.clone();
    let choose = move |_| {
        counts.add();
        async { Ok(Choice::usual()) }
    };
    let (_server, session) = choosing("long-name", choose).await;
    let service = |len| {
        let method = MethodSpec::new("nothing").returns::<(), Infallible>().expect("types");
        ServiceType::builder("n".repeat(len)).method(method).build().expect("a service")
    };
    for (len, said) in [(1024, "no service"), (1025, "the name of the service has more than 1024 bytes")] {
        let opened = session.open_dynamic(&service(len)).await;
        let Err(OpenError::Refused { refusal, .. }) = opened else { panic!("{opened:?}") };
        assert_eq!(refusal.code, RefusalCode::UnknownService);
        assert!(refusal.reason.starts_with(said), "{refusal}");
    }
    assert_eq!(asked.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn connections_that_wait_are_counted_and_charged() {
    let gate = Arc::new(Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let choose = move |_| {
        let gate = Arc::clone(&opened);
        async move {
            gate.acquire().await.expect("it stays").forget();
            Ok(Choice::usual())
        }
    };
    let limits = Limits { max_connections: 3, ..Limits::default() };
    let builder = Server::builder().service(Mine::called("usual").served()).limits(limits).accept_with(choose);
    let server = start("counted", builder).await;
    let session = Session::connect(server.address()).await.expect("it answers");
    let before = server.memory();
    let opens: Vec<_> = (0..3)
        .map(|_| {
            let session = session.clone();
            tokio::spawn(async move { open(&session, &"x".repeat(8000)).await })
        })
        .collect();
    settle().await;
    let kept = server.memory() - before;
    assert!((3 * 9000..3 * 12_000).contains(&kept), "{kept} bytes are kept for three");
    let (code, reason) = refused(open(&session, "one too many").await);
    assert_eq!(code, RefusalCode::Busy);
    assert!(reason.contains("`Limits::max_connections`"), "{reason}");
    gate.add_permits(3);
    let mut clients = Vec::new();
    for open in opens {
        clients.push(open.await.expect("it ends").expect("it is accepted"));
    }
    let kept = server.memory() - before;
    assert!(kept < 100, "{kept} bytes are kept, and the answers alone may be");
    assert_eq!(whose(&clients[2]).await, "usual");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_any_longer_for_a_session_that_has_ended() {
    let (asked, dropped) = (Count::default(), Count::default());
    let counts = (asked.clone(), dropped.clone());
    let choose = move |_| {
        counts.0.add();
        let dropped = counts.1.on_drop();
        async move {
            let _dropped = dropped;
            pending::<Result<Choice, Refusal>>().await
        }
    };
    let (server, session) = choosing("ended", choose).await;
    let opening = tokio::spawn({
        let session = session.clone();
        async move { open(&session, "").await }
    });
    settle().await;
    assert_eq!((asked.get(), dropped.get()), (1, 0));
    session.close("that is all").await;
    opening.await.expect("it ends").expect_err("the session has ended");
    settle().await;
    assert_eq!((dropped.get(), server.sessions(), server.memory()), (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_shuts_down_accepts_what_waited_no_more() {
    let (server, session) = choosing("shutdown", async |_| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(Mine::called("late").served())
    })
    .await;
    let opening = tokio::spawn(async move { (open(&session, "").await, session) });
    settle().await;
    let shutdown = tokio::spawn(server.shutdown(Duration::from_secs(5)));
    let (opened, _session) = opening.await.expect("it ends");
    opened.expect_err("it is too late");
    shutdown.await.expect("it ends");
}

/// Its drop is the user's, so it comes once the lock is free, and a panic in it harms nobody.
#[tokio::test(start_paused = true)]
async fn a_dispatcher_goes_with_its_connection_and_its_last_handler() {
    let (dropped, kept) = (Count::default(), Mine::called("kept"));
    let (counts, gives) = (dropped.clone(), kept.clone());
    let choose = move |_| {
        let held: Arc<dyn Send + Sync> = Arc::new(counts.on_drop());
        let mine = Mine { _held: held, ..gives.clone() };
        async move { Ok(mine.served()) }
    };
    let (_server, session) = choosing("goes", choose).await;
    for n in 1..=20 {
        let client = open(&session, "").await.expect("it is accepted");
        assert_eq!(whose(&client).await, "kept");
        drop(client);
        settle().await;
        assert_eq!(dropped.get(), n);
    }

    let client = open(&session, "").await.expect("it is accepted");
    let call = tokio::spawn(client.pay(7).into_future());
    settle().await;
    call.abort();
    drop(client);
    settle().await;
    assert_eq!((kept.paid.get(), dropped.get()), (1, 20), "its handler runs on");
    kept.gate.add_permits(1);
    settle().await;
    assert_eq!(dropped.get(), 21);

    let client = open(&session, "").await.expect("it is accepted");
    let call = tokio::spawn(client.gate().into_future());
    settle().await;
    call.abort();
    drop(client);
    settle().await;
    assert_eq!(dropped.get(), 22, "its handler was aborted");
    let (one, other) = (open(&session, "").await, open(&session, "").await);
    assert_eq!(whose(&one.expect("it is accepted")).await + &whose(&other.expect("so is it")).await, "keptkept");
}

/// Both versions of a method may be served at once: what one has sealed the other replays as its own.
#[tokio::test]
async fn an_operation_is_known_to_every_version_that_is_chosen() {
    let mine = Mine::called("old");
    mine.gate.add_permits(10);
    let old = mine.clone();
    let choose = move |offer: Offer| {
        let is_new = offer.contract() == Some(newer::TillClient::SERVICE.contract_hash());
        let choice = match is_new {
            true => Choice::serve(newer::TillDispatcher::new(newer::Mine)),
            false => Choice::serve(old.served()),
        };
        async move { Ok(choice) }
    };
    let (_server, session) = choosing("versions", choose).await;
    let old: TillClient = session.open().await.expect("it is accepted");
    let new: newer::TillClient = session.open().await.expect("it is accepted");
    let (first, second) = (OperationId::new(), OperationId::new());
    assert_eq!(old.pay(300).operation(first).await, Ok(Receipt { cents: 300 }));
    assert_eq!(new.pay(300).operation(first).await, Ok(newer::Receipt { by: None, cents: 300 }));
    let by = Some("newer".to_owned());
    assert_eq!(new.pay(200).operation(second).await, Ok(newer::Receipt { by, cents: 200 }));
    assert_eq!(old.pay(200).operation(second).await, Ok(Receipt { cents: 200 }));
    assert_eq!(mine.paid.get(), 1);
}

/// The newer one waits for the outcome of the older one's handler, which is in other bytes than its own.
#[tokio::test(start_paused = true)]
async fn an_attempt_of_another_version_does_not_take_what_the_first_returns_for_its_own() {
    let mine = Mine::called("old");
    let served = mine.clone();
    let choose = move |offer: Offer| {
        let is_new = offer.contract() == Some(newer::TillClient::SERVICE.contract_hash());
        let choice = match is_new {
            true => Choice::serve(newer::TillDispatcher::new(newer::Mine)),
            false => Choice::serve(served.served()),
        };
        async move { Ok(choice) }
    };
    let (_server, session) = choosing("attached", choose).await;
    let old: TillClient = session.open().await.expect("it is accepted");
    let new: newer::TillClient = session.open().await.expect("it is accepted");
    let id = OperationId::new();
    let first = tokio::spawn(old.pay(300).operation(id).into_future());
    settle().await;
    let second = tokio::spawn(new.pay(300).operation(id).into_future());
    settle().await;
    assert_eq!(mine.paid.get(), 1);
    mine.gate.add_permits(1);
    assert_eq!(first.await.expect("it ends"), Ok(Receipt { cents: 300 }));
    assert_eq!(second.await.expect("it ends"), Ok(newer::Receipt { by: None, cents: 300 }));
    assert_eq!(mine.paid.get(), 1);
}
