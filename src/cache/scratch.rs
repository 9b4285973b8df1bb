//! What one request knows by itself.
//!
//! Knows: what it has learned, and which names' stamps it has read. Does not know: what others know.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::blocks::Place;
use super::entry::{ALL_TYPES, Entry, Key};
use super::stamps::Stamp;
use crate::dnssec::Trust;
use crate::rrset::RrType;
use crate::wire::Name;
use crate::world::lock;

/// Entries that one request keeps for itself; its budget allows far fewer.
pub const SCRATCH_ENTRIES: usize = 1_024;

/// Names that one answer may rest on; a chain of sixteen hops rests on about forty.
pub const MAX_READS: usize = 64;

/// What an answer from the cache rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rested {
    /// Of every name that was consulted, found or not.
    pub stamps: Vec<Stamp>,
    /// Of every entry that was found.
    pub places: Vec<Place>,
}

/// What the look-ups of one request have met.
#[derive(Debug, Default)]
pub(super) struct Reads {
    rested: Rested,
    too_many: bool,
}

impl Reads {
    pub(super) fn consulted(&mut self, stamp: Stamp) {
        let Reads { rested: Rested { stamps, .. }, too_many } = self;
        *too_many |= !note(stamps, stamp);
    }

    pub(super) fn found(&mut self, place: Place) {
        let Reads { rested: Rested { places, .. }, too_many } = self;
        *too_many |= !note(places, place);
    }

    /// All of it, unless it was too much to keep; nothing is left here.
    fn take(&mut self) -> Option<Rested> {
        (!self.too_many).then(|| std::mem::take(&mut self.rested))
    }
}

/// `false`: there is no room for one more.
fn note<T: PartialEq>(all: &mut Vec<T>, one: T) -> bool {
    if all.contains(&one) {
        return true;
    }
    let room = all.len() < MAX_READS;
    if room {
        all.push(one);
    }
    room
}

/// What one request has learned itself: also what may not be cached (TTL 0, R38) or was refused by
/// a full cache. And, for who wants to keep its answer, what it has read of the cache.
#[derive(Default, Debug)]
pub struct Scratch {
    /// By which rules it is learned ([`super::Cache::era`]).
    pub(super) era: u64,
    known: Mutex<HashMap<Key, Arc<Entry>>>,
    /// Verdicts on zones that are of no use to others: of its own limits, or without life. As many as its budget
    /// allows ([`crate::budget::VERDICTS`]).
    verdicts: Mutex<HashMap<Name, Trust>>,
    pub(super) reads: Option<Mutex<Reads>>,
}

impl Scratch {
    /// One that notes what is read, or not.
    pub fn new(era: u64, noting_reads: bool) -> Scratch {
        Scratch { era, reads: noting_reads.then(Mutex::default), ..Scratch::default() }
    }

    /// What the answer rests on, when it rests on the cache alone: all of it, and few enough to keep.
    /// To be taken once.
    pub fn rested(&self) -> Option<Rested> {
        let mut reads = lock(self.reads.as_ref()?);
        if lock(&self.known).is_empty() { reads.take() } else { None }
    }

    /// What this request thinks of a zone by itself.
    pub fn verdict(&self, zone: &Name) -> Option<Trust> {
        lock(&self.verdicts).get(zone).cloned()
    }

    /// Keeps a verdict that nobody else is to have.
    pub fn hold_verdict(&self, zone: &Name, trust: &Trust) {
        lock(&self.verdicts).insert(zone.clone(), trust.clone());
    }

    /// Zones are to be judged again: something else was learned, or may be.
    pub fn forget_verdicts(&self) {
        lock(&self.verdicts).clear();
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<Entry>> {
        lock(&self.known).get(key).cloned()
    }

    /// Is what is known of these types of `name` what everybody knows?
    pub(super) fn knows_none_of(&self, name: &Name, types: [RrType; 3]) -> bool {
        let known = lock(&self.known);
        known.is_empty() || types.into_iter().all(|rtype| !known.contains_key(&Key::new(name, rtype)))
    }

    /// Has this request been told that some name does not exist, which may have been for itself only?
    pub(super) fn knows_denials(&self) -> bool {
        lock(&self.known).keys().any(|key| key.rtype == ALL_TYPES)
    }

    pub(super) fn put(&self, key: Key, entry: Entry) {
        let mut map = lock(&self.known);
        if map.len() < SCRATCH_ENTRIES {
            map.insert(key, Arc::new(entry));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_reads_are_none() {
        let mut reads = Reads::default();
        for slot in 0..MAX_READS as u32 {
            reads.consulted(Stamp { slot, value: 0 });
            reads.consulted(Stamp { slot, value: 0 });
        }
        assert!(!reads.too_many && reads.rested.stamps.len() == MAX_READS);
        reads.consulted(Stamp { slot: 9_999, value: 0 });
        assert_eq!(reads.take(), None);
    }
}
