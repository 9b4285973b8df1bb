//! A report as a tree of lines for people.
//!
//! Knows: words, indentation, line width, colours. Lines are folded at 80 columns between words;
//! names are never cut, so that they can be copied. Does not know: events. Shown by:
//! `tests/trace_text.rs`, `docs/trace.md`.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use unicode_width::UnicodeWidthStr;

use super::{Cost, Exchange, HopSeen, LookUp, Outcome, Report, Source, Step};
use crate::cache::rrsets::Held;
use crate::dnssec::Security;
use crate::failure::Ede;
use crate::iterate::PORT;
use crate::master::rdata_to_text;
use crate::resolver::Rcode;
use crate::rrset::RrSet;
use crate::trace::Meaning;
use crate::world::Transport;

/// Columns that a line takes unless a single name is longer.
pub const WIDTH: usize = 80;
/// Columns that text has at least, however deep it stands.
const MIN_TEXT: usize = 36;
/// RDATA longer than this is not repeated in the tree; the answer below it has it whole.
const SHORT_RDATA: usize = 48;
/// Records of one reply that were not believed and are named one by one.
const DROPPED_SHOWN: usize = 5;

/// A space at which no line is folded.
const STUCK: char = '\u{a0}';

/// Is the text coloured?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    Never,
    /// With SGR sequences (ECMA-48 §8.3.117).
    Ansi,
}

/// The whole report; every line ends with a newline.
pub fn render(report: &Report, colour: Colour) -> String {
    let mut page = Page { colour, text: String::new() };
    page.node(&tree(report), "", "");
    page.text.push('\n');
    for line in answer_lines(report) {
        page.line(line.tone, "", &line.text);
    }
    for (first, rest, line) in verdict_lines(report) {
        page.folded(first, rest, &line);
    }
    page.folded("", "  ", &Line::plain(cost(&report.cost)));
    page.text
}

/// What a line is, for its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Strong,
    Faint,
    Odd,
    Bad,
}

/// A line before it is folded.
#[derive(Debug)]
pub(crate) struct Line {
    tone: Tone,
    text: String,
}

impl Line {
    pub(crate) fn plain(text: impl Into<String>) -> Line {
        Line { tone: Tone::Plain, text: text.into() }
    }

    pub(crate) fn of(tone: Tone, text: impl Into<String>) -> Line {
        Line { tone, text: text.into() }
    }
}

/// Lines with what hangs below them.
#[derive(Debug)]
struct Node {
    lines: Vec<Line>,
    below: Vec<Node>,
}

impl Node {
    fn leaf(line: Line) -> Node {
        Node { lines: vec![line], below: Vec::new() }
    }
}

/// Writes lines and nodes.
pub(crate) struct Page {
    pub(crate) colour: Colour,
    pub(crate) text: String,
}

impl Page {
    /// `first` goes before the first line, `rest` before all others.
    fn node(&mut self, node: &Node, first: &str, rest: &str) {
        let stem = if node.below.is_empty() { "  " } else { "│ " };
        let hanging = format!("{rest}{stem}");
        for (number, line) in node.lines.iter().enumerate() {
            let lead = if number == 0 { first } else { hanging.as_str() };
            let fold = if number == 0 { "" } else { "  " };
            self.folded(lead, &format!("{hanging}{fold}"), line);
        }
        let last = node.below.len().saturating_sub(1);
        for (number, child) in node.below.iter().enumerate() {
            let (branch, below) = if number == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            self.node(child, &format!("{rest}{branch}"), &format!("{rest}{below}"));
        }
    }

    /// One line, folded at spaces; [`STUCK`] ones stay together.
    pub(crate) fn folded(&mut self, first: &str, rest: &str, line: &Line) {
        let indent: String = line.text.chars().take_while(|c| *c == ' ').collect();
        let (mut lead, mut row) = (first, indent);
        for word in line.text.split(' ').filter(|word| !word.is_empty()) {
            let begun = !row.trim_start().is_empty();
            let room = WIDTH.saturating_sub(width(lead)).max(MIN_TEXT);
            if begun && width(&row) + 1 + width(word) > room {
                self.line(line.tone, lead, &row);
                (lead, row) = (rest, String::new());
            } else if begun {
                row.push(' ');
            }
            row.push_str(word);
        }
        self.line(line.tone, lead, &row);
    }

