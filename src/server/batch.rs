//! Many datagrams with one system call: up to [`BATCH`] in, as many out.
//!
//! A [`Batch`] is what came together, with the answers that are there at once. An [`Outbox`] has the
//! answers that were found later, by whatever task: those of one turn of the runtime leave together too.
//!
//! Knows: recvmmsg(2) and sendmmsg(2), the buffers they fill and read, which answer goes to whom and
//! from which of our addresses (`pktinfo`). Does not know: messages, waiting. Elsewhere than on Linux
//! a batch has one datagram. Shown by: the tests below, `sockets::server_udp_*`, `sockets::wildcard_*`.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::ops::Range;

use super::pktinfo::Asked;

/// Datagrams of one call.
pub const BATCH: usize = 32;

/// Answers that wait in an [`Outbox`]. More than wait for room in the system's buffer would leave too late to
/// be of use.
const MOST_POSTED: usize = 1_024;

/// Datagrams that there is always room for; when they come, twice as many the next time.
const FEWEST: usize = 4;

/// The longest datagram there is.
const MAX_DATAGRAM: usize = 65_535;

/// From one buffer to the next: whole cache lines, and no power of two, so that the heads of all do
/// not compete for the same lines.
const STRIDE: usize = 65_536 + 192;

/// A request as it arrived.
#[derive(Clone, Copy, Debug)]
pub struct Arrived {
    /// Octets of the request.
    length: usize,
    /// The sender.
    pub from: SocketAddr,
    /// What of ours it was sent to, where the system says it.
    pub asked: Option<Asked>,
}

impl Arrived {
    /// From `from`, to whatever address.
    #[cfg(test)]
    pub(super) fn plain(from: SocketAddr) -> Arrived {
        Arrived { length: 0, from, asked: None }
    }
}

/// Datagrams that arrived together, and the answers that leave together.
pub struct Batch {
    /// Datagrams that the last call could have brought.
    asked_for: usize,
    requests: Vec<u8>,
    arrived: Vec<Arrived>,
    /// Answers, one behind the other.
    out: Vec<u8>,
    /// Which request each answers, and where it lies.
    answers: Vec<(usize, Range<usize>)>,
    system: system::Headers,
}

impl Batch {
    /// An empty one. `wildcard`: the socket says what address each datagram was sent to.
    pub fn new(wildcard: bool) -> Batch {
        Batch {
            asked_for: FEWEST.min(system::MOST),
            requests: vec![0; STRIDE * BATCH],
            arrived: Vec::with_capacity(BATCH),
            out: Vec::new(),
            answers: Vec::with_capacity(BATCH),
            system: system::Headers::new(wildcard),
        }
    }

    /// How many arrived.
    pub fn len(&self) -> usize {
        self.arrived.len()
    }

    /// Did as many arrive as could? Then there may be more.
    pub fn is_full(&self) -> bool {
        self.len() == self.asked_for
    }

    /// Did none arrive?
    pub fn is_empty(&self) -> bool {
        self.arrived.is_empty()
    }

    /// A request and where it came from.
    pub fn request(&self, index: usize) -> Option<(&[u8], Arrived)> {
        let arrived = self.arrived.get(index)?;
        let octets = self.requests.get(index * STRIDE..index * STRIDE + arrived.length)?;
        Some((octets, *arrived))
    }

    /// Lets `write` append the answer to a request; `false`, and it is not answered from here.
    pub fn answer(
        &mut self,
        index: usize,
        write: impl FnOnce(&[u8], &Arrived, &mut Vec<u8>) -> bool,
    ) -> bool {
        let start = self.out.len();
        let Some(arrived) = self.arrived.get(index) else { return false };
        let request = self.requests.get(index * STRIDE..index * STRIDE + arrived.length).unwrap_or_default();
        let written = write(request, arrived, &mut self.out);
        if written {
            self.answers.push((index, start..self.out.len()));
        }
        written
    }

    /// Forgets what it holds.
    pub fn clear(&mut self) {
        // Preparing places for datagrams that do not come costs as much as reading one.
        self.asked_for = (2 * self.len()).clamp(FEWEST, BATCH).min(system::MOST);
        self.arrived.clear();
        self.answers.clear();
        self.out.clear();
    }

