//! Messages that somebody was proud of, one by one: what breaks the frame is an error, what is odd
//! in itself loses one record and nothing else, and nothing costs more than it should.

use std::time::{Duration, Instant};

use cnamed::wire::ReadError;

use super::*;

/// A response to `t.example. A`: the header, the question at offset 12, whatever follows.
struct Built(Vec<u8>);

/// Octets of the header and the question, thus where the first record stands.
const RECORDS_AT: u16 = 12 + 11 + 4;
/// A pointer to the question's name.
const QNAME: &[u8] = b"\xc0\x0c";
const SIX: &[u8] = b"\x06\x06\x06\x06";

fn counts(qd: u16, an: u16, ns: u16, ar: u16) -> Built {
    let mut bytes = vec![0x00, 0x34, 0x84, 0x00];
    [qd, an, ns, ar].iter().for_each(|count| bytes.extend_from_slice(&count.to_be_bytes()));
    Built(bytes)
}

/// A question and so many records per section.
fn asked(an: u16, ns: u16, ar: u16) -> Built {
    counts(1, an, ns, ar).question()
}

impl Built {
    fn raw(mut self, octets: &[u8]) -> Built {
        self.0.extend_from_slice(octets);
        self
    }
    fn question(self) -> Built {
        self.raw(b"\x01t\x07example\0\0\x01\0\x01")
    }
    fn record(self, owner: &[u8], rtype: u16, rdata: &[u8]) -> Built {
        self.record_saying(owner, rtype, rdata, rdata.len())
    }
    /// RDLENGTH says `says`, whatever is there.
    fn record_saying(self, owner: &[u8], rtype: u16, rdata: &[u8], says: usize) -> Built {
        self.raw(owner)
            .raw(&rtype.to_be_bytes())
            .raw(&[0, 1, 0, 0, 0, 60])
            .raw(&(says as u16).to_be_bytes())
            .raw(rdata)
    }
    fn a(self) -> Built {
        self.record(QNAME, 1, SIX)
    }
    fn opt(self, rdata: &[u8]) -> Built {
        self.raw(b"\0\0\x29\x04\xd0\0\0\0\0").raw(&(rdata.len() as u16).to_be_bytes()).raw(rdata)
    }
    fn error(&self) -> ReadError {
        read_all(&self.0);
        match Message::parse(&self.0) {
            Err(e) => e,
            Ok(_) => panic!("{:02x?} is no message", self.0),
        }
    }
    /// For each record: is the owner, is the RDATA well formed?
    fn records(&self) -> Vec<(bool, bool)> {
        read_all(&self.0);
        let message = Message::parse(&self.0).unwrap();
        SECTIONS
            .iter()
            .flat_map(|s| {
                message.section(*s).map(|r| (r.owner().is_some(), r.rdata().is_some())).collect::<Vec<_>>()
            })
            .collect()
    }
    /// The RDATA of the first record.
    fn rdata(&self) -> Option<Vec<u8>> {
        read_all(&self.0);
        let message = Message::parse(&self.0).unwrap();
        let record = SECTIONS.iter().find_map(|s| message.section(*s).next()).unwrap();
        record.rdata()
    }
}

const GOOD: (bool, bool) = (true, true);
const BAD_OWNER: (bool, bool) = (false, true);
const BAD_RDATA: (bool, bool) = (true, false);

fn pointer(to: u16) -> Vec<u8> {
    (0xc000 | to).to_be_bytes().to_vec()
}

#[test]
fn an_owner_whose_pointers_lead_nowhere_loses_its_record_only() {
    let o = RECORDS_AT;
    for (what, owner) in [
        ("to itself", pointer(o)),
        ("in a circle", [pointer(o + 2), pointer(o)].concat()),
        ("forward", pointer(o + 40)),
        ("behind the end", b"\xff\xff".to_vec()),
        ("into the header", b"\xc0\x00".to_vec()),
        ("a label, then itself", [b"\x01a".to_vec(), pointer(o)].concat()),
    ] {
        // Of the circle, the second pointer is read as the type: what follows is a record again.
        let built = asked(2, 0, 0).record(&owner, 1, SIX);
        if what == "in a circle" {
            assert_eq!(built.error(), ReadError::Truncated);
            continue;
        }
        assert_eq!(built.a().records(), [BAD_OWNER, GOOD], "{what}");
    }
    // Two owners that point at each other.
    let first = asked(2, 0, 0).record(&pointer(o + 16), 1, SIX).record(&pointer(o), 1, SIX);
    assert_eq!(first.records(), [BAD_OWNER, BAD_OWNER]);
}