    fn line(&mut self, tone: Tone, lead: &str, text: &str) {
        let text = text.replace(STUCK, " ");
        let code = match tone {
            _ if self.colour == Colour::Never => None,
            Tone::Plain => None,
            Tone::Strong => Some("1"),
            Tone::Faint => Some("2"),
            Tone::Odd => Some("33"),
            Tone::Bad => Some("31"),
        };
        let _ = match code {
            Some(code) => writeln!(self.text, "{lead}\x1b[{code}m{text}\x1b[0m"),
            None => writeln!(self.text, "{lead}{text}"),
        };
    }
}

/// Columns; names may be in any script.
fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

fn tree(report: &Report) -> Node {
    let mut below: Vec<Node> = Vec::new();
    let last = report.hops.len();
    for (number, hop) in (1..).zip(&report.hops) {
        below.push(hop_node(report, hop, number, number == last));
    }
    if report.answer.local {
        below.push(Node::leaf(Line::plain("answered by cnamed itself: nobody else is asked for this name")));
    } else if below.is_empty() {
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
        lines.push(ending(report, hop, is_last));
    }
    let lines = lines.into_iter().enumerate().map(|(i, text)| {
        let lead = if i == 0 { format!("{number}. ") } else { String::new() };
        Line::of(Tone::Strong, format!("{lead}{text}"))
    });
    let mut lines: Vec<Line> = lines.collect();
    lines.extend(source_line(&hop.look_up, hop.brought_by));
    if hop.stale {
        lines.push(Line::of(Tone::Odd, "stale: it could not be refreshed"));
    }
    Node { lines, below: steps(&hop.look_up) }
}

/// What a hop is that is no alias.
fn ending(report: &Report, hop: &HopSeen, is_last: bool) -> String {
    let answer = &report.answer;
    let question = &hop.look_up.question;
    if !is_last || answer.failure.is_some() {
        return format!("{question}: no answer");
    }
    let records: Vec<String> = answer.terminal.iter().flat_map(records).collect();
    match (records.as_slice(), answer.rcode) {
        ([], Rcode::NxDomain) => format!("{}: no such name (NXDOMAIN)", question.name),
        ([], _) => format!("{question}: the name exists, the type does not (NODATA)"),
        ([one], _) if one.len() <= question.name.to_string().len() + SHORT_RDATA => one.clone(),
        (all, _) => format!("{question}: {}", count(all.len(), "record", "records")),
    }
}

/// Where the data of a hop came from; the details are in the steps below.
fn source_line(look_up: &LookUp, brought_by: Option<usize>) -> Option<Line> {
    let text = match (look_up.source(), brought_by) {
        (Source::Server(exchange), _) => {
            let name = exchange.server_name.as_ref().map(|name| format!("{name} ")).unwrap_or_default();
            format!(
                "from {name}{} for {} ({})",
                address(exchange.server),
                exchange.zone,
                circumstances(exchange)
            )
        }
        (Source::Cache { .. }, Some(hop)) => format!("from the cache: it came along with hop {hop}"),
        (Source::Cache { ttl, stale: false }, None) => format!("from the cache, {ttl} s left"),
        (Source::Cache { stale: true, .. }, None) => "from the cache, past its time".to_owned(),
        (Source::Shared, _) => "from a look-up that was under way already".to_owned(),
        (Source::Nowhere, _) => return None,
    };
    Some(Line::of(Tone::Faint, text))
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
        Step::Judged(Security::Unchecked) => return None,
        Step::Judged(Security::Insecure) => Node::leaf(Line::plain("insecure: no chain of trust leads here")),
        Step::Judged(Security::Secure) => Node::leaf(Line::plain("secure")),
        Step::Judged(Security::Bogus(why)) => Node::leaf(Line::of(Tone::Bad, format!("bogus: {why}"))),
        Step::Lint { code, owner } => Node::leaf(Line::of(Tone::Odd, format!("lint {code}: {owner}"))),
        Step::Failed(failure) => Node::leaf(Line::of(Tone::Bad, failure.sentence())),
    })
}

