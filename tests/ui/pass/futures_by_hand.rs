//! An implementation may write its futures by hand.

use std::future::{Future, Ready, ready};

#[vox::service]
pub trait Files {
    async fn open(&self, name: String) -> u64;
    async fn size(&self) -> u64;
    async fn boxed(&self) -> Result<u64, String>;
}

struct Disk;

impl Files for Disk {
    fn open(&self, name: String) -> impl Future<Output = u64> + Send {
        async move { name.len() as u64 }
    }
    #[allow(refining_impl_trait)]
    fn size(&self) -> Ready<u64> {
        ready(7)
    }
    async fn boxed(&self) -> Result<u64, String> {
        let future: std::pin::Pin<Box<dyn Future<Output = u64> + Send>> = Box::pin(async { 1 });
        Ok(future.await)
    }
}

fn main() {
    let _ = FilesDispatcher::new(Disk);
}
