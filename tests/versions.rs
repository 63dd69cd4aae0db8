//! Two builds of one trait at the two ends of a session: what one end can read of what the other writes is translated, what it
//! cannot is refused before it is called, and no value is taken for another.

#![allow(unreachable_pub, reason = "modules of a test share what they have in common")]

#[path = "versions/successors.rs"]
mod successors;
mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use facet::Facet;
use support::Count;
use support::cable::Cable;
use tokio::sync::Semaphore;
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
        async fn sum(&self, values: Vec<u16>, extra: String) -> u64;
        async fn describe(&self, name: &str, data: &[u8], place: Place) -> String;
        async fn place(&self) -> Place;
        async fn places(&self, places: Tx<Place>, levels: Tx<Level>);
        async fn submit(&self, places: Tx<u64>, wanted: Rx<Place>) -> u64;
    }

    pub type Gone = BTreeMap<String, Vec<Option<(u8, Level)>>>;

    #[derive(Debug, Clone, PartialEq, facet::Facet)]
    pub struct Place {
        pub id: u32,
        pub tags: Vec<String>,
        pub gone: Option<Gone>,
        pub name: String,
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
        async fn sum(&self, scale: Option<u8>, values: Vec<u32>) -> u64;
        async fn describe(&self, place: Place, data: &[u8], name: &str) -> String;
        async fn place(&self) -> Place;
        async fn places(&self, levels: Tx<Level>, places: Tx<Place>);
        async fn submit(&self, wanted: Rx<Place>, places: Tx<u8>) -> u64;
    }

    #[derive(Debug, Clone, PartialEq, facet::Facet)]
    pub struct Place {
        pub name: String,
        #[facet(default)]
        pub rank: u16,
        #[facet(default = 7)]
        pub weight: u8,
        pub id: u64,
        pub level: Option<Level>,
        pub tags: Vec<String>,
    }
}

/// Counts the handlers that ran.
#[derive(Clone, Default)]
struct Old(Count);

