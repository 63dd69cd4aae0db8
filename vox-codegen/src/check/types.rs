//! Judges a type in its place: what can never cross the wire, whatever else it may be.
//!
//! Only tokens are seen here. A channel behind an alias or inside a struct is the runtime's to find, by the type's shape.

use syn::visit::{self, Visit};
use syn::{
    Expr, ExprPath, GenericArgument, Ident, Lifetime, PathArguments, PathSegment, Signature, Type, TypeArray,
    TypeImplTrait, TypeInfer, TypeNever, TypePath, TypePtr, TypeReference, TypeSlice, TypeTraitObject,
};

use crate::mistake::Mistakes;
use crate::model::Borrowed;

/// Where a type stands.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// An argument; its name is missing if it was a pattern.
    Argument { method: &'a Signature, name: Option<&'a Ident> },
    /// What a method returns, or returns when it succeeds.
    Return { method: &'a Signature },
    /// What a method returns when it fails.
    Error { method: &'a Signature },
}

/// Judges every part of `ty`.
pub(super) fn check(ty: &Type, place: Place<'_>, mistakes: &mut Mistakes) {
    Judge { place, mistakes, within: Within::Value, depth: 0 }.visit_type(peeled(ty));
}

/// The first channel in `ty`, if there is one by name.
pub(super) fn first_channel(ty: &Type) -> Option<&PathSegment> {
    struct Finder<'a>(Option<&'a PathSegment>);
    impl<'a> Visit<'a> for Finder<'a> {
        fn visit_type_path(&mut self, path: &'a TypePath) {
            match path.path.segments.last() {
                Some(last) if is_channel(last) => self.0 = self.0.or(Some(last)),
                _ => visit::visit_type_path(self, path),
            }
        }
        fn visit_expr(&mut self, _: &'a Expr) {}
    }
    let mut finder = Finder(None);
    finder.visit_type(ty);
    finder.0
}

/// The channel that `ty` is.
pub(super) fn bare_channel(ty: &Type) -> Option<&PathSegment> {
    match peeled(ty) {
        Type::Path(path) => path.path.segments.last().filter(|last| is_channel(last)),
        _ => None,
    }
}

/// `ty` without the parentheses and invisible groups around it.
pub(super) fn peeled(mut ty: &Type) -> &Type {
    loop {
        ty = match ty {
            Type::Paren(paren) => &paren.elem,
            Type::Group(group) => &group.elem,
            _ => return ty,
        }
    }
}

/// Whether the last segment of `path` is `name`, without arguments.
pub(super) fn is_named(path: &TypePath, name: &str) -> bool {
    path.qself.is_none() && path.path.segments.last().is_some_and(|last| last.ident == name && last.arguments.is_none())
}

/// Whether `method` declares `lifetime`, which is a mistake of its own.
pub(super) fn declares(method: &Signature, lifetime: &Lifetime) -> bool {
    method.generics.lifetimes().any(|declared| declared.lifetime == *lifetime)
}

/// What `ty` lends, if it is `&str` or `&[u8]`.
pub(super) fn borrowed(ty: &Type, method: &Signature) -> Option<Borrowed> {
    let elem = borrows(ty, method)?;
    if is_type(elem, "str") {
        Some(Borrowed::Str)
    } else if is_bytes(elem) {
        Some(Borrowed::Bytes)
    } else {
        None
    }
}

/// What `ty` borrows, if it is a shared reference that names no lifetime of its own.
pub(super) fn borrows<'a>(ty: &'a Type, method: &Signature) -> Option<&'a Type> {
    let Type::Reference(reference) = peeled(ty) else {
        return None;
    };
    let is_elided =
        reference.lifetime.as_ref().is_none_or(|lifetime| lifetime.ident == "_" || declares(method, lifetime));
    (reference.mutability.is_none() && is_elided).then(|| peeled(&reference.elem))
}

/// Whether `ty` is a path that ends in `name`, without arguments.
pub(super) fn is_type(ty: &Type, name: &str) -> bool {
    matches!(ty, Type::Path(path) if is_named(path, name))
}

fn is_bytes(ty: &Type) -> bool {
    matches!(ty, Type::Slice(slice) if is_type(peeled(&slice.elem), "u8"))
}

/// `Tx<T>` or `Rx<T>`, by name.
fn is_channel(segment: &PathSegment) -> bool {
    (segment.ident == "Tx" || segment.ident == "Rx") && matches!(segment.arguments, PathArguments::AngleBracketed(_))
}

