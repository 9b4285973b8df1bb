//! Several reports on one name, hop by hop: where they agree, where they part, what has changed.
//!
//! Knows: what makes two hops the same (not TTL, not the order of records, not which server told).
//! Does not know: how it is shown. Shown by: `tests/show.rs`.

use super::{HopSeen, Report, words};
use crate::master::rdata_to_text;
use crate::trace::End;

/// What distinguishes the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The type that is asked for.
    Types,
    /// Who resolves.
    Resolvers,
}

/// Reports side by side.
#[derive(Debug)]
pub struct Beside {
    /// What distinguishes the columns.
    pub kind: Kind,
    /// At least one.
    pub columns: Vec<Column>,
    /// What they say, hop by hop.
    pub rows: Vec<Row>,
    /// The first hop, counted from 1, at which they do not go the same way. Types go the same way when
    /// they pass the same names; resolvers must find the same data, too.
    pub diverges: Option<usize>,
}

/// One of them.
#[derive(Debug)]
pub struct Column {
    /// What distinguishes it.
    pub label: String,
    /// What came of it.
    pub report: Report,
}

/// Something that is said of a hop.
#[derive(Debug)]
pub struct Row {
    /// Counted from 1.
    pub hop: usize,
    /// What.
    pub text: String,
    /// By which of the columns.
    pub said_by: Vec<bool>,
}

/// A difference between two reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The hop, counted from 1; `None`: how it ended.
    pub hop: Option<usize>,
    /// What was said before.
    pub gone: Option<String>,
    /// What is said now.
    pub new: Option<String>,
}

impl Beside {
    /// These reports side by side.
    pub fn new(kind: Kind, columns: Vec<Column>) -> Beside {
        let said: Vec<Vec<String>> = columns.iter().map(|column| statements(&column.report)).collect();
        let hops = said.iter().map(Vec::len).max().unwrap_or(0);
        let mut rows = Vec::new();
        for at in 0..hops {
            let mut texts: Vec<&String> = Vec::new();
            for text in said.iter().filter_map(|said| said.get(at)) {
                if !texts.contains(&text) {
                    texts.push(text);
                }
            }
            rows.extend(texts.into_iter().map(|text| Row {
                hop: at + 1,
                text: text.clone(),
                said_by: said.iter().map(|said| said.get(at) == Some(text)).collect(),
            }));
        }
        let diverges = diverges(kind, &columns, &said);
        Beside { kind, columns, rows, diverges }
    }

    /// Whether they go the same way, in a sentence.
    pub fn divergence(&self) -> String {
        match (self.diverges, self.kind) {
            (Some(hop), _) => format!("They part at hop {hop}."),
            (None, Kind::Types) => "All types go the same way.".to_owned(),
            (None, Kind::Resolvers) => "All say the same.".to_owned(),
        }
    }
}

fn diverges(kind: Kind, columns: &[Column], said: &[Vec<String>]) -> Option<usize> {
    let hops = said.iter().map(Vec::len).max().unwrap_or(0);
    let next = |column: &Column, at: usize| {
        let hop = column.report.hops.get(at)?;
        let target = hop.alias.as_ref().map(|alias| alias.target.clone());
        Some((hop.look_up.question.name.clone(), target))
    };
    let differ = |at: &usize| match kind {
        Kind::Resolvers => said.iter().any(|other| said.first().map(|s| s.get(*at)) != Some(other.get(*at))),
        Kind::Types => {
            columns.iter().any(|other| columns.first().map(|c| next(c, *at)) != Some(next(other, *at)))
        }
    };
    (0..hops).find(differ).map(|at| at + 1)
}

/// What a report says of each hop.
fn statements(report: &Report) -> Vec<String> {
    report.hops.iter().map(|hop| statement(report, hop)).collect()
}

fn statement(report: &Report, hop: &HopSeen) -> String {
    let question = &hop.look_up.question;
    if let Some(alias) = &hop.alias {
        let target = alias.target.as_ref().map_or("(too long)".to_owned(), ToString::to_string);
        let by = alias.dname.as_ref().map(|(owner, target)| format!(" (by {owner} DNAME {target})"));
        return format!("{} CNAME {target}{}", question.name, by.unwrap_or_default());
    }
    if hop.end != Some(End::Data) {
        return format!("{question}: {}", words::no_data(hop));
    }
    let sets = report.answer.terminal.iter();
    let records = sets.flat_map(|held| {
        held.set
            .rdata
            .iter()
            .map(|rdata| format!("{} {}", held.set.rtype, rdata_to_text(held.set.rtype, rdata)))
    });
    // In whatever order they came.
    let mut records: Vec<String> = records.collect();
    records.sort();
    format!("{} {}", question.name, records.join(", "))
}

/// What differs between two resolutions of the same question.
pub fn changes(before: &Report, after: &Report) -> Vec<Change> {
    let (old, new) = (statements(before), statements(after));
    let mut changes: Vec<Change> = (0..old.len().max(new.len()))
        .filter(|at| old.get(*at) != new.get(*at))
        .map(|at| Change { hop: Some(at + 1), gone: old.get(at).cloned(), new: new.get(at).cloned() })
        .collect();
    let (was, is) = (ending(before), ending(after));
    if was != is {
        changes.push(Change { hop: None, gone: Some(was), new: Some(is) });
    }
    changes
}

/// The RCODE, and the kind of failure; how many servers were silent today is no change.
fn ending(report: &Report) -> String {
    let rcode = format!("{:?}", report.answer.rcode).to_uppercase();
    match &report.answer.failure {
        Some(failure) => format!("{rcode} ({})", failure.kind()),
        None => rcode,
    }
}
