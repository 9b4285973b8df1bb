//! Writing a message: names compressed, whole RRsets or nothing, OPT kept when the rest is cut.
//!
//! Knows: RFC 1035 §4.1.4 (compression), RFC 2181 §9 (whole RRsets, TC), RFC 3597 §4 (what may be
//! compressed), RFC 6891. Does not know: what belongs into which section. Shown by:
//! `tests/wire.rs`, `tests/scenarios/r32_*`.

use super::limits;
use super::name::Name;
use super::reader::{Field, Section, is_compressible, layout};
use crate::rrset::{Class, Question, Rdatas, RrType};

/// The message would be longer than its limit; nothing of the refused item was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// Builds one message front to back.
pub struct MessageWriter {
    buf: Vec<u8>,
    /// Octets that the message may have, less what is reserved for OPT.
    limit: usize,
    reserved: usize,
    counts: [u16; 4],
    targets: Targets,
    /// Where the TTL of each record is.
    ttls: Vec<u16>,
}

impl MessageWriter {
    /// A message with this ID and flag word, of at most `limit` octets.
    pub fn new(id: u16, flags: u16, limit: usize) -> MessageWriter {
        let mut buf = Vec::with_capacity(limit.min(512));
        buf.extend_from_slice(&id.to_be_bytes());
        buf.extend_from_slice(&flags.to_be_bytes());
        buf.extend_from_slice(&[0; 8]);
        MessageWriter {
            buf,
            limit: limit.min(usize::from(u16::MAX)),
            reserved: 0,
            counts: [0; 4],
            targets: Targets::new(),
            ttls: Vec::new(),
        }
    }

    /// Offsets of the TTLs of all records so far, in order.
    pub fn ttls(&self) -> &[u16] {
        &self.ttls
    }

    /// Keeps octets back for what [`MessageWriter::opt`] will write.
    pub fn reserve(&mut self, octets: usize) {
        let kept = octets.min(self.limit);
        self.limit -= kept;
        self.reserved += kept;
    }

    /// Octets that still fit beside what is reserved.
    pub fn room(&self) -> usize {
        self.limit.saturating_sub(self.buf.len())
    }

    /// Adds the question.
    pub fn question(&mut self, question: &Question) -> Result<(), Full> {
        let mark = self.buf.len();
        self.name(&question.name, true);
        self.buf.extend_from_slice(&question.rtype.0.to_be_bytes());
        self.buf.extend_from_slice(&question.class.0.to_be_bytes());
        self.keep_or_cut(mark, 0, 1)
    }

    /// Adds one RRset, all of it or nothing.
    pub fn rrset(
        &mut self,
        section: Section,
        owner: &Name,
        rtype: RrType,
        class: Class,
        ttl: u32,
        rdata: &Rdatas,
    ) -> Result<(), Full> {
        let (mark, ttls) = (self.buf.len(), self.ttls.len());
        let mut count = 0;
        for item in rdata.iter() {
            self.name(owner, true);
            self.buf.extend_from_slice(&rtype.0.to_be_bytes());
            self.buf.extend_from_slice(&class.0.to_be_bytes());
            self.ttls.push(self.buf.len() as u16); // one past 65,535 does not stay
            self.buf.extend_from_slice(&ttl.to_be_bytes());
            self.rdata(rtype, item);
            count += 1;
            if self.buf.len() > self.limit {
                break;
            }
        }
        self.keep_or_cut(mark, section as usize + 1, count).inspect_err(|Full| self.ttls.truncate(ttls))
    }

    fn keep_or_cut(&mut self, mark: usize, section: usize, count: u16) -> Result<(), Full> {
        let total = self.counts[section].checked_add(count);
        match total {
            Some(total) if self.buf.len() <= self.limit => {
                self.counts[section] = total;
                Ok(())
            }
            _ => {
                self.buf.truncate(mark);
                self.targets.forget_from(mark);
                Err(Full)
            }
        }
    }

    /// Adds OPT, for which [`MessageWriter::reserve`] keeps room; `flags` is the lower half of its TTL.
    pub fn opt(
        &mut self,
        udp_size: u16,
        extended_rcode: u8,
        flags: u16,
        options: &[(u16, Vec<u8>)],
    ) -> Result<(), Full> {
        if self.buf.len() + opt_octets(options) > self.limit + self.reserved {
            return Err(Full);
        }
        self.buf.push(0);
        self.buf.extend_from_slice(&RrType::OPT.0.to_be_bytes());
        self.buf.extend_from_slice(&udp_size.to_be_bytes());
        self.buf.extend_from_slice(&[extended_rcode, 0]);
        self.buf.extend_from_slice(&flags.to_be_bytes());
        self.buf.extend_from_slice(&(opt_octets(options) as u16 - 11).to_be_bytes());
        for (code, value) in options {
            self.buf.extend_from_slice(&code.to_be_bytes());
            self.buf.extend_from_slice(&(value.len() as u16).to_be_bytes());
            self.buf.extend_from_slice(value);
        }
        self.counts[3] += 1;
        Ok(())
    }

    /// Sets flag bits.
    pub fn set_flags(&mut self, flags: u16) {
        let [a, b] = flags.to_be_bytes();
        self.buf[2] |= a;
        self.buf[3] |= b;
    }

    /// Octets so far.
    pub fn octets(&self) -> usize {
        self.buf.len()
    }

