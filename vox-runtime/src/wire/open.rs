//! What a connection is opened with, and how that is refused.

use super::{Reader, put_metadata, put_str};
use crate::error::{ProtocolViolation, Refusal, RefusalCode};
use crate::metadata::Metadata;
use crate::schema::SchemaHash;

/// What a connection is opened with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Open {
    pub(crate) service: String,
    pub(crate) metadata: Metadata,
    /// What the opener's contract of the service is called, where it says so.
    pub(crate) contract: Option<SchemaHash>,
}

impl Open {
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_str(out, &self.service);
        put_metadata(out, &self.metadata);
        out.push(u8::from(self.contract.is_some()));
        if let Some(SchemaHash(hash)) = &self.contract {
            out.extend_from_slice(hash);
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, ProtocolViolation> {
        let (service, metadata) = (r.text("service")?.to_owned(), r.metadata()?);
        let contract = if r.flag("contract flag")? { Some(SchemaHash(r.fixed("contract")?)) } else { None };
        Ok(Self { service, metadata, contract })
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
