//! Judges a method's signature: what may call it, what it takes, what it yields.

use quote::quote;
use syn::ext::IdentExt;
use syn::{
    FnArg, GenericArgument, Ident, Pat, PatType, PathArguments, Receiver, ReceiverKind, ReturnType, Safety, Signature,
    TraitItemFn, Type,
};

use super::attrs::is_vox;
use super::options;
use super::types::{self, Place};
use crate::mistake::Mistakes;
use crate::model::{Borrowed, MethodOptions, Param, ParamKind, Returns};

/// What a signature says, its form apart.
pub(super) struct CheckedSignature {
    pub(super) params: Vec<Param>,
    pub(super) returns: Returns,
    pub(super) borrowed: Option<Borrowed>,
}

/// Judges one signature. `None` if its mistakes leave nothing to go on with.
pub(super) fn signature(
    function: &TraitItemFn,
    options: &MethodOptions,
    mistakes: &mut Mistakes,
) -> Option<CheckedSignature> {
    let sig = &function.sig;
    qualifiers(sig, mistakes);
    generics(sig, mistakes);
    if let Some(body) = &function.default {
        mistakes.add(
            body,
            format!("`{}` cannot have a default body: a caller cannot tell whether it was replaced", sig.ident),
            "end the signature with `;` and write the body in the `impl`",
        );
    }
    let params = params(sig, options, mistakes);
    if let ReturnType::Type(_, ty) = &sig.output {
        result_types(ty, sig, mistakes);
    }
    let returns = returns(&sig.output);
    Some(CheckedSignature { params: params?, borrowed: borrowed(&returns, sig), returns })
}

/// What a return type is, as far as its tokens tell.
pub(crate) fn returns(output: &ReturnType) -> Returns {
    let ReturnType::Type(_, declared) = output else {
        return Returns::Unit;
    };
    let declared = types::peeled(declared);
    let Type::Path(path) = declared else {
        return Returns::Plain(declared.clone());
    };
    let Some(last) = path.path.segments.last() else {
        return Returns::Plain(declared.clone());
    };
    if path.qself.is_some() || last.ident != "Result" {
        // `SearchResult` is probably no result, `BankResult<T>` probably is one: leave it to the compiler.
        let by_type = last.ident.to_string().ends_with("Result");
        return if by_type { Returns::ByType(declared.clone()) } else { Returns::Plain(declared.clone()) };
    }
    match &last.arguments {
        PathArguments::AngleBracketed(list) if list.args.len() == 2 => {
            let mut types = list.args.iter().filter_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty.clone()),
                _ => None,
            });
            match (types.next(), types.next()) {
                (Some(ok), Some(err)) => {
                    Returns::Result { declared: declared.clone(), ok: Box::new(ok), err: Box::new(err) }
                }
                _ => Returns::ByType(declared.clone()),
            }
        }
        _ => Returns::ByType(declared.clone()),
    }
}

fn qualifiers(sig: &Signature, mistakes: &mut Mistakes) {
    let name = &sig.ident;
    if sig.asyncness.is_none() {
        mistakes.add(
            sig.fn_token,
            format!("`{name}` is not `async`, but its answer comes from afar"),
            format!("write `async fn {name}`"),
        );
    }
    if let Some(constness) = &sig.constness {
        mistakes.add(constness, format!("`{name}` cannot be `const`"), "remove `const`");
    }
    if let Safety::Unsafe(unsafety) = &sig.safety {
        mistakes.add(
            unsafety,
            format!("`{name}` cannot be `unsafe`: a remote caller cannot uphold a safety contract"),
            "remove `unsafe`",
        );
    }
    if let Some(abi) = &sig.abi {
        mistakes.add(abi, format!("`{name}` cannot have an ABI of its own"), "remove `extern`");
    }
    if let Some(variadic) = &sig.variadic {
        mistakes.add(variadic, format!("`{name}` cannot take a variable number of arguments"), "take a `Vec<T>`");
    }
}

fn generics(sig: &Signature, mistakes: &mut Mistakes) {
    let name = &sig.ident;
    for param in &sig.generics.params {
        match param {
            syn::GenericParam::Lifetime(lifetime) => mistakes.add(
                lifetime,
                format!("`{name}` cannot name lifetimes: nothing borrowed crosses the wire"),
                "write `&str` and `&[u8]` without a lifetime, and own everything else",
            ),
            syn::GenericParam::Type(ty) => mistakes.add(
                &ty.ident,
                format!("`{name}` cannot be generic over `{}`: the peer must know the type", ty.ident),
                "write one method for each type, or take an enum",
            ),
            syn::GenericParam::Const(constant) => mistakes.add(
                &constant.ident,
                format!("`{name}` cannot be generic over `{}`: the peer must know the type", constant.ident),
                "take a `Vec<T>`, or write the number out",
            ),
        }
    }
    if let Some(clause) = &sig.generics.where_clause {
        mistakes.add(
            clause,
            format!("`{name}` cannot have a `where` clause"),
            "remove it: a service method has concrete types only",
        );
    }
}

