//! RRsets and denials by owner, type and class, each with its own clock.
//!
//! Knows: TTL arithmetic on the monotonic clock, which entry answers (name, type) and in which
//! order (alias-rules R36), what replaces what (R35, RFC 2181 §5.4.1), negative TTLs (RFC 2308 §5),
//! the NXDOMAIN cut (RFC 8020), what may be served stale (RFC 8767). No stored object spans hops.
//! Does not know: chains, messages. Shown by: `tests/scenarios/r34_*` … `r39_*`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;

use super::blocks::Place;
use super::entry::{ALL_TYPES, Content, Entry, Key, Terms};
use super::hop::{Alias, Denial, Held, Hop, Judged};
use super::scratch::Scratch;
use super::stamps::{Stamp, Stamps};
use super::store::Store;
use crate::chain::Redirection;
use crate::config;
use crate::rrset::{Question, RrSet, RrType};
use crate::security::Security;
use crate::trust::rank::{Rank, replaces};
use crate::trust::scrub::{Proof, Reply};
use crate::wire::Name;
use crate::world::lock;

/// TTL of a stale record in an answer (RFC 8767 §4).
pub const STALE_TTL: u32 = 30;
/// Denials without SOA live no longer than their request (RFC 2308 §5: not to be cached).
const NO_SOA_TTL: u32 = 0;
/// The types that nearly every cached name has; a CNAME that arrives sweeps them out at once, and
/// any other when it is looked up (R35).
const COMMON_TYPES: [RrType; 8] =
    [RrType::A, RrType::AAAA, RrType::HTTPS, RrType::MX, RrType::TXT, RrType::NS, RrType::SOA, RrType::SRV];

/// Does what is stored under this type also say something of names below?
fn reaches_below(rtype: RrType) -> bool {
    rtype == ALL_TYPES || rtype == RrType::DNAME
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
    store: Store,
    bounds: ArcSwap<Bounds>,
    /// See [`RrSets::wall_in`].
    walls: ArcSwap<Vec<Name>>,
    /// Has a DNAME ever proven secure? Only then is it worth looking for one above a name.
    has_secure_dname: AtomicBool,
    changes: AtomicU64,
    stamps: Arc<Stamps>,
}

/// How long things live here, seconds.
struct Bounds {
    min_ttl: u32,
    max_ttl: u32,
    max_negative_ttl: u32,
    stale_max_age: Option<Duration>,
}

impl Bounds {
    fn new(settings: &config::Cache) -> Bounds {
        let config::Cache { min_ttl, max_ttl, max_negative_ttl, serve_stale, stale_max_age, .. } = *settings;
        let stale_max_age = serve_stale.then(|| Duration::from_secs(u64::from(stale_max_age)));
        Bounds { min_ttl, max_ttl, max_negative_ttl, stale_max_age }
    }

    fn life(&self, set: &RrSet) -> u32 {
        set.ttl.clamp(self.min_ttl, self.max_ttl)
    }
}

impl RrSets {
    /// At most so many octets.
    pub fn new(octets: u64, settings: &config::Cache, stamps: Arc<Stamps>) -> RrSets {
        RrSets {
            store: Store::new(octets),
            bounds: ArcSwap::from_pointee(Bounds::new(settings)),
            walls: ArcSwap::default(),
            has_secure_dname: AtomicBool::new(false),
            changes: AtomicU64::new(0),
            stamps,
        }
    }

    /// Takes other bounds for what is stored, and for how long what has expired is of use, from now on.
    pub fn reload(&self, settings: &config::Cache) {
        self.bounds.store(Arc::new(Bounds::new(settings)));
    }

    /// Zones that the operator has put where they are, or that are proven from an anchor of their own: what the tree above
    /// says of names in them counts as little as what it says at their apex when asked for the DS.
    pub fn wall_in(&self, zones: Vec<Name>) {
        self.walls.store(Arc::new(zones));
    }

