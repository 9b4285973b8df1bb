//! What counts may have become, against those that are written down.
//!
//! Knows: the form of `benches/instructions.txt`, the limits, what to say. Does not know: how counts come
//! about. Shown by: `tests/gate.rs`.

use std::fmt::Write as _;

/// More instructions or allocations for a round than this, as a part of those written down, is too much.
const GROWTH: f64 = 0.05;
/// Allocations are told to a tenth; less is housekeeping that not every run meets.
const ALLOCATION_SLACK: f64 = 0.05;
/// What tracing may take, of all, when nobody looks.
const TRACING: f64 = 0.02;

/// How the counts are written down anew.
pub const RENEW: &str = "cargo bench -- --renew";

/// One case and what a round of it takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub case: String,
    pub instructions: f64,
    pub allocations: f64,
}

/// Counts, and by what they came about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Processor and system: other ones have other instructions.
    pub target: String,
    /// Another compiler makes other instructions.
    pub compiler: String,
    pub rows: Vec<Row>,
}

impl Table {
    /// From the file.
    pub fn parse(text: &str) -> Result<Table, String> {
        let mut table = Table::default();
        let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        for (at, line) in lines {
            let wrong = || format!("line {}: \"{line}\": expected CASE INSTRUCTIONS ALLOCATIONS", at + 1);
            let (first, rest) = line.split_once(' ').ok_or_else(wrong)?;
            let rest = rest.trim();
            match first {
                "target" => table.target = rest.to_owned(),
                "compiler" => table.compiler = rest.to_owned(),
                case => {
                    let numbers: Result<Vec<f64>, _> = rest.split_whitespace().map(str::parse).collect();
                    let Ok(&[instructions, allocations]) = numbers.as_deref() else { return Err(wrong()) };
                    table.rows.push(Row { case: case.to_owned(), instructions, allocations });
                }
            }
        }
        Ok(table)
    }

    /// For the file.
    pub fn text(&self) -> String {
        let mut text = format!(
            "# Instructions and allocations of one round of each case (docs/testing.md), written by\n# `{RENEW}`\n\
             target {}\ncompiler {}\n",
            self.target, self.compiler
        );
        for row in &self.rows {
            let _always =
                writeln!(text, "{:<20} {:>9.0} {:>7.1}", row.case, row.instructions, row.allocations);
        }
        text
    }

    /// The row of a case.
    pub fn row(&self, case: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.case == case)
    }
}

/// What has grown too much of what is `written`, in words; empty: nothing.
pub fn too_much(written: &Table, counted: &Table) -> Vec<String> {
    let mut wrong = Vec::new();
    for row in &counted.rows {
        let Some(old) = written.row(&row.case) else {
            wrong.push(format!("{}: not written down", row.case));
            continue;
        };
        if row.instructions > old.instructions * (1.0 + GROWTH) {
            wrong.push(grown(&row.case, "instructions", old.instructions, row.instructions));
        }
        if row.allocations > old.allocations * (1.0 + GROWTH) + ALLOCATION_SLACK {
            wrong.push(grown(&row.case, "allocations", old.allocations, row.allocations));
        }
    }
    let gone = written.rows.iter().filter(|row| counted.row(&row.case).is_none());
    wrong.extend(gone.map(|row| format!("{}: written down, but there is no such case", row.case)));
    wrong
}

fn grown(case: &str, what: &str, from: f64, to: f64) -> String {
    let decimals = usize::from(what == "allocations");
    format!("{case}: {to:.decimals$} {what} a round, {from:.decimals$} written down: {}", change(from, to))
}

/// In percent, where there is anything to take a part of.
pub fn change(from: f64, to: f64) -> String {
    if from == 0.0 { "from none".to_owned() } else { format!("{:+.1} %", (to / from - 1.0) * 100.0) }
}

/// What `events` events that nobody looks at take of `whole`, each as much as `note`: in words, and
/// whether it is too much.
pub fn tracing(events: usize, note: &Row, whole: &Row) -> (String, bool) {
    let cost = events as f64 * note.instructions;
    let part = cost / whole.instructions;
    let said = format!(
        "tracing while nobody looks, {}: {events} events of {:.0} instructions are {:.2} % of {:.0} (limit {:.0} %), \
         {:.1} allocations (limit 0)",
        whole.case,
        note.instructions,
        part * 100.0,
        whole.instructions,
        TRACING * 100.0,
        note.allocations
    );
    (said, part > TRACING || note.allocations > ALLOCATION_SLACK)
}
