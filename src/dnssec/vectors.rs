//! Signed zones for tests: `tests/dnssec/*.zone`, and RRsets signed on the spot.

use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use tokio::time::Instant;

use super::key::{Key, ZoneKeys};
use crate::budget::Budget;
use crate::master;
use crate::rrset::{Rdatas, RrSet, RrType};
use crate::wire::Name;

pub(super) const RFC_KEYS: &str = include_str!("../../tests/dnssec/rfc5702_6605_8080.zone");
pub(super) const RFC_4035: &str = include_str!("../../tests/dnssec/rfc4035.zone");
pub(super) const RFC_5155: &str = include_str!("../../tests/dnssec/rfc5155.zone");
pub(super) const GENERATED: &str = include_str!("../../tests/dnssec/generated.zone");

/// 2026-01-01, within the time of the generated signatures.
pub(super) const NOW: u64 = 1_767_225_600;

pub(super) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(super) fn budget() -> Budget {
    Budget::new(Instant::now(), Duration::from_secs(5), 100)
}

/// The RRsets of a master file with their signatures.
pub(super) fn sets(text: &str) -> Vec<RrSet> {
    let records = master::parse(text, &Name::root(), "vectors").unwrap();
    let mut sets: Vec<RrSet> = Vec::new();
    for (at, record) in records.iter().enumerate().filter(|(_, r)| r.rtype != RrType::RRSIG) {
        let same = |r: &master::MasterRecord| r.owner == record.owner && r.rtype == record.rtype;
        if records[..at].iter().any(same) {
            continue;
        }
        let all = records.iter().filter(|r| same(r)).map(|r| r.rdata.as_slice());
        let mut set = RrSet::new(record.owner.clone(), record.rtype, record.ttl, all);
        let covers = |r: &&master::MasterRecord| {
            r.rtype == RrType::RRSIG
                && r.owner == record.owner
                && r.rdata[..2] == record.rtype.0.to_be_bytes()
        };
        set.sigs = Rdatas::new(records.iter().filter(covers).map(|r| r.rdata.as_slice()));
        sets.push(set);
    }
    sets
}

/// The zones of a file that puts `;;; NAME` before each.
pub(super) fn zones(text: &str) -> Vec<(&str, Vec<RrSet>)> {
    let parts = text.split("\n;;; ").skip(1);
    parts.map(|part| part.split_once('\n').unwrap()).map(|(name, zone)| (name, sets(zone))).collect()
}

pub(super) fn find<'s>(sets: &'s [RrSet], owner: &str, rtype: RrType) -> &'s RrSet {
    sets.iter().find(|set| set.owner == name(owner) && set.rtype == rtype).unwrap()
}

/// An Ed25519 key made from one octet, and what it signs.
pub(super) struct Signer {
    pair: Ed25519KeyPair,
    pub(super) key: Key,
    pub(super) zone: Name,
}

/// The fields of an RRSIG that tests vary.
#[derive(Clone)]
pub(super) struct Fields {
    pub(super) covered: RrType,
    pub(super) algorithm: u8,
    pub(super) labels: u8,
    pub(super) ttl: u32,
    pub(super) expiration: u32,
    pub(super) inception: u32,
    pub(super) tag: u16,
    pub(super) signer: Name,
}

impl Signer {
    pub(super) fn new(zone: &str, seed: u8, flags: u16) -> Signer {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let mut rdata = flags.to_be_bytes().to_vec();
        rdata.extend_from_slice(&[3, 15]);
        rdata.extend_from_slice(pair.public_key().as_ref());
        Signer { pair, key: Key::from_rdata(&rdata).unwrap(), zone: name(zone) }
    }

    pub(super) fn keys(&self) -> ZoneKeys {
        ZoneKeys { zone: self.zone.clone(), keys: vec![self.key.clone()], set: Rdatas::empty() }
    }

    /// What an honest signature of `set` says, valid an hour before and after [`NOW`].
    pub(super) fn fields(&self, set: &RrSet) -> Fields {
        Fields {
            covered: set.rtype,
            algorithm: 15,
            labels: (set.owner.label_count() - usize::from(set.owner.is_wildcard())) as u8,
            ttl: set.ttl,
            expiration: NOW as u32 + 3_600,
            inception: NOW as u32 - 3_600,
            tag: self.key.tag,
            signer: self.zone.clone(),
        }
    }

    /// RRSIG RDATA; the owner is in lower case and RDATA has no names.
    pub(super) fn rrsig(&self, set: &RrSet, fields: &Fields) -> Vec<u8> {
        let mut head = fields.covered.0.to_be_bytes().to_vec();
        head.extend_from_slice(&[fields.algorithm, fields.labels]);
        for long in [fields.ttl, fields.expiration, fields.inception] {
            head.extend_from_slice(&long.to_be_bytes());
        }
        head.extend_from_slice(&fields.tag.to_be_bytes());
        head.extend_from_slice(fields.signer.as_wire());
        let mut message = head.clone();
        let mut sorted: Vec<&[u8]> = set.rdata.iter().collect();
        sorted.sort_unstable();
        for rdata in sorted {
            message.extend_from_slice(set.owner.as_wire());
            message.extend_from_slice(&set.rtype.0.to_be_bytes());
            message.extend_from_slice(&[0, 1]);
            message.extend_from_slice(&fields.ttl.to_be_bytes());
            message.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
            message.extend_from_slice(rdata);
        }
        head.extend_from_slice(self.pair.sign(&message).as_ref());
        head
    }

    /// `set` with an honest signature.
    pub(super) fn signed(&self, set: &RrSet) -> RrSet {
        with_sigs(set, &[self.rrsig(set, &self.fields(set))])
    }
}

pub(super) fn with_sigs(set: &RrSet, sigs: &[Vec<u8>]) -> RrSet {
    let mut set = set.clone();
    set.sigs = Rdatas::new(sigs.iter().map(Vec::as_slice));
    set
}

pub(super) fn one_a(owner: &str) -> RrSet {
    RrSet::new(name(owner), RrType::A, 300, [&[192, 0, 2, 1][..]])
}
