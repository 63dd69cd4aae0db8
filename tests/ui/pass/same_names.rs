//! Several services in one module that have the same methods.

#[vox::service]
pub trait First {
    async fn get(&self, key: String) -> Result<u64, String>;
}

#[vox::service]
pub trait Second {
    async fn get(&self, key: String) -> Result<u64, String>;
}

struct Both;

impl First for Both {
    async fn get(&self, key: String) -> Result<u64, String> {
        Second::get(self, key).await
    }
}

impl Second for Both {
    async fn get(&self, key: String) -> Result<u64, String> {
        Err(key)
    }
}

fn main() {
    let _ = (FirstDispatcher::new(Both), SecondDispatcher::new(Both));
    assert_ne!(FirstClient::SERVICE.methods[0].id, SecondClient::SERVICE.methods[0].id);
}
