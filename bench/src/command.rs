//! The command line.

use std::fs::File;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use crate::contender::{Contender, Fault};
use crate::runner::{self, Extent};
use crate::scenario::{Scenario, scenarios};
use crate::{building, instructions, lane, memory, methods, plot, resume, slow, sweep, translating, wan};

/// Runs what the command line says, with these contenders. The first is what the others are measured in.
pub fn main(contenders: Vec<Box<dyn Contender>>) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(contenders, &arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

fn run(contenders: Vec<Box<dyn Contender>>, arguments: &[String]) -> Result<(), Fault> {
    match arguments.split_first() {
        // What the other processes are started with.
        Some((command, rest)) if command == "serve" => lane::serve(&contenders, rest, || Ok(())),
        Some((command, rest)) if command == "serve-with-small-buffers" => {
            lane::serve(&contenders, rest, wan::send_little)
        }
        Some((command, rest)) if command == "memory-of" => memory::child(&contenders, rest),
        Some((command, rest)) if command == "operations" => instructions::child(&contenders, rest),
        Some((command, rest)) if command == "translating" => translating::child(rest),
        Some((command, rest)) if command == "instructions" => instructions::run(&contenders, rest),
        Some((command, _)) if command == "resume" => resume::run(),
        Some((command, rest)) if command == "slow" => slow::run(rest),
        Some((command, rest)) if command == "plot" => plot::run(rest),
        Some((command, rest)) if command == "memory" => memory::run(Options::read(contenders, rest)?),
        Some((command, rest)) if command == "build" => building::run(Options::read(contenders, rest)?),
        Some((command, rest)) if command == "wan-line" => wan::carry(rest),
        Some((command, rest)) if command == "wan" => wan::run(Options::read(contenders, rest)?),
        Some((command, rest)) if command == "sweep" => swept(Options::read(contenders, rest)?),
        _ => cells(Options::read(contenders, arguments)?),
    }
}

/// What the command line asks for.
pub(crate) struct Options {
    pub(crate) contenders: Vec<Box<dyn Contender>>,
    /// What is not an option.
    pub(crate) words: Vec<String>,
    pub(crate) extent: Extent,
    /// How long a stream over a network is.
    pub(crate) seconds: u64,
    out: Option<File>,
    /// What went wrong; the rest goes on.
    pub(crate) faults: Vec<String>,
}

impl Options {
    fn read(contenders: Vec<Box<dyn Contender>>, arguments: &[String]) -> Result<Self, Fault> {
        let extent = Extent { rounds: 11, batch: Duration::from_millis(100) };
        let mut options =
            Self { contenders, words: Vec::new(), extent, seconds: wan::SECONDS, out: None, faults: Vec::new() };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--rounds" => options.extent.rounds = value()?.parse::<usize>()?.max(1),
                "--batch" => options.extent.batch = Duration::from_millis(value()?.parse()?),
                "--quick" => options.extent = Extent { rounds: 3, batch: Duration::from_millis(5) },
                "--seconds" => options.seconds = value()?.parse::<u64>()?.max(1),
                "--only" => {
                    let names: Vec<&str> = value()?.split(',').collect();
                    options.contenders.retain(|contender| names.contains(&contender.name()));
                }
                "--out" => options.out = Some(File::options().create(true).append(true).open(value()?)?),
                unknown if unknown.starts_with("--") => return Err(format!("unknown option {unknown}").into()),
                word => options.words.push(word.to_owned()),
            }
        }
        if options.contenders.is_empty() {
            return Err("none of the contenders is called so".into());
        }
        Ok(options)
    }

    /// Fails if anything has.
    pub(crate) fn end(self) -> Result<(), Fault> {
        match self.faults.is_empty() {
            true => Ok(()),
            false => Err(self.faults.join("\n").into()),
        }
    }

    /// Adds lines to the file that was asked for, if one was.
    pub(crate) fn write(&mut self, lines: &str) -> Result<(), Fault> {
        match &mut self.out {
            Some(out) => Ok(out.write_all(lines.as_bytes())?),
            None => Ok(()),
        }
    }
}

fn cells(mut options: Options) -> Result<(), Fault> {
    let mut chosen = Vec::new();
    for word in &options.words {
        chosen.extend(named(word)?);
    }
    if chosen.is_empty() {
        return Err(format!("say which cells: all, {}", names().join(", ")).into());
    }
    for scenario in chosen {
        let table = runner::run(&scenario, &options.contenders, options.extent);
        println!("{table}");
        options.write(&table.json_lines())?;
        options.faults.extend(table.faults);
    }
    options.end()
}

fn swept(mut options: Options) -> Result<(), Fault> {
    for word in options.words.clone() {
        match word.as_str() {
            "all" => {
                for sweep in sweep::ALL {
                    sweep::run(sweep, &mut options)?;
                }
                methods::run(&mut options)?;
            }
            "methods" => methods::run(&mut options)?,
            name => sweep::run(name, &mut options)?,
        }
    }
    options.end()
}

/// `all`, one cell by its full name with a `=` before it, or every cell whose name begins so.
fn named(word: &str) -> Result<Vec<Scenario>, Fault> {
    let is_chosen = |scenario: &Scenario| match word.strip_prefix('=') {
        Some(exact) => scenario.name == exact,
        None => word == "all" || scenario.name == word || scenario.name.starts_with(&format!("{word}-")),
    };
    let cells: Vec<Scenario> = scenarios().into_iter().filter(is_chosen).collect();
    match cells.is_empty() {
        true => Err(format!("no cell `{word}`; there are: all, {}", names().join(", ")).into()),
        false => Ok(cells),
    }
}

fn names() -> Vec<String> {
    scenarios().into_iter().map(|scenario| scenario.name).collect()
}
