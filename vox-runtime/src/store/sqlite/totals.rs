//! What the records of a store take, in all and of each principal and peer. It is kept beside them, and counted anew when a database is
//! opened: where it has drifted, a store would refuse operations for want of room that there is.

use rusqlite::{Connection, TransactionBehavior};

/// Whose totals are not those of the records, with what they are.
const DRIFTED: &str = "
WITH counted (kind, name, records, bytes) AS (
    SELECT 0, principal, count(*), sum(256 + ifnull(length(outcome), 0)) FROM vox_operations
        WHERE state != 3 GROUP BY principal
    UNION ALL
    SELECT 1, peer, count(*), sum(256 + ifnull(length(outcome), 0)) FROM vox_operations
        WHERE state != 3 AND peer IS NOT NULL GROUP BY peer
)
SELECT ifnull(counted.kind, held.kind), ifnull(counted.name, held.name),
        ifnull(counted.records, 0), ifnull(counted.bytes, 0)
    FROM counted FULL OUTER JOIN vox_holders AS held ON held.kind = counted.kind AND held.name = counted.name
    WHERE counted.records IS NOT held.records OR counted.bytes IS NOT held.bytes";

/// A principal without records whose floor is kept has a row, in which both are 0.
const SAVE_HOLDER: &str = "
INSERT INTO vox_holders VALUES (?1, ?2, ?3, ?4, NULL)
    ON CONFLICT (kind, name) DO UPDATE SET records = excluded.records, bytes = excluded.bytes
    WHERE records != excluded.records OR bytes != excluded.bytes";

const FORGET_HOLDERS: &str = "DELETE FROM vox_holders WHERE floor IS NULL AND records = 0";

const SAVE: &str = "
UPDATE vox_store SET (records, bytes, tombstones, floors) = (counted.records, counted.bytes, counted.tombstones, floored.count)
    FROM (SELECT count(*) FILTER (WHERE state != 3) AS records,
            ifnull(sum(256 + ifnull(length(outcome), 0)) FILTER (WHERE state != 3), 0) AS bytes,
            count(*) FILTER (WHERE state = 3) AS tombstones FROM vox_operations) AS counted,
        (SELECT count(*) AS count FROM vox_holders WHERE floor IS NOT NULL) AS floored
    WHERE (vox_store.records, vox_store.bytes, vox_store.tombstones, vox_store.floors)
        IS NOT (counted.records, counted.bytes, counted.tombstones, floored.count)";

/// Counts the records, and puts totals right that have drifted. Whether any had.
pub(super) fn recount(connection: &mut Connection) -> rusqlite::Result<bool> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut changes = 0;
    {
        let mut drifted = transaction.prepare(DRIFTED)?;
        let rows = drifted.query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
        let rows: Vec<(i64, String, i64, i64)> = rows.collect::<rusqlite::Result<_>>()?;
        let mut save = transaction.prepare(SAVE_HOLDER)?;
        for row in rows {
            changes += save.execute(row)?;
        }
    }
    changes += transaction.execute(FORGET_HOLDERS, ())?;
    changes += transaction.execute(SAVE, ())?;
    transaction.commit()?;
    Ok(changes > 0)
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::super::testing::{Directory, of_peer, operation, run, run_and_acknowledge, totals};

    /// The rows of principals and peers.
    fn holders(directory: &Directory) -> Vec<(i64, String, i64, i64)> {
        let reader = Connection::open(directory.path("a.db")).expect("it is there");
        let mut asked =
            reader.prepare("SELECT kind, name, records, bytes FROM vox_holders ORDER BY kind, name").expect("a table");
        let rows = asked.query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).expect("rows");
        rows.collect::<rusqlite::Result<_>>().expect("rows")
    }

    #[tokio::test]
    async fn totals_that_have_drifted_are_those_of_the_records_when_the_store_is_opened_again() {
        let directory = Directory::in_memory();
        let store = directory.open().await;
        for n in 0..9 {
            match n % 3 {
                0 => drop(run(&store, &operation()).await),
                1 => drop(run(&store, &of_peer("10.0.0.1")).await),
                _ => run_and_acknowledge(&store, &operation()).await,
            }
        }
        let (before, of_each) = (totals(&store).await, holders(&directory));
        store.close().await;
        for drift in [
            "UPDATE vox_store SET records = 7000, bytes = 1, tombstones = 0, floors = 3",
            "UPDATE vox_holders SET records = records + 1000",
            "UPDATE vox_holders SET bytes = 0 WHERE kind = 1",
            "DELETE FROM vox_holders",
            "INSERT INTO vox_holders VALUES (0, 'nobody', 5, 5, NULL), (1, '10.0.0.2', 5, 5, NULL)",
        ] {
            let database = Connection::open(directory.path("a.db")).expect("it is there");
            assert!(database.execute(drift, ()).expect("done") > 0, "{drift}");
            drop(database);
            let store = directory.open().await;
            assert_eq!((totals(&store).await, holders(&directory)), (before, of_each.clone()), "{drift}");
            store.close().await;
        }
    }

    /// The newest id that was forgotten of a principal is kept, though it has no records.
    #[tokio::test]
    async fn floors_are_kept_and_counted() {
        let directory = Directory::in_memory();
        directory.open().await.close().await;
        let database = Connection::open(directory.path("a.db")).expect("it is there");
        let floor = "INSERT INTO vox_holders VALUES (0, 'acme', 5, 5, zeroblob(16))";
        database.execute(floor, ()).expect("done");
        drop(database);
        directory.open().await.close().await;
        let database = Connection::open(directory.path("a.db")).expect("it is there");
        let floors: i64 = database.query_row("SELECT floors FROM vox_store", (), |row| row.get(0)).expect("a row");
        assert_eq!((floors, holders(&directory)), (1, vec![(0, "acme".to_owned(), 0, 0)]));
    }
}
