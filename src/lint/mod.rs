//! The alias lint: what is wrong, risky or odd about the aliases of a name, found in traces.
//!
//! Knows: the rules. Each is a synchronous function on values: what the one resolver answered, and
//! what it noted on the way ([`Report`]). Nothing is looked up here, and no rule resolves anything;
//! [`plan`] says what is to be asked, `cli::check` asks it. Does not know: how findings are shown
//! (`text`, `json`). Words that the resolver has for a failure are the resolver's (`failure`).
//!
//! RFC 1034 §3.6.2, RFC 2181 §10, RFC 4592 §4.4, RFC 6672, RFC 5890; each kind names its own
//! ([`kind`]). Shown by: `tests/check.rs`, `docs/check.md`.

mod chains;
mod facts;
pub mod json;
pub mod kind;
mod lists;
mod names;
pub mod plan;
mod records;
mod targets;
pub mod text;
mod ttls;

use std::fmt;

use crate::cache::hop::Held;
use crate::idn;
use crate::master::rdata_to_text;
use crate::render::Report;
use crate::rrset::RrType;
use crate::wire::Name;
use facts::{Chain, Link, Oddity};
pub use kind::{Kind, Severity};
pub use lists::{MAX_SUFFIXES, Suffixes};

/// Findings kept for one name; the rules make far fewer of what [`plan`] asks.
pub const MAX_FINDINGS: usize = 200;

/// Something found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing.
    pub kind: Kind,
    /// The name at which it is wrong; one kind is found at one name once.
    pub at: Name,
    /// What is wrong, in one sentence.
    pub what: String,
    /// The records that show it.
    pub records: Vec<Record>,
}

/// A record as a master file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Record {
    pub owner: Name,
    /// Unknown for what was only mentioned.
    pub ttl: Option<u32>,
    pub rtype: RrType,
    /// Unknown as well.
    pub rdata: Option<String>,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.owner)?;
        if let Some(ttl) = self.ttl {
            write!(f, "{ttl} ")?;
        }
        write!(f, "{}", self.rtype)?;
        self.rdata.as_ref().map_or(Ok(()), |rdata| write!(f, " {rdata}"))
    }
}

impl Record {
    fn new(owner: &Name, ttl: u32, rtype: RrType, rdata: String) -> Record {
        Record { owner: owner.clone(), ttl: Some(ttl), rtype, rdata: Some(rdata) }
    }

    /// One of which only the type is known.
    fn mentioned(owner: &Name, rtype: RrType) -> Record {
        Record { owner: owner.clone(), ttl: None, rtype, rdata: None }
    }

    /// The record or records behind a link: a DNAME goes before the CNAME that it makes.
    fn of_link(link: &Link) -> impl Iterator<Item = Record> {
        let dname = link.dname.as_ref();
        let dname = dname.map(|(owner, to)| Record::new(owner, link.ttl, RrType::DNAME, to.to_string()));
        let cname = link.target.as_ref();
        let cname = cname.map(|to| Record::new(&link.owner, link.ttl, RrType::CNAME, to.to_string()));
        dname.into_iter().chain(cname)
    }

    fn of_links(links: &[Link]) -> Vec<Record> {
        links.iter().flat_map(Record::of_link).collect()
    }

    fn of_set(held: &Held) -> impl Iterator<Item = Record> {
        let set = &held.set;
        let text = |rdata: &[u8]| rdata_to_text(set.rtype, rdata);
        set.rdata.iter().map(move |rdata| Record::new(&set.owner, set.ttl, set.rtype, text(rdata)))
    }
}

/// What the operator knows about other people's names.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    /// Services at which anybody may claim a name that nobody uses (`--takeover-list`).
    pub takeover: Suffixes,
    /// Third parties that hide behind first-party names (`--tracker-list`).
    pub trackers: Suffixes,
}

/// All that was learned about one name.
#[derive(Debug)]
pub struct Case {
    /// The name.
    pub name: Name,
    /// What it has of each type that was asked for; A and AAAA are among them.
    pub own: Vec<Report>,
    /// The addresses of names that its records point to.
    pub targets: Vec<Report>,
    /// What the wildcard beside it has.
    pub wildcard: Option<Report>,
}

/// A name with what was found, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The name.
    pub name: Name,
    /// The names that the aliases lead through, the last one included; those of A, or else of AAAA.
    pub leads_to: Vec<Name>,
    /// The gravest first.
    pub findings: Vec<Finding>,
}

impl Checked {
    /// The name in its own script, if that is not ASCII.
    pub fn in_own_script(&self) -> Option<String> {
        idn::in_own_script(&self.name)
    }
}

/// A case while the rules look at it.
struct View<'a> {
    name: &'a Name,
    chains: Vec<Chain<'a>>,
    targets: Vec<Chain<'a>>,
    wildcard: Option<Chain<'a>>,
    oddities: Vec<Oddity>,
    lists: &'a Lists,
}

impl View<'_> {
    /// The chain of one type.
    fn chain(&self, rtype: RrType) -> Option<&Chain<'_>> {
        self.chains.iter().find(|chain| chain.question.rtype == rtype)
    }
}

/// Collects findings, each kind at each name once: A, AAAA and the others mostly say the same.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, kind: Kind, at: &Name, what: String, records: Vec<Record>) {
        let known = self.0.iter().any(|finding| finding.kind == kind && finding.at == *at);
        if !known && self.0.len() < MAX_FINDINGS {
            self.0.push(Finding { kind, at: at.clone(), what, records });
        }
    }
}

/// A family of rules.
type Rule = fn(&View<'_>, &mut Findings);

/// All of them. Within one severity, findings are shown in this order.
const RULES: [Rule; 5] = [targets::look, chains::look, records::look, ttls::look, names::look];

/// What the rules find.
pub fn check(case: &Case, lists: &Lists) -> Checked {
    let view = View {
        name: &case.name,
        chains: case.own.iter().map(Chain::of).collect(),
        targets: case.targets.iter().map(Chain::of).collect(),
        wildcard: case.wildcard.as_ref().map(Chain::of),
        oddities: case.own.iter().flat_map(facts::oddities).collect(),
        lists,
    };
    let mut findings = Findings::default();
    for rule in RULES {
        rule(&view, &mut findings);
    }
    let Findings(mut findings) = findings;
    findings.sort_by_key(|finding| finding.kind.severity);
    let longest = [RrType::A, RrType::AAAA].map(|rtype| view.chain(rtype));
    let chain = longest.into_iter().flatten().find(|chain| chain.is_alias());
    let leads_to = chain.iter().flat_map(|chain| chain.links.iter().filter_map(|link| link.target.clone()));
    Checked { name: case.name.clone(), leads_to: leads_to.collect(), findings }
}
