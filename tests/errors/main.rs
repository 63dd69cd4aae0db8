//! Every error in the golden file is provoked here, and reads as it says there: it names an address, a service, a method or a limit, and what is
//! behind it is not printed twice. That none is missing is seen to in `complete`.
//!
//! A new error is one more `found.push`, and a line in `tests/golden/errors.txt`, which `UPDATE_GOLDEN=1 cargo test --test errors` writes. With `--features sqlite`
//! the errors of a store on disk are provoked too: `tests/golden/errors-disk.txt`. What takes a fault of vox's own is in `errors-fault.txt`, by the
//! tests of `driver/fault.rs`.

#![allow(unreachable_pub, reason = "modules of a test share what they have in common")]

use std::error::Error;
use std::time::{Duration, UNIX_EPOCH};

use vox::{Limits, OperationId, Rx, Server, Tx};

mod channels;
mod complete;
#[cfg(feature = "sqlite")]
mod disk;
mod encoding;
mod hostile;
mod quiet;
mod refusals;
#[allow(dead_code, reason = "other tests script more of it")]
#[path = "../operations/scripted.rs"]
mod scripted;
#[path = "../support/mod.rs"]
mod support;
mod untyped;
mod values;
mod versions;

#[derive(Debug, Clone, PartialEq, facet::Facet)]
#[repr(u8)]
enum Refused {
    UnknownAccount(u64),
}

#[vox::service]
trait Bank {
    async fn balance(&self, account: u64) -> Result<u64, Refused>;
    async fn name(&self, text: String) -> String;
    async fn long(&self, len: u64) -> Vec<u8>;
    async fn explode(&self);
    async fn hang(&self);
    async fn hold(&self, text: String);
    #[vox(persist)]
    async fn transfer(&self, cents: u64) -> u64;
    async fn watch(&self, how: How, events: Tx<u64>);
    async fn add(&self, numbers: Rx<u64>) -> Result<u64, String>;
    async fn leave(&self, numbers: Rx<Vec<u8>>);
    async fn keep(&self, numbers: Rx<u64>);
    async fn hoard(&self, pages: Rx<Vec<u8>>);
    async fn read(&self, pages: Rx<Vec<u8>>) -> String;
}

/// What becomes of a sender.
#[derive(Debug, Clone, Copy, PartialEq, facet::Facet)]
#[repr(u8)]
enum How {
    Close,
    Drop,
    Abort,
    Panic,
    Wait,
}

#[vox::service]
trait Weather {
    async fn sun(&self) -> bool;
}

struct MyBank;

impl Bank for MyBank {
    async fn balance(&self, account: u64) -> Result<u64, Refused> {
        Err(Refused::UnknownAccount(account))
    }
    async fn name(&self, text: String) -> String {
        text
    }
    async fn long(&self, len: u64) -> Vec<u8> {
        vec![0; len as usize]
    }
    async fn explode(&self) {
        panic!("on purpose")
    }
    async fn hang(&self) {
        std::future::pending().await
    }
    async fn hold(&self, text: String) {
        std::future::pending::<()>().await;
        drop(text);
    }
    async fn transfer(&self, cents: u64) -> u64 {
        cents
    }
    async fn watch(&self, how: How, events: Tx<u64>) {
        match how {
            How::Close => events.close(),
            How::Drop => drop(events),
            How::Abort => events.abort("the source is dry"),
            How::Panic => panic!("on purpose"),
            How::Wait => drop(events.closed().await),
        }
    }
    async fn add(&self, mut numbers: Rx<u64>) -> Result<u64, String> {
        let mut sum = 0;
        while let Some(number) = numbers.recv().await.map_err(|error| whole(&error))? {
            sum += number;
        }
        Ok(sum)
    }
    async fn leave(&self, _: Rx<Vec<u8>>) {}
    async fn keep(&self, numbers: Rx<u64>) {
        std::future::pending::<()>().await;
        drop(numbers);
    }
    async fn hoard(&self, pages: Rx<Vec<u8>>) {
        std::future::pending::<()>().await;
        drop(pages);
    }
    async fn read(&self, mut pages: Rx<Vec<u8>>) -> String {
        loop {
            match pages.recv().await {
                Ok(Some(_)) => {}
                Ok(None) => return "a clean end".to_owned(),
                Err(error) => return whole(&error),
            }
        }
    }
}

