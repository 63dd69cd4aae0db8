//! Whether what a shape says of a type's layout can be true.
//!
//! The executor writes where a shape says that a part is. So each type is checked when its plan is compiled: parts lie
//! inside of the whole, are aligned and do not overlap, a tag is as wide as the enum's discriminants want it, and owners
//! have the sizes that the executor writes.

use std::alloc::Layout;

use super::{Described, Kind, Member, Scalar, TagWidth, TypeIndex, Variant};

/// Why the layout of a type of this kind cannot be what its shape says, if it cannot. The types of its parts have their
/// layouts already.
pub(super) fn fault(types: &[Described], layout: Layout, kind: &Kind) -> Option<&'static str> {
    let of = |index: TypeIndex| types[index.0].layout();
    let is = |expected: Layout| layout == expected;
    let holds = |inner: Layout| inner.size() <= layout.size() && inner.align() <= layout.align();
    let fits = match kind {
        Kind::Scalar(scalar) => is(scalar.layout()),
        Kind::String => is(Layout::new::<String>()),
        Kind::Leaf(ops) => is(ops.layout),
        Kind::Struct(members) => return parts(types, layout, 0, members),
        Kind::Enum { tag, variants, .. } => return enumeration(types, layout, *tag, variants),
        // The content is made in place, and moved from there.
        Kind::Option { some, .. } => holds(of(*some)),
        Kind::Result { ok, err, .. } => holds(of(*ok)) && holds(of(*err)),
        Kind::Box(_) | Kind::Shared { .. } => is(Layout::new::<*mut u8>()),
        Kind::Slice { .. } => is(Layout::new::<*mut [u8]>()),
        Kind::List { item, .. } => list_fits(layout) && strides(of(*item)),
        Kind::Array { item, len } => {
            let item = of(*item);
            item.size().checked_mul(*len) == Some(layout.size()) && item.align() == layout.align() && strides(item)
        }
        Kind::Map { ops, key, value } => strides(of(*key)) && strides(of(*value)) && ops.fits(of(*key), of(*value)),
        Kind::Set { item, .. } => strides(of(*item)),
        // The hooks compare it with their own.
        Kind::Channel { .. } => true,
        Kind::Unfinished => false,
    };
    (!fits).then_some("its layout is not what its shape says")
}

/// Whether an array of such items has no gaps.
fn strides(item: Layout) -> bool {
    item.size().is_multiple_of(item.align())
}

/// Whether it can be a `Vec` or a `SmallVec`: three words or more.
fn list_fits(layout: Layout) -> bool {
    layout.size() >= 3 * size_of::<usize>() && layout.align() >= align_of::<usize>()
}

fn enumeration(types: &[Described], layout: Layout, tag: TagWidth, variants: &[Variant]) -> Option<&'static str> {
    let width = tag.bytes();
    let is_plain = variants.iter().all(|variant| variant.members.is_empty());
    if !variants.is_empty() && (layout.size() < width || (is_plain && layout.size() != width)) {
        return Some("its tag in memory is not as wide as its shape says");
    }
    let discriminants = || variants.iter().map(|variant| variant.discriminant);
    if !(discriminants().all(|value| tag.holds_unsigned(value)) || discriminants().all(|value| tag.holds_signed(value)))
    {
        return Some("its discriminants do not fit its tag");
    }
    let mut tags: Vec<u64> = variants.iter().map(|variant| variant.tag).collect();
    tags.sort_unstable();
    if tags.windows(2).any(|pair| pair[0] == pair[1]) {
        return Some("two of its variants have one discriminant");
    }
    variants.iter().find_map(|variant| parts(types, layout, width, &variant.members))
}

/// Whether the parts lie behind the first `head` bytes of the whole, side by side.
fn parts(types: &[Described], layout: Layout, head: usize, members: &[Member]) -> Option<&'static str> {
    const OUTSIDE: Option<&str> = Some("a field lies outside of it, as its shape has it");
    let mut taken = Vec::with_capacity(members.len());
    for member in members {
        let part = types[member.ty.0].layout();
        let Some(end) = member.offset.checked_add(part.size()).filter(|end| *end <= layout.size()) else {
            return OUTSIDE;
        };
        if part.align() > layout.align() || !member.offset.is_multiple_of(part.align()) {
            return Some("a field is not aligned, as its shape has it");
        }
        if part.size() > 0 {
            taken.push((member.offset, end));
        }
    }
    taken.sort_unstable();
    let mut free = head;
    for (start, end) in taken {
        if start < free {
            return Some("two of its fields overlap, as its shape has it");
        }
        free = end;
    }
    None
}

