//! What one request did, put in order: a [`Report`], which renderers show.
//!
//! Knows: which events belong together (an exchange and what came of it, a look-up and the look-ups
//! it needed), also when they are interleaved in time. Does not know: how events come about
//! (`iterate`, `upstream`), what a format looks like (`text`; the others of `contract.md` will stand
//! beside it and take the same [`Report`]). It decides nothing: what is not in the trace or the
//! answer is not shown. Shown by: `tests/trace_text.rs`.

pub mod text;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::dnssec::Security;
use crate::failure::Failure;
use crate::request::Request;
use crate::resolver::Answer;
use crate::rrset::{Question, RrType};
use crate::trace::{Again, CutFrom, Dropped, Event, Flaw, LintCode, Meaning, Timed, Why};
use crate::wire::Name;
use crate::world::Transport;

/// One request, from its question to its answer.
#[derive(Debug)]
pub struct Report {
    /// The answer, with the question.
    pub answer: Answer,
    /// In chain order; the last one ends the chain or is where it failed.
    pub hops: Vec<HopSeen>,
    /// Look-ups for the additional section (RFC 9460 §4.2).
    pub additional: Vec<LookUp>,
    /// What it took.
    pub cost: Cost,
}

/// One hop of the chain.
#[derive(Debug)]
pub struct HopSeen {
    /// How its data were found.
    pub look_up: LookUp,
    /// Where it leads, when it is an alias.
    pub alias: Option<AliasSeen>,
    /// The hop, counted from 1, whose reply brought this one along (alias-rules R3).
    pub brought_by: Option<usize>,
    /// It was past its time and could not be refreshed.
    pub stale: bool,
}

/// An alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasSeen {
    /// The name that is an alias.
    pub owner: Name,
    /// `None`: the DNAME makes it too long (R12).
    pub target: Option<Name>,
    /// Owner and target of the DNAME that has made it.
    pub dname: Option<(Name, Name)>,
    /// Seconds left.
    pub ttl: u32,
}

/// The look-up of one name and type.
#[derive(Debug)]
pub struct LookUp {
    /// What was wanted.
    pub question: Question,
    /// What for.
    pub why: Why,
    /// In order of time; what follows a cut was done at that cut.
    pub steps: Vec<Step>,
}

/// One thing that a look-up did.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum Step {
    /// The cache had it, with so many seconds left.
    CacheHit { ttl: u32, stale: bool },
    /// Another look-up was at the same: its outcome was shared.
    Joined,
    /// The servers of this zone are asked from here on.
    Cut { zone: Name, from: CutFrom, servers: usize },
    /// A message to a server and what came of it.
    Exchange(Box<Exchange>),
    /// Another look-up was needed: a name server's address, or a link of the chain of trust.
    Needed(LookUp),
    /// The addresses found, which may be none.
    Reached { addresses: Vec<IpAddr>, glue: bool },
    /// What its data are worth, where that is checked.
    Judged(Security),
    /// Something odd about the name itself.
    Lint { code: LintCode, owner: Name },
    /// The servers of a zone could not tell.
    Failed(Failure),
}

/// One message to a server.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Exchange {
    /// Since the request began.
    pub sent: Duration,
    pub server: SocketAddr,
    pub server_name: Option<Name>,
    /// Whose server it was asked as.
    pub zone: Name,
    /// As sent: part of the name when it was minimised.
    pub question: Question,
    pub transport: Transport,
    pub edns: bool,
    pub minimised: bool,
    pub outcome: Outcome,
    /// Why the server is not asked any more.
    pub flaw: Option<Flaw>,
    /// What in its reply was not believed.
    pub dropped: Vec<(Name, RrType, Dropped)>,
    /// What is odd about its reply.
    pub lints: Vec<(LintCode, Name)>,
}

/// What came of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Outcome {
    Replied {
        rtt: Duration,
        octets: usize,
        meaning: Meaning,
        cookie: bool,
    },
    Again {
        rtt: Duration,
        octets: usize,
        why: Again,
    },
    NearMiss,
    Silent {
        waited: Duration,
    },
    Unreachable {
        error: String,
    },
    /// Nobody waits any more: another server was faster, or the time was over.
    GivenUp {
        waited: Duration,
    },
    /// Nothing is known yet.
    Pending,
}

