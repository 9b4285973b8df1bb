//! The chain of trust: what the keys of a zone are worth.
//!
//! Knows: how the chain is followed from an anchor down (RFC 4035 §5), a zone at a time, fetching DS
//! and DNSKEY through the same cache and on the same budget; what the absence of a DS says of a
//! name (RFC 6840 §4.4, RFC 5155 §8.9); how long each verdict is kept. The rules themselves are in
//! `dnssec`, which asks nobody. Does not know: what is proven with the keys (`validate`).
//!
//! Each DS rests on names above its own, so that no proof rests on itself; how many may rest on one another
//! is [`PROOFS_NESTED`].
//!
//! Shown by: `tests/scenarios/dnssec_three_zones*`, `dnssec_ds_*`, `dnssec_anchor*`, `dnssec_ede_*`,
//! `dnssec_signer_above_*`, `dnssec_cd_then_alias_*`; `tests/nested.rs`.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::flights::Usage;
use super::{Reaching, Scope, Walker};
use crate::budget::{Checks, PROOFS_NESTED, Purpose};
use crate::cache::hop::{Denial, Hop, Judged};
use crate::dnssec::anchors::TrustAnchors;
use crate::dnssec::crypto::Policy;
use crate::dnssec::denial::{self, Proofs};
use crate::dnssec::keys::{self, Anchor, DsUse};
use crate::dnssec::{Reason, Security, Trust, verify};
use crate::request::Request;
use crate::rrset::{Question, RrSet, RrType};
use crate::trace::{Event, Why};
use crate::wire::Name;
use crate::world::BoxFuture;

/// Longest life of a verdict on a zone's keys, seconds.
const MAX_TRUST_TTL: u32 = 86_400;
/// Life of a verdict that a zone's chain of trust is broken, seconds.
const BROKEN_TTL: u32 = 30;

/// What is judged, and where it was found.
#[derive(Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) request: &'a Arc<Request>,
    /// Whose servers gave it.
    pub(super) zone: &'a Name,
    pub(super) scope: &'a Scope,
    pub(super) anchors: &'a TrustAnchors,
    pub(super) checks: &'a Checks<'a>,
}

impl Case<'_> {
    /// The anchor from which (name, type) is to be proven: a DS from above its owner.
    pub(super) fn anchor_for(&self, name: &Name, rtype: RrType) -> Option<Name> {
        let parent = if rtype == RrType::DS { name.parent() } else { None };
        self.anchors.closest(parent.as_ref().unwrap_or(name)).map(|(zone, _)| zone.clone())
    }

    /// For the look-up of what a proof needs, with a place of its own in the trace.
    fn proof_scope(&self, question: &Question) -> Scope {
        let id = self.request.trace.open();
        let parent = self.scope.id;
        self.request.trace.note(id, || Event::Wanted { question: question.clone(), why: Why::Proof, parent });
        Scope { id, proofs: self.scope.proofs.saturating_add(1), ..self.scope.for_proof() }
    }

    /// Has the operator said who serves exactly this zone?
    fn is_routed(&self, zone: &Name) -> bool {
        self.request.config.routes.iter().any(|route| route.zone == *zone)
    }

    pub(super) fn policy(&self) -> Policy {
        Policy { sha1: self.request.config.dnssec.sha1_validates }
    }
}

impl Walker {
    /// The trust of the zone that `name` is in. The zone whose servers answered may hold a child
    /// zone too: each label between is looked at for a delegation that proves insecure.
    pub(super) async fn trust_over(self: &Arc<Self>, case: Case<'_>, name: &Name) -> Trust {
        let Some((anchor, _)) = case.anchors.closest(name) else { return Trust::Insecure(None) };
        // Who answered may be further down than what is judged: a child asked for its own DS.
        let is_between = case.zone.is_at_or_below(anchor) && name.is_at_or_below(case.zone);
        let start = if is_between { case.zone } else { anchor };
        let trust = match self.trust(case, start, None).await {
            Trust::NoCut => Trust::Bogus(Reason::ChainBroken),
            trust => trust,
        };
        if !matches!(trust, Trust::Secure(_)) {
            return trust;
        }
        let known = start.label_count();
        for labels in known + 1..=name.label_count() {
            match self.trust(case, &name.suffix(labels), None).await {
                Trust::Secure(_) | Trust::NoCut => {}
                decided => return decided,
            }
        }
        trust
    }

