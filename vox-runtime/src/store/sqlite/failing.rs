//! A disk that fails: every write and every sync of a run fails once, and what is there afterwards is looked at.

use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, OnceLock};

use rusqlite::ffi;

use super::SqliteStore;
use super::testing::{Directory, grant, handle, operation, outcome, run, totals};
use crate::operation::{Admission, Fence, NewOperation};
use crate::store::{OperationStore, StoreError};

/// After how many writes and syncs one fails; negative for none.
static LEFT: AtomicI64 = AtomicI64::new(-1);
/// Whether all fail after the first.
static FOR_GOOD: AtomicBool = AtomicBool::new(false);
/// Whether something was written since the last sync.
static UNSYNCED: AtomicBool = AtomicBool::new(false);

const NAME: &str = "vox-failing";

#[tokio::test]
async fn a_disk_that_fails_at_any_write_or_sync_makes_no_answer_wrong() {
    register();
    // First where nothing fails: every answer comes after its sync.
    assert!(!survives(i64::MAX, false).await);
    for for_good in [false, true] {
        let mut step = 0;
        while survives(step, for_good).await {
            step += 1;
        }
        assert!(step > 20, "only {step} writes and syncs were made to fail");
    }
}

/// A run whose write or sync of that number fails. Whether there was one.
async fn survives(step: i64, for_good: bool) -> bool {
    let directory = Directory::in_memory();
    let store = SqliteStore::open(directory.path("a.db")).vfs(NAME).await.expect("it opens");
    let made = store.transaction(|tx| tx.execute_batch("CREATE TABLE effect (id INTEGER)"));
    made.await.expect("made");

    FOR_GOOD.store(for_good, Ordering::SeqCst);
    LEFT.store(step, Ordering::SeqCst);
    let answers = Answers::of(&store).await;
    let hit = LEFT.swap(-1, Ordering::SeqCst) < 0;
    assert_eq!(hit, store.failure().is_some(), "a commit that fails stops the store, and nothing else does");
    store.close().await;

    let store = directory.open().await;
    answers.check(&store, step).await;
    totals(&store).await;
    hit
}

/// What a run was told. `None` where it was told that the store failed.
struct Answers {
    together: (NewOperation, Option<Fence>, Option<()>),
    sealed: (NewOperation, Option<Fence>, Option<()>),
    given_up: (NewOperation, Option<Fence>, Option<()>),
    released: (NewOperation, Option<Fence>, Option<()>),
    acknowledged: (NewOperation, Option<Fence>, Option<()>),
}

impl Answers {
    async fn of(store: &SqliteStore) -> Self {
        let mut failed = false;
        let mut known = |told: Result<(), StoreError>| {
            match &told {
                Ok(()) => {
                    assert!(!failed, "a store that has stopped answers");
                    assert!(!UNSYNCED.load(Ordering::SeqCst), "an answer comes before its sync");
                }
                Err(StoreError::Unavailable(_)) => assert!(!failed, "the first failure is told as one"),
                Err(StoreError::Poisoned(_)) => assert!(failed, "it has not stopped yet"),
                Err(other) => panic!("{other:?}"),
            }
            failed |= told.is_err();
            told.ok()
        };
        let mut told = Vec::new();
        for _ in 0..5 {
            let operation = operation();
            let admitted = store.admit(&operation).await;
            let fence = match &admitted {
                Ok(Admission::Granted(fence)) => Some(*fence),
                Ok(other) => panic!("{other:?}"),
                Err(_) => None,
            };
            known(admitted.map(drop));
            told.push((operation, fence));
        }
        let mut ends = Vec::new();
        for (number, (operation, fence)) in told.iter().enumerate() {
            let Some(fence) = *fence else {
                ends.push(None);
                continue;
            };
            let key = &operation.key;
            let end = match number {
                0 => {
                    let handle = handle(operation, fence);
                    let written = store.transaction(move |tx| {
                        tx.execute("INSERT INTO effect VALUES (1)", ())
                            .map_err(|e| StoreError::Unavailable(e.to_string()))?;
                        SqliteStore::seal_in(tx, &handle, &Ok::<u64, String>(1))
                    });
                    written.await.map_err(|error| match error {
                        super::TransactionError::Store(error) => error,
                        other => panic!("{other:?}"),
                    })
                }
                1 => store.seal(key, fence, outcome(b"sealed")).await.map(drop),
                2 => store.give_up(key, fence).await.map(drop),
                3 => store.release(key, fence).await,
                _ => {
                    let sealed = store.seal(key, fence, outcome(b"sealed")).await.map(drop);
                    // It may be lost, and does not fail.
                    let _ = store.acknowledge(key).await;
                    sealed
                }
            };
            ends.push(known(end));
        }
        // Something for the acknowledgement to go with.
        if let Ok(Admission::Granted(fence)) = store.admit(&told[0].0).await {
            panic!("granted again: {fence:?}");
        }
        let mut all = told.into_iter().zip(ends).map(|((operation, fence), end)| (operation, fence, end));
        let mut next = || all.next().expect("five");
        Self { together: next(), sealed: next(), given_up: next(), released: next(), acknowledged: next() }
    }

