//! Changes of fields of structs, tuples and variants. Read by the crates `old` and `new`, each of which takes its own version of each.

use super::*;

pub(crate) fn add(cases: &mut Vec<Case>) {
    change! { cases "FieldsReordered", "fields or variants change their order";
        old: T [T { a: 7, b: "x".to_owned() }] { struct T { a: u32, b: String } }
        new: T [T { b: "y".to_owned(), a: 8 }] { struct T { b: String, a: u32 } }
        old_reads: [Some(T { a: 8, b: "y".to_owned() })]
        new_reads: [Some(T { b: "x".to_owned(), a: 7 })]
    }
    change! { cases "FieldsOfOneTypeReordered", "fields or variants change their order";
        old: T [T { host: "h".to_owned(), path: "p".to_owned() }] { struct T { host: String, path: String } }
        new: T [T { path: "q".to_owned(), host: "i".to_owned() }] { struct T { path: String, host: String } }
        old_reads: [Some(T { host: "i".to_owned(), path: "q".to_owned() })]
        new_reads: [Some(T { path: "p".to_owned(), host: "h".to_owned() })]
    }
    change! { cases "FieldsOfAVariantReordered", "fields or variants change their order";
        old: T [T::A { x: 1, y: 2 }] { #[repr(u8)] enum T { A { x: u8, y: u8 } } }
        new: T [T::A { y: 4, x: 3 }] { #[repr(u8)] enum T { A { y: u8, x: u8 } } }
        old_reads: [Some(T::A { x: 3, y: 4 })]
        new_reads: [Some(T::A { y: 2, x: 1 })]
    }
    change! { cases "OptionAddedLast", "a field is added that is an `Option` or has `#[facet(default)]`";
        old: T [T { a: 7 }] { struct T { a: u32 } }
        new: T [T { a: 8, b: Some(1) }] { struct T { a: u32, b: Option<u8> } }
        old_reads: [Some(T { a: 8 })]
        new_reads: [Some(T { a: 7, b: None })]
    }
    change! { cases "OptionAddedFirst", "a field is added that is an `Option` or has `#[facet(default)]`";
        old: T [T { a: 7 }] { struct T { a: u32 } }
        new: T [T { b: Some("x".to_owned()), a: 8 }, T { b: None, a: 9 }] { struct T { b: Option<String>, a: u32 } }
        old_reads: [Some(T { a: 8 }), Some(T { a: 9 })]
        new_reads: [Some(T { b: None, a: 7 })]
    }
    change! { cases "DefaultAdded", "a field is added that is an `Option` or has `#[facet(default)]`";
        old: T [T { a: 7 }] { struct T { a: u32 } }
        new: T [T { a: 8, b: 1 }] { struct T { a: u32, #[facet(default)] b: u8 } }
        old_reads: [Some(T { a: 8 })]
        new_reads: [Some(T { a: 7, b: 0 })]
    }
    change! { cases "DefaultValueAdded", "a field is added that is an `Option` or has `#[facet(default)]`";
        old: T [T { a: 7 }] { struct T { a: u32 } }
        new: Nine [Nine { b: 1, a: 8 }] {}
        old_reads: [Some(T { a: 8 })]
        new_reads: [Some(Nine { b: 9, a: 7 })]
    }
    change! { cases "TextWithADefaultAdded", "a field is added that is an `Option` or has `#[facet(default)]`";
        old: T [T { a: 7 }] { struct T { a: u32 } }
        new: Text [Text { b: "long".repeat(50), a: 8 }] {}
        old_reads: [Some(T { a: 8 })]
        new_reads: [Some(Text { b: "x".to_owned(), a: 7 })]
    }
    change! { cases "ListWithADefaultAdded", "a field is added that is an `Option` or has `#[facet(default)]`";
        old: T [T { a: 7 }] { struct T { a: u32 } }
        new: T [T { b: vec!["x".to_owned(); 3], a: 8 }] { struct T { #[facet(default)] b: Vec<String>, a: u32 } }
        old_reads: [Some(T { a: 8 })]
        new_reads: [Some(T { b: vec![], a: 7 })]
    }
    change! { cases "StructAsAnOptionAdded", "a field is added that is an `Option` or has `#[facet(default)]`";
        old: T [T { a: 7 }] { struct T { a: u32 } }
        new: T [T { b: Some(Inner { x: vec![1, 2], y: None }), a: 8 }] { struct T { b: Option<Inner>, a: u32 } struct Inner { x: Vec<u8>, y: Option<String> } }
        old_reads: [Some(T { a: 8 })]
        new_reads: [Some(T { b: None, a: 7 })]
    }
    change! { cases "EnumAsAnOptionAdded", "a field is added that is an `Option` or has `#[facet(default)]`";
        old: T [T { a: 7 }] { struct T { a: u32 } }
        new: T [T { b: Some(Kind::Q(1, "q".to_owned())), a: 8 }, T { b: Some(Kind::P), a: 9 }] { struct T { b: Option<Kind>, a: u32 } #[repr(u8)] enum Kind { P, Q(u64, String) } }
        old_reads: [Some(T { a: 8 }), Some(T { a: 9 })]
        new_reads: [Some(T { b: None, a: 7 })]
    }
    change! { cases "SeveralAdded", "a field is added that is an `Option` or has `#[facet(default)]`";
        old: T [T { b: 7 }] { struct T { b: u8 } }
        new: Several [Several { a: Some(1), b: 2, c: true, d: 3 }] {}
        old_reads: [Some(T { b: 2 })]
        new_reads: [Some(Several { a: None, b: 7, c: false, d: 5 })]
    }
    change! { cases "AddedToNothing", "a field is added that is an `Option` or has `#[facet(default)]`";
        old: T [T {}] { struct T {} }
        new: T [T { a: Some(7) }] { struct T { a: Option<u8> } }
        old_reads: [Some(T {})]
        new_reads: [Some(T { a: None })]
    }
    change! { cases "OptionAddedToATuple", "a field is added that is an `Option` or has `#[facet(default)]`";
        old: T [T(7)] { struct T(u32); }
        new: T [T(8, Some(1))] { struct T(u32, Option<u8>); }
        old_reads: [Some(T(8))]
        new_reads: [Some(T(7, None))]
    }
    change! { cases "OptionAddedToAVariant", "a field is added that is an `Option` or has `#[facet(default)]`";
        old: T [T::A { x: 1 }] { #[repr(u8)] enum T { A { x: u8 } } }
        new: T [T::A { y: Some(4), x: 3 }] { #[repr(u8)] enum T { A { y: Option<u8>, x: u8 } } }
        old_reads: [Some(T::A { x: 3 })]
        new_reads: [Some(T::A { y: None, x: 1 })]
    }
    change! { cases "DefaultAddedToATupleVariant", "a field is added that is an `Option` or has `#[facet(default)]`";
        old: T [T::A(1), T::B] { #[repr(u8)] enum T { A(u8), B } }
        new: T [T::A(3, 300), T::B] { #[repr(u8)] enum T { A(u8, #[facet(default)] u16), B } }
        old_reads: [Some(T::A(3)), Some(T::B)]
        new_reads: [Some(T::A(1, 0)), Some(T::B)]
    }
    change! { cases "OptionAddedToAUnitVariant", "a field is added that is an `Option` or has `#[facet(default)]`";
        old: T [T::A, T::B] { #[repr(u8)] enum T { A, B } }
        new: T [T::A { x: Some(3) }, T::B] { #[repr(u8)] enum T { A { x: Option<u8> }, B } }
        old_reads: [Some(T::A), Some(T::B)]
        new_reads: [Some(T::A { x: None }), Some(T::B)]
    }
    change! { cases "FieldAdded", "a field is added without a default";
        old: T [T { a: 7 }] { struct T { a: u32 } }
        new: T [T { a: 8, b: 1 }] { struct T { a: u32, b: u8 } }
        old_reads: [Some(T { a: 8 })]
        new_reads: []
    }
    change! { cases "FieldAddedToATuple", "a field is added without a default";
        old: T [T(7)] { struct T(u32); }
        new: T [T(8, 1)] { struct T(u32, u8); }
        old_reads: [Some(T(8))]
        new_reads: []
    }
    change! { cases "FieldAddedToAVariant", "a field is added without a default";
        old: T [T::A { x: 1 }, T::B] { #[repr(u8)] enum T { A { x: u8 }, B } }
        new: T [T::A { x: 2, y: 3 }, T::B] { #[repr(u8)] enum T { A { x: u8, y: u8 }, B } }
        old_reads: [Some(T::A { x: 2 }), Some(T::B)]
        new_reads: []
    }
    change! { cases "FieldAddedToAnInnerStruct", "a field is added without a default";
        old: T [T { inner: Inner { a: 1 } }] { struct T { inner: Inner } struct Inner { a: u8 } }
        new: T [T { inner: Inner { a: 2, b: true } }] { struct T { inner: Inner } struct Inner { a: u8, b: bool } }
        old_reads: [Some(T { inner: Inner { a: 2 } })]
        new_reads: []
    }
    change! { cases "OptionRemoved", "a field is removed for which the older version has a default";
        old: T [T { a: 8, b: Some(1) }] { struct T { a: u32, b: Option<u8> } }
        new: T [T { a: 7 }] { struct T { a: u32 } }
        old_reads: [Some(T { a: 7, b: None })]
        new_reads: [Some(T { a: 8 })]
    }
    change! { cases "OptionRemovedFirst", "a field is removed for which the older version has a default";
        old: T [T { b: Some(vec![1, 1 << 60]), a: 8 }] { struct T { b: Option<Vec<u64>>, a: u32 } }
        new: T [T { a: 7 }] { struct T { a: u32 } }
        old_reads: [Some(T { b: None, a: 7 })]
        new_reads: [Some(T { a: 8 })]
    }
    change! { cases "DefaultRemoved", "a field is removed for which the older version has a default";
        old: Nine [Nine { b: 1, a: 8 }] {}
        new: T [T { a: 7 }] { struct T { a: u32 } }
        old_reads: [Some(Nine { b: 9, a: 7 })]
        new_reads: [Some(T { a: 8 })]
    }
    change! { cases "OptionRemovedFromATuple", "a field is removed for which the older version has a default";
        old: T [T(8, Some(1))] { struct T(u32, Option<u8>); }
        new: T [T(7)] { struct T(u32); }
        old_reads: [Some(T(7, None))]
        new_reads: [Some(T(8))]
    }
    change! { cases "AllOptionsRemoved", "a field is removed for which the older version has a default";
        old: T [T { a: Some(1), b: None }] { struct T { a: Option<u8>, b: Option<String> } }
        new: T [T {}] { struct T {} }
        old_reads: [Some(T { a: None, b: None })]
        new_reads: [Some(T {})]
    }
    change! { cases "FieldRemoved", "a field is removed that the older version needs";
        old: T [T { a: 8, b: 1 }] { struct T { a: u32, b: u8 } }
        new: T [T { a: 7 }] { struct T { a: u32 } }
        old_reads: []
        new_reads: [Some(T { a: 8 })]
    }
    change! { cases "TextRemoved", "a field is removed that the older version needs";
        old: T [T { b: "x".repeat(300), a: 8 }] { struct T { b: String, a: u32 } }
        new: T [T { a: 7 }] { struct T { a: u32 } }
        old_reads: []
        new_reads: [Some(T { a: 8 })]
    }
    change! { cases "MapRemoved", "a field is removed that the older version needs";
        old: T [T { a: 8, b: std::collections::BTreeMap::from([("x".to_owned(), vec![1, 2])]) }] { struct T { a: u32, b: std::collections::BTreeMap<String, Vec<u8>> } }
        new: T [T { a: 7 }] { struct T { a: u32 } }
        old_reads: []
        new_reads: [Some(T { a: 8 })]
    }
    change! { cases "FloatsRemoved", "a field is removed that the older version needs";
        old: T [T { b: 0.5, c: -1.5, d: 'ß', e: true, f: i128::MIN, a: 8 }] { struct T { b: f64, c: f32, d: char, e: bool, f: i128, a: u32 } }
        new: T [T { a: 7 }] { struct T { a: u32 } }
        old_reads: []
        new_reads: [Some(T { a: 8 })]
    }
    change! { cases "FieldRemovedFromAVariant", "a field is removed that the older version needs";
        old: T [T::A(1, "x".to_owned()), T::B] { #[repr(u8)] enum T { A(u8, String), B } }
        new: T [T::A(2), T::B] { #[repr(u8)] enum T { A(u8), B } }
        old_reads: []
        new_reads: [Some(T::A(1)), Some(T::B)]
    }
    change! { cases "FieldRenamedAndKept", "a field or a variant is renamed and keeps its name on the wire by `#[facet(rename)]`";
        old: T [T { a: 7 }] { struct T { a: u32 } }
        new: T [T { better: 8 }] { struct T { #[facet(rename = "a")] better: u32 } }
        old_reads: [Some(T { a: 8 })]
        new_reads: [Some(T { better: 7 })]
    }
    change! { cases "FieldOfAVariantRenamedAndKept", "a field or a variant is renamed and keeps its name on the wire by `#[facet(rename)]`";
        old: T [T::A { x: 7 }] { #[repr(u8)] enum T { A { x: u8 } } }
        new: T [T::A { better: 8 }] { #[repr(u8)] enum T { A { #[facet(rename = "x")] better: u8 } } }
        old_reads: [Some(T::A { x: 8 })]
        new_reads: [Some(T::A { better: 7 })]
    }
    change! { cases "FieldRenamed", "a field or a variant is renamed";
        old: T [T { a: 7, c: 1 }] { struct T { a: u32, c: u8 } }
        new: T [T { b: 8, c: 2 }] { struct T { b: u32, c: u8 } }
        old_reads: []
        new_reads: []
    }
    change! { cases "OnlyFieldRenamed", "a field or a variant is renamed";
        old: T [T { a: 7 }] { struct T { a: u32 } }
        new: T [T { b: 8 }] { struct T { b: u32 } }
        old_reads: []
        new_reads: []
    }
    change! { cases "TupleToNames", "a field or a variant is renamed";
        old: T [T(7, 1)] { struct T(u32, u8); }
        new: T [T { a: 8, b: 2 }] { struct T { a: u32, b: u8 } }
        old_reads: []
        new_reads: []
    }
}

// The derive's code for a default that is an expression does not stand in another macro's.

#[allow(dead_code)]
#[derive(Debug, facet::Facet)]
struct Nine {
    #[facet(default = 9)]
    b: u8,
    a: u32,
}

#[allow(dead_code)]
#[derive(Debug, facet::Facet)]
struct Text {
    #[facet(default = "x".to_owned())]
    b: String,
    a: u32,
}

#[allow(dead_code)]
#[derive(Debug, facet::Facet)]
struct Several {
    a: Option<u8>,
    b: u8,
    #[facet(default)]
    c: bool,
    #[facet(default = 5)]
    d: u16,
}
