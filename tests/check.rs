//! `cnamed check`: each example of `docs/check.md` under virtual time, each clean name there, the JSON
//! against its schema; and, for every name of `docs/lab.md`, what holds for all findings.
//!
//! When an example changes on purpose, run this with `CNAMED_BLESS=1` and read the difference.

mod cli;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cnamed::cli::check::inspect::Inspector;
use cnamed::config::Config;
use cnamed::lab;
use cnamed::lint::text::{Summary, render};
use cnamed::lint::{self, Case, Checked, Lists, Severity, Suffixes, json, kind, plan};
use cnamed::render::text::{Colour, WIDTH};
use cnamed::world::{Clock, Rng, World};

use crate::lab::documented_outcomes;

/// Set: the examples are written anew.
const BLESS: &str = "CNAMED_BLESS";

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn page() -> String {
    std::fs::read_to_string(project("docs/check.md")).unwrap()
}

/// One that asks inside the embedded world, whose signed zones are proven.
fn inspector(seed: u64) -> Inspector {
    let lab = lab::World::embedded().unwrap().with_rng(Rng::seeded(seed));
    let mut config = Config::default();
    config.resolver.hints = lab.hints();
    config.dnssec.anchors = lab.anchors();
    assert!(config.dnssec.validation && !config.dnssec.anchors.is_empty());
    let world = World { network: lab, clock: Clock::system(), rng: Rng::seeded(seed) };
    Inspector::new(Arc::new(config), world, Vec::new())
}

async fn inspect(name: &str) -> Case {
    inspector(1).inspect(&cnamed::idn::parse(name).unwrap()).await.case
}

async fn check(name: &str, lists: &Lists) -> Checked {
    lint::check(&inspect(name).await, lists)
}

/// What stands between a fence of this kind and the next fence, with where it begins.
fn blocks(page: &str, fence: &str) -> Vec<(usize, String)> {
    let opening = format!("```{fence}\n");
    page.match_indices(&opening)
        .map(|(at, _)| {
            let begins = at + opening.len();
            (begins, page[begins..].split("```").next().unwrap().to_owned())
        })
        .collect()
}

/// The list that the page shows under this name.
fn list_of(page: &str, file: &str) -> Suffixes {
    let head = format!("# {file}\n");
    let (_, text) = blocks(page, "text").into_iter().find(|(_, text)| text.starts_with(&head)).unwrap();
    Suffixes::parse(&text, file).unwrap()
}

/// Both lists of the page.
fn lists() -> Lists {
    let page = page();
    Lists { takeover: list_of(&page, "services.txt"), trackers: list_of(&page, "trackers.txt") }
}

/// What the command of an example prints.
async fn played(page: &str, command: &str) -> String {
    let (mut lists, mut names, mut as_json) = (Lists::default(), Vec::new(), false);
    let mut words = command.split(' ').skip(2);
    while let Some(word) = words.next() {
        match word {
            "--lab" => {}
            "--format" => as_json = words.next() == Some("json"),
            "--takeover-list" => lists.takeover = list_of(page, words.next().unwrap()),
            "--tracker-list" => lists.trackers = list_of(page, words.next().unwrap()),
            name => names.push(name),
        }
    }
    let (mut text, mut summary, mut all) = (String::new(), Summary::default(), Vec::new());
    for name in &names {
        let checked = check(name, &lists).await;
        text.push_str(&render(&checked, Colour::Never));
        summary.add(&checked);
        all.push(checked);
    }
    if as_json {
        return format!("{}\n", json::render(&all, true));
    }
    if names.len() > 1 {
        text.push_str(&format!("{}\n", summary.line(names.len())));
    }
    text
}

#[tokio::test(start_paused = true)]
async fn the_documentation_shows_what_is_printed() {
    let old = page();
    let mut new = old.clone();
    let mut played_all = 0;
    for fence in ["text", "json"] {
        for (_, block) in blocks(&old, fence) {
            let Some((command, _)) = block.split_once('\n').filter(|(c, _)| c.starts_with("$ cnamed "))
            else {
                continue;
            };
            let shown = format!("{command}\n{}", played(&old, &command[2..]).await);
            new = new.replace(&format!("```{fence}\n{block}```"), &format!("```{fence}\n{shown}```"));
            played_all += 1;
        }
    }
    assert!(played_all > kind::ALL.len(), "{played_all} examples were found in docs/check.md");
    if std::env::var_os(BLESS).is_some() {
        std::fs::write(project("docs/check.md"), &new).unwrap();
    }
    for (before, after) in page().lines().zip(new.lines()) {
        assert_eq!(before, after, "docs/check.md (left) and what is printed (right)");
    }
    assert_eq!(page(), new);
}

