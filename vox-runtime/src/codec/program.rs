//! What to do to encode or decode a type, compiled once.
//!
//! A program is a handful of blocks of flat operations. An operation says what stands at which
//! offset; structs inside structs are gone, their parts at absolute offsets. What cannot be flat
//! (items of a list, the content of a box, the variants of an enum) is a block of its own, linked
//! by index, which is also how recursive types end.
//!
//! Beside its operations a block has an unwind table: which values are complete once which
//! operations are done, so that a decoding that fails half-way drops exactly those.

use std::alloc::Layout;
use std::any::TypeId;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, OnceLock, PoisonError, RwLock};

use facet::Shape;

use super::PlanError;
use super::channels::ChannelKind;
use super::description::{
    Description, Glue, Kind, ListOps, MapOps, Member, OptionOps, Pair, ResultOps, Scalar, SetOps, SharedOps, SliceOps,
    TagWidth, TypeIndex,
};
use super::leaf::LeafOps;
use super::measure::rate_of;

/// The compiled form of one type: how to encode and decode it.
pub struct Program {
    shape: &'static Shape,
    blocks: Box<[Block]>,
    root: BlockIndex,
    min_len: usize,
    has_channels: bool,
    rate: usize,
}

impl Program {
    /// The program of the type of `shape`: the one compiled before, if there is one.
    pub(super) fn of(shape: &'static Shape) -> Result<Arc<Self>, PlanError> {
        static PROGRAMS: LazyLock<RwLock<HashMap<TypeId, Arc<Program>>>> = LazyLock::new(RwLock::default);
        let id = shape.id.get();
        let known = PROGRAMS.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(program) = known.get(&id) {
            return Ok(Arc::clone(program));
        }
        drop(known);
        // A type may be compiled twice at once; the first to finish stays.
        let program = Arc::new(Self::compile(shape)?);
        let mut programs = PROGRAMS.write().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(programs.entry(id).or_insert(program)))
    }

    /// Whether a channel stands somewhere in the type.
    #[must_use]
    pub fn has_channels(&self) -> bool {
        self.has_channels
    }

    /// The shape of the type.
    #[must_use]
    pub fn shape(&self) -> &'static Shape {
        self.shape
    }

    /// A number of bytes that every encoding of the type has at least.
    #[must_use]
    pub fn min_encoded_len(&self) -> usize {
        self.min_len
    }

    /// The most that an encoding is charged for each of its bytes when it is decoded.
    pub(crate) fn rate(&self) -> usize {
        self.rate
    }

    pub(super) fn root(&self) -> &Block {
        self.block(self.root)
    }

    #[inline(always)]
    pub(super) fn block(&self, index: BlockIndex) -> &Block {
        &self.blocks[index.0 as usize]
    }

    fn compile(shape: &'static Shape) -> Result<Self, PlanError> {
        let description = Description::of(shape)?;
        let mut compiler = Compiler {
            description: &description,
            blocks: Vec::new(),
            known: HashMap::new(),
            ops: 0,
            has_channels: false,
        };
        let root = compiler.block_of(description.root());
        if compiler.ops > MAX_OPS {
            return Err(PlanError {
                path: shape.type_identifier.to_owned(),
                type_name: shape.to_string(),
                reason: "its parts are too many".into(),
                instead: "send a simpler type".into(),
            });
        }
        let has_channels = compiler.has_channels;
        let blocks = compiler.blocks.into_iter().map(|block| block.expect("every block is filled"));
        let min_len = description.min_len(description.root());
        let mut program = Self { shape, blocks: blocks.collect(), root, min_len, has_channels, rate: 0 };
        program.rate = rate_of(&program);
        Ok(program)
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program")
            .field("type", &format_args!("{}", self.shape))
            .field("blocks", &self.blocks.len())
            .finish_non_exhaustive()
    }
}

/// Which block of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlockIndex(u32);

/// How to encode and decode one value, or the members of one variant.
pub(super) struct Block {
    /// The operations of an encoding: those of a decoding, and reservations.
    pub(super) encode: Box<[Op]>,
    pub(super) decode: Box<[Op]>,
    /// Which values are complete when, parts before what they are parts of.
    pub(super) unwind: Box<[Unwind]>,
    /// How to drop the whole value.
    pub(super) glue: Option<Glue>,
    pub(super) size: usize,
    pub(super) align: usize,
    pub(super) min_len: usize,
    /// The longest encoding, if it is bounded. Then the block reserves nothing: whoever runs it
    /// has reserved this much.
    pub(super) max_len: Option<usize>,
}

/// A value that is complete once all operations before `end` are done.
pub(super) struct Unwind {
    pub(super) end: usize,
    /// The first entry that is part of this value.
    pub(super) parts_from: usize,
    pub(super) offset: usize,
    pub(super) glue: Glue,
}

/// What stands where in a value.
#[derive(Clone)]
pub(super) struct Op {
    pub(super) offset: usize,
    pub(super) kind: OpKind,
}

