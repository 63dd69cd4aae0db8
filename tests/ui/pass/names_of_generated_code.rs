//! Services, methods and arguments that are called like what the expansion writes.

#![deny(warnings)]

#[vox::service]
pub trait H {
    async fn clone(&self, __vox_handler: u64, handler: u64, __vox: u64) -> u64;
    async fn caller(&self, caller: u64, method: &str, slot: &[u8]) -> u64;
    async fn from_caller(&self) -> u64;
    async fn fmt(&self, f: u64) -> u64;
    async fn new(&self) -> u64;
    async fn from_arc(&self) -> u64;
    async fn service(&self) -> u64;
    async fn dispatch(&self, call: u64, answer: u64) -> u64;
    async fn drop(&self) -> u64;
    async fn into_future(&self) -> u64;
}

#[vox::service]
pub trait Client {
    async fn get(&self) -> u64;
}

#[vox::service]
pub trait Dispatcher {
    async fn get(&self) -> u64;
}

#[vox::service]
pub trait Send {
    async fn get(&self) -> u64;
}

#[vox::service]
pub trait Wire {
    async fn get(&self) -> u64;
}

struct Mine;

impl H for Mine {
    async fn clone(&self, __vox_handler: u64, handler: u64, __vox: u64) -> u64 {
        __vox_handler + handler + __vox
    }
    async fn caller(&self, caller: u64, method: &str, slot: &[u8]) -> u64 {
        caller + (method.len() + slot.len()) as u64
    }
    async fn from_caller(&self) -> u64 {
        1
    }
    async fn fmt(&self, f: u64) -> u64 {
        f
    }
    async fn new(&self) -> u64 {
        1
    }
    async fn from_arc(&self) -> u64 {
        1
    }
    async fn service(&self) -> u64 {
        1
    }
    async fn dispatch(&self, call: u64, answer: u64) -> u64 {
        call + answer
    }
    async fn drop(&self) -> u64 {
        1
    }
    async fn into_future(&self) -> u64 {
        1
    }
}

fn main() {
    let _ = HDispatcher::new(Mine);
    assert_eq!(HClient::SERVICE.methods.len(), 10);
}
