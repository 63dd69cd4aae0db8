//! Items that are gathered until the link takes them, and taken together.

use std::sync::Arc;

use vox::{Limits, RecvError, Rx, TrySendError, Tx};

use crate::lab::lab;
use crate::support::settle;

#[vox::service]
trait Runs {
    async fn lengths(&self, items: Rx<Vec<u8>>) -> Vec<u64>;
    async fn untaken(&self, items: Rx<Vec<u8>>);
    async fn all(&self, items: Rx<(u64, u64)>) -> Vec<(u64, u64)>;
    async fn numbers(&self, count: u64, closes: bool, numbers: Tx<u64>);
}

struct Takes;

impl Runs for Takes {
    async fn lengths(&self, mut items: Rx<Vec<u8>>) -> Vec<u64> {
        let mut lengths = Vec::new();
        while let Some(item) = items.recv().await.expect("a clean end") {
            lengths.push(item.len() as u64);
        }
        lengths
    }
    async fn untaken(&self, items: Rx<Vec<u8>>) {
        let _items = items;
        std::future::pending().await
    }
    async fn all(&self, mut items: Rx<(u64, u64)>) -> Vec<(u64, u64)> {
        let mut all = Vec::new();
        while items.recv_many(&mut all, usize::MAX).await.expect("a clean end") > 0 {}
        all
    }
    async fn numbers(&self, count: u64, closes: bool, numbers: Tx<u64>) {
        for n in 0..count {
            numbers.send(n).await.expect("it is read");
        }
        if closes {
            numbers.close();
        }
    }
}

async fn runs(limits: Limits) -> RunsClient {
    let (ours, theirs) = vox::transport::memory_pair();
    tokio::spawn(vox::Server::builder().service(RunsDispatcher::new(Takes)).limits(limits).serve_link(theirs));
    vox::connect(ours).await.expect("a session")
}

/// The session's task has no turn between the sends, so all but the first two are gathered.
#[tokio::test(start_paused = true)]
async fn what_was_gathered_leaves_before_the_end() {
    let (lab, _) = lab().await;
    let (tx, rx) = vox::channel();
    let sum = tokio::spawn(lab.sum(rx).into_future());
    settle().await;
    for n in 0..4_000 {
        tx.try_send(n).expect("there is credit");
    }
    tx.close();
    assert_eq!(sum.await.expect("no panic"), Ok((0..4_000).sum()));
}

#[tokio::test(start_paused = true)]
async fn what_follows_a_long_item_is_not_gathered_before_it() {
    // The long items do not use up the credit.
    let client = runs(Limits { channel_bytes: 1 << 20, ..Limits::default() }).await;
    let (tx, rx) = vox::channel();
    let lengths = tokio::spawn(client.lengths(rx).into_future());
    settle().await;
    let sent = [1, 2, 3, 4, 200_000, 5, 6, 7, 20_000, 8, 9, 100_000, 10];
    for len in sent {
        tx.send(vec![7; len]).await.expect("it is read");
    }
    tx.close();
    assert_eq!(lengths.await.expect("no panic"), Ok(sent.map(|len| len as u64).to_vec()));
}

#[tokio::test(start_paused = true)]
async fn what_is_gathered_takes_credit_in_bytes() {
    let client = runs(Limits { channel_bytes: 1000, ..Limits::default() }).await;
    let (tx, rx) = vox::channel();
    let call = tokio::spawn(client.untaken(rx).into_future());
    settle().await;
    for n in 0..9 {
        assert_eq!(tx.try_send(vec![7; 99]), Ok(()), "{n}");
    }
    assert_eq!(tx.try_send(vec![7; 98]), Ok(()), "a byte is left");
    assert_eq!(tx.try_send(vec![7; 500]), Ok(()), "which may be overdrawn");
    assert_eq!(tx.try_send(vec![]), Err(TrySendError::Full(vec![])));
    call.abort();
}

/// Senders of one channel gather together, while the session's tasks take what they gathered.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn senders_of_one_channel_lose_nothing_and_keep_their_order() {
    const SENDERS: u64 = 4;
    const EACH: u64 = 5_000;
    let client = runs(Limits::default()).await;
    let (tx, rx) = vox::channel();
    let all = tokio::spawn(client.all(rx).into_future());
    let tx = Arc::new(tx);
    let senders = (0..SENDERS).map(|sender| {
        let tx = Arc::clone(&tx);
        tokio::spawn(async move {
            for n in 0..EACH {
                tx.send((sender, n)).await.expect("it is read");
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.expect("no panic");
    }
    Arc::into_inner(tx).expect("they are done").close();
    let all = all.await.expect("no panic").expect("an answer");
    assert_eq!(all.len() as u64, SENDERS * EACH);
    for sender in 0..SENDERS {
        let of_one = all.iter().filter(|item| item.0 == sender).map(|item| item.1);
        assert!(of_one.eq(0..EACH), "of sender {sender}");
    }
}

#[tokio::test(start_paused = true)]
async fn many_are_taken_at_once_up_to_as_many_as_were_asked_for() {
    let client = runs(Limits::default()).await;
    let (tx, mut rx) = vox::channel();
    let call = tokio::spawn(client.numbers(10, true, tx).into_future());
    settle().await;
    let mut items = Vec::new();
    assert_eq!(rx.recv_many(&mut items, 0).await, Ok(0));
    assert_eq!(rx.recv_many(&mut items, 4).await, Ok(4));
    assert_eq!(rx.recv_many(&mut items, 100).await, Ok(6), "those that are there");
    assert_eq!([rx.recv_many(&mut items, 100).await, rx.recv_many(&mut items, 100).await], [Ok(0), Ok(0)]);
    assert!(items.into_iter().eq(0..10));
    assert_eq!(call.await.expect("no panic"), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn items_that_were_taken_at_once_are_not_lost_to_the_error_after_them() {
    let client = runs(Limits::default()).await;
    let (tx, mut rx) = vox::channel();
    let _call = tokio::spawn(client.numbers(3, false, tx).into_future());
    let mut items = Vec::new();
    let error = loop {
        if let Err(error) = rx.recv_many(&mut items, 100).await {
            break error;
        }
    };
    assert!(matches!(error, RecvError::Dropped { .. }), "{error}");
    assert_eq!(items, [0, 1, 2]);
}
