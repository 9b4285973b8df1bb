//! Scenario files as text: the dialect of unbound's testbound and Deckard, and our extensions.
//!
//! Knows: every directive (`docs/testing.md` lists them). Whatever it does not know is an error with
//! file and line, never skipped. Does not know: what a directive does (`network`, `run`, `compare`).

use std::net::IpAddr;
use std::time::Duration;

use cnamed::master;
use cnamed::rrset::{Class, Question, RrType};
use cnamed::wire::{Header, Name};

/// TTL of a record that states none, as in Deckard.
const DEFAULT_TTL: u32 = 3600;
/// What a root server is called when the file does not say.
const ROOT_SERVER: &str = "k.root-servers.net.";

/// One file.
#[derive(Debug)]
pub struct Scenario {
    /// As shown in messages.
    pub file: String,
    pub settings: Settings,
    pub ranges: Vec<Range>,
    pub steps: Vec<Step>,
}

/// What stands before `CONFIG_END`.
#[derive(Debug)]
pub struct Settings {
    pub ipv4: bool,
    pub ipv6: bool,
    /// Families that the network has a route for.
    pub routed_v4: bool,
    pub routed_v6: bool,
    pub root_servers: Vec<IpAddr>,
    pub root_server_name: Name,
    /// `None`: both modes are shown.
    pub minimisation: Option<bool>,
    pub trust_anchors: Vec<String>,
    pub negative_trust_anchors: Vec<String>,
    /// Wall time at the start, in Unix seconds.
    pub wall: Option<u64>,
    pub query_localhost: bool,
    pub forward: Vec<IpAddr>,
    pub min_ttl: Option<u32>,
    pub max_ttl: Option<u32>,
    /// Lines `key = value` for the configuration parser.
    pub toml: String,
    /// Play once more with the first question asked beforehand.
    pub also_warm: bool,
    /// Play once more for each of these lists, with its questions asked beforehand in this order.
    pub also_warm_by: Vec<Vec<Question>>,
}

/// Scripted replies of some servers during some steps.
#[derive(Debug)]
pub struct Range {
    pub from: u64,
    pub to: u64,
    /// None: any server.
    pub addresses: Vec<IpAddr>,
    pub entries: Vec<Entry>,
}

/// A message to send, to expect or to reply with.
#[derive(Debug)]
pub struct Entry {
    pub line: usize,
    pub mandatory: bool,
    /// With `all` and `question` taken apart; `None`: no MATCH line.
    pub fields: Option<Vec<Field>>,
    pub adjust: Adjust,
    pub message: Template,
    /// Sent instead of the message.
    pub raw: Option<Vec<u8>>,
    /// Extended DNS Errors that MATCH `ede` expects.
    pub errors: Vec<ExpectedEde>,
}

/// A word of MATCH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Opcode,
    Qtype,
    Qname,
    Qcase,
    Subdomain,
    Flags,
    Rcode,
    Answer,
    AnswerTypes,
    AnswerRrsigs,
    Authority,
    Additional,
    Ttl,
    Order,
    Ede,
    Edns,
    NoEdns,
    Cookie,
    NoCookie,
    Do,
    PlainDname,
    Tcp,
    Udp,
}

/// What ADJUST does to a reply.
#[derive(Debug, Default)]
pub struct Adjust {
    pub copy_id: bool,
    pub copy_query: bool,
    pub do_not_answer: bool,
    pub raw_id: bool,
    /// Over the round trip that every reply takes.
    pub delay: Duration,
    pub unreachable: bool,
    pub wrong_id: bool,
    pub wrong_case: bool,
    pub no_edns: bool,
    pub cookie: bool,
}

/// Header and sections.
#[derive(Debug, Default)]
pub struct Template {
    /// QR AA TC RD RA AD CD.
    pub flags: u16,
    pub opcode: u8,
    pub rcode: u16,
    pub dnssec_ok: bool,
    pub question: Option<Question>,
    pub answer: Vec<Rr>,
    pub authority: Vec<Rr>,
    pub additional: Vec<Rr>,
}

