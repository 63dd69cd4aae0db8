//! Channels in values: where they stand, and by which number.

use crate::codec::ChannelKind;
use crate::escaped::Escaped;

use super::{Value, ValueError, ValueType};

/// A channel that stands in the arguments of a call. In the values there is `None` in its place.
#[derive(Debug)]
pub(crate) struct Placed {
    /// The way to it, from the end.
    steps: Vec<String>,
    pub(crate) kind: ChannelKind,
    /// Its number among the channels of the call.
    pub(crate) index: u32,
    pub(crate) item: ValueType,
}

/// The channels that were come to, of at most so many. `None`: there are none to come to, for this is no call.
pub(super) struct Places<'a>(pub(super) Option<(&'a mut Vec<Placed>, usize)>);

impl Placed {
    /// Where it stands: `events`, `parts.numbers`, `pair[1]`.
    pub(crate) fn path(&self) -> String {
        let path = self.steps.iter().rev().fold(String::new(), |path, step| path + step);
        path.strip_prefix('.').map(str::to_owned).unwrap_or(path)
    }

    /// It stands in the argument of this name.
    pub(crate) fn in_argument(&mut self, name: &str) {
        self.steps.push(field(name));
    }
}

impl Places<'_> {
    /// How many were come to.
    pub(super) fn count(&self) -> usize {
        self.0.as_ref().map_or(0, |(placed, _)| placed.len())
    }

    /// A channel stands here.
    pub(super) fn put(&mut self, kind: ChannelKind, index: u32, item: ValueType) -> Result<(), ValueError> {
        let Some((placed, most)) = &mut self.0 else {
            return Err(ValueError::new(format!("a channel (`{}`) is no value", word(kind))));
        };
        if placed.len() >= *most {
            return Err(ValueError::new(format!("one channel more than the {most} that the call may have")));
        }
        placed.push(Placed { steps: Vec::new(), kind, index, item });
        Ok(())
    }

    /// Those that came after the first so many stand in this step.
    pub(super) fn below(&mut self, before: usize, step: impl Fn() -> String) {
        let Some((placed, _)) = &mut self.0 else { return };
        for place in placed.iter_mut().skip(before) {
            place.steps.push(step());
        }
    }
}

/// In the place of a channel nothing is given.
pub(super) fn check_place(kind: ChannelKind, value: &Value) -> Result<(), ValueError> {
    match value {
        Value::Option(None) | Value::Unit => Ok(()),
        other => {
            let (kind, got) = (word(kind), other.word());
            Err(ValueError::new(format!("a channel (`{kind}`) is not given by a value but by `null`, got {got}")))
        }
    }
}

pub(super) fn field(name: &str) -> String {
    format!(".{}", Escaped::name(name))
}

pub(super) fn word(kind: ChannelKind) -> &'static str {
    match kind {
        ChannelKind::Tx => "Tx",
        ChannelKind::Rx => "Rx",
    }
}
