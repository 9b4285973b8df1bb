//! Why a resolution failed, as values, and the one place for the words that say so.
//!
//! Knows: every reason for SERVFAIL, its Extended DNS Error (RFC 8914) and its sentence; EDE texts,
//! traces and logs all speak through [`Failure::sentence`]. Does not know: NXDOMAIN and NODATA,
//! which are outcomes and no failures. Shown by: `tests/scenarios/r19_*`, `r21_*`, `r22_*`, `walk_*`.

use std::fmt::Write as _;

pub use crate::budget::Limit;
use crate::rrset::RrType;
use crate::security::Reason;
use crate::wire::Name;

/// Longest EDE text (alias-rules R22).
pub const EDE_TEXT_OCTETS: usize = 200;

/// An Extended DNS Error (RFC 8914): code and text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Ede {
    pub code: u16,
    pub text: String,
}

#[allow(missing_docs)] // the names of RFC 8914 §4
impl Ede {
    pub const OTHER: u16 = 0;
    pub const STALE_ANSWER: u16 = 3;
    pub const CACHED_ERROR: u16 = 13;
    pub const NOT_READY: u16 = 14;
    pub const PROHIBITED: u16 = 18;
    pub const STALE_NXDOMAIN: u16 = 19;
    pub const NOT_AUTHORITATIVE: u16 = 20;
    pub const NOT_SUPPORTED: u16 = 21;
    pub const NO_REACHABLE_AUTHORITY: u16 = 22;
    pub const NETWORK_ERROR: u16 = 23;
    pub const INVALID_DATA: u16 = 24;
    pub const UNSUPPORTED_NSEC3_ITERATIONS: u16 = 27;

    /// As RFC 8914 §4 names it, and the IANA registry since.
    pub fn name(&self) -> &'static str {
        const NAMES: [&str; 26] = [
            "Other",
            "Unsupported DNSKEY Algorithm",
            "Unsupported DS Digest Type",
            "Stale Answer",
            "Forged Answer",
            "DNSSEC Indeterminate",
            "DNSSEC Bogus",
            "Signature Expired",
            "Signature Not Yet Valid",
            "DNSKEY Missing",
            "RRSIGs Missing",
            "No Zone Key Bit Set",
            "NSEC Missing",
            "Cached Error",
            "Not Ready",
            "Blocked",
            "Censored",
            "Filtered",
            "Prohibited",
            "Stale NXDOMAIN Answer",
            "Not Authoritative",
            "Not Supported",
            "No Reachable Authority",
            "Network Error",
            "Invalid Data",
            "Signature Expired before Valid",
        ];
        if self.code == Ede::UNSUPPORTED_NSEC3_ITERATIONS {
            return "Unsupported NSEC3 Iterations Value";
        }
        NAMES.get(usize::from(self.code)).copied().unwrap_or("see the IANA registry")
    }

    /// An EDE whose text is cut at a character boundary to what R22 allows.
    pub fn new(code: u16, text: impl Into<String>) -> Ede {
        let mut text = text.into();
        if text.len() > EDE_TEXT_OCTETS {
            let mut end = EDE_TEXT_OCTETS - 3;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
            text.push_str("...");
        }
        Ede { code, text }
    }
}

/// What the servers of a zone did, counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct Tally {
    pub silent: u16,
    pub refused: u16,
    pub servfail: u16,
    pub lame: u16,
    pub malformed: u16,
    pub unreachable: u16,
    /// Of the unreachable, those to which this machine has no route.
    pub no_route: u16,
}

impl Tally {
    /// Was nothing heard of any?
    pub fn is_unheard(&self) -> bool {
        let Tally { silent, unreachable, no_route, .. } = *self;
        *self == Tally { silent, unreachable, no_route, ..Tally::default() }
    }

    /// Was none so much as asked, because this machine has no network?
    fn is_offline(&self) -> bool {
        let Tally { unreachable, no_route, .. } = *self;
        no_route > 0
            && no_route == unreachable
            && *self == Tally { unreachable, no_route, ..Tally::default() }
    }

