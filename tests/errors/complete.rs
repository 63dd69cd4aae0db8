//! The golden file: each error reads as it says there, and there is none that it does not have.

use std::fs;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::LazyLock;

use super::{Found, provoked};

/// What an error may be about: an address, a service or a method of these tests, a limit, or a path.
const SUBJECTS: &[&str] = &["://", "Bank", "Weather", "Shapes", "Limits::", "wire", "FOLDER/"];

/// Those that are about something else, and why that is enough.
const OTHERWISE: &[(&str, &str)] = &[
    ("VoxError::User", "it is the application's own, and prints as itself"),
    ("TryRecvError::Empty", "it is no failure, and is asked for in a loop"),
    ("TryRecvError::Closed", "it is no failure, but the end"),
    ("RecvError::Dropped, of a channel within this process", "no call carries it, which it says"),
    ("SendError::Reset, of a channel within this process", "no call carries it, which it says"),
    ("DecodeErrorKind::NoChannels", "a value by itself, which no call carries"),
    ("DecodeErrorKind::Plan", "it names the type"),
    ("EncodeError::NoChannels", "a value by itself, which no call carries"),
    ("EncodeError::Plan", "it names the type"),
    ("StoreError::Fenced", "the caller of a store knows of which operation"),
    ("InvalidOperationId", "it quotes the text"),
    ("AddressError", "it quotes the text"),
    ("ValueError", "it says where in the value"),
    ("TransactionError::Aborted", "it is the closure's own, and prints as itself"),
    ("TransactionError::Aborted, of a disk that is full", "it is the closure's own: it asked SQLite itself"),
    ("TransactionError::Panicked", "its caller wrote the closure"),
    ("TransactionError::ForeignKey", "its caller wrote the closure"),
    ("StoreError::InvalidOutcome", "a handler that seals knows its operation"),
    ("StoreError::Fenced, of what was sealed before", "a handler that seals knows its operation"),
];

/// Public enums of errors, by file.
const ENUMS: &[(&str, &str)] = &[
    ("error/vox_error.rs", "VoxError"),
    ("error/not_sent.rs", "NotSent"),
    ("error/end_reason.rs", "EndReason"),
    ("error/refusal.rs", "RefusalCode"),
    ("channel/errors.rs", "SendError"),
    ("channel/errors.rs", "TrySendError"),
    ("channel/errors.rs", "RecvError"),
    ("channel/errors.rs", "TryRecvError"),
    ("driver/connect_error.rs", "ConnectError"),
    ("client/session.rs", "OpenError"),
    ("server/listen.rs", "ServeError"),
    ("descriptor.rs", "ServiceError"),
    ("codec/error.rs", "EncodeError"),
    ("codec/error.rs", "DecodeErrorKind"),
    ("store/mod.rs", "StoreError"),
    ("store/sqlite/transaction.rs", "TransactionError"),
    ("dynamic/client.rs", "DynamicError"),
    ("dynamic/describe.rs", "DescribeError"),
];

/// The variants that nobody gets, and why.
const NEVER: &[(&str, &str)] = &[
    ("DecodeErrorKind::OverMemory", "the caller gets `VoxError::Busy`"),
    ("DescribeError::Request", "its two methods are known here"),
    ("EncodeError::Unrepresentable", "it takes another crate's type whose `Display` fails"),
];

/// The golden files: what every build provokes, what a store on disk takes, and what a fault of vox's own takes, which the tests of
/// `driver/fault.rs` set traps for.
const ALWAYS: &str = "errors.txt";
#[cfg(feature = "sqlite")]
const DISK: &str = "errors-disk.txt";
const FILES: [&str; 3] = [ALWAYS, "errors-disk.txt", "errors-fault.txt"];

/// What is provoked, as the golden file has it. Where that is to be written, it is written before anybody reads it.
static WRITTEN: LazyLock<String> = LazyLock::new(|| write(ALWAYS, || Box::pin(provoked())));

#[cfg(feature = "sqlite")]
static WRITTEN_ON_DISK: LazyLock<String> = LazyLock::new(|| write(DISK, || Box::pin(super::disk::provoke())));

type Provoking = Pin<Box<dyn Future<Output = Found>>>;

fn write(file: &str, provoke: fn() -> Provoking) -> String {
    let provoke = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(provoke())
    };
    let mut written = String::new();
    for (name, text) in std::thread::spawn(provoke).join().expect("no panic") {
        let otherwise = OTHERWISE.iter().any(|(other, _)| *other == name);
        assert!(otherwise || SUBJECTS.iter().any(|subject| text.contains(subject)), "{name} names nothing: {text}");
        written += &format!("{name}\n    {text}\n");
    }
    if is_update() {
        fs::write(path(file), &written).expect("the golden file");
    }
    written
}

fn is_update() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some()
}

/// All golden files.
fn golden() -> String {
    if is_update() {
        LazyLock::force(&WRITTEN);
        #[cfg(feature = "sqlite")]
        LazyLock::force(&WRITTEN_ON_DISK);
    }
    FILES.map(of).concat()
}

