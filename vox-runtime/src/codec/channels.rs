//! Channels inside values.
//!
//! A channel half is not data: what crosses is a number, and the runtime's hooks give the half
//! away on one side and make one on the other. The codec recognises a channel by its shape, made
//! by [`channel_shape`], wherever it stands in a type.
//!
//! Nobody outside of this crate can make such a shape or such a hook. Before a hook sees a pointer,
//! the codec compares the layout in the shape with the one that the hook expects.

use std::alloc::Layout;
use std::fmt;
use std::mem;
use std::ptr;
use std::sync::Arc;

use facet::{
    Def, Facet, MarkerTraits, Shape, ShapeBuilder, Type, TypeOpsDirect, TypeParam, UserType, VTableDirect, VTableErased,
};

use super::{DecodeError, DecodeErrorKind, EncodeError, Program, Translation};

/// Which half of a channel stands in a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ChannelKind {
    /// The half that sends items.
    Tx,
    /// The half that receives items.
    Rx,
}

/// Gives channel halves away while a value is encoded.
///
/// # Safety
///
/// `layout` is the layout of every type whose shape [`channel_shape`] made for that kind.
#[allow(unsafe_code, reason = "hooks get pointers to halves, and the shape of a half drops through one")]
pub(crate) unsafe trait ChannelEncoder {
    /// The layout of the halves that this hook knows.
    fn layout(&self, kind: ChannelKind) -> Layout;

    /// Gives the half at `half` away and returns the number that stands for it on the wire. `item`
    /// is the program of the channel's item type.
    ///
    /// # Safety
    ///
    /// `half` points to a live value of the channel type whose shape was made for `kind` and for
    /// the item type of `item`, and nothing else writes to it during the call.
    unsafe fn give(&mut self, half: *const u8, kind: ChannelKind, item: &Arc<Program>) -> Result<u32, EncodeError>;
}

/// Makes channel halves while a value is decoded, and answers for the memory of what is kept of it.
///
/// # Safety
///
/// `layout` is as for [`ChannelEncoder`]. Where `take` returns `Ok`, it has initialised `dst`. Where
/// it returns `Err`, it has left nothing there that needs dropping.
#[allow(unsafe_code, reason = "hooks get pointers to halves, and the shape of a half drops through one")]
pub(crate) unsafe trait ChannelDecoder {
    /// The layout of the halves that this hook knows.
    fn layout(&self, kind: ChannelKind) -> Layout;

    /// Makes the half that the number `index` stands for and writes it to `dst`. `item` is the
    /// program of the channel's item type, and `by` how its items are read, where another version of the type wrote them.
    ///
    /// # Safety
    ///
    /// `dst` is valid for a write of the channel type whose shape was made for `kind` and for the
    /// item type of `item`.
    unsafe fn take(
        &mut self,
        index: u32,
        kind: ChannelKind,
        item: &Arc<Program>,
        by: Option<&Arc<Translation>>,
        dst: *mut u8,
    ) -> Result<(), DecodeError>;

    /// So much more of the budget is to be spent than the value was given at first. `Err`: it may not, and why.
    fn keep(&mut self, bytes: usize) -> Result<(), DecodeErrorKind>;
}

/// The shape of the channel type `C`, called `name`, whose items are `T`.
///
/// # Safety
///
/// `C` is the crate's own half of this kind: what the hooks read and write where a channel stands.
#[allow(unsafe_code, reason = "hooks get pointers to halves, and the shape of a half drops through one")]
#[must_use]
pub(crate) const unsafe fn channel_shape<C: 'static, T: Facet<'static>>(
    kind: ChannelKind,
    name: &'static str,
) -> Shape {
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

/// Why a half is not given to a hook whose layout it does not have.
pub(super) const FOREIGN_HALF: &str = "its type is not vox's own `Tx` or `Rx`";

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
#[allow(unsafe_code, reason = "halves and hooks of their own")]
mod tests;
