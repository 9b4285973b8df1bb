//! Every limit of one client question, in one ledger that all its sub-resolutions share.
//!
//! Knows: what a question may cost (messages, octets, time, depth, look-ups of name server
//! addresses). It is made once per client question and never reset: limits per step do not compose
//! (one hostile name costs 62–90 messages at resolvers that have only those). Does not know: who
//! spends. Shown by: `tests/scenarios/r20_*`, `../shared/attacks` glueless, camp, nxns, endless.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Messages for one question, those in search of proofs not counted, whatever they are for.
pub const MESSAGES: u32 = 32;
/// The same for a chain that has made [`LONG_CHAIN`] hops without a message astray. Sixteen hops, each into a
/// zone of its own, take 35 when nothing is known: the root, and for each of 17 names a referral and an answer.
pub const MESSAGES_STRAIGHT: u32 = 35;
/// See [`MESSAGES_STRAIGHT`]: up to here 32 messages are enough.
pub const LONG_CHAIN: usize = 15;
/// Weighted ceiling beside [`MESSAGES`]: chains composed with glueless delegations or useless servers end
/// sooner still, after 16 messages when nothing else is among them.
pub const WORK: u32 = 48;
/// What a message on the way to the answer costs of [`WORK`], the first one or a further one that does not
/// wait for it: datagrams get lost, servers die, and more than 32 such messages there are not.
pub const MAIN_COST: u32 = 1;
/// What a message costs of it that makes up for a useless reply (to another server of the zone, over TCP,
/// without EDNS), or that is in search of a name server's address.
pub const ASTRAY_COST: u32 = 3;
/// Octets received for one question: four messages of the largest size.
pub const OCTETS: u64 = 4 * 65_536;
/// Nested look-ups of name server addresses. A zone whose servers are in a zone whose servers are
/// in a third one exists; five levels do not.
pub const DEPTH: u8 = 5;
/// Name server names without an address that are looked up in vain for one question (NXNSAttack,
/// CVE-2020-12662: unbounded look-ups).
pub const FAILED_ADDRESS_LOOKUPS: u32 = 5;
/// Minimised questions that led to no delegation (RFC 9156 §2.3, MAX_MINIMISE_COUNT); here for the
/// whole client question, not for each hop.
pub const MINIMISED: u32 = 10;

/// Messages in search of DS and DNSKEY sets: two for each of sixteen hops and some above.
pub const PROOF_MESSAGES: u32 = 40;
/// Proofs that rest on one another, a DS on that of the zone above and so on, before the first is at hand. More zones
/// below one another than messages for proofs could fetch; what is cached already costs none.
pub const PROOFS_NESTED: u8 = 24;
/// Zones judged for one question, those whose verdict is cached not counted: more than sixteen hops have zones above
/// them. What is cached already costs no messages, and what has expired no checks.
pub const VERDICTS: u32 = 256;
/// Signatures checked for one RRset or denial of one question. An honest one takes one or two.
pub const SIGNATURES: u32 = 16;
/// Signatures that may turn out wrong for one question (KeyTrap, CVE-2023-50387).
pub const SIGNATURE_FAILURES: u32 = 8;
/// Signatures checked for one question in all: sixteen hops, each with the keys and the delegation of
/// a zone of its own.
pub const SIGNATURES_IN_ALL: u32 = 64;
/// NSEC3 hashes for one question, each counted once per 16 iterations begun (CVE-2023-50868). A name
/// below `ip6.arpa.` takes about 24 hashes, at 50 iterations 96 of these.
pub const NSEC3_WORK: u32 = 512;

/// Which limit was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// `max-upstream-queries`, or the weighted ceiling below it.
    Messages,
    /// Octets received from servers.
    Octets,
    /// `resolver.timeout`.
    Time,
    /// Of a client that can have something stale (RFC 8767 §5).
    Patience,
    /// Nested look-ups of name server addresses.
    Depth,
    /// Sockets of this machine.
    Sockets,
}

/// Is a message on the way to the answer, or in search of a server's address? All but the first kind are astray.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Purpose {
    Main,
    /// On the way to the answer, where the reply to another message for the same is late.
    Repeat,
    /// On the way to the answer, in place of a message that was of no use.
    Instead,
    Side,
    /// In search of DS and DNSKEY sets.
    Proof,
}

impl Purpose {
    /// That of a message that makes up for a useless one.
    pub fn instead(self) -> Purpose {
        if matches!(self, Purpose::Main | Purpose::Repeat) { Purpose::Instead } else { self }
    }

    /// That of a message that does not wait for another's reply.
    pub fn repeat(self) -> Purpose {
        if self == Purpose::Main { Purpose::Repeat } else { self }
    }
}

/// What is left for one client question.
#[derive(Debug)]
pub struct Budget {
    deadline: Instant,
    messages: AtomicU32,
    allowed: u32,
    spent: AtomicU32,
    hops: AtomicUsize,
    octets: AtomicU64,
    failed_lookups: AtomicU32,
    minimised: AtomicU32,
    proofs: AtomicU32,
    verdicts: AtomicU32,
    signatures: AtomicU32,
    signature_failures: AtomicU32,
    nsec3_work: AtomicU32,
}

