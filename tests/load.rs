//! Load between two processes: many calls in flight, long channels with slow readers, both directions at once.
//!
//! The second process is this test binary again, told by an environment variable to serve. It ends with its standard
//! input, so it never outlives the test that started it, however that ends.

// Resident memory is read from `/proc`.
#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use vox::{Client, RefusalCode, Rx, Server, Session, Tx};

const CALLS: u64 = 100_000;
const IN_FLIGHT: u64 = 64;
const ITEMS: u64 = 1_000_000;
/// The most memory that either process may ever have had resident, in KiB.
const MOST_RESIDENT: u64 = 64 << 10;
/// A slow reader pauses after this many items.
const PAUSE_EVERY: u64 = 4096;
const PAUSE: Duration = Duration::from_millis(1);
/// No part of a test takes longer.
const PATIENCE: Duration = Duration::from_secs(120);

#[vox::service]
trait Load {
    async fn echo(&self, number: u64) -> u64;
    /// Reads slowly, and says how many items came before the end, all in order.
    async fn upload(&self, numbers: Rx<u64>) -> Result<u64, String>;
    async fn download(&self, items: u64, numbers: Tx<u64>) -> Result<(), String>;
    /// The most memory, in KiB, that this process ever had resident.
    async fn resident(&self) -> u64;
}

#[vox::service]
trait Mirror {
    /// Calls the caller's own [`Load`] so many times, and adds up what it answers.
    async fn call_back(&self, cx: &vox::Context, calls: u64) -> Result<u64, String>;
    async fn negate(&self, number: i64) -> i64;
}

#[vox::service]
trait Unserved {
    async fn nothing(&self);
}

struct Bench;

impl Load for Bench {
    async fn echo(&self, number: u64) -> u64 {
        number
    }

    async fn upload(&self, mut numbers: Rx<u64>) -> Result<u64, String> {
        read_slowly(&mut numbers).await
    }

    async fn download(&self, items: u64, numbers: Tx<u64>) -> Result<(), String> {
        send(&numbers, items).await?;
        numbers.close();
        Ok(())
    }

    async fn resident(&self) -> u64 {
        most_resident()
    }
}

impl Mirror for Bench {
    async fn call_back(&self, cx: &vox::Context, calls: u64) -> Result<u64, String> {
        let load: LoadClient = cx.session().open().await.map_err(|error| error.to_string())?;
        let mut sum = 0;
        for number in 0..calls {
            sum += load.echo(number).await.map_err(|error| error.to_string())?;
        }
        Ok(sum)
    }

    async fn negate(&self, number: i64) -> i64 {
        -number
    }
}

async fn send(numbers: &Tx<u64>, items: u64) -> Result<(), String> {
    for item in 0..items {
        numbers.send(item).await.map_err(|error| format!("item {item}: {error}"))?;
    }
    Ok(())
}

/// Takes items more slowly than they are sent. Gives how many there were; each must be one more than the last.
async fn read_slowly(numbers: &mut Rx<u64>) -> Result<u64, String> {
    let mut next = 0;
    while let Some(item) = numbers.recv().await.map_err(|error| format!("after {next} items: {error}"))? {
        if item != next {
            return Err(format!("item {item} where {next} was due"));
        }
        next += 1;
        if next % PAUSE_EVERY == 0 {
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(next)
}

/// The most memory, in KiB, that this process ever had resident.
fn most_resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this system has /proc");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a high-water mark");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number of KiB")
}

// ---- the second process ----

const LINK: &str = "VOX_LOAD_TEST_LINK";
const SERVING: &str = "serving at ";

/// Not a test of its own: what the second process runs.
#[test]
fn the_second_process() {
    let Ok(address) = std::env::var(LINK) else { return };
    run(async {
        let server = Server::builder().service(LoadDispatcher::new(Bench)).service(MirrorDispatcher::new(Bench));
        let server = server.bind(address).await.expect("the address is free");
        println!("\n{SERVING}{}", server.address());
        let (over, ended) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            let _ = over.send(());
        });
        let _ = ended.await;
    });
}

/// The second process, for as long as it is held.
struct Peer {
    process: Child,
    address: String,
    socket: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy)]
enum Link {
    Tcp,
    Unix,
}

impl Peer {
    fn start(link: Link) -> Self {
        let (address, socket) = match link {
            Link::Tcp => ("tcp://127.0.0.1:0".to_owned(), None),
            Link::Unix => {
                let name = format!("vox-load-{}-{:?}.sock", std::process::id(), std::thread::current().id());
                let path = std::env::temp_dir().join(name.replace(['(', ')'], ""));
                (format!("unix://{}", path.display()), Some(path))
            }
        };
        let mut process = Command::new(std::env::current_exe().expect("this binary has a path"))
            .args(["the_second_process", "--exact", "--nocapture"])
            .env(LINK, address)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this binary runs");
        let said = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut peer = Self { process, address: String::new(), socket };
        let address = said.lines().map_while(Result::ok).find_map(|line| line.strip_prefix(SERVING).map(str::to_owned));
        peer.address = address.expect("the second process serves");
        peer
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(path) = &self.socket {
            let _ = std::fs::remove_file(path);
        }
    }
}

