//! The static description of a service, and the plans that calls go by.
//!
//! Each type that crosses the wire is asked for `Facet` in exactly one place, by a trait whose only purpose is its message: it
//! names method and argument, and lands on the user's own token. Everything else works from the evidence found there.

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{PathArguments, Type, parse_quote};

use super::{Items, Names, on_the_wire, plan};
use crate::model::{Method, MethodOptions, Param, ParamKind, Returns, Service};

/// Evidence, plans and descriptors of every method, then of the service.
pub(super) fn descriptors(service: &Service, names: &Names<'_>) -> TokenStream {
    let methods = service
        .methods
        .iter()
        .enumerate()
        .map(|(index, method)| one(index, method, service));
    let listed = service.methods.iter().enumerate().map(|(index, method)| {
        let cfg = &method.attrs.cfg;
        let descriptor = Items::of(index).method;
        quote!(#(#cfg)* #descriptor)
    });
    let (vox, wire, docs) = (names.vox, &service.wire, &service.attrs.docs);
    quote! {
        #(#methods)*
        const __VOX_SERVICE: #vox::ServiceDescriptor =
            #vox::ServiceDescriptor { name: #wire, docs: #docs, methods: &[#(#listed),*] };
    }
}

/// The types of success and failure: those of `Result<T, E>`, or the type itself and `Infallible`.
pub(super) fn outcome_types(returns: &Returns) -> (TokenStream, TokenStream) {
    match returns {
        Returns::Unit => (quote!(()), quote!(::core::convert::Infallible)),
        Returns::Plain(declared) => (quote!(#declared), quote!(::core::convert::Infallible)),
        Returns::Result { ok, err, .. } => (quote!(#ok), quote!(#err)),
        Returns::ByType(declared) => {
            let returned = by_type(declared);
            let span = declared.span();
            let ok = quote_spanned!(span=> <#returned as __vox::Returned>::Ok);
            let err = quote_spanned!(span=> <#returned as __vox::Returned>::Err);
            (ok, err)
        }
    }
}

/// The type that knows whether `declared` is a `Result`.
pub(super) fn by_type(declared: &Type) -> TokenStream {
    quote_spanned!(declared.span()=> __vox::Outcome<#declared, { __vox::IsResult::<#declared>::VALUE }>)
}

/// A method's id, in hexadecimal.
pub(super) fn id_literal(method: &Method) -> Literal {
    let text = format!("{:#018x}", method.id);
    text.parse()
        .unwrap_or_else(|_| Literal::u64_unsuffixed(method.id))
}

fn one(index: usize, method: &Method, service: &Service) -> TokenStream {
    let cfg = &method.attrs.cfg;
    let (args, described): (Vec<_>, Vec<_>) = on_the_wire(method)
        .map(|(position, param)| argument(index, position, param, method, service))
        .unzip();
    let reply = reply(index, method, service);
    let Items {
        method: descriptor, ..
    } = Items::of(index);
    let evidence = reply_evidence(index);
    let id = id_literal(method);
    let (service_name, name, docs) = (&service.wire, &method.wire, &method.attrs.docs);
    let policy = policy(&method.options);
    let timeout = timeout(&method.options);
    quote! {
        #(#args)*
        #reply
        #(#cfg)*
        const #descriptor: __vox::MethodDescriptor = __vox::MethodDescriptor {
            id: __vox::MethodId(#id),
            service: #service_name,
            name: #name,
            docs: #docs,
            args: &[#(#described),*],
            response: #evidence.shape(),
            policy: #policy,
            timeout: #timeout,
        };
    }
}

/// What one argument needs, and its entry in the descriptor.
fn argument(
    index: usize,
    position: usize,
    param: &Param,
    method: &Method,
    service: &Service,
) -> (TokenStream, TokenStream) {
    let cfg = &method.attrs.cfg;
    let name = syn::ext::IdentExt::unraw(&param.ident).to_string();
    let plan = plan(index, position);
    let evidence = format_ident!("__VOX_ARG_{index}_{position}");
    let ty: Type = match param.kind {
        ParamKind::Str => parse_quote!(::std::string::String),
        ParamKind::Bytes => parse_quote!(::std::vec::Vec<u8>),
        ParamKind::Owned | ParamKind::Context => param.ty.clone(),
    };
    let subject = format!("argument `{name}` of `{}::{}`", service.ident, method.ident);
    let found = if param.kind == ParamKind::Owned {
        evidence_for(&ty, &subject)
    } else {
        quote!(__vox::Wire::new())
    };
    let items = quote! {
        #(#cfg)*
        const #evidence: __vox::Wire<#ty> = #found;
        #(#cfg)*
        static #plan: __vox::Plan<#ty> = __vox::Plan::new(#evidence);
    };
    let described = quote! {
        __vox::ArgDescriptor { name: #name, shape: #evidence.shape(), plan: || #plan.channels() }
    };
    (items, described)
}

/// What a response needs.
fn reply(index: usize, method: &Method, service: &Service) -> TokenStream {
    let cfg = &method.attrs.cfg;
    let (ok, err) = outcome_types(&method.returns);
    let Items { reply, .. } = Items::of(index);
    let evidence = reply_evidence(index);
    let called = format!("`{}::{}`", service.ident, method.ident);
    let checks = match &method.returns {
        Returns::Unit => TokenStream::new(),
        Returns::Plain(declared) => {
            let checked = checked(declared, &format!("the result of {called}"), cfg);
            let not_result = refuse_hidden_result(declared, &called, cfg);
            quote!(#checked #not_result)
        }
        Returns::Result { ok, err, .. } => {
            let ok = checked(ok, &format!("the result of {called}"), cfg);
            let err = checked(err, &format!("the error of {called}"), cfg);
            quote!(#ok #err)
        }
        Returns::ByType(declared) => {
            let ok = checked_as(&ok, declared, &format!("the result of {called}"), cfg);
            let err = checked_as(&err, declared, &format!("the error of {called}"), cfg);
            quote!(#ok #err)
        }
    };
    quote! {
        #checks
        #(#cfg)*
        const #evidence: __vox::ReplyWire<#ok, #err> = __vox::ReplyWire::<#ok, #err>::CROSSES;
        #(#cfg)*
        static #reply: __vox::Reply<#ok, #err> = __vox::Reply::new(#evidence);
    }
}

fn reply_evidence(index: usize) -> proc_macro2::Ident {
    format_ident!("__VOX_RESPONSE_{index}")
}

/// A check whose evidence nobody needs.
fn checked(ty: &Type, subject: &str, cfg: &[syn::Attribute]) -> TokenStream {
    checked_as(&quote!(#ty), ty, subject, cfg)
}

fn checked_as(
    ty: &TokenStream,
    written: &Type,
    subject: &str,
    cfg: &[syn::Attribute],
) -> TokenStream {
    if is_basic(written) {
        return TokenStream::new();
    }
    let found = evidence_for_tokens(ty, written, subject);
    quote!(#(#cfg)* const _: __vox::Wire<#ty> = #found;)
}

fn evidence_for(ty: &Type, subject: &str) -> TokenStream {
    if is_basic(ty) {
        quote!(__vox::Wire::new())
    } else {
        evidence_for_tokens(&quote!(#ty), ty, subject)
    }
}

/// The evidence that `ty` crosses the wire, or one error on `written` that says which `subject` does not.
fn evidence_for_tokens(ty: &TokenStream, written: &Type, subject: &str) -> TokenStream {
    let message = format!("{subject} cannot cross the wire: `{{Self}}` is not `Facet`");
    let projection = quote_spanned!(written.span()=> <#ty as __VoxCrosses>::WIRE);
    quote! {
        {
            #[diagnostic::on_unimplemented(
                message = #message,
                label = "not `Facet`",
                note = "write `#[derive(facet::Facet)]` above the type; a container or a channel is `Facet` if what it holds is",
            )]
            trait __VoxCrosses: ::core::marker::Sized {
                const WIRE: __vox::Wire<Self>;
            }
            #[diagnostic::do_not_recommend]
            impl<T: __vox::Facet<'static>> __VoxCrosses for T {
                const WIRE: __vox::Wire<T> = __vox::Wire::new();
            }
            #projection
        }
    }
}

/// An alias that hides a `Result` under another name would make its error look like a success: the compiler says so.
fn refuse_hidden_result(declared: &Type, called: &str, cfg: &[syn::Attribute]) -> TokenStream {
    if is_basic(declared) || !matches!(declared, Type::Path(_) | Type::Macro(_)) {
        return TokenStream::new();
    }
    let message = format!(
        "{called} returns an alias of `Result`: write `Result<T, E>`, or give the alias a name that ends in `Result`"
    );
    let check = quote_spanned!(declared.span()=> ::core::assert!(!__vox::IsResult::<#declared>::VALUE, #message));
    quote!(#(#cfg)* const _: () = #check;)
}

/// Whether `ty` is spelt like a type of the language or its prelude that is known to cross the wire.
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

fn policy(options: &MethodOptions) -> TokenStream {
    match (options.idem, options.persist) {
        (false, false) => quote!(__vox::RetryPolicy::VOLATILE),
        (true, false) => quote!(__vox::RetryPolicy::IDEM),
        (false, true) => quote!(__vox::RetryPolicy::PERSIST),
        (true, true) => quote!(__vox::RetryPolicy::IDEM_PERSIST),
    }
}

fn timeout(options: &MethodOptions) -> TokenStream {
    match options.timeout {
        Some(timeout) => {
            let millis =
                Literal::u64_unsuffixed(timeout.as_millis().try_into().unwrap_or(u64::MAX));
            quote!(::core::option::Option::Some(::core::time::Duration::from_millis(#millis)))
        }
        None => quote!(::core::option::Option::None),
    }
}

/// A user's own type of the same name is still asked for `Facet`, only with a plainer message.
const BASIC: [&str; 17] = [
    "bool", "char", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128",
    "isize", "f32", "f64", "String",
];
