//! Changes of types inside of types, of themselves, and generic ones. Read by the crates `old` and `new`, each of which takes its own version of each.

use super::*;

pub(crate) fn add(cases: &mut Vec<Case>) {
    change! { cases "ListOfStructsThatGain", "a field is added that is an `Option` or has `#[facet(default)]`";
        old: T [T { list: vec![Item { a: 1 }, Item { a: 2 }] }] { struct T { list: Vec<Item> } struct Item { a: u8 } }
        new: T [T { list: vec![Item { b: Some("x".to_owned()), a: 3 }, Item { b: None, a: 4 }] }] { struct T { list: Vec<Item> } struct Item { b: Option<String>, a: u8 } }
        old_reads: [Some(T { list: vec![Item { a: 3 }, Item { a: 4 }] })]
        new_reads: [Some(T { list: vec![Item { b: None, a: 1 }, Item { b: None, a: 2 }] })]
    }
    change! { cases "RecursiveThatGains", "a field is added that is an `Option` or has `#[facet(default)]`";
        old: T [T { a: 1, next: Some(Box::new(T { a: 2, next: None })) }] { struct T { a: u8, next: Option<Box<T>> } }
        new: T [T { b: 300, next: Some(Box::new(T { b: 400, next: None, a: 4 })), a: 3 }] { struct T { #[facet(default)] b: u16, next: Option<Box<T>>, a: u8 } }
        old_reads: [Some(T { a: 3, next: Some(Box::new(T { a: 4, next: None })) })]
        new_reads: [Some(T { b: 0, next: Some(Box::new(T { b: 0, next: None, a: 2 })), a: 1 })]
    }
    change! { cases "TreeReordered", "fields or variants change their order";
        old: T [T { name: "x".to_owned(), children: vec![T { name: "y".to_owned(), children: vec![] }] }] { struct T { name: String, children: Vec<T> } }
        new: T [T { children: vec![T { children: vec![], name: "b".to_owned() }], name: "a".to_owned() }] { struct T { children: Vec<T>, name: String } }
        old_reads: [Some(T { name: "a".to_owned(), children: vec![T { name: "b".to_owned(), children: vec![] }] })]
        new_reads: [Some(T { children: vec![T { children: vec![], name: "y".to_owned() }], name: "x".to_owned() })]
    }
    change! { cases "RecursiveThatLoses", "a field is removed that the older version needs";
        old: T [T { note: "x".to_owned(), next: Some(Box::new(T { note: "y".to_owned(), next: None, a: 2 })), a: 1 }] { struct T { note: String, next: Option<Box<T>>, a: u8 } }
        new: T [T { next: None, a: 3 }] { struct T { next: Option<Box<T>>, a: u8 } }
        old_reads: []
        new_reads: [Some(T { next: Some(Box::new(T { next: None, a: 2 })), a: 1 })]
    }
    change! { cases "ATreePassedOver", "a field is removed that the older version needs";
        old: T [T { tree: Node { value: 1 << 50, children: vec![Node { value: 1, children: vec![] }, Node { value: 2, children: vec![] }] }, a: 1 }] { struct T { tree: Node, a: u8 } struct Node { value: u64, children: Vec<Node> } }
        new: T [T { a: 3 }] { struct T { a: u8 } }
        old_reads: []
        new_reads: [Some(T { a: 1 })]
    }
    change! { cases "RecursiveWidened", "an integer becomes wider";
        old: T [T { value: 300, next: Some(Box::new(T { value: 2, next: None })) }] { struct T { value: u16, next: Option<Box<T>> } }
        new: T [T { value: 7, next: None }] { struct T { value: u32, next: Option<Box<T>> } }
        old_reads: []
        new_reads: [Some(T { value: 300, next: Some(Box::new(T { value: 2, next: None })) })]
    }
    change! { cases "RecursiveEnumThatGains", "a variant is added";
        old: T [T::Node(Box::new(T::Leaf(1)), Box::new(T::Leaf(2)))] { #[repr(u8)] enum T { Leaf(u8), Node(Box<T>, Box<T>) } }
        new: T [T::Leaf(3), T::Not(Box::new(T::Leaf(4)))] { #[repr(u8)] enum T { Not(Box<T>), Leaf(u8), Node(Box<T>, Box<T>) } }
        old_reads: [Some(T::Leaf(3)), None]
        new_reads: [Some(T::Node(Box::new(T::Leaf(1)), Box::new(T::Leaf(2))))]
    }
    change! { cases "NewtypeWidened", "an integer becomes wider";
        old: T [T(70_000)] { struct T(u32); }
        new: T [T(7)] { struct T(u64); }
        old_reads: []
        new_reads: [Some(T(70_000))]
    }
    change! { cases "NewtypeGiven", "a type becomes another";
        old: u32 [7] {}
        new: T [T(7)] { struct T(u32); }
        old_reads: []
        new_reads: []
    }
    change! { cases "NewtypeBoxed", "a type is renamed, boxed, shared, or made another one of the same encoding";
        old: T [T(7)] { struct T(u32); }
        new: Box<Name> [Box::new(Name(8))] { struct Name(u32); }
        old_reads: [Some(T(8))]
        new_reads: [Some(Box::new(Name(7)))]
    }
    change! { cases "TypeRenamed", "a type is renamed, boxed, shared, or made another one of the same encoding";
        old: Account [Account { a: 7 }] { struct Account { a: u8 } }
        new: Customer [Customer { a: 8 }] { struct Customer { a: u8 } }
        old_reads: [Some(Account { a: 8 })]
        new_reads: [Some(Customer { a: 7 })]
    }
    change! { cases "TypeBoxed", "a type is renamed, boxed, shared, or made another one of the same encoding";
        old: T [T { inner: Inner { a: 7 } }] { struct T { inner: Inner } struct Inner { a: u8 } }
        new: T [T { inner: Box::new(Inner { a: 8 }) }] { struct T { inner: Box<Inner> } struct Inner { a: u8 } }
        old_reads: [Some(T { inner: Inner { a: 8 } })]
        new_reads: [Some(T { inner: Box::new(Inner { a: 7 }) })]
    }
    change! { cases "GenericToPlain", "a type is renamed, boxed, shared, or made another one of the same encoding";
        old: Page<u8> [Page { items: vec![7], next: None }] { struct Page<X> { items: Vec<X>, next: Option<X> } }
        new: Bytes [Bytes { items: vec![8], next: Some(1) }] { struct Bytes { items: Vec<u8>, next: Option<u8> } }
        old_reads: [Some(Page { items: vec![8], next: Some(1) })]
        new_reads: [Some(Bytes { items: vec![7], next: None })]
    }
    change! { cases "GenericThatGains", "a field is added that is an `Option` or has `#[facet(default)]`";
        old: Page<String> [Page { items: vec!["x".to_owned()] }] { struct Page<X> { items: Vec<X> } }
        new: Page<String> [Page { total: Some(1), items: vec!["y".to_owned()] }] { struct Page<X> { total: Option<u64>, items: Vec<X> } }
        old_reads: [Some(Page { items: vec!["y".to_owned()] })]
        new_reads: [Some(Page { total: None, items: vec!["x".to_owned()] })]
    }
    change! { cases "GenericOfAnother", "a type becomes another";
        old: Page<u32> [Page { items: vec![7] }] { struct Page<X> { items: Vec<X> } }
        new: Page<String> [Page { items: vec!["y".to_owned()] }] { struct Page<X> { items: Vec<X> } }
        old_reads: []
        new_reads: []
    }
    change! { cases "GenericWidened", "an integer becomes wider";
        old: Page<u16> [Page { items: vec![300] }] { struct Page<X> { items: Vec<X> } }
        new: Page<u64> [Page { items: vec![7] }] { struct Page<X> { items: Vec<X> } }
        old_reads: []
        new_reads: [Some(Page { items: vec![300] })]
    }
    change! { cases "DeepChange", "a type becomes another";
        old: T [T { a: Some(vec![]) }] { struct T { a: Option<Vec<Inner>> } struct Inner { b: std::collections::BTreeMap<u8, Box<Last>> } struct Last { c: String } }
        new: T [T { a: None }] { struct T { a: Option<Vec<Inner>> } struct Inner { b: std::collections::BTreeMap<u8, Box<Last>> } struct Last { c: u64 } }
        old_reads: []
        new_reads: []
    }
    change! { cases "ResultInsideThatGains", "a field is added that is an `Option` or has `#[facet(default)]`";
        old: T [T { a: Ok(Inner { b: 1 }) }, T { a: Err("x".to_owned()) }] { struct T { a: Result<Inner, String> } struct Inner { b: u8 } }
        new: T [T { a: Ok(Inner { c: Some(1), b: 2 }) }] { struct T { a: Result<Inner, String> } struct Inner { c: Option<u8>, b: u8 } }
        old_reads: [Some(T { a: Ok(Inner { b: 2 }) })]
        new_reads: [Some(T { a: Ok(Inner { c: None, b: 1 }) }), Some(T { a: Err("x".to_owned()) })]
    }
    change! { cases "ResultToOption", "a type becomes another";
        old: T [T { a: Ok(1) }] { struct T { a: Result<u8, String> } }
        new: T [T { a: Some(1) }] { struct T { a: Option<u8> } }
        old_reads: []
        new_reads: []
    }
    change! { cases "ManyChangesAtOnce", "a field is added that is an `Option` or has `#[facet(default)]`";
        old: T [T { id: 1, tags: vec!["x".to_owned()], gone: Some(1), state: State::On { since: 5 } }] { struct T { id: u16, tags: Vec<String>, gone: Option<u8>, state: State } #[repr(u8)] enum State { Off, On { since: u32 } } }
        new: Device [Device { state: State::On { by: Some("me".to_owned()), since: 6 }, weight: 8, id: 2, tags: vec![] }] {}
        old_reads: [Some(T { id: 2, tags: vec![], gone: None, state: State::On { since: 6 } })]
        new_reads: [Some(Device { state: State::On { by: None, since: 5 }, weight: 7, id: 1, tags: vec!["x".to_owned()] })]
    }
}

// The derive's code for a default that is an expression does not stand in another macro's.

#[allow(dead_code)]
#[derive(Debug, facet::Facet)]
struct Device {
    state: State,
    #[facet(default = 7)]
    weight: u8,
    id: u16,
    tags: Vec<String>,
}

#[allow(dead_code)]
#[derive(Debug, facet::Facet)]
#[repr(u8)]
enum State {
    On { by: Option<String>, since: u32 },
    Off,
}