/// One record.
#[derive(Clone, Debug)]
pub struct Rr {
    pub owner: Name,
    pub ttl: u32,
    pub class: Class,
    pub rtype: RrType,
    pub rdata: Vec<u8>,
}

/// A line `EDE code text`.
#[derive(Debug)]
pub struct ExpectedEde {
    pub code: u16,
    pub text: EdeText,
}

/// What an EDE text must be.
#[derive(Debug)]
pub enum EdeText {
    Any,
    Exactly(String),
    /// Written `~part`.
    Containing(String),
}

/// `STEP id …`
#[derive(Debug)]
pub struct Step {
    pub id: u64,
    pub line: usize,
    pub action: Action,
}

#[derive(Debug)]
pub enum Action {
    Query { entry: Entry, client: IpAddr, copies: usize },
    CheckAnswer(Entry),
    Reply(Entry),
    TimePasses(Duration),
    CheckOutQuery { entry: Entry, to: Option<IpAddr>, count: Option<usize> },
    CheckOutCount { least: usize, most: usize },
    CheckTime { least: Duration, most: Duration },
}

/// Lines without comments and blanks, each with its number.
struct Lines<'a> {
    file: &'a str,
    lines: Vec<(usize, &'a str)>,
    at: usize,
}

impl<'a> Lines<'a> {
    fn new(file: &'a str, text: &'a str) -> Lines<'a> {
        let lines = text
            .lines()
            .enumerate()
            .map(|(i, line)| (i + 1, uncommented(line).trim()))
            .filter(|(_, line)| !line.is_empty())
            .collect();
        Lines { file, lines, at: 0 }
    }

    fn next(&mut self) -> Option<(usize, &'a str)> {
        let found = self.lines.get(self.at).copied();
        self.at += 1;
        found
    }

    fn peek(&self) -> Option<&'a str> {
        self.lines.get(self.at).map(|(_, line)| *line)
    }

    /// The next line, or an error that says what was missing.
    fn need(&mut self, what: &str) -> Result<(usize, &'a str), String> {
        self.next().ok_or_else(|| format!("{}: ends without {what}", self.file))
    }

    fn wrong<T>(&self, line: usize, what: impl std::fmt::Display) -> Result<T, String> {
        Err(format!("{}:{line}: {what}", self.file))
    }

    fn number<N: std::str::FromStr>(&self, line: usize, word: Option<&str>, what: &str) -> Result<N, String> {
        match word.map(str::parse) {
            Some(Ok(n)) => Ok(n),
            _ => self.wrong(line, format!("{what}: expected a number, found `{}`", word.unwrap_or(""))),
        }
    }

    fn address(&self, line: usize, word: Option<&str>) -> Result<IpAddr, String> {
        match word.map(str::parse) {
            Some(Ok(address)) => Ok(address),
            _ => self.wrong(line, format!("expected an address, found `{}`", word.unwrap_or(""))),
        }
    }

    fn finished<'w>(&self, line: usize, mut words: impl Iterator<Item = &'w str>) -> Result<(), String> {
        match words.next() {
            None => Ok(()),
            Some(word) => self.wrong(line, format!("unknown word `{word}`")),
        }
    }
}

/// `line` up to a `;` outside quotes.
fn uncommented(line: &str) -> &str {
    let (mut quoted, mut escaped) = (false, false);
    for (i, c) in line.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ';' if !quoted => return line.get(..i).unwrap_or(line),
            _ => {}
        }
    }
    line
}

