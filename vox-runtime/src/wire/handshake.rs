//! The messages before everything else: `Hello` from the initiator, `Welcome` or a rejection back; or those that resume.

use bytes::Bytes;

use super::open::{put_refusal, read_refusal};
use super::resume::{RESUME, Resume, Resumed, Ticket};
use super::{Kind, Open, Reader, Telling, begin, finish, put_limits, put_varint};
use crate::error::{ProtocolViolation, Refusal, Rule};
use crate::limits::AnnouncedLimits;
use crate::metadata::Metadata;

/// The first bytes of a `Hello` and of a `Welcome`.
pub(crate) const MAGIC: [u8; 4] = *b"vox\x01";

/// The version of the protocol that this crate speaks.
pub(crate) const VERSION: u64 = 1;

/// The feature bit of a `Welcome`: the acceptor knows the service otherwise than the `Hello` says, and a `Contract` follows.
const DIFFERS: u64 = 2;
/// Beside [`DIFFERS`]: the acceptor's is the one that the `Hello` recalls, and does not follow.
const RECALLED: u64 = 4;
/// Beside [`DIFFERS`]: the acceptor was told the initiator's before, and waits for none.
const KNOWN: u64 = 8;

/// The features that say how the contracts compare.
pub(crate) fn features_of(differs: Option<Telling>) -> u64 {
    let Some(Telling { acceptors, openers }) = differs else { return 0 };
    DIFFERS | if acceptors { 0 } else { RECALLED } | if openers { 0 } else { KNOWN }
}

/// How the contracts compare, as these features say it.
pub(crate) fn differs_by(features: u64) -> Option<Telling> {
    let has = |feature| features & feature != 0;
    has(DIFFERS).then(|| Telling { acceptors: !has(RECALLED), openers: !has(KNOWN) })
}

/// What the initiator says first.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hello {
    /// The lowest and the highest version that the initiator speaks.
    pub(crate) versions: (u64, u64),
    /// Bits of optional behaviour, [`RESUME`] for one; unknown bits are ignored.
    pub(crate) features: u64,
    /// What the acceptor must obey.
    pub(crate) limits: AnnouncedLimits,
    /// The initiator's time, in milliseconds since 1970.
    pub(crate) time: u64,
    /// About the initiator.
    pub(crate) metadata: Metadata,
    /// Opens connection 1 at once, without a further round trip.
    pub(crate) service: Option<Open>,
}

/// What the acceptor answers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Welcome {
    /// The version that both will speak.
    pub(crate) version: u64,
    /// The bits of optional behaviour that both know, without [`RESUME`].
    pub(crate) features: u64,
    /// What the initiator must obey.
    pub(crate) limits: AnnouncedLimits,
    /// The acceptor's time, in milliseconds since 1970.
    pub(crate) time: u64,
    /// What the session can be resumed with, if it can.
    pub(crate) ticket: Option<Ticket>,
}

/// The first message from the peer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Greeting {
    Hello(Hello),
    Welcome(Welcome),
    /// The session, or the connection that the `Hello` asked for, is refused.
    Rejected(Refusal),
    Resume(Resume),
    Resumed(Resumed),
    /// The initiator has what it needs: the streams go on.
    Confirm,
}

impl Greeting {
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        let start = begin(out, self.kind());
        out.extend_from_slice(&MAGIC);
        match self {
            Self::Hello(hello) => hello.put_body(out),
            Self::Welcome(welcome) => welcome.put_body(out),
            Self::Rejected(refusal) => put_refusal(out, refusal),
            Self::Resume(resume) => resume.put_body(out),
            Self::Resumed(resumed) => resumed.put_body(out),
            Self::Confirm => {}
        }
        finish(out, start, 0);
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Hello(_) => Kind::Hello,
            Self::Welcome(_) => Kind::Welcome,
            Self::Rejected(_) => Kind::Rejected,
            Self::Resume(_) => Kind::Resume,
            Self::Resumed(_) => Kind::Resumed,
            Self::Confirm => Kind::Confirm,
        }
    }

    /// Reads the body of one handshake frame, its length removed.
    pub(crate) fn parse(body: &Bytes) -> Result<Self, ProtocolViolation> {
        let mut reader = Reader::new(body);
        let r = &mut reader;
        let kind = r.byte("kind")?;
        if r.fixed::<4>("magic")? != MAGIC {
            return Err(ProtocolViolation::new(Rule::MalformedFrame, "not a vox peer: the magic bytes are others"));
        }
        let greeting = match kind {
            k if k == Kind::Hello as u8 => Self::Hello(Hello::read(r)?),
            k if k == Kind::Welcome as u8 => Self::Welcome(Welcome::read(r)?),
            k if k == Kind::Rejected as u8 => Self::Rejected(read_refusal(r)?),
            k if k == Kind::Resume as u8 => Self::Resume(Resume::read(r)?),
            k if k == Kind::Resumed as u8 => Self::Resumed(Resumed::read(r)?),
            k if k == Kind::Confirm as u8 => Self::Confirm,
            _ => {
                return Err(ProtocolViolation::new(
                    Rule::MalformedFrame,
                    format!("kind {kind:#04x} before the handshake"),
                ));
            }
        };
        // Bytes past what this version knows are a later version's; the features say whether they matter.
        Ok(greeting)
    }
}

impl Welcome {
    fn put_body(&self, out: &mut Vec<u8>) {
        put_varint(out, self.version);
        put_varint(out, if self.ticket.is_some() { self.features | RESUME } else { self.features });
        put_limits(out, &self.limits);
        put_varint(out, self.time);
        if let Some(ticket) = &self.ticket {
            ticket.put(out);
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, ProtocolViolation> {
        let version = r.varint("version")?;
        let features = r.varint("features")?;
        let (limits, time) = (r.limits()?, r.varint("time")?);
        let ticket = if features & RESUME == 0 { None } else { Some(Ticket::read(r)?) };
        Ok(Self { version, features: features & !RESUME, limits, time, ticket })
    }
}

impl Hello {
    fn put_body(&self, out: &mut Vec<u8>) {
        put_varint(out, self.versions.0);
        put_varint(out, self.versions.1);
        put_varint(out, self.features);
        put_limits(out, &self.limits);
        put_varint(out, self.time);
        super::put_metadata(out, &self.metadata);
        match &self.service {
            None => out.push(0),
            Some(open) => {
                out.push(1);
                open.put(out);
            }
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, ProtocolViolation> {
        Ok(Self {
            versions: (r.varint("lowest version")?, r.varint("highest version")?),
            features: r.varint("features")?,
            limits: r.limits()?,
            time: r.varint("time")?,
            metadata: r.metadata()?,
            service: match r.byte("service flag")? {
                0 => None,
                1 => Some(Open::read(r)?),
                _ => return Err(r.fault("service flag", "neither 0 nor 1")),
            },
        })
    }
}

/// The highest version that this end and one that speaks these both speak.
pub(crate) fn common_version(versions: (u64, u64)) -> Option<u64> {
    (versions.0..=versions.1).contains(&VERSION).then_some(VERSION)
}
