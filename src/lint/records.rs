//! Rules on single names and what stands there: beside a CNAME, at an apex, at a wildcard, and where
//! other records point to.
//!
//! Some the resolver notes on its way (`trace::LintCode`); the others show when the answers to several
//! types are laid side by side. RFC 1034 §3.6.2, RFC 2181 §10, RFC 4592 §4.4, RFC 6672 §2.4.

use super::facts::{Chain, End, Link, Oddity};
use super::{Findings, Kind, Record, View, kind, plan};
use crate::rrset::RrType;
use crate::trace::LintCode;
use crate::wire::Name;

pub(super) fn look(view: &View<'_>, findings: &mut Findings) {
    for oddity in &view.oddities {
        noted(view, oddity, findings);
    }
    beside(view, findings);
    wildcard_dname(view, findings);
    pointing_at_aliases(view, findings);
}

/// What the resolver saw.
fn noted(view: &View<'_>, Oddity { code, owner, dropped }: &Oddity, findings: &mut Findings) {
    let mut records = records_at(view, owner);
    let others = dropped.iter().filter(|rtype| !matches!(**rtype, RrType::CNAME | RrType::DNAME));
    records.extend(others.map(|rtype| Record::mentioned(owner, *rtype)));
    match code {
        LintCode::CnameAtApex => {
            let what = format!("{owner} is the apex of a zone and an alias");
            findings.add(kind::CNAME_AT_APEX, owner, what, records);
        }
        LintCode::CnameAndOtherData => {
            let types: Vec<String> = dropped.iter().map(ToString::to_string).collect();
            let what = format!("{owner} is an alias and has {} records", types.join(", "));
            findings.add(kind::CNAME_AND_OTHER_DATA, owner, what, records);
        }
        LintCode::MultipleCname if dropped.contains(&RrType::DNAME) => {
            let what = format!("{owner} has more than one DNAME; the first in canonical order was followed");
            findings.add(kind::MULTIPLE_DNAME, owner, what, records);
        }
        LintCode::MultipleCname => {
            let what = format!("{owner} has more than one CNAME; the first in canonical order was followed");
            findings.add(kind::MULTIPLE_CNAME, owner, what, records);
        }
        LintCode::NsTargetAlias => {
            let what = format!("{owner} is the name of a name server and an alias");
            findings.add(kind::NS_TARGET_ALIAS, owner, what, records);
        }
    }
}

/// The alias at a name, or the DNAME there.
fn records_at(view: &View<'_>, owner: &Name) -> Vec<Record> {
    let at =
        |link: &&Link| link.owner == *owner || link.dname.as_ref().is_some_and(|(above, _)| above == owner);
    let chains = view.chains.iter().chain(&view.targets);
    let link = chains.flat_map(|chain| &chain.links).find(at);
    link.into_iter().flat_map(Record::of_link).collect()
}

/// The name is an alias for one type and has records of another. At an apex SOA and NS cannot be
/// missing: that is another finding.
fn beside(view: &View<'_>, findings: &mut Findings) {
    let alias = view.chains.iter().find_map(|chain| chain.links.first().filter(|link| link.dname.is_none()));
    let Some(alias) = alias else { return };
    let is_apex = alias.zone.as_ref() == Some(view.name);
    let others = view.chains.iter().filter_map(Chain::own_data).flatten();
    let others = others.filter(|held| {
        let rtype = held.set.rtype;
        !(rtype.may_sit_beside_cname() || is_apex && matches!(rtype, RrType::NS | RrType::SOA))
    });
    let (mut types, mut records) = (Vec::new(), Record::of_link(alias).collect::<Vec<_>>());
    for held in others {
        types.push(held.set.rtype.to_string());
        records.extend(Record::of_set(held));
    }
    if !types.is_empty() {
        let what = format!("{} is an alias and has {} records", view.name, types.join(", "));
        findings.add(kind::CNAME_AND_OTHER_DATA, view.name, what, records);
    }
}

fn wildcard_dname(view: &View<'_>, findings: &mut Findings) {
    let own = view.chain(RrType::DNAME).filter(|_| view.name.is_wildcard());
    let data = view.wildcard.as_ref().into_iter().chain(own).filter_map(Chain::own_data).flatten();
    for held in data.filter(|held| held.set.rtype == RrType::DNAME && held.set.owner.is_wildcard()) {
        let what = format!("{} is a wildcard and has a DNAME", held.set.owner);
        findings.add(kind::WILDCARD_DNAME, &held.set.owner, what, Record::of_set(held).collect());
    }
}

/// MX, NS, SRV and PTR records whose target is an alias.
fn pointing_at_aliases(view: &View<'_>, findings: &mut Findings) {
    for chain in &view.chains {
        let End::Data(sets) = chain.end else { continue };
        for held in sets {
            let Some(kind) = kind_of_target(held.set.rtype) else { continue };
            for (target, record) in plan::pointed_to(&held.set).zip(Record::of_set(held)) {
                let found = view.targets.iter().find(|found| found.question.name == target);
                let Some(link) = found.and_then(|found| found.links.first()) else { continue };
                let what = format!("{target} is an alias");
                let records = [record].into_iter().chain(Record::of_link(link)).collect();
                findings.add(kind, &target, what, records);
            }
        }
    }
}

/// What it is when a record of this type points to an alias.
fn kind_of_target(rtype: RrType) -> Option<Kind> {
    Some(match rtype {
        RrType::MX => kind::MX_TARGET_ALIAS,
        RrType::NS => kind::NS_TARGET_ALIAS,
        RrType::SRV => kind::SRV_TARGET_ALIAS,
        RrType::PTR => kind::PTR_TARGET_ALIAS,
        // RFC 9460 has nothing against it for SVCB and HTTPS.
        _ => return None,
    })
}
