//! Entries by whose they are, in one moka cache.
//!
//! moka keeps each key in a block of its own. So the key is a hash of name and type, seeded by std, and
//! the entry itself says whose it is: two names under one hash (one pair in 2^64, which nobody can look for
//! without the seed) push each other out, and neither is taken for the other.
//!
//! Knows: hashes, what an entry takes. Does not know: what may replace what (`rrsets`).

use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};

use tokio::time::Instant;

use super::entry::{Entry, Key, Terms};
use super::packed::Packed;
use crate::rrset::RrType;
use crate::wire::Name;

/// What moka takes for an entry beside the block, measured (docs/measurements.md).
const OVERHEAD: u32 = 256;

/// Octets before what an `Arc` shares.
const REFERENCE_COUNTS: usize = 16;

/// Where an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(pub u64);

/// Entries, at most so many octets of them.
pub(super) struct Store {
    cache: moka::sync::Cache<u64, Packed>,
    seed: RandomState,
    /// Of what the entries' clocks show.
    base: Instant,
}

impl Store {
    pub(super) fn new(octets: u64) -> Store {
        let weigh = |_: &u64, packed: &Packed| OVERHEAD.saturating_add(allocated(packed.octets()));
        let cache = moka::sync::Cache::builder().max_capacity(octets).weigher(weigh).build();
        Store { cache, seed: RandomState::new(), base: Instant::now() }
    }

    /// Where an entry is, if it is.
    pub(super) fn place(&self, name: &Name, rtype: RrType) -> Place {
        let mut hasher = self.seed.build_hasher();
        name.hash(&mut hasher);
        rtype.hash(&mut hasher);
        Place(hasher.finish())
    }

    fn find(&self, place: Place, name: &Name, rtype: RrType) -> Option<Packed> {
        self.cache.get(&place.0).filter(|packed| packed.belongs_to(name, rtype))
    }

    pub(super) fn get(&self, place: Place, name: &Name, rtype: RrType) -> Option<Entry> {
        self.find(place, name, rtype)?.unpack(self.base).map(|(_, entry)| entry)
    }

    /// What is there is in use.
    pub(super) fn touch(&self, place: Place) {
        self.cache.get(&place.0);
    }

    pub(super) fn terms(&self, name: &Name, rtype: RrType) -> Option<Terms> {
        self.find(self.place(name, rtype), name, rtype)?.terms(self.base)
    }

    /// In place of what was there.
    pub(super) fn insert(&self, key: &Key, entry: &Entry) {
        if let Some(packed) = Packed::pack(key, entry, self.base) {
            self.cache.insert(self.place(&key.name, key.rtype).0, packed);
        }
    }

    /// Was there anything?
    pub(super) fn remove(&self, name: &Name, rtype: RrType) -> bool {
        self.cache.remove(&self.place(name, rtype).0).is_some()
    }

    pub(super) fn clear(&self) {
        self.cache.invalidate_all();
    }

    /// All of it, in no order; not for a thread that serves.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, Entry)> {
        self.cache.iter().filter_map(|(_, packed)| packed.unpack(self.base))
    }
}

/// What so many octets take behind a reference count: the size classes of jemalloc, which are multiples of
/// 16 up to 128 and then four between one power of two and the next.
fn allocated(octets: usize) -> u32 {
    let octets = octets.saturating_add(REFERENCE_COUNTS);
    let apart = (octets.next_power_of_two() / 8).max(16);
    u32::try_from(octets.next_multiple_of(apart)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_classes() {
        let asked = [1, 80, 112, 113, 144, 240, 241, 1_000, 1_100, 5_000];
        let given = [32, 96, 128, 160, 160, 256, 320, 1_024, 1_280, 5_120];
        assert_eq!(asked.map(allocated), given);
    }
}
