//! Requests over UDP: in, answered, out by the same socket.
//!
//! Knows: sockets, batches, shedding. Does not know: messages. One socket per worker and address
//! (SO_REUSEPORT), so that a request stays in the thread that the kernel gave it to. RFC 2181 §4.1:
//! an answer leaves from the address that was asked. Shown by `sockets::server_udp_*`.
//!
//! ```text
//! readable ─▶ a batch ─▶ ready packets ─▶ one batch out
//!                └─▶ the others: polled once ─▶ answered at once (cached, refused) ─▶ outbox
//!                                     └─▶ waits: room? ─ yes ─▶ a local task ─▶ outbox
//!                                                  └─ no ──▶ shed
//! ```

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Respond;
use super::batch::{Arrived, BATCH, Batch, Outbox};
use super::load::{Load, Stop};
#[cfg(any(target_os = "linux", target_os = "android"))]
use super::pktinfo;
use super::turns::Turns;
use crate::datagrams::Datagrams;
use crate::world::Transport;

/// Asked of the kernel for each direction; it grants what net.core.rmem_max and wmem_max allow. At
/// 40,000 requests of 100 octets (768 with the kernel's book-keeping) a second: 130 ms.
const SOCKET_BUFFER: usize = 4 << 20;

/// Datagrams that came together after which more are looked for before the runtime has its turn, which
/// costs as much as one datagram.
const RUSH: usize = 4;

/// Datagrams taken after which others get their turn, whatever else is there: short polls keep the tail
/// short (hotpath.md §2).
const IN_A_ROW: usize = BATCH;

/// Requests in flight from which on an answer that was found waits until what has come meanwhile has been
/// looked at too: more answers are about to be found, and leave with it (docs/decisions/0013).
const BUSY: usize = 8;

/// After an error that is not about one datagram, so that a broken socket does not spin.
const ERROR_PAUSE: Duration = Duration::from_millis(50);

/// Who else may have a socket's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Whoever shares it too.
    Free,
    /// Nobody yet; from then on whoever shares it.
    OnceBound,
}

/// Binds one worker's socket.
///
/// # Errors
/// What the system says; the caller names the address and the remedy.
pub fn bind(address: SocketAddr, sharing: Sharing) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_port(sharing == Sharing::Free)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?; // 0.0.0.0 is a listen address of its own
    }
    // Best effort: a small buffer only sheds earlier.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        // Older kernels and some sandboxes lack it; answers of 1232 octets rarely need it.
        let _ = pktinfo::do_not_learn_mtu(socket.as_fd(), address.is_ipv6());
        if address.ip().is_unspecified() {
            pktinfo::enable(socket.as_fd(), address.is_ipv6())?;
        }
    }
    socket.bind(&address.into())?;
    if sharing == Sharing::OnceBound {
        // Linux lets others in from here on. Elsewhere it is too late for that: what arrives between
        // two sockets is lost there.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        socket.set_reuse_port(true)?;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        {
            let bound = socket.local_addr()?.as_socket().unwrap_or(address);
            drop(socket);
            return bind(bound, Sharing::Free);
        }
    }
    let socket = std::net::UdpSocket::from(socket);
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A bound socket in a worker's runtime.
struct Listener {
    socket: Datagrams,
    wildcard: bool,
    outbox: RefCell<Outbox>,
    /// Whoever waits in [`Listener::next`] or [`Listener::posted`], and whether that sleeps.
    waiting: RefCell<Option<Waker>>,
    asleep: Cell<bool>,
    stopping: Cell<bool>,
}

/// What a listener waits for.
enum Occasion {
    /// Datagrams have come.
    Arrived,
    /// Something is in the outbox.
    Posted,
    /// It is to stop.
    Stop,
}

impl Listener {
    fn new(socket: std::net::UdpSocket) -> io::Result<Listener> {
        let wildcard = socket.local_addr()?.ip().is_unspecified();
        let outbox = RefCell::new(Outbox::new(wildcard));
        let (waiting, asleep, stopping) = (RefCell::default(), Cell::default(), Cell::default());
        Ok(Listener { socket: Datagrams::new(socket)?, wildcard, outbox, waiting, asleep, stopping })
    }

    /// Waits. What is posted wakes who waits, who is then behind all that is about to run, and may post too: so
    /// the answers of one turn of the runtime leave together. Each that left by itself would cost a system
    /// call, and wake its client, who then takes our turn.
    async fn next(&self) -> io::Result<Occasion> {
        poll_fn(|context| {
            self.asleep.set(false);
            if self.stopping.get() {
                return Poll::Ready(Ok(Occasion::Stop));
            }
            if let Poll::Ready(readable) = self.socket.poll_readable(context) {
                return Poll::Ready(readable.map(|()| Occasion::Arrived));
            }
            if !self.outbox.borrow().is_empty() {
                return Poll::Ready(Ok(Occasion::Posted));
            }
            self.sleep(context);
            Poll::Pending
        })
        .await
    }

