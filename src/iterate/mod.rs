//! DELEGATION: walking from the closest known zone cut down to who knows.
//!
//! Knows: referrals, stub and forward zones, minimised questions and their fallback, addresses of
//! name servers (which need walks of their own, on the same budget), priming (RFC 9609), and that
//! equal look-ups share one walk. Does not know: aliases beyond one owner (`chain` follows them),
//! staleness (`resolver`), which server is best (`select`).
//!
//! RFC 1034 §5.3.3, RFC 9156, RFC 9609. Shown by: `tests/scenarios/walk_*`, `r09_*`.

mod ask;
pub mod flights;
mod follow;
pub mod minimise;
mod prove;
pub mod select;
mod validate;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::{Instant, timeout_at};

use crate::budget::{self, Purpose};
use crate::cache::Cache;
use crate::cache::cuts::{Cut, CutKind};
use crate::cache::hop::{Alias, Denial, Held, Hop, Judged};
use crate::cache::rrsets::Freshness;
use crate::chain;
use crate::config::{Config, RouteKind};
use crate::dnssec::anchors::TrustAnchors;
use crate::dnssec::rollover::TrustPoint;
use crate::dnssec::{Reason, Security};
use crate::failure::{Failure, Limit, Tally};
use crate::request::Request;
use crate::rrset::{Question, RrSet, RrType};
use crate::trace::{CutFrom, Event, LintCode, Policy, Why};
use crate::trust::Rank;
use crate::trust::scrub::{Manner, NameServer, Proof, Referral, Reply, Volunteered};
use crate::upstream::Upstream;
use crate::wire::Name;
use crate::world::{BoxFuture, World, lock};
use flights::{Flights, Found, Key, Lead, Outcome, Role, Usage};

/// The port of the DNS.
pub const PORT: u16 = 53;
/// Servers asked in turn for something that proves bogus.
const BOGUS_TRIES: usize = 3;
/// After a failed priming the hints serve for so long before it is tried again.
pub const PRIMING_PAUSE: Duration = Duration::from_secs(10);
/// Life of a cut made from the configuration; it is made anew for every question.
const CONFIGURED_LIFE: Duration = Duration::from_secs(7 * 86_400);

/// Walks for everybody.
pub struct Walker {
    world: World,
    cache: Arc<Cache>,
    upstream: Upstream,
    flights: Flights,
    /// When the next priming may start.
    priming: Mutex<Option<Instant>>,
    anchors: ArcSwap<TrustAnchors>,
    /// What was seen of the keys of zones with anchors (RFC 5011).
    points: Mutex<Vec<TrustPoint>>,
}

/// Where in the tree of look-ups of one request we are.
#[derive(Clone)]
pub struct Scope {
    /// For the trace.
    pub id: u32,
    /// Levels of name server look-ups above.
    depth: u8,
    purpose: Purpose,
    /// The zones whose servers' addresses are wanted above, innermost first.
    reaching: Option<Arc<Reaching>>,
    /// The zones whose keys are wanted above.
    proving: Option<Arc<Reaching>>,
    /// Ask even though the cache has it.
    refresh: bool,
}

struct Reaching {
    zone: Name,
    above: Option<Arc<Reaching>>,
}

impl Scope {
    /// For a hop of the chain.
    pub fn hop(id: u32) -> Scope {
        Scope { id, depth: 0, purpose: Purpose::Main, reaching: None, proving: None, refresh: false }
    }

    /// For a hop that is asked for again before it expires.
    pub fn refresh(id: u32) -> Scope {
        Scope { refresh: true, ..Scope::hop(id) }
    }

    fn for_server_of(&self, zone: &Name, id: u32) -> Scope {
        let reaching = Reaching { zone: zone.clone(), above: self.reaching.clone() };
        Scope {
            id,
            depth: self.depth + 1,
            purpose: Purpose::Side,
            reaching: Some(Arc::new(reaching)),
            proving: None,
            refresh: false,
        }
    }

    /// Is this part of the search for a server's address, where other zones' failures may be the reason for this?
    fn is_nested(&self) -> bool {
        self.reaching.is_some()
    }

    fn is_reaching(&self, zone: &Name) -> bool {
        Reaching::holds(self.reaching.as_ref(), zone)
    }
}

