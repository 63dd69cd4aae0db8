//! (under construction)

pub mod codec;
