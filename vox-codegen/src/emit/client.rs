//! The client's methods: each writes its arguments and hands the rest to the runtime.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use super::{Items, Names, beside, local, on_the_wire, plan};
use crate::emit::descriptor::outcome_types;
use crate::model::{Method, ParamKind, Service};

/// The inherent `impl` of the client.
pub(super) fn methods(service: &Service, names: &Names<'_>) -> TokenStream {
    let Names { vox, service: the_trait, client, .. } = names;
    let vis = &service.vis;
    let methods = service.methods.iter().enumerate().map(|(index, method)| one(index, method, service, names));
    let docs = format!("What [`{the_trait}`] looks like on the wire.");
    quote! {
        impl #client {
            #[doc = #docs]
            #vis const SERVICE: &'static #vox::descriptor::ServiceDescriptor = &__VOX_SERVICE;

            #(#methods)*
        }
    }
}

fn one(index: usize, method: &Method, service: &Service, names: &Names<'_>) -> TokenStream {
    let vox = names.vox;
    let vis = &service.vis;
    let attrs = &method.attrs.shared;
    let ident = &method.ident;
    let params = on_the_wire(method).map(|(_, param)| {
        let (ident, ty) = (&param.ident, &param.ty);
        quote!(#ident: #ty)
    });
    let (ok, err) = outcome_types(index, method);
    let Items { method: descriptor, reply, .. } = Items::of(index);
    let call = local("call");
    let writes: Vec<TokenStream> = on_the_wire(method)
        .map(|(position, param)| {
            let value = &param.ident;
            match param.kind {
                ParamKind::Str => quote!(#call.str(#value);),
                ParamKind::Bytes => quote!(#call.bytes(#value);),
                ParamKind::Owned | ParamKind::Context => {
                    let plan = plan(index, position);
                    // A lifetime that the type hides is complained of there.
                    let call = beside(&call, param);
                    quote_spanned!(call.span()=> #call.arg(&#plan, #value);)
                }
            }
        })
        .collect();
    let body = if writes.is_empty() {
        quote!(self.__caller.call(&#descriptor).finish(&#reply))
    } else {
        quote! {
            let mut #call = self.__caller.call(&#descriptor);
            #(#writes)*
            #call.finish(&#reply)
        }
    };
    quote! {
        #(#attrs)*
        #vis fn #ident(&self, #(#params),*) -> #vox::Call<#ok, #err> {
            #body
        }
    }
}