impl Reaching {
    fn holds(mut at: Option<&Arc<Reaching>>, zone: &Name) -> bool {
        while let Some(reaching) = at {
            if reaching.zone == *zone {
                return true;
            }
            at = reaching.above.as_ref();
        }
        false
    }
}

/// What a walk came to.
enum Walked {
    Reply { reply: Reply, zone: Name, server: SocketAddr },
    Glue(Vec<IpAddr>),
}

/// What to do about a minimised question.
enum Step<'a> {
    /// To ask it: for others too, or alone.
    Ask(Option<Lead<'a>>),
    /// Nothing: another request has asked it meanwhile.
    Awaited,
}

impl Walker {
    /// One for all workers.
    pub fn new(config: &Config, world: World, cache: Arc<Cache>) -> Arc<Walker> {
        let upstream = Upstream::new(world.clone());
        Arc::new(Walker {
            world,
            cache,
            upstream,
            flights: Flights::default(),
            priming: Mutex::new(None),
            anchors: ArcSwap::from_pointee(TrustAnchors::of(&config.dnssec)),
            points: Mutex::default(),
        })
    }

    /// What (name, type) is: from the cache, from a walk that is under way, or from one of our own;
    /// proven as far as it can be when the request wants that.
    pub async fn find(
        self: &Arc<Self>,
        request: &Arc<Request>,
        question: &Question,
        scope: &Scope,
    ) -> Result<Hop, Arc<Failure>> {
        let usage = if request.validate { Usage::Proven } else { Usage::Raw };
        self.look_up_hop(request, question, scope, usage).await
    }

    async fn look_up_hop(
        self: &Arc<Self>,
        request: &Arc<Request>,
        question: &Question,
        scope: &Scope,
        usage: Usage,
    ) -> Result<Hop, Arc<Failure>> {
        match self.look_up(request, question, scope, usage).await? {
            Found::Hop(hop) => Ok(hop),
            // Only look-ups for reaching get glue.
            Found::Glue(_) => Ok(Hop::NoData(Denial::bare())),
        }
    }

