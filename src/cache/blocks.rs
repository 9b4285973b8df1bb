//! Blocks of octets by whose they are, in one moka cache.
//!
//! moka keeps each key in an allocation of its own. So the key is a hash of whose it is, seeded by std, and
//! the block itself says that too: two under one hash (one pair in 2^64, which nobody can look for without
//! the seed) push each other out, and neither is taken for the other.
//!
//! Knows: hashes, what a block takes. Does not know: what is in it (`packed`), what may replace what.

use std::hash::{BuildHasher as _, BuildHasherDefault, Hasher, RandomState};
use std::sync::Arc;

use moka::policy::EvictionPolicy;

use crate::wire::name::MAX_NAME;

/// What moka takes for an entry beside the block, measured (docs/measurements.md).
pub(super) const OVERHEAD: u32 = 256;

/// Octets before what an `Arc` shares.
const REFERENCE_COUNTS: usize = 16;

/// Where a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(pub u64);

/// The hash of what is a seeded hash already.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn write(&mut self, octets: &[u8]) {
        // Not so for a u64.
        octets.iter().for_each(|octet| self.0 = self.0.rotate_left(8) ^ u64::from(*octet));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Blocks, at most so many octets of them.
pub(super) struct Blocks {
    cache: moka::sync::Cache<u64, Arc<[u8]>, BuildHasherDefault<AsIs>>,
    seed: RandomState,
    /// Half of the octets that there is room for.
    half: u64,
}

impl Blocks {
    pub(super) fn new(octets: u64, policy: EvictionPolicy) -> Blocks {
        let cache = moka::sync::Cache::builder()
            .max_capacity(octets)
            .weigher(|_: &u64, block: &Arc<[u8]>| OVERHEAD.saturating_add(allocated(block.len())))
            .eviction_policy(policy)
            .build_with_hasher(BuildHasherDefault::default());
        Blocks { cache, seed: RandomState::new(), half: octets / 2 }
    }

    /// Where the block of `name`, in wire form and of any case, and `kind` is, if it is.
    pub(super) fn place(&self, name: &[u8], kind: u16) -> Place {
        let mut lower = [0; MAX_NAME];
        let mut hasher = self.seed.build_hasher();
        if let Some(lower) = lower.get_mut(..name.len()) {
            lower.copy_from_slice(name);
            lower.make_ascii_lowercase();
            hasher.write(lower);
        }
        hasher.write_u16(kind);
        Place(hasher.finish())
    }

    /// Does it matter which of them are used? moka drops nothing before it is full, and counts uses from half
    /// full on (0.12.16, `should_enable_frequency_sketch`). Before, it would note only their order, and until it
    /// is full all that are in use have their turn again.
    pub(super) fn minds_use(&self) -> bool {
        self.cache.weighted_size() >= self.half
    }

    /// Whatever is there; it counts as used.
    pub(super) fn get(&self, place: Place) -> Option<Arc<[u8]>> {
        self.cache.get(&place.0)
    }

    /// In place of what was there.
    pub(super) fn insert(&self, place: Place, block: Arc<[u8]>) {
        self.cache.insert(place.0, block);
    }

    /// Was there anything?
    pub(super) fn remove(&self, place: Place) -> bool {
        self.cache.remove(&place.0).is_some()
    }

    pub(super) fn clear(&self) {
        self.cache.invalidate_all();
    }

    /// All of them, in no order; not for a thread that serves.
    pub(super) fn iter(&self) -> impl Iterator<Item = Arc<[u8]>> {
        self.cache.iter().map(|(_, block)| block)
    }
}

/// What so many octets take behind a reference count: the size classes of jemalloc, which are multiples of
/// 16 up to 128 and then four between one power of two and the next.
pub(super) fn allocated(octets: usize) -> u32 {
    let octets = octets.saturating_add(REFERENCE_COUNTS);
    let apart = (octets.next_power_of_two() / 8).max(16);
    u32::try_from(octets.next_multiple_of(apart)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn use_matters_from_half_full_on() {
        const EACH: u64 = 512; // with `OVERHEAD`
        let blocks = Blocks::new(10 * EACH, EvictionPolicy::tiny_lfu());
        let mut minded = Vec::new();
        for number in 0..7 {
            blocks.insert(Place(number), Arc::from(vec![0; 240]));
            blocks.cache.run_pending_tasks();
            minded.push(blocks.minds_use());
        }
        assert_eq!(minded, [false, false, false, false, true, true, true]);
    }

    #[test]
    fn size_classes() {
        let asked = [1, 80, 112, 113, 144, 240, 241, 1_000, 1_100, 5_000];
        let given = [32, 96, 128, 160, 160, 256, 320, 1_024, 1_280, 5_120];
        assert_eq!(asked.map(allocated), given);
    }
}
