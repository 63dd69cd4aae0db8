//! The charge that a receiver will make for an encoding, known to the sender before it sends.
//!
//! A program has a rate: no encoding of its type is charged more for each of its bytes. Most messages are so short that the
//! rate alone says that they are within the receiver's budget, at the cost of a multiplication. Only where it does not,
//! the encoding is walked, and charged just as decoding would charge it, without making a value.

use bytes::Bytes;
use facet::Shape;

use super::charge;
use super::description::Scalar;
use super::program::{Block, BlockIndex, ItemKind, ListOp, MapOp, OpKind, Program, SetOp, SliceOp};
use super::{Budget, DecodeError, DecodeErrorKind, Decoder, EncodeError};

impl Program {
    /// Whether `encoded`, an encoding of the type, is within a receiver's budget of `limit` bytes.
    #[inline]
    pub(crate) fn check_cost(&self, encoded: &[u8], limit: usize) -> Result<(), EncodeError> {
        match self.rate().saturating_mul(encoded.len()) <= limit {
            true => Ok(()),
            false => measure(std::iter::once(self), encoded, 0, limit),
        }
    }
}

/// Whether the encodings of these types, one after the other, are together within a receiver's budget of `limit` bytes.
/// The rest of the last may stand `beside` them, if it is a long byte string.
#[cold]
pub(crate) fn check_cost_of(
    shapes: impl Iterator<Item = &'static Shape>,
    encoded: &[u8],
    beside: usize,
    limit: usize,
) -> Result<(), EncodeError> {
    let programs: Result<Vec<_>, _> = shapes.map(Program::of).collect();
    let programs = programs.map_err(|error| EncodeError::Plan(error.into()))?;
    measure(programs.iter().map(|program| &**program), encoded, beside, limit)
}

#[cold]
fn measure<'p>(
    programs: impl Iterator<Item = &'p Program>,
    encoded: &[u8],
    beside: usize,
    limit: usize,
) -> Result<(), EncodeError> {
    let frame = Bytes::copy_from_slice(encoded);
    let mut decoder = Decoder::new(&frame, Budget::new(limit, u32::MAX));
    let mut programs = programs.peekable();
    let mut walk = || {
        while let Some(program) = programs.next() {
            // Of the last, only the length is there.
            if beside > 0 && programs.peek().is_none() {
                break;
            }
            Measure { program, from: &mut decoder }.block(program.root())?;
        }
        decoder.charge(beside)
    };
    match walk() {
        Err(DecodeError { kind: DecodeErrorKind::OverBudget { needed, limit }, .. }) => {
            Err(EncodeError::OverBudget { needed, limit })
        }
        Err(DecodeError { kind: DecodeErrorKind::TooManyEmptyItems { count, limit }, .. }) => {
            Err(EncodeError::TooManyEmptyItems { count, limit })
        }
        // Anything else is for the receiver to say: nothing was learnt here.
        Ok(()) | Err(_) => Ok(()),
    }
}

struct Measure<'m, 'a> {
    program: &'m Program,
    from: &'m mut Decoder<'a>,
}

