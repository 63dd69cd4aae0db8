//! Processes that are killed while they use the store.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::SqliteStore;
use super::testing::{Directory, TRANSFER, handle, of, totals};
use crate::operation::{Admission, NewOperation, OperationId, Outcome};
use crate::store::OperationStore;

/// Where a child finds what to do.
const DIRECTORY: &str = "VOX_STORE_CRASH_DIRECTORY";
/// Whether it writes the effect and the outcome in one transaction.
const TOGETHER: &str = "VOX_STORE_CRASH_TOGETHER";

/// Which operations it runs: those of a round, or all.
const ROUND: &str = "VOX_STORE_CRASH_ROUND";

/// How often two processes are killed, and how many operations they have to run each time.
const ROUNDS: usize = 12;
const OPERATIONS: usize = 64;

#[tokio::test]
async fn killed_processes_leave_effect_and_outcome_or_neither() {
    let audit = torture(true).await;
    for (admission, effects) in audit {
        match admission {
            Admission::Replay(_) => assert_eq!(effects, 1),
            Admission::Indeterminate => assert_eq!(effects, 0),
            other => panic!("an operation that every child attempted is answered {other:?}"),
        }
    }
}

#[tokio::test]
async fn killed_processes_run_nothing_twice_where_the_effect_is_written_apart() {
    let audit = torture(false).await;
    for (admission, effects) in audit {
        match admission {
            Admission::Replay(_) => assert_eq!(effects, 1),
            Admission::Indeterminate => assert!(effects <= 1),
            other => panic!("an operation that every child attempted is answered {other:?}"),
        }
    }
}

/// Has two processes at a time run the same operations through the same database, and kills them, again and again. Gives
/// what the store says in the end of each operation, and how often its effect is there.
async fn torture(together: bool) -> Vec<(Admission, usize)> {
    let directory = Directory::new();
    let ids: Vec<OperationId> = (0..ROUNDS * OPERATIONS).map(|_| OperationId::new()).collect();
    let list: String = ids.iter().map(|id| format!("{id}\n")).collect();
    std::fs::write(directory.path("ids"), list).expect("written");
    let store = directory.open().await;
    store.transaction(|tx| tx.execute_batch("CREATE TABLE effect (id TEXT)")).await.expect("made");
    store.close().await;

    let mut answered = HashSet::new();
    let mut random = Random(if together { 1 } else { 2 });
    for round in 0..ROUNDS {
        let mut children = [(); 2].map(|()| Running::start(&directory, together, &round.to_string()));
        children.iter_mut().for_each(Running::go);
        let [first, second] = &mut children;
        first.read(random.below(OPERATIONS / 4), &mut answered);
        // SIGKILL, wherever they are.
        first.child.kill().expect("killed");
        second.child.kill().expect("killed");
        for mut child in children {
            // What they had said.
            child.read(usize::MAX, &mut answered);
            child.child.wait().expect("it ends");
        }
    }
    assert!(answered.len() < ids.len(), "they were killed while they had something to do");
    // These attempt all, and run to their end.
    let mut children = [(); 2].map(|()| Running::start(&directory, together, "all"));
    children.iter_mut().for_each(Running::go);
    for mut child in children {
        child.read(usize::MAX, &mut answered);
        let status = child.child.wait().expect("it ends");
        assert!(status.success(), "{status}");
    }

    let store = directory.open().await;
    let owners = std::fs::read_dir(directory.path("")).expect("a directory");
    let owners = owners.filter(|entry| format!("{entry:?}").contains(".owner-")).count();
    assert_eq!(owners, 1, "the files of the killed are gone");
    totals(&store).await;
    let mut audit = Vec::new();
    let (mut replays, ids_len) = (0, ids.len());
    for id in ids {
        let admission = store.admit(&attempt(id)).await.expect("an answer");
        let text = id.to_string();
        let effects = store.transaction(move |tx| {
            tx.query_row("SELECT count(*) FROM effect WHERE id = ?1", (text,), |row| row.get::<_, i64>(0))
        });
        if answered.contains(&id) {
            assert!(matches!(admission, Admission::Replay(_)), "an answer was given and is gone: {admission:?}");
        }
        replays += usize::from(matches!(admission, Admission::Replay(_)));
        audit.push((admission, usize::try_from(effects.await.expect("counted")).expect("a count")));
    }
    assert!(replays > ids_len / 2 && replays < ids_len, "most have run to their end, and some were killed: {replays}");
    audit
}

