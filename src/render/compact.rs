//! A report in a few lines of plain ASCII: one per hop, and what came of it.
//!
//! Knows: what fits a TXT record or an EDNS option. Octets of names and data that are no plain text
//! are escaped (RFC 1035 §5.1). Does not know: messages (`server::explain`). Shown by:
//! `tests/explain.rs`.

use std::fmt::Write as _;

use super::{HopSeen, Report, Source, words};
use crate::master::rdata_to_text;

/// Octets of a line; what is longer is cut.
pub const MAX_LINE: usize = 600;
/// Lines of a trace: every hop that can be configured, and the verdict.
pub const MAX_LINES: usize = 72;
/// Stands for what has been cut.
const CUT: &str = "...";

/// One line per hop, each with its number and whether it is `cached` or came from the `network`;
/// then how it ended and what it took.
pub fn lines(report: &Report) -> Vec<String> {
    let mut lines: Vec<String> =
        (1..).zip(&report.hops).map(|(number, hop)| hop_line(report, number, hop)).collect();
    lines.truncate(MAX_LINES - 2);
    lines.push(words::verdict(report));
    lines.push(words::cost(&report.cost));
    lines.iter().map(|line| plain(line)).collect()
}

fn hop_line(report: &Report, number: usize, hop: &HopSeen) -> String {
    let mut line = format!("{number}. ");
    match &hop.alias {
        Some(alias) => {
            if let Some((owner, target)) = &alias.dname {
                let _ = write!(line, "{owner} {} DNAME {target}, ", alias.ttl);
            }
            let _ = match &alias.target {
                Some(target) => write!(line, "{} {} CNAME {target}", alias.owner, alias.ttl),
                None => write!(line, "{} CNAME too long", alias.owner),
            };
        }
        None => match data(report, number) {
            Some(data) => line.push_str(&data),
            None => {
                let _ = write!(line, "{}: {}", hop.look_up.question, words::no_data(hop));
            }
        },
    }
    let _ = write!(line, " [{}]", origin(hop));
    if let Some(verdict) = words::security(&hop.security) {
        let _ = write!(line, " {verdict}");
    }
    line
}

/// The records at the end of the chain, which is the last hop.
fn data(report: &Report, number: usize) -> Option<String> {
    if number != report.hops.len() || report.answer.terminal.is_empty() {
        return None;
    }
    let of_set = report.answer.terminal.iter().map(|held| {
        let set = &held.set;
        let rdata: Vec<String> = set.rdata.iter().map(|rdata| rdata_to_text(set.rtype, rdata)).collect();
        format!("{} {} {} {}", set.owner, held.left, set.rtype, rdata.join(" / "))
    });
    Some(of_set.collect::<Vec<_>>().join(", "))
}

fn origin(hop: &HopSeen) -> String {
    match hop.look_up.source() {
        Source::Server(exchange) => {
            let how = words::circumstances(exchange).join(", ").replace(words::STUCK, " ");
            format!("network: {} for {}, {how}", words::server(exchange), exchange.zone)
        }
        Source::Cache { .. } if hop.brought_by.is_some() => words::origin(&hop.look_up, hop.brought_by)
            .unwrap_or_default()
            .replacen("from the cache", "network", 1),
        Source::Cache { stale: true, .. } => "cached, past its time".to_owned(),
        Source::Cache { .. } => "cached".to_owned(),
        Source::Shared => "network: a look-up that was under way already".to_owned(),
        Source::Nowhere if hop.look_up.steps.is_empty() && hop.end.is_some() => {
            "from this server itself".to_owned()
        }
        Source::Nowhere => "network: nobody could tell".to_owned(),
    }
}

/// Printable ASCII, no longer than [`MAX_LINE`].
fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for octet in line.bytes() {
        let piece = if (0x20..0x7f).contains(&octet) {
            char::from(octet).to_string()
        } else {
            format!("\\{octet:03}")
        };
        if out.len() + piece.len() > MAX_LINE - CUT.len() {
            out.push_str(CUT);
            break;
        }
        out.push_str(&piece);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_plain_and_has_an_end() {
        assert_eq!(plain("a\u{e9}\nb"), "a\\195\\169\\010b");
        let long = plain(&"x".repeat(2 * MAX_LINE));
        assert!(long.len() == MAX_LINE && long.ends_with("x..."));
    }
}
