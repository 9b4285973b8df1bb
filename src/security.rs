//! Words for verdicts: how far something is proven, and what is wrong with what is not.
//!
//! Knows: RFC 4035 §4.3, RFC 8914. Does not know: how a verdict is found (`dnssec`).

use std::fmt;

/// What is known of an RRset's or a denial's authenticity (RFC 4035 §4.3).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Security {
    /// Nobody has looked yet (validation is off, or the client asked with CD=1).
    #[default]
    Unchecked,
    /// Proven to come from a zone without a chain of trust.
    Insecure,
    /// Proven to be what the zone says.
    Secure,
    /// Should be signed, and is not, or wrongly.
    Bogus(Reason),
}

impl Security {
    /// Is there a verdict, and not that it is bogus?
    pub fn is_settled(&self) -> bool {
        matches!(self, Security::Secure | Security::Insecure)
    }
}

/// Why something is bogus; each has its Extended DNS Error (RFC 8914 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No signature is there (EDE 10).
    RrsigsMissing,
    /// Every signature's time is over (EDE 7).
    SignatureExpired,
    /// Every signature's time is yet to come (EDE 8).
    SignatureNotYetValid,
    /// A signature's inception is after its expiration (EDE 25).
    SignatureExpiredBeforeValid,
    /// No signature fits key and data (EDE 6).
    SignatureInvalid,
    /// The signer, labels or type of every signature rule it out (RFC 4035 §5.3.1; EDE 6).
    SignatureUnfit,
    /// No DNSKEY matches the DS or the trust anchor (EDE 9).
    DnskeyMissing,
    /// The matching DNSKEY has not the Zone Key bit, or another protocol than 3 (EDE 11).
    NoZoneKeyBit,
    /// NSEC or NSEC3 records do not prove the denial (EDE 12).
    DenialMissing,
    /// A denial's type bitmap shows the type, CNAME or DNAME that is denied (RFC 6840 §4.3; EDE 6).
    DenialContradicts,
    /// A configured anchor uses only algorithms that are not supported (EDE 1).
    UnsupportedAlgorithm,
    /// A configured anchor uses only digests that are not supported (EDE 2).
    UnsupportedDigest,
    /// More work than one question may cause (EDE 6).
    TooMuchWork,
    /// The keys of the zone could not be had (EDE 9).
    ChainBroken,
    /// Whether the zone is signed could not be found out (EDE 5; RFC 4035 §4.3: indeterminate).
    Indeterminate,
}

impl Reason {
    /// Each, at the place that `as usize` says.
    pub const ALL: [Reason; 15] = [
        Reason::RrsigsMissing,
        Reason::SignatureExpired,
        Reason::SignatureNotYetValid,
        Reason::SignatureExpiredBeforeValid,
        Reason::SignatureInvalid,
        Reason::SignatureUnfit,
        Reason::DnskeyMissing,
        Reason::NoZoneKeyBit,
        Reason::DenialMissing,
        Reason::DenialContradicts,
        Reason::UnsupportedAlgorithm,
        Reason::UnsupportedDigest,
        Reason::TooMuchWork,
        Reason::ChainBroken,
        Reason::Indeterminate,
    ];

    /// Is this no fault of the data, so that it says nothing of them to anybody else? More work than this question may
    /// cause, or keys and delegations that were not to be had.
    pub fn is_not_of_the_data(self) -> bool {
        matches!(self, Reason::TooMuchWork | Reason::ChainBroken | Reason::Indeterminate)
    }

    /// The INFO-CODE of RFC 8914.
    pub fn ede_code(self) -> u16 {
        match self {
            Reason::RrsigsMissing => 10,
            Reason::SignatureExpired => 7,
            Reason::SignatureNotYetValid => 8,
            Reason::SignatureExpiredBeforeValid => 25,
            Reason::SignatureInvalid
            | Reason::SignatureUnfit
            | Reason::DenialContradicts
            | Reason::TooMuchWork => 6,
            Reason::DnskeyMissing | Reason::ChainBroken => 9,
            Reason::Indeterminate => 5,
            Reason::NoZoneKeyBit => 11,
            Reason::DenialMissing => 12,
            Reason::UnsupportedAlgorithm => 1,
            Reason::UnsupportedDigest => 2,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::RrsigsMissing => "no signature",
            Reason::SignatureExpired => "its signature has expired",
            Reason::SignatureNotYetValid => "its signature is not valid yet",
            Reason::SignatureExpiredBeforeValid => "its signature ends before it begins",
            Reason::SignatureInvalid => "its signature does not verify",
            Reason::SignatureUnfit => "its signature does not fit name, type or zone",
            Reason::DnskeyMissing => "no DNSKEY matches the DS records",
            Reason::NoZoneKeyBit => "its DNSKEY is no zone key",
            Reason::DenialMissing => "its absence is not proven",
            Reason::DenialContradicts => "the proof of its absence contradicts itself",
            Reason::UnsupportedAlgorithm => "no algorithm of the trust anchor is supported",
            Reason::UnsupportedDigest => "no digest of the trust anchor is supported",
            Reason::TooMuchWork => "validating it takes too much work",
            Reason::ChainBroken => "its zone's keys could not be had",
            Reason::Indeterminate => "whether its zone is signed could not be found out",
        })
    }
}
