//! Errors of channels.

use std::time::Duration;

use vox::{Limits, RecvError, Rx, TryRecvError, TrySendError, Tx};

use super::{BankClient, BankDispatcher, Found, How, MyBank, SOON, bank, text};

pub(super) async fn provoke(found: &mut Found) {
    senders(found).await;
    receivers(found).await;
    full(found).await;
    lost(found).await;
    local(found).await;
}

/// A channel whose handler does this with its sender.
async fn watch(bank: &BankClient, how: How) -> Rx<u64> {
    let (tx, rx) = vox::channel();
    tokio::spawn(bank.watch(how, tx));
    rx
}

async fn senders(found: &mut Found) {
    let bank = bank(Limits { max_message_bytes: 64 << 10, ..Limits::default() }).await;
    let (tx, rx) = vox::channel();
    bank.leave(rx).await.expect("it leaves");
    found.push(("SendError::Reset", text(tx.send(vec![1]).await)));
    let (tx, rx) = vox::channel::<Vec<u8>>();
    drop(bank.leave(rx));
    found.push(("SendError::NotBound", text(tx.send(vec![1]).await)));
    let (tx, rx) = vox::channel::<u64>();
    let keeping = tokio::spawn(bank.keep(rx));
    tokio::time::sleep(SOON).await;
    while !matches!(tx.try_send(1), Err(TrySendError::Full(_))) {
        tokio::task::yield_now().await;
    }
    found.push(("TrySendError::Full", text(tx.try_send(1))));
    keeping.abort();
    tx.closed().await;
    found.push(("TrySendError::Closed(Reset)", text(tx.try_send(1))));
    let mut heavy = vox::Metadata::new();
    heavy.insert("tenant", "x".repeat(10_000));
    let (tx, rx) = vox::channel();
    let _adding = tokio::spawn(bank.add(rx));
    tx.send(1).await.expect("it is read");
    found.push(("SendError::InvalidItem", text(tx.close_with(heavy))));
    let (tx, _rx) = vox::channel();
    tx.send(1).await.expect("it is kept");
    found.push(("VoxError::NotSent(InvalidArgument)", text(bank.watch(How::Close, tx).await)));
}

async fn receivers(found: &mut Found) {
    let bank = bank(Limits::default()).await;
    for (name, how) in
        [("RecvError::Dropped", How::Drop), ("RecvError::Aborted", How::Abort), ("RecvError::Reset", How::Panic)]
    {
        found.push((name, text(watch(&bank, how).await.recv().await)));
    }
    let (tx, mut rx) = vox::channel::<u64>();
    drop(bank.watch(How::Close, tx));
    found.push(("RecvError::NotBound", text(rx.recv().await)));
    let mut waiting = watch(&bank, How::Wait).await;
    found.push(("TryRecvError::Empty", text(waiting.try_recv())));
    let mut closed = watch(&bank, How::Close).await;
    assert_eq!(closed.recv().await, Ok(None));
    found.push(("TryRecvError::Closed", text(closed.try_recv())));
    let mut dropped = watch(&bank, How::Drop).await;
    assert_eq!(dropped.recv().await, Err(RecvError::Dropped));
    let failed = dropped.try_recv();
    assert!(matches!(failed, Err(TryRecvError::Failed(_))), "{failed:?}");
    found.push(("TryRecvError::Failed(Dropped)", text(failed)));
}

/// A channel beside one that nobody reads, which takes all memory.
async fn full(found: &mut Found) {
    let server = vox::Server::builder().service(BankDispatcher::new(MyBank));
    let server = server.limits(Limits { session_memory: 64 << 10, ..Limits::default() });
    let _server = server.bind("mem://errors-full").await.expect("it");
    let bank: BankClient = vox::connect("mem://errors-full").await.expect("a session");
    let (first, rx) = vox::channel();
    let _hoards = tokio::spawn(bank.hoard(rx).into_future());
    let (second, rx) = vox::channel();
    let ended = tokio::spawn(bank.read(rx).into_future());
    tokio::time::sleep(SOON).await;
    first.send(vec![0; 60_000]).await.expect("there is room");
    first.send(vec![0; 60_000]).await.expect("it overdraws the window");
    second.send(vec![0; 10]).await.expect("it leaves");
    found.push(("SendError::Full", without_bytes(&text::<(), _>(Err(second.closed().await)))));
    found.push(("RecvError::Full", without_bytes(&ended.await.expect("no panic").expect("it returns"))));
}

async fn lost(found: &mut Found) {
    let server = vox::Server::builder().service(BankDispatcher::new(MyBank)).bind("mem://errors-lost").await;
    let server = server.expect("it");
    let bank: BankClient = vox::connect("mem://errors-lost").no_reconnect().await.expect("a session");
    let (tx, rx) = vox::channel();
    let (back, mut events) = vox::channel();
    let _calls = (tokio::spawn(bank.keep(rx)), tokio::spawn(bank.watch(How::Wait, back)));
    tx.send(1).await.expect("there is room");
    tokio::time::sleep(SOON).await;
    server.shutdown(Duration::ZERO).await;
    found.push(("SendError::ConnectionLost", text::<(), _>(Err(tx.closed().await))));
    found.push(("RecvError::ConnectionLost", text(events.recv().await)));
}

async fn local(found: &mut Found) {
    let (tx, mut rx): (Tx<u64>, Rx<u64>) = vox::channel();
    drop(tx);
    found.push(("RecvError::Dropped, of a channel within this process", text(rx.recv().await)));
    let (tx, rx) = vox::channel::<u64>();
    drop(rx);
    found.push(("SendError::Reset, of a channel within this process", text(tx.send(1).await)));
}

/// How many bytes are kept depends on how many came with one read.
fn without_bytes(text: &str) -> String {
    let (before, after) = text.split_once(" bytes are kept").expect("so many bytes are kept");
    let before = before.trim_end_matches(|c: char| c.is_ascii_digit());
    format!("{before}BYTES bytes are kept{after}")
}
