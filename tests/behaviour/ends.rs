//! How a channel ends: cleanly by a close and by nothing else, and each other end says which it is.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use futures_core::Stream;
use vox::{RecvError, Rx, SendError, Server, TryRecvError, Tx};

use crate::lab::{Bench, LabClient, Probe, kind, lab};
use crate::support::{cable::Cable, settle};

#[vox::service]
trait Ends {
    /// Sends `1`, `2` and ends in this way.
    async fn end(&self, how: How, numbers: Tx<u64>) -> u64;
    /// Receives to the end, and says what it is.
    async fn received(&self, numbers: Rx<u64>) -> String;
}

#[derive(Debug, Clone, Copy, PartialEq, facet::Facet)]
#[repr(u8)]
enum How {
    Close,
    Drop,
    QuestionMark,
    Abort,
    SendAll,
    Sink,
    Panic,
}

const ALL: [How; 7] = [How::Close, How::Drop, How::QuestionMark, How::Abort, How::SendAll, How::Sink, How::Panic];

impl How {
    /// Sends what is to be sent, and ends the channel.
    async fn run(self, mut tx: Tx<u64>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        if self == Self::SendAll {
            return Ok(tx.send_all([1, 2]).await?);
        }
        tx.send(1).await?;
        tx.send(2).await?;
        match self {
            Self::Close => tx.close(),
            Self::Drop | Self::SendAll => drop(tx),
            Self::QuestionMark => {
                Err(std::io::Error::other("the disk failed"))?;
                tx.close();
            }
            Self::Abort => tx.abort("the disk failed\n"),
            Self::Sink => {
                poll_fn(|cx| futures_sink::Sink::poll_close(Pin::new(&mut tx), cx)).await?;
            }
            Self::Panic => {
                let _tx = tx;
                panic!("on purpose");
            }
        }
        Ok(())
    }

    fn expected(self) -> Result<Option<u64>, RecvError> {
        match self {
            Self::Close | Self::SendAll | Self::Sink => Ok(None),
            Self::Drop | Self::QuestionMark => Err(RecvError::Dropped),
            Self::Abort => Err(RecvError::Aborted("the disk failed\u{fffd}".into())),
            Self::Panic => Err(RecvError::Reset),
        }
    }
}

struct Ending;

impl Ends for Ending {
    async fn end(&self, how: How, numbers: Tx<u64>) -> u64 {
        u64::from(how.run(numbers).await.is_ok())
    }
    async fn received(&self, mut numbers: Rx<u64>) -> String {
        said(&receive(&mut numbers).await)
    }
}

/// The same as text.
fn said((items, end): &(Vec<u64>, Result<Option<u64>, RecvError>)) -> String {
    match end {
        Ok(end) => format!("{items:?} {end:?}"),
        Err(error) => format!("{items:?} {}", kind(error)),
    }
}

/// Everything up to the end, and the end.
async fn receive(numbers: &mut Rx<u64>) -> (Vec<u64>, Result<Option<u64>, RecvError>) {
    let mut items = Vec::new();
    loop {
        match numbers.recv().await {
            Ok(Some(item)) => items.push(item),
            end => return (items, end),
        }
    }
}

async fn ends_are_told(client: &EndsClient) {
    for how in ALL {
        let (tx, mut rx) = vox::channel();
        let call = tokio::spawn(client.end(how, tx));
        assert_eq!(receive(&mut rx).await, (vec![1, 2], how.expected()), "the handler: {how:?}");
        let _ = call.await.expect("no panic here");

        let (tx, rx) = vox::channel();
        let call = tokio::spawn(client.received(rx));
        let _ = tokio::spawn(how.run(tx)).await;
        let received = call.await.expect("no panic").expect("it returns");
        assert_eq!(received, said(&(vec![1, 2], how.expected())), "the caller: {how:?}");
    }
}

// proves: guide.channel.close, guide.channel.drop
#[tokio::test]
async fn only_a_close_is_a_clean_end_in_both_directions_and_over_every_link() {
    let dir = std::env::temp_dir().join(format!("vox-ends-{}", std::process::id()));
    let unix = format!("unix://{}", dir.display());
    for address in ["mem://ends", "tcp://127.0.0.1:0", &unix] {
        if address.starts_with("unix") && cfg!(not(unix)) {
            continue;
        }
        let server = Server::builder().service(EndsDispatcher::new(Ending)).bind(address).await.expect("a server");
        let client: EndsClient = vox::connect(server.address()).await.expect("a session");
        ends_are_told(&client).await;
    }
}

