//! The records, and what keeps them within bounds.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::floors::Floors;
use super::peers::{Peers, Place};
use super::short::ShortBytes;
use crate::ids::MethodId;
use crate::operation::{Admission, Digest, Fence, NewOperation, OperationId, OperationKey, Outcome, Principal};
use crate::schema::Schema;
use crate::sorted::Sorted;
use crate::store::limits::Taken;
use crate::store::rules::{self, Decision, Found};
use crate::store::{StoreError, StoreLimits};

/// All that a store knows. An operation is in `live` or in `tombstones` or in neither.
#[derive(Clone, Default)]
pub(super) struct Table {
    live: Sorted<OperationKey, Record, 128>,
    tombstones: Sorted<OperationKey, (), 512>,
    usage: BTreeMap<Principal, Taken>,
    /// That of the anonymous principal, who is all that call where nobody is asked who they are.
    anonymous: Taken,
    /// Those of its peers that are known.
    peers: Peers,
    bytes: usize,
    floors: Floors,
    fences: u64,
    /// Up to where the live ones have been looked at for some that are too old.
    swept: Option<OperationKey>,
}

#[derive(Clone)]
struct Record {
    method: MethodId,
    digest: Digest,
    fence: Fence,
    /// It was granted before, and may have run.
    again: bool,
    /// Whose share it counts for.
    peer: Option<Place>,
    state: State,
}

#[derive(Clone)]
enum State {
    Granted,
    Sealed(Sealed),
    GivenUp,
}

/// An outcome, as it is kept.
#[derive(Clone)]
struct Sealed {
    bytes: ShortBytes,
    schema: Schema,
}

/// What a record takes beside its outcome: itself, its key, and the table's own share.
const RECORD_BYTES: usize = 256;

/// How many records an admission looks at to find some that are too old. More than one, so that they go faster than they
/// come.
const SWEEP: usize = 4;

impl Sealed {
    fn outcome(&self) -> Outcome {
        Outcome { bytes: self.bytes.to_bytes(), schema: self.schema.clone() }
    }
}

impl Record {
    fn bytes(&self) -> usize {
        match &self.state {
            State::Sealed(sealed) => RECORD_BYTES + sealed.bytes.len(),
            State::Granted | State::GivenUp => RECORD_BYTES,
        }
    }

    fn found(&self) -> Found {
        let state = match &self.state {
            // The owner is this process.
            State::Granted => rules::State::Granted { owner_lives: true },
            State::Sealed(sealed) => rules::State::Sealed(Some(sealed.outcome())),
            State::GivenUp => rules::State::GivenUp,
        };
        Found::Record { method: self.method, digest: self.digest, state }
    }
}

