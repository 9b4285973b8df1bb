//! One question to one server: built, sent, matched, repeated over TCP or without EDNS if need be.
//!
//! Knows: unpredictable IDs, ports and letter case (RFC 5452, 0x20), cookies (RFC 7873), EDNS and
//! its fallbacks (RFC 6891 §7), truncation (RFC 7766 §5), and what makes a datagram *the* reply:
//! address, port, ID, QR, opcode and the question with its case. One that fails any of these ends
//! the exchange over UDP and repeats it over TCP, so that whoever guesses has one guess. Does not
//! know: which server (`iterate`), what the reply means (`trust`).
//!
//! Shown by: `tests/scenarios/walk_wrong_*`, `walk_*_to_edns`; `../shared/attacks` wrongreply, spoof, tc, edns.

pub mod cookies;
pub mod descriptors;
pub mod pool;
pub mod sockets;
mod sources;
pub mod tcp;
pub mod udp;

pub use sockets::Sockets;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cookies::{ReplyCookie, Secret};
use tokio::time::Instant;

use crate::budget::Purpose;
use crate::cache::servers::Known;
use crate::failure::Limit;
use crate::request::Request;
use crate::rrset::Question;
use crate::trace::{Again, Event};
use crate::wire::{Header, Message, MessageWriter, Name};
use crate::world::{Arrival, ExchangeError, Transport, Verdict, World, lock};

/// A TCP exchange, connecting included, takes no longer.
pub const TCP_PATIENCE: Duration = Duration::from_millis(1_500);
/// Between two warnings that queries cannot be sent.
const WARN_EVERY: Duration = Duration::from_secs(10);
/// Messages that one call may send: UDP, without a cookie or with another, without EDNS, TCP.
const MAX_ATTEMPTS: usize = 4;

/// Names with so many letters are hard to forge a reply for. Who forges names the question, and would take
/// digits; with these, 40 bits are to be guessed.
const GUARDING_LETTERS: usize = 8;

const FORMERR: u16 = 1;
const NOTIMP: u16 = 4;
const BADVERS: u16 = 16;
const BADCOOKIE: u16 = 23;

/// What to ask of whom.
pub struct Query<'a> {
    /// Address and port.
    pub server: SocketAddr,
    /// What is known of it.
    pub known: &'a Known,
    /// Its name, for the trace.
    pub server_name: Option<&'a Name>,
    /// Whose servers are being asked.
    pub zone: &'a Name,
    /// As it will be sent, but for its letter case.
    pub question: &'a Question,
    /// A recursive server is asked (RD=1).
    pub recursive: bool,
    /// Is it a minimised question?
    pub minimised: bool,
    /// Which account of the budget pays.
    pub purpose: Purpose,
    /// Which look-up it belongs to.
    pub scope: u32,
    /// When the caller stops waiting.
    pub until: Instant,
    /// Nothing has come of it yet to the same question, asked twice.
    pub again: bool,
    /// Many wait for the server in vain for this zone: that it keeps silent says nothing about others.
    pub in_a_crowd: bool,
    /// Set as soon as anything came from the server.
    pub heard: Arc<AtomicBool>,
}

/// A reply that matches.
pub struct Received {
    /// The message; it parses.
    pub bytes: Vec<u8>,
    /// Over TCP, or with our cookie: not made by somebody off the path.
    pub unforgeable: bool,
    /// Unforgeable, or it repeated the random case of `GUARDING_LETTERS`.
    pub guarded: bool,
    /// It repeated our cookie.
    pub cookie: bool,
    /// The attempt that it came of, for the trace.
    pub exchange: u32,
    /// From sending to receiving.
    pub rtt: Duration,
}

/// Why there is none.
#[derive(Debug)]
pub enum AskError {
    /// Nothing came.
    Silent,
    /// The network refused.
    Unreachable,
    /// This machine has no route there.
    NoRoute,
    /// What came is not a message, over TCP too.
    Malformed,
    /// The question's budget is spent.
    Limit(Limit),
}

