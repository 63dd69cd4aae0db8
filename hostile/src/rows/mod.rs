//! Every row of the two tables: limits, and threats.

mod channels;
mod clocks;
mod messages;
mod open;
mod sessions;
mod store;
mod threats;

use crate::row::Row;

/// The tables, by title.
pub(crate) fn tables() -> [(&'static str, Vec<Row>); 3] {
    let limits = [messages::rows(), channels::rows(), sessions::rows(), store::rows(), clocks::rows()].concat();
    [("Limits", limits), ("Threats", threats::rows()), ("Not bounded yet", open::rows())]
}
