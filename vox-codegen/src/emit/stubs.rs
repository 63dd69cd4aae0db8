//! What stands in for a service that has mistakes, so that code around it does not fail as well.
//!
//! The trait keeps each signature as written, so that an `impl` of it still fits. The client keeps every method whose
//! signature makes sense outside the trait. No bound is asked of any type.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::visit::{self, Visit};
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, ExprPath, FnArg, ItemTrait, Pat, PatIdent, Path, Signature, TraitItem, Type, parse_quote};

use super::descriptor::{by_type, owner};
use super::{CratePath, Names, QUIET, common, types};
use crate::check;
use crate::habit;
use crate::model::Returns;
use crate::parse::Declaration;

/// Stubs of everything that [`super::service`] would have written.
pub(crate) fn stubs(declaration: &Declaration) -> TokenStream {
    let item = &declaration.item;
    let cfg: Vec<Attribute> = item.attrs.iter().filter(|attr| attr.path().is_ident("cfg")).cloned().collect();
    let CratePath { import, vox, private } = CratePath::of(&check::location(declaration), &item.ident, &cfg);
    let names = Names::of(&item.ident, &vox);
    let the_trait = the_trait(item);
    let types = types(&names, &cfg, &item.vis, &item.ident.to_string());
    let common = common(&names);
    let methods = client_methods(item, &names);
    let Names { client, dispatcher, .. } = &names;
    let has_over_memory =
        item.items.iter().any(|item| matches!(item, TraitItem::Fn(f) if f.sig.ident == "over_memory"));
    let over_memory = (!has_over_memory).then(|| {
        let vis = &item.vis;
        quote! {
            #vis fn over_memory<__VoxH>(__handler: __VoxH) -> #vox::Connect<#client> {
                ::core::panic!("the service has mistakes")
            }
        }
    });
    let (vis, name) = (&item.vis, item.ident.to_string());
    quote! {
        #import
        #the_trait
        #types
        #(#cfg)*
        #QUIET
        const _: () = {
            use #private as __vox;
            #[allow(unused_imports)]
            use __vox::{NotResult as _, Returned as _};
            #common
            impl #client {
                #vis const SERVICE: &'static #vox::descriptor::ServiceDescriptor =
                    &#vox::descriptor::ServiceDescriptor { name: #name, docs: "", methods: &[] };
                #(#methods)*
                #over_memory
            }
            impl<H> #dispatcher<H> {
                #vis fn new(__handler: H) -> Self {
                    #dispatcher { handler: ::std::sync::Arc::new(__handler) }
                }
                #vis fn from_arc(__handler: ::std::sync::Arc<H>) -> Self {
                    #dispatcher { handler: __handler }
                }
            }
            impl<H: ::core::marker::Send + ::core::marker::Sync + 'static> #vox::Dispatcher for #dispatcher<H> {
                fn service(&self) -> &'static #vox::descriptor::ServiceDescriptor {
                    #client::SERVICE
                }
                fn dispatch(&self, __call: __vox::Incoming<'_>) -> __vox::HandlerFuture {
                    __call.accept().1.unknown_method()
                }
            }
        };
    }
}

/// The trait alone, where there is no vox to write the rest with.
pub(crate) fn bare_trait(declaration: &Declaration) -> TokenStream {
    the_trait(&declaration.item)
}

/// The trait without its attributes for vox, and without what was reported and would be reported again. `#[async_trait]` stays: with it
/// gone the compiler would refuse each method of an `impl` that has it too.
fn the_trait(item: &ItemTrait) -> TokenStream {
    let mut item = item.clone();
    item.attrs.retain(|attr| !check::is_vox(attr));
    item.unsafety = None;
    item.modifiers.auto_token = None;
    item.items.retain(|item| matches!(item, TraitItem::Fn(_) | TraitItem::Const(_) | TraitItem::Type(_)));
    let mut taken: Vec<(Ident, Vec<Attribute>)> = Vec::new();
    item.items.retain(|item| match item {
        TraitItem::Fn(function) => {
            let cfg = function.attrs.iter().filter(|attr| attr.path().is_ident("cfg")).cloned().collect();
            let key = (function.sig.ident.unraw(), cfg);
            let is_new = !taken.contains(&key);
            taken.push(key);
            is_new
        }
        _ => true,
    });
    for item in &mut item.items {
        if let TraitItem::Fn(function) = item {
            function.attrs.retain(|attr| !check::is_vox(attr) && !attr.path().is_ident("cfg_attr"));
            function.sig.constness = None;
            FillPlaceholders.visit_signature_mut(&mut function.sig);

            function.sig.variadic = None;
            if function.default.is_none() {
                name_arguments(&mut function.sig);
            }
        }
    }
    quote!(#[allow(async_fn_in_trait, dead_code, unused_variables)] #item)
}

/// Whether `ty` has a length or another constant that is made of `Self`.
fn counts_by_self(ty: &Type) -> bool {
    struct Finder(bool);
    impl<'ast> Visit<'ast> for Finder {
        fn visit_expr_path(&mut self, path: &'ast ExprPath) {
            self.0 |= path.path.segments.first().is_some_and(|first| first.ident == "Self");
        }
    }
    let mut finder = Finder(false);
    finder.visit_type(ty);
    finder.0
}

/// Writes `()` for `_` and for what [`counts_by_self`], which the compiler would refuse once more.
struct FillPlaceholders;

impl VisitMut for FillPlaceholders {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        if matches!(ty, Type::Infer(_)) || counts_by_self(ty) {
            *ty = parse_quote!(());
        }
        visit_mut::visit_type_mut(self, ty);
    }
}

