//! Serves the bank on an SQLite database.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use vox::store::{SqliteStore, TransactionError, rusqlite};

use crate::ledger;
use crate::service::{Bank, BankDispatcher, Order, Receipt, Refused};

struct Teller {
    store: Arc<SqliteStore>,
}

impl Bank for Teller {
    async fn transfer(&self, cx: &vox::Context, order: Order) -> Result<Receipt, Refused> {
        let operation = cx.operation().cloned().ok_or_else(no_operation)?;
        let done = self.store.transaction(move |tx| -> rusqlite::Result<Result<Receipt, Refused>> {
            let outcome = ledger::transfer(tx, operation.id(), order)?;
            // Where this fails nothing of the transaction is kept.
            let _ = SqliteStore::seal_in(tx, &operation, &outcome);
            Ok(outcome)
        });
        done.await.unwrap_or_else(failed)
    }

    async fn transfer_apart(&self, cx: &vox::Context, order: Order) -> Result<Receipt, Refused> {
        let id = cx.operation().ok_or_else(no_operation)?.id();
        self.store.transaction(move |tx| ledger::transfer(tx, id, order)).await.unwrap_or_else(failed)
    }
}

fn no_operation() -> Refused {
    Refused::Ledger("a transfer without an operation".to_owned())
}

fn failed<T>(error: TransactionError<impl fmt::Display>) -> Result<T, Refused> {
    Err(Refused::Ledger(error.to_string()))
}

/// Serves until standard input ends; prints the address first.
pub async fn serve(database: &Path) -> Result<(), Box<dyn Error>> {
    let store = Arc::new(SqliteStore::open(database).await?);
    store.transaction(|tx| ledger::create(tx)).await?;
    let teller = Teller { store: Arc::clone(&store) };
    let server = vox::Server::builder()
        .service(BankDispatcher::new(teller))
        .store(store.clone())
        .bind("tcp://127.0.0.1:0")
        .await?;
    println!("{}", server.address());
    // The process that started this one ends it so, and by ending itself.
    let ended = tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink()));
    let _ = ended.await;
    server.shutdown(Duration::from_secs(5)).await;
    store.close().await;
    Ok(())
}
