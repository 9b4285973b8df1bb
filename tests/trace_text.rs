//! `cnamed trace`: what is drawn for names of the lab, under virtual time and with the same random
//! numbers every time; and, for every name of `docs/lab.md`, that it is what happened.
//!
//! The expected trees are the files of `tests/trace_text/`. When one changes on purpose, run this
//! with `CNAMED_BLESS=1` and read the difference.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cnamed::cli::trace::resolve;
use cnamed::config::{AnchorRecord, Config};
use cnamed::lab;
use cnamed::master::rdata_from_text;
use cnamed::render::beside::{Beside, Column, Kind};
use cnamed::render::graph::Graph;
use cnamed::render::svg;
use cnamed::render::text::{Colour, WIDTH, render, render_beside};
use cnamed::render::{AliasSeen, LookUp, Outcome, Report, Step};
use cnamed::request::Request;
use cnamed::resolver::Rcode;
use cnamed::rrset::{Question, RrType};
use cnamed::server::Service;
use cnamed::wire::Name;
use cnamed::world::{
    Accept, Arrival, BoxFuture, Clock, ExchangeError, Network, Rng, Routes, Transport, World,
};
use tokio::time::Instant;

use crate::lab::documented_outcomes;

/// Set: the expected trees are written anew.
const BLESS: &str = "CNAMED_BLESS";

/// The lab with a distance to each server, so that round trips can be told apart.
pub(crate) struct Far(pub(crate) Arc<lab::World>);

impl Network for Far {
    fn exchange<'a>(
        &'a self,
        to: SocketAddr,
        transport: Transport,
        query: &'a [u8],
        accept: &'a Accept<'a>,
        until: Instant,
    ) -> BoxFuture<'a, Result<Arrival, ExchangeError>> {
        let last = match to.ip() {
            IpAddr::V4(v4) => v4.octets()[3],
            IpAddr::V6(v6) => v6.octets()[15],
        };
        let distance = Duration::from_millis(10 + u64::from(last) % 16);
        Box::pin(async move {
            tokio::time::sleep(distance).await;
            let came = self.0.exchange(to, transport, query, accept, until).await?;
            Ok(Arrival { rtt: came.rtt + distance, ..came })
        })
    }

    fn routes(&self) -> Routes {
        self.0.routes()
    }
}

pub(crate) async fn trace_with(text: &str, edit: impl FnOnce(&mut Config)) -> Report {
    let (name, rtype) = text.split_once(' ').unwrap_or((text, "A"));
    let question = Question::new(name.parse().unwrap(), rtype.parse().unwrap());
    let lab = lab::World::embedded().unwrap().with_rng(Rng::seeded(1));
    let mut config = Config::default();
    config.dnssec.anchors = lab.anchors();
    config.resolver.hints = lab.hints();
    edit(&mut config);
    let world = World { network: Arc::new(Far(lab)), clock: Clock::system(), rng: Rng::seeded(1) };
    resolve(Arc::new(config), world, question, Vec::new()).await
}

/// IPv4 only: half the look-ups, and the trees stay short.
pub(crate) async fn trace(text: &str) -> Report {
    trace_with(text, |config| config.resolver.ipv6 = false).await
}

async fn looks_as_expected(file: &str, text: &str) {
    is_blessed(file, &render(&trace(text).await, Colour::Never));
}

