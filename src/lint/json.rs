//! Findings for programs: one JSON document, whose form is `docs/check.schema.json`.
//!
//! Knows: the form. It is versioned: a field may be added within a version, nothing else changes.
//! Shown by: `tests/check.rs`, which holds it against the schema.

use serde::Serialize;

use super::text::Summary;
use super::{Checked, Finding, Record};
use crate::idn;

/// Of the form of the document.
pub const VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    complete: bool,
    summary: Counts,
    names: Vec<NameFound<'a>>,
}

#[derive(Serialize)]
struct Counts {
    names: usize,
    clean: usize,
    errors: usize,
    warnings: usize,
    notices: usize,
}

#[derive(Serialize)]
struct NameFound<'a> {
    name: String,
    unicode: Option<String>,
    leads_to: Vec<String>,
    findings: Vec<Found<'a>>,
}

#[derive(Serialize)]
struct Found<'a> {
    code: &'a str,
    severity: String,
    at: String,
    unicode: Option<String>,
    what: &'a str,
    records: Vec<RecordFound<'a>>,
    why: &'a str,
    references: Vec<ReferenceFound<'a>>,
    remedy: &'a str,
}

#[derive(Serialize)]
struct RecordFound<'a> {
    owner: String,
    ttl: Option<u32>,
    #[serde(rename = "type")]
    rtype: String,
    rdata: Option<&'a str>,
}

#[derive(Serialize)]
struct ReferenceFound<'a> {
    rfc: u16,
    section: &'a str,
}

/// Everything that was found; `complete`: every name was checked.
pub fn render(checked: &[Checked], complete: bool) -> String {
    let mut summary = Summary::default();
    checked.iter().for_each(|one| summary.add(one));
    let Summary { names, clean, errors, warnings, notices } = summary;
    let document = Document {
        version: VERSION,
        complete,
        summary: Counts { names, clean, errors, warnings, notices },
        names: checked.iter().map(name_found).collect(),
    };
    // What is made of strings and numbers alone can be written.
    serde_json::to_string_pretty(&document).unwrap_or_default()
}

fn name_found(checked: &Checked) -> NameFound<'_> {
    NameFound {
        name: checked.name.to_string(),
        unicode: checked.in_own_script(),
        leads_to: checked.leads_to.iter().map(ToString::to_string).collect(),
        findings: checked.findings.iter().map(found).collect(),
    }
}

fn found(finding: &Finding) -> Found<'_> {
    let kind = &finding.kind;
    let references =
        kind.references.iter().map(|reference| ReferenceFound { rfc: reference.0, section: reference.1 });
    Found {
        code: kind.code,
        severity: kind.severity.to_string(),
        at: finding.at.to_string(),
        unicode: idn::in_own_script(&finding.at),
        what: &finding.what,
        records: finding.records.iter().map(record_found).collect(),
        why: kind.why,
        references: references.collect(),
        remedy: kind.remedy,
    }
}

fn record_found(record: &Record) -> RecordFound<'_> {
    RecordFound {
        owner: record.owner.to_string(),
        ttl: record.ttl,
        rtype: record.rtype.to_string(),
        rdata: record.rdata.as_deref(),
    }
}
