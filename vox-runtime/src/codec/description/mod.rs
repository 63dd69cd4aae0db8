//! What a type is, in the codec's own words.
//!
//! This room reads facet's `Shape` tree and is the only one that knows facet: out come types by
//! index, each with its layout, its kind, and the functions that make and read it. It fails
//! closed: a shape that it does not know, or an attribute that would change what is encoded, is a
//! [`PlanError`] naming the way to it, never a guess. What a shape says of layouts is checked in
//! `layouts`, before anything is written by it.

#[allow(unsafe_code, reason = "looks at a hash map to see whether it has the standard hasher")]
mod containers;
mod describer;
#[allow(unsafe_code, reason = "calls the functions of facet's shapes, of maps and sets")]
mod entries;
#[allow(unsafe_code, reason = "drops values through the functions of facet's shapes")]
mod glue;
mod layouts;
mod lengths;
mod names;
mod placement;
mod refusals;
mod schemas;
mod stand_ins;
#[allow(unsafe_code, reason = "calls the functions of facet's shapes")]
mod vtables;

use std::alloc::Layout;

use facet::Shape;

use super::PlanError;
use super::channels::ChannelKind;
use super::leaf::LeafOps;

pub(crate) use names::{names_in, names_in_response};
pub(super) use schemas::scalar_name;
pub use schemas::schema_of;
pub(crate) use schemas::{NamedTypes, response_type_of, type_of};

pub(super) use entries::{MapOps, Pair, SetOps};
pub(super) use glue::{Fill, Glue};
pub(super) use vtables::{ListOps, OptionOps, ResultOps, SharedOps, SliceOps};

/// A type and all types it is made of.
pub(super) struct Description {
    types: Vec<Described>,
    root: TypeIndex,
}

/// One type of a [`Description`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TypeIndex(usize);

/// What one type is.
pub(super) struct Described {
    pub(super) shape: &'static Shape,
    pub(super) kind: Kind,
    pub(super) size: usize,
    pub(super) align: usize,
    glue: Glue,
}

/// The kinds of types, by how they are encoded.
pub(super) enum Kind {
    Scalar(Scalar),
    String,
    Leaf(&'static LeafOps),
    Struct(Vec<Member>),
    Enum {
        name: &'static str,
        tag: TagWidth,
        variants: Vec<Variant>,
    },
    Option {
        ops: OptionOps,
        some: TypeIndex,
    },
    Result {
        ops: ResultOps,
        ok: TypeIndex,
        err: TypeIndex,
    },
    Box(TypeIndex),
    Shared {
        ops: SharedOps,
        content: TypeIndex,
    },
    Slice {
        ops: SliceOps,
        item: TypeIndex,
    },
    List {
        ops: ListOps,
        item: TypeIndex,
    },
    Array {
        item: TypeIndex,
        len: usize,
    },
    Map {
        ops: MapOps,
        key: TypeIndex,
        value: TypeIndex,
    },
    Set {
        ops: SetOps,
        item: TypeIndex,
    },
    Channel {
        kind: ChannelKind,
        item: TypeIndex,
        item_shape: &'static Shape,
    },
    /// Stands in while the type itself is being described.
    Unfinished,
}

/// The primitive types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    Bool,
    Char,
    U8,
    I8,
    U16,
    U32,
    U64,
    U128,
    Usize,
    I16,
    I32,
    I64,
    I128,
    Isize,
    F32,
    F64,
}

/// A part of a struct or of a variant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) offset: usize,
    pub(super) ty: TypeIndex,
    /// How to make it where its sender has none.
    pub(super) fill: Option<Fill>,
}

/// A variant of an enum: the tag it has in memory, and its members at offsets from the enum.
pub(super) struct Variant {
    pub(super) name: &'static str,
    discriminant: i64,
    pub(super) tag: u64,
    pub(super) members: Vec<Member>,
}

/// How wide an enum's tag is in memory; it always comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TagWidth {
    One,
    Two,
    Four,
    Eight,
}

impl Described {
    pub(super) fn layout(&self) -> Layout {
        Layout::from_size_align(self.size, self.align).expect("it was a layout before")
    }
}

impl TagWidth {
    fn mask(self) -> u64 {
        match self {
            Self::One => u64::from(u8::MAX),
            Self::Two => u64::from(u16::MAX),
            Self::Four => u64::from(u32::MAX),
            Self::Eight => u64::MAX,
        }
    }
}

impl Description {
    /// Describes the type of `shape`.
    pub(super) fn of(shape: &'static Shape) -> Result<Self, PlanError> {
        let (types, root) = describer::describe(shape)?;
        let description = Self { types, root };
        description.check_channels(shape)?;
        Ok(description)
    }

    pub(super) fn root(&self) -> TypeIndex {
        self.root
    }

    pub(super) fn get(&self, index: TypeIndex) -> &Described {
        &self.types[index.0]
    }

    /// How to drop a value of a type, or `None` if there is nothing to drop.
    pub(super) fn glue(&self, index: TypeIndex) -> Option<Glue> {
        let described = self.get(index);
        match &described.kind {
            Kind::Struct(members) if matches!(described.glue, Glue::ByParts) => {
                let parts: Box<[_]> =
                    members.iter().filter_map(|member| Some((member.offset, self.glue(member.ty)?))).collect();
                (!parts.is_empty()).then_some(Glue::Parts(parts))
            }
            Kind::Option { ops, some } => Some(Glue::Option(*ops, Box::new(self.glue(*some)?))),
            Kind::Array { item, len } => {
                let each = Box::new(self.glue(*item)?);
                let stride = self.get(*item).size;
                (*len > 0).then_some(Glue::Repeat { each, len: *len, stride })
            }
            _ => match described.glue {
                Glue::Nothing => None,
                ref glue => Some(glue.clone()),
            },
        }
    }
}
