//! From a message to a [`Reply`]: one of a closed list of meanings, with nothing in it that the
//! asked server could not know.
//!
//! Knows: which records a server of zone Z may teach when asked (N, T) (alias-rules R2–R8, RFC 2181
//! §5.4.1, RFC 2308 §2, RFC 6672 §3), what a referral is, and when a server is lame. Does not know:
//! whether the message answers our question at all (`upstream` has checked that), what is cached.
//! Records that are neither asked for nor needed are never looked at.
//!
//! Shown by: `tests/scenarios/r02_*` … `r08_*`, `walk_lame_*`; `../shared/attacks`
//! poison, lame, malformed.

use std::net::IpAddr;

use super::rank::Rank;
use std::ops::Deref;
use std::sync::Arc;

use crate::chain::{self, Redirection};
use crate::rrset::{Class, Question, RrSet, RrType};
use crate::trace::{Dropped, Flaw, LintCode};
use crate::wire::reader::{Message, Record, Section};
use crate::wire::{Name, name};

/// Names read from one NS set: the root and the largest TLDs have 13; a referral with hundreds is
/// an attack on somebody (NXNSAttack).
pub const MAX_SERVERS: usize = 20;
/// Glue addresses read for one name server.
pub const MAX_GLUE_PER_SERVER: usize = 8;
/// NSEC and NSEC3 sets read from one reply: RFC 5155 needs three for a denial, a chain's reply may
/// bring some for each link.
pub const MAX_PROOF_SETS: usize = 12;
/// Signatures kept for one RRset. A zone in an algorithm rollover has two or three.
pub const MAX_SIGNATURES: usize = 8;
/// Further hops taken from one reply that cannot be forged (R3): no more than a chain may have.
pub const MAX_VOLUNTEERED: usize = 64;

/// The NSEC and NSEC3 sets that came with something; shared, since every copy of it needs them. None
/// take no memory: most of what is cached has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof(Option<Arc<[RrSet]>>);

impl Deref for Proof {
    type Target = [RrSet];

    fn deref(&self) -> &[RrSet] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl From<Vec<RrSet>> for Proof {
    fn from(sets: Vec<RrSet>) -> Proof {
        Proof((!sets.is_empty()).then(|| Arc::from(sets)))
    }
}

/// What was asked, of whom.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// Whose servers were asked.
    pub zone: &'a Name,
    /// As sent.
    pub question: &'a Question,
    /// The reply came over TCP or echoed our cookie: no off-path attacker made it (R3).
    pub unforgeable: bool,
    /// It is at least hard to forge: its glue may serve other zones too.
    pub guarded: bool,
    /// Who was asked, and what for.
    pub manner: Manner,
}

/// What kind of question it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// An authoritative server.
    Authority,
    /// A forwarder: it is no authority, and refers nobody anywhere (R43).
    Forwarder,
    /// A root server, for the root's own NS set and addresses (RFC 9609).
    Priming,
}

/// What a reply means.
#[derive(Clone, Debug)]
pub enum Reply {
    /// The RRset asked for; several for ANY.
    Data {
        /// At least one.
        sets: Vec<RrSet>,
        /// By the AA bit.
        rank: Rank,
        /// NSEC and NSEC3 sets of the authority section: for answers made from a wildcard.
        proof: Proof,
    },
    /// The name is an alias.
    Alias {
        /// Where it leads.
        redirection: Redirection,
        /// By the AA bit.
        rank: Rank,
        /// Further links of an in-zone chain (R3).
        volunteered: Volunteered,
        /// As in [`Reply::Data`].
        proof: Proof,
    },
    /// The name exists, the type does not.
    NoData {
        /// Bounds how long that may be remembered (RFC 2308 §5).
        soa: Option<RrSet>,
        /// By the AA bit.
        rank: Rank,
        /// NSEC and NSEC3 sets.
        proof: Proof,
    },
    /// The name does not exist.
    NxDomain {
        /// Bounds how long that may be remembered.
        soa: Option<RrSet>,
        /// By the AA bit.
        rank: Rank,
        /// NSEC and NSEC3 sets.
        proof: Proof,
    },
    /// Somebody else knows: a zone cut below.
    Referral(Referral),
    /// Nothing that helps.
    Unusable(Flaw),
}

/// Links that a server added to its answer with AA=1: to be believed when nobody off the path can
/// have made the reply, or when its first link proves secure (R3).
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Volunteered {
    pub sets: Vec<RrSet>,
    /// It came over TCP or echoed our cookie.
    pub unforgeable: bool,
}

