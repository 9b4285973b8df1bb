//! Ready packets change no answer: over random histories, what a door has ready is octet for octet what
//! the long way says at the same moment.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use cnamed::cache::hop::{Alias, Hop, Judged};
use cnamed::cache::scratch::Scratch;
use cnamed::config::Config;
use cnamed::failure::{Failure, Unaddressed};
use cnamed::rrset::{Question, RrSet, RrType};
use cnamed::server::door::Door;
use cnamed::server::{LocalNames, Respond as _, Service};
use cnamed::trust::Rank;
use cnamed::trust::scrub::{Proof, Reply};
use cnamed::wire::{MessageWriter, Name};
use cnamed::world::{
    Accept, Arrival, BoxFuture, Clock, ExchangeError, Network, Rng, Routes, Transport, World,
};
use tokio::time::Instant;

use crate::everything;

/// Refuses everything at once: what is not in the cache fails.
struct Nobody;

impl Network for Nobody {
    fn exchange<'a>(
        &'a self,
        _to: SocketAddr,
        _transport: Transport,
        _query: &'a [u8],
        _accept: &'a Accept<'a>,
        _until: Instant,
    ) -> BoxFuture<'a, Result<Arrival, ExchangeError>> {
        Box::pin(async { Err(ExchangeError::Io(std::io::ErrorKind::ConnectionRefused.into())) })
    }

    fn routes(&self) -> Routes {
        Routes { v4: true, v6: false }
    }
}

const TYPES: [RrType; 5] = [RrType::A, RrType::A, RrType::AAAA, RrType::CNAME, RrType::DS];
const HISTORIES: u64 = 150;
const STEPS: usize = 300;

/// One history.
struct History {
    rng: Rng,
    service: Arc<Service>,
    config: Config,
    door: Door,
    long_way: Door,
    /// What was asked of late: name, type, flags, DO.
    lately: Vec<(Name, RrType, u16, u16)>,
    /// Answers that were ready.
    ready: usize,
}

impl History {
    fn new(seed: u64) -> History {
        let rng = Rng::seeded(!seed);
        let mut config = Config::default();
        config.resolver.root_priming = false;
        config.dnssec.validation = rng.below(3) == 0;
        config.cache.serve_stale = rng.below(2) == 0;
        let world = World {
            network: Arc::new(Nobody),
            clock: Clock::starting_at(1_700_000_000),
            rng: Rng::seeded(seed),
        };
        let service = Service::with_local_names(Arc::new(config.clone()), world, LocalNames::Resolved);
        let door = Door::new(Arc::clone(&service), 1);
        let long_way = Door::without_answers(Arc::clone(&service));
        History { rng, service, config, door, long_way, lately: Vec::new(), ready: 0 }
    }

    fn pick<T: Clone>(&self, from: &[T]) -> T {
        from[self.rng.below(from.len())].clone()
    }

    /// One of fourteen names, some of them above others.
    fn name(&self) -> Name {
        let depth = 1 + self.rng.below(3);
        let labels: Vec<&str> = (0..depth).map(|_| self.pick(&["a", "b"])).collect();
        format!("{}.", labels.join(".")).parse().unwrap()
    }

    /// Mostly what was asked of late, spelled and sent in another way.
    fn request(&mut self) -> Vec<u8> {
        if self.lately.is_empty() || self.rng.below(4) == 0 {
            let flags = self.pick(&[0x0100, 0x0100, 0x0110]);
            let what = (self.name(), self.pick(&TYPES), flags, self.pick(&[0, 0, 0x8000]));
            self.lately.push(what);
            if self.lately.len() > 4 {
                self.lately.remove(0);
            }
        }
        let (name, rtype, flags, dnssec_ok) = self.pick(&self.lately);
        let mut writer = MessageWriter::new(self.rng.u16(), flags | self.pick(&[0, 0x20]), 512);
        let name =
            if self.rng.below(2) == 0 { name.to_string().to_uppercase().parse().unwrap() } else { name };
        writer.question(&Question::new(name, rtype)).unwrap();
        if dnssec_ok != 0 || self.rng.below(3) > 0 {
            let options: &[(u16, Vec<u8>)] = &[(10, vec![1; 8])];
            let options = if self.rng.below(2) == 0 { options } else { &[] };
            writer.opt(self.pick(&[512, 1232]), 0, dnssec_ok, options).unwrap();
        }
        writer.finish()
    }

