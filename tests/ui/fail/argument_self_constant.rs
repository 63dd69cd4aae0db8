//! An argument whose length is a constant of the implementation.

pub trait Sized {
    const SIDE: usize;
}

#[vox::service]
pub trait Files: self::Sized {
    async fn open(&self, name: [u8; Self::SIDE]) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
