//! What calls, channels and sessions do, end to end, through the public API. One module per behaviour.

#![allow(unreachable_pub, reason = "modules of a test share what they have in common")]

#[path = "../support/mod.rs"]
mod support;

mod cancelling;
mod channels;
mod closing;
mod containment;
mod crowds;
mod dialling;
mod elsewhere;
mod ends;
mod errors;
mod futures;
mod identity;
mod inline_reads;
mod lab;
mod limits;
mod links;
mod local;
mod long;
mod losing;
mod moving;
mod offers;
mod outage_lines;
mod outages;
mod outcomes;
mod panics;
mod printed;
mod resuming;
mod runs;
mod secrets;
mod serving;
mod sessions;
mod shares;
#[cfg(unix)]
mod sockets;
mod sparse;
mod stealing;
mod turns;
mod untaken;
mod waiting;
mod warnings;