fn exchange_node(exchange: &Exchange) -> Node {
    let name = exchange.server_name.as_ref().map(|name| format!("{name} ")).unwrap_or_default();
    let (tone, outcome) = outcome(exchange);
    let text = format!(
        "{} at {name}{}: {outcome} ({})",
        exchange.question,
        address(exchange.server),
        circumstances(exchange)
    );
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
    if let (Some(flaw), Outcome::Replied { .. } | Outcome::Pending) = (exchange.flaw, &exchange.outcome) {
        return (Tone::Bad, flaw.to_string());
    }
    match &exchange.outcome {
        Outcome::Replied { meaning: Meaning::Unusable, .. } => (Tone::Bad, "of no use".to_owned()),
        Outcome::Replied { meaning, .. } => (Tone::Plain, meaning.to_string()),
        Outcome::Again { why, .. } => (Tone::Odd, why.to_string()),
        Outcome::NearMiss => (Tone::Odd, "near miss: a reply that does not match".to_owned()),
        Outcome::Silent { .. } => (Tone::Bad, "silent".to_owned()),
        Outcome::Unreachable { error } => {
            // The system's number says nothing that its words do not.
            let error = error.split(" (os error").next().unwrap_or(error).to_lowercase();
            (Tone::Bad, format!("unreachable: {error}"))
        }
        Outcome::GivenUp { .. } => (Tone::Odd, "no reply, given up".to_owned()),
        Outcome::Pending => (Tone::Odd, "no reply yet".to_owned()),
    }
}

/// Transport, time, and what was special.
fn circumstances(exchange: &Exchange) -> String {
    let mut words = vec![exchange.transport.to_string()];
    match &exchange.outcome {
        Outcome::Replied { rtt, .. } | Outcome::Again { rtt, .. } => words.push(time(*rtt)),
        Outcome::Silent { waited } | Outcome::GivenUp { waited } => words.push(time(*waited)),
        Outcome::NearMiss | Outcome::Unreachable { .. } | Outcome::Pending => {}
    }
    if exchange.minimised {
        words.push("minimised".to_owned());
    }
    if matches!(exchange.outcome, Outcome::Replied { cookie: true, .. }) {
        words.push("cookie".to_owned());
    }
    if !exchange.edns && exchange.transport == Transport::Udp {
        words.push("no EDNS".to_owned());
    }
    words.join(", ").replace(' ', &STUCK.to_string())
}

/// The records of the answer, as a master file has them.
fn answer_lines(report: &Report) -> Vec<Line> {
    let answer = &report.answer;
    let hops = answer.hops.iter().flat_map(|alias| alias.sets());
    let sets = hops.chain(&answer.terminal).flat_map(records).map(Line::plain);
    let soa = answer.soa.iter().flat_map(records).map(Line::plain);
    let additional = answer.additional.iter().flat_map(records).map(Line::plain);
    let mut lines: Vec<Line> = Vec::new();
    for (heading, section) in [
        ("Answer", sets.collect::<Vec<Line>>()),
        ("Authority", soa.collect()),
        ("Additional", additional.collect()),
    ] {
        if !section.is_empty() {
            lines.push(Line::of(Tone::Strong, heading));
            lines.extend(section.into_iter().map(|line| Line::of(line.tone, format!("  {}", line.text))));
        }
    }
    if !lines.is_empty() {
        lines.push(Line::plain(""));
    }
    lines
}

