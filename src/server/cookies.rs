//! DNS cookies towards clients: is this the address it claims to be?
//!
//! Knows: RFC 7873 §5.2 with the interoperable construction of RFC 9018 §4 (version 1,
//! SipHash-2-4) and one previous secret (RFC 9018 §5), renewed each day (RFC 7873 §7.1). Keeps no state per client. Deliberately does
//! not know: what a client without a valid cookie is refused, or over which transport it came.
//! Shown by: the vectors of RFC 9018 appendix A below.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use siphasher::sip::SipHasher24;
use tokio::time::Instant;

pub(super) use crate::upstream::cookies::CLIENT_OCTETS;
use crate::upstream::cookies::{RENEW_AFTER, secret, split};
use crate::world::Rng;

/// Octets of the option with a server cookie of version 1 (RFC 9018 §4.4).
pub const OPTION_OCTETS: usize = 24;
/// How old a cookie may be, in seconds (RFC 9018 §4.3).
const MAX_AGE: i32 = 3_600;
/// How far a cookie may lie in the future, in seconds: servers that share a secret need not agree
/// exactly on the time (RFC 9018 §4.3).
const MAX_SKEW: i32 = 300;
/// Version 1, three reserved octets of zero (RFC 9018 §4.1, §4.2).
const VERSION_1: [u8; 4] = [1, 0, 0, 0];

/// What a client's COOKIE option calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieAnswer {
    /// Of a length that no cookie has: FORMERR (RFC 7873 §5.2.2).
    Malformed,
    /// To be answered.
    Reply {
        /// The COOKIE option of the response: the client's cookie and a fresh server cookie.
        option: [u8; OPTION_OCTETS],
        /// Did the client send a server cookie that we gave to this address lately?
        valid: bool,
    },
}

/// The secrets that cookies are made with.
#[derive(Clone)]
pub struct Cookies {
    current: SipHasher24,
    previous: Option<SipHasher24>,
}

impl Cookies {
    /// Makes and accepts cookies with `secret`, 128 unguessable bits.
    pub fn new(secret: [u8; 16]) -> Cookies {
        Cookies { current: SipHasher24::new_with_key(&secret), previous: None }
    }

    /// Makes cookies with `secret` and still accepts those of the secret until now (RFC 9018 §5,
    /// stage 2). The one before that is forgotten.
    pub fn rotated(&self, secret: [u8; 16]) -> Cookies {
        Cookies { current: SipHasher24::new_with_key(&secret), previous: Some(self.current) }
    }

    /// Judges the COOKIE option of a request from `client`. `now_unix` is in seconds since 1970;
    /// it wraps in 2106, which serial number arithmetic allows for (RFC 9018 §4.3, RFC 1982).
    pub fn answer(&self, option: &[u8], client: IpAddr, now_unix: u32) -> CookieAnswer {
        let Some((client_cookie, server_cookie)) = split(option) else { return CookieAnswer::Malformed };
        let valid = self.is_valid(client_cookie, server_cookie, client, now_unix);
        // A new one each time: RFC 9018 §4.3 allows it, and it costs one hash of 32 octets.
        let fixed = server_fixed(now_unix);
        let hash = hash(&self.current, client_cookie, &fixed, client);
        let mut reply = [0; OPTION_OCTETS];
        for (to, from) in reply.iter_mut().zip(client_cookie.iter().chain(&fixed).chain(&hash)) {
            *to = *from;
        }
        CookieAnswer::Reply { option: reply, valid }
    }

    fn is_valid(&self, client_cookie: &[u8; 8], server_cookie: &[u8], client: IpAddr, now: u32) -> bool {
        let Some((fixed, sent)) = server_cookie.split_first_chunk::<8>() else { return false };
        // The length is compared too, so that what goes into the hash has one meaning only
        // (RFC 9018 §4.4). Reserved octets other than zero are fine (RFC 9018 §4.2).
        let Ok(sent) = <[u8; 8]>::try_from(sent) else { return false };
        let [version, _, _, _, a, b, c, d] = *fixed;
        let age = now.wrapping_sub(u32::from_be_bytes([a, b, c, d])).cast_signed();
        if version != VERSION_1[0] || !(-MAX_SKEW..=MAX_AGE).contains(&age) {
            return false;
        }
        // Compared as integers: no early exit that would tell how much of a guess was right.
        let matches = |key: &SipHasher24| {
            u64::from_ne_bytes(hash(key, client_cookie, fixed, client)) == u64::from_ne_bytes(sent)
        };
        matches(&self.current) || self.previous.as_ref().is_some_and(matches)
    }
}

