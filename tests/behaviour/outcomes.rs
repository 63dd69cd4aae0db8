//! What a call says of itself when it does not go well, and what travels with it when it does.

use vox::{ConnectError, NotSent, Ran, VoxError};

use crate::lab::{LabClient, chain, lab};
use crate::support::{Wire, settle};

/// The same service to the wire, with other types.
mod other {
    #[derive(Debug, facet::Facet)]
    #[repr(u8)]
    pub enum Never {
        Ever,
    }

    #[vox::service(name = "Lab")]
    pub trait Other {
        async fn echo(&self, n: String, more: bool) -> String;
        async fn name(&self, text: &str) -> u8;
        async fn hang(&self, n: u64) -> Result<(), Never>;
        async fn absent(&self);
    }
}

#[tokio::test(start_paused = true)]
async fn arguments_of_other_types_are_an_invalid_payload_that_names_the_argument() {
    let (ours, theirs) = crate::support::undescribed::undescribed_pair();
    crate::lab::serve(theirs, crate::lab::Bench::default(), vox::Limits::default());
    let lab: other::OtherClient = vox::connect(ours).await.expect("a session");
    let error = lab.echo("x".repeat(300), true).await.expect_err("more bytes than a u64");
    let VoxError::InvalidPayload(why) = &error else { panic!("{error:?}") };
    assert!(why.contains("of `echo`"), "{why}");
    assert_eq!(error.ran(), Ran::No);
    let VoxError::InvalidPayload(why) = lab.hang(5).await.expect_err("an argument too many") else { panic!() };
    assert!(why.contains("the arguments of `hang`"), "{why}");
    let error = lab.name("four").await.expect_err("not a u8");
    assert!(matches!(error, VoxError::InvalidResponse(_)), "{error:?}");
    assert_eq!(error.ran(), Ran::Yes);
    let error = lab.absent().await.expect_err("there is none");
    assert_eq!((error.ran(), error), (Ran::No, VoxError::UnknownMethod));
    assert_eq!(lab.name("\0").await.map_err(|error| error.kind()), Err("invalid-response"));
}

#[tokio::test(start_paused = true)]
async fn a_lost_link_makes_calls_under_way_indeterminate_and_later_ones_not_sent() {
    let (ours, theirs, wire) = Wire::new();
    crate::lab::serve(theirs, crate::lab::Bench::default(), vox::Limits::default());
    let lab: LabClient = vox::connect(ours).await.expect("a session");
    let call = tokio::spawn(lab.hang().into_future());
    settle().await;
    wire.cut();
    let error = call.await.expect("no panic").expect_err("lost");
    assert_eq!((error.ran(), error), (Ran::Unknown, VoxError::Indeterminate));
    let error = lab.echo(1).await.expect_err("lost");
    assert!(matches!(error, VoxError::NotSent(NotSent::Closed(_))), "{error:?}");
    assert_eq!(error.ran(), Ran::No);
}

#[tokio::test(start_paused = true)]
async fn calls_that_wait_when_the_link_is_lost_were_not_sent() {
    let (ours, theirs, wire) = Wire::new();
    let limits = vox::Limits { max_calls: 1, ..vox::Limits::default() };
    crate::lab::serve(theirs, crate::lab::Bench::default(), limits);
    let lab: LabClient = vox::connect(ours).await.expect("a session");
    let first = tokio::spawn(lab.hang().into_future());
    settle().await;
    let waiting: Vec<_> = (0..3).map(|n| tokio::spawn(lab.echo(n).into_future())).collect();
    settle().await;
    wire.cut();
    assert_eq!(first.await.expect("no panic"), Err(VoxError::Indeterminate));
    for call in waiting {
        assert!(matches!(call.await.expect("no panic"), Err(VoxError::NotSent(NotSent::Closed(_)))));
    }
}

// proves: call.lost
#[tokio::test(start_paused = true)]
async fn a_lost_link_stops_the_handlers_and_lets_persist_ones_end() {
    let (ours, theirs, wire) = Wire::new();
    let bench = crate::lab::Bench::default();
    let probe = bench.probe.clone();
    crate::lab::serve(theirs, bench, vox::Limits::default());
    let lab: LabClient = vox::connect(ours).await.expect("a session");
    let hang = tokio::spawn(lab.hang().into_future());
    let persist = tokio::spawn(lab.persist(500).into_future());
    settle().await;
    assert_eq!(probe.started.get(), 2);
    wire.cut();
    settle().await;
    assert_eq!((probe.stopped.get(), probe.finished.get()), (1, 0));
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(probe.finished.get(), 1);
    for call in [hang.await.expect("no panic").err(), persist.await.expect("no panic").err()] {
        assert_eq!(call, Some(VoxError::Indeterminate));
    }
}

// proves: guide.drop.persist
#[tokio::test(start_paused = true)]
async fn a_persist_handler_runs_to_its_end_after_a_cancel_and_a_deadline() {
    let (lab, probe) = lab().await;
    let call = tokio::spawn(lab.persist(500).into_future());
    settle().await;
    call.abort();
    let late = lab.persist(500).timeout(std::time::Duration::from_millis(50)).await;
    assert_eq!(late, Err(VoxError::DeadlineExceeded));
    assert_eq!((probe.started.get(), probe.finished.get()), (2, 0));
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(probe.finished.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn metadata_reaches_the_handler_and_secrets_are_never_printed() {
    let (lab, _) = lab().await;
    let call = lab.metadata("token".to_owned()).metadata("tenant", "acme").sensitive_metadata("token", "hunter2");
    let printed = format!("{call:?}");
    assert!(printed.contains("acme") && !printed.contains("hunter2"), "{printed}");
    assert_eq!(call.await, Ok(Some("hunter2".to_owned())));
    let printed = lab.printed().metadata("tenant", "acme").sensitive_metadata("token", "hunter2").await.expect("ok");
    assert!(printed.contains("acme") && !printed.contains("hunter2"), "{printed}");
}

// proves: guide.trace
#[tokio::test(start_paused = true)]
async fn a_trace_context_is_inherited_by_calls_inside_a_handler() {
    let (lab, _, _) = chain().await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let ask = |key: &str| lab.relay_metadata(key.to_owned()).metadata("traceparent", trace).metadata("tenant", "acme");
    assert_eq!(ask("traceparent").await, Ok(Some(trace.to_owned())));
    assert_eq!(ask("tenant").await, Ok(None), "nothing else is");
    assert_eq!(lab.relay_metadata("traceparent".to_owned()).await, Ok(None), "nor to later calls");
}

/// The error says what is wrong with connecting; the first call does not have to.
// proves: handshake.service
#[tokio::test(start_paused = true)]
async fn pitfall_22_connecting_to_an_unknown_service_fails_with_the_reason() {
    let (ours, theirs) = vox::transport::memory_pair();
    crate::lab::serve(theirs, crate::lab::Bench::default(), vox::Limits::default());
    let Err(ConnectError::Refused { refusal, .. }) = vox::connect::<crate::sessions::ChatClient>(ours).await else {
        panic!("it is not served");
    };
    assert_eq!(refusal.code, vox::RefusalCode::UnknownService);
    assert_eq!(refusal.reason, "no service `Chat` here; served: Lab");
}
