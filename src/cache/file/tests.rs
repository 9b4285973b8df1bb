use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use proptest::prelude::*;

use super::*;
use crate::cache::cuts::Cut;
use crate::cache::entry::Content;
use crate::cache::hop::{Alias, Held, Hop, Judged};
use crate::cache::rrsets::Freshness;
use crate::cache::scratch::Scratch;
use crate::chain;
use crate::rrset::{Question, Rdatas, RrSet, RrType};
use crate::trust::rank::Rank;
use crate::trust::scrub::{NameServer, Referral, Reply, Volunteered};
use crate::wire::Name;

const WALL: u64 = 1_700_000_000;
const NONCE: [u8; 16] = *b"nobody knows me!";
const MANY: usize = 750;

fn n(text: &str) -> Name {
    text.parse().unwrap()
}

fn config() -> Config {
    let mut config = Config::default();
    config.cache.max_memory = 8 << 20;
    config.cache.file = Some(PathBuf::from("cache.bin"));
    config
}

fn kept_in(path: &Path) -> CacheFile {
    let mut config = config();
    config.cache.file = Some(path.to_owned());
    CacheFile::of(&config, false).unwrap()
}

fn cache() -> Cache {
    Cache::new(&config().cache)
}

fn after(at: Moment, seconds: u64) -> Moment {
    Moment { now: at.now + Duration::from_secs(seconds), wall: at.wall + seconds }
}

fn start() -> Moment {
    Moment { now: Instant::now() + Duration::from_secs(1_000_000), wall: WALL }
}

fn a(owner: &str, ttl: u32, last: u8) -> RrSet {
    RrSet::new(n(owner), RrType::A, ttl, [&[192, 0, 2, last][..]])
}

fn soa(zone: &str) -> RrSet {
    let rdata = [b"\x01m\x00\x01h\x00".as_slice(), &[0; 18], &[1, 44]].concat(); // MINIMUM 300
    RrSet::new(n(zone), RrType::SOA, 900, [rdata.as_slice()])
}

fn signature(covered: RrType) -> Vec<u8> {
    [&covered.0.to_be_bytes()[..], &[8; 16], b"\x07example\x00", &[7; 64]].concat()
}

fn entry(content: Content, at: Moment) -> Entry {
    let (security, rank) = (Security::Unchecked, Rank::AuthAnswer);
    Entry {
        content,
        proof: Proof::default(),
        terms: Terms { security, rank, stored: at.now, life: 60, of_parent: false },
    }
}

fn put(cache: &Cache, set: RrSet, now: Instant) {
    let question = Question::new(set.owner.clone(), set.rtype);
    let (hop, rank) = (cache.rrsets.hop_of_set(set), Rank::AuthAnswer);
    cache.rrsets.settle(&Scratch::default(), &question, hop, rank, &Judged::UNCHECKED, now);
}

