//! One entry as octets.
//!
//! Knows: how RRsets, aliases made from DNAMEs, denials and delegations are written, and what they
//! must be like to be believed when they are read again: names by RFC 1035 §3.1, RDATA by the layout
//! of its type, each content under the key it belongs to. Does not know: checksums, pages, files,
//! today's time. All integers are big-endian. Shown by: the tests of `cache::file`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::cache::cuts::Cut;
use crate::cache::rrsets::{Content, Entry, Key};
use crate::rrset::{Class, Rdatas, RrSet, RrType};
use crate::trust::rank::Rank;
use crate::trust::scrub::NameServer;
use crate::wire::Name;
use crate::wire::name::wire_len;
use crate::wire::reader::{Field, layout};
use tokio::time::Instant;

const END: u8 = 0;
const SET: u8 = 1;
const REWRITTEN: u8 = 2;
const NODATA: u8 = 3;
const NXDOMAIN: u8 = 4;
const CUT: u8 = 5;
/// Octets of RRSIG RDATA before the signer's name (RFC 4034 §3.1).
const RRSIG_FIXED: usize = 18;
/// TTLs are below 2^31 (RFC 2181 §8).
const MAX_TTL: u32 = i32::MAX as u32;

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// An RRset or a denial.
    Entry {
        name: Name,
        rtype: RrType,
        content: Content,
        rank: Rank,
        /// From storing to saving.
        age: Duration,
        /// Seconds from storing.
        life: u32,
    },
    /// A delegation, with what was left of its life at saving.
    Cut { zone: Name, servers: Vec<NameServer>, left: Duration },
    /// Nothing follows; so many records came before.
    End(u64),
}

/// Writes an entry as it is at `now`; `false`: it is of no kind that is kept.
pub(super) fn write_entry(key: &Key, entry: &Entry, now: Instant, out: &mut Vec<u8>) -> bool {
    let kind = match entry.content {
        Content::Set(_) => SET,
        Content::Rewritten { .. } => REWRITTEN,
        Content::NoData(_) => NODATA,
        Content::NxDomain(_) => NXDOMAIN,
    };
    out.push(kind);
    out.push(match entry.rank {
        Rank::Volunteered => 0,
        Rank::NonAuthAnswer => 1,
        Rank::AuthAnswer => 2,
    });
    write_duration(now.saturating_duration_since(entry.stored), out);
    out.extend_from_slice(&entry.life.to_be_bytes());
    match &entry.content {
        Content::Set(set) => write_set(set, out),
        Content::Rewritten { name, dname_owner, result } => {
            out.extend_from_slice(dname_owner.as_wire());
            out.extend_from_slice(name.as_wire());
            out.push(u8::from(result.is_some()));
            if let Some(result) = result {
                out.extend_from_slice(result.as_wire());
            }
        }
        Content::NoData(Some(soa)) => {
            out.extend_from_slice(&key.rtype.0.to_be_bytes());
            out.extend_from_slice(key.name.as_wire());
            write_set(soa, out);
        }
        Content::NxDomain(Some(soa)) => {
            out.extend_from_slice(key.name.as_wire());
            write_set(soa, out);
        }
        // Not to be cached at all (RFC 2308 §5).
        Content::NoData(None) | Content::NxDomain(None) => return false,
    }
    true
}

/// Writes a delegation as it is at `now`.
pub(super) fn write_cut(cut: &Cut, now: Instant, out: &mut Vec<u8>) {
    out.push(CUT);
    write_duration(cut.expires.saturating_duration_since(now), out);
    out.extend_from_slice(cut.zone.as_wire());
    write_count(cut.servers.len(), out);
    for server in &cut.servers {
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

/// Writes the last record.
pub(super) fn write_end(count: u64, out: &mut Vec<u8>) {
    out.push(END);
    out.extend_from_slice(&count.to_be_bytes());
}

fn write_duration(duration: Duration, out: &mut Vec<u8>) {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    out.extend_from_slice(&millis.to_be_bytes());
}

/// A count that does not fit makes the record longer than a page takes, or one that is not read.
fn write_count(count: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes());
}

fn write_set(set: &RrSet, out: &mut Vec<u8>) {
    out.extend_from_slice(set.owner.as_wire());
    out.extend_from_slice(&set.rtype.0.to_be_bytes());
    out.extend_from_slice(&set.ttl.to_be_bytes());
    for items in [&set.rdata, &set.sigs] {
        write_count(items.len(), out);
        for item in items.iter() {
            write_count(item.len(), out);
            out.extend_from_slice(item);
        }
    }
}

/// The record that `body` is; `None` when it is none, or what it says cannot be.
pub(super) fn read(body: &[u8]) -> Option<Record> {
    let mut from = Octets(body);
    let record = match from.u8()? {
        END => Record::End(from.u64()?),
        CUT => from.cut()?,
        kind => from.entry(kind)?,
    };
    from.0.is_empty().then_some(record)
}

/// What is not read yet.
struct Octets<'a>(&'a [u8]);

