//! The words that all formats for people share: outcomes, circumstances, times, verdicts.
//!
//! Knows: how one thing is said. Does not know: where it stands. What failures are called is `failure`'s
//! matter. Shown by: `tests/trace_text.rs`.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Cost, Exchange, FailedAt, HopSeen, LookUp, Outcome, Report, Source};
use crate::cache::hop::Held;
use crate::iterate::PORT;
use crate::master::rdata_to_text;
use crate::resolver::Rcode;
use crate::rrset::RrSet;
use crate::security::Security;
use crate::trace::{End, Meaning, Ttl};
use crate::world::Transport;

/// A space at which no line is folded.
pub const STUCK: char = '\u{a0}';

/// What came of a message.
pub fn outcome(exchange: &Exchange) -> String {
    if let (Some(flaw), Outcome::Replied { .. } | Outcome::Pending) = (exchange.flaw, &exchange.outcome) {
        return flaw.to_string();
    }
    match &exchange.outcome {
        Outcome::Replied { meaning: Meaning::Unusable, .. } => "of no use".to_owned(),
        Outcome::Replied { meaning, .. } => meaning.to_string(),
        Outcome::Again { why, .. } => why.to_string(),
        Outcome::NearMiss => "near miss: a reply that does not match".to_owned(),
        Outcome::Silent { .. } => "silent".to_owned(),
        Outcome::Unreachable { error } => {
            // The system's number says nothing that its words do not.
            let error = error.split(" (os error").next().unwrap_or(error).to_lowercase();
            format!("unreachable: {error}")
        }
        Outcome::GivenUp { .. } => "no reply, given up".to_owned(),
        Outcome::Pending => "no reply yet".to_owned(),
    }
}

/// Transport, time, and what was special.
pub fn circumstances(exchange: &Exchange) -> Vec<String> {
    let mut words = vec![exchange.transport.to_string()];
    words.extend(exchange.outcome.took().map(time));
    if exchange.minimised {
        words.push("minimised".to_owned());
    }
    if exchange.mixed_case {
        words.push("0x20".to_owned());
    }
    if matches!(exchange.outcome, Outcome::Replied { cookie: true, .. }) {
        words.push("cookie".to_owned());
    }
    if !exchange.edns && exchange.transport == Transport::Udp {
        words.push("no EDNS".to_owned());
    }
    words
}

/// Where the data of a hop came from; `None`: from nowhere.
pub fn origin(look_up: &LookUp, brought_by: Option<usize>) -> Option<String> {
    Some(match (look_up.source(), brought_by) {
        (Source::Server(exchange), _) => format!("from {} for {}", server(exchange), exchange.zone),
        (Source::Cache { .. }, Some(hop)) => format!("from the cache: it came along with hop {hop}"),
        (Source::Cache { ttl, stale: false }, None) => format!("from the cache, {ttl} s left"),
        (Source::Cache { stale: true, .. }, None) => "from the cache, past its time".to_owned(),
        (Source::Shared, _) => "from a look-up that was under way already".to_owned(),
        (Source::Nowhere, _) => return None,
    })
}

/// Name and address of a server.
pub fn server(exchange: &Exchange) -> String {
    let name = exchange.server_name.as_ref().map(|name| format!("{name} ")).unwrap_or_default();
    format!("{name}{}", address(exchange.server))
}

/// What its data are worth; `None` where nobody looked.
pub fn security(security: &Security) -> Option<String> {
    Some(match security {
        Security::Unchecked => return None,
        Security::Insecure => "insecure: no chain of trust leads here".to_owned(),
        Security::Secure => "secure".to_owned(),
        Security::Bogus(why) => format!("bogus: {why}"),
    })
}

/// Seconds left, and those there were at first when they differ.
pub fn ttl(ttl: Ttl) -> String {
    if ttl.left == ttl.original { ttl.left.to_string() } else { format!("{} of {}", ttl.left, ttl.original) }
}

