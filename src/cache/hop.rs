//! What a look-up finds: one hop of a chain, with how long it may still be told and how far it is proven.
//!
//! Knows: RRsets, aliases and denials as an answer needs them. Does not know: where they come from
//! (`rrsets`, or a reply), chains of them.

use tokio::time::Instant;

use crate::chain::Redirection;
use crate::rrset::RrSet;
use crate::security::{Reason, Security};
use crate::trust::scrub::Proof;

/// Seconds that bogus data is kept, for those who ask with CD=1.
pub const BOGUS_TTL: u32 = 60;

/// An RRset as it stands at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The data; its own `ttl` is the one received.
    pub set: RrSet,
    /// Seconds left, to be sent.
    pub left: u32,
    /// Seconds it had when it was stored.
    pub life: u32,
    /// Past its time, shown only because it could not be refreshed.
    pub stale: bool,
    /// When that is; `None`: it has not been in the cache.
    pub expires: Option<Instant>,
    /// How far it is proven.
    pub security: Security,
    /// What proves that no nearer name exists, when it was made from a wildcard.
    pub proof: Proof,
    /// A CNAME that was given when its owner's DS was asked for, so by the zone above (RFC 4035 §3.1.4.1).
    pub of_parent: bool,
}

impl Held {
    /// One that came just now.
    pub(super) fn fresh(life: u32, set: RrSet, proof: Proof) -> Held {
        let security = Security::Unchecked;
        Held { set, left: life, life, stale: false, expires: None, security, proof, of_parent: false }
    }

    /// Data of our own.
    pub fn own(set: RrSet) -> Held {
        Held::fresh(set.ttl, set, Proof::default())
    }
}

/// That something does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// With its negative TTL; absent when the server sent none.
    pub soa: Option<Held>,
    /// NSEC and NSEC3 sets.
    pub proof: Proof,
    /// How far it is proven.
    pub security: Security,
}

impl Denial {
    /// Deduced from what is proven (RFC 8198), good for so many seconds.
    pub fn deduced(soa: RrSet, left: u32, proof: Proof) -> Denial {
        let soa = Held { security: Security::Secure, ..Held::fresh(left, soa, Proof::default()) };
        Denial { soa: Some(soa), proof, security: Security::Secure }
    }

    /// Without anything that shows it.
    pub fn bare() -> Denial {
        Denial { soa: None, proof: Proof::default(), security: Security::Unchecked }
    }
}

/// A verdict on something about to be stored, and how long that verdict may live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The verdict.
    pub security: Security,
    /// Seconds; for what is secure, what its signatures allow (RFC 4035 §5.3.3).
    pub life: u32,
    /// Of the NSEC and NSEC3 sets that came along those to keep; `None`: all of them. Of what is secure
    /// only those that are so themselves: the others may say anything (RFC 4035 §3.2.3).
    pub proof: Option<Proof>,
}

impl Judged {
    /// Nobody has looked.
    pub const UNCHECKED: Judged = Judged { security: Security::Unchecked, life: u32::MAX, proof: None };

    /// Bogus: remembered only briefly (RFC 4035 §4.7).
    pub fn bogus(reason: Reason) -> Judged {
        Judged { security: Security::Bogus(reason), life: BOGUS_TTL, proof: None }
    }

    /// Is it not to be kept with the data, because they had no part in it?
    pub fn is_not_of_the_data(&self) -> bool {
        matches!(self.security, Security::Bogus(reason) if reason.is_not_of_the_data())
    }

    /// Insecure, for as long as the data lives.
    pub const INSECURE: Judged = Judged { security: Security::Insecure, life: u32::MAX, proof: None };

    /// Secure for so many seconds by its own signature.
    pub fn secure(life: u32) -> Judged {
        Judged::secure_by_proof(life, Proof::default())
    }

    /// Secure for so many seconds by these sets that came along, each of them proven.
    pub fn secure_by_proof(life: u32, proof: Proof) -> Judged {
        Judged { security: Security::Secure, life, proof: Some(proof) }
    }
}

/// What one (name, type) turned out to be: one hop of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hop {
    /// The RRset; several for ANY.
    Data(Vec<Held>),
    /// An alias.
    Alias(Alias),
    /// The name exists, the type does not.
    NoData(Denial),
    /// The name does not exist.
    NxDomain(Denial),
}

/// An alias as held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alias {
    /// A CNAME.
    Cname(Held),
    /// A DNAME and the CNAME made from it.
    Dname {
        /// Above the name.
        dname: Held,
        /// At the name.
        cname: Held,
    },
    /// A DNAME whose result is too long.
    Overlong {
        /// Above the name.
        dname: Held,
    },
}

impl Alias {
    /// As the rules of `chain` want it.
    pub fn redirection(&self) -> Redirection {
        match self {
            Alias::Cname(cname) => Redirection::Cname(cname.set.clone()),
            Alias::Dname { dname, cname } => {
                Redirection::Dname { dname: dname.set.clone(), cname: cname.set.clone() }
            }
            Alias::Overlong { dname } => Redirection::Overlong { dname: dname.set.clone() },
        }
    }

    /// In the order of an answer: a DNAME directly before its CNAME (R26).
    pub fn sets(&self) -> Vec<&Held> {
        match self {
            Alias::Cname(cname) => vec![cname],
            Alias::Dname { dname, cname } => vec![dname, cname],
            Alias::Overlong { dname } => vec![dname],
        }
    }
}

impl Hop {
    /// Every RRset in it.
    pub fn sets(&self) -> Vec<&Held> {
        match self {
            Hop::Data(sets) => sets.iter().collect(),
            Hop::Alias(alias) => alias.sets(),
            Hop::NoData(denial) | Hop::NxDomain(denial) => denial.soa.iter().collect(),
        }
    }

    /// The NSEC and NSEC3 sets that came along.
    pub fn proofs(&self) -> impl Iterator<Item = &RrSet> {
        let denied = match self {
            Hop::NoData(denial) | Hop::NxDomain(denial) => Some(denial.proof.iter()),
            Hop::Data(_) | Hop::Alias(_) => None,
        };
        self.sets().into_iter().flat_map(|held| held.proof.iter()).chain(denied.into_iter().flatten())
    }

    /// How far all of it is proven.
    pub fn security(&self) -> Security {
        match self {
            Hop::Data(sets) => sets.first().map(|held| held.security.clone()).unwrap_or_default(),
            // The CNAME that follows from a DNAME is as good as that (RFC 6672 §5.3.1).
            Hop::Alias(
                Alias::Cname(held) | Alias::Dname { dname: held, .. } | Alias::Overlong { dname: held },
            ) => held.security.clone(),
            Hop::NoData(denial) | Hop::NxDomain(denial) => denial.security.clone(),
        }
    }

    /// The same with another verdict.
    pub fn with_security(mut self, security: &Security) -> Hop {
        let told = |held: &mut Held| held.security = security.clone();
        match &mut self {
            Hop::Data(sets) => sets.iter_mut().for_each(told),
            Hop::Alias(Alias::Dname { dname, cname }) => [dname, cname].into_iter().for_each(told),
            Hop::Alias(Alias::Cname(held) | Alias::Overlong { dname: held }) => told(held),
            Hop::NoData(denial) | Hop::NxDomain(denial) => {
                denial.soa.iter_mut().for_each(told);
                denial.security = security.clone();
            }
        }
        self
    }

    /// Is any of it stale?
    pub fn is_stale(&self) -> bool {
        self.sets().iter().any(|held| held.stale)
    }
}
