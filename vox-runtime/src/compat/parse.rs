//! How a snapshot is read. Whatever the text holds, reading it ends in a snapshot or in an error that names a line and a column.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::accepted::Accepted;
use super::snapshot::{Snapshot, SnapshotArgument, SnapshotMethod, contract_of};
use super::text::{PLAIN, VERSION, container_name, is_option};
use super::tokens::{Token, Tokens};
use crate::escaped::Escaped;
use crate::schema::{Container, Graph, NodeField, NodeKind, NodeVariant};

/// How long the text of a snapshot may be.
const MAX_TEXT: usize = 1 << 20;
/// How many types a snapshot may have.
const MAX_TYPES: usize = 16 << 10;
/// How deep types may stand inside each other.
const MAX_DEPTH: usize = 128;

/// Why a text is no snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotError {
    /// The line, from 1.
    pub line: usize,
    /// The character of the line, from 1.
    pub column: usize,
    /// What is wrong there.
    pub fault: String,
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.fault)
    }
}

impl std::error::Error for SnapshotError {}

type Read<T> = Result<T, SnapshotError>;

impl Snapshot {
    /// Reads a snapshot from its text.
    pub fn parse(text: &str) -> Result<Self, SnapshotError> {
        if text.len() > MAX_TEXT {
            let fault = format!("the text has {} bytes, over the limit of {MAX_TEXT}", text.len());
            return Err(SnapshotError { line: 1, column: 1, fault });
        }
        if !text.starts_with(VERSION) {
            let fault =
                format!("a snapshot begins with the line `{VERSION}`; this is none, or is one of another version");
            return Err(SnapshotError { line: 1, column: 1, fault });
        }
        let mut parser = Parser {
            tokens: Tokens::new(text),
            graph: Graph::default(),
            named: BTreeMap::new(),
            wire: BTreeMap::new(),
            unnamed: BTreeMap::new(),
            depth: 0,
        };
        parser.snapshot()
    }
}

/// A type that has a line of its own, or was only named yet.
struct Declared {
    at: usize,
    is_there: bool,
    /// Where it was first named.
    place: (usize, usize),
}

/// What a type without a name is: its kind, a number that goes with that, and what is in it, each with whether a reader does without it.
type Look = (u8, u64, Vec<(usize, bool)>);

struct Parser<'a> {
    tokens: Tokens<'a>,
    graph: Graph,
    /// Structs and enums.
    named: BTreeMap<String, Declared>,
    /// Types with an encoding of their own.
    wire: BTreeMap<String, usize>,
    /// Types without names, by what they are.
    unnamed: BTreeMap<Look, usize>,
    depth: usize,
}

/// An argument or a field before it is known whether its type is an option.
struct Marked {
    name: String,
    ty: usize,
    /// `= default`, `= required`.
    mark: Option<bool>,
}