// proves: guide.channel.resumed
#[tokio::test(start_paused = true)]
async fn an_end_crosses_a_resume_as_it_was_meant() {
    for how in ALL {
        let server = Server::builder().service(EndsDispatcher::new(Ending)).start().expect("a server");
        let cable = Cable::to(server);
        let client: EndsClient = vox::connect(cable.connector()).await.expect("a session");
        let (tx, mut rx) = vox::channel();
        let (up, theirs) = vox::channel();
        let up_call = tokio::spawn(client.received(theirs));
        let call = tokio::spawn(client.end(how, tx));
        settle().await;
        let away = cable.unplug();
        settle().await;
        let _ = tokio::spawn(how.run(up)).await;
        cable.plug(away);
        assert_eq!(receive(&mut rx).await, (vec![1, 2], how.expected()), "{how:?}");
        let received = up_call.await.expect("no panic").expect("it returns");
        assert_eq!(received, said(&(vec![1, 2], how.expected())), "{how:?}");
        let _ = call.await.expect("no panic here");
    }
}

#[tokio::test(start_paused = true)]
async fn the_texts_of_ends_say_what_to_do() {
    assert_eq!(
        RecvError::Dropped.to_string(),
        "a channel that no call carries: the sender was dropped without close()"
    );
    let aborted = RecvError::Aborted("no file".into());
    assert_eq!(aborted.to_string(), "a channel that no call carries: the sender aborted the channel: no file");
    let aborted = RecvError::Aborted("".into());
    assert_eq!(aborted.to_string(), "a channel that no call carries: the sender aborted the channel, without a reason");
}

/// Of a reason arrive 512 characters, and none that steers a terminal.
#[tokio::test(start_paused = true)]
async fn the_reason_of_an_abort_is_bounded() {
    let (lab, probe) = lab().await;
    let (tx, rx) = vox::channel::<u64>();
    let call = tokio::spawn(lab.ends(rx));
    tx.abort("\u{1b}".to_owned() + &"ü".repeat(10_000));
    assert_eq!(call.await.expect("no panic"), Ok(()));
    let expected = RecvError::Aborted(("\u{fffd}".to_owned() + &"ü".repeat(511)).into());
    assert_eq!(probe.endings(), [kind(&expected)]);
}

