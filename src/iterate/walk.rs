//! One walk: from the closest zone cut that is known down to who knows.
//!
//! Knows: referrals, stub and forward zones, minimised questions and their fallback, that equal minimised
//! questions are asked once. Does not know: how a server of the cut is chosen and asked (`ask`), what a
//! reply proves. RFC 1034 §5.3.3, RFC 9156. Shown by: `tests/scenarios/walk_*`, `r09_*`.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::time::timeout_at;

use super::flights::{Key, Lead, Role, Usage};
use super::prime::{CONFIGURED_LIFE, root_from_hints};
use super::{Scope, Walker, minimise, out_of};
use crate::cache::cuts::{Cut, CutKind};
use crate::cache::hop::{Alias, Hop, Judged};
use crate::cache::rrsets::Freshness;
use crate::chain;
use crate::config::RouteKind;
use crate::failure::{Failure, Limit};
use crate::request::Request;
use crate::rrset::{Question, RrType};
use crate::trace::{CutFrom, Event, Policy};
use crate::trust::Rank;
use crate::trust::scrub::{Manner, Proof, Referral, Reply, Volunteered};
use crate::wire::Name;

/// What a walk came to.
pub(super) enum Walked {
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
    /// From the closest cut down to the answer.
    pub(super) async fn walk(
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
                if let Some(waiting) = &scope.arriving {
                    waiting.notify_one();
                }
                let (reply, server) =
                    self.ask(request, &cut, question, scope, Manner::Authority, false).await?;
                match reply {
                    Reply::Referral(referral) => {
                        if *rtype == RrType::DS && referral.zone == *name {
                            // It does not know that DS is the parent's (RFC 4035 §3.1.4.1).
                            let (rank, proof) = (Rank::AuthAnswer, Proof::default());
                            let reply = Reply::NoData { soa: None, rank, proof };
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
        let key = Key { name: part.name.clone(), rtype: part.rtype, usage: Usage::Step, era: request.era };
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
                None if !proof.is_empty() => Some(Reply::NoData { soa: None, rank: Rank::AuthAnswer, proof }),
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
        if self.cache.is_in(request.era) {
            if guarded {
                self.cache.siblings.tell(&cut, above, now);
            }
            self.cache.cuts.store(&cut);
        }
        Arc::new(cut)
    }

    /// Is it known that a minimised question would be answered without a referral?
    fn leads_nowhere(&self, request: &Request, part: &Question) -> bool {
        let now = self.world.clock.now();
        let known = self.cache.rrsets.look_up(&request.own, &part.name, part.rtype, Freshness::Live, now);
        matches!(known, Some(Hop::Data(_) | Hop::NoData(_) | Hop::Alias(Alias::Cname(_))))
    }

    /// Where the walk begins: at a stub or forward zone, at a known cut, or at the root. What the
    /// parent side of a cut answers (DS) is looked for from above it (RFC 4035 §3.1.4.1).
    pub(super) fn closest_cut(
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
                self.prime_soon(request);
                (Arc::new(root_from_hints(&request.config, now + CONFIGURED_LIFE)), CutFrom::Hints)
            }
        }
    }
}

/// Did servers answer, only not usefully?
fn answered_badly(failure: &Failure) -> bool {
    match failure {
        Failure::NoServer { tally, .. } => !tally.is_unheard(),
        _ => false,
    }
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
