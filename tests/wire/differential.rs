//! Ours against hickory-proto's, in both directions.

use std::net::{Ipv4Addr, Ipv6Addr};

use hickory_proto::op;
use hickory_proto::rr::rdata::{self as h, NULL};
use hickory_proto::rr::{DNSClass, Name as HickoryName, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder, NameEncoding};

use super::*;

fn to_hickory_name(name: &Name) -> HickoryName {
    let mut name = HickoryName::from_labels(name.labels()).unwrap();
    name.set_fqdn(true);
    name
}

fn from_hickory_name(name: &HickoryName) -> Name {
    let mut wire = Vec::new();
    for label in name {
        wire.push(label.len() as u8);
        wire.extend_from_slice(label);
    }
    wire.push(0);
    Name::from_wire(&wire).unwrap()
}

fn to_hickory(rdata: &Rdata) -> RData {
    let name = to_hickory_name;
    match rdata {
        Rdata::A(a) => RData::A(h::A(Ipv4Addr::from(*a))),
        Rdata::Aaaa(a) => RData::AAAA(h::AAAA(Ipv6Addr::from(*a))),
        Rdata::Name(RrType::NS, target) => RData::NS(h::NS(name(target))),
        Rdata::Name(RrType::CNAME, target) => RData::CNAME(h::CNAME(name(target))),
        Rdata::Name(RrType::PTR, target) => RData::PTR(h::PTR(name(target))),
        Rdata::Mx(preference, target) => RData::MX(h::MX::new(*preference, name(target))),
        Rdata::Soa(m, r, [serial, refresh, retry, expire, minimum]) => RData::SOA(h::SOA::new(
            name(m),
            name(r),
            *serial,
            refresh.cast_signed(),
            retry.cast_signed(),
            expire.cast_signed(),
            *minimum,
        )),
        Rdata::Srv(priority, weight, port, target) => {
            RData::SRV(h::SRV::new(*priority, *weight, *port, name(target)))
        }
        Rdata::Naptr(order, preference, [flags, services, regexp], target) => RData::NAPTR(h::NAPTR::new(
            *order,
            *preference,
            flags.as_slice().into(),
            services.as_slice().into(),
            regexp.as_slice().into(),
            name(target),
        )),
        Rdata::Txt(texts) => RData::TXT(h::TXT::from_bytes(texts.iter().map(Vec::as_slice).collect())),
        // DNAME is none of the types that hickory-proto knows.
        Rdata::Name(..) | Rdata::Opaque(_) => {
            RData::Unknown { code: RecordType::from(rdata.rtype().0), rdata: NULL::with(rdata.to_wire()) }
        }
    }
}

/// What hickory-proto understood, as uncompressed RDATA.
fn wire_of(rdata: &RData) -> Vec<u8> {
    let mut buf = Vec::new();
    let mut encoder = BinEncoder::new(&mut buf);
    encoder.set_name_encoding(NameEncoding::Uncompressed);
    // The encoder would still compress the types of RFC 1035; far behind the reach of a pointer it
    // has nothing to point to, and one record alone repeats names only in SOA.
    match rdata {
        RData::SOA(soa) => {
            let mut out = from_hickory_name(&soa.mname).as_wire().to_vec();
            out.extend_from_slice(from_hickory_name(&soa.rname).as_wire());
            out.extend_from_slice(&soa.serial.to_be_bytes());
            for number in [soa.refresh, soa.retry, soa.expire] {
                out.extend_from_slice(&number.to_be_bytes());
            }
            out.extend_from_slice(&soa.minimum.to_be_bytes());
            return out;
        }
        // The encoder writes these in lower case (RFC 4034 §6.2).
        RData::SRV(srv) => {
            return Rdata::Srv(srv.priority, srv.weight, srv.port, from_hickory_name(&srv.target)).to_wire();
        }
        RData::NAPTR(naptr) => {
            let texts = [&naptr.flags, &naptr.services, &naptr.regexp].map(|t| t.to_vec());
            let target = from_hickory_name(&naptr.replacement);
            return Rdata::Naptr(naptr.order, naptr.preference, texts, target).to_wire();
        }
        other => other.emit(&mut encoder).unwrap(),
    }
    buf
}

