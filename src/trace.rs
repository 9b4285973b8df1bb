//! What happened, as data: the events of one request, in the order in which they happened.
//!
//! Knows: the vocabulary of a resolver on one page. The path that answers records itself; there is
//! no second resolution for explaining. Does not know: how it will be shown (`render`). When nobody
//! looks, an event is not even built. Shown by: `tests/trace_text.rs`.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::failure::Failure;
use crate::rrset::{Question, RrType};
use crate::security::Security;
use crate::wire::Name;
use crate::world::{Transport, lock};

/// Events kept for one request; a request within its budget makes far fewer.
pub const MAX_EVENTS: usize = 4_096;

/// One thing that happened.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Event {
    /// A hop of the chain, or the address of a name server, is wanted.
    Wanted { question: Question, why: Why, parent: u32 },
    /// The cache had it.
    CacheHit { owner: Name, rtype: RrType, ttl: u32, stale: bool },
    /// Another request is asking the same: its outcome is shared.
    Joined { question: Question },
    /// The walk starts or goes on at this zone cut.
    CutFound { zone: Name, from: CutFrom, servers: usize },
    /// A question left for a server. `exchange` is a number of its own, which what comes of it
    /// repeats: the same server may be asked twice at a time.
    Sent {
        exchange: u32,
        server: SocketAddr,
        server_name: Option<Name>,
        zone: Name,
        question: Question,
        transport: Transport,
        edns: bool,
        /// Its letters are in random case (0x20).
        mixed_case: bool,
        minimised: bool,
    },
    /// Its reply came and was understood. `cookie`: it repeated ours.
    Received {
        exchange: u32,
        server: SocketAddr,
        rtt: Duration,
        octets: usize,
        meaning: Meaning,
        cookie: bool,
    },
    /// A reply that does not match the question; from UDP the exchange goes on over TCP.
    NearMiss { exchange: u32, server: SocketAddr },
    /// A reply that matches and asks for another attempt at the same server.
    Again { exchange: u32, server: SocketAddr, rtt: Duration, octets: usize, why: Again },
    /// The server did not answer in time.
    Silent { exchange: u32, server: SocketAddr },
    /// The system said that nothing would come.
    Unreachable { exchange: u32, server: SocketAddr, error: String },
    /// The server is of no use for this zone now.
    Flawed { server: SocketAddr, zone: Name, flaw: Flaw },
    /// Part of a reply was not believed.
    Dropped { owner: Name, rtype: RrType, why: Dropped },
    /// An RRset entered the cache. `volunteered`: a later link of the chain that came along (R3).
    Stored { owner: Name, rtype: RrType, ttl: u32, volunteered: bool },
    /// A verdict was found.
    Judged { question: Question, security: Security },
    /// The look-up of a name server's address ended: with these, from the delegation itself (glue)
    /// or from the name's own zone. None at all: it cannot be reached by this family.
    Reached { addresses: Vec<IpAddr>, glue: bool },
    /// The owner is an alias; none that lacks a target can be followed (R12). A DNAME has made it
    /// when there is one: its owner and its target.
    AliasFollowed {
        owner: Name,
        target: Option<Name>,
        dname: Option<(Name, Name)>,
        ttl: Ttl,
        security: Security,
    },
    /// The chain has come to its end: what the owner is, and for how long.
    Ended { question: Question, end: End, ttl: Option<Ttl>, security: Security },
    /// The operator's word changed what was done.
    Policy { policy: Policy },
    /// Something odd about the data that operators should know.
    Lint { code: LintCode, owner: Name },
    /// A stale RRset is served since it could not be refreshed.
    Stale { owner: Name, rtype: RrType },
    /// It ended without an answer.
    Failed { failure: Failure },
}

/// Seconds that something may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ttl {
    /// Of them are left.
    pub left: u32,
    /// As its zone gave it.
    pub original: u32,
}

/// What stands at the end of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum End {
    Data,
    NoData,
    NxDomain,
}

/// Settings that changed what was done for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Policy {
    /// A special-use name (RFC 6761, RFC 6303): it was answered here.
    LocalName,
    /// `[[stub]]`: the servers of this zone are configured.
    Stub(Name),
    /// `[[forward]]`: these servers were asked to resolve.
    Forward(Name),
    /// Nothing is validated there (RFC 7646).
    NegativeTrustAnchor,
}

/// Why something is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Why {
    Hop,
    ServerAddress,
    Proof,
    Priming,
    Refresh,
    Additional,
}

/// Where a zone cut came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum CutFrom {
    Hints,
    Cache,
    Referral,
    Configuration,
}

/// What a reply turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Meaning {
    Answer,
    Alias,
    NoData,
    NxDomain,
    Referral,
    Unusable,
}

/// What is wrong with a server's reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Flaw {
    Refused,
    ServFail,
    /// A referral to the zone itself or above it.
    Upward,
    /// Neither an answer nor a denial nor a referral.
    Empty,
    /// Without authority, from a server that recurses.
    SecondHand,
    /// Some other RCODE.
    Rcode(u16),
    /// Not a message, or truncated over TCP.
    Malformed,
    /// The network said no.
    Unreachable,
}

/// Why a reply leads to another attempt at the same server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Again {
    /// It did not fit: over TCP (RFC 7766 §5).
    Truncated,
    /// Its head is ours, the rest cannot be read: over TCP.
    Unreadable,
    /// This RCODE: without a cookie (RFC 7873 §5.1).
    NoCookie(u16),
    /// This RCODE: without EDNS (RFC 6891 §7).
    NoEdns(u16),
    /// Our server cookie is out of date (RFC 7873 §5.3).
    BadCookie,
}

