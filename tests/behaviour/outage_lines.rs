//! What an operator reads of an outage: one line when the link is lost, one when it is back, whatever happens in between.

use std::sync::Arc;
use std::time::Duration;

use tracing::Level;
use vox::{Backoff, Server};

use crate::lab::{Bench, LabClient, LabDispatcher};
use crate::support::{cable::Cable, log::Log, settle};

/// The one line that was written from `INFO` up, of this level.
fn one(log: &Log, level: Level) -> String {
    match &log.take(Level::INFO)[..] {
        [(seen, text)] if *seen == level => text.clone(),
        lines => panic!("one line at {level}, and no other: {lines:?}"),
    }
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
    let (log, _listening) = Log::new();
    let cable = Cable::to(server());
    let lab: LabClient = vox::connect(cable.connector()).reconnect(Backoff::default()).await.expect("a session");
    assert_eq!(lab.echo(0).await, Ok(0));
    assert_eq!(log.take(Level::INFO), [], "there is nothing to be said");

    // Attempts fail, and calls wait and end in vain.
    let unplugged = cable.unplug();
    settle().await;
    let lost = one(&log, Level::WARN);
    assert_eq!(field(&lost, "address"), "\"cable\"");
    assert!(lost.contains("message=lost the link to cable, trying again"), "{lost}");
    assert!(field(&lost, "reason").starts_with("the"), "{lost}");
    assert!(lab.echo(1).timeout(Duration::from_secs(10)).await.is_err());
    assert!(cable.attempts() > 5);
    assert_eq!(log.take(Level::INFO), [], "single attempts are not said");

    cable.plug(unplugged);
    assert_eq!(lab.echo(2).await, Ok(2));
    settle().await;
    let back = one(&log, Level::INFO);
    assert_eq!(field(&back, "address"), "\"cable\"");
    assert!(back.contains("message=the link to cable is back"), "{back}");
    assert_eq!((field(&back, "session"), field(&back, "resumed")), (field(&lost, "session"), "true"), "{back}");
    field(&lost, "session").parse::<u64>().expect("a number");

    // The next outage is told as well. Its session is lost, and another takes its place.
    drop(cable.unplug());
    settle().await;
    let lost = one(&log, Level::WARN);
    cable.plug(Arc::new(server()));
    assert_eq!(lab.echo(3).await, Ok(3));
    settle().await;
    let back = one(&log, Level::INFO);
    assert_eq!(field(&back, "resumed"), "false");
    assert_ne!(field(&back, "session"), field(&lost, "session"), "the number of the next");

    vox::Client::caller(&lab).session().close("done").await;
    settle().await;
    assert_eq!(log.take(Level::INFO), [], "an end that was asked for is none to warn of");
}
