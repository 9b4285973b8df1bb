//! One key of a zone: a DNSKEY record.
//!
//! Knows: RFC 4034 §2 and appendix B (format, key tag), RFC 5011 §2.1 (the revoke bit).
//! Deliberately does not know: whether anything vouches for it (`keys`).
//!
//! Shown by: the tests in `keys.rs`.

use std::sync::{Arc, OnceLock};

use super::crypto::{Algorithm, Policy, PublicKey};
use crate::rrset::Rdatas;
use crate::wire::Name;

/// Zone Key (RFC 4034 §2.1.1).
pub const ZONE_KEY: u16 = 0x0100;
/// Revoked (RFC 5011 §2.1).
pub const REVOKED: u16 = 0x0080;
/// Secure Entry Point (RFC 4034 §2.1.1); says nothing to a validator.
pub const SEP: u16 = 0x0001;
/// The only protocol of a DNSKEY (RFC 4034 §2.1.2).
const PROTOCOL: u8 = 3;

/// One DNSKEY record. Copies share what the cryptography makes of it.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Key {
    pub flags: u16,
    pub protocol: u8,
    pub algorithm: u8,
    pub tag: u16,
    /// The whole RDATA, which DS records digest.
    pub rdata: Vec<u8>,
    ready: Arc<OnceLock<PublicKey>>,
}

impl PartialEq for Key {
    /// All else follows from the RDATA.
    fn eq(&self, other: &Key) -> bool {
        self.rdata == other.rdata
    }
}
impl Eq for Key {}

impl Key {
    /// The key in DNSKEY RDATA; `None` when that is too short.
    pub fn from_rdata(rdata: &[u8]) -> Option<Key> {
        let head = rdata.first_chunk::<4>()?;
        Some(Key {
            flags: u16::from_be_bytes([head[0], head[1]]),
            protocol: head[2],
            algorithm: head[3],
            tag: key_tag(rdata),
            rdata: rdata.to_vec(),
            ready: Arc::default(),
        })
    }

    /// Zone Key bit and protocol 3 (RFC 4034 §2.1, RFC 4035 §5.2)?
    pub fn is_zone_key(&self) -> bool {
        self.flags & ZONE_KEY != 0 && self.protocol == PROTOCOL
    }

    /// Did its owner revoke it (RFC 5011 §2.1)?
    pub fn is_revoked(&self) -> bool {
        self.flags & REVOKED != 0
    }

    /// The same key before it was revoked: another record, of another tag.
    pub(super) fn unrevoked(&self) -> Key {
        let flags = self.flags & !REVOKED;
        let mut rdata = self.rdata.clone();
        rdata.splice(..2, flags.to_be_bytes());
        Key { flags, tag: key_tag(&rdata), rdata, ready: Arc::default(), ..*self }
    }

    /// Is `signature` the one of `message` by this key, which is of `algorithm`? What the cryptography
    /// needs of the key is made with the first signature and kept.
    pub(super) fn has_signed(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let public = self.rdata.get(4..).unwrap_or_default();
        self.ready.get_or_init(|| PublicKey::new(algorithm, public)).has_signed(message, signature)
    }

    /// May it verify the zone's data?
    pub(super) fn verifies(&self, policy: &Policy) -> bool {
        self.is_zone_key() && !self.is_revoked() && policy.algorithm(self.algorithm).is_some()
    }
}

/// The key tag of DNSKEY RDATA (RFC 4034 appendix B; B.1 for algorithm 1).
pub fn key_tag(rdata: &[u8]) -> u16 {
    if rdata.get(3) == Some(&1) {
        // The upper sixteen of the lowest twenty-four bits of the modulus, which ends the RDATA.
        let tail = rdata.get(4..).and_then(|public| public.last_chunk::<3>());
        return tail.map_or(0, |octets| u16::from_be_bytes([octets[0], octets[1]]));
    }
    let sum = rdata.chunks(2).fold(0u32, |sum, pair| {
        let [high, low] = [pair.first(), pair.get(1)].map(|octet| u32::from(octet.copied().unwrap_or(0)));
        // At most 32,768 chunks of 16 bits: no overflow.
        sum + (high << 8 | low)
    });
    ((sum + (sum >> 16)) & 0xffff) as u16
}

/// Keys that may verify a zone's data: zone keys of a supported algorithm, not revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ZoneKeys {
    pub zone: Name,
    pub keys: Vec<Key>,
    /// All records of the set that was proven, as received; empty where none was.
    pub set: Rdatas,
}
