//! How a snapshot is written: one text for one service, whatever the order in which it is declared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};

use super::snapshot::{Snapshot, SnapshotMethod};
use crate::schema::{Container, Graph, NodeField, NodeKind};

/// What every snapshot begins with.
pub(super) const VERSION: &str = "vox 1";
/// The types with encodings of their own that need no line.
pub(super) const PLAIN: &[&str] = &[
    "bool",
    "char",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "i8",
    "i16",
    "i32",
    "i64",
    "i128",
    "f32",
    "f64",
    "string",
    "bytes",
    "Infallible",
];

/// Prints types.
pub(super) struct TypeText<'a>(pub(super) &'a Graph, pub(super) usize);

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{VERSION}")?;
        writeln!(f, "# A service as it crosses the wire. A test writes this file: VOX_BLESS=1 cargo test")?;
        writeln!(f, "service {}", Name(&self.service))?;
        writeln!(f, "hash {:?}", self.hash())?;
        for (name, method) in &self.methods {
            self.method(name, method, f)?;
        }
        let mut declared =
            Declared { graph: &self.graph, seen: BTreeSet::new(), types: BTreeMap::new(), wire: BTreeSet::new() };
        declared.find(self.methods.values().flat_map(SnapshotMethod::roots).collect());
        for at in declared.types.values() {
            self.declaration(*at, f)?;
        }
        if !declared.wire.is_empty() {
            writeln!(f)?;
        }
        for name in &declared.wire {
            writeln!(f, "wire {}", Name(name))?;
        }
        if !self.accepted.is_empty() {
            writeln!(f)?;
        }
        for accepted in &self.accepted {
            writeln!(f, "{accepted}")?;
        }
        Ok(())
    }
}

impl Snapshot {
    fn method(&self, name: &str, method: &SnapshotMethod, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\nmethod {}(", Name(name))?;
        for (number, argument) in method.arguments.iter().enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            write!(f, "{comma}{}: {}", Name(&argument.name), TypeText(&self.graph, argument.ty))?;
            self.mark(argument.ty, argument.may_miss, f)?;
        }
        writeln!(f, ") -> {}", TypeText(&self.graph, method.response))?;
        if method.idem {
            writeln!(f, "  idem")?;
        }
        if method.persist {
            writeln!(f, "  persist")?;
        }
        match method.timeout {
            Some(timeout) => writeln!(f, "  timeout {} ms", timeout.as_millis()),
            None => Ok(()),
        }
    }

    fn declaration(&self, at: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let node = self.graph.get(at);
        let name = Name(node.name.as_deref().unwrap_or_default());
        match &node.kind {
            NodeKind::Struct(fields) => {
                write!(f, "\nstruct {name}")?;
                self.fields(fields, "", f)?;
                writeln!(f)
            }
            NodeKind::Enum(variants) => {
                writeln!(f, "\nenum {name} {{")?;
                for variant in variants {
                    write!(f, "  {}", Name(&variant.name))?;
                    if !variant.fields.is_empty() {
                        self.fields(&variant.fields, "  ", f)?;
                    }
                    writeln!(f)?;
                }
                writeln!(f, "}}")
            }
            _ => Ok(()),
        }
    }

    fn fields(&self, fields: &[NodeField], indent: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_tuple(fields) {
            f.write_char('(')?;
            for (number, field) in fields.iter().enumerate() {
                let comma = if number == 0 { "" } else { ", " };
                write!(f, "{comma}{}", TypeText(&self.graph, field.ty))?;
                self.mark(field.ty, field.optional, f)?;
            }
            return f.write_char(')');
        }
        writeln!(f, " {{")?;
        for field in fields {
            write!(f, "{indent}  {}: {}", Name(&field.name), TypeText(&self.graph, field.ty))?;
            self.mark(field.ty, field.optional, f)?;
            writeln!(f)?;
        }
        write!(f, "{indent}}}")
    }

