//! JSON to values.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::levels::Levels;
use super::super::named::Named;
use super::super::ty::{Field, Form, Kind, Variant};
use super::super::{Value, ValueError, ValueType, build, channels};
use super::content;
use super::text::{Tokens, quoted};
use crate::codec::{Budget, DecodeErrorKind, Encoder};

pub(super) fn read(ty: &ValueType, text: &str, budget: Budget) -> Result<Value, ValueError> {
    let levels = Levels::new(budget.depth());
    let mut reader = Reader { ty, tokens: Tokens::new(text), budget };
    let value = reader.value(ty.root, levels)?;
    reader.tokens.end()?;
    Ok(value)
}

/// Reads an object whose entries are of these types, in whatever order they come.
pub(super) fn read_object<'t>(
    text: &str,
    types: impl Iterator<Item = (&'t str, &'t ValueType)> + Clone,
) -> Result<Vec<(String, Value)>, ValueError> {
    let mut budget = Budget::default_for(text.len());
    let mut tokens = Tokens::new(text);
    let mut given = Vec::new();
    if tokens.peek().is_none() {
        return Ok(given);
    }
    tokens.expect(b'{')?;
    let mut goes_on = !tokens.take(b'}');
    while goes_on {
        let name = tokens.string()?;
        tokens.expect(b':')?;
        let ty = types.clone().find(|(known, _)| *known == name).map(|(_, ty)| ty);
        let ty = ty.ok_or_else(|| build::unknown("argument", &name, types.clone().map(|(name, _)| name)))?;
        let mut reader = Reader { ty, tokens, budget };
        let value = reader.value(ty.root, Levels::new(budget.depth())).map_err(|error| error.in_field(&name))?;
        (tokens, budget) = (reader.tokens, reader.budget);
        given.push((name, value));
        goes_on = tokens.goes_on(b'}')?;
    }
    tokens.end()?;
    Ok(given)
}

/// What each value is charged: its place, and what names it, in memory that grows twice as large as it has to.
const PLACE: usize = 2 * size_of::<(Arc<str>, Value)>();

struct Reader<'a> {
    ty: &'a ValueType,
    tokens: Tokens<'a>,
    budget: Budget,
}

type Read<T> = Result<T, ValueError>;

