//! What one request knows by itself.
//!
//! Knows: what it has learned, and which names' stamps it has read. Does not know: what others know.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::entry::{ALL_TYPES, Entry, Key};
use super::stamps::{Reads, Stamp};
use crate::world::lock;

/// Entries that one request keeps for itself; its budget allows far fewer.
pub const SCRATCH_ENTRIES: usize = 1_024;

/// What one request has learned itself: also what may not be cached (TTL 0, R38) or was refused by
/// a full cache. And, for who wants to keep its answer, what it has read of the cache.
#[derive(Default, Debug)]
pub struct Scratch {
    known: Mutex<HashMap<Key, Arc<Entry>>>,
    pub(super) reads: Option<Mutex<Reads>>,
}

impl Scratch {
    /// One that notes what is read.
    pub fn noting_reads() -> Scratch {
        Scratch { known: Mutex::default(), reads: Some(Mutex::default()) }
    }

    /// What the answer rests on, when it rests on the cache alone: all of it, and few enough to keep.
    pub fn reads(&self) -> Option<Vec<Stamp>> {
        let reads = lock(self.reads.as_ref()?);
        if lock(&self.known).is_empty() { reads.all().map(<[Stamp]>::to_vec) } else { None }
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<Entry>> {
        lock(&self.known).get(key).cloned()
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
