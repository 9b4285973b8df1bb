//! Listeners: bound all before any is served, then one set per worker.
//!
//! Knows: addresses, what to do when one cannot be had. Does not know: threads and signals
//! (`cli::serve`), requests. Shown by `sockets::bind_*` and `sockets::server_*`.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::rc::Rc;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::connections::Connections;
use super::load::{Load, MAX_TCP_IN_FLIGHT, MAX_UDP_IN_FLIGHT, Stop};
use super::udp::Sharing;
use super::{Respond, tcp, udp};
use crate::world::Transport;

/// How often another port is tried when the one the system chose for UDP is taken for TCP.
const PORT_TRIES: usize = 8;

/// One worker's listeners: for each address one of each.
#[derive(Default)]
#[allow(missing_docs)]
pub struct Listeners {
    pub udp: Vec<UdpSocket>,
    pub tcp: Vec<TcpListener>,
}

/// A listen address that cannot be had.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct BindError {
    pub address: SocketAddr,
    pub transport: Transport,
    pub reason: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BindError { address, transport, reason } = self;
        write!(f, "cannot listen on {address} ({transport}): {reason}. ")?;
        let port = address.port();
        match reason.kind() {
            io::ErrorKind::AddrInUse => write!(
                f,
                "Another program has it (`ss -lntup 'sport = :{port}'` names it; for systemd-resolved see \
                 docs/operations.md): stop that, or choose another address with `--listen 127.0.0.1:5300`"
            ),
            io::ErrorKind::PermissionDenied if port < 1024 => write!(
                f,
                "Ports below 1024 need a privilege: AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd \
                 unit, or `sudo setcap cap_net_bind_service=+ep` on the program, or choose another port with \
                 `--listen 127.0.0.1:5300`"
            ),
            io::ErrorKind::AddrNotAvailable => {
                write!(f, "No interface here has this address: correct server.listen or --listen")
            }
            _ => write!(f, "Correct server.listen or --listen"),
        }
    }
}

impl std::error::Error for BindError {}

/// Binds `address` for each of `workers`, UDP and TCP, and says which port it became where
/// `address` has port 0.
///
/// SO_REUSEPORT would let us share an address silently with another cnamed of the same user. So the
/// first UDP socket is bound without it, which notices, and shares only then: a probe that is closed
/// again would take with it what arrived meanwhile. For TCP, where nothing arrives before `listen`,
/// a probe will do.
///
/// # Errors
/// The first socket that cannot be bound.
pub fn bind(address: SocketAddr, workers: &mut [Listeners]) -> Result<SocketAddr, BindError> {
    let mut tries = PORT_TRIES;
    let (first, bound) = loop {
        match bind_alone(address) {
            Ok(alone) => break alone,
            Err(e) if address.port() == 0 && tries > 0 && e.reason.kind() == io::ErrorKind::AddrInUse => {
                tries -= 1;
            }
            Err(e) => return Err(e),
        }
    };
    let error = |transport| move |reason| BindError { address: bound, transport, reason };
    let mut first = Some(first);
    for worker in workers {
        let socket = first.take().map_or_else(|| udp::bind(bound, Sharing::Free), Ok);
        worker.udp.push(socket.map_err(error(Transport::Udp))?);
        worker.tcp.push(tcp::bind(bound).map_err(error(Transport::Tcp))?);
    }
    Ok(bound)
}

/// A UDP socket of `address` that nobody else had, now ready to be shared, and its address, which
/// is free for TCP too.
fn bind_alone(address: SocketAddr) -> Result<(std::net::UdpSocket, SocketAddr), BindError> {
    let error = |address, transport| move |reason| BindError { address, transport, reason };
    let socket = udp::bind(address, Sharing::OnceBound).map_err(error(address, Transport::Udp))?;
    let bound = socket.local_addr().map_err(error(address, Transport::Udp))?;
    tcp::probe(bound).map_err(error(bound, Transport::Tcp))?;
    Ok((socket, bound))
}

/// Serves `listeners` in the thread that calls, until `stop` and until what is in flight is
/// answered. `respond` turns a request into an answer, or `None` to drop it. Must run where local
/// tasks can be spawned.
///
/// # Errors
/// When the runtime does not take a socket.
pub async fn serve<R: Respond>(
    listeners: Listeners,
    respond: R,
    connections: Arc<Connections>,
    stop: Stop,
) -> io::Result<()> {
    let respond = Rc::new(respond);
    let (by_udp, by_tcp) = (Load::new(MAX_UDP_IN_FLIGHT), Load::new(MAX_TCP_IN_FLIGHT));
    let mut doors = JoinSet::new();
    for socket in listeners.udp {
        doors.spawn_local(udp::serve(socket, Rc::clone(&respond), Rc::clone(&by_udp), stop.clone()));
    }
    for listener in listeners.tcp {
        let (respond, load) = (Rc::clone(&respond), Rc::clone(&by_tcp));
        doors.spawn_local(tcp::serve(listener, respond, load, Arc::clone(&connections), stop.clone()));
    }
    while let Some(ended) = doors.join_next().await {
        ended.map_err(io::Error::other)??;
    }
    Ok(())
}
