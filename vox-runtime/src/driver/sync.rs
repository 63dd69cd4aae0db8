//! The locks and the atomic under which a call and the session's task hand the link to each other. In tests a model checker may look
//! at them.

#[cfg(not(test))]
pub(crate) use std::sync::atomic::AtomicU8;
#[cfg(not(test))]
pub(crate) use std::sync::{Mutex, MutexGuard};

#[cfg(test)]
pub(crate) use modelled::{AtomicU8, Mutex, MutexGuard};

#[cfg(test)]
pub(crate) mod modelled;
