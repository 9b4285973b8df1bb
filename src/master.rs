//! Master files (RFC 1035 §5): text to records and back.
//!
//! Knows: entries, `$ORIGIN`, `$TTL` (RFC 2308 §4), parentheses, quoted strings, comments, what may
//! be left out, and the presentation form of RDATA (`rdata.rs`), which for any type may be the
//! generic one of RFC 3597 §5. Deliberately does not know: `$INCLUDE` and `$GENERATE` (a file says
//! all there is, and cannot make us open another), what makes a zone valid (one SOA, one class …).
//!
//! Shown by: the tests below, which also compare with the `domain` crate's reader.

mod lexer;
mod rdata;

use std::fmt;

use crate::rrset::{Class, RrType};
use crate::wire::Name;
use lexer::{Entry, Lexer, Token};
pub use rdata::{seconds, show_time};

/// TTL of a record when neither it nor `$TTL` nor an earlier record states one, in seconds. RFC 1035
/// §5.1 leaves it open; unbound's and domain's readers take the same.
pub const DEFAULT_TTL: u32 = 3_600;
/// The highest TTL (RFC 2181 §8).
pub const MAX_TTL: u32 = (1 << 31) - 1;

/// One record of a master file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct MasterRecord {
    pub owner: Name,
    pub ttl: u32,
    pub class: Class,
    pub rtype: RrType,
    /// Uncompressed wire form.
    pub rdata: Vec<u8>,
    /// Counted from 1.
    pub line: usize,
}

/// What is wrong in a master file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct MasterError {
    pub file: String,
    pub line: usize,
    pub what: String,
}

impl fmt::Display for MasterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}
impl std::error::Error for MasterError {}

/// A fault before the file's name is known.
#[derive(Debug)]
struct Fault {
    line: usize,
    what: String,
}

impl Fault {
    fn new(line: usize, what: impl Into<String>) -> Fault {
        Fault { line, what: what.into() }
    }
}

/// The records of a master file; `file` is only for messages.
pub fn parse(text: &str, origin: &Name, file: &str) -> Result<Vec<MasterRecord>, MasterError> {
    let mut reader =
        Reader { origin: origin.clone(), owner: None, ttl: None, default: None, class: Class::IN };
    let mut records = Vec::new();
    let mut lexer = Lexer::new(text);
    let mut step = || -> Result<bool, Fault> {
        let Some(entry) = lexer.next_entry()? else { return Ok(false) };
        records.extend(reader.entry(&entry)?);
        Ok(true)
    };
    loop {
        match step() {
            Ok(true) => {}
            Ok(false) => return Ok(records),
            Err(Fault { line, what }) => return Err(MasterError { file: file.to_owned(), line, what }),
        }
    }
}

/// RDATA from its presentation form.
pub fn rdata_from_text(rtype: RrType, text: &str, origin: &Name) -> Result<Vec<u8>, String> {
    let mut lexer = Lexer::new(text);
    let first = lexer.next_entry().map_err(|fault| fault.what)?;
    let tokens = first.map_or_else(Vec::new, |entry| entry.tokens);
    if lexer.next_entry().map_err(|fault| fault.what)?.is_some() {
        return Err(format!("{rtype}: more than one line: put RDATA of several lines in parentheses"));
    }
    rdata::from_tokens(rtype, &tokens, origin, 1).map_err(|fault| fault.what)
}

/// RDATA in presentation form; what cannot be shown so, as RFC 3597 §5 says (`\# 2 0102`).
pub fn rdata_to_text(rtype: RrType, rdata: &[u8]) -> String {
    rdata::to_text(rtype, rdata).unwrap_or_else(|| rdata::generic(rdata))
}

/// What one entry leaves to the next.
struct Reader {
    origin: Name,
    owner: Option<Name>,
    /// The last TTL that a record stated.
    ttl: Option<u32>,
    /// `$TTL`.
    default: Option<u32>,
    class: Class,
}

