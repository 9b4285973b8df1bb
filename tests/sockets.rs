//! Sockets, real ones, on loopback: what leaves, what is taken, who is let in, how it all ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashSet;
use std::future::pending;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use cnamed::rrset::{Question, RrType};
use cnamed::scenario::pace::Pace;
use cnamed::server::Respond;
use cnamed::server::connections::{Connections, MAX_PER_CLIENT};
use cnamed::server::load::Stop;
use cnamed::server::tcp::{IDLE, MAX_PIPELINED};
use cnamed::server::worker::{self, Listeners};
use cnamed::upstream::sockets::{decide_routes, is_global_v6};
use cnamed::upstream::udp::{FIRST_PORT, draw_port};
use cnamed::upstream::{Sockets, descriptors};
use cnamed::wire::{Header, MessageWriter};
use cnamed::world::{ExchangeError, Network, Rng, Routes, Transport, Verdict};
use tokio::runtime::Builder;
use tokio::task::LocalSet;

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

// ---------------------------------------------------------------------------------------- upstream

fn udp_server() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind((LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

fn take_ok(message: &[u8]) -> Verdict {
    if message.starts_with(b"ok") { Verdict::Take } else { Verdict::NearMiss }
}

fn exchange_for(
    sockets: &Sockets,
    to: SocketAddr,
    over: Transport,
    wait: Duration,
) -> Result<Vec<u8>, ExchangeError> {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let until = tokio::time::Instant::now() + wait;
        sockets.exchange(to, over, b"query", &take_ok, until).await.map(|came| came.octets)
    })
}

fn exchange(to: SocketAddr, over: Transport) -> Result<Vec<u8>, ExchangeError> {
    let sockets = Sockets::with_limit(Vec::new(), Rng::os(), 8);
    exchange_for(&sockets, to, over, Duration::from_secs(3))
}

#[test]
fn udp_reply_is_taken() {
    let (server, to) = udp_server();
    let server = thread::spawn(move || {
        let mut buffer = [0; 100];
        let (length, from) = server.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"query");
        server.send_to(b"ok then", from).unwrap();
    });
    assert_eq!(exchange(to, Transport::Udp).unwrap(), b"ok then");
    server.join().unwrap();
}

/// Virtual time counts in whole milliseconds.
#[test]
fn a_round_trip_takes_real_time_also_while_a_question_is_recorded() {
    const EXCHANGES: usize = 5;
    let (server, to) = udp_server();
    let server = thread::spawn(move || {
        for _ in 0..EXCHANGES {
            let (_, from) = server.recv_from(&mut [0; 100]).unwrap();
            server.send_to(b"ok", from).unwrap();
        }
    });
    let sockets = Sockets::with_limit(Vec::new(), Rng::os(), 8);
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let round_trips = runtime.block_on(async {
        let _in_step = Pace::begin();
        let mut round_trips = Vec::new();
        for _ in 0..EXCHANGES {
            let until = tokio::time::Instant::now() + Duration::from_secs(3);
            let came = sockets.exchange(to, Transport::Udp, b"query", &take_ok, until).await;
            round_trips.push(came.unwrap().rtt);
        }
        round_trips
    });
    server.join().unwrap();
    assert!(round_trips.iter().any(|rtt| rtt.subsec_micros() % 1_000 != 0), "{round_trips:?}");
}

#[test]
fn udp_near_miss_ends_the_exchange_at_once() {
    let (server, to) = udp_server();
    let server = thread::spawn(move || {
        let (_, from) = server.recv_from(&mut [0; 100]).unwrap();
        server.send_to(b"forged", from).unwrap();
        server.send_to(b"ok", from).unwrap();
    });
    assert!(matches!(exchange(to, Transport::Udp), Err(ExchangeError::NearMiss)));
    server.join().unwrap();
}

/// As networks deliver them, and servers with two ways to us. Each round finds the second half of the one
/// before in the sockets that it uses again.
#[test]
fn udp_replies_that_come_twice_are_no_near_misses_of_the_next_questions() {
    const ROUNDS: usize = 10;
    const AT_ONCE: usize = 120; // that is a busy thread, and less than a socket's buffer takes
    let (server, to) = udp_server();
    let server = thread::spawn(move || {
        let (mut buffer, mut ports) = ([0; 100], HashSet::new());
        for _ in 0..ROUNDS * AT_ONCE {
            let (length, from) = server.recv_from(&mut buffer).unwrap();
            ports.insert(from.port());
            for _ in 0..2 {
                server.send_to(&buffer[..length], from).unwrap();
            }
        }
        ports.len()
    });
    let sockets = Sockets::with_limit(Vec::new(), Rng::os(), 1_000);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let near_misses = runtime.block_on(async {
        let mut near_misses = 0;
        for round in 0..ROUNDS {
            let asked = (0..AT_ONCE).map(|number| {
                let sockets = &sockets;
                async move {
                    let query = format!("{round} {number}").into_bytes();
                    let accept =
                        |reply: &[u8]| if reply == query { Verdict::Take } else { Verdict::NearMiss };
                    let until = tokio::time::Instant::now() + Duration::from_secs(3);
                    sockets.exchange(to, Transport::Udp, &query, &accept, until).await
                }
            });
            for came in futures_util::future::join_all(asked).await {
                match came {
                    Ok(_) => {}
                    Err(ExchangeError::NearMiss) => near_misses += 1,
                    Err(e) => panic!("{e:?}"),
                }
            }
        }
        near_misses
    });
    let ports = server.join().unwrap();
    assert!(ports < ROUNDS * AT_ONCE, "no socket was used again");
    assert_eq!(near_misses, 0, "of {}", ROUNDS * AT_ONCE);
}

