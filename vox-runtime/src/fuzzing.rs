//! What the fuzz targets of `fuzz/` reach of the private rooms. It is there in a build for fuzzing alone (`--cfg fuzzing`).

use bytes::Bytes;

use crate::limits::Limits;
use crate::wire::{Failure, Frame, Greeting, MAGIC};

/// Reads the body of a frame. One that is well survives being written and read.
pub fn frame(body: &[u8]) {
    let limits = Limits::default();
    let Ok(frame) = Frame::parse(Bytes::copy_from_slice(body), &limits) else { return };
    let mut bytes = Vec::new();
    frame.put(&mut bytes);
    assert_eq!(Frame::parse(bytes.split_off(4).into(), &limits), Ok(frame));
}

/// As [`frame`], of the handshake.
pub fn greeting(body: &[u8]) {
    let Ok(greeting) = Greeting::parse(&Bytes::copy_from_slice(body)) else { return };
    let mut bytes = Vec::new();
    greeting.put(&mut bytes);
    assert_eq!(Greeting::parse(&bytes.split_off(4).into()), Ok(greeting));
}

/// As [`greeting`], of the messages that resume a session: the first byte says which, and the magic is there.
pub fn resume(fields: &[u8]) {
    let Some((which, fields)) = fields.split_first() else { return };
    greeting(&[&[4 + which % 3], &MAGIC[..], fields].concat());
}

/// Reads a reply's payload as a failure.
pub fn outcome(payload: &[u8]) {
    let _ = Failure::read(payload);
}

/// Reads a row of a store as a record.
#[cfg(feature = "sqlite")]
pub fn record(columns: &[u8]) {
    crate::store::read_any_record(columns);
}
