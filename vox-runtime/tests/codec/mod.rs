//! One room per subject; `support` has the helpers that all of them call.

mod support;

mod table;
mod types;