impl TagWidth {
    fn bytes(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Four => 4,
            Self::Eight => 8,
        }
    }

    fn holds_unsigned(self, value: i64) -> bool {
        // Eight bytes: facet keeps a `u64` in an `i64`, bit by bit.
        self == Self::Eight || (0..=self.mask() as i64).contains(&value)
    }

    fn holds_signed(self, value: i64) -> bool {
        let most = (self.mask() >> 1) as i64;
        (-most - 1..=most).contains(&value)
    }
}

impl Scalar {
    pub(super) fn layout(self) -> Layout {
        match self {
            Self::Bool => Layout::new::<bool>(),
            Self::Char => Layout::new::<char>(),
            Self::U8 | Self::I8 => Layout::new::<u8>(),
            Self::U16 | Self::I16 => Layout::new::<u16>(),
            Self::U32 | Self::I32 => Layout::new::<u32>(),
            Self::U64 | Self::I64 => Layout::new::<u64>(),
            Self::U128 | Self::I128 => Layout::new::<u128>(),
            Self::Usize | Self::Isize => Layout::new::<usize>(),
            Self::F32 => Layout::new::<f32>(),
            Self::F64 => Layout::new::<f64>(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::description::Glue;

    /// Types: 0 is a byte, 1 a `u32`, 2 has no size.
    fn types() -> Vec<Described> {
        let (shape, kind) = (<() as facet::Facet>::SHAPE, || Kind::Struct(Vec::new()));
        let of = |size, align| Described { shape, kind: kind(), size, align, glue: Glue::Nothing };
        vec![of(1, 1), of(4, 4), of(0, 1)]
    }

    fn members(parts: &[(usize, usize)]) -> Vec<Member> {
        parts.iter().map(|(offset, ty)| Member { name: "m", offset: *offset, ty: TypeIndex(*ty), fill: None }).collect()
    }

    #[track_caller]
    fn check_struct(size: usize, parts: &[(usize, usize)], fault: Option<&str>) {
        let layout = Layout::from_size_align(size, 4).expect("a layout");
        assert_eq!(super::fault(&types(), layout, &Kind::Struct(members(parts))), fault);
    }

    #[test]
    fn fields_lie_inside_aligned_and_side_by_side() {
        check_struct(8, &[(0, 1), (4, 0)], None);
        check_struct(8, &[(4, 1), (0, 0), (4, 2), (8, 2)], None);
        check_struct(8, &[(8, 1)], Some("a field lies outside of it, as its shape has it"));
        check_struct(8, &[(usize::MAX, 0)], Some("a field lies outside of it, as its shape has it"));
        check_struct(8, &[(2, 1)], Some("a field is not aligned, as its shape has it"));
        check_struct(8, &[(0, 1), (3, 0)], Some("two of its fields overlap, as its shape has it"));
        check_struct(8, &[(4, 1), (4, 0)], Some("two of its fields overlap, as its shape has it"));
    }

    #[track_caller]
    fn check_enum(size: usize, tag: TagWidth, discriminants: &[i64], parts: &[(usize, usize)], fault: Option<&str>) {
        let variants = discriminants.iter().map(|&discriminant| Variant {
            name: "V",
            discriminant,
            tag: discriminant as u64 & tag.mask(),
            members: members(parts),
        });
        let layout = Layout::from_size_align(size, 4).expect("a layout");
        let kind = Kind::Enum { name: "E", tag, variants: variants.collect() };
        assert_eq!(super::fault(&types(), layout, &kind), fault);
    }

    #[test]
    fn a_tag_holds_its_discriminants_and_nothing_else_is_in_it() {
        check_enum(4, TagWidth::Four, &[0, 1, u32::MAX.into()], &[], None);
        check_enum(4, TagWidth::Four, &[-1, i32::MAX.into()], &[], None);
        check_enum(8, TagWidth::Four, &[0, 1], &[(4, 1)], None);
        let wide = Some("its tag in memory is not as wide as its shape says");
        check_enum(8, TagWidth::Four, &[0, 1], &[], wide);
        check_enum(2, TagWidth::Four, &[0, 1], &[], wide);
        let unfit = Some("its discriminants do not fit its tag");
        check_enum(8, TagWidth::Four, &[0, 1 << 32], &[(4, 1)], unfit);
        check_enum(8, TagWidth::Four, &[-1, u32::MAX.into()], &[(4, 1)], unfit);
        check_enum(1, TagWidth::One, &[256], &[], unfit);
        check_enum(1, TagWidth::One, &[-129], &[], unfit);
        check_enum(8, TagWidth::Four, &[7, 7], &[(4, 1)], Some("two of its variants have one discriminant"));
        check_enum(8, TagWidth::Four, &[0], &[(0, 1)], Some("two of its fields overlap, as its shape has it"));
        check_enum(8, TagWidth::Four, &[0], &[(8, 1)], Some("a field lies outside of it, as its shape has it"));
    }
}
