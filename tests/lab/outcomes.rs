//! Every row of `docs/lab.md` through the real path: what the resolver makes of the embedded world, cold and
//! warm, within its time and its budget.

use std::sync::Arc;
use std::time::Duration;

use cnamed::budget::MESSAGES_STRAIGHT;
use cnamed::config::Config;
use cnamed::server::Service;
use cnamed::wire::Header;
use cnamed::world::{Clock, Rng, World};

use super::{Row, documented, question};
use crate::client::{Answered, Counted, ask};

/// What priming adds to the messages of the first question: one, and once more at another server.
const PRIMING: usize = 2;
const SERVFAIL: u16 = 2;

/// A resolver whose only world is the embedded one, and the counter on its way out.
fn resolver(seed: u64) -> (Arc<Service>, Arc<Counted>) {
    let lab = super::world().with_rng(Rng::seeded(seed));
    let mut config = Config::default();
    config.dnssec.validation = false; // the embedded world is not signed
    config.resolver.hints = lab.hints();
    let network = Counted::new(lab);
    let world = World { network: network.clone(), clock: Clock::system(), rng: Rng::seeded(seed) };
    (Service::new(Arc::new(config), world), network)
}

fn rcode_of(outcome: &str) -> u16 {
    match outcome {
        "NOERROR" => 0,
        "SERVFAIL" => SERVFAIL,
        "NXDOMAIN" => 3,
        "YXDOMAIN" => 6,
        other => panic!("{other}: no RCODE that docs/lab.md may name"),
    }
}

/// What the row says against what came: a sentence per difference.
fn differences(row: &Row, seen: &Answered) -> Vec<String> {
    let mut out = Vec::new();
    if seen.rcode != rcode_of(&row.outcome) {
        out.push(format!("RCODE {}, not {}: {:?}", seen.rcode, row.outcome, seen.edes));
    }
    let aliases = seen.answer.iter().filter(|rr| matches!(rr.rtype.to_string().as_str(), "CNAME" | "DNAME"));
    let aliases = aliases.count();
    match (row.at_the_name.as_str(), row.outcome.as_str()) {
        (_, "SERVFAIL") => {
            if !seen.answer.is_empty() {
                out.push("SERVFAIL with an answer (R21)".to_owned());
            }
            if seen.edes.len() != 1 || seen.edes[0].1.is_empty() {
                out.push(format!("SERVFAIL without one explanation: {:?}", seen.edes));
            }
        }
        ("CNAME" | "DNAME", _) if aliases == 0 => out.push("no alias in the answer (R25)".to_owned()),
        ("data" | "NODATA" | "NXDOMAIN", _) if aliases > 0 => out.push("an alias from nowhere".to_owned()),
        ("data", _) if seen.answer.is_empty() => out.push("no data".to_owned()),
        ("NODATA" | "NXDOMAIN", _) if !seen.answer.is_empty() => out.push("an answer".to_owned()),
        _ => {}
    }
    if seen.flags & (Header::AA | Header::TC | Header::RA) != Header::RA {
        out.push(format!("flags {:#06x} (R29)", seen.flags));
    }
    let soa = seen.authority.iter().filter(|rr| rr.rtype.to_string() == "SOA").count();
    if row.outcome == "NXDOMAIN" && soa != 1 {
        out.push(format!("{soa} SOA records (R27)"));
    }
    let text = seen.edes.first().map(|(_, text)| text.as_str()).unwrap_or_default();
    for quoted in row.seen.split('`').skip(1).step_by(2).filter(|quoted| quoted.starts_with("CNAME ")) {
        if !text.starts_with(quoted) {
            out.push(format!("EDE {text:?}, not {quoted:?}"));
        }
    }
    let loops = row.outcome == "SERVFAIL" && (row.seen.contains("loop") || row.seen.contains("itself"));
    if loops && (seen.edes[0].0 != 0 || !text.starts_with("CNAME loop: ")) {
        out.push(format!("EDE {:?} is not that of a loop (R22)", seen.edes));
    }
    out
}

/// Asks for one row cold, at once again, and a second later.
async fn row_differs(row: &Row, seed: u64) -> Vec<String> {
    let (service, network) = resolver(seed);
    let timeout = Config::default().resolver.timeout;
    let mut out = Vec::new();
    for (look, pause) in [("cold", 0), ("warm", 0), ("a second later", 1)] {
        tokio::time::sleep(Duration::from_secs(pause)).await;
        let seen = ask(&service, &row.question).await;
        let sent = network.take();
        let mut found = differences(row, &seen);
        if seen.took > timeout {
            found.push(format!("answered after {:?}", seen.took));
        }
        if sent > MESSAGES_STRAIGHT as usize + PRIMING {
            found.push(format!("{sent} messages"));
        }
        // RFC 9520 §3.2: a failure stands at least for a second, and costs nothing meanwhile.
        if look == "warm" && seen.rcode == SERVFAIL && (sent > 0 || seen.took > Duration::ZERO) {
            found.push(format!("a failure that was just found cost {sent} messages, {:?}", seen.took));
        }
        out.extend(found.into_iter().map(|what| format!("{} {look}: {what}", row.question)));
    }
    out
}

#[tokio::test(start_paused = true)]
async fn the_resolver_does_what_the_documentation_says() {
    let mut wrong = Vec::new();
    for seed in 1..=3 {
        for row in documented() {
            wrong.extend(row_differs(&row, seed).await);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(start_paused = true)]
async fn sixteen_hops_resolve_and_seventeen_do_not_from_any_entry() {
    let asked = |hops: usize| question(&format!("hops{hops:02}.chain.example. A"));
    for from_the_end in [false, true] {
        let (service, _) = resolver(1);
        let order: Vec<usize> = if from_the_end { (1..=20).collect() } else { (1..=20).rev().collect() };
        for hops in order {
            let seen = ask(&service, &asked(hops)).await;
            let expected = if hops <= 16 { (0, hops + 1) } else { (SERVFAIL, 0) };
            assert_eq!((seen.rcode, seen.answer.len()), expected, "{hops} hops: {:?}", seen.edes);
        }
    }
}

/// `docs/lab.md`, `ttl.example.com`: each hop has its own clock, and only the expired one is fetched.
#[tokio::test(start_paused = true)]
async fn only_the_expired_hop_is_fetched() {
    let (service, network) = resolver(1);
    let ttls = |seen: &Answered| seen.answer.iter().map(|rr| rr.ttl).collect::<Vec<_>>();
    let first = ask(&service, &question("ttl.example.com. A")).await;
    assert_eq!(ttls(&first), [300, 30, 600]);
    tokio::time::sleep(Duration::from_secs(31)).await;
    network.take();
    let again = ask(&service, &question("ttl.example.com. A")).await;
    assert_eq!((ttls(&again), network.take()), (vec![269, 30, 569], 1));
}
