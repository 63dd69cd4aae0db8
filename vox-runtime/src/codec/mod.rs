//! Values to bytes and back.
//!
//! The bytes are exactly those of serde with `postcard` 1.1; the types are described by facet's
//! `Shape`s, which are compiled once into flat [`Program`]s. This room owns the encoding of user
//! types, the budget that a message may cost its reader, and the hook by which channels inside
//! values are given away and taken. It never does IO, and never trusts a byte it reads.
//!
//! A value enters through [`Plan::encode`], which appends it to an [`Encoder`], and leaves through
//! [`Plan::decode`], which takes it from a [`Decoder`]. Arguments of a method are encoded one after
//! the other, each by its own plan: that is postcard's encoding of a tuple.
//!
//! The way from a type to its bytes, each in a room of its own:
//!
//! 1. `description` reads facet's shape into the codec's own description, and refuses what it does
//!    not know. It is the only one to know facet.
//! 2. `compiler` compiles a description into a `program`: blocks of flat operations.
//!    `translation` does so for values that another version of the type wrote, by its schema.
//! 3. `execute` runs them over raw memory. With `leaf`, whose types are encoded by safe code, and
//!    the function tables of `description`, it has all the `unsafe` there is.
//!
//! Decoding is owned: a shape cannot tell `&'static str` from a shorter borrow, so references are
//! refused. What would be copied for nothing is had as `Bytes` and `ByteString`, slices of the
//! frame.
//!
//! A panic in the `Hash`, `Eq` or `Ord` of a key type, while a map or set is being decoded, aborts
//! the process: facet builds collections through functions that cannot unwind.

mod budget;
mod channels;
mod charge;
mod compiler;
mod counterparts;
mod decoder;
mod description;
mod encoder;
mod error;
#[allow(unsafe_code, reason = "runs programs over raw memory")]
mod execute;
mod leaf;
mod lent_bytes;
mod measure;
#[allow(unsafe_code, reason = "a program is run for the type that it was compiled for")]
mod plan;
mod program;
mod skips;
mod translation;
mod varint;
mod weight;

pub use budget::Budget;
pub(crate) use channels::{ChannelDecoder, ChannelEncoder, ChannelKind, channel_shape, evident_channel};
pub(crate) use counterparts::items_beside;
pub use decoder::Decoder;
pub use description::schema_of;
pub(crate) use description::{NamedTypes, response_type_of, type_of};
pub(crate) use description::{names_in, names_in_response};
pub use encoder::Encoder;
pub use error::{DecodeError, DecodeErrorKind, EncodeError, PlanError};
pub(crate) use leaf::Rest;
#[cfg(test)]
pub(crate) use leaf::names as leaf_names;
pub(crate) use lent_bytes::LONG;
pub(crate) use measure::check_cost_of;
pub use plan::Plan;
pub(crate) use plan::read_as;
pub use program::Program;
pub(crate) use skips::{Lens, Passing};
pub(crate) use translation::{Translation, translation_of};
pub(crate) use varint::{unzigzag128 as unzigzag, zigzag128 as zigzag};
pub(crate) use weight::{ALLOCATION, Weight, many};
