//! One server of the lab: which zones it has, how it behaves, and its replies octet for octet.
//!
//! Knows: what an authoritative server puts where (RFC 1034 §4.3.2, RFC 2308 §2, RFC 6604 §3, RFC
//! 6672 §3.2, RFC 9471), EDNS (RFC 6891), cookies (RFC 7873), truncation (RFC 2181 §9), and each
//! [`Mode`] of doing it wrong. Does not know: time and loss (`lab`), resolving. Shown by:
//! `tests/lab.rs`.

use std::collections::HashMap;
use std::hash::Hasher;
use std::sync::Arc;

use serde::Deserialize;
use siphasher::sip::SipHasher24;

use super::signed;
use super::zone::{Finding, Zone};
use crate::rrset::{Class, Question, RrSet, RrType};
use crate::wire::reader::Section;
use crate::wire::writer::opt_octets;
use crate::wire::{Edns, Header, Message, MessageWriter, Name};
use crate::world::Transport;

/// Aliases followed within one reply. Ours: a name that grows by DNAME still fits a datagram.
const MAX_ALIASES: usize = 16;
/// What a server may send over UDP to a client that does not say (RFC 1035 §4.2.1).
const PLAIN_UDP: usize = 512;
/// The most that a server sends over UDP (the size that DNS flag day 2020 advises).
const MAX_UDP: usize = 1232;
/// Octets of a client cookie (RFC 7873 §4.1).
const CLIENT_COOKIE: usize = 8;
/// Octets of a whole cookie (RFC 7873 §4).
const FULL_COOKIE: std::ops::RangeInclusive<usize> = 16..=40;
/// Option code of COOKIE (RFC 7873 §8).
const COOKIE: u16 = 10;

const NOERROR: u16 = 0;
const FORMERR: u16 = 1;
const SERVFAIL: u16 = 2;
const NXDOMAIN: u16 = 3;
const NOTIMP: u16 = 4;
const REFUSED: u16 = 5;
const YXDOMAIN: u16 = 6;
const BADVERS: u16 = 16;

/// What a server does wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Nothing.
    #[default]
    Correct,
    /// Never replies.
    Silent,
    /// REFUSED to everything.
    Refused,
    /// SERVFAIL to everything.
    Servfail,
    /// Refers everything to the root.
    Upward,
    /// TC and nothing else over UDP.
    Truncate,
    /// FORMERR to a query with EDNS, as servers from before RFC 2671.
    NoEdns,
    /// Answers as if there were no EDNS in the query.
    IgnoreEdns,
    /// Drops a query with EDNS.
    DropEdns,
    /// Refuses connections.
    NoTcp,
    /// Repeats the question with the case of every letter changed.
    WrongCase,
    /// Replies under another ID.
    WrongId,
    /// Never sets AA.
    NotAuthoritative,
    /// NXDOMAIN for empty non-terminals, against RFC 8020.
    EntNxdomain,
    /// The records of the answer section in reverse order.
    Reversed,
    /// Records of the type asked for, where there are any, in place of the CNAME beside them.
    DataFirst,
}

/// How far aliases are followed within one reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Follow {
    /// Only the first alias.
    No,
    /// Inside the zone of the question.
    #[default]
    Zone,
    /// Through all zones of the server, also those that nobody has delegated to it.
    Server,
}

/// One server.
#[derive(Clone, Debug)]
pub struct Server {
    pub(super) zones: HashMap<Name, Arc<Zone>>,
    pub(super) mode: Mode,
    pub(super) follow: Follow,
    pub(super) cookies: bool,
    /// The root's NS RRset, for [`Mode::Upward`].
    pub(super) root: Option<RrSet>,
}

