//! Rules on how long aliases may be kept.
//!
//! RFC 1034 §3.6, RFC 1035 §3.2.1. The bounds of what is called far are ours.

use super::facts::{Chain, End};
use super::{Findings, Record, View, kind};

/// An alias may live so many times as long as what it leads to.
pub const FAR_ABOVE: u32 = 100;
/// Seconds that any alias may live, however short its target's TTL is.
pub const SHORT: u32 = 3_600;

pub(super) fn look(view: &View<'_>, findings: &mut Findings) {
    for chain in &view.chains {
        zero(chain, findings);
        far_above(chain, findings);
    }
}

fn zero(chain: &Chain<'_>, findings: &mut Findings) {
    for link in chain.links.iter().filter(|link| link.ttl == 0) {
        let what = format!("the alias at {} has TTL 0", link.owner);
        findings.add(kind::ALIAS_TTL_ZERO, &link.owner, what, Record::of_link(link).collect());
    }
}

/// Compares each alias with the record that it leads to.
fn far_above(chain: &Chain<'_>, findings: &mut Findings) {
    let end = match chain.end {
        End::Data(sets) => sets.iter().map(|held| held.set.ttl).min(),
        _ => None,
    };
    let targets = chain.links.iter().skip(1).map(|link| Some(link.ttl)).chain([end]);
    for (link, target) in chain.links.iter().zip(targets) {
        let Some(target) = target.filter(|target| is_far(link.ttl, *target)) else { continue };
        let what = format!("the alias at {} lives {} s, its target {target} s", link.owner, link.ttl);
        findings.add(kind::ALIAS_TTL_ABOVE_TARGET, &link.owner, what, Record::of_link(link).collect());
    }
}

fn is_far(alias: u32, target: u32) -> bool {
    alias > SHORT && alias > target.saturating_mul(FAR_ABOVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_bounds_must_be_passed() {
        for (alias, target, far) in [
            (86_400, 30, true),
            (SHORT, 0, false),
            (SHORT + 1, 0, true),
            (30_000, 300, false),
            (30_001, 300, true),
            (u32::MAX, u32::MAX, false),
        ] {
            assert_eq!(is_far(alias, target), far, "{alias} {target}");
        }
    }
}
