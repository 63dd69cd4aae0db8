//! Attributes under `cfg_attr` reach what is generated as they would without it.

#![deny(warnings)]

#[vox::service]
#[cfg_attr(all(), doc = "Keeps files.", allow(non_snake_case))]
pub trait Files {
    #[cfg_attr(all(), deprecated = "use `size`", doc = "Opens.")]
    async fn open(&self) -> u64;
    #[cfg_attr(all(), cfg(any()))]
    async fn never(&self, thing: NoSuchType) -> u64;
    #[cfg_attr(any(), cfg(any()))]
    async fn size(&self, Name: u64) -> u64;
}

#[vox::service]
#[cfg_attr(all(), cfg(any()))]
pub trait Absent {
    async fn never(&self, thing: NoSuchType);
}

struct Disk;

impl Files for Disk {
    async fn open(&self) -> u64 {
        1
    }
    async fn size(&self, name: u64) -> u64 {
        name
    }
}

mod calls {
    #[expect(deprecated)]
    pub async fn open(files: super::FilesClient) {
        let _ = files.open().await;
    }
}

fn main() {
    let _ = (FilesDispatcher::new(Disk), calls::open);
    let names: Vec<&str> = FilesClient::SERVICE.methods.iter().map(|method| method.name).collect();
    assert_eq!(names, ["open", "size"]);
}