    /// Labels of the closest of those zones that holds `name`.
    fn wall_over(&self, name: &Name) -> usize {
        let walls = self.walls.load();
        let over = walls.iter().filter(|zone| name.is_at_or_below(zone));
        over.map(Name::label_count).max().unwrap_or(0)
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
        let aliased = if rtype == RrType::CNAME { None } else { view.any(name, RrType::CNAME) };
        let aliased = aliased.filter(|(entry, _)| entry.stands_for(rtype));
        // What came later at the same owner has replaced it, and has even where its own time is over (R35).
        let replaced = exact.as_ref().is_some_and(|(old, left)| {
            let by = |new: &Entry| {
                new.terms.stored > old.terms.stored
                    && !new.terms.is_bogus()
                    && replaces(new.terms.rank, old.terms.rank, *left != Left::Stale)
                    && !old.terms.outweighs(&new.terms, now)
            };
            let by_alias = || {
                let alias = aliased.as_ref().filter(|(new, _)| new.is_alias() && by(new));
                let stays = rtype.may_sit_beside_cname() || (old.is_of_apex() && *left != Left::Stale);
                !stays && alias.is_some()
            };
            // While it lives it stays: who denies one type may have another.
            let by_denial = || view.any(name, ALL_TYPES).is_some_and(|(new, _)| by(&new));
            by_alias() || (*left == Left::Stale && by_denial())
        });
        let cname = aliased.and_then(|(entry, left)| Some((entry, left?)));
        if replaced && own.knows_none_of(name, [rtype, RrType::CNAME, ALL_TYPES]) {
            // Nor is it to be in the way of what comes in its place.
            self.store.remove(name, rtype);
            self.stamps.change(name, reaches_below(rtype));
        }
        let exact = exact.filter(|_| !replaced);
        if let Some((entry, left)) = &exact
            && let Content::Set(set) = &entry.content
        {
            return Some(Hop::Data(vec![view.held(set, entry, *left)]));
        }
        if let Some(hop) = view.nxdomain(name) {
            return Some(hop);
        }
        if let Some(alias) = view.secure_dname_above(name) {
            return Some(Hop::Alias(alias));
        }
        // For the type CNAME the exact entry may be one made from a DNAME: an alias all the same.
        for (entry, left) in [&exact, &cname].into_iter().flatten() {
            if let Some(alias) = view.alias(entry, *left) {
                return Some(Hop::Alias(alias));
            }
        }
        let (entry, left) = exact?;
        match &entry.content {
            Content::NoData(soa) => Some(Hop::NoData(view.denial(soa.as_ref(), &entry, left))),
            _ => None,
        }
    }

    /// Somebody is using what is there, without looking it up. `false`: there is so much room that nobody needs
    /// to know.
    pub fn touch(&self, places: impl Iterator<Item = Place>) -> bool {
        self.store.touch(places)
    }

    /// Seconds that anything, and that a denial may live here.
    pub fn longest_lives(&self) -> (u32, u32) {
        let bounds = self.bounds.load();
        (bounds.max_ttl, bounds.max_negative_ttl)
    }

    /// Is anything served past its time?
    pub fn serves_stale(&self) -> bool {
        self.bounds.load().stale_max_age.is_some()
    }

    /// What a reply says, as it will be held: with our bounds on TTLs, not judged, not stored.
    /// `None`: the reply says nothing of the name itself.
    pub fn hop_of(&self, reply: Reply) -> Option<(Hop, Rank)> {
        let bounds = self.bounds.load();
        let life = |set: &RrSet| bounds.life(set);
        let held = |set: RrSet, proof: Proof| Held::fresh(life(&set), set, proof);
        let denial = |soa: Option<RrSet>, proof: Proof| {
            let negative = self.negative_life(soa.as_ref());
            let soa = soa.map(|set| Held::fresh(negative, set, Proof::default()));
            Denial { soa, proof, security: Security::Unchecked }
        };
        Some(match reply {
            Reply::Data { sets, rank, proof } => {
                (Hop::Data(sets.into_iter().map(|set| held(set, proof.clone())).collect()), rank)
            }
            Reply::Alias { redirection, rank, proof, .. } => {
                let alias = match redirection {
                    Redirection::Cname(cname) => Alias::Cname(held(cname, proof)),
                    Redirection::Overlong { dname } => Alias::Overlong { dname: held(dname, proof) },
                    Redirection::Dname { dname, cname } => {
                        let dname = held(dname, proof);
                        // R11: the TTL of the DNAME.
                        let cname = Held { set: cname, proof: Proof::default(), ..dname.clone() };
                        Alias::Dname { dname, cname }
                    }
                };
                (Hop::Alias(alias), rank)
            }
            Reply::NoData { soa, rank, proof } => (Hop::NoData(denial(soa, proof)), rank),
            Reply::NxDomain { soa, rank, proof } => (Hop::NxDomain(denial(soa, proof)), rank),
            Reply::Referral(_) | Reply::Unusable(_) => return None,
        })
    }

