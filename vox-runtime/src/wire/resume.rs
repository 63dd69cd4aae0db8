//! The messages that give a session a new link: `Resume`, `Resumed`, `Confirm`, and what names and proves a session.

use std::fmt;

use super::{Reader, put_metadata, put_varint};
use crate::error::ProtocolViolation;
use crate::metadata::Metadata;

/// The feature bit of a `Hello` and a `Welcome`: the session can be resumed.
pub(crate) const RESUME: u64 = 1;

/// What a session is called. Knowing it allows asking for the session, and no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SessionId(pub(crate) [u8; 16]);

/// What proves that a session is one's own. Never printed.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) [u8; 32]);

impl Secret {
    /// What is kept of a secret that another end holds. Compared in constant time.
    pub(crate) fn hash(&self) -> blake3::Hash {
        blake3::hash(&self.0)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.hash() == other.hash()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// With what a session is resumed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ticket {
    pub(crate) session: SessionId,
    pub(crate) secret: Secret,
}

/// What the initiator says first on a new link of an old session.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Resume {
    /// The lowest and the highest version that the initiator speaks.
    pub(crate) versions: (u64, u64),
    pub(crate) ticket: Ticket,
    /// How much of the acceptor's stream the initiator has.
    pub(crate) received: u64,
    /// The initiator's time, in milliseconds since 1970.
    pub(crate) time: u64,
    /// About the initiator, as in a `Hello`.
    pub(crate) metadata: Metadata,
}

/// What the acceptor answers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Resumed {
    /// How much of the initiator's stream the acceptor has.
    pub(crate) received: u64,
    /// The acceptor's time, in milliseconds since 1970.
    pub(crate) time: u64,
    /// What the session is resumed with next.
    pub(crate) secret: Secret,
}

impl Ticket {
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.session.0);
        out.extend_from_slice(&self.secret.0);
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, ProtocolViolation> {
        Ok(Self { session: SessionId(r.fixed("session")?), secret: Secret(r.fixed("secret")?) })
    }
}

impl Resume {
    pub(super) fn put_body(&self, out: &mut Vec<u8>) {
        put_varint(out, self.versions.0);
        put_varint(out, self.versions.1);
        self.ticket.put(out);
        put_varint(out, self.received);
        put_varint(out, self.time);
        put_metadata(out, &self.metadata);
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, ProtocolViolation> {
        Ok(Self {
            versions: (r.varint("lowest version")?, r.varint("highest version")?),
            ticket: Ticket::read(r)?,
            received: r.varint("received")?,
            time: r.varint("time")?,
            metadata: r.metadata()?,
        })
    }
}

impl Resumed {
    pub(super) fn put_body(&self, out: &mut Vec<u8>) {
        put_varint(out, self.received);
        put_varint(out, self.time);
        out.extend_from_slice(&self.secret.0);
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, ProtocolViolation> {
        let (received, time) = (r.varint("received")?, r.varint("time")?);
        Ok(Self { received, time, secret: Secret(r.fixed("secret")?) })
    }
}
