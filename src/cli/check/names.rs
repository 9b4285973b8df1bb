//! The names to check: from arguments, or one per line from standard input.
//!
//! Knows: `-`, remarks, where a line is wrong. Does not know: what a name is in another script (`idn`).
//! Shown by: the tests below, `tests/check.rs`.

use std::collections::HashSet;
use std::io::{self, IsTerminal as _, Read};

use super::super::complain;
use crate::idn;
use crate::wire::Name;

/// Names checked by one command.
pub const MAX_NAMES: usize = 100_000;
/// Octets of standard input: as many names of the longest kind, every octet escaped.
const MAX_INPUT: u64 = MAX_NAMES as u64 * 4 * 256;
/// Characters that are repeated of a line that is no name.
const MAX_SHOWN: usize = 256;
/// What stands for standard input in arguments, and in messages.
const DASH: &str = "-";
const STDIN: &str = "<stdin>";

/// What is to be checked.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Each once, in the order in which they were given.
    pub names: Vec<Name>,
    /// Lines that are no names; each has been complained about.
    pub refused: usize,
}

/// The names that the arguments stand for. An argument that is no name is an error; a line of standard
/// input that is none is told on stderr, and the others are checked.
pub(super) fn wanted(arguments: &[String]) -> Result<Wanted, String> {
    let mut gathered = Gathered::default();
    let only_stdin = [DASH.to_owned()];
    let arguments = match arguments {
        [] if io::stdin().is_terminal() => {
            return Err("expected a NAME, or names on standard input, one per line".to_owned());
        }
        [] => &only_stdin,
        given => given,
    };
    for argument in arguments {
        if argument == DASH {
            let octets = read_at_most(io::stdin(), MAX_INPUT, STDIN)?;
            for complaint in gathered.lines(&octets)? {
                complain(&format!("cnamed check: {complaint}"));
            }
        } else {
            let name =
                idn::parse(argument).map_err(|why| format!("`{argument}` is not a domain name: {why}"))?;
            gathered.add(name)?;
        }
    }
    if gathered.wanted.names.is_empty() && gathered.wanted.refused == 0 {
        return Err(format!("{STDIN}: no names: expected one per line"));
    }
    Ok(gathered.wanted)
}

/// All of `from`, unless that is more than `most` octets.
pub(super) fn read_at_most(from: impl Read, most: u64, shown: &str) -> Result<Vec<u8>, String> {
    let mut octets = Vec::new();
    from.take(most + 1).read_to_end(&mut octets).map_err(|e| format!("{shown}: {e}"))?;
    if octets.len() as u64 > most {
        return Err(format!("{shown}: larger than {most} octets"));
    }
    Ok(octets)
}

#[derive(Default)]
struct Gathered {
    wanted: Wanted,
    known: HashSet<Name>,
}

impl Gathered {
    fn add(&mut self, name: Name) -> Result<(), String> {
        if self.known.insert(name.clone()) {
            self.wanted.names.push(name);
        }
        if self.wanted.names.len() > MAX_NAMES {
            return Err(format!("more than {MAX_NAMES} names: check them in parts"));
        }
        Ok(())
    }

    /// A name per line; what is none is returned in words.
    fn lines(&mut self, octets: &[u8]) -> Result<Vec<String>, String> {
        let mut complaints = Vec::new();
        for (number, line) in (1..).zip(octets.split(|octet| *octet == b'\n')) {
            let line = String::from_utf8_lossy(line);
            let written = line.split('#').next().unwrap_or_default().trim();
            if written.is_empty() {
                continue;
            }
            match idn::parse(written) {
                Ok(name) => self.add(name)?,
                Err(why) => {
                    self.wanted.refused += 1;
                    let shown = harmless(written);
                    complaints.push(format!("{STDIN}:{number}: `{shown}` is not a domain name: {why}"));
                }
            }
        }
        Ok(complaints)
    }
}

/// What a stranger wrote, with nothing in it that a terminal would obey, and not without end.
fn harmless(written: &str) -> String {
    let mut shown: String = written.chars().take(MAX_SHOWN).flat_map(char::escape_debug).collect();
    if written.chars().nth(MAX_SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_names_remarks_or_complained_about() {
        let mut gathered = Gathered::default();
        let text =
            "www.example.com\n\n# a remark\nWWW.example.com. # again\r\na..b\nmünchen.example\n\u{301}a";
        let complaints = gathered.lines(text.as_bytes()).unwrap();
        let names: Vec<String> = gathered.wanted.names.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["www.example.com.", "xn--mnchen-3ya.example."]);
        assert_eq!(gathered.wanted.refused, 2);
        assert_eq!(complaints[0], "<stdin>:5: `a..b` is not a domain name: an empty label");
        assert!(complaints[1].starts_with("<stdin>:7: "), "{complaints:?}");
        assert!(gathered.lines(b"\xff\xfe.example").unwrap().len() == 1, "no UTF-8, no name");
    }

    #[test]
    fn a_complaint_is_short_and_no_command_to_a_terminal() {
        let complaints = |text: &str| Gathered::default().lines(text.as_bytes()).unwrap();
        let escape = complaints("a\u{1b}]0;title\u{7}..b");
        assert!(escape[0].contains(r"`a\u{1b}]0;title\u{7}..b` is not"), "{escape:?}");
        let long = complaints(&"a".repeat(100_000));
        assert!(long[0].contains('…') && long[0].len() < 400, "{}", long[0].len());
    }

    #[test]
    fn more_than_may_be_is_refused() {
        assert!(read_at_most(&b"12345"[..], 4, "f").is_err_and(|why| why == "f: larger than 4 octets"));
        let mut gathered = Gathered::default();
        let many: String = (0..=MAX_NAMES).map(|n| format!("n{n}\n")).collect();
        assert!(gathered.lines(many.as_bytes()).is_err_and(|why| why.starts_with("more than 100000 names")));
    }
}
