//! Answers leave from the address that was asked, also on a wildcard listener (RFC 2181 §4.1).
//!
//! Knows: IP_PKTINFO and IPV6_PKTINFO (RFC 3542 §6). Does not know: anything else. Needed only
//! where the listen address is unspecified, and written for Linux; elsewhere such an answer leaves
//! from the address that the route prefers. Shown by `sockets::wildcard_*`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address of ours that a datagram was sent to, and the interface it came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Where the answer must come from.
    pub address: IpAddr,
    interface: u32,
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) use linux::{CONTROL, Control, asked, write_asked};
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use linux::{do_not_learn_mtu, enable};

#[cfg(any(target_os = "linux", target_os = "android"))]
#[allow(unsafe_code)]
mod linux {
    use std::mem;
    use std::os::fd::{AsRawFd, BorrowedFd};

    use super::*;

    /// Octets for one control message: `in6_pktinfo` (20) and its header (16), with room.
    pub(in crate::server) const CONTROL: usize = 64;

    /// Control messages must be aligned as `cmsghdr` is.
    #[derive(Clone, Copy)]
    #[repr(C, align(16))]
    pub(in crate::server) struct Control(pub [u8; CONTROL]);

    fn set_option(
        fd: BorrowedFd<'_>,
        level: libc::c_int,
        name: libc::c_int,
        value: libc::c_int,
    ) -> io::Result<()> {
        let length = mem::size_of::<libc::c_int>() as libc::socklen_t;
        // SAFETY: the descriptor is open for the borrow; the pointer and the length are those of a
        // c_int that outlives the call, which only reads it.
        let set = unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, (&raw const value).cast(), length) };
        if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Asks for the destination of each datagram.
    ///
    /// # Errors
    /// What setsockopt(2) says.
    pub fn enable(fd: BorrowedFd<'_>, v6: bool) -> io::Result<()> {
        if v6 {
            set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)
        } else {
            set_option(fd, libc::IPPROTO_IP, libc::IP_PKTINFO, 1)
        }
    }

    /// Answers are not sized by what ICMP claims about the path: a forged "fragmentation needed"
    /// would make the system fragment them, and a fragment can be replaced (RFC 9715 §3.1).
    ///
    /// # Errors
    /// What setsockopt(2) says.
    pub fn do_not_learn_mtu(fd: BorrowedFd<'_>, v6: bool) -> io::Result<()> {
        if v6 {
            set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_OMIT)
        } else {
            set_option(fd, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_OMIT)
        }
    }

    /// `message` must come from recvmsg or recvmmsg, its control octets still alive.
    #[allow(clippy::unnecessary_cast)] // the type of cmsg_len differs between C libraries
    pub(in crate::server) fn asked(message: &libc::msghdr) -> Option<Asked> {
        // SAFETY: the header and its control octets are as recvmsg left them, which is what the
        // CMSG macros walk; the data of a message is read only after its level, its type and its
        // length were checked, unaligned since nothing promises more than the header's alignment.
        unsafe {
            let mut next = libc::CMSG_FIRSTHDR(message);
            while let Some(head) = next.as_ref() {
                let length = head.cmsg_len as usize;
                let holds = |size: usize| length >= libc::CMSG_LEN(size as libc::c_uint) as usize;
                match (head.cmsg_level, head.cmsg_type) {
                    (libc::IPPROTO_IP, libc::IP_PKTINFO) if holds(mem::size_of::<libc::in_pktinfo>()) => {
                        let info: libc::in_pktinfo =
                            libc::CMSG_DATA(head).cast::<libc::in_pktinfo>().read_unaligned();
                        let address = Ipv4Addr::from(u32::from_be(info.ipi_spec_dst.s_addr));
                        return Some(Asked { address: address.into(), interface: 0 });
                    }
                    (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) if holds(mem::size_of::<libc::in6_pktinfo>()) => {
                        let info: libc::in6_pktinfo =
                            libc::CMSG_DATA(head).cast::<libc::in6_pktinfo>().read_unaligned();
                        let address = Ipv6Addr::from(info.ipi6_addr.s6_addr);
                        // Only a link-local address needs its interface; for others the route decides.
                        let interface =
                            if address.is_unicast_link_local() { info.ipi6_ifindex as u32 } else { 0 };
                        return Some(Asked { address: address.into(), interface });
                    }
                    _ => next = libc::CMSG_NXTHDR(message, head),
                }
            }
        }
        None
    }

    /// `message` must have [`CONTROL`] octets of control space.
    pub(in crate::server) fn write_asked(message: &mut libc::msghdr, asked: Asked) {
        match asked.address {
            IpAddr::V4(address) => {
                let info = libc::in_pktinfo {
                    ipi_ifindex: asked.interface as libc::c_int,
                    ipi_spec_dst: libc::in_addr { s_addr: u32::from(address).to_be() },
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                put(message, libc::IPPROTO_IP, libc::IP_PKTINFO, info);
            }
            IpAddr::V6(address) => {
                let info = libc::in6_pktinfo {
                    ipi6_addr: libc::in6_addr { s6_addr: address.octets() },
                    ipi6_ifindex: asked.interface as _,
                };
                put(message, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info);
            }
        }
    }

    fn put<T>(message: &mut libc::msghdr, level: libc::c_int, kind: libc::c_int, info: T) {
        const { assert!(mem::size_of::<T>() + mem::size_of::<libc::cmsghdr>() + 8 <= CONTROL) };
        let size = mem::size_of::<T>() as libc::c_uint;
        // SAFETY: the control space holds a header and a `T` (asserted above), is aligned for the
        // header, and belongs to the caller; the data is written unaligned.
        unsafe {
            if let Some(head) = libc::CMSG_FIRSTHDR(message).as_mut() {
                head.cmsg_level = level;
                head.cmsg_type = kind;
                head.cmsg_len = libc::CMSG_LEN(size) as _;
                libc::CMSG_DATA(head).cast::<T>().write_unaligned(info);
                message.msg_controllen = libc::CMSG_SPACE(size) as _;
            }
        }
    }
}
