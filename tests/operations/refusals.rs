//! Ids that belong to something else, and replies that the runtime makes itself.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use vox::store::MemoryStore;
use vox::{OperationId, Ran, VoxError};

use crate::lab::{Lab, LedgerDispatcher, Refused, id, lab};
use crate::support::raw::{CALL, REPLY, Raw, frame};
use crate::support::settle;

/// The same service to the wire, with other types in and out.
mod other {
    #[vox::service(name = "Ledger")]
    pub trait Other {
        #[vox(persist)]
        async fn transfer(&self, cents: String) -> u64;
        #[vox(persist)]
        async fn at_once(&self, cents: u64) -> String;
        #[vox(idem, persist)]
        async fn explode_once(&self) -> String;
    }
}

struct Later;

impl other::Other for Later {
    async fn transfer(&self, _cents: String) -> u64 {
        0
    }
    async fn at_once(&self, _cents: u64) -> String {
        "it ran".to_owned()
    }
    async fn explode_once(&self) -> String {
        "it ran".to_owned()
    }
}

// proves: operation.conflict
#[tokio::test(start_paused = true)]
async fn pitfall_3_another_method_or_other_arguments_are_a_conflict_and_nothing_leaks() {
    let (lab, client) = lab().await;
    let id = id();
    let first = tokio::spawn(client.transfer(2).operation(id).into_future());
    settle().await;
    for sealed in [false, true] {
        if sealed {
            lab.bench.gate.add_permits(1);
            settle().await;
        }
        let error = client.transfer(4).operation(id).await.expect_err("other arguments");
        assert_eq!((&error, error.ran()), (&VoxError::OperationConflict, Ran::No), "sealed: {sealed}");
        assert!(!error.is_retryable());
        assert_eq!(client.at_once(2).operation(id).await, Err(VoxError::OperationConflict), "sealed: {sealed}");
        assert_eq!(client.explode_once().operation(id).await, Err(VoxError::OperationConflict), "sealed: {sealed}");
    }
    assert_eq!(first.await.expect("no panic"), Ok(1));
    assert_eq!(lab.bench.started.get(), 1);
}

/// After each kind of reply that the runtime makes, the same connection carries ordinary ones.
// proves: outcome.shape
#[tokio::test(start_paused = true)]
async fn pitfall_1_replies_that_the_runtime_makes_have_their_methods_shape() {
    let (lab, client) = lab().await;
    let (used, broken, old) = (id(), id(), OperationId::at(SystemTime::now() - Duration::from_secs(48 * 3600)));
    lab.bench.gate.add_permits(100);
    assert_eq!(client.transfer(2).operation(used).await, Ok(1));
    assert_eq!(client.explode().operation(broken).await, Err(VoxError::Panicked));
    let works = async || {
        assert!(client.transfer(2).await.is_ok());
        assert!(matches!(client.transfer(1).await, Err(VoxError::User(Refused::NoCover { .. }))));
        assert_eq!(client.unit().await, Ok(()));
        assert_eq!(client.text(3).await, Ok("xxx".to_owned()));
    };
    assert_eq!(client.transfer(4).operation(used).await, Err(VoxError::OperationConflict));
    works().await;
    assert_eq!(client.unit().operation(used).await, Err(VoxError::OperationConflict));
    works().await;
    assert_eq!(client.explode().operation(broken).await, Err(VoxError::Indeterminate));
    works().await;
    assert_eq!(client.text(1).operation(old).await, Err(VoxError::OperationExpired));
    works().await;
    assert_eq!(client.plain_explode().await, Err(VoxError::Panicked));
    works().await;
}