    /// Waits until something is in the outbox.
    async fn posted(&self) {
        poll_fn(|context| {
            if !self.outbox.borrow().is_empty() {
                return Poll::Ready(());
            }
            self.sleep(context);
            Poll::Pending
        })
        .await;
    }

    fn sleep(&self, context: &Context<'_>) {
        let mut waiting = self.waiting.borrow_mut();
        if !waiting.as_ref().is_some_and(|known| known.will_wake(context.waker())) {
            *waiting = Some(context.waker().clone());
        }
        self.asleep.set(true);
    }

    /// Wakes who waits.
    fn wake(&self) {
        if self.asleep.replace(false)
            && let Some(waiting) = &*self.waiting.borrow()
        {
            waiting.wake_by_ref();
        }
    }

    /// Waits for what is rare, so that whoever waits for datagrams need not look for it each time.
    async fn watch(&self, mut stop: Stop) {
        loop {
            tokio::select! {
                () = stop.requested() => {
                    self.stopping.set(true);
                    return self.wake();
                }
                error = self.socket.error() => match error {
                    Ok(error) => tracing::warn!(%error, "receiving by UDP"),
                    Err(_ended) => return,
                }
            }
            tokio::time::sleep(ERROR_PAUSE).await;
        }
    }

    /// Fills the batch; empty when nothing is there. One with few in it has emptied the socket, and the
    /// runtime is told so: asking once more would cost a system call to learn nothing.
    fn receive(&self, batch: &mut Batch) -> io::Result<()> {
        // Also when there is nothing to take: what it held has been answered.
        batch.clear();
        let received = self.socket.take(|socket| {
            batch.receive(socket)?;
            if more_may_have_come(batch) { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
        });
        match received {
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(()),
            received => received,
        }
    }

    /// Sends what a batch has to send, waiting for room when there is none.
    async fn send_batch(&self, batch: &mut Batch) -> io::Result<()> {
        self.socket.send(|socket| batch.send(socket)).await
    }

    /// Puts an answer into the outbox. Whoever fills that sends what is in it, and waits for room if need
    /// be, so that there are never many more than there are requests in flight.
    async fn post(&self, answer: Vec<u8>, request: &Arrived) -> io::Result<()> {
        let (posted, full) = {
            let mut outbox = self.outbox.borrow_mut();
            (outbox.post(answer, request), outbox.is_full())
        };
        if !posted {
            tracing::debug!(client = %request.from, "too many answers wait for room: one is dropped");
        }
        if full {
            return self.send_posted().await;
        }
        self.wake();
        Ok(())
    }

    /// Sends what is in the outbox, waiting for room when there is none.
    async fn send_posted(&self) -> io::Result<()> {
        self.socket.send(|socket| self.outbox.borrow_mut().send(socket)).await
    }

    /// The same; after an error it stays there, and the next attempt is made after a pause.
    async fn deliver(&self) {
        if let Err(e) = self.send_posted().await {
            tracing::warn!(error = %e, "sending by UDP");
            tokio::time::sleep(ERROR_PAUSE).await;
        }
    }
}

/// Answers what comes by `socket` with what `respond` returns, until `stop`; then waits for what is
/// in flight. Must run where local tasks can be spawned.
///
/// # Errors
/// When the runtime does not take the socket.
pub async fn serve<R: Respond>(
    socket: std::net::UdpSocket,
    respond: Rc<R>,
    load: Rc<Load>,
    stop: Stop,
) -> io::Result<()> {
    let listener = Rc::new(Listener::new(socket)?);
    let mut batch = Batch::new(listener.wildcard);
    let mut watch = JoinSet::new(); // ends with this
    let watched = Rc::clone(&listener);
    watch.spawn_local(async move { watched.watch(stop).await });
    let (mut in_a_row, mut turns) = (0, Turns::default());
    loop {
        match listener.next().await? {
            Occasion::Arrived => {}
            Occasion::Posted => {
                if load.in_flight() >= BUSY {
                    tokio::task::yield_now().await;
                }
                listener.deliver().await;
                continue;
            }
            Occasion::Stop => break,
        }
        let next = answer_batch(&listener, &mut batch, &respond, &load).await;
        in_a_row += batch.len();
        match next {
            Ok(Next::Wait) => {
                // What came in a rush goes on, and nothing else is to be done.
                if in_a_row >= RUSH && load.in_flight() == 0 {
                    let_others_run(&mut turns);
                }
                in_a_row = 0;
            }
            Ok(Next::Rush) if in_a_row < IN_A_ROW => {}
            // The tasks that were just spawned get their turn before the next batch.
            Ok(Next::Rush | Next::Yield) => {
                in_a_row = 0;
                tokio::task::yield_now().await;
            }
            Err(e) => {
                tracing::warn!(error = %e, "receiving by UDP");
                listener.deliver().await; // what others have posted is not kept back by that
                tokio::time::sleep(ERROR_PAUSE).await;
            }
        }
    }
    loop {
        tokio::select! {
            () = listener.posted() => listener.deliver().await,
            () = load.drained() => break,
        }
    }
    listener.deliver().await;
    Ok(())
}

const _: () = assert!(BATCH <= u32::BITS as usize);

/// Is it worth a system call to look?
fn more_may_have_come(batch: &Batch) -> bool {
    batch.is_full() || batch.len() >= RUSH
}

/// What the listener does after a batch.
enum Next {
    /// There is nothing more, nor anything new to do.
    Wait,
    /// There may be more.
    Rush,
    /// Others have something to do.
    Yield,
}

async fn answer_batch<R: Respond>(
    listener: &Rc<Listener>,
    batch: &mut Batch,
    respond: &Rc<R>,
    load: &Rc<Load>,
) -> io::Result<Next> {
    listener.receive(batch)?;
    let now = Instant::now();
    let mut others = 0_u32; // a bit for each of the batch
    for index in 0..batch.len() {
        let answered =
            batch.answer(index, |request, arrived, out| respond.at_once(request, arrived.from, now, out));
        others |= u32::from(!answered) << index;
    }
    listener.send_batch(batch).await?;
    let mut next = if more_may_have_come(batch) { Next::Rush } else { Next::Wait };
    while others != 0 {
        let index = others.trailing_zeros() as usize;
        others &= others - 1;
        let Some((request, arrived)) = batch.request(index) else { continue };
        if arrived.from.port() == 0 {
            continue; // nothing can be sent there
        }
        let work = answer(Rc::clone(listener), Rc::clone(respond), request.to_vec(), arrived);
        if begin(Box::pin(work), load).await {
            next = Next::Yield;
        }
    }
    if !listener.outbox.borrow().is_empty() {
        listener.deliver().await;
    }
    Ok(next)
}

/// Gives the core away for a moment if that spares a worker that is about to sleep from being woken.
fn let_others_run(turns: &mut Turns) {
    let from = Instant::now();
    if turns.may_be_given(from) {
        std::thread::yield_now();
        turns.given(from, Instant::now());
    }
}

/// Polls `work` once: most requests are answered from memory and need no task (which would cost
/// two thirds more, hotpath.md §2). What waits becomes a task if there is room; `true` then. What is
/// shed was polled too, and that is harmless: nothing is sent upstream in a first poll
/// (`upstream::sockets`).
async fn begin<F: Future<Output = ()> + 'static>(mut work: Pin<Box<F>>, load: &Rc<Load>) -> bool {
    if poll_fn(|context| Poll::Ready(work.as_mut().poll(context).is_ready())).await {
        return false;
    }
    if !load.has_room() {
        load.shed();
        return false;
    }
    let guard = load.enter();
    tokio::task::spawn_local(async move {
        work.await;
        drop(guard);
    });
    true
}

