//! Channels before their calls, and without any.

use vox::{Limits, Metadata, RecvError, Rx, SendError, Server, TryRecvError, TrySendError, Tx};

use crate::lab::{Bench, Lab, LabClient, lab};
use crate::support::settle;

// proves: guide.channel.local
#[tokio::test(start_paused = true)]
async fn two_halves_in_one_process_are_a_bounded_channel() {
    let (tx, mut rx) = vox::channel();
    for n in 0..256u64 {
        assert_eq!(tx.try_send(n), Ok(()), "{n}");
    }
    assert_eq!(tx.try_send(256), Err(TrySendError::Full(256)));
    let sender = tokio::spawn(async move {
        for n in 256..1_000 {
            tx.send(n).await.expect("it is received");
        }
        let mut metadata = Metadata::new();
        metadata.insert("rows", "1000");
        tx.close_with(metadata)
    });
    settle().await;
    assert!(!sender.is_finished(), "it waits for room");
    for n in 0..1_000 {
        assert_eq!(rx.recv().await, Ok(Some(n)));
    }
    assert_eq!(rx.recv().await, Ok(None));
    assert_eq!(rx.close_metadata().and_then(|metadata| metadata.get("rows")), Some("1000"));
    assert_eq!(sender.await.expect("no panic"), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_local_channel_ends_as_others_do() {
    type End = (fn(Tx<String>), Result<Option<String>, RecvError>);
    let ends: [End; 3] = [
        (|tx| tx.close(), Ok(None)),
        (|tx| drop(tx), Err(RecvError::Dropped)),
        (|tx| tx.abort("no file"), Err(RecvError::Aborted("no file".into()))),
    ];
    for (end, expected) in ends {
        let (tx, mut rx) = vox::channel();
        tx.send("one".to_owned()).await.expect("there is room");
        end(tx);
        assert_eq!(rx.recv().await, Ok(Some("one".to_owned())));
        assert_eq!(rx.recv().await, expected);
        assert_eq!(rx.recv().await, expected, "and so again");
    }
    let (tx, mut rx) = vox::channel::<u64>();
    let waiting = tokio::spawn(async move { (rx.recv().await, rx) });
    settle().await;
    tx.send(1).await.expect("there is room");
    let (received, rx) = waiting.await.expect("no panic");
    assert_eq!(received, Ok(Some(1)));
    drop(rx);
    assert_eq!(tx.send(2).await, Err(SendError::Reset));
    assert!(tx.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_local_sender_that_waits_learns_that_its_reader_left() {
    let (tx, rx) = vox::channel();
    let sender = tokio::spawn(async move {
        loop {
            if let Err(error) = tx.send(1u8).await {
                return error;
            }
        }
    });
    settle().await;
    drop(rx);
    assert_eq!(sender.await.expect("no panic"), SendError::Reset);
}

/// As a test of a handler does.
#[tokio::test(start_paused = true)]
async fn a_handler_is_called_by_a_test_with_halves_that_the_test_keeps() {
    let bench = Bench::default();
    let (tx, rx) = vox::channel();
    for n in 1..=10 {
        tx.send(n).await.expect("there is room");
    }
    tx.close();
    assert_eq!(bench.sum(rx).await, 55);
    let (tx, mut rx) = vox::channel();
    assert_eq!(bench.count(3, tx).await, 3);
    assert_eq!((rx.try_recv(), rx.try_recv(), rx.try_recv()), (Ok(0), Ok(1), Ok(2)));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
}

#[tokio::test(start_paused = true)]
async fn a_local_half_is_a_sink_and_a_stream() {
    use futures_core::Stream;
    use futures_sink::Sink;
    use std::future::poll_fn;
    use std::pin::Pin;

    let (mut tx, mut rx) = vox::channel();
    let sending = tokio::spawn(async move {
        for n in 0..300u64 {
            poll_fn(|cx| Pin::new(&mut tx).poll_ready(cx)).await.expect("room");
            Pin::new(&mut tx).start_send(n).expect("room");
        }
        poll_fn(|cx| Pin::new(&mut tx).poll_close(cx)).await.expect("closed");
    });
    let mut next = 0;
    while let Some(item) = poll_fn(|cx| Pin::new(&mut rx).poll_next(cx)).await {
        assert_eq!(item, Ok(next));
        next += 1;
    }
    assert_eq!(next, 300);
    sending.await.expect("no panic");
}

/// Everything that is sent before the call leaves with it, in order, however small the window of its channel is.
// proves: guide.channel.early
#[tokio::test(start_paused = true)]
async fn items_that_were_sent_before_the_call_leave_with_it_within_its_window() {
    for window in [1, 7, 256] {
        for close_before in [true, false] {
            let (ours, theirs) = vox::transport::memory_pair();
            let limits = Limits { channel_items: window, ..Limits::default() };
            let serving = crate::lab::serve(theirs, Bench::default(), limits);
            let lab: LabClient = vox::connect(ours).await.expect("a session");
            let (tx, rx) = vox::channel();
            for n in 0..256u64 {
                tx.send(n).await.expect("there is room");
            }
            if close_before {
                tx.close();
                assert_eq!(lab.sum(rx).await, Ok(255 * 128), "a window of {window}");
            } else {
                let call = tokio::spawn(lab.first(300, rx));
                for n in 256..300 {
                    tx.send(n).await.expect("the handler reads");
                }
                let expected: Vec<u64> = (0..300).collect();
                assert_eq!(call.await.expect("no panic"), Ok(expected), "a window of {window}");
                assert_eq!(tx.closed().await, SendError::Reset);
            }
            serving.abort();
        }
    }
}

/// The handler leaves before it has read what was sent before the call.
#[tokio::test(start_paused = true)]
async fn what_was_sent_before_the_call_ends_with_its_reader() {
    let (ours, theirs) = vox::transport::memory_pair();
    crate::lab::serve(theirs, Bench::default(), Limits { channel_items: 1, ..Limits::default() });
    let lab: LabClient = vox::connect(ours).await.expect("a session");
    let (tx, rx) = vox::channel();
    for n in 0..256u64 {
        tx.send(n).await.expect("there is room");
    }
    assert_eq!(lab.first(2, rx).await, Ok(vec![0, 1]));
    assert_eq!(tx.closed().await, SendError::Reset);
    // Closed before, with nobody to hold it.
    let (tx, rx) = vox::channel();
    for n in 0..256u64 {
        tx.send(n).await.expect("there is room");
    }
    tx.close();
    assert_eq!(lab.first(2, rx).await, Ok(vec![0, 1]));
    assert_eq!(lab.echo(1).await, Ok(1));
}

#[vox::service]
trait Texts {
    /// How many there were, and the end.
    async fn ends(&self, texts: Rx<Vec<u8>>) -> String;
    /// How long each was.
    async fn lengths(&self, texts: Rx<Vec<u8>>) -> Vec<usize>;
}

struct Reader;

impl Texts for Reader {
    async fn ends(&self, mut texts: Rx<Vec<u8>>) -> String {
        let mut count = 0;
        loop {
            match texts.recv().await {
                Ok(Some(_)) => count += 1,
                end => return format!("{count} {end:?}"),
            }
        }
    }
    async fn lengths(&self, mut texts: Rx<Vec<u8>>) -> Vec<usize> {
        let mut lengths = Vec::new();
        while let Ok(Some(text)) = texts.recv().await {
            lengths.push(text.len());
        }
        lengths
    }
}

#[tokio::test(start_paused = true)]
async fn an_item_that_is_too_long_is_refused_once_its_call_is_sent_and_aborts_the_channel_before() {
    let (ours, theirs) = vox::transport::memory_pair();
    let limits = Limits { max_message_bytes: 1 << 10, ..Limits::default() };
    tokio::spawn(Server::builder().service(TextsDispatcher::new(Reader)).limits(limits).serve_link(theirs));
    let texts: TextsClient = vox::connect(ours).await.expect("a session");
    let (tx, rx) = vox::channel();
    let call = tokio::spawn(texts.ends(rx));
    assert!(matches!(tx.send(vec![7; 5_000]).await, Err(SendError::InvalidItem(_))));
    assert!(matches!(tx.try_send(vec![7; 5_000]), Err(TrySendError::Closed(SendError::InvalidItem(_)))));
    tx.send(vec![7]).await.expect("there is room");
    tx.close();
    assert_eq!(call.await.expect("no panic"), Ok("1 Ok(None)".to_owned()));

    let (tx, rx) = vox::channel();
    tx.send(vec![]).await.expect("there is room");
    tx.send(vec![7; 5_000]).await.expect("there is room");
    let end = texts.ends(rx).await.expect("it returns");
    assert!(end.starts_with("1 Err(Aborted(\"an item that was sent before the call cannot be sent"), "{end}");
    assert_eq!(tx.send(vec![]).await, Err(SendError::Reset));
    tx.close();
}

#[tokio::test(start_paused = true)]
async fn items_for_a_call_that_is_never_sent_are_dropped_and_a_used_sender_is_not_given() {
    let (lab, _) = lab().await;
    let (tx, rx) = vox::channel();
    tx.send(1).await.expect("there is room");
    drop(lab.sum(rx));
    assert!(matches!(tx.send(2).await, Err(SendError::NotBound(_))));
    let (tx, _rx) = vox::channel();
    tx.send(1).await.expect("there is room");
    let Err(error) = lab.count(1, tx).await else { panic!("an item was sent on it") };
    assert!(error.to_string().contains("items were sent on it before the call"), "{error}");
}

/// The outbox takes only so much of long items, whatever credit there is. A short one that is sent after the call does not overtake them.
#[tokio::test(start_paused = true)]
async fn long_items_that_were_sent_before_the_call_go_before_a_short_one_after_it() {
    const LONG: usize = 1 << 20;
    for outbox_long_bytes in [LONG, Limits::default().outbox_long_bytes] {
        let (ours, theirs) = vox::transport::memory_pair();
        let limits = Limits { channel_bytes: 64 << 20, ..Limits::default() };
        tokio::spawn(Server::builder().service(TextsDispatcher::new(Reader)).limits(limits).serve_link(theirs));
        let limits = Limits { outbox_long_bytes, ..Limits::default() };
        let texts: TextsClient = vox::connect(ours).limits(limits).await.expect("a session");
        let (tx, rx) = vox::channel();
        for _ in 0..8 {
            tx.send(vec![7; LONG]).await.expect("there is room");
        }
        let call = tokio::spawn(texts.lengths(rx));
        while tx.try_send(vec![7]).is_err() {
            tokio::task::yield_now().await;
        }
        tx.close();
        let mut expected = vec![LONG; 8];
        expected.push(1);
        assert_eq!(call.await.expect("no panic"), Ok(expected));
    }
}
