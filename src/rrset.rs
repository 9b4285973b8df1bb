//! The nouns that all rooms share: types, questions, RRsets.
//!
//! Knows: RFC 9499's words. A [`RrSet`] is what one owner has of one type, as wire-form RDATA in
//! one shared block. Does not know: how sure we are of it (`trust::rank`), how long it has been
//! here (`cache`). Shown by: everything.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use domain::base::iana::Rtype;

use crate::wire::Name;

/// An RR type by number; mnemonics come from `domain`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RrType(pub u16);

#[allow(missing_docs)] // the IANA registry's mnemonics
impl RrType {
    pub const A: RrType = RrType(1);
    pub const NS: RrType = RrType(2);
    pub const MD: RrType = RrType(3);
    pub const MF: RrType = RrType(4);
    pub const CNAME: RrType = RrType(5);
    pub const SOA: RrType = RrType(6);
    pub const MB: RrType = RrType(7);
    pub const MG: RrType = RrType(8);
    pub const MR: RrType = RrType(9);
    pub const NULL: RrType = RrType(10);
    pub const PTR: RrType = RrType(12);
    pub const HINFO: RrType = RrType(13);
    pub const MINFO: RrType = RrType(14);
    pub const MX: RrType = RrType(15);
    pub const TXT: RrType = RrType(16);
    pub const RP: RrType = RrType(17);
    pub const AFSDB: RrType = RrType(18);
    pub const RT: RrType = RrType(21);
    pub const PX: RrType = RrType(26);
    pub const AAAA: RrType = RrType(28);
    pub const SRV: RrType = RrType(33);
    pub const NAPTR: RrType = RrType(35);
    pub const KX: RrType = RrType(36);
    pub const DNAME: RrType = RrType(39);
    pub const OPT: RrType = RrType(41);
    pub const DS: RrType = RrType(43);
    pub const RRSIG: RrType = RrType(46);
    pub const NSEC: RrType = RrType(47);
    pub const DNSKEY: RrType = RrType(48);
    pub const NSEC3: RrType = RrType(50);
    pub const SVCB: RrType = RrType(64);
    pub const HTTPS: RrType = RrType(65);
    pub const TKEY: RrType = RrType(249);
    pub const TSIG: RrType = RrType(250);
    pub const IXFR: RrType = RrType(251);
    pub const AXFR: RrType = RrType(252);
    pub const MAILB: RrType = RrType(253);
    pub const MAILA: RrType = RrType(254);
    pub const ANY: RrType = RrType(255);

    /// May this type be asked of a resolver? Meta types other than ANY are not data (RFC 6895 §3.1).
    pub fn is_askable(self) -> bool {
        self == RrType::ANY || !(self.0 == 0 || self == RrType::OPT || (128..=255).contains(&self.0))
    }

    /// Data that may sit beside a CNAME at one owner (RFC 4035 §2.5).
    pub fn may_sit_beside_cname(self) -> bool {
        matches!(self, RrType::CNAME | RrType::RRSIG | RrType::NSEC)
    }
}

impl fmt::Display for RrType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of the crates here, domain has the whole registry.
        write!(f, "{}", Rtype::from_int(self.0))
    }
}
impl fmt::Debug for RrType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A type mnemonic that nobody registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownType(pub String);

impl fmt::Display for UnknownType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not an RR type: use a mnemonic such as AAAA, or TYPE65 (RFC 3597 §5)", self.0)
    }
}
impl std::error::Error for UnknownType {}

impl FromStr for RrType {
    type Err = UnknownType;
    fn from_str(text: &str) -> Result<RrType, UnknownType> {
        let upper = text.to_ascii_uppercase();
        if let Some(number) = upper.strip_prefix("TYPE") {
            return number.parse().map(RrType).map_err(|_| UnknownType(text.to_owned()));
        }
        Rtype::from_str(&upper).map(|t| RrType(t.to_int())).map_err(|_| UnknownType(text.to_owned()))
    }
}

/// A class by number.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Class(pub u16);

#[allow(missing_docs)]
impl Class {
    pub const IN: Class = Class(1);
    pub const CH: Class = Class(3);
    pub const ANY: Class = Class(255);
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("IN"),
            3 => f.write_str("CH"),
            4 => f.write_str("HS"),
            255 => f.write_str("ANY"),
            n => write!(f, "CLASS{n}"),
        }
    }
}
impl fmt::Debug for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is asked: a name, a type, a class.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Question {
    /// Case as the asker wrote it.
    pub name: Name,
    /// RR type or ANY.
    pub rtype: RrType,
    /// IN for everything that is looked up.
    pub class: Class,
}

impl Question {
    /// A question of class IN.
    pub fn new(name: Name, rtype: RrType) -> Question {
        Question { name, rtype, class: Class::IN }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.rtype)
    }
}

