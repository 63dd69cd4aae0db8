//! The code of docs/testing.md. A test keeps the two equal.

const PAGE: &str = include_str!("../docs/testing.md");
const HERE: &str = include_str!("testing_page.rs");

#[test]
fn the_code_on_the_page_is_tested_here() {
    let flat = |text: &str| text.lines().map(str::trim).collect::<Vec<_>>().join("\n");
    let blocks: Vec<&str> = PAGE.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 6, "the page has lost its examples");
    for block in blocks {
        assert!(flat(HERE).contains(flat(block).trim()), "the page shows what is not tested:\n{block}");
    }
}

use std::time::Duration;
use vox::{Context, VoxError};

#[vox::service]
trait Bank {
    async fn balance(&self, account: u64) -> Result<u64, String>;
    async fn owner(&self, cx: &Context) -> String;
    async fn audit(&self);
}

struct MyBank;

impl Bank for MyBank {
    async fn balance(&self, account: u64) -> Result<u64, String> {
        if account == 7 { Ok(1_000) } else { Err(format!("no account {account}")) }
    }
    async fn owner(&self, cx: &Context) -> String {
        format!("{} of {}", cx.principal().as_str(), cx.metadata().get("tenant").unwrap_or("nobody"))
    }
    async fn audit(&self) {
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
}

#[tokio::test]
async fn an_account_has_a_balance() {
    let bank = BankClient::over_memory(MyBank).await.expect("the service can be served");
    assert_eq!(bank.balance(7).await, Ok(1_000));
    assert_eq!(bank.balance(8).await, Err(VoxError::User("no account 8".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn an_audit_that_takes_too_long_is_given_up() {
    let bank = BankClient::over_memory(MyBank).await.expect("the service can be served");
    let error = bank.audit().timeout(Duration::from_secs(60)).await.expect_err("it takes an hour");
    assert_eq!(error, VoxError::DeadlineExceeded);
}

#[tokio::test]
async fn a_small_server_refuses_large_requests() {
    let server = vox::Server::builder()
        .service(BankDispatcher::new(MyBank))
        .service(NotesDispatcher::new(MyNotes))
        .limits(vox::Limits { max_message_bytes: 64 << 10, ..Default::default() });
    let session = vox::Session::connect(server).await.expect("the services can be served");
    let notes: NotesClient = session.open().await.expect("it is served");
    let error = notes.note(&"x".repeat(100_000)).await.expect_err("it is too long");
    assert!(matches!(error, VoxError::NotSent(vox::NotSent::TooLarge(_))));
}

#[tokio::test]
async fn the_owner_is_the_principal() {
    let cx = Context::for_test().principal(vox::Principal::new("emma")).metadata("tenant", "acme").build();
    assert_eq!(MyBank.owner(&cx).await, "emma of acme");
}

#[tokio::test]
async fn a_handler_calls_back() {
    let cx = Context::for_test().peer_serves(NotesDispatcher::new(MyNotes)).build();
    let notes: NotesClient = cx.session().open().await.expect("the peer serves it");
    assert_eq!(notes.note("paid").await, Ok(4));
}

async fn richest(bank: &BankClient, accounts: &[u64]) -> Option<u64> {
    let mut best = None;
    for &account in accounts {
        let balance = bank.balance(account).await.ok()?;
        best = best.max(Some((balance, account)));
    }
    best.map(|(_, account)| account)
}

struct Rich(u64);

impl Bank for Rich {
    async fn balance(&self, account: u64) -> Result<u64, String> {
        Ok(if account == self.0 { 1_000_000 } else { 1 })
    }
    async fn owner(&self, _cx: &Context) -> String {
        unimplemented!("no test calls it")
    }
    async fn audit(&self) {}
}

#[tokio::test]
async fn the_richest_account_is_found() {
    let bank = BankClient::over_memory(Rich(3)).await.expect("the service can be served");
    assert_eq!(richest(&bank, &[1, 2, 3, 4]).await, Some(3));
}

#[vox::service]
trait Notes {
    async fn note(&self, text: &str) -> u64;
}

struct MyNotes;

impl Notes for MyNotes {
    async fn note(&self, text: &str) -> u64 {
        text.len() as u64
    }
}
