//! A report as rules want it: a chain of links in zones, and how it ended.
//!
//! Knows: where in a report each of these stands, also when there was no answer. Decides nothing.
//! Shown by: `tests/check.rs`.

use crate::cache::hop::Held;
use crate::failure::Failure;
use crate::render::{HopSeen, LookUp, Report, Step};
use crate::resolver::Rcode;
use crate::rrset::{Question, RrType};
use crate::security::Security;
use crate::trace::{Dropped, LintCode};
use crate::wire::Name;

/// One alias that was followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The name that is an alias.
    pub owner: Name,
    /// `None`: the DNAME makes it too long.
    pub target: Option<Name>,
    /// Owner and target of the DNAME that has made it.
    pub dname: Option<(Name, Name)>,
    /// Seconds, as the zone gave them.
    pub ttl: u32,
    /// The zone that it stands in, as far as is known.
    pub zone: Option<Name>,
    /// How far it is proven.
    pub security: Security,
}

impl Link {
    fn of(hop: &HopSeen) -> Option<Link> {
        let alias = hop.alias.as_ref()?;
        Some(Link {
            owner: alias.owner.clone(),
            target: alias.target.clone(),
            dname: alias.dname.clone(),
            ttl: hop.ttl.map_or(alias.ttl, |ttl| ttl.original),
            zone: hop.zone.clone(),
            security: hop.security.clone(),
        })
    }
}

/// How a chain ended.
#[derive(Debug)]
pub enum End<'a> {
    /// With data.
    Data(&'a [Held]),
    /// The name exists, the type does not.
    NoData,
    /// The name does not exist, says this zone.
    NxDomain(Option<Name>),
    /// The DNAME in the last link makes the name too long.
    Overlong,
    /// Nobody could tell.
    Failed(&'a Failure),
}

/// What became of one question.
#[derive(Debug)]
pub struct Chain<'a> {
    /// As asked.
    pub question: &'a Question,
    /// In order.
    pub links: Vec<Link>,
    /// Behind the last link.
    pub end: End<'a>,
    /// The zone in which it ended, as far as is known.
    pub end_zone: Option<Name>,
    /// How far the end is proven.
    pub end_security: Security,
}

impl<'a> Chain<'a> {
    /// What `report` tells.
    pub fn of(report: &'a Report) -> Chain<'a> {
        let answer = &report.answer;
        let links = report.hops.iter().filter_map(Link::of).collect();
        let end = match (&answer.failure, answer.rcode) {
            (Some(failure), _) => End::Failed(failure),
            (None, Rcode::NxDomain) => End::NxDomain(answer.soa.as_ref().map(|soa| soa.set.owner.clone())),
            (None, Rcode::YxDomain) => End::Overlong,
            (None, _) if answer.terminal.is_empty() => End::NoData,
            (None, _) => End::Data(&answer.terminal),
        };
        let last = report.hops.last().filter(|hop| hop.alias.is_none());
        let end_zone = last.and_then(|hop| hop.zone.clone());
        let end_security = last.map(|hop| hop.security.clone()).unwrap_or_default();
        Chain { question: &answer.question, links, end, end_zone, end_security }
    }

    /// The name at which it ended.
    pub fn end_name(&self) -> &Name {
        self.links.last().and_then(|link| link.target.as_ref()).unwrap_or(&self.question.name)
    }

    /// Is the name that was asked for an alias?
    pub fn is_alias(&self) -> bool {
        !self.links.is_empty()
    }

    /// Did it come to an end that somebody stands for?
    pub fn is_resolved(&self) -> bool {
        !matches!(self.end, End::Failed(_))
    }

    /// The records that stand at the name itself, when it is no alias and has some.
    pub fn own_data(&self) -> Option<&'a [Held]> {
        match self.end {
            End::Data(sets) if self.links.is_empty() => Some(sets),
            _ => None,
        }
    }
}

/// Something odd that the resolver met on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oddity {
    /// What.
    pub code: LintCode,
    /// Where.
    pub owner: Name,
    /// Types that were dropped from the same reply for it.
    pub dropped: Vec<RrType>,
}

/// Everything odd that the resolver noted for one question, in all its look-ups.
pub fn oddities(report: &Report) -> Vec<Oddity> {
    let mut found = Vec::new();
    every_step(report, &mut |step| match step {
        Step::Lint { code, owner } => {
            found.push(Oddity { code: *code, owner: owner.clone(), dropped: Vec::new() });
        }
        Step::Exchange(exchange) => {
            for (code, owner) in &exchange.lints {
                let why = match code {
                    LintCode::MultipleCname => Dropped::SecondAlias,
                    _ => Dropped::BesideCname,
                };
                let same =
                    exchange.dropped.iter().filter(|(name, _, reason)| name == owner && *reason == why);
                let dropped = same.map(|(_, rtype, _)| *rtype).collect();
                found.push(Oddity { code: *code, owner: owner.clone(), dropped });
            }
        }
        _ => {}
    });
    found
}

fn every_step<'a>(report: &'a Report, visit: &mut dyn FnMut(&'a Step)) {
    fn walk<'a>(look_up: &'a LookUp, visit: &mut dyn FnMut(&'a Step)) {
        for step in &look_up.steps {
            visit(step);
            if let Step::Needed(needed) = step {
                walk(needed, visit);
            }
        }
    }
    report.hops.iter().map(|hop| &hop.look_up).for_each(|look_up| walk(look_up, visit));
}
