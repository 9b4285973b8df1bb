//! Who holds a TCP connection: how many in all, how many per client, and who must leave.
//!
//! Knows: limits (RFC 7766 §6.2.2) and who has been idle for how long. Does not know: sockets.
//! Shared by all workers. Shown by `sockets::connections_*`.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::world::lock;

/// Connections per client: an IPv4 address or an IPv6 /64 (RFC 7766 §6.2.2: much more than the one
/// a client should need, for the sake of NAT). Loopback has no limit but the total.
pub const MAX_PER_CLIENT: usize = 100;

/// Marks a connection that waits for us, not we for it.
const BUSY: u64 = u64::MAX;

/// All connections.
pub struct Connections {
    max: usize,
    started: Instant,
    seats: Mutex<Seats>,
}

#[derive(Default)]
struct Seats {
    next: u64,
    taken: HashMap<u64, Arc<Seat>>,
}

struct Seat {
    client: IpAddr,
    /// Milliseconds after `Connections::started`, or [`BUSY`].
    idle_since: AtomicU64,
    leave: Notify,
}

/// One connection's right to be open, until dropped.
pub struct Ticket {
    connections: Arc<Connections>,
    number: u64,
    seat: Arc<Seat>,
}

impl Connections {
    /// None yet, at most `max`.
    pub fn new(max: usize) -> Arc<Connections> {
        Arc::new(Connections { max: max.max(1), started: Instant::now(), seats: Mutex::default() })
    }

    /// Admits one more from `client`. When the client's or all seats are taken, the connection that
    /// has been idle longest (of that client, or of all) is told to leave; `None`: none was idle.
    pub fn admit(self: &Arc<Connections>, client: IpAddr) -> Option<Ticket> {
        let client = prefix(client);
        let mut seats = lock(&self.seats);
        if !client.is_loopback() {
            let held = seats.taken.values().filter(|seat| seat.client == client).count();
            if held >= MAX_PER_CLIENT && !seats.displace(|seat| seat.client == client) {
                return None;
            }
        }
        if seats.taken.len() >= self.max && !seats.displace(|_| true) {
            return None;
        }
        let number = seats.next;
        seats.next = seats.next.wrapping_add(1);
        let seat = Arc::new(Seat { client, idle_since: AtomicU64::new(self.millis()), leave: Notify::new() });
        seats.taken.insert(number, Arc::clone(&seat));
        Some(Ticket { connections: Arc::clone(self), number, seat })
    }

    /// Tells the connection that has been idle longest to leave: descriptors ran out.
    pub fn displace_one(&self) -> bool {
        lock(&self.seats).displace(|_| true)
    }

    /// How many are open or still closing.
    pub fn open(&self) -> usize {
        lock(&self.seats).taken.len()
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(BUSY - 1)
    }
}

impl Seats {
    /// A scan over at most `descriptors::MAX_TCP_CLIENTS` seats, only when full: microseconds,
    /// beside the tens that accepting a connection costs.
    fn displace(&mut self, of: impl Fn(&Seat) -> bool) -> bool {
        let idle = |seat: &Seat| seat.idle_since.load(Ordering::Relaxed);
        let longest = self
            .taken
            .iter()
            .filter(|(_, seat)| of(seat) && idle(seat) != BUSY)
            .min_by_key(|(number, seat)| (idle(seat), **number))
            .map(|(number, _)| *number);
        match longest.and_then(|number| self.taken.remove(&number)) {
            Some(seat) => {
                seat.leave.notify_one();
                true
            }
            None => false,
        }
    }
}

impl Ticket {
    /// The client waits for an answer: this connection is not to be displaced.
    pub fn busy(&self) {
        self.seat.idle_since.store(BUSY, Ordering::Relaxed);
    }

    /// We wait for the client, from now on.
    pub fn idle(&self) {
        self.seat.idle_since.store(self.connections.millis(), Ordering::Relaxed);
    }

    /// Waits until the seat is needed by somebody else. Cancelling it loses nothing.
    pub async fn displaced(&self) {
        self.seat.leave.notified().await;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        lock(&self.connections.seats).taken.remove(&self.number);
    }
}

/// What counts as one client.
fn prefix(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}
