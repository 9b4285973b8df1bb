//! Events into look-ups: which belong together, also when they are interleaved in time.
//!
//! Knows: what opens and what ends a look-up, an exchange, a hop. Does not know: formats. Shown by:
//! `tests/trace_text.rs`.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::{AliasSeen, Exchange, HopSeen, LookUp, Outcome, Source, Step};
use crate::cache::rrsets::STALE_TTL;
use crate::rrset::{Question, RrType};
use crate::security::Security;
use crate::trace::{End, Event, LintCode, Meaning, Policy, Timed, Ttl, Why};
use crate::wire::Name;

/// A look-up while its events are sorted out.
struct Draft {
    question: Question,
    why: Why,
    steps: Vec<DraftStep>,
    policy: Vec<Policy>,
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
    end: Option<End>,
    ttl: Option<Ttl>,
    security: Option<Security>,
    stale: bool,
}

impl HopDraft {
    fn of(scope: u32) -> HopDraft {
        HopDraft { scope, alias: None, end: None, ttl: None, security: None, stale: false }
    }
}

/// Sorts events by look-up and exchange.
#[derive(Default)]
pub(super) struct Sorter {
    drafts: BTreeMap<u32, Draft>,
    /// By the exchange's number: scope and place among its steps.
    exchanges: HashMap<u32, (u32, usize)>,
    hops: Vec<HopDraft>,
    additional: Vec<u32>,
    /// What came along with another's reply: in which scope.
    volunteered: Vec<(u32, Name, RrType)>,
}

impl Sorter {
    pub(super) fn take(&mut self, Timed { at, scope, event }: Timed) {
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
            Event::AliasFollowed { owner, target, dname, ttl, security } => {
                if let Some(hop) = self.hops.last_mut() {
                    hop.alias = Some(AliasSeen { owner, target, dname, ttl: ttl.left });
                    (hop.ttl, hop.security) = (Some(ttl), Some(security));
                }
            }
            Event::Ended { end, ttl, security, .. } => {
                if let Some(hop) = self.hops.last_mut() {
                    (hop.end, hop.ttl, hop.security) = (Some(end), ttl, Some(security));
                }
            }
            Event::Policy { policy } => {
                if let Some(draft) = self.drafts.get_mut(&scope)
                    && !draft.policy.contains(&policy)
                {
                    draft.policy.push(policy);
                }
            }
            Event::Stale { .. } => {
                let Some(hop) = self.hops.last_mut() else { return };
                hop.stale = true;
                if let Some(draft) = self.drafts.get_mut(&hop.scope) {
                    draft.steps.push(DraftStep::Done(Step::CacheHit { ttl: STALE_TTL, stale: true }));
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
        let draft = Draft { question, why, steps: Vec::new(), policy: Vec::new(), reading: None };
        self.drafts.insert(scope, draft);
        match (why, self.drafts.get_mut(&parent)) {
            (Why::Hop, _) => self.hops.push(HopDraft::of(scope)),
            // A look-up is always younger than what needs it: there is no way round in a circle.
            (_, Some(above)) if parent < scope => above.steps.push(DraftStep::Needed(scope)),
            _ => self.additional.push(scope),
        }
    }

    fn send(&mut self, at: Duration, scope: u32, event: Event) {
        let Event::Sent {
            exchange,
            server,
            server_name,
            zone,
            question,
            transport,
            edns,
            mixed_case,
            minimised,
        } = event
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
            mixed_case,
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

    pub(super) fn finish(mut self, end: Duration) -> (Vec<HopSeen>, Vec<LookUp>) {
        self.drafts.values_mut().for_each(|draft| draft.give_up(end));
        let scopes: Vec<u32> = self.hops.iter().map(|hop| hop.scope).collect();
        let mut hops: Vec<HopSeen> = Vec::new();
        for hop in std::mem::take(&mut self.hops) {
            let Some(mut look_up) = self.assemble(hop.scope) else { continue };
            let brought_by = self.brought_by(&look_up.question, &scopes);
            // What came along and had to be proven first was found in the cache, too.
            if brought_by.is_some() && matches!(look_up.source(), Source::Nowhere) {
                let ttl = hop.ttl.map_or(0, |ttl| ttl.left);
                look_up.steps.push(Step::CacheHit { ttl, stale: false });
            }
            let told = look_up.server().map(|exchange| exchange.zone.clone());
            let brought = || brought_by.and_then(|from| hops.get(from - 1)).and_then(|hop| hop.zone.clone());
            let asked = || look_up.zone().cloned();
            let (zone, judged) = (told.or_else(brought).or_else(asked), look_up.verdict());
            hops.push(HopSeen {
                alias: hop.alias,
                end: hop.end,
                ttl: hop.ttl,
                security: hop.security.or(judged).unwrap_or_default(),
                brought_by,
                stale: hop.stale,
                zone,
                look_up,
            });
        }
        let additional = std::mem::take(&mut self.additional);
        (hops, additional.into_iter().filter_map(|scope| self.assemble(scope)).collect())
    }

    /// The hop, counted from 1, with whose reply this one came along.
    fn brought_by(&self, asked: &Question, scopes: &[u32]) -> Option<usize> {
        let same =
            |owner: &Name, kind| *owner == asked.name && (kind == asked.rtype || kind == RrType::CNAME);
        let (scope, ..) = self.volunteered.iter().find(|(_, owner, kind)| same(owner, *kind))?;
        scopes.iter().position(|hop| hop == scope).map(|from| from + 1)
    }

    /// The look-up of a scope with all that it needed; each level has cost a message of the budget.
    fn assemble(&mut self, scope: u32) -> Option<LookUp> {
        let Draft { question, why, steps, policy, .. } = self.drafts.remove(&scope)?;
        let steps = steps.into_iter().filter_map(|step| match step {
            DraftStep::Done(step) => Some(step),
            DraftStep::Needed(scope) => self.assemble(scope).map(Step::Needed),
        });
        let steps = steps.collect();
        Some(LookUp { question, why, steps, policy })
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
