//! Types for the tests, known to both facet and serde.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use facet::Facet;
use serde::{Deserialize, Serialize};

#[derive(Facet, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub(crate) struct Numbers {
    pub(crate) a: u8,
    pub(crate) b: u16,
    pub(crate) c: u32,
    pub(crate) d: u64,
    pub(crate) e: u128,
    pub(crate) f: usize,
    pub(crate) g: i8,
    pub(crate) h: i16,
    pub(crate) i: i32,
    pub(crate) j: i64,
    pub(crate) k: i128,
    pub(crate) l: isize,
    pub(crate) m: f32,
    pub(crate) n: f64,
    pub(crate) o: bool,
    pub(crate) p: char,
}

#[derive(Facet, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) x: i32,
    pub(crate) y: i32,
}

#[derive(Facet, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub(crate) struct Newtype(pub(crate) String);

#[derive(Facet, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[facet(transparent)]
#[serde(transparent)]
pub(crate) struct Transparent(pub(crate) u64);

#[derive(Facet, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub(crate) struct Unit;

#[derive(Facet, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub(crate) struct Generic<T> {
    pub(crate) first: T,
    pub(crate) rest: Vec<T>,
}

#[derive(Facet, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Level {
    Low,
    Middle,
    High,
}

/// Tags that are not the variants' indices.
#[derive(Facet, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[repr(i16)]
pub(crate) enum Sparse {
    Minus = -300,
    Zero = 0,
    Much = 30_000,
}

#[derive(Facet, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[repr(u8)]
pub(crate) enum Event {
    Nothing,
    One(u64),
    Two(String, Option<u16>),
    Named { at: Point, tags: Vec<String> },
    Deep(Box<Event>),
}

macro_rules! enum_of {
    ($name:ident, $repr:ident) => {
        #[derive(Facet, Serialize, Deserialize, Clone, Debug, PartialEq)]
        #[repr($repr)]
        pub(crate) enum $name {
            A,
            B(u8, u64),
            C { s: String, b: bool },
        }
    };
}

enum_of!(OfU16, u16);
enum_of!(OfU32, u32);
enum_of!(OfU64, u64);
enum_of!(OfI8, i8);
enum_of!(OfI32, i32);
enum_of!(OfI64, i64);
enum_of!(OfC, C);

#[derive(Facet, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub(crate) struct List {
    pub(crate) value: u32,
    #[facet(recursive_type)]
    pub(crate) next: Option<Box<List>>,
}

#[derive(Facet, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[repr(u8)]
pub(crate) enum Tree {
    Leaf(i64),
    Node(#[facet(recursive_type)] Vec<Tree>),
    Pair(#[facet(recursive_type)] Box<Tree>, #[facet(recursive_type)] Box<Tree>),
}

/// Something at the bottom of boxes.
#[derive(Facet, Clone, Debug, PartialEq)]
#[repr(u8)]
pub(crate) enum Nest<T> {
    Bottom(T),
    Deeper(#[facet(recursive_type)] Box<Nest<T>>),
}

/// A bit of everything that has an order.
#[derive(Facet, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) level: Level,
    pub(crate) events: Vec<Event>,
    pub(crate) points: BTreeMap<String, Point>,
    pub(crate) seen: BTreeSet<u16>,
    pub(crate) counts: BTreeMap<u8, u32>,
    pub(crate) maybe: Option<Option<String>>,
    pub(crate) outcome: Result<u32, String>,
    pub(crate) pair: (u8, String, f64),
    pub(crate) grid: [[u16; 3]; 2],
    pub(crate) blob: Vec<u8>,
    pub(crate) shared: Arc<Point>,
    pub(crate) words: Box<[String]>,
}
