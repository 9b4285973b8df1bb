//! Who may ask: a set of address prefixes.
//!
//! Knows: IPv4, IPv6, and that `::ffff:192.0.2.1` on a dual-stack socket is the IPv4 client
//! 192.0.2.1 (RFC 4291 §2.5.5.2). Does not know: what a refused client hears (`server`).
//! Shown by: the tests below.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Bits of an IPv6 prefix that say "this is an IPv4 address" (RFC 4291 §2.5.5.2).
const MAPPED_BITS: u8 = 96;

/// A set of addresses: disjoint ascending ranges, so that asking costs one binary search and no
/// allocation, however long the configured list is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acl {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

impl Acl {
    /// The union of `nets`; none of them: nobody. Prefixes inside `::ffff:0:0/96` count as IPv4.
    /// A shorter IPv6 prefix such as `::/0` means IPv6 clients only.
    pub fn new(nets: &[IpNet]) -> Acl {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for net in nets {
            match unmapped(*net) {
                IpNet::V4(net) => v4.push(net),
                IpNet::V6(net) => v6.push(net),
            }
        }
        Acl {
            v4: ranges(Ipv4Net::aggregate(&v4).iter().map(|n| (n.network().into(), n.broadcast().into()))),
            v6: ranges(Ipv6Net::aggregate(&v6).iter().map(|n| (n.network().into(), n.broadcast().into()))),
        }
    }

    /// Is `client` in the set?
    pub fn allows(&self, client: IpAddr) -> bool {
        match client.to_canonical() {
            IpAddr::V4(a) => holds(&self.v4, u32::from(a)),
            IpAddr::V6(a) => holds(&self.v6, u128::from(a)),
        }
    }
}

/// `net` as IPv4 when it lies within the IPv4-mapped prefix.
fn unmapped(net: IpNet) -> IpNet {
    let IpNet::V6(v6) = net else { return net };
    let (Some(bits), Some(address)) =
        (v6.prefix_len().checked_sub(MAPPED_BITS), v6.network().to_ipv4_mapped())
    else {
        return net;
    };
    Ipv4Net::new(address, bits).map_or(net, IpNet::V4)
}

fn ranges<T: Ord>(nets: impl Iterator<Item = (T, T)>) -> Vec<(T, T)> {
    let mut ranges: Vec<(T, T)> = nets.collect();
    ranges.sort();
    ranges
}

/// `ranges` are disjoint and ascending.
fn holds<T: PartialOrd>(ranges: &[(T, T)], address: T) -> bool {
    let behind = ranges.partition_point(|(first, _)| *first <= address);
    behind.checked_sub(1).and_then(|i| ranges.get(i)).is_some_and(|(_, last)| address <= *last)
}

/// Loopback only, the contract's default.
pub fn loopback() -> Acl {
    let v4 = u32::from(Ipv4Addr::new(127, 0, 0, 0));
    Acl { v4: vec![(v4, v4 | 0x00ff_ffff)], v6: vec![(1, 1)] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acl(nets: &[&str]) -> Acl {
        Acl::new(&nets.iter().map(|n| n.parse().unwrap()).collect::<Vec<_>>())
    }
    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_listed_prefixes_may_ask() {
        let acl = acl(&["192.0.2.0/25", "198.51.100.7/32", "2001:db8::/32"]);
        for (client, allowed) in [
            ("192.0.2.0", true),
            ("192.0.2.127", true),
            ("192.0.2.128", false),
            ("192.0.1.255", false),
            ("198.51.100.7", true),
            ("198.51.100.6", false),
            ("198.51.100.8", false),
            ("0.0.0.0", false),
            ("255.255.255.255", false),
            ("2001:db8::", true),
            ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true),
            ("2001:db9::", false),
            ("::", false),
        ] {
            assert_eq!(acl.allows(ip(client)), allowed, "{client}");
        }
        assert!(!Acl::new(&[]).allows(ip("127.0.0.1")));
    }

    #[test]
    fn mapped_addresses_are_ipv4_on_both_sides() {
        assert!(acl(&["192.0.2.0/24"]).allows(ip("::ffff:192.0.2.9")));
        assert!(acl(&["::ffff:192.0.2.0/120"]).allows(ip("192.0.2.9")));
        assert!(!acl(&["::ffff:192.0.2.0/120"]).allows(ip("192.0.3.9")));
        assert!(!acl(&["::/0"]).allows(ip("::ffff:192.0.2.9")));
        assert!(acl(&["0.0.0.0/0"]).allows(ip("::ffff:192.0.2.9")));
        assert!(!acl(&["0.0.0.0/0"]).allows(ip("2001:db8::1")));
        // The IPv4-compatible addresses of RFC 4291 §2.5.5.1 are IPv6; ::1 must not become 0.0.0.1.
        assert!(acl(&["::1/128"]).allows(ip("::1")));
        assert!(!acl(&["::1/128"]).allows(ip("0.0.0.1")));
    }

    #[test]
    fn overlapping_and_unordered_prefixes_form_one_set() {
        let acl = acl(&["10.9.0.0/16", "10.0.0.0/8", "10.9.8.0/24", "9.0.0.0/8", "255.0.0.0/8"]);
        assert_eq!(acl.v4.len(), 3);
        assert!(acl.allows(ip("10.200.0.1")) && acl.allows(ip("10.9.8.7")) && acl.allows(ip("9.0.0.0")));
        assert!(acl.allows(ip("255.255.255.255")) && !acl.allows(ip("11.0.0.0")));
    }

    #[test]
    fn the_default_is_loopback() {
        assert_eq!(loopback(), acl(&["127.0.0.0/8", "::1/128"]));
    }
}
