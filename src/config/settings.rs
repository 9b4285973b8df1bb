//! The table of settings: each once, with name, default, bounds and help.
//!
//! A new setting is a field of [`Config`], its place in `Config::blank`, and one entry here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{Config, anchors, hints};
use crate::wire::Name;

/// The port of DNS (RFC 1035 §4.2).
pub const DNS_PORT: u16 = 53;
/// Addresses in one list: sockets are opened for each, or packets sent to each.
pub const MAX_ADDRESSES: usize = 64;
/// Networks in one list: each is compared with every client.
pub const MAX_NETWORKS: usize = 1_024;
/// Negative trust anchors: they are meant for a broken zone now and then (RFC 7646 §2).
pub const MAX_ZONES: usize = 1_024;
/// Octets of the longest text a server says of itself: one character string (RFC 1035 §3.3).
pub const MAX_TEXT: usize = 255;

/// A table of the file: `[name]`, or `[[name]]` when it may stand several times.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Table {
    pub name: &'static str,
    pub repeated: bool,
    pub help: &'static str,
}

/// One key.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Setting {
    pub table: &'static str,
    pub key: &'static str,
    pub kind: Kind,
    /// What it does, for operators.
    pub help: &'static str,
}

/// The field of [`Config`] that a setting fills.
pub type Field<T> = fn(&mut Config) -> &mut T;