/// What an operation encodes or decodes.
#[derive(Clone)]
pub(super) enum OpKind {
    /// Room for this many bytes, for the bounded operations that follow.
    Reserve(usize),
    Scalar(Scalar),
    /// Bytes that are the same in memory and on the wire.
    Raw(usize),
    String,
    Leaf(&'static LeafOps),
    Enum(Arc<EnumOp>),
    Option {
        ops: OptionOps,
        some: BlockIndex,
        reserves: bool,
    },
    Result {
        ops: ResultOps,
        ok: BlockIndex,
        err: BlockIndex,
        reserves: bool,
    },
    Box(BlockIndex),
    Shared {
        ops: SharedOps,
        content: BlockIndex,
    },
    Slice(Arc<SliceOp>),
    List(Arc<ListOp>),
    Array {
        item: BlockIndex,
        len: usize,
        reserves: bool,
    },
    Map(Arc<MapOp>),
    Set(Arc<SetOp>),
    Channel(Arc<ChannelOp>),
}

pub(super) struct EnumOp {
    pub(super) width: TagWidth,
    /// The tags in memory, by variant.
    pub(super) tags: Box<[u64]>,
    /// Whether each tag is its variant's index.
    pub(super) tags_are_indices: bool,
    /// The members, by variant.
    pub(super) variants: Box<[BlockIndex]>,
    /// Whether no variant has members.
    pub(super) is_plain: bool,
    pub(super) reserves: bool,
}

pub(super) struct SliceOp {
    pub(super) ops: SliceOps,
    pub(super) items: Items,
}

pub(super) struct ListOp {
    pub(super) ops: ListOps,
    pub(super) items: Items,
    pub(super) glue: Glue,
}

pub(super) struct MapOp {
    pub(super) ops: MapOps,
    pub(super) pair: Pair,
    pub(super) key: Items,
    pub(super) value: Items,
    pub(super) glue: Glue,
}

pub(super) struct SetOp {
    pub(super) ops: SetOps,
    pub(super) items: Items,
    pub(super) glue: Glue,
}

/// The items of a collection.
#[derive(Clone, Copy)]
pub(super) struct Items {
    pub(super) block: BlockIndex,
    pub(super) kind: ItemKind,
}

#[derive(Clone, Copy)]
pub(super) enum ItemKind {
    /// The same in memory and on the wire.
    Raw,
    Scalar(Scalar),
    String,
    Other,
}

pub(super) struct ChannelOp {
    pub(super) kind: ChannelKind,
    /// The half's layout, as its shape has it.
    pub(super) layout: Layout,
    item_shape: &'static Shape,
    item: OnceLock<Result<Arc<Program>, PlanError>>,
}

impl ChannelOp {
    /// The program of the channel's items, compiled when it is first needed: an item may hold a
    /// channel of its own type.
    pub(super) fn item(&self) -> Result<&Arc<Program>, &PlanError> {
        self.item.get_or_init(|| Program::of(self.item_shape)).as_ref()
    }
}

/// The most operations a program may have.
const MAX_OPS: usize = 65_536;

/// Arrays of at most this many operations are laid out flat.
const MAX_FLAT_ARRAY: usize = 16;

struct Compiler<'d> {
    description: &'d Description,
    blocks: Vec<Option<Block>>,
    known: HashMap<TypeIndex, BlockIndex>,
    ops: usize,
    has_channels: bool,
}

/// A block under construction.
#[derive(Default)]
struct Draft {
    ops: Vec<Op>,
    /// The bound of each operation.
    bounds: Vec<Option<usize>>,
    unwind: Vec<Unwind>,
}

impl Compiler<'_> {
    fn block_of(&mut self, ty: TypeIndex) -> BlockIndex {
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

    fn new_block(&mut self) -> BlockIndex {
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
        let ops = self.blocks[block.0 as usize].as_ref().map_or(usize::MAX, |b| b.decode.len());
        if len.saturating_mul(ops) <= MAX_FLAT_ARRAY && len <= MAX_FLAT_ARRAY {
            for index in 0..len {
                self.emit(item, offset + index * stride, draft);
            }
        } else {
            let kind = OpKind::Array { item: block, len, reserves: bound.is_none() };
            draft.ops.push(Op { offset, kind });
            draft.bounds.push(bound);
        }
    }

    fn op_of(&mut self, ty: TypeIndex, reserves: bool) -> OpKind {
        match &self.description.get(ty).kind {
            Kind::Scalar(scalar) => OpKind::Scalar(*scalar),
            Kind::String => OpKind::String,
            Kind::Leaf(ops) => OpKind::Leaf(ops),
            Kind::Enum { tag, variants } => {
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
                OpKind::Channel(Arc::new(ChannelOp { kind: *kind, layout, item_shape, item: OnceLock::new() }))
            }
            Kind::Struct(_) | Kind::Array { .. } | Kind::Unfinished => {
                unreachable!("structs and arrays are laid out flat, and descriptions are finished")
            }
        }
    }

    fn items(&mut self, item: TypeIndex) -> Items {
        Items { block: self.block_of(item), kind: self.item_kind(item) }
    }

    fn item_kind(&self, item: TypeIndex) -> ItemKind {
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
