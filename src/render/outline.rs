//! A report as an outline: lines of words with what hangs below them, for people.
//!
//! Knows: which step is said in which words, what hangs below what, how grave a line is. Does not know:
//! columns and colours (`text`), markup (`html`). Shown by: `tests/trace_text.rs`.

use super::words::{self, STUCK, count, records};
use super::{Exchange, HopSeen, LookUp, Outcome, Report, Source, Step};
use crate::security::Security;
use crate::trace::{End, Meaning};

/// RDATA longer than this is not repeated in the outline; the answer below it has it whole.
const SHORT_RDATA: usize = 48;
/// Records of one reply that were not believed and are named one by one.
const DROPPED_SHOWN: usize = 5;

/// How grave a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Tone {
    Plain,
    Strong,
    Faint,
    Odd,
    Bad,
}

/// Some words; those between [`STUCK`] ones belong together.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Line {
    pub tone: Tone,
    pub text: String,
}

impl Line {
    /// Nothing special.
    pub fn plain(text: impl Into<String>) -> Line {
        Line { tone: Tone::Plain, text: text.into() }
    }

    /// In this tone.
    pub fn of(tone: Tone, text: impl Into<String>) -> Line {
        Line { tone, text: text.into() }
    }
}

/// Lines with what hangs below them.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Node {
    pub lines: Vec<Line>,
    pub below: Vec<Node>,
}

impl Node {
    fn leaf(line: Line) -> Node {
        Node { lines: vec![line], below: Vec::new() }
    }
}

/// The whole report but its answer and verdict.
pub fn of_report(report: &Report) -> Node {
    let mut below: Vec<Node> = Vec::new();
    let last = report.hops.len();
    for (number, hop) in (1..).zip(&report.hops) {
        below.push(hop_node(report, hop, number, number == last));
    }
    if below.is_empty() {
        below.push(Node::leaf(Line::plain("nothing was looked up")));
    }
    below.extend(report.additional.iter().map(|look_up| {
        Node {
            lines: [Line::of(Tone::Strong, format!("beside the answer: {}", look_up.question))]
                .into_iter()
                .chain(source_line(look_up, None))
                .collect(),
            below: steps(look_up),
        }
    }));
    Node { lines: vec![Line::of(Tone::Strong, report.answer.question.to_string())], below }
}

fn hop_node(report: &Report, hop: &HopSeen, number: usize, is_last: bool) -> Node {
    let mut lines = Vec::new();
    if let Some(alias) = &hop.alias {
        if let Some((owner, target)) = &alias.dname {
            lines.push(format!("{owner} {} DNAME {target}", alias.ttl));
        }
        lines.push(match &alias.target {
            Some(target) => format!("{} {} CNAME {target}", alias.owner, alias.ttl),
            None => format!("{}: its new name would be longer than 255 octets", alias.owner),
        });
    } else {
        lines.push(ending(report, hop));
    }
    let lines = lines.into_iter().enumerate().map(|(i, text)| {
        let lead = if i == 0 { format!("{number}. ") } else { String::new() };
        Line::of(Tone::Strong, format!("{lead}{text}"))
    });
    let mut lines: Vec<Line> = lines.collect();
    lines.extend(source_line(&hop.look_up, hop.brought_by));
    lines.extend(remarks(report, hop, is_last));
    Node { lines, below: steps(&hop.look_up) }
}

/// What a hop is that is no alias.
fn ending(report: &Report, hop: &HopSeen) -> String {
    let question = &hop.look_up.question;
    match hop.end {
        Some(End::Data) => {}
        Some(End::NxDomain) => return format!("{}: {}", question.name, words::no_data(hop)),
        _ => return format!("{question}: {}", words::no_data(hop)),
    }
    let records: Vec<String> = report.answer.terminal.iter().flat_map(records).collect();
    match records.as_slice() {
        [one] if one.len() <= question.name.to_string().len() + SHORT_RDATA => one.clone(),
        all => format!("{question}: {}", count(all.len(), "record", "records")),
    }
}

/// Where the data of a hop came from; the details are in the steps below.
fn source_line(look_up: &LookUp, brought_by: Option<usize>) -> Option<Line> {
    let mut text = words::origin(look_up, brought_by)?;
    if let Some(exchange) = look_up.server() {
        text = format!("{text} ({})", circumstances(exchange));
    }
    Some(Line::of(Tone::Faint, text))
}

fn circumstances(exchange: &Exchange) -> String {
    words::circumstances(exchange).join(", ").replace(' ', &STUCK.to_string())
}

/// What is to be said of a hop beside its data and where they came from.
fn remarks(report: &Report, hop: &HopSeen, is_last: bool) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(ttl) = hop.ttl.filter(|ttl| ttl.left != ttl.original && !hop.stale) {
        lines.push(Line::plain(format!("TTL: {} of {} s left", ttl.left, ttl.original)));
    }
    if hop.stale {
        lines.push(Line::of(Tone::Odd, "stale: it could not be refreshed"));
    }
    lines.extend(hop.look_up.policy.iter().map(|policy| Line::of(Tone::Odd, policy.to_string())));
    // The steps below say it where it was found.
    if hop.look_up.verdict().is_none() {
        lines.extend(judged(&hop.security));
    }
    let returns_to = report.failed.as_ref().filter(|_| is_last).and_then(|failed| failed.returns_to);
    lines.extend(returns_to.map(|to| Line::of(Tone::Bad, format!("leads back to hop {to}"))));
    lines
}

