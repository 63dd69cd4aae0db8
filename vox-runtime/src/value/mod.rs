//! Values without types: any value that can cross the wire, built, shown, read and written by its schema alone.
//!
//! A [`ValueType`] is a type, as its [`Schema`] says what it is. It reads bytes to a [`Value`] and writes it to bytes, and does the
//! same with JSON, so that a program which has never seen a type can show and make its values. How each type stands in JSON
//! is the table of `docs/values.md`; what is written is read to the same bytes.
//!
//! ```
//! # extern crate vox_runtime as vox;
//! use facet::Facet;
//! use vox::codec::schema_of;
//! use vox::value::ValueType;
//!
//! #[derive(Facet)]
//! struct Transfer { from: u64, to: u64, note: Option<String> }
//!
//! let transfer = ValueType::new(&schema_of(Transfer::SHAPE)?)?;
//! let bytes = transfer.json_to_bytes(r#"{"to": 9, "from": 7}"#)?;
//! assert_eq!(bytes, [7, 9, 0]);
//! assert_eq!(transfer.bytes_to_json(&bytes.into())?, r#"{"from":7,"to":9,"note":null}"#);
//!
//! let error = transfer.json_to_bytes(r#"{"from": 7, "to": "x"}"#).unwrap_err();
//! assert_eq!(error.to_string(), r#"$.to: expected u64, got "x""#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What is read may be a peer's: bytes are held to a [`Budget`] of memory and of levels as those of a type are, JSON to the
//! default one, and what is shown of either in an error is cut and escaped.
//!
//! [`Schema`]: crate::descriptor::Schema
//! [`Budget`]: crate::codec::Budget

mod base64;
mod build;
mod carry;
mod channels;
mod error;
mod json;
mod levels;
mod named;
mod read;
mod times;
mod ty;
mod write;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::MethodError;
use crate::escaped::Escaped;

pub(crate) use build::{nearest, slots};
pub(crate) use carry::Carried;
pub(crate) use channels::Placed;
pub use error::ValueError;
pub use ty::ValueType;

/// A value of a type that is known by its schema.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// `()`, or a struct without fields; what a variant without fields holds.
    Unit,
    /// A `bool`.
    Bool(bool),
    /// A `char`.
    Char(char),
    /// An unsigned integer of any width.
    Unsigned(u128),
    /// A signed integer of any width.
    Signed(i128),
    /// An `f32`.
    F32(f32),
    /// An `f64`.
    F64(f64),
    /// Text; and what is written as text, such as addresses, times and durations.
    Text(String),
    /// Bytes, in an array of bytes as well.
    Bytes(Bytes),
    /// An `Option`.
    Option(Option<Box<Value>>),
    /// A `Result`.
    Result(Result<Box<Value>, Box<Value>>),
    /// A tuple, or a tuple struct, of two fields or more. One of one field is what it holds.
    Tuple(Vec<Value>),
    /// A struct with names, in the order of its fields.
    Struct(Vec<(Arc<str>, Value)>),
    /// A variant, and what it holds: nothing, its one field without a name, a tuple or a struct.
    Variant(Arc<str>, Box<Value>),
    /// A list, a set, or an array.
    List(Vec<Value>),
    /// A map.
    Map(Vec<(Value, Value)>),
}

impl Value {
    /// What is written for one that has no value: `null` in JSON.
    pub const NONE: Self = Self::Option(None);

    /// Something, as an option.
    pub fn some(value: impl Into<Self>) -> Self {
        Self::Option(Some(Box::new(value.into())))
    }

