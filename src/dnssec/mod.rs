//! PROOF: is an RRset what its zone says, and is a denial proven?
//!
//! Knows: RFC 4033–4035, 5155, 6840, 6672 §5.3, 9276, as rules on values: which keys a zone has
//! (`keys`), whether a signature covers an RRset (`verify`), what NSEC and NSEC3 records prove
//! (`denial`), which keys need no proof (`anchors`). Does not know: where records come from. It
//! never asks anybody; `iterate::validate` fetches what a proof needs, through the same cache.
//!
//! Shown by: `tests/scenarios/dnssec_*`.

pub mod aggressive;
pub mod anchors;
mod bitmap;
pub mod crypto;
pub mod denial;
mod key;
pub mod keys;
mod nsec;
mod nsec3;
pub mod sentinel;
#[cfg(test)]
mod vectors;
pub mod verify;

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

/// What a zone's keys are worth.
#[derive(Clone, Debug)]
pub enum Trust {
    /// These keys sign for the zone.
    Secure(std::sync::Arc<keys::ZoneKeys>),
    /// Proven to have no chain of trust.
    Insecure,
    /// Proven to be no zone of its own: the zone above is responsible.
    NoCut,
    /// Its chain of trust is broken.
    Bogus(Reason),
}

impl Trust {
    /// Octets it takes, about.
    pub fn octets(&self) -> u32 {
        match self {
            Trust::Secure(keys) => {
                let each = |key: &keys::Key| key.public.len() + key.rdata.len() + 80;
                64 + keys.keys.iter().map(each).sum::<usize>() as u32
            }
            _ => 64,
        }
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
    /// Keys or delegation of the zone could not be had (EDE 9 or 22).
    ChainBroken,
}

impl Reason {
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
            Reason::ChainBroken => "its chain of trust could not be followed",
        })
    }
}
