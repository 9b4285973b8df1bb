//! Requests over TCP (RFC 7766): pipelined, answered as they come ready.
//!
//! Knows: connections, framing, idleness. Does not know: messages, who else holds a connection
//! (`connections.rs`). A connection is one task: what it waits for dies with it. Shown by
//! `sockets::server_tcp_*`.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Respond;
use super::connections::{Connections, Ticket};
use super::load::{InFlight, Load, Stop};
use crate::world::Transport;

/// How long a client may take to send a whole request, or to read an answer, before the connection
/// is closed ("on the order of seconds", RFC 7766 §6.2.3). Reset by whole messages only (ibid.).
pub const IDLE: Duration = Duration::from_secs(10);

/// Requests in flight per connection; beyond, reading stops and TCP's window fills (RFC 7766
/// §6.2.1.1 wants concurrency, and sets no number).
pub const MAX_PIPELINED: usize = 32;

/// Connections that the kernel completes before we accept them.
const BACKLOG: i32 = 1_024;

/// Connections accepted before others get their turn: a rush of them does not delay UDP.
const ACCEPT_BATCH: u32 = 8;

/// After an accept that failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a connection's buffer begins with: a few requests.
const FIRST_READ: usize = 512;

/// A connection's buffer is given back when it grew beyond this: requests are short.
const BUFFER_KEPT: usize = 4_096;

/// Is nobody listening at `address`, not even one who would share it?
///
/// # Errors
/// What the system says; the caller names the address and the remedy.
pub fn probe(address: SocketAddr) -> io::Result<()> {
    bound(address, false).map(drop)
}