/// Reads one file.
pub fn parse(file: &str, text: &str) -> Result<Scenario, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // `features` separates its pairs by `;`, so the configuration is read before comments go.
    let config_lines = text.lines().position(|l| uncommented(l).trim() == "CONFIG_END");
    let Some(config_lines) = config_lines else { return Err(format!("{file}: has no CONFIG_END")) };
    let settings = parse_settings(file, text.lines().take(config_lines))?;
    let mut lines = Lines::new(file, text);
    while lines.next().is_some_and(|(_, line)| line != "CONFIG_END") {}
    let (line, begin) = lines.need("SCENARIO_BEGIN")?;
    if begin.split_whitespace().next() != Some("SCENARIO_BEGIN") {
        return lines.wrong(line, format!("expected SCENARIO_BEGIN, found `{begin}`"));
    }
    let mut scenario = Scenario { file: file.to_owned(), settings, ranges: Vec::new(), steps: Vec::new() };
    loop {
        let (line, text) = lines.need("SCENARIO_END")?;
        let mut words = text.split_whitespace();
        match words.next() {
            Some("SCENARIO_END") => break,
            Some("RANGE_BEGIN") => scenario.ranges.push(parse_range(&mut lines, line, words)?),
            Some("STEP") => scenario.steps.push(parse_step(&mut lines, line, words)?),
            _ => return lines.wrong(line, format!("unknown directive `{text}`")),
        }
    }
    match lines.next() {
        Some((line, text)) => lines.wrong(line, format!("`{text}` stands behind SCENARIO_END")),
        None => Ok(scenario),
    }
}

fn parse_settings<'a>(file: &str, config: impl Iterator<Item = &'a str>) -> Result<Settings, String> {
    let mut settings = Settings {
        ipv4: true,
        ipv6: true,
        routed_v4: true,
        routed_v6: true,
        root_servers: Vec::new(),
        root_server_name: ROOT_SERVER.parse().map_err(|e| format!("{ROOT_SERVER}: {e}"))?,
        minimisation: None,
        trust_anchors: Vec::new(),
        negative_trust_anchors: Vec::new(),
        wall: None,
        query_localhost: false,
        forward: Vec::new(),
        min_ttl: None,
        max_ttl: None,
        toml: String::new(),
        also_warm: false,
        also_warm_by: Vec::new(),
    };
    for (i, line) in config.enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(';') {
            continue;
        }
        let at = |what: String| format!("{file}:{}: {what}", i + 1);
        let Some((key, value)) = line.split_once(':') else {
            return Err(at(format!("expected `key: value`, found `{line}`")));
        };
        settings.set(key.trim(), value).map_err(at)?;
    }
    Ok(settings)
}

/// A value without its trailing comment and quotes.
fn plain(value: &str) -> &str {
    let mut quoted = false;
    let end = value.char_indices().find(|(_, c)| match c {
        '"' => {
            quoted = !quoted;
            false
        }
        ';' | '#' => !quoted,
        _ => false,
    });
    let value = end.and_then(|(i, _)| value.get(..i)).unwrap_or(value);
    value.trim().trim_matches(['"', '\'']).trim()
}

fn yes_or_no(value: &str) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" | "1" => Ok(true),
        "no" | "false" | "off" | "0" => Ok(false),
        _ => Err(format!("expected yes or no, found `{value}`")),
    }
}

impl Settings {
    fn set(&mut self, key: &str, raw: &str) -> Result<(), String> {
        let value = plain(raw);
        let address = || value.parse::<IpAddr>().map_err(|_| format!("`{value}` is not an address"));
        match key {
            "do-ip4" => self.ipv4 = yes_or_no(value)?,
            "do-ip6" => self.ipv6 = yes_or_no(value)?,
            "no-route" if value == "ipv4" => self.routed_v4 = false,
            "no-route" if value == "ipv6" => self.routed_v6 = false,
            "stub-addr" => self.root_servers.push(address()?),
            "stub-name" => {
                self.root_server_name = value.parse().map_err(|e| format!("`{value}` is not a name: {e}"))?;
            }
            "forward-addr" => self.forward.push(address()?),
            "query-minimization" => self.minimisation = Some(yes_or_no(value)?),
            "trust-anchor" => self.trust_anchors.push(value.to_owned()),
            "domain-insecure" => self.negative_trust_anchors.push(value.to_owned()),
            "val-override-timestamp" => {
                self.wall = Some(value.parse().map_err(|_| format!("`{value}` is not a Unix time"))?);
            }
            "val-override-date" => self.wall = Some(unix_time(value)?),
            "do-not-query-localhost" => self.query_localhost = !yes_or_no(value)?,
            // We accept glue for what it is for whatever this says.
            "harden-glue" => drop(yes_or_no(value)?),
            "features" => self.set_features(raw)?,
            "also-warm" => self.also_warm = yes_or_no(value)?,
            "also-warm-by" => {
                self.also_warm_by.push(value.split(',').map(question).collect::<Result<_, _>>()?);
            }
            _ => match key.strip_prefix("cnamed-") {
                // TOML has its own quotes and comments.
                Some(setting) => self.toml.push_str(&format!("{setting} = {}\n", raw.trim())),
                None => return Err(format!("unknown setting `{key}: {value}`")),
            },
        }
        Ok(())
    }

