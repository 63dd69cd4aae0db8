//! Large messages over slow lines: what moves is alive, what is small goes between, and what was cut goes on.
//!
//! The clock is paused: a line that takes a minute takes none, and times are exact.

#![allow(unreachable_pub, reason = "modules of a test share what they have in common")]

mod support;

use std::time::Duration;

use support::cable::Cable;
use support::{Count, settle};
use tokio::time::{Instant, sleep};
use vox::{Limits, NotSent, Ran, Rx, Server, Tx, VoxError};

#[vox::service]
trait Files {
    async fn put(&self, file: Vec<u8>) -> u64;
    async fn get(&self, len: u64) -> Vec<u8>;
    async fn nothing(&self);
    async fn hang(&self);
    /// Answers each number at once.
    async fn mirror(&self, numbers: Rx<u64>, back: Tx<u64>);
    async fn store(&self, files: Rx<Vec<u8>>) -> u64;
    async fn load(&self, len: u64, files: Tx<Vec<u8>>);
    #[vox(timeout = "5s")]
    async fn hurried(&self, file: Vec<u8>) -> u64;
    /// Calls the caller: sends it so much, and fetches so much from it.
    async fn exchange(&self, cx: &vox::Context, len: u64) -> Result<u64, String>;
}

#[derive(Clone, Default)]
struct Disk {
    puts: Count,
    stopped: Count,
}

impl Files for Disk {
    async fn put(&self, file: Vec<u8>) -> u64 {
        self.puts.add();
        check(&file)
    }
    async fn get(&self, len: u64) -> Vec<u8> {
        bytes(len as usize)
    }
    async fn nothing(&self) {}
    async fn hang(&self) {
        let _stopped = self.stopped.on_drop();
        std::future::pending().await
    }
    async fn mirror(&self, mut numbers: Rx<u64>, back: Tx<u64>) {
        while let Ok(Some(number)) = numbers.recv().await {
            let _ = back.send(number).await;
        }
    }
    async fn store(&self, mut files: Rx<Vec<u8>>) -> u64 {
        let mut sum = 0;
        while let Ok(Some(file)) = files.recv().await {
            sum += check(&file);
        }
        sum
    }
    async fn load(&self, len: u64, files: Tx<Vec<u8>>) {
        let _ = files.send(bytes(len as usize)).await;
        files.close();
    }
    async fn hurried(&self, file: Vec<u8>) -> u64 {
        self.put(file).await
    }
    async fn exchange(&self, cx: &vox::Context, len: u64) -> Result<u64, String> {
        let caller: FilesClient = cx.session().open().await.map_err(|error| error.to_string())?;
        let put = caller.put(bytes(len as usize)).await.map_err(|error| error.to_string())?;
        let got = caller.get(len).await.map_err(|error| error.to_string())?;
        Ok(put + check(&got))
    }
}

/// Bytes of which none could stand in for another.
fn bytes(len: usize) -> Vec<u8> {
    (0..len as u32).map(|at| (at % 251) as u8 ^ (at >> 8) as u8).collect()
}

fn check(file: &[u8]) -> u64 {
    assert_eq!(file, bytes(file.len()), "other bytes");
    file.len() as u64
}

/// A line of 50 kB/s, whose buffers hold 4 KiB.
const RATE: usize = 50_000;
/// How long one part takes over it.
const PART: Duration = Duration::from_millis(64 * 1024 / (RATE as u64 / 1000));
const FILE: usize = 4_000_000;

async fn line(limits: Limits) -> (Cable, Disk, FilesClient) {
    let disk = Disk::default();
    let server = Server::builder().service(FilesDispatcher::new(disk.clone())).limits(limits.clone());
    let cable = Cable::with_capacity(server.start().expect("a server"), 4 << 10);
    let files = vox::connect(cable.connector()).limits(limits).await.expect("a session");
    cable.slow(RATE);
    (cable, disk, files)
}

