//! The catalogue: every kind of finding with its code, its weight, why it matters, and what to do.
//!
//! Knows: the words that are the same for every finding of a kind, and the RFC sections behind them.
//! Does not know: how a finding comes about (the rooms beside this one), what is wrong with one name
//! in particular (`Finding::what`). Codes are stable: programs compare them. Shown by:
//! `tests/check.rs`, which plays `docs/check.md`.

#![allow(missing_docs)] // the words of a kind say what it is

use std::fmt;

use crate::trace::LintCode;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It does not work, is forbidden, or can be abused.
    Error,
    /// It works today, at a price or by luck.
    Warning,
    /// Worth knowing.
    Notice,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Notice => "notice",
        })
    }
}

/// An RFC and its section; an empty one: the RFC as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference(pub u16, pub &'static str);

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reference(rfc, section) = self;
        if section.is_empty() { write!(f, "RFC {rfc}") } else { write!(f, "RFC {rfc} §{section}") }
    }
}

/// What is the same for every finding of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// As programs see it.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Why it matters.
    pub why: &'static str,
    /// Where that is written.
    pub references: &'static [Reference],
    /// What helps.
    pub remedy: &'static str,
}

/// Every kind, the gravest first.
pub const ALL: [Kind; 26] = [
    SUBDOMAIN_TAKEOVER,
    UNREGISTERED_TARGET,
    LAME_TARGET,
    DANGLING_ALIAS,
    ALIAS_LOOP,
    DNAME_BELOW_ITSELF,
    GROWING_CHAIN,
    CHAIN_TOO_LONG,
    LONG_CHAIN,
    CNAME_AT_APEX,
    CNAME_AND_OTHER_DATA,
    MULTIPLE_CNAME,
    MULTIPLE_DNAME,
    WILDCARD_DNAME,
    MX_TARGET_ALIAS,
    NS_TARGET_ALIAS,
    SRV_TARGET_ALIAS,
    PTR_TARGET_ALIAS,
    ADDRESS_FAMILIES_DIVERGE,
    ZONE_REENTERED,
    ALIAS_TTL_ZERO,
    ALIAS_TTL_ABOVE_TARGET,
    IDNA_INVALID,
    CLOAKED_TRACKER,
    INSECURE_HOP,
    UNRESOLVED,
];

pub const SUBDOMAIN_TAKEOVER: Kind = Kind {
    code: "subdomain-takeover",
    severity: Severity::Error,
    why: "whoever claims the target at that service speaks in your name: pages, cookies, certificates",
    references: &[Reference(2181, "10.1")],
    remedy: "remove the alias, or claim the target again, today",
};

pub const UNREGISTERED_TARGET: Kind = Kind {
    code: "unregistered-target",
    severity: Severity::Error,
    why: "nobody has registered the target's domain; whoever does speaks in your name",
    references: &[Reference(2181, "10.1")],
    remedy: "remove the alias, or point it at a name that is yours",
};

pub const LAME_TARGET: Kind = Kind {
    code: "lame-target",
    severity: Severity::Error,
    why: "the target's zone is delegated to servers that do not have it: the name fails, and whoever gets \
          the zone served there speaks in your name",
    references: &[Reference(1034, "4.2.2"), Reference(2181, "10.1")],
    remedy: "have the zone served again or its delegation removed; until then point the alias elsewhere",
};

pub const DANGLING_ALIAS: Kind = Kind {
    code: "dangling-alias",
    severity: Severity::Error,
    why: "the alias leads to a name that does not exist; whoever creates it speaks in your name",
    references: &[Reference(2181, "10.1")],
    remedy: "remove the alias, or create its target",
};

pub const ALIAS_LOOP: Kind = Kind {
    code: "alias-loop",
    severity: Severity::Error,
    why: "the aliases lead in a circle; nobody can resolve the name",
    references: &[Reference(1034, "3.6.2")],
    remedy: "point one of these aliases at a name with data",
};

