//! Every kind of change, from one version of a service to the next, with all that is said of it.
//!
//! What is said is in `changes.txt`; with `VOX_BLESS=1` it is written.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use vox::compat::{Code, Order, Snapshot, compare};
use vox::descriptor::ServiceDescriptor;

use super::golden;

/// A change, and the service before and after it.
struct Pair {
    name: &'static str,
    before: &'static ServiceDescriptor,
    after: &'static ServiceDescriptor,
}

macro_rules! pairs {
    ($($name:ident { $($before:item)* } => { $($after:item)* })*) => {
        $(mod $name {
            pub(super) mod before {
                #[allow(unused_imports, reason = "not every version has all types")]
                use super::super::uses::*;
                $($before)*
            }
            pub(super) mod after {
                #[allow(unused_imports, reason = "not every version has all types")]
                use super::super::uses::*;
                $($after)*
            }
        })*

        fn pairs() -> Vec<Pair> {
            vec![$(Pair {
                name: stringify!($name),
                before: $name::before::BankClient::SERVICE,
                after: $name::after::BankClient::SERVICE,
            }),*]
        }
    };
}

/// What the versions are made of. Not each of them names all.
mod uses {
    pub(super) use std::collections::{BTreeMap, BTreeSet};

    pub(super) use facet::Facet;
    pub(super) use vox::{Rx, Tx};
}

