//! What denials prove: no such name, no such type, no closer match, no DS.
//!
//! Knows: RFC 4035 §5.4 (NSEC, in `nsec`), RFC 5155 §8 (NSEC3), RFC 6840 §4, RFC 6672 §5.3.4,
//! RFC 9276 §3.2, as functions of records whose signatures by the zone the caller has verified.
//! Does not know: signatures; in particular the caller must leave out an NSEC whose verified
//! signature counts fewer labels than its owner has, since it was made from a wildcard. Nor does it
//! know which denial a response claims: the caller asks for the one that its rcode and records need.
//!
//! Shown by: the tests in `denial/tests.rs`, which walk the examples of RFC 4035 and RFC 5155.

use super::Reason;
pub use super::nsec::Cut;
use super::nsec::{Chain, Nsec, cut_by_types, leaves_out, wildcard_below};
use super::nsec3::{Hash, Hashes, Nsec3};
use crate::budget::Budget;
use crate::rrset::{RrSet, RrType};
use crate::wire::Name;

/// NSEC and NSEC3 RRsets looked at for one denial. An honest one needs three; a reply that also
/// carries those of an alias or two in the same zone, some more.
pub const MAX_RECORDS: usize = 32;
/// Iterations above which a zone's denials make it insecure (RFC 9276 §3.2; issue 3).
pub const SECURE_ITERATIONS: u16 = 50;
/// Iterations above which no hash is computed at all (RFC 9276 §3.2; issue 3).
pub const MAX_ITERATIONS: u16 = 150;

/// How far a denial is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Wholly.
    Proven,
    /// Only up to an insecure delegation that opt-out may hide: insecure, no AD (RFC 5155 §9.2).
    OptOut,
    /// By NSEC3 with more than [`SECURE_ITERATIONS`]: insecure, EDE 27 (RFC 9276 §3.2).
    Insecure,
    /// Not at all.
    No(Reason),
}

/// How much of it, when something is proven.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    Whole,
    OptOut,
}

/// What NSEC or NSEC3 came to.
enum Judged<T> {
    Is(T),
    Insecure,
    No(Reason),
}

impl From<Judged<Extent>> for Proof {
    fn from(judged: Judged<Extent>) -> Proof {
        match judged {
            Judged::Is(Extent::Whole) => Proof::Proven,
            Judged::Is(Extent::OptOut) => Proof::OptOut,
            Judged::Insecure => Proof::Insecure,
            Judged::No(reason) => Proof::No(reason),
        }
    }
}

/// The usable NSEC and NSEC3 records of one zone.
pub struct Proofs<'a> {
    nsec: Chain<'a>,
    nsec3: Hashed<'a>,
}

