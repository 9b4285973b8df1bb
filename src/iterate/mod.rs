//! DELEGATION: what (name, type) is, from the cache or by walking from the closest known zone cut.
//!
//! Knows: that equal look-ups share one walk, that what is learned is judged and stored, and which other
//! server to try when it proves bogus. `walk` goes down, `ask` asks the servers of one cut, `select` chooses
//! among them, `reach` finds where they are, `prime` the way in; `prove`, `validate` and `follow` see to
//! keys and signatures. Does not know: aliases beyond one owner (`chain` follows them), staleness
//! (`resolver`).
//!
//! RFC 1034 §5.3.3, RFC 9156, RFC 9609. Shown by: `tests/scenarios/walk_*`, `r09_*`.

mod ask;
pub mod flights;
mod follow;
pub mod minimise;
mod prime;
mod prove;
mod reach;
pub mod select;
mod validate;
mod walk;

use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::budget::Purpose;
use crate::cache::Cache;
use crate::cache::hop::{Denial, Held, Hop, Judged};
use crate::cache::rrsets::Freshness;
use crate::config::Config;
use crate::dnssec::anchors::TrustAnchors;
use crate::dnssec::rollover::TrustPoint;
use crate::dnssec::{Reason, Security};
use crate::failure::{Failure, Limit};
use crate::request::Request;
use crate::rrset::{Question, RrSet};
use crate::trace::Event;
use crate::trust::Rank;
use crate::trust::scrub::{Reply, Volunteered};
use crate::upstream::Upstream;
use crate::wire::Name;
use crate::world::{BoxFuture, World};
use flights::{Flights, Found, Key, Outcome, Role, Usage};
use walk::Walked;

/// The port of the DNS.
pub const PORT: u16 = 53;
/// Servers asked in turn for something that proves bogus.
const BOGUS_TRIES: usize = 3;
/// Others' look-ups of the same that one waits for in vain, since they end at a limit of their own. What the first has learned
/// may be enough for the second; where others fail too who had less to spend, it may be on purpose.
const JOINS: u8 = 4;

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
    /// Proofs above that wait for this one.
    proofs: u8,
    /// Ask even though the cache has it.
    refresh: bool,
    /// Told when nothing but the whole name is left to be asked: who looks for another type of it need not walk.
    arriving: Option<Arc<Notify>>,
}

struct Reaching {
    zone: Name,
    above: Option<Arc<Reaching>>,
}

