//! What is written for a few traits, kept as text and reviewed as code.
//!
//! `tests/golden/name.rs` holds the trait, `tests/golden/name.expanded.rs` what it expands to. After a deliberate change:
//! `UPDATE_GOLDEN=1 cargo test -p vox-codegen --test golden`, then read the difference.

use std::path::PathBuf;

use proc_macro2::TokenStream;
use quote::ToTokens;

#[test]
fn a_unary_method() {
    check("unary");
}

#[test]
fn everything_a_method_may_have() {
    check("everything");
}

#[test]
fn a_trait_with_mistakes_leaves_stubs() {
    check("mistaken");
}

#[test]
fn a_method_expands_to_fewer_than_forty_lines() {
    let methods = 10;
    let signatures: String = (0..methods)
        .map(|i| format!("async fn transfer_{i}(&self, id: u64, order: Order) -> Result<Receipt, Failure>;"))
        .collect();
    let lines = pretty(&format!("#[vox::service] trait Many {{ {signatures} }}")).lines().count();
    let without = pretty("#[vox::service] trait Many {}").lines().count();
    let average = (lines - without) / methods;
    println!("{average} lines for each method, and {without} for the service");
    assert!(average < 40, "{average} lines for each method");
}

fn check(name: &str) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let source = std::fs::read_to_string(folder.join(format!("{name}.rs"))).expect("a trait");
    let actual = pretty(&source);
    let golden = folder.join(format!("{name}.expanded.rs"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &actual).expect("a writable folder");
    }
    let expected = std::fs::read_to_string(&golden).unwrap_or_default();
    assert!(expected == actual, "{name} expands differently:\n{actual}");
}

fn pretty(source: &str) -> String {
    let mut item: syn::ItemTrait = syn::parse_str(source).expect("one trait");
    let at = item
        .attrs
        .iter()
        .position(|attr| attr.path().segments.last().is_some_and(|last| last.ident == "service"))
        .expect("the attribute");
    let options = match item.attrs.remove(at).meta {
        syn::Meta::List(list) => list.tokens,
        _ => TokenStream::new(),
    };
    let expanded = vox_codegen::service(options, item.into_token_stream());
    prettyplease::unparse(&syn::parse2(expanded).expect("Rust"))
}
