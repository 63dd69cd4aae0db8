//! Values as JSON.

mod print;
mod read;
mod text;

use bytes::Bytes;

use super::ty::{Form, Kind};
use super::{Value, ValueError, ValueType};
use crate::codec::Budget;

impl ValueType {
    /// The longest JSON that is written of a value: 64 MiB. Names stand in JSON once for each value, and in the bytes never.
    pub const MAX_JSON: usize = 64 << 20;

    /// Reads JSON to a value. It may cost what a message may by default.
    pub fn read_json(&self, text: &str) -> Result<Value, ValueError> {
        read::read(self, text, Budget::default_for(text.len()))
    }

    /// Reads a JSON object whose entries are of these types: the arguments of a method.
    pub(crate) fn read_object<'t>(
        text: &str,
        types: impl Iterator<Item = (&'t str, &'t Self)> + Clone,
    ) -> Result<Vec<(String, Value)>, ValueError> {
        read::read_object(text, types)
    }

    /// Writes a value as JSON, on one line.
    pub fn write_json(&self, value: &Value) -> Result<String, ValueError> {
        print::print(self, value, false)
    }

    /// Writes a value as JSON for a person.
    pub fn write_json_pretty(&self, value: &Value) -> Result<String, ValueError> {
        print::print(self, value, true)
    }

    /// The bytes of a value in JSON.
    pub fn json_to_bytes(&self, text: &str) -> Result<Vec<u8>, ValueError> {
        self.encode(&self.read_json(text)?)
    }

    /// The JSON of a value in bytes, which may cost what a message may by default.
    pub fn bytes_to_json(&self, bytes: &Bytes) -> Result<String, ValueError> {
        self.write_json(&self.decode(bytes, Budget::default_for(bytes.len()))?)
    }
}

/// What a type is in JSON: a struct of one field without a name is what it holds.
pub(super) fn content(ty: &ValueType, mut at: usize) -> usize {
    // No schema has a struct that stands in itself.
    while let Kind::Struct(Form::Newtype(content)) = &ty.node(at).kind {
        at = *content;
    }
    at
}
