//! Zone cuts: who serves a zone, as its parent says.
//!
//! Knows: delegations from referrals, kept apart from NS RRsets that servers answer with (those are
//! in `rrsets`). A zone is reached by its parent's NS set, and a cut dies no later than the cut
//! above it: so a ghost domain dies with its parent's TTL, and a resold domain moves, whatever the
//! old servers say. Does not know: which server is good (`servers`). Shown by:
//! `tests/scenarios/walk_ghost_*`, `walk_resold_*`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::policy::EvictionPolicy;
use tokio::time::Instant;

use super::blocks::{Blocks, Place};
use super::packed::{Octets, write_instant, write_servers};
use crate::rrset::RrType;
use crate::trust::scrub::{NameServer, Referral};
use crate::wire::Name;

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
#[derive(Clone, Debug, PartialEq, Eq)]
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
        }
    }

    /// A cut with servers that the operator or the hints name.
    pub fn configured(zone: Name, kind: CutKind, addresses: Vec<SocketAddr>, expires: Instant) -> Cut {
        Cut { zone, kind, servers: Vec::new(), addresses, expires }
    }

    /// The root as the hints or, after priming, its servers describe it.
    pub fn root(servers: Vec<NameServer>, expires: Instant) -> Cut {
        Cut { zone: Name::root(), kind: CutKind::Delegated, servers, addresses: Vec::new(), expires }
    }
}

/// Delegations by zone.
pub struct Cuts {
    blocks: Blocks,
    /// Of what the times are counted from.
    base: Instant,
    changes: AtomicU64,
}

impl Cuts {
    /// At most so many octets.
    pub fn new(octets: u64) -> Cuts {
        // Every newcomer is to be let in.
        let blocks = Blocks::new(octets, EvictionPolicy::lru());
        Cuts { blocks, base: Instant::now(), changes: AtomicU64::new(0) }
    }

    /// Remembers a delegation; what the operator names is none.
    pub fn store(&self, cut: &Cut) {
        self.changes.fetch_add(1, Ordering::Relaxed);
        self.put(cut);
    }

    fn put(&self, cut: &Cut) {
        if let Some(Packed(block)) = Packed::pack(cut, self.base) {
            self.blocks.insert(self.place(cut.zone.as_wire()), block);
        }
    }

    /// Counts what was stored or forgotten.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// Live cuts that referrals gave, in no order; not for a thread that serves. Not the root, which each
    /// start asks for anew (RFC 9609 §3).
    pub(super) fn referred(&self, now: Instant) -> impl Iterator<Item = Cut> {
        let cuts = self.blocks.iter().filter_map(|block| Packed(block).unpack(self.base));
        cuts.filter(move |cut| !cut.zone.is_root() && now < cut.expires)
    }

    /// Puts back a delegation that was kept elsewhere and has so long to live.
    pub(super) fn restore(&self, zone: Name, servers: Vec<NameServer>, left: Duration, now: Instant) {
        let expires = now + left.min(Duration::from_secs(u64::from(MAX_TTL)));
        self.put(&Cut { zone, kind: CutKind::Delegated, servers, addresses: Vec::new(), expires });
    }

    /// The live cut exactly at `zone`.
    pub fn get(&self, zone: &Name, now: Instant) -> Option<Cut> {
        self.find(zone.as_wire(), now)?.unpack(self.base)
    }

    /// Is there a live cut exactly at `zone`?
    pub fn has(&self, zone: &Name, now: Instant) -> bool {
        self.find(zone.as_wire(), now).is_some()
    }

    /// The live cut nearest above `name` (or at it).
    pub fn closest(&self, name: &Name, now: Instant) -> Option<Cut> {
        self.find_closest(name, now)?.1.unpack(self.base)
    }

    /// The zone of [`Cuts::closest`].
    pub fn closest_zone(&self, name: &Name, now: Instant) -> Option<Name> {
        self.find_closest(name, now).map(|(labels, _)| name.suffix(labels))
    }

    /// With how many labels its zone has.
    fn find_closest(&self, name: &Name, now: Instant) -> Option<(usize, Packed)> {
        let mut zone = name.as_wire();
        let mut labels = name.label_count();
        loop {
            if let Some(packed) = self.find(zone, now) {
                return Some((labels, packed));
            }
            let first = usize::from(*zone.first()?);
            zone = zone.get(1 + first..)?;
            labels = labels.checked_sub(1)?;
        }
    }

