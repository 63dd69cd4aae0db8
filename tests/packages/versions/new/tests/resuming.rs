//! Two versions talk while their link is cut: a call and a stream each way go on over the next link, and each value is what the reader's version makes
//! of it.
//!
//! In memory the link is cut at each byte in turn. Two processes are this binary twice: the second is told by an environment
//! variable to be the old version, and ends with its standard input.

#[path = "../../../../support/cable.rs"]
#[allow(dead_code, unreachable_pub, reason = "other tests use the rest")]
mod cable;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cable::{Cable, WHOLE};
use package_versions_case::{ITEMS, Stage};
use package_versions_new::ledger as new;
use package_versions_old::ledger as old;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use vox::Server;

/// What a client has of a talk.
type Told = [Vec<String>; 3];

/// What a new client has of an old server, whether or not the link is cut.
fn expected_of_new() -> Told {
    [
        vec![new::entry_back(1000)],
        (0..ITEMS).map(old::entry_there).collect(),
        (0..ITEMS).map(new::entry_there).collect(),
    ]
}

/// And an old client of a new server.
fn expected_of_old() -> Told {
    [
        vec![old::entry_back(1000)],
        (0..ITEMS).map(new::entry_there).collect(),
        (0..ITEMS).map(old::entry_there).collect(),
    ]
}

fn old_server() -> Server {
    let book = old::Book(Stage::new(|| ()));
    Server::builder().service(old::LedgerDispatcher::new(book)).start().expect("a server")
}

fn new_server() -> Server {
    let book = new::Book(Stage::new(|| ()));
    Server::builder().service(new::LedgerDispatcher::new(book)).start().expect("a server")
}

/// The first links are so long, in one direction.
fn cut(cable: &Cable, at: usize, down: bool) {
    let length = |at| if down { (usize::MAX, at) } else { (at, usize::MAX) };
    cable.lengths(vec![length(at), length(at / 2 + 40), length(at % 400 + 40), WHOLE]);
}

/// Wherever the first link is cut after the handshake, in the exchange of contracts too.
#[tokio::test(start_paused = true)]
async fn a_link_cut_at_any_byte_changes_nothing_of_what_is_read() {
    // Past the handshake and the contracts, here and there.
    let places = (0..700).chain((700..6_000).step_by(29));
    let (mut talks, mut most) = (0, 0);
    for at in places {
        for down in [false, true] {
            let cable = Cable::to(old_server());
            cut(&cable, at, down);
            // A link that ends in the handshake is no session yet.
            if let Ok(ledger) = vox::connect(cable.connector()).await {
                assert_eq!(new::talk(ledger, || ()).await, expected_of_new(), "cut at {at}, {down}");
                most = most.max(cable.links());
                talks += 1;
            }
            let cable = Cable::to(new_server());
            cut(&cable, at, down);
            if let Ok(ledger) = vox::connect(cable.connector()).await {
                assert_eq!(old::talk(ledger, || ()).await, expected_of_old(), "cut at {at}, {down}");
                most = most.max(cable.links());
                talks += 1;
            }
        }
    }
    assert!(talks > 3_000 && most >= 4, "{talks} talks, over {most} links at most");
}

/// What tells a process what it is, and where the other one is.
const ROLE: &str = "VOX_VERSIONS_ROLE";
const SERVER: &str = "server";
const CLIENT: &str = "client of ";
/// What stands before what a process says.
const SAYS: &str = "says ";
/// No talk takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs as the second process, where it is one.
#[tokio::test]
async fn the_second_process() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let end = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    if role == SERVER {
        let book = old::Book(Stage::new(|| ()));
        let builder = Server::builder().service(old::LedgerDispatcher::new(book));
        let server = builder.bind("tcp://127.0.0.1:0").await.expect("bound");
        say(&server.address());
        let _ = end.await;
    } else {
        let address = role.strip_prefix(CLIENT).expect("a role");
        let ledger = vox::connect(address).await.expect("connected");
        for part in old::talk(ledger, || ()).await {
            part.iter().for_each(|line| say(line));
        }
        drop(end);
        std::process::exit(0);
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{SAYS}{line}").and_then(|()| out.flush()).expect("the first process listens");
}

/// The second process. It ends with this.
struct Second(Child, Option<BufReader<ChildStdout>>);

impl Second {
    fn start(role: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().expect("this binary has a path"))
            .args(["the_second_process", "--exact", "--nocapture"])
            .env(ROLE, role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this binary runs");
        let said = BufReader::new(process.stdout.take().expect("a pipe"));
        Self(process, Some(said))
    }

    /// The next lines that it says.
    fn said(&mut self, lines: usize) -> Vec<String> {
        let said = self.1.as_mut().expect("nobody else reads it").lines().map_while(Result::ok);
        // The harness may have begun the first line.
        said.filter_map(|line| Some(line.split_once(SAYS)?.1.to_owned())).take(lines).collect()
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A place that leads to a server, by links that can be cut.
struct Flow {
    address: String,
    cut: Arc<Notify>,
    links: Arc<AtomicUsize>,
}

impl Flow {
    async fn to(server: String, cut: Arc<Notify>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = format!("tcp://{}", listener.local_addr().expect("an address"));
        let server = server.strip_prefix("tcp://").expect("over TCP").to_owned();
        let links = Arc::new(AtomicUsize::new(0));
        let way = Self { address, cut: Arc::clone(&cut), links: Arc::clone(&links) };
        tokio::spawn(async move {
            loop {
                let (mut near, _) = listener.accept().await.expect("a link");
                let mut far = TcpStream::connect(&server).await.expect("the server listens");
                links.fetch_add(1, Ordering::SeqCst);
                let cut = Arc::clone(&cut);
                tokio::spawn(async move {
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        () = cut.notified() => {}
                    }
                });
            }
        });
        way
    }
}

#[tokio::test]
async fn a_new_process_talks_to_an_old_one_over_a_resume() {
    let mut second = Second::start(SERVER);
    let way = Flow::to(second.said(1).remove(0), Arc::default()).await;
    let ledger = vox::connect(way.address.as_str()).await.expect("connected");
    let talk = new::talk(ledger, || way.cut.notify_waiters());
    let told = tokio::time::timeout(PATIENCE, talk).await.expect("it is done in time");
    assert_eq!(told, expected_of_new());
    assert_eq!(way.links.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_old_process_talks_to_a_new_one_over_a_resume() {
    let cut = Arc::new(Notify::new());
    let cutter = Arc::clone(&cut);
    let book = new::Book(Stage::new(move || cutter.notify_waiters()));
    let builder = Server::builder().service(new::LedgerDispatcher::new(book));
    let server = builder.bind("tcp://127.0.0.1:0").await.expect("bound");
    let way = Flow::to(server.address(), cut).await;
    let mut second = Second::start(&format!("{CLIENT}{}", way.address));
    let lines = 1 + 2 * ITEMS as usize;
    let talk = tokio::task::spawn_blocking(move || second.said(lines));
    let told = tokio::time::timeout(PATIENCE, talk).await.expect("it is done in time").expect("no panic");
    assert_eq!(told, expected_of_old().concat());
    assert_eq!(way.links.load(Ordering::SeqCst), 2);
}