fn of(file: &str) -> String {
    fs::read_to_string(path(file)).expect("the golden file")
}

/// What is provoked is what the golden file says, line by line.
#[track_caller]
fn check(written: &str, file: &str) {
    let golden = of(file);
    for (number, (written, golden)) in written.lines().zip(golden.lines()).enumerate() {
        assert_eq!(written, golden, "line {} of tests/golden/{file}", number + 1);
    }
    assert_eq!(written.lines().count(), golden.lines().count(), "the lines of tests/golden/{file}");
}

#[test]
fn every_error_names_what_it_is_about_and_nothing_twice() {
    check(&WRITTEN, ALWAYS);
}

#[cfg(feature = "sqlite")]
#[test]
fn every_error_of_a_store_on_disk_names_what_it_is_about_and_nothing_twice() {
    check(&WRITTEN_ON_DISK, DISK);
}

/// A new variant is provoked, or says above why it cannot be.
#[test]
fn every_variant_of_every_error_is_in_the_golden_file() {
    let golden = golden();
    let names: Vec<&str> = golden.lines().filter(|line| !line.starts_with(' ')).collect();
    for (file, name) in ENUMS {
        for variant in variants(file, name) {
            let wanted = format!("{name}::{variant}");
            let begins = |line: &&&str| {
                line.strip_prefix(&*wanted)
                    .is_some_and(|rest| rest.is_empty() || !rest.starts_with(char::is_alphabetic))
            };
            let never = NEVER.iter().any(|(never, _)| *never == wanted);
            assert_ne!(
                names.iter().any(|line| begins(&line)),
                never,
                "{wanted} is in a golden file, or nobody gets it"
            );
        }
    }
}

/// A new enum of errors has its variants looked for.
#[test]
fn every_enum_of_errors_is_looked_at() {
    for (file, name) in errors() {
        let text = fs::read_to_string(&file).expect("a source file");
        let is_enum = text.lines().any(|line| {
            line.strip_prefix("pub enum ")
                .is_some_and(|rest| rest.split(|c: char| !c.is_alphanumeric()).next() == Some(&name))
        });
        let is_known = ENUMS.iter().any(|(known, of)| *of == name && file.ends_with(known));
        assert!(is_known || !is_enum || name == "Never", "{name} of {} is in the list above", file.display());
    }
}

/// Errors that are not provoked here by their own names: they are inside of others that are, or in the way that it says.
const INSIDE: &[(&str, &str)] = &[
    ("PlanError", "ServiceError::Type"),
    ("DecodeError", "DecodeErrorKind"),
    ("LimitError", "ServeError::Limit, ConnectError::Limit"),
    ("InvalidArgs", "VoxError::InvalidPayload"),
    ("ProtocolViolation", "EndReason::PeerViolation, EndReason::AccusedByPeer"),
    ("Refusal", "ConnectError::Refused, OpenError::Refused"),
    ("NoLink", "ConnectError::NoLink"),
    ("Never", "there is no such value"),
    ("Violation", "of the suite for stores"),
    ("SnapshotError", "of a snapshot in a release's own files: the tests of `compat`"),
    ("Failure", "of the check of a release: the tests of `compat`"),
];

#[test]
fn every_type_of_error_is_in_the_golden_file() {
    let (golden, errors) = (golden(), errors());
    for (file, name) in &errors {
        let inside = INSIDE.iter().any(|(inside, _)| inside == name);
        let there = golden.lines().any(|line| line.starts_with(&format!("{name}::")) || line == name);
        assert!(there != inside, "{name} of {} is provoked in one place", file.display());
    }
    assert!(errors.len() > 20, "the errors were not found: {errors:?}");
}

/// Every type of the runtime that is an error, and the file that says so.
fn errors() -> Vec<(PathBuf, String)> {
    let mut pending = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("vox-runtime/src")];
    let mut errors = Vec::new();
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(fs::read_dir(&path).expect("a folder").map(|entry| entry.expect("an entry").path()));
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source file");
        let impls =
            text.lines().filter(|line| line.starts_with("impl")).filter_map(|line| line.split_once("Error for "));
        for (_, name) in impls.filter(|(head, _)| head.ends_with("std::error::")) {
            let name = name.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
            errors.push((path.clone(), name.to_owned()));
        }
    }
    errors
}

/// The variants of a public enum, as its file has them.
fn variants(file: &str, name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vox-runtime/src").join(file);
    let text = fs::read_to_string(&path).expect("a source file");
    let begin = [format!("pub enum {name} {{"), format!("pub enum {name}<")];
    let body = text.lines().skip_while(|line| !begin.iter().any(|begin| line.starts_with(&**begin))).skip(1);
    let names = body.take_while(|line| *line != "}").filter_map(|line| line.strip_prefix("    "));
    let names = names.filter(|line| line.starts_with(char::is_uppercase));
    let found: Vec<String> =
        names.map(|line| line.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()).collect();
    assert!(found.len() > 1, "{name} is in {file}");
    found
}

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file)
}
