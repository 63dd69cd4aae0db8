//! Tuples, the empty one and nested ones.

#[vox::service]
pub trait Pairs {
    async fn swap(&self, pair: (u64, String)) -> (String, u64);
    async fn nested(&self, all: ((u8, u8), (bool,), ())) -> Result<(u8, (u8, u8)), (u16, String)>;
    async fn nothing(&self, nothing: ()) -> ();
}

struct Mine;

impl Pairs for Mine {
    async fn swap(&self, (number, text): (u64, String)) -> (String, u64) {
        (text, number)
    }
    async fn nested(&self, (two, _, ()): ((u8, u8), (bool,), ())) -> Result<(u8, (u8, u8)), (u16, String)> {
        Ok((0, two))
    }
    async fn nothing(&self, (): ()) {}
}

fn main() {
    let _ = PairsDispatcher::new(Mine);
    assert_eq!(PairsClient::SERVICE.check(), Ok(()));
}
