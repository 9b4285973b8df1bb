//! Failed resolutions (RFC 9520): what failed is not tried again at once.
//!
//! Knows: one entry per name and type, first for 5 s, doubling to 300 s, or to 20 s where nobody was heard; an
//! alias loop's entry never outlives the shortest TTL in it (R23). Does not know: why. Shown by:
//! `tests/scenarios/r23_*`.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::stamps::Stamps;
use crate::failure::Failure;
use crate::rrset::RrType;
use crate::wire::Name;

/// First life of a failure (RFC 9520 §3.2: at least 1 s).
pub const FIRST: Duration = Duration::from_secs(5);
/// Longest life of a failure (RFC 9520 §3.2: at most 5 minutes).
pub const LONGEST: Duration = Duration::from_secs(300);
/// The same where nobody was heard: it may be the network, and is over when that is back.
pub const LONGEST_UNHEARD: Duration = Duration::from_secs(20);
/// Shortest life of a failure, also of a loop with TTL 0.
pub const SHORTEST: Duration = Duration::from_secs(1);

#[derive(Clone)]
struct Entry {
    failure: Arc<Failure>,
    until: Instant,
    life: Duration,
}

/// Failures by name and type.
pub struct Failures {
    cache: moka::sync::Cache<(Name, RrType), Entry>,
    stamps: Arc<Stamps>,
}

impl Failures {
    /// At most so many octets.
    pub fn new(octets: u64, stamps: Arc<Stamps>) -> Failures {
        let cache = super::lru(octets, |key: &(Name, RrType), _: &Entry| {
            super::ENTRY_OVERHEAD
                + key.0.len() as u32
                + (size_of::<Entry>() + size_of::<Failure>()) as u32
                + 256
        });
        Failures { cache, stamps }
    }

    /// The failure that still stands.
    pub fn get(&self, name: &Name, rtype: RrType, now: Instant) -> Option<Arc<Failure>> {
        if self.stamps.of(name, false).is_blank() {
            return None;
        }
        self.cache.get(&(name.clone(), rtype)).filter(|e| now < e.until).map(|e| e.failure)
    }

    /// For how long it still stands.
    pub fn left(&self, name: &Name, rtype: RrType, now: Instant) -> Option<Duration> {
        if self.stamps.of(name, false).is_blank() {
            return None;
        }
        let entry = self.cache.get(&(name.clone(), rtype)).filter(|e| now < e.until)?;
        Some(entry.until.duration_since(now))
    }

    /// Remembers for so long what says little of the name: that it is waited for in vain, or that this machine has no
    /// network. The next failure lasts no longer for it.
    pub fn hold(&self, name: &Name, rtype: RrType, failure: &Arc<Failure>, lasting: Duration, now: Instant) {
        let key = (name.clone(), rtype);
        let last = self.cache.get(&key).filter(|e| now < e.until + LONGEST);
        let life = last.map_or(FIRST / 2, |e| e.life);
        self.cache.insert(key, Entry { failure: Arc::clone(failure), until: now + lasting, life });
        self.stamps.change(name, false);
    }

    /// Remembers a failure for twice as long as the last time, at most `bound`.
    pub fn store(
        &self,
        name: &Name,
        rtype: RrType,
        failure: &Arc<Failure>,
        bound: Option<Duration>,
        now: Instant,
    ) {
        let key = (name.clone(), rtype);
        let longest = if failure.is_unheard() { LONGEST_UNHEARD } else { LONGEST };
        // An entry that died long ago says nothing about now.
        let last = self.cache.get(&key).filter(|e| now < e.until + LONGEST);
        let life = last.map_or(FIRST, |e| (e.life * 2).min(longest));
        let shown = bound.map_or(life, |b| life.min(b.max(SHORTEST)));
        self.cache.insert(key, Entry { failure: Arc::clone(failure), until: now + shown, life });
        self.stamps.change(name, false);
    }

    /// The name resolved after all.
    pub fn forget(&self, name: &Name, rtype: RrType) {
        if !self.stamps.of(name, false).is_blank() {
            self.cache.invalidate(&(name.clone(), rtype));
        }
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.cache.invalidate_all();
    }
}