/// Of each kind something, and many addresses.
fn filled(at: Moment) -> Cache {
    let cache = cache();
    let settle = |name: &str, rtype, reply: Reply| {
        let (hop, rank) = cache.rrsets.hop_of(reply).unwrap();
        let question = Question::new(n(name), rtype);
        cache.rrsets.settle(&Scratch::default(), &question, hop, rank, &Judged::UNCHECKED, at.now);
    };
    let put = |set: RrSet, rank| {
        let (name, rtype) = (set.owner.to_string(), set.rtype);
        settle(&name, rtype, Reply::Data { sets: vec![set], rank, proof: Proof::default() });
    };
    let mut signed = a("signed.example.", 300, 1);
    signed.sigs = Rdatas::new([signature(RrType::A).as_slice()]);
    put(signed, Rank::AuthAnswer);
    put(RrSet::new(n("Alias.Example."), RrType::CNAME, 600, [n("there.test.").as_wire()]), Rank::Volunteered);
    put(RrSet::new(n("apex.example."), RrType::CNAME, 600, [n("there.test.").as_wire()]), Rank::AuthAnswer);
    let mx = [&[0, 10][..], n("mail.example.").as_wire()].concat();
    put(RrSet::new(n("example."), RrType::MX, 60, [mx.as_slice(), &mx]), Rank::NonAuthAnswer);
    let dname = RrSet::new(n("d.example."), RrType::DNAME, 400, [n("test.").as_wire()]);
    let redirection = chain::rewrite(&n("x.d.example."), dname);
    let proof = Proof::default();
    let (rank, volunteered) = (Rank::AuthAnswer, Volunteered::default());
    let alias = Reply::Alias { redirection, rank, volunteered, proof: proof.clone() };
    settle("x.d.example.", RrType::A, alias);
    let soa = || Some(soa("example."));
    settle(
        "gone.example.",
        RrType::A,
        Reply::NxDomain { soa: soa(), rank: Rank::AuthAnswer, proof: proof.clone() },
    );
    settle(
        "some.example.",
        RrType::AAAA,
        Reply::NoData { soa: soa(), rank: Rank::AuthAnswer, proof: proof.clone() },
    );
    for i in 0..MANY {
        put(a(&format!("h{i}.example."), 1_000, i as u8), Rank::AuthAnswer);
    }
    let root = Cut::root(Vec::new(), at.now + Duration::from_secs(9_000));
    let server = |name: &str| NameServer {
        name: n(name),
        glue: vec!["192.0.2.53".parse().unwrap(), "2001:db8::53".parse().unwrap()],
        hearsay: vec!["198.51.100.1".parse().unwrap()],
    };
    let servers = vec![server("ns1.example."), server("ns2.example.")];
    let referral = Referral { zone: n("example."), ttl: 5_000, servers, ds: None, proof, guarded: false };
    cache.cuts.store(&Cut::delegated(referral, &root, at.now));
    cache.cuts.store(&root);
    cache
}

/// Names and types that [`filled`] knows.
fn questions() -> Vec<(Name, RrType)> {
    let some = [
        ("signed.example.", RrType::A),
        ("alias.example.", RrType::A),
        ("apex.example.", RrType::A),
        ("example.", RrType::MX),
        ("x.d.example.", RrType::A),
        ("below.gone.example.", RrType::TXT),
        ("some.example.", RrType::AAAA),
    ];
    let many = (0..MANY).map(|i| (n(&format!("h{i}.example.")), RrType::A));
    some.into_iter().map(|(name, rtype)| (n(name), rtype)).chain(many).collect()
}

fn look(cache: &Cache, name: &Name, rtype: RrType, at: Moment) -> Option<Hop> {
    cache.rrsets.look_up(&Scratch::default(), name, rtype, Freshness::Stale, at.now)
}

fn octets(cache: &Cache, at: Moment) -> Vec<u8> {
    let mut out = Vec::new();
    let saved = kept_in(Path::new("f")).write(&mut out, cache, at, NONCE).unwrap();
    assert_eq!((saved.octets, saved.left_out), (out.len() as u64, 0));
    out
}

fn read(octets: &[u8], at: Moment) -> (Cache, Option<Loaded>) {
    let cache = cache();
    let loaded = kept_in(Path::new("f")).read(octets, &cache, at).unwrap();
    (cache, loaded)
}

fn left(hop: &Hop) -> u32 {
    hop.sets().iter().map(|held| held.left).min().unwrap()
}

/// The hop without its clock.
fn timeless(mut hop: Hop) -> Hop {
    let stop = |held: &mut Held| (held.left, held.expires) = (0, None);
    match &mut hop {
        Hop::Data(sets) => sets.iter_mut().for_each(stop),
        Hop::Alias(Alias::Cname(held) | Alias::Overlong { dname: held }) => stop(held),
        Hop::Alias(Alias::Dname { dname, cname }) => [dname, cname].into_iter().for_each(stop),
        Hop::NoData(denial) | Hop::NxDomain(denial) => denial.soa.iter_mut().for_each(stop),
    }
    hop
}

