//! Changes of options, lists, maps, sets and arrays. Read by the crates `old` and `new`, each of which takes its own version of each.

use super::*;

pub(crate) fn add(cases: &mut Vec<Case>) {
    change! { cases "ItemsWidened", "an integer becomes wider";
        old: Vec<u16> [vec![1, 300]] {}
        new: Vec<u32> [vec![7]] {}
        old_reads: []
        new_reads: [Some(vec![1, 300])]
    }
    change! { cases "BytesToNumbers", "a type becomes another";
        old: Vec<u8> [vec![1, 200]] {}
        new: Vec<u16> [vec![1, 200]] {}
        old_reads: []
        new_reads: []
    }
    change! { cases "ItemsOfASetWidened", "an integer becomes wider";
        old: std::collections::BTreeSet<u16> [std::collections::BTreeSet::from([1, 300])] {}
        new: std::collections::BTreeSet<u64> [std::collections::BTreeSet::from([7])] {}
        old_reads: []
        new_reads: [Some(std::collections::BTreeSet::from([1, 300]))]
    }
    change! { cases "KeysWidened", "an integer becomes wider";
        old: std::collections::BTreeMap<u8, bool> [std::collections::BTreeMap::from([(1, true), (200, false)])] {}
        new: std::collections::BTreeMap<i32, bool> [std::collections::BTreeMap::from([(7, true)])] {}
        old_reads: []
        new_reads: [Some(std::collections::BTreeMap::from([(1, true), (200, false)]))]
    }
    change! { cases "ValuesWidened", "an integer becomes wider";
        old: std::collections::BTreeMap<String, i8> [std::collections::BTreeMap::from([("x".to_owned(), -1)])] {}
        new: std::collections::BTreeMap<String, i16> [std::collections::BTreeMap::from([("y".to_owned(), 7)])] {}
        old_reads: []
        new_reads: [Some(std::collections::BTreeMap::from([("x".to_owned(), -1)]))]
    }
    change! { cases "ContentOfAnOptionWidened", "an integer becomes wider";
        old: Option<u8> [Some(200)] {}
        new: Option<u64> [Some(7)] {}
        old_reads: []
        new_reads: [Some(Some(200))]
    }
    change! { cases "ItemsOfAnArrayWidened", "an integer becomes wider";
        old: [u16; 3] [[1, 2, 300]] {}
        new: [u32; 3] [[7; 3]] {}
        old_reads: []
        new_reads: [Some([1, 2, 300])]
    }
    change! { cases "ItemsOfALongArrayWidened", "an integer becomes wider";
        old: [u16; 40] [[300; 40]] {}
        new: [u32; 40] [[7; 40]] {}
        old_reads: []
        new_reads: [Some([300; 40])]
    }
    change! { cases "PairsWidened", "an integer becomes wider";
        old: (u8, u16) [(200, 300)] {}
        new: (u64, u32) [(7, 7)] {}
        old_reads: []
        new_reads: [Some((200, 300))]
    }
    change! { cases "ItemsNarrowed", "an integer becomes narrower";
        old: Vec<u32> [vec![7]] {}
        new: Vec<u16> [vec![1, 300]] {}
        old_reads: [Some(vec![1, 300])]
        new_reads: []
    }
    change! { cases "ArrayLonger", "a type becomes another";
        old: [u8; 4] [[1; 4]] {}
        new: [u8; 5] [[1; 5]] {}
        old_reads: []
        new_reads: []
    }
    change! { cases "ArrayToList", "a type becomes another";
        old: [u16; 4] [[1; 4]] {}
        new: Vec<u16> [vec![1; 4]] {}
        old_reads: []
        new_reads: []
    }
    change! { cases "ListToSet", "a type becomes another";
        old: Vec<u16> [vec![1]] {}
        new: std::collections::BTreeSet<u16> [std::collections::BTreeSet::from([1])] {}
        old_reads: []
        new_reads: []
    }
    change! { cases "ListToOption", "a type becomes another";
        old: Vec<u16> [vec![1]] {}
        new: Option<u16> [Some(1)] {}
        old_reads: []
        new_reads: []
    }
    change! { cases "ValueToOption", "a type becomes another";
        old: u32 [7] {}
        new: Option<u32> [Some(7)] {}
        old_reads: []
        new_reads: []
    }
    change! { cases "OptionToValue", "a type becomes another";
        old: Option<u32> [Some(7)] {}
        new: u32 [7] {}
        old_reads: []
        new_reads: []
    }
    change! { cases "OptionToNestedOption", "a type becomes another";
        old: Option<u8> [Some(7)] {}
        new: Option<Option<u8>> [Some(None)] {}
        old_reads: []
        new_reads: []
    }
    change! { cases "SetToMap", "a type becomes another";
        old: std::collections::BTreeSet<u8> [std::collections::BTreeSet::from([1])] {}
        new: std::collections::BTreeMap<u8, ()> [std::collections::BTreeMap::from([(1, ())])] {}
        old_reads: []
        new_reads: []
    }
    change! { cases "KeysAnotherType", "a type becomes another";
        old: std::collections::BTreeMap<u32, u8> [std::collections::BTreeMap::from([(1, 1)])] {}
        new: std::collections::BTreeMap<String, u8> [std::collections::BTreeMap::from([("x".to_owned(), 1)])] {}
        old_reads: []
        new_reads: []
    }
    change! { cases "PairsSwapped", "a type becomes another";
        old: (u8, String) [(1, "x".to_owned())] {}
        new: (String, u8) [("x".to_owned(), 1)] {}
        old_reads: []
        new_reads: []
    }
    change! { cases "SortedToHashed", "a type is renamed, boxed, shared, or made another one of the same encoding";
        old: std::collections::BTreeMap<u8, u8> [std::collections::BTreeMap::from([(1, 2)])] {}
        new: std::collections::HashMap<u8, u8> [std::collections::HashMap::from([(1, 2)])] {}
        old_reads: [Some(std::collections::BTreeMap::from([(1, 2)]))]
        new_reads: [Some(std::collections::HashMap::from([(1, 2)]))]
    }
    change! { cases "ListToBoxedSlice", "a type is renamed, boxed, shared, or made another one of the same encoding";
        old: Vec<u16> [vec![1, 300]] {}
        new: Box<[u16]> [vec![1, 300].into()] {}
        old_reads: [Some(vec![1, 300])]
        new_reads: [Some(vec![1, 300].into())]
    }
    change! { cases "OptionAddedToAnItemOfASet", "a field of a key is added that has a default";
        old: std::collections::BTreeSet<Key> [std::collections::BTreeSet::from([Key { a: 1 }])] { #[derive(PartialEq, Eq, PartialOrd, Ord)] struct Key { a: u8 } }
        new: std::collections::BTreeSet<Key> [std::collections::BTreeSet::from([Key { a: 1, b: Some(2) }])] { #[derive(PartialEq, Eq, PartialOrd, Ord)] struct Key { a: u8, b: Option<u8> } }
        old_reads: []
        new_reads: [Some(std::collections::BTreeSet::from([Key { a: 1, b: None }]))]
    }
    change! { cases "DefaultAddedToAKey", "a field of a key is added that has a default";
        old: std::collections::BTreeMap<Key, u8> [std::collections::BTreeMap::from([(Key { a: 1 }, 9)])] { #[derive(PartialEq, Eq, PartialOrd, Ord)] struct Key { a: u8 } }
        new: std::collections::BTreeMap<Key, u8> [std::collections::BTreeMap::from([(Key { a: 1, b: 2 }, 9)])] { #[derive(PartialEq, Eq, PartialOrd, Ord)] struct Key { a: u8, #[facet(default)] b: u8 } }
        old_reads: []
        new_reads: [Some(std::collections::BTreeMap::from([(Key { a: 1, b: 0 }, 9)]))]
    }
    change! { cases "OptionRemovedFromAKey", "a field of a key is removed for which the older version has a default";
        old: std::collections::BTreeMap<Key, u8> [std::collections::BTreeMap::from([(Key { a: 1, b: Some(2) }, 9)])] { #[derive(PartialEq, Eq, PartialOrd, Ord)] struct Key { a: u8, b: Option<u8> } }
        new: std::collections::BTreeMap<Key, u8> [std::collections::BTreeMap::from([(Key { a: 1 }, 9)])] { #[derive(PartialEq, Eq, PartialOrd, Ord)] struct Key { a: u8 } }
        old_reads: [Some(std::collections::BTreeMap::from([(Key { a: 1, b: None }, 9)]))]
        new_reads: []
    }
    change! { cases "DefaultRemovedFromAnItemOfASet", "a field of a key is removed for which the older version has a default";
        old: std::collections::BTreeSet<Key> [std::collections::BTreeSet::from([Key { a: 1, b: 2 }])] { #[derive(PartialEq, Eq, PartialOrd, Ord)] struct Key { a: u8, #[facet(default)] b: u8 } }
        new: std::collections::BTreeSet<Key> [std::collections::BTreeSet::from([Key { a: 1 }])] { #[derive(PartialEq, Eq, PartialOrd, Ord)] struct Key { a: u8 } }
        old_reads: [Some(std::collections::BTreeSet::from([Key { a: 1, b: 0 }]))]
        new_reads: []
    }
    change! { cases "FieldsOfAKeyReordered", "fields or variants change their order";
        old: std::collections::BTreeMap<Key, u8> [std::collections::BTreeMap::from([(Key { a: 1, b: 2 }, 9)])] { #[derive(PartialEq, Eq, PartialOrd, Ord)] struct Key { a: u8, b: u8 } }
        new: std::collections::BTreeMap<Key, u8> [std::collections::BTreeMap::from([(Key { b: 4, a: 3 }, 9)])] { #[derive(PartialEq, Eq, PartialOrd, Ord)] struct Key { b: u8, a: u8 } }
        old_reads: [Some(std::collections::BTreeMap::from([(Key { a: 3, b: 4 }, 9)]))]
        new_reads: [Some(std::collections::BTreeMap::from([(Key { b: 2, a: 1 }, 9)]))]
    }
    change! { cases "OptionAddedToAValue", "a field is added that is an `Option` or has `#[facet(default)]`";
        old: std::collections::BTreeMap<u8, Value> [std::collections::BTreeMap::from([(1, Value { a: 1 })])] { struct Value { a: u8 } }
        new: std::collections::BTreeMap<u8, Value> [std::collections::BTreeMap::from([(1, Value { b: Some(2), a: 1 })])] { struct Value { b: Option<u8>, a: u8 } }
        old_reads: [Some(std::collections::BTreeMap::from([(1, Value { a: 1 })]))]
        new_reads: [Some(std::collections::BTreeMap::from([(1, Value { b: None, a: 1 })]))]
    }
}
