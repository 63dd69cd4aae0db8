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

use bytes::Bytes;
use facet::Shape;

use super::PlanError;
use super::channels::ChannelKind;
use super::compiler::Compiler;
use super::description::{
    Description, Fill, Glue, ListOps, MapOps, OptionOps, Pair, ResultOps, Scalar, SetOps, SharedOps, SliceOps, TagWidth,
};
use super::leaf::LeafOps;
use super::measure::rate_of;
use super::skips::{Run, Skips};
use super::translation::{Translation, VariantsOp};
use super::weight::{Weight, many};
use crate::schema::{SchemaFault, Types};

/// The compiled form of one type: how to encode and decode it.
pub struct Program {
    shape: &'static Shape,
    blocks: Box<[Block]>,
    root: BlockIndex,
    min_len: usize,
    has_channels: bool,
    rate: usize,
    /// What a translation passes over; a type by itself passes over nothing.
    skips: Skips,
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
    #[inline]
    pub fn shape(&self) -> &'static Shape {
        self.shape
    }

    /// A number of bytes that every encoding of the type has at least.
    #[must_use]
    pub fn min_encoded_len(&self) -> usize {
        self.min_len
    }

    /// The most that an encoding is charged for each of its bytes when it is decoded.
    #[inline]
    pub(crate) fn rate(&self) -> usize {
        self.rate
    }

    #[inline]
    pub(super) fn root(&self) -> &Block {
        self.block(self.root)
    }

    #[inline(always)]
    pub(super) fn block(&self, index: BlockIndex) -> &Block {
        &self.blocks[index.0 as usize]
    }

    pub(super) fn skips(&self) -> &Skips {
        &self.skips
    }

    /// How many operations it has.
    pub(super) fn ops(&self) -> usize {
        self.blocks.iter().map(|block| 1 + block.decode.len()).sum()
    }

    fn compile(shape: &'static Shape) -> Result<Self, PlanError> {
        let description = Description::of(shape)?;
        let mut compiler = Compiler::new(&description);
        let root = compiler.block_of(description.root());
        if compiler.is_over() {
            return Err(PlanError {
                path: shape.type_identifier.to_owned(),
                type_name: shape.to_string(),
                reason: "its parts are too many".into(),
                instead: "send a simpler type".into(),
            });
        }
        let mut program = Self::new(shape, compiler, root, Skips::default());
        program.rate = rate_of(&program);
        Ok(program)
    }

    /// What was compiled for the type of `shape`. It has no rate yet.
    pub(super) fn new(shape: &'static Shape, compiler: Compiler<'_>, root: BlockIndex, skips: Skips) -> Self {
        let has_channels = compiler.has_channels();
        let blocks = compiler.finish();
        let min_len = blocks[root.0 as usize].min_len;
        Self { shape, blocks, root, min_len, has_channels, rate: 0, skips }
    }
}

impl Program {
    /// What a translation takes, without the names in it.
    #[cold]
    pub(super) fn bytes(&self) -> usize {
        let blocks: usize = self.blocks.iter().map(Block::bytes).sum();
        size_of::<Self>() + many::<Block>(self.blocks.len()) + blocks + self.skips.bytes()
    }
}

impl Block {
    fn bytes(&self) -> usize {
        let ops = many::<Op>(self.encode.len()) + many::<Op>(self.decode.len());
        let beside: usize = self.decode.iter().map(|op| op.kind.bytes_beside()).sum();
        ops + beside + many::<Unwind>(self.unwind.len())
    }
}

impl OpKind {
    /// What an operation has in allocations of its own.
    fn bytes_beside(&self) -> usize {
        match self {
            Self::Variants(op) => op.bytes(),
            Self::Enum(op) => many::<EnumOp>(1) + many::<u64>(op.tags.len()) + many::<BlockIndex>(op.variants.len()),
            Self::Slice(_) => many::<SliceOp>(1),
            Self::List(_) => many::<ListOp>(1),
            Self::Map(_) => many::<MapOp>(1),
            Self::Set(_) => many::<SetOp>(1),
            Self::Channel(_) => many::<ChannelOp>(1),
            Self::Reserve(_) | Self::Scalar(_) | Self::Raw(_) | Self::String | Self::Leaf(_) => 0,
            Self::Option { .. } | Self::Result { .. } | Self::Box(_) | Self::Shared { .. } | Self::Array { .. } => 0,
            Self::Widened { .. } | Self::Skip(_) | Self::Fill(_) => 0,
        }
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
pub(super) struct BlockIndex(pub(super) u32);

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
    /// The longest encoding, if it is bounded. Then the block reserves nothing: the caller has
    /// reserved this much.
    pub(super) max_len: Option<usize>,
}

impl Block {
    /// The number that the value is, if it is no more than one.
    #[inline(always)]
    pub(super) fn as_scalar(&self) -> Option<Scalar> {
        match &*self.decode {
            [Op { offset: 0, kind: OpKind::Scalar(scalar) }] => Some(*scalar),
            _ => None,
        }
    }
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
    /// An integer that was written as a narrower one. This and those that follow stand in translations alone.
    Widened {
        from: Scalar,
        to: Scalar,
    },
    Variants(Arc<VariantsOp>),
    /// What the reader does not have.
    Skip(Run),
    /// What the writer does not have.
    Fill(Fill),
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
    /// How items are read that another version of their type wrote.
    foreign: Option<Foreign>,
}

/// Items as a peer's schema has them.
struct Foreign {
    schema: Bytes,
    at: usize,
    made: OnceLock<Result<Arc<Translation>, Arc<str>>>,
    weight: Weight,
}

impl ChannelOp {
    pub(super) fn new(kind: ChannelKind, layout: Layout, item_shape: &'static Shape) -> Self {
        Self { kind, layout, item_shape, item: OnceLock::new(), foreign: None }
    }

    /// The same, whose items are written as the type numbered `at` of a peer's schema.
    pub(super) fn written_as(self, schema: Bytes, at: usize, weight: Weight) -> Self {
        Self { foreign: Some(Foreign { schema, at, made: OnceLock::new(), weight }), ..self }
    }

    /// How items are read that another version of their type wrote, compiled when it is first needed; `None`: by themselves.
    pub(super) fn foreign(&self) -> Result<Option<&Arc<Translation>>, Arc<str>> {
        let Some(Foreign { schema, at, made, weight }) = &self.foreign else { return Ok(None) };
        let made = made.get_or_init(|| {
            let types = Types::read(schema).map_err(|SchemaFault(fault)| fault)?;
            Ok(Arc::new(Translation::of(self.item_shape, schema, &types, *at, weight)?))
        });
        made.as_ref().map(Some).map_err(Arc::clone)
    }

    /// The program of the channel's items, compiled when it is first needed: an item may hold a
    /// channel of its own type.
    pub(super) fn item(&self) -> Result<&Arc<Program>, &PlanError> {
        self.item.get_or_init(|| Program::of(self.item_shape)).as_ref()
    }
}
