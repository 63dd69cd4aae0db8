//! Two builds of one trait at the two ends of a session: methods that differ are refused before they are called, the
//! others work, and no value is taken for another.

#![allow(unreachable_pub, reason = "modules of a test share what they have in common")]

mod support;

use std::time::Duration;

use support::Count;
use vox::{NotSent, Ran, Rx, Tx, VoxError};

/// The trait as the server has it.
mod old {
    use super::*;

    #[derive(Debug, Clone, PartialEq, facet::Facet)]
    #[repr(u8)]
    pub enum Level {
        Low,
        Middle,
        High,
    }

    #[derive(Debug, Clone, PartialEq, facet::Facet)]
    pub struct Reading {
        pub place: String,
        pub unit: String,
    }

    #[vox::service]
    pub trait Meter {
        async fn level(&self) -> Level;
        async fn note(&self, reading: Reading) -> String;
        async fn shift(&self, by: u64) -> u64;
        async fn span(&self, from: u32, to: u32) -> u32;
        async fn lookup(&self, key: u32) -> u32;
        async fn feed(&self, values: Rx<u32>) -> u32;
        async fn watch(&self, values: Tx<u32>);
        async fn same(&self, text: String) -> Result<String, Level>;
        async fn gone(&self) -> u8;
    }
}

/// The same trait as the client has it.
mod new {
    use super::*;

    #[derive(Debug, Clone, PartialEq, facet::Facet)]
    #[repr(u8)]
    pub enum Level {
        Low,
        High,
    }

    #[derive(Debug, Clone, PartialEq, facet::Facet)]
    pub struct Reading {
        pub unit: String,
        pub place: String,
    }

    #[vox::service]
    pub trait Meter {
        async fn added(&self) -> u8;
        async fn level(&self) -> Level;
        async fn note(&self, reading: Reading) -> String;
        async fn shift(&self, by: i64) -> i64;
        async fn span(&self, to: u32, from: u32) -> u32;
        async fn lookup(&self, key: u32, strict: Option<bool>) -> u32;
        async fn feed(&self, values: Rx<i32>) -> u32;
        async fn watch(&self, values: Tx<u64>);
        async fn same(&self, text: String) -> Result<String, old::Level>;
    }
}

#[derive(Clone, Default)]
struct Server(Count);

impl old::Meter for Server {
    async fn level(&self) -> old::Level {
        self.0.add();
        old::Level::Middle
    }
    async fn note(&self, reading: old::Reading) -> String {
        self.0.add();
        reading.place
    }
    async fn shift(&self, by: u64) -> u64 {
        self.0.add();
        by
    }
    async fn span(&self, from: u32, to: u32) -> u32 {
        self.0.add();
        to - from
    }
    async fn lookup(&self, key: u32) -> u32 {
        self.0.add();
        key
    }
    async fn feed(&self, _values: Rx<u32>) -> u32 {
        self.0.add();
        0
    }
    async fn watch(&self, _values: Tx<u32>) {
        self.0.add();
    }
    async fn same(&self, text: String) -> Result<String, old::Level> {
        if text.is_empty() { Err(old::Level::High) } else { Ok(text) }
    }
    async fn gone(&self) -> u8 {
        self.0.add();
        0
    }
}

/// The call was refused here, nothing ran, and the error says where the two ends differ.
#[track_caller]
fn check<T: std::fmt::Debug, E: std::fmt::Debug>(result: Result<T, VoxError<E>>, words: &str) {
    match result {
        Err(error @ VoxError::NotSent(NotSent::Incompatible(_))) => {
            assert_eq!(error.ran(), Ran::No);
            assert!(!error.is_retryable());
            assert!(format!("{error:?}").contains(words), "{error:?}, without {words}");
        }
        other => panic!("{other:?}, where `{words}` was expected"),
    }
}

