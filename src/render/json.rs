//! A report as JSON for programs, in the form that `docs/trace.schema.json` describes.
//!
//! Knows: the names and units of version 1, which only grows: a key never changes its meaning, and a
//! reader ignores keys it does not know. Numbers are numbers, names are absolute, times are
//! microseconds and TTLs seconds, as their keys say. Does not know: events. Shown by:
//! `tests/show.rs`.

use serde_json::{Map, Value, json};

use super::beside::{Beside, Change, Kind};
use super::{Exchange, FailedAt, HopSeen, LookUp, Outcome, Report, Source, Step};
use crate::cache::hop::Held;
use crate::failure::{Ede, Failure};
use crate::master::rdata_to_text;
use crate::resolver::Rcode;
use crate::rrset::Question;
use crate::security::{Reason, Security};
use crate::trace::{CutFrom, End, Policy, Why};

/// What the key `format` says of one trace.
pub const FORMAT: &str = "cnamed-trace";
/// Counts up when a program that reads the old form could misread the new one.
pub const VERSION: u32 = 1;

/// The whole report, indented; it ends with a newline.
pub fn render(report: &Report) -> String {
    format!("{:#}\n", value(report))
}

/// Several reports on one name, as `docs/traces.schema.json` describes them.
pub fn render_beside(beside: &Beside) -> String {
    let traces =
        beside.columns.iter().map(|column| json!({ "label": column.label, "trace": value(&column.report) }));
    let rows = beside.rows.iter().map(|row| {
        let labels = beside.columns.iter().zip(&row.said_by).filter(|(_, said)| **said);
        let labels: Vec<&String> = labels.map(|(column, _)| &column.label).collect();
        json!({ "hop": row.hop, "text": row.text, "said_by": labels })
    });
    let all = json!({
        "format": "cnamed-traces",
        "version": VERSION,
        "by": match beside.kind { Kind::Types => "type", Kind::Resolvers => "resolver" },
        "diverges_at_hop": beside.diverges,
        "rows": rows.collect::<Vec<Value>>(),
        "traces": traces.collect::<Vec<Value>>(),
    });
    format!("{all:#}\n")
}

/// One line: what changed at this second, and the trace that shows it.
pub fn render_changes(at: u64, changes: &[Change], report: &Report) -> String {
    let changes =
        changes.iter().map(|change| json!({ "hop": change.hop, "gone": change.gone, "new": change.new }));
    let all = json!({
        "format": "cnamed-change",
        "version": VERSION,
        "at_unix_s": at,
        "changes": changes.collect::<Vec<Value>>(),
        "trace": value(report),
    });
    format!("{all}\n")
}

/// The whole report.
pub fn value(report: &Report) -> Value {
    let answer = &report.answer;
    let hops = answer.hops.iter().flat_map(|alias| alias.sets());
    json!({
        "format": FORMAT,
        "version": VERSION,
        "question": question(&answer.question),
        "rcode": rcode(answer.rcode),
        "secure": answer.secure,
        "hops": (1..).zip(&report.hops).map(|(number, h)| hop(report, h, number)).collect::<Vec<Value>>(),
        "beside": report.additional.iter().map(look_up).collect::<Vec<Value>>(),
        "answer": {
            "answer": records(hops.chain(&answer.terminal)),
            "authority": records(&answer.soa),
            "additional": records(&answer.additional),
        },
        "failure": answer.failure.as_ref().map(|failure| self::failure(failure, report.failed.as_ref())),
        "edes": answer.edes.iter().map(ede).collect::<Vec<Value>>(),
        "cost": {
            "messages": report.cost.messages,
            "octets_received": report.cost.octets,
            "servers": report.cost.servers,
            "zones": report.cost.zones,
            "elapsed_us": micros(report.cost.elapsed),
        },
    })
}

fn question(question: &Question) -> Value {
    json!({ "name": question.name.to_string(), "type": question.rtype.to_string() })
}

fn rcode(rcode: Rcode) -> String {
    format!("{rcode:?}").to_uppercase()
}

