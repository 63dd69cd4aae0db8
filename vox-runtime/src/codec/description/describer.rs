//! Reads shapes.

use std::any::TypeId;
use std::collections::{HashMap, HashSet};

use facet::{
    Def, DefaultSource, EnumRepr, EnumType, Field, KnownPointer, MarkerTraits, PointerDef, Shape, StructKind,
    StructType, Type, TypeOps, UserType,
};

use super::layouts;
use super::refusals;
use super::{
    Described, Fill, Glue, Kind, Member, OptionOps, ResultOps, Scalar, SharedOps, SliceOps, TagWidth, TypeIndex,
    Variant,
};
use crate::codec::PlanError;
use crate::codec::channels;
use crate::codec::leaf;

/// The most types one description may have.
const MAX_TYPES: usize = 4096;

/// How deep types may nest in types.
const MAX_TYPE_DEPTH: usize = 128;

/// The types that `shape` is made of, and which of them is its own.
pub(super) fn describe(shape: &'static Shape) -> Result<(Vec<Described>, TypeIndex), PlanError> {
    let mut describer =
        Describer { types: Vec::new(), known: HashMap::new(), path: vec![shape.type_identifier.to_owned()] };
    let root = describer.describe(shape)?;
    Ok((describer.types, root))
}

pub(super) struct Describer {
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
            shape,
            kind: Kind::Unfinished,
            size: layout.size(),
            align: layout.align(),
            glue: Glue::Nothing,
        });
        let kind = self.kind_of(shape)?;
        if let Some(reason) = layouts::fault(&self.types, layout, &kind) {
            return Err(self.refuse(shape, reason, help_of(&kind)));
        }
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
        let mut names = HashSet::new();
        fields
            .iter()
            .map(|field| {
                self.path.push(format!(".{}", field.name));
                if let Some(refusal) = refusals::of_field(field) {
                    return Err(self.refuse(field.shape(), refusal.reason, refusal.instead));
                }
                let ty = self.describe(field.shape())?;
                let fill = self.fill_of(field, ty);
                let name = field.effective_name();
                if !names.insert(name) {
                    let reason = "two fields of one type have this name on the wire";
                    return Err(self.refuse(field.shape(), reason, "rename one of them"));
                }
                self.path.pop();
                Ok(Member { name, offset: field.offset, ty, fill })
            })
            .collect()
    }

    /// How to make a field that its sender does not have, if that can be.
    fn fill_of(&self, field: &Field, ty: TypeIndex) -> Option<Fill> {
        match (field.default, &self.types[ty.0].kind) {
            (Some(DefaultSource::Custom(make)), _) => Some(Fill::Custom(make)),
            (Some(DefaultSource::FromTrait), _) => Fill::of_default(field.shape()),
            (None, Kind::Option { ops, .. }) => Some(Fill::Absent(*ops)),
            (None, _) => None,
        }
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
                name: variant.effective_name(),
                discriminant,
                tag: discriminant as u64 & tag.mask(),
                members: self.members(variant.data.fields)?,
            });
            self.path.pop();
        }
        Ok(Kind::Enum { name: shape.type_identifier, tag, variants })
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

    pub(super) fn below(&mut self, step: &str, shape: &'static Shape) -> Result<TypeIndex, PlanError> {
        self.path.push(step.to_owned());
        let index = self.describe(shape)?;
        self.path.pop();
        Ok(index)
    }

    pub(super) fn refuse(&self, shape: &Shape, reason: &'static str, instead: &'static str) -> PlanError {
        PlanError {
            path: self.path.concat(),
            type_name: shape.to_string(),
            reason: reason.into(),
            instead: instead.into(),
        }
    }

    pub(super) fn unknown(&self, shape: &Shape) -> PlanError {
        let refusal = refusals::unknown(shape);
        self.refuse(shape, refusal.reason, refusal.instead)
    }
}

/// What to do about a layout that is not what the shape says.
fn help_of(kind: &Kind) -> &'static str {
    match kind {
        Kind::Enum { .. } => "give it `#[repr(u64)]` or `#[repr(i64)]`, or smaller discriminants",
        _ => "derive `Facet` instead of writing its shape by hand",
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
