//! What peers say in words, everywhere where they may: nothing of it reaches the victim's log as it came.

use tokio::net::TcpListener;

use crate::answer::Answer;
use crate::attack::Seen;
use crate::peers::{greet, measured, send};
use crate::prey::PreyClient;
use crate::raw::{self, Frame, Raw, frame};
use crate::row::{Local, Row};
use crate::victim::Victim;

/// A colour, a line of its own, a NUL, a control of C1, text from right to left, separators of lines, and what takes no room.
const HOSTILE: &str = "\x1b[31mred\r\nFORGED LINE\0\u{9b}2J\u{202e}txt.exe\u{2066}\u{2028}\u{2029}\u{200b}\u{feff}end";

pub(crate) fn rows() -> Vec<Row> {
    let row = |name, sends, scene| {
        Row::scene(name, sends, scene)
            .with(|setting| setting.logs = true)
            .case("", 1, Answer::Fine)
            .case("long", 100, Answer::Fine)
            .slow("everything is traced, and kept")
    };
    vec![
        row("texts of a client", "{n} times what steers a terminal, as each text it has", of_client),
        row("texts of a server", "{n} times what steers a terminal, as each text it has", of_server),
    ]
}

fn clean(victim: &Victim, words: &[&str]) -> Answer {
    if victim.log.is_clean(words) { Answer::Fine } else { Answer::Wrong }
}

/// `hello` and, if it is welcome, what follows.
async fn says(victim: &Victim, hello: &Frame, then: Vec<Frame>, replies: usize) {
    let mut raw = Raw::new(victim.stream().await);
    if greet(&mut raw, hello).await.is_ok() {
        send(&mut raw, then, replies).await;
    }
}

fn of_client(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, 1, async move {
        let text = &HOSTILE.repeat(n as usize);
        let metadata: &[(&str, u8, &str)] = &[(HOSTILE, 0, &text[..text.len().min(7_000)])];
        says(victim, &raw::hello(Some(text), raw::LIMITS), Vec::new(), 0).await;
        let opened = vec![raw::open_with(1, text, &[]), raw::open_with(3, "Prey", metadata)];
        says(victim, &raw::hello_with(metadata, raw::LIMITS), opened, 0).await;
        let hello = &raw::hello(Some("Prey"), raw::LIMITS);
        let call = |request: u64| frame(raw::CALL).var(1).var(request);
        let named = call(1).method("Prey.echo").u8(2).metadata(metadata).u8(7);
        let traced = call(3).method("Prey.echo").u8(2).metadata(&[("traceparent", 0, HOSTILE)]).u8(7);
        says(victim, hello, vec![named, traced], 2).await;
        let reset = frame(raw::RESET).var(1).var(1).u8(2).text(text);
        says(victim, hello, vec![raw::call_with(1, 1, "Prey.drink", &[(1, 0)], &[0]), reset], 1).await;
        says(victim, hello, vec![frame(raw::GOODBYE).text(text)], 0).await;
        says(victim, hello, vec![frame(raw::VIOLATION).u8(1).text(text)], 0).await;
        victim.rests(1).await;
        clean(victim, &["FORGED", "a handshake failed", "asks for a connection", "the session ended", "vox.serve"])
    }))
}

/// A server that does this with a link: it has heard the first message.
async fn server(listener: &TcpListener, first: Vec<u8>, then: Vec<Frame>) -> Option<()> {
    let (stream, _) = listener.accept().await.ok()?;
    let mut raw = Raw::new(stream);
    raw.read().await?;
    raw.try_write(&first).await;
    for frame in then {
        while raw.read().await?.kind != raw::CALL {}
        raw.try_write(&frame.wire()).await;
    }
    while raw.read().await.is_some() {}
    Some(())
}

fn of_server(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, 1, async move {
        let text = HOSTILE.repeat(n as usize);
        let rejected = frame(raw::REJECTED).bytes(raw::MAGIC).u8(255).text(&text);
        let failed = |variant: u8| frame(raw::REPLY).var(1).var(1).u8(1).u8(variant).text(&text);
        let schema = frame(1).u8(2).u8(1).text(&text).u8(1).text(&text).into_bytes();
        let differs = raw::contract(&raw::contract_of("Prey.nest", &HOSTILE.repeat(2), &schema));
        let named = raw::contract(&raw::contract_of("Prey.nest", "nest", &schema));
        let welcome = || raw::welcome(raw::LIMITS).wire();
        let other = |contract: &Frame| [raw::welcome_to_another(raw::LIMITS).wire(), contract.wire()].concat();
        let plays: Vec<(Vec<u8>, Vec<Frame>)> = vec![
            (rejected.wire(), vec![]),
            (welcome(), vec![failed(2)]),
            (welcome(), vec![failed(8)]),
            (welcome(), vec![frame(raw::GOODBYE).text(&text)]),
            (welcome(), vec![frame(raw::VIOLATION).u8(1).text(&text)]),
            (other(&differs), vec![]),
            (other(&named), vec![]),
        ];
        for (first, then) in plays {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
            let address = listener.local_addr().expect("it is bound");
            let client = victim.does(async move {
                // What a program does with an error: it logs it.
                match vox::connect::<PreyClient>(format!("tcp://{address}")).no_resume().await {
                    Err(error) => tracing::warn!(%error, ?error, "no session"),
                    Ok(client) => {
                        let call = client.nest(crate::prey::Nest::default());
                        let error = call.timeout(std::time::Duration::from_secs(5)).await;
                        tracing::warn!(?error, "a call failed");
                        let error = error.err().map(|error| error.to_string());
                        tracing::warn!(error, "a call failed, it says");
                    }
                }
            });
            tokio::join!(client, server(&listener, first, then));
        }
        clean(victim, &["FORGED", "no session", "a call failed", "the session ended"])
    }))
}
