//! Answers from denials already proven, for names nobody asked before (RFC 8198).
//!
//! Knows: validated NSEC and NSEC3 RRsets per zone in the order that makes them ranges, validated
//! RRsets of wildcards, each zone's SOA; RFC 8198 §5, RFC 9077 §3.4 (how long). What they prove is
//! `denial`'s to say: here are only the candidates found and handed to it, so that nothing is
//! believed of a cached record that would not be believed of one just received.
//! Does not know: validation. What is added must be Secure. Nor does it know local policy: for a
//! name in a forward or stub zone, under a negative trust anchor or asked with CD=1 it must not be
//! consulted, nor before the caches of what is known for certain.
//!
//! Shown by: the tests below.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::denial::{Proof, Proofs, SECURE_ITERATIONS};
use super::nsec::{Nsec, wildcard_below};
use super::nsec3::{HASH, Hash, Hashes, Nsec3, Params};
use crate::rrset::{RrSet, RrType};
use crate::wire::Name;

/// The longest that a denial is used for other names (RFC 2308 §5, by RFC 9077 §3.4).
pub const MAX_AGE: Duration = Duration::from_secs(10_800);
/// One zone may hold this part of the whole, so that a zone made to fill it cannot.
pub const ZONE_SHARE: usize = 4;
/// Work of NSEC3 hashes for one look-up, one per 16 iterations begun, as in `budget`. A name one
/// label below its encloser takes six hashes, at 50 iterations 24 of these.
pub const NSEC3_WORK: u32 = 48;
/// What an entry takes beside RDATA and names: tree node, `Arc`s, times. An estimate on the safe side.
const ENTRY_OVERHEAD: usize = 256;
/// Entries in use that the hand passes before it takes one all the same.
const HAND_STEPS: usize = 8;

/// A denial deduced from the cache.
#[derive(Clone, Debug)]
pub struct Denied {
    /// NXDOMAIN, or else NODATA.
    pub nxdomain: bool,
    /// The zone's SOA for the authority section.
    pub soa: RrSet,
    /// The NSEC or NSEC3 RRsets that prove it, with signatures.
    pub proofs: Vec<RrSet>,
    /// Seconds for which all of it holds. Each RRset carries its own remaining TTL.
    pub ttl_left: u32,
}

/// A positive answer deduced from a cached wildcard.
#[derive(Clone, Debug)]
pub struct Expanded {
    /// The wildcard's RRset under the name asked for; a CNAME when the wildcard is an alias.
    pub set: RrSet,
    /// The NSEC or NSEC3 RRset that proves that nothing closer exists.
    pub proofs: Vec<RrSet>,
    /// Seconds for which all of it holds (RFC 9077 §4.1).
    pub ttl_left: u32,
}

/// A name as octets whose order is the canonical order of names (RFC 4034 §6.1) and whose prefixes
/// at label ends are the names above it: labels from the right, in lower case, each ended by 0 0,
/// a zero within a label written 0 1.
struct Key {
    octets: Vec<u8>,
    /// Length of the key of each name from the root down to this one.
    ends: Vec<usize>,
}

impl Key {
    fn new(name: &Name) -> Key {
        let mut labels: Vec<&[u8]> = name.labels().collect();
        labels.reverse();
        let mut key = Key { octets: Vec::with_capacity(2 * name.len()), ends: vec![0] };
        for label in labels {
            for octet in label {
                key.octets.push(octet.to_ascii_lowercase());
                if *octet == 0 {
                    key.octets.push(1);
                }
            }
            key.octets.extend([0, 0]);
            key.ends.push(key.octets.len());
        }
        key
    }
}

/// One RRset and its time.
struct Entry {
    set: RrSet,
    until: Instant,
    /// Looked up since the hand passed.
    used: bool,
    octets: usize,
}

impl Entry {
    fn new(set: RrSet, until: Instant, key: usize) -> Entry {
        let octets = ENTRY_OVERHEAD + key + set.owner.len() + set.rdata.octets() + set.sigs.octets();
        Entry { set, until, used: false, octets }
    }

    /// The RRset with the TTL that is left, if any is.
    fn left(&mut self, now: Instant) -> Option<RrSet> {
        let left = u32::try_from(self.until.checked_duration_since(now)?.as_secs()).ok()?;
        if left == 0 {
            return None;
        }
        self.used = true;
        Some(RrSet { ttl: left, ..self.set.clone() })
    }
}

/// Entries in order. What is over goes by a hand that walks around and spares what was used.
#[derive(Default)]
struct Ring {
    entries: BTreeMap<Box<[u8]>, Entry>,
    octets: usize,
    hand: Box<[u8]>,
}

