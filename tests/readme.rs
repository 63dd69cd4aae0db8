//! What the README and the guide show and promise is what there is.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;
use vox::transport::Link;
use vox::{NotSent, Ran, RecvError, Rx, SendError, Tx, VoxError};

const README: &str = include_str!("../README.md");
const GUIDE: &str = include_str!("../docs/guide.md");
const HELLO: &str = include_str!("../examples/hello.rs");
const CI: &str = include_str!("../.ci/run");
const HERE: &str = include_str!("readme.rs");

type Tested = Result<(), Box<dyn Error>>;

#[test]
fn the_program_in_the_readme_is_the_example() {
    assert_eq!(blocks(README, "rust"), [HELLO], "README.md and examples/hello.rs differ");
    assert!(HELLO.lines().count() <= 25, "hello is meant to be short");
}

#[test]
fn ci_runs_the_commands_of_the_readme() {
    let commands: Vec<&str> = blocks(README, "console")[0].lines().filter_map(|line| line.strip_prefix("$ ")).collect();
    assert_eq!(commands, ["cargo run --example tour", "cargo test --workspace"]);
    for command in commands {
        assert!(CI.contains(command), ".ci/run does not run `{command}`");
    }
}

#[test]
fn the_code_in_the_guide_is_tested_here() {
    let flat = |text: &str| text.lines().map(str::trim).collect::<Vec<_>>().join("\n");
    for block in blocks(GUIDE, "rust") {
        assert!(flat(HERE).contains(flat(block).trim()), "the guide shows what is not tested:\n{block}");
    }
}

#[test]
fn every_dependency_has_its_reason() {
    let reasons = include_str!("../docs/dependencies.md");
    let manifests = [
        include_str!("../Cargo.toml"),
        include_str!("../vox-runtime/Cargo.toml"),
        include_str!("../vox-codegen/Cargo.toml"),
        include_str!("../vox-macros/Cargo.toml"),
        include_str!("../bench/Cargo.toml"),
    ];
    for manifest in manifests {
        let mut of_dependencies = false;
        for line in manifest.lines() {
            if line.starts_with('[') {
                of_dependencies = line.ends_with("dependencies]");
            } else if let Some((name, _)) =
                line.split_once(['=', '.']).filter(|_| of_dependencies && !line.starts_with('#'))
            {
                let name = name.trim();
                let known = name.starts_with("vox") || reasons.contains(&format!("`{name}`"));
                assert!(known, "docs/dependencies.md has no reason for `{name}`");
            }
        }
    }
}

/// The code blocks of a language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[vox::service]
trait Lab {
    async fn double(&self, n: i64) -> i64;
    async fn length(&self, text: &str) -> u64;
    async fn long(&self, bytes: u32) -> String;
    async fn sleep(&self, millis: u64);
    #[vox(timeout = "50ms")]
    async fn nap(&self, millis: u64);
    #[vox(persist)]
    async fn settle(&self, millis: u64);
    async fn explode(&self);
    async fn ask_back(&self, cx: &vox::Context) -> bool;
    async fn sum(&self, numbers: Rx<u64>) -> u64;
    async fn count_and_explode(&self, numbers: Tx<u64>);
    async fn keep(&self, numbers: Tx<u64>);
    async fn ignore(&self, numbers: Rx<u64>);
}

#[derive(Clone, Default)]
struct Bench {
    /// A handler sleeps.
    sleeping: Arc<AtomicBool>,
    settled: Arc<AtomicBool>,
    kept: Arc<std::sync::Mutex<Vec<Tx<u64>>>>,
}

