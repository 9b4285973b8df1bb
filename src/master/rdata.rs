//! RDATA between presentation and wire form, driven by one table of fields per type.
//!
//! Knows: the shapes of the registered types (each type's RFC), escapes (RFC 1035 §5.1), the
//! generic form (RFC 3597 §5), SvcParams (RFC 9460 §2.1, appendix A). Does not know: what is
//! sensible in a field. Text made here is read back to the same octets.

mod codec;
mod svcb;

use std::net::{Ipv4Addr, Ipv6Addr};

use super::Fault;
use super::lexer::Token;
use crate::rrset::RrType;
use crate::wire::Name;
pub use codec::{seconds, show_time};

/// Octets of the longest RDATA (RDLENGTH, RFC 1035 §3.2.1).
const MAX_RDATA: usize = 65_535;
/// Octets of the longest character string (RFC 1035 §3.3).
const MAX_STRING: usize = 255;

/// One field of RDATA. The last of a shape may take the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    U8,
    U16,
    U32,
    /// Seconds, also written as in `1h30m`.
    Period,
    /// `YYYYMMDDHHmmSS` or seconds since 1970 (RFC 4034 §3.2).
    Time,
    /// A DNSSEC algorithm (RFC 4034 appendix A.1).
    Algorithm,
    /// An RR type by mnemonic.
    Type,
    Name,
    /// A character string.
    Text,
    /// One or more character strings.
    Texts,
    /// A character string without quotes: the tag of a CAA record (RFC 8659 §4.1.1).
    Tag,
    /// A string of any length without a length octet; the rest.
    LongText,
    /// At least one octet; the rest.
    Hex,
    /// At least one octet; the rest.
    Base64,
    /// Behind a length octet, `-` when empty (RFC 5155 §3.3).
    Salt,
    /// base32hex behind a length octet (RFC 5155 §3.3).
    Hash,
    /// Type bit maps (RFC 4034 §4.1.2); the rest.
    Types,
    V4,
    V6,
    /// This many octets, as `01-23-45` (RFC 7043).
    Eui(usize),
    /// RFC 9460 §2.1; the rest.
    SvcParams,
}

/// The fields of a type; `None`: only the generic form.
fn shape(rtype: RrType) -> Option<&'static [Field]> {
    use Field::*;
    Some(match rtype.0 {
        1 => &[V4],
        // NS, MD, MF, CNAME, MB, MG, MR, PTR, NSAP-PTR, DNAME
        2..=5 | 7..=9 | 12 | 23 | 39 => &[Name],
        6 => &[Name, Name, U32, Period, Period, Period, Period],
        13 => &[Text, Text],
        14 | 17 => &[Name, Name],                      // MINFO, RP
        15 | 18 | 21 | 36 => &[U16, Name],             // MX, AFSDB, RT, KX
        16 | 99 => &[Texts],                           // TXT, SPF
        19 => &[Text],                                 // X25
        25 | 48 | 60 => &[U16, U8, Algorithm, Base64], // KEY, DNSKEY, CDNSKEY
        26 => &[U16, Name, Name],                      // PX
        28 => &[V6],
        33 => &[U16, U16, U16, Name],                  // SRV
        35 => &[U16, U16, Text, Text, Text, Name],     // NAPTR
        37 => &[U16, U16, Algorithm, Base64],          // CERT
        43 | 59 | 32769 => &[U16, Algorithm, U8, Hex], // DS, CDS, DLV
        44 => &[U8, U8, Hex],                          // SSHFP
        24 | 46 => &[Type, Algorithm, U8, U32, Time, Time, U16, Name, Base64], // SIG, RRSIG
        47 => &[Name, Types],                          // NSEC
        49 | 61 => &[Base64],                          // DHCID, OPENPGPKEY
        50 => &[U8, U8, U16, Salt, Hash, Types],       // NSEC3
        51 => &[U8, U8, U16, Salt],                    // NSEC3PARAM
        52 | 53 => &[U8, U8, U8, Hex],                 // TLSA, SMIMEA
        62 => &[U32, U16, Types],                      // CSYNC
        63 => &[U32, U8, U8, Hex],                     // ZONEMD
        64 | 65 => &[U16, Name, SvcParams],            // SVCB, HTTPS
        107 => &[U16, Name],                           // LP
        108 => &[Eui(6)],
        109 => &[Eui(8)],
        256 => &[U16, U16, LongText], // URI
        257 => &[U8, Tag, LongText],  // CAA
        _ => return None,
    })
}

