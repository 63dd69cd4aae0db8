//! How values are dropped.

use facet::{OxPtrMut, PtrMut, Shape};

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
    Parts(Box<[(usize, Glue)]>),
    Repeat {
        each: Box<Glue>,
        len: usize,
        stride: usize,
    },
}

impl Glue {
    /// Drops the value at `value`.
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
                Self::Direct(drop) => drop(value.cast()),
                Self::Indirect(drop, shape) => drop(OxPtrMut::new(PtrMut::new_sized(value), shape)),
                Self::Leaf(drop) => drop(value),
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

/// Drops the value of type `shape` at `value`, if the shape knows how.
///
/// # Safety
///
/// It is a live value of that type, and is not used after.
pub(super) unsafe fn drop_value(shape: &'static Shape, value: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe { shape.call_drop_in_place(PtrMut::new_sized(value)) };
}
