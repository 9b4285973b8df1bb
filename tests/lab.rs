//! The embedded world: each kind of answer of its servers, its files, and `docs/lab.md`.

#![allow(clippy::expect_used)] // helpers of tests are not seen as tests

mod outcomes;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cnamed::config::Config;
use cnamed::lab::{LabError, World};
use cnamed::master::rdata_to_text;
use cnamed::rrset::Question;
use cnamed::server::{LocalNames, Service};
use cnamed::wire::reader::Section;
use cnamed::wire::{Edns, Header, Message, MessageWriter, Name};
use cnamed::world::{Clock, ExchangeError, Network, Rng, Transport, Verdict};
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::client::{self, Counted};
use crate::trace_text::Far;

const HOSTING: &str = "198.51.100.1";
const COOKIE: (u16, &[u8]) = (10, b"8 octets");

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn question(text: &str) -> Question {
    let (owner, rtype) = text.split_once(' ').expect("NAME TYPE");
    Question::new(name(owner), rtype.parse().expect("a type"))
}

/// A query with EDNS of this size, or without.
fn query(text: &str, size: Option<u16>, options: &[(u16, &[u8])]) -> Vec<u8> {
    let mut writer = MessageWriter::new(0x1234, 0, 1000);
    writer.question(&question(text)).expect("room");
    let options: Vec<_> = options.iter().map(|(code, value)| (*code, value.to_vec())).collect();
    if let Some(size) = size {
        writer.opt(size, 0, 0x8000, &options).unwrap();
    }
    writer.finish()
}

/// A reply, readable.
struct Seen {
    id: u16,
    rcode: u16,
    flags: u16,
    question: Option<Question>,
    answer: Vec<String>,
    authority: Vec<String>,
    additional: Vec<String>,
    edns: Option<Edns>,
}

impl Seen {
    fn read(bytes: &[u8]) -> Seen {
        let message = Message::parse(bytes).expect("a message");
        let shown = |section| {
            message
                .section(section)
                .map(|r| {
                    let rdata = rdata_to_text(r.rtype(), &r.rdata().expect("rdata"));
                    format!("{} {} {} {rdata}", r.owner().expect("owner"), r.ttl(), r.rtype())
                })
                .collect()
        };
        Seen {
            id: message.header().id,
            rcode: message.rcode(),
            flags: message.header().flags,
            question: message.question().cloned(),
            answer: shown(Section::Answer),
            authority: shown(Section::Authority),
            additional: shown(Section::Additional),
            edns: message.edns().cloned(),
        }
    }

    fn aa(&self) -> bool {
        self.flags & Header::AA != 0
    }

    fn tc(&self) -> bool {
        self.flags & Header::TC != 0
    }
}

