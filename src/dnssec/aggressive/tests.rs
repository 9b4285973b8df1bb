use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::dnssec::denial::tests::{NAMES, PLAIN, RFC4035, n, nsec, nsec3_zone, small_name, t};

const CAPACITY: usize = 1 << 20;

fn soa(zone: &str, ttl: u32, minimum: u32) -> RrSet {
    let numbers = [1, 3600, 300, 3_600_000, minimum].map(u32::to_be_bytes).concat();
    let rdata = [n("ns.").as_wire(), n("mail.").as_wire(), &numbers].concat();
    RrSet::new(n(zone), RrType::SOA, ttl, [&rdata[..]])
}

fn seconds(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// A store with these denials of `example.`, for an hour.
fn with(sets: &[RrSet], now: Instant) -> Aggressive {
    let store = Aggressive::new(CAPACITY);
    let soa = soa("example.", 3600, 3600);
    for set in sets {
        store.add(&n("example."), set, Some(&soa), now + seconds(3600), now);
    }
    store
}

/// `NX`, `ND` or nothing, and the owners of the proofs.
fn said(store: &Aggressive, qname: &str, qtype: &str, now: Instant) -> Option<(&'static str, Vec<String>)> {
    let denied = store.deny(&n(qname), t(qtype), now)?;
    let owners = denied.proofs.iter().map(|set| set.owner.to_string()).collect();
    Some((if denied.nxdomain { "NX" } else { "ND" }, owners))
}

fn verdict(store: &Aggressive, qname: &str, qtype: &str, now: Instant) -> Option<&'static str> {
    said(store, qname, qtype, now).map(|(verdict, _)| verdict)
}

#[test]
fn ranges_deny_names_never_asked_before() {
    let now = Instant::now();
    let all = nsec(RFC4035);
    // What the answer for ml.example. brought (RFC 4035 B.2).
    let store = with(&[all[3].clone(), all[0].clone()], now);
    let both = vec!["b.example.".to_owned(), "example.".to_owned()];
    assert_eq!(said(&store, "ml.example.", "A", now), Some(("NX", both.clone())));
    assert_eq!(said(&store, "x.y.mm.example.", "TXT", now), Some(("NX", both)));
    assert_eq!(said(&store, "example.", "TXT", now), Some(("ND", vec!["example.".into()])));
    // Not between them, or not of this zone.
    for other in ["zz.example.", "ns2.example.", "ml.example.org.", "."] {
        assert_eq!(verdict(&store, other, "A", now), None, "{other}");
    }
    // Without the wildcard's range, nothing.
    assert_eq!(verdict(&with(&all[3..4], now), "ml.example.", "A", now), None);
}

#[test]
fn nodata_empty_non_terminals_and_wildcards() {
    let now = Instant::now();
    let store = with(&nsec(RFC4035), now);
    assert_eq!(said(&store, "NS1.example.", "MX", now), Some(("ND", vec!["ns1.example.".into()])));
    assert_eq!(verdict(&store, "ns1.example.", "A", now), None);
    assert_eq!(said(&store, "w.example.", "A", now), Some(("ND", vec!["ns2.example.".into()])));
    let wildcard = vec!["x.y.w.example.".to_owned(), "*.w.example.".to_owned()];
    assert_eq!(said(&store, "a.z.w.example.", "AAAA", now), Some(("ND", wildcard)));
    assert_eq!(verdict(&store, "a.z.w.example.", "MX", now), None);
}

#[test]
fn the_parent_speaks_of_ds_only() {
    let now = Instant::now();
    let store = with(&nsec(RFC4035), now);
    assert_eq!(verdict(&store, "b.example.", "DS", now), Some("ND"));
    for below in ["b.example.", "x.b.example.", "a.example.", "q.a.example."] {
        assert_eq!(verdict(&store, below, "A", now), None, "{below}");
    }
    // The child's own apex says nothing of its DS; the root might, if it were known.
    assert_eq!(verdict(&store, "example.", "DS", now), None);
    let root = nsec("example. fi. NS RRSIG NSEC").remove(0);
    store.add(&Name::root(), &root, Some(&soa(".", 3600, 3600)), now + seconds(60), now);
    assert_eq!(said(&store, "example.", "DS", now), Some(("ND", vec!["example.".into()])));
    assert_eq!(verdict(&store, "example.", "SOA", now), None);
}

