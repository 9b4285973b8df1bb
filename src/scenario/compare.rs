//! MATCH: does a message have what an entry says?

use std::collections::HashMap;

use crate::rrset::RrType;
use crate::world::Transport;

use super::message::{COOKIE, Got, flag_names, key, rcode_name, show};
use super::script::{EdeText, Entry, ExpectedEde, FLAGS, Field, Rr};

/// Every difference that the entry's MATCH words see, one text each; none: it matches.
pub fn differences(entry: &Entry, got: &Got) -> Vec<String> {
    let fields = entry.fields.as_deref().unwrap_or_default();
    fields.iter().filter_map(|field| difference(*field, fields, entry, got)).collect()
}

fn difference(field: Field, fields: &[Field], entry: &Entry, got: &Got) -> Option<String> {
    let want = &entry.message;
    let with_ttl = fields.contains(&Field::Ttl);
    let (wanted, asked) = (want.question.as_ref(), got.question.as_ref());
    match field {
        Field::Opcode => unequal("opcode", want.opcode, got.header.opcode()),
        Field::Qtype => unequal_shown("qtype", wanted.map(|q| q.rtype), asked.map(|q| q.rtype)),
        Field::Qname => unequal_shown("qname", wanted.map(|q| &q.name), asked.map(|q| &q.name)),
        Field::Qcase => unequal_shown(
            "case of qname",
            wanted.map(|q| q.name.to_string()),
            asked.map(|q| q.name.to_string()),
        ),
        Field::Subdomain => {
            let below =
                |w: &crate::wire::Name| asked.is_some_and(|q| q.name.is_at_or_below(w)) || w.is_root();
            match wanted {
                Some(w) if !below(&w.name) => Some(format!("qname: expected one at or below {}", w.name)),
                _ => None,
            }
        }
        Field::Flags => {
            let all = FLAGS.iter().fold(0, |all, (_, bit)| all | bit);
            unequal("flags", flag_names(want.flags & all), flag_names(got.header.flags & all))
        }
        Field::Rcode => unequal("rcode", rcode_name(want.rcode), rcode_name(got.rcode)),
        Field::Answer => records("answer", &want.answer, &got.answer, with_ttl),
        Field::Authority => records("authority", &want.authority, &got.authority, with_ttl),
        Field::Additional => records("additional", &want.additional, &got.additional, with_ttl),
        Field::AnswerTypes => unequal("answer types", types(&want.answer, false), types(&got.answer, false)),
        Field::AnswerRrsigs => unequal("answer types", types(&want.answer, true), types(&got.answer, true)),
        Field::Ttl => None, // it sharpens the sections
        Field::Order => in_order(&want.answer, &got.answer),
        Field::Ede => errors(&entry.errors, &got.errors()),
        Field::Edns => got.edns.is_none().then(|| "expected EDNS".to_owned()),
        Field::NoEdns => got.edns.is_some().then(|| "expected no EDNS".to_owned()),
        Field::Cookie => (!has_cookie(got)).then(|| "expected a cookie".to_owned()),
        Field::NoCookie => has_cookie(got).then(|| "expected no cookie".to_owned()),
        Field::Do => {
            let set = got.edns.as_ref().is_some_and(|edns| edns.dnssec_ok);
            (!set).then(|| "expected DO".to_owned())
        }
        Field::PlainDname => {
            let plain =
                got.answer.iter().filter(|rr| rr.rtype == RrType::DNAME).all(|rr| got.contains(&rr.rdata));
            (!plain).then(|| "expected DNAME targets without compression".to_owned())
        }
        Field::Tcp => unequal("transport", Transport::Tcp, got.over),
        Field::Udp => unequal("transport", Transport::Udp, got.over),
    }
}

fn has_cookie(got: &Got) -> bool {
    got.edns.as_ref().is_some_and(|edns| edns.option(COOKIE).is_some())
}

fn unequal<T: PartialEq + std::fmt::Display>(what: &str, want: T, got: T) -> Option<String> {
    (want != got).then(|| format!("{what}: expected {want}, got {got}"))
}

fn unequal_shown<T: PartialEq + std::fmt::Display>(
    what: &str,
    want: Option<T>,
    got: Option<T>,
) -> Option<String> {
    let text = |value: &Option<T>| value.as_ref().map_or("none".to_owned(), T::to_string);
    (want != got).then(|| format!("{what}: expected {}, got {}", text(&want), text(&got)))
}

