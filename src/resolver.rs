//! The straight line: one question, one answer.
//!
//! Knows: that a chain is followed one owner at a time (`chain`), each hop from the cache or from a
//! walk (`iterate`); what is served stale and what is fetched ahead of its time, hop by hop; which
//! failures are remembered. Does not know: messages (`respond`), who asks (`server`), delegations.
//!
//! RFC 1034 §5.3.3, RFC 6604, RFC 8482, RFC 8767, RFC 9460 §4.2, RFC 9520. Shown by:
//! `tests/scenarios/`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::cache::hop::{Alias, Denial, Held, Hop};
use crate::cache::rrsets::Freshness;
use crate::cache::{Cache, failures};
use crate::chain::Chain;
use crate::config::Config;
use crate::dnssec::anchors::TrustAnchors;
use crate::dnssec::{Reason, Security, Trust, denial, sentinel, verify};
use crate::failure::{Ede, Failure, Limit};
use crate::iterate::{Scope, Walker};
use crate::policy::local::{Local, LocalAnswer};
use crate::request::Request;
use crate::rrset::{Question, RrSet, RrType};
use crate::trace::{End, Event, Policy, Ttl, Why};
use crate::trust::scrub::Proof;
use crate::wire::Name;
use crate::world::{World, lock};

/// A client that could have a stale answer waits no longer for a fresh one (RFC 8767 §5: 1.8 s).
pub const STALE_AFTER: Duration = Duration::from_millis(1_800);
/// What every expired hop is given even when an earlier one has used up [`STALE_AFTER`].
pub const STALE_GRACE: Duration = Duration::from_millis(200);
/// Refreshes ahead of expiry that may run at the same time.
pub const MAX_PREFETCHES: usize = 256;
/// Hops refreshed ahead of expiry that are remembered, so as not to be asked for again at every hit.
const REFRESHED_LATELY: usize = 4_096;
/// Between two refreshes of a hop that stays as near to its end as it was.
pub const REFRESH_PAUSE: Duration = Duration::from_secs(1);
/// A hop is fetched anew when no more than one in so many of its seconds is left (as Unbound does).
const PREFETCH_PART: u32 = 10;
/// Redirections of SVCB AliasMode that are followed for the additional section (R46).
pub const MAX_SVCB_ALIAS: usize = 4;
/// TTL of the HINFO that stands for ANY (RFC 8482 §4.2).
const HINFO_TTL: u32 = 3_600;

/// The RCODEs that an answer can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
#[repr(u8)]
pub enum Rcode {
    NoError = 0,
    FormErr = 1,
    ServFail = 2,
    NxDomain = 3,
    NotImp = 4,
    Refused = 5,
    YxDomain = 6,
}

/// What became of a question.
#[derive(Clone, Debug)]
pub struct Answer {
    /// As asked.
    pub question: Question,
    /// That of the last hop (R24).
    pub rcode: Rcode,
    /// The aliases, in chain order.
    pub hops: Vec<Alias>,
    /// The RRset at the end of the chain.
    pub terminal: Vec<Held>,
    /// For a denial: of the terminal's zone (R27).
    pub soa: Option<Held>,
    /// NSEC and NSEC3 sets of a denial.
    pub proof: Proof,
    /// Every part of it is proven (R30).
    pub secure: bool,
    /// What a client will want next (RFC 9460 §4.2).
    pub additional: Vec<Held>,
    /// Could some of that not be had? Nothing in the answer says when it can.
    pub lacks_additional: bool,
    /// Why it is not better.
    pub edes: Vec<Ede>,
    /// Why there is none.
    pub failure: Option<Arc<Failure>>,
    /// From data of this server itself.
    pub local: bool,
}