#[test]
fn everything_comes_back_with_its_rank_and_less_time() {
    let at = start();
    let before = filled(at);
    let (back, loaded) = read(&octets(&before, after(at, 10)), after(at, 30));
    let records = questions().len() as u64 + 2; // the DNAME, and a delegation
    assert_eq!(loaded, Some(Loaded { kept: records, ..Loaded::default() }));
    for (name, rtype) in questions() {
        let was = look(&before, &name, rtype, after(at, 30)).unwrap();
        let is = look(&back, &name, rtype, after(at, 30)).unwrap();
        assert_eq!(left(&is), left(&was) - 1, "{name} {rtype}: rounded against us");
        assert_eq!(timeless(is), timeless(was), "{name} {rtype}");
    }
    let ranks = |cache: &Cache| {
        let mut all: Vec<_> = cache
            .rrsets
            .usable(at.now)
            .map(|(key, Entry { content, terms, .. })| {
                let name = key.name.to_string();
                (name, key.rtype.0, (terms.rank, terms.of_parent), content)
            })
            .collect();
        all.sort_by_key(|(name, rtype, ..)| (name.clone(), *rtype));
        all
    };
    assert_eq!(ranks(&back), ranks(&before));
    let now = after(at, 30).now;
    let (was, is) =
        (before.cuts.get(&n("example."), now).unwrap(), back.cuts.get(&n("example."), now).unwrap());
    assert_eq!(was.servers, is.servers);
    assert_eq!(was.expires - is.expires, ROUNDED_UP);
    assert!(back.cuts.get(&Name::root(), now).is_none(), "each start primes anew");
    assert_eq!(back.changes(), 0, "what was read need not be written");
}

#[test]
fn time_passes_while_nobody_runs() {
    let at = start();
    let file = octets(&filled(at), at);
    let (back, loaded) = read(&file, after(at, 500));
    assert_eq!(loaded.unwrap().expired, 0);
    let hop = |name: &str, rtype| look(&back, &n(name), rtype, after(at, 500)).unwrap();
    assert_eq!(left(&hop("h1.example.", RrType::A)), 1_000 - 501);
    assert!(hop("signed.example.", RrType::A).is_stale(), "300 s are over, stale-max-age is not");
    let stale_for = u64::from(config().cache.stale_max_age);
    let (back, loaded) = read(&file, after(at, 500 + stale_for));
    // Of what lived shorter than 500 s nothing is left, of h1 (1,000 s) a stale rest.
    assert!(look(&back, &n("signed.example."), RrType::A, after(at, 500 + stale_for)).is_none());
    assert!(look(&back, &n("h1.example."), RrType::A, after(at, 500 + stale_for)).is_some());
    assert!(loaded.unwrap().expired > 0);
    let (back, loaded) = read(&file, after(at, 2 * stale_for));
    assert_eq!(loaded.unwrap().kept, 0);
    assert_eq!(back.rrsets.usable(at.now).count(), 0);
}

#[test]
fn a_wall_clock_that_went_back_lengthens_no_life() {
    let at = start();
    let before = filled(at);
    let file = octets(&before, after(at, 100));
    for back_by in [1, 3_600, WALL] {
        let moment = Moment { now: at.now, wall: WALL - back_by };
        let (back, _) = read(&file, moment);
        for (name, rtype) in questions() {
            let was = look(&before, &name, rtype, after(at, 100)).unwrap();
            let is = look(&back, &name, rtype, moment).unwrap();
            assert!(left(&is) <= left(&was), "{name} {rtype}");
        }
        let cut = back.cuts.get(&n("example."), moment.now).unwrap();
        assert_eq!(cut.expires, moment.now + Duration::from_secs(5_000 - 100 - 1));
    }
}

