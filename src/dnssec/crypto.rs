//! Signatures and digests: octets in, yes or no out.
//!
//! Knows: the algorithms of RFC 3110 and 5702 (RSA), 6605 (ECDSA) and 8080 (Ed25519), the digests
//! of RFC 4034 §5.1.4, 4509 and 6605 §2, and which of them count ([`Policy`], RFC 9905). aws-lc-rs
//! computes; it refuses RSA keys under 1024 bits and exponents over 33, which RFC 3110 and 5702
//! allow, so those go through num-bigint and PKCS #1 v1.5 as in RFC 8017 §8.2.2. Only public values
//! are handled here, so that time may depend on them.
//!
//! Deliberately does not know: names, records, times. Ed448 (16) is unknown to it: no released
//! version of a maintained crate verifies it, and RFC 8624 §3.1 only recommends it.
//!
//! Shown by: the tests below and in `verify.rs`.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, RsaParameters, VerificationAlgorithm,
};
use num_bigint::BigUint;

/// Bits of the smallest RSA modulus (RFC 5702 §2.1).
pub const RSA_MIN_BITS: u64 = 512;
/// Bits of the largest RSA modulus (RFC 3110 §2, RFC 5702 §2).
pub const RSA_MAX_BITS: u64 = 4_096;
/// Bits of the largest RSA exponent. RFC 3110 allows as many as the modulus has, which would make one
/// check cost a thousand times as much; in use are 3, 65537 and 2^32 + 1.
pub const RSA_MAX_EXPONENT_BITS: u64 = 64;
/// Bits of the smallest RSA modulus that aws-lc-rs takes.
const LIBRARY_MIN_BITS: u64 = 1_024;
/// Bits of the largest RSA exponent that aws-lc-rs takes (AWS-LC's `OPENSSL_RSA_MAX_PUBEXP_BITS`).
const LIBRARY_MAX_EXPONENT_BITS: u64 = 33;

/// A signature algorithm that is implemented, by its number in the IANA registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Algorithm {
    RsaSha1,
    RsaSha1Nsec3,
    RsaSha256,
    RsaSha512,
    EcdsaP256,
    EcdsaP384,
    Ed25519,
}

impl Algorithm {
    /// The algorithm of this number, `None` when it is not implemented.
    pub fn from_number(number: u8) -> Option<Algorithm> {
        Some(match number {
            5 => Algorithm::RsaSha1,
            7 => Algorithm::RsaSha1Nsec3,
            8 => Algorithm::RsaSha256,
            10 => Algorithm::RsaSha512,
            13 => Algorithm::EcdsaP256,
            14 => Algorithm::EcdsaP384,
            15 => Algorithm::Ed25519,
            _ => return None,
        })
    }

    /// Does it sign SHA-1 (RFC 9905)?
    pub fn uses_sha1(self) -> bool {
        matches!(self, Algorithm::RsaSha1 | Algorithm::RsaSha1Nsec3)
    }
}

/// A digest of DS records that is implemented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum DigestType {
    Sha1,
    Sha256,
    Sha384,
}

impl DigestType {
    /// The digest of this number in the IANA registry, `None` when it is not implemented.
    pub fn from_number(number: u8) -> Option<DigestType> {
        Some(match number {
            1 => DigestType::Sha1,
            2 => DigestType::Sha256,
            4 => DigestType::Sha384,
            _ => return None,
        })
    }

    /// The digest of the pieces, one behind the other.
    pub fn of(self, pieces: &[&[u8]]) -> digest::Digest {
        let mut context = digest::Context::new(match self {
            DigestType::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            DigestType::Sha256 => &digest::SHA256,
            DigestType::Sha384 => &digest::SHA384,
        });
        pieces.iter().for_each(|piece| context.update(piece));
        context.finish()
    }
}

/// Which of the implemented algorithms count. What does not is as if unknown: a zone with nothing
/// else is insecure (RFC 4035 §5.2, RFC 6840 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Policy {
    /// Algorithms 5 and 7 count (`dnssec.sha1 = "validate"`). RFC 9905 §3 wants them treated as
    /// unsupported. SHA-1 in DS records is another matter, and always counts where nothing better is.
    pub sha1: bool,
}

