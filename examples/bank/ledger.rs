//! The ledger: accounts, and every transfer that moved money.

use vox::OperationId;
use vox::store::rusqlite::{Connection, OptionalExtension, Result};

use crate::service::{Order, Receipt, Refused};

/// Accounts, numbered from 1.
pub const ACCOUNTS: i64 = 200;
/// What each has at first.
pub const CENTS_EACH: i64 = 1_000_000;

/// Makes the tables and the accounts, where there are none. `moved` has no unique key: had a transfer been made twice,
/// the audit should see it twice.
pub fn create(connection: &Connection) -> Result<()> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS account (id INTEGER PRIMARY KEY, cents INTEGER NOT NULL CHECK (cents >= 0));
         CREATE TABLE IF NOT EXISTS moved (operation TEXT NOT NULL, sender INTEGER, receiver INTEGER, cents INTEGER);",
    )?;
    let mut insert = connection.prepare("INSERT OR IGNORE INTO account VALUES (?1, ?2)")?;
    for account in 1..=ACCOUNTS {
        insert.execute((account, CENTS_EACH))?;
    }
    Ok(())
}

/// Moves the money, or says why not. Whether it was moved before is not asked here: that is what operations are for.
pub fn transfer(connection: &Connection, operation: OperationId, order: Order) -> Result<Result<Receipt, Refused>> {
    let Order { from, to, cents } = order;
    if from == to {
        return Ok(Err(Refused::SameAccount));
    }
    let (Ok(sender), Ok(receiver), Ok(amount)) = (i64::try_from(from), i64::try_from(to), i64::try_from(cents)) else {
        return Ok(Err(Refused::NoSuchAccount(from.max(to))));
    };
    if balance(connection, receiver)?.is_none() {
        return Ok(Err(Refused::NoSuchAccount(to)));
    }
    let Some(has) = balance(connection, sender)? else { return Ok(Err(Refused::NoSuchAccount(from))) };
    let Some(left) = has.checked_sub(amount).filter(|left| *left >= 0) else {
        return Ok(Err(Refused::TooLittle { has: has.unsigned_abs() }));
    };
    connection.execute("UPDATE account SET cents = cents - ?2 WHERE id = ?1", (sender, amount))?;
    connection.execute("UPDATE account SET cents = cents + ?2 WHERE id = ?1", (receiver, amount))?;
    let row = (operation.to_string(), sender, receiver, amount);
    connection.execute("INSERT INTO moved VALUES (?1, ?2, ?3, ?4)", row)?;
    Ok(Ok(Receipt { cents_left: left.unsigned_abs() }))
}

fn balance(connection: &Connection, account: i64) -> Result<Option<i64>> {
    let mut select = connection.prepare("SELECT cents FROM account WHERE id = ?1")?;
    select.query_row((account,), |row| row.get(0)).optional()
}
