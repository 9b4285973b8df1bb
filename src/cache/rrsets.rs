//! RRsets and denials by owner, type and class, each with its own clock.
//!
//! Knows: TTL arithmetic on the monotonic clock, which entry answers (name, type) and in which
//! order (alias-rules R36), what replaces what (R35, RFC 2181 §5.4.1), negative TTLs (RFC 2308 §5),
//! the NXDOMAIN cut (RFC 8020), what may be served stale (RFC 8767). No stored object spans hops.
//! Does not know: chains, messages. Shown by: `tests/scenarios/r34_*` … `r39_*`, `cache_*`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use crate::chain::Redirection;
use crate::config;
use crate::rrset::{Class, RrSet, RrType};
use crate::trust::rank::{Rank, replaces};
use crate::wire::Name;
use crate::world::lock;

/// TTL of a stale record in an answer (RFC 8767 §4).
pub const STALE_TTL: u32 = 30;
/// Entries that one request keeps for itself; its budget allows far fewer.
pub const SCRATCH_ENTRIES: usize = 1_024;
/// Denials without SOA live no longer than their request (RFC 2308 §5: not to be cached).
const NO_SOA_TTL: u32 = 0;
/// The types that nearly every cached name has; a CNAME that arrives sweeps them out at once, and
/// any other when it is looked up (R35).
const COMMON_TYPES: [RrType; 8] =
    [RrType::A, RrType::AAAA, RrType::HTTPS, RrType::MX, RrType::TXT, RrType::NS, RrType::SOA, RrType::SRV];

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Key {
    name: Name,
    rtype: RrType,
    class: Class,
}

/// Type 0 is reserved (RFC 6895 §3.1): the key under which NXDOMAIN stands for all types.
const ALL_TYPES: RrType = RrType(0);

impl Key {
    fn new(name: &Name, rtype: RrType) -> Key {
        Key { name: name.clone(), rtype, class: Class::IN }
    }
}

#[derive(Debug)]
enum Content {
    Set(RrSet),
    /// What the DNAME at `dname_owner` makes of `name` (R10); never read without it.
    Rewritten {
        name: Name,
        dname_owner: Name,
        /// `None`: a name that would be too long (R12).
        result: Option<Name>,
    },
    NoData(Option<RrSet>),
    NxDomain(Option<RrSet>),
}

#[derive(Debug)]
struct Entry {
    content: Content,
    rank: Rank,
    stored: Instant,
    /// Seconds from `stored`.
    life: u32,
}

impl Entry {
    fn left(&self, now: Instant) -> u32 {
        let age = now.saturating_duration_since(self.stored).as_secs();
        self.life.saturating_sub(u32::try_from(age).unwrap_or(u32::MAX))
    }

    fn expired_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.stored + Duration::from_secs(u64::from(self.life)))
    }

    fn octets(&self) -> u32 {
        let set = |s: &RrSet| s.owner.len() + 32 + s.rdata.octets() + s.sigs.octets() + 32;
        let inner = match &self.content {
            Content::Set(s) => set(s),
            Content::Rewritten { name, dname_owner, result } => {
                name.len() + dname_owner.len() + result.as_ref().map_or(0, Name::len) + 48
            }
            Content::NoData(soa) | Content::NxDomain(soa) => soa.as_ref().map_or(0, set),
        };
        (size_of::<Entry>() + inner + 16) as u32
    }
}

/// An RRset as it stands at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The data; its own `ttl` is the one received.
    pub set: RrSet,
    /// Seconds left, to be sent.
    pub left: u32,
    /// Seconds it had when it was stored.
    pub life: u32,
    /// Past its time, shown only because it could not be refreshed.
    pub stale: bool,
}

/// What one (name, type) turned out to be: one hop of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hop {
    /// The RRset; several for ANY.
    Data(Vec<Held>),
    /// An alias.
    Alias(Alias),
    /// The name exists, the type does not.
    NoData {
        /// With its negative TTL.
        soa: Option<Held>,
    },
    /// The name does not exist.
    NxDomain {
        /// With its negative TTL.
        soa: Option<Held>,
    },
}