/// What goes into a reply.
#[derive(Default)]
struct Reply {
    rcode: u16,
    authoritative: bool,
    answer: Vec<RrSet>,
    authority: Vec<RrSet>,
    additional: Vec<RrSet>,
    /// Is the additional section glue, without which the reply is worth nothing (RFC 9471 §3)?
    referral: bool,
    /// The zone that was asked last, and what it denies.
    zone: Option<Arc<Zone>>,
    denied: Option<Denied>,
}

/// What does not exist.
struct Denied {
    name: Name,
    /// Does the name?
    exists: bool,
}

impl Reply {
    fn only(rcode: u16) -> Reply {
        Reply { rcode, ..Reply::default() }
    }

    /// With everything that proves it, where the zone is signed (RFC 4035 §3.1).
    fn proven(mut self) -> Reply {
        let Some(zone) = self.zone.take() else { return self };
        if let Some(Denied { name, exists }) = &self.denied {
            self.authority.extend(signed::denial(&zone, name, *exists));
        }
        self.answer = signed::with_signatures(&zone, self.answer);
        self.authority = signed::with_signatures(&zone, self.authority);
        self
    }
}

impl Server {
    /// One with these zones. The root that [`Mode::Upward`] refers to comes from the world around it.
    pub fn new(
        zones: impl IntoIterator<Item = Arc<Zone>>,
        mode: Mode,
        follow: Follow,
        cookies: bool,
    ) -> Server {
        let zones = zones.into_iter().map(|zone| (zone.apex().clone(), zone)).collect();
        Server { zones, mode, follow, cookies, root: None }
    }

    /// How it behaves.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Does it have this zone?
    pub fn has(&self, apex: &Name) -> bool {
        self.zones.contains_key(apex)
    }

    /// The reply to `query`; `None` when this server keeps silent.
    pub fn reply(&self, query: &[u8], transport: Transport) -> Option<Vec<u8>> {
        let header = Header::read(query).filter(|h| !h.has(Header::QR))?;
        let Ok(message) = Message::parse(query) else {
            return Some(MessageWriter::new(header.id, Header::QR | FORMERR, PLAIN_UDP).finish());
        };
        let edns = message.edns();
        match self.mode {
            Mode::Silent => return None,
            Mode::DropEdns if edns.is_some() => return None,
            Mode::NoEdns if edns.is_some() => {
                return Some(self.write(&message, None, Reply::only(FORMERR), transport));
            }
            _ => {}
        }
        let edns = edns.filter(|_| self.mode != Mode::IgnoreEdns);
        let mut reply = self.decide(&message, edns);
        match self.mode {
            Mode::NotAuthoritative => reply.authoritative = false,
            Mode::Reversed => reply.answer.reverse(),
            _ => {}
        }
        Some(self.write(&message, edns, reply, transport))
    }

    fn decide(&self, query: &Message<'_>, edns: Option<&Edns>) -> Reply {
        let bad_cookie =
            |c: &[u8]| self.cookies && c.len() != CLIENT_COOKIE && !FULL_COOKIE.contains(&c.len());
        let Some(question) = query.question() else { return Reply::only(FORMERR) };
        match (edns, self.mode) {
            _ if query.header().opcode() != 0 => Reply::only(NOTIMP),
            (Some(edns), _) if edns.version != 0 => Reply::only(BADVERS),
            (Some(edns), _) if edns.option(COOKIE).is_some_and(bad_cookie) => Reply::only(FORMERR),
            (_, Mode::Refused) => Reply::only(REFUSED),
            (_, Mode::Servfail) => Reply::only(SERVFAIL),
            (_, Mode::Upward) => Reply { authority: self.root.iter().cloned().collect(), ..Reply::default() },
            _ if question.class != Class::IN || !question.rtype.is_askable() => Reply::only(REFUSED),
            _ => {
                let reply = self.answer(question);
                if edns.is_some_and(|edns| edns.dnssec_ok) { reply.proven() } else { reply }
            }
        }
    }