    async fn ask(&mut self) -> Result<(), String> {
        let client = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4711);
        let request = self.request();
        let mut ready = Vec::new();
        if !self.door.at_once(&request, client, Instant::now(), &mut ready) {
            self.door.respond(&request, client, Transport::Udp).await;
            return Ok(());
        }
        self.ready += 1;
        let long = self.long_way.respond(&request, client, Transport::Udp).await;
        if long.as_deref() == Some(&ready) {
            return Ok(());
        }
        Err(format!(
            "asked {request:02x?}\nready    {ready:02x?}\nlong way {:02x?}",
            long.unwrap_or_default()
        ))
    }

    /// Something enters the cache, as from a server.
    fn learn(&self) {
        let name = self.name();
        let ttl = self.pick(&[1, 5, 30, 30, 300, 4_000]);
        let proof = Proof::default();
        let soa = || {
            let zone = name.parent().unwrap_or_else(Name::root);
            Some(RrSet::new(
                zone,
                RrType::SOA,
                ttl,
                [&[0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0][..]],
            ))
        };
        let address = [192, 0, 2, self.rng.below(256) as u8];
        let rank = [Rank::NonAuthAnswer, Rank::AuthAnswer][self.rng.below(4).min(1)];
        let (rtype, reply) = match self.rng.below(6) {
            0 | 1 => {
                let set = RrSet::new(name.clone(), RrType::A, ttl, [&address[..], &[192, 0, 2, 1]]);
                (RrType::A, Reply::Data { sets: vec![set], rank, proof })
            }
            2 | 3 => {
                let cname = RrSet::new(name.clone(), RrType::CNAME, ttl, [self.name().as_wire()]);
                let redirection = cnamed::chain::Redirection::Cname(cname);
                let volunteered = Default::default();
                (RrType::CNAME, Reply::Alias { redirection, rank, volunteered, proof })
            }
            4 => (self.pick(&TYPES), Reply::NoData { soa: soa(), rank, proof }),
            _ => (RrType::A, Reply::NxDomain { soa: soa(), rank, proof }),
        };
        let Some((hop, rank)) = self.service.resolver().cache().rrsets.hop_of(reply) else { return };
        // Some aliases are the parent's.
        let rtype = if rtype == RrType::CNAME { self.pick(&[RrType::CNAME, RrType::DS]) } else { rtype };
        self.settle(
            &Question::new(name, rtype),
            hop,
            rank,
            &self.pick(&[Judged::INSECURE, Judged::secure(600)]),
        );
    }

    /// A DNAME, and what it makes of a name below it.
    fn learn_dname(&self) {
        let owner = self.name();
        let Ok(below) = owner.prepend(b"a") else { return };
        let dname = RrSet::new(owner, RrType::DNAME, self.pick(&[5, 300]), [self.name().as_wire()]);
        let reply = Reply::Alias {
            redirection: cnamed::chain::rewrite(&below, dname),
            rank: Rank::AuthAnswer,
            volunteered: Default::default(),
            proof: Proof::default(),
        };
        let Some((hop @ Hop::Alias(Alias::Dname { .. }), rank)) =
            self.service.resolver().cache().rrsets.hop_of(reply)
        else {
            return;
        };
        self.settle(
            &Question::new(below, RrType::A),
            hop,
            rank,
            &self.pick(&[Judged::INSECURE, Judged::secure(600)]),
        );
    }

    fn settle(&self, question: &Question, hop: Hop, rank: Rank, judged: &Judged) {
        let cache = self.service.resolver().cache();
        cache.rrsets.settle(&Scratch::default(), question, hop, rank, judged, Instant::now());
    }

    /// A look-up fails.
    fn fail(&self) {
        let owner = self.name();
        let failure =
            Failure::NoAddress { owner: owner.clone(), zone: Name::root(), why: Unaddressed::NoneUsable };
        let failures = &self.service.resolver().cache().failures;
        failures.store(&owner, self.pick(&TYPES), &Arc::new(failure), None, Instant::now());
    }

    fn reload(&mut self) {
        self.config.resolver.max_chain_length = 1 + self.rng.below(4);
        let all = Config::default().access.allow;
        self.config.access.allow = if self.rng.below(4) == 0 { Vec::new() } else { all };
        self.service.reload(Arc::new(self.config.clone()));
    }

    async fn run(&mut self) -> Result<(), String> {
        (0..30).for_each(|_| self.learn());
        for _ in 0..STEPS {
            match self.rng.below(100) {
                0..60 => self.ask().await?,
                60..85 => self.learn(),
                85..90 => self.learn_dname(),
                90..92 => self.fail(),
                92 => self.reload(),
                _ => {
                    let ms = self.pick(&[1, 999, 1_000, 2_500, 29_000, 280_000]);
                    tokio::time::advance(Duration::from_millis(ms)).await;
                }
            }
        }
        Ok(())
    }
}