#[test]
fn udp_datagrams_from_elsewhere_are_not_even_judged() {
    let (server, to) = udp_server();
    let server = thread::spawn(move || {
        let (_, from) = server.recv_from(&mut [0; 100]).unwrap();
        let (other_port, _) = udp_server();
        other_port.send_to(b"forged: another port", from).unwrap();
        let other_address = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, 2), 0)).unwrap();
        other_address.send_to(b"forged: another address", from).unwrap();
        thread::sleep(Duration::from_millis(50));
        server.send_to(b"ok", from).unwrap();
    });
    assert_eq!(exchange(to, Transport::Udp).unwrap(), b"ok");
    server.join().unwrap();
}

#[test]
fn udp_silence_times_out() {
    let (_server, to) = udp_server();
    let sockets = Sockets::with_limit(Vec::new(), Rng::os(), 8);
    let begun = Instant::now();
    let outcome = exchange_for(&sockets, to, Transport::Udp, Duration::from_millis(100));
    assert!(matches!(outcome, Err(ExchangeError::TimedOut)));
    assert!((90..2_000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
}

#[test]
fn refused_is_an_error_at_once_over_both_transports() {
    // The UDP socket is closed, hence its port is free, also for TCP, unless somebody takes it now.
    let to = udp_server().1;
    for over in [Transport::Udp, Transport::Tcp] {
        let begun = Instant::now();
        match exchange(to, over) {
            Err(ExchangeError::Io(e)) => assert_eq!(e.kind(), io::ErrorKind::ConnectionRefused, "{over}"),
            other => panic!("{over}: {other:?}"),
        }
        assert!(begun.elapsed() < Duration::from_secs(1), "{over}");
    }
}

#[test]
fn source_ports_are_drawn_from_1024_to_65535_evenly() {
    let rng = Rng::seeded(7);
    let mut sixteenths = [0_u32; 16];
    let (mut low, mut high) = (u16::MAX, 0);
    for _ in 0..64_000 {
        let port = draw_port(&rng);
        low = low.min(port);
        high = high.max(port);
        sixteenths[usize::from((port - FIRST_PORT) / 4_032)] += 1;
    }
    assert!((1024..1100).contains(&low) && high > 65_450, "{low}..={high}");
    // 4,000 expected each, standard deviation 61: six of them.
    assert!(sixteenths.iter().all(|count| (3_630..4_370).contains(count)), "{sixteenths:?}");
}

#[test]
fn each_udp_exchange_has_a_port_of_its_own_from_the_whole_range() {
    let (server, to) = udp_server();
    let server = thread::spawn(move || {
        let mut ports = Vec::new();
        for _ in 0..200 {
            let (_, from) = server.recv_from(&mut [0; 100]).unwrap();
            assert_eq!(from.ip(), LOCALHOST);
            ports.push(from.port());
            server.send_to(b"ok", from).unwrap();
        }
        ports
    });
    let sockets = Sockets::with_limit(Vec::new(), Rng::os(), 8);
    for _ in 0..200 {
        exchange_for(&sockets, to, Transport::Udp, Duration::from_secs(3)).unwrap();
    }
    let ports = server.join().unwrap();
    assert!(ports.iter().all(|port| *port >= FIRST_PORT));
    // Of 200 uniform draws all but one or two differ, and no half of the range stays empty.
    assert!(ports.iter().collect::<HashSet<_>>().len() >= 195);
    for quarter in 0..4_u16 {
        let low = FIRST_PORT + quarter * 16_128;
        let hits = ports.iter().filter(|port| (low..=low + 16_127).contains(port)).count();
        assert!((20..80).contains(&hits), "{hits} of 200 in quarter {quarter}");
    }
}

#[test]
fn source_addresses_of_the_servers_family_are_used_and_mixed() {
    let (server, to) = udp_server();
    let server = thread::spawn(move || {
        let mut seen = HashSet::new();
        for _ in 0..40 {
            let (_, from) = server.recv_from(&mut [0; 100]).unwrap();
            seen.insert(from.ip());
            server.send_to(b"ok", from).unwrap();
        }
        seen
    });
    let sources: Vec<IpAddr> = ["127.0.0.7", "::1", "127.0.0.8"].map(|a| a.parse().unwrap()).to_vec();
    let sockets = Sockets::with_limit(sources.clone(), Rng::os(), 8);
    for _ in 0..40 {
        exchange_for(&sockets, to, Transport::Udp, Duration::from_secs(3)).unwrap();
    }
    assert_eq!(server.join().unwrap(), HashSet::from([sources[0], sources[2]]));
}

#[test]
fn too_few_descriptors_queue_and_count_against_the_deadline() {
    let (server, to) = udp_server();
    let server = thread::spawn(move || {
        // Two at a time, never three: each pair is answered only after 50 ms of nothing more.
        for _ in 0..3 {
            let mut pair = Vec::new();
            for _ in 0..2 {
                pair.push(server.recv_from(&mut [0; 100]).unwrap().1);
            }
            server.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            server.recv_from(&mut [0; 100]).unwrap_err();
            server.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            for from in pair {
                server.send_to(b"ok", from).unwrap();
            }
        }
    });
    let sockets = Sockets::with_limit(Vec::new(), Rng::os(), 2);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let until = tokio::time::Instant::now() + Duration::from_secs(3);
        let six = (0..6).map(|_| sockets.exchange(to, Transport::Udp, b"query", &take_ok, until));
        for outcome in futures_util::future::join_all(six).await {
            assert_eq!(outcome.unwrap().octets, b"ok");
        }
        // A silent server: two wait for it, the third for a socket.
        let (_silent, to) = udp_server();
        let until = tokio::time::Instant::now() + Duration::from_millis(100);
        let three = (0..3).map(|_| sockets.exchange(to, Transport::Udp, b"query", &take_ok, until));
        let outcomes = futures_util::future::join_all(three).await;
        assert!(matches!(outcomes[0], Err(ExchangeError::TimedOut)));
        assert!(matches!(outcomes[1], Err(ExchangeError::TimedOut)));
        let why = outcomes[2].as_ref().unwrap_err().to_string();
        assert_eq!(why, "none of 2 upstream sockets came free in time");
    });
    server.join().unwrap();
}