    /// An RRset made from a proven wildcard.
    pub fn hop_expanded(&self, set: RrSet, proof: Proof) -> Hop {
        let held = Held { security: Security::Secure, ..Held::fresh(set.ttl, set, proof) };
        if held.set.rtype == RrType::CNAME { Hop::Alias(Alias::Cname(held)) } else { Hop::Data(vec![held]) }
    }

    /// An RRset by itself, as [`RrSets::hop_of`] would hold it.
    pub fn hop_of_set(&self, set: RrSet) -> Hop {
        Hop::Data(vec![Held::fresh(self.bounds.load().life(&set), set, Proof::default())])
    }

    /// Stores what (name, type) is with the verdict on it, and says how it stands now.
    pub fn settle(
        &self,
        own: &Scratch,
        question: &Question,
        hop: Hop,
        rank: Rank,
        judged: &Judged,
        now: Instant,
    ) -> Hop {
        let is_of_wall = question.rtype == RrType::DS && self.walls.load().contains(&question.name);
        let hop = match hop {
            // There is the name, only not up there.
            Hop::NxDomain(denial) if is_of_wall => Hop::NoData(denial),
            // There are servers that deny the name when asked for a type that they do not know. It would take with it
            // the zone whose SOA they show.
            Hop::NxDomain(denial)
                if judged.security != Security::Secure
                    && ((rank == Rank::AuthAnswer
                        && denial.soa.as_ref().is_some_and(|soa| soa.set.owner == question.name))
                        || (question.rtype == RrType::DS && self.has_something(&question.name, now))) =>
            {
                Hop::NoData(denial)
            }
            // It would stand for the operator's zone.
            Hop::Alias(_) if is_of_wall => return hop.with_security(&judged.security),
            hop => hop,
        };
        let entry = |content: Content, life: u32, proof: &Proof, of_parent: bool| Entry {
            content,
            proof: proof.clone(),
            terms: Terms { security: judged.security.clone(), rank, stored: now, life, of_parent },
        };
        let settled = |held: Held| {
            let left = held.left.min(judged.life);
            // Nothing is given to what came without.
            let kept = judged.proof.clone().filter(|_| !held.proof.is_empty());
            let proof = kept.unwrap_or(held.proof);
            Held { proof, left, life: left, security: judged.security.clone(), ..held }
        };
        let put_set = |held: &Held| {
            let Held { set, life, proof, of_parent, .. } = held;
            let said_of = if set.rtype == RrType::CNAME { question.rtype } else { set.rtype };
            let entry = entry(Content::Set(set.clone()), *life, proof, *of_parent);
            self.put(own, said_of, Key::new(&set.owner, set.rtype), entry, now);
        };
        let put_rewritten = |name: &Name, dname: &Held, result: Option<Name>| {
            let dname_owner = dname.set.owner.clone();
            let content = Content::Rewritten { name: name.clone(), dname_owner, result };
            let entry = entry(content, dname.life, &Proof::default(), false);
            self.put(own, question.rtype, Key::new(name, RrType::CNAME), entry, now);
        };
        let settle_denial = |denial: Denial| Denial {
            soa: denial.soa.map(settled),
            security: judged.security.clone(),
            proof: judged.proof.clone().unwrap_or(denial.proof),
        };
        let soa_of = |denial: &Denial| {
            let soa = denial.soa.as_ref();
            (soa.map(|held| held.set.clone()), soa.map_or(NO_SOA_TTL, |held| held.life))
        };
        match hop {
            Hop::Data(sets) => {
                let sets: Vec<Held> = sets.into_iter().map(settled).collect();
                sets.iter().for_each(put_set);
                Hop::Data(sets)
            }
            Hop::Alias(Alias::Cname(cname)) => {
                let of_parent = cname.of_parent || question.rtype == RrType::DS;
                let cname = Held { of_parent, ..settled(cname) };
                put_set(&cname);
                Hop::Alias(Alias::Cname(cname))
            }
            Hop::Alias(Alias::Overlong { dname }) => {
                let dname = settled(dname);
                put_set(&dname);
                put_rewritten(&question.name, &dname, None);
                Hop::Alias(Alias::Overlong { dname })
            }
            Hop::Alias(Alias::Dname { dname, cname }) => {
                let (dname, cname) = (settled(dname), settled(cname));
                put_set(&dname);
                if judged.security == Security::Secure {
                    self.has_secure_dname.store(true, Ordering::Relaxed);
                }
                put_rewritten(&cname.set.owner, &dname, cname.set.target());
                Hop::Alias(Alias::Dname { dname, cname })
            }
            Hop::NoData(denial) => {
                let denial = settle_denial(denial);
                let (soa, life) = soa_of(&denial);
                let key = Key::new(&question.name, question.rtype);
                self.put(
                    own,
                    question.rtype,
                    key,
                    entry(Content::NoData(soa), life, &denial.proof, false),
                    now,
                );
                Hop::NoData(denial)
            }
            Hop::NxDomain(denial) => {
                let denial = settle_denial(denial);
                let (soa, life) = soa_of(&denial);
                let key = Key::new(&question.name, ALL_TYPES);
                self.put(
                    own,
                    question.rtype,
                    key,
                    entry(Content::NxDomain(soa), life, &denial.proof, false),
                    now,
                );
                Hop::NxDomain(denial)
            }
        }
    }