#[test]
fn lower_bounds_of_today_hold_for_what_was_kept() {
    let at = start();
    let file = octets(&filled(at), at);
    let mut config = config();
    (config.cache.max_ttl, config.cache.max_negative_ttl) = (200, 40);
    let back = Cache::new(&config.cache);
    kept_in(Path::new("f")).read(file.as_slice(), &back, at).unwrap();
    assert_eq!(left(&look(&back, &n("h1.example."), RrType::A, at).unwrap()), 199);
    assert_eq!(left(&look(&back, &n("gone.example."), RrType::A, at).unwrap()), 39);
}

/// Whatever a file has become: what is read from it is what was written.
fn holds_nothing_else(octets: &[u8], original: &Cache, at: Moment) -> Option<Loaded> {
    let (back, loaded) = read(octets, at);
    let all: std::collections::HashMap<_, _> = original
        .rrsets
        .usable(at.now)
        .map(|(key, entry)| (key.clone(), (entry.content.clone(), entry.terms.life)))
        .collect();
    for (key, entry) in back.rrsets.usable(at.now) {
        assert_eq!(all.get(&key), Some(&(entry.content.clone(), entry.terms.life)), "{key:?}");
        assert!(entry.terms.stored <= at.now);
    }
    for cut in back.cuts.referred(at.now) {
        let was = original.cuts.get(&cut.zone, at.now).unwrap();
        assert_eq!(was.servers, cut.servers);
        assert!(cut.expires <= was.expires);
    }
    loaded
}

#[test]
fn damage_costs_what_it_hits() {
    let at = start();
    let cache = filled(at);
    let file = octets(&cache, at);
    let records = questions().len() as u64 + 2;
    assert!(file.len() > 4 * PAGE, "{}", file.len());

    for length in (0..file.len()).step_by(331) {
        let loaded = holds_nothing_else(&file[..length], &cache, at).unwrap();
        assert!(loaded.damaged > 0, "cut at {length}: {loaded:?}");
    }
    for at_octet in (0..file.len()).step_by(211) {
        let mut flipped = file.clone();
        flipped[at_octet] ^= 0x10;
        let loaded = holds_nothing_else(&flipped, &cache, at).unwrap();
        let padding = file[at_octet] == 0 && loaded.kept == records;
        assert!(loaded.damaged > 0 || padding, "flipped at {at_octet}: {loaded:?}");
        assert!(loaded.kept > records - records / 3, "flipped at {at_octet}: {loaded:?}");
    }
    for page in 0..file.len() / PAGE {
        let mut zeroed = file.clone();
        zeroed[page * PAGE..(page + 1) * PAGE].fill(0);
        let loaded = holds_nothing_else(&zeroed, &cache, at).unwrap();
        assert!(loaded.damaged > 0 && loaded.kept > records / 2, "{loaded:?}");
    }
    let mut junk = file.clone();
    junk[..PAGE].fill(0xa5);
    assert!(holds_nothing_else(&junk, &cache, at).unwrap().kept > records / 2);
    // A page that is missing as a whole leaves no other trace than the count at the end.
    let without = [&file[..PAGE], &file[2 * PAGE..]].concat();
    assert_eq!(holds_nothing_else(&without, &cache, at).unwrap().damaged, 1);
}