/// Binds one worker's listener.
///
/// # Errors
/// What the system says; the caller names the address and the remedy.
pub fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = bound(address, true)?;
    socket.listen(BACKLOG)?;
    let listener = std::net::TcpListener::from(socket);
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn bound(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?; // connections of an earlier run may linger
    socket.set_reuse_port(shared)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Accepts until `stop`, then waits until each connection has its answers. Must run where local
/// tasks can be spawned.
///
/// # Errors
/// When the runtime does not take the listener; never for an accept that failed.
pub async fn serve<R: Respond>(
    listener: std::net::TcpListener,
    respond: Rc<R>,
    load: Rc<Load>,
    connections: Arc<Connections>,
    mut stop: Stop,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let mut open = JoinSet::new();
    let mut in_a_row = 0;
    loop {
        if in_a_row == ACCEPT_BATCH {
            in_a_row = 0;
            tokio::task::yield_now().await;
        }
        let accepted = tokio::select! {
            biased;
            () = stop.requested() => break,
            Some(_) = open.join_next(), if !open.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        in_a_row += 1;
        match accepted {
            Ok((stream, client)) => {
                // Not admitted: closed at once, which the client hears sooner than silence.
                if let Some(ticket) = connections.admit(client.ip()) {
                    let asked = Asked { respond: Rc::clone(&respond), load: Rc::clone(&load), client };
                    open.spawn_local(converse(stream, asked, ticket, stop.clone()));
                }
            }
            Err(e) => recover(&e, &connections).await,
        }
    }
    drop(listener);
    while open.join_next().await.is_some() {}
    Ok(())
}

/// A connection that died before it was accepted is nothing; anything else may last, so it waits a
/// moment instead of spinning, and makes room.
async fn recover(error: &io::Error, connections: &Connections) {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
        return;
    }
    let displaced = connections.displace_one();
    tracing::warn!(%error, displaced, open = connections.open(), "accepting by TCP");
    sleep(ACCEPT_PAUSE).await;
}

/// What a connection needs for each request.
struct Asked<R> {
    respond: Rc<R>,
    load: Rc<Load>,
    client: SocketAddr,
}

async fn answer<R: Respond>(
    respond: Rc<R>,
    client: SocketAddr,
    request: Vec<u8>,
    counted: InFlight,
) -> Option<Vec<u8>> {
    let answering = respond.respond(&request, client, Transport::Tcp);
    drop(request); // as long as the client likes
    let answer = answering.await;
    drop(counted);
    answer
}

/// One connection from its first octet to its last.
async fn converse<R: Respond>(mut stream: TcpStream, asked: Asked<R>, ticket: Ticket, mut stop: Stop) {
    // Without it a second answer waits for the first one's acknowledgement; it can only fail on a
    // connection that is already gone.
    let _ = stream.set_nodelay(true);
    let (mut reader, mut writer) = stream.split();
    let mut inbox = Inbox::default();
    let mut pending = FuturesUnordered::new();
    let mut reading = true;
    let mut whole = Instant::now(); // when the last whole message came or went
    while reading || !pending.is_empty() {
        let room = pending.is_empty() || (pending.len() < MAX_PIPELINED && asked.load.has_room());
        tokio::select! {
            biased;
            () = ticket.displaced() => break,
            () = stop.requested(), if reading => reading = false,
            Some(first) = pending.next(), if !pending.is_empty() => {
                let mut ready = frame_ready(first, &mut pending);
                // From here until it is written we wait for the client: it can be displaced.
                ticket.idle();
                while !ready.is_empty() {
                    match write(&mut writer, &ready, &ticket, &mut pending).await {
                        Some(meanwhile) => ready = meanwhile,
                        None => return,
                    }
                }
                whole = Instant::now();
                if !pending.is_empty() {
                    ticket.busy();
                }
            }
            request = inbox.next(&mut reader), if reading && room => match request {
                Ok(Some(request)) => {
                    whole = Instant::now();
                    ticket.busy();
                    let counted = asked.load.enter();
                    pending.push(answer(Rc::clone(&asked.respond), asked.client, request, counted));
                }
                // The client has said all; what it asked is still answered.
                Ok(None) => reading = false,
                Err(_) => break,
            },
            () = sleep_until(whole + IDLE), if pending.is_empty() => break,
        }
    }
}

/// `first` and all answers that are ready too, each with its length: one write, few packets
/// (RFC 7766 §8). Requests that get no answer leave nothing.
fn frame_ready<F>(first: Option<Vec<u8>>, pending: &mut FuturesUnordered<F>) -> Vec<u8>
where
    F: Future<Output = Option<Vec<u8>>>,
{
    let mut framed = Vec::new();
    let mut next = Some(first);
    while let Some(answer) = next {
        frame(answer, &mut framed);
        next = pending.next().now_or_never().flatten();
    }
    framed
}

fn frame(answer: Option<Vec<u8>>, framed: &mut Vec<u8>) {
    if let Some(answer) = answer
        && let Ok(length) = u16::try_from(answer.len())
    {
        framed.extend_from_slice(&length.to_be_bytes());
        framed.extend_from_slice(&answer);
    }
}

/// Writes, while what is pending goes on: others may wait for the same look-ups as this client, who need not read.
/// What became ready meanwhile, at most [`MAX_PIPELINED`] answers; `None`: the connection is over, or is to be.
async fn write<F>(
    writer: &mut WriteHalf<'_>,
    framed: &[u8],
    ticket: &Ticket,
    pending: &mut FuturesUnordered<F>,
) -> Option<Vec<u8>>
where
    F: Future<Output = Option<Vec<u8>>>,
{
    let mut writing = pin!(timeout(IDLE, writer.write_all(framed)));
    let mut meanwhile = Vec::new();
    loop {
        tokio::select! {
            biased;
            written = &mut writing => return matches!(written, Ok(Ok(()))).then_some(meanwhile),
            () = ticket.displaced() => return None,
            Some(answer) = pending.next(), if !pending.is_empty() => frame(answer, &mut meanwhile),
        }
    }
}

/// What a client sent and was not yet taken as a message.
#[derive(Default)]
struct Inbox {
    octets: Vec<u8>,
}

impl Inbox {
    /// The next whole message; `None`: the client sends no more. Cancelling it loses nothing.
    async fn next(&mut self, reader: &mut ReadHalf<'_>) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(message) = self.take() {
                return Ok(Some(message));
            }
            if self.octets.capacity() == 0 {
                self.octets.reserve(FIRST_READ);
            }
            // Reads what there is, at most what the buffer's growth allows: a message that is only
            // announced takes no memory, and no more than two are ever held (131 KB).
            if reader.read_buf(&mut self.octets).await? == 0 {
                return Ok(None);
            }
        }
    }

    fn take(&mut self) -> Option<Vec<u8>> {
        let (length, rest) = self.octets.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length));
        let message = rest.get(..length)?.to_vec();
        self.octets.drain(..length.saturating_add(2));
        if self.octets.is_empty() && self.octets.capacity() > BUFFER_KEPT {
            self.octets = Vec::new();
        }
        Some(message)
    }
}
