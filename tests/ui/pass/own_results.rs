//! `Result` by any path, and aliases of it, are results by type.

use std::convert::Infallible;

#[derive(Debug, facet::Facet)]
#[repr(u8)]
pub enum BankError {
    Poor,
}

pub type BankResult<T> = Result<T, BankError>;

pub mod bank {
    pub type Result<T> = std::result::Result<T, super::BankError>;
}

#[vox::service]
pub trait Bank {
    async fn path(&self) -> ::std::result::Result<u64, BankError>;
    async fn alias(&self) -> BankResult<u64>;
    async fn named_result(&self) -> bank::Result<()>;
    async fn unit(&self) -> Result<(), BankError>;
    async fn infallible(&self) -> Result<u64, Infallible>;
    async fn not_one(&self) -> Option<u64>;
}

fn types(bank: &BankClient) {
    let _: vox::Call<u64, BankError> = bank.path();
    let _: vox::Call<u64, BankError> = bank.alias();
    let _: vox::Call<(), BankError> = bank.named_result();
    let _: vox::Call<(), BankError> = bank.unit();
    let _: vox::Call<u64, Infallible> = bank.infallible();
    let _: vox::Call<Option<u64>, vox::Never> = bank.not_one();
}

fn main() {
    let _ = types;
    assert_eq!(BankClient::SERVICE.check(), Ok(()));
}