/// How it ended, in a line: the RCODE, and the failure if there is one.
pub fn verdict(report: &Report) -> String {
    let answer = &report.answer;
    let followed = count(answer.hops.len(), "alias", "aliases");
    let found: usize = answer.terminal.iter().map(|held| held.set.rdata.len()).sum();
    match answer.rcode {
        Rcode::NoError if found > 0 => {
            format!("NOERROR: {followed}, {}", count(found, "record", "records"))
        }
        Rcode::NoError if answer.soa.is_none() && !answer.hops.is_empty() => format!("NOERROR: {followed}"),
        Rcode::NoError => format!("NOERROR: {followed}, then NODATA (no record of this type)"),
        Rcode::NxDomain => format!("NXDOMAIN: {followed}, then a name that does not exist"),
        Rcode::YxDomain => {
            format!("YXDOMAIN: {followed}, the last of which makes a name longer than 255 octets")
        }
        Rcode::ServFail => {
            let why = answer.failure.as_ref().map(|failure| failure.sentence()).unwrap_or_default();
            format!("SERVFAIL: {why}")
        }
        other => format!("{other:?}").to_uppercase(),
    }
}

/// Did it end well: an answer, or a denial?
pub fn is_good(report: &Report) -> bool {
    matches!(report.answer.rcode, Rcode::NoError | Rcode::NxDomain)
}

/// The step at which it failed.
pub fn failed_at(failed: &FailedAt) -> String {
    let FailedAt { hop, path, zone, returns_to } = failed;
    if let (Some(to), Some(question)) = (returns_to, path.first()) {
        return format!("it failed at hop {hop}: {} leads back to hop {to}", question.name);
    }
    let path: Vec<String> = path.iter().map(ToString::to_string).collect();
    let servers = zone.as_ref().map(|zone| format!(", at the servers of {zone}")).unwrap_or_default();
    format!("it failed at hop {hop}: {}{servers}", path.join(", which needs "))
}

/// Every Extended DNS Error of the answer.
pub fn edes(report: &Report) -> Vec<String> {
    let answer = &report.answer;
    let one = |ede: &crate::failure::Ede| {
        // Its text is the failure's sentence, if that has not been cut to what an EDE may hold.
        let said = answer.failure.as_ref().is_some_and(|failure| failure.sentence() == ede.text);
        let text = if said { String::new() } else { format!(": {}", ede.text) };
        format!("Extended DNS Error {} ({}){text}", ede.code, ede.name())
    };
    answer.edes.iter().map(one).collect()
}

/// What it took.
pub fn cost(cost: &Cost) -> String {
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

/// What a hop is that has no data: in a word.
pub fn no_data(hop: &HopSeen) -> &'static str {
    match hop.end {
        Some(End::NxDomain) => "no such name (NXDOMAIN)",
        Some(_) => "the name exists, the type does not (NODATA)",
        None => "no answer",
    }
}

/// `owner TTL TYPE rdata` of each record.
pub fn records(held: &Held) -> Vec<String> {
    let RrSet { owner, rtype, rdata, .. } = &held.set;
    rdata
        .iter()
        .map(|rdata| format!("{owner} {} {rtype} {}", held.left, rdata_to_text(*rtype, rdata)))
        .collect()
}

/// An address, with its port when that is not the usual one.
pub fn address(server: SocketAddr) -> String {
    if server.port() == PORT { server.ip().to_string() } else { server.to_string() }
}

/// `no one`, `1 one`, `2 many`.
pub fn count(n: usize, one: &str, many: &str) -> String {
    match n {
        0 => format!("no {one}"),
        1 => format!("1 {one}"),
        n => format!("{n} {many}"),
    }
}

/// In milliseconds, or seconds from one on; with decimals where they matter.
pub fn time(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1_000.0;
    if ms >= 1_000.0 {
        format!("{:.2} s", ms / 1_000.0)
    } else if !(0.05..10.0).contains(&ms) {
        format!("{ms:.0} ms")
    } else {
        format!("{ms:.1} ms")
    }
}
