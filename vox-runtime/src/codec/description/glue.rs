//! How values are dropped.

use std::panic::{AssertUnwindSafe, catch_unwind};

use facet::{DefaultInPlaceFn, OxPtrMut, PtrMut, PtrUninit, Shape};

use super::vtables::OptionOps;

/// How to drop a value.
#[derive(Clone)]
pub(in crate::codec) enum Glue {
    /// There is nothing to drop.
    Nothing,
    /// The parts' glue, to be looked up where the parts are known.
    ByParts,
    Direct(unsafe fn(*mut ())),
    Indirect(unsafe fn(OxPtrMut), &'static Shape),
    Leaf(unsafe fn(*mut u8)),
    /// The glue of an option's content. facet's own function to drop an option cannot unwind.
    Option(OptionOps, Box<Glue>),
    Parts(Box<[(usize, Glue)]>),
    Repeat {
        each: Box<Glue>,
        len: usize,
        stride: usize,
    },
}

impl Glue {
    /// Drops the value at `value`. If its `Drop` panics, what that leaves is leaked and dropping goes on: this runs where a
    /// decoding has failed, whose error is what is told.
    ///
    /// # Safety
    ///
    /// It is a live value of the glue's type, and is not used after.
    pub(in crate::codec) unsafe fn run(&self, value: *mut u8) {
        // SAFETY: the caller's promise is what each function asks for; parts and repetitions lie
        // inside the value, at the offsets its layout gives them.
        unsafe {
            match self {
                Self::Nothing | Self::ByParts => {}
                Self::Direct(drop) => contained(|| drop(value.cast())),
                Self::Indirect(drop, shape) => contained(|| drop(OxPtrMut::new(PtrMut::new_sized(value), shape))),
                Self::Leaf(drop) => contained(|| drop(value)),
                Self::Option(ops, some) => {
                    let content = ops.get_mut(value);
                    if !content.is_null() {
                        some.run(content);
                    }
                }
                Self::Parts(parts) => {
                    for (offset, part) in parts {
                        part.run(value.add(*offset));
                    }
                }
                Self::Repeat { each, len, stride } => {
                    for index in 0..*len {
                        each.run(value.add(index * stride));
                    }
                }
            }
        }
    }
}

/// How to make a value that its sender does not have.
#[derive(Clone, Copy)]
pub(in crate::codec) enum Fill {
    /// As `None`.
    Absent(OptionOps),
    /// As its type's default.
    Default(&'static Shape),
    /// By a function of the user's.
    Custom(DefaultInPlaceFn),
}

impl Fill {
    /// By the default of the type of `shape`, if it has one.
    pub(super) fn of_default(shape: &'static Shape) -> Option<Self> {
        shape.type_ops.is_some_and(|ops| ops.has_default_in_place()).then_some(Self::Default(shape))
    }

    /// Makes the value at `dst`. Where it cannot be made, or the user's function panics, there is none.
    ///
    /// # Safety
    ///
    /// `dst` is valid for a write of the type that this came from.
    pub(in crate::codec) unsafe fn make(self, dst: *mut u8) -> bool {
        // SAFETY: the caller's promise.
        let make = || unsafe {
            match self {
                Self::Absent(ops) => ops.init_none(dst),
                Self::Default(shape) => return shape.call_default_in_place(PtrUninit::new_sized(dst)).is_some(),
                Self::Custom(make) => {
                    make(PtrUninit::new_sized(dst));
                }
            }
            true
        };
        catch_unwind(AssertUnwindSafe(make)).unwrap_or_else(|panic| {
            std::mem::forget(panic);
            false
        })
    }
}

impl std::fmt::Debug for Fill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Absent(_) => "Absent",
            Self::Default(_) => "Default",
            Self::Custom(_) => "Custom",
        })
    }
}

/// Runs what may panic, and keeps the panic from going on. What it carries is leaked, for that may panic again.
fn contained(drop: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(drop)) {
        std::mem::forget(panic);
    }
}

/// Drops the value of type `shape` at `value`, if the shape knows how.
///
/// # Safety
///
/// It is a live value of that type, and is not used after.
pub(super) unsafe fn drop_value(shape: &'static Shape, value: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe { shape.call_drop_in_place(PtrMut::new_sized(value)) };
}

/// Makes a default value of type `shape` at `dst` and drops it. Whether it could be made.
///
/// # Safety
///
/// `dst` is valid for a write of that type.
pub(super) unsafe fn make_default(shape: &'static Shape, dst: *mut u8) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        let made = shape.call_default_in_place(PtrUninit::new_sized(dst)).is_some();
        if made {
            drop_value(shape, dst);
        }
        made
    }
}