impl Answer {
    /// An answer without anything in it.
    pub fn empty(question: &Question, rcode: Rcode) -> Answer {
        Answer {
            question: question.clone(),
            rcode,
            hops: Vec::new(),
            terminal: Vec::new(),
            soa: None,
            proof: Proof::default(),
            secure: false,
            additional: Vec::new(),
            lacks_additional: false,
            edes: Vec::new(),
            failure: None,
            local: false,
        }
    }

    /// SERVFAIL with an empty answer (R21, R25).
    pub fn failed(question: &Question, failure: Arc<Failure>) -> Answer {
        let edes = vec![failure.ede()];
        Answer { edes, failure: Some(failure), ..Answer::empty(question, Rcode::ServFail) }
    }
}

/// Resolves questions.
pub struct Resolver {
    world: World,
    cache: Arc<Cache>,
    walker: Arc<Walker>,
    prefetches: Mutex<Prefetches>,
    local: ArcSwap<Local>,
}

/// Hops that are asked for again before they expire.
#[derive(Default)]
struct Prefetches {
    running: usize,
    /// From when on each may be asked for again.
    lately: HashMap<Question, Instant>,
    /// When those that may be were last thrown out.
    tidied: Option<Instant>,
}

impl Prefetches {
    /// May this hop be asked for now? Then not again until `until`, or until it has ended.
    fn begin(&mut self, asked: &Question, now: Instant, until: Instant) -> bool {
        // Not at each of many hits.
        let is_due = self.tidied.is_none_or(|last| now >= last + REFRESH_PAUSE / 10);
        if self.lately.len() >= REFRESHED_LATELY && is_due {
            self.tidied = Some(now);
            self.lately.retain(|_, from| now < *from);
        }
        let is_free = self.lately.get(asked).is_none_or(|from| now >= *from);
        let has_room = self.running < MAX_PREFETCHES && self.lately.len() < REFRESHED_LATELY;
        if is_free && has_room {
            self.running += 1;
            self.lately.insert(asked.clone(), until);
        }
        is_free && has_room
    }

    fn end(&mut self, asked: Question, now: Instant) {
        self.running = self.running.saturating_sub(1);
        self.lately.insert(asked, now + REFRESH_PAUSE);
    }
}

impl Resolver {
    /// One for all workers, with an empty cache.
    pub fn new(config: &Config, world: World) -> Arc<Resolver> {
        let cache = Arc::new(Cache::new(&config.cache));
        cache.rrsets.wall_in(walls(config));
        let walker = Walker::new(config, world.clone(), Arc::clone(&cache));
        Arc::new(Resolver { world, cache, walker, prefetches: Mutex::default(), local: ArcSwap::default() })
    }

    /// Takes what a new configuration says of trust.
    pub fn reload(&self, config: &Config) {
        self.walker.reload(config);
    }

    /// Takes the names that nobody else is asked for from now on, also where an alias leads to them (R41).
    pub fn keep_local(&self, local: Arc<Local>) {
        self.local.store(local);
    }

    /// Finds answers; knows what is trusted.
    pub fn walker(&self) -> &Arc<Walker> {
        &self.walker
    }

    /// What is remembered.
    pub fn cache(&self) -> &Arc<Cache> {
        &self.cache
    }

    /// Network, clock and randomness.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Answers a question of class IN within the request's time.
    pub async fn answer(self: &Arc<Self>, request: &Arc<Request>, question: &Question) -> Answer {
        let now = self.world.clock.now();
        if let Some(failure) = self.failure(request, question, now)
            && !self.is_lifted(&failure, request, question, now)
        {
            return Answer::failed(question, failure);
        }
        let work = self.follow(request, question);
        match timeout_at(request.budget.deadline(), work).await {
            Ok(answer) => answer,
            Err(_) => {
                let failure = Failure::Limit { limit: Limit::Time, at: question.name.clone() };
                self.fail(request, question, Arc::new(failure), None)
            }
        }
    }

