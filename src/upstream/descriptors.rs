//! File descriptors: how many the process may have, and who may hold them.
//!
//! Knows: RLIMIT_NOFILE and how it is divided. Does not know: sockets. The parts are limits that
//! queue (upstream) or displace (TCP clients), so that running out of descriptors never shows as
//! an error in the middle of a resolution. Shown by `sockets::descriptors_*`.

use std::io;

/// Kept for standard streams, signals, the journal, the files of the configuration and the cache,
/// and connections accepted while a displaced one is still closing.
pub const RESERVED: usize = 32;

/// What a worker's runtime holds: epoll, its duplicate, the waker and the signal pipe.
pub const PER_WORKER: usize = 4;

/// Upstream sockets open at once, however many descriptors there are: an eighth of the ports that
/// RFC 5452 §9.2 lets us draw from, so that a random port is nearly always free.
pub const MAX_UPSTREAM: usize = 8_192;

/// TCP connections of clients open at once, however many descriptors there are. More than named's
/// 150 (`tcp-clients`), since an idle connection costs a few kilobytes and is displaced when full.
pub const MAX_TCP_CLIENTS: usize = 1_000;

/// Below this a part would be useless; too low a limit then shows as EMFILE, which is waited out.
const MIN_PART: usize = 8;

/// Descriptors taken where the limit cannot be read: POSIX's usual default.
const FALLBACK: usize = 256;

/// Who may hold how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Upstream sockets open at once.
    pub upstream: usize,
    /// TCP connections of clients open at once.
    pub tcp_clients: usize,
}

/// Divides `limit` descriptors, `fixed` of which are listeners and the like: a quarter of the rest
/// for TCP clients, since most clients come by UDP and cost none, and three for upstream.
pub fn share(limit: usize, fixed: usize) -> Share {
    let free = limit.saturating_sub(RESERVED.saturating_add(fixed));
    let tcp_clients = (free / 4).clamp(MIN_PART, MAX_TCP_CLIENTS);
    let upstream = free.saturating_sub(tcp_clients).clamp(MIN_PART, MAX_UPSTREAM);
    Share { upstream, tcp_clients }
}

/// Raises the soft RLIMIT_NOFILE to the hard one and says what it is then. Nothing here uses
/// `select(2)`, the one reason to stay below 1024.
pub fn raise_limit() -> usize {
    match read_limit() {
        Ok(mut limit) => {
            if limit.rlim_cur < limit.rlim_max {
                let raised = libc::rlimit { rlim_cur: limit.rlim_max, ..limit };
                if set_limit(&raised).is_ok() {
                    limit = raised;
                }
            }
            usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX)
        }
        Err(_) => FALLBACK,
    }
}

/// Lets the kernel's table of our descriptors grow to `count` now, while there is one thread. It
/// doubles when it is full, and with several threads each doubling waits for an RCU grace period:
/// 12 ms in which nobody was answered, seen when 500 connections came at once. Best effort.
#[allow(unsafe_code)]
pub fn make_room(count: usize) {
    let Ok(last) = libc::c_int::try_from(count.saturating_sub(1)) else { return };
    // SAFETY: duplicates standard error onto the lowest free descriptor from `last` on, which then
    // is ours alone; that one is closed, once, here.
    unsafe {
        let opened = libc::fcntl(libc::STDERR_FILENO, libc::F_DUPFD_CLOEXEC, last);
        if opened >= 0 {
            libc::close(opened);
        }
    }
}

#[allow(unsafe_code)]
fn read_limit() -> io::Result<libc::rlimit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid rlimit that outlives the call, which writes nothing else.
    match unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } {
        0 => Ok(limit),
        _ => Err(io::Error::last_os_error()),
    }
}

#[allow(unsafe_code)]
fn set_limit(limit: &libc::rlimit) -> io::Result<()> {
    // SAFETY: `limit` is a valid rlimit that outlives the call, which only reads it.
    match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, limit) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
