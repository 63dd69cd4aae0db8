//! Runs a list of transfers, each once, however often this process is started.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use vox::{OperationId, VoxError};

use crate::journal::{Journal, Outcome};
use crate::options::Transfers;
use crate::orders;
use crate::service::{BankClient, Order, Receipt, Refused};

/// Transfers under way at once.
const IN_FLIGHT: usize = 16;
/// How long one try may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often an outcome that nobody knows is asked for again before it is believed.
const DOUBTS: u32 = 3;
/// How often the first connection is tried to be made.
const TRIES: u32 = 500;
/// How long to wait before trying again what was refused before it ran.
const PAUSE: Duration = Duration::from_millis(20);

/// Runs what the journal has no outcome of.
pub async fn run(address: &str, orders: &Path, journal: &Path, way: Transfers) -> Result<(), Box<dyn Error>> {
    let orders = orders::read(orders)?;
    let mut journal = Journal::open(journal)?;
    journal.begin(orders.len())?;
    let bank = connect(address).await?;
    let places = Arc::new(Semaphore::new(IN_FLIGHT));
    let mut transfers = JoinSet::new();
    let open: Vec<_> = journal.entries().filter(|(_, entry)| entry.outcome.is_none()).collect();
    for (place, entry) in open {
        let permit = Arc::clone(&places).acquire_owned().await?;
        let (bank, order) = (bank.clone(), orders[place]);
        transfers.spawn(async move {
            let _permit = permit;
            (place, transfer(&bank, entry.operation, order, way).await)
        });
        while let Some(done) = transfers.try_join_next() {
            let (place, outcome) = done?;
            journal.note(place, outcome?)?;
        }
    }
    while let Some(done) = transfers.join_next().await {
        let (place, outcome) = done?;
        journal.note(place, outcome?)?;
    }
    journal.sync()?;
    // Only now nobody will ask again: the server may forget the outcomes.
    for (_, entry) in journal.entries() {
        vox::Client::caller(&bank).acknowledge(entry.operation);
    }
    Ok(())
}

/// The server may be just about to come back.
async fn connect(address: &str) -> Result<BankClient, Box<dyn Error>> {
    for _ in 0..TRIES {
        if let Ok(bank) = vox::connect(address).await {
            return Ok(bank);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(vox::connect(address).await?)
}

/// Makes one transfer, under one operation however often it has to be tried.
async fn transfer(bank: &BankClient, operation: OperationId, order: Order, way: Transfers) -> Result<Outcome, String> {
    let mut doubts = 0;
    loop {
        match attempt(bank, operation, order, way).await {
            Ok(_) => return Ok(Outcome::Applied),
            Err(VoxError::User(_)) => return Ok(Outcome::Refused),
            Err(VoxError::Indeterminate { .. }) if doubts >= DOUBTS => return Ok(Outcome::Indeterminate),
            Err(VoxError::Indeterminate { .. }) => doubts += 1,
            Err(error) if error.is_retryable_under(vox::RetryPolicy::PERSIST) => {}
            Err(error) => return Err(format!("operation {operation}: {error}")),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn attempt(
    bank: &BankClient,
    operation: OperationId,
    order: Order,
    way: Transfers,
) -> Result<Receipt, VoxError<Refused>> {
    let call = match way {
        Transfers::Together => bank.transfer(order),
        Transfers::Apart => bank.transfer_apart(order),
    };
    call.operation(operation).timeout(TIMEOUT).await
}
