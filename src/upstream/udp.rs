//! One UDP exchange over a connected socket (RFC 5452 §9.2).
//!
//! Knows: unpredictable source ports, connected sockets, what an ICMP error looks like. Does not
//! know: what a message means (`accept` does), retries, limits (`sockets.rs`), when a socket may
//! carry another question (`pool.rs`). The kernel drops
//! datagrams from anybody but the server; one that slipped in between bind and connect is dropped
//! here. Shown by `sockets::udp_*`.

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

use super::pool::{Brought, Idle};
use super::sources::source_for;
use crate::datagrams::Datagrams;
use crate::world::{Accept, ExchangeError, Rng, Verdict};

/// The lowest source port: RFC 5452 §9.2 wants "the range of available ports (53, or 1024 and
/// above) that is as large as possible".
pub const FIRST_PORT: u16 = 1024;

/// How often a random port is drawn before the system may choose one. With
/// `descriptors::MAX_UPSTREAM` of 64,512 ports taken, ten draws all fail once in 10^9.
const PORT_DRAWS: usize = 10;

/// The longest datagram there is.
const MAX_DATAGRAM: usize = 65_535;

thread_local! {
    /// Where datagrams arrive, so that an exchange that waits holds no buffer.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A socket bound to a random port and connected to `to`, by which `query` has left; `false`: it has
/// not, there was no room.
///
/// # Errors
/// What the system says.
pub(super) fn open(
    to: SocketAddr,
    sources: &[IpAddr],
    rng: &Rng,
    query: &[u8],
) -> io::Result<(Datagrams, bool)> {
    let socket = Socket::new(Domain::for_address(to), Type::DGRAM, Some(Protocol::UDP))?;
    bind(&socket, source_for(to, sources, rng), rng)?;
    socket.connect(&to.into())?;
    let socket = std::net::UdpSocket::from(socket);
    socket.set_nonblocking(true)?;
    // Sent before the runtime knows the socket: a fresh one has room, and waiting for "writable"
    // would cost a turn of the event loop.
    let sent = without_waiting(socket.send(query))?;
    Ok((Datagrams::new(socket)?, sent))
}

/// Sends `query` if there is room; `false`: there is not.
///
/// # Errors
/// What the system says. What it says of something sent before is told once, instead of sending, and is not about
/// this.
pub(super) fn send_now(socket: &Datagrams, query: &[u8]) -> io::Result<bool> {
    let send = || without_waiting(socket.socket().send(query));
    send().or_else(|_| send())
}

fn without_waiting(sent: io::Result<usize>) -> io::Result<bool> {
    match sent {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(e) => Err(e),
    }
}

/// Sends `unsent` to `to`, if there is anything, and waits for what `accept` takes. The deadline is
/// the caller's.
///
/// # Errors
/// [`ExchangeError::NearMiss`] as soon as `accept` says so, but of a reply of before that comes once more;
/// [`ExchangeError::Io`] when the system or an ICMP message says that nothing will come.
pub(super) async fn exchange(
    Idle { socket, brought, .. }: &mut Idle,
    to: SocketAddr,
    unsent: Option<&[u8]>,
    accept: &Accept<'_>,
) -> Result<Vec<u8>, ExchangeError> {
    if let Some(query) = unsent {
        // There is nearly always room: in a box, so that others need none for it.
        Box::pin(socket.send(|socket| socket.send(query))).await.map_err(ExchangeError::Io)?;
    }
    loop {
        let event = socket.event().await.map_err(ExchangeError::Io)?;
        if event.is_error()
            && let Some(error) = socket.take_error()
        {
            return Err(ExchangeError::Io(error));
        }
        match receive(socket, brought, to, accept) {
            Ok(Some(reply)) => return Ok(reply),
            Ok(None) => return Err(ExchangeError::NearMiss),
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(e) => return Err(ExchangeError::Io(e)),
        }
    }
}

/// Reads one datagram from `to`; `None`: a near miss.
fn receive(
    socket: &Datagrams,
    brought: &mut Brought,
    to: SocketAddr,
    accept: &Accept<'_>,
) -> io::Result<Option<Vec<u8>>> {
    let mut buffer = SCRATCH.take();
    buffer.resize(MAX_DATAGRAM, 0);
    let judged = loop {
        match socket.take(|socket| socket.recv_from(&mut buffer)) {
            Ok((_, from)) if (from.ip(), from.port()) != (to.ip(), to.port()) => {}
            Ok((length, _)) => {
                let message = buffer.get(..length).unwrap_or_default();
                match accept(message) {
                    Verdict::Take => break Ok(Some(message.to_vec())),
                    Verdict::NearMiss if brought.repeats(message) => {}
                    Verdict::NearMiss => break Ok(None),
                }
            }
            Err(e) => break Err(e),
        }
    };
    SCRATCH.set(buffer);
    // True but for what comes unasked: whoever uses the socket next need not find out.
    socket.is_empty_now();
    judged
}

fn bind(socket: &Socket, source: IpAddr, rng: &Rng) -> io::Result<()> {
    for _ in 0..PORT_DRAWS {
        match socket.bind(&SocketAddr::new(source, draw_port(rng)).into()) {
            // Denied: net.ipv4.ip_unprivileged_port_start may lie above 1024.
            Err(e) if matches!(e.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied) => {}
            bound => return bound,
        }
    }
    socket.bind(&SocketAddr::new(source, 0).into())
}

/// Uniform over [`FIRST_PORT`]–65535.
pub fn draw_port(rng: &Rng) -> u16 {
    let ports = usize::from(u16::MAX - FIRST_PORT) + 1;
    u16::try_from(rng.below(ports)).unwrap_or(0).saturating_add(FIRST_PORT)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;
    use tokio::time::Instant;

    use super::*;

    /// A socket that has brought "one" and "two", what is at its other end, and that one's address.
    async fn used_twice() -> (Idle, std::net::UdpSocket, SocketAddr) {
        let there = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = there.local_addr().unwrap();
        let (socket, _) = open(to, &[], &Rng::os(), b"query").unwrap();
        there.connect(socket.local_addr().unwrap()).unwrap();
        let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let mut idle = Idle::new(socket, permit, Instant::now());
        for reply in [b"one", b"two"] {
            there.send(reply).unwrap();
            assert_eq!(wait_for(&mut idle, to, reply).await.unwrap(), reply);
            idle.brought.add(reply);
        }
        (idle, there, to)
    }

    async fn wait_for(idle: &mut Idle, to: SocketAddr, reply: &[u8]) -> Result<Vec<u8>, ExchangeError> {
        let accept = |came: &[u8]| if came == reply { Verdict::Take } else { Verdict::NearMiss };
        let soon = std::time::Duration::from_secs(5);
        tokio::time::timeout(soon, exchange(idle, to, None, &accept)).await.expect("something comes")
    }

    #[tokio::test]
    async fn a_reply_that_comes_twice_is_left_out_and_anything_like_it_is_a_near_miss() {
        let (mut idle, there, to) = used_twice().await;
        for datagram in [b"two", b"one", b"yes"] {
            there.send(datagram).unwrap();
        }
        assert_eq!(wait_for(&mut idle, to, b"yes").await.unwrap(), b"yes");
        for like in ["tw", "two ", "twO", ""] {
            let (mut idle, there, to) = used_twice().await;
            for datagram in [like, "yes"] {
                there.send(datagram.as_bytes()).unwrap();
            }
            let came = wait_for(&mut idle, to, b"yes").await;
            assert!(matches!(came, Err(ExchangeError::NearMiss)), "{like}: {came:?}");
        }
    }

    #[tokio::test]
    async fn who_sends_a_reply_on_and_on_is_not_read_on_and_on() {
        let (mut idle, there, to) = used_twice().await;
        for _ in 0..100 {
            there.send(b"one").unwrap();
        }
        there.send(b"yes").unwrap();
        assert!(matches!(wait_for(&mut idle, to, b"yes").await, Err(ExchangeError::NearMiss)));
    }

    #[tokio::test]
    async fn an_error_of_before_costs_no_question() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        socket.connect(nobody).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket.send(b"before").unwrap(); // on loopback the ICMP message has come when this is done
        let socket = Datagrams::new(socket).unwrap();
        assert!(send_now(&socket, b"now").unwrap());
    }
}
