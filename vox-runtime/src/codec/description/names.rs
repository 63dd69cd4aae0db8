//! The names of the types of a schema, which stand beside it.

use std::collections::HashSet;

use facet::Shape;

use super::{Description, Kind, Member, TypeIndex};
use crate::schema::{Field, Type, Types};

/// What the types of `schema`, which is that of `shape`, are called: one name for each but those with an encoding of their own, in the order in
/// which they begin. An empty one has none.
pub(crate) fn names_in(shape: &'static Shape, schema: &[u8]) -> Vec<String> {
    let Ok(types) = Types::read(schema) else { return Vec::new() };
    let Ok(description) = Description::of(shape) else { return Vec::new() };
    let mut names = Names::of(&description, &types);
    names.walk(0, description.root());
    names.finish()
}

/// The same of the schema of a response: of what its method returns, and then of its error.
pub(crate) fn names_in_response(response: &'static Shape, schema: &[u8]) -> Vec<String> {
    let Ok(types) = Types::read(schema) else { return Vec::new() };
    let Ok(description) = Description::of(response) else { return Vec::new() };
    let mut names = Names::of(&description, &types);
    if let (Kind::Result { ok, err, .. }, Type::Of(_, parts)) =
        (&description.get(description.root()).kind, types.get(0))
    {
        names.walk(parts[0], *ok);
        if let Kind::Enum { variants, .. } = &description.get(*err).kind
            && let [user, ..] = variants.as_slice()
            && let [error] = user.members.as_slice()
        {
            names.walk(parts[1], error.ty);
        }
    }
    names.finish()
}

struct Names<'a> {
    description: &'a Description,
    types: &'a Types<'a>,
    /// By the number of the type.
    names: Vec<&'static str>,
}

impl<'a> Names<'a> {
    fn of(description: &'a Description, types: &'a Types<'a>) -> Self {
        Self { description, types, names: vec![""; types.len()] }
    }

    /// Names the type of this number and those in it, as they are described.
    fn walk(&mut self, at: usize, index: TypeIndex) {
        let mut seen = HashSet::new();
        let mut todo = vec![(at, index)];
        while let Some((at, index)) = todo.pop() {
            if !seen.insert((at, index)) {
                continue;
            }
            let described = self.description.get(index);
            let name = described.shape.type_identifier;
            let mut members = |fields: &[Field<'_>], members: &[Member]| {
                todo.extend(fields.iter().zip(members).map(|(field, member)| (field.ty, member.ty)));
            };
            match (&described.kind, self.types.get(at)) {
                (Kind::Box(content) | Kind::Shared { content, .. }, _) => todo.push((at, *content)),
                (Kind::Struct(of), Type::Struct(fields)) => {
                    if !name.starts_with('(') {
                        self.names[at] = name;
                    }
                    members(fields, of);
                }
                (Kind::Enum { variants, .. }, Type::Enum(of)) => {
                    self.names[at] = name;
                    of.iter().zip(variants).for_each(|(variant, own)| members(&variant.fields, &own.members));
                }
                (Kind::Option { some, .. }, Type::Of(_, parts)) => todo.push((parts[0], *some)),
                (Kind::Result { ok, err, .. }, Type::Of(_, parts)) => todo.extend([(parts[0], *ok), (parts[1], *err)]),
                (Kind::List { item, .. } | Kind::Slice { item, .. } | Kind::Set { item, .. }, Type::Of(_, parts)) => {
                    todo.push((parts[0], *item));
                }
                (Kind::Channel { item, .. }, Type::Of(_, parts)) => todo.push((parts[0], *item)),
                (Kind::Map { key, value, .. }, Type::Of(_, parts)) => {
                    todo.extend([(parts[0], *key), (parts[1], *value)])
                }
                (Kind::Array { item, .. }, Type::Array(_, part)) => todo.push((*part, *item)),
                _ => {}
            }
        }
    }

    fn finish(self) -> Vec<String> {
        let is_composite = |at: &usize| !matches!(self.types.get(*at), Type::Named(_));
        (0..self.types.len()).filter(is_composite).map(|at| self.names[at].to_owned()).collect()
    }
}