fn micros(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn records<'a>(sets: impl IntoIterator<Item = &'a Held>) -> Vec<Value> {
    let one = |held: &'a Held| {
        let set = &held.set;
        set.rdata.iter().map(move |rdata| {
            json!({
                "owner": set.owner.to_string(),
                "type": set.rtype.to_string(),
                "ttl_s": held.left,
                "ttl_original_s": set.ttl,
                "rdata": rdata_to_text(set.rtype, rdata),
            })
        })
    };
    sets.into_iter().flat_map(one).collect()
}

/// One hop: what it is, where from, what it is worth, and how it was found.
fn hop(report: &Report, hop: &HopSeen, number: usize) -> Value {
    let alias = hop.alias.as_ref();
    let dname = alias.and_then(|alias| alias.dname.as_ref());
    let kind = match (&hop.alias, hop.end) {
        (Some(_), _) => "alias",
        (None, Some(End::Data)) => "data",
        (None, Some(End::NoData)) => "nodata",
        (None, Some(End::NxDomain)) => "nxdomain",
        (None, None) => "failed",
    };
    let data = if hop.end == Some(End::Data) { report.answer.terminal.as_slice() } else { &[] };
    json!({
        "number": number,
        "owner": hop.look_up.question.name.to_string(),
        "type": hop.look_up.question.rtype.to_string(),
        "kind": kind,
        "target": alias.and_then(|alias| alias.target.as_ref()).map(ToString::to_string),
        "dname": dname.map(|(owner, target)| {
            json!({ "owner": owner.to_string(), "target": target.to_string() })
        }),
        "ttl_s": hop.ttl.map(|ttl| ttl.left),
        "ttl_original_s": hop.ttl.map(|ttl| ttl.original),
        "stale": hop.stale,
        "zone": hop.zone.as_ref().map(ToString::to_string),
        "dnssec": dnssec(&hop.security),
        "origin": origin(&hop.look_up, hop.brought_by),
        "policy": hop.look_up.policy.iter().map(policy).collect::<Vec<Value>>(),
        "records": records(data),
        "steps": steps(&hop.look_up),
    })
}

fn origin(look_up: &LookUp, brought_by: Option<usize>) -> Value {
    let nobody = |from: &str| json!({ "from": from });
    match look_up.source() {
        Source::Server(exchange) => {
            let mut origin = sent(exchange);
            origin.insert("from".to_owned(), json!("server"));
            Value::Object(origin)
        }
        Source::Cache { ttl, stale } => {
            json!({ "from": "cache", "ttl_s": ttl, "stale": stale, "came_with_hop": brought_by })
        }
        Source::Shared => nobody("shared"),
        Source::Nowhere if look_up.policy.contains(&Policy::LocalName) => nobody("local"),
        Source::Nowhere => nobody("nowhere"),
    }
}

/// To whom a message went, how, and how long it took.
fn sent(exchange: &Exchange) -> Map<String, Value> {
    let cookie = matches!(exchange.outcome, Outcome::Replied { cookie: true, .. });
    let object = json!({
        "server_name": exchange.server_name.as_ref().map(ToString::to_string),
        "address": exchange.server.ip().to_string(),
        "port": exchange.server.port(),
        "zone": exchange.zone.to_string(),
        "question": question(&exchange.question),
        "transport": exchange.transport.to_string(),
        "edns": exchange.edns,
        "cookie": cookie,
        "case_randomised": exchange.mixed_case,
        "minimised": exchange.minimised,
        "sent_us": micros(exchange.sent),
        "took_us": exchange.outcome.took().map(micros),
    });
    if let Value::Object(object) = object { object } else { Map::new() }
}

fn exchange(exchange: &Exchange) -> Value {
    let mut object = sent(exchange);
    let octets = match &exchange.outcome {
        Outcome::Replied { octets, .. } | Outcome::Again { octets, .. } => Some(*octets),
        _ => None,
    };
    let outcome = match &exchange.outcome {
        Outcome::Replied { .. } => "replied",
        Outcome::Again { .. } => "again",
        Outcome::NearMiss => "near-miss",
        Outcome::Silent { .. } => "silent",
        Outcome::Unreachable { .. } => "unreachable",
        Outcome::GivenUp { .. } => "given-up",
        Outcome::Pending => "pending",
    };
    let dropped = exchange.dropped.iter().map(|(owner, rtype, why)| {
        json!({ "owner": owner.to_string(), "type": rtype.to_string(), "why": why.to_string() })
    });
    let more = [
        ("step", json!("exchange")),
        ("outcome", json!(outcome)),
        ("said", json!(super::words::outcome(exchange))),
        ("flaw", json!(exchange.flaw.map(|flaw| flaw.to_string()))),
        ("octets", json!(octets)),
        ("not_believed", dropped.collect()),
        ("lints", exchange.lints.iter().map(|(code, owner)| lint(&code.to_string(), owner)).collect()),
    ];
    object.extend(more.map(|(key, value)| (key.to_owned(), value)));
    Value::Object(object)
}

