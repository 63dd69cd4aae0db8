//! The program that mistakes are made in, with vox.

#[derive(Debug, facet::Facet)]
pub struct Mode {
    pub write: bool,
}

#[vox::service]
pub trait Files {
    #[vox(idem)]
    async fn open(&self, name: String, mode: Mode) -> u32;
    async fn size(&self, name: String) -> u64;
}

pub struct Disk;

impl Files for Disk {
    async fn open(&self, name: String, mode: Mode) -> u32 {
        unimplemented!("{name} {mode:?}")
    }
    async fn size(&self, name: String) -> u64 {
        name.len() as u64
    }
}

pub fn serve() -> impl vox::Dispatcher {
    FilesDispatcher::new(Disk)
}

pub async fn call(files: &FilesClient) -> Option<u64> {
    files.size("a".to_owned()).await.ok()
}