impl Table {
    pub(super) fn records(&self) -> usize {
        self.live.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn tombstones(&self) -> usize {
        self.tombstones.len()
    }

    /// What a peer has: records and bytes.
    #[cfg(test)]
    pub(super) fn taken_by(&mut self, peer: &str) -> (u64, u64) {
        let place = self.peers.place(&crate::operation::PeerKey::new(peer));
        let taken = self.peers.taken(place);
        (taken.records, taken.bytes)
    }

    #[cfg(test)]
    pub(super) fn fence(&self, key: &OperationKey) -> Fence {
        self.live.get(key).expect("it is there").fence
    }

    #[cfg(test)]
    pub(super) fn peers(&self) -> usize {
        self.peers.len()
    }

    #[cfg(test)]
    pub(super) fn principals(&self) -> usize {
        self.usage.len() + usize::from(self.anonymous.records > 0)
    }

    pub(super) fn admit(
        &mut self,
        operation: &NewOperation,
        now: SystemTime,
        limits: &StoreLimits,
    ) -> Result<Admission, StoreError> {
        let key = &operation.key;
        let horizon = limits.horizon(now);
        self.sweep(horizon);
        if key.id < horizon || limits.is_ahead(key.id, now) {
            return Ok(Admission::Expired);
        }
        let found = match self.find(key) {
            Some(found) => match rules::decide(operation, found) {
                Decision::Answer(admission) => return Ok(admission),
                Decision::GrantAnew => true,
            },
            None if self.floors.cover(key) => return Ok(Admission::Expired),
            None => match self.refusal(operation, limits) {
                Some(full) => return Err(full),
                None => false,
            },
        };
        self.fences += 1;
        let (fence, again) = (Fence(self.fences), found);
        let (method, digest) = (operation.method, operation.digest);
        let peer = operation.peer.as_ref().map(|peer| self.peers.place(peer));
        let record = Record { method, digest, fence, again, peer, state: State::Granted };
        self.insert(key.clone(), record);
        Ok(Admission::Granted(fence))
    }

    /// Makes an outcome final. Gives the one that was so before, if there is one.
    pub(super) fn seal(
        &mut self,
        key: &OperationKey,
        fence: Fence,
        bytes: impl Into<ShortBytes>,
        schema: Schema,
    ) -> Result<Option<Outcome>, StoreError> {
        let record = self.of_fence(key, fence)?;
        match &record.state {
            State::Sealed(first) => Ok(Some(first.outcome())),
            State::GivenUp => Err(StoreError::Fenced),
            State::Granted => {
                let bytes = bytes.into();
                let (len, peer) = (bytes.len(), record.peer);
                record.state = State::Sealed(Sealed { bytes, schema });
                self.bytes += len;
                self.count(&key.principal, peer, |taken| taken.bytes += len as u64);
                Ok(None)
            }
        }
    }

    pub(super) fn release(&mut self, key: &OperationKey, fence: Fence) -> Result<(), StoreError> {
        let record = self.of_fence(key, fence)?;
        match record.state {
            State::Granted if record.again => record.state = State::GivenUp,
            State::Granted => self.remove(key),
            State::Sealed(_) | State::GivenUp => return Err(StoreError::Fenced),
        }
        Ok(())
    }

    pub(super) fn give_up(&mut self, key: &OperationKey, fence: Fence) -> Result<Option<Outcome>, StoreError> {
        let record = self.of_fence(key, fence)?;
        match &record.state {
            State::Sealed(sealed) => Ok(Some(sealed.outcome())),
            State::Granted | State::GivenUp => {
                record.state = State::GivenUp;
                Ok(None)
            }
        }
    }

    /// As [`Self::acknowledge`], and leaves no tombstone.
    pub(super) fn forget(&mut self, key: &OperationKey) {
        match self.live.get(key).map(|record| &record.state) {
            None | Some(State::Granted) => {}
            Some(State::Sealed(_) | State::GivenUp) => self.remove(key),
        }
    }

    pub(super) fn acknowledge(&mut self, key: &OperationKey, limits: &StoreLimits) {
        match self.live.get(key).map(|record| &record.state) {
            None | Some(State::Granted) => return,
            Some(State::Sealed(_) | State::GivenUp) => {}
        }
        self.remove(key);
        self.tombstones.insert(key.clone(), ());
        while self.tombstones.len() > limits.max_tombstones
            && let Some((oldest, ())) = self.tombstones.pop_first()
        {
            self.floors.forget(oldest, limits.max_floors);
        }
    }

    fn find(&self, key: &OperationKey) -> Option<Found> {
        let live = self.live.get(key).map(Record::found);
        live.or_else(|| self.tombstones.contains_key(key).then_some(Found::Acknowledged))
    }

    /// The record of this admission.
    fn of_fence(&mut self, key: &OperationKey, fence: Fence) -> Result<&mut Record, StoreError> {
        self.live.get_mut(key).filter(|record| record.fence == fence).ok_or(StoreError::Fenced)
    }

    /// Why there is no room for another record.
    fn refusal(&mut self, operation: &NewOperation, limits: &StoreLimits) -> Option<StoreError> {
        let principal = &operation.key.principal;
        let of_principal = match principal.is_anonymous() {
            true => self.anonymous,
            false => self.usage.get(principal).copied().unwrap_or_default(),
        };
        let peer = operation.peer.as_ref().map(|key| {
            let place = self.peers.place(key);
            (key, *self.peers.taken(place))
        });
        let all = Taken { records: self.live.len() as u64, bytes: self.bytes as u64 };
        limits.refusal(RECORD_BYTES as u64, all, (principal, of_principal), peer)
    }

    /// Changes what a principal takes and, where its peer is known, what that takes.
    fn count(&mut self, principal: &Principal, peer: Option<Place>, change: impl Fn(&mut Taken)) {
        if let Some(place) = peer {
            change(self.peers.taken(place));
        }
        if principal.is_anonymous() {
            return change(&mut self.anonymous);
        }
        let taken = self.usage.entry(principal.clone()).or_default();
        change(taken);
        if taken.records == 0 {
            self.usage.remove(principal);
        }
    }

    fn insert(&mut self, key: OperationKey, record: Record) {
        let bytes = record.bytes();
        self.bytes += bytes;
        self.count(&key.principal, record.peer, |taken| {
            taken.records += 1;
            taken.bytes += bytes as u64;
        });
        if let Some(before) = self.live.insert(key.clone(), record) {
            self.discharge(&key, &before);
        }
    }

    fn remove(&mut self, key: &OperationKey) {
        if let Some(record) = self.live.remove(key) {
            self.discharge(key, &record);
        }
    }

    /// A record is there no longer.
    fn discharge(&mut self, key: &OperationKey, record: &Record) {
        let bytes = record.bytes();
        self.bytes -= bytes;
        self.count(&key.principal, record.peer, |taken| {
            taken.records -= 1;
            taken.bytes -= bytes as u64;
        });
    }

    /// Forgets a few of those below the horizon. What still runs stays: its end is to be recorded.
    fn sweep(&mut self, horizon: OperationId) {
        for _ in 0..SWEEP {
            match self.tombstones.first() {
                Some((oldest, ())) if oldest.id < horizon => {
                    self.floors.forget_expired(oldest.id);
                    self.tombstones.pop_first();
                }
                _ => break,
            }
        }
        for _ in 0..SWEEP {
            let next = self.live.above(self.swept.as_ref());
            let Some((key, record)) = next.filter(|(key, _)| key.id < horizon) else {
                self.swept = None;
                break;
            };
            let (key, runs) = (key.clone(), matches!(record.state, State::Granted));
            if !runs {
                self.floors.forget_expired(key.id);
                self.remove(&key);
            }
            self.swept = Some(key);
        }
    }
}