impl Field {
    /// What a field should be, for messages.
    fn expected(self) -> &'static str {
        match self {
            Field::U8 => "a number from 0 to 255",
            Field::U16 => "a number from 0 to 65535",
            Field::U32 => "a number from 0 to 4294967295",
            Field::Period => "seconds, or as in `1h30m`",
            Field::Time => "a time as YYYYMMDDHHmmSS or in seconds since 1970",
            Field::Algorithm => "a DNSSEC algorithm by number or mnemonic",
            Field::Type => "an RR type",
            Field::Name => "a domain name",
            Field::Text => "a string of at most 255 octets",
            Field::Texts => "one or more strings of at most 255 octets",
            Field::Tag => "a tag of letters and digits",
            Field::LongText => "one string",
            Field::Hex => "octets in hexadecimal",
            Field::Base64 => "octets in base64",
            Field::Salt => "`-` or at most 255 octets in hexadecimal",
            Field::Hash => "at most 255 octets in base32hex",
            Field::Types => "RR types",
            Field::V4 => "an IPv4 address",
            Field::V6 => "an IPv6 address",
            Field::Eui(6) => "octets as in 00-00-5e-00-53-2a",
            Field::Eui(_) => "octets as in 00-00-5e-ef-10-00-00-2a",
            Field::SvcParams => "parameters as in alpn=\"h2,h3\" port=443",
        }
    }
}

/// RDATA from the tokens behind the type; `line` is where the record begins.
pub(super) fn from_tokens(
    rtype: RrType,
    tokens: &[Token],
    origin: &Name,
    line: usize,
) -> Result<Vec<u8>, Fault> {
    if let Some((first, rest)) = tokens.split_first()
        && !first.quoted
        && first.text == "\\#"
    {
        return from_generic(rtype, rest, first.line);
    }
    let Some(fields) = shape(rtype) else {
        return Err(Fault::new(
            line,
            format!("{rtype}: expected RDATA in the generic form `\\# LENGTH HEX` (RFC 3597 §5)"),
        ));
    };
    let mut wire = Vec::new();
    let mut rest = tokens;
    for (at, &field) in fields.iter().enumerate() {
        let fault = |token: Option<&Token>, why: Option<String>| {
            let found = token.map_or("the end of the record".to_owned(), |t| format!("`{}`", t.text));
            let why = why.map_or(String::new(), |why| format!(": {why}"));
            let what = field.expected();
            Fault::new(
                token.map_or(line, |t| t.line),
                format!("{rtype}: field {}: expected {what}, found {found}{why}", at + 1),
            )
        };
        rest = match take(field, rest, origin, &mut wire) {
            Ok(rest) => rest,
            Err(Bad { at, why }) => return Err(fault(rest.get(at), why)),
        };
    }
    if let Some(extra) = rest.first() {
        return Err(Fault::new(
            extra.line,
            format!(
                "{rtype}: expected the end of the record after {} fields, found `{}`",
                fields.len(),
                extra.text
            ),
        ));
    }
    if wire.len() > MAX_RDATA {
        return Err(Fault::new(line, format!("{rtype}: RDATA of more than {MAX_RDATA} octets")));
    }
    Ok(wire)
}

/// `LENGTH HEX…` behind `\#` (RFC 3597 §5).
fn from_generic(rtype: RrType, tokens: &[Token], line: usize) -> Result<Vec<u8>, Fault> {
    let Some((length, rest)) = tokens.split_first() else {
        return Err(Fault::new(line, format!("{rtype}: expected a length behind `\\#`")));
    };
    let Ok(expected) = length.text.parse::<u16>() else {
        return Err(Fault::new(
            length.line,
            format!("{rtype}: expected a length from 0 to {MAX_RDATA} behind `\\#`, found `{}`", length.text),
        ));
    };
    let digits: String = rest.iter().map(|t| t.text.as_str()).collect();
    match codec::unhex(&digits) {
        Some(wire) if wire.len() == usize::from(expected) => Ok(wire),
        Some(wire) => Err(Fault::new(
            length.line,
            format!("{rtype}: `\\# {expected}` promises {expected} octets, found {}", wire.len()),
        )),
        None => {
            Err(Fault::new(line, format!("{rtype}: expected pairs of hexadecimal digits, found `{digits}`")))
        }
    }
}

/// Which token (counted from the first one offered) a field cannot take, and why if that says more.
struct Bad {
    at: usize,
    why: Option<String>,
}

