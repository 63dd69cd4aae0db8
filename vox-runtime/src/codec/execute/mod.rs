//! Runs programs over raw memory.
//!
//! Everything here trusts two things and nothing else: the program was compiled for the type that
//! the pointer points to, and facet's shape of that type is true. Bytes are never trusted.

mod decode;
mod encode;
mod scratch;

pub(super) use decode::decode;
pub(super) use encode::encode;
