//! How much a worker has taken on, and when it is to stop.
//!
//! Knows: numbers. Does not know: requests. Lives in one worker's thread, hence no atomics. Shown
//! by `sockets::server_*`.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

/// Requests that came by UDP and wait for servers, per worker; one costs about 10 KB, however long it was
/// ([`super::Respond`]). At 100 ms per resolution that is 40,000 cache misses a second, more than one core
/// resolves.
pub const MAX_UDP_IN_FLIGHT: usize = 4_096;

/// The same for TCP. A connection may always have one request in flight, and more while there is
/// room, so the true bound is this plus the connections (`descriptors::MAX_TCP_CLIENTS`).
pub const MAX_TCP_IN_FLIGHT: usize = 1_024;

/// How often a worker says that it sheds requests.
const SHED_REPORT_EVERY: Duration = Duration::from_secs(10);

/// Requests in flight.
pub struct Load {
    limit: usize,
    in_flight: Cell<usize>,
    changed: Notify,
    shed: Cell<u64>,
    shed_reported: Cell<Option<Instant>>,
}

/// One request in flight, until dropped.
pub struct InFlight(Rc<Load>);

impl Load {
    /// Nothing in flight, `limit` the most there may be.
    pub fn new(limit: usize) -> Rc<Load> {
        Rc::new(Load {
            limit,
            in_flight: Cell::new(0),
            changed: Notify::new(),
            shed: Cell::new(0),
            shed_reported: Cell::new(None),
        })
    }

    /// May another request start?
    pub fn has_room(&self) -> bool {
        self.in_flight.get() < self.limit
    }

    /// Counts one more, whether there is room or not.
    pub fn enter(self: &Rc<Load>) -> InFlight {
        self.in_flight.set(self.in_flight.get().saturating_add(1));
        InFlight(Rc::clone(self))
    }

    /// How many there are.
    pub fn in_flight(&self) -> usize {
        self.in_flight.get()
    }

    /// Counts a request that was dropped for want of room, and says so now and then.
    pub fn shed(&self) {
        self.shed.set(self.shed.get().saturating_add(1));
        if self.shed_reported.get().is_none_or(|at| at.elapsed() >= SHED_REPORT_EVERY) {
            self.shed_reported.set(Some(Instant::now()));
            tracing::warn!(
                in_flight = self.limit,
                shed = self.shed.get(),
                "overload: requests that need other servers are dropped; cached names are still answered"
            );
        }
    }

    /// How many were dropped since the start.
    pub fn shed_so_far(&self) -> u64 {
        self.shed.get()
    }

    /// Waits until nothing is in flight.
    pub async fn drained(&self) {
        while self.in_flight.get() > 0 {
            self.changed.notified().await;
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let left = self.0.in_flight.get().saturating_sub(1);
        self.0.in_flight.set(left);
        if left == 0 {
            self.0.changed.notify_waiters();
        }
    }
}

/// The wish that a worker stops; one per task that must hear it.
#[derive(Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// What says stop (send `true`, or drop it), and what hears it.
    pub fn new() -> (watch::Sender<bool>, Stop) {
        let (say, hear) = watch::channel(false);
        (say, Stop(hear))
    }

    /// Waits until stopping is wished for. Cancelling it loses nothing.
    pub async fn requested(&mut self) {
        let _gone_or_said = self.0.wait_for(|stop| *stop).await;
    }
}
