//! Shows: `src/wire` reads what it writes, agrees with hickory-proto in both directions, and takes
//! any octets whatever without panicking or exceeding its caps (RFC 1035 §4, RFC 3597 §4,
//! RFC 6672 §2.5, RFC 6891 §6.1, RFC 9267 on what goes wrong with compression).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod differential;
mod hostile;
mod shapes;

use cnamed::rrset::{Class, Question, Rdatas, RrType};
use cnamed::wire::reader::{Section, is_compressible};
use cnamed::wire::{Message, MessageWriter, Name, limits};
use proptest::prelude::*;

const SECTIONS: [Section; 3] = [Section::Answer, Section::Authority, Section::Additional];

fn n(text: &str) -> Name {
    text.parse().unwrap()
}

/// One RRset as a test wants it in a message.
#[derive(Clone, Debug)]
struct Set {
    section: Section,
    owner: Name,
    ttl: u32,
    rdata: Vec<Rdata>,
}

/// RDATA by its parts, so that hickory-proto can be given the same.
#[derive(Clone, Debug)]
enum Rdata {
    A([u8; 4]),
    Aaaa([u8; 16]),
    /// NS, CNAME, PTR, DNAME.
    Name(RrType, Name),
    Mx(u16, Name),
    Soa(Name, Name, [u32; 5]),
    Srv(u16, u16, u16, Name),
    Naptr(u16, u16, [Vec<u8>; 3], Name),
    Txt(Vec<Vec<u8>>),
    /// A type that nobody knows.
    Opaque(Vec<u8>),
}

const PRIVATE_TYPE: RrType = RrType(65_280);

impl Rdata {
    fn rtype(&self) -> RrType {
        match self {
            Rdata::A(_) => RrType::A,
            Rdata::Aaaa(_) => RrType::AAAA,
            Rdata::Name(rtype, _) => *rtype,
            Rdata::Mx(..) => RrType::MX,
            Rdata::Soa(..) => RrType::SOA,
            Rdata::Srv(..) => RrType::SRV,
            Rdata::Naptr(..) => RrType::NAPTR,
            Rdata::Txt(_) => RrType::TXT,
            Rdata::Opaque(_) => PRIVATE_TYPE,
        }
    }

    fn to_wire(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let text = |out: &mut Vec<u8>, t: &[u8]| {
            out.push(t.len() as u8);
            out.extend_from_slice(t);
        };
        match self {
            Rdata::A(a) => out.extend_from_slice(a),
            Rdata::Aaaa(a) => out.extend_from_slice(a),
            Rdata::Name(_, name) => out.extend_from_slice(name.as_wire()),
            Rdata::Mx(preference, name) => {
                out.extend_from_slice(&preference.to_be_bytes());
                out.extend_from_slice(name.as_wire());
            }
            Rdata::Soa(mname, rname, numbers) => {
                out.extend_from_slice(mname.as_wire());
                out.extend_from_slice(rname.as_wire());
                numbers.iter().for_each(|number| out.extend_from_slice(&number.to_be_bytes()));
            }
            Rdata::Srv(priority, weight, port, name) => {
                [priority, weight, port]
                    .iter()
                    .for_each(|number| out.extend_from_slice(&number.to_be_bytes()));
                out.extend_from_slice(name.as_wire());
            }
            Rdata::Naptr(order, preference, texts, name) => {
                out.extend_from_slice(&order.to_be_bytes());
                out.extend_from_slice(&preference.to_be_bytes());
                texts.iter().for_each(|t| text(&mut out, t));
                out.extend_from_slice(name.as_wire());
            }
            Rdata::Txt(texts) => texts.iter().for_each(|t| text(&mut out, t)),
            Rdata::Opaque(octets) => out.extend_from_slice(octets),
        }
        out
    }
}

/// Labels of few kinds, so that suffixes repeat and compression has something to do.
fn label() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => prop::sample::select(vec![&b"a"[..], b"B", b"www", b"WWW", b"example", b"x\0.", b"\xc0\x0c"])
            .prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 1..=63),
    ]
}

fn name() -> impl Strategy<Value = Name> {
    (prop::collection::vec(label(), 0..12), prop::sample::select(vec![".", "example.com.", "a.b.c.d.e.f."]))
        .prop_map(|(labels, base)| {
            // What would exceed 255 octets is left out.
            labels.iter().fold(n(base), |name, label| name.prepend(label).unwrap_or(name))
        })
}

