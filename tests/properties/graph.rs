//! A random DNS: zones, who serves them, and what stands in them.
//!
//! Knows: what is there, as plain values, made from one seed; how to put it on the lab's servers. Does not know:
//! what a resolver should say of it (`oracle`).

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use cnamed::config::Hint;
use cnamed::lab::{self, Follow, Mode, Zone};
use cnamed::master::{MasterRecord, rdata_to_text};
use cnamed::rrset::{Class, RrType};
use cnamed::wire::Name;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// Hops that a generated chain may have: more than are allowed.
const LONGEST_CHAIN: usize = 20;
/// Not zero, so that questions asked at once do overlap.
const ROUND_TRIP: Duration = Duration::from_millis(1);
/// Graphs made to spend as much as possible.
const HOSTILE_ONE_IN: u64 = 45;
/// Servers of each zone in them.
const HOSTILE_SERVERS: u8 = 4;
/// Graphs in which every server below the TLDs is slow, too.
const SLOW_ONE_IN: u64 = 44;
/// Longer than a server is waited for before another is asked, and before the same is asked again.
const SLOW: [Duration; 2] = [Duration::from_millis(290), Duration::from_millis(460)];
/// What a server that is fit for use may be like.
const HARMLESS: [Mode; 6] =
    [Mode::NoEdns, Mode::IgnoreEdns, Mode::Truncate, Mode::WrongCase, Mode::Reversed, Mode::NoTcp];
/// What makes a server unfit.
pub const BROKEN: [Mode; 5] = [Mode::Silent, Mode::Refused, Mode::Servfail, Mode::Upward, Mode::WrongId];

/// One owner's data of one type.
#[derive(Clone, Debug, Default)]
pub struct Set {
    pub ttl: u32,
    pub rdata: Vec<Vec<u8>>,
}

/// What stands at each name; each name belongs to the deepest zone above it.
pub type Records = HashMap<Name, BTreeMap<RrType, Set>>;

/// A server as the delegation names it.
#[derive(Clone, Debug)]
pub struct Server {
    pub name: Name,
    pub address: Ipv4Addr,
    pub mode: Mode,
    pub follow: Follow,
    pub cookies: bool,
    /// A zone of which it has a false copy that nobody delegated to it.
    pub forges: Option<usize>,
    /// Does the parent's zone have its address?
    pub glue: bool,
}

/// A zone and its delegation.
#[derive(Clone, Debug)]
pub struct Cut {
    pub apex: Name,
    pub parent: usize,
    pub ttl: u32,
    pub servers: Vec<Server>,
}

/// Everything that there is. Zone 0 is the root.
pub struct Graph {
    pub zones: Vec<Cut>,
    pub records: Records,
    /// Names worth asking for: first those of the chain, in its order.
    pub chain: Vec<Name>,
    /// And others.
    pub others: Vec<Name>,
    /// One of the few whose zones below the TLDs have no glue at all, and several servers each.
    pub hostile: bool,
    /// What servers below the TLDs take for a reply, where they are slow.
    slow: Option<Duration>,
    /// Of the hostile ones, half have no silent server.
    prompt: bool,
}

