//! The shares of peers that are not authenticated.

use std::collections::BTreeMap;

use crate::operation::PeerKey;
use crate::store::limits::Taken;

/// The peers that have records, and some that had.
#[derive(Clone, Default)]
pub(super) struct Peers {
    slots: Vec<Slot>,
    places: BTreeMap<PeerKey, Place>,
    free: Vec<Place>,
    /// The one that came last: it often is the next one too.
    last: usize,
    /// When there are so many, those that have nothing go.
    tidy_at: usize,
}

#[derive(Clone)]
struct Slot {
    key: PeerKey,
    taken: Taken,
}

/// Where a peer is counted, as long as it has a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(u32);

/// The least number of peers that are tidied.
const FEW: usize = 64;

impl Peers {
    /// Where this one is counted.
    pub(super) fn place(&mut self, key: &PeerKey) -> Place {
        if self.slots.get(self.last).is_some_and(|slot| slot.key.is(key)) {
            return Place(self.last as u32);
        }
        let place = self.places.get(key).copied().unwrap_or_else(|| self.enter(key));
        self.last = place.0 as usize;
        // The same words may be another's copy of them by now.
        self.slots[self.last].key = key.clone();
        place
    }

    fn enter(&mut self, key: &PeerKey) -> Place {
        if self.places.len() >= self.tidy_at {
            let Self { slots, places, free, .. } = self;
            places.retain(|_, place| {
                let stays = slots[place.0 as usize].taken.records > 0;
                if !stays {
                    free.push(*place);
                }
                stays
            });
            self.tidy_at = 2 * self.places.len() + FEW;
        }
        let slot = Slot { key: key.clone(), taken: Taken::default() };
        let place = match self.free.pop() {
            Some(place) => {
                self.slots[place.0 as usize] = slot;
                place
            }
            None => {
                self.slots.push(slot);
                Place(u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX))
            }
        };
        self.places.insert(key.clone(), place);
        place
    }

    pub(super) fn taken(&mut self, place: Place) -> &mut Taken {
        &mut self.slots[place.0 as usize].taken
    }

    /// How many are kept.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }
}
