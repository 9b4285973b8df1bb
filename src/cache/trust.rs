//! Verdicts on zones: their proven keys, or that they have none. Checked once per TTL, not per
//! answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::Instant;

use super::stamps::Stamps;
use crate::dnssec::{Reason, Trust};
use crate::wire::Name;

/// Verdicts by zone.
pub struct Trusts {
    zones: moka::sync::Cache<Name, (Trust, Instant)>,
    /// Was a zone ever insecure for what is not supported? Only then is it worth looking for one.
    has_unsupported: AtomicBool,
    stamps: Arc<Stamps>,
}

impl Trusts {
    /// At most so many octets.
    pub fn new(octets: u64, stamps: Arc<Stamps>) -> Trusts {
        let zones = super::lru(octets, |name: &Name, (trust, _): &(Trust, Instant)| {
            super::ENTRY_OVERHEAD.saturating_add(name.len() as u32).saturating_add(trust.octets())
        });
        Trusts { zones, has_unsupported: AtomicBool::new(false), stamps }
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
        let is_unsupported = matches!(trust, Trust::Insecure(Some(_)));
        if is_unsupported {
            self.has_unsupported.store(true, Ordering::Relaxed);
        }
        self.zones.insert(zone.clone(), (trust.clone(), until));
        if is_unsupported {
            // Answers from there are told with that from now on.
            self.stamps.change(zone, true);
        }
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.zones.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn answers_from_below_what_is_not_supported_are_made_anew() {
        let stamps = Arc::<Stamps>::default();
        let trusts = Trusts::new(1 << 20, Arc::clone(&stamps));
        let (zone, until): (Name, _) = ("alpha.".parse().unwrap(), Instant::now() + Duration::from_secs(9));
        let before = stamps.of(&zone, true);
        trusts.store(&zone, &Trust::Insecure(None), until);
        assert!(stamps.stands(before));
        trusts.store(&zone, &Trust::Insecure(Some(Reason::UnsupportedDigest)), until);
        assert!(!stamps.stands(before));
    }
}
