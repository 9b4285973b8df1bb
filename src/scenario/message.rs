//! Messages of the runner: written plainly, read through the library, shown as text.
//!
//! Writes without compression and checks nothing, since a script may say what no honest server says.

use std::fmt::Write as _;

use crate::master;
use crate::rrset::{Question, RrType};
use crate::wire::reader::{Field, Section, layout};
use crate::wire::{Edns, Header, Message, Name};
use crate::world::Transport;

use super::script::{FLAGS, RCODES, Rr, Template};

/// EDNS option code of cookies (RFC 7873 §4).
pub const COOKIE: u16 = 10;
/// EDNS option code of Extended DNS Errors (RFC 8914 §2).
pub const EDE: u16 = 15;

/// The OPT record to write.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Opt {
    pub udp_size: u16,
    pub dnssec_ok: bool,
    pub options: Vec<(u16, Vec<u8>)>,
}

/// The message of a template, with this ID and OPT.
pub fn encode(id: u16, template: &Template, opt: Option<&Opt>) -> Vec<u8> {
    let flags = template.flags | u16::from(template.opcode) << 11 | template.rcode & 0xf;
    let additional = template.additional.len() + usize::from(opt.is_some());
    let counts = [
        usize::from(template.question.is_some()),
        template.answer.len(),
        template.authority.len(),
        additional,
    ];
    let mut out = Vec::new();
    push16(&mut out, id);
    push16(&mut out, flags);
    for count in counts {
        push16(&mut out, count as u16);
    }
    if let Some(question) = &template.question {
        out.extend_from_slice(question.name.as_wire());
        push16(&mut out, question.rtype.0);
        push16(&mut out, question.class.0);
    }
    for rr in template.answer.iter().chain(&template.authority).chain(&template.additional) {
        out.extend_from_slice(rr.owner.as_wire());
        push16(&mut out, rr.rtype.0);
        push16(&mut out, rr.class.0);
        out.extend_from_slice(&rr.ttl.to_be_bytes());
        push16(&mut out, rr.rdata.len() as u16);
        out.extend_from_slice(&rr.rdata);
    }
    if let Some(opt) = opt {
        push_opt(&mut out, opt, template.rcode);
    }
    out
}

fn push16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_be_bytes());
}

fn push_opt(out: &mut Vec<u8>, opt: &Opt, rcode: u16) {
    out.push(0);
    push16(out, RrType::OPT.0);
    push16(out, opt.udp_size);
    out.extend_from_slice(&[(rcode >> 4) as u8, 0]);
    push16(out, if opt.dnssec_ok { 0x8000 } else { 0 });
    push16(out, opt.options.iter().map(|(_, value)| 4 + value.len() as u16).sum());
    for (code, value) in &opt.options {
        push16(out, *code);
        push16(out, value.len() as u16);
        out.extend_from_slice(value);
    }
}

/// A message that came: a query of the resolver, or its answer.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Got {
    bytes: Vec<u8>,
    pub over: Transport,
    pub header: Header,
    pub rcode: u16,
    pub question: Option<Question>,
    pub answer: Vec<Rr>,
    pub authority: Vec<Rr>,
    pub additional: Vec<Rr>,
    pub edns: Option<Edns>,
}

