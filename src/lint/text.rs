//! Findings as lines for people.
//!
//! Knows: what stands where. Folding and colours are `render::text`'s. Shown by: `tests/check.rs`,
//! `docs/check.md`.

use super::kind::Reference;
use super::{Checked, Finding, Severity};
use crate::render::outline::{Line, Tone};
use crate::render::text::{Colour, Page};
use crate::render::words::count;

/// What was found for one name; every line ends with a newline.
pub fn render(checked: &Checked, colour: Colour) -> String {
    let mut page = Page { colour, text: String::new() };
    let own = checked.in_own_script().map(|own| format!(" ({own})")).unwrap_or_default();
    let name = format!("{}{own}", checked.name);
    if checked.findings.is_empty() {
        let way = match checked.leads_to.as_slice() {
            [] => "no alias".to_owned(),
            [.., last] => format!("{} to {last}", count(checked.leads_to.len(), "alias", "aliases")),
        };
        page.folded("", "  ", &Line::plain(format!("{name}: clean, {way}")));
        return page.text;
    }
    page.folded("", "  ", &Line::of(Tone::Strong, name));
    checked.findings.iter().for_each(|finding| write(&mut page, finding));
    page.text
}

fn write(page: &mut Page, finding: &Finding) {
    let kind = &finding.kind;
    let tone = match kind.severity {
        Severity::Error => Tone::Bad,
        Severity::Warning => Tone::Odd,
        Severity::Notice => Tone::Plain,
    };
    let head = format!("{} {}: {}", kind.severity, kind.code, finding.what);
    page.folded("  ", "    ", &Line::of(tone, head));
    for record in &finding.records {
        page.folded("      ", "        ", &Line::plain(record.to_string()));
    }
    let references: Vec<String> = kind.references.iter().map(Reference::to_string).collect();
    let references =
        if references.is_empty() { String::new() } else { format!(" ({})", references.join(", ")) };
    page.folded("    ", "      ", &Line::plain(format!("why: {}{references}", kind.why)));
    page.folded("    ", "      ", &Line::plain(format!("do: {}", kind.remedy)));
}

/// Names and findings, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Summary {
    pub names: usize,
    pub clean: usize,
    pub errors: usize,
    pub warnings: usize,
    pub notices: usize,
}

impl Summary {
    /// Counts one more name.
    pub fn add(&mut self, checked: &Checked) {
        self.names += 1;
        self.clean += usize::from(checked.findings.is_empty());
        for finding in &checked.findings {
            *match finding.kind.severity {
                Severity::Error => &mut self.errors,
                Severity::Warning => &mut self.warnings,
                Severity::Notice => &mut self.notices,
            } += 1;
        }
    }

    /// In one line; `of` names were to be checked.
    pub fn line(&self, of: usize) -> String {
        let names = if self.names == of {
            count(of, "name", "names")
        } else {
            format!("interrupted: {} of {}", self.names, count(of, "name", "names"))
        };
        if self.names == self.clean {
            return format!("{names} checked: clean");
        }
        let found = [
            (self.errors, "error", "errors"),
            (self.warnings, "warning", "warnings"),
            (self.notices, "notice", "notices"),
        ];
        let found: Vec<String> =
            found.into_iter().filter(|(n, ..)| *n > 0).map(|(n, one, many)| count(n, one, many)).collect();
        format!("{names} checked: {} clean; {}", self.clean, found.join(", "))
    }
}
