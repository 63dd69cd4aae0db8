//! Peers that would have a session that is not theirs, or more of their own than there is.

use std::time::Duration;

use vox::transport::Link;
use vox::{Limits, Principal, Server};

use crate::lab::{Bench, LabDispatcher, Probe};
use crate::support::raw::{self, Frame, Raw, call, frame};
use crate::support::settle;

const RESUME: u8 = 0x04;
const RESUMED: u8 = 0x05;
const CONFIRM: u8 = 0x06;
const ACK: u8 = 0x0a;
const SESSION_LOST: u8 = 5;
const FALSE_ACK: u8 = 16;

/// Who is asked about for five seconds.
pub const SLOW: &str = "slow";

/// What a session is resumed with, and how far its client has come in the two streams.
#[derive(Clone)]
pub struct Ticket {
    session: Vec<u8>,
    secret: Vec<u8>,
    received: u64,
    metadata: Option<&'static str>,
}

impl Ticket {
    pub fn resume(&self) -> Frame {
        let resume = frame(RESUME).bytes(raw::MAGIC).var(1).var(1).bytes(&self.session).bytes(&self.secret);
        let resume = resume.var(self.received).var(raw::TIME);
        match self.metadata {
            None => resume.var(0),
            Some(name) => resume.var(1).text("name").u8(0).text(name),
        }
    }

    /// As [`resume`](Self::resume), with a secret that is not the session's.
    pub fn forged(&self) -> Frame {
        self.with_secret(&[7; 32]).resume()
    }

    fn with_secret(&self, secret: &[u8]) -> Self {
        Self { secret: secret.to_vec(), ..self.clone() }
    }
}

pub struct Den {
    pub server: std::sync::Arc<Server>,
    probe: Probe,
}

