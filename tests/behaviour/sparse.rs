//! Values that are small on the wire and large in memory, and what happens to those that are too large.

use std::collections::BTreeMap;
use std::future::IntoFuture;

use vox::transport::memory_pair;
use vox::{Limits, NotSent, Ran, Rx, SendError, Server, Tx, VoxError};

#[derive(Debug, Clone, PartialEq, facet::Facet)]
#[repr(u8)]
pub enum Cell {
    Empty,
    Text(String),
    Matrix([f32; 24]),
}

#[derive(Debug, Clone, Default, PartialEq, facet::Facet)]
pub struct Person {
    born: Option<[u16; 3]>,
    address: Option<Address>,
    notes: BTreeMap<String, String>,
    key: Option<[u8; 96]>,
}

#[derive(Debug, Clone, PartialEq, facet::Facet)]
pub struct Address {
    lines: [String; 4],
    place: [f64; 2],
}

#[vox::service]
pub trait Sheet {
    async fn cells(&self, cells: Vec<Cell>) -> u64;
    async fn people(&self, count: u64) -> Vec<Person>;
    async fn ticks(&self, ticks: Vec<()>) -> Vec<()>;
    async fn pages(&self, pages: Rx<Vec<Cell>>) -> u64;
    async fn copy(&self, count: u64, pages: Tx<Vec<Cell>>) -> u64;
    #[vox(persist)]
    async fn report(&self, count: u64) -> Vec<Person>;
    /// Calls its caller back with as many cells, and gives what it is told.
    async fn ask_back(&self, cx: &vox::Context, count: u64) -> Result<u64, String>;
}

struct Rows;

impl Sheet for Rows {
    async fn cells(&self, cells: Vec<Cell>) -> u64 {
        cells.len() as u64
    }
    async fn people(&self, count: u64) -> Vec<Person> {
        vec![Person::default(); count as usize]
    }
    async fn ticks(&self, ticks: Vec<()>) -> Vec<()> {
        ticks
    }
    async fn pages(&self, mut pages: Rx<Vec<Cell>>) -> u64 {
        let mut sum = 0;
        while let Ok(Some(page)) = pages.recv().await {
            sum += page.len() as u64;
        }
        sum
    }
    async fn copy(&self, count: u64, pages: Tx<Vec<Cell>>) -> u64 {
        let sent = pages.send(vec![Cell::Empty; count as usize]).await;
        pages.close();
        u64::from(sent.is_ok())
    }
    async fn report(&self, count: u64) -> Vec<Person> {
        vec![Person::default(); count as usize]
    }
    async fn ask_back(&self, cx: &vox::Context, count: u64) -> Result<u64, String> {
        let sheet: SheetClient = cx.session().open().await.map_err(|error| error.to_string())?;
        assert_eq!(sheet.people(2_000).await.map(|people| people.len()), Ok(2_000));
        sheet.cells(vec![Cell::Empty; count as usize]).await.map_err(|error| error.to_string())
    }
}

async fn arrive(address: &str) {
    let server = Server::builder().service(SheetDispatcher::new(Rows)).bind(address).await.expect("it is free");
    let connecting = vox::connect::<SheetClient>(server.address()).serving(SheetDispatcher::new(Rows));
    let sheet = connecting.await.expect("a session");
    assert_eq!(sheet.cells(vec![Cell::Empty; 5_000]).await, Ok(5_000));
    assert_eq!(sheet.ask_back(5_000).await, Ok(5_000));
    let Err(VoxError::User(refused)) = sheet.ask_back(1_000_000).await else { panic!("over 64 MiB") };
    let limit = Limits::default().max_decoded_bytes;
    assert!(refused.contains(&format!("the peer's limit of {limit} bytes")), "the server learns it: {refused}");
    assert_eq!(sheet.people(2_000).await.map(|people| people.len()), Ok(2_000));
    assert_eq!(sheet.ticks(vec![(); 3_000]).await.map(|ticks| ticks.len()), Ok(3_000));
    assert_eq!(sheet.report(1_500).await.map(|people| people.len()), Ok(1_500));
    let (tx, rx) = vox::channel();
    let call = tokio::spawn(sheet.pages(rx).into_future());
    tx.send(vec![Cell::Empty; 4_000]).await.expect("the handler reads");
    tx.close();
    assert_eq!(call.await.expect("no panic"), Ok(4_000));
    let (tx, mut rx) = vox::channel();
    let call = tokio::spawn(sheet.copy(4_000, tx).into_future());
    assert_eq!(rx.recv().await.expect("an item").map(|page| page.len()), Some(4_000));
    assert_eq!(call.await.expect("no panic"), Ok(1));
}

#[tokio::test]
async fn values_that_are_mostly_empty_cross_tcp() {
    arrive("tcp://127.0.0.1:0").await;
}

#[tokio::test]
async fn values_that_are_mostly_empty_cross_memory() {
    arrive("mem://sparse-values").await;
}

#[cfg(unix)]
#[tokio::test]
async fn values_that_are_mostly_empty_cross_a_unix_socket() {
    let path = std::env::temp_dir().join(format!("vox-{}-sparse.sock", std::process::id()));
    arrive(&format!("unix://{}", path.display())).await;
}

