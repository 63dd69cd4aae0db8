//! Values to bytes.

use super::channels::{self, Places};
use super::levels::Levels;
use super::ty::{Field, Form, Kind, Variant};
use super::{Placed, Value, ValueError, ValueType, build};
use crate::codec::{Budget, EncodeError, Encoder};

impl ValueType {
    /// The bytes of a value.
    pub fn encode(&self, value: &Value) -> Result<Vec<u8>, ValueError> {
        let mut out = Vec::new();
        self.encode_to(value, &mut Encoder::new(&mut out, usize::MAX), None)?;
        Ok(out)
    }

    /// Appends the bytes of a value. `channels`: those that stand in it, which are numbered in the order in which they are come to, and how many
    /// there may be.
    pub(crate) fn encode_to(
        &self,
        value: &Value,
        to: &mut Encoder<'_>,
        channels: Option<(&mut Vec<Placed>, usize)>,
    ) -> Result<(), ValueError> {
        Writer { ty: self, to, places: Places(channels) }.value(self.root, value, Levels::new(Budget::DEPTH))
    }
}

struct Writer<'a, 'o> {
    ty: &'a ValueType,
    to: &'a mut Encoder<'o>,
    places: Places<'a>,
}

type Written = Result<(), ValueError>;

impl Writer<'_, '_> {
    fn value(&mut self, at: usize, value: &Value, levels: Levels) -> Written {
        let ty = self.ty;
        let node = ty.node(at);
        match (&node.kind, value) {
            (Kind::Named(named), _) => match named.write(value, self.to) {
                Some(written) => written.map_err(wrong),
                None => Err(mismatch(ty, at, value)),
            },
            (Kind::Struct(form), _) => {
                self.form(form, value, levels.in_struct()?).map_err(|e| e.unwrap_or_else(|| mismatch(ty, at, value)))
            }
            (Kind::Enum(variants), Value::Variant(name, content)) => self.variant(variants, name, content, levels),
            (Kind::Option(..), Value::Option(None)) => self.byte(0),
            (Kind::Option(content, _), Value::Option(Some(value))) => {
                self.byte(1)?;
                self.value(*content, value, levels.deeper()?)
            }
            (Kind::Result(ok, _), Value::Result(Ok(value))) => {
                self.byte(0)?;
                self.value(*ok, value, levels.deeper()?).map_err(|error| error.in_field("Ok"))
            }
            (Kind::Result(_, err), Value::Result(Err(value))) => {
                self.byte(1)?;
                self.value(*err, value, levels.deeper()?).map_err(|error| error.in_field("Err"))
            }
            (Kind::List(item) | Kind::Set(item), Value::List(items)) => {
                self.to.varint(items.len() as u64).map_err(wrong)?;
                self.items(items.iter().map(|value| (*item, value)), levels.deeper()?)
            }
            (Kind::Array(len, item), Value::Bytes(bytes)) if ty.is_byte(*item) && *len == bytes.len() as u64 => {
                self.to.raw(bytes).map_err(wrong)
            }
            (Kind::Array(len, item), Value::List(items)) if *len == items.len() as u64 => {
                self.items(items.iter().map(|value| (*item, value)), levels.deeper()?)
            }
            (Kind::Map(key, value), Value::Map(entries)) => {
                self.to.varint(entries.len() as u64).map_err(wrong)?;
                let levels = levels.deeper()?;
                for (index, (k, v)) in entries.iter().enumerate() {
                    self.value(*key, k, levels).map_err(|error| error.below(format!("[key {index}]")))?;
                    self.value(*value, v, levels).map_err(|error| error.below(format!("[value {index}]")))?;
                }
                Ok(())
            }
            (Kind::Channel(kind, item), value) => {
                let index = self.places.count() as u32;
                self.places.put(*kind, index, ty.part(*item))?;
                channels::check_place(*kind, value)?;
                self.to.varint(index.into()).map_err(wrong)
            }
            _ => Err(mismatch(ty, at, value)),
        }
    }

    fn variant(&mut self, variants: &[Variant], name: &str, content: &Value, levels: Levels) -> Written {
        let index = variants.iter().position(|variant| *variant.name == *name);
        let index = index.ok_or_else(|| build::unknown("variant", name, variants.iter().map(|v| &*v.name)))?;
        let form = &variants[index].form;
        self.to.varint(index as u64).map_err(wrong)?;
        let within = if let Form::Unit = form { levels } else { levels.deeper()? };
        let before = self.places.count();
        let written = self.form(form, content, within);
        self.places.below(before, || channels::field(name));
        written.map_err(|error| error.unwrap_or_else(|| build::wrong_content(form, content)).in_field(name))
    }

    /// `Err(None)`: the value is not of this form.
    fn form(&mut self, form: &Form, value: &Value, levels: Levels) -> Result<(), Option<ValueError>> {
        match (form, value) {
            (Form::Unit, Value::Unit) => Ok(()),
            (Form::Newtype(content), value) => self.value(*content, value, levels).map_err(Some),
            (Form::Tuple(types), Value::Tuple(items)) if types.len() == items.len() => {
                self.items(types.iter().copied().zip(items), levels).map_err(Some)
            }
            (Form::Struct(fields), Value::Struct(values)) => self.fields(fields, values, levels).map_err(Some),
            _ => Err(None),
        }
    }

    fn fields(&mut self, fields: &[Field], values: &[(std::sync::Arc<str>, Value)], levels: Levels) -> Written {
        // As they are read, fields stand in their order.
        let in_order = fields.len() == values.len() && fields.iter().zip(values).all(|(f, (name, _))| f.name == *name);
        if in_order {
            for (field, (name, value)) in fields.iter().zip(values) {
                self.field(name, field.ty, value, levels)?;
            }
            return Ok(());
        }
        let slots = build::field_slots(self.ty, fields, values.iter().map(|(name, value)| (&**name, value)))?;
        for (field, value) in fields.iter().zip(slots) {
            self.field(&field.name, field.ty, value.unwrap_or(&Value::NONE), levels)?;
        }
        Ok(())
    }

    fn field(&mut self, name: &str, ty: usize, value: &Value, levels: Levels) -> Written {
        let before = self.places.count();
        self.value(ty, value, levels).map_err(|error| error.in_field(name))?;
        self.places.below(before, || channels::field(name));
        Ok(())
    }

    fn items<'v>(&mut self, items: impl Iterator<Item = (usize, &'v Value)>, levels: Levels) -> Written {
        for (index, (ty, value)) in items.enumerate() {
            let before = self.places.count();
            self.value(ty, value, levels).map_err(|error| error.in_item(index))?;
            self.places.below(before, || format!("[{index}]"));
        }
        Ok(())
    }

    fn byte(&mut self, byte: u8) -> Written {
        self.to.byte(byte).map_err(wrong)
    }
}

fn mismatch(ty: &ValueType, at: usize, value: &Value) -> ValueError {
    let expected = &ty.node(at).words;
    ValueError::new(match value {
        Value::Unsigned(_) | Value::Signed(_) | Value::Text(_) | Value::F32(_) | Value::F64(_) => {
            format!("expected {expected}, got {value:?}")
        }
        value => format!("expected {expected}, got {}", value.word()),
    })
}

fn wrong(error: EncodeError) -> ValueError {
    ValueError::new(error.to_string())
}