    /// The verdict on what `signer` has signed of (owner, type) when a zone between the two holds it:
    /// only that zone may sign it (RFC 4035 §5.3.1). Looked for are the zones that are known, by a
    /// delegation or a proof; nobody is asked for more.
    pub(super) async fn held_between(
        self: &Arc<Self>,
        case: Case<'_>,
        signer: &Name,
        (owner, rtype): (&Name, RrType),
    ) -> Option<Judged> {
        // At a cut these are, or may be, the upper zone's.
        let of_parent = matches!(rtype, RrType::DS | RrType::NSEC);
        let place = if of_parent { owner.parent()? } else { owner.clone() };
        let now = self.world.clock.now();
        for labels in (signer.label_count() + 1..=place.label_count()).rev() {
            let zone = place.suffix(labels);
            let is_known = zone == *case.zone
                || self.cache.cuts.has(&zone, now)
                || self.cache.trust.get(&zone, now).is_some();
            if !is_known {
                continue;
            }
            match self.trust(case, &zone, None).await {
                Trust::Secure(_) => return Some(Judged::bogus(Reason::SignatureUnfit)),
                Trust::Bogus(reason) => return Some(Judged::bogus(reason)),
                // The operator's own zone need not be a zone in the public tree.
                Trust::Insecure(_) if case.is_routed(&zone) => {}
                Trust::Insecure(_) => return Some(Judged::INSECURE),
                Trust::NoCut => {}
            }
        }
        None
    }

