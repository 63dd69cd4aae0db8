//! What a type is, in the codec's own words.
//!
//! This room reads facet's `Shape` tree and is the only one that knows facet: out come types by
//! index, each with its layout, its kind, and the functions that make and read it. It fails
//! closed: a shape that it does not know, or an attribute that would change what is encoded, is a
//! [`PlanError`] naming the way to it, never a guess.

mod containers;
mod refusals;
mod vtables;

use std::any::TypeId;
use std::collections::{HashMap, HashSet};

use facet::{
    Def, EnumRepr, EnumType, Field, KnownPointer, MarkerTraits, PointerDef, Shape, StructKind, StructType, Type,
    TypeOps, UserType,
};

use super::PlanError;
use super::channels::{self, ChannelKind};
use super::leaf::{self, LeafOps};

pub(super) use vtables::{Glue, ListOps, MapOps, OptionOps, ResultOps, SetOps, SharedOps, SliceOps};

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
}

/// A variant of an enum: the tag it has in memory, and its members at offsets from the enum.
pub(super) struct Variant {
    pub(super) name: &'static str,
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
        let mut describer =
            Describer { types: Vec::new(), known: HashMap::new(), path: vec![shape.type_identifier.to_owned()] };
        let root = describer.describe(shape)?;
        let description = Self { types: describer.types, root };
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

    /// The fewest bytes an encoding of a type takes, or less.
    pub(super) fn min_len(&self, index: TypeIndex) -> usize {
        self.min_len_within(index, &mut HashMap::new())
    }

    fn min_len_within(&self, index: TypeIndex, seen: &mut HashMap<TypeIndex, usize>) -> usize {
        if let Some(&known) = seen.get(&index) {
            return known;
        }
        // A type inside itself counts for nothing, which is no more than it takes.
        seen.insert(index, 0);
        let mut sum = |members: &[Member]| {
            members.iter().fold(0usize, |sum, m| sum.saturating_add(self.min_len_within(m.ty, seen)))
        };
        let min = match &self.get(index).kind {
            Kind::Scalar(Scalar::F32) => 4,
            Kind::Scalar(Scalar::F64) => 8,
            Kind::Scalar(Scalar::Char) => 2,
            Kind::Scalar(_) | Kind::String | Kind::Option { .. } => 1,
            Kind::List { .. } | Kind::Slice { .. } | Kind::Map { .. } | Kind::Set { .. } => 1,
            Kind::Channel { .. } => 1,
            Kind::Leaf(ops) => ops.min,
            Kind::Struct(members) => sum(members),
            Kind::Enum { variants, .. } => 1 + variants.iter().map(|v| sum(&v.members)).min().unwrap_or(0),
            Kind::Result { ok, err, .. } => 1 + self.min_len_within(*ok, seen).min(self.min_len_within(*err, seen)),
            Kind::Box(inner) | Kind::Shared { content: inner, .. } => self.min_len_within(*inner, seen),
            Kind::Array { item, len } => self.min_len_within(*item, seen).saturating_mul(*len),
            Kind::Unfinished => 0,
        };
        seen.insert(index, min);
        min
    }

    /// The most bytes an encoding of a type takes, if that is a small number.
    pub(super) fn max_len(&self, index: TypeIndex) -> Option<usize> {
        let sum = |members: &[Member]| members.iter().try_fold(0usize, |sum, m| bounded(sum + self.max_len(m.ty)?));
        match &self.get(index).kind {
            Kind::Scalar(scalar) => Some(match scalar {
                Scalar::Bool | Scalar::U8 | Scalar::I8 => 1,
                Scalar::U16 | Scalar::I16 => 3,
                Scalar::U32 | Scalar::I32 | Scalar::Char => 5,
                Scalar::U64 | Scalar::I64 | Scalar::Usize | Scalar::Isize => 10,
                Scalar::U128 | Scalar::I128 => 19,
                Scalar::F32 => 4,
                Scalar::F64 => 8,
            }),
            Kind::Struct(members) => sum(members),
            Kind::Enum { variants, .. } => {
                let longest = variants.iter().try_fold(0, |max: usize, v| Some(max.max(sum(&v.members)?)))?;
                bounded(5 + longest)
            }
            Kind::Option { some, .. } => bounded(1 + self.max_len(*some)?),
            Kind::Result { ok, err, .. } => bounded(1 + self.max_len(*ok)?.max(self.max_len(*err)?)),
            Kind::Array { item, len } => bounded(self.max_len(*item)?.checked_mul(*len)?),
            Kind::String
            | Kind::Leaf(_)
            | Kind::Box(_)
            | Kind::Shared { .. }
            | Kind::Slice { .. }
            | Kind::List { .. }
            | Kind::Map { .. }
            | Kind::Set { .. }
            | Kind::Channel { .. }
            | Kind::Unfinished => None,
        }
    }