#[test]
fn a_frame_that_cannot_be_followed_is_no_message() {
    for (what, built, error) in [
        ("half a pointer", asked(1, 0, 0).raw(b"\xc0"), ReadError::Truncated),
        ("label type 01", asked(1, 0, 0).record(b"\x41abc\0", 1, SIX), ReadError::Truncated),
        ("label type 10", asked(1, 0, 0).record(b"\x81abc\0", 1, SIX), ReadError::Truncated),
        ("RDLENGTH behind the end", asked(1, 0, 0).record_saying(QNAME, 1, SIX, 400), ReadError::Truncated),
        ("65535 answers promised", asked(65_535, 0, 0).a(), ReadError::Truncated),
        ("65535 authorities promised", asked(0, 65_535, 0).a(), ReadError::Truncated),
        ("65535 additionals promised", asked(0, 0, 65_535).a(), ReadError::Truncated),
        ("all of them promised", asked(65_535, 65_535, 65_535).a(), ReadError::Truncated),
        ("two questions", counts(2, 1, 0, 0).question().question().a(), ReadError::Questions),
        ("65535 questions, none there", counts(65_535, 0, 0, 0), ReadError::Questions),
        ("one question, none there", counts(1, 0, 0, 0), ReadError::Name),
        (
            "a question that points to itself",
            counts(1, 1, 0, 0).raw(b"\xc0\x0c\0\x01\0\x01").a(),
            ReadError::Name,
        ),
        ("a question without its class", counts(1, 0, 0, 0).raw(b"\x01t\0\0\x01"), ReadError::Truncated),
        ("eleven octets", Built(counts(0, 0, 0, 0).0[..11].to_vec()), ReadError::Runt),
        ("nothing", Built(Vec::new()), ReadError::Runt),
    ] {
        assert_eq!(built.error(), error, "{what}");
    }
}

#[test]
fn owners_over_255_octets_lose_their_record_only() {
    let five = [&[b"\x3f".to_vec(), vec![b'a'; 63]].concat().repeat(5)[..], b"\0"].concat();
    let many = [&b"\x01a".repeat(200)[..], b"\0"].concat();
    for owner in [five, many] {
        assert_eq!(asked(2, 0, 0).record(&owner, 1, SIX).a().records(), [BAD_OWNER, GOOD]);
    }
    // 255 octets with a pointer in the middle are a name; one more is none.
    let label = |n: usize| [&[n as u8][..], &vec![b'x'; n]].concat();
    let base = [label(63), label(63), label(63), b"\0".to_vec()].concat();
    for (n, expected) in [(61, GOOD), (62, BAD_OWNER)] {
        let built = asked(2, 0, 0).record(&base, 1, SIX);
        let owner = [label(n), pointer(RECORDS_AT)].concat();
        assert_eq!(built.record(&owner, 1, SIX).records(), [GOOD, expected]);
    }
}

#[test]
fn rdata_that_does_not_fit_its_type_loses_its_record_only() {
    let soa_short = b"\x01a\0\0\x01";
    let a_name = b"\x01a\0";
    for (what, rtype, rdata) in [
        ("A, RDLENGTH 0", 1, &b""[..]),
        ("A of five octets", 1, b"\x06\x06\x06\x06\x06"),
        ("AAAA of four octets", 28, SIX),
        ("CNAME, RDLENGTH 0", 5, b""),
        ("CNAME to its own RDATA", 5, &pointer(RECORDS_AT + 12)),
        ("CNAME with something behind it", 5, b"\x01a\0\0"),
        ("CNAME that leaves its RDATA", 5, b"\x05a"),
        ("NS that points forward", 2, b"\xc0\xff"),
        ("SOA without its numbers", 6, soa_short),
        ("MX of one octet", 15, b"\0"),
        ("MX without a name", 15, b"\0\x01"),
        ("SRV without a target", 33, b"\0\x01\0\x01\0\x01"),
        ("NAPTR whose text leaves its RDATA", 35, b"\0\x01\0\x01\xff"),
        ("NAPTR that ends before its texts", 35, b"\0\x01\0\x01"),
        ("DNAME, RDLENGTH 0", 39, b""),
    ] {
        let built = asked(1, 0, 1).record(QNAME, rtype, rdata).record(a_name, 1, SIX);
        assert_eq!(built.records(), [BAD_RDATA, GOOD], "{what}");
    }
    // RDLENGTH too small for A: the frame goes on behind what it says; the rest trails.
    assert_eq!(asked(1, 0, 0).record_saying(QNAME, 1, SIX, 2).records(), [BAD_RDATA]);
    // A name that begins inside its RDATA and ends outside belongs to nobody.
    let built = asked(2, 0, 0).record_saying(QNAME, 5, b"\x02a", 2).raw(b"b\0").a();
    read_all(&built.0);
}