    /// The zone that answers: the closest, or for DS the one above a cut if this server has it
    /// (RFC 4035 §3.1.4.1).
    fn zone_for(&self, name: &Name, rtype: RrType) -> Option<&Arc<Zone>> {
        let mut zones = (0..=name.label_count()).rev().filter_map(|n| self.zones.get(&name.suffix(n)));
        let closest = zones.next()?;
        match zones.next() {
            Some(above) if rtype == RrType::DS && closest.apex() == name => Some(above),
            _ => Some(closest),
        }
    }

    /// RFC 1034 §4.3.2 as RFC 6672 §3.2 revises it, without recursion.
    fn answer(&self, question: &Question) -> Reply {
        let Some(mut zone) = self.zone_for(&question.name, question.rtype) else {
            return Reply::only(REFUSED);
        };
        let mut reply = Reply { authoritative: true, ..Reply::default() };
        let mut seen = vec![question.name.clone()];
        while let Some(name) = seen.last() {
            let data = zone.stored(name, question.rtype).filter(|_| self.mode == Mode::DataFirst);
            let data = data.map(|set| Finding::Data(vec![set.clone()]));
            match data.unwrap_or_else(|| zone.find(name, question.rtype)) {
                Finding::Data(sets) => reply.answer.extend(sets),
                Finding::Alias { records, target } => {
                    reply.answer.extend(records);
                    if let Some(next) = self.follows(zone, &target, question.rtype)
                        && !seen.contains(&target)
                        && seen.len() < MAX_ALIASES
                    {
                        zone = next;
                        seen.push(target);
                        continue;
                    }
                }
                Finding::TooLong(dname) => {
                    reply.answer.push(dname);
                    reply.rcode = YXDOMAIN;
                }
                Finding::Referral(ns) => {
                    reply.authoritative = !reply.answer.is_empty();
                    reply.referral = true;
                    reply.authority.push(ns);
                }
                Finding::NoData { empty_non_terminal } => {
                    let wrong = empty_non_terminal && self.mode == Mode::EntNxdomain;
                    reply.rcode = if wrong { NXDOMAIN } else { NOERROR };
                    reply.authority.extend(zone.negative_soa());
                    reply.denied = Some(Denied { name: name.clone(), exists: true });
                }
                Finding::NoName => {
                    reply.rcode = NXDOMAIN;
                    reply.authority.extend(zone.negative_soa());
                    reply.denied = Some(Denied { name: name.clone(), exists: false });
                }
            }
            break;
        }
        reply.additional = additional(zone, &reply);
        reply.zone = Some(Arc::clone(zone));
        reply
    }

    /// The zone in which this server looks for an alias's target, if it does.
    fn follows(&self, zone: &Arc<Zone>, target: &Name, rtype: RrType) -> Option<&Arc<Zone>> {
        if matches!(rtype, RrType::CNAME | RrType::ANY) || self.follow == Follow::No {
            return None;
        }
        self.zone_for(target, rtype).filter(|z| self.follow == Follow::Server || z.apex() == zone.apex())
    }

    fn write(&self, query: &Message<'_>, edns: Option<&Edns>, reply: Reply, transport: Transport) -> Vec<u8> {
        let header = query.header();
        let limit = match (transport, edns) {
            (Transport::Tcp, _) => usize::from(u16::MAX),
            (_, None) => PLAIN_UDP,
            (_, Some(edns)) => usize::from(edns.udp_size).clamp(PLAIN_UDP, MAX_UDP),
        };
        let opcode = header.flags & 0x7800;
        let mut flags = Header::QR | opcode | header.flags & (Header::RD | Header::CD) | reply.rcode & 0xf;
        if reply.authoritative {
            flags |= Header::AA;
        }
        let id = header.id.wrapping_add(u16::from(self.mode == Mode::WrongId));
        let mut writer = MessageWriter::new(id, flags, limit);
        let options: Vec<(u16, Vec<u8>)> = edns
            .and_then(|edns| edns.option(COOKIE)?.get(..CLIENT_COOKIE))
            .filter(|_| self.cookies && reply.rcode != FORMERR)
            .map(|client| (COOKIE, cookie(client)))
            .into_iter()
            .collect();
        if edns.is_some() {
            writer.reserve(opt_octets(&options));
        }
        if self.sections(&mut writer, query, &reply, transport).is_err() {
            writer.set_flags(Header::TC);
        }
        if let Some(edns) = edns {
            let dnssec_ok = if edns.dnssec_ok { 0x8000 } else { 0 };
            // What was reserved.
            let _ = writer.opt(MAX_UDP as u16, (reply.rcode >> 4) as u8, dnssec_ok, &options);
        }
        writer.finish()
    }

