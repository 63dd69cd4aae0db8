//! Reads values that another version of their type wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::ty::{Form, Kind};
use super::{Value, ValueError, ValueType, build};
use crate::codec::Decoder;
use crate::escaped::Escaped;

/// What an entry of a table of variants takes, in bytes.
const ENTRY: usize = 64;
/// The most pairs of types that are looked at.
const MOST_PAIRS: usize = 1 << 16;

/// The variants that two enums both have, by their names: their places there and here.
type Both = BTreeMap<Arc<str>, (usize, usize)>;

/// How to read as one type what was written as another, where the two were judged to go together.
#[derive(Debug)]
pub(crate) struct Carried {
    written: ValueType,
    read: ValueType,
    /// Of each pair of enums, the variants that both have.
    variants: BTreeMap<(usize, usize), Both>,
}

impl Carried {
    /// `Err`: what the reader would have to make up, and where.
    pub(crate) fn between(written: ValueType, read: ValueType) -> Result<Self, String> {
        let mut carried = Self { written, read, variants: BTreeMap::new() };
        let mut seen = BTreeSet::new();
        let mut todo = vec![(carried.written.root, carried.read.root)];
        while let Some((written, read)) = todo.pop() {
            if !seen.insert((written, read)) {
                continue;
            }
            if seen.len() > MOST_PAIRS {
                return Err(format!("the types are too many to be compared: more than {MOST_PAIRS} pairs"));
            }
            carried.look((written, read), &mut todo)?;
        }
        Ok(carried)
    }

    /// Reads a value, which is one of the reader's type then.
    pub(crate) fn read(&self, from: &mut Decoder<'_>) -> Result<Value, ValueError> {
        let value = self.written.decode_from(from, None)?;
        self.value((self.written.root, self.read.root), value)
    }

    /// The memory that it takes, in bytes.
    pub(crate) fn weight(&self) -> usize {
        let entries = self.variants.values().map(|both| ENTRY + ENTRY * both.len()).sum::<usize>();
        self.written.weight() + self.read.weight() + entries
    }

    /// The reader's type.
    pub(crate) fn ty(&self) -> &ValueType {
        &self.read
    }

    fn look(&mut self, (written, read): (usize, usize), todo: &mut Vec<(usize, usize)>) -> Result<(), String> {
        let (there, here) = (&self.written.node(written).kind, &self.read.node(read).kind);
        match (there, here) {
            (Kind::Struct(there), Kind::Struct(here)) => {
                self.look_at_form(there, here, todo).map_err(|name| self.no_default(read, None, &name))?;
            }
            (Kind::Enum(there), Kind::Enum(here)) => {
                let known: BTreeMap<_, _> = there.iter().enumerate().map(|(at, other)| (&other.name, at)).collect();
                let mut both = BTreeMap::new();
                for (at, variant) in here.iter().enumerate() {
                    let Some(other) = known.get(&variant.name) else { continue };
                    let looked = self.look_at_form(&there[*other].form, &variant.form, todo);
                    looked.map_err(|name| self.no_default(read, Some(&variant.name), &name))?;
                    both.insert(Arc::clone(&variant.name), (*other, at));
                }
                self.variants.insert((written, read), both);
            }
            (Kind::Option(a, _), Kind::Option(b, _))
            | (Kind::List(a), Kind::List(b))
            | (Kind::Set(a), Kind::Set(b))
            | (Kind::Array(_, a), Kind::Array(_, b)) => todo.push((*a, *b)),
            (Kind::Result(a, b), Kind::Result(c, d)) | (Kind::Map(a, b), Kind::Map(c, d)) => {
                todo.extend([(*a, *c), (*b, *d)]);
            }
            _ => {}
        }
        Ok(())
    }

    /// `Err`: the field that has no default which could be made here.
    fn look_at_form(&self, written: &Form, read: &Form, todo: &mut Vec<(usize, usize)>) -> Result<(), String> {
        let there: BTreeMap<_, _> = parts(written).into_iter().collect();
        for (name, ty) in parts(read) {
            match there.get(&name) {
                Some(other) => todo.push((*other, ty)),
                None if matches!(self.read.node(ty).kind, Kind::Option(..)) => {}
                None => return Err(name.to_string()),
            }
        }
        Ok(())
    }

    fn no_default(&self, read: usize, variant: Option<&str>, field: &str) -> String {
        let of = &self.read.node(read).words;
        let variant = variant.map(|variant| format!("{}.", Escaped::name(variant))).unwrap_or_default();
        format!(
            "`{variant}{}` of {of} is missing there, and without its type no other default can be made than `None`",
            Escaped::name(field)
        )
    }

