//! SvcParams (RFC 9460 §2.1 and appendix A; `dohpath` RFC 9461, `ohttp` RFC 9540).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::codec;
use crate::master::lexer::Token;

/// Names of the keys, in the registry's order from 0 on.
const KEYS: [&str; 9] =
    ["mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint", "dohpath", "ohttp"];

const MANDATORY: u16 = 0;
const ALPN: u16 = 1;
const NO_DEFAULT_ALPN: u16 = 2;
const PORT: u16 = 3;
const IPV4HINT: u16 = 4;
const ECH: u16 = 5;
const IPV6HINT: u16 = 6;
const OHTTP: u16 = 8;

/// A key by name or as `key65000`.
fn key_of(text: &str) -> Option<u16> {
    let known = KEYS.iter().position(|name| *name == text).and_then(|at| u16::try_from(at).ok());
    known.or_else(|| text.strip_prefix("key")?.parse().ok())
}

fn show_key(key: u16) -> String {
    KEYS.get(usize::from(key)).map_or_else(|| format!("key{key}"), |name| (*name).to_owned())
}

/// Appends the parameters, ordered by key; the error is the token at fault and why.
pub(super) fn write(tokens: &[Token], wire: &mut Vec<u8>) -> Result<(), (usize, String)> {
    let mut params = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let (name, value) = match token.text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (token.text.as_str(), None),
        };
        let key = key_of(name).ok_or((at, format!("`{name}` is not a key of RFC 9460")))?;
        if params.iter().any(|&(other, _)| other == key) {
            return Err((at, format!("`{name}` stands twice")));
        }
        params.push((key, value_of(key, value).map_err(|why| (at, why))?));
    }
    params.sort();
    for (key, value) in params {
        let length = u16::try_from(value.len()).map_err(|_| (0, "too long".to_owned()))?;
        wire.extend(key.to_be_bytes());
        wire.extend(length.to_be_bytes());
        wire.extend(value);
    }
    Ok(())
}

fn value_of(key: u16, value: Option<&str>) -> Result<Vec<u8>, String> {
    let name = show_key(key);
    if matches!(key, NO_DEFAULT_ALPN | OHTTP) {
        return value.is_none().then(Vec::new).ok_or(format!("`{name}` takes no value"));
    }
    let raw = codec::unescape(value.unwrap_or_default())?;
    if key > OHTTP {
        return Ok(raw);
    }
    if raw.is_empty() {
        return Err(format!("`{name}` needs a value"));
    }
    let text = || std::str::from_utf8(&raw).map_err(|_| format!("`{name}`: not text"));
    let list = || Ok::<_, String>(text()?.split(','));
    let mut wire = Vec::new();
    match key {
        MANDATORY => {
            let keys: Option<Vec<u16>> = list()?.map(key_of).collect();
            let mut keys = keys.ok_or("`mandatory` takes keys, separated by commas")?;
            keys.sort_unstable();
            if keys.first() == Some(&MANDATORY) || keys.windows(2).any(|pair| pair.first() == pair.last()) {
                return Err("`mandatory` names each key once and never itself".to_owned());
            }
            wire.extend(keys.into_iter().flat_map(u16::to_be_bytes));
        }
        ALPN => {
            for id in split_list(&raw) {
                let length = u8::try_from(id.len()).ok().filter(|&n| n > 0);
                wire.push(length.ok_or("`alpn` takes ids of 1 to 255 octets, separated by commas")?);
                wire.extend(id);
            }
        }
        PORT => wire.extend(text()?.parse::<u16>().map_err(|_| "`port` takes 0 to 65535")?.to_be_bytes()),
        IPV4HINT => {
            for address in list()? {
                wire.extend(
                    address.parse::<Ipv4Addr>().map_err(|_| "`ipv4hint` takes IPv4 addresses")?.octets(),
                );
            }
        }
        ECH => wire = codec::unbase64(text()?).ok_or("`ech` takes base64")?,
        IPV6HINT => {
            for address in list()? {
                wire.extend(
                    address.parse::<Ipv6Addr>().map_err(|_| "`ipv6hint` takes IPv6 addresses")?.octets(),
                );
            }
        }
        _ => return Ok(raw),
    }
    Ok(wire)
}

/// Items between commas; `\,` and `\\` stand for themselves (RFC 9460 appendix A.1).
fn split_list(octets: &[u8]) -> Vec<Vec<u8>> {
    let (mut items, mut item) = (Vec::new(), Vec::new());
    let mut octets = octets.iter();
    while let Some(&b) = octets.next() {
        match b {
            b',' => items.push(std::mem::take(&mut item)),
            b'\\' => item.extend(octets.next()),
            _ => item.push(b),
        }
    }
    items.push(item);
    items
}

/// Presentation form; `None` when keys do not ascend or a value is malformed.
pub(super) fn show(mut rest: &[u8]) -> Option<String> {
    let mut params = Vec::new();
    let mut previous = None;
    while let Some((&[a, b, c, d], tail)) = rest.split_first_chunk::<4>() {
        let key = u16::from_be_bytes([a, b]);
        let (value, tail) = tail.split_at_checked(usize::from(u16::from_be_bytes([c, d])))?;
        rest = tail;
        if previous.is_some_and(|p| p >= key) {
            return None;
        }
        previous = Some(key);
        let shown = show_value(key, value)?;
        let name = show_key(key);
        params.push(if shown.is_empty() { name } else { format!("{name}={shown}") });
    }
    rest.is_empty().then(|| params.join(" "))
}

/// Empty when nothing is to stand behind the key.
fn show_value(key: u16, value: &[u8]) -> Option<String> {
    if value.is_empty() {
        let may_be_empty = matches!(key, NO_DEFAULT_ALPN | OHTTP) || key > OHTTP;
        return may_be_empty.then(String::new);
    }
    Some(match key {
        MANDATORY => {
            let (keys, []) = value.as_chunks::<2>() else { return None };
            let keys: Vec<u16> = keys.iter().map(|k| u16::from_be_bytes(*k)).collect();
            let ascending = keys.windows(2).all(|pair| pair.first() < pair.last());
            if !ascending || keys.first() == Some(&MANDATORY) {
                return None;
            }
            keys.into_iter().map(show_key).collect::<Vec<_>>().join(",")
        }
        ALPN => {
            let (mut list, mut rest) = (Vec::new(), value);
            while !rest.is_empty() {
                let id = super::string(&mut rest).filter(|id| !id.is_empty())?;
                if !list.is_empty() {
                    list.push(b',');
                }
                for &b in id {
                    list.extend(matches!(b, b',' | b'\\').then_some(b'\\'));
                    list.push(b);
                }
            }
            codec::quote(&list)
        }
        PORT => u16::from_be_bytes(value.try_into().ok()?).to_string(),
        IPV4HINT => {
            let (addresses, []) = value.as_chunks::<4>() else { return None };
            addresses.iter().map(|a| Ipv4Addr::from(*a).to_string()).collect::<Vec<_>>().join(",")
        }
        ECH => codec::base64(value),
        IPV6HINT => {
            let (addresses, []) = value.as_chunks::<16>() else { return None };
            addresses.iter().map(|a| Ipv6Addr::from(*a).to_string()).collect::<Vec<_>>().join(",")
        }
        NO_DEFAULT_ALPN | OHTTP => return None,
        _ => codec::quote(value),
    })
}
