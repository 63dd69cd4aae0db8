//! Types, as their schemas say what they are.

use std::fmt;
use std::sync::Arc;

use super::named::Named;
use super::{ValueError, json};
use crate::codec::{ChannelKind, Lens};
use crate::descriptor::Schema;
use crate::escaped::Escaped;
use crate::schema::{Container, Field as SchemaField, SchemaFault, Type, Types};

/// A type, as its schema says what it is: builds, shows, reads and writes its values. Cheap to clone.
#[derive(Clone)]
pub struct ValueType {
    pub(super) nodes: Arc<[Node]>,
    pub(super) root: usize,
}

/// A type among the others of its schema, which are named by their index.
pub(super) struct Node {
    pub(super) kind: Kind,
    /// The fewest bytes that an encoding takes.
    pub(super) min: usize,
    pub(super) words: Box<str>,
}

pub(super) enum Kind {
    Named(Named),
    Struct(Form),
    Enum(Box<[Variant]>),
    /// The content, and whether it could be `null` in JSON itself.
    Option(usize, bool),
    Result(usize, usize),
    List(usize),
    Set(usize),
    Array(u64, usize),
    Map(usize, usize),
    /// `Tx` or `Rx`, and the items.
    Channel(ChannelKind, usize),
}

/// The fields of a struct or of a variant.
pub(super) enum Form {
    Unit,
    /// One without a name.
    Newtype(usize),
    /// Two or more without names.
    Tuple(Box<[usize]>),
    Struct(Box<[Field]>),
}

pub(super) struct Field {
    pub(super) name: Arc<str>,
    pub(super) ty: usize,
}

pub(super) struct Variant {
    pub(super) name: Arc<str>,
    pub(super) form: Form,
}

impl ValueType {
    /// The type that this schema is of. Refused where the schema is none, or has a type whose encoding this version does not
    /// know.
    pub fn new(schema: &Schema) -> Result<Self, ValueError> {
        Self::read(schema.bytes())
    }

    pub(crate) fn read(schema: &[u8]) -> Result<Self, ValueError> {
        Self::read_named(schema, &[])
    }

    /// As [`new`](Self::new). `names`: what its types are called, but for those with an encoding of their own, in the order in which they
    /// begin; an empty one says nothing.
    pub(crate) fn read_named(schema: &[u8], names: &[String]) -> Result<Self, ValueError> {
        let types = Types::read(schema).map_err(|SchemaFault(fault)| ValueError::new(format!("no schema: {fault}")))?;
        let lens = Lens::of(&types);
        let mut nodes = Vec::with_capacity(types.len());
        let mut hosts = Vec::new();
        for at in 0..types.len() {
            if *types.get(at) == Type::Named("Host") {
                hosts.push(at);
            }
            nodes.push(Node { kind: kind(&types, at)?, min: lens.min[at], words: types.words(at).into() });
        }
        let is_composite = |at: &usize| !matches!(types.get(*at), Type::Named(_));
        for (at, name) in (0..types.len()).filter(is_composite).zip(names).filter(|(_, name)| !name.is_empty()) {
            nodes[at].words = Escaped::name(name).to_string().into();
        }
        for at in hosts {
            nodes[at].kind = host(&mut nodes);
        }
        let nullable: Vec<bool> = (0..nodes.len()).map(|at| is_nullable(&nodes, at)).collect();
        for node in &mut nodes {
            if let Kind::Option(content, null) = &mut node.kind {
                *null = nullable[*content];
            }
        }
        Ok(Self { nodes: nodes.into(), root: 0 })
    }

    /// The types of `Ok` and `Err`, where it is a `Result`, as a method's response is.
    pub fn outcomes(&self) -> Option<(Self, Self)> {
        let part = |root| Self { nodes: Arc::clone(&self.nodes), root };
        match self.node(self.root).kind {
            Kind::Result(ok, err) => Some((part(ok), part(err))),
            _ => None,
        }
    }

    /// The memory that it takes, in bytes.
    pub(crate) fn weight(&self) -> usize {
        const NAME: usize = 32;
        let form = |form: &Form| match form {
            Form::Unit | Form::Newtype(_) => 0,
            Form::Tuple(types) => size_of_val(&**types),
            Form::Struct(fields) => size_of_val(&**fields) + fields.iter().map(|f| NAME + f.name.len()).sum::<usize>(),
        };
        let node = |node: &Node| {
            let beside = match &node.kind {
                Kind::Struct(fields) => form(fields),
                Kind::Enum(variants) => {
                    let each = variants.iter().map(|variant| NAME + variant.name.len() + form(&variant.form));
                    size_of_val(&**variants) + each.sum::<usize>()
                }
                _ => 0,
            };
            size_of::<Node>() + node.words.len() + beside
        };
        self.nodes.iter().map(node).sum()
    }

    /// Whether it is an `Option`.
    pub(crate) fn is_option(&self) -> bool {
        matches!(self.node(self.root).kind, Kind::Option(..))
    }

    /// Whether a channel stands in it, at whatever depth.
    pub fn has_channels(&self) -> bool {
        self.has_channel_of(|_| true)
    }

