//! ALIASES: following CNAME and DNAME, one owner at a time.
//!
//! Knows: `alias-rules.md` — which questions follow, when a chain loops, how long it may get, what
//! a DNAME turns a name into. It is handed one hop after the other and says which name to ask for
//! next, or how it ends. Does not know: where hops come from (cache or network), so the verdict is
//! the same cold, warm, stale and from any entry point (R18).
//!
//! RFC 1034 §3.6.2, RFC 2181 §10.1, RFC 6604, RFC 6672. Shown by: `tests/scenarios/r*.rpl`.

use crate::failure::Failure;
use crate::rrset::{Question, RrSet, RrType};
use crate::wire::Name;

/// An alias at a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redirection {
    /// A CNAME that the name owns.
    Cname(RrSet),
    /// A DNAME above the name, and the CNAME that follows from it (RFC 6672 §3.1).
    Dname {
        /// The DNAME.
        dname: RrSet,
        /// `name CNAME result`, with the DNAME's TTL (R11).
        cname: RrSet,
    },
    /// A DNAME above the name whose result would be longer than 255 octets (R12).
    Overlong {
        /// The DNAME.
        dname: RrSet,
    },
}

impl Redirection {
    /// The CNAME, received or synthesized.
    pub fn cname(&self) -> Option<&RrSet> {
        match self {
            Redirection::Cname(cname) | Redirection::Dname { cname, .. } => Some(cname),
            Redirection::Overlong { .. } => None,
        }
    }

    /// The DNAME, if one is behind it.
    pub fn dname(&self) -> Option<&RrSet> {
        match self {
            Redirection::Cname(_) => None,
            Redirection::Dname { dname, .. } | Redirection::Overlong { dname } => Some(dname),
        }
    }
}

/// What `dname` makes of `name`, which is below its owner (R10–R12).
pub fn rewrite(name: &Name, dname: RrSet) -> Redirection {
    let result = dname.target().and_then(|target| name.replace_suffix(&dname.owner, &target));
    match result {
        Some(Ok(target)) => {
            let mut cname = RrSet::new(name.clone(), RrType::CNAME, dname.ttl, [target.as_wire()]);
            cname.class = dname.class;
            Redirection::Dname { dname, cname }
        }
        _ => Redirection::Overlong { dname },
    }
}

/// Does a question of this type follow aliases (alias-rules §1)?
pub fn follows(rtype: RrType) -> bool {
    !matches!(rtype, RrType::CNAME | RrType::ANY)
}

/// A chain being followed.
#[derive(Clone, Debug)]
pub struct Chain {
    question: Question,
    limit: usize,
    /// Every name left so far, QNAME first, and where it led.
    left: Vec<Name>,
    at: Name,
}

impl Chain {
    /// A chain that starts at the question's name and may have `limit` redirections (R17).
    pub fn new(question: &Question, limit: usize) -> Chain {
        Chain { question: question.clone(), limit, left: Vec::new(), at: question.name.clone() }
    }

    /// The name to ask for now.
    pub fn owner(&self) -> &Name {
        &self.at
    }

    /// Redirections followed so far.
    pub fn hops(&self) -> usize {
        self.left.len()
    }

    /// Follows `redirection`, which is what the current name is. `Ok(true)`: ask for the new
    /// [`Chain::owner`]; `Ok(false)`: the alias itself answers the question, or cannot be followed
    /// (overlong). Loops are found here, before any question for the name is spent (R19).
    pub fn follow(&mut self, redirection: &Redirection) -> Result<bool, Failure> {
        if let Some(dname) = redirection.dname()
            && let Some(target) = dname.target()
            && target.is_at_or_below(&dname.owner)
            && follows(self.question.rtype)
        {
            return Err(Failure::EndlessDname { name: self.at.clone(), owner: dname.owner.clone(), target });
        }
        let Some(target) = redirection.cname().and_then(RrSet::target) else { return Ok(false) };
        if !follows(self.question.rtype) {
            return Ok(false);
        }
        let start = self.left.iter().chain([&self.at]).position(|name| *name == target);
        if let Some(start) = start {
            let names = self.left.iter().chain([&self.at]).skip(start).cloned().chain([target]).collect();
            return Err(Failure::Loop(names));
        }
        if self.left.len() == self.limit {
            return Err(Failure::ChainTooLong { limit: self.limit, at: self.at.clone() });
        }
        self.left.push(std::mem::replace(&mut self.at, target));
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(s: &str) -> Name {
        s.parse().unwrap()
    }
    fn alias(owner: &str, target: &str) -> Redirection {
        Redirection::Cname(RrSet::new(n(owner), RrType::CNAME, 300, [n(target).as_wire()]))
    }
    fn dname(owner: &str, target: &str) -> RrSet {
        RrSet::new(n(owner), RrType::DNAME, 300, [n(target).as_wire()])
    }

    #[test]
    fn a_loop_is_named_from_its_first_repeated_name() {
        let mut chain = Chain::new(&Question::new(n("lead.alpha."), RrType::A), 16);
        assert_eq!(chain.follow(&alias("lead.alpha.", "XLOOP.other.")), Ok(true));
        assert_eq!(chain.follow(&alias("xloop.other.", "xloop.alpha.")), Ok(true));
        let failure = chain.follow(&alias("xloop.alpha.", "xloop.other.")).unwrap_err();
        assert_eq!(failure.sentence(), "CNAME loop: XLOOP.other. -> xloop.alpha. -> xloop.other.");
    }

    #[test]
    fn the_limit_is_exact() {
        let mut chain = Chain::new(&Question::new(n("h0."), RrType::A), 2);
        assert_eq!(chain.follow(&alias("h0.", "h1.")), Ok(true));
        assert_eq!(chain.follow(&alias("h1.", "h2.")), Ok(true));
        let failure = chain.follow(&alias("h2.", "h3.")).unwrap_err();
        assert_eq!(failure.sentence(), "CNAME chain longer than 2 at h2.");
    }

    #[test]
    fn a_target_below_an_earlier_owner_is_no_loop() {
        let mut chain = Chain::new(&Question::new(n("a.b."), RrType::A), 16);
        assert_eq!(chain.follow(&alias("a.b.", "x.a.b.")), Ok(true));
    }

    #[test]
    fn dnames_rewrite_grow_and_overflow() {
        let made = rewrite(&n("x.old.test."), dname("old.test.", "new.test."));
        assert_eq!(made.cname().and_then(RrSet::target), Some(n("x.new.test.")));
        let long = format!("{}t.", "a23456789.".repeat(25));
        assert!(matches!(rewrite(&n("x.o."), dname("o.", &long)), Redirection::Dname { .. }));
        assert!(matches!(rewrite(&n("xxxx.o."), dname("o.", &long)), Redirection::Overlong { .. }));
        let mut chain = Chain::new(&Question::new(n("a.grow."), RrType::A), 16);
        let endless = rewrite(&n("a.grow."), dname("grow.", "x.grow."));
        assert!(matches!(chain.follow(&endless), Err(Failure::EndlessDname { .. })));
    }

    #[test]
    fn questions_for_the_alias_itself_stop_at_it() {
        for rtype in [RrType::CNAME, RrType::ANY] {
            let mut chain = Chain::new(&Question::new(n("a."), rtype), 16);
            assert_eq!(chain.follow(&alias("a.", "a.")), Ok(false));
        }
    }
}