#[test]
fn nothing_is_sent_in_the_first_poll_of_an_exchange() {
    let (server, to) = udp_server();
    server.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let sockets = Sockets::with_limit(Vec::new(), Rng::os(), 8);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let until = tokio::time::Instant::now() + Duration::from_secs(3);
        let mut exchange = sockets.exchange(to, Transport::Udp, b"query", &take_ok, until);
        let polled = std::future::poll_fn(|context| {
            std::task::Poll::Ready(exchange.as_mut().poll(context).is_ready())
        });
        assert!(!polled.await);
    });
    assert_eq!(server.recv_from(&mut [0; 100]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

/// Accepts once, reads the framed query, and does `act` with the connection.
fn tcp_server(act: impl FnOnce(&mut TcpStream) + Send + 'static) -> (thread::JoinHandle<()>, SocketAddr) {
    let listener = TcpListener::bind((LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut query = [0; 7];
        stream.read_exact(&mut query).unwrap();
        assert_eq!(&query, b"\0\x05query");
        act(&mut stream);
    });
    (server, address)
}

#[test]
fn tcp_reply_may_come_in_pieces() {
    let (server, to) = tcp_server(|stream| {
        stream.set_nodelay(true).unwrap();
        for octet in b"\0\x07ok then" {
            stream.write_all(&[*octet]).unwrap();
            thread::sleep(Duration::from_millis(2));
        }
    });
    assert_eq!(exchange(to, Transport::Tcp).unwrap(), b"ok then");
    server.join().unwrap();
}

#[test]
fn tcp_reply_may_have_65535_octets() {
    let (server, to) = tcp_server(|stream| {
        let mut reply = vec![0xff, 0xff];
        reply.extend_from_slice(b"ok");
        reply.resize(65_537, b'.');
        stream.write_all(&reply).unwrap();
    });
    assert_eq!(exchange(to, Transport::Tcp).unwrap().len(), 65_535);
    server.join().unwrap();
}

#[test]
fn tcp_near_miss_early_end_and_silence() {
    let (server, to) = tcp_server(|stream| stream.write_all(b"\0\x03bad").unwrap());
    assert!(matches!(exchange(to, Transport::Tcp), Err(ExchangeError::NearMiss)));
    server.join().unwrap();

    let (server, to) = tcp_server(|stream| stream.write_all(b"\0\x07ok").unwrap());
    match exchange(to, Transport::Tcp) {
        Err(ExchangeError::Io(e)) => assert_eq!(e.kind(), io::ErrorKind::UnexpectedEof),
        other => panic!("{other:?}"),
    }
    server.join().unwrap();

    let (server, to) = tcp_server(|stream| {
        stream.write_all(b"\0\x07ok").unwrap();
        let _ = stream.read(&mut [0; 1]); // until the other side gives up
    });
    let sockets = Sockets::with_limit(Vec::new(), Rng::os(), 8);
    let outcome = exchange_for(&sockets, to, Transport::Tcp, Duration::from_millis(100));
    assert!(matches!(outcome, Err(ExchangeError::TimedOut)));
    server.join().unwrap();
}

#[test]
fn routes_loopback_only_machines_keep_ipv4() {
    let routes = |v4, v6| Routes { v4, v6 };
    assert_eq!(decide_routes(true, true, true, true), routes(true, true));
    assert_eq!(decide_routes(true, true, false, false), routes(true, false));
    assert_eq!(decide_routes(true, false, true, true), routes(false, true));
    assert_eq!(decide_routes(true, false, false, false), routes(true, false), "loopback only");
    assert_eq!(decide_routes(true, false, false, true), routes(true, true), "networks without a way out");
    assert_eq!(decide_routes(false, false, false, false), routes(false, false));
    for (line, global) in [
        ("20010db8000000000000000000000053 01 80 00 80       lo", true),
        ("00000000000000000000000000000001 01 80 10 80       lo", false),
        ("fe80000000000000020000fffe000001 02 40 20 80     eth0", false),
        ("fd000000000000000000000000000001 03 40 00 80  docker0", false),
    ] {
        assert_eq!(is_global_v6(line), global, "{line}");
    }
    let sockets = Sockets::with_limit(Vec::new(), Rng::os(), 8);
    assert!(sockets.routes().v4 || sockets.routes().v6, "one of them on any machine that runs this");
}

#[test]
fn descriptors_are_divided_and_never_to_nothing() {
    let tight = descriptors::share(256, 12);
    assert!(tight.tcp_clients + tight.upstream + descriptors::RESERVED + 12 <= 256, "{tight:?}");
    assert!(tight.tcp_clients >= 50 && tight.upstream >= 150, "{tight:?}");
    let wide = descriptors::share(1 << 20, 12);
    assert_eq!((wide.upstream, wide.tcp_clients), (descriptors::MAX_UPSTREAM, descriptors::MAX_TCP_CLIENTS));
    let none = descriptors::share(10, 12);
    assert!(none.upstream > 0 && none.tcp_clients > 0, "{none:?}");
    assert!(descriptors::raise_limit() >= 64);
}

// ------------------------------------------------------------------------------------- connections

#[test]
fn connections_beyond_the_total_displace_the_longest_idle() {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let connections = Connections::new(3);
        let admit = || connections.admit(LOCALHOST);
        let tick = || tokio::time::sleep(Duration::from_millis(10));
        let busy = admit().unwrap();
        busy.busy();
        tick().await;
        let first = admit().unwrap();
        tick().await;
        let second = admit().unwrap();
        tick().await;
        first.idle(); // it was just served: the second has waited longer
        let _third = admit().unwrap();
        tokio::time::timeout(Duration::from_millis(1), second.displaced()).await.unwrap();
        tokio::time::timeout(Duration::from_millis(1), first.displaced()).await.unwrap_err();
        assert_eq!(connections.open(), 3);
        drop(second); // its seat was given away already
        assert_eq!(connections.open(), 3);
        first.busy();
        _third.busy();
        assert!(admit().is_none(), "nobody is idle");
        drop(busy);
        assert!(admit().is_some());
    });
}

