//! A recording as a scenario file.
//!
//! Knows: the dialect, from the writing side: settings that were in force, one entry per message in
//! the order of sending, the answer. Replies stand as raw octets, so that nothing is lost, with what
//! they say as a comment; the first referral to each zone stands as sections too, for questions that
//! another setting leads to. Does not know: how a file is read (`parse`). Shown by:
//! `tests/replay.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::SocketAddr;

use super::message::{COOKIE, Got, flag_names, key, rcode_name, show};
use super::record::{Exchange, Outcome};
use super::records::{question, record};
use super::reply::CLIENT_COOKIE;
use super::script::{ERROR_KINDS, FLAGS, Rr, SystemError};
use crate::config::{Config, Route, RouteKind};
use crate::master::rdata_to_text;
use crate::resolver::Answer;
use crate::respond::{self, Asker, AskerEdns};
use crate::rrset::{Question, RrType};
use crate::wire::{Header, Name};
use crate::world::{Routes, Transport};

/// Octets of a raw message per line.
const RAW_COLUMNS: usize = 36;

/// One question, and all that went to servers for it.
pub struct Recording<'a> {
    /// What was asked.
    pub question: &'a Question,
    /// The settings in force.
    pub config: &'a Config,
    /// Where the random numbers began.
    pub seed: u64,
    /// Unix time at the start.
    pub wall: u64,
    /// Which families led anywhere.
    pub routes: Routes,
    /// In the order of sending.
    pub exchanges: &'a [Exchange],
    /// What came of it.
    pub answer: &'a Answer,
}

impl Recording<'_> {
    /// The file.
    pub fn to_text(&self) -> String {
        let Question { name, rtype, .. } = self.question;
        let mut out = format!(
            "; {name} {rtype}: what `cnamed trace --record` saw, cnamed {}.\n; `cnamed trace --replay FILE` shows it \
             again; the scenario runner (docs/testing.md) checks it.\n",
            env!("CARGO_PKG_VERSION")
        );
        self.settings(&mut out);
        let _ = write!(out, "CONFIG_END\n\nSCENARIO_BEGIN {name} {rtype}\n");
        let mut servers: BTreeMap<SocketAddr, Vec<&Exchange>> = BTreeMap::new();
        for exchange in self.exchanges {
            servers.entry(exchange.to).or_default().push(exchange);
        }
        for (server, exchanges) in servers {
            let _ = write!(out, "\nRANGE_BEGIN 0 100\nADDRESS {}\n", server.ip());
            entries(&mut out, &exchanges);
            referrals(&mut out, &exchanges);
            out.push_str("RANGE_END\n");
        }
        let _ = write!(
            out,
            "\nSTEP 1 QUERY\nENTRY_BEGIN\nMATCH TCP\nREPLY RD\nSECTION QUESTION\n{name} IN {rtype}\nENTRY_END\n"
        );
        self.expected(&mut out);
        out.push_str("\nSCENARIO_END\n");
        out
    }

    fn settings(&self, out: &mut String) {
        let Config { resolver, dnssec, .. } = self.config;
        let yes = |on: bool| if on { "yes" } else { "no" };
        let mut line = |key: &str, value: &str| {
            let _ = writeln!(out, "{key}: {value}");
        };
        line("recording", "yes");
        line("seed", &self.seed.to_string());
        line("val-override-timestamp", &self.wall.to_string());
        line("do-ip4", yes(resolver.ipv4));
        line("do-ip6", yes(resolver.ipv6));
        for (family, is_routed) in [("ipv4", self.routes.v4), ("ipv6", self.routes.v6)] {
            if !is_routed {
                line("no-route", family);
            }
        }
        line("do-not-query-localhost", yes(!resolver.query_localhost));
        line("query-minimization", yes(resolver.qname_minimisation));
        for hint in &resolver.hints {
            for address in &hint.addresses {
                line("root-hint", &format!("{} {address}", hint.name));
            }
        }
        if dnssec.validation {
            for anchor in &dnssec.anchors {
                let rdata = rdata_to_text(anchor.rtype, &anchor.rdata);
                line("trust-anchor", &format!("\"{} IN {} {rdata}\"", anchor.zone, anchor.rtype));
            }
        }
        for name in &dnssec.negative {
            line("domain-insecure", &format!("\"{name}\""));
        }
        for (key, value) in own_settings(self.config) {
            line(&format!("cnamed-{key}"), &value);
        }
    }

    /// The step that checks the answer: all that can be written so that it is read back the same.
    fn expected(&self, out: &mut String) {
        let Ok(answer) = Got::read(&message(self.answer), Transport::Tcp) else { return };
        let sections = [
            ("ANSWER", &answer.answer),
            ("AUTHORITY", &answer.authority),
            ("ADDITIONAL", &answer.additional),
        ];
        let is_whole = sections.iter().flat_map(|(_, records)| *records).all(is_read_back);
        let fields = if is_whole { "all ede" } else { "opcode question flags rcode ede" };
        let flags = flag_names(answer.header.flags & all_flags());
        let rcode = rcode_name(answer.rcode);
        let _ = write!(out, "\nSTEP 2 CHECK_ANSWER\nENTRY_BEGIN\nMATCH {fields}\nREPLY {flags} {rcode}\n");
        for (code, text) in answer.errors() {
            let is_plain = !text.is_empty() && text.trim() == text && !text.starts_with('~');
            let is_plain =
                is_plain && !text.contains(|c: char| c.is_control() || matches!(c, ';' | '"' | '\\'));
            let _ = writeln!(out, "EDE {code} {}", if is_plain { text.as_str() } else { "" });
        }
        let _ = write!(out, "SECTION QUESTION\n{} IN {}\n", self.question.name, self.question.rtype);
        if is_whole {
            sections.iter().for_each(|(name, records)| section(out, name, records));
        }
        out.push_str("ENTRY_END\n");
    }
}

