//! facet's functions for values, with plain pointers.
//!
//! Everything here is `unsafe` to call for one reason: the pointers must point to what the
//! function says they do, of the type whose shape the function came from.

use std::alloc::Layout;
use std::fmt;

use facet::{
    Facet, KnownPointer, ListDef, OptionDef, OptionVTable, PointerDef, PtrConst, PtrMut, PtrUninit, ResultDef,
    ResultVTable, Shape, SliceBuilderVTable, SliceDef,
};

use crate::error::MethodError;

pub(super) fn live(value: *const u8) -> PtrConst {
    PtrConst::new_sized(value)
}

pub(super) fn owned(value: *mut u8) -> PtrMut {
    PtrMut::new_sized(value)
}

pub(super) fn room(dst: *mut u8) -> PtrUninit {
    PtrUninit::new_sized(dst)
}

/// Prints a value as its `Display`, or as its `Debug` where its type has none.
impl<E: Facet<'static> + fmt::Debug> MethodError for E {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: this is a live value of the type that the shape is of.
        let displayed = unsafe { E::SHAPE.call_display(PtrConst::new(std::ptr::from_ref(self)), f) };
        displayed.unwrap_or_else(|| fmt::Debug::fmt(self, f))
    }
}

/// An `Option<T>`.
#[derive(Clone, Copy)]
pub(in crate::codec) struct OptionOps(&'static OptionVTable);

impl OptionOps {
    pub(super) fn new(def: &OptionDef) -> Self {
        Self(def.vtable)
    }

    /// The content of the live option, or null.
    ///
    /// # Safety
    ///
    /// `option` points to a live value of the type these came from.
    pub(in crate::codec) unsafe fn get(self, option: *const u8) -> *const u8 {
        // SAFETY: the caller's promise.
        unsafe { (self.0.get_value)(live(option)) }
    }

    /// The content of the live option, to be dropped or changed, or null. The option's own functions for that cannot
    /// unwind.
    ///
    /// # Safety
    ///
    /// As for `get`, and nothing else uses the option.
    pub(in crate::codec) unsafe fn get_mut(self, option: *mut u8) -> *mut u8 {
        // SAFETY: the caller's promise; the content lies inside of the option.
        unsafe {
            let content = self.get(option);
            match content.is_null() {
                true => std::ptr::null_mut(),
                false => option.add(content.addr() - option.addr()),
            }
        }
    }

    /// Makes `None` at `dst`.
    ///
    /// # Safety
    ///
    /// `dst` is valid for a write of the type these came from.
    pub(in crate::codec) unsafe fn init_none(self, dst: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { (self.0.init_none)(room(dst)) };
    }

    /// Makes `Some` at `dst` of the content at `content`, which may be the same place.
    ///
    /// # Safety
    ///
    /// `dst` is valid for a write of the type these came from; `content` points to a live content, given up.
    pub(in crate::codec) unsafe fn init_some(self, dst: *mut u8, content: *mut u8) {
        // SAFETY: the caller's promise; the content is moved out before `dst` is written.
        unsafe { (self.0.init_some)(room(dst), owned(content)) };
    }
}

/// A `Result<T, E>`.
#[derive(Clone, Copy)]
pub(in crate::codec) struct ResultOps(&'static ResultVTable);

impl ResultOps {
    pub(super) fn new(def: &ResultDef) -> Self {
        Self(def.vtable)
    }

    /// The `Ok` of the live result, or null.
    ///
    /// # Safety
    ///
    /// `result` points to a live value of the type these came from.
    pub(in crate::codec) unsafe fn get_ok(self, result: *const u8) -> *const u8 {
        // SAFETY: the caller's promise.
        unsafe { (self.0.get_ok)(live(result)) }
    }

    /// The `Err` of the live result, or null.
    ///
    /// # Safety
    ///
    /// `result` points to a live value of the type these came from.
    pub(in crate::codec) unsafe fn get_err(self, result: *const u8) -> *const u8 {
        // SAFETY: the caller's promise.
        unsafe { (self.0.get_err)(live(result)) }
    }

    /// Makes `Ok` at `dst` of the content at `content`, which may be the same place.
    ///
    /// # Safety
    ///
    /// `dst` is valid for a write of the type these came from; `content` points to a live `Ok`, given up.
    pub(in crate::codec) unsafe fn init_ok(self, dst: *mut u8, content: *mut u8) {
        // SAFETY: the caller's promise; the content is moved out before `dst` is written.
        unsafe { (self.0.init_ok)(room(dst), owned(content)) };
    }

    /// Makes `Err` at `dst` of the content at `content`, which may be the same place.
    ///
    /// # Safety
    ///
    /// `dst` is valid for a write of the type these came from; `content` points to a live `Err`, given up.
    pub(in crate::codec) unsafe fn init_err(self, dst: *mut u8, content: *mut u8) {
        // SAFETY: the caller's promise; the content is moved out before `dst` is written.
        unsafe { (self.0.init_err)(room(dst), owned(content)) };
    }
}

/// An `Rc<T>` or `Arc<T>` of a sized type.
#[derive(Clone, Copy)]
pub(in crate::codec) struct SharedOps {
    borrow: facet::BorrowFn,
    new_into: facet::NewIntoFn,
}

impl SharedOps {
    pub(super) fn new(def: &PointerDef) -> Option<Self> {
        Some(Self { borrow: def.vtable.borrow_fn?, new_into: def.vtable.new_into_fn? })
    }

    /// The content of the live owner.
    ///
    /// # Safety
    ///
    /// `owner` points to a live owner of the type these came from.
    pub(in crate::codec) unsafe fn get(self, owner: *const u8) -> *const u8 {
        // SAFETY: the caller's promise.
        unsafe { (self.borrow)(live(owner)).raw_ptr() }
    }

    /// Makes an owner at `dst` of the content at `content`, which is moved out.
    ///
    /// # Safety
    ///
    /// `dst` is valid for a write of the owner; `content` points to a live content, given up.
    pub(in crate::codec) unsafe fn init(self, dst: *mut u8, content: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { (self.new_into)(room(dst), owned(content)) };
    }
}

/// A `Box<[T]>`, `Rc<[T]>` or `Arc<[T]>`.
#[derive(Clone, Copy)]
pub(in crate::codec) struct SliceOps {
    borrow: facet::BorrowFn,
    len: facet::SliceLenFn,
    as_ptr: facet::SliceAsPtrFn,
    builder: &'static SliceBuilderVTable,
    owner: Layout,
    is_box: bool,
}

impl SliceOps {
    pub(super) fn new(def: &PointerDef, slice: &SliceDef, shape: &Shape) -> Option<Self> {
        Some(Self {
            borrow: def.vtable.borrow_fn?,
            len: slice.vtable.len,
            as_ptr: slice.vtable.as_ptr,
            builder: def.vtable.slice_builder_vtable?,
            owner: shape.layout.sized_layout().ok()?,
            is_box: matches!(def.known, Some(KnownPointer::Box)),
        })
    }

    /// The items of the live owner: where the first is, and how many.
    ///
    /// # Safety
    ///
    /// `owner` points to a live owner of the type these came from.
    pub(in crate::codec) unsafe fn get(self, owner: *const u8) -> (*const u8, usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let slice = (self.borrow)(live(owner));
            ((self.as_ptr)(slice).raw_ptr(), (self.len)(slice))
        }
    }

    /// Whether the owner is a `Box`: a pointer to the items and their number.
    pub(in crate::codec) fn is_box(self) -> bool {
        self.is_box
    }

    /// A builder with no items yet, to be given to `finish`.
    pub(in crate::codec) fn build(self) -> *mut u8 {
        (self.builder.new_fn)().data_ptr()
    }

    /// Moves the item at `item` into the live builder.
    ///
    /// # Safety
    ///
    /// `builder` came from `build` of the same operations; `item` points to a live item, given up.
    pub(in crate::codec) unsafe fn push(self, builder: *mut u8, item: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { (self.builder.push_fn)(owned(builder), owned(item)) };
    }

    /// Makes the owner of a builder's items at `dst`.
    ///
    /// # Safety
    ///
    /// `builder` came from `build` and is given up; `dst` is valid for a write of the owner.
    pub(in crate::codec) unsafe fn finish(self, builder: *mut u8, dst: *mut u8) {
        // SAFETY: the caller's promise. The owner comes in an allocation of its own layout, out of
        // which it is moved.
        unsafe {
            let made = (self.builder.convert_fn)(owned(builder)).into_mut().data_ptr();
            made.copy_to_nonoverlapping(dst, self.owner.size());
            std::alloc::dealloc(made, self.owner);
        }
    }
}

/// A list whose items lie side by side, as in a `Vec`.
#[derive(Clone, Copy)]
pub(in crate::codec) struct ListOps {
    len: facet::ListLenFn,
    as_ptr: facet::ListAsPtrFn,
    init: facet::ListInitInPlaceWithCapacityFn,
    as_mut_ptr: facet::ListAsMutPtrTypedFn,
    set_len: facet::ListSetLenFn,
    reserve: facet::ListReserveFn,
}

impl ListOps {
    pub(super) fn new(def: &ListDef) -> Option<Self> {
        Some(Self {
            len: def.vtable.len,
            as_ptr: def.vtable.as_ptr?,
            init: def.init_in_place_with_capacity()?,
            as_mut_ptr: def.as_mut_ptr_typed()?,
            set_len: def.set_len()?,
            reserve: def.reserve()?,
        })
    }

    /// The items of the live list: where the first is, and how many.
    ///
    /// # Safety
    ///
    /// `list` points to a live list of the type these came from.
    pub(in crate::codec) unsafe fn get(self, list: *const u8) -> (*const u8, usize) {
        // SAFETY: the caller's promise.
        unsafe { ((self.as_ptr)(live(list)).raw_ptr(), (self.len)(live(list))) }
    }

    /// Makes an empty list with room for `capacity` items at `dst`.
    ///
    /// # Safety
    ///
    /// `dst` is valid for a write of the list.
    pub(in crate::codec) unsafe fn init(self, dst: *mut u8, capacity: usize) {
        // SAFETY: the caller's promise.
        unsafe { (self.init)(room(dst), capacity) };
    }

    /// Where the live list's first item is or will be.
    ///
    /// # Safety
    ///
    /// `list` points to a live list of the type these came from.
    pub(in crate::codec) unsafe fn items(self, list: *mut u8) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { (self.as_mut_ptr)(owned(list)) }
    }

    /// Says that the first `len` items of the live list are live.
    ///
    /// # Safety
    ///
    /// `list` points to a live list of the type these came from, whose first `len` items are live.
    pub(in crate::codec) unsafe fn set_len(self, list: *mut u8, len: usize) {
        // SAFETY: the caller's promise.
        unsafe { (self.set_len)(owned(list), len) };
    }

    /// Makes room for `more` items beyond the live list's length.
    ///
    /// # Safety
    ///
    /// `list` points to a live list of the type these came from.
    pub(in crate::codec) unsafe fn reserve(self, list: *mut u8, more: usize) {
        // SAFETY: the caller's promise.
        unsafe { (self.reserve)(owned(list), more) };
    }
}