#[test]
fn nothing_outlives_soa_or_signature() {
    let now = Instant::now();
    let sets = nsec("example. example. NS SOA RRSIG NSEC");
    let held = |ttl, minimum, until| {
        let store = Aggressive::new(CAPACITY);
        let soa = soa("example.", ttl, minimum);
        store.add(&n("example."), &sets[0], Some(&soa), now + seconds(until), now);
        store.deny(&n("q.example."), RrType::A, now).map(|denied| denied.ttl_left)
    };
    assert_eq!(held(3600, 3600, 7200), Some(3600));
    assert_eq!(held(3600, 60, 7200), Some(60));
    assert_eq!(held(50, 60, 7200), Some(50));
    assert_eq!(held(3600, 3600, 7), Some(7));
    assert_eq!(held(86_400, 86_400, 86_400), Some(10_800));
    assert_eq!(held(3600, 3600, 0), None);
    let store = with(&sets, now);
    let late = now + seconds(3000);
    assert_eq!(store.deny(&n("q.example."), RrType::A, late).map(|d| d.proofs[0].ttl), Some(600));
    assert_eq!(verdict(&store, "q.example.", "A", now + seconds(3600)), None);
    // No SOA, no negative answer; a known one bounds what comes without.
    let store = Aggressive::new(CAPACITY);
    store.add(&n("example."), &sets[0], None, now + seconds(7200), now);
    assert_eq!(verdict(&store, "q.example.", "A", now), None);
    store.add(&n("example."), &sets[0], Some(&soa("example.", 3600, 60)), now + seconds(7200), now);
    store.add(&n("example."), &sets[0], None, now + seconds(7200), now);
    assert_eq!(store.deny(&n("q.example."), RrType::A, now).map(|d| d.proofs[0].ttl), Some(60));
    store.clear();
    assert_eq!((store.octets(), verdict(&store, "q.example.", "A", now)), (0, None));
}

#[test]
fn nsec3_denies_unless_opt_out() {
    let now = Instant::now();
    let plain = with(&nsec3_zone("example.", &NAMES, PLAIN, false), now);
    assert_eq!(verdict(&plain, "gone.example.", "A", now), Some("NX"));
    assert_eq!(verdict(&plain, "a.b.gone.example.", "A", now), Some("NX"));
    assert_eq!(verdict(&plain, "host.example.", "MX", now), Some("ND"));
    assert_eq!(verdict(&plain, "host.example.", "A", now), None);
    assert_eq!(verdict(&plain, "ent.example.", "A", now), Some("ND"));
    assert_eq!(verdict(&plain, "cut.example.", "DS", now), Some("ND"));
    for other in ["cut.example.", "x.cut.example.", "x.moved.example."] {
        assert_eq!(verdict(&plain, other, "A", now), None, "{other}");
    }
    let opt_out = with(&nsec3_zone("example.", &NAMES, PLAIN, true), now);
    assert_eq!(verdict(&opt_out, "gone.example.", "A", now), None);
    assert_eq!(verdict(&opt_out, "gone.example.", "DS", now), None);
    assert_eq!(verdict(&opt_out, "host.example.", "MX", now), Some("ND"));
}

#[test]
fn nsec3_work_is_bounded_and_parameters_change() {
    let now = Instant::now();
    let zone = |iterations, salt| nsec3_zone("example.", &NAMES, Params { iterations, salt }, false);
    let fifty = with(&zone(50, &[1; 8]), now);
    assert_eq!(verdict(&fifty, "gone.example.", "A", now), Some("NX"));
    assert_eq!(verdict(&fifty, &format!("{}example.", "a.".repeat(100)), "A", now), None);
    let many = with(&zone(51, &[]), now);
    assert_eq!(many.octets(), 0);
    // A zone salted anew: the old hashes go.
    for set in zone(0, &[2]) {
        fifty.add(&n("example."), &set, None, now + seconds(60), now);
    }
    assert_eq!(verdict(&fifty, "gone.example.", "A", now), Some("NX"));
    assert_eq!(fifty.lock().zones.values().map(|z| z.nsec3.entries.len()).sum::<usize>(), NAMES.len());
}

#[test]
fn ranges_of_one_name_are_not_kept() {
    let now = Instant::now();
    let compact = nsec("gone.example. \\000.gone.example. RRSIG NSEC TYPE128");
    assert_eq!(with(&compact, now).octets(), 0);
    let (mut low, mut high): (Hash, Hash) = ([7; HASH], [7; HASH]);
    (low[HASH - 1], high[HASH - 1]) = (8, 10);
    assert!(is_narrow(&low, &high) && !is_narrow(&high, &low) && !is_narrow(&low, &low));
    high[HASH - 1] = 11;
    assert!(!is_narrow(&low, &high));
    high[0] = 8;
    assert!(!is_narrow(&low, &high));
}