#[test]
fn connections_per_client_are_limited_by_address_and_ipv6_prefix() {
    let connections = Connections::new(10_000);
    for (clients, limited) in [
        (["192.0.2.1", "192.0.2.1"], true),
        (["2001:db8::1", "2001:db8::ffff:1:2:3"], true),
        (["::ffff:192.0.2.2", "192.0.2.2"], true),
        (["127.0.0.1", "127.0.0.1"], false),
        (["::1", "::1"], false),
    ] {
        let [one, same] = clients.map(|client| client.parse::<IpAddr>().unwrap());
        let before = connections.open();
        let held: Vec<_> = (0..MAX_PER_CLIENT).map(|_| connections.admit(one).unwrap()).collect();
        let _displacing = connections.admit(same).unwrap();
        assert_eq!(connections.open() - before, MAX_PER_CLIENT + usize::from(!limited), "{one}");
        held.iter().for_each(|ticket| ticket.busy());
        _displacing.busy();
        assert_eq!(connections.admit(same).is_none(), limited, "{one}: all busy");
        let _neighbour = connections.admit("2001:db8:0:1::1".parse().unwrap()).unwrap();
    }
}

// ------------------------------------------------------------------------------------------ server

/// A worker in a thread of its own. Requests say what is to happen: `now…` is echoed at once,
/// `wait N …` after N ms, `drop` never, `hang` never but as if servers were awaited, `from` says
/// who asked, `big` is answered with 60,000 octets.
struct Server {
    address: SocketAddr,
    stop: tokio::sync::watch::Sender<bool>,
    thread: thread::JoinHandle<()>,
    in_flight: Arc<AtomicUsize>,
    connections: Arc<Connections>,
}

struct Stub {
    in_flight: Arc<AtomicUsize>,
}

impl Respond for Stub {
    fn at_once(
        &self,
        request: &[u8],
        client: SocketAddr,
        _now: tokio::time::Instant,
        out: &mut Vec<u8>,
    ) -> bool {
        match request {
            b"ready" => out.extend_from_slice(b"here"),
            b"ready from" => out.extend_from_slice(client.to_string().as_bytes()),
            _ => return false,
        }
        true
    }

    fn respond<'a>(
        &'a self,
        request: &[u8],
        client: SocketAddr,
        over: Transport,
    ) -> impl Future<Output = Option<Vec<u8>>> + use<'a> {
        stub(request.to_vec(), client, over, &self.in_flight)
    }
}

async fn stub(
    request: Vec<u8>,
    client: SocketAddr,
    over: Transport,
    in_flight: &AtomicUsize,
) -> Option<Vec<u8>> {
    struct Leave<'a>(&'a AtomicUsize);
    impl Drop for Leave<'_> {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }
    let text = String::from_utf8_lossy(&request);
    let mut words = text.split(' ');
    match words.next()? {
        "now" => Some(request.clone()),
        "from" => Some(format!("{client} {over}").into_bytes()),
        "big" => Some(vec![b'.'; 60_000]),
        "wait" => {
            in_flight.fetch_add(1, Ordering::Relaxed);
            let _leave = Leave(in_flight);
            tokio::time::sleep(Duration::from_millis(words.next()?.parse().unwrap())).await;
            Some(request.clone())
        }
        "hang" => {
            in_flight.fetch_add(1, Ordering::Relaxed);
            let _leave = Leave(in_flight);
            pending().await
        }
        _ => None,
    }
}

impl Server {
    fn start(listen: SocketAddr, max_connections: usize) -> Server {
        let mut listeners = [Listeners::default()];
        let address = worker::bind(listen, &mut listeners).unwrap();
        let [listeners] = listeners;
        let (stop, hear) = Stop::new();
        let in_flight = Arc::new(AtomicUsize::new(0));
        let connections = Connections::new(max_connections);
        let (counted, seats) = (Arc::clone(&in_flight), Arc::clone(&connections));
        let thread = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            let serving = worker::serve(listeners, Stub { in_flight: counted }, seats, hear);
            LocalSet::new().block_on(&runtime, serving).unwrap();
        });
        Server { address, stop, thread, in_flight, connections }
    }

    fn local() -> Server {
        Server::start(SocketAddr::new(LOCALHOST, 0), 1_000)
    }

    /// Asked to stop; true when it ended within `wait`.
    fn ends_within(self, wait: Duration) -> bool {
        self.stop.send(true).unwrap();
        until(wait, || self.thread.is_finished())
    }

    fn udp(&self) -> UdpSocket {
        let client = UdpSocket::bind((LOCALHOST, 0)).unwrap();
        client.connect(self.address).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        client
    }

    fn tcp(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }
}

