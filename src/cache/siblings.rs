//! Addresses that a parent tells along with one zone, for its other zones with the same server.
//!
//! Knows: who told an address of a name server, and for how long it is good (docs/decisions/0012). Does
//! not know: whether what told it was hard to forge (`upstream`), what a server is asked. Shown by: the
//! tests below, `tests/scenarios/walk_sibling_glue_*`.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::time::Instant;

use super::cuts::{Cut, CutKind};
use crate::wire::Name;

/// Addresses of a name server, told by the zone above it in the delegation of another zone.
#[derive(Debug)]
struct Sibling {
    /// Whose servers told them.
    above: Name,
    glue: Vec<IpAddr>,
    expires: Instant,
}

/// By name server.
pub struct Siblings(moka::sync::Cache<Name, Arc<Sibling>>);

impl Siblings {
    /// At most so many octets.
    pub fn new(octets: u64) -> Siblings {
        Siblings(super::lru(octets, |name: &Name, told: &Arc<Sibling>| {
            let octets = size_of::<Sibling>() + name.len() + told.above.len() + 17 * told.glue.len();
            super::ENTRY_OVERHEAD.saturating_add(octets as u32)
        }))
    }

    /// Remembers the glue of `cut`, a delegation that `above`'s servers gave, for other zones with the same
    /// servers. As long as something is known of a server it stays: who forges the next referral comes too late.
    pub fn tell(&self, cut: &Cut, above: &Cut, now: Instant) {
        if above.kind != CutKind::Delegated {
            return;
        }
        for server in cut.servers.iter().filter(|s| !s.glue.is_empty() && !s.name.is_at_or_below(&cut.zone)) {
            if self.0.get(&server.name).is_none_or(|told| told.expires <= now) {
                let (above, glue) = (above.zone.clone(), server.glue.clone());
                let told = Sibling { above, glue, expires: cut.expires };
                self.0.insert(server.name.clone(), Arc::new(told));
            }
        }
    }

    /// Addresses of a name server, `closest` being the cut nearest above it: as its own servers would refer to.
    pub fn of(&self, server: &Name, closest: &Cut, now: Instant) -> Option<Vec<IpAddr>> {
        let told = self.0.get(server)?;
        let holds = now < told.expires && told.above == closest.zone && closest.kind == CutKind::Delegated;
        holds.then(|| told.glue.clone())
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.0.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::trust::scrub::{NameServer, Proof, Referral};

    const HOUR: Duration = Duration::from_secs(3600);

    fn referral(zone: &str, ttl: u32, glue: &str) -> Referral {
        let glue = vec![glue.parse().unwrap()];
        let server = NameServer { name: "ns.provider.other.".parse().unwrap(), glue, hearsay: Vec::new() };
        let (ds, proof) = (None, Proof::default());
        Referral { zone: zone.parse().unwrap(), ttl, servers: vec![server], ds, proof, guarded: true }
    }

    #[test]
    fn siblings_hold_for_the_zone_that_told_them_and_no_longer_than_told() {
        let (siblings, now) = (Siblings::new(1 << 20), Instant::now());
        let above = Cut::configured("other.".parse().unwrap(), CutKind::Delegated, Vec::new(), now + HOUR);
        let server: Name = "ns.provider.other.".parse().unwrap();
        let own = Cut::delegated(referral("provider.other.", 300, "192.0.2.1"), &above, now);
        siblings.tell(&own, &above, now);
        assert_eq!(siblings.of(&server, &above, now), None, "glue of its own zone says where that is");
        let tell = |glue, at| {
            let cut = Cut::delegated(referral("a.other.", 300, glue), &above, at);
            siblings.tell(&cut, &above, at);
        };
        tell("192.0.2.2", now);
        tell("192.0.2.3", now);
        let told = |at| siblings.of(&server, &above, at).map(|glue| glue[0].to_string());
        assert_eq!(told(now).as_deref(), Some("192.0.2.2"), "the first stays");
        assert_eq!(siblings.of(&server, &own, now), None, "where a nearer cut is known, that counts");
        let later = now + Duration::from_secs(300);
        assert_eq!(told(later), None);
        tell("192.0.2.3", later);
        assert_eq!(told(later).as_deref(), Some("192.0.2.3"));
        siblings.clear();
        assert_eq!(told(later), None);
        for kind in [CutKind::Stub, CutKind::Forward] {
            let above = Cut::configured("other.".parse().unwrap(), kind, Vec::new(), now + HOUR);
            let cut = Cut::delegated(referral("a.other.", 300, "192.0.2.4"), &above, now);
            siblings.tell(&cut, &above, now);
            assert_eq!(told(now), None);
            tell("192.0.2.2", now);
            assert_eq!(siblings.of(&server, &above, now), None);
            siblings.clear();
        }
    }
}
