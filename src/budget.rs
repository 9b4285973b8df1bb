//! Every limit of one client question, in one ledger that all its sub-resolutions share.
//!
//! Knows: what a question may cost (messages, octets, time, depth, look-ups of name server
//! addresses). It is made once per client question and never reset: limits per step do not compose
//! (one hostile name costs 62–90 messages at resolvers that have only those). Does not know: who
//! spends. Shown by: `tests/scenarios/r20_*`, `../shared/attacks` glueless, camp, nxns, endless.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Weighted ceiling below `max-upstream-queries`. A message that leads on along the chain costs
/// [`MAIN_COST`], one that only finds a name server's address costs [`SIDE_COST`]: sixteen hops in
/// sixteen zones (34 messages) and a few servers without glue fit, while chains composed with
/// glueless delegations end within 32 messages.
pub const WORK: u32 = 48;
/// What a message on the way to the answer costs.
pub const MAIN_COST: u32 = 1;
/// What a message costs that makes up for a useless one: to another server of the zone, over TCP, without
/// EDNS. Sixteen hops through zones whose servers refuse or truncate would else take 48 messages.
pub const INSTEAD_COST: u32 = 3;
/// What a message in search of a name server's address costs.
pub const SIDE_COST: u32 = 3;
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
    /// Nested look-ups of name server addresses.
    Depth,
    /// Sockets of this machine.
    Sockets,
}

/// Is a message on the way to the answer, or in search of a server's address?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Purpose {
    Main,
    /// On the way to the answer, in place of a message that was of no use.
    Instead,
    Side,
    /// In search of DS and DNSKEY sets.
    Proof,
}

impl Purpose {
    /// That of a message that makes up for a useless one.
    pub fn again(self) -> Purpose {
        if self == Purpose::Main { Purpose::Instead } else { self }
    }
}

/// What is left for one client question.
#[derive(Debug)]
pub struct Budget {
    deadline: Instant,
    messages: AtomicU32,
    allowed: u32,
    work: AtomicU32,
    octets: AtomicU64,
    failed_lookups: AtomicU32,
    minimised: AtomicU32,
    proofs: AtomicU32,
    signatures: AtomicU32,
    signature_failures: AtomicU32,
    nsec3_work: AtomicU32,
}

/// Takes `n` from `left`, or nothing when there is not enough.
fn take(left: &AtomicU32, n: u32) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |v| v.checked_sub(n)).is_ok()
}

impl Budget {
    /// A fresh ledger: answer by `now + timeout`, with at most `messages` sent upstream.
    pub fn new(now: Instant, timeout: Duration, messages: u32) -> Budget {
        Budget {
            deadline: now + timeout,
            messages: AtomicU32::new(messages),
            allowed: messages,
            work: AtomicU32::new(WORK),
            octets: AtomicU64::new(OCTETS),
            failed_lookups: AtomicU32::new(FAILED_ADDRESS_LOOKUPS),
            minimised: AtomicU32::new(MINIMISED),
            proofs: AtomicU32::new(PROOF_MESSAGES),
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
            Purpose::Main => take(&self.work, MAIN_COST),
            Purpose::Instead => take(&self.work, INSTEAD_COST),
            Purpose::Side => take(&self.work, SIDE_COST),
            Purpose::Proof => take(&self.proofs, 1),
        };
        if paid && take(&self.messages, 1) { Ok(()) } else { Err(Limit::Messages) }
    }

    /// Notes octets received.
    pub fn received(&self, octets: usize) {
        let octets = octets as u64;
        let _ = self
            .octets
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |v| Some(v.saturating_sub(octets)));
    }

    /// May another server name be looked up after this one came to nothing?
    pub fn address_lookup_failed(&self) {
        take(&self.failed_lookups, 1);
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
    async fn side_messages_cost_more_and_time_ends() {
        let now = Instant::now();
        let budget = Budget::new(now, Duration::from_secs(5), 100);
        for _ in 0..16 {
            assert_eq!(budget.send(Purpose::Side, now), Ok(()));
        }
        assert_eq!(budget.send(Purpose::Main, now), Err(Limit::Messages));
        assert_eq!(budget.messages_sent(), 16);
        let budget = Budget::new(now, Duration::from_secs(5), 2);
        assert_eq!(budget.send(Purpose::Main, now), Ok(()));
        assert_eq!(budget.send(Purpose::Main, now), Ok(()));
        assert_eq!(budget.send(Purpose::Main, now), Err(Limit::Messages));
        let budget = Budget::new(now, Duration::from_secs(5), 2);
        assert_eq!(budget.send(Purpose::Main, now + Duration::from_secs(5)), Err(Limit::Time));
        budget.received(OCTETS as usize + 1);
        assert_eq!(budget.send(Purpose::Main, now), Err(Limit::Octets));
    }
}