    fn set_features(&mut self, raw: &str) -> Result<(), String> {
        for pair in raw.split('#').next().unwrap_or("").split(';') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let seconds = || value.trim().parse::<u32>().map_err(|_| format!("`{pair}`: expected seconds"));
            match name.trim() {
                "min_ttl" => self.min_ttl = Some(seconds()?),
                "max_ttl" => self.max_ttl = Some(seconds()?),
                _ => return Err(format!("unknown feature `{}`", pair.trim())),
            }
        }
        Ok(())
    }
}

/// Seconds since 1970 of a UTC date `YYYYMMDDHHMMSS`.
fn unix_time(date: &str) -> Result<u64, String> {
    let bad = || format!("`{date}` is not a date as in 20240229120000");
    if date.len() != 14 || !date.is_ascii() {
        return Err(bad());
    }
    let part = |from: usize, to: usize| -> Result<i64, String> {
        date.get(from..to).and_then(|d| d.parse().ok()).ok_or_else(bad)
    };
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    // Days from 1970-01-01 in the Gregorian calendar, years beginning in March.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    u64::try_from(days * 86_400 + hour * 3_600 + minute * 60 + second).map_err(|_| bad())
}

fn parse_range<'w>(
    lines: &mut Lines<'_>,
    line: usize,
    mut words: impl Iterator<Item = &'w str>,
) -> Result<Range, String> {
    let from = lines.number(line, words.next(), "RANGE_BEGIN")?;
    let to = lines.number(line, words.next(), "RANGE_BEGIN")?;
    let mut range = Range { from, to, addresses: Vec::new(), entries: Vec::new() };
    if let Some(word) = words.next() {
        range.addresses.push(lines.address(line, Some(word))?);
    }
    lines.finished(line, words)?;
    loop {
        let (line, text) = lines.need("RANGE_END")?;
        let mut words = text.split_whitespace();
        match words.next() {
            Some("RANGE_END") => return Ok(range),
            Some("ADDRESS") => {
                range.addresses.push(lines.address(line, words.next())?);
                lines.finished(line, words)?;
            }
            Some("ENTRY_BEGIN") => {
                let entry = parse_entry(lines, line)?;
                if entry.fields.is_none() {
                    return lines.wrong(line, "an entry in a RANGE needs MATCH");
                }
                range.entries.push(entry);
            }
            _ => return lines.wrong(line, format!("unknown directive `{text}` in a RANGE")),
        }
    }
}

fn parse_step<'w>(
    lines: &mut Lines<'_>,
    line: usize,
    mut words: impl Iterator<Item = &'w str>,
) -> Result<Step, String> {
    let id = lines.number(line, words.next(), "STEP")?;
    let kind = words.next().unwrap_or("");
    let action = match kind {
        "QUERY" => {
            let (mut client, mut copies) = (IpAddr::from([127, 0, 0, 1]), 1);
            while let Some(word) = words.next() {
                match word {
                    "ADDRESS" => client = lines.address(line, words.next())?,
                    "COPIES" => copies = lines.number(line, words.next(), "COPIES")?,
                    _ => return lines.wrong(line, format!("unknown word `{word}`")),
                }
            }
            Action::Query { entry: step_entry(lines, line)?, client, copies }
        }
        "CHECK_ANSWER" | "ANSWER" => Action::CheckAnswer(matching_entry(lines, line)?),
        "REPLY" | "MOCK" => Action::Reply(matching_entry(lines, line)?),
        "TIME_PASSES" => {
            let unit = words.next();
            let n: u64 = lines.number(line, words.next(), "TIME_PASSES ELAPSE")?;
            Action::TimePasses(match unit {
                Some("ELAPSE") => Duration::from_secs(n),
                Some("ELAPSE_MS") => Duration::from_millis(n),
                _ => return lines.wrong(line, "expected TIME_PASSES ELAPSE seconds"),
            })
        }
        "CHECK_OUT_QUERY" => {
            let (mut to, mut count) = (None, None);
            while let Some(word) = words.next() {
                match word {
                    "ADDRESS" => to = Some(lines.address(line, words.next())?),
                    "COUNT" => count = Some(lines.number(line, words.next(), "COUNT")?),
                    _ => return lines.wrong(line, format!("unknown word `{word}`")),
                }
            }
            Action::CheckOutQuery { entry: matching_entry(lines, line)?, to, count }
        }
        "CHECK_OUT_COUNT" => {
            let least = lines.number(line, words.next(), kind)?;
            let most = match words.next() {
                None => least,
                word => lines.number(line, word, kind)?,
            };
            Action::CheckOutCount { least, most }
        }
        "CHECK_TIME" => Action::CheckTime {
            least: Duration::from_millis(lines.number(line, words.next(), kind)?),
            most: Duration::from_millis(lines.number(line, words.next(), kind)?),
        },
        _ => return lines.wrong(line, format!("unknown step `{kind}`")),
    };
    lines.finished(line, words)?;
    Ok(Step { id, line, action })
}