    /// Takes what has arrived into a batch that is empty, without waiting.
    ///
    /// # Errors
    /// What the system says; `WouldBlock` when there is nothing.
    pub fn receive(&mut self, socket: &UdpSocket) -> io::Result<()> {
        self.system.receive(socket, self.asked_for, &mut self.requests, &mut self.arrived)
    }

    /// Sends the answers that have not left yet, without waiting. What cannot be sent is dropped, but
    /// for want of room.
    ///
    /// # Errors
    /// `WouldBlock`: there is no room; to be called again when there is.
    pub fn send(&mut self, socket: &UdpSocket) -> io::Result<()> {
        let Batch { arrived, out, answers, system, .. } = self;
        send_all(answers, |answers| system.answer(socket, out, arrived, answers))
    }
}

/// An answer that was found later, and who waits for it.
pub struct Letter {
    to: SocketAddr,
    asked: Option<Asked>,
    octets: Vec<u8>,
}

/// Answers that leave together.
pub struct Outbox {
    letters: Vec<Letter>,
    system: system::Headers,
}

impl Outbox {
    /// An empty one. `wildcard`: answers say which of our addresses they leave from.
    pub fn new(wildcard: bool) -> Outbox {
        Outbox { letters: Vec::new(), system: system::Headers::new(wildcard) }
    }

    /// Does nothing wait?
    pub fn is_empty(&self) -> bool {
        self.letters.is_empty()
    }

    /// Do enough wait for one call to be full?
    pub fn is_full(&self) -> bool {
        self.letters.len() >= system::MOST
    }

    /// Adds the answer to a request; `false`: it is dropped, for too many wait.
    pub fn post(&mut self, answer: Vec<u8>, request: &Arrived) -> bool {
        let room = self.letters.len() < MOST_POSTED;
        if room {
            self.letters.push(Letter { to: request.from, asked: request.asked, octets: answer });
        }
        room
    }

    /// Sends all, as [`Batch::send`] does.
    ///
    /// # Errors
    /// `WouldBlock`: there is no room; to be called again when there is.
    pub fn send(&mut self, socket: &UdpSocket) -> io::Result<()> {
        let Outbox { letters, system } = self;
        send_all(letters, |letters| system.deliver(socket, letters))
    }
}