    /// All sections, or as much as there is room for; `Err` when something needed is missing.
    fn sections(
        &self,
        writer: &mut MessageWriter,
        query: &Message<'_>,
        reply: &Reply,
        transport: Transport,
    ) -> Result<(), crate::wire::writer::Full> {
        if let Some(question) = query.question() {
            let mut question = question.clone();
            if self.mode == Mode::WrongCase {
                question.name = other_case(&question.name);
            }
            writer.question(&question)?;
        }
        if self.mode == Mode::Truncate && transport == Transport::Udp {
            return Err(crate::wire::writer::Full);
        }
        let sections = [(Section::Answer, &reply.answer), (Section::Authority, &reply.authority)];
        for (section, sets) in sections {
            for set in sets {
                writer.rrset(section, &set.owner, set.rtype, set.class, set.ttl, &set.rdata)?;
            }
        }
        for set in &reply.additional {
            let written =
                writer.rrset(Section::Additional, &set.owner, set.rtype, set.class, set.ttl, &set.rdata);
            if reply.referral {
                written?;
            }
        }
        Ok(())
    }
}

/// Addresses that the zone has of the names that the reply mentions: glue (RFC 1034 §4.3.2 step
/// 3b) and what saves a question (step 6, RFC 2782, RFC 9460 §4.1).
fn additional(zone: &Zone, reply: &Reply) -> Vec<RrSet> {
    let mut sets: Vec<RrSet> = Vec::new();
    for set in reply.answer.iter().chain(&reply.authority) {
        let name_at = match set.rtype {
            RrType::NS => 0,
            RrType::MX | RrType::SVCB | RrType::HTTPS => 2,
            RrType::SRV => 6,
            _ => continue,
        };
        for rdata in set.rdata.iter() {
            let Some(name) = rdata.get(name_at..).and_then(leading_name) else { continue };
            for rtype in [RrType::A, RrType::AAAA] {
                if let Some(found) = zone.stored(&name, rtype)
                    && !sets.contains(found)
                {
                    sets.push(found.clone());
                }
            }
        }
    }
    sets
}

/// The uncompressed name that `octets` start with; SvcParams may follow it.
fn leading_name(octets: &[u8]) -> Option<Name> {
    let mut end = 0;
    while let Some(&n) = octets.get(end) {
        end += 1 + usize::from(n);
        if n == 0 {
            return Name::from_wire(octets.get(..end)?).ok();
        }
    }
    None
}

/// The client's cookie with ours behind it (RFC 7873 §4.2). A lab has nothing to protect, so its
/// secret is no secret.
fn cookie(client: &[u8]) -> Vec<u8> {
    let mut hasher = SipHasher24::new_with_key(b"the lab's cookie");
    hasher.write(client);
    [client, &hasher.finish().to_be_bytes()].concat()
}

/// The name with the case of every letter changed.
fn other_case(name: &Name) -> Name {
    let flip = |b: &u8| if b.is_ascii_alphabetic() { b ^ 0x20 } else { *b };
    // Length octets are at most 63 and thus no letters.
    let wire: Vec<u8> = name.as_wire().iter().map(flip).collect();
    Name::from_wire(&wire).unwrap_or_else(|_| name.clone())
}
