//! Answers that explain themselves: the trace of a question, for whoever may see it.
//!
//! Knows: the CH names below `trace.cnamed.`, the EDNS option that asks for the same beside a normal
//! answer, how both are bounded. The trace is recorded on the path that answers; nothing is resolved
//! for explaining. Does not know: who may ask for it (`access.trace`, judged in `mod`), what a trace
//! says (`render::compact`).
//!
//! RFC 1035 §3.3.14, RFC 6891 §6.1.2 and §9 (option codes for local use). Shown by: `tests/explain.rs`.

use std::sync::Arc;

use super::{InForce, Service};
use crate::cache::hop::Held;
use crate::render::{Report, compact};
use crate::request::Request;
use crate::resolver::{Answer, Rcode};
use crate::respond::{self, Asker};
use crate::rrset::{Class, Question, Rdatas, RrSet, RrType};
use crate::wire::{Header, Name};

/// EDNS option with which a client asks for the trace, and which has it: of the range for local and
/// experimental use (RFC 6891 §9). In a question its value says nothing.
pub const OPTION_TRACE: u16 = 65_001;
/// Where names to be explained stand.
const SUFFIX: &[u8] = b"\x05trace\x06cnamed\x00";
const SUFFIX_LABELS: usize = 2;
/// Octets of a character string (RFC 1035 §3.3).
const MAX_STRING: usize = 255;
/// Octets of the option; a whole answer over TCP has room for more.
const MAX_OPTION: usize = 16_384;
/// Says that lines are missing.
const MORE: &str = "(more over TCP)";
/// Octets of an option before its value (RFC 6891 §6.1.2).
const OPTION_HEAD: usize = 4;

/// What a question of class CH wants explained: `www.example.com.trace.cnamed.`, or with a type
/// before the suffix, `www.example.com.AAAA.trace.cnamed.`. The type is written in capital letters,
/// as there are top-level domains that are called like one.
pub(super) fn asked(question: &Question) -> Option<Question> {
    if question.class != Class::CH || question.rtype != RrType::TXT {
        return None;
    }
    let wire = question.name.as_wire();
    let above = wire.len().checked_sub(SUFFIX.len())?;
    let mut labels: Vec<&[u8]> = question.name.labels().collect();
    if labels.len() <= SUFFIX_LABELS || !wire.get(above..)?.eq_ignore_ascii_case(SUFFIX) {
        return None;
    }
    labels.truncate(labels.len() - SUFFIX_LABELS);
    let rtype = labels.last().and_then(|label| capital_type(label)).filter(|rtype| rtype.is_askable());
    if rtype.is_some() {
        labels.pop();
    }
    let mut octets: Vec<u8> = Vec::with_capacity(wire.len());
    for label in labels {
        octets.push(u8::try_from(label.len()).ok()?);
        octets.extend_from_slice(label);
    }
    octets.push(0);
    Some(Question::new(Name::from_wire(&octets).ok()?, rtype.unwrap_or(RrType::A)))
}

fn capital_type(label: &[u8]) -> Option<RrType> {
    let text =
        std::str::from_utf8(label).ok().filter(|text| !text.contains(|c: char| c.is_ascii_lowercase()))?;
    text.parse().ok()
}

impl Service {
    /// The trace of `explained` in TXT records, one per line; TTL 0, since it tells of this moment.
    pub(super) async fn explain(
        &self,
        settings: &InForce,
        asker: &Asker,
        question: &Question,
        explained: Question,
    ) -> Vec<u8> {
        let (_, lines) = self.traced(settings, asker, explained).await;
        let records: Vec<Vec<u8>> = lines.iter().map(|line| strings(line)).collect();
        let set = RrSet {
            owner: question.name.clone(),
            rtype: RrType::TXT,
            class: Class::CH,
            ttl: 0,
            rdata: Rdatas::new(records.iter().map(Vec::as_slice)),
            sigs: Rdatas::empty(),
        };
        let answer =
            Answer { terminal: vec![Held::own(set)], local: true, ..Answer::empty(question, Rcode::NoError) };
        respond::build(&answer, asker)
    }