async fn answer<R: Respond>(listener: Rc<Listener>, respond: Rc<R>, request: Vec<u8>, arrived: Arrived) {
    let answering = respond.respond(&request, arrived.from, Transport::Udp);
    drop(request); // as long as the client likes
    let Some(answer) = answering.await else { return };
    if let Err(e) = listener.post(answer, &arrived).await {
        tracing::debug!(client = %arrived.from, error = %e, "an answer could not be sent");
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;
    use crate::server::load::MAX_UDP_IN_FLIGHT;

    /// Answers everything at once, and counts.
    #[derive(Default)]
    struct AtOnce(Cell<usize>);

    impl Respond for AtOnce {
        fn at_once(&self, _request: &[u8], _client: SocketAddr, _now: Instant, out: &mut Vec<u8>) -> bool {
            self.0.set(self.0.get() + 1);
            out.push(0);
            true
        }

        fn respond<'a>(
            &'a self,
            _request: &[u8],
            _client: SocketAddr,
            _over: Transport,
        ) -> impl Future<Output = Option<Vec<u8>>> + use<'a> {
            std::future::ready(None)
        }
    }

    #[tokio::test]
    async fn others_get_their_turn_in_a_rush() {
        const ALL: usize = 240;
        let socket = bind("127.0.0.1:0".parse().unwrap(), Sharing::Free).unwrap();
        let client = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..ALL {
            client.send_to(b"a question", socket.local_addr().unwrap()).unwrap();
        }
        let respond = Rc::new(AtOnce::default());
        let (_say, stop) = Stop::new();
        let local = tokio::task::LocalSet::new();
        local.spawn_local(serve(socket, Rc::clone(&respond), Load::new(MAX_UDP_IN_FLIGHT), stop));
        let turns = local.run_until(async {
            let (mut most, mut seen) = (0, 0);
            while seen < ALL {
                tokio::task::yield_now().await;
                most = most.max(respond.0.get() - seen);
                seen = respond.0.get();
            }
            most
        });
        let most = tokio::time::timeout(Duration::from_secs(10), turns).await.expect("all are answered");
        assert!(most < IN_A_ROW + BATCH, "{most} without a turn for others");
    }

    /// Answers nothing at once, and all when told.
    #[derive(Default)]
    struct Later(tokio::sync::Notify);

    impl Respond for Later {
        fn at_once(&self, _request: &[u8], _client: SocketAddr, _now: Instant, _out: &mut Vec<u8>) -> bool {
            false
        }

        fn respond<'a>(
            &'a self,
            request: &[u8],
            _client: SocketAddr,
            _over: Transport,
        ) -> impl Future<Output = Option<Vec<u8>>> + use<'a> {
            let answer = request.to_vec();
            async move {
                self.0.notified().await;
                Some(answer)
            }
        }
    }

    fn plain_client(of: &std::net::UdpSocket) -> std::net::UdpSocket {
        let client = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(of.local_addr().unwrap()).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        client
    }

    #[tokio::test]
    async fn each_gets_the_answer_that_was_found_later_also_when_stopping() {
        const ALL: u8 = 100; // more than one call sends
        let socket = bind("127.0.0.1:0".parse().unwrap(), Sharing::Free).unwrap();
        let clients: Vec<_> = (0..ALL).map(|_| plain_client(&socket)).collect();
        for (number, client) in (0..).zip(&clients) {
            client.send(&[number]).unwrap();
        }
        let respond = Rc::new(Later::default());
        let load = Load::new(MAX_UDP_IN_FLIGHT);
        let (say, stop) = Stop::new();
        let local = tokio::task::LocalSet::new();
        let served = local.run_until(async {
            let serving =
                tokio::task::spawn_local(serve(socket, Rc::clone(&respond), Rc::clone(&load), stop));
            while load.in_flight() < usize::from(ALL) {
                tokio::task::yield_now().await;
            }
            say.send(true).unwrap();
            tokio::task::yield_now().await;
            respond.0.notify_waiters();
            serving.await.unwrap()
        });
        tokio::time::timeout(Duration::from_secs(10), served).await.expect("it ends").unwrap();
        for (number, client) in (0..).zip(&clients) {
            let mut answer = [0; 8];
            let length = client.recv(&mut answer).expect("an answer");
            assert_eq!(answer[..length], [number]);
        }
    }

    #[tokio::test]
    async fn what_is_posted_in_one_turn_leaves_together() {
        let socket = bind("127.0.0.1:0".parse().unwrap(), Sharing::Free).unwrap();
        let client = plain_client(&socket);
        let listener = Listener::new(socket).unwrap();
        let request = Arrived::plain(client.local_addr().unwrap());
        let mut next = pin!(listener.next());
        assert!(futures_util::poll!(&mut next).is_pending());
        for number in 0..3 {
            listener.post(vec![number], &request).await.unwrap();
        }
        client.set_nonblocking(true).unwrap();
        assert_eq!(client.recv(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(matches!(next.await.unwrap(), Occasion::Posted));
        listener.deliver().await;
        client.set_nonblocking(false).unwrap();
        for number in 0..3 {
            let mut answer = [9];
            client.recv(&mut answer).unwrap();
            assert_eq!(answer, [number]);
        }
    }

    #[tokio::test]
    async fn nothing_is_answered_twice_when_nothing_came() {
        let listener = Listener::new(bind("127.0.0.1:0".parse().unwrap(), Sharing::Free).unwrap()).unwrap();
        let mut batch = Batch::new(listener.wildcard);
        let client = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        client.send_to(b"a question", listener.socket.local_addr().unwrap()).unwrap();
        listener.socket.event().await.unwrap();
        listener.receive(&mut batch).unwrap();
        assert_eq!(batch.len(), 1);
        listener.receive(&mut batch).unwrap();
        assert!(batch.is_empty());
    }
}
