//! What the bank does, as both ends know it.

use std::fmt;

/// Money to be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, facet::Facet)]
pub struct Order {
    pub from: u64,
    pub to: u64,
    pub cents: u64,
}

/// The money has moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, facet::Facet)]
pub struct Receipt {
    /// What is left where it came from.
    pub cents_left: u64,
}

/// The money has not moved, and will not.
#[derive(Debug, Clone, PartialEq, Eq, facet::Facet)]
#[repr(u8)]
pub enum Refused {
    NoSuchAccount(u64),
    TooLittle {
        has: u64,
    },
    SameAccount,
    /// The ledger could not do it; says why.
    Ledger(String),
}

#[vox::service]
pub trait Bank {
    /// Writes effect and outcome in one transaction. What is not sealed has therefore not happened, so running it again
    /// is harmless, and nothing is ever unknown.
    #[vox(idem, persist)]
    async fn transfer(&self, cx: &vox::Context, order: Order) -> Result<Receipt, Refused>;

    /// Writes the effect, then returns, and the outcome is sealed. Of a server that dies in between nobody knows what it
    /// did, so this does not run again: it is `Indeterminate`.
    #[vox(persist)]
    async fn transfer_apart(&self, cx: &vox::Context, order: Order) -> Result<Receipt, Refused>;
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchAccount(account) => write!(f, "there is no account {account}"),
            Self::TooLittle { has } => write!(f, "there are only {has} cents"),
            Self::SameAccount => f.write_str("from an account to itself"),
            Self::Ledger(why) => write!(f, "the ledger: {why}"),
        }
    }
}