    /// The finished message.
    pub fn finish(mut self) -> Vec<u8> {
        for (i, count) in self.counts.iter().enumerate() {
            self.buf[4 + 2 * i..6 + 2 * i].copy_from_slice(&count.to_be_bytes());
        }
        self.buf
    }

    fn rdata(&mut self, rtype: RrType, rdata: &[u8]) {
        let at = self.buf.len();
        self.buf.extend_from_slice(&[0, 0]);
        match layout(rtype) {
            Some(fields) if is_compressible(rtype) => self.compress_rdata(fields, rdata),
            _ => self.buf.extend_from_slice(rdata),
        }
        let n = (self.buf.len() - at - 2) as u16;
        self.buf[at..at + 2].copy_from_slice(&n.to_be_bytes());
    }

    fn compress_rdata(&mut self, fields: &[Field], rdata: &[u8]) {
        let mut rest = rdata;
        for field in fields {
            let n = match field {
                Field::Fixed(n) => *n,
                Field::Text => 1 + rest.first().map_or(0, |n| usize::from(*n)),
                Field::Name => match wire_name(rest) {
                    Some(name) => {
                        self.name_octets(name, true);
                        rest = &rest[name.len()..];
                        continue;
                    }
                    None => rest.len(),
                },
            };
            let (head, tail) = rest.split_at(n.min(rest.len()));
            self.buf.extend_from_slice(head);
            rest = tail;
        }
        self.buf.extend_from_slice(rest);
    }

    fn name(&mut self, name: &Name, compress: bool) {
        self.name_octets(name.as_wire(), compress);
    }

    fn name_octets(&mut self, mut name: &[u8], compress: bool) {
        while let Some(&n) = name.first() {
            if n == 0 || !compress {
                break;
            }
            if let Some(target) = self.targets.find_or_add(&self.buf, name) {
                self.buf.extend_from_slice(&(0xc000 | target).to_be_bytes());
                return;
            }
            let (label, rest) = name.split_at(1 + usize::from(n));
            self.buf.extend_from_slice(label);
            name = rest;
        }
        self.buf.extend_from_slice(name);
    }
}

/// Octets that OPT with these options takes.
pub fn opt_octets(options: &[(u16, Vec<u8>)]) -> usize {
    11 + options.iter().map(|(_, v)| 4 + v.len()).sum::<usize>()
}

/// The uncompressed name that `octets` start with.
fn wire_name(octets: &[u8]) -> Option<&[u8]> {
    octets.get(..super::name::wire_len(octets)?)
}

/// Offsets of name suffixes already written, found by a hash of their lower-case octets. A bounded
/// table with bounded probing: 2,500 unrelated names cost no more than 2,500 hashes.
struct Targets {
    slots: [u16; limits::COMPRESSION_TARGETS],
    used: usize,
}

impl Targets {
    fn new() -> Targets {
        Targets { slots: [0; limits::COMPRESSION_TARGETS], used: 0 }
    }

    /// Forgets names that stood at or behind `mark`. What comes to stand there may look the same for
    /// as long as an RDLENGTH is not filled in. A probe may now stop early and miss a target, which
    /// costs some octets and nothing else.
    fn forget_from(&mut self, mark: usize) {
        for slot in self.slots.iter_mut().filter(|slot| usize::from(**slot) >= mark.max(1)) {
            *slot = 0;
            self.used -= 1;
        }
    }

    /// Where `suffix` already stands, or remembers that it will stand at the end of `buf`.
    fn find_or_add(&mut self, buf: &[u8], suffix: &[u8]) -> Option<u16> {
        let mut hash = 0xcbf2_9ce4_8422_2325u64; // FNV-1a
        for b in suffix {
            hash = (hash ^ u64::from(b.to_ascii_lowercase())).wrapping_mul(0x100_0000_01b3);
        }
        for probe in 0..limits::COMPRESSION_PROBES {
            let slot = (hash as usize >> 7).wrapping_add(probe) % limits::COMPRESSION_TARGETS;
            match self.slots[slot] {
                0 => {
                    // Offset 0 is the header and never a name, so 0 means free. A pointer has 14 bits.
                    if buf.len() < 0x4000 && self.used < limits::COMPRESSION_TARGETS / 2 {
                        self.slots[slot] = buf.len() as u16;
                        self.used += 1;
                    }
                    return None;
                }
                target if stands_at(buf, usize::from(target), suffix) => return Some(target),
                _ => {}
            }
        }
        None
    }
}

/// Does the (possibly compressed) name at `at` equal `name`, within [`limits::POINTERS_WRITTEN`],
/// the pointer to `at` counted?
fn stands_at(buf: &[u8], mut at: usize, mut name: &[u8]) -> bool {
    let mut hops = 1;
    loop {
        let Some(&n) = buf.get(at) else { return false };
        if n & 0xc0 == 0xc0 {
            let Some(&low) = buf.get(at + 1) else { return false };
            at = usize::from(n & 0x3f) << 8 | usize::from(low);
            hops += 1;
            if hops > limits::POINTERS_WRITTEN {
                return false;
            }
            continue;
        }
        let end = 1 + usize::from(n);
        match (buf.get(at..at + end), name.get(..end)) {
            (Some(a), Some(b)) if a.eq_ignore_ascii_case(b) => {}
            _ => return false,
        }
        if n == 0 {
            return true;
        }
        at += end;
        name = &name[end..];
    }
}
