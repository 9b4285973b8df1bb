//! Octets from the network: read without panic and within the caps; what was understood and is
//! written again reads the same.

#![no_main]

use cnamed::rrset::{Class, Rdatas, RrType};
use cnamed::wire::reader::{Section, is_compressible};
use cnamed::wire::{Message, MessageWriter, Name, limits};
use libfuzzer_sys::fuzz_target;

type Read = (u8, Name, RrType, Class, u32, Vec<u8>);

const SECTIONS: [Section; 3] = [Section::Answer, Section::Authority, Section::Additional];

fn read(message: &Message<'_>) -> Vec<Read> {
    let mut found = Vec::new();
    let mut octets = 0;
    for section in SECTIONS {
        for record in message.section(section) {
            let (owner, rdata) = (record.owner(), record.rdata());
            octets += owner.as_ref().map_or(0, Name::len);
            if let (Some(owner), Some(rdata)) = (owner, rdata) {
                assert!(Name::from_wire(owner.as_wire()).is_ok());
                found.push((section as u8, owner, record.rtype(), record.class(), record.ttl(), rdata));
            }
        }
    }
    assert!(octets <= limits::EXPANDED_OCTETS);
    found
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = Message::parse(bytes) else { return };
    let found = read(&message);
    let mut writer = MessageWriter::new(message.header().id, message.header().flags, usize::from(u16::MAX));
    if let Some(question) = message.question() {
        assert!(writer.question(question).is_ok());
    }
    let mut kept = Vec::new();
    for record in &found {
        let (section, owner, rtype, class, ttl, rdata) = record;
        let block = Rdatas::new([rdata.as_slice()]);
        let section = SECTIONS[usize::from(*section)];
        if writer.rrset(section, owner, *rtype, *class, *ttl, &block).is_ok() {
            kept.push(record);
        }
    }
    let again = writer.finish();
    let message_again = Message::parse(&again).expect("what we write is a message");
    assert_eq!(message_again.question(), message.question());
    let read_again = read(&message_again);
    // Reading everything three times over may spend the caps, which is no error.
    if read_again.len() < kept.len() && again.len() > 4_096 {
        return;
    }
    assert_eq!(read_again.len(), kept.len());
    for (again, once) in read_again.iter().zip(kept) {
        assert_eq!((again.0, &again.1, again.2, again.3, again.4), (once.0, &once.1, once.2, once.3, once.4));
        if is_compressible(once.2) {
            assert!(again.5.eq_ignore_ascii_case(&once.5));
        } else {
            assert_eq!(again.5, once.5);
        }
    }
});