    fn look_up<'a>(
        self: &'a Arc<Self>,
        request: &'a Arc<Request>,
        question: &'a Question,
        scope: &'a Scope,
        usage: Usage,
    ) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let Question { name, rtype, .. } = question;
            loop {
                let key = Key { name: name.clone(), rtype: *rtype, usage };
                match self.flights.join(key, request.id) {
                    Role::Lead(lead) => {
                        // Looked for only now: it may have been stored since the asker has looked.
                        let outcome = match self.cached(request, question, scope, usage) {
                            Some(hop) => Ok(Found::Hop(hop)),
                            None => self.learn(request, question, scope, usage).await,
                        };
                        lead.finish(&outcome);
                        return outcome;
                    }
                    Role::Alone => {
                        return match self.cached(request, question, scope, usage) {
                            Some(hop) => Ok(Found::Hop(hop)),
                            None => self.learn(request, question, scope, usage).await,
                        };
                    }
                    Role::Follow(follow) => {
                        request.trace.note(scope.id, || Event::Joined { question: question.clone() });
                        match timeout_at(request.budget.deadline(), follow.outcome()).await {
                            Err(_) => return Err(out_of(Limit::Time, name)),
                            Ok(None) => {}
                            Ok(Some(Err(f))) if f.depends_on_the_asker() => {
                                return self.learn(request, question, scope, usage).await;
                            }
                            Ok(Some(outcome)) => return outcome,
                        }
                    }
                }
            }
        })
    }

    /// What the cache has, good enough for its use.
    fn cached(&self, request: &Request, question: &Question, scope: &Scope, usage: Usage) -> Option<Hop> {
        if scope.refresh {
            return None;
        }
        let hop = self.remembered(request, question)?;
        if usage == Usage::Proven && hop.security() == Security::Unchecked {
            return None;
        }
        request.trace.note(scope.id, || {
            let left = hop.sets().iter().map(|h| h.left).min().unwrap_or(0);
            Event::CacheHit { owner: question.name.clone(), rtype: question.rtype, ttl: left, stale: false }
        });
        Some(hop)
    }

    fn remembered(&self, request: &Request, question: &Question) -> Option<Hop> {
        let now = self.world.clock.now();
        self.cache.rrsets.look_up(&request.own, &question.name, question.rtype, Freshness::Live, now)
    }

    /// Walks, or proves what is only remembered.
    async fn learn(
        self: &Arc<Self>,
        request: &Arc<Request>,
        question: &Question,
        scope: &Scope,
        usage: Usage,
    ) -> Outcome {
        let mut bogus = None;
        let remembered =
            if usage == Usage::Proven && !scope.refresh { self.remembered(request, question) } else { None };
        // A denial that came from a file has lost its proof, and would be found wanting for a minute.
        if matches!(remembered, Some(Hop::NoData(_) | Hop::NxDomain(_)))
            && let Some(hop) = self.deduced(request, question)
        {
            return Ok(Found::Hop(hop));
        }
        if let Some(hop) = remembered {
            let zone = self.zone_of(request, question);
            let judged = self.judge(request, question, &hop, &zone, scope).await;
            let (now, rank) = (self.world.clock.now(), Rank::AuthAnswer);
            let hop = self.cache.rrsets.settle(&request.own, question, hop, rank, &judged, now);
            if !matches!(judged.security, Security::Bogus(_)) {
                return Ok(Found::Hop(hop));
            }
            // It may be better when it is asked for again; if it cannot be had, this is what is known.
            bogus = Some(hop);
        }
        if usage == Usage::Proven
            && !scope.refresh
            && let Some(hop) = self.deduced(request, question)
        {
            return Ok(Found::Hop(hop));
        }
        for _ in 0..BOGUS_TRIES {
            match self.walk(request, question, scope, usage == Usage::Reach).await {
                Ok(Walked::Glue(addresses)) => return Ok(Found::Glue(addresses)),
                Ok(Walked::Reply { reply, zone, server }) => {
                    let hop = self.take(request, question, reply, &zone, scope, usage).await;
                    // Where the work is used up another server's answer could not be judged either.
                    if !matches!(hop.security(), Security::Bogus(reason) if reason != Reason::TooMuchWork) {
                        return Ok(Found::Hop(hop));
                    }
                    bogus = Some(hop);
                    request.avoid(&zone, server);
                }
                Err(failure) => return bogus.map(Found::Hop).ok_or(failure),
            }
        }
        bogus.map(Found::Hop).ok_or_else(|| out_of(Limit::Messages, &question.name))
    }

    /// Judges a reply if that is wanted, stores it, and says what it is.
    async fn take(
        self: &Arc<Self>,
        request: &Arc<Request>,
        question: &Question,
        mut reply: Reply,
        zone: &Name,
        scope: &Scope,
        usage: Usage,
    ) -> Hop {
        let volunteered = match &mut reply {
            Reply::Alias { volunteered, .. } => std::mem::take(volunteered),
            _ => Volunteered::default(),
        };
        // `ask` turns what is no hop into failures, `walk` follows referrals.
        let Some((hop, rank)) = self.cache.rrsets.hop_of(reply) else { return Hop::NoData(Denial::bare()) };
        let judged = match usage {
            Usage::Proven => self.judge(request, question, &hop, zone, scope).await,
            Usage::Raw | Usage::Reach | Usage::Step => Judged::UNCHECKED,
        };
        let hop = self.store(request, question, (hop, rank), &judged, scope);
        if !volunteered.sets.is_empty() && (volunteered.unforgeable || judged.security == Security::Secure) {
            self.store_volunteered(request, volunteered.sets, zone, scope);
        }
        hop
    }

    /// From the closest cut down to the answer.
    async fn walk(
        self: &Arc<Self>,
        request: &Arc<Request>,
        question: &Question,
        scope: &Scope,
        for_reach: bool,
    ) -> Result<Walked, Arc<Failure>> {
        let Question { name, rtype, .. } = question;
        let (mut cut, mut from) = self.closest_cut(request, name, *rtype);
        if for_reach && let Some(glue) = self.glue_for(&cut, name) {
            return Ok(Walked::Glue(glue));
        }
        note_route(request, name, scope.id);
        let labels = name.label_count();
        let mut shown = cut.zone.label_count();
        let mut minimise = request.config.resolver.qname_minimisation;
        let mut awaited = None;
        loop {
            request.trace.note(scope.id, || Event::CutFound {
                zone: cut.zone.clone(),
                from,
                servers: cut.servers.len() + cut.addresses.len(),
            });
            let step = if minimise && cut.kind != CutKind::Forward {
                minimise::next_labels(shown, labels, request.budget.minimised_left())
            } else {
                labels
            };
            let whole = step >= labels;
            let part = Question {
                name: minimise::shown(name, step),
                rtype: minimise::shown_type(&cut.zone),
                class: question.class,
            };
            if !whole && self.leads_nowhere(request, &part) {
                shown = step;
                continue;
            }
            // Until what comes of it is stored.
            let _leading = if !whole || minimise && minimise::mostly_a_cut(&cut, question) {
                match self.step(request, &part, scope, &mut awaited).await? {
                    Step::Ask(leading) => leading,
                    Step::Awaited => {
                        let (known, how) = self.closest_cut(request, name, *rtype);
                        if known.zone.is_below(&cut.zone) {
                            shown = known.zone.label_count();
                            (cut, from) = (known, how);
                            if for_reach && let Some(glue) = self.glue_for(&cut, name) {
                                return Ok(Walked::Glue(glue));
                            }
                        }
                        continue;
                    }
                }
            } else {
                None
            };
            if whole {
                let (reply, server) =
                    self.ask(request, &cut, question, scope, Manner::Authority, false).await?;
                match reply {
                    Reply::Referral(referral) => {
                        if *rtype == RrType::DS && referral.zone == *name {
                            // It does not know that DS is the parent's (RFC 4035 §3.1.4.1).
                            let reply = Reply::NoData { soa: None, proof: Proof::default() };
                            return Ok(Walked::Reply { reply, zone: cut.zone.clone(), server });
                        }
                        cut = self.enter(request, referral, &cut);
                    }
                    reply => return Ok(Walked::Reply { reply, zone: cut.zone.clone(), server }),
                }
            } else {
                match self.ask(request, &cut, &part, scope, Manner::Authority, true).await {
                    Ok((Reply::Referral(referral), _)) => cut = self.enter(request, referral, &cut),
                    Ok((Reply::Alias { redirection, rank, volunteered, proof }, server)) => {
                        if let Some(dname) = redirection.dname() {
                            // A DNAME above the part is above the whole name too (R9).
                            let redirection = chain::rewrite(name, dname.clone());
                            let volunteered = Volunteered::default();
                            let reply = Reply::Alias { redirection, rank, volunteered, proof };
                            return Ok(Walked::Reply { reply, zone: cut.zone.clone(), server });
                        }
                        let reply = Reply::Alias { redirection, rank, volunteered, proof };
                        self.store_part(request, &part, reply, scope);
                        shown = step;
                        continue;
                    }
                    Ok((reply @ (Reply::Data { .. } | Reply::NoData { .. }), _)) => {
                        self.store_part(request, &part, reply, scope);
                        shown = step;
                        // Below a name that the root itself has there are no cuts.
                        minimise &= !cut.zone.is_root();
                        continue;
                    }
                    // Some servers deny empty non-terminals or fail at them: the whole name decides
                    // (RFC 9156 §2.3 step 6, in its relaxed form).
                    Ok((Reply::NxDomain { .. } | Reply::Unusable(_), _)) => {
                        request.budget.minimised_in_vain();
                        minimise = false;
                        continue;
                    }
                    Err(failure) if answered_badly(&failure) => {
                        minimise = false;
                        continue;
                    }
                    Err(failure) => return Err(Arc::new(failure.about(name, *rtype))),
                }
            }
            from = CutFrom::Referral;
            minimise = request.config.resolver.qname_minimisation;
            shown = cut.zone.label_count();
            if for_reach && let Some(glue) = self.glue_for(&cut, name) {
                return Ok(Walked::Glue(glue));
            }
        }
    }

    /// Equal minimised questions of several requests are asked once; each request waits for one only once.
    async fn step<'a>(
        &'a self,
        request: &Request,
        part: &Question,
        scope: &Scope,
        awaited: &mut Option<Name>,
    ) -> Result<Step<'a>, Arc<Failure>> {
        if awaited.as_ref() == Some(&part.name) {
            return Ok(Step::Ask(None));
        }
        let key = Key { name: part.name.clone(), rtype: part.rtype, usage: Usage::Step };
        match self.flights.join(key, request.id) {
            Role::Lead(lead) => Ok(Step::Ask(Some(lead))),
            Role::Alone => Ok(Step::Ask(None)),
            Role::Follow(follow) => {
                request.trace.note(scope.id, || Event::Joined { question: part.clone() });
                *awaited = Some(part.name.clone());
                let waiting = timeout_at(request.budget.deadline(), follow.outcome());
                waiting.await.map_or_else(|_| Err(out_of(Limit::Time, &part.name)), |_| Ok(Step::Awaited))
            }
        }
    }

    /// Goes down to the cut of a referral. What the parent said of its DS is remembered, unproven.
    fn enter(&self, request: &Request, mut referral: Referral, above: &Cut) -> Arc<Cut> {
        if request.config.dnssec.validation {
            let question = Question::new(referral.zone.clone(), RrType::DS);
            let proof = std::mem::take(&mut referral.proof);
            let reply = match referral.ds.take() {
                Some(ds) => Some(Reply::Data { sets: vec![ds], rank: Rank::AuthAnswer, proof }),
                None if !proof.is_empty() => Some(Reply::NoData { soa: None, proof }),
                None => None,
            };
            if let Some(hop) = reply.and_then(|reply| self.cache.rrsets.hop_of(reply))
                && self.remembered(request, &question).is_none()
            {
                self.store(request, &question, hop, &Judged::UNCHECKED, &Scope::hop(0));
            }
        }
        let (guarded, now) = (referral.guarded, self.world.clock.now());
        let cut = Cut::delegated(referral, above, now);
        if guarded {
            self.cache.siblings.tell(&cut, above, now);
        }
        self.cache.cuts.store(&cut);
        Arc::new(cut)
    }

    /// The addresses that came with the delegation for this very name server, or that the servers of its
    /// closest cut have told along with another delegation.
    fn glue_for(&self, cut: &Cut, server: &Name) -> Option<Vec<IpAddr>> {
        match cut.servers.iter().find(|s| s.name == *server) {
            Some(NameServer { glue, .. }) if !glue.is_empty() => Some(glue.clone()),
            _ => self.cache.siblings.of(server, cut, self.world.clock.now()),
        }
    }

    /// The zone whose servers are asked for (name, type), as far as is known.
    fn zone_of(self: &Arc<Self>, request: &Arc<Request>, question: &Question) -> Name {
        self.closest_cut(request, &question.name, question.rtype).0.zone.clone()
    }

    /// Is it known that a minimised question would be answered without a referral?
    fn leads_nowhere(&self, request: &Request, part: &Question) -> bool {
        let now = self.world.clock.now();
        let known = self.cache.rrsets.look_up(&request.own, &part.name, part.rtype, Freshness::Live, now);
        matches!(known, Some(Hop::Data(_) | Hop::NoData(_) | Hop::Alias(Alias::Cname(_))))
    }

    /// Puts a hop into the cache.
    fn store(
        &self,
        request: &Request,
        question: &Question,
        (hop, rank): (Hop, Rank),
        judged: &Judged,
        scope: &Scope,
    ) -> Hop {
        let now = self.world.clock.now();
        let hop = self.cache.rrsets.settle(&request.own, question, hop, rank, judged, now);
        for held in hop.sets() {
            note_stored(request, scope, held, false);
        }
        hop
    }

    /// Further links of an in-zone chain: not below a closer cut, and never over what is known (R3).
    fn store_volunteered(&self, request: &Request, sets: Vec<RrSet>, zone: &Name, scope: &Scope) {
        let now = self.world.clock.now();
        for set in sets {
            let question = Question::new(set.owner.clone(), set.rtype);
            let closer = self.cache.cuts.closest_zone(&set.owner, now).is_some_and(|cut| cut.is_below(zone));
            if !closer && self.remembered(request, &question).is_none() {
                let hop = self.cache.rrsets.hop_of_set(set);
                let (rank, judged) = (Rank::Volunteered, Judged::UNCHECKED);
                let hop = self.cache.rrsets.settle(&request.own, &question, hop, rank, &judged, now);
                hop.sets().into_iter().for_each(|held| note_stored(request, scope, held, true));
            }
        }
    }

    /// The answer to a minimised question: remembered as what it is, and proves nothing here.
    fn store_part(&self, request: &Request, part: &Question, reply: Reply, scope: &Scope) {
        if let Some(hop) = self.cache.rrsets.hop_of(reply) {
            self.store(request, part, hop, &Judged::UNCHECKED, scope);
        }
        request.budget.minimised_in_vain();
    }

    /// Where the walk begins: at a stub or forward zone, at a known cut, or at the root. What the
    /// parent side of a cut answers (DS) is looked for from above it (RFC 4035 §3.1.4.1).
    fn closest_cut(
        self: &Arc<Self>,
        request: &Arc<Request>,
        name: &Name,
        rtype: RrType,
    ) -> (Arc<Cut>, CutFrom) {
        let now = self.world.clock.now();
        let above = if rtype == RrType::DS { name.parent() } else { None };
        let name = above.as_ref().unwrap_or(name);
        let route = request.config.route_over(name);
        let known = self.cache.cuts.closest(name, now).map(Arc::new);
        if let Some(route) = route {
            let below = known.filter(|cut| route.kind == RouteKind::Stub && cut.zone.is_below(&route.zone));
            if let Some(cut) = below {
                return (cut, CutFrom::Cache);
            }
            let kind = if route.kind == RouteKind::Stub { CutKind::Stub } else { CutKind::Forward };
            let cut = Cut::configured(route.zone.clone(), kind, route.servers.clone(), now + CONFIGURED_LIFE);
            return (Arc::new(cut), CutFrom::Configuration);
        }
        match known {
            Some(cut) => (cut, CutFrom::Cache),
            None => {
                self.prime_soon(&request.config);
                (Arc::new(root_from_hints(&request.config, now + CONFIGURED_LIFE)), CutFrom::Hints)
            }
        }
    }

    /// Addresses of a name server, for reaching `zone`. Empty when it has none that can be used;
    /// an error when somebody else might find one: a limit was reached, or the delegation goes in a circle.
    async fn addresses_of(
        self: &Arc<Self>,
        request: &Arc<Request>,
        server: &Name,
        zone: &Name,
        scope: &Scope,
    ) -> Result<Vec<IpAddr>, Arc<Failure>> {
        let parent = scope.id;
        let depth = scope.depth + 1;
        let one = |rtype: RrType| {
            let id = request.trace.open();
            let scope = scope.for_server_of(zone, id);
            async move {
                let question = Question::new(server.clone(), rtype);
                request.trace.note(id, || Event::Wanted {
                    question: question.clone(),
                    why: Why::ServerAddress,
                    parent,
                });
                let found = self.look_up(request, &question, &scope, Usage::Reach).await;
                let glue = matches!(found, Ok(Found::Glue(_)));
                let addresses = match found {
                    Ok(Found::Glue(addresses)) => Ok(addresses),
                    Ok(Found::Hop(Hop::Data(sets))) => {
                        Ok(sets.iter().flat_map(|held| held.set.addresses().collect::<Vec<_>>()).collect())
                    }
                    Ok(Found::Hop(Hop::Alias(_))) => {
                        // R1, RFC 2181 §10.3.
                        request.trace.note(id, || Event::Lint {
                            code: LintCode::NsTargetAlias,
                            owner: server.clone(),
                        });
                        Ok(Vec::new())
                    }
                    Ok(Found::Hop(_)) => Ok(Vec::new()),
                    Err(failure) if failure.depends_on_the_asker() => Err(failure),
                    Err(_) => Ok(Vec::new()),
                };
                let shown = || addresses.as_ref().cloned().unwrap_or_default();
                request.trace.note(id, || Event::Reached { addresses: shown(), glue });
                addresses
            }
        };
        // Always polled in this order, or a replay might ask in another.
        let (v4, v6) = match (request.routes.v4, request.routes.v6) {
            (true, true) if depth <= 2 => tokio::join!(biased; one(RrType::A), one(RrType::AAAA)),
            (true, _) => (one(RrType::A).await, Ok(Vec::new())),
            (false, true) => (Ok(Vec::new()), one(RrType::AAAA).await),
            (false, false) => (Ok(Vec::new()), Ok(Vec::new())),
        };
        let failure = v4.as_ref().err().or(v6.as_ref().err()).cloned();
        let mut found = [v4.unwrap_or_default(), v6.unwrap_or_default()].concat();
        found.retain(|address| usable(request, *address));
        found.sort();
        found.dedup();
        if found.is_empty() {
            request.budget.address_lookup_failed();
        }
        match failure {
            Some(failure) if found.is_empty() => Err(failure),
            _ => Ok(found),
        }
    }

    /// Asks the root servers for themselves, beside the question that needed the root (RFC 9609).
    fn prime_soon(self: &Arc<Self>, config: &Arc<Config>) {
        if !config.resolver.root_priming || config.resolver.hints.is_empty() {
            return;
        }
        let now = self.world.clock.now();
        {
            let mut next = lock(&self.priming);
            if next.is_some_and(|at| now < at) {
                return;
            }
            *next = Some(now + PRIMING_PAUSE);
        }
        let (walker, config) = (Arc::clone(self), Arc::clone(config));
        tokio::spawn(async move {
            let request = Arc::new(Request::new(config, &walker.world, false));
            walker.prime(&request).await;
        });
    }

    async fn prime(self: &Arc<Self>, request: &Arc<Request>) {
        let now = self.world.clock.now();
        let hints = Arc::new(root_from_hints(&request.config, now + CONFIGURED_LIFE));
        let question = Question::new(Name::root(), RrType::NS);
        let scope = Scope::hop(request.trace.open());
        let reply = self.ask(request, &hints, &question, &scope, Manner::Priming, false).await;
        let Ok((Reply::Referral(mut referral), _)) = reply else { return };
        for server in &mut referral.servers {
            // RFC 9609 §3.3: not every address needs to come along.
            if server.glue.is_empty()
                && let Some(hint) = request.config.resolver.hints.iter().find(|h| h.name == server.name)
            {
                server.glue.clone_from(&hint.addresses);
            }
        }
        if referral.servers.iter().all(|s| s.glue.iter().all(|a| !usable(request, *a))) {
            return;
        }
        let ttl = Duration::from_secs(u64::from(referral.ttl.min(crate::cache::cuts::MAX_TTL)));
        let now = self.world.clock.now();
        self.cache.cuts.store(&Cut::root(referral.servers, now + ttl));
    }
}