impl Got {
    /// Reads `bytes` in full; a record that cannot be read is an error here.
    pub fn read(bytes: &[u8], over: Transport) -> Result<Got, String> {
        let message = Message::parse(bytes).map_err(|e| e.to_string())?;
        let section = |section: Section| -> Result<Vec<Rr>, String> {
            let record = |r: crate::wire::Record<'_>| {
                Some(Rr {
                    owner: r.owner()?,
                    ttl: r.ttl(),
                    class: r.class(),
                    rtype: r.rtype(),
                    rdata: r.rdata()?,
                })
            };
            let records = message.section(section).map(record).collect::<Option<_>>();
            records.ok_or_else(|| format!("a malformed record in section {section:?}"))
        };
        Ok(Got {
            bytes: bytes.to_vec(),
            over,
            header: message.header(),
            rcode: message.rcode(),
            question: message.question().cloned(),
            answer: section(Section::Answer)?,
            authority: section(Section::Authority)?,
            additional: section(Section::Additional)?,
            edns: message.edns().cloned(),
        })
    }

    /// Extended DNS Errors (RFC 8914 §2): codes and texts.
    pub fn errors(&self) -> Vec<(u16, String)> {
        let options = self.edns.as_ref().map(|edns| edns.options.as_slice()).unwrap_or_default();
        let ede = |(code, value): &(u16, Vec<u8>)| match value.split_first_chunk::<2>() {
            Some((info, text)) if *code == EDE => {
                Some((u16::from_be_bytes(*info), String::from_utf8_lossy(text).into_owned()))
            }
            _ => None,
        };
        options.iter().filter_map(ede).collect()
    }

    /// Does the message hold these octets as they are?
    pub fn contains(&self, octets: &[u8]) -> bool {
        self.bytes.windows(octets.len().max(1)).any(|window| window == octets)
    }

    /// The message as dig would show it.
    pub fn show(&self) -> String {
        let mut out = format!("{} {}", rcode_name(self.rcode), flag_names(self.header.flags));
        if let Some(edns) = &self.edns {
            let _ = write!(out, " EDNS{}", if edns.dnssec_ok { " DO" } else { "" });
        }
        for (code, text) in self.errors() {
            let _ = write!(out, "\n  EDE {code} {text}");
        }
        let question = self.question.as_ref().map_or("none".to_owned(), Question::to_string);
        let _ = write!(out, "\n  question {question}");
        for (name, records) in
            [("answer", &self.answer), ("authority", &self.authority), ("additional", &self.additional)]
        {
            for rr in records {
                let _ = write!(out, "\n  {name} {}", show(rr));
            }
        }
        out
    }
}

/// One record in presentation form.
pub fn show(rr: &Rr) -> String {
    let rdata = master::rdata_to_text(rr.rtype, &rr.rdata);
    format!("{} {} {} {} {rdata}", rr.owner, rr.ttl, rr.class, rr.rtype)
}

/// An RCODE by mnemonic, or by number.
pub fn rcode_name(rcode: u16) -> String {
    let known = RCODES.iter().find(|(_, number)| *number == rcode);
    known.map_or_else(|| format!("RCODE{rcode}"), |(name, _)| (*name).to_owned())
}

/// The flags that are set, by mnemonic.
pub fn flag_names(flags: u16) -> String {
    let set: Vec<&str> = FLAGS.iter().filter(|(_, bit)| flags & bit != 0).map(|(name, _)| *name).collect();
    set.join(" ")
}

/// What two records must share to count as the same: TTL and the case of names left out.
pub fn key(rr: &Rr) -> (Name, u16, u16, Vec<u8>) {
    (rr.owner.clone(), rr.class.0, rr.rtype.0, folded(rr.rtype, &rr.rdata))
}

/// RDATA with the names in it in lower case.
fn folded(rtype: RrType, rdata: &[u8]) -> Vec<u8> {
    let fields: &[Field] = match rtype {
        RrType::RRSIG => &[Field::Fixed(18), Field::Name],
        RrType::NSEC => &[Field::Name],
        _ => layout(rtype).unwrap_or_default(),
    };
    let (mut out, mut at) = (rdata.to_vec(), 0);
    for field in fields {
        match field {
            Field::Fixed(n) => at += n,
            Field::Text => at += 1 + usize::from(rdata.get(at).copied().unwrap_or(0)),
            Field::Name => {
                while let Some(n @ 1..) = rdata.get(at).copied().map(usize::from) {
                    if let Some(label) = out.get_mut(at + 1..=at + n) {
                        label.make_ascii_lowercase();
                    }
                    at += 1 + n;
                }
                at += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::records::{question, record};
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let template = Template {
            flags: Header::QR | Header::AA,
            rcode: 16,
            question: Some(question("a.Example. IN A").unwrap()),
            answer: vec![record("a.example. 7 IN CNAME B.example.").unwrap()],
            additional: vec![record("b.example. 8 IN A 1.2.3.4").unwrap()],
            ..Template::default()
        };
        let mut text = 18u16.to_be_bytes().to_vec();
        text.extend_from_slice(b"why");
        let opt = Opt { udp_size: 1232, dnssec_ok: true, options: vec![(EDE, text)] };
        let got = Got::read(&encode(7, &template, Some(&opt)), Transport::Udp).unwrap();
        assert_eq!((got.header.id, got.rcode), (7, 16));
        assert_eq!(got.errors(), [(18, "why".to_owned())]);
        assert_eq!(key(&got.answer[0]), key(&record("A.example. 9 IN CNAME b.Example.").unwrap()));
        assert_ne!(key(&got.answer[0]), key(&record("a.example. 7 IN CNAME c.example.").unwrap()));
        assert!(got.show().contains("BADVERS QR AA EDNS DO"), "{}", got.show());
    }
}