    /// The negative TTL: the lesser of the SOA's own TTL and its MINIMUM (RFC 2308 §5), within ours.
    fn negative_life(&self, soa: Option<&RrSet>) -> u32 {
        match soa {
            Some(soa) => soa.ttl.min(soa.soa_minimum().unwrap_or(0)).min(self.bounds.load().max_negative_ttl),
            None => NO_SOA_TTL,
        }
    }

    /// `said_of`: the type that was asked for, where it is not the key's.
    fn put(&self, own: &Scratch, said_of: RrType, key: Key, entry: Entry, now: Instant) {
        let Key { ref name, rtype, .. } = key;
        if own.era != self.stamps.era() {
            own.put(key, entry);
            return;
        }
        let terms = &entry.terms;
        let mut below = reaches_below(rtype);
        // R38: it takes the place of what stood here, and leaves it empty.
        let is_passing = terms.life == 0;
        if is_passing && (terms.rank == Rank::Volunteered || terms.is_bogus()) {
            own.put(key, entry);
            return;
        }
        let blank = self.stamps.of(name, false).is_blank();
        if !blank
            && let Some(old) = self.store.terms(name, rtype)
            && (!replaces(terms.rank, old.rank, old.left(now) > 0) || old.outweighs(terms, now))
        {
            own.put(key, entry);
            return;
        }
        // What is bogus takes nothing else away.
        if !blank && !terms.is_bogus() {
            self.sweep(name, said_of, &entry, now);
        }
        if !matches!(entry.content, Content::NxDomain(_))
            && !terms.is_bogus()
            && !self.stamps.of(name, true).is_blank()
        {
            below |= self.store.remove(name, ALL_TYPES);
        }
        self.changes.fetch_add(1, Ordering::Relaxed);
        if is_passing {
            self.store.remove(name, rtype);
        } else {
            self.store.insert(&key, &entry);
        }
        // The new rules came meanwhile, and what was to be forgotten may have been before this.
        if own.era != self.stamps.era() {
            self.store.remove(name, rtype);
        }
        self.stamps.change(name, below);
        own.put(key, entry);
    }

    /// R35: what cannot be true beside what is said now of `name`, asked for `said_of`, and is older, whether it still
    /// lives or is kept for bad times. Nobody who denies a type says that another one was never there: there are servers
    /// that deny the name when asked for AAAA and have its A. An alias that lives for nobody else leaves what lives.
    fn sweep(&self, name: &Name, said_of: RrType, said: &Entry, now: Instant) {
        let Entry { content, terms, .. } = said;
        let remove = |rtype: RrType, lives_too: bool| {
            let gives_way = |old: &Terms| {
                let lives = old.left(now) > 0;
                replaces(terms.rank, old.rank, lives) && !old.outweighs(terms, now) && (lives_too || !lives)
            };
            let old = self.store.get(self.store.place(name, rtype), name, rtype);
            let stays = |old: &Entry| said.is_alias() && old.is_of_apex() && old.terms.left(now) > 0;
            if old.is_some_and(|old| gives_way(&old.terms) && !stays(&old)) {
                self.store.remove(name, rtype);
            }
        };
        let remove_alias = || {
            let place = self.store.place(name, RrType::CNAME);
            if self.store.get(place, name, RrType::CNAME).is_some_and(|old| old.is_alias()) {
                remove(RrType::CNAME, true);
            }
        };
        match content {
            _ if said.is_alias() => {
                for rtype in COMMON_TYPES {
                    remove(rtype, terms.life > 0 || rtype == said_of);
                }
            }
            Content::NxDomain(_) => {
                for rtype in COMMON_TYPES {
                    remove(rtype, false);
                }
                remove(said_of, true);
                remove_alias();
            }
            // The DS and its absence are the zone above's, the alias may be the zone's own.
            _ if said_of.may_sit_beside_cname() || said_of == RrType::DS => {}
            Content::Set(_) | Content::Rewritten { .. } | Content::NoData(_) => remove_alias(),
        }
    }

