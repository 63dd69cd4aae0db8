//! Clocks that are wrong: ids are made by the clock of the end that judges them, so that neither end's clock need be right.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use vox::store::{MemoryStore, StoreLimits};
use vox::transport::Link;
use vox::{Caller, Client, OperationId, Server, Session, VoxError};

use crate::lab::{Bench, LedgerClient, LedgerDispatcher};
use crate::support::cable::Cable;
use crate::support::raw::{self, Raw};

const HOUR: Duration = Duration::from_secs(3600);

/// A server's clock, in milliseconds since 1970.
#[derive(Clone)]
struct Clock(Arc<AtomicU64>);

impl Clock {
    fn at(time: SystemTime) -> Self {
        let clock = Self(Arc::default());
        clock.set(time);
        clock
    }

    fn set(&self, time: SystemTime) {
        let since = time.duration_since(UNIX_EPOCH).expect("after 1970");
        self.0.store(since.as_millis() as u64, SeqCst);
    }

    fn server(&self) -> (vox::ServerBuilder, Bench) {
        let (clock, bench) = (Arc::clone(&self.0), Bench::default());
        let time = move || UNIX_EPOCH + Duration::from_millis(clock.load(SeqCst));
        let store = MemoryStore::with_clock(StoreLimits::default(), time).expect("the defaults");
        (Server::builder().service(LedgerDispatcher::new(bench.clone())).store(Arc::new(store)), bench)
    }
}

/// Some calls of each kind that is an operation: those that are named by the runtime, and those that the application names.
async fn operations_run_once(client: &LedgerClient, bench: &Bench) {
    let caller: &Caller = client.caller();
    bench.gate.add_permits(2);
    assert_eq!(client.at_once(2).await, Ok(1));
    let id = caller.new_operation();
    for _ in 0..3 {
        assert_eq!(client.at_once(2).operation(id).await, Ok(2));
    }
    assert_eq!(client.transfer(2).operation(caller.new_operation()).await, Ok(3));
    // One that only this session knows of.
    let id = caller.new_operation();
    for _ in 0..2 {
        assert_eq!(client.plain(1).operation(id).await, Ok(5));
    }
    assert_eq!(bench.started.get(), 4);
}

async fn works_whatever_the_clocks_say(address: impl Fn(usize) -> String) {
    let now = SystemTime::now();
    let times = [now + 7 * HOUR, now - 7 * HOUR, now - 1000 * HOUR, now + 1000 * HOUR, UNIX_EPOCH + 48 * HOUR];
    for (number, time) in times.into_iter().enumerate() {
        let (builder, bench) = Clock::at(time).server();
        let server = builder.bind(address(number)).await.expect("it is free");
        let client: LedgerClient = vox::connect(server.address()).await.expect("a session");
        operations_run_once(&client, &bench).await;
    }
}

#[tokio::test]
async fn operations_run_once_though_a_clock_is_hours_off_in_memory() {
    works_whatever_the_clocks_say(|number| format!("mem://clocks-{number}")).await;
}

#[tokio::test]
async fn operations_run_once_though_a_clock_is_hours_off_over_tcp() {
    works_whatever_the_clocks_say(|_| "tcp://127.0.0.1:0".to_owned()).await;
}

#[cfg(unix)]
#[tokio::test]
async fn operations_run_once_though_a_clock_is_hours_off_over_unix_sockets() {
    let path = std::env::temp_dir().join(format!("vox-clocks-{}", std::process::id()));
    works_whatever_the_clocks_say(|number| format!("unix://{}-{number}", path.display())).await;
}

#[tokio::test]
async fn an_id_by_the_wrong_clock_never_runs_and_the_error_says_how_to_make_others() {
    for (number, time) in [SystemTime::now() + 48 * HOUR, SystemTime::now() - HOUR].into_iter().enumerate() {
        let clock = Clock::at(time);
        let (builder, bench) = clock.server();
        let server = builder.bind(format!("mem://clocks-wrong-{number}")).await.expect("it is free");
        let client: LedgerClient = vox::connect(server.address()).await.expect("a session");
        let id = OperationId::new();
        let error = client.at_once(2).operation(id).await.expect_err("it is of another time");
        assert_eq!((error.kind(), bench.started.get()), ("operation-expired", 0));
        let text = error.to_string();
        for help in ["Caller::new_operation", "OperationId::derive"] {
            assert!(text.contains(help), "{text}");
        }
        let VoxError::OperationExpired { clocks, .. } = error else { panic!("{error:?}") };
        assert_eq!(clocks.id(), Some(id.time()));
        let server = clocks.server().expect("it was told");
        let told = UNIX_EPOCH + Duration::from_millis(clock.0.load(SeqCst));
        assert!((told..told + HOUR).contains(&server), "{server:?} is not by the server's clock");
        assert_eq!(client.at_once(2).operation(client.caller().new_operation()).await, Ok(1));
        assert_eq!(client.at_once(2).operation(OperationId::derive("order 17", time)).await, Ok(2));
    }
}