pub fn name(text: &str) -> Name {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

pub fn below(label: &str, parent: &Name) -> Name {
    parent.prepend(label.as_bytes()).expect("a short name")
}

/// One in so many.
fn rarely(rng: &mut StdRng, one_in: u32) -> bool {
    rng.random_range(0..one_in) == 0
}

fn one_of<T: Clone>(rng: &mut StdRng, of: &[T]) -> T {
    of[rng.random_range(0..of.len())].clone()
}

fn ttl(rng: &mut StdRng) -> u32 {
    match rng.random_range(0..10) {
        0 => 0,
        1..=3 => rng.random_range(1..30),
        _ => rng.random_range(30..=600),
    }
}

impl Graph {
    /// The same graph for the same seed.
    pub fn random(seed: u64) -> Graph {
        let mut maker = Maker::new(seed);
        maker.zones();
        maker.trees();
        maker.owners();
        maker.chain();
        maker.graph
    }

    /// Two zones, each with its only server in the other, and a name in each.
    pub fn circle() -> Graph {
        let mut maker = Maker::new(0);
        for (apex, parent) in [(".", 0), ("t0.", 0), ("z0.t0.", 1), ("z1.t0.", 1)] {
            maker.zone(name(apex), parent);
        }
        for (zone, other) in [(2, 3), (3, 2)] {
            let host = maker.graph.zones[other].apex.clone();
            let server = &mut maker.graph.zones[zone].servers;
            server.truncate(1);
            (server[0].mode, server[0].glue) = (Mode::Correct, false);
            server[0].name = below("nh", &host);
            let (owner, address) = (server[0].name.clone(), server[0].address.octets().to_vec());
            maker.add(&owner, RrType::A, address);
            maker.graph.chain.push(below("www", &host));
        }
        maker.apexes();
        maker.graph
    }

    /// The deepest zone that is at or above the name.
    fn zone_of(&self, name: &Name) -> usize {
        let above = self.zones.iter().enumerate().filter(|(_, z)| name.is_at_or_below(&z.apex));
        above.max_by_key(|(_, z)| z.apex.label_count()).map_or(0, |(i, _)| i)
    }

    /// Does every server reply at once, if it is only asked?
    pub fn is_prompt(&self) -> bool {
        self.slow.is_none()
            && self.zones.iter().flat_map(|zone| &zone.servers).all(|server| server.mode != Mode::Silent)
    }

    /// The same on servers of the lab.
    pub fn world(&self) -> Arc<lab::World> {
        let mut of_zone: Vec<Vec<MasterRecord>> = self.zones.iter().map(|_| Vec::new()).collect();
        for (owner, sets) in &self.records {
            let zone = &mut of_zone[self.zone_of(owner)];
            for (rtype, set) in sets {
                zone.extend(set.rdata.iter().map(|rdata| record(owner, *rtype, set.ttl, rdata.clone())));
            }
        }
        for cut in self.zones.iter().skip(1) {
            let parent = &mut of_zone[cut.parent];
            for server in &cut.servers {
                parent.push(record(&cut.apex, RrType::NS, cut.ttl, server.name.as_wire().to_vec()));
                if server.glue {
                    parent.push(record(&server.name, RrType::A, cut.ttl, server.address.octets().to_vec()));
                }
            }
        }
        let built =
            of_zone.into_iter().map(|records| Arc::new(Zone::new(records, "generated").expect("a zone")));
        let built: Vec<Arc<Zone>> = built.collect();
        let mut served: BTreeMap<Ipv4Addr, (&Server, Vec<Arc<Zone>>)> = BTreeMap::new();
        for (cut, zone) in self.zones.iter().zip(&built) {
            for server in &cut.servers {
                served.entry(server.address).or_insert((server, Vec::new())).1.push(zone.clone());
            }
        }
        let servers = served.into_iter().map(|(address, (server, mut zones))| {
            zones.extend(server.forges.map(|zone| Arc::new(self.forged(zone))));
            let of_a_tld = self.zones.iter().take_while(|zone| zone.apex.label_count() < 2);
            let quick = of_a_tld.flat_map(|zone| &zone.servers).any(|server| server.address == address);
            let delay = self.slow.filter(|_| !quick).unwrap_or(ROUND_TRIP);
            let server = lab::Server::new(zones, server.mode, server.follow, server.cookies);
            (IpAddr::V4(address), server, delay)
        });
        let root = &self.zones[0].servers;
        let hint = |s: &Server| Hint { name: s.name.clone(), addresses: vec![s.address.into()] };
        lab::World::of_servers(servers, root.iter().map(hint).collect())
    }

    /// A copy of the zone in which every name has the same false address.
    fn forged(&self, zone: usize) -> Zone {
        let apex = &self.zones[zone].apex;
        let owners = self.records.keys().filter(|owner| self.zone_of(owner) == zone);
        let mut records: Vec<MasterRecord> =
            owners.map(|owner| record(owner, RrType::A, 600, vec![6, 6, 6, 6])).collect();
        records.push(record(apex, RrType::SOA, 600, soa(600)));
        Zone::new(records, "forged").expect("a zone")
    }

    /// As text, for whoever has to find out what went wrong.
    pub fn show(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "slow: {:?}", self.slow);
        for cut in &self.zones {
            let _ = writeln!(out, "zone {} in {}, NS TTL {}", cut.apex, self.zones[cut.parent].apex, cut.ttl);
            for server in &cut.servers {
                let _ = writeln!(out, "  {server:?}");
            }
        }
        let mut owners: Vec<_> = self.records.iter().collect();
        owners.sort_by(|a, b| a.0.cmp(b.0));
        for (owner, sets) in owners {
            for (rtype, set) in sets {
                for rdata in &set.rdata {
                    let _ = writeln!(out, "{owner} {} {rtype} {}", set.ttl, rdata_to_text(*rtype, rdata));
                }
            }
        }
        out
    }
}

fn record(owner: &Name, rtype: RrType, ttl: u32, rdata: Vec<u8>) -> MasterRecord {
    MasterRecord { owner: owner.clone(), ttl, class: Class::IN, rtype, rdata, line: 1 }
}

