//! What is asked about a name: a bounded number of questions, each an ordinary one.
//!
//! Knows: which types tell something about aliases, and when more questions would tell nothing more.
//! Does not know: how they are asked (`cli::check`). Shown by: the tests below, `tests/check.rs`.
//!
//! | Asked | When | For |
//! | --- | --- | --- |
//! | A, AAAA | always | the chain |
//! | MX, NS, TXT, HTTPS, DNAME | the name has something, or is an alias | what stands beside an alias, and targets |
//! | SRV, SVCB | also, when the first label begins with `_` | targets |
//! | PTR | also, below `in-addr.arpa.` and `ip6.arpa.` | targets |
//! | DNAME of `*` beside it | A and AAAA have nothing, and there is no alias | a wildcard DNAME |
//! | A of a target | for [`MAX_TARGETS`] targets of MX, NS, SRV, PTR and AliasMode, and of NS records on the way that are aliases | is it an alias? does it exist? |

use super::facts::{self, Oddity};
use crate::cache::hop::Held;
use crate::render::Report;
use crate::resolver::Rcode;
use crate::rrset::{Question, RrSet, RrType};
use crate::trace::LintCode;
use crate::wire::Name;
use crate::wire::name::wire_len;

/// Targets of one name that are looked up.
pub const MAX_TARGETS: usize = 16;
/// Questions about one name at most: two addresses, five types and three more, a wildcard, the targets.
pub const MAX_QUESTIONS: usize = 2 + 5 + 3 + 1 + MAX_TARGETS;

/// What is asked first.
pub const FIRST: [RrType; 2] = [RrType::A, RrType::AAAA];

/// What is asked of every name that has anything.
const MORE: [RrType; 5] = [RrType::MX, RrType::NS, RrType::TXT, RrType::HTTPS, RrType::DNAME];

/// The types to ask for when those of [`FIRST`] are known. None when nothing can be had, since each
/// would fail in the same way and take as long.
pub fn more(name: &Name, first: &[Report]) -> Vec<RrType> {
    let is_nothing = |report: &Report| {
        let denied = report.answer.rcode == Rcode::NxDomain && report.answer.hops.is_empty();
        report.answer.failure.is_some() || denied
    };
    if first.iter().all(is_nothing) {
        return Vec::new();
    }
    let mut types = MORE.to_vec();
    if name.labels().next().is_some_and(|label| label.starts_with(b"_")) {
        types.extend([RrType::SRV, RrType::SVCB]);
    }
    if is_reverse(name) {
        types.push(RrType::PTR);
    }
    types
}

fn is_reverse(name: &Name) -> bool {
    let labels: Vec<Vec<u8>> = name.labels().map(<[u8]>::to_ascii_lowercase).collect();
    matches!(labels.as_slice(), [.., above, last] if last == b"arpa" && (above == b"in-addr" || above == b"ip6"))
}

/// The DNAME of the wildcard beside the name, when that might be why the name has no address.
pub fn wildcard(name: &Name, first: &[Report]) -> Option<Question> {
    let is_empty = |report: &Report| {
        let answer = &report.answer;
        answer.failure.is_none() && answer.hops.is_empty() && answer.terminal.is_empty() && !answer.local
    };
    let parent = name.parent().filter(|_| !name.is_wildcard() && first.iter().all(is_empty))?;
    parent.prepend(b"*").ok().map(|wildcard| Question::new(wildcard, RrType::DNAME))
}

/// The addresses to ask for: of what the records found point to, and of name servers that were seen to
/// be aliases.
pub fn targets(own: &[Report]) -> Vec<Question> {
    let noted = own.iter().flat_map(facts::oddities).filter(|odd| odd.code == LintCode::NsTargetAlias);
    let mut names: Vec<Name> = Vec::new();
    for Oddity { owner, .. } in noted {
        if names.len() < MAX_TARGETS && !names.contains(&owner) {
            names.push(owner);
        }
    }
    for report in own {
        for held in data_that_counts(report) {
            let of_set = pointed_to(&held.set).chain(alias_mode_targets(&held.set).flatten());
            for target in of_set.filter(|target| !target.is_root()) {
                if names.len() < MAX_TARGETS && !names.contains(&target) {
                    names.push(target);
                }
            }
        }
    }
    names.into_iter().map(|name| Question::new(name, RrType::A)).collect()
}

/// The records at the end of a chain whose targets are looked at. The servers of the zone in which an
/// alias ends are somebody else's matter.
fn data_that_counts(report: &Report) -> impl Iterator<Item = &Held> {
    let aliased = !report.answer.hops.is_empty();
    report.answer.terminal.iter().filter(move |held| held.set.rtype != RrType::NS || !aliased)
}

/// The names that records of a type point to where no alias may stand.
pub fn pointed_to(set: &RrSet) -> impl Iterator<Item = Name> {
    let skip = match set.rtype {
        RrType::NS | RrType::PTR => Some(0),
        RrType::MX => Some(2),  // preference
        RrType::SRV => Some(6), // priority, weight, port
        _ => None,
    };
    set.rdata.iter().filter_map(move |rdata| Name::from_wire(rdata.get(skip?..)?).ok())
}

/// Has the type an AliasMode (RFC 9460 §2.4.2)?
pub fn has_alias_mode(rtype: RrType) -> bool {
    matches!(rtype, RrType::SVCB | RrType::HTTPS)
}

/// For each record the name that it is an alias to; `None` for what is none (RFC 9460 §2.2).
pub fn alias_mode_targets(set: &RrSet) -> impl Iterator<Item = Option<Name>> {
    let is_svcb = has_alias_mode(set.rtype);
    set.rdata.iter().map(move |rdata| {
        let rest = rdata.strip_prefix(&[0, 0]).filter(|_| is_svcb)?;
        Name::from_wire(rest.get(..wire_len(rest)?)?).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn targets_stand_behind_their_numbers() {
        let mx = RrSet::new(n("a."), RrType::MX, 60, [&b"\x00\x0a\x01b\x00"[..], b"\x00"]);
        assert_eq!(pointed_to(&mx).collect::<Vec<_>>(), [n("b.")]);
        let srv = RrSet::new(n("a."), RrType::SRV, 60, [&b"\x00\x00\x00\x00\x00\x50\x01c\x00"[..]]);
        assert_eq!(pointed_to(&srv).collect::<Vec<_>>(), [n("c.")]);
        let alias = b"\x00\x00\x01d\x00";
        let https = RrSet::new(n("a."), RrType::HTTPS, 60, [&alias[..], b"\x00\x01\x01e\x00"]);
        assert_eq!(alias_mode_targets(&https).collect::<Vec<_>>(), [Some(n("d.")), None]);
        assert_eq!(pointed_to(&https).count(), 0);
        let text = RrSet::new(n("a."), RrType::TXT, 60, [&alias[..]]);
        assert_eq!(alias_mode_targets(&text).flatten().count(), 0);
    }

    #[test]
    fn reverse_names_are_told_by_their_last_two_labels() {
        assert!(is_reverse(&n("1.2.IN-ADDR.arpa.")) && is_reverse(&n("1.ip6.arpa.")));
        assert!(!is_reverse(&n("in-addr.arpa.example.")) && !is_reverse(&n("home.arpa.")));
    }
}