/// A delegation as the parent's server gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Referral {
    pub zone: Name,
    pub ttl: u32,
    pub servers: Vec<NameServer>,
    /// The DS set of the cut, if it came along.
    pub ds: Option<RrSet>,
    /// NSEC and NSEC3 sets, which may prove that there is none.
    pub proof: Proof,
    /// Nobody off the path can well have made it: its glue may serve other zones too.
    pub guarded: bool,
}

/// A name server with the addresses that came along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameServer {
    /// The NS target.
    pub name: Name,
    /// Glue within the bailiwick of who sent it.
    pub glue: Vec<IpAddr>,
    /// Addresses from outside that bailiwick: good for reaching this zone as a last resort, since
    /// who sent them decides about the delegation anyway.
    pub hearsay: Vec<IpAddr>,
}

/// Findings on the way, for the trace.
#[derive(Default, Debug)]
#[allow(missing_docs)]
pub struct Notes {
    pub dropped: Vec<(Name, RrType, Dropped)>,
    pub lints: Vec<(Name, LintCode)>,
}

/// Dropped records that one reply's notes name.
pub const MAX_NOTES: usize = 64;

impl Notes {
    fn dropped(&mut self, owner: Name, rtype: RrType, why: Dropped) {
        if self.dropped.len() < MAX_NOTES {
            self.dropped.push((owner, rtype, why));
        }
    }
}

/// Reads a reply that matched its question.
pub fn read(message: &Message<'_>, asked: &Asked<'_>, notes: &mut Notes) -> Reply {
    let reply = understand(message, asked, notes);
    // An RRset of which a part could not be read is worse than none.
    if message.is_exhausted() { Reply::Unusable(Flaw::Malformed) } else { reply }
}

/// Does a server that should know for itself only repeat what it was told? It offers recursion and claims no
/// authority: lame, and the least that may be believed (RFC 2181 §5.4.1).
pub fn is_second_hand(message: &Message<'_>, asked: &Asked<'_>) -> bool {
    let header = message.header();
    asked.manner == Manner::Authority
        && header.has(crate::wire::Header::RA)
        && !header.has(crate::wire::Header::AA)
}

fn understand(message: &Message<'_>, asked: &Asked<'_>, notes: &mut Notes) -> Reply {
    let rcode = message.rcode();
    match rcode {
        NOERROR | NXDOMAIN | YXDOMAIN => {}
        SERVFAIL => return Reply::Unusable(Flaw::ServFail),
        REFUSED => return Reply::Unusable(Flaw::Refused),
        other => return Reply::Unusable(Flaw::Rcode(other)),
    }
    let authoritative = message.header().has(crate::wire::Header::AA);
    let rank = if authoritative { Rank::AuthAnswer } else { Rank::NonAuthAnswer };
    let owned = Owned::collect(message, asked, notes);
    let redirection = match (&owned.dname, rcode) {
        // The server has tried and says that the result is too long (R12); with a CNAME for this
        // name, or of several DNAMEs, it speaks of another.
        (Some(dname), YXDOMAIN) if owned.cname.is_none() && !owned.several_dnames => {
            Some(Redirection::Overlong { dname: dname.clone() })
        }
        _ => owned.redirection(asked, notes),
    };
    if let Some(redirection) = redirection {
        let sets = if authoritative { volunteered(message, asked, &redirection) } else { Vec::new() };
        let volunteered = Volunteered { sets, unforgeable: asked.unforgeable };
        return Reply::Alias { redirection, rank, volunteered, proof: proof_of(message, asked) };
    }
    if asked.manner == Manner::Priming && !owned.sets.is_empty() {
        return Reply::Referral(referral(message, asked, Section::Answer, asked.zone.clone()));
    }
    if !owned.sets.is_empty() {
        return Reply::Data { sets: owned.sets, rank, proof: proof_of(message, asked) };
    }
    if rcode == YXDOMAIN {
        return Reply::Unusable(Flaw::Rcode(rcode));
    }
    let soa = soa_of(message, asked);
    if rcode == NXDOMAIN {
        return Reply::NxDomain { soa, rank, proof: proof_of(message, asked) };
    }
    if soa.is_some() || owned.other_types || asked.manner == Manner::Forwarder {
        return Reply::NoData { soa, rank, proof: proof_of(message, asked) };
    }
    no_soa(message, asked, authoritative)
}

const NOERROR: u16 = 0;
const SERVFAIL: u16 = 2;
const NXDOMAIN: u16 = 3;
const REFUSED: u16 = 5;
const YXDOMAIN: u16 = 6;

