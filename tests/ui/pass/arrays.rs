//! Arrays, of constants and of other types.

#![allow(unused_braces)]

const SIDE: usize = 3;

#[vox::service]
pub trait Grid {
    async fn hash(&self, text: [u8; 32]) -> [u8; SIDE];
    async fn rows(&self, cells: [[u16; SIDE]; { SIDE + 1 }]) -> Result<[String; 2], [u8; 4]>;
}

struct Mine;

impl Grid for Mine {
    async fn hash(&self, text: [u8; 32]) -> [u8; SIDE] {
        [text[0]; SIDE]
    }
    async fn rows(&self, _: [[u16; SIDE]; 4]) -> Result<[String; 2], [u8; 4]> {
        Err([0; 4])
    }
}

fn main() {
    let _ = GridDispatcher::new(Mine);
    assert_eq!(GridClient::SERVICE.check(), Ok(()));
}
