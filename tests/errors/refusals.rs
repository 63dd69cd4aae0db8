//! Every kind of refusal, as the one who is refused reads it.

use std::sync::Arc;
use std::time::Duration;

use vox::dynamic::{DynamicDispatcher, ServiceType};
use vox::transport::Link;
use vox::{Choice, Client, Limits, Metadata, Refusal, RefusalCode, Server};

use super::support::cable::Cable;
use super::support::raw::{MAGIC, REJECTED, Raw, frame};
use super::{BankClient, BankDispatcher, Found, MyBank, SOON, WeatherClient, text};

pub(super) async fn provoke(found: &mut Found) {
    let one = Limits { max_sessions: 1, ..Limits::default() };
    let server = Server::builder().service(BankDispatcher::new(MyBank)).limits(one);
    let server = server.bind("mem://errors-refusals").await.expect("it is free");
    let bank: BankClient = vox::connect("mem://errors-refusals").no_reconnect().await.expect("a session");
    found.push(("RefusalCode::Busy", connected("mem://errors-refusals").await));
    let session = bank.caller().session();
    found.push(("RefusalCode::UnknownService", text(session.open::<WeatherClient>().await)));
    let hanging = tokio::spawn(bank.hang());
    tokio::time::sleep(SOON).await;
    let stopping = tokio::spawn(async move { server.shutdown(Duration::from_millis(200)).await });
    tokio::time::sleep(SOON).await;
    found.push(("RefusalCode::ShuttingDown", text(session.open::<BankClient>().await)));
    stopping.await.expect("no panic");
    hanging.await.expect("no panic").expect_err("it was stopped");

    let strict = Server::builder().service(BankDispatcher::new(MyBank));
    let strict = strict.authenticate(async |_| Err(Refusal::new(RefusalCode::Unauthorized, "the token is unknown")));
    let _strict = strict.bind("mem://errors-strict").await.expect("it is free");
    found.push(("RefusalCode::Unauthorized", connected("mem://errors-strict").await));
    chosen(found).await;
    found.push(("RefusalCode::SessionLost", lost().await));
    found.push(("RefusalCode::Other", other().await));
}

/// What is said where the server's own code is asked what serves a connection.
async fn chosen(found: &mut Found) {
    let limits = Limits { handshake_timeout: Duration::from_millis(500), ..Limits::default() };
    let server = Server::builder().limits(limits).accept_with(async |offer| match offer.metadata().get("how") {
        Some("refused") => Err(Refusal::new(RefusalCode::Unauthorized, "name a tenant")),
        Some("panics") => panic!("on purpose"),
        Some("another") => Ok(Choice::serve(DynamicDispatcher::new(weather()))),
        Some("hangs") => std::future::pending().await,
        _ => Ok(Choice::usual()),
    });
    let server = server.bind("mem://errors-chosen").await.expect("it is free");
    let session = vox::Session::connect(server.address()).await.expect("a session");
    for (how, what) in [
        ("refused", "OpenError::Refused, by accept_with"),
        ("panics", "OpenError::Refused, accept_with panicked"),
        ("another", "OpenError::Refused, accept_with chose another"),
        ("hangs", "OpenError::Refused, accept_with took too long"),
        ("usual", "OpenError::Refused, accept_with chose the usual"),
    ] {
        let mut metadata = Metadata::new();
        metadata.insert("how", how);
        found.push((what, text(session.open_with::<BankClient>(metadata).await)));
    }
}

fn weather() -> ServiceType {
    ServiceType::builder("Weather").build().expect("a service")
}

async fn connected(address: &str) -> String {
    text(vox::connect::<BankClient>(address).no_reconnect().await)
}

/// What a call is told whose session's server was replaced by one that does not know it.
async fn lost() -> String {
    let started = || Server::builder().service(BankDispatcher::new(MyBank)).start().expect("a server");
    let cable = Cable::to(started());
    let session = vox::Session::connect(cable.connector()).await.expect("a session");
    let bank: BankClient = session.open().await.expect("it is served");
    let hanging = tokio::spawn(bank.hang());
    tokio::time::sleep(SOON).await;
    let _old = cable.unplug();
    cable.plug(Arc::new(started()));
    text(hanging.await.expect("no panic"))
}

/// A peer of a later version, whose refusal has a code that is not known here.
async fn other() -> String {
    let (ours, theirs) = tokio::io::duplex(1 << 10);
    tokio::spawn(async move {
        let mut raw = Raw::new(theirs);
        raw.read().await;
        raw.send(&frame(REJECTED).bytes(MAGIC).u8(99).text("the moon is full")).await;
        while raw.read().await.is_some() {}
    });
    text(vox::connect::<BankClient>(Link::new(ours, "raw://later")).await)
}
