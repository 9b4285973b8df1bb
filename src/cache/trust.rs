//! Verdicts on zones: their proven keys, or that they have none. Checked once per TTL, not per
//! answer.

use tokio::time::Instant;

use crate::dnssec::Trust;
use crate::wire::Name;

/// Verdicts by zone.
pub struct Trusts(moka::sync::Cache<Name, (Trust, Instant)>);

impl Trusts {
    /// At most so many octets.
    pub fn new(octets: u64) -> Trusts {
        Trusts(super::lru(octets, |name: &Name, (trust, _): &(Trust, Instant)| {
            super::ENTRY_OVERHEAD.saturating_add(name.len() as u32).saturating_add(trust.octets())
        }))
    }

    /// The verdict that still stands.
    pub fn get(&self, zone: &Name, now: Instant) -> Option<Trust> {
        self.0.get(zone).filter(|(_, until)| now < *until).map(|(trust, _)| trust)
    }

    /// Remembers a verdict.
    pub fn store(&self, zone: &Name, trust: &Trust, until: Instant) {
        self.0.insert(zone.clone(), (trust.clone(), until));
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.0.invalidate_all();
    }
}