/// Compares with the file of that name, or writes it.
pub(crate) fn is_blessed(file: &str, drawn: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trace_text").join(file);
    if std::env::var_os(BLESS).is_some() {
        std::fs::write(&path, drawn).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    assert!(drawn == expected, "{file}: expected\n{expected}\ndrawn\n{drawn}");
}

macro_rules! trees {
    ($($test:ident $text:literal)*) => {
        $(#[tokio::test(start_paused = true)]
        async fn $test() {
            looks_as_expected(concat!(stringify!($test), ".txt"), $text).await;
        })*
    };
}

trees! {
    plain "example.com"
    chain_of_three "www.example.com"
    dname "www.tree.dname.example"
    loop_of_two_zones "x2.loop.example"
    lame "www.halflame.example"
    glueless "www.glueless.example"
    nothing_there "dangling.alias.example"
    slow "www.slow.example"
    silent "www.silent.example"
    odd_data "both.broken.example"
    truncated "www.truncate.example"
    without_edns "www.noedns.example"
    near_miss "www.wrongid.example"
    one_reply_many_hops "hop9.cookie.example"
    overlong "a-label-that-is-far-too-long-to-fit-in-front-of-the-others.long.dname.example"
    answered_here "localhost"
    secure_then_not "half.signed.example"
    secure "whole.signed.example"
    cloaked "metrics.lint.example"
}

/// As if `example.org.` had a DS of an old key.
const ANCHOR: &str =
    "example.org. DS 1 13 2 0000000000000000000000000000000000000000000000000000000000000000";

#[tokio::test(start_paused = true)]
async fn bogus() {
    let report = trace_with("www.example.com", |config| {
        config.resolver.ipv6 = false;
        let (zone, text) = ANCHOR.split_once(" DS ").unwrap();
        let rdata = rdata_from_text(RrType::DS, text, &Name::root()).unwrap();
        config.dnssec.anchors = vec![AnchorRecord { zone: zone.parse().unwrap(), rtype: RrType::DS, rdata }];
    })
    .await;
    assert_eq!(report.hops[2].security, cnamed::dnssec::Security::Insecure);
    assert!(matches!(report.hops[3].security, cnamed::dnssec::Security::Bogus(_)));
    assert_eq!(report.failed.as_ref().map(|at| (at.hop, at.path.len())), Some((4, 2)));
    is_blessed("bogus.txt", &render(&report, Colour::Never));
}

/// The servers of `example.net.` go silent after a while.
struct Waning(Far, Instant);

impl Network for Waning {
    fn exchange<'a>(
        &'a self,
        to: SocketAddr,
        transport: Transport,
        query: &'a [u8],
        accept: &'a Accept<'a>,
        until: Instant,
    ) -> BoxFuture<'a, Result<Arrival, ExchangeError>> {
        let silent: [IpAddr; 2] = ["198.51.100.13".parse().unwrap(), "2001:db8:1::13".parse().unwrap()];
        if Instant::now() < self.1 || !silent.contains(&to.ip()) {
            return self.0.exchange(to, transport, query, accept, until);
        }
        Box::pin(async move {
            tokio::time::sleep_until(until).await;
            Err(ExchangeError::TimedOut)
        })
    }

    fn routes(&self) -> Routes {
        self.0.routes()
    }
}

/// A resolver that has been running is asked again when a hop cannot be refreshed.
#[tokio::test(start_paused = true)]
async fn stale() {
    let lab = lab::World::embedded().unwrap().with_rng(Rng::seeded(1));
    let mut config = Config::default();
    config.dnssec.validation = false;
    config.resolver.ipv6 = false;
    config.resolver.hints = lab.hints();
    let config = Arc::new(config);
    let network = Arc::new(Waning(Far(lab), Instant::now() + Duration::from_secs(60)));
    let world = World { network, clock: Clock::system(), rng: Rng::seeded(1) };
    let service = Service::new(Arc::clone(&config), world.clone());
    let question = Question::new("www.example.com".parse().unwrap(), RrType::A);
    let ask = async || {
        let request = Arc::new(Request::new(Arc::clone(&config), &world, 0, true));
        let answer = service.answer(&request, question.clone()).await;
        Report::new(answer, &request, Instant::now().duration_since(request.arrived))
    };
    ask().await;
    tokio::time::sleep(Duration::from_secs(700)).await;
    let report = ask().await;
    let stale: Vec<bool> = report.hops.iter().map(|hop| hop.stale).collect();
    assert_eq!(stale, [false, false, true, false]);
    is_blessed("stale.txt", &render(&report, Colour::Never));
}

#[tokio::test(start_paused = true)]
async fn types() {
    let mut columns = Vec::new();
    for label in ["A", "AAAA", "MX"] {
        let report = trace(&format!("www.example.com {label}")).await;
        columns.push(Column { label: label.to_owned(), report });
    }
    is_blessed("types.txt", &render_beside(&Beside::new(Kind::Types, columns), Colour::Never));
}

/// The pictures of `docs/trace.md`.
#[tokio::test(start_paused = true)]
async fn pictures() {
    for (file, text) in [("chain", "www.example.com"), ("loop", "x2.loop.example")] {
        let drawn = svg::render(&[(None, Graph::of(&trace(text).await))]);
        is_blessed(&format!("../../docs/trace-{file}.svg"), &drawn);
    }
}

