//! Answer → message: sections, flags, EDNS, truncation.
//!
//! Knows: the order of a chain in the answer section (alias-rules R26), that a negative chain shows
//! only the SOA of its end (R27), whole RRsets from the end when it does not fit (R32, RFC 2181
//! §9), the flags of a resolver's answer. Does not know: how the answer came about. Shown by:
//! `tests/scenarios/r24_*` … `r29_*`, `r32_*`.

use tokio::time::Instant;

use crate::cache::hop::Held;
use crate::failure::Ede;
use crate::resolver::{Answer, Rcode};
use crate::rrset::{Question, RrSet, RrType};
use crate::wire::reader::Section;
use crate::wire::ready::MAX_MESSAGE;
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

/// Octets of an answer by UDP to who takes `theirs` (RFC 6891 §6.2.3), when we give at most `ours`.
pub fn udp_limit(theirs: u16, ours: u16) -> usize {
    usize::from(theirs.clamp(PLAIN_UDP as u16, ours.max(PLAIN_UDP as u16)))
}

/// The whole message.
pub fn build(answer: &Answer, asker: &Asker) -> Vec<u8> {
    let mut sheet = Sheet::new(asker, answer.rcode as u16, Some(&answer.question), answer.local);
    if answer.secure && asker.wants_verdict() {
        sheet.writer.set_flags(Header::AD);
    }
    if sheet.fill(answer).is_err() {
        sheet.writer.set_flags(Header::TC);
    }
    finish(sheet.writer, asker, 0, &answer.edes)
}

/// Where a TTL is in a message, and when it has run down.
pub type Countdown = (u16, Instant);

/// What [`build`] makes for everybody who asks the same (`asker` says whether with DO and CD), but for
/// ID, letter case, AD, TTLs and OPT; and the place of each TTL with the moment when it has run down.
/// `None`: it is only for who has asked. Failures are, what is told with reservations, what is not
/// known to end, what is not all that there may be, and what chance has a part in (RFC 9460 §2.4.2).
pub fn template(answer: &Answer, asker: &Asker) -> Option<(Vec<u8>, Vec<Countdown>)> {
    let by_chance = answer.additional.iter().chain(&answer.terminal).any(|held| {
        matches!(held.set.rtype, RrType::SVCB | RrType::HTTPS)
            && held.set.rdata.iter().any(|rdata| rdata.starts_with(&[0, 0]))
    });
    if answer.failure.is_some() || answer.local || by_chance || !answer.edes.is_empty() {
        return None;
    }
    let question = Question { name: answer.question.name.to_lowercase(), ..answer.question.clone() };
    let asker = Asker { id: 0, limit: MAX_MESSAGE, ..asker.clone() };
    let mut sheet = Sheet::new(&asker, answer.rcode as u16, Some(&question), false);
    // What does not fit beside the options of this asker may fit beside another's.
    if answer.lacks_additional || !sheet.fill(answer).ok()? {
        return None;
    }
    let Sheet { writer, clocks, .. } = sheet;
    let clocks = writer.ttls().iter().zip(clocks).map(|(at, expires)| Some((*at, expires?)));
    let clocks = clocks.collect::<Option<Vec<_>>>()?;
    Some((writer.finish(), clocks))
}

/// An answer that is only a header, a question and perhaps an explanation.
pub fn bare(asker: &Asker, rcode: u16, question: Option<&Question>, edes: &[Ede]) -> Vec<u8> {
    let sheet = Sheet::new(asker, rcode, question, false);
    finish(sheet.writer, asker, (rcode >> 4) as u8, edes)
}

/// Adds OPT with as many of `edes` as still fit: they give way before anything else does (RFC 8914 §3), of each
/// its text first.
fn finish(mut writer: MessageWriter, asker: &Asker, extended: u8, edes: &[Ede]) -> Vec<u8> {
    const DO: u16 = 0x8000;
    if let Some(edns) = &asker.edns {
        let mut options = own_options(edns);
        let mut room = writer.room();
        for ede in edes {
            let code = ede.code.to_be_bytes();
            let whole = [&code, ede.text.as_bytes()].concat();
            let Some(value) = [whole, code.to_vec()].into_iter().find(|value| 4 + value.len() <= room) else {
                writer.set_flags(Header::TC);
                break;
            };
            room -= 4 + value.len();
            options.push((OPTION_EDE, value));
        }
        let flags = if edns.dnssec_ok { DO } else { 0 };
        // What is not reserved for it was just found to be free.
        let _ = writer.opt(edns.our_size, extended, flags, &options);
    }
    writer.finish()
}

/// What goes along in any case, explanations only as far as there is room.
fn own_options(edns: &AskerEdns) -> Vec<(u16, Vec<u8>)> {
    let cookie = edns.cookie.iter().map(|cookie| (OPTION_COOKIE, cookie.clone()));
    cookie.chain(edns.extra.clone()).collect()
}

/// A message being written, and when the TTL of each of its records has run down.
struct Sheet {
    writer: MessageWriter,
    clocks: Vec<Option<Instant>>,
    /// With RRSIGs and proofs.
    signed: bool,
}

