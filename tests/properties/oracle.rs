//! What a resolver must say of a graph, read off the graph itself by `alias-rules.md`.
//!
//! Knows: the values of `graph` and the rules. Does not know: messages, servers' replies, caches; it shares no
//! code with the resolver but the arithmetic of names.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use cnamed::rrset::{Question, RrType};
use cnamed::wire::Name;

use super::graph::{BROKEN, Graph, Set};

/// `resolver.max-chain-length` (R17).
const MAX_CHAIN: usize = 16;
const EDE_OTHER: u16 = 0;
const EDE_NO_REACHABLE_AUTHORITY: u16 = 22;

/// One RRset of the answer section.
#[derive(Clone, Debug)]
pub struct Expected {
    pub owner: Name,
    pub rtype: RrType,
    /// As the zone has it: an answer may show less and never more.
    pub ttl: u32,
    pub rdata: Vec<Vec<u8>>,
}

/// How it must end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Data,
    NoData { zone: Name, ttl: u32 },
    NxDomain { zone: Name, ttl: u32 },
    YxDomain,
    Fails { code: u16, text: Text },
}

/// What the EDE must say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    Loop(Vec<Name>),
    Exactly(String),
    Naming(Name),
}

/// What one name is.
enum Found {
    Data(Set),
    Alias { dname: Option<(Name, Set)>, cname: Set },
    Overlong(Name, Set),
    NoData(usize),
    NxDomain(usize),
    Unreachable,
}

pub struct Oracle<'a> {
    graph: &'a Graph,
    /// Every name that exists: owners, cuts, and all above them (RFC 4592 §2.2).
    existing: HashSet<Name>,
    said: RefCell<HashMap<Question, Rc<Saying>>>,
}

/// The answer section in order, and the verdict.
type Saying = (Vec<Expected>, Verdict);

