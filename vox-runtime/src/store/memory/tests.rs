//! What is the memory store's alone; the rules that it shares with others are in the conformance suite.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use super::MemoryStore;
use crate::descriptor::RetryPolicy;
use crate::ids::MethodId;
use crate::operation::{
    Admission, Digest, Fence, Holder, NewOperation, OperationId, OperationKey, Outcome, PeerKey, Principal,
};
use crate::schema::Schema;
use crate::store::{OperationStore, StoreError, StoreFuture, StoreLimits, conformance};

/// A store whose clock stands until it is told to move.
struct Bench {
    store: MemoryStore,
    seconds: Arc<AtomicU64>,
}

const START: u64 = 1_000_000_000;

impl Bench {
    fn new(limits: StoreLimits) -> Self {
        let seconds = Arc::new(AtomicU64::new(START));
        let clock = Arc::clone(&seconds);
        let time = move || UNIX_EPOCH + Duration::from_secs(clock.load(Ordering::Relaxed));
        Self { store: MemoryStore::within(limits, time), seconds }
    }

    fn set(&self, seconds: u64) {
        self.seconds.store(seconds, Ordering::Relaxed);
    }

    fn admit(&self, operation: &NewOperation) -> Result<Admission, StoreError> {
        now(self.store.admit(operation))
    }

    fn grant(&self, operation: &NewOperation) -> Fence {
        match self.admit(operation) {
            Ok(Admission::Granted(fence)) => fence,
            other => panic!("not granted: {other:?}"),
        }
    }

    fn run(&self, operation: &NewOperation, len: usize) {
        let fence = self.grant(operation);
        let outcome = Outcome { bytes: Bytes::from(vec![0; len]), schema: operation.schema.clone() };
        now(self.store.seal(&operation.key, fence, outcome)).expect("sealed");
    }

    fn run_and_acknowledge(&self, operation: &NewOperation) {
        self.run(operation, 1_000);
        now(self.store.acknowledge(&operation.key)).expect("acknowledged");
    }
}

fn now<T>(mut future: StoreFuture<'_, T>) -> Result<T, StoreError> {
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("a future of the memory store is ready at once"),
    }
}

/// An operation made so many seconds after the epoch.
fn at(seconds: u64, principal: &str) -> NewOperation {
    let method = MethodId(1);
    NewOperation {
        key: OperationKey {
            id: OperationId::at(UNIX_EPOCH + Duration::from_secs(seconds)),
            principal: Principal::new(principal),
        },
        peer: None,
        service: "Bank",
        method,
        policy: RetryPolicy::PERSIST,
        digest: Digest::of(method, b""),
        schema: Schema::from_bytes(*b"u8"),
    }
}

/// An operation of nobody who is known, but of this peer.
fn of_peer(peer: &str) -> NewOperation {
    let operation = at(START, "");
    let key = OperationKey { principal: Principal::anonymous(), ..operation.key };
    NewOperation { key, peer: Some(PeerKey::new(peer)), ..operation }
}

fn principal(name: &str) -> Holder {
    Holder::Principal(Principal::new(name))
}

