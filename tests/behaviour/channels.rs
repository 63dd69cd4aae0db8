//! Channels: in order, with credit, and never a clean end that is none.

use std::time::Duration;

use vox::{Limits, Metadata, NotSent, RecvError, Rx, SendError, TrySendError, Tx, VoxError};

use crate::lab::{Answer, Nested, Parts, lab, lab_with};
use crate::support::{Wire, settle};

const MANY: u64 = 10_000;

/// The items of a window at first.
const WINDOW: u64 = 4096;

#[tokio::test(start_paused = true)]
async fn pitfall_27_a_dropped_receiver_fails_its_callers_next_send() {
    let (lab, probe) = lab().await;
    let (tx, rx) = vox::channel();
    let call = tokio::spawn(lab.first(1, rx).into_future());
    tx.send(5).await.expect("the handler reads");
    assert_eq!(call.await.expect("no panic"), Ok(vec![5]));
    settle().await;
    assert_eq!(tx.send(6).await, Err(SendError::Reset));
    drop(probe);
}

#[tokio::test(start_paused = true)]
async fn pitfall_27_a_dropped_receiver_wakes_a_sender_that_waits_for_credit() {
    let (lab, probe) = lab().await;
    let (tx, rx) = vox::channel();
    let call = tokio::spawn(lab.holding(rx).into_future());
    let sender = tokio::spawn(async move {
        loop {
            if let Err(error) = tx.send(1).await {
                return error;
            }
        }
    });
    settle().await;
    assert!(!sender.is_finished(), "it waits for credit");
    call.abort();
    assert_eq!(sender.await.expect("no panic"), SendError::Reset);
    assert_eq!(probe.stopped.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn pitfall_27_a_dropped_receiver_fails_its_handlers_next_send() {
    let (lab, probe) = lab().await;
    let (tx, mut rx) = vox::channel();
    lab.later(tx).await.expect("at once");
    probe.gate.add_permits(1);
    assert_eq!(rx.recv().await, Ok(Some(0)));
    drop(rx);
    settle().await;
    probe.gate.add_permits(1);
    settle().await;
    assert_eq!(probe.endings(), ["Reset"]);
    assert_eq!(probe.sent.get(), 1);
}

// proves: close.clean
#[tokio::test(start_paused = true)]
async fn pitfall_28_a_lost_link_is_an_error_to_both_receivers_and_senders() {
    let (ours, theirs, wire) = Wire::new();
    let bench = crate::lab::Bench::default();
    let probe = bench.probe.clone();
    crate::lab::serve(theirs, bench, Limits::default());
    let lab: crate::lab::LabClient = vox::connect(ours).await.expect("a session");
    let (up, up_rx) = vox::channel();
    let (down_tx, mut down) = vox::channel();
    lab.later(down_tx).await.expect("at once");
    let ends = tokio::spawn(lab.ends(up_rx).into_future());
    up.send(1).await.expect("the link is up");
    probe.gate.add_permits(1);
    assert_eq!(down.recv().await, Ok(Some(0)));
    settle().await;
    assert_eq!(probe.sent.get(), 2, "both sides");
    wire.cut();
    assert!(matches!(down.recv().await, Err(RecvError::ConnectionLost(_))));
    assert!(matches!(down.recv().await, Err(RecvError::ConnectionLost(_))), "and so again");
    assert!(matches!(up.send(2).await, Err(SendError::ConnectionLost(_))));
    assert_eq!(ends.await.expect("no panic"), Err(VoxError::Indeterminate));
    probe.gate.add_permits(1);
    settle().await;
    let endings = probe.endings();
    assert_eq!(endings.len(), 1, "the handler of `ends` was aborted, the task of `later` was told: {endings:?}");
    assert!(endings[0].starts_with("ConnectionLost"), "{endings:?}");
}

// proves: guide.channel.lost
// proves: channel.lost
#[tokio::test(start_paused = true)]
async fn what_arrived_before_the_link_was_lost_is_received_before_the_error() {
    let (ours, theirs, wire) = Wire::new();
    crate::lab::serve(theirs, crate::lab::Bench::default(), Limits::default());
    let lab: crate::lab::LabClient = vox::connect(ours).await.expect("a session");
    let (tx, mut rx) = vox::channel();
    let call = tokio::spawn(lab.count(MANY, tx).into_future());
    settle().await;
    wire.cut();
    settle().await;
    for n in 0..WINDOW {
        assert_eq!(rx.recv().await, Ok(Some(n)));
    }
    assert!(matches!(rx.recv().await, Err(RecvError::ConnectionLost(_))));
    assert_eq!(call.await.expect("no panic"), Err(VoxError::Indeterminate));
}

// proves: limit.channel.items
#[tokio::test(start_paused = true)]
async fn a_slow_reader_stops_its_sender_and_loses_nothing() {
    let limits = Limits { channel_items: 16, channel_bytes: 1 << 20, max_channel_bytes: 1 << 20, ..Limits::default() };
    let (ours, theirs) = vox::transport::memory_pair();
    let bench = crate::lab::Bench::default();
    let probe = bench.probe.clone();
    crate::lab::serve(theirs, bench, Limits::default());
    let lab: crate::lab::LabClient = vox::connect(ours).limits(limits).await.expect("a session");
    let (tx, mut rx) = vox::channel();
    let call = tokio::spawn(lab.count(100, tx).into_future());
    settle().await;
    assert_eq!(probe.sent.get(), 16, "the window");
    for n in 0..100 {
        assert_eq!(rx.recv().await, Ok(Some(n)));
        settle().await;
        assert!(probe.sent.get() as u64 <= n + 1 + 16, "never more than the window ahead");
    }
    assert_eq!(rx.recv().await, Ok(None));
    assert_eq!(call.await.expect("no panic"), Ok(100));
}

// proves: limit.channel.bytes
#[tokio::test(start_paused = true)]
async fn a_window_in_bytes_stops_a_sender_of_large_items() {
    let limits = Limits { channel_items: 1000, channel_bytes: 10_000, ..Limits::default() };
    let (ours, theirs) = vox::transport::memory_pair();
    let bench = crate::lab::Bench::default();
    let probe = bench.probe.clone();
    crate::lab::serve(theirs, bench, Limits::default());
    let lab: crate::lab::LabClient = vox::connect(ours).limits(limits).await.expect("a session");
    let (tx, mut rx) = vox::channel();
    let call = tokio::spawn(lab.bytes(50, 4000, tx).into_future());
    settle().await;
    assert_eq!(probe.sent.get(), 3, "the third overdraws the window");
    for _ in 0..50 {
        assert_eq!(rx.recv().await.map(|item| item.map(|item| item.len())), Ok(Some(4000)));
    }
    assert_eq!(rx.recv().await, Ok(None));
    assert_eq!(call.await.expect("no panic"), Ok(()));
}

// proves: credit.overdraw
#[tokio::test(start_paused = true)]
async fn an_item_larger_than_the_window_passes() {
    let limits = Limits { channel_items: 1, channel_bytes: 1, ..Limits::default() };
    let (ours, theirs) = vox::transport::memory_pair();
    crate::lab::serve(theirs, crate::lab::Bench::default(), Limits::default());
    let lab: crate::lab::LabClient = vox::connect(ours).limits(limits).await.expect("a session");
    let (tx, mut rx) = vox::channel();
    let call = tokio::spawn(lab.bytes(5, 1 << 20, tx).into_future());
    for _ in 0..5 {
        assert_eq!(rx.recv().await.map(|item| item.map(|item| item.len())), Ok(Some(1 << 20)));
    }
    assert_eq!(rx.recv().await, Ok(None));
    assert_eq!(call.await.expect("no panic"), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn try_send_says_full_and_gives_the_item_back() {
    let (lab, _) = lab().await;
    let (tx, rx) = vox::channel();
    let call = tokio::spawn(lab.holding(rx).into_future());
    settle().await;
    for n in 0..WINDOW {
        assert_eq!(tx.try_send(n), Ok(()), "{n}");
    }
    assert_eq!(tx.try_send(256), Err(TrySendError::Full(256)));
    call.abort();
    settle().await;
    assert_eq!(tx.try_send(257), Err(TrySendError::Closed(SendError::Reset)));
}

/// A send that is dropped while it waits has sent nothing and kept no credit.
#[tokio::test(start_paused = true)]
async fn pitfall_32_a_cancelled_send_takes_no_credit_and_sends_nothing() {
    let (lab, _) = lab().await;
    let (tx, rx) = vox::channel();
    let call = tokio::spawn(lab.sum(rx).into_future());
    let mut sum = 0;
    for n in 0..5_000u64 {
        // Some of these are ready at once and some wait for credit and are dropped: only those that say so were sent.
        tokio::select! {
            biased;
            sent = tx.send(n) => {
                sent.expect("the handler reads");
                sum += n;
            }
            () = std::future::ready(()) => {}
        }
        if n % 1000 == 999 {
            settle().await;
        }
    }
    tx.close();
    assert_eq!(call.await.expect("no panic"), Ok(sum));
}

#[tokio::test(start_paused = true)]
async fn pitfall_32_a_cancelled_receive_loses_no_item_and_no_wake() {
    let (lab, probe) = lab().await;
    let (tx, mut rx) = vox::channel();
    lab.later(tx).await.expect("at once");
    for n in 0..500 {
        // Polled once, registered, dropped.
        tokio::select! {
            biased;
            item = rx.recv() => panic!("there is none: {item:?}"),
            () = std::future::ready(()) => {}
        }
        probe.gate.add_permits(1);
        assert_eq!(rx.recv().await, Ok(Some(n)));
    }
}

#[tokio::test(start_paused = true)]
async fn closing_carries_metadata_to_the_receiver() {
    let (lab, probe) = lab().await;
    let (tx, rx) = vox::channel();
    let call = tokio::spawn(lab.ends(rx).into_future());
    tx.send(1).await.expect("the handler reads");
    let mut metadata = Metadata::new();
    metadata.insert("rows", "1");
    assert_eq!(tx.close_with(metadata), Ok(()));
    assert_eq!(call.await.expect("no panic"), Ok(()));
    assert_eq!(probe.endings(), [r#"closed Some({"rows": "1"})"#]);
}

#[tokio::test(start_paused = true)]
async fn pitfall_31_the_metadata_of_a_close_before_the_call_is_kept() {
    let (lab, probe) = lab().await;
    let (tx, rx) = vox::channel::<u64>();
    let call = lab.ends(rx);
    let mut metadata = Metadata::new();
    metadata.insert("rows", "0");
    assert_eq!(tx.close_with(metadata), Ok(()));
    assert_eq!(call.await, Ok(()));
    assert_eq!(probe.endings(), [r#"closed Some({"rows": "0"})"#]);
}

#[tokio::test(start_paused = true)]
async fn a_close_with_too_much_metadata_aborts_the_channel_and_not_the_session() {
    let (lab, probe) = lab().await;
    let (tx, rx) = vox::channel::<u64>();
    let call = tokio::spawn(lab.ends(rx).into_future());
    settle().await;
    let mut metadata = Metadata::new();
    metadata.insert("all", "x".repeat(10_000));
    assert!(matches!(tx.close_with(metadata), Err(SendError::InvalidItem(_))));
    assert_eq!(call.await.expect("no panic"), Ok(()));
    let [end] = &probe.endings()[..] else { panic!("one end") };
    assert!(end.starts_with("Aborted") && end.contains("metadata"), "{end}");
    assert_eq!(lab.echo(1).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn channels_travel_in_structs_options_and_enums() {
    let (lab, _) = lab().await;
    let (tx, rx) = vox::channel();
    let (answer, mut answered) = vox::channel();
    let nested = Nested { answer: Answer::To(answer) };
    let call = tokio::spawn(lab.parts(Parts { name: "abc".to_owned(), numbers: Some(rx), nested }).into_future());
    tx.send(4).await.expect("the handler reads");
    tx.close();
    assert_eq!(answered.recv().await, Ok(Some(7)));
    assert_eq!(answered.recv().await, Ok(None));
    assert_eq!(call.await.expect("no panic"), Ok(7));
    let none = Parts { name: "abc".to_owned(), numbers: None, nested: Nested { answer: Answer::Nothing } };
    assert_eq!(lab.parts(none).await, Ok(3));
}

#[tokio::test(start_paused = true)]
async fn a_channel_outlives_its_call_and_its_client() {
    let (lab, probe) = lab().await;
    let (tx, mut rx) = vox::channel();
    lab.later(tx).await.expect("at once");
    drop(lab);
    settle().await;
    probe.gate.add_permits(300);
    for n in 0..300 {
        assert_eq!(rx.recv().await, Ok(Some(n)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_kept_sender_that_ended_before_the_call_ends_the_channel_in_the_same_way() {
    let (lab, probe) = lab().await;
    let ends: [fn(Tx<u64>); 3] = [|tx| tx.close(), drop, |tx| tx.abort("no file")];
    for end in ends {
        let (tx, rx) = vox::channel();
        let call = lab.ends(rx);
        end(tx);
        assert_eq!(call.await, Ok(()));
    }
    assert_eq!(probe.endings(), ["closed Some({})", "Dropped", r#"Aborted("no file")"#]);
}

#[tokio::test(start_paused = true)]
async fn a_kept_receiver_that_was_dropped_before_the_call_resets_the_channel() {
    let (lab, probe) = lab().await;
    let (tx, rx) = vox::channel();
    let call = lab.count(MANY, tx);
    drop(rx);
    assert!(call.await.expect("it runs") < MANY);
    assert_eq!(probe.endings(), ["Reset"]);
}

#[tokio::test(start_paused = true)]
async fn the_kept_half_of_a_call_that_is_dropped_unsent_says_so() {
    let (lab, _) = lab().await;
    let (tx, rx) = vox::channel();
    drop(lab.sum(rx));
    assert!(matches!(tx.send(1).await, Err(SendError::NotBound(_))));
    let (tx, mut rx) = vox::channel();
    drop(lab.count(1, tx));
    assert!(matches!(rx.recv().await, Err(RecvError::NotBound(_))));
}

/// Also while the future of the call that was refused is still kept, as in a `select!` by reference.
#[tokio::test(start_paused = true)]
async fn the_kept_half_of_a_call_that_cannot_be_sent_says_so_at_once() {
    let (lab, _) = lab_with(Limits { max_calls: 1, ..Limits::default() }).await;
    let busy = tokio::spawn(lab.hang().into_future());
    settle().await;
    let (tx, rx) = vox::channel();
    let mut call = std::pin::pin!(lab.sum(rx).timeout(Duration::from_millis(5)).into_future());
    assert!(matches!(call.as_mut().await, Err(VoxError::NotSent(NotSent::Waited(_)))));
    assert!(matches!(tx.send(1).await, Err(SendError::NotBound(_))));
    busy.abort();
}

#[tokio::test(start_paused = true)]
async fn a_send_that_waits_for_its_call_goes_on_when_the_call_is_made() {
    let (lab, _) = lab().await;
    let (tx, rx) = vox::channel();
    let sender = tokio::spawn(async move {
        for n in 0..1_000 {
            tx.send(n).await.expect("the handler reads");
        }
        tx.close();
    });
    settle().await;
    assert!(!sender.is_finished(), "no more than 256 are kept for the call");
    assert_eq!(lab.sum(rx).await, Ok(499_500));
    sender.await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn two_halves_of_one_channel_cannot_both_be_given() {
    let (lab, _) = lab().await;
    let (tx, rx) = vox::channel::<u64>();
    let first = lab.sum(rx);
    let Err(VoxError::NotSent(NotSent::InvalidArgument(why))) = lab.count(1, tx).await else {
        panic!("the other half is given already");
    };
    assert!(why.contains("argument `numbers` of `Lab::count`"), "{why}");
    assert_eq!(lab.echo(3).await, Ok(3));
    drop(first);
}

#[tokio::test(start_paused = true)]
async fn a_half_that_is_in_use_cannot_be_given_to_another_call() {
    let (lab, _) = lab().await;
    let (tx, rx) = vox::channel();
    let call = tokio::spawn(lab.sum(rx).into_future());
    tx.send(1).await.expect("the handler reads");
    assert!(matches!(lab.count(1, tx).await, Err(VoxError::NotSent(NotSent::InvalidArgument(_)))));
    // Giving it away has not ended it by accident, and dropping it has.
    assert_eq!(call.await.expect("no panic"), Err(VoxError::Panicked), "the handler expects a clean end");
}

#[vox::service(name = "Lab")]
trait Blind {
    /// The same method to the wire, but what it is called with is other than what it decodes.
    async fn sum(&self, numbers: Rx<u64>, more: u64) -> u64;
}

// proves: channel.unbound
#[tokio::test(start_paused = true)]
async fn pitfall_29_halves_that_the_handler_never_takes_are_reset() {
    struct Sees;
    impl Blind for Sees {
        async fn sum(&self, _: Rx<u64>, more: u64) -> u64 {
            more
        }
    }
    let (ours, theirs) = crate::support::undescribed::undescribed_pair();
    tokio::spawn(vox::serve(theirs, BlindDispatcher::new(Sees)));
    let lab: crate::lab::LabClient = vox::connect(ours).await.expect("a session");
    let (tx, rx) = vox::channel();
    let Err(VoxError::InvalidPayload(why)) = lab.sum(rx).await else { panic!("an argument is missing") };
    assert!(why.contains("argument `more` of `sum`"), "{why}");
    settle().await;
    assert_eq!(tx.send(1).await, Err(SendError::Reset));
    let (tx, mut rx) = vox::channel();
    assert!(matches!(lab.count(5, tx).await, Err(VoxError::UnknownMethod { .. })));
    assert_eq!(rx.recv().await, Err(RecvError::Reset));
}

#[vox::service(name = "Lab")]
trait Narrow {
    async fn count(&self, to: u64, numbers: Tx<u8>) -> u64;
    async fn sum(&self, numbers: Rx<String>) -> u64;
}

/// An item of another type ends its channel at its receiver, and no other: not even the one that has its place later.
#[tokio::test(start_paused = true)]
async fn a_bad_item_ends_its_channel_and_never_another() {
    let (ours, theirs) = crate::support::undescribed::undescribed_pair();
    let bench = crate::lab::Bench::default();
    crate::lab::serve(theirs, bench, Limits::default());
    let session = vox::Session::connect(ours).await.expect("a session");
    let narrow: NarrowClient = session.open().await.expect("served");
    let lab: crate::lab::LabClient = session.open().await.expect("served");
    let (tx, mut bad) = vox::channel::<u8>();
    let call = tokio::spawn(narrow.count(1_000, tx).into_future());
    for n in 0..128 {
        assert_eq!(bad.recv().await, Ok(Some(n)));
    }
    // 128 is two bytes as a u64, and a u8 is one.
    assert!(matches!(bad.recv().await, Err(RecvError::BadItem { .. })));
    assert!(matches!(bad.recv().await, Err(RecvError::BadItem { .. })));
    assert!(call.await.expect("no panic").is_ok());
    let (tx, rx) = vox::channel();
    let sum = tokio::spawn(lab.sum(rx).into_future());
    tx.send(20).await.expect("the handler reads");
    drop(bad);
    tx.send(22).await.expect("the channel is another");
    tx.close();
    assert_eq!(sum.await.expect("no panic"), Ok(42));
}

/// A sink that was closed is closed, and its later drop is nobody else's end.
#[tokio::test(start_paused = true)]
async fn a_closed_sink_stays_closed_and_never_ends_another_channel() {
    use std::future::poll_fn;
    use std::pin::Pin;

    use futures_sink::Sink;

    let (lab, _) = lab().await;
    let (mut sink, rx) = vox::channel::<u64>();
    let first = tokio::spawn(lab.sum(rx).into_future());
    poll_fn(|cx| Pin::new(&mut sink).poll_ready(cx)).await.expect("credit");
    Pin::new(&mut sink).start_send(1).expect("sent");
    poll_fn(|cx| Pin::new(&mut sink).poll_close(cx)).await.expect("closed");
    assert_eq!(first.await.expect("no panic"), Ok(1));
    let (tx, rx) = vox::channel();
    let second = tokio::spawn(lab.sum(rx).into_future());
    tx.send(1).await.expect("the handler reads");
    assert_eq!(poll_fn(|cx| Pin::new(&mut sink).poll_ready(cx)).await, Err(SendError::Reset));
    assert_eq!(sink.send(5).await, Err(SendError::Reset));
    drop(sink);
    tx.send(1).await.expect("the channel is another");
    tx.close();
    assert_eq!(second.await.expect("no panic"), Ok(2));
}

#[tokio::test(start_paused = true)]
async fn a_receiver_is_a_stream() {
    use futures_core::Stream;
    use std::pin::Pin;

    let (lab, _) = lab().await;
    let (tx, mut rx) = vox::channel();
    let call = tokio::spawn(lab.count(1_000, tx).into_future());
    let mut next = 0;
    while let Some(item) = std::future::poll_fn(|cx| Pin::new(&mut rx).poll_next(cx)).await {
        assert_eq!(item, Ok(next));
        next += 1;
    }
    assert_eq!(next, 1_000);
    assert_eq!(call.await.expect("no panic"), Ok(1_000));
}

#[tokio::test(start_paused = true)]
async fn calls_and_channels_cross_without_waiting_for_each_other() {
    let (lab, _) = lab().await;
    let mut calls = Vec::new();
    for _ in 0..20 {
        let (tx, rx) = vox::channel();
        let (down, mut up) = vox::channel();
        let lab = lab.clone();
        calls.push(tokio::spawn(async move {
            let sum = lab.sum(rx).into_future();
            let count = lab.count(2_000, down).into_future();
            let feed = async move {
                for n in 0..2_000 {
                    tx.send(n).await.expect("the handler reads");
                }
                tx.close();
            };
            let drain = async move {
                for n in 0..2_000 {
                    assert_eq!(up.recv().await, Ok(Some(n)));
                }
                assert_eq!(up.recv().await, Ok(None));
            };
            let (sum, count, (), ()) = tokio::join!(sum, count, feed, drain);
            assert_eq!((sum, count), (Ok(1_999_000), Ok(2_000)));
        }));
    }
    for call in calls {
        call.await.expect("no panic");
    }
    assert_eq!(lab.echo(1).await, Ok(1));
}
