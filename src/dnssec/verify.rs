//! Does a signature cover an RRset?
//!
//! Knows: RFC 4035 §5.3 (which RRSIG may be used, what was signed, how long the verdict lives),
//! RFC 4034 §3 and §6 with RFC 6840 §5.1 (RRSIG, canonical form), RFC 1982 (times). The canonical
//! form is made here, because hickory-proto's `TBS` is wrong for RDATA in mixed case, duplicates and
//! DNAME. Deliberately does not know: how the keys became trusted (`keys`), whether a wildcard's
//! expansion was allowed (`denial`, from [`Verified::wildcard`]).
//!
//! Costs: as many checks as [`Checks`] has left, and for each signature at most
//! [`KEYS_PER_SIGNATURE`] keys (KeyTrap, CVE-2023-50387).
//!
//! Shown by: the tests below (vectors of RFC 4035, 5155, 5702, 6605, 8080; signatures by ldns and
//! OpenSSL) and `tests/scenarios/dnssec_*`.

use std::ops::Range;

use super::Reason;
use super::crypto::Policy;
use super::key::{Key, ZoneKeys};
use crate::budget::Checks;
use crate::rrset::{RrSet, RrType};
use crate::wire::Name;
use crate::wire::name::wire_len;
use crate::wire::reader::{Field, layout};

/// Keys of the same tag and algorithm that are tried for one signature. Honest zones have one, two by
/// the birthday paradox when a key was generated without looking.
pub const KEYS_PER_SIGNATURE: usize = 2;
/// RRSIG records of one RRset that are looked at: each of a handful of keys signs once.
pub const RRSIGS_LOOKED_AT: usize = 64;
/// Zones that [`signers`] names: one, or parent and child where a DS or an apex is concerned.
pub const SIGNERS: usize = 2;

/// Names in the RDATA of any type whose names are signed in lower case: SOA, MINFO, RP and PX have two.
const MAX_NAMES: usize = 2;

/// What a good signature says of its RRset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The wildcard from which the RRset was synthesized, as in `*.example.` (RFC 4035 §5.3.4): that
    /// nothing closer exists still has to be proven. `None`: the owner itself was signed.
    pub wildcard: Option<Name>,
    /// Seconds that the verdict may live: the RRSIG's original TTL, or what is left until it expires
    /// (RFC 4035 §5.3.3). The RRset's own TTL, as received, bounds it too; that is the caller's.
    pub expires_in: u32,
    /// The TTL that the zone gave the RRset, in seconds.
    pub original_ttl: u32,
}

/// RRSIG RDATA (RFC 4034 §3.1).
#[derive(Clone, Debug)]
struct Rrsig<'a> {
    covered: RrType,
    algorithm: u8,
    labels: u8,
    original_ttl: u32,
    expiration: u32,
    inception: u32,
    tag: u16,
    signer: Name,
    /// The fixed fields, which are signed as they are.
    fixed: &'a [u8; 18],
    signature: &'a [u8],
}

impl Rrsig<'_> {
    fn read(rdata: &[u8]) -> Option<Rrsig<'_>> {
        let (fixed, rest) = rdata.split_first_chunk::<18>()?;
        let (signer, signature) = rest.split_at_checked(wire_len(rest)?)?;
        let long = |at: usize| {
            let octets = fixed.get(at..).and_then(|octets| octets.first_chunk::<4>());
            octets.map_or(0, |octets| u32::from_be_bytes(*octets))
        };
        Some(Rrsig {
            covered: RrType(u16::from_be_bytes([fixed[0], fixed[1]])),
            algorithm: fixed[2],
            labels: fixed[3],
            original_ttl: long(4),
            expiration: long(8),
            inception: long(12),
            tag: u16::from_be_bytes([fixed[16], fixed[17]]),
            signer: Name::from_wire(signer).ok()?,
            fixed,
            signature,
        })
    }

    /// The name that was signed: `owner`, or the wildcard it was synthesized from. `None` when type,
    /// signer or labels rule the signature out (RFC 4035 §5.3.1).
    fn signed_name(&self, set: &RrSet) -> Option<SignedName> {
        // Neither the root label nor a leading `*` counts (RFC 4034 §3.1.3).
        let count = |name: &Name| name.label_count() - usize::from(name.is_wildcard());
        let (labels, owner_labels) = (usize::from(self.labels), count(&set.owner));
        let fits = self.covered == set.rtype
            && may_sign(&self.signer, set)
            && labels <= owner_labels
            // A wildcard above its own zone would be another zone's.
            && labels >= count(&self.signer);
        if !fits {
            return None;
        }
        if labels == owner_labels {
            return Some(SignedName { name: set.owner.to_lowercase(), is_expanded: false });
        }
        // NSEC and NSEC3 are never synthesized (RFC 4592 §4.7): an expanded one would deny what exists.
        if matches!(set.rtype, RrType::NSEC | RrType::NSEC3) {
            return None;
        }
        let name = set.owner.suffix(labels).prepend(b"*").ok()?.to_lowercase();
        Some(SignedName { name, is_expanded: true })
    }

    /// Is `now` within its time (RFC 4034 §3.1.5, both ends included)?
    fn is_timely(&self, now: u32) -> Result<(), Reason> {
        if is_later(self.inception, self.expiration) {
            Err(Reason::SignatureExpiredBeforeValid)
        } else if is_later(self.inception, now) {
            Err(Reason::SignatureNotYetValid)
        } else if is_later(now, self.expiration) {
            Err(Reason::SignatureExpired)
        } else {
            Ok(())
        }
    }
}

