//! The real [`Network`]: sockets, how many of them, and which families lead anywhere.
//!
//! Knows: the limit on open sockets, source addresses, routes. Does not know: messages, which
//! server to ask, when to try again. Shown by `sockets::*`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::pool::{self, Idle};
use super::{descriptors, tcp, udp};
use crate::world::{Accept, Arrival, BoxFuture, ExchangeError, Network, Rng, Routes, Transport, lock};

/// How long a look at the routes is believed: a laptop that changes networks is noticed soon, and
/// six system calls are spent once, not per question.
pub const ROUTES_KEPT: Duration = Duration::from_secs(10);

/// Addresses that only a default route reaches; nothing is sent to them. a.root-servers.net.
const FAR_V4: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 41, 0, 4)), 53);
const FAR_V6: SocketAddr =
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0x503, 0xba3e, 0, 0, 0, 0x0002, 0x0030)), 53);

/// Where Linux lists the IPv6 addresses of its interfaces, one a line, each as 32 hexadecimal digits.
const V6_ADDRESSES: &str = "/proc/self/net/if_inet6";

static NEXT: AtomicU64 = AtomicU64::new(1);

/// Real sockets towards the servers.
pub struct Sockets {
    source_addresses: Vec<IpAddr>,
    rng: Rng,
    /// Tells sockets in the pool of a thread apart from those of others.
    number: u64,
    /// One permit per socket that may be open; queued for in order, against the deadline.
    permits: Arc<Semaphore>,
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
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            permits: Arc::new(Semaphore::new(max_open)),
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
        let now = Instant::now();
        // Waiting for a place among the sockets is no part of the round trip. By the real clock: that of
        // the runtime is another while a question is recorded.
        let mut sent_at = std::time::Instant::now();
        let exchanged = match transport {
            Transport::Udp => {
                let (idle, sent) = match pool::take(self.number, to, now) {
                    Some(idle) => {
                        let sent = udp::send_now(&idle.socket, query).map_err(ExchangeError::Io)?;
                        (idle, sent)
                    }
                    None => {
                        let permit = self.permit(until).await?;
                        sent_at = std::time::Instant::now();
                        let (socket, sent) = udp::open(to, &self.source_addresses, &self.rng, query)
                            .map_err(ExchangeError::Io)?;
                        (Idle::new(socket, permit, now), sent)
                    }
                };
                timeout_at(until, self.finish(to, idle, (!sent).then_some(query), accept)).await
            }
            Transport::Tcp => {
                let _permit = self.permit(until).await?;
                sent_at = std::time::Instant::now();
                let (sources, rng) = (self.source_addresses.as_slice(), &self.rng);
                timeout_at(until, tcp::exchange(to, sources, rng, query, accept)).await
            }
        };
        let octets = exchanged.unwrap_or(Err(ExchangeError::TimedOut))?;
        Ok(Arrival { octets, rtt: sent_at.elapsed() })
    }

    /// A place among the sockets that may be open.
    async fn permit(&self, until: Instant) -> Result<OwnedSemaphorePermit, ExchangeError> {
        let permits = Arc::clone(&self.permits);
        let permit = match Arc::clone(&permits).try_acquire_owned() {
            Ok(permit) => Some(permit),
            Err(_) => timeout_at(until, permits.acquire_owned()).await.ok().and_then(Result::ok),
        };
        permit.filter(|_| Instant::now() < until).ok_or_else(|| {
            let why = format!("none of {} upstream sockets came free in time", self.max_open);
            ExchangeError::Io(io::Error::other(why))
        })
    }

    /// Waits for the reply, sending first what could not be sent at once. The socket goes back to the
    /// pool when nothing but the reply came, and others do not wait for its place.
    async fn finish(
        &self,
        to: SocketAddr,
        mut idle: Idle,
        unsent: Option<&[u8]>,
        accept: &Accept<'_>,
    ) -> Result<Vec<u8>, ExchangeError> {
        let reply = udp::exchange(&mut idle, to, unsent, accept).await?;
        if self.permits.available_permits() > self.max_open / 2 {
            pool::put_back(self.number, to, idle, &reply, Instant::now());
        }
        Ok(reply)
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
    let v6_addresses = std::fs::read_to_string(V6_ADDRESSES).unwrap_or_default();
    let global_v6 = v6_addresses.lines().any(is_global_v6);
    decide_routes(datagram_socket(FAR_V4).is_ok(), leads_to(FAR_V4), leads_to(FAR_V6), global_v6)
}

/// IPv6 counts only with a default route or a global address: a host with neither often still has link-local
/// addresses. IPv4 counts also when neither family has a default route, so that servers on 127/8 or on a
/// private network can be asked; then it is IPv6 that is missing, unless servers may be on its own networks.
pub fn decide_routes(v4_socket: bool, v4_default: bool, v6_default: bool, v6_global: bool) -> Routes {
    Routes { v4: v4_socket && (v4_default || !v6_default), v6: v6_default || v6_global }
}

/// Does a line of `V6_ADDRESSES` name an address of 2000::/3 (RFC 4291 §2.4)?
pub fn is_global_v6(line: &str) -> bool {
    line.starts_with(['2', '3'])
}

/// Can servers be asked from this address?
///
/// # Errors
/// When no socket can be bound to it.
pub fn try_source(source: IpAddr) -> io::Result<()> {
    let address = SocketAddr::new(source, 0);
    datagram_socket(address)?.bind(&address.into())
}

fn datagram_socket(to: SocketAddr) -> io::Result<Socket> {
    Socket::new(Domain::for_address(to), Type::DGRAM, Some(Protocol::UDP))
}

/// Connecting a datagram socket asks the routing table and sends nothing.
fn leads_to(to: SocketAddr) -> bool {
    datagram_socket(to).and_then(|socket| socket.connect(&to.into())).is_ok()
}