fn full(limit: &'static str, holder: Holder, has: u64, most: u64) -> Result<Admission, StoreError> {
    Err(StoreError::Full { limit, holder, has, most })
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms() {
    conformance::check(async || MemoryStore::new()).await.expect("every rule");
}

#[test]
fn a_store_that_is_full_of_what_may_be_asked_for_refuses() {
    let bench = Bench::new(StoreLimits { max_records: 3, ..StoreLimits::default() });
    let operations = [(); 4].map(|()| at(START, "a"));
    bench.run(&operations[0], 1);
    bench.run(&operations[1], 1);
    bench.grant(&operations[2]);
    assert_eq!(bench.admit(&operations[3]), full("max_records", Holder::All, 3, 3));
    assert!(matches!(bench.admit(&operations[0]), Ok(Admission::Replay(_))));
    now(bench.store.acknowledge(&operations[0].key)).expect("acknowledged");
    bench.grant(&operations[3]);
}

#[test]
fn one_principal_cannot_take_all_the_room() {
    let bench = Bench::new(StoreLimits { max_principal_records: 2, max_records: 3, ..StoreLimits::default() });
    bench.run(&at(START, "a"), 1);
    bench.run(&at(START, "a"), 1);
    assert_eq!(bench.admit(&at(START, "a")), full("max_principal_records", principal("a"), 2, 2));
    bench.grant(&at(START, "b"));
    assert_eq!(bench.admit(&at(START, "b")), full("max_records", Holder::All, 3, 3));
}

#[test]
fn one_peer_that_nobody_knows_cannot_take_all_the_room_of_those() {
    let bench = Bench::new(StoreLimits { max_peer_records: 2, max_principal_records: 3, ..StoreLimits::default() });
    let first = of_peer("10.0.0.1");
    bench.run(&first, 1);
    bench.grant(&of_peer("10.0.0.1"));
    let refused = bench.admit(&of_peer("10.0.0.1"));
    assert_eq!(refused, full("max_peer_records", Holder::Peer(PeerKey::new("10.0.0.1")), 2, 2));
    let text = "the store has no room for another operation: the peer 10.0.0.1 has 2 of 2 records (`StoreLimits::max_peer_records`)";
    assert_eq!(refused.expect_err("full").to_string(), text);
    // What it has done already is replayed, and others have their share.
    assert!(matches!(bench.admit(&first), Ok(Admission::Replay(_))));
    bench.grant(&of_peer("10.0.0.2"));
    assert_eq!(
        bench.admit(&of_peer("10.0.0.3")),
        full("max_principal_records", Holder::Principal(Principal::anonymous()), 3, 3)
    );
    now(bench.store.acknowledge(&first.key)).expect("acknowledged");
    bench.grant(&of_peer("10.0.0.1"));

    let bench = Bench::new(StoreLimits { max_peer_bytes: 10_000, ..StoreLimits::default() });
    bench.run(&of_peer("a"), 20_000);
    assert_eq!(bench.admit(&of_peer("a")), full("max_peer_bytes", Holder::Peer(PeerKey::new("a")), 20_256, 10_000));
    bench.grant(&of_peer("b"));
}

/// Whatever becomes of a record, its peer has no more of it than there is.
#[test]
fn what_a_peer_takes_returns_to_nothing() {
    let limits = StoreLimits { max_peer_records: 1, max_peer_bytes: 256, ..StoreLimits::default() };
    let bench = Bench::new(StoreLimits { retention: Duration::from_secs(60), ..limits });
    let is_free = |why: &str| {
        let operation = of_peer("a");
        let operation =
            NewOperation { key: OperationKey { id: OperationId::at(bench.store.now()), ..operation.key }, ..operation };
        assert!(matches!(bench.admit(&operation), Ok(Admission::Granted(_))), "{why}");
        operation
    };
    let fence = |operation: &NewOperation| bench.store.table().expect("whole").fence(&operation.key);
    let seal = |operation: &NewOperation| {
        let outcome = Outcome { bytes: Bytes::from(vec![0; 1_000]), schema: operation.schema.clone() };
        now(bench.store.seal(&operation.key, fence(operation), outcome)).expect("sealed");
    };
    let released = is_free("nothing is there");
    now(bench.store.release(&released.key, fence(&released))).expect("released");
    let acknowledged = is_free("one was released");
    seal(&acknowledged);
    now(bench.store.acknowledge(&acknowledged.key)).expect("acknowledged");
    let forgotten = is_free("one was acknowledged");
    seal(&forgotten);
    now(bench.store.forget(&forgotten.key)).expect("forgotten");
    let moved = is_free("one was forgotten");
    now(bench.store.give_up(&moved.key, fence(&moved))).expect("given up");
    // Granted anew for another peer, it counts for that one.
    let again = NewOperation { policy: RetryPolicy::IDEM_PERSIST, peer: Some(PeerKey::new("b")), ..moved };
    bench.grant(&again);
    let old = is_free("one is another's");
    seal(&old);
    bench.set(START + 100);
    bench.grant(&NewOperation { ..at(START + 100, "x") });
    is_free("one was too old");
}

#[test]
fn peers_without_records_are_not_kept() {
    let bench = Bench::new(StoreLimits::default());
    bench.grant(&of_peer("stays"));
    for n in 0..10_000 {
        let operation = of_peer(&format!("peer {n}"));
        bench.run(&operation, 10);
        now(bench.store.forget(&operation.key)).expect("forgotten");
    }
    assert!(bench.store.table().expect("whole").peers() <= 200);
    let text = bench.store.table().expect("whole").taken_by("stays");
    assert_eq!(text, (1, 256));
}

#[test]
fn outcomes_count_and_what_runs_is_sealed_though_it_overdraws() {
    let bench = Bench::new(StoreLimits { max_bytes: 10_000, ..StoreLimits::default() });
    let (first, second) = (at(START, "a"), at(START, "b"));
    let (one, two) = (bench.grant(&first), bench.grant(&second));
    let outcome = |len| Outcome { bytes: Bytes::from(vec![0; len]), schema: first.schema.clone() };
    now(bench.store.seal(&first.key, one, outcome(20_000))).expect("sealed");
    now(bench.store.seal(&second.key, two, outcome(20_000))).expect("sealed");
    assert_eq!(bench.admit(&at(START, "c")), full("max_bytes", Holder::All, 40_512, 10_000));
    for operation in [&first, &second] {
        now(bench.store.acknowledge(&operation.key)).expect("acknowledged");
    }
    bench.grant(&at(START, "c"));

    let bench = Bench::new(StoreLimits { max_principal_bytes: 10_000, ..StoreLimits::default() });
    bench.run(&at(START, "a"), 20_000);
    assert_eq!(bench.admit(&at(START, "a")), full("max_principal_bytes", principal("a"), 20_256, 10_000));
    bench.grant(&at(START, "b"));
}

#[test]
fn what_was_acknowledged_does_not_count() {
    let bench = Bench::new(StoreLimits { max_principal_bytes: 10_000, max_bytes: 10_000, ..StoreLimits::default() });
    bench.grant(&at(START, "a"));
    for _ in 0..100 {
        bench.run_and_acknowledge(&at(START, "a"));
    }
}

#[test]
fn a_tombstone_that_had_to_go_does_not_let_its_operation_run() {
    let bench = Bench::new(StoreLimits { max_tombstones: 10, ..StoreLimits::default() });
    let acknowledged: Vec<_> = (0..100).map(|second| at(START - 200 + second, "a")).collect();
    for operation in &acknowledged {
        bench.run_and_acknowledge(operation);
    }
    assert_eq!(bench.store.table().expect("whole").tombstones(), 10);
    for operation in &acknowledged {
        assert_eq!(bench.admit(operation), Ok(Admission::Expired));
    }
    // Nothing is known of an older one that was never seen; another principal's are not touched.
    assert_eq!(bench.admit(&at(START - 150, "a")), Ok(Admission::Expired));
    bench.grant(&at(START - 105, "a"));
    bench.grant(&at(START - 150, "b"));
}

#[test]
fn records_go_at_the_horizon() {
    let bench = Bench::new(StoreLimits::default());
    let retention = StoreLimits::default().retention.as_secs();
    for _ in 0..100 {
        bench.run(&at(START, "a"), 10);
        bench.run_and_acknowledge(&at(START, "b"));
    }
    bench.set(START + retention + 1);
    for _ in 0..60 {
        bench.run_and_acknowledge(&at(START + retention, "c"));
    }
    let table = bench.store.table().expect("whole");
    assert_eq!((table.records(), table.tombstones(), table.bytes()), (0, 60, 0));
}

#[test]
fn what_runs_past_the_horizon_is_still_sealed() {
    let bench = Bench::new(StoreLimits::default());
    let retention = StoreLimits::default().retention.as_secs();
    let long: Vec<_> = (0..20).map(|_| at(START, "a")).collect();
    let fences: Vec<_> = long.iter().map(|operation| bench.grant(operation)).collect();
    let old = [(); 20].map(|()| at(START + 1, "a"));
    old.iter().for_each(|operation| bench.run(operation, 1));
    bench.set(START + retention + 100);
    for _ in 0..100 {
        bench.run_and_acknowledge(&at(START + retention, "b"));
    }
    // Those that run do not keep the others.
    assert_eq!(bench.store.table().expect("whole").records(), 20);
    for (operation, fence) in long.iter().zip(fences) {
        let outcome = Outcome { bytes: Bytes::new(), schema: operation.schema.clone() };
        assert_eq!(now(bench.store.seal(&operation.key, fence, outcome.clone())), Ok(outcome));
        assert_eq!(bench.admit(operation), Ok(Admission::Expired));
    }
}

#[test]
fn a_clock_that_jumps_runs_nothing_twice() {
    let bench = Bench::new(StoreLimits::default());
    let year = 365 * 24 * 3600;
    let before: Vec<_> = (0..8).map(|_| at(START, "a")).collect();
    before.iter().for_each(|operation| bench.run(operation, 10));
    // Ahead: the records go. And back: their ids look young again.
    bench.set(START + year);
    for _ in 0..20 {
        bench.grant(&at(START + year, "b"));
    }
    bench.set(START + 1);
    for operation in &before {
        assert_eq!(bench.admit(operation), Ok(Admission::Expired));
    }
    // And the store goes on: what is made from now on runs.
    bench.run(&at(START + 1, "a"), 10);
    assert_eq!(bench.admit(&at(START + year, "b")), Ok(Admission::Expired));
    // Back: ids of the past that was the future.
    bench.set(START - year);
    assert_eq!(bench.admit(&at(START, "c")), Ok(Admission::Expired));
}

#[test]
fn ids_are_good_up_to_the_slack_and_the_retention() {
    let limits = StoreLimits::default();
    let (retention, slack) = (limits.retention.as_secs(), limits.clock_slack.as_secs());
    let bench = Bench::new(limits);
    bench.grant(&at(START + slack, "a"));
    assert_eq!(bench.admit(&at(START + slack + 1, "a")), Ok(Admission::Expired));
    bench.grant(&at(START - retention, "a"));
    assert_eq!(bench.admit(&at(START - retention - 1, "a")), Ok(Admission::Expired));
}

#[test]
fn usage_returns_to_nothing() {
    let bench = Bench::new(StoreLimits { max_tombstones: 0, ..StoreLimits::default() });
    for number in 0..50 {
        let operation = at(START, &format!("principal {number}"));
        match number % 3 {
            0 => bench.run_and_acknowledge(&operation),
            1 => {
                let fence = bench.grant(&operation);
                now(bench.store.release(&operation.key, fence)).expect("released");
            }
            _ => {
                let again = NewOperation { policy: RetryPolicy::IDEM_PERSIST, ..operation };
                for _ in 0..3 {
                    let fence = bench.grant(&again);
                    now(bench.store.give_up(&again.key, fence)).expect("given up");
                }
                bench.run_and_acknowledge(&again);
            }
        }
    }
    let table = bench.store.table().expect("whole");
    assert_eq!((table.records(), table.bytes(), table.tombstones(), table.principals()), (0, 0, 0, 0));
}

#[test]
fn the_system_clock_is_the_default() {
    let operation = at(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs(), "a");
    assert!(matches!(now(MemoryStore::new().admit(&operation)), Ok(Admission::Granted(_))));
}

#[test]
fn a_store_whose_table_may_be_half_changed_admits_and_seals_nothing() {
    let bench = Bench::new(StoreLimits::default());
    let operation = at(START, "a");
    let fence = bench.grant(&operation);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _table = bench.store.table();
        panic!("on purpose");
    }));
    assert!(panicked.is_err());
    assert!(matches!(bench.admit(&at(START, "b")), Err(StoreError::Poisoned(_))));
    let outcome = Outcome { bytes: Bytes::new(), schema: operation.schema.clone() };
    assert!(matches!(now(bench.store.seal(&operation.key, fence, outcome)), Err(StoreError::Poisoned(_))));
    now(bench.store.acknowledge(&operation.key)).expect("nothing is said of it");
    assert_eq!(format!("{:?}", bench.store), "MemoryStore(stopped)");
}

#[test]
fn a_store_with_a_limit_that_cannot_be_is_not_made() {
    let error = MemoryStore::with_limits(StoreLimits { max_records: 0, ..StoreLimits::default() }).map(drop);
    assert_eq!(error.expect_err("nothing could be admitted").limit(), "max_records");
}
