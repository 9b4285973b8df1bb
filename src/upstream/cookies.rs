//! DNS cookies towards servers: is this reply from the server that was asked?
//!
//! Knows: the option's shape (RFC 7873 §4), RFC 7873 §5.1 and §5.3 with RFC 9018 §3: a different client cookie for each server
//! address, no state until a server answers with its own part. Deliberately does not know: which
//! server speaks cookies (`upstream` remembers), what to do with a reply that fails.
//! Shown by: the tests below.

use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use siphasher::sip::SipHasher24;
use tokio::time::Instant;

use crate::world::{Rng, lock};

/// EDNS option code (RFC 7873 §4).
pub const OPTION_CODE: u16 = 10;
/// Octets of a client cookie (RFC 7873 §4).
pub const CLIENT_OCTETS: usize = 8;
/// Octets of the shortest and the longest server cookie (RFC 7873 §4).
pub const SERVER_OCTETS: std::ops::RangeInclusive<usize> = 8..=32;

/// A secret is used for so long: 36 days are the most that RFC 7873 §7.1 allows.
pub const RENEW_AFTER: Duration = Duration::from_secs(24 * 3_600);

/// 128 unguessable bits.
pub(crate) fn secret(rng: &Rng) -> [u8; 16] {
    let mut secret = [0; 16];
    secret[..8].copy_from_slice(&rng.u64().to_be_bytes());
    secret[8..].copy_from_slice(&rng.u64().to_be_bytes());
    secret
}

/// The secret of today.
pub struct Secret(Mutex<([u8; 16], Instant)>);

impl Secret {
    /// Begins at `now`.
    pub fn new(rng: &Rng, now: Instant) -> Secret {
        Secret(Mutex::new((secret(rng), now)))
    }

    /// The one to be used at `now`. Another one makes another client cookie, to which no server's part belongs.
    pub fn at(&self, now: Instant, rng: &Rng) -> [u8; 16] {
        let mut held = lock(&self.0);
        if now.saturating_duration_since(held.1) >= RENEW_AFTER {
            *held = (secret(rng), now);
        }
        held.0
    }
}

/// What a reply's COOKIE option says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyCookie<'a> {
    /// There is no such option. From a server known to speak cookies that is a reason to drop the
    /// reply (RFC 7873 §5.3).
    Absent,
    /// Our cookie came back: the sender has seen the question.
    Echoed {
        /// 8 to 32 octets to send along next time; `None`: the server gave no part of its own.
        server: Option<&'a [u8]>,
    },
    /// Another cookie than ours, or a length that no cookie has: the reply MUST be discarded
    /// (RFC 7873 §5.3).
    Mismatch,
}

/// Our cookie for `server`. `secret` is made at start and each day, and never leaves the process, so that cookies
/// neither outlive it nor link two servers' views of us (RFC 9018 §3, §8.1). `generation` counts the
/// pauses in which a server was not sent one.
pub fn client_cookie(secret: &[u8; 16], server: IpAddr, generation: u32) -> [u8; CLIENT_OCTETS] {
    let input = [&octets(server)[..], &generation.to_be_bytes()].concat();
    SipHasher24::new_with_key(secret).hash(&input).to_le_bytes()
}

/// The server's part of the cookie that it was last seen with, if that was given for `client`; it may be empty.
pub fn server_part<'a>(kept: Option<&'a [u8]>, client: &[u8; CLIENT_OCTETS]) -> &'a [u8] {
    kept.and_then(|kept| kept.strip_prefix(client)).unwrap_or_default()
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// The client's and the server's part, which may be empty; `None` when the length is none that
/// RFC 7873 §5.2.2 allows.
pub(crate) fn split(option: &[u8]) -> Option<(&[u8; CLIENT_OCTETS], &[u8])> {
    let (client, server) = option.split_first_chunk::<CLIENT_OCTETS>()?;
    (server.is_empty() || SERVER_OCTETS.contains(&server.len())).then_some((client, server))
}

/// Judges a reply's COOKIE option, the first if there are several (RFC 7873 §5.3); `sent` is the
/// client cookie of the question.
pub fn read_reply<'a>(option: Option<&'a [u8]>, sent: &[u8; CLIENT_OCTETS]) -> ReplyCookie<'a> {
    let Some(option) = option else { return ReplyCookie::Absent };
    match split(option) {
        Some((client, server)) if client == sent => {
            ReplyCookie::Echoed { server: Some(server).filter(|s| !s.is_empty()) }
        }
        _ => ReplyCookie::Mismatch,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn every_server_client_and_secret_has_its_own_cookie() {
        let secret = [3; 16];
        let server = |i: u32| IpAddr::from(Ipv4Addr::from(i));
        let mut seen = HashSet::new();
        for i in 0..1_000 {
            assert!(seen.insert(client_cookie(&secret, server(i), 0)));
            assert!(seen.insert(client_cookie(&[4; 16], server(i), 0)));
        }
        assert!(seen.insert(client_cookie(&secret, "2001:db8::1".parse().unwrap(), 0)));
        assert_eq!(client_cookie(&secret, server(7), 0), client_cookie(&secret, server(7), 0));
    }

    #[test]
    fn another_secret_each_day_leaves_no_server_its_part() {
        let (start, rng) = (Instant::now(), Rng::seeded(1));
        let secret = Secret::new(&rng, start);
        let cookie = |at| client_cookie(&secret.at(at, &rng), "192.0.2.1".parse().unwrap(), 0);
        let first = cookie(start);
        let kept = [&first[..], &[9; 16]].concat();
        assert_eq!(server_part(Some(&kept), &cookie(start + RENEW_AFTER - Duration::from_secs(1))), [9; 16]);
        let second = cookie(start + RENEW_AFTER);
        assert_eq!((first == second, server_part(Some(&kept), &second)), (false, &[][..]));
        assert_eq!(server_part(None, &second), [0; 0]);
    }

    #[test]
    fn a_reply_must_bring_our_cookie_back() {
        let sent = [1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(read_reply(None, &sent), ReplyCookie::Absent);
        assert_eq!(read_reply(Some(&sent), &sent), ReplyCookie::Echoed { server: None });
        for octets in 1..=40 {
            let reply = [&sent[..], &vec![9; octets]].concat();
            let expected = if (8..=32).contains(&octets) {
                ReplyCookie::Echoed { server: Some(&reply[8..]) }
            } else {
                ReplyCookie::Mismatch
            };
            assert_eq!(read_reply(Some(&reply), &sent), expected, "server part of {octets} octets");
        }
        for i in 0..8 {
            let mut reply = [&sent[..], &[9; 16]].concat();
            reply[i] ^= 0x80;
            assert_eq!(read_reply(Some(&reply), &sent), ReplyCookie::Mismatch);
        }
        assert_eq!(read_reply(Some(&[]), &sent), ReplyCookie::Mismatch);
        assert_eq!(read_reply(Some(&sent[..7]), &sent), ReplyCookie::Mismatch);
    }
}
