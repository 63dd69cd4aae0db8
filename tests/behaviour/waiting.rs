//! Nobody waits for a limit in silence.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use vox::Limits;

use crate::lab::lab_with;
use crate::support::{listen_in_company, settle};

/// Keeps what is logged at WARN.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl Warnings {
    fn get(&self) -> Vec<String> {
        self.0.lock().expect("no panic").clone()
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, "{}={value:?} ", field.name());
    }
}

impl Subscriber for Warnings {
    /// All of it: where the only subscriber wants no spans, other tests would miss theirs.
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        if *event.metadata().level() != Level::WARN {
            return;
        }
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().expect("no panic").push(line.0);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_a_slot_for_long_is_logged_once() {
    listen_in_company();
    let warnings = Warnings::default();
    let _collecting = tracing::subscriber::set_default(warnings.clone());
    let (lab, probe) = lab_with(Limits { max_calls: 1, ..Limits::default() }).await;
    let first = tokio::spawn(lab.gate(1).timeout(Duration::from_secs(600)));
    settle().await;
    let second = tokio::spawn(lab.echo(2).timeout(Duration::from_secs(600)));
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(warnings.get(), Vec::<String>::new(), "it may yet be soon");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let [warning] = &warnings.get()[..] else { panic!("{:?}", warnings.get()) };
    for part in ["`Lab.echo`", "has 1 for a connection", "`Limits::max_calls`", "4s", "peer="] {
        assert!(warning.contains(part), "{part}: {warning}");
    }
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(warnings.get().len(), 1, "once is enough");
    probe.gate.add_permits(1);
    assert_eq!((first.await.expect("no panic"), second.await.expect("no panic")), (Ok(1), Ok(2)));
}

/// Who waited for a moment is no news later.
#[tokio::test(start_paused = true)]
async fn a_call_that_had_its_turn_is_not_logged() {
    listen_in_company();
    let warnings = Warnings::default();
    let _collecting = tracing::subscriber::set_default(warnings.clone());
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
    assert_eq!(warnings.get(), Vec::<String>::new());
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
