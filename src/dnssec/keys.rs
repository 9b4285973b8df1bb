//! Keys of zones and what vouches for them: DS, trust anchors.
//!
//! Knows: RFC 4034 §5 (DS), RFC 4035 §5.2 (which DNSKEY a DS authenticates), RFC 4509 §3 (SHA-1
//! beside better digests), RFC 6840 §5.2 and §5.11 (unknown algorithms; one valid path suffices).
//! Deliberately does not know: where the records come from, RFC 5011's states.
//!
//! Shown by: the tests below and `tests/scenarios/dnssec_*`.

use super::Reason;
use super::crypto::Policy;
pub use super::key::{Key, REVOKED, SEP, ZONE_KEY, ZoneKeys, key_tag};
use super::verify::{Verified, verify};
use crate::budget::Checks;
use crate::rrset::{Rdatas, RrSet};
use crate::wire::Name;

/// DNSKEY records of one zone that are looked at, in the order received. The root has three or four,
/// a rollover of everything twice as many; each is compared with each DS (KeyTrap, CVE-2023-50387).
pub const KEYS_LOOKED_AT: usize = 64;
/// DS records of one zone that may be compared with keys, of those that could be used (each costs a
/// digest over every key of its tag). unbound's and BIND's limits are of this order.
pub const DS_LOOKED_AT: usize = 8;
/// DS records that are read at all, so that eight usable ones are found behind others.
const DS_READ: usize = 64;

/// The keys of a DNSKEY RRset, the first [`KEYS_LOOKED_AT`]; malformed ones are left out.
pub fn keys_of(set: &RrSet) -> Vec<Key> {
    set.rdata.iter().filter_map(Key::from_rdata).take(KEYS_LOOKED_AT).collect()
}

/// One DS record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Ds {
    pub tag: u16,
    pub algorithm: u8,
    pub digest_type: u8,
    pub digest: Vec<u8>,
}

impl Ds {
    /// The record in DS RDATA; `None` when that is too short.
    pub fn from_rdata(rdata: &[u8]) -> Option<Ds> {
        let (head, digest) = rdata.split_first_chunk::<4>()?;
        let tag = u16::from_be_bytes([head[0], head[1]]);
        Some(Ds { tag, algorithm: head[2], digest_type: head[3], digest: digest.to_vec() })
    }

    /// Is this the digest of `key` at `owner` (RFC 4034 §5.1.4)? Tag and algorithm must fit as well.
    pub fn matches(&self, owner: &Name, key: &Key) -> bool {
        if self.tag != key.tag || self.algorithm != key.algorithm {
            return false;
        }
        let Some(digest) = Policy::default().digest(self.digest_type) else { return false };
        digest.of(&[owner.to_lowercase().as_wire(), &key.rdata]).as_ref() == self.digest
    }
}

/// The records of a DS RRset; malformed ones are left out. [`DsUse::of`] says which to compare.
pub fn ds_of(set: &RrSet) -> Vec<Ds> {
    set.rdata.iter().filter_map(Ds::from_rdata).take(DS_READ).collect()
}

/// What a DS RRset is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DsUse {
    /// These, at most [`DS_LOOKED_AT`], must lead to a key, or the zone is bogus.
    Usable(Vec<Ds>),
    /// No record has both an algorithm and a digest that are supported: the zone is insecure
    /// (RFC 4035 §5.2, RFC 6840 §5.2).
    NoneSupported {
        /// An algorithm is supported, so that it is the digest that is not (EDE 2, else EDE 1).
        digest: bool,
    },
}

impl DsUse {
    /// Chooses among the records of one zone. Where a supported one has a better digest, those with
    /// SHA-1 are ignored (RFC 4509 §3).
    pub fn of(records: &[Ds], policy: &Policy) -> DsUse {
        let known = |ds: &&Ds| policy.algorithm(ds.algorithm).is_some();
        let mut usable: Vec<Ds> = Vec::new();
        for ds in records.iter().filter(known).filter(|ds| policy.digest(ds.digest_type).is_some()) {
            if !usable.contains(ds) {
                usable.push(ds.clone());
            }
        }
        if usable.is_empty() {
            return DsUse::NoneSupported { digest: records.iter().any(|ds| known(&ds)) };
        }
        const SHA1: u8 = 1;
        if usable.iter().any(|ds| ds.digest_type != SHA1) {
            usable.retain(|ds| ds.digest_type != SHA1);
        }
        // Which are looked at must not depend on the order of the answer, which servers rotate.
        usable.sort_by_key(|ds| (ds.tag, ds.algorithm, ds.digest_type, ds.digest.clone()));
        usable.truncate(DS_LOOKED_AT);
        DsUse::Usable(usable)
    }
}

