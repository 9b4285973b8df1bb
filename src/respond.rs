//! Answer → message: sections, flags, EDNS, truncation.
//!
//! Knows: the order of a chain in the answer section (alias-rules R26), that a negative chain shows
//! only the SOA of its end (R27), whole RRsets from the end when it does not fit (R32, RFC 2181
//! §9), the flags of a resolver's answer. Does not know: how the answer came about. Shown by:
//! `tests/scenarios/r24_*` … `r29_*`, `r32_*`.

use crate::cache::rrsets::Held;
use crate::failure::Ede;
use crate::resolver::{Answer, Rcode};
use crate::rrset::{Question, RrSet, RrType};
use crate::wire::reader::Section;
use crate::wire::writer::{Full, opt_octets};
use crate::wire::{Header, MessageWriter, Name};

/// EDNS option codes (IANA).
pub const OPTION_COOKIE: u16 = 10;
/// EDNS option code of Extended DNS Errors (RFC 8914 §2).
pub const OPTION_EDE: u16 = 15;
/// Largest UDP answer to a client without EDNS (RFC 1035 §4.2.1).
pub const PLAIN_UDP: usize = 512;

/// What of the request shapes its answer.
#[derive(Clone, Debug)]
pub struct Asker {
    /// The request's ID.
    pub id: u16,
    /// Its flag word: opcode, RD and CD are repeated.
    pub flags: u16,
    /// Octets that an answer may have.
    pub limit: usize,
    /// It speaks EDNS.
    pub edns: Option<AskerEdns>,
}

impl Asker {
    fn wants_verdict(&self) -> bool {
        // RFC 6840 §5.7: AD or DO in the question asks for it; CD=1 says that nobody checked.
        let asks = self.flags & Header::AD != 0 || self.edns.as_ref().is_some_and(|e| e.dnssec_ok);
        asks && self.flags & Header::CD == 0
    }
}

/// EDNS of the request.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct AskerEdns {
    pub dnssec_ok: bool,
    /// Our cookie option, if the client sent its part.
    pub cookie: Option<Vec<u8>>,
    /// What we offer: `edns-buffer-size`.
    pub our_size: u16,
    /// It asks for the trace of its answer (`server::explain`).
    pub wants_trace: bool,
    /// One more option of the answer.
    pub extra: Option<(u16, Vec<u8>)>,
}

/// The whole message.
pub fn build(answer: &Answer, asker: &Asker) -> Vec<u8> {
    let with_text = edns_options(asker, &answer.edes, true);
    let mut writer = begin(asker, answer.rcode as u16, Some(&answer.question), answer.local);
    let options = with_text;
    if asker.edns.is_some() {
        writer.reserve(opt_octets(&options));
    }
    if answer.secure && asker.wants_verdict() {
        writer.set_flags(Header::AD);
    }
    if fill(&mut writer, answer, asker).is_err() {
        writer.set_flags(Header::TC);
    }
    finish(writer, asker, 0, &options)
}

/// An answer that is only a header, a question and perhaps an explanation.
pub fn bare(asker: &Asker, rcode: u16, question: Option<&Question>, edes: &[Ede]) -> Vec<u8> {
    let writer = begin(asker, rcode, question, false);
    finish(writer, asker, (rcode >> 4) as u8, &edns_options(asker, edes, true))
}

fn begin(asker: &Asker, rcode: u16, question: Option<&Question>, authoritative: bool) -> MessageWriter {
    const OPCODE: u16 = 0x7800;
    let repeated = asker.flags & (OPCODE | Header::RD | Header::CD);
    let aa = if authoritative { Header::AA } else { 0 };
    let flags = Header::QR | Header::RA | repeated | aa | (rcode & 0xf);
    let mut writer = MessageWriter::new(asker.id, flags, asker.limit);
    if let Some(question) = question {
        // A question is at most 259 octets and every limit is at least 512.
        let _ = writer.question(question);
    }
    writer
}

fn finish(mut writer: MessageWriter, asker: &Asker, extended: u8, options: &[(u16, Vec<u8>)]) -> Vec<u8> {
    const DO: u16 = 0x8000;
    if let Some(edns) = &asker.edns {
        writer.opt(edns.our_size, extended, if edns.dnssec_ok { DO } else { 0 }, options);
    }
    writer.finish()
}

fn edns_options(asker: &Asker, edes: &[Ede], with_text: bool) -> Vec<(u16, Vec<u8>)> {
    let Some(edns) = &asker.edns else { return Vec::new() };
    let mut options = Vec::new();
    if let Some(cookie) = &edns.cookie {
        options.push((OPTION_COOKIE, cookie.clone()));
    }
    for ede in edes {
        let mut value = ede.code.to_be_bytes().to_vec();
        if with_text {
            value.extend_from_slice(ede.text.as_bytes());
        }
        options.push((OPTION_EDE, value));
    }
    options.extend(edns.extra.clone());
    options
}

/// `Err`: something that belongs to the answer did not fit.
fn fill(writer: &mut MessageWriter, answer: &Answer, asker: &Asker) -> Result<(), Full> {
    let signed = asker.edns.as_ref().is_some_and(|e| e.dnssec_ok);
    // One DNAME may be behind several hops; it is said once.
    let mut dnames: Vec<&Name> = Vec::new();
    for held in answer.hops.iter().flat_map(|alias| alias.sets()) {
        if held.set.rtype == RrType::DNAME {
            if dnames.contains(&&held.set.owner) {
                continue;
            }
            dnames.push(&held.set.owner);
        }
        add(writer, Section::Answer, held, signed)?;
    }
    for held in &answer.terminal {
        add(writer, Section::Answer, held, signed)?;
    }
    if let Some(soa) = &answer.soa {
        add(writer, Section::Authority, soa, signed)?;
    }
    if signed {
        let proofs = answer.hops.iter().flat_map(|alias| alias.sets()).chain(&answer.terminal);
        let mut said: Vec<(&Name, RrType)> = Vec::new();
        for set in proofs.flat_map(|held| held.proof.iter()).chain(answer.proof.iter()) {
            if said.contains(&(&set.owner, set.rtype)) {
                continue;
            }
            said.push((&set.owner, set.rtype));
            add_set(writer, Section::Authority, set, set.ttl, signed)?;
        }
    }
    for held in &answer.additional {
        // What is only helpful may be missing without a word (RFC 2181 §9).
        if add(writer, Section::Additional, held, signed).is_err() {
            break;
        }
    }
    Ok(())
}

/// The RRset, and directly behind it its signatures when the client wants them.
fn add(writer: &mut MessageWriter, section: Section, held: &Held, signed: bool) -> Result<(), Full> {
    add_set(writer, section, &held.set, held.left, signed)
}

fn add_set(
    writer: &mut MessageWriter,
    section: Section,
    set: &RrSet,
    ttl: u32,
    signed: bool,
) -> Result<(), Full> {
    writer.rrset(section, &set.owner, set.rtype, set.class, ttl, &set.rdata)?;
    if signed && !set.sigs.is_empty() {
        writer.rrset(section, &set.owner, RrType::RRSIG, set.class, ttl, &set.sigs)?;
    }
    Ok(())
}

/// The answer for one of our own RRsets (special-use names, CHAOS).
pub fn local_data(question: &Question, set: RrSet) -> Answer {
    Answer { terminal: vec![Held::own(set)], local: true, ..Answer::empty(question, Rcode::NoError) }
}
