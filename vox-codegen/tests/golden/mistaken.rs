#[vox::service]
pub trait Mistaken {
    async fn sound(&self, cx: &vox::Context, account: u64) -> Result<u64, BankError>;

    fn not_async<T>(&mut self, (a, b): (u64, u64), value: T) -> vox::Rx<u64>;

    type Handle;
}
