//! Arrows point down: no module uses one of its own row or of a row above, as the table under
//! "Layers" in `docs/architecture.md` has them, and the files of one room form no cycle.
//!
//! Reads the text of `src/` rather than asking the compiler: every path that starts at `crate::` or
//! `super::`, whether in a `use` or not. Comments, strings and unit tests do not count; what a
//! module re-exports counts as the module it comes from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A module by its path below the crate: `["cache", "cuts"]`.
type Module = Vec<String>;

#[test]
fn arrows_point_down() {
    let house = House::read();
    let table = Table::read(&std::fs::read_to_string(project("docs/architecture.md")).unwrap());
    let wrong = upward(&table, &house.arrows());
    assert!(wrong.is_empty(), "against the table in docs/architecture.md:\n{}", wrong.join("\n"));
}

#[test]
fn every_module_has_its_row() {
    let house = House::read();
    let table = Table::read(&std::fs::read_to_string(project("docs/architecture.md")).unwrap());
    let known: BTreeSet<Module> = house.modules.keys().cloned().collect();
    let homeless: Vec<String> =
        known.iter().filter(|module| table.place(module).is_none()).map(|m| m.join("::")).collect();
    assert!(homeless.is_empty(), "docs/architecture.md, \"Layers\", has no row for {homeless:?}");
    let gone: Vec<&String> =
        table.rows.iter().flatten().filter(|name| !known.contains(&path(name))).collect();
    assert!(gone.is_empty(), "docs/architecture.md, \"Layers\", names what src does not have: {gone:?}");
}

/// A file and its children may use each other; its children among themselves only one way.
#[test]
fn files_of_a_room_form_no_cycle() {
    let mut rooms: BTreeMap<String, BTreeMap<Module, BTreeSet<Module>>> = BTreeMap::new();
    for arrow in House::read().arrows() {
        let related = arrow.from.starts_with(&arrow.to) || arrow.to.starts_with(&arrow.from);
        if !related && arrow.from.first() == arrow.to.first() {
            let uses = rooms.entry(arrow.from[0].clone()).or_default();
            uses.entry(arrow.from).or_default().insert(arrow.to);
        }
    }
    for uses in rooms.values() {
        let names: Vec<String> =
            find_cycle(uses).unwrap_or_default().iter().map(|module| module.join("::")).collect();
        assert!(names.is_empty(), "a cycle: {}", names.join(" -> "));
    }
}

#[test]
fn an_upward_arrow_is_seen() {
    let table = Table::read(
        "## Layers\n\n```text\ntop  upper       words after two spaces or a bar | ok\nlow\n```\n",
    );
    assert_eq!(table.rows[0], ["top", "upper"]);
    let house = House {
        modules: [
            ("top", "use crate::low::{self, deep::{A, B}};\npub use inner::C;"),
            ("top::inner", ""),
            (
                "upper",
                "// crate::top\nconst S: &str = \"crate::top\"; const Q: char = '\"';\nuse crate::low;",
            ),
            (
                "low",
                "fn f(x: &'static str) { super::upper::g() }\n#[cfg(test)]\nmod tests { use crate::top; }",
            ),
            ("low::deep", "use crate::top::C;\nuse super::super::top as t;"),
        ]
        .map(|(module, text)| (path(module), (PathBuf::from(module), text.to_owned())))
        .into(),
    };
    let wrong = upward(&table, &house.arrows());
    assert_eq!(
        wrong,
        ["low:1: low uses upper", "low::deep:1: low uses top (top::inner)", "low::deep:2: low uses top"]
    );
}

#[test]
fn a_cycle_is_seen() {
    let uses = |pairs: &[(&str, &str)]| {
        let mut uses: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
        for (from, to) in pairs {
            uses.entry(path(from)).or_default().insert(path(to));
        }
        find_cycle(&uses)
    };
    assert_eq!(uses(&[("a", "b"), ("b", "c"), ("a", "c")]), None);
    assert_eq!(uses(&[("a", "b"), ("b", "c"), ("c", "b")]), Some(vec![path("b"), path("c"), path("b")]));
}

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn path(text: &str) -> Module {
    text.split("::").map(str::to_owned).collect()
}

/// The rows of the table, highest first.
struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// The first fenced block under "## Layers": a row per line, names up to a gap of two spaces
    /// that no name follows, a bar, or the end.
    fn read(document: &str) -> Table {
        let section =
            document.split("\n## ").chain(document.strip_prefix("## ")).find(|s| s.starts_with("Layers"));
        let block = section.and_then(|s| s.split("```").nth(1)).expect("a block under \"## Layers\"");
        let rows = block.lines().skip(1).filter(|line| !line.trim().is_empty());
        Table { rows: rows.map(Table::names).collect() }
    }

    fn names(row: &str) -> Vec<String> {
        let names = row.split("   ").next().unwrap_or("");
        names.split('|').next().unwrap_or("").split_whitespace().map(str::to_owned).collect()
    }

    /// The name in the table that `module` falls under, and its row; the longest counts.
    fn place(&self, module: &Module) -> Option<(usize, &str)> {
        let names = self.rows.iter().enumerate().flat_map(|(row, names)| names.iter().map(move |n| (row, n)));
        let fitting = names.filter(|(_, name)| module.starts_with(&path(name)));
        fitting.max_by_key(|(_, name)| path(name).len()).map(|(row, name)| (row, name.as_str()))
    }
}

