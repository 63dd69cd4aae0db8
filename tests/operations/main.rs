//! What operations promise, end to end, through the public API: who runs, who attaches, who is told what, and what a store has
//! to do with it. One module per part of the promise.

#![allow(unreachable_pub, reason = "modules of a test share what they have in common")]

#[path = "../support/mod.rs"]
mod support;

mod attempts;
mod clocks;
mod document;
mod keeping;
mod lab;
mod principals;
mod refusals;
mod scripted;
mod shares;
mod stores;
mod unnamed;
mod versions;
mod volatile;