/// The answer as a client without special wishes gets it over TCP.
fn message(answer: &Answer) -> Vec<u8> {
    let edns = AskerEdns { our_size: respond::PLAIN_UDP as u16, ..AskerEdns::default() };
    let asker = Asker { id: 0, flags: Header::RD, limit: usize::from(u16::MAX), edns: Some(edns) };
    respond::build(answer, &asker)
}

fn all_flags() -> u16 {
    FLAGS.iter().fold(0, |all, (_, bit)| all | bit)
}

fn section(out: &mut String, name: &str, records: &[Rr]) {
    if !records.is_empty() {
        let _ = writeln!(out, "SECTION {name}");
    }
    for rr in records {
        let _ = writeln!(out, "{}", show(rr));
    }
}

fn is_read_back(rr: &Rr) -> bool {
    record(&show(rr)).is_ok_and(|again| key(&again) == key(rr) && again.ttl == rr.ttl)
}

/// Settings without a word of their own in the dialect, where they are not the default; and those
/// that the runner would set otherwise.
fn own_settings(config: &Config) -> Vec<(&'static str, String)> {
    let default = Config::default();
    let (ours, theirs) = (&config.resolver, &default.resolver);
    let (kept, usual) = (&config.cache, &default.cache);
    let sha1 = if config.dnssec.sha1_validates { "\"validate\"" } else { "\"insecure\"" };
    let mut lines =
        vec![("resolver.root-priming", ours.root_priming.to_string()), ("dnssec.sha1", sha1.to_owned())];
    let millis = ours.timeout.as_millis();
    let numbers = [
        (
            "resolver.case-randomisation",
            ours.case_randomisation.to_string(),
            theirs.case_randomisation.to_string(),
        ),
        ("resolver.edns-buffer-size", ours.edns_buffer_size.to_string(), theirs.edns_buffer_size.to_string()),
        ("resolver.max-chain-length", ours.max_chain_length.to_string(), theirs.max_chain_length.to_string()),
        (
            "resolver.max-upstream-queries",
            ours.max_upstream_queries.to_string(),
            theirs.max_upstream_queries.to_string(),
        ),
        ("resolver.timeout", format!("\"{millis}ms\""), format!("\"{}ms\"", theirs.timeout.as_millis())),
        ("cache.min-ttl", kept.min_ttl.to_string(), usual.min_ttl.to_string()),
        ("cache.max-ttl", kept.max_ttl.to_string(), usual.max_ttl.to_string()),
        ("cache.max-negative-ttl", kept.max_negative_ttl.to_string(), usual.max_negative_ttl.to_string()),
    ];
    lines.extend(
        numbers.into_iter().filter(|(_, ours, usual)| ours != usual).map(|(key, ours, _)| (key, ours)),
    );
    for (key, kind) in [("forward", RouteKind::Forward), ("stub", RouteKind::Stub)] {
        let routes: Vec<String> =
            config.routes.iter().filter(|route| route.kind == kind).map(route_as_toml).collect();
        if !routes.is_empty() {
            lines.push((key, format!("[{}]", routes.join(", "))));
        }
    }
    lines
}

fn route_as_toml(route: &Route) -> String {
    let servers: Vec<String> = route.servers.iter().map(|server| format!("\"{server}\"")).collect();
    let zone = toml::Value::String(route.zone.to_string());
    format!("{{ zone = {zone}, servers = [{}] }}", servers.join(", "))
}

/// What must be the same for an entry to answer.
fn matched(exchange: &Exchange) -> Option<(Question, bool)> {
    let query = Got::read(&exchange.query, exchange.transport).ok()?;
    let question = query.question?;
    let question = Question { name: question.name.to_lowercase(), ..question };
    Some((question, query.edns.is_some()))
}

/// One entry per message; of several to the same question each answers in its turn, the last for
/// good.
fn entries(out: &mut String, exchanges: &[&Exchange]) {
    let keys: Vec<_> = exchanges.iter().map(|exchange| (matched(exchange), exchange.transport)).collect();
    for (at, exchange) in exchanges.iter().enumerate() {
        let Some((Some((asked, edns)), _)) = keys.get(at) else { continue };
        let is_last = !keys.iter().skip(at + 1).any(|later| Some(later) == keys.get(at));
        // A name that the dialect cannot hold would make the whole file of no use.
        if question(&format!("{} {}", asked.name, asked.rtype)).as_ref() != Ok(asked) {
            continue;
        }
        let edns = if *edns { "edns" } else { "no_edns" };
        let _ = write!(
            out,
            "; sent after {:.3} ms\nENTRY_BEGIN\nMATCH opcode qtype qname {} {edns}\nADJUST{}{}\nSECTION QUESTION\n{} IN {}\n",
            exchange.sent.as_secs_f64() * 1_000.0,
            exchange.transport,
            if is_last { "" } else { " once" },
            adjustments(exchange),
            asked.name,
            asked.rtype,
        );
        outcome(out, exchange);
        out.push_str("ENTRY_END\n");
    }
}

