//! Errors say who is at fault: the application, the peer, this end's user, the link, or nobody knows. One file for each.

mod cause;
mod clocks;
mod end_reason;
mod method;
mod not_sent;
mod place;
mod ran;
mod refusal;
mod shortage;
mod violation;
mod vox_error;
mod with_place;

pub use cause::Cause;
pub use clocks::Clocks;
pub use end_reason::EndReason;
pub use method::{MethodError, Never};
pub use not_sent::NotSent;
pub use place::{Place, Reason};
pub use ran::Ran;
pub use refusal::{Refusal, RefusalCode};
pub use shortage::Shortage;
pub(crate) use shortage::{Scarce, Short};
pub use violation::{ProtocolViolation, Rule};
pub use vox_error::VoxError;
pub use with_place::CallError;