/// What vouches for a zone's keys: a DS (from the parent or the operator) or a key of the operator's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Anchor {
    Ds(Ds),
    Dnskey(Key),
}

impl Anchor {
    /// Does this vouch for `key` of `zone`?
    pub(super) fn matches(&self, zone: &Name, key: &Key) -> bool {
        match self {
            Anchor::Ds(ds) => ds.matches(zone, key),
            Anchor::Dnskey(own) => own.rdata == key.rdata,
        }
    }

    /// The anchors of `trusted` that policy lets count, as [`DsUse::of`] chooses; the error says what
    /// makes all of them useless.
    pub fn usable(trusted: &[Anchor], policy: &Policy) -> Result<Vec<Anchor>, Reason> {
        let mut records = Vec::new();
        let mut usable = Vec::new();
        for anchor in trusted {
            match anchor {
                Anchor::Ds(ds) => records.push(ds.clone()),
                Anchor::Dnskey(key) if policy.algorithm(key.algorithm).is_some() => {
                    usable.push(anchor.clone());
                }
                Anchor::Dnskey(_) => {}
            }
        }
        match DsUse::of(&records, policy) {
            DsUse::Usable(records) => usable.extend(records.into_iter().map(Anchor::Ds)),
            DsUse::NoneSupported { digest: true } if usable.is_empty() => {
                return Err(Reason::UnsupportedDigest);
            }
            DsUse::NoneSupported { .. } if usable.is_empty() => return Err(Reason::UnsupportedAlgorithm),
            DsUse::NoneSupported { .. } => {}
        }
        Ok(usable)
    }
}

impl ZoneKeys {
    /// Is this the very set from which they were proven? Of another one that only begins like it, or
    /// has other records that are no use as keys, nobody knows who made it.
    pub fn are_of(&self, set: &RrSet) -> bool {
        !self.set.is_empty() && self.set == set.rdata
    }
}

/// The keys of `zone`, once one that `trusted` vouches for has signed all of them (RFC 4035 §5.2).
///
/// `now` is in seconds since 1970. Errors: [`Reason::UnsupportedAlgorithm`] or
/// [`Reason::UnsupportedDigest`] when nothing in `trusted` counts (for DS of the parent ask
/// [`DsUse::of`] first: then the zone is insecure, not bogus), [`Reason::DnskeyMissing`] when no
/// key matches, [`Reason::NoZoneKeyBit`] when those that do are no zone keys, and those of
/// [`verify`], where a signature by other keys alone is [`Reason::DnskeyMissing`] too.
pub fn establish(
    zone: &Name,
    dnskey: &RrSet,
    trusted: &[Anchor],
    now: u64,
    policy: &Policy,
    checks: &Checks<'_>,
) -> Result<(ZoneKeys, Verified), Reason> {
    let trusted = Anchor::usable(trusted, policy)?;
    if dnskey.owner != *zone {
        return Err(Reason::DnskeyMissing);
    }
    let keys = keys_of(dnskey);
    let matching: Vec<&Key> =
        keys.iter().filter(|key| trusted.iter().any(|anchor| anchor.matches(zone, key))).collect();
    let entry: Vec<Key> =
        matching.iter().filter(|key| key.verifies(policy)).map(|&key| key.clone()).collect();
    if entry.is_empty() {
        let is_no_zone_key = matching.iter().any(|key| !key.is_zone_key());
        return Err(if is_no_zone_key { Reason::NoZoneKeyBit } else { Reason::DnskeyMissing });
    }
    let entry = ZoneKeys { zone: zone.clone(), keys: entry, set: Rdatas::empty() };
    let verified = verify(dnskey, &entry, now, policy, checks)?;
    let keys = keys.into_iter().filter(|key| key.verifies(policy)).collect();
    Ok((ZoneKeys { zone: entry.zone, keys, set: dnskey.rdata.clone() }, verified))
}

#[cfg(test)]
mod tests {
    use super::super::vectors::*;
    use super::*;
    use crate::rrset::RrType;

