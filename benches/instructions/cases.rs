//! What is counted: each case does one thing again and again, the same each time.
//!
//! Knows: how to bring the resolver to where a case begins, and what a round must have come to (a case
//! that no longer does what its name says panics). Does not know: counting (`callgrind.rs`), limits
//! (`gate.rs`). The network is the embedded world, the clock tokio's paused one, randomness is seeded.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use cnamed::config::Config;
use cnamed::lab;
use cnamed::request::Request;
use cnamed::rrset::{Class, Question, Rdatas, RrSet, RrType};
use cnamed::server::door::Door;
use cnamed::server::{LocalNames, Respond as _, Service};
use cnamed::trace::{Event, Trace, Why};
use cnamed::trust::scrub::{Asked, Manner, Notes, Reply, read};
use cnamed::wire::reader::Section;
use cnamed::wire::{Header, Message, MessageWriter, Name};
use cnamed::world::{Clock, Network, Rng, Transport, World};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

/// One thing done once.
pub type Round = Box<dyn FnMut()>;

/// Something to count.
pub struct Case {
    /// As the baseline calls it.
    pub name: &'static str,
    /// So often it is done: enough that hash seeds, which differ from process to process, do not matter.
    pub rounds: usize,
    /// Brings everything to where so many rounds can be done.
    prepare: fn(usize) -> Round,
}

impl Case {
    /// Does it.
    pub fn run(&self) {
        let mut round = (self.prepare)(self.rounds);
        counted(self.rounds, &mut *round);
        // Taking everything apart is no part of it.
        std::mem::forget(round);
    }
}

/// The rounds, and one allocation to see that allocations are seen: callgrind counts from here on.
#[inline(never)]
fn counted(rounds: usize, round: &mut dyn FnMut()) {
    drop(black_box(Box::new(0_u64)));
    for _ in 0..rounds {
        round();
    }
}

pub const COLD_CHAIN: &str = "cold-chain";
pub const HIT: &str = "hit";
pub const NOTE: &str = "note-untraced";

pub const CASES: &[Case] = &[
    Case { name: "parse-query", rounds: 20_000, prepare: parse_query },
    Case { name: "parse-answer", rounds: 2_000, prepare: parse_answer },
    Case { name: "write-chain", rounds: 2_000, prepare: write_chain },
    Case { name: "scrub-referral", rounds: 2_000, prepare: |_| scrub(".", "www.example.net.") },
    Case { name: "scrub-answer", rounds: 2_000, prepare: |_| scrub("example.net.", "www.example.net.") },
    Case { name: "ready-hit", rounds: 20_000, prepare: |_| ready(PLAIN) },
    Case { name: "ready-chain-hit", rounds: 20_000, prepare: |_| ready(CHAIN) },
    Case { name: HIT, rounds: 2_000, prepare: |_| hit(PLAIN) },
    Case { name: "chain-hit", rounds: 1_000, prepare: |_| hit(CHAIN) },
    Case { name: "cold", rounds: 60, prepare: |rounds| cold(PLAIN, Proofs::No, rounds) },
    Case { name: COLD_CHAIN, rounds: 40, prepare: |rounds| cold(CHAIN, Proofs::No, rounds) },
    Case { name: "cold-signed", rounds: 20, prepare: |rounds| cold(SIGNED, Proofs::Wanted, rounds) },
    Case { name: "cold-chain-untraced", rounds: 40, prepare: |rounds| answer(false, rounds) },
    Case { name: "cold-chain-traced", rounds: 40, prepare: |rounds| answer(true, rounds) },
    Case { name: NOTE, rounds: 20_000, prepare: |_| note() },
];

/// A name with an address, and how many records its answer has.
const PLAIN: (&str, u16) = ("www.example.net.", 1);
/// Four aliases in four zones.
const CHAIN: (&str, u16) = ("hops04.chain.example.", 5);
/// One alias in a signed zone, each RRset with its signature.
const SIGNED: (&str, u16) = ("whole.signed.example.", 4);

const CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4711);
/// 1 June 2026: the signatures of the embedded world hold then.
const WALL: u64 = 1_780_272_000;

#[derive(Clone, Copy, PartialEq)]
enum Proofs {
    Wanted,
    No,
}

/// A place to resolve in.
struct Stage {
    runtime: Runtime,
    lab: Arc<lab::World>,
    config: Arc<Config>,
}