impl Ring {
    fn put(&mut self, key: &[u8], set: RrSet, until: Instant) {
        let entry = Entry::new(set, until, key.len());
        self.octets += entry.octets;
        if let Some(old) = self.entries.insert(key.into(), entry) {
            self.octets -= old.octets;
        }
    }

    fn at(&mut self, key: &[u8], now: Instant) -> Option<RrSet> {
        self.entries.get_mut(key)?.left(now)
    }

    fn at_or_before(&mut self, key: &[u8], now: Instant) -> Option<RrSet> {
        self.entries.range_mut::<[u8], _>((Unbounded, Included(key))).next_back()?.1.left(now)
    }

    /// As [`Ring::at_or_before`]; before the first comes the last.
    fn around(&mut self, key: &[u8], now: Instant) -> Option<RrSet> {
        if self.entries.range::<[u8], _>((Unbounded, Included(key))).next().is_some() {
            return self.at_or_before(key, now);
        }
        self.entries.values_mut().next_back()?.left(now)
    }

    /// Takes out one entry, rather one that is over or was not used.
    fn evict(&mut self, now: Instant) {
        for step in 0..=HAND_STEPS {
            let after = self.entries.range::<[u8], _>((Excluded(&*self.hand), Unbounded)).next();
            let Some(key) = after.or_else(|| self.entries.iter().next()).map(|(key, _)| key.clone()) else {
                return;
            };
            let spared = |entry: &mut Entry| entry.until > now && std::mem::take(&mut entry.used);
            if step == HAND_STEPS || !self.entries.get_mut(&key).is_some_and(spared) {
                let gone = self.entries.remove(&key).map_or(0, |entry| entry.octets);
                self.octets = self.octets.saturating_sub(gone);
                self.hand = key;
                return;
            }
            self.hand = key;
        }
    }
}

/// Everything of one zone.
struct Zone {
    name: Name,
    soa: Option<Entry>,
    /// By [`Key`] of the owner.
    nsec: Ring,
    /// By hash.
    nsec3: Ring,
    /// Iterations and salt of everything in `nsec3`.
    params: (u16, Box<[u8]>),
    /// By [`Key`] of the wildcard and type.
    wildcards: Ring,
}

impl Zone {
    fn new(name: Name) -> Zone {
        let (nsec, nsec3, wildcards) = Default::default();
        Zone { name, soa: None, nsec, nsec3, params: (0, Box::default()), wildcards }
    }

    fn octets(&self) -> usize {
        let soa = self.soa.as_ref().map_or(0, |soa| soa.octets);
        let rings = self.nsec.octets + self.nsec3.octets + self.wildcards.octets;
        ENTRY_OVERHEAD + self.name.len() + self.params.1.len() + soa + rings
    }

    fn is_empty(&self) -> bool {
        self.nsec.entries.is_empty() && self.nsec3.entries.is_empty() && self.wildcards.entries.is_empty()
    }

    /// Takes out one entry of the largest kind.
    fn evict(&mut self, now: Instant) {
        let mut rings = [&mut self.nsec, &mut self.nsec3, &mut self.wildcards];
        if let Some(largest) = rings.iter_mut().max_by_key(|ring| ring.octets) {
            largest.evict(now);
        }
    }

    /// Keeps the SOA, and tells until when denials of now hold by it (RFC 9077 §3.4).
    fn learn_soa(&mut self, soa: Option<&RrSet>, now: Instant) -> Option<Instant> {
        if let Some(soa) = soa.filter(|soa| soa.rtype == RrType::SOA && soa.owner == self.name) {
            let until = now + Duration::from_secs(u64::from(soa.ttl));
            self.soa = Some(Entry::new(soa.clone(), until, 0));
        }
        let soa = &self.soa.as_ref()?.set;
        let seconds = soa.soa_minimum()?.min(soa.ttl);
        Some(now + Duration::from_secs(u64::from(seconds)))
    }

    fn put_denial(&mut self, set: &RrSet, until: Instant) {
        if let Some(nsec3) = Nsec3::parse(&self.name, set) {
            let params = (nsec3.params.iterations, Box::from(nsec3.params.salt));
            if self.params != params {
                self.nsec3 = Ring::default();
                self.params = params;
            }
            self.nsec3.put(&nsec3.owner, set.clone(), until);
        } else {
            self.nsec.put(&Key::new(&set.owner).octets, set.clone(), until);
        }
    }