impl old::Meter for Old {
    async fn level(&self) -> old::Level {
        self.0.add();
        match self.0.get() {
            1 => old::Level::Low,
            2 => old::Level::Middle,
            _ => old::Level::High,
        }
    }
    async fn note(&self, reading: old::Reading) -> String {
        self.0.add();
        format!("{} in {}", reading.place, reading.unit)
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
    async fn watch(&self, values: Tx<u32>) {
        self.0.add();
        values.send(u32::MAX).await.expect("it is read");
        values.close();
    }
    async fn same(&self, text: String) -> Result<String, old::Level> {
        if text.is_empty() { Err(old::Level::High) } else { Ok(text) }
    }
    async fn gone(&self) -> u8 {
        self.0.add();
        0
    }
    async fn sum(&self, values: Vec<u16>, extra: String) -> u64 {
        self.0.add();
        values.iter().map(|value| u64::from(*value)).sum::<u64>() + extra.len() as u64
    }
    async fn describe(&self, name: &str, data: &[u8], place: old::Place) -> String {
        self.0.add();
        format!("{name} {data:?} {place:?}")
    }
    async fn place(&self) -> old::Place {
        self.0.add();
        old_place()
    }
    async fn places(&self, places: Tx<old::Place>, levels: Tx<old::Level>) {
        self.0.add();
        places.send_all([old_place(), old_place()]).await.expect("it is read");
        let _ = levels.send_all([old::Level::High, old::Level::Middle]).await;
    }
    async fn submit(&self, _places: Tx<u64>, _wanted: Rx<old::Place>) -> u64 {
        self.0.add();
        0
    }
}

struct New;

impl new::Meter for New {
    async fn added(&self) -> u8 {
        1
    }
    async fn level(&self) -> new::Level {
        new::Level::High
    }
    async fn note(&self, reading: new::Reading) -> String {
        format!("{} in {}", reading.place, reading.unit)
    }
    async fn shift(&self, by: i64) -> i64 {
        by
    }
    async fn span(&self, to: u32, from: u32) -> u32 {
        to - from
    }
    async fn lookup(&self, key: u32, strict: Option<bool>) -> u32 {
        assert_eq!(strict, None);
        key
    }
    async fn feed(&self, _values: Rx<i32>) -> u32 {
        0
    }
    async fn watch(&self, _values: Tx<u64>) {}
    async fn same(&self, text: String) -> Result<String, old::Level> {
        Ok(text)
    }
    async fn sum(&self, scale: Option<u8>, values: Vec<u32>) -> u64 {
        assert_eq!(scale, None);
        values.iter().map(|value| u64::from(*value)).sum()
    }
    async fn describe(&self, place: new::Place, data: &[u8], name: &str) -> String {
        format!("{name} {data:?} {place:?}")
    }
    async fn place(&self) -> new::Place {
        new_place(Some(new::Level::High))
    }
    async fn places(&self, _levels: Tx<new::Level>, _places: Tx<new::Place>) {}
    async fn submit(&self, mut wanted: Rx<new::Place>, places: Tx<u8>) -> u64 {
        let mut count = 0;
        while let Some(place) = wanted.recv().await.expect("it is sent") {
            assert_eq!(place, new_place(None));
            count += 1;
            places.send(count).await.expect("it is read");
        }
        places.close();
        count.into()
    }
}

/// The call was refused here, nothing ran, and the error says where the two ends differ.
#[track_caller]
fn refused<T: std::fmt::Debug, E: std::fmt::Debug>(result: Result<T, VoxError<E>>, words: &str) {
    match result {
        Err(error @ VoxError::NotSent(NotSent::Incompatible(_))) => {
            assert_eq!(error.ran(), Ran::No);
            assert!(!error.is_retryable());
            assert!(format!("{error:?}").contains(words), "{error:?}, without {words}");
        }
        other => panic!("{other:?}, where `{words}` was expected"),
    }
}

fn old_place() -> old::Place {
    let gone = BTreeMap::from([("x".to_owned(), vec![None, Some((1, old::Level::Middle))])]);
    let tags = vec!["a".to_owned(), "b".to_owned()];
    old::Place { id: 70_000, tags, gone: Some(gone), name: "roof".to_owned() }
}

/// What the new build makes of the old one's.
fn new_place(level: Option<new::Level>) -> new::Place {
    let tags = vec!["a".to_owned(), "b".to_owned()];
    new::Place { name: "roof".to_owned(), rank: 0, weight: 7, id: 70_000, level, tags }
}

async fn a_new_client_calls_an_old_server(meter: new::MeterClient, ran: &Count) {
    refused(meter.shift(7).await, "`Meter.shift`: argument `by` is i64 here and u64 there");
    let (_tx, rx) = vox::channel();
    refused(meter.feed(rx).await, "`Meter.feed`: argument `values`'s item is i32 here and u32 there");
    let ((_tx, rx), (tx, _rx)) = (vox::channel(), vox::channel());
    refused(
        meter.submit(rx, tx).await,
        "`Meter.submit`: argument `places`'s item is u8 here and u64 there; the newer of the two must keep the type",
    );
    refused(
        meter.sum(Some(2), vec![1]).await,
        "`Meter.sum`: argument `values`[] is u32 here and u16 there; the newer of the two must keep the type of the older",
    );
    refused(
        meter.describe(new_place(None), &[], "").await,
        "`Meter.describe`: argument `place`.id is u64 here and u32 there; the newer of the two must keep the type",
    );
    assert_eq!(ran.get(), 0, "nothing ran that was refused");

    assert_eq!(meter.level().await, Ok(new::Level::Low));
    let unknown = meter.level().await.expect_err("a level that the new build does not have");
    assert_eq!(unknown.ran(), Ran::Yes);
    assert!(unknown.to_string().contains("the variant `Middle`, which `Level` does not have here"), "{unknown}");
    assert_eq!(meter.level().await, Ok(new::Level::High));
    let reading = new::Reading { unit: "m".to_owned(), place: "roof".to_owned() };
    assert_eq!(meter.note(reading).await.as_deref(), Ok("roof in m"));
    assert_eq!(meter.span(9, 7).await, Ok(2));
    assert_eq!(meter.lookup(7, Some(true)).await, Ok(7));
    assert_eq!(meter.place().await, Ok(new_place(None)));
    assert_eq!(meter.same("text".to_owned()).await.as_deref(), Ok("text"));
    assert_eq!(meter.same(String::new()).await, Err(VoxError::User(old::Level::High)));
    let added = meter.added().await.expect_err("the server has no such method");
    assert_eq!(added.ran(), Ran::No);
    let (tx, mut rx) = vox::channel();
    let watching = tokio::spawn(meter.watch(tx));
    assert_eq!(rx.recv().await, Ok(Some(u64::from(u32::MAX))));
    assert_eq!(rx.recv().await, Ok(None));
    assert_eq!(watching.await.expect("no panic"), Ok(()));
    let ((levels, mut read_levels), (places, mut read_places)) = (vox::channel(), vox::channel());
    let calling = tokio::spawn(meter.places(levels, places));
    assert_eq!(read_places.recv().await, Ok(Some(new_place(None))));
    assert_eq!(read_places.recv().await, Ok(Some(new_place(None))));
    assert_eq!(read_places.recv().await, Ok(None));
    assert_eq!(read_levels.recv().await, Ok(Some(new::Level::High)));
    let unknown = read_levels.recv().await.expect_err("a level that the new build does not have");
    assert!(unknown.to_string().contains("the variant `Middle`, which `Level` does not have here"), "{unknown}");
    assert_eq!(calling.await.expect("no panic"), Ok(()));
    assert_eq!(ran.get(), 9);
}

async fn an_old_client_calls_a_new_server(meter: old::MeterClient) {
    assert_eq!(meter.level().await, Ok(old::Level::High));
    let reading = old::Reading { unit: "m".to_owned(), place: "roof".to_owned() };
    assert_eq!(meter.note(reading).await.as_deref(), Ok("roof in m"));
    refused(meter.shift(7).await, "`Meter.shift`: argument `by` is u64 here and i64 there");
    assert_eq!(meter.span(7, 9).await, Ok(2));
    assert_eq!(meter.lookup(7).await, Ok(7));
    assert_eq!(meter.sum(vec![1, 2, 65_535], "left out".to_owned()).await, Ok(65_538));
    let described = meter.describe("name", &[1, 2], old_place()).await;
    assert_eq!(described, Ok(format!("name [1, 2] {:?}", new_place(None))));
    refused(
        meter.place().await,
        "`Meter.place`: the response.Ok.id is u32 here and u64 there; the newer of the two must keep the type",
    );
    assert_eq!(meter.gone().await.expect_err("the server has no such method").ran(), Ran::No);
    let (tx, _rx) = vox::channel();
    refused(meter.watch(tx).await, "`Meter.watch`: argument `values`'s item is u32 here and u64 there");
    let ((places, mut read_places), (wanted, read_wanted)) = (vox::channel(), vox::channel());
    let submitting = tokio::spawn(meter.submit(places, read_wanted));
    for count in 1..=3 {
        wanted.send(old_place()).await.expect("it is read");
        assert_eq!(read_places.recv().await, Ok(Some(count)));
    }
    wanted.close();
    assert_eq!(read_places.recv().await, Ok(None));
    assert_eq!(submitting.await.expect("no panic"), Ok(3));
}

async fn over(address: &str) {
    // Opened with the session, and on a session that is there.
    for at_once in [true, false] {
        let handler = Old::default();
        let ran = handler.0.clone();
        let server = vox::Server::builder().service(old::MeterDispatcher::new(handler));
        let server = server.bind(address).await.expect("bound");
        if at_once {
            a_new_client_calls_an_old_server(vox::connect(server.address()).await.expect("connected"), &ran).await;
        } else {
            let session = vox::Session::connect(server.address()).await.expect("connected");
            a_new_client_calls_an_old_server(session.open().await.expect("opened"), &ran).await;
        }
        server.shutdown(Duration::from_secs(1)).await;
    }

    let server = vox::Server::builder().service(new::MeterDispatcher::new(New)).bind(address).await.expect("bound");
    an_old_client_calls_a_new_server(vox::connect(server.address()).await.expect("connected")).await;
    let session = vox::Session::connect(server.address()).await.expect("connected");
    an_old_client_calls_a_new_server(session.open().await.expect("opened")).await;
}

#[tokio::test]
async fn over_tcp_methods_are_translated_or_refused_one_by_one() {
    over("tcp://127.0.0.1:0").await;
}

#[tokio::test]
async fn over_memory_methods_are_translated_or_refused_one_by_one() {
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
            assert_eq!(meter.span(9, 7).await, Ok(2));
            format!("{:?}", meter.shift(7).await)
        }
    }
    let server = vox::Server::builder().service(HubDispatcher::new(MyHub)).bind("mem://hub").await.expect("bound");
    let hub: HubClient =
        vox::connect(server.address()).serving(old::MeterDispatcher::new(Old::default())).await.expect("connected");
    let found = hub.call_back().await.expect("called back");
    assert!(found.contains("Incompatible") && found.contains("i64 here and u64 there"), "{found}");
}

