//! Verdicts: is what a walk brought what its zone says?
//!
//! Knows: how a chain of trust is followed from an anchor down to the zone that signed (RFC 4035
//! §5), fetching DS and DNSKEY through the same cache and on the same budget, and what to make of
//! data without signatures: insecure below a delegation that is proven to be so, bogus elsewhere.
//! The rules themselves are in `dnssec`, which asks nobody. Does not know: what a client gets to
//! see of it (`resolver`, `respond`).
//!
//! Shown by: `tests/scenarios/dnssec_*`.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::flights::Usage;
use super::{Reaching, Scope, Walker};
use crate::budget::Purpose;
use crate::cache::rrsets::{Alias, Denial, Hop, Judged};
use crate::dnssec::anchors::TrustAnchors;
use crate::dnssec::crypto::Policy;
use crate::dnssec::denial::{self, Proofs};
use crate::dnssec::keys::{self, Anchor, DsUse, ZoneKeys};
use crate::dnssec::{Reason, Security, Trust, verify};
use crate::request::Request;
use crate::rrset::{Question, RrSet, RrType};
use crate::trace::{self, Event, Why};
use crate::trust::scrub::Proof;
use crate::wire::Name;
use crate::world::BoxFuture;

/// Longest life of a verdict on a zone's keys, seconds.
const MAX_TRUST_TTL: u32 = 86_400;
/// Life of a verdict that a zone's chain of trust is broken, seconds.
const BROKEN_TTL: u32 = 30;

/// What is judged, and where it was found.
#[derive(Clone, Copy)]
struct Case<'a> {
    request: &'a Arc<Request>,
    /// Whose servers gave it.
    zone: &'a Name,
    scope: &'a Scope,
    anchors: &'a TrustAnchors,
}

impl Case<'_> {
    /// The anchor from which (name, type) is to be proven: a DS from above its owner.
    fn anchor_for(&self, name: &Name, rtype: RrType) -> Option<Name> {
        let parent = if rtype == RrType::DS { name.parent() } else { None };
        self.anchors.closest(parent.as_ref().unwrap_or(name)).map(|(zone, _)| zone.clone())
    }

    /// For the look-up of what a proof needs, with a place of its own in the trace.
    fn proof_scope(&self, question: &Question) -> Scope {
        let id = self.request.trace.open();
        let parent = self.scope.id;
        self.request.trace.note(id, || Event::Wanted { question: question.clone(), why: Why::Proof, parent });
        Scope { id, ..self.scope.for_proof() }
    }

    fn policy(&self) -> Policy {
        Policy { sha1: self.request.config.dnssec.sha1_validates }
    }
}

