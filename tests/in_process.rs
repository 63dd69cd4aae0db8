//! A client on a handler in the same process, a context that a test makes, and dispatchers in boxes.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use tokio::time::Instant;
use vox::{Context, Dispatcher, Limits, Principal, Ran, Rx, Server, Session, Tx, VoxError};

#[vox::service]
trait Counter {
    async fn double(&self, n: u32) -> u32;
    async fn who(&self, cx: &Context) -> String;
    async fn time_left(&self, cx: &Context) -> Option<Duration>;
    async fn sleep(&self, seconds: u64);
    async fn explode(&self);
    async fn count(&self, upto: u32, out: Tx<u32>);
    async fn sum(&self, numbers: Rx<u32>) -> u32;
    async fn ask_back(&self, cx: &Context, text: &str) -> Option<String>;
    #[vox(persist)]
    async fn once(&self) -> u32;
}

#[vox::service]
trait Echo {
    async fn echo(&self, text: &str) -> String;
}

#[derive(Default)]
struct Clerk {
    /// Handlers that sleep, and those that were dropped while they did.
    asleep: AtomicU32,
    ran: AtomicU32,
}

/// Counts the handlers that sleep.
struct Asleep<'a>(&'a AtomicU32);

impl Drop for Asleep<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl Counter for Clerk {
    async fn double(&self, n: u32) -> u32 {
        2 * n
    }
    async fn who(&self, cx: &Context) -> String {
        let of = |metadata: &vox::Metadata, key| metadata.get(key).unwrap_or("-").to_owned();
        let (tenant, build) = (of(cx.metadata(), "tenant"), of(cx.peer().metadata(), "build"));
        format!("{tenant} {build} {} {}", cx.principal().as_str(), cx.peer().address())
    }
    async fn time_left(&self, cx: &Context) -> Option<Duration> {
        cx.time_left()
    }
    async fn sleep(&self, seconds: u64) {
        self.asleep.fetch_add(1, SeqCst);
        let _asleep = Asleep(&self.asleep);
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }
    async fn explode(&self) {
        panic!("on purpose")
    }
    async fn count(&self, upto: u32, out: Tx<u32>) {
        for n in 1..=upto {
            if out.send(n).await.is_err() {
                return;
            }
        }
        out.close();
    }
    async fn sum(&self, mut numbers: Rx<u32>) -> u32 {
        let mut sum = 0;
        while let Ok(Some(n)) = numbers.recv().await {
            sum += n;
        }
        sum
    }
    async fn ask_back(&self, cx: &Context, text: &str) -> Option<String> {
        let echo: EchoClient = cx.session().open().await.ok()?;
        echo.echo(text).await.ok()
    }
    async fn once(&self) -> u32 {
        self.ran.fetch_add(1, SeqCst) + 1
    }
}

struct Wall;

impl Echo for Wall {
    async fn echo(&self, text: &str) -> String {
        text.to_owned()
    }
}

async fn counter() -> (CounterClient, Arc<Clerk>) {
    let clerk = Arc::new(Clerk::default());
    let counter = CounterClient::over_memory(Arc::clone(&clerk)).await.expect("it serves");
    (counter, clerk)
}

#[tokio::test(start_paused = true)]
async fn one_line_makes_a_client_of_a_handler() {
    let counter = CounterClient::over_memory(Clerk::default()).await.expect("it serves");
    assert_eq!(counter.double(21).await, Ok(42));
}

#[tokio::test(start_paused = true)]
async fn a_client_may_say_what_it_says_over_a_link() {
    let counter = CounterClient::over_memory(Clerk::default()).metadata("build", "7").await.expect("it serves");
    assert_eq!(counter.who().metadata("tenant", "acme").await.as_deref(), Ok("acme 7  mem://here"));
}

