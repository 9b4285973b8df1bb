//! One question to the servers of one zone cut, until one of them answers usefully.
//!
//! Knows: asking the next server early when one is slow, finding addresses of name servers without
//! glue, giving up. Every reply is read by `trust::scrub`; one that is of no use moves on to the
//! next server and is remembered. Shown by: `tests/scenarios/walk_lame_*`, `walk_*_moves_on`;
//! `../shared/attacks` lame, dead, loss, nxns, camp.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};

use super::flights::Usage;
use super::reach::{may_go_deeper, server_at, usable};
use super::select::{self, Candidate};
use super::{Scope, Walker, out_of};
use crate::cache::crowds::Standing;
use crate::cache::cuts::{Cut, CutKind};
use crate::cache::hop::{Hop, Judged};
use crate::cache::rrsets::Freshness;
use crate::cache::servers::{Known, UNKNOWN_PATIENCE, UNKNOWN_REPEAT};
use crate::failure::{Failure, Limit, Tally, Unaddressed};
use crate::request::Request;
use crate::rrset::{Question, RrType};
use crate::trace::{Event, Flaw, Meaning};
use crate::trust::Rank;
use crate::trust::scrub::{self, Asked, Manner, Proof, Reply};
use crate::upstream::{AskError, Query, Received};
use crate::wire::{Message, Name};
use crate::world::{BoxFuture, Rng};

/// The servers of one zone get so long for one question; four silent ones cost less than the four
/// seconds after which people think that the network is gone.
pub const TIME_PER_ZONE: Duration = Duration::from_millis(2_800);
/// So long the others get when one server has answered with no authority of its own.
const TIME_FOR_BETTER: Duration = Duration::from_millis(400);
/// Useless replies to one question after which the zone counts as broken.
pub const MAX_FLAWS: usize = 6;
/// Waits after the first, second and further try of one server, in halves of its patience. Short at first: where
/// a fifth of all exchanges fails one question in a hundred needs the fourth try. Then longer: where all fail for
/// half a second, the last try must find the server back.
const WAITS: [u32; 5] = [2, 3, 4, 8, LONGEST_WAIT];
const LONGEST_WAIT: u32 = 14;
/// Addresses looked up at the same time for one zone.
const LOOKUPS_AT_ONCE: usize = 2;
/// Name server names looked up for one question of one zone; those that do not exist have a limit of their own
/// (`budget::FAILED_ADDRESS_LOOKUPS`).
const LOOKUPS_PER_ZONE: usize = 4;

/// Of these, names whose glue was of no use: mostly it was right and the servers are not.
const LOOKUPS_PAST_GLUE: usize = 2;

/// What the loop waits for.
enum Happening {
    Replied { candidate: usize, result: Result<Received, AskError> },
    Addresses { server: Name, addresses: Result<Vec<IpAddr>, Arc<Failure>> },
}

/// What does not change while the servers of a cut are asked.
#[derive(Clone, Copy)]
struct Context<'a> {
    walker: &'a Arc<Walker>,
    request: &'a Arc<Request>,
    cut: &'a Arc<Cut>,
    question: &'a Question,
    scope: &'a Scope,
    manner: Manner,
    minimised: bool,
    until: Instant,
}

/// A reply, and how much its server knows of the zone.
struct Read {
    reply: Reply,
    second_hand: bool,
}

/// The servers of a cut while they are asked.
struct Asking<'a> {
    context: Context<'a>,
    /// What is chosen here does not hang on what is asked elsewhere at the same time.
    rng: Rng,
    candidates: Vec<Candidate>,
    /// Name servers whose addresses can be looked up.
    names: Vec<Name>,
    /// Addresses that nobody vouches for.
    hearsay: Vec<(Name, IpAddr)>,
    waiting: FuturesUnordered<BoxFuture<'a, Happening>>,
    lookups: usize,
    lookups_past_glue: usize,
    lookups_under_way: usize,
    tally: Tally,
    limit: Option<Limit>,
    /// Kept an address from being looked up: other servers may be asked, but if they are of no use, then the
    /// zone may have been of use all the same.
    lookup_limit: Option<Limit>,
    /// Whoever asks, more would not be left for it.
    has_all_it_may: bool,
    /// A server's address is told by a zone that is being reached already.
    circle: bool,
    /// When something else is begun although one thing is still waited for.
    hedge_at: Option<Instant>,
    /// When another server may be asked, were one found that nobody has asked yet.
    another_at: Instant,
    /// When the asking ends.
    until: Instant,
    /// From a server without authority: better than nothing.
    second_hand: Option<(Reply, SocketAddr)>,
    /// Who claimed no authority and said nothing: the first of them, and how many.
    empty: Option<SocketAddr>,
    empties: u16,
}