/// The sending side of the resolver.
pub struct Upstream {
    world: World,
    secret: Secret,
    warned: Mutex<Option<Instant>>,
}

/// How the next attempt is to be made.
#[derive(Clone, Copy)]
struct Manner {
    transport: Transport,
    edns: bool,
    cookie: bool,
    mixed_case: bool,
}

/// What one attempt led to.
enum Attempt {
    Done(Received),
    Again(Manner),
    Failed(AskError),
}

/// Notes that a server kept silent when the exchange is given up before it answered.
struct Waiting<'a> {
    server: &'a Known,
    in_a_crowd: bool,
    since: Instant,
    over: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let now = Instant::now();
        let waited = now.duration_since(self.since);
        self.server.with(|s| {
            if waited >= s.patience() && !self.in_a_crowd {
                s.was_slow(waited, now);
            }
        });
    }
}

impl Upstream {
    /// One for all workers.
    pub fn new(world: World) -> Upstream {
        let secret = Secret::new(&world.rng, world.clock.now());
        Upstream { world, secret, warned: Mutex::default() }
    }

    /// Asks one server until it has answered, failed, or the time is over.
    pub async fn query(&self, request: &Request, query: &Query<'_>) -> Result<Received, AskError> {
        let now = self.world.clock.now();
        let mut manner = query.known.with(|s| Manner {
            transport: Transport::Udp,
            edns: s.speaks_edns(now),
            // It may be the cookie that keeps it silent. Who is known to speak them gets one each time: without, nobody
            // could tell its reply from another's.
            cookie: s.takes_cookies(now) && !(query.again && s.cookie.is_none()),
            mixed_case: request.config.resolver.case_randomisation && s.keeps_case(now),
        });
        let mut purpose = query.purpose;
        for _ in 0..MAX_ATTEMPTS {
            match self.attempt(request, query, purpose, manner).await {
                Attempt::Done(received) => return Ok(received),
                Attempt::Again(next) => (manner, purpose) = (next, purpose.instead()),
                Attempt::Failed(error) => return Err(error),
            }
        }
        Err(AskError::Malformed)
    }

    async fn attempt(
        &self,
        request: &Request,
        query: &Query<'_>,
        purpose: Purpose,
        manner: Manner,
    ) -> Attempt {
        let sent_at = self.world.clock.now();
        if let Err(limit) = request.budget.send(purpose, sent_at) {
            return Attempt::Failed(AskError::Limit(limit));
        }
        let outgoing = self.build(request, query, manner);
        let exchange = request.trace.open();
        request.trace.note(query.scope, || Event::Sent {
            exchange,
            server: query.server,
            server_name: query.server_name.cloned(),
            zone: query.zone.clone(),
            question: query.question.clone(),
            transport: manner.transport,
            edns: manner.edns,
            mixed_case: manner.mixed_case,
            minimised: query.minimised,
        });
        let until = match manner.transport {
            Transport::Udp => query.until,
            Transport::Tcp => query.until.min(sent_at + TCP_PATIENCE),
        };
        let accept = |reply: &[u8]| outgoing.accepts(reply, manner);
        let mut waiting =
            Waiting { server: query.known, in_a_crowd: query.in_a_crowd, since: sent_at, over: false };
        let result = self
            .world
            .network
            .exchange(query.server, manner.transport, &outgoing.bytes, &accept, until)
            .await;
        waiting.over = true;
        if matches!(result, Ok(_) | Err(ExchangeError::NearMiss)) {
            query.heard.store(true, Ordering::Relaxed);
        }
        match result {
            Ok(Arrival { octets: mut bytes, rtt }) => {
                let echoed_case = outgoing.undo_case(&mut bytes);
                let arrived = Arrived { exchange, bytes, echoed_case, rtt };
                self.received(request, query, manner, &outgoing, arrived)
            }
            Err(error) => self.not_received(request, query, manner, (exchange, error)),
        }
    }

