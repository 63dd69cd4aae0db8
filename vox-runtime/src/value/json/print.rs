//! Values to JSON.

use std::collections::HashSet;
use std::fmt::Write;

use super::super::ty::{Form, Kind};
use super::super::{Value, ValueError, ValueType, base64};
use crate::escaped::is_plain;

pub(super) fn print(ty: &ValueType, value: &Value, pretty: bool) -> Result<String, ValueError> {
    let mut printer = Printer { ty, out: String::new(), pretty, level: 0 };
    printer.value(ty.root, value)?;
    Ok(printer.out)
}

struct Printer<'a> {
    ty: &'a ValueType,
    out: String,
    pretty: bool,
    level: usize,
}

type Printed = Result<(), ValueError>;

impl Printer<'_> {
    fn value(&mut self, at: usize, value: &Value) -> Printed {
        let ty = self.ty;
        match (&ty.node(at).kind, value) {
            (Kind::Named(_), value) => return self.named(at, value),
            (Kind::Struct(form), value) => return self.form(at, form, value),
            (Kind::Enum(variants), Value::Variant(name, content)) => {
                let Some(variant) = variants.iter().find(|variant| variant.name == *name) else {
                    return Err(mismatch(ty, at, value));
                };
                match (&variant.form, &**content) {
                    (Form::Unit, Value::Unit) => self.quoted(name),
                    (form, content) => {
                        self.object(|printer| printer.entry(name, |printer| printer.form(at, form, content)))?
                    }
                }
            }
            (Kind::Option(..) | Kind::Channel(..), Value::Option(None)) => self.out.push_str("null"),
            (Kind::Option(content, false), Value::Option(Some(value))) => self.value(*content, value)?,
            (Kind::Option(content, true), Value::Option(Some(value))) => {
                self.object(|printer| printer.entry("Some", |printer| printer.value(*content, value)))?;
            }
            (Kind::Result(ok, _), Value::Result(Ok(value))) => {
                self.object(|printer| printer.entry("Ok", |printer| printer.value(*ok, value)))?;
            }
            (Kind::Result(_, err), Value::Result(Err(value))) => {
                self.object(|printer| printer.entry("Err", |printer| printer.value(*err, value)))?;
            }
            (Kind::Array(_, item), Value::Bytes(bytes)) if ty.is_byte(*item) => self.bytes(bytes),
            (Kind::List(item) | Kind::Set(item) | Kind::Array(_, item), Value::List(items)) => {
                self.array(items.iter(), |printer, value| printer.value(*item, value))?;
            }
            (Kind::Map(key, value), Value::Map(entries)) => self.map(*key, *value, entries)?,
            _ => return Err(mismatch(ty, at, value)),
        }
        self.check_len()
    }

    fn named(&mut self, at: usize, value: &Value) -> Printed {
        match value {
            Value::Bool(value) => self.out.push_str(if *value { "true" } else { "false" }),
            Value::Char(value) => self.quoted(value.encode_utf8(&mut [0; 4])),
            Value::Unsigned(value) => self.number(value),
            Value::Signed(value) => self.number(value),
            // As short as it can be for the same bits to be read again.
            Value::F32(value) if value.is_finite() => self.number(&format_args!("{value:?}")),
            Value::F64(value) if value.is_finite() => self.number(&format_args!("{value:?}")),
            Value::F32(value) => {
                self.no_number(value.is_nan().then(|| value.to_bits().into()), *value > 0.0, 0x7fc0_0000)
            }
            Value::F64(value) => {
                self.no_number(value.is_nan().then(|| value.to_bits()), *value > 0.0, 0x7ff8_0000_0000_0000);
            }
            Value::Text(text) => self.quoted(text),
            Value::Bytes(bytes) => self.bytes(bytes),
            value => return Err(mismatch(self.ty, at, value)),
        }
        self.check_len()
    }

    fn number(&mut self, number: &dyn std::fmt::Display) {
        let _ = write!(self.out, "{number}");
    }

    fn no_number(&mut self, nan: Option<u64>, positive: bool, usual: u64) {
        match nan {
            Some(bits) if bits == usual => self.out.push_str("\"NaN\""),
            Some(bits) => {
                let _ = write!(self.out, "\"NaN:{bits:#x}\"");
            }
            None if positive => self.out.push_str("\"Infinity\""),
            None => self.out.push_str("\"-Infinity\""),
        }
    }

    fn form(&mut self, at: usize, form: &Form, value: &Value) -> Printed {
        match (form, value) {
            (Form::Unit, Value::Unit) => self.out.push_str("null"),
            (Form::Newtype(content), value) => self.value(*content, value)?,
            (Form::Tuple(types), Value::Tuple(items)) if types.len() == items.len() => {
                self.array(types.iter().zip(items), |printer, (ty, item)| printer.value(*ty, item))?;
            }
            (Form::Struct(fields), Value::Struct(values)) if fields.len() == values.len() => {
                self.object(|printer| {
                    for (field, (name, value)) in fields.iter().zip(values) {
                        if field.name != *name {
                            return Err(ValueError::new("the fields are not in their order"));
                        }
                        printer.entry(name, |printer| printer.value(field.ty, value)).map_err(|e| e.in_field(name))?;
                    }
                    Ok(())
                })?;
            }
            _ => return Err(mismatch(self.ty, at, value)),
        }
        self.check_len()
    }

    fn map(&mut self, key: usize, value: usize, entries: &[(Value, Value)]) -> Printed {
        if self.ty.is_key(key)
            && let Some(names) = self.keys(key, entries)?
        {
            return self.object(|printer| {
                for (name, (_, of)) in names.iter().zip(entries) {
                    printer.raw_entry(name, |printer| printer.value(value, of))?;
                }
                Ok(())
            });
        }
        self.array(entries.iter(), |printer, (k, v)| {
            printer.array([(key, k), (value, v)].into_iter(), |printer, (ty, of)| printer.value(ty, of))
        })
    }

    /// The keys as names in quotation marks; `None`: two of them are one.
    fn keys(&mut self, key: usize, entries: &[(Value, Value)]) -> Result<Option<Vec<String>>, ValueError> {
        let (mut names, mut seen) = (Vec::new(), HashSet::new());
        for (of, _) in entries {
            let start = self.out.len();
            self.value(key, of)?;
            let name = self.out.split_off(start);
            let name = if name.starts_with('"') { name } else { format!("\"{name}\"") };
            if !seen.insert(name.clone()) {
                return Ok(None);
            }
            names.push(name);
        }
        Ok(Some(names))
    }

    fn array<T>(
        &mut self,
        items: impl ExactSizeIterator<Item = T>,
        mut item: impl FnMut(&mut Self, T) -> Printed,
    ) -> Printed {
        let is_empty = items.len() == 0;
        self.out.push('[');
        self.level += 1;
        for (index, of) in items.enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            self.break_line();
            item(self, of).map_err(|error| error.in_item(index))?;
        }
        self.level -= 1;
        if !is_empty {
            self.break_line();
        }
        self.out.push(']');
        self.check_len()
    }

    fn object(&mut self, entries: impl FnOnce(&mut Self) -> Printed) -> Printed {
        self.out.push('{');
        self.level += 1;
        entries(self)?;
        self.level -= 1;
        if !self.out.ends_with('{') {
            self.break_line();
        }
        self.out.push('}');
        self.check_len()
    }

    fn entry(&mut self, name: &str, value: impl FnOnce(&mut Self) -> Printed) -> Printed {
        let start = self.out.len();
        self.quoted(name);
        let name = self.out.split_off(start);
        self.raw_entry(&name, value)
    }

    /// An entry whose name is in quotation marks.
    fn raw_entry(&mut self, name: &str, value: impl FnOnce(&mut Self) -> Printed) -> Printed {
        if !self.out.ends_with('{') {
            self.out.push(',');
        }
        self.break_line();
        self.out.push_str(name);
        self.out.push_str(if self.pretty { ": " } else { ":" });
        value(self)
    }

    fn break_line(&mut self) {
        if self.pretty {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", self.level));
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.out.push('"');
        base64::put(bytes, &mut self.out);
        self.out.push('"');
    }

    fn quoted(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                c if is_plain(c) => self.out.push(c),
                c => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        let _ = write!(self.out, "\\u{unit:04x}");
                    }
                }
            }
        }
        self.out.push('"');
    }

    fn check_len(&self) -> Printed {
        match self.out.len() > ValueType::MAX_JSON {
            true => Err(ValueError::new(format!(
                "the JSON is longer than {} bytes (`ValueType::MAX_JSON`)",
                ValueType::MAX_JSON
            ))),
            false => Ok(()),
        }
    }
}

fn mismatch(ty: &ValueType, at: usize, value: &Value) -> ValueError {
    ValueError::new(format!("expected {}, got {}", ty.node(at).words, value.word()))
}
