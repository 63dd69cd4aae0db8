//! The driver runtime of vox: a pure protocol core in a thin tokio shell.
//!
//! Users depend on the facade crate `vox`, which re-exports what is theirs. The rooms, and which way
//! imports point, are described in `ARCHITECTURE.md`.

pub mod codec;
mod descriptor;
mod error;
mod ids;
mod limits;
mod metadata;
mod proto;
mod wire;
