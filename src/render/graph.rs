//! Reports as a graph for pictures: a node per hop, an edge per alias.
//!
//! Knows: what is a node, what leads where, in which state an edge is, what a node says. Does not know:
//! coordinates and markup (`svg`, `html`, `mermaid`, `dot`). Shown by: `tests/show.rs`.

use super::beside::{Beside, Column};
use super::{Exchange, HopSeen, Report, words};
use crate::failure::Failure;
use crate::master::rdata_to_text;
use crate::security::Security;
use crate::trace::End;

/// Records of the last hop that are written into its node.
const RECORDS_SHOWN: usize = 6;
/// Octets of a record that are written into a node.
const RECORD_OCTETS: usize = 72;

/// In what state a hop or the step from it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum State {
    /// As its server said, unproven.
    Plain,
    Secure,
    /// Past its time.
    Stale,
    /// Nothing is there.
    Missing,
    /// Bogus, a loop, no answer.
    Bad,
}

impl State {
    /// In a word: class of a style.
    pub fn word(self) -> &'static str {
        match self {
            State::Plain => "plain",
            State::Secure => "secure",
            State::Stale => "stale",
            State::Missing => "missing",
            State::Bad => "bad",
        }
    }

    /// For a legend.
    pub fn meaning(self) -> &'static str {
        match self {
            State::Plain => "not signed, or not checked",
            State::Secure => "secure (DNSSEC)",
            State::Stale => "stale",
            State::Missing => "nothing there",
            State::Bad => "failed",
        }
    }
}

/// One resolution.
#[derive(Debug)]
pub struct Graph {
    /// What was asked.
    pub question: String,
    /// How it ended.
    pub verdict: String,
    /// Did it end well?
    pub state: State,
    /// What is to be said of that: where it failed, Extended DNS Errors.
    pub remarks: Vec<String>,
    /// What it took.
    pub cost: String,
    /// In chain order.
    pub nodes: Vec<Node>,
    /// In chain order; the one that closes a loop comes last.
    pub edges: Vec<Edge>,
    /// The zones of the nodes, in order of appearance.
    pub zones: Vec<String>,
}

/// A hop.
#[derive(Debug)]
pub struct Node {
    /// The name, absolute.
    pub name: String,
    /// Which of the zones told it; none was asked for a name that is only in the cache, or not reached.
    pub zone: Option<usize>,
    /// What there is: records, or that there are none.
    pub says: Vec<String>,
    /// Where it came from, in few words.
    pub origin: Option<String>,
    /// The same in full.
    pub details: Vec<String>,
    /// The worst that is known of it.
    pub state: State,
    /// Remarks of few words: stale, bogus, policy.
    pub marks: Vec<String>,
}

/// An alias.
#[derive(Debug)]
pub struct Edge {
    /// By the place of the node.
    pub from: usize,
    /// A smaller or equal one: a loop.
    pub to: usize,
    /// Type and TTL.
    pub label: String,
    /// That of the record.
    pub state: State,
}

impl Edge {
    /// Does it lead back?
    pub fn is_loop(&self) -> bool {
        self.to <= self.from
    }
}

impl Graph {
    /// The picture of a report.
    pub fn of(report: &Report) -> Graph {
        let mut graph = Graph {
            question: report.answer.question.to_string(),
            verdict: words::verdict(report),
            state: verdict_state(report),
            remarks: report.failed.iter().map(words::failed_at).chain(words::edes(report)).collect(),
            cost: words::cost(&report.cost),
            nodes: Vec::new(),
            edges: Vec::new(),
            zones: Vec::new(),
        };
        for hop in &report.hops {
            graph.add(report, hop);
        }
        graph.close(report);
        graph
    }

    /// A picture of each, under its label.
    pub fn of_columns(beside: &Beside) -> Vec<(Option<String>, Graph)> {
        let one = |column: &Column| {
            let mut graph = Graph::of(&column.report);
            let parting = beside.diverges.and_then(|hop| graph.nodes.get_mut(hop.saturating_sub(1)));
            if let Some(node) = parting {
                node.marks.push("here they part".to_owned());
            }
            (Some(column.label.clone()), graph)
        };
        beside.columns.iter().map(one).collect()
    }

    fn add(&mut self, report: &Report, hop: &HopSeen) {
        let zone = hop.zone.as_ref().map(|zone| self.zone(zone.to_string()));
        self.nodes.push(Node {
            name: hop.look_up.question.name.to_string(),
            zone,
            says: says(report, hop),
            origin: origin(hop),
            details: details(hop),
            state: state_of(hop),
            marks: marks(hop),
        });
        if let Some(before) = self.nodes.len().checked_sub(2)
            && let Some(hop) = report.hops.get(before)
        {
            self.edges.push(edge(hop, before, before + 1));
        }
    }

    fn zone(&mut self, zone: String) -> usize {
        self.zones.iter().position(|known| *known == zone).unwrap_or_else(|| {
            self.zones.push(zone);
            self.zones.len() - 1
        })
    }

