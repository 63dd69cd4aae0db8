//! Several services in one module and in one function, with methods of the same names, and one type that serves them all.

#[vox::service]
pub trait First {
    async fn get(&self, key: String) -> Option<u64>;
    async fn put(&self, key: String, value: u64);
}

#[vox::service]
pub trait Second {
    async fn get(&self, key: String) -> Option<u64>;
    async fn put(&self, key: String, value: u64);
}

#[vox::service]
pub trait Empty {}

struct Mine;

impl First for Mine {
    async fn get(&self, _key: String) -> Option<u64> {
        None
    }
    async fn put(&self, _key: String, _value: u64) {}
}

impl Second for Mine {
    async fn get(&self, _key: String) -> Option<u64> {
        None
    }
    async fn put(&self, _key: String, _value: u64) {}
}

impl Empty for Mine {}

fn main() {
    #[vox::service]
    trait Local {
        async fn get(&self) -> u64;
    }
    impl Local for Mine {
        async fn get(&self) -> u64 {
            0
        }
    }
    let _ = (FirstDispatcher::new(Mine), SecondDispatcher::new(Mine), EmptyDispatcher::new(Mine), LocalDispatcher::new(Mine));
    assert_eq!(EmptyClient::SERVICE.methods.len(), 0);
    assert_eq!(LocalClient::SERVICE.methods.len(), 1);
    assert_ne!(FirstClient::SERVICE.methods[0].id, SecondClient::SERVICE.methods[0].id);
}