    /// What the keys of `zone` are worth. `candidate`: its DNSKEY set, when that is what is judged.
    pub(super) fn trust<'a>(
        self: &'a Arc<Self>,
        case: Case<'a>,
        zone: &'a Name,
        candidate: Option<&'a RrSet>,
    ) -> BoxFuture<'a, Trust> {
        Box::pin(async move {
            let now = self.world.clock.now();
            // The keys of the zone are being looked for already: they are not to be had.
            if candidate.is_none() && case.scope.is_proving(zone) {
                return Trust::Bogus(Reason::DnskeyMissing);
            }
            match self.cache.trust.get(zone, now) {
                // Other keys may be better ones.
                Some(Trust::Bogus(_)) if candidate.is_some() => {}
                Some(trust) => return trust,
                None => {}
            }
            // Twice for each zone would be 2^n for n zones in a row.
            if candidate.is_none()
                && let Some(trust) = case.request.own.verdict(zone)
            {
                return trust;
            }
            if case.scope.proofs >= PROOFS_NESTED || !case.request.budget.spend_verdict() {
                return Trust::Bogus(Reason::TooMuchWork);
            }
            let (trust, life) = self.establish(case, zone, candidate).await;
            // What failed for want of this request's budget says nothing about the zone.
            let own_limit = matches!(trust, Trust::Bogus(reason) if reason.is_not_of_the_data());
            let tentative = candidate.is_some() && matches!(trust, Trust::Bogus(_));
            if life > 0 && !own_limit && !tentative && self.cache.is_in(case.request.era) {
                let until: Instant = now + Duration::from_secs(u64::from(life.min(MAX_TRUST_TTL)));
                self.cache.trust.store(zone, &trust, until);
            } else if candidate.is_none() {
                case.request.own.hold_verdict(zone, &trust);
            }
            trust
        })
    }

    async fn establish(
        self: &Arc<Self>,
        case: Case<'_>,
        zone: &Name,
        candidate: Option<&RrSet>,
    ) -> (Trust, u32) {
        let anchors = case.anchors;
        let Some((anchor, _)) = anchors.closest(zone) else {
            return (Trust::Insecure(None), MAX_TRUST_TTL);
        };
        if let Some(anchored) = anchors.at(zone) {
            if candidate.is_none() {
                self.tell_tags(case.request, zone);
            }
            return self.prove_keys(case, zone, anchored, candidate, MAX_TRUST_TTL).await;
        }
        // Below what is insecure everything is, down to the next anchor; no DS needs to be asked for.
        let now = self.world.clock.now();
        let mut above = None;
        if let Some(parent) = zone.parent()
            && let Some(cut) = self.cache.cuts.closest_zone(&parent, now)
            && cut.is_at_or_below(anchor)
        {
            match self.trust(case, &cut, None).await {
                // Not to be stored: it holds as long as what is known of the zone above.
                Trust::Insecure(_) => return (Trust::Insecure(None), 0),
                // No DS can be proven now, but one may be that was.
                Trust::Bogus(reason) => above = Some(reason),
                Trust::Secure(_) | Trust::NoCut => {}
            }
        }
        let question = Question::new(zone.clone(), RrType::DS);
        let scope = case.proof_scope(&question);
        let hop = match self.look_up_hop(case.request, &question, &scope, Usage::Proven).await {
            Ok(hop) => hop,
            Err(failure) if failure.is_own_limit() => return (Trust::Bogus(Reason::TooMuchWork), 0),
            Err(_) => return (Trust::Bogus(above.unwrap_or(Reason::Indeterminate)), 0),
        };
        match (hop.security(), &hop) {
            (Security::Bogus(reason), _) => (Trust::Bogus(reason), BROKEN_TTL),
            (Security::Insecure | Security::Unchecked, _) => (Trust::Insecure(None), life_of(&hop)),
            (Security::Secure, Hop::Data(sets)) => {
                let Some(held) = sets.first() else { return (Trust::Bogus(Reason::ChainBroken), 0) };
                match DsUse::of(&keys::ds_of(&held.set), &case.policy()) {
                    DsUse::NoneSupported { digest } => {
                        let reason =
                            if digest { Reason::UnsupportedDigest } else { Reason::UnsupportedAlgorithm };
                        (Trust::Insecure(Some(reason)), held.left)
                    }
                    DsUse::Usable(ds) => {
                        let anchored: Vec<Anchor> = ds.into_iter().map(Anchor::Ds).collect();
                        self.prove_keys(case, zone, &anchored, candidate, held.left).await
                    }
                }
            }
            // The operator has put a zone of their own there.
            (Security::Secure, Hop::Alias(_)) if case.is_routed(zone) => {
                (Trust::Insecure(None), life_of(&hop))
            }
            (Security::Secure, Hop::Alias(_)) => (Trust::NoCut, life_of(&hop)),
            (Security::Secure, Hop::NoData(denial) | Hop::NxDomain(denial)) => {
                self.undelegated(case, zone, denial, life_of(&hop)).await
            }
        }
    }

    /// What the proven absence of a DS says of the name.
    async fn undelegated(
        self: &Arc<Self>,
        case: Case<'_>,
        zone: &Name,
        denial: &Denial,
        life: u32,
    ) -> (Trust, u32) {
        // The one by whose keys it was judged: the deepest, but not the child.
        let signers = denial.proof.iter().flat_map(verify::signers).filter(|signer| zone.is_below(signer));
        let Some(signer) = signers.max_by_key(Name::label_count) else {
            return (Trust::Bogus(Reason::DenialMissing), BROKEN_TTL);
        };
        let proofs = Proofs::new(&signer, &denial.proof);
        match proofs.delegation(zone, &case.request.budget) {
            denial::Cut::InsecureDelegation | denial::Cut::OptOut | denial::Cut::Insecure => {
                (Trust::Insecure(None), life)
            }
            // The operator has put a zone of their own where the public tree has none.
            denial::Cut::NotACut if case.is_routed(zone) => (Trust::Insecure(None), life),
            denial::Cut::NotACut => (Trust::NoCut, life),
            denial::Cut::No(reason) => (Trust::Bogus(reason), BROKEN_TTL),
        }
    }

    /// Does the zone's DNSKEY set follow from what is trusted (RFC 4035 §5.2)?
    async fn prove_keys(
        self: &Arc<Self>,
        case: Case<'_>,
        zone: &Name,
        trusted: &[Anchor],
        candidate: Option<&RrSet>,
        life: u32,
    ) -> (Trust, u32) {
        let Some(dnskey) = candidate else { return self.fetch_keys(case, zone).await };
        let now = self.world.clock.wall();
        match keys::establish(zone, dnskey, trusted, now, &case.policy(), case.checks) {
            Ok((keys, verified)) => {
                (Trust::Secure(Arc::new(keys)), life.min(dnskey.ttl).min(verified.expires_in))
            }
            Err(reason) => (Trust::Bogus(reason), BROKEN_TTL),
        }
    }
}