/// Takes `n` from `left`, or nothing when there is not enough.
fn take(left: &AtomicU32, n: u32) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |v| v.checked_sub(n)).is_ok()
}

/// What was paid, in one word so that its limits hold together: messages, [`WORK`], and whether one was astray.
const ONE_MESSAGE: u32 = 1;
const ONE_WORK: u32 = 1 << 8;
const ASTRAY: u32 = 1 << 16;

/// May so much be paid for a chain, a long one or not?
fn is_affordable(spent: u32, long: bool) -> bool {
    let (messages, work) = (spent % ONE_WORK, spent % ASTRAY / ONE_WORK);
    let most = if long && spent < ASTRAY { MESSAGES_STRAIGHT } else { MESSAGES };
    messages <= most && work <= WORK
}

impl Budget {
    /// A fresh ledger: answer by `now + timeout`, with at most `messages` sent upstream.
    pub fn new(now: Instant, timeout: Duration, messages: u32) -> Budget {
        Budget {
            deadline: now + timeout,
            messages: AtomicU32::new(messages),
            allowed: messages,
            spent: AtomicU32::new(0),
            hops: AtomicUsize::new(0),
            octets: AtomicU64::new(OCTETS),
            failed_lookups: AtomicU32::new(FAILED_ADDRESS_LOOKUPS),
            minimised: AtomicU32::new(MINIMISED),
            proofs: AtomicU32::new(PROOF_MESSAGES),
            verdicts: AtomicU32::new(VERDICTS),
            signatures: AtomicU32::new(SIGNATURES_IN_ALL),
            signature_failures: AtomicU32::new(SIGNATURE_FAILURES),
            nsec3_work: AtomicU32::new(NSEC3_WORK),
        }
    }

    /// When the client must have its answer.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Pays for one message upstream.
    pub fn send(&self, purpose: Purpose, now: Instant) -> Result<(), Limit> {
        if now >= self.deadline {
            return Err(Limit::Time);
        }
        if self.octets.load(Ordering::Relaxed) == 0 {
            return Err(Limit::Octets);
        }
        let paid = match purpose {
            Purpose::Main => self.pay(MAIN_COST, 0),
            Purpose::Repeat => self.pay(MAIN_COST, ASTRAY),
            Purpose::Instead | Purpose::Side => self.pay(ASTRAY_COST, ASTRAY),
            Purpose::Proof => take(&self.proofs, 1),
        };
        if paid && take(&self.messages, 1) { Ok(()) } else { Err(Limit::Messages) }
    }

    /// May another zone be judged?
    pub fn spend_verdict(&self) -> bool {
        take(&self.verdicts, 1)
    }

    fn pay(&self, cost: u32, astray: u32) -> bool {
        let long = self.hops.load(Ordering::Relaxed) >= LONG_CHAIN;
        let pay = |spent: u32| {
            let spent = (spent + ONE_MESSAGE + cost * ONE_WORK) | astray;
            is_affordable(spent, long).then_some(spent)
        };
        self.spent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, pay).is_ok()
    }

    /// Notes how many hops the chain has made.
    pub fn followed(&self, hops: usize) {
        self.hops.store(hops, Ordering::Relaxed);
    }

    /// Notes octets received.
    pub fn received(&self, octets: usize) {
        let octets = octets as u64;
        let _ = self
            .octets
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |v| Some(v.saturating_sub(octets)));
    }

    /// Has nothing been sent yet, and no signature been checked?
    pub fn is_whole(&self) -> bool {
        self.messages_sent() == 0 && self.signatures_checked() == 0
    }

    /// Is there enough left to do at once what may turn out to be needless? Up to half of [`WORK`].
    pub fn is_ample(&self) -> bool {
        2 * (self.spent.load(Ordering::Relaxed) % ASTRAY / ONE_WORK) <= WORK
    }

    /// Has so little been spent that what cannot be had with the rest cannot be had? Up to a quarter of [`WORK`], and no
    /// server name looked up in vain.
    pub fn is_nearly_whole(&self) -> bool {
        4 * (self.spent.load(Ordering::Relaxed) % ASTRAY / ONE_WORK) <= WORK && !self.has_looked_up_in_vain()
    }

    /// Pays for a server name that was looked up in vain.
    pub fn address_lookup_failed(&self) {
        take(&self.failed_lookups, 1);
    }

    /// Has a server name been looked up in vain?
    pub fn has_looked_up_in_vain(&self) -> bool {
        self.failed_lookups.load(Ordering::Relaxed) < FAILED_ADDRESS_LOOKUPS
    }

    /// Is a look-up of another server's name still allowed?
    pub fn may_look_up_address(&self) -> bool {
        self.failed_lookups.load(Ordering::Relaxed) > 0
    }

    /// Pays for a minimised question that led to no delegation.
    pub fn minimised_in_vain(&self) {
        take(&self.minimised, 1);
    }

    /// Minimised questions that may still lead nowhere.
    pub fn minimised_left(&self) -> u32 {
        self.minimised.load(Ordering::Relaxed)
    }

    /// For the signatures of one RRset or denial.
    pub fn checks(&self) -> Checks<'_> {
        Checks { budget: self, left: AtomicU32::new(SIGNATURES) }
    }

    /// Signatures checked so far.
    pub fn signatures_checked(&self) -> u32 {
        SIGNATURES_IN_ALL - self.signatures.load(Ordering::Relaxed)
    }

    /// May one more NSEC3 hash of so many extra iterations be computed? Pays for it.
    pub fn hash_nsec3(&self, iterations: u16) -> bool {
        take(&self.nsec3_work, 1 + u32::from(iterations) / 16)
    }

    /// Messages sent so far.
    pub fn messages_sent(&self) -> u32 {
        self.allowed - self.messages.load(Ordering::Relaxed)
    }

    /// Octets received so far.
    pub fn octets_received(&self) -> u64 {
        OCTETS - self.octets.load(Ordering::Relaxed)
    }
}