/// `. . 1 1 1 1 MINIMUM`
fn soa(minimum: u32) -> Vec<u8> {
    let mut rdata = vec![0, 0];
    for field in [1, 1, 1, 1, minimum] {
        rdata.extend(field.to_be_bytes());
    }
    rdata
}

struct Maker {
    rng: StdRng,
    graph: Graph,
    /// Names below which other names are worth having: apexes, owners of DNAMEs, parents of wildcards.
    bases: Vec<Name>,
}

impl Maker {
    fn new(seed: u64) -> Maker {
        Maker {
            rng: StdRng::seed_from_u64(seed),
            graph: Graph {
                zones: Vec::new(),
                records: Records::new(),
                chain: Vec::new(),
                others: Vec::new(),
                prompt: (seed / HOSTILE_ONE_IN).is_multiple_of(2),
                hostile: seed % HOSTILE_ONE_IN == HOSTILE_ONE_IN - 1,
                slow: (seed % SLOW_ONE_IN == SLOW_ONE_IN - 1)
                    .then(|| SLOW[(seed / SLOW_ONE_IN % 2) as usize]),
            },
            bases: Vec::new(),
        }
    }

    fn add(&mut self, owner: &Name, rtype: RrType, rdata: Vec<u8>) {
        let ttl = ttl(&mut self.rng);
        let sets = self.graph.records.entry(owner.clone()).or_default();
        let set = sets.entry(rtype).or_insert(Set { ttl, rdata: Vec::new() });
        if !set.rdata.contains(&rdata) {
            set.rdata.push(rdata);
        }
    }

    fn add_address(&mut self, owner: &Name) {
        let last = self.rng.random_range(1..250);
        self.add(owner, RrType::A, vec![203, 0, 113, last]);
    }

    fn add_target(&mut self, owner: &Name, rtype: RrType, target: &Name) {
        self.add(owner, rtype, target.as_wire().to_vec());
    }

    /// The root, some TLDs, and zones below them.
    fn zones(&mut self) {
        let root = Name::root();
        let tlds = self.rng.random_range(2..=3);
        let more = self.rng.random_range(2..=6);
        self.zone(root.clone(), 0);
        for i in 0..tlds {
            self.zone(name(&format!("t{i}.")), 0);
        }
        for i in 0..more {
            let parent = self.rng.random_range(1..self.graph.zones.len());
            let mut apex = self.graph.zones[parent].apex.clone();
            if rarely(&mut self.rng, 5) {
                apex = below("e", &apex);
            }
            self.zone(below(&format!("z{i}"), &apex), parent);
        }
        for zone in 1 + tlds..self.graph.zones.len() {
            self.delegate(zone);
        }
        self.apexes();
        self.bases = self.graph.zones.iter().skip(1).map(|z| z.apex.clone()).collect();
    }

    /// SOA and NS of every zone, and the addresses of servers in it.
    fn apexes(&mut self) {
        for i in 0..self.graph.zones.len() {
            let apex = self.graph.zones[i].apex.clone();
            let minimum = ttl(&mut self.rng);
            self.add(&apex, RrType::SOA, soa(minimum));
            for server in self.graph.zones[i].servers.clone() {
                self.add_target(&apex, RrType::NS, &server.name);
                if server.glue {
                    self.add(&server.name, RrType::A, server.address.octets().to_vec());
                }
            }
        }
    }

    fn zone(&mut self, apex: Name, parent: usize) {
        let index = self.graph.zones.len();
        let top = apex.label_count() < 2;
        let ttl = if top { 600 } else { ttl(&mut self.rng).max(u32::from(!rarely(&mut self.rng, 5))) };
        let count = self.rng.random_range(1..=2);
        let servers = (0..count).map(|i| self.server(&apex, index, i)).collect();
        self.graph.zones.push(Cut { apex, parent, ttl, servers });
    }

    /// What may be wrong or odd about the servers of a zone.
    fn delegate(&mut self, zone: usize) {
        let parent = self.graph.zones[zone].parent;
        let mut servers = self.graph.zones[zone].servers.clone();
        match self.rng.random_range(0..20) {
            _ if self.graph.hostile => self.scatter(&mut servers, zone),
            0 => self.spoil(&mut servers, 0),
            1..=4 => self.spoil(&mut servers, 1),
            5..=7 => self.move_elsewhere(&mut servers, zone),
            8..=9 => {
                servers.clone_from(&self.graph.zones[parent].servers);
                servers.iter_mut().for_each(|server| server.glue = false);
            }
            _ => {}
        }
        self.graph.zones[zone].servers = servers;
    }