/// Why a record was not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Dropped {
    /// Not owned by the name that was asked for (R2).
    NotAsked,
    /// Outside the zone whose servers were asked.
    OutOfBailiwick,
    /// Other data beside a CNAME (R5).
    BesideCname,
    /// Not the first CNAME or DNAME of its owner (R6).
    SecondAlias,
    /// RDATA malformed for its type.
    Malformed,
}

/// Alias findings seen on the way (`cnamed check` turns them into advice).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum LintCode {
    NsTargetAlias,
    CnameAndOtherData,
    MultipleCname,
    CnameAtApex,
}

impl LintCode {
    /// As traces show it and `cnamed check` calls it.
    pub const fn text(self) -> &'static str {
        match self {
            LintCode::NsTargetAlias => "ns-target-alias",
            LintCode::CnameAndOtherData => "cname-and-other-data",
            LintCode::MultipleCname => "multiple-cname",
            LintCode::CnameAtApex => "cname-at-apex",
        }
    }
}

impl fmt::Display for LintCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flaw::Refused => f.write_str("REFUSED"),
            Flaw::ServFail => f.write_str("SERVFAIL"),
            Flaw::Upward => f.write_str("lame: refers to the zone itself or above it"),
            Flaw::Empty => f.write_str("lame: neither answer nor referral"),
            Flaw::SecondHand => f.write_str("lame: repeats what it was told"),
            Flaw::Rcode(n) => write!(f, "RCODE {n}"),
            Flaw::Malformed => f.write_str("malformed"),
            Flaw::Unreachable => f.write_str("unreachable"),
        }
    }
}

impl fmt::Display for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Again::Truncated => f.write_str("truncated, again over TCP"),
            Again::Unreadable => f.write_str("malformed, again over TCP"),
            Again::NoCookie(rcode) => write!(f, "{}, again without a cookie", name_of(*rcode)),
            Again::NoEdns(rcode) => write!(f, "{}, again without EDNS", name_of(*rcode)),
            Again::BadCookie => f.write_str("BADCOOKIE, again with the new cookie"),
        }
    }
}

/// An RCODE that EDNS or an option of it can have led to.
fn name_of(rcode: u16) -> Cow<'static, str> {
    match rcode {
        1 => "FORMERR".into(),
        4 => "NOTIMP".into(),
        16 => "BADVERS".into(),
        other => format!("RCODE {other}").into(),
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Dropped::NotAsked => "not what was asked for",
            Dropped::OutOfBailiwick => "outside the zone of the server",
            Dropped::BesideCname => "beside a CNAME",
            Dropped::SecondAlias => "a second alias at its owner",
            Dropped::Malformed => "malformed",
        })
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Policy::LocalName => f.write_str("answered by cnamed itself: nobody else is asked for this name"),
            Policy::Stub(zone) => write!(f, "the servers of {zone} are configured ([[stub]])"),
            Policy::Forward(zone) => write!(f, "{zone} is forwarded as configured ([[forward]])"),
            Policy::NegativeTrustAnchor => f.write_str("not validated: a negative trust anchor is above it"),
        }
    }
}

impl fmt::Display for CutFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CutFrom::Hints => "from the root hints",
            CutFrom::Cache => "known already",
            CutFrom::Referral => "by referral",
            CutFrom::Configuration => "as configured",
        })
    }
}

impl fmt::Display for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Meaning::Answer => "answer",
            Meaning::Alias => "alias",
            Meaning::NoData => "NODATA",
            Meaning::NxDomain => "NXDOMAIN",
            Meaning::Referral => "referral",
            Meaning::Unusable => "unusable",
        })
    }
}

/// An event with its time and place.
#[derive(Clone, Debug)]
pub struct Timed {
    /// Since the request began.
    pub at: Duration,
    /// Which look-up it belongs to; see [`Trace::open`].
    pub scope: u32,
    /// What.
    pub event: Event,
}

/// The events of one request. Shared by its parallel sub-resolutions.
#[derive(Debug)]
pub struct Trace {
    began: Instant,
    kept: Option<Mutex<Vec<Timed>>>,
    scopes: AtomicU32,
}

impl Trace {
    /// Keeps nothing.
    pub fn off(now: Instant) -> Trace {
        Trace { began: now, kept: None, scopes: AtomicU32::new(1) }
    }

    /// Keeps every event.
    pub fn on(now: Instant) -> Trace {
        Trace { began: now, kept: Some(Mutex::new(Vec::new())), scopes: AtomicU32::new(1) }
    }

    /// A number for a new look-up, so that events of parallel ones can be told apart.
    pub fn open(&self) -> u32 {
        self.scopes.fetch_add(1, Ordering::Relaxed)
    }

    /// Records what `event` builds, if anybody looks.
    pub fn note(&self, scope: u32, event: impl FnOnce() -> Event) {
        let Some(kept) = &self.kept else {
            if tracing::enabled!(tracing::Level::DEBUG) {
                tracing::debug!(scope, "{:?}", event());
            }
            return;
        };
        let event = event();
        tracing::debug!(scope, "{event:?}");
        let mut kept = lock(kept);
        if kept.len() < MAX_EVENTS {
            kept.push(Timed { at: Instant::now().duration_since(self.began), scope, event });
        }
    }

    /// Everything recorded so far.
    pub fn events(&self) -> Vec<Timed> {
        self.kept.as_ref().map(|kept| lock(kept).clone()).unwrap_or_default()
    }
}
