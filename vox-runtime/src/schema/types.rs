//! The types of a schema, read from its bytes.
//!
//! The bytes may be a peer's. So everything is checked against the bytes that are there, and the number of types, of their
//! parts and of the levels at which they stand inside each other is bounded.

use std::collections::BTreeSet;

use super::cursor::{Cursor, SchemaFault};
use crate::escaped::Escaped;

/// What the bytes of a schema start with.
const VERSION: u8 = 1;
/// How many types one schema may have. The types with an encoding of their own do not count.
const MAX_TYPES: usize = 4096;
/// How many fields and variants the types of one schema may have.
pub(super) const MAX_PARTS: usize = 16_384;
/// How deep the types of one schema may stand inside each other in its bytes.
const MAX_NESTING: usize = 128;

/// The types of one schema. The first is the one that it is the schema of.
#[derive(Debug)]
pub(crate) struct Types<'a> {
    types: Vec<Type<'a>>,
    /// What is encoded one part after the other, each after its parts.
    solid: Vec<usize>,
}

/// A type of a schema. The others are named by their index.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Type<'a> {
    /// One with an encoding of its own.
    Named(&'a str),
    Struct(Vec<Field<'a>>),
    Enum(Vec<Variant<'a>>),
    /// An option, a result, a list, a map, a set or a channel, and its contents.
    Of(Container, Vec<usize>),
    Array(u64, usize),
    /// Not read to its end yet.
    Begun,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Container {
    Option,
    Result,
    List,
    Map,
    Set,
    Tx,
    Rx,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Variant<'a> {
    pub(crate) name: &'a str,
    pub(crate) fields: Vec<Field<'a>>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Field<'a> {
    pub(crate) name: &'a str,
    pub(crate) ty: usize,
    /// Which of all fields of the schema it is, in the order in which their names stand there.
    pub(crate) number: u32,
}

impl Container {
    /// How many types it is of.
    pub(crate) fn arity(self) -> usize {
        self.parts().len()
    }

    /// What the contents are called in a place.
    pub(super) fn parts(self) -> &'static [&'static str] {
        match self {
            Self::Option => &["?"],
            Self::Result => &[".Ok", ".Err"],
            Self::List | Self::Set => &["[]"],
            Self::Map => &["[key]", "[value]"],
            Self::Tx | Self::Rx => &["'s item"],
        }
    }
}

impl<'a> Types<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, SchemaFault> {
        let mut reader =
            Reader { cursor: Cursor::new(bytes), types: Vec::new(), composites: Vec::new(), parts: 0, fields: 0 };
        if reader.cursor.byte()? != VERSION {
            return Err(reader.cursor.fault("a schema of another version"));
        }
        reader.ty(0)?;
        reader.cursor.end()?;
        let solid = solid(&reader.types)?;
        Ok(Self { types: reader.types, solid })
    }

    pub(crate) fn get(&self, at: usize) -> &Type<'a> {
        &self.types[at]
    }

    pub(crate) fn len(&self) -> usize {
        self.types.len()
    }

    /// Structs and arrays, each after those that stand in it.
    pub(crate) fn solid(&self) -> &[usize] {
        &self.solid
    }

    /// The type in a few words.
    pub(crate) fn words(&self, at: usize) -> String {
        let content = |parts: &[usize]| self.words_inside(parts[0]);
        match &self.types[at] {
            Type::Named(name) => Escaped::name(name).to_string(),
            Type::Of(Container::Option, parts) => format!("Option<{}>", content(parts)),
            Type::Of(Container::List, parts) => format!("a list of {}", content(parts)),
            Type::Of(Container::Set, parts) => format!("a set of {}", content(parts)),
            Type::Of(Container::Tx, parts) => format!("Tx<{}>", content(parts)),
            Type::Of(Container::Rx, parts) => format!("Rx<{}>", content(parts)),
            Type::Array(len, item) => format!("[{}; {len}]", self.words_inside(*item)),
            _ => self.words_inside(at),
        }
    }

    /// The type in a word or two, without what is in it.
    fn words_inside(&self, at: usize) -> String {
        match &self.types[at] {
            Type::Named(name) => Escaped::name(name).to_string(),
            Type::Struct(fields) if fields.is_empty() => "()".to_owned(),
            Type::Struct(fields) if fields.len() == 1 => "a struct of 1 field".to_owned(),
            Type::Struct(fields) => format!("a struct of {} fields", fields.len()),
            Type::Enum(variants) if variants.len() == 1 => "an enum of 1 variant".to_owned(),
            Type::Enum(variants) => format!("an enum of {} variants", variants.len()),
            Type::Of(Container::Option, _) => "an option".to_owned(),
            Type::Of(Container::Result, _) => "a result".to_owned(),
            Type::Of(Container::List, _) => "a list".to_owned(),
            Type::Of(Container::Map, _) => "a map".to_owned(),
            Type::Of(Container::Set, _) => "a set".to_owned(),
            Type::Of(Container::Tx | Container::Rx, _) => "a channel".to_owned(),
            Type::Array(..) => "an array".to_owned(),
            Type::Begun => "a type".to_owned(),
        }
    }
}

