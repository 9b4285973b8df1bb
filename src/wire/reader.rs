//! Reading a message: bounded, without copying, and without losing all for one odd record.
//!
//! Knows: RFC 1035 §4, RFC 6891 §6, RFC 3597 §4 (which RDATA holds compressible names), the work
//! caps of [`super::limits`]. A message whose frame is broken (a record that leaves the packet) is
//! an error; a record that is odd in itself (A of five octets, a name that points nowhere) is left
//! out when it is asked for. Does not know: whether a record may be believed. Shown by:
//! `tests/wire.rs`.

use std::cell::Cell;
use std::fmt;

use super::limits;
use super::name::{MAX_LABEL, MAX_NAME, Name};
use crate::rrset::{Class, Question, RrType};

/// The fixed twelve octets (RFC 1035 §4.1.1, flags of RFC 4035 §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct Header {
    pub id: u16,
    /// The second 16 bits as they stand.
    pub flags: u16,
    pub qdcount: u16,
    pub ancount: u16,
    pub nscount: u16,
    pub arcount: u16,
}

#[allow(missing_docs)]
impl Header {
    pub const QR: u16 = 0x8000;
    pub const AA: u16 = 0x0400;
    pub const TC: u16 = 0x0200;
    pub const RD: u16 = 0x0100;
    pub const RA: u16 = 0x0080;
    pub const AD: u16 = 0x0020;
    pub const CD: u16 = 0x0010;
    pub const OCTETS: usize = 12;

    /// The header of `bytes`; `None` for a runt.
    pub fn read(bytes: &[u8]) -> Option<Header> {
        let word = |i: usize| bytes.get(2 * i..2 * i + 2).map(|b| u16::from_be_bytes([b[0], b[1]]));
        Some(Header {
            id: word(0)?,
            flags: word(1)?,
            qdcount: word(2)?,
            ancount: word(3)?,
            nscount: word(4)?,
            arcount: word(5)?,
        })
    }

    pub fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }
    pub fn opcode(&self) -> u8 {
        (self.flags >> 11 & 0xf) as u8
    }
    /// The low four bits; EDNS extends them ([`Message::rcode`]).
    pub fn rcode(&self) -> u8 {
        (self.flags & 0xf) as u8
    }
}

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Section {
    Answer,
    Authority,
    Additional,
}

/// Why a packet is not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// Under twelve octets.
    Runt,
    /// The counts promise more than there is.
    Truncated,
    /// A name in the frame that is not one.
    Name,
    /// More than one question (RFC 9619).
    Questions,
    /// More than one OPT, one elsewhere than at the root in the additional section (RFC 6891
    /// §6.1.1), or one whose RDATA is not a sequence of options (RFC 6891 §6.1.2).
    Edns,
    /// Over [`limits::RECORDS`].
    TooManyRecords,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ReadError::Runt => "shorter than a header",
            ReadError::Truncated => "ends before what its counts promise",
            ReadError::Name => "a name is malformed",
            ReadError::Questions => "more than one question",
            ReadError::Edns => "malformed EDNS",
            ReadError::TooManyRecords => "too many records",
        })
    }
}
impl std::error::Error for ReadError {}

/// The OPT pseudo-record (RFC 6891 §6.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edns {
    /// The sender's UDP payload size, as sent.
    pub udp_size: u16,
    /// Upper eight bits of the RCODE.
    pub extended_rcode: u8,
    /// 0, or a version that nobody has defined.
    pub version: u8,
    /// DNSSEC OK (RFC 3225).
    pub dnssec_ok: bool,
    /// Code and octets of each option, the first [`limits::OPTIONS`]. Octets that are no option
    /// make the message [`ReadError::Edns`] (RFC 6891 §7: FORMERR).
    pub options: Vec<(u16, Vec<u8>)>,
}

impl Edns {
    /// The first option of this code.
    pub fn option(&self, code: u16) -> Option<&[u8]> {
        self.options.iter().find(|(c, _)| *c == code).map(|(_, v)| v.as_slice())
    }
}

#[derive(Clone, Copy)]
struct Index {
    section: Section,
    owner_at: usize,
    rtype: RrType,
    class: Class,
    ttl: u32,
    rdata_at: usize,
    rdata_len: usize,
}

/// A message whose frame has been checked; names are expanded when they are asked for.
pub struct Message<'a> {
    bytes: &'a [u8],
    header: Header,
    question: Option<Question>,
    records: Vec<Index>,
    edns: Option<Edns>,
    work: Work,
}

