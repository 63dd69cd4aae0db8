//! The list of transfers: `id,from,to,cents`, one a line.

use std::path::Path;

use crate::service::Order;

/// Reads the whole list. A line that is none is an error that says which and why.
pub fn read(path: &Path) -> Result<Vec<Order>, String> {
    let file = path.display();
    let mut reader = csv::Reader::from_path(path).map_err(|error| format!("{file}: {error}"))?;
    let header = reader.headers().map_err(|error| format!("{file}: {error}"))?;
    if header != ["id", "from", "to", "cents"].as_slice() {
        return Err(format!("{file}, line 1: the header is not `id,from,to,cents`"));
    }
    let mut orders = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| format!("{file}: {error}"))?;
        let line = record.position().map_or(0, csv::Position::line);
        let number = |column: usize| {
            let text = record.get(column).unwrap_or_default();
            text.parse::<u64>().map_err(|_| format!("{file}, line {line}: `{text}` is not a whole number"))
        };
        number(0)?;
        orders.push(Order { from: number(1)?, to: number(2)?, cents: number(3)? });
    }
    Ok(orders)
}
