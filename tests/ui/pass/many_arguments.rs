//! More arguments than a tuple may have.

#[vox::service]
pub trait Wide {
    async fn wide(
        &self,
        a: u8, b: u16, c: u32, d: u64, e: i8, f: i16, g: i32, h: i64, i: bool, j: char, k: f32, l: f64, m: String,
        n: Vec<u8>, o: Option<u8>, p: (u8, u8), q: [u8; 2], r: u128,
    ) -> u64;
}

fn main() {
    assert_eq!(WideClient::SERVICE.methods[0].args.len(), 18);
    assert_eq!(WideClient::SERVICE.check(), Ok(()));
}
