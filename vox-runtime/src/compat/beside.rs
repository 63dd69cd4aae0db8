//! What is beside the encoding: names of types, and defaults.

use std::collections::BTreeSet;

use super::change::{Change, Position};
use super::code::Code;
use super::compare::change;
use super::snapshot::{Snapshot, SnapshotMethod};
use crate::escaped::Escaped;
use crate::schema::{NodeField, NodeKind};

/// Types that were renamed and defaults that were given or taken away, where the types are beside each other.
pub(super) fn changes(
    place: &str,
    (old, before): (&Snapshot, &SnapshotMethod),
    (new, after): (&Snapshot, &SnapshotMethod),
    changes: &mut Vec<Change>,
) {
    let mut add = |code, words, states| {
        changes.push(change(code, place.to_owned(), Position::Method, words, (None, None), states));
    };
    let mut todo = vec![(before.response, after.response)];
    for argument in &before.arguments {
        let Some(other) = after.arguments.iter().find(|other| other.name == argument.name) else { continue };
        todo.push((argument.ty, other.ty));
        if argument.may_miss != other.may_miss {
            let name = Escaped::name(&argument.name);
            let words = format!("the argument `{name}` {}", given(other.may_miss));
            add(Code::DefaultChanged, words, word(argument.may_miss, other.may_miss));
        }
    }
    let mut seen = BTreeSet::new();
    while let Some(pair) = todo.pop() {
        if !seen.insert(pair) {
            continue;
        }
        let (a, b) = (old.graph.get(pair.0), new.graph.get(pair.1));
        let name = Escaped::name(b.name.as_deref().unwrap_or_default()).to_string();
        if let (Some(was), Some(is)) = (&a.name, &b.name)
            && was != is
        {
            let words = format!("the type `{}` is called `{}`", Escaped::name(was), Escaped::name(is));
            add(Code::TypeRenamed, words, (was.clone(), is.clone()));
        }
        let mut fields = |a: &[NodeField], b: &[NodeField]| {
            for field in a {
                let Some(other) = b.iter().find(|other| other.name == field.name) else { continue };
                todo.push((field.ty, other.ty));
                if field.optional != other.optional {
                    let words =
                        format!("the field `{}` of `{name}` {}", Escaped::name(&field.name), given(other.optional));
                    add(Code::DefaultChanged, words, word(field.optional, other.optional));
                }
            }
        };
        match (&a.kind, &b.kind) {
            (NodeKind::Struct(a), NodeKind::Struct(b)) => fields(a, b),
            (NodeKind::Enum(a), NodeKind::Enum(b)) => {
                for variant in a {
                    if let Some(other) = b.iter().find(|other| other.name == variant.name) {
                        fields(&variant.fields, &other.fields);
                    }
                }
            }
            (NodeKind::Of(a, parts), NodeKind::Of(b, others)) if a == b => {
                todo.extend(parts.iter().copied().zip(others.iter().copied()));
            }
            (NodeKind::Array(_, a), NodeKind::Array(_, b)) => todo.push((*a, *b)),
            _ => {}
        }
    }
}

fn given(is: bool) -> &'static str {
    if is { "was given a default" } else { "has no default any more" }
}

fn word(was: bool, is: bool) -> (String, String) {
    let word = |is: bool| if is { "default" } else { "required" }.to_owned();
    (word(was), word(is))
}
