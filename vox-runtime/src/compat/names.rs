//! The names of the types of a schema, which stand beside it.

use std::collections::BTreeSet;

use super::text::TypeText;
use crate::schema::{Graph, NodeField, NodeKind, Type, Types};

/// For each type of a schema, where it is in the graph that has its name.
pub(super) struct Names(Vec<Option<usize>>);

impl Names {
    /// Those of a schema that was made of the type at `root`.
    pub(super) fn of(types: &Types<'_>, graph: &Graph, root: usize) -> Self {
        let mut names = Self(vec![None; types.len()]);
        let mut seen = BTreeSet::new();
        let mut todo = vec![(0, root)];
        while let Some((ty, at)) = todo.pop() {
            if !seen.insert((ty, at)) {
                continue;
            }
            names.0[ty].get_or_insert(at);
            let mut fields = |of: &[crate::schema::Field<'_>], nodes: &[NodeField]| {
                todo.extend(of.iter().zip(nodes).map(|(field, node)| (field.ty, node.ty)));
            };
            match (types.get(ty), &graph.get(at).kind) {
                (Type::Struct(of), NodeKind::Struct(nodes)) => fields(of, nodes),
                (Type::Enum(of), NodeKind::Enum(nodes)) => {
                    of.iter().zip(nodes).for_each(|(variant, node)| fields(&variant.fields, &node.fields));
                }
                (Type::Of(_, of), NodeKind::Of(_, nodes)) => todo.extend(of.iter().copied().zip(nodes.iter().copied())),
                (Type::Array(_, of), NodeKind::Array(_, node)) => todo.push((*of, *node)),
                _ => {}
            }
        }
        names
    }

    /// What a type is called; `None`: it has no name.
    pub(super) fn name<'g>(&self, graph: &'g Graph, at: usize) -> Option<&'g str> {
        graph.get((*self.0.get(at)?)?).name.as_deref()
    }

    /// The type as the snapshot writes it.
    pub(super) fn text(&self, graph: &Graph, types: &Types<'_>, at: usize) -> String {
        match self.0.get(at) {
            Some(Some(node)) => TypeText(graph, *node).to_string(),
            _ => types.words(at),
        }
    }
}