/// The RDATA of an RRset: uncompressed wire form, each behind its length, in one shared block. None
/// at all takes no block: most cached RRsets have no signatures.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Rdatas(Option<Arc<[u8]>>);

impl Rdatas {
    /// No RDATA at all.
    pub fn empty() -> Rdatas {
        Rdatas(None)
    }

    /// A block from each RDATA in order; one of more than 65,535 octets cannot be and is left out.
    pub fn new<'a>(items: impl IntoIterator<Item = &'a [u8]>) -> Rdatas {
        let mut block = Vec::new();
        for item in items {
            if let Ok(n) = u16::try_from(item.len()) {
                block.extend_from_slice(&n.to_be_bytes());
                block.extend_from_slice(item);
            }
        }
        Rdatas((!block.is_empty()).then(|| Arc::from(block)))
    }

    /// Each RDATA, in the order received.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> + Clone {
        let mut rest = self.as_block();
        std::iter::from_fn(move || {
            let (head, tail) = rest.split_first_chunk::<2>()?;
            let n = u16::from_be_bytes(*head) as usize;
            let item = tail.get(..n)?;
            rest = &tail[n..];
            Some(item)
        })
    }

    /// All of it: the length of each (two octets, big-endian) and its octets.
    pub fn as_block(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }

    /// From what [`Rdatas::as_block`] gave; of anything else, what comes before it goes wrong.
    pub fn from_block(block: &[u8]) -> Rdatas {
        Rdatas((!block.is_empty()).then(|| Arc::from(block)))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// None at all?
    pub fn is_empty(&self) -> bool {
        self.as_block().is_empty()
    }

    /// Octets that the block takes.
    pub fn octets(&self) -> usize {
        self.as_block().len()
    }
}

impl fmt::Debug for Rdatas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// What one owner has of one type and class (RFC 2181 §5).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RrSet {
    /// Case as received.
    pub owner: Name,
    /// Never RRSIG: signatures travel with what they cover.
    pub rtype: RrType,
    /// IN, or CH for what this server says of itself.
    pub class: Class,
    /// Seconds, as received; one for the whole set, the lowest (RFC 2181 §5.2).
    pub ttl: u32,
    /// At least one.
    pub rdata: Rdatas,
    /// RDATA of the RRSIGs that cover this set; empty when none came.
    pub sigs: Rdatas,
}

impl RrSet {
    /// An unsigned RRset of class IN.
    pub fn new<'a>(owner: Name, rtype: RrType, ttl: u32, rdata: impl IntoIterator<Item = &'a [u8]>) -> RrSet {
        RrSet { owner, rtype, class: Class::IN, ttl, rdata: Rdatas::new(rdata), sigs: Rdatas::empty() }
    }

    /// The single name that is the whole RDATA (CNAME, DNAME, NS, PTR) of the first record.
    pub fn target(&self) -> Option<Name> {
        self.rdata.iter().next().and_then(|rdata| Name::from_wire(rdata).ok())
    }

    /// Every record's RDATA as a name; those that are none are left out.
    pub fn targets(&self) -> impl Iterator<Item = Name> {
        self.rdata.iter().filter_map(|rdata| Name::from_wire(rdata).ok())
    }

    /// The last field of an SOA, the negative TTL's bound (RFC 2308 §4).
    pub fn soa_minimum(&self) -> Option<u32> {
        let rdata = self.rdata.iter().next()?;
        rdata.last_chunk::<4>().map(|b| u32::from_be_bytes(*b))
    }

    /// The addresses of an A or AAAA set.
    pub fn addresses(&self) -> impl Iterator<Item = std::net::IpAddr> {
        self.rdata.iter().filter_map(|rdata| {
            if let Ok(v4) = <[u8; 4]>::try_from(rdata) {
                return Some(v4.into());
            }
            <[u8; 16]>::try_from(rdata).ok().map(Into::into)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_their_mnemonics_both_ways() {
        for (text, number) in
            [("A", 1), ("AAAA", 28), ("DNAME", 39), ("HTTPS", 65), ("TYPE4711", 4711), ("CAA", 257)]
        {
            assert_eq!(text.parse(), Ok(RrType(number)));
            assert_eq!(RrType(number).to_string(), text);
        }
        assert_eq!("aaaa".parse(), Ok(RrType::AAAA));
        assert!("NOPE".parse::<RrType>().is_err());
        assert!("TYPE70000".parse::<RrType>().is_err());
        assert!(!RrType::AXFR.is_askable() && !RrType::OPT.is_askable() && RrType::ANY.is_askable());
    }

    #[test]
    fn rdata_blocks_keep_order_and_empty_items() {
        let block = Rdatas::new([&b"ab"[..], b"", b"c"]);
        assert_eq!(block.iter().collect::<Vec<_>>(), [&b"ab"[..], b"", b"c"]);
        assert_eq!(block.len(), 3);
    }
}