/// Where the data of a look-up came from.
#[derive(Debug)]
pub enum Source<'a> {
    /// This reply.
    Server(&'a Exchange),
    /// The cache.
    Cache {
        /// Seconds left.
        ttl: u32,
        /// Past its time.
        stale: bool,
    },
    /// Another look-up at the same time.
    Shared,
    /// There are none.
    Nowhere,
}

/// What a request took. Priming (RFC 9609) runs beside it and is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Sent to servers.
    pub messages: u32,
    /// Received from them.
    pub octets: u64,
    /// Different addresses asked.
    pub servers: usize,
    /// Different zones whose servers were asked.
    pub zones: usize,
    /// From question to answer.
    pub elapsed: Duration,
}

impl Report {
    /// What `request`, which must have been traced, did for `answer` within `elapsed`.
    pub fn new(answer: Answer, request: &Request, elapsed: Duration) -> Report {
        let events = request.trace.events();
        let mut cost = Cost {
            messages: request.budget.messages_sent(),
            octets: request.budget.octets_received(),
            servers: 0,
            zones: 0,
            elapsed,
        };
        (cost.servers, cost.zones) = servers_and_zones(&events);
        let mut sorter = Sorter::default();
        for event in events {
            sorter.take(event);
        }
        let (hops, additional) = sorter.finish(elapsed);
        Report { answer, hops, additional, cost }
    }

    /// Did nothing at all come from anybody, although the root or the system itself was tried? Then
    /// it is the network that is missing, not the name.
    pub fn has_no_network(&self) -> bool {
        if self.answer.failure.is_none() || self.cost.octets > 0 {
            return false;
        }
        let mut exchanges = Vec::new();
        let look_ups = self.hops.iter().map(|hop| &hop.look_up);
        look_ups.chain(&self.additional).for_each(|look_up| look_up.collect_exchanges(&mut exchanges));
        exchanges.iter().all(|e| matches!(e.outcome, Outcome::Unreachable { .. }))
            || exchanges.iter().any(|e| e.zone.is_root())
    }
}

impl LookUp {
    /// Where its data came from.
    pub fn source(&self) -> Source<'_> {
        for step in self.steps.iter().rev() {
            match step {
                Step::CacheHit { ttl, stale } => return Source::Cache { ttl: *ttl, stale: *stale },
                Step::Joined => return Source::Shared,
                Step::Exchange(exchange) if exchange.tells_something() => return Source::Server(exchange),
                _ => {}
            }
        }
        Source::Nowhere
    }

    /// Its own exchanges and those of the look-ups it needed.
    fn collect_exchanges<'a>(&'a self, into: &mut Vec<&'a Exchange>) {
        for step in &self.steps {
            match step {
                Step::Exchange(exchange) => into.push(exchange),
                Step::Needed(look_up) => look_up.collect_exchanges(into),
                _ => {}
            }
        }
    }
}

impl Exchange {
    /// Did the reply say what the name is?
    fn tells_something(&self) -> bool {
        let Outcome::Replied { meaning, .. } = &self.outcome else { return false };
        matches!(meaning, Meaning::Answer | Meaning::Alias | Meaning::NoData | Meaning::NxDomain)
    }
}

fn servers_and_zones(events: &[Timed]) -> (usize, usize) {
    let (mut servers, mut zones) = (BTreeSet::new(), BTreeSet::new());
    for timed in events {
        if let Event::Sent { server, zone, .. } = &timed.event {
            servers.insert(*server);
            zones.insert(zone);
        }
    }
    (servers.len(), zones.len())
}

/// A look-up while its events are sorted out.
struct Draft {
    question: Question,
    why: Why,
    steps: Vec<DraftStep>,
    /// The exchange whose reply is being read.
    reading: Option<usize>,
}

enum DraftStep {
    Done(Step),
    /// The look-up of this scope.
    Needed(u32),
}

impl Draft {
    fn exchange(&mut self, at: usize) -> Option<&mut Exchange> {
        match self.steps.get_mut(at) {
            Some(DraftStep::Done(Step::Exchange(exchange))) => Some(exchange),
            _ => None,
        }
    }

    fn exchanges(&mut self) -> impl DoubleEndedIterator<Item = &mut Exchange> {
        self.steps.iter_mut().filter_map(|step| match step {
            DraftStep::Done(Step::Exchange(exchange)) => Some(&mut **exchange),
            _ => None,
        })
    }