impl Stage {
    fn new(proofs: Proofs) -> Stage {
        let lab = lab::World::embedded().unwrap().with_rng(Rng::seeded(1));
        let mut config = Config::default();
        config.resolver.hints = lab.hints();
        // Beside the first question, not part of it: whether it falls within a round is chance.
        config.resolver.root_priming = false;
        config.dnssec.validation = proofs == Proofs::Wanted;
        config.dnssec.anchors = lab.anchors();
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        Stage { runtime, lab, config: Arc::new(config) }
    }

    fn world(&self) -> World {
        let network = Arc::clone(&self.lab) as Arc<dyn Network>;
        self.runtime
            .block_on(async { World { network, clock: Clock::starting_at(WALL), rng: Rng::seeded(2) } })
    }

    /// A resolver that knows nothing yet.
    fn service(&self) -> Arc<Service> {
        let world = self.world();
        let config = Arc::clone(&self.config);
        self.runtime.block_on(async { Service::with_local_names(config, world, LocalNames::Resolved) })
    }

    fn respond(&self, door: &Door, query: &[u8]) -> Vec<u8> {
        self.runtime.block_on(door.respond(query, CLIENT, Transport::Udp)).unwrap()
    }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn question(text: &str) -> Question {
    Question::new(name(text), RrType::A)
}

/// As a stub resolver with EDNS asks.
fn query(text: &str, dnssec_ok: u16) -> Vec<u8> {
    let mut writer = MessageWriter::new(0x1234, Header::RD, 512);
    writer.question(&question(text)).unwrap();
    writer.opt(1232, 0, dnssec_ok, &[]).unwrap();
    writer.finish()
}

fn records(reply: &[u8]) -> u16 {
    Header::read(reply).unwrap().ancount
}

fn parse_query(_: usize) -> Round {
    let query = query(PLAIN.0, 0);
    Box::new(move || {
        let message = Message::parse(black_box(&query)).unwrap();
        assert!(black_box(message.question()).is_some());
    })
}

/// Ten addresses, each record looked at.
fn parse_answer(_: usize) -> Round {
    let mut writer = MessageWriter::new(0x1234, Header::QR, 1232);
    writer.question(&question(PLAIN.0)).unwrap();
    let addresses: Vec<[u8; 4]> = (0..10).map(|n| [192, 0, 2, n]).collect();
    let rdata = Rdatas::new(addresses.iter().map(<[u8; 4]>::as_slice));
    writer.rrset(Section::Answer, &name(PLAIN.0), RrType::A, Class::IN, 300, &rdata).unwrap();
    let reply = writer.finish();
    Box::new(move || {
        let message = Message::parse(black_box(&reply)).unwrap();
        let seen = message.section(Section::Answer).map(|r| black_box((r.owner(), r.ttl(), r.rdata())));
        assert_eq!(seen.filter(|(owner, _, rdata)| owner.is_some() && rdata.is_some()).count(), 10);
    })
}

/// Four aliases and an address.
fn write_chain(_: usize) -> Round {
    let owners =
        ["www.example.com.", "a.cdn.example.", "b.edge.example.net.", "c.example.org.", "d.example.org."];
    let owners = owners.map(name);
    let question = Question::new(owners[0].clone(), RrType::A);
    let targets: Vec<Rdatas> = owners[1..].iter().map(|target| Rdatas::new([target.as_wire()])).collect();
    let address = Rdatas::new([&[192, 0, 2, 1][..]]);
    Box::new(move || {
        let mut writer = MessageWriter::new(0x1234, Header::QR, 1232);
        writer.question(black_box(&question)).unwrap();
        for (owner, target) in owners.iter().zip(&targets) {
            writer.rrset(Section::Answer, owner, RrType::CNAME, Class::IN, 300, target).unwrap();
        }
        writer.rrset(Section::Answer, &owners[4], RrType::A, Class::IN, 300, &address).unwrap();
        assert_eq!(records(&black_box(writer.finish())), 5);
    })
}

/// What a server of `zone` says to `asked`, read and understood.
fn scrub(zone: &str, asked: &str) -> Round {
    let lab = lab::World::embedded().unwrap();
    let zone = name(zone);
    let server = lab.server(server_of(&lab, &zone)).unwrap();
    let reply = server.reply(&query(asked, 0), Transport::Udp).unwrap();
    let question = question(asked);
    let is_referral = zone.is_root();
    Box::new(move || {
        let message = Message::parse(black_box(&reply)).unwrap();
        let manner = Manner::Authority;
        let asked = Asked { zone: &zone, question: &question, unforgeable: true, guarded: true, manner };
        let understood = black_box(read(&message, &asked, &mut Notes::default()));
        assert!(matches!(
            (understood, is_referral),
            (Reply::Referral(_), true) | (Reply::Data { .. }, false)
        ));
    })
}

/// The address of a server of a zone.
fn server_of(lab: &lab::World, zone: &Name) -> IpAddr {
    let mut addresses = lab.zones().flat_map(|(_, known)| known.addresses()).flat_map(RrSet::addresses);
    addresses.find(|at| lab.server(*at).is_some_and(|server| server.has(zone))).unwrap()
}

/// Answered from the batch it came in.
fn ready((asked, count): (&'static str, u16)) -> Round {
    let stage = Stage::new(Proofs::No);
    let door = Door::new(stage.service(), 1);
    let query = query(asked, 0);
    // A ready packet is made of what the cache alone has said.
    (0..3).for_each(|_| assert_eq!(records(&stage.respond(&door, &query)), count));
    let now = stage.runtime.block_on(async { Instant::now() });
    let mut out = Vec::with_capacity(4_096);
    Box::new(move || {
        let _runtime = &stage.runtime;
        out.clear();
        assert!(door.at_once(black_box(&query), CLIENT, now, &mut out));
        assert_eq!(records(black_box(&out)), count);
    })
}

/// Answered from the cache of hops, hop by hop.
fn hit((asked, count): (&'static str, u16)) -> Round {
    let stage = Stage::new(Proofs::No);
    let door = Door::without_answers(stage.service());
    let query = query(asked, 0);
    stage.respond(&door, &query);
    Box::new(move || assert_eq!(records(&stage.respond(&door, black_box(&query))), count))
}

/// One question to a resolver that knows nothing yet.
fn cold((asked, count): (&'static str, u16), proofs: Proofs, rounds: usize) -> Round {
    let stage = Stage::new(proofs);
    let services: Vec<Arc<Service>> = (0..rounds).map(|_| stage.service()).collect();
    let query = query(asked, if proofs == Proofs::Wanted { 0x8000 } else { 0 });
    let mut next = 0;
    Box::new(move || {
        let service = &services[next];
        next += 1;
        let reply =
            stage.runtime.block_on(service.respond(black_box(&query), CLIENT, Transport::Udp)).unwrap();
        assert_eq!(records(&reply), count);
        assert_eq!(Header::read(&reply).unwrap().has(Header::AD), proofs == Proofs::Wanted);
    })
}

/// [`COLD_CHAIN`] as a program asks that may want to see the trace.
fn answer(traced: bool, rounds: usize) -> Round {
    let stage = Stage::new(Proofs::No);
    let services: Vec<(Arc<Service>, World)> =
        (0..rounds).map(|_| (stage.service(), stage.world())).collect();
    let question = question(CHAIN.0);
    let mut next = 0;
    Box::new(move || {
        let (service, world) = &services[next];
        next += 1;
        let events = events(&stage, service, world, &question, traced);
        assert_eq!(events > 0, traced);
    })
}

fn events(stage: &Stage, service: &Service, world: &World, question: &Question, traced: bool) -> usize {
    stage.runtime.block_on(async {
        let request = Arc::new(Request::new(Arc::clone(&stage.config), world, 0, traced));
        let answer = service.answer(&request, question.clone()).await;
        assert!(!answer.terminal.is_empty());
        request.trace.events().len()
    })
}

/// How many events [`COLD_CHAIN`] and then a [`HIT`] have for who looks.
pub fn events_of_cold_chain_and_hit() -> (usize, usize) {
    let stage = Stage::new(Proofs::No);
    let (service, world) = (stage.service(), stage.world());
    let cold = events(&stage, &service, &world, &question(CHAIN.0), true);
    events(&stage, &service, &world, &question(PLAIN.0), true);
    (cold, events(&stage, &service, &world, &question(PLAIN.0), true))
}

/// Something happens, in a look-up of its own, and nobody looks.
fn note() -> Round {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let trace = runtime.block_on(async { Trace::off(Instant::now()) });
    let question = question(PLAIN.0);
    Box::new(move || {
        let trace = black_box(&trace);
        let scope = trace.open();
        trace.note(scope, || Event::Wanted { question: question.clone(), why: Why::Hop, parent: 0 });
    })
}
