//! Ten thousand random zone graphs, resolved cold, warm, after random expiries, from the middle of the chain and
//! several questions at once; each answer is compared with what an oracle reads off the graph.
//!
//! A failure prints the seed of its graph and the graph. `CNAMED_PROPERTY_SEED=n` plays that one again;
//! `CNAMED_PROPERTY_GRAPHS=n` plays so many instead of 10,000.

pub mod graph;
mod oracle;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use cnamed::budget::{ASTRAY_COST, LONG_CHAIN, MESSAGES, MESSAGES_STRAIGHT, WORK};
use cnamed::config::Config;
use cnamed::lab;
use cnamed::rrset::{Question, RrType};
use cnamed::server::{LocalNames, Service};
use cnamed::wire::{Header, Name};
use cnamed::world::{Clock, Rng, World};
use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::client::{Answered, Counted, Rr, ask};
use graph::Graph;
use oracle::{Expected, Oracle, Text, Verdict};

const GRAPHS: u64 = 10_000;
/// From so many on, each verdict must be met.
const ENOUGH: u64 = 1_000;
const SERVFAIL: u16 = 2;
/// EDE codes of stale answers (RFC 8914 §4.4, §4.20), and their TTL (RFC 8767 §4).
const STALE: [u16; 2] = [3, 19];
const STALE_TTL: u32 = 30;
/// Where every server replies at once, an answer takes no longer.
const PROMPTLY: Duration = Duration::from_millis(500);
/// The servers of one zone get so long, the search for their addresses included.
const TIME_PER_ZONE: Duration = Duration::from_millis(2_800);
/// With fewer messages no budget is spent.
const SPENT: usize = (WORK / ASTRAY_COST) as usize;
/// Longest EDE text (R22).
const EDE_TEXT: usize = 200;
/// Made once: it reads the root hints.
/// The graphs are not signed.
static DEFAULT: LazyLock<Config> = LazyLock::new(|| {
    let mut config = Config::default();
    config.dnssec.validation = false;
    config
});

/// How often each verdict was met, and other figures.
type Counts = BTreeMap<&'static str, u64>;

/// A resolver in a graph's world.
struct Resolving<'a> {
    oracle: &'a Oracle<'a>,
    service: Arc<Service>,
    network: Arc<Counted>,
    counts: Counts,
    /// No answer takes longer.
    longest: Duration,
    /// Nor more messages.
    most: usize,
}

/// One look at one question.
struct Look {
    seen: Answered,
    sent: usize,
    at: tokio::time::Instant,
    /// The budget was spent before there was an answer: no verdict.
    limited: bool,
}

