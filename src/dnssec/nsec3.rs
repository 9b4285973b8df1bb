//! NSEC3 records as read from RDATA, and the hash that orders them.
//!
//! Knows: RFC 5155 §3 (form), §5 (hash), RFC 4648 §7 (base32hex). Does not know: what a set of them
//! proves (`denial`), nor who pays for a hash beyond asking. Shown by: the tests below.

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY};

use super::bitmap::Bitmap;
use crate::rrset::{RrSet, RrType};
use crate::wire::Name;

/// Octets of a SHA-1 hash, the only algorithm there is (RFC 5155 §11).
pub const HASH: usize = 20;
/// Characters of such a hash in base32hex without padding.
const HASH_TEXT: usize = 32;
/// The number of SHA-1 (RFC 5155 §11).
const SHA1: u8 = 1;
/// The Opt-Out flag (RFC 5155 §3.1.2.1).
const OPT_OUT: u8 = 1;

/// The hash of an owner name.
pub type Hash = [u8; HASH];

/// What must be equal for hashes to be comparable (RFC 5155 §8.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params<'a> {
    /// Additional iterations (RFC 5155 §3.1.3).
    pub iterations: u16,
    /// At most 255 octets.
    pub salt: &'a [u8],
}

/// One NSEC3 record of a known hash algorithm.
#[derive(Clone, Copy, Debug)]
pub struct Nsec3<'a> {
    /// The hash in the owner name.
    pub owner: Hash,
    /// The next hash in the zone; not above `owner` in the zone's last record.
    pub next: Hash,
    /// May insecure delegations hide between the two?
    pub opt_out: bool,
    /// Iterations and salt.
    pub params: Params<'a>,
    /// The types at the original owner name.
    pub types: Bitmap<'a>,
}

impl<'a> Nsec3<'a> {
    /// The one record of an NSEC3 RRset of `zone`. `None` when it is malformed, not one label below
    /// the zone, or has a hash algorithm or flags that nobody knows (RFC 5155 §8.1, §8.2).
    pub fn parse(zone: &Name, set: &'a RrSet) -> Option<Nsec3<'a>> {
        if set.rtype != RrType::NSEC3 || set.owner.label_count() != zone.label_count() + 1 {
            return None;
        }
        if !set.owner.is_below(zone) {
            return None;
        }
        let owner = decode_base32hex(set.owner.labels().next()?)?;
        let rdata = only(set)?;
        let (&[algorithm, flags, high, low, salt_len], rest) = rdata.split_first_chunk::<5>()?;
        if algorithm != SHA1 || flags & !OPT_OUT != 0 {
            return None;
        }
        let (salt, rest) = rest.split_at_checked(usize::from(salt_len))?;
        let (&hash_len, rest) = rest.split_first()?;
        if usize::from(hash_len) != HASH {
            return None;
        }
        let (next, types) = rest.split_first_chunk::<HASH>()?;
        let params = Params { iterations: u16::from_be_bytes([high, low]), salt };
        let types = Bitmap::parse(types)?;
        Some(Nsec3 { owner, next: *next, opt_out: flags & OPT_OUT != 0, params, types })
    }

    /// Does `hash` lie strictly between this record's owner and the next (RFC 5155 §1.3, "cover")?
    pub fn covers(&self, hash: &Hash) -> bool {
        if self.owner < self.next {
            self.owner < *hash && *hash < self.next
        } else {
            // The last record of the zone; alone, it covers everything but its own owner.
            *hash > self.owner || *hash < self.next
        }
    }
}

/// The RDATA of a set of exactly one record. An owner has one NSEC and a hash one NSEC3 in a zone
/// that is signed right; of several that contradict each other none is used.
pub(super) fn only(set: &RrSet) -> Option<&[u8]> {
    let mut all = set.rdata.iter();
    let first = all.next()?;
    all.next().is_none().then_some(first)
}

/// `IH(salt, name, iterations)` of RFC 5155 §5, over the name in lower case.
pub fn hash(name: &Name, params: Params<'_>) -> Option<Hash> {
    let mut octets = name.as_wire().to_ascii_lowercase();
    let mut hash = Hash::default();
    for _ in 0..=params.iterations {
        let mut context = digest::Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
        context.update(&octets);
        context.update(params.salt);
        hash = context.finish().as_ref().try_into().ok()?;
        octets.clear();
        octets.extend_from_slice(&hash);
    }
    Some(hash)
}

/// Names hashed with one set of parameters: each once, and each only when paid for.
pub(super) struct Hashes<'p> {
    params: Params<'p>,
    pay: &'p dyn Fn(u16) -> bool,
    known: Vec<(Name, Hash)>,
}