/// Whether the first argument, which is a lifetime, was left out.
fn hides_lifetime(segment: &PathSegment) -> bool {
    match &segment.arguments {
        PathArguments::AngleBracketed(list) => !matches!(list.args.first(), Some(GenericArgument::Lifetime(_))),
        PathArguments::None | PathArguments::Parenthesized(_) => false,
    }
}

/// What surrounds the type in view.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Value,
    Collection,
    Channel,
}

struct Judge<'a, 'b> {
    place: Place<'a>,
    mistakes: &'b mut Mistakes,
    within: Within,
    /// How many types enclose the one in view.
    depth: usize,
}

impl Judge<'_, '_> {
    fn refuse(&mut self, tokens: impl quote::ToTokens, what: &str, help: &str) {
        let message = format!("{} {what}", self.place);
        self.mistakes.add(tokens, message, help);
    }

    fn inside(&mut self, within: Within, visit: impl FnOnce(&mut Self)) {
        let before = self.within;
        self.within = within;
        visit(self);
        self.within = before;
    }

    fn inside_collection(&mut self, visit: impl FnOnce(&mut Self)) {
        let within = if self.within == Within::Channel { Within::Channel } else { Within::Collection };
        self.inside(within, visit);
    }

    /// Numbers and other constants are the compiler's to judge, but for those of the implementation.
    fn constant(&mut self, expr: &Expr) {
        struct Finder<'a>(Option<&'a ExprPath>);
        impl<'a> Visit<'a> for Finder<'a> {
            fn visit_expr_path(&mut self, path: &'a ExprPath) {
                if path.path.segments.first().is_some_and(|first| first.ident == "Self") {
                    self.0 = self.0.or(Some(path));
                }
            }
        }
        let mut finder = Finder(None);
        finder.visit_expr(expr);
        if let Some(path) = finder.0 {
            self.refuse(
                path,
                "names `Self`, which the caller does not have",
                "write a `const` that stands beside the trait",
            );
        }
    }

    fn channel(&mut self, segment: &PathSegment) {
        let name = &segment.ident;
        match (self.place, self.within) {
            (Place::Return { .. }, _) => self.refuse(
                segment,
                &format!("contains the channel `{name}`"),
                "take the channel as an argument: `vox::Tx<T>` to send to the caller, `vox::Rx<T>` to receive from it",
            ),
            (Place::Error { .. }, _) => self.refuse(
                segment,
                &format!("contains the channel `{name}`"),
                "an error is plain data: take the channel as an argument",
            ),
            (Place::Argument { .. }, Within::Collection) => {
                self.refuse(
                    segment,
                    "contains channels in a collection",
                    "pass one channel whose items say where they belong, or a struct of channels",
                );
            }
            (Place::Argument { .. }, Within::Channel) => {
                self.refuse(
                    segment,
                    "contains a channel of channels",
                    "send the items of all of them over one channel",
                );
            }
            (Place::Argument { .. }, Within::Value) => {}
        }
        self.inside(Within::Channel, |judge| visit::visit_path_segment(judge, segment));
    }
}

impl<'ast> Visit<'ast> for Judge<'_, '_> {
    fn visit_type(&mut self, ty: &'ast Type) {
        self.depth += 1;
        visit::visit_type(self, ty);
        self.depth -= 1;
    }

    fn visit_type_path(&mut self, path: &'ast TypePath) {
        if path.qself.is_none() && path.path.segments.first().is_some_and(|first| first.ident == "Self") {
            self.refuse(path, "names `Self`, which the caller does not have", "write the type out");
            return;
        }
        if self.depth == 1 && is_named(path, "str") {
            self.refuse(path, "is a `str` without an owner", "write `String`");
            return;
        }
        if self.depth == 1
            && is_named(path, "Context")
            && path.path.segments.iter().any(|segment| segment.ident == "vox")
        {
            self.refuse(path, "is the context by value", "write `cx: &vox::Context`");
            return;
        }
        visit::visit_type_path(self, path);
    }

    fn visit_path_segment(&mut self, segment: &'ast PathSegment) {
        if segment.ident == "Cow" && hides_lifetime(segment) {
            self.refuse(
                segment,
                "borrows for a lifetime that it does not name",
                "write `Cow<'static, …>`, or the owned type",
            );
        } else if is_channel(segment) {
            self.channel(segment);
        } else if COLLECTIONS.iter().any(|collection| segment.ident == collection) {
            self.inside_collection(|judge| visit::visit_path_segment(judge, segment));
        } else {
            visit::visit_path_segment(self, segment);
        }
    }

