//! Errors of a store on disk: databases that are not what was written, files that were changed under it, SQLite's own refusals, and closures that
//! fail. The folder is printed as `FOLDER`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use vox::codec::schema_of;
use vox::descriptor::MethodId;
use vox::facet::Facet;
use vox::store::rusqlite::Connection;
use vox::store::{Digest, Fence, NewOperation, OperationKey, OperationStore, Outcome, SqliteStore, StoreLimits};
use vox::{Operation, OperationId, Principal};

use super::{Found, text, whole};

/// A folder of a test's own, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("vox-errors-{}", OperationId::new()));
        fs::create_dir(&path).expect("a folder");
        Self(path.canonicalize().expect("it is there"))
    }

    fn database(&self) -> PathBuf {
        self.0.join("a.db")
    }

    async fn open(&self) -> SqliteStore {
        SqliteStore::open(self.database()).await.expect("it opens")
    }

    /// What is said when it is opened.
    async fn opened(&self) -> String {
        self.hide(&text(SqliteStore::open(self.database()).busy_timeout(Duration::ZERO).await))
    }

    /// A connection beside the store's.
    fn beside(&self) -> Connection {
        Connection::open(self.database()).expect("it opens")
    }

    fn hide(&self, text: &str) -> String {
        text.replace(&self.0.display().to_string(), "FOLDER")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn operation() -> NewOperation {
    NewOperation {
        key: OperationKey { id: OperationId::new(), principal: Principal::anonymous() },
        peer: None,
        service: "Bank",
        method: MethodId(7),
        policy: vox::RetryPolicy::PERSIST,
        digest: Digest::of(MethodId(7), b"arguments"),
        schema: schema_of(u64::SHAPE).expect("it crosses"),
    }
}

pub(super) async fn provoke() -> Found {
    let mut found = Vec::new();
    opening(&mut found).await;
    changed(&mut found).await;
    refused(&mut found).await;
    stopped(&mut found).await;
    transactions(&mut found).await;
    sealing(&mut found).await;
    found
}

async fn opening(found: &mut Found) {
    let folder = Folder::new();
    let nowhere = SqliteStore::open(folder.0.join("none").join("a.db")).await;
    found.push(("StoreError::Unavailable, of no folder", folder.hide(&text(nowhere))));
    fs::write(folder.database(), "a letter, and no database. ".repeat(100)).expect("written");
    found.push(("StoreError::Unavailable, of no database", folder.opened().await));
    let limits = StoreLimits { max_records: 0, ..StoreLimits::on_disk() };
    let limited = SqliteStore::open(folder.database()).limits(limits).await;
    found.push(("StoreError::Limit", text(limited)));

    let folder = Folder::new();
    let store = folder.open().await;
    found.push(("StoreError::Unavailable, of a second store", folder.opened().await));
    store.close().await;
    found.push(("StoreError::Unavailable, of one that is closed", folder.hide(&text(store.admit(&operation()).await))));
    #[cfg(unix)]
    {
        fs::hard_link(folder.database(), folder.0.join("b.db")).expect("linked");
        found.push(("StoreError::Unavailable, of a second name", folder.opened().await));
        fs::remove_file(folder.0.join("b.db")).expect("removed");
    }
    folder.beside().execute("UPDATE vox_store SET format = 99", ()).expect("written");
    found.push(("StoreError::Unavailable, of another format", folder.opened().await));

    let folder = Folder::new();
    folder.open().await.close().await;
    folder.beside().execute_batch("PRAGMA journal_mode = DELETE; VACUUM").expect("tidied up");
    let mut bytes = fs::read(folder.database()).expect("read");
    // All but the first page, which says what is where.
    bytes[4096..].fill(0xff);
    fs::write(folder.database(), bytes).expect("written");
    found.push(("StoreError::Unavailable, of one that is damaged", folder.opened().await));
}

/// The files of an open store change.
#[cfg(unix)]
async fn changed(found: &mut Found) {
    type Change = fn(&Path);
    let changes: [(&str, Change); 3] = [
        ("StoreError::Unavailable, of one that was removed", |path| fs::remove_file(path).expect("removed")),
        ("StoreError::Unavailable, of one that was replaced", |path| {
            fs::copy(path, path.with_extension("copy")).expect("copied");
            fs::rename(path.with_extension("copy"), path).expect("replaced");
        }),
        ("StoreError::Unavailable, of one that was cut", |path| {
            fs::File::options().write(true).open(path).and_then(|file| file.set_len(0)).expect("cut");
        }),
    ];
    for (name, change) in changes {
        let folder = Folder::new();
        let store = folder.open().await;
        store.admit(&operation()).await.expect("there is room");
        folder.beside().query_row("PRAGMA wal_checkpoint", (), |_| Ok(())).expect("taken over");
        store.admit(&operation()).await.expect("there is room");
        change(&folder.database());
        found.push((name, folder.hide(&text(store.admit(&operation()).await))));
        if name.ends_with("replaced") {
            found.push(("StoreError::Poisoned", folder.hide(&text(store.admit(&operation()).await))));
        }
        assert!(store.failure().is_some(), "it has stopped");
    }
}

#[cfg(not(unix))]
async fn changed(_: &mut Found) {}

/// SQLite cannot do it now.
async fn refused(found: &mut Found) {
    let folder = Folder::new();
    let store = SqliteStore::open(folder.database()).busy_timeout(Duration::from_millis(20)).await.expect("it opens");
    let beside = folder.beside();
    beside.execute_batch("BEGIN IMMEDIATE").expect("it begins");
    found.push(("StoreError::Unavailable, of one that is locked", folder.hide(&text(store.admit(&operation()).await))));
    beside.execute_batch("ROLLBACK").expect("it ends");
    drop(beside);
    store.transaction(|tx| tx.pragma_update(None, "max_page_count", 1)).await.expect("it is set");
    let large = store.transaction(|tx| tx.execute_batch("CREATE TABLE large AS SELECT zeroblob(100000) AS bytes"));
    found.push(("TransactionError::Aborted, of a disk that is full", text(large.await)));
    store.close().await;

    let folder = Folder::new();
    let panics = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&panics);
    let clock = move || match asked.load(Ordering::SeqCst) {
        true => std::panic::resume_unwind(Box::new("on purpose")),
        false => SystemTime::now(),
    };
    let store = SqliteStore::open(folder.database()).clock(clock).await.expect("it opens");
    panics.store(true, Ordering::SeqCst);
    let admitted = store.admit(&operation()).await;
    found.push(("StoreError::Unavailable, of a clock that panics", folder.hide(&text(admitted))));
}

