//! What is legal Rust and seldom written.

#![deny(warnings)]
#![allow(unused_parens)]

use std::marker::PhantomData;

use vox::service;

mod deep {
    pub mod deeper {
        #[vox::service()]
        pub(in crate::deep) trait Deep {
            async fn get(&self) -> u64;
        }
        pub(super) fn client(client: DeepClient) -> vox::Call<u64, vox::Never> {
            client.get()
        }
    }
    pub(crate) fn names() -> &'static str {
        let _ = deeper::client;
        deeper::DeepClient::SERVICE.name
    }
}

/// Included, computed and quoted documentation.
#[doc = include_str!("../../../rustfmt.toml")]
#[service(name = r"odd.Forms",)]
#[deprecated = "it is odd"]
pub trait Forms: 'static + Sync + ::core::marker::Send + AsRef<[u8]> + for<'a> PartialEq<&'a str> {
    /// Says "it", a \ and `{}`.
    #[must_use]
    #[vox(name = r#"un"#, timeout = "2 s",)]
    async fn unit(&self,) -> ();
    #[must_use = "because"]
    async fn nested_unit(&self, one: ((())), two: (), three: [(); 3],) -> (((), ()));
    async fn functions(&self, of: PhantomData<for<'a> fn(&'a u8) -> &'a u8>, raw: PhantomData<unsafe extern "C" fn(u8)>);
    async fn results(&self, of: Result<u64, Result<(), ()>>) -> Option<Result<Result<(), ()>, u64>>;
    async fn qualified(&self, of: <Vec<u64> as ::core::iter::IntoIterator>::Item) -> <u8 as Doubled>::Twice;
    async fn array(&self, of: [u8; { const N: usize = 2; N * 2 }]) -> [u8; 1 + 1];
    async fn tuple(&self, of: (u8,),) -> (u8,);
    async fn mutable(&self, mut r#mut: u64) -> ::core::result::Result<(u64), (String)>;
}

pub trait Doubled {
    type Twice;
}

impl Doubled for u8 {
    type Twice = u16;
}

/// No methods, in braces that hold nothing but this: `/* */`.
#[service]
trait Empty {
    // Nothing.
}

const _: () = {
    #[service]
    trait InConst {
        async fn get(&self) -> u64;
    }
};


fn main() {
    assert_eq!(deep::names(), "Deep");
    assert_eq!(EmptyClient::SERVICE.methods.len(), 0);
    #[allow(deprecated)]
    let service = FormsClient::SERVICE;
    assert_eq!((service.name, service.methods[0].name), ("odd.Forms", "un"));
    assert_eq!(service.methods[0].docs, "Says \"it\", a \\ and `{}`.");
}