/// hotpath.md §3, pitfall 3: types that we do not look into keep whatever they carry.
#[test]
fn opaque_rdata_is_kept_whatever_it_says() {
    for (what, rtype, rdata) in [
        ("RRSIG of two octets", 46, &b"\0\x01"[..]),
        ("NSEC3 with an unknown hash, cut short", 50, b"\x01\0\0\x01\xff"),
        ("DNSKEY, RDLENGTH 0", 48, b""),
        ("APL, RDLENGTH 0, which is legal (RFC 3123 §4)", 42, b""),
        ("SVCB with half a parameter", 64, b"\0\x01\0\0\x01\0"),
        ("TXT whose text leaves its RDATA", 16, b"\xff"),
        ("TSIG of zeros", 250, &[0; 16]),
        ("type 0", 0, SIX),
        ("type 65535", 65_535, SIX),
        ("an unknown type, RDLENGTH 0", 65_280, b""),
    ] {
        let built = asked(1, 0, 1).record(QNAME, rtype, rdata).record(b"\0", 1, SIX);
        assert_eq!(built.records(), [GOOD, GOOD], "{what}");
        assert_eq!(built.rdata().as_deref(), Some(rdata), "{what}");
    }
}

#[test]
fn odd_but_readable_messages_are_read() {
    for (what, built, records) in [
        ("nothing but header and question", asked(0, 0, 0), 0),
        ("no question", counts(0, 1, 0, 0).record(b"\x01t\x07example\0", 1, SIX), 1),
        ("octets behind the end", asked(1, 0, 0).a().raw(&b"\xde\xad".repeat(50)), 1),
        ("class 0", asked(1, 0, 0).raw(QNAME).raw(b"\0\x01\0\0\0\0\0\x3c\0\x04").raw(SIX), 1),
        ("an owner of one zero octet", asked(1, 0, 0).record(b"\0", 1, SIX), 1),
        ("two CNAMEs", asked(2, 0, 0).record(QNAME, 5, b"\x01a\0").record(QNAME, 5, b"\x01b\0"), 2),
        ("CNAME and A", asked(2, 0, 0).record(QNAME, 5, b"\x01a\0").a(), 2),
        ("DNAME to itself", asked(1, 0, 0).record(QNAME, 39, QNAME), 1),
    ] {
        assert_eq!(built.records(), vec![GOOD; records], "{what}");
    }
    let mut refused = asked(0, 0, 0);
    refused.0[3] = 0x4b;
    let message = Message::parse(&refused.0).unwrap();
    assert_eq!((message.rcode(), message.header().flags & 0x40), (11, 0x40), "RCODE 11, the Z bit");
}

#[test]
fn ttls_with_the_top_bit_mean_zero() {
    for (ttl, seconds) in [(0x7fff_ffffu32, 0x7fff_ffff), (0x8000_0000, 0), (u32::MAX, 0)] {
        let built =
            asked(1, 0, 0).raw(QNAME).raw(b"\0\x01\0\x01").raw(&ttl.to_be_bytes()).raw(b"\0\x04").raw(SIX);
        let message = Message::parse(&built.0).unwrap();
        assert_eq!(message.section(Section::Answer).next().map(|r| r.ttl()), Some(seconds));
    }
}

#[test]
fn edns_is_one_opt_at_the_root_in_the_additional_section() {
    assert_eq!(asked(1, 0, 2).a().opt(b"").opt(b"").error(), ReadError::Edns, "two");
    assert_eq!(asked(2, 0, 0).a().opt(b"").error(), ReadError::Edns, "in the answer section");
    assert_eq!(asked(0, 0, 1).record(b"\x01a\0", 41, b"").error(), ReadError::Edns, "below the root");
    assert_eq!(asked(0, 0, 1).opt(b"\0\x0a\xff\xff\0\0").error(), ReadError::Edns, "an option too long");
    for n in 1..4 {
        let rest = [&b"\0\x0a\0\0"[..], &[0; 3][..n]].concat();
        assert_eq!(asked(0, 0, 1).opt(&rest).error(), ReadError::Edns, "{n} octets left over");
    }
    let many = asked(1, 0, 1).a().opt(&b"\0\x03\0\0".repeat(5_000));
    assert_eq!(many.records(), [GOOD], "5,000 options: no record is lost");
    assert_eq!(Message::parse(&many.0).unwrap().edns().map(|e| e.options.len()), Some(limits::OPTIONS));
    let built = asked(0, 0, 1).opt(b"\0\x0a\0\x02ab\0\x0a\0\x01c");
    let message = Message::parse(&built.0).unwrap();
    assert_eq!(message.edns().and_then(|e| e.option(10)), Some(&b"ab"[..]), "the first of two");
}

