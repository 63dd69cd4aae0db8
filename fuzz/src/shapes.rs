//! Values of several shapes, decoded from any bytes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use facet::Facet;
use vox_runtime::codec::{Budget, Decoder, Encoder, Plan};

#[derive(Facet)]
struct Record {
    id: u64,
    name: String,
    tags: Vec<String>,
    place: Option<(i32, i32)>,
    bytes: Bytes,
}

#[derive(Facet)]
#[repr(u8)]
#[allow(dead_code, reason = "they are made by decoding")]
enum Tree {
    Leaf(i64),
    Named { name: String, of: u8 },
    Node(Box<Tree>, Box<Tree>),
}

#[derive(Facet)]
struct Chain {
    value: u16,
    next: Option<Box<Chain>>,
}

/// Decodes by the shape of this number.
pub(crate) fn decode(shape: u8, bytes: &[u8]) {
    match shape % 10 {
        0 => round::<Record>(bytes),
        1 => round::<Vec<Tree>>(bytes),
        2 => round::<Chain>(bytes),
        3 => round::<BTreeMap<String, Vec<u32>>>(bytes),
        4 => round::<BTreeSet<(u8, char)>>(bytes),
        5 => read::<HashMap<u64, String>>(bytes).map_or((), drop),
        6 => round::<Vec<()>>(bytes),
        7 => round::<(Arc<[u16]>, Arc<str>, Box<[bool]>)>(bytes),
        8 => round::<Result<Vec<Option<i128>>, String>>(bytes),
        _ => round::<Vec<[u8; 3]>>(bytes),
    }
}

fn read<T: Facet<'static>>(bytes: &[u8]) -> Option<T> {
    let frame = Bytes::copy_from_slice(bytes);
    let mut from = Decoder::new(&frame, Budget::default_for(bytes.len()));
    let value = Plan::new().decode(&mut from).ok()?;
    from.finish().ok()?;
    Some(value)
}

fn write<T: Facet<'static>>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    Plan::new().encode(value, &mut Encoder::new(&mut bytes, usize::MAX)).expect("what was decoded can be sent");
    bytes
}

/// What was decoded and is encoded again decodes to the same.
fn round<T: Facet<'static>>(bytes: &[u8]) {
    let Some(value) = read::<T>(bytes) else { return };
    let first = write(&value);
    let again = read::<T>(&first).expect("what was encoded can be decoded");
    assert!(write(&again) == first, "{bytes:?} became another value");
}
