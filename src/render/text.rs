//! A report as a tree of lines for people.
//!
//! Knows: indentation, line width, colours. Lines are folded at 80 columns between words; names are
//! never cut, so that they can be copied. Does not know: what the lines say (`outline`). Shown by:
//! `tests/trace_text.rs`, `docs/trace.md`.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr;

use super::Report;
use super::beside::{Beside, Change};
use super::outline::{self, Line, Node, Tone};
use super::words::STUCK;

/// Columns that a line takes unless a single name is longer.
pub const WIDTH: usize = 80;
/// Columns that text has at least, however deep it stands.
const MIN_TEXT: usize = 36;

/// The longest label that stands above a column of marks.
const SHORT_LABEL: usize = 8;

/// Is the text coloured?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    Never,
    /// With SGR sequences (ECMA-48 §8.3.117).
    Ansi,
}

/// The whole report; every line ends with a newline.
pub fn render(report: &Report, colour: Colour) -> String {
    let mut page = Page { colour, text: String::new() };
    page.node(&outline::of_report(report), "", "");
    page.text.push('\n');
    let sections = outline::sections(report);
    for (heading, records) in &sections {
        page.line(Tone::Strong, "", heading);
        records.iter().for_each(|record| page.line(Tone::Plain, "  ", record));
    }
    if !sections.is_empty() {
        page.text.push('\n');
    }
    outline::verdict(report).iter().for_each(|line| page.folded("", "  ", line));
    page.text
}

/// Several reports side by side: a row for each thing that is said, a mark for each that says it.
pub fn render_beside(beside: &Beside, colour: Colour) -> String {
    let mut page = Page { colour, text: String::new() };
    let columns = &beside.columns;
    let name = columns.first().map(|column| column.report.answer.question.name.to_string());
    page.line(Tone::Strong, "", &name.unwrap_or_default());
    // Long labels are numbered.
    let numbered = columns.iter().any(|column| column.label.len() > SHORT_LABEL);
    let heads: Vec<String> = (1..)
        .zip(columns)
        .map(|(number, column)| if numbered { format!("{number}") } else { column.label.clone() })
        .collect();
    page.line(Tone::Faint, "  ", &heads.join(" "));
    for row in &beside.rows {
        let cells = heads
            .iter()
            .zip(&row.said_by)
            .map(|(head, said)| format!("{:<1$}", if *said { "●" } else { "·" }, width(head)));
        let lead = format!("  {}  ", cells.collect::<Vec<_>>().join(" "));
        let tone = if beside.diverges.is_some_and(|hop| row.hop >= hop) { Tone::Odd } else { Tone::Plain };
        let text = format!("{}. {}", row.hop, row.text);
        page.folded(&lead, &format!("{}   ", " ".repeat(width(&lead))), &Line::of(tone, text));
    }
    page.text.push('\n');
    for (head, column) in heads.iter().zip(columns) {
        let label = if numbered { format!("{head} {}", column.label) } else { head.clone() };
        let lines = outline::verdict(&column.report);
        let (first, rest) = (format!("{label}: "), "    ");
        for (number, line) in lines.iter().enumerate() {
            page.folded(if number == 0 { &first } else { "  " }, rest, line);
        }
    }
    page.text.push('\n');
    let tone = if beside.diverges.is_some() { Tone::Odd } else { Tone::Strong };
    page.folded("", "  ", &Line::of(tone, beside.divergence()));
    page.text
}

/// What changed, under its time.
pub fn render_changes(at: &str, changes: &[Change], colour: Colour) -> String {
    let mut page = Page { colour, text: String::new() };
    page.line(Tone::Strong, "", at);
    for Change { hop, gone, new } in changes {
        let number = hop.map(|hop| format!("{hop}. ")).unwrap_or_default();
        for (sign, tone, said) in [("- ", Tone::Bad, gone), ("+ ", Tone::Odd, new)] {
            if let Some(said) = said {
                page.folded(&format!("  {sign}"), "      ", &Line::of(tone, format!("{number}{said}")));
            }
        }
    }
    page.text
}

/// Writes lines and nodes.
pub(crate) struct Page {
    pub(crate) colour: Colour,
    pub(crate) text: String,
}

impl Page {
    /// `first` goes before the first line, `rest` before all others.
    fn node(&mut self, node: &Node, first: &str, rest: &str) {
        let stem = if node.below.is_empty() { "  " } else { "│ " };
        let hanging = format!("{rest}{stem}");
        for (number, line) in node.lines.iter().enumerate() {
            let lead = if number == 0 { first } else { hanging.as_str() };
            let fold = if number == 0 { "" } else { "  " };
            self.folded(lead, &format!("{hanging}{fold}"), line);
        }
        let last = node.below.len().saturating_sub(1);
        for (number, child) in node.below.iter().enumerate() {
            let (branch, below) = if number == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            self.node(child, &format!("{rest}{branch}"), &format!("{rest}{below}"));
        }
    }

    /// One line, folded at spaces; [`STUCK`] ones stay together.
    pub(crate) fn folded(&mut self, first: &str, rest: &str, line: &Line) {
        let indent: String = line.text.chars().take_while(|c| *c == ' ').collect();
        let (mut lead, mut row) = (first, indent);
        for word in line.text.split(' ').filter(|word| !word.is_empty()) {
            let begun = !row.trim_start().is_empty();
            let room = WIDTH.saturating_sub(width(lead)).max(MIN_TEXT);
            if begun && width(&row) + 1 + width(word) > room {
                self.line(line.tone, lead, &row);
                (lead, row) = (rest, String::new());
            } else if begun {
                row.push(' ');
            }
            row.push_str(word);
        }
        self.line(line.tone, lead, &row);
    }

    fn line(&mut self, tone: Tone, lead: &str, text: &str) {
        let text = text.replace(STUCK, " ");
        let code = match tone {
            _ if self.colour == Colour::Never => None,
            Tone::Plain => None,
            Tone::Strong => Some("1"),
            Tone::Faint => Some("2"),
            Tone::Odd => Some("33"),
            Tone::Bad => Some("31"),
        };
        let _ = match code {
            Some(code) => writeln!(self.text, "{lead}\x1b[{code}m{text}\x1b[0m"),
            None => writeln!(self.text, "{lead}{text}"),
        };
    }
}

/// Columns; names may be in any script.
fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}
