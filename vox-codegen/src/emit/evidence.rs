//! The checks that only the compiler can make, in words of our own and on the user's own tokens.
//!
//! The runtime says of any type, as a constant, whether it crosses the wire. A bound would say so as well, but once for each use, and
//! the attribute that words its error (`#[diagnostic::on_unimplemented]`) is unknown under `#![no_implicit_prelude]`. A
//! constant that panics says it once, and names the argument and the method.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, PathArguments, Type, TypeBareFn};

use crate::names::spelt;

/// One error on `ty`, or on the part of it that is to blame, if it does not cross the wire.
pub(super) fn check(ty: &Type, subject: &str, cfg: &[Attribute]) -> TokenStream {
    let blamed = parts(ty).into_iter().map(|part| {
        let panic = panic_on(part, &objection(part, subject));
        quote!(if !__vox::Wire::<#part>::CROSSES.crosses() { #panic })
    });
    quote! {
        #(#cfg)*
        const _: () = if !__vox::Wire::<#ty>::CROSSES.crosses() { #(#blamed)* };
    }
}

/// One error on `alias` if `part`, which is its success or its error, does not cross the wire.
pub(super) fn check_part(
    part: &TokenStream,
    alias: &Type,
    subject: &str,
    cfg: &[Attribute],
) -> TokenStream {
    let message = format!(
        "{subject} cannot cross the wire: `{}` holds a type that is not `Facet`\nhelp: write a `Result<T, E>` of types with `#[derive(facet::Facet)]`",
        spelt(alias),
    );
    let panic = panic_on(alias, &message);
    quote! {
        #(#cfg)*
        const _: () = if !__vox::Wire::<#part>::CROSSES.crosses() { #panic };
    }
}

/// An alias that hides a `Result` under another name would make its error look like a success: the compiler says so.
pub(super) fn refuse_hidden_result(
    declared: &Type,
    called: &str,
    cfg: &[Attribute],
) -> TokenStream {
    if is_basic(declared) || !matches!(declared, Type::Path(_) | Type::Macro(_)) {
        return TokenStream::new();
    }
    let panic = panic_on(
        declared,
        &format!(
            "{called} returns an alias of `Result`\nhelp: write `Result<T, E>`, or give the alias a name that ends in `Result`"
        ),
    );
    quote! {
        #(#cfg)*
        const _: () = if __vox::IsResult::<#declared>::VALUE { #panic };
    }
}

fn objection(ty: &Type, subject: &str) -> String {
    let ty = spelt(ty);
    format!(
        "{subject} cannot cross the wire: `{ty}` is not `Facet`\nhelp: write `#[derive(facet::Facet)]` above the type, or pass one that has it"
    )
}

fn panic_on(place: &Type, message: &str) -> TokenStream {
    quote_spanned!(place.span()=> ::core::panic!("{}", #message))
}

/// The types that `ty` is made of, innermost first, `ty` itself last.
fn parts(ty: &Type) -> Vec<&Type> {
    struct Collector<'a>(Vec<&'a Type>);
    impl<'a> Visit<'a> for Collector<'a> {
        fn visit_type(&mut self, ty: &'a Type) {
            visit::visit_type(self, ty);
            let is_unsized = matches!(ty, Type::Slice(_))
                || matches!(ty, Type::Path(path) if path.path.is_ident("str"));
            if !is_unsized && !is_basic(ty) {
                self.0.push(ty);
            }
        }
        fn visit_type_bare_fn(&mut self, _: &'a TypeBareFn) {}
        fn visit_expr(&mut self, _: &'a Expr) {}
    }
    let mut collector = Collector(Vec::new());
    visit::visit_type(&mut collector, ty);
    collector.0.push(ty);
    collector.0
}

/// Whether `ty` is spelt like a type of the language that crosses the wire and is no `Result`.
fn is_basic(ty: &Type) -> bool {
    match ty {
        Type::Path(path) => {
            path.qself.is_none()
                && path.path.segments.len() == 1
                && path.path.segments.iter().all(|segment| {
                    matches!(segment.arguments, PathArguments::None)
                        && BASIC.iter().any(|basic| segment.ident == basic)
                })
        }
        Type::Tuple(tuple) => tuple.elems.is_empty(),
        _ => false,
    }
}

const BASIC: [&str; 17] = [
    "bool", "char", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128",
    "isize", "f32", "f64", "String",
];
