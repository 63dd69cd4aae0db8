//! An alias of a trait.

#[vox::service]
pub trait Files = Clone;

fn main() {}