/// The name under which an RRset was signed.
struct SignedName {
    name: Name,
    is_expanded: bool,
}

/// Does `a` come after `b` (RFC 1982 §3.2)? Where that leaves it open, no: 2^31 seconds are 68 years.
fn is_later(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) > 0
}

/// May keys of the zone `signer` sign this RRset? The owner is in or below it; a DS is its parent's
/// (RFC 4035 §2.4), so that a zone cannot vouch for itself.
fn may_sign(signer: &Name, set: &RrSet) -> bool {
    match set.rtype {
        RrType::DS => set.owner.is_below(signer),
        RrType::DNSKEY => set.owner == *signer,
        _ => set.owner.is_at_or_below(signer),
    }
}

/// Zones that claim to have signed `set`, the deepest first, at most [`SIGNERS`]; only those that may.
pub fn signers(set: &RrSet) -> Vec<Name> {
    let mut found: Vec<Name> = Vec::new();
    for rrsig in set.sigs.iter().take(RRSIGS_LOOKED_AT).filter_map(Rrsig::read) {
        if rrsig.signed_name(set).is_some() && !found.contains(&rrsig.signer) {
            found.push(rrsig.signer);
        }
    }
    found.sort_by_key(|signer| std::cmp::Reverse(signer.label_count()));
    found.truncate(SIGNERS);
    found
}

/// Looks for a signature by one of `keys` that covers `set`; `now` is in seconds since 1970.
///
/// One good signature suffices (RFC 6840 §5.11). The error is the most telling of all signatures':
/// [`Reason::RrsigsMissing`] when there is none; [`Reason::TooMuchWork`] when the budget ended the
/// search; then, in this order, what befell any of them: [`Reason::SignatureInvalid`],
/// [`Reason::SignatureExpired`], [`Reason::SignatureNotYetValid`],
/// [`Reason::SignatureExpiredBeforeValid`], [`Reason::DnskeyMissing`] (its key is not among `keys`),
/// [`Reason::UnsupportedAlgorithm`], [`Reason::SignatureUnfit`].
///
/// [`Reason::UnsupportedAlgorithm`] so says: all that fits uses algorithms that do not count. In a
/// zone whose DS or anchor has a supported one this is bogus like the rest, because every RRset
/// must be signed with each algorithm of the DS RRset (RFC 4035 §2.2, RFC 6840 §5.11). Whether a
/// zone is insecure for its algorithms is decided at the DS ([`super::keys::DsUse`]).
pub fn verify(
    set: &RrSet,
    keys: &ZoneKeys,
    now: u64,
    policy: &Policy,
    checks: &Checks<'_>,
) -> Result<Verified, Reason> {
    if set.sigs.is_empty() {
        return Err(Reason::RrsigsMissing);
    }
    // Times in RRSIGs wrap (RFC 4034 §3.1.5).
    let now = now as u32;
    let mut worst = Reason::SignatureUnfit;
    let mut note = |reason| {
        if telling(reason) > telling(worst) {
            worst = reason;
        }
    };
    let mut body: Option<Canonical> = None;
    for rrsig in set.sigs.iter().take(RRSIGS_LOOKED_AT).filter_map(Rrsig::read) {
        let Some(signed) = rrsig.signed_name(set).filter(|_| rrsig.signer == keys.zone) else { continue };
        let Some(algorithm) = policy.algorithm(rrsig.algorithm) else {
            note(Reason::UnsupportedAlgorithm);
            continue;
        };
        if let Err(reason) = rrsig.is_timely(now) {
            note(reason);
            continue;
        }
        let candidates = keys.keys.iter().filter(|key| is_made_by(&rrsig, key)).take(KEYS_PER_SIGNATURE);
        let mut message: Option<Vec<u8>> = None;
        note(Reason::DnskeyMissing);
        for key in candidates {
            if !checks.one_more() {
                return Err(Reason::TooMuchWork);
            }
            let message = message.get_or_insert_with(|| {
                to_be_signed(set, &rrsig, &signed.name, body.get_or_insert_with(|| Canonical::of(set)))
            });
            if key.has_signed(algorithm, message, rrsig.signature) {
                return Ok(verdict(&rrsig, signed, now));
            }
            checks.failed();
            note(Reason::SignatureInvalid);
        }
    }
    Err(worst)
}

