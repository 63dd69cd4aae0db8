//! vox really panics here, in all the places where the state is half changed then.

use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinHandle;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};

use super::super::super::peer::Peer;
use crate::client::Session;
use crate::driver::state::Trap;
use crate::driver::{Router, Shared, face_to_face};
use crate::error::{EndReason, NotSent, Ran, VoxError};
use crate::metadata::Metadata;
use crate::{Client, Context, Rx, SendError, ServeError, Server, serve};

#[vox_macros::service(crate = crate)]
trait Prey {
    async fn echo(&self, n: u64) -> u64;
    async fn hang(&self);
    /// vox panics at this end when it reads next.
    async fn set_trap(&self, cx: &Context);
    async fn sum(&self, numbers: Rx<u64>) -> u64;
    #[vox(persist)]
    async fn keep(&self, n: u64) -> u64;
}

#[derive(Clone, Default)]
struct Deer {
    /// How many handlers hang.
    hanging: Arc<AtomicUsize>,
}

struct Hanging(Arc<AtomicUsize>);

impl Drop for Hanging {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Prey for Deer {
    async fn echo(&self, n: u64) -> u64 {
        n
    }
    async fn hang(&self) {
        self.hanging.fetch_add(1, Ordering::SeqCst);
        let _hanging = Hanging(Arc::clone(&self.hanging));
        std::future::pending().await
    }
    async fn set_trap(&self, cx: &Context) {
        cx.shared().lock().trap = Some(Trap::Frame);
    }
    async fn sum(&self, mut numbers: Rx<u64>) -> u64 {
        let mut sum = 0;
        while let Ok(Some(n)) = numbers.recv().await {
            sum += n;
        }
        sum
    }
    async fn keep(&self, n: u64) -> u64 {
        match n {
            0 => std::future::pending().await,
            n => n,
        }
    }
}

/// Two ends of a session in this process, of which one serves a deer.
struct Bench {
    near: Arc<Shared>,
    far: Arc<Shared>,
    session: Session,
    client: PreyClient,
    deer: Deer,
    _far: Session,
}

impl Bench {
    async fn new() -> Self {
        let deer = Deer::default();
        let router = Router::new(vec![Arc::new(PreyDispatcher::new(deer.clone()))]);
        let (near, far) = face_to_face(Peer::new("mem://deer".to_owned(), Metadata::new()), router);
        let (session, far_session) = (Session::hold(&near, None), Session::hold(&far, None));
        let client = session.open().await.expect("it is served");
        Self { near, far, session, client, deer, _far: far_session }
    }