fn until(wait: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < wait {
        if holds() {
            return true;
        }
        thread::sleep(Duration::from_millis(2));
    }
    holds()
}

fn framed(messages: &[&[u8]]) -> Vec<u8> {
    let mut octets = Vec::new();
    for message in messages {
        octets.extend_from_slice(&u16::try_from(message.len()).unwrap().to_be_bytes());
        octets.extend_from_slice(message);
    }
    octets
}

fn read_message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message)?;
    Ok(message)
}

fn udp_ask(client: &UdpSocket, request: &[u8]) -> io::Result<Vec<u8>> {
    client.send(request)?;
    let mut buffer = vec![0; 65_535];
    let length = client.recv(&mut buffer)?;
    buffer.truncate(length);
    Ok(buffer)
}

#[test]
fn server_udp_answers_at_once_later_and_not_at_all() {
    let server = Server::local();
    let client = server.udp();
    assert_eq!(udp_ask(&client, b"now 1").unwrap(), b"now 1");
    let local = client.local_addr().unwrap();
    assert_eq!(udp_ask(&client, b"from").unwrap(), format!("{local} UDP").as_bytes());
    // The slow one does not hold up the others, nor does one that is dropped.
    client.send(b"wait 100 slow").unwrap();
    client.send(b"drop").unwrap();
    assert_eq!(udp_ask(&client, b"now 2").unwrap(), b"now 2");
    let mut buffer = [0; 100];
    let length = client.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"wait 100 slow");
    assert!(server.ends_within(Duration::from_secs(1)));
}

#[test]
fn server_udp_sheds_what_waits_and_still_answers_what_does_not() {
    let server = Server::local();
    let client = server.udp();
    let limit = cnamed::server::load::MAX_UDP_IN_FLIGHT;
    for sent in 1..=limit {
        client.send(b"hang").unwrap();
        if sent % 64 == 0 {
            assert_eq!(udp_ask(&client, b"now").unwrap(), b"now"); // keeps in step: nothing is lost
        }
    }
    assert_eq!(udp_ask(&client, b"now").unwrap(), b"now");
    assert_eq!(server.in_flight.load(Ordering::Relaxed), limit);
    for _ in 0..50 {
        client.send(b"hang").unwrap();
    }
    assert_eq!(udp_ask(&client, b"now still").unwrap(), b"now still");
    assert_eq!(server.in_flight.load(Ordering::Relaxed), limit, "the rest was dropped");
}

#[test]
fn wildcard_listener_answers_from_the_address_asked() {
    for (listen, asked) in [("0.0.0.0:0", ["127.0.0.1", "127.0.0.9"]), ("[::]:0", ["::1", "::1"])] {
        if listen.starts_with('[') && UdpSocket::bind("[::1]:0").is_err() {
            continue; // a machine without IPv6
        }
        let server = Server::start(listen.parse().unwrap(), 10);
        for asked in asked {
            let to = SocketAddr::new(asked.parse().unwrap(), server.address.port());
            // Connected: the kernel drops answers from any other address.
            let client = UdpSocket::bind(if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }).unwrap();
            client.connect(to).unwrap();
            client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            assert_eq!(udp_ask(&client, b"now").unwrap(), b"now", "{to}");
            assert_eq!(udp_ask(&client, b"wait 5").unwrap(), b"wait 5", "{to}");
            assert_eq!(udp_ask(&client, b"ready").unwrap(), b"here", "{to}");
            let local = client.local_addr().unwrap();
            assert_eq!(udp_ask(&client, b"from").unwrap(), format!("{local} UDP").as_bytes());
        }
        assert!(server.ends_within(Duration::from_secs(1)));
    }
}

#[test]
fn server_udp_batches_go_each_to_who_asked() {
    const ASKED: usize = 100; // several batches
    let server = Server::local();
    let clients: Vec<UdpSocket> = (0..8).map(|_| server.udp()).collect();
    for _ in 0..ASKED {
        for client in &clients {
            client.send(b"ready from").unwrap();
            client.send(b"now").unwrap();
        }
    }
    let mut buffer = [0; 64];
    for client in &clients {
        let local = client.local_addr().unwrap().to_string();
        let mut answers = (0, 0);
        for _ in 0..2 * ASKED {
            let length = client.recv(&mut buffer).unwrap();
            match &buffer[..length] {
                b"now" => answers.0 += 1,
                from => answers.1 += usize::from(from == local.as_bytes()),
            }
        }
        assert_eq!(answers, (ASKED, ASKED));
    }
}

#[test]
fn server_tcp_pipelines_and_answers_out_of_order() {
    let server = Server::local();
    let mut stream = server.tcp();
    stream.write_all(&framed(&[b"wait 100 first", b"now second", b"drop", b"wait 20 third"])).unwrap();
    for expected in ["now second", "wait 20 third", "wait 100 first"] {
        assert_eq!(read_message(&mut stream).unwrap(), expected.as_bytes());
    }
    stream.write_all(&framed(&[b"from"])).unwrap();
    let local = stream.local_addr().unwrap();
    assert_eq!(read_message(&mut stream).unwrap(), format!("{local} TCP").as_bytes());
}