/// Writes one field; returns the tokens that follow it.
fn take<'t>(
    field: Field,
    tokens: &'t [Token],
    origin: &Name,
    wire: &mut Vec<u8>,
) -> Result<&'t [Token], Bad> {
    let bad = |at: usize| Bad { at, why: None };
    match field {
        Field::Types => {
            let mut types = Vec::new();
            for (at, token) in tokens.iter().enumerate() {
                let parsed = token.text.parse::<RrType>();
                types.push(parsed.map_err(|e| Bad { at, why: Some(e.to_string()) })?.0);
            }
            codec::write_bitmap(&mut types, wire);
            return Ok(&[]);
        }
        Field::SvcParams => {
            svcb::write(tokens, wire).map_err(|(at, why)| Bad { at, why: Some(why) })?;
            return Ok(&[]);
        }
        Field::Hex | Field::Base64 => {
            let digits: String = tokens.iter().map(|t| t.text.as_str()).collect();
            let octets = if field == Field::Hex { codec::unhex(&digits) } else { codec::unbase64(&digits) };
            let octets = octets.filter(|octets| !octets.is_empty()).ok_or(bad(0))?;
            wire.extend_from_slice(&octets);
            return Ok(&[]);
        }
        Field::Texts => {
            if tokens.is_empty() {
                return Err(bad(0));
            }
            for (at, token) in tokens.iter().enumerate() {
                take_one(Field::Text, token, origin, wire).map_err(|why| Bad { at, why })?;
            }
            return Ok(&[]);
        }
        _ => {}
    }
    let (token, rest) = tokens.split_first().ok_or(bad(0))?;
    take_one(field, token, origin, wire).map_err(|why| Bad { at: 0, why })?;
    Ok(rest)
}

/// Writes a field of one token; the error says more than "expected …" where it can.
fn take_one(field: Field, token: &Token, origin: &Name, wire: &mut Vec<u8>) -> Result<(), Option<String>> {
    let text = token.text.as_str();
    match field {
        Field::U8 => wire.push(text.parse().map_err(|_| None)?),
        Field::U16 => put(wire, text.parse::<u16>().ok().map(u16::to_be_bytes))?,
        Field::U32 => put(wire, text.parse::<u32>().ok().map(u32::to_be_bytes))?,
        Field::Period => put(wire, seconds(text).map(u32::to_be_bytes))?,
        Field::Time => put(wire, codec::time(text).map(u32::to_be_bytes))?,
        Field::Algorithm => wire.push(codec::algorithm(text).ok_or(None)?),
        Field::Type => put(wire, text.parse::<RrType>().ok().map(|t| t.0.to_be_bytes()))?,
        Field::Name => wire.extend_from_slice(name(token, origin).map_err(Some)?.as_wire()),
        Field::Text | Field::Tag => {
            let octets = codec::unescape(text).map_err(Some)?;
            let plain = octets.iter().all(u8::is_ascii_alphanumeric) && !octets.is_empty();
            if octets.len() > MAX_STRING || (field == Field::Tag && !plain) {
                return Err(None);
            }
            counted(wire, &octets)?;
        }
        Field::LongText => wire.extend_from_slice(&codec::unescape(text).map_err(Some)?),
        Field::Salt if text == "-" => wire.push(0),
        Field::Salt => counted(wire, &codec::unhex(text).ok_or(None)?)?,
        Field::Hash => counted(wire, &codec::unbase32(text).ok_or(None)?)?,
        Field::V4 => put(wire, text.parse::<Ipv4Addr>().ok().map(|a| a.octets()))?,
        Field::V6 => put(wire, text.parse::<Ipv6Addr>().ok().map(|a| a.octets()))?,
        Field::Eui(n) => {
            let octets: Option<Vec<u8>> = text
                .split('-')
                .map(|pair| u8::from_str_radix(pair, 16).ok().filter(|_| pair.len() == 2))
                .collect();
            wire.extend_from_slice(&octets.filter(|octets| octets.len() == n).ok_or(None)?);
        }
        // `take` reads these: they span tokens.
        Field::Texts | Field::Hex | Field::Base64 | Field::Types | Field::SvcParams => return Err(None),
    }
    Ok(())
}

fn put<const N: usize>(wire: &mut Vec<u8>, octets: Option<[u8; N]>) -> Result<(), Option<String>> {
    wire.extend_from_slice(&octets.ok_or(None)?);
    Ok(())
}

/// Behind a length octet.
fn counted(wire: &mut Vec<u8>, octets: &[u8]) -> Result<(), Option<String>> {
    wire.push(u8::try_from(octets.len()).map_err(|_| None)?);
    wire.extend_from_slice(octets);
    Ok(())
}

