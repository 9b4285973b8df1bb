//! Entries by whose they are, each in one block.
//!
//! Knows: where an entry is, and its clock's beginning. Does not know: what may replace what (`rrsets`).

use moka::policy::EvictionPolicy;
use tokio::time::Instant;

use super::blocks::{Blocks, Place};
use super::entry::{Entry, Key, Terms};
use super::packed::Packed;
use crate::rrset::RrType;
use crate::wire::Name;

/// Entries, at most so many octets of them.
pub(super) struct Store {
    blocks: Blocks,
    /// Of what the entries' clocks show.
    base: Instant,
}

impl Store {
    pub(super) fn new(octets: u64) -> Store {
        Store { blocks: Blocks::new(octets, EvictionPolicy::tiny_lfu()), base: Instant::now() }
    }

    /// Where an entry is, if it is.
    pub(super) fn place(&self, name: &Name, rtype: RrType) -> Place {
        self.blocks.place(name.as_wire(), rtype.0)
    }

    fn find(&self, place: Place, name: &Name, rtype: RrType) -> Option<Packed> {
        self.blocks.get(place).map(Packed).filter(|packed| packed.belongs_to(name, rtype))
    }

    pub(super) fn get(&self, place: Place, name: &Name, rtype: RrType) -> Option<Entry> {
        self.find(place, name, rtype)?.unpack(self.base).map(|(_, entry)| entry)
    }

    /// What is there is in use. `false`: nobody needs to know yet.
    pub(super) fn touch(&self, places: impl Iterator<Item = Place>) -> bool {
        let minds = self.blocks.minds_use();
        if minds {
            places.for_each(|place| drop(self.blocks.get(place)));
        }
        minds
    }

    pub(super) fn terms(&self, name: &Name, rtype: RrType) -> Option<Terms> {
        self.find(self.place(name, rtype), name, rtype)?.terms(self.base)
    }

    /// In place of what was there.
    pub(super) fn insert(&self, key: &Key, entry: &Entry) {
        if let Some(Packed(block)) = Packed::pack(key, entry, self.base) {
            self.blocks.insert(self.place(&key.name, key.rtype), block);
        }
    }

    /// Was there anything?
    pub(super) fn remove(&self, name: &Name, rtype: RrType) -> bool {
        self.blocks.remove(self.place(name, rtype))
    }

    pub(super) fn clear(&self) {
        self.blocks.clear();
    }

    /// All of it, in no order; not for a thread that serves.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, Entry)> {
        self.blocks.iter().filter_map(|block| Packed(block).unpack(self.base))
    }
}
