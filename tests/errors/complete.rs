//! The golden file: each error reads as it says there, and there is none that it does not have.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use super::provoked;

/// What an error may be about: an address, a service or a method of these tests, a limit, or a path.
const SUBJECTS: &[&str] = &["://", "Bank", "Weather", "Shapes", "Limits::", "wire"];

/// Those that are about something else, and why that is enough.
const OTHERWISE: &[(&str, &str)] = &[
    ("VoxError::User", "it is the application's own, and prints as itself"),
    ("TryRecvError::Empty", "it is no failure, and is asked for in a loop"),
    ("TryRecvError::Closed", "it is no failure, but the end"),
    ("RecvError::Dropped, of a channel within this process", "no call carries it, which it says"),
    ("SendError::Reset, of a channel within this process", "no call carries it, which it says"),
    ("DecodeErrorKind::NoChannels", "a value by itself, which no call carries"),
    ("DecodeErrorKind::Plan", "it names the type"),
    ("StoreError::Fenced", "the caller of a store knows of which operation"),
    ("InvalidOperationId", "it quotes the text"),
    ("AddressError", "it quotes the text"),
];

/// Public enums of errors, by file, and of their variants those that are provoked elsewhere.
const ENUMS: &[(&str, &str, &[&str])] = &[
    ("error/call.rs", "VoxError", &[]),
    ("error.rs", "NotSent", &[]),
    // A fault of vox's own takes a trap in its sources: `driver/fault/tests.rs`.
    ("error.rs", "EndReason", &["InternalFault"]),
    ("channel/errors.rs", "SendError", &[]),
    ("channel/errors.rs", "TrySendError", &[]),
    ("channel/errors.rs", "RecvError", &[]),
    ("channel/errors.rs", "TryRecvError", &[]),
    ("client/connect_error.rs", "ConnectError", &[]),
    ("client/session.rs", "OpenError", &[]),
    ("server/listen.rs", "ServeError", &["Fault"]),
    ("descriptor.rs", "ServiceError", &[]),
    // The caller gets `VoxError::Busy`.
    ("codec/error.rs", "DecodeErrorKind", &["OverMemory"]),
    // The others are those of a disk: the tests of `SqliteStore`, which is behind a feature.
    ("store/mod.rs", "StoreError", &["Unavailable", "Poisoned", "InvalidOutcome", "Limit"]),
];

/// What is provoked, as the golden file has it. Where that is to be written, it is written before anybody reads it.
static WRITTEN: LazyLock<String> = LazyLock::new(|| {
    let provoke = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(provoked())
    };
    let mut written = String::new();
    for (name, text) in std::thread::spawn(provoke).join().expect("no panic") {
        let otherwise = OTHERWISE.iter().any(|(other, _)| *other == name);
        assert!(otherwise || SUBJECTS.iter().any(|subject| text.contains(subject)), "{name} names nothing: {text}");
        written += &format!("{name}\n    {text}\n");
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path(), &written).expect("the golden file");
    }
    written
});

/// The golden file.
fn golden() -> String {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        LazyLock::force(&WRITTEN);
    }
    fs::read_to_string(path()).expect("the golden file")
}

#[test]
fn every_error_names_what_it_is_about_and_nothing_twice() {
    assert_eq!(*WRITTEN, golden(), "tests/golden/errors.txt");
}

/// A new variant is provoked here, or says above where it is.
#[test]
fn every_variant_of_every_error_is_in_the_golden_file() {
    let golden = golden();
    let names: Vec<&str> = golden.lines().filter(|line| !line.starts_with(' ')).collect();
    for (file, name, elsewhere) in ENUMS {
        for variant in variants(file, name) {
            let wanted = format!("{name}::{variant}");
            let begins = |line: &&&str| {
                line.strip_prefix(&*wanted)
                    .is_some_and(|rest| rest.is_empty() || !rest.starts_with(char::is_alphabetic))
            };
            let there = names.iter().any(|line| begins(&line));
            assert_ne!(there, elsewhere.contains(&&*variant), "{wanted} is provoked in one place");
        }
    }
}

/// Errors that are not provoked here by their own names: they are inside of others that are, or in the way that it says.
const INSIDE: &[(&str, &str)] = &[
    ("PlanError", "ServiceError::Type"),
    ("EncodeError", "NotSent::TooLarge, NotSent::InvalidArgument, SendError::InvalidItem"),
    ("DecodeError", "DecodeErrorKind"),
    ("LimitError", "ServeError::Limit, ConnectError::Limit"),
    ("InvalidArgs", "VoxError::InvalidPayload"),
    ("ProtocolViolation", "EndReason::PeerViolation, EndReason::AccusedByPeer"),
    ("Refusal", "ConnectError::Refused, OpenError::Refused"),
    ("NoLink", "ConnectError::NoLink"),
    ("Never", "there is no such value"),
    ("TransactionError", "behind the feature `sqlite`: the tests of its store"),
    ("Violation", "of the suite for stores"),
];

#[test]
fn every_type_of_error_is_in_the_golden_file() {
    let golden = golden();
    let mut pending = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("vox-runtime/src")];
    let mut types = 0;
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
            types += 1;
            let inside = INSIDE.iter().any(|(inside, _)| *inside == name);
            let there = golden.lines().any(|line| line.starts_with(&format!("{name}::")) || line == name);
            assert!(there != inside, "{name} of {} is provoked in one place", path.display());
        }
    }
    assert!(types > 20, "the errors were not found: {types}");
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

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/errors.txt")
}
