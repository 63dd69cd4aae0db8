//! Bytes to values.

use std::sync::Arc;

use bytes::Bytes;

use super::channels::{self, Places};
use super::levels::Levels;
use super::ty::{Form, Kind};
use super::{Placed, Value, ValueError, ValueType};
use crate::codec::{Budget, DecodeError, DecodeErrorKind, Decoder};

/// What a value's place is charged: its own, and what names it.
const PLACE: usize = size_of::<(Arc<str>, Value)>();
/// The most that is made room for before anything is there.
const FIRST: usize = (1 << 20) / PLACE;

impl ValueType {
    /// Reads a value, which must be all of the bytes.
    ///
    /// `budget` is what it may cost. A value takes more memory than one of its type would: 64 bytes for each number.
    pub fn decode(&self, bytes: &Bytes, budget: Budget) -> Result<Value, ValueError> {
        let mut from = Decoder::new(bytes, budget);
        let value = self.decode_from(&mut from, None)?;
        from.finish().map_err(wrong)?;
        Ok(value)
    }

    /// Reads the next value. `channels`: those that stand in it, and how many there may be.
    pub(crate) fn decode_from(
        &self,
        from: &mut Decoder<'_>,
        channels: Option<(&mut Vec<Placed>, usize)>,
    ) -> Result<Value, ValueError> {
        let levels = Levels::new(from.budget().depth());
        Reader { ty: self, from, places: Places(channels) }.value(self.root, levels)
    }
}

struct Reader<'a, 'f> {
    ty: &'a ValueType,
    from: &'a mut Decoder<'f>,
    places: Places<'a>,
}

type Read<T> = Result<T, ValueError>;

impl Reader<'_, '_> {
    fn value(&mut self, at: usize, levels: Levels) -> Read<Value> {
        let ty = self.ty;
        match &ty.node(at).kind {
            Kind::Named(named) => named.read(self.from).map_err(wrong),
            Kind::Struct(form) => self.form(form, levels.in_struct()?),
            Kind::Enum(variants) => {
                let index = self.from.varint_of(u32::BITS).map_err(wrong)? as u32;
                let bad = || wrong(self.from.error(DecodeErrorKind::BadVariant(index)));
                let variant = variants.get(index as usize).ok_or_else(bad)?;
                self.charge(1)?;
                let within = if let Form::Unit = variant.form { levels } else { levels.deeper()? };
                let before = self.places.count();
                let content = self.form(&variant.form, within).map_err(|error| error.in_field(&variant.name))?;
                self.places.below(before, || channels::field(&variant.name));
                Ok(Value::Variant(Arc::clone(&variant.name), content.into()))
            }
            Kind::Option(content, _) => match self.byte()? {
                0 => Ok(Value::NONE),
                1 => {
                    self.charge(1)?;
                    let content = self.value(*content, levels.deeper()?)?;
                    Ok(Value::Option(Some(content.into())))
                }
                _ => Err(wrong(self.from.error(DecodeErrorKind::BadOption))),
            },
            Kind::Result(ok, err) => {
                let index = self.from.varint_of(u32::BITS).map_err(wrong)? as u32;
                let within = levels.deeper()?;
                self.charge(1)?;
                match index {
                    0 => Ok(Value::Result(Ok(self.value(*ok, within).map_err(|e| e.in_field("Ok"))?.into()))),
                    1 => Ok(Value::Result(Err(self.value(*err, within).map_err(|e| e.in_field("Err"))?.into()))),
                    _ => Err(wrong(self.from.error(DecodeErrorKind::BadVariant(index)))),
                }
            }
            Kind::List(item) | Kind::Set(item) => {
                let count = self.from.varint().map_err(wrong)?;
                self.items(*item, count, levels.deeper()?)
            }
            Kind::Array(len, item) if ty.is_byte(*item) => {
                let len = usize::try_from(*len).unwrap_or(usize::MAX);
                let start = self.from.position();
                self.from.pass(len).map_err(wrong)?;
                Ok(Value::Bytes(self.from.slice(start..start + len)))
            }
            Kind::Array(len, item) => self.items(*item, *len, levels.deeper()?),
            Kind::Map(key, value) => {
                let count = self.from.varint().map_err(wrong)?;
                self.map((*key, *value), count, levels.deeper()?)
            }
            Kind::Channel(kind, item) => {
                let index = self.from.varint_of(u32::BITS).map_err(wrong)? as u32;
                self.charge(2)?;
                self.places.put(*kind, index, ty.part(*item))?;
                Ok(Value::NONE)
            }
        }
    }