/// A trait of one method.
macro_rules! bank {
    ($(#[$attr:meta])* ($($args:tt)*) -> $out:ty) => {
        #[vox::service]
        pub(in super::super) trait Bank {
            $(#[$attr])*
            async fn open(&self, $($args)*) -> $out;
        }
    };
}

/// A type, and a trait of one method that takes it, sends it and returns it.
macro_rules! everywhere {
    ($ty:ty) => {
        #[vox::service]
        pub(in super::super) trait Bank {
            async fn get(&self) -> Result<u8, $ty>;
            async fn set(&self, account: $ty, up: Rx<$ty>, down: Tx<$ty>) -> $ty;
            #[vox(persist)]
            async fn seal(&self) -> $ty;
        }
    };
}

pairs! {
    nothing { bank! { (account: u64) -> u64 } } => { bank! { (account: u64) -> u64 } }
    method_added { bank! { () -> u8 } } => {
        #[vox::service]
        pub(in super::super) trait Bank {
            async fn open(&self) -> u8;
            async fn shut(&self) -> u8;
        }
    }
    method_removed {
        #[vox::service]
        pub(in super::super) trait Bank {
            async fn open(&self) -> u8;
            async fn shut(&self) -> u8;
        }
    } => { bank! { () -> u8 } }
    argument_added { bank! { (id: u64) -> u8 } } => { bank! { (id: u64, note: String) -> u8 } }
    optional_argument_added { bank! { (id: u64) -> u8 } } => { bank! { (id: u64, note: Option<String>) -> u8 } }
    defaulted_argument_added { bank! { (id: u64) -> u8 } } => { bank! { (id: u64, #[vox(default)] note: String) -> u8 } }
    argument_removed { bank! { (id: u64, note: String) -> u8 } } => { bank! { (id: u64) -> u8 } }
    channel_removed { bank! { (rows: Rx<u8>) -> u8 } } => { bank! { () -> u8 } }
    arguments_moved { bank! { (from: u64, to: i64) -> u8 } } => { bank! { (to: i64, from: u64) -> u8 } }
    field_added {
        #[derive(Facet)]
        pub struct Account { id: u64 }
        everywhere! { Account }
    } => {
        #[derive(Facet)]
        pub struct Account { id: u64, owner: String }
        everywhere! { Account }
    }
    defaulted_field_added {
        #[derive(Facet)]
        pub struct Account { id: u64 }
        everywhere! { Account }
    } => {
        #[derive(Facet)]
        pub struct Account { id: u64, owner: Option<String>, #[facet(default)] rank: u8 }
        everywhere! { Account }
    }
    field_removed {
        #[derive(Facet)]
        pub struct Account { id: u64, owner: Vec<String> }
        everywhere! { Account }
    } => {
        #[derive(Facet)]
        pub struct Account { id: u64 }
        everywhere! { Account }
    }
    field_of_a_variant_removed {
        #[derive(Facet)]
        #[repr(u8)]
        pub enum Kind { Plain, Joint { with: String, share: u8 } }
        everywhere! { Vec<Kind> }
    } => {
        #[derive(Facet)]
        #[repr(u8)]
        pub enum Kind { Plain, Joint { with: String } }
        everywhere! { Vec<Kind> }
    }
    fields_moved {
        #[derive(Facet)]
        pub struct Account { id: u64, owner: String }
        everywhere! { Account }
    } => {
        #[derive(Facet)]
        pub struct Account { owner: String, id: u64 }
        everywhere! { Account }
    }
    field_of_a_key_removed {
        #[derive(Facet, PartialEq, Eq, PartialOrd, Ord)]
        pub struct Key { branch: u16, id: Option<u64> }
        everywhere! { BTreeMap<Key, String> }
    } => {
        #[derive(Facet, PartialEq, Eq, PartialOrd, Ord)]
        pub struct Key { branch: u16 }
        everywhere! { BTreeMap<Key, String> }
    }
    field_with_a_channel_removed {
        #[derive(Facet)]
        pub struct Job { id: u64, rows: Tx<u8> }
        bank! { (job: Job) -> u8 }
    } => {
        #[derive(Facet)]
        pub struct Job { id: u64 }
        bank! { (job: Job) -> u8 }
    }
    default_taken_away {
        #[derive(Facet)]
        pub struct Account { id: u64, #[facet(default)] rank: u8 }
        everywhere! { Account }
    } => {
        #[derive(Facet)]
        pub struct Account { id: u64, rank: u8 }
        everywhere! { Account }
    }
    variant_added {
        #[derive(Facet)]
        #[repr(u8)]
        pub enum Status { Open, Shut { why: String } }
        everywhere! { Status }
    } => {
        #[derive(Facet)]
        #[repr(u8)]
        pub enum Status { Open, Frozen { by: u64 }, Shut { why: String } }
        everywhere! { Status }
    }
    variant_removed {
        #[derive(Facet)]
        #[repr(u8)]
        pub enum Status { Open, Frozen(u64, String), Shut }
        everywhere! { BTreeMap<u8, Option<Status>> }
    } => {
        #[derive(Facet)]
        #[repr(u8)]
        pub enum Status { Open, Shut }
        everywhere! { BTreeMap<u8, Option<Status>> }
    }
    variants_moved {
        #[derive(Facet)]
        #[repr(u8)]
        pub enum Status { Open, Shut }
        everywhere! { Status }
    } => {
        #[derive(Facet)]
        #[repr(u8)]
        pub enum Status { Shut, Open }
        everywhere! { Status }
    }
    widened { everywhere! { u32 } } => { everywhere! { u64 } }
    narrowed { everywhere! { Vec<u32> } } => { everywhere! { Vec<u16> } }
    array_length { everywhere! { [u8; 4] } } => { everywhere! { [u8; 5] } }
    channel_turned { bank! { (rows: Rx<u8>) -> u8 } } => { bank! { (rows: Tx<u8>) -> u8 } }
    optional { everywhere! { String } } => { everywhere! { Option<String> } }
    other_type { everywhere! { u64 } } => { everywhere! { String } }
    other_sign { everywhere! { u64 } } => { everywhere! { i64 } }
    list_to_set { everywhere! { Vec<u16> } } => { everywhere! { BTreeSet<u16> } }
    apart {
        #[derive(Facet)]
        pub struct Account { number: Option<u64> }
        everywhere! { Account }
    } => {
        #[derive(Facet)]
        pub struct Account { id: Option<u64> }
        everywhere! { Account }
    }
    inside_itself {
        #[derive(Facet)]
        pub struct Tree { name: String, children: Vec<Tree> }
        everywhere! { Tree }
    } => {
        #[derive(Facet)]
        pub struct Tree { name: String, children: Vec<Tree>, depth: i8 }
        everywhere! { Tree }
    }
    idem_added { bank! { () -> u8 } } => { bank! { #[vox(idem)] () -> u8 } }
    idem_removed { bank! { #[vox(idem)] () -> u8 } } => { bank! { () -> u8 } }
    persist_added { bank! { () -> u8 } } => { bank! { #[vox(persist)] () -> u8 } }
    persist_removed { bank! { #[vox(persist)] () -> u8 } } => { bank! { () -> u8 } }
    timeout_changed { bank! { #[vox(timeout = "2s")] () -> u8 } } => { bank! { #[vox(timeout = "1s")] () -> u8 } }
    type_renamed {
        #[derive(Facet)]
        pub struct Account { id: u64 }
        bank! { (account: Account) -> u8 }
    } => {
        #[derive(Facet)]
        pub struct Customer { id: u64 }
        bank! { (account: Customer) -> u8 }
    }
}

fn snapshot(service: &'static ServiceDescriptor) -> Snapshot {
    let snapshot = Snapshot::of(service).expect("it can cross");
    // As it is read from a file.
    Snapshot::parse(&snapshot.to_string()).expect("a snapshot")
}

#[test]
fn every_change_is_said_as_it_is_written_down() {
    let mut said = String::new();
    for Pair { name, before, after } in pairs() {
        writeln!(said, "== {name}").expect("a string");
        for change in compare(&snapshot(before), &snapshot(after)) {
            writeln!(said, "{change}").expect("a string");
        }
        said.push('\n');
    }
    golden("changes.txt", &said);
}

#[test]
fn every_code_comes_up() {
    let changes = pairs().into_iter().flat_map(|pair| compare(&snapshot(pair.before), &snapshot(pair.after)));
    let seen: BTreeSet<_> = changes.map(|change| change.code).collect();
    let missing: Vec<_> = Code::ALL.iter().filter(|code| !seen.contains(code)).collect();
    assert!(missing.is_empty(), "no change has these codes: {missing:?}");
}

#[test]
fn codes_are_told_apart_and_read_again() {
    for code in Code::ALL {
        assert_eq!(Code::of(code.as_str()), Some(*code));
    }
    let texts: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(texts.len(), Code::ALL.len());
    assert_eq!(Code::of("VX-000"), None);
}

#[test]
fn orders_are_put_together() {
    use Order::{Any, Breaking, ClientsFirst, ServersFirst};
    for order in [Any, ServersFirst, ClientsFirst, Breaking] {
        assert_eq!(order.and(Any), order);
        assert_eq!(order.and(order), order);
        assert_eq!(order.and(Breaking), Breaking);
    }
    assert_eq!(ServersFirst.and(ClientsFirst), Breaking);
}

#[test]
fn the_table_of_codes_is_whole() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/compat.md");
    let page = std::fs::read_to_string(page).expect("the page");
    for code in Code::ALL {
        let row = format!("| `{code}` | {} | {} |", code.title(), code.explanation());
        assert!(page.contains(&row), "docs/compat.md lacks the row\n{row}");
    }
}
