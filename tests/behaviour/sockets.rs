//! Where a server listens: who owns the file of a Unix socket, and what an address that cannot be had is told.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use vox::{ServeError, Server};

use crate::lab::{Bench, LabClient, LabDispatcher};

/// A folder of a test's own, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vox-sockets-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("the folder");
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("ours")).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

async fn bind(address: &str) -> Result<Server, ServeError> {
    Server::builder().service(LabDispatcher::new(Bench::default())).bind(address).await
}

async fn listen(path: &Path) -> Result<Server, ServeError> {
    bind(&format!("unix://{}", path.display())).await
}

async fn answers(path: &Path) {
    let lab: LabClient = vox::connect(format!("unix://{}", path.display())).await.expect("somebody listens");
    assert_eq!(lab.echo(3).await, Ok(3));
}

/// A socket file that nobody listens on: what a process leaves behind that was killed.
fn stale(path: &Path) {
    drop(std::os::unix::net::UnixListener::bind(path).expect("the path is free"));
}

/// Whether this is the system's "address in use", about this path.
fn is_taken(error: &ServeError, path: &Path) -> bool {
    let in_use = matches!(error, ServeError::Listen { error, .. } if error.kind() == std::io::ErrorKind::AddrInUse);
    let text = error.to_string();
    in_use && text.contains("Address already in use") && text.contains(&*path.to_string_lossy())
}

#[tokio::test]
async fn a_socket_that_was_renamed_over_a_servers_own_outlives_that_server() {
    let folder = Folder::new("renamed");
    let (path, next) = (folder.path("socket"), folder.path("next"));
    let old = listen(&path).await.expect("the path is free");
    let new = listen(&next).await.expect("the path is free");
    fs::rename(&next, &path).expect("one folder");
    old.shutdown(Duration::ZERO).await;
    answers(&path).await;
    drop(new);
}

#[tokio::test]
async fn a_socket_that_was_bound_after_the_file_was_unlinked_outlives_the_old_server() {
    let folder = Folder::new("unlinked");
    let path = folder.path("socket");
    let old = listen(&path).await.expect("the path is free");
    fs::remove_file(&path).expect("its file");
    let new = listen(&path).await.expect("the path is free again");
    old.shutdown(Duration::ZERO).await;
    answers(&path).await;
    new.shutdown(Duration::ZERO).await;
    assert_eq!(folder.names(), Vec::<String>::new(), "what is its own it takes along");
}

#[tokio::test]
async fn what_took_the_place_of_a_socket_is_left_alone_whatever_it_is() {
    let folder = Folder::new("other");
    let path = folder.path("socket");
    let old = listen(&path).await.expect("the path is free");
    fs::remove_file(&path).expect("its file");
    fs::write(&path, "mine").expect("a file");
    old.shutdown(Duration::ZERO).await;
    assert_eq!(fs::read_to_string(&path).expect("still there"), "mine");
}

/// Two that start at once on one path, over and over: on a free one, and on one that a killed process has left behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_that_start_at_once_one_listens_and_the_other_is_told() {
    let folder = Folder::new("twice");
    for round in 0..300 {
        let path = folder.path(round.to_string());
        if round % 3 != 0 {
            stale(&path);
        }
        let start = || {
            let path = path.clone();
            tokio::spawn(async move { listen(&path).await })
        };
        let (one, two) = (start(), start());
        match (one.await.expect("no panic"), two.await.expect("no panic")) {
            (Ok(server), Err(error)) | (Err(error), Ok(server)) => {
                assert!(is_taken(&error, &path), "{error}");
                answers(&path).await;
                drop(server);
            }
            (one, two) => panic!("round {round}: {one:?}, {two:?}"),
        }
    }
}

/// One ends while the next starts, over and over: the next is refused or listens, and if it listens it is found.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_starts_while_another_ends_is_found_if_it_listens() {
    let folder = Folder::new("handover");
    let path = folder.path("socket");
    let mut old = listen(&path).await.expect("the path is free");
    for _ in 0..300 {
        let start = {
            let path = path.clone();
            tokio::spawn(async move { listen(&path).await })
        };
        old.shutdown(Duration::ZERO).await;
        old = match start.await.expect("no panic") {
            Ok(new) => new,
            Err(error) => {
                assert!(is_taken(&error, &path), "{error}");
                listen(&path).await.expect("the old one has ended")
            }
        };
        answers(&path).await;
    }
}