impl Walker {
    /// Asks the servers of `cut`; the first useful reply and who gave it. A [`Reply::Unusable`] is
    /// never returned.
    pub(super) async fn ask(
        self: &Arc<Self>,
        request: &Arc<Request>,
        cut: &Arc<Cut>,
        question: &Question,
        scope: &Scope,
        manner: Manner,
        minimised: bool,
    ) -> Result<(Reply, SocketAddr), Arc<Failure>> {
        let manner = if cut.kind == CutKind::Forward { Manner::Forwarder } else { manner };
        let until = (self.world.clock.now() + TIME_PER_ZONE).min(request.budget.deadline());
        let context = Context { walker: self, request, cut, question, scope, manner, minimised, until };
        let mut asking = Asking::new(context);
        match asking.run().await {
            Ok((Reply::Unusable(_), server)) => {
                if self.has_the_name(&context).await {
                    let (rank, proof) = (Rank::NonAuthAnswer, Proof::default());
                    Ok((Reply::NoData { soa: None, proof, rank }, server))
                } else {
                    Err(asking.failure())
                }
            }
            outcome => outcome,
        }
    }

    /// Where every server says nothing and claims no authority, are they lame, or is there nothing? Some have no better
    /// words for a type that they do not know (RFC 2308 §2.2), and know what they have of the name.
    fn has_the_name<'a>(self: &'a Arc<Self>, context: &'a Context<'_>) -> BoxFuture<'a, bool> {
        let Context { request, cut, question, scope, manner, .. } = *context;
        Box::pin(async move {
            if question.rtype == RrType::A {
                return false;
            }
            let address = Question::new(question.name.clone(), RrType::A);
            let hop = match self.remembered(request, &address) {
                Some(hop) => hop,
                None => match self.ask(request, cut, &address, scope, manner, false).await {
                    Ok((reply @ (Reply::Data { .. } | Reply::NoData { .. }), _)) => {
                        let Some(hop) = self.cache.rrsets.hop_of(reply) else { return false };
                        self.store(request, &address, hop, &Judged::UNCHECKED, scope)
                    }
                    _ => return false,
                },
            };
            match hop {
                Hop::Data(_) => true,
                Hop::NoData(denial) => denial.soa.is_some(),
                Hop::Alias(_) | Hop::NxDomain(_) => false,
            }
        })
    }
}