fn attempt(id: OperationId) -> NewOperation {
    of(id, "acme")
}

struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    fn start(directory: &Directory, together: bool, round: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["store::sqlite::crash::child", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
            .env(DIRECTORY, directory.path(""))
            .env(TOGETHER, together.to_string())
            .env(ROUND, round)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, lines }
    }

    /// Lets it begin when it has opened the store.
    fn go(&mut self) {
        let mut line = String::new();
        while !line.ends_with("ready\n") {
            line.clear();
            assert!(self.lines.read_line(&mut line).is_ok_and(|len| len > 0), "it did not open the store");
        }
        self.child.stdin.take().expect("piped").write_all(b"go\n").expect("it listens");
    }

    /// Reads up to so many answers.
    fn read(&mut self, mut lines: usize, answered: &mut HashSet<OperationId>) {
        let mut line = String::new();
        while lines > 0 && self.lines.read_line(&mut line).is_ok_and(|len| len > 0) {
            // A line that was cut by the kill says nothing.
            if let Some(id) = line.strip_prefix("answered ").and_then(|rest| rest.strip_suffix('\n')) {
                answered.insert(id.parse().expect("an id"));
                lines -= 1;
            }
            line.clear();
        }
    }
}

/// Numbers that are the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % end
    }
}

/// What is killed.
#[tokio::test]
#[ignore = "a process of its own"]
async fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY).map(std::path::PathBuf::from) else { return };
    let together = std::env::var(TOGETHER).is_ok_and(|together| together == "true");
    let ids = std::fs::read_to_string(directory.join("ids")).expect("the ids");
    let ids: Vec<OperationId> = ids.lines().map(|line| line.parse().expect("an id")).collect();
    let round = std::env::var(ROUND).expect("which").parse::<usize>();
    let ids = Arc::new(round.map_or(ids.clone(), |round| ids[round * OPERATIONS..][..OPERATIONS].to_vec()));
    let store = Arc::new(SqliteStore::open(directory.join("a.db")).shared().await.expect("it opens"));
    println!("ready");
    std::io::stdin().lock().read_line(&mut String::new()).expect("go");
    let next = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let (ids, store, next) = (Arc::clone(&ids), Arc::clone(&store), Arc::clone(&next));
            tokio::spawn(async move {
                while let Some(&id) = ids.get(next.fetch_add(1, Ordering::Relaxed)) {
                    call(&store, id, together).await;
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.expect("no panic");
    }
    store.close().await;
}

/// An attempt at an operation, as the runtime makes it.
async fn call(store: &SqliteStore, id: OperationId, together: bool) {
    let operation = attempt(id);
    let fence = match store.admit(&operation).await.expect("an answer") {
        Admission::Granted(fence) => fence,
        Admission::Replay(_) | Admission::Indeterminate | Admission::Running => return,
        other => panic!("{other:?}"),
    };
    let of_handler = handle(&operation, fence);
    let effect = store.transaction(move |tx| {
        tx.execute("INSERT INTO effect VALUES (?1)", (id.to_string(),)).expect("inserted");
        match together {
            true => SqliteStore::seal_in(tx, &of_handler, &Ok::<u64, String>(1)),
            false => Ok(()),
        }
    });
    effect.await.expect("written");
    let outcome = Outcome { bytes: bytes::Bytes::from_static(&[0, 1]), schema: TRANSFER.schema() };
    assert_eq!(store.seal(&operation.key, fence, outcome.clone()).await, Ok(outcome));
    println!("answered {id}");
}