impl Walker {
    /// Looks the DNSKEY set up like any other; judging it, here and at as many servers as it takes,
    /// comes back to [`Walker::prove_keys`] with the set at hand.
    async fn fetch_keys(self: &Arc<Self>, case: Case<'_>, zone: &Name) -> (Trust, u32) {
        let question = Question::new(zone.clone(), RrType::DNSKEY);
        let known = case.proof_scope(&question).for_keys_of(zone);
        if let Ok(found) = self.keys_in(case, zone, &question, &known).await {
            return found;
        }
        // Signed again meanwhile, or other keys.
        let anew = Scope { refresh: true, ..case.proof_scope(&question).for_keys_of(zone) };
        let found = self.keys_in(case, zone, &question, &anew).await;
        found.unwrap_or_else(|reason| (Trust::Bogus(reason), BROKEN_TTL))
    }

    /// What a look-up of the keys makes of them, and for how long; why not, where they were proven before and are not
    /// any more.
    async fn keys_in(
        self: &Arc<Self>,
        case: Case<'_>,
        zone: &Name,
        question: &Question,
        scope: &Scope,
    ) -> Result<(Trust, u32), Reason> {
        let hop = match self.look_up_hop(case.request, question, scope, Usage::Proven).await {
            Ok(hop) => hop,
            Err(failure) if failure.is_own_limit() => return Ok((Trust::Bogus(Reason::TooMuchWork), 0)),
            Err(_) => return Ok((Trust::Bogus(Reason::ChainBroken), 0)),
        };
        Ok(match (hop.security(), &hop) {
            (Security::Secure, Hop::Data(sets)) => {
                let now = self.world.clock.now();
                match (self.cache.trust.get(zone, now), sets.first()) {
                    // Stored a moment ago, with its own life; not to be stored again.
                    (Some(trust @ Trust::Secure(_)), _) => (trust, 0),
                    (_, Some(held)) => {
                        let case = Case { scope, ..case };
                        match self.trust(case, zone, Some(&held.set)).await {
                            Trust::Bogus(reason) => return Err(reason),
                            trust => (trust, 0),
                        }
                    }
                    (_, None) => (Trust::Bogus(Reason::DnskeyMissing), 0),
                }
            }
            (Security::Bogus(reason), Hop::Data(_)) => (Trust::Bogus(reason), BROKEN_TTL),
            (Security::Bogus(reason), _) if reason.is_not_of_the_data() => (Trust::Bogus(reason), 0),
            _ => (Trust::Bogus(Reason::DnskeyMissing), BROKEN_TTL),
        })
    }
}

impl Scope {
    /// For the keys of a zone, which must not depend on themselves.
    fn for_keys_of(&self, zone: &Name) -> Scope {
        let above = self.proving.clone();
        let proving = Some(Arc::new(Reaching { zone: zone.clone(), above }));
        Scope { proving, ..self.for_proof() }
    }

    fn is_proving(&self, zone: &Name) -> bool {
        Reaching::holds(self.proving.as_ref(), zone)
    }

    /// For what a proof needs.
    fn for_proof(&self) -> Scope {
        Scope { purpose: Purpose::Proof, refresh: false, arriving: None, ..self.clone() }
    }
}

fn life_of(hop: &Hop) -> u32 {
    match hop {
        Hop::NoData(denial) | Hop::NxDomain(denial) => denial.soa.as_ref().map_or(0, |held| held.left),
        hop => hop.sets().iter().map(|held| held.left).min().unwrap_or(0),
    }
}
