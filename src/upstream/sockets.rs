//! The real [`Network`]: sockets, how many of them, and which families lead anywhere.
//!
//! Knows: the limit on open sockets, source addresses, routes. Does not know: messages, which
//! server to ask, when to try again. Shown by `sockets::*`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Mutex;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::{descriptors, tcp, udp};
use crate::world::{Accept, Arrival, BoxFuture, ExchangeError, Network, Rng, Routes, Transport, lock};

/// How long a look at the routes is believed: a laptop that changes networks is noticed soon, and
/// six system calls are spent once, not per question.
pub const ROUTES_KEPT: Duration = Duration::from_secs(10);

/// Addresses that only a default route reaches; nothing is sent to them. a.root-servers.net.
const FAR_V4: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 41, 0, 4)), 53);
const FAR_V6: SocketAddr =
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0x503, 0xba3e, 0, 0, 0, 0x0002, 0x0030)), 53);

/// Real sockets towards the servers.
pub struct Sockets {
    source_addresses: Vec<IpAddr>,
    rng: Rng,
    /// One permit per socket that may be open; queued for in order, against the deadline.
    permits: Semaphore,
    max_open: usize,
    routes: Mutex<Option<(Instant, Routes)>>,
}

impl Sockets {
    /// Sockets bound to a random one of `source_addresses` of the server's family (the system's
    /// choice where there is none), as many as RLIMIT_NOFILE allows beside 64 other descriptors.
    pub fn new(source_addresses: Vec<IpAddr>, rng: Rng) -> Sockets {
        let share = descriptors::share(descriptors::raise_limit(), 64);
        Sockets::with_limit(source_addresses, rng, share.upstream)
    }

    /// As [`Sockets::new`], with at most `max_open` sockets open at once.
    pub fn with_limit(source_addresses: Vec<IpAddr>, rng: Rng, max_open: usize) -> Sockets {
        let max_open = max_open.clamp(1, Semaphore::MAX_PERMITS);
        Sockets {
            source_addresses,
            rng,
            permits: Semaphore::new(max_open),
            max_open,
            routes: Mutex::new(None),
        }
    }

    async fn carry(
        &self,
        to: SocketAddr,
        transport: Transport,
        query: &[u8],
        accept: &Accept<'_>,
        until: Instant,
    ) -> Result<Arrival, ExchangeError> {
        // Nothing is opened or sent in the first poll: the servers of client requests poll once
        // before they decide whether there is room for a request that is not answered at once, and
        // one that is shed then has cost the network nothing.
        tokio::task::yield_now().await;
        let permit = timeout_at(until, self.permits.acquire()).await;
        let (Ok(Ok(_permit)), true) = (permit, Instant::now() < until) else {
            let why = format!("none of {} upstream sockets came free in time", self.max_open);
            return Err(ExchangeError::Io(io::Error::other(why)));
        };
        let (sources, rng) = (self.source_addresses.as_slice(), &self.rng);
        let sent = Instant::now();
        let exchanged = match transport {
            Transport::Udp => timeout_at(until, udp::exchange(to, sources, rng, query, accept)).await,
            Transport::Tcp => timeout_at(until, tcp::exchange(to, sources, rng, query, accept)).await,
        };
        let octets = exchanged.unwrap_or(Err(ExchangeError::TimedOut))?;
        Ok(Arrival { octets, rtt: sent.elapsed() })
    }
}

impl Network for Sockets {
    fn exchange<'a>(
        &'a self,
        to: SocketAddr,
        transport: Transport,
        query: &'a [u8],
        accept: &'a Accept<'a>,
        until: Instant,
    ) -> BoxFuture<'a, Result<Arrival, ExchangeError>> {
        Box::pin(self.carry(to, transport, query, accept, until))
    }

    fn routes(&self) -> Routes {
        let mut known = lock(&self.routes);
        let now = Instant::now();
        match *known {
            Some((seen, routes)) if now.duration_since(seen) < ROUTES_KEPT => routes,
            _ => {
                let routes = look_at_routes();
                *known = Some((now, routes));
                routes
            }
        }
    }
}

fn look_at_routes() -> Routes {
    decide_routes(datagram_socket(FAR_V4).is_ok(), leads_to(FAR_V4), leads_to(FAR_V6))
}

/// IPv6 counts only with a default route: a host with none often still has link-local addresses.
/// IPv4 counts also when neither family has one, so that servers on 127/8 or on a private network
/// can be asked; then it is IPv6 that is missing.
pub fn decide_routes(v4_socket: bool, v4_default: bool, v6_default: bool) -> Routes {
    Routes { v4: v4_socket && (v4_default || !v6_default), v6: v6_default }
}

fn datagram_socket(to: SocketAddr) -> io::Result<Socket> {
    Socket::new(Domain::for_address(to), Type::DGRAM, Some(Protocol::UDP))
}

/// Connecting a datagram socket asks the routing table and sends nothing.
fn leads_to(to: SocketAddr) -> bool {
    datagram_socket(to).and_then(|socket| socket.connect(&to.into())).is_ok()
}
