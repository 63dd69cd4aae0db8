//! Helpers for values and their JSON: names are looked up, and missing ones are told.

use std::collections::HashMap;

use super::ty::{Field, Form, Kind, Node};
use super::{Value, ValueError, ValueType};
use crate::escaped::Escaped;

/// What is given for each field, in the order of the fields; `None`: nothing, for one that can be `None`.
pub(super) fn field_slots<'n, V>(
    ty: &ValueType,
    fields: &[Field],
    given: impl Iterator<Item = (&'n str, V)>,
) -> Result<Vec<Option<V>>, ValueError> {
    by_name("field", fields.iter().map(|field| (&*field.name, ty.node(field.ty))), given)
}

/// The same of the arguments of a method.
pub(crate) fn slots<'n, 't, V>(
    arguments: impl Iterator<Item = (&'t str, &'t ValueType)> + Clone,
    given: impl Iterator<Item = (&'n str, V)>,
) -> Result<Vec<Option<V>>, ValueError> {
    by_name("argument", arguments.map(|(name, ty)| (name, ty.node(ty.root))), given)
}

fn by_name<'n, 't, V>(
    what: &str,
    fields: impl Iterator<Item = (&'t str, &'t Node)> + Clone,
    given: impl Iterator<Item = (&'n str, V)>,
) -> Result<Vec<Option<V>>, ValueError> {
    let numbers: HashMap<&str, usize> = fields.clone().enumerate().map(|(index, (name, _))| (name, index)).collect();
    let mut slots: Vec<Option<V>> = fields.clone().map(|_| None).collect();
    for (name, value) in given {
        let Some(&index) = numbers.get(name) else {
            return Err(unknown(what, name, fields.map(|(name, _)| name)));
        };
        if slots[index].replace(value).is_some() {
            return Err(ValueError::new("given twice").in_field(name));
        }
    }
    for ((name, node), slot) in fields.zip(&slots) {
        check_missing(name, node, slot.is_none())?;
    }
    Ok(slots)
}

/// A field that is not given can be `None`, or that is an error.
pub(super) fn check_missing(name: &str, node: &Node, is_missing: bool) -> Result<(), ValueError> {
    match is_missing && !matches!(node.kind, Kind::Option(..) | Kind::Channel(..)) {
        true => Err(ValueError::new(format!("missing, expected {}", node.words)).in_field(name)),
        false => Ok(()),
    }
}

/// There is nothing of this name among those.
pub(super) fn unknown<'n>(what: &str, name: &str, known: impl Iterator<Item = &'n str>) -> ValueError {
    let mut reason = format!("there is no {what} `{}`", Escaped::name(name));
    if let Some(nearest) = nearest(name, known) {
        reason.push_str(&format!("; did you mean `{}`?", Escaped::name(nearest)));
    }
    ValueError::new(reason)
}

/// A variant that holds something else.
pub(super) fn wrong_content(form: &Form, content: &Value) -> ValueError {
    let expected = match form {
        Form::Unit => "nothing".to_owned(),
        Form::Newtype(_) => "one value".to_owned(),
        Form::Tuple(types) => format!("a tuple of {}", types.len()),
        Form::Struct(fields) => format!("a struct of {} fields", fields.len()),
    };
    ValueError::new(format!("expected {expected} in the variant, got {}", content.word()))
}

/// The most names that are compared, and the longest of them.
const MOST_NAMES: usize = 256;
const LONGEST_NAME: usize = 64;

/// The name that was probably meant.
pub(crate) fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    if name.len() > LONGEST_NAME {
        return None;
    }
    let near = known.take(MOST_NAMES).filter(|known| known.len() <= LONGEST_NAME);
    let (distance, nearest) = near.map(|known| (distance(name, known), known)).min_by_key(|(distance, _)| *distance)?;
    (distance <= 1 + name.chars().count() / 4).then_some(nearest)
}

/// How many letters have to be put in, taken out or changed. A capital is the letter.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_near() {
        let names = || ["amount", "account", "note"].into_iter();
        assert_eq!(nearest("amout", names()), Some("amount"));
        assert_eq!(nearest("Accont", names()), Some("account"));
        assert_eq!(nearest("colour", names()), None);
        assert_eq!(nearest(&"a".repeat(100), names()), None);
    }
}
