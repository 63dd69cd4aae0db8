//! What peers have in common that do more than to send frames.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::answer::{Answer, hear, ping};
use crate::attack::Seen;
use crate::raw::{self, Frame, RESUME, RESUMED, Raw, WELCOME, frame};
use crate::victim::Victim;

/// What a session is resumed with.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    pub(crate) session: Vec<u8>,
    pub(crate) secret: Vec<u8>,
    /// Who resumes it, as it says.
    pub(crate) name: Option<String>,
}

impl Ticket {
    /// What a `Welcome` of a session ends with that can be resumed.
    pub(crate) fn of(welcome: &raw::Read) -> Self {
        let ticket = &welcome.body[welcome.body.len() - 48..];
        Self { session: ticket[..16].to_vec(), secret: ticket[16..].to_vec(), name: None }
    }

    pub(crate) fn resume(&self, received: u64) -> Frame {
        let resume = frame(RESUME).bytes(raw::MAGIC).var(1).var(1).bytes(&self.session).bytes(&self.secret);
        let resume = resume.var(received).var(raw::TIME);
        match &self.name {
            None => resume.var(0),
            Some(name) => resume.metadata(&[("name", 0, name)]),
        }
    }
}

/// Says hello.
pub(crate) async fn greet(raw: &mut Raw, hello: &Frame) -> Result<raw::Read, Answer> {
    raw.try_write(&hello.wire()).await;
    match tokio::time::timeout(Duration::from_secs(20), raw.read()).await {
        Err(_) => Err(Answer::Silent),
        Ok(None) => Err(Answer::Closed),
        Ok(Some(read)) if [WELCOME, RESUMED].contains(&read.kind) => Ok(read),
        Ok(Some(read)) => Err(Answer::Rejected(*read.body.get(4).unwrap_or(&0))),
    }
}

/// Sends frames and hears what comes back.
pub(crate) async fn send(raw: &mut Raw, frames: impl IntoIterator<Item = Frame>, replies: usize) -> Answer {
    let mut bytes: Vec<u8> = frames.into_iter().flat_map(|frame| frame.wire()).collect();
    bytes.extend(ping());
    raw.try_write(&bytes).await;
    hear(raw, replies).await
}

/// The payload of the next reply.
pub(crate) async fn hear_reply(raw: &mut Raw) -> Option<Vec<u8>> {
    loop {
        let read = tokio::time::timeout(Duration::from_secs(20), raw.read()).await.ok()??;
        if read.kind == raw::REPLY {
            let mut fields = read.reader();
            fields.var();
            fields.var();
            return Some(fields.0.to_vec());
        }
    }
}

/// Measures what happens at a server.
pub(crate) async fn measured(victim: &Victim, frames: u64, scene: impl Future<Output = Answer>) -> Seen {
    let (begun, before) = (victim.meter.mark(), victim.meter.cpu());
    let answer = scene.await;
    let cpu = (victim.meter.cpu() - before) / u32::try_from(frames.max(1)).unwrap_or(u32::MAX);
    Seen { answer, memory: victim.meter.peak() - begun, cpu, held: None }
}

/// A session that means nothing well yet.
pub(crate) async fn join(victim: &Victim) -> Result<Raw, Answer> {
    join_from(victim, Ipv4Addr::LOCALHOST).await
}

/// As [`join`], from an address of this machine's.
pub(crate) async fn join_from(victim: &Victim, address: Ipv4Addr) -> Result<Raw, Answer> {
    let mut raw = Raw::new(victim.stream_from(address).await);
    greet(&mut raw, &raw::hello(Some("Prey"), raw::LIMITS)).await.map(|_| raw)
}

/// A session that can be resumed.
pub(crate) async fn resumable(victim: &Victim) -> Result<(Raw, Ticket), Answer> {
    resumable_from(victim, Ipv4Addr::LOCALHOST).await
}

/// As [`resumable`], from an address of this machine's.
pub(crate) async fn resumable_from(victim: &Victim, address: Ipv4Addr) -> Result<(Raw, Ticket), Answer> {
    let mut raw = Raw::new(victim.stream_from(address).await);
    let welcome = greet(&mut raw, &raw::resumable_hello("Prey", raw::LIMITS)).await?;
    Ok((raw, Ticket::of(&welcome)))
}

/// Gives a session another link.
pub(crate) async fn resume(mut raw: Raw, ticket: &Ticket) -> Answer {
    match greet(&mut raw, &ticket.resume(0)).await {
        Err(answer) => answer,
        Ok(_) => {
            raw.try_write(&frame(raw::CONFIRM).bytes(raw::MAGIC).wire()).await;
            send(&mut raw, [], 0).await
        }
    }
}