// ---- the tests ----

fn run(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(PATIENCE, work).await.expect("it is done in time") });
}

/// Runs `work` against a second process, and checks what both have had resident.
fn check(link: Link, work: impl AsyncFn(&LoadClient)) {
    let peer = Peer::start(link);
    run(async {
        let client: LoadClient = vox::connect(&peer.address).await.expect("the second process serves");
        let began = Instant::now();
        work(&client).await;
        let took = began.elapsed();
        let (here, there) = (most_resident(), client.resident().await.expect("an answer"));
        println!("{link:?}: {took:.1?}, most resident: {here} KiB here, {there} KiB there");
        assert!(here < MOST_RESIDENT, "{here} KiB resident here");
        assert!(there < MOST_RESIDENT, "{there} KiB resident there");
    });
}

async fn many_calls(client: &LoadClient) {
    let callers = (0..IN_FLIGHT).map(|caller| {
        let client = client.clone();
        tokio::spawn(async move {
            let mut answered = 0;
            for number in (caller..CALLS).step_by(IN_FLIGHT as usize) {
                assert_eq!(client.echo(number).await, Ok(number));
                answered += 1;
            }
            answered
        })
    });
    let mut answered = 0;
    for caller in callers.collect::<Vec<_>>() {
        answered += caller.await.expect("every answer is right");
    }
    assert_eq!(answered, CALLS);
}

async fn long_channels(client: &LoadClient) {
    let (up, taken) = vox::channel();
    let (given, mut down) = vox::channel();
    let uploading = tokio::spawn(client.upload(taken).into_future());
    let downloading = tokio::spawn(client.download(ITEMS, given).into_future());
    let sending = tokio::spawn(async move {
        let sent = send(&up, ITEMS).await;
        up.close();
        sent
    });
    assert_eq!(read_slowly(&mut down).await, Ok(ITEMS));
    assert_eq!(sending.await.expect("no panic"), Ok(()));
    assert_eq!(uploading.await.expect("no panic"), Ok(ITEMS));
    assert_eq!(downloading.await.expect("no panic"), Ok(()));
}

#[test]
fn a_hundred_thousand_calls_over_tcp() {
    check(Link::Tcp, many_calls);
}

#[test]
fn a_hundred_thousand_calls_over_a_unix_socket() {
    check(Link::Unix, many_calls);
}

#[test]
fn a_million_items_each_way_to_slow_readers_over_tcp() {
    check(Link::Tcp, long_channels);
}

#[test]
fn a_million_items_each_way_to_slow_readers_over_a_unix_socket() {
    check(Link::Unix, long_channels);
}

#[test]
fn two_services_both_ways_at_once_on_one_session() {
    const EACH: u64 = 2_000;
    for link in [Link::Tcp, Link::Unix] {
        let peer = Peer::start(link);
        run(async {
            let session = Session::connect(&peer.address).serving(LoadDispatcher::new(Bench));
            let session = session.await.expect("the second process serves");
            let load: LoadClient = session.open().await.expect("it serves Load");
            let mirror: MirrorClient = session.open().await.expect("it serves Mirror");
            let calling_back = tokio::spawn(mirror.call_back(EACH).into_future());
            for number in 0..EACH {
                assert_eq!(load.echo(number).await, Ok(number));
                assert_eq!(mirror.negate(number as i64).await, Ok(-(number as i64)));
            }
            assert_eq!(calling_back.await.expect("no panic"), Ok(EACH * (EACH - 1) / 2));
        });
    }
}

#[test]
fn an_unknown_service_is_refused_with_a_reason() {
    for link in [Link::Tcp, Link::Unix] {
        let peer = Peer::start(link);
        run(async {
            let session = Session::connect(&peer.address).await.expect("the second process serves");
            let error = session.open::<UnservedClient>().await.expect_err("nobody serves it");
            let vox::OpenError::Refused { refusal, .. } = &error else { panic!("{error}") };
            assert_eq!(refusal.code, RefusalCode::UnknownService);
            assert!(error.to_string().contains("no service `Unserved` here; served: Load, Mirror"), "{error}");
            // The session is none the worse for it.
            let load: LoadClient = session.open().await.expect("it serves Load");
            assert_eq!(load.echo(7).await, Ok(7));
            assert_eq!(load.caller().peer().address(), session.peer().address());
        });
    }
}