const SOON: Duration = Duration::from_millis(20);

/// The error's text and those behind it, as `{:#}` of `anyhow` prints them. None has another's text in it.
fn whole(error: &(dyn Error + 'static)) -> String {
    let texts: Vec<_> = std::iter::successors(Some(error), |&error| error.source()).map(ToString::to_string).collect();
    for (at, text) in texts.iter().enumerate() {
        assert!(!texts[at + 1..].iter().any(|cause| text.contains(cause)), "printed twice: {texts:?}");
    }
    texts.join(": ")
}

/// The text of what must fail.
#[track_caller]
fn text<T, E: Error + 'static>(result: Result<T, E>) -> String {
    match result {
        Err(error) => whole(&error),
        Ok(_) => panic!("it went well, and should not have"),
    }
}

async fn bank(limits: Limits) -> BankClient {
    let (ours, theirs) = vox::transport::memory_pair();
    tokio::spawn(vox::serve(theirs, BankDispatcher::new(MyBank)));
    vox::connect(ours).limits(limits).await.expect("a session")
}

/// Each error by its name: what it reads.
async fn provoked() -> Found {
    let mut found = Vec::new();
    calls(&mut found).await;
    operations(&mut found).await;
    calls_not_sent(&mut found).await;
    full(&mut found).await;
    endings(&mut found).await;
    connecting(&mut found).await;
    serving(&mut found).await;
    versions::provoke(&mut found).await;
    channels::provoke(&mut found).await;
    encoding::provoke(&mut found).await;
    hostile::provoke(&mut found).await;
    quiet::provoke(&mut found).await;
    values::provoke(&mut found).await;
    refusals::provoke(&mut found).await;
    untyped::provoke(&mut found).await;
    found
}