async fn every_method_is_judged_by_itself(meter: new::MeterClient) {
    check(meter.level().await, "`Meter.level`: the response.Ok, variant 1, is `High` here and `Middle` there");
    let reading = new::Reading { unit: "m".to_owned(), place: "roof".to_owned() };
    check(
        meter.note(reading).await,
        "`Meter.note`: argument `reading`, field 0, is `unit: string` here and `place: string` there",
    );
    check(meter.shift(7).await, "`Meter.shift`: argument `by` is i64 here and u64 there");
    check(meter.span(7, 9).await, "`Meter.span`: argument 0 is `to` here and `from` there");
    check(meter.lookup(7, None).await, "`Meter.lookup`: argument 1 is `strict` here and missing there");
    let (_tx, rx) = vox::channel();
    check(meter.feed(rx).await, "`Meter.feed`: argument `values`'s item is i32 here and u32 there");
    let (tx, _rx) = vox::channel();
    check(meter.watch(tx).await, "`Meter.watch`: argument `values`'s item is u64 here and u32 there");
    assert_eq!(meter.same("text".to_owned()).await.as_deref(), Ok("text"));
    assert_eq!(meter.same(String::new()).await, Err(VoxError::User(old::Level::High)));
    let added = meter.added().await.expect_err("the server has no such method");
    assert_eq!(added.ran(), Ran::No);
}

async fn over(address: &str) {
    let server = Server::default();
    let ran = server.0.clone();
    let server = vox::Server::builder().service(old::MeterDispatcher::new(server)).bind(address).await.expect("bound");
    // Opened with the session, and on a session that is there.
    every_method_is_judged_by_itself(vox::connect(server.address()).await.expect("connected")).await;
    let session = vox::Session::connect(server.address()).await.expect("connected");
    every_method_is_judged_by_itself(session.open().await.expect("opened")).await;
    assert_eq!(ran.get(), 0, "nothing ran that differs");
}

#[tokio::test]
async fn over_tcp_methods_that_differ_are_refused_and_the_others_work() {
    over("tcp://127.0.0.1:0").await;
}

#[tokio::test]
async fn over_memory_methods_that_differ_are_refused_and_the_others_work() {
    over("mem://versions").await;
}

#[tokio::test]
async fn one_that_connects_and_serves_is_judged_like_a_server() {
    #[vox::service]
    trait Hub {
        async fn call_back(&self, cx: &vox::Context) -> String;
    }
    struct MyHub;
    impl Hub for MyHub {
        async fn call_back(&self, cx: &vox::Context) -> String {
            let meter: new::MeterClient = cx.session().open().await.expect("the peer serves it");
            format!("{:?}", meter.shift(7).await)
        }
    }
    let server = vox::Server::builder().service(HubDispatcher::new(MyHub)).bind("mem://hub").await.expect("bound");
    let hub: HubClient =
        vox::connect(server.address()).serving(old::MeterDispatcher::new(Server::default())).await.expect("connected");
    let found = hub.call_back().await.expect("called back");
    assert!(found.contains("Incompatible") && found.contains("i64 here and u64 there"), "{found}");
}

/// The next session may be with another build of the server.
#[tokio::test]
async fn a_session_that_follows_is_judged_anew() {
    let first = vox::Server::builder().service(old::MeterDispatcher::new(Server::default()));
    let first = first.bind("mem://rolling").await.expect("bound");
    let meter: new::MeterClient = vox::connect(first.address()).await.expect("connected");
    check(meter.shift(7).await, "i64 here and u64 there");
    first.shutdown(Duration::from_secs(1)).await;

    struct Newer;
    impl new::Meter for Newer {
        async fn added(&self) -> u8 {
            1
        }
        async fn level(&self) -> new::Level {
            new::Level::High
        }
        async fn note(&self, reading: new::Reading) -> String {
            reading.place
        }
        async fn shift(&self, by: i64) -> i64 {
            by
        }
        async fn span(&self, to: u32, from: u32) -> u32 {
            to - from
        }
        async fn lookup(&self, key: u32, _strict: Option<bool>) -> u32 {
            key
        }
        async fn feed(&self, _values: Rx<i32>) -> u32 {
            0
        }
        async fn watch(&self, _values: Tx<u64>) {}
        async fn same(&self, text: String) -> Result<String, old::Level> {
            Ok(text)
        }
    }
    let second = vox::Server::builder().service(new::MeterDispatcher::new(Newer));
    let _second = second.bind("mem://rolling").await.expect("bound");
    assert_eq!(meter.shift(-7).await, Ok(-7));
    assert_eq!(meter.level().await, Ok(new::Level::High));
}