impl Walker {
    /// The verdict on what (name, type) turned out to be.
    pub(super) fn judge<'a>(
        self: &'a Arc<Self>,
        request: &'a Arc<Request>,
        question: &'a Question,
        hop: &'a Hop,
        zone: &'a Name,
        scope: &'a Scope,
    ) -> BoxFuture<'a, Judged> {
        Box::pin(async move {
            let anchors = self.anchors.load_full();
            let case = Case { request, zone, scope, anchors: &anchors };
            let judged = match hop {
                Hop::Data(sets) => match sets.first() {
                    Some(held) => self.judge_set(case, &held.set, &held.proof).await,
                    None => Judged::INSECURE,
                },
                Hop::Alias(
                    Alias::Cname(held) | Alias::Dname { dname: held, .. } | Alias::Overlong { dname: held },
                ) => self.judge_set(case, &held.set, &held.proof).await,
                Hop::NoData(denial) => self.judge_denial(case, question, denial, false).await,
                Hop::NxDomain(denial) => self.judge_denial(case, question, denial, true).await,
            };
            if anchors.is_negative(&question.name) {
                request.trace.note(scope.id, || Event::Policy { policy: trace::Policy::NegativeTrustAnchor });
            }
            request.trace.note(scope.id, || Event::Judged {
                question: question.clone(),
                security: judged.security.clone(),
            });
            judged
        })
    }

    async fn judge_set(self: &Arc<Self>, case: Case<'_>, set: &RrSet, proof: &Proof) -> Judged {
        // Signatures are not signed (RFC 4034 §3).
        if set.rtype == RrType::RRSIG {
            return Judged::INSECURE;
        }
        let Some(anchor) = case.anchor_for(&set.owner, set.rtype) else { return Judged::INSECURE };
        if set.rtype == RrType::DNSKEY
            && let Some(judged) = self.judge_keys(case, set, proof).await
        {
            return judged;
        }
        let mut unfit = None;
        for signer in verify::signers(set).into_iter().filter(|signer| signer.is_at_or_below(&anchor)) {
            // A DS set is the parent's: the child has no say in it (RFC 4035 §5.2).
            if set.rtype == RrType::DS && signer == set.owner {
                unfit = Some(Reason::SignatureUnfit);
                continue;
            }
            match self.trust(case, &signer, None).await {
                Trust::Secure(keys) => return self.judge_signed(case, set, proof, &keys),
                Trust::Insecure => return Judged::INSECURE,
                Trust::NoCut => unfit = Some(Reason::SignatureUnfit),
                Trust::Bogus(reason) => return Judged::bogus(reason),
            }
        }
        let none = if set.sigs.is_empty() { Reason::RrsigsMissing } else { Reason::SignatureUnfit };
        let missing = unfit.unwrap_or(none);
        self.judge_unsigned(case, &set.owner, set.rtype, missing).await
    }

    /// A zone's keys, signed or not, are judged by what vouches for them. To look for the trust in
    /// their zone first would be to ask for these keys again, without end.
    async fn judge_keys(self: &Arc<Self>, case: Case<'_>, set: &RrSet, proof: &Proof) -> Option<Judged> {
        Some(match self.trust(case, &set.owner, Some(set)).await {
            // The trusted keys are these very keys: they were checked for that.
            Trust::Secure(keys) if keys.are_of(set, &case.policy()) => {
                Judged::secure(verify::longest_life(set, &keys, self.world.clock.wall()))
            }
            Trust::Secure(keys) => self.judge_signed(case, set, proof, &keys),
            Trust::Insecure => Judged::INSECURE,
            Trust::NoCut => return None,
            Trust::Bogus(reason) => Judged::bogus(reason),
        })
    }

    fn judge_signed(&self, case: Case<'_>, set: &RrSet, proof: &Proof, keys: &ZoneKeys) -> Judged {
        let now = self.world.clock.wall();
        match verify::verify(set, keys, now, &case.policy(), &case.request.budget) {
            Ok(verified) => self.judge_expansion(case, set, proof, keys, &verified),
            Err(reason) => Judged::bogus(reason),
        }
    }

    /// What came from a wildcard needs proof that no nearer name exists (RFC 4035 §5.3.4).
    fn judge_expansion(
        &self,
        case: Case<'_>,
        set: &RrSet,
        proof: &Proof,
        keys: &ZoneKeys,
        verified: &verify::Verified,
    ) -> Judged {
        let Some(wildcard) = &verified.wildcard else { return Judged::secure(verified.expires_in) };
        let (sets, _) = self.verified_sets(case, proof, keys);
        let proofs = Proofs::new(&keys.zone, &sets);
        match proofs.wildcard_answer(&set.owner, wildcard, &case.request.budget) {
            denial::Proof::Proven => {
                let now = self.world.clock.now();
                let until = now + Duration::from_secs(u64::from(verified.expires_in.min(set.ttl)));
                let aggressive = &self.cache.aggressive;
                aggressive.add_wildcard(&keys.zone, set, wildcard, until, now);
                self.remember_ranges(&keys.zone, &sets, None);
                Judged::secure_by_proof(verified.expires_in)
            }
            denial::Proof::OptOut | denial::Proof::Insecure => Judged::INSECURE,
            denial::Proof::No(reason) => Judged::bogus(reason),
        }
    }

    /// The NSEC and NSEC3 sets that the zone signed, and what is wrong with the first other one.
    fn verified_sets(&self, case: Case<'_>, proof: &Proof, keys: &ZoneKeys) -> (Vec<RrSet>, Option<Reason>) {
        let now = self.world.clock.wall();
        let (mut sets, mut wrong) = (Vec::new(), None);
        for set in proof.iter() {
            match verify::verify(set, keys, now, &case.policy(), &case.request.budget) {
                // An NSEC that a wildcard was expanded into says nothing about its owner.
                Ok(verified) if verified.wildcard.is_none() => {
                    sets.push(RrSet { ttl: set.ttl.min(verified.expires_in), ..set.clone() });
                }
                Ok(_) => wrong = wrong.or(Some(Reason::SignatureUnfit)),
                Err(reason) => wrong = wrong.or(Some(reason)),
            }
        }
        (sets, wrong)
    }

    async fn judge_denial(
        self: &Arc<Self>,
        case: Case<'_>,
        question: &Question,
        denial: &Denial,
        nxdomain: bool,
    ) -> Judged {
        let Question { name, rtype, .. } = question;
        let Some(anchor) = case.anchor_for(name, *rtype) else { return Judged::INSECURE };
        let soa = denial.soa.as_ref().map(|held| &held.set);
        let signer = denial.proof.iter().chain(soa).flat_map(verify::signers).find(|signer| {
            // The absence of a DS is the parent's to say.
            let within = name.is_at_or_below(signer) && signer.is_at_or_below(&anchor);
            within && !(*rtype == RrType::DS && signer == name && !name.is_root())
        });
        // Signed records of another zone deny nothing here.
        let is_signed = denial.proof.iter().any(|set| !set.sigs.is_empty());
        let missing =
            if denial.proof.is_empty() || is_signed { Reason::DenialMissing } else { Reason::RrsigsMissing };
        let Some(signer) = signer else {
            return self.judge_unsigned(case, name, *rtype, missing).await;
        };
        let keys = match self.trust(case, &signer, None).await {
            Trust::Secure(keys) => keys,
            Trust::Insecure => return Judged::INSECURE,
            Trust::NoCut => return self.judge_unsigned(case, name, *rtype, Reason::SignatureUnfit).await,
            Trust::Bogus(reason) => return Judged::bogus(reason),
        };
        let (sets, wrong) = self.verified_sets(case, &denial.proof, &keys);
        let now = self.world.clock.wall();
        let mut life = sets.iter().map(|set| set.ttl).min().unwrap_or(0);
        if let Some(soa) = soa {
            match verify::verify(soa, &keys, now, &case.policy(), &case.request.budget) {
                Ok(verified) => life = life.min(verified.expires_in),
                Err(reason) => return Judged::bogus(reason),
            }
        }
        let proofs = Proofs::new(&keys.zone, &sets);
        let budget = &case.request.budget;
        let proven =
            if nxdomain { proofs.nxdomain(name, budget) } else { proofs.nodata(name, *rtype, budget) };
        match proven {
            denial::Proof::Proven => {
                let soa = soa.map(|soa| RrSet { ttl: soa.ttl.min(life), ..soa.clone() });
                self.remember_ranges(&keys.zone, &sets, soa.as_ref());
                Judged::secure_by_proof(life)
            }
            denial::Proof::OptOut | denial::Proof::Insecure => Judged { life, ..Judged::INSECURE },
            denial::Proof::No(reason) => Judged::bogus(wrong.unwrap_or(reason)),
        }
    }

    /// Keeps proven NSEC and NSEC3 sets for other names (RFC 8198).
    fn remember_ranges(&self, zone: &Name, sets: &[RrSet], soa: Option<&RrSet>) {
        let now = self.world.clock.now();
        for set in sets {
            let until = now + Duration::from_secs(u64::from(set.ttl));
            self.cache.aggressive.add(zone, set, soa, until, now);
        }
    }

    /// What follows from denials and wildcards that are proven already. Not for names that the
    /// operator has rules for.
    pub(super) fn deduced(&self, request: &Request, question: &Question) -> Option<Hop> {
        let Question { name, rtype, .. } = question;
        let routed = request.config.routes.iter().any(|route| name.is_at_or_below(&route.zone));
        if self.cache.aggressive.octets() == 0 || routed || self.anchors.load().closest(name).is_none() {
            return None;
        }
        let now = self.world.clock.now();
        let rrsets = &self.cache.rrsets;
        if let Some(denied) = self.cache.aggressive.deny(name, *rtype, now) {
            let proof: Proof = denied.proofs.into();
            let denial = Denial::deduced(denied.soa, denied.ttl_left, proof);
            return Some(if denied.nxdomain { Hop::NxDomain(denial) } else { Hop::NoData(denial) });
        }
        let expanded = self.cache.aggressive.wildcard(name, *rtype, now)?;
        let set = RrSet { ttl: expanded.ttl_left, ..expanded.set };
        Some(rrsets.hop_expanded(set, expanded.proofs.into()))
    }

    /// Without a signature: insecure where the zone is proven to be, bogus elsewhere.
    async fn judge_unsigned(
        self: &Arc<Self>,
        case: Case<'_>,
        owner: &Name,
        rtype: RrType,
        missing: Reason,
    ) -> Judged {
        let parent = if rtype == RrType::DS { owner.parent() } else { None };
        match self.trust_over(case, parent.as_ref().unwrap_or(owner)).await {
            Trust::Insecure => Judged::INSECURE,
            Trust::Bogus(reason) => Judged::bogus(reason),
            Trust::Secure(_) | Trust::NoCut => Judged::bogus(missing),
        }
    }

    /// The trust of the zone that `name` is in. The zone whose servers answered may hold a child
    /// zone too: each label between is looked at for a delegation that proves insecure.
    async fn trust_over(self: &Arc<Self>, case: Case<'_>, name: &Name) -> Trust {
        let Some((anchor, _)) = case.anchors.closest(name) else { return Trust::Insecure };
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

    /// What the keys of `zone` are worth. `candidate`: its DNSKEY set, when that is what is judged.
    fn trust<'a>(
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
            let (trust, life) = self.establish(case, zone, candidate).await;
            // What failed for want of this request's budget says nothing about the zone.
            let own_limit = matches!(
                trust,
                Trust::Bogus(Reason::TooMuchWork | Reason::ChainBroken | Reason::Indeterminate)
            );
            let tentative = candidate.is_some() && matches!(trust, Trust::Bogus(_));
            if life > 0 && !own_limit && !tentative {
                let until: Instant = now + Duration::from_secs(u64::from(life.min(MAX_TRUST_TTL)));
                self.cache.trust.store(zone, &trust, until);
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
        if anchors.closest(zone).is_none() {
            return (Trust::Insecure, MAX_TRUST_TTL);
        }
        if let Some(anchored) = anchors.at(zone) {
            return self.prove_keys(case, zone, anchored, candidate, MAX_TRUST_TTL).await;
        }
        // Below what is insecure everything is; no DS needs to be asked for.
        let now = self.world.clock.now();
        if let Some(parent) = zone.parent()
            && let Some(cut) = self.cache.cuts.closest(&parent, now)
            && anchors.closest(&cut.zone).is_some()
            && let Trust::Insecure = self.trust(case, &cut.zone, None).await
        {
            return (Trust::Insecure, MAX_TRUST_TTL);
        }
        let question = Question::new(zone.clone(), RrType::DS);
        let scope = case.proof_scope(&question);
        let hop = match self.look_up_hop(case.request, &question, &scope, Usage::Proven).await {
            Ok(hop) => hop,
            Err(_) => return (Trust::Bogus(Reason::Indeterminate), 0),
        };
        match (hop.security(), &hop) {
            (Security::Bogus(reason), _) => (Trust::Bogus(reason), BROKEN_TTL),
            (Security::Insecure | Security::Unchecked, _) => (Trust::Insecure, life_of(&hop)),
            (Security::Secure, Hop::Data(sets)) => {
                let Some(held) = sets.first() else { return (Trust::Bogus(Reason::ChainBroken), 0) };
                match DsUse::of(&keys::ds_of(&held.set), &case.policy()) {
                    DsUse::NoneSupported { .. } => (Trust::Insecure, held.left),
                    DsUse::Usable(ds) => {
                        let anchored: Vec<Anchor> = ds.into_iter().map(Anchor::Ds).collect();
                        self.prove_keys(case, zone, &anchored, candidate, held.left).await
                    }
                }
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
        let Some(signer) = denial.proof.iter().flat_map(verify::signers).next() else {
            return (Trust::Bogus(Reason::DenialMissing), BROKEN_TTL);
        };
        let proofs = Proofs::new(&signer, &denial.proof);
        match proofs.delegation(zone, &case.request.budget) {
            denial::Cut::InsecureDelegation | denial::Cut::OptOut | denial::Cut::Insecure => {
                (Trust::Insecure, life)
            }
            // The operator has put a zone of their own where the public tree has none.
            denial::Cut::NotACut if case.request.config.routes.iter().any(|route| route.zone == *zone) => {
                (Trust::Insecure, life)
            }
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
        match keys::establish(zone, dnskey, trusted, now, &case.policy(), &case.request.budget) {
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
        let scope = case.proof_scope(&question).for_keys_of(zone);
        let hop = match self.look_up_hop(case.request, &question, &scope, Usage::Proven).await {
            Ok(hop) => hop,
            Err(_) => return (Trust::Bogus(Reason::ChainBroken), 0),
        };
        match (hop.security(), &hop) {
            (Security::Secure, Hop::Data(sets)) => {
                let now = self.world.clock.now();
                match (self.cache.trust.get(zone, now), sets.first()) {
                    // Stored a moment ago, with its own life; not to be stored again.
                    (Some(trust @ Trust::Secure(_)), _) => (trust, 0),
                    (_, Some(held)) => (self.trust(case, zone, Some(&held.set)).await, 0),
                    (_, None) => (Trust::Bogus(Reason::DnskeyMissing), 0),
                }
            }
            (Security::Bogus(reason), Hop::Data(_)) => (Trust::Bogus(reason), BROKEN_TTL),
            _ => (Trust::Bogus(Reason::DnskeyMissing), BROKEN_TTL),
        }
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
        Scope { purpose: Purpose::Proof, refresh: false, ..self.clone() }
    }
}

fn life_of(hop: &Hop) -> u32 {
    match hop {
        Hop::NoData(denial) | Hop::NxDomain(denial) => denial.soa.as_ref().map_or(0, |held| held.left),
        hop => hop.sets().iter().map(|held| held.left).min().unwrap_or(0),
    }
}
