//! What an operator reads of an outage: one line when the link is lost, one when it is back, whatever happens in between.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::{Level, span};
use vox::{Backoff, Server};

use crate::lab::{Bench, LabClient, LabDispatcher};
use crate::support::{cable::Cable, listen_in_company, settle};

/// Every event from `INFO` up: its level, and its fields.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<(Level, String)>>>);

impl Lines {
    fn take(&self) -> Vec<(Level, String)> {
        std::mem::take(&mut *self.0.lock().expect("no panic"))
    }

    /// The one line that was written, of this level.
    fn one(&self, level: Level) -> String {
        match &self.take()[..] {
            [(seen, text)] if *seen == level => text.clone(),
            lines => panic!("one line at {level}, and no other: {lines:?}"),
        }
    }
}

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, "{field}={value:?} ");
    }
}

impl tracing::Subscriber for Lines {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        if *event.metadata().level() <= Level::INFO {
            let mut fields = Fields(String::new());
            event.record(&mut fields);
            self.0.lock().expect("no panic").push((*event.metadata().level(), fields.0));
        }
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// The value of a field.
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let at = line.find(&format!("{name}=")).unwrap_or_else(|| panic!("no `{name}` in {line}")) + name.len() + 1;
    line[at..].split(' ').next().expect("a value")
}

fn server() -> Server {
    Server::builder().service(LabDispatcher::new(Bench::default())).start().expect("a server")
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_two_lines_with_the_address_and_the_session() {
    listen_in_company();
    let lines = Lines::default();
    let _listening = tracing::subscriber::set_default(lines.clone());
    let cable = Cable::to(server());
    let lab: LabClient = vox::connect(cable.connector()).reconnect(Backoff::default()).await.expect("a session");
    assert_eq!(lab.echo(0).await, Ok(0));
    assert_eq!(lines.take(), [], "there is nothing to be said");

    // Attempts fail, and calls wait and end in vain.
    let unplugged = cable.unplug();
    settle().await;
    let lost = lines.one(Level::WARN);
    assert_eq!(field(&lost, "address"), "\"cable\"");
    assert!(lost.contains("message=lost the link to cable, trying again"), "{lost}");
    assert!(field(&lost, "reason").starts_with("the"), "{lost}");
    assert!(lab.echo(1).timeout(Duration::from_secs(10)).await.is_err());
    assert!(cable.attempts() > 5);
    assert_eq!(lines.take(), [], "single attempts are not said");

    cable.plug(unplugged);
    assert_eq!(lab.echo(2).await, Ok(2));
    settle().await;
    let back = lines.one(Level::INFO);
    assert_eq!(field(&back, "address"), "\"cable\"");
    assert!(back.contains("message=the link to cable is back"), "{back}");
    assert_eq!((field(&back, "session"), field(&back, "resumed")), (field(&lost, "session"), "true"), "{back}");
    field(&lost, "session").parse::<u64>().expect("a number");

    // The next outage is told as well. Its session is lost, and another takes its place.
    drop(cable.unplug());
    settle().await;
    let lost = lines.one(Level::WARN);
    cable.plug(Arc::new(server()));
    assert_eq!(lab.echo(3).await, Ok(3));
    settle().await;
    let back = lines.one(Level::INFO);
    assert_eq!(field(&back, "resumed"), "false");
    assert_ne!(field(&back, "session"), field(&lost, "session"), "the number of the next");

    vox::Client::caller(&lab).session().close("done").await;
    settle().await;
    assert_eq!(lines.take(), [], "an end that was asked for is none to warn of");
}
