//! A scenario as data: settings, scripted replies, steps.
//!
//! Knows: what a file can say, each thing once. Does not know: how it is written (`parse`), what it
//! does (`network`; `tests/scenario` for steps).

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use crate::config::Hint;
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
    /// Root servers, each with a name of its own, instead of the above.
    pub root_hints: Vec<Hint>,
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
    /// Chooses the random numbers; `None`: the file's name does.
    pub seed: Option<u64>,
    /// What is not in the file is not known, as it is with a recording: such a question cannot be sent.
    pub recording: bool,
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
    /// What the system says instead of any reply.
    pub error: Option<SystemError>,
    /// Extended DNS Errors that MATCH `ede` expects.
    pub errors: Vec<ExpectedEde>,
}

/// What stands behind ERROR.
#[allow(missing_docs)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SystemError {
    /// `ERROR system N`: by the number that this machine's system gave it.
    System(i32),
    /// `ERROR kind words`.
    Other(io::ErrorKind, String),
}

/// Kinds of ERROR: those that say something of a server (`upstream`), and the rest.
pub const ERROR_KINDS: [(&str, io::ErrorKind); 10] = [
    ("broken-pipe", io::ErrorKind::BrokenPipe),
    ("connection-aborted", io::ErrorKind::ConnectionAborted),
    ("connection-refused", io::ErrorKind::ConnectionRefused),
    ("connection-reset", io::ErrorKind::ConnectionReset),
    ("host-unreachable", io::ErrorKind::HostUnreachable),
    ("invalid-data", io::ErrorKind::InvalidData),
    ("network-unreachable", io::ErrorKind::NetworkUnreachable),
    ("timed-out", io::ErrorKind::TimedOut),
    ("unexpected-eof", io::ErrorKind::UnexpectedEof),
    ("other", io::ErrorKind::Other),
];

impl SystemError {
    /// As the network gives it to the resolver.
    pub fn to_io(&self) -> io::Error {
        match self {
            SystemError::System(number) => io::Error::from_raw_os_error(*number),
            SystemError::Other(kind, words) if words.is_empty() => io::Error::from(*kind),
            SystemError::Other(kind, words) => io::Error::new(*kind, words.clone()),
        }
    }

    /// What [`SystemError::to_io`] gives back as it was, as far as the resolver sees it.
    pub fn of(error: &io::Error) -> SystemError {
        if let Some(number) = error.raw_os_error() {
            return SystemError::System(number);
        }
        let known = ERROR_KINDS.iter().any(|(_, kind)| *kind == error.kind());
        let kind = if known { error.kind() } else { io::ErrorKind::Other };
        let words = error.to_string();
        let is_plain = words == io::Error::from(kind).to_string();
        SystemError::Other(kind, if is_plain { String::new() } else { words })
    }
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
    /// Fits one question and no more.
    pub once: bool,
    /// What the round trip is told to take, to the microsecond.
    pub rtt: Option<Duration>,
    /// When the reply comes, whatever the round trip is told to take.
    pub after: Option<Duration>,
    /// Of replies under way at the same time, the one with the lower number comes first.
    pub turn: Option<u32>,
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
