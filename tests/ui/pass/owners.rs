//! Owned text and bytes of every kind, and `Cow<'static, …>`.

use std::borrow::Cow;
use std::sync::Arc;

#[vox::service]
pub trait Owners {
    async fn boxes(&self, number: Box<u64>, text: Box<str>) -> Box<[u8]>;
    async fn shared(&self, text: Arc<str>, bytes: Arc<[u8]>) -> Arc<u64>;
    async fn cows(&self, text: Cow<'static, str>) -> Result<Cow<'static, str>, String>;
}

fn main() {
    assert_eq!(OwnersClient::SERVICE.check(), Ok(()));
}