fn verdict(rrsig: &Rrsig<'_>, signed: SignedName, now: u32) -> Verified {
    Verified {
        wildcard: signed.is_expanded.then_some(signed.name),
        expires_in: rrsig.original_ttl.min(rrsig.expiration.wrapping_sub(now)),
        original_ttl: rrsig.original_ttl,
    }
}

/// Seconds that a set may live whose records are trusted already, by the longest of the signatures
/// that `keys` can have made (RFC 4035 §5.3.3); they are not checked. 0: there is none.
pub fn longest_life(set: &RrSet, keys: &ZoneKeys, now: u64) -> u32 {
    let now = now as u32;
    let counts = |rrsig: &Rrsig<'_>| {
        let made = rrsig.signer == keys.zone && keys.keys.iter().any(|key| is_made_by(rrsig, key));
        made && rrsig.covered == set.rtype && rrsig.is_timely(now).is_ok()
    };
    let sigs = set.sigs.iter().take(RRSIGS_LOOKED_AT).filter_map(Rrsig::read).filter(counts);
    sigs.map(|rrsig| rrsig.original_ttl.min(rrsig.expiration.wrapping_sub(now))).max().unwrap_or(0)
}

/// Is the time of every signature of `set` over, `now` being in seconds since 1970? Not where there
/// are none.
pub fn has_ended(set: &RrSet, now: u64) -> bool {
    let mut sigs = set.sigs.iter().filter_map(Rrsig::read).peekable();
    sigs.peek().is_some() && sigs.all(|rrsig| is_later(now as u32, rrsig.expiration))
}

/// How much a reason says, of several signatures'.
fn telling(reason: Reason) -> u8 {
    match reason {
        Reason::SignatureInvalid => 6,
        Reason::SignatureExpired => 5,
        Reason::SignatureNotYetValid => 4,
        Reason::SignatureExpiredBeforeValid => 3,
        Reason::DnskeyMissing => 2,
        Reason::UnsupportedAlgorithm => 1,
        _ => 0,
    }
}

fn is_made_by(rrsig: &Rrsig<'_>, key: &Key) -> bool {
    key.tag == rrsig.tag && key.algorithm == rrsig.algorithm
}

/// What the signer signed (RFC 4034 §3.1.8.1): the RRSIG without its signature, then each record.
fn to_be_signed(set: &RrSet, rrsig: &Rrsig<'_>, name: &Name, body: &Canonical) -> Vec<u8> {
    let records = body.octets.len() + body.order.len() * (name.len() + 10);
    let mut out = Vec::with_capacity(rrsig.fixed.len() + rrsig.signer.len() + records);
    out.extend_from_slice(rrsig.fixed);
    let signer = out.len();
    out.extend_from_slice(rrsig.signer.as_wire());
    // Length octets are at most 63 and thus never upper-case letters.
    out.get_mut(signer..).unwrap_or_default().make_ascii_lowercase();
    for rdata in body.records() {
        out.extend_from_slice(name.as_wire());
        out.extend_from_slice(&set.rtype.0.to_be_bytes());
        out.extend_from_slice(&set.class.0.to_be_bytes());
        out.extend_from_slice(&rrsig.original_ttl.to_be_bytes());
        // RDATA that came out of an `RrSet` has at most 65,535 octets, and keeps its length here.
        out.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
        out.extend_from_slice(rdata);
    }
    out
}

