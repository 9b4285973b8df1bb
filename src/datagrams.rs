//! A UDP socket that wakes its thread only when something has come.
//!
//! tokio's own asks the kernel to say, too, when there is room to send; and the kernel then says so each
//! time a datagram has left, which is an answer or a question: one more turn of the event loop for each,
//! a tenth of what a cached answer costs at 5,000 a second. There is nearly always room. Where there is
//! none, the socket is registered a second time for as long as that lasts.
//!
//! Knows: the runtime's events. Does not know: what is sent to whom. Shown by: the tests below,
//! `sockets::server_udp_*`, `sockets::udp_*`.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::task::{Context, Poll};

use tokio::io::unix::AsyncFd;
use tokio::io::{Interest, Ready};

/// A socket, registered with the runtime of the thread that made it.
#[derive(Debug)]
pub struct Datagrams(AsyncFd<UdpSocket>);

/// What there is to do.
#[derive(Clone, Copy, Debug)]
pub struct Event(Ready);

impl Event {
    /// May there be an error to take, as ICMP brings it?
    pub fn is_error(self) -> bool {
        self.0.is_error()
    }
}

impl Datagrams {
    /// Takes a socket that does not block.
    ///
    /// # Errors
    /// When the runtime does not take it.
    pub fn new(socket: UdpSocket) -> io::Result<Datagrams> {
        register(socket, Interest::READABLE | Interest::ERROR).map(Datagrams)
    }

    /// Waits until something has come, be it an error.
    ///
    /// # Errors
    /// When the runtime is ending.
    pub async fn event(&self) -> io::Result<Event> {
        // An ICMP error makes a socket "error" without making it "readable".
        let guard = self.0.ready(Interest::READABLE | Interest::ERROR).await?;
        Ok(Event(guard.ready()))
    }

    /// Has a datagram come? If not, the task that asked last is woken when one does. Costs half of
    /// [`Datagrams::event`], and does not tell of errors.
    ///
    /// # Errors
    /// When the runtime is ending.
    pub fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_read_ready(context).map_ok(|_stays_ready| ())
    }

    /// Waits for an error of the socket, and takes it.
    ///
    /// # Errors
    /// When the runtime is ending.
    pub async fn error(&self) -> io::Result<io::Error> {
        loop {
            self.0.ready(Interest::ERROR).await?.retain_ready();
            if let Some(error) = self.take_error() {
                return Ok(error);
            }
        }
    }

    /// Lets `take` read what has come, if anything has. `WouldBlock` from it: there is no more, and the
    /// next [`Datagrams::event`] waits.
    ///
    /// # Errors
    /// What `take` says; `WouldBlock` when nothing has come.
    pub fn take<T>(&self, take: impl FnOnce(&UdpSocket) -> io::Result<T>) -> io::Result<T> {
        self.0.try_io(Interest::READABLE, take)
    }

    /// Takes the socket's error, if it has one; then [`Datagrams::event`] waits for the next.
    pub fn take_error(&self) -> Option<io::Error> {
        let mut taken = None;
        let _ = self.0.try_io(Interest::ERROR, |socket| {
            taken = socket.take_error().ok().flatten();
            Err::<(), _>(io::ErrorKind::WouldBlock.into())
        });
        taken
    }

    /// Says that nothing more is there, which a system call would have to find out else.
    pub fn is_empty_now(&self) {
        let _ = self.take(|_| Err::<(), _>(io::ErrorKind::WouldBlock.into()));
    }

    /// Lets `send` send, waiting for room when it says `WouldBlock`.
    ///
    /// # Errors
    /// What `send` says, or the system when the socket cannot be registered once more.
    pub async fn send<T>(&self, mut send: impl FnMut(&UdpSocket) -> io::Result<T>) -> io::Result<T> {
        match send(self.socket()) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                // A descriptor of its own: a runtime takes each only once.
                let twin = register(self.socket().try_clone()?, Interest::WRITABLE)?;
                twin.async_io(Interest::WRITABLE, send).await
            }
            sent => sent,
        }
    }

    /// The socket itself, for what neither waits nor takes.
    pub fn socket(&self) -> &UdpSocket {
        self.0.get_ref()
    }

    /// Ours.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket().local_addr()
    }
}

impl AsFd for Datagrams {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket().as_fd()
    }
}

#[allow(unsafe_code)]
fn register(socket: UdpSocket, interest: Interest) -> io::Result<AsyncFd<UdpSocket>> {
    // SAFETY: the socket owns its descriptor, and nobody can replace or close it while `AsyncFd` has
    // it: it is lent only as `&UdpSocket`.
    unsafe { AsyncFd::register_with_interest(socket, interest) }.map_err(Into::into)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn open() -> Datagrams {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        Datagrams::new(socket).unwrap()
    }

    /// A socket with an error, which ICMP has brought.
    fn refused() -> Datagrams {
        let (here, gone) = (open(), open().local_addr().unwrap());
        here.socket().connect(gone).unwrap();
        here.socket().send(b"x").unwrap();
        here
    }

    const SOON: Duration = Duration::from_secs(5);

    /// The kernel tells whoever asked for it that there is room again as soon as a datagram has left.
    #[tokio::test]
    async fn what_is_sent_wakes_nobody() {
        let (here, there) = (open(), open());
        let to = there.local_addr().unwrap();
        here.send(|socket| socket.send_to(b"x", to)).await.unwrap();
        timeout(SOON, there.event()).await.unwrap().unwrap();
        let anything = here.0.ready(Interest::READABLE | Interest::WRITABLE | Interest::ERROR);
        let woken = timeout(Duration::from_millis(50), anything).await;
        assert!(woken.is_err(), "{woken:?}");
    }

    #[tokio::test]
    async fn where_there_is_no_room_it_is_waited_for() {
        let (here, there) = (open(), open());
        let to = there.local_addr().unwrap();
        let mut full = true;
        let sent = here.send(|socket| match std::mem::take(&mut full) {
            true => Err(io::ErrorKind::WouldBlock.into()),
            false => socket.send_to(b"last", to),
        });
        assert_eq!(timeout(SOON, sent).await.unwrap().unwrap(), 4);
        timeout(SOON, there.event()).await.unwrap().unwrap();
        assert_eq!(there.take(|socket| socket.recv_from(&mut [0; 9])).unwrap().0, 4);
    }

    /// As ICMP brings one; what `ss -K` does to a socket that is listened on looks the same.
    #[tokio::test]
    async fn an_error_is_told_once() {
        let here = refused();
        let event = timeout(SOON, here.event()).await.unwrap().unwrap();
        assert!(event.is_error());
        assert_eq!(here.take_error().map(|e| e.kind()), Some(io::ErrorKind::ConnectionRefused));
        assert!(timeout(Duration::from_millis(50), here.event()).await.is_err());
        assert!(here.take_error().is_none());
    }

    #[tokio::test]
    async fn an_error_is_no_datagram() {
        let here = refused();
        let error = timeout(SOON, here.error()).await.unwrap().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let readable = poll_fn(|context| here.poll_readable(context));
        assert!(timeout(Duration::from_millis(50), readable).await.is_err());
        assert!(timeout(Duration::from_millis(50), here.error()).await.is_err(), "told once");
    }
}