/// It takes 80 s: longer than any timeout there is by default.
#[tokio::test(start_paused = true)]
async fn a_large_argument_over_a_slow_line_arrives_at_default_limits() {
    let (cable, disk, files) = line(Limits::default()).await;
    let began = Instant::now();
    assert_eq!(files.put(bytes(FILE)).await, Ok(FILE as u64));
    assert!(began.elapsed() < Duration::from_secs(85), "{:?}", began.elapsed());
    assert_eq!((cable.links(), disk.puts.get()), (1, 1));
}

/// A link whose buffer holds a lot, as a Unix socket's does, takes that at once, and then as slowly as ever. So what waits for it is
/// that buffer and about as much again, and no MiB, which would take longer than a call may stand still.
#[tokio::test(start_paused = true)]
async fn a_slow_line_that_has_room_at_first_is_not_taken_for_a_fast_one() {
    const ROOM: usize = 256 << 10;
    const SLOW: usize = 20_000;
    let disk = Disk::default();
    let server = Server::builder().service(FilesDispatcher::new(disk.clone()));
    let cable = Cable::with_capacity(server.start().expect("a server"), ROOM);
    let files: FilesClient = vox::connect(cable.connector()).await.expect("a session");
    cable.slow(SLOW);
    let put = tokio::spawn(files.put(bytes(FILE)));
    sleep(Duration::from_secs(1)).await;
    let began = Instant::now();
    assert_eq!(files.nothing().await, Ok(()));
    let most = Duration::from_secs(3 * ROOM as u64 / SLOW as u64);
    assert!(began.elapsed() < most, "{:?} of {most:?}", began.elapsed());
    assert_eq!(put.await.expect("no panic"), Ok(FILE as u64));
    assert_eq!((cable.links(), disk.puts.get()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_large_result_over_a_slow_line_arrives_at_default_limits() {
    let (cable, _, files) = line(Limits::default()).await;
    assert_eq!(files.get(FILE as u64).await.map(|file| check(&file)), Ok(FILE as u64));
    assert_eq!(cable.links(), 1);
}

#[tokio::test(start_paused = true)]
async fn large_items_over_a_slow_line_arrive_in_order_both_ways() {
    let (cable, _, files) = line(Limits::default()).await;
    let (tx, rx) = vox::channel();
    let stored = tokio::spawn(files.store(rx).into_future());
    for len in [FILE, 10, 100_000, 0] {
        tx.send(bytes(len)).await.expect("the line is up");
    }
    tx.close();
    assert_eq!(stored.await.expect("no panic"), Ok(FILE as u64 + 100_010));
    let (tx, mut rx) = vox::channel();
    let loaded = tokio::spawn(files.load(FILE as u64, tx).into_future());
    assert_eq!(rx.recv().await.map(|file| file.map(|file| check(&file))), Ok(Some(FILE as u64)));
    assert_eq!(rx.recv().await, Ok(None));
    assert_eq!(loaded.await.expect("no panic"), Ok(()));
    assert_eq!(cable.links(), 1);
}

/// A probe that waits behind a part is none that is missed.
#[tokio::test(start_paused = true)]
async fn a_line_on_which_a_part_takes_longer_than_any_silence_is_not_lost() {
    let second = Duration::from_millis(600);
    let (cable, _, files) = line(Limits { keepalive: second, keepalive_timeout: second, ..Limits::default() }).await;
    assert_eq!(files.put(bytes(FILE / 8)).await, Ok(FILE as u64 / 8));
    assert_eq!(files.get(FILE as u64 / 8).await.map(|file| check(&file)), Ok(FILE as u64 / 8));
    let (tx, mut rx) = vox::channel();
    let loaded = tokio::spawn(files.load(FILE as u64 / 8, tx).into_future());
    assert!(matches!(rx.recv().await, Ok(Some(_))));
    assert_eq!(loaded.await.expect("no panic"), Ok(()));
    assert_eq!(cable.links(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_small_waits_for_a_few_parts_of_what_is_large() {
    let (_cable, disk, files) = line(Limits::default()).await;
    let (tx, rx) = vox::channel();
    let (back, mut answers) = vox::channel();
    let _mirror = tokio::spawn(files.mirror(rx, back).into_future());
    let hanging = tokio::spawn(files.hang().into_future());
    files.nothing().await.expect("the line is up");
    for large in [
        tokio::spawn(async move {}),
        {
            let files = files.clone();
            tokio::spawn(async move { assert_eq!(files.put(bytes(FILE)).await, Ok(FILE as u64)) })
        },
        {
            let files = files.clone();
            tokio::spawn(async move { assert!(files.get(FILE as u64).await.is_ok()) })
        },
    ] {
        sleep(Duration::from_secs(3)).await;
        for number in 0..5 {
            let began = Instant::now();
            files.nothing().await.expect("the line is up");
            assert!(began.elapsed() < 3 * PART, "a call took {:?}", began.elapsed());
            let began = Instant::now();
            tx.send(number).await.expect("there is credit");
            assert_eq!(answers.recv().await, Ok(Some(number)));
            assert!(began.elapsed() < 3 * PART, "an item took {:?}", began.elapsed());
        }
        large.await.expect("it arrives");
    }
    let large = tokio::spawn(files.put(bytes(FILE)).into_future());
    sleep(Duration::from_secs(3)).await;
    hanging.abort();
    let began = Instant::now();
    while disk.stopped.get() == 0 {
        settle().await;
    }
    assert!(began.elapsed() < 3 * PART, "a cancel took {:?}", began.elapsed());
    large.abort();
}

#[tokio::test(start_paused = true)]
async fn large_messages_take_turns() {
    let (_cable, _, files) = line(Limits::default()).await;
    let len = 512 << 10;
    let began = Instant::now();
    let calls: Vec<_> = (0..16)
        .map(|_| {
            let call = files.put(bytes(len)).into_future();
            tokio::spawn(async move {
                assert_eq!(call.await, Ok(len as u64));
                began.elapsed()
            })
        })
        .collect();
    let mut times = Vec::new();
    for call in calls {
        times.push(call.await.expect("no panic"));
    }
    let (first, last) = (times.iter().min().expect("sixteen"), times.iter().max().expect("sixteen"));
    // One after the other, the first would be there after a sixteenth of the time.
    assert!(*first > *last * 3 / 4, "the first took {first:?}, the last {last:?}");
}

#[tokio::test(start_paused = true)]
async fn a_message_goes_on_where_its_link_was_cut() {
    for down in [false, true] {
        let (cable, disk, files) = line(Limits::default()).await;
        let before = cable.carried();
        let call = match down {
            false => tokio::spawn(async move { files.put(bytes(FILE)).await }),
            true => tokio::spawn(async move { files.get(FILE as u64).await.map(|file| check(&file)) }),
        };
        for _ in 0..7 {
            sleep(Duration::from_secs(10)).await;
            cable.cut();
        }
        assert_eq!(call.await.expect("no panic"), Ok(FILE as u64));
        assert_eq!(cable.links(), 8);
        assert!(down || disk.puts.get() == 1);
        let carried = if down { cable.carried().1 - before.1 } else { cable.carried().0 - before.0 };
        // A part may be cut, and what the buffers held is lost, each time.
        let most = FILE + 20_000 + 7 * (2 * 64 * 1024);
        assert!(carried < most, "{carried} bytes were carried, of at most {most}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_while_it_leaves_has_not_run_and_leaves_nothing() {
    let (cable, disk, files) = line(Limits::default()).await;
    let call = tokio::spawn(files.put(bytes(FILE)).into_future());
    sleep(Duration::from_secs(5)).await;
    let before = cable.carried().0;
    call.abort();
    assert_eq!(files.put(bytes(10)).await, Ok(10));
    assert!(cable.carried().0 - before < 3 * 64 * 1024, "it went on");
    assert_eq!(disk.puts.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_time_that_was_set_bounds_the_journey_and_its_call_has_not_run() {
    let (_cable, disk, files) = line(Limits::default()).await;
    let five = Duration::from_secs(5);
    let inherited = tokio::spawn(files.hurried(bytes(FILE)).into_future());
    for result in [files.put(bytes(FILE)).timeout(five).await, inherited.await.expect("no panic")] {
        let error = result.expect_err("it takes eighty seconds");
        assert_eq!(error, VoxError::NotSent(NotSent::DeadlineExceeded));
        assert_eq!(error.ran(), Ran::No);
    }
    sleep(Duration::from_secs(100)).await;
    assert_eq!(disk.puts.get(), 0);
}

/// A handler's own time bounds the calls that it makes. It does not turn their default time into one for the whole journey.
#[tokio::test(start_paused = true)]
async fn a_handler_may_call_back_with_what_takes_longer_than_the_default_time() {
    let disk = Disk::default();
    let server = Server::builder().service(FilesDispatcher::new(Disk::default())).start().expect("a server");
    let cable = Cable::with_capacity(server, 4 << 10);
    let connecting = vox::connect(cable.connector()).serving(FilesDispatcher::new(disk.clone()));
    let files: FilesClient = connecting.await.expect("a session");
    cable.slow(RATE);
    let exchanged = files.exchange(FILE as u64).timeout(Duration::from_secs(200)).await;
    assert_eq!(exchanged, Ok(2 * FILE as u64));
    assert_eq!(disk.puts.get(), 1);
    // Its own time is up in the middle of an upload that goes on well.
    let began = Instant::now();
    let late = files.exchange(FILE as u64).timeout(Duration::from_secs(40)).await;
    assert_eq!(late, Err(VoxError::DeadlineExceeded));
    let before = cable.carried().1;
    sleep(Duration::from_secs(60)).await;
    assert!(cable.carried().1 - before < 3 * 64 * 1024, "it went on for {:?}", began.elapsed());
    assert_eq!(disk.puts.get(), 1);
}

/// The default time is one without progress: a line that stands still ends the call, as it would a small one.
#[tokio::test(start_paused = true)]
async fn a_call_on_a_line_that_stands_still_is_out_of_time() {
    let (cable, disk, files) = line(Limits::default()).await;
    let call = tokio::spawn(files.put(bytes(FILE)).into_future());
    sleep(Duration::from_secs(40)).await;
    assert!(!call.is_finished());
    let began = Instant::now();
    let _server = cable.unplug();
    let ended = call.await.expect("no panic");
    assert!(matches!(ended, Err(VoxError::NotSent(NotSent::NoLink(_)))), "{ended:?}");
    assert!(began.elapsed() <= Duration::from_secs(31), "{:?}", began.elapsed());
    assert_eq!(disk.puts.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_upload_whose_session_is_lost_has_not_run_and_is_made_again() {
    let limits = Limits { resume_window: Duration::from_secs(6), ..Limits::default() };
    let (cable, disk, files) = line(limits).await;
    let call = tokio::spawn(files.put(bytes(FILE)).into_future());
    sleep(Duration::from_secs(60)).await;
    let server = cable.unplug();
    sleep(Duration::from_secs(9)).await;
    cable.plug(server);
    assert_eq!(call.await.expect("no panic"), Ok(FILE as u64));
    assert_eq!(disk.puts.get(), 1);
}

/// More than the server puts together at once: all of it arrives, a few at a time.
#[tokio::test(start_paused = true)]
async fn more_large_messages_than_fit_wait_for_their_turn() {
    let limits = Limits { max_partial_messages: 2, max_partial_bytes: 1 << 20, ..Limits::default() };
    let (cable, disk, files) = line(limits).await;
    cable.slow(0);
    let calls: Vec<_> = (0..20).map(|n| tokio::spawn(files.put(bytes(300_000 + n * 100_000)).into_future())).collect();
    for (n, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await.expect("no panic"), Ok(300_000 + n as u64 * 100_000));
    }
    assert_eq!((cable.links(), disk.puts.get()), (1, 20));
}