    fn not_received(
        &self,
        request: &Request,
        query: &Query<'_>,
        manner: Manner,
        (exchange, error): (u32, ExchangeError),
    ) -> Attempt {
        let now = self.world.clock.now();
        let server = query.server;
        if let ExchangeError::Io(error) = &error {
            request.trace.note(query.scope, || {
                let error = error.to_string();
                Event::Unreachable { exchange, server, error }
            });
        }
        match error {
            ExchangeError::NearMiss => {
                request.trace.note(query.scope, || Event::NearMiss { exchange, server });
                match manner.transport {
                    Transport::Udp => Attempt::Again(Manner { transport: Transport::Tcp, ..manner }),
                    Transport::Tcp => Attempt::Failed(AskError::Malformed),
                }
            }
            ExchangeError::TimedOut => {
                request.trace.note(query.scope, || Event::Silent { exchange, server });
                if !query.in_a_crowd {
                    query.known.with(|s| s.was_silent(now));
                }
                Attempt::Failed(AskError::Silent)
            }
            ExchangeError::Io(error) if !is_want_of_sockets(&error) => {
                query.known.with(|s| s.was_silent(now));
                let no_route = error.kind() == std::io::ErrorKind::NetworkUnreachable;
                Attempt::Failed(if no_route { AskError::NoRoute } else { AskError::Unreachable })
            }
            ExchangeError::Io(error) => {
                self.warn_of_sockets(server, &error, now);
                Attempt::Failed(AskError::Limit(Limit::Sockets))
            }
        }
    }

    /// Says so now and then: under load each question would.
    fn warn_of_sockets(&self, server: SocketAddr, error: &std::io::Error, now: Instant) {
        let mut warned = lock(&self.warned);
        if warned.is_none_or(|at| now.duration_since(at) >= WARN_EVERY) {
            *warned = Some(now);
            tracing::warn!("a query to {server} could not be sent: {error}");
        }
    }

