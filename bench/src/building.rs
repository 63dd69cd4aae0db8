//! What the least program costs to build: from nothing in release mode, how many crates, how large it is, and that it runs.
//!
//! The programs are in `hello/`, a workspace of its own. What they cost to check again is `bench-macro check`'s affair.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::command::Options;
use crate::contender::Fault;
use crate::json;

/// The programs, by directory.
const PROGRAMS: [&str; 8] = ["vox", "tarpc", "tonic", "capnp-rpc", "irpc", "remoc", "jsonrpsee", "vox-0.4.0"];

/// Builds all of them, or those that are named, one after the other.
pub(crate) fn run(mut options: Options) -> Result<(), Fault> {
    println!("{:<12} {:>9} {:>9} {:>7} {:>10} {:>10}", "hello", "cpu, s", "wall, s", "crates", "bytes", "stripped");
    for program in PROGRAMS {
        if !options.words.is_empty() && !options.words.iter().any(|word| word == program) {
            continue;
        }
        let package = format!("hello-{}", program.replace('.', "-"));
        // Fetched beforehand, so that the network is not measured.
        cargo(&package, &["fetch"], false)?;
        let target = target(&package);
        if target.exists() {
            fs::remove_dir_all(&target)?;
        }
        let (began, spent) = (Instant::now(), spent_by_children());
        cargo(&package, &["build", "--release", "--offline"], true)?;
        let (wall, cpu) = (began.elapsed().as_secs_f64(), (spent_by_children() - spent).as_secs_f64());
        let binary = target.join("release").join(&package);
        let said = Command::new(&binary).output()?;
        if said.stdout != b"Hello, world!\n" {
            return Err(format!("{program} says {}", String::from_utf8_lossy(&said.stderr)).into());
        }
        let bytes = fs::metadata(&binary)?.len();
        let stripped =
            if Command::new("strip").arg(&binary).status()?.success() { fs::metadata(&binary)?.len() } else { 0 };
        let crates = crates(&package)?;
        println!("{program:<12} {cpu:>9.1} {wall:>9.1} {crates:>7} {bytes:>10} {stripped:>10}");
        let numbers = [
            ("cpu_s", cpu),
            ("wall_s", wall),
            ("crates", crates as f64),
            ("bytes", bytes as f64),
            ("stripped", stripped as f64),
        ];
        options.write(&json::line(&[("build", "hello"), ("contender", program)], &numbers))?;
        fs::remove_dir_all(&target)?;
    }
    Ok(())
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("hello")
}

fn target(package: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/hello").join(package)
}

/// Runs cargo in the workspace of the programs.
fn cargo(package: &str, arguments: &[&str], of_package: bool) -> Result<Output, Fault> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(arguments).current_dir(workspace());
    // What the cargo that runs this program says of itself.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_") && name != "CARGO_HOME" {
            cargo.env_remove(name);
        }
    }
    if of_package {
        cargo.args(["--package", package]);
    }
    let output = cargo.env("CARGO_TARGET_DIR", target(package)).output()?;
    match output.status.success() {
        true => Ok(output),
        false => Err(String::from_utf8_lossy(&output.stderr).into()),
    }
}

/// How many crates are built for a program, itself apart, those for its build scripts among them.
fn crates(package: &str) -> Result<usize, Fault> {
    let edges = ["tree", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"];
    let text = String::from_utf8(cargo(package, &edges, true)?.stdout)?;
    let names: BTreeSet<&str> = text.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    Ok(names.len() - 1)
}

/// The processor's time, in user mode, of all processes that this one has started and that are done.
fn spent_by_children() -> Duration {
    // SAFETY: `rusage` is made of numbers, for which zero is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live `rusage`, which is all that the call writes to.
    unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage) };
    let time = usage.ru_utime;
    Duration::new(time.tv_sec.unsigned_abs(), 1_000 * u32::try_from(time.tv_usec).unwrap_or(0))
}