/// `docs/trace.md` shows trees as they are drawn today.
#[test]
fn the_documentation_shows_what_is_drawn() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(folder.join("docs/trace.md")).unwrap();
    let stale = std::fs::read_to_string(folder.join("tests/trace_text/stale.txt")).unwrap();
    assert!(page.contains(&format!("```text\n{stale}```\n")), "stale.txt");
    assert!(page.contains(ANCHOR), "the anchor of bogus.txt");
    for (file, text) in [
        ("chain_of_three", "www.example.com"),
        ("loop_of_two_zones", "x2.loop.example"),
        ("nothing_there", "dangling.alias.example"),
        ("bogus", "--config anchored.toml www.example.com"),
        ("slow", "www.slow.example"),
        ("cloaked", "metrics.lint.example"),
        ("types", "--type A,AAAA,MX www.example.com"),
        ("glueless", "www.glueless.example"),
        ("odd_data", "both.broken.example"),
        ("lame", "www.halflame.example"),
    ] {
        let drawn = std::fs::read_to_string(folder.join(format!("tests/trace_text/{file}.txt"))).unwrap();
        assert!(page.contains(&format!("$ cnamed trace --lab {text}\n{drawn}```\n")), "{file}.txt");
    }
}

/// The hops of an answer, as a report has them.
pub(crate) fn hops_of(report: &Report) -> Vec<AliasSeen> {
    use cnamed::cache::hop::Alias;
    let seen = report.answer.hops.iter().map(|alias| {
        let redirection = alias.redirection();
        let dname = redirection.dname().map(|set| (set.owner.clone(), set.target().unwrap()));
        match alias {
            Alias::Cname(held) | Alias::Dname { cname: held, .. } => {
                AliasSeen { owner: held.set.owner.clone(), target: held.set.target(), dname, ttl: held.left }
            }
            Alias::Overlong { dname: held } => AliasSeen {
                owner: report.hops.last().unwrap().look_up.question.name.clone(),
                target: None,
                dname,
                ttl: held.left,
            },
        }
    });
    seen.collect()
}

fn every_step<'a>(look_up: &'a LookUp, into: &mut Vec<&'a Step>) {
    for step in &look_up.steps {
        into.push(step);
        if let Step::Needed(needed) = step {
            every_step(needed, into);
        }
    }
}

/// The words of a tree in one line: one that is too long for its width is no other line.
fn unfolded(drawn: &str) -> String {
    let words = drawn.split_whitespace().filter(|word| !word.chars().all(|c| "│├└─".contains(c)));
    words.flat_map(|word| [word, " "]).collect()
}

