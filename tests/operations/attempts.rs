//! Several attempts at one operation: who attaches, who leaves, who gets what.

use std::time::Duration;

use vox::{Client, Ran, VoxError};

use crate::lab::{Lab, LedgerClient, Refused, id, lab};
use crate::support::settle;

const SOON: Duration = Duration::from_millis(50);

/// Two attempts at one operation, by these clients; the operation runs once and both get its outcome.
async fn check_shared(lab: &Lab, one: &LedgerClient, other: &LedgerClient, cents: u64, expected: Result<u64, Refused>) {
    let id = id();
    let runs = lab.bench.started.get();
    let first = tokio::spawn(one.transfer(cents).operation(id).into_future());
    settle().await;
    let second = tokio::spawn(other.transfer(cents).operation(id).into_future());
    settle().await;
    assert_eq!(lab.bench.started.get(), runs + 1, "the second attaches");
    lab.bench.gate.add_permits(1);
    let expected = expected.map_err(VoxError::User);
    assert_eq!(first.await.expect("no panic"), expected);
    assert_eq!(second.await.expect("no panic"), expected);
    assert_eq!(one.transfer(cents).operation(id).await, expected, "and a third, later, is answered from the record");
    assert_eq!(other.transfer(cents).operation(id).await, expected);
    assert_eq!(lab.bench.started.get(), runs + 1);
}

// proves: operation.joined
#[tokio::test(start_paused = true)]
async fn attempts_in_one_session_share_one_run() {
    let (lab, client) = lab().await;
    check_shared(&lab, &client, &client, 2, Ok(1)).await;
}

// proves: operation.joined
#[tokio::test(start_paused = true)]
async fn attempts_of_several_sessions_share_one_run_and_its_error() {
    let (lab, client) = lab().await;
    check_shared(&lab, &client, &lab.client().await, 3, Err(Refused::NoCover { missing: 1 })).await;
}

#[tokio::test(start_paused = true)]
async fn attempts_without_an_id_are_operations_of_their_own() {
    let (lab, client) = lab().await;
    lab.bench.gate.add_permits(2);
    assert_eq!(client.transfer(2).await, Ok(1));
    assert_eq!(client.transfer(2).await, Ok(2));
}