#[test]
fn foreign_files_are_told_from_damaged_ones() {
    let at = start();
    let cache = filled(at);
    let file = octets(&cache, at);
    assert_eq!(holds_nothing_else(b"[server]\nlisten = []\n", &cache, at), None);
    assert_eq!(holds_nothing_else(&[0xa5; 3 * PAGE], &cache, at), None);
    let image = [&b"SQLite format 3"[..], &[0; 3 * PAGE]].concat();
    assert_eq!(holds_nothing_else(&image, &cache, at), None);
    for blank in [&[][..], &[0; PAGE + 5]] {
        assert_eq!(holds_nothing_else(blank, &cache, at).unwrap().kept, 0);
    }
    // What is left of a file of one page, or of its first octets, is mended and not taken for foreign.
    let mut small = file[..PAGE / 2].to_vec();
    small[3] ^= 1;
    assert_eq!(holds_nothing_else(&small, &cache, at).unwrap().damaged, 1);
    small[..100].fill(0);
    assert_eq!(holds_nothing_else(&small, &cache, at).unwrap().damaged, 1);
    assert_eq!(holds_nothing_else(&file[..5], &cache, at).unwrap().damaged, 1);
    let mut newer = file.clone();
    for head in newer.chunks_mut(PAGE) {
        head[11] += 1;
    }
    let pages = file.chunks(PAGE).len() as u64;
    let others = Some(Loaded { others: pages, ..Loaded::default() });
    assert_eq!(holds_nothing_else(&newer, &cache, at), others);

    let read_by = |config: &Config, embedded| {
        let file_of = CacheFile::of(config, embedded).unwrap();
        file_of.read(file.as_slice(), &super::tests::cache(), at).unwrap()
    };
    assert_eq!(read_by(&config(), true), others, "nothing of the embedded world outside it");
    let mut other_root = config();
    other_root.resolver.hints.pop();
    assert_eq!(read_by(&other_root, false), others);
    assert_eq!(read_by(&config(), false).unwrap().others, 0);
}

#[test]
fn what_is_larger_than_a_page_or_the_budget_is_left_out() {
    let at = start();
    let cache = filled(at);
    let rdata = [[255; 256].as_slice(), &[255; 256]].concat();
    let items: Vec<Vec<u8>> = (0..16).map(|i| [&[i][..], &rdata].concat()).collect();
    let large = RrSet::new(n("large.example."), RrType::TXT, 900, items.iter().map(Vec::as_slice));
    put(&cache, large, at.now);
    let mut out = Vec::new();
    let saved = kept_in(Path::new("f")).write(&mut out, &cache, at, NONCE).unwrap();
    assert_eq!(saved.left_out, 1);
    assert!(holds_nothing_else(&out, &cache, at).unwrap().damaged == 0);

    let small = CacheFile { max_octets: 4 * PAGE as u64, ..kept_in(Path::new("f")) };
    let mut out = Vec::new();
    let saved = small.write(&mut out, &cache, at, NONCE).unwrap();
    assert!(saved.left_out > 100 && out.len() <= 4 * PAGE, "{saved:?}");
    let back = super::tests::cache();
    let loaded = small.read(out.as_slice(), &back, at).unwrap().unwrap();
    assert_eq!((loaded.kept, loaded.damaged), (saved.records, 0));
    // A file from times of a larger budget is read as far as this one goes.
    let back = super::tests::cache();
    let loaded = small.read(octets(&filled(at), at).as_slice(), &back, at).unwrap().unwrap();
    assert!(loaded.kept > 100 && loaded.damaged == 1, "{loaded:?}");
}