/// Lets `send` send the first of `waiting`, until none is left; it says how many have left.
fn send_all<T>(waiting: &mut Vec<T>, mut send: impl FnMut(&[T]) -> io::Result<usize>) -> io::Result<()> {
    let mut again = false;
    while !waiting.is_empty() {
        match send(waiting) {
            Ok(sent) => {
                again = false;
                waiting.drain(..sent.min(waiting.len()));
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Err(e),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            // May be what happened to the socket before, and told to whoever calls next.
            Err(_) if !again => again = true,
            Err(e) => {
                again = false;
                tracing::debug!(error = %e, "an answer could not be sent");
                waiting.drain(..1);
            }
        }
    }
    Ok(())
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[allow(unsafe_code)]
mod system {
    use std::mem;
    use std::os::fd::{AsFd as _, AsRawFd as _};

    use socket2::{SockAddr, SockAddrStorage};

    use super::super::pktinfo::{CONTROL, Control, asked, write_asked};
    use super::*;

    /// Datagrams that one call can take.
    pub const MOST: usize = BATCH;

    /// What the system calls read and fill besides the datagrams. What it points to is good only during
    /// the call that it was made for.
    pub struct Headers {
        wildcard: bool,
        headers: Vec<libc::mmsghdr>,
        parts: Vec<libc::iovec>,
        /// Whom the datagrams come from or go to: an address, and how long it is.
        names: Vec<(SockAddrStorage, libc::socklen_t)>,
        controls: Vec<Control>,
    }

    /// All zeroes: no name, no parts, no control octets.
    fn blank() -> libc::mmsghdr {
        // SAFETY: mmsghdr is plain data for which all zeroes is a valid value.
        unsafe { mem::zeroed() }
    }

    fn header_of(
        name: *mut SockAddrStorage,
        length: libc::socklen_t,
        part: &mut libc::iovec,
    ) -> libc::mmsghdr {
        let mut header = blank();
        header.msg_hdr.msg_name = name.cast();
        header.msg_hdr.msg_namelen = length;
        header.msg_hdr.msg_iov = part;
        header.msg_hdr.msg_iovlen = 1;
        header
    }

    fn no_part() -> libc::iovec {
        libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }
    }

    impl Headers {
        pub fn new(wildcard: bool) -> Headers {
            let controls = if wildcard { vec![Control([0; CONTROL]); BATCH] } else { Vec::new() };
            Headers {
                wildcard,
                headers: vec![blank(); BATCH],
                parts: vec![no_part(); BATCH],
                names: std::iter::repeat_with(|| (SockAddrStorage::zeroed(), 0)).take(BATCH).collect(),
                controls,
            }
        }

        pub fn receive(
            &mut self,
            socket: &UdpSocket,
            most: usize,
            requests: &mut [u8],
            arrived: &mut Vec<Arrived>,
        ) -> io::Result<()> {
            let mut made = 0;
            let buffers = requests.chunks_exact_mut(STRIDE).take(most);
            for (((header, part), (name, _)), buffer) in
                self.headers.iter_mut().zip(&mut self.parts).zip(&mut self.names).zip(buffers)
            {
                *part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: MAX_DATAGRAM };
                *header = header_of(name, name.size_of(), part);
                made += 1;
            }
            for (header, control) in self.headers.iter_mut().zip(&mut self.controls).take(made) {
                header.msg_hdr.msg_control = control.0.as_mut_ptr().cast();
                header.msg_hdr.msg_controllen = CONTROL as _;
            }
            // SAFETY: `made` headers have just been made to point to a name, a part (whose buffer is as
            // long as it says, and its own) and perhaps control octets that all outlive the call; no
            // timeout is given.
            let got = unsafe {
                libc::recvmmsg(
                    socket.as_fd().as_raw_fd(),
                    self.headers.as_mut_ptr(),
                    made as _,
                    libc::MSG_DONTWAIT as _,
                    std::ptr::null_mut(),
                )
            };
            let got = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
            for (header, (name, length)) in self.headers.iter().zip(&mut self.names).take(got) {
                *length = header.msg_hdr.msg_namelen;
                // SAFETY: the system has filled the storage (UDP always has a sender's address) and said how
                // much of it; a copy of octets is as good.
                let sender = unsafe { SockAddr::new(std::ptr::read(name), *length) };
                // Nobody to answer: port 0 is not answered either.
                let nobody = SocketAddr::from(([0, 0, 0, 0], 0));
                let from = sender.as_socket().unwrap_or(nobody);
                let asked = if self.wildcard { asked(&header.msg_hdr) } else { None };
                arrived.push(Arrived { length: header.msg_len as usize, from, asked });
            }
            Ok(())
        }

        /// Sends answers to requests of the last [`Headers::receive`].
        pub fn answer(
            &mut self,
            socket: &UdpSocket,
            out: &[u8],
            arrived: &[Arrived],
            answers: &[(usize, Range<usize>)],
        ) -> io::Result<usize> {
            let letters = answers.iter().map_while(|(index, range)| {
                let asked = arrived.get(*index).and_then(|a| a.asked);
                Some((*index, asked, out.get(range.clone())?))
            });
            self.send(socket, letters)
        }

        /// Sends letters.
        pub fn deliver(&mut self, socket: &UdpSocket, letters: &[Letter]) -> io::Result<usize> {
            for ((name, length), letter) in self.names.iter_mut().zip(letters) {
                let to = SockAddr::from(letter.to);
                (*length, *name) = (to.len(), to.as_storage());
            }
            let posted = letters.iter().enumerate().map(|(index, l)| (index, l.asked, l.octets.as_slice()));
            self.send(socket, posted)
        }

        /// Sends letters, each to one of `names`.
        fn send<'a>(
            &mut self,
            socket: &UdpSocket,
            letters: impl Iterator<Item = (usize, Option<Asked>, &'a [u8])>,
        ) -> io::Result<usize> {
            let mut count = 0;
            let mut controls = self.controls.iter_mut();
            for ((header, part), (index, asked, answer)) in
                self.headers.iter_mut().zip(&mut self.parts).zip(letters)
            {
                let Some((name, length)) = self.names.get(index) else { break };
                *part = libc::iovec { iov_base: answer.as_ptr().cast_mut().cast(), iov_len: answer.len() };
                *header = header_of(std::ptr::from_ref(name).cast_mut(), *length, part);
                if let (Some(asked), Some(control)) = (asked, controls.next()) {
                    header.msg_hdr.msg_control = control.0.as_mut_ptr().cast();
                    header.msg_hdr.msg_controllen = CONTROL as _;
                    write_asked(&mut header.msg_hdr, asked);
                }
                count += 1;
            }
            // SAFETY: `count` headers have just been made to point to names, parts and control octets that
            // outlive the call, which only reads them.
            let sent = unsafe {
                libc::sendmmsg(
                    socket.as_fd().as_raw_fd(),
                    self.headers.as_mut_ptr(),
                    count,
                    (libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) as _,
                )
            };
            usize::try_from(sent).map_err(|_| io::Error::last_os_error())
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod system {
    use super::*;

    /// Datagrams that one call can take.
    pub const MOST: usize = 1;

    pub struct Headers;

    impl Headers {
        pub fn new(_wildcard: bool) -> Headers {
            Headers
        }

        pub fn receive(
            &mut self,
            socket: &UdpSocket,
            _most: usize,
            requests: &mut [u8],
            arrived: &mut Vec<Arrived>,
        ) -> io::Result<()> {
            let (length, from) = socket.recv_from(requests)?;
            arrived.push(Arrived { length, from, asked: None });
            Ok(())
        }

        pub fn answer(
            &mut self,
            socket: &UdpSocket,
            out: &[u8],
            arrived: &[Arrived],
            answers: &[(usize, Range<usize>)],
        ) -> io::Result<usize> {
            let Some((index, range)) = answers.first() else { return Ok(0) };
            if let (Some(to), Some(answer)) = (arrived.get(*index), out.get(range.clone())) {
                socket.send_to(answer, to.from)?;
            }
            Ok(1)
        }

        pub fn deliver(&mut self, socket: &UdpSocket, letters: &[Letter]) -> io::Result<usize> {
            let Some(letter) = letters.first() else { return Ok(0) };
            socket.send_to(&letter.octets, letter.to)?;
            Ok(1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_wait_than_may() {
        let mut outbox = Outbox::new(false);
        let request = Arrived::plain(SocketAddr::from(([127, 0, 0, 1], 9)));
        for _ in 0..MOST_POSTED {
            assert!(outbox.post(Vec::new(), &request));
        }
        assert!(!outbox.post(Vec::new(), &request));
        assert_eq!(outbox.letters.len(), MOST_POSTED);
    }

    #[test]
    fn an_error_of_the_socket_costs_no_answer() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
        let gone = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        socket.connect(gone).unwrap();
        socket.send(&[0]).unwrap(); // refused, which the next call is told
        let mut outbox = Outbox::new(false);
        outbox.post(vec![1], &Arrived::plain(client.local_addr().unwrap()));
        outbox.send(&socket).unwrap();
        let mut answer = [0; 8];
        assert_eq!(client.recv(&mut answer).unwrap(), 1);
        assert_eq!(answer[0], 1);
    }

    #[test]
    fn one_that_cannot_be_sent_keeps_no_other_back() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut outbox = Outbox::new(false);
        let to = client.local_addr().unwrap();
        outbox.post(vec![1], &Arrived::plain(to));
        outbox.post(vec![2; MAX_DATAGRAM + 1], &Arrived::plain(to)); // EMSGSIZE
        outbox.post(vec![3], &Arrived::plain(to));
        outbox.send(&socket).unwrap();
        assert!(outbox.is_empty());
        let mut answer = [0; 8];
        for number in [1, 3] {
            assert_eq!(client.recv(&mut answer).unwrap(), 1);
            assert_eq!(answer[0], number);
        }
    }
}