    fn value(&self, (written, read): (usize, usize), value: Value) -> Result<Value, ValueError> {
        let (there, here) = (&self.written.node(written).kind, &self.read.node(read).kind);
        Ok(match (there, here, value) {
            (Kind::Struct(there), Kind::Struct(here), value) => self.form(there, here, value)?,
            (Kind::Enum(there), Kind::Enum(here), Value::Variant(name, content)) => {
                let both = self.variants.get(&(written, read)).and_then(|both| both.get(&name));
                let (there, here) = both
                    .map(|(a, b)| (&there[*a].form, &here[*b].form))
                    .ok_or_else(|| build::unknown("variant", &name, here.iter().map(|variant| &*variant.name)))?;
                let content = self.form(there, here, *content).map_err(|error| error.in_field(&name))?;
                Value::Variant(name, content.into())
            }
            (Kind::Option(a, _), Kind::Option(b, _), Value::Option(Some(value))) => {
                Value::Option(Some(self.value((*a, *b), *value)?.into()))
            }
            (Kind::Result(a, _), Kind::Result(b, _), Value::Result(Ok(value))) => {
                Value::Result(Ok(self.value((*a, *b), *value).map_err(|error| error.in_field("Ok"))?.into()))
            }
            (Kind::Result(_, a), Kind::Result(_, b), Value::Result(Err(value))) => {
                Value::Result(Err(self.value((*a, *b), *value).map_err(|error| error.in_field("Err"))?.into()))
            }
            (Kind::Array(_, _), Kind::Array(_, item), Value::Bytes(bytes)) if !self.read.is_byte(*item) => {
                Value::List(bytes.iter().map(|byte| Value::from(*byte)).collect())
            }
            (
                Kind::List(a) | Kind::Set(a) | Kind::Array(_, a),
                Kind::List(b) | Kind::Set(b) | Kind::Array(_, b),
                Value::List(items),
            ) => {
                let item = |(index, value)| self.value((*a, *b), value).map_err(|error| error.in_item(index));
                Value::List(items.into_iter().enumerate().map(item).collect::<Result<_, _>>()?)
            }
            (Kind::Map(a, b), Kind::Map(c, d), Value::Map(entries)) => {
                let entry = |(key, value)| Ok((self.value((*a, *c), key)?, self.value((*b, *d), value)?));
                Value::Map(entries.into_iter().map(entry).collect::<Result<_, ValueError>>()?)
            }
            (_, _, value) => value,
        })
    }

    fn form(&self, written: &Form, read: &Form, value: Value) -> Result<Value, ValueError> {
        let values = split(written, value).into_iter().map(Some);
        let of_names = parts(written).into_iter().zip(values).map(|((name, ty), value)| (name, (ty, value)));
        let mut given: BTreeMap<_, _> = of_names.collect();
        let mut carried = Vec::new();
        for (name, ty) in parts(read) {
            let found = given.get_mut(&name);
            let value = match found.and_then(|(other, value)| Some((*other, value.take()?))) {
                Some((other, value)) => self.value((other, ty), value).map_err(|error| error.in_field(&name))?,
                None => Value::NONE,
            };
            carried.push((name, value));
        }
        Ok(match read {
            Form::Unit => Value::Unit,
            Form::Newtype(_) => carried.pop().map_or(Value::Unit, |(_, value)| value),
            Form::Tuple(_) => Value::Tuple(carried.into_iter().map(|(_, value)| value).collect()),
            Form::Struct(_) => Value::Struct(carried),
        })
    }
}

/// The fields of a form by their names: those without one are numbered.
fn parts(form: &Form) -> Vec<(Arc<str>, usize)> {
    match form {
        Form::Unit => Vec::new(),
        Form::Newtype(ty) => vec![("0".into(), *ty)],
        Form::Tuple(types) => types.iter().enumerate().map(|(at, ty)| (at.to_string().into(), *ty)).collect(),
        Form::Struct(fields) => fields.iter().map(|field| (Arc::clone(&field.name), field.ty)).collect(),
    }
}

/// What the fields of a form hold, in their order.
fn split(form: &Form, value: Value) -> Vec<Value> {
    match (form, value) {
        (Form::Newtype(_), value) => vec![value],
        (Form::Tuple(_), Value::Tuple(items)) => items,
        (Form::Struct(_), Value::Struct(fields)) => fields.into_iter().map(|(_, value)| value).collect(),
        _ => Vec::new(),
    }
}
