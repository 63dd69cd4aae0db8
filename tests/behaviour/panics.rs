//! Handlers that panic, wherever they do.

use vox::{Dispatcher, VoxError};

use crate::lab::{Bench, Explosion, LabClient, LabDispatcher, lab};
use crate::support::settle;

/// The outcome of an explosion beside a call that waits; and that nothing else is harmed.
async fn check(how: Explosion, expected: Option<VoxError>) {
    let (lab, probe) = lab().await;
    let beside = tokio::spawn(lab.gate(7).into_future());
    settle().await;
    let outcome: Result<(), VoxError> = lab.explode(how.clone()).await.map(|mine| {
        assert!(!mine.armed || matches!(how, Explosion::InTheResponsesDrop));
        std::mem::forget(mine);
    });
    assert_eq!(outcome.err(), expected, "{how:?}");
    works(&lab).await;
    probe.gate.add_permits(1);
    assert_eq!(beside.await.expect("no panic"), Ok(7));
}

async fn works(lab: &LabClient) {
    for n in 0..3 {
        assert_eq!(lab.echo(n).await, Ok(n));
    }
}

// proves: call.panic
#[tokio::test(start_paused = true)]
async fn a_panic_in_a_handlers_first_poll_is_its_calls_own() {
    check(Explosion::FirstPoll, Some(VoxError::Panicked)).await;
}

// proves: call.panic
#[tokio::test(start_paused = true)]
async fn a_panic_after_an_await_is_its_calls_own() {
    check(Explosion::AfterAnAwait, Some(VoxError::Panicked)).await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_drop_of_a_local_is_its_calls_own() {
    check(Explosion::InDrop, Some(VoxError::Panicked)).await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_drop_of_the_response_comes_too_late_to_matter() {
    check(Explosion::InTheResponsesDrop, None).await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_whose_payload_panics_when_dropped_is_its_calls_own() {
    check(Explosion::WithAPayloadThatPanics, Some(VoxError::Panicked)).await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_drop_of_a_cancelled_handler_harms_nobody() {
    let (lab, probe) = lab().await;
    let call = tokio::spawn(lab.explode(Explosion::InDropWhenCancelled).into_future());
    settle().await;
    assert_eq!(probe.started.get(), 1);
    call.abort();
    settle().await;
    works(&lab).await;
}

#[tokio::test(start_paused = true)]
async fn panics_leave_their_slots_free() {
    let (lab, _) = crate::lab::lab_with(vox::Limits { max_calls: 1, ..vox::Limits::default() }).await;
    for how in [Explosion::FirstPoll, Explosion::AfterAnAwait, Explosion::InDrop, Explosion::FirstPoll] {
        assert!(matches!(lab.explode(how).await, Err(VoxError::Panicked { .. })));
    }
    works(&lab).await;
}

/// A dispatcher of a user's own, which panics before it has a handler.
struct Fragile {
    lab: LabDispatcher<Bench>,
    panics: &'static [&'static str],
}

impl Dispatcher for Fragile {
    fn service(&self) -> &'static vox::descriptor::ServiceDescriptor {
        self.lab.service()
    }

    fn dispatch(&self, call: vox::Incoming<'_>) -> vox::HandlerFuture {
        let method = self.service().methods.iter().find(|method| method.id == call.method()).expect("one of these");
        assert!(!self.panics.contains(&method.name), "on purpose");
        self.lab.dispatch(call)
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_dispatcher_is_its_calls_own() {
    let bench = Bench::default();
    let probe = bench.probe.clone();
    let fragile = Fragile { lab: LabDispatcher::new(bench), panics: &["name", "persist"] };
    let (ours, theirs) = vox::transport::memory_pair();
    let serving = tokio::spawn(vox::serve(theirs, fragile));
    let lab: LabClient = vox::connect(ours).await.expect("a session");
    let beside = tokio::spawn(lab.gate(7).into_future());
    settle().await;
    assert_eq!(lab.name("x").await, Err(VoxError::Panicked));
    // Whose outcome is kept: the operation is over, and another attempt at it is not kept waiting.
    let id = vox::OperationId::new();
    assert_eq!(lab.persist(1).operation(id).await, Err(VoxError::Panicked));
    assert_eq!(lab.persist(1).operation(id).await, Err(VoxError::Indeterminate));
    works(&lab).await;
    probe.gate.add_permits(1);
    assert_eq!(beside.await.expect("no panic"), Ok(7));
    assert!(!serving.is_finished(), "its session goes on");
}
