//! Writes a model down as Rust.
//!
//! What users name (the trait, the client, the dispatcher) stands beside the original trait. All else stands in one
//! `const _: () = { … }`, so that several services fit in one module: descriptors and plans (`descriptor`), the client's methods
//! (`client`), and the dispatcher's one `match` (`server`). Everything in there that is found by name starts with `__vox`,
//! because the user's types are looked up through the same block.
//!
//! Locals start with `__`: a pattern that is but a name means the user's unit struct, constant or static of that name, where there
//! is one. Only the client's parameters are called like the user's.
//!
//! Paths are absolute and traits are called by their full names: the expansion compiles under `#![no_implicit_prelude]`.

mod client;
mod descriptor;
mod evidence;
mod server;
mod stubs;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Path, Visibility, parse_quote};

use crate::model::{Location, Method, Param, ParamKind, Service};

pub(crate) use self::stubs::{bare_trait, stubs};

/// The whole expansion of a service.
pub(crate) fn service(service: &Service) -> TokenStream {
    let CratePath { import, vox, private } = CratePath::of(&service.vox, &service.ident, &service.attrs.cfg);
    let names = Names::of(&service.ident, &vox);
    let cfg = &service.attrs.cfg;
    let the_trait = server::the_trait(service, &private);
    let types = types(&names, &service.attrs.shared, &service.vis, &service.wire);
    let common = common(&names);
    let descriptors = descriptor::descriptors(service, &names);
    let client = client::methods(service, &names);
    let dispatcher = server::dispatcher(service, &names);
    quote! {
        #import
        #the_trait
        #types
        #(#cfg)*
        #QUIET
        const _: () = {
            use #private as __vox;
            #[allow(unused_imports)]
            use __vox::{NotResult as _, NotSend as _, Returned as _, NotFacet as _};
            #descriptors
            #common
            #client
            #dispatcher
        };
    }
}

/// Where generated code finds vox.
struct CratePath {
    /// What this takes. A path that the trait gives is written just once: where it is wrong, that is one error.
    import: TokenStream,
    vox: Path,
    private: Path,
}

impl CratePath {
    fn of(vox: &Location, service: &Ident, cfg: &[Attribute]) -> Self {
        let path = &vox.path;
        if !vox.is_given {
            return CratePath {
                import: TokenStream::new(),
                vox: path.clone(),
                private: parse_quote!(#path::__private),
            };
        }
        let alias = format_ident!("__vox_{}", service.unraw(), span = path.span());
        let import = quote_spanned!(path.span()=> use #path::__private as #alias;);
        CratePath { import: quote!(#(#cfg)* #import), vox: alias.clone().into(), private: alias.into() }
    }
}

/// The names of what is generated, and of what it is generated from.
struct Names<'a> {
    vox: &'a Path,
    service: &'a Ident,
    client: Ident,
    dispatcher: Ident,
}

impl<'a> Names<'a> {
    fn of(service: &'a Ident, vox: &'a Path) -> Self {
        let bare = service.unraw();
        Names {
            vox,
            service,
            client: format_ident!("{bare}Client", span = service.span()),
            dispatcher: format_ident!("{bare}Dispatcher", span = service.span()),
        }
    }
}

/// The client's and the dispatcher's types.
fn types(names: &Names<'_>, attrs: &[Attribute], vis: &Visibility, wire: &str) -> TokenStream {
    let Names { vox, service, client, dispatcher } = names;
    let attrs: Vec<&Attribute> = attrs.iter().filter(|attr| !attr.path().is_ident("doc")).collect();
    let of_client = format!(
        "Calls the service `{wire}`: one method for each of [`{service}`]'s.\n\nCloning is cheap; clones share the connection."
    );
    let of_dispatcher = format!("Serves the service `{wire}` by an implementation of [`{service}`].");
    quote! {
        #(#attrs)*
        #[doc = #of_client]
        #[allow(dead_code)]
        #vis struct #client {
            __caller: #vox::Caller,
        }

        #(#attrs)*
        #[doc = #of_dispatcher]
        #[allow(dead_code)]
        #vis struct #dispatcher<H> {
            handler: ::std::sync::Arc<H>,
        }
    }
}

/// What every client and dispatcher implements in the same way.
fn common(names: &Names<'_>) -> TokenStream {
    let Names { vox, client, dispatcher, .. } = names;
    let client_name = client.to_string();
    let dispatcher_name = dispatcher.to_string();
    quote! {
        impl #vox::Client for #client {
            const SERVICE: ::core::option::Option<&'static #vox::descriptor::ServiceDescriptor> =
                ::core::option::Option::Some(#client::SERVICE);

            fn from_caller(__caller: #vox::Caller) -> Self {
                #client { __caller }
            }

            fn caller(&self) -> &#vox::Caller {
                &self.__caller
            }
        }

        impl ::core::clone::Clone for #client {
            fn clone(&self) -> Self {
                #client { __caller: ::core::clone::Clone::clone(&self.__caller) }
            }
        }

        impl ::core::fmt::Debug for #client {
            fn fmt(&self, __f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                __f.debug_struct(#client_name).finish_non_exhaustive()
            }
        }

        impl<H> ::core::clone::Clone for #dispatcher<H> {
            fn clone(&self) -> Self {
                #dispatcher { handler: ::core::clone::Clone::clone(&self.handler) }
            }
        }

        impl<H> ::core::fmt::Debug for #dispatcher<H> {
            fn fmt(&self, __f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                __f.debug_struct(#dispatcher_name).finish_non_exhaustive()
            }
        }
    }
}

/// A local of generated code. Hygiene would not do: it is for locals, and a pattern is first looked up among items.
fn local(name: &str) -> Ident {
    Ident::new(&format!("__{name}"), Span::mixed_site())
}

/// `local` as if it stood where `param` is declared: what the compiler complains of there.
fn beside(local: &Ident, param: &Param) -> Ident {
    Ident::new(&local.to_string(), local.span().located_at(param.ty.span()))
}

/// The parameters that cross the wire, in order, numbered.
fn on_the_wire(method: &Method) -> impl Iterator<Item = (usize, &Param)> {
    method.params.iter().filter(|param| param.kind != ParamKind::Context).enumerate()
}

/// The generated items that belong to one method, by the method's index.
struct Items {
    method: Ident,
    reply: Ident,
    /// Names what an alias of `Result` may be.
    outcome: Ident,
}

impl Items {
    fn of(index: usize) -> Self {
        Items {
            method: format_ident!("__VOX_METHOD_{index}"),
            reply: format_ident!("__VOX_REPLY_{index}"),
            outcome: format_ident!("__VoxOutcome{index}"),
        }
    }
}

/// The plan of an argument, by the indices of method and argument.
fn plan(method: usize, argument: usize) -> Ident {
    format_ident!("__VOX_PLAN_{method}_{argument}")
}

/// The function that makes an argument which its caller does not send, by the indices of method and argument.
fn default(method: usize, argument: usize) -> Ident {
    format_ident!("__vox_default_{method}_{argument}")
}

/// Generated code answers for itself. What it repeats of the user's tokens was judged where the user wrote them.
struct Quiet;

const QUIET: Quiet = Quiet;

impl quote::ToTokens for Quiet {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(quote! {
            #[allow(
                dead_code,
                deprecated,
                missing_docs,
                non_snake_case,
                private_interfaces,
                unused_qualifications,
                unused_variables,
                clippy::all,
                clippy::pedantic,
            )]
        });
    }
}