    fn form(&mut self, form: &Form, levels: Levels) -> Read<Value> {
        Ok(match form {
            Form::Unit => Value::Unit,
            Form::Newtype(content) => self.value(*content, levels)?,
            Form::Tuple(types) => {
                self.charge(types.len())?;
                let items = types.iter().enumerate();
                Value::Tuple(items.map(|(index, ty)| self.item(*ty, index, levels)).collect::<Read<_>>()?)
            }
            Form::Struct(fields) => {
                self.charge(fields.len())?;
                let field = |field: &super::ty::Field| {
                    let before = self.places.count();
                    let value = self.value(field.ty, levels).map_err(|error| error.in_field(&field.name))?;
                    self.places.below(before, || channels::field(&field.name));
                    Ok((Arc::clone(&field.name), value))
                };
                Value::Struct(fields.iter().map(field).collect::<Read<_>>()?)
            }
        })
    }

    fn item(&mut self, ty: usize, index: usize, levels: Levels) -> Read<Value> {
        let before = self.places.count();
        let value = self.value(ty, levels).map_err(|error| error.in_item(index))?;
        self.places.below(before, || format!("[{index}]"));
        Ok(value)
    }

    fn items(&mut self, item: usize, count: u64, levels: Levels) -> Read<Value> {
        let count = self.count(count, self.ty.node(item).min, 1)?;
        let mut items = Vec::with_capacity(count.min(FIRST));
        for index in 0..count {
            items.push(self.item(item, index, levels)?);
        }
        Ok(Value::List(items))
    }

    fn map(&mut self, (key, value): (usize, usize), count: u64, levels: Levels) -> Read<Value> {
        let min = self.ty.node(key).min.saturating_add(self.ty.node(value).min);
        let count = self.count(count, min, 2)?;
        let mut entries = Vec::with_capacity(count.min(FIRST));
        for index in 0..count {
            let key = self.value(key, levels).map_err(|error| error.below(format!("[key {index}]")))?;
            let value = self.value(value, levels).map_err(|error| error.below(format!("[value {index}]")))?;
            entries.push((key, value));
        }
        Ok(Value::Map(entries))
    }

    /// How many items follow, each of at least `min` bytes and so many values. Charges for them.
    fn count(&mut self, count: u64, min: usize, values: usize) -> Read<usize> {
        let limit = Budget::EMPTY_ITEMS;
        if min == 0 && count > limit as u64 {
            return Err(wrong(self.from.error(DecodeErrorKind::TooManyEmptyItems { count, limit })));
        }
        let most = self.from.remaining().checked_div(min).map_or(u64::MAX, |most| most as u64);
        if count > most {
            return Err(wrong(self.from.error(DecodeErrorKind::BadLength(count))));
        }
        let count = count as usize;
        let more = if count > FIRST { count / 2 } else { 0 };
        self.charge((count + more).saturating_mul(values))?;
        Ok(count)
    }

    fn byte(&mut self) -> Read<u8> {
        self.from.byte().map_err(wrong)
    }

    /// Charges for so many values.
    fn charge(&mut self, values: usize) -> Read<()> {
        self.from.charge(values.saturating_mul(PLACE)).map_err(wrong)
    }
}

pub(super) fn wrong(error: DecodeError) -> ValueError {
    ValueError::decoding(error)
}