// proves: operation.expired
#[tokio::test(start_paused = true)]
async fn ids_that_are_too_old_or_of_the_future_never_run() {
    let (lab, client) = lab().await;
    let (day, now) = (Duration::from_secs(24 * 3600), SystemTime::now());
    let minute = Duration::from_secs(60);
    for time in [now - day - minute, now + 10 * minute, SystemTime::UNIX_EPOCH] {
        let error = client.at_once(2).operation(OperationId::at(time)).await.expect_err("out of date");
        assert_eq!((&error, error.ran()), (&VoxError::OperationExpired, Ran::No));
    }
    assert_eq!(lab.bench.started.get(), 0);
    for time in [now - day + minute, now + 2 * minute] {
        assert!(client.at_once(2).operation(OperationId::at(time)).await.is_ok());
    }
}

/// What was refused before its handler started leaves no record: the id is free.
// proves: operation.refused
#[tokio::test(start_paused = true)]
async fn arguments_that_cannot_be_decoded_are_not_kept() {
    let lab = Lab::new().await;
    let id = id();
    let (ours, theirs) = crate::support::undescribed::undescribed_pair();
    let (other, accepted) =
        tokio::join!(vox::connect::<other::OtherClient>(ours).into_future(), lab.server.accept(theirs));
    accepted.expect("let in");
    let other = other.expect("a session");
    let error = other.transfer("more than a number takes".repeat(9)).operation(id).await.expect_err("no number");
    assert!(matches!(error, VoxError::InvalidPayload(_)), "{error:?}");
    lab.bench.gate.add_permits(1);
    assert_eq!(lab.client().await.transfer(2).operation(id).await, Ok(1));
}

/// The method gives back another type than when the outcome was sealed: nobody can read it as that.
#[tokio::test(start_paused = true)]
async fn pitfall_12_a_record_that_cannot_be_read_does_not_run_again_unless_it_may() {
    let store = Arc::new(MemoryStore::new());
    let (persist, may_run_again) = (id(), id());
    {
        let lab = Lab::on(Arc::clone(&store) as _).await;
        let client = lab.client().await;
        assert_eq!(client.at_once(2).operation(persist).await, Ok(1));
        assert_eq!(client.explode_once().operation(may_run_again).await, Ok(2));
    }
    let later = vox::Server::builder().service(other::OtherDispatcher::new(Later)).store(store);
    let later = later.bind("mem://operations-later").await.expect("a name of its own");
    let client: other::OtherClient = vox::connect(later.address()).await.expect("a session");
    for _ in 0..2 {
        let error = client.at_once(2).operation(persist).await.expect_err("it cannot be read");
        assert_eq!(error.ran(), Ran::Yes);
        assert!(error.to_string().contains("the response.Ok is string here and u64 there"), "{error}");
    }
    assert_eq!(client.explode_once().operation(may_run_again).await, Ok("it ran".to_owned()));
}

// proves: operation.unknown
#[tokio::test(start_paused = true)]
async fn a_panic_is_recorded_and_repeats_say_so() {
    let (lab, client) = lab().await;
    let id = id();
    let error = client.explode().operation(id).await.expect_err("it panics");
    assert_eq!((&error, error.ran()), (&VoxError::Panicked, Ran::Unknown));
    assert!(!error.is_retryable_under(client.explode().policy()), "there is nothing to be had");
    for client in [client.clone(), lab.client().await] {
        assert_eq!(client.explode().operation(id).await, Err(VoxError::Indeterminate));
    }
    assert_eq!(lab.bench.started.get(), 1);
}

// proves: operation.unknown
#[tokio::test(start_paused = true)]
async fn what_may_run_again_does_after_a_panic() {
    let (lab, client) = lab().await;
    let id = id();
    assert_eq!(client.explode_once().operation(id).await, Err(VoxError::Panicked));
    assert_eq!(client.explode_once().operation(id).await, Ok(2));
    assert_eq!(client.explode_once().operation(id).await, Ok(2), "and is kept then");
    assert_eq!(lab.bench.started.get(), 2);
}