/// hotpath.md §3, pitfall 1 (RFC 6672 §2.5: never compressed by honest senders, but by some).
#[test]
fn a_compressed_dname_target_is_expanded() {
    let built = asked(1, 0, 0).record(QNAME, 39, b"\x01d\xc0\x0e");
    assert_eq!(built.rdata().as_deref(), Some(&b"\x01d\x07example\0"[..]));
    let built = asked(1, 0, 0).record(QNAME, 33, b"\0\x01\0\x02\0\x03\x01d\xc0\x0e");
    assert_eq!(built.rdata().as_deref(), Some(&b"\0\x01\0\x02\0\x03\x01d\x07example\0"[..]));
}

#[test]
fn names_of_types_outside_rfc_1035_are_written_uncompressed() {
    let question = Question::new(n("example."), RrType::A);
    for rdata in [
        Rdata::Name(RrType::DNAME, n("example.")),
        Rdata::Srv(0, 0, 53, n("example.")),
        Rdata::Naptr(0, 0, [vec![], vec![], vec![]], n("example.")),
    ] {
        let set = Set { section: Section::Answer, owner: n("example."), ttl: 1, rdata: vec![rdata.clone()] };
        assert!(write(1, 0x8000, &question, &[set]).ends_with(&rdata.to_wire()), "RFC 3597 §4: {rdata:?}");
    }
}

