//! A trait with a `where` clause.

#[vox::service]
pub trait Files
where
    Self: Sized,
{
    async fn open(&self, name: String) -> u64;
}

fn main() {}
