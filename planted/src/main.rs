//! Plants bugs, one at a time, and sees to it that each is caught.
//!
//! ```text
//! cargo run -p vox-planted                 every bug
//! cargo run -p vox-planted -- digest       those whose title says so
//! cargo run -p vox-planted -- 1/2          the first half of them
//! cargo run -p vox-planted -- --list       their titles
//! ```
//!
//! The bugs are in [`bugs.txt`](../bugs.txt): what in which file is replaced by what, and which tests must fail then. They
//! are planted in a copy of the sources under `target/planted`, so nothing of one's own is touched. A bug that no test
//! catches, that does not compile, or whose place in the sources is gone fails the run.

mod bug;
mod copy;
mod timed;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use bug::Bug;

/// How long the tests of one bug may take. A bug that keeps them from ending is caught: the longest take a minute on a busy machine.
const TEST_TIME: Duration = Duration::from_secs(300);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<bool, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut bugs = bug::parse(include_str!("../bugs.txt"))?;
    match arguments.first().map(String::as_str) {
        Some("--list") => {
            bugs.iter().for_each(|bug| println!("{}", bug.title));
            return Ok(true);
        }
        Some(share) if let Some(range) = share_of(share, bugs.len()) => bugs = bugs.drain(range).collect(),
        Some(part) => bugs.retain(|bug| bug.title.contains(part)),
        None => {}
    }
    let garden = root.join("target/planted");
    copy::mirror(&root, &garden)?;
    let sound: Vec<&str> = bugs.iter().map(|bug| bug.test.as_str()).collect();
    check_sound(&garden, &sound)?;
    let mut caught = 0;
    for bug in &bugs {
        let began = Instant::now();
        let verdict = plant(&root, &garden, bug);
        let took = began.elapsed().as_secs();
        match verdict {
            Ok(by) => {
                caught += 1;
                println!("caught  {}  ({took} s)\n        {by}", bug.title);
            }
            Err(why) => println!("MISSED  {}  ({took} s)\n        {why}", bug.title),
        }
    }
    println!("{caught} of {} planted bugs were caught", bugs.len());
    Ok(caught == bugs.len())
}

/// The places of the bugs of a share, as `1/2` is the first half. `None`: that is no share.
fn share_of(share: &str, bugs: usize) -> Option<Range<usize>> {
    let (number, of) = share.split_once('/')?;
    let (number, of): (usize, usize) = (number.parse().ok()?, of.parse().ok()?);
    (1..=of).contains(&number).then(|| bugs * (number - 1) / of..bugs * number / of)
}

/// Without any bug the tests pass: else whatever they say later means nothing.
fn check_sound(garden: &Path, tests: &[&str]) -> Result<(), String> {
    let mut tests = tests.to_vec();
    tests.sort_unstable();
    tests.dedup();
    for test in tests {
        if let Outcome::Failed(how) | Outcome::DoesNotBuild(how) = try_test(garden, test)? {
            return Err(format!("`{test}` fails with nothing planted: {how}"));
        }
    }
    Ok(())
}

/// Plants a bug, runs its test, and takes the bug out again. `Ok` says what caught it.
fn plant(root: &Path, garden: &Path, bug: &Bug) -> Result<String, String> {
    let sound = read(&root.join(&bug.file))?;
    match sound.matches(&bug.sound).count() {
        1 => {}
        n => return Err(format!("its place is in {} {n} times, not once", bug.file)),
    }
    let place = garden.join(&bug.file);
    write(&place, &sound.replacen(&bug.sound, &bug.planted, 1))?;
    let outcome = try_test(garden, &bug.test);
    write(&place, &sound)?;
    match outcome? {
        Outcome::Failed(how) => Ok(how),
        Outcome::Passed => Err(format!("`{}` passes with it", bug.test)),
        Outcome::DoesNotBuild(how) => Err(format!("it does not compile: {how}")),
    }
}

enum Outcome {
    Passed,
    /// The first thing that a test said.
    Failed(String),
    DoesNotBuild(String),
}

/// Runs `cargo test` with these arguments in the copy. Building comes first, so that only the tests have their time.
fn try_test(garden: &Path, test: &str) -> Result<Outcome, String> {
    let built = timed::run(&mut cargo_test(garden, &["--no-run"], test), None)?;
    if !built.success {
        return Ok(Outcome::DoesNotBuild(first_line(&built.errors, "error").unwrap_or("no error").to_owned()));
    }
    let ran = timed::run(&mut cargo_test(garden, &[], test), Some(TEST_TIME))?;
    Ok(match (ran.success, ran.in_time) {
        (true, _) => Outcome::Passed,
        (false, true) => Outcome::Failed(first_failure(&ran.said, &ran.errors)),
        (false, false) => Outcome::Failed(format!("a test has not ended within {} s", TEST_TIME.as_secs())),
    })
}

fn cargo_test(garden: &Path, options: &[&str], test: &str) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.arg("test").args(options).args(test.split_whitespace()).current_dir(garden);
    command.env("CARGO_TARGET_DIR", garden.join("target"));
    // Nobody but this run decides how many seeds there are.
    command.env_remove("VOX_SEED").env_remove("VOX_SEEDS");
    command
}

/// What the first panic says, or failing that the name of a test.
fn first_failure(said: &str, errors: &str) -> String {
    let all = || said.lines().chain(errors.lines());
    let mut lines = all().skip_while(|line| !(line.starts_with("thread '") && line.contains("panicked at")));
    if let (Some(_), Some(message)) = (lines.next(), lines.next()) {
        return message.trim().chars().take(160).collect();
    }
    all().find(|line| line.ends_with("FAILED")).unwrap_or("a test failed").to_owned()
}

fn first_line<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    text.lines().find(|line| line.starts_with(start))
}

fn read(path: &PathBuf) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &PathBuf, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_together_are_all_bugs_and_each_is_in_one() {
        for of in 1..9 {
            let shares = (1..=of).map(|number| share_of(&format!("{number}/{of}"), 337).expect("a share"));
            assert_eq!(shares.flatten().collect::<Vec<_>>(), (0..337).collect::<Vec<_>>());
        }
        for wrong in ["0/2", "3/2", "1/0", "digest", "a/b"] {
            assert_eq!(share_of(wrong, 337), None, "{wrong}");
        }
    }
}
