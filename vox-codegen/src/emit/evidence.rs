//! The checks that only the compiler can make, in words of our own and on the user's own tokens.
//!
//! `Wire::<T>::CROSSES` is the runtime's constant evidence that `T` crosses the wire, or that it does not: asking is no error. A bound
//! would be one for each use of the type, and the attribute that words such errors (`#[diagnostic::on_unimplemented]`) is unknown
//! under `#![no_implicit_prelude]`. So the evidence is questioned once, where a plan is made of it: by a constant function that
//! panics, with the argument and the method in its message, at the token to blame.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Expr, PathArguments, Type, TypeBareFn};

use crate::names::spelt;

/// The evidence for `ty`, which blames the innermost part of it that does not cross the wire.
pub(super) fn of(ty: &Type, subject: &str) -> TokenStream {
    let evidence = quote!(__vox::Wire::<#ty>::CROSSES);
    if is_basic(ty) {
        return evidence;
    }
    let evidence = parts(ty).into_iter().fold(evidence, |evidence, part| {
        let message = objection(part, subject);
        let part_crosses = quote!(__vox::Wire::<#part>::CROSSES.crosses());
        quote_spanned!(part.span()=> __vox::Wire::blame(#evidence, #part_crosses, #message))
    });
    let message = objection(ty, subject);
    quote_spanned!(ty.span()=> __vox::Wire::expect(#evidence, #message))
}

/// The evidence for a result that is no `Result`, also when an alias hides that it is one: its errors would look like successes.
pub(super) fn of_plain(ty: &Type, called: &str) -> TokenStream {
    let evidence = of(ty, &format!("the result of {called}"));
    if is_basic(ty) || !matches!(ty, Type::Path(_) | Type::Macro(_)) {
        return evidence;
    }
    let message = format!(
        "{called} returns an alias of `Result`\nhelp: write `Result<T, E>`, or give the alias a name that ends in `Result`"
    );
    let is_result = quote!(__vox::IsResult::<#ty>::VALUE);
    quote_spanned!(ty.span()=> __vox::Wire::refuse_if(#evidence, #is_result, #message))
}

/// The evidence for `part`, the success or the error of an `alias` of `Result`.
pub(super) fn of_part(part: &TokenStream, alias: &Type, subject: &str) -> TokenStream {
    let message = format!(
        "{subject} cannot cross the wire: `{}` holds a type that is not `Facet`\nhelp: write a `Result<T, E>` of types with `#[derive(facet::Facet)]`",
        spelt(alias),
    );
    let evidence = quote!(__vox::Wire::<#part>::CROSSES);
    quote_spanned!(alias.span()=> __vox::Wire::expect(#evidence, #message))
}

fn objection(ty: &Type, subject: &str) -> String {
    let ty = spelt(ty);
    format!(
        "{subject} cannot cross the wire: `{ty}` is not `Facet`\nhelp: write `#[derive(facet::Facet)]` above the type, or pass one that has it"
    )
}

/// The types that `ty` is made of, innermost first, but for itself.
fn parts(ty: &Type) -> Vec<&Type> {
    struct Collector<'a>(Vec<&'a Type>);
    impl<'a> Visit<'a> for Collector<'a> {
        fn visit_type(&mut self, ty: &'a Type) {
            visit::visit_type(self, ty);
            let is_unsized =
                matches!(ty, Type::Slice(_)) || matches!(ty, Type::Path(path) if path.path.is_ident("str"));
            if !is_unsized && !is_basic(ty) {
                self.0.push(ty);
            }
        }
        fn visit_type_bare_fn(&mut self, _: &'a TypeBareFn) {}
        fn visit_expr(&mut self, _: &'a Expr) {}
    }
    let mut collector = Collector(Vec::new());
    visit::visit_type(&mut collector, ty);
    collector.0
}

/// Whether `ty` is spelt like a type of the language that crosses the wire and is no `Result`. For another type of such a name the
/// plan still refuses missing evidence, only in plainer words.
fn is_basic(ty: &Type) -> bool {
    match ty {
        Type::Path(path) => {
            path.qself.is_none()
                && path.path.segments.len() == 1
                && path.path.segments.iter().all(|segment| {
                    matches!(segment.arguments, PathArguments::None) && BASIC.iter().any(|basic| segment.ident == basic)
                })
        }
        Type::Tuple(tuple) => tuple.elems.is_empty(),
        _ => false,
    }
}

const BASIC: [&str; 17] = [
    "bool", "char", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize", "f32",
    "f64", "String",
];
