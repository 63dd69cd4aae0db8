//! Lists, maps and sets: which of facet's are the ones of the standard library.

use std::alloc::Layout;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasherDefault, DefaultHasher, RandomState};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::panic::catch_unwind;

use facet::{Facet, ListDef, MapDef, SetDef, Shape};

use super::Kind;
use super::describer::Describer;
use super::entries::{MapOps, SetOps};
use super::glue;
use super::vtables::ListOps;
use crate::codec::PlanError;

impl Describer {
    pub(super) fn list(&mut self, shape: &'static Shape, def: &ListDef) -> Result<Kind, PlanError> {
        let is_smallvec = shape.module_path == Some("smallvec");
        if shape.decl_id != <Vec<()>>::SHAPE.decl_id && !is_smallvec {
            return Err(self.unknown(shape));
        }
        let Some(ops) = ListOps::new(def) else {
            return Err(self.unknown(shape));
        };
        let item = self.below("[]", def.t)?;
        Ok(Kind::List { ops, item })
    }

    pub(super) fn map(&mut self, shape: &'static Shape, def: &MapDef) -> Result<Kind, PlanError> {
        let is_hash = shape.decl_id == <HashMap<(), ()>>::SHAPE.decl_id;
        if !is_hash && shape.decl_id != <BTreeMap<(), ()>>::SHAPE.decl_id {
            return Err(self.unknown(shape));
        }
        let Some(ops) = MapOps::new(def, is_hash) else {
            return Err(self.unknown(shape));
        };
        if is_hash && !reads_like_std(shape, &ops) {
            let reason = "its hasher is not the standard one";
            return Err(self.refuse(shape, reason, "use `HashMap` with its default hasher"));
        }
        let key = self.below("{key}", def.k)?;
        let value = self.below("{value}", def.v)?;
        Ok(Kind::Map { ops, key, value })
    }

    pub(super) fn set(&mut self, shape: &'static Shape, def: &SetDef) -> Result<Kind, PlanError> {
        let is_hash = shape.decl_id == <HashSet<()>>::SHAPE.decl_id;
        if !is_hash && shape.decl_id != <BTreeSet<()>>::SHAPE.decl_id {
            return Err(self.unknown(shape));
        }
        let hasher = shape.type_params.get(1).map(|param| param.shape);
        if is_hash && hasher.is_none_or(|hasher| hasher.id != RandomState::SHAPE.id) {
            let reason = "its hasher is not the standard one";
            return Err(self.refuse(shape, reason, "use `HashSet` with its default hasher"));
        }
        let Some(ops) = SetOps::new(def, is_hash) else {
            return Err(self.unknown(shape));
        };
        let item = self.below("[]", def.t)?;
        Ok(Kind::Set { ops, item })
    }
}

/// Whether facet's functions for reading a `HashMap` can read this one, whose hasher is as the standard one is.
///
/// facet's shape of a map does not name its hasher. The functions that read a map take it for the standard one, and
/// those that make one take the real one. Reading uses the table of the map and never its hasher. So it is right if the
/// table stands where it stands beside the standard hasher, and that is what is looked at here, in the part of a map that
/// is table wherever the table begins: it is never padding of the hasher. Decoding makes the map by its real hasher.
///
/// That is also right for a hasher that wraps the standard one. Any other makes no `RandomState`, and is refused.
fn reads_like_std(shape: &'static Shape, ops: &MapOps) -> bool {
    if shape.layout.sized_layout() != Ok(Layout::new::<Std>()) || !TABLE_IS_IN_THE_MIDDLE {
        return false;
    }
    let before = keys_of_next();
    // A hasher's `default` is the user's code, and may panic.
    let made = catch_unwind(|| {
        let mut made = MaybeUninit::<Std>::uninit();
        // SAFETY: the map has the layout of `made`, checked above. It is dropped at once.
        unsafe { glue::make_default(shape, made.as_mut_ptr().cast()) }
    });
    let draws = keys_of_next()[0].wrapping_sub(before[0]);
    if !matches!(made, Ok(true)) || draws != 2 {
        return false;
    }
    let mut made = MaybeUninit::<Std>::uninit();
    let start = made.as_mut_ptr().cast::<u8>();
    // SAFETY: the map has the layout of `made`. The two words are the table's, all of whose words are initialised.
    unsafe {
        ops.init(start, CAPACITY);
        let seen = middle_of(start);
        glue::drop_value(shape, start);
        let mut std = ManuallyDrop::new(Std::with_capacity(CAPACITY));
        let expected = middle_of((&raw const std).cast());
        ManuallyDrop::drop(&mut std);
        seen == expected
    }
}

type Std = HashMap<(), (), RandomState>;

/// Its table has 16 buckets, room for 14 entries, and none: its words are 15, 14, 0 and a pointer, in some order, so that
/// two neighbours say where it begins.
const CAPACITY: usize = 14;

/// A map is a table of four words and a hasher, which is at most two here. So the table begins with the first, second or
/// third word of six, and the third and fourth are always its own.
const TABLE_IS_IN_THE_MIDDLE: bool = {
    type Table = HashMap<(), (), BuildHasherDefault<DefaultHasher>>;
    size_of::<Table>() == 4 * WORD && align_of::<Table>() == WORD && size_of::<Std>() == 6 * WORD
};

const WORD: usize = size_of::<usize>();

/// The third and fourth word of a map: numbers as they are, any pointer as the same.
///
/// # Safety
///
/// `map` points to a live map of six words.
unsafe fn middle_of(map: *const u8) -> [usize; 2] {
    [2, 3].map(|index| {
        // SAFETY: the words are inside the map, and are the table's: initialised.
        let word = unsafe { map.cast::<*const ()>().add(index).read() };
        if word.addr() > CAPACITY + 1 { usize::MAX } else { word.addr() }
    })
}

/// The keys of a new standard hasher. In one thread, the first of them counts the hashers up.
fn keys_of_next() -> [u64; 2] {
    const { assert!(size_of::<RandomState>() == 16, "the standard hasher is two keys") };
    // SAFETY: a `RandomState` is two integers without padding: its size was checked.
    unsafe { std::mem::transmute::<RandomState, [u64; 2]>(RandomState::new()) }
}