    /// The failure that stands. That something is bogus is no failure to who checks for themselves.
    fn failure(&self, request: &Request, question: &Question, now: Instant) -> Option<Arc<Failure>> {
        let failure = self.cache.failures.get(&question.name, question.rtype, now)?;
        let applies = request.validate || !matches!(*failure, Failure::Bogus { .. });
        applies.then_some(failure)
    }

    /// Can more be said than that the question failed? What is within its time stands though it could
    /// not be refreshed; an alias that lives does not lift the failure of its chain (R23), nor the limit
    /// that the chain ran into, which is told of its first name. What is past its time is better than
    /// nothing.
    fn is_lifted(&self, failure: &Failure, request: &Request, question: &Question, now: Instant) -> bool {
        let Question { name, rtype, .. } = question;
        match self.cache.rrsets.look_up(&request.own, name, *rtype, Freshness::Live, now) {
            Some(hop) => {
                let is_usable = !request.validate || hop.security().is_settled();
                let is_awaited = failure.own_limit() == Some(Limit::Patience);
                is_usable && failure.is_about(name) && (is_awaited || !failure.is_own_limit())
            }
            None => self.stale(request, question, now).is_some(),
        }
    }

    /// What may be served although it is past its time: where proofs are wanted never what nobody has
    /// proven, nor what was proven by a signature whose time is over as well (RFC 4035 §5.3.1).
    fn stale(&self, request: &Request, asked: &Question, now: Instant) -> Option<Hop> {
        if !self.cache.rrsets.serves_stale() {
            return None;
        }
        let hop = self.cache.rrsets.look_up(&request.own, &asked.name, asked.rtype, Freshness::Stale, now)?;
        (!request.validate || (hop.security().is_settled() && !self.has_ended(&hop))).then_some(hop)
    }

    fn has_ended(&self, hop: &Hop) -> bool {
        let now = self.world.clock.wall();
        let sets = hop.sets();
        let mut all = sets.iter().map(|held| &held.set).chain(hop.proofs());
        hop.security() == Security::Secure && all.any(|set| verify::has_ended(set, now))
    }

    /// Follows the chain to its end.
    async fn follow(self: &Arc<Self>, request: &Arc<Request>, question: &Question) -> Answer {
        let mut chain = Chain::new(question, request.config.resolver.max_chain_length);
        let mut answer = Answer::empty(question, Rcode::NoError);
        answer.secure = request.validate;
        loop {
            let owner = chain.owner().clone();
            let hop = match self.hop(request, &owner, question.rtype, Why::Hop).await {
                Ok(hop) => hop,
                Err(failure) => return self.fail(request, question, failure, None),
            };
            note_stale(&mut answer, request, &owner, question.rtype, &hop);
            self.note_insecure(&mut answer, request, &Question::new(owner.clone(), question.rtype), &hop);
            answer.secure &= hop.security() == Security::Secure;
            note_end(request, &owner, question.rtype, &hop);
            match hop {
                Hop::Alias(alias) => {
                    let followed = chain.follow(&alias.redirection());
                    let ttl = shortest_ttl(&answer.hops, &alias);
                    note_alias(request, &owner, &alias);
                    answer.hops.push(alias);
                    match followed {
                        Ok(true) => {
                            request.budget.followed(chain.hops());
                            continue;
                        }
                        Ok(false) => {
                            if matches!(answer.hops.last(), Some(Alias::Overlong { .. })) {
                                answer.rcode = Rcode::YxDomain;
                            }
                        }
                        Err(failure) => return self.fail(request, question, Arc::new(failure), Some(ttl)),
                    }
                }
                Hop::Data(sets) => answer.terminal = sets,
                Hop::NxDomain(denial) => {
                    answer.rcode = Rcode::NxDomain;
                    (answer.soa, answer.proof) = (denial.soa, denial.proof);
                }
                Hop::NoData(_) if question.rtype == RrType::ANY => {
                    answer.terminal = vec![any_stand_in(&owner)];
                    answer.secure = false;
                }
                Hop::NoData(denial) => (answer.soa, answer.proof) = (denial.soa, denial.proof),
            }
            break;
        }
        if answer.secure && sentinel::turns_into_failure(question, &self.walker.anchors().root_tags()) {
            let ede = Ede::new(Ede::OTHER, "root key sentinel: RFC 8509");
            return Answer { edes: vec![ede], ..Answer::empty(question, Rcode::ServFail) };
        }
        if matches!(question.rtype, RrType::SVCB | RrType::HTTPS) {
            // Rare and large: in a box, so that other questions have no room for it.
            let found = Box::pin(self.svcb_additional(request, &answer)).await;
            (answer.additional, answer.lacks_additional) = found;
        }
        answer
    }

