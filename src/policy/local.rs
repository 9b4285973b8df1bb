//! Names that are answered without asking anybody.
//!
//! Knows: special-use names (RFC 6761 with RFC 6762 §22.1, 7686, 9476), locally served zones
//! (RFC 6303 and its registry: RFC 7793, 8375, 9462 §6.4, 9665), and the CH names a server answers
//! about itself. A zone that the operator routes (`[[stub]]`, `[[forward]]`) wins over what stands
//! here: that is the configuration option which RFC 6761 §6.1 and §6.2 ask for.
//!
//! Deliberately does not know: `example.`, `example.com.` and the like, which resolve normally
//! (RFC 6761 §6.5); `ipv4only.arpa.`, which is special only to DNS64 (RFC 8880 §7.1);
//! block lists.
//!
//! A DS of an apex below `arpa.` belongs to the parent zone and is resolved normally, so that a
//! validating client can see that the delegation is insecure (RFC 8375 §4, RFC 4035 §3.1.4.1).
//!
//! Shown by: the tests below.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::rrset::{Class, Question, Rdatas, RrSet, RrType};
use crate::wire::Name;

/// TTL of every record here, and the SOA's MINIMUM (RFC 6303 §3).
pub const LOCAL_TTL: u32 = 10_800;
/// REFRESH, RETRY, EXPIRE: arbitrary, as nobody transfers these zones (RFC 6303 §3's example).
const SOA_TIMERS: [u32; 3] = [3_600, 1_200, 604_800];
/// RNAME of every SOA here (RFC 6303 §3).
const NOBODY_INVALID: &[u8] = b"\x06nobody\x07invalid\x00";
const LOCALHOST: &[u8] = b"\x09localhost\x00";
/// Labels of the longest name that this module tells apart: 32 nibbles, `ip6`, `arpa`.
const MAX_ZONE_LABELS: usize = 34;

/// What is said without asking anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalAnswer {
    /// The records asked for.
    Data(RrSet),
    /// The name exists, the type does not.
    NoData {
        /// For the authority section.
        soa: RrSet,
    },
    /// There is no such name.
    NxDomain {
        /// For the authority section.
        soa: RrSet,
    },
}

/// What lives at and below a zone's apex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contents {
    /// `localhost.`: loopback addresses at every name (RFC 6761 §6.3).
    Loopback,
    /// Nothing, not even the apex (RFC 6761 §6.4).
    Nonexistent,
    /// SOA and NS at the apex, nothing below (RFC 6303 §3).
    Empty,
    /// Like [`Contents::Empty`], and every name below exists without data (RFC 9462 §6.4).
    EveryNameEmpty,
    /// SOA and NS at the apex, and one PTR to `localhost.` at the loopback address's own name.
    LoopbackPtr,
}

/// A local zone that holds a name.
#[derive(Clone, Copy, Debug)]
struct Zone {
    contents: Contents,
    /// Of the apex, the root label not counted.
    labels: usize,
}

/// The local zones of one configuration.
#[derive(Clone, Debug, Default)]
pub struct Local {
    enabled: bool,
    routes: Vec<Name>,
}

impl Local {
    /// All local zones, except for names in `routes`, the apexes of stub and forward zones. A
    /// route of `.` is no such exception: who forwards everything still does not want to tell
    /// others about 10.0.0.0/8.
    pub fn new(routes: &[Name]) -> Local {
        Local { enabled: true, routes: routes.iter().filter(|r| !r.is_root()).cloned().collect() }
    }

    /// No local zones: for worlds that serve `test.` and documentation addresses themselves.
    pub fn none() -> Local {
        Local { enabled: false, routes: Vec::new() }
    }

    /// The answer to `question` if its name is local. A miss looks at the last label or two and
    /// allocates nothing.
    pub fn answer(&self, question: &Question) -> Option<LocalAnswer> {
        if !self.enabled || question.class != Class::IN {
            return None;
        }
        let name = &question.name;
        let zone = find_zone(name)?;
        if self.routes.iter().any(|route| name.is_at_or_below(route)) {
            return None;
        }
        let depth = name.label_count().checked_sub(zone.labels)?;
        if question.rtype == RrType::DS && depth == 0 && zone.is_delegated() {
            return None;
        }
        let apex = name.suffix(zone.labels).to_lowercase();
        let soa = soa(&apex);
        if let Some(set) = zone.data(question, depth, &apex, &soa) {
            return Some(LocalAnswer::Data(set));
        }
        // A name above a routed zone must not be denied, or a cache downstream denies all below it
        // (RFC 8020 §2).
        let exists = zone.has_name(name, depth) || self.routes.iter().any(|route| route.is_below(name));
        Some(if exists { LocalAnswer::NoData { soa } } else { LocalAnswer::NxDomain { soa } })
    }
}