    /// Is there something at the name, as far as is known?
    fn has_something(&self, name: &Name, now: Instant) -> bool {
        let types = COMMON_TYPES.into_iter().chain([RrType::CNAME]);
        let mut found = types.filter_map(|rtype| self.store.get(self.store.place(name, rtype), name, rtype));
        found.any(|entry| {
            let is_there = matches!(entry.content, Content::Set(_) | Content::Rewritten { .. });
            is_there && entry.terms.left(now) > 0
        })
    }

    /// Counts what was stored or forgotten: the same number twice means that nothing was, but for
    /// what expired or gave way by itself.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// Everything that may still be of use, in no order; not for a thread that serves.
    pub(super) fn usable(&self, now: Instant) -> impl Iterator<Item = (Key, Entry)> {
        self.store.iter().filter(move |(_, entry)| self.is_of_use(&entry.terms, now))
    }

    /// Puts back what was kept elsewhere, into a cache that holds nothing yet: no rule of
    /// replacement is asked. Today's bounds hold for it too. `false`: of no use any more.
    pub(super) fn restore(&self, key: &Key, mut entry: Entry, now: Instant) -> bool {
        let bound = match entry.content {
            Content::NoData(_) | Content::NxDomain(_) => self.bounds.load().max_negative_ttl,
            Content::Set(_) | Content::Rewritten { .. } => self.bounds.load().max_ttl,
        };
        entry.terms.life = entry.terms.life.min(bound);
        let useful = self.is_of_use(&entry.terms, now);
        if useful {
            self.store.insert(key, &entry);
            self.stamps.change(&key.name, reaches_below(key.rtype));
        }
        useful
    }

    fn is_of_use(&self, terms: &Terms, now: Instant) -> bool {
        let stale = || self.bounds.load().stale_max_age.is_some_and(|max| terms.expired_for(now) <= max);
        terms.life > 0 && (terms.left(now) > 0 || stale())
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
        self.store.clear();
        self.stamps.change_all();
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
        self.any(name, rtype).and_then(|(entry, left)| Some((entry, left?)))
    }

    /// The entry, usable or not.
    fn any(&self, name: &Name, rtype: RrType) -> Option<(Arc<Entry>, Option<Left>)> {
        let stamp = self.read(name.as_wire(), reaches_below(rtype));
        let key = Key::new(name, rtype);
        if let Some(entry) = self.own.get(&key) {
            let left = entry.terms.left(self.now);
            return Some((entry, Some(Left::Fresh(left))));
        }
        if stamp.is_blank() {
            return None;
        }
        let place = self.all.store.place(name, rtype);
        let entry = Arc::new(self.all.store.get(place, name, rtype)?);
        if let Some(reads) = &self.own.reads {
            lock(reads).found(place);
        }
        let left = entry.terms.left(self.now);
        if left > 0 {
            return Some((entry, Some(Left::Fresh(left))));
        }
        let stale = self.fresh == Freshness::Stale
            && !entry.terms.is_bogus()
            && self
                .all
                .bounds
                .load()
                .stale_max_age
                .is_some_and(|max| entry.terms.expired_for(self.now) <= max);
        Some((entry, stale.then_some(Left::Stale)))
    }

    /// Notes that what is said of `name` matters here.
    fn read(&self, name: &[u8], below: bool) -> Stamp {
        let stamp = self.all.stamps.of_wire(name, below);
        if let Some(reads) = &self.own.reads {
            lock(reads).consulted(stamp);
        }
        stamp
    }

    fn held(&self, set: &RrSet, entry: &Entry, left: Left) -> Held {
        match left {
            Left::Fresh(left) => self.held_with(set, entry, left, false),
            Left::Stale => self.held_with(set, entry, STALE_TTL, true),
        }
    }

    fn held_with(&self, set: &RrSet, entry: &Entry, left: u32, stale: bool) -> Held {
        let (security, proof) = (entry.terms.security.clone(), entry.proof.clone());
        let expires = (!stale).then(|| entry.terms.expires());
        let Terms { life, of_parent, .. } = entry.terms;
        Held { set: set.clone(), left, life, stale, expires, security, proof, of_parent }
    }

