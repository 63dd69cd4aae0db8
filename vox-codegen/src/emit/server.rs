//! The server's side: the trait to implement, and the dispatcher that finds the method by its id.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use super::descriptor::id_literal;
use super::{Items, Names, local, on_the_wire, plan};
use crate::model::{Method, ParamKind, Returns, Service};

/// The trait as written, but with futures that may move between threads.
pub(super) fn the_trait(service: &Service) -> TokenStream {
    let Service { attrs, vis, ident, supertraits, methods, .. } = service;
    let attrs = &attrs.all;
    let supertraits = supertraits.iter().filter(|bound| !is_implied(bound));
    let methods = methods.iter().map(|method| {
        let attrs = &method.attrs.all;
        let ident = &method.ident;
        let params = method.params.iter().map(|param| {
            let (ident, ty) = (&param.ident, &param.ty);
            quote!(#ident: #ty)
        });
        let output = declared(&method.returns);
        // Notes of the compiler point at the method's name, not at the attribute above the trait.
        let signature = quote_spanned! {ident.span()=>
            fn #ident(&self, #(#params),*) -> impl ::core::future::Future<Output = #output> + ::core::marker::Send;
        };
        quote!(#(#attrs)* #signature)
    });
    quote! {
        #(#attrs)*
        #vis trait #ident: #(#supertraits +)* ::core::marker::Send + ::core::marker::Sync + 'static {
            #(#methods)*
        }
    }
}

/// The dispatcher's constructors and its `match`.
pub(super) fn dispatcher(service: &Service, names: &Names<'_>) -> TokenStream {
    let Names { vox, service: the_trait, client, dispatcher } = names;
    let vis = &service.vis;
    let arms = service.methods.iter().enumerate().map(|(index, method)| arm(index, method, names));
    quote! {
        impl<H: #the_trait> #dispatcher<H> {
            /// Serves `handler`.
            #vis fn new(handler: H) -> Self {
                #dispatcher { handler: ::std::sync::Arc::new(handler) }
            }

            /// Serves a `handler` that others hold too.
            #vis fn from_arc(handler: ::std::sync::Arc<H>) -> Self {
                #dispatcher { handler }
            }
        }

        impl<H: #the_trait> #vox::Dispatcher for #dispatcher<H> {
            fn service(&self) -> &'static #vox::ServiceDescriptor {
                #client::SERVICE
            }

            fn dispatch(&self, call: __vox::Incoming) -> __vox::Hosted {
                match call.method() {
                    #(#arms)*
                    _ => call.unknown_method(),
                }
            }
        }
    }
}

fn arm(index: usize, method: &Method, names: &Names<'_>) -> TokenStream {
    let the_trait = names.service;
    let cfg = &method.attrs.cfg;
    let id = id_literal(method);
    let ident = &method.ident;
    let Items { method: descriptor, reply, outcome } = Items::of(index);
    let handler = local("handler", method);
    let args = local("args", method);
    let reads = on_the_wire(method).map(|(position, param)| {
        let name = &param.ident;
        match param.kind {
            ParamKind::Str => quote!(let #name = #args.read_str()?;),
            ParamKind::Bytes => quote!(let #name = #args.read_bytes()?;),
            ParamKind::Owned | ParamKind::Context => {
                let plan = plan(index, position);
                quote!(let #name = #args.read(&#plan)?;)
            }
        }
    });
    let passed = method.params.iter().map(|param| {
        let name = &param.ident;
        match param.kind {
            ParamKind::Context => quote!(#args.context()),
            ParamKind::Str => quote!(#args.str(#name)),
            ParamKind::Bytes => quote!(#args.bytes(#name)),
            ParamKind::Owned => quote!(#name),
        }
    });
    let answer = quote!(<H as #the_trait>::#ident(&*#handler, #(#passed),*).await);
    let outcome = match &method.returns {
        Returns::Unit | Returns::Plain(_) => quote!(::core::result::Result::Ok(#answer)),
        Returns::Result { .. } => answer,
        Returns::ByType(_) => quote!(<#outcome as __vox::Returned>::into_result(#answer)),
    };
    quote! {
        #(#cfg)*
        __vox::MethodId(#id) => {
            let #handler = ::core::clone::Clone::clone(&self.handler);
            call.host(&#descriptor, &#reply, move |mut #args| async move {
                #(#reads)*
                #args.finish()?;
                ::core::result::Result::Ok(#outcome)
            })
        }
    }
}

/// What the user wrote after `->`.
fn declared(returns: &Returns) -> TokenStream {
    match returns {
        Returns::Unit => quote!(()),
        Returns::Plain(declared) | Returns::Result { declared, .. } | Returns::ByType(declared) => {
            quote!(#declared)
        }
    }
}

/// Whether every service trait has `bound` anyway.
fn is_implied(bound: &syn::TypeParamBound) -> bool {
    match bound {
        syn::TypeParamBound::Lifetime(lifetime) => lifetime.ident == "static",
        syn::TypeParamBound::Trait(bound) => bound.path.is_ident("Send") || bound.path.is_ident("Sync"),
        _ => false,
    }
}
