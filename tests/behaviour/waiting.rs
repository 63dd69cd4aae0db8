//! Nobody waits for a limit in silence.

use std::time::Duration;

use vox::Limits;

use crate::lab::lab_with;
use crate::support::{log::Log, settle};

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_a_slot_for_long_is_logged_once() {
    let (log, _listening) = Log::new();
    let (lab, probe) = lab_with(Limits { max_calls: 1, ..Limits::default() }).await;
    let first = tokio::spawn(lab.gate(1).timeout(Duration::from_secs(600)));
    settle().await;
    let second = tokio::spawn(lab.echo(2).timeout(Duration::from_secs(600)));
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(log.warnings(), Vec::<String>::new(), "it may yet be soon");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let warnings = log.warnings();
    let [warning] = &warnings[..] else { panic!("{warnings:?}") };
    for part in ["`Lab.echo`", "has 1 for a connection", "`Limits::max_calls`", "4s", "peer="] {
        assert!(warning.contains(part), "{part}: {warning}");
    }
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(log.warnings(), Vec::<String>::new(), "once is enough");
    probe.gate.add_permits(1);
    assert_eq!((first.await.expect("no panic"), second.await.expect("no panic")), (Ok(1), Ok(2)));
}

/// Who waited for a moment is no news later.
#[tokio::test(start_paused = true)]
async fn a_call_that_had_its_turn_is_not_logged() {
    let (log, _listening) = Log::new();
    let (lab, probe) = lab_with(Limits { max_calls: 1, ..Limits::default() }).await;
    let first = tokio::spawn(lab.gate(1).timeout(Duration::from_secs(600)));
    settle().await;
    let second = tokio::spawn(lab.gate(2).timeout(Duration::from_secs(600)));
    tokio::time::sleep(Duration::from_secs(3)).await;
    probe.gate.add_permits(1);
    assert_eq!(first.await.expect("no panic"), Ok(1));
    tokio::time::sleep(Duration::from_secs(60)).await;
    probe.gate.add_permits(1);
    assert_eq!(second.await.expect("no panic"), Ok(2));
    assert_eq!(log.warnings(), Vec::<String>::new());
}

/// A stream may be open for days. What waits for its channel holds up nothing that needs none.
#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_channels_holds_up_none_that_brings_none() {
    let (lab, probe) = lab_with(Limits { max_calls: 2, max_channels: 1, ..Limits::default() }).await;
    let (kept, numbers) = vox::channel();
    let streams = tokio::spawn(lab.sum(numbers));
    settle().await;
    let (next, numbers) = vox::channel();
    let waits = tokio::spawn(lab.sum(numbers));
    settle().await;
    let began = tokio::time::Instant::now();
    assert_eq!(lab.echo(1).await, Ok(1));
    // Nor where it found no slot at first, and stood behind the other.
    let gated = tokio::spawn(lab.gate(2));
    settle().await;
    let behind = tokio::spawn(lab.echo(3));
    settle().await;
    probe.gate.add_permits(1);
    assert_eq!((gated.await.expect("no panic"), behind.await.expect("no panic")), (Ok(2), Ok(3)));
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(!waits.is_finished());
    kept.close();
    assert_eq!(streams.await.expect("no panic"), Ok(0));
    next.send(5).await.expect("it has its channel");
    next.close();
    assert_eq!(waits.await.expect("no panic"), Ok(5));
}

#[tokio::test(start_paused = true)]
async fn a_call_with_channels_that_waits_for_a_slot_has_its_turn() {
    let (lab, probe) = lab_with(Limits { max_calls: 1, ..Limits::default() }).await;
    let first = tokio::spawn(lab.gate(1));
    settle().await;
    let (tx, numbers) = vox::channel();
    let sum = tokio::spawn(lab.sum(numbers));
    settle().await;
    let last = tokio::spawn(lab.gate(2));
    settle().await;
    probe.gate.add_permits(1);
    assert_eq!(first.await.expect("no panic"), Ok(1));
    tx.send(5).await.expect("it has its slot");
    tx.close();
    assert_eq!(sum.await.expect("no panic"), Ok(5));
    assert!(!last.is_finished());
    probe.gate.add_permits(1);
    assert_eq!(last.await.expect("no panic"), Ok(2));
}

/// As in a loop over `buffer_unordered` whose body makes a call of its own: it waits behind calls that nobody polls meanwhile.
#[tokio::test(start_paused = true)]
async fn calls_that_nobody_polls_hold_up_none_behind_them() {
    let (lab, probe) = lab_with(Limits { max_calls: 2, ..Limits::default() }).await;
    let gated = [tokio::spawn(lab.gate(1)), tokio::spawn(lab.gate(2))];
    settle().await;
    let mut left: Vec<_> = (0..5).map(|n| Box::pin(lab.echo(n))).collect();
    for call in &mut left {
        std::future::poll_fn(|cx| {
            assert!(call.as_mut().poll(cx).is_pending(), "there is no room");
            std::task::Poll::Ready(())
        })
        .await;
    }
    probe.gate.add_permits(2);
    for call in gated {
        assert!(call.await.expect("no panic").is_ok());
    }
    let began = tokio::time::Instant::now();
    for n in 10..20 {
        assert_eq!(lab.echo(n).await, Ok(n));
    }
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    // They may still come.
    for (n, call) in left.into_iter().enumerate() {
        assert_eq!(call.await, Ok(n as u64));
    }
}
