//! What `docs/operations.md` shows is what there is.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use vox::store::MemoryStore;
use vox::{Client, OperationId, Principal, Refusal, RefusalCode, Server, VoxError};

const DOCUMENT: &str = include_str!("../../docs/operations.md");
const HERE: &str = include_str!("document.rs");
const PATIENCE: Duration = Duration::from_millis(50);

#[derive(Debug, Clone, PartialEq, facet::Facet)]
struct Order {
    cents: u64,
}

#[derive(Debug, Clone, PartialEq, facet::Facet)]
struct Receipt {
    number: u64,
    operation: String,
}

#[derive(Debug, Clone, PartialEq, facet::Facet)]
struct NoCover;

impl std::fmt::Display for NoCover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no cover")
    }
}

#[vox::service]
trait Bank {
    #[vox(persist)]
    async fn transfer(&self, cx: &vox::Context, order: Order) -> Result<Receipt, NoCover>;
}

#[derive(Clone, Default)]
struct Ledger {
    transfers: Arc<AtomicU64>,
}

impl Bank for Ledger {
    async fn transfer(&self, cx: &vox::Context, order: Order) -> Result<Receipt, NoCover> {
        tokio::time::sleep(2 * PATIENCE).await;
        let number = self.transfers.fetch_add(1, Ordering::SeqCst) + 1;
        let operation = cx.operation().ok_or(NoCover)?.id().to_string();
        if order.cents > 100 { Err(NoCover) } else { Ok(Receipt { number, operation }) }
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_document_shows_holds() -> Result<(), Box<dyn Error>> {
    let ledger = Ledger::default();
    let server = Server::builder()
        .service(BankDispatcher::new(ledger.clone()))
        .store(Arc::new(MemoryStore::new()))
        .authenticate(async |peer| match peer.metadata().get("token") {
            Some("secret of acme") => Ok(Principal::new("acme")),
            _ => Err(Refusal::new(RefusalCode::Unauthorized, "who are you?")),
        })
        .bind("mem://bank")
        .await?;
    assert!(vox::connect::<BankClient>(server.address()).await.is_err());
    let bank: BankClient = vox::connect(server.address()).sensitive_metadata("token", "secret of acme").await?;
    let order = Order { cents: 7 };

    let id = OperationId::new();
    let written_down = id.to_string();
    let error = bank.transfer(order.clone()).operation(id).timeout(PATIENCE).await.expect_err("it takes longer");
    assert_eq!(error, VoxError::DeadlineExceeded);

    let policy = bank.transfer(order.clone()).policy();
    assert!(!error.is_retryable() && error.is_retryable_under(policy));

    let id: OperationId = written_down.parse()?;
    let receipt = bank.transfer(order.clone()).operation(id).await?;
    assert_eq!(bank.transfer(order.clone()).operation(id).await, Ok(receipt), "as often as one likes");
    bank.caller().acknowledge(id);

    assert_eq!(bank.transfer(order).operation(id).await, Err(VoxError::OperationExpired));
    assert_eq!(ledger.transfers.load(Ordering::SeqCst), 1);
    Ok(())
}

#[test]
fn the_code_in_the_document_is_tested_here() {
    let flat = |text: &str| text.lines().map(str::trim).collect::<Vec<_>>().join("\n");
    let blocks: Vec<_> = DOCUMENT.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(blocks.len(), 5);
    for block in blocks {
        assert!(flat(HERE).contains(flat(block).trim()), "the document shows what is not tested:\n{block}");
    }
}