/// What a setting may be, what it is by default and where it goes.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum Kind {
    /// `true` or `false`.
    Flag { default: bool, field: Field<bool> },
    /// An integer; `why` gives the reason of the bounds, which keep it within the field's type.
    Number { default: u64, bounds: RangeInclusive<u64>, why: &'static str, set: fn(&mut Config, u64) },
    /// Octets: an integer, or text as in `256MiB`.
    Size { default: u64, bounds: RangeInclusive<u64>, why: &'static str, field: Field<u64> },
    /// Text as in `5s`.
    Period { default: Duration, bounds: RangeInclusive<Duration>, why: &'static str, field: Field<Duration> },
    /// Text of tracing's filter syntax.
    Filter { default: &'static str, field: Field<String> },
    /// Text of at most [`MAX_TEXT`] octets, absent by default.
    Text { example: &'static str, field: Field<Option<String>> },
    /// A path, absent by default.
    Path { example: &'static str, field: Field<Option<PathBuf>> },
    /// A path to a master file with root hints; the compiled-in ones by default.
    Hints { example: &'static str },
    /// Addresses with ports, at least one.
    Sockets { default: &'static [SocketAddr], field: Field<Vec<SocketAddr>> },
    /// Addresses without ports; none by default.
    Addresses { field: Field<Vec<IpAddr>> },
    /// Networks in CIDR notation, or addresses.
    Networks { default: &'static [IpNet], field: Field<Vec<IpNet>> },
    /// A domain name: the zone of a route.
    Zone { example: &'static str },
    /// Addresses, port 53 unless given: the servers of a route.
    Servers { example: &'static str },
    /// Domain names; none by default.
    Zones { example: &'static str, field: Field<Vec<Name>> },
    /// DS and DNSKEY records, each as text; with [`Kind::AnchorFile`] in place of the compiled-in ones.
    Anchors { example: &'static str },
    /// A path to a master file with such records.
    AnchorFile { example: &'static str },
    /// One of two words; the first, which is the default, means `false`.
    Either { words: [&'static str; 2], field: Field<bool> },
}

impl Kind {
    /// Writes the default into `config`. What is absent by default is absent in a blank one.
    pub(super) fn reset(&self, config: &mut Config) {
        match self {
            Kind::Flag { default, field } => *field(config) = *default,
            Kind::Number { default, set, .. } => set(config, *default),
            Kind::Size { default, field, .. } => *field(config) = *default,
            Kind::Period { default, field, .. } => *field(config) = *default,
            Kind::Filter { default, field } => *field(config) = (*default).to_owned(),
            Kind::Sockets { default, field } => *field(config) = default.to_vec(),
            Kind::Networks { default, field } => *field(config) = default.to_vec(),
            Kind::Hints { .. } => config.resolver.hints = hints::compiled().to_vec(),
            Kind::Anchors { .. } => config.dnssec.anchors = anchors::compiled(),
            Kind::Either { field, .. } => *field(config) = false,
            Kind::Text { .. } | Kind::Path { .. } | Kind::Addresses { .. } => {}
            Kind::Zone { .. } | Kind::Servers { .. } | Kind::Zones { .. } | Kind::AnchorFile { .. } => {}
        }
    }
}

const LOOPBACK_SOCKETS: &[SocketAddr] = &[
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, DNS_PORT)),
    SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::LOCALHOST, DNS_PORT, 0, 0)),
];

const LOOPBACK_NETWORKS: &[IpNet] = &[
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
];

const MIB: u64 = 1 << 20;
const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;

/// Every table, in the order of the file.
pub const TABLES: &[Table] = &[
    Table { name: "server", repeated: false, help: "Where and how cnamed listens." },
    Table { name: "access", repeated: false, help: "Who may ask." },
    Table { name: "resolver", repeated: false, help: "How names are looked up." },
    Table {
        name: "forward",
        repeated: true,
        help: "Recursive servers to ask for a subtree, instead of walking down from the root. May stand \
               several times.",
    },
    Table {
        name: "stub",
        repeated: true,
        help: "Authoritative servers to ask for a subtree, instead of those the parent delegates to. May \
               stand several times.",
    },
    Table { name: "dnssec", repeated: false, help: "Validation of answers." },
    Table { name: "cache", repeated: false, help: "What is remembered, and for how long." },
    Table { name: "log", repeated: false, help: "What is written to stderr." },
];

/// Every setting, in the order of the file.
pub const SETTINGS: &[Setting] = &[
    Setting {
        table: "server",
        key: "listen",
        kind: Kind::Sockets { default: LOOPBACK_SOCKETS, field: |c| &mut c.server.listen },
        help: "Addresses to answer on, over UDP and TCP each. To serve a network, add an address of this \
               machine in it, and the network to `access.allow`. Port 0: any free port.",
    },
    Setting {
        table: "server",
        key: "threads",
        kind: Kind::Number {
            default: 0,
            bounds: 0..=1_024,
            why: "more threads than cores only cost memory",
            set: |c, v| c.server.threads = usize::try_from(v).unwrap_or(usize::MAX),
        },
        help: "Worker threads. 0: one per core.",
    },
    Setting {
        table: "server",
        key: "version",
        kind: Kind::Text { example: "cnamed", field: |c| &mut c.server.version },
        help: "Answer to `version.bind.` and `version.server.` CH TXT. Absent: REFUSED.",
    },
    Setting {
        table: "server",
        key: "identity",
        kind: Kind::Text { example: "resolver-1", field: |c| &mut c.server.identity },
        help: "Answer to `id.server.` and `hostname.bind.` CH TXT (RFC 4892). Absent: REFUSED.",
    },
    Setting {
        table: "access",
        key: "allow",
        kind: Kind::Networks { default: LOOPBACK_NETWORKS, field: |c| &mut c.access.allow },
        help: "Clients that may ask; others get REFUSED. Never open a resolver to the whole internet: it \
               would be used to attack others (RFC 5358).",
    },
    Setting {
        table: "access",
        key: "trace",
        kind: Kind::Networks { default: LOOPBACK_NETWORKS, field: |c| &mut c.access.trace },
        help: "Clients that may ask for traces, which show what others looked up: names of class CH below \
               `trace.cnamed.`, and EDNS option 65001 (docs/trace.md). Others get REFUSED, and no option. They \
               must be allowed to ask as well.",
    },
    Setting {
        table: "resolver",
        key: "root-hints",
        kind: Kind::Hints { example: "root.hints" },
        help: "Master file with the names and addresses of the root servers. Absent: those compiled in.",
    },
    Setting {
        table: "resolver",
        key: "root-priming",
        kind: Kind::Flag { default: true, field: |c| &mut c.resolver.root_priming },
        help: "Ask a root server for the current root servers before anything else (RFC 9609).",
    },
    Setting {
        table: "resolver",
        key: "qname-minimisation",
        kind: Kind::Flag { default: true, field: |c| &mut c.resolver.qname_minimisation },
        help: "Tell each server only as much of the name as it needs (RFC 9156).",
    },
    Setting {
        table: "resolver",
        key: "case-randomisation",
        kind: Kind::Flag { default: true, field: |c| &mut c.resolver.case_randomisation },
        help: "Mix upper and lower case in questions at random (0x20), so that replies are harder to forge.",
    },
    Setting {
        table: "resolver",
        key: "ipv4",
        kind: Kind::Flag { default: true, field: |c| &mut c.resolver.ipv4 },
        help: "Reach servers over IPv4. That it is missing is also noticed by itself; false: their IPv4 \
               addresses are not even looked up.",
    },
    Setting {
        table: "resolver",
        key: "ipv6",
        kind: Kind::Flag { default: true, field: |c| &mut c.resolver.ipv6 },
        help: "Reach servers over IPv6. That it is missing is also noticed by itself; false: their IPv6 \
               addresses are not even looked up.",
    },
    Setting {
        table: "resolver",
        key: "query-localhost",
        kind: Kind::Flag { default: false, field: |c| &mut c.resolver.query_localhost },
        help: "Servers that a delegation names may live on loopback addresses. Those that `forward`, `stub` or \
               the root hints name always may.",
    },
    Setting {
        table: "resolver",
        key: "source-addresses",
        kind: Kind::Addresses { field: |c| &mut c.resolver.source_addresses },
        help: "Local addresses from which servers are asked, all of them this machine's, or cnamed does not start. \
               Empty: the system chooses.",
    },
    Setting {
        table: "resolver",
        key: "edns-buffer-size",
        kind: Kind::Number {
            default: 1_232,
            bounds: 512..=4_096,
            why: "RFC 6891 §6.2.3 takes less for 512, and more is fragmented, hence lost or forged",
            set: |c, v| c.resolver.edns_buffer_size = u16::try_from(v).unwrap_or(u16::MAX),
        },
        help: "Octets of the largest UDP message, towards clients and servers.",
    },
    Setting {
        table: "resolver",
        key: "max-chain-length",
        kind: Kind::Number {
            default: 16,
            bounds: 1..=64,
            why: "every redirection may cost a walk from the root",
            set: |c, v| c.resolver.max_chain_length = usize::try_from(v).unwrap_or(usize::MAX),
        },
        help: "CNAME and DNAME redirections followed for one question; one more is SERVFAIL.",
    },
    Setting {
        table: "resolver",
        key: "max-upstream-queries",
        kind: Kind::Number {
            default: 100,
            bounds: 1..=1_000,
            why: "one question must not become a flood",
            set: |c, v| c.resolver.max_upstream_queries = u32::try_from(v).unwrap_or(u32::MAX),
        },
        help: "Packets sent to servers for one question of a client, those for server addresses included. More than 35 never are, and 40 in search of proofs.",
    },
    Setting {
        table: "resolver",
        key: "timeout",
        kind: Kind::Period {
            default: Duration::from_secs(5),
            bounds: Duration::from_secs(1)..=Duration::from_secs(60),
            why: "shorter fails for distant servers, and no client waits longer",
            field: |c| &mut c.resolver.timeout,
        },
        help: "A question is answered within this, if only with SERVFAIL. Where many answers to one client are late at once, those over UDP without a cookie may leave up to 2 s later, or not at all.",
    },
    Setting {
        table: "forward",
        key: "zone",
        kind: Kind::Zone { example: "corp.example." },
        help: "The subtree: this name and all below it that has no closer route. What the tree above denies or redirects \
               there does not count.",
    },
    Setting {
        table: "forward",
        key: "servers",
        kind: Kind::Servers { example: r#"["192.0.2.53", "192.0.2.54:5353", "[2001:db8::1]:53"]"# },
        help: "Recursive servers, port 53 unless given.",
    },
    Setting {
        table: "stub",
        key: "zone",
        kind: Kind::Zone { example: "lan." },
        help: "The subtree: this name and all below it that has no closer route. What the tree above denies or redirects \
               there does not count.",
    },
    Setting {
        table: "stub",
        key: "servers",
        kind: Kind::Servers { example: r#"["192.0.2.1"]"# },
        help: "Authoritative servers, port 53 unless given.",
    },
    Setting {
        table: "dnssec",
        key: "validation",
        kind: Kind::Flag { default: true, field: |c| &mut c.dnssec.validation },
        help: "Check signatures (RFC 4035).",
    },
    Setting {
        table: "dnssec",
        key: "trust-anchors",
        kind: Kind::Anchors {
            example: r#"["example.com. DNSKEY 257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4="]"#,
        },
        help: "DS or DNSKEY records of any zones to start from, instead of the compiled-in anchors of the \
               root (keys 20326 and 38696). What is below none of them is not checked. A zone whose \
               anchors nothing supports gets SERVFAIL.",
    },
    Setting {
        table: "dnssec",
        key: "trust-anchor-file",
        kind: Kind::AnchorFile { example: "root.key" },
        help: "The same, as a master file; both together add up.",
    },
    Setting {
        table: "dnssec",
        key: "trust-anchor-state",
        kind: Kind::Path { example: "anchors.state", field: |c| &mut c.dnssec.trust_anchor_state },
        help: "Where it is kept how the zones with trust anchors change their keys (RFC 5011), which are then \
               followed. Absent: they are not.",
    },
    Setting {
        table: "dnssec",
        key: "negative-trust-anchors",
        kind: Kind::Zones { example: r#"["broken.example."]"#, field: |c| &mut c.dnssec.negative },
        help: "Names at and below which signatures are not checked (RFC 7646), down to the next trust anchor.",
    },
    Setting {
        table: "dnssec",
        key: "sha1",
        kind: Kind::Either { words: ["insecure", "validate"], field: |c| &mut c.dnssec.sha1_validates },
        help: "Algorithms 5 and 7: `insecure`, as if unknown (RFC 9905), or `validate` to check them.",
    },
    Setting {
        table: "cache",
        key: "max-memory",
        kind: Kind::Size {
            default: 256 * MIB,
            bounds: MIB..=(MIB << 20),
            why: "with less not even the root and the top-level domains stay",
            field: |c| &mut c.cache.max_memory,
        },
        help: "A hard budget for everything cached.",
    },
    Setting {
        table: "cache",
        key: "min-ttl",
        kind: Kind::Number {
            default: 0,
            bounds: 0..=HOUR,
            why: "an owner's short TTL announces a change",
            set: |c, v| c.cache.min_ttl = u32::try_from(v).unwrap_or(u32::MAX),
        },
        help: "Seconds that records are kept at least, whatever their TTL says.",
    },
    Setting {
        table: "cache",
        key: "max-ttl",
        kind: Kind::Number {
            default: DAY,
            bounds: 0..=7 * DAY,
            why: "RFC 8767 §4 caps TTLs at a week",
            set: |c, v| c.cache.max_ttl = u32::try_from(v).unwrap_or(u32::MAX),
        },
        help: "Seconds that records are kept at most, whatever their TTL says.",
    },
    Setting {
        table: "cache",
        key: "max-negative-ttl",
        kind: Kind::Number {
            default: HOUR,
            bounds: 0..=DAY,
            why: "RFC 2308 §5 finds more than a day problematic",
            set: |c, v| c.cache.max_negative_ttl = u32::try_from(v).unwrap_or(u32::MAX),
        },
        help: "Seconds that the absence of a name or type is kept at most (RFC 2308 §5).",
    },
    Setting {
        table: "cache",
        key: "serve-stale",
        kind: Kind::Flag { default: true, field: |c| &mut c.cache.serve_stale },
        help: "Answer with expired records when servers fail or take long (RFC 8767).",
    },
    Setting {
        table: "cache",
        key: "stale-max-age",
        kind: Kind::Number {
            default: DAY,
            bounds: 1..=7 * DAY,
            why: "RFC 8767 §5 suggests one to three days; 0 would be `serve-stale = false`",
            set: |c, v| c.cache.stale_max_age = u32::try_from(v).unwrap_or(u32::MAX),
        },
        help: "Seconds past expiry that such records may be used.",
    },
    Setting {
        table: "cache",
        key: "prefetch",
        kind: Kind::Flag { default: true, field: |c| &mut c.cache.prefetch },
        help: "Renew records that are asked for shortly before they expire.",
    },
    Setting {
        table: "cache",
        key: "file",
        kind: Kind::Path { example: "cache.bin", field: |c| &mut c.cache.file },
        help: "Where the cache is kept over restarts. Absent: it is not.",
    },
    Setting {
        table: "cache",
        key: "save-interval",
        kind: Kind::Period {
            default: Duration::from_secs(300),
            bounds: Duration::from_secs(1)..=Duration::from_secs(DAY),
            why: "each time the whole cache is written",
            field: |c| &mut c.cache.save_interval,
        },
        help: "How often that file is written; also at a clean stop.",
    },
    Setting {
        table: "log",
        key: "filter",
        kind: Kind::Filter { default: "info", field: |c| &mut c.log.filter },
        help: "`error`, `warn`, `info`, `debug`, `trace`, or tracing's filter syntax. The environment's \
               RUST_LOG wins. Names that clients ask for appear from `debug` on.",
    },
];