impl Policy {
    /// The algorithm of this number, when it is implemented and counts.
    pub fn algorithm(&self, number: u8) -> Option<Algorithm> {
        Algorithm::from_number(number).filter(|algorithm| self.sha1 || !algorithm.uses_sha1())
    }

    /// The digest of this number, when it is implemented.
    pub fn digest(&self, number: u8) -> Option<DigestType> {
        DigestType::from_number(number)
    }
}

/// A public key, ready to verify with: made once, used for every signature of the key.
#[derive(Debug)]
pub enum PublicKey {
    /// As aws-lc-rs holds it.
    Library(ParsedPublicKey),
    /// RSA that the library refuses, and the RFCs allow.
    ByHand(RsaKey),
    /// No key at all: nothing is signed by it.
    Malformed,
}

impl PublicKey {
    /// From the form that DNSKEY RDATA has.
    pub fn new(algorithm: Algorithm, public: &[u8]) -> PublicKey {
        match algorithm {
            Algorithm::RsaSha1 | Algorithm::RsaSha1Nsec3 => rsa(&SHA1, public),
            Algorithm::RsaSha256 => rsa(&SHA256, public),
            Algorithm::RsaSha512 => rsa(&SHA512, public),
            // The point without the octet that says "uncompressed" (RFC 6605 §4).
            Algorithm::EcdsaP256 => library(&ECDSA_P256_SHA256_FIXED, &[&[4], public].concat()),
            Algorithm::EcdsaP384 => library(&ECDSA_P384_SHA384_FIXED, &[&[4], public].concat()),
            Algorithm::Ed25519 => library(&ED25519, public),
        }
    }

    /// Is `signature`, as in RRSIG RDATA, the one of `message` by this key? A malformed one is not.
    pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            PublicKey::Library(key) => key.verify_sig(message, signature).is_ok(),
            PublicKey::ByHand(key) => key.has_signed(message, signature),
            PublicKey::Malformed => false,
        }
    }
}

fn library(algorithm: &'static dyn VerificationAlgorithm, public: &[u8]) -> PublicKey {
    ParsedPublicKey::new(algorithm, public).map_or(PublicKey::Malformed, PublicKey::Library)
}

/// What RSA with one digest needs.
#[derive(Debug)]
struct RsaHash {
    library: &'static RsaParameters,
    digest: &'static digest::Algorithm,
    /// DER of the DigestInfo up to the digest (RFC 8017 §9.2, note 1).
    prefix: &'static [u8],
}

static SHA1: RsaHash = RsaHash {
    library: &RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
    digest: &digest::SHA1_FOR_LEGACY_USE_ONLY,
    prefix: b"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14",
};
static SHA256: RsaHash = RsaHash {
    library: &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
    digest: &digest::SHA256,
    prefix: b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
};
static SHA512: RsaHash = RsaHash {
    library: &RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
    digest: &digest::SHA512,
    prefix: b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40",
};

/// Exponent and modulus of a key (RFC 3110 §2), without leading zeros, which it prohibits and others
/// tolerate.
fn rsa_key(public: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = public.split_first()?;
    let (length, rest) = match first {
        0 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        n => (usize::from(n), rest),
    };
    let (exponent, modulus) = rest.split_at_checked(length)?;
    Some((without_zeros(exponent), without_zeros(modulus)))
}

fn without_zeros(octets: &[u8]) -> &[u8] {
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    octets.get(zeros..).unwrap_or_default()
}

/// Bits of a number without leading zeros.
fn bits(octets: &[u8]) -> u64 {
    octets.first().map_or(0, |first| octets.len() as u64 * 8 - u64::from(first.leading_zeros()))
}