/// One section of the page: the arguments of its example, and names that are clean.
struct Documented {
    example: String,
    clean: Vec<String>,
}

/// Every section about a code.
fn documented() -> BTreeMap<String, Documented> {
    let page = page();
    let sections = page.split("\n### ").skip(1).map(|section| {
        let (code, text) = section.split_once('\n').unwrap();
        let example = blocks(text, "text").remove(0).1;
        let example = example.lines().next().unwrap().trim_start_matches("$ cnamed check --lab ").to_owned();
        let clean = text.split("\nClean: ").nth(1).unwrap().split(".\n\n").next().unwrap();
        // Names stand before the parentheses that say why.
        let clean = clean.split("; ").map(|one| one.split('`').nth(1).unwrap().to_owned()).collect();
        (code.to_owned(), Documented { example, clean })
    });
    sections.collect()
}

#[tokio::test(start_paused = true)]
async fn every_code_has_a_name_that_shows_it_and_a_clean_one_that_does_not() {
    let (sections, lists) = (documented(), lists());
    let codes: BTreeSet<&str> = kind::ALL.iter().map(|kind| kind.code).collect();
    assert_eq!(sections.keys().map(String::as_str).collect::<BTreeSet<_>>(), codes);
    for (code, Documented { example, clean }) in sections {
        let name = example.split(' ').next().unwrap();
        let checked = check(name, &lists).await;
        let found: Vec<&str> = checked.findings.iter().map(|finding| finding.kind.code).collect();
        assert!(found.contains(&code.as_str()), "{name}: {found:?}, and not {code}");
        assert!(!clean.is_empty(), "{code}");
        for name in clean {
            let checked = check(&name, &lists).await;
            assert_eq!(checked.findings, [], "{code}: {name} should be clean");
        }
    }
}

/// Which codes a name has, without lists.
async fn codes_of(name: &str) -> Vec<&'static str> {
    check(name, &Lists::default()).await.findings.iter().map(|finding| finding.kind.code).collect()
}