    /// `zone` is in wire form.
    fn find(&self, zone: &[u8], now: Instant) -> Option<Packed> {
        let packed = Packed(self.blocks.get(self.place(zone))?);
        (packed.belongs_to(zone) && now < packed.expires(self.base)?).then_some(packed)
    }

    fn place(&self, zone: &[u8]) -> Place {
        self.blocks.place(zone, RrType::NS.0)
    }

    /// Was no server of this cut to be reached a moment ago?
    pub fn is_unreachable(&self, zone: &Name, now: Instant) -> bool {
        let until = self.find(zone.as_wire(), now).and_then(|packed| packed.unreachable_until(self.base));
        until.is_some_and(|until| now < until)
    }

    /// Remembers that none of its servers has an address that can be reached, unless the zone has
    /// other ones by now. Whom that keeps from looking has found nothing out: it lasts no longer for being met.
    pub fn mark_unreachable(&self, cut: &Cut, now: Instant) {
        let is = self.find(cut.zone.as_wire(), now);
        if let (Some(is), Some(was)) = (is, Packed::pack(cut, self.base))
            && is.servers() == was.servers()
            && is.unreachable_until(self.base).is_none_or(|until| until <= now)
        {
            let Packed(marked) = is.marked(now + UNREACHABLE_FOR, self.base);
            self.blocks.insert(self.place(cut.zone.as_wire()), marked);
        }
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
        self.blocks.clear();
    }
}

/// A delegation in one block:
///
/// ```text
/// expires: 8  is it marked: 1  zone  servers  if it is, unreachable until: 8
/// ```
struct Packed(Arc<[u8]>);

impl Packed {
    /// Octets before the zone.
    const HEAD: usize = 8 + 1;

    /// `None`: what the operator names, which is not kept.
    fn pack(cut: &Cut, base: Instant) -> Option<Packed> {
        if cut.kind != CutKind::Delegated || !cut.addresses.is_empty() {
            return None;
        }
        let mut out = Vec::with_capacity(256);
        write_instant(cut.expires, base, &mut out);
        out.push(0);
        out.extend_from_slice(cut.zone.as_wire());
        write_servers(&cut.servers, &mut out);
        Some(Packed(Arc::from(out)))
    }

    /// `None` never happens to what was packed.
    fn unpack(&self, base: Instant) -> Option<Cut> {
        let expires = self.expires(base)?;
        let mut from = self.content();
        let (zone, servers) = (from.name()?, from.servers()?);
        Some(Cut { zone, kind: CutKind::Delegated, servers, addresses: Vec::new(), expires })
    }

    fn expires(&self, base: Instant) -> Option<Instant> {
        Octets(&self.0).instant(base)
    }

    fn belongs_to(&self, zone: &[u8]) -> bool {
        let whose = self.content().take(zone.len());
        whose.is_some_and(|whose| whose.eq_ignore_ascii_case(zone))
    }