    /// What comes after the last hop, when that is an alias.
    fn close(&mut self, report: &Report) {
        let (Some(last), Some(from)) = (report.hops.last(), report.hops.len().checked_sub(1)) else { return };
        let Some(failure) = &report.answer.failure else { return };
        let returns = report.failed.as_ref().and_then(|failed| failed.returns_to);
        let to = match (&**failure, returns) {
            (Failure::EndlessDname { .. }, _) => from,
            (_, Some(hop)) => hop.saturating_sub(1),
            (Failure::ChainTooLong { .. }, _) => {
                let target = last.alias.as_ref().and_then(|alias| alias.target.as_ref());
                let Some(target) = target else { return };
                self.nodes.push(Node {
                    name: target.to_string(),
                    zone: None,
                    says: vec!["one hop too many: not looked up".to_owned()],
                    origin: None,
                    details: Vec::new(),
                    state: State::Bad,
                    marks: Vec::new(),
                });
                from + 1
            }
            _ => return,
        };
        // All that goes round in the loop is in it.
        for edge in self.edges.iter_mut().filter(|edge| to <= from && edge.from >= to) {
            edge.state = State::Bad;
        }
        self.edges.push(Edge { state: State::Bad, ..edge(last, from, to) });
    }
}

fn verdict_state(report: &Report) -> State {
    let answer = &report.answer;
    match report.hops.last().and_then(|hop| hop.end) {
        _ if !words::is_good(report) => State::Bad,
        Some(End::NoData | End::NxDomain) => State::Missing,
        _ if answer.secure => State::Secure,
        _ => State::Plain,
    }
}

fn edge(hop: &HopSeen, from: usize, to: usize) -> Edge {
    let dname = hop.alias.as_ref().and_then(|alias| alias.dname.as_ref());
    let kind = match dname {
        Some((owner, target)) => format!("{owner} DNAME {target}"),
        None => "CNAME".to_owned(),
    };
    let ttl = match hop.ttl {
        Some(_) if hop.stale => ", past its TTL".to_owned(),
        Some(ttl) => format!(", TTL {}", words::ttl(ttl)),
        None => String::new(),
    };
    Edge { from, to, label: format!("{kind}{ttl}"), state: state_of(hop) }
}

fn state_of(hop: &HopSeen) -> State {
    let found = match (&hop.alias, hop.end) {
        (None, None) => State::Bad,
        (None, Some(End::NoData | End::NxDomain)) => State::Missing,
        (Some(alias), _) if alias.target.is_none() => State::Bad,
        _ => State::Plain,
    };
    let proven = match hop.security {
        Security::Bogus(_) => State::Bad,
        Security::Secure => State::Secure,
        Security::Unchecked | Security::Insecure => State::Plain,
    };
    let stale = if hop.stale { State::Stale } else { State::Plain };
    found.max(proven).max(stale)
}

fn says(report: &Report, hop: &HopSeen) -> Vec<String> {
    match (&hop.alias, hop.end) {
        (Some(alias), _) if alias.target.is_none() => {
            vec!["its new name would be longer than 255 octets".to_owned()]
        }
        (Some(_), _) => Vec::new(),
        (None, Some(End::Data)) => records(report),
        (None, _) => vec![format!("{}: {}", hop.look_up.question.rtype, words::no_data(hop))],
    }
}

/// The records at the end, each with its type and TTL.
fn records(report: &Report) -> Vec<String> {
    let sets = report.answer.terminal.iter();
    let all = sets.flat_map(|held| {
        held.set.rdata.iter().map(move |rdata| {
            let text = rdata_to_text(held.set.rtype, rdata);
            let cut = text.char_indices().nth(RECORD_OCTETS).map(|(at, _)| at);
            let text = match cut {
                Some(at) => format!("{}...", text.get(..at).unwrap_or_default()),
                None => text,
            };
            format!("{} {text}", held.set.rtype)
        })
    });
    let mut lines: Vec<String> = all.collect();
    let more = lines.len().saturating_sub(RECORDS_SHOWN);
    if more > 1 {
        lines.truncate(RECORDS_SHOWN);
        lines.push(format!("and {more} more"));
    }
    lines
}

/// Server, transport and time; or the cache.
fn origin(hop: &HopSeen) -> Option<String> {
    let Some(exchange) = hop.look_up.server() else {
        return words::origin(&hop.look_up, hop.brought_by);
    };
    let server = match &exchange.server_name {
        Some(name) => name.to_string(),
        None => words::address(exchange.server),
    };
    let time = exchange.outcome.took().map(|time| format!(", {}", words::time(time))).unwrap_or_default();
    Some(format!("{server} over {}{time}", exchange.transport))
}

fn details(hop: &HopSeen) -> Vec<String> {
    let mut lines: Vec<String> = words::origin(&hop.look_up, hop.brought_by).into_iter().collect();
    lines.extend(hop.look_up.server().map(|exchange| words::circumstances(exchange).join(", ")));
    lines.extend(hop.ttl.map(|ttl| format!("TTL {} s", words::ttl(ttl))));
    lines.extend(words::security(&hop.security));
    lines
}

fn marks(hop: &HopSeen) -> Vec<String> {
    let mut marks = Vec::new();
    if hop.stale {
        marks.push("stale".to_owned());
    }
    match &hop.security {
        Security::Bogus(why) => marks.push(format!("bogus: {why}")),
        Security::Secure => marks.push("secure".to_owned()),
        Security::Unchecked | Security::Insecure => {}
    }
    let exchanges: Vec<&Exchange> = hop.look_up.exchanges().collect();
    for (code, _) in exchanges.iter().flat_map(|exchange| &exchange.lints) {
        let mark = code.to_string();
        if !marks.contains(&mark) {
            marks.push(mark);
        }
    }
    let useless = exchanges.iter().filter(|exchange| exchange.is_useless()).count();
    if useless > 0 {
        marks.push(words::count(useless, "try in vain", "tries in vain"));
    }
    marks.extend(hop.look_up.policy.iter().map(ToString::to_string));
    marks
}