#[test]
fn records_that_cannot_be_are_not_believed() {
    let at = start();
    let body = |content: Content, name: &str, rtype: RrType| {
        let mut out = Vec::new();
        let entry = entry(content, at);
        assert!(record::write_entry(&Key::new(&n(name), rtype), &entry, at.now, &mut out));
        out
    };
    let set = |rtype, rdata: &[&[u8]]| {
        let set = RrSet::new(n("o.example."), rtype, 60, rdata.iter().copied());
        body(Content::Set(set), "o.example.", rtype)
    };
    let good = set(RrType::A, &[&[1, 2, 3, 4]]);
    assert!(record::read(&good).is_some());
    assert_eq!(record::read(&[&good[..], &[0]].concat()), None, "something behind");
    let name = n("x.example.");
    let wire = name.as_wire();
    for (rtype, rdata) in [
        (RrType::A, &[&[1, 2, 3][..]][..]),
        (RrType::AAAA, &[&[1, 2, 3, 4]]),
        (RrType::A, &[]),
        (RrType::CNAME, &[wire, wire]),
        (RrType::CNAME, &[b"\xc0\x0c"]),
        (RrType::NS, &[&[wire, b"x"].concat()]),
        (RrType::MX, &[&[0]]),
        (RrType::SOA, &[wire]),
        (RrType::NAPTR, &[b"\0\0\0\0\xff"]),
        (RrType::OPT, &[&[]]),
        (RrType::ANY, &[&[]]),
        (RrType(0), &[&[]]),
    ] {
        assert_eq!(record::read(&set(rtype, rdata)), None, "{rtype} {rdata:?}");
    }
    let mut unsigned = a("o.example.", 60, 1);
    unsigned.sigs = Rdatas::new([signature(RrType::AAAA).as_slice()]);
    assert_eq!(record::read(&body(Content::Set(unsigned), "o.example.", RrType::A)), None);
    let elsewhere = Content::NoData(Some(soa("test.")));
    assert_eq!(record::read(&body(elsewhere, "o.example.", RrType::A)), None);
    let unlike = Content::NoData(Some(a("example.", 60, 1)));
    assert_eq!(record::read(&body(unlike, "o.example.", RrType::A)), None);
    let result = Name::from_wire(wire).ok();
    let beside = Content::Rewritten { name: n("o.example."), dname_owner: n("o.example."), result };
    assert_eq!(record::read(&body(beside, "o.example.", RrType::CNAME)), None);
}

#[test]
fn nobody_can_put_a_record_into_rdata() {
    let at = start();
    let forged = |nonce: &[u8; 16]| {
        let mut body = Vec::new();
        let content = Content::Set(a("victim.example.", 60, 66));
        let entry = entry(content, at);
        record::write_entry(&Key::new(&n("victim.example."), RrType::A), &entry, at.now, &mut body);
        let summed = [&(body.len() as u16).to_be_bytes()[..], &body].concat();
        let sum = SipHasher13::new_with_key(nonce).hash(&summed).to_be_bytes();
        [&sum[..], &summed].concat()
    };
    // The length before it, damaged, leads right to it.
    let misled = |nonce: &[u8; 16]| {
        let cache = cache();
        let txt = RrSet::new(n("evil.example."), RrType::TXT, 60, [forged(nonce).as_slice()]);
        put(&cache, txt, at.now);
        let mut file = octets(&cache, at);
        let inside = file.windows(8).position(|w| w == &forged(nonce)[..8]).unwrap();
        let length = (inside - HEAD - RECORD_HEAD) as u16;
        file[HEAD + 8..HEAD + RECORD_HEAD].copy_from_slice(&length.to_be_bytes());
        look(&read(&file, at).0, &n("victim.example."), RrType::A, at)
    };
    assert_eq!(misled(b"a guess         "), None);
    assert!(misled(&NONCE).is_some(), "this test does lead there");
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("cnamed-{name}-{}", std::process::id()));
    fs::remove_dir_all(&folder).ok();
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn the_file_is_private_whole_or_as_it_was() {
    let folder = folder("file");
    let at = start();
    let file = kept_in(&folder.join("cache.bin"));
    assert!(file.load(&cache(), at).unwrap().is_none());
    fs::write(folder.join("cache.bin.new"), "left by a kill -9").unwrap();
    file.try_folder().unwrap();
    file.save(&filled(at), at, NONCE).unwrap();
    let names = || fs::read_dir(&folder).unwrap().count();
    assert_eq!(names(), 1, "nothing is left beside it");
    assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(file.load(&cache(), at).unwrap().unwrap().kept > MANY as u64);
    file.may_be_replaced().unwrap();

    fs::create_dir(folder.join("cache.bin.new")).unwrap(); // nothing can be written there
    let why = file.save(&cache(), at, NONCE).unwrap_err().to_string();
    assert!(why.contains("cache.bin") && why.contains("cache.file"), "{why}");
    assert!(file.load(&cache(), at).unwrap().unwrap().kept > MANY as u64, "as it was");

    let nowhere = kept_in(&folder.join("no/cache.bin")).save(&cache(), at, NONCE).unwrap_err().to_string();
    assert!(nowhere.contains("Create the folder"), "{nowhere}");
    assert!(matches!(kept_in(&folder).load(&cache(), at), Err(LoadError::NotAFile(_))));
    let text = kept_in(&folder.join("cnamed.toml"));
    fs::write(text.path(), "[server]\n").unwrap();
    assert!(matches!(text.load(&cache(), at), Err(LoadError::Foreign(_))));
    assert!(text.may_be_replaced().is_err());
    fs::remove_dir_all(&folder).unwrap();
}