/// The RDATA of a set in canonical form (RFC 4034 §6.2), in one piece.
struct Canonical {
    octets: Vec<u8>,
    /// Where each record is, in canonical order, each once (RFC 4034 §6.3).
    order: Vec<Range<usize>>,
}

impl Canonical {
    fn of(set: &RrSet) -> Canonical {
        let mut octets = Vec::with_capacity(set.rdata.octets());
        let mut order = Vec::new();
        for rdata in set.rdata.iter() {
            let start = octets.len();
            octets.extend_from_slice(rdata);
            lower_names(set.rtype, octets.get_mut(start..).unwrap_or_default());
            order.push(start..octets.len());
        }
        let at = |range: &Range<usize>| octets.get(range.clone()).unwrap_or_default();
        // As left-justified octets, where absence sorts before zero: the order of slices.
        order.sort_unstable_by(|a, b| at(a).cmp(at(b)));
        order.dedup_by(|a, b| at(a) == at(b));
        Canonical { octets, order }
    }

    fn records(&self) -> impl Iterator<Item = &[u8]> {
        self.order.iter().map(|range| self.octets.get(range.clone()).unwrap_or_default())
    }
}

/// Puts the names in RDATA in lower case, for the types of RFC 4034 §6.2 as RFC 6840 §5.1 amends them
/// (NSEC keeps its case). RDATA that is malformed for its type stays as it is.
fn lower_names(rtype: RrType, rdata: &mut [u8]) {
    let (mut at, mut names) = (0, [const { 0..0 }; MAX_NAMES]);
    let mut free = names.iter_mut();
    for field in names_of(rtype) {
        let rest = rdata.get(at..).unwrap_or_default();
        let length = match field {
            Field::Fixed(n) => Some(*n),
            Field::Text => rest.first().map(|n| 1 + usize::from(*n)),
            Field::Name => wire_len(rest),
        };
        let Some(length) = length.filter(|n| *n <= rest.len()) else { return };
        if *field == Field::Name
            && let Some(name) = free.next()
        {
            *name = at..at + length;
        }
        at += length;
    }
    for name in names {
        // Length octets are at most 63 and thus never upper-case letters.
        rdata.get_mut(name).unwrap_or_default().make_ascii_lowercase();
    }
}

