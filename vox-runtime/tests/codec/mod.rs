//! One room per subject; `support` has the helpers that all of them call.

mod support;

mod differential;
mod drops;
mod every;
#[cfg(feature = "foreign-oracle")]
mod foreign;
mod hostile;
mod json;
mod limits;
mod memory;
mod refusals;
mod table;
mod types;
