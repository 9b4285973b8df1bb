//! A ladder of zones, each with a DS in the zone above, far longer than any tree of zones: proofs that rest on one another.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use cnamed::config::Config;
use cnamed::rrset::{Class, Question, Rdatas, RrType};
use cnamed::server::{LocalNames, Service};
use cnamed::wire::reader::Section;
use cnamed::wire::{Header, Message, MessageWriter, Name};
use cnamed::world::{
    Accept, Arrival, BoxFuture, Clock, ExchangeError, Network, Rng, Routes, Transport, World,
};
use tokio::time::Instant;

use crate::client::ask;

const SETTINGS: &str = "[dnssec]\ntrust-anchors = [\"test. DS 1 13 2 \
                        aea86119905ae7f0b6b193e1f73c8ad02fd0c73a4475c6872119aeaef7a3d1fc\"]\n\
                        [[stub]]\nzone = \"test.\"\nservers = [\"192.0.2.53\"]\n";

/// Has a DS and an address for each name, which claim to be signed by the zone above and by the name itself.
struct Ladder;

/// A signature by `signer`, of no worth.
fn rrsig(covered: RrType, owner: &Name, signer: &Name) -> Vec<u8> {
    let mut octets = covered.0.to_be_bytes().to_vec();
    octets.extend([13, u8::try_from(owner.label_count()).unwrap()]);
    octets.extend(3_600_u32.to_be_bytes());
    octets.extend(u32::MAX.to_be_bytes());
    octets.extend([0; 4]);
    octets.extend(1_u16.to_be_bytes());
    octets.extend(signer.as_wire());
    octets.extend([7; 64]);
    octets
}

impl Network for Ladder {
    fn exchange<'a>(
        &'a self,
        _to: SocketAddr,
        _transport: Transport,
        query: &'a [u8],
        accept: &'a Accept<'a>,
        _until: Instant,
    ) -> BoxFuture<'a, Result<Arrival, ExchangeError>> {
        Box::pin(async move {
            let sent = Instant::now();
            let message = Message::parse(query).expect("a query");
            let question = message.question().expect("a question");
            let Question { name, rtype, .. } = question;
            let mut writer = MessageWriter::new(message.header().id, Header::QR | Header::AA, 4_096);
            writer.question(question).unwrap();
            let (data, signer) = match *rtype {
                RrType::DS => ([&[0, 1, 13, 2][..], &[7; 32]].concat(), name.parent().unwrap()),
                _ => (vec![192, 0, 2, 1], name.clone()),
            };
            if matches!(*rtype, RrType::DS | RrType::A) {
                let data = Rdatas::new([&data[..]]);
                writer.rrset(Section::Answer, name, *rtype, Class::IN, 3_600, &data).unwrap();
                let sig = rrsig(*rtype, name, &signer);
                let sigs = Rdatas::new([&sig[..]]);
                writer.rrset(Section::Answer, name, RrType::RRSIG, Class::IN, 3_600, &sigs).unwrap();
            }
            let octets = writer.finish();
            accept(&octets);
            Ok(Arrival { octets, rtt: sent.elapsed() })
        })
    }

    fn routes(&self) -> Routes {
        Routes { v4: true, v6: false }
    }
}

async fn rcode(service: &Service, name: &Name, rtype: RrType, flags: u16) -> u16 {
    let mut writer = MessageWriter::new(1, Header::RD | flags, 512);
    writer.question(&Question::new(name.clone(), rtype)).unwrap();
    let client = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4711);
    let answer = service.respond(&writer.finish(), client, Transport::Tcp).await.unwrap();
    Message::parse(&answer).unwrap().rcode()
}

#[tokio::test(start_paused = true)]
async fn proofs_that_rest_on_one_another_without_end_are_given_up() {
    let mut config = Config::parse(SETTINGS, Path::new("test")).unwrap();
    config.resolver.root_priming = false;
    config.resolver.qname_minimisation = false;
    let world = World { network: Arc::new(Ladder), clock: Clock::system(), rng: Rng::seeded(1) };
    let service = Service::with_local_names(Arc::new(config), world, LocalNames::Resolved);
    let zone = |steps: usize| -> Name { format!("{}test.", "a.".repeat(steps)).parse().unwrap() };
    // What is had without proof costs the proof no message, so that the budget does not end it.
    for steps in 1..=40 {
        assert_eq!(rcode(&service, &zone(steps), RrType::DS, Header::CD).await, 0);
    }
    assert_eq!(rcode(&service, &zone(40), RrType::A, Header::CD).await, 0);
    let answer = ask(&service, &Question::new(zone(40), RrType::A)).await;
    assert_eq!(answer.rcode, 2);
    assert!(answer.edes[0].1.ends_with("validating it takes too much work"), "{:?}", answer.edes);
}
