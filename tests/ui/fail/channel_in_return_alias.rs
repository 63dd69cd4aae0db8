//! A channel in the result, behind an alias of a `Result`.

pub type OpenResult = Result<vox::Tx<u64>, String>;

#[vox::service]
pub trait Files {
    async fn open(&self) -> OpenResult;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