/// A process that was killed between any two steps leaves a stale socket, an unlocked lock file, or both.
#[tokio::test]
async fn what_a_process_leaves_that_was_killed_while_it_started_keeps_nobody_out() {
    let folder = Folder::new("killed");
    for (socket, lock) in [(true, true), (false, true), (true, false)] {
        let path = folder.path("socket");
        if socket {
            stale(&path);
        }
        if lock {
            fs::write(folder.path("socket.lock"), "").expect("a file");
        }
        let server = listen(&path).await.expect("nobody else is there");
        answers(&path).await;
        server.shutdown(Duration::ZERO).await;
        assert_eq!(folder.names(), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_still_starting_is_waited_for() {
    let folder = Folder::new("starting");
    let path = folder.path("socket");
    let lock = fs::File::create(folder.path("socket.lock")).expect("a file");
    lock.lock().expect("nobody has it");
    let starting = {
        let path = path.clone();
        tokio::spawn(async move { listen(&path).await })
    };
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!path.exists(), "it was not its turn");
    drop(lock);
    let server = starting.await.expect("no panic").expect("its turn has come");
    answers(&path).await;
    drop(server);
}

#[tokio::test]
async fn an_address_that_cannot_be_had_is_named_with_the_reason() {
    let folder = Folder::new("errors");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let tcp = format!("tcp://{}", taken.local_addr().expect("bound"));
    let live = folder.path("live");
    let unix = format!("unix://{}", live.display());
    let _live = listen(&live).await.expect("the path is free");
    let _memory = bind("mem://sockets-errors").await.expect("the name is free");
    let missing = format!("unix://{}/no/such/folder/x", folder.0.display());
    let (text, below) = (folder.path("text"), folder.path("below"));
    fs::write(&text, "mine").expect("a file");
    fs::create_dir(&below).expect("a folder");
    let (text_address, below) = (format!("unix://{}", text.display()), format!("unix://{}", below.display()));
    for (address, why) in [
        (text_address.as_str(), "a file is there that is no socket"),
        (&below, "a folder is there that is no socket"),
        (&tcp, "Address already in use"),
        (&unix, "Address already in use"),
        ("mem://sockets-errors", "Address already in use"),
        (&missing, "No such file or directory"),
        ("tcp://192.0.2.1:1", "Cannot assign requested address"),
    ] {
        let error = bind(address).await.expect_err("it cannot be had");
        assert!(error.to_string().starts_with(&format!("cannot listen on {address}: {why}")), "{error}");
        let mut source = std::error::Error::source(&error);
        while let Some(error) = source {
            assert!(!error.to_string().contains(why), "said twice: {error}");
            source = error.source();
        }
    }
    assert_eq!(fs::read_to_string(&text).expect("still there"), "mine");
}

/// Nobody awaits anything in between: the address is free when the server is gone.
#[tokio::test]
async fn an_address_is_free_at_once_when_its_server_is_dropped() {
    let folder = Folder::new("dropped");
    let tcp = bind("tcp://127.0.0.1:0").await.expect("a port is free");
    let addresses =
        [tcp.address(), "mem://sockets-dropped".to_owned(), format!("unix://{}", folder.path("a").display())];
    drop(tcp);
    for address in &addresses {
        for round in 0..3 {
            let server = bind(address).await.unwrap_or_else(|error| panic!("round {round}: {error}"));
            drop(server);
        }
        assert!(vox::connect::<LabClient>(address).await.is_err(), "nobody listens");
        let server = bind(address).await.expect("it is free");
        let lab: LabClient = vox::connect(address).await.expect("somebody listens");
        assert_eq!(lab.echo(5).await, Ok(5));
        drop(server);
    }
    assert_eq!(folder.names(), Vec::<String>::new());
}

/// The server is held on elsewhere, and nobody accepts any more.
#[test]
fn an_address_is_free_when_the_runtime_of_its_server_is_gone() {
    let folder = Folder::new("runtime");
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for address in ["mem://sockets-runtime".to_owned(), format!("unix://{}", folder.path("a").display())] {
        let (first, second) = (runtime(), runtime());
        let server = first.block_on(bind(&address)).expect("it is free");
        drop(first);
        let next = second.block_on(bind(&address)).expect("it is free again");
        drop(server);
        let lab: LabClient = second.block_on(async { vox::connect(&address).await }).expect("the next one listens");
        assert_eq!(second.block_on(async { lab.echo(5).await }), Ok(5));
        drop(next);
    }
}
