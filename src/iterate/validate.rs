//! Verdicts: is what a walk brought what its zone says?
//!
//! Knows: whose signatures count for an RRset or a denial (RFC 4035 §5.3.1), what a wildcard needs
//! beside its signature (§5.3.4), and what to make of data without signatures: insecure below a
//! delegation that is proven to be so, bogus elsewhere; what of it serves other names (RFC 8198).
//! Does not know: what keys are worth (`prove`), the rules themselves (`dnssec`, which asks nobody),
//! what a client gets to see (`resolver`, `respond`).
//!
//! Shown by: `tests/scenarios/dnssec_*`.

use std::sync::Arc;
use std::time::Duration;

use super::prove::Case;
use super::{Scope, Walker};
use crate::cache::hop::{Alias, Denial, Hop, Judged};
use crate::dnssec::denial::{self, Proofs};
use crate::dnssec::keys::ZoneKeys;
use crate::dnssec::{Reason, Security, Trust, verify};
use crate::request::Request;
use crate::rrset::{Question, RrSet, RrType};
use crate::trace::{self, Event};
use crate::trust::scrub::Proof;
use crate::wire::Name;
use crate::world::BoxFuture;

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
            if scope.proofs == 0 {
                request.own.forget_verdicts();
            }
            let checks = request.budget.checks();
            let case = Case { request, zone, scope, anchors: &anchors, checks: &checks };
            let judged = match hop {
                Hop::Data(sets) => match sets.first() {
                    Some(held) => self.judge_set(case, question, &held.set, &held.proof).await,
                    None => Judged::INSECURE,
                },
                Hop::Alias(
                    Alias::Cname(held) | Alias::Dname { dname: held, .. } | Alias::Overlong { dname: held },
                ) => {
                    let judged = self.judge_set(case, question, &held.set, &held.proof).await;
                    // That there is nothing to prove a DNAME from does not make names insecure that have an anchor
                    // of their own below it.
                    let is_above = || {
                        let nearer = case.anchor_for(&question.name, question.rtype);
                        nearer.is_some_and(|anchor| anchor.is_below(&held.set.owner))
                    };
                    let unproven = judged.security == Security::Insecure && is_above();
                    if unproven { Judged::bogus(Reason::RrsigsMissing) } else { judged }
                }
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

    async fn judge_set(
        self: &Arc<Self>,
        case: Case<'_>,
        question: &Question,
        set: &RrSet,
        proof: &Proof,
    ) -> Judged {
        // Signatures are not signed (RFC 4034 §3).
        if set.rtype == RrType::RRSIG {
            return Judged::INSECURE;
        }
        // What is there instead of a DS is the parent's too. Were the owner asked about an alias that is, its
        // DS would be looked for, which is that alias: each DS must rest on names above its own.
        let is_of_parent = question.rtype == RrType::DS && set.owner == question.name;
        let rtype = if is_of_parent { RrType::DS } else { set.rtype };
        let Some(anchor) = case.anchor_for(&set.owner, rtype) else { return Judged::INSECURE };
        if set.rtype == RrType::DNSKEY
            && let Some(judged) = self.judge_keys(case, set, proof).await
        {
            return judged;
        }
        let (mut fault, mut unfit) = (None, None);
        for signer in verify::signers(set).into_iter().filter(|signer| signer.is_at_or_below(&anchor)) {
            // A DS set is the parent's: the child has no say in it (RFC 4035 §5.2).
            if rtype == RrType::DS && signer == set.owner {
                unfit = Some(Reason::SignatureUnfit);
                continue;
            }
            let judged = match self.trust(case, &signer, None).await {
                Trust::Secure(keys) => self.judge_signed(case, set, proof, &keys),
                Trust::Insecure(_) => return Judged::INSECURE,
                Trust::NoCut => {
                    unfit = Some(Reason::SignatureUnfit);
                    continue;
                }
                Trust::Bogus(reason) => Judged::bogus(reason),
            };
            let Security::Bogus(reason) = judged.security else {
                let between = self.held_between(case, &signer, (&set.owner, rtype)).await;
                return between.unwrap_or(judged);
            };
            fault = fault.or(Some(reason));
        }
        if let Some(reason) = fault {
            return Judged::bogus(reason);
        }
        let none = if set.sigs.is_empty() { Reason::RrsigsMissing } else { Reason::SignatureUnfit };
        let missing = unfit.unwrap_or(none);
        self.judge_unsigned(case, &set.owner, rtype, missing).await
    }

    /// A zone's keys, signed or not, are judged by what vouches for them. To look for the trust in
    /// their zone first would be to ask for these keys again, without end.
    async fn judge_keys(self: &Arc<Self>, case: Case<'_>, set: &RrSet, proof: &Proof) -> Option<Judged> {
        Some(match self.trust(case, &set.owner, Some(set)).await {
            // The trusted keys are these very keys: they were checked for that.
            Trust::Secure(keys) if keys.are_of(set) => {
                Judged::secure(verify::longest_life(set, &keys, self.world.clock.wall()))
            }
            Trust::Secure(keys) => self.judge_signed(case, set, proof, &keys),
            Trust::Insecure(_) => Judged::INSECURE,
            Trust::NoCut => return None,
            Trust::Bogus(reason) => Judged::bogus(reason),
        })
    }

    fn judge_signed(&self, case: Case<'_>, set: &RrSet, proof: &Proof, keys: &ZoneKeys) -> Judged {
        let now = self.world.clock.wall();
        match verify::verify(set, keys, now, &case.policy(), case.checks) {
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
                let (longest, _) = self.cache.rrsets.longest_lives();
                let life = verified.expires_in.min(set.ttl).min(longest);
                let until = now + Duration::from_secs(u64::from(life));
                let aggressive = &self.cache.aggressive;
                if self.cache.is_in(case.request.era) {
                    aggressive.add_wildcard(&keys.zone, set, wildcard, until, now);
                }
                self.remember_ranges(case.request, &keys.zone, &sets, None);
                Judged::secure_by_proof(verified.expires_in, sets.into())
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
            match verify::verify(set, keys, now, &case.policy(), case.checks) {
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
        // The deepest: what came along for an alias above may be of another zone.
        let within = |signer: &Name| name.is_at_or_below(signer) && signer.is_at_or_below(&anchor);
        // The absence of a DS is the parent's to say.
        let is_child = |signer: &Name| *rtype == RrType::DS && signer == name && !name.is_root();
        let signers = denial.proof.iter().chain(soa).flat_map(verify::signers);
        let signer =
            signers.filter(|signer| within(signer) && !is_child(signer)).max_by_key(Name::label_count);
        // Signed records of another zone deny nothing here.
        let is_signed = denial.proof.iter().any(|set| !set.sigs.is_empty());
        let missing =
            if denial.proof.is_empty() || is_signed { Reason::DenialMissing } else { Reason::RrsigsMissing };
        let Some(signer) = signer else {
            return self.judge_unsigned(case, name, *rtype, missing).await;
        };
        let keys = match self.trust(case, &signer, None).await {
            Trust::Secure(keys) => keys,
            Trust::Insecure(_) => return Judged::INSECURE,
            Trust::NoCut => return self.judge_unsigned(case, name, *rtype, Reason::SignatureUnfit).await,
            Trust::Bogus(reason) => return Judged::bogus(reason),
        };
        if let Some(judged) = self.held_between(case, &signer, (name, *rtype)).await {
            return judged;
        }
        let (sets, wrong) = self.verified_sets(case, &denial.proof, &keys);
        let now = self.world.clock.wall();
        let mut life = sets.iter().map(|set| set.ttl).min().unwrap_or(0);
        if let Some(soa) = soa {
            match verify::verify(soa, &keys, now, &case.policy(), case.checks) {
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
                self.remember_ranges(case.request, &keys.zone, &sets, soa.as_ref());
                Judged::secure_by_proof(life, sets.into())
            }
            denial::Proof::OptOut | denial::Proof::Insecure => Judged { life, ..Judged::INSECURE },
            denial::Proof::No(reason) => Judged::bogus(wrong.unwrap_or(reason)),
        }
    }

    /// Keeps proven NSEC and NSEC3 sets for other names (RFC 8198).
    fn remember_ranges(&self, request: &Request, zone: &Name, sets: &[RrSet], soa: Option<&RrSet>) {
        if !self.cache.is_in(request.era) {
            return;
        }
        let now = self.world.clock.now();
        let (_, longest) = self.cache.rrsets.longest_lives();
        for set in sets {
            let until = now + Duration::from_secs(u64::from(set.ttl.min(longest)));
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
            Trust::Insecure(_) => Judged::INSECURE,
            Trust::Bogus(reason) => Judged::bogus(reason),
            Trust::Secure(_) | Trust::NoCut => Judged::bogus(missing),
        }
    }
}