impl Reader<'_> {
    fn value(&mut self, at: usize, levels: Levels) -> Read<Value> {
        let ty = self.ty;
        self.charge(PLACE)?;
        match (&ty.node(at).kind, self.tokens.peek()) {
            (Kind::Named(Named::Bytes), Some(b'[')) => self.bytes(),
            (Kind::Named(named), _) => self.named(at, *named),
            (Kind::Struct(form), _) => self.form(at, form, levels.in_struct()?),
            (Kind::Enum(variants), Some(b'"')) => {
                let name = self.tokens.string()?;
                unit_variant(variants, &name)
            }
            (Kind::Enum(variants), Some(b'{')) => self.variant(at, variants, levels),
            (Kind::Option(..), Some(b'n')) if self.tokens.null() => Ok(Value::NONE),
            (Kind::Option(content, false), _) => Ok(Value::some(self.value(*content, levels.deeper()?)?)),
            (Kind::Option(content, true), Some(b'{')) => {
                let (_, value) = self.one_of(at, &[("Some", *content)], levels.deeper()?)?;
                Ok(Value::some(value))
            }
            (Kind::Result(ok, err), Some(b'{')) => {
                let (index, value) = self.one_of(at, &[("Ok", *ok), ("Err", *err)], levels.deeper()?)?;
                Ok(Value::Result(if index == 0 { Ok(value.into()) } else { Err(value.into()) }))
            }
            (Kind::List(item) | Kind::Set(item), Some(b'[')) => {
                let item = *item;
                let levels = levels.deeper()?;
                Ok(Value::List(self.array(|reader, _| reader.value(item, levels))?))
            }
            (Kind::Array(len, item), Some(b'"')) if ty.is_byte(*item) => {
                let bytes = self.named(at, Named::Bytes)?;
                let Value::Bytes(bytes) = bytes else { return Err(ValueError::new("no bytes")) };
                self.check_len(at, *len, bytes.len())?;
                Ok(Value::Bytes(bytes))
            }
            (Kind::Array(len, item), Some(b'[')) => {
                let (len, item) = (*len, *item);
                if ty.is_byte(item) {
                    let Value::Bytes(bytes) = self.bytes()? else { return Err(ValueError::new("no bytes")) };
                    self.check_len(at, len, bytes.len())?;
                    return Ok(Value::Bytes(bytes));
                }
                let levels = levels.deeper()?;
                let items = self.array(|reader, _| reader.value(item, levels))?;
                self.check_len(at, len, items.len())?;
                Ok(Value::List(items))
            }
            (Kind::Map(key, value), Some(b'{')) if ty.is_key(*key) => self.object_map(*key, *value, levels.deeper()?),
            (Kind::Map(key, value), Some(b'[')) => {
                let (key, value) = (*key, *value);
                let levels = levels.deeper()?;
                Ok(Value::Map(self.array(|reader, _| reader.pair(key, value, levels))?))
            }
            (Kind::Channel(..), Some(b'n')) if self.tokens.null() => Ok(Value::NONE),
            (Kind::Channel(kind, _), _) => {
                Err(ValueError::new(format!("a channel (`{}`) is given as `null` in JSON", channels::word(*kind))))
            }
            _ => Err(self.mismatch(at)),
        }
    }

    /// A type with an encoding of its own.
    fn named(&mut self, at: usize, named: Named) -> Read<Value> {
        let got = self.tokens.got();
        let value = match self.tokens.peek() {
            Some(b'"') => {
                let text = self.tokens.string()?;
                self.charge(text.len())?;
                named.of_text(text)
            }
            Some(b'-' | b'0'..=b'9') => {
                let word = self.tokens.word();
                if !Tokens::is_number(word) {
                    return Err(ValueError::new(format!("{got} is no number")));
                }
                named.of_number(word)
            }
            Some(b't' | b'f') if named == Named::Bool => named.of_text(self.tokens.word().to_owned()),
            _ => None,
        };
        value
            .filter(|value| is_value(named, value))
            .ok_or_else(|| ValueError::new(format!("expected {}, got {got}", self.ty.node(at).words)))
    }

    /// Bytes, each as a number.
    fn bytes(&mut self) -> Read<Value> {
        let mut bytes = Vec::new();
        self.array(|reader, _| {
            reader.charge(2)?;
            let got = reader.tokens.got();
            let byte = reader.tokens.word().parse::<u8>();
            bytes.push(byte.map_err(|_| ValueError::new(format!("expected a byte, got {got}")))?);
            Ok(())
        })?;
        Ok(Value::Bytes(bytes.into()))
    }

    fn form(&mut self, at: usize, form: &Form, levels: Levels) -> Read<Value> {
        match (form, self.tokens.peek()) {
            (Form::Newtype(content), _) => self.value(*content, levels),
            (Form::Unit, Some(b'n')) if self.tokens.null() => Ok(Value::Unit),
            (Form::Unit, Some(b'{')) => {
                self.object(|_, name| Err(build::unknown("field", &name, std::iter::empty())))?;
                Ok(Value::Unit)
            }
            (Form::Tuple(types), Some(b'[')) => {
                let items = self.array(|reader, index| match types.get(index) {
                    Some(ty) => reader.value(*ty, levels),
                    None => Err(ValueError::new(format!("expected {} items and no more", types.len()))),
                })?;
                self.check_len(at, types.len() as u64, items.len())?;
                Ok(Value::Tuple(items))
            }
            (Form::Struct(fields), Some(b'{')) => self.structure(fields, levels),
            _ => Err(self.mismatch(at)),
        }
    }

    fn structure(&mut self, fields: &[Field], levels: Levels) -> Read<Value> {
        let known: std::collections::HashMap<&str, usize> =
            fields.iter().enumerate().map(|(index, field)| (&*field.name, index)).collect();
        self.charge(fields.len().saturating_mul(PLACE))?;
        let mut slots: Vec<Option<Value>> = fields.iter().map(|_| None).collect();
        self.object(|reader, name| {
            let Some(&index) = known.get(name.as_str()) else {
                return Err(build::unknown("field", &name, fields.iter().map(|field| &*field.name)));
            };
            let value = reader.value(fields[index].ty, levels).map_err(|error| error.in_field(&name))?;
            match slots[index].replace(value) {
                Some(_) => Err(ValueError::new("given twice").in_field(&name)),
                None => Ok(()),
            }
        })?;
        let value = |(field, slot): (&Field, Option<Value>)| {
            build::check_missing(&field.name, self.ty.node(field.ty), slot.is_none())?;
            Ok((Arc::clone(&field.name), slot.unwrap_or(Value::NONE)))
        };
        Ok(Value::Struct(fields.iter().zip(slots).map(value).collect::<Read<_>>()?))
    }

    fn variant(&mut self, at: usize, variants: &[Variant], levels: Levels) -> Read<Value> {
        let mut found = None;
        self.object(|reader, name| {
            if found.is_some() {
                return Err(ValueError::new("more than one variant is given"));
            }
            let variant = variants.iter().find(|variant| *variant.name == *name);
            let variant = variant.ok_or_else(|| unknown_variant(variants, &name))?;
            let within = if let Form::Unit = variant.form { levels } else { levels.deeper()? };
            let content = reader.form(at, &variant.form, within).map_err(|error| error.in_field(&name))?;
            found = Some(Value::Variant(Arc::clone(&variant.name), content.into()));
            Ok(())
        })?;
        found.ok_or_else(|| ValueError::new("no variant is given"))
    }

    /// An object with one entry, of one of these names.
    fn one_of(&mut self, at: usize, known: &[(&str, usize)], levels: Levels) -> Read<(usize, Value)> {
        let mut found = None;
        let words = &self.ty.node(at).words;
        self.object(|reader, name| {
            let index = known.iter().position(|(known, _)| **known == *name);
            let Some(index) = index.filter(|_| found.is_none()) else {
                let names: Vec<_> = known.iter().map(|(name, _)| format!("`{name}`")).collect();
                let names = names.join(" or ");
                return Err(ValueError::new(format!("expected {words}: one entry, {names}, got {}", quoted(&name))));
            };
            let value = reader.value(known[index].1, levels).map_err(|error| error.in_field(&name))?;
            found = Some((index, value));
            Ok(())
        })?;
        found.ok_or_else(|| ValueError::new(format!("expected {words}, got an object without entries")))
    }

    fn object_map(&mut self, key: usize, value: usize, levels: Levels) -> Read<Value> {
        let (mut seen, mut entries) = (HashSet::new(), Vec::new());
        self.object(|reader, name| {
            reader.charge(PLACE + 2 * name.len())?;
            let of_key = reader.key(key, &name).map_err(|error| error.at_key(&name))?;
            let of_value = reader.value(value, levels).map_err(|error| error.at_key(&name))?;
            if !seen.insert(name.clone()) {
                return Err(ValueError::new("given twice").at_key(&name));
            }
            entries.push((of_key, of_value));
            Ok(())
        })?;
        Ok(Value::Map(entries))
    }

    fn key(&mut self, key: usize, text: &str) -> Read<Value> {
        let node = self.ty.node(content(self.ty, key));
        let value = match &node.kind {
            Kind::Named(named) => named.of_text(text.to_owned()).filter(|value| is_value(*named, value)),
            Kind::Enum(variants) => Some(unit_variant(variants, text)?),
            _ => None,
        };
        value.ok_or_else(|| ValueError::new(format!("expected {} as the key, got {}", node.words, quoted(text))))
    }

    fn pair(&mut self, key: usize, value: usize, levels: Levels) -> Read<(Value, Value)> {
        let (mut of_key, mut of_value) = (None, None);
        if self.tokens.peek() != Some(b'[') {
            return Err(ValueError::new(format!("expected an array of a key and a value, got {}", self.tokens.got())));
        }
        self.array(|reader, index| {
            match index {
                0 => of_key = Some(reader.value(key, levels)?),
                1 => of_value = Some(reader.value(value, levels)?),
                _ => return Err(ValueError::new("expected a key and a value and no more")),
            }
            Ok(())
        })?;
        of_key.zip(of_value).ok_or_else(|| ValueError::new("expected an array of a key and a value"))
    }

    /// The items of an array, which `item` reads by their numbers.
    fn array<T>(&mut self, mut item: impl FnMut(&mut Self, usize) -> Read<T>) -> Read<Vec<T>> {
        self.tokens.expect(b'[')?;
        let mut items = Vec::new();
        if self.tokens.take(b']') {
            return Ok(items);
        }
        loop {
            let index = items.len();
            self.charge(2 * size_of::<T>())?;
            items.push(item(self, index).map_err(|error| error.in_item(index))?);
            if !self.tokens.goes_on(b']')? {
                return Ok(items);
            }
        }
    }

    /// The entries of an object, whose values `entry` reads by their names.
    fn object(&mut self, mut entry: impl FnMut(&mut Self, String) -> Read<()>) -> Read<()> {
        self.tokens.expect(b'{')?;
        if self.tokens.take(b'}') {
            return Ok(());
        }
        loop {
            let name = self.tokens.string()?;
            self.tokens.expect(b':').map_err(|error| error.in_field(&name))?;
            entry(self, name)?;
            if !self.tokens.goes_on(b'}')? {
                return Ok(());
            }
        }
    }

    fn check_len(&self, at: usize, expected: u64, len: usize) -> Read<()> {
        match len as u64 == expected {
            true => Ok(()),
            false => {
                let words = &self.ty.node(at).words;
                Err(ValueError::new(format!("expected {words}: {expected} items, got {len}")))
            }
        }
    }

    fn mismatch(&mut self, at: usize) -> ValueError {
        ValueError::new(format!("expected {}, got {}", self.ty.node(at).words, self.tokens.got()))
    }

    fn charge(&mut self, bytes: usize) -> Read<()> {
        match self.budget.charge(bytes) {
            true => Ok(()),
            false => {
                let (needed, limit) = (self.budget.needed(bytes), self.budget.limit());
                Err(ValueError::new(DecodeErrorKind::OverBudget { needed, limit }.to_string()))
            }
        }
    }
}

/// Whether it can be written: whether it is in range, and text of what it should be.
fn is_value(named: Named, value: &Value) -> bool {
    match (named, value) {
        (Named::Text, Value::Text(_)) | (Named::Bytes, Value::Bytes(_)) => true,
        _ => matches!(named.write(value, &mut Encoder::new(&mut Vec::new(), usize::MAX)), Some(Ok(()))),
    }
}

fn unit_variant(variants: &[Variant], name: &str) -> Read<Value> {
    let variant = variants.iter().find(|variant| *variant.name == *name);
    match variant.ok_or_else(|| unknown_variant(variants, name))? {
        Variant { name, form: Form::Unit } => Ok(Value::Variant(Arc::clone(name), Value::Unit.into())),
        Variant { name, .. } => {
            let quoted = quoted(name);
            Err(ValueError::new(format!("the variant {quoted} holds something: expected {{{quoted}: …}}")))
        }
    }
}

fn unknown_variant(variants: &[Variant], name: &str) -> ValueError {
    build::unknown("variant", name, variants.iter().map(|variant| &*variant.name))
}