/// How it ended: the RCODE in words, the failure, every EDE.
fn verdict_lines(report: &Report) -> Vec<(&'static str, &'static str, Line)> {
    let answer = &report.answer;
    let followed = count(answer.hops.len(), "alias", "aliases");
    let found: usize = answer.terminal.iter().map(|held| held.set.rdata.len()).sum();
    let line = match answer.rcode {
        Rcode::NoError if found > 0 => {
            Line::of(Tone::Strong, format!("NOERROR: {followed}, {}", count(found, "record", "records")))
        }
        Rcode::NoError if answer.soa.is_none() && !answer.hops.is_empty() => {
            Line::of(Tone::Strong, format!("NOERROR: {followed}"))
        }
        Rcode::NoError => {
            Line::of(Tone::Strong, format!("NOERROR: {followed}, then NODATA (no record of this type)"))
        }
        Rcode::NxDomain => {
            Line::of(Tone::Strong, format!("NXDOMAIN: {followed}, then a name that does not exist"))
        }
        Rcode::YxDomain => Line::of(
            Tone::Bad,
            format!("YXDOMAIN: {followed}, the last of which makes a name longer than 255 octets"),
        ),
        Rcode::ServFail => {
            let why = answer.failure.as_ref().map(|failure| failure.sentence()).unwrap_or_default();
            Line::of(Tone::Bad, format!("SERVFAIL: {why}"))
        }
        other => Line::of(Tone::Bad, format!("{other:?}").to_uppercase()),
    };
    let mut lines = vec![("", "  ", line)];
    for ede in &answer.edes {
        // Its text is the sentence above, if that has not been cut to what an EDE may hold.
        let said = answer.failure.as_ref().is_some_and(|failure| failure.sentence() == ede.text);
        let text = if said { String::new() } else { format!(": {}", ede.text) };
        let line = Line::plain(format!("Extended DNS Error {} ({}){text}", ede.code, ede_name(ede.code)));
        lines.push(("", "  ", line));
    }
    lines
}

fn cost(cost: &Cost) -> String {
    if cost.messages == 0 {
        return format!("no message sent, {}", time(cost.elapsed));
    }
    format!(
        "{} to {} of {}, {} received, {}",
        count(cost.messages as usize, "message", "messages"),
        count(cost.servers, "server", "servers"),
        count(cost.zones, "zone", "zones"),
        count(cost.octets as usize, "octet", "octets"),
        time(cost.elapsed)
    )
}

/// `owner TTL TYPE rdata` of each record.
fn records(held: &Held) -> Vec<String> {
    let RrSet { owner, rtype, rdata, .. } = &held.set;
    rdata
        .iter()
        .map(|rdata| format!("{owner} {} {rtype} {}", held.left, rdata_to_text(*rtype, rdata)))
        .collect()
}

fn address(server: SocketAddr) -> String {
    if server.port() == PORT { server.ip().to_string() } else { server.to_string() }
}

pub(crate) fn count(n: usize, one: &str, many: &str) -> String {
    match n {
        0 => format!("no {one}"),
        1 => format!("1 {one}"),
        n => format!("{n} {many}"),
    }
}

/// In milliseconds, or seconds from one on; with decimals where they matter.
fn time(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1_000.0;
    if ms >= 1_000.0 {
        format!("{:.2} s", ms / 1_000.0)
    } else if !(0.05..10.0).contains(&ms) {
        format!("{ms:.0} ms")
    } else {
        format!("{ms:.1} ms")
    }
}

/// As RFC 8914 §4 names them, and the IANA registry since.
fn ede_name(code: u16) -> &'static str {
    match code {
        Ede::OTHER => "Other",
        Ede::STALE_ANSWER => "Stale Answer",
        6 => "DNSSEC Bogus",
        7 => "Signature Expired",
        8 => "Signature Not Yet Valid",
        9 => "DNSKEY Missing",
        10 => "RRSIGs Missing",
        11 => "No Zone Key Bit Set",
        12 => "NSEC Missing",
        Ede::CACHED_ERROR => "Cached Error",
        Ede::NOT_READY => "Not Ready",
        Ede::PROHIBITED => "Prohibited",
        Ede::STALE_NXDOMAIN => "Stale NXDOMAIN Answer",
        Ede::NOT_AUTHORITATIVE => "Not Authoritative",
        Ede::NOT_SUPPORTED => "Not Supported",
        Ede::NO_REACHABLE_AUTHORITY => "No Reachable Authority",
        Ede::NETWORK_ERROR => "Network Error",
        Ede::INVALID_DATA => "Invalid Data",
        25 => "Signature Expired before Valid",
        _ => "see RFC 8914",
    }
}
