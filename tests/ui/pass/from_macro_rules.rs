//! A service written by another macro: names, types and options arrive in invisible groups.

macro_rules! store {
    ($(#[$attr:meta])* $vis:vis $name:ident, $key:ty, $value:ty, $text:ty, $timeout:literal) => {
        $(#[$attr])*
        #[vox::service]
        $vis trait $name {
            #[vox(idem, timeout = $timeout)]
            async fn get(&self, key: $key, hint: $text) -> Result<$value, String>;
            async fn all(&self, rows: vox::Tx<$value>) -> $value;
        }
    };
}

store!(
    /// Numbers by name.
    pub Numbers, String, u64, &str, "5s"
);

struct Mine;

impl Numbers for Mine {
    async fn get(&self, key: String, hint: &str) -> Result<u64, String> {
        Ok((key.len() + hint.len()) as u64)
    }
    async fn all(&self, _rows: vox::Tx<u64>) -> u64 {
        0
    }
}

fn main() {
    let _ = NumbersDispatcher::new(Mine);
    assert_eq!(NumbersClient::SERVICE.docs, "Numbers by name.");
    assert_eq!(NumbersClient::SERVICE.methods[0].args[1].shape, <String as facet::Facet>::SHAPE);
}