/// Its first call is made before any server has said what time it is.
#[tokio::test]
async fn a_client_that_is_not_connected_yet_goes_by_the_clock_of_the_server_that_it_meets() {
    for (number, time) in [SystemTime::now() + 48 * HOUR, SystemTime::now() - HOUR].into_iter().enumerate() {
        let (builder, bench) = Clock::at(time).server();
        let server = builder.bind(format!("mem://clocks-lazy-{number}")).await.expect("it is free");
        let client: LedgerClient = vox::connect(server.address()).lazy().expect("a client");
        assert_eq!(client.at_once(2).await, Ok(1));
        assert_eq!(client.at_once(2).operation(client.caller().new_operation()).await, Ok(2));
        assert_eq!(bench.started.get(), 2);
    }
}

#[tokio::test]
async fn a_name_from_elsewhere_is_one_operation_in_whatever_process() {
    let asked = SystemTime::now() - HOUR;
    let (builder, bench) = Clock::at(SystemTime::now()).server();
    let server = builder.bind("mem://clocks-derived").await.expect("it is free");
    // A UUID of version 4 says no time that means anything.
    let key = 0x8e03_978e_40d5_43dd_bc93_6894_a57f_9324_u128;
    for _ in 0..2 {
        let client: LedgerClient = vox::connect(server.address()).await.expect("a session");
        assert_eq!(client.at_once(2).operation(OperationId::derive(key.to_be_bytes(), asked)).await, Ok(1));
        let other = client.at_once(3).operation(OperationId::derive(key.to_be_bytes(), asked)).await;
        assert!(matches!(other, Err(VoxError::OperationConflict { .. })), "{other:?}");
    }
    let client: LedgerClient = vox::connect(server.address()).await.expect("a session");
    assert_eq!(client.at_once(2).operation(OperationId::derive((key + 1).to_be_bytes(), asked)).await, Ok(2));
    let raw = client.at_once(2).operation(OperationId::from_u128(key)).await.expect_err("it is of no time");
    assert_eq!(raw.kind(), "operation-expired");
    assert_eq!(bench.started.get(), 2);
}

/// Somebody sets the server's clock while a session is without a link: its next handshake says so.
#[tokio::test]
async fn a_session_that_is_resumed_goes_by_the_servers_new_time() {
    let clock = Clock::at(SystemTime::now());
    let (builder, bench) = clock.server();
    let cable = Cable::to(builder.start().expect("a server"));
    let client: LedgerClient = vox::connect(cable.connector()).await.expect("a session");
    assert_eq!(client.at_once(1).await, Ok(1));
    // Back first: a store that has forgotten an operation runs none whose id is older, wherever its clock is set to.
    for (n, time) in [SystemTime::now() - 90 * HOUR, SystemTime::now() + 90 * HOUR].into_iter().enumerate() {
        clock.set(time);
        cable.cut();
        while cable.links() < n + 2 {
            tokio::task::yield_now().await;
        }
        // The client has given up the old link, so this goes over the next. It is no operation, so it is of no time.
        assert_eq!(client.again(0).await, Ok(2 * n as u64 + 2));
        assert_eq!(client.at_once(1).await, Ok(2 * n as u64 + 3));
    }
    assert_eq!((bench.started.get(), cable.server().sessions()), (5, 1));
}

#[vox::service]
trait Asks {
    /// Calls back.
    async fn ask(&self, cx: &vox::Context);
}

struct Asking;

impl Asks for Asking {
    async fn ask(&self, cx: &vox::Context) {
        let session: Session = cx.session();
        let ledger: LedgerClient = session.open().await.expect("it is served");
        let _ = ledger.unit().await;
    }
}

/// The time of the operation that a `Call` of `Ledger.unit` names: it has no arguments, and the id comes last.
fn named(call: &raw::Read) -> SystemTime {
    let id = call.body.last_chunk::<16>().expect("an operation");
    OperationId::from_u128(u128::from_be_bytes(*id)).time()
}

fn is_the_peers(time: SystemTime) {
    let told = UNIX_EPOCH + Duration::from_millis(raw::TIME);
    assert!((told..told + HOUR).contains(&time), "{time:?} is not by the peer's clock");
}

#[tokio::test]
async fn each_end_makes_ids_by_the_clock_of_the_other() {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let (client, mut server) =
        tokio::join!(vox::connect::<LedgerClient>(Link::new(ours, "raw")), Raw::accept(theirs, raw::LIMITS));
    let client = client.expect("welcome");
    let call = tokio::spawn(client.unit());
    is_the_peers(named(&server.read_kind(raw::CALL).await));
    call.abort();

    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let serving = Server::builder().service(AsksDispatcher::new(Asking)).serve_link(Link::new(theirs, "raw"));
    let serving = tokio::spawn(serving);
    let mut client = Raw::initiate(ours, Some("Asks")).await;
    client.send(&raw::call(1, 1, "Asks.ask", &[])).await;
    client.read_kind(raw::OPEN).await;
    client.send(&raw::frame(raw::ACCEPT).var(2).u8(0)).await;
    is_the_peers(named(&client.read_kind(raw::CALL).await));
    serving.abort();
}
