//! Channels inside values.
//!
//! A channel half is not data: what crosses is a number, and the runtime's hooks give the half
//! away on one side and make one on the other. The codec recognises a channel by its shape, made
//! by [`channel_shape`], wherever it stands in a type.

use std::fmt;
use std::mem;
use std::ptr;
use std::sync::Arc;

use facet::{
    Def, Facet, MarkerTraits, Shape, ShapeBuilder, Type, TypeOpsDirect, TypeParam, UserType, VTableDirect, VTableErased,
};

use super::{DecodeError, EncodeError, Program};

/// Which half of a channel stands in a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChannelKind {
    /// The half that sends items.
    Tx,
    /// The half that receives items.
    Rx,
}

/// Gives channel halves away while a value is encoded.
pub trait ChannelEncoder {
    /// Gives the half at `half` away and returns the number that stands for it on the wire. `item`
    /// is the program of the channel's item type.
    ///
    /// # Safety
    ///
    /// `half` points to a live value of the channel type whose shape was made for `kind` and for
    /// the item type of `item`, and nothing else writes to it during the call.
    unsafe fn give(&mut self, half: *const u8, kind: ChannelKind, item: &Arc<Program>) -> Result<u32, EncodeError>;
}

/// Makes channel halves while a value is decoded.
pub trait ChannelDecoder {
    /// Makes the half that the number `index` stands for and writes it to `dst`. `item` is the
    /// program of the channel's item type.
    ///
    /// # Safety
    ///
    /// `dst` is valid for a write of the channel type whose shape was made for `kind` and for the
    /// item type of `item`. When this returns `Ok`, it has initialised `dst`; when it returns
    /// `Err`, it has left nothing there that needs dropping.
    unsafe fn take(
        &mut self,
        index: u32,
        kind: ChannelKind,
        item: &Arc<Program>,
        dst: *mut u8,
    ) -> Result<(), DecodeError>;
}

/// The shape of the channel type `C`, called `name`, whose items are `T`.
///
/// ```
/// use vox_runtime::codec::{ChannelKind, channel_shape};
/// struct Tx<T>(std::marker::PhantomData<T>);
/// // SAFETY: the shape is the one made for this type.
/// unsafe impl<T: facet::Facet<'static>> facet::Facet<'static> for Tx<T> {
///     const SHAPE: &'static facet::Shape =
///         &const { channel_shape::<Self, T>(ChannelKind::Tx, "Tx") };
/// }
/// ```
#[must_use]
pub const fn channel_shape<C: 'static, T: Facet<'static>>(kind: ChannelKind, name: &'static str) -> Shape {
    ShapeBuilder::for_sized::<C>(name)
        .module_path(MODULE)
        .ty(Type::User(UserType::Opaque))
        .def(Def::Scalar)
        .vtable_direct(match kind {
            ChannelKind::Tx => &TX_MARK,
            ChannelKind::Rx => &RX_MARK,
        })
        .type_params(&const { [TypeParam { name: "T", shape: T::SHAPE }] })
        .type_ops_direct(
            &const {
                TypeOpsDirect {
                    // SAFETY: both are `unsafe fn` of one thin pointer, and callers must pass a
                    // pointer to a live `C` whichever type the parameter has.
                    drop_in_place: unsafe {
                        mem::transmute::<unsafe fn(*mut C), unsafe fn(*mut ())>(ptr::drop_in_place::<C>)
                    },
                    default_in_place: None,
                    clone_into: None,
                    is_truthy: None,
                }
            },
        )
        .marker_traits(MarkerTraits::empty())
        .build()
}

/// The channel that `shape` is, or that one of its type arguments has, as far as a constant can tell: the fields of a type are
/// found by calling functions, which no constant can.
pub(crate) const fn evident_channel(shape: &'static Shape) -> Option<&'static str> {
    if let (Type::User(UserType::Opaque), Some(module)) = (shape.ty, shape.module_path)
        && is_equal(module, MODULE)
    {
        return Some(shape.type_identifier);
    }
    let mut at = 0;
    while at < shape.type_params.len() {
        if let Some(channel) = evident_channel(shape.type_params[at].shape) {
            return Some(channel);
        }
        at += 1;
    }
    None
}

const fn is_equal(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

/// Where channels say that they are from. No derive says so of a type that it calls opaque: there is none in the crate's root.
const MODULE: &str = "vox";

/// Which half `shape` is, and its items' shape, if it is a channel's.
pub(super) fn channel_of(shape: &'static Shape) -> Option<(ChannelKind, &'static Shape)> {
    let VTableErased::Direct(vtable) = shape.vtable else {
        return None;
    };
    let kind = if ptr::eq(vtable, &TX_MARK) {
        ChannelKind::Tx
    } else if ptr::eq(vtable, &RX_MARK) {
        ChannelKind::Rx
    } else {
        return None;
    };
    Some((kind, shape.type_params.first()?.shape))
}

/// Shapes that point at these two tables are channels: the address is what marks them, so no
/// attribute or name that a user can write makes a type look like one.
///
/// Each has contents of its own. A constant may be given the address of a static that looks the same, and is, where
/// the whole program is optimised at once: every table that is empty would be one of these.
static TX_MARK: VTableDirect = mark(|_, f| f.write_str("the sending half of a vox channel"));
static RX_MARK: VTableDirect = mark(|_, f| f.write_str("the receiving half of a vox channel"));

const fn mark(display: unsafe fn(*const (), &mut fmt::Formatter<'_>) -> fmt::Result) -> VTableDirect {
    VTableDirect { display: Some(display), ..VTableDirect::empty() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_marks_a_channel_looks_like_nothing_else() {
        let says = |mark: &VTableDirect| Half(mark.display.expect("a mark has contents of its own")).to_string();
        assert_ne!(says(&TX_MARK), says(&RX_MARK));
    }

    struct Half(unsafe fn(*const (), &mut fmt::Formatter<'_>) -> fmt::Result);

    impl fmt::Display for Half {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            // SAFETY: the functions of a mark read no value.
            unsafe { (self.0)(ptr::null(), f) }
        }
    }
}