/// What stands beside the examples: other causes of the same finding, and where one kind gives way to
/// another.
#[tokio::test(start_paused = true)]
async fn each_cause_has_its_code() {
    for (name, codes) in [
        ("self.loop.example", &["alias-loop"][..]),
        ("x3.loop.example", &["alias-loop"]),
        ("zero-a.loop.example", &["alias-loop", "alias-ttl-zero", "alias-ttl-zero"]),
        ("www.left.dname.example", &["alias-loop"]),
        ("www.self.dname.example", &["dname-below-itself"]),
        ("www.grow.dname.example", &["dname-below-itself"]),
        ("hops16.chain.example", &["long-chain", "zone-reentered"]),
        ("notld.alias.example", &["dangling-alias"]),
        ("www.gone.dname.example", &["unregistered-target"]),
        ("orphan.lint.example", &["dangling-alias"]),
        ("upward.alias.example", &["lame-target"]),
        ("refused.alias.example", &["lame-target"]),
        ("servfail.alias.example", &["lame-target"]),
        ("cyclic.alias.example", &["lame-target"]),
        ("www.lame.example", &["unresolved"]),
        ("www.silent.example", &["unresolved"]),
        ("www.nsalias.example", &["unresolved", "ns-target-alias"]),
        ("www.split.example", &["cname-and-other-data", "address-families-diverge"]),
        ("mx.broken.example", &["mx-target-alias"]),
        ("*.tree.wild.example", &["wildcard-dname"]),
        ("xn--99999999.lint.example", &["idna-invalid"]),
        ("metrics.lint.example", &[]),
        ("nothing.example.net", &[]),
        ("localhost", &[]),
        (".", &[]),
    ] {
        assert_eq!(codes_of(name).await, codes, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_alias_mode_can_dangle() {
    let checked = check("svc-gone.lint.example", &lists()).await;
    let found: Vec<_> = checked.findings.iter().map(|f| (f.kind.code, f.at.to_string())).collect();
    assert_eq!(found, [("dangling-alias", "nothing.example.net.".to_owned())]);
    assert_eq!(
        checked.findings[0].records[0].to_string(),
        "svc-gone.lint.example. 3600 HTTPS 0 nothing.example.net."
    );
    // `.` means that there is no such service (RFC 9460 §2.5.1), and a loop is nobody's address.
    for name in ["svc.alias.example", "svc-none.alias.example", "svc-cname.alias.example"] {
        assert_eq!(codes_of(name).await, [""; 0], "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_third_party_is_at_home_under_its_own_name() {
    let own = check("lint.collect.example.net", &lists()).await;
    let other = check("metrics.lint.example", &lists()).await;
    assert_eq!(own.findings, []);
    assert_eq!(other.findings.len(), 1);
}

/// Sentences for failures are the resolver's own, so that a client's EDE, a trace and a finding agree.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_resolved_is_said_in_the_resolvers_words() {
    let mut failed = 0;
    for (text, outcome) in documented_outcomes() {
        let (name, rtype) = text.split_once(' ').unwrap();
        if outcome != "SERVFAIL" || rtype != "A" {
            continue;
        }
        let case = inspect(name).await;
        let sentence = case.own[0].answer.failure.as_ref().unwrap().sentence();
        let said = case.own[0].answer.edes.iter().any(|ede| ede.text == sentence);
        let found = lint::check(&case, &Lists::default()).findings;
        assert!(
            said && found.iter().any(|finding| finding.what == sentence),
            "{text}: {sentence}: {found:?}"
        );
        failed += 1;
    }
    assert!(failed > 25, "only {failed} names fail");
}

/// For every name of the embedded world.
#[tokio::test(start_paused = true)]
async fn whatever_is_found_is_bounded_ordered_and_80_columns_wide() {
    let names: BTreeSet<String> = documented_outcomes()
        .into_iter()
        .map(|(text, _)| text.split(' ').next().unwrap().to_owned())
        .collect();
    let mut all = Vec::new();
    for name in names {
        let case = inspect(&name).await;
        let asked = case.own.len() + case.targets.len() + usize::from(case.wildcard.is_some());
        assert!(asked <= plan::MAX_QUESTIONS, "{name}: {asked} questions");
        let checked = lint::check(&case, &lists());
        let weights: Vec<Severity> = checked.findings.iter().map(|finding| finding.kind.severity).collect();
        assert!(weights.is_sorted(), "{name}: {weights:?}");
        let text = render(&checked, Colour::Never);
        for line in text.lines().filter(|line| line.chars().count() > WIDTH) {
            assert_eq!(line.trim_start().split(' ').count(), 1, "{name}: {line}");
        }
        let mut coloured = render(&checked, Colour::Ansi);
        assert_eq!(coloured.contains("\x1b["), !checked.findings.is_empty(), "{name}");
        for code in [0, 1, 31, 33] {
            coloured = coloured.replace(&format!("\x1b[{code}m"), "");
        }
        assert_eq!(coloured, text);
        all.push(checked);
    }
    assert!(all.len() > 140, "{} names", all.len());
    schema::holds(&json::render(&all, true));
    schema::holds(&json::render(&all, false));
}

/// `docs/check.schema.json`, by a validator that is not ours.
mod schema {
    use boon::{Compiler, Schemas};
    use serde_json::Value;

    fn judge(document: &Value) -> Result<(), String> {
        let text = std::fs::read_to_string(super::project("docs/check.schema.json")).unwrap();
        let schema: Value = serde_json::from_str(&text).unwrap();
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("urn:cnamed:check:1", schema).unwrap();
        let index = compiler.compile("urn:cnamed:check:1", &mut schemas).unwrap();
        schemas.validate(document, index).map_err(|why| why.to_string())
    }

    pub fn holds(text: &str) {
        let document: Value = serde_json::from_str(text).unwrap();
        judge(&document).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn the_schema_is_no_rubber_stamp() {
        let checked = [super::check("mx.alias.example", &super::lists()).await];
        let good: Value = serde_json::from_str(&super::json::render(&checked, true)).unwrap();
        judge(&good).unwrap();
        let spoil: [fn(&mut Value); 5] = [
            |document| document["version"] = 2.into(),
            |document| document["names"][0]["findings"][0]["severity"] = "fatal".into(),
            |document| document["names"][0]["findings"][0]["records"][0]["ttl"] = "3600".into(),
            |document| document["names"][0]["findings"][0]["extra"] = true.into(),
            |document| _ = document["names"][0].as_object_mut().unwrap().remove("leads_to"),
        ];
        for change in spoil {
            let mut bad = good.clone();
            change(&mut bad);
            assert!(judge(&bad).is_err(), "{bad}");
        }
    }
}