    /// The NSEC at or before `qname`, then that at or before its wildcard.
    fn nsec_around(&mut self, qname: &Name, now: Instant) -> Vec<RrSet> {
        let Some(first) = self.nsec.at_or_before(&Key::new(qname).octets, now) else { return Vec::new() };
        let wildcard = match Nsec::parse(&self.name, &first) {
            Some(nsec) if nsec.owner != qname => wildcard_below(&nsec.encloser(qname)),
            _ => return vec![first],
        };
        let second = wildcard.ok().and_then(|w| self.nsec.at_or_before(&Key::new(&w).octets, now));
        let second = second.filter(|second| second.owner != first.owner);
        [first].into_iter().chain(second).collect()
    }

    /// What the cached NSEC records, fewest first, prove of `qname`.
    fn by_nsec(&mut self, qname: &Name, qtype: RrType, now: Instant) -> Option<(bool, Vec<RrSet>)> {
        let mut sets = self.nsec_around(qname, now);
        for enough in 1..=sets.len() {
            let proofs = Proofs::new(&self.name, sets.get(..enough)?);
            let nodata = proofs.nodata_paid(qname, qtype, &|_| false) == Proof::Proven;
            if nodata || proofs.nxdomain_paid(qname, &|_| false) == Proof::Proven {
                sets.truncate(enough);
                return Some((!nodata, sets));
            }
        }
        None
    }

    /// The NSEC3 that matches `qname`; or those that match its closest encloser, cover the next
    /// closer name, and match or cover the wildcard. Says also whether NXDOMAIN is what they say.
    fn nsec3_around(
        &mut self,
        qname: &Name,
        pay: &dyn Fn(u16) -> bool,
        now: Instant,
    ) -> Option<(bool, Vec<RrSet>)> {
        let (iterations, salt) = self.params.clone();
        let mut hashes = Hashes::new(Params { iterations, salt: &salt }, pay);
        let mut next_closer = hashes.of(qname)?;
        if let Some(set) = self.nsec3.at(&next_closer, now) {
            return Some((false, vec![set]));
        }
        let mut name = qname.clone();
        let encloser = loop {
            name = name.parent().filter(|name| name.is_at_or_below(&self.name))?;
            let hash = hashes.of(&name)?;
            if let Some(set) = self.nsec3.at(&hash, now) {
                break set;
            }
            next_closer = hash;
        };
        let wildcard = hashes.of(&wildcard_below(&name).ok()?)?;
        let mut sets = vec![encloser, self.nsec3.around(&next_closer, now)?];
        let at_wildcard = self.nsec3.at(&wildcard, now);
        let nxdomain = at_wildcard.is_none();
        sets.push(at_wildcard.or_else(|| self.nsec3.around(&wildcard, now))?);
        // The same record may serve twice.
        sets.sort_by(|a, b| a.owner.cmp(&b.owner));
        sets.dedup_by(|a, b| a.owner == b.owner);
        Some((nxdomain, sets))
    }

    /// What the cached NSEC3 records prove of `qname`; nothing where opt-out leaves a doubt
    /// (RFC 8198 §5.2).
    fn by_nsec3(&mut self, qname: &Name, qtype: RrType, now: Instant) -> Option<(bool, Vec<RrSet>)> {
        if self.nsec3.entries.is_empty() {
            return None;
        }
        let pay = allowance();
        let (nxdomain, sets) = self.nsec3_around(qname, &pay, now)?;
        let proofs = Proofs::new(&self.name, &sets);
        let proof =
            if nxdomain { proofs.nxdomain_paid(qname, &pay) } else { proofs.nodata_paid(qname, qtype, &pay) };
        (proof == Proof::Proven).then_some((nxdomain, sets))
    }

    /// The one record that may prove that `next_closer`, at or above `qname`, does not exist.
    fn closer_candidate(&mut self, qname: &Name, next_closer: &Name, now: Instant) -> Option<RrSet> {
        if let Some(first) = self.nsec.at_or_before(&Key::new(qname).octets, now) {
            return Some(first);
        }
        if self.nsec3.entries.is_empty() {
            return None;
        }
        let (iterations, salt) = self.params.clone();
        let pay = allowance();
        let mut hashes = Hashes::new(Params { iterations, salt: &salt }, &pay);
        let hash: Hash = hashes.of(next_closer)?;
        self.nsec3.around(&hash, now)
    }