impl Reader {
    /// A record, or nothing when the entry is a directive.
    fn entry(&mut self, entry: &Entry) -> Result<Option<MasterRecord>, Fault> {
        let Some((first, rest)) = entry.tokens.split_first() else { return Ok(None) };
        if !entry.indented && !first.quoted && first.text.starts_with('$') {
            return self.directive(first, rest).map(|()| None);
        }
        let fields = if entry.indented {
            entry.tokens.as_slice()
        } else {
            self.owner = Some(rdata::name(first, &self.origin).map_err(|what| {
                Fault::new(first.line, format!("expected an owner name, found `{}`: {what}", first.text))
            })?);
            rest
        };
        let Some(owner) = self.owner.clone() else {
            return Err(Fault::new(
                first.line,
                "the line begins with blank space, which repeats the owner of the record above, and \
                 there is none: begin it with an owner name",
            ));
        };
        self.record(owner, fields, first.line).map(Some)
    }

    /// `[TTL] [class] type RDATA`, the first two in either order (RFC 1035 §5.1).
    fn record(&mut self, owner: Name, fields: &[Token], line: usize) -> Result<MasterRecord, Fault> {
        let (mut ttl, mut class, mut rest) = (None, None, fields);
        let (rtype, tokens) = loop {
            let Some((token, tail)) = rest.split_first() else {
                return Err(Fault::new(line, format!("{owner}: expected `[TTL] [class] type RDATA`")));
            };
            rest = tail;
            if ttl.is_none() && token.text.starts_with(|c: char| c.is_ascii_digit()) {
                ttl = Some(ttl_of(token)?);
            } else if let (None, Some(found)) = (class, class_of(&token.text)) {
                class = Some(found);
            } else {
                let rtype = token.text.parse().map_err(|e| Fault::new(token.line, format!("{e}")))?;
                break (rtype, tail);
            }
        };
        let rdata = rdata::from_tokens(rtype, tokens, &self.origin, line)?;
        self.class = class.unwrap_or(self.class);
        self.ttl = ttl.or(self.ttl);
        let ttl = ttl.or(self.default).or(self.ttl).unwrap_or(DEFAULT_TTL);
        Ok(MasterRecord { owner, ttl, class: self.class, rtype, rdata, line })
    }

    fn directive(&mut self, directive: &Token, arguments: &[Token]) -> Result<(), Fault> {
        let fault = |what: String| Fault::new(directive.line, what);
        let name = directive.text.to_ascii_uppercase();
        match (name.as_str(), arguments) {
            ("$ORIGIN", [token]) => {
                let origin = rdata::name(token, &self.origin);
                self.origin = origin
                    .map_err(|e| fault(format!("$ORIGIN: expected a name, found `{}`: {e}", token.text)))?;
            }
            ("$TTL", [token]) => self.default = Some(ttl_of(token)?),
            ("$ORIGIN" | "$TTL", _) => {
                return Err(fault(format!("{name} takes one argument, found {}", arguments.len())));
            }
            ("$INCLUDE", _) => {
                return Err(fault("$INCLUDE is not supported: put the records into this file".to_owned()));
            }
            _ => {
                return Err(fault(format!(
                    "unknown directive `{}`: expected $ORIGIN or $TTL",
                    directive.text
                )));
            }
        }
        Ok(())
    }
}

fn class_of(text: &str) -> Option<Class> {
    let upper = text.to_ascii_uppercase();
    match upper.as_str() {
        "IN" => Some(Class::IN),
        "CH" => Some(Class::CH),
        "HS" => Some(Class(4)),
        _ => upper.strip_prefix("CLASS")?.parse().ok().map(Class),
    }
}