/// Nobody knows what was written.
async fn stopped(found: &mut Found) {
    let folder = Folder::new();
    let store = folder.open().await;
    let ended = store.transaction(|tx| tx.execute_batch("ROLLBACK")).await;
    found.push(("TransactionError::Store, of a closure that ends it", folder.hide(&text(ended))));
    let after = store.admit(&operation()).await;
    found.push(("StoreError::Poisoned, of a closure that ended it", folder.hide(&text(after))));
}

async fn transactions(found: &mut Found) {
    let folder = Folder::new();
    let store = folder.open().await;
    let aborted = store.transaction(|_| Err::<(), _>(Said("account 7 has too little".to_owned()))).await;
    found.push(("TransactionError::Aborted", text(aborted)));
    let panicked = store.transaction(|_| -> Result<(), Said> { std::panic::resume_unwind(Box::new("on purpose")) });
    found.push(("TransactionError::Panicked", text(panicked.await)));
    let broken = store.transaction(|tx| {
        tx.execute_batch(
            "CREATE TABLE account (id INTEGER PRIMARY KEY);
             CREATE TABLE payment (account REFERENCES account DEFERRABLE INITIALLY DEFERRED);
             INSERT INTO payment VALUES (7)",
        )
    });
    found.push(("TransactionError::ForeignKey", text(broken.await)));
}

/// What a closure says.
#[derive(Debug)]
struct Said(String);

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Said {}

#[vox::service]
trait Till {
    #[vox(persist)]
    async fn pay(&self, cx: &vox::Context, how: Pay) -> Result<u64, String>;
}

#[derive(Debug, Clone, Copy, PartialEq, facet::Facet)]
#[repr(u8)]
enum Pay {
    /// Seals a text where the method returns a number.
    Text,
    /// Seals one outcome twice.
    Twice,
    /// Undoes the transaction first.
    Undone,
}

struct MyTill {
    store: Arc<SqliteStore>,
}

impl Till for MyTill {
    async fn pay(&self, cx: &vox::Context, how: Pay) -> Result<u64, String> {
        let operation = cx.operation().expect("it is kept").clone();
        let sealed = self.store.transaction(move |tx| seal(tx, &operation, how)).await;
        Err(whole(&sealed.expect_err("it cannot be sealed")))
    }
}

fn seal(tx: &vox::store::Transaction<'_>, operation: &Operation, how: Pay) -> Result<(), Said> {
    let said = |error: vox::store::StoreError| Said(error.to_string());
    let paid = Ok::<u64, String>(7);
    match how {
        Pay::Text => SqliteStore::seal_in(tx, operation, &Ok::<_, u64>("seven".to_owned())).map_err(said),
        Pay::Twice => {
            SqliteStore::seal_in(tx, operation, &paid).map_err(said)?;
            SqliteStore::seal_in(tx, operation, &paid).map_err(said)
        }
        Pay::Undone => {
            tx.execute_batch("ROLLBACK").map_err(|error| Said(error.to_string()))?;
            SqliteStore::seal_in(tx, operation, &paid).map_err(said)
        }
    }
}

async fn sealing(found: &mut Found) {
    for (how, name) in [
        (Pay::Text, "StoreError::InvalidOutcome"),
        (Pay::Twice, "StoreError::Fenced, of what was sealed before"),
        (Pay::Undone, "StoreError::Unavailable, of a closure that went on after a rollback"),
    ] {
        let folder = Folder::new();
        let store = Arc::new(folder.open().await);
        let till = TillDispatcher::new(MyTill { store: Arc::clone(&store) });
        let server = vox::Server::builder().service(till).store(store.clone());
        let server = server.bind("mem://errors-till").await.expect("it is free");
        let till: TillClient = vox::connect("mem://errors-till").await.expect("a session");
        found.push((name, folder.hide(&said(till.pay(how).await))));
        server.shutdown(Duration::ZERO).await;
        store.close().await;
    }
    let folder = Folder::new();
    let limits = StoreLimits { max_outcome_bytes: 100, ..StoreLimits::on_disk() };
    let store = SqliteStore::open(folder.database()).limits(limits).await.expect("it opens");
    let (admitted, schema) = (operation(), schema_of(u64::SHAPE).expect("it crosses"));
    store.admit(&admitted).await.expect("there is room");
    let outcome = Outcome { bytes: vec![0; 101].into(), schema };
    let sealed = store.seal(&admitted.key, Fence(1), outcome).await;
    found.push(("StoreError::OutcomeTooLarge, on disk", text(sealed)));
}

/// What the method's own error says, or the runtime's.
fn said(result: Result<u64, vox::VoxError<String>>) -> String {
    match result {
        Err(vox::VoxError::User(text)) => text,
        other => text(other),
    }
}
