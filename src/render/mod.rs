//! What one request did, put in order: a [`Report`], which renderers show.
//!
//! Knows: which events belong together (an exchange and what came of it, a look-up and the look-ups
//! it needed), also when they are interleaved in time. Does not know: how events come about
//! (`iterate`, `upstream`), what a format looks like (`text`; the others of `contract.md` will stand
//! beside it and take the same [`Report`]). It decides nothing: what is not in the trace or the
//! answer is not shown. Shown by: `tests/trace_text.rs`.

pub mod beside;
pub mod compact;
pub mod dot;
pub mod graph;
pub mod html;
pub mod json;
mod markup;
pub mod mermaid;
pub mod outline;
mod sorter;
pub mod svg;
pub mod text;
pub mod words;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::dnssec::Security;
use crate::failure::Failure;
use crate::request::Request;
use crate::resolver::Answer;
use crate::rrset::{Question, RrType};
use crate::trace::{Again, CutFrom, Dropped, End, Event, Flaw, LintCode, Meaning, Policy, Timed, Ttl, Why};
use crate::wire::Name;
use crate::world::Transport;
use sorter::Sorter;

/// One request, from its question to its answer.
#[derive(Debug)]
pub struct Report {
    /// The answer, with the question.
    pub answer: Answer,
    /// In chain order; the last one ends the chain or is where it failed.
    pub hops: Vec<HopSeen>,
    /// Look-ups for the additional section (RFC 9460 §4.2).
    pub additional: Vec<LookUp>,
    /// Where it failed, if it did.
    pub failed: Option<FailedAt>,
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
    /// What it is, when the chain ends here. Neither this nor an alias: nobody could tell.
    pub end: Option<End>,
    /// Of the set that goes first; absent when there is none.
    pub ttl: Option<Ttl>,
    /// How far it is proven.
    pub security: Security,
    /// Whose servers told it, or were asked last; absent when nobody was.
    pub zone: Option<Name>,
    /// The hop, counted from 1, whose reply brought this one along (alias-rules R3).
    pub brought_by: Option<usize>,
    /// It was past its time and could not be refreshed.
    pub stale: bool,
}

/// The exact step at which a resolution failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedAt {
    /// The hop, counted from 1.
    pub hop: usize,
    /// From the hop's own question down to the look-up, among those it needed, that failed.
    pub path: Vec<Question>,
    /// Whose servers were being asked there.
    pub zone: Option<Name>,
    /// The hop to which the chain comes back, when it loops.
    pub returns_to: Option<usize>,
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
    /// Settings that touched it.
    pub policy: Vec<Policy>,
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
    /// 0x20.
    pub mixed_case: bool,
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

impl Outcome {
    /// How long it took until this was known, or until nobody waited any more.
    pub fn took(&self) -> Option<Duration> {
        match self {
            Outcome::Replied { rtt: time, .. }
            | Outcome::Again { rtt: time, .. }
            | Outcome::Silent { waited: time }
            | Outcome::GivenUp { waited: time } => Some(*time),
            Outcome::NearMiss | Outcome::Unreachable { .. } | Outcome::Pending => None,
        }
    }
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
        let failed = answer.failure.as_ref().and_then(|failure| FailedAt::find(failure, &hops));
        Report { answer, hops, additional, failed, cost }
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

impl FailedAt {
    fn find(failure: &Failure, hops: &[HopSeen]) -> Option<FailedAt> {
        let last = hops.last()?;
        let returns_to = match failure {
            Failure::Loop(names) => {
                let first = names.first()?;
                hops.iter().position(|hop| hop.look_up.question.name == *first).map(|at| at + 1)
            }
            _ => None,
        };
        let mut path = vec![last.look_up.question.clone()];
        let mut at = &last.look_up;
        // What comes of a chain of aliases is no matter of one look-up.
        while last.alias.is_none()
            && let Some(deeper) = at.failing()
        {
            path.push(deeper.question.clone());
            at = deeper;
        }
        Some(FailedAt { hop: hops.len(), path, zone: at.zone().cloned(), returns_to })
    }
}

impl LookUp {
    /// The look-up it needed that failed last, if its own servers have not been asked since.
    fn failing(&self) -> Option<&LookUp> {
        for step in self.steps.iter().rev() {
            match step {
                Step::Needed(needed) if needed.has_failed() => return Some(needed),
                Step::Exchange(_) => return None,
                _ => {}
            }
        }
        None
    }

    fn has_failed(&self) -> bool {
        let bad = |step: &Step| matches!(step, Step::Failed(_) | Step::Judged(Security::Bogus(_)));
        self.steps.iter().any(bad)
            || matches!(self.steps.last(), Some(Step::Reached { addresses, .. }) if addresses.is_empty())
    }

    /// The last zone whose servers it came to.
    fn zone(&self) -> Option<&Name> {
        self.steps.iter().rev().find_map(|step| match step {
            Step::Cut { zone, .. } => Some(zone),
            _ => None,
        })
    }

    /// The last verdict on its data.
    fn verdict(&self) -> Option<Security> {
        self.steps.iter().rev().find_map(|step| match step {
            Step::Judged(security) => Some(security.clone()),
            _ => None,
        })
    }

    /// The exchange that told it, when the data came from a server.
    pub fn server(&self) -> Option<&Exchange> {
        if let Source::Server(exchange) = self.source() { Some(exchange) } else { None }
    }

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

    /// Its own exchanges.
    pub fn exchanges(&self) -> impl Iterator<Item = &Exchange> {
        self.steps.iter().filter_map(|step| match step {
            Step::Exchange(exchange) => Some(&**exchange),
            _ => None,
        })
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
    /// Did nothing come of it?
    pub fn is_useless(&self) -> bool {
        let silent = Outcome::took(&self.outcome).is_none() && !matches!(self.outcome, Outcome::Pending);
        self.flaw.is_some() || silent || matches!(self.outcome, Outcome::Silent { .. })
    }

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