#[test]
fn cached_wildcards_answer_other_names() {
    let now = Instant::now();
    let store = with(&nsec(RFC4035), now);
    let answer = RrSet::new(n("q.w.example."), RrType::MX, 300, [&b"\0\x01\0"[..]]);
    assert!(store.wildcard(&n("r.w.example."), RrType::MX, now).is_none());
    store.add_wildcard(&n("example."), &answer, &n("*.w.example."), now + seconds(300), now);
    let expanded = store.wildcard(&n("a.z.w.example."), RrType::MX, now + seconds(100)).unwrap();
    assert_eq!((expanded.set.owner, expanded.set.ttl, expanded.ttl_left), (n("a.z.w.example."), 200, 200));
    assert_eq!(expanded.set.rdata, answer.rdata);
    assert_eq!(expanded.proofs[0].owner, n("x.y.w.example."));
    // Not for names that exist, nor below them, nor types that are not here, nor later.
    for other in ["x.w.example.", "a.x.w.example.", "y.w.example.", "a.y.w.example.", "ml.example."] {
        assert!(store.wildcard(&n(other), RrType::MX, now).is_none(), "{other}");
    }
    assert!(store.wildcard(&n("a.w.example."), RrType::A, now).is_none());
    assert!(store.wildcard(&n("z.w.example."), RrType::MX, now + seconds(300)).is_none());
    let alias = RrSet::new(n("q.w.example."), RrType::CNAME, 300, [n("t.example.").as_wire()]);
    store.add_wildcard(&n("example."), &alias, &n("*.w.example."), now + seconds(300), now);
    let expanded = store.wildcard(&n("z.w.example."), RrType::A, now).unwrap();
    assert_eq!(expanded.set.rtype, RrType::CNAME);
    // Of another zone, no wildcard, or nothing to expand.
    let empty = Aggressive::new(CAPACITY);
    for (zone, owner, rtype) in [
        ("example.org.", "*.example.", "A"),
        ("example.", "w.example.", "A"),
        ("example.", "*.example.", "NS"),
    ] {
        let set = RrSet { rtype: t(rtype), ..answer.clone() };
        empty.add_wildcard(&n(zone), &set, &n(owner), now + seconds(9), now);
    }
    assert_eq!(empty.octets(), 0);
}

#[test]
fn nsec3_wildcards_answer_unless_opt_out() {
    let now = Instant::now();
    let mut names = NAMES.to_vec();
    names.push(("wild.example.", ""));
    let alias = RrSet::new(n("q.wild.example."), RrType::CNAME, 300, [n("t.example.").as_wire()]);
    for opt_out in [false, true] {
        let store = with(&nsec3_zone("example.", &names, PLAIN, opt_out), now);
        store.add_wildcard(&n("example."), &alias, &n("*.wild.example."), now + seconds(300), now);
        let expanded = store.wildcard(&n("a.b.wild.example."), RrType::A, now);
        assert_eq!(expanded.is_some(), !opt_out);
        assert!(store.wildcard(&n("host.example."), RrType::MX, now).is_none());
    }
}

#[test]
fn octets_stay_within_the_whole_and_a_zone_within_its_share() {
    let now = Instant::now();
    let store = Aggressive::new(100_000);
    let one_zone = |i: u32| nsec(&format!("a{i:06}.example. a{:06}.example. A", i + 1)).remove(0);
    for i in 0..5_000 {
        store.add(&n("example."), &one_zone(i), Some(&soa("example.", 60, 60)), now + seconds(60), now);
        assert!(store.octets() <= 25_000);
    }
    assert!(store.octets() > 20_000, "full, not emptied");
    for i in 0..5_000 {
        let zone = format!("z{i}.");
        let set = nsec(&format!("{zone} {zone} NS SOA")).remove(0);
        store.add(&n(&zone), &set, Some(&soa(&zone, 60, 60)), now + seconds(60), now);
        assert!(store.octets() <= 100_000);
    }
    assert!(store.octets() > 90_000);
    let counted: usize = store.lock().zones.values().map(Zone::octets).sum();
    assert_eq!(counted, store.octets());
    // Too small for anything at all.
    let tiny = Aggressive::new(10);
    tiny.add(&n("example."), &one_zone(1), None, now + seconds(60), now);
    assert_eq!(tiny.octets(), 0);
}

