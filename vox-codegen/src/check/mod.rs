//! Judges a declaration. Collects every mistake before giving up, and yields a model that `emit` need not doubt.
//!
//! Each room here judges one noun: `options` what stands in attributes, `method` a signature, `types` a type in its place,
//! `attrs` what is carried over. This one judges the trait and what its methods must not do to each other.

mod attrs;
mod method;
mod options;
mod types;

use std::collections::BTreeMap;

use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{ItemTrait, TraitItem, TraitItemFn};

use self::method::CheckedSignature;
use self::options::ServiceOptions;
use crate::habit;
use crate::method_id::method_id;
use crate::mistake::Mistakes;
use crate::model::{Location, Method, Service};
use crate::names::{self, Dots};
use crate::parse::Declaration;

pub(crate) use self::attrs::is_vox;
pub(crate) use self::method::{borrowed, returns};

/// Judges a whole declaration.
pub(crate) fn service(declaration: &Declaration) -> Result<Service, Mistakes> {
    let mut mistakes = Mistakes::default();
    let item = &declaration.item;
    habit::check(item, &mut mistakes);
    if habit::is_rewritten(item) {
        // Nobody wrote what else is wrong with it.
        return Err(mistakes);
    }
    let options = options::service(declaration, &mut mistakes);
    check_trait(item, &mut mistakes);
    for visibility in &declaration.visibilities {
        mistakes.add(visibility, "a method of a service is as visible as its trait", "write `async fn` without it");
    }
    let wire = options.name.clone().unwrap_or_else(|| item.ident.unraw().to_string());
    if options.name.is_none() {
        check_name(&wire, Dots::Allowed, &item.ident, &mut mistakes);
    }
    let methods: Vec<Method> =
        item.items.iter().filter_map(|item| trait_item(item, &wire, &options, &mut mistakes)).collect();
    check_methods(&methods, &wire, &mut mistakes);
    let attrs = attrs::of_trait(&item.attrs, &mut mistakes);
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    Ok(Service {
        vox: options.vox,
        attrs,
        vis: item.vis.clone(),
        ident: item.ident.clone(),
        wire,
        supertraits: item.supertraits.clone(),
        methods,
    })
}

/// Where vox is found by a declaration that may have mistakes.
pub(crate) fn location(declaration: &Declaration) -> Location {
    options::service(declaration, &mut Mistakes::default()).vox
}

fn check_trait(item: &ItemTrait, mistakes: &mut Mistakes) {
    if let Some(unsafety) = &item.unsafety {
        mistakes.add(
            unsafety,
            "a service trait cannot be `unsafe`",
            "remove `unsafe`: a remote caller cannot uphold a safety contract",
        );
    }
    if let Some(auto) = &item.modifiers.auto_token {
        mistakes.add(auto, "a service trait cannot be `auto`", "remove `auto`");
    }
    if !item.generics.params.is_empty() {
        mistakes.add(
            &item.generics,
            format!("a service trait cannot be generic: `{}` must mean one thing on the wire", item.ident),
            "write one trait for each type, or use an enum in the arguments",
        );
    }
    if let Some(clause) = &item.generics.where_clause {
        mistakes.add(
            clause,
            "a service trait cannot have a `where` clause",
            format!("write bounds as supertraits: `trait {}: Bound`", item.ident),
        );
    }
}

fn trait_item(item: &TraitItem, service: &str, options: &ServiceOptions, mistakes: &mut Mistakes) -> Option<Method> {
    match item {
        TraitItem::Fn(function) => method(function, service, options, mistakes),
        TraitItem::Const(constant) => {
            mistakes.add(
                constant,
                format!("a service trait cannot have the associated constant `{}`", constant.ident),
                "move it to a supertrait, or to a `const` beside the trait",
            );
            None
        }
        TraitItem::Type(ty) => {
            mistakes.add(
                ty,
                format!("a service trait cannot have the associated type `{}`: a client could not know it", ty.ident),
                "name a concrete type in the methods",
            );
            None
        }
        TraitItem::Macro(invocation) => {
            mistakes.add(invocation, "a service trait cannot have macros between its methods", "write the methods out");
            None
        }
        other => {
            mistakes.add(other, "a service trait has methods and nothing else", "write `async fn name(&self) -> T;`");
            None
        }
    }
}

fn method(function: &TraitItemFn, service: &str, on_trait: &ServiceOptions, mistakes: &mut Mistakes) -> Option<Method> {
    let options = options::method(function, mistakes);
    let attrs = attrs::of_method(&function.attrs, mistakes);
    let signature = method::signature(function, &options, mistakes)?;
    let ident = function.sig.ident.clone();
    let wire = match (&options.name, on_trait.rename_all) {
        (Some(name), _) => name.clone(),
        (None, Some(casing)) => casing.apply(&ident.unraw().to_string()),
        (None, None) => ident.unraw().to_string(),
    };
    if options.name.is_none() {
        check_name(&wire, Dots::Refused, &ident, mistakes);
    }
    let id = method_id(service, &wire);
    let CheckedSignature { params, returns, borrowed } = signature;
    Some(Method { attrs, ident, wire, id, params, returns, borrowed, options })
}

fn check_name(name: &str, dots: Dots, place: impl ToTokens, mistakes: &mut Mistakes) {
    if let Some(objection) = names::objection(name, dots) {
        mistakes.add(place, objection, "choose another with `name = \"…\"`");
    }
}

/// Refuses methods that a caller could not tell apart. Methods under different `cfg`s may share a name.
fn check_methods(methods: &[Method], service: &str, mistakes: &mut Mistakes) {
    let mut by_id: BTreeMap<u64, &Method> = BTreeMap::new();
    let mut by_name: BTreeMap<String, &Method> = BTreeMap::new();
    for method in methods {
        if method.ident == "SERVICE" {
            mistakes.add(
                &method.ident,
                "`SERVICE` is the client's constant that describes the service",
                "name the method otherwise; `#[vox(name = \"SERVICE\")]` keeps the name on the wire",
            );
        }
        let namesake = by_name.insert(method.ident.unraw().to_string(), method);
        let Some(other) = by_id.insert(method.id, method) else {
            if namesake.is_some_and(|other| other.attrs.cfg == method.attrs.cfg) {
                mistakes.add(
                    &method.ident,
                    format!("there are two methods `{}`", method.ident),
                    "give one of them another name; `#[vox(name = \"…\")]` keeps its name on the wire",
                );
            }
            continue;
        };
        if other.attrs.cfg != method.attrs.cfg {
            continue;
        }
        let what = if other.wire == method.wire {
            format!(
                "`{}` and `{}` have the same name on the wire, `{service}.{}`",
                other.ident, method.ident, method.wire
            )
        } else {
            format!("`{}` and `{}` have the same id on the wire, {:#018x}", other.ident, method.ident, method.id)
        };
        mistakes.add(&method.ident, what, "give one of them another name, or `#[vox(name = \"…\")]`");
    }
}