    fn visit_type_array(&mut self, array: &'ast TypeArray) {
        self.inside_collection(|judge| judge.visit_type(&array.elem));
        self.constant(&array.len);
    }

    fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
        let is_argument = matches!(self.place, Place::Argument { .. });
        let elem = peeled(&reference.elem);
        let (is_str, is_bytes, is_context) = (is_type(elem, "str"), is_bytes(elem), is_type(elem, "Context"));
        let may_lend = is_argument || matches!(self.place, Place::Return { .. });
        if self.depth == 1 && (may_lend && (is_str || is_bytes) || is_argument && is_context) {
            let what = if reference.mutability.is_some() { "is a mutable reference" } else { "names a lifetime" };
            let help = if is_str {
                "write `&str`"
            } else if is_bytes {
                "write `&[u8]`"
            } else {
                "write `&vox::Context`"
            };
            self.refuse(reference, what, help);
            return;
        }
        let whole = match self.place {
            Place::Argument { .. } => " can be a whole argument only",
            Place::Return { .. } => " can be a whole result only, or the `T` of a `Result<T, E>`",
            Place::Error { .. } => " can be a result, not an error",
        };
        let help = match elem {
            _ if is_str => format!("write `String` or `bytestring::ByteString`; `&str`{whole}"),
            _ if is_bytes => format!("write `bytes::Bytes` or `Vec<u8>`; `&[u8]`{whole}"),
            Type::Slice(_) => "write a `Vec<T>`".to_owned(),
            Type::TraitObject(_) | Type::ImplTrait(_) => "write a concrete type that is owned".to_owned(),
            _ if reference.mutability.is_some() => "write the type without `&mut`".to_owned(),
            _ => "write the type without `&`".to_owned(),
        };
        self.refuse(reference, "contains a reference, but the two ends share no memory", &help);
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        let (Place::Argument { method, .. } | Place::Return { method } | Place::Error { method }) = self.place;
        if lifetime.ident != "static" && !declares(method, lifetime) {
            self.refuse(
                lifetime,
                &format!("names the lifetime `{lifetime}`, but nothing borrowed crosses the wire"),
                "write an owned type, or `'static` as in `Cow<'static, str>`",
            );
        }
    }

    fn visit_generic_argument(&mut self, argument: &'ast GenericArgument) {
        match argument {
            GenericArgument::Const(constant) => self.constant(constant),
            _ => visit::visit_generic_argument(self, argument),
        }
    }

    fn visit_type_fn_ptr(&mut self, _: &'ast syn::TypeFnPtr) {
        // `PhantomData<fn() -> T>` crosses the wire; whether another function does is for `Facet` to say.
    }

    fn visit_type_impl_trait(&mut self, ty: &'ast TypeImplTrait) {
        self.refuse(ty, "is an `impl Trait`, but the peer must know the type", "write a concrete type");
    }

    fn visit_type_trait_object(&mut self, ty: &'ast TypeTraitObject) {
        self.refuse(
            ty,
            "contains a trait object, which cannot be described to the peer",
            "write an enum of the types it may be",
        );
    }

    fn visit_type_ptr(&mut self, ty: &'ast TypePtr) {
        self.refuse(
            ty,
            "contains a raw pointer, but the two ends share no memory",
            "write the value that it points to",
        );
    }

    fn visit_type_never(&mut self, ty: &'ast TypeNever) {
        self.refuse(ty, "is `!`, but every call has an outcome", "return `()`, or an error type");
    }

    fn visit_type_infer(&mut self, ty: &'ast TypeInfer) {
        self.refuse(ty, "leaves a type to be inferred", "write the type out");
    }

    fn visit_type_slice(&mut self, slice: &'ast TypeSlice) {
        if self.depth == 1 {
            self.refuse(slice, "is a slice without an owner", "write a `Vec<T>`");
        }
        self.inside_collection(|judge| judge.visit_type(&slice.elem));
    }
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Argument { method, name: Some(name) } => write!(f, "argument `{name}` of `{}`", method.ident),
            Place::Argument { method, name: None } => {
                write!(f, "an argument of `{}`", method.ident)
            }
            Place::Return { method } => write!(f, "the result of `{}`", method.ident),
            Place::Error { method } => write!(f, "the error of `{}`", method.ident),
        }
    }
}

/// Types that hold any number of their elements.
const COLLECTIONS: [&str; 10] = [
    "Vec",
    "VecDeque",
    "LinkedList",
    "HashMap",
    "HashSet",
    "BTreeMap",
    "BTreeSet",
    "BinaryHeap",
    "IndexMap",
    "IndexSet",
];
