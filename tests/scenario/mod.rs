//! Scenarios: each file of `tests/scenarios`, and of any folder named by `CNAMED_SCENARIOS`, played
//! in-process against a fresh resolver. `docs/testing.md` describes the dialect and the variables.
//!
//! Shows: every rule of behaviour; which file shows which is said in its first line and in
//! `docs/rfc.md`.

pub(crate) mod run;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use cnamed::scenario::parse::parse;
use cnamed::scenario::script::Scenario;
use run::Mode;

/// Does the resolver validate? Until then scenarios with a trust anchor are only counted.
const VALIDATES: bool = true;
/// Real time that one scenario in one mode may take; it should take milliseconds.
const REAL_TIME: Duration = Duration::from_secs(20);
/// How many files may be known to fail.
const MOST_ALLOWED_FAILURES: usize = 3;

/// Names the folder to play beside our own.
const FOLDER: &str = "CNAMED_SCENARIOS";
/// Plays only files whose name contains this.
const FILTER: &str = "CNAMED_SCENARIO_FILTER";
/// Prints every message upstream.
const VERBOSE: &str = "CNAMED_SCENARIO_VERBOSE";

#[test]
fn own_scenarios_pass() {
    play_folder(&project("tests/scenarios"));
}

#[test]
fn scenarios_of_the_folder_in_the_environment_pass() {
    match std::env::var_os(FOLDER) {
        Some(folder) => play_folder(Path::new(&folder)),
        None => println!("{FOLDER} names no folder"),
    }
}

#[test]
fn every_own_scenario_says_what_it_shows() {
    for (file, text) in texts(&project("tests/scenarios")) {
        let first = text.lines().next().unwrap_or("");
        let cites = first.contains("RFC ") || first.contains("rule") || first.contains("contract");
        assert!(first.starts_with("; ") && cites, "{file}:1: expected `; sentence (RFC or rule)`");
    }
}

/// The rules of `alias-rules.md` that hold without validation (R14 in part, R30, R31), DNS64 (R33) and
/// local policy (R41 to R44).
const RULES_SHOWN: [std::ops::RangeInclusive<u32>; 4] = [1..=29, 32..=32, 34..=40, 45..=46];

#[test]
fn every_rule_is_shown_by_a_scenario() {
    let firsts: Vec<String> = texts(&project("tests/scenarios"))
        .into_iter()
        .map(|(_, text)| text.lines().next().unwrap_or("").to_owned())
        .collect();
    let named = |rule: u32| {
        let name = format!("R{rule}");
        firsts.iter().any(|line| line.split(|c: char| !c.is_alphanumeric()).any(|word| word == name))
    };
    let missing: Vec<u32> = RULES_SHOWN.into_iter().flatten().filter(|rule| !named(*rule)).collect();
    assert!(missing.is_empty(), "no scenario's first line names the rules {missing:?}");
}

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Every `.rpl` file of a folder, by name.
fn texts(folder: &Path) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rpl"));
    files.sort();
    let read = |path: &PathBuf| {
        let text = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        (name, String::from_utf8_lossy(&text).into_owned())
    };
    files.iter().map(read).collect()
}

/// Files that may fail, with the reason: rows of the table under "Allowed failures" in
/// `docs/testing.md`.
fn allowed_failures() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(project("docs/testing.md")).unwrap();
    let section = text.split("\n## ").find(|section| section.starts_with("Allowed failures")).unwrap();
    let rows = section.lines().filter_map(|line| {
        let mut cells = line.trim().trim_matches('|').split('|').map(str::trim);
        let file = cells.next()?.trim_matches('`');
        Some((file.to_owned(), cells.next()?.to_owned())).filter(|_| file.ends_with(".rpl"))
    });
    let allowed: BTreeMap<String, String> = rows.collect();
    assert!(allowed.len() <= MOST_ALLOWED_FAILURES, "docs/testing.md allows too many failures");
    allowed
}

/// What became of the files of a folder.
#[derive(Default)]
struct Tally {
    passed: usize,
    needs_validation: Vec<String>,
    allowed: Vec<String>,
    failures: Vec<String>,
}

fn play_folder(folder: &Path) {
    let filter = std::env::var(FILTER).unwrap_or_default();
    let allowed = allowed_failures();
    let mut tally = Tally::default();
    for (file, text) in texts(folder) {
        if file.contains(&filter) {
            tally.add(&file, play_file(&file, &text), allowed.get(&file));
        }
    }
    println!("{tally}");
    assert!(tally.failures.is_empty(), "{}\n\n{tally}", tally.failures.join("\n\n"));
}

impl Tally {
    fn add(&mut self, file: &str, outcome: Outcome, allowed: Option<&String>) {
        match (outcome, allowed) {
            (Outcome::NeedsValidation, _) => self.needs_validation.push(file.to_owned()),
            (Outcome::Passed, None) => self.passed += 1,
            (Outcome::Passed, Some(_)) => {
                self.failures.push(format!("{file} passes: take it from the table in docs/testing.md"));
            }
            (Outcome::Failed(_), Some(reason)) => self.allowed.push(format!("{file}: {reason}")),
            (Outcome::Failed(reports), None) => self.failures.push(reports.join("\n")),
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (failed, waiting) = (self.failures.len(), &self.needs_validation);
        writeln!(f, "scenarios: {} passed, {failed} failed, {} need validation", self.passed, waiting.len())?;
        for file in waiting {
            writeln!(f, "  needs validation: {file}")?;
        }
        for line in &self.allowed {
            writeln!(f, "  may fail: {line}")?;
        }
        Ok(())
    }
}

enum Outcome {
    Passed,
    /// One report per mode that failed.
    Failed(Vec<String>),
    NeedsValidation,
}

fn play_file(file: &str, text: &str) -> Outcome {
    let scenario = match parse(file, text) {
        Ok(scenario) => Arc::new(scenario),
        Err(e) => return Outcome::Failed(vec![e]),
    };
    if !VALIDATES && !scenario.settings.trust_anchors.is_empty() {
        return Outcome::NeedsValidation;
    }
    let play = |mode| play_guarded(&scenario, mode).err().map(|e| format!("{file} [{mode}]\n{e}"));
    let reports: Vec<String> = run::modes(&scenario.settings).into_iter().filter_map(play).collect();
    if reports.is_empty() { Outcome::Passed } else { Outcome::Failed(reports) }
}

/// Plays on a thread of its own, so that neither a panic nor an endless loop takes the rest along.
fn play_guarded(scenario: &Arc<Scenario>, mode: Mode) -> Result<(), String> {
    let verbose = std::env::var_os(VERBOSE).is_some();
    if verbose {
        eprintln!("{} [{mode}]", scenario.file);
    }
    let (done, result) = mpsc::channel();
    let scenario = scenario.clone();
    let thread = std::thread::spawn(move || {
        let _ = done.send(run::play(scenario, mode, verbose));
    });
    match result.recv_timeout(REAL_TIME) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => {
            Err(format!("still running after {REAL_TIME:?} of real time"))
        }
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            let panic = thread.join().err();
            let text = panic.as_ref().and_then(|panic| {
                panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied())
            });
            Err(format!("panicked: {}", text.unwrap_or("without a message")))
        }
    }
}