fn step_entry(lines: &mut Lines<'_>, line: usize) -> Result<Entry, String> {
    match lines.next() {
        Some((line, "ENTRY_BEGIN")) => parse_entry(lines, line),
        _ => lines.wrong(line, "this step needs an entry"),
    }
}

fn matching_entry(lines: &mut Lines<'_>, line: usize) -> Result<Entry, String> {
    let entry = step_entry(lines, line)?;
    match entry.fields {
        Some(_) => Ok(entry),
        None => lines.wrong(entry.line, "this entry needs MATCH"),
    }
}

fn parse_entry(lines: &mut Lines<'_>, begin: usize) -> Result<Entry, String> {
    let mut entry = Entry {
        line: begin,
        mandatory: false,
        fields: None,
        adjust: Adjust::default(),
        message: Template::default(),
        raw: None,
        errors: Vec::new(),
    };
    loop {
        let (line, text) = lines.need("ENTRY_END")?;
        let mut words = text.split_whitespace();
        match words.next().unwrap_or("") {
            "ENTRY_END" => return Ok(entry),
            "MANDATORY" => entry.mandatory = true,
            "MATCH" => {
                let fields = entry.fields.get_or_insert_default();
                for word in words {
                    match match_word(word) {
                        Some(new) => fields.extend_from_slice(new),
                        None => return lines.wrong(line, format!("unknown MATCH word `{word}`")),
                    }
                }
            }
            "ADJUST" => {
                for word in words {
                    entry.adjust.set(word).or_else(|what| lines.wrong(line, what))?;
                }
            }
            "REPLY" | "FLAGS" => {
                for word in words {
                    entry.message.set(word).or_else(|what| lines.wrong(line, what))?;
                }
            }
            "EDE" => entry.errors.push(parse_ede(text).or_else(|what| lines.wrong(line, what))?),
            "RAW" => entry.raw = Some(parse_raw(lines, line)?),
            "SECTION" => parse_section(lines, line, words.next().unwrap_or(""), &mut entry.message)?,
            _ => return lines.wrong(line, format!("unknown directive `{text}` in an ENTRY")),
        }
    }
}

fn match_word(word: &str) -> Option<&'static [Field]> {
    use Field::*;
    Some(match word {
        "all" => &[Opcode, Qtype, Qname, Flags, Rcode, Answer, Authority, Additional],
        "question" => &[Qtype, Qname],
        "opcode" => &[Opcode],
        "qtype" => &[Qtype],
        "qname" => &[Qname],
        "qcase" => &[Qcase],
        "subdomain" => &[Subdomain],
        "flags" => &[Flags],
        "rcode" => &[Rcode],
        "answer" => &[Answer],
        "answertypes" => &[AnswerTypes],
        "answerrrsigs" => &[AnswerRrsigs],
        "authority" => &[Authority],
        "additional" => &[Additional],
        "ttl" => &[Ttl],
        "order" => &[Order],
        "ede" => &[Ede],
        "edns" => &[Edns],
        "no_edns" => &[NoEdns],
        "cookie" => &[Cookie],
        "no_cookie" => &[NoCookie],
        "DO" => &[Do],
        "plain_dname" => &[PlainDname],
        "TCP" => &[Tcp],
        "UDP" => &[Udp],
        _ => return None,
    })
}