/// One module's use of another.
struct Arrow {
    from: Module,
    to: Module,
    place: String,
}

fn upward(table: &Table, arrows: &[Arrow]) -> Vec<String> {
    let wrong = |arrow: &Arrow| {
        let (from_row, from) = table.place(&arrow.from)?;
        let (to_row, to) = table.place(&arrow.to)?;
        let exact = arrow.to.join("::");
        let exact = if exact == to { String::new() } else { format!(" ({exact})") };
        let upward = from != to && to_row <= from_row;
        upward.then(|| format!("{}: {from} uses {to}{exact}", arrow.place))
    };
    arrows.iter().filter_map(wrong).collect()
}

/// Every module with its file and text.
struct House {
    modules: BTreeMap<Module, (PathBuf, String)>,
}

impl House {
    /// All of `src` but `lib.rs`, which names every module, and what only tests have.
    fn read() -> House {
        let mut modules = BTreeMap::new();
        let mut folders = vec![project("src")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).unwrap() {
                let file = entry.unwrap().path();
                let name = file.file_name().unwrap().to_string_lossy().into_owned();
                if file.is_dir() {
                    folders.push(file);
                } else if let Some(stem) = name.strip_suffix(".rs").filter(|s| !["lib", "tests"].contains(s))
                {
                    let below = file.strip_prefix(project("src")).unwrap().parent().unwrap();
                    let mut module: Module =
                        below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
                    if stem != "mod" {
                        module.push(stem.to_owned());
                    }
                    let text = std::fs::read_to_string(&file).unwrap();
                    modules.insert(module, (file, text));
                }
            }
        }
        let for_tests: Vec<Module> =
            modules.iter().flat_map(|(m, (_, text))| only_for_tests(m, text)).collect();
        modules.retain(|module, _| !for_tests.iter().any(|gone| module.starts_with(gone)));
        House { modules }
    }

    fn arrows(&self) -> Vec<Arrow> {
        let codes: BTreeMap<&Module, String> =
            self.modules.iter().map(|(module, (_, text))| (module, code_of(text))).collect();
        let mut arrows = Vec::new();
        for (module, code) in &codes {
            let file = self.modules[*module].0.strip_prefix(project("")).unwrap_or(&self.modules[*module].0);
            for (line, target) in paths(code, module) {
                let to = self.module_of(&target, &codes);
                if to != **module {
                    let place = format!("{}:{line}", file.display());
                    arrows.push(Arrow { from: (*module).clone(), to, place });
                }
            }
        }
        arrows
    }

    /// The module that an item lives in, `target` being its path from the crate's root.
    fn module_of(&self, target: &[String], codes: &BTreeMap<&Module, String>) -> Module {
        let mut length = target.len();
        while length > 0 && !self.modules.contains_key(&target[..length]) {
            length -= 1;
        }
        let module = target[..length].to_vec();
        let item = target.get(length);
        let reexports = codes.get(&module).into_iter().flat_map(|code| reexports(code));
        let origin = reexports
            .filter(|(_, name)| Some(name) == item)
            .map(|(child, _)| [module.clone(), vec![child]].concat())
            .find(|origin| self.modules.contains_key(origin));
        origin.unwrap_or(module)
    }
}