    /// Refuses channels inside collections and shared owners: the first have no number of
    /// channels, the second no owner who could give a half away.
    fn check_channels(&self, shape: &'static Shape) -> Result<(), PlanError> {
        let mut seen = HashSet::new();
        let mut path = vec![shape.type_identifier.to_owned()];
        self.check_channels_below(self.root, None, &mut seen, &mut path)
    }

    fn check_channels_below(
        &self,
        index: TypeIndex,
        inside: Option<&'static str>,
        seen: &mut HashSet<(TypeIndex, bool)>,
        path: &mut Vec<String>,
    ) -> Result<(), PlanError> {
        if !seen.insert((index, inside.is_some())) {
            return Ok(());
        }
        let mut below = |ty: TypeIndex, inside, step: String| {
            path.push(step);
            let result = self.check_channels_below(ty, inside, seen, path);
            path.pop();
            result
        };
        match &self.get(index).kind {
            Kind::Channel { item, item_shape, kind } => match inside {
                None => below(*item, None, "<item>".to_owned()),
                Some(inside) => Err(PlanError {
                    path: path.concat(),
                    type_name: format!("{kind:?}<{item_shape}>"),
                    reason: format!("a channel cannot stand inside {inside}").into(),
                    instead: "give it a field or an argument of its own, or an Option or Box of it".into(),
                }),
            },
            Kind::Struct(members) => members.iter().try_for_each(|m| below(m.ty, inside, format!(".{}", m.name))),
            Kind::Enum { variants, .. } => variants.iter().try_for_each(|v| {
                v.members.iter().try_for_each(|m| below(m.ty, inside, format!("::{}.{}", v.name, m.name)))
            }),
            Kind::Option { some: inner, .. } | Kind::Box(inner) => below(*inner, inside, String::new()),
            Kind::Result { ok, err, .. } => {
                below(*ok, inside, "::Ok".to_owned())?;
                below(*err, inside, "::Err".to_owned())
            }
            Kind::Shared { content, .. } => below(*content, Some("a shared owner"), String::new()),
            Kind::Slice { item, .. } | Kind::List { item, .. } | Kind::Array { item, .. } | Kind::Set { item, .. } => {
                below(*item, Some("a collection"), "[]".to_owned())
            }
            Kind::Map { key, value, .. } => {
                below(*key, Some("a collection"), "{key}".to_owned())?;
                below(*value, Some("a collection"), "{value}".to_owned())
            }
            Kind::Scalar(_) | Kind::String | Kind::Leaf(_) | Kind::Unfinished => Ok(()),
        }
    }
}

/// Encodings that may be longer than this are not reserved for in one piece.
const LONGEST_BOUND: usize = 4096;

fn bounded(len: usize) -> Option<usize> {
    (len <= LONGEST_BOUND).then_some(len)
}

/// The most types one description may have.
const MAX_TYPES: usize = 4096;

/// How deep types may nest in types.
const MAX_TYPE_DEPTH: usize = 128;

struct Describer {
    types: Vec<Described>,
    known: HashMap<TypeId, TypeIndex>,
    path: Vec<String>,
}

impl Describer {
    fn describe(&mut self, shape: &'static Shape) -> Result<TypeIndex, PlanError> {
        let id = shape.id.get();
        if let Some(&index) = self.known.get(&id) {
            return Ok(index);
        }
        let Ok(layout) = shape.layout.sized_layout() else {
            return Err(self.refuse(shape, "it has no size of its own", "send an owner of it"));
        };
        if self.types.len() >= MAX_TYPES || self.path.len() > MAX_TYPE_DEPTH {
            return Err(self.refuse(shape, "too many types are involved", "send a simpler type"));
        }
        let index = TypeIndex(self.types.len());
        self.known.insert(id, index);
        self.types.push(Described {
            kind: Kind::Unfinished,
            size: layout.size(),
            align: layout.align(),
            glue: Glue::Nothing,
        });
        let kind = self.kind_of(shape)?;
        self.types[index.0].glue = self.glue_of(shape, &kind)?;
        self.types[index.0].kind = kind;
        Ok(index)
    }