/// A trait whose methods were given more arguments: first as it was, then as it is.
mod search {
    pub mod old {
        #[vox::service]
        pub trait Search {
            async fn find(&self, text: &str) -> String;
            async fn page(&self, number: u32, text: String) -> String;
            async fn tag(&self, text: String) -> String;
        }
    }

    pub mod new {
        use std::sync::atomic::{AtomicU32, Ordering};

        static MADE: AtomicU32 = AtomicU32::new(50);

        fn next_limit() -> u32 {
            MADE.fetch_add(1, Ordering::Relaxed)
        }

        #[vox::service]
        pub trait Search {
            async fn find(
                &self,
                #[vox(default)] prefix: &str,
                text: &str,
                #[vox(default = "en")] language: &str,
                #[vox(default)] key: &[u8],
                #[vox(default = b"salt")] salt: &[u8],
                #[vox(default = next_limit())] limit: u32,
            ) -> String;
            async fn page(
                &self,
                #[vox(default = vec![7, 8])] sizes: Vec<u8>,
                text: String,
                #[vox(default)] strict: bool,
                number: u64,
                #[vox(default = Some(9))] seed: Option<u64>,
                plain: Option<u8>,
            ) -> String;
            async fn tag(&self, text: String, colour: u8) -> String;
        }
    }