fn outcome(out: &mut String, exchange: &Exchange) {
    match &exchange.outcome {
        Outcome::Nothing => {}
        Outcome::Error { error, .. } => {
            let _ = writeln!(out, "ERROR {}", error_words(error));
        }
        Outcome::Came { octets, .. } => {
            out.push_str("RAW\n");
            let shown = Got::read(octets, exchange.transport).map_or_else(|why| why, |got| got.show());
            for line in shown.lines() {
                let _ = writeln!(out, "; {line}");
            }
            for row in octets.chunks(RAW_COLUMNS) {
                let digits: String = row.iter().map(|octet| format!("{octet:02x}")).collect();
                let _ = writeln!(out, "{digits}");
            }
        }
    }
}

fn error_words(error: &SystemError) -> String {
    match error {
        SystemError::System(number) => format!("system {number}"),
        SystemError::Other(kind, words) => {
            let word = ERROR_KINDS.iter().find(|(_, known)| known == kind).map_or("other", |(word, _)| *word);
            let words = words.replace(|c: char| c.is_control() || matches!(c, ';' | '"' | '\\'), " ");
            format!("{word} {}", words.trim())
        }
    }
}

/// What the player does to the raw octets, each word with a blank before it: what the query has of
/// its own, ID, letter case and cookie, and whether the reply repeated it.
fn adjustments(exchange: &Exchange) -> String {
    let (octets, rtt, after) = match &exchange.outcome {
        Outcome::Nothing => return " do_not_answer".to_owned(),
        Outcome::Error { after, .. } => return format!(" after={}", after.as_millis()),
        Outcome::Came { octets, rtt, after } => (octets, rtt, after),
    };
    let query = &exchange.query;
    let mut words = format!(" rtt={} after={} raw_id", rtt.as_micros(), after.as_millis());
    if octets.first_chunk::<2>() != query.first_chunk::<2>() {
        words.push_str(" wrong_id");
    }
    if let Ok(asked) = Got::read(query, exchange.transport)
        && let Some(question) = &asked.question
    {
        let name = question.name.as_wire();
        let echo = octets.get(Header::OCTETS..Header::OCTETS + name.len());
        match echo {
            Some(echo) if echo == name => words.push_str(" copy_query"),
            Some(echo) if echo.eq_ignore_ascii_case(name) => words.push_str(" wrong_case"),
            _ => {}
        }
        if let Some(ours) = client_cookie(&asked)
            && let Ok(reply) = Got::read(octets, exchange.transport)
            && client_cookie(&reply) == Some(ours)
        {
            words.push_str(" cookie");
        }
    }
    words
}

fn client_cookie(message: &Got) -> Option<&[u8]> {
    message.edns.as_ref()?.option(COOKIE)?.get(..CLIENT_COOKIE)
}

/// What the server says of any name below a zone that it delegates.
fn referrals(out: &mut String, exchanges: &[&Exchange]) {
    let mut told: BTreeSet<Name> = BTreeSet::new();
    for exchange in exchanges {
        let Outcome::Came { octets, rtt, .. } = &exchange.outcome else { continue };
        let Ok(reply) = Got::read(octets, exchange.transport) else { continue };
        let Some(zone) = delegated(&reply).filter(|zone| !told.contains(zone)) else { continue };
        if !reply.authority.iter().chain(&reply.additional).all(is_read_back) {
            continue;
        }
        let cookie = if client_cookie(&reply).is_some() { " cookie" } else { "" };
        let _ = write!(
            out,
            "; to any other name there\nENTRY_BEGIN\nMATCH opcode subdomain\nADJUST copy_id copy_query{cookie} rtt={}\n\
             REPLY {} NOERROR\nSECTION QUESTION\n{zone} IN NS\n",
            rtt.as_micros(),
            flag_names(reply.header.flags & all_flags()),
        );
        section(out, "AUTHORITY", &reply.authority);
        section(out, "ADDITIONAL", &reply.additional);
        out.push_str("ENTRY_END\n");
        told.insert(zone);
    }
}

/// The zone that a referral leads to.
fn delegated(reply: &Got) -> Option<Name> {
    let is_referral = reply.rcode == 0 && reply.answer.is_empty() && !reply.header.has(Header::AA);
    let has_soa = reply.authority.iter().any(|rr| rr.rtype == RrType::SOA);
    let ns = reply.authority.iter().find(|rr| rr.rtype == RrType::NS)?;
    (is_referral && !has_soa && !reply.header.has(Header::TC)).then(|| ns.owner.to_lowercase())
}
