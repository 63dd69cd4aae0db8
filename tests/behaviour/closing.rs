//! What a program leaves behind that ends in good order: nothing.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use vox::transport::Link;
use vox::{EndReason, RecvError, Rx, Server, Session, SessionState, Tx};

use crate::support::{raw, settle};

/// Everything here is waited for by events; this is only the end of the patience.
const PATIENCE: Duration = Duration::from_secs(30);

#[vox::service]
trait Guestbook {
    /// From now on the server tells the test how the session of this call ends.
    async fn arrive(&self, cx: &vox::Context);
    /// Reads on after it has returned, and tells the test what came.
    async fn keep(&self, lines: Rx<u64>);
    /// Never returns.
    async fn stay(&self, lines: Rx<u64>, echoes: Tx<u64>);
}

#[derive(Debug, PartialEq)]
enum Seen {
    Ended(EndReason),
    Kept(u64, Result<Option<u64>, RecvError>),
    Stopped,
}

struct Book(mpsc::UnboundedSender<Seen>);

impl Guestbook for Book {
    async fn arrive(&self, cx: &vox::Context) {
        let (session, seen) = (cx.session(), self.0.clone());
        tokio::spawn(async move { seen.send(Seen::Ended(session.closed().await)) });
    }
    async fn keep(&self, mut lines: Rx<u64>) {
        let seen = self.0.clone();
        tokio::spawn(async move {
            let mut kept = 0;
            let end = loop {
                match lines.recv().await {
                    Ok(Some(_)) => kept += 1,
                    end => break end,
                }
            };
            seen.send(Seen::Kept(kept, end))
        });
    }
    async fn stay(&self, _lines: Rx<u64>, _echoes: Tx<u64>) {
        struct OnDrop(mpsc::UnboundedSender<Seen>);
        impl Drop for OnDrop {
            fn drop(&mut self) {
                let _ = self.0.send(Seen::Stopped);
            }
        }
        let _stopped = OnDrop(self.0.clone());
        std::future::pending::<()>().await;
    }
}

/// How a program ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ending {
    /// It awaits `close()`, and ends.
    CloseAwaited,
    /// It calls `close()`, and its runtime goes on for a while.
    CloseNotAwaited,
    /// It drops its last handle, and its runtime goes on for a while.
    LastHandleDropped,
    /// It drops its last handle and is gone, while the session's task has something to do: nobody drives its runtime again, or drops it.
    GoneAtOnce,
    /// Its runtime ends while it still has everything.
    RuntimeEnds,
}

/// A program with a runtime of its own: makes a call that stays, sends what the handler keeps, and ends.
fn program(address: &str, ending: Ending, may_end: &std::sync::mpsc::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let kept = runtime.block_on(async {
        let session = Session::connect(address).await.expect("a session");
        let book: GuestbookClient = session.open().await.expect("it is served");
        book.arrive().await.expect("answered");
        let (_staying, theirs) = vox::channel();
        let (echoes, _echoed) = vox::channel();
        let mut staying = book.stay(theirs, echoes);
        let (lines, kept) = vox::channel();
        tokio::select! {
            biased;
            _ = &mut staying => panic!("it stays"),
            kept = book.keep(kept) => kept.expect("answered"),
        }
        for n in 0..200 {
            lines.send(n).await.expect("the handler reads");
        }
        lines.close();
        match ending {
            Ending::CloseAwaited => session.close("done").await,
            Ending::CloseNotAwaited => drop(session.close("done")),
            Ending::LastHandleDropped | Ending::GoneAtOnce => drop((session, book, staying, _staying, _echoed)),
            Ending::RuntimeEnds => return Some((session, book, staying, _staying, _echoed)),
        }
        if let Ending::CloseNotAwaited | Ending::LastHandleDropped = ending {
            let () = std::future::poll_fn(|cx| match may_end.try_recv() {
                Ok(()) => std::task::Poll::Ready(()),
                Err(_) => {
                    cx.waker().wake_by_ref();
                    std::task::Poll::Pending
                }
            })
            .await;
        }
        None
    });
    match ending {
        Ending::GoneAtOnce => std::mem::forget(runtime),
        _ => drop(runtime),
    }
    if kept.is_some() {
        let _ = may_end.recv();
    }
}

async fn leaves_nothing(address: &str, ending: Ending) {
    let (seen, mut sees) = mpsc::unbounded_channel();
    let server = Server::builder().service(GuestbookDispatcher::new(Book(seen))).bind(address).await.expect("a server");
    let (end, may_end) = std::sync::mpsc::channel();
    let address = server.address();
    let running = std::thread::spawn(move || program(&address, ending, &may_end));
    let mut all = Vec::new();
    for _ in 0..3 {
        let next = tokio::time::timeout(PATIENCE, sees.recv()).await;
        all.push(next.unwrap_or_else(|_| panic!("{ending:?}: no more after {all:?}")).expect("the server lives"));
    }
    // One that has closed has ended by itself.
    let _ = end.send(());
    running.join().expect("no panic");
    let reason = match ending {
        Ending::CloseAwaited | Ending::CloseNotAwaited => "done",
        Ending::LastHandleDropped | Ending::GoneAtOnce => "nothing left open",
        Ending::RuntimeEnds => "its runtime has ended",
    };
    assert!(all.contains(&Seen::Ended(EndReason::Goodbye(reason.into()))), "{ending:?}: {all:?}");
    assert!(all.contains(&Seen::Kept(200, Ok(None))), "{ending:?}: {all:?}");
    assert!(all.contains(&Seen::Stopped), "{ending:?}: {all:?}");
}

