//! From which local address a server is asked.
//!
//! Does not know: ports (`udp`), sockets. Shown by `sockets::*`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::world::Rng;

/// A random one of `sources` of the family of `to`, or the unspecified address.
pub(super) fn source_for(to: SocketAddr, sources: &[IpAddr], rng: &Rng) -> IpAddr {
    let of_family = || sources.iter().copied().filter(|source| source.is_ipv4() == to.is_ipv4());
    match of_family().count() {
        0 if to.is_ipv4() => Ipv4Addr::UNSPECIFIED.into(),
        0 => Ipv6Addr::UNSPECIFIED.into(),
        count => of_family().nth(rng.below(count)).unwrap_or(Ipv4Addr::UNSPECIFIED.into()),
    }
}
