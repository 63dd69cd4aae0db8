//! Measures vox side by side with a bare echo and a bare multiplexer. `docs/performance.md` says what came of it.
//!
//! ```text
//! cargo run --release -p vox-bench -- s1              one cell, and s1-two and so on with it
//! cargo run --release -p vox-bench -- all             everything
//! cargo run --release -p vox-bench -- resume          from a cut link to the next reply
//! cargo run --release -p vox-bench -- s1 --rounds 21 --only raw,vox --out figures.jsonl
//! ```

mod contender;
mod contenders;
mod measure;
mod resume;
mod runner;
mod scenario;

use std::io::Write;
use std::process::ExitCode;

use contender::{Fault, Link};
use scenario::{SCENARIOS, Scenario};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.first().map(String::as_str) {
        // What the other process is started with.
        Some("serve") => serve(&arguments[1..]),
        Some("resume") => resume::run(),
        _ => Options::read(&arguments).and_then(measure),
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
    scenarios: Vec<Scenario>,
    rounds: usize,
    only: Option<Vec<String>>,
    out: Option<String>,
    quick: bool,
}

impl Options {
    fn read(arguments: &[String]) -> Result<Self, Fault> {
        let mut options = Self { scenarios: Vec::new(), rounds: 11, only: None, out: None, quick: false };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--rounds" => options.rounds = value()?.parse::<usize>()?.max(1),
                "--only" => options.only = Some(value()?.split(',').map(str::to_owned).collect()),
                "--out" => options.out = Some(value()?.clone()),
                "--quick" => options.quick = true,
                name => options.scenarios.extend(cells(name)?),
            }
        }
        if options.scenarios.is_empty() {
            options.scenarios = cells("s1")?;
        }
        Ok(options)
    }
}

/// `all`, one cell by its full name with a `=` before it, or every cell whose name begins so.
fn cells(name: &str) -> Result<Vec<Scenario>, Fault> {
    let chosen = |scenario: &&Scenario| match name.strip_prefix('=') {
        Some(exact) => scenario.name == exact,
        None => name == "all" || scenario.name == name || scenario.name.starts_with(&format!("{name}-")),
    };
    let cells: Vec<Scenario> = SCENARIOS.iter().filter(chosen).copied().collect();
    match cells.is_empty() {
        true => Err(format!(
            "no scenario `{name}`; there are: all, {}",
            SCENARIOS.iter().map(|scenario| scenario.name).collect::<Vec<_>>().join(", ")
        )
        .into()),
        false => Ok(cells),
    }
}

fn measure(options: Options) -> Result<(), Fault> {
    let mut contenders = contenders::all();
    if let Some(only) = &options.only {
        contenders.retain(|contender| only.iter().any(|name| name == contender.name()));
    }
    let mut out = options.out.map(std::fs::File::create).transpose()?;
    for scenario in options.scenarios {
        let table = runner::run(scenario, &contenders, options.rounds, options.quick)?;
        println!("{table}");
        if let Some(out) = &mut out {
            out.write_all(table.json_lines().as_bytes())?;
        }
    }
    Ok(())
}

/// The other process: serves until its standard input ends, so it never outlives who started it.
fn serve(arguments: &[String]) -> Result<(), Fault> {
    let [name, link] = arguments else { return Err("serve <contender> <tcp|unix>".into()) };
    let link = match link.as_str() {
        "tcp" => Link::Tcp,
        "unix" => Link::Unix,
        other => return Err(format!("no link `{other}`").into()),
    };
    let contenders = contenders::all();
    let contender =
        contenders.iter().find(|contender| contender.name() == name).ok_or_else(|| format!("no contender `{name}`"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        println!("{}", contender.serve(link).await?);
        let (over, ended) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            let _ = over.send(());
        });
        ended.await?;
        Ok(())
    })
}
