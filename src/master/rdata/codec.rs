//! Text forms of single values: numbers in other bases, times, algorithms, strings, bit maps.

use std::fmt::Write as _;

use crate::rrset::RrType;

/// Seconds in a day.
const DAY: u64 = 86_400;

/// DNSSEC algorithms that have a mnemonic (IANA registry; RFC 4034 appendix A.1).
const ALGORITHMS: [(&str, u8); 17] = [
    ("RSAMD5", 1),
    ("DH", 2),
    ("DSA", 3),
    ("RSASHA1", 5),
    ("DSA-NSEC3-SHA1", 6),
    ("RSASHA1-NSEC3-SHA1", 7),
    ("RSASHA256", 8),
    ("RSASHA512", 10),
    ("ECC-GOST", 12),
    ("ECDSAP256SHA256", 13),
    ("ECDSAP384SHA384", 14),
    ("ED25519", 15),
    ("ED448", 16),
    ("SM2SM3", 17),
    ("INDIRECT", 252),
    ("PRIVATEDNS", 253),
    ("PRIVATEOID", 254),
];

/// An algorithm by number or mnemonic.
pub(super) fn algorithm(text: &str) -> Option<u8> {
    let known = ALGORITHMS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    known.map(|&(_, number)| number).or_else(|| text.parse().ok())
}

/// Seconds, plain or with the units of BIND's files: `3600`, `1h`, `1w2d3h4m5s`.
pub fn seconds(text: &str) -> Option<u32> {
    if let Ok(plain) = text.parse() {
        return Some(plain);
    }
    let (mut total, mut number) = (0u32, None);
    for c in text.chars() {
        let unit: u32 = match c.to_ascii_lowercase() {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            digit => {
                let digit = digit.to_digit(10)?;
                number = Some(number.unwrap_or(0u32).checked_mul(10)?.checked_add(digit)?);
                continue;
            }
        };
        total = total.checked_add(number.take()?.checked_mul(unit)?)?;
    }
    // Digits without a unit behind units are a typing error.
    (number.is_none() && !text.is_empty()).then_some(total)
}

/// Seconds since 1970 from `YYYYMMDDHHmmSS` or a number of at most ten digits (RFC 4034 §3.2).
pub(super) fn time(text: &str) -> Option<u32> {
    if text.len() != 14 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok();
    }
    let part = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    let sane = year >= 1970 && (1..=12).contains(&month) && day >= 1 && day <= days_of(year, month);
    if !sane || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = (1970..year).map(|y| if is_leap(y) { 366 } else { 365 }).sum::<u64>()
        + (1..month).map(|m| days_of(year, m)).sum::<u64>()
        + day
        - 1;
    u32::try_from(days * DAY + hour * 3_600 + minute * 60 + second).ok()
}

/// `YYYYMMDDHHmmSS`, taken as seconds since 1970 without wrapping (until 2106).
pub fn show_time(time: u32) -> String {
    let (mut days, rest) = (u64::from(time) / DAY, u64::from(time) % DAY);
    let (mut year, mut month) = (1970, 1);
    while days >= if is_leap(year) { 366 } else { 365 } {
        days -= if is_leap(year) { 366 } else { 365 };
        year += 1;
    }
    while days >= days_of(year, month) {
        days -= days_of(year, month);
        month += 1;
    }
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}{month:02}{:02}{hour:02}{minute:02}{second:02}", days + 1)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_of(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The octets of a string: `\X` is X, `\DDD` the octet of that number (RFC 1035 §5.1).
pub(super) fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        if b != b'\\' {
            octets.push(b);
            continue;
        }
        let first = bytes.next().ok_or("`\\` at the end escapes nothing")?;
        if !first.is_ascii_digit() {
            octets.push(first);
            continue;
        }
        let mut value = u16::from(first - b'0');
        for _ in 0..2 {
            let digit =
                bytes.next().filter(u8::is_ascii_digit).ok_or("`\\` and a digit need three digits")?;
            value = value * 10 + u16::from(digit - b'0');
        }
        octets.push(u8::try_from(value).map_err(|_| format!("`\\{value}` is above 255"))?);
    }
    Ok(octets)
}

/// A string in quotes, with escapes.
pub(super) fn quote(octets: &[u8]) -> String {
    let mut text = String::from("\"");
    for &b in octets {
        match b {
            b'"' | b'\\' => text.extend(['\\', char::from(b)]),
            0x20..=0x7e => text.push(char::from(b)),
            _ => _ = write!(text, "\\{b:03}"),
        }
    }
    text.push('"');
    text
}

pub(super) fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, b| {
        _ = write!(text, "{b:02X}");
        text
    })
}

pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |value, digit| value << 4 | digit)).collect())
}

/// base64 (RFC 4648 §4).
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// base32hex (RFC 4648 §7), without padding in DNS (RFC 5155 §3.3).
const BASE32: &[u8; 32] = b"0123456789ABCDEFGHIJKLMNOPQRSTUV";

pub(super) fn base64(octets: &[u8]) -> String {
    let mut text = encode(octets, BASE64, 6);
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

pub(super) fn unbase64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    // Padding fills up the last group of four, at most two of them.
    if !text.len().is_multiple_of(4) || text.len() - digits.len() > 2 {
        return None;
    }
    decode(digits, 6, |c| BASE64.iter().position(|&d| d == c))
}

pub(super) fn base32(octets: &[u8]) -> String {
    encode(octets, BASE32, 5)
}

pub(super) fn unbase32(text: &str) -> Option<Vec<u8>> {
    decode(text, 5, |c| BASE32.iter().position(|&d| d == c.to_ascii_uppercase())).filter(|o| !o.is_empty())
}