/// The secrets of today and yesterday.
pub struct Keyring(ArcSwap<(Cookies, Instant)>);

impl Keyring {
    /// Begins with `secret` at `now`.
    pub fn new(secret: [u8; 16], now: Instant) -> Keyring {
        Keyring(ArcSwap::from_pointee((Cookies::new(secret), now)))
    }

    /// Those to be used at `now`: with another secret each day.
    pub fn at(&self, now: Instant, rng: &Rng) -> Cookies {
        let held = self.0.load();
        let (cookies, since) = &**held;
        if now.saturating_duration_since(*since) < RENEW_AFTER {
            return cookies.clone();
        }
        let renewed = cookies.rotated(secret(rng));
        // Another thread may have been first: then its secret is the one.
        self.0.compare_and_swap(&held, Arc::new((renewed, now)));
        self.0.load().0.clone()
    }
}

/// Version, reserved, timestamp.
fn server_fixed(now: u32) -> [u8; 8] {
    let ([v, r, s, t], [a, b, c, d]) = (VERSION_1, now.to_be_bytes());
    [v, r, s, t, a, b, c, d]
}

/// SipHash-2-4(client cookie | version | reserved | timestamp | client address), 20 or 32 octets in.
fn hash(key: &SipHasher24, client_cookie: &[u8; 8], fixed: &[u8; 8], client: IpAddr) -> [u8; 8] {
    let mut input = [0; 32];
    let (head, address) = input.split_at_mut(16);
    let (a, b) = head.split_at_mut(8);
    a.copy_from_slice(client_cookie);
    b.copy_from_slice(fixed);
    let octets = match client.to_canonical() {
        IpAddr::V4(v4) => {
            address.split_at_mut(4).0.copy_from_slice(&v4.octets());
            20
        }
        IpAddr::V6(v6) => {
            address.copy_from_slice(&v6.octets());
            32
        }
    };
    // The digest is little-endian, as SipHash defines it.
    key.hash(input.split_at(octets).0).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        assert_eq!(text.len(), 2 * N);
        std::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
    }
    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }
    fn reply(option: &str, valid: bool) -> CookieAnswer {
        CookieAnswer::Reply { option: hex(option), valid }
    }
    const SECRET: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";
    const FIRST: &str = "2464c4abcf10c957010000005cf79f111f8130c3eee29480";

    #[test]
    fn vectors_of_rfc_9018_appendix_a() {
        let cookies = Cookies::new(hex(SECRET));
        let client = ip("198.51.100.100");
        // A.1, A.2
        let asked: [u8; 8] = hex("2464c4abcf10c957");
        assert_eq!(cookies.answer(&asked, client, 1_559_731_985), reply(FIRST, false));
        assert_eq!(
            cookies.answer(&hex::<24>(FIRST), client, 1_559_734_385),
            reply("2464c4abcf10c957010000005cf7a871d4a564a1442aca77", true)
        );
        // A.3: reserved octets that are not zero.
        let asked: [u8; 24] = hex("fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5");
        // The vector's own times are 6,715 s apart, more than the hour that §4.3 says one SHOULD
        // allow: not valid to us at that time, valid within the hour, and the reply is the vector's.
        assert_eq!(
            cookies.answer(&asked, ip("203.0.113.203"), 1_559_734_700),
            reply("fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e", false)
        );
        let CookieAnswer::Reply { valid, .. } = cookies.answer(&asked, ip("203.0.113.203"), 1_559_731_585)
        else {
            panic!("malformed")
        };
        assert!(valid);
        // A.4: a rolled-over secret, IPv6.
        let client = ip("2001:db8:220:1:59de:d0f4:8769:82b8");
        let old = Cookies::new(hex("dd3bdf9344b678b185a6f5cb60fca715"));
        let new = old.rotated(hex("445536bcd2513298075a5d379663c962"));
        let asked: [u8; 24] = hex("22681ab97d52c298010000005cf7c57926556bd0934c72f8");
        let fresh = "22681ab97d52c298010000005cf7c609a6bb79d16625507a";
        assert_eq!(new.answer(&asked, client, 1_559_741_961), reply(fresh, true));
        // Stage 3: the old secret is gone.
        let later = new.rotated(hex(SECRET));
        assert!(matches!(
            later.answer(&asked, client, 1_559_741_961),
            CookieAnswer::Reply { valid: false, .. }
        ));
    }

    #[test]
    fn a_cookie_is_good_for_one_address_one_client_cookie_and_an_hour() {
        let cookies = Cookies::new(hex(SECRET));
        let (client, made) = (ip("198.51.100.100"), 1_559_731_985u32);
        let good: [u8; 24] = hex(FIRST);
        let valid = |option: &[u8], client, now| match cookies.answer(option, client, now) {
            CookieAnswer::Reply { valid, .. } => valid,
            CookieAnswer::Malformed => panic!("malformed"),
        };
        assert!(valid(&good, client, made));
        assert!(valid(&good, ip("::ffff:198.51.100.100"), made), "a mapped address is the same client");
        assert!(valid(&good, client, made + 3_600) && !valid(&good, client, made + 3_601));
        assert!(valid(&good, client, made - 300) && !valid(&good, client, made - 301));
        assert!(!valid(&good, client, made.wrapping_add(1 << 31)));
        assert!(!valid(&good, ip("198.51.100.101"), made));
        for i in 0..24 {
            // Octets 9 to 11 are reserved and go into the hash too; 12 to 15 are the time.
            let mut bad = good;
            bad[i] ^= 1;
            assert!(!valid(&bad, client, made), "octet {i}");
        }
        assert!(!valid(&[&good[..], &[0; 16]].concat(), client, made), "an option of 40 octets");
        assert!(!valid(&good[..16], client, made));
    }

    #[test]
    fn a_secret_lasts_a_day_and_its_cookies_a_while_longer() {
        let (start, rng) = (Instant::now(), Rng::seeded(1));
        let (keyring, client) = (Keyring::new([7; 16], start), ip("192.0.2.1"));
        let ask = |option: &[u8], at: Instant| match keyring.at(at, &rng).answer(option, client, 1_000) {
            CookieAnswer::Reply { option, valid } => (option, valid),
            CookieAnswer::Malformed => panic!("malformed"),
        };
        let (first, _) = ask(&[1; 8], start);
        assert_eq!(ask(&first, start + RENEW_AFTER - Duration::from_secs(1)), (first, true));
        let (second, valid) = ask(&first, start + RENEW_AFTER);
        assert!(valid && second != first, "the secret until now is still good");
        assert_eq!(ask(&second, start + RENEW_AFTER), (second, true));
        assert!(!ask(&first, start + 2 * RENEW_AFTER).1);
    }

    #[test]
    fn time_wraps_in_2106_without_losing_cookies() {
        let cookies = Cookies::new([7; 16]);
        let CookieAnswer::Reply { option, .. } = cookies.answer(&[1; 8], ip("192.0.2.1"), u32::MAX - 10)
        else {
            panic!("malformed")
        };
        assert!(matches!(
            cookies.answer(&option, ip("192.0.2.1"), 20),
            CookieAnswer::Reply { valid: true, .. }
        ));
    }

    #[test]
    fn only_the_lengths_of_rfc_7873_are_cookies() {
        let cookies = Cookies::new([7; 16]);
        for octets in 0..64 {
            let answer = cookies.answer(&vec![0; octets], ip("192.0.2.1"), 0);
            let expected = octets != 8 && !(16..=40).contains(&octets);
            assert_eq!(answer == CookieAnswer::Malformed, expected, "{octets} octets");
        }
    }
}
