//! `vox`: calls any service that describes itself from a shell.
//!
//! ```text
//! vox list tcp://127.0.0.1:9000
//! vox describe tcp://127.0.0.1:9000 Bank
//! vox call tcp://127.0.0.1:9000 Bank.transfer order.from=7 order.to=9 order.amount=100
//! ```
//!
//! [`docs/cli.md`](../../docs/cli.md) says what each command does, and what its exit status means.

mod arguments;
mod call;
mod connection;
mod failure;
mod services;
mod streams;
mod text;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::connection::Target;
use crate::failure::Failure;

/// Calls any vox service that describes itself.
#[derive(Parser)]
#[command(name = "vox", version, arg_required_else_help = true, after_help = EXIT_STATUS)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_STATUS: &str = "\
Exit status, which says whether the call ran:
  0    it ran and returned a value
  1    it ran and returned the method's own error
  2    the command is wrong, and nothing was sent
  3    it did not run
  4    it may have run
  5    it ran, and its answer cannot be read
  6    there is no connection
  130  it was interrupted";

#[derive(Subcommand)]
enum Command {
    /// Lists the services at an address
    List {
        #[command(flatten)]
        target: Target,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Shows the methods of a service, with their types
    Describe {
        #[command(flatten)]
        target: Target,
        /// A service, or a method as `Service.method`; without it, all there is
        name: Option<String>,
    },
    /// Calls a method
    Call(call::Arguments),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::Usage(format!("there is no runtime: {error}")).report(),
    };
    let done = runtime.block_on(async {
        tokio::select! {
            biased;
            done = run(cli.command) => done,
            _ = tokio::signal::ctrl_c() => Err(Failure::Interrupted),
        }
    });
    // A read of standard input that has begun cannot be taken back, and is not waited for.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::List { target, json } => services::list(&target, json).await,
        Command::Describe { target, name } => services::describe(&target, name.as_deref()).await,
        Command::Call(arguments) => call::call(arguments).await,
    }
}