    /// Nobody waits any more for what has not been answered.
    fn give_up(&mut self, now: Duration) {
        let pending = |exchange: &&mut Exchange| exchange.outcome == Outcome::Pending;
        for exchange in self.exchanges().filter(pending).filter(|exchange| exchange.flaw.is_none()) {
            exchange.outcome = Outcome::GivenUp { waited: now.saturating_sub(exchange.sent) };
        }
    }

    fn is_at(&self, zone: &Name) -> bool {
        let last = self.steps.iter().rev().find_map(|step| match step {
            DraftStep::Done(Step::Cut { zone, .. }) => Some(zone),
            _ => None,
        });
        last == Some(zone)
    }
}

/// A hop while its events are sorted out.
struct HopDraft {
    scope: u32,
    alias: Option<AliasSeen>,
    stale: bool,
}

/// Sorts events by look-up and exchange.
#[derive(Default)]
struct Sorter {
    drafts: BTreeMap<u32, Draft>,
    /// By the exchange's number: scope and place among its steps.
    exchanges: HashMap<u32, (u32, usize)>,
    hops: Vec<HopDraft>,
    additional: Vec<u32>,
    /// What came along with another's reply: in which scope.
    volunteered: Vec<(u32, Name, RrType)>,
}

impl Sorter {
    fn take(&mut self, Timed { at, scope, event }: Timed) {
        match event {
            Event::Wanted { question, why, parent } => self.want(scope, question, why, parent),
            Event::Sent { .. } => self.send(at, scope, event),
            Event::Received { exchange, rtt, octets, meaning, cookie, .. } => {
                self.settle(exchange, |_| Outcome::Replied { rtt, octets, meaning, cookie });
                let place = self.exchanges.get(&exchange).copied();
                if let (Some((_, place)), Some(draft)) = (place, self.drafts.get_mut(&scope)) {
                    draft.reading = Some(place);
                    if meaning != Meaning::Unusable {
                        draft.give_up(at);
                    }
                }
            }
            Event::Again { exchange, rtt, octets, why, .. } => {
                self.settle(exchange, |_| Outcome::Again { rtt, octets, why });
            }
            Event::NearMiss { exchange, .. } => self.settle(exchange, |_| Outcome::NearMiss),
            Event::Silent { exchange, .. } => {
                self.settle(exchange, |sent| Outcome::Silent { waited: at.saturating_sub(sent) });
            }
            Event::Unreachable { exchange, error, .. } => {
                self.settle(exchange, |_| Outcome::Unreachable { error });
            }
            Event::Stored { owner, rtype, volunteered: true, .. } => {
                self.keep_volunteered(scope, owner, rtype);
            }
            Event::AliasFollowed { owner, target, dname, ttl } => {
                if let Some(hop) = self.hops.last_mut() {
                    hop.alias = Some(AliasSeen { owner, target, dname, ttl });
                }
            }
            Event::Stale { .. } => {
                if let Some(hop) = self.hops.last_mut() {
                    hop.stale = true;
                }
            }
            event => {
                if let Some(draft) = self.drafts.get_mut(&scope) {
                    note(draft, at, event);
                }
            }
        }
    }

    fn want(&mut self, scope: u32, question: Question, why: Why, parent: u32) {
        let draft = Draft { question, why, steps: Vec::new(), reading: None };
        self.drafts.insert(scope, draft);
        match (why, self.drafts.get_mut(&parent)) {
            (Why::Hop, _) => self.hops.push(HopDraft { scope, alias: None, stale: false }),
            // A look-up is always younger than what needs it: there is no way round in a circle.
            (_, Some(above)) if parent < scope => above.steps.push(DraftStep::Needed(scope)),
            _ => self.additional.push(scope),
        }
    }

    fn send(&mut self, at: Duration, scope: u32, event: Event) {
        let Event::Sent { exchange, server, server_name, zone, question, transport, edns, minimised } = event
        else {
            return;
        };
        let sent = Exchange {
            sent: at,
            server,
            server_name,
            zone,
            question,
            transport,
            edns,
            minimised,
            outcome: Outcome::Pending,
            flaw: None,
            dropped: Vec::new(),
            lints: Vec::new(),
        };
        let Some(draft) = self.drafts.get_mut(&scope) else { return };
        self.exchanges.insert(exchange, (scope, draft.steps.len()));
        draft.steps.push(DraftStep::Done(Step::Exchange(Box::new(sent))));
    }