/// An alias as held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alias {
    /// A CNAME.
    Cname(Held),
    /// A DNAME and the CNAME made from it.
    Dname {
        /// Above the name.
        dname: Held,
        /// At the name.
        cname: Held,
    },
    /// A DNAME whose result is too long.
    Overlong {
        /// Above the name.
        dname: Held,
    },
}

impl Alias {
    /// As the rules of `chain` want it.
    pub fn redirection(&self) -> Redirection {
        match self {
            Alias::Cname(cname) => Redirection::Cname(cname.set.clone()),
            Alias::Dname { dname, cname } => {
                Redirection::Dname { dname: dname.set.clone(), cname: cname.set.clone() }
            }
            Alias::Overlong { dname } => Redirection::Overlong { dname: dname.set.clone() },
        }
    }

    /// In the order of an answer: a DNAME directly before its CNAME (R26).
    pub fn sets(&self) -> Vec<&Held> {
        match self {
            Alias::Cname(cname) => vec![cname],
            Alias::Dname { dname, cname } => vec![dname, cname],
            Alias::Overlong { dname } => vec![dname],
        }
    }
}

impl Hop {
    /// Every RRset in it.
    pub fn sets(&self) -> Vec<&Held> {
        match self {
            Hop::Data(sets) => sets.iter().collect(),
            Hop::Alias(alias) => alias.sets(),
            Hop::NoData { soa } | Hop::NxDomain { soa } => soa.iter().collect(),
        }
    }

    /// Is any of it stale?
    pub fn is_stale(&self) -> bool {
        self.sets().iter().any(|held| held.stale)
    }
}

/// What one request has learned itself: also what may not be cached (TTL 0, R38) or was refused by
/// a full cache.
#[derive(Default, Debug)]
pub struct Scratch(Mutex<HashMap<Key, Arc<Entry>>>);

impl Scratch {
    fn get(&self, key: &Key) -> Option<Arc<Entry>> {
        lock(&self.0).get(key).cloned()
    }

    fn put(&self, key: Key, entry: Arc<Entry>) {
        let mut map = lock(&self.0);
        if map.len() < SCRATCH_ENTRIES {
            map.insert(key, entry);
        }
    }
}

/// How old an entry may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Freshness {
    /// Within its TTL.
    Live,
    /// Also past it, as far as `cache.stale-max-age` allows (RFC 8767).
    Stale,
}

/// All RRsets and denials.
pub struct RrSets {
    cache: moka::sync::Cache<Key, Arc<Entry>>,
    min_ttl: u32,
    max_ttl: u32,
    max_negative_ttl: u32,
    stale_max_age: Option<Duration>,
}

impl RrSets {
    /// At most so many octets.
    pub fn new(octets: u64, settings: &config::Cache) -> RrSets {
        let cache = moka::sync::Cache::builder()
            .max_capacity(octets)
            .weigher(|key: &Key, entry: &Arc<Entry>| {
                super::ENTRY_OVERHEAD.saturating_add(entry.octets()).saturating_add(key.name.len() as u32)
            })
            .build();
        RrSets {
            cache,
            min_ttl: settings.min_ttl,
            max_ttl: settings.max_ttl,
            max_negative_ttl: settings.max_negative_ttl,
            stale_max_age: settings
                .serve_stale
                .then(|| Duration::from_secs(u64::from(settings.stale_max_age))),
        }
    }