    /// What a matching reply asks for next: nothing, TCP, or plain DNS.
    fn received(
        &self,
        request: &Request,
        query: &Query<'_>,
        manner: Manner,
        outgoing: &Outgoing,
        Arrived { exchange, bytes, echoed_case, rtt }: Arrived,
    ) -> Attempt {
        let now = self.world.clock.now();
        let (server, octets) = (query.server, bytes.len());
        request.budget.received(octets);
        let tcp = manner.transport == Transport::Tcp;
        let note_again = |why| {
            request.trace.note(query.scope, || Event::Again { exchange, server, rtt, octets, why });
        };
        let Ok(message) = Message::parse(&bytes) else {
            // Its head was ours and its body is rubble.
            if tcp {
                return Attempt::Failed(AskError::Malformed);
            }
            note_again(Again::Unreadable);
            return Attempt::Again(Manner { transport: Transport::Tcp, ..manner });
        };
        let option = message.edns().and_then(|edns| edns.option(cookies::OPTION_CODE));
        let cookie = cookies::read_reply(option, &outgoing.cookie);
        let rcode = message.rcode();
        let truncated = message.header().has(Header::TC);
        let suspicious = match cookie {
            ReplyCookie::Mismatch => true,
            // It answered with a cookie before: whoever answers without one is another.
            ReplyCookie::Absent => {
                manner.edns && manner.cookie && rcode == 0 && query.known.with(|s| s.cookie.is_some())
            }
            ReplyCookie::Echoed { .. } => false,
        };
        query.known.with(|s| {
            s.heard(now);
            if !tcp {
                s.replied(rtt, now);
            }
            match &cookie {
                ReplyCookie::Echoed { server: Some(server_part) } => {
                    s.cookie = Some([&outgoing.cookie[..], server_part].concat())
                }
                // Who is known for cookies leaves them out of refusals only.
                ReplyCookie::Absent
                    if manner.edns
                        && manner.cookie
                        && (tcp || !suspicious)
                        && (s.cookie.is_none() || matches!(rcode, 0 | 3)) =>
                {
                    s.mark_cookieless(now)
                }
                // It kept silent to a cookie.
                ReplyCookie::Absent
                    if manner.edns && query.again && s.cookie.is_none() && s.takes_cookies(now) =>
                {
                    s.mark_cookieless(now)
                }
                _ => {}
            }
            if tcp && manner.mixed_case && !echoed_case {
                s.mark_caseless(now);
            }
        });
        if !tcp && (suspicious || truncated) {
            if suspicious {
                request.trace.note(query.scope, || Event::NearMiss { exchange, server });
            } else {
                note_again(Again::Truncated);
            }
            return Attempt::Again(Manner { transport: Transport::Tcp, ..manner });
        }
        if truncated {
            return Attempt::Failed(AskError::Malformed);
        }
        if rcode == BADCOOKIE && !tcp {
            // The new server cookie is known now; a second refusal goes over TCP (RFC 7873 §5.3).
            note_again(Again::BadCookie);
            let again = outgoing.had_server_cookie;
            let transport = if again { Transport::Tcp } else { Transport::Udp };
            return Attempt::Again(Manner { transport, ..manner });
        }
        if manner.edns && matches!(rcode, FORMERR | NOTIMP | BADVERS) {
            // It may know EDNS and not the option, and without DO a signed zone cannot be proven. Which it is cannot be
            // told from whether the reply has an OPT; a server is asked so once in `PLAIN_FOR`.
            if manner.cookie {
                note_again(Again::NoCookie(rcode));
                return Attempt::Again(Manner { cookie: false, ..manner });
            }
            note_again(Again::NoEdns(rcode));
            return Attempt::Again(Manner { edns: false, ..manner });
        }
        if !manner.edns && matches!(rcode, 0 | 3) {
            query.known.with(|s| {
                if s.speaks_edns(now) {
                    s.mark_plain(now);
                }
            });
        }
        let cookie = matches!(cookie, ReplyCookie::Echoed { .. });
        let unforgeable = tcp || cookie;
        let guarded = unforgeable || manner.mixed_case && has_letters(&query.question.name, GUARDING_LETTERS);
        Attempt::Done(Received { bytes, unforgeable, guarded, cookie, exchange, rtt })
    }

    fn build(&self, request: &Request, query: &Query<'_>, manner: Manner) -> Outgoing {
        let rng = &self.world.rng;
        let id = rng.u16();
        let mut question = query.question.clone();
        if manner.mixed_case {
            question.name = mix_case(&question.name, rng);
        }
        // A forwarder is not to keep from us what it finds bogus (RFC 6840 §5.9).
        let check = if request.config.dnssec.validation { Header::CD } else { 0 };
        let flags = if query.recursive { Header::RD | check } else { 0 };
        let mut writer = MessageWriter::new(id, flags, 512);
        // A question always fits: 12 + 255 + 4 octets.
        let _ = writer.question(&question);
        let (kept, generation) = query.known.with(|s| (s.cookie.clone(), s.cookie_generation));
        let secret = self.secret.at(self.world.clock.now(), rng);
        let cookie = cookies::client_cookie(&secret, query.server.ip(), generation);
        let server_part = cookies::server_part(kept.as_deref(), &cookie);
        let had_server_cookie = !server_part.is_empty();
        if manner.edns {
            let option = [&cookie[..], server_part].concat();
            let options = if manner.cookie { vec![(cookies::OPTION_CODE, option)] } else { Vec::new() };
            const DO: u16 = 0x8000;
            let flags = if request.config.dnssec.validation { DO } else { 0 };
            // 55 octets at most, beside the question's 271.
            let _ = writer.opt(request.config.resolver.edns_buffer_size, 0, flags, &options);
        }
        Outgoing { bytes: writer.finish(), id, question, cookie, had_server_cookie }
    }
}