    async fn check(&self, store: &SqliteStore, step: i64) {
        let effects =
            store.transaction(|tx| tx.query_row("SELECT count(*) FROM effect", (), |row| row.get::<_, i64>(0)));
        let effects = effects.await.expect("counted");
        let is = async |operation: &NewOperation| store.admit(operation).await.expect("an answer");

        let (operation, fence, end) = &self.together;
        let found = is(operation).await;
        assert_eq!(effects, i64::from(found == Admission::Replay(outcome(&[0, 1]))), "step {step}: {found:?}");
        allowed(*fence, end.is_some(), &found, &Admission::Replay(outcome(&[0, 1])), step);
        let (operation, fence, end) = &self.sealed;
        allowed(*fence, end.is_some(), &is(operation).await, &Admission::Replay(outcome(b"sealed")), step);
        let (operation, fence, end) = &self.given_up;
        allowed(*fence, end.is_some(), &is(operation).await, &Admission::Indeterminate, step);
        let (operation, fence, end) = &self.acknowledged;
        match is(operation).await {
            Admission::Expired => {}
            found => allowed(*fence, end.is_some(), &found, &Admission::Replay(outcome(b"sealed")), step),
        }
        let (operation, _, end) = &self.released;
        match is(operation).await {
            Admission::Granted(_) => {}
            found => assert!(end.is_none() && found == Admission::Indeterminate, "step {step}: {found:?}"),
        }
    }
}

/// What was told is so; what was not told is so or is not.
fn allowed(granted: Option<Fence>, ended: bool, found: &Admission, expected: &Admission, step: i64) {
    let is_allowed = match (granted, ended) {
        (Some(_), true) => found == expected,
        (Some(_), false) => found == expected || *found == Admission::Indeterminate,
        (None, _) => matches!(found, Admission::Granted(_) | Admission::Indeterminate),
    };
    assert!(is_allowed, "step {step}: granted {granted:?}, ended {ended}, found {found:?}");
}

#[tokio::test]
async fn a_store_that_is_opened_again_goes_on() {
    let directory = Directory::new();
    let store = directory.open().await;
    let operation = operation();
    run(&store, &operation).await;
    store.transaction(|tx| tx.execute_batch("COMMIT")).await.expect_err("it stops the store");
    store.close().await;
    let store = directory.open().await;
    assert_eq!(store.admit(&operation).await, Ok(Admission::Replay(outcome(b"sealed"))));
    grant(&store, &super::testing::operation()).await;
}

// The file system: SQLite's own, but for writes and syncs.

static SYSTEM: OnceLock<Pointer<ffi::sqlite3_vfs>> = OnceLock::new();
/// The methods of the kinds of files there are: SQLite's own, and those in their place.
static METHODS: Mutex<Vec<[Methods; 2]>> = Mutex::new(Vec::new());

type Methods = Pointer<ffi::sqlite3_io_methods>;

/// A pointer to what is never changed or freed.
struct Pointer<T>(*mut T);

// SAFETY: what it points to is never changed after it was made.
unsafe impl<T> Send for Pointer<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Pointer<T> {}

fn register() {
    // SAFETY: SQLite's own file system is there for ever; the copy is never freed.
    unsafe {
        let system = ffi::sqlite3_vfs_find(std::ptr::null());
        SYSTEM.get_or_init(|| Pointer(system));
        let name = CString::new(NAME).expect("no zero in it").into_raw();
        let failing = ffi::sqlite3_vfs { zName: name, pNext: std::ptr::null_mut(), xOpen: Some(open), ..*system };
        assert_eq!(ffi::sqlite3_vfs_register(Box::into_raw(Box::new(failing)), 0), ffi::SQLITE_OK);
    }
}

/// Whether this write or sync fails.
fn fails() -> bool {
    let before = LEFT.load(Ordering::SeqCst);
    match before {
        ..-1 => FOR_GOOD.load(Ordering::SeqCst),
        -1 => false,
        0 => {
            LEFT.store(-2, Ordering::SeqCst);
            true
        }
        _ => {
            LEFT.store(before - 1, Ordering::SeqCst);
            false
        }
    }
}

/// # Safety
///
/// SQLite calls it, as the method of a file system.
unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    let system = SYSTEM.get().expect("registered").0;
    // SAFETY: as SQLite promises of its arguments; the system's own is told its own name. A file that is open has methods,
    // which are for ever.
    unsafe {
        let opened = (*system).xOpen.expect("it opens files")(system, name, file, flags, out);
        let own = (*file).pMethods.cast_mut();
        if opened == ffi::SQLITE_OK && !own.is_null() {
            let mut methods = METHODS.lock().expect("no panic");
            let known = methods.iter().find(|[of_system, _]| of_system.0 == own).map(|[_, failing]| failing.0);
            (*file).pMethods = known.unwrap_or_else(|| {
                let failing = ffi::sqlite3_io_methods { xWrite: Some(write), xSync: Some(sync), ..*own };
                let failing = Box::into_raw(Box::new(failing));
                methods.push([Pointer(own), Pointer(failing)]);
                failing
            });
        }
        opened
    }
}

/// The system's own methods of a file.
///
/// # Safety
///
/// The file was opened by `open`.
unsafe fn methods_of(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_io_methods {
    // SAFETY: an open file has methods.
    let failing = unsafe { (*file).pMethods }.cast_mut();
    let methods = METHODS.lock().expect("no panic");
    methods.iter().find(|[_, known]| known.0 == failing).map(|[own, _]| own.0).expect("a kind of file that was opened")
}

/// # Safety
///
/// SQLite calls it, as the method of a file.
unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    data: *const c_void,
    len: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    if fails() {
        return ffi::SQLITE_IOERR_WRITE;
    }
    UNSYNCED.store(true, Ordering::SeqCst);
    // SAFETY: as SQLite promises of its arguments; the file was opened by the system's own.
    unsafe { (*methods_of(file)).xWrite.expect("it writes files")(file, data, len, at) }
}

/// # Safety
///
/// SQLite calls it, as the method of a file.
unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    if fails() {
        return ffi::SQLITE_IOERR_FSYNC;
    }
    UNSYNCED.store(false, Ordering::SeqCst);
    // SAFETY: as SQLite promises of its arguments; the file was opened by the system's own.
    unsafe { (*methods_of(file)).xSync.expect("it syncs files")(file, flags) }
}