/// What is left of the caps of one message.
struct Work {
    pointers: Cell<usize>,
    octets: Cell<usize>,
}

impl Work {
    /// Takes from both; `false` when one does not suffice, after which nothing is left.
    fn spend(&self, pointers: usize, octets: usize) -> bool {
        let left = (self.pointers.get().checked_sub(pointers), self.octets.get().checked_sub(octets));
        let (pointers, octets) = if let (Some(p), Some(o)) = left { (p, o) } else { (0, 0) };
        self.pointers.set(pointers);
        self.octets.set(octets);
        left.0.is_some() && left.1.is_some()
    }

    fn is_spent(&self) -> bool {
        self.octets.get() == 0
    }
}

/// One record of a message.
#[derive(Clone, Copy)]
pub struct Record<'m> {
    message: &'m Message<'m>,
    index: &'m Index,
}

impl<'a> Message<'a> {
    /// Checks the frame of `bytes`.
    pub fn parse(bytes: &'a [u8]) -> Result<Message<'a>, ReadError> {
        let header = Header::read(bytes).ok_or(ReadError::Runt)?;
        let work = Work {
            pointers: Cell::new(limits::POINTERS_PER_MESSAGE),
            octets: Cell::new(limits::EXPANDED_OCTETS),
        };
        let mut message = Message { bytes, header, question: None, records: Vec::new(), edns: None, work };
        let mut at = Header::OCTETS;
        if header.qdcount > 1 {
            return Err(ReadError::Questions);
        }
        if header.qdcount == 1 {
            at = message.read_question(at)?;
        }
        message.index_records(at)?;
        message.find_edns()?;
        Ok(message)
    }

    fn read_question(&mut self, at: usize) -> Result<usize, ReadError> {
        let name = self.name_at(at).ok_or(ReadError::Name)?;
        let end = skip_name(self.bytes, at).ok_or(ReadError::Name)?;
        let (rtype, class) = (self.u16_at(end)?, self.u16_at(end + 2)?);
        self.question = Some(Question { name, rtype: RrType(rtype), class: Class(class) });
        Ok(end + 4)
    }

    fn index_records(&mut self, mut at: usize) -> Result<(), ReadError> {
        let h = self.header;
        let sections =
            [(Section::Answer, h.ancount), (Section::Authority, h.nscount), (Section::Additional, h.arcount)];
        let promised: usize = sections.iter().map(|(_, n)| usize::from(*n)).sum();
        // A record takes at least eleven octets: a count that cannot be true allocates nothing.
        if promised > self.bytes.len().saturating_sub(at) / 11 {
            return Err(ReadError::Truncated);
        }
        if promised > limits::RECORDS {
            return Err(ReadError::TooManyRecords);
        }
        self.records.reserve_exact(promised);
        for (section, count) in sections {
            for _ in 0..count {
                let owner_at = at;
                at = skip_name(self.bytes, at).ok_or(ReadError::Truncated)?;
                let ttl = u32::from(self.u16_at(at + 4)?) << 16 | u32::from(self.u16_at(at + 6)?);
                let index = Index {
                    section,
                    owner_at,
                    rtype: RrType(self.u16_at(at)?),
                    class: Class(self.u16_at(at + 2)?),
                    ttl,
                    rdata_at: at + 10,
                    rdata_len: usize::from(self.u16_at(at + 8)?),
                };
                at = index.rdata_at + index.rdata_len;
                if at > self.bytes.len() {
                    return Err(ReadError::Truncated);
                }
                self.records.push(index);
            }
        }
        Ok(())
    }

    fn find_edns(&mut self) -> Result<(), ReadError> {
        let mut found = None;
        for r in self.records.iter().filter(|r| r.rtype == RrType::OPT) {
            if found.is_some() || self.bytes.get(r.owner_at) != Some(&0) || r.section != Section::Additional {
                return Err(ReadError::Edns);
            }
            found = Some(*r);
        }
        let Some(r) = found else { return Ok(()) };
        let mut options = Vec::new();
        let mut rest = self.bytes.get(r.rdata_at..r.rdata_at + r.rdata_len).unwrap_or_default();
        while let Some((head, tail)) = rest.split_first_chunk::<4>() {
            let n = usize::from(u16::from_be_bytes([head[2], head[3]]));
            let Some(value) = tail.get(..n) else { return Err(ReadError::Edns) };
            if options.len() == limits::OPTIONS {
                break;
            }
            options.push((u16::from_be_bytes([head[0], head[1]]), value.to_vec()));
            rest = &tail[n..];
        }
        if !rest.is_empty() && options.len() < limits::OPTIONS {
            return Err(ReadError::Edns);
        }
        self.edns = Some(Edns {
            udp_size: r.class.0,
            extended_rcode: (r.ttl >> 24) as u8,
            version: (r.ttl >> 16) as u8,
            dnssec_ok: r.ttl & 0x8000 != 0,
            options,
        });
        Ok(())
    }

    fn u16_at(&self, at: usize) -> Result<u16, ReadError> {
        match self.bytes.get(at..at + 2) {
            Some(b) => Ok(u16::from_be_bytes([b[0], b[1]])),
            None => Err(ReadError::Truncated),
        }
    }

    /// The header as sent.
    pub fn header(&self) -> Header {
        self.header
    }

    /// The question, if there is one.
    pub fn question(&self) -> Option<&Question> {
        self.question.as_ref()
    }

    /// EDNS, if the sender speaks it.
    pub fn edns(&self) -> Option<&Edns> {
        self.edns.as_ref()
    }

    /// The RCODE with EDNS's upper bits (RFC 6891 §6.1.3).
    pub fn rcode(&self) -> u16 {
        let upper = self.edns.as_ref().map_or(0, |e| e.extended_rcode);
        u16::from(upper) << 4 | u16::from(self.header.rcode())
    }

    /// Are the work caps used up, so that what was read may be incomplete?
    pub fn is_exhausted(&self) -> bool {
        self.work.is_spent()
    }

    /// Octets of the packet.
    pub fn octets(&self) -> usize {
        self.bytes.len()
    }

    /// The records of one section, OPT left out.
    pub fn section(&self, section: Section) -> impl Iterator<Item = Record<'_>> {
        self.records
            .iter()
            .filter(move |r| r.section == section && r.rtype != RrType::OPT)
            .map(move |index| Record { message: self, index })
    }