    fn hanging(&self) -> usize {
        self.deer.hanging.load(Ordering::SeqCst)
    }
}

/// The error reads as it says in the golden file of faults, which `tests/errors` counts on.
#[track_caller]
fn golden(name: &str, error: &dyn std::error::Error) {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/errors-fault.txt");
    let golden = std::fs::read_to_string(file).expect("the golden file");
    let mut lines = golden.lines().skip_while(|line| *line != name).skip(1);
    assert!(error.source().is_none(), "it says all by itself");
    assert_eq!(lines.next().map(str::trim_start), Some(&*error.to_string()), "{name}");
}

async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// The outcome of a call, which comes long before this.
async fn told<T>(call: JoinHandle<T>) -> T {
    let told = tokio::time::timeout(Duration::from_secs(3600), call).await;
    told.expect("its caller is told").expect("no panic")
}

/// The session of one end panics there, while calls are under way. Both ends see it end, and all that went on in it.
async fn check(trap: Trap, pick: fn(&Bench) -> &Arc<Shared>, beside: &Bench) {
    let log = Errors::default();
    let _listening = log.listen();
    let bench = Bench::new().await;
    let hanging = [(); 3].map(|()| tokio::spawn(bench.client.hang().into_future()));
    let (tx, rx) = crate::channel();
    let sum = tokio::spawn(bench.client.sum(rx).into_future());
    settle().await;
    tx.send(1).await.expect("it is read");
    settle().await;
    assert_eq!(bench.hanging(), 3);

    let broken = Arc::clone(pick(&bench));
    broken.lock().trap = Some(trap);
    // Whatever comes next goes through it. It is a call of the end that is broken, or of the other.
    let last: JoinHandle<Result<u64, VoxError>> = tokio::spawn(bench.client.echo(7).into_future());
    settle().await;
    assert_eq!(broken.lock().trap, None, "it panicked");

    assert_eq!(broken.lock().session.end_reason(), Some(&EndReason::InternalFault));
    for call in hanging {
        assert_eq!(told(call).await, Err(VoxError::Indeterminate), "{trap:?}");
    }
    assert_eq!(told(sum).await, Err(VoxError::Indeterminate));
    assert!(matches!(tx.send(2).await, Err(SendError::ConnectionLost { .. })));
    // Only who panics himself may be told by a panic.
    if let Ok(outcome) = last.await {
        assert_ne!(outcome.map_err(|error| error.ran()), Err(Ran::Yes));
    }
    let after = bench.client.echo(8).await.expect_err("it is over");
    assert!(matches!(after, VoxError::NotSent(NotSent::Closed(_))), "{after}");
    settle().await;
    assert_eq!(bench.hanging(), 0, "the handlers are stopped");
    for end in [&bench.near, &bench.far] {
        assert!(end.lock().over, "its task has ended");
        assert_eq!(end.lock().session.handlers_running(), 0);
    }
    let [error] = &log.take()[..] else { panic!("one error is logged") };
    assert!(error.contains("vox has a bug") && error.contains("mem://deer") && error.contains("report"), "{error}");
    assert_eq!(beside.client.echo(9).await, Ok(9), "another session");
}

#[tokio::test(start_paused = true)]
async fn a_panic_under_the_lock_ends_its_session_and_no_other() {
    let beside = Bench::new().await;
    for trap in [Trap::Frame, Trap::Finish, Trap::Take] {
        check(trap, |bench| &bench.near, &beside).await;
    }
    for trap in [Trap::Frame, Trap::Take] {
        check(trap, |bench| &bench.far, &beside).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_other_end_hears_of_a_fault_at_once_where_the_link_can_take_it() {
    let bench = Bench::new().await;
    bench.near.lock().trap = Some(Trap::Frame);
    let error = bench.client.echo(7).await.expect_err("it panics");
    assert_eq!(error, VoxError::Indeterminate);
    golden("VoxError::Indeterminate, of a fault", &error);
    settle().await;
    let reason = bench.far.lock().session.end_reason().cloned();
    assert_eq!(reason, Some(EndReason::Goodbye("an internal fault".into())));
    golden("EndReason::InternalFault", &bench.session.closed().await);
    let after = bench.client.echo(8).await.expect_err("it is over");
    golden("VoxError::NotSent(Closed), after a fault", &after);
}

/// The core is so broken that it cannot even end itself.
#[tokio::test(start_paused = true)]
async fn whatever_waits_is_told_where_the_core_cannot_end_itself() {
    let bench = Bench::new().await;
    let hanging = tokio::spawn(bench.client.hang().into_future());
    let (tx, rx) = crate::channel::<u64>();
    let sum = tokio::spawn(bench.client.sum(rx).into_future());
    settle().await;
    for end in [&bench.near, &bench.far] {
        end.lock().trap = Some(Trap::End);
        end.fail();
    }
    assert_eq!(told(hanging).await, Err(VoxError::Indeterminate));
    assert_eq!(told(sum).await, Err(VoxError::Indeterminate));
    assert!(matches!(tx.send(2).await, Err(SendError::ConnectionLost { .. })));
    settle().await;
    assert_eq!(bench.hanging(), 0);
}

/// A call that waits for its turn has not left.
#[tokio::test(start_paused = true)]
async fn a_call_that_has_not_left_has_not_run() {
    let bench = Bench::new().await;
    let most = bench.near.limits.max_calls;
    let hanging: Vec<_> = (0..most).map(|_| tokio::spawn(bench.client.hang().into_future())).collect();
    settle().await;
    let queued = tokio::spawn(bench.client.hang().into_future());
    settle().await;
    let panicked = catch_unwind(AssertUnwindSafe(|| bench.near.change(|_| panic!("on purpose"))));
    assert!(panicked.is_err());
    let error = told(queued).await.expect_err("it waited");
    assert_eq!(error.ran(), Ran::No, "{error}");
    assert!(error.to_string().contains("internal fault"), "{error}");
    for call in hanging {
        assert_eq!(told(call).await, Err(VoxError::Indeterminate));
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_goes_on_with_another_session() {
    let server = Server::builder().service(PreyDispatcher::new(Deer::default()));
    let server = server.bind("mem://another-session").await.expect("a server");
    let client: PreyClient = crate::connect("mem://another-session").await.expect("a client");
    assert_eq!(client.echo(1).await, Ok(1));
    let first = client.caller().shared();
    first.lock().trap = Some(Trap::Frame);
    assert_eq!(client.echo(2).await, Err(VoxError::Indeterminate));
    assert_eq!(client.echo(3).await, Ok(3));
    settle().await;
    assert_eq!(server.sessions(), 1, "nothing is left of the first");
}

/// The operations of a server are shared by its sessions, none of which ends.
#[tokio::test(start_paused = true)]
async fn a_panic_among_the_operations_costs_those_under_way() {
    let log = Errors::default();
    let _listening = log.listen();
    let bench = Bench::new().await;
    let kept = tokio::spawn(bench.client.keep(0).into_future());
    settle().await;
    let runner = bench.far.router.runner().expect("a method is kept");
    catch_unwind(AssertUnwindSafe(|| runner.panic_at_the_table())).expect_err("it panics");
    assert_eq!(bench.client.keep(7).await, Ok(7));
    assert_eq!(told(kept).await, Err(VoxError::Indeterminate));
    let [error] = &log.take()[..] else { panic!("one error is logged") };
    assert!(error.contains("vox has a bug") && error.contains("operations"), "{error}");
}

/// Over a link, the session is all that there is to serve.
#[tokio::test(start_paused = true)]
async fn serving_a_link_does_not_end_well_by_a_fault() {
    let (ours, theirs) = crate::transport::memory_pair();
    let serving = tokio::spawn(serve(theirs, PreyDispatcher::new(Deer::default())));
    let client: PreyClient = crate::connect(ours).await.expect("a client");
    client.set_trap().await.expect("it is set");
    assert_eq!(client.echo(1).await, Err(VoxError::Indeterminate));
    let error = told(serving).await.expect_err("vox panicked");
    assert!(matches!(error, ServeError::Fault { .. }), "{error:?}");
    golden("ServeError::Fault", &error);
}

#[tokio::test(start_paused = true)]
async fn serving_an_address_goes_on_when_one_session_has_a_fault() {
    let serving = tokio::spawn(serve("mem://goes-on", PreyDispatcher::new(Deer::default())));
    settle().await;
    let clients: [PreyClient; 2] = [
        crate::connect("mem://goes-on").await.expect("a client"),
        crate::connect("mem://goes-on").await.expect("a client"),
    ];
    clients[0].set_trap().await.expect("it is set");
    assert_eq!(clients[0].echo(1).await, Err(VoxError::Indeterminate));
    for client in &clients {
        assert_eq!(client.echo(2).await, Ok(2));
    }
    assert!(!serving.is_finished());
}

/// The texts of all errors that are logged.
#[derive(Clone, Default)]
struct Errors(Arc<Mutex<Vec<String>>>);

impl Errors {
    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        // While a process has one subscriber, the first thread at a place decides for all whether anybody listens there.
        static COMPANY: std::sync::OnceLock<tracing::Dispatch> = std::sync::OnceLock::new();
        COMPANY.get_or_init(|| tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default()));
        tracing::subscriber::set_default(self.clone())
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("no panic"))
    }
}

impl Subscriber for Errors {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        struct Text(String);
        impl Visit for Text {
            fn record_debug(&mut self, _: &Field, value: &dyn std::fmt::Debug) {
                write!(self.0, "{value:?} ").expect("it is memory");
            }
        }
        if *event.metadata().level() == Level::ERROR {
            let mut text = Text(String::new());
            event.record(&mut text);
            self.0.lock().expect("no panic").push(text.0);
        }
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}
