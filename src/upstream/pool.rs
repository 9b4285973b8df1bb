//! Sockets that have just carried a question and may carry another one to the same server.
//!
//! Knows: when that is worth it and when it is safe. Making, binding, connecting, registering and
//! closing a socket is a quarter of what a question to a server costs, so under load a socket is used
//! again; and its port must stay a secret all the same. Does not know: what is sent. One pool per
//! thread, since a socket is registered with its thread's runtime. Shown by: the tests below.
//!
//! What keeps ports unpredictable (RFC 5452 §9.2, §10):
//! - A port is drawn at random from 64,512. Below [`BUSY`] questions a second each question has its
//!   own. Above, a socket carries at most [`MOST_USES`] questions, in at most [`LONGEST_USE`].
//! - It stays connected to one server, so no other server, and nobody who can only make us ask a
//!   server of his own, ever sees a port that questions to this one leave by.
//! - One question at a time. One whose exchange saw anything but the reply, or nothing, is closed.
//!
//! What a socket has brought before and brings once more says nothing, neither to us nor to whoever sends it
//! (`Brought`).
//!
//! Whoever forges must then meet port and ID in one datagram, 1 in 64,512 × 65,536, as with a port for
//! each question: wrong ports vanish in the kernel and tell nothing, and a right port with a wrong ID
//! ends the exchange and the socket. Looking for open ports through the rate limit of ICMP (SAD DNS: at
//! most 1,000 a second) covers 2,000 of 64,512 in the life of a socket.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::runtime::{Handle, Id};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::datagrams::Datagrams;

/// Questions a second, of one thread, from which on sockets are used again.
pub const BUSY: u32 = 1_000;
/// Questions that one socket carries.
pub const MOST_USES: u8 = 16;
/// From the first question of a socket to the begin of its last.
pub const LONGEST_USE: Duration = Duration::from_secs(2);
/// Sockets of one thread that wait for another question.
const MOST_IDLE: usize = 256;
/// Repeats of earlier replies that are no near miss, in one exchange: each reply that the socket may have
/// brought, once more. Whoever sends more means to.
const MOST_REPEATS: u8 = MOST_USES;
/// The time over which questions are counted.
const WINDOW: Duration = Duration::from_millis(100);
/// [`BUSY`] within a [`WINDOW`].
const BUSY_WINDOW: u32 = BUSY / 10;

/// An open, connected socket between two questions.
pub(super) struct Idle {
    pub(super) socket: Datagrams,
    pub(super) brought: Brought,
    opened: Instant,
    uses: u8,
    _permit: OwnedSemaphorePermit,
}

impl Idle {
    /// One just opened, which holds its place among the sockets that may be open.
    pub(super) fn new(socket: Datagrams, permit: OwnedSemaphorePermit, now: Instant) -> Idle {
        Idle { socket, brought: Brought::default(), opened: now, uses: 1, _permit: permit }
    }

    fn is_spent(&self, now: Instant) -> bool {
        self.uses >= MOST_USES || now.duration_since(self.opened) >= LONGEST_USE
    }
}

/// The replies that a socket has brought, each for a question of before. Networks deliver some twice, and then
/// the second is there when the next question leaves.
///
/// Octet for octet one of these is no guess at the question that waits: it has the ID of one that has its
/// reply. Who knows those octets has seen our traffic and need not guess; and whoever sends them without knowing
/// learns no more than from a datagram that was lost. By hashes with a key that nobody else knows: other octets
/// that only look like these cannot be made.
#[derive(Default)]
pub(super) struct Brought {
    hasher: RandomState,
    /// At most [`MOST_USES`].
    replies: Vec<u64>,
    may_repeat: u8,
}

impl Brought {
    /// Remembers the reply that ended an exchange.
    pub(super) fn add(&mut self, reply: &[u8]) {
        self.replies.push(self.hasher.hash_one(reply));
        self.may_repeat = MOST_REPEATS;
    }

    /// Is this one of them once more, and not once too often?
    pub(super) fn repeats(&mut self, datagram: &[u8]) -> bool {
        if self.may_repeat == 0 || !self.replies.contains(&self.hasher.hash_one(datagram)) {
            return false;
        }
        self.may_repeat -= 1;
        true
    }
}

/// The sockets of one thread, for one owner.
struct Pool {
    /// Whose they are: another owner has other limits and other sources, another runtime cannot
    /// use them.
    owner: Option<(u64, Id)>,
    idle: HashMap<SocketAddr, Vec<Idle>>,
    count: usize,
    /// The runtime in which [`sweep`] runs.
    swept_in: Option<Id>,
    window: Option<Instant>,
    asked: u32,
    asked_before: u32,
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::new(Pool {
        owner: None,
        idle: HashMap::new(),
        count: 0,
        swept_in: None,
        window: None,
        asked: 0,
        asked_before: 0,
    });
}

impl Pool {
    fn belong_to(&mut self, owner: u64) {
        let owner = Some((owner, Handle::current().id()));
        if self.owner != owner {
            self.idle.clear();
            (self.owner, self.count, self.window) = (owner, 0, None);
        }
    }

    /// Counts a question; once a window, closes what has been open for too long.
    fn count(&mut self, now: Instant) {
        self.asked += 1;
        let over = self.window.map(|begun| now.duration_since(begun));
        if over.is_some_and(|over| over < WINDOW) {
            return;
        }
        // After a pause the last window says nothing.
        self.asked_before = if over.is_some_and(|over| over < 2 * WINDOW) { self.asked } else { 0 };
        (self.window, self.asked) = (Some(now), 1);
        self.close_spent(now);
    }