/// The signatures of one RRset or denial, with all that came along to prove it: at most
/// [`SIGNATURES`] checks, each of which the question pays for too.
#[derive(Debug)]
pub struct Checks<'a> {
    budget: &'a Budget,
    left: AtomicU32,
}

impl Checks<'_> {
    /// May one more signature be checked? Pays for it.
    pub fn one_more(&self) -> bool {
        let failing = self.budget.signature_failures.load(Ordering::Relaxed) == 0;
        !failing && take(&self.left, 1) && take(&self.budget.signatures, 1)
    }

    /// The signature just checked was wrong.
    pub fn failed(&self) {
        take(&self.budget.signature_failures, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn messages_astray_cost_more_and_time_ends() {
        let now = Instant::now();
        let budget = Budget::new(now, Duration::from_secs(5), 100);
        for _ in 0..16 {
            assert_eq!(budget.send(Purpose::Side, now), Ok(()));
        }
        assert_eq!(budget.send(Purpose::Main, now), Err(Limit::Messages));
        assert_eq!(budget.messages_sent(), 16);
        assert_eq!(budget.send(Purpose::Proof, now), Ok(()), "another account");
        let budget = Budget::new(now, Duration::from_secs(5), 2);
        assert_eq!(budget.send(Purpose::Main, now), Ok(()));
        assert_eq!(budget.send(Purpose::Main, now), Ok(()));
        assert_eq!(budget.send(Purpose::Main, now), Err(Limit::Messages));
        let budget = Budget::new(now, Duration::from_secs(5), 2);
        assert_eq!(budget.send(Purpose::Main, now + Duration::from_secs(5)), Err(Limit::Time));
        budget.received(OCTETS as usize + 1);
        assert_eq!(budget.send(Purpose::Main, now), Err(Limit::Octets));
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_zones_are_judged_for_one_question() {
        let budget = Budget::new(Instant::now(), Duration::from_secs(5), 100);
        assert!((0..VERDICTS).all(|_| budget.spend_verdict()));
        assert!(!budget.spend_verdict());
    }

    /// How many messages go through when these are the first and all others are on the way.
    fn most(first: &[Purpose], hops: usize) -> u32 {
        let now = Instant::now();
        let budget = Budget::new(now, Duration::from_secs(5), 100);
        budget.followed(hops);
        for purpose in first {
            assert_eq!(budget.send(*purpose, now), Ok(()));
        }
        while budget.send(Purpose::Main, now).is_ok() {}
        budget.messages_sent()
    }

    #[test]
    fn more_than_32_messages_only_at_the_end_of_a_long_chain_that_never_strays() {
        assert_eq!(most(&[], LONG_CHAIN - 1), MESSAGES);
        assert_eq!(most(&[], LONG_CHAIN), MESSAGES_STRAIGHT);
        assert_eq!(most(&[Purpose::Repeat; 32], LONG_CHAIN), MESSAGES);
        for astray in [Purpose::Repeat, Purpose::Instead, Purpose::Side] {
            assert_eq!(most(&[astray], LONG_CHAIN), MESSAGES);
            assert_eq!(most(&[astray; 8], LONG_CHAIN), MESSAGES, "8 x 3 + 24");
        }
        for astray in [Purpose::Instead, Purpose::Side] {
            assert_eq!(most(&[astray; 9], LONG_CHAIN), 30, "9 x 3 + 21");
            assert_eq!(most(&[astray; 16], LONG_CHAIN), 16);
        }
    }

    #[test]
    fn a_message_astray_that_is_refused_is_none() {
        let now = Instant::now();
        let budget = Budget::new(now, Duration::from_secs(5), 100);
        budget.followed(LONG_CHAIN);
        for _ in 0..MESSAGES {
            assert_eq!(budget.send(Purpose::Main, now), Ok(()));
        }
        assert_eq!(budget.send(Purpose::Repeat, now), Err(Limit::Messages));
        for _ in MESSAGES..MESSAGES_STRAIGHT {
            assert_eq!(budget.send(Purpose::Main, now), Ok(()));
        }
        assert_eq!(budget.send(Purpose::Main, now), Err(Limit::Messages));
    }
}