impl Adjust {
    fn set(&mut self, word: &str) -> Result<(), String> {
        match word {
            "copy_id" => self.copy_id = true,
            "copy_query" => self.copy_query = true,
            "do_not_answer" => self.do_not_answer = true,
            "raw_id" => self.raw_id = true,
            "unreachable" => self.unreachable = true,
            "wrong_id" => self.wrong_id = true,
            "wrong_case" => self.wrong_case = true,
            "no_edns" => self.no_edns = true,
            "cookie" => self.cookie = true,
            _ => match word.strip_prefix("delay=").map(str::parse) {
                Some(Ok(ms)) => self.delay = Duration::from_millis(ms),
                _ => return Err(format!("unknown ADJUST word `{word}`")),
            },
        }
        Ok(())
    }
}

/// RCODEs by mnemonic (the IANA registry).
pub const RCODES: [(&str, u16); 13] = [
    ("NOERROR", 0),
    ("FORMERR", 1),
    ("SERVFAIL", 2),
    ("NXDOMAIN", 3),
    ("NOTIMP", 4),
    ("REFUSED", 5),
    ("YXDOMAIN", 6),
    ("YXRRSET", 7),
    ("NXRRSET", 8),
    ("NOTAUTH", 9),
    ("NOTZONE", 10),
    ("BADVERS", 16),
    ("BADCOOKIE", 23),
];

/// Header flags by mnemonic.
pub const FLAGS: [(&str, u16); 7] = [
    ("QR", Header::QR),
    ("AA", Header::AA),
    ("TC", Header::TC),
    ("RD", Header::RD),
    ("RA", Header::RA),
    ("AD", Header::AD),
    ("CD", Header::CD),
];

/// Opcodes by mnemonic.
const OPCODES: [(&str, u8); 5] = [("QUERY", 0), ("IQUERY", 1), ("STATUS", 2), ("NOTIFY", 4), ("UPDATE", 5)];

impl Template {
    fn set(&mut self, word: &str) -> Result<(), String> {
        if let Some((_, bit)) = FLAGS.iter().find(|(name, _)| *name == word) {
            self.flags |= bit;
        } else if let Some((_, rcode)) = RCODES.iter().find(|(name, _)| *name == word) {
            self.rcode = *rcode;
        } else if let Some((_, opcode)) = OPCODES.iter().find(|(name, _)| *name == word) {
            self.opcode = *opcode;
        } else if word == "DO" {
            self.dnssec_ok = true;
        } else {
            return Err(format!("unknown REPLY word `{word}`"));
        }
        Ok(())
    }
}

fn parse_ede(text: &str) -> Result<ExpectedEde, String> {
    let mut parts = text.splitn(3, char::is_whitespace).skip(1);
    let code = parts.next().and_then(|c| c.parse().ok()).ok_or("expected `EDE code text`")?;
    let text = match parts.next().map(str::trim) {
        None | Some("") => EdeText::Any,
        Some(text) => match text.strip_prefix('~') {
            Some(part) => EdeText::Containing(part.to_owned()),
            None => EdeText::Exactly(text.to_owned()),
        },
    };
    Ok(ExpectedEde { code, text })
}

fn parse_raw(lines: &mut Lines<'_>, line: usize) -> Result<Vec<u8>, String> {
    let mut octets = Vec::new();
    while let Some(text) = lines.peek().filter(|text| *text != "ENTRY_END") {
        let digits: Vec<u32> = text
            .chars()
            .filter(|c| !c.is_whitespace())
            .map(|c| c.to_digit(16))
            .collect::<Option<_>>()
            .map_or_else(|| lines.wrong(line, format!("`{text}` is not hexadecimal")), Ok)?;
        if digits.len() % 2 == 1 {
            return lines.wrong(line, "an odd number of hexadecimal digits");
        }
        octets.extend(digits.chunks_exact(2).map(|pair| (pair[0] << 4 | pair[1]) as u8));
        lines.next();
    }
    Ok(octets)
}