    const STRICT: Policy = Policy { sha1: false };

    fn dnskey_of(keys: &[&Key]) -> RrSet {
        RrSet::new(name("example."), RrType::DNSKEY, 300, keys.iter().map(|key| key.rdata.as_slice()))
    }

    fn ds(owner: &str, key: &Key, digest_type: u8) -> Ds {
        let digest = STRICT.digest(digest_type).unwrap().of(&[name(owner).as_wire(), &key.rdata]);
        Ds { tag: key.tag, algorithm: key.algorithm, digest_type, digest: digest.as_ref().to_vec() }
    }

    fn outcome(set: &RrSet, trusted: &[Anchor]) -> Result<(ZoneKeys, Verified), Reason> {
        establish(&name("example."), set, trusted, NOW, &STRICT, &budget().checks())
    }

    #[test]
    fn tags_are_those_of_the_rfcs() {
        let tags = |text: &str| -> Vec<u16> {
            let sets = sets(text);
            let set = sets.iter().find(|set| set.rtype == RrType::DNSKEY).unwrap();
            keys_of(set).iter().map(|key| key.tag).collect()
        };
        // RFC 4034 §5.4; RFC 4035 and 5155 appendix A.
        let example =
            "dskey.example.com. 86400 IN DNSKEY 256 3 5 ( AQOeiiR0GOMYkDshWoSKz9Xz fwJr1AYtsmx3TGkJaNXVbfi/
            2pHm822aJ5iI9BMzNXxeYCmZ DRD99WYwYqUSdjMmmAphXdvx egXd/M5+X7OrzKBaMbCVdFLU
            Uh6DhweJBjEVv5f2wwjM9Xzc nOf+EPbtG9DMBmADjFDc2w/r ljwvFw== )\n";
        assert_eq!(tags(example), [60485]);
        assert_eq!(tags(RFC_4035), [38519, 9465]);
        assert_eq!(tags(RFC_5155), [40430, 12708]);
        assert_eq!(key_tag(&[1, 0, 3, 1, 9, 9, 0xab, 0xcd, 0xef]), 0xabcd);
        assert_eq!((key_tag(&[1, 0, 3, 1]), key_tag(&[])), (0, 0));
        let key = &keys_of(&sets(example)[0])[0];
        let sha1 = sets("dskey.example.com. DS 60485 5 1 ( 2BB183AF5F22588179A53B0A 98631FAD1A292118 )\n");
        assert!(ds_of(&sha1[0])[0].matches(&name("DSKEY.example.com."), key));
        assert!(!ds_of(&sha1[0])[0].matches(&name("example.com."), key));
        // RFC 4509 §2.3.
        let sha256 = sets(
            "dskey.example.com. DS 60485 5 2 ( D4B7D520E7BB5F0F67674A0C CEB1E3E0614B93C4F9E99B83 83F6A1E4469DA50A )\n",
        );
        assert!(ds_of(&sha256[0])[0].matches(&name("dskey.example.com."), key));
    }

    #[test]
    fn a_matching_key_establishes_all_that_it_signed() {
        let (ksk, zsk) = (Signer::new("example.", 1, 257), Signer::new("example.", 2, 256));
        let (revoked, host) = (Signer::new("example.", 3, 257 | REVOKED), Signer::new("example.", 4, 0));
        let set = ksk.signed(&dnskey_of(&[&ksk.key, &zsk.key, &revoked.key, &host.key]));
        for digest_type in [1, 2, 4] {
            let trusted = [Anchor::Ds(ds("example.", &ksk.key, digest_type))];
            let (keys, verified) = outcome(&set, &trusted).unwrap();
            assert_eq!(keys.keys, [ksk.key.clone(), zsk.key.clone()]);
            assert_eq!((keys.zone, verified.expires_in), (name("example."), 300));
        }
        assert!(outcome(&set, &[Anchor::Dnskey(ksk.key.clone())]).is_ok());
        // A DS of the key that did not sign, and of it beside one that did.
        let other = Anchor::Ds(ds("example.", &zsk.key, 2));
        assert_eq!(outcome(&set, std::slice::from_ref(&other)).unwrap_err(), Reason::DnskeyMissing);
        assert!(outcome(&set, &[other, Anchor::Ds(ds("example.", &ksk.key, 2))]).is_ok());
    }

    #[test]
    fn each_fault_of_a_key_has_its_reason() {
        let (ksk, host) = (Signer::new("example.", 1, 257), Signer::new("example.", 4, 1));
        let set = dnskey_of(&[&ksk.key, &host.key]);
        let of = |key: &Key| [Anchor::Ds(ds("example.", key, 2))];
        assert_eq!(outcome(&set, &of(&ksk.key)).unwrap_err(), Reason::RrsigsMissing);
        let signed = ksk.signed(&set);
        let stranger = Signer::new("example.", 9, 257);
        assert_eq!(outcome(&signed, &of(&stranger.key)).unwrap_err(), Reason::DnskeyMissing);
        assert_eq!(outcome(&host.signed(&set), &of(&host.key)).unwrap_err(), Reason::NoZoneKeyBit);
        let mut rdata = ksk.key.rdata.clone();
        rdata[2] = 2;
        let old = Key::from_rdata(&rdata).unwrap();
        assert_eq!(outcome(&dnskey_of(&[&old]), &of(&old)).unwrap_err(), Reason::NoZoneKeyBit);
        let revoked = Signer::new("example.", 3, 257 | REVOKED);
        let by_revoked = revoked.signed(&dnskey_of(&[&revoked.key]));
        assert_eq!(outcome(&by_revoked, &of(&revoked.key)).unwrap_err(), Reason::DnskeyMissing);
        let mut fields = ksk.fields(&set);
        fields.expiration = NOW as u32 - 1;
        let expired = with_sigs(&set, &[ksk.rrsig(&set, &fields)]);
        assert_eq!(outcome(&expired, &of(&ksk.key)).unwrap_err(), Reason::SignatureExpired);
        let mut elsewhere = signed.clone();
        elsewhere.owner = name("other.");
        assert_eq!(outcome(&elsewhere, &of(&ksk.key)).unwrap_err(), Reason::DnskeyMissing);
        // What an operator configured and nobody supports fails closed.
        let mut unknown = ds("example.", &ksk.key, 2);
        unknown.digest_type = 3;
        assert_eq!(outcome(&signed, &[Anchor::Ds(unknown.clone())]).unwrap_err(), Reason::UnsupportedDigest);
        unknown.algorithm = 7;
        assert_eq!(outcome(&signed, &[Anchor::Ds(unknown)]).unwrap_err(), Reason::UnsupportedAlgorithm);
        assert_eq!(outcome(&signed, &[]).unwrap_err(), Reason::UnsupportedAlgorithm);
    }

    #[test]
    fn ds_records_are_chosen_by_what_is_supported() {
        let one = |tag, algorithm, digest_type| Ds { tag, algorithm, digest_type, digest: vec![7; 20] };
        let of = |records: &[Ds]| DsUse::of(records, &STRICT);
        assert_eq!(of(&[]), DsUse::NoneSupported { digest: false });
        assert_eq!(of(&[one(1, 200, 2), one(1, 7, 2)]), DsUse::NoneSupported { digest: false });
        assert_eq!(of(&[one(1, 8, 3), one(1, 200, 2)]), DsUse::NoneSupported { digest: true });
        assert_eq!(of(&[one(1, 8, 1)]), DsUse::Usable(vec![one(1, 8, 1)]));
        // A better digest displaces SHA-1, one that is not supported does not.
        assert_eq!(of(&[one(1, 8, 1), one(2, 8, 4)]), DsUse::Usable(vec![one(2, 8, 4)]));
        assert_eq!(of(&[one(1, 8, 1), one(1, 8, 3)]), DsUse::Usable(vec![one(1, 8, 1)]));
        assert_eq!(of(&[one(1, 8, 1), one(1, 200, 2)]), DsUse::Usable(vec![one(1, 8, 1)]));
        assert_eq!(DsUse::of(&[one(1, 5, 2)], &Policy { sha1: true }), DsUse::Usable(vec![one(1, 5, 2)]));
        // The choice among many does not depend on their order.
        let mut many: Vec<Ds> = (0..40).map(|tag| one(tag, 8, 2)).collect();
        let DsUse::Usable(first) = of(&many) else { panic!("not usable") };
        many.reverse();
        assert_eq!((of(&many), first.len()), (DsUse::Usable(first.clone()), DS_LOOKED_AT));
    }
}
