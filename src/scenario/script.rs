//! A scenario as data: settings, scripted replies, steps.
//!
//! Knows: what a file can say, each thing once. Does not know: how it is written (`parse`), what it
//! does (`network`; `tests/scenario` for steps).

use std::net::IpAddr;
use std::time::Duration;

use crate::rrset::{Class, Question, RrType};
use crate::wire::{Header, Name};

/// One file.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Scenario {
    /// As shown in messages.
    pub file: String,
    pub settings: Settings,
    pub ranges: Vec<Range>,
    pub steps: Vec<Step>,
}

/// What stands before `CONFIG_END`.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Settings {
    pub ipv4: bool,
    pub ipv6: bool,
    /// Families that the network has a route for.
    pub routed_v4: bool,
    pub routed_v6: bool,
    pub root_servers: Vec<IpAddr>,
    pub root_server_name: Name,
    /// `None`: both modes are shown.
    pub minimisation: Option<bool>,
    pub trust_anchors: Vec<String>,
    pub negative_trust_anchors: Vec<String>,
    /// Wall time at the start, in Unix seconds.
    pub wall: Option<u64>,
    pub query_localhost: bool,
    pub forward: Vec<IpAddr>,
    pub min_ttl: Option<u32>,
    pub max_ttl: Option<u32>,
    /// Lines `key = value` for the configuration parser.
    pub toml: String,
    /// Play once more with the first question asked beforehand.
    pub also_warm: bool,
    /// Play once more for each of these lists, with its questions asked beforehand in this order.
    pub also_warm_by: Vec<Vec<Question>>,
}

/// Scripted replies of some servers during some steps.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Range {
    pub from: u64,
    pub to: u64,
    /// None: any server.
    pub addresses: Vec<IpAddr>,
    pub entries: Vec<Entry>,
}

/// A message to send, to expect or to reply with.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Entry {
    pub line: usize,
    pub mandatory: bool,
    /// With `all` and `question` taken apart; `None`: no MATCH line.
    pub fields: Option<Vec<Field>>,
    pub adjust: Adjust,
    pub message: Template,
    /// Sent instead of the message.
    pub raw: Option<Vec<u8>>,
    /// Extended DNS Errors that MATCH `ede` expects.
    pub errors: Vec<ExpectedEde>,
}

/// A word of MATCH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Field {
    Opcode,
    Qtype,
    Qname,
    Qcase,
    Subdomain,
    Flags,
    Rcode,
    Answer,
    AnswerTypes,
    AnswerRrsigs,
    Authority,
    Additional,
    Ttl,
    Order,
    Ede,
    Edns,
    NoEdns,
    Cookie,
    NoCookie,
    Do,
    PlainDname,
    Tcp,
    Udp,
}

/// What ADJUST does to a reply.
#[derive(Debug, Default)]
#[allow(missing_docs)]
pub struct Adjust {
    pub copy_id: bool,
    pub copy_query: bool,
    pub do_not_answer: bool,
    pub raw_id: bool,
    /// Over the round trip that every reply takes.
    pub delay: Duration,
    pub unreachable: bool,
    pub wrong_id: bool,
    pub wrong_case: bool,
    pub no_edns: bool,
    pub cookie: bool,
}

/// Header and sections.
#[derive(Debug, Default)]
#[allow(missing_docs)]
pub struct Template {
    /// QR AA TC RD RA AD CD.
    pub flags: u16,
    pub opcode: u8,
    pub rcode: u16,
    pub dnssec_ok: bool,
    pub question: Option<Question>,
    pub answer: Vec<Rr>,
    pub authority: Vec<Rr>,
    pub additional: Vec<Rr>,
}

/// One record.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Rr {
    pub owner: Name,
    pub ttl: u32,
    pub class: Class,
    pub rtype: RrType,
    pub rdata: Vec<u8>,
}

/// A line `EDE code text`.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct ExpectedEde {
    pub code: u16,
    pub text: EdeText,
}

/// What an EDE text must be.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum EdeText {
    Any,
    Exactly(String),
    /// Written `~part`.
    Containing(String),
}

/// `STEP id …`
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Step {
    pub id: u64,
    pub line: usize,
    pub action: Action,
}

/// What a step does.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum Action {
    Query { entry: Entry, client: IpAddr, copies: usize },
    CheckAnswer(Entry),
    Reply(Entry),
    TimePasses(Duration),
    CheckOutQuery { entry: Entry, to: Option<IpAddr>, count: Option<usize> },
    CheckOutCount { least: usize, most: usize },
    CheckTime { least: Duration, most: Duration },
}

/// RCODEs by mnemonic (the IANA registry).
pub const RCODES: [(&str, u16); 13] = [
    ("NOERROR", 0),
    ("FORMERR", 1),
    ("SERVFAIL", 2),
    ("NXDOMAIN", 3),
    ("NOTIMP", 4),
    ("REFUSED", 5),
    ("YXDOMAIN", 6),
    ("YXRRSET", 7),
    ("NXRRSET", 8),
    ("NOTAUTH", 9),
    ("NOTZONE", 10),
    ("BADVERS", 16),
    ("BADCOOKIE", 23),
];

/// Header flags by mnemonic.
pub const FLAGS: [(&str, u16); 7] = [
    ("QR", Header::QR),
    ("AA", Header::AA),
    ("TC", Header::TC),
    ("RD", Header::RD),
    ("RA", Header::RA),
    ("AD", Header::AD),
    ("CD", Header::CD),
];