async fn send(world: &World, to: IpAddr, transport: Transport, query: &[u8]) -> Result<Seen, ExchangeError> {
    let take = |_: &[u8]| Verdict::Take;
    let until = Instant::now() + Duration::from_secs(2);
    let reply = world.exchange(SocketAddr::new(to, 53), transport, query, &take, until).await?;
    Ok(Seen::read(&reply.octets))
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn world() -> Arc<World> {
    World::embedded().expect("the embedded world").with_rng(Rng::seeded(1))
}

/// Asks over UDP with EDNS.
async fn ask(to: &str, text: &str) -> Seen {
    send(&world(), address(to), Transport::Udp, &query(text, Some(1232), &[])).await.expect("a reply")
}

#[tokio::test(start_paused = true)]
async fn data_is_authoritative_with_addresses_beside_it() {
    let seen = ask("198.51.100.11", "example.com MX").await;
    assert_eq!((seen.id, seen.rcode, seen.aa(), seen.tc()), (0x1234, 0, true, false));
    assert_eq!(seen.question, Some(question("example.com MX")));
    assert_eq!(seen.answer, ["example.com. 3600 MX 10 mail.example.com."]);
    assert_eq!(
        seen.additional,
        ["mail.example.com. 3600 A 203.0.113.25", "mail.example.com. 3600 AAAA 2001:db8:80::25"]
    );
}

#[tokio::test]
async fn a_server_without_delay_takes_no_time() {
    // On real time: the runtime's timers round up to a millisecond there.
    let (world, query) = (world(), query("example.com MX", Some(1232), &[]));
    let start = std::time::Instant::now();
    for _ in 0..100 {
        send(&world, address("198.51.100.11"), Transport::Udp, &query).await.expect("a reply");
    }
    let elapsed = start.elapsed();
    assert!(elapsed < Duration::from_millis(100), "{elapsed:?} for 100 messages");
}

#[tokio::test(start_paused = true)]
async fn negative_answers_carry_the_soa_with_the_negative_ttl() {
    let soa = "example.net. 300 SOA ns1.example.net. hostmaster.lab. 1 7200 900 1209600 300";
    let seen = ask("198.51.100.13", "nothing.example.net A").await;
    assert_eq!((seen.rcode, seen.aa(), seen.answer.len()), (3, true, 0));
    assert_eq!(seen.authority, [soa]);
    let seen = ask("198.51.100.13", "text-only.example.net A").await;
    assert_eq!((seen.rcode, seen.aa(), seen.answer.len()), (0, true, 0));
    assert_eq!(seen.authority, [soa]);
}

#[tokio::test(start_paused = true)]
async fn referral_has_no_authority_and_brings_glue() {
    let seen = ask("192.0.2.11", "www.example.com A").await;
    assert_eq!((seen.rcode, seen.aa(), seen.answer.len()), (0, false, 0));
    assert_eq!(
        seen.authority,
        ["example.com. 3600 NS ns1.example.com.", "example.com. 3600 NS ns2.example.com."]
    );
    assert_eq!(seen.additional.len(), 3, "{:?}", seen.additional);
    let seen = ask("192.0.2.14", "www.glueless.example A").await;
    assert_eq!(seen.authority, ["glueless.example. 3600 NS ns.farm.org."]);
    assert!(seen.additional.is_empty());
}

#[tokio::test(start_paused = true)]
async fn ds_is_answered_at_the_parent_and_denied_by_the_child() {
    let seen = ask("192.0.2.14", "ds.example DS").await;
    assert!(seen.aa() && seen.answer[0].starts_with("ds.example. 3600 DS 4711 253 2 "), "{:?}", seen.answer);
    let seen = ask("192.0.2.14", "ent.example DS").await;
    assert_eq!((seen.rcode, seen.aa(), seen.answer.len()), (0, true, 0));
    let seen = ask(HOSTING, "ds.example DS").await;
    assert_eq!((seen.rcode, seen.aa(), seen.answer.len()), (0, true, 0));
    assert!(seen.authority[0].starts_with("ds.example. 300 SOA"));
}

#[tokio::test(start_paused = true)]
async fn priming_brings_the_addresses_of_the_root() {
    let seen = ask("192.0.2.1", ". NS").await;
    assert_eq!(seen.answer, [". 3600 NS a.root.lab.", ". 3600 NS b.root.lab."]);
    assert_eq!(seen.additional.len(), 4);
    let hints = world().hints();
    assert_eq!(hints.len(), 2);
    assert_eq!(hints[0].name, name("a.root.lab."));
    assert_eq!(hints[0].addresses, [address("192.0.2.1"), address("2001:db8::1")]);
}

#[tokio::test(start_paused = true)]
async fn aliases_are_followed_inside_the_zone_only() {
    let seen = ask("198.51.100.11", "www.example.com A").await;
    assert_eq!(seen.answer, ["www.example.com. 300 CNAME www.example.com.cdn.example."]);
    assert_eq!((seen.rcode, seen.aa(), seen.authority.len()), (0, true, 0));
    let seen = ask("198.51.100.21", "hop9.cookie.example A").await;
    assert_eq!(seen.answer.len(), 10);
    assert_eq!(seen.answer[9], "hop0.cookie.example. 3600 A 203.0.113.121");
    for rtype in ["CNAME", "ANY"] {
        let seen = ask("198.51.100.21", &format!("hop9.cookie.example {rtype}")).await;
        assert_eq!(seen.answer, ["hop9.cookie.example. 3600 CNAME hop8.cookie.example."]);
    }
    // The same server has loop.example and loop.net, which is none of this zone's business.
    assert_eq!(ask(HOSTING, "x2.loop.example A").await.answer.len(), 1);
    assert_eq!(ask(HOSTING, "three-a.loop.example A").await.answer.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn alias_in_the_zone_ends_in_nxdomain_or_a_referral() {
    let seen = ask(HOSTING, "dangling-here.alias.example A").await;
    assert_eq!((seen.rcode, seen.aa(), seen.answer.len(), seen.authority.len()), (3, true, 1, 1));
    let seen = ask(HOSTING, "incut.alias.example A").await;
    assert_eq!((seen.rcode, seen.aa(), seen.answer.len()), (0, true, 1));
    assert_eq!(seen.authority, ["sub.alias.example. 3600 NS ns.sub.alias.example."]);
    assert_eq!(seen.additional, ["ns.sub.alias.example. 3600 A 198.51.100.61"]);
}

#[tokio::test(start_paused = true)]
async fn dname_comes_with_a_synthesized_cname() {
    let seen = ask(HOSTING, "www.tree.dname.example A").await;
    assert_eq!(
        seen.answer,
        [
            "tree.dname.example. 3600 DNAME tree.dname.net.",
            "www.tree.dname.example. 3600 CNAME www.tree.dname.net."
        ]
    );
    assert_eq!(ask(HOSTING, "tree.dname.example DNAME").await.answer.len(), 1);
    assert_eq!(
        ask(HOSTING, "tree.dname.example A").await.answer,
        ["tree.dname.example. 3600 A 203.0.113.40"]
    );
    assert_eq!(ask(HOSTING, "occluded.tree.dname.example A").await.answer.len(), 2);
    // Followed in the zone, and around a loop only once.
    assert_eq!(ask(HOSTING, "www.near.dname.example A").await.answer.len(), 3);
    assert_eq!(ask(HOSTING, "www.left.dname.example A").await.answer.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn dname_substitution_over_255_octets_is_yxdomain() {
    let long = "a-label-that-is-far-too-long-to-fit-in-front-of-the-others";
    let seen = ask(HOSTING, &format!("{long}.long.dname.example A")).await;
    assert_eq!((seen.rcode, seen.aa(), seen.answer.len()), (6, true, 1));
    assert!(seen.answer[0].starts_with("long.dname.example. 3600 DNAME "));
    assert_eq!(ask(HOSTING, "www.long.dname.example A").await.rcode, 0);
    // Growing without end: until the name is full.
    assert_eq!(ask(HOSTING, "www.grow.dname.example A").await.rcode, 0);
}

#[tokio::test(start_paused = true)]
async fn wildcards_and_empty_non_terminals_follow_rfc_4592() {
    let seen = ask(HOSTING, "two.labels.a.wild.example A").await;
    assert_eq!(seen.answer, ["two.labels.a.wild.example. 3600 A 203.0.113.70"]);
    for (text, rcode) in [
        ("any.a.wild.example MX", 0),
        ("taken.a.wild.example A", 0),
        ("empty.a.wild.example A", 0),
        ("y.empty.a.wild.example A", 3),
        ("b.c.ent.example A", 0),
        ("x.b.c.ent.example A", 3),
    ] {
        let seen = ask(HOSTING, text).await;
        assert_eq!((seen.rcode, seen.answer.len(), seen.authority.len()), (rcode, 0, 1), "{text}");
    }
    let seen = ask(HOSTING, "any.here.wild.example A").await;
    assert_eq!(
        seen.answer,
        [
            "any.here.wild.example. 3600 CNAME host.a.wild.example.",
            "host.a.wild.example. 3600 A 203.0.113.70"
        ]
    );
    assert_eq!(ask("198.51.100.31", "b.c.entbroken.example A").await.rcode, 3);
    assert_eq!(ask("198.51.100.31", "a.b.c.entbroken.example A").await.rcode, 0);
}

#[tokio::test(start_paused = true)]
async fn wrong_data_is_served_as_it_is() {
    let seen = ask(HOSTING, "both.broken.example A").await;
    assert_eq!(
        seen.answer,
        ["both.broken.example. 3600 CNAME pop7.example.org.", "both.broken.example. 3600 A 203.0.113.66"]
    );
    assert_eq!(ask(HOSTING, "many.broken.example A").await.answer.len(), 2);
    assert_eq!(ask(HOSTING, "apex.example A").await.answer, ["apex.example. 3600 CNAME www.example.org."]);
    assert_eq!(ask(HOSTING, "apex.example NS").await.answer.len(), 2);
    assert_eq!(ask(HOSTING, "apex.example ANY").await.answer.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_truncated_over_udp_and_whole_over_tcp() {
    let world = world();
    let to = address(HOSTING);
    let plain =
        send(&world, to, Transport::Udp, &query("many.big.example A", None, &[])).await.expect("reply");
    assert!(plain.tc() && plain.edns.is_none() && plain.answer.is_empty());
    let whole = send(&world, to, Transport::Udp, &query("many.big.example A", Some(4096), &[])).await;
    assert_eq!(whole.map(|s| (s.tc(), s.answer.len())).expect("reply"), (false, 60));
    let text = query("big.big.example TXT", Some(4096), &[]);
    let cut = send(&world, to, Transport::Udp, &text).await.expect("reply");
    assert!(cut.tc() && cut.answer.is_empty() && cut.edns.is_some());
    let whole = send(&world, to, Transport::Tcp, &text).await.expect("reply");
    assert!(!whole.tc() && whole.answer[0].len() > 4000);
}

#[tokio::test(start_paused = true)]
async fn edns_is_mirrored_with_cookies_and_versions() {
    let world = world();
    let ask = async |to: &str, query: Vec<u8>| {
        send(&world, address(to), Transport::Udp, &query).await.expect("a reply")
    };
    let seen = ask("198.51.100.21", query("hop0.cookie.example A", Some(1232), &[COOKIE])).await;
    let edns = seen.edns.expect("EDNS");
    let cookie = edns.option(10).expect("a cookie").to_vec();
    assert!(edns.dnssec_ok && edns.udp_size == 1232 && cookie.len() == 16 && cookie.starts_with(COOKIE.1));
    let again = ask("198.51.100.21", query("hop0.cookie.example A", Some(1232), &[(10, &cookie)])).await;
    assert_eq!(again.edns.expect("EDNS").option(10), Some(cookie.as_slice()));
    let bad = ask("198.51.100.21", query("hop0.cookie.example A", Some(1232), &[(10, b"short")])).await;
    assert_eq!(bad.rcode, 1);
    let seen = ask("198.51.100.22", query("hop0.nocookie.example A", Some(1232), &[COOKIE])).await;
    assert_eq!(seen.edns.expect("EDNS").option(10), None);
    let mut version_1 = query("hop0.cookie.example A", Some(1232), &[]);
    let at = version_1.len() - 5;
    version_1[at] = 1;
    let seen = ask("198.51.100.21", version_1).await;
    assert_eq!((seen.rcode, seen.answer.len()), (16, 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_question_for_the_lab_is_refused() {
    let world = world();
    let to = address(HOSTING);
    assert_eq!(ask(HOSTING, "www.elsewhere.com A").await.rcode, 5);
    assert_eq!(ask(HOSTING, "loop.example AXFR").await.rcode, 5);
    let status = |mut query: Vec<u8>, octet: usize, value: u8| {
        query[octet] = value;
        query
    };
    let plain = query("self.loop.example A", None, &[]);
    let seen = send(&world, to, Transport::Udp, &status(plain.clone(), 2, 0x10)).await.expect("reply");
    assert_eq!((seen.rcode, seen.flags & 0x7800), (4, 0x1000));
    let seen = send(&world, to, Transport::Udp, &plain[..20]).await.expect("reply");
    assert_eq!((seen.rcode, seen.question), (1, None));
    let response = send(&world, to, Transport::Udp, &status(plain.clone(), 2, 0x80)).await;
    assert!(matches!(response, Err(ExchangeError::TimedOut)));
    let take = |_: &[u8]| Verdict::Take;
    let other_port =
        world.exchange(SocketAddr::new(to, 5353), Transport::Udp, &plain, &take, Instant::now()).await;
    assert!(matches!(other_port, Err(ExchangeError::Io(_))));
}

#[tokio::test(start_paused = true)]
async fn each_mode_misbehaves_as_it_says() {
    let world = world();
    let ask = async |n: u8, text: &str, size: Option<u16>, transport| {
        send(&world, address(&format!("198.51.100.{n}")), transport, &query(text, size, &[])).await
    };
    use Transport::{Tcp, Udp};
    let edns = Some(1232);
    let udp = async |n, text| ask(n, text, edns, Udp).await.expect("a reply");
    assert!(matches!(ask(42, "www.silent.example A", edns, Tcp).await, Err(ExchangeError::TimedOut)));
    assert_eq!(udp(40, "www.lame.example A").await.rcode, 5);
    assert_eq!(udp(44, "www.refused.example A").await.rcode, 5);
    assert_eq!(udp(45, "www.servfail.example A").await.rcode, 2);
    let upward = udp(46, "www.upward.example A").await;
    assert!(upward.rcode == 0 && !upward.aa() && upward.authority[0].starts_with(". 3600 NS"));
    assert!(udp(47, "www.truncate.example A").await.tc());
    assert_eq!(ask(47, "www.truncate.example A", edns, Tcp).await.expect("reply").answer.len(), 1);
    let formerr = udp(48, "www.noedns.example A").await;
    assert!(formerr.rcode == 1 && formerr.edns.is_none());
    assert_eq!(ask(48, "www.noedns.example A", None, Udp).await.expect("reply").answer.len(), 1);
    let ignored = udp(49, "www.ignoreedns.example A").await;
    assert!(ignored.edns.is_none() && ignored.answer.len() == 1);
    assert!(ask(50, "www.dropedns.example A", edns, Udp).await.is_err());
    assert_eq!(ask(50, "www.dropedns.example A", None, Udp).await.expect("reply").answer.len(), 1);
    assert!(matches!(ask(51, "big.notcp.example TXT", edns, Tcp).await, Err(ExchangeError::Io(_))));
    assert!(udp(51, "big.notcp.example TXT").await.tc());
    let flipped = udp(52, "www.wrongcase.example A").await.question.expect("a question");
    assert!(flipped.name.eq_case(&name("WWW.WRONGCASE.EXAMPLE.")));
    assert_eq!(udp(53, "www.wrongid.example A").await.id, 0x1235);
    let noaa = udp(54, "www.noaa.example A").await;
    assert!(!noaa.aa() && noaa.answer.len() == 1);
    let reversed = udp(55, "alias.reversed.example A").await;
    assert!(reversed.answer[0].contains(" A ") && reversed.answer[1].contains(" CNAME "));
    let split = udp(57, "www.split.example AAAA").await;
    assert_eq!(split.answer, ["www.split.example. 3600 AAAA 2001:db8:80::57"]);
    assert!(udp(57, "www.split.example A").await.answer[0].contains(" CNAME "));
    let forged = udp(56, "forged.poison.example A").await;
    assert_eq!(forged.answer[1], "www.example.com. 3600 A 203.0.113.66");
}

/// To who sets DO, as `query` with a size does, and to nobody else (RFC 4035 §3.1).
#[tokio::test(start_paused = true)]
async fn a_signed_zone_is_served_with_its_proofs() {
    let types = |records: &[String]| -> Vec<String> {
        records.iter().map(|r| r.split(' ').skip(2).take(2).collect::<Vec<_>>().join(" ")).collect()
    };
    let world = world();
    let ask = async |text: &str, size| {
        send(&world, address("198.51.100.58"), Transport::Udp, &query(text, size, &[]))
            .await
            .expect("a reply")
    };
    let seen = ask("whole.signed.example A", Some(1232)).await;
    let kinds: Vec<String> =
        types(&seen.answer).iter().map(|t| t.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["CNAME", "RRSIG", "A", "RRSIG"]);
    assert!(seen.answer[1].contains(" RRSIG CNAME ") && seen.answer[3].contains(" RRSIG A "));
    let seen = ask("host.signed.example MX", Some(1232)).await;
    let nsec = seen.authority.iter().filter(|r| r.contains(" NSEC ") && !r.contains("RRSIG NSEC 15"));
    assert_eq!((seen.rcode, nsec.count(), seen.authority.len()), (0, 1, 4));
    assert!(seen.authority[2].starts_with("host.signed.example. 300 NSEC "), "{:?}", seen.authority);
    // No such name, and no wildcard: two spans.
    let seen = ask("nothing.signed.example A", Some(1232)).await;
    let owners: Vec<&str> = seen.authority.iter().filter_map(|r| r.split(' ').next()).collect();
    assert_eq!((seen.rcode, seen.authority.len()), (3, 6));
    assert!(owners.contains(&"host.signed.example.") && owners.contains(&"signed.example."), "{owners:?}");
    let plain = ask("whole.signed.example A", None).await;
    assert_eq!(plain.answer.len(), 2);
    let key = &world.anchors()[0];
    assert_eq!((key.zone.to_string().as_str(), world.anchors().len()), ("signed.example.", 1));
}

#[tokio::test(start_paused = true)]
async fn delay_and_loss_are_those_of_the_server() {
    let world = world();
    let start = Instant::now();
    let plain = query("www.slow.example A", None, &[]);
    send(&world, address("198.51.100.41"), Transport::Udp, &plain).await.expect("a reply");
    assert_eq!(start.elapsed(), Duration::from_millis(250));
    let start = Instant::now();
    send(&world, address("198.51.100.41"), Transport::Tcp, &plain).await.expect("a reply");
    assert_eq!(start.elapsed(), Duration::from_millis(500));
    let start = Instant::now();
    let nobody = send(&world, address("192.0.2.200"), Transport::Udp, &plain).await;
    assert!(matches!(nobody, Err(ExchangeError::TimedOut)));
    assert_eq!(start.elapsed(), Duration::from_secs(2));
    let mut replies = 0;
    for _ in 0..200 {
        let lossy = query("www.lossy.example A", None, &[]);
        replies += usize::from(send(&world, address("198.51.100.43"), Transport::Udp, &lossy).await.is_ok());
    }
    assert!((70..130).contains(&replies), "{replies} of 200");
}

#[tokio::test(start_paused = true)]
async fn near_miss_ends_the_exchange() {
    let reject = |_: &[u8]| Verdict::NearMiss;
    let query = query("www.wrongid.example A", None, &[]);
    let to = SocketAddr::new(address("198.51.100.53"), 53);
    let until = Instant::now() + Duration::from_secs(1);
    let outcome = world().exchange(to, Transport::Udp, &query, &reject, until).await;
    assert!(matches!(outcome, Err(ExchangeError::NearMiss)));
}

#[test]
fn every_master_file_of_the_repository_is_embedded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lab/zones");
    let from_folder = World::from_folder(&folder).expect("the same world from its folder");
    let files = |world: &World| world.zones().map(|(file, _)| file.to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(files(&from_folder), files(&world()));
}

/// Every address that any zone has for a name.
fn addresses(world: &World, owner: &Name) -> Vec<IpAddr> {
    let sets = world.zones().flat_map(|(_, zone)| zone.addresses()).filter(|set| set.owner == *owner);
    let found: BTreeSet<IpAddr> = sets.flat_map(|set| set.addresses().collect::<Vec<_>>()).collect();
    found.into_iter().collect()
}

#[test]
fn every_delegation_has_a_server_that_has_the_zone() {
    let world = world();
    // Zones that nobody serves, and the reason for which they are delegated: docs/lab.md.
    let nobody = ["cyclic.example.", "selfref.example.", "cyclic.net.", "lame.example."].map(name);
    let mut delegated = BTreeSet::new();
    for cut in world.zones().flat_map(|(_, zone)| zone.cuts()) {
        delegated.insert(cut.owner.clone());
        let served = cut.targets().any(|ns| {
            // nsalias.example is delegated to an alias of this name.
            let ns = if ns == name("ns-alias.alias.example.") { name("ns-real.alias.example.") } else { ns };
            addresses(&world, &ns).into_iter().any(|a| world.server(a).is_some_and(|s| s.has(&cut.owner)))
        });
        assert_eq!(served, !nobody.contains(&cut.owner), "{}", cut.owner);
    }
    for (file, zone) in world.zones() {
        let reachable = zone.apex().is_root() || delegated.contains(zone.apex());
        assert!(reachable, "{file}.zone: nobody delegates to {}", zone.apex());
    }
}

/// One row of a table of `docs/lab.md`.
struct Row {
    question: Question,
    at_the_name: String,
    outcome: String,
    seen: String,
}

fn documented() -> Vec<Row> {
    let text = include_str!("../docs/lab.md");
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, asked, at_the_name, outcome, seen, _] = cells.as_slice() else { return None };
        let asked = asked.strip_prefix('`')?.strip_suffix('`')?;
        assert!(!seen.is_empty(), "{asked}: what does one see?");
        assert!(!question(asked).name.is_at_or_below(&name("test.")), "{asked}: RFC 6761 §6.2");
        Some(Row {
            question: question(asked),
            at_the_name: (*at_the_name).to_owned(),
            outcome: (*outcome).to_owned(),
            seen: (*seen).to_owned(),
        })
    });
    rows.collect()
}

/// Every question of `docs/lab.md`, as `NAME TYPE`, with the RCODE that stands there.
pub(crate) fn documented_outcomes() -> Vec<(String, String)> {
    documented().into_iter().map(|row| (row.question.to_string(), row.outcome)).collect()
}

/// Follows referrals from the root until a server says something about the name itself; no alias
/// is followed, and server addresses are known by magic.
async fn at_the_name(world: &World, question: &Question) -> &'static str {
    let mut servers: Vec<IpAddr> = world.hints().into_iter().flat_map(|h| h.addresses).collect();
    let bytes = query(&format!("{question}"), None, &[]);
    for _ in 0..10 {
        let mut referral = None;
        for to in &servers {
            let mut reply = send(world, *to, Transport::Udp, &bytes).await;
            if reply.as_ref().map_or(true, Seen::tc) {
                reply = send(world, *to, Transport::Tcp, &bytes).await;
            }
            let Ok(seen) = reply else { continue };
            let owned = |text: &String| text.starts_with(&format!("{} ", question.name));
            let above =
                |text: &String| question.name.is_below(&name(text.split(' ').next().unwrap_or_default()));
            if seen.id != 0x1234 {
                continue;
            } else if seen.answer.iter().any(|r| above(r) && r.contains(" DNAME ")) {
                return "DNAME";
            } else if seen.answer.iter().any(|r| owned(r) && r.contains(" CNAME ")) {
                return "CNAME";
            } else if !seen.answer.is_empty() {
                return "data";
            } else if seen.rcode == 3 {
                return "NXDOMAIN";
            } else if seen.rcode == 0 && seen.aa() {
                return "NODATA";
            } else if seen.rcode == 0 && !seen.authority[0].starts_with(". ") {
                referral = Some(seen.authority);
            }
        }
        let Some(authority) = referral else { return "nothing" };
        servers = authority
            .iter()
            .filter_map(|ns| ns.rsplit(' ').next())
            .map(|ns| if ns == "ns-alias.alias.example." { "ns-real.alias.example." } else { ns })
            .flat_map(|ns| addresses(world, &name(ns)))
            .collect();
    }
    "nothing"
}

#[tokio::test(start_paused = true)]
async fn the_documentation_says_what_is_there() {
    let world = world();
    let rows = documented();
    assert!(rows.len() > 100, "{} rows were found in docs/lab.md", rows.len());
    let (mut asked, mut wrong) = (BTreeSet::new(), Vec::new());
    for row in &rows {
        assert!(asked.insert(row.question.to_string()), "{} stands there twice", row.question);
        let found = at_the_name(&world, &row.question).await;
        if found != row.at_the_name {
            wrong.push(format!("{}: {found}, not {}", row.question, row.at_the_name));
        }
        assert!(["NOERROR", "NXDOMAIN", "SERVFAIL", "YXDOMAIN"].contains(&row.outcome.as_str()));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for hops in 1..=20 {
        let text = format!("hops{hops:02}.chain.example. A");
        assert_eq!(at_the_name(&world, &question(&text)).await, "CNAME", "{text}");
    }
}

#[test]
fn every_zone_is_documented() {
    let rows = documented();
    for (file, zone) in world().zones() {
        let infrastructure = ["root", "com", "net", "org", "example", "arpa", "hosting.example", "farm.org"];
        // Reached from a name of chain.example, loop.example or cdn.example's alias.
        let behind =
            ["chain.com", "chain.net", "chain.org", "loop.com", "loop.net", "dname.net", "cdn.example"];
        let named = rows.iter().any(|row| row.question.name.is_at_or_below(zone.apex()));
        assert!(named || infrastructure.contains(&file) || behind.contains(&file), "{file}");
    }
}

/// The error of a world of these files.
fn error_of(files: &[(&str, &str)]) -> String {
    let folder =
        std::env::temp_dir().join(format!("cnamed-lab-{}-{:x}", std::process::id(), Rng::os().u64()));
    std::fs::create_dir(&folder).expect("a folder");
    for (file, text) in files {
        std::fs::write(folder.join(file), text).expect("a file");
    }
    let outcome = World::from_folder(&folder).map(|_| ());
    std::fs::remove_dir_all(&folder).expect("removed");
    let error: LabError = outcome.expect_err("an error");
    error.to_string().replace(&format!("{}/", folder.display()), "")
}

const ROOT: &str = "@ SOA a.ns. h. 1 2 3 4 5\n@ NS a.ns.\na.ns. A 192.0.2.1\n";

#[test]
fn errors_name_file_line_and_remedy() {
    let soa = "@ SOA ns h 1 2 3 4 5\n";
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[], "no root zone among 0"),
        (&[("root.zone", "@ SOA a. h. 1 2 3 4 5\n@ A 192.0.2.256\n")], "root.zone:2: "),
        (&[("root.zone", ROOT), ("com.zone", "@ NS a.ns.\n")], "com.zone:1: no SOA"),
        (&[("root.zone", &format!("{ROOT}net. SOA a. h. 1 2 3 4 5\n"))], "root.zone:4: a second SOA"),
        (
            &[("root.zone", ROOT), ("com.zone", &format!("{soa}net. NS a.ns.\n"))],
            "com.zone:2: net. is outside",
        ),
        (&[("root.zone", ROOT), ("com.zone", soa)], "com.zone: nobody serves com."),
        (&[("root.zone", ROOT), ("a..b.zone", soa)], "a..b.zone: the name is no origin"),
        (
            &[("root.zone", ROOT), ("other.zone", &format!("$ORIGIN .\n{ROOT}"))],
            "192.0.2.1 would serve two versions of .",
        ),
        (
            &[
                ("root.zone", ROOT),
                ("servers.toml", "[[server]]\naddresses = [\"192.0.2.1\"]\nmode = \"evil\"\n"),
            ],
            "servers.toml:3: unknown variant `evil`, expected one of `correct`",
        ),
        (
            &[("root.zone", ROOT), ("servers.toml", "[[server]]\naddresses = [\n\"192.0.2\"]\n")],
            "servers.toml:3: ",
        ),
        (
            &[("root.zone", ROOT), ("servers.toml", "[[server]]\naddresses = []\nzones = [\n\"com\"]\n")],
            "servers.toml:4: no file com.zone",
        ),
        (
            &[
                ("root.zone", ROOT),
                ("servers.toml", "[[server]]\naddresses = [\"192.0.2.1\",\n\"192.0.2.1\"]\n"),
            ],
            "servers.toml:3: 192.0.2.1 has an entry already",
        ),
        (
            &[("root.zone", ROOT), ("servers.toml", "[[server]]\naddresses = [\"192.0.2.1\"]\ndelay = 1\n")],
            "servers.toml:3: unknown field `delay`",
        ),
    ];
    for (files, expected) in cases {
        let error = error_of(files);
        assert!(error.starts_with(expected), "{error:?} does not start with {expected:?}");
    }
}

#[test]
fn every_mode_is_documented() {
    let text = include_str!("../docs/lab.md");
    let source = include_str!("../src/lab/server.rs");
    let modes =
        source.split("pub enum Mode {").nth(1).and_then(|rest| rest.split("\n}\n").next()).expect("Mode");
    let mut count = 0;
    for variant in modes.lines().map(str::trim).filter(|l| l.ends_with(',')) {
        let mut kebab = String::new();
        for c in variant.trim_end_matches(',').chars() {
            if c.is_uppercase() && !kebab.is_empty() {
                kebab.push('-');
            }
            kebab.push(c.to_ascii_lowercase());
        }
        assert!(text.contains(&format!("| `{kebab}` |")), "{kebab}");
        count += 1;
    }
    assert_eq!(count, 16);
}

/// A resolver that knows nothing but the hints, in the embedded world with distances; and the counter on its way out.
fn knowing_nothing() -> (Arc<Service>, Arc<Counted>) {
    let lab = world();
    let mut config = Config::default();
    config.resolver.hints = lab.hints();
    config.resolver.root_priming = false;
    config.dnssec.validation = false;
    let network = Counted::new(Arc::new(Far(lab)));
    let world =
        cnamed::world::World { network: network.clone(), clock: Clock::system(), rng: Rng::seeded(1) };
    (Service::with_local_names(Arc::new(config), world, LocalNames::Resolved), network)
}

/// Different names below one delegation, at the same time and with an empty cache: whatever they have in
/// common is asked once (RFC 5452 §5: each equal question under way is one more chance to guess).
#[tokio::test(start_paused = true)]
async fn questions_at_the_same_time_share_the_way_down() {
    const QUESTIONS: usize = 20;
    let (service, network) = knowing_nothing();
    let names: Vec<Question> = (0..QUESTIONS).map(|i| question(&format!("n{i}.alias.example. A"))).collect();
    let answers = join_all(names.iter().map(|question| client::ask(&service, question))).await;
    assert!(answers.iter().all(|answer| answer.rcode == 3), "{answers:?}");
    let alone = client::ask(&service, &question("n.alias.example. A")).await;
    assert_eq!(alone.rcode, 3);
    // The root, example. and whoever tells where its servers are; then each name, and the last one.
    let sent = network.take();
    assert!((QUESTIONS + 2..=QUESTIONS + 8).contains(&sent), "{sent} messages for {QUESTIONS} questions");
}

/// A zone's own name leads down the same way as names below it, whichever is asked for first.
#[tokio::test(start_paused = true)]
async fn the_name_of_a_zone_shares_the_way_down_with_names_below() {
    let mut counts = Vec::new();
    for names in [
        &["n.alias.example. A"][..],
        &["n.alias.example. A", "alias.example. A"],
        &["alias.example. A", "n.alias.example. A"],
    ] {
        let (service, network) = knowing_nothing();
        let names: Vec<Question> = names.iter().map(|text| question(text)).collect();
        let answers = join_all(names.iter().map(|question| client::ask(&service, question))).await;
        assert!(answers.iter().all(|answer| matches!(answer.rcode, 0 | 3)), "{answers:?}");
        counts.push(network.take());
    }
    let alone = counts[0];
    assert_eq!(counts, [alone, alone + 1, alone + 1]);
}
