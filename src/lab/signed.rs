//! What a server adds for those who want proof (RFC 4035 §3.1): signatures, and NSEC records for what
//! does not exist.
//!
//! Knows: which RRSIG covers what, which NSEC records a denial needs. Deliberately signs nothing: a
//! signed zone is signed in its file. No wildcards and no NSEC3. Shown by: `tests/lab.rs`,
//! `tests/check.rs`.

use super::zone::Zone;
use crate::rrset::{RrSet, RrType};
use crate::wire::Name;

/// Each set with the signatures that `zone` has for it directly behind.
pub(super) fn with_signatures(zone: &Zone, sets: Vec<RrSet>) -> Vec<RrSet> {
    let mut out = Vec::with_capacity(sets.len() * 2);
    for set in sets {
        let covers = |rdata: &&[u8]| rdata.starts_with(&set.rtype.0.to_be_bytes());
        let all = zone.stored(&set.owner, RrType::RRSIG);
        let sigs: Vec<&[u8]> = all.into_iter().flat_map(|all| all.rdata.iter().filter(covers)).collect();
        let signature =
            (!sigs.is_empty()).then(|| RrSet::new(set.owner.clone(), RrType::RRSIG, set.ttl, sigs));
        out.push(set);
        out.extend(signature);
    }
    out
}

/// The NSEC records that prove that `name` has nothing of a type, or does not exist (RFC 4035 §3.1.3.1,
/// §3.1.3.2); none in a zone that has none.
pub(super) fn denial(zone: &Zone, name: &Name, exists: bool) -> Vec<RrSet> {
    let mut proof: Vec<RrSet> = zone.nsec_at_or_before(name).into_iter().cloned().collect();
    if !exists {
        let encloser = (zone.apex().label_count()..name.label_count())
            .rev()
            .map(|labels| name.suffix(labels))
            .find(|above| zone.has(above));
        let wildcard = encloser.and_then(|above| above.prepend(b"*").ok());
        let covers = wildcard.and_then(|wildcard| zone.nsec_at_or_before(&wildcard));
        proof.extend(covers.filter(|nsec| !proof.contains(nsec)).cloned().into_iter().collect::<Vec<_>>());
    }
    proof
}
