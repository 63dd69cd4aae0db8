//! Types named by paths of every form.

pub mod types {
    #[derive(Debug, Clone, facet::Facet)]
    pub struct Mode(pub u8);
}

pub trait Has {
    type Item;
}

impl Has for u64 {
    type Item = types::Mode;
}

pub mod services {
    use super::*;

    #[vox::service]
    pub trait Paths {
        async fn relative(&self, up: super::types::Mode, absolute: crate::types::Mode) -> self::types::Mode;
        async fn global(&self, text: ::std::string::String) -> ::core::result::Result<std::vec::Vec<u8>, ::std::string::String>;
        async fn projected(&self, item: <u64 as Has>::Item) -> Result<<u64 as crate::Has>::Item, types::Mode>;
    }
}

fn main() {
    assert_eq!(services::PathsClient::SERVICE.check(), Ok(()));
}