/// Is it this machine that has no socket or no memory left, and not the server or the way to it? Firewalls and routes,
/// here and elsewhere, have many words for that nothing goes there (EACCES, EPERM, EINVAL, EPROTO, …).
fn is_want_of_sockets(error: &std::io::Error) -> bool {
    match error.raw_os_error() {
        Some(code) => [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM].contains(&code),
        // Our own words, or a recording of such a code.
        None => matches!(error.kind(), std::io::ErrorKind::Other | std::io::ErrorKind::OutOfMemory),
    }
}

/// What came, before it is read.
struct Arrived {
    exchange: u32,
    bytes: Vec<u8>,
    echoed_case: bool,
    rtt: Duration,
}

/// A query as sent, and what its reply must repeat.
struct Outgoing {
    bytes: Vec<u8>,
    id: u16,
    question: Question,
    cookie: [u8; 8],
    had_server_cookie: bool,
}

impl Outgoing {
    /// Is this the reply (RFC 5452 §9.1)? The peer's address and port are the socket's business.
    fn accepts(&self, reply: &[u8], manner: Manner) -> Verdict {
        let Some(header) = Header::read(reply) else { return Verdict::NearMiss };
        if header.id != self.id || !header.has(Header::QR) || header.opcode() != 0 {
            return Verdict::NearMiss;
        }
        if header.qdcount == 0 {
            // Servers that cannot read EDNS say so with a header alone (RFC 6891 §7); an error is
            // all that can be said that way.
            let empty = header.ancount == 0 && header.nscount == 0;
            return if empty && header.rcode() != 0 && header.rcode() != 3 {
                Verdict::Take
            } else {
                Verdict::NearMiss
            };
        }
        let name = self.question.name.as_wire();
        let end = Header::OCTETS + name.len();
        let tail = [self.question.rtype.0.to_be_bytes(), self.question.class.0.to_be_bytes()].concat();
        let same_name = reply.get(Header::OCTETS..end).is_some_and(|echo| {
            // Over TCP nobody else can answer: a server that does not echo case shows itself here.
            if manner.transport == Transport::Tcp { echo.eq_ignore_ascii_case(name) } else { echo == name }
        });
        if header.qdcount == 1 && same_name && reply.get(end..end + 4) == Some(&tail) {
            Verdict::Take
        } else {
            Verdict::NearMiss
        }
    }

    /// Puts the question's name back in lower case, so that no name that is compressed against it
    /// keeps our random one. Says whether the server had echoed the case.
    fn undo_case(&self, reply: &mut [u8]) -> bool {
        let name = self.question.name.as_wire();
        let Some(echo) = reply.get_mut(Header::OCTETS..Header::OCTETS + name.len()) else { return true };
        let kept = echo == name;
        if echo.eq_ignore_ascii_case(name) {
            echo.make_ascii_lowercase();
        }
        kept
    }
}

fn has_letters(name: &Name, least: usize) -> bool {
    name.as_wire().iter().filter(|octet| octet.is_ascii_alphabetic()).count() >= least
}

/// Letters in random case (draft-vixie-dnsext-dns0x20): one more bit each to guess.
fn mix_case(name: &Name, rng: &crate::world::Rng) -> Name {
    let mut wire = name.as_wire().to_vec();
    let (mut bits, mut left) = (0u64, 0u32);
    for octet in wire.iter_mut().filter(|b| b.is_ascii_alphabetic()) {
        if left == 0 {
            (bits, left) = (rng.u64(), 64);
        }
        if bits & 1 == 1 {
            *octet ^= 0x20;
        }
        bits >>= 1;
        left -= 1;
    }
    Name::from_checked(&wire)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_guard_and_lengths_digits_and_hyphens_do_not() {
        let guards = |text: &str| has_letters(&text.parse().unwrap(), GUARDING_LETTERS);
        assert!(guards("abcde.net.") && guards("A1-bcde.net."));
        assert!(!guards("abcd.net.") && !guards("0123456789-0123456789.net.") && !guards("."));
    }
}
