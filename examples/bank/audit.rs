//! Holds the database against what the client was told.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::path::Path;

use vox::store::{SqliteStore, rusqlite};

use crate::journal::{Entry, Journal, Outcome};
use crate::ledger::{ACCOUNTS, CENTS_EACH};

/// What the database and the journals come to.
#[derive(Debug, Default)]
pub struct Audit {
    /// Transfers that were ordered.
    ordered: usize,
    told: BTreeMap<Outcome, usize>,
    /// Of those of which the client was told that nobody knows: how many were made.
    unknown_and_made: usize,
    cents: i64,
    faults: Vec<String>,
}

/// Reads it all. No server has the database open.
pub async fn run(database: &Path, journals: &[impl AsRef<Path>]) -> Result<Audit, Box<dyn Error>> {
    let store = SqliteStore::open(database).await?;
    let (cents, mut moved) = store.transaction(|tx| read(tx)).await?;
    store.close().await;
    let mut audit = Audit { cents, ..Audit::default() };
    for journal in journals {
        for (place, entry) in Journal::open(journal.as_ref())?.entries() {
            let times = moved.remove(&entry.operation.to_string()).unwrap_or(0);
            audit.compare(place, entry, times);
        }
    }
    for operation in moved.keys() {
        audit.faults.push(format!("operation {operation} was never ordered"));
    }
    let most = ACCOUNTS * CENTS_EACH;
    if cents != most {
        audit.faults.push(format!("the balances come to {cents} cents, not {most}"));
    }
    Ok(audit)
}

fn read(connection: &rusqlite::Connection) -> rusqlite::Result<(i64, BTreeMap<String, u32>)> {
    let cents = connection.query_row("SELECT sum(cents) FROM account", (), |row| row.get(0))?;
    let mut select = connection.prepare("SELECT operation, count(*) FROM moved GROUP BY operation")?;
    let moved = select.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    Ok((cents, moved))
}

impl Audit {
    fn compare(&mut self, place: usize, entry: Entry, times: u32) {
        self.ordered += 1;
        let Entry { operation, outcome } = entry;
        let Some(outcome) = outcome else {
            return self.faults.push(format!("transfer {place} ({operation}) has no outcome"));
        };
        *self.told.entry(outcome).or_default() += 1;
        let fits = match outcome {
            Outcome::Applied => times == 1,
            Outcome::Refused => times == 0,
            Outcome::Indeterminate => times <= 1,
        };
        if outcome == Outcome::Indeterminate && times == 1 {
            self.unknown_and_made += 1;
        }
        if !fits {
            self.faults.push(format!("transfer {place} ({operation}) is {outcome}, and was made {times} times"));
        }
    }

    pub fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }

    pub fn told(&self, outcome: Outcome) -> usize {
        self.told.get(&outcome).copied().unwrap_or(0)
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ordered, unknown_and_made, cents, faults, .. } = self;
        let told = |outcome| self.told(outcome);
        let unknown = told(Outcome::Indeterminate);
        writeln!(f, "{ordered} transfers: {} applied, {} refused", told(Outcome::Applied), told(Outcome::Refused))?;
        writeln!(f, "{unknown} reported as indeterminate, of which {unknown_and_made} were made")?;
        writeln!(f, "all balances together: {cents} cents")?;
        for fault in faults {
            writeln!(f, "FAULT: {fault}")?;
        }
        f.write_str(if faults.is_empty() { "the audit is clean" } else { "the audit is NOT clean" })
    }
}
