//! Lists of suffixes, which are the operator's: services where names can be taken over, trackers.
//!
//! Knows: their form, one suffix per line, `#` before a remark, an optional `*.` in front; any script.
//! Does not know: what such a suffix means (`targets`). None is compiled in: they change too often.
//! Shown by: the tests below, `tests/check.rs`.

use std::collections::HashSet;

use crate::idn;
use crate::wire::Name;

/// Suffixes in one list; the largest published ones have some ten thousand.
pub const MAX_SUFFIXES: usize = 200_000;

/// A set of names that each stand for everything at and below them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suffixes(HashSet<Name>);

impl Suffixes {
    /// The suffixes in `text`. The error names `file` and the line.
    pub fn parse(text: &str, file: &str) -> Result<Suffixes, String> {
        let mut found = HashSet::new();
        for (number, line) in (1..).zip(text.lines()) {
            let written = line.split('#').next().unwrap_or_default().trim();
            if written.is_empty() {
                continue;
            }
            let suffix = written.strip_prefix("*.").or(written.strip_prefix('.')).unwrap_or(written);
            let name = idn::parse(suffix)
                .map_err(|why| format!("{file}:{number}: `{written}` is not a domain name: {why}"))?;
            found.insert(name);
            if found.len() > MAX_SUFFIXES {
                return Err(format!("{file}:{number}: expected at most {MAX_SUFFIXES} suffixes"));
            }
        }
        Ok(Suffixes(found))
    }

    /// The longest suffix of the list that `name` is at or below.
    pub fn over(&self, name: &Name) -> Option<&Name> {
        if self.0.is_empty() {
            return None;
        }
        (1..=name.label_count()).rev().find_map(|labels| self.0.get(&name.suffix(labels)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_hold_what_is_at_and_below_them() {
        let text = "# Services\n\n*.Pages.example\n.bücher.example # a shop\ncdn.example.\n";
        let list = Suffixes::parse(text, "f").unwrap();
        for (name, suffix) in [
            ("a.b.pages.example.", Some("pages.example.")),
            ("PAGES.example.", Some("pages.example.")),
            ("x.xn--bcher-kva.example.", Some("xn--bcher-kva.example.")),
            ("cdn.example.", Some("cdn.example.")),
            ("acdn.example.", None),
            ("example.", None),
            (".", None),
        ] {
            let found = list.over(&name.parse().unwrap()).map(|name| name.to_string().to_lowercase());
            assert_eq!(found.as_deref(), suffix, "{name}");
        }
        assert_eq!(Suffixes::default().over(&Name::root()), None);
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, said) in [
            ("a.example\na..b\n", "f:2: `a..b` is not a domain name: an empty label"),
            ("*.\n", "f:1: `*.` is not a domain name: an empty label"),
            ("# all\n.\n", "f:2: `.` is not a domain name: an empty label"),
        ] {
            assert_eq!(Suffixes::parse(text, "f"), Err(said.to_owned()));
        }
    }
}
