//! Programs that read values which another version of their type wrote.
//!
//! What the writer's schema says and what the reader's shape says are compiled into the same flat operations as a type by
//! itself: the parts in the order in which they are written, at the offsets where they are read. What the reader does not
//! have is passed over, and what the writer does not have is made.
//!
//! The schema is a peer's. Nothing of it decides where something is written, or how large it is: that comes from the shape
//! alone. What is compiled is bounded by what the shape compiles to.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use facet::Shape;

use super::compiler::{Compiler, Draft};
use super::description::{Description, Glue, Kind, Member, Scalar, TypeIndex, scalar_name};
use super::leaf::{BYTES, STRING};
use super::program::{
    BlockIndex, ChannelOp, EnumOp, ItemKind, Items, ListOp, MapOp, Op, OpKind, SetOp, SliceOp, Unwind,
};
use super::skips::{Lens, Run, Runs, Skips};
use super::weight::{ALLOCATION, Weight, many};
use super::{ChannelKind, PlanError, Program};
use crate::schema::{Container, Field, Type, Types, Variant, widens};

/// How to read values of one type that were written by another version of it.
#[derive(Debug)]
pub(crate) struct Translation {
    /// It has no operations to encode, and is nobody else's.
    program: Program,
}

/// An enum whose variants the writer counts otherwise.
pub(super) struct VariantsOp {
    /// By the writer's count.
    pub(super) op: EnumOp,
    /// The names of those that the reader does not have; empty where it has all.
    pub(super) unknown: Box<[Option<Arc<str>>]>,
    /// The name of the reader's type.
    pub(super) name: &'static str,
}

impl VariantsOp {
    /// What it takes, without the names.
    pub(super) fn bytes(&self) -> usize {
        let EnumOp { tags, variants, .. } = &self.op;
        let each = many::<u64>(tags.len()) + many::<BlockIndex>(variants.len());
        many::<Self>(1) + each + many::<Option<Arc<str>>>(self.unknown.len())
    }
}

/// How many operations a translation may have, for each that the type has by itself.
const MOST_PER_OP: usize = 4;
/// And how many more.
const MOST_MORE: usize = 256;
/// How many fields and variants are looked at.
pub(super) const MAX_WORK: usize = 1 << 16;
/// How deep pairs of types may stand inside each other.
const MAX_DEPTH: usize = 256;

impl Translation {
    /// How to read a value of `shape` that was written as the type numbered `at` of `types`, which are those of the schema. `Err`: why
    /// that cannot be. It adds what it takes to `weight`.
    pub(super) fn of(
        shape: &'static Shape,
        schema: &Bytes,
        types: &Types<'_>,
        at: usize,
        weight: &Weight,
    ) -> Result<Self, String> {
        let words = |error: PlanError| error.to_string();
        let most = Program::of(shape).map_err(words)?.ops() * MOST_PER_OP + MOST_MORE;
        Self::into(&Description::of(shape).map_err(words)?, shape, most, schema, (types, at), weight)
    }

    /// As [`of`](Self::of), for a type that may only stand in for one. `most`: how many operations it may have.
    pub(super) fn into(
        description: &Description,
        shape: &'static Shape,
        most: usize,
        schema: &Bytes,
        (types, at): (&Types<'_>, usize),
        weight: &Weight,
    ) -> Result<Self, String> {
        let lens = Lens::of(types);
        let (skips, runs) = Skips::of(types, &lens);
        let mut translator = Translator {
            compiler: Compiler::new(description),
            schema,
            types,
            lens,
            skips,
            runs,
            pairs: HashMap::new(),
            names: HashMap::new(),
            weight,
            skipped: false,
            most,
            work: 0,
            depth: 0,
        };
        let root = translator.block_of(description.root(), at)?;
        let skips = if translator.skipped { translator.skips } else { Skips::default() };
        let names: usize = translator.names.keys().map(|name| ALLOCATION + name.len()).sum();
        let program = Program::new(shape, translator.compiler, root, skips);
        weight.add(program.bytes() + names);
        Ok(Self { program })
    }

    pub(super) fn program(&self) -> &Program {
        &self.program
    }
}

/// As [`Translation::of`].
pub(crate) fn translation_of(
    shape: &'static Shape,
    schema: &Bytes,
    types: &Types<'_>,
    at: usize,
    weight: &Weight,
) -> Result<Translation, String> {
    Translation::of(shape, schema, types, at, weight)
}

struct Translator<'a> {
    compiler: Compiler<'a>,
    schema: &'a Bytes,
    types: &'a Types<'a>,
    lens: Lens,
    skips: Skips,
    runs: Runs,
    /// The blocks of types, as they are read and as they are written.
    pairs: HashMap<(TypeIndex, usize), BlockIndex>,
    /// Those of variants that the reader does not have, each once however often its type stands somewhere.
    names: HashMap<&'a str, Arc<str>>,
    weight: &'a Weight,
    skipped: bool,
    most: usize,
    work: usize,
    depth: usize,
}