#[tokio::test(start_paused = true)]
async fn the_hops_shown_are_those_of_the_answer() {
    for (text, _) in documented_outcomes() {
        let report = trace_with(&text, |_| ()).await;
        let drawn = render(&report, Colour::Never);
        let shown: Vec<AliasSeen> = report.hops.iter().filter_map(|hop| hop.alias.clone()).collect();
        if report.answer.failure.is_none() {
            assert_eq!(shown, hops_of(&report), "{text}");
        }
        // Whatever became of it: a chain without a gap that begins at the question.
        let mut at = report.answer.question.name.clone();
        let unfolded = unfolded(&drawn);
        let mut rest = unfolded.as_str();
        for hop in &report.hops {
            assert_eq!(hop.look_up.question.name, at, "{text}");
            let Some(alias) = &hop.alias else { continue };
            let Some(target) = &alias.target else { continue };
            let line = format!("{at} {} CNAME {target} ", alias.ttl);
            let place = rest.find(&line).unwrap_or_else(|| panic!("{text}: no {line}in\n{drawn}"));
            rest = &rest[place..];
            at = target.clone();
        }
        for alias in shown.iter().filter(|_| report.answer.failure.is_none()) {
            assert!(
                drawn.contains(&format!("\n  {} {} CNAME", alias.owner, alias.ttl)) || alias.target.is_none()
            );
        }
        let sentence = report.answer.failure.as_ref().map(|failure| failure.sentence());
        let flowing = drawn.replace("\n  ", " ");
        assert!(
            sentence.is_none_or(|sentence| flowing.contains(&format!("SERVFAIL: {sentence}\n"))),
            "{text}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_outcomes_are_those_of_the_labs_documentation() {
    let mut differing = Vec::new();
    // Whether a server that loses half of its datagrams answers in time is a matter of luck.
    let lucky = |text: &str| text.contains("lossy.");
    for (text, outcome) in documented_outcomes().into_iter().filter(|(text, _)| !lucky(text)) {
        let report = trace_with(&text, |_| ()).await;
        if format!("{:?}", report.answer.rcode).to_uppercase() != outcome {
            differing.push(text);
        }
    }
    assert!(differing.is_empty(), "{differing:?}");
}

#[tokio::test(start_paused = true)]
async fn every_message_is_shown_with_what_came_of_it() {
    for (text, _) in documented_outcomes() {
        let report = trace_with(&text, |_| ()).await;
        let mut steps = Vec::new();
        let look_ups = report.hops.iter().map(|hop| &hop.look_up).chain(&report.additional);
        look_ups.for_each(|look_up| every_step(look_up, &mut steps));
        let exchanges: Vec<_> =
            steps.iter().filter_map(|s| if let Step::Exchange(e) = s { Some(e) } else { None }).collect();
        assert_eq!(exchanges.len(), report.cost.messages as usize, "{text}");
        let mut octets = 0;
        for exchange in exchanges {
            match &exchange.outcome {
                Outcome::Pending => assert!(exchange.flaw.is_some(), "{text}: {exchange:?}"),
                Outcome::Replied { octets: n, .. } | Outcome::Again { octets: n, .. } => octets += *n as u64,
                _ => {}
            }
        }
        // What was suspicious or malformed has been received as well.
        assert!(octets <= report.cost.octets, "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn lines_have_80_columns_unless_a_name_or_record_is_longer() {
    for (text, _) in documented_outcomes() {
        let drawn = render(&trace_with(&text, |_| ()).await, Colour::Never);
        let tree = drawn.split("\n\n").next().unwrap();
        for line in tree.lines().filter(|line| line.chars().count() > WIDTH) {
            let words = line.trim_start_matches(['│', '├', '└', '─', ' ']).split(' ').count();
            assert_eq!(words, 1, "{text}: {line}");
        }
        assert!(!drawn.contains(['\u{1b}', '\u{a0}', '\t']), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn colours_change_nothing_but_colours() {
    for text in ["www.example.com", "self.loop.example", "both.broken.example", "www.lame.example"] {
        let report = trace(text).await;
        let mut coloured = render(&report, Colour::Ansi);
        assert!(coloured.contains("\x1b[1m"), "{text}");
        for code in [0, 1, 2, 31, 33] {
            coloured = coloured.replace(&format!("\x1b[{code}m"), "");
        }
        assert_eq!(coloured, render(&report, Colour::Never), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_network_lacks_is_told_from_what_the_name_lacks() {
    struct Down(bool);
    impl Network for Down {
        fn exchange<'a>(
            &'a self,
            _to: SocketAddr,
            _transport: Transport,
            _query: &'a [u8],
            _accept: &'a Accept<'a>,
            until: Instant,
        ) -> BoxFuture<'a, Result<Arrival, ExchangeError>> {
            Box::pin(async move {
                if self.0 {
                    return Err(ExchangeError::Io(std::io::ErrorKind::NetworkUnreachable.into()));
                }
                tokio::time::sleep_until(until).await;
                Err(ExchangeError::TimedOut)
            })
        }
        fn routes(&self) -> Routes {
            Routes { v4: true, v6: false }
        }
    }
    for unreachable in [true, false] {
        let world =
            World { network: Arc::new(Down(unreachable)), clock: Clock::system(), rng: Rng::seeded(1) };
        let question = Question::new("www.example.com.".parse().unwrap(), RrType::A);
        let report = resolve(Arc::new(Config::default()), world, question, Vec::new()).await;
        assert_eq!(report.answer.rcode, Rcode::ServFail);
        assert!(report.has_no_network(), "{}", render(&report, Colour::Never));
    }
    assert!(!trace("www.silent.example").await.has_no_network());
    assert!(!trace("www.example.com").await.has_no_network());
}
