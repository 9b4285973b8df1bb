//! QNAME minimisation (RFC 9156): how much of the name a server of a zone gets to see.
//!
//! Knows: the schedule of §2.3. Does not know: what servers answered. Shown by:
//! `tests/scenarios/walk_minimi*`.

use crate::budget;
use crate::cache::cuts::{Cut, CutKind};
use crate::rrset::{Question, RrType};
use crate::wire::Name;

/// Labels added one by one before larger steps are taken (RFC 9156 §2.3, MINIMISE_ONE_LAB).
pub const ONE_LABEL_STEPS: u32 = 4;

/// The type asked with a minimised name of the servers of `zone` (RFC 9156 §2.1: any that the zone
/// itself answers for). The root and the top-level domains are asked for NS, which there is a
/// referral like any other; below, where some servers mistreat NS, for A, "always a good
/// candidate".
pub fn shown_type(zone: &Name) -> RrType {
    if zone.label_count() <= 1 { RrType::NS } else { RrType::A }
}

/// Do the servers of `cut` mostly know of the whole name only where its zone is? Then others, who ask for what is
/// below that name, are asking the same.
pub fn mostly_a_cut(cut: &Cut, question: &Question) -> bool {
    let asks_child = cut.kind == CutKind::Delegated && question.rtype != RrType::DS;
    asks_child && question.name != cut.zone && shown_type(&cut.zone) == RrType::NS
}

/// How many labels of a name of `labels` labels to show next, when `shown` are known to lead no
/// further down and `left` of the minimised questions that a client question may spend
/// (MAX_MINIMISE_COUNT) are unspent.
pub fn next_labels(shown: usize, labels: usize, left: u32) -> usize {
    let missing = labels.saturating_sub(shown);
    if missing <= 1 || left == 0 {
        return labels;
    }
    let spent = budget::MINIMISED.saturating_sub(left);
    if spent < ONE_LABEL_STEPS {
        return shown + 1;
    }
    shown + missing.div_ceil(left as usize + 1)
}

/// The name to show.
pub fn shown(name: &Name, labels: usize) -> Name {
    name.suffix(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_take_at_most_ten_steps() {
        let (mut shown, mut left, mut steps) = (2, budget::MINIMISED, Vec::new());
        while shown < 60 {
            shown = next_labels(shown, 60, left);
            left = left.saturating_sub(1);
            steps.push(shown);
        }
        assert_eq!(&steps[..4], [3, 4, 5, 6]);
        assert!(steps.len() <= 11, "{steps:?}");
        assert_eq!(*steps.last().unwrap(), 60);
        assert_eq!(next_labels(1, 2, 10), 2);
        assert_eq!(next_labels(1, 5, 0), 5);
    }
}
