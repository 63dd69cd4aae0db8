//! What is tried again: by vox, and by you.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use vox::{OperationId, VoxError};

use super::Tested;

#[vox::service]
trait Bank {
    /// Only reads: may run twice.
    #[vox(idem)]
    async fn balance(&self) -> u64;
    /// Must run once: its outcome is kept under an id.
    #[vox(persist)]
    async fn pay(&self, cents: u64) -> Result<u64, String>;
}

#[derive(Clone, Default)]
struct MyBank {
    paid: Arc<AtomicU64>,
}

impl Bank for MyBank {
    async fn balance(&self) -> u64 {
        1_000 - self.paid.load(Ordering::SeqCst)
    }
    async fn pay(&self, cents: u64) -> Result<u64, String> {
        let paid = self.paid.fetch_add(cents, Ordering::SeqCst) + cents;
        tokio::time::sleep(Duration::from_secs(5)).await;
        if cents == 0 { Err("pay nothing?".to_owned()) } else { Ok(paid) }
    }
}

async fn pay(bank: &BankClient, id: OperationId, cents: u64) -> Result<u64, VoxError<String>> {
    let mut wait = Duration::from_millis(100);
    for _ in 0..4 {
        let call = bank.pay(cents).operation(id).timeout(Duration::from_secs(2));
        let policy = call.policy();
        match call.await {
            Err(error) if error.is_retryable_under(policy) => tokio::time::sleep(wait).await,
            done => return done,
        }
        wait *= 2;
    }
    bank.pay(cents).operation(id).await
}

#[tokio::test(start_paused = true)]
async fn what_is_tried_again_runs_once() -> Tested {
    let handler = MyBank::default();
    let bank = BankClient::over_memory(handler.clone()).await?;
    let id = OperationId::new();

    assert_eq!(pay(&bank, id, 250).await?, 250, "its first attempts run out of time");
    assert_eq!(pay(&bank, id, 250).await?, 250, "the outcome was kept");
    assert_eq!((handler.paid.load(Ordering::SeqCst), bank.balance().await?), (250, 750));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_id_is_one_call_and_no_other() -> Tested {
    let bank = BankClient::over_memory(MyBank::default()).await?;
    let id = OperationId::new();
    assert_eq!(pay(&bank, id, 0).await, Err(VoxError::User("pay nothing?".to_owned())));
    assert_eq!(pay(&bank, id, 0).await, Err(VoxError::User("pay nothing?".to_owned())), "an error is kept too");
    assert_eq!(pay(&bank, id, 1).await, Err(VoxError::OperationConflict));
    Ok(())
}
