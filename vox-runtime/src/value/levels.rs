//! The depth of a value.

use super::ValueError;

/// What of a value is open at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Levels {
    /// Levels as those of a type are counted.
    left: u32,
    limit: u32,
    /// All of them, structs included.
    open: u32,
}

impl Levels {
    /// How deep values may nest, structs included, which do not count among the levels of a type.
    const MOST: u32 = 512;

    pub(super) fn new(limit: u32) -> Self {
        Self { left: limit, limit, open: 0 }
    }

    /// Inside a struct or a tuple.
    pub(super) fn in_struct(self) -> Result<Self, ValueError> {
        let open = self.open + 1;
        match open > Self::MOST {
            true => Err(ValueError::new(format!("the value nests more than {} levels deep", Self::MOST))),
            false => Ok(Self { open, ..self }),
        }
    }

    /// Inside anything else.
    pub(super) fn deeper(self) -> Result<Self, ValueError> {
        let within = self.in_struct()?;
        match self.left.checked_sub(1) {
            Some(left) => Ok(Self { left, ..within }),
            None => Err(ValueError::new(format!(
                "the value nests {} levels deep or more, over the limit of {} (`Limits::max_depth`)",
                u64::from(self.limit) + 1,
                self.limit
            ))),
        }
    }
}