/// The fields up to the last name. Beside those that the reader expands, the list has SIG, NXT and A6:
/// the last is historic (RFC 6563), and its name's place depends on a prefix length, so it stays as
/// it is, as in all resolvers that know it as an unknown type.
fn names_of(rtype: RrType) -> &'static [Field] {
    const SIG: RrType = RrType(24);
    const NXT: RrType = RrType(30);
    match rtype {
        SIG | RrType::RRSIG => &[Field::Fixed(18), Field::Name],
        NXT => &[Field::Name],
        _ => layout(rtype).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::vectors::*;
    use super::*;
    use crate::dnssec::keys::{Anchor, Ds, establish, key_tag, keys_of};
    use crate::rrset::Rdatas;

    const ANY_SHA1: Policy = Policy { sha1: true };

    fn keys_in(zone: &str, sets: &[RrSet]) -> ZoneKeys {
        ZoneKeys { zone: name(zone), keys: keys_of(find(sets, zone, RrType::DNSKEY)), set: Rdatas::empty() }
    }

    fn check(set: &RrSet, keys: &ZoneKeys) -> Result<Verified, Reason> {
        verify(set, keys, NOW, &Policy::default(), &budget().checks())
    }

    #[test]
    fn rfc_5702_6605_and_8080_examples_verify() {
        let zones = zones(RFC_KEYS);
        assert_eq!(zones.len(), 6);
        for (title, sets) in &zones {
            let zone = if title.starts_with("ed") { "example.com." } else { "example.net." };
            let set = sets.iter().find(|set| !set.sigs.is_empty()).unwrap();
            let now = match *title {
                "p256" | "p384" => 1_283_000_000,
                "ed25519" | "ed25519b" => 1_439_000_000,
                _ => 1_200_000_000,
            };
            let keys = keys_in(zone, sets);
            let found = verify(set, &keys, now, &Policy::default(), &budget().checks());
            assert_eq!(found.map(|v| (v.wildcard, v.original_ttl)), Ok((None, 3_600)), "{title}");
            if let Some(ds) = sets.iter().find(|set| set.rtype == RrType::DS) {
                let ds = Ds::from_rdata(ds.rdata.iter().next().unwrap()).unwrap();
                assert!(ds.matches(&keys.zone, &keys.keys[0]), "{title}");
            }
        }
    }

    #[test]
    fn every_signature_of_the_rfc_zones_verifies() {
        for (text, now, count) in [(RFC_4035, 1_082_000_000, 20), (RFC_5155, 1_200_000_000, 20)] {
            let sets = sets(text);
            let keys = keys_in("example.", &sets);
            let signed: Vec<&RrSet> = sets.iter().filter(|set| !set.sigs.is_empty()).collect();
            assert!(signed.len() > count, "{}", signed.len());
            for set in signed {
                let found = verify(set, &keys, now, &ANY_SHA1, &budget().checks());
                assert!(found.is_ok(), "{} {}: {found:?}", set.owner, set.rtype);
                let insecure = verify(set, &keys, now, &Policy::default(), &budget().checks());
                assert_eq!(insecure, Err(Reason::UnsupportedAlgorithm));
            }
        }
    }

    #[test]
    fn every_algorithm_and_key_size_verifies() {
        for (title, sets) in zones(GENERATED) {
            let keys = keys_in("example.", &sets);
            for set in &sets {
                let found = verify(set, &keys, NOW, &ANY_SHA1, &budget().checks());
                if title == "ed448" {
                    assert_eq!(found, Err(Reason::UnsupportedAlgorithm));
                    continue;
                }
                assert!(found.is_ok(), "{title}: {} {}: {found:?}", set.owner, set.rtype);
                // The same with its last octet changed.
                let mut sig = set.sigs.iter().next().unwrap().to_vec();
                *sig.last_mut().unwrap() ^= 1;
                let found = verify(&with_sigs(set, &[sig]), &keys, NOW, &ANY_SHA1, &budget().checks());
                assert_eq!(found, Err(Reason::SignatureInvalid), "{title}: {} {}", set.owner, set.rtype);
            }
        }
    }

    /// The zone signed by ldns with names in mixed case, empty and unknown RDATA.
    fn hard() -> (Vec<RrSet>, ZoneKeys) {
        let (_, sets) = zones(GENERATED).into_iter().find(|(title, _)| *title == "hard").unwrap();
        let keys = keys_in("example.", &sets);
        (sets, keys)
    }

    #[test]
    fn order_duplicates_and_case_do_not_matter() {
        let (sets, keys) = hard();
        for rtype in [RrType::NS, RrType::MX, RrType::PTR, RrType::TXT, RrType(4711), RrType::DNAME] {
            let set = sets.iter().find(|set| set.rtype == rtype).unwrap();
            let mut rdata: Vec<Vec<u8>> = set.rdata.iter().map(<[u8]>::to_vec).collect();
            rdata.reverse();
            rdata.push(rdata[0].clone());
            let mut other = set.clone();
            other.rdata = Rdatas::new(rdata.iter().map(Vec::as_slice));
            other.owner = set.owner.to_string().to_uppercase().parse().unwrap();
            assert!(check(&other, &keys).is_ok(), "{rtype}");
            if matches!(rtype, RrType::NS | RrType::PTR | RrType::DNAME) {
                // One record more, equal but for case: it is the same record.
                rdata.push(rdata[0].to_ascii_uppercase());
                other.rdata = Rdatas::new(rdata.iter().map(Vec::as_slice));
                assert!(check(&other, &keys).is_ok(), "{rtype}");
            }
        }
        // NSEC keeps its case (RFC 6840 §5.1), and so do character strings.
        for rtype in [RrType::NSEC, RrType::TXT] {
            let mut set =
                find(&sets, if rtype == RrType::TXT { "txt.example." } else { "c.example." }, rtype).clone();
            let lower: Vec<Vec<u8>> = set.rdata.iter().map(<[u8]>::to_ascii_uppercase).collect();
            set.rdata = Rdatas::new(lower.iter().map(Vec::as_slice));
            assert_eq!(check(&set, &keys), Err(Reason::SignatureInvalid), "{rtype}");
        }
    }

    #[test]
    fn wildcards_are_told_from_plain_names() {
        let (sets, keys) = hard();
        let wild = find(&sets, "*.wild.example.", RrType::A);
        assert_eq!(check(wild, &keys).unwrap().wildcard, None);
        let expanded = |owner: &str, rtype| {
            let mut set = find(&sets, "*.wild.example.", rtype).clone();
            set.owner = name(owner);
            set
        };
        for owner in ["a.wild.example.", "A.b.c.WILD.example.", "*.b.wild.example."] {
            let found = check(&expanded(owner, RrType::A), &keys).unwrap();
            assert_eq!(found.wildcard, Some(name("*.wild.example.")), "{owner}");
        }
        assert!(check(&expanded("a.wild.example.", RrType::MX), &keys).is_ok());
        // The wildcard's own NSEC must not become another name's, nor its data that of names beside it.
        assert_eq!(check(&expanded("a.wild.example.", RrType::NSEC), &keys), Err(Reason::SignatureUnfit));
        assert!(check(&expanded("*.wild.example.", RrType::NSEC), &keys).is_ok());
        assert_eq!(
            check(&expanded("wild.example.", RrType::A), &keys).unwrap_err(),
            Reason::SignatureInvalid
        );
        assert_eq!(check(&expanded("example.", RrType::A), &keys), Err(Reason::SignatureUnfit));
    }

    /// The outcome when an honest signature's fields are changed before signing.
    fn with(change: impl Fn(&mut Fields)) -> Result<Verified, Reason> {
        let signer = Signer::new("example.", 1, 256);
        let set = one_a("www.example.");
        let mut fields = signer.fields(&set);
        change(&mut fields);
        check(&with_sigs(&set, &[signer.rrsig(&set, &fields)]), &signer.keys())
    }

    #[test]
    fn each_fault_has_its_reason() {
        let now = NOW as u32;
        assert_eq!(with(|_| {}), Ok(Verified { wildcard: None, expires_in: 300, original_ttl: 300 }));
        assert_eq!(with(|f| f.expiration = now).map(|v| v.expires_in), Ok(0));
        assert_eq!(with(|f| f.expiration = now + 7).map(|v| v.expires_in), Ok(7));
        assert_eq!(with(|f| f.expiration = now - 1), Err(Reason::SignatureExpired));
        assert!(with(|f| f.inception = now).is_ok());
        assert_eq!(with(|f| f.inception = now + 1), Err(Reason::SignatureNotYetValid));
        assert_eq!(with(|f| f.inception = f.expiration + 1), Err(Reason::SignatureExpiredBeforeValid));
        assert_eq!(with(|f| f.tag ^= 1), Err(Reason::DnskeyMissing));
        assert_eq!(with(|f| f.algorithm = 13), Err(Reason::DnskeyMissing));
        assert_eq!(with(|f| f.algorithm = 16), Err(Reason::UnsupportedAlgorithm));
        assert_eq!(with(|f| f.algorithm = 7), Err(Reason::UnsupportedAlgorithm));
        assert_eq!(with(|f| f.labels = 3), Err(Reason::SignatureUnfit));
        assert_eq!(with(|f| f.labels = 255), Err(Reason::SignatureUnfit));
        assert_eq!(with(|f| f.labels = 0), Err(Reason::SignatureUnfit));
        // Signed as `www`, said to come from `*`: another name was signed.
        assert_eq!(with(|f| f.labels = 1), Err(Reason::SignatureInvalid));
        assert_eq!(with(|f| f.covered = RrType::AAAA), Err(Reason::SignatureUnfit));
        assert_eq!(with(|f| f.signer = Name::root()), Err(Reason::SignatureUnfit));
        assert_eq!(with(|f| f.signer = name("www.example.")), Err(Reason::SignatureUnfit));
        let (signer, set) = (Signer::new("example.", 1, 256), one_a("www.example."));
        assert_eq!(check(&set, &signer.keys()), Err(Reason::RrsigsMissing));
        assert_eq!(
            check(&with_sigs(&set, &[vec![0; 18], vec![]]), &signer.keys()),
            Err(Reason::SignatureUnfit)
        );
        assert_eq!(check(&signer.signed(&one_a("www.other.")), &signer.keys()), Err(Reason::SignatureUnfit));
    }

    #[test]
    fn one_good_signature_suffices_and_the_most_telling_fault_is_told() {
        let (signer, set) = (Signer::new("example.", 1, 256), one_a("www.example."));
        let sig = |change: &dyn Fn(&mut Fields)| {
            let mut fields = signer.fields(&set);
            change(&mut fields);
            signer.rrsig(&set, &fields)
        };
        let expired = sig(&|f| f.expiration = NOW as u32 - 1);
        let unknown = sig(&|f| f.algorithm = 200);
        let missing = sig(&|f| f.tag ^= 1);
        let mut wrong = sig(&|_| {});
        *wrong.last_mut().unwrap() ^= 1;
        let outcome = |sigs: &[&Vec<u8>]| {
            let sigs: Vec<Vec<u8>> = sigs.iter().map(|&sig| sig.clone()).collect();
            check(&with_sigs(&set, &sigs), &signer.keys())
        };
        assert!(outcome(&[&expired, &unknown, &missing, &wrong, &sig(&|_| {})]).is_ok());
        assert_eq!(outcome(&[&unknown, &missing, &expired, &wrong]), Err(Reason::SignatureInvalid));
        assert_eq!(outcome(&[&unknown, &expired, &missing]), Err(Reason::SignatureExpired));
        assert_eq!(outcome(&[&missing, &unknown]), Err(Reason::DnskeyMissing));
    }

    #[test]
    fn times_are_compared_as_serial_numbers() {
        assert!(is_later(1, 0) && !is_later(0, 1) && !is_later(5, 5));
        assert!(is_later(3, u32::MAX) && !is_later(u32::MAX, 3));
        // The RRSIG's time wraps in 2106 (RFC 4034 §3.1.5).
        let signer = Signer::new("example.", 1, 256);
        let set = one_a("www.example.");
        let fields = Fields { inception: u32::MAX - 100, expiration: 100, ..signer.fields(&set) };
        let set = with_sigs(&set, &[signer.rrsig(&set, &fields)]);
        let at = |now| verify(&set, &signer.keys(), now, &Policy::default(), &budget().checks());
        let wrap = 1u64 << 32;
        assert_eq!(at(wrap - 50).map(|v| v.expires_in), Ok(150));
        assert_eq!(at(wrap + 100).map(|v| v.expires_in), Ok(0));
        assert_eq!(at(wrap + 101), Err(Reason::SignatureExpired));
        assert_eq!(at(wrap - 102), Err(Reason::SignatureNotYetValid));
    }

    #[test]
    fn a_ds_is_signed_above_and_keys_at_the_apex() {
        let signer = Signer::new("example.", 1, 256);
        let ds = RrSet::new(name("example."), RrType::DS, 300, [&[0, 1, 15, 2][..]]);
        assert_eq!(check(&signer.signed(&ds), &signer.keys()), Err(Reason::SignatureUnfit));
        let ds = RrSet::new(name("sub.example."), RrType::DS, 300, [&[0, 1, 15, 2][..]]);
        assert!(check(&signer.signed(&ds), &signer.keys()).is_ok());
        let key = RrSet::new(name("sub.example."), RrType::DNSKEY, 300, [&signer.key.rdata[..]]);
        assert_eq!(check(&signer.signed(&key), &signer.keys()), Err(Reason::SignatureUnfit));
    }

    #[test]
    fn signers_are_zones_at_or_above_the_owner() {
        let set = one_a("www.sub.example.");
        let by = |zone: &str| {
            let signer = Signer::new(zone, 1, 256);
            signer.rrsig(&set, &signer.fields(&set))
        };
        let sigs = ["example.", "other.", "SUB.example.", "sub.example.", ".", "x.www.sub.example."].map(by);
        assert_eq!(signers(&with_sigs(&set, &sigs)), [name("sub.example."), name("example.")]);
        assert_eq!(signers(&set), []);
    }

    #[test]
    fn colliding_keys_and_signatures_end_within_the_caps() {
        let (zone, count) = (name("example."), 500);
        // Swapping aligned pairs of octets keeps the sum, hence the tag.
        let signer = Signer::new("example.", 1, 257);
        let rdata: Vec<Vec<u8>> = (0..count)
            .map(|n: usize| {
                let mut rdata = signer.key.rdata.clone();
                let (a, b) = (4 + n % 16 * 2, 4 + n / 16 % 16 * 2);
                rdata.swap(a, b);
                rdata.swap(a + 1, b + 1);
                rdata
            })
            .collect();
        assert!(rdata.iter().all(|rdata| key_tag(rdata) == signer.key.tag));
        let dnskey = RrSet::new(zone.clone(), RrType::DNSKEY, 300, rdata.iter().rev().map(Vec::as_slice));
        let fields = signer.fields(&dnskey);
        let sigs: Vec<Vec<u8>> = (0..count as u32)
            .map(|n| {
                let fields = Fields { expiration: fields.expiration + n, ..fields.clone() };
                let mut sig = signer.rrsig(&dnskey, &fields);
                *sig.last_mut().unwrap() ^= 1;
                sig
            })
            .collect();
        let dnskey = with_sigs(&dnskey, &sigs);
        let trusted: Vec<Anchor> =
            rdata.iter().map(|rdata| Anchor::Dnskey(Key::from_rdata(rdata).unwrap())).collect();
        let ledger = budget();
        let found = establish(&zone, &dnskey, &trusted, NOW, &Policy::default(), &ledger.checks());
        assert_eq!(found, Err(Reason::TooMuchWork));
        assert_eq!(ledger.signatures_checked(), crate::budget::SIGNATURE_FAILURES);
        // Even alone, one RRset pays for no more than its share.
        let one = with_sigs(&dnskey, &sigs[..1]);
        let ledger = budget();
        let found = establish(&zone, &one, &trusted, NOW, &Policy::default(), &ledger.checks());
        assert_eq!(found, Err(Reason::SignatureInvalid));
        assert_eq!(ledger.signatures_checked(), KEYS_PER_SIGNATURE as u32);
    }

    proptest::proptest! {
        #[test]
        fn hostile_octets_are_refused(
            rtype: u16,
            algorithm: u8,
            rdata in proptest::collection::vec(proptest::collection::vec(proptest::num::u8::ANY, 0..80), 1..5),
            rest in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
            public in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
        ) {
            let mut key = vec![1, 0, 3, algorithm];
            key.extend_from_slice(&public);
            let key = Key::from_rdata(&key).unwrap();
            let set = RrSet::new(name("www.example."), RrType(rtype), 300, rdata.iter().map(Vec::as_slice));
            // One RRSIG that gets as far as the key, one that is anything.
            let mut sig = rtype.to_be_bytes().to_vec();
            sig.extend_from_slice(&[algorithm, 2, 0, 0, 1, 0]);
            sig.extend_from_slice(&(NOW as u32).to_be_bytes());
            sig.extend_from_slice(&(NOW as u32).to_be_bytes());
            sig.extend_from_slice(&key.tag.to_be_bytes());
            sig.extend_from_slice(b"\x07example\x00");
            sig.extend_from_slice(&rest);
            let set = with_sigs(&set, &[sig, rest]);
            let keys = ZoneKeys { zone: name("example."), keys: vec![key], set: Rdatas::empty() };
            proptest::prop_assert!(verify(&set, &keys, NOW, &ANY_SHA1, &budget().checks()).is_err());
            let dnskey = RrSet { rtype: RrType::DNSKEY, owner: name("example."), ..set.clone() };
            for anchor in rdata.iter().filter_map(|rdata| Ds::from_rdata(rdata)) {
                let found = establish(&keys.zone, &dnskey, &[Anchor::Ds(anchor)], NOW, &ANY_SHA1, &budget().checks());
                proptest::prop_assert!(found.is_err());
            }
        }
    }

    fn lowered(rtype: u16, rdata: &[u8]) -> Vec<u8> {
        let mut out = rdata.to_vec();
        lower_names(RrType(rtype), &mut out);
        out
    }

    #[test]
    fn every_name_in_rdata_has_room() {
        for rtype in 0..=300 {
            let names = names_of(RrType(rtype)).iter().filter(|field| **field == Field::Name);
            assert!(names.count() <= MAX_NAMES, "{rtype}");
        }
    }

    #[test]
    fn names_in_rdata_that_is_too_short_do_no_harm() {
        for rtype in 0..=300 {
            for rdata in [&b""[..], b"\x00", b"\x05abc", b"\x00\x01\x01A", &[0x3f; 80]] {
                assert!(lowered(rtype, rdata).eq_ignore_ascii_case(rdata));
            }
        }
        let sig = [&[b'A'; 18][..], b"\x01B\x00CC"].concat();
        assert_eq!(lowered(24, &sig), [&[b'A'; 18][..], b"\x01b\x00CC"].concat());
        assert_eq!(lowered(30, b"\x01B\x00C"), b"\x01b\x00C");
    }
}