fn rdata() -> impl Strategy<Value = Rdata> {
    let texts = || prop::collection::vec(any::<u8>(), 0..20);
    let redirects = vec![RrType::NS, RrType::CNAME, RrType::PTR, RrType::DNAME];
    prop_oneof![
        any::<[u8; 4]>().prop_map(Rdata::A),
        any::<[u8; 16]>().prop_map(Rdata::Aaaa),
        (prop::sample::select(redirects), name()).prop_map(|(t, name)| Rdata::Name(t, name)),
        (any::<u16>(), name()).prop_map(|(p, name)| Rdata::Mx(p, name)),
        (name(), name(), any::<[u32; 5]>()).prop_map(|(m, r, numbers)| Rdata::Soa(m, r, numbers)),
        (any::<u16>(), any::<u16>(), any::<u16>(), name()).prop_map(|(p, w, q, t)| Rdata::Srv(p, w, q, t)),
        (any::<u16>(), any::<u16>(), [texts(), texts(), texts()], name()).prop_map(
            // hickory-proto takes only letters and digits as NAPTR flags.
            |(o, p, [_, s, r], name)| Rdata::Naptr(o, p, [b"U".to_vec(), s, r], name)
        ),
        prop::collection::vec(texts(), 1..4).prop_map(Rdata::Txt),
        prop::collection::vec(any::<u8>(), 1..300).prop_map(Rdata::Opaque),
    ]
}

fn set() -> impl Strategy<Value = Set> {
    // hickory-proto keeps a TTL above 2^31-1 as it stands, we read 0 (RFC 2181 §8): see `shapes`.
    (prop::sample::select(SECTIONS.to_vec()), name(), 0..=i32::MAX as u32, rdata(), 1..3usize).prop_map(
        |(section, owner, ttl, rdata, times)| Set { section, owner, ttl, rdata: vec![rdata; times] },
    )
}

/// A question and RRsets in the order of their sections.
fn message() -> impl Strategy<Value = (Question, Vec<Set>)> {
    (name(), any::<u16>(), prop::collection::vec(set(), 0..25)).prop_map(|(name, rtype, mut sets)| {
        sets.sort_by_key(|set| set.section as u8);
        (Question::new(name, RrType(rtype)), sets)
    })
}

fn write(id: u16, flags: u16, question: &Question, sets: &[Set]) -> Vec<u8> {
    let mut writer = MessageWriter::new(id, flags, usize::from(u16::MAX));
    writer.question(question).unwrap();
    for set in sets {
        let block: Vec<Vec<u8>> = set.rdata.iter().map(Rdata::to_wire).collect();
        let rdata = Rdatas::new(block.iter().map(Vec::as_slice));
        let rtype = set.rdata[0].rtype();
        writer.rrset(set.section, &set.owner, rtype, Class::IN, set.ttl, &rdata).unwrap();
    }
    writer.finish()
}

/// Does our reader find in `bytes` exactly what was meant?
fn assert_reads_as(bytes: &[u8], question: &Question, sets: &[Set]) {
    let message = Message::parse(bytes).unwrap();
    assert_eq!(message.question(), Some(question));
    for section in SECTIONS {
        let wanted: Vec<(&Set, &Rdata)> = sets
            .iter()
            .filter(|set| set.section == section)
            .flat_map(|set| set.rdata.iter().map(move |rdata| (set, rdata)))
            .collect();
        assert_eq!(message.section(section).count(), wanted.len());
        for (record, (set, rdata)) in message.section(section).zip(wanted) {
            assert_eq!(record.owner().as_ref(), Some(&set.owner));
            assert!(record.is_owned_by(&set.owner));
            assert_eq!((record.rtype(), record.class(), record.ttl()), (rdata.rtype(), Class::IN, set.ttl));
            let (found, wire) = (record.rdata().expect("well-formed RDATA"), rdata.to_wire());
            if is_compressible(rdata.rtype()) {
                // A compressed name takes the case of the name it points to.
                assert!(found.eq_ignore_ascii_case(&wire), "{rdata:?}: {found:02x?}");
            } else {
                assert_eq!(found, wire, "{rdata:?}");
            }
        }
    }
}

/// Asks a message everything that it can be asked, and checks the caps. Returns the records seen.
fn read_all(bytes: &[u8]) -> usize {
    let Ok(message) = Message::parse(bytes) else { return 0 };
    let (mut records, mut octets) = (0, 0);
    let elsewhere = n("www.example.com.");
    let _ = (message.rcode(), message.header(), message.octets());
    if let Some(edns) = message.edns() {
        assert!(edns.options.len() <= limits::OPTIONS);
    }
    for section in SECTIONS {
        for record in message.section(section) {
            records += 1;
            let _ = (record.rtype(), record.class(), record.ttl(), record.is_owned_by(&elsewhere));
            if let Some(owner) = record.owner() {
                octets += owner.len();
                assert!(Name::from_wire(owner.as_wire()).is_ok());
            }
            if let Some(rdata) = record.rdata() {
                // Three names at most stand in one RDATA.
                assert!(rdata.len() <= bytes.len() + 2 * 255, "{} octets of RDATA", rdata.len());
            }
        }
    }
    assert!(records <= limits::RECORDS);
    assert!(octets <= limits::EXPANDED_OCTETS, "{octets} octets of names");
    records
}
