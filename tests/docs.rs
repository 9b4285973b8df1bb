//! What the documents say is there is there: links, modules, scenarios, rules, commands.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Every RFC whose rules for a resolver are followed.
const IN_SCOPE: [u32; 45] = [
    1034, 1035, 2181, 2308, 3597, 4343, 4592, 4892, 5452, 6303, 6604, 6672, 6761, 6891, 7686, 7766, 7793,
    7873, 8020, 8375, 8482, 8767, 8914, 9018, 9156, 9460, 9462, 9476, 9520, 9609, 9665, 4033, 4034, 4035,
    5011, 5155, 6605, 6840, 7646, 8080, 8145, 8198, 8509, 9077, 9276,
];

/// The rules for aliases, but for DNS64 and local policy.
const RULES: [std::ops::RangeInclusive<u32>; 3] = [1..=32, 34..=40, 45..=46];

#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    for file in documents() {
        let text = read(&file);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap_or("");
            let is_local = !path.is_empty() && !path.contains("://");
            if is_local && !file.parent().unwrap().join(path).exists() {
                broken.push(format!("{}: {target}", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn modules_of_rfc_md_exist() {
    let known = |path: &str| {
        let parts: Vec<&str> = path.split("::").collect();
        (1..=parts.len()).rev().any(|n| {
            let file = parts[..n].join("/");
            let files = [format!("src/{file}.rs"), format!("src/{file}/mod.rs")];
            let text = files.iter().find_map(|f| std::fs::read_to_string(project(f)).ok());
            text.is_some_and(|text| parts[n..].iter().all(|item| has_word(&text, item)))
        })
    };
    let wrong: Vec<String> = rows()
        .flat_map(|row| row.modules.into_iter().map(move |m| (row.name.clone(), m)))
        .filter(|(_, module)| !known(module))
        .map(|(row, module)| format!("{row}: {module}"))
        .collect();
    assert!(wrong.is_empty(), "docs/rfc.md names what src does not have: {wrong:#?}");
}

#[test]
fn every_row_of_rfc_md_is_shown() {
    let scenarios = scenarios();
    let exists = |shown: &str| {
        if shown.contains("::") {
            return is_test(shown);
        }
        if shown.ends_with(".rs") {
            return std::fs::read_to_string(project(shown)).is_ok_and(|text| text.contains("test]"));
        }
        scenarios.keys().any(|name| fits(shown, name))
    };
    let mut wrong = Vec::new();
    for row in rows() {
        if row.shown.is_empty() || row.modules.is_empty() {
            wrong.push(format!("{}: no module or nothing that shows it", row.name));
        }
        wrong.extend(row.shown.iter().filter(|s| !exists(s)).map(|s| format!("{}: {s}", row.name)));
    }
    assert!(wrong.is_empty(), "docs/rfc.md names what is not there: {wrong:#?}");
}

#[test]
fn every_scenario_stands_in_rfc_md() {
    let named: BTreeSet<String> = rows().flat_map(|row| row.shown).collect();
    let missing: Vec<String> =
        scenarios().into_keys().filter(|name| !named.iter().any(|n| fits(n, name))).collect();
    assert!(missing.is_empty(), "docs/rfc.md does not name {missing:#?}");
}

#[test]
fn every_rfc_in_scope_stands_in_rfc_md() {
    let text: String = read(&project("docs/rfc.md")).replace('|', " ");
    let words: BTreeSet<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let missing: Vec<u32> = IN_SCOPE.into_iter().filter(|rfc| !words.contains(&*rfc.to_string())).collect();
    assert!(missing.is_empty(), "docs/rfc.md has nothing on {missing:?}");
}

#[test]
fn rules_and_first_lines_agree() {
    let mut by_rule: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    for (name, first) in scenarios() {
        for rule in first.split(|c: char| !c.is_alphanumeric()).filter_map(rule) {
            by_rule.entry(rule).or_default().insert(name.clone());
        }
    }
    let listed: BTreeMap<u32, BTreeSet<String>> =
        rows().filter_map(|row| Some((rule(&row.name)?, row.shown.into_iter().collect()))).collect();
    for number in RULES.into_iter().flatten() {
        assert!(listed.contains_key(&number), "docs/rfc.md has no row for R{number}");
    }
    for number in by_rule.keys().chain(listed.keys()) {
        assert_eq!(
            listed.get(number),
            by_rule.get(number),
            "R{number}: docs/rfc.md (left) and first lines of scenarios (right)"
        );
    }
}

/// What a newcomer runs is what CI runs.
#[test]
fn readme_and_ci_run_the_same_tests() {
    const TESTS: &str = "cargo test --locked";
    assert!(read(&project("README.md")).lines().any(|line| line.trim() == TESTS));
    assert!(read(&project(".ci/run")).lines().any(|line| line.trim() == format!("run {TESTS}")));
}

#[test]
fn decisions_are_listed() {
    let list = read(&project("docs/decisions/README.md"));
    for file in files("docs/decisions", "md") {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name == "README.md" || list.contains(&format!("({name})")), "{name} is not listed");
    }
}

/// A row of a table of `docs/rfc.md`: section or rule, what we do, modules, what shows it.
struct Row {
    name: String,
    modules: Vec<String>,
    shown: Vec<String>,
}

fn rows() -> impl Iterator<Item = Row> {
    let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let text = read(&project("docs/rfc.md"));
    let rows: Vec<Row> = text
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [_, name, _, modules, shown, _] = cells.as_slice() else { return None };
            let is_head = *modules == "Module" || modules.starts_with("---");
            (!is_head).then(|| Row {
                name: (*name).to_owned(),
                modules: quoted(modules),
                shown: quoted(shown),
            })
        })
        .collect();
    assert!(rows.len() > 100, "{} rows were found in docs/rfc.md", rows.len());
    rows.into_iter()
}

/// Every scenario of our own and its first line.
fn scenarios() -> BTreeMap<String, String> {
    let one = |file: PathBuf| {
        let text = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        (name, text.lines().next().unwrap_or("").to_owned())
    };
    files("tests/scenarios", "rpl").into_iter().map(one).collect()
}

/// `R19` is 19.
fn rule(word: &str) -> Option<u32> {
    word.strip_prefix('R')?.parse().ok()
}

/// Does a name fit one that may end in `*`?
fn fits(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

/// Is `a::b::name` a test in `tests/a/b.rs` or `tests/a.rs`?
fn is_test(path: &str) -> bool {
    let Some((module, name)) = path.rsplit_once("::") else { return false };
    let file = project(&format!("tests/{}.rs", module.replace("::", "/")));
    let Ok(text) = std::fs::read_to_string(file) else { return false };
    let functions = text.split("fn ").skip(1).filter_map(|rest| rest.split('(').next());
    functions.into_iter().any(|function| fits(name, function))
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == word)
}

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(project(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|e| e == extension)).collect();
    files.sort();
    files
}

fn documents() -> Vec<PathBuf> {
    [files(".", "md"), files("docs", "md"), files("docs/decisions", "md")].concat()
}
