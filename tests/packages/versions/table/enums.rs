//! Changes of variants of enums. Read by the crates `old` and `new`, each of which takes its own version of each.

use super::*;

pub(crate) fn add(cases: &mut Vec<Case>) {
    change! { cases "VariantsReordered", "fields or variants change their order";
        old: T [T::A, T::B] { #[repr(u8)] enum T { A, B } }
        new: T [T::A, T::B] { #[repr(u8)] enum T { B, A } }
        old_reads: [Some(T::A), Some(T::B)]
        new_reads: [Some(T::A), Some(T::B)]
    }
    change! { cases "VariantsWithContentsReordered", "fields or variants change their order";
        old: T [T::A(1), T::B { x: "x".to_owned() }, T::C] { #[repr(u8)] enum T { A(u8), B { x: String }, C } }
        new: T [T::C, T::A(2)] { #[repr(u8)] enum T { C, B { x: String }, A(u8) } }
        old_reads: [Some(T::C), Some(T::A(2))]
        new_reads: [Some(T::A(1)), Some(T::B { x: "x".to_owned() }), Some(T::C)]
    }
    change! { cases "DiscriminantsChanged", "a type is renamed, boxed, shared, or made another one of the same encoding";
        old: T [T::A, T::B] { #[repr(u8)] enum T { A = 1, B = 2 } }
        new: T [T::A, T::B] { #[repr(u16)] enum T { A = 300, B = 7 } }
        old_reads: [Some(T::A), Some(T::B)]
        new_reads: [Some(T::A), Some(T::B)]
    }
    change! { cases "VariantAddedLast", "a variant is added";
        old: T [T::A, T::B] { #[repr(u8)] enum T { A, B } }
        new: T [T::A, T::B, T::C] { #[repr(u8)] enum T { A, B, C } }
        old_reads: [Some(T::A), Some(T::B), None]
        new_reads: [Some(T::A), Some(T::B)]
    }
    change! { cases "VariantAddedFirst", "a variant is added";
        old: T [T::A, T::B] { #[repr(u8)] enum T { A, B } }
        new: T [T::A, T::B, T::C] { #[repr(u8)] enum T { C, A, B } }
        old_reads: [Some(T::A), Some(T::B), None]
        new_reads: [Some(T::A), Some(T::B)]
    }
    change! { cases "VariantWithContentsAdded", "a variant is added";
        old: T [T::A(1)] { #[repr(u8)] enum T { A(u8) } }
        new: T [T::A(2), T::C { x: vec!["x".to_owned()] }] { #[repr(u8)] enum T { C { x: Vec<String> }, A(u8) } }
        old_reads: [Some(T::A(2)), None]
        new_reads: [Some(T::A(1))]
    }
    change! { cases "VariantAddedInAStruct", "a variant is added";
        old: T [T { a: Kind::B }] { struct T { a: Kind } #[repr(u8)] enum Kind { A, B } }
        new: T [T { a: Kind::A }, T { a: Kind::C }] { struct T { a: Kind } #[repr(u8)] enum Kind { C, A, B } }
        old_reads: [Some(T { a: Kind::A }), None]
        new_reads: [Some(T { a: Kind::B })]
    }
    change! { cases "VariantAddedInAnOption", "a variant is added";
        old: T [T { a: Some(Kind::B) }, T { a: None }] { struct T { a: Option<Kind> } #[repr(u8)] enum Kind { A, B } }
        new: T [T { a: None }, T { a: Some(Kind::C) }] { struct T { a: Option<Kind> } #[repr(u8)] enum Kind { C, A, B } }
        old_reads: [Some(T { a: None }), None]
        new_reads: [Some(T { a: Some(Kind::B) }), Some(T { a: None })]
    }
    change! { cases "VariantAddedInAList", "a variant is added";
        old: T [T { a: vec![Kind::B, Kind::A] }] { struct T { a: Vec<Kind> } #[repr(u8)] enum Kind { A, B } }
        new: T [T { a: vec![Kind::A] }, T { a: vec![Kind::A, Kind::C] }] { struct T { a: Vec<Kind> } #[repr(u8)] enum Kind { C, A, B } }
        old_reads: [Some(T { a: vec![Kind::A] }), None]
        new_reads: [Some(T { a: vec![Kind::B, Kind::A] })]
    }
    change! { cases "VariantRemovedLast", "a variant is removed";
        old: T [T::A, T::B, T::C] { #[repr(u8)] enum T { A, B, C } }
        new: T [T::A, T::B] { #[repr(u8)] enum T { A, B } }
        old_reads: [Some(T::A), Some(T::B)]
        new_reads: [Some(T::A), Some(T::B), None]
    }
    change! { cases "VariantRemovedBetween", "a variant is removed";
        old: T [T::A(1), T::B(300), T::C] { #[repr(u8)] enum T { A(u8), C, B(u16) } }
        new: T [T::A(2), T::B(400)] { #[repr(u8)] enum T { A(u8), B(u16) } }
        old_reads: [Some(T::A(2)), Some(T::B(400))]
        new_reads: [Some(T::A(1)), Some(T::B(300)), None]
    }
    change! { cases "VariantRemovedInAMap", "a variant is removed";
        old: T [T { a: std::collections::BTreeMap::from([(1, Kind::A)]) }, T { a: std::collections::BTreeMap::from([(1, Kind::A), (2, Kind::C)]) }] { struct T { a: std::collections::BTreeMap<u8, Kind> } #[repr(u8)] enum Kind { C, A } }
        new: T [T { a: std::collections::BTreeMap::from([(3, Kind::A)]) }] { struct T { a: std::collections::BTreeMap<u8, Kind> } #[repr(u8)] enum Kind { A } }
        old_reads: [Some(T { a: std::collections::BTreeMap::from([(3, Kind::A)]) })]
        new_reads: [Some(T { a: std::collections::BTreeMap::from([(1, Kind::A)]) }), None]
    }
    change! { cases "VariantRenamedAndKept", "a field or a variant is renamed and keeps its name on the wire by `#[facet(rename)]`";
        old: T [T::A, T::B] { #[repr(u8)] enum T { A, B } }
        new: T [T::A, T::Better] { #[repr(u8)] enum T { A, #[facet(rename = "B")] Better } }
        old_reads: [Some(T::A), Some(T::B)]
        new_reads: [Some(T::A), Some(T::Better)]
    }
    change! { cases "VariantRenamed", "a field or a variant is renamed";
        old: T [T::A, T::B] { #[repr(u8)] enum T { A, B } }
        new: T [T::A, T::Better] { #[repr(u8)] enum T { A, Better } }
        old_reads: [Some(T::A), None]
        new_reads: [Some(T::A), None]
    }
    change! { cases "OnlyVariantRenamed", "a field or a variant is renamed";
        old: T [T::A(1)] { #[repr(u8)] enum T { A(u8) } }
        new: T [T::B(2)] { #[repr(u8)] enum T { B(u8) } }
        old_reads: []
        new_reads: []
    }
    change! { cases "VariantOfOneFieldToNames", "a field or a variant is renamed";
        old: T [T::A(1)] { #[repr(u8)] enum T { A(u8) } }
        new: T [T::A { x: 2 }] { #[repr(u8)] enum T { A { x: u8 } } }
        old_reads: []
        new_reads: []
    }
    change! { cases "EnumToBool", "a type becomes another";
        old: T [T::A] { #[repr(u8)] enum T { A, B } }
        new: bool [true] {}
        old_reads: []
        new_reads: []
    }
    change! { cases "EnumToInteger", "a type becomes another";
        old: T [T::A] { #[repr(u8)] enum T { A, B } }
        new: u8 [1] {}
        old_reads: []
        new_reads: []
    }
    change! { cases "EnumToStruct", "a type becomes another";
        old: T [T::A] { #[repr(u8)] enum T { A, B } }
        new: T [T { a: true }] { struct T { a: bool } }
        old_reads: []
        new_reads: []
    }
    change! { cases "StructToEnum", "a type becomes another";
        old: T [T { a: 1 }] { struct T { a: u8 } }
        new: T [T::Old { a: 1 }] { #[repr(u8)] enum T { Old { a: u8 }, New } }
        old_reads: []
        new_reads: []
    }
}
