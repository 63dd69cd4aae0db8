//! A ledger that survives: transfers that are done once, whatever is killed or cut meanwhile.
//!
//! ```text
//! cargo run --features sqlite --example bank                          1,000 transfers, from transfers.csv
//! cargo run --features sqlite --example bank -- mine.csv              those of a file of yours: id,from,to,cents
//! cargo run --features sqlite --example bank -- --chaos               the same, while processes are killed and links cut
//! cargo run --features sqlite --example bank -- --chaos --apart       with the effect and the outcome in two transactions
//! ```
//!
//! `--server-kills N` and `--client-kills N` say how often the server and the client are killed at least (20 and 10),
//! `--seed N` when. Both ends with an audit of the database against what the client was told.
//!
//! The program starts itself again to be the server and the client. `service.rs` is what both have in common, `teller.rs`
//! serves it on an SQLite database, `client.rs` runs the list and keeps a journal, so that a client that was killed
//! goes on under the same operation ids. `chaos.rs` does the killing.

#![allow(unreachable_pub, reason = "what is public in a module is so for its neighbours")]

mod audit;
mod chaos;
mod client;
mod journal;
mod ledger;
mod options;
mod orders;
mod process;
mod proxy;
mod service;
mod teller;

use std::error::Error;
use std::process::ExitCode;

use options::Options;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bank: {error}");
            ExitCode::FAILURE
        }
    }
}

/// `false`: the audit found something.
fn run() -> Result<bool, Box<dyn Error>> {
    let options = Options::read(std::env::args().skip(1))?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        match options {
            Options::Serve { database } => teller::serve(&database).await.map(|()| true),
            Options::Call { address, orders, journal, way } => {
                client::run(&address, &orders, &journal, way).await.map(|()| true)
            }
            Options::Run(plan) => chaos::run(plan).await,
        }
    })
}
