//! What the cache holds of one (owner, type, class), and on which terms.
//!
//! Knows: RRsets, aliases made from DNAMEs and denials as entries, each with its own clock. Does not
//! know: where they lie (`rrsets`), as which octets (`packed`).

use std::time::Duration;

use tokio::time::Instant;

use crate::dnssec::verify;
use crate::rrset::{Class, RrSet, RrType};
use crate::security::Security;
use crate::trust::rank::Rank;
use crate::trust::scrub::Proof;
use crate::wire::Name;

/// Type 0 is reserved (RFC 6895 §3.1): the key under which NXDOMAIN stands for all types.
pub(super) const ALL_TYPES: RrType = RrType(0);

/// Whose entry it is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Key {
    pub(super) name: Name,
    pub(super) rtype: RrType,
    class: Class,
}

impl Key {
    pub(super) fn new(name: &Name, rtype: RrType) -> Key {
        Key { name: name.clone(), rtype, class: Class::IN }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Set(RrSet),
    /// What the DNAME at `dname_owner` makes of `name` (R10); never read without it.
    Rewritten {
        name: Name,
        dname_owner: Name,
        /// `None`: a name that would be too long (R12).
        result: Option<Name>,
    },
    NoData(Option<RrSet>),
    NxDomain(Option<RrSet>),
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) content: Content,
    pub(super) proof: Proof,
    pub(super) terms: Terms,
}

impl Entry {
    pub(super) fn is_alias(&self) -> bool {
        match &self.content {
            Content::Set(set) => set.rtype == RrType::CNAME,
            Content::Rewritten { .. } => true,
            Content::NoData(_) | Content::NxDomain(_) => false,
        }
    }

    /// Does this make its owner the apex of a zone, or a cut? Then it stays though an alias comes (R7).
    pub(super) fn is_of_apex(&self) -> bool {
        matches!(&self.content, Content::Set(set) if matches!(set.rtype, RrType::NS | RrType::SOA))
    }

    /// Does this alias stand for `rtype` too? Not for DS, which is the parent's, where the parent has not said so
    /// itself: the alias may be at the apex of a zone, where none may be (RFC 4035 §2.5), or of a lie. Nor for the keys
    /// of a zone that has signed it. What is bogus does for neither: a name would take a zone down with it.
    pub(super) fn stands_for(&self, rtype: RrType) -> bool {
        let Content::Set(cname) = &self.content else { return true };
        match rtype {
            RrType::DS => self.terms.of_parent && !self.terms.is_bogus(),
            RrType::DNSKEY => !verify::signers(cname).contains(&cname.owner) && !self.terms.is_bogus(),
            _ => true,
        }
    }
}

/// What decides how an entry may be used, and what may take its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) security: Security,
    pub(super) rank: Rank,
    pub(super) stored: Instant,
    /// Seconds from `stored`.
    pub(super) life: u32,
    /// As [`super::hop::Held::of_parent`].
    pub(super) of_parent: bool,
}

impl Terms {
    /// Seconds.
    pub(super) fn left(&self, now: Instant) -> u32 {
        let age = now.saturating_duration_since(self.stored).as_secs();
        self.life.saturating_sub(u32::try_from(age).unwrap_or(u32::MAX))
    }

    pub(super) fn expires(&self) -> Instant {
        self.stored + Duration::from_secs(u64::from(self.life))
    }

    pub(super) fn expired_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.expires())
    }

    pub(super) fn is_bogus(&self) -> bool {
        matches!(self.security, Security::Bogus(_))
    }

    /// Does this, which lives and is settled, stay when something comes instead that is bogus, or that nobody has
    /// looked at?
    pub(super) fn outweighs(&self, newcomer: &Terms, now: Instant) -> bool {
        self.security.is_settled() && !newcomer.security.is_settled() && self.left(now) > 0
    }
}