/// The children that `module` declares for tests alone.
fn only_for_tests(module: &Module, text: &str) -> Vec<Module> {
    let declared = text.split("#[cfg(test)]\nmod ").skip(1).filter_map(|rest| rest.split_once(';'));
    let names =
        declared.map(|(name, _)| name).filter(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_'));
    names.map(|name| [module.clone(), path(name)].concat()).collect()
}

/// The text without comments, strings and unit tests; lines stay where they are.
fn code_of(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or("");
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::new();
    let mut i = 0;
    while i < chars.len() {
        let rest = &chars[i..];
        let skip = match rest {
            ['/', '/', ..] => rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
            ['/', '*', ..] => rest.windows(2).position(|w| w == ['*', '/']).map_or(rest.len(), |p| p + 2),
            ['r', '#', '"', ..] => {
                rest.windows(2).position(|w| w == ['"', '#']).map_or(rest.len(), |p| p + 2)
            }
            ['"', ..] => string_length(rest),
            ['\'', '\\', ..] => rest.iter().skip(3).position(|c| *c == '\'').map_or(1, |p| p + 4),
            ['\'', _, '\'', ..] => 3,
            _ => 0,
        };
        if skip == 0 {
            code.push(chars[i]);
            i += 1;
        } else {
            code.extend(rest[..skip].iter().filter(|c| **c == '\n'));
            i += skip;
        }
    }
    code
}

fn string_length(rest: &[char]) -> usize {
    let mut i = 1;
    while i < rest.len() && rest[i] != '"' {
        i += if rest[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

/// Every path from `crate::`, from `cnamed::` or upward from `module`, with its line, as a path from
/// the crate's root.
fn paths(code: &str, module: &Module) -> Vec<(usize, Module)> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        let (line, word) = &tokens[i];
        let starts = i == 0 || tokens[i - 1].1 != "::";
        let mut base = match word.as_str() {
            "crate" | "cnamed" if starts => Some(Vec::new()),
            "super" if starts => Some(parent(module)),
            _ => None,
        };
        i += 1;
        while let Some(above) = base.as_mut().filter(|_| is(&tokens, i, "::") && is(&tokens, i + 1, "super"))
        {
            *above = parent(above);
            i += 2;
        }
        if let Some(base) = base.filter(|_| is(&tokens, i, "::")) {
            i = branch(&tokens, i + 1, base, *line, &mut found);
        }
    }
    found
}

fn parent(module: &Module) -> Module {
    module[..module.len().saturating_sub(1)].to_vec()
}

fn is(tokens: &[(usize, String)], i: usize, word: &str) -> bool {
    tokens.get(i).is_some_and(|(_, token)| token == word)
}

/// Reads one branch of a path from token `i` on and returns the index behind it.
fn branch(
    tokens: &[(usize, String)],
    mut i: usize,
    mut at: Module,
    line: usize,
    found: &mut Vec<(usize, Module)>,
) -> usize {
    loop {
        match tokens.get(i).map(|(_, token)| token.as_str()) {
            Some("{") => {
                i += 1;
                while i < tokens.len() && !is(tokens, i, "}") {
                    let line = tokens[i].0;
                    i = branch(tokens, i, at.clone(), line, found).max(i + 1);
                    while i < tokens.len() && !is(tokens, i, ",") && !is(tokens, i, "}") {
                        i += 1; // `as name`
                    }
                    i += usize::from(is(tokens, i, ","));
                }
                return i + 1;
            }
            Some(word) if word.starts_with(|c: char| c.is_alphabetic() || c == '_') => {
                if word != "self" {
                    at.push(word.to_owned());
                }
                i += 1;
            }
            _ => {}
        }
        if !is(tokens, i, "::") {
            found.push((line, at));
            return i;
        }
        i += 1;
        // `::<T>` and `::*` end the path.
        if is(tokens, i, "<") || is(tokens, i, "*") {
            found.push((line, at));
            return i;
        }
    }
}

/// Words, `::` and single characters, with their lines.
fn tokens(code: &str) -> Vec<(usize, String)> {
    let mut tokens: Vec<(usize, String)> = Vec::new();
    let mut line = 1;
    let mut in_word = false;
    for c in code.chars() {
        let part_of_word = c.is_alphanumeric() || c == '_';
        match tokens.last_mut() {
            Some((_, word)) if part_of_word && in_word => word.push(c),
            Some((_, colon)) if c == ':' && colon == ":" && !in_word => colon.push(c),
            _ if c.is_whitespace() => {}
            _ => tokens.push((line, c.to_string())),
        }
        in_word = part_of_word;
        line += usize::from(c == '\n');
    }
    tokens
}

/// `pub use child::{A, B};` as pairs of child and name.
fn reexports(code: &str) -> Vec<(String, String)> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    for i in 0..tokens.len() {
        if is(&tokens, i, "pub") && is(&tokens, i + 1, "use") {
            branch(&tokens, i + 2, Vec::new(), 0, &mut found);
        }
    }
    let pairs = found.into_iter().filter_map(|(_, path)| Some((path.first()?.clone(), path.get(1)?.clone())));
    pairs.collect()
}

/// A cycle, its first module repeated at the end.
fn find_cycle(uses: &BTreeMap<Module, BTreeSet<Module>>) -> Option<Vec<Module>> {
    fn walk(
        uses: &BTreeMap<Module, BTreeSet<Module>>,
        at: &Module,
        way: &mut Vec<Module>,
        done: &mut BTreeSet<Module>,
    ) -> Option<Vec<Module>> {
        if let Some(start) = way.iter().position(|m| m == at) {
            return Some([&way[start..], std::slice::from_ref(at)].concat());
        }
        if !done.insert(at.clone()) {
            return None;
        }
        way.push(at.clone());
        let cycle = uses.get(at).into_iter().flatten().find_map(|next| walk(uses, next, way, done));
        way.pop();
        cycle
    }
    let mut done = BTreeSet::new();
    uses.keys().find_map(|start| walk(uses, start, &mut Vec::new(), &mut done))
}