    /// What was dropped as not asked for has been taken after all (R3).
    fn keep_volunteered(&mut self, scope: u32, owner: Name, rtype: RrType) {
        if let Some(draft) = self.drafts.get_mut(&scope)
            && let Some(exchange) = draft.reading.and_then(|place| draft.exchange(place))
        {
            exchange.dropped.retain(|(name, kind, _)| (name, *kind) != (&owner, rtype));
        }
        self.volunteered.push((scope, owner, rtype));
    }

    fn settle(&mut self, exchange: u32, outcome: impl FnOnce(Duration) -> Outcome) {
        let Some((scope, place)) = self.exchanges.get(&exchange) else { return };
        if let Some(exchange) = self.drafts.get_mut(scope).and_then(|draft| draft.exchange(*place)) {
            exchange.outcome = outcome(exchange.sent);
        }
    }

    fn finish(mut self, end: Duration) -> (Vec<HopSeen>, Vec<LookUp>) {
        self.drafts.values_mut().for_each(|draft| draft.give_up(end));
        let scopes: Vec<u32> = self.hops.iter().map(|hop| hop.scope).collect();
        let mut hops: Vec<HopSeen> = Vec::new();
        for hop in std::mem::take(&mut self.hops) {
            let Some(look_up) = self.assemble(hop.scope) else { continue };
            let Question { name, rtype, .. } = &look_up.question;
            let same = |owner: &Name, kind| owner == name && (kind == *rtype || kind == RrType::CNAME);
            let brought = self.volunteered.iter().find(|(_, owner, kind)| same(owner, *kind));
            let brought_by = brought.and_then(|(scope, ..)| scopes.iter().position(|hop| hop == scope));
            hops.push(HopSeen {
                look_up,
                alias: hop.alias,
                brought_by: brought_by.map(|from| from + 1),
                stale: hop.stale,
            });
        }
        let additional = std::mem::take(&mut self.additional);
        (hops, additional.into_iter().filter_map(|scope| self.assemble(scope)).collect())
    }

    /// The look-up of a scope with all that it needed; each level has cost a message of the budget.
    fn assemble(&mut self, scope: u32) -> Option<LookUp> {
        let Draft { question, why, steps, .. } = self.drafts.remove(&scope)?;
        let steps = steps.into_iter().filter_map(|step| match step {
            DraftStep::Done(step) => Some(step),
            DraftStep::Needed(scope) => self.assemble(scope).map(Step::Needed),
        });
        let steps = steps.collect();
        Some(LookUp { question, why, steps })
    }
}

/// What concerns the look-up as a whole, or the reply that it reads at the moment.
fn note(draft: &mut Draft, at: Duration, event: Event) {
    let reading = draft.reading;
    let step = match event {
        Event::CacheHit { ttl, stale, .. } => Step::CacheHit { ttl, stale },
        Event::Joined { .. } => Step::Joined,
        Event::CutFound { zone, from, servers } => {
            draft.give_up(at);
            // The walk says it again before each question to the same servers.
            if draft.is_at(&zone) {
                return;
            }
            Step::Cut { zone, from, servers }
        }
        Event::Judged { security, .. } => Step::Judged(security),
        Event::Reached { addresses, glue } => Step::Reached { addresses, glue },
        Event::Failed { failure } => {
            draft.give_up(at);
            Step::Failed(failure)
        }
        Event::Flawed { server, flaw, .. } => {
            if let Some(exchange) = draft.exchanges().rev().find(|exchange| exchange.server == server) {
                exchange.flaw = Some(flaw);
            }
            return;
        }
        Event::Dropped { owner, rtype, why } => {
            if let Some(exchange) = reading.and_then(|place| draft.exchange(place)) {
                exchange.dropped.push((owner, rtype, why));
            }
            return;
        }
        Event::Lint { code, owner } => {
            let reply = reading.filter(|_| code != LintCode::NsTargetAlias);
            if let Some(exchange) = reply.and_then(|place| draft.exchange(place)) {
                exchange.lints.push((code, owner));
                return;
            }
            Step::Lint { code, owner }
        }
        _ => return,
    };
    draft.steps.push(DraftStep::Done(step));
}
