//! Short hashes that name what a change is from and to, so that an accepted break is bound to that very change.

use std::collections::BTreeMap;

use crate::schema::{Event, Finding, Type, Types, Variant};

/// The first digits of a hash, which name what changed.
pub(super) fn short(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex()[..12].to_owned()
}

/// What was there before and what is there now, each by a short hash.
pub(super) fn states(
    finding: &Finding<'_>,
    old_writes: bool,
    old: (&Types<'_>, usize),
    new: (&Types<'_>, usize),
) -> (String, String) {
    let nothing = || "nothing".to_owned();
    let part = |was_there: bool, hash: String| if was_there { (hash, nothing()) } else { (nothing(), hash) };
    match finding.event {
        Event::Missing { field, .. } => part(!old_writes, hash_of(finding.read.0, field.ty)),
        Event::Extra { field, .. } => part(old_writes, hash_of(finding.written.0, field.ty)),
        Event::Unknown { variant } => part(old_writes, variant_hash(finding.written, variant)),
        Event::Unsent { variant } => part(!old_writes, variant_hash(finding.read, variant)),
        _ => (hash_of(old.0, old.1), hash_of(new.0, new.1)),
    }
}

fn variant_hash((types, at): (&Types<'_>, usize), name: &str) -> String {
    let mut text = format!("variant {name}");
    if let Type::Enum(variants) = types.get(at)
        && let Some(variant) = variants.iter().find(|variant| variant.name == name)
    {
        for field in &variant.fields {
            text += &format!(" {}:{}", field.name, hash_of(types, field.ty));
        }
    }
    short(text.as_bytes())
}

/// Names a type with all that is in it, whatever the order in which its schema has it.
fn hash_of(types: &Types<'_>, at: usize) -> String {
    let mut text = String::new();
    let (mut todo, mut numbers) = (vec![at], BTreeMap::from([(at, 0)]));
    let mut next = 0;
    while let Some(&at) = todo.get(next) {
        next += 1;
        let mut number = |part: usize| {
            let new = numbers.len();
            let number = *numbers.entry(part).or_insert(new);
            if number == new {
                todo.push(part);
            }
            number
        };
        text += &match types.get(at) {
            Type::Named(name) => format!("{name};"),
            Type::Struct(fields) => {
                let fields = fields.iter().map(|field| format!("{:?}:{},", field.name, number(field.ty)));
                format!("struct {};", fields.collect::<String>())
            }
            Type::Enum(variants) => {
                let variant = |variant: &Variant<'_>| {
                    let fields = variant.fields.iter().map(|field| format!("{:?}:{},", field.name, number(field.ty)));
                    format!("{:?} {}|", variant.name, fields.collect::<String>())
                };
                format!("enum {};", variants.iter().map(variant).collect::<String>())
            }
            Type::Of(container, parts) => {
                let parts = parts.iter().map(|part| format!("{},", number(*part)));
                format!("{container:?} {};", parts.collect::<String>())
            }
            Type::Array(len, item) => format!("array {len} {};", number(*item)),
            Type::Begun => String::new(),
        };
    }
    short(text.as_bytes())
}