impl<'a> Asking<'a> {
    fn new(context: Context<'a>) -> Asking<'a> {
        let rng = context.walker.world.rng.clone();
        let mut asking = Asking {
            context,
            rng,
            candidates: Vec::new(),
            names: Vec::new(),
            hearsay: Vec::new(),
            waiting: FuturesUnordered::new(),
            lookups: 0,
            lookups_past_glue: 0,
            lookups_under_way: 0,
            tally: Tally::default(),
            limit: None,
            lookup_limit: None,
            has_all_it_may: !context.scope.is_nested() && context.request.budget.is_nearly_whole(),
            circle: false,
            hedge_at: None,
            another_at: context.walker.world.clock.now(),
            until: context.until,
            second_hand: None,
            empty: None,
            empties: 0,
        };
        let resolver = &context.request.config.resolver;
        for address in &context.cut.addresses {
            // The operator knows what can be reached: no default route is needed.
            if if address.is_ipv4() { resolver.ipv4 } else { resolver.ipv6 } {
                asking.add(*address, None);
            }
        }
        for server in &context.cut.servers {
            let known =
                if server.glue.is_empty() { asking.known_addresses(&server.name) } else { Vec::new() };
            let addresses = if server.glue.is_empty() { &known } else { &server.glue };
            for address in addresses {
                if usable(context.request, *address) {
                    asking.add(server_at(*address), Some(&server.name));
                }
            }
            // A server inside the zone can only be reached through glue.
            if known.is_empty()
                && !server.name.is_at_or_below(&context.cut.zone)
                && !(server.glue.is_empty() && context.walker.is_denied(context.request, &server.name))
            {
                asking.names.push(server.name.clone());
            }
            asking.hearsay.extend(server.hearsay.iter().map(|a| (server.name.clone(), *a)));
        }
        // Names whose servers came with glue are looked up last.
        let rng = &asking.rng;
        asking.names.sort_by_cached_key(|name| (!glue_of(context.cut, name).is_empty(), rng.u16()));
        asking
    }

    /// Can an address be looked up that nothing is known of?
    fn has_glueless(&self) -> bool {
        self.names.iter().any(|name| glue_of(self.context.cut, name).is_empty())
    }

    /// May this name server's address be asked of its own zone? What came as glue is to be of no use first: an old address,
    /// maybe, that the zone's servers know better (RFC 1034 §4.2.1). That nobody answers there is no reason: one datagram
    /// may be lost, and where all servers are dead each costs messages.
    fn may_look_up(&self, name: &Name) -> bool {
        let glue = glue_of(self.context.cut, name);
        let mut there = self.candidates.iter().filter(|c| glue.contains(&c.address.ip()));
        glue.is_empty() || self.lookups_past_glue < LOOKUPS_PAST_GLUE && there.all(|c| c.flawed)
    }

    /// Addresses that the name server's own zone has told.
    fn known_addresses(&self, server: &Name) -> Vec<IpAddr> {
        let Context { walker, request, .. } = self.context;
        let now = walker.world.clock.now();
        let families = [(RrType::A, request.routes.v4), (RrType::AAAA, request.routes.v6)];
        let mut found = Vec::new();
        for (rtype, _) in families.into_iter().filter(|(_, routed)| *routed) {
            let hop = walker.cache.rrsets.look_up(&request.own, server, rtype, Freshness::Live, now);
            if let Some(Hop::Data(sets)) = hop {
                found.extend(sets.iter().flat_map(|held| held.set.addresses().collect::<Vec<_>>()));
            }
        }
        found
    }

    fn add(&mut self, address: SocketAddr, name: Option<&Name>) {
        if self.candidates.iter().any(|c| c.address == address) {
            return;
        }
        let Context { walker, cut, request, .. } = self.context;
        let now = walker.world.clock.now();
        let known = walker.cache.servers.get(address);
        let look = |known: &Known| known.with(|s| (s.standing(&cut.zone, now), s.srtt()));
        let (mut standing, srtt) = known.as_ref().map_or((Standing::Good, None), look);
        if known.is_some() && cut.kind != CutKind::Forward {
            standing = standing.max(walker.cache.crowds.standing(address, &cut.zone, now));
        }
        self.candidates.push(Candidate {
            address,
            known,
            name: name.cloned(),
            tries: 0,
            under_way: 0,
            // What it says of this zone has proven bogus a moment ago.
            flawed: request.avoids(&cut.zone, address),
            crowd: None,
            overrun: false,
            heard: Arc::default(),
            standing,
            srtt,
        });
    }

    async fn run(&mut self) -> Result<(Reply, SocketAddr), Arc<Failure>> {
        self.start_something();
        loop {
            if self.waiting.is_empty() {
                return self.outcome();
            }
            let until = self.until;
            let hedge_at = self.hedge_at.unwrap_or(until).min(until);
            let happening = tokio::select! {
                biased;
                Some(happening) = self.waiting.next() => happening,
                () = sleep_until(hedge_at) => {
                    if hedge_at >= until {
                        self.count_silent();
                        return self.outcome();
                    }
                    self.hedge_at = None;
                    if self.look_again() {
                        self.count_silent();
                        return self.outcome();
                    }
                    if self.may_begin() {
                        self.start_something();
                    }
                    if self.hedge_at.is_none() && self.candidates.iter().any(|c| c.overrun) {
                        self.hedge_at = Some(self.now() + UNKNOWN_REPEAT); // to look again
                    }
                    continue;
                }
            };
            match happening {
                Happening::Replied { candidate, result } => {
                    if let Some(reply) = self.replied(candidate, result) {
                        return Ok(reply);
                    }
                }
                Happening::Addresses { server, addresses } => {
                    self.lookups_under_way -= 1;
                    match addresses {
                        Ok(addresses) => {
                            let known = self.candidates.len();
                            let Context { walker, request, .. } = self.context;
                            if addresses.is_empty() && walker.is_denied(request, &server) {
                                self.lookups = self.lookups.saturating_sub(1);
                            }
                            for address in addresses {
                                self.add(server_at(address), Some(&server));
                            }
                            if self.candidates.len() > known {
                                // Not after the longer wait before the same server is asked once more.
                                self.hedge_at = self.hedge_at.map(|at| at.min(self.another_at));
                            }
                        }
                        Err(failure) => match failure.own_limit() {
                            Some(limit) => self.lookup_limit = Some(limit),
                            None => self.circle = true,
                        },
                    }
                }
            }
            if self.may_begin() {
                self.start_if_idle();
            }
        }
    }

    /// Looks again at those that were asked: `true` when all are overrun and by now known to be silent, and
    /// there is nothing else to wait for. Each request of a flood that waits on takes room.
    fn look_again(&mut self) -> bool {
        let now = self.now();
        let crowds = &self.context.walker.cache.crowds;
        let mut in_vain = !self.has_glueless() && self.lookups_under_way == 0 && self.second_hand.is_none();
        for candidate in &mut self.candidates {
            let (mut overrun, mut silent) = (false, candidate.standing == Standing::Silent);
            if let (Some(crowd), Some(known)) = (candidate.crowd, &candidate.known) {
                let patience = known.with(|s| s.repeat_patience());
                overrun = crowds.is_overrun(crowd, now, patience);
                // Who probes waits to the end: the server may be slower than it was.
                silent = overrun
                    && candidate.standing != Standing::Probe
                    && !candidate.heard.load(Ordering::Relaxed)
                    && crowds.standing_of(crowd, now) == Standing::Silent;
                overrun &= silent || !crowds.may_ask_for_all(crowd, now, patience);
            }
            candidate.overrun = overrun;
            in_vain &= silent || (candidate.flawed && candidate.under_way == 0);
        }
        in_vain
    }

    /// Useless replies so far. Where no route leads, nothing was asked.
    fn tally_of_flaws(&self) -> usize {
        self.candidates.iter().filter(|c| c.flawed).count().saturating_sub(usize::from(self.tally.no_route))
    }

    fn may_begin(&self) -> bool {
        self.limit.is_none() && self.tally_of_flaws() < MAX_FLAWS && self.now() < self.until
    }

    /// Begins something unless what is under way still has its time. Where nothing was left to begin when that
    /// time was set, there is none: what has just happened may have brought something.
    fn start_if_idle(&mut self) {
        let exchanging = self.candidates.iter().any(|c| c.under_way > 0);
        let fresh = self.candidates.iter().any(|c| c.tries == 0 && !c.flawed && c.standing == Standing::Good);
        let idle = !exchanging && (fresh || self.lookups_under_way == 0);
        if idle || self.hedge_at.is_none() {
            self.start_something();
        }
    }

    /// Another server; or another server's address; or the same server once more.
    fn start_something(&mut self) {
        let next = select::next(&self.candidates, &self.rng);
        let fresh = next.filter(|i| self.candidates.get(*i).is_some_and(|c| c.tries == 0));
        if let Some(i) = fresh {
            self.exchange(i);
        } else if self.look_up_addresses() {
            let more = next.is_some() || !self.names.is_empty();
            self.hedge_at = more.then(|| self.now() + UNKNOWN_PATIENCE);
        } else if let Some(i) = next {
            self.exchange(i);
        } else if self.waiting.is_empty() && !self.hearsay.is_empty() {
            for (name, address) in std::mem::take(&mut self.hearsay) {
                if usable(self.context.request, address) {
                    self.add(server_at(address), Some(&name));
                }
            }
            if let Some(i) = select::next(&self.candidates, &self.rng) {
                self.exchange(i);
            }
        }
    }

    fn now(&self) -> Instant {
        self.context.walker.world.clock.now()
    }

    fn exchange(&mut self, index: usize) {
        let now = self.now();
        let context = self.context;
        let others = self.candidates.len() > 1 || self.has_glueless();
        let purpose = if self.tally_of_flaws() > 0 {
            context.scope.purpose.instead()
        } else if self.candidates.iter().any(|c| c.tries > 0 && !c.flawed) {
            context.scope.purpose.repeat()
        } else {
            context.scope.purpose
        };
        let Some(candidate) = self.candidates.get_mut(index) else { return };
        let server = candidate.address;
        let known = candidate.known.get_or_insert_with(|| context.walker.cache.servers.known(server)).clone();
        let mut in_a_crowd = false;
        let (patience, alone) = known.with(|s| (s.patience(), s.repeat_patience()));
        if context.cut.kind != CutKind::Forward {
            // A forwarder's crowd would be of all names, and there is nobody else to ask.
            let crowds = &context.walker.cache.crowds;
            let crowd = candidate.crowd.get_or_insert_with(|| crowds.whose(server, &context.cut.zone));
            in_a_crowd = crowds.asked(*crowd, now, alone);
        }
        if candidate.tries == 0 && !in_a_crowd {
            known.with(|s| s.asked(context.cut.kind == CutKind::Forward, now));
        }
        self.another_at = now + patience;
        let patience = if others { patience } else { alone };
        let halves = WAITS.get(usize::from(candidate.tries)).copied().unwrap_or(LONGEST_WAIT);
        self.hedge_at = Some(now + patience * halves / 2);
        let again = candidate.tries > 1; // one loss is mostly a loss
        candidate.tries += 1;
        candidate.under_way += 1;
        let (name, heard) = (candidate.name.clone(), Arc::clone(&candidate.heard));
        self.waiting.push(Box::pin(async move {
            let query = Query {
                server,
                known: &known,
                server_name: name.as_ref(),
                zone: &context.cut.zone,
                question: context.question,
                recursive: context.manner == Manner::Forwarder,
                minimised: context.minimised,
                purpose,
                scope: context.scope.id,
                until: context.until,
                again,
                in_a_crowd,
                heard,
            };
            let result = context.walker.upstream.query(context.request, &query).await;
            Happening::Replied { candidate: index, result }
        }));
    }

    /// Begins to look up the addresses of one more name server; `false`: there is none to look up. The
    /// others are looked up when that takes long: mostly one is enough, and each costs messages.
    fn look_up_addresses(&mut self) -> bool {
        let Context { walker, request, cut, scope, .. } = self.context;
        if self.names.is_empty() {
            return false;
        }
        if scope.is_reaching(&cut.zone) || walker.cache.cuts.is_unreachable(&cut.zone, self.now()) {
            self.names.clear();
        } else if !may_go_deeper(scope) {
            // Who asks from higher up may find one: nobody is to be told that the zone has none.
            if self.has_glueless() {
                self.lookup_limit = Some(Limit::Depth);
            }
            self.names.clear();
        }
        let may = request.budget.may_look_up_address();
        // What came with glue is a second thought: that none is left for it is no limit.
        if self.has_glueless() && !may {
            self.lookup_limit = Some(Limit::Messages);
        }
        let full = self.lookups_under_way >= LOOKUPS_AT_ONCE || self.lookups >= LOOKUPS_PER_ZONE;
        let Some(next) = self.names.iter().position(|name| self.may_look_up(name)).filter(|_| may && !full)
        else {
            return false;
        };
        let server = self.names.remove(next);
        let past_glue = !glue_of(cut, &server).is_empty();
        self.lookups += 1;
        self.lookups_past_glue += usize::from(past_glue);
        self.lookups_under_way += 1;
        // The same glue again would be of no use.
        let usage = if past_glue { Usage::Raw } else { Usage::Reach };
        self.waiting.push(Box::pin(async move {
            let addresses = walker.addresses_of(request, (&server, usage), &cut.zone, scope).await;
            Happening::Addresses { server, addresses }
        }));
        true
    }

    /// A server answered or failed; its reply when it is of use.
    fn replied(&mut self, index: usize, result: Result<Received, AskError>) -> Option<(Reply, SocketAddr)> {
        let candidate = self.candidates.get_mut(index)?;
        candidate.under_way = candidate.under_way.saturating_sub(1);
        let address = candidate.address;
        if let Some(crowd) = candidate.crowd.filter(|_| candidate.heard.load(Ordering::Relaxed)) {
            let Context { walker, .. } = self.context;
            walker.cache.crowds.heard(crowd, walker.world.clock.now());
        }
        match result {
            Ok(received) => match self.read(address, &received) {
                Read { reply: Reply::Unusable(flaw), .. } => {
                    if flaw == Flaw::Empty {
                        self.empty.get_or_insert(address);
                        self.empties = self.empties.saturating_add(1);
                    }
                    self.flawed(index, flaw);
                }
                Read { reply, second_hand: false } => return Some((reply, address)),
                Read { reply, second_hand: true } => {
                    self.flawed(index, Flaw::SecondHand);
                    self.until = self.until.min(self.now() + TIME_FOR_BETTER);
                    self.second_hand.get_or_insert((reply, address));
                }
            },
            Err(AskError::Silent) => self.tally.silent = self.tally.silent.saturating_add(1),
            Err(AskError::NoRoute) => {
                self.tally.no_route = self.tally.no_route.saturating_add(1);
                self.flawed(index, Flaw::Unreachable);
            }
            Err(AskError::Unreachable) => self.flawed(index, Flaw::Unreachable),
            Err(AskError::Malformed) => self.flawed(index, Flaw::Malformed),
            Err(AskError::Limit(limit)) => self.limit = Some(limit),
        }
        None
    }

    fn read(&self, server: SocketAddr, received: &Received) -> Read {
        let Context { request, cut, question, scope, manner, .. } = self.context;
        let Ok(message) = Message::parse(&received.bytes) else {
            return Read { reply: Reply::Unusable(Flaw::Malformed), second_hand: false };
        };
        let Received { unforgeable, guarded, .. } = *received;
        let asked = Asked { zone: &cut.zone, question, unforgeable, guarded, manner };
        let mut notes = scrub::Notes::default();
        let reply = scrub::read(&message, &asked, &mut notes);
        let trace = &request.trace;
        trace.note(scope.id, || Event::Received {
            exchange: received.exchange,
            server,
            rtt: received.rtt,
            octets: received.bytes.len(),
            meaning: meaning(&reply),
            cookie: received.cookie,
        });
        for (owner, rtype, why) in notes.dropped {
            trace.note(scope.id, || Event::Dropped { owner, rtype, why });
        }
        for (owner, code) in notes.lints {
            trace.note(scope.id, || Event::Lint { code, owner });
        }
        let refers = matches!(reply, Reply::Referral(_));
        Read { reply, second_hand: !refers && scrub::is_second_hand(&message, &asked) }
    }

    fn flawed(&mut self, index: usize, flaw: Flaw) {
        let Context { request, cut, scope, .. } = self.context;
        let now = self.now();
        let Some(candidate) = self.candidates.get_mut(index) else { return };
        candidate.flawed = true;
        let server = candidate.address;
        let counter = match flaw {
            Flaw::Refused => &mut self.tally.refused,
            Flaw::ServFail => &mut self.tally.servfail,
            Flaw::Upward | Flaw::Empty | Flaw::SecondHand | Flaw::Rcode(_) => &mut self.tally.lame,
            Flaw::Malformed => &mut self.tally.malformed,
            Flaw::Unreachable => &mut self.tally.unreachable,
        };
        *counter = counter.saturating_add(1);
        if let Some(known) = &candidate.known {
            known.with(|s| s.mark_lame(&cut.zone, now));
        }
        request.trace.note(scope.id, || Event::Flawed { server, zone: cut.zone.clone(), flaw });
    }

    fn count_silent(&mut self) {
        let silent = self.candidates.iter().filter(|c| c.under_way > 0).count();
        self.tally.silent = self.tally.silent.saturating_add(silent as u16);
    }

    /// When nothing more will come.
    fn outcome(&mut self) -> Result<(Reply, SocketAddr), Arc<Failure>> {
        self.second_hand.take().or_else(|| self.nothing()).ok_or_else(|| self.failure())
    }

    /// Did every server say nothing and claim no authority? Not where one was silent or said something else: it may know
    /// better. Of a part of a name the whole one tells more.
    fn nothing(&self) -> Option<(Reply, SocketAddr)> {
        let Context { minimised, request, .. } = self.context;
        let nothing_else = self.tally == Tally { lame: self.empties, ..Tally::default() };
        let all_asked = self.limit.is_none() && self.lookup_limit.is_none() && self.lookups_under_way == 0;
        let in_time = self.now() < request.budget.deadline();
        let server = self.empty.filter(|_| nothing_else && all_asked && in_time && !minimised)?;
        Some((Reply::Unusable(Flaw::Empty), server))
    }

    fn failure(&self) -> Arc<Failure> {
        let Context { walker, cut, question, scope, request, .. } = self.context;
        let now = self.now();
        for candidate in self.candidates.iter().filter(|c| c.tries > 0 && !c.flawed) {
            let Some(known) = &candidate.known else { continue };
            let patience = known.with(|s| s.repeat_patience());
            // That many wait for it in vain for this zone says nothing about others.
            if candidate.crowd.is_none_or(|crowd| !walker.cache.crowds.is_overrun(crowd, now, patience)) {
                known.with(|s| s.gave_up(now));
            }
        }
        let owner = question.name.clone();
        let failure = if let Some(limit) = self.limit {
            return out_of(limit, &owner);
        } else if now >= request.budget.deadline() {
            return out_of(Limit::Time, &owner);
        } else if self.candidates.is_empty() {
            let cyclic = self.circle || scope.is_reaching(&cut.zone);
            let why = match (cyclic, self.lookups_under_way) {
                (true, _) => Unaddressed::Cyclic,
                (false, 0) => Unaddressed::NoneUsable,
                (false, _) => Unaddressed::Late,
            };
            // Inside a circle only its first zone is known to be out of reach. Also when a limit was in the way, so that
            // the next question below does not spend as much at once; not when the limit was reached on the way here:
            // a question would take any zone away.
            let is_of_zone = self.lookup_limit.is_none() || self.has_all_it_may;
            if is_of_zone && !(cyclic && scope.is_nested()) {
                walker.cache.cuts.mark_unreachable(cut, now);
            }
            if let Some(limit) = self.lookup_limit {
                return out_of(limit, &owner);
            }
            Failure::NoAddress { owner, zone: cut.zone.clone(), why }
        } else if let Some(limit) = self.lookup_limit {
            return out_of(limit, &owner);
        } else {
            let mut tally = self.tally;
            if tally == Tally::default() {
                // Every server is known to be silent and none was asked.
                tally.silent = self.candidates.len() as u16;
            }
            Failure::NoServer { owner, rtype: question.rtype, zone: cut.zone.clone(), tally }
        };
        // When what everybody said was bogus, that is the failure, and it has been told.
        if self.candidates.is_empty() || self.candidates.iter().any(|c| !request.avoids(&cut.zone, c.address))
        {
            request.trace.note(scope.id, || Event::Failed { failure: failure.clone() });
        }
        Arc::new(failure)
    }
}

/// The addresses that came with the delegation for this very name server.
fn glue_of<'a>(cut: &'a Cut, name: &Name) -> &'a [IpAddr] {
    cut.servers.iter().find(|s| s.name == *name).map_or(&[], |s| &s.glue)
}

fn meaning(reply: &Reply) -> Meaning {
    match reply {
        Reply::Data { .. } => Meaning::Answer,
        Reply::Alias { .. } => Meaning::Alias,
        Reply::NoData { .. } => Meaning::NoData,
        Reply::NxDomain { .. } => Meaning::NxDomain,
        Reply::Referral(_) => Meaning::Referral,
        Reply::Unusable(_) => Meaning::Unusable,
    }
}