impl<'a> Resolving<'a> {
    /// With an empty cache.
    fn new(graph: &Graph, lab: Arc<lab::World>, oracle: &'a Oracle<'a>, seed: u64) -> Resolving<'a> {
        let mut config = DEFAULT.clone();
        config.resolver.hints = lab.hints();
        // Both send messages that belong to no question.
        config.resolver.root_priming = false;
        config.cache.prefetch = false;
        let network = Counted::new(lab);
        let world = World { network: network.clone(), clock: Clock::system(), rng: Rng::seeded(seed) };
        let service = Service::with_local_names(Arc::new(config), world, LocalNames::Resolved);
        let longest = if graph.is_prompt() { PROMPTLY } else { DEFAULT.resolver.timeout };
        // Where servers have no glue, a chain that is long does not keep to its way.
        let most = if graph.hostile { MESSAGES } else { MESSAGES_STRAIGHT } as usize;
        Resolving { oracle, service, network, counts: Counts::new(), longest, most }
    }

    /// Asks and compares.
    async fn look(&mut self, question: &Question) -> Result<Look, String> {
        self.network.take();
        let at = tokio::time::Instant::now();
        let seen = ask(&self.service, question).await;
        let sent = self.network.take();
        let limited = self.judge(question, &seen, sent)?;
        Ok(Look { seen, sent, at, limited })
    }

    fn within_budget(&self, seen: &Answered, sent: usize) -> Result<(), String> {
        if seen.took > self.longest {
            return Err(format!("answered after {:?}", seen.took));
        }
        let aliases = seen.answer.iter().filter(|rr| rr.rtype == RrType::CNAME).count();
        let short = seen.rcode != SERVFAIL && aliases < LONG_CHAIN;
        if sent > self.most || (short && sent > MESSAGES as usize) {
            return Err(format!("{sent} messages for one question"));
        }
        Ok(())
    }

    /// Compares with what the oracle says; `true`: the budget was spent before there was an answer.
    fn judge(&mut self, question: &Question, seen: &Answered, sent: usize) -> Result<bool, String> {
        let (answer, verdict) = &*self.oracle.expect(question);
        // Zones whose servers' addresses could not be found within a budget are left alone for a while.
        let spent = self.counts.contains_key("limited") && seen.rcode == SERVFAIL;
        let limited = is_limited(seen) || spent;
        let compared = compare(seen, answer, verdict);
        let most = seen.took >= TIME_PER_ZONE || sent >= SPENT;
        let late = seen.rcode == SERVFAIL && most && compared.is_err();
        let limited = limited || late;
        let outcome = if limited { Ok(()) } else { compared };
        outcome.and_then(|()| self.within_budget(seen, sent)).map_err(|what| {
            format!("{question}: {what}\nexpected {answer:#?} {verdict:?}\nseen {seen:#?}, {sent} sent")
        })?;
        *self.counts.entry(if limited { "limited" } else { kind(verdict) }).or_default() += 1;
        let most = self.counts.entry("most messages").or_default();
        *most = (*most).max(sent as u64);
        Ok(limited)
    }

    /// Asks twice: the second time, what can be cached costs nothing.
    async fn cold_and_warm(&mut self, question: &Question) -> Result<Look, String> {
        let cold = self.look(question).await?;
        let warm = self.look(question).await?;
        let lasting = |rr: &Rr| Duration::from_secs(u64::from(rr.ttl)) > cold.seen.took;
        let cached = cold.seen.answer.iter().chain(&cold.seen.authority).all(lasting);
        // While servers kept silent an alias may have died, which is then fetched again (R39).
        let cached = cached && (cold.seen.rcode != SERVFAIL || cold.seen.took < Duration::from_secs(1));
        if cached && warm.sent > 0 {
            return Err(format!(
                "{question}: {} messages although all is cached: {:#?}",
                warm.sent, warm.seen
            ));
        }
        falls(&cold, &warm).map_err(|what| format!("{question} warm: {what}"))?;
        Ok(warm)
    }
}

/// Was the budget of this question spent, or that of one that is remembered?
fn is_limited(seen: &Answered) -> bool {
    let reached = |text: &str| text.contains(" limit reached at ");
    seen.rcode == SERVFAIL && seen.edes.iter().any(|(_, text)| reached(text))
}

const KINDS: [&str; 8] =
    ["data", "NODATA", "NXDOMAIN", "YXDOMAIN", "loop", "endless DNAME", "too long", "unreachable"];

/// One of [`KINDS`].
fn kind(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Data => "data",
        Verdict::NoData { .. } => "NODATA",
        Verdict::NxDomain { .. } => "NXDOMAIN",
        Verdict::YxDomain => "YXDOMAIN",
        Verdict::Fails { text: Text::Loop(_), .. } => "loop",
        Verdict::Fails { text: Text::Naming(_), .. } => "unreachable",
        Verdict::Fails { text: Text::Exactly(text), .. } if text.contains("longer") => "too long",
        Verdict::Fails { .. } => "endless DNAME",
    }
}

