//! Where channels may stand.

use std::collections::HashSet;

use facet::Shape;

use super::{Description, Kind, TypeIndex};
use crate::codec::PlanError;

impl Description {
    /// Refuses channels inside collections and shared owners: the first have no number of
    /// channels, the second no owner who could give a half away.
    pub(super) fn check_channels(&self, shape: &'static Shape) -> Result<(), PlanError> {
        self.check_channels_inside(None, shape)
    }

    /// Refuses channels in what is a response: nobody is left to hold the other half.
    pub(super) fn check_response(&self, shape: &'static Shape) -> Result<(), PlanError> {
        self.check_channels_inside(Some(RESPONSE), shape)
    }

    fn check_channels_inside(&self, inside: Option<&'static str>, shape: &'static Shape) -> Result<(), PlanError> {
        let mut seen = HashSet::new();
        let mut path = vec![shape.type_identifier.to_owned()];
        self.check_channels_below(self.root, inside, &mut seen, &mut path)
    }

    fn check_channels_below(
        &self,
        index: TypeIndex,
        inside: Option<&'static str>,
        seen: &mut HashSet<(TypeIndex, bool)>,
        path: &mut Vec<String>,
    ) -> Result<(), PlanError> {
        if !seen.insert((index, inside.is_some())) {
            return Ok(());
        }
        let mut below = |ty: TypeIndex, inside, step: String| {
            path.push(step);
            let result = self.check_channels_below(ty, inside, seen, path);
            path.pop();
            result
        };
        let within = |inner| if inside == Some(RESPONSE) { inside } else { Some(inner) };
        match &self.get(index).kind {
            Kind::Channel { item, item_shape, kind } => match inside {
                None => below(*item, None, "<item>".to_owned()),
                Some(inside) => Err(PlanError {
                    path: path.concat(),
                    type_name: format!("{kind:?}<{item_shape}>"),
                    reason: format!("a channel cannot stand inside {inside}").into(),
                    instead: if inside == RESPONSE { IN_ARGUMENT } else { ON_ITS_OWN }.into(),
                }),
            },
            Kind::Struct(members) => members.iter().try_for_each(|m| below(m.ty, inside, format!(".{}", m.name))),
            Kind::Enum { variants, .. } => variants.iter().try_for_each(|v| {
                v.members.iter().try_for_each(|m| below(m.ty, inside, format!("::{}.{}", v.name, m.name)))
            }),
            Kind::Option { some: inner, .. } | Kind::Box(inner) => below(*inner, inside, String::new()),
            Kind::Result { ok, err, .. } => {
                below(*ok, inside, "::Ok".to_owned())?;
                below(*err, inside, "::Err".to_owned())
            }
            Kind::Shared { content, .. } => below(*content, within("a shared owner"), String::new()),
            Kind::Slice { item, .. } | Kind::List { item, .. } | Kind::Array { item, .. } | Kind::Set { item, .. } => {
                below(*item, within("a collection"), "[]".to_owned())
            }
            Kind::Map { key, value, .. } => {
                below(*key, within("a collection"), "{key}".to_owned())?;
                below(*value, within("a collection"), "{value}".to_owned())
            }
            Kind::Scalar(_) | Kind::String | Kind::Leaf(_) | Kind::Unfinished => Ok(()),
        }
    }
}

const RESPONSE: &str = "a response";
const IN_ARGUMENT: &str = "take it as an argument: `Tx` to send to the caller, `Rx` to receive from it";
const ON_ITS_OWN: &str = "give it a field or an argument of its own, or an Option or Box of it";
