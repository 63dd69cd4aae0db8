//! What the fuzz targets of `fuzz/` reach of the private rooms. It is there in a build for fuzzing alone (`--cfg fuzzing`).

use bytes::Bytes;

use crate::limits::Limits;
use crate::schema::Contract;
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

/// Reads a contract, and judges some of its methods against each other, as if each end knew the service by one of them. Whether it
/// is one.
pub fn contract(bytes: &[u8]) -> bool {
    const SOME: usize = 6;
    let bytes = Bytes::copy_from_slice(bytes);
    let Ok(contract) = Contract::read_all(&bytes) else { return false };
    let again = Contract::read(&bytes, contract.hash(), &contract);
    assert!(again.is_ok_and(|again| again.methods().len() == contract.methods().len()), "it is read again as it was");
    for ours in contract.methods().values().take(SOME) {
        for theirs in contract.methods().values().take(SOME) {
            let _ = ours.refusal(theirs);
            assert!(!ours.is_same(theirs) || theirs.is_same(ours), "what is the same is so both ways");
        }
    }
    true
}

/// Reads a row of a store as a record.
#[cfg(feature = "sqlite")]
pub fn record(columns: &[u8]) {
    crate::store::read_any_record(columns);
}