impl Lab for Bench {
    async fn double(&self, n: i64) -> i64 {
        2 * n
    }
    async fn length(&self, text: &str) -> u64 {
        text.len() as u64
    }
    async fn long(&self, bytes: u32) -> String {
        "x".repeat(bytes as usize)
    }
    async fn sleep(&self, millis: u64) {
        let _asleep = Asleep::new(&self.sleeping);
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
    async fn nap(&self, millis: u64) {
        self.sleep(millis).await;
    }
    async fn settle(&self, millis: u64) {
        self.sleep(millis).await;
        self.settled.store(true, SeqCst);
    }
    async fn explode(&self) {
        panic!("on purpose")
    }
    async fn ask_back(&self, cx: &vox::Context) -> bool {
        let lab: LabClient = cx.session().open().await.expect("the caller serves it too");
        let error = lab.sleep(60_000).timeout(Duration::from_secs(60)).await;
        error == Err(VoxError::DeadlineExceeded)
    }
    async fn sum(&self, mut numbers: Rx<u64>) -> u64 {
        let mut sum = 0;
        while let Ok(Some(n)) = numbers.recv().await {
            sum += n;
        }
        sum
    }
    async fn count_and_explode(&self, numbers: Tx<u64>) {
        for n in 0..3 {
            let _ = numbers.send(n).await;
        }
        panic!("on purpose")
    }
    async fn keep(&self, numbers: Tx<u64>) {
        self.kept.lock().expect("not poisoned").push(numbers);
    }
    async fn ignore(&self, _numbers: Rx<u64>) {}
}

struct Asleep(Arc<AtomicBool>);

impl Asleep {
    fn new(sleeping: &Arc<AtomicBool>) -> Self {
        sleeping.store(true, SeqCst);
        Self(Arc::clone(sleeping))
    }
}

impl Drop for Asleep {
    fn drop(&mut self) {
        self.0.store(false, SeqCst);
    }
}

/// A client of `bench` over a link that is cut when the task is aborted.
async fn over_a_cable(bench: &Bench) -> Result<(LabClient, JoinHandle<()>), Box<dyn Error>> {
    let ((ours, mut left), (mut right, theirs)) = (tokio::io::duplex(4096), tokio::io::duplex(4096));
    let link = |end: DuplexStream| Link::new(end, "a cable");
    let cable = tokio::spawn(async move {
        let _ = tokio::io::copy_bidirectional(&mut left, &mut right).await;
    });
    tokio::spawn(vox::serve(link(theirs), LabDispatcher::new(bench.clone())));
    Ok((vox::connect(link(ours)).serving(LabDispatcher::new(bench.clone())).await?, cable))
}

async fn until(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("it happens within ten seconds");
}

// proves: guide.deadline, guide.deadline.stops
#[tokio::test]
async fn its_time_is_up() -> Tested {
    let bench = Bench::default();
    let (lab, _cable) = over_a_cable(&bench).await?;
    let sleeping = &bench.sleeping;

    let error = lab.sleep(60_000).timeout(Duration::from_millis(50)).await.expect_err("a minute is too long");
    assert_eq!(error, VoxError::DeadlineExceeded);

    assert_eq!(error.ran(), Ran::Unknown);
    until(|| !sleeping.load(SeqCst)).await;
    assert_eq!(lab.nap(60_000).await, Err(VoxError::DeadlineExceeded));
    until(|| !sleeping.load(SeqCst)).await;

    let told = match error.ran() {
        Ran::No => "it did not, and will not: try again",
        Ran::Yes => "it did, to its end",
        Ran::Unknown => "it may have: find out, or make it safe to run twice",
    };
    assert!(told.starts_with("it may have"));
    Ok(())
}

// proves: guide.deadline.nested
#[tokio::test]
async fn a_call_inside_a_handler_has_the_time_that_is_left() -> Tested {
    let bench = Bench::default();
    let (lab, _cable) = over_a_cable(&bench).await?;
    let error = lab.ask_back().timeout(Duration::from_millis(50)).await.expect_err("it sleeps");
    assert_eq!(error, VoxError::DeadlineExceeded);
    until(|| !bench.sleeping.load(SeqCst)).await;
    Ok(())
}

// proves: guide.drop, guide.drop.persist
#[tokio::test]
async fn i_drop_it() -> Tested {
    let bench = Bench::default();
    let (lab, _cable) = over_a_cable(&bench).await?;
    let sleeping = &bench.sleeping;

    let call = tokio::spawn(lab.sleep(60_000));
    until(|| sleeping.load(SeqCst)).await;
    call.abort();
    until(|| !sleeping.load(SeqCst)).await;

    let call = tokio::spawn(lab.settle(50));
    until(|| sleeping.load(SeqCst)).await;
    call.abort();
    until(|| bench.settled.load(SeqCst)).await;
    Ok(())
}

// proves: guide.panic
#[tokio::test]
async fn its_handler_panics() -> Tested {
    let (lab, _cable) = over_a_cable(&Bench::default()).await?;

    assert_eq!(lab.explode().await, Err(VoxError::Panicked));
    assert_eq!(lab.double(21).await, Ok(42));
    Ok(())
}

// proves: guide.lost.one-link, guide.channel.lost
#[tokio::test]
async fn the_link_is_lost() -> Tested {
    let bench = Bench::default();
    let (lab, cable) = over_a_cable(&bench).await?;
    let (tx, rx) = vox::channel();
    let (kept, mut receiving) = vox::channel();
    lab.keep(kept).await?;
    let sum = tokio::spawn(lab.sum(rx));
    tx.send(1).await?;
    let call = tokio::spawn(lab.sleep(60_000));
    until(|| bench.sleeping.load(SeqCst)).await;
    cable.abort();

    assert_eq!(call.await?, Err(VoxError::Indeterminate));
    assert!(matches!(lab.double(21).await, Err(VoxError::NotSent(NotSent::Closed(_)))));

    assert_eq!(sum.await?, Err(VoxError::Indeterminate));
    assert!(matches!(receiving.recv().await, Err(RecvError::ConnectionLost(_))));
    assert!(matches!(tx.send(2).await, Err(SendError::ConnectionLost(_))));
    until(|| !bench.sleeping.load(SeqCst)).await;
    Ok(())
}

// proves: guide.shutdown.grace
#[tokio::test]
async fn the_server_shuts_down() -> Tested {
    let bench = Bench::default();
    let server = vox::Server::builder().service(LabDispatcher::new(bench.clone())).bind("tcp://127.0.0.1:0").await?;
    let lab: LabClient = vox::connect(server.address()).await?;
    let call = tokio::spawn(lab.sleep(60_000));
    until(|| bench.sleeping.load(SeqCst)).await;

    let report = server.shutdown(Duration::from_millis(50)).await;
    assert_eq!((report.sessions, report.aborted_calls), (1, 1));
    assert_eq!(call.await?, Err(VoxError::Indeterminate));

    until(|| !bench.sleeping.load(SeqCst)).await;
    Ok(())
}

// proves: guide.shutdown.busy
#[tokio::test]
async fn the_server_is_shutting_down_and_answers_busy() -> Tested {
    let bench = Bench::default();
    let server = vox::Server::builder().service(LabDispatcher::new(bench.clone())).bind("tcp://127.0.0.1:0").await?;
    let lab: LabClient = vox::connect(server.address()).await?;
    let call = tokio::spawn(lab.sleep(300));
    until(|| bench.sleeping.load(SeqCst)).await;
    let shutdown = tokio::spawn(server.shutdown(Duration::from_secs(10)));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(lab.double(21).await, Err(VoxError::Busy));
    assert_eq!(call.await?, Ok(()));
    assert_eq!(shutdown.await?.aborted_calls, 0);
    Ok(())
}

// proves: guide.many
#[tokio::test]
async fn there_are_too_many() -> Tested {
    let bench = Bench::default();
    let (ours, theirs) = vox::transport::memory_pair();
    let limits = vox::Limits { max_calls: 1, ..Default::default() };
    tokio::spawn(vox::Server::builder().service(LabDispatcher::new(bench.clone())).limits(limits).serve_link(theirs));
    let lab: LabClient = vox::connect(ours).await?;
    let call = tokio::spawn(lab.sleep(300));
    until(|| bench.sleeping.load(SeqCst)).await;
    let late = lab.double(1).timeout(Duration::from_millis(50)).await;
    assert!(matches!(late, Err(VoxError::NotSent(NotSent::Waited(_)))));
    assert_eq!(lab.double(2).await, Ok(4));
    assert_eq!(call.await?, Ok(()));
    Ok(())
}

// proves: guide.large.unsent
#[tokio::test(start_paused = true)]
async fn it_is_large() -> Tested {
    let (ours, near) = tokio::io::duplex(4 << 10);
    let (theirs, far) = tokio::io::duplex(4 << 10);
    let (mut replies, mut calls) = (tokio::io::split(near), tokio::io::split(far));
    tokio::spawn(async move { tokio::io::copy(&mut calls.0, &mut replies.1).await });
    tokio::spawn(async move {
        // 50 kB in a second.
        let mut bytes = vec![0; 1_000];
        while let Ok(read @ 1..) = replies.0.read(&mut bytes).await {
            tokio::time::sleep(Duration::from_micros(read as u64 * 20)).await;
            let _ = calls.1.write_all(&bytes[..read]).await;
        }
    });
    let theirs = Link::new(theirs, "a slow line");
    tokio::spawn(vox::Server::builder().service(LabDispatcher::new(Bench::default())).serve_link(theirs));
    let slow: LabClient = vox::connect(Link::new(ours, "a slow line")).await?;
    let text = "x".repeat(4_000_000);

    assert_eq!(slow.length(&text).await, Ok(4_000_000));

    let error = slow.length(&text).timeout(Duration::from_secs(5)).await.expect_err("it takes a minute");
    assert_eq!((error.ran(), error), (Ran::No, VoxError::NotSent(NotSent::DeadlineExceeded)));
    Ok(())
}

// proves: guide.too-large, guide.too-large.response
#[tokio::test]
async fn it_is_too_large() -> Tested {
    let (lab, _cable) = over_a_cable(&Bench::default()).await?;

    let error = lab.length(&"x".repeat(5 << 20)).await.expect_err("the limit is 4 MiB");
    assert!(matches!(error, VoxError::NotSent(NotSent::TooLarge(_))));

    assert!(matches!(lab.long(5 << 20).await, Err(VoxError::InvalidResponse(_))));
    assert_eq!(lab.double(21).await, Ok(42));
    Ok(())
}

// proves: guide.close
#[tokio::test]
async fn a_program_ends() -> Tested {
    let server = vox::Server::builder().service(LabDispatcher::new(Bench::default())).bind("tcp://127.0.0.1:0").await?;
    let lab: LabClient = vox::connect(server.address()).await?;
    assert_eq!(lab.double(1).await, Ok(2));
    let session = vox::Client::caller(&lab).session();
    session.close("done").await;

    assert_eq!(session.closed().await, vox::EndReason::ClosedHere);
    assert!(matches!(lab.double(1).await, Err(VoxError::NotSent(_))));
    Ok(())
}

// proves: guide.channel.close
#[tokio::test]
async fn a_channel_is_closed() -> Tested {
    let (lab, _cable) = over_a_cable(&Bench::default()).await?;

    let (tx, rx) = vox::channel();
    let sum = tokio::spawn(lab.sum(rx));
    for n in 0..1_000 {
        tx.send(n).await?;
    }
    tx.close();
    assert_eq!(sum.await?, Ok(499_500));
    Ok(())
}

// proves: guide.channel.outlives, guide.channel.reader-gone
#[tokio::test]
async fn a_channel_outlives_its_call_and_its_receiver_is_dropped() -> Tested {
    let bench = Bench::default();
    let (lab, _cable) = over_a_cable(&bench).await?;
    let (tx, mut rx) = vox::channel();
    lab.keep(tx).await?;
    let kept = bench.kept.lock().expect("not poisoned").remove(0);
    kept.send(7).await?;
    assert_eq!(rx.recv().await, Ok(Some(7)));
    drop(rx);
    lab.double(1).await?;
    assert_eq!(kept.send(8).await, Err(SendError::Reset));

    let (tx, rx) = vox::channel();
    lab.ignore(rx).await?;
    assert_eq!(tx.send(1).await, Err(SendError::Reset));
    Ok(())
}

// proves: guide.channel.unsent
#[tokio::test]
async fn a_channel_whose_call_is_never_sent() -> Tested {
    let (lab, _cable) = over_a_cable(&Bench::default()).await?;
    let (tx, rx) = vox::channel();
    drop(lab.sum(rx));
    assert!(matches!(tx.send(1).await, Err(SendError::NotBound(_))));
    let (tx, mut rx) = vox::channel();
    drop(lab.keep(tx));
    assert!(matches!(rx.recv().await, Err(RecvError::NotBound(_))));
    Ok(())
}

// proves: guide.channel.slow
#[tokio::test]
async fn a_receiver_is_slow() -> Tested {
    let bench = Bench::default();
    let (lab, _cable) = over_a_cable(&bench).await?;
    let (tx, mut rx) = vox::channel();
    lab.keep(tx).await?;
    let kept = bench.kept.lock().expect("not poisoned").remove(0);
    let window = u64::from(vox::Limits::default().channel_items);
    for n in 0..window {
        kept.try_send(n)?;
    }
    assert_eq!(kept.try_send(window), Err(vox::TrySendError::Full(window)));
    for n in 0..window {
        assert_eq!(rx.recv().await, Ok(Some(n)));
    }
    kept.send(window).await?;
    assert_eq!(rx.recv().await, Ok(Some(window)));
    Ok(())
}

// proves: guide.channel.panic
#[tokio::test]
async fn a_handler_that_panics_resets_its_channel() -> Tested {
    let (lab, _cable) = over_a_cable(&Bench::default()).await?;

    let (tx, mut rx) = vox::channel();
    let call = tokio::spawn(lab.count_and_explode(tx));
    for n in 0..3 {
        assert_eq!(rx.recv().await, Ok(Some(n)));
    }
    assert_eq!(rx.recv().await, Err(RecvError::Reset));
    assert_eq!(call.await?, Err(VoxError::Panicked));
    Ok(())
}
