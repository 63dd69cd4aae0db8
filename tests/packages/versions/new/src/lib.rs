//! The newer version of every type of `table`.

use package_versions_case::{Case, case};

/// One change: of this version it takes the type, its values, and what it makes of those of the older one.
macro_rules! change {
    (
        $cases:ident $name:literal, $line:literal;
        old: $older:ty [$($older_value:expr),* $(,)?] { $($older_item:item)* }
        new: $T:ty [$($value:expr),* $(,)?] { $($item:item)* }
        old_reads: [$($older_read:expr),* $(,)?]
        new_reads: [$($read:expr),* $(,)?]
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