fn encode(octets: &[u8], digits: &[u8], bits: u32) -> String {
    let mask = (1u32 << bits) - 1;
    let (mut text, mut pending, mut count) = (String::new(), 0u32, 0);
    let mut push = |value: u32| {
        text.extend(digits.get((value & mask) as usize).map(|&d| char::from(d)));
    };
    for &b in octets {
        // At most 5 + 8 bits are pending; older ones fall out at the top.
        pending = pending << 8 | u32::from(b);
        count += 8;
        while count >= bits {
            count -= bits;
            push(pending >> count);
        }
    }
    if count > 0 {
        push(pending << (bits - count));
    }
    text
}

/// `None` for a foreign digit, a whole digit too many, or bits left that are not 0.
fn decode(text: &str, bits: u32, digit: impl Fn(u8) -> Option<usize>) -> Option<Vec<u8>> {
    let (mut octets, mut pending, mut count) = (Vec::new(), 0u32, 0);
    for c in text.bytes() {
        pending = pending << bits | u32::try_from(digit(c)?).ok()?;
        count += bits;
        if count >= 8 {
            count -= 8;
            octets.push((pending >> count) as u8);
        }
    }
    (count < bits && pending & ((1 << count) - 1) == 0).then_some(octets)
}

/// Appends the bit maps of `types`, by window (RFC 4034 §4.1.2).
pub(super) fn write_bitmap(types: &mut [u16], wire: &mut Vec<u8>) {
    types.sort_unstable();
    for window in types.chunk_by(|a, b| a >> 8 == b >> 8) {
        let [number, highest] = window.last().copied().unwrap_or_default().to_be_bytes();
        let mut map = vec![0u8; usize::from(highest / 8) + 1];
        for rtype in window {
            if let Some(octet) = map.get_mut(usize::from(rtype & 0xff) / 8) {
                *octet |= 0x80 >> (rtype % 8);
            }
        }
        wire.extend([number, map.len() as u8]);
        wire.extend(map);
    }
}

/// The types of bit maps; `None` when they are not in the one form that RFC 4034 §4.1.2 allows.
pub(super) fn show_bitmap(rdata: &[u8]) -> Option<String> {
    let mut types = Vec::new();
    let mut rest = rdata;
    while let Some((&[window, length], tail)) = rest.split_first_chunk::<2>() {
        let (map, tail) = tail.split_at_checked(usize::from(length))?;
        rest = tail;
        for (at, octet) in map.iter().enumerate() {
            for bit in (0..8).filter(|bit| octet & (0x80 >> bit) != 0) {
                types.push(u16::from(window) << 8 | u16::try_from(at * 8 + bit).ok()?);
            }
        }
    }
    let mut same = Vec::new();
    write_bitmap(&mut types.clone(), &mut same);
    let shown: Vec<String> = types.into_iter().map(|t| RrType(t).to_string()).collect();
    (same == rdata).then(|| shown.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_match_rfc_4648() {
        // RFC 4648 §10.
        let vectors = [
            ("", "", ""),
            ("f", "Zg==", "CO"),
            ("fo", "Zm8=", "CPNG"),
            ("foo", "Zm9v", "CPNMU"),
            ("foob", "Zm9vYg==", "CPNMUOG"),
            ("fooba", "Zm9vYmE=", "CPNMUOJ1"),
            ("foobar", "Zm9vYmFy", "CPNMUOJ1E8"),
        ];
        for (plain, b64, b32) in vectors {
            assert_eq!(base64(plain.as_bytes()), b64);
            assert_eq!(unbase64(b64).as_deref(), Some(plain.as_bytes()));
            assert_eq!(base32(plain.as_bytes()), b32);
            assert_eq!(unbase32(b32).unwrap_or_default(), plain.as_bytes());
        }
        for bad in ["Zg=", "Zg", "Z===", "Zh==", "Z g=", "=", "Zm9vZ==="] {
            assert_eq!(unbase64(bad), None, "{bad}");
        }
        assert_eq!(unbase32("W0"), None);
        assert_eq!(unhex("0g"), None);
        assert_eq!(unhex("012"), None);
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        for (text, seconds) in [
            ("19700101000000", 0),
            ("20000229120000", 951_825_600),
            ("20240418000001", 1_713_398_401),
            ("21060207062815", u32::MAX),
        ] {
            assert_eq!(time(text), Some(seconds));
            assert_eq!(show_time(seconds), text);
        }
        for bad in ["20230229000000", "20241301000000", "20240418240000", "21060207062816", "2024041800000"] {
            assert_eq!(time(bad), None, "{bad}");
        }
        assert_eq!(time("1713398401"), Some(1_713_398_401));
    }

    #[test]
    fn seconds_take_units() {
        for (text, value) in [("0", 0), ("90", 90), ("1h30m", 5_400), ("1W2d", 777_600)] {
            assert_eq!(seconds(text), Some(value));
        }
        for bad in ["", "h", "1h30", "1x", "99999999999", "-1", "9999999w"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }

    #[test]
    fn bitmaps_keep_their_windows() {
        let mut wire = Vec::new();
        write_bitmap(&mut [1234, 1, 46, 15, 47], &mut wire);
        // The example of RFC 4034 §4.3.
        assert_eq!(wire[..8], [0, 6, 0x40, 1, 0, 0, 0, 3]);
        assert_eq!(wire[8..10], [4, 0x1b]);
        assert_eq!(show_bitmap(&wire).as_deref(), Some("A MX RRSIG NSEC TYPE1234"));
        assert_eq!(show_bitmap(&[0, 1]), None);
        assert_eq!(show_bitmap(&[0, 2, 0x40, 0]), None, "trailing zero octets are not allowed");
    }
}