    /// Whether a channel of such a kind stands in it.
    pub(crate) fn has_channel_of(&self, is_it: impl Fn(ChannelKind) -> bool) -> bool {
        let mut seen = vec![false; self.nodes.len()];
        let mut todo = vec![self.root];
        while let Some(at) = todo.pop() {
            if std::mem::replace(&mut seen[at], true) {
                continue;
            }
            match &self.nodes[at].kind {
                Kind::Channel(kind, _) if is_it(*kind) => return true,
                Kind::Channel(..) => {}
                Kind::Named(_) => {}
                Kind::Struct(form) => form.push_parts(&mut todo),
                Kind::Enum(variants) => variants.iter().for_each(|variant| variant.form.push_parts(&mut todo)),
                Kind::Option(part, _) | Kind::List(part) | Kind::Set(part) | Kind::Array(_, part) => todo.push(*part),
                Kind::Result(a, b) | Kind::Map(a, b) => todo.extend([*a, *b]),
            }
        }
        false
    }

    /// The type of this number in its schema.
    pub(super) fn part(&self, root: usize) -> Self {
        Self { nodes: Arc::clone(&self.nodes), root }
    }

    pub(super) fn node(&self, at: usize) -> &Node {
        &self.nodes[at]
    }

    /// The type in a few words.
    pub fn words(&self) -> &str {
        &self.node(self.root).words
    }

    /// Whether bytes are meant by this array, or by this list.
    pub(super) fn is_byte(&self, at: usize) -> bool {
        matches!(self.node(at).kind, Kind::Named(Named::BYTE))
    }

    /// Whether a map's keys of this type stand in a JSON object.
    pub(super) fn is_key(&self, at: usize) -> bool {
        match &self.node(json::content(self, at)).kind {
            Kind::Named(named) => named.is_key(),
            Kind::Enum(variants) => variants.iter().all(|variant| matches!(variant.form, Form::Unit)),
            _ => false,
        }
    }
}

impl Form {
    fn of(fields: &[SchemaField<'_>]) -> Self {
        let has_no_names = fields.iter().enumerate().all(|(at, field)| field.name == at.to_string());
        match fields {
            [] => Self::Unit,
            [field] if has_no_names => Self::Newtype(field.ty),
            _ if has_no_names => Self::Tuple(fields.iter().map(|field| field.ty).collect()),
            _ => Self::Struct(fields.iter().map(|f| Field { name: f.name.into(), ty: f.ty }).collect()),
        }
    }

    fn push_parts(&self, parts: &mut Vec<usize>) {
        match self {
            Self::Unit => {}
            Self::Newtype(part) => parts.push(*part),
            Self::Tuple(items) => parts.extend(items),
            Self::Struct(fields) => parts.extend(fields.iter().map(|field| field.ty)),
        }
    }
}

fn kind(types: &Types<'_>, at: usize) -> Result<Kind, ValueError> {
    Ok(match types.get(at) {
        Type::Named("Host") => Kind::Enum(Box::default()),
        Type::Named(name) => {
            Kind::Named(Named::of(name).ok_or_else(|| {
                ValueError::new(format!("the encoding of `{}` is not known here", Escaped::name(name)))
            })?)
        }
        Type::Struct(fields) => Kind::Struct(Form::of(fields)),
        Type::Enum(variants) => {
            let variant = |v: &crate::schema::Variant<'_>| Variant { name: v.name.into(), form: Form::of(&v.fields) };
            Kind::Enum(variants.iter().map(variant).collect())
        }
        Type::Of(Container::Option, of) => Kind::Option(of[0], false),
        Type::Of(Container::Result, of) => Kind::Result(of[0], of[1]),
        Type::Of(Container::List, of) => Kind::List(of[0]),
        Type::Of(Container::Set, of) => Kind::Set(of[0]),
        Type::Of(Container::Map, of) => Kind::Map(of[0], of[1]),
        Type::Of(Container::Tx, of) => Kind::Channel(ChannelKind::Tx, of[0]),
        Type::Of(Container::Rx, of) => Kind::Channel(ChannelKind::Rx, of[0]),
        Type::Array(len, item) => Kind::Array(*len, *item),
        Type::Begun => return Err(ValueError::new("no schema: a type that was not read to its end")),
    })
}

/// The host of a URL is an enum, whose encoding has a name of its own.
fn host(nodes: &mut Vec<Node>) -> Kind {
    let mut variant = |name: &str, ty: &str, min| {
        let named = Named::of(ty).expect("a name of the table");
        nodes.push(Node { kind: Kind::Named(named), min, words: ty.into() });
        Variant { name: name.into(), form: Form::Newtype(nodes.len() - 1) }
    };
    let variants = [variant("Domain", "string", 1), variant("Ipv4", "Ipv4Addr", 4), variant("Ipv6", "Ipv6Addr", 16)];
    Kind::Enum(variants.into())
}

/// Whether one of its values is `null` in JSON.
fn is_nullable(nodes: &[Node], mut at: usize) -> bool {
    loop {
        match &nodes[at].kind {
            Kind::Option(..) | Kind::Struct(Form::Unit) => return true,
            // No schema has a struct that stands in itself.
            Kind::Struct(Form::Newtype(content)) => at = *content,
            _ => return false,
        }
    }
}

impl fmt::Debug for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ValueType({})", self.words())
    }
}