/// Structs and arrays, each after those that stand in it. One that stands in itself, with nothing between that could be
/// absent, has no value that ends.
fn solid(types: &[Type<'_>]) -> Result<Vec<usize>, SchemaFault> {
    let parts = |at: usize| -> Vec<usize> {
        match &types[at] {
            Type::Struct(fields) => fields.iter().map(|field| field.ty).collect(),
            Type::Array(len, item) if *len > 0 => vec![*item],
            _ => Vec::new(),
        }
    };
    let is_solid = |at: usize| matches!(types[at], Type::Struct(_) | Type::Array(..));
    let mut owners = vec![Vec::new(); types.len()];
    let mut missing = vec![0usize; types.len()];
    let mut solid = Vec::new();
    for at in (0..types.len()).filter(|at| is_solid(*at)) {
        for part in parts(at).into_iter().filter(|part| is_solid(*part)) {
            owners[part].push(at);
            missing[at] += 1;
        }
        if missing[at] == 0 {
            solid.push(at);
        }
    }
    let mut next = 0;
    while let Some(&at) = solid.get(next) {
        next += 1;
        for &owner in &owners[at] {
            missing[owner] -= 1;
            if missing[owner] == 0 {
                solid.push(owner);
            }
        }
    }
    match missing.iter().any(|missing| *missing > 0) {
        true => Err(SchemaFault("a type that stands in itself without end".to_owned())),
        false => Ok(solid),
    }
}

struct Reader<'a> {
    cursor: Cursor<'a>,
    types: Vec<Type<'a>>,
    /// The indices of all but named types, in the order in which they begin: what tag 12 counts.
    composites: Vec<usize>,
    parts: usize,
    fields: u32,
}

impl<'a> Reader<'a> {
    /// Reads a type, and gives its index.
    fn ty(&mut self, depth: usize) -> Result<usize, SchemaFault> {
        if depth > MAX_NESTING {
            return Err(self.cursor.fault(&format!("types more than {MAX_NESTING} deep")));
        }
        let tag = self.cursor.byte()?;
        if tag == 12 {
            let number = self.cursor.number()?;
            let known = usize::try_from(number).ok().and_then(|number| self.composites.get(number));
            return known.copied().ok_or_else(|| self.cursor.fault("a type that has not begun"));
        }
        let index = self.types.len();
        if tag == 1 {
            self.types.push(Type::Named(self.cursor.text()?));
            return Ok(index);
        }
        if self.composites.len() >= MAX_TYPES {
            return Err(self.cursor.fault(&format!("more than {MAX_TYPES} types")));
        }
        self.composites.push(index);
        self.types.push(Type::Begun);
        let ty = match tag {
            2 => Type::Struct(self.fields(depth)?),
            3 => Type::Enum(self.variants(depth)?),
            4 => self.of(Container::Option, depth)?,
            5 => self.of(Container::Result, depth)?,
            6 => self.of(Container::List, depth)?,
            7 => {
                let len = self.cursor.number()?;
                Type::Array(len, self.ty(depth + 1)?)
            }
            8 => self.of(Container::Map, depth)?,
            9 => self.of(Container::Set, depth)?,
            10 => self.of(Container::Tx, depth)?,
            11 => self.of(Container::Rx, depth)?,
            _ => return Err(self.cursor.fault(&format!("an unknown kind of type, {tag}"))),
        };
        self.types[index] = ty;
        Ok(index)
    }

    fn of(&mut self, kind: Container, depth: usize) -> Result<Type<'a>, SchemaFault> {
        let parts = kind.parts().iter().map(|_| self.ty(depth + 1)).collect::<Result<_, _>>()?;
        Ok(Type::Of(kind, parts))
    }

    fn fields(&mut self, depth: usize) -> Result<Vec<Field<'a>>, SchemaFault> {
        // A name's length, and a type of two bytes.
        let count = self.parts(3)?;
        // Each level may claim all the bytes that follow.
        let mut fields = Vec::new();
        for _ in 0..count {
            let (name, number) = (self.cursor.text()?, self.fields);
            self.fields += 1;
            fields.push(Field { name, ty: self.ty(depth + 1)?, number });
        }
        self.names_differ(fields.iter().map(|field| field.name))?;
        Ok(fields)
    }

    fn variants(&mut self, depth: usize) -> Result<Vec<Variant<'a>>, SchemaFault> {
        let count = self.parts(2)?;
        let mut variants = Vec::new();
        for _ in 0..count {
            let name = self.cursor.text()?;
            variants.push(Variant { name, fields: self.fields(depth)? });
        }
        self.names_differ(variants.iter().map(|variant| variant.name))?;
        Ok(variants)
    }

    /// How many fields or variants follow, each of at least `least` bytes.
    fn parts(&mut self, least: usize) -> Result<usize, SchemaFault> {
        let count = self.cursor.count(least)?;
        self.parts += count;
        match self.parts > MAX_PARTS {
            true => Err(self.cursor.fault(&format!("more than {MAX_PARTS} fields and variants"))),
            false => Ok(count),
        }
    }

    fn names_differ(&self, names: impl Iterator<Item = &'a str>) -> Result<(), SchemaFault> {
        let mut seen = BTreeSet::new();
        for name in names {
            if !seen.insert(name) {
                return Err(self.cursor.fault("two parts of one name"));
            }
        }
        Ok(())
    }
}

/// The fields of a schema that a reader can do without, by their numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Optional(Vec<u32>);

impl Optional {
    /// Of these, which ascend.
    pub(crate) fn new(numbers: Vec<u32>) -> Self {
        Self(numbers)
    }

    /// The same, with no more room than it needs.
    pub(super) fn detached(&self) -> Self {
        Self(self.0.as_slice().into())
    }

    pub(super) fn numbers(&self) -> &[u32] {
        &self.0
    }

    pub(crate) fn has(&self, number: u32) -> bool {
        self.0.binary_search(&number).is_ok()
    }
}