impl<'a> Oracle<'a> {
    pub fn new(graph: &'a Graph) -> Oracle<'a> {
        let mut existing = HashSet::new();
        for owner in graph.records.keys() {
            existing.extend((0..=owner.label_count()).map(|n| owner.suffix(n)));
        }
        Oracle { graph, existing, said: RefCell::default() }
    }

    /// What must come, however often and in whatever order one asks.
    pub fn expect(&self, question: &Question) -> Rc<Saying> {
        let mut said = self.said.borrow_mut();
        Rc::clone(said.entry(question.clone()).or_insert_with(|| Rc::new(self.follow(question))))
    }

    fn follow(&self, question: &Question) -> Saying {
        let (mut answer, mut names) = (Vec::new(), vec![question.name.clone()]);
        loop {
            let owner = names[names.len() - 1].clone();
            let set = |owner: &Name, rtype: RrType, set: Set| Expected {
                owner: owner.clone(),
                rtype,
                ttl: set.ttl,
                rdata: set.rdata,
            };
            let fails = |text| (Vec::new(), Verdict::Fails { code: EDE_OTHER, text });
            let found = self.at(&owner, question.rtype, &mut Vec::new());
            // R13.
            if let Found::Alias { dname: Some((at, dname)), .. } | Found::Overlong(at, dname) = &found
                && question.rtype != RrType::CNAME
                && target(dname).is_at_or_below(at)
            {
                let to = target(dname);
                return fails(Text::Exactly(format!("CNAME loop: {owner} never ends: {at} DNAME {to}")));
            }
            let (dname, cname) = match found {
                Found::Data(data) => {
                    answer.push(set(&owner, question.rtype, data));
                    return (answer, Verdict::Data);
                }
                Found::NoData(zone) => return (answer, self.denial(zone, false)),
                Found::NxDomain(zone) => return (answer, self.denial(zone, true)),
                Found::Unreachable => {
                    let text = Text::Naming(owner);
                    return (Vec::new(), Verdict::Fails { code: EDE_NO_REACHABLE_AUTHORITY, text });
                }
                Found::Overlong(at, dname) => {
                    answer.push(set(&at, RrType::DNAME, dname));
                    return (answer, Verdict::YxDomain);
                }
                Found::Alias { dname, cname } => (dname, cname),
            };
            let target = target(&cname);
            if question.rtype != RrType::CNAME {
                // R19, R17.
                if let Some(first) = names.iter().position(|n| *n == target) {
                    return fails(Text::Loop(names.drain(first..).chain([target]).collect()));
                }
                if names.len() > MAX_CHAIN {
                    let text = format!("CNAME chain longer than {MAX_CHAIN} at {owner}");
                    return fails(Text::Exactly(text));
                }
            }
            answer.extend(dname.map(|(at, dname)| set(&at, RrType::DNAME, dname)));
            answer.push(set(&owner, RrType::CNAME, cname));
            if question.rtype == RrType::CNAME {
                return (answer, Verdict::Data);
            }
            names.push(target);
        }
    }

    /// RFC 2308 §5: the lesser of the SOA's TTL and its last field.
    fn denial(&self, zone: usize, name: bool) -> Verdict {
        let apex = &self.graph.zones[zone].apex;
        let soa = &self.graph.records[apex][&RrType::SOA];
        let minimum = soa.rdata[0].last_chunk::<4>().map_or(0, |field| u32::from_be_bytes(*field));
        let (zone, ttl) = (apex.clone(), soa.ttl.min(minimum));
        if name { Verdict::NxDomain { zone, ttl } } else { Verdict::NoData { zone, ttl } }
    }

    /// From the root down, label by label (RFC 1034 §4.3.2, RFC 6672 §3.2). `reaching`: the zones whose servers'
    /// addresses are being looked for.
    fn at(&self, name: &Name, rtype: RrType, reaching: &mut Vec<usize>) -> Found {
        let mut zone = 0;
        for labels in 0..=name.label_count() {
            let node = name.suffix(labels);
            if let Some(child) = self.graph.zones.iter().skip(1).position(|z| z.apex == node) {
                zone = child + 1;
                if !self.reachable(zone, reaching) {
                    return Found::Unreachable;
                }
            }
            if !self.existing.contains(&node) {
                let wildcard = name.suffix(labels - 1).prepend(b"*").ok();
                let wildcard = wildcard.filter(|wildcard| self.graph.records.contains_key(wildcard));
                return wildcard.map_or(Found::NxDomain(zone), |at| self.own(&at, rtype, zone));
            }
            let dname = self.graph.records.get(&node).and_then(|sets| sets.get(&RrType::DNAME));
            if let Some(dname) = dname.filter(|_| labels < name.label_count()) {
                return redirect(name, &node, first(dname));
            }
        }
        self.own(name, rtype, zone)
    }

    /// What the node has; of several CNAMEs the first, and beside it nothing (R5, R6).
    fn own(&self, node: &Name, rtype: RrType, zone: usize) -> Found {
        let Some(sets) = self.graph.records.get(node) else { return Found::NoData(zone) };
        match (sets.get(&RrType::CNAME), sets.get(&rtype)) {
            (Some(cname), _) if rtype != RrType::CNAME => Found::Alias { dname: None, cname: first(cname) },
            (_, Some(set)) if rtype == RrType::CNAME || rtype == RrType::DNAME => Found::Data(first(set)),
            (_, Some(set)) => Found::Data(set.clone()),
            (_, None) => Found::NoData(zone),
        }
    }

    /// Has the zone a server that answers, at an address that can be found without the zone itself?
    fn reachable(&self, zone: usize, reaching: &mut Vec<usize>) -> bool {
        if reaching.contains(&zone) {
            return false;
        }
        reaching.push(zone);
        let usable = self.graph.zones[zone].servers.iter().any(|server| {
            let mut found = || matches!(self.at(&server.name, RrType::A, reaching), Found::Data(_));
            !BROKEN.contains(&server.mode) && (server.glue || found())
        });
        reaching.pop();
        usable
    }
}

/// R6: the first in the order of RFC 4034 §6.3.
fn first(set: &Set) -> Set {
    Set { ttl: set.ttl, rdata: set.rdata.iter().min().cloned().into_iter().collect() }
}

fn target(set: &Set) -> Name {
    Name::from_wire(&set.rdata[0]).expect("a name")
}

/// R10–R12.
fn redirect(name: &Name, at: &Name, dname: Set) -> Found {
    match name.replace_suffix(at, &target(&dname)) {
        Some(Ok(result)) => {
            let cname = Set { ttl: dname.ttl, rdata: vec![result.as_wire().to_vec()] };
            Found::Alias { dname: Some((at.clone(), dname)), cname }
        }
        _ => Found::Overlong(at.clone(), dname),
    }
}