    fn kind_of(&mut self, shape: &'static Shape) -> Result<Kind, PlanError> {
        let id = shape.id.get();
        if let Some(scalar) = scalar_of(id) {
            return Ok(Kind::Scalar(scalar));
        }
        if id == TypeId::of::<String>() {
            return Ok(Kind::String);
        }
        if let Some(ops) = leaf::leaf_of(id) {
            return Ok(Kind::Leaf(ops));
        }
        if let Some((kind, item_shape)) = channels::channel_of(shape) {
            let item = self.below("<item>", item_shape)?;
            return Ok(Kind::Channel { kind, item, item_shape });
        }
        if let Some(refusal) = refusals::of_shape(shape) {
            return Err(self.refuse(shape, refusal.reason, refusal.instead));
        }
        match shape.def {
            Def::Option(def) => {
                let some = self.below("", def.t)?;
                Ok(Kind::Option { ops: OptionOps::new(&def), some })
            }
            Def::Result(def) => {
                let ok = self.below("::Ok", def.t)?;
                let err = self.below("::Err", def.e)?;
                Ok(Kind::Result { ops: ResultOps::new(&def), ok, err })
            }
            Def::List(def) => self.list(shape, &def),
            Def::Map(def) => self.map(shape, &def),
            Def::Set(def) => self.set(shape, &def),
            Def::Array(def) => {
                let item = self.below("[]", def.t)?;
                Ok(Kind::Array { item, len: def.n })
            }
            Def::Pointer(def) => self.pointer(shape, &def),
            Def::Undefined | Def::Scalar => self.user(shape),
            _ => Err(self.unknown(shape)),
        }
    }

    fn user(&mut self, shape: &'static Shape) -> Result<Kind, PlanError> {
        match &shape.ty {
            Type::User(UserType::Struct(ty)) if refusals::is_plain_struct(shape, ty) => self.structure(shape, ty),
            Type::User(UserType::Enum(ty)) if matches!(shape.def, Def::Undefined) => self.enumeration(shape, ty),
            _ => Err(self.unknown(shape)),
        }
    }

    fn structure(&mut self, shape: &'static Shape, ty: &StructType) -> Result<Kind, PlanError> {
        if ty.repr.packed {
            return Err(self.refuse(shape, "it is packed", "drop `packed` from its repr"));
        }
        Ok(Kind::Struct(self.members(ty.fields)?))
    }

    fn members(&mut self, fields: &'static [Field]) -> Result<Vec<Member>, PlanError> {
        fields
            .iter()
            .map(|field| {
                self.path.push(format!(".{}", field.name));
                if let Some(refusal) = refusals::of_field(field) {
                    return Err(self.refuse(field.shape(), refusal.reason, refusal.instead));
                }
                let ty = self.describe(field.shape())?;
                self.path.pop();
                Ok(Member { name: field.name, offset: field.offset, ty })
            })
            .collect()
    }

    fn enumeration(&mut self, shape: &'static Shape, ty: &EnumType) -> Result<Kind, PlanError> {
        let tag = match ty.enum_repr {
            EnumRepr::U8 | EnumRepr::I8 => TagWidth::One,
            EnumRepr::U16 | EnumRepr::I16 => TagWidth::Two,
            EnumRepr::U32 | EnumRepr::I32 => TagWidth::Four,
            EnumRepr::U64 | EnumRepr::I64 => TagWidth::Eight,
            EnumRepr::USize | EnumRepr::ISize if usize::BITS == 64 => TagWidth::Eight,
            EnumRepr::USize | EnumRepr::ISize => TagWidth::Four,
            EnumRepr::Rust | EnumRepr::RustNPO => {
                let reason = "its layout is the compiler's secret";
                return Err(self.refuse(shape, reason, "give it `#[repr(u8)]`"));
            }
        };
        let mut variants = Vec::with_capacity(ty.variants.len());
        for variant in ty.variants {
            self.path.push(format!("::{}", variant.name));
            if let Some(refusal) = refusals::of_variant(variant) {
                return Err(self.refuse(shape, refusal.reason, refusal.instead));
            }
            let Some(discriminant) = variant.discriminant else {
                return Err(self.refuse(shape, "its discriminants are unknown", "spell them out"));
            };
            variants.push(Variant {
                name: variant.name,
                tag: discriminant as u64 & tag.mask(),
                members: self.members(variant.data.fields)?,
            });
            self.path.pop();
        }
        Ok(Kind::Enum { tag, variants })
    }