pub const DNAME_BELOW_ITSELF: Kind = Kind {
    code: "dname-below-itself",
    severity: Severity::Error,
    why: "a DNAME onto or below its own owner sends every name below it round without end",
    references: &[Reference(6672, "2.2")],
    remedy: "point the DNAME outside its own tree",
};

pub const GROWING_CHAIN: Kind = Kind {
    code: "growing-chain",
    severity: Severity::Error,
    why: "the DNAMEs lead in a circle in which the name gets longer each time; nobody can resolve it",
    references: &[Reference(6672, "2.2")],
    remedy: "point one of these DNAMEs outside the circle",
};

pub const CHAIN_TOO_LONG: Kind = Kind {
    code: "chain-too-long",
    severity: Severity::Error,
    why: "resolvers follow a bounded number of aliases and then fail; cnamed's bound is \
          `resolver.max-chain-length`",
    references: &[Reference(1034, "3.6.2")],
    remedy: "point the first alias nearer to the end of the chain",
};

pub const LONG_CHAIN: Kind = Kind {
    code: "long-chain",
    severity: Severity::Warning,
    why: "every alias costs look-ups and can fail by itself, and resolvers have lower bounds than cnamed",
    references: &[Reference(1034, "3.6.2")],
    remedy: "point the first alias nearer to the end of the chain",
};

pub const CNAME_AT_APEX: Kind = Kind {
    code: LintCode::CnameAtApex.text(),
    severity: Severity::Error,
    why: "an apex has SOA and NS records, beside which no CNAME may stand: resolvers that have seen the \
          CNAME lose them, and mail and DNSSEC with them",
    references: &[Reference(1034, "3.6.2"), Reference(2181, "10.1")],
    remedy: "addresses at the apex, or an HTTPS record in AliasMode (RFC 9460 §2.4.2)",
};

pub const CNAME_AND_OTHER_DATA: Kind = Kind {
    code: LintCode::CnameAndOtherData.text(),
    severity: Severity::Error,
    why: "which of the two a client gets depends on what was asked before: a cached CNAME hides the rest",
    references: &[Reference(1034, "3.6.2"), Reference(2181, "10.1")],
    remedy: "keep the CNAME or the other records, not both",
};

pub const MULTIPLE_CNAME: Kind = Kind {
    code: LintCode::MultipleCname.text(),
    severity: Severity::Error,
    why: "an alias has one canonical name; resolvers pick one of several, each as it likes, or fail",
    references: &[Reference(2181, "10.1")],
    remedy: "keep one; to share load give one name several addresses",
};

pub const MULTIPLE_DNAME: Kind = Kind {
    code: "multiple-dname",
    severity: Severity::Error,
    why: "DNAME is a singleton: resolvers pick one of several, each as it likes, or fail",
    references: &[Reference(6672, "2.4")],
    remedy: "keep one",
};

pub const WILDCARD_DNAME: Kind = Kind {
    code: "wildcard-dname",
    severity: Severity::Error,
    why: "what a wildcard DNAME means is undefined: each server and cache makes something else of it",
    references: &[Reference(4592, "4.4"), Reference(6672, "3.3")],
    remedy: "a DNAME at a name of its own, or a wildcard CNAME",
};

pub const MX_TARGET_ALIAS: Kind = Kind {
    code: "mx-target-alias",
    severity: Severity::Error,
    why: "a mail server's name must not be an alias: its address does not come along, and some mailers \
          refuse it",
    references: &[Reference(2181, "10.3")],
    remedy: "name the alias's target in the MX record",
};

pub const NS_TARGET_ALIAS: Kind = Kind {
    code: LintCode::NsTargetAlias.text(),
    severity: Severity::Error,
    why: "a name server's name must not be an alias: cnamed and others do not use such a server",
    references: &[Reference(2181, "10.3")],
    remedy: "name the alias's target in the NS record, here and at the parent",
};

