//! Scenario files as text: the dialect of unbound's testbound and Deckard, and our extensions.
//!
//! Knows: every directive (`docs/testing.md` lists them). Whatever it does not know is an error with
//! file and line, never skipped. Does not know: what a directive does (`network`, `compare`; `tests/scenario` for steps).

use std::net::IpAddr;
use std::time::Duration;

use super::records::{question, record};
use super::script::{
    Action, Adjust, ERROR_KINDS, EdeText, Entry, ExpectedEde, FLAGS, Field, RCODES, Range, Scenario, Step,
    SystemError, Template,
};
use super::settings::parse_settings;

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
        error: None,
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
            "ERROR" => entry.error = Some(parse_error(text).or_else(|what| lines.wrong(line, what))?),
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
            "once" => self.once = true,
            _ => match word.split_once('=').map(|(key, number)| (key, number.parse::<u32>())) {
                Some(("delay", Ok(ms))) => self.delay = Duration::from_millis(ms.into()),
                Some(("rtt", Ok(us))) => self.rtt = Some(Duration::from_micros(us.into())),
                Some(("after", Ok(ms))) => self.after = Some(Duration::from_millis(ms.into())),
                Some(("turn", Ok(turn))) => self.turn = Some(turn),
                _ => return Err(format!("unknown ADJUST word `{word}`")),
            },
        }
        Ok(())
    }
}

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

fn parse_error(text: &str) -> Result<SystemError, String> {
    let mut parts = text.splitn(3, char::is_whitespace).skip(1);
    let (kind, words) = (parts.next().unwrap_or(""), parts.next().unwrap_or("").trim());
    if kind == "system" {
        return words.parse().map(SystemError::System).map_err(|_| format!("`{words}` is not a number"));
    }
    match ERROR_KINDS.iter().find(|(word, _)| *word == kind) {
        Some((_, kind)) => Ok(SystemError::Other(*kind, words.to_owned())),
        None => Err(format!("unknown kind of ERROR `{kind}`")),
    }
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
const ENTRY_WORDS: [&str; 10] =
    ["ENTRY_END", "MANDATORY", "MATCH", "ADJUST", "REPLY", "FLAGS", "EDE", "ERROR", "RAW", "SECTION"];

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
}
