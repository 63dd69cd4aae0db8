//! The older version of every type of `table`.

use package_versions_case::{Case, case};

/// One change: of this version it takes the type, its values, and what it makes of those of the newer one.
macro_rules! change {
    (
        $cases:ident $name:literal, $line:literal;
        old: $T:ty [$($value:expr),* $(,)?] { $($item:item)* }
        new: $newer:ty [$($newer_value:expr),* $(,)?] { $($newer_item:item)* }
        old_reads: [$($read:expr),* $(,)?]
        new_reads: [$($newer_read:expr),* $(,)?]
    ) => {
        case!($cases, $name, $line, $T, [$($value),*], [$($read),*], { $($item)* });
    };
}

pub mod ledger;

#[path = "../../table/containers.rs"]
mod containers;
#[path = "../../table/enums.rs"]
mod enums;
#[path = "../../table/nested.rs"]
mod nested;
#[path = "../../table/scalars.rs"]
mod scalars;
#[path = "../../table/structs.rs"]
mod structs;

/// Every change, as this version has it.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    structs::add(&mut cases);
    enums::add(&mut cases);
    scalars::add(&mut cases);
    containers::add(&mut cases);
    nested::add(&mut cases);
    cases
}
