//! Contracts of peers that need not be sent again.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{Contract, SchemaHash};

/// Contracts of peers by their hashes, beside which contract of this end's each was told. Only what is the contract of its hash gets in.
///
/// Bounded in number and in bytes: the one that was asked for least recently goes first. So a peer that tells many makes others tell theirs
/// again, and does no other harm.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// By this end's contract and the peer's.
    contracts: BTreeMap<(SchemaHash, SchemaHash), Told>,
    /// The bytes of all of them.
    bytes: usize,
    /// How often one was kept or asked for.
    uses: u64,
}

#[derive(Debug)]
struct Told {
    contract: Bytes,
    /// Which use of the contracts was the last of this one.
    used: u64,
}

impl Heard {
    /// So many contracts are kept.
    pub(crate) const MAX: usize = 64;
    /// So many bytes of them.
    pub(crate) const MAX_BYTES: usize = 2 << 20;

    /// A peer told this contract, which was read and is the one of its hash.
    pub(crate) fn keep(&mut self, ours: SchemaHash, theirs: &Contract) {
        if self.get(ours, theirs.hash()).is_some() {
            return;
        }
        // Not as a part of what was read with it.
        let contract = Bytes::copy_from_slice(theirs.bytes());
        self.bytes += contract.len();
        self.contracts.insert((ours, theirs.hash()), Told { contract, used: self.uses });
        while self.contracts.len() > Self::MAX || self.bytes > Self::MAX_BYTES {
            self.forget_one();
        }
    }

    /// This contract of a peer, if it was told beside this one of ours.
    pub(crate) fn get(&mut self, ours: SchemaHash, theirs: SchemaHash) -> Option<Bytes> {
        self.uses += 1;
        let told = self.contracts.get_mut(&(ours, theirs))?;
        told.used = self.uses;
        Some(told.contract.clone())
    }

    /// The one that was last told or asked for beside this contract of ours: most likely the next peer's too.
    pub(crate) fn likely(&self, ours: SchemaHash) -> Option<(SchemaHash, Bytes)> {
        let beside = self.contracts.range((ours, SchemaHash([0; 32]))..=(ours, SchemaHash([0xff; 32])));
        let (&(_, theirs), told) = beside.max_by_key(|(_, told)| told.used)?;
        Some((theirs, told.contract.clone()))
    }

    fn forget_one(&mut self) {
        let Some(&oldest) = self.contracts.iter().min_by_key(|(_, told)| told.used).map(|(key, _)| key) else { return };
        if let Some(told) = self.contracts.remove(&oldest) {
            self.bytes -= told.contract.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Described, Method};
    use super::*;
    use crate::ids::MethodId;

    const OURS: SchemaHash = SchemaHash([1; 32]);

    /// A contract of about so many bytes.
    fn contract(name: &str, len: usize) -> Contract {
        let name = format!("{name}{}", " ".repeat(len));
        let method = Method { name, policy: 0, arguments: Vec::new(), response: Described::default() };
        Contract::new([(MethodId(1), method)].into())
    }

    #[test]
    fn what_was_told_is_known_beside_the_contract_it_was_told_to() {
        let mut heard = Heard::default();
        let (one, two) = (contract("one", 0), contract("two", 0));
        heard.keep(OURS, &one);
        heard.keep(OURS, &two);
        assert_eq!(heard.get(OURS, one.hash()).as_ref(), Some(one.bytes()));
        assert_eq!(heard.likely(OURS), Some((one.hash(), one.bytes().clone())), "it was asked for last");
        assert_eq!(heard.get(SchemaHash([2; 32]), one.hash()), None);
        assert_eq!(heard.likely(SchemaHash([2; 32])), None);
    }

    #[test]
    fn the_one_asked_for_least_recently_goes_first() {
        let mut heard = Heard::default();
        let first = contract("first", 0);
        heard.keep(OURS, &first);
        for n in 1..Heard::MAX {
            heard.keep(OURS, &contract(&n.to_string(), 0));
        }
        assert!(heard.get(OURS, first.hash()).is_some());
        heard.keep(OURS, &contract("another", 0));
        assert_eq!(heard.contracts.len(), Heard::MAX);
        assert!(heard.get(OURS, first.hash()).is_some());
        assert!(heard.get(OURS, contract("1", 0).hash()).is_none());
    }

    #[test]
    fn no_more_bytes_are_kept_than_may_be() {
        let mut heard = Heard::default();
        for n in 0..100 {
            heard.keep(OURS, &contract(&n.to_string(), 100_000));
            let sum: usize = heard.contracts.values().map(|told| told.contract.len()).sum();
            assert_eq!(heard.bytes, sum);
            assert!(sum <= Heard::MAX_BYTES, "{sum}");
        }
        assert_eq!(heard.contracts.len(), Heard::MAX_BYTES / 100_030);
        heard.keep(OURS, &contract("99", 100_000));
        assert_eq!(heard.contracts.len(), Heard::MAX_BYTES / 100_030, "it was there");
    }
}