impl Zone {
    /// Does the public DNS delegate the apex, so that its DS has a parent to be asked?
    fn is_delegated(self) -> bool {
        matches!(self.contents, Contents::Empty | Contents::EveryNameEmpty | Contents::LoopbackPtr)
    }

    /// Does `name`, `depth` labels below the apex, exist?
    fn has_name(self, name: &Name, depth: usize) -> bool {
        match self.contents {
            Contents::Nonexistent => false,
            Contents::Loopback | Contents::EveryNameEmpty => true,
            Contents::Empty => depth == 0,
            Contents::LoopbackPtr => depth == 0 || is_towards_127_0_0_1(name),
        }
    }

    /// The records that `question` asks for. ANY gets one RRset (RFC 8482 §4.1).
    fn data(self, question: &Question, depth: usize, apex: &Name, soa: &RrSet) -> Option<RrSet> {
        let set = |rtype, rdata: &[u8]| Some(RrSet::new(question.name.clone(), rtype, LOCAL_TTL, [rdata]));
        match (self.contents, question.rtype) {
            (Contents::Loopback, RrType::A | RrType::ANY) => set(RrType::A, &Ipv4Addr::LOCALHOST.octets()),
            (Contents::Loopback, RrType::AAAA) => set(RrType::AAAA, &Ipv6Addr::LOCALHOST.octets()),
            (Contents::Loopback | Contents::Nonexistent, _) => None,
            (Contents::LoopbackPtr, RrType::PTR | RrType::ANY) if is_loopback_address(&question.name) => {
                set(RrType::PTR, LOCALHOST)
            }
            (_, RrType::SOA | RrType::ANY) if depth == 0 => Some(soa.clone()),
            (_, RrType::NS) if depth == 0 => set(RrType::NS, apex.as_wire()),
            _ => None,
        }
    }
}

/// `@ 10800 IN SOA @ nobody.invalid. 1 3600 1200 604800 10800` (RFC 6303 §3).
fn soa(apex: &Name) -> RrSet {
    let mut rdata = Vec::with_capacity(apex.len() + NOBODY_INVALID.len() + 20);
    rdata.extend_from_slice(apex.as_wire());
    rdata.extend_from_slice(NOBODY_INVALID);
    let [refresh, retry, expire] = SOA_TIMERS;
    for number in [1, refresh, retry, expire, LOCAL_TTL] {
        rdata.extend_from_slice(&number.to_be_bytes());
    }
    RrSet::new(apex.clone(), RrType::SOA, LOCAL_TTL, [rdata.as_slice()])
}

/// The local zone that `name` is in.
fn find_zone(name: &Name) -> Option<Zone> {
    let last = name.labels().last()?;
    let is = |label: &[u8]| last.eq_ignore_ascii_case(label);
    let contents = match last.len() {
        // RFC 9476 §2: never to be looked up in the DNS.
        3 if is(b"alt") => Contents::Nonexistent,
        4 if is(b"arpa") => return find_arpa_zone(name),
        // RFC 6761 §6.2.
        4 if is(b"test") => Contents::Nonexistent,
        // RFC 7686 §2, RFC 6762 §22.1.
        5 if is(b"onion") || is(b"local") => Contents::Nonexistent,
        // RFC 6761 §6.4.
        7 if is(b"invalid") => Contents::Nonexistent,
        // RFC 6761 §6.3.
        9 if is(b"localhost") => Contents::Loopback,
        _ => return None,
    };
    Some(Zone { contents, labels: 1 })
}

fn find_arpa_zone(name: &Name) -> Option<Zone> {
    // Skip what is left of the longest zone, so that a name of 127 labels needs no more room.
    let mut labels = [&b""[..]; MAX_ZONE_LABELS];
    let skip = name.label_count().saturating_sub(MAX_ZONE_LABELS);
    let mut count = 0;
    for (slot, label) in labels.iter_mut().zip(name.labels().skip(skip)) {
        *slot = label;
        count += 1;
    }
    let labels = labels.get_mut(..count)?;
    labels.reverse();
    let [_arpa, second, rest @ ..] = &*labels else { return None };
    let is = |label: &[u8]| second.eq_ignore_ascii_case(label);
    let (contents, below) = match second.len() {
        7 if is(b"in-addr") => find_in_addr(rest)?,
        3 if is(b"ip6") => find_ip6(rest)?,
        // RFC 8375 §4, RFC 9665 §9.4.
        4 if is(b"home") => (Contents::Empty, 0),
        7 if is(b"service") => (Contents::Empty, 0),
        // RFC 9462 §6.4; we designate no resolver.
        8 if is(b"resolver") => (Contents::EveryNameEmpty, 0),
        _ => return None,
    };
    Some(Zone { contents, labels: 2 + below })
}