/// The window is full: the abort waits behind what was sent, and for nothing more.
// proves: guide.channel.abort
#[tokio::test(start_paused = true)]
async fn an_abort_comes_after_everything_that_was_sent_and_needs_no_credit() {
    let (lab, probe) = lab().await;
    let (up, theirs) = vox::channel();
    let call = tokio::spawn(lab.ends(theirs));
    settle().await;
    let mut sent = 0;
    // Nothing is read while this task runs, so the window fills up.
    while up.try_send(1).is_ok() {
        sent += 1;
    }
    assert_eq!(sent, 4096, "the window");
    up.abort("enough");
    assert_eq!(call.await.expect("no panic"), Ok(()));
    assert_eq!((probe.sent.get(), probe.endings()), (sent, vec![r#"Aborted("enough")"#.to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_sent_and_closed_and_one_that_is_given_up_is_aborted() {
    /// Counts to three, then to four or never on.
    struct Numbers(u64, bool);
    impl Stream for Numbers {
        type Item = u64;
        fn poll_next(mut self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<Option<u64>> {
            self.0 += 1;
            match (self.0, self.1) {
                (1..=3, _) => Poll::Ready(Some(self.0)),
                (_, true) => Poll::Ready(None),
                (_, false) => Poll::Pending,
            }
        }
    }
    let (lab, probe) = lab().await;
    let (tx, rx) = vox::channel();
    let call = tokio::spawn(lab.sum(rx));
    assert_eq!(tx.send_all(Numbers(0, true)).await, Ok(()));
    assert_eq!(call.await.expect("no panic"), Ok(6));

    let (tx, rx) = vox::channel();
    let call = tokio::spawn(lab.ends(rx));
    let sending = tokio::time::timeout(Duration::from_secs(1), tx.send_all(Numbers(0, false)));
    assert!(sending.await.is_err(), "it never ends");
    assert_eq!(call.await.expect("no panic"), Ok(()));
    assert_eq!((probe.sent.get(), probe.endings()), (3, vec!["Dropped".to_owned()]));
}

/// A handler's feed, whose tx this process can reach.
async fn feed() -> (LabClient, Probe, Rx<u64>) {
    let (lab, probe) = lab().await;
    let (tx, rx) = vox::channel();
    lab.later(tx).await.expect("at once");
    (lab, probe, rx)
}

/// Within a minute of the paused clock: what is never woken fails, and hangs nobody.
async fn soon<F: Future>(what: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(60), what).await.expect("it is woken")
}

// proves: guide.channel.closed
#[tokio::test(start_paused = true)]
async fn a_sender_learns_that_its_reader_left_without_an_item_to_send() {
    let (lab, _) = lab().await;
    let (tx, rx) = vox::channel();
    let call = tokio::spawn(lab.holding(rx));
    settle().await;
    assert!(!tx.is_closed());
    let closed = tokio::spawn(async move { (tx.closed().await, tx) });
    settle().await;
    assert!(!closed.is_finished());
    call.abort();
    let (why, tx) = soon(closed).await.expect("no panic");
    assert_eq!(why, SendError::Reset);
    assert!(tx.is_closed());
    assert_eq!(tx.closed().await, SendError::Reset, "and so again");
}

/// A sender that waits for its reader's end lets a send beside it go on, and hears of the end after all.
#[tokio::test(start_paused = true)]
async fn waiting_for_the_end_takes_no_wake_from_a_send() {
    let (lab, _) = lab().await;
    let (tx, rx) = vox::channel();
    let call = tokio::spawn(lab.first(1_000, rx));
    let send = async {
        for n in 0..1_000 {
            tx.send(n).await.expect("the handler reads");
        }
    };
    let (why, ()) = soon(async { tokio::join!(tx.closed(), send) }).await;
    assert_eq!(why, SendError::Reset);
    assert!(tx.is_closed());
    assert_eq!(call.await.expect("no panic").map(|first| first.len()), Ok(1_000));
}

#[tokio::test(start_paused = true)]
async fn a_sender_learns_that_its_connection_is_lost_and_that_its_call_was_never_sent() {
    let (ours, theirs) = vox::transport::memory_pair();
    let serving = crate::lab::serve(theirs, Bench::default(), vox::Limits::default());
    let lab: LabClient = vox::connect(ours).await.expect("a session");
    let (tx, rx) = vox::channel();
    let _call = tokio::spawn(lab.holding(rx));
    settle().await;
    serving.abort();
    let why = soon(tx.closed()).await;
    assert!(matches!(why, SendError::ConnectionLost(_)), "{why:?}");

    let (tx, rx) = vox::channel::<u64>();
    assert!(!tx.is_closed());
    drop(lab.holding(rx));
    assert!(tx.is_closed());
    assert!(matches!(tx.closed().await, SendError::NotBound(_)));
    let (tx, rx) = vox::channel::<u64>();
    drop(rx);
    assert_eq!(tx.closed().await, SendError::Reset);
}

#[tokio::test(start_paused = true)]
async fn an_item_is_taken_only_if_one_is_here() {
    let (_lab, probe, mut rx) = feed().await;
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    probe.gate.add_permits(2);
    settle().await;
    assert_eq!((rx.try_recv(), rx.try_recv()), (Ok(0), Ok(1)));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));

    let (lab, _) = lab().await;
    let (tx, mut rx) = vox::channel();
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty), "no call carries the other half yet");
    assert_eq!(lab.count(1, tx).await, Ok(1));
    settle().await;
    assert_eq!(rx.try_recv(), Ok(0));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
    let (tx, mut rx) = vox::channel::<u64>();
    drop(tx);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Failed(RecvError::Dropped)));
}

/// Asking whether there is one does not put a task to sleep that waits for one.
#[tokio::test(start_paused = true)]
async fn asking_for_an_item_takes_no_wake_from_who_waits_for_one() {
    let (_lab, probe, mut rx) = feed().await;
    let waiting = tokio::spawn(async move {
        let mut asked = false;
        poll_fn(|cx| {
            let polled = rx.poll_recv(cx);
            if polled.is_pending() && !asked {
                asked = true;
                assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
            }
            polled
        })
        .await
    });
    settle().await;
    probe.gate.add_permits(1);
    assert_eq!(waiting.await.expect("no panic"), Ok(Some(0)));
}

/// The other halves of calls that were never made, and of none at all.
#[tokio::test(start_paused = true)]
async fn a_half_whose_partner_was_dropped_or_never_sent_says_so() {
    let (tx, mut rx) = vox::channel::<u64>();
    tx.close();
    assert_eq!(rx.recv().await, Ok(None));
    let (tx, mut rx) = vox::channel::<u64>();
    drop(tx);
    assert_eq!(rx.recv().await, Err(RecvError::Dropped));
    let (tx, mut rx) = vox::channel::<u64>();
    tx.abort("no");
    assert_eq!(rx.recv().await, Err(RecvError::Aborted("no".into())));
    let (lab, _) = lab().await;
    let (tx, mut rx) = vox::channel();
    drop(lab.count(1, tx));
    assert!(matches!(rx.recv().await, Err(RecvError::NotBound(_))));
}
