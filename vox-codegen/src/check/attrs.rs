//! Which attributes are carried over, and to where.

use proc_macro2::{TokenStream, TokenTree};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Lit, Meta, Token, parse_quote};

use crate::mistake::Mistakes;
use crate::model::Attrs;

/// Whether `attr` is `#[vox(…)]`, which is for the macro alone.
pub(crate) fn is_vox(attr: &Attribute) -> bool {
    attr.path().is_ident("vox")
}

/// The attributes of the trait. `#[vox(…)]` is for methods.
pub(super) fn of_trait(attrs: &[Attribute], mistakes: &mut Mistakes) -> Attrs {
    for attr in attrs.iter().filter(|attr| is_vox(attr)) {
        mistakes.add(attr, "`#[vox(…)]` is for methods", "write a trait's options in `#[vox::service(…)]`");
    }
    of_method(attrs, mistakes)
}

/// The attributes of a method, but for `#[vox(…)]`.
pub(super) fn of_method(attrs: &[Attribute], mistakes: &mut Mistakes) -> Attrs {
    let mut sorted = Attrs::default();
    for attr in attrs.iter().filter(|attr| !is_vox(attr)) {
        if attr.path().is_ident("cfg_attr") && mentions_vox(attr) {
            mistakes.add(
                attr,
                "`#[vox(…)]` cannot depend on `cfg_attr`: both ends must agree on a method's policy",
                "write the method twice, each under its own `#[cfg(…)]`",
            );
        }
        sorted.all.push(attr.clone());
        sorted.share_conditional(attr);
        if SHARED.iter().any(|shared| attr.path().is_ident(shared)) {
            sorted.shared.push(attr.clone());
        }
        if attr.path().is_ident("cfg") {
            sorted.cfg.push(attr.clone());
        }
        if let Some(line) = doc_line(attr) {
            if !sorted.docs.is_empty() {
                sorted.docs.push('\n');
            }
            sorted.docs.push_str(line.strip_prefix(' ').unwrap_or(&line).trim_end());
        }
    }
    sorted
}

impl Attrs {
    /// Takes from `#[cfg_attr(…, …)]` what would be shared if it stood alone.
    fn share_conditional(&mut self, attr: &Attribute) {
        let Meta::List(list) = &attr.meta else {
            return;
        };
        let metas = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
        let Some((condition, metas)) = metas.ok().filter(|_| attr.path().is_ident("cfg_attr")).and_then(|metas| {
            let mut metas = metas.into_iter();
            metas.next().map(|condition| (condition, metas))
        }) else {
            return;
        };
        for meta in metas.filter(|meta| SHARED.iter().any(|shared| meta.path().is_ident(shared))) {
            let conditional: Attribute = parse_quote!(#[cfg_attr(#condition, #meta)]);
            if meta.path().is_ident("cfg") {
                self.cfg.push(conditional.clone());
            }
            self.shared.push(conditional);
        }
    }
}

/// The text of `#[doc = "…"]`. Other forms, such as `#[doc(hidden)]`, have none.
fn doc_line(attr: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attr.meta else {
        return None;
    };
    match &pair.value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if pair.path.is_ident("doc") => Some(text.value()),
        _ => None,
    }
}

fn mentions_vox(attr: &Attribute) -> bool {
    fn within(tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(ident) => ident == "vox",
            TokenTree::Group(group) => within(group.stream()),
            TokenTree::Punct(_) | TokenTree::Literal(_) => false,
        })
    }
    matches!(&attr.meta, Meta::List(list) if within(list.tokens.clone()))
}

/// What the client shows as well: what it says to a reader, when it exists, and whether to call it at all. Lints stay with the
/// trait, since generated code answers for itself.
const SHARED: [&str; 3] = ["doc", "cfg", "deprecated"];
