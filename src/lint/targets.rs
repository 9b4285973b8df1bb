//! Rules on where a chain ends: at nothing, at servers that do not have it, at a third party, at
//! something that nobody has signed.
//!
//! Deliberately does not know which domains can be registered: a name that a top-level domain or the
//! root denies is called unregistered, and what a registry below that denies (`co.uk`) a dangling
//! alias, unless the operator's list names it. RFC 2181 §10.1, RFC 4035 §3.2.3.

use super::facts::{Chain, End};
use super::{Findings, Record, View, kind, plan};
use crate::failure::{Failure, Unaddressed};
use crate::security::Security;
use crate::wire::Name;

pub(super) fn look(view: &View<'_>, findings: &mut Findings) {
    for chain in &view.chains {
        match &chain.end {
            End::NxDomain(denied_by) if chain.is_alias() => {
                let records = Record::of_links(&chain.links);
                nothing_there(view, chain, denied_by.as_ref(), records, findings);
            }
            End::Failed(failure) => failed(view, chain, failure, findings),
            _ => {}
        }
        insecure(chain, findings);
    }
    alias_mode(view, findings);
    cloaked(view, findings);
}

/// The chain leads to a name that does not exist.
fn nothing_there(
    view: &View<'_>,
    chain: &Chain<'_>,
    denied_by: Option<&Name>,
    records: Vec<Record>,
    findings: &mut Findings,
) {
    let target = chain.end_name();
    let by = denied_by.map(|zone| format!(", says {zone}")).unwrap_or_default();
    let what = format!("{target} does not exist (NXDOMAIN){by}");
    if let Some(claimed) = claimable(view, chain) {
        let what = format!("{what}; {claimed} is on the takeover list");
        findings.add(kind::SUBDOMAIN_TAKEOVER, target, what, records);
        return;
    }
    let is_registry = denied_by.is_some_and(|zone| zone.label_count() == 1);
    let kind = if is_registry { kind::UNREGISTERED_TARGET } else { kind::DANGLING_ALIAS };
    findings.add(kind, target, what, records);
}

/// The suffix of the operator's list under which the chain, or what it starts from, leads.
fn claimable<'a>(view: &View<'a>, chain: &Chain<'_>) -> Option<&'a Name> {
    let targets = chain.links.iter().filter_map(|link| link.target.as_ref());
    targets.chain([chain.end_name()]).find_map(|target| view.lists.takeover.over(target))
}

/// Nobody could tell what is at the end; the sentence is that of the resolver.
fn failed(view: &View<'_>, chain: &Chain<'_>, failure: &Failure, findings: &mut Findings) {
    let lame = match failure {
        // `chains` has them.
        Failure::Loop(_) | Failure::EndlessDname { .. } | Failure::ChainTooLong { .. } => return,
        Failure::NoServer { tally, .. } => !tally.is_unheard(),
        Failure::NoAddress { why, .. } => *why != Unaddressed::Late,
        Failure::Limit { .. } | Failure::Bogus { .. } => false,
    };
    let records = Record::of_links(&chain.links);
    let (at, sentence) = (chain.end_name(), failure.sentence());
    // Servers that tell one type have the zone, however badly they take another.
    let told = view.chains.iter().any(|other| other.is_resolved() && other.end_name() == at);
    match (lame && !told && chain.is_alias(), claimable(view, chain)) {
        (true, Some(claimed)) => {
            let what = format!("{sentence}; {claimed} is on the takeover list");
            findings.add(kind::SUBDOMAIN_TAKEOVER, at, what, records);
        }
        (true, None) => findings.add(kind::LAME_TARGET, at, sentence, records),
        (false, _) => findings.add(kind::UNRESOLVED, at, sentence, records),
    }
}

/// AliasMode is an alias for its own type (RFC 9460 §2.4.2), and can dangle like one.
fn alias_mode(view: &View<'_>, findings: &mut Findings) {
    for chain in view.chains.iter().filter(|chain| plan::has_alias_mode(chain.question.rtype)) {
        let End::Data(sets) = chain.end else { continue };
        for held in sets {
            for (target, record) in plan::alias_mode_targets(&held.set).zip(Record::of_set(held)) {
                let Some(target) = target else { continue };
                let found = view.targets.iter().find(|found| found.question.name == target);
                let Some(found) = found else { continue };
                if let End::NxDomain(denied_by) = &found.end {
                    let mut records = vec![record];
                    records.extend(Record::of_links(&found.links));
                    nothing_there(view, found, denied_by.as_ref(), records, findings);
                }
            }
        }
    }
}

