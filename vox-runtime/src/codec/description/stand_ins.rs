//! Types that stand in for those of a version that is not compiled in: structs, enums and what is encoded whole, laid out here.
//!
//! A translation into them reads what the other version would read, and says what it would say. Their values are never looked at.

use std::alloc::Layout;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use facet::Facet;

use super::{Described, Description, Glue, Kind, Member, Scalar, TagWidth, TypeIndex, Variant};
use crate::codec::leaf::{self, BYTES, STRING};
use crate::codec::translation::scalar_named;
use crate::schema::{Graph, NodeField, NodeKind};

impl Description {
    /// Describes the type at `root` of a graph without rings, and all that it is of. `None`: it is of something else than these stand in for.
    pub(in crate::codec) fn of_stand_in(graph: &Graph, root: usize) -> Option<Self> {
        let mut types = Vec::new();
        let root = describe(graph, root, &mut types)?;
        Some(Self { types, root })
    }

    /// How much room a value of the type takes.
    pub(in crate::codec) fn layout(&self) -> Layout {
        self.get(self.root()).layout()
    }
}

fn describe(graph: &Graph, at: usize, types: &mut Vec<Described>) -> Option<TypeIndex> {
    let node = graph.get(at);
    let (kind, layout, glue) = match &node.kind {
        NodeKind::Named(name) => named(name, types)?,
        NodeKind::Struct(of) => {
            let (members, layout) = members(graph, of, Layout::new::<()>(), types)?;
            (Kind::Struct(members), layout, Glue::ByParts)
        }
        NodeKind::Enum(of) => {
            let tag = Layout::new::<u32>();
            let mut whole = tag;
            let mut variants = Vec::new();
            for (number, variant) in of.iter().enumerate() {
                let (members, layout) = members(graph, &variant.fields, tag, types)?;
                whole =
                    Layout::from_size_align(whole.size().max(layout.size()), whole.align().max(layout.align())).ok()?;
                let (name, discriminant, tag) = (kept(&variant.name), number as i64, number as u64);
                variants.push(Variant { name, discriminant, tag, members });
            }
            let name = kept(node.name.as_deref().unwrap_or("it"));
            (Kind::Enum { name, tag: TagWidth::Four, variants }, whole.pad_to_align(), Glue::Nothing)
        }
        NodeKind::Of(..) | NodeKind::Array(..) | NodeKind::Begun => return None,
    };
    Some(push(types, kind, layout, glue))
}

fn named(name: &str, types: &mut Vec<Described>) -> Option<(Kind, Layout, Glue)> {
    if let Some(scalar) = scalar_named(name) {
        return Some((Kind::Scalar(scalar), scalar.layout(), Glue::Nothing));
    }
    // Values that stand in are empty texts, which own nothing.
    if name == STRING {
        return Some((Kind::String, Layout::new::<String>(), Glue::Nothing));
    }
    if name == BYTES {
        let item = push(types, Kind::Scalar(Scalar::U8), Layout::new::<u8>(), Glue::Nothing);
        let facet::Def::List(def) = <Vec<u8>>::SHAPE.def else { return None };
        return Some((Kind::List { ops: super::ListOps::new(&def)?, item }, Layout::new::<Vec<u8>>(), Glue::Nothing));
    }
    let ops = leaf::leaf_named(name)?;
    Some((Kind::Leaf(ops), ops.layout, ops.drop.map_or(Glue::Nothing, Glue::Leaf)))
}

/// Fields one after the other, behind what `head` takes.
fn members(
    graph: &Graph,
    fields: &[NodeField],
    head: Layout,
    types: &mut Vec<Described>,
) -> Option<(Vec<Member>, Layout)> {
    let (mut whole, mut members) = (head, Vec::new());
    for field in fields {
        let ty = describe(graph, field.ty, types)?;
        let (longer, offset) = whole.extend(types[ty.0].layout()).ok()?;
        whole = longer;
        members.push(Member { name: kept(&field.name), offset, ty, fill: None });
    }
    Some((members, whole.pad_to_align()))
}

fn push(types: &mut Vec<Described>, kind: Kind, layout: Layout, glue: Glue) -> TypeIndex {
    let (size, align) = (layout.size(), layout.align());
    types.push(Described { shape: <()>::SHAPE, kind, size, align, glue });
    TypeIndex(types.len() - 1)
}

/// A name that stays, as those of compiled types do. Each is kept once.
fn kept(name: &str) -> &'static str {
    static KEPT: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = kept.get(name) {
        return known;
    }
    let name: &'static str = name.to_owned().leak();
    kept.insert(name);
    name
}