    /// Why an insecure hop is not secure, where something is signed: EDE 1 or 2 for algorithms and digests
    /// that are not supported (RFC 8914 §4.2, §4.3), EDE 27 where nothing but the number of its
    /// iterations keeps a denial from being secure (RFC 9276 §3.2).
    fn note_insecure(&self, answer: &mut Answer, request: &Request, asked: &Question, hop: &Hop) {
        if !request.validate || hop.security() != Security::Insecure {
            return;
        }
        let now = self.world.clock.now();
        if let Some((zone, reason)) = self.cache.trust.unsupported(&asked.name, now) {
            let what = if reason == Reason::UnsupportedDigest { "digest" } else { "algorithm" };
            let text = format!("{} {}: no DS of {zone} has a supported {what}", asked.name, asked.rtype);
            answer.edes.push(Ede::new(reason.ede_code(), text));
        }
        let Some((zone, iterations)) = denial::excess(hop.proofs()) else { return };
        if let Some(Trust::Secure(_)) = self.cache.trust.get(&zone, now) {
            let text = format!("{} {}: {zone} has {iterations} NSEC3 iterations", asked.name, asked.rtype);
            answer.edes.push(Ede::new(Ede::UNSUPPORTED_NSEC3_ITERATIONS, text));
        }
    }

    fn fail(
        &self,
        request: &Request,
        question: &Question,
        failure: Arc<Failure>,
        ttl: Option<u32>,
    ) -> Answer {
        let now = self.world.clock.now();
        // The chain fails for no longer than its hop.
        let of_hop = failure.owner().and_then(|at| self.cache.failures.left(at, question.rtype, now));
        let bound = ttl.map(|ttl| Duration::from_secs(u64::from(ttl))).into_iter().chain(of_hop).min();
        // What the hop itself has just remembered need not be counted twice.
        if !failure.is_momentary()
            && self.cache.is_in(request.era)
            && self.cache.failures.get(&question.name, question.rtype, now).is_none()
        {
            self.cache.failures.store(&question.name, question.rtype, &failure, bound, now);
        }
        Answer::failed(question, failure)
    }

