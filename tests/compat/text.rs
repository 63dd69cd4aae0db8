//! The text of snapshots.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use facet::Facet;
use vox::compat::Snapshot;
use vox::{Client, Rx, Tx};

fn snapshot<C: Client>() -> Snapshot {
    Snapshot::of(C::SERVICE.expect("a service")).expect("it can cross")
}

#[derive(Facet)]
struct Pair<T> {
    one: T,
    two: Option<T>,
    #[facet(default)]
    three: Vec<T>,
}

#[derive(Facet)]
struct Tree {
    children: Vec<Tree>,
    parent: Option<Box<Tree>>,
    #[facet(rename = "a name")]
    name: String,
}

#[derive(Facet)]
struct Wrapped(u32, #[facet(default)] u8);

#[derive(Facet)]
#[repr(u8)]
enum Kind {
    Plain,
    Joint(String, Option<u16>),
    Limited { by: u64, until: Duration },
}

mod other {
    #[derive(facet::Facet)]
    pub struct Kind {
        pub more: super::Kind,
    }
}

#[vox::service]
trait Everything {
    async fn zero(&self);
    #[vox(idem, persist, timeout = "1500ms")]
    async fn kinds(&self, a: Kind, b: Vec<other::Kind>, c: BTreeMap<String, [u16; 4]>) -> Result<Tree, Kind>;
    #[vox(persist)]
    async fn pairs(&self, one: Pair<u8>, two: Option<Pair<String>>, three: (u8, (), Wrapped)) -> BTreeSet<(u8, i8)>;
    async fn streams(&self, up: Rx<Result<u8, Kind>>, down: Tx<Arc<Tree>>, bytes: &[u8], text: &str) -> bool;
}

mod again {
    use super::*;

    /// The same, declared the other way round.
    #[vox::service]
    pub(super) trait Everything {
        async fn streams(&self, up: Rx<Result<u8, Kind>>, down: Tx<Tree>, bytes: Vec<u8>, text: String) -> bool;
        #[vox(persist)]
        async fn pairs(&self, one: Pair<u8>, two: Option<Pair<String>>, three: (u8, (), Wrapped))
        -> BTreeSet<(u8, i8)>;
        #[vox(timeout = "1500ms", persist, idem)]
        async fn kinds(&self, a: Kind, b: Box<[other::Kind]>, c: HashMap<String, [u16; 4]>) -> Result<Tree, Kind>;
        async fn zero(&self);
    }
}

const EVERYTHING: &str = include_str!("everything.vox");

#[test]
fn a_service_has_one_text_whatever_the_order_of_its_declaration() {
    super::golden("everything.vox", &snapshot::<EverythingClient>().to_string());
    assert_eq!(snapshot::<again::EverythingClient>().to_string(), EVERYTHING);
}

#[test]
fn what_is_written_is_read_and_written_again() {
    let read = Snapshot::parse(EVERYTHING).expect("a snapshot");
    assert_eq!(read.to_string(), EVERYTHING);
    assert_eq!(read.hash(), snapshot::<EverythingClient>().hash());
}

#[test]
fn every_cut_and_every_changed_byte_is_answered() {
    for cut in (0..EVERYTHING.len()).filter(|cut| EVERYTHING.is_char_boundary(*cut)) {
        if let Ok(read) = Snapshot::parse(&EVERYTHING[..cut]) {
            // What is cut off was a line by itself, or the end of one.
            assert_eq!(read.hash(), snapshot::<EverythingClient>().hash(), "cut at {cut}");
        }
    }
    for at in 0..EVERYTHING.len() {
        for other in [b'(', b'"', b'9', b' '] {
            let mut bytes = EVERYTHING.as_bytes().to_vec();
            bytes[at] = other;
            let Ok(text) = String::from_utf8(bytes) else { continue };
            if let Ok(read) = Snapshot::parse(&text) {
                let again = Snapshot::parse(&read.to_string()).expect("what was written is read");
                assert_eq!(again.hash(), read.hash());
            }
        }
    }
}

/// What is wrong with the text, once this is written for that.
#[track_caller]
fn refused(old: &str, new: &str, words: &str) {
    assert!(EVERYTHING.contains(old), "{old}");
    let error = Snapshot::parse(&EVERYTHING.replacen(old, new, 1)).expect_err("it is no snapshot");
    assert_eq!(error.to_string(), words);
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_column() {
    refused(
        "vox 1",
        "vox 2",
        "line 1, column 1: a snapshot begins with the line `vox 1`; this is none, or is one of another version",
    );
    refused(
        "service Everything",
        "service",
        "line 4, column 6: `bb0c7a93e8ff3d1f30986d73928ca126a6184c7c2fd446a562fb6925e41bbe17` stands where `hash` should",
    );
    refused(
        "  idem",
        "  idme",
        "line 7, column 3: `idme` stands where `method`, `struct`, `enum`, `wire` or `accept` should",
    );
    refused("  idem", "  idem\n  idem", "line 8, column 3: this was said already");
    refused(
        "b: List<Kind_2>",
        "b: List<Kind_3>",
        "line 6, column 31: there is no type `Kind_3` here: no `struct`, `enum` or `wire` line has it",
    );
    refused("a: Kind, b:", "b: Kind, b:", "line 6, column 23: a second argument `b`");
    refused("method zero", "method kinds", "line 16, column 1: a second method `kinds`");
    refused("struct Tree", "struct Wrapped", "line 49, column 8: a second type `Wrapped`");
    refused("wire Duration", "wire u8", "line 51, column 6: `u8` is known already");
    refused(
        "[u16; 4]",
        "[u16; 99999999999999999999]",
        "line 6, column 61: `99999999999999999999` is no number up to 18446744073709551615",
    );
    refused("\"a name\"", "\"a name", "line 46, column 3: the text in quotation marks does not end on this line");
    refused("\"a name\"", "\"a\\name\"", "line 46, column 3: an escape is `\\\"`, `\\\\` or `\\u{…}`");
    refused("= default", "= 7", "line 34, column 25: `7` stands where `default` or `required` should");
}

#[test]
fn a_text_whose_hash_is_not_its_own_is_refused() {
    let error = Snapshot::parse(&EVERYTHING.replacen("by: u64", "by: u32", 1)).expect_err("it was changed");
    assert_eq!((error.line, error.column), (4, 6));
    let (words, hash) = error.fault.split_once(", ").expect("a hash");
    assert_eq!(words, "the hash is not that of what follows");
    assert!(hash.ends_with(": the text was changed by hand, or badly merged") && hash.len() > 64, "{hash}");
}

#[test]
fn a_text_is_bounded() {
    let long = format!("{EVERYTHING}#{}", "x".repeat(1 << 20));
    let error = Snapshot::parse(&long).expect_err("it is too long");
    assert!(error.fault.contains("over the limit of 1048576"), "{error}");
    let deep = EVERYTHING.replacen("u64", &format!("{}u64{}", "Option<".repeat(200), ">".repeat(200)), 1);
    let error = Snapshot::parse(&deep).expect_err("it is too deep");
    assert!(error.fault.contains("types more than 128 deep"), "{error}");
    let types: String = (0..20_000).map(|at| format!("struct A{at}(A{})\n", at + 1)).collect();
    let error = Snapshot::parse(&format!("{EVERYTHING}{types}")).expect_err("they are too many");
    assert!(error.fault.contains("more than 16384 types"), "{error}");
    let endless = EVERYTHING.replacen("by: u64", "by: Loop", 1) + "struct Loop { of: Loop }\n";
    let error = Snapshot::parse(&endless).expect_err("it has no end");
    assert!(error.fault.contains("a type that stands in itself without end"), "{error}");
}