impl<'m> Measure<'m, '_> {
    fn block(&mut self, block: &'m Block) -> Result<(), DecodeError> {
        block.decode.iter().try_for_each(|op| self.op(&op.kind))
    }

    fn inner(&mut self, index: BlockIndex) -> Result<(), DecodeError> {
        self.block(self.program.block(index))
    }

    fn op(&mut self, op: &'m OpKind) -> Result<(), DecodeError> {
        let block = |index: &BlockIndex| self.program.block(*index);
        match op {
            OpKind::Reserve(_) => Ok(()),
            OpKind::Scalar(scalar) => self.scalar(*scalar),
            OpKind::Raw(len) => self.skip(*len),
            OpKind::String => {
                let len = self.from.bytes()?.len();
                self.from.charge(len)
            }
            OpKind::Leaf(ops) => (ops.measure)(self.from),
            OpKind::Enum(op) => {
                let index = self.index()?;
                op.variants.get(index).map_or(Ok(()), |variant| self.inner(*variant))
            }
            OpKind::Option { some, .. } => match self.from.byte()? {
                0 => Ok(()),
                _ => self.inner(*some),
            },
            OpKind::Result { ok, err, .. } => match self.index()? {
                0 => self.inner(*ok),
                _ => self.inner(*err),
            },
            OpKind::Box(content) => {
                self.from.charge(block(content).size)?;
                self.inner(*content)
            }
            OpKind::Shared { content, .. } => {
                self.from.charge(charge::shared(block(content).size))?;
                self.inner(*content)
            }
            OpKind::Slice(op) => self.items(&[op.items.block], op.items.kind, |len| op.cost(self.program, len)),
            OpKind::List(op) => self.items(&[op.items.block], op.items.kind, |len| op.cost(self.program, len)),
            OpKind::Set(op) => self.items(&[op.items.block], op.items.kind, |len| op.cost(self.program, len)),
            OpKind::Map(op) => {
                self.items(&[op.key.block, op.value.block], ItemKind::Other, |len| op.cost(self.program, len))
            }
            OpKind::Array { item, len, .. } => (0..*len).try_for_each(|_| self.inner(*item)),
            OpKind::Channel(_) => self.index().map(|_| ()),
            // What is sent is no translation.
            OpKind::Widened { .. } | OpKind::Variants(_) | OpKind::Skip(_) | OpKind::Fill(_) => Ok(()),
        }
    }

    /// A collection: its length, and so many times these parts.
    fn items(
        &mut self,
        parts: &[BlockIndex],
        kind: ItemKind,
        cost: impl FnOnce(usize) -> usize,
    ) -> Result<(), DecodeError> {
        let count = self.from.varint()?;
        let min_len = parts.iter().fold(0usize, |sum, part| sum.saturating_add(self.program.block(*part).min_len));
        let limit = Budget::EMPTY_ITEMS;
        if min_len == 0 && count > limit as u64 {
            return Err(self.from.error(DecodeErrorKind::TooManyEmptyItems { count, limit }));
        }
        let len = usize::try_from(count).unwrap_or(usize::MAX);
        self.from.charge(cost(len).saturating_add(if min_len == 0 { len * charge::EMPTY_ITEM } else { 0 }))?;
        match kind {
            ItemKind::Raw => self.skip(len.saturating_mul(self.program.block(parts[0]).size)),
            ItemKind::Scalar(_) | ItemKind::String | ItemKind::Other => {
                (0..len).try_for_each(|_| parts.iter().try_for_each(|part| self.inner(*part)))
            }
        }
    }

    fn index(&mut self) -> Result<usize, DecodeError> {
        Ok(self.from.varint()? as usize)
    }

    fn scalar(&mut self, scalar: Scalar) -> Result<(), DecodeError> {
        match scalar {
            Scalar::Bool | Scalar::U8 | Scalar::I8 => self.skip(1),
            Scalar::F32 => self.skip(4),
            Scalar::F64 => self.skip(8),
            Scalar::Char => self.from.bytes().map(|_| ()),
            Scalar::U16
            | Scalar::U32
            | Scalar::U64
            | Scalar::U128
            | Scalar::Usize
            | Scalar::I16
            | Scalar::I32
            | Scalar::I64
            | Scalar::I128
            | Scalar::Isize => self.from.varint_of(u128::BITS).map(|_| ()),
        }
    }

    fn skip(&mut self, len: usize) -> Result<(), DecodeError> {
        match len <= self.from.remaining() {
            true => self.from.position += len,
            false => return Err(self.from.error(DecodeErrorKind::UnexpectedEnd)),
        }
        Ok(())
    }
}