/// Words that begin a directive of an entry, and so end a section.
const ENTRY_WORDS: [&str; 9] =
    ["ENTRY_END", "MANDATORY", "MATCH", "ADJUST", "REPLY", "FLAGS", "EDE", "RAW", "SECTION"];

fn parse_section(lines: &mut Lines<'_>, line: usize, name: &str, into: &mut Template) -> Result<(), String> {
    if !["QUESTION", "ANSWER", "AUTHORITY", "ADDITIONAL"].contains(&name) {
        return lines.wrong(line, format!("unknown section `{name}`"));
    }
    while let Some(text) = lines.peek() {
        if text.split_whitespace().next().is_some_and(|word| ENTRY_WORDS.contains(&word)) {
            break;
        }
        let (line, text) = lines.need("a record")?;
        if name == "QUESTION" {
            if into.question.is_some() {
                return lines.wrong(line, "more than one question");
            }
            into.question = Some(question(text).or_else(|what| lines.wrong(line, what))?);
            continue;
        }
        let record = record(text).or_else(|what| lines.wrong(line, what))?;
        match name {
            "ANSWER" => into.answer.push(record),
            "AUTHORITY" => into.authority.push(record),
            _ => into.additional.push(record),
        }
    }
    Ok(())
}

/// `name [class] type`
pub fn question(text: &str) -> Result<Question, String> {
    let record = record(text)?;
    match record.rdata.is_empty() {
        true => Ok(Question { name: record.owner, rtype: record.rtype, class: record.class }),
        false => Err(format!("`{text}` is more than a question")),
    }
}

/// `owner [ttl] [class] type [rdata]`; a name without its final dot is absolute all the same.
pub fn record(text: &str) -> Result<Rr, String> {
    let (owner, mut rest) = split_word(text);
    let owner: Name = owner.parse().map_err(|e| format!("`{owner}` is not a name: {e}"))?;
    let (mut ttl, mut class) = (DEFAULT_TTL, Class::IN);
    let rtype: RrType = loop {
        let (word, tail) = split_word(rest);
        rest = tail;
        match word {
            "IN" => class = Class::IN,
            "CH" => class = Class::CH,
            "ANY" if !tail.is_empty() => class = Class::ANY,
            _ => match word.parse() {
                Ok(seconds) => ttl = seconds,
                Err(_) => break word.parse().map_err(|e| format!("{e}"))?,
            },
        }
    };
    let rdata = match rest {
        "" => Vec::new(),
        text => master::rdata_from_text(rtype, &unfolded(rtype, text), &Name::root())
            .map_err(|e| format!("{rtype} `{text}`: {e}"))?,
    };
    Ok(Rr { owner, ttl, class, rtype, rdata })
}

fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (text.get(..end).unwrap_or(""), text.get(end..).unwrap_or("").trim_start())
}

/// RDATA text without parentheses that stand alone, and with a DS algorithm as its number.
fn unfolded(rtype: RrType, text: &str) -> String {
    let mut words: Vec<&str> = text.split_whitespace().filter(|w| *w != "(" && *w != ")").collect();
    if rtype == RrType::DS
        && let Some(algorithm) = words.get_mut(1)
        && let Some((_, number)) = ALGORITHMS.iter().find(|(name, _)| name == algorithm)
    {
        *algorithm = number;
    }
    if text.contains('"') { text.to_owned() } else { words.join(" ") }
}