    /// The name at an offset; `None` when it is malformed or the caps are spent.
    fn name_at(&self, at: usize) -> Option<Name> {
        let mut wire = [0u8; MAX_NAME];
        let n = self.expand(at, &mut wire)?;
        Some(Name::from_checked(wire.get(..n)?))
    }

    /// Expands the name at `at` into `wire`; its length. Pointers must lead backwards, so that no
    /// chain of them can loop, and to a name (RFC 1035 §4.1.4), of which the header has none.
    fn expand(&self, at: usize, wire: &mut [u8; MAX_NAME]) -> Option<usize> {
        if self.work.is_spent() {
            return None;
        }
        let (mut len, mut hops) = (0, 0);
        let found = self.follow(at, wire, &mut len, &mut hops);
        // A name that turns out to be none costs as much as one that is, and counts as much.
        (self.work.spend(hops, len) && found).then_some(len)
    }

    /// Copies labels from `at` on, counting octets and pointers; is there a name?
    fn follow(&self, at: usize, wire: &mut [u8; MAX_NAME], len: &mut usize, hops: &mut usize) -> bool {
        let mut step = || -> Option<()> {
            let (mut at, mut floor) = (at, at);
            loop {
                let n = usize::from(*self.bytes.get(at)?);
                if n & 0xc0 == 0xc0 {
                    let target = (n & 0x3f) << 8 | usize::from(*self.bytes.get(at + 1)?);
                    *hops += 1;
                    let in_header = target < Header::OCTETS;
                    if target >= floor || in_header || *hops > limits::POINTERS_PER_NAME {
                        return None;
                    }
                    (at, floor) = (target, target);
                } else if n > MAX_LABEL {
                    return None;
                } else {
                    let label = self.bytes.get(at..=at + n)?;
                    wire.get_mut(*len..=*len + n)?.copy_from_slice(label);
                    *len += n + 1;
                    at += n + 1;
                    if n == 0 {
                        return Some(());
                    }
                }
            }
        };
        step().is_some()
    }
}

/// The offset behind the name at `at`, without following pointers.
fn skip_name(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let n = usize::from(*bytes.get(at)?);
        match n {
            0 => return Some(at + 1),
            _ if n & 0xc0 == 0xc0 => return bytes.get(at + 1).map(|_| at + 2),
            _ if n > MAX_LABEL => return None,
            _ => at += n + 1,
        }
    }
}