fn judged(security: &Security) -> Option<Line> {
    let tone = if matches!(security, Security::Bogus(_)) { Tone::Bad } else { Tone::Plain };
    words::security(security).map(|text| Line::of(tone, text))
}

/// The steps of a look-up; what was done at a zone cut hangs below it.
fn steps(look_up: &LookUp) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    let mut at_cut = false;
    for step in &look_up.steps {
        if let Step::Cut { zone, from, servers } = step {
            let servers = count(*servers, "server", "servers");
            nodes.push(Node::leaf(Line::plain(format!("zone {zone} {from}, {servers}"))));
            at_cut = true;
            continue;
        }
        // An outcome concerns the look-up as a whole.
        let of_cut = !matches!(step, Step::Reached { .. } | Step::Judged(_) | Step::Lint { .. });
        let Some(node) = step_node(step) else { continue };
        match nodes.last_mut() {
            Some(cut) if at_cut && of_cut => cut.below.push(node),
            _ => {
                nodes.push(node);
                at_cut = false;
            }
        }
    }
    nodes
}

fn step_node(step: &Step) -> Option<Node> {
    Some(match step {
        // The source line says it.
        Step::CacheHit { .. } | Step::Cut { .. } => return None,
        Step::Joined => Node::leaf(Line::plain("another look-up is at this: waiting for it")),
        Step::Exchange(exchange) => exchange_node(exchange),
        Step::Needed(look_up) => {
            let mut lines = vec![Line::plain(format!("needs {}", look_up.question))];
            if matches!(look_up.source(), Source::Cache { .. }) {
                lines.extend(source_line(look_up, None));
            }
            Node { lines, below: steps(look_up) }
        }
        Step::Reached { addresses, .. } if addresses.is_empty() => {
            Node::leaf(Line::of(Tone::Odd, "no address"))
        }
        Step::Reached { addresses, glue } => {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            let glue = if *glue { " (glue)" } else { "" };
            Node::leaf(Line::plain(format!("found {}{glue}", addresses.join(", "))))
        }
        Step::Judged(security) => Node::leaf(judged(security)?),
        Step::Lint { code, owner } => Node::leaf(Line::of(Tone::Odd, format!("lint {code}: {owner}"))),
        Step::Failed(failure) => Node::leaf(Line::of(Tone::Bad, failure.sentence())),
    })
}

fn exchange_node(exchange: &Exchange) -> Node {
    let (tone, outcome) = outcome(exchange);
    let (server, around) = (words::server(exchange), circumstances(exchange));
    let text = format!("{} at {server}: {outcome} ({around})", exchange.question);
    let mut below: Vec<Node> = exchange
        .lints
        .iter()
        .map(|(code, owner)| Node::leaf(Line::of(Tone::Odd, format!("lint {code}: {owner}"))))
        .collect();
    below.extend(exchange.dropped.iter().take(DROPPED_SHOWN).map(|(owner, rtype, why)| {
        Node::leaf(Line::of(Tone::Odd, format!("not believed: {owner} {rtype} ({why})")))
    }));
    let more = exchange.dropped.len().saturating_sub(DROPPED_SHOWN);
    if more > 0 {
        below.push(Node::leaf(Line::of(Tone::Odd, format!("not believed: {more} more"))));
    }
    Node { lines: vec![Line::of(tone, text)], below }
}

fn outcome(exchange: &Exchange) -> (Tone, String) {
    let text = words::outcome(exchange);
    let tone = match &exchange.outcome {
        Outcome::Replied { .. } | Outcome::Pending if exchange.flaw.is_some() => Tone::Bad,
        Outcome::Replied { meaning: Meaning::Unusable, .. } => Tone::Bad,
        Outcome::Silent { .. } | Outcome::Unreachable { .. } => Tone::Bad,
        Outcome::Replied { .. } => Tone::Plain,
        _ => Tone::Odd,
    };
    (tone, text)
}

/// The sections of the answer with their headings, each record as a master file has it.
pub fn sections(report: &Report) -> Vec<(&'static str, Vec<String>)> {
    let answer = &report.answer;
    let hops = answer.hops.iter().flat_map(|alias| alias.sets());
    let sections = [
        ("Answer", hops.chain(&answer.terminal).flat_map(records).collect::<Vec<String>>()),
        ("Authority", answer.soa.iter().flat_map(records).collect()),
        ("Additional", answer.additional.iter().flat_map(records).collect()),
    ];
    sections.into_iter().filter(|(_, records)| !records.is_empty()).collect()
}

/// How it ended: the RCODE in words, the failure and its place, every EDE, what it took.
pub fn verdict(report: &Report) -> Vec<Line> {
    let tone = if words::is_good(report) { Tone::Strong } else { Tone::Bad };
    let mut lines = vec![Line::of(tone, words::verdict(report))];
    lines.extend(report.failed.iter().map(|failed| Line::plain(words::failed_at(failed))));
    lines.extend(words::edes(report).into_iter().map(Line::plain));
    lines.push(Line::plain(words::cost(&report.cost)));
    lines
}
