//! How short and how long encodings are.

use std::collections::HashMap;

use super::{Description, Kind, Member, Scalar, TypeIndex};

impl Description {
    /// The fewest bytes an encoding of a type takes, or less.
    pub(in crate::codec) fn min_len(&self, index: TypeIndex) -> usize {
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
    pub(in crate::codec) fn max_len(&self, index: TypeIndex) -> Option<usize> {
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
}

/// Encodings that may be longer than this are not reserved for in one piece.
const LONGEST_BOUND: usize = 4096;

fn bounded(len: usize) -> Option<usize> {
    (len <= LONGEST_BOUND).then_some(len)
}
