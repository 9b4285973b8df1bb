//! An entry in one block of octets.
//!
//! Knows: how RRsets, aliases made from DNAMEs, denials and the servers of delegations are written and
//! read. Does not know: where the octets lie: `rrsets` and `cuts` have them in memory, where an entry takes
//! half of what it would with a block for each name and each RDATA; `file` has them on disk, and does not
//! believe all that can be read. All integers are big-endian. Shown by: the tests of `cache::file`, every
//! scenario.
//!
//! ```text
//! in memory  stored: 8  life: 4  rank and security: 1  content  proof: sets
//! content    kind: 1  name  type: 2  then
//!            an RRset   ttl: 4  RDATA  RRSIGs       each a count, then length: 2 and octets of each
//!            rewritten  the DNAME's owner  1 and the result, or 0
//!            a denial   the SOA: name  type: 2  ttl: 4  RDATA  RRSIGs
//! servers    count, then of each: name  glue  hearsay
//! glue, hearsay  count, then of each address: 4 or 6 and its octets
//! count      1 octet, or 255 and 2 octets
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::entry::{Content, Entry, Key, Terms};
use crate::rrset::{Class, Rdatas, RrSet, RrType};
use crate::security::{Reason, Security};
use crate::trust::rank::Rank;
use crate::trust::scrub::{NameServer, Proof};
use crate::wire::Name;
use crate::wire::name::wire_len;

const SET: u8 = 1;
const REWRITTEN: u8 = 2;
const NODATA: u8 = 3;
const NXDOMAIN: u8 = 4;
/// Codes of verdicts; a bogus one adds its reason.
const UNCHECKED: u8 = 0;
const INSECURE: u8 = 1;
const SECURE: u8 = 2;
const BOGUS: u8 = 3;
/// Octets before the content.
const HEAD: usize = 8 + 4 + 1;
/// Ranks that the octet for rank and security tells apart.
const RANKS: u8 = 3;
/// Set in that octet: an alias that the zone above gave.
pub(super) const OF_PARENT: u8 = 0x80;
/// Says that the count is in the next two octets.
const LONG_COUNT: u8 = u8::MAX;

/// An entry and whose it is. Cloning is cheap (one reference count).
#[derive(Clone, Debug)]
pub(super) struct Packed(pub(super) Arc<[u8]>);

impl Packed {
    /// Times are kept as nanoseconds from `base`. `None`: a denial without SOA, which is not to be
    /// cached (RFC 2308 §5).
    pub(super) fn pack(key: &Key, entry: &Entry, base: Instant) -> Option<Packed> {
        let Entry { content, proof, terms } = entry;
        let mut out = Vec::with_capacity(256);
        write_instant(terms.stored, base, &mut out);
        out.extend_from_slice(&terms.life.to_be_bytes());
        let security = match terms.security {
            Security::Unchecked => UNCHECKED,
            Security::Insecure => INSECURE,
            Security::Secure => SECURE,
            Security::Bogus(reason) => BOGUS + reason as u8,
        };
        let parent = if terms.of_parent { OF_PARENT } else { 0 };
        out.push((security * RANKS + rank_code(terms.rank)) | parent);
        if !write_content(key, content, &mut out) {
            return None;
        }
        for set in proof.iter() {
            write_set(set, &mut out);
        }
        Some(Packed(Arc::from(out)))
    }

    /// Whose it is, and what it was. `None` never happens to what was packed.
    pub(super) fn unpack(&self, base: Instant) -> Option<(Key, Entry)> {
        let terms = self.terms(base)?;
        let mut from = Octets(self.0.get(HEAD..)?);
        let (key, content) = from.content()?;
        let mut proof = Vec::new();
        while !from.is_empty() {
            proof.push(from.set()?);
        }
        Some((key, Entry { content, proof: Proof::from(proof), terms }))
    }

