/// Keeps money.
#[vox::service]
pub trait Bank {
    /// What an account holds.
    #[vox(idem)]
    async fn balance(&self, account: Account) -> Result<u64, BankError>;
}
