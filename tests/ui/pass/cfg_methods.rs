//! Methods that are there or not, also both of one name.

#![deny(warnings)]

#[vox::service]
pub trait Some {
    #[cfg(any())]
    async fn never(&self, thing: NoSuchType) -> Result<NoSuchType, NoSuchError>;
    #[cfg(all())]
    #[vox(idem)]
    async fn always(&self) -> u64;
    #[cfg(any())]
    async fn lent(&self, text: &str) -> &str;
    #[cfg(not(any()))]
    async fn alias(&self) -> std::result::Result<(), String>;
}

struct Mine;

impl Some for Mine {
    async fn always(&self) -> u64 {
        1
    }
    async fn alias(&self) -> Result<(), String> {
        Ok(())
    }
}

#[cfg(any())]
#[vox::service]
pub trait Nowhere {
    async fn never(&self, thing: NoSuchType);
}

fn main() {
    let _ = SomeDispatcher::new(Mine);
    assert_eq!(SomeClient::SERVICE.methods.len(), 2);
    assert_eq!(SomeClient::SERVICE.methods[1].name, "alias");
}
