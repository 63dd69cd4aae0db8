//! What is found where two types differ, where it is, and the words for it.

use super::super::types::{Field, Type, Types};
use crate::escaped::Escaped;

/// How many parts of a place are named: the first half of them and the last.
const MAX_PLACES: usize = 32;

/// Which end writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writer {
    Here,
    There,
}

/// What is found where two types differ.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Event<'t> {
    /// They are of different kinds.
    Differ,
    /// Two structs or two enums of which no parts have one name.
    Apart,
    /// The writer's integers are narrower.
    Widened,
    /// A field of the reader's that the writer does not have.
    Missing { field: &'t Field<'t>, has_default: bool },
    /// A field of the writer's that the reader does not have.
    Extra { field: &'t Field<'t>, must_stay: Option<Stay> },
    /// The fields are in another order.
    Moved,
    /// A variant of the writer's that the reader does not have: an error where it comes.
    Unknown { variant: &'t str },
    /// A variant of the reader's that the writer does not have.
    Unsent { variant: &'t str },
    /// The variants are in another order.
    VariantsMoved,
}

/// Why a field must stay that the reader could pass over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stay {
    InKey,
    Channel,
}

/// An event, and whether it is one of a variant of the pair.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noted<'t> {
    pub(super) variant: Option<&'t str>,
    pub(super) event: Event<'t>,
}

/// An event, and where it is.
pub(crate) struct Finding<'t> {
    pub(crate) event: Event<'t>,
    /// The variant of the pair that it is in.
    pub(crate) variant: Option<&'t str>,
    /// Who writes what is found, the types of that end, and which of them.
    pub(crate) writer: Writer,
    pub(crate) written: (&'t Types<'t>, usize),
    pub(crate) read: (&'t Types<'t>, usize),
    pub(super) places: &'t [(usize, String)],
    pub(super) at: usize,
}

/// The first of these names.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const MOST: usize = 4;
    let mut names: Vec<_> = names.take(MOST + 1).map(|name| format!("`{}`", Escaped::name(name))).collect();
    if names.is_empty() {
        return "nothing".to_owned();
    }
    if names.len() > MOST {
        names[MOST] = "…".to_owned();
    }
    names.join(", ")
}

impl Writer {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Here => Self::There,
            Self::There => Self::Here,
        }
    }
}

impl<'t> Event<'t> {
    /// Of the pair itself.
    pub(super) fn whole(self) -> Noted<'t> {
        Noted { variant: None, event: self }
    }

    /// Whether the reader cannot read the type, whatever its values.
    pub(crate) fn is_refused(&self) -> bool {
        match self {
            Self::Differ | Self::Apart => true,
            Self::Missing { has_default, .. } => !has_default,
            Self::Extra { must_stay, .. } => must_stay.is_some(),
            Self::Widened | Self::Moved | Self::Unknown { .. } | Self::Unsent { .. } | Self::VariantsMoved => false,
        }
    }
}

impl Finding<'_> {
    /// Where the pair is that it is found in.
    pub(crate) fn place(&self) -> String {
        format!("{}{}", path(self.places, self.at), place_of(self.variant))
    }

    /// Why the reader cannot read the type; `None` where it can.
    pub(crate) fn refusal(&self) -> Option<String> {
        if !self.event.is_refused() {
            return None;
        }
        let newer = "the newer of the two must keep the type of the older";
        let reader = match self.writer {
            Writer::Here => "the peer",
            Writer::There => "this end",
        };
        let missing = || "missing".to_owned();
        let (part, written, read, help) = match self.event {
            Event::Missing { field, .. } => {
                let help = format!("{reader} must make it an `Option` or give it a default, `#[facet(default)]`");
                (Some(field.name), missing(), self.read.0.words(field.ty), help)
            }
            Event::Extra { field, must_stay } => {
                let why = match must_stay {
                    Some(Stay::InKey) => "two keys could become one without it",
                    _ => "a channel has two ends",
                };
                let help = format!("{reader} must keep it, for {why}");
                (Some(field.name), self.written.0.words(field.ty), missing(), help)
            }
            Event::Apart => {
                let (kind, written) = self.names(self.written);
                (None, format!("{kind} of {written}"), format!("one of {}", self.names(self.read).1), newer.to_owned())
            }
            _ => (None, self.written.0.words(self.written.1), self.read.0.words(self.read.1), newer.to_owned()),
        };
        let part = part.map_or_else(String::new, |name| format!(".{}", Escaped::name(name)));
        let (here, there) = match self.writer {
            Writer::Here => (written, read),
            Writer::There => (read, written),
        };
        Some(format!("{}{part} is {here} here and {there} there; {help}", self.place()))
    }

    /// What kind of type it is, and the first names of its parts.
    fn names(&self, (types, at): (&Types<'_>, usize)) -> (&'static str, String) {
        let fields = |fields: &[Field<'_>]| ("a struct", listed(fields.iter().map(|field| field.name)));
        match types.get(at) {
            Type::Struct(of) => fields(of),
            Type::Enum(variants) => match self.variant {
                Some(name) => {
                    let variant = variants.iter().find(|variant| variant.name == name);
                    fields(variant.map_or(&[], |variant| &variant.fields))
                }
                None => ("an enum", listed(variants.iter().map(|variant| variant.name))),
            },
            _ => ("a type", types.words(at)),
        }
    }
}

/// The place numbered `at`, from its root on. A peer may make it a long way, whose middle is left out.
fn path(places: &[(usize, String)], mut at: usize) -> String {
    let mut parts = Vec::new();
    while at != 0 {
        parts.push(places[at].1.as_str());
        at = places[at].0;
    }
    parts.push(&places[0].1);
    parts.reverse();
    if parts.len() > MAX_PLACES {
        parts.splice(MAX_PLACES / 2..parts.len() - MAX_PLACES / 2, ["…"]);
    }
    parts.concat()
}

/// What the variant is called in a place that goes through it.
pub(super) fn place_of(variant: Option<&str>) -> String {
    variant.map_or_else(String::new, |name| format!("::{}", Escaped::name(name)))
}