type Found = Vec<(&'static str, String)>;

async fn calls(found: &mut Found) {
    let bank = bank(Limits { max_message_bytes: 64 << 10, ..Limits::default() }).await;
    found.push(("VoxError::User", text(bank.balance(8).await)));
    found.push(("CallError", text(bank.balance(8).with_place().await)));
    found.push(("VoxError::DeadlineExceeded", text(bank.hang().timeout(SOON).await)));
    found.push(("VoxError::Panicked", text(bank.explode().await)));
    found.push(("VoxError::InvalidResponse", text(bank.long(100_000).await)));
    let mut call = bank.hang();
    assert!(tokio::time::timeout(SOON, &mut call).await.is_err());
    found.push(("VoxError::Cancelled", text(call.metadata("tenant", "acme").await)));
}

async fn operations(found: &mut Found) {
    let bank = bank(Limits::default()).await;
    let id = OperationId::new();
    assert_eq!(bank.transfer(1).operation(id).await, Ok(1));
    found.push(("VoxError::OperationConflict", text(bank.transfer(2).operation(id).await)));
    let old = OperationId::derive("order 17", UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    let expired = text(bank.transfer(3).operation(old).await);
    let (before, server) = expired.split_once("clock it is ").expect("the server's time");
    let after = server.get("2026-11-29 11:20:03".len()..).expect("a time, to the second");
    found.push(("VoxError::OperationExpired", format!("{before}clock it is TIME{after}")));
}

async fn calls_not_sent(found: &mut Found) {
    let narrow = Limits { max_calls: 1, max_message_bytes: 64 << 10, ..Limits::default() };
    let server = Server::builder().service(BankDispatcher::new(MyBank)).limits(narrow);
    let _server = server.bind("mem://errors-narrow").await.expect("it");
    let bank: BankClient = vox::connect("mem://errors-narrow").await.expect("a session");
    let hanging = tokio::spawn(bank.hang());
    tokio::time::sleep(SOON).await;
    found.push(("VoxError::NotSent(Waited)", text(bank.explode().timeout(SOON).await)));
    hanging.abort();
    found.push(("VoxError::NotSent(TooLarge), an argument", text(bank.name("x".repeat(100_000)).await)));
    let heavy = bank.balance(1).metadata("key", "x".repeat(10_000)).await;
    found.push(("VoxError::NotSent(TooLarge), metadata", text(heavy)));
}

/// A server that may keep little, and a call that takes nearly all of it.
async fn full(found: &mut Found) {
    let limits = Limits { session_memory: 64 << 10, ..Limits::default() };
    let server = Server::builder().limits(limits).service(BankDispatcher::new(MyBank)).bind("mem://errors-full");
    let _server = server.await.expect("it");
    let bank: BankClient = vox::connect("mem://errors-full").await.expect("a session");
    let hanging = tokio::spawn(bank.hold("x".repeat(40_000)));
    tokio::time::sleep(SOON).await;
    found.push(("VoxError::Busy", text(bank.name("y".repeat(40_000)).await)));
    hanging.abort();
}

async fn endings(found: &mut Found) {
    let server = Server::builder().service(BankDispatcher::new(MyBank)).bind("mem://errors-ending").await.expect("it");
    let bank: BankClient = vox::connect("mem://errors-ending").no_reconnect().await.expect("a session");
    let hanging = tokio::spawn(bank.hang());
    tokio::time::sleep(SOON).await;
    let stopping = tokio::spawn(async move { server.shutdown(Duration::from_millis(200)).await });
    tokio::time::sleep(SOON).await;
    found.push(("VoxError::Busy, ending", text(bank.explode().await)));
    stopping.await.expect("no panic");
    found.push(("VoxError::Indeterminate", text(hanging.await.expect("no panic"))));
    found.push(("VoxError::NotSent(Closed)", text(bank.explode().await)));
}

async fn connecting(found: &mut Found) {
    found.push(("ConnectError::Address", text(vox::connect::<BankClient>("http://bank").await)));
    found.push(("ConnectError::NoLink, TCP", text(vox::connect::<BankClient>("tcp://127.0.0.1:1").await)));
    let nowhere = vox::connect::<BankClient>("unix:///no/such/folder/socket").await;
    found.push(("ConnectError::NoLink, Unix", text(nowhere)));
    found.push(("ConnectError::NoLink, memory", text(vox::connect::<BankClient>("mem://errors-nobody").await)));
    let server = Server::builder().service(BankDispatcher::new(MyBank)).bind("mem://errors-bank").await.expect("it");
    let refused = vox::connect::<WeatherClient>("mem://errors-bank").await;
    found.push(("ConnectError::Refused", text(refused)));
    let bank: BankClient = vox::connect("mem://errors-bank").await.expect("a session");
    let session = vox::Client::caller(&bank).session();
    found.push(("OpenError::Refused", text(session.open::<WeatherClient>().await)));
    server.shutdown(Duration::ZERO).await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("tcp://{}", silent.local_addr().expect("its address"));
    let late = text(vox::connect::<BankClient>(&address).timeout(SOON).await);
    found.push(("ConnectError::Timeout", late.replace(&address, "tcp://ADDRESS")));
}

async fn serving(found: &mut Found) {
    let bind = async |address: &str| Server::builder().service(BankDispatcher::new(MyBank)).bind(address).await;
    found.push(("ServeError::Address", text(bind("http://bank").await)));
    found.push(("ServeError::Listen, Unix", text(bind("unix:///no/such/folder/socket").await)));
    let taken = bind("mem://errors-taken").await.expect("it is free");
    found.push(("ServeError::Listen, memory", text(bind("mem://errors-taken").await)));
    drop(taken);
    let taken = bind("tcp://127.0.0.1:0").await.expect("a port");
    let again = text(bind(&taken.address()).await);
    found.push(("ServeError::Listen, TCP", again.replace(&taken.address(), "tcp://ADDRESS")));
    let twice = Server::builder().service(BankDispatcher::new(MyBank)).service(BankDispatcher::new(MyBank));
    found.push(("ServeError::DuplicateService", text(twice.bind("mem://errors-twice").await)));
    let boundless = Limits { max_sessions: usize::MAX, ..Limits::default() };
    let bound = Server::builder().limits(boundless).bind("mem://errors-limit").await;
    found.push(("ServeError::Limit", text(bound)));
    let restless = Limits { keepalive: Duration::ZERO, ..Limits::default() };
    found.push(("ConnectError::Limit", text(vox::connect::<BankClient>("mem://errors-limit").limits(restless).await)));
}
