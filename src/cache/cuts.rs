//! Zone cuts: who serves a zone, as its parent says.
//!
//! Knows: delegations from referrals, kept apart from NS RRsets that servers answer with (those are
//! in `rrsets`). A zone is reached by its parent's NS set, and a cut dies no later than the cut
//! above it: so a ghost domain dies with its parent's TTL, and a resold domain moves, whatever the
//! old servers say. An address that a parent tells along with one zone serves its other zones as well
//! (`Sibling`). Does not know: which server is good (`servers`). Shown by:
//! `tests/scenarios/walk_ghost_*`, `walk_resold_*`.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use crate::trust::scrub::{NameServer, Referral};
use crate::wire::Name;
use crate::world::lock;

/// A delegation without a usable server is not tried again for so long.
pub const UNREACHABLE_FOR: Duration = Duration::from_secs(5);
/// Longest life of a delegation, seconds: a week, as Unbound and BIND have it.
pub const MAX_TTL: u32 = 604_800;
/// One part in so many of the memory for delegations is for glue that several share.
const SHARE_OF_SIBLINGS: u64 = 8;

/// What kind of servers a cut has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutKind {
    /// Authoritative, found by referral, hints or priming.
    Delegated,
    /// Authoritative, named in `[[stub]]`.
    Stub,
    /// Recursive, named in `[[forward]]`.
    Forward,
}

/// A zone cut: the zone and its name servers.
#[derive(Debug)]
pub struct Cut {
    /// The zone's apex.
    pub zone: Name,
    /// How its servers are asked.
    pub kind: CutKind,
    /// By name, with glue; empty for configured servers.
    pub servers: Vec<NameServer>,
    /// Configured addresses (hints, stub and forward zones): asked also on loopback.
    pub addresses: Vec<SocketAddr>,
    /// Dead from then on.
    pub expires: Instant,
    unreachable_until: Mutex<Option<Instant>>,
}

impl Cut {
    /// A cut from a referral, `above` being the cut whose servers gave it.
    pub fn delegated(referral: Referral, above: &Cut, now: Instant) -> Cut {
        let life = Duration::from_secs(u64::from(referral.ttl.min(MAX_TTL)));
        Cut {
            zone: referral.zone,
            kind: CutKind::Delegated,
            servers: referral.servers,
            addresses: Vec::new(),
            expires: (now + life).min(above.expires),
            unreachable_until: Mutex::new(None),
        }
    }

    /// A cut with servers that the operator or the hints name.
    pub fn configured(zone: Name, kind: CutKind, addresses: Vec<SocketAddr>, expires: Instant) -> Cut {
        Cut { zone, kind, servers: Vec::new(), addresses, expires, unreachable_until: Mutex::new(None) }
    }

    /// The root as its servers describe it after priming, with the hints' addresses.
    pub fn primed(servers: Vec<NameServer>, addresses: Vec<SocketAddr>, expires: Instant) -> Cut {
        Cut {
            zone: Name::root(),
            kind: CutKind::Delegated,
            servers,
            addresses,
            expires,
            unreachable_until: Mutex::new(None),
        }
    }

    /// Was no server of this cut to be reached a moment ago?
    pub fn is_unreachable(&self, now: Instant) -> bool {
        lock(&self.unreachable_until).is_some_and(|until| now < until)
    }

    /// Remembers that none of its servers has an address that can be reached.
    pub fn mark_unreachable(&self, now: Instant) {
        *lock(&self.unreachable_until) = Some(now + UNREACHABLE_FOR);
    }

    fn octets(&self) -> usize {
        let servers = self
            .servers
            .iter()
            .map(|s| size_of::<NameServer>() + s.name.len() + 16 + 17 * (s.glue.len() + s.hearsay.len()));
        size_of::<Cut>() + self.zone.len() + servers.sum::<usize>() + 32 * self.addresses.len()
    }
}

/// Addresses of a name server, told by the zone above it in the delegation of another zone.
#[derive(Debug)]
struct Sibling {
    /// Whose servers told them.
    above: Name,
    glue: Vec<IpAddr>,
    expires: Instant,
}

/// Delegations by zone.
pub struct Cuts {
    cache: moka::sync::Cache<Name, Arc<Cut>>,
    /// By name server.
    siblings: moka::sync::Cache<Name, Arc<Sibling>>,
    changes: AtomicU64,
}

impl Cuts {
    /// At most so many octets.
    pub fn new(octets: u64) -> Cuts {
        let for_siblings = octets / SHARE_OF_SIBLINGS;
        let cache = super::lru(octets - for_siblings, |name: &Name, cut: &Arc<Cut>| {
            super::ENTRY_OVERHEAD.saturating_add((name.len() + cut.octets()) as u32)
        });
        let siblings = super::lru(for_siblings, |name: &Name, told: &Arc<Sibling>| {
            let octets = size_of::<Sibling>() + name.len() + told.above.len() + 17 * told.glue.len();
            super::ENTRY_OVERHEAD.saturating_add(octets as u32)
        });
        Cuts { cache, siblings, changes: AtomicU64::new(0) }
    }

