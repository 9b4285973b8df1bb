//! DNS cookies towards servers: the client's side (RFC 7873 §5.1, §5.3; RFC 9018 §3).

use std::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip::SipHasher24;

use super::COOKIE_OPTION;
use crate::wire::Message;

/// What a reply says of our cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Echo {
    /// No cookie option.
    None,
    /// Ours, with the server's part when it is well-formed (8–32 octets).
    Ours(Option<Vec<u8>>),
    /// Another one, or a malformed option: not a reply to our query.
    Mismatch,
}

/// The client cookie for one server: another one for each server, so that none can be replayed
/// elsewhere or links us across servers (RFC 9018 §3).
pub fn client_cookie(secret: &[u8; 16], server: IpAddr) -> [u8; 8] {
    let mut hash = SipHasher24::new_with_key(secret);
    match server {
        IpAddr::V4(v4) => hash.write(&v4.octets()),
        IpAddr::V6(v6) => hash.write(&v6.octets()),
    }
    hash.finish().to_be_bytes()
}

/// Reads the cookie option of a reply to a query that carried `client`.
pub fn read(reply: &Message<'_>, client: &[u8; 8]) -> Echo {
    let Some(option) = reply.edns().and_then(|e| e.option(COOKIE_OPTION)) else { return Echo::None };
    match option.split_first_chunk::<8>() {
        Some((echo, server)) if echo == client => {
            Echo::Ours((8..=32).contains(&server.len()).then(|| server.to_vec()))
        }
        _ => Echo::Mismatch,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::MessageWriter;

    #[test]
    fn cookies_differ_by_server_and_are_recognised() {
        let secret = [7; 16];
        let a = client_cookie(&secret, "192.0.2.1".parse().unwrap());
        let b = client_cookie(&secret, "192.0.2.2".parse().unwrap());
        assert_ne!(a, b);
        let echo = |option: Option<Vec<u8>>| {
            let mut writer = MessageWriter::new(1, 0x8000, 512);
            let options: Vec<_> = option.map(|o| (COOKIE_OPTION, o)).into_iter().collect();
            writer.opt(1232, 0, 0, &options);
            let bytes = writer.finish();
            read(&Message::parse(&bytes).unwrap(), &a)
        };
        assert_eq!(echo(None), Echo::None);
        assert_eq!(echo(Some([&a[..], &[9; 16]].concat())), Echo::Ours(Some(vec![9; 16])));
        assert_eq!(echo(Some(a.to_vec())), Echo::Ours(None));
        assert_eq!(echo(Some(b.to_vec())), Echo::Mismatch);
        assert_eq!(echo(Some(vec![1])), Echo::Mismatch);
    }
}