impl Den {
    pub fn new(limits: Limits) -> Self {
        let bench = Bench::default();
        let probe = bench.probe.clone();
        let server = Server::builder().service(LabDispatcher::new(bench)).limits(limits).authenticate(async |peer| {
            if peer.metadata().get("name") == Some(SLOW) {
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
            Ok(peer.metadata().get("name").map_or(Principal::anonymous(), Principal::new))
        });
        Self { server: server.start().expect("a server").into(), probe }
    }

    pub fn link(&self) -> Raw {
        self.link_of(None)
    }

    /// A link whose peer is known to the server, or is not.
    pub fn link_of(&self, peer: Option<&str>) -> Raw {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let server = std::sync::Arc::clone(&self.server);
        let link = Link::new(theirs, "raw");
        let link = if let Some(peer) = peer { link.of_peer(peer) } else { link };
        tokio::spawn(async move { server.accept(link).await });
        Raw::new(ours)
    }

    /// A client with a session that it can resume.
    pub async fn client(&self) -> (Raw, Ticket) {
        self.client_called(None).await
    }

    pub async fn client_called(&self, name: Option<&'static str>) -> (Raw, Ticket) {
        self.client_over(self.link(), name).await
    }

    pub async fn client_over(&self, mut raw: Raw, name: Option<&'static str>) -> (Raw, Ticket) {
        let mut hello = frame(raw::HELLO).bytes(raw::MAGIC).var(1).var(1).var(1);
        for limit in raw::LIMITS {
            hello = hello.var(limit);
        }
        hello = hello.var(raw::TIME);
        let hello = match name {
            None => hello.var(0),
            Some(name) => hello.var(1).text("name").u8(0).text(name),
        };
        raw.send(&hello.u8(1).text("Lab").var(0).u8(0)).await;
        let welcome = raw.read().await.expect("an answer");
        assert_eq!(welcome.kind, raw::WELCOME);
        let at = welcome.body.len() - 48;
        let (session, secret) = welcome.body[at..].split_at(16);
        let ticket = Ticket { session: session.to_vec(), secret: secret.to_vec(), received: 0, metadata: name };
        (raw, ticket)
    }

    /// Asks for a session. `Ok`: the next secret, to be confirmed on this link. `Err`: the whole answer.
    pub async fn resume(&self, ticket: &Ticket) -> Result<(Raw, Ticket), Vec<u8>> {
        let mut raw = self.link();
        raw.send(&ticket.resume()).await;
        let answer = raw.read().await.expect("an answer");
        if answer.kind == raw::REJECTED {
            assert_eq!(raw.read().await, None, "the link is closed");
            return Err(answer.body);
        }
        assert_eq!(answer.kind, RESUMED);
        let secret = &answer.body[answer.body.len() - 32..];
        Ok((raw, ticket.with_secret(secret)))
    }

    async fn refused(&self, ticket: &Ticket, why: &str) -> Vec<u8> {
        let Err(body) = self.resume(ticket).await else { panic!("{why}: let in") };
        assert_eq!(body[4], SESSION_LOST, "{why}");
        body
    }
}

pub async fn confirm(raw: &mut Raw) {
    raw.send(&frame(CONFIRM).bytes(raw::MAGIC)).await;
}

/// Whether calls are answered.
pub async fn works(raw: &mut Raw, request: u64) {
    raw.send(&call(1, request, "Lab.echo", &[7])).await;
    let reply = raw.read_kind(raw::REPLY).await;
    let mut fields = reply.reader();
    assert_eq!((fields.var(), fields.var()), (1, request));
}

// proves: resume.refused
#[tokio::test(start_paused = true)]
async fn a_guessed_secret_is_refused_like_a_session_that_never_was_and_harms_nobody() {
    let den = Den::new(Limits::default());
    let (mut raw, ticket) = den.client().await;
    let mut answers = std::collections::BTreeSet::new();
    for bit in 0..256 {
        let mut guess = ticket.secret.clone();
        guess[bit / 8] ^= 1 << (bit % 8);
        answers.insert(den.refused(&ticket.with_secret(&guess), "one bit off").await);
    }
    let unknown = Ticket { session: vec![9; 16], ..ticket.clone() };
    answers.insert(den.refused(&unknown, "another session").await);
    answers.insert(den.refused(&ticket.with_secret(&[0; 32]), "zeros").await);
    assert_eq!(answers.len(), 1, "every refusal reads the same");
    works(&mut raw, 1).await;
    assert_eq!(den.server.detached_sessions(), 0, "the one that has the session keeps its link");
}

// proves: secret.once
#[tokio::test(start_paused = true)]
async fn a_secret_is_good_until_the_next_is_confirmed_and_then_for_nothing() {
    let den = Den::new(Limits::default());
    let (_, first) = den.client().await;
    settle().await;
    // The answer is lost: the first is still good.
    let (lost, second) = den.resume(&first).await.expect("good");
    drop(lost);
    let (lost, third) = den.resume(&first).await.expect("still good");
    // The confirmation is lost: the one that it would have confirmed is good.
    drop(lost);
    let (mut raw, fourth) = den.resume(&third).await.expect("it was sent");
    den.refused(&first, "spent when its successor was used").await;
    confirm(&mut raw).await;
    works(&mut raw, 1).await;
    drop(raw);
    settle().await;
    for (spent, which) in [(&first, "first"), (&second, "second"), (&third, "third")] {
        den.refused(spent, which).await;
    }
    assert!(den.resume(&fourth).await.is_ok());
}

// proves: resume.two
#[tokio::test(start_paused = true)]
async fn of_two_resumes_at_once_the_one_that_is_confirmed_has_the_session() {
    let den = Den::new(Limits::default());
    let (_first, ticket) = den.client().await;
    let (mut loser, _) = den.resume(&ticket).await.expect("good");
    let (mut winner, next) = den.resume(&ticket).await.expect("good");
    confirm(&mut winner).await;
    works(&mut winner, 1).await;
    confirm(&mut loser).await;
    assert_eq!(loser.read().await, None, "the other link is closed");
    works(&mut winner, 3).await;
    drop(winner);
    settle().await;
    let next = Ticket { received: 2 * old_reply_bytes(), ..next };
    let (mut raw, _) = den.resume(&next).await.expect("the winner's secret");
    confirm(&mut raw).await;
    works(&mut raw, 5).await;
}

/// It was sent before its peer gave the link up, and arrives while the session waits for the one that was asked for since.
#[tokio::test(start_paused = true)]
async fn a_confirmation_on_a_link_that_was_given_up_counts_for_nothing() {
    let den = Den::new(Limits::default());
    let (_, ticket) = den.client().await;
    let (mut given_up, second) = den.resume(&ticket).await.expect("good");
    let (mut raw, _) = den.resume(&second).await.expect("it was sent");
    confirm(&mut given_up).await;
    assert_eq!(given_up.read().await, None, "the link is closed");
    settle().await;
    assert_eq!(den.server.detached_sessions(), 1, "it still waits");
    confirm(&mut raw).await;
    works(&mut raw, 1).await;
}

/// The session has its next link before anybody has read that the old one is at its end.
#[tokio::test(start_paused = true)]
async fn the_end_of_an_old_link_does_not_end_the_next() {
    let den = Den::new(Limits::default());
    let (old, ticket) = den.client().await;
    let mut raw = den.link();
    settle().await;
    raw.write(&resume_at_once(&ticket)).await;
    drop(old);
    assert_eq!(raw.read().await.map(|read| read.kind), Some(RESUMED));
    works(&mut raw, 1).await;
    assert_eq!(den.server.detached_sessions(), 0);
}

/// A resume and, without waiting for the answer, its confirmation: both are taken up in one step.
fn resume_at_once(ticket: &Ticket) -> Vec<u8> {
    [ticket.resume().wire(), frame(CONFIRM).bytes(raw::MAGIC).wire()].concat()
}

// proves: resume.old-link
#[tokio::test(start_paused = true)]
async fn a_resume_takes_the_session_from_a_link_that_is_half_open() {
    let den = Den::new(Limits::default());
    let (mut old, ticket) = den.client().await;
    works(&mut old, 1).await;
    let received = old_reply_bytes();
    let (mut raw, _) = den.resume(&Ticket { received, ..ticket }).await.expect("good");
    assert_eq!(old.read().await, None, "the old link is closed");
    confirm(&mut raw).await;
    works(&mut raw, 3).await;
}

/// How many bytes the reply of `works` takes: its length, kind, connection, request, and `Ok(7)`.
fn old_reply_bytes() -> u64 {
    4 + 1 + 1 + 1 + 2
}

// proves: resume.acceptor-checks
#[tokio::test(start_paused = true)]
async fn a_lie_about_what_was_received_costs_the_session() {
    for (received, fine) in [(0, true), (old_reply_bytes(), true), (old_reply_bytes() + 1, false), (u64::MAX, false)] {
        let den = Den::new(Limits::default());
        let (mut raw, ticket) = den.client().await;
        works(&mut raw, 1).await;
        drop(raw);
        settle().await;
        let claims = Ticket { received, ..ticket.clone() };
        if fine {
            assert!(den.resume(&claims).await.is_ok(), "{received}");
        } else {
            den.refused(&claims, "more than was sent").await;
            settle().await;
            assert_eq!(den.server.sessions(), 0, "{received}: the session is lost");
            den.refused(&ticket, "too late").await;
        }
    }
}

// proves: resume.acceptor-checks
#[tokio::test(start_paused = true)]
async fn less_than_was_acknowledged_costs_the_session() {
    let den = Den::new(Limits::default());
    let (mut raw, ticket) = den.client().await;
    works(&mut raw, 1).await;
    raw.send(&frame(ACK).var(old_reply_bytes())).await;
    works(&mut raw, 3).await;
    den.refused(&ticket, "what was acknowledged is not kept").await;
    settle().await;
    assert_eq!(den.server.sessions(), 0);
}

// proves: ack.false
#[tokio::test(start_paused = true)]
async fn an_ack_past_the_end_is_a_violation() {
    let den = Den::new(Limits::default());
    let (mut raw, ticket) = den.client().await;
    works(&mut raw, 1).await;
    raw.send(&frame(ACK).var(old_reply_bytes() + 1)).await;
    assert_eq!(raw.accused_of().await, FALSE_ACK);
    den.refused(&ticket, "a session that ended is not resumed").await;
}

// proves: resume.refused
#[tokio::test(start_paused = true)]
async fn another_principals_session_is_refused_though_the_secret_is_right() {
    let den = Den::new(Limits::default());
    let (_raw, ticket) = den.client_called(Some("ann")).await;
    let stolen = Ticket { metadata: Some("bob"), ..ticket.clone() };
    let answer = den.refused(&stolen, "another principal").await;
    assert_eq!(answer, den.refused(&Ticket { metadata: None, ..ticket.clone() }, "nobody").await);
    assert!(den.resume(&ticket).await.is_ok(), "its own principal is let in");
}

// proves: resume.time
#[tokio::test(start_paused = true)]
async fn a_resume_that_is_never_confirmed_is_closed_in_time_and_costs_nothing() {
    let den = Den::new(Limits::default());
    let (_, ticket) = den.client().await;
    let (mut silent, _) = den.resume(&ticket).await.expect("good");
    let before = tokio::time::Instant::now();
    assert_eq!(silent.read().await, None);
    assert_eq!(before.elapsed(), Limits::default().handshake_timeout);
    let (mut raw, _) = den.resume(&ticket).await.expect("still good");
    confirm(&mut raw).await;
    works(&mut raw, 1).await;
}

#[tokio::test(start_paused = true)]
async fn floods_of_resumes_leave_nothing_behind() {
    let den = Den::new(Limits::default());
    let (_raw, ticket) = den.client().await;
    for round in 0..1000u32 {
        let mut guess = ticket.secret.clone();
        guess[..4].copy_from_slice(&round.to_le_bytes());
        den.refused(&ticket.with_secret(&guess), "a guess").await;
        let (_unconfirmed, _) = den.resume(&ticket).await.expect("good");
    }
    assert_eq!(den.server.sessions(), 1);
    let (mut raw, _) = den.resume(&ticket).await.expect("good");
    confirm(&mut raw).await;
    works(&mut raw, 1).await;
}

#[tokio::test(start_paused = true)]
async fn of_too_many_sessions_without_a_link_the_one_that_waited_longest_is_lost() {
    let den = Den::new(Limits { max_detached_sessions: 2, ..Limits::default() });
    let mut tickets = Vec::new();
    for _ in 0..3 {
        let (raw, ticket) = den.client().await;
        drop(raw);
        settle().await;
        tickets.push(ticket);
    }
    assert_eq!((den.server.sessions(), den.server.detached_sessions()), (2, 2));
    den.refused(&tickets[0], "lost").await;
    for ticket in &tickets[1..] {
        let (mut raw, _) = den.resume(ticket).await.expect("kept");
        confirm(&mut raw).await;
        works(&mut raw, 1).await;
    }
}

/// It has found a link in the very moment in which another came to wait, and nobody has noted that yet.
#[tokio::test(start_paused = true)]
async fn a_session_that_has_found_a_link_is_not_lost_for_others_that_wait() {
    let den = Den::new(Limits { max_detached_sessions: 1, ..Limits::default() });
    let (raw, ticket) = den.client().await;
    drop(raw);
    let (other, _) = den.client().await;
    let mut raw = den.link();
    settle().await;
    assert_eq!((den.server.sessions(), den.server.detached_sessions()), (2, 1));
    drop(other);
    raw.write(&resume_at_once(&ticket)).await;
    assert_eq!(raw.read().await.map(|read| read.kind), Some(RESUMED));
    works(&mut raw, 1).await;
    settle().await;
    assert_eq!((den.server.sessions(), den.server.detached_sessions()), (2, 1), "nobody is one too many");
}

#[tokio::test(start_paused = true)]
async fn a_session_without_a_link_is_forgotten_after_its_window() {
    let den = Den::new(Limits { resume_window: Duration::from_secs(5), ..Limits::default() });
    let (mut raw, ticket) = den.client().await;
    raw.send(&call(1, 1, "Lab.hang", &[])).await;
    settle().await;
    drop(raw);
    tokio::time::sleep(Duration::from_millis(4_990)).await;
    assert_eq!((den.server.sessions(), den.probe.stopped.get()), (1, 0));
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!((den.server.sessions(), den.probe.stopped.get()), (0, 1), "its handlers are aborted");
    den.refused(&ticket, "too late").await;
}

/// A full server still gives the sessions that it has their links.
#[tokio::test(start_paused = true)]
async fn a_server_without_room_for_sessions_resumes_those_it_has() {
    let den = Den::new(Limits { max_sessions: 1, ..Limits::default() });
    let (raw, ticket) = den.client().await;
    drop(raw);
    settle().await;
    let mut other = den.link();
    other.send(&raw::hello(Some("Lab"), raw::LIMITS)).await;
    assert_eq!(other.read().await.map(|read| read.kind), Some(raw::REJECTED));
    let (mut raw, _) = den.resume(&ticket).await.expect("it has its place");
    confirm(&mut raw).await;
    works(&mut raw, 1).await;
}

/// A server that says to have received what was never sent.
// proves: resume.initiator-checks
#[tokio::test(start_paused = true)]
async fn a_client_does_not_go_on_with_a_server_that_lies() {
    let (links, mut asked) = tokio::sync::mpsc::unbounded_channel();
    let connector = vox::transport::Connector::new("raw", move || {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        links.send(theirs).expect("the test listens");
        async move { Ok(Link::new(ours, "raw")) }
    });
    let connecting = tokio::spawn(vox::connect::<crate::lab::LabClient>(connector).into_future());
    let mut raw = Raw::new(asked.recv().await.expect("a link"));
    assert_eq!(raw.read().await.map(|read| read.kind), Some(raw::HELLO));
    let mut welcome = frame(raw::WELCOME).bytes(raw::MAGIC).var(1).var(1);
    for limit in raw::LIMITS {
        welcome = welcome.var(limit);
    }
    raw.send(&welcome.var(raw::TIME).bytes(&[1; 16]).bytes(&[2; 32])).await;
    let lab = connecting.await.expect("no panic").expect("a session");
    let closed = tokio::spawn({
        let caller = vox::Client::caller(&lab).clone();
        async move { caller.closed().await }
    });
    drop(raw);
    let mut raw = Raw::new(asked.recv().await.expect("another link"));
    let resume = raw.read().await.expect("a resume");
    assert_eq!(resume.kind, RESUME);
    assert!(resume.body.windows(32).any(|part| part == [2; 32]));
    raw.send(&frame(RESUMED).bytes(raw::MAGIC).var(1).var(raw::TIME).bytes(&[3; 32])).await;
    let answer = raw.read().await.expect("an answer");
    assert_eq!((answer.kind, answer.body[4]), (raw::REJECTED, SESSION_LOST));
    assert!(matches!(closed.await, Ok(vox::EndReason::Lost(_))));
}