    /// A struct of these fields, in any order.
    pub fn structure<N: Into<Arc<str>>>(fields: impl IntoIterator<Item = (N, Self)>) -> Self {
        Self::Struct(fields.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }

    /// A variant that holds this.
    pub fn variant(name: impl Into<Arc<str>>, content: Self) -> Self {
        Self::Variant(name.into(), Box::new(content))
    }

    /// The field of this name, of a struct or of a variant with names.
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Struct(fields) => fields.iter().find(|(field, _)| **field == *name).map(|(_, value)| value),
            Self::Variant(_, content) => content.get(name),
            _ => None,
        }
    }

    /// The part of this number: of a tuple, a list, a set or an array.
    pub fn item(&self, index: usize) -> Option<&Self> {
        match self {
            Self::Tuple(items) | Self::List(items) => items.get(index),
            Self::Variant(_, content) => content.item(index),
            _ => None,
        }
    }

    /// Text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The integer, if it is one that fits.
    pub fn as_u64(&self) -> Option<u64> {
        match *self {
            Self::Unsigned(number) => number.try_into().ok(),
            Self::Signed(number) => number.try_into().ok(),
            _ => None,
        }
    }

    /// The integer, if it is one that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Self::Unsigned(number) => number.try_into().ok(),
            Self::Signed(number) => number.try_into().ok(),
            _ => None,
        }
    }

    /// What it is, in a word.
    fn word(&self) -> &'static str {
        match self {
            Self::Unit => "()",
            Self::Bool(_) => "a bool",
            Self::Char(_) => "a char",
            Self::Unsigned(_) | Self::Signed(_) => "an integer",
            Self::F32(_) => "an f32",
            Self::F64(_) => "an f64",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::Option(_) => "an option",
            Self::Result(_) => "a result",
            Self::Tuple(_) => "a tuple",
            Self::Struct(_) => "a struct",
            Self::Variant(..) => "a variant",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

macro_rules! from {
    ($($from:ty, $value:ident => $made:expr;)*) => {$(
        impl From<$from> for Value {
            fn from($value: $from) -> Self {
                $made
            }
        }
    )*};
}

from! {
    (), _value => Self::Unit;
    bool, value => Self::Bool(value);
    char, value => Self::Char(value);
    u8, value => Self::Unsigned(value.into());
    u16, value => Self::Unsigned(value.into());
    u32, value => Self::Unsigned(value.into());
    u64, value => Self::Unsigned(value.into());
    u128, value => Self::Unsigned(value);
    i8, value => Self::Signed(value.into());
    i16, value => Self::Signed(value.into());
    i32, value => Self::Signed(value.into());
    i64, value => Self::Signed(value.into());
    i128, value => Self::Signed(value);
    f32, value => Self::F32(value);
    f64, value => Self::F64(value);
    &str, value => Self::Text(value.to_owned());
    String, value => Self::Text(value);
    Bytes, value => Self::Bytes(value);
}

/// Prints what a person wants to see of it. What a peer wrote is escaped and cut.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// The most parts that are printed of a value.
        const MOST: usize = 64;
        fn name(name: &str) -> fmt::FromFn<impl Fn(&mut fmt::Formatter<'_>) -> fmt::Result> {
            fmt::from_fn(move |f| Escaped::name(name).fmt(f))
        }
        match self {
            Self::Unit => f.write_str("()"),
            Self::Bool(value) => value.fmt(f),
            Self::Char(value) => value.fmt(f),
            Self::Unsigned(value) => value.fmt(f),
            Self::Signed(value) => value.fmt(f),
            Self::F32(value) => value.fmt(f),
            Self::F64(value) => value.fmt(f),
            Self::Text(text) => fmt::Debug::fmt(&Escaped::new(text), f),
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Option(None) => f.write_str("None"),
            Self::Option(Some(value)) => f.debug_tuple("Some").field(value).finish(),
            Self::Result(Ok(value)) => f.debug_tuple("Ok").field(value).finish(),
            Self::Result(Err(value)) => f.debug_tuple("Err").field(value).finish(),
            Self::Tuple(items) | Self::List(items) => f.debug_list().entries(items.iter().take(MOST)).finish(),
            Self::Struct(fields) => {
                f.debug_map().entries(fields.iter().take(MOST).map(|(field, value)| (name(field), value))).finish()
            }
            Self::Variant(variant, content) if **content == Self::Unit => Escaped::name(variant).fmt(f),
            Self::Variant(variant, content) => write!(f, "{}({content:?})", Escaped::name(variant)),
            Self::Map(entries) => f.debug_map().entries(entries.iter().take(MOST).map(|(k, v)| (k, v))).finish(),
        }
    }
}

/// The error of a method, in a call without types.
impl MethodError for Value {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
