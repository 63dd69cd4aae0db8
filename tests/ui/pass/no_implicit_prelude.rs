//! Nothing of the prelude is in scope, and much of it is taken by names of our own.

#![allow(dead_code, non_camel_case_types)]

pub mod deps {
    // The derive of `Facet` wants the prelude.
    #[derive(facet::Facet)]
    pub struct Number {
        pub number: u64,
    }
}

pub mod shop {
    #![no_implicit_prelude]

    pub struct Vec;
    pub struct String;
    pub struct Arc;
    pub struct H;
    pub trait Send {}
    pub trait Sync {}
    pub trait Future {}
    pub enum Option {
        Some,
        None,
    }
    pub enum Outcome {
        Ok,
        Err,
    }
    pub fn drop() {}
    pub mod core {}
    pub mod std {}
    pub mod vox {}

    pub type T = super::deps::Number;

    #[::vox::service]
    pub trait Shop {
        async fn all(
            &self,
            cx: &::vox::Context,
            t: T,
            name: &str,
            picture: &[u8],
            rows: ::vox::Rx<u64>,
        ) -> ::core::result::Result<T, ::std::string::String>;
        async fn nothing(&self);
        #[vox(timeout = "1h")]
        async fn alias(&self) -> super::MyResult<u64>;
    }
}

pub type MyResult<T> = ::core::result::Result<T, u8>;

struct Mine;

impl shop::Shop for Mine {
    async fn all(
        &self,
        _cx: &::vox::Context,
        t: shop::T,
        _name: &str,
        _picture: &[u8],
        _rows: ::vox::Rx<u64>,
    ) -> ::core::result::Result<shop::T, ::std::string::String> {
        ::core::result::Result::Ok(t)
    }

    async fn nothing(&self) {}

    async fn alias(&self) -> MyResult<u64> {
        ::core::result::Result::Err(1)
    }
}

fn main() {
    let _ = shop::ShopDispatcher::new(Mine);
    let shop = shop::ShopClient::SERVICE;
    ::core::assert_eq!(shop.methods.len(), 3);
}
