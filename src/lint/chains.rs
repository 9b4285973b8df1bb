//! Rules on the chain as a whole: does it end, how long is it, does it come back, do both address
//! families end at one name?
//!
//! Does not know: what stands at its end (`targets`). RFC 1034 §3.6.2, RFC 6672 §2.2.

use super::facts::{Chain, End, Link};
use super::{Findings, Record, View, kind};
use crate::failure::Failure;
use crate::rrset::RrType;
use crate::wire::Name;

/// Aliases from which on a chain is called long. Ours: the resolvers that cnamed was compared with
/// give up a chain of sixteen zones (docs/measurements.md), and few names need more than four.
pub const LONG: usize = 9;

pub(super) fn look(view: &View<'_>, findings: &mut Findings) {
    for chain in &view.chains {
        ends(chain, findings);
        long(chain, findings);
        reenters(chain, findings);
    }
    dname_of_its_own(view, findings);
    diverge(view, findings);
}

/// Loops and limits; the sentence is that of the resolver.
fn ends(chain: &Chain<'_>, findings: &mut Findings) {
    let End::Failed(failure) = chain.end else { return };
    let records = || Record::of_links(&chain.links);
    match failure {
        Failure::Loop(names) => {
            let start = names.first().unwrap_or(&chain.question.name);
            let circle = chain.links.iter().skip_while(|link| link.owner != *start);
            let records = circle.flat_map(Record::of_link).collect();
            findings.add(kind::ALIAS_LOOP, start, failure.sentence(), records);
        }
        Failure::EndlessDname { owner, .. } => {
            let last = chain.links.last().into_iter().flat_map(Record::of_link).collect();
            findings.add(kind::DNAME_BELOW_ITSELF, owner, failure.sentence(), last);
        }
        Failure::ChainTooLong { .. } => {
            if let Some((owner, circle)) = growth(&chain.links) {
                findings.add(kind::GROWING_CHAIN, owner, failure.sentence(), Record::of_links(circle));
            } else {
                findings.add(kind::CHAIN_TOO_LONG, &chain.question.name, failure.sentence(), records());
            }
        }
        _ => {}
    }
}

/// The DNAME through which the chain goes a second time with a longer name, and the links between.
fn growth(links: &[Link]) -> Option<(&Name, &[Link])> {
    links.iter().enumerate().find_map(|(at, link)| {
        let (above, _) = link.dname.as_ref()?;
        let again = links.iter().skip(at + 1).position(|later| {
            later.owner.len() > link.owner.len()
                && later.dname.as_ref().is_some_and(|(dname, _)| dname == above)
        })?;
        Some((above, links.get(at..=at + again)?))
    })
}

fn long(chain: &Chain<'_>, findings: &mut Findings) {
    if chain.links.len() >= LONG && chain.is_resolved() {
        let what =
            format!("{} aliases between {} and {}", chain.links.len(), chain.question.name, chain.end_name());
        findings.add(kind::LONG_CHAIN, &chain.question.name, what, Record::of_links(&chain.links));
    }
}

/// Zones in the order in which the chain goes through them, each with its first link; `None` where
/// the end is.
fn reenters(chain: &Chain<'_>, findings: &mut Findings) {
    if !chain.is_resolved() {
        return;
    }
    let zones = chain.links.iter().map(|link| link.zone.as_ref()).chain([chain.end_zone.as_ref()]);
    // Where a zone is not known, nothing can be said about what comes back.
    let Some(zones) = zones.collect::<Option<Vec<&Name>>>() else { return };
    let back = zones.iter().enumerate().find_map(|(at, zone)| {
        let before = zones.get(..at)?;
        let left = before.iter().position(|z| z == zone)?;
        (before.last() != Some(zone)).then_some((left, at, *zone))
    });
    let Some((left, at, zone)) = back else { return };
    let between: Vec<String> =
        zones.iter().take(at).skip(left).filter(|z| **z != zone).map(ToString::to_string).collect();
    let what = format!("the chain leaves {zone} for {} and comes back", between.join(", "));
    let links = chain.links.get(left..at).unwrap_or_default();
    findings.add(kind::ZONE_REENTERED, zone, what, Record::of_links(links));
}

/// A DNAME at the name itself, which does not redirect that name (RFC 6672 §2.3), so that no chain
/// shows where it leads.
fn dname_of_its_own(view: &View<'_>, findings: &mut Findings) {
    let own = view.chain(RrType::DNAME).and_then(Chain::own_data);
    for held in own.into_iter().flatten().filter(|held| held.set.rtype == RrType::DNAME) {
        for target in held.set.targets().filter(|target| target.is_at_or_below(&held.set.owner)) {
            let what = format!("{target} is not outside the tree of {}", held.set.owner);
            findings.add(kind::DNAME_BELOW_ITSELF, &held.set.owner, what, Record::of_set(held).collect());
        }
    }
}

fn diverge(view: &View<'_>, findings: &mut Findings) {
    let (Some(v4), Some(v6)) = (view.chain(RrType::A), view.chain(RrType::AAAA)) else { return };
    if v4.is_resolved() && v6.is_resolved() && v4.end_name() != v6.end_name() {
        let what = format!("A ends at {}, AAAA at {}", v4.end_name(), v6.end_name());
        let mut records = Record::of_links(&v4.links);
        let more: Vec<Record> =
            Record::of_links(&v6.links).into_iter().filter(|record| !records.contains(record)).collect();
        records.extend(more);
        let data = [v4, v6].into_iter().filter_map(|chain| chain.own_data()).flatten();
        records.extend(data.flat_map(Record::of_set));
        findings.add(kind::ADDRESS_FAMILIES_DIVERGE, view.name, what, records);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::Security;

    fn link(owner: &str, dname: Option<(&str, &str)>) -> Link {
        Link {
            owner: owner.parse().unwrap(),
            target: None,
            dname: dname.map(|(from, to)| (from.parse().unwrap(), to.parse().unwrap())),
            ttl: 60,
            zone: None,
            security: Security::Unchecked,
        }
    }

    #[test]
    fn only_a_name_that_gets_longer_in_the_same_dname_grows() {
        let (left, right) = (Some(("a.", "x.b.")), Some(("b.", "y.a.")));
        let growing = [link("w.a.", left), link("w.x.b.", right), link("w.x.y.a.", left)];
        let (at, circle) = growth(&growing).unwrap();
        assert_eq!((at.to_string().as_str(), circle.len()), ("a.", 2));
        let shrinking = [link("w.s.s.a.", Some(("s.a.", "a."))), link("w.s.a.", Some(("s.a.", "a.")))];
        assert_eq!(growth(&shrinking), None);
        assert_eq!(
            growth(&[link("w.a.", left), link("longer.b.", None), link("much-longer.a.", None)]),
            None
        );
    }
}
