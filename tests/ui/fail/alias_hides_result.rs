//! An alias that hides a `Result`.

pub type Answer<T> = Result<T, String>;

#[vox::service]
pub trait Files {
    async fn open(&self) -> Answer<u64>;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
