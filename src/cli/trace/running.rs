//! `--from-cache`: the trace that a running server gives, from its cache and as it would answer now.
//!
//! Knows: the CH name that asks for it, over TCP. Does not know: how the server comes by it
//! (`server::explain`). Shown by: `tests/explain.rs`.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::Instant;

use super::args::{TraceArgs, TraceFormat};
use super::setup::question;
use super::{FAILED, NO_NETWORK};
use crate::cli::{BAD_USAGE, complain, tell};
use crate::resolver::Rcode;
use crate::rrset::{Class, Question, RrType};
use crate::upstream::Sockets;
use crate::wire::reader::Section;
use crate::wire::{Header, Message, MessageWriter, Name};
use crate::world::{ExchangeError, Network, Rng, Transport, Verdict};

/// A server answers within `resolver.timeout`, which is seldom more.
const PATIENCE: Duration = Duration::from_secs(15);
/// Octets that a question may take with its header.
const QUERY_LIMIT: usize = 512;

/// Asks `server` and shows what it says.
pub fn run(args: &TraceArgs, server: SocketAddr) -> ExitCode {
    let fail = |code: u8, why: &str| {
        complain(&format!("cnamed trace: {why}"));
        ExitCode::from(code)
    };
    if args.format != TraceFormat::Text {
        return fail(BAD_USAGE, "a running server gives text only: --from-cache has no other --format");
    }
    let asked = question(args.name.as_deref().unwrap_or_default(), args.rtype.as_deref());
    let asked = match asked.and_then(|question| explaining(&question)) {
        Ok(question) => question,
        Err(why) => return fail(BAD_USAGE, &why),
    };
    let reply = match ask(server, &asked) {
        Ok(reply) => reply,
        Err(error) => return fail(NO_NETWORK, &format!("{server}: {error}")),
    };
    let Ok(message) = Message::parse(&reply) else {
        return fail(FAILED, &format!("{server}: what it says cannot be read"));
    };
    let lines = texts(&message);
    if lines.is_empty() {
        let refused = message.rcode() == Rcode::Refused as u16;
        let why =
            if refused { "it refuses: does its access.trace have this client?" } else { "it has no traces" };
        return fail(FAILED, &format!("{server}: {why}"));
    }
    tell(&lines.join("\n"));
    let is_good = lines.iter().any(|line| line.starts_with("NOERROR:") || line.starts_with("NXDOMAIN:"));
    ExitCode::from(if is_good { 0 } else { FAILED })
}

/// The question of class CH for the trace of `question`.
fn explaining(question: &Question) -> Result<Question, String> {
    let rtype = question.rtype.to_string();
    let mut wire: Vec<u8> = question.name.as_wire().to_vec();
    wire.pop();
    for label in [rtype.as_str(), "trace", "cnamed", ""] {
        wire.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
        wire.extend_from_slice(label.as_bytes());
    }
    let name =
        Name::from_wire(&wire).map_err(|_| format!("{}: too long to be asked for so", question.name))?;
    Ok(Question { name, rtype: RrType::TXT, class: Class::CH })
}

fn ask(server: SocketAddr, question: &Question) -> Result<Vec<u8>, String> {
    let (rng, id) = (Rng::os(), Rng::os().u16());
    let mut writer = MessageWriter::new(id, Header::RD, QUERY_LIMIT);
    // A question always fits: 12 + 255 + 4 octets.
    let _fits = writer.question(question);
    let query = writer.finish();
    let accept = |reply: &[u8]| match Header::read(reply) {
        Some(header) if header.id == id && header.has(Header::QR) => Verdict::Take,
        _ => Verdict::NearMiss,
    };
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    let came = runtime.block_on(async {
        let until = Instant::now() + PATIENCE;
        Sockets::new(Vec::new(), rng).exchange(server, Transport::Tcp, &query, &accept, until).await
    });
    came.map(|came| came.octets).map_err(|error| match error {
        ExchangeError::TimedOut => format!("no answer within {} s", PATIENCE.as_secs()),
        error => error.to_string(),
    })
}

/// Each TXT record as a line; only what a terminal takes as text.
fn texts(message: &Message<'_>) -> Vec<String> {
    let records = message.section(Section::Answer).filter(|record| record.rtype() == RrType::TXT);
    let line = |rdata: Vec<u8>| {
        let (mut rest, mut line) = (rdata.as_slice(), String::new());
        while let Some((&n, tail)) = rest.split_first() {
            let (string, tail) = tail.split_at_checked(usize::from(n)).unwrap_or((tail, &[]));
            line.extend(string.iter().map(|b| if (0x20..0x7f).contains(b) { char::from(*b) } else { '?' }));
            rest = tail;
        }
        line
    };
    records.filter_map(|record| record.rdata()).map(line).collect()
}