/// NOERROR with neither answer nor SOA: a referral, NODATA of the short kind (RFC 2308 §2.2), or
/// a lame server.
fn no_soa(message: &Message<'_>, asked: &Asked<'_>, authoritative: bool) -> Reply {
    let name = &asked.question.name;
    let mut at_zone = false;
    let mut elsewhere = false;
    let mut cut = None;
    for record in message.section(Section::Authority).filter(|r| r.rtype() == RrType::NS) {
        let Some(owner) = record.owner() else { continue };
        if owner.is_below(asked.zone) && name.is_at_or_below(&owner) {
            cut.get_or_insert(owner);
        } else if owner == *asked.zone {
            at_zone = true;
        } else {
            elsewhere = true;
        }
    }
    match cut {
        Some(zone) => Reply::Referral(referral(message, asked, Section::Authority, zone)),
        None if elsewhere => Reply::Unusable(Flaw::Upward),
        None if authoritative => {
            Reply::NoData { soa: None, rank: Rank::AuthAnswer, proof: proof_of(message, asked) }
        }
        None if at_zone => Reply::Unusable(Flaw::Upward),
        None => Reply::Unusable(Flaw::Empty),
    }
}

fn referral(message: &Message<'_>, asked: &Asked<'_>, section: Section, zone: Name) -> Referral {
    let mut ttl = u32::MAX;
    let mut servers: Vec<NameServer> = Vec::new();
    let of_cut = |r: &Record<'_>| r.rtype() == RrType::NS && r.class() == Class::IN && r.is_owned_by(&zone);
    for record in message.section(section).filter(of_cut) {
        let Some(name) = record.rdata().and_then(|rdata| Name::from_wire(&rdata).ok()) else { continue };
        ttl = ttl.min(record.ttl());
        if servers.len() < MAX_SERVERS && !servers.iter().any(|s| s.name == name) {
            servers.push(NameServer { name, glue: Vec::new(), hearsay: Vec::new() });
        }
    }
    for record in message.section(Section::Additional) {
        if !matches!(record.rtype(), RrType::A | RrType::AAAA) || record.class() != Class::IN {
            continue;
        }
        let Some(server) = servers.iter_mut().find(|s| record.is_owned_by(&s.name)) else { continue };
        let Some(address) = record.rdata().and_then(|rdata| address(&rdata)) else { continue };
        let within = server.name.is_at_or_below(asked.zone);
        let list = if within { &mut server.glue } else { &mut server.hearsay };
        if list.len() < MAX_GLUE_PER_SERVER && !list.contains(&address) {
            list.push(address);
            ttl = ttl.min(record.ttl().max(1));
        }
    }
    let ds = signed_sets(message, |rtype, owner| rtype == RrType::DS && *owner == zone).pop();
    Referral { ds, proof: proof_of(message, asked), zone, ttl, servers, guarded: asked.guarded }
}

/// NSEC and NSEC3 sets of the authority section, with their signatures.
fn proof_of(message: &Message<'_>, asked: &Asked<'_>) -> Proof {
    signed_sets(message, |rtype, owner| {
        matches!(rtype, RrType::NSEC | RrType::NSEC3) && owner.is_at_or_below(asked.zone)
    })
    .into()
}

/// RRsets of the authority section that `wanted` takes, at most [`MAX_PROOF_SETS`], with signatures.
fn signed_sets(message: &Message<'_>, wanted: impl Fn(RrType, &Name) -> bool) -> Vec<RrSet> {
    let mut found: Vec<Gathering> = Vec::new();
    for record in message.section(Section::Authority) {
        if !matches!(record.rtype(), RrType::DS | RrType::NSEC | RrType::NSEC3) || record.class() != Class::IN
        {
            continue;
        }
        let Some(owner) = record.owner().filter(|owner| wanted(record.rtype(), owner)) else { continue };
        let known = found.iter().any(|g| g.rtype == record.rtype() && g.owner == owner);
        if known || found.len() < MAX_PROOF_SETS {
            gather(&mut found, &record, owner, &mut Notes::default());
        }
    }
    if !found.is_empty() {
        attach_signatures(message, Section::Authority, &mut found);
    }
    found.into_iter().map(Gathering::into_set).collect()
}

fn address(rdata: &[u8]) -> Option<IpAddr> {
    match rdata.len() {
        4 => <[u8; 4]>::try_from(rdata).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(rdata).ok().map(IpAddr::from),
        _ => None,
    }
}