    /// What (name, type) is, in the order of R36: the RRset, NXDOMAIN at the name or above, the
    /// alias, NODATA. What this request learned itself is always fresh to it.
    pub fn look_up(
        &self,
        own: &Scratch,
        name: &Name,
        rtype: RrType,
        fresh: Freshness,
        now: Instant,
    ) -> Option<Hop> {
        let view = View { all: self, own, fresh, now };
        let exact = view.entry(name, rtype);
        let cname = if rtype == RrType::CNAME { None } else { view.entry(name, RrType::CNAME) };
        // A CNAME that came later than other data at its owner has replaced it (R35).
        let occluded = !rtype.may_sit_beside_cname()
            && matches!((&exact, &cname), (Some(e), Some(c)) if c.0.stored > e.0.stored);
        let exact = exact.filter(|_| !occluded);
        if let Some((entry, left)) = &exact
            && let Content::Set(set) = &entry.content
        {
            return Some(Hop::Data(vec![view.held(set, entry, *left)]));
        }
        if let Some(hop) = view.nxdomain(name) {
            return Some(hop);
        }
        // For the type CNAME the exact entry may be one made from a DNAME: an alias all the same.
        for (entry, left) in [&exact, &cname].into_iter().flatten() {
            if let Some(alias) = view.alias(entry, *left) {
                return Some(Hop::Alias(alias));
            }
        }
        let (entry, left) = exact?;
        match &entry.content {
            Content::NoData(soa) => {
                Some(Hop::NoData { soa: soa.as_ref().map(|soa| view.held(soa, &entry, left)) })
            }
            _ => None,
        }
    }

    /// Stores the RRset and says how it stands now.
    pub fn store_set(&self, own: &Scratch, set: RrSet, rank: Rank, now: Instant) -> Held {
        let life = set.ttl.clamp(self.min_ttl, self.max_ttl);
        let held = Held { set: set.clone(), left: life, life, stale: false };
        let key = Key::new(&set.owner, set.rtype);
        self.put(own, key, Entry { content: Content::Set(set), rank, stored: now, life }, now);
        held
    }

    /// Stores what `name` redirects to: a CNAME, or a DNAME and what follows from it for this one name (R14).
    pub fn store_alias(
        &self,
        own: &Scratch,
        name: &Name,
        redirection: Redirection,
        rank: Rank,
        now: Instant,
    ) -> Alias {
        let (dname, cname) = match redirection {
            Redirection::Cname(cname) => return Alias::Cname(self.store_set(own, cname, rank, now)),
            Redirection::Dname { dname, cname } => (dname, Some(cname)),
            Redirection::Overlong { dname } => (dname, None),
        };
        let dname = self.store_set(own, dname, rank, now);
        let life = dname.life;
        let content = Content::Rewritten {
            name: name.clone(),
            dname_owner: dname.set.owner.clone(),
            result: cname.as_ref().and_then(RrSet::target),
        };
        self.put(own, Key::new(name, RrType::CNAME), Entry { content, rank, stored: now, life }, now);
        match cname {
            Some(set) => Alias::Dname { dname, cname: Held { set, left: life, life, stale: false } },
            None => Alias::Overlong { dname },
        }
    }

    /// Stores that the name does not exist.
    pub fn store_nxdomain(&self, own: &Scratch, name: &Name, soa: Option<RrSet>, now: Instant) -> Hop {
        let life = self.negative_life(soa.as_ref());
        let held = soa.clone().map(|set| Held { set, left: life, life, stale: false });
        let entry = Entry { content: Content::NxDomain(soa), rank: Rank::AuthAnswer, stored: now, life };
        self.put(own, Key::new(name, ALL_TYPES), entry, now);
        Hop::NxDomain { soa: held }
    }

    /// Stores that the name has no such type.
    pub fn store_nodata(
        &self,
        own: &Scratch,
        name: &Name,
        rtype: RrType,
        soa: Option<RrSet>,
        now: Instant,
    ) -> Hop {
        let life = self.negative_life(soa.as_ref());
        let held = soa.clone().map(|set| Held { set, left: life, life, stale: false });
        let entry = Entry { content: Content::NoData(soa), rank: Rank::AuthAnswer, stored: now, life };
        self.put(own, Key::new(name, rtype), entry, now);
        Hop::NoData { soa: held }
    }

    /// The negative TTL: the lesser of the SOA's own TTL and its MINIMUM (RFC 2308 §5), within ours.
    fn negative_life(&self, soa: Option<&RrSet>) -> u32 {
        match soa {
            Some(soa) => soa.ttl.min(soa.soa_minimum().unwrap_or(0)).min(self.max_negative_ttl),
            None => NO_SOA_TTL,
        }
    }

