//! One entry as octets.
//!
//! Knows: how entries and delegations are written with their age, and what they must be like to be
//! believed when they are read again: RDATA by the layout of its type, each content under the key it
//! belongs to. Does not know: what an entry looks like (`packed`), checksums, pages, files, today's
//! time. All integers are big-endian. Shown by: the tests of `cache::file`.

use std::time::Duration;

use crate::cache::cuts::Cut;
use crate::cache::entry::{ALL_TYPES, Content, Entry, Key};
use crate::cache::packed::{OF_PARENT, Octets, rank_code, rank_of, write_content, write_servers};
use crate::rrset::{RrSet, RrType};
use crate::trust::rank::Rank;
use crate::trust::scrub::NameServer;
use crate::wire::Name;
use crate::wire::reader::{Field, layout};
use tokio::time::Instant;

const END: u8 = 0;
const ENTRY: u8 = 1;
const CUT: u8 = 2;
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
        /// An alias that the zone above gave.
        of_parent: bool,
    },
    /// A delegation, with what was left of its life at saving.
    Cut { zone: Name, servers: Vec<NameServer>, left: Duration },
    /// Nothing follows; so many records came before.
    End(u64),
}

/// Writes an entry as it is at `now`; `false`: it is of no kind that is kept.
pub(super) fn write_entry(key: &Key, entry: &Entry, now: Instant, out: &mut Vec<u8>) -> bool {
    out.push(ENTRY);
    let parent = if entry.terms.of_parent { OF_PARENT } else { 0 };
    out.push(rank_code(entry.terms.rank) | parent);
    write_duration(now.saturating_duration_since(entry.terms.stored), out);
    out.extend_from_slice(&entry.terms.life.to_be_bytes());
    write_content(key, &entry.content, out)
}

/// Writes a delegation as it is at `now`.
pub(super) fn write_cut(cut: &Cut, now: Instant, out: &mut Vec<u8>) {
    out.push(CUT);
    write_duration(cut.expires.saturating_duration_since(now), out);
    out.extend_from_slice(cut.zone.as_wire());
    write_servers(&cut.servers, out);
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

/// The record that `body` is; `None` when it is none, or what it says cannot be.
pub(super) fn read(body: &[u8]) -> Option<Record> {
    let mut from = Octets(body);
    let record = match from.u8()? {
        END => Record::End(from.u64()?),
        CUT => read_cut(&mut from)?,
        ENTRY => read_entry(&mut from)?,
        _ => return None,
    };
    from.is_empty().then_some(record)
}

fn read_duration(from: &mut Octets<'_>) -> Option<Duration> {
    from.u64().map(Duration::from_millis)
}

fn read_entry(from: &mut Octets<'_>) -> Option<Record> {
    let code = from.u8()?;
    let (rank, of_parent) = (rank_of(code & !OF_PARENT)?, code & OF_PARENT != 0);
    let (age, life) = (read_duration(from)?, from.u32()?);
    let (key, content) = from.content().filter(|(key, content)| can_be(key, content))?;
    Some(Record::Entry { name: key.name, rtype: key.rtype, content, rank, age, life, of_parent })
}

fn read_cut(from: &mut Octets<'_>) -> Option<Record> {
    let (left, zone, servers) = (read_duration(from)?, from.name()?, from.servers()?);
    (!servers.is_empty() && !zone.is_root()).then_some(Record::Cut { zone, servers, left })
}

/// Can this be what somebody has learned?
fn can_be(key: &Key, content: &Content) -> bool {
    match content {
        Content::Set(set) => is_sound(set),
        Content::Rewritten { name, dname_owner, .. } => {
            key.rtype == RrType::CNAME && name.is_below(dname_owner)
        }
        Content::NoData(soa) => is_data(key.rtype) && denies(soa.as_ref(), &key.name),
        Content::NxDomain(soa) => key.rtype == ALL_TYPES && denies(soa.as_ref(), &key.name),
    }
}

/// Is this the SOA of a zone that `name` is in?
fn denies(soa: Option<&RrSet>, name: &Name) -> bool {
    soa.is_some_and(|soa| soa.rtype == RrType::SOA && name.is_at_or_below(&soa.owner) && is_sound(soa))
}

fn is_sound(set: &RrSet) -> bool {
    // Of aliases there is one (R6).
    let alone = matches!(set.rtype, RrType::CNAME | RrType::DNAME);
    is_data(set.rtype)
        && set.ttl <= MAX_TTL
        && !set.rdata.is_empty()
        && !(alone && set.rdata.len() > 1)
        && set.rdata.iter().all(|rdata| is_well_formed(set.rtype, rdata))
        && set.sigs.iter().all(|sig| is_signature_of(set.rtype, sig))
}

/// A type that data can have: no meta type (RFC 6895 §3.1).
fn is_data(rtype: RrType) -> bool {
    rtype.is_askable() && rtype != RrType::ANY
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
        Field::Name => from.name_octets().is_some(),
    };
    layout.iter().all(|field| fits(&mut from, field)) && from.is_empty()
}

/// Is `sig` the RDATA of an RRSIG that covers `rtype` (RFC 4034 §3.1)?
fn is_signature_of(rtype: RrType, sig: &[u8]) -> bool {
    let mut from = Octets(sig);
    from.u16() == Some(rtype.0) && from.take(RRSIG_FIXED - 2).is_some() && from.name_octets().is_some()
}
