//! Answers that were long in coming leave one after the other.
//!
//! Whoever can hold back the answers of a server can let a resolver gather questions for seconds and answer
//! all of them at one moment, to an address that the questions only pretend to come from: many little
//! datagrams become one blow (DNSBomb, CVE-2024-33655). So of the answers by UDP that took long, each client
//! gets a few at once and then one at a time; faster only where its questions come faster, as those of a
//! forwarder do that speaks for many: then there is no blow that the questions were not. What came soon is
//! not held up, and neither are clients who have shown that they are where they say: by TCP, or by a cookie
//! (RFC 7873).
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
/// Between late answers to one client who asks for less: 1,000 a second.
pub const APART: Duration = Duration::from_millis(1);
/// Late answers that may leave at once when none has for a while.
pub const AT_ONCE: u32 = 3;
/// Who would have to wait longer has asked again: the answer is dropped.
pub const LONGEST: Duration = Duration::from_secs(2);
/// A client's questions are counted for so long.
const WINDOW: Duration = Duration::from_millis(100);
/// Late answers may leave so much faster than questions come, in percent: so that those that wait get fewer.
const FASTER: u64 = 125;
/// Clients that are told apart; two that are not wait for each other. 64 KiB.
const CLIENTS: usize = 4_096;

/// When each client may have its next late answer.
pub struct Late {
    since: Instant,
    keys: RandomState,
    /// By a hash of the client.
    clients: Box<[Client]>,
}

struct Client {
    /// Its next late answer may leave so many nanoseconds from `since`.
    next: AtomicU64,
    /// [`Asked`].
    asked: AtomicU64,
}

/// How many questions came in the last windows.
#[derive(Clone, Copy)]
struct Asked {
    window: u32,
    now: u16,
    before: u16,
}

impl Asked {
    /// What is left in `window` of what was written then, or a moment later by another thread.
    fn read(word: u64, window: u32) -> Asked {
        let (then, now, before) = ((word >> 32) as u32, (word >> 16) as u16, word as u16);
        let (now, before) = match window.saturating_sub(then) {
            0 => (now, before),
            1 => (0, now),
            _ => (0, 0),
        };
        Asked { window: window.max(then), now, before }
    }

    fn one_more(self) -> u64 {
        let now = self.now.saturating_add(1);
        u64::from(self.window) << 32 | u64::from(now) << 16 | u64::from(self.before)
    }

    /// Nanoseconds between late answers.
    fn apart(self) -> u64 {
        let own = (nanos(WINDOW) * 100 / FASTER).checked_div(u64::from(self.now.max(self.before)));
        own.unwrap_or(u64::MAX).min(nanos(APART))
    }
}

impl Default for Late {
    fn default() -> Late {
        let clients =
            Box::new([const { Client { next: AtomicU64::new(0), asked: AtomicU64::new(0) } }; CLIENTS]);
        Late { since: Instant::now(), keys: RandomState::new(), clients }
    }
}

impl Late {
    fn client(&self, client: IpAddr) -> Option<&Client> {
        self.clients.get(self.keys.hash_one(network(client)) as usize % CLIENTS)
    }

    fn window(&self, now: Instant) -> u32 {
        let windows = now.saturating_duration_since(self.since).as_millis() / WINDOW.as_millis();
        u32::try_from(windows).unwrap_or(u32::MAX)
    }

    /// `client` asks something whose answer may be late.
    pub fn asked(&self, client: IpAddr, now: Instant) {
        let (Some(client), window) = (self.client(client), self.window(now)) else { return };
        let _always = client.asked.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
            Some(Asked::read(word, window).one_more())
        });
    }

    /// How long the late answer to `client` has to wait; `None`: too long.
    pub fn wait(&self, client: IpAddr, now: Instant) -> Option<Duration> {
        let client = self.client(client)?;
        let apart = Asked::read(client.asked.load(Ordering::Relaxed), self.window(now)).apart();
        // So that a client of whom nothing is known has its answers at once.
        let now = nanos(now.saturating_duration_since(self.since))
            .saturating_add(u64::from(AT_ONCE) * nanos(APART));
        let at_once = now.saturating_sub(u64::from(AT_ONCE - 1) * nanos(APART));
        let mut wait = None;
        let _too_long = client.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| {
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
    fn who_asks_fast_is_answered_as_fast() {
        let late = Late::default();
        let took = Duration::from_millis(150);
        let waits = (0..30_000_u32).map(|question| {
            let came = late.since + question * Duration::from_micros(333);
            late.asked(A, came + took); // another one
            late.wait(A, came + took)
        });
        let longest = waits.map(|wait| wait.expect("none is dropped")).max();
        assert!(longest < Some(Duration::from_millis(150)), "{longest:?}");
    }

    /// What was gathered for two seconds leaves no faster than it was gathered, or than 1,000 a second.
    #[test]
    fn what_was_gathered_leaves_no_faster_than_it_came() {
        for rate in [100_u32, 1_000, 5_000] {
            let late = Late::default();
            (0..2 * rate).for_each(|n| late.asked(A, late.since + n * Duration::from_secs(1) / rate));
            let release = late.since + Duration::from_secs(2);
            let waits: Vec<Duration> = (0..2 * rate).filter_map(|_| late.wait(A, release)).collect();
            let within = waits.iter().filter(|wait| **wait < Duration::from_millis(100)).count();
            let most = (rate * 125 / 100).max(1_000) / 10 + 2 * AT_ONCE + 10;
            assert!(within <= most as usize, "{within} of those that came at {rate} a second");
        }
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