impl<'a> Octets<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(n)?;
        self.0 = tail;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[octet]| octet)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    fn duration(&mut self) -> Option<Duration> {
        self.u64().map(Duration::from_millis)
    }

    fn name(&mut self) -> Option<Name> {
        let n = wire_len(self.0)?;
        Name::from_wire(self.take(n)?).ok()
    }

    fn entry(&mut self, kind: u8) -> Option<Record> {
        let rank = match self.u8()? {
            0 => Rank::Volunteered,
            1 => Rank::NonAuthAnswer,
            2 => Rank::AuthAnswer,
            _ => return None,
        };
        let (age, life) = (self.duration()?, self.u32()?);
        let (name, rtype, content) = match kind {
            SET => {
                let set = self.set()?;
                (set.owner.clone(), set.rtype, Content::Set(set))
            }
            REWRITTEN => {
                let (dname_owner, name) = (self.name()?, self.name()?);
                let result = match self.u8()? {
                    0 => None,
                    1 => Some(self.name()?),
                    _ => return None,
                };
                if !name.is_below(&dname_owner) {
                    return None;
                }
                (name.clone(), RrType::CNAME, Content::Rewritten { name, dname_owner, result })
            }
            NODATA => {
                let rtype = self.data_type()?;
                let (name, soa) = self.denial()?;
                (name, rtype, Content::NoData(Some(soa)))
            }
            NXDOMAIN => {
                let (name, soa) = self.denial()?;
                (name, crate::cache::rrsets::ALL_TYPES, Content::NxDomain(Some(soa)))
            }
            _ => return None,
        };
        Some(Record::Entry { name, rtype, content, rank, age, life })
    }

    /// The name denied, and the SOA of a zone that it is in.
    fn denial(&mut self) -> Option<(Name, RrSet)> {
        let name = self.name()?;
        let soa = self.set()?;
        (soa.rtype == RrType::SOA && name.is_at_or_below(&soa.owner)).then_some((name, soa))
    }

    /// A type that data can have: no meta type (RFC 6895 §3.1).
    fn data_type(&mut self) -> Option<RrType> {
        let rtype = RrType(self.u16()?);
        (rtype.is_askable() && rtype != RrType::ANY).then_some(rtype)
    }

    fn set(&mut self) -> Option<RrSet> {
        let owner = self.name()?;
        let rtype = self.data_type()?;
        let ttl = self.u32().filter(|ttl| *ttl <= MAX_TTL)?;
        let (count, rdata) = self.items(|rdata| is_well_formed(rtype, rdata))?;
        // Of aliases there is one (R6).
        let alone = matches!(rtype, RrType::CNAME | RrType::DNAME);
        if count == 0 || alone && count > 1 {
            return None;
        }
        let (_, sigs) = self.items(|sig| is_signature_of(rtype, sig))?;
        Some(RrSet { owner, rtype, class: Class::IN, ttl, rdata, sigs })
    }

    fn items(&mut self, fits: impl Fn(&[u8]) -> bool) -> Option<(usize, Rdatas)> {
        let count = usize::from(self.u16()?);
        let mut items = Vec::new(); // grows with what is there, not with what is promised
        for _ in 0..count {
            let n = usize::from(self.u16()?);
            items.push(self.take(n).filter(|item| fits(item))?);
        }
        Some((count, Rdatas::new(items)))
    }

    fn cut(&mut self) -> Option<Record> {
        let left = self.duration()?;
        let zone = self.name()?;
        let count = self.u16()?;
        let mut servers = Vec::new();
        for _ in 0..count {
            let name = self.name()?;
            let (glue, hearsay) = (self.addresses()?, self.addresses()?);
            servers.push(NameServer { name, glue, hearsay });
        }
        (!servers.is_empty() && !zone.is_root()).then_some(Record::Cut { zone, servers, left })
    }

    fn addresses(&mut self) -> Option<Vec<IpAddr>> {
        let count = self.u16()?;
        let mut addresses = Vec::new();
        for _ in 0..count {
            addresses.push(match self.u8()? {
                4 => IpAddr::V4(Ipv4Addr::from(self.array::<4>()?)),
                6 => IpAddr::V6(Ipv6Addr::from(self.array::<16>()?)),
                _ => return None,
            });
        }
        Some(addresses)
    }
}

/// Is `rdata` what the type's layout says, with its names uncompressed?
fn is_well_formed(rtype: RrType, rdata: &[u8]) -> bool {
    match rtype {
        RrType::A => return rdata.len() == 4,
        RrType::AAAA => return rdata.len() == 16,
        _ => {}
    }
    let Some(layout) = layout(rtype) else { return true };
    let mut from = Octets(rdata);
    let fits = |from: &mut Octets<'_>, field: &Field| match field {
        Field::Fixed(n) => from.take(*n).is_some(),
        Field::Text => from.u8().is_some_and(|n| from.take(usize::from(n)).is_some()),
        Field::Name => from.name().is_some(),
    };
    layout.iter().all(|field| fits(&mut from, field)) && from.0.is_empty()
}

/// Is `sig` the RDATA of an RRSIG that covers `rtype` (RFC 4034 §3.1)?
fn is_signature_of(rtype: RrType, sig: &[u8]) -> bool {
    let mut from = Octets(sig);
    from.u16() == Some(rtype.0) && from.take(RRSIG_FIXED - 2).is_some() && from.name().is_some()
}
