//! The process that serves the bank.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use vox::{Rx, Tx};

use crate::service::{Bank, BankDispatcher, BankError, Event, Progress, Row};

/// Every account that the bank keeps, by number.
const ACCOUNTS: std::ops::RangeInclusive<u64> = 1..=200;
/// What each holds at first, in cents like all amounts.
const OPENING_BALANCE: u64 = 100_000;
/// How many rows of an import lie between two reports.
const REPORT_EVERY: u64 = 3_000;
/// How long a payment takes.
const CLEARING: Duration = Duration::from_millis(100);

/// Serves until standard input ends, which is when the process that started this one closes it, or is gone.
pub async fn run() -> Result<(), Box<dyn Error>> {
    // The runtime catches a handler's panic. What it prints is this process's own affair: one line.
    std::panic::set_hook(Box::new(|info| println!("a handler panicked: {info}")));
    let server =
        vox::Server::builder().service(BankDispatcher::new(MyBank::default())).bind("tcp://127.0.0.1:0").await?;
    println!("{}", server.address());
    // Ctrl-C goes to both processes. The one that started this one says when it ends.
    tokio::spawn(async { while tokio::signal::ctrl_c().await.is_ok() {} });
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    let report = server.shutdown(Duration::from_secs(2)).await;
    println!("shut down: {} session open, {} handlers cut off", report.sessions, report.aborted_calls);
    Ok(())
}

#[derive(Default)]
struct MyBank {
    books: Mutex<Books>,
    watchers: Arc<Watchers>,
}

#[derive(Default)]
struct Books {
    /// What an account has gained or lost since it was opened.
    changes: BTreeMap<u64, i64>,
    turnover: [u64; 12],
}

impl Bank for MyBank {
    async fn balance(&self, account: u64) -> Result<u64, BankError> {
        self.books().balance(account)
    }

    async fn transfer(&self, from: u64, to: u64, cents: u64) -> Result<u64, BankError> {
        let left = self.books().transfer(from, to, cents)?;
        self.watchers.tell(Event::Transferred { from, to, cents });
        Ok(left)
    }

    async fn pay(&self, from: u64, to: u64, cents: u64) -> Result<u64, BankError> {
        self.watchers.tell(Event::PaymentStarted { from, to, cents });
        // The clearing house. The caller may give up meanwhile: this goes on.
        tokio::time::sleep(CLEARING).await;
        self.transfer(from, to, cents).await
    }

    async fn import(&self, mut rows: Rx<Row>, progress: Tx<Progress>) -> Result<Progress, BankError> {
        let mut import = Import::default();
        // `None` is a clean end and nothing else: a lost caller is an error, and so is one that could not read its file to the end.
        while let Some(row) = rows.recv().await.map_err(|error| {
            let why = error.to_string();
            BankError::ImportCutShort { rows: import.sum.rows, why }
        })? {
            self.books().import(&row);
            import.sum.rows += 1;
            import.sum.cents += row.cents;
            if import.sum.rows % REPORT_EVERY == 0 {
                // Whether anybody listens to the reports is the caller's affair.
                let _ = progress.send(import.sum).await;
            }
        }
        progress.close();
        import.finished = true;
        let sum = import.sum;
        self.watchers.tell(Event::Imported(sum));
        Ok(sum)
    }

    async fn watch(&self, events: Tx<Event>) {
        self.watchers.add(events);
    }

    async fn audit(&self, account: u64) -> Result<(), BankError> {
        self.books().balance(account)?;
        self.watchers.tell(Event::AuditStarted { account });
        let mut audit = Audit { watchers: Arc::clone(&self.watchers), account, finished: false };
        for _page in 0..3_000 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        audit.finished = true;
        Ok(())
    }

    async fn turnover(&self, month: u8) -> u64 {
        let turnover = self.books().turnover;
        turnover[usize::from(month) - 1]
    }
}

impl MyBank {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn balance(&self, account: u64) -> Result<u64, BankError> {
        if !ACCOUNTS.contains(&account) {
            return Err(BankError::UnknownAccount(account));
        }
        let change = self.changes.get(&account).copied().unwrap_or_default();
        Ok(OPENING_BALANCE.saturating_add_signed(change))
    }

    /// Gives the sender's new balance.
    fn transfer(&mut self, from: u64, to: u64, cents: u64) -> Result<u64, BankError> {
        self.balance(to)?;
        let balance = self.balance(from)?;
        let short = BankError::InsufficientFunds { account: from, balance, wanted: cents };
        let left = balance.checked_sub(cents).ok_or(short)?;
        self.book(from, to, cents);
        Ok(left)
    }

    /// Imported rows have happened already: no account is too poor for them.
    fn import(&mut self, row: &Row) {
        self.book(row.from, row.to, row.cents);
        if let Some(turnover) = self.turnover.get_mut(usize::from(row.date.month).wrapping_sub(1)) {
            *turnover += row.cents;
        }
    }

    fn book(&mut self, from: u64, to: u64, cents: u64) {
        *self.changes.entry(from).or_default() -= cents as i64;
        *self.changes.entry(to).or_default() += cents as i64;
    }
}

/// Says that an import was cut short, whether its rows broke off or its caller went away, which stops the handler.
#[derive(Default)]
struct Import {
    sum: Progress,
    finished: bool,
}

impl Drop for Import {
    fn drop(&mut self) {
        if !self.finished {
            println!("an import was cut short after {} rows", self.sum.rows);
        }
    }
}

/// Says that an audit has stopped, however it did: cancelling a call drops its handler's future.
struct Audit {
    watchers: Arc<Watchers>,
    account: u64,
    finished: bool,
}

impl Drop for Audit {
    fn drop(&mut self) {
        self.watchers.tell(Event::AuditStopped { account: self.account, finished: self.finished });
    }
}

/// Those who want to know what happens.
#[derive(Default)]
struct Watchers(Mutex<Vec<Tx<Event>>>);

impl Watchers {
    fn add(&self, events: Tx<Event>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(events);
    }

    /// A watcher that is gone is forgotten. One that is slow misses events: the bank does not wait for it.
    fn tell(&self, event: Event) {
        let mut watchers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watchers.retain(|watcher| !matches!(watcher.try_send(event.clone()), Err(vox::TrySendError::Closed(_))));
    }
}
