//! The static description of a service, and the plans that calls go by.
//!
//! Nothing here asks a type for `Facet`: plans are made of evidence that is there if the type has it, and `evidence` says so once if
//! it is not. Descriptors look at the evidence alone, never at a plan, so that a plan that cannot be made is one error.

use std::borrow::Cow;

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{quote, quote_spanned};
use syn::Type;
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use super::evidence::Subject;
use super::{Items, Names, default, on_the_wire, plan};
use crate::model::{ArgDefault, Borrowed, Method, MethodOptions, Param, ParamKind, Returns, Service};

/// Evidence, plans and descriptors of every method, then of the service.
pub(super) fn descriptors(service: &Service, names: &Names<'_>) -> TokenStream {
    let methods = service.methods.iter().enumerate().map(|(index, method)| one(index, method, service));
    let listed = service.methods.iter().enumerate().map(|(index, method)| {
        let cfg = &method.attrs.cfg;
        let descriptor = Items::of(index).method;
        quote!(#(#cfg)* __vox::listed(&#descriptor))
    });
    let (vox, wire, docs) = (names.vox, &service.wire, &service.attrs.docs);
    quote! {
        #(#methods)*
        static __VOX_SERVICE: #vox::descriptor::ServiceDescriptor =
            #vox::descriptor::ServiceDescriptor { name: #wire, docs: #docs, methods: &[#(#listed),*] };
    }
}

/// The types of success and failure as the caller has them: those of `Result<T, E>`, or the type itself and `Never`.
pub(super) fn outcome_types(index: usize, method: &Method) -> (TokenStream, TokenStream) {
    let (ok, err) = declared_types(index, &method.returns);
    (method.borrowed.map_or(ok, owner), err)
}

/// What a caller has of something that the handler lent.
pub(super) fn owner(borrowed: Borrowed) -> TokenStream {
    match borrowed {
        Borrowed::Str => quote!(::std::string::String),
        Borrowed::Bytes => quote!(::std::vec::Vec<u8>),
    }
}

fn declared_types(index: usize, returns: &Returns) -> (TokenStream, TokenStream) {
    match returns {
        Returns::Unit => (quote!(()), quote!(__vox::Never)),
        Returns::Plain(declared) => (quote!(#declared), quote!(__vox::Never)),
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
    let plans = on_the_wire(method).map(|(position, param)| argument(index, position, param, method, service));
    let reply = reply(index, method, service);
    let Items { method: descriptor, .. } = Items::of(index);
    let id = id_literal(method);
    let (service_name, name) = (&service.wire, &method.wire);
    let plain = quote!(__vox::method(#id, #service_name, #name));
    let fields = fields(index, method);
    let value = if fields.is_empty() { plain } else { quote!(__vox::MethodDescriptor { #(#fields,)* ..#plain }) };
    quote! {
        #(#plans)*
        #reply
        #(#cfg)*
        static #descriptor: __vox::MethodDescriptor = #value;
    }
}

/// What a method says of itself beyond its name.
fn fields(index: usize, method: &Method) -> Vec<TokenStream> {
    let mut fields = Vec::new();
    if !method.attrs.docs.is_empty() {
        let docs = &method.attrs.docs;
        fields.push(quote!(docs: #docs));
    }
    let args: Vec<TokenStream> = on_the_wire(method)
        .map(|(position, param)| {
            let plan = plan(index, position);
            let (name, ty) = (wire_name(param), wire_type(param));
            let defaulted = param.default.as_ref().map(|_| quote!(.defaulted()));
            quote!(__vox::Wire::<#ty>::CROSSES.arg(#name, || #plan.channels())#defaulted)
        })
        .collect();
    if !args.is_empty() {
        fields.push(quote!(args: &[#(#args),*]));
    }
    if !matches!(method.returns, Returns::Unit) {
        let (ok, err) = outcome_types(index, method);
        fields.push(quote!(response: __vox::ReplyWire::<#ok, #err>::CROSSES.shape()));
    }
    fields.extend(policy(&method.options).map(|policy| quote!(policy: #policy)));
    if method.options.persist {
        let reply = Items::of(index).reply;
        fields.push(quote!(carried: |__outcome, __schema| #reply.carried(__outcome, __schema)));
    }
    fields.extend(method.options.timeout.map(|timeout| {
        let millis = Literal::u64_unsuffixed(timeout.as_millis().try_into().unwrap_or(u64::MAX));
        quote!(timeout: ::core::option::Option::Some(::core::time::Duration::from_millis(#millis)))
    }));
    fields
}

/// What an argument is called on the wire.
fn wire_name(param: &Param) -> String {
    param.ident.unraw().to_string()
}

/// What an argument is on the wire.
fn wire_type(param: &Param) -> Cow<'_, Type> {
    match param.kind {
        ParamKind::Str => Cow::Owned(Type::Verbatim(owner(Borrowed::Str))),
        ParamKind::Bytes => Cow::Owned(Type::Verbatim(owner(Borrowed::Bytes))),
        ParamKind::Owned | ParamKind::Context => Cow::Borrowed(&param.ty),
    }
}

/// The plan of one argument.
fn argument(index: usize, position: usize, param: &Param, method: &Method, service: &Service) -> TokenStream {
    let cfg = &method.attrs.cfg;
    let (name, ty) = (wire_name(param), wire_type(param));
    let plan = plan(index, position);
    let called = format!("{}::{}", service.ident, method.ident);
    let place = format!("argument `{name}`");
    let evidence = Subject { method: &called, place: &place, ty: &ty }.argument(&name);
    let default = param.default.as_ref().map(|given| default_of(&default(index, position), given, param));
    let default = default.map(|function| quote!(#(#cfg)* #function));
    quote! {
        #(#cfg)*
        static #plan: __vox::Plan<#ty> = #evidence;
        #default
    }
}

/// What makes an argument that its caller does not send.
fn default_of(function: &Ident, given: &ArgDefault, param: &Param) -> TokenStream {
    let declared = &param.ty;
    let ty = match param.kind {
        ParamKind::Str => quote!(&'static str),
        ParamKind::Bytes => quote!(&'static [u8]),
        ParamKind::Owned | ParamKind::Context => quote!(#declared),
    };
    let value = match (given, param.kind) {
        (ArgDefault::Written(value), _) => quote!(#value),
        (ArgDefault::OfType, ParamKind::Str) => quote!(""),
        (ArgDefault::OfType, ParamKind::Bytes) => quote!(&[]),
        (ArgDefault::OfType, _) => quote_spanned!(declared.span()=> <#declared as ::core::default::Default>::default()),
    };
    quote!(fn #function() -> #ty { #value })
}

/// The plans of a response.
fn reply(index: usize, method: &Method, service: &Service) -> TokenStream {
    let cfg = &method.attrs.cfg;
    let (ok, err) = outcome_types(index, method);
    let Items { reply, outcome, .. } = Items::of(index);
    let called = format!("{}::{}", service.ident, method.ident);
    let result = |ty| Subject { method: &called, place: "the result", ty };
    let error = |ty| Subject { method: &called, place: "the error", ty };
    let nothing = TokenStream::new();
    let infallible = quote!(__vox::Wire::<#err>::CROSSES);
    let mut alias = TokenStream::new();
    let (ok_evidence, err_evidence) = match &method.returns {
        Returns::Unit => (quote!(__vox::Wire::<()>::CROSSES), infallible),
        Returns::Plain(_) if method.borrowed.is_some() => (quote!(__vox::Wire::<#ok>::CROSSES), infallible),
        Returns::Plain(declared) => (result(declared).plain(), infallible),
        Returns::Result { err, .. } if method.borrowed.is_some() => {
            (quote!(__vox::Wire::<#ok>::CROSSES), error(err).checked("error", &nothing))
        }
        Returns::Result { ok, err, .. } => {
            (result(ok).checked("result", &nothing), error(err).checked("error", &nothing))
        }
        Returns::ByType(declared) => {
            let by_type = by_type(declared);
            alias = quote!(#(#cfg)* type #outcome = #by_type;);
            let inside = |place, part| Subject { method: &called, place, ty: declared }.inside(part);
            (inside("result", &ok), inside("error", &err))
        }
    };
    quote! {
        #alias
        #(#cfg)*
        static #reply: __vox::Reply<#ok, #err> =
            __vox::Reply::new(#ok_evidence, #err_evidence);
    }
}

fn policy(options: &MethodOptions) -> Option<TokenStream> {
    match (options.idem, options.persist) {
        (false, false) => None,
        (true, false) => Some(quote!(__vox::RetryPolicy::IDEM)),
        (false, true) => Some(quote!(__vox::RetryPolicy::PERSIST)),
        (true, true) => Some(quote!(__vox::RetryPolicy::IDEM_PERSIST)),
    }
}
