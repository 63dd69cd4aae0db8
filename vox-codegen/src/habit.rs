//! The habit of `#[async_trait]`, which other crates want on a trait and vox does not.
//!
//! Below `#[vox::service]` the attribute is still there to be seen. Above it, it has rewritten every method already: each has
//! a lifetime `'async_trait` and returns a boxed future.

use syn::visit::{self, Visit};
use syn::visit_mut::{self, VisitMut};
use syn::{
    AssocType, Attribute, GenericArgument, GenericParam, ItemTrait, PathArguments, ReturnType, Signature, TraitItem,
    Type, TypeReference,
};

use crate::mistake::Mistakes;

/// Whether `attr` is `#[async_trait]`, by its last word.
pub(crate) fn is_async_trait(attr: &Attribute) -> bool {
    attr.path().segments.last().is_some_and(|last| last.ident == "async_trait")
}

/// Complains of the attribute, where it stands or has stood.
pub(crate) fn check(item: &ItemTrait, mistakes: &mut Mistakes) {
    for attr in item.attrs.iter().filter(|attr| is_async_trait(attr)) {
        mistakes.add(attr, "`#[async_trait]` on a service", CURE);
    }
    if is_rewritten(item) {
        mistakes.add(&item.ident, "`#[async_trait]` above `#[vox::service]`", CURE);
    }
}

/// Whether the attribute has rewritten the trait.
pub(crate) fn is_rewritten(item: &ItemTrait) -> bool {
    item.items.iter().any(|item| matches!(item, TraitItem::Fn(function) if is_rewritten_method(&function.sig)))
}

fn is_rewritten_method(sig: &Signature) -> bool {
    sig.generics.lifetimes().any(|lifetime| lifetime.lifetime.ident == "async_trait")
}

/// A signature as it was before it was rewritten; any other as it is.
pub(crate) fn as_written(sig: &Signature) -> Signature {
    let mut sig = sig.clone();
    if !is_rewritten_method(&sig) {
        return sig;
    }
    let declared: Vec<_> = sig.generics.lifetimes().map(|lifetime| lifetime.lifetime.clone()).collect();
    let params = std::mem::take(&mut sig.generics.params);
    sig.generics.params = params.into_iter().filter(|param| !matches!(param, GenericParam::Lifetime(_))).collect();
    sig.generics.where_clause = None;
    if let ReturnType::Type(_, boxed) = &mut sig.output
        && let Some(output) = output(boxed)
    {
        **boxed = output;
    }
    struct Without(Vec<syn::Lifetime>);
    impl VisitMut for Without {
        fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
            reference.lifetime = reference.lifetime.take().filter(|lifetime| !self.0.contains(lifetime));
            visit_mut::visit_type_reference_mut(self, reference);
        }
    }
    Without(declared).visit_signature_mut(&mut sig);
    sig
}

/// The `T` of `Pin<Box<dyn Future<Output = T>>>`.
fn output(boxed: &Type) -> Option<Type> {
    struct Finder(Option<Type>);
    impl<'ast> Visit<'ast> for Finder {
        fn visit_assoc_type(&mut self, assoc: &'ast AssocType) {
            if assoc.ident == "Output" && self.0.is_none() {
                self.0 = Some(assoc.ty.clone());
            }
        }
    }
    let Type::Path(path) = boxed else {
        return None;
    };
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(list) = &last.arguments else {
        return None;
    };
    let mut finder = Finder(None);
    for argument in &list.args {
        if let GenericArgument::Type(ty) = argument {
            visit::visit_type(&mut finder, ty);
        }
    }
    finder.0
}

const CURE: &str = "remove `#[async_trait]`: vox needs none";
