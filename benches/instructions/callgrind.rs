//! Counts the instructions of this program, and its allocations, with Valgrind's callgrind.
//!
//! Callgrind simulates a processor and counts what it executes: that does not depend on how fast or busy a
//! machine is. It writes down what was counted before [`COUNTED`] began and starts again from zero; what
//! comes after it, some thousand instructions, is nothing beside the rounds. Does not know: what the cases
//! are, what is too much.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What allocates, under the names that the C library has for it: Rust's allocator ends there.
const ALLOCATES: [&str; 9] = [
    "malloc",
    "calloc",
    "realloc",
    "posix_memalign",
    "aligned_alloc",
    "__libc_malloc",
    "__libc_calloc",
    "__libc_realloc",
    "__posix_memalign",
];

/// The function that does the rounds and allocates once beside them.
const COUNTED: &str = "*cases*counted*";

/// What one run took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Counts {
    pub instructions: u64,
    pub allocations: u64,
}

/// Can it be counted here?
pub fn present() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok_and(|out| out.status.success())
}

/// What all rounds of `case` take.
pub fn count(case: &str) -> Result<Counts, String> {
    let program = std::env::current_exe().map_err(|e| format!("which program is this? {e}"))?;
    let out = std::env::temp_dir().join(format!("cnamed-{}-{case}.callgrind", std::process::id()));
    let ran = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--dump-before={COUNTED}"))
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program)
        .args(["run", case])
        .env_remove("RUST_LOG")
        .output()
        .map_err(|e| format!("valgrind: {e}"))?;
    if !ran.status.success() {
        let said = String::from_utf8_lossy(&ran.stderr);
        return Err(format!("{case}: {} under valgrind:\n{said}", ran.status));
    }
    let before = PathBuf::from(format!("{}.1", out.display()));
    let counts = if before.exists() { read(&out) } else { Err(format!("{case}: {COUNTED} was not entered")) };
    for file in [out, before] {
        let _nobody_needs_it = std::fs::remove_file(file);
    }
    counts
}

fn read(out: &Path) -> Result<Counts, String> {
    let text = std::fs::read(out).map_err(|e| format!("{}: {e}", out.display()))?;
    counts(&String::from_utf8_lossy(&text)).map_err(|what| format!("{}: {what}", out.display()))
}

/// The totals of callgrind's output: functions are named at first sight, `fn=(4) malloc`, later `fn=(4)`;
/// `cfn=` names who is called by the `calls=` that follows, so many times.
fn counts(text: &str) -> Result<Counts, String> {
    let mut names: HashMap<&str, bool> = HashMap::new();
    let (mut called, mut instructions, mut allocations) = ("", None, 0_u64);
    for line in text.lines() {
        if let Some(function) = line.strip_prefix("fn=").or_else(|| line.strip_prefix("cfn=")) {
            let (id, name) = function.split_once(' ').unwrap_or((function, ""));
            if !name.is_empty() {
                names.insert(id, ALLOCATES.contains(&name));
            }
            called = id;
        } else if let Some(calls) = line.strip_prefix("calls=") {
            let times = calls.split(' ').next().and_then(|n| n.parse::<u64>().ok());
            let times = times.ok_or_else(|| format!("no number of calls: {line}"))?;
            allocations += if names.get(called) == Some(&true) { times } else { 0 };
        } else if let Some(total) = line.strip_prefix("totals: ") {
            instructions = total.trim().parse::<u64>().ok();
        }
    }
    let instructions = instructions.ok_or("no total of instructions")?;
    let allocations =
        allocations.checked_sub(1).ok_or("blind: the one allocation beside the rounds was not seen")?;
    Ok(Counts { instructions, allocations })
}
