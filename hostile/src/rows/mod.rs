//! Every row of the two tables: limits, and threats.

mod channels;
mod clients;
mod clocks;
mod contracts;
mod crowds;
mod kept;
mod messages;
mod sessions;
mod shares;
mod store;
mod tenants;
mod texts;
mod threats;
mod windows;
mod worst;

pub(crate) use channels::open;
pub(crate) use messages::{long, part, varint};

use crate::row::Row;

/// The tables, by title.
pub(crate) fn tables() -> [(&'static str, Vec<Row>); 4] {
    let limits = [
        messages::rows(),
        channels::rows(),
        windows::rows(),
        sessions::rows(),
        shares::rows(),
        store::rows(),
        clocks::rows(),
    ];
    let threats = [threats::rows(), clients::rows(), contracts::rows(), texts::rows(), tenants::rows(), crowds::rows()];
    let worst = worst::rows();
    [
        ("Limits", limits.concat()),
        ("Threats", threats.concat()),
        ("Worst frames", worst),
        ("What a peer can make a server keep", kept::rows()),
    ]
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use vox::Limits;
    use vox::store::StoreLimits;

    /// The names of a struct's fields.
    fn fields(of: &impl Debug) -> Vec<String> {
        let lines = format!("{of:#?}");
        let names = lines.lines().filter_map(|line| line.strip_prefix("    ")?.split_once(": "));
        names.map(|(name, _)| name.to_owned()).collect()
    }

    /// Each limit is attacked from below and from above, by its name.
    #[test]
    fn every_limit_has_a_row() {
        let rows: Vec<_> = super::tables().into_iter().flat_map(|(_, rows)| rows).collect();
        let words =
            |name: &str| name.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_owned).collect::<Vec<_>>();
        for (store, limits) in [(false, fields(&Limits::default())), (true, fields(&StoreLimits::default()))] {
            assert!(limits.len() > 10, "{limits:?}");
            for limit in limits {
                let of_limit = |name: &&str| name.starts_with("store: ") == store && words(name).contains(&limit);
                let named: Vec<_> = rows.iter().filter(|row| of_limit(&row.name)).collect();
                assert!(!named.is_empty(), "`{limit}` has no row");
                let places: Vec<_> = named.iter().flat_map(|row| &row.cases).map(|case| case.place).collect();
                let is_crossed = places.contains(&"over") && places.iter().any(|place| ["under", "at"].contains(place));
                assert!(is_crossed, "`{limit}` is not attacked from both sides: {places:?}");
            }
        }
    }
}