    /// On which terms it is held.
    pub(super) fn terms(&self, base: Instant) -> Option<Terms> {
        let mut from = Octets(&self.0);
        let stored = from.instant(base)?;
        let (life, code) = (from.u32()?, from.u8()?);
        let (code, of_parent) = (code & !OF_PARENT, code & OF_PARENT != 0);
        let rank = rank_of(code % RANKS)?;
        let security = match code / RANKS {
            UNCHECKED => Security::Unchecked,
            INSECURE => Security::Insecure,
            SECURE => Security::Secure,
            bogus => Security::Bogus(*Reason::ALL.get(usize::from(bogus - BOGUS))?),
        };
        Some(Terms { security, rank, stored, life, of_parent })
    }

    /// Is this the entry of `name` and `rtype`?
    pub(super) fn belongs_to(&self, name: &Name, rtype: RrType) -> bool {
        let Some((whose, rest)) = self.0.get(HEAD + 1..).and_then(|rest| rest.split_at_checked(name.len()))
        else {
            return false;
        };
        whose.eq_ignore_ascii_case(name.as_wire()) && rest.first_chunk() == Some(&rtype.0.to_be_bytes())
    }
}

/// Writes a time as nanoseconds from `base`.
pub(super) fn write_instant(instant: Instant, base: Instant, out: &mut Vec<u8>) {
    let nanos = |duration: Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
    let apart = match instant.checked_duration_since(base) {
        Some(after) => nanos(after),
        None => -nanos(base.saturating_duration_since(instant)),
    };
    out.extend_from_slice(&apart.to_be_bytes());
}

pub(super) fn rank_code(rank: Rank) -> u8 {
    match rank {
        Rank::Volunteered => 0,
        Rank::NonAuthAnswer => 1,
        Rank::AuthAnswer => 2,
    }
}

pub(super) fn rank_of(code: u8) -> Option<Rank> {
    Some(match code {
        0 => Rank::Volunteered,
        1 => Rank::NonAuthAnswer,
        2 => Rank::AuthAnswer,
        _ => return None,
    })
}

/// Writes whose it is and what; `false`: a denial without SOA.
pub(super) fn write_content(key: &Key, content: &Content, out: &mut Vec<u8>) -> bool {
    let kind = match content {
        Content::Set(_) => SET,
        Content::Rewritten { .. } => REWRITTEN,
        Content::NoData(Some(_)) => NODATA,
        Content::NxDomain(Some(_)) => NXDOMAIN,
        Content::NoData(None) | Content::NxDomain(None) => return false,
    };
    out.push(kind);
    match content {
        Content::Set(set) => write_set(set, out),
        Content::Rewritten { name, dname_owner, result } => {
            write_owner(name, RrType::CNAME, out);
            out.extend_from_slice(dname_owner.as_wire());
            out.push(u8::from(result.is_some()));
            out.extend_from_slice(result.as_ref().map(Name::as_wire).unwrap_or_default());
        }
        Content::NoData(soa) | Content::NxDomain(soa) => {
            write_owner(&key.name, key.rtype, out);
            if let Some(soa) = soa {
                write_set(soa, out);
            }
        }
    }
    true
}

fn write_owner(name: &Name, rtype: RrType, out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_wire());
    out.extend_from_slice(&rtype.0.to_be_bytes());
}

/// Mostly one octet. A count that does not fit makes the block longer than a page takes, or one that is
/// not read: no message holds so many records.
fn write_count(count: usize, out: &mut Vec<u8>) {
    match u8::try_from(count) {
        Ok(short) if short != LONG_COUNT => out.push(short),
        _ => {
            out.push(LONG_COUNT);
            out.extend_from_slice(&u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes());
        }
    }
}

/// Writes the servers of a delegation.
pub(super) fn write_servers(servers: &[NameServer], out: &mut Vec<u8>) {
    write_count(servers.len(), out);
    for server in servers {
        out.extend_from_slice(server.name.as_wire());
        for addresses in [&server.glue, &server.hearsay] {
            write_count(addresses.len(), out);
            for address in addresses {
                match address {
                    IpAddr::V4(v4) => {
                        out.push(4);
                        out.extend_from_slice(&v4.octets());
                    }
                    IpAddr::V6(v6) => {
                        out.push(6);
                        out.extend_from_slice(&v6.octets());
                    }
                }
            }
        }
    }
}