/// Counts that cannot be true cost nothing: the answer comes before any record is looked at.
#[test]
fn promises_are_checked_before_memory_is_taken() {
    let started = Instant::now();
    for _ in 0..10_000 {
        assert!(Message::parse(&counts(65_535, 65_535, 65_535, 65_535).0).is_err());
        assert!(Message::parse(&counts(0, 65_535, 65_535, 65_535).0).is_err());
    }
    // Three million records of index each time would take minutes.
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

/// A chain of pointers in opaque RDATA, and then records until 64 KiB are full whose owners all
/// start at its far end (the shape behind RFC 9267 §3's loops, made long instead of endless).
fn pointer_chain(links: u16) -> Vec<u8> {
    let chain_at = RECORDS_AT + 12;
    let mut chain = Vec::new();
    for i in 0..links {
        chain.extend(pointer(if i == 0 { 12 } else { chain_at + 2 * (i - 1) }));
    }
    let far_end = pointer(chain_at + 2 * (links - 1));
    let mut built = asked(0, 0, 0).record(QNAME, 65_280, &chain);
    let mut records = 1u16;
    while built.0.len() < 65_000 {
        built = built.record(&far_end, 1, SIX);
        records += 1;
    }
    built.0[6..8].copy_from_slice(&records.to_be_bytes());
    built.0
}

#[test]
fn long_pointer_chains_are_followed_within_the_caps_only() {
    for (links, readable) in [(100, limits::POINTERS_PER_MESSAGE / 101), (200, 0), (4_000, 0)] {
        let bytes = pointer_chain(links);
        let started = Instant::now();
        let message = Message::parse(&bytes).unwrap();
        let owners = message.section(Section::Answer).skip(1).filter(|r| r.owner().is_some()).count();
        assert!(owners <= readable, "{links} links: {owners} owners of at most {readable}");
        assert!(readable == 0 || owners > 0, "a chain within the cap is a name");
        assert!(started.elapsed() < Duration::from_secs(1), "{links} links: {:?}", started.elapsed());
    }
}

/// Owners that fail cost as much to find out as good ones, and count against the same caps: behind
/// enough of them even a good owner is not looked at any more.
#[test]
fn failing_names_spend_the_caps_too() {
    let labels = [&b"\x3f"[..], &[b'a'; 63]].concat().repeat(3);
    // 192 octets of labels, then a pointer to nowhere; 5,000 owners point at it.
    let rdata = [&labels[..], b"\xff\xff"].concat();
    let mut built = asked(4_001, 0, 0).record(QNAME, 65_280, &rdata);
    let bad = pointer(RECORDS_AT + 12);
    for _ in 0..3_999 {
        built = built.record(&bad, 1, SIX);
    }
    built = built.a();
    let message = Message::parse(&built.0).unwrap();
    let owners: Vec<bool> = message.section(Section::Answer).map(|r| r.owner().is_some()).collect();
    assert_eq!(owners.iter().filter(|good| **good).count(), 1, "the first record's");
    assert!(owners[0] && !owners[4_000]);
}

fn unrelated_name(i: usize) -> Name {
    // Different from the right on, so that no suffix is shared.
    n(&format!("ns.a{}.b{}.c{}.t{i}.", i * 7, i * 5, i * 3))
}

#[test]
fn twenty_five_hundred_unrelated_names_are_written_in_bounded_time() {
    let names: Vec<Name> = (0..2_500).map(unrelated_name).collect();
    let rdata = Rdatas::new(names.iter().map(Name::as_wire));
    let started = Instant::now();
    for _ in 0..10 {
        let mut writer = MessageWriter::new(1, 0x8000, 65_535);
        writer.question(&Question::new(n("huge.example."), RrType::NS)).unwrap();
        let written = writer.rrset(Section::Answer, &n("huge.example."), RrType::NS, Class::IN, 60, &rdata);
        // 2,500 of these do not fit into 64 KiB: all or nothing.
        assert!(written.is_err());
        assert_eq!(writer.finish().len(), 12 + 14 + 4);
        let half = Rdatas::new(names[..1_200].iter().map(Name::as_wire));
        let mut writer = MessageWriter::new(1, 0x8000, 65_535);
        writer.rrset(Section::Answer, &n("huge.example."), RrType::NS, Class::IN, 60, &half).unwrap();
        assert_eq!(read_all(&writer.finish()), 1_200);
    }
    // Comparing every name with every other would take some 60 million comparisons of names.
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

#[test]
fn truncation_keeps_opt_and_whole_rrsets() {
    let question = Question::new(n("example."), RrType::A);
    let many =
        Rdatas::new((0..100u8).map(|i| [192, 0, 2, i]).collect::<Vec<_>>().iter().map(<[u8; 4]>::as_slice));
    let few = Rdatas::new([&[192, 0, 2, 1][..]]);
    let options = [(15u16, vec![0, 22])];
    let mut writer = MessageWriter::new(1, 0x8000, 512);
    writer.reserve(cnamed::wire::writer::opt_octets(&options));
    writer.question(&question).unwrap();
    assert!(writer.rrset(Section::Answer, &n("example."), RrType::A, Class::IN, 5, &many).is_err());
    assert!(writer.rrset(Section::Answer, &n("b.example."), RrType::A, Class::IN, 5, &few).is_ok());
    writer.set_flags(0x0200);
    writer.opt(1232, 1, 0x8000, &options).unwrap();
    let bytes = writer.finish();
    let message = Message::parse(&bytes).unwrap();
    assert!(bytes.len() <= 512 && message.header().has(0x0200));
    let edns = message.edns().unwrap();
    assert_eq!((edns.udp_size, edns.dnssec_ok, edns.option(15)), (1232, true, Some(&[0, 22][..])));
    assert_eq!(message.rcode(), 16, "the upper bits of the RCODE");
    let owners: Vec<_> = message.section(Section::Answer).map(|r| r.owner().unwrap()).collect();
    assert_eq!(owners, [n("b.example.")]);
}

/// What is cut off again must not be pointed to, whatever stands in its place later. Here it is the
/// last octet of an SOA's TTL (a label's length), its RDLENGTH, still zero while RDATA is written,
/// and its MNAME: for a moment the octets of the name that stood there before.
#[test]
fn names_that_were_cut_off_are_no_compression_targets() {
    let question = Question::new(n("q."), RrType::A);
    let ghost = n("\\000\\000\\001a.");
    let mut writer = MessageWriter::new(1, 0x8000, 200);
    writer.question(&question).unwrap();
    // Behind the eight octets of this label and its length, `ghost` stands where the TTL will end.
    let owner = ghost.prepend(b"xxxxxxxx").unwrap();
    let too_many = Rdatas::new([SIX; 50]);
    assert!(writer.rrset(Section::Answer, &owner, RrType::A, Class::IN, 1, &too_many).is_err());
    let soa = Set {
        section: Section::Authority,
        owner: n("q."),
        ttl: 4,
        rdata: vec![Rdata::Soa(n("a."), ghost, [1; 5])],
    };
    let rdata = Rdatas::new([soa.rdata[0].to_wire().as_slice()]);
    writer.rrset(soa.section, &soa.owner, RrType::SOA, Class::IN, soa.ttl, &rdata).unwrap();
    assert_reads_as(&writer.finish(), &question, &[soa]);
}
