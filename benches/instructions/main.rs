//! `cargo bench`: what each case of `cases.rs` takes, in instructions and
//! allocations, against what `benches/instructions.txt` says. More than 5 % more is a failure; `-- --renew`
//! writes the file anew. How it works: `docs/testing.md`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // what goes wrong here is to end the run

mod callgrind;
mod cases;
mod gate;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use cases::{CASES, Case};
use gate::{Row, Table};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["run", case] => run(case),
        [] => compare(),
        ["--renew"] => renew(),
        _ => Err("usage: cargo bench [-- --renew]".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// Does the rounds: what callgrind looks at.
fn run(case: &str) -> Result<(), String> {
    let case = CASES.iter().find(|known| known.name == case).ok_or_else(|| format!("no case {case}"))?;
    case.run();
    Ok(())
}

fn compare() -> Result<(), String> {
    let path = file();
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let written = Table::parse(&text).map_err(|e| format!("{}: {e}", path.display()))?;
    if written.target != target() {
        println!("instructions: written down for {}, this is {}: NOT COMPARED", written.target, target());
        return Ok(());
    }
    let counted = count()?;
    show(&written, &counted);
    let mut wrong = gate::too_much(&written, &counted);
    wrong.extend(tracing(&counted));
    if wrong.is_empty() {
        return Ok(());
    }
    if written.compiler != counted.compiler {
        wrong
            .push(format!("note: counted with {}, written down with {}", counted.compiler, written.compiler));
    }
    Err(format!(
        "\ntoo much (more than 5 % more than benches/instructions.txt):\n  {}\nIf it is worth that: {}\n",
        wrong.join("\n  "),
        gate::RENEW
    ))
}

fn renew() -> Result<(), String> {
    let counted = count()?;
    let wrong = tracing(&counted);
    std::fs::write(file(), counted.text()).map_err(|e| format!("{}: {e}", file().display()))?;
    print!("{}", counted.text());
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

fn show(written: &Table, counted: &Table) {
    println!("{:<20} {:>12} {:>8} {:>12}", "case", "instructions", "change", "allocations");
    for row in &counted.rows {
        let old = written.row(&row.case).map_or(row.instructions, |old| old.instructions);
        let change = gate::change(old, row.instructions);
        println!("{:<20} {:>12.0} {change:>8} {:>12.1}", row.case, row.instructions, row.allocations);
    }
}

/// What tracing takes when nobody looks, as a part of two of the cases: says it, and what is too much.
fn tracing(counted: &Table) -> Vec<String> {
    let (cold, hit) = cases::events_of_cold_chain_and_hit();
    let note = counted.row(cases::NOTE).expect("a case");
    let parts = [(cold, cases::COLD_CHAIN), (hit, cases::HIT)];
    let parts = parts.map(|(events, case)| gate::tracing(events, note, counted.row(case).expect("a case")));
    parts.iter().for_each(|(said, _)| println!("{said}"));
    parts.into_iter().filter(|(_, too_much)| *too_much).map(|(said, _)| said).collect()
}

/// All cases, as many at a time as there are processors: callgrind does not mind.
fn count() -> Result<Table, String> {
    if cfg!(debug_assertions) {
        return Err("this build is not optimised: cargo bench".to_owned());
    }
    if !callgrind::present() {
        return Err("valgrind is not installed (Debian: apt-get install valgrind)".to_owned());
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let cases = std::iter::from_fn(|| CASES.get(next.fetch_add(1, Ordering::Relaxed)));
        cases.map(|case| row(case).map(|row| (case.name, row))).collect::<Result<Vec<_>, String>>()
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let counted = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().expect("a worker")).collect::<Result<Vec<_>, String>>()
    })?;
    let mut rows: Vec<(&str, Row)> = counted.into_iter().flatten().collect();
    rows.sort_by_key(|(name, _)| CASES.iter().position(|case| case.name == *name));
    let rows = rows.into_iter().map(|(_, row)| row).collect();
    Ok(Table { target: target(), compiler: compiler(), rows })
}

fn row(case: &Case) -> Result<Row, String> {
    let all = callgrind::count(case.name)?;
    let each = |count: u64| count as f64 / case.rounds as f64;
    let (instructions, allocations) = (each(all.instructions), each(all.allocations));
    Ok(Row { case: case.name.to_owned(), instructions, allocations })
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions.txt")
}

fn target() -> String {
    format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS)
}

fn compiler() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = Command::new(rustc).arg("--version").output();
    said.map_or_else(|_| "rustc".to_owned(), |said| String::from_utf8_lossy(&said.stdout).trim().to_owned())
}
