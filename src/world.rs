//! The seam: network, clock and randomness come in here and nowhere else.
//!
//! Knows: how to ask for one exchange, for the time and for a random number. Does not know: what a
//! message means. Three networks exist: real sockets (`upstream::sockets`), the embedded world (`lab`) and the
//! servers of a scenario (`scenario::network`).

use std::fmt;
use std::future::Future;
use std::hash::{Hash, Hasher as _};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand::{Rng as _, RngExt as _, SeedableRng as _};
use siphasher::sip::SipHasher13;
use tokio::time::Instant;

/// How a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Transport {
    Udp,
    Tcp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
        })
    }
}

/// What to do with a datagram that came while an exchange waits (RFC 5452 §9.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The reply.
    Take,
    /// Not the reply: the exchange ends at once, since somebody may be guessing.
    NearMiss,
}

/// Why an exchange brought no reply.
#[derive(Debug)]
pub enum ExchangeError {
    /// Nothing acceptable came in time.
    TimedOut,
    /// Something came from the server's address that was not the reply.
    NearMiss,
    /// The system said no: unreachable, refused, out of sockets.
    Io(io::Error),
}

impl fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExchangeError::TimedOut => f.write_str("no reply in time"),
            ExchangeError::NearMiss => f.write_str("a reply that does not match"),
            ExchangeError::Io(e) => write!(f, "{e}"),
        }
    }
}

/// Judges what arrived; sits above the seam so that scripted networks meet the same rules.
pub type Accept<'a> = dyn Fn(&[u8]) -> Verdict + Send + Sync + 'a;

/// A boxed future, so that the seam is an object and no type parameter.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Which address families lead anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Routes {
    pub v4: bool,
    pub v6: bool,
}

impl Routes {
    /// Is there a way to `address`?
    pub fn reach(self, address: IpAddr) -> bool {
        if address.is_ipv4() { self.v4 } else { self.v6 }
    }
}

/// A reply that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The message, without a length prefix.
    pub octets: Vec<u8>,
    /// From sending to receiving, as the network saw it: what waits for a socket or for its turn on
    /// the processor says nothing about the server, and a recording can repeat this to the microsecond.
    pub rtt: Duration,
}

/// Carries one query to one address and brings back what `accept` takes.
pub trait Network: Send + Sync {
    /// Sends `query` (without a length prefix) and waits until `until`. Each message that comes
    /// back from `to` is shown to `accept`. Dropping the future gives the exchange up.
    fn exchange<'a>(
        &'a self,
        to: SocketAddr,
        transport: Transport,
        query: &'a [u8],
        accept: &'a Accept<'a>,
        until: Instant,
    ) -> BoxFuture<'a, Result<Arrival, ExchangeError>>;

    /// Which families have a route at present; cheap, asked once per question.
    fn routes(&self) -> Routes;
}

/// Time: monotonic for TTLs and timers (virtual under tokio's paused clock), wall for signatures.
#[derive(Clone, Debug)]
pub struct Clock {
    start: Instant,
    wall_at_start: Option<u64>,
}

impl Clock {
    /// The system's clocks.
    pub fn system() -> Clock {
        Clock { start: Instant::now(), wall_at_start: None }
    }

    /// Wall time begins at `unix` seconds and moves with the monotonic clock: scenarios.
    pub fn starting_at(unix: u64) -> Clock {
        Clock { start: Instant::now(), wall_at_start: Some(unix) }
    }

    /// Monotonic.
    pub fn now(&self) -> Instant {
        Instant::now()
    }

    /// Seconds since 1970 by the wall.
    pub fn wall(&self) -> u64 {
        match self.wall_at_start {
            Some(base) => base + self.now().duration_since(self.start).as_secs(),
            None => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs(),
        }
    }
}

/// Randomness that an attacker must not guess: a CSPRNG seeded by the operating system, or a seed
/// in tests.
#[derive(Clone)]
pub struct Rng(Option<Seeded>);

#[derive(Clone)]
struct Seeded {
    seed: u64,
    numbers: Arc<Mutex<rand::rngs::StdRng>>,
}

impl Rng {
    /// The operating system's entropy.
    pub fn os() -> Rng {
        Rng(None)
    }

    /// The same numbers every time: tests and recordings.
    pub fn seeded(seed: u64) -> Rng {
        let numbers = Arc::new(Mutex::new(rand::rngs::StdRng::seed_from_u64(seed)));
        Rng(Some(Seeded { seed, numbers }))
    }

    /// Randomness for one matter, as random as this one; with a seed, the same each time for the same
    /// `matter`, whatever else was drawn meanwhile. So what happens at the same time can be replayed.
    pub fn about(&self, matter: impl Hash) -> Rng {
        let Some(Seeded { seed, .. }) = &self.0 else { return Rng(None) };
        // With fixed keys: the same in each process.
        let mut hasher = SipHasher13::new();
        (seed, matter).hash(&mut hasher);
        Rng::seeded(hasher.finish())
    }

    /// 64 random bits.
    pub fn u64(&self) -> u64 {
        match &self.0 {
            None => rand::rng().next_u64(),
            Some(seeded) => lock(&seeded.numbers).next_u64(),
        }
    }

    /// 16 random bits: a message ID.
    pub fn u16(&self) -> u16 {
        self.u64() as u16
    }

    /// Uniform below `n` (0 when `n` is 0).
    pub fn below(&self, n: usize) -> usize {
        match (&self.0, n) {
            (_, 0) => 0,
            (None, n) => rand::rng().random_range(0..n),
            (Some(seeded), n) => lock(&seeded.numbers).random_range(0..n),
        }
    }
}

/// Locks, also when another thread panicked meanwhile: what our mutexes guard stays consistent
/// after each statement.
pub fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// All that is not deterministic.
#[derive(Clone)]
#[allow(missing_docs)]
pub struct World {
    pub network: Arc<dyn Network>,
    pub clock: Clock,
    pub rng: Rng,
}