/// What is read is mended by the next save, and nothing else is replaced.
#[test]
fn what_may_be_replaced_is_what_is_read() {
    let folder = folder("replaced");
    let at = start();
    let file = kept_in(&folder.join("cache.bin"));
    let whole = octets(&filled(at), at);
    let damaged = |from: usize| [&vec![b'x'; from], &whole[from..]].concat();
    for (octets, ours) in [
        (Vec::new(), true),
        (whole.clone(), true),
        (whole[..1].to_vec(), true),
        (damaged(PAGE), true),
        (damaged(whole.len() / PAGE * PAGE), true),
        (damaged(whole.len() / PAGE * PAGE + 1), false),
        (vec![b'x'; 3 * PAGE], false),
    ] {
        fs::write(file.path(), &octets).unwrap();
        assert_eq!(file.load(&cache(), at).is_ok(), ours, "{} octets", octets.len());
        assert_eq!(file.may_be_replaced().is_ok(), ours, "{} octets", octets.len());
    }
    fs::remove_dir_all(&folder).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Any damage: no panic, and nothing that was not written.
    #[test]
    fn damaged_files_hold_nothing_wrong(
        hits in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..200),
        cut in any::<proptest::sample::Index>(),
        moved in any::<proptest::sample::Index>(),
    ) {
        let at = start();
        let cache = filled(at);
        let mut file = octets(&cache, at);
        for (at, octet) in hits {
            let at = at.index(file.len());
            file[at] = octet;
        }
        let half = moved.index(file.len());
        file.rotate_left(half & !0xfff);
        file.truncate(cut.index(file.len() + 1));
        holds_nothing_else(&file, &cache, at);
    }

    #[test]
    fn any_octets_are_read_without_panic(octets in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        read(&octets, start());
        let _ = record::read(&octets);
    }

    /// Also what has the right checksums: bodies, changed anywhere, are refused or well-formed.
    #[test]
    fn any_body_is_read_without_panic(
        which in any::<proptest::sample::Index>(),
        hits in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4),
        wall in any::<u64>(),
    ) {
        let at = start();
        let cache = filled(at);
        let mut bodies = Vec::new();
        for (key, entry) in cache.rrsets.usable(at.now).filter(|(key, _)| !key.name.to_string().starts_with('h')) {
            let mut body = Vec::new();
            record::write_entry(&key, &entry, at.now, &mut body);
            bodies.push(body);
        }
        for cut in cache.cuts.referred(at.now) {
            let mut body = Vec::new();
            record::write_cut(&cut, at.now, &mut body);
            bodies.push(body);
        }
        let mut body = bodies.swap_remove(which.index(bodies.len()));
        for (at, octet) in hits {
            let at = at.index(body.len());
            body[at] = octet;
        }
        let file = kept_in(Path::new("f"));
        let mut out = Vec::new();
        let mut pages = Pages::new(&mut out, Head::write(wall, file.settings, &NONCE), NONCE, 1 << 20);
        pages.push(&body).unwrap();
        pages.finish().unwrap();
        let (back, _) = read(&out, at);
        for (key, _) in back.rrsets.usable(at.now) {
            for moment in [at, after(at, 1 << 31)] {
                look(&back, &key.name, key.rtype, moment);
                look(&back, &key.name, RrType::A, moment);
            }
        }
    }
}
