//! Descriptions as schemas: canonical bytes that say how a type is encoded.
//!
//! They start with [`VERSION`]. A type is a tag and what the tag needs; names and counts as the codec writes strings and
//! numbers:
//!
//! | tag | type | what follows |
//! |---|---|---|
//! | 1 | one with an encoding of its own | its name: `u8`, `string`, `bytes`, `Duration`, … |
//! | 2 | struct, tuple | how many fields; each one's name and type |
//! | 3 | enum | how many variants; each one's name, how many fields, each one's name and type |
//! | 4 | option | the content's type |
//! | 5 | result | the types of `Ok` and `Err` |
//! | 6 | list | the items' type |
//! | 7 | array | its length; the items' type |
//! | 8 | map | the types of keys and values |
//! | 9 | set | the items' type |
//! | 10, 11 | channel: `Tx`, `Rx` | the items' type |
//! | 12 | a type that came before | which one: all but those of tag 1 are numbered from 0, in the order in which they begin |
//!
//! What does not show in an encoding is left out: the names of types, boxes and shared owners. So a type may be renamed or
//! boxed and has the same schema. Tag 12 makes the bytes finite for types inside themselves, and short for types that
//! share much.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};

use facet::Shape;

use super::{Description, Kind, Member, Scalar, TypeIndex};
use crate::codec::channels::ChannelKind;
use crate::codec::leaf::{BYTES, STRING};
use crate::codec::{PlanError, varint};
use crate::schema::{Optional, Schema};

/// What the bytes of a schema start with.
const VERSION: u8 = 1;

/// The schema of the type of `shape`: the one made before, if there is one.
///
/// ```
/// # extern crate vox_runtime as vox;
/// use facet::Facet;
/// use vox::codec::schema_of;
///
/// #[derive(Facet)]
/// struct Point { x: u32, y: u32 }
/// #[derive(Facet)]
/// struct Place { x: u32, y: u32 }
/// #[derive(Facet)]
/// struct Longer { x: u32, y: u64 }
///
/// assert_eq!(schema_of(Point::SHAPE)?, schema_of(Place::SHAPE)?);
/// assert_ne!(schema_of(Point::SHAPE)?, schema_of(Longer::SHAPE)?);
/// # Ok::<(), vox::codec::PlanError>(())
/// ```
pub fn schema_of(shape: &'static Shape) -> Result<Schema, PlanError> {
    type_of(shape).map(|(schema, _)| schema)
}

/// The schema of the type of `shape`, and which of its fields this end does without.
pub(crate) fn type_of(shape: &'static Shape) -> Result<(Schema, Optional), PlanError> {
    static SCHEMAS: Cache = LazyLock::new(RwLock::default);
    cached(&SCHEMAS, shape, |_| Ok(()), |writer, root| writer.ty(root))
}

/// The schema of a method's response, which is that of `Result<T, E>` where `shape` is that of `Result<T, VoxError<E>>`: what
/// a handler can return. What the runtime says in its place grows from version to version, and an outcome that was
/// sealed under one must be of the same schema under the next. Refuses channels, which no response can carry.
pub(crate) fn response_type_of(shape: &'static Shape) -> Result<(Schema, Optional), PlanError> {
    static SCHEMAS: Cache = LazyLock::new(RwLock::default);
    let check = |description: &Description| description.check_response(shape);
    cached(&SCHEMAS, shape, check, |writer, root| {
        let description = writer.description;
        if let Kind::Result { ok, err, .. } = &description.get(root).kind
            && let Kind::Enum { variants, .. } = &description.get(*err).kind
            && let [user, ..] = variants.as_slice()
            && let [error] = user.members.as_slice()
        {
            writer.composite(5, &[*ok, error.ty]);
        } else {
            writer.ty(root);
        }
    })
}

type Known = (Schema, Optional);
type Cache = LazyLock<RwLock<HashMap<TypeId, Known>>>;

fn cached(
    cache: &Cache,
    shape: &'static Shape,
    check: impl FnOnce(&Description) -> Result<(), PlanError>,
    write: impl FnOnce(&mut Writer<'_>, TypeIndex),
) -> Result<Known, PlanError> {
    let id = shape.id.get();
    if let Some(known) = cache.read().unwrap_or_else(PoisonError::into_inner).get(&id) {
        return Ok(known.clone());
    }
    let description = Description::of(shape)?;
    check(&description)?;
    let (begun, fields, optional) = (HashMap::new(), 0, Vec::new());
    let mut writer = Writer { description: &description, begun, out: vec![VERSION], fields, optional };
    write(&mut writer, description.root());
    let optional = Optional::new(writer.optional);
    let known = (Schema::of_reader(writer.out, optional.clone()), optional);
    cache.write().unwrap_or_else(PoisonError::into_inner).insert(id, known.clone());
    Ok(known)
}

struct Writer<'a> {
    description: &'a Description,
    /// The numbers of the types that have begun.
    begun: HashMap<TypeIndex, usize>,
    out: Vec<u8>,
    /// How many fields were written.
    fields: u32,
    /// The numbers of those that this end does without.
    optional: Vec<u32>,
}