/// What so many items cost, beside what they hold.
impl SliceOp {
    pub(super) fn cost(&self, program: &Program, len: usize) -> usize {
        let size = program.block(self.items.block).size;
        match self.ops.is_box() {
            true => charge::list(len, size),
            false => charge::shared_slice(len, size),
        }
    }
}

impl ListOp {
    pub(super) fn cost(&self, program: &Program, len: usize) -> usize {
        let size = program.block(self.items.block).size;
        match self.items.kind {
            ItemKind::Raw => len.saturating_mul(size),
            ItemKind::Scalar(_) | ItemKind::String | ItemKind::Other => charge::list(len, size),
        }
    }
}

impl SetOp {
    pub(super) fn cost(&self, program: &Program, len: usize) -> usize {
        let size = program.block(self.items.block).size;
        match self.ops.is_hash() {
            true => charge::hash_set(len, size),
            false => charge::tree(len, size, 0),
        }
    }
}

impl MapOp {
    pub(super) fn cost(&self, program: &Program, len: usize) -> usize {
        match self.ops.is_hash() {
            true => charge::hash_map(len, self.pair.layout.size()),
            false => charge::tree(len, program.block(self.key.block).size, program.block(self.value.block).size),
        }
    }
}

/// The most that an encoding of the program is charged for each of its bytes.
pub(super) fn rate_of(program: &Program) -> usize {
    let mut rates = Rates { program, open: Vec::new(), done: Vec::new(), most: 0, is_recursive: false };
    let sum = rates.block(program.root());
    // A type inside itself is charged again at each level.
    let levels = usize::try_from(Budget::DEPTH).unwrap_or(usize::MAX);
    if rates.is_recursive { rates.most.saturating_mul(levels) } else { sum }
}

/// Finds the largest sum of rates from a block inwards.
struct Rates<'m> {
    program: &'m Program,
    open: Vec<*const Block>,
    done: Vec<(*const Block, usize)>,
    /// The largest rate of one operation.
    most: usize,
    is_recursive: bool,
}

impl Rates<'_> {
    fn block(&mut self, block: &Block) -> usize {
        let this: *const Block = block;
        if let Some((_, known)) = self.done.iter().find(|(known, _)| *known == this) {
            return *known;
        }
        if self.open.contains(&this) {
            self.is_recursive = true;
            return 0;
        }
        self.open.push(this);
        let rate = block.decode.iter().map(|op| self.op(&op.kind)).max().unwrap_or(0);
        self.open.pop();
        self.done.push((this, rate));
        rate
    }

    fn op(&mut self, op: &OpKind) -> usize {
        let program = self.program;
        let of = |index: &BlockIndex| program.block(*index);
        let (own, inside) = match op {
            OpKind::Reserve(_) | OpKind::Scalar(_) | OpKind::Raw(_) | OpKind::Channel(_) => (0, 0),
            OpKind::Widened { .. } | OpKind::Variants(_) | OpKind::Skip(_) | OpKind::Fill(_) => (0, 0),
            OpKind::String => (1, 0),
            OpKind::Leaf(ops) => (ops.rate, 0),
            OpKind::Enum(op) => (0, op.variants.iter().map(|variant| self.block(of(variant))).max().unwrap_or(0)),
            OpKind::Option { some, .. } => (0, self.block(of(some))),
            OpKind::Result { ok, err, .. } => (0, self.block(of(ok)).max(self.block(of(err)))),
            OpKind::Box(content) => (self.once(of(content), of(content).size), self.block(of(content))),
            OpKind::Shared { content, .. } => {
                (self.once(of(content), charge::shared(of(content).size)), self.block(of(content)))
            }
            OpKind::Array { item, .. } => (0, self.block(of(item))),
            OpKind::Slice(op) => {
                (counted(|len| op.cost(program, len), of(&op.items.block).min_len), self.block(of(&op.items.block)))
            }
            OpKind::List(op) => {
                (counted(|len| op.cost(program, len), of(&op.items.block).min_len), self.block(of(&op.items.block)))
            }
            OpKind::Set(op) => {
                (counted(|len| op.cost(program, len), of(&op.items.block).min_len), self.block(of(&op.items.block)))
            }
            OpKind::Map(op) => {
                let (key, value) = (of(&op.key.block), of(&op.value.block));
                let inside = self.block(key).max(self.block(value));
                (counted(|len| op.cost(program, len), key.min_len.saturating_add(value.min_len)), inside)
            }
        };
        self.most = self.most.max(own);
        own.saturating_add(inside)
    }

    /// The rate of one charge for a block's value.
    fn once(&self, content: &Block, cost: usize) -> usize {
        cost.div_ceil(content.min_len.max(1))
    }
}