impl<'a> Proofs<'a> {
    /// Of `sets`, the first [`MAX_RECORDS`] NSEC and NSEC3 RRsets, without those that are malformed,
    /// outside `zone`, or of unknown hash algorithm or flags (RFC 5155 §8.1, §8.2). Each must have
    /// been verified as signed by `zone`, and not as the expansion of a wildcard.
    pub fn new(zone: &Name, sets: &'a [RrSet]) -> Proofs<'a> {
        let denials = || {
            let of_denial = |set: &&RrSet| matches!(set.rtype, RrType::NSEC | RrType::NSEC3);
            sets.iter().filter(of_denial).take(MAX_RECORDS)
        };
        let nsec = denials().filter_map(|set| Nsec::parse(zone, set)).collect();
        let nsec3 = denials().filter_map(|set| Nsec3::parse(zone, set)).collect();
        Proofs {
            nsec: Chain { zone: zone.clone(), records: nsec },
            nsec3: Hashed { zone: zone.clone(), records: nsec3 },
        }
    }

    /// Is `qname` proven not to exist, and no wildcard to match it (RFC 4035 §5.4, RFC 5155 §8.4)?
    pub fn nxdomain(&self, qname: &Name, budget: &Budget) -> Proof {
        self.nxdomain_paid(qname, &|iterations| budget.hash_nsec3(iterations))
    }

    /// Is it proven that `qname`, or the wildcard that matches it, has neither `qtype` nor a CNAME
    /// (RFC 4035 §5.4, RFC 5155 §8.5–8.7, RFC 6840 §4.3)? DS is denied from above the cut, any other
    /// type from below it (RFC 6840 §4.1). Opt-out may hide an empty non-terminal (RFC 5155 §7.1) as
    /// well as an insecure delegation, so that it counts for every type.
    pub fn nodata(&self, qname: &Name, qtype: RrType, budget: &Budget) -> Proof {
        self.nodata_paid(qname, qtype, &|iterations| budget.hash_nsec3(iterations))
    }

    /// Is it proven that nothing closer to `qname` exists than the parent of `wildcard_owner`, the
    /// wildcard from which the answer's signature says it was made (RFC 4035 §5.3.4, RFC 5155 §8.8)?
    pub fn wildcard_answer(&self, qname: &Name, wildcard_owner: &Name, budget: &Budget) -> Proof {
        self.wildcard_paid(qname, wildcard_owner, &|iterations| budget.hash_nsec3(iterations))
    }

    /// What these records, come as the denial of DS, say of a zone cut at `cut`
    /// (RFC 6840 §4.4, RFC 5155 §8.6 and §8.9).
    pub fn delegation(&self, cut: &Name, budget: &Budget) -> Cut {
        if !cut.is_below(&self.nsec.zone) {
            return Cut::No(Reason::DenialMissing);
        }
        let pay = |iterations| budget.hash_nsec3(iterations);
        let by_nsec3 = |hashes: &mut Hashes<'_>| self.nsec3.delegation(cut, hashes);
        match self.judge(&pay, || self.nsec.delegation(cut), by_nsec3) {
            Judged::Is(cut) => cut,
            Judged::Insecure => Cut::Insecure,
            Judged::No(reason) => Cut::No(reason),
        }
    }

    pub(super) fn nxdomain_paid(&self, qname: &Name, pay: &dyn Fn(u16) -> bool) -> Proof {
        if !qname.is_below(&self.nsec.zone) {
            return Proof::No(Reason::DenialMissing);
        }
        let by_nsec = || self.nsec.nxdomain(qname).map(|()| Extent::Whole);
        self.judge(pay, by_nsec, |hashes| self.nsec3.nxdomain(qname, hashes)).into()
    }

    pub(super) fn nodata_paid(&self, qname: &Name, qtype: RrType, pay: &dyn Fn(u16) -> bool) -> Proof {
        let zone = &self.nsec.zone;
        let of_parent = qtype == RrType::DS && qname == zone && !zone.is_root();
        if of_parent || !qname.is_at_or_below(zone) {
            return Proof::No(Reason::DenialMissing);
        }
        let by_nsec = || self.nsec.nodata(qname, qtype).map(|()| Extent::Whole);
        self.judge(pay, by_nsec, |hashes| self.nsec3.nodata(qname, qtype, hashes)).into()
    }

    pub(super) fn wildcard_paid(
        &self,
        qname: &Name,
        wildcard_owner: &Name,
        pay: &dyn Fn(u16) -> bool,
    ) -> Proof {
        let Some(encloser) = wildcard_owner.parent().filter(|e| {
            wildcard_owner.is_wildcard() && qname.is_below(e) && e.is_at_or_below(&self.nsec.zone)
        }) else {
            return Proof::No(Reason::DenialMissing);
        };
        let next_closer = qname.suffix(encloser.label_count() + 1);
        let by_nsec = || self.nsec.wildcard_answer(&next_closer).map(|()| Extent::Whole);
        self.judge(pay, by_nsec, |hashes| self.nsec3.covered(&next_closer, hashes)).into()
    }

    /// By NSEC if that proves it, else by NSEC3 if there is any.
    fn judge<T>(
        &self,
        pay: &dyn Fn(u16) -> bool,
        by_nsec: impl FnOnce() -> Result<T, Reason>,
        by_nsec3: impl FnOnce(&mut Hashes<'_>) -> Result<T, Reason>,
    ) -> Judged<T> {
        let reason = match by_nsec() {
            Ok(proven) => return Judged::Is(proven),
            Err(reason) => reason,
        };
        let Some(first) = self.nsec3.records.first() else { return Judged::No(reason) };
        // RFC 5155 §8.2 allows this. Replayed records of other parameters could otherwise make the
        // zone insecure by their iterations.
        if self.nsec3.records.iter().any(|nsec3| nsec3.params != first.params) {
            return Judged::No(Reason::DenialMissing);
        }
        let iterations = first.params.iterations;
        if iterations > MAX_ITERATIONS {
            return Judged::Insecure;
        }
        match by_nsec3(&mut Hashes::new(first.params, pay)) {
            Ok(_) if iterations > SECURE_ITERATIONS => Judged::Insecure,
            Ok(proven) => Judged::Is(proven),
            Err(reason) => Judged::No(reason),
        }
    }
}

/// The zone and the iterations of the first NSEC3 record with more than [`SECURE_ITERATIONS`].
pub fn excess<'s>(sets: impl IntoIterator<Item = &'s RrSet>) -> Option<(Name, u16)> {
    sets.into_iter().find_map(|set| {
        let zone = set.owner.parent()?;
        let iterations = Nsec3::parse(&zone, set)?.params.iterations;
        (iterations > SECURE_ITERATIONS).then_some((zone, iterations))
    })
}

/// The NSEC3 records of one zone, all of the same parameters, each believed.
struct Hashed<'a> {
    zone: Name,
    records: Vec<Nsec3<'a>>,
}