impl Writer<'_> {
    fn ty(&mut self, index: TypeIndex) {
        let kind = &self.description.get(index).kind;
        match kind {
            Kind::Scalar(scalar) => return self.named(scalar_name(*scalar)),
            Kind::String => return self.named(STRING),
            Kind::Leaf(ops) => return self.named(ops.name),
            Kind::List { item, .. } | Kind::Slice { item, .. } if self.is_byte(*item) => return self.named(BYTES),
            Kind::Box(content) | Kind::Shared { content, .. } => return self.ty(*content),
            _ => {}
        }
        if let Some(&number) = self.begun.get(&index) {
            self.out.push(12);
            return self.number(number);
        }
        self.begun.insert(index, self.begun.len());
        match kind {
            Kind::Struct(members) => {
                self.out.push(2);
                self.members(members);
            }
            Kind::Enum { variants, .. } => {
                self.out.push(3);
                self.number(variants.len());
                for variant in variants {
                    self.text(variant.name);
                    self.members(&variant.members);
                }
            }
            Kind::Option { some, .. } => self.composite(4, &[*some]),
            Kind::Result { ok, err, .. } => self.composite(5, &[*ok, *err]),
            Kind::List { item, .. } | Kind::Slice { item, .. } => self.composite(6, &[*item]),
            Kind::Array { item, len } => {
                self.out.push(7);
                self.number(*len);
                self.ty(*item);
            }
            Kind::Map { key, value, .. } => self.composite(8, &[*key, *value]),
            Kind::Set { item, .. } => self.composite(9, &[*item]),
            Kind::Channel { kind: ChannelKind::Tx, item, .. } => self.composite(10, &[*item]),
            Kind::Channel { kind: ChannelKind::Rx, item, .. } => self.composite(11, &[*item]),
            // Handled above, or gone once a description is whole.
            Kind::Scalar(_) | Kind::String | Kind::Leaf(_) | Kind::Box(_) | Kind::Shared { .. } | Kind::Unfinished => {}
        }
    }

    fn composite(&mut self, tag: u8, parts: &[TypeIndex]) {
        self.out.push(tag);
        parts.iter().for_each(|&part| self.ty(part));
    }

    fn members(&mut self, members: &[Member]) {
        self.number(members.len());
        for member in members {
            self.text(member.name);
            if member.fill.is_some() {
                self.optional.push(self.fields);
            }
            self.fields += 1;
            self.ty(member.ty);
        }
    }

    fn named(&mut self, name: &str) {
        self.out.push(1);
        self.text(name);
    }

    fn text(&mut self, text: &str) {
        self.number(text.len());
        self.out.extend_from_slice(text.as_bytes());
    }

    fn number(&mut self, number: usize) {
        let mut bytes = [0; 19];
        let len = varint::write(number as u128, &mut bytes);
        self.out.extend_from_slice(&bytes[..len]);
    }

    fn is_byte(&self, index: TypeIndex) -> bool {
        matches!(self.description.get(index).kind, Kind::Scalar(Scalar::U8))
    }
}

