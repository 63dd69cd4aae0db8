//! Spoilt servers against a live client.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::timeout;
use vox::Client;
use vox::transport::{Connector, Link};

use super::dice::Dice;
use super::record::{KINDS, Recorded, work};
use super::{Ends, dice, spoil};
use crate::prey::PreyClient;
use crate::raw::{self, VIOLATION, frame};

pub(crate) async fn attack(recorded: &Recorded, seed: u64, cases: Range<u64>, ends: &mut Ends) -> Result<(), String> {
    for case in cases {
        let mut dice = dice(!seed, case);
        let kind = dice.below(KINDS);
        let sound = usize::from(!dice.one_in(10));
        let bytes = spoil::spoil(&recorded.server[kind], &recorded.server, sound, &mut dice);
        let said = Arc::new(Mutex::new(Vec::new()));
        let links = links(bytes, Arc::clone(&said), dice);
        let step = std::cell::Cell::new("connects");
        let held = async {
            // A server that is none refuses, or says nothing: that is an answer as well.
            let Ok(client) = vox::connect::<PreyClient>(links).await else { return };
            step.set("works");
            work(&client, kind).await;
            step.set("ends");
            client.caller().session().close("done");
        };
        if timeout(Duration::from_secs(3_600), held).await.is_err() {
            return Err(format!(
                "case {case}: a client that {} in a session of kind {kind} waits for ever",
                step.get()
            ));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        let accused = said.lock().expect("no panic").contains(&VIOLATION);
        if accused { ends.violations += 1 } else { ends.closed += 1 }
    }
    Ok(())
}

/// Links to a spoilt server: the first brings its stream, the next two are resumed with what may be lies, and there are no more.
fn links(stream: Vec<u8>, said: Arc<Mutex<Vec<u8>>>, dice: Dice) -> Connector {
    let made = Arc::new(Mutex::new((0, dice)));
    Connector::new("hostile", move || {
        let (stream, said, made) = (stream.clone(), Arc::clone(&said), Arc::clone(&made));
        async move {
            let (nth, mut dice) = {
                let mut made = made.lock().expect("no panic");
                made.0 += 1;
                made.1.next();
                (made.0, made.1.clone())
            };
            let bytes = match nth {
                1 => stream,
                2 | 3 => resumed(&stream, &mut dice),
                _ => return Err(io::ErrorKind::ConnectionRefused.into()),
            };
            let (ours, theirs) = tokio::io::duplex(4 << 10);
            tokio::spawn(serve(theirs, bytes, said, dice));
            Ok(Link::new(ours, "hostile"))
        }
    })
}

/// An answer to a `Resume`, and the stream from somewhere.
fn resumed(stream: &[u8], dice: &mut Dice) -> Vec<u8> {
    let received = [0, 1, 60, 1 << 20, u64::MAX][dice.below(5)];
    let resumed = frame(raw::RESUMED).bytes(raw::MAGIC).var(received).var(raw::TIME).bytes(&[7; 32]);
    [resumed.wire(), stream[dice.below(stream.len())..].to_vec()].concat()
}

/// Says its bytes, in pieces, and notes the kinds of what it hears.
async fn serve(io: DuplexStream, bytes: Vec<u8>, said: Arc<Mutex<Vec<u8>>>, mut dice: Dice) {
    let (mut read, mut write) = tokio::io::split(io);
    let hearing = tokio::spawn(async move {
        let mut length = [0; 4];
        while read.read_exact(&mut length).await.is_ok() {
            let mut body = vec![0; u32::from_le_bytes(length) as usize];
            if read.read_exact(&mut body).await.is_err() {
                break;
            }
            said.lock().expect("no panic").extend(body.first());
        }
    });
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let (piece, later) = rest.split_at((1 + dice.below(2_000)).min(rest.len()));
        rest = later;
        if write.write_all(piece).await.is_err() {
            break;
        }
        // The client has its turn, so that what it asks for is answered late rather than too early.
        if dice.one_in(2) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    if !dice.one_in(3) {
        tokio::time::sleep(Duration::from_secs(20)).await;
    }
    drop(write);
    hearing.abort();
}