/// Part of the chain is proven, and part of it cannot be.
fn insecure(chain: &Chain<'_>, findings: &mut Findings) {
    if !chain.is_alias() || !chain.is_resolved() {
        return;
    }
    let parts = chain.links.iter().map(|link| (&link.owner, link.zone.as_ref(), &link.security));
    let end = (chain.end_name(), chain.end_zone.as_ref(), &chain.end_security);
    let parts: Vec<_> = parts.chain([end]).collect();
    let open = parts.iter().find(|(.., security)| **security == Security::Insecure);
    let Some((name, zone, _)) = open.filter(|_| parts.iter().any(|(.., s)| **s == Security::Secure)) else {
        return;
    };
    let signed: Vec<String> = parts
        .iter()
        .filter(|(.., security)| **security == Security::Secure)
        .map(|(name, ..)| name.to_string())
        .collect();
    let zone = zone.map(|zone| format!(" in {zone}")).unwrap_or_default();
    let what = format!("{name}{zone} is not signed; {} is", signed.join(", "));
    findings.add(kind::INSECURE_HOP, name, what, Record::of_links(&chain.links));
}

/// A third party on the operator's list answers for a name that is not its own.
fn cloaked(view: &View<'_>, findings: &mut Findings) {
    for chain in &view.chains {
        for (at, link) in chain.links.iter().enumerate() {
            let Some(target) = &link.target else { continue };
            let Some(tracker) = view.lists.trackers.over(target) else { continue };
            if !view.name.is_at_or_below(tracker) {
                let what = format!("{target} belongs to {tracker}, which is on the tracker list");
                let way = chain.links.get(..=at).unwrap_or_default();
                findings.add(kind::CLOAKED_TRACKER, target, what, Record::of_links(way));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Tally;
    use crate::lint::facts::Link;
    use crate::lint::{Kind, Lists};
    use crate::rrset::{Question, RrType};

    /// What is found of an alias whose target refuses the second of two types, and ends the first so.
    fn found(first: impl Fn() -> End<'static>) -> Vec<Kind> {
        let n = |text: &str| -> Name { text.parse().unwrap() };
        let failure = Failure::NoServer {
            owner: n("b."),
            rtype: RrType::HTTPS,
            zone: n("b."),
            tally: Tally { refused: 1, ..Tally::default() },
        };
        let link = Link {
            owner: n("a."),
            target: Some(n("b.")),
            dname: None,
            ttl: 60,
            zone: None,
            security: Security::Unchecked,
        };
        let (a, https) = (Question::new(n("a."), RrType::A), Question::new(n("a."), RrType::HTTPS));
        let chain = |question, end| Chain {
            question,
            links: vec![link.clone()],
            end,
            end_zone: None,
            end_security: Security::Unchecked,
        };
        let (name, lists) = (n("a."), Lists::default());
        let mut findings = Findings::default();
        let chains = vec![chain(&a, first()), chain(&https, End::Failed(&failure))];
        let view = View {
            name: &name,
            chains,
            targets: Vec::new(),
            wildcard: None,
            oddities: Vec::new(),
            lists: &lists,
        };
        look(&view, &mut findings);
        findings.0.into_iter().map(|finding| finding.kind).collect()
    }

    #[test]
    fn a_server_that_takes_one_type_badly_is_not_lame() {
        assert_eq!(found(|| End::NoData), [kind::UNRESOLVED]);
        assert_eq!(found(|| End::Data(&[])), [kind::UNRESOLVED]);
        let all: &'static Failure = Box::leak(Box::new(Failure::NoServer {
            owner: Name::root(),
            rtype: RrType::A,
            zone: Name::root(),
            tally: Tally { servfail: 1, ..Tally::default() },
        }));
        assert_eq!(found(|| End::Failed(all)), [kind::LAME_TARGET]);
        let (owner, zone) = (Name::root(), Name::root());
        let late = Failure::NoAddress { owner, zone, why: Unaddressed::Late };
        let late: &'static Failure = Box::leak(Box::new(late));
        assert_eq!(found(|| End::Failed(late))[..1], [kind::UNRESOLVED]);
    }
}
