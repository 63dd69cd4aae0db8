//! How often the heap is asked in steady state, client and server together.
//!
//! Everything runs on the test's own thread, and only what this thread asks for is counted. `docs/performance.md`
//! says where each allocation comes from.

#![allow(unreachable_pub, reason = "modules of a test share what they have in common")]

mod support;

use support::heap;
use vox::{Rx, Tx};

#[global_allocator]
static ALLOCATOR: heap::Counting = heap::Counting;

#[vox::service]
trait Meter {
    async fn echo(&self, number: u64) -> u64;
    #[vox(persist)]
    async fn keep(&self, number: u64) -> u64;
    async fn later(&self, number: u64) -> u64;
    async fn drain(&self, numbers: Rx<u64>) -> u64;
    async fn fill(&self, items: u64, numbers: Tx<u64>);
}

struct Bench;

impl Meter for Bench {
    async fn echo(&self, number: u64) -> u64 {
        number
    }

    async fn keep(&self, number: u64) -> u64 {
        number
    }

    async fn later(&self, number: u64) -> u64 {
        tokio::task::yield_now().await;
        number
    }

    async fn drain(&self, mut numbers: Rx<u64>) -> u64 {
        let mut seen = 0;
        while let Ok(Some(_)) = numbers.recv().await {
            seen += 1;
        }
        seen
    }

    async fn fill(&self, items: u64, numbers: Tx<u64>) {
        for item in 0..items {
            if numbers.send(item).await.is_err() {
                return;
            }
        }
        numbers.close();
    }
}

#[derive(Clone, Copy)]
enum Over {
    Memory,
    Tcp,
}

/// Runs `work` in windows of that many operations, and checks how many allocations each operation of the quietest took.
///
/// The runtime gives handlers whose polls take long to tasks for a while, and a task is an allocation. On a machine that
/// is busy with other things any poll may take long, so a disturbed window says nothing of the steady state; an allocation
/// that belongs to it is in every window.
fn check(over: Over, most: f64, operations: u64, work: impl AsyncFn(&MeterClient, u64)) {
    const WINDOWS: usize = 8;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let each = runtime.block_on(async {
        let (_server, client) = connect(over).await;
        work(&client, operations).await;
        let mut least = u64::MAX;
        for _ in 0..WINDOWS {
            let before = heap::asked();
            work(&client, operations).await;
            least = least.min(heap::asked() - before);
        }
        least as f64 / operations as f64
    });
    println!("{each:.4} allocations per operation");
    assert!(each <= most, "{each} allocations per operation, over the bound of {most}");
}

async fn connect(over: Over) -> (Option<vox::Server>, MeterClient) {
    match over {
        Over::Memory => {
            let (ours, theirs) = vox::transport::memory_pair();
            tokio::spawn(vox::serve(theirs, MeterDispatcher::new(Bench)));
            (None, vox::connect(ours).await.expect("a client"))
        }
        Over::Tcp => {
            let server = vox::Server::builder().service(MeterDispatcher::new(Bench));
            let server = server.bind("tcp://127.0.0.1:0").await.expect("a server");
            let client = vox::connect(server.address()).await.expect("a client");
            (Some(server), client)
        }
    }
}

async fn calls(client: &MeterClient, calls: u64) {
    for number in 0..calls {
        assert_eq!(client.echo(number).await, Ok(number));
    }
}

async fn kept_calls(client: &MeterClient, calls: u64) {
    for number in 0..calls {
        assert_eq!(client.keep(number).await, Ok(number));
    }
}

async fn slow_calls(client: &MeterClient, calls: u64) {
    for number in 0..calls {
        assert_eq!(client.later(number).await, Ok(number));
    }
}

async fn many_calls(client: &MeterClient, calls: u64) {
    let callers = (0..64).map(|caller| {
        let client = client.clone();
        tokio::spawn(async move {
            for number in (caller..calls).step_by(64) {
                assert_eq!(client.echo(number).await, Ok(number));
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.expect("no panic");
    }
}

async fn to_the_handler(client: &MeterClient, items: u64) {
    let (numbers, received) = vox::channel();
    let call = tokio::spawn(client.drain(received).into_future());
    for number in 0..items {
        numbers.send(number).await.expect("the handler reads");
    }
    numbers.close();
    assert_eq!(call.await.expect("no panic"), Ok(items));
}

async fn from_the_handler(client: &MeterClient, items: u64) {
    let (numbers, mut received) = vox::channel();
    let call = tokio::spawn(client.fill(items, numbers).into_future());
    for number in 0..items {
        assert_eq!(received.recv().await, Ok(Some(number)));
    }
    assert_eq!(received.recv().await, Ok(None));
    assert_eq!(call.await.expect("no panic"), Ok(()));
}

#[test]
fn a_lone_call_allocates_nothing_over_memory() {
    check(Over::Memory, 0.01, 400, calls);
}

#[test]
fn a_lone_call_allocates_nothing_over_tcp() {
    check(Over::Tcp, 0.01, 400, calls);
}

#[test]
fn a_call_that_is_kept_allocates_what_its_handler_knows_it_by() {
    check(Over::Tcp, 1.1, 4_000, kept_calls);
}

#[test]
fn calls_in_flight_allocate_next_to_nothing() {
    check(Over::Tcp, 0.05, 4_000, many_calls);
}

#[test]
fn a_call_whose_handler_waits_allocates_its_task() {
    // Now and then a queue of the runtime grows once: that is not a call's.
    check(Over::Tcp, 2.02, 400, slow_calls);
}

#[test]
fn an_item_to_the_handler_allocates_next_to_nothing() {
    check(Over::Tcp, 0.05, 4_000, to_the_handler);
}

#[test]
fn an_item_from_the_handler_allocates_next_to_nothing() {
    check(Over::Tcp, 0.05, 4_000, from_the_handler);
}