    fn words(&self) -> String {
        let mut out = String::new();
        for (n, word) in [
            (self.silent, "silent"),
            (self.refused, "refused"),
            (self.servfail, "said SERVFAIL"),
            (self.lame, "lame"),
            (self.malformed, "malformed"),
            (self.unreachable, "unreachable"),
        ] {
            if n > 0 {
                let comma = if out.is_empty() { "" } else { ", " };
                let _ = write!(out, "{comma}{n} {word}");
            }
        }
        out
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The chain comes back to a name it has left (R19). From the first name that repeats to its
    /// second appearance.
    Loop(Vec<Name>),
    /// A DNAME whose target is at or below its owner (R13).
    EndlessDname {
        /// The name that was being rewritten.
        name: Name,
        /// The DNAME's owner.
        owner: Name,
        /// The DNAME's target.
        target: Name,
    },
    /// One redirection more than allowed (R17).
    ChainTooLong {
        /// `max-chain-length`.
        limit: usize,
        /// The owner of the alias that was one too many.
        at: Name,
    },
    /// The question's budget is spent (R20).
    Limit {
        /// Which.
        limit: Limit,
        /// The name being looked up.
        at: Name,
    },
    /// Every server of the zone failed for this name.
    NoServer {
        /// What was asked.
        owner: Name,
        /// What was asked.
        rtype: RrType,
        /// Whose servers.
        zone: Name,
        /// What they did.
        tally: Tally,
    },
    /// It should be proven and is not (RFC 4035 §5.5).
    Bogus {
        /// What was asked.
        owner: Name,
        /// What was asked.
        rtype: RrType,
        /// What is wrong.
        reason: Reason,
    },
    /// No name server of the zone has an address that can be reached.
    NoAddress {
        /// What was asked.
        owner: Name,
        /// Whose servers.
        zone: Name,
        /// How that is.
        why: Unaddressed,
    },
}

/// How it comes that no name server of a zone has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unaddressed {
    /// There is none, or none that may be used.
    NoneUsable,
    /// Its servers' names depend on the zone itself.
    Cyclic,
    /// Nobody told one in time.
    Late,
}

impl Failure {
    /// The sentence that says it: EDE text, trace and log.
    pub fn sentence(&self) -> String {
        match self {
            Failure::Loop(names) => loop_sentence(names),
            Failure::EndlessDname { name, owner, target } => {
                format!("CNAME loop: {name} never ends: {owner} DNAME {target}")
            }
            Failure::ChainTooLong { limit, at } => format!("CNAME chain longer than {limit} at {at}"),
            Failure::Limit { limit: Limit::Messages | Limit::Octets, at } => {
                format!("query limit reached at {at}")
            }
            Failure::Limit { limit: Limit::Time | Limit::Patience, at } => {
                format!("time limit reached at {at}")
            }
            Failure::Limit { limit: Limit::Depth, at } => format!("delegation depth limit reached at {at}"),
            Failure::Limit { limit: Limit::Sockets, at } => format!("no socket was free for {at}"),
            Failure::NoServer { owner, rtype, zone, tally } => {
                format!("no server of {zone} answered {owner} {rtype}: {}", tally.words())
            }
            Failure::Bogus { owner, rtype, reason } => format!("{owner} {rtype} is bogus: {reason}"),
            Failure::NoAddress { owner, zone, why } => {
                let why = match why {
                    Unaddressed::NoneUsable => "has a usable address",
                    Unaddressed::Cyclic => "has an address (its delegation is cyclic)",
                    Unaddressed::Late => "had an address in time",
                };
                format!("no server of {zone} {why}, wanted for {owner}")
            }
        }
    }