/// The zone below `in-addr.arpa.` and its labels there; `labels` from the right.
fn find_in_addr(labels: &[&[u8]]) -> Option<(Contents, usize)> {
    let octet = |i: usize| labels.get(i).and_then(|label| octet(label));
    let empty = |labels| Some((Contents::Empty, labels));
    match (octet(0)?, octet(1), octet(2), octet(3)) {
        (0 | 10, ..) => empty(1),
        (127, ..) => Some((Contents::LoopbackPtr, 1)),
        (172, Some(16..=31), ..) | (192, Some(168), ..) | (169, Some(254), ..) => empty(2),
        // RFC 7793 §4.
        (100, Some(64..=127), ..) => empty(2),
        (192, Some(0), Some(2), _) | (198, Some(51), Some(100), _) | (203, Some(0), Some(113), _) => empty(3),
        (255, Some(255), Some(255), Some(255)) => empty(4),
        _ => None,
    }
}

/// The zone below `ip6.arpa.` and its labels there; `labels` from the right.
fn find_ip6(labels: &[&[u8]]) -> Option<(Contents, usize)> {
    let nibble = |label: &&[u8]| match **label {
        [digit] => (digit as char).to_digit(16),
        _ => None,
    };
    let mut nibbles = labels.iter().map_while(nibble);
    let empty = |labels| Some((Contents::Empty, labels));
    match (nibbles.next()?, nibbles.next()?) {
        (0xf, 0xd) => return empty(2),
        (0xf, 0xe) => return nibbles.next().filter(|n| (8..=11).contains(n)).and_then(|_| empty(3)),
        (2, 0) => return nibbles.take(6).eq([0, 1, 0, 0xd, 0xb, 8]).then_some((Contents::Empty, 8)),
        (0, 0) => {}
        _ => return None,
    }
    // The 30 nibbles that are left of :: and ::1.
    let mut left = nibbles.take(30);
    if left.by_ref().take(29).filter(|n| *n == 0).count() != 29 {
        return None;
    }
    match left.next()? {
        0 => empty(32),
        1 => Some((Contents::LoopbackPtr, 32)),
        _ => None,
    }
}

/// A decimal octet as it stands in a reverse name: no leading zero.
fn octet(label: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(label).ok()?;
    let value: u8 = text.parse().ok()?;
    let canonical = text.len() == 1 || !text.starts_with(['0', '+']);
    canonical.then_some(value)
}

/// Is `name` the reverse name of 127.0.0.1 or ::1? Its zone is known to be one of the two.
fn is_loopback_address(name: &Name) -> bool {
    match name.label_count() {
        6 => is_towards_127_0_0_1(name),
        34 => true,
        _ => false,
    }
}

/// Is `name`, in `127.in-addr.arpa.`, the reverse name of 127.0.0.1 or an ancestor of it?
fn is_towards_127_0_0_1(name: &Name) -> bool {
    const REVERSE: [&[u8]; 4] = [b"1", b"0", b"0", b"127"];
    let labels = name.label_count();
    (3..=6).contains(&labels) && name.labels().take(labels - 2).eq(REVERSE.iter().copied().skip(6 - labels))
}

/// What is said to a question of class CH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChaosAnswer {
    /// The text the operator configured.
    Data(RrSet),
    /// Nothing is configured, or nobody knows the name.
    Refused,
}

/// Answers questions of class CH: `version.bind.` and `version.server.` with `version`, `id.server.`
/// (RFC 4892 §3) and `hostname.bind.` with `identity`, TTL 0. `None`: another class.
pub fn chaos(question: &Question, version: Option<&str>, identity: Option<&str>) -> Option<ChaosAnswer> {
    if question.class != Class::CH {
        return None;
    }
    let wire = question.name.as_wire().to_ascii_lowercase();
    let text = match wire.as_slice() {
        b"\x07version\x04bind\x00" | b"\x07version\x06server\x00" => version,
        b"\x02id\x06server\x00" | b"\x08hostname\x04bind\x00" => identity,
        _ => None,
    };
    let asks_text = matches!(question.rtype, RrType::TXT | RrType::ANY);
    Some(match text.filter(|_| asks_text) {
        Some(text) => ChaosAnswer::Data(RrSet {
            owner: question.name.clone(),
            rtype: RrType::TXT,
            class: Class::CH,
            ttl: 0,
            rdata: Rdatas::new([txt(text).as_slice()]),
            sigs: Rdatas::empty(),
        }),
        None => ChaosAnswer::Refused,
    })
}