#[test]
fn server_tcp_takes_requests_in_pieces() {
    let server = Server::local();
    let mut stream = server.tcp();
    for octet in framed(&[b"now 1", b"now 2"]) {
        stream.write_all(&[octet]).unwrap();
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(read_message(&mut stream).unwrap(), b"now 1");
    assert_eq!(read_message(&mut stream).unwrap(), b"now 2");
    let long = [b"now ".as_slice(), &[b'x'; 65_531]].concat();
    stream.write_all(&framed(&[&long])).unwrap();
    assert!(read_message(&mut stream).unwrap() == long);
}

#[test]
fn server_tcp_half_closed_client_gets_its_answers() {
    let server = Server::local();
    let mut stream = server.tcp();
    stream.write_all(&framed(&[b"wait 50 a", b"now b"])).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(read_message(&mut stream).unwrap(), b"now b");
    assert_eq!(read_message(&mut stream).unwrap(), b"wait 50 a");
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0, "then it is closed");
    assert!(until(Duration::from_secs(1), || server.connections.open() == 0));
}

#[test]
fn server_tcp_reads_no_more_than_its_limit_per_connection() {
    let server = Server::local();
    let mut stream = server.tcp();
    for _ in 0..3 * MAX_PIPELINED {
        stream.write_all(&framed(&[b"wait 300"])).unwrap();
    }
    let count = || server.in_flight.load(Ordering::Relaxed);
    assert!(until(Duration::from_secs(1), || count() == MAX_PIPELINED));
    thread::sleep(Duration::from_millis(100));
    assert_eq!(count(), MAX_PIPELINED);
    for _ in 0..3 * MAX_PIPELINED {
        assert_eq!(read_message(&mut stream).unwrap(), b"wait 300");
    }
    drop(stream);
    assert!(until(Duration::from_secs(1), || server.connections.open() == 0));
}

#[test]
fn server_tcp_what_waits_dies_with_its_connection() {
    let server = Server::start(SocketAddr::new(LOCALHOST, 0), 1);
    let mut stream = server.tcp();
    stream.write_all(&framed(&[b"hang"])).unwrap();
    assert!(until(Duration::from_secs(1), || server.in_flight.load(Ordering::Relaxed) == 1));
    // The only seat is taken by one that waits for us: the newcomer is turned away at once.
    assert_eq!(server.tcp().read(&mut [0; 1]).unwrap_or(0), 0);
    stream.write_all(&framed(&[b"now"])).unwrap();
    assert_eq!(read_message(&mut stream).unwrap(), b"now", "and the seat's holder is served on");
}

/// Others may wait for the same look-up.
#[test]
fn server_tcp_who_does_not_read_holds_no_look_up_up() {
    let server = Server::local();
    let mut deaf = server.tcp();
    let asked = [&[b"wait 300".as_slice()][..], &[b"big".as_slice(); 100]].concat();
    deaf.write_all(&framed(&asked)).unwrap();
    let waiting = || server.in_flight.load(Ordering::Relaxed);
    assert!(until(Duration::from_secs(1), || waiting() == 1));
    assert!(until(Duration::from_secs(3), || waiting() == 0), "it goes on while nobody reads");
    for number in 0..asked.len() {
        let answer = read_message(&mut deaf).unwrap();
        assert!(answer == b"wait 300" || answer.len() > 50_000, "{number}: {} octets", answer.len());
    }
}

#[test]
fn server_tcp_full_house_serves_the_newcomer() {
    let server = Server::start(SocketAddr::new(LOCALHOST, 0), 20);
    let idle: Vec<TcpStream> = (0..50)
        .map(|n| {
            let mut stream = server.tcp();
            if n % 2 == 1 {
                stream.write_all(b"\0").unwrap();
            }
            stream
        })
        .collect();
    let begun = Instant::now();
    let mut newcomer = server.tcp();
    newcomer.write_all(&framed(&[b"now"])).unwrap();
    assert_eq!(read_message(&mut newcomer).unwrap(), b"now");
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
    assert!(server.connections.open() <= 20);
    let open = idle
        .iter()
        .filter(|stream| {
            stream.set_nonblocking(true).unwrap();
            matches!((&**stream).read(&mut [0; 1]), Err(e) if e.kind() == io::ErrorKind::WouldBlock)
        })
        .count();
    assert_eq!(open, 19);
}

#[test]
fn server_tcp_idle_slow_and_deaf_clients_are_closed() {
    let server = Server::local();
    let mut silent = server.tcp();
    let mut served = server.tcp();
    served.write_all(&framed(&[b"now"])).unwrap();
    assert_eq!(read_message(&mut served).unwrap(), b"now");
    let slow = server.tcp();
    let mut deaf = server.tcp();
    deaf.write_all(&framed(&[b"big".as_slice(); 500])).unwrap(); // 30 MB of answers that nobody reads
    let begun = Instant::now();
    let dripping = thread::spawn(move || {
        let mut slow = slow;
        slow.write_all(&[0, 200]).unwrap();
        while slow.write_all(b"x").is_ok() && begun.elapsed() < 2 * IDLE {
            thread::sleep(Duration::from_millis(300));
        }
        begun.elapsed()
    });
    for stream in [&mut silent, &mut served] {
        stream.set_read_timeout(Some(2 * IDLE)).unwrap();
        assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
        let open = begun.elapsed();
        assert!(open > IDLE - Duration::from_secs(1) && open < IDLE + Duration::from_secs(3), "{open:?}");
    }
    assert!(dripping.join().unwrap() < IDLE + Duration::from_secs(3), "an octet is no message");
    assert!(until(Duration::from_secs(3), || server.connections.open() == 0), "the deaf one too");
    drop(deaf);
}