/// The others stay, the handler runs on, and the cancelled attempt is answered once, or its slot would never be free.
// proves: operation.alone
#[tokio::test(start_paused = true)]
async fn pitfall_8_an_attempt_that_is_cancelled_ends_alone() {
    let limits = vox::Limits { max_calls: 3, ..vox::Limits::default() };
    let lab = Lab::with(|builder| builder.limits(limits)).await;
    let client = lab.client().await;
    for owner_first in [true, false] {
        let id = id();
        let mut attempts = Vec::new();
        for _ in 0..3 {
            attempts.push(tokio::spawn(client.transfer(2).operation(id).into_future()));
            settle().await;
        }
        let cancelled = attempts.remove(if owner_first { 0 } else { 1 });
        cancelled.abort();
        settle().await;
        let late = client.transfer(2).operation(id).timeout(SOON).await;
        assert_eq!(late, Err(VoxError::DeadlineExceeded), "one in its place, which ends alone as well");
        lab.bench.gate.add_permits(1);
        let run = lab.bench.started.get() as u64;
        for attempt in attempts {
            assert_eq!(attempt.await.expect("no panic"), Ok(run));
        }
        for _ in 0..3 {
            assert_eq!(client.transfer(2).operation(id).await, Ok(run), "every slot is free");
        }
    }
    assert_eq!((lab.bench.started.get(), lab.bench.finished.get()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn pitfall_9_what_was_cancelled_runs_on_and_is_not_run_again() {
    let (lab, client) = lab().await;
    let id = id();
    let call = tokio::spawn(client.transfer(2).operation(id).into_future());
    settle().await;
    call.abort();
    settle().await;
    let again = tokio::spawn(client.transfer(2).operation(id).into_future());
    settle().await;
    lab.bench.gate.add_permits(1);
    assert_eq!(again.await.expect("no panic"), Ok(1));
    assert_eq!(client.transfer(2).operation(id).await, Ok(1));
    assert_eq!((lab.bench.started.get(), lab.bench.finished.get()), (1, 1));
}

// proves: operation.alone
#[tokio::test(start_paused = true)]
async fn a_deadline_detaches_its_attempt_and_the_outcome_is_kept() {
    let (lab, client) = lab().await;
    let id = id();
    let late = client.transfer(2).operation(id).timeout(SOON).await.expect_err("too late");
    assert_eq!((late.ran(), &late), (Ran::Unknown, &VoxError::DeadlineExceeded));
    assert!(late.is_retryable_under(client.transfer(2).policy()) && !late.is_retryable());
    lab.bench.gate.add_permits(1);
    settle().await;
    assert_eq!(client.transfer(2).operation(id).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_is_gone_for_good_leaves_its_handler_to_end_and_its_outcome_to_the_next() {
    let (lab, client) = lab().await;
    let id = id();
    let call = tokio::spawn(client.transfer(2).operation(id).into_future());
    settle().await;
    client.caller().session().close("gone");
    assert_eq!(call.await.expect("no panic"), Err(VoxError::Indeterminate));
    let next = lab.client().await;
    let attached = tokio::spawn(next.transfer(2).operation(id).into_future());
    settle().await;
    lab.bench.gate.add_permits(1);
    assert_eq!(attached.await.expect("no panic"), Ok(1));
    assert_eq!(lab.bench.started.get(), 1);
}

/// The one whose handler it is leaves with its session; the other session's attempt still gets the outcome.
#[tokio::test(start_paused = true)]
async fn an_attached_attempt_outlives_the_session_that_began_the_operation() {
    let (lab, first) = lab().await;
    let second = lab.client().await;
    let id = id();
    let call = tokio::spawn(first.transfer(2).operation(id).into_future());
    settle().await;
    let attached = tokio::spawn(second.transfer(2).operation(id).into_future());
    settle().await;
    drop(first);
    call.abort();
    settle().await;
    lab.bench.gate.add_permits(1);
    assert_eq!(attached.await.expect("no panic"), Ok(1));
}

#[tokio::test(start_paused = true)]
async fn a_persist_handler_never_hears_of_a_deadline() {
    let (_lab, client) = lab().await;
    let id = id();
    let heard = client.what_it_hears().operation(id).timeout(SOON).await.expect("in time");
    assert_eq!(heard, format!("None {id} (anonymous)"));
}

/// A handler that waits is not stopped by a shutdown's grace; one that ends within it is not cut.
#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_handlers_that_nobody_waits_for() {
    let (lab, client) = lab().await;
    let call = tokio::spawn(client.transfer(2).into_future());
    settle().await;
    call.abort();
    settle().await;
    let Lab { server, bench } = lab;
    let down = tokio::spawn(server.shutdown(Duration::from_secs(5)));
    settle().await;
    assert_eq!(bench.finished.get(), 0);
    bench.gate.add_permits(1);
    assert_eq!(down.await.expect("no panic").aborted_calls, 0);
    assert_eq!(bench.finished.get(), 1);
}

/// Many at once, over the limit of handlers that run without callers: the rest are told that they did not run.
#[tokio::test(start_paused = true)]
async fn handlers_without_callers_are_bounded() {
    let limits = vox::Limits { max_detached: 2, ..vox::Limits::default() };
    let lab = Lab::with(|builder| builder.limits(limits)).await;
    let client = lab.client().await;
    for _ in 0..2 {
        let late = client.transfer(2).timeout(SOON).await;
        assert_eq!(late, Err(VoxError::DeadlineExceeded));
    }
    let id = id();
    let busy = client.transfer(2).operation(id).await.expect_err("two run without callers");
    assert_eq!((&busy, busy.ran(), busy.is_retryable()), (&VoxError::Busy, Ran::No, true));
    lab.bench.gate.add_permits(3);
    settle().await;
    assert_eq!(client.transfer(2).operation(id).await, Ok(3), "a refusal leaves the id free");
}

/// The sessions of all of them are gone: the bound of each session says nothing of them.
// proves: shut.detached
#[tokio::test(start_paused = true)]
async fn handlers_whose_sessions_are_gone_are_bounded_for_the_whole_server() {
    let limits = vox::Limits { max_server_detached: 3, ..vox::Limits::default() };
    let lab = Lab::with(|builder| builder.limits(limits)).await;
    let id = id();
    for _ in 0..3 {
        let client = lab.client().await;
        let call = tokio::spawn(client.transfer(2).operation(id).into_future());
        let other = tokio::spawn(client.transfer(2).into_future());
        settle().await;
        call.abort();
        other.abort();
        settle().await;
        client.caller().session().close("gone");
        settle().await;
    }
    // One is of the first client and was joined by the others, who had one of their own as long as there was room.
    assert_eq!((lab.server.sessions(), lab.bench.started.get()), (0, 3));
    let client = lab.client().await;
    let busy = client.transfer(2).await.expect_err("there are too many");
    assert_eq!((&busy, busy.ran(), busy.is_retryable()), (&VoxError::Busy, Ran::No, true));
    assert_eq!(lab.bench.started.get(), 3);
    assert_eq!(client.again(1).await, Ok(5), "calls of other methods go on");
    let joined = tokio::spawn(client.transfer(2).operation(id).into_future());
    settle().await;
    lab.bench.gate.add_permits(3);
    assert_eq!(joined.await.expect("no panic"), Ok(1), "what runs already is joined");
    settle().await;
    lab.bench.gate.add_permits(1);
    assert_eq!(client.transfer(2).await, Ok(5), "there is room again");
}

/// A peer is known by its address here. Those of which nothing is known have no share.
#[tokio::test(start_paused = true)]
async fn handlers_that_run_on_are_bounded_for_each_peer() {
    let limits = vox::Limits { max_peer_detached: 2, ..vox::Limits::default() };
    let lab = Lab::with(|builder| builder.limits(limits)).await;
    let leave = async |client: LedgerClient| {
        let call = tokio::spawn(client.transfer(2).into_future());
        settle().await;
        call.abort();
        settle().await;
        client.caller().session().close("gone");
        settle().await;
    };
    for _ in 0..2 {
        leave(lab.client_of("10.0.0.1").await).await;
        leave(lab.client().await).await;
    }
    let full = lab.client_of("10.0.0.1").await;
    assert_eq!(full.transfer(2).await, Err(VoxError::Busy));
    assert_eq!(lab.bench.started.get(), 4);
    let others = [lab.client_of("10.0.0.2").await, lab.client().await];
    for client in &others {
        let call = tokio::spawn(client.transfer(2).into_future());
        settle().await;
        assert!(!call.is_finished(), "it runs");
    }
    lab.bench.gate.add_permits(7);
    settle().await;
    assert_eq!(full.transfer(2).await, Ok(7), "there is room again");
}

/// A refusal starts nothing: an attempt at what is over is told its outcome, and an id that was refused is free.
#[tokio::test(start_paused = true)]
async fn what_is_over_is_replayed_by_a_server_that_starts_no_more() {
    let limits = vox::Limits { max_server_detached: 1, ..vox::Limits::default() };
    let lab = Lab::with(|builder| builder.limits(limits)).await;
    let client = lab.client().await;
    let (over, refused) = (id(), id());
    lab.bench.gate.add_permits(1);
    assert_eq!(client.transfer(2).operation(over).await, Ok(1));
    let late = client.transfer(2).timeout(SOON).await;
    assert_eq!(late, Err(VoxError::DeadlineExceeded));

    assert_eq!(client.transfer(2).operation(over).await, Ok(1), "what is over takes no room");
    assert_eq!(client.transfer(3).operation(over).await, Err(VoxError::OperationConflict));
    for _ in 0..2 {
        let busy = client.transfer(2).operation(refused).await.expect_err("one runs without its caller");
        assert_eq!((&busy, busy.ran(), busy.is_retryable()), (&VoxError::Busy, Ran::No, true));
    }
    assert_eq!(lab.bench.started.get(), 2);
    lab.bench.gate.add_permits(2);
    settle().await;
    assert_eq!(client.transfer(2).operation(refused).await, Ok(3), "a refusal leaves the id free");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_handlers_whose_sessions_are_gone() {
    // Before the shutdown begins, or meanwhile.
    for (permits, cut, open) in [(1, 0, 0), (0, 1, 0), (1, 0, 1), (0, 1, 1)] {
        let (lab, client) = lab().await;
        let call = tokio::spawn(client.transfer(2).into_future());
        settle().await;
        call.abort();
        let session = client.caller().session();
        if open == 0 {
            session.close("gone");
        }
        settle().await;
        let Lab { server, bench } = lab;
        assert_eq!(server.sessions(), open);
        let began = tokio::time::Instant::now();
        let down = tokio::spawn(server.shutdown(Duration::from_secs(5)));
        settle().await;
        session.close("gone");
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(!down.is_finished());
        bench.gate.add_permits(permits);
        let report = down.await.expect("no panic");
        assert_eq!((report.sessions, report.aborted_calls), (open, cut));
        assert_eq!((bench.finished.get(), began.elapsed().as_secs()), (permits, if cut == 0 { 2 } else { 5 }));
    }
}
