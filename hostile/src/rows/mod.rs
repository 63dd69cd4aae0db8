//! Every row of the two tables: limits, and threats.

mod channels;
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
mod worst;

pub(crate) use channels::open;
pub(crate) use messages::{long, part, varint};

use crate::row::Row;

/// The tables, by title.
pub(crate) fn tables() -> [(&'static str, Vec<Row>); 4] {
    let limits = [messages::rows(), channels::rows(), sessions::rows(), shares::rows(), store::rows(), clocks::rows()];
    let threats = [threats::rows(), contracts::rows(), texts::rows(), tenants::rows(), crowds::rows()];
    let worst = worst::rows();
    [
        ("Limits", limits.concat()),
        ("Threats", threats.concat()),
        ("Worst frames", worst),
        ("What a peer can make a server keep", kept::rows()),
    ]
}
