//! One exchange over a TCP connection of its own (RFC 7766).
//!
//! Knows: the length prefix, both in one write (§8). Does not know: what a message means, retries,
//! reuse of connections. Shown by `sockets::tcp_*`.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::sources::source_for;
use crate::world::{Accept, ExchangeError, Rng, Verdict};

/// Connects to `to`, sends `query`, reads one message and shows it to `accept`. The deadline is the
/// caller's.
///
/// # Errors
/// [`ExchangeError::NearMiss`] when `accept` refuses the message; [`ExchangeError::Io`] when the
/// connection fails or ends early.
pub async fn exchange(
    to: SocketAddr,
    sources: &[IpAddr],
    rng: &Rng,
    query: &[u8],
    accept: &Accept<'_>,
) -> Result<Vec<u8>, ExchangeError> {
    let reply = converse(to, sources, rng, query).await.map_err(ExchangeError::Io)?;
    match accept(&reply) {
        Verdict::Take => Ok(reply),
        Verdict::NearMiss => Err(ExchangeError::NearMiss),
    }
}

async fn converse(to: SocketAddr, sources: &[IpAddr], rng: &Rng, query: &[u8]) -> io::Result<Vec<u8>> {
    let length = u16::try_from(query.len())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a query of more than 65535 octets"))?;
    let mut stream = connect(to, sources, rng).await?;
    stream.set_nodelay(true)?;
    let mut framed = Vec::with_capacity(query.len() + 2);
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend_from_slice(query);
    stream.write_all(&framed).await?;
    let length = stream.read_u16().await?;
    let mut reply = vec![0; usize::from(length)];
    stream.read_exact(&mut reply).await?;
    Ok(reply)
}

/// The port is the system's choice: here the sequence number is the secret.
async fn connect(to: SocketAddr, sources: &[IpAddr], rng: &Rng) -> io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    let source = source_for(to, sources, rng);
    if !source.is_unspecified() {
        socket.bind(SocketAddr::new(source, 0))?;
    }
    socket.connect(to).await
}
