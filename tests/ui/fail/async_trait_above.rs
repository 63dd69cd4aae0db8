//! What `#[async_trait]` above `#[vox::service]` makes of the trait, and of its `impl`.

#[vox::service]
pub trait Files {
    #[must_use]
    fn open<'life0, 'life1, 'async_trait>(
        &'life0 self,
        account: u64,
        name: &'life1 str,
    ) -> ::core::pin::Pin<Box<dyn ::core::future::Future<Output = u64> + ::core::marker::Send + 'async_trait>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait;
}

struct Disk;

impl Files for Disk {
    fn open<'life0, 'life1, 'async_trait>(
        &'life0 self,
        account: u64,
        name: &'life1 str,
    ) -> ::core::pin::Pin<Box<dyn ::core::future::Future<Output = u64> + ::core::marker::Send + 'async_trait>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move { account + name.len() as u64 })
    }
}

async fn calls() {
    let files = FilesClient::over_memory(Disk).await.unwrap();
    let _: u64 = files.open(1, "a").await.unwrap();
}

fn main() {}