fn assert_hickory_reads_as(bytes: &[u8], question: &Question, sets: &[Set]) {
    let message = op::Message::from_vec(bytes).unwrap();
    let [query] = message.queries.as_slice() else { panic!("{} questions", message.queries.len()) };
    assert_eq!(from_hickory_name(query.name()), question.name);
    assert_eq!(u16::from(query.query_type()), question.rtype.0);
    for (section, records) in
        SECTIONS.iter().zip([&message.answers, &message.authorities, &message.additionals])
    {
        let wanted: Vec<(&Set, &Rdata)> = sets
            .iter()
            .filter(|set| set.section == *section)
            .flat_map(|set| set.rdata.iter().map(move |rdata| (set, rdata)))
            .collect();
        assert_eq!(records.len(), wanted.len());
        for (record, (set, rdata)) in records.iter().zip(wanted) {
            assert_eq!(from_hickory_name(&record.name), set.owner);
            assert_eq!(u16::from(record.record_type()), rdata.rtype().0);
            assert_eq!((record.dns_class, record.ttl), (DNSClass::IN, set.ttl));
            let found = wire_of(&record.data);
            assert!(found.eq_ignore_ascii_case(&rdata.to_wire()), "{rdata:?}: {found:02x?}");
        }
    }
}

fn hickory_writes(question: &Question, sets: &[Set]) -> Vec<u8> {
    let mut message = op::Message::new(7, op::MessageType::Response, op::OpCode::Query);
    let rtype = RecordType::from(question.rtype.0);
    message.add_query(op::Query::query(to_hickory_name(&question.name), rtype));
    for set in sets {
        for rdata in &set.rdata {
            let record = Record::from_rdata(to_hickory_name(&set.owner), set.ttl, to_hickory(rdata));
            match set.section {
                Section::Answer => message.add_answer(record),
                Section::Authority => message.add_authority(record),
                Section::Additional => message.add_additional(record),
            };
        }
    }
    message.to_vec().unwrap()
}

proptest! {
    #[test]
    fn what_we_write_both_read_alike((question, sets) in message(), id: u16) {
        let bytes = write(id, 0x8180, &question, &sets);
        assert_reads_as(&bytes, &question, &sets);
        assert_hickory_reads_as(&bytes, &question, &sets);
        prop_assert!(bytes.len() <= uncompressed_octets(&question, &sets));
    }

    #[test]
    fn what_hickory_writes_we_read_alike((question, sets) in message()) {
        let bytes = hickory_writes(&question, &sets);
        assert_reads_as(&bytes, &question, &sets);
    }

    #[test]
    fn presentation_of_names_agrees_with_hickory(name in name()) {
        prop_assert_eq!(&n(&name.to_string()), &name);
        prop_assert!(n(&name.to_string()).eq_case(&name));
        // hickory-proto reads \DDD as octal, against RFC 1035 §5.1, and refuses some characters that
        // are plain text to us; compare what both take as it stands.
        let text = name.to_string();
        if let (false, Ok(theirs)) = (text.contains('\\'), HickoryName::from_ascii(&text)) {
            prop_assert_eq!(from_hickory_name(&theirs), name);
        }
    }
}

fn uncompressed_octets(question: &Question, sets: &[Set]) -> usize {
    let records = sets.iter().flat_map(|set| set.rdata.iter().map(move |rdata| (set, rdata)));
    16 + question.name.len() + records.map(|(set, r)| set.owner.len() + 10 + r.to_wire().len()).sum::<usize>()
}

/// Every name one label longer than the one before: a pointer to a pointer to a pointer.
fn nested(depth: usize) -> (Question, Vec<Set>) {
    let mut owner = n("a.");
    let question = Question::new(owner.clone(), RrType::A);
    let mut sets = Vec::new();
    for _ in 0..depth {
        owner = owner.prepend(b"b").unwrap();
        sets.push(Set {
            section: Section::Answer,
            owner: owner.clone(),
            ttl: 1,
            rdata: vec![Rdata::A([192, 0, 2, 1])],
        });
    }
    (question, sets)
}

#[test]
fn names_nested_as_deep_as_names_go_are_read_by_everybody() {
    let (question, sets) = nested(110);
    let ours = write(1, 0x8000, &question, &sets);
    assert_reads_as(&ours, &question, &sets);
    assert_hickory_reads_as(&ours, &question, &sets);
    assert_reads_as(&hickory_writes(&question, &sets), &question, &sets);
}