impl<'m> Record<'m> {
    /// The type.
    pub fn rtype(&self) -> RrType {
        self.index.rtype
    }

    /// The class.
    pub fn class(&self) -> Class {
        self.index.class
    }

    /// Seconds; a value with the top bit set means 0 (RFC 2181 §8).
    pub fn ttl(&self) -> u32 {
        if self.index.ttl > i32::MAX as u32 { 0 } else { self.index.ttl }
    }

    /// The owner; `None` when it is malformed.
    pub fn owner(&self) -> Option<Name> {
        self.message.name_at(self.index.owner_at)
    }

    /// Is `name` the owner? Allocates nothing.
    pub fn is_owned_by(&self, name: &Name) -> bool {
        const TO_QUESTION: [u8; 2] = [0xc0, Header::OCTETS as u8];
        let owner = self.message.bytes.get(self.index.owner_at..self.index.owner_at + 2);
        if owner == Some(&TO_QUESTION)
            && let Some(question) = &self.message.question
        {
            return question.name == *name;
        }
        let mut wire = [0u8; MAX_NAME];
        match self.message.expand(self.index.owner_at, &mut wire) {
            Some(n) => wire.get(..n).is_some_and(|w| w.eq_ignore_ascii_case(name.as_wire())),
            None => false,
        }
    }

    /// The RDATA with its names expanded; `None` when it is malformed for its type.
    pub fn rdata(&self) -> Option<Vec<u8>> {
        let (start, end) = (self.index.rdata_at, self.index.rdata_at + self.index.rdata_len);
        let raw = self.message.bytes.get(start..end)?;
        match self.index.rtype {
            RrType::A if raw.len() != 4 => return None,
            RrType::AAAA if raw.len() != 16 => return None,
            _ => {}
        }
        let Some(layout) = layout(self.index.rtype) else { return Some(raw.to_vec()) };
        let mut out = Vec::with_capacity(raw.len() + 16);
        let mut at = start;
        for field in layout {
            match field {
                Field::Fixed(n) => {
                    out.extend_from_slice(self.message.bytes.get(at..at + n).filter(|_| at + n <= end)?);
                    at += n;
                }
                Field::Text => {
                    let n = 1 + usize::from(*self.message.bytes.get(at)?);
                    out.extend_from_slice(self.message.bytes.get(at..at + n).filter(|_| at + n <= end)?);
                    at += n;
                }
                Field::Name => {
                    let mut wire = [0u8; MAX_NAME];
                    let next = skip_name(self.message.bytes, at).filter(|next| *next <= end)?;
                    let n = self.message.expand(at, &mut wire)?;
                    out.extend_from_slice(wire.get(..n)?);
                    at = next;
                }
            }
        }
        (at == end).then_some(out)
    }
}

/// A piece of RDATA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// So many octets.
    Fixed(usize),
    /// A domain name.
    Name,
    /// A character-string (RFC 1035 §3.3).
    Text,
}

/// The shape of the RDATA of every type whose names a sender may have compressed (RFC 3597 §4),
/// and of DNAME, whose names some senders compress although RFC 6672 §2.5 forbids it. `None`: opaque.
pub fn layout(rtype: RrType) -> Option<&'static [Field]> {
    use Field::{Fixed, Name, Text};
    Some(match rtype {
        RrType::NS
        | RrType::MD
        | RrType::MF
        | RrType::CNAME
        | RrType::MB
        | RrType::MG
        | RrType::MR
        | RrType::PTR
        | RrType::DNAME => &[Name],
        RrType::SOA => &[Name, Name, Fixed(20)],
        RrType::MINFO | RrType::RP => &[Name, Name],
        RrType::MX | RrType::AFSDB | RrType::RT | RrType::KX => &[Fixed(2), Name],
        RrType::PX => &[Fixed(2), Name, Name],
        RrType::SRV => &[Fixed(6), Name],
        RrType::NAPTR => &[Fixed(4), Text, Text, Text, Name],
        _ => return None,
    })
}

/// May names in this type's RDATA be compressed when we send it? Only those of RFC 1035 §3.3
/// (RFC 3597 §4).
pub fn is_compressible(rtype: RrType) -> bool {
    matches!(
        rtype,
        RrType::NS
            | RrType::MD
            | RrType::MF
            | RrType::CNAME
            | RrType::SOA
            | RrType::MB
            | RrType::MG
            | RrType::MR
            | RrType::PTR
            | RrType::MINFO
            | RrType::MX
    )
}
