//! Answers that were long in coming leave one after the other.
//!
//! Whoever can hold back the answers of a server can let a resolver gather questions for seconds and answer
//! all of them at one moment, to an address that the questions only pretend to come from: many little
//! datagrams become one blow (DNSBomb, CVE-2024-33655). So of the answers by UDP that took long, each client
//! gets a few at once and then one at a time. What came soon is not held up, and neither are clients who
//! have shown that they are where they say: by TCP, or by a cookie (RFC 7873).
//!
//! Knows: numbers and times; one table for all workers, since the kernel deals one client's questions to all
//! of them. Does not know: requests, answers. Shown by: the tests below, `tests/late.rs`.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// An answer that took so long is late: longer than most walks from the root.
pub const LATE: Duration = Duration::from_millis(100);
/// Between late answers to one client: 1,430 a second, which none has but who asks a dead zone on behalf
/// of many others.
pub const APART: Duration = Duration::from_micros(700);
/// Late answers that may leave at once when none has for a while.
pub const AT_ONCE: u32 = 3;
/// Who would have to wait longer has asked again: the answer is dropped.
pub const LONGEST: Duration = Duration::from_secs(2);
/// Clients that are told apart; two that are not wait for each other. 32 KiB.
const CLIENTS: usize = 4_096;

/// When each client may have its next late answer.
pub struct Late {
    since: Instant,
    keys: RandomState,
    /// Nanoseconds from `since`, by a hash of the client.
    next: Box<[AtomicU64]>,
}

impl Default for Late {
    fn default() -> Late {
        let next = Box::new([const { AtomicU64::new(0) }; CLIENTS]);
        Late { since: Instant::now(), keys: RandomState::new(), next }
    }
}

impl Late {
    /// How long the late answer to `client` has to wait; `None`: too long.
    pub fn wait(&self, client: IpAddr, now: Instant) -> Option<Duration> {
        let apart = nanos(APART);
        // So that a client of whom nothing is known has its answers at once.
        let now = nanos(now.saturating_duration_since(self.since)).saturating_add(u64::from(AT_ONCE) * apart);
        let next = self.next.get(self.keys.hash_one(network(client)) as usize % CLIENTS)?;
        let at_once = now.saturating_sub(u64::from(AT_ONCE - 1) * apart);
        let mut wait = None;
        let _too_long = next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| {
            let turn = next.max(at_once);
            wait = Some(Duration::from_nanos(turn.saturating_sub(now))).filter(|wait| *wait <= LONGEST);
            wait.map(|_| turn.saturating_add(apart))
        });
        wait
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Of IPv6 the /64, which one client has for itself (RFC 6177 §2).
fn network(client: IpAddr) -> u64 {
    match client.to_canonical() {
        IpAddr::V4(v4) => u64::from(u32::from(v4)),
        IpAddr::V6(v6) => (u128::from(v6) >> 64) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn a_few_at_once_and_then_one_at_a_time() {
        let late = Late::default();
        let now = late.since;
        let waits: Vec<Duration> = (0..6).filter_map(|_| late.wait(A, now)).collect();
        assert_eq!(waits, [0, 0, 0, 1, 2, 3].map(|turns| turns * APART));
        assert_eq!(late.wait(A, now + 4 * APART), Some(Duration::ZERO), "its turn has come");
        assert_eq!(late.wait(A, now + 4 * APART), Some(APART));
        let rested = now + Duration::from_secs(1);
        let waits: Vec<Duration> = (0..4).filter_map(|_| late.wait(A, rested)).collect();
        assert_eq!(waits, [0, 0, 0, 1].map(|turns| turns * APART));
    }

    #[test]
    fn nobody_waits_for_another() {
        // In one of 4,096 processes the two are one.
        let late = (0..3).map(|_| Late::default()).find(|late| {
            (0..100).for_each(|_| assert!(late.wait(A, late.since).is_some()));
            late.wait(B, late.since) == Some(Duration::ZERO)
        });
        assert!(late.is_some());
    }

    #[test]
    fn an_ipv6_client_is_its_network() {
        let late = Late::default();
        let of = |last: u16| IpAddr::V6(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, last));
        let waits: Vec<Duration> = (0..5).filter_map(|i| late.wait(of(i), late.since)).collect();
        assert_eq!(waits.last(), Some(&(2 * APART)));
    }

    #[test]
    fn what_nobody_waits_for_is_dropped_and_takes_no_turn() {
        let late = Late::default();
        let given = (0..10_000).filter(|_| late.wait(A, late.since).is_some()).count();
        assert_eq!(given, 3 + usize::try_from(LONGEST.as_micros() / APART.as_micros()).unwrap());
        assert!(late.wait(A, late.since + APART).is_some());
    }
}
