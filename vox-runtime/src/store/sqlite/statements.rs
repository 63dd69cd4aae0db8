//! The statements, prepared once.

use rusqlite::{Connection, PrepFlags, Statement};

macro_rules! statements {
    ($($name:ident = $sql:literal;)*) => {
        pub(super) struct Statements<'c> {
            $(pub(super) $name: Statement<'c>,)*
        }

        impl<'c> Statements<'c> {
            pub(super) fn new(connection: &'c Connection) -> rusqlite::Result<Self> {
                Ok(Self { $($name: connection.prepare_with_flags($sql, PrepFlags::SQLITE_PREPARE_PERSISTENT)?,)* })
            }
        }
    };
}

statements! {
    begin = "BEGIN IMMEDIATE";
    commit = "COMMIT";
    rollback = "ROLLBACK";
    savepoint = "SAVEPOINT vox_work";
    keep = "RELEASE vox_work";
    undo = "ROLLBACK TO vox_work";

    log = "PRAGMA wal_checkpoint(NOOP)";
    version = "PRAGMA data_version";

    load = "SELECT fence, floor, records, bytes, tombstones, floors FROM vox_store";
    save = "UPDATE vox_store SET fence = ?1, floor = ?2, records = ?3, bytes = ?4, tombstones = ?5, floors = ?6";

    load_holder = "SELECT records, bytes, floor FROM vox_holders WHERE kind = ?1 AND name = ?2";
    save_holder = "INSERT OR REPLACE INTO vox_holders VALUES (?1, ?2, ?3, ?4, ?5)";
    forget_holder = "DELETE FROM vox_holders WHERE kind = ?1 AND name = ?2";
    middle_floor = "SELECT floor FROM vox_holders WHERE floor IS NOT NULL ORDER BY floor LIMIT 1 OFFSET ?1";
    merge_floors = "UPDATE vox_holders SET floor = NULL WHERE floor <= ?1";
    forget_holders = "DELETE FROM vox_holders WHERE floor IS NULL AND records = 0";

    find = "SELECT fence, state, owner, method, digest, schema, outcome, seal, ended IS NOT NULL, id = ?1 AND principal = ?2,
            peer
        FROM vox_operations
        WHERE fence = (SELECT fence FROM vox_operations INDEXED BY vox_keys WHERE id = ?1 AND principal = ?2)";
    find_again = "SELECT 1 FROM vox_operations INDEXED BY vox_keys_again WHERE id = ?1 AND principal = ?2";
    insert = "INSERT INTO vox_operations
        (fence, id, principal, service, method, digest, idem, state, owner, schema, admitted, peer)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING";
    grant_anew = "UPDATE vox_operations
        SET service = ?2, method = ?3, digest = ?4, idem = ?5, state = 0, fence = ?6, owner = ?7, schema = ?8,
            outcome = NULL, seal = NULL, admitted = ?9, ended = ?9, peer = ?10
        WHERE fence = ?1";
    seal = "UPDATE vox_operations SET state = 1, owner = x'', schema = ?4, outcome = ?5, seal = ?6, ended = ?7
        WHERE fence = ?1 AND state = 0 AND id = ?2 AND principal = ?3 AND length(owner) = 16 AND length(digest) = 32
        RETURNING peer";
    give_up = "UPDATE vox_operations SET state = 2, ended = ?2 WHERE fence = ?1";
    acknowledge = "UPDATE vox_operations
        SET state = 3, digest = x'', owner = x'', schema = x'', outcome = NULL, seal = NULL, peer = NULL WHERE fence = ?1";
    acknowledge_sealed = "UPDATE vox_operations
        SET state = 3, digest = x'', owner = x'', schema = x'', outcome = NULL, seal = NULL, peer = NULL
        WHERE fence = ?1 AND state = 1 AND id = ?2 AND principal = ?3";
    delete = "DELETE FROM vox_operations WHERE fence = ?1";
    oldest_tombstone = "SELECT fence, id, principal FROM vox_operations WHERE state = 3 ORDER BY id LIMIT 1";
    oldest = "SELECT fence, id, principal, state, owner, ifnull(length(outcome), 0), peer
        FROM vox_operations WHERE (id, principal) > (?1, ?2) AND id < ?3 ORDER BY id, principal LIMIT ?4";

    find_schema = "SELECT bytes FROM vox_schemas WHERE hash = ?1";
    insert_schema = "INSERT OR IGNORE INTO vox_schemas VALUES (?1, ?2)";
}