    /// The wildcard nearest above `qname` of which the type is known, if nothing closer exists: that
    /// its parent does is proven by the wildcard itself (RFC 5155 §8.8).
    fn expand(&mut self, qname: &Name, qtype: RrType, now: Instant) -> Option<Expanded> {
        if self.wildcards.entries.is_empty() {
            return None;
        }
        let mut next_closer = qname.clone();
        loop {
            let encloser = next_closer.parent().filter(|name| name.is_at_or_below(&self.name))?;
            let wildcard = wildcard_below(&encloser).ok()?;
            let found = self
                .wildcards
                .at(&wildcard_key(&wildcard, qtype), now)
                .or_else(|| self.wildcards.at(&wildcard_key(&wildcard, RrType::CNAME), now));
            if let Some(found) = found {
                let proofs = vec![self.closer_candidate(qname, &next_closer, now)?];
                let proof = Proofs::new(&self.name, &proofs).wildcard_paid(qname, &wildcard, &allowance());
                if proof != Proof::Proven {
                    return None;
                }
                let ttl_left = proofs.iter().map(|set| set.ttl).fold(found.ttl, u32::min);
                return Some(Expanded { set: RrSet { owner: qname.clone(), ..found }, proofs, ttl_left });
            }
            next_closer = encloser;
        }
    }
}

/// Pays for NSEC3 hashes of one look-up, apart from the question's own budget: a look-up that finds
/// nothing must not make the answer that is then fetched unprovable.
fn allowance() -> impl Fn(u16) -> bool {
    let left = Cell::new(NSEC3_WORK);
    move |iterations| {
        let rest = left.get().checked_sub(1 + u32::from(iterations) / 16);
        left.set(rest.unwrap_or(0));
        rest.is_some()
    }
}

fn wildcard_key(wildcard: &Name, rtype: RrType) -> Vec<u8> {
    let mut key = Key::new(wildcard).octets;
    key.extend(rtype.0.to_be_bytes());
    key
}

/// Does this denial say something of names other than its owner that was not asked for? Signers on
/// demand make ranges of one name (RFC 4470, RFC 7129 Appendix B, RFC 9824); to keep them is of no
/// use, and lets random names fill the store.
fn is_range(zone: &Name, set: &RrSet) -> bool {
    if let Some(nsec3) = Nsec3::parse(zone, set) {
        return nsec3.params.iterations <= SECURE_ITERATIONS && !is_narrow(&nsec3.owner, &nsec3.next);
    }
    let Some(nsec) = Nsec::parse(zone, set) else { return false };
    nsec.owner.prepend(&[0]).map_or(true, |first_child| nsec.next != first_child)
}

/// Is the next hash at most two further on? (RFC 7129 Appendix B)
fn is_narrow(owner: &Hash, next: &Hash) -> bool {
    const HEAD: usize = HASH - 16;
    let low = |hash: &Hash| hash.last_chunk::<16>().map_or(0, |low| u128::from_be_bytes(*low));
    owner.first_chunk::<HEAD>() == next.first_chunk::<HEAD>()
        && low(next).checked_sub(low(owner)).is_some_and(|distance| (1..=2).contains(&distance))
}

/// Everything, behind one lock.
#[derive(Default)]
struct Store {
    /// By [`Key`] of the apex.
    zones: BTreeMap<Box<[u8]>, Zone>,
    octets: usize,
    hand: Box<[u8]>,
}

impl Store {
    /// Changes a zone, made when it is not there, and keeps count and limits.
    fn change(&mut self, name: &Name, capacity: usize, now: Instant, change: impl FnOnce(&mut Zone)) {
        let key = Key::new(name).octets;
        let before = self.zones.get(&*key).map_or(0, Zone::octets);
        let zone = self.zones.entry(key.into()).or_insert_with(|| Zone::new(name.clone()));
        change(zone);
        while zone.octets() > capacity / ZONE_SHARE && !zone.is_empty() {
            zone.evict(now);
        }
        self.octets = (self.octets + zone.octets()).saturating_sub(before);
        while self.octets > capacity && !self.zones.is_empty() {
            self.evict(now);
        }
    }

    /// Takes out one entry of the zone after the hand, and the zone when nothing else is in it.
    fn evict(&mut self, now: Instant) {
        let after = self.zones.range_mut::<[u8], _>((Excluded(&*self.hand), Unbounded)).next();
        let Some(key) = after.map(|(key, _)| key.clone()).or_else(|| self.zones.keys().next().cloned())
        else {
            return;
        };
        if let Some(zone) = self.zones.get_mut(&key) {
            let before = zone.octets();
            zone.evict(now);
            let after = if zone.is_empty() { 0 } else { zone.octets() };
            self.octets = self.octets.saturating_sub(before - after);
            if after == 0 {
                self.zones.remove(&key);
            }
        }
        self.hand = key;
    }

