//! What `#[async_trait]` makes of an `impl`.

#[vox::service]
pub trait Files {
    async fn open(&self, name: &str) -> u64;
}

struct Disk;

impl Files for Disk {
    fn open<'life0, 'life1, 'async_trait>(
        &'life0 self,
        name: &'life1 str,
    ) -> ::core::pin::Pin<Box<dyn ::core::future::Future<Output = u64> + ::core::marker::Send + 'async_trait>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move { name.len() as u64 })
    }
}

fn main() {}