/// Compares as multisets.
fn records(section: &str, want: &[Rr], got: &[Rr], with_ttl: bool) -> Option<String> {
    let keyed = |rr: &Rr| (key(rr), if with_ttl { rr.ttl } else { 0 });
    let mut balance: HashMap<_, i32> = HashMap::new();
    for rr in want {
        *balance.entry(keyed(rr)).or_default() += 1;
    }
    for rr in got {
        *balance.entry(keyed(rr)).or_default() -= 1;
    }
    let mut lines = Vec::new();
    let mut note = |sign: char, rr: &Rr| {
        if let Some(n) = balance.get_mut(&keyed(rr)).filter(|n| if sign == '-' { **n > 0 } else { **n < 0 }) {
            *n -= n.signum();
            lines.push(format!("\n    {sign} {}", show(rr)));
        }
    };
    want.iter().for_each(|rr| note('-', rr));
    got.iter().for_each(|rr| note('+', rr));
    (!lines.is_empty()).then(|| format!("{section} (- expected, + got):{}", lines.concat()))
}

fn in_order(want: &[Rr], got: &[Rr]) -> Option<String> {
    let same = want.len() == got.len() && want.iter().zip(got).all(|(a, b)| key(a) == key(b));
    let list = |rrs: &[Rr]| rrs.iter().map(|rr| format!("\n    {}", show(rr))).collect::<String>();
    (!same).then(|| format!("order of the answer: expected{}\n  got{}", list(want), list(got)))
}

fn types(records: &[Rr], with_sigs: bool) -> String {
    let kept = records.iter().filter(|rr| with_sigs || rr.rtype != RrType::RRSIG);
    let mut names: Vec<String> = kept.map(type_name).collect();
    names.sort();
    names.dedup();
    names.join(" ")
}

fn type_name(rr: &Rr) -> String {
    match rr.rdata.first_chunk::<2>() {
        Some(covered) if rr.rtype == RrType::RRSIG => {
            format!("RRSIG({})", RrType(u16::from_be_bytes(*covered)))
        }
        _ => rr.rtype.to_string(),
    }
}

fn errors(want: &[ExpectedEde], got: &[(u16, String)]) -> Option<String> {
    let fits = |w: &ExpectedEde, (code, text): &(u16, String)| {
        w.code == *code
            && match &w.text {
                EdeText::Any => true,
                EdeText::Exactly(exact) => exact == text,
                EdeText::Containing(part) => text.contains(part.as_str()),
            }
    };
    let same = want.len() == got.len() && want.iter().all(|w| got.iter().any(|g| fits(w, g)));
    (!same).then(|| format!("EDE: expected {want:?}, got {got:?}"))
}

#[cfg(test)]
mod tests {
    use super::super::records::record;
    use super::*;

    #[test]
    fn sections_compare_as_multisets() {
        let rrs = |texts: &[&str]| texts.iter().map(|t| record(t).unwrap()).collect::<Vec<_>>();
        let (a, b) = ("x. 5 IN A 1.1.1.1", "x. 6 IN A 2.2.2.2");
        assert_eq!(records("answer", &rrs(&[a, b]), &rrs(&[b, a]), true), None);
        assert_eq!(records("answer", &rrs(&["X. 9 IN A 1.1.1.1"]), &rrs(&[a]), false), None);
        assert!(records("answer", &rrs(&["x. 9 IN A 1.1.1.1"]), &rrs(&[a]), true).is_some());
        assert!(records("answer", &rrs(&[a]), &rrs(&[a, a]), false).unwrap().contains("+ x. 5"));
        assert!(records("answer", &rrs(&[a, b]), &rrs(&[a]), false).unwrap().contains("- x. 6"));
        assert!(in_order(&rrs(&[a, b]), &rrs(&[b, a])).is_some());
        assert_eq!(in_order(&rrs(&[a, b]), &rrs(&[a, b])), None);
    }

    #[test]
    fn errors_compare_by_code_and_text() {
        let want = |code, text| [ExpectedEde { code, text }];
        let got = [(0, "CNAME loop: a. -> a.".to_owned())];
        assert_eq!(errors(&want(0, EdeText::Any), &got), None);
        assert_eq!(errors(&want(0, EdeText::Exactly("CNAME loop: a. -> a.".to_owned())), &got), None);
        assert_eq!(errors(&want(0, EdeText::Containing("loop".to_owned())), &got), None);
        assert!(errors(&want(0, EdeText::Exactly("CNAME loop".to_owned())), &got).is_some());
        assert!(errors(&want(22, EdeText::Any), &got).is_some());
        assert!(errors(&[], &got).is_some());
        assert!(errors(&want(0, EdeText::Any), &[]).is_some());
    }
}
