//! What a connection is opened with, and how that is refused.

use super::{Reader, put_metadata, put_str};
use crate::error::{ProtocolViolation, Refusal, RefusalCode};
use crate::metadata::Metadata;
use crate::schema::SchemaHash;

/// The longest name of a service that may be served, and of a character.
pub(crate) const MAX_NAME: usize = 1024;
const MAX_CHAR: usize = 4;

/// What an opener's contract of a service is called, and which contracts need not be told because they were before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) hash: SchemaHash,
    pub(crate) recalls: Recalls,
}

/// What was told before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recalls {
    /// Nothing: both contracts are told, if they differ.
    Nothing,
    /// The acceptor may say that it was told the opener's.
    Own,
    /// And the opener was told this one, which may be the acceptor's.
    Both(SchemaHash),
}

/// Which contracts are told, of two that differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Telling {
    /// The acceptor's follows its answer. Else it is the one that the opener recalls.
    pub(crate) acceptors: bool,
    /// The acceptor waits for the opener's. Else it was told it before.
    pub(crate) openers: bool,
}

/// All answers to how two contracts compare, by their codes.
const TELLINGS: [Option<Telling>; 5] = [
    None,
    Some(Telling { acceptors: true, openers: true }),
    Some(Telling { acceptors: false, openers: true }),
    Some(Telling { acceptors: true, openers: false }),
    Some(Telling { acceptors: false, openers: false }),
];

/// How this answer to how two contracts compare is written; `None`: they are equal.
pub(super) fn telling_code(differs: Option<Telling>) -> u8 {
    match differs {
        None => 0,
        Some(Telling { acceptors, openers }) => 1 + u8::from(!acceptors) + 2 * u8::from(!openers),
    }
}

pub(super) fn read_telling(r: &mut Reader<'_>) -> Result<Option<Telling>, ProtocolViolation> {
    let code = r.byte("differs")?;
    TELLINGS.get(usize::from(code)).copied().ok_or_else(|| r.fault("differs", "over 4"))
}

/// What a connection is opened with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Open {
    pub(crate) service: String,
    pub(crate) metadata: Metadata,
    /// What the opener's contract of the service is called, where it says so.
    pub(crate) contract: Option<Named>,
}

impl Open {
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_str(out, &self.service);
        put_metadata(out, &self.metadata);
        let Some(Named { hash, recalls }) = &self.contract else { return out.push(0) };
        out.push(match recalls {
            Recalls::Nothing => 1,
            Recalls::Own => 2,
            Recalls::Both(_) => 3,
        });
        out.extend_from_slice(&hash.0);
        if let Recalls::Both(theirs) = recalls {
            out.extend_from_slice(&theirs.0);
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, ProtocolViolation> {
        // A name that is longer is no service's, and is refused by what is kept of it.
        let service = r.text_within(MAX_NAME + MAX_CHAR, "service")?.to_owned();
        Ok(Self { service, metadata: r.metadata()?, contract: Named::read(r)? })
    }
}

impl Named {
    /// An opener's contract, which it would not tell again, and the one of its acceptor's that it recalls.
    pub(crate) fn new(hash: SchemaHash, recalled: Option<SchemaHash>) -> Self {
        Self { hash, recalls: recalled.map_or(Recalls::Own, Recalls::Both) }
    }

    fn read(r: &mut Reader<'_>) -> Result<Option<Self>, ProtocolViolation> {
        let flag = r.byte("contract flag")?;
        if flag == 0 {
            return Ok(None);
        }
        let hash = SchemaHash(r.fixed("contract")?);
        let recalls = match flag {
            1 => Recalls::Nothing,
            2 => Recalls::Own,
            3 => Recalls::Both(SchemaHash(r.fixed("recalled contract")?)),
            _ => return Err(r.fault("contract flag", "over 3")),
        };
        Ok(Some(Self { hash, recalls }))
    }
}

pub(crate) fn put_refusal(out: &mut Vec<u8>, refusal: &Refusal) {
    out.push(refusal.code as u8);
    put_str(out, &refusal.reason);
}

pub(crate) fn read_refusal(r: &mut Reader<'_>) -> Result<Refusal, ProtocolViolation> {
    let code = RefusalCode::from_code(r.byte("refusal code")?);
    Ok(Refusal::new(code, r.reason("reason")?))
}