/// TXT RDATA: character-strings of at most 255 octets (RFC 1035 §3.3.14), at least one.
fn txt(text: &str) -> Vec<u8> {
    if text.is_empty() {
        return vec![0];
    }
    let mut rdata = Vec::with_capacity(text.len() + 1 + text.len() / 255);
    for chunk in text.as_bytes().chunks(255) {
        rdata.push(chunk.len() as u8);
        rdata.extend_from_slice(chunk);
    }
    rdata
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(text: &str) -> Name {
        text.parse().unwrap()
    }
    fn ask_with(routes: &[&str], name: &str, rtype: RrType) -> Option<LocalAnswer> {
        let routes: Vec<Name> = routes.iter().map(|r| n(r)).collect();
        Local::new(&routes).answer(&Question::new(n(name), rtype))
    }
    fn ask(name: &str, rtype: RrType) -> Option<LocalAnswer> {
        ask_with(&[], name, rtype)
    }
    /// In a word: the records, or `NODATA apex`, `NXDOMAIN apex`, `-` for "not local".
    fn word(answer: Option<LocalAnswer>) -> String {
        let apex = |soa: RrSet| {
            assert_eq!(soa.rtype, RrType::SOA);
            assert_eq!(soa.soa_minimum(), Some(soa.ttl), "RFC 6303 §3: both TTLs should match");
            soa.owner.to_string()
        };
        match answer {
            None => "-".to_owned(),
            Some(LocalAnswer::NoData { soa }) => format!("NODATA {}", apex(soa)),
            Some(LocalAnswer::NxDomain { soa }) => format!("NXDOMAIN {}", apex(soa)),
            Some(LocalAnswer::Data(set)) => match set.rtype {
                RrType::A | RrType::AAAA => {
                    set.addresses().map(|a| a.to_string()).collect::<Vec<_>>().join(" ")
                }
                RrType::SOA => format!("SOA {}", apex(set)),
                other => format!("{other} {}", set.target().unwrap()),
            },
        }
    }

    #[test]
    fn special_use_names_of_rfc_6761_and_its_kin() {
        for (name, rtype, expected) in [
            ("localhost.", RrType::A, "127.0.0.1"),
            ("A.b.LOCALHOST.", RrType::A, "127.0.0.1"),
            ("localhost.", RrType::AAAA, "::1"),
            ("localhost.", RrType::ANY, "127.0.0.1"),
            ("localhost.", RrType::MX, "NODATA localhost."),
            ("localhost.", RrType::NS, "NODATA localhost."),
            ("x.localhost.", RrType::DS, "NODATA localhost."),
            ("localhost.example.", RrType::A, "-"),
            ("xlocalhost.", RrType::A, "-"),
            ("invalid.", RrType::A, "NXDOMAIN invalid."),
            ("a.b.Invalid.", RrType::SOA, "NXDOMAIN invalid."),
            ("test.", RrType::NS, "NXDOMAIN test."),
            ("www.test.", RrType::A, "NXDOMAIN test."),
            ("abc.onion.", RrType::A, "NXDOMAIN onion."),
            ("onion.", RrType::DS, "NXDOMAIN onion."),
            ("x.alt.", RrType::TXT, "NXDOMAIN alt."),
            ("printer.local.", RrType::A, "NXDOMAIN local."),
            ("example.", RrType::A, "-"),
            ("www.example.com.", RrType::A, "-"),
            (".", RrType::NS, "-"),
            ("com.", RrType::NS, "-"),
        ] {
            assert_eq!(word(ask(name, rtype)), expected, "{name} {rtype}");
        }
    }

    #[test]
    fn every_zone_of_rfc_6303_and_its_registry_is_served_empty() {
        let mut zones: Vec<String> =
            ["10", "168.192", "0", "254.169", "2.0.192", "100.51.198", "113.0.203", "255.255.255.255"]
                .iter()
                .map(|z| format!("{z}.in-addr.arpa."))
                .collect();
        zones.extend((16..=31).map(|n| format!("{n}.172.in-addr.arpa.")));
        zones.extend((64..=127).map(|n| format!("{n}.100.in-addr.arpa.")));
        zones.extend(
            ["d.f", "8.e.f", "9.e.f", "a.e.f", "b.e.f", "8.b.d.0.1.0.0.2"].map(|z| format!("{z}.ip6.arpa.")),
        );
        zones.push(format!("{}ip6.arpa.", "0.".repeat(32)));
        zones.extend(["home.arpa.", "service.arpa."].map(str::to_owned));
        for zone in &zones {
            let upper = zone.to_ascii_uppercase();
            assert_eq!(word(ask(&upper, RrType::SOA)), format!("SOA {zone}"));
            assert_eq!(word(ask(&upper, RrType::NS)), format!("NS {zone}"));
            assert_eq!(word(ask(zone, RrType::A)), format!("NODATA {zone}"));
            assert_eq!(word(ask(&format!("1.2.{zone}"), RrType::PTR)), format!("NXDOMAIN {zone}"));
            assert_eq!(word(ask(&format!("a.{zone}"), RrType::DS)), format!("NXDOMAIN {zone}"));
            assert_eq!(ask(zone, RrType::DS), None, "the parent answers for the DS of {zone}");
        }
    }

    #[test]
    fn neighbours_of_local_zones_resolve_normally() {
        for name in [
            "in-addr.arpa.",
            "arpa.",
            "ip6.arpa.",
            "11.in-addr.arpa.",
            "010.in-addr.arpa.",
            "+10.in-addr.arpa.",
            "1.1.1.1.in-addr.arpa.",
            "15.172.in-addr.arpa.",
            "32.172.in-addr.arpa.",
            "172.in-addr.arpa.",
            "63.100.in-addr.arpa.",
            "128.100.in-addr.arpa.",
            "192.in-addr.arpa.",
            "1.0.192.in-addr.arpa.",
            "254.255.255.255.in-addr.arpa.",
            "255.255.255.in-addr.arpa.",
            "c.f.ip6.arpa.",
            "7.e.f.ip6.arpa.",
            "c.e.f.ip6.arpa.",
            "e.f.ip6.arpa.",
            "f.ip6.arpa.",
            "9.b.d.0.1.0.0.2.ip6.arpa.",
            "b.d.0.1.0.0.2.ip6.arpa.",
            "0.0.ip6.arpa.",
            "dd.f.ip6.arpa.",
            "d.f.ip6.arpa.example.",
            "ipv4only.arpa.",
            "10.in-addr.arpa.example.",
        ] {
            assert_eq!(ask(name, RrType::PTR), None, "{name}");
        }
        let two = format!("2.{}ip6.arpa.", "0.".repeat(31));
        assert_eq!(ask(&two, RrType::PTR), None);
        let short = format!("{}ip6.arpa.", "0.".repeat(31));
        assert_eq!(ask(&short, RrType::PTR), None, "an ancestor of :: is not in its zone");
        let one_inside = format!("0.{}1.{}ip6.arpa.", "0.".repeat(15), "0.".repeat(15));
        assert_eq!(ask(&one_inside, RrType::PTR), None);
    }

    #[test]
    fn loopback_addresses_have_names() {
        let v6 = format!("1.{}ip6.arpa.", "0.".repeat(31));
        for (name, rtype, expected) in [
            ("1.0.0.127.in-addr.arpa.", RrType::PTR, "PTR localhost."),
            ("1.0.0.127.in-addr.arpa.", RrType::A, "NODATA 127.in-addr.arpa."),
            ("0.0.127.in-addr.arpa.", RrType::PTR, "NODATA 127.in-addr.arpa."),
            ("0.127.in-addr.arpa.", RrType::PTR, "NODATA 127.in-addr.arpa."),
            ("127.in-addr.arpa.", RrType::NS, "NS 127.in-addr.arpa."),
            ("127.in-addr.arpa.", RrType::PTR, "NODATA 127.in-addr.arpa."),
            ("2.0.0.127.in-addr.arpa.", RrType::PTR, "NXDOMAIN 127.in-addr.arpa."),
            ("1.127.in-addr.arpa.", RrType::PTR, "NXDOMAIN 127.in-addr.arpa."),
            ("x.1.0.0.127.in-addr.arpa.", RrType::PTR, "NXDOMAIN 127.in-addr.arpa."),
            (&v6, RrType::PTR, "PTR localhost."),
            (&v6, RrType::AAAA, &format!("NODATA {v6}")),
            (&format!("x.{v6}"), RrType::PTR, &format!("NXDOMAIN {v6}")),
        ] {
            assert_eq!(word(ask(name, rtype)), expected, "{name} {rtype}");
        }
    }

    #[test]
    fn every_name_below_resolver_arpa_exists_without_data() {
        assert_eq!(word(ask("_dns.resolver.arpa.", RrType::SVCB)), "NODATA resolver.arpa.");
        assert_eq!(word(ask("x.y.resolver.arpa.", RrType::A)), "NODATA resolver.arpa.");
        assert_eq!(word(ask("resolver.arpa.", RrType::SOA)), "SOA resolver.arpa.");
    }

    #[test]
    fn a_routed_zone_wins_over_local_names() {
        let at = &["test.", "10.in-addr.arpa."];
        assert_eq!(ask_with(at, "www.test.", RrType::A), None);
        assert_eq!(ask_with(at, "TEST.", RrType::A), None);
        assert_eq!(ask_with(at, "1.0.0.10.in-addr.arpa.", RrType::PTR), None);
        assert_eq!(word(ask_with(at, "x.invalid.", RrType::A)), "NXDOMAIN invalid.");
        // Above.
        assert_eq!(ask_with(&["in-addr.arpa."], "1.0.0.10.in-addr.arpa.", RrType::PTR), None);
        // Below: the rest stays local, and what lies between is not denied.
        let below = &["1.2.10.in-addr.arpa.", "lab.test."];
        assert_eq!(ask_with(below, "9.1.2.10.in-addr.arpa.", RrType::PTR), None);
        assert_eq!(word(ask_with(below, "3.10.in-addr.arpa.", RrType::PTR)), "NXDOMAIN 10.in-addr.arpa.");
        assert_eq!(word(ask_with(below, "2.10.in-addr.arpa.", RrType::PTR)), "NODATA 10.in-addr.arpa.");
        assert_eq!(word(ask_with(below, "test.", RrType::NS)), "NODATA test.");
        // Forwarding everything does not send private names to others.
        assert_eq!(word(ask_with(&["."], "x.test.", RrType::A)), "NXDOMAIN test.");
    }

    #[test]
    fn other_classes_and_the_lab_have_no_local_names() {
        let mut question = Question::new(n("localhost."), RrType::A);
        assert_eq!(Local::none().answer(&question), None);
        question.class = Class::CH;
        assert_eq!(Local::new(&[]).answer(&question), None);
    }

    #[test]
    fn names_of_127_labels_are_looked_at_from_the_right() {
        let long = format!("{}10.in-addr.arpa.", "a.".repeat(118));
        assert_eq!(word(ask(&long, RrType::A)), "NXDOMAIN 10.in-addr.arpa.");
        let long = format!("{}d.f.ip6.arpa.", "a.".repeat(119));
        assert_eq!(word(ask(&long, RrType::A)), "NXDOMAIN d.f.ip6.arpa.");
    }

    #[test]
    fn chaos_names_say_what_is_configured_and_nothing_else() {
        let ask = |name: &str, rtype| {
            let question = Question { name: n(name), rtype, class: Class::CH };
            chaos(&question, Some("cnamed"), None)
        };
        let Some(ChaosAnswer::Data(set)) = ask("Version.BIND.", RrType::TXT) else { panic!("no data") };
        assert_eq!((set.class, set.ttl, set.rtype), (Class::CH, 0, RrType::TXT));
        assert_eq!(set.rdata.iter().collect::<Vec<_>>(), [b"\x06cnamed"]);
        assert!(set.owner.eq_case(&n("Version.BIND.")));
        assert!(matches!(ask("version.server.", RrType::ANY), Some(ChaosAnswer::Data(_))));
        for name in ["id.server.", "hostname.bind.", "authors.bind.", "bind.", "example."] {
            assert_eq!(ask(name, RrType::TXT), Some(ChaosAnswer::Refused), "{name}");
        }
        assert_eq!(ask("version.bind.", RrType::A), Some(ChaosAnswer::Refused));
        assert_eq!(chaos(&Question::new(n("version.bind."), RrType::TXT), Some("x"), None), None);
    }

    #[test]
    fn long_texts_become_several_character_strings() {
        assert_eq!(txt(""), [0]);
        let long = txt(&"x".repeat(300));
        assert_eq!((long.len(), long[0], long[256]), (302, 255, 45));
    }
}