    /// One hop: fresh if it can be had, stale if it must be (RFC 8767, decided per hop: R39).
    async fn hop(
        self: &Arc<Self>,
        request: &Arc<Request>,
        owner: &Name,
        rtype: RrType,
        why: Why,
    ) -> Result<Hop, Arc<Failure>> {
        // RFC 8482 §4.1: any RRset of the name will do for ANY, and an alias shows with each type.
        let asked = Question::new(owner.clone(), if rtype == RrType::ANY { RrType::A } else { rtype });
        let now = self.world.clock.now();
        let id = request.trace.open();
        request.trace.note(id, || Event::Wanted { question: asked.clone(), why, parent: 0 });
        if let Some(local) = self.local.load().answer(&asked) {
            request.trace.note(id, || Event::Policy { policy: Policy::LocalName });
            return Ok(local_hop(local));
        }
        if let Some(hop) = self.cached(request, &asked, id, now) {
            return Ok(hop);
        }
        let stale = self.stale(request, &asked, now);
        let failed = self.failure(request, &asked, now).filter(|f| f.is_about(owner));
        let stale = match (stale, failed) {
            (Some(stale), Some(_)) => return Ok(stale),
            (Some(stale), None) => stale,
            // The limits of another request say nothing about the name.
            (None, Some(failure)) if !failure.is_own_limit() => return Err(failure),
            (None, _) => return self.fetch(request, &asked, &Scope::hop(id)).await,
        };
        let (me, theirs, wanted) = (Arc::clone(self), Arc::clone(request), asked.clone());
        let mut fetching = Box::pin(async move { me.fetch(&theirs, &wanted, &Scope::hop(id)).await });
        let patience = (request.arrived + STALE_AFTER).max(now + STALE_GRACE).min(request.budget.deadline());
        tokio::select! {
            fresh = &mut fetching => Ok(fresh.unwrap_or(stale)),
            () = sleep_until(patience) => {
                // Until the walk has ended, others are not to wait as long.
                let failure = Failure::Limit { limit: Limit::Patience, at: owner.clone() };
                let now = self.world.clock.now();
                if self.cache.is_in(request.era) {
                    self.cache.failures.hold(owner, asked.rtype, &Arc::new(failure), failures::FIRST, now);
                }
                tokio::spawn(fetching);
                // Another question may have told meanwhile what there is now.
                Ok(self.cached(request, &asked, id, now).unwrap_or(stale))
            }
        }
    }

    fn cached(
        self: &Arc<Self>,
        request: &Arc<Request>,
        asked: &Question,
        id: u32,
        now: Instant,
    ) -> Option<Hop> {
        let hop = self.cache.rrsets.look_up(&request.own, &asked.name, asked.rtype, Freshness::Live, now)?;
        // What is not proven yet, and what is bogus, takes the long way.
        if request.validate && !hop.security().is_settled() {
            return None;
        }
        request.trace.note(id, || {
            let ttl = hop.sets().iter().map(|h| h.left).min().unwrap_or(0);
            Event::CacheHit { owner: asked.name.clone(), rtype: asked.rtype, ttl, stale: false }
        });
        if request.config.cache.prefetch && is_nearly_over(&hop) {
            self.prefetch(request, asked);
        }
        Some(hop)
    }

    /// Walks for the hop and remembers if that failed.
    async fn fetch(
        self: &Arc<Self>,
        request: &Arc<Request>,
        asked: &Question,
        scope: &Scope,
    ) -> Result<Hop, Arc<Failure>> {
        let outcome = match self.walker.find(request, asked, scope).await {
            Ok(hop) => match hop.security() {
                Security::Bogus(reason) if request.validate => {
                    let (owner, rtype) = (asked.name.clone(), asked.rtype);
                    Err(Arc::new(Failure::Bogus { owner, rtype, reason }))
                }
                _ => Ok(hop),
            },
            Err(failure) => Err(failure),
        };
        let now = self.world.clock.now();
        match &outcome {
            Ok(_) => self.cache.failures.forget(&asked.name, asked.rtype),
            // This request's own limits say nothing about the name.
            Err(failure) if failure.is_own_limit() || !self.cache.is_in(request.era) => {}
            // RFC 9520 §3.2: at least so long.
            Err(failure) if failure.is_momentary() => {
                self.cache.failures.hold(&asked.name, asked.rtype, failure, failures::SHORTEST, now);
            }
            Err(failure) => {
                self.cache.failures.store(&asked.name, asked.rtype, failure, None, now);
            }
        }
        outcome
    }