#[test]
fn ready_packets_change_no_answer() {
    let mut ready = 0;
    for seed in 0..HISTORIES {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let local = tokio::task::LocalSet::new();
        let mut history = local.block_on(&runtime, async { History::new(seed) });
        if let Err(what) = local.block_on(&runtime, history.run()) {
            panic!("history {seed}, after {} ready answers: {what}", history.ready);
        }
        ready += history.ready;
    }
    let asked = HISTORIES as usize * STEPS * 60 / 100;
    assert!(ready * 10 > asked, "only {ready} of about {asked} answers were ready: nothing is shown");
}

/// What `rtype` of `name` is enters the cache of a service.
fn learn(service: &Service, name: &Name, rtype: RrType, rdata: &[u8]) {
    let set = RrSet::new(name.clone(), rtype, 300, [rdata]);
    let reply = Reply::Data { sets: vec![set], rank: Rank::AuthAnswer, proof: Proof::default() };
    let rrsets = &service.resolver().cache().rrsets;
    let (hop, rank) = rrsets.hop_of(reply).unwrap();
    let question = Question::new(name.clone(), rtype);
    rrsets.settle(&Scratch::default(), &question, hop, rank, &Judged::INSECURE, Instant::now());
}

fn query(name: &Name, rtype: RrType, size: u16, options: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut writer = MessageWriter::new(7, 0x0100, 512);
    writer.question(&Question::new(name.clone(), rtype)).unwrap();
    writer.opt(size, 0, 0, options).unwrap();
    writer.finish()
}

/// What two doors say, of which one may have it ready.
async fn both_ways(door: &Door, long_way: &Door, request: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let client = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4711);
    let mut said = Vec::new();
    if !door.at_once(request, client, Instant::now(), &mut said) {
        said = door.respond(request, client, Transport::Udp).await.unwrap();
    }
    (said, long_way.respond(request, client, Transport::Udp).await.unwrap())
}

#[test]
fn an_answer_without_what_could_not_be_had_is_not_kept_ready() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let service = everything::service(Config::default(), Box::new(|_| Box::pin(async {})));
        let door = Door::new(Arc::clone(&service), 1);
        let long_way = Door::without_answers(Arc::clone(&service));
        let (name, target): (Name, Name) = ("svc.test.".parse().unwrap(), "target.test.".parse().unwrap());
        learn(&service, &name, RrType::HTTPS, &[&[0, 1], target.as_wire()].concat());
        for rtype in [RrType::A, RrType::AAAA] {
            let failure = Failure::NoAddress {
                owner: target.clone(),
                zone: Name::root(),
                why: Unaddressed::NoneUsable,
            };
            service.resolver().cache().failures.store(
                &target,
                rtype,
                &Arc::new(failure),
                None,
                Instant::now(),
            );
        }
        let request = query(&name, RrType::HTTPS, 1_232, &[]);
        for _ in 0..4 {
            let (said, long) = both_ways(&door, &long_way, &request).await;
            assert_eq!(said, long);
        }
        tokio::time::advance(Duration::from_secs(6)).await;
        let (said, long) = both_ways(&door, &long_way, &request).await;
        let additional = |octets: &[u8]| u16::from_be_bytes([octets[10], octets[11]]);
        assert_eq!((additional(&said), additional(&long)), (2, 2), "an address and OPT");
    });
}

#[test]
fn what_does_not_fit_beside_the_options_of_one_is_not_kept_from_another() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let mut config = Config::default();
        config.resolver.edns_buffer_size = 4_096;
        let service = everything::service(config, Box::new(|_| Box::pin(async {})));
        let door = Door::new(Arc::clone(&service), 1);
        let long_way = Door::without_answers(Arc::clone(&service));
        let mut ready = 0;
        for length in 3_940..4_040 {
            let name: Name = format!("n{length}.test.").parse().unwrap();
            // A ServiceMode record whose target is its owner, with one long parameter of a private key.
            let value = vec![7; length];
            let parameter = [&[0xff, 0x00][..], &(length as u16).to_be_bytes(), &value].concat();
            learn(&service, &name, RrType::HTTPS, &[&[0, 1, 0][..], &parameter].concat());
            learn(&service, &name, RrType::A, &[192, 0, 2, 1]);
            learn(&service, &name, RrType::AAAA, &[1; 16]);
            let with_cookie = query(&name, RrType::HTTPS, 4_096, &[(10, vec![1; 8])]);
            let without = query(&name, RrType::HTTPS, 4_096, &[]);
            for _ in 0..3 {
                both_ways(&door, &long_way, &with_cookie).await;
            }
            let client = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4711);
            ready += usize::from(door.at_once(&without, client, Instant::now(), &mut Vec::new()));
            let (said, long) = both_ways(&door, &long_way, &without).await;
            assert_eq!(said, long, "a value of {length} octets");
        }
        assert!(ready > 10, "{ready} were ready");
    });
}
