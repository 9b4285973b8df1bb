//! A flood of names that are asked once does not push out what many ask for.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cnamed::config::Config;
use cnamed::rrset::{Question, RrType};
use cnamed::server::Respond as _;
use cnamed::server::door::Door;
use cnamed::wire::{Header, Message, MessageWriter};
use cnamed::world::{Rng, Transport};
use tokio::time::Instant;

use crate::everything;

/// Names that many ask for, asked by Zipf's law with exponent 1.
const POPULAR: usize = 10_000;
/// Questions for those, and for names nobody asks for again, each second.
const ASKED: usize = 4_000;
const FLOOD: usize = 2_000;
/// Before the flood begins and anything is counted.
const WARM_UP: usize = 60;
const SECONDS: usize = 60;

/// Asks as a client does, the fast way first.
async fn ask(door: &Door, name: &str, flags: u16) {
    let client = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4711);
    let mut writer = MessageWriter::new(1, Header::RD | flags, 512);
    writer.question(&Question::new(name.parse().unwrap(), RrType::A)).unwrap();
    let request = writer.finish();
    let mut out = Vec::new();
    if !door.at_once(&request, client, Instant::now(), &mut out) {
        out = door.respond(&request, client, Transport::Udp).await.unwrap();
    }
    assert_eq!(Message::parse(&out).unwrap().rcode(), 0, "{name}");
}

/// How many of the popular names are looked at in the per-hop cache at the end.
const SAMPLE: usize = 1_000;

/// The share of questions for popular names that nobody had to be asked for; and of the most popular
/// names the share that the per-hop cache still has, which has only been told that they are asked for.
async fn hit_rate(flood: usize) -> (f64, f64) {
    let mut config = Config::default();
    config.cache.max_memory = 64 << 20; // room for the popular names, and for half of the flood
    let popular = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&popular);
    let service = everything::service(
        config,
        Box::new(move |question| {
            if question.name.as_wire()[1].eq_ignore_ascii_case(&b'p') {
                counted.fetch_add(1, Ordering::Relaxed);
            }
            Box::pin(async {})
        }),
    );
    let door = Door::new(service, 1);
    let rng = Rng::seeded(7);
    let weights = (1..=POPULAR).scan(0.0, |sum, rank| {
        *sum += 1.0 / rank as f64;
        Some(*sum)
    });
    let weights: Vec<f64> = weights.collect();
    let mut unique = 0;
    let mut missed = 0;
    for second in 0..WARM_UP + SECONDS {
        if second == WARM_UP {
            missed = popular.load(Ordering::Relaxed);
        }
        for i in 0..ASKED {
            let at = rng.below(1 << 30) as f64 / f64::from(1 << 30) * weights[POPULAR - 1];
            ask(&door, &format!("p{}.example.", weights.partition_point(|sum| *sum < at)), 0).await;
            if second >= WARM_UP && i * flood / ASKED != (i + 1) * flood / ASKED {
                unique += 1;
                ask(&door, &format!("once{unique}.example."), 0).await;
            }
        }
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    let asked = popular.load(Ordering::Relaxed);
    for rank in 0..SAMPLE {
        ask(&door, &format!("p{rank}.example."), Header::CD).await; // no ready packet is for that
    }
    let gone = popular.load(Ordering::Relaxed) - asked;
    (1.0 - (asked - missed) as f64 / (ASKED * SECONDS) as f64, 1.0 - gone as f64 / SAMPLE as f64)
}

#[test]
fn a_flood_of_names_asked_once_leaves_popular_names_in_the_cache() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let local = tokio::task::LocalSet::new();
    let (calm, _) = local.block_on(&runtime, hit_rate(0));
    let (flooded, held) = local.block_on(&runtime, hit_rate(FLOOD));
    eprintln!(
        "popular names found in the cache: {calm:.4} undisturbed, {flooded:.4} beside the flood; {held:.4} held"
    );
    assert!(calm > 0.9, "{calm}: the undisturbed cache is too small to show anything");
    assert!(held >= 0.99, "{held} of the most popular names are left in the per-hop cache");
    assert!(calm - flooded <= 0.008, "{calm} undisturbed, {flooded} beside the flood");
}