    /// Says whether the reader does without it, where that does not follow from its type.
    fn mark(&self, ty: usize, optional: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (optional, is_option(&self.graph, ty)) {
            (true, false) => f.write_str(" = default"),
            (false, true) => f.write_str(" = required"),
            _ => Ok(()),
        }
    }
}

/// Whether the fields are called by their places, and so need not be called anything.
pub(super) fn is_tuple(fields: &[NodeField]) -> bool {
    !fields.is_empty() && fields.iter().enumerate().all(|(place, field)| field.name == place.to_string())
}

/// Whether a type is an option, which a reader does without unless it is told otherwise.
pub(super) fn is_option(graph: &Graph, ty: usize) -> bool {
    matches!(graph.get(ty).kind, NodeKind::Of(Container::Option, _))
}

/// The types that have lines of their own.
struct Declared<'a> {
    graph: &'a Graph,
    seen: BTreeSet<usize>,
    types: BTreeMap<&'a str, usize>,
    wire: BTreeSet<&'a str>,
}

impl<'a> Declared<'a> {
    fn find(&mut self, mut todo: Vec<usize>) {
        while let Some(at) = todo.pop() {
            if !self.seen.insert(at) {
                continue;
            }
            let node = self.graph.get(at);
            if let Some(name) = &node.name
                && matches!(node.kind, NodeKind::Struct(_) | NodeKind::Enum(_))
            {
                self.types.insert(name, at);
            }
            if let NodeKind::Named(name) = &node.kind
                && !PLAIN.contains(&name.as_str())
            {
                self.wire.insert(name);
            }
            todo.extend(node.parts());
        }
    }
}

impl fmt::Display for TypeText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(graph, at) = *self;
        let node = graph.get(at);
        match (&node.kind, &node.name) {
            (NodeKind::Named(name), _) => write!(f, "{}", Name(name)),
            (NodeKind::Struct(_) | NodeKind::Enum(_), Some(name)) => write!(f, "{}", Name(name)),
            (NodeKind::Struct(fields), None) => {
                f.write_char('(')?;
                for (number, field) in fields.iter().enumerate() {
                    let comma = if number == 0 { "" } else { ", " };
                    write!(f, "{comma}{}", TypeText(graph, field.ty))?;
                    match (field.optional, is_option(graph, field.ty)) {
                        (true, false) => f.write_str(" = default")?,
                        (false, true) => f.write_str(" = required")?,
                        _ => {}
                    }
                }
                f.write_str(if fields.len() == 1 { ",)" } else { ")" })
            }
            (NodeKind::Array(len, item), _) => write!(f, "[{}; {len}]", TypeText(graph, *item)),
            (NodeKind::Of(container, parts), _) => {
                write!(f, "{}<", container_name(*container))?;
                for (number, part) in parts.iter().enumerate() {
                    let comma = if number == 0 { "" } else { ", " };
                    write!(f, "{comma}{}", TypeText(graph, *part))?;
                }
                f.write_char('>')
            }
            (NodeKind::Enum(_) | NodeKind::Begun, _) => f.write_str("()"),
        }
    }
}

/// What a container is called in the text.
pub(super) fn container_name(container: Container) -> &'static str {
    match container {
        Container::Option => "Option",
        Container::Result => "Result",
        Container::List => "List",
        Container::Map => "Map",
        Container::Set => "Set",
        Container::Tx => "Tx",
        Container::Rx => "Rx",
    }
}

/// A name: as it is, or in quotation marks where it would not be read as one.
pub(super) struct Name<'a>(pub(super) &'a str);

/// Whether a name stands without quotation marks.
fn is_bare(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_bare(self.0) {
            return f.write_str(self.0);
        }
        quoted(self.0, f)
    }
}

/// Writes a text in quotation marks, so that it is one line and says what it holds.
pub(super) fn quoted(text: &str, f: &mut impl Write) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            c if crate::escaped::is_plain(c) => f.write_char(c)?,
            c => write!(f, "\\u{{{:x}}}", u32::from(c))?,
        }
    }
    f.write_char('"')
}