/// DNSSEC algorithms by mnemonic (the IANA registry).
const ALGORITHMS: [(&str, &str); 9] = [
    ("DSA", "3"),
    ("RSASHA1", "5"),
    ("RSASHA1-NSEC3-SHA1", "7"),
    ("RSASHA256", "8"),
    ("RSASHA512", "10"),
    ("ECDSAP256SHA256", "13"),
    ("ECDSAP384SHA384", "14"),
    ("ED25519", "15"),
    ("ED448", "16"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn in_entry(line: &str) -> String {
        format!(
            "CONFIG_END\nSCENARIO_BEGIN x\nRANGE_BEGIN 0 9\nENTRY_BEGIN\nMATCH qname\n{line}\nENTRY_END\nRANGE_END\nSCENARIO_END"
        )
    }

    #[test]
    fn what_is_unknown_is_an_error_with_file_and_line() {
        let head = "CONFIG_END\nSCENARIO_BEGIN x\n";
        for (text, expected) in [
            ("colour: red\nCONFIG_END\n".to_owned(), "f:1: unknown setting `colour: red`"),
            ("features: fast\nCONFIG_END\n".to_owned(), "f:1: unknown feature `fast`"),
            ("do-ip6: maybe\nCONFIG_END\n".to_owned(), "f:1: expected yes or no, found `maybe`"),
            (format!("{head}STEP 1 DANCE\n"), "f:3: unknown step `DANCE`"),
            (format!("{head}RANGE_BEGIN 1\n"), "f:3: RANGE_BEGIN: expected a number, found ``"),
            (format!("{head}JUMP\n"), "f:3: unknown directive `JUMP`"),
            (format!("{head}SCENARIO_END\nSTEP 1\n"), "f:4: `STEP 1` stands behind SCENARIO_END"),
            (head.to_owned(), "f: ends without SCENARIO_END"),
            (in_entry("MATCH colour"), "f:6: unknown MATCH word `colour`"),
            (in_entry("ADJUST colour"), "f:6: unknown ADJUST word `colour`"),
            (in_entry("REPLY MAYBE"), "f:6: unknown REPLY word `MAYBE`"),
            (in_entry("SECTION ANSWERS"), "f:6: unknown section `ANSWERS`"),
            (in_entry("PAINT it"), "f:6: unknown directive `PAINT it` in an ENTRY"),
            (in_entry("RAW\nxy"), "f:6: `xy` is not hexadecimal"),
            (in_entry("SECTION QUESTION\na. IN A 1.2.3.4"), "f:7: `a. IN A 1.2.3.4` is more than a question"),
        ] {
            assert_eq!(parse("f", &text).err().as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn settings_lose_quotes_and_comments_and_dates_are_utc() {
        let text = "  val-override-date: \"20181130121751\"  # then\n; no\nstub-addr: 1.1.1.1 \t# K.\n\
                    query-minimization: off ; why\ntrust-anchor: \". DS 1 ;{id}\"\n\
                    cnamed-resolver.max-chain-length: 4\nalso-warm-by: a.b A, c. MX\n\
                    CONFIG_END\nSCENARIO_BEGIN x\nSCENARIO_END";
        let settings = parse("f", text).unwrap().settings;
        assert_eq!(settings.wall, Some(1_543_580_271));
        assert_eq!(settings.root_servers, ["1.1.1.1".parse::<IpAddr>().unwrap()]);
        assert_eq!(settings.minimisation, Some(false));
        assert_eq!(settings.trust_anchors, [". DS 1 ;{id}"]);
        assert_eq!(settings.toml, "resolver.max-chain-length = 4\n");
        assert_eq!(settings.also_warm_by.len(), 1);
        assert_eq!(settings.also_warm_by[0][1].rtype, RrType::MX);
    }

    #[test]
    fn records_are_loose_master_syntax() {
        let a = record("Fail.net\t20\tA\t1.1.1.1").unwrap();
        assert_eq!(
            (a.owner.to_string().as_str(), a.ttl, a.rdata.as_slice()),
            ("Fail.net.", 20, &[1, 1, 1, 1][..])
        );
        let soa = record("e. IN SOA ns1.e. b.e. 1 3600 300 ( 3600000 3600 )").unwrap();
        assert_eq!(soa.rdata.len(), 7 + 5 + 20);
        assert_eq!(record("e. 5 IN DS 1 RSASHA1 1 aa").unwrap().rdata, [0, 1, 5, 1, 0xaa]);
        assert_eq!(record("e. IN NULL").unwrap().rdata, Vec::<u8>::new());
        assert!(record("e. IN NOPE x").is_err());
    }
}