fn lint(code: &str, owner: &crate::wire::Name) -> Value {
    json!({ "code": code, "owner": owner.to_string() })
}

fn look_up(look_up: &LookUp) -> Value {
    let why = match look_up.why {
        Why::Hop => "hop",
        Why::ServerAddress => "server-address",
        Why::Proof => "proof",
        Why::Priming => "priming",
        Why::Refresh => "refresh",
        Why::Additional => "additional",
    };
    json!({
        "step": "look-up",
        "question": question(&look_up.question),
        "why": why,
        "origin": origin(look_up, None),
        "policy": look_up.policy.iter().map(policy).collect::<Vec<Value>>(),
        "steps": steps(look_up),
    })
}

/// Each step by what its key `step` says.
fn steps(of: &LookUp) -> Vec<Value> {
    let one = |step: &Step| match step {
        Step::CacheHit { ttl, stale } => json!({ "step": "cache-hit", "ttl_s": ttl, "stale": stale }),
        Step::Joined => json!({ "step": "joined" }),
        Step::Cut { zone, from, servers } => {
            json!({ "step": "cut", "zone": zone.to_string(), "from": cut_from(*from), "servers": servers })
        }
        Step::Exchange(sent) => exchange(sent),
        Step::Needed(needed) => look_up(needed),
        Step::Reached { addresses, glue } => {
            json!({ "step": "reached", "addresses": addresses, "glue": glue })
        }
        Step::Judged(security) => json!({ "step": "judged", "dnssec": dnssec(security) }),
        Step::Lint { code, owner } => {
            json!({ "step": "lint", "code": code.to_string(), "owner": owner.to_string() })
        }
        Step::Failed(failure) => {
            json!({ "step": "failed", "kind": failure.kind(), "sentence": failure.sentence() })
        }
    };
    of.steps.iter().map(one).collect()
}

fn cut_from(from: CutFrom) -> &'static str {
    match from {
        CutFrom::Hints => "hints",
        CutFrom::Cache => "cache",
        CutFrom::Referral => "referral",
        CutFrom::Configuration => "configuration",
    }
}

fn policy(policy: &Policy) -> Value {
    let (kind, zone) = match policy {
        Policy::LocalName => ("local-name", None),
        Policy::Stub(zone) => ("stub", Some(zone)),
        Policy::Forward(zone) => ("forward", Some(zone)),
        Policy::NegativeTrustAnchor => ("negative-trust-anchor", None),
    };
    json!({ "kind": kind, "zone": zone.map(ToString::to_string) })
}

fn dnssec(security: &Security) -> Value {
    let (state, reason): (&str, Option<&Reason>) = match security {
        Security::Unchecked => ("unchecked", None),
        Security::Insecure => ("insecure", None),
        Security::Secure => ("secure", None),
        Security::Bogus(reason) => ("bogus", Some(reason)),
    };
    json!({
        "state": state,
        "reason": reason.map(ToString::to_string),
        "ede": reason.map(|reason| reason.ede_code()),
    })
}

fn failure(failure: &Failure, at: Option<&FailedAt>) -> Value {
    json!({
        "kind": failure.kind(),
        "sentence": failure.sentence(),
        "ede": failure.ede().code,
        "hop": at.map(|at| at.hop),
        "path": at.map(|at| at.path.iter().map(question).collect::<Vec<Value>>()).unwrap_or_default(),
        "zone": at.and_then(|at| at.zone.as_ref()).map(ToString::to_string),
        "returns_to_hop": at.and_then(|at| at.returns_to),
    })
}

fn ede(ede: &Ede) -> Value {
    json!({ "code": ede.code, "name": ede.name(), "text": ede.text })
}