type Compiled<T> = Result<T, String>;

impl<'a> Translator<'a> {
    fn block_of(&mut self, ty: TypeIndex, at: usize) -> Compiled<BlockIndex> {
        if let Some(&known) = self.pairs.get(&(ty, at)) {
            return Ok(known);
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("its types stand more than {MAX_DEPTH} deep inside each other"));
        }
        let index = self.compiler.new_block();
        self.pairs.insert((ty, at), index);
        let mut draft = Draft::default();
        self.emit(ty, at, 0, &mut draft)?;
        self.compiler.fill(index, ty, draft, self.lens.min[at]);
        self.depth -= 1;
        Ok(index)
    }

    fn emit(&mut self, ty: TypeIndex, at: usize, offset: usize, draft: &mut Draft) -> Compiled<()> {
        self.count(draft, 1)?;
        let description = self.compiler.description();
        let parts_from = draft.unwind.len();
        match (&description.get(ty).kind, self.types.get(at)) {
            (Kind::Struct(members), Type::Struct(fields)) => {
                let run = self.runs.get(at, 0);
                self.members(members, fields, run, offset, draft)?;
            }
            (Kind::Array { item, len }, Type::Array(other, inner)) if *len as u64 == *other => {
                self.array(*item, *len, *inner, offset, draft)?;
            }
            _ => {
                let kind = self.op_of(ty, at)?;
                draft.ops.push(Op { offset, kind });
            }
        }
        self.unwind(ty, parts_from, offset, draft);
        Ok(())
    }

    /// Notes that a value is complete.
    fn unwind(&self, ty: TypeIndex, parts_from: usize, offset: usize, draft: &mut Draft) {
        if let Some(glue) = self.compiler.description().glue(ty)
            && !matches!(glue, Glue::Parts(_))
        {
            draft.unwind.push(Unwind { end: draft.ops.len(), parts_from, offset, glue });
        }
    }

    /// The fields of a struct or a variant: in the order in which they are written, then those that are not.
    fn members(
        &mut self,
        members: &'a [Member],
        fields: &'a [Field<'a>],
        run: Run,
        offset: usize,
        draft: &mut Draft,
    ) -> Compiled<()> {
        self.look_at(members.len() + fields.len())?;
        let mut left: BTreeMap<_, _> = members.iter().map(|member| (member.name, member)).collect();
        // What is passed over ends at `to`.
        let (mut from, mut to) = (run.from, run.from);
        for field in fields {
            let next = to + u32::from(!self.lens.is_nothing[field.ty]);
            if let Some(member) = left.remove(field.name) {
                self.skip(Run { from, to }, draft)?;
                self.emit(member.ty, field.ty, offset + member.offset, draft)?;
                from = next;
            }
            to = next;
        }
        self.skip(Run { from, to }, draft)?;
        for member in members.iter().filter(|member| left.contains_key(member.name)) {
            let Some(fill) = member.fill else {
                return Err(format!("it has a field `{}` without a default, which is not sent", member.name));
            };
            self.count(draft, 1)?;
            let parts_from = draft.unwind.len();
            draft.ops.push(Op { offset: offset + member.offset, kind: OpKind::Fill(fill) });
            self.unwind(member.ty, parts_from, offset + member.offset, draft);
        }
        Ok(())
    }

    fn skip(&mut self, run: Run, draft: &mut Draft) -> Compiled<()> {
        if run.from == run.to {
            return Ok(());
        }
        self.look_at((run.to - run.from) as usize)?;
        if let Some(at) = self.skips.obstacle(run, false) {
            return Err(format!("it would have to pass over {}, which cannot be", self.types.words(at)));
        }
        self.skipped = true;
        draft.ops.push(Op { offset: 0, kind: OpKind::Skip(run) });
        Ok(())
    }

    fn array(&mut self, item: TypeIndex, len: usize, at: usize, offset: usize, draft: &mut Draft) -> Compiled<()> {
        let kind = self.item_kind(item, at);
        let block = self.block_of(item, at)?;
        let size = self.compiler.description().get(item).size;
        if let ItemKind::Raw = kind {
            draft.ops.push(Op { offset, kind: OpKind::Raw(len * size) });
        } else if Compiler::is_flat(len, self.compiler.len(block)) {
            for index in 0..len {
                self.emit(item, at, offset + index * size, draft)?;
            }
        } else {
            draft.ops.push(Op { offset, kind: OpKind::Array { item: block, len, reserves: false } });
        }
        Ok(())
    }

    fn op_of(&mut self, ty: TypeIndex, at: usize) -> Compiled<OpKind> {
        let description = self.compiler.description();
        let glue = || description.glue(ty).unwrap_or(Glue::Nothing);
        Ok(match (&description.get(ty).kind, self.types.get(at)) {
            (Kind::Scalar(to), Type::Named(name)) if scalar_name(*to) == *name => OpKind::Scalar(*to),
            (Kind::Scalar(to), Type::Named(name)) if widens(name, scalar_name(*to)) => match scalar_named(name) {
                Some(from) => OpKind::Widened { from, to: *to },
                None => return Err(self.differ(at)),
            },
            (Kind::String, Type::Named(STRING)) => OpKind::String,
            (Kind::Leaf(ops), Type::Named(name)) if ops.name == *name => OpKind::Leaf(ops),
            (Kind::List { item, .. } | Kind::Slice { item, .. }, Type::Named(BYTES)) if self.is_byte(*item) => {
                self.compiler.op_of(ty, false)
            }
            (Kind::Box(content), _) => OpKind::Box(self.block_of(*content, at)?),
            (Kind::Shared { ops, content }, _) => OpKind::Shared { ops: *ops, content: self.block_of(*content, at)? },
            (Kind::Enum { variants, tag, name }, Type::Enum(written)) => {
                self.look_at(written.len() + variants.len())?;
                let known: BTreeMap<_, _> = variants.iter().map(|variant| (variant.name, variant)).collect();
                let (mut tags, mut blocks, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
                for (number, Variant { name, fields }) in written.iter().enumerate() {
                    let (mut draft, run) = (Draft::default(), self.runs.get(at, number));
                    match known.get(name) {
                        Some(variant) => {
                            self.count(&draft, 1)?;
                            self.members(&variant.members, fields, run, 0, &mut draft)?;
                            tags.push(variant.tag);
                            unknown.push(None);
                        }
                        None => {
                            tags.push(0);
                            let name = self.names.entry(name).or_insert_with(|| Arc::from(*name));
                            unknown.push(Some(Arc::clone(name)));
                        }
                    }
                    blocks.push(match (draft.ops.is_empty(), blocks.last()) {
                        // All that are empty are alike.
                        (true, Some(last)) if self.compiler.len(*last) == Some(0) => *last,
                        _ => self.compiler.members_block(draft),
                    });
                }
                let is_plain = blocks.iter().all(|block| self.compiler.len(*block) == Some(0));
                let op = EnumOp {
                    width: *tag,
                    tags: tags.into(),
                    tags_are_indices: false,
                    variants: blocks.into(),
                    is_plain,
                    reserves: false,
                };
                let unknown = if unknown.iter().any(Option::is_some) { unknown.into() } else { Box::default() };
                OpKind::Variants(Arc::new(VariantsOp { op, unknown, name }))
            }
            (Kind::Option { ops, some }, Type::Of(Container::Option, of)) => {
                OpKind::Option { ops: *ops, some: self.block_of(*some, of[0])?, reserves: false }
            }
            (Kind::Result { ops, ok, err }, Type::Of(Container::Result, of)) => {
                let (ok, err) = (self.block_of(*ok, of[0])?, self.block_of(*err, of[1])?);
                OpKind::Result { ops: *ops, ok, err, reserves: false }
            }
            (Kind::List { ops, item }, Type::Of(Container::List, of)) => {
                OpKind::List(Arc::new(ListOp { ops: *ops, items: self.items(*item, of[0])?, glue: glue() }))
            }
            (Kind::Slice { ops, item }, Type::Of(Container::List, of)) => {
                OpKind::Slice(Arc::new(SliceOp { ops: *ops, items: self.items(*item, of[0])? }))
            }
            (Kind::Map { ops, key, value }, Type::Of(Container::Map, of)) => OpKind::Map(Arc::new(MapOp {
                ops: *ops,
                pair: ops.pair(description.get(*key).layout(), description.get(*value).layout()),
                key: self.items(*key, of[0])?,
                value: self.items(*value, of[1])?,
                glue: glue(),
            })),
            (Kind::Set { ops, item }, Type::Of(Container::Set, of)) => {
                OpKind::Set(Arc::new(SetOp { ops: *ops, items: self.items(*item, of[0])?, glue: glue() }))
            }
            (Kind::Channel { kind: ChannelKind::Tx, .. }, Type::Of(Container::Tx, _)) => self.compiler.op_of(ty, false),
            (Kind::Channel { kind: ChannelKind::Rx, item_shape, .. }, Type::Of(Container::Rx, of)) => {
                self.compiler.note_channel();
                let op = ChannelOp::new(ChannelKind::Rx, description.get(ty).layout(), item_shape);
                OpKind::Channel(Arc::new(op.written_as(self.schema.clone(), of[0], self.weight.clone())))
            }
            _ => return Err(self.differ(at)),
        })
    }

    fn items(&mut self, item: TypeIndex, at: usize) -> Compiled<Items> {
        Ok(Items { block: self.block_of(item, at)?, kind: self.item_kind(item, at) })
    }

    /// How items are read: as by themselves, where they are written so.
    fn item_kind(&self, item: TypeIndex, at: usize) -> ItemKind {
        let Type::Named(name) = self.types.get(at) else { return ItemKind::Other };
        let is_same = match &self.compiler.description().get(item).kind {
            Kind::Scalar(scalar) => scalar_name(*scalar) == *name,
            Kind::String => true,
            _ => false,
        };
        if is_same { self.compiler.item_kind(item) } else { ItemKind::Other }
    }

    fn is_byte(&self, item: TypeIndex) -> bool {
        matches!(self.compiler.description().get(item).kind, Kind::Scalar(Scalar::U8))
    }

    fn differ(&self, at: usize) -> String {
        format!("{} is sent, which is another type", self.types.words(at))
    }

    fn count(&mut self, draft: &Draft, more: usize) -> Compiled<()> {
        match self.compiler.count(more) > self.most || draft.ops.len() > self.most {
            true => Err(format!("it takes more than {} steps to read", self.most)),
            false => Ok(()),
        }
    }

    fn look_at(&mut self, parts: usize) -> Compiled<()> {
        self.work += parts;
        match self.work > MAX_WORK {
            true => Err(format!("more than {MAX_WORK} fields and variants are to be looked at")),
            false => Ok(()),
        }
    }
}

/// The scalar whose schema has this name.
pub(super) fn scalar_named(name: &str) -> Option<Scalar> {
    Some(match name {
        "bool" => Scalar::Bool,
        "char" => Scalar::Char,
        "u8" => Scalar::U8,
        "i8" => Scalar::I8,
        "u16" => Scalar::U16,
        "u32" => Scalar::U32,
        "u64" => Scalar::U64,
        "u128" => Scalar::U128,
        "i16" => Scalar::I16,
        "i32" => Scalar::I32,
        "i64" => Scalar::I64,
        "i128" => Scalar::I128,
        "f32" => Scalar::F32,
        "f64" => Scalar::F64,
        _ => return None,
    })
}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
