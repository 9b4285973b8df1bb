//! `cnamed check`: not built in yet.

use std::process::ExitCode;

use super::{BAD_USAGE, CheckArgs, complain};

/// Refuses.
pub fn run(_args: &CheckArgs) -> ExitCode {
    complain("cnamed check: not built in yet");
    ExitCode::from(BAD_USAGE)
}