/// A client whose server takes values of `server` bytes of memory, and that takes values of `client` bytes itself.
async fn sheet(server: usize, client: usize) -> SheetClient {
    let (ours, theirs) = memory_pair();
    let limits = |max_decoded_bytes| Limits { max_decoded_bytes, ..Limits::default() };
    let serving =
        Server::builder().limits(limits(server)).service(SheetDispatcher::new(Rows)).start().expect("a server");
    tokio::spawn(async move {
        serving.accept(theirs).await.expect("a session");
        std::future::pending::<()>().await;
    });
    vox::connect(ours).limits(limits(client)).await.expect("a session")
}

#[tokio::test]
async fn a_call_over_the_servers_decode_budget_is_not_sent() {
    let sheet = sheet(100_000, 64 << 20).await;
    // The frame is there while they are decoded: a byte for each, and two for how many there are.
    let taken = |cells: usize| cells * (size_of::<Cell>() + 1) + 2;
    let fits = (100_000 - 2) / (size_of::<Cell>() + 1);
    assert_eq!(sheet.cells(vec![Cell::Empty; fits]).await, Ok(fits as u64));
    let needed = taken(fits + 1);
    let error = sheet.cells(vec![Cell::Empty; fits + 1]).await.expect_err("too much memory");
    assert_eq!(
        error,
        VoxError::NotSent(NotSent::TooLarge(format!(
            "the arguments of `Sheet::cells`: the value takes {needed} bytes of memory or more when it is decoded, over \
             the peer's limit of 100000 bytes; `Limits::max_decoded_bytes` of the peer raises it"
        ).into()))
    );
    assert_eq!(error.ran(), Ran::No);
    assert_eq!(sheet.cells(vec![Cell::Text("x".repeat(50))]).await, Ok(1));
}

#[tokio::test]
async fn an_item_over_the_receivers_decode_budget_is_not_sent() {
    let sheet = sheet(100_000, 100_000).await;
    let too_many = 100_000 / size_of::<Cell>() + 1;
    let (tx, rx) = vox::channel();
    let call = tokio::spawn(sheet.pages(rx).into_future());
    let error = tx.send(vec![Cell::Empty; too_many]).await.expect_err("too much memory");
    assert!(
        matches!(&error, SendError::InvalidItem(why) if why.contains("over the peer's limit of 100000 bytes")),
        "{error}"
    );
    tx.send(vec![Cell::Empty; 5]).await.expect("the channel goes on");
    tx.close();
    assert_eq!(call.await.expect("no panic"), Ok(5));
    // The other way too.
    let (tx, mut rx) = vox::channel();
    let call = tokio::spawn(sheet.copy(too_many as u64, tx).into_future());
    assert!(!matches!(rx.recv().await, Ok(Some(_))));
    assert_eq!(call.await.expect("no panic"), Ok(0));
}

#[tokio::test]
async fn a_result_over_the_callers_decode_budget_says_that_the_call_ran() {
    let sheet = sheet(64 << 20, 100_000).await;
    let too_many = 100_000 / size_of::<Person>() as u64 + 1;
    for result in [sheet.people(too_many).await, sheet.report(too_many).await] {
        let error = result.expect_err("too much memory");
        assert_eq!(error.ran(), Ran::Yes);
        let text = error.to_string();
        assert!(text.contains("the call ran, but its response is lost: "), "{text}");
        let parts = [
            "the caller's limit of 100000 bytes",
            "`Limits::max_decoded_bytes` of the caller",
            "bytes of memory or more",
        ];
        for part in parts {
            assert!(text.contains(part), "{text}");
        }
    }
    assert_eq!(sheet.people(3).await.map(|people| people.len()), Ok(3));
}

/// An outcome that one caller cannot decode is kept all the same: another, with a larger limit, gets it.
// proves: guide.too-large.kept
#[tokio::test]
async fn an_outcome_over_a_callers_limit_stays_kept() {
    let server = Server::builder().service(SheetDispatcher::new(Rows)).bind("mem://kept-outcome").await.expect("free");
    let small = Limits { max_decoded_bytes: 1_000, ..Limits::default() };
    let sheet: SheetClient = vox::connect(server.address()).limits(small).await.expect("a session");
    let id = vox::OperationId::new();
    let error = sheet.report(500).operation(id).await.expect_err("too much memory");
    assert_eq!((error.kind(), error.ran()), ("invalid-response", Ran::Yes));
    let roomy: SheetClient = vox::connect(server.address()).await.expect("a session");
    assert_eq!(roomy.report(500).operation(id).await.map(|people| people.len()), Ok(500));
}

// proves: guide.too-large.response
#[tokio::test]
async fn a_result_over_the_callers_message_limit_names_both_numbers_and_the_setting() {
    let (ours, theirs) = memory_pair();
    tokio::spawn(vox::serve(theirs, SheetDispatcher::new(Rows)));
    let limits = Limits { max_message_bytes: 10_000, ..Limits::default() };
    let sheet: SheetClient = vox::connect(ours).limits(limits).await.expect("a session");
    let error = sheet.people(5_000).await.expect_err("too long");
    let text = error.to_string();
    assert_eq!(error.ran(), Ran::Yes);
    assert!(
        text.contains(
            "bytes or more, where 9936 bytes fit: `Limits::max_message_bytes` of the caller is 10000, of which"
        ),
        "{text}"
    );
}