fn params(sig: &Signature, options: &MethodOptions, mistakes: &mut Mistakes) -> Option<Vec<Param>> {
    let mut inputs = sig.inputs.iter();
    let mut all_sound = true;
    let mut params: Vec<Param> = Vec::new();
    let mut take = |typed: &PatType, mistakes: &mut Mistakes| match param(typed, sig, options, mistakes) {
        Some(param)
            if param.kind == ParamKind::Context && params.iter().any(|other| other.kind == ParamKind::Context) =>
        {
            mistakes.add(typed, format!("`{}` takes the context twice", sig.ident), "take one `cx: &vox::Context`");
        }
        Some(param) if params.iter().any(|other| other.ident.unraw() == param.ident.unraw()) => {
            mistakes.add(
                &param.ident,
                format!("two arguments of `{}` are called `{}`", sig.ident, param.ident),
                "give one of them another name",
            );
        }
        Some(param) => params.push(param),
        None => all_sound = false,
    };
    match inputs.next() {
        Some(FnArg::Receiver(found)) => receiver(found, sig, mistakes),
        Some(FnArg::Typed(typed)) => {
            no_receiver(sig, mistakes);
            take(typed, mistakes);
        }
        None => no_receiver(sig, mistakes),
    }
    for input in inputs {
        if let FnArg::Typed(typed) = input {
            take(typed, mistakes);
        }
    }
    all_sound.then_some(params)
}

fn no_receiver(sig: &Signature, mistakes: &mut Mistakes) {
    mistakes.add(
        &sig.ident,
        format!("`{}` has no receiver", sig.ident),
        format!("write `async fn {}(&self, …)`", sig.ident),
    );
}

fn receiver(receiver: &Receiver, sig: &Signature, mistakes: &mut Mistakes) {
    let name = &sig.ident;
    attributes(&receiver.attrs, mistakes);
    let (and, lifetime, mutability) = match &receiver.kind {
        ReceiverKind::Reference(and, lifetime, mutability) => (and, lifetime, mutability),
        ReceiverKind::Value => {
            mistakes.add(
                receiver,
                format!("`{name}` takes `self` by value, but a service outlives each call"),
                "write `&self`",
            );
            return;
        }
        _ => {
            mistakes.add(receiver, format!("`{name}` cannot choose the type of its receiver"), "write `&self`");
            return;
        }
    };
    if let Some(mutability) = mutability {
        let this = receiver.self_token;
        mistakes.add(
            quote!(#and #mutability #this),
            format!("`{name}` takes `&mut self`, but calls run side by side"),
            "write `&self`, and keep what changes in a `Mutex` or an atomic",
        );
    } else if let Some(lifetime) = lifetime
        && !types::declares(sig, lifetime)
    {
        mistakes.add(lifetime, format!("`{name}` cannot name the lifetime of its receiver"), "write `&self`");
    }
}

fn param(typed: &PatType, sig: &Signature, options: &MethodOptions, mistakes: &mut Mistakes) -> Option<Param> {
    attributes(typed.attrs.iter().filter(|attr| !is_vox(attr)), mistakes);
    let kind = kind(&typed.ty, sig);
    let ident = name(typed, sig, mistakes);
    let default = options::argument(typed, kind, sig, mistakes);
    if kind == ParamKind::Owned {
        let place = Place::Argument { method: sig, name: ident };
        types::check(&typed.ty, place, mistakes);
        if options.persist
            && let Some(channel) = types::first_channel(&typed.ty)
        {
            mistakes.add(
                channel,
                format!("`{}` is `persist`, but takes a channel: an outcome can be sealed, a stream cannot", sig.ident),
                "drop `persist`, or pass the items in a `Vec`",
            );
        }
    }
    Some(Param { ident: ident?.clone(), ty: types::peeled(&typed.ty).clone(), kind, default })
}

fn attributes<'a>(attrs: impl IntoIterator<Item = &'a syn::Attribute>, mistakes: &mut Mistakes) {
    for attr in attrs {
        mistakes.add(
            attr,
            "arguments of a service method cannot have attributes other than `#[vox(default)]`",
            "put it on the method, or on a field of a struct that you pass",
        );
    }
}

/// The one name that `typed` binds.
fn name<'a>(typed: &'a PatType, sig: &Signature, mistakes: &mut Mistakes) -> Option<&'a Ident> {
    let method = &sig.ident;
    match &*typed.pat {
        Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => Some(&pat.ident),
        Pat::Wild(wild) => {
            mistakes.add(
                wild,
                format!("an argument of `{method}` has no name, but it is called by one on the wire"),
                "write a name; `_name` if it is unused",
            );
            None
        }
        pattern => {
            mistakes.add(
                pattern,
                format!("an argument of `{method}` is a pattern, but it is called by one name on the wire"),
                "write a name here, and take the value apart in the `impl`",
            );
            None
        }
    }
}

fn kind(ty: &Type, sig: &Signature) -> ParamKind {
    match types::borrowed(ty, sig) {
        Some(Borrowed::Str) => ParamKind::Str,
        Some(Borrowed::Bytes) => ParamKind::Bytes,
        None if types::borrows(ty, sig).is_some_and(|elem| types::is_type(elem, "Context")) => ParamKind::Context,
        None => ParamKind::Owned,
    }
}

/// What a success lends, if it does.
pub(crate) fn borrowed(returns: &Returns, sig: &Signature) -> Option<Borrowed> {
    match returns {
        Returns::Plain(ty) => types::borrowed(ty, sig),
        Returns::Result { ok, .. } => types::borrowed(ok, sig),
        Returns::Unit | Returns::ByType(_) => None,
    }
}

fn result_types(declared: &Type, sig: &Signature, mistakes: &mut Mistakes) {
    match returns(&sig.output) {
        Returns::Result { ok, err, .. } => {
            if types::borrowed(&ok, sig).is_none() {
                types::check(&ok, Place::Return { method: sig }, mistakes);
            }
            types::check(&err, Place::Error { method: sig }, mistakes);
        }
        Returns::Plain(_) if types::borrowed(declared, sig).is_some() => {}
        _ => types::check(declared, Place::Return { method: sig }, mistakes),
    }
}