#[test]
fn what_is_used_stays_and_what_is_over_goes() {
    let now = Instant::now();
    let mut ring = Ring::default();
    for (key, until) in [(1, 60), (2, 60), (3, 1), (4, 60)] {
        let set = nsec("a.example. b.example. A").remove(0);
        ring.put(&[key], set, now + seconds(until));
    }
    assert!(ring.at(&[1], now).is_some() && ring.at(&[3], now).is_some());
    let later = now + seconds(5);
    ring.evict(later);
    assert_eq!(ring.entries.keys().map(|k| k[0]).collect::<Vec<_>>(), [1, 3, 4]);
    ring.evict(later);
    assert_eq!(ring.entries.keys().map(|k| k[0]).collect::<Vec<_>>(), [1, 4]);
    ring.evict(later);
    ring.evict(later);
    ring.evict(later);
    assert_eq!((ring.entries.len(), ring.octets), (0, 0));
}

proptest! {
    #[test]
    fn keys_order_and_nest_as_names_do(
        a in prop::collection::vec(prop::collection::vec(prop::sample::select(b"\0\x01aAb*\xff".to_vec()), 1..4), 0..4),
        b in prop::collection::vec(prop::collection::vec(prop::sample::select(b"\0\x01aAb*\xff".to_vec()), 1..4), 0..4),
    ) {
        let name = |labels: Vec<Vec<u8>>| {
            labels.iter().fold(Name::root(), |name, label| name.prepend(label).unwrap())
        };
        let (a, b) = (name(a), name(b));
        let (x, y) = (Key::new(&a), Key::new(&b));
        prop_assert_eq!(x.octets.cmp(&y.octets), a.cmp(&b));
        prop_assert_eq!(x.octets.starts_with(&y.octets), a.is_at_or_below(&b));
        prop_assert_eq!(x.ends.len(), a.label_count() + 1);
    }

    /// Whatever part of a zone's NSEC chain is known: what is denied is so, and when all of it is
    /// known, all that is so is denied.
    #[test]
    fn what_is_denied_is_so(
        mut owners in prop::collection::btree_set(small_name(), 0..6),
        qname in small_name(),
        known in prop::collection::vec(any::<bool>(), 7),
    ) {
        let now = Instant::now();
        owners.insert(n("z."));
        let list: Vec<&Name> = owners.iter().collect();
        let line = |i: usize| format!("{} {} A", list[i], list[(i + 1) % list.len()]);
        let exists = |name: &Name| owners.iter().any(|o| o.is_at_or_below(name));
        let mut encloser = qname.clone();
        while !exists(&encloser) {
            encloser = encloser.parent().unwrap();
        }
        let source = if encloser == qname { qname.clone() } else { encloser.prepend(b"*").unwrap() };
        let truth = |qtype: &str| match exists(&source) {
            false => Some("NX"),
            true if qtype == "MX" || !owners.contains(&source) => Some("ND"),
            true => None,
        };
        for all in [true, false] {
            let store = Aggressive::new(CAPACITY);
            for i in (0..list.len()).filter(|i| all || known[*i]) {
                let set = nsec(&line(i)).remove(0);
                store.add(&n("z."), &set, Some(&soa("z.", 60, 60)), now + seconds(60), now);
            }
            for qtype in ["A", "MX"] {
                let said = verdict(&store, &qname.to_string(), qtype, now);
                prop_assert!(said == truth(qtype) || (!all && said.is_none()), "{} {} {:?}", qname, qtype, said);
            }
        }
    }

    #[test]
    fn random_names_and_sets_never_panic(
        rdata in prop::collection::vec(any::<u8>(), 0..60),
        names in prop::collection::vec(small_name(), 3),
    ) {
        let now = Instant::now();
        let store = Aggressive::new(4_000);
        let kinds: BTreeSet<RrType> = [RrType::NSEC, RrType::NSEC3, RrType::A].into();
        for rtype in kinds {
            let next = [names[2].as_wire(), &rdata].concat();
            for rdata in [&rdata, &next] {
                let set = RrSet::new(names[0].clone(), rtype, 1, [&rdata[..]]);
                store.add(&names[1], &set, None, now + seconds(9), now);
                store.add_wildcard(&n("z."), &set, &names[1], now + seconds(9), now);
            }
            store.deny(&names[2], rtype, now);
            store.wildcard(&names[2], rtype, now);
        }
    }
}