/// The rate of a collection, by what so many items cost, each of which takes at least `min_len` bytes.
fn counted(cost: impl Fn(usize) -> usize, min_len: usize) -> usize {
    if min_len == 0 {
        // Any length is as short as any other on the wire.
        return usize::MAX;
    }
    let rate = |len: usize| cost(len).div_ceil(len.saturating_mul(min_len).saturating_add(1));
    // Costs jump where a table or a list doubles, and where a tree has one more node.
    let doubled = (5..26).flat_map(|bits| [(1 << bits) * 7 / 8 + 1, (1 << bits) + 1]);
    let most = (0..=32).chain(doubled).map(rate).max().unwrap_or(0);
    most.saturating_add(most / 4)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
    use std::fmt::Debug;
    use std::rc::Rc;
    use std::sync::Arc;

    use facet::Facet;

    use super::*;
    use crate::codec::{Encoder, Plan};

    #[derive(Facet, Clone, Debug)]
    #[repr(u8)]
    #[allow(dead_code)]
    enum Shape {
        Nothing,
        Wide([u64; 20]),
        Inside(#[facet(recursive_type)] Box<Shape>),
        Many { of: Vec<(u8, Option<String>)>, last: char },
    }

    /// What decoding charges, measuring says, and the rate covers.
    #[track_caller]
    fn check<T: Facet<'static> + Debug>(value: T) {
        let plan = Plan::<T>::new();
        let mut encoded = Vec::new();
        plan.encode(&value, &mut Encoder::new(&mut encoded, usize::MAX)).expect("it can be encoded");
        let frame = Bytes::from(encoded);
        let mut from = Decoder::new(&frame, Budget::new(usize::MAX, Budget::DEPTH));
        plan.decode(&mut from).expect("it can be decoded");
        let charged = usize::MAX - from.budget().bytes();
        let program = plan.program().expect("it can be sent");
        let measured = |limit| measure(std::iter::once(&**program), &frame, 0, limit);
        assert_eq!(measured(charged), Ok(()), "{value:?}");
        if charged > 0 {
            let short = measured(charged - 1);
            assert!(matches!(short, Err(EncodeError::OverBudget { .. })), "{value:?}: {charged}, {short:?}");
        }
        let most = program.rate().saturating_mul(frame.len());
        assert!(charged <= most, "{value:?} of {} bytes is charged {charged}, over {most}", frame.len());
    }

    #[test]
    fn a_receiver_charges_what_its_sender_measured() {
        let lens = [0, 1, 3, 12, 2, 4, 7, 8, 11, 13, 14, 15, 40, 100, 1000];
        for len in lens.into_iter().take(if cfg!(miri) { 3 } else { lens.len() }) {
            let numbers = 0..len as u64;
            check(vec![None::<[u64; 12]>; len]);
            check(vec![Shape::Nothing; len]);
            check(vec![Shape::Many { of: vec![(1, Some("text".to_owned())); 3], last: 'ß' }; len]);
            check(vec![Some(1.5f64); len]);
            check(vec![2.5f32; len]);
            check(vec![(); len]);
            check(vec!["x".repeat(len); 3]);
            check(numbers.clone().collect::<BTreeSet<_>>());
            check(numbers.clone().collect::<HashSet<_>>());
            check(numbers.clone().map(|n| n as u8).collect::<HashSet<_>>());
            check(numbers.clone().map(|n| (n, n.to_string())).collect::<BTreeMap<_, _>>());
            check(numbers.clone().map(|n| (n, Some(n as u8))).collect::<HashMap<_, _>>());
            check(numbers.clone().map(|n| BTreeMap::from([(n, [n as u8; 30])])).collect::<Vec<_>>());
            check(numbers.clone().map(|n| HashMap::from([(n as u8, ())])).collect::<Vec<_>>());
            check(vec![Box::new(7u8); len].into_boxed_slice());
            check(numbers.clone().map(Arc::new).collect::<Arc<[Arc<u64>]>>());
            check(numbers.clone().map(|n| Rc::from(n.to_string())).collect::<Vec<Rc<str>>>());
            check(vec![std::time::Duration::from_millis(1); len]);
            check(vec![Ok::<u8, Box<u128>>(1); len]);
            check([vec![true; len], vec![false; len]]);
        }
        check((0..40).fold(Shape::Nothing, |inner, _| Shape::Inside(Box::new(inner))));
    }

    #[test]
    #[cfg_attr(miri, ignore)]
    fn a_list_that_grows_while_it_is_decoded_is_measured_alike() {
        check(vec![None::<[u64; 100]>; 20_000]);
        check((0..200_000u64).collect::<HashSet<_>>());
        check((0..70_000u64).map(|n| (n, None::<[u64; 3]>)).collect::<HashMap<_, _>>());
        check(vec![Some([0u64; 9]); 40_000].into_boxed_slice());
    }

    #[test]
    fn arguments_are_measured_together() {
        let shapes = || [<Vec<Option<[u64; 4]>>>::SHAPE, String::SHAPE].into_iter();
        let encoded = [&[3, 0, 0, 0][..], &[2, b'h', b'i']].concat();
        let cost = 3 * size_of::<Option<[u64; 4]>>() + 2;
        assert_eq!(check_cost_of(shapes(), &encoded, 0, cost), Ok(()));
        let over = Err(EncodeError::OverBudget { needed: cost, limit: cost - 1 });
        assert_eq!(check_cost_of(shapes(), &encoded, 0, cost - 1), over);
        // The text of the last is beside its length.
        assert_eq!(check_cost_of(shapes(), &encoded[..5], 2, cost), Ok(()));
        assert_eq!(check_cost_of(shapes(), &encoded[..5], 2, cost - 1), over);
    }

    #[test]
    fn more_empty_items_than_a_receiver_takes_are_not_sent() {
        let count = Budget::EMPTY_ITEMS + 1;
        let plan = Plan::<Vec<()>>::new();
        let mut encoded = Vec::new();
        plan.encode(&vec![(); count], &mut Encoder::new(&mut encoded, 100)).expect("three bytes");
        let program = plan.program().expect("it can be sent");
        let limit = Budget::EMPTY_ITEMS;
        let refused = EncodeError::TooManyEmptyItems { count: count as u64, limit };
        assert_eq!(program.check_cost(&encoded, Budget::MAX_BYTES), Err(refused));
    }

    #[test]
    fn plain_types_are_never_measured() {
        fn rate<T: Facet<'static>>() -> usize {
            Plan::<T>::new().rate()
        }
        assert_eq!([rate::<u64>(), rate::<(u8, [f64; 9])>(), rate::<Option<bool>>()], [0, 0, 0]);
        assert_eq!([rate::<String>(), rate::<Option<String>>(), rate::<Box<[u8]>>()], [1, 1, 1]);
        assert_eq!([rate::<Bytes>(), rate::<bytestring::ByteString>()], [0, 0]);
        assert!(rate::<Vec<u8>>() <= 2 && rate::<Vec<f64>>() <= 2);
        assert!(rate::<Vec<u64>>() <= 16, "{}", rate::<Vec<u64>>());
    }
}