fn rsa(hash: &'static RsaHash, public: &[u8]) -> PublicKey {
    let Some((e, n)) = rsa_key(public) else { return PublicKey::Malformed };
    let (e_bits, n_bits) = (bits(e), bits(n));
    // An exponent of 1 signs nothing, an even one (or an even modulus) belongs to no key.
    let is_odd = |octets: &[u8]| octets.last().is_some_and(|last| last & 1 == 1);
    let fits = (RSA_MIN_BITS..=RSA_MAX_BITS).contains(&n_bits)
        && (2..=RSA_MAX_EXPONENT_BITS).contains(&e_bits)
        && is_odd(e)
        && is_odd(n);
    if !fits {
        return PublicKey::Malformed;
    }
    if n_bits >= LIBRARY_MIN_BITS && e_bits <= LIBRARY_MAX_EXPONENT_BITS {
        return library(hash.library, &rsa_der(e, n));
    }
    let (exponent, modulus) = (BigUint::from_bytes_be(e), BigUint::from_bytes_be(n));
    PublicKey::ByHand(RsaKey { hash, exponent, modulus, octets: n.len() })
}

/// RSAPublicKey (RFC 8017 §A.1.1) of numbers without leading zeros.
fn rsa_der(e: &[u8], n: &[u8]) -> Vec<u8> {
    const INTEGER: u8 = 0x02;
    const SEQUENCE: u8 = 0x30;
    let tagged = |tag: u8, content: &[u8]| {
        let mut out = vec![tag];
        match content.len() {
            short @ 0..=0x7f => out.push(short as u8),
            long @ 0x80..=0xff => out.extend_from_slice(&[0x81, long as u8]),
            // A modulus has at most 512 octets, and the whole a few more.
            long => out.extend_from_slice(&[0x82, (long >> 8) as u8, long as u8]),
        }
        out.extend_from_slice(content);
        out
    };
    // A number whose first bit is set would be negative.
    let integer = |octets: &[u8]| {
        let is_negative = octets.first().is_some_and(|first| first & 0x80 != 0);
        let sign: &[u8] = if is_negative { &[0] } else { &[] };
        tagged(INTEGER, &[sign, octets].concat())
    };
    tagged(SEQUENCE, &[integer(n), integer(e)].concat())
}

/// An RSA key that is used by hand.
#[derive(Debug)]
pub struct RsaKey {
    hash: &'static RsaHash,
    exponent: BigUint,
    modulus: BigUint,
    octets: usize,
}

impl RsaKey {
    /// RFC 8017 §8.2.2: what the signature opens to must be the encoding of the digest, octet for octet.
    fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let number = BigUint::from_bytes_be(signature);
        // The signature is as long as the modulus (step 1).
        if signature.len() != self.octets || number >= self.modulus {
            return false;
        }
        let digest = digest::digest(self.hash.digest, message);
        let Some(expected) = encoded(self.hash.prefix, digest.as_ref(), self.octets) else { return false };
        // Compared as numbers: `expected` has the length of the modulus, so this is octet for octet.
        number.modpow(&self.exponent, &self.modulus) == BigUint::from_bytes_be(&expected)
    }
}

