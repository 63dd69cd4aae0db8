//! Everything that a user holds has a name: calls, their futures, clients and dispatchers.

use vox::Never;
use std::sync::Arc;

#[vox::service]
pub trait Files {
    async fn open(&self, name: &str) -> Result<u64, String>;
    async fn size(&self) -> u64;
}

struct Disk;

impl Files for Disk {
    async fn open(&self, name: &str) -> Result<u64, String> {
        Ok(name.len() as u64)
    }
    async fn size(&self) -> u64 {
        0
    }
}

struct Held {
    files: FilesClient,
    opening: Option<vox::Call<u64, String>>,
    sizing: Option<vox::Call<u64, Never>>,
    serving: FilesDispatcher<Disk>,
}

impl Held {
    fn start(&mut self) {
        self.opening = Some(self.files.open("name"));
        self.sizing = Some(self.files.size());
    }
}

fn dispatcher<F: Files>(files: F) -> FilesDispatcher<F> {
    FilesDispatcher::from_arc(Arc::new(files))
}

fn erased(files: impl Files) -> Box<dyn vox::Dispatcher> {
    Box::new(FilesDispatcher::new(files))
}

fn main() {
    let open: fn(&FilesClient, &str) -> vox::Call<u64, String> = FilesClient::open;
    let _ = (open, Held::start, dispatcher(Disk).clone(), erased(Disk));
    let _ = |held: &Held| held.serving.clone();
}
