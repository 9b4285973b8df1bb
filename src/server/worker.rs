//! Listeners: bound all before any is served, then one set per worker.
//!
//! Knows: addresses, what to do when one cannot be had. Does not know: threads and signals
//! (`cli::serve`), requests. Shown by `sockets::bind_*` and `sockets::server_*`.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::rc::Rc;
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::task::JoinSet;

use super::connections::Connections;
use super::load::{Load, MAX_TCP_IN_FLIGHT, MAX_UDP_IN_FLIGHT, Stop};
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
/// # Errors
/// The first socket that cannot be bound.
pub fn bind(address: SocketAddr, workers: &mut [Listeners]) -> Result<SocketAddr, BindError> {
    let mut tries = PORT_TRIES;
    let bound = loop {
        match probe(address) {
            Ok(bound) => break bound,
            Err(e) if address.port() == 0 && tries > 0 && e.reason.kind() == io::ErrorKind::AddrInUse => {
                tries -= 1;
            }
            Err(e) => return Err(e),
        }
    };
    let error = |transport| move |reason| BindError { address: bound, transport, reason };
    for worker in workers {
        worker.udp.push(udp::bind(bound).map_err(error(Transport::Udp))?);
        worker.tcp.push(tcp::bind(bound).map_err(error(Transport::Tcp))?);
    }
    Ok(bound)
}

/// Is the address free? SO_REUSEPORT would let us share it silently with another cnamed of the same
/// user; sockets without it notice.
fn probe(address: SocketAddr) -> Result<SocketAddr, BindError> {
    let try_bind = |address: SocketAddr, transport| {
        let (kind, protocol) = match transport {
            Transport::Udp => (Type::DGRAM, Protocol::UDP),
            Transport::Tcp => (Type::STREAM, Protocol::TCP),
        };
        let bind = || {
            let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
            if transport == Transport::Tcp {
                socket.set_reuse_address(true)?; // lingering connections are no listener
            }
            if address.is_ipv6() {
                socket.set_only_v6(true)?;
            }
            socket.bind(&address.into())?;
            let bound = socket.local_addr()?.as_socket().unwrap_or(address);
            Ok((socket, bound))
        };
        bind().map_err(|reason| BindError { address, transport, reason })
    };
    let (_held, bound) = try_bind(address, Transport::Udp)?;
    try_bind(bound, Transport::Tcp)?;
    Ok(bound)
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