fn note_stored(request: &Request, scope: &Scope, held: &Held, volunteered: bool) {
    request.trace.note(scope.id, || Event::Stored {
        owner: held.set.owner.clone(),
        rtype: held.set.rtype,
        ttl: held.left,
        volunteered,
    });
}

fn out_of(limit: Limit, at: &Name) -> Arc<Failure> {
    Arc::new(Failure::Limit { limit, at: at.clone() })
}

/// Did servers answer, only not usefully?
fn answered_badly(failure: &Failure) -> bool {
    match failure {
        Failure::NoServer { tally, .. } => {
            *tally != Tally { silent: tally.silent, unreachable: tally.unreachable, ..Tally::default() }
        }
        _ => false,
    }
}

fn root_from_hints(config: &Config, expires: Instant) -> Cut {
    let servers = config
        .resolver
        .hints
        .iter()
        .map(|h| NameServer { name: h.name.clone(), glue: h.addresses.clone(), hearsay: Vec::new() })
        .collect();
    Cut::root(servers, expires)
}

/// May a query go to this address? Never to what cannot be a server; to loopback only when the
/// operator says so, by the setting or by naming the address in the hints.
fn usable(request: &Request, address: IpAddr) -> bool {
    let resolver = &request.config.resolver;
    let possible = match address {
        IpAddr::V4(v4) => {
            !(v4.is_unspecified() || v4.is_multicast() || v4.is_broadcast() || v4.octets()[0] == 0)
        }
        IpAddr::V6(v6) => !(v6.is_unspecified() || v6.is_multicast() || v6.to_ipv4_mapped().is_some()),
    };
    possible
        && request.routes.reach(address)
        && (!address.is_loopback()
            || resolver.query_localhost
            || resolver.hints.iter().any(|hint| hint.addresses.contains(&address)))
}

/// Can the depth of name server look-ups grow by one more?
fn may_go_deeper(scope: &Scope) -> bool {
    scope.depth < budget::DEPTH
}

fn server_at(address: IpAddr) -> SocketAddr {
    SocketAddr::new(address, PORT)
}

fn note_route(request: &Request, name: &Name, scope: u32) {
    let Some(route) = request.config.route_over(name) else { return };
    request.trace.note(scope, || Event::Policy {
        policy: match route.kind {
            RouteKind::Stub => Policy::Stub(route.zone.clone()),
            RouteKind::Forward => Policy::Forward(route.zone.clone()),
        },
    });
}