/// Compares all that can be seen.
fn compare(seen: &Answered, answer: &[Expected], verdict: &Verdict) -> Result<(), String> {
    let rcode = match verdict {
        Verdict::Data | Verdict::NoData { .. } => 0,
        Verdict::Fails { .. } => SERVFAIL,
        Verdict::NxDomain { .. } => 3,
        Verdict::YxDomain => 6,
    };
    if seen.rcode != rcode {
        return Err(format!("RCODE {}, not {rcode}", seen.rcode));
    }
    if seen.flags & (Header::AA | Header::TC | Header::AD | Header::RA) != Header::RA {
        return Err(format!("flags {:#06x}", seen.flags));
    }
    let stale = seen.edes.iter().any(|(code, _)| STALE.contains(code));
    compare_answer(&seen.answer, answer, stale)?;
    match verdict {
        Verdict::Fails { code, text } => compare_ede(seen, *code, text),
        _ if seen.edes.iter().any(|(code, _)| !STALE.contains(code)) => {
            Err("an EDE beside an answer".to_owned())
        }
        Verdict::NoData { zone, ttl } | Verdict::NxDomain { zone, ttl } => {
            let most = if stale { STALE_TTL.max(*ttl) } else { *ttl };
            let of_zone = |rr: &Rr| rr.owner == *zone && rr.rtype == RrType::SOA && rr.ttl <= most;
            match seen.authority.as_slice() {
                [soa] if of_zone(soa) => Ok(()),
                _ => Err(format!("not the SOA of {zone}, TTL {ttl} (R27)")),
            }
        }
        _ => Ok(()),
    }
}

/// The RRsets in this order and no others (R26), each with at most its own TTL (R28).
fn compare_answer(seen: &[Rr], answer: &[Expected], stale: bool) -> Result<(), String> {
    let mut left = seen;
    for (at, expected) in answer.iter().enumerate() {
        // A DNAME behind several hops is said once (RFC 2181 §5).
        let again = |before: &Expected| before.owner == expected.owner && before.rtype == expected.rtype;
        if expected.rtype == RrType::DNAME && answer.iter().take(at).any(again) {
            continue;
        }
        let of_set = |rr: &&Rr| rr.owner == expected.owner && rr.rtype == expected.rtype;
        let (set, rest) = left.split_at(left.iter().take_while(of_set).count());
        let sorted = |rdata: Vec<Vec<u8>>| {
            let mut rdata: Vec<_> = rdata.iter().map(|r| r.to_ascii_lowercase()).collect();
            rdata.sort();
            rdata
        };
        if sorted(set.iter().map(|rr| rr.rdata.clone()).collect()) != sorted(expected.rdata.clone()) {
            return Err(format!("{} {} is not here, or not as it should be", expected.owner, expected.rtype));
        }
        let most = if stale { expected.ttl.max(STALE_TTL) } else { expected.ttl };
        if let Some(rr) = set.iter().find(|rr| rr.ttl > most) {
            return Err(format!("{} {}: TTL {} of {most}", rr.owner, rr.rtype, rr.ttl));
        }
        left = rest;
    }
    if left.is_empty() { Ok(()) } else { Err(format!("too much: {left:?}")) }
}

fn compare_ede(seen: &Answered, code: u16, text: &Text) -> Result<(), String> {
    let [(seen_code, words)] = seen.edes.as_slice() else { return Err("not one EDE".to_owned()) };
    let right = match text {
        Text::Exactly(text) => words == text || text.len() > EDE_TEXT,
        Text::Naming(name) => words.contains(&format!(" {name}")),
        Text::Loop(names) => {
            let names: Vec<String> = names.iter().map(Name::to_string).collect();
            let full = format!("CNAME loop: {}", names.join(" -> "));
            let (first, last) = (format!("CNAME loop: {} -> ", names[0]), format!(" -> {}", names[0]));
            if full.len() <= EDE_TEXT {
                *words == full
            } else {
                words.starts_with(&first) && words.ends_with(&last) && words.len() <= EDE_TEXT
            }
        }
    };
    if right && *seen_code == code { Ok(()) } else { Err(format!("EDE {code} {text:?} expected")) }
}

/// Between two looks without a message, every TTL falls by the time that has passed, but for stale answers: they
/// have one of their own, and what was fetched meanwhile takes their place.
fn falls(before: &Look, after: &Look) -> Result<(), String> {
    let is_stale = |look: &Look| look.seen.edes.iter().any(|(code, _)| STALE.contains(code));
    if after.sent > 0
        || before.limited
        || after.limited
        || is_stale(before)
        || is_stale(after)
        || before.seen.answer.len() != after.seen.answer.len()
    {
        return Ok(());
    }
    let passed = after.at.duration_since(before.at).as_secs();
    for (a, b) in before.seen.answer.iter().zip(&after.seen.answer) {
        let fallen = i64::from(a.ttl) - i64::from(b.ttl);
        if fallen < 0 || fallen.abs_diff(passed as i64) > 1 + before.seen.took.as_secs() {
            return Err(format!("{} {}: TTL {}, and {} after {passed} s", a.owner, a.rtype, a.ttl, b.ttl));
        }
    }
    Ok(())
}

