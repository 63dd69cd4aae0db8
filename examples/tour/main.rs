//! A bank in one process, its client in another, TCP between them, and what happens when things go wrong.
//!
//! ```text
//! cargo run --example tour                  imports examples/data/transactions.csv
//! cargo run --example tour -- mine.csv      imports a file of yours: id,from,to,cents,date,text
//! ```
//!
//! The program starts itself again with `--serve` to be the server. `service.rs` is what both have in common.

#![allow(unreachable_pub, reason = "what is public in a module is so for its neighbours")]

mod cable;
mod client;
mod process;
mod rows;
mod server;
mod service;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "usage: tour [FILE.csv]";
const DEFAULT_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/transactions.csv");

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tour: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    match arguments.as_slice() {
        [] => client::run(DEFAULT_FILE.as_ref()).await,
        [argument] if argument.as_os_str() == "--serve" => server::run().await,
        [argument] if argument.to_string_lossy().starts_with('-') => Err(USAGE.into()),
        [file] => client::run(file).await,
        _ => Err(USAGE.into()),
    }
}