#[test]
fn server_stops_after_answering_what_is_in_flight() {
    let server = Server::local();
    let client = server.udp();
    let mut stream = server.tcp();
    let _idle = server.tcp();
    client.send(b"wait 200 udp").unwrap();
    stream.write_all(&framed(&[b"wait 200 tcp"])).unwrap();
    assert!(until(Duration::from_secs(1), || server.in_flight.load(Ordering::Relaxed) == 2));
    let address = server.address;
    assert!(server.ends_within(Duration::from_secs(1)));
    let mut buffer = [0; 100];
    let length = client.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"wait 200 udp");
    assert_eq!(read_message(&mut stream).unwrap(), b"wait 200 tcp");
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
    TcpStream::connect(address).unwrap_err();
}

#[test]
fn bind_notices_another_listener_and_names_the_remedy() {
    let server = Server::local();
    let port = server.address.port();
    let why = worker::bind(server.address, &mut [Listeners::default()]).unwrap_err().to_string();
    assert!(why.starts_with(&format!("cannot listen on 127.0.0.1:{port} (UDP): ")), "{why}");
    assert!(why.contains(&format!("ss -lntup 'sport = :{port}'")) && why.contains("--listen"), "{why}");
    // A second worker of our own may share it.
    let mut pair = [Listeners::default(), Listeners::default()];
    worker::bind(SocketAddr::new(LOCALHOST, 0), &mut pair).unwrap();
    assert!(pair.iter().all(|worker| worker.udp.len() == 1 && worker.tcp.len() == 1));

    let nowhere = "192.0.2.253:5300".parse().unwrap();
    let why = worker::bind(nowhere, &mut [Listeners::default()]).unwrap_err().to_string();
    assert!(why.contains("No interface here has this address"), "{why}");
}

// ------------------------------------------------------------------------------------- the program

struct Program {
    child: Child,
    said: mpsc::Receiver<String>,
}

impl Program {
    fn serve(arguments: &[&str]) -> Program {
        Program::start(Command::new(env!("CARGO_BIN_EXE_cnamed")).args(arguments).env("RUST_LOG", "off"))
    }

