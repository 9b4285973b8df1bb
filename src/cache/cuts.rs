//! Zone cuts: who serves a zone, as its parent says.
//!
//! Knows: delegations from referrals, kept apart from NS RRsets that servers answer with (those are
//! in `rrsets`). A zone is reached by its parent's NS set, and a cut dies no later than the cut
//! above it: so a ghost domain dies with its parent's TTL, and a resold domain moves, whatever the
//! old servers say. Does not know: which server is good (`servers`). Shown by:
//! `tests/scenarios/walk_ghost_*`, `walk_resold_*`.

use std::net::SocketAddr;
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

/// Delegations by zone.
pub struct Cuts {
    cache: moka::sync::Cache<Name, Arc<Cut>>,
    changes: AtomicU64,
}

impl Cuts {
    /// At most so many octets.
    pub fn new(octets: u64) -> Cuts {
        let cache = super::lru(octets, |name: &Name, cut: &Arc<Cut>| {
            super::ENTRY_OVERHEAD.saturating_add((name.len() + cut.octets()) as u32)
        });
        Cuts { cache, changes: AtomicU64::new(0) }
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
    }
}