/// A handler that panics is answered for whatever else its call had.
#[tokio::test(start_paused = true)]
async fn pitfall_7_an_idem_call_with_channels_whose_handler_panics_is_answered() {
    let (_lab, client) = lab().await;
    let (tx, rx) = vox::channel();
    assert_eq!(client.idem_explode(rx).await, Err(VoxError::Panicked));
    assert!(tx.send(1).await.is_err());
    assert_eq!(client.again(1).await, Ok(3));
}

/// The payload of the reply to a raw call of `Ledger.text` under an operation.
async fn raw_reply(raw: &mut Raw, request: u64, id: OperationId, len: u8) -> Vec<u8> {
    let call = frame(CALL).var(1).var(request).method("Ledger.text").u8(8);
    raw.send(&call.bytes(&id.to_u128().to_be_bytes()).u8(len)).await;
    let reply = raw.read_kind(REPLY).await;
    let mut fields = reply.reader();
    assert_eq!((fields.var(), fields.var()), (1, request));
    fields.0.to_vec()
}

/// On a new connection, in a new session, of a new server.
// proves: operation.replayed
#[tokio::test(start_paused = true)]
async fn pitfall_2_what_was_sealed_is_replayed_byte_for_byte_anywhere() {
    let store = Arc::new(MemoryStore::new());
    let id = id();
    let mut replies = Vec::new();
    for _ in 0..2 {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let bench = crate::lab::Bench::default();
        let server =
            vox::Server::builder().service(LedgerDispatcher::new(bench.clone())).store(Arc::clone(&store) as _);
        tokio::spawn(server.serve_link(vox::transport::Link::new(theirs, "raw")));
        let mut raw = Raw::initiate(ours, Some("Ledger")).await;
        replies.push(raw_reply(&mut raw, 1, id, 5).await);
        replies.push(raw_reply(&mut raw, 3, id, 5).await);
        assert_eq!(bench.started.get(), if replies.len() == 2 { 1 } else { 0 });
    }
    assert_eq!(replies[0], b"\x00\x05xxxxx");
    assert!(replies.iter().all(|reply| *reply == replies[0]), "{replies:?}");
}

/// Each method's outcome, replayed in another session.
#[tokio::test(start_paused = true)]
async fn pitfall_2_every_kind_of_outcome_can_be_replayed() {
    let (lab, client) = lab().await;
    lab.bench.gate.add_permits(2);
    let ids = [id(), id(), id(), id(), id()];
    let ask = async |client: &crate::lab::LedgerClient| {
        (
            client.transfer(2).operation(ids[0]).await,
            client.transfer(3).operation(ids[1]).await,
            client.unit().operation(ids[2]).await,
            client.text(100_000).operation(ids[3]).await,
            client.at_once(1).operation(ids[4]).await,
        )
    };
    let first = ask(&client).await;
    assert_eq!(first.1, Err(VoxError::User(Refused::NoCover { missing: 2 })));
    assert!(first.0.is_ok() && first.2.is_ok() && first.3.is_ok() && first.4.is_ok(), "{first:?}");
    assert_eq!(ask(&lab.client().await).await, first);
    assert_eq!(lab.bench.started.get(), 5);
}

/// A raw peer may leave the id out: its call is an operation that nobody can ask for again.
#[tokio::test(start_paused = true)]
async fn a_persist_call_without_an_id_is_served() {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let bench = crate::lab::Bench::default();
    let server = vox::Server::builder().service(LedgerDispatcher::new(bench.clone()));
    tokio::spawn(server.serve_link(vox::transport::Link::new(theirs, "raw")));
    let mut raw = Raw::initiate(ours, Some("Ledger")).await;
    for request in [1, 3] {
        raw.send(&crate::support::raw::call(1, request, "Ledger.text", &[1])).await;
        assert_eq!(raw.read_kind(REPLY).await.body, [1, request as u8, 0, 1, b'x']);
    }
    assert_eq!(bench.started.get(), 2);
}