impl Parser<'_> {
    fn snapshot(&mut self) -> Read<Snapshot> {
        self.tokens.word("vox")?;
        self.tokens.number()?;
        self.tokens.word("service")?;
        let service = self.tokens.name("the name of the service")?;
        self.tokens.word("hash")?;
        let place = self.tokens.place();
        let hash = self.tokens.raw("a hash")?;
        self.wires()?;
        let (mut methods, mut accepted) = (BTreeMap::new(), Vec::new());
        while let Some(token) = self.tokens.peek()? {
            let place = self.tokens.place();
            match token {
                Token::Word("method") => {
                    let (name, method) = self.method()?;
                    if methods.insert(name.clone(), method).is_some() {
                        return Err(at(place, format!("a second method `{}`", Escaped::name(&name))));
                    }
                }
                Token::Word("struct") => self.structure()?,
                Token::Word("enum") => self.enumeration()?,
                Token::Word("wire") => {
                    // Known already.
                    self.tokens.word("wire")?;
                    self.tokens.name("a name")?;
                }
                Token::Word("accept") => accepted.push(Accepted::read(&mut self.tokens)?),
                _ => return Err(self.tokens.unexpected("`method`, `struct`, `enum`, `wire` or `accept`")),
            }
        }
        if let Some((name, declared)) = self.named.iter().find(|(_, declared)| !declared.is_there) {
            let fault =
                format!("there is no type `{}` here: no `struct`, `enum` or `wire` line has it", Escaped::name(name));
            return Err(at(declared.place, fault));
        }
        let methods = methods.into_iter().map(|(name, method)| (name, self.resolved(method))).collect();
        let graph = std::mem::take(&mut self.graph);
        let contract = contract_of(&service, &methods, &graph);
        let snapshot = Snapshot { service, methods, graph, accepted, contract };
        if let Some(fault) = snapshot.fault() {
            return Err(at((1, 1), fault));
        }
        let actual = format!("{:?}", snapshot.hash());
        if actual != hash {
            let fault = format!(
                "the hash is not that of what follows, {actual}: the text was changed by hand, or badly merged"
            );
            return Err(at(place, fault));
        }
        Ok(snapshot)
    }

    /// Finds the types with an encoding of their own, which may be named before their lines.
    fn wires(&mut self) -> Read<()> {
        let start = self.tokens.mark();
        while let Some(token) = self.tokens.next()? {
            if token == Token::Word("wire") {
                let place = self.tokens.place();
                let name = self.tokens.name("the name of an encoding")?;
                let at_node = self.graph.add(None, NodeKind::Named(name.clone()));
                if PLAIN.contains(&name.as_str()) || self.wire.insert(name.clone(), at_node).is_some() {
                    return Err(at(place, format!("`{}` is known already", Escaped::name(&name))));
                }
            }
        }
        for name in PLAIN {
            let at_node = self.graph.add(None, NodeKind::Named((*name).to_owned()));
            self.wire.insert((*name).to_owned(), at_node);
        }
        self.tokens.go_to(start);
        Ok(())
    }

    fn method(&mut self) -> Read<(String, (SnapshotMethod, Vec<Marked>))> {
        self.tokens.word("method")?;
        let name = self.tokens.name("the name of a method")?;
        self.tokens.sign("(")?;
        let mut marked: Vec<Marked> = Vec::new();
        while !self.tokens.takes(")")? {
            if !marked.is_empty() {
                self.tokens.sign(",")?;
            }
            let place = self.tokens.place();
            let argument = self.named_field("the name of an argument")?;
            if marked.iter().any(|other| other.name == argument.name) {
                return Err(at(place, format!("a second argument `{}`", Escaped::name(&argument.name))));
            }
            marked.push(argument);
        }
        self.tokens.sign("->")?;
        let response = self.ty()?;
        let mut method = SnapshotMethod { idem: false, persist: false, timeout: None, arguments: Vec::new(), response };
        loop {
            let place = self.tokens.place();
            let twice = || Err(at(place, "this was said already".to_owned()));
            match self.tokens.peek()? {
                Some(Token::Word("idem")) if method.idem => return twice(),
                Some(Token::Word("idem")) => method.idem = true,
                Some(Token::Word("persist")) if method.persist => return twice(),
                Some(Token::Word("persist")) => method.persist = true,
                Some(Token::Word("timeout")) if method.timeout.is_some() => return twice(),
                Some(Token::Word("timeout")) => {
                    self.tokens.word("timeout")?;
                    method.timeout = Some(Duration::from_millis(self.tokens.number()?));
                    self.tokens.word("ms")?;
                    continue;
                }
                _ => return Ok((name, (method, marked))),
            }
            self.tokens.next()?;
        }
    }

    fn resolved(&self, (method, marked): (SnapshotMethod, Vec<Marked>)) -> SnapshotMethod {
        let argument = |marked: Marked| SnapshotArgument {
            may_miss: marked.mark.unwrap_or(is_option(&self.graph, marked.ty)),
            name: marked.name,
            ty: marked.ty,
        };
        SnapshotMethod { arguments: marked.into_iter().map(argument).collect(), ..method }
    }

    fn structure(&mut self) -> Read<()> {
        self.tokens.word("struct")?;
        let at_node = self.declared("struct")?;
        let fields = self.fields()?;
        self.graph.fill(at_node, NodeKind::Struct(fields));
        Ok(())
    }

    fn enumeration(&mut self) -> Read<()> {
        self.tokens.word("enum")?;
        let at_node = self.declared("enum")?;
        self.tokens.sign("{")?;
        let mut variants: Vec<NodeVariant> = Vec::new();
        while !self.tokens.takes("}")? {
            let place = self.tokens.place();
            let name = self.tokens.name("the name of a variant, or `}`")?;
            if variants.iter().any(|other| other.name == name) {
                return Err(at(place, format!("a second variant `{}`", Escaped::name(&name))));
            }
            let has_fields = matches!(self.tokens.peek()?, Some(Token::Sign("(" | "{")));
            let fields = if has_fields { self.fields()? } else { Vec::new() };
            variants.push(NodeVariant { name, fields });
        }
        self.graph.fill(at_node, NodeKind::Enum(variants));
        Ok(())
    }

    /// The place of a type whose line this is.
    fn declared(&mut self, kind: &str) -> Read<usize> {
        let place = self.tokens.place();
        let name = self.tokens.name(&format!("the name of a {kind}"))?;
        if self.wire.contains_key(&name) {
            return Err(at(place, format!("`{}` is a type of its own kind already", Escaped::name(&name))));
        }
        let (declared, name) = (self.reference(&name, place)?, name);
        if std::mem::replace(&mut declared.is_there, true) {
            return Err(at(place, format!("a second type `{}`", Escaped::name(&name))));
        }
        Ok(declared.at)
    }

    fn reference(&mut self, name: &str, place: (usize, usize)) -> Read<&mut Declared> {
        if !self.named.contains_key(name) {
            self.bounded(place)?;
            let declared = Declared { at: self.graph.begin(Some(name.to_owned())), is_there: false, place };
            self.named.insert(name.to_owned(), declared);
        }
        self.named.get_mut(name).ok_or_else(|| at(place, "no type".to_owned()))
    }

    fn bounded(&self, place: (usize, usize)) -> Read<()> {
        match self.graph.len() >= MAX_TYPES {
            true => Err(at(place, format!("more than {MAX_TYPES} types"))),
            false => Ok(()),
        }
    }

    /// Fields in braces, by their names, or in parentheses, by their places.
    fn fields(&mut self) -> Read<Vec<NodeField>> {
        if self.tokens.takes("(")? {
            return self.places();
        }
        self.tokens.sign("{")?;
        let mut marked: Vec<Marked> = Vec::new();
        while !self.tokens.takes("}")? {
            let place = self.tokens.place();
            let field = self.named_field("the name of a field, or `}`")?;
            if marked.iter().any(|other| other.name == field.name) {
                return Err(at(place, format!("a second field `{}`", Escaped::name(&field.name))));
            }
            marked.push(field);
        }
        Ok(self.kept(marked))
    }

    /// The fields of a tuple, to the end of its parentheses.
    fn places(&mut self) -> Read<Vec<NodeField>> {
        let mut marked = Vec::new();
        while !self.tokens.takes(")")? {
            if !marked.is_empty() {
                self.tokens.sign(",")?;
                if self.tokens.takes(")")? {
                    break;
                }
            }
            marked.push(Marked { name: marked.len().to_string(), ty: self.ty()?, mark: self.mark()? });
        }
        Ok(self.kept(marked))
    }

    fn kept(&mut self, marked: Vec<Marked>) -> Vec<NodeField> {
        // Whether a type that has its line further on is an option is known now: it is none.
        let field = |marked: Marked| NodeField {
            optional: marked.mark.unwrap_or(is_option(&self.graph, marked.ty)),
            name: marked.name,
            ty: marked.ty,
        };
        marked.into_iter().map(field).collect()
    }

    fn named_field(&mut self, what: &str) -> Read<Marked> {
        let name = self.tokens.name(what)?;
        self.tokens.sign(":")?;
        Ok(Marked { name, ty: self.ty()?, mark: self.mark()? })
    }

    fn mark(&mut self) -> Read<Option<bool>> {
        if !self.tokens.takes("=")? {
            return Ok(None);
        }
        match self.tokens.peek()? {
            Some(Token::Word("default")) => self.tokens.next().map(|_| Some(true)),
            Some(Token::Word("required")) => self.tokens.next().map(|_| Some(false)),
            _ => Err(self.tokens.unexpected("`default` or `required`")),
        }
    }

    fn ty(&mut self) -> Read<usize> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(at(self.tokens.place(), format!("types more than {MAX_DEPTH} deep")));
        }
        let ty = self.ty_inside();
        self.depth -= 1;
        ty
    }

    fn ty_inside(&mut self) -> Read<usize> {
        let place = self.tokens.place();
        if self.tokens.takes("(")? {
            let fields = self.places()?;
            let key = fields.iter().map(|field| (field.ty, field.optional)).collect();
            return self.unnamed((0, 0, key), NodeKind::Struct(fields), place);
        }
        if self.tokens.takes("[")? {
            let item = self.ty()?;
            self.tokens.sign(";")?;
            let len = self.tokens.number()?;
            self.tokens.sign("]")?;
            return self.unnamed((1, len, vec![(item, false)]), NodeKind::Array(len, item), place);
        }
        let is_word = matches!(self.tokens.peek()?, Some(Token::Word(_)));
        let name = self.tokens.name("a type")?;
        let container = CONTAINERS.iter().position(|container| is_word && container_name(*container) == name);
        if let Some(number) = container {
            let container = CONTAINERS[number];
            self.tokens.sign("<")?;
            let mut parts = vec![self.ty()?];
            for _ in 1..container.arity() {
                self.tokens.sign(",")?;
                parts.push(self.ty()?);
            }
            self.tokens.sign(">")?;
            let key = parts.iter().map(|part| (*part, false)).collect();
            return self.unnamed((2, number as u64, key), NodeKind::Of(container, parts), place);
        }
        match self.wire.get(&name) {
            Some(&at_node) => Ok(at_node),
            None => Ok(self.reference(&name, place)?.at),
        }
    }

    fn unnamed(&mut self, key: Look, kind: NodeKind, place: (usize, usize)) -> Read<usize> {
        if let Some(&known) = self.unnamed.get(&key) {
            return Ok(known);
        }
        self.bounded(place)?;
        let at_node = self.graph.add(None, kind);
        self.unnamed.insert(key, at_node);
        Ok(at_node)
    }
}

const CONTAINERS: [Container; 7] = [
    Container::Option,
    Container::Result,
    Container::List,
    Container::Map,
    Container::Set,
    Container::Tx,
    Container::Rx,
];

fn at((line, column): (usize, usize), fault: String) -> SnapshotError {
    SnapshotError { line, column, fault }
}
