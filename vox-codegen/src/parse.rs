//! Tokens to syntax. Stops at the first token that is not Rust; judges nothing.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{AttrStyle, Attribute, Expr, ItemTrait, Meta, Path, Token, TraitItem, TraitItemFn, Visibility};

/// A trait as written, with the options of its attribute.
pub(crate) struct Declaration {
    pub(crate) item: ItemTrait,
    /// What stood before methods of the trait, as in `pub async fn`. Rust allows it nowhere.
    pub(crate) visibilities: Vec<Visibility>,
    pub(crate) options: syn::Result<Vec<RawOption>>,
    /// Where vox is, unless the options say otherwise.
    pub(crate) vox: Path,
}

/// One `name`, `name = value` or `name(…)` of an attribute, not yet understood.
pub(crate) struct RawOption {
    pub(crate) name: Ident,
    pub(crate) value: RawValue,
}

/// What follows an option's name.
pub(crate) enum RawValue {
    Absent,
    /// The tokens after `=`.
    Written(TokenStream),
    /// A group or other tokens where `=` was due.
    Misplaced(TokenStream),
}

/// Reads a trait. Malformed options are kept as their error, so that the trait's own mistakes are reported beside it.
pub(crate) fn declaration(vox: &str, attr: TokenStream, item: TokenStream) -> syn::Result<Declaration> {
    let mut item = syn::parse2::<TraitOrOther>(item)?.0;
    for attr in &mut item.attrs {
        // What stands inside of the trait is written above it.
        attr.style = AttrStyle::Outer;
    }
    let vox = syn::parse_str(&format!("::{vox}"))?;
    let mut visibilities = Vec::new();
    for item in &mut item.items {
        if let Some((visibility, method)) = visible_method(item) {
            visibilities.push(visibility);
            *item = TraitItem::Fn(method);
        }
    }
    Ok(Declaration { item, visibilities, options: options(attr), vox })
}

/// Reads `pub fn` in a trait, which Rust has no use for: the method, and what says who may see it.
fn visible_method(item: &TraitItem) -> Option<(Visibility, TraitItemFn)> {
    let TraitItem::Verbatim(tokens) = item else {
        return None;
    };
    let parser = |input: ParseStream<'_>| {
        let attrs = Attribute::parse_outer(input)?;
        let visibility: Visibility = input.parse()?;
        let mut method: TraitItemFn = input.parse()?;
        method.attrs.splice(0..0, attrs);
        Ok((visibility, method))
    };
    parser.parse2(tokens.clone()).ok()
}

/// Reads the list of a `#[vox(…)]` attribute.
pub(crate) fn attribute_options(attr: &Attribute) -> syn::Result<Vec<RawOption>> {
    match &attr.meta {
        Meta::List(list) => options(list.tokens.clone()),
        Meta::Path(path) => Err(syn::Error::new_spanned(path, "`#[vox]` without options")),
        Meta::NameValue(pair) => Err(syn::Error::new_spanned(pair, "`#[vox = …]` is not a form of this attribute")),
    }
}

fn options(tokens: TokenStream) -> syn::Result<Vec<RawOption>> {
    let list = Punctuated::<RawOption, Token![,]>::parse_terminated.parse2(tokens)?;
    Ok(list.into_iter().collect())
}

impl Parse for RawOption {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = input
            .call(Ident::parse_any)
            .map_err(|error| syn::Error::new(error.span(), "expected the name of an option"))?;
        let value = if input.peek(Token![=]) {
            let equals: Token![=] = input.parse()?;
            let value = value(input)?;
            if value.is_empty() { RawValue::Misplaced(equals.into_token_stream()) } else { RawValue::Written(value) }
        } else if input.is_empty() || input.peek(Token![,]) {
            RawValue::Absent
        } else {
            RawValue::Misplaced(until_comma(input)?)
        };
        Ok(RawOption { name, value })
    }
}

/// An expression, which may have commas of its own, as in `Pair::<A, B>::new()`; what is none goes to the next comma.
fn value(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    let ahead = input.fork();
    if ahead.parse::<Expr>().is_ok() && (ahead.is_empty() || ahead.peek(Token![,])) {
        return Ok(input.parse::<Expr>()?.into_token_stream());
    }
    until_comma(input)
}

fn until_comma(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    let mut tokens = TokenStream::new();
    while !input.is_empty() && !input.peek(Token![,]) {
        tokens.extend([input.parse::<TokenTree>()?]);
    }
    Ok(tokens)
}

/// A trait, or an error on the keyword of the item that stands in its place.
struct TraitOrOther(ItemTrait);

impl Parse for TraitOrOther {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let ahead = input.fork();
        let _ = ahead.call(Attribute::parse_outer)?;
        let _: Visibility = ahead.parse()?;
        let starts_trait = ["trait", "unsafe", "auto"];
        let word = ahead.call(Ident::parse_any)?;
        if !starts_trait.iter().any(|start| word == start) {
            let message = "`#[vox::service]` describes a service by a trait\nhelp: put it on `trait Name { async fn method(&self); }`";
            return Err(syn::Error::new(word.span(), message));
        }
        input.parse().map(TraitOrOther).map_err(|error| {
            let message =
                format!("{error}\nhelp: a service is a trait with methods: `trait Name {{ async fn method(&self); }}`");
            syn::Error::new(error.span(), message)
        })
    }
}
