//! The server's side: the trait to implement, and the dispatcher that finds the method by its id.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::visit_mut::VisitMut;
use syn::{Lifetime, Path, Type, TypeReference, parse_quote};

use super::descriptor::id_literal;
use super::{Items, Names, beside, default, local, on_the_wire, plan};
use crate::model::{Borrowed, Method, Param, ParamKind, Returns, Service};

/// The trait as written, but with futures that may move between threads.
pub(super) fn the_trait(service: &Service, private: &Path) -> TokenStream {
    let Service { attrs, vis, ident, supertraits, methods, .. } = service;
    let attrs = &attrs.all;
    let supertraits = supertraits.iter().filter(|bound| !is_implied(bound));
    let methods = methods.iter().map(|method| {
        let attrs = &method.attrs.all;
        let signature = signature(method, private);
        quote!(#(#attrs)* #signature)
    });
    // The path to vox stands on the user's tokens, and may be longer than it must be.
    let quiet = private.leading_colon.is_none().then(|| quote!(#[allow(unused_qualifications)]));
    quote! {
        #(#attrs)*
        #quiet
        #vis trait #ident: #(#supertraits +)* ::core::marker::Send + ::core::marker::Sync + 'static {
            #(#methods)*
        }
    }
}

/// A method as its implementation must have it. What it lends may come from any of the references that it is given.
fn signature(method: &Method, private: &Path) -> TokenStream {
    let ident = &method.ident;
    let mut output = declared(&method.returns);
    let is_given = |param: &&Param| param.kind != ParamKind::Owned;
    let lifetime = (method.borrowed.is_some() && method.params.iter().any(|param| is_given(&param)))
        .then(|| Lifetime::new("'vox", ident.span()));
    let params = method.params.iter().map(|param| {
        let ident = &param.ident;
        let mut ty = param.ty.clone();
        if let (Type::Reference(reference), Some(_)) = (&mut ty, &lifetime) {
            reference.lifetime.clone_from(&lifetime);
        }
        quote!(#ident: #ty)
    });
    if let Some(lifetime) = &lifetime {
        OfLifetime(lifetime).visit_type_mut(&mut output);
    }
    let generics = lifetime.as_ref().map(|lifetime| quote!(<#lifetime>));
    // Notes of the compiler point at the method's name, not at the attribute above the trait.
    let private = located(private, ident.span());
    quote_spanned! {ident.span()=>
        fn #ident #generics (&#lifetime self, #(#params),*) -> impl #private::SendFuture<Output = #output>;
    }
}

/// `path` as if it were written at `span`, but for `$crate`, which is known by its own.
fn located(path: &Path, span: Span) -> TokenStream {
    let moved = path.to_token_stream().into_iter().map(|mut token| {
        if token.to_string() != "$crate" {
            token.set_span(span);
        }
        token
    });
    moved.collect()
}

/// Gives the one reference in a result its lifetime.
struct OfLifetime<'a>(&'a Lifetime);

impl VisitMut for OfLifetime<'_> {
    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        reference.lifetime = Some(self.0.clone());
    }
}

/// The dispatcher's constructors and its `match`.
pub(super) fn dispatcher(service: &Service, names: &Names<'_>) -> TokenStream {
    let Names { vox, service: the_trait, client, dispatcher } = names;
    let vis = &service.vis;
    // The trait itself may be called `H`.
    let parameter = if the_trait.unraw() == "H" { quote!(__VoxH) } else { quote!(H) };
    let arms = service.methods.iter().enumerate().map(|(index, method)| arm(index, method, &parameter, names));
    let over_memory = over_memory(service, names, &parameter);
    quote! {
        impl<#parameter: #the_trait> #dispatcher<#parameter> {
            /// Serves a handler, or one in an `Arc`, which others may hold too.
            #vis fn new<__VoxHow>(
                __handler: impl __vox::IntoHandler<#client, __VoxHow, Handler = #parameter>,
            ) -> Self {
                #dispatcher { handler: __vox::IntoHandler::into_handler(__handler) }
            }

            /// Serves a handler that others hold too.
            #vis fn from_arc(__handler: ::std::sync::Arc<#parameter>) -> Self {
                #dispatcher { handler: __handler }
            }
        }

        impl<#parameter: #the_trait> __vox::Serves<#parameter> for #client {}

        #over_memory

        impl<#parameter: #the_trait> #vox::Dispatcher for #dispatcher<#parameter> {
            fn service(&self) -> &'static #vox::descriptor::ServiceDescriptor {
                #client::SERVICE
            }

            fn dispatch(&self, __call: __vox::Incoming<'_>) -> __vox::HandlerFuture {
                let __handler = ::core::clone::Clone::clone(&self.handler);
                let (__method, __to, __call) = __call.accept();
                match __method {
                    #(#arms)*
                    _ => __to.unknown_method(),
                }
            }
        }
    }
}

