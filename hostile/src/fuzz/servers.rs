//! Spoilt clients against a live server.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};
use vox::Server;
use vox::transport::Link;

use super::dice::Dice;
use super::record::Recorded;
use super::{Ends, dice, spoil};
use crate::prey::{Deer, PreyClient, PreyDispatcher};
use crate::raw::{self, RESUMED, VIOLATION, WELCOME, frame};

pub(crate) async fn attack(recorded: &Recorded, seed: u64, cases: Range<u64>, ends: &mut Ends) -> Result<(), String> {
    let server = Arc::new(Server::builder().service(PreyDispatcher::new(Deer::default())).start().expect("a server"));
    let honest: PreyClient = vox::connect(link(&server)).await.map_err(|error| error.to_string())?;
    for case in cases {
        let mut dice = dice(seed, case);
        let kind = dice.below(recorded.client.len());
        // Most often the handshake is sound, so that there is a session.
        let sound = usize::from(!dice.one_in(10));
        let bytes = spoil::spoil(&recorded.client[kind], &recorded.client, sound, &mut dice);
        let heard = play(&server, &bytes, &mut dice).await;
        count(&heard, ends);
        if dice.one_in(3)
            && let Some(ticket) = ticket(&heard)
        {
            lie(&server, ticket, &bytes, &mut dice).await;
        }
        let answered = timeout(Duration::from_secs(60), honest.echo(case)).await;
        if !matches!(answered, Ok(Ok(n)) if n == case) {
            return Err(format!("case {case}: an honest call beside it was answered {answered:?}"));
        }
    }
    // All that waits for a link is lost by then, and what was lost has ended.
    sleep(Duration::from_secs(200)).await;
    match server.sessions() {
        1 => Ok(()),
        more => Err(format!("{} sessions are left", more - 1)),
    }
}

fn link(server: &Arc<Server>) -> Link {
    let (ours, theirs) = tokio::io::duplex(4 << 10);
    let server = Arc::clone(server);
    tokio::spawn(async move { server.accept(Link::new(theirs, "hostile")).await });
    Link::new(ours, "honest")
}

/// Writes a stream, in pieces, to a server that is read meanwhile. Gives what it said.
async fn play(server: &Arc<Server>, bytes: &[u8], dice: &mut Dice) -> Vec<u8> {
    let (ours, theirs) = tokio::io::duplex(4 << 10);
    let accepted = Arc::clone(server);
    tokio::spawn(async move { accepted.accept(Link::new(theirs, "hostile")).await });
    let (mut read, mut write) = tokio::io::split(ours);
    let reading = tokio::spawn(async move {
        let mut heard = Vec::new();
        // A server that has nothing to say to what it got says nothing.
        while let Ok(Ok(1..)) = timeout(Duration::from_secs(1), read.read_buf(&mut heard)).await {}
        heard
    });
    let mut rest = bytes;
    while !rest.is_empty() {
        let (piece, later) = rest.split_at((1 + dice.below(2_000)).min(rest.len()));
        rest = later;
        if write.write_all(piece).await.is_err() {
            break;
        }
        if dice.one_in(4) {
            tokio::task::yield_now().await;
        }
    }
    let heard = reading.await.expect("no panic");
    drop(write);
    heard
}

/// Resumes a session with what may be lies, and goes on with the stream from somewhere.
async fn lie(server: &Arc<Server>, mut ticket: Vec<u8>, bytes: &[u8], dice: &mut Dice) {
    if dice.one_in(4) {
        let at = dice.below(ticket.len());
        ticket[at] ^= 1;
    }
    let received = [0, 1, 40, 1 << 20, u64::MAX][dice.below(5)];
    let resume = frame(raw::RESUME).bytes(raw::MAGIC).var(1).var(1).bytes(&ticket).var(received).var(raw::TIME).var(0);
    let mut stream = resume.wire();
    if !dice.one_in(4) {
        stream.extend(frame(raw::CONFIRM).bytes(raw::MAGIC).wire());
    }
    stream.extend_from_slice(&bytes[dice.below(bytes.len())..]);
    play(server, &stream, dice).await;
}

/// Frames, as far as they are whole.
fn frames(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let Some((frame, rest)) = rest.split_at_checked(u32::from_le_bytes(*length) as usize) else { break };
        frames.push(frame);
        bytes = rest;
    }
    frames
}

fn ticket(heard: &[u8]) -> Option<Vec<u8>> {
    let welcome = *frames(heard).first()?;
    (welcome.first() == Some(&WELCOME) && welcome.len() > 60).then(|| welcome[welcome.len() - 48..].to_vec())
}

fn count(heard: &[u8], ends: &mut Ends) {
    let frames = frames(heard);
    debug_assert!(!frames.iter().skip(1).any(|frame| frame.first() == Some(&RESUMED)), "the handshake is over");
    match frames.last().and_then(|frame| frame.first()) {
        Some(&VIOLATION) => ends.violations += 1,
        None | Some(&raw::REJECTED | &raw::GOODBYE) => ends.closed += 1,
        Some(_) => ends.alive += 1,
    }
}
