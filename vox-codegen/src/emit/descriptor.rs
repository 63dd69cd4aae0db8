//! The static description of a service, and the plans that calls go by.
//!
//! Nothing here asks a type for `Facet`: plans are made of evidence that is there if the type has it, and `evidence` says so once if
//! it is not.

use proc_macro2::{Literal, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Type, parse_quote};

use super::{Items, Names, evidence, on_the_wire, plan};
use crate::model::{Method, MethodOptions, Param, ParamKind, Returns, Service};

/// Evidence, plans and descriptors of every method, then of the service.
pub(super) fn descriptors(service: &Service, names: &Names<'_>) -> TokenStream {
    let methods = service.methods.iter().enumerate().map(|(index, method)| one(index, method, service));
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
pub(super) fn outcome_types(index: usize, returns: &Returns) -> (TokenStream, TokenStream) {
    match returns {
        Returns::Unit => (quote!(()), quote!(::core::convert::Infallible)),
        Returns::Plain(declared) => (quote!(#declared), quote!(::core::convert::Infallible)),
        Returns::Result { ok, err, .. } => (quote!(#ok), quote!(#err)),
        Returns::ByType(_) => {
            let outcome = Items::of(index).outcome;
            (quote!(<#outcome as __vox::Returned>::Ok), quote!(<#outcome as __vox::Returned>::Err))
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
    text.parse().unwrap_or_else(|_| Literal::u64_unsuffixed(method.id))
}

fn one(index: usize, method: &Method, service: &Service) -> TokenStream {
    let cfg = &method.attrs.cfg;
    let (args, described): (Vec<_>, Vec<_>) =
        on_the_wire(method).map(|(position, param)| argument(index, position, param, method, service)).unzip();
    let reply = reply(index, method, service);
    let Items { method: descriptor, .. } = Items::of(index);
    let (ok, err) = outcome_types(index, &method.returns);
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
            response: __vox::ReplyWire::<#ok, #err>::CROSSES.shape(),
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
    let ty: Type = match param.kind {
        ParamKind::Str => parse_quote!(::std::string::String),
        ParamKind::Bytes => parse_quote!(::std::vec::Vec<u8>),
        ParamKind::Owned | ParamKind::Context => param.ty.clone(),
    };
    let subject = format!("argument `{name}` of `{}::{}`", service.ident, method.ident);
    let evidence = match param.kind {
        ParamKind::Owned => evidence::of(&ty, &subject),
        ParamKind::Str | ParamKind::Bytes | ParamKind::Context => {
            quote!(__vox::Wire::<#ty>::CROSSES)
        }
    };
    let items = quote! {
        #(#cfg)*
        static #plan: __vox::Plan<#ty> = __vox::Plan::new(#evidence);
    };
    let described = quote!(__vox::argument(#name, __vox::Wire::<#ty>::CROSSES, || #plan.channels()));
    (items, described)
}

/// What a response needs.
fn reply(index: usize, method: &Method, service: &Service) -> TokenStream {
    let cfg = &method.attrs.cfg;
    let (ok, err) = outcome_types(index, &method.returns);
    let Items { reply, outcome, .. } = Items::of(index);
    let called = format!("`{}::{}`", service.ident, method.ident);
    let (the_result, the_error) = (format!("the result of {called}"), format!("the error of {called}"));
    let infallible = quote!(__vox::Wire::<#err>::CROSSES);
    let mut alias = TokenStream::new();
    let (ok_evidence, err_evidence) = match &method.returns {
        Returns::Unit => (quote!(__vox::Wire::<()>::CROSSES), infallible),
        Returns::Plain(declared) => (evidence::of_plain(declared, &called), infallible),
        Returns::Result { ok, err, .. } => (evidence::of(ok, &the_result), evidence::of(err, &the_error)),
        Returns::ByType(declared) => {
            let by_type = by_type(declared);
            alias = quote!(#(#cfg)* type #outcome = #by_type;);
            (evidence::of_part(&ok, declared, &the_result), evidence::of_part(&err, declared, &the_error))
        }
    };
    quote! {
        #alias
        #(#cfg)*
        static #reply: __vox::Reply<#ok, #err> =
            __vox::Reply::new(__vox::ReplyWire::<#ok, #err>::CROSSES, #ok_evidence, #err_evidence);
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
            let millis = Literal::u64_unsuffixed(timeout.as_millis().try_into().unwrap_or(u64::MAX));
            quote!(::core::option::Option::Some(::core::time::Duration::from_millis(#millis)))
        }
        None => quote!(::core::option::Option::None),
    }
}