/// The client of a handler in the same process, unless a method has taken its name.
fn over_memory(service: &Service, names: &Names<'_>, parameter: &TokenStream) -> Option<TokenStream> {
    if service.methods.iter().any(|method| method.ident == "over_memory") {
        return None;
    }
    let Names { vox, service: the_trait, client, dispatcher } = names;
    let vis = &service.vis;
    let docs = format!(
        "Calls a handler in this process: `{client}::over_memory(handler).await`.\n\nThe session is a real one, over memory. The handler is \
         served until the last clone of the client is gone."
    );
    Some(quote! {
        impl #client {
            #[doc = #docs]
            #vis fn over_memory<#parameter: #the_trait, __VoxHow>(
                __handler: impl __vox::IntoHandler<#client, __VoxHow, Handler = #parameter>,
            ) -> #vox::Connect<#client> {
                __vox::over_memory(#dispatcher::new(__handler))
            }
        }
    })
}

fn arm(index: usize, method: &Method, parameter: &TokenStream, names: &Names<'_>) -> TokenStream {
    let the_trait = names.service;
    let cfg = &method.attrs.cfg;
    let id = id_literal(method);
    let ident = &method.ident;
    let Items { method: descriptor, reply, outcome } = Items::of(index);
    let args = local("args");
    let last = on_the_wire(method).last().filter(|(_, param)| param.kind == ParamKind::Owned).map(|(last, _)| last);
    let finish = last.is_none().then(|| quote!(#args.finish()?;));
    let reads = on_the_wire(method).map(|(position, param)| {
        let name = argument(position);
        match (param.kind, &param.default) {
            (ParamKind::Str, None) => quote!(let #name = #args.read_str()?;),
            (ParamKind::Bytes, None) => quote!(let #name = #args.read_bytes()?;),
            (ParamKind::Str, Some(_)) => quote!(let #name = #args.find_str()?;),
            (ParamKind::Bytes, Some(_)) => quote!(let #name = #args.find_bytes()?;),
            (ParamKind::Owned | ParamKind::Context, given) => {
                let plan = plan(index, position);
                let read = match (last == Some(position), given.is_some()) {
                    (true, false) => quote!(last),
                    (false, false) => quote!(read),
                    (true, true) => quote!(last_or),
                    (false, true) => quote!(read_or),
                };
                let default = given.as_ref().map(|_| default(index, position)).into_iter();
                quote!(let #name = #args.#read(&#plan #(, #default)*)?;)
            }
        }
    });
    let mut position = 0;
    let passed = method.params.iter().map(|param| {
        let (name, default) = (argument(position), default(index, position));
        position += usize::from(param.kind != ParamKind::Context);
        match (param.kind, &param.default) {
            (ParamKind::Context, _) => {
                let args = beside(&args, param);
                quote_spanned!(args.span()=> #args.context())
            }
            (ParamKind::Str, None) => quote!(#args.str(#name)),
            (ParamKind::Bytes, None) => quote!(#args.bytes(#name)),
            (ParamKind::Str, Some(_)) => quote!(#args.str_or(#name, #default)),
            (ParamKind::Bytes, Some(_)) => quote!(#args.bytes_or(#name, #default)),
            (ParamKind::Owned, _) => quote!(#name),
        }
    });
    let (answer, result) = match (&method.returns, method.borrowed) {
        (Returns::Unit | Returns::Plain(_), None) => (quote!(answer_ok), quote!(__out)),
        (Returns::Result { .. }, None) => (quote!(answer), quote!(__out)),
        (Returns::ByType(_), _) => (quote!(answer), quote!(<#outcome as __vox::Returned>::into_result(__out))),
        (returns, Some(borrowed)) => {
            let result = match returns {
                Returns::Result { .. } => quote!(__out),
                _ => quote!(::core::result::Result::Ok(__out)),
            };
            (if borrowed == Borrowed::Str { quote!(answer_str) } else { quote!(answer_bytes) }, result)
        }
    };
    // What cannot be sent is complained of where it is declared.
    let host = Ident::new("host", declared(&method.returns).span());
    quote! {
        #(#cfg)*
        __vox::MethodId(#id) => {
            let mut #args = __call.args(&#descriptor);
            __to.#host(async move {
                #(#reads)*
                #finish
                let __out = <#parameter as #the_trait>::#ident(&__handler, #(#passed),*).await;
                #args.#answer(&#reply, #result)
            })
        }
    }
}

/// The local that holds the argument which has this number on the wire.
fn argument(position: usize) -> Ident {
    local(&position.to_string())
}

/// What the user wrote after `->`.
fn declared(returns: &Returns) -> Type {
    match returns {
        Returns::Unit => parse_quote!(()),
        Returns::Plain(declared) | Returns::Result { declared, .. } | Returns::ByType(declared) => declared.clone(),
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
