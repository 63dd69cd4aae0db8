//! What a server may tell a client of its service, where the two know it otherwise. The victim is the client.

use tokio::net::TcpListener;

use crate::answer::Answer;
use crate::attack::Seen;
use crate::peers::measured;
use crate::prey::PreyClient;
use crate::raw::{self, Raw};
use crate::row::{Local, Row};
use crate::victim::Victim;

/// The longest contract.
const MOST: u64 = 256 << 10;
/// So many variants are claimed, and are not there.
const CLAIMED: u64 = 1_000_000;

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::scene("a contract", "a contract of {n} bytes, most of them a schema", long)
            .case("under", MOST - 1, Answer::NotSent)
            .case("at", MOST, Answer::NotSent)
            .case("over", MOST + 1, Answer::Violation(1))
            .memory(2 << 20)
            .slow("a contract of 256 KiB is read and hashed"),
        Row::scene("types of a schema", "a schema of {n} types", types)
            .case("under", 4_095, Answer::NotSent)
            .case("at", 4_096, Answer::NotSent)
            .case("over", 4_097, Answer::Unreadable)
            .memory(4 << 20)
            .slow("a schema of 4,096 types is read"),
        Row::scene("schema bomb: counts that lie", "{n} levels that each claim all bytes that follow", lying)
            .case("", 120, Answer::Unreadable)
            .memory(2 << 20)
            .slow("a contract of 256 KiB is read and hashed"),
        Row::scene("schema bomb: depth", "types {n} deep in a schema", deep)
            .case("at", 128, Answer::NotSent)
            .case("over", 129, Answer::Unreadable)
            .memory(2 << 20),
        Row::scene("schema bomb: cycles", "a type that goes round through {n} types", round)
            .case("", 127, Answer::NotSent)
            .memory(4 << 20),
        Row::scene("schema bomb: doubling", "a type with 2 to the power of {n} places", doubling)
            .case("", 63, Answer::NotSent)
            .memory(2 << 20),
        Row::scene("fields and variants of a schema", "an enum of {n} variants", variants)
            .case("under", 16_383, Answer::NotSent)
            .case("at", 16_384, Answer::NotSent)
            .case("over", 16_385, Answer::Unreadable)
            .case("claimed", CLAIMED, Answer::Unreadable)
            .memory(4 << 20)
            .slow("a schema of 16,384 variants is read"),
    ]
}

/// Tells a client of the victim's this schema of `nest`, and hears what comes of a call of it.
fn tell(victim: &Victim, schema: Vec<u8>) -> Local<'_, Seen> {
    Box::pin(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let contract = raw::contract(&raw::contract_of("Prey.nest", "nest", &schema));
        measured(victim, 1, async move {
            let client = victim.does(async move {
                let client = vox::connect::<PreyClient>(format!("tcp://{address}")).no_resume().await.ok()?;
                let nested = client.nest(crate::prey::Nest::default()).await;
                // What is alike in both is called.
                let called = tokio::spawn(client.echo(1).into_future());
                Some((nested, called.await.is_ok_and(|echoed| echoed == Ok(1))))
            });
            let server = async {
                let (stream, _) = listener.accept().await.ok()?;
                let mut raw = Raw::new(stream);
                raw.read().await?;
                raw.try_write(&raw::welcome_to_another(raw::LIMITS).wire()).await;
                raw.try_write(&contract.wire()).await;
                loop {
                    let read = raw.read().await?;
                    if read.kind == raw::VIOLATION {
                        return Some(Answer::Violation(read.body[0]));
                    }
                    if read.kind == raw::CALL {
                        raw.try_write(&raw::frame(raw::REPLY).var(1).var(1).u8(0).u8(1).wire()).await;
                        raw.read().await;
                        return None;
                    }
                }
            };
            match tokio::join!(client, server) {
                (_, Some(answer)) => answer,
                (Some((Err(vox::VoxError::NotSent(why)), true)), None) => match why.to_string() {
                    why if why.contains("cannot be read") => Answer::Unreadable,
                    _ => Answer::NotSent,
                },
                _ => Answer::Wrong,
            }
        })
        .await
    })
}

fn long(victim: &Victim, n: u64) -> Local<'_, Seen> {
    // A type with an encoding of its own has a name as long as it likes.
    let schema = |len: u64| raw::frame(1).u8(1).text(&"x".repeat(len as usize)).into_bytes();
    let head = raw::contract_of("Prey.nest", "nest", &schema(MOST / 2)).len() as u64 - MOST / 2;
    tell(victim, schema(n - head))
}

fn types(victim: &Victim, n: u64) -> Local<'_, Seen> {
    let schema = raw::frame(1).u8(2).var(n - 1);
    let options = (1..n).fold(schema, |schema, n| schema.text(&n.to_string()).u8(4).u8(12).var(0));
    tell(victim, options.into_bytes())
}

fn lying(victim: &Victim, _: u64) -> Local<'_, Seen> {
    tell(victim, raw::bomb(255 << 10))
}

fn deep(victim: &Victim, n: u64) -> Local<'_, Seen> {
    let mut schema = vec![1];
    schema.extend(vec![6; n as usize]);
    schema.extend(raw::frame(1).text("u8").into_bytes());
    tell(victim, schema)
}

/// As `Nest` is, but that its content comes round to itself after `n` turns and is another type at the end.
fn round(victim: &Victim, n: u64) -> Local<'_, Seen> {
    let turn = |schema: raw::Frame, _| schema.u8(2).u8(1).text("inner").u8(4);
    let ring = (0..n / 2).fold(raw::frame(1), turn);
    tell(victim, ring.u8(12).var(1).into_bytes())
}

/// A tree of structs, each of which has the same one twice.
fn doubling(victim: &Victim, n: u64) -> Local<'_, Seen> {
    let open = |schema: raw::Frame, _| schema.u8(2).var(2).text("inner").u8(4);
    let close = |schema: raw::Frame, level: u64| schema.text("again").u8(12).var(2 * level + 1);
    let leaf = (0..n).fold(raw::frame(1), open).u8(1).text("u8");
    tell(victim, (0..n).rev().fold(leaf, close).into_bytes())
}

fn variants(victim: &Victim, n: u64) -> Local<'_, Seen> {
    let written = if n == CLAIMED { 1 } else { n };
    let variant = |schema: raw::Frame, n: u64| schema.text(&n.to_string()).var(0);
    tell(victim, (0..written).fold(raw::frame(1).u8(3).var(n), variant).into_bytes())
}