/// The SOA that a denial leans on: of the zone asked or of one between it and the name.
fn soa_of(message: &Message<'_>, asked: &Asked<'_>) -> Option<RrSet> {
    let name = &asked.question.name;
    message.section(Section::Authority).find_map(|record| {
        if record.rtype() != RrType::SOA || record.class() != Class::IN {
            return None;
        }
        let owner = record.owner()?;
        if !name.is_at_or_below(&owner) || !owner.is_at_or_below(asked.zone) {
            return None;
        }
        let mut found = Vec::new();
        gather(&mut found, &record, owner, &mut Notes::default());
        attach_signatures(message, Section::Authority, &mut found);
        found.pop().map(Gathering::into_set)
    })
}

/// The records of the answer section that may be believed: owned by the name, or a DNAME above it.
struct Owned {
    /// The RRset asked for, or all for ANY; never beside a CNAME.
    sets: Vec<RrSet>,
    cname: Option<RrSet>,
    dname: Option<RrSet>,
    /// It was the first of several at its owner (R6).
    several_dnames: bool,
    /// The name has records of types that were not asked for: it exists, and the type does not.
    other_types: bool,
}

/// The records of one owner and type while they are collected.
struct Gathering {
    owner: Name,
    rtype: RrType,
    ttl: u32,
    rdata: Vec<Vec<u8>>,
    sigs: Vec<Vec<u8>>,
}

impl Gathering {
    fn into_set(self) -> RrSet {
        let mut set = RrSet::new(self.owner, self.rtype, self.ttl, self.rdata.iter().map(Vec::as_slice));
        set.sigs = crate::rrset::Rdatas::new(self.sigs.iter().map(Vec::as_slice));
        set
    }
}

impl Owned {
    fn collect(message: &Message<'_>, asked: &Asked<'_>, notes: &mut Notes) -> Owned {
        let Question { name, rtype, .. } = asked.question;
        let mut found: Vec<Gathering> = Vec::new();
        let mut other_types = false;
        for record in message.section(Section::Answer).filter(|r| r.class() == Class::IN) {
            let kind = record.rtype();
            let owner = if record.is_owned_by(name) {
                name.clone()
            } else {
                match record.owner() {
                    Some(o) if kind == RrType::DNAME && name.is_below(&o) => {
                        if !o.is_at_or_below(asked.zone) {
                            notes.dropped(o, kind, Dropped::OutOfBailiwick);
                            continue;
                        }
                        o
                    }
                    Some(o) => {
                        notes.dropped(o, kind, Dropped::NotAsked);
                        continue;
                    }
                    None => continue,
                }
            };
            let wanted = kind == *rtype
                || *rtype == RrType::ANY
                || kind == RrType::CNAME
                || (kind == RrType::DNAME && owner != *name);
            if wanted {
                gather(&mut found, &record, owner, notes);
            } else if owner == *name && kind != RrType::RRSIG {
                other_types = true;
            }
        }
        attach_signatures(message, Section::Answer, &mut found);
        Owned { other_types, ..Owned::sort_out(found, asked, notes) }
    }

    fn sort_out(found: Vec<Gathering>, asked: &Asked<'_>, notes: &mut Notes) -> Owned {
        let mut owned =
            Owned { sets: Vec::new(), cname: None, dname: None, several_dnames: false, other_types: false };
        let name = &asked.question.name;
        for gathering in found {
            match gathering.rtype {
                RrType::DNAME if gathering.owner != *name => {
                    // Of several DNAMEs above the name the one nearest to it counts; a wildcard is
                    // none (RFC 4592 §4.4).
                    let labels = gathering.owner.label_count();
                    let expanded =
                        gathering.sigs.iter().any(|s| s.get(3).is_some_and(|l| usize::from(*l) < labels));
                    let nearer = owned.dname.as_ref().is_none_or(|d| gathering.owner.is_below(&d.owner));
                    if nearer && !gathering.owner.is_wildcard() && !expanded {
                        owned.several_dnames = gathering.rdata.len() > 1;
                        owned.dname = Some(first_alias(gathering, notes));
                    }
                }
                RrType::DNAME => owned.sets.push(first_alias(gathering, notes)),
                RrType::CNAME => owned.cname = Some(first_alias(gathering, notes)),
                _ => owned.sets.push(gathering.into_set()),
            }
        }
        if let Some(cname) = &owned.cname {
            let keep = |set: &RrSet| set.rtype.may_sit_beside_cname();
            for set in owned.sets.iter().filter(|s| !keep(s)) {
                notes.dropped(set.owner.clone(), set.rtype, Dropped::BesideCname);
                notes.lints.push((cname.owner.clone(), LintCode::CnameAndOtherData));
            }
            owned.sets.retain(keep);
        }
        owned
    }

