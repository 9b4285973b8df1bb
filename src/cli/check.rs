//! `cnamed check`: not implemented yet.

use std::process::ExitCode;

use super::{BAD_USAGE, CheckArgs, complain};

/// Refuses.
pub fn run(_args: &CheckArgs) -> ExitCode {
    complain("cnamed check: not implemented yet");
    ExitCode::from(BAD_USAGE)
}