    fn denial(&self, soa: Option<&RrSet>, entry: &Entry, left: Left) -> Denial {
        Denial {
            soa: soa.map(|soa| Held { proof: Proof::default(), ..self.held(soa, entry, left) }),
            proof: entry.proof.clone(),
            security: entry.terms.security.clone(),
        }
    }

    /// NXDOMAIN at the name or at one above it: nothing is below a name that does not exist
    /// (RFC 8020 §2). A bogus one would take a whole subtree down with its name. What is past its time says nothing of
    /// names below, which may have come since; nor does what nobody has proven of those below a name that has something.
    fn nxdomain(&self, name: &Name) -> Option<Hop> {
        let (mut rest, told) = (name.as_wire(), self.own.knows_denials());
        let (mut labels, wall) = (name.label_count(), self.all.wall_over(name));
        while labels >= wall
            && let Some((&octets, _)) = rest.split_first().filter(|(octets, _)| **octets > 0)
        {
            // Of most names above nothing is known: they are not even made.
            if !self.read(rest, true).is_blank() || told {
                let at = Name::from_wire(rest).ok()?;
                let reaches_below = |entry: &Entry, left: Left| {
                    let is_proven = entry.terms.security == Security::Secure;
                    left != Left::Stale
                        && !entry.terms.is_bogus()
                        && (is_proven || !self.all.has_something(&at, self.now))
                };
                if let Some((entry, left)) = self.entry(&at, ALL_TYPES)
                    && let Content::NxDomain(soa) = &entry.content
                    && (at == *name || reaches_below(&entry, left))
                {
                    return Some(Hop::NxDomain(self.denial(soa.as_ref(), &entry, left)));
                }
            }
            rest = rest.get(1 + usize::from(octets)..)?;
            labels = labels.checked_sub(1)?;
        }
        None
    }

    /// The nearest secure DNAME above the name, and what it makes of it (R14, R15).
    fn secure_dname_above(&self, name: &Name) -> Option<Alias> {
        if !self.all.has_secure_dname.load(Ordering::Relaxed) {
            return None;
        }
        let wall = self.all.wall_over(name);
        let mut at = name.parent()?;
        while !at.is_root() && at.label_count() >= wall {
            if let Some((entry, left)) = self.entry(&at, RrType::DNAME)
                && entry.terms.security == Security::Secure
                && let Content::Set(dname) = &entry.content
            {
                let redirection = crate::chain::rewrite(name, dname.clone());
                let dname = self.held(dname, &entry, left);
                return Some(match redirection.cname() {
                    Some(cname) => {
                        let cname = Held { set: cname.clone(), proof: Proof::default(), ..dname.clone() };
                        Alias::Dname { dname, cname }
                    }
                    None => Alias::Overlong { dname },
                });
            }
            at = at.parent()?;
        }
        None
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
                let proof = Proof::default();
                Some(match made {
                    Redirection::Dname { cname, .. } => {
                        let cname = Held { set: cname, proof, ..dname.clone() };
                        Alias::Dname { dname, cname }
                    }
                    _ => Alias::Overlong { dname },
                })
            }
            _ => None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    Fresh(u32),
    Stale,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_bogus_takes_no_secure_denial_away() {
        let rrsets = RrSets::new(1 << 20, &config::Config::default().cache, Arc::default());
        let (now, name): (_, Name) = (Instant::now(), "x.alpha.".parse().unwrap());
        let asked = Question::new(name.clone(), RrType::A);
        let soa = RrSet::new("alpha.".parse().unwrap(), RrType::SOA, 300, [&[0, 0, 0, 1, 44][..]]);
        let denied = Reply::NxDomain { soa: Some(soa), rank: Rank::AuthAnswer, proof: Proof::default() };
        let (hop, rank) = rrsets.hop_of(denied).unwrap();
        rrsets.settle(
            &Scratch::default(),
            &asked,
            hop,
            rank,
            &Judged::secure_by_proof(300, Proof::default()),
            now,
        );
        let forged = rrsets.hop_of_set(RrSet::new(name.clone(), RrType::A, 300, [&[192, 0, 2, 1][..]]));
        let bogus = Judged::bogus(crate::security::Reason::SignatureInvalid);
        rrsets.settle(&Scratch::default(), &asked, forged, rank, &bogus, now);
        let still = rrsets.look_up(&Scratch::default(), &name, RrType::AAAA, Freshness::Live, now);
        assert!(matches!(still, Some(Hop::NxDomain(_))), "{still:?}");
    }
}
