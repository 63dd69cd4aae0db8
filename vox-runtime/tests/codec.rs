//! The codec against serde and postcard, and against hostile bytes.

#[path = "codec/mod.rs"]
mod codec;
