//! Octets from nowhere, and valid messages that somebody has changed.

use super::*;

/// What is done to a valid message.
#[derive(Clone, Debug)]
enum Change {
    Set(prop::sample::Index, u8),
    Remove(prop::sample::Index, usize),
    Insert(prop::sample::Index, Vec<u8>),
    Cut(prop::sample::Index),
    Copy(prop::sample::Index, prop::sample::Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let index = any::<prop::sample::Index>;
    let octet = prop_oneof![
        3 => prop::sample::select(vec![0u8, 0xff, 0xc0, 0x0c, 0x3f, 0x40, 0x80, 41]),
        1 => any::<u8>(),
    ];
    prop_oneof![
        5 => (index(), octet).prop_map(|(i, b)| Change::Set(i, b)),
        1 => (index(), 1..20usize).prop_map(|(i, n)| Change::Remove(i, n)),
        1 => (index(), prop::collection::vec(any::<u8>(), 1..20)).prop_map(|(i, v)| Change::Insert(i, v)),
        1 => index().prop_map(Change::Cut),
        1 => (index(), index(), 1..40usize).prop_map(|(i, j, n)| Change::Copy(i, j, n)),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    if bytes.is_empty() {
        return;
    }
    let len = bytes.len();
    match change {
        Change::Set(i, b) => bytes[i.index(len)] = *b,
        Change::Remove(i, n) => {
            let at = i.index(len);
            bytes.drain(at..(at + n).min(len));
        }
        Change::Insert(i, octets) => {
            let at = i.index(len);
            bytes.splice(at..at, octets.iter().copied());
        }
        Change::Cut(i) => bytes.truncate(i.index(len)),
        Change::Copy(from, to, n) => {
            let from = from.index(len);
            let piece = bytes[from..(from + n).min(len)].to_vec();
            let at = to.index(len);
            bytes.splice(at..at, piece);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn arbitrary_octets_are_read_within_the_caps(bytes in prop::collection::vec(any::<u8>(), 0..1_500)) {
        read_all(&bytes);
    }

    /// A header that promises little, so that the octets behind it get read as records.
    #[test]
    fn arbitrary_records_are_read_within_the_caps(
        counts in [0..2u16, 0..4, 0..4, 0..4],
        pieces in prop::collection::vec(
            prop_oneof![
                prop::sample::select(vec![
                    &b"\0"[..], b"\xc0\x0c", b"\xc0\x0e", b"\x01a\0", b"\x03www\xc0\x0c", b"\0\x01\0\x01\0\0\0\x05\0\x04",
                    b"\0\x05\0\x01\0\0\0\x05\0\x02\xc0\x0c", b"\0\x06\0\x01\0\0\0\x05\0\x16", b"\0\x29\x04\xd0\0\0\x80\0\0\0",
                    b"\0\x23\0\x01\0\0\0\x05\0\x09\0\x01\0\x01\0\0\0\0",
                ]).prop_map(<[u8]>::to_vec),
                prop::collection::vec(any::<u8>(), 0..30),
            ],
            0..20,
        ),
    ) {
        let mut bytes = vec![0, 7, 0x81, 0x80];
        counts.iter().for_each(|count| bytes.extend_from_slice(&count.to_be_bytes()));
        pieces.iter().for_each(|piece| bytes.extend_from_slice(piece));
        read_all(&bytes);
    }
}

proptest! {
    #[test]
    fn changed_messages_are_read_within_the_caps(
        (question, sets) in message(),
        changes in prop::collection::vec(change(), 1..8),
    ) {
        let mut bytes = write(7, 0x8180, &question, &sets);
        for change in &changes {
            apply(&mut bytes, change);
            read_all(&bytes);
        }
    }

    #[test]
    fn arbitrary_octets_are_no_name_or_one_that_round_trips(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(name) = Name::from_wire(&bytes) {
            prop_assert_eq!(name.as_wire(), &bytes[..]);
            prop_assert!(n(&name.to_string()).eq_case(&name));
        }
    }

    #[test]
    fn arbitrary_text_is_no_name_or_one_of_at_most_255_octets(text in "\\PC{0,300}") {
        if let Ok(name) = text.parse::<Name>() {
            prop_assert!(name.len() <= 255);
            prop_assert!(n(&name.to_string()).eq_case(&name));
        }
    }

    /// However small the limit, what is written is a valid message of whole RRsets.
    #[test]
    fn a_limit_cuts_between_rrsets((question, sets) in message(), limit in 300..3_000usize) {
        let mut writer = MessageWriter::new(1, 0x8000, limit);
        writer.reserve(11);
        writer.question(&question).unwrap();
        let mut kept = Vec::new();
        for set in &sets {
            let block: Vec<Vec<u8>> = set.rdata.iter().map(Rdata::to_wire).collect();
            let rdata = Rdatas::new(block.iter().map(Vec::as_slice));
            let rtype = set.rdata[0].rtype();
            if writer.rrset(set.section, &set.owner, rtype, Class::IN, set.ttl, &rdata).is_ok() {
                kept.push(set.clone());
            }
        }
        writer.opt(1232, 0, 0x8000, &[]).unwrap();
        let bytes = writer.finish();
        prop_assert!(bytes.len() <= limit);
        prop_assert!(Message::parse(&bytes).unwrap().edns().is_some_and(|e| e.dnssec_ok));
        assert_reads_as(&bytes, &question, &kept);
    }
}