/// EMSA-PKCS1-v1_5 (RFC 8017 §9.2) of `length` octets; `None` when so few do not hold it.
fn encoded(prefix: &[u8], digest: &[u8], length: usize) -> Option<Vec<u8>> {
    /// Octets of the shortest padding (RFC 8017 §9.2, step 4).
    const MIN_PADDING: usize = 8;
    let padding = length.checked_sub(prefix.len() + digest.len() + 3).filter(|n| *n >= MIN_PADDING)?;
    let mut out = Vec::with_capacity(length);
    out.extend_from_slice(&[0, 1]);
    out.resize(2 + padding, 0xff);
    out.push(0);
    out.extend_from_slice(prefix);
    out.extend_from_slice(digest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_may_be_long_and_zeros_are_dropped() {
        assert_eq!(rsa_key(b"\x01\x03\xff\xee"), Some((&b"\x03"[..], &b"\xff\xee"[..])));
        assert_eq!(rsa_key(b"\x00\x00\x02\x00\x03\x00\xff"), Some((&b"\x03"[..], &b"\xff"[..])));
        for broken in [&b""[..], b"\x02\x03", b"\x00\x00", b"\x00\xff\xff\x01"] {
            assert_eq!(rsa_key(broken), None);
        }
        assert_eq!((bits(b""), bits(b"\x01"), bits(b"\xff\x00")), (0, 1, 16));
    }

    #[test]
    fn keys_that_are_none_are_refused() {
        let key = |e: &[u8], octets: usize, last: u8| {
            let mut key = vec![e.len() as u8];
            key.extend_from_slice(e);
            key.resize(1 + e.len() + octets - 1, 0xff);
            key.push(last);
            key
        };
        // With an exponent of 1 the encoding is its own signature.
        let digest = digest::digest(&digest::SHA256, b"text");
        for octets in [64, 128, 512] {
            let forged = encoded(SHA256.prefix, digest.as_ref(), octets).unwrap();
            assert!(!rsa(&SHA256, &key(&[1], octets, 0xff)).has_signed(b"text", &forged));
        }
        // And these would be of no or of unbounded cost.
        for (e, octets, last) in
            [(&[3u8; 9][..], 128, 1), (&[3], 513, 1), (&[3], 63, 1), (&[2], 64, 1), (&[3], 64, 2)]
        {
            assert!(!rsa(&SHA256, &key(e, octets, last)).has_signed(b"text", &vec![1; octets]));
        }
        assert!(!rsa(&SHA256, &[]).has_signed(b"text", &[]));
    }

    #[test]
    fn the_encoding_must_have_room() {
        assert!(encoded(SHA512.prefix, &[0; 64], 64).is_none());
        assert!(encoded(SHA256.prefix, &[0; 32], 61).is_none());
        let full = encoded(SHA256.prefix, &[7; 32], 62).unwrap();
        assert_eq!(full.len(), 62);
        assert!(full.starts_with(b"\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff\x00\x30\x31"));
    }

    #[test]
    fn garbage_behind_the_digest_is_refused() {
        // Bleichenbacher's forgery of 2006: with e = 3, a cube root needs no private key when the
        // verifier does not mind what follows the digest.
        let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, b"text");
        let mut wanted = b"\x00\x01\xff\x00".to_vec();
        wanted.extend_from_slice(SHA1.prefix);
        wanted.extend_from_slice(digest.as_ref());
        let start = wanted.clone();
        wanted.resize(127, 0);
        let root = BigUint::from_bytes_be(&wanted).cbrt() + 1u8;
        let opened = root.pow(3).to_bytes_be();
        assert!(opened.starts_with(&start[1..]) && opened.len() == 126, "the forgery is none");
        let mut forged = vec![0; 127];
        let octets = root.to_bytes_be();
        forged[127 - octets.len()..].copy_from_slice(&octets);
        let mut key = vec![1, 3];
        key.resize(2 + 127, 0x7f);
        assert_eq!(bits(&key[2..]), 1_015);
        assert!(!rsa(&SHA1, &key).has_signed(b"text", &forged));
    }

    #[test]
    fn digests_are_those_of_fips_180() {
        let hex = |d: digest::Digest| d.as_ref().iter().map(|b| format!("{b:02x}")).collect::<String>();
        assert_eq!(hex(DigestType::Sha1.of(&[b"a", b"bc"])), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert!(hex(DigestType::Sha256.of(&[b"abc"])).starts_with("ba7816bf8f01cfea"));
        assert!(hex(DigestType::Sha384.of(&[b"abc"])).starts_with("cb00753f45a35e8b"));
    }

    #[test]
    fn sha1_counts_only_when_policy_says_so() {
        let (strict, lax) = (Policy { sha1: false }, Policy { sha1: true });
        for number in 0..=255 {
            let known = matches!(number, 8 | 10 | 13 | 14 | 15);
            assert_eq!(strict.algorithm(number).is_some(), known, "{number}");
            assert_eq!(lax.algorithm(number).is_some(), known || number == 5 || number == 7, "{number}");
            assert_eq!(strict.digest(number).is_some(), matches!(number, 1 | 2 | 4), "{number}");
        }
    }
}
