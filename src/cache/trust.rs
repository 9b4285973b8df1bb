//! Verdicts on zones: their proven keys, or that they have none. Checked once per TTL, not per
//! answer.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::Instant;

use crate::dnssec::{Reason, Trust};
use crate::wire::Name;

/// Verdicts by zone.
pub struct Trusts {
    zones: moka::sync::Cache<Name, (Trust, Instant)>,
    /// Was a zone ever insecure for what is not supported? Only then is it worth looking for one.
    has_unsupported: AtomicBool,
}

impl Trusts {
    /// At most so many octets.
    pub fn new(octets: u64) -> Trusts {
        let zones = super::lru(octets, |name: &Name, (trust, _): &(Trust, Instant)| {
            super::ENTRY_OVERHEAD.saturating_add(name.len() as u32).saturating_add(trust.octets())
        });
        Trusts { zones, has_unsupported: AtomicBool::new(false) }
    }

    /// The verdict that still stands.
    pub fn get(&self, zone: &Name, now: Instant) -> Option<Trust> {
        self.zones.get(zone).filter(|(_, until)| now < *until).map(|(trust, _)| trust)
    }

    /// The zone at or above `name` whose DS records are of no use here, for this reason, so that nothing
    /// below is proven.
    pub fn unsupported(&self, name: &Name, now: Instant) -> Option<(Name, Reason)> {
        if !self.has_unsupported.load(Ordering::Relaxed) {
            return None;
        }
        let zones = (0..=name.label_count()).rev().map(|labels| name.suffix(labels));
        zones.into_iter().find_map(|zone| match self.get(&zone, now) {
            Some(Trust::Insecure(Some(reason))) => Some((zone, reason)),
            _ => None,
        })
    }

    /// Remembers a verdict.
    pub fn store(&self, zone: &Name, trust: &Trust, until: Instant) {
        if let Trust::Insecure(Some(_)) = trust {
            self.has_unsupported.store(true, Ordering::Relaxed);
        }
        self.zones.insert(zone.clone(), (trust.clone(), until));
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.zones.invalidate_all();
    }
}