    fn server(&mut self, apex: &Name, zone: usize, i: u8) -> Server {
        let rng = &mut self.rng;
        let mode = if rarely(rng, 8) { one_of(rng, &HARMLESS) } else { Mode::Correct };
        Server {
            name: below(&format!("ns{i}"), apex),
            address: Ipv4Addr::new(198, 51, zone as u8, i),
            mode,
            follow: one_of(rng, &[Follow::No, Follow::Zone, Follow::Zone, Follow::Server]),
            cookies: !rarely(rng, 3),
            forges: None,
            glue: true,
        }
    }

    /// Breaks the servers from this one on.
    fn spoil(&mut self, servers: &mut [Server], from: usize) {
        for server in servers.iter_mut().skip(from) {
            server.mode = one_of(&mut self.rng, &BROKEN);
        }
    }

    /// The first server's name is in another zone, in this one without glue, an alias, or nowhere.
    fn move_elsewhere(&mut self, servers: &mut Vec<Server>, index: usize) {
        let host = self.rng.random_range(1..self.graph.zones.len());
        let host = self.graph.zones[host].apex.clone();
        servers.truncate(1);
        let server = &mut servers[0];
        server.glue = false;
        let address = server.address.octets().to_vec();
        match self.rng.random_range(0..10) {
            0 => server.name = below("nx", &server.name.parent().expect("a zone")),
            1 => server.name = below("gone", &host),
            2 => {
                server.name = below(&format!("na{index}"), &host);
                let (alias, target) = (server.name.clone(), below(&format!("nt{index}"), &host));
                self.add_target(&alias, RrType::CNAME, &target);
                self.add(&target, RrType::A, address);
            }
            _ => {
                server.name = below(&format!("nh{index}"), &host);
                let owner = server.name.clone();
                self.add(&owner, RrType::A, address);
            }
        }
    }

    /// Several servers in as many other zones, some of them of no use.
    fn scatter(&mut self, servers: &mut Vec<Server>, index: usize) {
        let apex = self.graph.zones[index].apex.clone();
        servers.clear();
        for i in 0..HOSTILE_SERVERS {
            let mut one = vec![self.server(&apex, index, i)];
            let host = self.rng.random_range(1..self.graph.zones.len());
            let host = self.graph.zones[host].apex.clone();
            one[0].glue = false;
            one[0].name = below(&format!("nh{index}-{i}"), &host);
            if rarely(&mut self.rng, 2) {
                self.spoil(&mut one, 0);
            }
            // Where nobody keeps silent, whoever waits does so for nothing.
            if one[0].mode == Mode::Silent && self.graph.prompt {
                one[0].mode = Mode::Refused;
            }
            if !rarely(&mut self.rng, 3) {
                self.add(&one[0].name.clone(), RrType::A, one[0].address.octets().to_vec());
            }
            servers.append(&mut one);
        }
    }

    /// DNAMEs and wildcards, and which servers forge what.
    fn trees(&mut self) {
        let apexes = self.bases.clone();
        for i in 0..self.rng.random_range(0..4) {
            self.bases.push(below(&format!("d{i}"), &one_of(&mut self.rng, &apexes)));
        }
        let dnames = self.bases[apexes.len()..].to_vec();
        for i in 0..self.rng.random_range(0..3) {
            self.bases.push(below(&format!("w{i}"), &one_of(&mut self.rng, &apexes)));
        }
        let wildcards = self.bases[apexes.len() + dnames.len()..].to_vec();
        for owner in dnames {
            self.dname(&owner);
        }
        for parent in wildcards {
            self.owner(&below("*", &parent));
        }
        for apex in &apexes {
            let parts = self.graph.zones.iter().any(|z| z.apex.is_below(apex));
            match self.rng.random_range(0..20) {
                0 if !parts && apex.label_count() > 1 => self.dname(apex),
                1 if apex.label_count() > 1 => {
                    let target = self.target();
                    self.add_target(apex, RrType::CNAME, &target);
                }
                2..=3 => self.add_address(apex),
                _ => {}
            }
        }
        for zone in 1..self.graph.zones.len() {
            let forged = self.rng.random_range(1..self.graph.zones.len());
            let related = |a: usize| {
                let (a, b) = (&self.graph.zones[a].apex, &self.graph.zones[forged].apex);
                a.is_at_or_below(b) || b.is_at_or_below(a)
            };
            let address = self.graph.zones[zone].servers[0].address;
            let mut serves = (0..self.graph.zones.len())
                .filter(|z| self.graph.zones[*z].servers.iter().any(|s| s.address == address));
            if !serves.any(related) && rarely(&mut self.rng, 4) {
                self.graph.zones[zone].servers[0].forges = Some(forged);
            }
        }
    }

