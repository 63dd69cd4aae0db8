//! RPC from an annotated Rust trait.

pub use vox_macros::service;
pub use vox_runtime::*;
