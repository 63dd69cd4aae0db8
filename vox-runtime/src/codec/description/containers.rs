//! Lists, maps and sets: which of facet's are the ones of the standard library.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::BuildHasher;
use std::mem::MaybeUninit;

use facet::{Facet, ListDef, MapDef, SetDef, Shape};

use super::Kind;
use super::describer::Describer;
use super::vtables::{ListOps, MapOps, SetOps};
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
        let Some(ops) = MapOps::new(def) else {
            return Err(self.unknown(shape));
        };
        if is_hash && !hashes_like_std(shape, &ops) {
            let reason = "its hasher is not the standard one, whose table facet takes it for";
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
        let Some(ops) = SetOps::new(def) else {
            return Err(self.unknown(shape));
        };
        let item = self.below("[]", def.t)?;
        Ok(Kind::Set { ops, item })
    }
}

/// Whether a `HashMap` has the standard hasher.
///
/// facet's shape of a map does not say which hasher it has, and the functions it gives for reading
/// one take it for the standard one: with another they read memory that means something else. So
/// an empty map is made (making one does use the real hasher) and looked at. The standard hasher
/// is two words, of which a thread's every new one has the first counted up by one from the last,
/// and the second the same: no other hasher holds the words that come next.
fn hashes_like_std(shape: &'static Shape, ops: &MapOps) -> bool {
    type Std = HashMap<(), (), RandomState>;
    const WORDS: usize = size_of::<Std>() / size_of::<u64>();
    let Ok(layout) = shape.layout.sized_layout() else {
        return false;
    };
    if layout != std::alloc::Layout::new::<Std>()
        || size_of::<RandomState>() != 2 * size_of::<u64>()
        || size_of::<Std>() != WORDS * size_of::<u64>()
    {
        return false;
    }
    let words_of_next = || {
        // SAFETY: the sizes are equal, checked above, and a `RandomState` is two integers: std
        // documents no more, so that the size is what this rests on, and Miri's word that there
        // is no padding.
        unsafe { std::mem::transmute_copy::<RandomState, [u64; 2]>(&RandomState::new()) }
    };
    let before = words_of_next();
    let mut made = MaybeUninit::<Std>::zeroed();
    // SAFETY: the map has the layout of `made`, checked above.
    unsafe { ops.init(made.as_mut_ptr().cast(), 0) };
    let after = words_of_next();
    // SAFETY: an empty map has been written there, all of whose words are initialised unless the
    // hasher has padding; `made` was zeroed for the case that the map's own write leaves it alone.
    let words = unsafe { made.as_ptr().cast::<[u64; WORDS]>().read() };
    // SAFETY: the map is live and not used after.
    unsafe { super::glue::drop_value(shape, made.as_mut_ptr().cast()) };
    let _ = RandomState::new().build_hasher();
    let expected = [before[0].wrapping_add(1), before[1]];
    let is_standard = after == [before[0].wrapping_add(2), before[1]];
    is_standard && words.windows(2).any(|window| window == expected)
}