/// Gives every argument one name: patterns and attributes have no place in a signature without a body.
fn name_arguments(sig: &mut Signature) {
    let mut taken = Vec::new();
    for (index, input) in sig.inputs.iter_mut().enumerate() {
        match input {
            FnArg::Receiver(receiver) => receiver.attrs.clear(),
            FnArg::Typed(typed) => {
                typed.attrs.clear();
                let ident = match &*typed.pat {
                    Pat::Ident(pat) if !taken.contains(&pat.ident.unraw()) => pat.ident.clone(),
                    _ => format_ident!("__arg{index}"),
                };
                taken.push(ident.unraw());
                *typed.pat =
                    Pat::Ident(PatIdent { attrs: Vec::new(), by_ref: None, mutability: None, ident, subpat: None });
            }
        }
    }
}

fn client_methods(item: &ItemTrait, names: &Names<'_>) -> Vec<TokenStream> {
    let vox = names.vox;
    let vis = &item.vis;
    let functions = item.items.iter().filter_map(|item| match item {
        TraitItem::Fn(function) => Some(function),
        _ => None,
    });
    let mut taken = vec![format_ident!("SERVICE")];
    let mut methods = Vec::new();
    for function in functions {
        let mut sig = habit::as_written(&function.sig);
        if !item.generics.params.is_empty() || !stands_alone(&sig) || taken.contains(&sig.ident) {
            continue;
        }
        name_arguments(&mut sig);
        let (ident, generics) = (&sig.ident, &sig.generics);
        let clause = &generics.where_clause;
        let params = sig.inputs.iter().filter(|input| match input {
            FnArg::Receiver(_) => false,
            FnArg::Typed(typed) => !is_context(&typed.ty),
        });
        let (ok, err) = outcome_types(&sig);
        let cfg = function.attrs.iter().filter(|attr| attr.path().is_ident("cfg"));
        methods.push(quote! {
            #(#cfg)*
            #vis fn #ident #generics (&self, #(#params),*) -> #vox::Call<#ok, #err> #clause {
                ::core::panic!("the service has mistakes")
            }
        });
        taken.push(ident.clone());
    }
    methods
}

fn outcome_types(sig: &Signature) -> (TokenStream, TokenStream) {
    let never = quote!(__vox::Never);
    let returns = check::returns(&sig.output);
    if let Some(borrowed) = check::borrowed(&returns, sig) {
        let err = match returns {
            Returns::Result { err, .. } => quote!(#err),
            _ => never,
        };
        return (owner(borrowed), err);
    }
    match returns {
        Returns::Unit => (quote!(()), never),
        Returns::Plain(Type::Never(_)) => (never.clone(), never),
        Returns::Plain(declared) => (quote!(#declared), never),
        Returns::Result { ok, err, .. } => (quote!(#ok), quote!(#err)),
        Returns::ByType(declared) => {
            let returned = by_type(&declared);
            (quote!(<#returned as __vox::Returned>::Ok), quote!(<#returned as __vox::Returned>::Err))
        }
    }
}

fn is_context(ty: &Type) -> bool {
    fn is_named_context(path: &Path) -> bool {
        path.segments.last().is_some_and(|last| last.ident == "Context")
    }
    match ty {
        Type::Reference(reference) => {
            matches!(&*reference.elem, Type::Path(path) if is_named_context(&path.path))
        }
        _ => false,
    }
}

/// Whether a signature means something outside of its trait, and in a type argument.
fn stands_alone(sig: &Signature) -> bool {
    struct Finder(bool);
    impl<'ast> Visit<'ast> for Finder {
        fn visit_path(&mut self, path: &'ast Path) {
            self.0 |= path.segments.first().is_some_and(|first| first.ident == "Self");
            visit::visit_path(self, path);
        }
        fn visit_type_impl_trait(&mut self, _: &'ast syn::TypeImplTrait) {
            self.0 = true;
        }
        fn visit_type_infer(&mut self, _: &'ast syn::TypeInfer) {
            self.0 = true;
        }
    }
    let mut finder = Finder(false);
    let typed = sig.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(typed) => Some(typed),
        FnArg::Receiver(_) => None,
    });
    for typed in typed {
        finder.0 |=
            matches!(&*typed.ty, Type::Slice(_)) || matches!(&*typed.ty, Type::Path(path) if path.path.is_ident("str"));
        finder.visit_type(&typed.ty);
    }
    finder.visit_return_type(&sig.output);
    finder.visit_generics(&sig.generics);
    !finder.0
}