impl Scope {
    /// For a hop of the chain.
    pub fn hop(id: u32) -> Scope {
        Scope {
            id,
            depth: 0,
            purpose: Purpose::Main,
            reaching: None,
            proving: None,
            proofs: 0,
            refresh: false,
            arriving: None,
        }
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
            proofs: self.proofs,
            refresh: false,
            arriving: None,
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
            let mut joined = 0;
            loop {
                let key = Key { name: name.clone(), rtype: *rtype, usage, era: request.era };
                let lead = match self.flights.join(key, request.id) {
                    Role::Lead(lead) => Some(lead),
                    Role::Alone => None,
                    Role::Follow(_) if joined == JOINS => None,
                    Role::Follow(follow) => {
                        request.trace.note(scope.id, || Event::Joined { question: question.clone() });
                        match timeout_at(request.budget.deadline(), follow.outcome()).await {
                            Err(_) => return Err(out_of(Limit::Time, name)),
                            Ok(None) => continue,
                            Ok(Some(told)) if joined > 0 && told.with_all => return told.outcome,
                            Ok(Some(told)) if !hangs_on_the_asker(&told.outcome) => return told.outcome,
                            Ok(Some(_)) => {
                                // One of those who have waited leads now, and not all at once.
                                joined += 1;
                                continue;
                            }
                        }
                    }
                };
                let with_all = !scope.is_nested() && request.budget.is_whole();
                // Looked for only now: it may have been stored since the asker has looked.
                let outcome = if let Some(hop) = self.cached(request, question, scope, usage) {
                    Ok(Found::Hop(hop))
                } else {
                    self.learn(request, question, scope, usage).await
                };
                if let Some(lead) = lead {
                    lead.finish(&outcome, with_all && is_of_messages(&outcome));
                }
                return outcome;
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
        // What is bogus may be better when it is asked for again; if it cannot be had, this is what is known.
        let mut bogus = None;
        if usage == Usage::Proven && !scope.refresh {
            match self.prove_remembered(request, question, scope).await {
                Some(hop) if is_too_much(&hop) => return Ok(Found::Hop(hop)),
                Some(hop) if matches!(hop.security(), Security::Bogus(_)) => bogus = Some(hop),
                Some(hop) => return Ok(Found::Hop(hop)),
                None => {}
            }
            if let Some(hop) = self.deduced(request, question) {
                return Ok(Found::Hop(hop));
            }
        }
        for _ in 0..BOGUS_TRIES {
            match self.walk(request, question, scope, usage == Usage::Reach).await {
                Ok(Walked::Glue(addresses)) => return Ok(Found::Glue(addresses)),
                Ok(Walked::Reply { reply, zone, server }) => {
                    let hop = self.take(request, question, reply, &zone, scope, usage).await;
                    // Where the work is used up another server's answer could not be judged either.
                    if !matches!(hop.security(), Security::Bogus(_)) || is_too_much(&hop) {
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

    /// Judges what is only remembered.
    async fn prove_remembered(
        self: &Arc<Self>,
        request: &Arc<Request>,
        question: &Question,
        scope: &Scope,
    ) -> Option<Hop> {
        let hop = self.remembered(request, question)?;
        // A denial that came from a file has lost its proof, and would be found wanting for a minute.
        if matches!(hop, Hop::NoData(_) | Hop::NxDomain(_))
            && let Some(hop) = self.deduced(request, question)
        {
            return Some(hop);
        }
        let zone = self.zone_of(request, question);
        let judged = self.judge(request, question, &hop, &zone, scope).await;
        if judged.is_not_of_the_data() {
            return Some(hop.with_security(&judged.security));
        }
        let (now, rank) = (self.world.clock.now(), Rank::AuthAnswer);
        Some(self.cache.rrsets.settle(&request.own, question, hop, rank, &judged, now))
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
        let Some((hop, rank)) = self.cache.rrsets.hop_of(reply) else {
            return Hop::NoData(Denial::bare());
        };
        let judged = match usage {
            Usage::Proven => self.judge(request, question, &hop, zone, scope).await,
            Usage::Raw | Usage::Reach | Usage::Step => Judged::UNCHECKED,
        };
        if judged.is_not_of_the_data() {
            // What is known, and be it for bad times, is better than what could not be judged.
            let now = self.world.clock.now();
            let Question { name, rtype, .. } = question;
            let known = self.cache.rrsets.look_up(&request.own, name, *rtype, Freshness::Stale, now);
            if !known.is_some_and(|hop| hop.security().is_settled()) {
                self.store(request, question, (hop.clone(), rank), &Judged::UNCHECKED, scope);
            }
            return hop.with_security(&judged.security);
        }
        let hop = self.store(request, question, (hop, rank), &judged, scope);
        if !volunteered.sets.is_empty() && (volunteered.unforgeable || judged.security == Security::Secure) {
            self.store_volunteered(request, volunteered.sets, zone, scope);
        }
        hop
    }

    /// The zone whose servers are asked for (name, type), as far as is known.
    fn zone_of(self: &Arc<Self>, request: &Arc<Request>, question: &Question) -> Name {
        self.closest_cut(request, &question.name, question.rtype).0.zone.clone()
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
}

/// Was the work that one question may cause not enough to judge it?
fn is_too_much(hop: &Hop) -> bool {
    hop.security() == Security::Bogus(Reason::TooMuchWork)
}

/// Might somebody else's look-up of the same come to something else, with a budget of its own?
fn hangs_on_the_asker(outcome: &Outcome) -> bool {
    match outcome {
        Ok(Found::Hop(hop)) => is_too_much(hop),
        Ok(Found::Glue(_)) => false,
        Err(failure) => failure.depends_on_the_asker(),
    }
}

/// Was it ended by what one question may send or receive, or how deep it may go? Time is another matter: who came
/// later has more of it.
fn is_of_messages(outcome: &Outcome) -> bool {
    let limit = outcome.as_ref().err().and_then(|failure| failure.own_limit());
    matches!(limit, Some(Limit::Messages | Limit::Octets | Limit::Depth))
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