    /// The alias at the name, unless it is itself what was asked for.
    fn redirection(&self, asked: &Asked<'_>, notes: &mut Notes) -> Option<Redirection> {
        let Question { name, rtype, .. } = asked.question;
        if let Some(dname) = &self.dname {
            // The server's own CNAME is only compared; ours wins (R10).
            return Some(chain::rewrite(name, dname.clone()));
        }
        let cname = self.cname.as_ref()?;
        if name == asked.zone {
            notes.lints.push((name.clone(), LintCode::CnameAtApex));
        }
        let asked_beside = rtype.may_sit_beside_cname() && self.sets.iter().any(|s| s.rtype == *rtype);
        if asked_beside { None } else { Some(Redirection::Cname(cname.clone())) }
    }
}

fn gather(found: &mut Vec<Gathering>, record: &Record<'_>, owner: Name, notes: &mut Notes) {
    let rtype = record.rtype();
    let Some(rdata) = record.rdata().filter(|rdata| !rtype_needs_name(rtype) || name_only(rdata)) else {
        notes.dropped(owner, rtype, Dropped::Malformed);
        return;
    };
    match found.iter_mut().find(|g| g.rtype == rtype && g.owner == owner) {
        Some(g) => {
            g.ttl = g.ttl.min(record.ttl());
            // RFC 2181 §5: a set has no two equal records. Large sets are only checked against
            // their neighbour, so that 4,000 records cost 4,000 comparisons.
            let known =
                if g.rdata.len() < 64 { g.rdata.contains(&rdata) } else { g.rdata.last() == Some(&rdata) };
            if !known {
                g.rdata.push(rdata);
            }
        }
        None => {
            found.push(Gathering { owner, rtype, ttl: record.ttl(), rdata: vec![rdata], sigs: Vec::new() })
        }
    }
}

/// Types whose whole RDATA must be one name.
fn rtype_needs_name(rtype: RrType) -> bool {
    matches!(rtype, RrType::CNAME | RrType::DNAME | RrType::NS | RrType::PTR)
}

fn name_only(rdata: &[u8]) -> bool {
    rdata.len() <= name::MAX_NAME && Name::from_wire(rdata).is_ok()
}

fn attach_signatures(message: &Message<'_>, section: Section, found: &mut [Gathering]) {
    for record in message.section(section).filter(|r| r.rtype() == RrType::RRSIG) {
        let Some(rdata) = record.rdata().filter(|r| r.len() > 18) else { continue };
        let covered = RrType(u16::from_be_bytes([rdata[0], rdata[1]]));
        if let Some(g) = found.iter_mut().find(|g| g.rtype == covered && record.is_owned_by(&g.owner)) {
            g.ttl = g.ttl.min(record.ttl());
            // RFC 2181 §5, as for the records they cover.
            if g.sigs.len() < MAX_SIGNATURES && !g.sigs.contains(&rdata) {
                g.sigs.push(rdata);
            }
        }
    }
}

/// One CNAME or DNAME: the first in canonical RDATA order (R6, RFC 4034 §6.3).
fn first_alias(mut gathering: Gathering, notes: &mut Notes) -> RrSet {
    if gathering.rdata.len() > 1 {
        notes.dropped(gathering.owner.clone(), gathering.rtype, Dropped::SecondAlias);
        notes.lints.push((gathering.owner.clone(), LintCode::MultipleCname));
        gathering.rdata.sort_by_key(|rdata| rdata.to_ascii_lowercase());
        gathering.rdata.truncate(1);
    }
    gathering.into_set()
}

/// The contiguous run of further links from the alias' target, all at or below the zone, and what
/// stands at its end (R3).
fn volunteered(message: &Message<'_>, asked: &Asked<'_>, first: &Redirection) -> Vec<RrSet> {
    let mut out: Vec<RrSet> = Vec::new();
    // A DNAME's further hops are below other names; the follower asks for them.
    let Redirection::Cname(first) = first else { return out };
    let mut next = first.target();
    while let Some(name) = next.take() {
        if !name.is_at_or_below(asked.zone) || out.len() == MAX_VOLUNTEERED || name == first.owner {
            break;
        }
        let question = Question { name: name.clone(), ..asked.question.clone() };
        let again = Asked { question: &question, ..asked.clone() };
        let owned = Owned::collect(message, &again, &mut Notes::default());
        if owned.dname.is_some() || out.iter().any(|set| set.owner == name) {
            break;
        }
        if let Some(cname) = owned.cname {
            next = cname.target();
            out.push(cname);
        } else {
            out.extend(owned.sets.into_iter().filter(|s| s.rtype == question.rtype));
        }
    }
    out
}
