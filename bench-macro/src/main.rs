//! The macro of vox side by side with those of tarpc, remoc and jsonrpsee. `docs/service-macro.md` has the figures.
//!
//! ```text
//! cargo run -p bench-macro -- errors             the same mistakes in each: how many errors, of how many lines
//! cargo run -p bench-macro -- errors --show      with every message
//! cargo run -p bench-macro -- check              `cargo check` of the same trait of 50 methods in each
//! cargo run -p bench-macro -- check --keep       without building everything from nothing first
//! cargo run -p bench-macro -- check --methods 300 --rounds 5 --only vox,tarpc
//! ```
//!
//! The other crates are dependencies of the workspace in `peers/` alone, which nothing else builds. Sources are written into
//! `peers/generated/`, and what is compiled lands in `target/bench-macro`.

mod check;
mod errors;
mod mistakes;
mod peers;
mod service;

use std::process::ExitCode;

use peers::{Fault, Peer};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((command, rest)) if command == "errors" => Options::read(rest).and_then(|options| errors::run(&options)),
        Some((command, rest)) if command == "check" => Options::read(rest).and_then(|options| check::run(&options)),
        _ => Err("say `errors` or `check`".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

struct Options {
    show: bool,
    keep: bool,
    methods: usize,
    rounds: usize,
    only: Option<Vec<String>>,
}

impl Options {
    fn read(arguments: &[String]) -> Result<Self, Fault> {
        let mut options = Self { show: false, keep: false, methods: 50, rounds: 7, only: None };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--show" => options.show = true,
                "--keep" => options.keep = true,
                "--methods" => options.methods = value()?.parse()?,
                "--rounds" => options.rounds = value()?.parse::<usize>()?.max(1),
                "--only" => options.only = Some(value()?.split(',').map(str::to_owned).collect()),
                _ => return Err(format!("unknown option {argument}").into()),
            }
        }
        Ok(options)
    }

    /// Those of `all` that are asked for.
    fn chosen(&self, all: &[Peer]) -> Vec<Peer> {
        let is_chosen = |peer: &Peer| self.only.as_ref().is_none_or(|only| only.iter().any(|name| name == peer.name()));
        all.iter().copied().filter(is_chosen).collect()
    }
}