    fn pointer(&mut self, shape: &'static Shape, def: &PointerDef) -> Result<Kind, PlanError> {
        let Some(pointee) = def.pointee else {
            return Err(self.unknown(shape));
        };
        match def.known {
            Some(KnownPointer::Box | KnownPointer::Rc | KnownPointer::Arc) => {}
            Some(KnownPointer::SharedReference | KnownPointer::ExclusiveReference) => {
                let refusal = refusals::reference(pointee);
                return Err(self.refuse(shape, refusal.reason, refusal.instead));
            }
            Some(KnownPointer::Cow) => {
                let reason = "only `Cow<str>` and `Cow<[u8]>` can be made owned";
                return Err(self.refuse(shape, reason, "send what the `Cow` holds"));
            }
            _ => return Err(self.unknown(shape)),
        }
        if let Def::Slice(slice) = pointee.def {
            let Some(ops) = SliceOps::new(def, &slice, shape) else {
                return Err(self.unknown(shape));
            };
            let item = self.below("[]", slice.t)?;
            return Ok(Kind::Slice { ops, item });
        }
        let content = self.below("", pointee)?;
        if matches!(def.known, Some(KnownPointer::Box)) {
            return Ok(Kind::Box(content));
        }
        match SharedOps::new(def) {
            Some(ops) => Ok(Kind::Shared { ops, content }),
            None => Err(self.unknown(shape)),
        }
    }

    fn glue_of(&self, shape: &'static Shape, kind: &Kind) -> Result<Glue, PlanError> {
        if shape.marker_traits.contains(MarkerTraits::COPY) {
            return Ok(Glue::Nothing);
        }
        Ok(match (kind, shape.type_ops) {
            (Kind::Scalar(_), _) => Glue::Nothing,
            (Kind::Leaf(ops), _) => ops.drop.map_or(Glue::Nothing, Glue::Leaf),
            // facet drops tuples and arrays part by part through the parts' shapes, and forgets
            // the parts whose shapes have no such function (`Bytes`).
            (Kind::Array { .. }, _) => Glue::ByParts,
            (Kind::Struct(_), _) if is_tuple(shape) => Glue::ByParts,
            (_, Some(TypeOps::Direct(ops))) => Glue::Direct(ops.drop_in_place),
            (_, Some(TypeOps::Indirect(ops))) => Glue::Indirect(ops.drop_in_place, shape),
            (Kind::Struct(_), None) => Glue::ByParts,
            (_, None) => {
                return Err(self.refuse(shape, "its shape cannot drop it", "derive `Facet`"));
            }
        })
    }

    fn below(&mut self, step: &str, shape: &'static Shape) -> Result<TypeIndex, PlanError> {
        self.path.push(step.to_owned());
        let index = self.describe(shape)?;
        self.path.pop();
        Ok(index)
    }

    fn refuse(&self, shape: &Shape, reason: &'static str, instead: &'static str) -> PlanError {
        PlanError {
            path: self.path.concat(),
            type_name: shape.to_string(),
            reason: reason.into(),
            instead: instead.into(),
        }
    }

    fn unknown(&self, shape: &Shape) -> PlanError {
        let refusal = refusals::unknown();
        self.refuse(shape, refusal.reason, refusal.instead)
    }
}

fn is_tuple(shape: &Shape) -> bool {
    matches!(&shape.ty, Type::User(UserType::Struct(ty)) if ty.kind == StructKind::Tuple)
}

fn scalar_of(id: TypeId) -> Option<Scalar> {
    let scalars = [
        (TypeId::of::<bool>(), Scalar::Bool),
        (TypeId::of::<char>(), Scalar::Char),
        (TypeId::of::<u8>(), Scalar::U8),
        (TypeId::of::<i8>(), Scalar::I8),
        (TypeId::of::<u16>(), Scalar::U16),
        (TypeId::of::<u32>(), Scalar::U32),
        (TypeId::of::<u64>(), Scalar::U64),
        (TypeId::of::<u128>(), Scalar::U128),
        (TypeId::of::<usize>(), Scalar::Usize),
        (TypeId::of::<i16>(), Scalar::I16),
        (TypeId::of::<i32>(), Scalar::I32),
        (TypeId::of::<i64>(), Scalar::I64),
        (TypeId::of::<i128>(), Scalar::I128),
        (TypeId::of::<isize>(), Scalar::Isize),
        (TypeId::of::<f32>(), Scalar::F32),
        (TypeId::of::<f64>(), Scalar::F64),
    ];
    scalars.iter().find(|(known, _)| *known == id).map(|(_, scalar)| *scalar)
}