fn write_set(set: &RrSet, out: &mut Vec<u8>) {
    write_owner(&set.owner, set.rtype, out);
    out.extend_from_slice(&set.ttl.to_be_bytes());
    for items in [&set.rdata, &set.sigs] {
        write_count(items.len(), out);
        out.extend_from_slice(items.as_block());
    }
}

/// What is not read yet.
pub(super) struct Octets<'a>(pub(super) &'a [u8]);

impl<'a> Octets<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(n)?;
        self.0 = tail;
        Some(head)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[octet]| octet)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn name(&mut self) -> Option<Name> {
        self.name_octets().map(Name::from_checked)
    }

    /// Octets of a name.
    pub(super) fn name_octets(&mut self) -> Option<&'a [u8]> {
        self.take(wire_len(self.0)?)
    }

    /// Whose it is, and what.
    pub(super) fn content(&mut self) -> Option<(Key, Content)> {
        let kind = self.u8()?;
        if kind == SET {
            let set = self.set()?;
            return Some((Key::new(&set.owner, set.rtype), Content::Set(set)));
        }
        let (name, rtype) = (self.name()?, RrType(self.u16()?));
        let key = Key::new(&name, rtype);
        let content = match kind {
            REWRITTEN => {
                let dname_owner = self.name()?;
                let result = match self.u8()? {
                    0 => None,
                    1 => Some(self.name()?),
                    _ => return None,
                };
                Content::Rewritten { name, dname_owner, result }
            }
            NODATA => Content::NoData(Some(self.set()?)),
            NXDOMAIN => Content::NxDomain(Some(self.set()?)),
            _ => return None,
        };
        Some((key, content))
    }

    fn set(&mut self) -> Option<RrSet> {
        let (owner, rtype) = (self.name()?, RrType(self.u16()?));
        let (ttl, rdata, sigs) = (self.u32()?, self.items()?, self.items()?);
        Some(RrSet { owner, rtype, class: Class::IN, ttl, rdata, sigs })
    }

    /// A time that was written from the same `base`.
    pub(super) fn instant(&mut self, base: Instant) -> Option<Instant> {
        let nanos = self.u64()?.cast_signed();
        let apart = Duration::from_nanos(nanos.unsigned_abs());
        if nanos < 0 { base.checked_sub(apart) } else { base.checked_add(apart) }
    }

    /// The servers of a delegation.
    pub(super) fn servers(&mut self) -> Option<Vec<NameServer>> {
        let mut servers = Vec::new(); // grows with what is there, not with what is promised
        for _ in 0..self.count()? {
            let name = self.name()?;
            let (glue, hearsay) = (self.addresses()?, self.addresses()?);
            servers.push(NameServer { name, glue, hearsay });
        }
        Some(servers)
    }

    fn addresses(&mut self) -> Option<Vec<IpAddr>> {
        let mut addresses = Vec::new();
        for _ in 0..self.count()? {
            addresses.push(match self.u8()? {
                4 => IpAddr::V4(Ipv4Addr::from(self.array::<4>()?)),
                6 => IpAddr::V6(Ipv6Addr::from(self.array::<16>()?)),
                _ => return None,
            });
        }
        Some(addresses)
    }

    fn count(&mut self) -> Option<u16> {
        match self.u8()? {
            LONG_COUNT => self.u16(),
            short => Some(u16::from(short)),
        }
    }

    fn items(&mut self) -> Option<Rdatas> {
        let count = self.count()?;
        let all = self.0;
        for _ in 0..count {
            let n = self.u16()?;
            self.take(usize::from(n))?;
        }
        all.get(..all.len() - self.0.len()).map(Rdatas::from_block)
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::ALL_TYPES;
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn entries() -> Vec<(Key, Content)> {
        let signed = |owner: &str, rtype, rdata: &[&[u8]]| {
            let set = RrSet::new(name(owner), rtype, 3_600, rdata.iter().copied());
            RrSet { sigs: Rdatas::new([&b"first"[..], b"", b"third"]), ..set }
        };
        let soa = RrSet::new(name("Example."), RrType::SOA, 300, [&b"any octets"[..]]);
        let (dname_owner, result) = (name("example."), Some(name("x.other.")));
        let rewritten = |result| Content::Rewritten {
            name: name("x.example."),
            dname_owner: dname_owner.clone(),
            result,
        };
        vec![
            (
                Key::new(&name("A.example."), RrType::A),
                Content::Set(signed("A.example.", RrType::A, &[b"1234", b"5678"])),
            ),
            (Key::new(&name("."), RrType(65_280)), Content::Set(signed(".", RrType(65_280), &[b""]))),
            (Key::new(&name("x.example."), RrType::CNAME), rewritten(result)),
            (Key::new(&name("x.example."), RrType::CNAME), rewritten(None)),
            (Key::new(&name("none.example."), RrType::AAAA), Content::NoData(Some(soa.clone()))),
            (Key::new(&name("gone.example."), ALL_TYPES), Content::NxDomain(Some(soa))),
        ]
    }

    #[test]
    fn what_is_packed_comes_out_again() {
        let base = Instant::now() + Duration::from_secs(1_000);
        let securities = [Security::Unchecked, Security::Insecure, Security::Secure]
            .into_iter()
            .chain(Reason::ALL.map(Security::Bogus));
        let nsec = RrSet::new(name("n.example."), RrType::NSEC, 60, [&b"what follows"[..]]);
        for (i, security) in securities.enumerate() {
            for (key, content) in entries() {
                let rank = [Rank::Volunteered, Rank::NonAuthAnswer, Rank::AuthAnswer][i % 3];
                let stored = if i % 2 == 0 { base + Duration::new(7, 1) } else { base - Duration::new(7, 1) };
                let terms = Terms {
                    security: security.clone(),
                    rank,
                    stored,
                    life: u32::MAX - 1,
                    of_parent: i % 2 == 0,
                };
                let proof = Proof::from(vec![nsec.clone(); i % 3]);
                let entry = Entry { content, proof, terms };
                let packed = Packed::pack(&key, &entry, base).unwrap();
                let (whose, out) = packed.unpack(base).unwrap();
                assert_eq!((&whose, &out.content), (&key, &entry.content));
                assert_eq!((&out.proof, &out.terms), (&entry.proof, &entry.terms));
                assert_eq!(packed.terms(base), Some(entry.terms));
                let shouted = name(&key.name.to_string().to_ascii_uppercase());
                assert!(packed.belongs_to(&shouted, key.rtype));
                assert!(!packed.belongs_to(&key.name, RrType::TXT));
                assert!(!packed.belongs_to(&name("other.example."), key.rtype));
            }
        }
    }

    #[test]
    fn any_number_of_records_comes_out_again() {
        for count in [1, 254, 255, 256, 5_000] {
            let set = RrSet::new(name("x."), RrType::A, 60, vec![&b"1234"[..]; count]);
            let mut out = Vec::new();
            assert!(write_content(&Key::new(&set.owner, set.rtype), &Content::Set(set.clone()), &mut out));
            let mut from = Octets(&out);
            assert_eq!(from.content().unwrap().1, Content::Set(set));
            assert!(from.is_empty());
        }
    }

    #[test]
    fn a_denial_without_soa_is_not_packed() {
        let now = Instant::now();
        let terms = Terms {
            security: Security::Unchecked,
            rank: Rank::AuthAnswer,
            stored: now,
            life: 60,
            of_parent: false,
        };
        let entry = Entry { content: Content::NoData(None), proof: Proof::default(), terms };
        assert!(Packed::pack(&Key::new(&name("x."), RrType::A), &entry, now).is_none());
    }
}