/// A question about a name of the graph.
fn question(graph: &Graph, rng: &mut StdRng) -> Question {
    const TYPES: [RrType; 4] = [RrType::AAAA, RrType::TXT, RrType::CNAME, RrType::DNAME];
    let names = if rng.random_range(0..2) == 0 { &graph.chain } else { &graph.others };
    let owner = names[rng.random_range(0..names.len())].clone();
    let rtype = if rng.random_range(0..4) == 0 { TYPES[rng.random_range(0..4)] } else { RrType::A };
    Question::new(owner, rtype)
}

/// All that is shown of one graph.
async fn show(graph: &Graph, seed: u64) -> Result<Counts, String> {
    let (oracle, lab) = (Oracle::new(graph), graph.world());
    let mut rng = StdRng::seed_from_u64(!seed);
    let head = Question::new(graph.chain[0].clone(), RrType::A);
    let other = question(graph, &mut rng);
    let mut resolving = Resolving::new(graph, Arc::clone(&lab), &oracle, seed);
    resolving.cold_and_warm(&head).await.map_err(|e| format!("cold or warm: {e}"))?;
    resolving.look(&other).await.map_err(|e| format!("half warm: {e}"))?;
    let most = if rng.random_range(0..2) == 0 { 40 } else { 700 };
    tokio::time::sleep(Duration::from_secs(rng.random_range(1..most))).await;
    let before = resolving.look(&head).await.map_err(|e| format!("after expiries: {e}"))?;
    tokio::time::sleep(Duration::from_secs(rng.random_range(0..6))).await;
    let after = resolving.look(&head).await.map_err(|e| format!("after expiries, again: {e}"))?;
    falls(&before, &after)?;
    resolving.look(&other).await.map_err(|e| format!("after expiries: {e}"))?;
    let mut counts = resolving.counts;
    let fresh = Resolving::new(graph, lab, &oracle, seed);
    let again = if seed.is_multiple_of(2) {
        from_the_middle(graph, fresh, &mut rng).await?
    } else {
        at_once(graph, fresh, &mut rng).await?
    };
    add(&mut counts, again);
    Ok(counts)
}

/// R18: whatever was asked before, the verdict is the same.
async fn from_the_middle(
    graph: &Graph,
    mut resolving: Resolving<'_>,
    rng: &mut StdRng,
) -> Result<Counts, String> {
    let mut entries: Vec<usize> =
        (0..rng.random_range(1..3)).map(|_| rng.random_range(0..graph.chain.len())).collect();
    if rng.random_range(0..2) == 0 {
        entries.sort();
        entries.reverse();
    }
    for entry in entries.into_iter().chain([0]) {
        let asked = Question::new(graph.chain[entry].clone(), RrType::A);
        resolving.look(&asked).await.map_err(|e| format!("from the middle, entry {entry}: {e}"))?;
    }
    Ok(resolving.counts)
}

/// Several questions at the same time share what they look up, and nobody waits for ever.
async fn at_once(graph: &Graph, mut resolving: Resolving<'_>, rng: &mut StdRng) -> Result<Counts, String> {
    let mut asked = vec![Question::new(graph.chain[0].clone(), RrType::A)];
    asked.extend((0..2).map(|_| question(graph, rng)));
    asked.push(asked[rng.random_range(0..asked.len())].clone());
    let answers = join_all(asked.iter().map(|question| ask(&resolving.service, question))).await;
    let sent = resolving.network.take();
    if sent > resolving.most * asked.len() {
        return Err(format!("at once: {sent} messages for {} questions", asked.len()));
    }
    let mut answered: Vec<_> = asked.iter().zip(answers).collect();
    // What one of them spent its budget on counts as out of reach for the others too.
    answered.sort_by_key(|(_, seen)| !is_limited(seen));
    for (question, seen) in answered {
        resolving.judge(question, &seen, 0).map_err(|e| format!("at once: {e}"))?;
    }
    Ok(resolving.counts)
}

