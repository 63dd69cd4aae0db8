//! What waits for something that will not come says so once, within five seconds.

use std::time::Duration;

use vox::Limits;
use vox::transport::Connector;

use crate::lab::{Bench, LabClient, LabDispatcher, lab, lab_with};
use crate::support::{log::Log, settle};

const SOON: Duration = Duration::from_secs(5);

/// Waits for as long as a person would, and for long after; there is one warning, and it came in time.
async fn one(warnings: &Log) -> String {
    tokio::time::sleep(SOON).await;
    let soon = warnings.warnings();
    tokio::time::sleep(100 * SOON).await;
    assert_eq!(warnings.warnings(), Vec::<String>::new(), "once");
    let [text] = &soon[..] else { panic!("one warning within {SOON:?}: {soon:?}") };
    text.clone()
}

#[tokio::test(start_paused = true)]
async fn a_half_whose_other_half_nobody_uses_says_so() {
    let (warnings, _listening) = Log::new();
    let (_tx, mut rx) = vox::channel::<u64>();
    let receiving = tokio::spawn(async move { rx.recv().await });
    let text = one(&warnings).await;
    assert!(text.contains("`recv`") && text.contains("no call took the other half"), "{text}");
    receiving.abort();

    let (tx, _rx) = vox::channel::<u64>();
    let sending = tokio::spawn(async move {
        for n in 0.. {
            tx.send(n).await.expect("nobody reads");
        }
    });
    let text = one(&warnings).await;
    assert!(text.contains("`send`") && text.contains("no call took the other half") && text.contains("256"), "{text}");
    sending.abort();
}

#[tokio::test(start_paused = true)]
async fn a_half_whose_call_is_not_awaited_names_the_method() {
    let (lab, _) = lab().await;
    let (warnings, _listening) = Log::new();
    let (tx, rx) = vox::channel::<u64>();
    let call = lab.sum(rx);
    let sending = tokio::spawn(async move {
        for n in 0..1_000 {
            tx.send(n).await.expect("it is read in the end");
        }
        tx.close();
    });
    let text = one(&warnings).await;
    assert!(text.contains("`Lab::sum`") && text.contains("await it"), "{text}");
    assert_eq!(call.await, Ok(499_500));
    sending.await.expect("no panic");
    assert_eq!(warnings.warnings(), Vec::<String>::new());

    let (tx, mut rx) = vox::channel::<u64>();
    let call = lab.count(1, tx);
    let receiving = tokio::spawn(async move { rx.recv().await });
    let text = one(&warnings).await;
    assert!(text.contains("`recv`") && text.contains("`Lab::count`"), "{text}");
    assert_eq!(call.await, Ok(1));
    assert_eq!(receiving.await.expect("no panic"), Ok(Some(0)));
}

/// Its call is awaited and waits for its turn: that is said, and not that somebody has to await it.
#[tokio::test(start_paused = true)]
async fn a_half_whose_call_waits_for_a_slot_leaves_it_to_the_call_to_say_so() {
    let (lab, probe) = lab_with(Limits { max_calls: 1, ..Limits::default() }).await;
    let gated = tokio::spawn(lab.gate(0).timeout(Duration::from_secs(3600)));
    settle().await;
    let (warnings, _listening) = Log::new();
    let (tx, mut rx) = vox::channel();
    let counting = tokio::spawn(lab.count(1, tx));
    let receiving = tokio::spawn(async move { rx.recv().await });
    let text = one(&warnings).await;
    assert!(text.contains("`Lab.count` waits for a free slot") && text.contains("`Limits::max_calls`"), "{text}");
    probe.gate.add_permits(1);
    assert_eq!(gated.await.expect("no panic"), Ok(0));
    assert_eq!(receiving.await.expect("no panic"), Ok(Some(0)));
    assert_eq!(counting.await.expect("no panic"), Ok(1));
}