    fn dname(&mut self, owner: &Name) {
        let target = match self.rng.random_range(0..12) {
            0 => below("x", owner),
            1 => owner.clone(),
            // Room for one short label more, or for none.
            kind @ 2..=3 => name(&format!("{}t0.", "a-label-of-24-characters.".repeat(7 + kind))),
            _ => one_of(&mut self.rng, &self.bases),
        };
        self.add_target(owner, RrType::DNAME, &target);
        if rarely(&mut self.rng, 20) {
            let other = one_of(&mut self.rng, &self.bases);
            self.add_target(owner, RrType::DNAME, &other);
        }
        if rarely(&mut self.rng, 4) {
            self.add_address(owner);
        }
    }

    /// Where something might point.
    fn target(&mut self) -> Name {
        let rng = &mut self.rng;
        let base = one_of(rng, &self.bases);
        let label = |rng: &mut StdRng| format!("n{}", rng.random_range(0..6));
        match rng.random_range(0..20) {
            0..=13 => below(&label(rng), &base),
            14..=16 => below(&label(rng), &below(&label(rng), &base)),
            17 => base,
            18 => name("gone.nowhere."),
            _ => Name::root(),
        }
    }

    /// Something at this name.
    fn owner(&mut self, owner: &Name) {
        match self.rng.random_range(0..20) {
            0..=6 => self.add_address(owner),
            7..=8 => self.add(owner, RrType::TXT, b"\x04text".to_vec()),
            9 => {
                self.add_address(owner);
                self.add(owner, RrType::TXT, b"\x04text".to_vec());
            }
            kind => {
                let target = self.target();
                self.add_target(owner, RrType::CNAME, &target);
                if kind == 10 {
                    self.add_address(owner);
                }
                if kind == 11 {
                    let other = self.target();
                    self.add_target(owner, RrType::CNAME, &other);
                }
            }
        }
    }

    /// Names at random, for everything to point at.
    fn owners(&mut self) {
        for _ in 0..self.rng.random_range(4..20) {
            let owner = self.target();
            let of_its_own = owner.to_string().starts_with('n');
            if of_its_own && !self.graph.records.contains_key(&owner) {
                self.owner(&owner);
            }
            self.graph.others.push(owner);
        }
        for base in self.bases.clone() {
            self.graph.others.push(below("n0", &base));
        }
    }

    /// A chain through the zones, of CNAMEs, DNAMEs and wildcards.
    fn chain(&mut self) {
        let all: Vec<Name> = self.graph.zones.iter().skip(1).map(|z| z.apex.clone()).collect();
        // The more zones, the likelier it is that one is out of reach.
        let apexes: Vec<Name> =
            (0..self.rng.random_range(1..=4)).map(|_| one_of(&mut self.rng, &all)).collect();
        let most = one_of(&mut self.rng, &[4, 8, LONGEST_CHAIN]);
        let hops = self.rng.random_range(1..=most);
        let mut at = below("k0", &one_of(&mut self.rng, &apexes));
        for i in 0..hops {
            let (label, next) = (format!("k{}", i + 1), one_of(&mut self.rng, &apexes));
            let target = match self.rng.random_range(0..12) {
                0 => below(&label, &below(&format!("y{i}"), &next)),
                1 => below(&label, &below(&format!("x{i}"), &next)),
                _ => below(&label, &next),
            };
            self.graph.chain.push(at.clone());
            let parent = at.parent().expect("a label");
            match parent.to_string().bytes().next() {
                Some(b'x') => {
                    self.add_target(&parent, RrType::DNAME, &next);
                    at = at.replace_suffix(&parent, &next).expect("below").expect("short");
                    continue;
                }
                Some(b'y') => self.add_target(&below("*", &parent), RrType::CNAME, &target),
                _ => self.add_target(&at, RrType::CNAME, &target),
            }
            at = target;
        }
        self.graph.chain.push(at.clone());
        match self.rng.random_range(0..10) {
            0..=4 => self.add_address(&at),
            5 => self.add(&at, RrType::TXT, b"\x04text".to_vec()),
            6..=7 => {
                let back = one_of(&mut self.rng, &self.graph.chain);
                self.add_target(&at, RrType::CNAME, &back);
            }
            8 => {
                let target = self.target();
                self.add_target(&at, RrType::CNAME, &target);
            }
            _ => {}
        }
    }
}