    /// For programs: which it is.
    pub fn kind(&self) -> &'static str {
        match self {
            Failure::Loop(_) => "loop",
            Failure::EndlessDname { .. } => "endless-dname",
            Failure::ChainTooLong { .. } => "chain-too-long",
            Failure::Limit { .. } => "limit",
            Failure::NoServer { .. } => "no-server",
            Failure::Bogus { .. } => "bogus",
            Failure::NoAddress { .. } => "no-address",
        }
    }

    /// The Extended DNS Error to send.
    pub fn ede(&self) -> Ede {
        let code = match self {
            Failure::Loop(_) | Failure::EndlessDname { .. } | Failure::ChainTooLong { .. } => Ede::OTHER,
            Failure::Limit { .. } => Ede::OTHER,
            Failure::Bogus { reason, .. } => reason.ede_code(),
            Failure::NoServer { .. } | Failure::NoAddress { .. } => Ede::NO_REACHABLE_AUTHORITY,
        };
        Ede::new(code, self.sentence())
    }

    /// Is it this machine's own trouble, which may be over in a moment?
    pub fn is_momentary(&self) -> bool {
        match self {
            Failure::Limit { limit: Limit::Sockets, .. } => true,
            Failure::NoServer { tally, .. } => tally.is_offline(),
            _ => false,
        }
    }

    /// Might the network be the reason, between here and the servers?
    pub fn is_unheard(&self) -> bool {
        match self {
            Failure::NoServer { tally, .. } => tally.is_unheard(),
            Failure::NoAddress { .. } | Failure::Limit { limit: Limit::Time, .. } => true,
            _ => false,
        }
    }

    /// The same about the whole name, when only part of it was shown to the servers (RFC 9156): the reader
    /// knows that one (R25).
    pub fn about(&self, name: &Name, whole: RrType) -> Failure {
        let mut failure = self.clone();
        match &mut failure {
            Failure::NoServer { owner, rtype, .. } => (*owner, *rtype) = (name.clone(), whole),
            Failure::NoAddress { owner: at, .. } | Failure::Limit { at, .. } => *at = name.clone(),
            Failure::Loop(_)
            | Failure::EndlessDname { .. }
            | Failure::ChainTooLong { .. }
            | Failure::Bogus { .. } => {}
        }
        failure
    }

    /// The name at which it failed, where that is one.
    pub fn owner(&self) -> Option<&Name> {
        match self {
            Failure::NoServer { owner, .. }
            | Failure::NoAddress { owner, .. }
            | Failure::Bogus { owner, .. } => Some(owner),
            Failure::Limit { at, .. } => Some(at),
            Failure::Loop(_) | Failure::EndlessDname { .. } | Failure::ChainTooLong { .. } => None,
        }
    }

    /// Did looking up `name` itself fail? What became of a chain that starts there is another matter: a loop
    /// is told from where one enters it, and the chain's other hops may do better for somebody else.
    pub fn is_about(&self, name: &Name) -> bool {
        self.owner() == Some(name)
    }

    /// Did this come from the budget of one question, so that another question may fare better?
    pub fn is_own_limit(&self) -> bool {
        self.own_limit().is_some() || matches!(self, Failure::Bogus { reason: Reason::TooMuchWork, .. })
    }

    /// Might the same look-up do better for somebody else, or elsewhere in the same question? So it is after a limit,
    /// and where a server's address was wanted for reaching the very zone that would have told it.
    pub fn depends_on_the_asker(&self) -> bool {
        self.is_own_limit() || matches!(self, Failure::NoAddress { why: Unaddressed::Cyclic, .. })
    }

    /// Which limit of one question's budget it was, if any.
    pub fn own_limit(&self) -> Option<Limit> {
        if let Failure::Limit { limit, .. } = self { Some(*limit) } else { None }
    }
}

/// `CNAME loop: a. -> b. -> a.`; over 200 octets the middle names give way to `...` (R22).
fn loop_sentence(names: &[Name]) -> String {
    let texts: Vec<String> = names.iter().map(Name::to_string).collect();
    let full = format!("CNAME loop: {}", texts.join(" -> "));
    if full.len() <= EDE_TEXT_OCTETS {
        return full;
    }
    let (Some(first), Some(last)) = (texts.first(), texts.last()) else { return full };
    let mut head = format!("CNAME loop: {first}");
    let tail = format!(" -> ... -> {last}");
    for text in texts.iter().skip(1) {
        if head.len() + 4 + text.len() + tail.len() > EDE_TEXT_OCTETS {
            break;
        }
        head.push_str(" -> ");
        head.push_str(text);
    }
    head + &tail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_loops_lose_their_middle() {
        let names: Vec<Name> = (0..12)
            .map(|i| format!("hop-number-{i}.some-zone.example.").parse().unwrap())
            .chain(["hop-number-0.some-zone.example.".parse().unwrap()])
            .collect();
        let text = Failure::Loop(names).sentence();
        assert!(text.len() <= EDE_TEXT_OCTETS, "{text}");
        assert!(text.starts_with("CNAME loop: hop-number-0.some-zone.example. -> hop-number-1."));
        assert!(text.ends_with(" -> ... -> hop-number-0.some-zone.example."), "{text}");
    }

    #[test]
    fn ede_text_is_cut_at_a_boundary() {
        let ede = Ede::new(0, "é".repeat(150));
        assert!(ede.text.len() <= EDE_TEXT_OCTETS && ede.text.ends_with("..."));
    }
}