#[tokio::test(start_paused = true)]
async fn a_half_whose_call_waits_for_a_link_says_so() {
    let connector = Connector::new("a black hole", async || std::future::pending().await);
    let lab: LabClient = vox::connect(connector).lazy().expect("it dials later");
    let (warnings, _listening) = Log::new();
    let (tx, mut rx) = vox::channel::<u64>();
    let counting = tokio::spawn(lab.count(1, tx).timeout(Duration::from_secs(3600)));
    let receiving = tokio::spawn(async move { rx.recv().await });
    let text = one(&warnings).await;
    assert!(text.contains("`recv`") && text.contains("`Lab::count`") && text.contains("waits for a link"), "{text}");
    counting.abort();
    receiving.abort();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_room_for_its_channels_names_the_limit() {
    let (lab, _) = lab_with(Limits { max_channels: 2, ..Limits::default() }).await;
    let holding = [vox::channel::<u64>(), vox::channel()].map(|(tx, rx)| (tx, tokio::spawn(lab.holding(rx))));
    settle().await;
    assert!(holding.iter().all(|(tx, _)| !tx.is_closed()), "they are watched");
    let (warnings, _listening) = Log::new();
    let (tx, rx) = vox::channel();
    tx.close();
    let third = tokio::spawn(lab.sum(rx));
    let text = one(&warnings).await;
    assert!(text.contains("`Lab.sum`") && text.contains("2 are open and it brings 1"), "{text}");
    assert!(text.contains("the peer takes 2") && text.contains("`Limits::max_channels`"), "{text}");
    drop(holding);
    assert_eq!(third.await.expect("no panic"), Ok(0));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_a_slot_names_the_limit() {
    let (lab, probe) = lab_with(Limits { max_calls: 2, ..Limits::default() }).await;
    let gated = [tokio::spawn(lab.gate(0)), tokio::spawn(lab.gate(1))];
    settle().await;
    let (warnings, _listening) = Log::new();
    let third = tokio::spawn(lab.echo(3).timeout(Duration::from_secs(3600)));
    tokio::time::sleep(SOON).await;
    let soon = warnings.warnings();
    let [text] = &soon[..] else { panic!("one warning: {soon:?}") };
    assert!(text.contains("`Lab.echo` waits for a free slot") && text.contains("has 2 for"), "{text}");
    assert!(text.contains("`Limits::max_calls`"), "{text}");
    probe.gate.add_permits(2);
    assert_eq!(third.await.expect("no panic"), Ok(3));
    for call in gated {
        assert!(call.await.expect("no panic").is_ok());
    }
    assert_eq!(warnings.warnings(), Vec::<String>::new(), "once");
}

/// The caller sends after the call, and the handler waits for that.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_awaited_before_its_items_are_sent_says_so() {
    let (lab, _) = lab().await;
    let (warnings, _listening) = Log::new();
    let (tx, rx) = vox::channel();
    let call = tokio::spawn(lab.sum(rx));
    let text = one(&warnings).await;
    assert!(text.contains("`Lab::sum`") && text.contains("nothing was sent on channel"), "{text}");
    tx.close();
    assert_eq!(call.await.expect("no panic"), Ok(0));
}

/// What an upload that was left open is told by.
#[track_caller]
fn check_left_open(text: &str, method: &str) {
    for part in [method, "has not been answered", "on channel 1", "still open", "close it by `Tx::close`"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_channel_is_used_and_never_closed_says_so_once_for_its_method() {
    let (lab, _) = lab().await;
    let (warnings, _listening) = Log::new();
    let (tx, rx) = vox::channel();
    let call = tokio::spawn(lab.sum(rx));
    tx.send(1).await.expect("it is read");
    tx.send(2).await.expect("it is read");
    check_left_open(&one(&warnings).await, "`Lab::sum`");
    tx.close();
    assert_eq!(call.await.expect("no panic"), Ok(3));

    // Of another call of it that would be no news. Of another method it is.
    let (again, rx) = vox::channel();
    let second = tokio::spawn(lab.sum(rx));
    again.send(1).await.expect("it is read");
    let (up, rx) = vox::channel();
    let third = tokio::spawn(lab.ends(rx));
    up.send(1).await.expect("it is read");
    let text = one(&warnings).await;
    assert!(text.contains("`Lab::ends`") && text.contains("close it by `Tx::close`"), "{text}");
    again.close();
    up.close();
    assert_eq!((second.await.expect("no panic"), third.await.expect("no panic")), (Ok(1), Ok(())));
}

/// The items were sent before the call was polled, and the task that has the sender awaits the call.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_awaited_by_the_holder_of_its_open_sender_says_so() {
    let (lab, _) = lab().await;
    let (warnings, _listening) = Log::new();
    let (tx, rx) = vox::channel();
    for n in 0..3 {
        tx.send(n).await.expect("it is kept");
    }
    let call = lab.sum(rx);
    let waiting = tokio::spawn(async move {
        let sum = call.await;
        drop(tx);
        sum
    });
    check_left_open(&one(&warnings).await, "`Lab::sum`");
    waiting.abort();
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_goes_on_now_and_then_is_not_taken_for_one_that_was_left_open() {
    let (lab, _) = lab().await;
    let (warnings, _listening) = Log::new();
    for pause in [1, 3, 4] {
        let (tx, rx) = vox::channel();
        let call = tokio::spawn(lab.sum(rx));
        for n in 0..20 {
            tx.send(n).await.expect("it is read");
            tokio::time::sleep(Duration::from_secs(pause)).await;
        }
        tx.close();
        assert_eq!(call.await.expect("no panic"), Ok(190));
    }
    assert_eq!(warnings.warnings(), Vec::<String>::new());
}

/// A caller that closed the channel, or watches it, has not forgotten it.
#[tokio::test(start_paused = true)]
async fn nothing_is_said_of_a_channel_that_was_closed_or_is_watched_while_its_handler_works() {
    // A call of a client that may move takes its channels along until it is over, those too that were closed.
    let server = vox::Server::builder().service(LabDispatcher::new(Bench::default()));
    let _server = server.bind("mem://warnings-closed").await.expect("it is free");
    let lab: LabClient = vox::connect("mem://warnings-closed").await.expect("a session");
    let (warnings, _listening) = Log::new();
    let holding = [0, 2].map(|count| {
        let (tx, rx) = vox::channel();
        let call = tokio::spawn(lab.holding(rx));
        let closing = async move {
            settle().await;
            for n in 0..count {
                tx.send(n).await.expect("it is taken");
            }
            tx.close();
        };
        (call, tokio::spawn(closing))
    });
    let (tx, rx) = vox::channel();
    let watched = tokio::spawn(lab.ends(rx));
    tx.send(1).await.expect("it is read");
    let watching = tokio::spawn(async move { tx.closed().await });
    tokio::time::sleep(100 * SOON).await;
    assert_eq!(warnings.warnings(), Vec::<String>::new());
    holding.iter().for_each(|(call, _)| call.abort());
    watched.abort();
    watching.abort();
}

#[tokio::test(start_paused = true)]
async fn a_send_whose_reader_reads_nothing_names_the_window() {
    let (lab, _) = lab().await;
    let (warnings, _listening) = Log::new();
    let (tx, rx) = vox::channel();
    let holding = tokio::spawn(lab.holding(rx));
    let sending = tokio::spawn(async move {
        loop {
            if tx.send(1).await.is_err() {
                return;
            }
        }
    });
    let text = one(&warnings).await;
    assert!(text.contains("`Lab::holding`") && text.contains("4096 items") && text.contains("65536 bytes"), "{text}");
    holding.abort();
    sending.await.expect("no panic");
}

/// A `Sink` waits by `poll_ready`, in no future of ours.
#[tokio::test(start_paused = true)]
async fn a_sink_that_waits_says_so_as_a_send_does() {
    async fn ready(tx: &mut vox::Tx<u64>) -> Result<(), vox::SendError> {
        std::future::poll_fn(|cx| futures_sink::Sink::poll_ready(std::pin::Pin::new(&mut *tx), cx)).await
    }
    async fn fill(mut tx: vox::Tx<u64>) {
        while ready(&mut tx).await.is_ok() {
            futures_sink::Sink::start_send(std::pin::Pin::new(&mut tx), 1).expect("it was ready");
        }
    }
    let (lab, _) = lab().await;
    let (warnings, _listening) = Log::new();
    let (tx, rx) = vox::channel();
    let call = lab.sum(rx);
    let sending = tokio::spawn(fill(tx));
    let text = one(&warnings).await;
    assert!(
        text.contains("`Sink`") && text.contains("the call of `Lab::sum` that took the other half has not been sent"),
        "{text}"
    );
    drop(call);
    sending.await.expect("no panic");

    let (tx, rx) = vox::channel();
    let holding = tokio::spawn(lab.holding(rx));
    let sending = tokio::spawn(fill(tx));
    let text = one(&warnings).await;
    assert!(text.contains("`Lab::holding`") && text.contains("4096 items"), "{text}");
    holding.abort();
    sending.await.expect("no panic");
}

/// A watched half waits for ever where both are used here; where a call took the other half, that call should be sent.
#[tokio::test(start_paused = true)]
async fn who_waits_for_a_reader_to_leave_whose_call_is_not_sent_is_told() {
    let (lab, _) = lab().await;
    let (warnings, _listening) = Log::new();
    let (local, _rx) = vox::channel::<u64>();
    let watched = tokio::spawn(async move { local.closed().await });
    let (tx, rx) = vox::channel();
    let call = lab.sum(rx);
    let waiting = tokio::spawn(async move { tx.closed().await });
    let text = one(&warnings).await;
    assert!(
        text.contains("`closed`") && text.contains("the call of `Lab::sum` that took the other half has not been sent"),
        "{text}"
    );
    drop(call);
    assert!(matches!(waiting.await.expect("no panic"), vox::SendError::NotBound(_)));
    watched.abort();
}

/// Streams that go on, feeds that are watched, and calls that have returned are nobody's mistake.
#[tokio::test(start_paused = true)]
async fn nothing_is_said_of_what_goes_well() {
    let (lab, probe) = lab().await;
    let (warnings, _listening) = Log::new();
    let (tx, mut rx) = vox::channel();
    lab.later(tx).await.expect("at once");
    let (up, theirs) = vox::channel();
    let call = tokio::spawn(lab.ends(theirs));
    settle().await;
    assert!(!up.is_closed(), "it is watched");
    for n in 0..20 {
        probe.gate.add_permits(1);
        assert_eq!(rx.recv().await, Ok(Some(n)));
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    up.close();
    assert_eq!(call.await.expect("no panic"), Ok(()));
    assert_eq!(warnings.warnings(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn what_a_server_refuses_is_logged_once_a_minute_with_the_peer_the_limit_and_both_numbers() {
    let (lab, _probe) = lab_with(Limits { max_detached: 1, ..Limits::default() }).await;
    let running_on = tokio::spawn(lab.persist(600_000).into_future());
    settle().await;
    running_on.abort();
    settle().await;
    let (warnings, _listening) = Log::new();
    for seconds in [0, 59, 1, 59, 2] {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let error = lab.persist(1).await.expect_err("one runs on already");
        assert!(error.to_string().contains("`Limits::max_detached` is 1"), "{error}");
    }
    let logged = warnings.warnings();
    assert_eq!(logged.len(), 3, "{logged:?}");
    for text in logged {
        for part in ["answered `Busy`", "`Limits::max_detached` is 1", "\"max_detached\"", "needed=2 most=1 ", "pair"] {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
    }
}
