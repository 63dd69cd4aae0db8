//! The channels of a type, each beside its counterpart in another version of the type.

use std::collections::HashSet;

use facet::Shape;

use super::ChannelKind;
use super::description::{Description, Kind, Member, TypeIndex};
use crate::schema::{Container, Field, Type, Types};

/// The shapes of the items of all channels of this kind in the type of `shape`, each with the number that its type has in `types`. Those
/// that stand in one of the two alone are not among them.
pub(crate) fn items_beside(
    shape: &'static Shape,
    types: &Types<'_>,
    kind: ChannelKind,
) -> Vec<(&'static Shape, usize)> {
    let Ok(description) = Description::of(shape) else { return Vec::new() };
    let mut todo = vec![(description.root(), 0)];
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    while let Some((ty, at)) = todo.pop() {
        if !seen.insert((ty, at)) {
            continue;
        }
        match (&description.get(ty).kind, types.get(at)) {
            (Kind::Box(content), _) => todo.push((*content, at)),
            (Kind::Struct(members), Type::Struct(fields)) => pair(members, fields, &mut todo),
            (Kind::Enum { variants, .. }, Type::Enum(others)) => {
                for variant in variants {
                    if let Some(other) = others.iter().find(|other| other.name == variant.name) {
                        pair(&variant.members, &other.fields, &mut todo);
                    }
                }
            }
            (Kind::Option { some, .. }, Type::Of(Container::Option, of)) => todo.push((*some, of[0])),
            (Kind::Result { ok, err, .. }, Type::Of(Container::Result, of)) => {
                todo.extend([(*ok, of[0]), (*err, of[1])]);
            }
            (Kind::Channel { kind: ours, item_shape, .. }, Type::Of(Container::Tx | Container::Rx, of))
                if *ours == kind =>
            {
                found.push((*item_shape, of[0]));
            }
            // Channels stand nowhere else.
            _ => {}
        }
    }
    found
}

fn pair(members: &[Member], fields: &[Field<'_>], todo: &mut Vec<(TypeIndex, usize)>) {
    for member in members {
        let field = fields.iter().find(|field| field.name == member.name);
        todo.extend(field.map(|field| (member.ty, field.ty)));
    }
}