    pub struct Engine;

    impl new::Search for Engine {
        async fn find(&self, prefix: &str, text: &str, language: &str, key: &[u8], salt: &[u8], limit: u32) -> String {
            format!("{prefix:?} {text} {language} {key:?} {} {limit}", salt.escape_ascii())
        }
        async fn page(
            &self,
            sizes: Vec<u8>,
            text: String,
            strict: bool,
            number: u64,
            seed: Option<u64>,
            plain: Option<u8>,
        ) -> String {
            format!("{sizes:?} {text} {strict} {number} {seed:?} {plain:?}")
        }
        async fn tag(&self, text: String, _colour: u8) -> String {
            text
        }
    }
}

#[tokio::test]
async fn an_argument_that_an_older_caller_does_not_send_is_its_default() {
    let server = vox::Server::builder().service(search::new::SearchDispatcher::new(search::Engine));
    let server = server.bind("mem://defaults").await.expect("bound");
    let old: search::old::SearchClient = vox::connect(server.address()).await.expect("connected");
    // The expression is evaluated for each call.
    assert_eq!(old.find("cat").await.as_deref(), Ok(r#""" cat en [] salt 50"#));
    assert_eq!(old.find("dog").await.as_deref(), Ok(r#""" dog en [] salt 51"#));
    assert_eq!(old.page(3, "cat".to_owned()).await.as_deref(), Ok("[7, 8] cat false 3 Some(9) None"));
    let words = "`Search.tag`: argument `colour` is missing here and u8 there; the peer must make it an `Option` or give it a \
                 default, `#[vox(default)]`, or this end must send it";
    refused(old.tag("cat".to_owned()).await, words);

    // A caller that knows them sends them all.
    let new: search::new::SearchClient = vox::connect(server.address()).await.expect("connected");
    let found = new.find("a", "cat", "de", b"k", b"", 1).await;
    assert_eq!(found.as_deref(), Ok(r#""a" cat de [107]  1"#));
    let paged = new.page(vec![], "cat".to_owned(), true, 3, None, Some(1)).await;
    assert_eq!(paged.as_deref(), Ok("[] cat true 3 None Some(1)"));
}