#[tokio::test(start_paused = true)]
async fn time_is_virtual_and_a_deadline_aborts_the_handler() {
    let (counter, clerk) = counter().await;
    let start = Instant::now();
    assert_eq!(counter.sleep(20).await, Ok(()));
    assert_eq!(start.elapsed().as_secs(), 20);
    let error = counter.sleep(3600).timeout(Duration::from_secs(60)).await.expect_err("too slow");
    assert_eq!((&error, error.ran()), (&VoxError::DeadlineExceeded, Ran::Unknown));
    assert_eq!(start.elapsed().as_secs(), 80);
    // The handler's own deadline has passed as well.
    assert_eq!(counter.double(1).await, Ok(2));
    assert_eq!(clerk.asleep.load(SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_cancels_its_handler() {
    let (counter, clerk) = counter().await;
    let call = tokio::spawn(counter.sleep(3600));
    while clerk.asleep.load(SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    call.abort();
    assert!(call.await.expect_err("aborted").is_cancelled());
    assert_eq!(counter.double(1).await, Ok(2));
    assert_eq!(clerk.asleep.load(SeqCst), 0, "the handler is dropped");
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_the_calls_own_and_the_session_goes_on() {
    let (counter, _clerk) = counter().await;
    let error = counter.explode().await.expect_err("it panics");
    assert_eq!((&error, error.ran()), (&VoxError::Panicked, Ran::Unknown));
    assert_eq!(counter.double(3).await, Ok(6));
}

#[tokio::test(start_paused = true)]
async fn channels_stream_both_ways() {
    let (counter, _clerk) = counter().await;
    let (tx, mut rx) = vox::channel();
    let counting = tokio::spawn(counter.count(1000, tx));
    let mut seen = 0;
    while let Some(n) = rx.recv().await.expect("a clean end") {
        seen += 1;
        assert_eq!(n, seen);
    }
    assert_eq!((seen, counting.await.expect("no panic")), (1000, Ok(())));

    let (tx, rx) = vox::channel();
    let summing = tokio::spawn(counter.sum(rx));
    for n in 1..=100 {
        tx.send(n).await.expect("it is taken");
    }
    tx.close();
    assert_eq!(summing.await.expect("no panic"), Ok(5050));
}

#[tokio::test(start_paused = true)]
async fn a_persistent_method_runs_once_for_one_operation() {
    let (counter, _clerk) = counter().await;
    let id = vox::OperationId::new();
    assert_eq!(counter.once().operation(id).await, Ok(1));
    assert_eq!(counter.once().operation(id).await, Ok(1), "it is replayed");
    assert_eq!(counter.once().await, Ok(2));
}

#[tokio::test(start_paused = true)]
async fn the_handler_is_free_when_the_last_client_is_gone() {
    let (counter, clerk) = counter().await;
    let other = counter.clone();
    drop(counter);
    assert_eq!(other.double(1).await, Ok(2));
    drop(other);
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(Arc::strong_count(&clerk), 1);
}

#[tokio::test(start_paused = true)]
async fn a_server_with_options_is_connected_to_in_one_line_too() {
    let server = Server::builder()
        .service(CounterDispatcher::new(Clerk::default()))
        .service(EchoDispatcher::new(Wall))
        .limits(Limits { max_message_bytes: 64 << 10, ..Default::default() });
    let session = Session::connect(server).await.expect("it serves");
    let (counter, echo): (CounterClient, EchoClient) =
        (session.open().await.expect("served"), session.open().await.expect("served"));
    assert_eq!(counter.double(4).await, Ok(8));
    assert_eq!(echo.echo("hi").await.as_deref(), Ok("hi"));
    let error = echo.echo(&"x".repeat(100_000)).await.expect_err("over the limit");
    assert!(matches!(error, VoxError::NotSent(vox::NotSent::TooLarge(_))), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_serves_one_service_twice_is_refused() {
    let server = Server::builder().service(EchoDispatcher::new(Wall)).service(EchoDispatcher::new(Wall));
    let error = vox::connect::<EchoClient>(server).await.expect_err("twice");
    assert!(error.to_string().contains("`Echo`"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_dispatcher_in_a_box_or_an_arc_is_a_service() {
    let boxed: Box<dyn Dispatcher> = Box::new(EchoDispatcher::new(Wall));
    let shared: Arc<dyn Dispatcher> = Arc::new(CounterDispatcher::new(Clerk::default()));
    let server = Server::builder().service(boxed).service(Arc::clone(&shared)).bind("mem://boxes").await.expect("free");
    let session = Session::connect(server.address()).serving(shared).await.expect("it listens");
    let echo: EchoClient = session.open().await.expect("served");
    assert_eq!(echo.echo("hi").await.as_deref(), Ok("hi"));
    let counter: CounterClient = session.open().await.expect("served");
    assert_eq!(counter.double(4).await, Ok(8));

    let listed: Vec<Box<dyn Dispatcher>> =
        vec![Box::new(EchoDispatcher::new(Wall)), Box::new(EchoDispatcher::new(Wall))];
    for dispatcher in listed {
        let (ours, theirs) = vox::transport::memory_pair();
        tokio::spawn(vox::serve(theirs, dispatcher));
        let echo: EchoClient = vox::connect(ours).await.expect("it serves");
        assert_eq!(echo.echo("hi").await.as_deref(), Ok("hi"));
    }
}

#[tokio::test]
async fn a_dispatcher_takes_a_handler_by_value_and_in_an_arc() {
    let wall = Arc::new(Wall);
    let server = Server::builder().service(EchoDispatcher::new(Arc::clone(&wall)));
    let echo: EchoClient = vox::connect(server).await.expect("it serves");
    assert_eq!(echo.echo("hi").await.as_deref(), Ok("hi"));
    let _named: EchoDispatcher<Wall> = EchoDispatcher::new(wall);
    let _owned: EchoDispatcher<Wall> = EchoDispatcher::<Wall>::new(Wall);
    fn generic<H: Echo>(handler: H) -> (EchoDispatcher<H>, Arc<H>) {
        let handler = Arc::new(handler);
        (EchoDispatcher::new(Arc::clone(&handler)), handler)
    }
    let (_, handler) = generic(Wall);
    let _again = EchoDispatcher::from_arc(handler);
}

#[tokio::test(start_paused = true)]
async fn a_test_makes_a_context_and_calls_a_handler_itself() {
    let cx = Context::for_test().build();
    assert_eq!(Clerk::default().who(&cx).await, "- -  mem://test");
    assert_eq!((Clerk::default().time_left(&cx).await, cx.method().name), (None, "test"));
    let cx = Context::for_test()
        .metadata("tenant", "acme")
        .peer_metadata("build", "7")
        .peer_address("tcp://10.0.0.7:1")
        .principal(Principal::new("emma"))
        .time_left(Duration::from_secs(5))
        .method(&CounterClient::SERVICE.methods[2])
        .build();
    assert_eq!(Clerk::default().who(&cx).await, "acme 7 emma tcp://10.0.0.7:1");
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(Clerk::default().time_left(&cx).await, Some(Duration::from_secs(3)));
    assert_eq!(cx.method().name, "time_left");
}

#[vox::service]
trait Till {
    #[vox(persist)]
    async fn pay(&self, cx: &Context, cents: u64) -> String;
}

struct MyTill;

impl Till for MyTill {
    async fn pay(&self, cx: &Context, cents: u64) -> String {
        let operation = cx.operation().expect("its outcome is kept");
        format!("{cents} for {} by {}, {:?}", operation.id(), operation.principal(), cx.time_left())
    }
}

const PAY: &vox::descriptor::MethodDescriptor = &TillClient::SERVICE.methods[0];

#[tokio::test(start_paused = true)]
async fn such_a_context_has_an_operation_where_the_outcome_of_its_method_is_kept() {
    let id = vox::OperationId::new();
    let emma = || Context::for_test().method(PAY).principal(Principal::new("emma")).operation(id);
    // What runs to its end has no deadline.
    let cx = emma().time_left(Duration::from_secs(5)).build();
    assert_eq!(MyTill.pay(&cx, 7).await, format!("7 for {id} by emma, None"));
    let (one, other) = (Context::for_test().method(PAY).build(), Context::for_test().method(PAY).build());
    assert_ne!(MyTill.pay(&one, 7).await, MyTill.pay(&other, 7).await, "each has an id of its own");

    let store: Arc<dyn vox::store::OperationStore> = Arc::new(vox::store::MemoryStore::new());
    let cx = emma().build_in(Arc::clone(&store)).await;
    assert_eq!(MyTill.pay(&cx, 7).await, format!("7 for {id} by emma, None"));
    let again = tokio::spawn(emma().build_in(store)).await;
    assert!(again.is_err_and(|error| error.is_panic()), "the store has admitted it");
    let volatile = Context::for_test().operation(id).build();
    assert!(volatile.operation().is_none());
}

/// As a handler seals what it returns together with its effect.
#[cfg(feature = "sqlite")]
#[tokio::test]
async fn the_operation_of_such_a_context_is_sealed_in_a_transaction() {
    use vox::store::{OperationStore, SqliteStore};
    let folder = std::env::temp_dir().join(format!("vox-for-test-{}", vox::OperationId::new()));
    std::fs::create_dir(&folder).expect("a folder");
    let store = Arc::new(SqliteStore::open(folder.join("till.db")).await.expect("a database"));
    let cx = Context::for_test().method(PAY).build_in(Arc::clone(&store) as Arc<dyn OperationStore>).await;
    let operation = cx.operation().expect("its outcome is kept").clone();
    let sealed = store.transaction(move |tx| {
        SqliteStore::seal_in(tx, &operation, &Ok::<_, std::convert::Infallible>("done".to_owned()))
    });
    sealed.await.expect("it is sealed");
    store.close().await;
    std::fs::remove_dir_all(folder).expect("it goes");
}

#[tokio::test(start_paused = true)]
async fn the_peer_of_such_a_context_can_be_called_back() {
    let cx = Context::for_test().peer_serves(EchoDispatcher::new(Wall)).build();
    assert_eq!(Clerk::default().ask_back(&cx, "hi").await.as_deref(), Some("hi"));
    let alone = Context::for_test().build();
    assert_eq!(Clerk::default().ask_back(&alone, "hi").await, None);
    let session = cx.session();
    drop(cx);
    assert!(session.open::<EchoClient>().await.is_err(), "the session ends with its context");
}

/// A task that a handler left behind may still have its session, or a client on it.
#[tokio::test(start_paused = true)]
async fn a_context_that_is_dropped_closes_its_session() {
    let cx = Context::for_test().peer_serves(EchoDispatcher::new(Wall)).build();
    let session = cx.session();
    let echo: EchoClient = session.open().await.expect("the peer serves it");
    assert_eq!(echo.echo("hi").await.as_deref(), Ok("hi"));
    drop(cx);
    let closed = tokio::time::timeout(Duration::from_secs(60), session.closed()).await;
    assert_eq!(closed, Ok(vox::EndReason::ClosedHere));
    assert!(matches!(echo.echo("hi").await, Err(VoxError::NotSent(vox::NotSent::Closed(_)))));
}

#[tokio::test(start_paused = true)]
async fn the_peer_of_a_context_can_be_called_back_twice() {
    let cx = Context::for_test().peer_serves(EchoDispatcher::new(Wall)).build();
    assert_eq!(Clerk::default().ask_back(&cx, "a").await.as_deref(), Some("a"));
    assert_eq!(Clerk::default().ask_back(&cx, "b").await.as_deref(), Some("b"));
}