impl<'p> Hashes<'p> {
    /// No name hashed yet. `pay` is told the iterations of each hash and says whether it may be.
    pub(super) fn new(params: Params<'p>, pay: &'p dyn Fn(u16) -> bool) -> Hashes<'p> {
        Hashes { params, pay, known: Vec::new() }
    }

    /// The hash of `name`; `None` when it was refused.
    pub(super) fn of(&mut self, name: &Name) -> Option<Hash> {
        if let Some((_, hash)) = self.known.iter().find(|(known, _)| known == name) {
            return Some(*hash);
        }
        if !(self.pay)(self.params.iterations) {
            return None;
        }
        let hash = hash(name, self.params)?;
        self.known.push((name.clone(), hash));
        Some(hash)
    }
}

/// A label of 32 base32hex characters, in either case, as the hash that it is.
fn decode_base32hex(label: &[u8]) -> Option<Hash> {
    let label: &[u8; HASH_TEXT] = label.try_into().ok()?;
    let mut hash = Hash::default();
    for (eight, five) in label.chunks_exact(8).zip(hash.chunks_exact_mut(5)) {
        let mut bits = 0u64;
        for character in eight {
            let value = match character.to_ascii_lowercase() {
                digit @ b'0'..=b'9' => digit - b'0',
                letter @ b'a'..=b'v' => letter - b'a' + 10,
                _ => return None,
            };
            bits = bits << 5 | u64::from(value);
        }
        five.copy_from_slice(bits.to_be_bytes().get(3..)?);
    }
    Some(hash)
}

/// A hash as the label that it becomes, for tests that make records.
#[cfg(test)]
pub(super) fn encode_base32hex(hash: &Hash) -> String {
    let digit = |v: u64| char::from(b"0123456789abcdefghijklmnopqrstuv"[(v & 31) as usize]);
    let eight = |five: &[u8]| {
        let bits = five.iter().fold(0u64, |bits, b| bits << 8 | u64::from(*b));
        (0..8).rev().map(move |i| digit(bits >> (5 * i))).collect::<String>()
    };
    hash.chunks_exact(5).map(eight).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list at the head of RFC 5155 Appendix A.
    const HASHES: [(&str, &str); 12] = [
        ("example", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"),
        ("a.example", "35mthgpgcu1qg68fab165klnsnk3dpvl"),
        ("ai.example", "gjeqe526plbf1g8mklp59enfd789njgi"),
        ("ns1.example", "2t7b4g4vsa5smi47k61mv5bv1a22bojr"),
        ("ns2.example", "q04jkcevqvmu85r014c7dkba38o0ji5r"),
        ("w.example", "k8udemvp1j2f7eg6jebps17vp3n8i58h"),
        ("*.w.example", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"),
        ("x.w.example", "b4um86eghhds6nea196smvmlo4ors995"),
        ("y.w.example", "ji6neoaepv8b5o6k4ev33abha8ht9fgc"),
        ("x.y.w.example", "2vptu5timamqttgl4luu9kg21e0aor3s"),
        ("XX.example", "t644ebqk9bibcna874givr6joj62mlhv"),
        ("2t7b4g4vsa5smi47k61mv5bv1a22bojr.example", "kohar7mbb8dc2ce8a9qvl8hon4k53uhi"),
    ];

    #[test]
    fn the_hashes_of_rfc_5155_appendix_a() {
        let params = Params { iterations: 12, salt: &[0xaa, 0xbb, 0xcc, 0xdd] };
        for (name, text) in HASHES {
            let hash = hash(&name.parse().unwrap(), params).unwrap();
            assert_eq!(encode_base32hex(&hash), text, "{name}");
            assert_eq!(decode_base32hex(text.to_uppercase().as_bytes()), Some(hash));
        }
    }

    #[test]
    fn labels_that_are_no_hash() {
        for bad in ["", "0p9mhaveqvm6t7vbl5lop2u3t2rp3to", "wp9mhaveqvm6t7vbl5lop2u3t2rp3tom"] {
            assert_eq!(decode_base32hex(bad.as_bytes()), None);
        }
    }

    #[test]
    fn each_name_is_paid_for_once_and_refused_when_nothing_is_left() {
        let left = std::cell::Cell::new(2u32);
        let pay = |iterations: u16| {
            assert_eq!(iterations, 3);
            left.replace(left.get().saturating_sub(1)) > 0
        };
        let mut hashes = Hashes::new(Params { iterations: 3, salt: &[] }, &pay);
        let name = |text: &str| text.parse::<Name>().unwrap();
        assert!(hashes.of(&name("a.")).is_some() && hashes.of(&name("A.")).is_some());
        assert!(hashes.of(&name("b.")).is_some() && hashes.of(&name("c.")).is_none());
        assert!(hashes.of(&name("b.")).is_some());
    }
}
