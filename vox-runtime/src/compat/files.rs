//! The snapshot of a service and its releases, as files.

use std::fmt::{self, Write};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::accepted::Date;
use super::report::{Judged, Release, Report, check};
use super::snapshot::Snapshot;
use crate::descriptor::ServiceDescriptor;

/// What makes the test write its snapshot in place of comparing with it.
const BLESS: &str = "VOX_BLESS";
/// Beside a snapshot: the directory of its releases.
const RELEASED: &str = "released";
/// How many releases are compared.
const MAX_RELEASES: usize = 1024;
/// How many bytes of a file are read.
const MAX_FILE: u64 = (1 << 20) + 1;

/// Why a service does not go with its snapshot.
#[derive(Debug)]
pub struct Failure(String);

impl std::error::Error for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What [`assert_compatible!`](crate::assert_compatible) does: compares a service with its releases and with its snapshot at `path`, which is looked for
/// below `root`. `bless`: writes the snapshot, if nothing breaks. Lines that accept breaks hold on the day `today`.
pub fn hold(
    service: &'static ServiceDescriptor,
    root: &Path,
    path: &Path,
    bless: bool,
    today: Date,
) -> Result<Report, Failure> {
    let file = root.join(path);
    let path = &path.display().to_string();
    let new = Snapshot::of(service).map_err(|error| Failure(error.to_string()))?;
    let name = new.service().to_owned();
    let how = format!("run `{BLESS}=1 cargo test` here, look at what it wrote, and commit it");
    let written = read(&file)?;
    if let Some((_, written)) = &written
        && written.service() != name
    {
        let other = written.service();
        return Err(Failure(format!(
            "{path} is of the service `{other}`, not of `{name}`: give each service a file of its own"
        )));
    }
    let mut releases = releases(&file, &name)?;
    // What is released is what counts; as long as nothing is, what is committed is.
    let is_released = !releases.is_empty();
    if !is_released {
        releases.extend(written.iter().map(|(_, snapshot)| Release { name: path.clone(), snapshot: snapshot.clone() }));
    }
    let accepting = written.as_ref().map_or(&new, |(_, snapshot)| snapshot);
    let report = check(&new, &releases, accepting, today);
    if !report.is_compatible() {
        return Err(broken(&report, &name, path, today));
    }
    let mut now = new;
    // What was accepted towards the snapshot itself is past once the snapshot is taken over.
    if let Some((_, written)) = written.as_ref().filter(|_| is_released) {
        now.accepted.clone_from(&written.accepted);
    }
    let now = now.to_string();
    match written {
        Some((text, _)) if text == now => Ok(report),
        _ if bless => write(&file, &now).map(|()| report),
        None => Err(Failure(format!("`{name}` has no snapshot yet: {path} is not there. To begin one, {how}."))),
        Some(_) => {
            let mut words = format!(
                "`{name}` is not what {path} says any more. Nothing breaks; to take the changes over, {how}.\n\n"
            );
            let _ = write!(words, "{report}");
            Err(Failure(words))
        }
    }
}

fn broken(report: &Report, name: &str, path: &str, today: Date) -> Failure {
    let mut words = format!("`{name}` does not go with what is deployed.\n\n{report}\n");
    let until = Date { year: today.year + 1, ..today };
    let lines: Vec<_> = report.breaks().map(|Judged { change, .. }| change.accepting(until, "say why")).collect();
    if !lines.is_empty() {
        let _ = write!(
            words,
            "\nTake the breaks back. Or accept them: with these lines at the end of {path}, each with its day and its reason.\n"
        );
        for line in lines {
            let _ = writeln!(words, "{line}");
        }
    }
    Failure(words)
}

/// The text of a file, and the snapshot that it is; `None`: it is not there.
fn read(file: &Path) -> Result<Option<(String, Snapshot)>, Failure> {
    let fault = |why: String| Failure(format!("{}: {why}", file.display()));
    let text = match open(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fault(error.to_string())),
    };
    let snapshot = Snapshot::parse(&text).map_err(|error| fault(error.to_string()))?;
    Ok(Some((text, snapshot)))
}

fn open(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    io::Read::read_to_string(&mut io::Read::take(fs::File::open(file)?, MAX_FILE), &mut text)?;
    Ok(text.replace("\r\n", "\n"))
}

/// The releases of a service: the snapshots of it in the directory `released` beside its own, and in those below.
fn releases(file: &Path, service: &str) -> Result<Vec<Release>, Failure> {
    let directory = file.with_file_name(RELEASED);
    let fault = |error: io::Error| Failure(format!("{}: {error}", directory.display()));
    let mut files: Vec<PathBuf> = Vec::new();
    let mut directories = vec![directory.clone()];
    while let Some(below) = directories.pop() {
        let entries = match fs::read_dir(&below) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(fault(error)),
        };
        for entry in entries {
            let path = entry.map_err(fault)?.path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "vox") {
                files.push(path);
            }
            if files.len() + directories.len() > MAX_RELEASES {
                return Err(Failure(format!("{} has more than {MAX_RELEASES} releases", directory.display())));
            }
        }
    }
    files.sort();
    let mut releases = Vec::new();
    for file in files {
        if let Some((_, snapshot)) = read(&file)?
            && snapshot.service() == service
        {
            let name = file.strip_prefix(&directory).unwrap_or(&file).with_extension("");
            releases.push(Release { name: name.to_string_lossy().replace('\\', "/"), snapshot });
        }
    }
    Ok(releases)
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    let fault = |error: io::Error| Failure(format!("{}: {error}", file.display()));
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory).map_err(fault)?;
    }
    fs::write(file, text).map_err(fault)
}

/// What `assert_compatible!` calls.
#[doc(hidden)]
#[track_caller]
pub fn assert_compatible(service: &'static ServiceDescriptor, root: &str, path: &str) {
    let bless = std::env::var_os(BLESS).is_some_and(|value| !value.is_empty() && value != "0");
    if let Err(failure) = hold(service, Path::new(root), Path::new(path), bless, Date::today()) {
        panic!("{failure}");
    }
}
