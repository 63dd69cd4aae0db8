//! The checks that only the compiler can make, in words of our own and on the user's own tokens.
//!
//! `Wire::<T>::CROSSES` is the runtime's constant evidence that `T` crosses the wire, or that it does not: asking is no error. A bound
//! would be one for each use of the type, and the attribute that words such errors (`#[diagnostic::on_unimplemented]`) is unknown
//! under `#![no_implicit_prelude]`. So the evidence is questioned once, where a plan is made of it: by a constant function that
//! panics, with the argument and the method in its words, at the token to blame.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Expr, PathArguments, Type, TypeFnPtr};

use super::local;
use crate::names::spelt;

/// A type in its place in a method, for the compiler to judge.
pub(super) struct Subject<'a> {
    /// The service and the method, as `Bank::transfer`.
    pub(super) method: &'a str,
    /// What of it, as "argument `order`".
    pub(super) place: &'a str,
    pub(super) ty: &'a Type,
}

impl Subject<'_> {
    /// The evidence for the type, which blames the innermost part of it that does not cross the wire, after it has passed
    /// `check`, a method of `Wire`, with these arguments before the names of method and type.
    pub(super) fn checked(&self, check: &str, arguments: &TokenStream) -> TokenStream {
        let Subject { method, place, ty } = self;
        let spelling = spelt(ty);
        let check = Ident::new(check, ty.span());
        let parts = parts(ty);
        if parts.is_empty() {
            return quote_spanned!(ty.span()=> __vox::Wire::<#ty>::CROSSES.#check(#arguments #method, #spelling));
        }
        // Each statement stands where the part does, for the compiler to point at.
        let whole = Ident::new(&local("whole").to_string(), ty.span());
        let blames = parts.into_iter().map(|part| {
            let spelling = spelt(part);
            quote_spanned!(part.span()=> __vox::Wire::<#part>::CROSSES.require(#whole, #place, #method, #spelling);)
        });
        let checked = quote_spanned!(ty.span()=> #whole.#check(#arguments #method, #spelling));
        quote! {{
            let #whole = __vox::Wire::<#ty>::CROSSES;
            #(#blames)*
            #checked
        }}
    }

    /// The evidence for the argument `name`, which a handler may take to another thread.
    pub(super) fn argument(&self, name: &str) -> TokenStream {
        let ty = self.ty;
        if is_basic(ty) || matches!(ty, Type::Verbatim(_)) {
            return self.checked("argument", &quote!(#name,));
        }
        self.checked("sent", &quote!(__vox::IsSend::<#ty>::VALUE, #name,))
    }

    /// The evidence for a success that is no `Result`, also when an alias hides that it is one.
    pub(super) fn plain(&self) -> TokenStream {
        let ty = self.ty;
        if is_basic(ty) || !matches!(ty, Type::Path(_) | Type::Macro(_)) {
            return self.checked("result", &TokenStream::new());
        }
        self.checked("plain", &quote!(__vox::IsResult::<#ty>::VALUE,))
    }

    /// The evidence for `part`, the result or the error in an alias of `Result`.
    pub(super) fn inside(&self, part: &TokenStream) -> TokenStream {
        let Subject { method, place, ty } = self;
        let spelling = spelt(ty);
        quote_spanned!(ty.span()=> __vox::Wire::<#part>::CROSSES.inside(#place, #method, #spelling))
    }
}

/// The types that `ty` is made of, innermost first, but for itself.
fn parts(ty: &Type) -> Vec<&Type> {
    struct Collector<'a>(Vec<&'a Type>);
    impl<'a> Visit<'a> for Collector<'a> {
        fn visit_type(&mut self, ty: &'a Type) {
            visit::visit_type(self, ty);
            let is_unsized =
                matches!(ty, Type::Slice(_)) || matches!(ty, Type::Path(path) if path.path.is_ident("str"));
            if !is_unsized && !is_basic(ty) && !may_be_constant(ty) {
                self.0.push(ty);
            }
        }
        fn visit_type_fn_ptr(&mut self, _: &'a TypeFnPtr) {}
        fn visit_expr(&mut self, _: &'a Expr) {}
    }
    let mut collector = Collector(Vec::new());
    visit::visit_type(&mut collector, ty);
    collector.0
}

/// Whether `ty` is spelt like a constant: `SIDE` in `Matrix<SIDE>` is read as a type until the compiler knows better.
fn may_be_constant(ty: &Type) -> bool {
    match ty {
        Type::Path(path) if path.qself.is_none() => path.path.segments.last().is_some_and(|last| {
            let name = last.ident.unraw().to_string();
            let is_type = name.starts_with(char::is_uppercase) && name.contains(char::is_lowercase);
            last.arguments.is_none() && !is_type
        }),
        _ => false,
    }
}

/// Whether `ty` is spelt like a type of the language that crosses the wire and is no `Result`.
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