    /// Fetches this one hop again before it expires (R40), with a budget of its own.
    fn prefetch(self: &Arc<Self>, request: &Arc<Request>, asked: &Question) {
        let now = self.world.clock.now();
        if self.cache.failures.get(&asked.name, asked.rtype, now).is_some() {
            return;
        }
        let until = now + request.config.resolver.timeout;
        if !lock(&self.prefetches).begin(asked, now, until) {
            return;
        }
        let (me, config, era, asked) =
            (Arc::clone(self), Arc::clone(&request.config), request.era, asked.clone());
        tokio::spawn(async move {
            let request = Arc::new(Request::new(config, &me.world, era, false));
            let _ = me.fetch(&request, &asked, &Scope::refresh(request.trace.open())).await;
            lock(&me.prefetches).end(asked, me.world.clock.now());
        });
    }

    /// SVCB and HTTPS: what AliasMode leads to, and the addresses of the targets (R46). Nothing
    /// here changes the answer itself.
    async fn svcb_additional(self: &Arc<Self>, request: &Arc<Request>, answer: &Answer) -> (Vec<Held>, bool) {
        let (mut found, mut lacks): (Vec<Held>, bool) = (Vec::new(), false);
        let mut seen: Vec<Name> = Vec::new();
        let mut sets: Vec<Held> = answer.terminal.clone();
        for _ in 0..=MAX_SVCB_ALIAS {
            let records: Vec<(u16, Name)> = sets.iter().flat_map(|held| svcb_targets(&held.set)).collect();
            let aliases: Vec<&Name> = records.iter().filter(|(p, _)| *p == 0).map(|(_, n)| n).collect();
            if aliases.is_empty() {
                // Apart from `seen`: a ServiceMode target may well be the name AliasMode led to.
                let mut looked_up: Vec<&Name> = Vec::new();
                for (_, target) in &records {
                    if !looked_up.contains(&target) {
                        lacks |= self.addresses(request, target, &mut found).await;
                        looked_up.push(target);
                    }
                }
                break;
            }
            let rng = self.world.rng.about(&aliases);
            let Some(target) = aliases.get(rng.below(aliases.len())) else { break };
            // `.` in AliasMode: the service does not exist (RFC 9460 §2.5.1).
            if target.is_root() || seen.contains(target) || seen.len() == MAX_SVCB_ALIAS {
                break;
            }
            seen.push((*target).clone());
            let next = match self.hop(request, target, answer.question.rtype, Why::Additional).await {
                Ok(Hop::Data(next)) => next,
                Ok(_) => Vec::new(),
                Err(_) => {
                    lacks = true;
                    Vec::new()
                }
            };
            found.extend(next.iter().cloned());
            if next.is_empty() {
                lacks |= self.addresses(request, target, &mut found).await;
                break;
            }
            sets = next;
        }
        (found, lacks)
    }

    /// Adds the addresses of `name`; could some not be had?
    async fn addresses(self: &Arc<Self>, request: &Arc<Request>, name: &Name, found: &mut Vec<Held>) -> bool {
        let one = |rtype| self.hop(request, name, rtype, Why::Additional);
        // Always polled in this order, or a replay might ask in another.
        let (v4, v6) = tokio::join!(biased; one(RrType::A), one(RrType::AAAA));
        let lacks = v4.is_err() || v6.is_err();
        for hop in [v4, v6] {
            if let Ok(Hop::Data(sets)) = hop {
                found.extend(sets);
            }
        }
        lacks
    }
}

/// What nobody else is asked for (R41).
fn local_hop(local: LocalAnswer) -> Hop {
    let denial = |soa| Denial { soa: Some(Held::own(soa)), ..Denial::bare() };
    match local {
        LocalAnswer::Data(set) => Hop::Data(vec![Held::own(set)]),
        LocalAnswer::NoData { soa } => Hop::NoData(denial(soa)),
        LocalAnswer::NxDomain { soa } => Hop::NxDomain(denial(soa)),
    }
}

/// Zones of which the tree above them is not to speak.
pub fn walls(config: &Config) -> Vec<Name> {
    let anchors = TrustAnchors::of(&config.dnssec);
    let all = config.routes.iter().map(|route| &route.zone).chain(anchors.zones());
    all.filter(|zone| !zone.is_root()).cloned().collect()
}

