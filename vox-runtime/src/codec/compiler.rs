//! Compiles a description into the blocks of a program.

use std::collections::HashMap;
use std::sync::Arc;

use super::description::{Description, Glue, Kind, Member, Scalar, TypeIndex};
use super::program::{
    Block, BlockIndex, ChannelOp, EnumOp, ItemKind, Items, ListOp, MapOp, Op, OpKind, SetOp, SliceOp, Unwind,
};

/// The most operations a program may have.
const MAX_OPS: usize = 65_536;

/// Arrays of at most this many operations are laid out flat.
const MAX_FLAT_ARRAY: usize = 16;

/// Compiles the types of a description.
pub(super) struct Compiler<'d> {
    description: &'d Description,
    blocks: Vec<Option<Block>>,
    known: HashMap<TypeIndex, BlockIndex>,
    ops: usize,
    has_channels: bool,
}

/// A block under construction.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) ops: Vec<Op>,
    /// The bound of each operation. A translation needs none.
    bounds: Vec<Option<usize>>,
    pub(super) unwind: Vec<Unwind>,
}

impl<'d> Compiler<'d> {
    pub(super) fn new(description: &'d Description) -> Self {
        Self { description, blocks: Vec::new(), known: HashMap::new(), ops: 0, has_channels: false }
    }