fn add(to: &mut Counts, from: Counts) {
    for (what, n) in from {
        let entry = to.entry(what).or_default();
        *entry = if what == "most messages" { n.max(*entry) } else { *entry + n };
    }
}

/// Plays one graph in a time of its own.
fn play(seed: u64) -> Result<Counts, String> {
    let graph = Graph::random(seed);
    in_virtual_time(seed, &graph, show(&graph, seed))
}

/// An error says all that is needed to find out more.
pub fn in_virtual_time<T>(
    seed: u64,
    graph: &Graph,
    work: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let outcome = runtime.expect("a runtime").block_on(work);
    outcome.map_err(|what| format!("CNAMED_PROPERTY_SEED={seed}: {what}\n{}", graph.show()))
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text}: no number")))
}

/// Plays these seeds on all cores; the figures, and the first failures.
fn play_all(seeds: std::ops::Range<u64>) -> (Counts, String) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let each = |core: usize| {
        let seeds = seeds.clone().skip(core).step_by(cores);
        move || {
            let (mut counts, mut failures) = (Counts::new(), Vec::new());
            for seed in seeds {
                match play(seed) {
                    Ok(more) => add(&mut counts, more),
                    Err(what) => failures.push((seed, what)),
                }
            }
            (counts, failures)
        }
    };
    let threads: Vec<_> = (0..cores).map(|core| std::thread::spawn(each(core))).collect();
    let (mut counts, mut failures) = (Counts::new(), Vec::new());
    for thread in threads {
        let (more, failed) = thread.join().expect("a thread");
        add(&mut counts, more);
        failures.extend(failed);
    }
    failures.sort();
    let mut text = String::new();
    if let Some((_, first)) = failures.first() {
        let others: Vec<String> = failures
            .iter()
            .take(40)
            .map(|(seed, what)| format!("{seed}: {}", what.lines().next().unwrap_or_default()))
            .collect();
        let _ = write!(text, "{first}\n{} graphs failed:\n{}", failures.len(), others.join("\n"));
    }
    (counts, text)
}

#[test]
fn random_graphs_resolve_as_the_oracle_says() {
    let seeds = match setting("CNAMED_PROPERTY_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..setting("CNAMED_PROPERTY_GRAPHS").unwrap_or(GRAPHS),
    };
    let all = seeds.end - seeds.start;
    let begun = std::time::Instant::now();
    let (counts, failures) = play_all(seeds);
    println!("{all} graphs in {:?}: {counts:#?}", begun.elapsed());
    assert!(failures.is_empty(), "{failures}");
    if all >= ENOUGH {
        for what in KINDS {
            assert!(
                counts.get(what).is_some_and(|n| *n >= all / 50),
                "{what} is hardly ever met: {counts:?}"
            );
        }
        let limited = counts.get("limited").copied().unwrap_or_default();
        assert!(limited <= all / 8, "{limited} questions ran out of their budget");
    }
}

/// A walk that would wait for itself by way of another question's goes alone: it fails, and at once.
#[test]
fn questions_in_a_circle_of_delegations_do_not_wait_for_each_other() {
    let graph = Graph::circle();
    let oracle = Oracle::new(&graph);
    let work = async {
        let resolving = Resolving::new(&graph, graph.world(), &oracle, 1);
        let asked: Vec<Question> =
            graph.chain.iter().map(|owner| Question::new(owner.clone(), RrType::A)).collect();
        for seen in join_all(asked.iter().map(|question| ask(&resolving.service, question))).await {
            if seen.rcode != SERVFAIL || seen.took > PROMPTLY {
                return Err(format!("{seen:?}"));
            }
        }
        Ok(())
    };
    in_virtual_time(1, &graph, work).unwrap_or_else(|e| panic!("{e}"));
}