    /// The normal answer, with the trace in an option as far as it fits beside it.
    pub(super) async fn answer_with_trace(
        &self,
        settings: &InForce,
        mut asker: Asker,
        question: Question,
    ) -> Vec<u8> {
        let (answer, lines) = self.traced(settings, &asker, question).await;
        let alone = respond::build(&answer, &asker);
        let room = asker.limit.saturating_sub(alone.len() + OPTION_HEAD).min(MAX_OPTION);
        let text = fitting(&lines, room);
        let is_cut = Header::read(&alone).is_some_and(|header| header.has(Header::TC));
        if text.is_empty() || is_cut {
            return alone;
        }
        if let Some(edns) = &mut asker.edns {
            edns.extra = Some((OPTION_TRACE, text.into_bytes()));
        }
        respond::build(&answer, &asker)
    }

    /// Resolves as for any client, with the trace on.
    async fn traced(&self, settings: &InForce, asker: &Asker, question: Question) -> (Answer, Vec<String>) {
        let world = self.resolver.world();
        let mut request = Request::new(Arc::clone(&settings.config), world, settings.era, true);
        if asker.flags & Header::CD != 0 {
            request = request.unchecked();
        }
        let request = Arc::new(request);
        let answer = self.answer(&request, question).await;
        let elapsed = world.clock.now().duration_since(request.arrived);
        let report = Report::new(answer, &request, elapsed);
        let lines = compact::lines(&report);
        (report.answer, lines)
    }
}

/// RDATA of TXT: as many character strings as it takes.
fn strings(line: &str) -> Vec<u8> {
    let mut rdata = Vec::with_capacity(line.len() + line.len() / MAX_STRING + 1);
    for chunk in line.as_bytes().chunks(MAX_STRING) {
        rdata.push(u8::try_from(chunk.len()).unwrap_or(u8::MAX));
        rdata.extend_from_slice(chunk);
    }
    rdata
}

/// Whole lines, joined by line feeds; of too many the last stay, as they say how it ended.
fn fitting(lines: &[String], room: usize) -> String {
    let whole = lines.join("\n");
    if whole.len() <= room {
        return whole;
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut left = room.saturating_sub(MORE.len());
    for line in lines.iter().rev() {
        match left.checked_sub(line.len() + 1) {
            Some(rest) => left = rest,
            None => break,
        }
        kept.push(line);
    }
    if kept.is_empty() {
        return String::new();
    }
    kept.push(MORE);
    kept.reverse();
    kept.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(name: &str) -> Option<String> {
        let question = Question { class: Class::CH, ..Question::new(name.parse().unwrap(), RrType::TXT) };
        asked(&question).map(|question| question.to_string())
    }

    #[test]
    fn the_name_and_its_type_stand_before_the_suffix() {
        for (name, meant) in [
            ("www.example.com.trace.cnamed.", "www.example.com. A"),
            ("www.Example.com.AAAA.Trace.CNAMED.", "www.Example.com. AAAA"),
            ("example.mx.trace.cnamed.", "example.mx. A"),
            ("example.mx.MX.trace.cnamed.", "example.mx. MX"),
            ("example.TYPE65.trace.cnamed.", "example. HTTPS"),
            ("NS.trace.cnamed.", ". NS"),
            ("example.AXFR.trace.cnamed.", "example.AXFR. A"),
            (r"a\.b\000.trace.cnamed.", r"a\.b\000. A"),
        ] {
            assert_eq!(explained(name).as_deref(), Some(meant), "{name}");
        }
        for name in ["trace.cnamed.", "cnamed.", "xtrace.cnamed.", "a.btrace.cnamed.", "a.trace.cnamed.b."] {
            assert_eq!(explained(name), None, "{name}");
        }
        let of_class_in = Question::new("a.trace.cnamed.".parse().unwrap(), RrType::TXT);
        assert_eq!(asked(&of_class_in), None);
    }

    #[test]
    fn what_does_not_fit_loses_its_first_lines() {
        let lines = ["1. first", "2. second", "end"].map(str::to_owned);
        assert_eq!(fitting(&lines, 100), "1. first\n2. second\nend");
        assert_eq!(fitting(&lines, 21), "(more over TCP)\nend");
        assert_eq!(fitting(&lines, 15), "");
        for room in 0..100 {
            assert!(fitting(&lines, room).len() <= room);
        }
    }

    #[test]
    fn a_long_line_is_several_strings() {
        let rdata = strings(&"x".repeat(300));
        assert_eq!((rdata[0], rdata[256], rdata.len()), (255, 45, 302));
    }
}
