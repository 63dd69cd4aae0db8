//! The schema: one Rust trait and the types it names. Both processes are built from it.

use std::fmt;

use facet::Facet;
use vox::{Rx, Tx};

/// A bank, as its clients see it.
#[vox::service]
pub trait Bank {
    /// What an account holds. Safe to run again.
    #[vox(idem)]
    async fn balance(&self, account: u64) -> Result<u64, BankError>;

    /// Moves money. Gives the sender's new balance.
    async fn transfer(&self, from: u64, to: u64, cents: u64) -> Result<u64, BankError>;

    /// Moves money once, however often it is asked to under one operation id. The clearing house takes its time. Gives the
    /// sender's new balance.
    #[vox(persist)]
    async fn pay(&self, from: u64, to: u64, cents: u64) -> Result<u64, BankError>;

    /// Books every row that the caller sends, and tells it how far it got.
    async fn import(&self, rows: Rx<Row>, progress: Tx<Progress>) -> Result<Progress, BankError>;

    /// Sends what happens from now on, for as long as the caller listens: a channel outlives the call it came with.
    async fn watch(&self, events: Tx<Event>);

    /// Goes through an account's books. Takes half a minute.
    #[vox(idem)]
    async fn audit(&self, account: u64) -> Result<(), BankError>;

    /// What was imported for a month, 1 to 12. Has a bug: month 13 makes it panic.
    #[vox(idem)]
    async fn turnover(&self, month: u8) -> u64;
}

/// A service that nobody here serves.
#[vox::service]
pub trait Weather {
    /// Whether it rains.
    async fn raining(&self) -> bool;
}

/// One transfer of the file.
#[derive(Debug, Clone, Facet)]
pub struct Row {
    pub id: u64,
    pub from: u64,
    pub to: u64,
    pub cents: u64,
    pub date: Date,
    pub text: String,
}

/// A day.
#[derive(Debug, Clone, Copy, Facet)]
pub struct Date {
    pub year: u16,
    pub month: u8,
    pub day: u8,
}

/// How far an import is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Facet)]
pub struct Progress {
    pub rows: u64,
    pub cents: u64,
}

/// What happens at the bank.
#[derive(Debug, Clone, PartialEq, Eq, Facet)]
#[repr(u8)]
pub enum Event {
    Transferred { from: u64, to: u64, cents: u64 },
    PaymentStarted { from: u64, to: u64, cents: u64 },
    Imported(Progress),
    AuditStarted { account: u64 },
    AuditStopped { account: u64, finished: bool },
}

/// What the bank says no to.
#[derive(Debug, Clone, PartialEq, Eq, Facet)]
#[repr(u8)]
pub enum BankError {
    UnknownAccount(u64),
    InsufficientFunds { account: u64, balance: u64, wanted: u64 },
    ImportCutShort { rows: u64, why: String },
}

impl fmt::Display for BankError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownAccount(account) => write!(f, "there is no account {account}"),
            Self::InsufficientFunds { account, balance, wanted } => {
                write!(f, "account {account} holds {}, not {}", Money(*balance), Money(*wanted))
            }
            Self::ImportCutShort { rows, why } => write!(f, "the import broke off after {rows} rows: {why}"),
        }
    }
}

impl std::error::Error for BankError {}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transferred { from, to, cents } => write!(f, "{} went from {from} to {to}", Money(*cents)),
            Self::PaymentStarted { from, to, cents } => {
                write!(f, "a payment of {} from {from} to {to} started", Money(*cents))
            }
            Self::Imported(sum) => write!(f, "{} rows were imported, {} in all", sum.rows, Money(sum.cents)),
            Self::AuditStarted { account } => write!(f, "the audit of {account} started"),
            Self::AuditStopped { account, finished: true } => write!(f, "the audit of {account} finished"),
            Self::AuditStopped { account, finished: false } => write!(f, "the audit of {account} was abandoned"),
        }
    }
}

/// Cents, for people.
pub struct Money(pub u64);

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}
