//! A service as plain data: what `check` vouches for and `emit` writes down.

use std::time::Duration;

use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, Ident, Path, Token, Type, TypeParamBound, Visibility};

/// A trait that may be served.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) vox: Location,
    pub(crate) attrs: Attrs,
    pub(crate) vis: Visibility,
    pub(crate) ident: Ident,
    /// The name on the wire.
    pub(crate) wire: String,
    pub(crate) supertraits: Punctuated<TypeParamBound, Token![+]>,
    pub(crate) methods: Vec<Method>,
}

/// Where vox is found.
#[derive(Debug, Clone)]
pub(crate) struct Location {
    /// `::vox`, unless the package calls it otherwise or the trait says otherwise.
    pub(crate) path: Path,
    /// Whether the trait says so. It may be wrong.
    pub(crate) is_given: bool,
}

/// A method that may be called from afar.
#[derive(Debug)]
pub(crate) struct Method {
    pub(crate) attrs: Attrs,
    pub(crate) ident: Ident,
    /// The name on the wire.
    pub(crate) wire: String,
    /// Derived from the names on the wire of service and method.
    pub(crate) id: u64,
    pub(crate) params: Vec<Param>,
    pub(crate) returns: Returns,
    /// What a success borrows, if it does. The caller gets its own.
    pub(crate) borrowed: Option<Borrowed>,
    pub(crate) options: MethodOptions,
}

/// What `#[vox(…)]` says of a method.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct MethodOptions {
    pub(crate) idem: bool,
    pub(crate) persist: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) name: Option<String>,
}

/// One parameter after `&self`.
#[derive(Debug)]
pub(crate) struct Param {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    pub(crate) kind: ParamKind,
    /// What the handler is given where an older caller does not send it.
    pub(crate) default: Option<ArgDefault>,
}

/// What `#[vox(default)]` says of an argument.
#[derive(Debug)]
pub(crate) enum ArgDefault {
    /// The default of its type.
    OfType,
    /// `default = expression`.
    Written(Box<Expr>),
}

/// How a parameter reaches the handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParamKind {
    /// `&vox::Context`: the server's alone, not on the wire.
    Context,
    /// `&str`, lent from the request's frame.
    Str,
    /// `&[u8]`, lent from the request's frame.
    Bytes,
    /// Any other type, decoded into a value.
    Owned,
}

/// What may cross the wire without being owned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Borrowed {
    /// `&str`.
    Str,
    /// `&[u8]`.
    Bytes,
}

/// What a method yields.
#[derive(Debug)]
pub(crate) enum Returns {
    /// Nothing was written.
    Unit,
    /// A type that is not a `Result`, by its tokens.
    Plain(Type),
    /// `Result<ok, err>`, spelt out.
    Result { declared: Type, ok: Box<Type>, err: Box<Type> },
    /// A type named like a `Result` that may be an alias of it, such as `io::Result<T>`: only the compiler can tell.
    ByType(Type),
}

/// The attributes of a trait or method, `#[vox(…)]` apart.
#[derive(Debug, Default)]
pub(crate) struct Attrs {
    /// All of them, for the trait that is implemented.
    pub(crate) all: Vec<Attribute>,
    /// Documentation, `cfg` and `deprecated`, for what is generated beside it.
    pub(crate) shared: Vec<Attribute>,
    /// `cfg` alone, for what nobody sees.
    pub(crate) cfg: Vec<Attribute>,
    /// The documentation as text.
    pub(crate) docs: String,
}
