//! Unit structs, constants and statics that are called like the locals of other people's code, with and without the prelude.

#![allow(dead_code, non_camel_case_types, non_upper_case_globals)]

#[derive(facet::Facet)]
pub struct Kind {
    pub number: u64,
}

macro_rules! items {
    () => {
        pub struct call;
        pub struct handler;
        pub struct slot;
        pub struct method;
        pub struct f;
        pub const args: u64 = 1;
        pub const answer: u64 = 2;
        pub const whole: u64 = 3;
        pub const result: u64 = 4;
        pub static caller: u64 = 5;
        pub static service: u64 = 6;
        pub static value: u64 = 7;
    };
}

pub mod with {
    use super::Kind;

    items!();

    #[vox::service]
    pub trait Shop {
        async fn nothing(&self);
        async fn kinds(
            &self,
            cx: &vox::Context,
            name: &str,
            picture: &[u8],
            kinds: Vec<Option<Kind>>,
        ) -> Result<Kind, u8>;
        async fn lent(&self, text: &str) -> &str;
        async fn alias(&self, id: u64) -> super::MyResult<u64>;
    }
}

pub mod without {
    #![no_implicit_prelude]

    items!();

    #[::vox::service]
    pub trait Shop {
        async fn nothing(&self);
        async fn kinds(
            &self,
            cx: &::vox::Context,
            name: &str,
            picture: &[u8],
            kinds: ::std::vec::Vec<::core::option::Option<super::Kind>>,
        ) -> ::core::result::Result<super::Kind, u8>;
        async fn lent(&self, text: &str) -> &str;
        async fn alias(&self, id: u64) -> super::MyResult<u64>;
    }
}

pub type MyResult<T> = Result<T, u8>;

struct Mine;

impl without::Shop for Mine {
    async fn nothing(&self) {}

    async fn kinds(&self, _: &vox::Context, _: &str, _: &[u8], kinds: Vec<Option<Kind>>) -> Result<Kind, u8> {
        kinds.into_iter().flatten().next().ok_or(0)
    }

    async fn lent<'a>(&self, text: &'a str) -> &'a str {
        text
    }

    async fn alias(&self, id: u64) -> MyResult<u64> {
        Ok(id)
    }
}

fn main() {
    let _ = without::ShopDispatcher::new(Mine);
    let _ = without::ShopDispatcher::from_arc(std::sync::Arc::new(Mine));
    assert_eq!(with::ShopClient::SERVICE.check(), Ok(()));
    assert_eq!(without::ShopClient::SERVICE.methods.len(), 4);
}