    /// The zone closest above `qname` of which something is known; for DS, above the cut.
    fn closest(&mut self, qname: &Name, qtype: RrType) -> Option<&mut Zone> {
        let key = Key::new(qname);
        let skip = usize::from(qtype == RrType::DS && !qname.is_root());
        let prefixes = key.ends.iter().rev().skip(skip).filter_map(|end| key.octets.get(..*end));
        let found = prefixes.into_iter().find(|prefix| self.zones.contains_key(*prefix))?;
        self.zones.get_mut(found)
    }
}

/// Validated denials and wildcards of all zones, within a fixed number of octets. Shared by all
/// threads; when nothing is in it, looking costs one load.
pub struct Aggressive {
    capacity: usize,
    octets: AtomicUsize,
    store: Mutex<Store>,
}

impl Aggressive {
    /// An empty store of at most `capacity` octets.
    pub fn new(capacity: usize) -> Aggressive {
        Aggressive { capacity, octets: AtomicUsize::new(0), store: Mutex::default() }
    }

    /// Octets held, as estimated.
    pub fn octets(&self) -> usize {
        self.octets.load(Ordering::Relaxed)
    }

    /// Forgets everything, as when trust anchors or local zones change.
    pub fn clear(&self) {
        *self.lock() = Store::default();
        self.octets.store(0, Ordering::Relaxed);
    }

    /// Learns one Secure NSEC or NSEC3 RRset of `zone`, good until `until` by its TTL and signature,
    /// with the zone's Secure SOA if the response had it, its TTL cut to its signature's. Others are
    /// ignored: malformed ones, ranges of one name, NSEC3 of over 50 iterations.
    pub fn add(&self, zone: &Name, set: &RrSet, soa: Option<&RrSet>, until: Instant, now: Instant) {
        if !is_range(zone, set) {
            return;
        }
        self.change(zone, now, |held| {
            let by_soa = held.learn_soa(soa, now).unwrap_or(until);
            held.put_denial(set, until.min(by_soa).min(now + MAX_AGE));
        });
    }

    /// Learns the Secure RRset `set` of `zone` that was answered from `wildcard`, under whatever
    /// name, good until `until`.
    pub fn add_wildcard(&self, zone: &Name, set: &RrSet, wildcard: &Name, until: Instant, now: Instant) {
        // What has a meaning of its own at a zone cut is not expanded (RFC 4592 §4.2, §4.4).
        let cuts = [RrType::NS, RrType::SOA, RrType::DS, RrType::DNSKEY, RrType::DNAME];
        let of_denial = [RrType::NSEC, RrType::NSEC3, RrType::RRSIG];
        let unfit = cuts.contains(&set.rtype) || of_denial.contains(&set.rtype);
        if unfit || !wildcard.is_wildcard() || !wildcard.is_below(zone) {
            return;
        }
        let set = RrSet { owner: wildcard.clone(), ..set.clone() };
        self.change(zone, now, |held| held.wildcards.put(&wildcard_key(wildcard, set.rtype), set, until));
    }

    /// Is it known that `qname` does not exist, or has no `qtype` (RFC 8198 §5.1, §5.2)?
    pub fn deny(&self, qname: &Name, qtype: RrType, now: Instant) -> Option<Denied> {
        if self.octets() == 0 {
            return None;
        }
        let mut store = self.lock();
        let zone = store.closest(qname, qtype)?;
        let soa = zone.soa.as_mut()?.left(now)?;
        let (nxdomain, proofs) =
            zone.by_nsec(qname, qtype, now).or_else(|| zone.by_nsec3(qname, qtype, now))?;
        let by_soa = soa.ttl.min(soa.soa_minimum()?);
        let ttl_left = proofs.iter().map(|set| set.ttl).fold(by_soa, u32::min);
        Some(Denied { nxdomain, soa, proofs, ttl_left })
    }

    /// Is `qname` known to be answered from a wildcard that is here with `qtype`, or with a CNAME
    /// (RFC 8198 §5.3)?
    pub fn wildcard(&self, qname: &Name, qtype: RrType, now: Instant) -> Option<Expanded> {
        // ANY may leave sets out, RRSIG and NSEC are not those of the wildcard's alias.
        let unfit = matches!(qtype, RrType::ANY | RrType::RRSIG | RrType::NSEC);
        if self.octets() == 0 || unfit {
            return None;
        }
        self.lock().closest(qname, qtype)?.expand(qname, qtype, now)
    }

    fn change(&self, zone: &Name, now: Instant, change: impl FnOnce(&mut Zone)) {
        let mut store = self.lock();
        store.change(zone, self.capacity, now, change);
        self.octets.store(store.octets, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