    /// The zone and its servers.
    fn content(&self) -> Octets<'_> {
        let end = if self.is_marked() { self.0.len().saturating_sub(8) } else { self.0.len() };
        Octets(self.0.get(Packed::HEAD..end).unwrap_or_default())
    }

    /// Its servers as they are written.
    fn servers(&self) -> Option<&[u8]> {
        let mut from = self.content();
        from.name_octets()?;
        Some(from.0)
    }

    fn is_marked(&self) -> bool {
        self.0.get(8) == Some(&1)
    }

    fn marked(&self, until: Instant, base: Instant) -> Packed {
        let mut out = Vec::with_capacity(self.0.len() + 8);
        out.extend_from_slice(self.0.first_chunk::<8>().unwrap_or(&[0; 8]));
        out.push(1);
        out.extend_from_slice(self.content().0);
        write_instant(until, base, &mut out);
        Packed(Arc::from(out))
    }

    fn unreachable_until(&self, base: Instant) -> Option<Instant> {
        let until = self.0.last_chunk::<8>().filter(|_| self.is_marked())?;
        Octets(until).instant(base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn delegation(zone: &str, servers: &[&str], ttl: u32, now: Instant) -> Cut {
        let server = |(i, name): (usize, &&str)| NameServer {
            name: n(name),
            glue: ["192.0.2.1", "2001:db8::1"].iter().take(i).map(|a| a.parse().unwrap()).collect(),
            hearsay: ["198.51.100.1"].iter().skip(i).map(|a| a.parse().unwrap()).collect(),
        };
        let servers = servers.iter().enumerate().map(server).collect();
        let proof = Default::default();
        let above = Cut::root(Vec::new(), now + Duration::from_secs(9_000));
        Cut::delegated(Referral { zone: n(zone), ttl, servers, ds: None, proof, guarded: false }, &above, now)
    }

    #[test]
    fn what_is_stored_is_found_from_below_while_it_lives() {
        let cuts = Cuts::new(1 << 20);
        let now = Instant::now() + Duration::from_secs(5);
        let root = Cut::root(Vec::new(), now + Duration::from_secs(9_000));
        let zone = delegation("Sub.example.", &["ns1.example.", "NS2.Sub.example.", "x."], 60, now);
        cuts.store(&root);
        cuts.store(&zone);
        assert_eq!(cuts.get(&n("sub.EXAMPLE."), now).as_ref(), Some(&zone));
        assert_eq!(cuts.closest(&n("a.b.SUB.example."), now).as_ref(), Some(&zone));
        assert_eq!(cuts.closest_zone(&n("a.b.sub.example."), now), Some(n("sub.example.")));
        assert_eq!(cuts.closest(&n("xsub.example."), now).as_ref(), Some(&root));
        assert!(cuts.has(&n("sub.example."), now) && !cuts.has(&n("example."), now));
        assert_eq!(cuts.referred(now).collect::<Vec<_>>(), std::slice::from_ref(&zone));
        let later = zone.expires;
        assert!(!cuts.has(&n("sub.example."), later));
        assert_eq!(cuts.get(&n("sub.example."), later), None);
        assert_eq!(cuts.closest(&n("sub.example."), later), Some(root));
        let packed = Packed::pack(&zone, cuts.base).unwrap();
        assert!(
            packed.belongs_to(n("sub.example.").as_wire()) && !packed.belongs_to(n("sux.example.").as_wire())
        );
        cuts.clear();
        assert_eq!(cuts.closest(&n("sub.example."), now), None);
    }

    #[test]
    fn a_mark_lasts_its_time_and_no_longer_than_its_servers() {
        let cuts = Cuts::new(1 << 20);
        let now = Instant::now();
        let zone = delegation("sub.example.", &["ns1.elsewhere.", "ns2.elsewhere."], 60, now);
        let unreachable = |after: u64| cuts.is_unreachable(&zone.zone, now + Duration::from_millis(after));
        cuts.mark_unreachable(&zone, now);
        assert!(!unreachable(0), "it is not there");
        cuts.store(&zone);
        assert!(!unreachable(0));
        cuts.mark_unreachable(&zone, now);
        assert!(unreachable(0) && unreachable(4_999) && !unreachable(5_000));
        assert_eq!(cuts.get(&zone.zone, now).as_ref(), Some(&zone), "nothing else has changed");
        cuts.mark_unreachable(&zone, now + Duration::from_secs(3));
        assert!(unreachable(4_999) && !unreachable(5_000), "no longer for being met");
        cuts.mark_unreachable(&zone, now + Duration::from_secs(5));
        assert!(unreachable(9_999) && !unreachable(10_000));
        assert_eq!(cuts.get(&zone.zone, now).as_ref(), Some(&zone));
        let moved = delegation("sub.example.", &["ns1.elsewhere.", "ns3.elsewhere."], 60, now);
        cuts.store(&moved);
        assert!(!unreachable(0), "others may be to be reached");
        cuts.mark_unreachable(&zone, now);
        assert!(!unreachable(0));
    }

    #[test]
    fn what_the_operator_names_is_not_kept() {
        let cuts = Cuts::new(1 << 20);
        let now = Instant::now();
        let address = SocketAddr::from(([192, 0, 2, 1], 53));
        let soon = now + Duration::from_secs(60);
        cuts.store(&Cut::configured(n("example."), CutKind::Stub, vec![address], soon));
        assert_eq!(cuts.get(&n("example."), now), None);
    }
}