fn ttl_of(token: &Token) -> Result<u32, Fault> {
    match rdata::seconds(&token.text) {
        Some(ttl) if ttl <= MAX_TTL => Ok(ttl),
        Some(_) => Err(Fault::new(
            token.line,
            format!("the TTL `{}` is above {MAX_TTL} seconds (RFC 2181 §8)", token.text),
        )),
        None => Err(Fault::new(
            token.line,
            format!("expected a TTL in seconds or as in `1h30m`, found `{}`", token.text),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: &str = r#"
$TTL 1h
$ORIGIN Example.
@       IN SOA ns hostmaster.example. ( 2024041801 ; serial
                7200 3600
                1209600 300 )   ; the rest
        NS      ns
        300 IN NS ns.other.
ns      IN 60   A       192.0.2.1
                AAAA    2001:db8::1
$ORIGIN sub
www     CNAME   a\.b.example.
alias   DNAME   @
txt     TXT     "a b;c" plain "" "\"\\\007"
        HTTPS   1 . alpn="h2,h3" port=443 ipv4hint=192.0.2.1,192.0.2.2
unk     TYPE4711 \# 3 01 02
"#;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn shown(text: &str) -> Vec<String> {
        let records = parse(text, &Name::root(), "test").unwrap();
        let line = |r: &MasterRecord| {
            let rdata = rdata_to_text(r.rtype, &r.rdata);
            format!("{} {} {} {} {} {rdata}", r.line, r.owner, r.ttl, r.class, r.rtype)
        };
        records.iter().map(line).collect()
    }

    #[test]
    fn a_zone_file_is_read_with_all_that_may_be_omitted() {
        let zone = ZONE.replace("\\# 3 01 02", "\\# 3 01 (\n 02ff )");
        assert_eq!(
            shown(&zone),
            [
                "4 Example. 3600 IN SOA ns.Example. hostmaster.example. 2024041801 7200 3600 1209600 300",
                "7 Example. 3600 IN NS ns.Example.",
                "8 Example. 300 IN NS ns.other.",
                "9 ns.Example. 60 IN A 192.0.2.1",
                "10 ns.Example. 3600 IN AAAA 2001:db8::1",
                "12 www.sub.Example. 3600 IN CNAME a\\.b.example.",
                "13 alias.sub.Example. 3600 IN DNAME sub.Example.",
                "14 txt.sub.Example. 3600 IN TXT \"a b;c\" \"plain\" \"\" \"\\\"\\\\\\007\"",
                "15 txt.sub.Example. 3600 IN HTTPS 1 . alpn=\"h2,h3\" port=443 ipv4hint=192.0.2.1,192.0.2.2",
                "16 unk.sub.Example. 3600 IN TYPE4711 \\# 3 0102FF",
            ]
        );
    }

    #[test]
    fn without_a_ttl_the_last_stated_one_holds() {
        let text = "a. A 192.0.2.1\nb. 5 A 192.0.2.1\nc. CH TXT x\nd. TXT y\n";
        assert_eq!(
            shown(text),
            [
                "1 a. 3600 IN A 192.0.2.1",
                "2 b. 5 IN A 192.0.2.1",
                "3 c. 5 CH TXT \"x\"",
                "4 d. 5 CH TXT \"y\""
            ]
        );
    }

    #[test]
    fn errors_name_file_line_and_what_was_expected() {
        let origin = name("example.");
        for (text, message) in [
            ("a A 192.0.2\n", "z:1: A: field 1: expected an IPv4 address, found `192.0.2`"),
            ("a MX 10\n", "z:1: MX: field 2: expected a domain name, found the end of the record"),
            ("\n\na (\n A \n x )\n", "z:5: A: field 1: expected an IPv4 address, found `x`"),
            ("a A 192.0.2.1 2\n", "z:1: A: expected the end of the record after 1 fields, found `2`"),
            ("a NS b..c\n", "z:1: NS: field 1: expected a domain name, found `b..c`: an empty label"),
            (" A 192.0.2.1\n", "z:1: the line begins with blank space"),
            ("a\n", "z:1: a.example.: expected `[TTL] [class] type RDATA`"),
            ("a 5 6 A 192.0.2.1\n", "z:1: `6` is not an RR type"),
            ("a NOPE x\n", "z:1: `NOPE` is not an RR type"),
            ("a 2147483648 A 192.0.2.1\n", "z:1: the TTL `2147483648` is above 2147483647"),
            ("a 1x A 192.0.2.1\n", "z:1: expected a TTL in seconds or as in `1h30m`, found `1x`"),
            ("$INCLUDE other\n", "z:1: $INCLUDE is not supported"),
            ("$GENERATE 1-9 a A 192.0.2.$\n", "z:1: unknown directive `$GENERATE`"),
            ("$TTL\n", "z:1: $TTL takes one argument, found 0"),
            ("$ORIGIN a..b\n", "z:1: $ORIGIN: expected a name, found `a..b`"),
            ("\na TXT ( \"x\"\n", "z:2: `(` is never closed"),
            ("a TXT x )\n", "z:1: `)` without `(`"),
            ("a TXT \"x\ny\"\n", "z:1: a quoted string must end on its line"),
            ("a TXT x\\\n", "z:1: `\\` at the end of the line"),
            (
                "a TXT \\256\n",
                "z:1: TXT: field 1: expected one or more strings of at most 255 octets, found `\\256`",
            ),
            ("a TYPE4711 x\n", "z:1: TYPE4711: expected RDATA in the generic form"),
            ("a TYPE4711 \\# 2 01\n", "z:1: TYPE4711: `\\# 2` promises 2 octets, found 1"),
            ("a TYPE4711 \\# 1 0g\n", "z:1: TYPE4711: expected pairs of hexadecimal digits"),
            ("a DS 1 RSASHA9 2 00\n", "z:1: DS: field 2: expected a DNSSEC algorithm"),
            ("a HTTPS 1 . port=443 port=1\n", "z:1: HTTPS: field 3: expected parameters"),
            ("a HTTPS 1 . nope=1\n", "found `nope=1`: `nope` is not a key of RFC 9460"),
        ] {
            let error = parse(text, &origin, "z").unwrap_err().to_string();
            assert!(error.contains(message), "{text:?}\n  gave   {error}\n  wanted {message}");
        }
        let long = format!("{}x. A 192.0.2.1\n", "a.".repeat(127));
        assert!(parse(&long, &origin, "z").unwrap_err().what.contains("longer than 255 octets"));
    }

    /// Type, canonical text, wire form where it can be told by looking.
    const RDATA: &[(&str, &str)] = &[
        ("A", "192.0.2.1"),
        ("NS", "ns.example."),
        ("SOA", "ns.example. h.example. 1 2 3 4 5"),
        ("PTR", "."),
        ("HINFO", "\"cpu\" \"os\""),
        ("MINFO", "a. b."),
        ("MX", "10 mx.example."),
        ("TXT", "\"x\" \"\\200\""),
        ("RP", "a. b."),
        ("AFSDB", "1 a."),
        ("AAAA", "2001:db8::1"),
        ("SRV", "1 2 53 a.example."),
        ("NAPTR", "1 2 \"S\" \"SIP+D2U\" \"\" a.example."),
        ("CERT", "1 2 8 AQID"),
        ("DNAME", "target.example."),
        ("DS", "20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D"),
        ("SSHFP", "4 2 0102"),
        ("RRSIG", "CNAME 13 2 300 20300101000000 20240101000000 4711 example. AQIDBA=="),
        ("NSEC", "b.example. A CNAME RRSIG NSEC"),
        ("DNSKEY", "257 3 13 AQIDBAU="),
        ("NSEC3", "1 1 0 - 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR A RRSIG"),
        ("NSEC3", "1 0 5 AABB 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR"),
        ("NSEC3PARAM", "1 0 5 AABB"),
        ("TLSA", "3 1 1 0102"),
        ("CDS", "0 0 0 00"),
        ("CDNSKEY", "0 3 0 AA=="),
        ("CSYNC", "66 3 A NS AAAA"),
        ("SVCB", "0 a.example."),
        (
            "SVCB",
            "16 a. mandatory=alpn,port alpn=\"f\\\\\\\\oo\\\\,bar,h2\" no-default-alpn port=53 \
             ipv4hint=192.0.2.1 ech=AQID ipv6hint=2001:db8::1 dohpath=\"/q{?dns}\" key667=\"hello\\210\"",
        ),
        ("HTTPS", "1 . key65000"),
        ("URI", "10 1 \"https://a.example/\""),
        ("CAA", "0 issue \"ca.example\""),
        ("EUI48", "00-00-5e-00-53-2a"),
        ("LOC", "\\# 2 0102"),
        ("A", "\\# 3 0A0000"),
        ("DNAME", "\\# 0"),
    ];

    #[test]
    fn every_type_round_trips() {
        for (rtype, text) in RDATA {
            let rtype = rtype.parse().unwrap();
            let wire = rdata_from_text(rtype, text, &Name::root()).unwrap();
            assert_eq!(rdata_to_text(rtype, &wire), *text, "{rtype}");
        }
    }

    #[test]
    fn odd_octets_never_panic_and_round_trip() {
        // Every prefix of good RDATA read as every type: mostly malformed.
        for (rtype, text) in RDATA {
            let wire = rdata_from_text(rtype.parse().unwrap(), text, &Name::root()).unwrap();
            for end in 0..wire.len() {
                for (other, _) in RDATA {
                    let other = other.parse().unwrap();
                    let shown = rdata_to_text(other, &wire[..end]);
                    assert_eq!(
                        rdata_from_text(other, &shown, &Name::root()).as_deref(),
                        Ok(&wire[..end]),
                        "{other}: {shown}"
                    );
                }
            }
        }
    }

    #[test]
    fn rdata_text_takes_mnemonics_relative_names_and_several_lines() {
        let origin = name("example.");
        let text = |rtype: &str, text| {
            rdata_from_text(rtype.parse().unwrap(), text, &origin)
                .map(|wire| rdata_to_text(rtype.parse().unwrap(), &wire))
        };
        assert_eq!(text("MX", "5 mail").as_deref(), Ok("5 mail.example."));
        assert_eq!(text("NS", "a\\.").as_deref(), Ok("a\\..example."));
        assert_eq!(text("NS", "a\\\\.").as_deref(), Ok("a\\\\."));
        assert_eq!(text("DS", "1 RSASHA256 2 00 ff").as_deref(), Ok("1 8 2 00FF"));
        assert_eq!(text("TXT", "( a\n b )").as_deref(), Ok("\"a\" \"b\""));
        assert!(text("TXT", "a\nb").unwrap_err().contains("more than one line"));
        assert!(text("A", "").unwrap_err().contains("found the end of the record"));
        assert!(text("TXT", &"x".repeat(256)).is_err());
    }

    /// The `domain` crate reads the same octets from what it can read.
    #[test]
    fn another_reader_sees_the_same_octets() {
        use domain::base::iana::Class;
        use domain::base::rdata::ComposeRecordData as _;
        use domain::zonefile::inplace::{Entry, Zonefile};

        let foreign = ["SVCB", "HTTPS", "URI", "CAA", "EUI48", "LOC"];
        let alien = ["RP", "AFSDB", "CERT", "SSHFP", "TLSA", "CSYNC"];
        let mut compared = 0;
        for (rtype, text) in RDATA {
            if foreign.contains(rtype) || alien.contains(rtype) || text.starts_with('\\') {
                continue;
            }
            let mut zone = Zonefile::from(format!("a. 1 IN {rtype} {text}\n").as_str());
            zone.set_default_class(Class::IN);
            let Some(Entry::Record(record)) = zone.next_entry().unwrap() else { panic!("no record") };
            let mut wire = Vec::new();
            record.data().compose_rdata(&mut wire).unwrap();
            assert_eq!(
                rdata_from_text(rtype.parse().unwrap(), text, &Name::root()),
                Ok(wire),
                "{rtype} {text}"
            );
            compared += 1;
        }
        assert!(compared > 18);
    }

    #[test]
    fn the_root_hints_are_read() {
        let records = parse(include_str!("../root.hints"), &Name::root(), "root.hints").unwrap();
        assert_eq!(records.len(), 39);
        assert!(records.iter().all(|r| r.ttl == 3_600_000));
    }

    proptest::proptest! {
        #[test]
        fn any_octets_are_shown_so_that_they_can_be_read(
            rtype in 1u16..260,
            rdata in proptest::collection::vec(proptest::num::u8::ANY, 0..40),
        ) {
            let shown = rdata_to_text(RrType(rtype), &rdata);
            proptest::prop_assert_eq!(rdata_from_text(RrType(rtype), &shown, &Name::root()), Ok(rdata), "{}", shown);
        }

        #[test]
        fn any_text_ends_in_records_or_an_error(text in "[a-c .\n\t\\\\\"();@$0-9INATXMSOHKEY#=é-]{0,80}") {
            let lines = text.matches('\n').count() + 1;
            match parse(&text, &name("example."), "z") {
                Ok(records) => proptest::prop_assert!(records.len() <= lines),
                Err(e) => proptest::prop_assert!((1..=lines).contains(&e.line) && !e.what.is_empty()),
            }
        }
    }
}