pub(in crate::codec) fn scalar_name(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::Bool => "bool",
        Scalar::Char => "char",
        Scalar::U8 => "u8",
        Scalar::I8 => "i8",
        Scalar::U16 => "u16",
        Scalar::U32 => "u32",
        // A `usize` is written like a `u64`, whatever the machine.
        Scalar::U64 | Scalar::Usize => "u64",
        Scalar::U128 => "u128",
        Scalar::I16 => "i16",
        Scalar::I32 => "i32",
        Scalar::I64 | Scalar::Isize => "i64",
        Scalar::I128 => "i128",
        Scalar::F32 => "f32",
        Scalar::F64 => "f64",
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
    use std::rc::Rc;
    use std::sync::Arc;

    use bytes::Bytes;
    use facet::Facet;

    use super::*;
    use crate::error::VoxError;

    fn bytes_of<T: Facet<'static>>() -> Vec<u8> {
        schema_of(T::SHAPE).expect("it can cross").bytes().to_vec()
    }

    #[track_caller]
    fn same<A: Facet<'static>, B: Facet<'static>>() {
        assert_eq!(bytes_of::<A>(), bytes_of::<B>());
    }

    #[track_caller]
    fn differ<A: Facet<'static>, B: Facet<'static>>() {
        assert_ne!(schema_of(A::SHAPE).map(|s| s.hash()), schema_of(B::SHAPE).map(|s| s.hash()));
    }

    #[derive(Facet)]
    struct Account {
        id: u64,
        name: String,
    }

    #[derive(Facet)]
    #[repr(u8)]
    #[allow(dead_code)]
    enum Shape1 {
        Dot,
        Circle { radius: f64 },
        Square(f64),
    }

    #[test]
    fn the_bytes_are_as_the_table_says() {
        assert_eq!(bytes_of::<u8>(), b"\x01\x01\x02u8");
        assert_eq!(bytes_of::<Account>(), b"\x01\x02\x02\x02id\x01\x03u64\x04name\x01\x06string");
        assert_eq!(
            bytes_of::<Shape1>(),
            b"\x01\x03\x03\x03Dot\x00\x06Circle\x01\x06radius\x01\x03f64\x06Square\x01\x010\x01\x03f64"
        );
        assert_eq!(bytes_of::<Result<u8, bool>>(), b"\x01\x05\x01\x02u8\x01\x04bool");
        assert_eq!(bytes_of::<[u16; 300]>(), b"\x01\x07\xac\x02\x01\x03u16");
        assert_eq!(bytes_of::<Vec<Option<u16>>>(), b"\x01\x06\x04\x01\x03u16");
        assert_eq!(bytes_of::<BTreeMap<u8, BTreeSet<i8>>>(), b"\x01\x08\x01\x02u8\x09\x01\x02i8");
        assert_eq!(bytes_of::<(Option<u8>, Option<u8>)>(), b"\x01\x02\x02\x010\x04\x01\x02u8\x011\x0c\x01");
    }

    #[test]
    fn what_does_not_show_in_an_encoding_is_left_out() {
        #[derive(Facet)]
        struct Renamed {
            id: u64,
            name: Box<str>,
        }
        same::<Account, Renamed>();
        same::<Account, Box<Account>>();
        same::<Account, Arc<Account>>();
        same::<String, Cow<'static, str>>();
        same::<Vec<u8>, Bytes>();
        same::<Vec<u8>, Rc<[u8]>>();
        same::<Vec<u16>, Box<[u16]>>();
        same::<u64, usize>();
        same::<HashMap<u8, u8>, BTreeMap<u8, u8>>();
        same::<HashSet<u8>, BTreeSet<u8>>();
    }

    #[test]
    fn what_shows_is_not() {
        #[derive(Facet)]
        struct Reordered {
            name: String,
            id: u64,
        }
        #[derive(Facet)]
        struct Named {
            id: u64,
            title: String,
        }
        #[derive(Facet)]
        #[repr(u8)]
        #[allow(dead_code)]
        enum Variants {
            Dot,
            Square(f64),
            Circle { radius: f64 },
        }
        differ::<Account, Reordered>();
        differ::<Account, Named>();
        differ::<Shape1, Variants>();
        differ::<u32, u64>();
        differ::<u32, i32>();
        differ::<String, Vec<u8>>();
        differ::<[u8; 4], [u8; 5]>();
        differ::<Vec<u16>, BTreeSet<u16>>();
        differ::<Option<u8>, u8>();
        differ::<Result<u8, bool>, Result<bool, u8>>();
    }

    #[test]
    fn pitfall_33_types_inside_themselves_have_a_schema() {
        #[derive(Facet)]
        struct Chain {
            value: u8,
            next: Option<Box<Chain>>,
        }
        assert_eq!(bytes_of::<Chain>(), b"\x01\x02\x02\x05value\x01\x02u8\x04next\x04\x0c\x00");

        #[derive(Facet)]
        struct Tree {
            children: Vec<Tree>,
        }
        assert_eq!(bytes_of::<Tree>(), b"\x01\x02\x01\x08children\x06\x0c\x00");
    }

    #[test]
    fn types_that_share_much_have_short_schemas() {
        type Twice<T> = (T, T);
        type Eight<T> = Twice<Twice<Twice<T>>>;
        type Wide = Eight<Eight<Eight<Eight<Option<u8>>>>>;
        assert!(bytes_of::<Wide>().len() < 200);
    }

    #[test]
    fn the_schema_of_a_response_is_what_its_method_can_return() {
        let response = response_type_of(<Result<Account, VoxError<bool>>>::SHAPE).expect("it can cross");
        let account = &bytes_of::<Account>()[1..];
        assert_eq!(response.0.bytes(), [b"\x01\x05", account, b"\x01\x04bool"].concat());
    }

    #[test]
    fn a_type_that_cannot_cross_has_none() {
        assert!(schema_of(<&'static u8>::SHAPE).is_err());
    }
}