pub const SRV_TARGET_ALIAS: Kind = Kind {
    code: "srv-target-alias",
    severity: Severity::Error,
    why: "the target of an SRV record must not be an alias; clients may ignore it",
    references: &[Reference(2782, ""), Reference(1034, "3.6.2")],
    remedy: "name the alias's target in the SRV record",
};

pub const PTR_TARGET_ALIAS: Kind = Kind {
    code: "ptr-target-alias",
    severity: Severity::Warning,
    why: "an address's name should be the primary one: who compares it with the forward name sees two",
    references: &[Reference(1034, "3.6.2")],
    remedy: "name the alias's target in the PTR record",
};

pub const ADDRESS_FAMILIES_DIVERGE: Kind = Kind {
    code: "address-families-diverge",
    severity: Severity::Warning,
    why: "IPv4 and IPv6 lead to different names: two services behind one name, and each cache keeps \
          whichever alias it saw first, for both",
    references: &[Reference(1034, "3.6.2")],
    remedy: "one alias for all types, or addresses of both families and no alias",
};

pub const ZONE_REENTERED: Kind = Kind {
    code: "zone-reentered",
    severity: Severity::Notice,
    why: "the chain comes back to a zone that it has left: it depends on zones that it does not need",
    references: &[Reference(1034, "3.6.2")],
    remedy: "point the alias in the first zone straight at the name to which the chain comes back",
};

pub const ALIAS_TTL_ZERO: Kind = Kind {
    code: "alias-ttl-zero",
    severity: Severity::Warning,
    why: "no cache keeps the alias: every question waits for its servers and fails with them",
    references: &[Reference(1034, "3.6"), Reference(1035, "3.2.1")],
    remedy: "give it a TTL of some minutes",
};

pub const ALIAS_TTL_ABOVE_TARGET: Kind = Kind {
    code: "alias-ttl-above-target",
    severity: Severity::Notice,
    why: "the target may move within seconds, but caches keep on following the alias to it long after you \
          have changed that",
    references: &[Reference(1034, "3.6")],
    remedy: "lower the alias's TTL before the day on which you must change it",
};

pub const IDNA_INVALID: Kind = Kind {
    code: "idna-invalid",
    severity: Severity::Warning,
    why: "programs that know internationalised names refuse such a label, or show it as something else",
    references: &[Reference(5890, "2.3.1"), Reference(5891, "5.4")],
    remedy: "write it as the A-label of a valid U-label, as in xn--mnchen-3ya",
};

pub const CLOAKED_TRACKER: Kind = Kind {
    code: "cloaked-tracker",
    severity: Severity::Warning,
    why: "a third party answers under a name of yours: it gets your cookies, and blockers do not see it",
    references: &[],
    remedy: "name the third party in the page, or leave it out",
};

pub const INSECURE_HOP: Kind = Kind {
    code: "insecure-hop",
    severity: Severity::Warning,
    why: "an answer is authentic only if all of it is: forging the unsigned part forges the whole",
    references: &[Reference(4035, "3.2.3")],
    remedy: "sign the zone of the unsigned name, or point the alias at a signed one",
};

pub const UNRESOLVED: Kind = Kind {
    code: "unresolved",
    severity: Severity::Error,
    why: "no answer, no verdict: what else is wrong with the name cannot be seen",
    references: &[Reference(6604, "3")],
    remedy: "see `cnamed trace` for the name, repair what it shows, and check again",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_words() {
        let mut codes: Vec<&str> = ALL.iter().map(|kind| kind.code).collect();
        let mut whys: Vec<&str> = ALL.iter().map(|kind| kind.why).collect();
        for words in [&mut codes, &mut whys] {
            words.sort_unstable();
            words.dedup();
            assert_eq!(words.len(), ALL.len());
        }
        let plain = |c: char| c.is_ascii_lowercase() || c == '-';
        assert!(codes.iter().all(|code| code.chars().all(plain)));
    }
}
