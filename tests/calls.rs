//! Calls, end to end, over links inside the process.

use std::time::Duration;

use vox::{Ran, Rx, Tx, VoxError};

#[derive(Debug, Clone, PartialEq, facet::Facet)]
#[repr(u8)]
enum Refused {
    Negative(i64),
}

#[vox::service]
trait Lab {
    async fn double(&self, n: i64) -> Result<i64, Refused>;
    async fn echo(&self, text: &str) -> String;
    async fn sleep(&self, millis: u64);
    async fn explode(&self);
    async fn sum(&self, numbers: Rx<u64>) -> u64;
    async fn count(&self, to: u64, numbers: Tx<u64>);
}

struct Bench;

impl Lab for Bench {
    async fn double(&self, n: i64) -> Result<i64, Refused> {
        if n < 0 { Err(Refused::Negative(n)) } else { Ok(2 * n) }
    }
    async fn echo(&self, text: &str) -> String {
        text.to_owned()
    }
    async fn sleep(&self, millis: u64) {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
    async fn explode(&self) {
        panic!("on purpose")
    }
    async fn sum(&self, mut numbers: Rx<u64>) -> u64 {
        let mut sum = 0;
        while let Ok(Some(n)) = numbers.recv().await {
            sum += n;
        }
        sum
    }
    async fn count(&self, to: u64, numbers: Tx<u64>) {
        for n in 0..to {
            if numbers.send(n).await.is_err() {
                return;
            }
        }
        numbers.close();
    }
}

async fn lab() -> LabClient {
    let (ours, theirs) = vox::transport::memory_pair();
    tokio::spawn(vox::serve(theirs, LabDispatcher::new(Bench)));
    vox::connect(ours).await.expect("the handshake succeeds")
}

#[tokio::test]
async fn a_call_returns_what_its_handler_returned() {
    let lab = lab().await;
    assert_eq!(lab.double(21).await, Ok(42));
    assert_eq!(lab.double(-1).await, Err(VoxError::User(Refused::Negative(-1))));
    assert_eq!(lab.echo("näh").await.as_deref(), Ok("näh"));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_stops_the_call() {
    let lab = lab().await;
    let error = lab.sleep(10_000).timeout(Duration::from_millis(50)).await.expect_err("too late");
    assert_eq!(error, VoxError::DeadlineExceeded);
    assert_eq!(error.ran(), Ran::Unknown);
    assert_eq!(lab.sleep(5).await, Ok(()));
}

#[tokio::test]
async fn a_panic_is_one_calls_own() {
    let lab = lab().await;
    assert_eq!(lab.explode().await, Err(VoxError::Panicked));
    assert_eq!(lab.double(1).await, Ok(2));
}

#[tokio::test]
async fn a_caller_streams_to_its_handler() {
    let lab = lab().await;
    let (tx, rx) = vox::channel();
    let sum = tokio::spawn(lab.sum(rx));
    for n in 0..10_000 {
        tx.send(n).await.expect("the handler reads");
    }
    tx.close();
    assert_eq!(sum.await.expect("no panic"), Ok(49_995_000));
}

#[tokio::test]
async fn a_handler_streams_to_its_caller() {
    let lab = lab().await;
    let (tx, mut rx) = vox::channel();
    let call = tokio::spawn(lab.count(10_000, tx));
    for n in 0..10_000 {
        assert_eq!(rx.recv().await, Ok(Some(n)));
    }
    assert_eq!(rx.recv().await, Ok(None));
    assert_eq!(call.await.expect("no panic"), Ok(()));
}

#[tokio::test]
async fn a_cancelled_handlers_stream_does_not_look_whole() {
    let lab = lab().await;
    let (tx, mut rx) = vox::channel();
    let mut call = Box::pin(lab.count(u64::MAX, tx));
    tokio::select! {
        ended = &mut call => panic!("the handler counts for ever: {ended:?}"),
        first = rx.recv() => assert_eq!(first, Ok(Some(0))),
    }
    drop(call);
    let end = loop {
        match rx.recv().await {
            Ok(Some(_)) => {}
            end => break end,
        }
    };
    assert_eq!(end, Err(vox::RecvError::Reset));
}
