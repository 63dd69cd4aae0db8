//! The attribute on something else than a trait.

#[vox::service]
pub struct Files {
    pub name: String,
}

fn main() {}
