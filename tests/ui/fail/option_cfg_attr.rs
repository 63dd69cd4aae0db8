//! A policy under `cfg_attr`.

#[vox::service]
pub trait Files {
    #[cfg_attr(unix, vox(idem))]
    async fn open(&self, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
