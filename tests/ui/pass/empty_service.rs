//! A service without methods.

#![deny(warnings)]

#[vox::service]
pub trait Nothing {}

struct Mine;

impl Nothing for Mine {}

fn main() {
    let _ = NothingDispatcher::new(Mine);
    assert!(NothingClient::SERVICE.methods.is_empty());
}
