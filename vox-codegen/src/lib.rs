//! From an annotated trait to the Rust that calls and serves it.
//!
//! Tokens enter [`service`] and leave as Rust. On the way they pass four rooms, each of which knows only the one before it:
//!
//! 1. `parse` reads a trait and its options, and stops at the first token that is not Rust;
//! 2. `check` judges the trait, collects *every* mistake on the narrowest token with what to write instead, and yields
//! 3. `model`, plain data in which nothing is left to doubt;
//! 4. `emit` writes the model down as a trait, a client, a dispatcher and a static descriptor. It cannot fail. For a trait with
//!    mistakes it writes stubs, so that code around the service does not fail too.
//!
//! The crate never looks at types, only at tokens. What tokens cannot tell (whether a type implements `Facet`, whether an
//! alias hides a `Result`) is left to bounds in the emitted code, placed on the user's own tokens.

#![forbid(unsafe_code)]

#[cfg(any(feature = "build", test))]
pub mod build;

mod check;
pub mod dependency;
mod emit;
mod habit;
mod manifest;
mod method_id;
mod mistake;
mod model;
mod names;
mod parse;

use proc_macro2::{Span, TokenStream};

/// Expands `#[vox::service(attr)] item`, where vox is the crate `::vox` unless `attr` says otherwise.
///
/// Never panics. Mistakes come back as `compile_error!` invocations followed by stubs of what would have been generated.
#[must_use]
pub fn service(attr: TokenStream, item: TokenStream) -> TokenStream {
    service_of(&dependency::Found::Unknown, attr, item)
}

/// As [`service`], where vox is what was found of it unless `attr` says otherwise.
#[must_use]
pub fn service_of(found: &dependency::Found, attr: TokenStream, item: TokenStream) -> TokenStream {
    let name = match found {
        dependency::Found::Named(name) => name,
        dependency::Found::Nowhere | dependency::Found::Unknown => "vox",
    };
    let declaration = match parse::declaration(name, attr, item) {
        Ok(declaration) => declaration,
        Err(error) => return error.into_compile_error(),
    };
    if *found == dependency::Found::Nowhere && !check::location(&declaration).is_given {
        let error = syn::Error::new(Span::call_site(), NOWHERE).into_compile_error();
        let the_trait = emit::bare_trait(&declaration);
        return quote::quote!(#error #the_trait);
    }
    match check::service(&declaration) {
        Ok(service) => emit::service(&service),
        Err(mistakes) => {
            let errors = mistakes.into_compile_errors();
            let stubs = emit::stubs(&declaration);
            quote::quote!(#errors #stubs)
        }
    }
}

/// The mistake of a package that has vox from another crate.
const NOWHERE: &str = "this package's `Cargo.toml` has no dependency on vox, under any name\n\
    help: say where vox is: `#[vox::service(crate = path::to::vox)]`";