    /// Remembers the glue of `cut`, a delegation that `above`'s servers gave, for other zones with the same
    /// servers. As long as something is known of a server it stays: who forges the next referral comes too late.
    pub fn tell_siblings(&self, cut: &Cut, above: &Cut, now: Instant) {
        if above.kind != CutKind::Delegated {
            return;
        }
        for server in cut.servers.iter().filter(|s| !s.glue.is_empty() && !s.name.is_at_or_below(&cut.zone)) {
            if self.siblings.get(&server.name).is_none_or(|told| told.expires <= now) {
                let (above, glue) = (above.zone.clone(), server.glue.clone());
                let told = Sibling { above, glue, expires: cut.expires };
                self.siblings.insert(server.name.clone(), Arc::new(told));
            }
        }
    }

    /// Addresses of a name server, `closest` being the cut nearest above it: as its own servers would refer to.
    pub fn sibling(&self, server: &Name, closest: &Cut, now: Instant) -> Option<Vec<IpAddr>> {
        let told = self.siblings.get(server)?;
        let holds = now < told.expires && told.above == closest.zone && closest.kind == CutKind::Delegated;
        holds.then(|| told.glue.clone())
    }

    /// Remembers a cut.
    pub fn store(&self, cut: &Arc<Cut>) {
        self.changes.fetch_add(1, Ordering::Relaxed);
        self.cache.insert(cut.zone.clone(), Arc::clone(cut));
    }

    /// Counts what was stored or forgotten.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// Live cuts that referrals gave, in no order; not for a thread that serves. Not those that the
    /// operator names, nor the root, which each start asks for anew (RFC 9609 §3).
    pub(super) fn referred(&self, now: Instant) -> impl Iterator<Item = Arc<Cut>> {
        let given =
            |cut: &Cut| cut.kind == CutKind::Delegated && cut.addresses.is_empty() && !cut.zone.is_root();
        self.cache.iter().map(|(_, cut)| cut).filter(move |cut| given(cut) && now < cut.expires)
    }

    /// Puts back a delegation that was kept elsewhere and has so long to live.
    pub(super) fn restore(&self, zone: Name, servers: Vec<NameServer>, left: Duration, now: Instant) {
        let expires = now + left.min(Duration::from_secs(u64::from(MAX_TTL)));
        let cut = Cut {
            zone,
            kind: CutKind::Delegated,
            servers,
            addresses: Vec::new(),
            expires,
            unreachable_until: Mutex::new(None),
        };
        self.cache.insert(cut.zone.clone(), Arc::new(cut));
    }

    /// The live cut exactly at `zone`.
    pub fn get(&self, zone: &Name, now: Instant) -> Option<Arc<Cut>> {
        self.cache.get(zone).filter(|cut| now < cut.expires)
    }

    /// The live cut nearest above `name` (or at it).
    pub fn closest(&self, name: &Name, now: Instant) -> Option<Arc<Cut>> {
        let mut at = Some(name.clone());
        while let Some(zone) = at {
            if let Some(cut) = self.get(&zone, now) {
                return Some(cut);
            }
            at = zone.parent();
        }
        None
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
        self.cache.invalidate_all();
        self.siblings.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::scrub::Proof;

    const HOUR: Duration = Duration::from_secs(3600);

    fn referral(zone: &str, ttl: u32, glue: &str) -> Referral {
        let glue = vec![glue.parse().unwrap()];
        let server = NameServer { name: "ns.provider.other.".parse().unwrap(), glue, hearsay: Vec::new() };
        let (ds, proof) = (None, Proof::default());
        Referral { zone: zone.parse().unwrap(), ttl, servers: vec![server], ds, proof, guarded: true }
    }

    #[test]
    fn siblings_hold_for_the_zone_that_told_them_and_no_longer_than_told() {
        let (cuts, now) = (Cuts::new(1 << 20), Instant::now());
        let above = Cut::configured("other.".parse().unwrap(), CutKind::Delegated, Vec::new(), now + HOUR);
        let server: Name = "ns.provider.other.".parse().unwrap();
        let own = Cut::delegated(referral("provider.other.", 300, "192.0.2.1"), &above, now);
        cuts.tell_siblings(&own, &above, now);
        assert_eq!(cuts.sibling(&server, &above, now), None, "glue of its own zone says where that is");
        let tell = |glue, at| {
            let cut = Cut::delegated(referral("a.other.", 300, glue), &above, at);
            cuts.tell_siblings(&cut, &above, at);
        };
        tell("192.0.2.2", now);
        tell("192.0.2.3", now);
        let told = |at| cuts.sibling(&server, &above, at).map(|glue| glue[0].to_string());
        assert_eq!(told(now).as_deref(), Some("192.0.2.2"), "the first stays");
        assert_eq!(cuts.sibling(&server, &own, now), None, "where a nearer cut is known, that counts");
        let later = now + Duration::from_secs(300);
        assert_eq!(told(later), None);
        tell("192.0.2.3", later);
        assert_eq!(told(later).as_deref(), Some("192.0.2.3"));
        cuts.clear();
        assert_eq!(told(later), None);
        for kind in [CutKind::Stub, CutKind::Forward] {
            let above = Cut::configured("other.".parse().unwrap(), kind, Vec::new(), now + HOUR);
            let cut = Cut::delegated(referral("a.other.", 300, "192.0.2.4"), &above, now);
            cuts.tell_siblings(&cut, &above, now);
            assert_eq!(told(now), None);
            tell("192.0.2.2", now);
            assert_eq!(cuts.sibling(&server, &above, now), None);
            cuts.clear();
        }
    }
}