    fn close_spent(&mut self, now: Instant) {
        self.idle.retain(|_, sockets| {
            sockets.retain(|idle| !idle.is_spent(now));
            !sockets.is_empty()
        });
        self.count = self.idle.values().map(Vec::len).sum();
    }

    /// Has [`sweep`] run, unless it does.
    fn have_swept(&mut self) {
        let runtime = Handle::current().id();
        if self.swept_in != Some(runtime) {
            self.swept_in = Some(runtime);
            tokio::spawn(sweep(runtime));
        }
    }

    fn is_busy(&self) -> bool {
        self.asked >= BUSY_WINDOW || self.asked_before >= BUSY_WINDOW
    }
}

/// A socket of `owner`'s for one more question to `server`, if there is one.
pub(super) fn take(owner: u64, server: SocketAddr, now: Instant) -> Option<Idle> {
    POOL.with_borrow_mut(|pool| {
        pool.belong_to(owner);
        pool.count(now);
        if !pool.is_busy() {
            return None;
        }
        let sockets = pool.idle.get_mut(&server)?;
        while let Some(mut idle) = sockets.pop() {
            pool.count -= 1;
            if !idle.is_spent(now) {
                idle.uses += 1;
                return Some(idle);
            }
        }
        None
    })
}

/// Keeps a socket that has brought its `reply` and nothing else; or closes it.
pub(super) fn put_back(owner: u64, server: SocketAddr, mut idle: Idle, reply: &[u8], now: Instant) {
    POOL.with_borrow_mut(|pool| {
        pool.belong_to(owner);
        if pool.is_busy() && pool.count < MOST_IDLE && !idle.is_spent(now) {
            idle.brought.add(reply);
            pool.idle.entry(server).or_default().push(idle);
            pool.count += 1;
            pool.have_swept();
        }
    });
}

/// Closes what has been open for too long, also when nobody asks any more: within twice [`LONGEST_USE`]. Ends
/// when there is nothing left, so that who is idle sleeps. A runtime of ours has one thread, whose pool this is.
async fn sweep(runtime: Id) {
    loop {
        tokio::time::sleep(LONGEST_USE).await;
        let ends = POOL.with_borrow_mut(|pool| {
            if pool.swept_in != Some(runtime) {
                return true;
            }
            pool.close_spent(Instant::now());
            if pool.count == 0 {
                pool.swept_in = None;
            }
            pool.count == 0
        });
        if ends {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::*;

    const OWNER: u64 = u64::MAX;

    async fn open(permits: &Arc<Semaphore>, now: Instant) -> Idle {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        Idle::new(Datagrams::new(socket).unwrap(), Arc::clone(permits).try_acquire_owned().unwrap(), now)
    }

    fn server(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 53))
    }

    /// Asks `server` so often, `gap` apart; how many sockets that took, and the most questions that one
    /// carried. (Ports tell nothing here: the system gives those of closed sockets away again.)
    async fn ask(to: SocketAddr, times: u32, gap: Duration, begin: Instant) -> (usize, u8) {
        let permits = Arc::new(Semaphore::new(1_000));
        let (mut sockets, mut most) = (0, 0);
        for i in 0..times {
            let now = begin + gap * i;
            let idle = match take(OWNER, to, now) {
                Some(idle) => idle,
                None => open(&permits, now).await,
            };
            sockets += usize::from(idle.uses == 1);
            most = most.max(idle.uses);
            put_back(OWNER, to, idle, b"reply", now);
        }
        (sockets, most)
    }

    #[tokio::test]
    async fn below_a_thousand_a_second_each_question_has_its_own_port() {
        assert_eq!(ask(server(1), 300, Duration::from_micros(1_250), Instant::now()).await, (300, 1));
    }

    #[tokio::test]
    async fn above_a_port_is_used_sixteen_times_and_no_more() {
        let (sockets, most) = ask(server(1), 2_000, Duration::from_micros(100), Instant::now()).await;
        assert_eq!(most, MOST_USES);
        // The first hundred questions do not know yet that there will be so many.
        let least = 100 + (2_000 - 100) / usize::from(MOST_USES);
        assert!((least..=least + 2).contains(&sockets), "{sockets}");
    }

    #[tokio::test]
    async fn no_port_lives_longer_than_two_seconds_nor_is_shown_to_another_server() {
        let permits = Arc::new(Semaphore::new(1_000));
        let mut now = Instant::now();
        ask(server(1), 200, Duration::from_micros(100), now).await;
        now += Duration::from_millis(20);
        put_back(OWNER, server(2), open(&permits, now).await, b"reply", now);
        let port = |idle: &Idle| idle.socket.local_addr().unwrap().port();
        let first = take(OWNER, server(2), now).unwrap();
        let used = port(&first);
        put_back(OWNER, server(2), first, b"reply", now);
        assert_ne!(take(OWNER, server(1), now).map(|idle| port(&idle)), Some(used));
        assert!(take(OWNER, server(3), now).is_none());
        // It stays busy for two seconds, in which nobody asks the second server.
        ask(server(1), 20_000, Duration::from_micros(100), now).await;
        now += LONGEST_USE;
        assert!(take(OWNER, server(2), now).is_none());
        assert!(take(OWNER - 1, server(1), now).is_none(), "another owner");
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_uses_again_is_closed_and_then_nobody_looks_for_more() {
        let left = || POOL.with_borrow(|pool| (pool.count, pool.swept_in.is_some()));
        for _ in 0..2 {
            ask(server(1), 200, Duration::from_micros(100), Instant::now()).await;
            assert_eq!(left(), (1, true));
            tokio::time::sleep(3 * LONGEST_USE).await;
            assert_eq!(left(), (0, false));
        }
    }
}
