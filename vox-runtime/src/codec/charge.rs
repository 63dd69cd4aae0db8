//! The charge for decoding a value: the memory that is allocated for it, at its peak.
//!
//! Both ends compute these from the plan and the bytes alone, so that a sender with equal types knows what its receiver
//! will be charged. Each number is at least what the standard library allocates, and computed before it does.

/// The most memory that is allocated before any of it is filled.
const FIRST_ALLOCATION: usize = 1 << 20;

/// What an item costs that takes no bytes on the wire: it is charged for the work.
pub(super) const EMPTY_ITEM: usize = 64;

/// What an owner with reference counts takes beside its content.
const COUNTS: usize = 2 * size_of::<usize>();
/// The same of bytes, which are filled up to whole words.
pub(super) const COUNTED: usize = COUNTS + size_of::<usize>() - 1;

/// How a row of items grows: from `first` by doubling until it has room for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Growth {
    pub(super) first: usize,
    doublings: u32,
}

impl Growth {
    /// The growth to `len` items of `size` bytes. It ends with room for as few more as the doubling allows.
    pub(super) fn to(len: usize, size: usize) -> Self {
        let most = (FIRST_ALLOCATION / size.max(1)).max(1);
        let mut growth = Self { first: len, doublings: 0 };
        while growth.first > most {
            growth.doublings += 1;
            growth.first = len.div_ceil(1 << growth.doublings);
        }
        growth
    }

    /// The bytes that are allocated at the end, and those that are given back in the last doubling.
    fn peak(self, size: usize) -> (usize, usize) {
        let end = self.first.saturating_mul(1 << self.doublings).saturating_mul(size);
        (end, if self.doublings == 0 { 0 } else { end / 2 })
    }
}

/// A list of `len` items of `size` bytes, which grows while it is filled.
pub(super) fn list(len: usize, size: usize) -> usize {
    let (end, before) = Growth::to(len, size).peak(size);
    end.saturating_add(before)
}

/// An `Rc` or `Arc`: its content is made elsewhere first.
pub(super) fn shared(size: usize) -> usize {
    counted(size).saturating_add(size)
}

/// A block of so many bytes with its counts before it, in whole words.
pub(super) fn counted(size: usize) -> usize {
    size.saturating_add(COUNTS).checked_next_multiple_of(size_of::<usize>()).unwrap_or(usize::MAX)
}

/// An `Rc` or `Arc` of a slice: its items are collected first, and put into a list that grows by doubling.
pub(super) fn shared_slice(len: usize, size: usize) -> usize {
    let collected = len.max(8).saturating_mul(size).saturating_mul(3);
    list(len, size).saturating_add(collected).saturating_add(COUNTS + 2 * size_of::<usize>())
}

/// A hash map: its pairs are collected first.
pub(super) fn hash_map(len: usize, pair: usize) -> usize {
    let (end, before) = Growth::to(len, pair).peak(pair);
    end.saturating_add(before.max(table(len, pair)))
}

/// A hash set, which grows while it is filled, and an item on its way there.
pub(super) fn hash_set(len: usize, size: usize) -> usize {
    let end = table(len, size);
    let before = if Growth::to(len, size).doublings == 0 { 0 } else { end / 2 };
    if len == 0 { 0 } else { end.saturating_add(before).saturating_add(size) }
}

/// A B-tree of `len` keys and values, and one of each on its way there.
pub(super) fn tree(len: usize, key: usize, value: usize) -> usize {
    if len == 0 {
        return 0;
    }
    let entry = key.saturating_add(value);
    let leaf = entry.saturating_mul(CAPACITY).saturating_add(NODE);
    // All nodes but the root are at least half full, with the keys between them in the nodes above.
    let mut nodes = if len <= CAPACITY { 1 } else { len.div_ceil(HALF) };
    let mut sum = leaf.saturating_mul(nodes);
    while nodes > 1 {
        nodes /= HALF;
        sum = sum.saturating_add((leaf + EDGES).saturating_mul(nodes.max(1)));
    }
    sum.saturating_add(entry)
}

/// The entries of a full node, and those of one that is half full with the key above it.
const CAPACITY: usize = 11;
const HALF: usize = 6;
/// What a node has beside its entries, and an inner one beside that.
const NODE: usize = 32;
const EDGES: usize = (CAPACITY + 1) * size_of::<usize>();

/// The table of a hash map or set that has room for `len` entries of `size` bytes: a power of two of them, of which an
/// eighth stays free, a byte for each, and some more.
fn table(len: usize, size: usize) -> usize {
    if len == 0 {
        return 0;
    }
    let fewest = match size {
        0..=1 => 14,
        2..=3 => 7,
        _ => 3,
    };
    let buckets = match len.max(fewest) {
        0..4 => 4,
        4..8 => 8,
        8..15 => 16,
        many => (many.saturating_mul(8) / 7).checked_next_power_of_two().unwrap_or(usize::MAX),
    };
    buckets.saturating_mul(size.saturating_add(1)).saturating_add(2 * 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_grows_by_doubling_and_ends_close_to_its_length() {
        assert_eq!(Growth::to(10, 8), Growth { first: 10, doublings: 0 });
        assert_eq!(list(10, 8), 80);
        let len = (3 << 20) / 8 + 1;
        let growth = Growth::to(len, 8);
        assert!(growth.first * 8 <= FIRST_ALLOCATION);
        let end = growth.first << growth.doublings;
        assert!((len..len + 4).contains(&end), "{end}");
        assert_eq!(list(len, 8), end * 12);
        assert_eq!(Growth::to(3, 2 << 20), Growth { first: 1, doublings: 2 });
        assert_eq!(list(usize::MAX, 8), usize::MAX);
        assert_eq!(list(1 << 20, 0), 0);
    }

    #[test]
    fn what_is_counted_takes_whole_words() {
        assert_eq!([1, 8, 9].map(counted), [24, 24, 32]);
        assert_eq!([shared(1), shared(16), shared(usize::MAX)], [25, 48, usize::MAX]);
    }

    #[test]
    fn empty_collections_cost_nothing() {
        assert_eq!([list(0, 9), hash_map(0, 9), hash_set(0, 9), tree(0, 9, 9)], [0; 4]);
    }
}