impl Sheet {
    fn new(asker: &Asker, rcode: u16, question: Option<&Question>, authoritative: bool) -> Sheet {
        const OPCODE: u16 = 0x7800;
        let repeated = asker.flags & (OPCODE | Header::RD | Header::CD);
        let aa = if authoritative { Header::AA } else { 0 };
        let flags = Header::QR | Header::RA | repeated | aa | (rcode & 0xf);
        let mut writer = MessageWriter::new(asker.id, flags, asker.limit);
        if let Some(edns) = &asker.edns {
            writer.reserve(opt_octets(&own_options(edns)));
        }
        if let Some(question) = question {
            // A question is at most 259 octets and every limit is at least 512.
            let _ = writer.question(question);
        }
        let signed = asker.edns.as_ref().is_some_and(|e| e.dnssec_ok);
        Sheet { writer, clocks: Vec::new(), signed }
    }

    /// Is all in it, also what is only helpful? `Err`: something that belongs to the answer did not fit.
    fn fill(&mut self, answer: &Answer) -> Result<bool, Full> {
        // One DNAME may be behind several hops; it is said once.
        let mut dnames: Vec<&Name> = Vec::new();
        for held in answer.hops.iter().flat_map(|alias| alias.sets()) {
            if held.set.rtype == RrType::DNAME {
                if dnames.contains(&&held.set.owner) {
                    continue;
                }
                dnames.push(&held.set.owner);
            }
            self.add(Section::Answer, &held.set, held)?;
        }
        for held in &answer.terminal {
            self.add(Section::Answer, &held.set, held)?;
        }
        if let Some(soa) = &answer.soa {
            self.add(Section::Authority, &soa.set, soa)?;
        }
        if self.signed {
            self.add_proofs(answer)?;
        }
        for held in &answer.additional {
            // What is only helpful may be missing without a word (RFC 2181 §9).
            if self.add(Section::Additional, &held.set, held).is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What proves the rest lives as long as that.
    fn add_proofs(&mut self, answer: &Answer) -> Result<(), Full> {
        let expansions = answer.hops.iter().flat_map(|alias| alias.sets()).chain(&answer.terminal);
        let expansions = expansions.flat_map(|held| held.proof.iter().map(move |set| (set, held)));
        let denial = answer.soa.iter().flat_map(|soa| answer.proof.iter().map(move |set| (set, soa)));
        let mut said: Vec<(&Name, RrType)> = Vec::new();
        for (set, held) in expansions.chain(denial) {
            if !said.contains(&(&set.owner, set.rtype)) {
                said.push((&set.owner, set.rtype));
                self.add(Section::Authority, set, held)?;
            }
        }
        Ok(())
    }

    /// The RRset for as long as `held` has left, and directly behind it its signatures when the client
    /// wants them.
    fn add(&mut self, section: Section, set: &RrSet, held: &Held) -> Result<(), Full> {
        self.writer.rrset(section, &set.owner, set.rtype, set.class, held.left, &set.rdata)?;
        if self.signed && !set.sigs.is_empty() {
            self.writer.rrset(section, &set.owner, RrType::RRSIG, set.class, held.left, &set.sigs)?;
        }
        self.clocks.resize(self.writer.ttls().len(), held.expires);
        Ok(())
    }
}

/// The answer for one of our own RRsets (special-use names, CHAOS).
pub fn local_data(question: &Question, set: RrSet) -> Answer {
    Answer { terminal: vec![Held::own(set)], local: true, ..Answer::empty(question, Rcode::NoError) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Message;

    fn asker(limit: usize) -> Asker {
        let edns = AskerEdns { cookie: Some(vec![7; 24]), our_size: 1232, ..AskerEdns::default() };
        Asker { id: 1, flags: Header::RD, limit, edns: Some(edns) }
    }

    fn answer(records: usize, edes: usize) -> Answer {
        let question = Question::new("stale.example.".parse().unwrap(), RrType::TXT);
        let rdata: Vec<Vec<u8>> = (0..records).map(|i| vec![2, i as u8, 0]).collect();
        let set = RrSet::new(question.name.clone(), RrType::TXT, 30, rdata.iter().map(Vec::as_slice));
        let edes =
            (0..edes).map(|i| Ede::new(Ede::STALE_ANSWER, format!("stale: hop {i} {}", "x".repeat(90))));
        Answer { edes: edes.collect(), ..local_data(&question, set) }
    }

    /// Octets, EDE options and their texts, answers, TC.
    fn measure(answer: &Answer, limit: usize) -> (usize, Vec<usize>, usize, bool) {
        let octets = build(answer, &asker(limit));
        let message = Message::parse(&octets).unwrap();
        let options = message.edns().unwrap().options.iter();
        let texts =
            options.filter(|(code, _)| *code == OPTION_EDE).map(|(_, value)| value.len() - 2).collect();
        (octets.len(), texts, message.section(Section::Answer).count(), message.header().has(Header::TC))
    }

    #[test]
    fn explanations_give_way_before_records_do() {
        let (octets, texts, answers, truncated) = measure(&answer(28, 1), 512);
        assert!(octets <= 512 && answers == 28 && !truncated, "{octets} octets, {answers} answers");
        assert_eq!(texts, [0], "the code stays without its text");
    }

    #[test]
    fn no_number_of_explanations_exceeds_the_limit() {
        for limit in [512, 1232] {
            let (octets, texts, answers, truncated) = measure(&answer(1, 200), limit);
            assert!(octets <= limit && answers == 1 && truncated, "{octets} of {limit} octets");
            assert!(texts[0] > 90 && texts.len() < 200, "{texts:?}");
        }
        assert_eq!(measure(&answer(1, 16), 65_535).1.len(), 16);
    }
}