    fn start(command: &mut Command) -> Program {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (say, said) = mpsc::channel();
        thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| say.send(line)));
        Program { child, said }
    }

    fn line(&mut self) -> String {
        self.said.recv_timeout(Duration::from_secs(10)).unwrap()
    }

    /// The next line that contains `text`.
    fn line_with(&mut self, text: &str) -> String {
        loop {
            let line = self.line();
            if line.contains(text) {
                return line;
            }
        }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(name).arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success());
    }

    fn ends_within(&mut self, wait: Duration) -> Option<i32> {
        let mut status = None;
        until(wait, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.and_then(|status| status.code())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn serve_says_ready_with_its_addresses_whatever_the_filter_and_stops_on_signals() {
    for signal in ["-TERM", "-INT"] {
        let mut program = Program::serve(&["serve", "--listen", "127.0.0.1:0", "--listen", "127.0.0.2:0"]);
        let line = program.line();
        let addresses: Vec<SocketAddr> = line
            .strip_prefix("ready ")
            .unwrap_or_else(|| panic!("{line}"))
            .split_whitespace()
            .map(|address| address.parse().unwrap())
            .collect();
        assert_eq!(addresses.len(), 2);
        for address in &addresses {
            TcpStream::connect(address).unwrap();
            let taken = UdpSocket::bind(address).unwrap_err();
            assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        }
        program.signal("-HUP");
        thread::sleep(Duration::from_millis(50));
        assert!(program.child.try_wait().unwrap().is_none(), "SIGHUP does not end it");
        program.signal(signal);
        assert_eq!(program.ends_within(Duration::from_secs(2)), Some(0), "{signal}");
    }
}

#[test]
fn serve_that_cannot_listen_says_why_and_exits_1() {
    let (taken, address) = udp_server();
    let mut program = Program::serve(&["serve", "--listen", &address.to_string()]);
    let line = program.line();
    assert!(line.starts_with(&format!("cnamed: cannot listen on {address} (UDP)")), "{line}");
    assert_eq!(program.ends_within(Duration::from_secs(2)), Some(1));
    drop(taken);
}

#[test]
fn serve_lab_answers_over_both_transports_and_answers_what_is_in_flight_before_it_ends() {
    let mut program = Program::serve(&["serve", "--lab", "--listen", "127.0.0.1:0"]);
    let address = program.line()["ready ".len()..].to_owned();
    // www.example.com A, RD; the ID comes back, with answers.
    let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01";
    let client = UdpSocket::bind((LOCALHOST, 0)).unwrap();
    client.connect(&address).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    for answer in [udp_ask(&client, query).unwrap(), {
        stream.write_all(&framed(&[query])).unwrap();
        read_message(&mut stream).unwrap()
    }] {
        assert_eq!(&answer[..2], b"\x12\x34");
        assert_eq!((answer[3] & 15, answer[7]), (0, 4), "NOERROR, three aliases and an address");
    }
    program.signal("-TERM");
    assert_eq!(program.ends_within(Duration::from_secs(2)), Some(0));
}

#[test]
fn serve_reloads_a_good_configuration_and_refuses_a_bad_one() {
    let file = std::env::temp_dir().join(format!("cnamed-sockets-{}.toml", std::process::id()));
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write("[log]\nfilter = \"info\"\n");
    let mut command = Command::new(env!("CARGO_BIN_EXE_cnamed"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(&file).env_remove("RUST_LOG");
    let mut program = Program::start(&mut command);
    program.line_with("ready 127.0.0.1:");
    write("[server]\nthreads = 3\n");
    program.signal("-HUP");
    program.line_with("server.threads changed: takes effect after a restart");
    program.line_with("configuration reloaded");
    write("[resolver]\ntimeuot = \"5s\"\n");
    program.signal("-HUP");
    let why = program.line_with("not reloaded, the old one stays");
    assert!(why.contains("timeuot"), "{why}");
    write("[log]\nfilter = \"warn\"\n");
    program.signal("-HUP");
    program.signal("-TERM");
    assert_eq!(program.ends_within(Duration::from_secs(2)), Some(0));
    std::fs::remove_file(&file).unwrap();
}

/// What a program holds in memory, in KB.
#[cfg(target_os = "linux")]
fn resident(program: &Program) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// A client chooses how long its requests are; what they cost while they wait is ours to choose.
#[cfg(target_os = "linux")]
#[test]
fn serve_holds_little_of_long_requests_that_wait() {
    const REQUESTS: usize = 300;
    const OCTETS: usize = 60_000;
    const MOST_KB: usize = 20; // for each: as many as a short one, and what the allocator has not given back
    let (_mute, server) = udp_server();
    let file = std::env::temp_dir().join(format!("cnamed-long-{}.toml", std::process::id()));
    let stub = format!("[[stub]]\nzone = \"zone.test.\"\nservers = [\"{server}\"]\n");
    let rest = "[server]\nthreads = 1\n[resolver]\nquery-localhost = true\n[dnssec]\nvalidation = false\n";
    std::fs::write(&file, format!("{rest}{stub}")).unwrap();
    let mut program =
        Program::serve(&["serve", "--listen", "127.0.0.1:0", "--config", file.to_str().unwrap()]);
    let address = program.line()["ready ".len()..].to_owned();
    std::fs::remove_file(&file).unwrap();
    let plain_client = || {
        let client = UdpSocket::bind((LOCALHOST, 0)).unwrap();
        client.connect(&address).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        client
    };
    let (client, in_step) = (plain_client(), plain_client());
    let ask = |number: usize| {
        let mut writer = MessageWriter::new(1, Header::RD, usize::from(u16::MAX));
        let name = format!("a{number}.zone.test.").parse().unwrap();
        writer.question(&Question::new(name, RrType::A)).unwrap();
        writer.opt(1232, 0, 0, &[(12, vec![0; OCTETS])]).unwrap();
        client.send(&writer.finish()).unwrap();
        // Answered at once, behind the other: nothing is lost.
        let local = b"\0\x07\x01\0\0\x01\0\0\0\0\0\0\x09localhost\0\0\x01\0\x01";
        assert_eq!(udp_ask(&in_step, local).unwrap()[..2], *b"\0\x07");
    };
    ask(0);
    let before = resident(&program);
    (1..=REQUESTS).for_each(ask);
    let each = resident(&program).saturating_sub(before) / REQUESTS;
    client.set_nonblocking(true).unwrap();
    assert_eq!(client.recv(&mut [0; 100]).unwrap_err().kind(), io::ErrorKind::WouldBlock, "all wait");
    assert!(each <= MOST_KB, "{each} KB for each");
}

/// `cnamed serve` where so many files may be open, after the shell has done something else.
fn serve_with_descriptors(before: &str, limit: usize, config: &std::path::Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{before} ulimit -n \"$0\" && exec \"$@\""), &limit.to_string()]);
    command.args([env!("CARGO_BIN_EXE_cnamed"), "serve", "--lab", "--listen", "127.0.0.1:0", "--config"]);
    command.arg(config).env("RUST_LOG", "off");
    command
}

#[test]
fn too_few_descriptors_are_told_before_anything_is_served_with_how_many_are_enough() {
    let config = std::env::temp_dir().join(format!("cnamed-descriptors-{}.toml", std::process::id()));
    std::fs::write(&config, "[server]\nthreads = 8\n").unwrap();
    let needed = |said: &str| -> usize {
        let (_, rest) = said.split_once("ulimit -n ").unwrap_or_else(|| panic!("{said}"));
        rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
    };
    let tried = |before, limit| {
        let output = serve_with_descriptors(before, limit, &config).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{limit}: {said}");
        assert_eq!(said.lines().count(), 1, "{limit}: {said}");
        for part in [&format!("limit is {limit}"), "worker threads: 8", "LimitNOFILE=", "server.threads"] {
            assert!(said.contains(part), "{part}: {said}");
        }
        needed(&said)
    };
    let enough = [10, 24, 26, 30, 35, 40, 50, 60, 90].map(|limit| tried("", limit))[8];
    tried("", enough - 1);
    // What a parent left open is not there to be used.
    let more = tried("exec 3>&2 4>&2 5>&2 6>&2 7>&2 8>&2 9>&2;", enough);
    assert!((enough + 1..=enough + 7).contains(&more), "{more} instead of {enough}");
    // What it says is enough is enough, also for what it serves with.
    let mut program = Program::start(&mut serve_with_descriptors("", enough, &config));
    let address = program.line()["ready ".len()..].to_owned();
    let client = UdpSocket::bind((LOCALHOST, 0)).unwrap();
    client.connect(&address).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01";
    assert_eq!(udp_ask(&client, query).unwrap()[3] & 15, 0);
    program.signal("-TERM");
    assert_eq!(program.ends_within(Duration::from_secs(2)), Some(0));
    std::fs::remove_file(&config).unwrap();
}