/// A name's closest encloser, and how surely nothing closer exists.
struct Encloser {
    name: Name,
    extent: Extent,
}

/// The hash of `name`, if it may be computed.
fn hashed(name: &Name, hashes: &mut Hashes<'_>) -> Result<Hash, Reason> {
    hashes.of(name).ok_or(Reason::TooMuchWork)
}

impl<'a> Hashed<'a> {
    fn at(&self, hash: &Hash) -> Option<&Nsec3<'a>> {
        self.records.iter().find(|nsec3| nsec3.owner == *hash)
    }

    /// Is `name` covered, and without opt-out?
    fn covered(&self, name: &Name, hashes: &mut Hashes<'_>) -> Result<Extent, Reason> {
        let hash = hashed(name, hashes)?;
        let nsec3 = self.records.iter().find(|nsec3| nsec3.covers(&hash)).ok_or(Reason::DenialMissing)?;
        Ok(if nsec3.opt_out { Extent::OptOut } else { Extent::Whole })
    }

    /// The closest encloser proof for `name`, which must not exist itself (RFC 5155 §8.3). Goes up
    /// from the name, a hash per label, as far as the question's budget for hashes reaches.
    fn encloser(&self, name: &Name, hashes: &mut Hashes<'_>) -> Result<Encloser, Reason> {
        let mut next_closer = name.clone();
        while next_closer != self.zone {
            let Some(encloser) = next_closer.parent() else { break };
            let Some(nsec3) = self.at(&hashed(&encloser, hashes)?) else {
                next_closer = encloser;
                continue;
            };
            if nsec3.types.has(RrType::DNAME) {
                return Err(Reason::DenialContradicts);
            }
            if nsec3.types.is_delegation() {
                return Err(Reason::DenialMissing);
            }
            let extent = self.covered(&next_closer, hashes)?;
            return Ok(Encloser { name: encloser, extent });
        }
        Err(Reason::DenialMissing)
    }

    /// RFC 5155 §8.4.
    fn nxdomain(&self, qname: &Name, hashes: &mut Hashes<'_>) -> Result<Extent, Reason> {
        if self.at(&hashed(qname, hashes)?).is_some() {
            return Err(Reason::DenialContradicts);
        }
        let encloser = self.encloser(qname, hashes)?;
        self.covered(&wildcard_below(&encloser.name)?, hashes)?;
        Ok(encloser.extent)
    }

    /// RFC 5155 §8.5–8.7.
    fn nodata(&self, qname: &Name, qtype: RrType, hashes: &mut Hashes<'_>) -> Result<Extent, Reason> {
        if let Some(nsec3) = self.at(&hashed(qname, hashes)?) {
            return leaves_out(&nsec3.types, qname, qtype).map(|()| Extent::Whole);
        }
        let encloser = self.encloser(qname, hashes)?;
        let wildcard = wildcard_below(&encloser.name)?;
        if let Some(nsec3) = self.at(&hashed(&wildcard, hashes)?) {
            return leaves_out(&nsec3.types, &wildcard, qtype).map(|()| encloser.extent);
        }
        match encloser.extent {
            Extent::OptOut => Ok(Extent::OptOut),
            Extent::Whole => Err(Reason::DenialMissing),
        }
    }

    /// RFC 5155 §8.9.
    fn delegation(&self, cut: &Name, hashes: &mut Hashes<'_>) -> Result<Cut, Reason> {
        if let Some(nsec3) = self.at(&hashed(cut, hashes)?) {
            return cut_by_types(&nsec3.types);
        }
        Ok(match self.encloser(cut, hashes)?.extent {
            Extent::OptOut => Cut::OptOut,
            Extent::Whole => Cut::NotACut,
        })
    }
}

#[cfg(test)]
pub(super) mod tests;