// proves: guide.close
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_ends_in_good_order_leaves_nothing_on_the_server() {
    let path = std::env::temp_dir().join(format!("vox-closing-{}", std::process::id()));
    let unix = format!("unix://{}", path.display());
    let handles_dropped = [Ending::LastHandleDropped, Ending::GoneAtOnce];
    for ending in
        [Ending::CloseAwaited, Ending::CloseNotAwaited, Ending::RuntimeEnds].into_iter().chain(handles_dropped)
    {
        leaves_nothing("mem://closing", ending).await;
        leaves_nothing("tcp://127.0.0.1:0", ending).await;
        if cfg!(unix) {
            leaves_nothing(&unix, ending).await;
        }
    }
}

/// What was accepted leaves before the goodbye, also where the link takes a little at a time: for longer than a peer is heard out.
#[tokio::test(start_paused = true)]
async fn closing_waits_while_the_link_takes_something() {
    let (ours, theirs) = slow_pair();
    let (seen, mut sees) = mpsc::unbounded_channel();
    tokio::spawn(vox::serve(theirs, GuestbookDispatcher::new(Book(seen))));
    let session = Session::connect(ours).await.expect("a session");
    let book: GuestbookClient = session.open().await.expect("it is served");
    let (lines, kept) = vox::channel();
    book.keep(kept).await.expect("answered");
    for n in 0..200 {
        lines.send(u64::MAX - n).await.expect("there is credit");
    }
    lines.close();
    session.close("done").await;
    settle().await;
    assert_eq!(sees.recv().await, Some(Seen::Kept(200, Ok(None))));
}

/// Carries at most sixteen bytes every 20 ms to the peer, and holds little.
fn slow_pair() -> (Link, Link) {
    let (ours, near) = tokio::io::duplex(64);
    let (theirs, far) = tokio::io::duplex(64);
    let (mut from_us, mut to_us) = tokio::io::split(near);
    let (mut from_them, mut to_them) = tokio::io::split(far);
    tokio::spawn(async move { tokio::io::copy(&mut from_them, &mut to_us).await });
    tokio::spawn(async move {
        let mut bytes = [0; 16];
        while let Ok(len @ 1..) = from_us.read(&mut bytes).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if to_them.write_all(&bytes[..len]).await.is_err() {
                return;
            }
        }
        let _ = to_them.shutdown().await;
    });
    (Link::new(ours, "slow"), Link::new(theirs, "slow"))
}

/// A peer that never hangs up holds nobody for longer than is said.
#[tokio::test(start_paused = true)]
async fn closing_does_not_wait_for_a_peer_that_says_nothing() {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let accepting = tokio::spawn(raw::Raw::accept(theirs, raw::LIMITS));
    let session = Session::connect(Link::new(ours, "raw")).await.expect("welcome");
    let _peer = accepting.await.expect("no panic");
    let before = tokio::time::Instant::now();
    session.close("done").await;
    assert!(before.elapsed() <= Session::CLOSE_TIMEOUT);
    session.close("again").await;
}

/// Whatever the session's task knows by then.
#[tokio::test]
async fn a_session_that_was_closed_has_ended_at_once() {
    for address in ["tcp://127.0.0.1:0", "mem://closed-at-once"] {
        let (seen, _) = mpsc::unbounded_channel();
        let server = Server::builder().service(GuestbookDispatcher::new(Book(seen)));
        let server = server.bind(address).await.expect("it listens");
        let session = Session::connect(server.address()).await.expect("a session");
        let closing = session.close("done");
        assert_eq!(session.state(), SessionState::Ended(EndReason::ClosedHere));
        assert!(!session.is_connected());
        closing.await;
        assert_eq!(session.state(), SessionState::Ended(EndReason::ClosedHere));
    }
}

/// The server has room for one session. Its tasks may run on another thread than the client that sees the link closed.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_session_that_was_closed_leaves_its_place_to_the_next() {
    let (seen, _) = mpsc::unbounded_channel();
    let limits = vox::Limits { max_sessions: 1, ..Default::default() };
    let builder = Server::builder().service(GuestbookDispatcher::new(Book(seen))).limits(limits);
    let server = builder.bind("mem://closing-places").await.expect("the name is free");
    for round in 0..1000 {
        let session = Session::connect(server.address()).await.unwrap_or_else(|error| panic!("{round}: {error}"));
        session.close("done").await;
        assert_eq!(server.sessions(), 0, "round {round}");
    }
    let session = Session::connect(server.address()).await.expect("a session");
    session.close("done").await;
    assert_eq!(server.shutdown(Duration::ZERO).await.sessions, 0);
}
