//! Types of the user that are called like those of the prelude.

#![allow(dead_code)]

#[derive(Debug, facet::Facet)]
pub struct Option {
    pub number: u64,
}

#[derive(Debug, facet::Facet)]
pub struct Vec {
    pub text: ::std::string::String,
}

#[derive(Debug, facet::Facet)]
pub struct String(pub u8);

pub struct Ok;
pub struct Err;
pub struct Some;
pub struct None;
pub trait Clone {}
pub trait Send {}
pub trait Future {}

#[vox::service]
pub trait Files {
    async fn open(&self, option: Option, vec: Vec, text: &str, bytes: &[u8]) -> String;
    async fn fallible(&self) -> Result<Vec, Option>;
    async fn lent(&self) -> &str;
}

fn main() {
    assert_eq!(FilesClient::SERVICE.check(), ::std::result::Result::Ok(()));
}