    fn put(&self, own: &Scratch, key: Key, entry: Entry, now: Instant) {
        let entry = Arc::new(entry);
        own.put(key.clone(), Arc::clone(&entry));
        if entry.life == 0 {
            // R38; and what stood here is known to be out of date.
            if entry.rank != Rank::Volunteered {
                self.cache.invalidate(&key);
            }
            return;
        }
        if let Some(old) = self.cache.get(&key)
            && !replaces(entry.rank, old.rank, old.left(now) > 0)
        {
            return;
        }
        match key.rtype {
            RrType::CNAME => {
                for rtype in COMMON_TYPES {
                    self.cache.invalidate(&Key::new(&key.name, rtype));
                }
            }
            rtype if !rtype.may_sit_beside_cname() && matches!(entry.content, Content::Set(_)) => {
                self.cache.invalidate(&Key::new(&key.name, RrType::CNAME));
            }
            _ => {}
        }
        if matches!(entry.content, Content::Set(_) | Content::Rewritten { .. } | Content::NoData(_)) {
            self.cache.invalidate(&Key::new(&key.name, ALL_TYPES));
        }
        self.cache.insert(key, entry);
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.cache.invalidate_all();
    }
}

/// One look at the cache and at what the request knows itself.
struct View<'a> {
    all: &'a RrSets,
    own: &'a Scratch,
    fresh: Freshness,
    now: Instant,
}

impl View<'_> {
    /// The usable entry, with the seconds it has left (0: stale, or good for this request only).
    fn entry(&self, name: &Name, rtype: RrType) -> Option<(Arc<Entry>, Left)> {
        let key = Key::new(name, rtype);
        if let Some(entry) = self.own.get(&key) {
            let left = entry.left(self.now);
            return Some((entry, Left::Fresh(left)));
        }
        let entry = self.all.cache.get(&key)?;
        let left = entry.left(self.now);
        if left > 0 {
            return Some((entry, Left::Fresh(left)));
        }
        let stale = self.fresh == Freshness::Stale
            && self.all.stale_max_age.is_some_and(|max| entry.expired_for(self.now) <= max);
        stale.then_some((entry, Left::Stale))
    }

    fn held(&self, set: &RrSet, entry: &Entry, left: Left) -> Held {
        match left {
            Left::Fresh(left) => Held { set: set.clone(), left, life: entry.life, stale: false },
            Left::Stale => Held { set: set.clone(), left: STALE_TTL, life: entry.life, stale: true },
        }
    }

    /// NXDOMAIN at the name or at one above it: nothing is below a name that does not exist
    /// (RFC 8020 §2).
    fn nxdomain(&self, name: &Name) -> Option<Hop> {
        let mut at = name.clone();
        loop {
            if let Some((entry, left)) = self.entry(&at, ALL_TYPES)
                && let Content::NxDomain(soa) = &entry.content
            {
                return Some(Hop::NxDomain { soa: soa.as_ref().map(|soa| self.held(soa, &entry, left)) });
            }
            at = at.parent().filter(|parent| !parent.is_root())?;
        }
    }

    fn alias(&self, entry: &Entry, left: Left) -> Option<Alias> {
        match &entry.content {
            Content::Set(cname) if cname.rtype == RrType::CNAME => {
                Some(Alias::Cname(self.held(cname, entry, left)))
            }
            Content::Rewritten { name, dname_owner, result } => {
                let (above, dname_left) = self.entry(dname_owner, RrType::DNAME)?;
                let Content::Set(dname) = &above.content else { return None };
                // The DNAME may have been replaced since: what it says now decides (R10).
                let made = crate::chain::rewrite(name, dname.clone());
                if made.cname().and_then(RrSet::target) != *result {
                    return None;
                }
                let dname = self.held(dname, &above, dname_left);
                Some(match made {
                    Redirection::Dname { cname, .. } => {
                        let (left, life, stale) = (dname.left, dname.life, dname.stale);
                        Alias::Dname { dname, cname: Held { set: cname, left, life, stale } }
                    }
                    _ => Alias::Overlong { dname },
                })
            }
            _ => None,
        }
    }
}

#[derive(Clone, Copy)]
enum Left {
    Fresh(u32),
    Stale,
}
