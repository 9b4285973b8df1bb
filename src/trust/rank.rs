//! How much an RRset may be believed, and what may replace what (RFC 2181 §5.4.1).

/// Data ranking, least trustworthy first. Glue and the NS sets of referrals are not here: they are
/// kept apart (`cache::cuts`), used to reach servers and never to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Volunteered: a further hop that a server added to its answer (R3).
    Volunteered,
    /// "Data from the answer section of a non-authoritative answer."
    NonAuthAnswer,
    /// "The authoritative data included in the answer section of an authoritative reply."
    AuthAnswer,
}

/// May `new` take the place of `old`? Dead data gives way to anything; live data only to what is
/// at least as trustworthy, and never to what was merely volunteered (R3).
pub fn replaces(new: Rank, old: Rank, old_is_live: bool) -> bool {
    !old_is_live || (new >= old && new != Rank::Volunteered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn live_data_gives_way_only_to_its_equals() {
        use Rank::{AuthAnswer, NonAuthAnswer, Volunteered};
        assert!(replaces(AuthAnswer, AuthAnswer, true));
        assert!(replaces(AuthAnswer, NonAuthAnswer, true));
        assert!(!replaces(NonAuthAnswer, AuthAnswer, true));
        assert!(!replaces(Volunteered, Volunteered, true));
        assert!(replaces(Volunteered, AuthAnswer, false));
    }
}