    pub(super) fn description(&self) -> &'d Description {
        self.description
    }

    /// Counts more operations: how many there are.
    pub(super) fn count(&mut self, more: usize) -> usize {
        self.ops += more;
        self.ops
    }

    /// Whether there are too many operations, so that some were left out.
    pub(super) fn is_over(&self) -> bool {
        self.ops > MAX_OPS
    }

    pub(super) fn note_channel(&mut self) {
        self.has_channels = true;
    }

    pub(super) fn has_channels(&self) -> bool {
        self.has_channels
    }

    /// All blocks, which are filled.
    pub(super) fn finish(self) -> Box<[Block]> {
        self.blocks.into_iter().map(|block| block.expect("every block is filled")).collect()
    }

    /// Fills in a block of a translation, whose encodings have at least so many bytes.
    pub(super) fn fill(&mut self, index: BlockIndex, ty: TypeIndex, draft: Draft, min_len: usize) {
        let described = self.description.get(ty);
        self.blocks[index.0 as usize] = Some(Block {
            encode: Box::default(),
            decode: draft.ops.into(),
            unwind: draft.unwind.into(),
            glue: self.description.glue(ty),
            size: described.size,
            align: described.align,
            min_len,
            max_len: None,
        });
    }

    /// A block of a translation, of the members of a variant.
    pub(super) fn members_block(&mut self, draft: Draft) -> BlockIndex {
        let index = self.new_block();
        self.blocks[index.0 as usize] = Some(Block {
            encode: Box::default(),
            decode: draft.ops.into(),
            unwind: draft.unwind.into(),
            glue: None,
            size: 0,
            align: 1,
            min_len: 0,
            max_len: None,
        });
        index
    }

    /// How many operations a block has, if it is filled.
    pub(super) fn len(&self, index: BlockIndex) -> Option<usize> {
        self.blocks[index.0 as usize].as_ref().map(|block| block.decode.len())
    }

    /// Whether an array of so many items, each of so many operations, is laid out flat.
    pub(super) fn is_flat(len: usize, ops: Option<usize>) -> bool {
        len <= MAX_FLAT_ARRAY && ops.is_some_and(|ops| len.saturating_mul(ops) <= MAX_FLAT_ARRAY)
    }

    pub(super) fn block_of(&mut self, ty: TypeIndex) -> BlockIndex {
        if let Some(&known) = self.known.get(&ty) {
            return known;
        }
        let index = self.new_block();
        self.known.insert(ty, index);
        let mut draft = Draft::default();
        self.emit(ty, 0, &mut draft);
        let described = self.description.get(ty);
        self.blocks[index.0 as usize] = Some(draft.finish(Block {
            encode: Box::default(),
            decode: Box::default(),
            unwind: Box::default(),
            glue: self.description.glue(ty),
            size: described.size,
            align: described.align,
            min_len: self.description.min_len(ty),
            max_len: self.description.max_len(ty),
        }));
        index
    }

    /// The block of a variant's members.
    fn block_of_members(&mut self, members: &[Member]) -> BlockIndex {
        let index = self.new_block();
        let mut draft = Draft::default();
        for member in members {
            self.emit(member.ty, member.offset, &mut draft);
        }
        let max_len = draft.bounds.iter().copied().sum();
        self.blocks[index.0 as usize] = Some(draft.finish(Block {
            encode: Box::default(),
            decode: Box::default(),
            unwind: Box::default(),
            glue: None,
            size: 0,
            align: 1,
            min_len: 0,
            max_len,
        }));
        index
    }

    pub(super) fn new_block(&mut self) -> BlockIndex {
        self.blocks.push(None);
        BlockIndex(self.blocks.len() as u32 - 1)
    }

    fn emit(&mut self, ty: TypeIndex, offset: usize, draft: &mut Draft) {
        self.ops += 1;
        if self.ops > MAX_OPS {
            return;
        }
        let parts_from = draft.unwind.len();
        let bound = self.description.max_len(ty);
        match &self.description.get(ty).kind {
            Kind::Struct(members) => {
                for member in members {
                    self.emit(member.ty, offset + member.offset, draft);
                }
            }
            Kind::Array { item, len } => self.emit_array(*item, *len, bound, offset, draft),
            _ => {
                let kind = self.op_of(ty, bound.is_none());
                draft.ops.push(Op { offset, kind });
                draft.bounds.push(bound);
            }
        }
        if let Some(glue) = self.description.glue(ty)
            && !matches!(glue, Glue::Parts(_))
        {
            let end = draft.ops.len();
            draft.unwind.push(Unwind { end, parts_from, offset, glue });
        }
    }

    fn emit_array(&mut self, item: TypeIndex, len: usize, bound: Option<usize>, offset: usize, draft: &mut Draft) {
        let stride = self.description.get(item).size;
        if self.item_kind(item).is_raw() {
            let kind = OpKind::Raw(len * stride);
            draft.ops.push(Op { offset, kind });
            draft.bounds.push(Some(len * stride));
            return;
        }
        let block = self.block_of(item);
        if Self::is_flat(len, self.len(block)) {
            for index in 0..len {
                self.emit(item, offset + index * stride, draft);
            }
        } else {
            let kind = OpKind::Array { item: block, len, reserves: bound.is_none() };
            draft.ops.push(Op { offset, kind });
            draft.bounds.push(bound);
        }
    }

    pub(super) fn op_of(&mut self, ty: TypeIndex, reserves: bool) -> OpKind {
        match &self.description.get(ty).kind {
            Kind::Scalar(scalar) => OpKind::Scalar(*scalar),
            Kind::String => OpKind::String,
            Kind::Leaf(ops) => OpKind::Leaf(ops),
            Kind::Enum { tag, variants, .. } => {
                let tags: Box<[u64]> = variants.iter().map(|variant| variant.tag).collect();
                OpKind::Enum(Arc::new(EnumOp {
                    width: *tag,
                    tags_are_indices: tags.iter().zip(0..).all(|(tag, index)| *tag == index),
                    tags,
                    variants: variants.iter().map(|v| self.block_of_members(&v.members)).collect(),
                    is_plain: variants.iter().all(|variant| variant.members.is_empty()),
                    reserves,
                }))
            }
            Kind::Option { ops, some } => OpKind::Option { ops: *ops, some: self.block_of(*some), reserves },
            Kind::Result { ops, ok, err } => {
                OpKind::Result { ops: *ops, ok: self.block_of(*ok), err: self.block_of(*err), reserves }
            }
            Kind::Box(inner) => OpKind::Box(self.block_of(*inner)),
            Kind::Shared { ops, content } => OpKind::Shared { ops: *ops, content: self.block_of(*content) },
            Kind::Slice { ops, item } => OpKind::Slice(Arc::new(SliceOp { ops: *ops, items: self.items(*item) })),
            Kind::List { ops, item } => OpKind::List(Arc::new(ListOp {
                ops: *ops,
                items: self.items(*item),
                glue: self.description.glue(ty).unwrap_or(Glue::Nothing),
            })),
            Kind::Map { ops, key, value } => OpKind::Map(Arc::new(MapOp {
                ops: *ops,
                pair: ops.pair(self.description.get(*key).layout(), self.description.get(*value).layout()),
                key: self.items(*key),
                value: self.items(*value),
                glue: self.description.glue(ty).unwrap_or(Glue::Nothing),
            })),
            Kind::Set { ops, item } => OpKind::Set(Arc::new(SetOp {
                ops: *ops,
                items: self.items(*item),
                glue: self.description.glue(ty).unwrap_or(Glue::Nothing),
            })),
            Kind::Channel { kind, item_shape, .. } => {
                self.has_channels = true;
                let layout = self.description.get(ty).layout();
                OpKind::Channel(Arc::new(ChannelOp::new(*kind, layout, item_shape)))
            }
            Kind::Struct(_) | Kind::Array { .. } | Kind::Unfinished => {
                unreachable!("structs and arrays are laid out flat, and descriptions are finished")
            }
        }
    }

    fn items(&mut self, item: TypeIndex) -> Items {
        Items { block: self.block_of(item), kind: self.item_kind(item) }
    }

    pub(super) fn item_kind(&self, item: TypeIndex) -> ItemKind {
        match &self.description.get(item).kind {
            Kind::Scalar(Scalar::U8 | Scalar::I8) => ItemKind::Raw,
            Kind::Scalar(Scalar::F32 | Scalar::F64) if cfg!(target_endian = "little") => ItemKind::Raw,
            Kind::Scalar(scalar) => ItemKind::Scalar(*scalar),
            Kind::String => ItemKind::String,
            _ => ItemKind::Other,
        }
    }
}

impl ItemKind {
    fn is_raw(self) -> bool {
        matches!(self, Self::Raw)
    }
}

impl Draft {
    /// Fills in the operations of `block`, with a reservation before every run of bounded ones if
    /// the block as a whole is not bounded.
    fn finish(self, block: Block) -> Block {
        let mut encode = Vec::with_capacity(self.ops.len());
        let mut reservation: Option<usize> = None;
        for (op, bound) in self.ops.iter().zip(&self.bounds) {
            match (bound, reservation, block.max_len) {
                (_, _, Some(_)) | (None, ..) => reservation = None,
                (Some(bound), Some(at), None) => {
                    if let Some(Op { kind: OpKind::Reserve(room), .. }) = encode.get_mut(at) {
                        *room += bound;
                    }
                }
                (Some(bound), None, None) => {
                    reservation = Some(encode.len());
                    encode.push(Op { offset: 0, kind: OpKind::Reserve(*bound) });
                }
            }
            encode.push(op.clone());
        }
        Block { encode: encode.into(), decode: self.ops.into(), unwind: self.unwind.into(), ..block }
    }
}
