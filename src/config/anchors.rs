//! Trust anchors (RFC 4033 §2) in presentation form: which keys need no proof.
//!
//! Knows: DS and DNSKEY records as a master file has them, and those of the root that are compiled
//! in. Deliberately does not know: which algorithms are supported (`dnssec::anchors`).

use super::AnchorRecord;
use crate::master;
use crate::rrset::{Class, RrType};
use crate::wire::Name;

/// The root's key signing keys of 2017 and 2024, as IANA publishes them (RFC 9718).
const COMPILED: &str = "\
. IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D
. IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16
";

/// Anchors in all: each is compared with the keys of its zone, and far more than anyone writes by hand.
pub const MAX_ANCHORS: usize = 1_024;

/// The compiled-in anchors.
pub(super) fn compiled() -> Vec<AnchorRecord> {
    // A test reads them; a broken text could only come with a broken build.
    read(COMPILED, "compiled-in").unwrap_or_default()
}

/// The DS and DNSKEY records in `text`: any owner, TTL and class may be left out, algorithms by
/// number or mnemonic. `file` is for messages; the error says what is wrong, and where.
pub fn read(text: &str, file: &str) -> Result<Vec<AnchorRecord>, String> {
    let records = master::parse(text, &Name::root(), file).map_err(|e| e.to_string())?;
    let mut anchors = Vec::new();
    for record in records {
        let wrong =
            |what: &str| Err(format!("{file}:{}: {} {}: {what}", record.line, record.owner, record.rtype));
        if record.class != Class::IN {
            return wrong("expected class IN");
        }
        match record.rtype {
            RrType::DS if !is_whole_digest(&record.rdata) => {
                return wrong("the digest is not as long as its type says: copy the record anew");
            }
            RrType::DNSKEY if record.rdata.len() <= 4 => return wrong("the key is empty"),
            RrType::DS | RrType::DNSKEY => {}
            _ => return wrong("expected a DS or DNSKEY record"),
        }
        let anchor = AnchorRecord { zone: record.owner, rtype: record.rtype, rdata: record.rdata };
        if !anchors.contains(&anchor) {
            anchors.push(anchor);
        }
        if anchors.len() > MAX_ANCHORS {
            return Err(format!("{file}: expected at most {MAX_ANCHORS} trust anchors"));
        }
    }
    Ok(anchors)
}

/// Has the digest of DS RDATA the length that its type says (RFC 4034 §5.1.4, RFC 4509 §2.2,
/// RFC 6605 §2)? One that was cut short would never match, and nobody would know why.
fn is_whole_digest(rdata: &[u8]) -> bool {
    let Some((head, digest)) = rdata.split_first_chunk::<4>() else { return false };
    match head[3] {
        1 => digest.len() == 20,
        2 => digest.len() == 32,
        4 => digest.len() == 48,
        _ => !digest.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiled_anchors_are_the_root_s() {
        let anchors = compiled();
        assert_eq!(anchors.len(), 2);
        assert!(anchors.iter().all(|a| a.zone.is_root() && a.rtype == RrType::DS));
        let tags: Vec<u16> = anchors.iter().map(|a| u16::from_be_bytes([a.rdata[0], a.rdata[1]])).collect();
        assert_eq!(tags, [20_326, 38_696]);
    }

    #[test]
    fn records_may_be_written_in_many_ways() {
        let digest = "46d134be319b2cc910b9938f1cb25dc41abb27bf";
        let one = read(&format!("example.com. IN DS 57024 7 1 {digest}"), "x").unwrap();
        for text in [
            format!("Example.COM 3600 DS 57024 rsasha1-nsec3-sha1 1 {}", digest.to_uppercase()),
            format!(
                "example.com. DS 57024 RSASHA1-NSEC3-SHA1 1 (\n 46d134be 319b2cc9\n {} ) ; why\n",
                &digest[16..]
            ),
            format!("example.com. IN 1d DS 57024 7 1 {digest}\nexample.com. DS 57024 7 1 {digest}"),
        ] {
            assert_eq!(read(&text, "x").as_ref(), Ok(&one), "{text}");
        }
        let key = read("a. DNSKEY 257 3 ECDSAP256SHA256 AAAA ;{id = 1}\n; more\nb. DNSKEY 256 3 8 AAAA", "x");
        assert_eq!(key.unwrap()[0].rdata, [1, 1, 3, 13, 0, 0, 0]);
        assert_eq!(read("; nothing\n", "x"), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_anchor_is_told_with_its_line() {
        for (text, message) in [
            ("a. DS 1 8 2 AABB", "x:1: a. DS: the digest is not as long"),
            ("\na. A 192.0.2.1", "x:2: a. A: expected a DS or DNSKEY record"),
            ("a. CH DS 1 8 3 AABB", "x:1: a. DS: expected class IN"),
            ("a. DS 1 8", "x:1: DS: field"),
        ] {
            let found = read(text, "x").unwrap_err();
            assert!(found.starts_with(message), "{found}");
        }
        assert!(read("a. DS 1 200 3 AABB", "x").is_ok());
        let many: String = (0..=MAX_ANCHORS).map(|n| format!("a. DS {n} 8 3 AA\n")).collect();
        assert_eq!(read(&many, "x"), Err("x: expected at most 1024 trust anchors".to_owned()));
    }
}