/// A name; without a final dot it is relative to `origin`, `@` is the origin (RFC 1035 §5.1).
pub(super) fn name(token: &Token, origin: &Name) -> Result<Name, String> {
    let text = token.text.as_str();
    if text == "@" && !token.quoted {
        return Ok(origin.clone());
    }
    let parsed: Name = text.parse().map_err(|e| format!("{e}"))?;
    if ends_with_dot(text) {
        return Ok(parsed);
    }
    let labels = parsed.as_wire().strip_suffix(&[0]).unwrap_or_default();
    Name::from_wire(&[labels, origin.as_wire()].concat()).map_err(|e| format!("below {origin} it is {e}"))
}

/// Does the text end with a dot that is not escaped?
fn ends_with_dot(text: &str) -> bool {
    text.strip_suffix('.').is_some_and(|head| (head.len() - head.trim_end_matches('\\').len()) % 2 == 0)
}

/// Presentation form; `None` when the octets are not what the type's shape says, so that only the
/// generic form keeps them all.
pub(super) fn to_text(rtype: RrType, rdata: &[u8]) -> Option<String> {
    let mut rest = rdata;
    let mut fields = Vec::new();
    for &field in shape(rtype)? {
        let text = show(field, &mut rest)?;
        // Bit maps and parameters may be empty.
        if !text.is_empty() {
            fields.push(text);
        }
    }
    rest.is_empty().then(|| fields.join(" "))
}

/// `\# LENGTH HEX` (RFC 3597 §5).
pub(super) fn generic(rdata: &[u8]) -> String {
    let digits = codec::hex(rdata);
    format!("\\# {} {digits}", rdata.len()).trim_end().to_owned()
}

/// Reads one field from the front of `rest`.
fn show(field: Field, rest: &mut &[u8]) -> Option<String> {
    Some(match field {
        Field::U8 => u8::from_be_bytes(head(rest)?).to_string(),
        Field::U16 => u16::from_be_bytes(head(rest)?).to_string(),
        Field::U32 | Field::Period => u32::from_be_bytes(head(rest)?).to_string(),
        Field::Time => codec::show_time(u32::from_be_bytes(head(rest)?)),
        Field::Algorithm => u8::from_be_bytes(head(rest)?).to_string(),
        Field::Type => RrType(u16::from_be_bytes(head(rest)?)).to_string(),
        Field::Name => take_name(rest)?.to_string(),
        Field::Text => codec::quote(string(rest)?),
        Field::Tag => {
            let tag = string(rest)?;
            let plain = !tag.is_empty() && tag.iter().all(u8::is_ascii_alphanumeric);
            plain.then(|| String::from_utf8_lossy(tag).into_owned())?
        }
        Field::Texts => {
            let mut texts = vec![codec::quote(string(rest)?)];
            while !rest.is_empty() {
                texts.push(codec::quote(string(rest)?));
            }
            texts.join(" ")
        }
        Field::LongText => codec::quote(std::mem::take(rest)),
        Field::Hex | Field::Base64 if rest.is_empty() => return None,
        Field::Hex => codec::hex(std::mem::take(rest)),
        Field::Base64 => codec::base64(std::mem::take(rest)),
        Field::Salt => Some(codec::hex(string(rest)?)).filter(|s| !s.is_empty()).unwrap_or("-".to_owned()),
        Field::Hash => Some(codec::base32(string(rest)?)).filter(|s| !s.is_empty())?,
        Field::Types => codec::show_bitmap(std::mem::take(rest))?,
        Field::V4 => Ipv4Addr::from(head::<4>(rest)?).to_string(),
        Field::V6 => Ipv6Addr::from(head::<16>(rest)?).to_string(),
        Field::Eui(n) => {
            let (octets, tail) = rest.split_at_checked(n)?;
            *rest = tail;
            octets.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join("-")
        }
        Field::SvcParams => svcb::show(std::mem::take(rest))?,
    })
}

fn head<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

/// What stands behind a length octet.
fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (&n, tail) = rest.split_first()?;
    let (string, tail) = tail.split_at_checked(usize::from(n))?;
    *rest = tail;
    Some(string)
}

fn take_name(rest: &mut &[u8]) -> Option<Name> {
    let mut end = 0;
    loop {
        match rest.get(end)? {
            0 => break,
            &n => end += 1 + usize::from(n),
        }
    }
    let (name, tail) = rest.split_at_checked(end + 1)?;
    *rest = tail;
    Name::from_wire(name).ok()
}