/// Priority and target of each SVCB or HTTPS record (RFC 9460 §2.2); `.` in ServiceMode is the
/// owner itself (§2.5.2).
fn svcb_targets(set: &RrSet) -> Vec<(u16, Name)> {
    let one = |rdata: &[u8]| {
        let (priority, rest) = rdata.split_first_chunk::<2>()?;
        let end = crate::wire::name::wire_len(rest)?;
        let target = Name::from_wire(rest.get(..end)?).ok()?;
        let priority = u16::from_be_bytes(*priority);
        let own = target.is_root() && priority != 0;
        Some((priority, if own { set.owner.clone() } else { target }))
    };
    set.rdata.iter().filter_map(one).collect()
}

/// HINFO "RFC8482": there is something, and no alias (RFC 8482 §4.2).
fn any_stand_in(owner: &Name) -> Held {
    let set = RrSet::new(owner.clone(), RrType::HINFO, HINFO_TTL, [&b"\x07RFC8482\x00"[..]]);
    Held::own(set)
}

fn is_nearly_over(hop: &Hop) -> bool {
    matches!(hop, Hop::Data(_) | Hop::Alias(_))
        && hop.sets().iter().any(|held| held.left > 0 && held.left <= last_part(held))
}

fn last_part(held: &Held) -> u32 {
    held.life / PREFETCH_PART
}

/// From when on what is held in the cache is fetched anew ahead of its time; `None`: never, it lives
/// too short for that.
pub fn refresh_at(held: &Held) -> Option<Instant> {
    let seconds = Some(last_part(held)).filter(|seconds| *seconds > 0)?;
    held.expires?.checked_sub(Duration::from_secs(u64::from(seconds)))
}

fn shortest_ttl(hops: &[Alias], last: &Alias) -> u32 {
    hops.iter().chain([last]).flat_map(|alias| alias.sets()).map(|held| held.left).min().unwrap_or(0)
}

fn note_alias(request: &Request, owner: &Name, alias: &Alias) {
    request.trace.note(0, || {
        let redirection = alias.redirection();
        let target = redirection.cname().and_then(RrSet::target);
        Event::AliasFollowed {
            owner: owner.clone(),
            target,
            dname: redirection.dname().and_then(|d| Some((d.owner.clone(), d.target()?))),
            ttl: shortest(&alias.sets()).unwrap_or(Ttl { left: 0, original: 0 }),
            security: alias.sets().first().map(|held| held.security.clone()).unwrap_or_default(),
        }
    });
}

/// Where the chain ends.
fn note_end(request: &Request, owner: &Name, rtype: RrType, hop: &Hop) {
    let end = match hop {
        Hop::Alias(_) => return,
        Hop::Data(_) => End::Data,
        Hop::NoData(_) => End::NoData,
        Hop::NxDomain(_) => End::NxDomain,
    };
    request.trace.note(0, || Event::Ended {
        question: Question::new(owner.clone(), rtype),
        end,
        ttl: shortest(&hop.sets()),
        security: hop.security(),
    });
}

/// The time of the set that goes first.
fn shortest(sets: &[&Held]) -> Option<Ttl> {
    let first = sets.iter().min_by_key(|held| held.left)?;
    Some(Ttl { left: first.left, original: first.set.ttl })
}

/// EDE 3 or 19 for a stale hop, naming it (R39).
fn note_stale(answer: &mut Answer, request: &Request, owner: &Name, rtype: RrType, hop: &Hop) {
    if !hop.is_stale() {
        return;
    }
    request.trace.note(0, || Event::Stale { owner: owner.clone(), rtype });
    let code = if matches!(hop, Hop::NxDomain(_)) { Ede::STALE_NXDOMAIN } else { Ede::STALE_ANSWER };
    answer.edes.push(Ede::new(code, format!("stale: {owner} {rtype} could not be refreshed")));
}
